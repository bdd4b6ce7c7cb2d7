/* A connection of this machine for the cores that the test makes up: sockets that do not block, and OpenSSL where it is secured. */
#ifndef TEST_HOST_H
#define TEST_HOST_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { TEST_LATER = -1, TEST_BROKEN = -2, TEST_NO_NAME = -3, TEST_NO_ANSWER = -4, TEST_NO_TLS = -5, TEST_NOT_TRUSTED = -6, TEST_WRONG_NAME = -7 };

extern int test_link_plain;                      /* 1: without TLS whatever is asked for, to try a port alone */
struct test_link;
struct test_link *test_link_new(void);
/* roots: PEM, NULL for a connection without TLS. 1 open, TEST_LATER, or why not. The first call decides everything. */
int test_link_open(struct test_link *link, const char *host, int port, const char *roots);
long test_link_read(struct test_link *link, void *bytes, size_t size);         /* >0, 0 closed in order, TEST_LATER, TEST_BROKEN */
long test_link_write(struct test_link *link, const void *bytes, size_t size);  /* >0, TEST_LATER, TEST_BROKEN */
void test_link_delete(struct test_link *link);

#ifdef __cplusplus
}
#endif
#endif
