/* Messages that are kept, and the acknowledgements that are owed: slots in turn, order of arrival, patience, seconds that wrap. */

#include "check.h"

const char room[] = "mailbox";

#define SLOTS 3u

static union {
    void *alignment;
    unsigned char bytes[IOTHUBI_MAILBOX_SIZE(SLOTS)];
    iothubi_mailbox mailbox;
} memory;
#define MAILBOX (&memory.mailbox)

static void begin(void)
{
    IOTHUB_MEMSET(&memory, 0, sizeof memory);
    iothubi_mailbox_begin(MAILBOX, SLOTS);
}

/* ---- slots ---- */

static void slots(void)
{
    static const unsigned char expected[] = { 0, 1, 2, 0, 1, 2, 0 };
    iothubi_held *held;
    about("slots are given in turn, so that a stale handle is recognised for long");
    begin();
    for (row = 0; row < COUNT(expected); ++row) {
        held = iothubi_mailbox_slot(MAILBOX);
        CHECK(held == MAILBOX->held + expected[row]);
        CHECK(iothubi_mailbox_slot(MAILBOX) == held);    /* to look is not to take */
        iothubi_mailbox_use(MAILBOX, held);
        CHECK(iothubi_mailbox_find(MAILBOX, &held->message) == held);
        held->used = 0;
        CHECK(iothubi_mailbox_find(MAILBOX, &held->message) == NULL);
    }
    about("all of them, and one in the middle that is free again");
    begin();
    for (row = 0; row < SLOTS; ++row) {
        iothubi_mailbox_use(MAILBOX, iothubi_mailbox_slot(MAILBOX));
    }
    CHECK(iothubi_mailbox_slot(MAILBOX) == NULL);
    MAILBOX->held[1].used = 0;
    CHECK(iothubi_mailbox_slot(MAILBOX) == MAILBOX->held + 1);
    CHECK(iothubi_mailbox_find(MAILBOX, NULL) == NULL);
    CHECK(iothubi_mailbox_find(MAILBOX, &MAILBOX->held[1].message) == NULL);
    CHECK(iothubi_mailbox_find(MAILBOX, &MAILBOX->held[2].message) == MAILBOX->held + 2);
}

static void ends(void)
{
    static unsigned char inbox[100];
    about("the inbox is free behind what is kept: map, room for arrays, body");
    begin();
    CHECK(iothubi_mailbox_end(MAILBOX, inbox + 10) == inbox + 10);
    for (row = 0; row < SLOTS; ++row) {
        MAILBOX->held[row].message.map.bytes = inbox + 20u + 20u * row;
        MAILBOX->held[row].message.map.room = 7;
        MAILBOX->held[row].message.body_size = 5;
        MAILBOX->held[row].used = 1;
        CHECK(iothubi_mailbox_end(MAILBOX, inbox + 10) == inbox + 32u + 20u * row);
    }
    MAILBOX->held[2].used = 0;
    CHECK(iothubi_mailbox_end(MAILBOX, inbox + 10) == inbox + 52);
    CHECK(iothubi_mailbox_end(MAILBOX, inbox + 60) == inbox + 60);
}

/* ---- what is owed ---- */

/* '+' a message comes, 'a' it is accepted, 'r' it is not, 'w' its acknowledgement is written, at this second; the acknowledgement
   that may leave then (0: none), and the seconds until time alone brings another (99: it does not). */
static const struct { char act; unsigned int id; uint32_t now_s; unsigned int next; uint32_t left_s; } owed[] = {
    { '+', 0xFFFFu, 250, 0, 99 },
    { '+', 1, 250, 0, 99 },
    { '+', 258, 250, 0, 99 },                    /* 1 in its low byte */
    { 'a', 1, 250, 0, 30 },                      /* waits for the first */
    { 'a', 258, 255, 0, 25 },
    { ' ', 0, 256, 0, 24 },                      /* the low byte wraps */
    { ' ', 0, 279, 0, 1 },
    { ' ', 0, 280, 1, 99 },                      /* 30 s: it goes before the first */
    { 'w', 1, 280, 0, 5 },
    { '+', 1, 281, 0, 4 },                       /* its id, of a new message */
    { 'r', 0xFFFFu, 282, 258, 99 },              /* not accepted: it is forgotten, and the next one is the first */
    { 'r', 7, 282, 258, 99 },                    /* nobody's */
    { 'w', 258, 282, 0, 99 },
    { 'a', 1, 65791ul, 1, 99 },                  /* 65536 + 255 */
    { '+', 2, 65791ul, 1, 99 },
    { '+', 3, 65791ul, 1, 99 },
    { 'a', 3, 65791ul, 1, 99 },
    { 'w', 1, 65792ul, 0, 29 },
    { 'a', 2, 65793ul, 2, 99 },
    { 'w', 2, 65793ul, 3, 99 },
    { 'w', 3, 65793ul, 0, 99 }
};

static void debts(void)
{
    about("acknowledgements leave in order of arrival; an accepted one waits 30 s for earlier ones");
    begin();
    for (row = 0; row < COUNT(owed); ++row) {
        uint32_t left_s;
        unsigned int index;
        switch (owed[row].act) {
        case '+': iothubi_owed_add(MAILBOX, owed[row].id); break;
        case 'a': iothubi_owed_decide(MAILBOX, owed[row].id, 1, owed[row].now_s); break;
        case 'r': iothubi_owed_decide(MAILBOX, owed[row].id, 0, owed[row].now_s); break;
        case 'w': iothubi_owed_remove(MAILBOX, iothubi_owed_find(MAILBOX, owed[row].id)); break;
        default: break;
        }
        left_s = 99;                             /* not above: SDCC would move it out of the loop */
        index = iothubi_owed_next(MAILBOX, owed[row].now_s, &left_s);
        CHECK_NUMBER(index < MAILBOX->owed_count ? MAILBOX->owed[index].id : 0, owed[row].next);
        CHECK_NUMBER(left_s, owed[row].left_s);
    }
    CHECK_NUMBER(MAILBOX->owed_count, 0);
}

static void full(void)
{
    about("eight more than there are slots");
    begin();
    for (row = 0; row < SLOTS + 8u; ++row) {
        CHECK(!iothubi_owed_is_full(MAILBOX));
        iothubi_owed_add(MAILBOX, (unsigned int)row + 1u);
    }
    CHECK(iothubi_owed_is_full(MAILBOX));
    CHECK((unsigned char *)(MAILBOX->owed + MAILBOX->owed_count) <= memory.bytes + sizeof memory.bytes);
    about("a lost connection: kept messages stay, nothing is owed");
    MAILBOX->held[1].used = 1;
    MAILBOX->held[1].id = 2;
    MAILBOX->writing = 1;
    iothubi_mailbox_lost(MAILBOX);
    CHECK_NUMBER(MAILBOX->owed_count, 0);
    CHECK_NUMBER(MAILBOX->writing, 0);
    CHECK_NUMBER(MAILBOX->held[1].id, 0);
    CHECK(iothubi_mailbox_find(MAILBOX, &MAILBOX->held[1].message) == MAILBOX->held + 1);
}

void vectors(void)
{
    slots();
    ends();
    debts();
    full();
}
