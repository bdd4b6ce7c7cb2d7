/* The one writer: buffer, measure, window. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/bytes.h"

namespace {

/* One of everything, 12 bytes. */
void everything(iothubi_writer *writer)
{
    static const char constant[] = "const";
    iothubi_write_byte(writer, 0x41);            /* 'A' */
    iothubi_write_16(writer, 0x4243);            /* 'B' 'C' */
    iothubi_write(writer, "", 0);
    iothubi_write(writer, "text", 4);
    IOTHUBI_WRITE_CONST(writer, constant);       /* without its NUL */
}

const std::string everything_text = "ABCtextconst";

}

TEST_CASE("writer, a buffer with room, holds the bytes in order")
{
    Guarded memory(12);
    iothubi_writer writer;
    iothubi_write_begin(&writer, memory.data(), 0, 12);
    CHECK(writer.length == 0);
    everything(&writer);
    CHECK(writer.length == 12);
    CHECK(std::string(memory.text(), 12) == everything_text);
}

TEST_CASE("writer, room 0 and no memory, counts only")
{
    CHECK(measured(everything) == 12);
    CHECK(measured([](iothubi_writer *) {}) == 0);
}

TEST_CASE("writer, every window of the text, gets the same bytes as the whole and no other")
{
    for (size_t skip = 0; skip <= 14; ++skip) {
        for (size_t room = 0; room <= 14; ++room) {
            Guarded memory(room);
            std::memset(memory.data(), '#', room);
            iothubi_writer writer;
            iothubi_write_begin(&writer, memory.data(), skip, room);
            everything(&writer);
            std::string expected = skip < 12 ? everything_text.substr(skip, room) : std::string();
            expected.resize(room, '#');
            CAPTURE(skip, room);
            CHECK(std::string(memory.text(), room) == expected);
            CHECK(writer.length == 12);
        }
    }
}

TEST_CASE("writer, a byte and a 16-bit number, keep their low bits only, high byte first")
{
    CHECK(written([](iothubi_writer *w) { iothubi_write_byte(w, 0x1FF); }) == "\xFF");
    CHECK(written([](iothubi_writer *w) { iothubi_write_16(w, 0x12345u); }) == "\x23\x45");
    CHECK(written([](iothubi_writer *w) { iothubi_write_16(w, 0xFF00u); }) == std::string("\xFF\0", 2));
}

TEST_CASE("writer, too little room, keeps what fits and counts all")
{
    Guarded memory(5);
    iothubi_writer writer;
    iothubi_write_begin(&writer, memory.data(), 0, 5);
    iothubi_write(&writer, "abcdefgh", 8);
    iothubi_write(&writer, "ij", 2);
    CHECK(writer.length == 10);
    CHECK(std::string(memory.text(), 5) == "abcde");
}

TEST_CASE("writer, more bytes than a size can count, sticks at the maximum")
{
    unsigned char memory[4] = { '#', '#', '#', '#' };
    size_t from, kept;
    iothubi_writer writer;
    iothubi_write_begin(&writer, memory, 0, sizeof memory);
    CHECK(iothubi_write_room(&writer, IOTHUBI_SIZE_MAXIMUM - 2u, &from, &kept) == memory);
    CHECK(from == 0);
    CHECK(kept == 4);
    CHECK(writer.length == IOTHUBI_SIZE_MAXIMUM - 2u);
    iothubi_write_room(&writer, 2, &from, &kept);
    CHECK(kept == 0);
    CHECK(writer.length == IOTHUBI_SIZE_MAXIMUM);            /* exactly full, by counting */
    iothubi_write_byte(&writer, 'x');
    CHECK(writer.length == IOTHUBI_SIZE_MAXIMUM);
    iothubi_write(&writer, "", 0);
    CHECK(writer.length == IOTHUBI_SIZE_MAXIMUM);
    iothubi_write_begin(&writer, memory, 0, 0);
    writer.length = 3;
    iothubi_write_room(&writer, IOTHUBI_SIZE_MAXIMUM, &from, &kept);     /* 3 + maximum wraps to 2 */
    CHECK(kept == 0);
    CHECK(writer.length == IOTHUBI_SIZE_MAXIMUM);
    CHECK(std::string(reinterpret_cast<char *>(memory), 4) == "####");
}

TEST_CASE("writer, a piece across both edges of the window, says which part of it is kept")
{
    unsigned char memory[3];
    size_t from, kept;
    iothubi_writer writer;
    iothubi_write_begin(&writer, memory, 4, 3);
    iothubi_write_room(&writer, 2, &from, &kept);                        /* 0..2: before it */
    CHECK(kept == 0);
    CHECK(iothubi_write_room(&writer, 10, &from, &kept) == memory);      /* 2..12: over it */
    CHECK(from == 2);
    CHECK(kept == 3);
    iothubi_write_room(&writer, 1, &from, &kept);                        /* behind it */
    CHECK(kept == 0);
    CHECK(writer.length == 13);
}

TEST_CASE("writer, a piece that ends before the window or starts behind it, keeps nothing, at the very edges too")
{
    unsigned char memory[3];
    size_t from, kept;
    iothubi_writer writer;
    iothubi_write_begin(&writer, memory, 4, 3);
    iothubi_write_room(&writer, 4, &from, &kept);                        /* 0..4 */
    CHECK(kept == 0);
    CHECK(iothubi_write_room(&writer, 3, &from, &kept) == memory);       /* 4..7: all of it */
    CHECK(from == 0);
    CHECK(kept == 3);
    iothubi_write_room(&writer, 1, &from, &kept);                        /* 7..8 */
    CHECK(kept == 0);
    iothubi_write_room(&writer, 0, &from, &kept);
    CHECK(kept == 0);
    CHECK(writer.length == 8);
}

TEST_CASE("writer, in the window, goes on where the last piece ended")
{
    unsigned char memory[5] = { '#', '#', '#', '#', '#' };
    size_t from, kept;
    iothubi_writer writer;
    iothubi_write_begin(&writer, memory, 1, 4);
    iothubi_write(&writer, "ab", 2);
    CHECK(iothubi_write_room(&writer, 1, &from, &kept) == memory + 1);   /* a caller's own byte between two pieces */
    CHECK(kept == 1);
    memory[1] = '-';
    iothubi_write(&writer, "cd", 2);
    CHECK(std::string(reinterpret_cast<char *>(memory), 5) == "b-cd#");
    iothubi_write(&writer, "e", 1);                                      /* the window is full, though the memory is not */
    CHECK(std::string(reinterpret_cast<char *>(memory), 5) == "b-cd#");
    CHECK(writer.length == 6);
}
