/* The model hub's session: what a device has subscribed, and what of it outlives a connection. Written from MQTT 3.8 to 3.11 and
   the service's rules: at most five filters, only those of the identity, QoS 1 for messages. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

static const char *const device_filters[FILTER_KINDS] = { "devices/d1/messages/devicebound/#", "$iothub/twin/res/#",
    "$iothub/twin/PATCH/properties/desired/#", "$iothub/methods/POST/#" };
static const char *const module_filter = "devices/d1/modules/m1/#";
static const char *const inputs_filter = "devices/d1/modules/m1/inputs/#";

#define AGAIN_MS 55000u                          /* a filter that was refused is asked for again after a minute */

/* The filter's bit. */
static unsigned filter_of(sim_life *life, const unsigned char *at, size_t size)
{
    unsigned kind;
    for (kind = 0; kind < FILTER_KINDS; ++kind) {
        if (!(life->setup.module && kind == 0) && size == strlen(device_filters[kind]) && is_prefix(at, size, device_filters[kind])) {
            return 1u << kind;
        }
    }
    if (life->setup.module && ((size == strlen(module_filter) && is_prefix(at, size, module_filter))
        || (size == strlen(inputs_filter) && is_prefix(at, size, inputs_filter)))) {
        return FILTER_MESSAGES;
    }
    fail(life, 4, "a filter that this identity may not have: %.*s", (int)size, (const char *)at);
}

typedef struct filters { unsigned id, count, bits; unsigned char bit[8]; } filters;

/* Packet id, then filters, each with its QoS in a SUBSCRIBE. */
static void read_filters(sim_life *life, const unsigned char *body, size_t size, int with_qos, filters *f)
{
    size_t at = 2;
    memset(f, 0, sizeof *f);
    if (size < 2) illegal(life, "SUBSCRIBE or UNSUBSCRIBE without a packet id");
    f->id = (unsigned)body[0] << 8 | body[1];
    if (f->id == 0) illegal(life, "SUBSCRIBE or UNSUBSCRIBE: packet id 0 [MQTT-2.3.1-1]");
    while (at < size) {
        size_t length;
        unsigned bit;
        if (size - at < 2) illegal(life, "a filter ends behind its packet");
        length = (size_t)body[at] << 8 | body[at + 1];
        if (size - at < 2 + length + (with_qos ? 1u : 0)) illegal(life, "a filter ends behind its packet");
        bit = filter_of(life, body + at + 2, length);
        at += 2 + length;
        if (f->count == 5) illegal(life, "more than five filters");
        if (f->bits & bit) illegal(life, "one filter twice in a packet");
        f->bit[f->count++] = (unsigned char)bit;
        f->bits |= bit;
        if (with_qos) {
            if (body[at] > 1 || (bit == FILTER_MESSAGES && body[at] != 1)) illegal(life, "SUBSCRIBE: QoS");
            ++at;
        }
    }
    if (f->count == 0) illegal(life, "SUBSCRIBE or UNSUBSCRIBE without a filter [MQTT-3.8.3-3]");
}

void cloud_forget_session(sim_life *life)
{
    life->cloud->session = 0;
    life->cloud->filters = 0;
}

/* CONNECT came and is accepted: what is kept of the session? A stale one has filters of a program that ran here before. */
void session_connect(sim_life *life, sim_connection *connection)
{
    sim_cloud *cloud = life->cloud;
    connection->next_id = life->hub.ids == IDS_RESTART ? 0 : cloud->next_id;
    if (life->setup.clean_session || life->hub.session_lost) {
        cloud_forget_session(life);
    }
    if (life->hub.session_present && !life->setup.clean_session) {
        cloud->session = 1;
        cloud->filters = life->setup.features != 0 ? FILTER_ALL : 0;
    }
    connection->filters_granted = 0;
}

int hub_wants(const sim_life *life, const sim_connection *connection, unsigned filter)
{
    return connection->accepted && connection->hub_open && !connection->left && (life->cloud->filters & filter) != 0;
}

void session_subscribe(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size)
{
    filters f;
    sim_reply *reply;
    unsigned i, refused, lost = 0;
    if (first != 0x82) illegal(life, "SUBSCRIBE: reserved flags [MQTT-3.8.1-1]");
    read_filters(life, body, size, 1, &f);
    if (!hub_takes_early(life, connection, "SUBSCRIBE")) {
        return;
    }
    make_live(life, connection, f.id, 0);
    refused = f.bits & life->hub.suback_refuses;
    note(life, EVENT_GOT_FILTERS, f.id, f.bits, refused);
    for (i = 0; i < FILTER_KINDS; ++i) {
        uint64_t at = connection->refused_at[i];
        if ((f.bits & 1u << i) && at != 0 && !life->tick_was_hurt && life->now < at + AGAIN_MS) {
            fail(life, 7, "a refused filter is asked for again after %u ms", (unsigned)(life->now - at));
        }
    }
    connection->filters_asked |= f.bits;
    if (connection->refused) {
        return;
    }
    life->cloud->filters |= f.bits & ~refused;   /* delivery may begin before SUBACK [MQTT-3.8.4-3] */
    if (life->hub.early && connection->accepted) {
        messages_deliver(life, connection);
    }
    if (life->hub.suback_never) {
        connection->hurt = lost = 1;
    }
    if (!connection->hub_open || lost) {
        return;
    }
    reply = hub_reply_later(life, connection, life->hub.suback_ms);
    reply->what = REPLY_SUBACK;
    reply->id = f.id;
    reply->message = 0;
    reply->bytes[0] = 0x90;
    reply->bytes[1] = (unsigned char)(2u + f.count);
    reply->bytes[2] = (unsigned char)(f.id >> 8);
    reply->bytes[3] = (unsigned char)f.id;
    for (i = 0; i < f.count; ++i) {
        reply->bytes[4 + i] = (unsigned char)(f.bit[i] & refused ? 0x80u : f.bit[i] == FILTER_MESSAGES ? 1u : 0);
    }
    reply->size = 4u + f.count;
    reply->closes = 0;
    connection->hurt |= reply->at > life->now + SECONDS(50);
    /* which filters it speaks of, by the same order: kept in the bytes behind the packet */
    reply->bytes[10] = (unsigned char)(f.bits & ~refused);
    reply->bytes[11] = (unsigned char)refused;
}

void session_subacked(sim_life *life, sim_connection *connection, const sim_reply *reply)
{
    unsigned granted = reply->bytes[10], refused = reply->bytes[11], i;
    if (reply->bytes[0] != 0x90) {
        return;                                  /* UNSUBACK */
    }
    connection->filters_granted |= granted;
    if ((granted & FILTER_ANSWERS) && connection->twin_end == 0) {
        connection->twin_end = connection->down.put;
    }
    for (i = 0; i < FILTER_KINDS; ++i) {
        if (refused & 1u << i) {
            connection->refused_at[i] = life->now;
        } else if (granted & 1u << i) {
            connection->refused_at[i] = 0;
        }
    }
}

void session_unsubscribe(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size)
{
    filters f;
    sim_reply *reply;
    if (first != 0xA2) illegal(life, "UNSUBSCRIBE: reserved flags [MQTT-3.10.1-1]");
    read_filters(life, body, size, 0, &f);
    if (!hub_takes_early(life, connection, "UNSUBSCRIBE")) {
        return;
    }
    make_live(life, connection, f.id, 0);
    note(life, EVENT_GOT_UNSUB, f.id, f.bits, 0);
    life->cloud->filters &= ~f.bits;
    connection->filters_granted &= ~f.bits;
    if (f.bits & FILTER_ANSWERS) {
        connection->twin_end = 0;
    }
    if (connection->refused || life->hub.suback_never) {
        connection->hurt |= life->hub.suback_never;
        return;
    }
    reply = hub_reply_later(life, connection, life->hub.suback_ms);
    reply->what = REPLY_SUBACK;
    reply->id = f.id;
    reply->bytes[0] = 0xB0;
    reply->bytes[1] = 2;
    reply->bytes[2] = (unsigned char)(f.id >> 8);
    reply->bytes[3] = (unsigned char)f.id;
    reply->size = 4;
}

/* As the client offers it: it asks for what its program wants, and gives up nothing that is wanted. */
void session_tap(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size)
{
    const sim_programme *programme = &life->device.programme;
    filters f;
    (void)connection;
    read_filters(life, body, size, first >> 4 == 8, &f);
    if (first >> 4 == 8) {
        if (f.bits & ~programme->filters) fail(life, 4, "SUBSCRIBE for what nobody asked for: %x", f.bits & ~programme->filters);
    } else if (f.bits & programme->filters & ~programme->filters_cleared) {
        fail(life, 4, "UNSUBSCRIBE of what the program wants: %x", f.bits & programme->filters);
    }
}

/* ---- the cloud as a whole ---- */

void *list_add(sim_list *list, size_t size)
{
    void *element;
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2u + 32u;
        list->at = realloc(list->at, list->capacity * size);
        if (list->at == NULL) {
            abort();
        }
    }
    element = (char *)list->at + list->count * size;
    memset(element, 0, size);
    list->count += 1;
    return element;
}

/* Keeps the memory of the last life. */
void cloud_begin(sim_life *life)
{
    sim_cloud *cloud = &life->own_cloud, old = *cloud;
    sim_edit *edit;
    memset(cloud, 0, sizeof *cloud);
    cloud->letters = old.letters;
    cloud->deliveries = old.deliveries;
    cloud->edits = old.edits;
    cloud->requests = old.requests;
    cloud->methods = old.methods;
    cloud->letters.count = cloud->deliveries.count = cloud->edits.count = cloud->requests.count = cloud->methods.count = 0;
    cloud->next_event = NEVER;
    cloud->reported_version = 1;
    edit = (sim_edit *)list_add(&cloud->edits, sizeof *edit);
    edit->version = 1;
    life->cloud = cloud;
}

void cloud_free(sim_cloud *cloud)
{
    free(cloud->letters.at);
    free(cloud->deliveries.at);
    free(cloud->edits.at);
    free(cloud->requests.at);
    free(cloud->methods.at);
    memset(cloud, 0, sizeof *cloud);
}

/* What the back end does at random, a little at a time. */
void cloud_work(sim_life *life)
{
    sim_random *r = &life->service_random;
    sim_cloud *cloud = life->cloud;
    unsigned what, size, i;
    if (cloud->next_event > life->now) {
        return;
    }
    cloud->next_event = life->now + between(r, 1, 2u * life->setup.service_every_ms);
    what = below(r, 10);
    size = chance(r, life->setup.large) ? between(r, 300, 4000) : between(r, 0, 60);
    if (what < 4) {
        i = chance(r, 70) ? below(r, STRANGE_BAG) : below(r, BAGS);
        messages_post(life, size, life->faulty || !messages_may_fail(life, size, i) ? i : 0);
    } else if (what < 7) {
        twin_edit(life, chance(r, life->setup.large) ? size : 0);
    } else {
        for (i = 0; i < CONNECTIONS; ++i) {
            if (hub_wants(life, &life->connections[i], FILTER_METHODS)) {
                methods_invoke(life, &life->connections[i], size);
                break;
            }
        }
    }
}
