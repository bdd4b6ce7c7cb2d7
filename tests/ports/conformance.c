/* The checks of conformance.h. C89 and C++. */

#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN, READ, WRITE, CLOSE };               /* indices of longest */
enum { ROOM = 32767, GUARD = 16, MARK = 0xA5 };

/* ---- Telling ---- */

static void told(struct conformance *test, int ok, const char *what)
{
    char line[300];

    sprintf(line, "%.60s: %.200s", test->name, what);
    test->checks++;
    test->failures += ok == 0;
    test->tell(test->tell_context, ok, line);
}

static int holds(struct conformance *test, int ok, const char *what)
{
    told(test, ok != 0, what);
    return ok;
}

/* Broken in the middle of something: told once each phase, so that one fault does not print ten thousand lines. */
static void breaks(struct conformance *test, const char *what)
{
    if (!test->phase_failed) {
        told(test, 0, what);
    }
    test->phase_failed = 1;
}

/* ---- The stream under test: each call is measured, each answer is checked ---- */

static unsigned char *window(void)
{
    static unsigned char bytes[GUARD + ROOM + GUARD];
    return bytes;
}

static unsigned long clock_now(const struct conformance *test)
{
    return test->peer->milliseconds != NULL ? test->peer->milliseconds(test->peer->context) : 0;
}

static void measured(struct conformance *test, int call, unsigned long start)
{
    unsigned long span = clock_now(test) - start;

    if (span > test->longest[call]) {
        test->longest[call] = span;
    }
}

static int do_open(struct conformance *test, const char *host, unsigned int port)
{
    unsigned long start = clock_now(test);
    int answer = test->io->open(test->io->context, host, port);

    measured(test, OPEN, start);
    if (answer > 1) {
        breaks(test, "open answers more than 1");
    }
    return answer;
}

static int do_read(struct conformance *test, unsigned char *bytes, unsigned int capacity)
{
    unsigned char *at = window();
    unsigned long start = clock_now(test);
    unsigned int i, beyond;
    int answer;

    memset(at, MARK, GUARD);
    memset(at + GUARD + capacity, MARK, GUARD);
    answer = test->io->read(test->io->context, at + GUARD, capacity);
    measured(test, READ, start);
    for (i = 0, beyond = 0; i < GUARD; i++) {
        beyond |= (unsigned int)(at[i] ^ MARK) | (unsigned int)(at[GUARD + capacity + i] ^ MARK);
    }
    if (beyond != 0) {
        breaks(test, "2: read wrote beside its buffer");
    }
    if (answer > 0 && (unsigned int)answer > capacity) {
        breaks(test, "2: read answered more than was asked");
        answer = (int)capacity;
    }
    if (answer > 0 && bytes != NULL) {
        memcpy(bytes, at + GUARD, (size_t)answer);
    }
    return answer;
}

static int do_write(struct conformance *test, const unsigned char *bytes, unsigned int size)
{
    unsigned long start = clock_now(test);
    int answer = test->io->write(test->io->context, bytes, size);

    measured(test, WRITE, start);
    if (size > 0 && answer > 0 && (unsigned int)answer > size) {
        breaks(test, "2: write answered more than was offered");
        answer = (int)size;
    }
    return answer;
}

static int do_push(struct conformance *test)
{
    unsigned char nothing = 0;
    return do_write(test, &nothing, 0);
}

static void do_close(struct conformance *test)
{
    unsigned long start = clock_now(test);

    test->io->close(test->io->context);
    measured(test, CLOSE, start);
}

static int do_error(struct conformance *test, long *raw)
{
    *raw = 0;
    return test->io->error != NULL ? test->io->error(test->io->context, raw) : (int)IOTHUB_LAYER_NONE;
}

static void step(const struct conformance *test)
{
    test->peer->step(test->peer->context);
}

static unsigned int expect(const struct conformance *test, int how)
{
    return test->peer->expect(test->peer->context, how);
}

/* ---- Streams of bytes that tell their place ---- */

enum { FROM_PORT = 17, FROM_PEER = 101 };        /* two streams, not to be mistaken for each other */

static unsigned char byte_at(unsigned int stream, unsigned long place)
{
    return (unsigned char)((place * 167ul + (place >> 8) * 59ul + (place >> 16) * 31ul + stream) & 0xFFul);
}

static void fill(unsigned int stream, unsigned long place, unsigned char *bytes, unsigned int size)
{
    unsigned int i;

    for (i = 0; i < size; i++) {
        bytes[i] = byte_at(stream, place + i);
    }
}

static int is_stream(unsigned int stream, unsigned long place, const unsigned char *bytes, unsigned int size)
{
    unsigned int i;

    for (i = 0; i < size; i++) {
        if (bytes[i] != byte_at(stream, place + i)) {
            return 0;
        }
    }
    return 1;
}

static unsigned int any(unsigned int below)      /* the same in every run */
{
    static unsigned long state = 1;
    state = (state * 1103515245ul + 12345ul) & 0x7FFFFFFFul;
    return (unsigned int)(state >> 8) % below;
}

struct both_ways {                               /* how far one connection came */
    unsigned long offered;                       /* the end of the farthest offer */
    unsigned long written, arrived;              /* taken by the port; seen by the peer */
    unsigned long sent, read;                    /* taken by the peer; read from the port */
    int dead;
};

/* The port writes some of its stream, from a place in memory that is never the same twice in a row. */
static int write_some(struct conformance *test, struct both_ways *at, unsigned int size)
{
    static unsigned char bytes[64 + ROOM];
    static unsigned int place;
    int answer;

    place = (place + 13) % 64;
    if (at->offered < at->written + size) {
        at->offered = at->written + size;
    }
    fill(FROM_PORT, at->written, bytes + place, size);
    answer = do_write(test, bytes + place, size);
    memset(bytes, 0, sizeof bytes);              /* the caller's memory is the caller's again */
    if (answer > 0) {
        at->written += (unsigned long)answer;
    } else if (answer < 0) {
        at->dead = 1;
    }
    return answer;
}

static int read_some(struct conformance *test, struct both_ways *at, unsigned int capacity)
{
    static unsigned char bytes[ROOM];
    int answer = do_read(test, bytes, capacity);

    if (answer > 0) {
        if (at->read + (unsigned long)answer > at->sent || !is_stream(FROM_PEER, at->read, bytes, (unsigned int)answer)) {
            breaks(test, "bytes were read that the peer did not send, or in another order");
        }
        at->read += (unsigned long)answer;
    } else if (answer < 0) {
        at->dead = 1;
    }
    return answer;
}

static int peer_sends(struct conformance *test, struct both_ways *at, unsigned int size)
{
    static unsigned char bytes[ROOM];
    int answer;

    fill(FROM_PEER, at->sent, bytes, size);
    answer = test->peer->send(test->peer->context, bytes, size);
    if (answer > 0) {
        at->sent += (unsigned long)answer;
    }
    return answer;
}

static int peer_receives(struct conformance *test, struct both_ways *at, unsigned int capacity)
{
    static unsigned char bytes[ROOM];
    int answer = test->peer->receive(test->peer->context, bytes, capacity);

    if (answer > 0) {
        if (at->arrived + (unsigned long)answer > at->offered ||
            !is_stream(FROM_PORT, at->arrived, bytes, (unsigned int)answer)) {
            breaks(test, "4: other bytes arrived than were written");
        }
        at->arrived += (unsigned long)answer;
    }
    return answer;
}

/* ---- Opening ---- */

/* A host name of its own for each connection, spoilt after close: rule 6. */
static char *new_host(const struct conformance *test)
{
    char *host = (char *)malloc(strlen(test->host) + 1);

    if (host != NULL) {
        strcpy(host, test->host);
    }
    return host;
}

static void drop_host(char *host)
{
    memset(host, '#', strlen(host));
    free(host);
}

/* Until it is decided: 1, <0, or 0 when patience is over. */
static int open_until(struct conformance *test, const char *host, unsigned int port)
{
    int i, answer = 0;

    for (i = 0; i < test->patience && answer == 0; i++) {
        answer = do_open(test, host, port);
        if (answer == 0) {
            step(test);
        }
    }
    return answer;
}

static char *opened(struct conformance *test, struct both_ways *at)
{
    char *host = new_host(test);

    memset(at, 0, sizeof *at);
    test->phase_failed = 0;
    if (open_until(test, host, expect(test, CONFORMANCE_ACCEPT)) != 1) {
        breaks(test, "a connection does not open");
        do_close(test);
        drop_host(host);
        return NULL;
    }
    return host;
}

static void closed(struct conformance *test, char *host)
{
    do_close(test);
    drop_host(host);
    step(test);
}

/* Everything that was written arrives while only step is called. */
static int all_arrives(struct conformance *test, struct both_ways *at)
{
    int i;

    for (i = 0; i < test->patience && at->arrived < at->written; i++) {
        if (peer_receives(test, at, ROOM) == 0) {
            step(test);
        }
    }
    return at->arrived >= at->written;           /* bytes that were offered may arrive before a later call says that they were taken */
}

static int push_until(struct conformance *test)
{
    int i, answer = 0;

    for (i = 0; i < test->patience && answer == 0; i++) {
        answer = do_push(test);
        if (answer == 0) {
            step(test);
        }
    }
    return answer;
}

static int all_is_read(struct conformance *test, struct both_ways *at, unsigned int capacity)
{
    int i, answer;

    for (i = 0; i < test->patience && at->read < at->sent && !at->dead; i++) {
        answer = read_some(test, at, capacity);
        if (answer == 0) {
            step(test);
        } else {
            i = 0;
        }
    }
    return at->read == at->sent;
}

/* ---- The checks ---- */

static void check_closed(struct conformance *test)
{
    long raw;
    int layer;

    test->phase_failed = 0;
    do_close(test);
    do_close(test);
    holds(test, 1, "6: close before open, twice");
    layer = do_error(test, &raw);
    holds(test, layer >= 0 && layer <= (int)IOTHUB_LAYER_PORT, "error answers a layer");
    if (test->io->set_option == NULL) {
        told(test, -1, "an unknown option answers >0 (there are no options)");
    } else {
        holds(test, test->io->set_option(test->io->context, "no such option of any port", "value") > 0, "an unknown option answers >0");
    }
}

static void check_small(struct conformance *test)
{
    struct both_ways at;
    char *host = opened(test, &at);
    int i, zeros = 0;

    if (host == NULL) {
        return;
    }
    for (i = 0; i < 20; i++) {
        zeros += read_some(test, &at, ROOM) == 0;
    }
    holds(test, zeros == 20, "1: read answers 0 while the peer says nothing");
    holds(test, do_push(test) > 0, "3: write of size 0 answers >0 when nothing is held");
    for (i = 0; i < 100 && at.written < 5; i++) {
        if (write_some(test, &at, 5 - (unsigned int)at.written) == 0) {
            step(test);
        }
    }
    holds(test, push_until(test) > 0 && at.written == 5 && all_arrives(test, &at), "3: five bytes arrive after a push, with no further call");
    for (i = 0; i < test->patience && at.sent < 7; i++) {
        if (peer_sends(test, &at, 7 - (unsigned int)at.sent) <= 0) {
            step(test);
        }
    }
    holds(test, all_is_read(test, &at, 3), "seven bytes are read, three at a time");
    closed(test, host);
}

/* What the peer has sent long ago is given before the first 0; and 0 means 0 until time goes by. */
static void check_reading(struct conformance *test, unsigned int size, unsigned int capacity, const char *what)
{
    struct both_ways at;
    char *host = opened(test, &at);
    int i, more = 0, whole;

    if (host == NULL) {
        return;
    }
    for (i = 0; i < test->patience && at.sent < size; i++) {
        if (peer_sends(test, &at, size - (unsigned int)at.sent) <= 0) {
            step(test);
            (void)peer_receives(test, &at, ROOM);
        }
    }
    for (i = 0; i < 100; i++) {
        step(test);
    }
    while (read_some(test, &at, capacity) > 0) {
    }
    whole = at.read == size;
    for (i = 0; i < 20 && !test->fetches; i++) {
        more += read_some(test, &at, capacity) != 0;
    }
    if (test->fetches) {
        told(test, -1, "5: what has arrived is read before the first 0 (the bytes must be fetched)");
    } else {
        holds(test, whole && more == 0 && !test->phase_failed, what);
    }
    holds(test, all_is_read(test, &at, capacity) && !test->phase_failed, "all of it is read");
    closed(test, host);
}

/* Both directions at once, in calls of every size; the rest of a short write comes again in another length. */
static void check_both_ways(struct conformance *test)
{
    static const unsigned int sizes[] = { 1, 2, 30, 300, 1460, 5000, 32767 };
    struct both_ways at;
    char *host = opened(test, &at);
    unsigned long left;
    unsigned int size;
    int idle = 0, moved, i;

    if (host == NULL) {
        return;
    }
    while (idle < test->patience && !at.dead && (at.written < test->volume || at.read < test->volume)) {
        moved = 0;
        size = sizes[any(7)];
        left = test->volume - at.sent;
        if (left > 0 && any(2) != 0) {
            moved |= peer_sends(test, &at, size < left ? size : (unsigned int)left) > 0;
        }
        moved |= read_some(test, &at, sizes[any(7)]) > 0;
        size = sizes[any(7)];
        left = test->volume - at.written;
        if (left > 0) {
            size = size < left ? size : (unsigned int)left;
            moved |= write_some(test, &at, size) > 0;
            if (any(8) == 0 && do_push(test) < 0) {
                at.dead = 1;
            }
        }
        if (any(3) != 0) {
            moved |= peer_receives(test, &at, sizes[any(7)]) > 0;
        }
        idle = moved ? 0 : idle + 1;
        if (!moved || any(4) == 0) {
            step(test);
        }
    }
    for (i = 0; i < test->patience && at.arrived < at.written && push_until(test) > 0; i++) {
        if (peer_receives(test, &at, ROOM) <= 0) {
            step(test);
        }
    }
    holds(test, !at.dead && at.read == test->volume && at.arrived == test->volume && !test->phase_failed,
          "2, 4: both directions at once, in calls of 1 to 32,767 bytes");
    closed(test, host);
}

/* The peer reads nothing: writing stops, reading goes on; then read alone moves what write has taken. */
static void check_full(struct conformance *test)
{
    struct both_ways at;
    char *host = opened(test, &at);
    unsigned int size = 4000, left;
    int zeros = 0, i;

    if (host == NULL) {
        return;
    }
    for (i = 0; zeros < 50 && !at.dead && at.written < test->buffered_most; i++) {
        int answer = write_some(test, &at, size);
        if (answer == 0) {
            zeros++;
            size = 1 + any(4000);                /* the rest, in another length */
            step(test);
        } else {
            zeros = 0;
        }
    }
    holds(test, zeros == 50, "1: write answers 0 when the peer reads nothing");
    holds(test, do_push(test) >= 0, "3: and write of size 0 does not fail");
    while (at.sent < 300 && peer_sends(test, &at, 300 - (unsigned int)at.sent) > 0) {
    }
    holds(test, at.sent == 300 && all_is_read(test, &at, 100), "5: reading goes on while writing is stopped");
    for (i = 0; i < test->patience && at.arrived < at.written; i++) {
        if (peer_receives(test, &at, ROOM) <= 0) {
            step(test);
        } else {
            i = 0;
        }
        (void)read_some(test, &at, 100);
    }
    holds(test, at.arrived >= at.written && !at.dead && !test->phase_failed, "5: read alone moves what write has taken");
    for (i = 0, left = 1000; i < test->patience && left > 0 && !at.dead; i++) {
        int answer = write_some(test, &at, left);
        if (answer > 0) {
            left -= (unsigned int)answer;
        } else {
            step(test);
        }
    }
    holds(test, left == 0 && push_until(test) > 0 && all_arrives(test, &at) && !test->phase_failed, "4: and writing goes on, with the next byte");
    closed(test, host);
}

/* After <0: every call says so again, error tells why, also after close. */
static void check_dead(struct conformance *test, const char *what)
{
    unsigned char byte = 0;
    long raw = 0, later = 0;
    int i, alive = 0, layer;

    layer = do_error(test, &raw);
    for (i = 0; i < 5; i++) {
        alive += do_read(test, NULL, 100) >= 0;
        alive += do_write(test, &byte, 1) >= 0;
        alive += do_push(test) >= 0;
        step(test);
    }
    holds(test, alive == 0, what);
    if (test->io->error == NULL) {
        told(test, -1, "error tells the layer (there is no error)");
    } else {
        holds(test, layer > (int)IOTHUB_LAYER_NONE && layer <= (int)IOTHUB_LAYER_PORT, "error tells the layer of the failure");
        do_close(test);
        holds(test, do_error(test, &later) == layer && later == raw, "error tells the same after close");
    }
}

static void check_end(struct conformance *test)
{
    struct both_ways at;
    char *host = opened(test, &at);
    int i;

    if (host == NULL) {
        return;
    }
    for (i = 0; i < test->patience && at.sent < 500; i++) {
        if (peer_sends(test, &at, 500 - (unsigned int)at.sent) <= 0) {
            step(test);
        }
    }
    test->peer->end(test->peer->context, 0);
    for (i = 0; i < test->patience && !at.dead; i++) {
        if (read_some(test, &at, 100) == 0) {
            step(test);
        }
    }
    holds(test, at.read == 500 && at.dead && !test->phase_failed, "the peer's end comes behind its last byte, as <0");
    check_dead(test, "an ended stream stays dead");
    closed(test, host);
}

/* kind 0: only read notices; 1: only write; 2: both, with bytes on their way */
static void check_cut(struct conformance *test, int kind)
{
    static const char *const what[] = { "a cut is found by read alone", "a cut is found by write alone", "a cut in the middle of both directions" };
    struct both_ways at;
    char *host = opened(test, &at);
    int i;

    if (host == NULL) {
        return;
    }
    if (kind == 2) {
        (void)peer_sends(test, &at, 3000);
        (void)write_some(test, &at, 3000);
    }
    test->peer->end(test->peer->context, 1);
    for (i = 0; i < test->patience && !at.dead; i++) {
        if (kind != 0 && write_some(test, &at, 100) >= 0 && do_push(test) < 0) {
            at.dead = 1;
        }
        if (kind != 1 && !at.dead && read_some(test, &at, 100) > 0) {
            continue;
        }
        step(test);
    }
    holds(test, at.dead, what[kind]);
    check_dead(test, "a cut stream stays dead");
    closed(test, host);
}

static void check_refused(struct conformance *test)
{
    unsigned int port = expect(test, CONFORMANCE_REFUSE);
    char *host;
    struct both_ways at;
    long raw = 0, later = 0;
    int layer, answer;

    if (port == 0) {
        told(test, -1, "7: a refused open");
        return;
    }
    host = new_host(test);
    test->phase_failed = 0;
    answer = open_until(test, host, port);
    layer = do_error(test, &raw);
    holds(test, answer < 0, "7: a refused connection is <0");
    if (test->io->error != NULL) {
        holds(test, layer > (int)IOTHUB_LAYER_NONE && layer <= (int)IOTHUB_LAYER_PORT, "error tells the layer of a refused open");
    }
    do_close(test);
    do_close(test);
    holds(test, test->io->error == NULL || (do_error(test, &later) == layer && later == raw), "error tells the same after close");
    drop_host(host);
    host = opened(test, &at);
    if (holds(test, host != NULL, "7: open again after a refused open")) {
        closed(test, host);
    }
}

static void check_silence(struct conformance *test)
{
    unsigned int port = expect(test, CONFORMANCE_SILENCE);
    char *host;
    struct both_ways at;
    int i, zeros = 0;

    if (port == 0) {
        told(test, -1, "1: a peer that is silent while opening");
        return;
    }
    host = new_host(test);
    test->phase_failed = 0;
    for (i = 0; i < 200; i++) {
        zeros += do_open(test, host, port) == 0;
        step(test);
    }
    holds(test, zeros == 200, "1: open answers 0 while the peer is silent");
    do_close(test);
    do_close(test);
    drop_host(host);
    host = opened(test, &at);
    if (holds(test, host != NULL, "6: close while opening, and open again")) {
        closed(test, host);
    }
}

static void check_close_everywhere(struct conformance *test)
{
    struct both_ways at;
    char *host;
    int calls, i, answer = 0;

    test->phase_failed = 0;
    for (calls = 1; calls < 60 && answer == 0; calls++) {
        unsigned int port = expect(test, CONFORMANCE_ACCEPT);
        host = new_host(test);
        for (i = 0, answer = 0; i < calls && answer == 0; i++) {
            answer = do_open(test, host, port);
            if (answer == 0) {
                step(test);
            }
        }
        if (answer < 0) {
            breaks(test, "open fails after a close in the middle of opening");
        }
        do_close(test);
        do_close(test);
        drop_host(host);
        step(test);
    }
    holds(test, !test->phase_failed, "6: close after each call of open");

    /* with bytes in all places, then a new connection without any of them */
    host = opened(test, &at);
    if (host == NULL) {
        return;
    }
    (void)peer_sends(test, &at, 3000);
    for (i = 0; i < 20; i++) {
        step(test);
    }
    (void)read_some(test, &at, 10);
    (void)write_some(test, &at, 3000);
    (void)write_some(test, &at, 100);
    closed(test, host);
    do_close(test);
    host = opened(test, &at);
    if (host == NULL) {
        return;
    }
    for (i = 0; i < test->patience && at.sent < 50; i++) {
        if (peer_sends(test, &at, 50 - (unsigned int)at.sent) <= 0) {
            step(test);
        }
    }
    for (i = 0; i < 1000 && at.written < 50; i++) {
        if (write_some(test, &at, 50 - (unsigned int)at.written) <= 0) {
            step(test);
        }
    }
    holds(test, push_until(test) > 0 && all_arrives(test, &at) && all_is_read(test, &at, 100) && !test->phase_failed,
          "6: nothing of a closed connection is in the next one");
    closed(test, host);
}

static void check_longest(struct conformance *test)
{
    static const char *const name[] = { "open", "read", "write", "close" };
    char line[120];
    int i;

    if (test->peer->milliseconds == NULL) {
        told(test, -1, "1: the longest call (no real clock; every call returned)");
        return;
    }
    for (i = 0; i < 4; i++) {
        sprintf(line, "1: the longest %s took %lu ms", name[i], test->longest[i]);
        holds(test, test->longest[i] <= test->call_ms_most, line);
    }
}

int conformance_run(struct conformance *test)
{
    test->failures = test->checks = 0;
    memset(test->longest, 0, sizeof test->longest);
    test->volume = test->volume != 0 ? test->volume : 60000ul;
    test->buffered_most = test->buffered_most != 0 ? test->buffered_most : 16000000ul;
    test->call_ms_most = test->call_ms_most != 0 ? test->call_ms_most : 1000ul;
    test->patience = test->patience != 0 ? test->patience : 5000;

    check_closed(test);
    check_small(test);
    check_reading(test, 1000, 1, "5: a thousand bytes, one a call, before the first 0");
    check_reading(test, 5000, ROOM, "5: all that has arrived is read before the first 0");
    check_both_ways(test);
    check_full(test);
    check_end(test);
    check_cut(test, 0);
    check_cut(test, 1);
    check_cut(test, 2);
    check_refused(test);
    check_silence(test);
    check_close_everywhere(test);
    check_longest(test);
    return test->failures;
}

/* ---- The witness ---- */

enum { W_CLOSED, W_OPENING, W_OPEN, W_FAILED };

static void duty(struct conformance_witness *witness, int ok, const char *what)
{
    if (!ok && witness->broken == NULL) {
        witness->broken = what;
    }
}

static int witness_open(void *context, const char *host, unsigned int port)
{
    struct conformance_witness *witness = (struct conformance_witness *)context;
    int answer;

    duty(witness, witness->state == W_CLOSED || witness->state == W_OPENING, "7: open without a close before it");
    if (witness->state == W_CLOSED) {
        witness->port = port;
        witness->host[0] = '\0';
        strncat(witness->host, host, sizeof witness->host - 1);
    }
    duty(witness, witness->port == port && strncmp(witness->host, host, sizeof witness->host - 1) == 0, "6: host or port changed while opening");
    witness->opens++;
    witness->offered = 0;
    answer = witness->below->open(witness->below->context, host, port);
    witness->state = answer < 0 ? W_FAILED : answer > 0 ? W_OPEN : W_OPENING;
    return answer;
}

static int witness_zero(struct conformance_witness *witness)
{
    return witness->zero_every != 0 && ++witness->turn % witness->zero_every == 0;
}

static int witness_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    struct conformance_witness *witness = (struct conformance_witness *)context;
    int answer;

    duty(witness, witness->state == W_OPEN || witness->state == W_FAILED, "read of a stream that is not open");
    duty(witness, capacity > 0 && capacity <= ROOM, "2: read of 0 or more than 32,767 bytes");
    witness->reads++;
    if (witness_zero(witness)) {
        return 0;
    }
    if (witness->read_most != 0 && capacity > witness->read_most) {
        capacity = witness->read_most;
    }
    answer = witness->below->read(witness->below->context, bytes, capacity);
    if (answer < 0) {
        witness->state = W_FAILED;
    }
    return answer;
}

static int witness_write(void *context, const unsigned char *bytes, unsigned int size)
{
    struct conformance_witness *witness = (struct conformance_witness *)context;
    unsigned int same = size < witness->offered ? size : witness->offered;
    int answer;

    duty(witness, witness->state == W_OPEN || witness->state == W_FAILED, "write to a stream that is not open");
    duty(witness, size <= ROOM, "2: write of more than 32,767 bytes");
    duty(witness, memcmp(bytes, witness->offer, same) == 0, "4: other bytes than those offered before");
    witness->writes++;
    if (size == 0) {
        return witness->below->write(witness->below->context, bytes, size);
    }
    if (size > same) {
        witness->offered = size < (unsigned int)CONFORMANCE_REMEMBERED ? size : (unsigned int)CONFORMANCE_REMEMBERED;
        memcpy(witness->offer, bytes, witness->offered);
    }
    if (witness_zero(witness)) {
        return 0;
    }
    if (witness->write_most != 0 && size > witness->write_most) {
        size = witness->write_most;
    }
    answer = witness->below->write(witness->below->context, bytes, size);
    if (answer > 0) {
        witness->offered -= (unsigned int)answer < witness->offered ? (unsigned int)answer : witness->offered;
        memmove(witness->offer, witness->offer + answer, witness->offered);
    }
    if (answer < 0) {
        witness->state = W_FAILED;
    }
    return answer;
}

static void witness_close(void *context)
{
    struct conformance_witness *witness = (struct conformance_witness *)context;

    witness->closes++;
    witness->state = W_CLOSED;
    witness->offered = 0;
    witness->below->close(witness->below->context);
}

static int witness_set_option(void *context, const char *name, const void *value)
{
    struct conformance_witness *witness = (struct conformance_witness *)context;
    return witness->below->set_option != NULL ? witness->below->set_option(witness->below->context, name, value) : 1;
}

static int witness_error(void *context, long *raw)
{
    struct conformance_witness *witness = (struct conformance_witness *)context;
    return witness->below->error != NULL ? witness->below->error(witness->below->context, raw) : (int)IOTHUB_LAYER_NONE;
}

const IOTHUB_IO *conformance_witness_begin(struct conformance_witness *witness, const IOTHUB_IO *below)
{
    witness->below = below;
    witness->broken = NULL;
    witness->state = W_CLOSED;
    witness->offered = 0;
    witness->io.context = witness;
    witness->io.open = witness_open;
    witness->io.read = witness_read;
    witness->io.write = witness_write;
    witness->io.close = witness_close;
    witness->io.set_option = witness_set_option;
    witness->io.error = witness_error;
    return &witness->io;
}
