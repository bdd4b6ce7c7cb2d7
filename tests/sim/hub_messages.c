/* The model hub's messages to the device: a queue, a lock of 60 s, packet ids of its own. Each is delivered until it is settled.
   What may be acknowledged: a delivery of this connection that the program accepted, once, in the order of arrival. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define LOCK_MS SECONDS(60)
#define QUEUE 50u                                /* the service keeps no more for a device */
#define TOPIC "devices/d1/messages/devicebound/"
#define INPUT_TOPIC "devices/d1/modules/m1/inputs/"
#define ID_LAST 0xEFFFu
#define WAITS_MS 30000u                          /* an accepted one waits for earlier ones, at most */

/* ---- property bags ---- */

#define TO "%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define L50 "%2F%25%41%42%43%44%45%46%47%48%49%4a%4b%4c%4d%4e%4"

/* What stands in the topic, and what of it the program must find. "\1": a name without a value. The first two are plain. */
static const struct { const char *text; sim_field fields[BAG_FIELDS]; } bags[BAGS] = {
    { TO, { { NULL, NULL } } },
    { TO "&%24.mid=m-1&%24.cid=c%201&%24.ct=application%2Fjson&%24.ce=utf-8&%24.uid=u%2b1&room=lab%201",
        { { "$mid", "m-1" }, { "$cid", "c 1" }, { "$ct", "application/json" }, { "$ce", "utf-8" }, { "$uid", "u+1" }, { "room", "lab 1" } } },
    { TO "&nul&empty=&a=b", { { "nul", "\1" }, { "empty", "" }, { "a", "b" } } },
    { TO "&p=%zz&q=100%&r=%2&s%=1&t=%%41", { { "p", "%zz" }, { "q", "100%" }, { "r", "%2" }, { "s%", "1" }, { "t", "%A" } } },
    { TO "&z=a%00b&y=1", { { "y", "1" } } },
    { TO "&h=%C3%A9%ff&k=1", { { "h", "\xC3\xA9\xFF" }, { "k", "1" } } },
    { TO "&raw=/devices/$x @!'(),;:\"<>[]{}|\\^`~+*&eq=a=b==&b%3Dc=d%3De",
        { { "raw", "/devices/$x @!'(),;:\"<>[]{}|\\^`~+*" }, { "eq", "a=b==" }, { "b=c", "d=e" } } },
    { "?" TO "&a=b", { { "a", "b" } } },
    { TO "&dup=1&dup=2&other=3", { { "other", "3" } } },
    { TO X50 L50 "0" X50 L50 "1" X50 L50 "2" X50 L50 "3" X50 L50 "4" X50 L50 "5" X50 L50 "6&a=b", { { "a", "b" } } },
    { TO "&%24.x=1&%24.exp=2030-01-01T00%3A00%3A00Z&iothub-ack=full&iothub-operation=d2c&c=%26%3D%25", { { "c", "&=%" } } },
    { "", { { NULL, NULL } } },
    { TO "&=v&&x=y&", { { "x", "y" } } },
    { TO "&long=" X50 X50 X50 X50 X50 X50 "&a=b", { { "a", "b" } } }
};

#define BAG_EMPTY 11u
#define BAG_LONG 13u                             /* its properties may find no room, whatever the body */

const sim_field *bag_fields(unsigned bag)
{
    return bags[bag].fields;
}

const char *messages_topic(const sim_life *life, unsigned letter, unsigned serial)
{
    static char topic[1200];
    const sim_letter *l = AT(life->cloud->letters, sim_letter, letter - 1u);
    size_t at;
    at = (size_t)(life->setup.module ? sprintf(topic, "%sin%u/", INPUT_TOPIC, letter % 3u) : sprintf(topic, "%s", TOPIC));
    at += (size_t)sprintf(topic + at, "%s", bags[l->bag].text);
    if (l->may_fail) {
        sprintf(topic + at, "&l=%u", letter);    /* it looks the same each time that it comes */
    } else if (l->bag != BAG_EMPTY) {
        sprintf(topic + at, "&d=%u", serial);
    }
    return topic;
}

/* ---- the queue ---- */

static sim_letter *letter_of(const sim_life *life, unsigned number)
{
    return AT(life->cloud->letters, sim_letter, number - 1u);
}

/* It may find no room in the inbox, at whatever time. */
int messages_may_fail(const sim_life *life, unsigned size, unsigned bag)
{
    return bag == BAG_LONG || (!(life->setup.features & FEATURE_PIECES) && size + strlen(bags[bag].text) > life->setup.inbox / 8u);
}

/* Answers its number; 0: the queue is full. */
unsigned messages_post(sim_life *life, unsigned size, unsigned bag)
{
    sim_letter *letter;
    unsigned number = life->cloud->letters.count + 1u;
    if (messages_waiting(life) >= QUEUE) {
        return 0;
    }
    letter = (sim_letter *)list_add(&life->cloud->letters, sizeof *letter);
    letter->size = size = bag == BAG_EMPTY && size < 80u ? 80u : size; /* no read of the client's holds the ends of two */
    letter->bag = bag;
    letter->ready_at = life->now;
    letter->may_fail = messages_may_fail(life, size, bag);
    note(life, EVENT_POSTS, number, size, bag);
    return number;
}

static unsigned flying_on(const sim_life *life, unsigned connection)
{
    const sim_cloud *cloud = life->cloud;
    unsigned i, count = 0;
    for (i = cloud->letters_before; i < cloud->letters.count; ++i) {
        const sim_letter *l = AT(cloud->letters, sim_letter, i);
        count += l->flying && AT(cloud->deliveries, sim_delivery, l->delivery - 1u)->connection == connection;
    }
    return count;
}

static void unlock(sim_life *life, sim_letter *letter)
{
    letter->flying = 0;
    letter->ready_at = life->now;
    AT(life->cloud->deliveries, sim_delivery, letter->delivery - 1u)->lapsed = 1;
}

/* An id that nothing on this connection has now. */
static unsigned free_id(sim_life *life, sim_connection *connection, const sim_letter *letter)
{
    const sim_cloud *cloud = life->cloud;
    unsigned i, id = letter->id;
    int taken = life->hub.ids != IDS_KEPT || id == 0;
    for (;;) {
        if (taken) {
            id = connection->next_id = connection->next_id % ID_LAST + 1u;
        }
        taken = 0;
        for (i = connection->first_delivery; i != 0 && i <= cloud->deliveries.count; ++i) {
            const sim_delivery *d = AT(cloud->deliveries, sim_delivery, i - 1u);
            taken |= d->connection == connection->number && d->id == id && !d->acknowledged;
        }
        if (!taken) {
            return id;
        }
    }
}

static void deliver(sim_life *life, sim_connection *connection, unsigned number)
{
    static unsigned char body[70000];
    sim_cloud *cloud = life->cloud;
    sim_letter *letter = letter_of(life, number);
    sim_delivery *d;
    unsigned id = free_id(life, connection, letter), serial, first = letter->delivery != 0 ? 0x38u : 0x30u;
    d = (sim_delivery *)list_add(&cloud->deliveries, sizeof *d);
    serial = cloud->deliveries.count;
    d->letter = number;
    d->connection = connection->number;
    d->id = id;
    if (connection->first_delivery == 0) {
        connection->first_delivery = serial;
    }
    cloud->next_id = connection->next_id;
    letter->delivery = serial;
    letter->id = id;
    letter->flying = 1;
    letter->lock_ends = life->now + LOCK_MS;
    note(life, EVENT_DELIVERS, number, serial, id);
    hub_send_large(life, connection, first, messages_topic(life, number, serial), id, body, body_make(number, letter->size, body));
    AT(cloud->deliveries, sim_delivery, serial - 1u)->end = connection->down.put;
}

/* Locks that are over, then what the window has room for. */
void messages_deliver(sim_life *life, sim_connection *connection)
{
    sim_cloud *cloud = life->cloud;
    unsigned i, flying;
    if (cloud->letters_before == cloud->letters.count) {
        return;
    }
    for (i = cloud->letters_before; i < cloud->letters.count; ++i) {
        sim_letter *l = AT(cloud->letters, sim_letter, i);
        if (l->flying && l->lock_ends <= life->now) {
            unlock(life, l);
        }
    }
    if (!hub_wants(life, connection, FILTER_MESSAGES)) {
        return;
    }
    flying = flying_on(life, connection->number);
    for (i = cloud->letters_before; i < cloud->letters.count && flying < life->hub.window && connection->hub_open; ++i) {
        sim_letter *l = AT(cloud->letters, sim_letter, i);
        if (!l->settled && !l->flying && l->ready_at <= life->now) {
            deliver(life, connection, i + 1u);
            ++flying;
        }
    }
}

uint64_t messages_next(const sim_life *life, const sim_connection *connection)
{
    const sim_cloud *cloud = life->cloud;
    uint64_t next = NEVER;
    unsigned i, flying = 0;
    int wants = hub_wants(life, connection, FILTER_MESSAGES);
    uint64_t queued = NEVER;
    for (i = cloud->letters_before; i < cloud->letters.count; ++i) {
        const sim_letter *l = AT(cloud->letters, sim_letter, i);
        if (l->flying) {
            next = l->lock_ends < next ? l->lock_ends : next;
            flying += AT(cloud->deliveries, sim_delivery, l->delivery - 1u)->connection == connection->number;
        } else {
            queued = !l->settled && l->ready_at < queued ? l->ready_at : queued;
        }
    }
    queued = queued < life->now ? life->now : queued;
    return wants && flying < life->hub.window && queued < next ? queued : next;
}

void messages_left(sim_life *life, unsigned connection)
{
    sim_cloud *cloud = life->cloud;
    unsigned i;
    for (i = cloud->letters_before; i < cloud->letters.count; ++i) {
        sim_letter *l = AT(cloud->letters, sim_letter, i);
        if (l->flying && AT(cloud->deliveries, sim_delivery, l->delivery - 1u)->connection == connection) {
            unlock(life, l);
        }
    }
}

static void settle(sim_cloud *cloud, sim_letter *letter)
{
    letter->settled = 1;
    letter->flying = 0;
    while (cloud->letters_before < cloud->letters.count && AT(cloud->letters, sim_letter, cloud->letters_before)->settled) {
        cloud->letters_before += 1;
    }
}

void messages_expire(sim_life *life, int all)
{
    sim_cloud *cloud = life->cloud;
    unsigned i;
    int pieces = (life->device.programme.asked & FEATURE_PIECES) != 0;
    for (i = cloud->letters_before; i < cloud->letters.count; ++i) {
        sim_letter *l = AT(cloud->letters, sim_letter, i);
        if (all || l->may_fail || (!pieces && l->size > life->setup.inbox / 8u)) {
            l->settled = 1;
            l->flying = 0;
        }
    }
    for (; cloud->letters_before < cloud->letters.count && AT(cloud->letters, sim_letter, cloud->letters_before)->settled; ) {
        cloud->letters_before += 1;
    }
}

unsigned messages_waiting(const sim_life *life)
{
    return life->cloud->letters.count - life->cloud->letters_before;
}

/* ---- PUBACK ---- */

/* The newest delivery with this id on this connection. */
static sim_delivery *delivery_by_id(const sim_life *life, const sim_connection *connection, unsigned id)
{
    unsigned i;
    for (i = life->cloud->deliveries.count; i >= connection->first_delivery && i != 0; --i) {
        sim_delivery *d = AT(life->cloud->deliveries, sim_delivery, i - 1u);
        if (d->connection == connection->number && d->id == id) {
            return d;
        }
    }
    return NULL;
}

/* The option oversize_limit: what does not fit, and what nobody takes in pieces, may be acknowledged. */
static int is_given_up(const sim_life *life, const sim_delivery *d)
{
    const sim_programme *p = &life->device.programme;
    int pieces = (p->asked & FEATURE_PIECES) != 0 && !p->pieces_cleared;
    const sim_letter *letter = letter_of(life, d->letter);
    return life->setup.oversize_limit != 0 && !d->handed && (letter->may_fail || (!pieces && letter->size > life->setup.inbox / 8u));
}

/* As the client offers it. */
void messages_tap(sim_life *life, sim_connection *connection, unsigned id)
{
    sim_delivery *d = connection->first_delivery != 0 ? delivery_by_id(life, connection, id) : NULL, *earlier;
    unsigned i, serial;
    if (d == NULL) fail(life, 11, "PUBACK for packet id %u, which was not delivered on connection %u", id, connection->number);
    serial = (unsigned)(d - (sim_delivery *)life->cloud->deliveries.at) + 1u;
    if (d->offered) fail(life, 11, "PUBACK for delivery %u a second time", serial);
    if (d->decided != DECIDED_ACCEPTED && !is_given_up(life, d)) {
        fail(life, 11, "PUBACK for delivery %u (letter %u), which the program did not accept", serial, d->letter);
    }
    for (i = connection->first_delivery; i < serial; ++i) {
        earlier = AT(life->cloud->deliveries, sim_delivery, i - 1u);
        if (earlier->connection != connection->number || earlier->offered || !earlier->handed) {
            continue;
        }
        if (earlier->decided == DECIDED_ACCEPTED) {
            fail(life, 11, "PUBACK for delivery %u before that for delivery %u [MQTT-4.6.0-2]", serial, i);
        }
        if (earlier->decided == DECIDED_NOT && !life->tick_was_hurt && d->handed_at != 0 && life->now + 1000u < d->handed_at + WAITS_MS) {
            fail(life, 11, "PUBACK for delivery %u does not wait for delivery %u, which is undecided", serial, i);
        }
    }
    d->offered = 1;
}

void messages_acknowledged(sim_life *life, sim_connection *connection, unsigned id)
{
    sim_delivery *d = connection->first_delivery != 0 ? delivery_by_id(life, connection, id) : NULL;
    sim_letter *letter;
    unsigned i, serial, out_of_order = 0;
    if (d == NULL || !d->offered || d->acknowledged) {
        fail(life, 11, "PUBACK for packet id %u, which was not delivered", id);
    }
    serial = (unsigned)(d - (sim_delivery *)life->cloud->deliveries.at) + 1u;
    letter = letter_of(life, d->letter);
    for (i = connection->first_delivery; i < serial; ++i) {
        const sim_delivery *earlier = AT(life->cloud->deliveries, sim_delivery, i - 1u);
        out_of_order |= earlier->connection == connection->number && !earlier->acknowledged && !earlier->lapsed
            && !letter_of(life, earlier->letter)->settled;
    }
    d->acknowledged = 1;
    note(life, EVENT_GOT_PUBACK, id, d->letter, d->lapsed ? 2 : out_of_order && life->hub.order != ORDER_ANY);
    if (d->lapsed || letter->settled) {
        return;                                  /* the lock was over: it comes again */
    }
    if (out_of_order && life->hub.order == ORDER_CLOSES) {
        connection->hurt = 1;
        hub_close(life, connection, 12);
    } else if (!out_of_order || life->hub.order == ORDER_ANY) {
        settle(life->cloud, letter);
        messages_deliver(life, connection);
    }
}
