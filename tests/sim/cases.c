/* The named faults: FI-.. of the project's table of what real fleets hit. Each is a life with a script; all the invariants
   hold in it as in any other, and it adds a rule of its own. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define HOURS(n) SECONDS(3600u * (uint64_t)(n))

void expect(sim_life *life, int condition, const char *rule)
{
    if (!condition) fail(life, 10, "%s", rule);
}

/* ---- what the scripts are made of ---- */

unsigned connections(const sim_life *life)
{
    return device_statistic(life, STATISTIC_CONNECTIONS);
}

unsigned attempts(const sim_life *life)
{
    return device_statistic(life, STATISTIC_ATTEMPTS);
}

void open_quiet(sim_life *life)
{
    life->setup.send_every_ms = 0;
    life_open(life);
    life_run(life, SECONDS(2));
    expect(life, device_state(life) == STATE_READY, "not ready after two seconds");
}

void recover(sim_life *life)
{
    life_heal(life);
    life_finish(life);
}

void send(sim_life *life, unsigned count)
{
    while (count-- != 0) {
        device_send(life, 40);
    }
}

/* Every message was confirmed OK, but for one that life_finish may send right before it destroys the client. */
int all_ok(const sim_life *life)
{
    const unsigned *outcomes = life->device.by_outcome;
    return outcomes[0] + outcomes[1] == life->device.count && outcomes[1] <= 1;
}

/* ---- FI-01: the link is cut at any byte ---- */

/* A whole session: connect, messages, a message of the hub's, a ping, a planned reconnect. Answers the bytes of its first
   connection, up and down; uncut they are all that it has, but for the two of DISCONNECT. */
static void whole_session(sim_life *life, int up, size_t at, int kind, size_t size[2])
{
    life_begin(life, 1);
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
    size[1] = life->stream.now != NULL ? life->stream.now->up.put + 2u : 0;
    device_set_keep_alive(life, 30);
    life_run(life, SECONDS(1));
}

static void fi_01(sim_life *life)
{
    size_t whole[2], cut[2], at;
    int kind, up;
    whole_session(life, 0, 0, 0, whole);
    expect(life, whole[1] > 500 && whole[0] > 100, "the session is not whole");
    expect(life, device_statistic(life, STATISTIC_PINGS) == 1 && device_statistic(life, STATISTIC_UNHANDLED) == 1, "the session is not whole");
    recover(life);
    for (kind = 1; kind <= 2; ++kind) {
        for (up = 0; up < 2; ++up) {
            for (at = 0; at <= whole[up]; ++at) {
                whole_session(life, up, at, kind, cut);
                recover(life);
                expect(life, all_ok(life), "a message is lost");
            }
        }
    }
}

/* ---- FI-02: power-up before the network ---- */

static void fi_02(sim_life *life)
{
    static const unsigned seconds[] = { 1, 60, 3600, 86400 };
    unsigned i;
    for (i = 0; i < 4; ++i) {
        life_begin(life, 20 + i);
        life->manners.open_fails = 1;
        life_open(life);
        life_run(life, SECONDS(seconds[i]));
        expect(life, connections(life) == 0, "connected without a network");
        expect(life, attempts(life) >= seconds[i] / 136u, "it does not try");
        life->manners.open_fails = 0;
        life_run(life, SECONDS(device_retry_cap_s(life, 0) + 1u));
        expect(life, connections(life) == 1, "the first open that succeeds does not connect");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-03: half-open ---- */

static void fi_03(sim_life *life)
{
    unsigned keep_alive;
    for (keep_alive = 20; keep_alive <= 120; keep_alive += 50) {
        uint64_t from;
        life_begin(life, 30);
        life->setup.keep_alive_s = keep_alive;
        life->setup.slots = 64;
        life_open(life);
        life_run(life, SECONDS(30));
        connection_lose(life->stream.now);
        from = life->now;
        while (life->failed_at == 0 && life->now < from + SECONDS(400)) {
            life_step(life);
        }
        expect(life, life->failed_at - from <= SECONDS(keep_alive + 60u) + 100u, "a dead link is noticed too late");
        life_run(life, SECONDS(5));
        expect(life, connections(life) == 2, "no new connection");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-04: late and lost PINGRESP ---- */

static void fi_04(sim_life *life)
{
    life_begin(life, 40);
    life->setup.keep_alive_s = 60;
    life->setup.credential = CREDENTIAL_X509;
    open_quiet(life);
    life_run(life, HOURS(1));
    expect(life, device_statistic(life, STATISTIC_PINGS) == 59 || device_statistic(life, STATISTIC_PINGS) == 60, "an hour at 60 s has 60 pings");
    life->hub.ping_ms = 55000;                   /* late, but in time; then twice */
    life_run(life, HOURS(1));
    life->hub.ping_ms = 1;
    life->hub.ping_twice = 1;
    life_run(life, HOURS(1));
    expect(life, connections(life) == 1, "a late or repeated PINGRESP costs the connection");
    life->hub.ping_never = 1;
    life_run(life, SECONDS(60 + 60 + 1));
    life->hub.ping_never = 0;
    expect(life, life->failed_at != 0, "a lost PINGRESP goes unnoticed");
    life_run(life, SECONDS(3));
    expect(life, connections(life) == 2, "no new connection");
    recover(life);
}

/* ---- FI-05: accepted, then closed ---- */

static void fi_05(sim_life *life)
{
    unsigned first, second;
    life_begin(life, 50);
    life->hub.connack_closes = 1;
    life_open(life);
    life_run(life, HOURS(1));
    first = attempts(life);
    life_run(life, HOURS(1));
    second = attempts(life) - first;
    expect(life, first <= 60 && second <= 45 && second >= 10, "flapping is not slowed down");
    life->hub.connack_closes = 0;
    life_run(life, SECONDS(device_retry_cap_s(life, 1) + 2u));
    expect(life, device_state(life) == STATE_READY, "not ready after the cap");
    life_run(life, SECONDS(600));                /* a lasting connection: the count starts anew */
    first = connections(life);
    connection_reset(life, life->stream.now);
    life_run(life, SECONDS(3));
    expect(life, connections(life) == first + 1u, "a loss after stable uptime is not answered at once");
    recover(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- FI-06: two devices with one id ---- */

static void fi_06(sim_life *life)
{
    sim_life *other = (sim_life *)calloc(1, sizeof *other);
    unsigned i, hour;
    long raw;
    int suspected = 0;
    sim_life *both[2];
    memcpy(&other->failed, &life->failed, sizeof other->failed);
    both[0] = life;
    both[1] = other;
    for (i = 0; i < 2; ++i) {
        life_begin(both[i], 60 + i);
        both[i]->name = life->name;
        both[i]->registry = &life->own_registry;
        life_open(both[i]);
    }
    for (hour = 1; hour <= 3; ++hour) {
        unsigned before = attempts(life) + attempts(other);
        while (life->now < HOURS(hour) || other->now < HOURS(hour)) {
            life_step(life_next(life) <= life_next(other) ? life : other);
            suspected |= device_error(life, &raw) == device_takeover_code();
        }
        expect(life, attempts(life) + attempts(other) - before <= (hour == 1 ? 160u : 90u), "the fight is not slowed down");
    }
    expect(life, suspected, "nobody is told that the identity may be in use");
    device_destroy(other);
    life->registry->holder = NULL;
    life_free(other);
    free(other);
    recover(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- FI-07: refusals ---- */

static void fi_07(sim_life *life)
{
    static const unsigned reasons[] = { 5, 2, 1, 2, 2, 5 }; /* COMMUNICATION_ERROR, BAD_CREDENTIAL, DEVICE_DISABLED ... */
    unsigned code;
    long raw;
    for (code = 1; code <= 6; ++code) {
        life_begin(life, 70 + code);
        life->setup.send_every_ms = 600000;
        life->setup.slots = 64;
        life->hub.connack_code = code;
        life_open(life);
        life_run(life, HOURS(2));
        expect(life, attempts(life) >= 15 && attempts(life) <= 120, "refusals are not answered by slow attempts");
        expect(life, life->device.signatures == attempts(life), "not one token for each attempt");
        expect(life, life->device.last_reason == reasons[code - 1], "another reason than the code's");
        device_error(life, &raw);
        expect(life, raw == (long)code, "the code is not told");
        life->hub.connack_code = 0;
        life_run(life, SECONDS(device_retry_cap_s(life, 1) + 2u));
        expect(life, device_state(life) == STATE_READY, "not ready after the cap");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-08: renewal with acknowledgements on their way ---- */

static void fi_08(sim_life *life)
{
    unsigned unacknowledged, policy;
    for (policy = 0; policy < 2; ++policy) {
        for (unacknowledged = 0; unacknowledged <= 8; ++unacknowledged) {
            life_begin(life, 80 + unacknowledged);
            life->setup.lifetime_s = 600;
            life->setup.policy = policy;         /* 1: NONE, which a renewal does not ask */
            open_quiet(life);
            while (device_statistic(life, STATISTIC_RENEWALS) == 0 && life->now < SECONDS(600)) {
                life_run(life, SECONDS(1));
                life->hub.acknowledge_ms = life->now < SECONDS(400) ? 5 : unacknowledged % 2 != 0 ? 4000 : 40000;
                if (life->now >= SECONDS(415) && life->device.count < unacknowledged) {
                    send(life, unacknowledged);
                }
            }
            expect(life, device_statistic(life, STATISTIC_RENEWALS) == 1, "no renewal at 70 to 80 % of the lifetime");
            life_run(life, SECONDS(60));
            expect(life, connections(life) == 2 && life->failed_at == 0, "a renewal is a failure");
            life_run(life, SECONDS(100));
            expect(life, life->device.settled == unacknowledged, "a message is stuck after a renewal");
            device_set_policy(life, 5, 0);
            recover(life);
            expect(life, all_ok(life), "a message is lost");
        }
    }
}

/* ---- FI-09: the wall clock ---- */

static void fi_09(sim_life *life)
{
    static const int64_t jumps[] = { -946080000, -31536000, -3600, 3600, 31536000, 630720000 };
    unsigned i;
    life_begin(life, 90);
    life->wall_unknown = 1;
    life_open(life);
    life_run(life, HOURS(5));
    expect(life, attempts(life) == 0 && life->device.signatures == 0, "an attempt without the time");
    life->wall_unknown = 0;
    life->wall_offset = -1893452000;             /* 1970 */
    life_run(life, HOURS(5));
    expect(life, attempts(life) == 0, "an attempt in 1970");
    life->wall_offset = 0;
    life_run(life, SECONDS(3));
    expect(life, connections(life) == 1, "not ready when the time is known");
    recover(life);
    for (i = 0; i < 6; ++i) {
        life_begin(life, 91 + i);
        life->setup.wall_start = i == 3 ? 0x7FFFFF00u : i == 4 ? 0xE0000000u : WALL_START;
        open_quiet(life);
        life->wall_offset = jumps[i];
        life_run(life, HOURS(1));                /* longer than a token lives */
        if (jumps[i] >= -31536000) {
            expect(life, device_statistic(life, STATISTIC_RENEWALS) >= 1, "no renewal although the token's life is over");
        }
        life->wall_offset = 0;
        recover(life);
    }
}

/* ---- FI-11, FI-12: writes and reads of any size ---- */

static void fi_11(sim_life *life)
{
    static const unsigned limits[] = { 0, 1, 2, 3, 7, 64 };
    unsigned limit, refuses, record, half;
    for (limit = 0; limit < 6; ++limit) {
        for (refuses = 0; refuses < 3; ++refuses) {
            for (record = 0; record < 3; ++record) {
                for (half = 0; half < 2; ++half) {
                    life_begin(life, 110 + limit);
                    life->manners.write_limit = limits[limit];
                    life->manners.refuse_percent = refuses * 45u;
                    life->manners.record = record * 50u;
                    life->manners.half_duplex = (int)half;
                    life_open(life);
                    send(life, 10);
                    life_run(life, SECONDS(120));
                    expect(life, connections(life) == 1 && attempts(life) == 1, "short writes cost the connection");
                    expect(life, life->device.settled >= 10, "messages do not get through short writes");
                    recover(life);
                    expect(life, all_ok(life), "a message is lost");
                }
            }
        }
    }
}

static void fi_12(sim_life *life)
{
    unsigned limit;
    for (limit = 0; limit <= 9; ++limit) {
        life_begin(life, 120 + limit);
        life->manners.read_limit = limit;
        life->manners.ragged = limit == 9;
        life->hub.session_present = 1;
        life_open(life);
        send(life, 10);
        life_run(life, SECONDS(60));
        hub_send_unasked(life, life->stream.now, limit & 1u, 100);
        life_run(life, SECONDS(60));
        expect(life, attempts(life) == 1 && life->device.settled >= 10, "split reads cost the connection");
        expect(life, device_statistic(life, STATISTIC_UNHANDLED) == 2, "a message of the hub's is miscounted");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-13: larger than the inbox ---- */

static void fi_13(sim_life *life)
{
    unsigned qos;
    for (qos = 0; qos < 2; ++qos) {
        life_begin(life, 130);
        life->setup.inbox = 128;
        life_open(life);
        life_run(life, SECONDS(5));
        hub_send_unasked(life, life->stream.now, qos, 64u * 1000u);
        send(life, 3);
        life_run(life, SECONDS(60));
        expect(life, attempts(life) == 1, "64 KB cost the connection");
        expect(life, device_statistic(life, STATISTIC_UNHANDLED) == 1, "64 KB are not one message");
        expect(life, device_statistic(life, STATISTIC_UNKNOWN) == 0, "the reader lost its place");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-14: hostile bytes ---- */

static void fi_14(sim_life *life)
{
    unsigned kind, ready, seed, i;
    for (kind = 0; kind < GARBAGE_KINDS; ++kind) {
        for (ready = 0; ready < 2; ++ready) {
            life_begin(life, 140 + kind);
            life->hub.connack_ms = 500;
            life_open(life);
            life_run(life, ready ? SECONDS(5) : 400);
            hub_send_garbage(life, life->stream.now, kind);
            life_run(life, 100);
            expect(life, life->stream.now == NULL, "illegal bytes are not answered by closing");
            life_run(life, SECONDS(ready ? 6 : 33)); /* before CONNACK they are a refusal */
            expect(life, device_state(life) == STATE_READY, "not ready soon after illegal bytes");
            recover(life);
            expect(life, all_ok(life), "a message is lost");
        }
    }
    for (seed = 0; seed < 300; ++seed) {         /* any bytes at all */
        life_begin(life, 200 + seed);
        open_quiet(life);
        life->stream.now->poisoned = 1;
        life->stream.now->poison_end = (size_t)-1;
        for (i = 0; i < 50; ++i) {
            unsigned char bytes[64];
            unsigned j;
            for (j = 0; j < sizeof bytes; ++j) {
                bytes[j] = (unsigned char)draw(&life->hub_random);
            }
            pipe_put(life, life->stream.now, &life->stream.now->down, bytes, sizeof bytes);
            life_run(life, 60);
            if (life->stream.now == NULL || !life->stream.now->poisoned) {
                break;
            }
        }
        recover(life);
    }
}

/* ---- FI-15: acknowledgements missing, late, twice, for nothing ---- */

static void fi_15(sim_life *life)
{
    unsigned kind;
    for (kind = 0; kind < 5; ++kind) {
        life_begin(life, 150 + kind);
        life->setup.slots = 8;
        life_open(life);
        life_run(life, SECONDS(20));
        switch (kind) {
        case 0: life->hub.keeps = life->device.count + 1u; break;
        case 1: life->hub.acknowledge_ms = 100000; break;
        case 2: life->hub.repeat_acknowledgements = 100; break;
        case 3: life->hub.drop_acknowledgements = 40; break;
        default: {
            unsigned id;
            for (id = 0; id <= 0xFFFF; id += 7) {
                if (id == 0 || id > 4000) {
                    hub_send_unknown_acknowledgement(life, life->stream.now, id);
                }
            }
            break;
        }
        }
        life_run(life, HOURS(1));
        life->hub.keeps = 0;
        if (kind == 0 || kind == 3) {
            expect(life, connections(life) > 1, "a missing acknowledgement is never asked for");
        } else {
            expect(life, attempts(life) == 1u + device_statistic(life, STATISTIC_RENEWALS), "strange acknowledgements cost the connection");
        }
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-16: a full outbox in a long outage ---- */

static void fi_16(sim_life *life)
{
    unsigned accepted;
    life_begin(life, 160);
    life->manners.open_fails = 1;
    life_open(life);
    life_run(life, HOURS(72));
    accepted = life->device.count;
    expect(life, accepted == life->setup.slots || life->device.refused_full > 1000, "the outbox is not full");
    expect(life, life->device.settled == 0, "something was dropped in silence");
    expect(life, life->device.refused_full > 20000, "refusals are not counted");
    device_check_statistics(life);
    recover(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- FI-23: a flood from the hub ---- */

static void fi_23(sim_life *life)
{
    unsigned i, j;
    life_begin(life, 230);
    life->setup.send_every_ms = 1000;
    life_open(life);
    life_run(life, SECONDS(5));
    for (i = 0; i < 6000; ++i) {                 /* ten minutes */
        for (j = 0; j < 20; ++j) {
            hub_send_unknown_acknowledgement(life, life->stream.now, 0xFFF1 + j % 14u);
        }
        hub_send_unasked(life, life->stream.now, i & 1u, 50);
        life_run(life, 100);
        expect(life, life->device.count - life->device.settled <= 3, "a flood starves the messages");
    }
    expect(life, attempts(life) == 1, "a flood costs the connection");
    expect(life, device_statistic(life, STATISTIC_UNHANDLED) == 6000, "messages are miscounted");
    recover(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- FI-24: DoWork seldom and irregularly ---- */

static void fi_24(sim_life *life)
{
    unsigned seed, i;
    for (seed = 0; seed < 20; ++seed) {
        life_begin(life, 240 + seed);
        life->setup.step = seed % 2 == 0 ? STEP_IRREGULAR : STEP_REGULAR;
        life->setup.step_ms = seed % 4 == 1 ? 10 : 30000;
        life->setup.send_every_ms = 60000;
        life_open(life);
        for (i = 0; i < 8; ++i) {
            life_run(life, HOURS(1));
            if (life->stream.now != NULL && i % 2 == 0) connection_reset(life, life->stream.now);
        }
        expect(life, connections(life) >= 4, "it does not reconnect");
        expect(life, life->device.by_outcome[0] > 100, "messages do not get through");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-25: any call in any callback ---- */

static void fi_25(sim_life *life)
{
    unsigned seed;
    for (seed = 0; seed < 200; ++seed) {
        life_begin(life, 2500 + seed);
        life->setup.meddles = 60;
        life->setup.sends_again = 50;
        life->setup.send_every_ms = 500;
        life->setup.slots = 4;
        life->faulty = 1;
        life_open(life);
        life_run(life, SECONDS(120));
        if (!life->device.destroyed && life->stream.now != NULL) connection_reset(life, life->stream.now);
        life_run(life, SECONDS(60));
        if (!life->device.destroyed) {
            recover(life);
        }
    }
}

/* ---- FI-26: packet ids wrap ---- */

static void fi_26(sim_life *life)
{
    unsigned before = 0;
    life_begin(life, 260);
    life->setup.slots = 32;
    life->setup.outbox_bytes = 8000;
    life->setup.body_maximum = 12;
    life->setup.lifetime_s = 86400;
    life->setup.send_every_ms = 1;
    life->manners.latency_ms = 2;
    life->hub.acknowledge_spread_ms = 10;
    life->hub.shuffles = 1;
    life->hub.acknowledge_ms = 1;
    life->calm_manners = life->manners;
    life->calm_hub = life->hub;
    life_open(life);
    while (life->device.count < 66500) {
        if (life->device.count % 9000u == 8000u) {
            life->hub.keeps = life->device.count + 1u; /* held open, until the client asks for it by a new connection */
            before = connections(life);
        } else if (connections(life) != before) {
            life->hub.keeps = 0;
        }
        life_step(life);
    }
    life->hub.keeps = 0;
    expect(life, connections(life) > 3, "an id that is held open is never freed");
    recover(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- FI-29: months of uptime ---- */

#define RECONNECTS 1000000u

static void fi_29(sim_life *life)
{
    size_t stack;
    life_begin(life, 290);
    life->setup.policy = 2;                      /* IMMEDIATE: as many reconnects as can be */
    life->setup.credential = CREDENTIAL_X509;
    life->manners.open_ms = 0;
    life->manners.latency_ms = 1;
    life->hub.connack_ms = life->hub.acknowledge_ms = 0;
    life->hub.connack_closes = 1;
    life->setup.send_every_ms = 0;
    life_open(life);
    while (attempts(life) < 2000) {
        life_step(life);
    }
    stack = life->stack;
    while (attempts(life) < RECONNECTS) {
        life_step(life);
    }
    life->hub.connack_closes = 0;
    device_set_policy(life, 5, 0);
    device_set_keep_alive(life, 1177);
    life_run(life, (uint64_t)100000000u * 1000u);
    expect(life, life->stack == stack, "the stack grows");
    expect(life, device_state(life) == STATE_READY, "not ready after three years");
    recover(life);
}

/* ---- FI-31: throttling shows as lateness ---- */

static void fi_31(sim_life *life)
{
    unsigned seed, i, hour;
    for (seed = 0; seed < 20; ++seed) {
        life_begin(life, 310 + seed);
        life->hub.acknowledge_ms = 1000;
        life->hub.acknowledge_spread_ms = 299000;
        life->hub.connack_ms = 55000;
        life->setup.lifetime_s = 86400;          /* renewals would add copies of their own */
        life_open(life);
        for (hour = 0; hour < 6; ++hour) {
            unsigned before = attempts(life);
            life_run(life, HOURS(1));
            expect(life, attempts(life) - before <= 40, "lateness is answered by too many attempts");
        }
        for (i = 0; i < life->device.count; ++i) {
            expect(life, life->device.messages[i].copies <= 3, "more than three copies of a message");
        }
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-32: a reset eats the refusal ---- */

static void fi_32(sim_life *life)
{
    life_begin(life, 320);
    life->hub.connack_code = 5;
    life->hub.refuses_by_reset = 1;
    life_open(life);
    send(life, 5);
    while (attempts(life) < 2) {
        life_step(life);
    }
    life_run(life, SECONDS(1));
    expect(life, life->device.last_reason == 2, "the reason (BAD_CREDENTIAL) is not learnt by the second attempt");
    life->hub.connack_code = 0;
    life->hub.refuses_by_reset = 0;
    recover(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- FI-33: one direction stalls ---- */

static void fi_33(sim_life *life)
{
    unsigned kind, i;
    for (kind = 0; kind < 3; ++kind) {
        life_begin(life, 330 + kind);
        life->manners.half_duplex = kind == 2;
        life->setup.keep_alive_s = 180;
        life_open(life);
        life_run(life, SECONDS(30));
        life->stream.now->hurt = 1;
        if (kind == 1) {
            life->stream.now->down.stalled = 1;
            life_run(life, SECONDS(100));        /* less than the acknowledgement deadline */
            life->stream.now->down.stalled = 0;
        } else {
            life->manners.blocked = 1;
            for (i = 0; i < 20; ++i) {
                hub_send_unasked(life, life->stream.now, 0, 200);
                life_run(life, SECONDS(10));
            }
            life->manners.blocked = 0;
        }
        life_run(life, SECONDS(10));
        expect(life, attempts(life) == 1, "a stall of one direction costs the connection");
        expect(life, life->device.settled >= life->device.count - 2u, "messages do not get through after a stall");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-34: a very slow link ---- */

static void fi_34(sim_life *life)
{
    life_begin(life, 340);
    life->setup.slots = 4;
    life->setup.outbox_bytes = 270000;
    life->manners.latency_ms = 10000;
    life->manners.bytes_per_s = 1000;
    life->manners.send_buffer = 32768;
    life->setup.send_every_ms = 0;
    life_open(life);
    life_run(life, SECONDS(60));
    expect(life, device_state(life) == STATE_READY, "20 s of round trip are too slow");
    device_send(life, 256u * 1000u);
    life_run(life, SECONDS(400));
    expect(life, life->device.settled == 1 && attempts(life) == 1, "256 KB do not go through a slow link in one connection");
    life_run(life, HOURS(1) - SECONDS(1200));
    expect(life, attempts(life) == 1u + device_statistic(life, STATISTIC_RENEWALS), "keep-alive fails on a slow link");
    recover(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- FI-35: a session that is lost or stale ---- */

static void fi_35(sim_life *life)
{
    unsigned i, kind;
    for (kind = 0; kind < 3; ++kind) {
        life_begin(life, 350);
        life_open(life);
        for (i = 0; i < 20; ++i) {
            life->hub.session_present = kind == 2 ? (int)(i & 1u) : (int)kind;
            life_run(life, SECONDS(90));
            if (life->stream.now != NULL) {
                if (life->hub.session_present && life->stream.now->accepted) {
                    hub_send_unknown_acknowledgement(life, life->stream.now, 0xFFF5);
                }
                send(life, 2);
                life_run(life, 20);
                connection_reset(life, life->stream.now);
            }
        }
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-36: the hub closes on one message ---- */

static void fi_36(sim_life *life)
{
    unsigned limit;
    long raw;
    int named = 0;
    for (limit = 0; limit <= 3; limit += 3) {
        life_begin(life, 360);
        life->setup.poison_limit = limit;
        life->setup.slots = 30;
        life_open(life);
        life_run(life, SECONDS(100));
        life->hub.poison = life->device.count + 3u;
        while (life->now < HOURS(3)) {
            life_step(life);
            named |= device_error(life, &raw) == device_poison_code();
        }
        if (limit == 0) {
            expect(life, life->device.by_outcome[3] == 0 && life->device.settled_before == life->hub.poison - 1u, "a message is given up without the option");
            expect(life, attempts(life) < 150, "a poison message is sent too often");
        } else {
            expect(life, named, "the error does not name a poison message");
            expect(life, life->device.by_outcome[3] == 1 && life->device.messages[life->hub.poison - 1u].outcome == 4, "the poison message is not confirmed ERROR");
            expect(life, life->device.by_outcome[0] > 1000, "the rest does not flow");
        }
        life->hub.poison = 0;
        recover(life);
        expect(life, life->device.by_outcome[0] + life->device.by_outcome[1] + life->device.by_outcome[3] == life->device.count, "a message is lost");
    }
}

/* ---- FI-37: the tick stands still or leaps ---- */

static void fi_37(sim_life *life)
{
    unsigned state, kind;
    for (state = STATE_SIGNING; state <= STATE_DRAINING; ++state) {
        for (kind = 0; kind < 3; ++kind) {
            life_begin(life, 370 + state * 3u + kind);
            life->setup.send_every_ms = 3000;
            life->hmac_pending = 5;
            life->hub.acknowledge_ms = 300;
            life->faulty = 1;
            life_open(life);
            while (device_state(life) != state && life->now < SECONDS(60)) {
                life_step(life);
                if (state == STATE_DRAINING && life->now > SECONDS(10) && life->device.running) device_stop(life);
            }
            expect(life, device_state(life) == state, "the script does not reach the state");
            life->tick_hurt = 1;
            if (kind == 0) {
                life->tick_stopped_at = life->now;
                life_run(life, HOURS(2));
                life->tick_offset -= life->now - life->tick_stopped_at;
                life->tick_stopped_at = NEVER;
            } else {
                life->tick_offset += kind == 1 ? 90000u : 3u * 3600u * 1000u;
            }
            life_run(life, SECONDS(30));
            recover(life);
            expect(life, all_ok(life), "a message is lost");
        }
    }
    life_begin(life, 379);                       /* a healthy idle connection survives a leap */
    open_quiet(life);
    life->tick_hurt = 1;
    life->tick_offset += 3u * 3600u * 1000u / 2u;
    life_run(life, SECONDS(60));
    expect(life, attempts(life) == 1u + device_statistic(life, STATISTIC_RENEWALS), "a leap of the tick is taken for a dead link");
    recover(life);
}

/* ---- FI-39: everything full at once ---- */

static void fi_39(sim_life *life)
{
    unsigned reply, state, i;
    for (reply = 0; reply < 8; ++reply) {
        for (state = 0; state < 2; ++state) {
            life_begin(life, 390 + reply);
            life->setup.slots = 6;
            life->setup.outbox_bytes = 500;
            life->setup.inbox = 128;
            life->manners.record = 64;
            life->hub.acknowledge_ms = 30000;
            life->hub.connack_ms = state == 0 ? 3000 : 5;
            life_open(life);
            life_run(life, 1000);
            life->manners.blocked = 1;
            for (i = 0; life->device.refused_full == 0 && i < 50; ++i) {
                device_send(life, 60);
            }
            expect(life, life->device.refused_full != 0, "the outbox is not full");
            life->stream.now->hurt = 1;
            switch (reply) {
            case 0: hub_send_unknown_acknowledgement(life, life->stream.now, 0xFFF1); break;
            case 1: hub_send_unasked(life, life->stream.now, 1, 5000); break;
            case 2: { static const unsigned char pong[] = { 0xD0, 0 }; hub_send(life, life->stream.now, pong, 2); break; }
            case 3: hub_send_garbage(life, life->stream.now, 3); break;
            case 4: hub_close(life, life->stream.now, 11); break;
            case 5: connection_reset(life, life->stream.now); break;
            case 6: connection_lose(life->stream.now); break;
            default: break;                      /* CONNACK, or nothing */
            }
            life_run(life, SECONDS(40));
            life->manners.blocked = 0;
            life_run(life, SECONDS(700));
            expect(life, device_state(life) == STATE_READY, "no way back from a full house");
            recover(life);
            expect(life, all_ok(life), "a message is lost");
        }
    }
}

/* ---- the list ---- */

static const sim_case telemetry_cases[] = {
    { "FI-01", "the link is cut at every byte of a session, both directions", fi_01 },
    { "FI-02", "power-up before the network", fi_02 },
    { "FI-03", "half-open link", fi_03 },
    { "FI-04", "late, lost, repeated PINGRESP", fi_04 },
    { "FI-05", "accepted, then closed", fi_05 },
    { "FI-06", "two devices with one id", fi_06 },
    { "FI-07", "CONNACK 1 to 6", fi_07 },
    { "FI-08", "renewal with acknowledgements on their way", fi_08 },
    { "FI-09", "clock unknown, 1970, jumps, after 2038", fi_09 },
    { "FI-11", "short and refused writes, held bytes", fi_11 },
    { "FI-12", "split and joined reads", fi_12 },
    { "FI-13", "64 KB into an inbox of 128 bytes", fi_13 },
    { "FI-14", "malformed and hostile bytes", fi_14 },
    { "FI-15", "PUBACK missing, late, twice, unknown", fi_15 },
    { "FI-16", "outbox full in an outage of three days", fi_16 },
    { "FI-23", "a flood of acknowledgements and messages", fi_23 },
    { "FI-24", "DoWork seldom and irregularly", fi_24 },
    { "FI-25", "any call in any callback", fi_25 },
    { "FI-26", "packet ids wrap, one held open", fi_26 },
    { "FI-29", "a million reconnects, a hundred million seconds", fi_29 },
    { "FI-31", "throttling shows as lateness", fi_31 },
    { "FI-32", "a reset eats the refusal", fi_32 },
    { "FI-33", "one direction stalls", fi_33 },
    { "FI-34", "256 KB at 1 kB/s, round trip 20 s", fi_34 },
    { "FI-35", "session lost or stale", fi_35 },
    { "FI-36", "poison message", fi_36 },
    { "FI-37", "the tick stands still or leaps, in every state", fi_37 },
    { "FI-39", "everything full at once", fi_39 }
};

static int run_case(sim_life *life, const sim_case *c)
{
    life->name = c->name;
    if (setjmp(life->failed) != 0) {
        printf("FAIL  %s %s\n", c->name, c->what);
        return 0;
    }
    c->run(life);
    printf("ok    %s %s (tick from 0x%08X)\n", c->name, c->what, (unsigned)sim_tick_start);
    return 1;
}

static unsigned run_list(sim_life *life, const sim_case *cases, unsigned count, const char *name, unsigned *passed)
{
    unsigned i, found = 0;
    for (i = 0; i < count; ++i) {
        if (name == NULL || strcmp(name, cases[i].name) == 0) {
            found += 1;
            *passed += (unsigned)run_case(life, &cases[i]);
        }
    }
    return found;
}

unsigned cases_run(sim_life *life, const char *name, unsigned *passed)
{
    unsigned found = run_list(life, telemetry_cases, sizeof telemetry_cases / sizeof telemetry_cases[0], name, passed);
    found += run_list(life, feature_cases, feature_case_count, name, passed);
    life->name = NULL;
    if (found == 0) {
        printf("there is no case %s\n", name);
        return 1;
    }
    return found - *passed;
}
