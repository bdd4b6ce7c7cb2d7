/* The command line of the simulation. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define PAIR_EVERY 16u                           /* each so many lives one runs beside its neighbour */

static void usage(void)
{
    printf("usage: sim [--seeds N] [--from S]      N random lives, from seed S (default 1)\n"
           "       sim --seed S [--trace]          one of them\n"
           "       sim --cases [--tick T]          the named faults\n"
           "       sim --case NAME [--trace]       one of them\n"
           "       --tick T                        the tick starts at T, in all lives\n"
           "       --stop                          end at the first failure\n"
           "       --no-table                      do not print the table of faults\n"
           "       --all-cells                     a cell of the table that is not hit is a failure\n");
    exit(2);
}

static unsigned number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 0);
    if (*text == '\0' || *end != '\0') usage();
    return (unsigned)value;
}

static sim_life life, neighbour;

static int run_seeds(unsigned from, unsigned seeds, int stop, int table, int all_cells)
{
    unsigned i, passed = 0, failed = 0, missed = 0;
    uint64_t hash = 0;
    int ok;
    for (i = 0; i < seeds; ++i) {
        ok = life_random(&life, from + i);
        hash = (hash ^ life.hash) * 0x100000001B3u;
        if (ok && (from + i) % PAIR_EVERY == 0) {
            ok = life_pair(&life, &neighbour, from + i);
        }
        if (ok) {
            ++passed;
        } else {
            ++failed;
            if (stop) break;
        }
    }
    if (table) {
        missed = faults_table();
        printf("%u of %u cells were never hit\n", missed, faults_cells());
    }
    printf("sim: seeds %u to %u, trace %08x%08x\n", from, from + seeds - 1u, (unsigned)(hash >> 32), (unsigned)hash);
    printf("sim: %u passed, %u failed\n", passed, failed);
    if (all_cells && missed != 0) {
        printf("FAIL  sim: the fixed seeds miss %u cells\n", missed);
    }
    return failed != 0 || (all_cells && missed != 0);
}

/* FI-10: all of them with the tick at its edges. */
static int run_cases(const char *name)
{
    static const unsigned ticks[] = { 0, 0x7FFFF000u, 0xFFFFF000u, 0xFFFFFF00u };
    unsigned i, passed = 0, failed = 0;
    int fixed = sim_tick_fixed;
    for (i = 0; i < (fixed || life.trace ? 1u : 4u); ++i) {
        unsigned passed_here = 0;
        sim_tick_start = fixed ? sim_tick_start : ticks[i];
        sim_tick_fixed = 1;
        failed += cases_run(&life, name, &passed_here);
        passed += passed_here;
    }
    sim_tick_fixed = fixed;
    printf("cases: %u passed, %u failed\n", passed, failed);
    return failed != 0;
}

int main(int count, char **arguments)
{
    unsigned seeds = 0, from = 1;
    int i, stop = 0, table = 1, all_cells = 0, cases = 0, result = 0;
    const char *name = NULL;
    sim_program = "./tools/test sim";
    for (i = 1; i < count; ++i) {
        const char *a = arguments[i], *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(a, "--seeds") == 0) { seeds = number(value); ++i; }
        else if (strcmp(a, "--from") == 0) { from = number(value); ++i; }
        else if (strcmp(a, "--seed") == 0) { from = number(value); seeds = 1; table = 0; ++i; }
        else if (strcmp(a, "--tick") == 0) { sim_tick_start = number(value); sim_tick_fixed = 1; ++i; }
        else if (strcmp(a, "--case") == 0) { name = value; cases = 1; ++i; }
        else if (strcmp(a, "--cases") == 0) cases = 1;
        else if (strcmp(a, "--trace") == 0) life.trace = 1;
        else if (strcmp(a, "--stop") == 0) stop = 1;
        else if (strcmp(a, "--no-table") == 0) table = 0;
        else if (strcmp(a, "--all-cells") == 0) all_cells = 1;
        else usage();
    }
    if (!cases && seeds == 0) usage();
    if (cases) {
        result |= run_cases(name);
    }
    if (seeds != 0) {
        result |= run_seeds(from, seeds, stop, table, all_cells);
    }
    life_free(&life);
    life_free(&neighbour);
    return result;
}
