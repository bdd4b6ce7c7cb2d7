/* ---- json: the version in a text that streams by; a walk through a text in memory; strings ------------------------- */
/* Pure functions over bytes; they know no protocol and no hub. Nothing recurses. Predicates are int: 1 yes, 0 no. */
#include "text.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_JSON_H)
#define IOTHUBI_JSON_H

/* ---- the version scanner: fed with a text in pieces of any size, it finds the number of one "$version" member ----

   It compares the text, blanks left out, with the path below, as far as nothing but that object is open. Whatever does not
   match leads back home: to the first byte of the key that is wanted. In JSON no string but a key is followed by a colon, so a
   value that reads like a key never gets far. The first member that has the right name and kind of value counts; names
   written with escapes are not recognised (the hub writes none). */

static IOTHUB_CONST char iothubi_version_path[] = "\"desired\":{\"$version\":";

/* Which member is meant: that of the object "desired" of a whole twin, or that at the top of a patch. Its value is home. */
enum { IOTHUBI_VERSION_OF_TWIN = 0, IOTHUBI_VERSION_OF_PATCH = 11 };

enum {
    IOTHUBI_VERSION_BETWEEN,                     /* outside strings */
    IOTHUBI_VERSION_STRING,
    IOTHUBI_VERSION_ESCAPE,                      /* behind the backslash in a string */
    IOTHUBI_VERSION_NUMBER,                      /* in the number */
    IOTHUBI_VERSION_FOUND,                       /* from here on more bytes change nothing */
    IOTHUBI_VERSION_TOO_LARGE,                   /* a number over 32 bits */
    IOTHUBI_VERSION_NONE                         /* the text has none, is no JSON, or is nested more than 255 deep */
};

typedef struct iothubi_json_version_tag {
    uint32_t number;
    unsigned char state;
    unsigned char home;                          /* where in the path the key starts that is wanted */
    unsigned char at;                            /* the byte of the path that would be next */
    unsigned char depth;                         /* objects and arrays open; 1: only the object that should have the key */
} iothubi_json_version;

IOTHUBI_PRIVATE void iothubi_json_version_begin(iothubi_json_version *scanner, int of)
{
    IOTHUB_MEMSET(scanner, 0, sizeof *scanner);
    scanner->home = scanner->at = (unsigned char)of;
}

IOTHUBI_PRIVATE int iothubi_json_version_digit(iothubi_json_version *scanner, int c)
{
    uint32_t number = scanner->number * 10u + (uint32_t)(c - '0');
    if (scanner->number > 429496729u || number < scanner->number) {      /* 2^32 / 10; at it, the sum may wrap */
        return IOTHUBI_VERSION_TOO_LARGE;
    }
    scanner->number = number;
    return IOTHUBI_VERSION_NUMBER;
}

/* Outside strings: objects and arrays begin and end, the rest says nothing. */
IOTHUBI_PRIVATE int iothubi_json_version_mark(iothubi_json_version *scanner, int c)
{
    if (c == '{' || c == '[') {
        if (scanner->at != scanner->home) {      /* the object on the path */
            scanner->home = scanner->at;
            scanner->depth = 0;
        }
        return ++scanner->depth != 0 ? IOTHUBI_VERSION_BETWEEN : IOTHUBI_VERSION_NONE;
    }
    return (c == '}' || c == ']') && --scanner->depth == 0 ? IOTHUBI_VERSION_NONE : IOTHUBI_VERSION_BETWEEN;
}

/* Takes one byte and answers the next state. */
IOTHUBI_PRIVATE int iothubi_json_version_next(iothubi_json_version *scanner, int c)
{
    int state = scanner->state, wanted = (unsigned char)IOTHUB_CONST_BYTE(iothubi_version_path + scanner->at);
    if (state == IOTHUBI_VERSION_ESCAPE) {
        return IOTHUBI_VERSION_STRING;
    }
    if (wanted == 0) {                           /* behind the path: the number */
        if (iothubi_is_digit(c)) {
            return iothubi_json_version_digit(scanner, c);
        }
        if (state == IOTHUBI_VERSION_NUMBER) {   /* a fraction is no version */
            return c <= ' ' || c == ',' || c == '}' ? IOTHUBI_VERSION_FOUND : IOTHUBI_VERSION_NONE;
        }
    }
    if (state == IOTHUBI_VERSION_BETWEEN && c <= ' ') {
        return state;
    }
    scanner->at = (unsigned char)(c == wanted && scanner->at != scanner->home ? scanner->at + 1 : scanner->home);
    if (c == '"') {
        if (state == IOTHUBI_VERSION_STRING) {
            return IOTHUBI_VERSION_BETWEEN;
        }
        scanner->at = (unsigned char)(scanner->home + (scanner->depth == 1));    /* only a first quote leaves home */
        return IOTHUBI_VERSION_STRING;
    }
    if (state == IOTHUBI_VERSION_STRING) {
        return c == '\\' ? IOTHUBI_VERSION_ESCAPE : IOTHUBI_VERSION_STRING;
    }
    return iothubi_json_version_mark(scanner, c);
}

IOTHUBI_APART void iothubi_json_version_feed(iothubi_json_version *scanner, const unsigned char *bytes, size_t size)
{
    for (; size != 0 && scanner->state < IOTHUBI_VERSION_FOUND; --size) {
        scanner->state = (unsigned char)iothubi_json_version_next(scanner, *bytes++);
    }
}

/* _FOUND, and the number; _TOO_LARGE; or _NONE, also when the text is not over yet. */
IOTHUBI_PRIVATE int iothubi_json_version_result(const iothubi_json_version *scanner, uint32_t *number)
{
    *number = scanner->number;
    if (scanner->state < IOTHUBI_VERSION_FOUND) {
        return IOTHUBI_VERSION_NONE;
    }
    return scanner->state;
}

/* ---- the walker: over a text in memory (RFC 8259) ----

   What is left of the text is a span. Each function takes its own piece off the front, blanks before it included, and answers
   whether it was there; when it was not, what is left may be cut anywhere. */

static IOTHUB_CONST char iothubi_json_escapes[] = "\"\\/bfnrt";
static IOTHUB_CONST char iothubi_json_escaped[] = "\"\\/\b\f\n\r\t";
static IOTHUB_CONST char iothubi_json_control[] = "\\u00";
static IOTHUB_CONST char iothubi_json_words[] = "true\0false\0null\0";

/* The next byte; -1 at the end. */
IOTHUBI_PRIVATE int iothubi_json_peek(const iothubi_span *rest)
{
    return rest->size != 0 ? (int)(unsigned char)*rest->at : -1; /* the cast: SDCC would make a char of both */
}

/* The next byte, which is there, and moves on. */
IOTHUBI_PRIVATE int iothubi_json_next(iothubi_span *rest)
{
    --rest->size;
    return (unsigned char)*rest->at++;
}

IOTHUBI_APART int iothubi_json_take(iothubi_span *rest, int c)
{
    if (iothubi_json_peek(rest) != c) {
        return 0;
    }
    iothubi_json_next(rest);
    return 1;
}

IOTHUBI_APART void iothubi_json_blanks(iothubi_span *rest)
{
    while (iothubi_json_take(rest, ' ') || iothubi_json_take(rest, '\n') || iothubi_json_take(rest, '\r') || iothubi_json_take(rest, '\t')) {
    }
}

/* A brace, a bracket, a comma or a colon. */
IOTHUBI_APART int iothubi_json_mark(iothubi_span *rest, int c)
{
    iothubi_json_blanks(rest);
    return iothubi_json_take(rest, c);
}

IOTHUBI_APART int iothubi_json_digits(iothubi_span *rest)
{
    size_t before = rest->size;
    while (iothubi_is_digit(iothubi_json_peek(rest))) {
        iothubi_json_next(rest);
    }
    return rest->size != before;
}

/* A 0 stands alone before the point. */
IOTHUBI_PRIVATE int iothubi_json_number(iothubi_span *rest)
{
    iothubi_json_take(rest, '-');
    if (!iothubi_json_take(rest, '0') && !iothubi_json_digits(rest)) {
        return 0;
    }
    if (iothubi_json_take(rest, '.') && !iothubi_json_digits(rest)) {
        return 0;
    }
    if (!iothubi_json_take(rest, 'e') && !iothubi_json_take(rest, 'E')) {
        return 1;
    }
    if (!iothubi_json_take(rest, '+')) {
        iothubi_json_take(rest, '-');
    }
    return iothubi_json_digits(rest);
}

IOTHUBI_PRIVATE int iothubi_json_word(iothubi_span *rest)
{
    iothubi_span word;
    word.at = rest->at;
    while (iothubi_is_alphanumeric(iothubi_json_peek(rest))) {
        iothubi_json_next(rest);
    }
    word.size = (size_t)(rest->at - word.at);
    return iothubi_find_name(iothubi_json_words, &word) >= 0;
}

/* What stands behind a backslash. */
IOTHUBI_PRIVATE int iothubi_json_escape(iothubi_span *rest)
{
    int digits, c = iothubi_json_peek(rest);
    if (c != 'u') {
        return c >= 0 && iothubi_find_byte(iothubi_json_escapes, iothubi_json_next(rest)) >= 0;
    }
    iothubi_json_next(rest);
    for (digits = 0; digits < 4 && iothubi_is_hex(iothubi_json_peek(rest)); ++digits) {
        iothubi_json_next(rest);
    }
    return digits == 4;
}

IOTHUBI_PRIVATE int iothubi_json_string(iothubi_span *rest)
{
    if (!iothubi_json_take(rest, '"')) {
        return 0;
    }
    while (iothubi_json_peek(rest) >= ' ') {
        int c = iothubi_json_next(rest);
        if (c == '"') {
            return 1;
        }
        if (c == '\\' && !iothubi_json_escape(rest)) {
            return 0;
        }
    }
    return 0;
}

/* A member's name and its colon. The name is what stands between the quotes, escapes and all. */
IOTHUBI_PRIVATE int iothubi_json_key(iothubi_span *rest, iothubi_span *name)
{
    iothubi_json_blanks(rest);
    name->at = rest->at;
    if (!iothubi_json_string(rest)) {
        return 0;
    }
    ++name->at;
    name->size = (size_t)(rest->at - name->at) - 1u;
    return iothubi_json_mark(rest, ':');
}

IOTHUBI_PRIVATE int iothubi_json_scalar(iothubi_span *rest)
{
    int c = iothubi_json_peek(rest);
    return c == '"' ? iothubi_json_string(rest) : c == '-' || iothubi_is_digit(c) ? iothubi_json_number(rest) : iothubi_json_word(rest);
}

/* One value, objects and arrays in it up to 31 deep (IoT Hub allows 10). A bit of open for each of them, 1 an object, the
   innermost lowest; the 1 above them all says how many there are. */
IOTHUBI_APART int iothubi_json_value(iothubi_span *rest)
{
    uint32_t open = 1;
    iothubi_span name;
    do {
        int opened, c;
        iothubi_json_blanks(rest);
        c = iothubi_json_peek(rest);
        opened = c == '{' || c == '[';
        if (opened ? open >> 31 != 0 : !iothubi_json_scalar(rest)) {
            return 0;
        }
        if (opened) {
            iothubi_json_next(rest);
            open = open << 1 | (uint32_t)(c == '{');
        }
        while (open != 1 && iothubi_json_mark(rest, open & 1u ? '}' : ']')) {
            open >>= 1;
            opened = 0;
        }
        if (open != 1 && ((!opened && !iothubi_json_mark(rest, ',')) || ((open & 1u) != 0 && !iothubi_json_key(rest, &name)))) {
            return 0;
        }
    } while (open != 1);
    return 1;
}

/* Whether the text is one value and nothing more. */
IOTHUBI_PRIVATE int iothubi_json_is_value(const iothubi_span *text)
{
    iothubi_span rest;
    rest = *text;
    if (!iothubi_json_value(&rest)) {
        return 0;
    }
    iothubi_json_blanks(&rest);
    return rest.size == 0;
}

/* Whether the value is an object; then its members are what is left. */
IOTHUBI_PRIVATE int iothubi_json_enter(const iothubi_span *value, iothubi_span *members)
{
    *members = *value;
    return iothubi_json_mark(members, '{');
}

/* The next member of an object that is good JSON, and its value without blanks around it. */
IOTHUBI_APART int iothubi_json_member(iothubi_span *members, iothubi_span *name, iothubi_span *value)
{
    iothubi_json_mark(members, ',');
    if (!iothubi_json_key(members, name)) {
        return 0;
    }
    iothubi_json_blanks(members);
    value->at = members->at;
    if (!iothubi_json_value(members)) {
        return 0;
    }
    value->size = (size_t)(members->at - value->at);
    return 1;
}

/* ---- strings ---- */

/* A string with its quotes. Bytes from 0x80 on are taken for UTF-8. */
IOTHUBI_PRIVATE void iothubi_json_write_string(iothubi_writer *writer, const char *text)
{
    iothubi_write_byte(writer, '"');
    for (; *text != '\0'; ++text) {
        unsigned int c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            iothubi_write_byte(writer, '\\');
        }
        if (c < ' ') {
            IOTHUBI_WRITE_CONST(writer, iothubi_json_control);
            iothubi_write_byte(writer, '0' + (c >> 4));
            c = (unsigned int)IOTHUB_CONST_BYTE(iothubi_hex_digits + (c & 15u));
        }
        iothubi_write_byte(writer, c);
    }
    iothubi_write_byte(writer, '"');
}

/* The four digits of an escape. */
IOTHUBI_PRIVATE uint32_t iothubi_json_hex(iothubi_span *rest)
{
    uint32_t value = 0;
    int digit;
    for (digit = 0; digit < 4; ++digit) {
        int c = iothubi_json_next(rest);
        value = value << 4 | (uint32_t)((c & 15) + (c > '9' ? 9 : 0));
    }
    return value;
}

/* The character of an escape, of two for a pair of surrogates (RFC 8259 section 7). U+FFFD instead of half a pair, and of
   U+0000, which would end the text. */
IOTHUBI_PRIVATE uint32_t iothubi_json_character(iothubi_span *rest)
{
    uint32_t c = iothubi_json_hex(rest);
    iothubi_span second;
    second = *rest;
    if (c >> 10 == 0xD800u >> 10 && iothubi_json_take(&second, '\\') && iothubi_json_take(&second, 'u')) {
        uint32_t low = iothubi_json_hex(&second);
        if (low >> 10 == 0xDC00u >> 10) {
            *rest = second;
            return 0x10000u + ((c & 0x3FFu) << 10 | (low & 0x3FFu));
        }
    }
    return c == 0 || c >> 11 == 0xD800u >> 11 ? 0xFFFDu : c;
}

/* RFC 3629: a first byte that tells how many more follow, and those with six bits each. */
IOTHUBI_PRIVATE void iothubi_json_write_utf8(iothubi_writer *writer, uint32_t c)
{
    unsigned int more = c < 0x80u ? 0 : c < 0x800u ? 1 : c < 0x10000u ? 2 : 3;
    unsigned int mark = more == 0 ? 0 : 0xFF00u >> (more + 1u);
    for (;;) {
        iothubi_write_byte(writer, mark | (unsigned int)(c >> more * 6u));
        if (more == 0) {
            return;
        }
        --more;
        c &= ((uint32_t)0x40 << more * 6u) - 1u;
        mark = 0x80u;
    }
}

/* What a name means that iothubi_json_member gave. */
IOTHUBI_PRIVATE void iothubi_json_write_meaning(iothubi_writer *writer, const iothubi_span *name)
{
    iothubi_span rest;
    rest = *name;
    while (rest.size != 0) {
        int c = iothubi_json_next(&rest);
        if (c != '\\') {
            iothubi_write_byte(writer, (unsigned int)c);
        } else if (iothubi_json_take(&rest, 'u')) {
            iothubi_json_write_utf8(writer, iothubi_json_character(&rest));
        } else {
            c = iothubi_find_byte(iothubi_json_escapes, iothubi_json_next(&rest));
            iothubi_write_byte(writer, (unsigned int)IOTHUB_CONST_BYTE(iothubi_json_escaped + c));
        }
    }
}

#endif
