/* Calls that wait for their answer: handles that are not given again for long, also where a pointer has 16 bits; patience. */

#include "check.h"

const char room[] = "methods";

static iothubi_pending pending[3];
static iothubi_methods methods;

static void begin(void)
{
    IOTHUB_MEMSET(pending, 0, sizeof pending);
    IOTHUB_MEMSET(&methods, 0, sizeof methods);
    methods.pending = pending;
    methods.slots = 3;
}

static void slots(void)
{
    static const char longest[] = "012345678901234567890123456789012345678"; /* 39 characters */
    iothubi_pending *first, *second, *third;
    about("three calls, and a fourth that finds no slot");
    begin();
    first = iothubi_method_begin(&methods, "", 1);
    second = iothubi_method_begin(&methods, longest, 0xFFFFFFFFul);
    third = iothubi_method_begin(&methods, "8ac5", 1);
    CHECK(first == pending && second == pending + 1 && third == pending + 2);
    CHECK(iothubi_method_begin(&methods, "x", 2) == NULL);
    CHECK_TEXT(second->id, longest);
    CHECK_NUMBER((size_t)iothubi_method_handle(first), 1);
    CHECK_NUMBER((size_t)iothubi_method_handle(second), 2);
    CHECK_NUMBER((size_t)iothubi_method_handle(third), 3);
    CHECK(iothubi_method_find(&methods, 2) == second);
    CHECK(iothubi_method_find(&methods, 4) == NULL);
    about("the one that has waited longest, over the wrap of seconds");
    CHECK(iothubi_method_oldest(&methods, 5) == second);
    second->number = 0;
    CHECK(iothubi_method_oldest(&methods, 5) == first);
    CHECK(iothubi_method_begin(&methods, "4", 5) == second);
    CHECK_NUMBER(second->number, 4);
    CHECK(iothubi_method_find(&methods, 2) == NULL);     /* its handle is stale */
    about("a lost connection: nobody waits");
    methods.answers_used = 7;
    iothubi_methods_lost(&methods);
    CHECK(iothubi_method_oldest(&methods, 9) == NULL);
    CHECK_NUMBER(methods.answers_used, 0);
    CHECK_NUMBER(iothubi_method_begin(&methods, "5", 9)->number, 5);
}

/* Handles are numbers from 1 to 65,535; 0 is none. */
static void handles(void)
{
    unsigned long calls;
    unsigned int wrong = 0, expected = 0;
    about("70,000 calls have the handles 1 to 65,535, again and again");
    begin();
    for (calls = 0; calls < 70000ul; ++calls) {
        iothubi_pending *call = iothubi_method_begin(&methods, "a", 0);
        expected = expected == 0xFFFFu ? 1u : expected + 1u;
        if (call == NULL || call->number != expected || iothubi_method_handle(call) == NULL || iothubi_method_find(&methods, expected) != call) {
            wrong = expected;
            break;
        }
        call->number = 0;
    }
    CHECK_NUMBER(wrong, 0);
    CHECK_NUMBER(expected, 4465);                /* 70,000 - 65,535 */
}

void vectors(void)
{
    slots();
    handles();
}
