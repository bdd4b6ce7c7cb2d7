/* What the vectors share: their checks, and the product with all its rooms static, so that they can look inside.
   Strict C89, an int of 16 bits, either byte order, either sign of char, 16 KB of RAM. */

#ifndef IOTHUB_TESTS_VECTORS_CHECK_H
#define IOTHUB_TESTS_VECTORS_CHECK_H

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#ifndef VECTORS_ROOM
#include "iothub_client.h"
#else                                            /* on machines too small for all: one room, and what it includes */
#include "transports/mqtt/codec.h"
#include VECTORS_ROOM
#endif

/* Each room's file has its name and its checks. */
extern const char room[];
void vectors(void);

/* What the next checks are about, and in which row of a table: a failure prints both. Loops over tables count with row. */
extern const char *subject;
extern size_t row;
void about(const char *sentence);                /* sets the subject, and row 0 */

/* In main.c. what is the checked expression, as TEXT gives it. */
void check(int holds, const char *what, int line);
void check_number(unsigned long got, unsigned long expected, const char *what, int line);
void check_bytes(const void *got, size_t got_size, const void *expected, size_t size, const char *what, int line);

#ifdef __AVR__
#define TEXT(text) PSTR(text)                    /* in flash: text costs RAM there */
#else
#define TEXT(text) (text)
#endif

#define LITERAL(bytes) bytes, sizeof(bytes) - 1u /* a string literal, without its NUL, and its size */
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* What a pointer must be aligned to: its own size on most machines, 1 on an AVR. */
struct alignment { char byte; void *pointer; };
#define ALIGNMENT offsetof(struct alignment, pointer)

#define CHECK(condition) check((condition) != 0, TEXT(#condition), __LINE__)
#define CHECK_NUMBER(got, expected) check_number((unsigned long)(got), (unsigned long)(expected), TEXT(#got), __LINE__)
#define CHECK_BYTES(got, got_size, literal) check_bytes(got, got_size, LITERAL(literal), TEXT(#got), __LINE__)
#define CHECK_TEXT(got, expected) check_bytes(got, IOTHUB_STRLEN(got), expected, IOTHUB_STRLEN(expected), TEXT(#got), __LINE__)
#define CHECK_WRITTEN(part, context, literal) check_written(part, context, LITERAL(literal), TEXT(#part), __LINE__)

/* An encoder must measure these bytes, write them into exactly their room, and again through windows; three checks. The
   windows are 1, 2, 4, 7, 11 bytes and so on, half again as large each time. */
IOTHUBI_PRIVATE void check_written(iothubi_part part, const void *context, const char *expected, size_t size, const char *what, int line)
{
    static unsigned char memory[401];
    iothubi_writer writer;
    size_t window, skip, kept, wrong = 0;
    if (size >= sizeof memory) {
        check(0, TEXT("memory for this vector"), line);
        return;
    }
    check_number((unsigned long)iothubi_part_size(part, context), (unsigned long)size, what, line);
    IOTHUB_MEMSET(memory, '#', sizeof memory);
    iothubi_write_begin(&writer, memory, 0, size);
    part(&writer, context);
    check_bytes(memory, memory[size] == '#' ? size : 0, expected, size, what, line);
    for (window = 1; window < size; window += window / 2u + 1u) {
        for (skip = 0; skip < size; skip += window) {
            kept = size - skip < window ? size - skip : window;
            IOTHUB_MEMSET(memory, '#', window + 1u);
            iothubi_write_begin(&writer, memory, skip, window);
            part(&writer, context);
            wrong += writer.length != size || memory[kept] != '#' || IOTHUB_MEMCMP(memory, expected + skip, kept) != 0;
        }
    }
    check_number((unsigned long)wrong, 0, what, line);
}

#endif
