/* What every room of the simulation needs: random numbers, bytes in order, the trace, and the way a life fails. */
#include "sim.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *sim_program = "tests/sim";

/* ---- randomness: splitmix64 ---- */

void random_begin(sim_random *random, uint64_t seed, unsigned purpose)
{
    random->state = seed * 0x9E3779B97F4A7C15u + (uint64_t)purpose * 0xD1B54A32D192ED03u;
    draw(random);
    draw(random);
}

uint32_t draw(sim_random *random)
{
    uint64_t z = (random->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

uint32_t below(sim_random *random, uint32_t n)
{
    return (uint32_t)((uint64_t)draw(random) * n >> 32);
}

uint32_t between(sim_random *random, uint32_t low, uint32_t high)
{
    return low + below(random, high - low + 1u);
}

int chance(sim_random *random, unsigned percent)
{
    return below(random, 100) < percent;
}

/* ---- bytes ---- */

size_t bytes_size(const sim_bytes *bytes)
{
    return bytes->end - bytes->start;
}

const unsigned char *bytes_front(const sim_bytes *bytes)
{
    return bytes->at + bytes->start;
}

void bytes_put(sim_bytes *bytes, const void *data, size_t size)
{
    if (size == 0) {
        return;
    }
    if (bytes->end + size > bytes->capacity) {
        size_t used = bytes_size(bytes);
        if (bytes->start != 0) {
            memmove(bytes->at, bytes->at + bytes->start, used);
        }
        bytes->start = 0;
        bytes->end = used;
        if (used + size > bytes->capacity) {
            bytes->capacity = (used + size) * 2u;
            bytes->at = (unsigned char *)realloc(bytes->at, bytes->capacity);
            if (bytes->at == NULL) {
                abort();
            }
        }
    }
    memcpy(bytes->at + bytes->end, data, size);
    bytes->end += size;
}

void bytes_drop(sim_bytes *bytes, size_t size)
{
    bytes->start += size;
    if (bytes->start == bytes->end) {
        bytes_clear(bytes);
    }
}

void bytes_clear(sim_bytes *bytes)
{
    bytes->start = bytes->end = 0;
}

void bytes_free(sim_bytes *bytes)
{
    free(bytes->at);
    memset(bytes, 0, sizeof *bytes);
}

/* ---- trace ---- */

static const char *const event_texts[] = {
#define X(name, text) text,
    SIM_EVENTS(X)
#undef X
    ""
};

static const char *const fault_texts[] = {
#define X(name, text, states) text,
    SIM_FAULTS(X)
#undef X
    ""
};

static void mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * 0x100000001B3u;
    *hash ^= *hash >> 29;
}

void note(sim_life *life, sim_event event, unsigned a, unsigned b, unsigned c)
{
    mix(&life->hash, life->now);
    mix(&life->hash, (uint64_t)event << 32 | a);
    mix(&life->hash, (uint64_t)b << 32 | c);
    if (event == EVENT_GOT_CONNECT || event == EVENT_GOT_PUBLISH || event == EVENT_GOT_PING || event == EVENT_GOT_LEAVE
        || event == EVENT_CONFIRMED || event == EVENT_STATUS || (event >= EVENT_GOT_FILTERS && event <= EVENT_GOT_RESULT)
        || event == EVENT_HANDED || event == EVENT_VIEW || event == EVENT_GET_ENDS || event == EVENT_REPORTED || event == EVENT_ASKED) {
        uint64_t one = 0xCBF29CE484222325u;      /* a sum: what happens at one time may happen in any order */
        mix(&one, life->now);
        mix(&one, (uint64_t)event << 32 | a);
        mix(&one, (uint64_t)b << 32 | c);
        life->outcome += one;
    }
    if (life->trace) {
        printf("%6u.%03u  ", (unsigned)(life->now / 1000u), (unsigned)(life->now % 1000u));
        if (event == EVENT_FAULT) {
            printf(event_texts[event], fault_texts[a], a, b, c);
        } else {
            printf(event_texts[event], a, b, c);
        }
        putchar('\n');
    }
}

void fail(sim_life *life, unsigned invariant, const char *format, ...)
{
    char tick[32] = "";
    va_list arguments;
    printf("FAIL  %s%s%u at %u.%03u s: invariant %u: ", life->name != NULL ? life->name : "seed", life->name != NULL ? ", seed " : " ",
        (unsigned)life->seed, (unsigned)(life->now / 1000u), (unsigned)(life->now % 1000u), invariant);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    if (sim_tick_fixed) {
        snprintf(tick, sizeof tick, " --tick 0x%08X", (unsigned)sim_tick_start);
    }
    if (life->name != NULL) {
        printf("\n      replay: %s --case %s%s --trace\n", sim_program, life->name, tick);
    } else {
        printf("\n      replay: %s --seed %u%s --trace\n", sim_program, (unsigned)life->seed, tick);
    }
    fflush(stdout);
    longjmp(life->failed, 1);
}
