/* The injector: what can go wrong, and how long. A fault strikes at random, or where the life's aim is: each seed aims at one
   cell of the table state x fault x buffer, so that the fixed seeds hit all of them. */
#include "sim.h"
#include <string.h>

enum { CONNECTED, ANY };

static const struct { const char *name; unsigned char states; } kinds[FAULT_COUNT] = {
#define X(name, text, states) { #name, states },
    SIM_FAULTS(X)
#undef X
};

static unsigned hits[STATE_COUNT][FAULT_COUNT][3];

/* ---- the table ---- */

static int reachable(unsigned state, sim_fault fault)
{
    return kinds[fault].states == ANY || state >= STATE_CONNECTING;
}

unsigned faults_cells(void)
{
    unsigned state, fault, count = 0;
    for (state = 0; state < STATE_COUNT; ++state) {
        for (fault = 0; fault < FAULT_COUNT; ++fault) {
            count += reachable(state, (sim_fault)fault) ? 3u : 0;
        }
    }
    return count;
}

void faults_cell(unsigned cell, unsigned *state, sim_fault *fault, unsigned *buffer)
{
    unsigned s, f;
    *buffer = cell % 3u;
    cell /= 3u;
    for (s = 0; s < STATE_COUNT; ++s) {
        for (f = 0; f < FAULT_COUNT; ++f) {
            if (reachable(s, (sim_fault)f) && cell-- == 0) {
                *state = s;
                *fault = (sim_fault)f;
                return;
            }
        }
    }
}

unsigned faults_table(void)
{
    unsigned state, fault, buffer, missed = 0;
    printf("How often each fault struck, by the client's state and its outbox (empty/part/full):\n%-15s", "");
    for (state = 0; state < STATE_COUNT; ++state) {
        printf(" %16s", state_names[state]);
    }
    printf("\n");
    for (fault = 0; fault < FAULT_COUNT; ++fault) {
        printf("%-15s", kinds[fault].name);
        for (state = 0; state < STATE_COUNT; ++state) {
            char text[40] = "-";
            if (reachable(state, (sim_fault)fault)) {
                const unsigned *cell = hits[state][fault];
                snprintf(text, sizeof text, "%u/%u/%u", cell[0], cell[1], cell[2]);
                for (buffer = 0; buffer < 3; ++buffer) {
                    missed += cell[buffer] == 0;
                }
            }
            printf(" %16s", text);
        }
        printf("\n");
    }
    return missed;
}

/* ---- striking ---- */

/* From a blink to hours. */
static uint64_t lasts(sim_life *life)
{
    switch (below(&life->fault_random, 4)) {
    case 0: return between(&life->fault_random, 1, 500);
    case 1: return between(&life->fault_random, 500, 20000);
    case 2: return between(&life->fault_random, 20000, 200000);
    default: return between(&life->fault_random, 200000, 1500000);
    }
}

static void hurt_connections(sim_life *life)
{
    unsigned i;
    for (i = 0; i < CONNECTIONS; ++i) {
        life->connections[i].hurt = 1;
    }
}

static void cut(sim_life *life, sim_connection *c, int how)
{
    unsigned what = below(&life->fault_random, 3);
    sim_pipe *pipe = what == 1 ? &c->up : &c->down;
    c->hurt = 1;
    if (what != 0) {
        pipe->cutting = how;
        pipe->cut_at = pipe->put + below(&life->fault_random, what == 1 ? 300 : 12);
    } else if (how == 2) {
        connection_reset(life, c);
    } else {
        pipe->cutting = how;
        pipe->cut_at = pipe->put;
        pipe_put(life, c, pipe, "", 1);
    }
}

static void burst(sim_life *life)
{
    unsigned i, before = life->device.refused_full + life->device.refused_size;
    for (i = 0; i < 60 && life->device.refused_full + life->device.refused_size == before; ++i) {
        device_send(life, between(&life->random, life->setup.body_minimum, life->setup.body_maximum));
    }
}

static void tick_stops(sim_life *life)
{
    life->tick_hurt = life->tick_was_hurt = 1;
    hurt_connections(life);
    if (life->tick_stopped_at == NEVER) {
        life->tick_stopped_at = life->now;
    }
}

/* It goes on as if nothing had been, or it leaps to where it should be. */
static void tick_runs(sim_life *life)
{
    if (life->tick_stopped_at != NEVER) {
        if (chance(&life->fault_random, 50)) {
            life->tick_offset -= life->now - life->tick_stopped_at;
        }
        life->tick_stopped_at = NEVER;
    }
}

static void set_policy(sim_life *life)
{
    if (life->setup.policy != 0) {
        device_set_policy(life, life->setup.policy - 1u, life->setup.limit_s);
    } else {
        device_set_policy(life, 5, 0);           /* exponential with jitter, for ever: the default */
    }
}

static void slow(sim_life *life)
{
    hurt_connections(life);
    life->manners.latency_ms = between(&life->fault_random, 100, 10000);
    life->manners.bytes_per_s = between(&life->fault_random, 50, 2000);
    life->manners.send_buffer = between(&life->fault_random, 64, 4096);
}

/* An acknowledgement of the last connection, for a message that waits to be sent on this one. It must arrive before that is
   sent: at once, in front of nothing. */
static void acknowledge_stale(sim_life *life, sim_connection *c)
{
    const sim_device *device = &life->device;
    unsigned latency = life->manners.latency_ms, i;
    if (!c->accepted || !c->hub_open || bytes_size(&c->down.data) != 0 || c->down.lost || c->down.stalled) {
        return;
    }
    for (i = device->settled_before; i < device->count; ++i) {
        const sim_message *m = &device->messages[i];
        if (m->outcome == 0 && m->packet_id != 0 && m->offered_connection != c->number) {
            life->manners.latency_ms = 0;
            hub_send_unknown_acknowledgement(life, c, m->packet_id);
            life->manners.latency_ms = latency;
            stream_arrive(life);
            return;
        }
    }
}

static void floods(sim_life *life, sim_connection *c)
{
    unsigned i, count = between(&life->fault_random, 50, 400);
    for (i = 0; i < count; ++i) {
        hub_send_unknown_acknowledgement(life, c, between(&life->fault_random, 0xFFF1, 0xFFFF));
    }
}

/* One draw a statement: C leaves the order of arguments open, and a life is the same on every machine. */
static void unasked(sim_life *life, sim_connection *c)
{
    unsigned qos = below(&life->fault_random, 2);
    if (c->accepted && c->hub_open) {
        hub_send_unasked(life, c, qos, below(&life->fault_random, 3000));
    }
}

static void gives_up(sim_life *life)
{
    unsigned policy = chance(&life->fault_random, 50) ? 0 : 2; /* NONE, or INTERVAL for a while */
    device_set_policy(life, policy, between(&life->fault_random, 1, 60));
}

static void twin_refuses(sim_life *life, sim_random *random)
{
    static const unsigned statuses[] = { 429, 429, 500, 503, 400 };
    life->hub.twin_status = statuses[below(random, 5)];
    life->hub.retry_after_s = chance(random, 60) ? between(random, 1, 100) : 0;
}

static void twin_late(sim_life *life, sim_random *random)
{
    life->hub.twin_ms = chance(random, 50) ? 0 : between(random, 1000, 90000);
    life->hub.twin_spread_ms = below(random, 20000);
    life->hub.twin_repeats = between(random, 0, 100);
    life->hub.twin_strange = between(random, 0, 100);
}

static void edits(sim_life *life, sim_random *random)
{
    unsigned count = between(random, 1, 20);
    while (life->setup.features != 0 && count-- != 0) {
        twin_edit(life, 0);
    }
}

static void letters(sim_life *life, unsigned count, unsigned size, unsigned bags)
{
    unsigned i;
    for (i = 0; life->setup.features != 0 && i < count; ++i) {
        messages_post(life, size, i % bags);
    }
}

static void methods(sim_life *life, sim_connection *c, unsigned count)
{
    unsigned i;
    for (i = 0; i < count && hub_wants(life, c, FILTER_METHODS); ++i) {
        methods_invoke(life, c, i % 50u);
    }
}

/* The largest that the service lets through: 64 KB, 32 KB, 128 KB; seldom, for they take their time. */
static void oversize(sim_life *life, sim_connection *c, sim_random *random)
{
    unsigned most = chance(random, 80) ? 3000 : 131000, size = between(random, 500, most);
    if (life->setup.features == 0) {
        return;
    }
    switch (below(random, 3)) {
    case 0:  messages_post(life, size < 65000u ? size : 65000u, 1); break;
    case 1:  twin_edit(life, size < 31000u ? size : 31000u); break;
    default: if (c != NULL && hub_wants(life, c, FILTER_METHODS)) methods_invoke(life, c, size); break;
    }
}

/* Answers 1 when the fault lasts. */
static int strike(sim_life *life, sim_fault fault)
{
    sim_random *random = &life->fault_random;
    sim_connection *c = life->stream.now;
    switch (fault) {
    case FAULT_CUT:            cut(life, c, 1); return 0;
    case FAULT_RESET:          cut(life, c, 2); return 0;
    case FAULT_BLACK_HOLE:     connection_lose(c); return 0;
    case FAULT_STALL_DOWN:     c->down.stalled = c->hurt = 1; return 1;
    case FAULT_STALL_UP:       c->up.stalled = c->hurt = 1; return 1;
    case FAULT_WRITE_BLOCKS:   life->manners.blocked = 1; hurt_connections(life); return 1;
    case FAULT_SHORT_WRITES:   life->manners.write_limit = between(random, 1, 40); return 1;
    case FAULT_SHORT_READS:    life->manners.read_limit = between(random, 1, 5); return 1;
    case FAULT_RAGGED:         life->manners.ragged = 1; life->manners.refuse_percent = below(random, 60); return 1;
    case FAULT_FILTER:         life->manners.record = between(random, 16, 600); return 1;
    case FAULT_HALF_DUPLEX:    life->manners.half_duplex = 1; return 1;
    case FAULT_SLOW:           slow(life); return 1;
    case FAULT_OPEN_FAILS:     life->manners.open_fails = 1; return 1;
    case FAULT_OPEN_HANGS:     life->manners.open_hangs = 1; return 1;
    case FAULT_GREEDY_READ:    life->manners.greedy_read = 1; return 1;
    case FAULT_GREEDY_WRITE:   life->manners.greedy_write = 1; return 1;
    case FAULT_REFUSED:
        life->hub.connack_code = between(random, 1, 6);
        life->hub.refuses_silently = chance(random, 30);
        return 1;
    case FAULT_CONNACK_LATE:   life->hub.connack_ms = between(random, 1000, 90000); return 1;
    case FAULT_CONNACK_NEVER:  life->hub.connack_never = 1; return 1;
    case FAULT_CONNACK_CLOSES: life->hub.connack_closes = 1; return 1;
    case FAULT_ACK_LATE:
        life->hub.acknowledge_ms = between(random, 1000, 60000);
        life->hub.acknowledge_spread_ms = below(random, 240000);
        return 1;
    case FAULT_ACK_LOST:       life->hub.drop_acknowledgements = chance(random, 50) ? 100u : between(random, 1, 99); return 1;
    case FAULT_ACK_TWICE:      life->hub.repeat_acknowledgements = between(random, 20, 100); return 1;
    case FAULT_ACK_SHUFFLED:   life->hub.shuffles = 1; life->hub.acknowledge_spread_ms = between(random, 100, 5000); return 1;
    case FAULT_ACK_UNKNOWN:    if (c->accepted && c->hub_open) hub_send_unknown_acknowledgement(life, c, chance(random, 20) ? 0 : between(random, 0xFFF1, 0xFFFF)); return 0;
    case FAULT_ACK_STALE:      acknowledge_stale(life, c); return 0;
    case FAULT_ACK_FLOOD:      if (c->accepted && c->hub_open) floods(life, c); return 0;
    case FAULT_UNASKED:        unasked(life, c); return 0;
    case FAULT_GARBAGE:        if (c->hub_open) hub_send_garbage(life, c, below(random, GARBAGE_KINDS)); return 0;
    case FAULT_PING_NEVER:     life->hub.ping_never = 1; return 1;
    case FAULT_PING_LATE:      life->hub.ping_ms = between(random, 1000, 80000); return 1;
    case FAULT_PING_TWICE:     life->hub.ping_twice = 1; return 1;
    case FAULT_HUB_CLOSES:     if (c->hub_open) hub_close(life, c, 10); return 0;
    case FAULT_STALE_SESSION:  life->hub.session_present = 1; return 1;
    case FAULT_NO_PIPELINE:    life->hub.refuses_pipelined = 1; return 1;
    case FAULT_POISON:         life->hub.poison = life->device.count + below(random, 2); return 1;
    case FAULT_CLOCK_UNKNOWN:  life->wall_unknown = 1; return 1;
    case FAULT_CLOCK_JUMPS:    life->wall_offset = (int64_t)between(random, 0, 200000000) - 100000000; return 1;
    case FAULT_TICK_LEAPS:
        life->tick_hurt = life->tick_was_hurt = 1;
        hurt_connections(life);
        life->tick_offset += chance(random, 50) ? between(random, 1, 100000) : between(random, 1, 20000000);
        return 0;
    case FAULT_TICK_STOPS:     tick_stops(life); return 1;
    case FAULT_NO_ENTROPY:     life->no_entropy = 1; return 1;
    case FAULT_HMAC_PENDING:   life->hmac_pending = between(random, 1, 20); return 1;
    case FAULT_HMAC_FAILS:     life->hmac_fails = 1; return 1;
    case FAULT_ASLEEP:
        hurt_connections(life);
        life->asleep_until = life->now + lasts(life);
        return 0;
    case FAULT_STOP:           device_stop(life); return 0;
    case FAULT_START:          device_start(life); return 0;
    case FAULT_OPTION:
        if (chance(random, 50)) {
            device_set_keep_alive(life, chance(random, 10) ? 0 : between(random, 10, 300));
        } else {
            device_set_qos(life, below(random, 2));
        }
        return 0;
    case FAULT_BURST:          burst(life); return 0;
    case FAULT_GIVES_UP:       gives_up(life); return 1;
    case FAULT_SUB_REFUSED:    life->hub.suback_refuses = between(random, 1, FILTER_ALL); return 1;
    case FAULT_SUB_NEVER:      life->hub.suback_never = 1; return 1;
    case FAULT_SUB_LATE:       life->hub.suback_ms = between(random, 1000, 90000); return 1;
    case FAULT_SESSION_LOST:   life->hub.session_lost = 1; return 1;
    case FAULT_TWIN_REFUSES:   twin_refuses(life, random); return 1;
    case FAULT_TWIN_LOST:
        life->hub.twin_drops = chance(random, 50) ? 100u : between(random, 10, 90);
        life->hub.applies_and_drops = chance(random, 50);
        return 1;
    case FAULT_TWIN_LATE:      twin_late(life, random); return 1;
    case FAULT_PATCH_LOST:     life->hub.patch_drops = chance(random, 30) ? 100u : between(random, 10, 90); return 1;
    case FAULT_EDITS:          edits(life, random); return 0;
    case FAULT_RECREATED:      if (life->setup.features != 0) twin_recreate(life); return 0;
    case FAULT_LETTER_FLOOD:   letters(life, between(random, 3, 60), 60, STRANGE_BAG); return 0;
    case FAULT_METHOD_FLOOD:   methods(life, c, between(random, 3, 60)); return 0;
    case FAULT_OVERSIZE:       oversize(life, c, random); return 0;
    case FAULT_STRANGE_BAG:    letters(life, BAGS, 30, BAGS); return 0;
    case FAULT_TOGGLE:         program_toggle(life, random); return 0;
    default:                   return 0;
    }
}

static void over(sim_life *life, sim_fault fault)
{
    const sim_manners *calm = &life->calm_manners;
    const sim_hub_manners *calm_hub = &life->calm_hub;
    unsigned i;
    note(life, EVENT_FAULT_ENDS, (unsigned)fault, 0, 0);
    life->faults.ends[fault] = NEVER;
    switch (fault) {
    case FAULT_STALL_DOWN:
    case FAULT_STALL_UP:
        for (i = 0; i < CONNECTIONS; ++i) {
            life->connections[i].up.stalled = life->connections[i].down.stalled = 0;
        }
        break;
    case FAULT_WRITE_BLOCKS:   life->manners.blocked = 0; break;
    case FAULT_SHORT_WRITES:   life->manners.write_limit = calm->write_limit; break;
    case FAULT_SHORT_READS:    life->manners.read_limit = calm->read_limit; break;
    case FAULT_RAGGED:         life->manners.ragged = calm->ragged; life->manners.refuse_percent = calm->refuse_percent; break;
    case FAULT_FILTER:         life->manners.record = calm->record; break;
    case FAULT_HALF_DUPLEX:    life->manners.half_duplex = calm->half_duplex; break;
    case FAULT_SLOW:
        life->manners.latency_ms = calm->latency_ms;
        life->manners.bytes_per_s = calm->bytes_per_s;
        life->manners.send_buffer = calm->send_buffer;
        break;
    case FAULT_OPEN_FAILS:     life->manners.open_fails = 0; break;
    case FAULT_OPEN_HANGS:     life->manners.open_hangs = 0; break;
    case FAULT_GREEDY_READ:    life->manners.greedy_read = 0; break;
    case FAULT_GREEDY_WRITE:   life->manners.greedy_write = 0; break;
    case FAULT_REFUSED:        life->hub.connack_code = 0; life->hub.refuses_silently = 0; break;
    case FAULT_CONNACK_LATE:   life->hub.connack_ms = calm_hub->connack_ms; break;
    case FAULT_CONNACK_NEVER:  life->hub.connack_never = 0; break;
    case FAULT_CONNACK_CLOSES: life->hub.connack_closes = 0; break;
    case FAULT_ACK_LATE:
    case FAULT_ACK_SHUFFLED:
        life->hub.acknowledge_ms = calm_hub->acknowledge_ms;
        life->hub.acknowledge_spread_ms = calm_hub->acknowledge_spread_ms;
        life->hub.shuffles = 0;
        break;
    case FAULT_ACK_LOST:       life->hub.drop_acknowledgements = 0; break;
    case FAULT_ACK_TWICE:      life->hub.repeat_acknowledgements = 0; break;
    case FAULT_PING_NEVER:     life->hub.ping_never = 0; break;
    case FAULT_PING_LATE:      life->hub.ping_ms = calm_hub->ping_ms; break;
    case FAULT_PING_TWICE:     life->hub.ping_twice = 0; break;
    case FAULT_STALE_SESSION:  life->hub.session_present = calm_hub->session_present; break;
    case FAULT_NO_PIPELINE:    life->hub.refuses_pipelined = 0; break;
    case FAULT_POISON:         life->hub.poison = 0; break;
    case FAULT_CLOCK_UNKNOWN:  life->wall_unknown = 0; break;
    case FAULT_CLOCK_JUMPS:    life->wall_offset = 0; break;
    case FAULT_TICK_STOPS:     tick_runs(life); break;
    case FAULT_NO_ENTROPY:     life->no_entropy = 0; break;
    case FAULT_HMAC_PENDING:   life->hmac_pending = life->hmac_waits = 0; break;
    case FAULT_HMAC_FAILS:     life->hmac_fails = 0; break;
    case FAULT_GIVES_UP:       set_policy(life); break;
    case FAULT_SUB_REFUSED:    life->hub.suback_refuses = 0; break;
    case FAULT_SUB_NEVER:      life->hub.suback_never = 0; break;
    case FAULT_SUB_LATE:       life->hub.suback_ms = calm_hub->suback_ms; break;
    case FAULT_SESSION_LOST:   life->hub.session_lost = 0; break;
    case FAULT_TWIN_REFUSES:   life->hub.twin_status = life->hub.retry_after_s = 0; break;
    case FAULT_TWIN_LOST:      life->hub.twin_drops = 0; life->hub.applies_and_drops = 0; break;
    case FAULT_TWIN_LATE:
        life->hub.twin_ms = calm_hub->twin_ms;
        life->hub.twin_spread_ms = calm_hub->twin_spread_ms;
        life->hub.twin_repeats = life->hub.twin_strange = 0;
        break;
    case FAULT_PATCH_LOST:     life->hub.patch_drops = 0; break;
    default:                   break;
    }
}

/* These act at times, not at calls: with them a life is the same however often DoWork is called (invariant 8). */
static int is_comparable(sim_fault fault)
{
    switch (fault) {
    case FAULT_WRITE_BLOCKS: case FAULT_SHORT_WRITES: case FAULT_SHORT_READS: case FAULT_RAGGED: case FAULT_FILTER:
    case FAULT_HALF_DUPLEX: case FAULT_SLOW: case FAULT_GREEDY_READ: case FAULT_GREEDY_WRITE: case FAULT_CLOCK_UNKNOWN:
    case FAULT_CLOCK_JUMPS: case FAULT_TICK_LEAPS: case FAULT_TICK_STOPS: case FAULT_NO_ENTROPY: case FAULT_HMAC_PENDING:
    case FAULT_HMAC_FAILS: case FAULT_ASLEEP:
        return 0;
    default:
        return 1;
    }
}

void fault_strike(sim_life *life, sim_fault fault)
{
    unsigned state = device_state(life);
    if (kinds[fault].states == CONNECTED && life->stream.now == NULL) {
        return;
    }
    hits[state][fault][device_buffer(life)] += 1;
    note(life, EVENT_FAULT, (unsigned)fault, (unsigned)fault, state);
    life->token_pardons += state == STATE_SIGNING; /* a token that was signed may not be used any more */
    if (strike(life, fault)) {
        life->faults.ends[fault] = life->now + lasts(life);
    }
    faults_plan(life);
}

/* ---- time ---- */

void faults_plan(sim_life *life)
{
    unsigned i;
    life->faults.soonest = life->faults.next;
    for (i = 0; i < FAULT_COUNT; ++i) {
        life->faults.soonest = life->faults.ends[i] < life->faults.soonest ? life->faults.ends[i] : life->faults.soonest;
    }
}

void faults_begin(sim_life *life)
{
    unsigned i;
    for (i = 0; i < FAULT_COUNT; ++i) {
        life->faults.ends[i] = NEVER;
    }
    life->faults.next = life->faults.led_at = NEVER;
    life->faults.aims = 0;
    faults_plan(life);
}

void faults_work(sim_life *life)
{
    unsigned i;
    if (life->now < life->faults.soonest) {
        return;
    }
    for (i = 0; i < FAULT_COUNT; ++i) {
        if (life->faults.ends[i] <= life->now) {
            over(life, (sim_fault)i);
        }
    }
    if (life->faults.next <= life->now) {
        sim_fault fault = (sim_fault)below(&life->fault_random, FAULT_COUNT);
        life->faults.next = life->now + between(&life->fault_random, 1, 2u * life->faults.mean_ms);
        if (!life->faults.comparable || is_comparable(fault)) {
            fault_strike(life, fault);
        }
    }
    faults_plan(life);
}

/* What brings a client to a state that it does not visit by itself. */
static void lead(sim_life *life, unsigned state)
{
    sim_faults *f = &life->faults;
    int drains = state == STATE_DRAINING && device_state(life) == STATE_READY;
    if (drains && f->aim_buffer == 1 && device_buffer(life) == 0 && f->led_at != life->now) {
        f->led_at = life->now;                   /* where one message fills the outbox, or leaves at once, that is for ever */
        device_send(life, life->setup.body_minimum);
    }
    if (drains && f->aim_buffer != 2 ? device_buffer(life) != f->aim_buffer : !chance(&life->fault_random, 3)) {
        return;
    }
    switch (state) {
    case STATE_DRAINING:
        if (drains) {
            life->manners.blocked = 1;           /* DISCONNECT cannot be written: it stays for a while */
            f->ends[FAULT_WRITE_BLOCKS] = life->now + SECONDS(15);
        }
        /* fall through */
    case STATE_STOPPED:
        if (device_state(life) == STATE_READY) device_stop(life); else if (!life->device.running) device_start(life);
        break;
    case STATE_GAVE_UP:
        device_set_policy(life, 0, 0);
        f->ends[FAULT_GIVES_UP] = NEVER - 1u;
        if (life->stream.now != NULL && device_state(life) == STATE_READY) connection_reset(life, life->stream.now);
        break;
    case STATE_SIGNING:
        life->hmac_pending = 3;
        f->ends[FAULT_HMAC_PENDING] = NEVER - 1u;
        if (life->stream.now != NULL) connection_reset(life, life->stream.now);
        break;
    default:
        if (!life->device.running || device_state(life) == STATE_GAVE_UP) {
            device_start(life);
        } else if (state != STATE_READY && life->stream.now != NULL && device_state(life) == STATE_READY) {
            connection_reset(life, life->stream.now);
        }
        break;
    }
    faults_plan(life);
}

void faults_aim(sim_life *life)
{
    sim_faults *f = &life->faults;
    unsigned state = device_state(life);
    if (!f->aims || !life->faulty) {
        return;
    }
    if (state == f->aim_state) {
        if (f->aim_buffer == 2 && device_buffer(life) != 2) {
            burst(life);
        }
        if (device_buffer(life) == f->aim_buffer && (kinds[f->aim].states == ANY || life->stream.now != NULL)) {
            f->aims = 0;
            fault_strike(life, f->aim);
            return;
        }
        if (state == STATE_READY) {
            return;
        }
    }
    lead(life, f->aim_state);
}

void faults_end(sim_life *life)
{
    unsigned i;
    for (i = 0; i < FAULT_COUNT; ++i) {
        if (life->faults.ends[i] != NEVER) {
            over(life, (sim_fault)i);
        }
    }
    life->faults.next = NEVER;
    faults_plan(life);
}
