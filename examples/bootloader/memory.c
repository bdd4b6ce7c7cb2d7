/* What the client and the compiler want of a C library. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size)
{
    unsigned char *at = (unsigned char *)to;
    const unsigned char *source = (const unsigned char *)from;
    while (size-- != 0) {
        *at++ = *source++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *at = (unsigned char *)to;
    const unsigned char *source = (const unsigned char *)from;
    if (at <= source) {
        return memcpy(to, from, size);
    }
    while (size-- != 0) {
        at[size] = source[size];
    }
    return to;
}

void *memset(void *to, int value, size_t size)
{
    unsigned char *at = (unsigned char *)to;
    while (size-- != 0) {
        *at++ = (unsigned char)value;
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
    for (; size != 0; --size, ++a, ++b) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t size = 0;
    while (text[size] != '\0') {
        ++size;
    }
    return size;
}
