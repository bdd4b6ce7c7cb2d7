/* ---- clock: deadlines on a wrapping tick -------------------------------------------------------------------------- */
/* A tick counts milliseconds in 32 bits and wraps; only differences mean anything, and spans stay below 2^31. */
#include "config.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_CLOCK_H)
#define IOTHUBI_CLOCK_H

#define IOTHUBI_SPAN_MAXIMUM 0x40000000ul        /* milliseconds, 12 days: the longest that GetNextWork answers */

/* The earliest of some deadlines: how long until it, and which it is. */
typedef struct iothubi_timer_tag {
    uint32_t now;
    uint32_t left;                               /* milliseconds; 0: due */
    int what;
} iothubi_timer;

IOTHUBI_PRIVATE void iothubi_timer_begin(iothubi_timer *timer, uint32_t now)
{
    timer->now = now;
    timer->left = IOTHUBI_SPAN_MAXIMUM;
    timer->what = 0;
}

/* Something falls due span milliseconds after since. */
IOTHUBI_APART void iothubi_timer_add(iothubi_timer *timer, int what, uint32_t since, uint32_t span)
{
    uint32_t elapsed = timer->now - since;
    uint32_t left = elapsed < span ? span - elapsed : 0;
    if (left < timer->left) {
        timer->left = left;
        timer->what = what;
    }
}

IOTHUBI_PRIVATE void iothubi_timer_add_s(iothubi_timer *timer, int what, uint32_t since, uint32_t seconds)
{
    iothubi_timer_add(timer, what, since, seconds * 1000u);
}

/* The later of two ticks, both in the past of now. */
IOTHUBI_PRIVATE uint32_t iothubi_tick_later(uint32_t now, uint32_t a, uint32_t b)
{
    return now - a < now - b ? a : b;
}

#endif
