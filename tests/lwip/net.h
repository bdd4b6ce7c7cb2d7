/* What the named faults and the random lives ask of the stream over lwIP (stream.c), beside what tests/sim/sim.h says of it. */
#ifndef NET_H
#define NET_H

#include "sim.h"

typedef struct net_manners {
    unsigned hub_part;                           /* the hub sends no more bytes than this in a packet; 0: what fits */
    unsigned hub_takes, hub_takes_every_ms;      /* the hub takes so many bytes so often, and opens its window by them; 0: all */
} net_manners;

extern net_manners net;

unsigned net_port(void);                         /* of the device's end of the newest connection */
void net_calm(sim_life *life);                   /* the network's faults are over; what the wire kept for them is given back */

extern const sim_case net_cases[];
extern const unsigned net_case_count;
int net_random(sim_life *life, uint64_t seed);   /* a whole random life, twice: 1 kept every promise */
void net_end(sim_life *life);                    /* the life is over: lwIP has nothing of it any more */

#endif
