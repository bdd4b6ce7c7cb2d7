/* ---- bytes: the one writer --------------------------------------------------------------------------------------- */
/* Knows nothing but bytes. All encoders write through iothubi_writer; only iothubi_write_room moves its length. */
#include "config.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_BYTES_H)
#define IOTHUBI_BYTES_H

/* Is size over a limit that size_t may not even reach? A comparison with the constant itself is what compilers warn of there. */
IOTHUBI_PRIVATE int iothubi_is_over(size_t size, uint32_t limit)
{
    return size > limit;
}

/* The encoded text is an endless line of bytes; the writer skips the first ones, keeps as many as it has room for and counts
   them all.  skip 0 and enough room: an ordinary buffer.  room 0: measures only.  skip > 0: a window, so that an encoder which
   is run again produces the bytes that a short write left over. */
typedef struct iothubi_writer_tag {
    unsigned char *bytes;                        /* where the next one that is kept goes */
    size_t skip;                                 /* bytes still to skip */
    size_t room;                                 /* bytes still to keep */
    size_t length;                               /* bytes put so far, kept or not; sticks at the maximum */
} iothubi_writer;

IOTHUBI_PRIVATE void iothubi_write_begin(iothubi_writer *writer, unsigned char *bytes, size_t skip, size_t room)
{
    writer->bytes = bytes;
    writer->skip = skip;
    writer->room = room;
    writer->length = 0;
}

/* Counts size bytes; *kept of them, behind the first *from, go where it answers. */
IOTHUBI_APART unsigned char *iothubi_write_room(iothubi_writer *writer, size_t size, size_t *from, size_t *kept)
{
    unsigned char *to = writer->bytes;
    writer->length += size;
    if (writer->length < size) {
        writer->length = IOTHUBI_SIZE_MAXIMUM;
    }
    *from = size < writer->skip ? size : writer->skip;
    writer->skip -= *from;
    size -= *from;
    *kept = size < writer->room ? size : writer->room;
    writer->room -= *kept;
    if (*kept != 0) {
        writer->bytes = to + *kept;
    }
    return to;
}

/* What lies at the edge of a window, or is only measured. */
IOTHUBI_PRIVATE void iothubi_write_edge(iothubi_writer *writer, const unsigned char *bytes, size_t size)
{
    size_t from, kept;
    unsigned char *to = iothubi_write_room(writer, size, &from, &kept);
    if (kept != 0) {
        IOTHUB_MEMCPY(to, bytes + from, kept);
    }
}

IOTHUBI_PRIVATE void iothubi_write(iothubi_writer *writer, const void *bytes, size_t size)
{
    unsigned char *to = writer->bytes;
    if (writer->skip != 0 || size > writer->room || size == 0) {
        iothubi_write_edge(writer, (const unsigned char *)bytes, size);
    } else {                                     /* nearly always */
        writer->bytes = to + size;
        writer->room -= size;
        writer->length += size;
        IOTHUB_MEMCPY(to, bytes, size);
    }
}

/* For text declared IOTHUB_CONST. */
#ifdef IOTHUBI_CONST_IS_PLAIN
#define IOTHUBI_WRITE_CONST_BYTES iothubi_write
#else
IOTHUBI_PRIVATE void iothubi_write_const(iothubi_writer *writer, const char *text, size_t size)
{
    size_t from, kept;
    unsigned char *to = iothubi_write_room(writer, size, &from, &kept);
    if (kept != 0) {
        IOTHUB_CONST_COPY(to, text + from, kept);
    }
}
#define IOTHUBI_WRITE_CONST_BYTES iothubi_write_const
#endif

#define IOTHUBI_WRITE_CONST(writer, text) IOTHUBI_WRITE_CONST_BYTES(writer, text, sizeof(text) - 1u)

IOTHUBI_PRIVATE void iothubi_write_byte(iothubi_writer *writer, unsigned int value)
{
    unsigned char byte = (unsigned char)(value & 0xFFu);
    iothubi_write(writer, &byte, 1);
}

IOTHUBI_PRIVATE void iothubi_write_16(iothubi_writer *writer, unsigned int value)
{
    unsigned char bytes[2];
    bytes[0] = (unsigned char)(value >> 8 & 0xFFu);
    bytes[1] = (unsigned char)(value & 0xFFu);
    iothubi_write(writer, bytes, 2);
}

#endif
