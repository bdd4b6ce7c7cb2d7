/* The model hub's twin: desired properties with their history, the reported state, and the requests of the device. The texts are
   made from numbers, so that the program at the other end can make them again and compare every byte. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define GET_TOPIC "$iothub/twin/GET/?$rid="
#define PATCH_TOPIC "$iothub/twin/PATCH/properties/reported/?$rid="
#define ANSWERED_WITHIN_MS 59000u                /* one request at a time: the next one earlier only when this one was answered */

enum { SHAPE_VERSION_FIRST = 1, SHAPE_REPORTED_FIRST = 2, SHAPE_SPACES = 4 };

/* ---- texts ---- */

static const sim_edit *edit_of(const sim_life *life, unsigned edit)
{
    return AT(life->cloud->edits, sim_edit, edit);
}

const sim_edit *twin_now(const sim_life *life)
{
    return edit_of(life, life->cloud->edits.count - 1u);
}

/* Padding that misleads whoever scans for "$version" without counting braces and quotes. */
static size_t pad_text(unsigned size, char *text)
{
    size_t at;
    if (size == 0) {
        return 0;
    }
    at = (size_t)sprintf(text, "\"pad\":{\"$version\":999,\"s\":\"}\\\"$version\\\":7{\\\\\",\"a\":[1,{\"$version\":8},-2.5e3],\"x\":\"");
    memset(text + at, 'x', size);
    at += size;
    at += (size_t)sprintf(text + at, "\"},");
    return at;
}

/* The members of desired: of a whole document, or of the patch that made this edit. Without the braces. */
static size_t members(const sim_life *life, unsigned edit, int whole, char *text)
{
    const sim_edit *e = edit_of(life, edit);
    const char *space = (e->shape & SHAPE_SPACES) != 0 ? " \n\t" : "";
    size_t at = 0;
    unsigned i;
    if (e->shape & SHAPE_VERSION_FIRST) {
        at += (size_t)sprintf(text, "\"$version\":%s%u,", space, e->version);
    }
    at += pad_text(e->pad, text + at);
    for (i = 0; i < 8; ++i) {
        if (e->values[i] != 0 && (whole || e->key == i)) {
            at += (size_t)sprintf(text + at, "\"k%u\"%s:%u,", i, space, e->values[i]);
        } else if (!whole && e->key == i) {
            at += (size_t)sprintf(text + at, "\"k%u\":null,", i);
        }
    }
    at += (size_t)sprintf(text + at, "\"edit\":%u", edit);
    if (!(e->shape & SHAPE_VERSION_FIRST)) {
        at += (size_t)sprintf(text + at, ",%s\"$version\"%s:%u", space, space, e->version);
    }
    return at;
}

size_t twin_patch(const sim_life *life, unsigned edit, char *text)
{
    size_t at = 0;
    text[at++] = '{';
    at += members(life, edit, 0, text + at);
    text[at++] = '}';
    return at;
}

size_t twin_document(const sim_life *life, unsigned edit, unsigned reported, unsigned reported_version, char *text)
{
    const sim_edit *e = edit_of(life, edit);
    const char *space = (e->shape & SHAPE_SPACES) != 0 ? "\r\n  " : "";
    char report[100];
    size_t at;
    sprintf(report, "\"reported\":{\"r\":%u,\"rv\":%u,\"$version\":%u}", reported, reported_version, reported_version);
    if (e->shape & SHAPE_REPORTED_FIRST) {
        at = (size_t)sprintf(text, "{%s%s,\"desired\":%s{", space, report, space);
        at += members(life, edit, 1, text + at);
        at += (size_t)sprintf(text + at, "}%s}", space);
    } else {
        at = (size_t)sprintf(text, "{%s\"desired\":%s{", space, space);
        at += members(life, edit, 1, text + at);
        at += (size_t)sprintf(text + at, "},%s%s}", space, report);
    }
    return at;
}

size_t report_make(const sim_report *report, char *text)
{
    size_t at = (size_t)sprintf(text, "{\"r\":%u,\"p\":\"", report->number);
    while (at + 2u < report->size) {
        text[at] = (char)('a' + (at + report->number) % 26u);
        at += 1;
    }
    text[at++] = '"';
    text[at++] = '}';
    return at;
}

/* ---- desired properties change ---- */

static void may_be_skipped(sim_life *life, size_t size)
{
    const sim_setup *setup = &life->setup;
    int pieces = (life->device.programme.asked & FEATURE_PIECES) != 0;
    int kept = setup->holds != 0 || life->device.programme.hold_count != 0; /* messages that are kept lie in the inbox */
    if (!pieces && (kept || size > setup->inbox / 8u)) {
        life->cloud->large_document = 1;
    }
}

/* Whoever is subscribed now gets the patch; for others nothing is queued, whatever the session. */
static void send_patch(sim_life *life, unsigned edit)
{
    static char text[TWIN_TEXT];
    char topic[100];
    size_t size = twin_patch(life, edit, text);
    unsigned i;
    sprintf(topic, "$iothub/twin/PATCH/properties/desired/?$version=%u", edit_of(life, edit)->version);
    for (i = 0; i < CONNECTIONS; ++i) {
        sim_connection *c = &life->connections[i];
        if (hub_wants(life, c, FILTER_PATCHES) && !chance(&life->twin_random, life->hub.patch_drops)) {
            may_be_skipped(life, size);
            hub_send_large(life, c, 0x30, topic, 0, text, size);
        }
    }
}

unsigned twin_edit(sim_life *life, unsigned pad)
{
    sim_random *r = &life->service_random;
    sim_edit *edit = (sim_edit *)list_add(&life->cloud->edits, sizeof *edit);
    unsigned number = life->cloud->edits.count - 1u;
    *edit = *edit_of(life, number - 1u);
    edit->key = below(r, 8);
    edit->values[edit->key] = chance(r, 20) ? 0 : between(r, 1, 9999);
    edit->version += 1;
    edit->pad = pad;
    edit->shape = below(r, 8);
    note(life, EVENT_EDITS, number, edit->version, pad);
    send_patch(life, number);
    return number;
}

/* The identity is deleted and made again: its connection ends, its session, queue and twin are new. */
void twin_recreate(sim_life *life)
{
    sim_edit *edit = (sim_edit *)list_add(&life->cloud->edits, sizeof *edit);
    unsigned i;
    edit->version = 1;
    note(life, EVENT_EDITS, life->cloud->edits.count - 1u, 1, 0);
    life->cloud->reported = 0;
    life->cloud->reported_version = 1;
    cloud_forget_session(life);
    messages_expire(life, 1);
    for (i = 0; i < CONNECTIONS; ++i) {
        if (life->connections[i].hub_open) {
            life->connections[i].hurt = 1;
            hub_close(life, &life->connections[i], 13);
        }
    }
}

/* ---- requests ---- */

static sim_request *request_by_rid(const sim_life *life, const sim_connection *connection, const char *rid)
{
    unsigned i;
    for (i = life->cloud->requests.count; i != 0; --i) {
        sim_request *q = AT(life->cloud->requests, sim_request, i - 1u);
        if (q->connection == connection->number && strcmp(q->rid, rid) == 0) {
            return q;
        }
        if (q->connection < connection->number) {
            break;
        }
    }
    return NULL;
}

/* Which report this is; 0: a GET. */
static unsigned read_request(sim_life *life, const unsigned char *topic, size_t topic_size, const unsigned char *body, size_t size,
    char rid[64])
{
    int get = is_prefix(topic, topic_size, GET_TOPIC);
    size_t start = strlen(get ? GET_TOPIC : PATCH_TOPIC), length = topic_size - start;
    unsigned number = 0, i;
    if (!get && !is_prefix(topic, topic_size, PATCH_TOPIC)) illegal(life, "PUBLISH: a twin topic that there is not");
    if (length == 0 || length > 63 || memchr(topic + start, '&', length) != NULL) illegal(life, "a twin request without a plain $rid");
    memcpy(rid, topic + start, length);
    rid[length] = '\0';
    if (get) {
        if (size != 0) illegal(life, "GET of the twin with a body");
        return 0;
    }
    for (i = 5; i < size && body[i] >= '0' && body[i] <= '9'; ++i) {
        number = number * 10u + (body[i] - '0');
    }
    if (number == 0 || number > life->device.programme.reports.count) fail(life, 12, "a reported state that the program never sent");
    return number;
}

static sim_report *report_of(const sim_life *life, unsigned number)
{
    return *AT(life->device.programme.reports, sim_report *, number - 1u);
}

/* 429 with retry-after binds the client once it has read that. */
static void resolve_quiet(sim_life *life, const sim_connection *connection, int gone)
{
    sim_cloud *cloud = life->cloud;
    if (connection == NULL || cloud->quiet_connection != connection->number) {
        return;
    }
    if (connection->down.taken >= cloud->quiet_end && !connection->down.lost) {
        cloud->quiet_until = cloud->quiet_next;
        cloud->quiet_connection = 0;
    } else if (gone) {
        cloud->quiet_connection = 0;
    }
}

void twin_left(sim_life *life, const sim_connection *connection)
{
    resolve_quiet(life, connection, 1);
}

/* One GET at a time: its answer was read, or a minute has gone. */
static void check_one_get(sim_life *life, const sim_connection *connection)
{
    unsigned i;
    for (i = life->cloud->requests.count; i != 0 && !life->tick_was_hurt; --i) {
        const sim_request *q = AT(life->cloud->requests, sim_request, i - 1u);
        if (q->connection != connection->number || q->at + ANSWERED_WITHIN_MS < life->now) {
            return;
        }
        if (q->report == 0) {
            if (q->end == 0 || connection->down.taken < q->end) fail(life, 12, "two GETs of the twin at a time");
            return;
        }
    }
}

/* As the client offers it. */
void twin_tap(sim_life *life, sim_connection *connection, const unsigned char *topic, size_t topic_size,
    const unsigned char *body, size_t size)
{
    sim_cloud *cloud = life->cloud;
    sim_request *q;
    char rid[64];
    unsigned report = read_request(life, topic, topic_size, body, size, rid);
    if (connection->twin_end == 0 || connection->down.taken + 3u < connection->twin_end) { /* its code may not be the last byte */
        fail(life, 12, "a twin request before the SUBACK of $iothub/twin/res/#");
    }
    resolve_quiet(life, connection, 0);
    if (life->now < cloud->quiet_until && !life->tick_was_hurt) {
        fail(life, 12, "a twin request %u ms before retry-after is over", (unsigned)(cloud->quiet_until - life->now));
    }
    if (report == 0) {
        check_one_get(life, connection);
    }
    if (request_by_rid(life, connection, rid) != NULL) fail(life, 12, "$rid %s is used a second time on one connection", rid);
    if (report != 0) {
        sim_report *r = report_of(life, report);
        if (r->told != 0) fail(life, 12, "report %u is sent although its callback was called (%u)", report, r->told - 1u);
        r->offered_at = life->now;
        r->offered_connection = connection->number;
    }
    q = (sim_request *)list_add(&cloud->requests, sizeof *q);
    strcpy(q->rid, rid);
    q->connection = connection->number;
    q->report = report;
    q->at = life->now;
}

static void apply(sim_life *life, unsigned number)
{
    sim_report *r = report_of(life, number);
    r->applied += 1;
    life->cloud->reported = number;
    life->cloud->reported_version += 1;
}

static void check_report(sim_life *life, const sim_connection *connection, unsigned number, const unsigned char *body, size_t size)
{
    static char expected[TWIN_TEXT];
    const sim_report *r = report_of(life, number);
    if (report_make(r, expected) != size || memcmp(expected, body, size) != 0) fail(life, 12, "report %u has another text", number);
    if (connection->number != life->cloud->seen_connection) {
        life->cloud->newest_seen = 0;            /* what had no answer comes again, the oldest first */
        life->cloud->seen_connection = connection->number;
    }
    if (number < life->cloud->newest_seen) fail(life, 12, "report %u comes after report %u", number, life->cloud->newest_seen);
    life->cloud->newest_seen = number;
    report_of(life, number)->came = 1;
}

void twin_request(sim_life *life, sim_connection *connection, const unsigned char *topic, size_t topic_size,
    const unsigned char *body, size_t size)
{
    char rid[64];
    unsigned report = read_request(life, topic, topic_size, body, size, rid), delay, index, times, status;
    sim_request *q = request_by_rid(life, connection, rid);
    if (q == NULL) illegal(life, "a twin request that was never offered");
    index = (unsigned)(q - (sim_request *)life->cloud->requests.at);
    note(life, EVENT_GOT_TWIN, index, report, (unsigned)strtoul(rid, NULL, 10));
    if (report != 0) {
        check_report(life, connection, report, body, size);
    }
    status = life->hub.twin_status == 400 && report == 0 ? 0 : life->hub.twin_status;
    q->edit = life->cloud->edits.count - 1u;
    q->status = status != 0 ? status : report != 0 ? 204u : 200u;
    if (!(life->cloud->filters & FILTER_ANSWERS) || chance(&life->twin_random, life->hub.twin_drops)) {
        if (status == 0 && report != 0 && life->hub.applies_and_drops) {
            apply(life, report);
        }
        return;
    }
    if (status == 0 && report != 0) {
        apply(life, report);
    }
    q->reported_version = life->cloud->reported_version;
    q->reported = life->cloud->reported;
    times = 1u + (unsigned)chance(&life->twin_random, life->hub.twin_repeats);
    while (times-- != 0) {
        sim_reply *reply;
        delay = life->hub.twin_ms + below(&life->twin_random, life->hub.twin_spread_ms + 1u);
        reply = hub_reply_later(life, connection, delay);
        reply->what = REPLY_TWIN;
        reply->message = index;
    }
}

/* An answer for a request that nobody made. */
static void answer_strangely(sim_life *life, sim_connection *connection)
{
    static const char *const topics[] = { "$iothub/twin/res/204/?$rid=strange&$version=77", "$iothub/twin/res/200/?$rid=99999999",
        "$iothub/twin/res/429/?$rid=abc&retry-after=3000", "$iothub/twin/res/200/", "$iothub/twin/res/xyz/?$rid=1x",
        "$iothub/twin/res/200/?$version=3", "$iothub/twin/other/?$rid=1" };
    static const char document[] = "{\"desired\":{\"$version\":5000},\"reported\":{}}";
    unsigned which = below(&life->twin_random, sizeof topics / sizeof topics[0]);
    hub_send_large(life, connection, 0x30, topics[which], 0, document, chance(&life->twin_random, 50) ? 0 : strlen(document));
}

/* A message that is kept may leave no room for the topic of an answer, where the inbox is small. */
static int is_readable(const sim_life *life)
{
    return life->device.programme.hold_count == 0 || life->setup.inbox >= ROOMY;
}

void twin_answer(sim_life *life, sim_connection *connection, unsigned index)
{
    static char text[TWIN_TEXT];
    sim_request *q = AT(life->cloud->requests, sim_request, index);
    char topic[200];
    size_t at, size = 0;
    unsigned edit = life->hub.snapshot_early ? q->edit : life->cloud->edits.count - 1u, status = q->status;
    if (chance(&life->twin_random, life->hub.twin_strange)) {
        answer_strangely(life, connection);
        q = AT(life->cloud->requests, sim_request, index);
    }
    at = (size_t)sprintf(topic, "$iothub/twin/res/%u/?$rid=%s", status, q->rid);
    if (status == 200) {
        size = twin_document(life, edit, life->hub.snapshot_early ? q->reported : life->cloud->reported,
            life->hub.snapshot_early ? q->reported_version : life->cloud->reported_version, text);
        may_be_skipped(life, size);
    } else if (status == 204) {
        sprintf(topic + at, "&$version=%u", q->reported_version);
    } else {
        if (status != 400 && life->hub.retry_after_s != 0) {
            sprintf(topic + at, "&retry-after=%u", life->hub.retry_after_s);
        }
        size = (size_t)sprintf(text, "{\"errorCode\":%u001,\"message\":\"no\",\"info\":{\"$version\":3}}", status);
    }
    note(life, EVENT_ANSWERS, index, status, edit);
    if (q->report != 0 && q->end == 0) {
        report_of(life, q->report)->status = status;
    }
    hub_send_large(life, connection, 0x30, topic, 0, text, size);
    if (status > 400 && life->hub.retry_after_s != 0 && q->end == 0 && life->now < q->at + SECONDS(55) && is_readable(life)) {
        resolve_quiet(life, life->stream.now, 0);
        life->cloud->quiet_connection = connection->number;
        life->cloud->quiet_end = connection->down.put;
        life->cloud->quiet_next = life->now + SECONDS(life->hub.retry_after_s);
    }
    if (q->end == 0) {
        q->end = connection->down.put;
    }
}
