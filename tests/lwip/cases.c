/* FI-01, FI-03, FI-11 and FI-12 once more, at packet level: the scripts are others than in tests/sim/cases.c, the client, the hub
   and the invariants are the same. And random lives on a random network. */
#include "net.h"
#include "wire.h"
#include <string.h>

static void finish(sim_life *life)
{
    net_calm(life);
    recover(life);
    net_end(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- FI-01: the link is cut at any byte, at any packet ---- */

/* A whole session: name lookup, connect, messages, a message of the hub's, a ping, a planned reconnect. Answers the bytes of its
   first connection, up and down, and its packets. */
static void whole_session(sim_life *life, int up, size_t at, int kind, size_t size[2], unsigned *packet_count)
{
    unsigned strike_at = wire.strike_at;
    int strike = wire.strike;
    life_begin(life, 1);
    wire.strike_at = strike_at;
    wire.strike = strike;
    life->setup.send_every_ms = 0;
    life->setup.keep_alive_s = 20;
    life->manners.cut_up = up;
    life->manners.cut_at = at;
    life->manners.cut_kind = kind;
    life->faulty = 1;
    life_open(life);
    send(life, 3);
    life_run(life, SECONDS(3));
    if (life->stream.now != NULL && life->stream.now->accepted && life->stream.now->hub_open) {
        hub_send_unasked(life, life->stream.now, 1, 30);
    }
    send(life, 3);
    life_run(life, SECONDS(25));
    size[0] = life->stream.now != NULL ? life->stream.now->down.put : 0;
    size[1] = life->stream.now != NULL ? life->stream.now->up.put + 2u : 0; /* and DISCONNECT */
    device_set_keep_alive(life, 30);
    life_run(life, SECONDS(2));
    *packet_count = wire.packets;
}

static void fi_01_bytes(sim_life *life)
{
    size_t whole[2], cut[2], at;
    unsigned count;
    int kind, up;
    wire.strike_at = 0;
    whole_session(life, 0, 0, 0, whole, &count);
    expect(life, whole[1] > 500 && whole[0] > 100, "the session is not whole");
    expect(life, device_statistic(life, STATISTIC_PINGS) == 1 && device_statistic(life, STATISTIC_UNHANDLED) == 1, "the session is not whole");
    expect(life, connections(life) == 2, "the session is not whole");
    finish(life);
    for (kind = 1; kind <= 2; ++kind) {          /* ends; is reset */
        for (up = 0; up < 2; ++up) {
            for (at = 0; at <= whole[up]; ++at) {
                whole_session(life, up, at, kind, cut, &count);
                finish(life);
            }
        }
    }
}

/* What happens to one packet costs no connection, unless it is a reset or the link is dead for long. */
static void fi_01_packets(sim_life *life)
{
    size_t size[2];
    unsigned count, whole, at;
    int strike;
    wire.strike_at = 0;
    whole_session(life, 0, 0, 0, size, &whole);
    expect(life, whole > 25, "the session has hardly a packet");
    finish(life);
    for (strike = STRIKE_LOSE; strike < STRIKES; ++strike) {
        for (at = 1; at <= whole; ++at) {
            wire.strike = strike;
            wire.strike_at = at;
            whole_session(life, 0, 0, 0, size, &count);
            finish(life);
            if (strike < STRIKE_RESET) expect(life, life->failed_at == 0, "one packet costs the connection");
        }
    }
}

/* ---- FI-03: half-open ---- */

/* Packets of this connection are swallowed: all of them, or those in one direction. Both ends go on as if nothing was. */
static void fi_03(sim_life *life)
{
    unsigned keep_alive, ways;
    for (ways = 1; ways <= 3; ++ways) {
        for (keep_alive = 20; keep_alive <= 120; keep_alive += 50) {
            uint64_t from;
            life_begin(life, 30);
            life->setup.keep_alive_s = keep_alive;
            life->setup.slots = 64;
            life_open(life);
            life_run(life, SECONDS(30));
            expect(life, device_state(life) == STATE_READY && life->device.settled != 0, "not ready after 30 seconds");
            life->stream.now->hurt = 1;
            life->stream.now->up.lost = life->stream.now->down.lost = 1;
            wire_hole(net_port(), ways & 1u, ways >> 1 & 1u);
            from = life->now;
            while (life->failed_at == 0 && life->now < from + SECONDS(400)) {
                life_step(life);
            }
            expect(life, life->failed_at - from <= SECONDS(keep_alive + 60u) + 100u, "a dead link is noticed too late");
            expect(life, wire_pcbs(1) <= 1u, "the dead connection stays with lwIP");
            life_run(life, SECONDS(5));
            expect(life, connections(life) == 2, "no new connection");
            finish(life);
        }
    }
}

/* ---- FI-11: writes are short, for the reasons that TCP has ---- */

static void fi_11(sim_life *life)
{
    static const unsigned parts[] = { 1, 2, 3, 7, 64, 536 };
    static const struct { unsigned takes, every_ms; } hubs[] = { { 0, 0 }, { 1, 5 }, { 40, 400 }, { 2000, 15000 } };
    unsigned part, hub, memory;
    for (part = 0; part < 6; ++part) {           /* bytes of a packet: a path with a small MTU */
        for (hub = 0; hub < 4; ++hub) {          /* a hub that reads slowly closes its window */
            for (memory = 0; memory < 2; ++memory) { /* lwIP finds no memory, its driver no buffer, now and then */
                life_begin(life, 110 + part);
                wire_mtu(40u + parts[part]);
                net.hub_takes = hubs[hub].takes;
                net.hub_takes_every_ms = hubs[hub].every_ms;
                wire.manners.no_memory = wire.manners.no_buffer = memory * 5u;
                life->setup.in_flight = 64;
                life_open(life);
                send(life, 10);
                life_run(life, SECONDS(200));
                expect(life, connections(life) == 1 && attempts(life) == 1, "short writes cost the connection");
                expect(life, life->device.settled >= 10, "messages do not get through short writes");
                finish(life);
            }
        }
    }
}

/* ---- FI-12: reads are split and put together, by packets of any size at any time ---- */

static void fi_12(sim_life *life)
{
    static const unsigned parts[] = { 0, 1, 2, 3, 5, 8, 13, 64 };
    unsigned part, way;
    for (part = 0; part < 8; ++part) {
        for (way = 0; way < 4; ++way) {
            life_begin(life, 120 + part);
            net.hub_part = parts[part];
            wire.manners.spread_ms = way == 1 ? 200 : 0; /* one overtakes another */
            wire.manners.doubled = way == 1 ? 20 : 0;
            wire.manners.batch_ms = way == 2 ? 700 : 0; /* many at a time */
            wire.manners.lost = way == 3 ? 3 : 0;
            life->hub.session_present = 1;
            life_open(life);
            send(life, 10);
            life_run(life, SECONDS(100));
            expect(life, life->stream.now != NULL && device_state(life) == STATE_READY, "not ready");
            hub_send_unasked(life, life->stream.now, part & 1u, 100);
            life_run(life, SECONDS(100));
            expect(life, attempts(life) == 1 && life->device.settled >= 10, "split reads cost the connection");
            expect(life, device_statistic(life, STATISTIC_UNHANDLED) == 2, "a message of the hub's is miscounted");
            finish(life);
        }
    }
}

const sim_case net_cases[] = {
    { "FI-01-bytes", "a session cut at each byte, both ways, by an end and by a reset", fi_01_bytes },
    { "FI-01-packets", "a session of which each packet is lost, doubled, late, damaged, a reset; or the link dies there", fi_01_packets },
    { "FI-03", "a half-open connection: both directions swallowed, or one", fi_03 },
    { "FI-11", "short writes: small packets, a closed window, no memory", fi_11 },
    { "FI-12", "split and joined reads: small packets, out of order, in bursts", fi_12 }
};
const unsigned net_case_count = sizeof net_cases / sizeof net_cases[0];

/* ---- random lives ---- */

enum { TROUBLE_NETWORK, TROUBLE_DEAD, TROUBLE_DEAD_ONE_WAY, TROUBLE_HOLE, TROUBLE_RESET, TROUBLE_HUB_RESETS, TROUBLE_HUB_CLOSES,
    TROUBLE_RESOLVER, TROUBLE_MEMORY, TROUBLE_MTU, TROUBLE_SLOW_HUB, TROUBLE_PARTS, TROUBLE_LISTENS_NOT, TROUBLE_OVER, TROUBLES };

static void draw_network(sim_random *r)
{
    wire.manners.delay_ms = chance(r, 70) ? between(r, 1, 150) : between(r, 150, 1500);
    wire.manners.spread_ms = chance(r, 50) ? 0 : between(r, 1, 600);
    wire.manners.batch_ms = chance(r, 80) ? 0 : between(r, 10, 2000);
    wire.manners.lost = chance(r, 40) ? 0 : between(r, 1, 25);
    wire.manners.doubled = chance(r, 70) ? 0 : between(r, 1, 25);
    wire.manners.damaged = chance(r, 80) ? 0 : between(r, 1, 10);
}

static void trouble(sim_life *life, sim_random *r)
{
    unsigned kind = below(r, TROUBLES);
    sim_connection *c = life->stream.now;
    note(life, EVENT_FAULT_ENDS, kind, 0, 0);
    if (c != NULL) {
        c->hurt = 1;
    }
    switch (kind) {
    case TROUBLE_NETWORK:
        draw_network(r);
        break;
    case TROUBLE_DEAD:
        wire.manners.dead[WIRE_UP] = wire.manners.dead[WIRE_DOWN] = 1;
        break;
    case TROUBLE_DEAD_ONE_WAY:
        wire.manners.dead[below(r, 2)] = 1;
        break;
    case TROUBLE_HOLE:
        if (c != NULL) {
            connection_lose(c);
        }
        break;
    case TROUBLE_RESET:
        wire.strike = STRIKE_RESET;
        wire.strike_at = wire.packets + between(r, 1, 20);
        break;
    case TROUBLE_HUB_RESETS:
        if (c != NULL) {
            connection_reset(life, c);
        }
        break;
    case TROUBLE_HUB_CLOSES:
        if (c != NULL && c->hub_open) {
            hub_close(life, c, 6);
        }
        break;
    case TROUBLE_RESOLVER:
        wire.manners.resolver = (int)below(r, 3);
        wire.manners.resolver_ms = between(r, 0, 5000);
        wire.manners.no_ipv4 = chance(r, 30);
        break;
    case TROUBLE_MEMORY:
        wire.manners.no_memory = between(r, 0, 30);
        wire.manners.no_buffer = between(r, 0, 30);
        break;
    case TROUBLE_MTU:
        wire_mtu(between(r, 70, 600));           /* IPv6 has 60 bytes of headers */
        break;
    case TROUBLE_SLOW_HUB:
        net.hub_takes = between(r, 1, 300);
        net.hub_takes_every_ms = between(r, 1, 500);
        break;
    case TROUBLE_PARTS:
        net.hub_part = between(r, 1, 100);
        break;
    case TROUBLE_LISTENS_NOT:
        wire.manners.dead4 = 1;
        break;
    default:
        net_calm(life);
        break;
    }
}

/* The life of tests/sim/life.c, with what the network does in place of its faults. */
static void one_life(sim_life *life, uint64_t seed)
{
    sim_random *r = &life->fault_random;
    unsigned count, i;
    life_begin(life, seed);
    life->faulty = 1;
    setup_draw(life);
    life->setup.step = STEP_LAZY;
    if (chance(r, 60)) {
        life->setup.features = FEATURE_ALL;
        life->setup.inbox = 16000;
        life->setup.outbox_bytes = life->setup.outbox_bytes < 600u ? 600u : life->setup.outbox_bytes;
        life->setup.module = chance(r, 25);
        life->setup.service_every_ms = between(r, 1000, 30000);
        life->setup.chore_every_ms = between(r, 2000, 60000);
        life->setup.holds = chance(r, 60) ? 0 : between(r, 10, 90);
        life->setup.large = chance(r, 70) ? 0 : between(r, 1, 20);
    }
    life->hub.acknowledge_spread_ms = chance(r, 50) ? 0 : between(r, 1, 400);
    life->hub.early = chance(r, 50);
    life->hub.suback_ms = chance(r, 70) ? 0 : between(r, 1, 500);
    life->hub.twin_ms = between(r, 0, 100);
    life->hub.ids = below(r, 3);
    life->calm_hub = life->hub;
    draw_network(r);
    life->manners.open_ms = 4000;                /* how long a good network takes: two lookups, a handshake, one of them twice */
    life->manners.latency_ms = wire.manners.delay_ms;
    life->calm_manners = life->manners;
    life_open(life);
    count = between(r, 3, 25);
    for (i = 0; i < count && !life->device.destroyed; ++i) {
        life_run(life, between(r, 1, chance(r, 50) ? 5000 : 120000));
        if (!life->device.destroyed) {
            trouble(life, r);
        }
    }
    if (!life->device.destroyed) {
        life_run(life, between(r, 1, 60000));
    }
    if (!life->device.destroyed) {
        net_calm(life);
        recover(life);
    }
    net_end(life);
}

int net_random(sim_life *life, uint64_t seed)
{
    uint64_t hash, packets;
    if (setjmp(life->failed) != 0) {
        return 0;
    }
    one_life(life, seed);
    hash = life->hash;
    packets = wire.hash;
    one_life(life, seed);
    if (life->hash != hash || wire.hash != packets) fail(life, 9, "run twice, it gives two traces");
    return 1;
}
