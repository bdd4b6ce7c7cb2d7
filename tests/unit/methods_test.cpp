/* Calls that wait for their answer. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/methods.h"

namespace {

struct Calls {
    Guarded memory;
    iothubi_methods methods;
    explicit Calls(unsigned slots) : memory(slots * sizeof(iothubi_pending))
    {
        std::memset(&methods, 0, sizeof methods);
        std::memset(memory.data(), 0, slots * sizeof(iothubi_pending));
        methods.pending = (iothubi_pending *)(void *)memory.data();
        methods.slots = (unsigned char)slots;
    }
    iothubi_pending *begin(const char *id, uint32_t now_s = 0) { return iothubi_method_begin(&methods, id, now_s); }
    size_t number(const iothubi_pending *pending) { return (size_t)iothubi_method_handle(pending); }
};

}

TEST_CASE("methods: each call has a slot, its id and a handle of its own; without a free slot there is none")
{
    Calls calls(3);
    iothubi_pending *a = calls.begin("1"), *b = calls.begin("2"), *c = calls.begin("3");
    REQUIRE((a != NULL && b != NULL && c != NULL));
    CHECK(calls.begin("4") == NULL);
    CHECK(std::string(a->id) == "1");
    CHECK(std::string(c->id) == "3");
    CHECK(iothubi_method_find(&calls.methods, calls.number(b)) == b);
    b->number = 0;
    iothubi_pending *d = calls.begin("4");
    CHECK(d == b);
    CHECK(calls.number(d) == 4);                 /* not 2 again: 2 is stale */
    CHECK(iothubi_method_find(&calls.methods, 2) == NULL);
}

TEST_CASE("methods: without slots nothing is found and nothing begins")
{
    Calls calls(0);
    CHECK(calls.begin("1") == NULL);
    CHECK(iothubi_method_find(&calls.methods, 1) == NULL);
    CHECK(iothubi_method_oldest(&calls.methods, 5) == NULL);
    iothubi_methods_lost(&calls.methods);
    CHECK(calls.methods.answers_used == 0);
}

TEST_CASE("methods: an id of 39 characters has room, and an empty one is one too")
{
    Calls calls(2);
    const std::string longest(IOTHUBI_METHOD_ID_SIZE - 1, 'x');
    REQUIRE(longest.size() == 39);
    CHECK(std::string(calls.begin(longest.c_str())->id) == longest);
    CHECK(std::string(calls.begin("")->id) == ""); /* its last byte is the page's last */
}

TEST_CASE("methods: a handle is never 0 and comes again after 65,535 calls")
{
    Calls calls(1);
    size_t first = calls.number(calls.begin("x"));
    calls.methods.pending[0].number = 0;
    std::vector<bool> seen(65536, false);
    seen[first] = true;
    for (int i = 1; i < 65535; ++i) {
        size_t number = calls.number(calls.begin("x"));
        REQUIRE(number != 0);
        REQUIRE_FALSE(seen[number]);
        seen[number] = true;
        calls.methods.pending[0].number = 0;
    }
    CHECK(calls.number(calls.begin("x")) == first);
}

TEST_CASE("methods: a number that is no handle of 16 bits finds nothing")
{
    Calls calls(1);
    size_t number = calls.number(calls.begin("x"));
    CHECK(iothubi_method_find(&calls.methods, number + 65536u) == NULL);
    CHECK(iothubi_method_find(&calls.methods, (size_t)-1) == NULL);
}

TEST_CASE("methods: the oldest is the one that has waited longest, over a wrap of the uptime too")
{
    Calls calls(4);
    CHECK(iothubi_method_oldest(&calls.methods, 0) == NULL);
    iothubi_pending *a = calls.begin("a", 0xFFFFFFF0u), *b = calls.begin("b", 0xFFFFFFE0u), *c = calls.begin("c", 5);
    CHECK(iothubi_method_oldest(&calls.methods, 10) == b);
    b->number = 0;
    CHECK(iothubi_method_oldest(&calls.methods, 10) == a);
    a->number = 0;
    CHECK(iothubi_method_oldest(&calls.methods, 10) == c);
    iothubi_pending *d = calls.begin("d", 5);
    CHECK(d != c);
    CHECK(iothubi_method_oldest(&calls.methods, 10) == calls.methods.pending + 0); /* of two equal ones the first in the table */
}

TEST_CASE("methods: those that waited 300 s are let go, all of them, over a wrap of the uptime too; the others stay")
{
    for (uint32_t start : { 0u, 1000u, 0xFFFFFF00u }) {
        Calls calls(4);
        size_t a = calls.number(calls.begin("a", start)), b = calls.number(calls.begin("b", start)), c = calls.number(calls.begin("c", start + 1));
        iothubi_methods_expire(&calls.methods, start + 299);
        CAPTURE(start);
        CHECK(iothubi_method_find(&calls.methods, a) != NULL);
        iothubi_methods_expire(&calls.methods, start + 300);
        CHECK(iothubi_method_find(&calls.methods, a) == NULL);
        CHECK(iothubi_method_find(&calls.methods, b) == NULL);
        CHECK(iothubi_method_find(&calls.methods, c) != NULL);
        CHECK(iothubi_method_find(&calls.methods, 0) != NULL);
    }
}

TEST_CASE("methods: a lost connection ends all calls and forgets their answers; new handles do not repeat")
{
    Calls calls(2);
    size_t last = 0;
    calls.begin("a");
    last = calls.number(calls.begin("b"));
    calls.methods.answers_used = 99;
    iothubi_methods_lost(&calls.methods);
    CHECK(calls.methods.answers_used == 0);
    CHECK(iothubi_method_find(&calls.methods, last) == NULL);
    CHECK(calls.number(calls.begin("c")) == last + 1);
}
