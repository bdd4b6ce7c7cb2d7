/* conformance.h - does a port keep the contract of IOTHUB_IO? One test for all ports, plain C (C89) or C++.

   A port that is to be tried gives its stream, and a peer: the other end of the connection, which the test of the port brings
   (a server socket, a TLS server, a scripted modem). The peer may live in real time or in virtual time:

       struct conformance_peer peer = { &my, my_expect, my_send, my_receive, my_end, my_step, NULL };
       struct conformance test = { "lwip", &stream, "hub.localhost", &peer };
       test.tell = my_tell;                      one call for each check
       failures = conformance_run(&test);

   WHAT IS TRIED, by the numbers of the rules above IOTHUB_IO in iothub_client.h:
     1  no call blocks: with a peer that is silent, refuses, reads nothing or sends nothing every call returns; the longest is told
     2  no answer is larger than what was asked, no byte beyond it is touched
     3  write of size 0: >0 at once when nothing is held; once it answered >0 everything arrives without a further call
     4  bytes once offered: after 0 or a short count the rest is offered again, from another address, in another length
     5  read: after a 0 nothing more comes until time goes by; what waits is given before the first 0; read alone moves what write
        has taken; a write that answers 0 does not stop reading
     6  host is not looked at after close; close in every state and twice; nothing of an old connection is in the next one
     7  open again after a refused open, after a death, after a close
     and: a dead stream stays dead; error has a layer for each failure and keeps it until the next open; an unknown option is >0.

   conformance_witness goes below a filter (TLS, proxy): it makes the stream there narrow, and checks that the filter keeps the
   caller's half of the same contract. */

#ifndef IOTHUB_TESTS_PORTS_CONFORMANCE_H
#define IOTHUB_TESTS_PORTS_CONFORMANCE_H

#include "iothub_client.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {                                           /* what the peer does with the next connection */
    CONFORMANCE_ACCEPT,
    CONFORMANCE_REFUSE,                          /* open fails */
    CONFORMANCE_SILENCE                          /* open is never decided */
};

struct conformance_peer {
    void *context;
    /* Drops the present connection, makes ready for the next one, and answers the port number that open is to be given.
       0: this peer cannot do that; the checks are told as not shown. */
    unsigned int (*expect)(void *context, int how);
    /* >0 bytes taken, 0 none now, <0 there is no connection. What is taken arrives while step is called. */
    int (*send)(void *context, const unsigned char *bytes, unsigned int size);
    /* >0 bytes, 0 none now, <0 the port closed. A peer that is not asked must not read either: that is how writing is stopped. */
    int (*receive)(void *context, unsigned char *bytes, unsigned int capacity);
    /* Ends the connection: in order, behind what was sent; or (cut) without a word, losing what was on its way. */
    void (*end)(void *context, int cut);
    /* Lets about a millisecond go by, in real or virtual time, and everything move that is not the port under test. */
    void (*step)(void *context);
    /* A real clock for rule 1, or NULL: then only the number of calls is bounded. */
    unsigned long (*milliseconds)(void *context);
};

struct conformance {
    const char *name;
    const IOTHUB_IO *io;                         /* closed; options (trust ...) are set */
    const char *host;
    const struct conformance_peer *peer;
    void (*tell)(void *context, int ok, const char *what);      /* ok: 1 holds, 0 broken, -1 not shown here */
    void *tell_context;
    unsigned long volume;                        /* bytes each way in the long checks; 0: 60,000 */
    unsigned long buffered_most;                 /* more than so many bytes without a reader: it never says 0; 0: 16 MB */
    unsigned long call_ms_most;                  /* longest call that is allowed, by the real clock; 0: 1,000 */
    int patience;                                /* steps until something must have happened; 0: 5,000 */
    int fetches;                                 /* 1: below is a device that must be asked for bytes (a modem), so that read may
                                                    answer 0 although they have arrived there */
    /* the test's own */
    int failures, checks;
    unsigned long longest[4];                    /* milliseconds of open, read, write, close */
    int phase_failed;
};

/* Runs every check; answers the number of broken ones. */
int conformance_run(struct conformance *test);

/* ---- Below a filter ---- */

enum { CONFORMANCE_REMEMBERED = 1024 };

struct conformance_witness {                     /* zeros: nothing is narrow */
    const IOTHUB_IO *below;
    unsigned int read_most, write_most;          /* bytes of one call; 0: any */
    unsigned int zero_every;                     /* each n-th read or write answers 0; 0: none */
    const char *broken;                          /* the first duty that the caller above broke, or NULL */
    unsigned long reads, writes, opens, closes;
    IOTHUB_IO io;                                /* what conformance_witness_begin answers */
    unsigned int turn, offered;
    int state;
    unsigned int port;
    char host[256];
    unsigned char offer[CONFORMANCE_REMEMBERED];
};

const IOTHUB_IO *conformance_witness_begin(struct conformance_witness *witness, const IOTHUB_IO *below);

#ifdef __cplusplus
}
#endif

#endif
