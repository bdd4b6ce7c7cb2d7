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

/* The 44 characters of base64 (RFC 4648, with padding) of a 32-byte digest. */
IOTHUBI_PRIVATE void iothubi_digest_to_base64(const unsigned char digest[32], char text[44])
{
    unsigned int in, out = 0;
    for (in = 0; in < 32; in += 3) {
        uint32_t group = (uint32_t)digest[in] << 16 | (uint32_t)digest[in + 1] << 8;
        int shift;
        if (in + 2 < 32) {
            group |= digest[in + 2];
        }
        for (shift = 18; shift >= 0; shift -= 6) {
            text[out++] = (char)IOTHUB_CONST_BYTE(iothubi_base64_digits + (size_t)(group >> shift & 63u));
        }
    }
    text[43] = '=';                              /* 32 bytes are ten groups and two bytes: one pad */
}

IOTHUBI_PRIVATE int iothubi_base64_value(int c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (iothubi_is_digit(c)) {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bytes that base64 text stands for; 0 when its length or padding cannot be right (RFC 4648 section 4). */
IOTHUBI_PRIVATE size_t iothubi_base64_size(const char *text, size_t size)
{
    if (size == 0 || size % 4u != 0) {
        return 0;
    }
    return size / 4u * 3u - (text[size - 1] == '=') - (text[size - 2] == '=');
}

/* Decodes to exactly iothubi_base64_size bytes (to may be NULL: judge only). False when a character is no base64. */
IOTHUBI_PRIVATE int iothubi_base64_decode(const char *text, size_t size, unsigned char *to)
{
    size_t left = iothubi_base64_size(text, size), i;
    uint32_t group = 0;
    if (left == 0) {
        return 0;
    }
    for (i = 0; i < size; ++i) {
        int pad = text[i] == '=' && (i + 1 == size || (i + 2 == size && text[i + 1] == '='));
        int value = pad ? 0 : iothubi_base64_value(text[i]);
        if (value < 0) {
            return 0;
        }
        group = group << 6 | (uint32_t)value;
        if (i % 4u == 3) {
            int shift;
            for (shift = 16; shift >= 0 && left != 0; shift -= 8, --left) {
                if (to != NULL) {
                    *to++ = (unsigned char)(group >> shift & 0xFFu);
                }
            }
            group = 0;
        }
    }
    return 1;
}

/* names is IOTHUB_CONST: texts with their NULs one after the other, an empty one ends it. Answers the index of the one
   that equals text, or -1. */
IOTHUBI_PRIVATE int iothubi_find_name(const char *names, const char *text, size_t size)
{
    int index;
    for (index = 0; IOTHUB_CONST_BYTE(names) != 0; ++index) {
        size_t i = 0;
        while (i < size && IOTHUB_CONST_BYTE(names + i) != 0 && (char)IOTHUB_CONST_BYTE(names + i) == text[i]) {
            ++i;
        }
        if (i == size && IOTHUB_CONST_BYTE(names + i) == 0) {
            return index;
        }
        while (IOTHUB_CONST_BYTE(names) != 0) {
            ++names;
        }
        ++names;
    }
    return -1;
}

/* Cuts the part up to the next separator off *rest. False when nothing is left. */
IOTHUBI_PRIVATE int iothubi_next_part(iothubi_span *rest, char separator, iothubi_span *part)
{
    size_t i = 0;
    if (rest->size == 0) {
        return 0;
    }
    while (i < rest->size && rest->at[i] != separator) {
        ++i;
    }
    part->at = rest->at;
    part->size = i;
    i += i < rest->size;
    rest->at += i;
    rest->size -= i;
    return 1;
}

/* Splits Key=Value at its first '='. False without one. */
IOTHUBI_PRIVATE int iothubi_split_pair(const iothubi_span *pair, iothubi_span *key, iothubi_span *value)
{
    *value = *pair;
    return iothubi_next_part(value, '=', key) && key->size < pair->size;
}

#endif
