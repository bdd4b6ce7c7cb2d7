/* ---- bytes: the one writer --------------------------------------------------------------------------------------- */
/* Knows nothing but bytes. All encoders write through iothubi_writer; only iothubi_write_room moves its length. */
#include "config.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_BYTES_H)
#define IOTHUBI_BYTES_H

/* The encoded text is an endless line of bytes; the writer keeps those in [skip, skip + room) and counts them all.
   skip 0 and enough room: an ordinary buffer.  room 0: measures only.  skip > 0: a window, so that an encoder which is
   run again produces the bytes that a short write left over. */
typedef struct iothubi_writer_tag {
    unsigned char *bytes;
    size_t skip;
    size_t room;
    size_t length;                               /* bytes put so far, kept or not; sticks at the maximum */
} iothubi_writer;

IOTHUBI_PRIVATE void iothubi_write_begin(iothubi_writer *writer, unsigned char *bytes, size_t skip, size_t room)
{
    writer->bytes = bytes;
    writer->skip = skip;
    writer->room = room;
    writer->length = 0;
}

/* Counts size bytes; answers where those of them go that are kept, *from and *kept say which. NULL: none is kept. */
IOTHUBI_PRIVATE unsigned char *iothubi_write_room(iothubi_writer *writer, size_t size, size_t *from, size_t *kept)
{
    size_t at = writer->length;
    *from = 0;
    if (size == 0) {
        return NULL;
    }
    if (size > IOTHUBI_SIZE_MAXIMUM - at) {
        writer->length = IOTHUBI_SIZE_MAXIMUM;
        return NULL;
    }
    writer->length = at + size;
    if (at < writer->skip) {
        *from = writer->skip - at;
        if (*from >= size) {
            return NULL;
        }
        size -= *from;
        at = writer->skip;
    }
    at -= writer->skip;
    if (at >= writer->room) {
        return NULL;
    }
    *kept = size < writer->room - at ? size : writer->room - at;
    return writer->bytes + at;
}

IOTHUBI_PRIVATE void iothubi_write(iothubi_writer *writer, const void *bytes, size_t size)
{
    size_t from, kept;
    unsigned char *to = iothubi_write_room(writer, size, &from, &kept);
    if (to != NULL) {
        IOTHUB_MEMCPY(to, (const unsigned char *)bytes + from, kept);
    }
}

/* For text declared IOTHUB_CONST. */
IOTHUBI_PRIVATE void iothubi_write_const(iothubi_writer *writer, const char *text, size_t size)
{
    size_t from, kept;
    unsigned char *to = iothubi_write_room(writer, size, &from, &kept);
    if (to != NULL) {
        IOTHUB_CONST_COPY(to, text + from, kept);
    }
}

#define IOTHUBI_WRITE_CONST(writer, text) iothubi_write_const(writer, text, sizeof(text) - 1u)

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
