/* The two rings: packet ids and their wrap, places of messages, order of leaving. */

#include "check.h"

const char room[] = "outbox";

static union { iothubi_record alignment; unsigned char bytes[4 * sizeof(iothubi_record) + 100]; } memory;
static iothubi_outbox outbox;

static void begin(unsigned int slots, size_t capacity)
{
    iothubi_outbox_begin(&outbox, memory.bytes, slots * sizeof(iothubi_record) + capacity, slots);
}

static void done(unsigned int index)
{
    iothubi_outbox_done(&outbox, iothubi_outbox_record(&outbox, index));
}

/* ---- packet ids ---- */

#define DEAD 4u                                  /* of four live messages, this one is none */

/* Four messages from first_id on: which of them has the id. */
static const struct { unsigned int first_id, id, index; } ids[] = {
    { 1, 1, 0 }, { 1, 2, 1 }, { 1, 4, 3 }, { 1, 5, DEAD }, { 1, 0, DEAD }, { 1, 0xFFF0u, DEAD }, { 1, 0xFFFFu, DEAD },
    { 0x7FFEu, 0x7FFEu, 0 }, { 0x7FFEu, 0x7FFFu, 1 }, { 0x7FFEu, 0x8000u, 2 }, { 0x7FFEu, 0x8001u, 3 },  /* where a 16-bit int ends */
    { 0x7FFEu, 0x7FFDu, DEAD }, { 0x7FFEu, 0x8002u, DEAD },
    { 0xFFEDu, 0xFFF0u, 3 }, { 0xFFEDu, 1, DEAD }, { 0xFFEDu, 0xFFECu, DEAD },
    { 0xFFEEu, 0xFFEEu, 0 }, { 0xFFEEu, 0xFFF0u, 2 }, { 0xFFEEu, 1, 3 }, { 0xFFEEu, 2, DEAD }, { 0xFFEEu, 0, DEAD },
    { 0xFFEFu, 0xFFEFu, 0 }, { 0xFFEFu, 0xFFF0u, 1 }, { 0xFFEFu, 1, 2 }, { 0xFFEFu, 2, 3 }, { 0xFFEFu, 3, DEAD },
    { 0xFFEFu, 0xFFEEu, DEAD }, { 0xFFEFu, 0xFFF1u, DEAD }, { 0xFFEFu, 0xFFF2u, DEAD }, { 0xFFEFu, 0xFFFFu, DEAD },
    { 0xFFF0u, 0xFFF0u, 0 }, { 0xFFF0u, 1, 1 }, { 0xFFF0u, 2, 2 }, { 0xFFF0u, 3, 3 }, { 0xFFF0u, 4, DEAD },
    { 0xFFF0u, 0xFFEFu, DEAD }, { 0xFFF0u, 0, DEAD }, { 0xFFF0u, 0xFFFFu, DEAD }
};

/* The longest rings: half of all ids are alive. Sums of id and index do not fit 16 bits. */
static const struct { unsigned int first_id, index, id; } far_ids[] = {
    { 1, 0x7FF7u, 0x7FF8u }, { 0x7FFFu, 0x7FF1u, 0xFFF0u }, { 0x7FFFu, 0x7FF2u, 1 }, { 0x8000u, 0x7FF7u, 7 },
    { 0xFFEFu, 0x10, 15 }, { 0xFFEFu, 0x11, 16 }, { 0xFFEFu, 0x12, 17 }, { 0xFFF0u, 15, 15 }, { 0xFFF0u, 16, 16 }, { 0xFFF0u, 0x7FF7u, 0x7FF7u }
};

static void packet_ids(void)
{
    static const unsigned int seams[] = { 1, 0x7FFEu, 0xFFEEu, 0xFFF0u };
    begin(4, 100);
    outbox.count = 4;
    about("the index of a packet id, and the id of an index");
    for (row = 0; row < COUNT(ids); ++row) {
        unsigned int index;
        outbox.first_id = ids[row].first_id;
        index = iothubi_outbox_index(&outbox, ids[row].id);
        CHECK_NUMBER(index < 4u ? index : DEAD, ids[row].index);
        CHECK_NUMBER(ids[row].index == DEAD ? ids[row].id : iothubi_outbox_id(&outbox, ids[row].index), ids[row].id);
    }
    for (row = 0; row < COUNT(far_ids); ++row) {
        outbox.first_id = far_ids[row].first_id;
        CHECK_NUMBER(iothubi_outbox_id(&outbox, far_ids[row].index), far_ids[row].id);
        CHECK_NUMBER(iothubi_outbox_index(&outbox, far_ids[row].id), far_ids[row].index);
    }
    about("of all 65,536 ids four are alive");
    for (row = 0; row < COUNT(seams); ++row) {
        unsigned int alive = 0, id = 0;
        outbox.first_id = seams[row];
        do {
            alive += iothubi_outbox_index(&outbox, id) < 4u;
        } while (id++ != 0xFFFFu);
        CHECK_NUMBER(alive, 4);
    }
}

/* More messages than there are ids, through a ring of three records. */
static void all_ids(void)
{
    unsigned int id = 1, wrong = 0;
    unsigned long message;
    about("70,000 messages have the ids 1 to 65,520, again and again");
    begin(3, 16);
    iothubi_outbox_add(&outbox, 5);
    for (message = 0; message < 70000ul; ++message) {
        unsigned int next = id == 65520ul ? 1u : id + 1u;
        if (iothubi_outbox_id(&outbox, 0) != id || iothubi_outbox_add(&outbox, 5) == NULL || iothubi_outbox_id(&outbox, 1) != next) {
            wrong = id;
        }
        done(0);
        id = next;
    }
    CHECK_NUMBER(wrong, 0);
    CHECK_NUMBER(id, 4481);                      /* 70,000 - 65,520 + 1 */
    CHECK_NUMBER(outbox.count, 1);
    CHECK_NUMBER(iothubi_outbox_used(&outbox), 5);
}

/* ---- places ---- */

#define NOWHERE 0xFFFFu

/* Messages added (and where they start) and done (by index), and what is used then. */
static const struct { char act; unsigned char amount; unsigned int at; unsigned char used; } steps[] = {
    { '+', 101, NOWHERE, 0 },
    { '+', 100, 0, 100 },                        /* as large as the ring */
    { '+', 1, NOWHERE, 100 },
    { '-', 0, 0, 0 },
    { '+', 40, 0, 40 },
    { '+', 40, 40, 80 },
    { '+', 30, NOWHERE, 80 },                    /* 20 are left at the end, none in front */
    { '-', 0, 0, 40 },
    { '+', 30, 0, 90 },                          /* the gap at the end counts as used */
    { '+', 11, NOWHERE, 90 },
    { '+', 10, 30, 100 },                        /* exactly up to the oldest */
    { '+', 1, NOWHERE, 100 },
    { '-', 0, 0, 40 },
    { '+', 60, 40, 100 },                        /* exactly up to the end */
    { '+', 1, NOWHERE, 100 },
    { '-', 1, 0, 100 },                          /* out of order: waits for the older one */
    { '-', 2, 0, 100 },
    { '+', 1, NOWHERE, 100 },
    { '-', 0, 0, 0 },                            /* and all go together */
    { '+', 1, 0, 1 },
    { '+', 1, 1, 2 },
    { '+', 1, 2, 3 },
    { '+', 1, 3, 4 },
    { '+', 1, NOWHERE, 4 },                      /* four records are all there are */
    { '-', 1, 0, 4 },
    { '+', 1, NOWHERE, 4 },
    { '-', 0, 0, 2 },
    { '+', 96, 4, 98 },
    { '+', 2, 0, 100 },
    { '+', 1, NOWHERE, 100 }
};

static void places(void)
{
    about("places in a ring of 100 bytes and four records");
    begin(4, 100);
    for (row = 0; row < COUNT(steps); ++row) {
        if (steps[row].act == '+') {
            const iothubi_record *record = iothubi_outbox_add(&outbox, steps[row].amount);
            CHECK_NUMBER(record != NULL ? record->at : NOWHERE, steps[row].at);
            CHECK_NUMBER(record != NULL ? record->size : steps[row].amount, steps[row].amount);
        } else {
            done(steps[row].amount);
        }
        CHECK_NUMBER(iothubi_outbox_used(&outbox), steps[row].used);
    }
}

static void next_record(void)
{
    unsigned int i;
    about("the record that is being written keeps its place when older ones go");
    begin(4, 100);
    for (i = 0; i < 4; ++i) {
        iothubi_outbox_add(&outbox, 10);
    }
    outbox.next = 2;
    done(1);
    CHECK_NUMBER(outbox.next, 2);
    done(0);
    CHECK_NUMBER(outbox.next, 0);
    CHECK_NUMBER(iothubi_outbox_id(&outbox, 0), 3);
    done(0);
    CHECK_NUMBER(outbox.next, 0);
}

static void carving(void)
{
    unsigned char *start;
    about("memory carved off the start is gone for good");
    begin(2, 50);
    start = outbox.bytes;
    CHECK(start == memory.bytes + 2u * sizeof(iothubi_record));
    CHECK(iothubi_outbox_carve(&outbox, 51) == NULL);
    CHECK(iothubi_outbox_carve(&outbox, 20) == start);
    CHECK_NUMBER(outbox.capacity, 30);
    CHECK(iothubi_outbox_add(&outbox, 31) == NULL);
    CHECK(iothubi_outbox_add(&outbox, 10) != NULL);
    CHECK(iothubi_outbox_carve(&outbox, 1) == NULL);     /* not empty */
    done(0);
    CHECK(iothubi_outbox_carve(&outbox, 30) == start + 20);
    CHECK(iothubi_outbox_add(&outbox, 1) == NULL);
}

static void default_slots(void)
{
    about("one record for each 256 bytes, at least one, below half of the ids");
    CHECK_NUMBER(iothubi_outbox_default_slots(0), 1);
    CHECK_NUMBER(iothubi_outbox_default_slots(511), 1);
    CHECK_NUMBER(iothubi_outbox_default_slots(512), 2);
    CHECK_NUMBER(iothubi_outbox_default_slots(2048), 8);
    CHECK_NUMBER(iothubi_outbox_default_slots(0xFFFFu), 255);
    CHECK(iothubi_outbox_default_slots((size_t)-1) == ((size_t)-1 / 256u < 0x7FF8u ? (unsigned int)((size_t)-1 / 256u) : 0x7FF8u));
}

void vectors(void)
{
    packet_ids();
    all_ids();
    places();
    next_record();
    carving();
    default_slots();
}
