/* The vectors on QEMU's "sim" board with the ESP8266's core: the console and the exit code are simulator calls. There is no
   C library for this compiler, so the five functions that the client wants (and one for the vectors) are here too; and division, which the ESP8266 has in its
   ROM and this compiler's library leaves out. */

#include <stddef.h>
#include <string.h>

int main(void);

enum { SIMCALL_EXIT = 1, SIMCALL_WRITE = 4 };

static void simcall(int number, int a, int b, int c)
{
    register int a2 __asm__("a2") = number;
    register int a3 __asm__("a3") = a;
    register int a4 __asm__("a4") = b;
    register int a5 __asm__("a5") = c;
    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
}

void put(int c)
{
    static char byte;
    byte = (char)c;
    simcall(SIMCALL_WRITE, 1, (int)&byte, 1);
}

void end(void)
{
}

void board_main(void)
{
    simcall(SIMCALL_EXIT, main(), 0, 0);
}

static unsigned int divide(unsigned int a, unsigned int b, unsigned int *rest)
{
    unsigned int quotient = 0, i;
    *rest = 0;
    for (i = 0; i < 32; ++i) {
        *rest = *rest << 1 | a >> 31;
        a <<= 1;
        quotient <<= 1;
        if (*rest >= b) {
            *rest -= b;
            quotient |= 1;
        }
    }
    return quotient;
}

unsigned int __udivsi3(unsigned int a, unsigned int b)
{
    unsigned int rest;
    return divide(a, b, &rest);
}

unsigned int __umodsi3(unsigned int a, unsigned int b)
{
    unsigned int rest;
    divide(a, b, &rest);
    return rest;
}

void *memmove(void *to, const void *from, size_t size)
{
    char *t = (char *)to;
    const char *f = (const char *)from;
    if (t < f) {
        for (; size != 0; --size) {
            *t++ = *f++;
        }
    } else {
        while (size != 0) {
            --size;
            t[size] = f[size];
        }
    }
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

void *memset(void *to, int value, size_t size)
{
    char *t = (char *)to;
    for (; size != 0; --size) {
        *t++ = (char)value;
    }
    return to;
}

int memcmp(const void *one, const void *other, size_t size)
{
    const unsigned char *a = (const unsigned char *)one, *b = (const unsigned char *)other;
    for (; size != 0; --size, ++a, ++b) {
        if (*a != *b) {
            return *a < *b ? -1 : 1;
        }
    }
    return 0;
}

void *memchr(const void *bytes, int value, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (; size != 0; --size, ++at) {
        if (*at == (unsigned char)value) {
            return (void *)at;
        }
    }
    return NULL;
}

size_t strlen(const char *text)
{
    size_t size = 0;
    while (text[size] != '\0') {
        ++size;
    }
    return size;
}
