/* lwIP's view of compiler and machine: a hosted one. An assertion of lwIP's ends the test. */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define LWIP_PLATFORM_DIAG(text) do { printf text; } while (0)
#define LWIP_PLATFORM_ASSERT(text) do { printf("FAIL  lwIP asserts: %s\n", text); abort(); } while (0)

unsigned wire_random(void);
void *wire_malloc(size_t size);
void *wire_calloc(size_t count, size_t size);
void wire_free(void *memory);

#endif
