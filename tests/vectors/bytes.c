/* The one writer: buffer, measuring, window. */

#include "check.h"

const char room[] = "bytes";

static IOTHUB_CONST char constant[] = "const";

/* One of everything, 12 bytes. */
static void everything(iothubi_writer *writer, const void *context)
{
    (void)context;
    iothubi_write_byte(writer, 0xFF41u);         /* 'A': the low bits count */
    iothubi_write_16(writer, 0x4243u);           /* 'B' 'C': high byte first */
    iothubi_write(writer, "", 0);
    iothubi_write(writer, "text", 4);
    IOTHUBI_WRITE_CONST(writer, constant);       /* without its NUL */
}

static void edges_of_16_bits(iothubi_writer *writer, const void *context)
{
    (void)context;
    iothubi_write_16(writer, 0);
    iothubi_write_16(writer, 0x00FFu);
    iothubi_write_16(writer, 0xFF00u);
    iothubi_write_16(writer, 0x7FFFu);
    iothubi_write_16(writer, 0x8000u);
    iothubi_write_16(writer, 0xFFFFu);
}

static void nothing(iothubi_writer *writer, const void *context)
{
    (void)writer;
    (void)context;
}

/* Every window of twelve bytes, those beside and beyond them too. */
static void windows(void)
{
    static const char text[] = "ABCtextconst";
    unsigned char memory[15];
    char expected[15];
    iothubi_writer writer;
    size_t skip, size, i, wrong = 9999;
    about("every window of the text gets the same bytes as the whole, and no other");
    for (skip = 0; skip <= 14; ++skip) {
        for (size = 0; size <= 14; ++size) {
            IOTHUB_MEMSET(memory, '#', sizeof memory);
            for (i = 0; i < sizeof expected; ++i) {
                expected[i] = '#';
                if (i < size && skip + i < 12) {
                    expected[i] = text[skip + i];
                }
            }
            iothubi_write_begin(&writer, memory, skip, size);
            everything(&writer, NULL);
            if (writer.length != 12 || IOTHUB_MEMCMP(memory, expected, sizeof expected) != 0) {
                wrong = skip * 100u + size;
            }
        }
    }
    CHECK_NUMBER(wrong, 9999);
}

/* Pieces at a window of the bytes [4, 7). */
static void pieces(void)
{
    static const struct { size_t before, size, at, from, count; } table[] = {
        { 0, 4, 0, 4, 0 },                       /* ends where it starts */
        { 0, 5, 0, 4, 1 },
        { 2, 10, 0, 2, 3 },                      /* over both edges */
        { 4, 3, 0, 0, 3 },                       /* all of it */
        { 5, 1, 1, 0, 1 },
        { 6, 9, 2, 0, 1 },
        { 7, 1, 3, 0, 0 },                       /* starts behind it */
        { 5, 0, 1, 0, 0 }                        /* nothing */
    };
    unsigned char memory[3];
    iothubi_writer writer;
    size_t from, kept;
    about("a piece says which part of it is kept");
    for (row = 0; row < COUNT(table); ++row) {
        unsigned char *to;
        kept = 0;
        iothubi_write_begin(&writer, memory, 4, 3);
        iothubi_write_room(&writer, table[row].before, &from, &kept);
        kept = 0;
        to = iothubi_write_room(&writer, table[row].size, &from, &kept);
        CHECK_NUMBER(to - memory, table[row].at);
        CHECK_NUMBER(from, table[row].from);
        CHECK_NUMBER(kept, table[row].count);
        CHECK_NUMBER(writer.length, table[row].before + table[row].size);
    }
}

/* A size has 16 bits on an AVR, 32 or 64 elsewhere: its maximum is the same story. */
static void sticking(void)
{
    unsigned char memory[4];
    iothubi_writer writer;
    size_t from, kept = 0;
    about("more bytes than a size can count: it sticks at the maximum");
    iothubi_write_begin(&writer, memory, 0, sizeof memory);
    CHECK(iothubi_write_room(&writer, (size_t)-3, &from, &kept) == memory);
    CHECK_NUMBER(kept, 4);
    iothubi_write_room(&writer, 2, &from, &kept);
    CHECK_NUMBER(kept, 0);
    CHECK(writer.length == (size_t)-1);          /* exactly full, by counting */
    iothubi_write_byte(&writer, 'x');
    CHECK(writer.length == (size_t)-1);
    iothubi_write(&writer, "", 0);
    CHECK(writer.length == (size_t)-1);
    iothubi_write_begin(&writer, memory, 0, 3);
    iothubi_write(&writer, "123", 3);
    iothubi_write_room(&writer, (size_t)-1, &from, &kept);       /* 3 and the maximum would wrap to 2 */
    CHECK_NUMBER(kept, 0);
    CHECK(writer.length == (size_t)-1);
    CHECK_BYTES(memory, 3, "123");
}

void vectors(void)
{
    unsigned char memory[6] = "######";
    iothubi_writer writer;
    about("a buffer, a measure and windows hold the same bytes");
    CHECK_WRITTEN(everything, NULL, "ABCtextconst");
    CHECK_WRITTEN(edges_of_16_bits, NULL, "\x00\x00" "\x00\xFF" "\xFF\x00" "\x7F\xFF" "\x80\x00" "\xFF\xFF");
    CHECK_WRITTEN(nothing, NULL, "");
    about("too little room keeps what fits and counts all");
    iothubi_write_begin(&writer, memory, 0, 5);
    iothubi_write(&writer, "abcdefgh", 8);
    iothubi_write(&writer, "ij", 2);
    CHECK_NUMBER(writer.length, 10);
    CHECK_BYTES(memory, 6, "abcde#");
    windows();
    pieces();
    sticking();
}
