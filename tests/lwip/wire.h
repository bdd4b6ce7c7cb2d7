/* Two hosts and the network between them, in one process and in virtual time. Both hosts are one lwIP: the device's netif and
   the hub's netif are joined here, packet by packet, and every misfortune of a packet comes from a seed. The hub's side has
   a name server, too. Nothing in here reads a real clock or a real random source. */
#ifndef WIRE_H
#define WIRE_H

#include "lwip/ip_addr.h"
#include <stdint.h>

#define WIRE_NEVER UINT64_MAX

enum { WIRE_UP, WIRE_DOWN };                     /* from the device to the hub; from the hub to the device */
enum { RESOLVER_ANSWERS, RESOLVER_DENIES, RESOLVER_SILENT };

/* What may happen to one packet. RESET: a reset arrives in its place. DEAD: the link is dead from this packet on. */
enum { STRIKE_NONE, STRIKE_LOSE, STRIKE_DOUBLE, STRIKE_LATE, STRIKE_DAMAGE, STRIKE_RESET, STRIKE_DEAD, STRIKES };

typedef struct wire_manners {
    unsigned delay_ms, spread_ms;                /* of each packet: drawn, so that one overtakes another */
    unsigned batch_ms;                           /* packets arrive together, at multiples of it; 0: as they come */
    unsigned lost, doubled, damaged;             /* percent */
    unsigned no_memory;                          /* percent of allocations that fail */
    unsigned no_buffer;                          /* percent of packets that a driver does not take */
    int dead[2];                                 /* nothing passes, in this direction */
    int dead4;                                   /* no TCP over IPv4 passes */
    int resolver;
    unsigned resolver_ms;
    int no_ipv4, no_ipv6;                        /* the resolver knows no such address */
} wire_manners;

typedef struct wire_state {
    uint64_t now;
    uint64_t hash;                               /* of each packet: when, whence, its size, its flags, what became of it */
    int trace;
    wire_manners manners;
    unsigned packets;                            /* so far */
    unsigned strike_at;                          /* the packet that is struck; 0: none */
    int strike;
    uint64_t dead_until;                         /* of STRIKE_DEAD */
    uint64_t lookups_until;                      /* the timer of name lookups is needed until then */
    unsigned queries;                            /* that came to the name server */
    unsigned fail_at;                            /* this allocation from now on fails; 0: none */
    unsigned allocations;                        /* pieces of lwIP's memory that are in use */
} wire_state;

extern wire_state wire;
extern ip_addr_t wire_device, wire_device6, wire_hub, wire_hub6;

void wire_begin(uint64_t seed);                  /* all connections are gone, all packets too, it is 0 o'clock, good manners */
uint64_t wire_next(void);                        /* when something happens */
void wire_work(void);                            /* lets happen what is due */
void wire_run(uint64_t until);
void wire_mtu(unsigned mtu);                      /* of both ends; 41 lets one byte of TCP through at a time */
void wire_hole(unsigned device_port, int up, int down); /* packets of this port are swallowed */
unsigned wire_draw(unsigned below);
unsigned wire_left_over(void);                   /* pieces of memory that should be free by now */
unsigned wire_pcbs(int of_device);               /* connections of one host that lwIP keeps, TIME-WAIT left out */

#endif
