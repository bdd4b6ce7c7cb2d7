/* The two rings: records and bytes, against a model that knows only a list of live messages. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/outbox.h"

#include <deque>
#include <memory>

namespace {

/* An outbox in heap memory of the exact size. */
struct Box {
    Box(unsigned int slots, size_t capacity) : memory(new unsigned char[slots * sizeof(iothubi_record) + capacity])
    {
        iothubi_outbox_begin(&outbox, memory.get(), slots * sizeof(iothubi_record) + capacity, slots);
    }
    /* Adds a message filled with one byte; false when there is no room. */
    bool add(size_t size, unsigned char fill = 0)
    {
        iothubi_record *record = iothubi_outbox_add(&outbox, size);
        if (record == nullptr) {
            return false;
        }
        CHECK(record->size == size);
        CHECK(record->at + size <= outbox.capacity);
        CHECK(record->state == IOTHUBI_RECORD_QUEUED);
        CHECK(record->callback == nullptr);
        CHECK_FALSE(record->expiring);
        std::memset(outbox.bytes + record->at, fill, size);
        return true;
    }
    void done(unsigned int index) { iothubi_outbox_done(&outbox, iothubi_outbox_record(&outbox, index)); }
    unsigned int id(unsigned int index) const { return iothubi_outbox_id(&outbox, index); }
    size_t at(unsigned int index) const { return iothubi_outbox_record(&outbox, index)->at; }
    size_t used() const { return iothubi_outbox_used(&outbox); }
    std::unique_ptr<unsigned char[]> memory;
    iothubi_outbox outbox;
};

struct Live {
    unsigned int id;
    size_t size;
    unsigned char fill;
    bool done;
};

unsigned int after(unsigned int id)
{
    return id == 0xFFF0u ? 1u : id + 1u;
}

}

TEST_CASE("outbox, new, is empty")
{
    Box box(3, 100);
    CHECK(box.outbox.count == 0);
    CHECK(box.outbox.capacity == 100);
    CHECK(box.used() == 0);
    CHECK(box.id(0) == 1);
    CHECK(iothubi_outbox_index(&box.outbox, 1) >= box.outbox.count);
    CHECK(box.outbox.bytes == box.memory.get() + 3 * sizeof(iothubi_record));
}

TEST_CASE("outbox, its default number of records, is one for each 256 bytes, at least one, below half of the ids")
{
    CHECK(iothubi_outbox_default_slots(0) == 1);
    CHECK(iothubi_outbox_default_slots(255) == 1);
    CHECK(iothubi_outbox_default_slots(511) == 1);
    CHECK(iothubi_outbox_default_slots(512) == 2);
    CHECK(iothubi_outbox_default_slots(2048) == 8);
    CHECK(iothubi_outbox_default_slots(0x7FF8u * 256u) == 0x7FF8u);
    CHECK(iothubi_outbox_default_slots(static_cast<size_t>(-1)) == 0x7FF8u);
}

TEST_CASE("outbox, a message as large as its bytes, fits alone; one byte more never")
{
    Box box(4, 50);
    CHECK_FALSE(box.add(51));
    CHECK(box.add(50));
    CHECK(box.used() == 50);
    CHECK_FALSE(box.add(1));
    box.done(0);
    CHECK(box.used() == 0);
    CHECK(box.add(49));
    CHECK_FALSE(box.add(2));
    CHECK(box.add(1));
    CHECK(box.used() == 50);
    CHECK_FALSE(box.add(1));
}

TEST_CASE("outbox, no bytes at all, takes nothing")
{
    Box box(1, 0);
    CHECK_FALSE(box.add(1));
    CHECK(box.used() == 0);
}

TEST_CASE("outbox, one record, takes one message at a time with ids in sequence")
{
    Box box(1, 10);
    for (unsigned int id = 1; id <= 20; ++id) {
        CHECK(box.add(3));
        CHECK(box.id(0) == id);
        CHECK_FALSE(box.add(3));                     /* bytes are free, records are not */
        box.done(0);
        CHECK(box.outbox.count == 0);
    }
}

TEST_CASE("outbox, all records in use, takes no more however many bytes are free")
{
    Box box(3, 1000);
    CHECK(box.add(1));
    CHECK(box.add(1));
    CHECK(box.add(1));
    CHECK_FALSE(box.add(1));
    box.done(1);
    CHECK_FALSE(box.add(1));                         /* done, but it waits for the first one */
    box.done(0);
    CHECK(box.outbox.count == 1);
    CHECK(box.add(1));
    CHECK(box.add(1));
    CHECK_FALSE(box.add(1));
}

TEST_CASE("outbox, messages done out of order, go when all before them are gone")
{
    Box box(4, 100);
    for (int i = 0; i < 4; ++i) {
        box.add(10);
    }
    box.done(2);
    box.done(1);
    box.done(3);
    CHECK(box.outbox.count == 4);
    CHECK(box.used() == 40);
    box.done(0);
    CHECK(box.outbox.count == 0);
    CHECK(box.used() == 0);
    CHECK(box.id(0) == 5);
}

TEST_CASE("outbox, bytes at the end that are too few, are left and the message starts anew")
{
    Box box(8, 100);
    CHECK(box.add(40));                              /* 0..40 */
    CHECK(box.add(40));                              /* 40..80 */
    CHECK_FALSE(box.add(30));                        /* 20 are left at the end, none in front */
    box.done(0);
    CHECK(box.add(30));
    CHECK(box.at(1) == 0);
    CHECK(box.used() == 60 + 30);                    /* the gap counts as used */
    CHECK_FALSE(box.add(11));
    CHECK(box.add(10));                              /* 30..40: exactly up to the oldest */
    CHECK(box.at(2) == 30);
    CHECK(box.used() == 100);
    CHECK_FALSE(box.add(1));
    box.done(0);
    CHECK(box.used() == 40);
    CHECK(box.add(60));                              /* 40..100 */
    CHECK(box.at(2) == 40);
    CHECK_FALSE(box.add(1));
}

TEST_CASE("outbox, the record being written, keeps its place when older ones go")
{
    Box box(4, 100);
    for (int i = 0; i < 4; ++i) {
        box.add(10);
    }
    box.outbox.next = 2;
    box.done(1);
    CHECK(box.outbox.next == 2);
    box.done(0);
    CHECK(box.outbox.next == 0);
    CHECK(box.id(0) == 3);
    box.done(0);                                     /* one that is not sent yet expires */
    CHECK(box.outbox.next == 0);
}

TEST_CASE("outbox, packet ids past the last one, start again at 1")
{
    Box box(4, 100);
    box.outbox.first_id = IOTHUBI_OUTBOX_ID_LAST - 1u;
    for (int i = 0; i < 4; ++i) {
        box.add(10);
    }
    const unsigned int ids[] = { 0xFFEFu, 0xFFF0u, 1, 2 };
    for (unsigned int i = 0; i < 4; ++i) {
        CHECK(box.id(i) == ids[i]);
        CHECK(iothubi_outbox_index(&box.outbox, ids[i]) == i);
    }
    for (unsigned int dead : { 0u, 3u, 0xFFEEu, 0xFFF1u, 0xFFFFu }) {
        CHECK(iothubi_outbox_index(&box.outbox, dead) >= box.outbox.count);
    }
    box.done(0);
    box.done(0);
    CHECK(box.id(0) == 1);
    CHECK(iothubi_outbox_index(&box.outbox, 0xFFF0u) >= box.outbox.count);
    CHECK(iothubi_outbox_index(&box.outbox, 1) == 0);
}

TEST_CASE("outbox, every packet id at every place of the ring of ids, is found when alive and only then")
{
    Box box(3, 30);
    for (unsigned int first = 0xFFE8u; first != 8; first = after(first)) {
        box.outbox.first_id = first;
        box.outbox.count = 3;
        unsigned int second = after(first), third = after(second);
        bool right = true;
        for (unsigned int id = 0; id <= 0xFFFFu; ++id) {
            unsigned int index = iothubi_outbox_index(&box.outbox, id);
            unsigned int expected = id == first ? 0 : id == second ? 1 : id == third ? 2 : 3;
            right = right && (expected < 3 ? index == expected : index >= 3);
        }
        CAPTURE(first);
        CHECK(right);
    }
}

TEST_CASE("carve, an empty outbox, gives memory off its start for good")
{
    Box box(2, 50);
    unsigned char *start = box.outbox.bytes;
    CHECK(iothubi_outbox_carve(&box.outbox, 51) == nullptr);
    CHECK(iothubi_outbox_carve(&box.outbox, 20) == start);
    CHECK(box.outbox.capacity == 30);
    CHECK(box.add(10));
    CHECK(iothubi_outbox_carve(&box.outbox, 1) == nullptr);      /* not empty */
    CHECK_FALSE(box.add(21));
    box.done(0);
    CHECK(iothubi_outbox_carve(&box.outbox, 30) == start + 20);
    CHECK_FALSE(box.add(1));
    CHECK(iothubi_outbox_carve(&box.outbox, 0) != nullptr);
}

TEST_CASE("carve, after messages have come and gone, leaves the rest usable up to the last byte")
{
    Box box(4, 50);
    box.add(30);
    box.done(0);
    box.add(20);
    box.done(0);
    REQUIRE(iothubi_outbox_carve(&box.outbox, 15) != nullptr);
    std::memset(box.memory.get() + 4 * sizeof(iothubi_record), 0xEE, 15);
    CHECK(box.add(35, 0x11));
    CHECK(box.memory[4 * sizeof(iothubi_record) + 14] == 0xEE);
    CHECK(box.used() == 35);
}

TEST_CASE("outbox, random messages done in random order, agrees with a model at each step")
{
    for (uint32_t seed = 1; seed <= 60; ++seed) {
        Numbers numbers(seed);
        unsigned int slots = 1 + numbers.below(12);
        size_t capacity = 1 + numbers.below(300);
        uint32_t largest = 1 + numbers.below(static_cast<uint32_t>(capacity) + 2);
        uint32_t eagerness = 1 + numbers.below(4);           /* how full it tends to be */
        Box box(slots, capacity);
        std::deque<Live> live;
        unsigned int next_id = 0xFFF0u - numbers.below(100);
        box.outbox.first_id = next_id;
        size_t refused = 0;
        for (int step = 0; step < 400; ++step) {
            CAPTURE(seed, step, slots, capacity);
            if (numbers.below(eagerness + 1) != 0) {
                size_t size = 1 + numbers.below(largest);
                unsigned char fill = static_cast<unsigned char>(numbers.next() >> 24);
                if (box.add(size, fill)) {
                    live.push_back(Live{ next_id, size, fill, false });
                    next_id = after(next_id);
                } else {
                    /* Rightly so: no record, or no stretch of free bytes that long. */
                    std::vector<bool> taken(capacity, false);
                    for (unsigned int i = 0; i < box.outbox.count; ++i) {
                        std::fill_n(taken.begin() + static_cast<long>(box.at(i)), live[i].size, true);
                    }
                    size_t run = 0, best = 0;
                    size_t newest = live.empty() ? 0 : box.at(box.outbox.count - 1) + live.back().size;
                    for (size_t i = 0; i < capacity; ++i) {
                        run = taken[i] || (i == newest && !live.empty()) ? !taken[i] : run + 1;
                        bool usable = live.empty() || (newest > box.at(0) ? i >= newest || i < box.at(0) : i >= newest && i < box.at(0));
                        best = usable ? std::max(best, run) : best;
                    }
                    CHECK((live.size() == slots || best < size));
                    ++refused;
                }
            } else if (!live.empty()) {
                unsigned int index = numbers.below(static_cast<uint32_t>(live.size()));
                if (!live[index].done) {
                    live[index].done = true;
                    box.done(index);
                    while (!live.empty() && live.front().done) {
                        live.pop_front();
                    }
                }
            }
            REQUIRE(box.outbox.count == live.size());
            size_t sum = 0;
            bool intact = true;
            for (unsigned int i = 0; i < live.size(); ++i) {
                const unsigned char *at = box.outbox.bytes + box.at(i);
                intact = intact && box.id(i) == live[i].id && iothubi_outbox_index(&box.outbox, live[i].id) == i;
                intact = intact && (iothubi_outbox_record(&box.outbox, i)->state == IOTHUBI_RECORD_DONE) == live[i].done;
                intact = intact && std::count(at, at + live[i].size, live[i].fill) == static_cast<long>(live[i].size);   /* nobody wrote over it */
                sum += live[i].size;
            }
            CHECK(intact);
            CHECK(box.used() >= sum);
            CHECK(box.used() <= capacity);
            CHECK((box.used() == 0) == live.empty());
            CHECK(iothubi_outbox_index(&box.outbox, next_id) >= live.size());
        }
        CHECK((refused > 0 || eagerness < 3));               /* the runs did reach the edges */
    }
}
