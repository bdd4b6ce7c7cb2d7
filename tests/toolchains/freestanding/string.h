/* For compilers that come without a C library: what the client wants of it, and memchr for the vectors. */

#ifndef IOTHUB_TESTS_STRING_H
#define IOTHUB_TESTS_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *one, const void *other, size_t size);
size_t strlen(const char *text);
void *memchr(const void *bytes, int value, size_t size);

#endif
