/* What lwIP asks of the compiler and the machine. */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <stdint.h>

void network_assertion(const char *text);
uint32_t network_random(void);

#define LWIP_PLATFORM_DIAG(text) do { } while (0)
#define LWIP_PLATFORM_ASSERT(text) network_assertion(text)
#define LWIP_RAND() network_random()             /* ports, and the numbers of questions: nobody shall guess them */

#endif
