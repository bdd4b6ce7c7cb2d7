/* The tables of kept messages and of acknowledgements that are owed. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/mailbox.h"

namespace {

/* A mailbox in memory of its size, rounded up for its alignment, at an unreadable page. */
struct Box {
    static size_t size(unsigned slots) { return (IOTHUBI_MAILBOX_SIZE(slots) + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *); }
    Guarded memory;
    iothubi_mailbox *mailbox;
    explicit Box(unsigned slots) : memory(size(slots)), mailbox((iothubi_mailbox *)(void *)memory.data())
    {
        std::memset(memory.data(), 0, size(slots));
        iothubi_mailbox_begin(mailbox, slots);
    }
    iothubi_held *keep()
    {
        iothubi_held *held = iothubi_mailbox_slot(mailbox);
        if (held != NULL) {
            iothubi_mailbox_use(mailbox, held);
        }
        return held;
    }
    void owe(unsigned id) { iothubi_owed_add(mailbox, id); }
    void accept(unsigned id, uint32_t now_s) { iothubi_owed_decide(mailbox, id, 1, now_s); }
    void refuse(unsigned id, uint32_t now_s = 0) { iothubi_owed_decide(mailbox, id, 0, now_s); }
    /* Ids that may leave at this time, in their order; and what is left then. */
    std::string leave(uint32_t now_s)
    {
        std::string out;
        uint32_t left = 1000;
        unsigned index;
        while ((index = iothubi_owed_next(mailbox, now_s, &left)) != mailbox->owed_count) {
            out += std::to_string(mailbox->owed[index].id) + " ";
            iothubi_owed_remove(mailbox, index);
        }
        return out;
    }
    /* Seconds until one may leave by time alone; 1000: none. */
    uint32_t left(uint32_t now_s)
    {
        uint32_t seconds = 1000;
        REQUIRE(iothubi_owed_next(mailbox, now_s, &seconds) == mailbox->owed_count);
        return seconds;
    }
};

}

/* ---- slots ---- */

TEST_CASE("mailbox: slots are given in turn, and one that was let go comes last")
{
    Box box(4);
    iothubi_held *held = box.mailbox->held;
    CHECK(box.keep() == held + 0);
    held[0].used = 0;
    CHECK(box.keep() == held + 1);               /* slot 0 is free, but was just somebody's */
    CHECK(box.keep() == held + 2);
    CHECK(box.keep() == held + 3);
    CHECK(box.keep() == held + 0);
    CHECK(box.keep() == NULL);
    held[2].used = 0;
    CHECK(box.keep() == held + 2);
    CHECK(box.keep() == NULL);
}

TEST_CASE("mailbox: a slot that was looked at and not used is given again")
{
    Box box(2);
    CHECK(iothubi_mailbox_slot(box.mailbox) == box.mailbox->held);
    CHECK(iothubi_mailbox_slot(box.mailbox) == box.mailbox->held);
}

TEST_CASE("mailbox: a handle is found while its slot is used, and only a slot's address is a handle")
{
    Box box(3);
    iothubi_held *held = box.keep();
    IOTHUB_MESSAGE_HANDLE handle = &held->message;
    CHECK(iothubi_mailbox_find(box.mailbox, handle) == held);
    CHECK(iothubi_mailbox_find(box.mailbox, &box.mailbox->held[1].message) == NULL);
    CHECK(iothubi_mailbox_find(box.mailbox, NULL) == NULL);
    CHECK(iothubi_mailbox_find(box.mailbox, (IOTHUB_MESSAGE_HANDLE)(void *)((char *)handle + 8)) == NULL);
    held->used = 0;
    CHECK(iothubi_mailbox_find(box.mailbox, handle) == NULL);
}

TEST_CASE("mailbox: a handle names another message only after all other slots had their turn")
{
    for (unsigned slots = 2; slots <= 16; ++slots) {
        Box box(slots);
        iothubi_held *first = box.keep();
        first->used = 0;
        for (unsigned i = 1; i < slots; ++i) {
            iothubi_held *held = box.keep();
            CAPTURE(slots, i);
            CHECK(held != first);
            held->used = 0;
        }
        CHECK(box.keep() == first);
    }
}

TEST_CASE("mailbox: the inbox is free behind the last kept byte, wherever that message stands in the table")
{
    Box box(3);
    unsigned char inbox[100];
    CHECK(iothubi_mailbox_end(box.mailbox, inbox + 7) == inbox + 7);
    iothubi_held *a = box.keep(), *b = box.keep();
    b->message.map.bytes = inbox + 7;            /* 10 bytes of map, 20 of body: ends at 37 */
    b->message.map.room = 10;
    b->message.body_size = 20;
    a->message.map.bytes = inbox + 40;
    a->message.map.room = 5;
    a->message.body_size = 0;
    CHECK(iothubi_mailbox_end(box.mailbox, inbox + 7) == inbox + 45);
    a->used = 0;
    CHECK(iothubi_mailbox_end(box.mailbox, inbox + 7) == inbox + 37);
    CHECK(iothubi_mailbox_end(box.mailbox, inbox + 37) == inbox + 37);
    CHECK(iothubi_mailbox_end(box.mailbox, inbox + 38) == inbox + 38);
    b->used = 0;
    CHECK(iothubi_mailbox_end(box.mailbox, inbox + 7) == inbox + 7);
}

/* ---- acknowledgements ---- */

TEST_CASE("owed: nothing leaves before it is accepted, and what is not accepted never does")
{
    Box box(2);
    uint32_t left = 1000;
    CHECK(iothubi_owed_next(box.mailbox, 0, &left) == 0);
    CHECK(left == 1000);
    box.owe(7);
    CHECK(box.left(500) == 1000);                /* undecided: time alone brings nothing */
    box.refuse(7);
    CHECK(box.mailbox->owed_count == 0);
    CHECK(box.leave(600) == "");
    box.owe(8);
    box.accept(8, 10);
    CHECK(box.leave(10) == "8 ");
    CHECK(box.mailbox->owed_count == 0);
}

TEST_CASE("owed: an id that is not owed decides nothing")
{
    Box box(2);
    box.owe(7);
    box.accept(8, 0);
    box.refuse(9);
    CHECK(box.mailbox->owed_count == 1);
    CHECK(box.leave(0) == "");
    CHECK(iothubi_owed_find(box.mailbox, 7) == 0);
    CHECK(iothubi_owed_find(box.mailbox, 8) == 1);
}

TEST_CASE("owed: settled in any order, they leave in order of arrival")
{
    std::vector<unsigned> order = { 1, 2, 3, 4 };
    do {
        Box box(2);
        std::string gone;
        for (unsigned id : { 1u, 2u, 3u, 4u }) {
            box.owe(id);
        }
        for (unsigned id : order) {
            box.accept(id, 5);
            gone += box.leave(5);
        }
        CAPTURE(order);
        CHECK(gone == "1 2 3 4 ");
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("owed: one that is refused holds up no others")
{
    Box box(2);
    for (unsigned id : { 1u, 2u, 3u }) {
        box.owe(id);
    }
    box.accept(3, 0);
    box.accept(2, 0);
    CHECK(box.leave(0) == "");
    box.refuse(1);
    CHECK(box.leave(0) == "2 3 ");
}

TEST_CASE("owed: an accepted one waits 30 s for an undecided one, not longer, and accepted ones keep their order")
{
    Box box(2);
    for (unsigned id : { 1u, 2u, 3u, 4u }) {
        box.owe(id);
    }
    box.accept(3, 100);
    CHECK(box.left(100) == 30);
    CHECK(box.left(129) == 1);
    box.accept(4, 110);
    CHECK(box.left(110) == 20);
    box.accept(2, 120);                          /* accepted last, but came first: it goes with 3 */
    CHECK(box.leave(129) == "");
    CHECK(box.leave(130) == "2 3 ");
    CHECK(box.left(130) == 10);
    CHECK(box.leave(140) == "4 ");
    CHECK(box.mailbox->owed_count == 1);         /* 1 is still undecided */
    box.accept(1, 500);
    CHECK(box.leave(500) == "1 ");
}

TEST_CASE("owed: the patience is the same wherever the uptime stands, its low byte wraps")
{
    for (uint32_t start = 0xFFFFFF00u; start != 0x100u; ++start) {
        Box box(2);
        box.owe(1);
        box.owe(2);
        box.accept(2, start);
        CAPTURE(start);
        CHECK(box.left(start) == 30);
        CHECK(box.left(start + 29) == 1);
        CHECK(box.leave(start + 30) == "2 ");
    }
}

TEST_CASE("owed: there is room for every slot and eight besides, then it is full")
{
    for (unsigned slots : { 2u, 16u }) {
        Box box(slots);
        for (unsigned id = 1; id <= slots + 8; ++id) {
            CHECK_FALSE(iothubi_owed_is_full(box.mailbox));
            box.owe(id);
        }
        CHECK(iothubi_owed_is_full(box.mailbox));
        iothubi_owed_remove(box.mailbox, 0);
        CHECK_FALSE(iothubi_owed_is_full(box.mailbox));
        CHECK(box.mailbox->owed[0].id == 2);
        CHECK(box.mailbox->owed[slots + 6].id == slots + 8);
    }
}

TEST_CASE("mailbox: a lost connection forgets every id; kept messages stay")
{
    Box box(2);
    iothubi_held *held = box.keep();
    held->id = 9;
    box.owe(9);
    box.accept(9, 0);
    box.mailbox->writing = 9;
    iothubi_mailbox_lost(box.mailbox);
    CHECK(held->id == 0);
    CHECK(held->used == 1);
    CHECK(box.mailbox->owed_count == 0);
    CHECK(box.mailbox->writing == 0);
    CHECK(iothubi_mailbox_find(box.mailbox, &held->message) == held);
}

TEST_CASE("owed: random lives: each accepted id leaves once, never before an earlier accepted one, nothing else leaves")
{
    for (uint32_t seed = 1; seed <= 200; ++seed) {
        Numbers numbers(seed);
        Box box(4);
        struct Life { unsigned id; int state; uint32_t since; };  /* 0 undecided, 1 accepted, 2 gone */
        std::vector<Life> lives;
        uint32_t now = numbers.below(300);
        unsigned next_id = 1;
        for (int step = 0; step < 60; ++step) {
            now += numbers.below(12);
            if (numbers.below(2) && !iothubi_owed_is_full(box.mailbox)) {
                Life life = { next_id, 0, 0 };
                lives.push_back(life);
                box.owe(next_id++);
            }
            for (Life &life : lives) {
                if (life.state == 0 && numbers.below(6) == 0) {
                    bool accepted = numbers.below(3) != 0;
                    iothubi_owed_decide(box.mailbox, life.id, accepted, now);
                    life.state = accepted ? 1 : 2;
                    life.since = now;
                }
            }
            /* the rule, written down a second time: all accepted ones up to the last that may leave */
            std::string expected;
            for (;;) {
                size_t go = lives.size();
                for (size_t i = 0; i < lives.size() && go == lives.size(); ++i) {
                    bool undecided_before = false, patient = false;
                    for (size_t k = 0; k < i; ++k) {
                        undecided_before |= lives[k].state == 0;
                    }
                    for (size_t k = i; k < lives.size(); ++k) {
                        patient |= lives[k].state == 1 && now - lives[k].since >= 30;
                    }
                    if (lives[i].state == 1 && (!undecided_before || patient)) {
                        go = i;
                    }
                }
                if (go == lives.size()) {
                    break;
                }
                expected += std::to_string(lives[go].id) + " ";
                lives[go].state = 2;
            }
            CAPTURE(seed, step);
            CHECK(box.leave(now) == expected);
        }
    }
}
