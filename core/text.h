/* ---- text: percent-encoding, base64, decimals, lists of names ----------------------------------------------------- */
/* Pure functions over bytes; they know no protocol and no hub. Predicates are int: 1 yes, 0 no. */
#include "bytes.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_TEXT_H)
#define IOTHUBI_TEXT_H

typedef struct iothubi_span_tag {
    const char *at;
    size_t size;
} iothubi_span;

static IOTHUB_CONST char iothubi_hex_digits[] = "0123456789ABCDEF";
static IOTHUB_CONST char iothubi_base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

IOTHUBI_PRIVATE int iothubi_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

IOTHUBI_PRIVATE int iothubi_is_alphanumeric(int c)
{
    return iothubi_is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

IOTHUBI_PRIVATE int iothubi_is_hex(int c)
{
    return iothubi_is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* set is IOTHUB_CONST text. Answers where it holds the byte c, or -1. */
IOTHUBI_PRIVATE int iothubi_find_byte(const char *set, int c)
{
    int index;
    for (index = 0; IOTHUB_CONST_BYTE(set + index) != 0; ++index) {
        if ((char)IOTHUB_CONST_BYTE(set + index) == (char)c) {
            return index;
        }
    }
    return -1;
}

/* RFC 3986 section 2.3: the characters that percent-encoding leaves alone. */
IOTHUBI_PRIVATE int iothubi_is_unreserved(int c)
{
    return iothubi_is_alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

/* Percent-encodes text with upper-case digits. keep_escapes: a well-formed %XX stays as it is. */
IOTHUBI_PRIVATE void iothubi_write_encoded(iothubi_writer *writer, const char *text, size_t size, int keep_escapes)
{
    size_t i, plain = 0;                         /* text[plain..i) is still to be written, as it is */
    for (i = 0; i < size; ++i) {
        int c = (unsigned char)text[i];
        unsigned char escape[3];
        if (iothubi_is_unreserved(c)) {
            continue;
        }
        if (keep_escapes && c == '%' && size - i > 2 && iothubi_is_hex(text[i + 1]) && iothubi_is_hex(text[i + 2])) {
            i += 2;
            continue;
        }
        iothubi_write(writer, text + plain, i - plain);
        escape[0] = '%';
        escape[1] = (unsigned char)IOTHUB_CONST_BYTE(iothubi_hex_digits + (c >> 4));
        escape[2] = (unsigned char)IOTHUB_CONST_BYTE(iothubi_hex_digits + (c & 15));
        iothubi_write(writer, escape, 3);
        plain = i + 1;
    }
    iothubi_write(writer, text + plain, size - plain);
}

IOTHUBI_PRIVATE void iothubi_write_decimal(iothubi_writer *writer, uint32_t value)
{
    unsigned char digits[10];
    size_t at = sizeof digits;
    do {
        digits[--at] = (unsigned char)('0' + (int)(value % 10u));
        value /= 10u;
    } while (value != 0);
    iothubi_write(writer, digits + at, sizeof digits - at);
}

/* All of text must be a decimal number of 32 bits. */
IOTHUBI_PRIVATE int iothubi_read_decimal(const char *text, size_t size, uint32_t *value)
{
    size_t i;
    *value = 0;
    for (i = 0; i < size; ++i) {
        uint32_t digit;
        if (!iothubi_is_digit(text[i])) {
            return 0;
        }
        digit = (uint32_t)(text[i] - '0');
        if (*value > (0xFFFFFFFFu - digit) / 10u) {
            return 0;
        }
        *value = *value * 10u + digit;
    }
    return size != 0;
}

/* The base64 text (RFC 4648) of a 32-byte digest, percent-encoded; its one pad is left to the caller. */
IOTHUBI_PRIVATE void iothubi_write_digest(iothubi_writer *writer, const unsigned char *digest)
{
    unsigned int bit;
    for (bit = 0; bit < 256; bit += 6) {
        unsigned int byte = bit / 8u, pair = (unsigned int)digest[byte] << 8 | (byte < 31 ? digest[byte + 1] : 0u);
        char c = (char)IOTHUB_CONST_BYTE(iothubi_base64_digits + (pair >> (10u - bit % 8u) & 63u));
        iothubi_write_encoded(writer, &c, 1, 0);
    }
}

/* Decodes base64 (RFC 4648 section 4, with padding) into to, which may be NULL: judge only. Answers how many bytes the text
   stands for; 0: it is no base64. */
IOTHUBI_PRIVATE size_t iothubi_base64_decode(const char *text, size_t size, unsigned char *to)
{
    uint32_t group = 0;
    size_t i;
    if (size % 4u != 0) {
        return 0;
    }
    for (i = 0; i < 2 && size != 0 && text[size - 1u] == '='; ++i) {
        --size;
    }
    for (i = 0; i < size; ++i) {
        int value = iothubi_find_byte(iothubi_base64_digits, text[i]);
        if (value < 0) {
            return 0;
        }
        group = group << 6 | (uint32_t)value;
        if (to != NULL && i % 4u != 0) {
            *to++ = (unsigned char)(group >> (6u - i % 4u * 2u) & 0xFFu);
        }
    }
    return size - (size + 3u) / 4u;
}

/* names is IOTHUB_CONST: texts with their NULs one after the other, an empty one ends it. Answers the index of the one
   that equals text, or -1. */
IOTHUBI_PRIVATE int iothubi_find_name(const char *names, const iothubi_span *text)
{
    int index;
    for (index = 0; IOTHUB_CONST_BYTE(names) != 0; ++index) {
        size_t i = 0;
        while (i < text->size && IOTHUB_CONST_BYTE(names + i) != 0 && (char)IOTHUB_CONST_BYTE(names + i) == text->at[i]) {
            ++i;
        }
        if (i == text->size && IOTHUB_CONST_BYTE(names + i) == 0) {
            return index;
        }
        while (IOTHUB_CONST_BYTE(names) != 0) {
            ++names;
        }
        ++names;
    }
    return -1;
}

/* Cuts what stands before the first separator off *rest, and the separator with it; without one *part is all of *rest and
   nothing is left. Answers whether there was one. */
IOTHUBI_PRIVATE int iothubi_split(iothubi_span *rest, char separator, iothubi_span *part)
{
    size_t i = 0;
    int found;
    while (i < rest->size && rest->at[i] != separator) {
        ++i;
    }
    part->at = rest->at;
    part->size = i;
    found = i < rest->size;
    i += (size_t)found;
    rest->at += i;
    rest->size -= i;
    return found;
}

/* The next of some parts with separators between them. False when nothing is left. */
IOTHUBI_PRIVATE int iothubi_next_part(iothubi_span *rest, char separator, iothubi_span *part)
{
    if (rest->size == 0) {
        return 0;
    }
    iothubi_split(rest, separator, part);
    return 1;
}

#endif
