/* ---- outbox: accepted messages until they are confirmed ----------------------------------------------------------- */
/* Two rings in memory that it is given: records of fixed size, and the encoded messages, each in one piece. It knows no
   protocol, no clock and no callback's meaning.

   Packet ids run in sequence, over reconnects too, so that a record is found by one subtraction whatever the order of
   acknowledgements; an id is not given again before all records between are gone.

       first                  next                       first + count
         |  sent, done           |  offered, queued           |
*/
#include "text.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_OUTBOX_H)
#define IOTHUBI_OUTBOX_H

#define IOTHUBI_OUTBOX_ID_LAST 0xFFF0u           /* ids 1 to this one; those above are for control packets */
#define IOTHUBI_OUTBOX_SLOTS_MAXIMUM (IOTHUBI_OUTBOX_ID_LAST / 2u) /* more could not be told apart by packet id */
#define IOTHUBI_OUTBOX_BYTES_PER_RECORD 256u     /* default share: a message of 128 bytes, its topic and its record */

enum {
    IOTHUBI_RECORD_QUEUED,                       /* no byte offered on this connection */
    IOTHUBI_RECORD_OFFERED,                      /* some bytes offered to the stream; the rest must follow */
    IOTHUBI_RECORD_SENT,                         /* all taken by the stream */
    IOTHUBI_RECORD_DONE                          /* confirmed; waits for older records to go */
};

enum {
    IOTHUBI_RECORD_OF_EVENT,
    IOTHUBI_RECORD_OF_KEPT_EVENT,                /* its body lies with the caller: behind the entry's bytes is an iothubi_kept */
    IOTHUBI_RECORD_OF_REPORTED                   /* of a twin: the transport answers it, its own callback confirms it */
};

typedef struct iothubi_kept_tag {
    const unsigned char *body;
    size_t size;
} iothubi_kept;

typedef struct iothubi_record_tag {
    size_t at;                                   /* first byte in the ring of bytes */
    size_t size;
    iothubi_function callback;                   /* of the type that kind says */
    void *context;
    uint32_t expires;                            /* tick; only with expiring */
    unsigned char expiring;
    unsigned char state;
    unsigned char kind;
    unsigned char cuts;                          /* connections lost while it alone was in flight */
} iothubi_record;

typedef struct iothubi_outbox_tag {
    iothubi_record *records;
    unsigned char *bytes;
    size_t capacity;                             /* of bytes */
    unsigned int slots;                          /* of records */
    unsigned int first;                          /* slot of the oldest record */
    unsigned int count;                          /* records in use */
    unsigned int next;                           /* from first: the record that is being written, or the next to write */
    unsigned int first_id;                       /* packet id of the oldest record */
    unsigned int in_flight;                      /* offered or sent on this connection, acknowledgement expected */
} iothubi_outbox;

IOTHUBI_PRIVATE int iothubi_is_reported(const iothubi_record *record)
{
#ifndef IOTHUB_NO_TWIN
    return record->kind == IOTHUBI_RECORD_OF_REPORTED;
#else
    (void)record;
    return 0;
#endif
}

IOTHUBI_PRIVATE unsigned int iothubi_outbox_default_slots(size_t size)
{
    size_t slots = size / IOTHUBI_OUTBOX_BYTES_PER_RECORD;
    return slots == 0 ? 1u : slots > IOTHUBI_OUTBOX_SLOTS_MAXIMUM ? IOTHUBI_OUTBOX_SLOTS_MAXIMUM : (unsigned int)slots;
}

/* memory is aligned for a record; slots of them fit into size. */
IOTHUBI_PRIVATE void iothubi_outbox_begin(iothubi_outbox *outbox, void *memory, size_t size, unsigned int slots)
{
    IOTHUB_MEMSET(outbox, 0, sizeof *outbox);
    outbox->records = (iothubi_record *)memory;
    outbox->slots = slots;
    outbox->bytes = (unsigned char *)memory + slots * sizeof(iothubi_record);
    outbox->capacity = size - slots * sizeof(iothubi_record);
    outbox->first_id = 1;
}

IOTHUBI_PRIVATE iothubi_record *iothubi_outbox_record(const iothubi_outbox *outbox, unsigned int index)
{
    unsigned int slot = outbox->first + index;
    return outbox->records + (slot < outbox->slots ? slot : slot - outbox->slots);
}

IOTHUBI_PRIVATE unsigned int iothubi_outbox_id(const iothubi_outbox *outbox, unsigned int index)
{
    unsigned int ahead = IOTHUBI_OUTBOX_ID_LAST - outbox->first_id;  /* no sum: int may have 16 bits */
    return index <= ahead ? outbox->first_id + index : index - ahead;
}

/* The index of the record with this packet id; count or more when there is none. */
IOTHUBI_PRIVATE unsigned int iothubi_outbox_index(const iothubi_outbox *outbox, unsigned int id)
{
    if (id == 0 || id > IOTHUBI_OUTBOX_ID_LAST) {
        return outbox->count;
    }
    return id >= outbox->first_id ? id - outbox->first_id : id + IOTHUBI_OUTBOX_ID_LAST - outbox->first_id;
}

/* Bytes from the start of the ring to the oldest message, or its whole length when there is none. */
IOTHUBI_PRIVATE size_t iothubi_outbox_head(const iothubi_outbox *outbox)
{
    return outbox->count != 0 ? outbox->records[outbox->first].at : outbox->capacity;
}

/* Where the next message starts, if it fits there: behind the newest. */
IOTHUBI_PRIVATE size_t iothubi_outbox_tail(const iothubi_outbox *outbox)
{
    const iothubi_record *newest;
    if (outbox->count == 0) {
        return 0;
    }
    newest = iothubi_outbox_record(outbox, outbox->count - 1u);
    return newest->at + newest->size;
}

/* Where a message of so many bytes can start; capacity when nowhere. Free is [tail, capacity) and [0, head), or, when the
   messages wrap round, [tail, head). */
IOTHUBI_PRIVATE size_t iothubi_outbox_place(const iothubi_outbox *outbox, size_t size)
{
    size_t head = iothubi_outbox_head(outbox), tail = iothubi_outbox_tail(outbox);
    if (outbox->count == outbox->slots) {
        return outbox->capacity;
    }
    if (size <= (tail <= head ? head : outbox->capacity) - tail) {
        return tail;
    }
    return tail > head && size <= head ? 0 : outbox->capacity;
}

/* Adds a record for a message of size bytes (at least 1). NULL: no room now. Its bytes are the caller's to fill. */
IOTHUBI_PRIVATE iothubi_record *iothubi_outbox_add(iothubi_outbox *outbox, size_t size)
{
    iothubi_record *record;
    size_t at = iothubi_outbox_place(outbox, size);
    if (at == outbox->capacity) {
        return NULL;
    }
    record = iothubi_outbox_record(outbox, outbox->count++);
    IOTHUB_MEMSET(record, 0, sizeof *record);
    record->at = at;
    record->size = size;
    return record;
}

/* Marks a record done and lets go of all done ones at the front. */
IOTHUBI_PRIVATE void iothubi_outbox_done(iothubi_outbox *outbox, iothubi_record *record)
{
    record->state = IOTHUBI_RECORD_DONE;
    while (outbox->count != 0 && outbox->records[outbox->first].state == IOTHUBI_RECORD_DONE) {
        outbox->first_id = iothubi_outbox_id(outbox, 1);
        outbox->first = outbox->first + 1u < outbox->slots ? outbox->first + 1u : 0;
        outbox->count -= 1;
        outbox->next -= outbox->next != 0;
    }
}

/* Bytes of a message from so many on that lie in one piece, and where; none: that was all. */
IOTHUBI_PRIVATE size_t iothubi_outbox_piece(const iothubi_outbox *outbox, const iothubi_record *record, size_t from, const unsigned char **bytes)
{
    size_t size = record->size;
    *bytes = outbox->bytes + record->at + from;
    if (record->kind == IOTHUBI_RECORD_OF_KEPT_EVENT) {
        iothubi_kept kept;
        size -= sizeof kept;
        if (from >= size) {
            IOTHUB_MEMCPY(&kept, outbox->bytes + record->at + size, sizeof kept);
            *bytes = from != size ? kept.body + (from - size) : kept.body; /* it may be NULL, and empty */
            size += kept.size;
        }
    }
    return size - from;
}

/* Takes memory off the end of the ring for good. NULL: a message lies there, or it is too small. */
IOTHUBI_PRIVATE unsigned char *iothubi_outbox_carve_end(iothubi_outbox *outbox, size_t size)
{
    size_t tail = iothubi_outbox_tail(outbox);
    if (tail > outbox->capacity - size || size > outbox->capacity || (outbox->count != 0 && tail <= iothubi_outbox_head(outbox))) {
        return NULL;
    }
    outbox->capacity -= size;
    return outbox->bytes + outbox->capacity;
}

/* Takes memory off the start of the ring for good, for text that the client keeps. NULL: not empty, or too small. */
IOTHUBI_PRIVATE unsigned char *iothubi_outbox_carve(iothubi_outbox *outbox, size_t size)
{
    unsigned char *memory = outbox->bytes;
    if (outbox->count != 0 || size > outbox->capacity) {
        return NULL;
    }
    outbox->bytes += size;
    outbox->capacity -= size;
    return memory;
}

IOTHUBI_PRIVATE size_t iothubi_outbox_used(const iothubi_outbox *outbox)
{
    size_t head = iothubi_outbox_head(outbox), tail = iothubi_outbox_tail(outbox);
    return outbox->count == 0 ? 0 : tail > head ? tail - head : outbox->capacity - head + tail;
}

#endif
