/* The command line of the tests over lwIP. */
#include "net.h"
#include "port_test.h"
#include "wire.h"
#include <stdlib.h>
#include <string.h>

static sim_life life;

static void usage(void)
{
    printf("usage: lwip_test --port [NAME]              the port alone\n"
           "       lwip_test --cases | --case NAME      the named faults [--trace]\n"
           "       lwip_test --seeds N [--from S]       N random lives\n"
           "       lwip_test --seed S [--trace]         one of them\n");
    exit(2);
}

static unsigned number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 0);
    if (*text == '\0' || *end != '\0') usage();
    return (unsigned)value;
}

static int run_case(const sim_case *one)
{
    life.name = one->name;
    if (setjmp(life.failed) != 0) {
        return 0;
    }
    one->run(&life);
    printf("ok    %s: %s\n", one->name, one->what);
    return 1;
}

static unsigned run_cases(const char *name)
{
    unsigned i, failed = 0, found = 0;
    for (i = 0; i < net_case_count; ++i) {
        if (name != NULL && strcmp(name, net_cases[i].name) != 0) {
            continue;
        }
        found += 1;
        failed += !run_case(&net_cases[i]);
        fflush(stdout);
    }
    life.name = NULL;
    if (found == 0) usage();
    return failed;
}

/* The last word is a hash of all their traces: packets, stream, hub and program. */
static unsigned run_seeds(unsigned from, unsigned count)
{
    unsigned i, failed = 0, packets = 0;
    uint64_t hash = 0;
    for (i = 0; i < count; ++i) {
        failed += !net_random(&life, from + i);
        hash = (hash ^ life.hash ^ wire.hash) * 0x100000001B3u;
        packets += wire.packets;
    }
    printf("%s  %u random lives over TCP, %u packets, trace %08x%08x\n", failed == 0 ? "ok  " : "FAIL", count, packets, (unsigned)(hash >> 32),
        (unsigned)hash);
    return failed;
}

int main(int count, char **arguments)
{
    unsigned failed = 0, from = 1, seeds = 0;
    int i, ran = 0;
    sim_program = "build/lwip/lwip_test";
    for (i = 1; i < count; ++i) {
        const char *a = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
        if (strcmp(a, "--trace") == 0) {
            life.trace = 1;
        } else if (strcmp(a, "--from") == 0 && value != NULL) {
            from = number(value);
            ++i;
        }
    }
    for (i = 1; i < count; ++i) {
        const char *a = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
        if (strcmp(a, "--trace") == 0) {
            continue;
        }
        ran = 1;
        if (strcmp(a, "--port") == 0) {
            failed += port_tests(value != NULL && value[0] != '-' ? arguments[++i] : NULL);
        } else if (strcmp(a, "--cases") == 0) {
            failed += run_cases(NULL);
        } else if (strcmp(a, "--case") == 0 && value != NULL) {
            failed += run_cases(value);
            ++i;
        } else if (strcmp(a, "--seeds") == 0 && value != NULL) {
            seeds = number(value);
            ++i;
        } else if (strcmp(a, "--seed") == 0 && value != NULL) {
            from = number(value);
            seeds = 1;
            ++i;
        } else if (strcmp(a, "--from") == 0 && value != NULL) {
            ++i;
        } else {
            usage();
        }
    }
    if (!ran) usage();
    if (seeds != 0) {
        failed += run_seeds(from, seeds);
    }
    life_free(&life);
    return failed != 0;
}
