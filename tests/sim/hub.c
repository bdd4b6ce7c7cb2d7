/* The model hub: MQTT 3.1.1 as IoT Hub speaks it to one device, written from the standard and the service's documents, not
   from the client. Every byte of the client's is held against them: invariants 2, 3 and 4. This room has the packets, the
   connection and telemetry; hub_session.c, hub_messages.c, hub_twin.c and hub_methods.c have the rest. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

typedef struct identity { const char *id, *user_name, *resource, *events; } identity;

static const identity device_identity = { "d1", "hub.example.net/d1/?api-version=2021-04-12", "hub.example.net%2Fdevices%2Fd1",
    "devices/d1/messages/events/" };
static const identity module_identity = { "d1/m1", "hub.example.net/d1/m1/?api-version=2021-04-12",
    "hub.example.net%2Fdevices%2Fd1%2Fmodules%2Fm1", "devices/d1/modules/m1/messages/events/" };

#define UNASKED_TOPIC "devices/d1/messages/devicebound/%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound"
#define STRANGE_TOPIC "devices/d1/messages/elsewhere/%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound"
#define UNASKED_ID 0xF000u                       /* and above: ids that no letter has */
#define PIPELINED_MESSAGES 8u
#define PIPELINED_BYTES 2048u

enum { CLOSED_TOKEN = 1, CLOSED_SILENCE, CLOSED_REFUSED, CLOSED_POISON, CLOSED_TAKEOVER, CLOSED_LEFT, CLOSED_PIPELINE };

static const identity *identity_of(const sim_life *life)
{
    return life->setup.module ? &module_identity : &device_identity;
}

void illegal(sim_life *life, const char *what)
{
    fail(life, 4, "%s", what);
}

int is_prefix(const unsigned char *at, size_t size, const char *text)
{
    return size >= strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

/* ---- reading packets ---- */

/* Remaining length (MQTT 2.2.3): answers the size of the fixed header, 0 while it is not complete. */
static size_t fixed_header(sim_life *life, const unsigned char *bytes, size_t size, size_t *length)
{
    size_t i;
    *length = 0;
    for (i = 1; i < size && i <= 4; ++i) {
        *length |= (size_t)(bytes[i] & 127u) << (7u * (i - 1u));
        if ((bytes[i] & 128u) == 0) {
            if (i > 1 && bytes[i] == 0) illegal(life, "a remaining length in more bytes than it needs");
            return i + 1;
        }
    }
    if (size > 4) illegal(life, "a remaining length of more than four bytes");
    return 0;
}

void reader_take(sim_reader *reader, sim_life *life, sim_connection *connection, const unsigned char *bytes, size_t size,
    sim_packet_function take)
{
    bytes_put(&reader->data, bytes, size);
    for (;;) {
        size_t length, head, have = bytes_size(&reader->data);
        const unsigned char *at = bytes_front(&reader->data);
        head = have < 2 ? 0 : fixed_header(life, at, have, &length);
        if (head == 0 || have < head + length) {
            return;
        }
        reader->seen += head + length;
        take(life, connection, at[0], at + head, length, reader->seen);
        bytes_drop(&reader->data, head + length);
    }
}

typedef struct field { const unsigned char *at; size_t size; } field;

static unsigned number_16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* A field with its length in two bytes (MQTT 1.5.3). */
static field take_field(sim_life *life, const unsigned char **at, const unsigned char *end)
{
    field f = { NULL, 0 };
    if (end - *at < 2 || (size_t)(end - *at) < 2u + number_16(*at)) illegal(life, "a field ends behind its packet");
    f.size = number_16(*at);
    f.at = *at + 2;
    *at += 2 + f.size;
    return f;
}

static int is_text(field f, const char *text)
{
    return f.size == strlen(text) && memcmp(f.at, text, f.size) == 0;
}

static sim_message *message_of(sim_life *life, const unsigned char *body, size_t size)
{
    unsigned number = 0;
    size_t i;
    for (i = 0; i < size && body[i] >= '0' && body[i] <= '9'; ++i) {
        number = number * 10u + (body[i] - '0');
    }
    if (number == 0 || number > life->device.count) fail(life, 2, "a body that was never accepted (number %u)", number);
    return &life->device.messages[number - 1];
}

/* ---- sending ---- */

void hub_send(sim_life *life, sim_connection *connection, const unsigned char *bytes, size_t size)
{
    unsigned value = size >= 4 ? (unsigned)bytes[2] << 8 | bytes[3] : 0;
    note(life, EVENT_SENDS, bytes[0], value, 0);
    pipe_put(life, connection, &connection->down, bytes, size);
}

void hub_close(sim_life *life, sim_connection *connection, unsigned reason)
{
    note(life, EVENT_HUB_CLOSES, connection->number, reason, 0);
    connection->hub_open = 0;
    connection->reply_count = 0;
    messages_left(life, connection->number);
    if (life->registry->holder == connection) {
        life->registry->holder = NULL;
    }
    if (!connection->down.ended) {
        uint64_t at = life->now + life->manners.latency_ms;
        connection->down.ended = 1;
        connection->down.newest = at > connection->down.newest ? at : connection->down.newest;
    }
}

void hub_ended(sim_life *life, sim_connection *connection)
{
    if (connection->hub_open) {
        hub_close(life, connection, CLOSED_LEFT);
    }
}

/* in_order: not before what was promised earlier [MQTT-4.6.0-2]. */
static sim_reply *reply_later(sim_connection *connection, uint64_t at, int in_order)
{
    sim_reply *reply;
    if (connection->reply_count == connection->reply_capacity) {
        connection->reply_capacity = connection->reply_capacity * 2u + 16u;
        connection->replies = (sim_reply *)realloc(connection->replies, connection->reply_capacity * sizeof *connection->replies);
        if (connection->replies == NULL) {
            abort();
        }
    }
    if (connection->reply_count != 0 && in_order && connection->replies[connection->reply_count - 1].at > at) {
        at = connection->replies[connection->reply_count - 1].at;
    }
    reply = &connection->replies[connection->reply_count++];
    memset(reply, 0, sizeof *reply);
    reply->at = at;
    return reply;
}

static void reply_bytes(sim_reply *reply, unsigned first, unsigned value, unsigned size)
{
    reply->bytes[0] = (unsigned char)first;
    reply->bytes[1] = (unsigned char)(size - 2u);
    reply->bytes[2] = (unsigned char)(value >> 8);
    reply->bytes[3] = (unsigned char)value;
    reply->size = size;
}

/* A PUBLISH of any size; what is large arrives in parts. id 0: QoS 0. */
void hub_send_large(sim_life *life, sim_connection *connection, unsigned first, const char *topic, unsigned id, const void *body, size_t size)
{
    static unsigned char packet[140000];
    size_t topic_size = strlen(topic), length = 2u + topic_size + (id != 0 ? 2u : 0) + size, at = 0, whole;
    packet[at++] = (unsigned char)(first | (id != 0 ? 2u : 0));
    do {
        packet[at++] = (unsigned char)((length & 127u) | (length > 127u ? 128u : 0));
        length >>= 7;
    } while (length != 0);
    packet[at++] = (unsigned char)(topic_size >> 8);
    packet[at++] = (unsigned char)topic_size;
    memcpy(packet + at, topic, topic_size);
    at += topic_size;
    if (id != 0) {
        packet[at++] = (unsigned char)(id >> 8);
        packet[at++] = (unsigned char)id;
    }
    memcpy(packet + at, body, size);
    whole = at + size;
    note(life, EVENT_SENDS, packet[0], (unsigned)whole, id);
    for (at = 0; at < whole && connection->hub_open; at += 1000u) {
        pipe_put(life, connection, &connection->down, packet + at, whole - at < 1000u ? whole - at : 1000u);
    }
}

/* A message of which this hub's queue knows nothing; to a client that wants messages, on a topic that is none of its own. */
void hub_send_unasked(sim_life *life, sim_connection *connection, unsigned qos, unsigned body_size)
{
    static unsigned char body[65000];
    unsigned id = UNASKED_ID + between(&life->hub_random, 1, 255);
    int strange = life->setup.features != 0;
    body_size = body_size < sizeof body ? body_size : (unsigned)sizeof body;
    memset(body, 0x40, body_size);               /* looks like PUBACKs, for a reader that has lost its place */
    hub_send_large(life, connection, 0x30, strange ? STRANGE_TOPIC : UNASKED_TOPIC, qos != 0 ? id : 0, body, body_size);
}

/* Not before CONNACK; other packets may overtake it. */
sim_reply *hub_reply_later(sim_life *life, sim_connection *connection, unsigned delay_ms)
{
    uint64_t at = life->now + delay_ms;
    unsigned i;
    for (i = 0; i < connection->reply_count; ++i) {
        if (connection->replies[i].what == REPLY_CONNACK && connection->replies[i].at > at) {
            at = connection->replies[i].at;
        }
    }
    return reply_later(connection, at, 0);
}

void hub_send_unknown_acknowledgement(sim_life *life, sim_connection *connection, unsigned id)
{
    unsigned char packet[4];
    packet[0] = 0x40;
    packet[1] = 2;
    packet[2] = (unsigned char)(id >> 8);
    packet[3] = (unsigned char)id;
    hub_send(life, connection, packet, sizeof packet);
}

void hub_send_garbage(sim_life *life, sim_connection *connection, unsigned which)
{
    static const struct { unsigned char size, bytes[8]; } kinds[GARBAGE_KINDS] = {
        { 2, { 0x00, 0 } },                      /* reserved type */
        { 2, { 0xF0, 0 } },
        { 6, { 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F } }, /* five bytes of length */
        { 4, { 0x42, 2, 0xFF, 0xFF } },          /* reserved flags of PUBACK */
        { 5, { 0x40, 3, 0xFF, 0xFF, 0 } },       /* PUBACK of three bytes */
        { 6, { 0x36, 4, 0, 1, 'a', 0 } },        /* QoS 3 */
        { 8, { 0x34, 6, 0, 1, 'a', 0, 1, 0 } },  /* QoS 2, which was never asked for */
        { 3, { 0xD0, 1, 0 } },                   /* PINGRESP with a body */
        { 5, { 0x30, 3, 0, 9, 'a' } },           /* a topic behind its packet */
        { 4, { 0x20, 2, 0xFE, 0 } },             /* reserved flags of CONNACK */
        { 5, { 0x90, 3, 0, 1, 0 } },             /* SUBACK for nothing */
        { 4, { 0x20, 2, 0, 0 } }                 /* a second CONNACK */
    };
    if (!connection->accepted) {
        which %= GARBAGE_KINDS - 2u;             /* these are illegal before CONNACK too */
    }
    hub_send(life, connection, kinds[which].bytes, kinds[which].size);
    connection->poisoned = 1;
    connection->poison_end = connection->down.put;
    connection->reply_count = 0;
}

/* ---- CONNECT ---- */

/* The password, as Azure's documents build it: the signature covers the resource and the expiry as they are written. */
static uint64_t token_expiry(sim_life *life, field password)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char expected[300], signed_text[100], digits[12];
    unsigned char digest[33];
    uint64_t expiry = 0;
    size_t at, i, digit_count = 0;
    if (life->setup.credential == CREDENTIAL_TOKEN) {
        unsigned token;
        for (token = 0; token < TOKENS && !is_text(password, life->device.tokens[token]); ++token) {
        }
        if (token == TOKENS) illegal(life, "CONNECT: not a token that the program gave");
    }
    for (at = password.size; at > 0 && password.at[at - 1] >= '0' && password.at[at - 1] <= '9' && digit_count < 11; --at) {
        ++digit_count;
    }
    memcpy(digits, password.at + at, digit_count);
    digits[digit_count] = '\0';
    for (i = 0; i < digit_count; ++i) {
        expiry = expiry * 10u + (unsigned)(digits[i] - '0');
    }
    if (life->setup.credential == CREDENTIAL_TOKEN) {
        return expiry;
    }
    snprintf(signed_text, sizeof signed_text, "%s\n%s", identity_of(life)->resource, digits);
    sim_digest((const unsigned char *)signed_text, strlen(signed_text), digest);
    digest[32] = 0;
    at = (size_t)sprintf(expected, "SharedAccessSignature sr=%s&sig=", identity_of(life)->resource);
    for (i = 0; i < 44; ++i) {                   /* base64 of 32 bytes: 43 characters and one '=' */
        unsigned bit = (unsigned)i * 6u, byte = bit / 8u, c;
        unsigned pair = byte < 32 ? (unsigned)digest[byte] << 8 | digest[byte + 1] : 0;
        c = i == 43 ? '=' : (unsigned char)alphabet[pair >> (10u - bit % 8u) & 63u];
        if (c == '+' || c == '/' || c == '=') {
            at += (size_t)sprintf(expected + at, "%%%02X", c);
        } else {
            expected[at++] = (char)c;
        }
    }
    at += (size_t)sprintf(expected + at, "&se=%s", digits);
    if (password.size != at || memcmp(password.at, expected, at) != 0) illegal(life, "CONNECT: the token is not signed as Azure's documents say");
    return expiry;
}

/* What the hub would answer, 0 to 5. */
static unsigned connect_code(sim_life *life, sim_connection *connection, uint64_t expiry)
{
    uint64_t time = life->setup.wall_start + life->now / 1000u;
    if (life->hub.connack_code != 0) {
        return life->hub.connack_code;
    }
    if (life->setup.credential == CREDENTIAL_X509) {
        return 0;
    }
    if (expiry <= time) {
        return 5;
    }
    connection->token_ends_at = (expiry - life->setup.wall_start) * 1000u;
    return 0;
}

static void got_connect(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size)
{
    const unsigned char *at = body, *end = body + size;
    unsigned flags, expected = 0x80u | (life->setup.clean_session ? 2u : 0), code;
    uint64_t expiry = 0;
    sim_reply *reply;
    if (first != 0x10) illegal(life, "CONNECT: reserved flags [MQTT-2.2.2-1]");
    if (connection->got_connect) illegal(life, "a second CONNECT [MQTT-3.1.0-2]");
    connection->got_connect = 1;
    if (!is_text(take_field(life, &at, end), "MQTT") || end - at < 4 || at[0] != 4) illegal(life, "CONNECT: protocol name or level");
    expected |= life->setup.credential != CREDENTIAL_X509 ? 0x40u : 0;
    flags = at[1];
    if (flags != expected) illegal(life, "CONNECT: flags");
    connection->keep_alive_s = number_16(at + 2);
    if (connection->keep_alive_s > 1177u) illegal(life, "CONNECT: keep-alive above the hub's limit");
    at += 4;
    if (!is_text(take_field(life, &at, end), identity_of(life)->id)) illegal(life, "CONNECT: client id");
    if (!is_text(take_field(life, &at, end), identity_of(life)->user_name)) illegal(life, "CONNECT: user name");
    if (expected & 0x40u) {
        expiry = token_expiry(life, take_field(life, &at, end));
    }
    if (at != end) illegal(life, "CONNECT: bytes behind the last field");
    note(life, EVENT_GOT_CONNECT, connection->number, (unsigned)expiry, flags);
    if (life->registry->holder != NULL && life->registry->holder != connection) {
        sim_life *other = life->registry->life;
        if (other != life && other->now < life->now) {
            other->now = life->now;
        }
        hub_close(other, life->registry->holder, CLOSED_TAKEOVER);
    }
    if (life->hub.connack_never) {
        connection->refused = connection->hurt = 1;
        return;
    }
    code = connect_code(life, connection, expiry);
    connection->refused = code != 0;
    if (code == 0) {
        life->registry->holder = connection;
        life->registry->life = life;
    }
    if (code == 0) {
        session_connect(life, connection);
    }
    reply = reply_later(connection, life->now + life->hub.connack_ms, 1);
    reply->what = REPLY_CONNACK;
    reply_bytes(reply, 0x20, (code == 0 && life->cloud->session ? 0x100u : 0) | code, 4);
    life->cloud->session |= code == 0 && (flags & 2u) == 0;
    reply->closes = code != 0 || life->hub.connack_closes;
    if (code != 0 && life->hub.refuses_silently) {
        reply->size = 0;
    }
}

/* ---- PUBLISH ---- */

static int hex(unsigned c)
{
    return c >= '0' && c <= '9' ? (int)c - '0' : c >= 'A' && c <= 'F' ? (int)c - 'A' + 10 : c >= 'a' && c <= 'f' ? (int)c - 'a' + 10 : -1;
}

/* name=value, percent-encoded (RFC 3986), against what the program set. */
static void check_properties(sim_life *life, const sim_message *message, const unsigned char *at, size_t size)
{
    char text[128], expected[128];
    size_t i, n = 0;
    for (i = 0; i < size && n + 1 < sizeof text; ++i) {
        if (at[i] == '%') {
            if (i + 2 >= size || hex(at[i + 1]) < 0 || hex(at[i + 2]) < 0) illegal(life, "PUBLISH: a broken escape in the properties");
            text[n++] = (char)(hex(at[i + 1]) * 16 + hex(at[i + 2]));
            i += 2;
        } else {
            text[n++] = (char)at[i];
        }
    }
    text[n] = '\0';
    snprintf(expected, sizeof expected, message->number % 3u == 0 ? "n=%u&t e/s&t=a=b c%%" : "n=%u", message->number);
    if (strcmp(text, expected) != 0) fail(life, 2, "message %u has other properties: %s", message->number, text);
}

/* A packet id is live from its packet until the answer was read by the client [MQTT-2.3.1-4]. */
static unsigned drop_dead(sim_life *life, sim_connection *connection, unsigned id)
{
    unsigned i, kept = 0;
    for (i = 0; i < connection->live_count; ++i) {
        sim_live *live = &connection->live[i];
        int over = live->acknowledged && live->end <= connection->down.taken;
        if (live->id == id && !over) fail(life, 4, "packet id %u is used again while it is live [MQTT-2.3.1-4]", id);
        if (!over) {
            connection->live[kept++] = *live;
        }
    }
    connection->live_count = kept;
    return kept;
}

sim_live *make_live(sim_life *life, sim_connection *connection, unsigned id, unsigned message)
{
    unsigned kept = drop_dead(life, connection, id);
    if (kept == sizeof connection->live / sizeof connection->live[0]) fail(life, 4, "more messages in flight than any setting allows");
    connection->live[kept].id = id;
    connection->live[kept].message = message;
    connection->live[kept].acknowledged = 0;
    connection->live_count = kept + 1u;
    return &connection->live[kept];
}

static void check_copy(sim_life *life, const sim_connection *connection, sim_message *m, unsigned id, int dup)
{
    if (m->number <= connection->newest_message) fail(life, 3, "message %u is out of order on connection %u", m->number, connection->number);
    if (connection->client_open && m->copies == 0 && m->number < life->newest_first) fail(life, 3, "the first copy of message %u comes out of order", m->number);
    if (m->accepted_connection > connection->number) fail(life, 3, "message %u came on connection %u, before it was accepted", m->number, connection->number);
    if (m->offered_connection == 0) fail(life, 3, "message %u was never offered", m->number);
    if (m->qos != 0) {
        int before = m->first_offered_connection < connection->number;
        if (before && !dup) fail(life, 3, "message %u is repeated without DUP [MQTT-3.3.1-1]", m->number);
        if (!before && dup && m->body_size < 30000u && m->kept == 0) fail(life, 3, "message %u has DUP, though no byte of it was offered before", m->number);
        if (m->packet_id != 0 && m->packet_id != id) fail(life, 4, "message %u is repeated with another packet id [MQTT-4.4.0-1]", m->number);
    }
    if (m->copies + 1u > 1u + m->losses) fail(life, 3, "message %u: %u copies, %u connections lost", m->number, m->copies + 1u, m->losses);
}

static void acknowledge(sim_life *life, sim_connection *connection, const sim_message *m)
{
    uint64_t at = life->now + life->hub.acknowledge_ms + below(&life->hub_random, life->hub.acknowledge_spread_ms + 1u);
    sim_reply *reply;
    if (connection->refused) {
        return;
    }
    if (m->number == life->hub.keeps || chance(&life->hub_random, life->hub.drop_acknowledgements)) {
        connection->hurt = connection->starved = 1;
        return;
    }
    reply = reply_later(connection, at, !life->hub.shuffles || !connection->accepted);
    reply->what = REPLY_PUBACK;
    reply_bytes(reply, 0x40, m->packet_id, 4);
    reply->message = m->number;
    reply->id = m->packet_id;
    reply->repeat = chance(&life->hub_random, life->hub.repeat_acknowledgements);
}

/* What comes before CONNACK comes only where it may. Answers 0 when this hub does not stand it. */
int hub_takes_early(sim_life *life, sim_connection *connection, const char *what)
{
    if (connection->accepted) {
        return 1;
    }
    if (!life->setup.pipelined || connection->alone) fail(life, 4, "%s came before CONNACK, where CONNECT must go alone", what);
    if (life->hub.refuses_by_reset) {
        connection_reset(life, connection);
        return 0;
    }
    if (life->hub.refuses_pipelined) {
        hub_close(life, connection, CLOSED_PIPELINE);
        return 0;
    }
    return 1;
}

/* Twin requests and answers to methods: QoS 0. */
static int is_feature(sim_life *life, sim_connection *connection, unsigned first, field topic, const unsigned char *body, size_t size)
{
    if (!is_prefix(topic.at, topic.size, "$iothub/")) {
        return 0;
    }
    if (first != 0x30) illegal(life, "PUBLISH to $iothub: QoS 0, without flags");
    if (!connection->accepted) illegal(life, "PUBLISH to $iothub before CONNACK");
    if (is_prefix(topic.at, topic.size, "$iothub/methods/res/")) {
        methods_answered(life, connection, topic.at, topic.size, body, size);
    } else {
        twin_request(life, connection, topic.at, topic.size, body, size);
    }
    return 1;
}

static void got_publish(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size)
{
    static unsigned char expected[300000];
    const unsigned char *at = body, *end = body + size;
    unsigned qos = first >> 1 & 3u, id = 0;
    int dup = (first & 8u) != 0;
    field topic = take_field(life, &at, end);
    size_t prefix = strlen(identity_of(life)->events), body_size;
    sim_message *m;
    if (qos > 1 || (first & 1u) != 0 || (qos == 0 && dup)) illegal(life, "PUBLISH: flags");
    if (is_feature(life, connection, first, topic, at, (size_t)(end - at))) {
        return;
    }
    if (!is_prefix(topic.at, topic.size, identity_of(life)->events)) illegal(life, "PUBLISH: topic");
    if (qos != 0) {
        if (end - at < 2) illegal(life, "PUBLISH: no packet id");
        id = number_16(at);
        at += 2;
        if (id == 0) illegal(life, "PUBLISH: packet id 0 [MQTT-2.3.1-1]");
    }
    if ((size_t)(end - at) > 262144u) illegal(life, "PUBLISH: over the hub's limit");
    m = message_of(life, at, (size_t)(end - at));
    note(life, EVENT_GOT_PUBLISH, m->number, id, first & 15u);
    if (qos != m->qos) fail(life, 2, "message %u has QoS %u", m->number, qos);
    body_size = body_make(m->number, m->body_size, expected);
    if ((size_t)(end - at) != body_size || memcmp(at, expected, body_size) != 0) fail(life, 2, "message %u has another body", m->number);
    check_properties(life, m, topic.at + prefix, topic.size - prefix);
    check_copy(life, connection, m, id, dup);
    if (!connection->accepted) {
        connection->alone_messages += 1;
        connection->alone_bytes += size;
        if (connection->alone_messages > PIPELINED_MESSAGES || connection->alone_bytes > PIPELINED_BYTES) {
            fail(life, 4, "more than %u messages or %u bytes before CONNACK", PIPELINED_MESSAGES, PIPELINED_BYTES);
        }
        if (!hub_takes_early(life, connection, "a message")) {
            return;
        }
    }
    if (qos != 0) {
        make_live(life, connection, id, m->number);
        m->packet_id = id;
    }
    m->copies += 1;
    m->last_connection = connection->number > m->last_connection ? connection->number : m->last_connection;
    connection->newest_message = m->number;
    life->newest_first = m->number > life->newest_first ? m->number : life->newest_first;
    if (m->number == life->hub.poison) {
        hub_close(life, connection, CLOSED_POISON);
    } else if (qos != 0) {
        acknowledge(life, connection, m);
    }
}

/* ---- the other packets ---- */

static void got_ping(sim_life *life, sim_connection *connection, size_t size)
{
    sim_reply *reply;
    if (size != 0) illegal(life, "PINGREQ with a body");
    note(life, EVENT_GOT_PING, connection->number, 0, 0);
    if (connection->pings != 0 && (connection->ping_answered == 0 || connection->ping_answered > connection->down.taken)) {
        illegal(life, "a second PINGREQ before the first was answered");
    }
    connection->pings += 1;
    connection->ping_answered = 0;
    if (life->hub.ping_never) {
        connection->hurt = 1;
        return;
    }
    reply = reply_later(connection, life->now + life->hub.ping_ms, 0);
    reply->what = REPLY_PING;
    reply_bytes(reply, 0xD0, 0, 2);
    connection->hurt |= reply->at > life->now + SECONDS(5);
    reply->repeat = life->hub.ping_twice != 0;
}

static void got_puback(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size)
{
    if (first != 0x40 || size != 2) illegal(life, "PUBACK: flags or size");
    if (!connection->accepted) illegal(life, "PUBACK before CONNACK");
    messages_acknowledged(life, connection, number_16(body));
}

static void hub_packet(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size, size_t end)
{
    (void)end;
    if (!connection->hub_open) {
        return;                                  /* it closed on an earlier packet of these bytes */
    }
    if (connection->left) illegal(life, "bytes behind DISCONNECT [MQTT-3.14.4-2]");
    if (!connection->got_connect && first >> 4 != 1) illegal(life, "the first packet is not CONNECT [MQTT-3.1.0-1]");
    switch (first >> 4) {
    case 1:
        got_connect(life, connection, first, body, size);
        break;
    case 3:
        got_publish(life, connection, first, body, size);
        break;
    case 4:
        got_puback(life, connection, first, body, size);
        break;
    case 8:
        session_subscribe(life, connection, first, body, size);
        break;
    case 10:
        session_unsubscribe(life, connection, first, body, size);
        break;
    case 12:
        if (first != 0xC0) illegal(life, "PINGREQ: reserved flags");
        if (!connection->accepted) illegal(life, "PINGREQ before CONNACK");
        got_ping(life, connection, size);
        break;
    case 14:
        if (first != 0xE0 || size != 0) illegal(life, "DISCONNECT: flags or body");
        note(life, EVENT_GOT_LEAVE, connection->number, 0, 0);
        connection->left = 1;
        break;
    default:
        illegal(life, "a packet that a client may not send");
    }
}

void hub_take(sim_life *life, sim_connection *connection, const unsigned char *bytes, size_t size)
{
    if (!connection->hub_open || connection->poisoned) {
        return;
    }
    connection->heard_at = life->now;
    reader_take(&connection->reader, life, connection, bytes, size, hub_packet);
}

static void tap_publish(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size, size_t end)
{
    const unsigned char *at = body, *behind = body + size;
    field topic = take_field(life, &at, behind);
    if (is_prefix(topic.at, topic.size, "$iothub/twin/")) {
        twin_tap(life, connection, topic.at, topic.size, at, (size_t)(behind - at));
    } else if (!is_prefix(topic.at, topic.size, "$iothub/")) {
        sim_message *m;
        at += (first & 6u) != 0 ? 2 : 0;
        m = message_of(life, at, (size_t)(behind - at));
        if (m->outcome != 0) fail(life, 3, "message %u is offered although it was confirmed (%u)", m->number, m->outcome - 1u);
        m->offered_connection = connection->number;
        if (m->first_offered_connection == 0) {
            m->first_offered_connection = connection->number;
        }
        m->offered_end = end;
    }
}

/* What the client offers to the stream, read as it offers it. */
void tap_packet(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size, size_t end)
{
    if (first >> 4 == 3) {
        tap_publish(life, connection, first, body, size, end);
    } else if (first >> 4 == 4) {
        messages_tap(life, connection, number_16(body));
    } else if (first >> 4 == 8 || first >> 4 == 10) {
        session_tap(life, connection, first, body, size);
    } else if (first >> 4 == 12) {
        uint64_t since = life->now - connection->tap_ping_at;
        if (connection->tap_ping_at != 0 && !life->tick_was_hurt && since < SECONDS(connection->keep_alive_s)) {
            fail(life, 7, "two pings within %u ms, keep-alive is %u s", (unsigned)since, connection->keep_alive_s);
        }
        connection->tap_ping_at = life->now;
        connection->tap_pings += 1;
    }
}

/* ---- time ---- */

static uint64_t silence_ends(const sim_connection *connection)
{
    return connection->accepted && connection->keep_alive_s != 0
        ? connection->heard_at + (uint64_t)connection->keep_alive_s * 1500u : NEVER;
}

uint64_t hub_next(const sim_life *life, const sim_connection *connection)
{
    uint64_t next = connection->token_ends_at, at;
    unsigned i;
    if (!connection->hub_open) {
        return NEVER;
    }
    at = silence_ends(connection);
    next = at < next ? at : next;
    at = messages_next(life, connection);
    next = at < next ? at : next;
    for (i = 0; i < connection->reply_count; ++i) {
        next = connection->replies[i].at < next ? connection->replies[i].at : next;
    }
    return next;
}

static void acknowledged(sim_life *life, sim_connection *connection, const sim_reply *reply)
{
    unsigned i;
    if (reply->message != 0) {
        life->device.messages[reply->message - 1].acknowledged_connection = connection->number;
    }
    for (i = 0; i < connection->live_count; ++i) {
        if (connection->live[i].id == reply->id && !connection->live[i].acknowledged) {
            connection->live[i].acknowledged = 1;
            connection->live[i].end = connection->down.put - (reply->repeat ? reply->size : 0);
        }
    }
}

static void welcomed(sim_life *life, sim_connection *connection, const sim_reply *reply)
{
    connection->accepted = reply->size != 0 && reply->bytes[3] == 0;
    connection->heard_at = life->now;
    if (connection->accepted && life->hub.session_present && connection->hub_open && life->setup.features == 0) {
        hub_send_unasked(life, connection, 1, 40);
    }
}

static void hub_reply(sim_life *life, sim_connection *connection, const sim_reply *reply)
{
    if (reply->size != 0) {
        hub_send(life, connection, reply->bytes, reply->size);
        if (reply->repeat && connection->hub_open) {
            hub_send(life, connection, reply->bytes, reply->size);
        }
    }
    switch (reply->what) {
    case REPLY_CONNACK:
        welcomed(life, connection, reply);
        break;
    case REPLY_PING:
        connection->ping_answered = connection->down.put - (reply->repeat ? 2u : 0);
        break;
    case REPLY_PUBACK:
        acknowledged(life, connection, reply);
        break;
    case REPLY_SUBACK:
        acknowledged(life, connection, reply);
        session_subacked(life, connection, reply);
        break;
    case REPLY_TWIN:
        twin_answer(life, connection, reply->message);
        break;
    default:
        break;
    }
    if (reply->closes && connection->hub_open) {
        hub_close(life, connection, CLOSED_REFUSED);
    }
}

void hub_work(sim_life *life, sim_connection *connection)
{
    unsigned i = 0;
    while (connection->hub_open && i < connection->reply_count) {
        if (connection->replies[i].at <= life->now) {
            sim_reply reply = connection->replies[i];
            memmove(connection->replies + i, connection->replies + i + 1, (connection->reply_count - i - 1u) * sizeof reply);
            connection->reply_count -= 1;
            hub_reply(life, connection, &reply);
        } else {
            ++i;
        }
    }
    if (!connection->hub_open) {
        return;
    }
    messages_deliver(life, connection);
    if (!connection->hub_open) {
        return;
    }
    if (connection->token_ends_at <= life->now) {
        hub_close(life, connection, CLOSED_TOKEN);
    } else if (silence_ends(connection) <= life->now) {
        if (!connection->hurt && !life->tick_hurt && connection->client_open && life->setup.step == STEP_LAZY) {
            fail(life, 8, "the client was silent for 1.5 times its keep-alive");
        }
        hub_close(life, connection, CLOSED_SILENCE);
    }
}
