/* A life: the order of events in virtual time, how a random life is drawn, and what must be true when its faults are over. */
#include "sim.h"
#include <string.h>

uint32_t sim_tick_start;
int sim_tick_fixed;

/* ---- one life, from event to event ---- */

void setup_plain(sim_setup *setup)
{
    memset(setup, 0, sizeof *setup);
    setup->credential = CREDENTIAL_KEY;
    setup->slots = 16;
    setup->outbox_bytes = 4096;
    setup->inbox = 256;
    setup->keep_alive_s = 180;
    setup->lifetime_s = 3600;
    setup->qos = 1;
    setup->in_flight = 64;
    setup->pipelined = 1;
    setup->step = STEP_LAZY;
    setup->send_every_ms = 10000;
    setup->body_minimum = 10;
    setup->body_maximum = 100;
    setup->tick_start = sim_tick_fixed ? sim_tick_start : 1000;
    setup->wall_start = WALL_START;
}

/* Keeps the memory of the last life. */
void life_begin(sim_life *life, uint64_t seed)
{
    sim_device old;
    unsigned i;
    life->seed = seed;
    life->now = 0;
    life->hash = life->outcome = 0xCBF29CE484222325u;
    life->faulty = 0;
    life->healed_at = life->ready_by = 0;
    random_begin(&life->random, seed, 1);
    random_begin(&life->stream_random, seed, 2);
    random_begin(&life->hub_random, seed, 3);
    random_begin(&life->fault_random, seed, 4);
    random_begin(&life->extra_random, seed, 5);
    random_begin(&life->service_random, seed, 6);
    random_begin(&life->program_random, seed, 7);
    random_begin(&life->twin_random, seed, 8);
    setup_plain(&life->setup);
    memset(&life->manners, 0, sizeof life->manners);
    life->manners.latency_ms = 40;
    life->manners.open_ms = 120;
    life->calm_manners = life->manners;
    memset(&life->hub, 0, sizeof life->hub);
    life->hub.connack_ms = 5;
    life->hub.acknowledge_ms = 5;
    life->hub.ping_ms = 1;
    life->hub.window = 16;
    life->calm_hub = life->hub;
    for (i = 0; i < CONNECTIONS; ++i) {
        life->connections[i].client_open = life->connections[i].hub_open = 0;
        life->connections[i].number = 0;
    }
    life->connection_count = 0;
    life->own_registry.holder = NULL;
    life->registry = &life->own_registry;
    device_abandon(life);
    program_free(&life->device.programme, 0);
    old = life->device;
    memset(&life->device, 0, sizeof life->device);
    life->device.programme = old.programme;
    life->device.programme.next_chore = NEVER;
    life->device.memory = old.memory;
    life->device.memory_size = old.memory_size;
    life->device.messages = old.messages;
    life->device.platform = old.platform;
    life->device.next_step = life->device.next_send = life->device.next_token = NEVER;
    life->tick_offset = 0;
    life->tick_stopped_at = NEVER;
    life->wall_offset = 0;
    life->wall_unknown = life->no_entropy = life->hmac_fails = life->tick_hurt = life->tick_was_hurt = 0;
    life->hmac_pending = life->hmac_waits = life->token_pardons = 0;
    life->asleep_until = 0;
    life->failed_at = 0;
    life->failed_reached = life->start_alone = 0;
    life->failures_after_healing = 0;
    life->newest_first = 0;
    life->next_extra = NEVER;
    life->stack = 0;
    stream_begin(life);
    cloud_begin(life);
    faults_begin(life);
}

void life_open(sim_life *life)
{
    device_begin(life);
    life->device.next_send = life->setup.send_every_ms != 0 ? life->now : NEVER;
    life->next_extra = life->extra_steps ? life->now + 1 : NEVER;
    life->cloud->next_event = life->setup.service_every_ms != 0 ? life->now + 1u : NEVER;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t life_next(const sim_life *life)
{
    uint64_t next = earlier(stream_next(life), life->faults.soonest);
    unsigned i;
    for (i = 0; i < CONNECTIONS; ++i) {
        if (life->connections[i].hub_open) {
            next = earlier(next, hub_next(life, &life->connections[i]));
        }
    }
    if (!life->device.destroyed) {
        next = earlier(next, earlier(life->device.next_step, life->next_extra));
        next = earlier(next, life->device.sending ? life->device.next_send : NEVER);
        next = earlier(next, life->device.next_token);
        next = earlier(next, program_next(life));
        next = earlier(next, life->device.sending ? life->cloud->next_event : NEVER);
        if (life->setup.step == STEP_LAZY && life->now >= life->asleep_until && stream_ready(life)) {
            return life->now;
        }
    }
    return next > life->now ? next : life->now;
}

static void program_sends(sim_life *life)
{
    sim_device *device = &life->device;
    if (device->sending && device->next_send <= life->now) {
        device->next_send = life->now + between(&life->random, 1, 2u * life->setup.send_every_ms);
        device_send(life, between(&life->random, life->setup.body_minimum, life->setup.body_maximum));
    }
}

void life_step(sim_life *life)
{
    unsigned i;
    life->now = life_next(life);
    faults_work(life);
    stream_arrive(life);
    if (life->device.sending && !life->device.destroyed) {
        cloud_work(life);
    }
    for (i = 0; i < CONNECTIONS; ++i) {
        if (life->connections[i].hub_open) {
            hub_work(life, &life->connections[i]);
        }
    }
    stream_arrive(life);
    if (life->device.destroyed) {
        return;
    }
    program_sends(life);
    program_work(life);
    if (life->device.next_token <= life->now) {
        device_renew_token(life);                /* in time: the client reconnects with it */
    }
    if (life->next_extra <= life->now) {
        life->next_extra = life->now + between(&life->extra_random, 1, chance(&life->extra_random, 50) ? 50 : 20000);
        device_step(life);
    } else if (life->device.next_step <= life->now
        || (life->setup.step == STEP_LAZY && life->now >= life->asleep_until && stream_ready(life))) {
        device_step(life);
    }
    if (!life->device.destroyed) {
        faults_aim(life);
    }
}

void life_run(sim_life *life, uint64_t for_ms)
{
    uint64_t end = life->now + for_ms;
    while (!life->device.destroyed && life_next(life) <= end) {
        life_step(life);
    }
    life->now = end > life->now ? end : life->now;
}

void life_free(sim_life *life)
{
    stream_free(life);
    cloud_free(&life->own_cloud);
    program_free(&life->device.programme, 1);
    device_free(life);
}

/* ---- recovery: invariant 6 ---- */

static int connection_is_whole(const sim_life *life)
{
    const sim_connection *c = life->stream.now;
    return c != NULL && c->hub_open && !c->up.lost && !c->down.lost && !c->reset && !c->poisoned && !c->up.cutting && !c->down.cutting;
}

/* How long, from now, until the client must be ready: until it has noticed that its connection is no good, and then the
   back-off's cap for that kind of failure. */
static uint64_t recovery_bound(sim_life *life)
{
    uint64_t refused = SECONDS(device_retry_cap_s(life, 1)), unreached = SECONDS(device_retry_cap_s(life, 0));
    uint64_t attempt = SECONDS(3) + life->manners.open_ms + 6u * life->manners.latency_ms;
    unsigned keep_alive = life->stream.now != NULL ? life->stream.now->keep_alive_s : 0;
    switch (device_state(life)) {
    case STATE_WAITING:
        return (life->failed_reached ? refused : unreached) + attempt;
    case STATE_OPENING:
        return life->stream.opens_at == NEVER ? SECONDS(60) + unreached + attempt : refused + attempt;
    case STATE_CONNECTING:
        return SECONDS(60) + refused + attempt;  /* its CONNACK may have been delayed beyond the deadline before the healing */
    case STATE_READY:
        return connection_is_whole(life) ? attempt : (keep_alive != 0 ? SECONDS(keep_alive + 60u) : SECONDS(480)) + refused + attempt;
    case STATE_DRAINING:
        return SECONDS(11) + refused + attempt;
    default:
        return SECONDS(2) + attempt;
    }
}

void life_heal(sim_life *life)
{
    sim_setup *setup = &life->setup;
    faults_end(life);
    life->faults.aims = 0;
    life->faulty = 0;
    life->manners = life->calm_manners;
    life->hub = life->calm_hub;
    life->asleep_until = 0;
    life->tick_hurt = 0;
    life->healed_at = life->now;
    setup->meddles = setup->toggles = setup->large = setup->holds = setup->rejects = 0;
    setup->step = STEP_LAZY;
    setup->send_every_ms = setup->send_every_ms != 0 && setup->send_every_ms < 5000u ? setup->send_every_ms : 5000u;
    life->device.next_send = life->now;
    life->device.next_step = life->now;
    device_start(life);
    device_renew_token(life);
    device_set_keep_alive(life, 120);
    program_all(life);
    program_settles(life);
    messages_expire(life, 0);
    /* what was set while the client connects makes it reconnect once more */
    life->ready_by = life->now + recovery_bound(life) + SECONDS(3) + life->manners.open_ms + 6u * life->manners.latency_ms;
    note(life, EVENT_HEALED, device_state(life), 0, 0);
}

static void wait_until_ready(sim_life *life)
{
    while (device_state(life) != STATE_READY || !connection_is_whole(life)) {
        life_step(life);
        if (life->now > life->ready_by) {
            fail(life, 6, "not ready %u s after the last fault: %s", (unsigned)((life->now - life->healed_at) / 1000u),
                state_names[device_state(life)]);
        }
    }
}

static void wait_until_settled(sim_life *life, uint64_t bound, unsigned up_to)
{
    uint64_t end = life->now + bound;
    while (life->device.settled_before < up_to) {
        life_step(life);
        if (life->now > end) {
            fail(life, 6, "message %u is not settled %u s after the last fault", life->device.settled_before + 1u,
                (unsigned)((life->now - life->healed_at) / 1000u));
        }
    }
}

/* ---- recovery of the features ---- */

static int is_subscribed(const sim_life *life)
{
    unsigned wanted = program_filters(life);
    return connection_is_whole(life) && (life->stream.now->filters_granted & wanted) == wanted;
}

static int is_delivered(const sim_life *life)
{
    return messages_waiting(life) == 0 || !(life->device.programme.asked & FEATURE_MESSAGES);
}

static int is_told(const sim_life *life)
{
    const sim_programme *p = &life->device.programme;
    return p->reports_told == p->reports.count && p->gets_ended == p->get_count;
}

/* The last method, or its connection is not there any more, and another is. */
static int is_answered(const sim_life *life)
{
    const sim_method *m = AT(life->cloud->methods, sim_method, life->cloud->methods.count - 1u);
    return m->came || (is_subscribed(life) && life->stream.now->number != m->connection);
}

static void wait_until(sim_life *life, uint64_t bound, int (*condition)(const sim_life *life), const char *what)
{
    uint64_t end = life->now + bound;
    while (!condition(life)) {
        if (life->device.destroyed || life->now > end) {
            fail(life, 6, "%s, %u s after the last fault", what, (unsigned)((life->now - life->healed_at) / 1000u));
        }
        life_step(life);
    }
}

/* A hub that closes on an acknowledgement out of order does so when something before it found no room. */
static uint64_t closings(const sim_life *life, unsigned waiting)
{
    uint64_t one = SECONDS(device_retry_cap_s(life, 1)) + life->manners.open_ms + SECONDS(10);
    return life->hub.order == ORDER_CLOSES ? (waiting / 8u + 1u) * one : 0;
}

/* How long a refused filter, a lost SUBACK, an answer that does not come and a retry-after may take, one after the other. */
static uint64_t feature_bound(const sim_life *life, unsigned waiting)
{
    uint64_t quiet = life->cloud->quiet_until > life->now ? life->cloud->quiet_until - life->now : 0;
    return SECONDS(61 + 61 + 61 + 120) + quiet + 2u * SECONDS(device_retry_cap_s(life, 1)) + 40u * life->manners.latency_ms + 3u * life->manners.open_ms
        + (uint64_t)waiting * (6u * life->manners.latency_ms + 1000u)
        + closings(life, waiting);
}

/* The last word of each kind goes through: a change, a report, a get, a method. */
static void finish_twin(sim_life *life)
{
    const sim_programme *p = &life->device.programme;
    unsigned report = 0, get = 0;
    uint64_t end;
    twin_edit(life, 0);                          /* a small document */
    if (p->asked & FEATURE_TWIN) {
        if (life->cloud->large_document && !(p->asked & FEATURE_PIECES)) {
            life_run(life, SECONDS(60));
            connection_reset(life, life->stream.now); /* the document of a new connection is a small one */
            life->cloud->large_document = 0;
        }
        wait_until(life, feature_bound(life, 1), program_view_is_true, "the program's twin is not the hub's");
    }
    wait_until(life, feature_bound(life, p->reports.count), is_told, "a report or GetTwinAsync has no end");
    end = life->now + SECONDS(20);
    while ((p->asked & FEATURE_REPORTS) && (report = program_report(life, 30)) == 0) {
        if (life->now > end) {
            if (life->setup.inbox >= ROOMY) fail(life, 6, "no report is taken");
            break;
        }
        life_run(life, 100);                     /* the outbox is full for a moment */
    }
    if ((p->asked & FEATURE_GETS) && p->get_count < GETS) {
        get = program_get(life);
        if (get == 0 && life->setup.inbox >= ROOMY) fail(life, 6, "no GetTwinAsync is taken");
    }
    wait_until(life, feature_bound(life, p->reports.count), is_told, "a report or GetTwinAsync has no end");
    if (report != 0) {
        unsigned told = (*AT(p->reports, sim_report *, report - 1u))->told;
        if (told != 205) fail(life, 6, "the last report ends with %u", told - 1u);
        if (life->cloud->reported != report) fail(life, 6, "the hub has report %u, not %u", life->cloud->reported, report);
    }
    if (get != 0 && p->gets[get - 1u].ended != 2 && life->setup.inbox >= ROOMY) {
        fail(life, 6, "GetTwinAsync ends without a document");
    }
}

static void finish_methods(sim_life *life)
{
    const sim_method *m;
    unsigned number, connection;
    if (!(life->device.programme.asked & (FEATURE_METHODS | FEATURE_METHODS_EX)) || life->stream.now == NULL) {
        return;
    }
    do {                                         /* a renewal may take it away */
        number = methods_invoke(life, life->stream.now, 10);
        connection = life->stream.now->number;
        wait_until(life, feature_bound(life, 1), is_answered, "a method is not answered");
    } while (!AT(life->cloud->methods, sim_method, number - 1u)->came && life->stream.now->number != connection);
    m = AT(life->cloud->methods, sim_method, number - 1u);
    if (!m->handed) fail(life, 6, "a method is answered 503, %u s after the last fault", (unsigned)((life->now - life->healed_at) / 1000u));
}

/* What the service asked after the last fault, on the connection that is still there, has an answer. */
static void check_methods(sim_life *life, uint64_t asked_at)
{
    unsigned i;
    int asked = (life->device.programme.asked & (FEATURE_METHODS | FEATURE_METHODS_EX)) != 0;
    for (i = 0; asked && i < life->cloud->methods.count; ++i) {
        const sim_method *m = AT(life->cloud->methods, sim_method, i);
        if (life->stream.now != NULL && m->connection == life->stream.now->number && m->at > asked_at && !m->came) {
            fail(life, 13, "method %u has no answer after %u s", m->number, (unsigned)((life->now - m->at) / 1000u));
        }
    }
}

static void finish_features(sim_life *life)
{
    uint64_t asked_at;
    if (life->setup.features == 0) {
        return;
    }
    asked_at = life->now;
    program_all(life);                           /* what found no room when the faults were over */
    wait_until(life, feature_bound(life, 0), is_subscribed, "not all is subscribed");
    messages_expire(life, 0);
    wait_until(life, feature_bound(life, messages_waiting(life)), is_delivered, "a message is not settled");
    wait_until(life, feature_bound(life, 0), is_subscribed, "not all is subscribed");
    finish_twin(life);
    wait_until(life, feature_bound(life, 0), is_subscribed, "not all is subscribed");
    life_run(life, SECONDS(310));                /* unanswered methods are forgotten */
    check_methods(life, asked_at);
    wait_until(life, feature_bound(life, 0), is_subscribed, "not all is subscribed");
    finish_methods(life);
}

/* What is left to show when the last fault is over: everything is settled while the program still sends; then idleness costs
   pings and renewals only; then the client ends, stopped first or not. */
void life_finish(sim_life *life)
{
    unsigned starved, before, pings, steps;
    uint64_t idle = SECONDS(3600), one_by_one;
    if (life->device.destroyed) {
        return;
    }
    wait_until_ready(life);
    starved = life->stream.now->hurt;
    one_by_one = (life->setup.features != 0 ? closings(life, messages_waiting(life)) : 0) + SECONDS(120) + (uint64_t)life->setup.slots * (2u * life->manners.latency_ms + 500u);
    wait_until_settled(life, starved ? SECONDS(480 + 60) + SECONDS(device_retry_cap_s(life, 1)) + one_by_one : one_by_one, life->device.count);
    device_check_statistics(life);
    life->device.sending = 0;
    wait_until_settled(life, starved ? SECONDS(960) : one_by_one, life->device.count);
    finish_features(life);
    life_run(life, SECONDS(15));                 /* a planned reconnect may be under way */
    if (device_state(life) == STATE_READY) {
        device_check_idle(life);
    }
    before = life->failures_after_healing;
    pings = device_statistic(life, STATISTIC_PINGS);
    steps = life->device.steps;
    life_run(life, idle);
    if (life->failures_after_healing != before) fail(life, 6, "a quiet hour had a failure");
    if (device_statistic(life, STATISTIC_PINGS) - pings > idle / 1000u / 120u + 2u) fail(life, 7, "%u pings in a quiet hour", device_statistic(life, STATISTIC_PINGS) - pings);
    if (life->device.steps - steps > 600u + (300u + life->manners.open_ms / 10u) * (2u + 3600u * 2u / life->setup.lifetime_s)) fail(life, 7, "%u DoWork calls in a quiet hour", life->device.steps - steps);
    device_check_statistics(life);
    if (chance(&life->random, 50)) {
        device_stop(life);
        life_run(life, SECONDS(20));
        if (device_state(life) != STATE_STOPPED) fail(life, 6, "Stop takes more than 20 s");
    } else if (chance(&life->random, 50)) {
        device_send(life, life->setup.body_minimum);
    }
    device_destroy(life);
    life_run(life, SECONDS(1000));
}

/* ---- random lives ---- */

static void draw_hub(sim_life *life, sim_random *r)
{
    static const unsigned windows[] = { 1, 16, 50 };
    sim_hub_manners *hub = &life->hub;
    hub->window = windows[below(r, 3)];
    hub->order = chance(r, 60) ? ORDER_ANY : between(r, ORDER_IGNORES, ORDER_CLOSES);
    hub->ids = below(r, 3);
    hub->early = chance(r, 50);
    hub->suback_ms = chance(r, 70) ? 0 : between(r, 1, 500);
    hub->twin_ms = between(r, 0, 100);
    hub->twin_spread_ms = chance(r, 50) ? 0 : between(r, 1, 800);
    hub->snapshot_early = chance(r, 50);
}

static void draw_manners(sim_life *life)
{
    sim_random *r = &life->random;
    life->manners.latency_ms = chance(r, 80) ? between(r, 1, 300) : between(r, 300, 3000);
    life->manners.open_ms = chance(r, 80) ? between(r, 0, 1000) : between(r, 1000, 20000);
    life->manners.close_drops = chance(r, 50);
    life->hub.acknowledge_ms = between(r, 0, 50);
    life->hub.acknowledge_spread_ms = chance(r, 50) ? 0 : between(r, 1, 400);
    life->hub.session_present = chance(r, 50);
    draw_hub(life, r);
    if (!life->faults.comparable) {
        life->manners.ragged = chance(r, 30);
        life->manners.refuse_percent = chance(r, 20) ? between(r, 1, 30) : 0;
        life->manners.record = chance(r, 30) ? between(r, 32, 600) : 0;
        life->manners.half_duplex = chance(r, 15);
        life->manners.send_buffer = chance(r, 30) ? between(r, 100, 4000) : 0;
    }
    life->calm_manners = life->manners;
    life->calm_hub = life->hub;
}

/* What fits into an inbox depends on the size of a pointer, and so does the place of a kept message in the outbox. The lives that
   are compared with those of other machines have room for all, and keep none. */
#define SAME_EVERYWHERE 64u

static const uint32_t ticks[] = { 0, 0x7FFFF000u, 0xFFFFF000u, 0xFFFFFF00u };

void setup_draw(sim_life *life)
{
    sim_random *r = &life->random;
    sim_setup *setup = &life->setup;
    static const unsigned in_flight[] = { 1, 2, 5, 64 };
    unsigned bytes = between(r, 1, 4);
    setup->credential = chance(r, 70) ? CREDENTIAL_KEY : chance(r, 50) ? CREDENTIAL_TOKEN : CREDENTIAL_X509;
    setup->slots = between(r, 1, 24);
    setup->outbox_bytes = bytes == 1 ? between(r, 150, 400) : bytes == 2 ? between(r, 400, 1500) : between(r, 1500, 6000);
    setup->inbox = between(r, 128, 512);
    setup->keep_alive_s = chance(r, 50) ? 180u : between(r, 20, 240);
    setup->lifetime_s = chance(r, 50) ? 3600u : between(r, 300, 1800);
    setup->message_timeout_ms = chance(r, 70) ? 0 : between(r, 500, 200000);
    setup->qos = chance(r, 85);
    setup->mixed_qos = chance(r, 10);
    setup->in_flight = in_flight[below(r, 4)];
    setup->pipelined = chance(r, 75);
    setup->clean_session = chance(r, 20);
    setup->step = life->faults.comparable || chance(r, 60) ? STEP_LAZY : chance(r, 60) ? STEP_REGULAR : STEP_IRREGULAR;
    setup->step_ms = chance(r, 50) ? between(r, 1, 100) * 10u : between(r, 1, 30) * 1000u;
    setup->send_every_ms = chance(r, 30) ? between(r, 100, 2000) : between(r, 2000, 60000);
    setup->body_minimum = between(r, 1, 40);
    setup->body_maximum = setup->body_minimum + between(r, 0, chance(r, 70) ? 200 : 1500);
    setup->sends_again = chance(r, 20) ? 20 : 0;
    setup->meddles = chance(r, 20) ? 5 : 0;
    setup->policy = chance(r, 15) ? 1u + between(r, 2, 4) : 0; /* INTERVAL, LINEAR, EXPONENTIAL; else the default */
    setup->poison_limit = chance(r, 15) ? between(r, 1, 5) : 0;
    setup->kept = chance(r, 20) ? between(r, 10, 100) : 0;
    setup->kept = life->seed <= SAME_EVERYWHERE ? 0 : setup->kept;
    setup->drop_policy = chance(r, 80) ? 0 : between(r, 1, 2);
    setup->tick_start = sim_tick_fixed ? sim_tick_start : chance(r, 60) ? ticks[below(r, 4)] : draw(r);
}

/* Six lives of ten use the features, or some of them. */
static void draw_features(sim_life *life)
{
    sim_random *r = &life->program_random;
    sim_setup *setup = &life->setup;
    if (!chance(r, 60)) {
        return;
    }
    setup->features = chance(r, 50) ? FEATURE_ALL : between(r, 1, FEATURE_ALL | FEATURE_METHODS_EX);
    if ((setup->features & FEATURE_METHODS) && (setup->features & FEATURE_METHODS_EX)) {
        setup->features &= ~(unsigned)FEATURE_METHODS; /* one or the other */
    } else if ((setup->features & FEATURE_METHODS) && chance(r, 60)) {
        setup->features ^= FEATURE_METHODS | FEATURE_METHODS_EX;
    }
    setup->late = chance(r, 70) ? 0 : between(r, 1, 127);
    setup->module = chance(r, 25);
    setup->inbox = (setup->features & FEATURE_PIECES) ? between(r, 512, 2048) : between(r, 1500, 4000);
    if (life->seed <= SAME_EVERYWHERE) {
        setup->inbox = 16000;
    }
    setup->outbox_bytes = setup->outbox_bytes < 600u ? 600u : setup->outbox_bytes;
    setup->service_every_ms = chance(r, 30) ? between(r, 300, 3000) : between(r, 3000, 60000);
    setup->chore_every_ms = between(r, 2000, 60000);
    setup->holds = chance(r, 60) ? 0 : between(r, 10, 90);
    setup->rejects = chance(r, 70) ? 0 : between(r, 5, 60);
    setup->toggles = chance(r, 85) ? 0 : between(r, 2, 20);
    setup->large = chance(r, 70) ? 0 : between(r, 1, 30);
    setup->oversize_limit = chance(r, 90) ? 0 : between(r, 1, 3);
}

static void draw_life(sim_life *life, uint64_t seed)
{
    sim_faults *f = &life->faults;
    unsigned hours;
    life_begin(life, seed);
    f->comparable = seed % 4u == 3u;
    setup_draw(life);
    draw_features(life);
    draw_manners(life);
    f->mean_ms = chance(&life->fault_random, 50) ? between(&life->fault_random, 1000, 20000) : between(&life->fault_random, 20000, 200000);
    f->next = between(&life->fault_random, 1, f->mean_ms);
    faults_plan(life);
    if (!f->comparable) {
        f->aims = 1;
        faults_cell((unsigned)(seed - seed / 4u) % faults_cells(), &f->aim_state, &f->aim, &f->aim_buffer);
    }
    hours = f->mean_ms / 10000u;
    life->healed_at = SECONDS(between(&life->fault_random, 60, 600 + 400 * hours));
}

/* One life from its seed. */
static void live(sim_life *life)
{
    uint64_t heals_at = life->healed_at;
    life->faulty = 1;
    life_open(life);
    life_run(life, heals_at);
    if (life->faults.aims && !life->device.destroyed) {
        faults_end(life);                        /* it has not been where it should be hit: wait for that in peace */
        life->device.sending = life->faults.aim_buffer != 0;
    }
    while (life->faults.aims && !life->device.destroyed && life->now < heals_at + SECONDS(2500)) {
        life_step(life);
    }
    life->device.sending = 1;
    if (!life->device.destroyed) {
        life_heal(life);
        life_finish(life);
    }
}

static void run(sim_life *life, uint64_t seed, int extra, const char *what)
{
    if (life->trace) {
        printf("---- %s\n", what);
    }
    draw_life(life, seed);
    life->extra_steps = extra;
    live(life);
}

/* Twice with one hash; and, where faults act by time alone, once more with DoWork called at odd times: the hub gets the same
   packets at the same times, the program hears the same. The hash of the second run is left. */
int life_random(sim_life *life, uint64_t seed)
{
    uint64_t hash, outcome;
    if (setjmp(life->failed) != 0) {
        return 0;
    }
    run(life, seed, 0, "the life");
    hash = life->hash;
    outcome = life->outcome;
    run(life, seed, 0, "again");
    if (life->hash != hash) fail(life, 9, "run twice, it gives two traces");
    if (life->faults.comparable) {
        run(life, seed, 1, "with more calls of DoWork");
        if (life->outcome != outcome) fail(life, 8, "with more calls of DoWork another life follows");
        life->hash = hash;
    }
    return 1;
}

/* ---- two lives side by side ---- */

static void begin_half(sim_life *life, uint64_t seed, uint64_t *end)
{
    draw_life(life, seed);
    *end = life->healed_at;
    life->faulty = 1;
    life->extra_steps = 0;
    life_open(life);
}

static void step_half(sim_life *life, uint64_t end)
{
    if (!life->device.destroyed && life_next(life) <= end) {
        life_step(life);
    } else {
        life->now = end;
        device_destroy(life);
    }
}

static uint64_t alone(sim_life *life, uint64_t seed)
{
    uint64_t end;
    begin_half(life, seed, &end);
    while (!life->device.destroyed) {
        step_half(life, end);
    }
    return life->hash;
}

/* Two clients in one process: each gives the trace that it gives alone (invariant 7). */
int life_pair(sim_life *a, sim_life *b, uint64_t seed)
{
    uint64_t hash_a, hash_b, end_a, end_b;
    if (setjmp(a->failed) != 0 || setjmp(b->failed) != 0) {
        return 0;
    }
    hash_a = alone(a, seed);
    hash_b = alone(b, seed + 1u);
    begin_half(a, seed, &end_a);
    begin_half(b, seed + 1u, &end_b);
    while (!a->device.destroyed || !b->device.destroyed) {
        int a_first = !a->device.destroyed && (b->device.destroyed || life_next(a) <= life_next(b));
        step_half(a_first ? a : b, a_first ? end_a : end_b);
    }
    if (a->hash != hash_a) fail(a, 7, "beside another client it gives another trace");
    if (b->hash != hash_b) fail(a, 7, "beside it its neighbour gives another trace");
    return 1;
}
