/* bcc comes without headers; its int has 16 bits. */

#ifndef IOTHUB_TESTS_STDDEF_H
#define IOTHUB_TESTS_STDDEF_H

typedef unsigned int size_t;
#define NULL ((void *)0)
#define offsetof(type, member) ((size_t)&((type *)0)->member)

#endif
