/* Deadlines on a tick that wraps. */

#include "check.h"

const char room[] = "clock";

/* At since + elapsed, so much is left of a span. */
static const struct { uint32_t since, elapsed, span, left; } deadlines[] = {
    { 0, 0, 100, 100 },
    { 0, 99, 100, 1 },
    { 0, 100, 100, 0 },                          /* due at its moment */
    { 0, 101, 100, 0 },                          /* and ever after */
    { 5000, 0x7FFFFFFFul, 100, 0 },
    { 0x7FFFFFF0ul, 0, 100, 100 },               /* over the middle: no sign bit is looked at */
    { 0x7FFFFFF0ul, 99, 100, 1 },
    { 0x7FFFFFF0ul, 100, 100, 0 },
    { 0x7FFFFFF0ul, 0x7FFFFFFFul, 100, 0 },
    { 0xFFFFFFF0ul, 0, 100, 100 },               /* over the wrap */
    { 0xFFFFFFF0ul, 15, 100, 85 },
    { 0xFFFFFFF0ul, 16, 100, 84 },
    { 0xFFFFFFF0ul, 99, 100, 1 },
    { 0xFFFFFFF0ul, 100, 100, 0 },
    { 0xFFFFFFF0ul, 0x7FFFFFFFul, 100, 0 },
    { 0xFFFFFFFFul, 0, 1, 1 },
    { 0xFFFFFFFFul, 1, 1, 0 },
    { 0xFFFF0000ul, 0xFFFF, 0x10000ul, 1 },      /* where 16 bits end */
    { 0xFFFF0000ul, 0x10000ul, 0x10000ul, 0 },
    { 0xFFFF0000ul, 0x10000ul, 0x18000ul, 0x8000ul },
    { 1000, 0, 180000ul, 180000ul },             /* a keep-alive in milliseconds */
    { 1000, 179999ul, 180000ul, 1 },
    { 50, 0, 0, 0 },                             /* at once */
    { 50, 0, 0x3FFFFFFFul, 0x3FFFFFFFul },
    { 50, 0, 0x40000000ul, 0x40000000ul }        /* the longest that is told */
};

/* One after the other at tick 1000: what is the earliest after each. */
static const struct { int what; uint32_t since, span, left; int earliest; } additions[] = {
    { 1, 900, 500, 400, 1 },
    { 2, 1000, 401, 400, 1 },
    { 3, 1000, 400, 400, 1 },                    /* of two equal ones the first */
    { 4, 1000, 399, 399, 4 },
    { 5, 0xFFFFFFF0ul, 1400, 384, 5 },           /* began before the wrap */
    { 1000, 0xFFFFFFF0ul, 1016, 0, 1000 },
    { 6, 0, 1, 0, 1000 }
};

static const struct { uint32_t now, a, b, later; } ticks[] = {
    { 100, 40, 60, 60 },
    { 100, 60, 40, 60 },
    { 100, 100, 0, 100 },
    { 5, 0xFFFFFFF0ul, 2, 2 },
    { 5, 2, 0xFFFFFFF0ul, 2 },
    { 5, 7, 7, 7 },
    { 0x80000010ul, 0x7FFFFFFFul, 0x80000001ul, 0x80000001ul },
    { 0x10000ul, 0xFFFF, 0x0001, 0xFFFF }
};

void vectors(void)
{
    iothubi_timer timer;
    about("without a deadline: the longest span, and nothing named");
    iothubi_timer_begin(&timer, 12345);
    CHECK_NUMBER(timer.left, 0x40000000ul);
    CHECK_NUMBER(timer.what, 0);
    about("a deadline around its moment");
    for (row = 0; row < COUNT(deadlines); ++row) {
        iothubi_timer_begin(&timer, deadlines[row].since + deadlines[row].elapsed);
        iothubi_timer_add(&timer, 7, deadlines[row].since, deadlines[row].span);
        CHECK_NUMBER(timer.left, deadlines[row].left);
        CHECK_NUMBER(timer.what, deadlines[row].left < 0x40000000ul ? 7 : 0);
    }
    about("of several deadlines the earliest");
    iothubi_timer_begin(&timer, 1000);
    for (row = 0; row < COUNT(additions); ++row) {
        iothubi_timer_add(&timer, additions[row].what, additions[row].since, additions[row].span);
        CHECK_NUMBER(timer.left, additions[row].left);
        CHECK_NUMBER(timer.what, additions[row].earliest);
    }
    about("the later of two ticks is the one closer to now");
    for (row = 0; row < COUNT(ticks); ++row) {
        CHECK_NUMBER(iothubi_tick_later(ticks[row].now, ticks[row].a, ticks[row].b), ticks[row].later);
    }
}
