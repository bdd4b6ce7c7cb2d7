/* The named faults for messages from the cloud, twins and methods. As in cases.c each is a life with a script; all the invariants
   hold in it, and it adds a rule of its own. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define HOURS(n) SECONDS(3600u * (uint64_t)(n))
#define ALL FEATURE_ALL
#define EX (FEATURE_ALL - FEATURE_METHODS + FEATURE_METHODS_EX)

/* A device that uses features; nothing happens but what the script says, and a message every ten seconds. */
static void begin(sim_life *life, unsigned seed, unsigned features, unsigned inbox)
{
    life_begin(life, seed);
    life->setup.features = features;
    life->setup.inbox = inbox;
}

static void open_ready(sim_life *life)
{
    life_open(life);
    life_run(life, SECONDS(3));
    expect(life, device_state(life) == STATE_READY, "not ready after three seconds");
}

static sim_programme *program(sim_life *life)
{
    return &life->device.programme;
}

static unsigned handed(const sim_life *life, unsigned letter)
{
    unsigned i, count = 0;
    for (i = 0; i < life->cloud->deliveries.count; ++i) {
        const sim_delivery *d = AT(life->cloud->deliveries, sim_delivery, i);
        count += d->letter == letter && d->handed;
    }
    return count;
}

static unsigned delivered(const sim_life *life, unsigned letter)
{
    unsigned i, count = 0;
    for (i = 0; i < life->cloud->deliveries.count; ++i) {
        count += AT(life->cloud->deliveries, sim_delivery, i)->letter == letter;
    }
    return count;
}

static const sim_method *method(const sim_life *life, unsigned number)
{
    return AT(life->cloud->methods, sim_method, number - 1u);
}

static unsigned requests(const sim_life *life)
{
    return life->cloud->requests.count;
}

static const sim_report *report(sim_life *life, unsigned number)
{
    return *AT(program(life)->reports, sim_report *, number - 1u);
}

/* ---- FI-04: pings, while only the hub speaks ---- */

static void fi_04(sim_life *life)
{
    unsigned i, before;
    begin(life, 40, FEATURE_TWIN, 1024);
    life->setup.keep_alive_s = 60;
    life->setup.credential = 2;
    open_quiet(life);
    before = device_statistic(life, STATISTIC_PINGS);
    for (i = 0; i < 360; ++i) {
        twin_edit(life, 0);
        life_run(life, SECONDS(10));
    }
    before = device_statistic(life, STATISTIC_PINGS) - before;
    expect(life, before == 59 || before == 60, "an hour at 60 s, in which only the hub speaks, has 60 pings");
    life->hub.ping_never = 1;
    for (i = 0; i < 16; ++i) {
        twin_edit(life, 0);
        life_run(life, SECONDS(10));
    }
    expect(life, life->failed_at != 0, "patches hide a lost PINGRESP");
    life->hub.ping_never = 0;
    recover(life);
}

/* ---- FI-06: two programs with one identity, one queue ---- */

static void fi_06(sim_life *life)
{
    sim_life *other = (sim_life *)calloc(1, sizeof *other), *both[2];
    unsigned i;
    memcpy(&other->failed, &life->failed, sizeof other->failed);
    both[0] = life;
    both[1] = other;
    for (i = 0; i < 2; ++i) {
        begin(both[i], 600 + i, FEATURE_MESSAGES, 1024);
        both[i]->name = life->name;
        both[i]->registry = &life->own_registry;
        both[i]->cloud = &life->own_cloud;
        both[i]->connection_count = i * 100000u; /* deliveries are told apart by the number of their connection */
        life_open(both[i]);
    }
    for (i = 0; i < 40; ++i) {
        messages_post(life, 20, 1);
        while (life->now < SECONDS(30u * (i + 1u)) || other->now < SECONDS(30u * (i + 1u))) {
            life_step(life_next(life) <= life_next(other) ? life : other);
        }
    }
    expect(life, program(other)->letters > 0 && program(life)->letters > 0, "one of them gets nothing");
    device_destroy(other);
    life->registry->holder = NULL;
    life_free(other);
    free(other);
    recover(life);
    expect(life, messages_waiting(life) == 0, "a message is lost between two");
}

/* ---- FI-13: larger than the inbox ---- */

static void fi_13(sim_life *life)
{
    unsigned module, letter, number, i;
    for (module = 0; module < 2; ++module) {     /* in pieces */
        begin(life, 1300 + module, ALL - FEATURE_METHODS + FEATURE_METHODS_EX, 512);
        life->setup.module = (int)module;
        open_ready(life);
        letter = messages_post(life, 64u * 1000u, 1);
        messages_post(life, 10, 9);              /* a %24.to that alone is larger than the inbox */
        number = methods_invoke(life, life->stream.now, 131072u);
        twin_edit(life, 30000);
        life_run(life, SECONDS(60));
        expect(life, messages_waiting(life) == 0 && handed(life, letter) == 1, "64 KB do not come in pieces");
        expect(life, method(life, number)->handed, "128 KB do not come in pieces");
        expect(life, program_view_is_true(life), "a large patch does not come in pieces");
        connection_reset(life, life->stream.now);
        life_run(life, SECONDS(60));
        expect(life, program_view_is_true(life), "a document of 30 KB does not come in pieces");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
    for (i = 0; i < 2; ++i) {                    /* skipped; acknowledged at the third sighting, if so asked */
        begin(life, 1310 + i, FEATURE_MESSAGES | FEATURE_TWIN | FEATURE_METHODS, 1024);
        life->setup.oversize_limit = i * 3u;
        open_ready(life);
        letter = messages_post(life, 64u * 1000u, 1);
        number = methods_invoke(life, life->stream.now, 131072u);
        life_run(life, SECONDS(10));
        expect(life, method(life, number)->came && !method(life, number)->handed, "a method that finds no room is not answered 503");
        expect(life, device_statistic(life, STATISTIC_SKIPPED) == 2, "what was skipped is miscounted");
        life_run(life, SECONDS(300));
        expect(life, attempts(life) == 1, "what is too large costs the connection");
        expect(life, handed(life, letter) == 0 && messages_waiting(life) == (i == 0), "what is too large is not left unacknowledged, or not given up");
        if (i == 1) expect(life, delivered(life, letter) == 3, "given up at another sighting than the third");
        messages_expire(life, 1);
        messages_post(life, 40, 0);
        life_run(life, SECONDS(5));
        expect(life, messages_waiting(life) == 0, "a message does not pass after one that is too large");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-17: SUBACK refuses, or is missing ---- */

static void fi_17(sim_life *life)
{
    unsigned mask, number, unanswered;
    long raw;
    for (mask = 1; mask <= FILTER_ALL; ++mask) {
        begin(life, 1700 + mask, ALL, 1024);
        life->hub.suback_refuses = mask;
        open_ready(life);
        expect(life, device_error(life, &raw) == device_refused_code() && (raw & (long)mask) != 0, "a refused filter is not told");
        life_run(life, SECONDS(200));
        expect(life, attempts(life) == 1, "a refused filter costs the connection");
        expect(life, life->device.settled > 15, "a refused filter stops the messages");
        life->hub.suback_refuses = 0;
        life_run(life, SECONDS(62));
        expect(life, life->stream.now->filters_granted == FILTER_ALL, "a refused filter is not asked for again");
        number = methods_invoke(life, life->stream.now, 10);
        life_run(life, SECONDS(2));
        expect(life, method(life, number)->came && method(life, number)->handed, "a method is not answered after recovery");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
    for (unanswered = 0; unanswered < 2; ++unanswered) {
        begin(life, 1720, ALL, 1024);
        life->hub.suback_never = unanswered == 0;
        life->hub.suback_ms = unanswered * 40000u;
        open_ready(life);
        life_run(life, SECONDS(50));
        expect(life, attempts(life) == 1, "a late SUBACK costs the connection");
        life_run(life, SECONDS(15));
        expect(life, (life->failed_at != 0) == (unanswered == 0), "a missing SUBACK goes unnoticed");
        life->hub.suback_never = 0;
        life->hub.suback_ms = 0;
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-18: a message in the same segment as CONNACK ---- */

static void fi_18(sim_life *life)
{
    unsigned early, letter, window;
    for (early = 0; early < 2; ++early) {
        for (window = 1; window <= 50; window += 49) {
            begin(life, 1800 + early, FEATURE_MESSAGES, 1024);
            life->hub.window = window;
            life->cloud->session = 1;
            life->cloud->filters = FILTER_MESSAGES;
            life->setup.late = early ? 0 : FEATURE_MESSAGES;
            letter = messages_post(life, 30, 1);
            messages_post(life, 30, 0);
            messages_post(life, 30, 2);
            life_open(life);
            life_run(life, SECONDS(2));
            if (early) {
                expect(life, messages_waiting(life) == 0 && handed(life, letter) == 1 && delivered(life, letter) == 1, "a message beside CONNACK is not delivered");
            } else {
                expect(life, messages_waiting(life) == 3 && handed(life, letter) == 0, "a message is acknowledged that nobody asked for");
                program_ask(life, FEATURE_MESSAGES);
                life_run(life, SECONDS(70));
                expect(life, messages_waiting(life) == 0 && handed(life, letter) == 1, "a message from before the handler is lost");
            }
            expect(life, attempts(life) == 1, "an early message costs the connection");
            recover(life);
            expect(life, all_ok(life), "a message is lost");
        }
    }
}

/* ---- FI-19: the twin changes while the device is offline, or a patch is lost ---- */

static void fi_19(sim_life *life)
{
    unsigned early, i;
    for (early = 0; early < 2; ++early) {
        begin(life, 1900 + early, FEATURE_TWIN, 1024);
        life->hub.snapshot_early = (int)early;
        life->hub.twin_ms = 500;
        open_ready(life);
        expect(life, program(life)->documents == 1 && program(life)->patches == 0, "not one document after the first connect");
        twin_edit(life, 0);
        life_run(life, SECONDS(1));
        expect(life, program(life)->patches == 1 && program_view_is_true(life), "a patch does not arrive");
        life->manners.open_fails = 1;
        connection_reset(life, life->stream.now);
        for (i = 0; i < 5; ++i) {
            life_run(life, SECONDS(5));
            twin_edit(life, 0);
        }
        life->manners.open_fails = 0;
        life_run(life, SECONDS(140));
        expect(life, program(life)->documents == 2 && program(life)->patches == 1 && program_view_is_true(life), "not one update after the reconnect");
        life->hub.patch_drops = 100;             /* a gap */
        twin_edit(life, 0);
        life->hub.patch_drops = 0;
        twin_edit(life, 0);
        life_run(life, SECONDS(3));
        expect(life, program(life)->documents == 3 && program_view_is_true(life), "a gap is not healed by a document");
        connection_reset(life, life->stream.now);
        while (life->cloud->requests.count == 0 || life->stream.now == NULL || AT(life->cloud->requests, sim_request, requests(life) - 1u)->connection != life->stream.now->number
            || AT(life->cloud->requests, sim_request, requests(life) - 1u)->status == 0) {
            life_step(life);                     /* until the next GET is at the hub */
        }
        twin_edit(life, 0);                      /* a patch while a GET is on its way */
        life_run(life, SECONDS(5));
        expect(life, program_view_is_true(life), "a patch during a GET is lost");
        twin_recreate(life);
        life_run(life, SECONDS(140));
        expect(life, program_view_is_true(life), "a device that was created anew is not believed");
        twin_edit(life, 0);
        life_run(life, SECONDS(1));
        expect(life, program_view_is_true(life), "a patch of a device that was created anew is not believed");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-20: a reported state is lost, before or after it was applied ---- */

static void fi_20(sim_life *life)
{
    unsigned applied, first, second;
    for (applied = 0; applied < 2; ++applied) {
        begin(life, 2000 + applied, FEATURE_REPORTS, 1024);
        open_ready(life);
        life->hub.twin_drops = 100;
        life->hub.applies_and_drops = (int)applied;
        first = program_report(life, 40);
        second = program_report(life, 40);
        life_run(life, SECONDS(5));
        expect(life, report(life, first)->told == 0 && report(life, first)->applied == applied, "the script does not reach its point");
        life->hub.twin_drops = 0;
        connection_reset(life, life->stream.now);
        life_run(life, SECONDS(5));
        expect(life, report(life, first)->told == 205 && report(life, second)->told == 205, "a report that a loss left unanswered is not sent again");
        expect(life, report(life, first)->applied == 1 + applied && life->cloud->reported == second, "reports are applied in another order");
        life->hub.twin_drops = 100;              /* no loss of the connection: told after a minute */
        first = program_report(life, 40);
        second = program_report(life, 40);
        life_run(life, SECONDS(70));
        expect(life, report(life, first)->told == 409, "an unanswered report is not told as 408");
        life->hub.twin_drops = 0;
        life_run(life, SECONDS(70));
        expect(life, report(life, second)->told == 205 || report(life, second)->told == 409, "the report behind it is stuck");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* The whole session of a report, cut at every byte. */
static void fi_20_cuts(sim_life *life)
{
    size_t at, whole = 400;
    int up;
    for (up = 0; up < 2; ++up) {
        for (at = 0; at < whole; ++at) {
            begin(life, 2010, FEATURE_REPORTS | FEATURE_TWIN, 1024);
            life->setup.send_every_ms = 0;
            life->manners.cut_up = up;
            life->manners.cut_at = at + (up ? 250u : 0);
            life->manners.cut_kind = 1 + (int)(at & 1u);
            life_open(life);
            program_report(life, 40);
            program_report(life, 50);
            life_run(life, SECONDS(90));
            expect(life, life->cloud->reported == 2 && report(life, 1)->told == 205 && report(life, 2)->told == 205, "a report is lost by a cut");
            recover(life);
        }
    }
}

/* ---- FI-21: 429 with and without retry-after ---- */

static void fi_21(sim_life *life)
{
    static const unsigned waits[] = { 1, 30, 300, 0 };
    unsigned i, before, number, status;
    for (i = 0; i < 4; ++i) {
        for (status = 429; status <= 503; status += 74) {
            begin(life, 2100 + i, FEATURE_TWIN | FEATURE_REPORTS | FEATURE_GETS, 1024);
            life->setup.lifetime_s = 86400;
            life->hub.twin_status = status;
            life->hub.retry_after_s = waits[i];
            open_ready(life);
            expect(life, program(life)->documents == 0, "an error is taken for a document");
            before = requests(life);
            expect(life, before >= 1 && before <= 3, "429 is answered by a storm");
            life_run(life, HOURS(1));
            expect(life, requests(life) - before <= 3700u / (waits[i] != 0 ? waits[i] : 1u) && requests(life) - before >= 3u, "429 is answered by too many requests, or none");
            if (waits[i] == 0) expect(life, requests(life) - before <= 700u, "429 without retry-after is answered by too many requests");
            number = program_report(life, 30);
            life_run(life, SECONDS(320));
            expect(life, report(life, number)->told == status + 1u, "a refused report is not told");
            connection_reset(life, life->stream.now); /* a new connection does not shorten the wait */
            life_run(life, SECONDS(20));
            life->hub.twin_status = life->hub.retry_after_s = 0;
            life_run(life, SECONDS(400));
            expect(life, program_view_is_true(life), "no document after the hub's time");
            number = program_report(life, 30);
            life_run(life, SECONDS(2));
            expect(life, report(life, number)->told == 205, "no report after the hub's time");
            expect(life, attempts(life) == 2, "429 costs the connection");
            recover(life);
            expect(life, all_ok(life), "a message is lost");
        }
    }
}

/* ---- FI-23: floods ---- */

static void fi_23(sim_life *life)
{
    unsigned i, before, ex;
    for (ex = 0; ex < 2; ++ex) {
        begin(life, 2300 + ex, ex ? EX : ALL, 1024);
        life->setup.send_every_ms = 1000;
        life->hub.window = 50;
        open_ready(life);
        before = life->device.settled;
        for (i = 0; i < 1200; ++i) {
            if (i % 5 == 0) messages_post(life, 30, 0);
            if (i % 7 == 0) twin_edit(life, 0);
            methods_invoke(life, life->stream.now, 20);
            methods_invoke(life, life->stream.now, 0);
            life_run(life, 100);
            expect(life, life->device.count - life->device.settled <= 4, "a flood starves the messages");
        }
        expect(life, life->device.settled - before > 90, "a flood starves the messages");
        expect(life, attempts(life) == 1, "a flood costs the connection");
        life_run(life, SECONDS(70));
        expect(life, messages_waiting(life) == 0, "messages are stuck after a flood");
        for (i = 0, before = 0; i < life->cloud->methods.count; ++i) {
            before += AT(life->cloud->methods, sim_method, i)->came == 0;
        }
        expect(life, ex ? before < 2000 : before == 0, "methods of a flood are never answered");
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-25: any call in any callback ---- */

static void fi_25(sim_life *life)
{
    unsigned seed;
    for (seed = 0; seed < 200; ++seed) {
        begin(life, 25000 + seed, seed % 2 ? ALL : EX, 1024);
        life->setup.module = seed % 5 == 0;
        life->setup.meddles = 60;
        life->setup.sends_again = 50;
        life->setup.send_every_ms = 500;
        life->setup.service_every_ms = 300;
        life->setup.chore_every_ms = 700;
        life->setup.holds = seed % 3 * 40u;
        life->setup.slots = 4;
        life->faulty = 1;
        life_open(life);
        life_run(life, SECONDS(100));
        if (!life->device.destroyed && life->stream.now != NULL) connection_reset(life, life->stream.now);
        life_run(life, SECONDS(60));
        if (!life->device.destroyed) {
            recover(life);
        }
    }
}

/* ---- FI-33: writes stand still while the hub goes on ---- */

static void fi_33(sim_life *life)
{
    unsigned i, half, first;
    for (half = 0; half < 2; ++half) {
        begin(life, 3300 + half, ALL, 1024);
        life->manners.half_duplex = (int)half;
        life->hub.window = 50;
        open_ready(life);
        life->stream.now->hurt = 1;
        life->manners.blocked = 1;
        first = life->cloud->letters.count;
        for (i = 0; i < 8; ++i) {
            messages_post(life, 20, 0);
            twin_edit(life, 0);
            methods_invoke(life, life->stream.now, 10);
            life_run(life, SECONDS(5));
        }
        expect(life, handed(life, first + 1u) == 1 && program_view_is_true(life), "a blocked write stops reading");
        life->manners.blocked = 0;
        life_run(life, SECONDS(80));
        expect(life, attempts(life) == 1, "a blocked write costs the connection");
        expect(life, messages_waiting(life) == 0, "acknowledgements are lost while writes are blocked");
        for (i = 0; i < life->cloud->methods.count; ++i) {
            expect(life, AT(life->cloud->methods, sim_method, i)->came, "an answer is lost while writes are blocked");
        }
        recover(life);
        expect(life, all_ok(life), "a message is lost");
    }
}

/* ---- FI-35: a session that is lost or stale ---- */

static void fi_35(sim_life *life)
{
    static const unsigned wants[] = { ALL, FEATURE_MESSAGES, FEATURE_TWIN, FEATURE_METHODS, FEATURE_REPORTS };
    unsigned i, kind, which;
    for (which = 0; which < 5; ++which) {
        for (kind = 0; kind < 4; ++kind) {
            begin(life, 3500 + kind, wants[which], 1024);
            life->hub.ids = IDS_RESTART;
            life->setup.holds = 50;
            life->faulty = 1;
            life_open(life);
            if (wants[which] & FEATURE_REPORTS) program_report(life, 20);
            for (i = 0; i < 12; ++i) {
                life->hub.session_present = kind == 3 ? (int)(i & 1u) : kind == 1;
                life->hub.session_lost = kind == 3 ? !(i & 1u) : kind == 2;
                messages_post(life, 20, i % BAGS);
                messages_post(life, 20, 1);
                twin_edit(life, 0);
                life_run(life, SECONDS(50));
                if (life->stream.now != NULL) connection_reset(life, life->stream.now);
            }
            life->hub.session_lost = 0;
            life->hub.session_present = kind == 1;
            life->calm_hub = life->hub;
            life_run(life, SECONDS(200));
            expect(life, device_state(life) == STATE_READY, "not ready in a stale session");
            messages_post(life, 20, 1);
            twin_edit(life, 0);
            if (hub_wants(life, life->stream.now, FILTER_METHODS)) methods_invoke(life, life->stream.now, 10);
            life_run(life, SECONDS(5));          /* what comes on a filter of old is no longer wanted */
            expect(life, ((life->cloud->filters ^ program_needs(wants[which])) & ~(unsigned)FILTER_ANSWERS) == 0, "the session has other filters than the program wants");
            recover(life);
            expect(life, all_ok(life), "a message is lost");
            expect(life, messages_waiting(life) == 0 || !(wants[which] & FEATURE_MESSAGES), "a message is lost");
        }
    }
}

/* ---- FI-38: messages settled late, never, out of order ---- */

static void fi_38(sim_life *life)
{
    static const unsigned windows[] = { 1, 16, 50 };
    unsigned order, window, ids, i;
    for (order = ORDER_ANY; order <= ORDER_CLOSES; ++order) {
        for (window = 0; window < 3; ++window) {
            for (ids = IDS_GO_ON; ids <= IDS_KEPT; ++ids) {
                begin(life, 3800 + order * 10u + window + ids * 100u, FEATURE_MESSAGES | FEATURE_PIECES, 1500);
                life->hub.order = order;
                life->hub.window = windows[window];
                life->hub.ids = ids;
                life->calm_hub = life->hub;
                life->setup.holds = 60;
                life->setup.rejects = order == ORDER_CLOSES ? 0 : 20;
                life->faulty = 1;
                open_ready(life);
                for (i = 0; i < 45; ++i) {
                    messages_post(life, 20, i % 9u);
                    life_run(life, SECONDS(3));
                    if (i % 15u == 14u && life->stream.now != NULL) connection_reset(life, life->stream.now);
                }
                life_run(life, SECONDS(700));
                recover(life);
                expect(life, all_ok(life), "a message is lost");
                expect(life, messages_waiting(life) == 0, "a message is never settled");
            }
        }
    }
}

/* ---- FI-39: everything full at once ---- */

static void fi_39(sim_life *life)
{
    unsigned reply, state, i;
    for (reply = 0; reply < 8; ++reply) {
        for (state = 0; state < 2; ++state) {
            begin(life, 3900 + reply, EX, 640);
            life->setup.slots = 6;
            life->setup.outbox_bytes = 700;
            life->setup.holds = 100;             /* messages that are kept fill the inbox */
            life->manners.record = 64;
            life->hub.acknowledge_ms = 30000;
            life->hub.window = 50;
            life->hub.connack_ms = state == 0 ? 1500 : 5;
            life->faulty = 1;
            life_open(life);
            for (i = 0; i < 20; ++i) {
                messages_post(life, 20, 1);
            }
            life_run(life, 1000);
            life->manners.blocked = 1;
            for (i = 0; life->device.refused_full == 0 && i < 50; ++i) {
                device_send(life, 60);
            }
            expect(life, life->device.refused_full != 0, "the outbox is not full");
            for (i = 0; i < 20 && life->stream.now->accepted && hub_wants(life, life->stream.now, FILTER_METHODS); ++i) {
                methods_invoke(life, life->stream.now, 30);
                program_report(life, 30);
            }
            life->stream.now->hurt = 1;
            switch (reply) {
            case 0: twin_edit(life, 3000); break;
            case 1: messages_post(life, 5000, 1); break;
            case 2: methods_invoke(life, life->stream.now, 3000); break;
            case 3: hub_send_garbage(life, life->stream.now, 3); break;
            case 4: hub_close(life, life->stream.now, 11); break;
            case 5: connection_reset(life, life->stream.now); break;
            case 6: connection_lose(life->stream.now); break;
            default: break;
            }
            life_run(life, SECONDS(40));
            life->manners.blocked = 0;
            life_run(life, SECONDS(800));
            expect(life, device_state(life) == STATE_READY, "no way back from a full house");
            recover(life);
            expect(life, all_ok(life), "a message is lost");
        }
    }
}

/* ---- FI-16: outbox policies in an outage ---- */

static void fi_16(sim_life *life)
{
    unsigned policy;
    for (policy = 1; policy <= 2; ++policy) {
        begin(life, 1600 + policy, 0, 256);
        life->setup.drop_policy = policy;
        life->setup.kept = policy == 1 ? 50 : 0;
        life->manners.open_fails = 1;
        life_open(life);
        life_run(life, HOURS(72));
        expect(life, life->device.refused_full == 0, "a policy refuses");
        expect(life, program(life)->dropped > 20000 && life->device.by_outcome[3] == program(life)->dropped, "drops are miscounted");
        expect(life, device_statistic(life, STATISTIC_DROPPED) == program(life)->dropped, "drops are miscounted");
        device_check_statistics(life);
        if (policy == 1) {
            expect(life, life->device.messages[life->device.count - 1u].outcome == 0, "the newest message is gone");
        } else {
            expect(life, life->device.messages[0].outcome == 0, "the oldest message is gone");
        }
        recover(life);
    }
}

/* ---- FI-34: a kept body of 256 KB over a slow link, without a copy ---- */

static void fi_34(sim_life *life)
{
    life_begin(life, 3400);
    life->setup.slots = 4;
    life->setup.outbox_bytes = 600;
    life->setup.kept = 100;
    life->manners.latency_ms = 10000;
    life->manners.bytes_per_s = 1000;
    life->manners.send_buffer = 32768;
    life->setup.send_every_ms = 0;
    life_open(life);
    life_run(life, SECONDS(60));
    device_send(life, 256u * 1000u);
    expect(life, life->device.count == 1, "256 KB are not taken without a copy");
    life_run(life, SECONDS(400));
    expect(life, life->device.settled == 1 && attempts(life) == 1, "256 KB do not go through a slow link in one connection");
    device_send(life, 256u * 1000u);
    life_run(life, SECONDS(100));
    connection_reset(life, life->stream.now);    /* in its middle: the whole goes again */
    life_run(life, SECONDS(1000));
    expect(life, life->device.settled == 2 && life->device.messages[1].copies == 1, "a kept body is lost by a cut");
    recover(life);
    expect(life, all_ok(life), "a message is lost");
}

/* ---- how many round trips until all is there ---- */

#define ROUND_TRIP_MS 1000u

static unsigned trips(const sim_life *life, uint64_t opened_at)
{
    return (unsigned)((life->now - opened_at + ROUND_TRIP_MS - 1u) / ROUND_TRIP_MS);
}

/* Everything subscribed, the twin there, the first message acknowledged. */
static void measure(sim_life *life, unsigned pipelined, unsigned wanted[3])
{
    uint64_t opened_at = 0;
    unsigned number = 0;
    begin(life, 50000, ALL, 1024);
    life->setup.send_every_ms = 0;
    life->manners.latency_ms = ROUND_TRIP_MS / 2u;
    life->manners.open_ms = 0;
    life->hub.connack_ms = life->hub.acknowledge_ms = life->hub.suback_ms = life->hub.twin_ms = 0;
    life->calm_hub = life->hub;
    life->hub.refuses_pipelined = !pipelined;
    life->calm_manners = life->manners;
    wanted[0] = wanted[1] = wanted[2] = 0;
    life_open(life);
    send(life, 1);
    while (wanted[0] == 0 || wanted[1] == 0 || wanted[2] == 0) {
        const sim_connection *c = life->stream.now;
        if (life->now > SECONDS(60)) fail(life, 10, "not all there after a minute");
        if (c != NULL && c->number != number) {
            number = c->number;
            opened_at = life->now;
            wanted[0] = wanted[1] = wanted[2] = 0;
        }
        if (c != NULL && wanted[0] == 0 && c->filters_granted == FILTER_ALL && c->down.taken >= c->twin_end) wanted[0] = trips(life, opened_at);
        if (wanted[1] == 0 && requests(life) != 0 && c != NULL && AT(life->cloud->requests, sim_request, 0)->connection == c->number) wanted[1] = trips(life, opened_at);
        if (wanted[2] == 0 && life->device.settled == 1) wanted[2] = trips(life, opened_at);
        life_step(life);
    }
    while (program(life)->documents == 0 && life->now < SECONDS(60)) {
        life_step(life);
    }
    printf("      %s: all subscribed after %u round trips, the twin requested after %u (there after %u), a message acknowledged after %u\n",
        pipelined ? "pipelined start" : "CONNECT goes alone", wanted[0], wanted[1], trips(life, opened_at), wanted[2]);
    expect(life, trips(life, opened_at) <= (pipelined ? 2u : 3u), "the twin's document comes too late");
}

static void round_trips(sim_life *life)
{
    unsigned pipelined, i, wanted[3];
    for (pipelined = 2; pipelined-- != 0; ) {
        measure(life, pipelined, wanted);
        for (i = 0; i < 3; ++i) {
            expect(life, wanted[i] <= (pipelined ? 2u : 3u), "more round trips than promised");
        }
        recover(life);
    }
}

/* ---- the list ---- */

const sim_case feature_cases[] = {
    { "FI-04", "pings, while only the hub speaks", fi_04 },
    { "FI-06", "two programs with one identity and one queue", fi_06 },
    { "FI-13", "64 KB, 32 KB, 128 KB into an inbox of 512 bytes", fi_13 },
    { "FI-16", "outbox policies in an outage of three days", fi_16 },
    { "FI-17", "SUBACK refuses, is late, is missing", fi_17 },
    { "FI-18", "messages in the segment of CONNACK", fi_18 },
    { "FI-19", "the twin changes offline, a patch is lost, the device is new", fi_19 },
    { "FI-20", "a report is lost before or after it was applied", fi_20 },
    { "FI-20", "... by a cut at every byte", fi_20_cuts },
    { "FI-21", "429 and 503, with retry-after and without", fi_21 },
    { "FI-23", "a flood of methods, messages and patches", fi_23 },
    { "FI-25", "any call in any callback of the features", fi_25 },
    { "FI-33", "writes stand still while the hub goes on", fi_33 },
    { "FI-34", "256 KB that stay with the program, over a slow link", fi_34 },
    { "FI-35", "session lost or stale, with filters and packet ids of old", fi_35 },
    { "FI-38", "messages settled late, never, out of order", fi_38 },
    { "FI-39", "everything full at once, with the features", fi_39 },
    { "round-trips", "until all is subscribed, the twin is there, a message acknowledged", round_trips }
};
const unsigned feature_case_count = sizeof feature_cases / sizeof feature_cases[0];
