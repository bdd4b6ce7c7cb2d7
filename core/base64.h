/* ---- base64: bytes that come in pieces become text ---------------------------------------------------------------- */
/* RFC 4648 section 4, with padding. (text.h reads base64; the signature of a token, which is percent-encoded too, is its own.) */
#include "text.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_BASE64_H)
#define IOTHUBI_BASE64_H

typedef struct iothubi_base64_tag {
    iothubi_writer *writer;
    unsigned int last;                           /* the last two bytes: a digit lies in one of them or across both */
    unsigned int count;                          /* bytes of the present group of three */
} iothubi_base64;

IOTHUBI_PRIVATE void iothubi_base64_begin(iothubi_base64 *base64, iothubi_writer *writer)
{
    base64->writer = writer;
    base64->last = 0;
    base64->count = 0;
}

IOTHUBI_PRIVATE void iothubi_base64_digit(iothubi_base64 *base64, unsigned int shift)
{
    iothubi_write_byte(base64->writer, (unsigned char)IOTHUB_CONST_BYTE(iothubi_base64_digits + (base64->last >> shift & 63u)));
}

IOTHUBI_PRIVATE void iothubi_base64_put(iothubi_base64 *base64, const void *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (; size != 0; --size) {
        base64->last = (base64->last << 8 | *at++) & 0xFFFFu;
        base64->count += 1u;
        iothubi_base64_digit(base64, 2u * base64->count); /* 6, 4, 2 new bits, and those left over before */
        if (base64->count == 3u) {
            iothubi_base64_digit(base64, 0);
            base64->count = 0;
        }
    }
}

/* The bits left over, and the pads: two behind one byte, one behind two. */
IOTHUBI_PRIVATE void iothubi_base64_end(iothubi_base64 *base64)
{
    unsigned int count = base64->count;
    if (count == 0) {
        return;
    }
    base64->last = base64->last << (6u - 2u * count) & 63u;
    iothubi_base64_digit(base64, 0);
    for (; count < 3u; ++count) {
        iothubi_write_byte(base64->writer, '=');
    }
}

IOTHUBI_PRIVATE void iothubi_write_base64(iothubi_writer *writer, const unsigned char *bytes, size_t size)
{
    iothubi_base64 base64;
    iothubi_base64_begin(&base64, writer);
    iothubi_base64_put(&base64, bytes, size);
    iothubi_base64_end(&base64);
}

#endif
