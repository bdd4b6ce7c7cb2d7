/* A client that wants everything: messages with all dispositions, inputs, twin, methods of all kinds, commands, pieces, kept bodies,
   outbox policies - in an inbox around the smallest. As in client_fuzz.c the input is what stream, hub, clocks and program do; the hub
   hears SUBSCRIBE, twin requests and answers as well, and says SUBACK, documents, patches, methods, messages of any size.

   Beside memory, a broken promise aborts: bounded work; one confirmation for each accepted message, reported state and request for
   the twin; no PUBACK that the program did not accept, and each in its turn; a message that is kept stays what it was; a handle that is
   settled, or a method that is answered or lost, is INVALID_ARG; a method is answered once; patches come without a gap behind a
   document. And once the input has ended and the hub is kind, everything that waits comes to its end. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include <stdlib.h>

const unsigned long fuzz_work = 15000;           /* basic blocks for each byte of input, at most (replay.c counts them); three bytes make a message of 4 KB */

#if defined(__GNUC__) && !defined(__clang__)     /* the hub's work on each byte is not the client's */
#define UNCOUNTED __attribute__((noinline, no_sanitize_coverage))
#else
#define UNCOUNTED
#endif

#define PROMISE(condition) do { if (!(condition)) abort(); } while (0)

#define MESSAGES_MAXIMUM 512u
#define RECOVERY_MAXIMUM 6000                    /* calls of DoWork until all is well again */
#define KEPT_MAXIMUM 32u
#define MESSAGE_ID_LAST 300u
#define PACKET_MAXIMUM 700u                      /* of a packet of the client's, what the hub remembers */

static const char *const identities[] = {
    "HostName=h.x;DeviceId=d;SharedAccessKey=AAAA",
    "HostName=h.x;DeviceId=d;SharedAccessSignature=SharedAccessSignature sr=h&sig=s&se=2000000000",
    "HostName=h.x;DeviceId=d;ModuleId=m;GatewayHostName=g:1;x509=true",
    "HostName=h.x:99;DeviceId=$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$;ModuleId=m;SharedAccessKey=AAAA"
};
static const char *const roots[] = {
    "devices/d/messages/devicebound/", "devices/d/messages/devicebound/", "devices/d/modules/m/inputs/",
    "devices/$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$$/modules/m/inputs/"
};
static const char *const bags[] = {
    "", "%24.mid=m%2D1&a=b", "a=1&a=2&b&=c&%24.to=%2Fx", "%24.cid=%4&%%%=%00&x=%e2%82%ac",
    "0123456789=0123456789012345678901234567890123456789&1=2&3=4&5=6&7=8&9=0"
};
static const char *const inputs[] = { "i/", "input%20two/", "/", "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii/" };
static const char *const input_names[] = { "i", "input%20two", "", "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii", "another", "a" };

static const uint8_t *input;
static size_t left;
static uint32_t tick, wall;
static unsigned int identity;                    /* index */
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static IOTHUB_MODULE_CLIENT_HANDLE module_hub;   /* the same; NULL for a device */
static size_t inbox_size;
volatile unsigned char fuzz_sink;                /* every byte that is offered is read */

static int destroyed;                            /* Destroy was called: in a callback, or by the program */
static int kind;                                 /* the hub answers what it hears, and at once */
static int depth;                                /* of callbacks that send */

/* What the program waits for: one end each. */
enum { OF_EVENT, OF_REPORTED, OF_DOCUMENT, KINDS };
typedef struct Waiting {
    unsigned char kind, ends;
    unsigned char *body;                         /* of a kept event: gone with its confirmation */
} Waiting;
static Waiting waiting[MESSAGES_MAXIMUM];
static unsigned int waits, accepted[KINDS], ended[KINDS];

/* What the program holds of the hub's. */
typedef struct Kept {
    IOTHUB_MESSAGE_HANDLE handle;
    uint32_t hash;                               /* of all that may be read of it */
    unsigned char live, whole;
    unsigned int id, epoch;                      /* its packet id, on which connection */
} Kept;
static Kept kept[KEPT_MAXIMUM];
static struct {
    METHOD_HANDLE handle;
    unsigned char live;
    uint32_t since;
} calls[KEPT_MAXIMUM];
static int dying;                                /* this connection is being lost: its methods may be gone, or not yet */

/* What the program said of the messages of this connection, in order of arrival. */
enum { UNDECIDED, TAKEN, ORPHANED };             /* orphaned: the program wants no pieces any more, in the middle of one */
typedef struct Debt { unsigned int id; int state; uint32_t since; } Debt;
static Debt debts[256];
static unsigned int debt_count;
static IOTHUB_MESSAGE_HANDLE partial, orphan;    /* of this one some pieces came; and nobody wants the rest */
static int gives_up;                             /* option oversize_limit: it acknowledges by itself */

static struct {                                  /* the application's view of the twin */
    int wanted, has_document, sure;
    unsigned long version;
    uint32_t skipped;                            /* the counter when version was learnt */
    uint32_t skipped_before;                     /* and when a document was last asked for: with the connection, or the callback */
} view;

static struct {                                  /* what one DoWork did */
    unsigned int opens, reads, writes, pushes;
} did;

static unsigned long desired;                    /* the hub's version; outlives connections */

static struct {                                  /* the stream, and the hub at its other end */
    int is_open;
    size_t promised_size;                        /* bytes offered and not taken: they come next */
    unsigned char saying[5000];                  /* a packet of the hub's on its way */
    size_t said, say;
    unsigned int ids[64], id_count;              /* packet ids without acknowledgement, on this connection */
    int connected, goodbye;                      /* heard CONNECT, DISCONNECT */
    int welcomed;                                /* said CONNACK 0 */
    int raw;                                     /* said bytes that nobody knows the meaning of */
    unsigned int pings;                          /* heard and not answered */
    unsigned int asked;                          /* filters of a SUBSCRIBE that waits for its SUBACK: a bit each */
    unsigned int codes;                          /* so many of them */
    int leaving;                                 /* UNSUBSCRIBE waits */
    unsigned int granted;
    unsigned int unsettled[16], unsettled_count; /* ids of messages said and not acknowledged */
    unsigned int next_id;
    unsigned char said_ids[MESSAGE_ID_LAST + 1u]; /* that messages had on this connection */
    char get[12], reported[12];                  /* request ids that wait; "": none */
    unsigned char calls[256];                    /* methods that wait for an answer, by request id */
    unsigned int phase, first, shift, at;
    size_t remaining;
    unsigned char packet[PACKET_MAXIMUM];
} peer;

static unsigned int epoch;
static unsigned int method_id;
static unsigned char promised[32767];

static unsigned int take(void)
{
    if (left == 0) return 0;
    left -= 1;
    return *input++;
}

/* ---- the hub listens ---- */

UNCOUNTED static void hear_header(unsigned int byte)
{
    PROMISE(!peer.goodbye);                      /* [MQTT-3.14.4-2] */
    PROMISE(peer.connected != (byte == 0x10));   /* CONNECT first [MQTT-3.1.0-1], and once [MQTT-3.1.0-2] */
    PROMISE(byte == 0x10 || byte == 0x30 || byte == 0x32 || byte == 0x3A || byte == 0x40 || byte == 0x82 || byte == 0xA2
        || byte == 0xC0 || byte == 0xE0);
    peer.first = byte;
    peer.remaining = 0;
    peer.shift = peer.at = 0;
    peer.phase = 1;
}

/* One that the program accepted, in its turn. */
UNCOUNTED static void hear_puback(unsigned int id)
{
    unsigned int i, found;
    uint32_t since = tick;
    PROMISE(peer.raw || (id <= MESSAGE_ID_LAST && peer.said_ids[id]));
    for (i = 0; i < peer.unsettled_count && peer.unsettled[i] != id; ++i) { }
    if (i < peer.unsettled_count) peer.unsettled[i] = peer.unsettled[--peer.unsettled_count];
    for (found = 0; found < debt_count && debts[found].id != id; ++found) { }
    if (found == debt_count) {
        PROMISE(gives_up);
        return;
    }
    PROMISE(debts[found].state == TAKEN || (debts[found].state == ORPHANED && gives_up)); /* the hub sent the orphan again */
    for (i = found; i < debt_count; ++i) {       /* accepted ones keep their order: the most patient one speaks for those before it */
        if (debts[i].state == TAKEN && tick - debts[i].since > tick - since) since = debts[i].since;
    }
    for (i = 0; i < found; ++i) {                /* [MQTT-4.6.0-2], and the client's patience; what is being written stays */
        uint32_t waited = (debts[i].state == TAKEN ? debts[i].since : tick) - since;
        PROMISE(debts[i].state == ORPHANED || (waited >= 28000u && waited <= 0x7FFFFFFFu));
    }
    debt_count -= 1;
    memmove(debts + found, debts + found + 1, (debt_count - found) * sizeof debts[0]);
}

UNCOUNTED static unsigned int filter_bit(const unsigned char *at, size_t size)
{
    static const char *const filters[] = { "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#", "$iothub/methods/POST/#" };
    unsigned int i;
    size_t root = strlen(roots[identity]) - (identity >= 2 ? 7u : 0);
    for (i = 0; i < 3; ++i) {
        if (size == strlen(filters[i]) && memcmp(at, filters[i], size) == 0) return 2u << i;
    }
    PROMISE(size == root + 1u && memcmp(at, roots[identity], root) == 0 && at[root] == '#');
    return 1;
}

UNCOUNTED static void hear_filters(int subscribe)
{
    size_t at = 2;
    unsigned int bits = 0, bit;
    PROMISE(peer.at <= PACKET_MAXIMUM && (peer.packet[0] | peer.packet[1]) != 0);
    PROMISE(peer.raw || (subscribe ? peer.codes == 0 : !peer.leaving));      /* one at a time; an answer to nothing may be taken for its answer */
    while (at < peer.at) {
        size_t size = (size_t)peer.packet[at] << 8 | peer.packet[at + 1u];
        PROMISE(at + 2u + size <= peer.at);
        bit = filter_bit(peer.packet + at + 2, size);
        PROMISE((bits & bit) == 0);
        bits |= bit;
        at += 2u + size;
        if (subscribe) {
            PROMISE(at < peer.at && peer.packet[at] <= 1);
            at += 1;
            peer.codes += 1;
        }
    }
    PROMISE(at == peer.at && bits != 0);         /* [MQTT-3.8.3-3] */
    if (subscribe) peer.asked = bits;
    else {
        peer.leaving = 1;
        peer.granted &= ~bits;
    }
}

static int starts(const char *text, size_t size, const char *with)
{
    return size >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static void copy_id(char *to, const char *from, size_t size)
{
    PROMISE(size != 0 && size < 12u);
    memcpy(to, from, size);
    to[size] = '\0';
}

UNCOUNTED static void hear_publish(void)
{
    size_t size = (size_t)peer.packet[0] << 8 | peer.packet[1], i;
    const char *topic = (const char *)peer.packet + 2;
    unsigned int id;
    PROMISE(peer.at >= 2u + size);
    if (size + 4u > PACKET_MAXIMUM) return;
    if (peer.first != 0x30) {
        id = (unsigned int)peer.packet[2u + size] << 8 | peer.packet[3u + size];
        PROMISE(id != 0 && starts(topic, size, "devices/")); /* [MQTT-2.3.1-1] */
        for (i = 0; i < peer.id_count; ++i) PROMISE(peer.ids[i] != id);    /* [MQTT-2.3.1-2] */
        PROMISE(peer.id_count < sizeof peer.ids / sizeof peer.ids[0]);
        peer.ids[peer.id_count++] = id;
    } else if (starts(topic, size, "$iothub/twin/GET/?$rid=")) {
        PROMISE((peer.granted & 2u) != 0 && peer.at == 2u + size);
        copy_id(peer.get, topic + 23, size - 23u);
    } else if (starts(topic, size, "$iothub/twin/PATCH/properties/reported/?$rid=")) {
        PROMISE((peer.granted & 2u) != 0 && peer.at > 2u + size);
        copy_id(peer.reported, topic + 45, size - 45u);
    } else if (starts(topic, size, "$iothub/methods/res/")) {
        for (i = 20; i < size && topic[i] >= '0' && topic[i] <= '9'; ++i) { }
        PROMISE(i > 20 && starts(topic + i, size - i, "/?$rid=") && size > i + 7u);
        i += 7;
        if (topic[i] == 'r' && size == i + 3u) {
            unsigned int call = ((unsigned int)topic[i + 1] - 'a') * 16u + ((unsigned int)topic[i + 2] - 'a');
            PROMISE(peer.raw || (call < 256u && peer.calls[call]));
            if (call < 256u) peer.calls[call] = 0;
        } else {
            PROMISE(peer.raw);
        }
    } else {
        PROMISE(starts(topic, size, "devices/"));
    }
}

UNCOUNTED static void hear_end(void)
{
    peer.phase = 0;
    peer.connected = 1;
    switch (peer.first) {
    case 0x30: case 0x32: case 0x3A: hear_publish(); break;
    case 0x40:
        PROMISE(peer.at == 2);
        hear_puback((unsigned int)peer.packet[0] << 8 | peer.packet[1]);
        break;
    case 0x82: hear_filters(1); break;
    case 0xA2: hear_filters(0); break;
    case 0xC0: peer.pings += 1; break;
    case 0xE0: peer.goodbye = 1; break;
    default: break;
    }
}

UNCOUNTED static void hear(unsigned int byte)
{
    if (peer.phase == 0) {
        hear_header(byte);
        return;
    }
    if (peer.phase == 1) {
        peer.remaining |= (size_t)(byte & 127u) << peer.shift;
        peer.shift += 7;
        PROMISE(peer.shift <= 28);
        if (byte >= 128u) return;
        peer.phase = 2;
    } else {
        if (peer.at < PACKET_MAXIMUM) peer.packet[peer.at] = (unsigned char)byte;
        peer.at += 1;
        peer.remaining -= 1;
    }
    if (peer.remaining == 0) hear_end();
}

/* ---- the hub speaks ---- */

static void say_bytes(unsigned int first, const void *bytes, size_t size)
{
    unsigned char *at = peer.saying;
    size_t remaining = size;
    PROMISE(size <= sizeof peer.saying - 5u);
    *at++ = (unsigned char)first;
    do {
        *at++ = (unsigned char)((remaining & 127u) | (remaining > 127u ? 128u : 0));
        remaining >>= 7;
    } while (remaining != 0);
    memcpy(at, bytes, size);
    peer.said = 0;
    peer.say = (size_t)(at - peer.saying) + size;
}

static void say_id(unsigned int first, unsigned int id)
{
    unsigned char bytes[2];
    bytes[0] = (unsigned char)(id >> 8);
    bytes[1] = (unsigned char)id;
    say_bytes(first, bytes, 2);
}

/* id 0: QoS 0. */
static void say_publish(const char *topic, const char *more, const char *last, unsigned int id, const char *body, size_t body_size)
{
    static unsigned char bytes[sizeof peer.saying];
    const char *parts[3];
    size_t at = 2;
    int i;
    parts[0] = topic;
    parts[1] = more;
    parts[2] = last;
    for (i = 0; i < 3; ++i) {
        memcpy(bytes + at, parts[i], strlen(parts[i]));
        at += strlen(parts[i]);
    }
    bytes[0] = (unsigned char)((at - 2u) >> 8);
    bytes[1] = (unsigned char)(at - 2u);
    if (id != 0) {
        bytes[at++] = (unsigned char)(id >> 8);
        bytes[at++] = (unsigned char)id;
    }
    PROMISE(at + body_size <= sizeof bytes - 5u);
    memcpy(bytes + at, body, body_size);
    say_bytes(id != 0 ? 0x32u : 0x30u, bytes, at + body_size);
}

static char *put_number(char *at, unsigned long number)
{
    if (number > 9) at = put_number(at, number / 10u);
    *at++ = (char)('0' + number % 10u);
    *at = '\0';
    return at;
}

static void say_puback(unsigned int which)
{
    unsigned int id = 0, i;
    if (peer.id_count != 0) {
        which %= peer.id_count;
        id = peer.ids[which];
        peer.id_count -= 1;
        for (i = which; i < peer.id_count; ++i) peer.ids[i] = peer.ids[i + 1];
    }
    say_id(0x40, id);
}

static void say_connack(unsigned int value)
{
    say_id(0x20, value);
    peer.welcomed = peer.connected && (value & 0xFFu) == 0;
}

static void say_suback(unsigned int refused)
{
    unsigned char bytes[6];
    unsigned int i, bit, n = 2;
    bytes[0] = 0xFF;
    bytes[1] = 0xF1;
    for (bit = 1; bit <= 8u; bit <<= 1) {
        if ((peer.asked & bit) != 0) {
            bytes[n++] = (refused & bit) != 0 ? 0x80 : bit == 1;
            if ((refused & bit) == 0) peer.granted |= bit;
        }
    }
    i = n - 2u;
    peer.codes = peer.asked = 0;
    if (i == 0) peer.raw = 1;
    say_bytes(0x90, bytes, n);
}

static void forget_id(unsigned int id)
{
    unsigned int i;
    for (i = 0; i < peer.unsettled_count; ++i) {
        if (peer.unsettled[i] == id) peer.unsettled[i--] = peer.unsettled[--peer.unsettled_count];
    }
}

/* How many bytes? Up to 250, or around all of the inbox and above. */
static size_t body_size(void)
{
    size_t size = take();
    return size <= 250u ? size : size == 251u ? inbox_size : size == 252u ? inbox_size + 100u : size == 253u ? inbox_size / 2u : size == 254u ? 1024u : 4000u;
}

static void say_message(unsigned int choice)
{
    static char body[6000];
    unsigned int id = 0, names = take();
    size_t size = body_size(), i;
    for (i = 0; i < size; ++i) body[i] = (char)(peer.next_id + i);
    if ((choice & 1u) == 0) {
        if ((choice & 2u) != 0 && peer.unsettled_count != 0) id = peer.unsettled[choice / 4u % peer.unsettled_count];
        else {
            peer.next_id = peer.next_id % MESSAGE_ID_LAST + 1u;
            id = peer.next_id;
            peer.said_ids[id] = 1;
            forget_id(id);
            if (peer.unsettled_count == 16) peer.unsettled_count -= 1;
            peer.unsettled[peer.unsettled_count++] = id;
        }
    }
    size = size < 4400u ? size : 4400u;
    say_publish(roots[identity], identity >= 2 ? inputs[names & 3u] : "", bags[names / 4u % 5u], id, body, size);
}

static void say_document(unsigned int choice)
{
    static char body[5000];
    char topic[60] = "$iothub/twin/res/", *at;
    static const unsigned int statuses[] = { 200, 200, 200, 200, 200, 200, 200, 429, 500, 404, 200, 200 };
    size_t i, size = 0;
    strcpy(put_number(topic + strlen(topic), statuses[choice % 12u]), "/?$rid=");
    body[0] = '\0';
    if (statuses[choice % 12u] == 200) {
        strcpy(body, choice == 3 ? "{\"reported\":{\"$version\":1},\"desired\":{\"x\":\"" : "{\"desired\":{\"x\":\"");
        at = body + strlen(body);
        if (choice != 0) {
            size = body_size();
            size = size < 4300u ? size : 4300u;
        }
        for (i = 0; i < size; ++i) *at++ = 'y';
        strcpy(at, "\",\"$version\":");
        if (choice == 4) desired = desired / 2u;         /* the device was made anew */
        if (choice == 5) desired += 1;           /* a patch is on its way */
        put_number(at + strlen(at), desired);
        strcat(at, choice == 3 ? "}}" : "},\"reported\":{\"$version\":1}}");
        if (choice == 6) body[strlen(body) / 2u] = '#';
    }
    say_publish(topic, peer.get[0] != '\0' ? peer.get : "77777", choice == 7 || choice == 8 ? "&retry-after=3" : "", 0, body, strlen(body));
    peer.get[0] = '\0';
    if (choice == 6) peer.raw = 1;
}

static void say_patch(unsigned int choice)
{
    static char body[5000];
    char topic[80] = "$iothub/twin/PATCH/properties/desired/?$version=", *at = body;
    size_t size = choice == 0 ? 0 : body_size(), i;
    desired += choice == 2 ? 2u : choice == 3 ? 0 : 1u;
    strcpy(body, "{\"x\":\"");
    at += strlen(body);
    size = size < 4300u ? size : 4300u;
    for (i = 0; i < size; ++i) *at++ = 'z';
    strcpy(at, "\",\"$version\":");
    put_number(at + strlen(at), desired);
    strcat(at, "}");
    put_number(topic + strlen(topic), desired);
    say_publish(topic, "", "", 0, body, strlen(body));
}

static void say_method(unsigned int choice)
{
    static const char *const names[] = { "$iothub/methods/POST/reboot/?$rid=", "$iothub/methods/POST/thermo*reboot/?$rid=",
        "$iothub/methods/POST//?$rid=", "$iothub/methods/POST/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn/?x=y&$rid=" };
    static char body[5000];
    char id[4];
    size_t size = body_size();
    method_id = (method_id + 1u) % 256u;
    id[0] = 'r';
    id[1] = (char)('a' + method_id / 16u);
    id[2] = (char)('a' + method_id % 16u);
    id[3] = '\0';
    peer.calls[method_id] = 1;
    memset(body, 'm', sizeof body);
    if (choice == 7) {
        say_publish(names[0], "0123456789012345678901234567890123456789012345678901234567890123456789", "", 0, body, 4);
        peer.raw = 1;
        return;
    }
    say_publish(names[choice & 3u], id, "", 0, body, size < 4300u ? size : 4300u);
}

static void say_reported(unsigned int choice)
{
    static const char *const topics[] = { "$iothub/twin/res/204/?$rid=", "$iothub/twin/res/429/?$rid=", "$iothub/twin/res/400/?$rid=", "$iothub/twin/res/503/?$rid=" };
    say_publish(topics[choice & 3u], peer.reported[0] != '\0' ? peer.reported : "5", (choice & 3u) == 1 ? "&retry-after=100" : "&$version=4", 0, "", 0);
    peer.reported[0] = '\0';
}

static void say_pingresp(void)
{
    say_bytes(0xD0, "", 0);
    peer.pings -= peer.pings != 0;
}

static void say_unsuback(void)
{
    if (!peer.leaving) peer.raw = 1;
    peer.leaving = 0;
    say_id(0xB0, 0xFFF2);
}

static int has_news(void)
{
    return peer.is_open && (peer.said != peer.say || (peer.connected && !peer.welcomed) || peer.pings != 0 || peer.id_count != 0
        || peer.codes != 0 || peer.leaving || peer.get[0] != '\0' || peer.reported[0] != '\0');
}

static void be_kind(void)
{
    if (peer.connected && !peer.welcomed) say_connack(0);
    else if (peer.pings != 0) say_pingresp();
    else if (peer.codes != 0) say_suback(0);
    else if (peer.leaving) say_unsuback();
    else if (peer.get[0] != '\0') say_document(0);
    else if (peer.reported[0] != '\0') say_reported(0);
    else if (peer.id_count != 0) say_puback(0);
}

static void choose_packet(unsigned int choice)
{
    unsigned int low = choice & 15u;
    switch (choice >> 4) {
    case 2: say_connack(low == 15u ? 0x100u : low); break;
    case 3: be_kind(); break;
    case 4: say_puback(low); break;
    case 5: say_suback(low); break;
    case 6: say_pingresp(); break;
    case 7: say_unsuback(); break;
    case 8:
    case 9: say_message(low); break;
    case 10: say_document(low); break;
    case 11: say_patch(low); break;
    case 12: say_method(low & 7u); break;
    case 13: say_reported(low); break;
    default: break;
    }
}

static int deliver(unsigned char *bytes, unsigned int capacity)
{
    size_t size = take(), rest = peer.say - peer.said;
    if (size == 0 || size > rest) size = rest;
    if (size > capacity) size = capacity;
    memcpy(bytes, peer.saying + peer.said, size);
    peer.said += size;
    return (int)size;
}

/* ---- the platform ---- */

static IOTHUB_STATISTICS statistics_now(void)
{
    IOTHUB_STATISTICS statistics;
    memset(&statistics, 0, sizeof statistics);
    IoTHubDeviceClient_GetStatistics(hub, &statistics);
    return statistics;
}

static int on_open(void *context, const char *host, unsigned int port)
{
    unsigned int choice = take() & 15u;
    (void)context;
    PROMISE(!peer.is_open && host[0] != '\0' && port != 0 && port <= 65535u);
    did.opens += 1;
    if (choice == 15) return -1;
    if (choice == 14) return 0;
    memset(&peer, 0, sizeof peer);
    peer.is_open = 1;
    debt_count = 0;
    epoch += 1;
    view.has_document = 0;
    view.skipped_before = statistics_now().received_skipped;
    return 1;
}

static int on_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    unsigned int choice, i;
    (void)context;
    PROMISE(peer.is_open && capacity != 0 && capacity <= IOTHUB_WORK_READ_SIZE);
    did.reads += 1;
    if (peer.said != peer.say) return deliver(bytes, capacity);
    choice = take();
    if (choice == 255) return -1;
    if (choice == 254) return (int)capacity + 1;
    if (choice >> 4 == 1) {
        for (i = 0; i < (choice & 15u) && i < capacity; ++i) bytes[i] = (unsigned char)take();
        if (i != 0) peer.raw = 1;
        return (int)i;
    }
    if (kind) be_kind();
    else choose_packet(choice);
    return peer.said != peer.say ? deliver(bytes, capacity) : 0;
}

UNCOUNTED static int on_write(void *context, const unsigned char *bytes, unsigned int size)
{
    unsigned int choice = take(), taken = size, i;
    size_t same = size < peer.promised_size ? size : peer.promised_size;
    (void)context;
    PROMISE(peer.is_open && size <= 32767u);     /* rule 2 */
    if (choice == 255) return -1;
    if (size == 0) {
        did.pushes += 1;
        return choice == 1 ? 0 : 1;
    }
    did.writes += 1;
    for (i = 0; i < size; ++i) fuzz_sink = bytes[i];
    PROMISE(memcmp(bytes, promised, same) == 0); /* rule 4 */
    if (choice == 254) return (int)size + 1;
    if (choice == 1) taken = 0;
    else if (choice != 0 && choice - 1u < size) taken = choice - 1u;
    for (i = 0; i < taken; ++i) hear(bytes[i]);
    if (size >= peer.promised_size) {
        peer.promised_size = size - taken;
        memcpy(promised, bytes + taken, peer.promised_size);
    } else {
        peer.promised_size -= taken;
        memmove(promised, promised + taken, peer.promised_size);
    }
    return (int)taken;
}

static void on_close(void *context)
{
    (void)context;
    peer.is_open = 0;
    dying = 1;
}

static int on_error(void *context, long *raw)
{
    (void)context;
    *raw = 1;
    return (int)(take() & 15u);
}

static uint32_t on_milliseconds(void *context)
{
    (void)context;
    return tick;
}

static uint32_t on_unix_time(void *context)
{
    (void)context;
    return wall;
}

static int on_random(void *context, unsigned char *bytes, unsigned int size)
{
    unsigned int i;
    (void)context;
    for (i = 0; i < size; ++i) bytes[i] = (unsigned char)take();
    return bytes[0] == 255 ? -1 : 0;
}

static int on_hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32])
{
    unsigned int choice = take(), i;
    (void)context;
    for (i = 0; i < key_size; ++i) fuzz_sink = key[i];
    for (i = 0; i < data_size; ++i) fuzz_sink = data[i];
    memset(digest, 7, 32);
    return choice == 255 ? -1 : choice == 254;
}

/* ---- what the program is told ---- */

static void act(unsigned int choice);

static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (; size != 0; --size) hash = (hash ^ *at++) * 16777619u;
    return hash;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
    return text != NULL ? hash_bytes(hash, text, strlen(text) + 1u) : hash_bytes(hash, "", 1);
}

/* All that may be read of a message. */
static uint32_t hash_message(IOTHUB_MESSAGE_HANDLE message, int whole)
{
    const char *const *names, *const *values;
    const unsigned char *body = NULL;
    size_t count, size = 0, i;
    uint32_t hash = 2166136261u;
    hash = hash_text(hash, IoTHubMessage_GetMessageId(message));
    hash = hash_text(hash, IoTHubMessage_GetCorrelationId(message));
    hash = hash_text(hash, IoTHubMessage_GetInputName(message));
    if (Map_GetInternals(IoTHubMessage_Properties(message), &names, &values, &count) == MAP_OK) {
        for (i = 0; i < count; ++i) hash = hash_text(hash_text(hash, names[i]), values[i]);
    }                                            /* else the inbox had no room for the two arrays */
    PROMISE(IoTHubMessage_GetByteArray(message, &body, &size) == IOTHUB_MESSAGE_OK);
    PROMISE(whole || size == 0);
    return hash_bytes(hash, body, size);
}

static unsigned int slot_of(const void *message)
{
    return (unsigned int)((const iothubi_held *)message - ((struct iothubi_client *)hub)->mailbox->held);
}

static void decide(const Kept *which, int is_accepted)
{
    unsigned int i;
    if (which->id == 0 || which->epoch != epoch) return;
    for (i = 0; i < debt_count && debts[i].id != which->id; ++i) { }
    PROMISE(i < debt_count);
    if (is_accepted) {
        debts[i].state = TAKEN;
        debts[i].since = tick;
    } else {
        debt_count -= 1;
        memmove(debts + i, debts + i + 1, (debt_count - i) * sizeof debts[0]);
    }
}

/* A message is handed over: whole, or its first piece. */
static Kept *arrived(IOTHUB_MESSAGE_HANDLE message, int whole)
{
    Kept *which = kept + slot_of(message);
    PROMISE(slot_of(message) < KEPT_MAXIMUM && !which->live);
    which->handle = message;
    which->live = 1;
    which->whole = (unsigned char)whole;
    which->id = ((const iothubi_held *)message)->id;
    which->epoch = epoch;
    which->hash = hash_message(message, whole);
    if (which->id != 0) {
        unsigned int i;
        for (i = 0; i < debt_count && debts[i].id != which->id; ++i) { }
        PROMISE(i == debt_count || debts[i].state == ORPHANED); /* else it is given twice while it is undecided */
        if (i < debt_count) decide(which, 0);
        PROMISE(debt_count < sizeof debts / sizeof debts[0]);
        debts[debt_count].id = which->id;
        debts[debt_count++].state = UNDECIDED;
    }
    return which;
}

static void dispose(Kept *which, int disposition)
{
    IOTHUB_CLIENT_RESULT result;
    int live = which->live;
    if (which->handle == NULL || which->handle == partial) return;
    if (live) PROMISE(hash_message(which->handle, which->whole) == which->hash);
    else if (!destroyed && ((const iothubi_held *)(const void *)which->handle)->used) return; /* it names a newer one, that is on its way */
    result = module_hub != NULL ? IoTHubModuleClient_SendMessageDisposition(module_hub, which->handle, (IOTHUBMESSAGE_DISPOSITION_RESULT)disposition)
        : IoTHubDeviceClient_SendMessageDisposition(hub, which->handle, (IOTHUBMESSAGE_DISPOSITION_RESULT)disposition);
    if (disposition >= IOTHUBMESSAGE_ASYNC_ACK) PROMISE(result == IOTHUB_CLIENT_INVALID_ARG);
    else if (destroyed) PROMISE(result == IOTHUB_CLIENT_ERROR);
    else {
        PROMISE(result == (live ? IOTHUB_CLIENT_OK : IOTHUB_CLIENT_INVALID_ARG));
        if (live) {
            which->live = 0;
            decide(which, disposition == IOTHUBMESSAGE_ACCEPTED);
        }
    }
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    Kept *which = arrived(message, 1);
    unsigned int answer;
    fuzz_sink = *(const unsigned char *)context;
    act(take());
    answer = take() & 3u;
    if (!which->live) return (IOTHUBMESSAGE_DISPOSITION_RESULT)answer; /* it was settled in here */
    PROMISE(hash_message(message, 1) == which->hash);
    if (answer != IOTHUBMESSAGE_ASYNC_ACK) {
        which->live = 0;
        decide(which, answer == IOTHUBMESSAGE_ACCEPTED);
    }
    return (IOTHUBMESSAGE_DISPOSITION_RESULT)answer;
}

/* The version that a document or a patch says, which the hub wrote. */
static unsigned long version_of(const unsigned char *bytes, size_t size)
{
    static const char name[] = "\"$version\":";
    unsigned long version = 0;
    size_t i;
    for (i = 0; i + sizeof name <= size; ++i) {
        if (memcmp(bytes + i, name, sizeof name - 1u) == 0 && (i < 13u || memcmp(bytes + i - 13, "\"reported\":{", 12) != 0)) {
            for (i += sizeof name - 1u; i < size && bytes[i] >= '0' && bytes[i] <= '9'; ++i) version = version * 10u + (unsigned long)(bytes[i] - '0');
            return version;
        }
    }
    return 0;
}

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *bytes, size_t size, void *context)
{
    uint32_t skipped = statistics_now().received_skipped;
    PROMISE(context == &view && bytes != NULL && view.wanted);
    fuzz_sink = (unsigned char)hash_bytes(0, bytes, size);
    if (!peer.raw && !destroyed) {
        unsigned long version = bytes[1] == '"' && size > 12u && memcmp(bytes, "{\"reported\"", 11) == 0 ? 0 : version_of(bytes, size);
        if (state == DEVICE_TWIN_UPDATE_PARTIAL) {
            PROMISE(view.has_document || skipped != view.skipped || !view.sure);
            PROMISE(!view.sure || skipped != view.skipped || version == view.version + 1u);
        }
        view.sure = version != 0;
        view.version = version;
    } else {
        view.sure = 0;
    }
    view.skipped = skipped;
    view.has_document = 1;                       /* or its version alone, which was read while it was skipped */
    act(take());
}

static void end(Waiting *which, int kind_of_end)
{
    PROMISE(which->kind == kind_of_end && ++which->ends == 1);
    ended[kind_of_end] += 1;
    free(which->body);
    which->body = NULL;
    act(take());
}

static void on_document(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *bytes, size_t size, void *context)
{
    PROMISE(state == DEVICE_TWIN_UPDATE_COMPLETE && (bytes != NULL || size == 0));
    fuzz_sink = (unsigned char)hash_bytes(0, bytes, size);
    end((Waiting *)context, OF_DOCUMENT);
}

static void on_properties(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE type, const unsigned char *bytes, size_t size, void *context)
{
    on_document((DEVICE_TWIN_UPDATE_STATE)type, bytes, size, context);
}

static void on_reported(int status, void *context)
{
    PROMISE(status >= 0 && status < 1000 && (status != 0 || destroyed || peer.raw));
    end((Waiting *)context, OF_REPORTED);
}

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    PROMISE((result == IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY) <= destroyed);
    end((Waiting *)context, OF_EVENT);
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    PROMISE(context == &hub && (status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED) <= peer.is_open);
    (void)reason;
    act(take());
}

/* ---- methods ---- */

static unsigned char *answer_body(size_t *size)
{
    static unsigned char body[4000];
    *size = body_size();
    *size = *size < sizeof body ? *size : sizeof body;
    return *size != 7u ? body : NULL;
}

static int on_method(const char *name, const unsigned char *payload, size_t size, unsigned char **response, size_t *response_size, void *context)
{
    fuzz_sink = (unsigned char)(hash_bytes(0, payload, size) + hash_text(0, name) + *(const unsigned char *)context);
    act(take());
    *response = answer_body(response_size);
    return (int)(take() << 2) - 4;
}

static void call_begins(METHOD_HANDLE method)
{
    const struct iothubi_client *client = (const struct iothubi_client *)(const void *)hub;
    const iothubi_pending *pending = iothubi_method_find(client->methods, (size_t)method);
    unsigned int i, free_one = KEPT_MAXIMUM;
    PROMISE(method != NULL);
    for (i = 0; i < KEPT_MAXIMUM; ++i) {
        if (calls[i].live && tick - calls[i].since >= 299000u && iothubi_method_find(client->methods, (size_t)calls[i].handle) == NULL) {
            calls[i].live = 0;                   /* nobody waits for it any more */
        }
        if (calls[i].handle == method) {
            PROMISE(!calls[i].live);
            free_one = i;
        }
        if (!calls[i].live && free_one == KEPT_MAXIMUM) free_one = i;
    }
    PROMISE(free_one < KEPT_MAXIMUM);
    calls[free_one].handle = method;
    calls[free_one].live = pending != NULL;      /* it may have come so slowly that nobody waits any more */
    calls[free_one].since = pending != NULL ? tick - (client->uptime_s - pending->since_s) * 1000u : tick;
}

static void respond(unsigned int choice)
{
    unsigned int i = choice % KEPT_MAXIMUM;
    size_t size;
    unsigned char *body = answer_body(&size);
    int status = (int)(take() << 2);
    IOTHUB_CLIENT_RESULT result;
    if (calls[i].handle == NULL) {
        for (i = 0; i < KEPT_MAXIMUM && calls[i].handle == NULL; ++i) { }
        if (i == KEPT_MAXIMUM) return;
    }
    if (body == NULL) size = 0;
    result = module_hub != NULL ? IoTHubModuleClient_ModuleMethodResponse(module_hub, calls[i].handle, body, size, status)
        : IoTHubDeviceClient_DeviceMethodResponse(hub, calls[i].handle, body, size, status);
    if (destroyed) PROMISE(result == IOTHUB_CLIENT_ERROR);
    else if (!calls[i].live) PROMISE(result == IOTHUB_CLIENT_INVALID_ARG);
    else if (!dying && tick - calls[i].since < 299000u) PROMISE(result != IOTHUB_CLIENT_INVALID_ARG);
    if (result == IOTHUB_CLIENT_OK || result == IOTHUB_CLIENT_INVALID_ARG) calls[i].live = 0;
}

static int on_later(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE method, void *context)
{
    unsigned int i;
    int refused;
    fuzz_sink = (unsigned char)(hash_bytes(0, payload, size) + hash_text(0, name) + *(const unsigned char *)context);
    call_begins(method);
    act(take());
    refused = take() == 1;
    if (refused) {
        for (i = 0; i < KEPT_MAXIMUM; ++i) {
            if (calls[i].handle == method) calls[i].live = 0;
        }
    }
    return refused;
}

static void on_command(const IOTHUB_CLIENT_COMMAND_REQUEST *request, IOTHUB_CLIENT_COMMAND_RESPONSE *response, void *context)
{
    PROMISE(request->structVersion == 1 && response->structVersion == 1);
    fuzz_sink = (unsigned char)(hash_bytes(0, request->payload, request->payloadLength) + hash_text(hash_text(0, request->componentName), request->commandName)
        + *(const unsigned char *)context);
    act(take());
    response->payload = answer_body(&response->payloadLength);
    if (take() != 0) response->statusCode = (int)(take() << 1) - 2;
}

static struct {                                  /* the body that comes in pieces */
    int kind, coming;
    uint32_t offset, total;
} pieces;

static IOTHUBMESSAGE_DISPOSITION_RESULT on_piece(const IOTHUB_PIECE *piece, void *context)
{
    unsigned int answer;
    fuzz_sink = (unsigned char)(hash_bytes(0, piece->bytes, piece->size) + hash_text(0, piece->method_name) + *(const unsigned char *)context);
    if (!pieces.coming && piece->offset != 0) {  /* the program wants pieces again, in the middle of a body */
        pieces.kind = (int)piece->kind;
        pieces.total = piece->total;
        if (piece->kind == IOTHUB_PIECE_OF_MESSAGE) {
            PROMISE(piece->message == orphan);
            partial = orphan;
            kept[slot_of(partial)].handle = partial;
            kept[slot_of(partial)].live = 1;
        }
    } else {
        PROMISE(piece->offset == (pieces.coming ? pieces.offset : 0));
        if (!pieces.coming && piece->state != IOTHUB_PIECE_CUT) {
            pieces.kind = (int)piece->kind;
            pieces.total = piece->total;
            if (piece->kind == IOTHUB_PIECE_OF_MESSAGE) {
                partial = piece->message;
                arrived(partial, 0);
            }
            if (piece->kind == IOTHUB_PIECE_OF_METHOD) call_begins(piece->method);
        }
        PROMISE(piece->state == IOTHUB_PIECE_CUT || (pieces.kind == (int)piece->kind && pieces.total == piece->total));
    }
    PROMISE(piece->size <= piece->total - piece->offset);
    PROMISE((piece->state == IOTHUB_PIECE_LAST) == (piece->size != 0 && piece->offset + piece->size == piece->total));
    PROMISE((piece->state == IOTHUB_PIECE_CUT) == (piece->size == 0));
    PROMISE((piece->kind == IOTHUB_PIECE_OF_MESSAGE) == (piece->message != NULL) && (piece->kind == IOTHUB_PIECE_OF_METHOD) == (piece->method != NULL));
    pieces.coming = piece->state == IOTHUB_PIECE_MORE;
    pieces.offset = piece->offset + (uint32_t)piece->size;
    if (piece->kind == IOTHUB_PIECE_OF_TWIN || piece->kind == IOTHUB_PIECE_OF_PATCH) {
        view.sure = 0;
        view.has_document |= piece->state == IOTHUB_PIECE_LAST;
    }
    act(take());
    answer = take() & 3u;
    if (piece->kind == IOTHUB_PIECE_OF_MESSAGE && piece->message == orphan && piece->state == IOTHUB_PIECE_LAST) {
        partial = orphan;                        /* the program gave pieces up in here, but this answer is the last one */
        kept[slot_of(partial)].handle = partial;
        kept[slot_of(partial)].live = 1;
    }
    if (piece->kind == IOTHUB_PIECE_OF_MESSAGE && piece->message == partial && piece->state != IOTHUB_PIECE_MORE) {
        Kept *which = kept + slot_of(partial);
        partial = NULL;
        if (piece->state == IOTHUB_PIECE_CUT) which->live = 0;
        else if (answer != IOTHUBMESSAGE_ASYNC_ACK) {
            which->live = 0;
            decide(which, answer == IOTHUBMESSAGE_ACCEPTED);
        }
    }
    return (IOTHUBMESSAGE_DISPOSITION_RESULT)answer;
}

/* The program wants no pieces any more. What has begun is not accepted, unless it wants them again before the last one. */
static void end_pieces(void)
{
    unsigned int i;
    if (partial != NULL) {
        Kept *which = kept + slot_of(partial);
        which->live = 0;
        which->handle = NULL;
        for (i = 0; i < debt_count && which->epoch == epoch && which->id != 0; ++i) {
            if (debts[i].id == which->id) debts[i].state = ORPHANED;
        }
        orphan = partial;
        partial = NULL;
    }
    pieces.coming = 0;
}

/* ---- the program ---- */

static Waiting *wait_for(int what)
{
    Waiting *which;
    if (waits == MESSAGES_MAXIMUM) return NULL;
    which = waiting + waits++;
    which->kind = (unsigned char)what;
    accepted[what] += 1;                         /* taken back when it is refused: its end may come within the call */
    return which;
}

static void began(Waiting *which, IOTHUB_CLIENT_RESULT result)
{
    PROMISE(!destroyed || result == IOTHUB_CLIENT_ERROR || which->ends);
    if (result != IOTHUB_CLIENT_OK) {
        PROMISE(which->ends == 0);
        accepted[which->kind] -= 1;
        which->ends = 1;
        free(which->body);
        which->body = NULL;
    }
}

static void send(void)
{
    static unsigned char body[6000];
    void *storage[64];
    unsigned int choice = take();
    size_t size = body_size();
    Waiting *which = wait_for(OF_EVENT);
    IOTHUB_MESSAGE_HANDLE message;
    IOTHUB_CLIENT_RESULT result;
    if (which == NULL) return;
    size = size < sizeof body ? size : sizeof body;
    if ((choice & 1u) != 0) {
        which->body = (unsigned char *)malloc(size != 0 ? size : 1u);
        memset(which->body, 'k', size);
    }
    message = IoTHubMessage_Wrap(storage, sizeof storage, (choice & 1u) != 0 ? which->body : body, size);
    if ((choice & 2u) != 0) IoTHubMessage_SetProperty(message, "name", "value");
    if ((choice & 4u) != 0) IoTHubMessage_SetMessageId(message, "id");
    depth += 1;
    if ((choice & 1u) != 0) result = IoTHubDeviceClient_SendEventKeptAsync(hub, message, on_confirmation, which);
    else if ((choice & 8u) != 0) result = IoTHubDeviceClient_SendTelemetryAsync(hub, message, on_confirmation, which);
    else if ((choice & 16u) != 0 && module_hub != NULL) result = IoTHubModuleClient_SendEventToOutputAsync(module_hub, message, "out", on_confirmation, which);
    else result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, which);
    depth -= 1;
    began(which, result);
}

static void report(void)
{
    static unsigned char body[6000];
    size_t size = body_size();
    Waiting *which;
    if (size == 0 || (which = wait_for(OF_REPORTED)) == NULL) return;
    memset(body, 'r', size < sizeof body ? size : sizeof body);
    began(which, (take() & 1u) != 0 ? IoTHubDeviceClient_SendPropertiesAsync(hub, body, size < sizeof body ? size : sizeof body, on_reported, which)
        : IoTHubDeviceClient_SendReportedState(hub, body, size < sizeof body ? size : sizeof body, on_reported, which));
}

static void get(void)
{
    Waiting *which = wait_for(OF_DOCUMENT);
    if (which == NULL) return;
    began(which, (take() & 1u) != 0 ? IoTHubDeviceClient_GetPropertiesAsync(hub, on_properties, which)
        : IoTHubDeviceClient_GetTwinAsync(hub, on_document, which));
}

/* Asks for something, or gives it up. */
static void want(unsigned int choice)
{
    static unsigned char context;
    unsigned int more = choice >> 5;             /* 0: give it up */
    IOTHUB_CLIENT_RESULT result;
    switch (choice & 7u) {
    case 0:
        if (module_hub != NULL) result = IoTHubModuleClient_SetMessageCallback(module_hub, more ? on_message : NULL, &context);
        else result = IoTHubDeviceClient_SetMessageCallback(hub, more ? on_message : NULL, &context);
        break;
    case 1:
        result = IoTHubModuleClient_SetInputMessageCallback(module_hub, input_names[take() % 6u], more ? on_message : NULL, &context);
        PROMISE(module_hub != NULL || result != IOTHUB_CLIENT_OK);
        break;
    case 2:
        result = IoTHubDeviceClient_SetDeviceTwinCallback(hub, more ? on_twin : NULL, &view);
        if (result == IOTHUB_CLIENT_OK) {
            view.wanted = more != 0;
            view.sure = view.has_document = 0;
            view.skipped_before = statistics_now().received_skipped;
            view.skipped = view.skipped_before - 1u;
        }
        break;
    case 3: result = IoTHubDeviceClient_SetDeviceMethodCallback(hub, more ? on_method : NULL, &context); break;
    case 4: result = IoTHubDeviceClient_SetDeviceMethodCallback_Ex(hub, more ? on_later : NULL, &context); break;
    case 5: result = IoTHubDeviceClient_SubscribeToCommands(hub, more ? on_command : NULL, &context); break;
    case 6:
        result = IoTHubDeviceClient_SetPieceCallback(hub, more ? on_piece : NULL, &context);
        if (result == IOTHUB_CLIENT_OK && !more) end_pieces();
        break;
    default: result = IoTHubDeviceClient_SetConnectionStatusCallback(hub, more ? on_status : NULL, &hub); break;
    }
    PROMISE(!destroyed || result != IOTHUB_CLIENT_OK);
}

static void set(void)
{
    static const char *const numbers[] = {
        IOTHUB_OPTION_OVERSIZE_LIMIT, IOTHUB_OPTION_OUTBOX_POLICY, OPTION_MESSAGE_TIMEOUT, IOTHUB_OPTION_QOS, OPTION_KEEP_ALIVE, IOTHUB_OPTION_IN_FLIGHT,
        IOTHUB_OPTION_POISON_LIMIT, IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, OPTION_CONNECTION_TIMEOUT
    };
    static const char *const switches[] = { IOTHUB_OPTION_PIPELINED_START, IOTHUB_OPTION_CLEAN_SESSION };
    unsigned int choice = take() % 13u, value = take();
    uint32_t number = value;
    IOTHUB_BOOL flag = (value & 1u) != 0;
    if (choice < 9) {
        if (choice == 0) number = value & 3u;
        if (choice == 1) number = value % 3u;
        gives_up |= choice == 0 && number != 0;
        IoTHubDeviceClient_SetOption(hub, numbers[choice], &number);
    } else if (choice < 11) IoTHubDeviceClient_SetOption(hub, switches[choice - 9u], &flag);
    else if (choice == 11) IoTHubDeviceClient_SetOption(hub, OPTION_PRODUCT_INFO, "product");
    else IoTHubDeviceClient_SetOption(hub, OPTION_MODEL_ID, "dtmi:a;1");
}

static void look(void)
{
    IOTHUB_STATISTICS statistics = statistics_now();
    IOTHUB_ERROR error;
    IOTHUB_CLIENT_STATUS status;
    time_t received;
    unsigned int i;
    if (destroyed) return;
    if (depth == 0) {
        PROMISE(statistics.accepted == accepted[OF_EVENT] && statistics.messages_waiting == accepted[OF_EVENT] - ended[OF_EVENT]);
        PROMISE(IoTHubDeviceClient_GetSendStatus(hub, &status) == IOTHUB_CLIENT_OK);
        PROMISE((status == IOTHUB_CLIENT_SEND_STATUS_BUSY) == (accepted[OF_EVENT] != ended[OF_EVENT]));
    }
    PROMISE(statistics.accepted == statistics.confirmed_ok + statistics.confirmed_timeout + statistics.confirmed_error + statistics.messages_waiting);
    PROMISE(statistics.messages_in_flight <= statistics.messages_waiting && statistics.outbox_used <= statistics.outbox_capacity);
    IoTHubDeviceClient_GetLastError(hub, &error);
    fuzz_sink = (unsigned char)IoTHub_ErrorText(&error)[0];
    IoTHubDeviceClient_GetLastMessageReceiveTime(hub, &received);
    for (i = 0; i < KEPT_MAXIMUM; ++i) {
        if (kept[i].live && kept[i].handle != partial) PROMISE(hash_message(kept[i].handle, kept[i].whole) == kept[i].hash);
    }
}

static void destroy(void)
{
    destroyed = 1;
    IoTHubDeviceClient_Destroy(hub);
}

/* The connection may have been lost in here: its methods are gone, and so is what came of a body. */
static void after_work(void)
{
    unsigned int i;
    if (!dying) return;
    dying = 0;
    for (i = 0; i < KEPT_MAXIMUM; ++i) calls[i].live = 0;
    if (partial != NULL) {
        kept[slot_of(partial)].live = 0;
        partial = NULL;
    }
    orphan = NULL;
    pieces.coming = 0;
}

/* The work of one DoWork is bounded, whatever the stream brings. When a callback destroys the client, its goodbye is a second flight. */
static void work(void)
{
    unsigned int flights;
    memset(&did, 0, sizeof did);
    IoTHubDeviceClient_DoWork(hub);
    flights = 1u + (unsigned int)destroyed;
    PROMISE(did.opens <= 1 && did.reads <= IOTHUB_WORK_READS && did.writes <= IOTHUB_WORK_WRITES * flights && did.pushes <= flights);
    if (!destroyed) after_work();
}

static void nested_work(void)
{
    unsigned int before = did.opens + did.reads + did.writes + did.pushes;
    IoTHubDeviceClient_DoWork(hub);
    PROMISE(before == did.opens + did.reads + did.writes + did.pushes);
}

/* What the program does in a callback; 0 is nothing. */
static void act(unsigned int choice)
{
    switch (choice & 31u) {
    case 1: send(); break;
    case 2: report(); break;
    case 3: get(); break;
    case 4: dispose(kept + take() % KEPT_MAXIMUM, (int)(choice >> 5) & 3); break;
    case 5: respond(take()); break;
    case 6: want(take()); break;
    case 7: set(); break;
    case 8: look(); break;
    case 9: if (!destroyed && choice == 9u + 32u) destroy(); break;
    case 10: if (depth == 0) nested_work(); break;
    case 11: IoTHubDeviceClient_Stop(hub); break;
    case 12: IoTHubDeviceClient_Start(hub); break;
    default: break;
    }
}

static void sleep_until_next(void)
{
    uint32_t wait = IoTHubDeviceClient_GetNextWork(hub);
    PROMISE(wait <= 0x40000000u);
    if (wait > 4000000u) wait = 4000000u;
    tick += wait;
    wall += wall != 0 ? wait / 1000u : 0;
}

static int all_ended(void)
{
    int i;
    for (i = 0; i < KINDS; ++i) {
        if (accepted[i] != ended[i]) return 0;
    }
    return 1;
}

/* Is a document awaited that will fit? One that was skipped is awaited no more. */
static int awaits_document(void)
{
    return view.wanted && !view.has_document && inbox_size >= 1600u && statistics_now().received_skipped == view.skipped_before;
}

/* The trouble is over: everything comes to its end. What is kept is settled, for it may lie where a token is signed. */
static void recover(void)
{
    int calls_of_work;
    unsigned int i;
    kind = 1;
    wall = 1893452400u;
    for (i = 0; i < KEPT_MAXIMUM; ++i) dispose(kept + i, IOTHUBMESSAGE_ABANDONED);
    IoTHubDeviceClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, 0);
    IoTHubDeviceClient_Start(hub);
    for (calls_of_work = 0; !all_ended() || awaits_document(); ++calls_of_work) {
        PROMISE(calls_of_work < RECOVERY_MAXIMUM);
        if (!has_news()) sleep_until_next();
        work();
    }
}

/* One step of the program, from one byte and those that it takes. */
static void step(unsigned int choice)
{
    switch (choice & 15u) {
    case 0: send(); break;
    case 1: report(); break;
    case 2: get(); break;
    case 3: tick += take() * (choice >> 4) * 100u; break;
    case 4: dispose(kept + take() % KEPT_MAXIMUM, (int)(choice >> 4) & 3); break;
    case 5: respond(take()); break;
    case 6: want(take()); break;
    case 7: set(); break;
    case 8: look(); break;
    case 9: act(choice & 16u ? 11 : 12); break;
    case 10:
    case 11: sleep_until_next(); work(); break;
    default: work(); break;
    }
}

/* A block of exactly the size that the client asks for, so that the sanitizer stands at its end. */
static void *create(const IOTHUB_PLATFORM *platform)
{
    unsigned int choice = take(), room = take();
    IOTHUB_MEMORY memory;
    IOTHUB_ERROR error;
    int tries;
    memory.outbox_messages = 1u + (choice & 7u);
    memory.outbox_size = memory.outbox_messages * sizeof(iothubi_record) + 64u + room * 8u;
    memory.inbox_size = IOTHUB_INBOX_MINIMUM + take() * 12u;
    for (tries = 0; ; ++tries) {
        memory.block_size = IoTHub_ClientSize(identities[identity], MQTT_Protocol, memory.outbox_size, memory.inbox_size);
        memory.block = malloc(memory.block_size);
        hub = IoTHubDeviceClient_CreateInPlace(identities[identity], MQTT_Protocol, platform, &memory);
        if (hub != NULL) break;
        PROMISE(tries == 0 && IoTHubDeviceClient_GetLastError(NULL, &error) == IOTHUB_CLIENT_OK && error.code == IOTHUB_CODE_INBOX_TOO_SMALL);
        memory.inbox_size += error.bytes_missing;
        free(memory.block);
    }
    module_hub = identity >= 2 ? (IOTHUB_MODULE_CLIENT_HANDLE)(void *)hub : NULL;
    inbox_size = memory.inbox_size;
    return memory.block;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    IOTHUB_PLATFORM platform;
    void *block;
    unsigned int choice, i;
    input = data;
    left = size;
    wall = 1893452400u;
    waits = epoch = method_id = debt_count = 0;
    desired = 1;
    destroyed = kind = depth = dying = gives_up = 0;
    partial = orphan = NULL;
    memset(waiting, 0, sizeof waiting);
    memset(accepted, 0, sizeof accepted);
    memset(ended, 0, sizeof ended);
    memset(kept, 0, sizeof kept);
    memset(calls, 0, sizeof calls);
    memset(&view, 0, sizeof view);
    memset(&pieces, 0, sizeof pieces);
    memset(&peer, 0, sizeof peer);
    memset(&platform, 0, sizeof platform);
    platform.io.open = on_open;
    platform.io.read = on_read;
    platform.io.write = on_write;
    platform.io.close = on_close;
    platform.io.error = on_error;
    platform.milliseconds = on_milliseconds;
    platform.unix_time = on_unix_time;
    platform.random = on_random;
    platform.hmac_sha256 = on_hmac;
    tick = (uint32_t)take() << 24;               /* any part of its round */
    choice = take();
    identity = choice & 3u;
    block = create(&platform);
    for (i = 0; i < 7; ++i) {                    /* everything is wanted, unless the input says otherwise */
        if ((choice >> 3 & 1u << i) == 0 && i != 3 && i != 5) want(i | 32u);
    }
    while (left != 0 && !destroyed) step(take());
    if (!destroyed && (choice & 4u) == 0) recover();
    if (!destroyed) {
        look();
        destroy();
    }
    PROMISE(all_ended() && !peer.is_open);
    for (i = 0; i < waits; ++i) PROMISE(waiting[i].ends == 1);
    free(block);
    return 0;
}
