/* The whole client: the input is what the stream does, what the hub says, what the clocks do and what the program does.

   Bytes at random hardly get past CONNACK. So the hub here listens to what the client writes, and one byte of input makes it
   say a whole packet that fits: CONNACK, PUBACK of a message that waits for one, PINGRESP, PUBLISH. Any other bytes, cut
   anywhere, are a choice as well. An input that has ended is all zeros: a stream that takes everything and a hub that is silent.

   Beside memory, a broken promise aborts: the rules of the stream (manual.h), one confirmation for each accepted message, the
   packets that a client may send, the bounds of one DoWork. And whatever happened before: once the input has ended and the hub
   is kind, the client comes back by itself and every message that still waits is confirmed. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include <stdlib.h>

const unsigned long fuzz_work = 10000;           /* basic blocks for each byte of input, at most (replay.c counts them) */

#if defined(__GNUC__) && !defined(__clang__)     /* the hub's work on each byte is not the client's */
#define UNCOUNTED __attribute__((noinline, no_sanitize_coverage))
#else
#define UNCOUNTED
#endif

#define PROMISE(condition) do { if (!(condition)) abort(); } while (0)

#define MESSAGES_MAXIMUM 512u
#define RECOVERY_MAXIMUM 3000                    /* calls of DoWork until all is well again */
#define BODY_MAXIMUM (255u * 160u)                /* over the 32,767 bytes of one write */

static const char *const identities[] = {
    "HostName=h.x;DeviceId=d;SharedAccessKey=AAAA",
    "HostName=h.x;DeviceId=d;SharedAccessSignature=SharedAccessSignature sr=h&sig=s&se=1900000000",
    "HostName=h.x;DeviceId=d;ModuleId=m;GatewayHostName=g:1;x509=true",
    "HostName=h.x:99;DeviceId=%25;ModuleId=m;SharedAccessKey=AAAA"
};

static const char *const tokens[] = {
    "SharedAccessSignature sr=h&sig=s&se=1893460000", "SharedAccessSignature sr=h&sig=s&se=2000000000"
};

static const uint8_t *input;
static size_t left;
static uint32_t tick, wall;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
volatile unsigned char fuzz_sink;                /* every byte that is offered is read */

static unsigned int accepted, confirmed;
static unsigned char confirmations[MESSAGES_MAXIMUM];
static int destroyed;                            /* Destroy was called: in a callback, or by the program */
static int kind;                                 /* the hub answers what it hears, and at once */

static struct {                                  /* what one DoWork did */
    unsigned int opens, reads, writes, pushes;
} did;

static struct {                                  /* the stream, and the hub at its other end */
    int is_open;
    size_t promised_size;                        /* bytes offered and not taken: they come next */
    unsigned char saying[600];                   /* a packet of the hub's on its way */
    size_t said, say;
    unsigned int ids[64], id_count;              /* packet ids without acknowledgement, on this connection */
    int connected, goodbye;                      /* heard CONNECT, DISCONNECT */
    int welcomed;                                /* said CONNACK 0 */
    unsigned int pings;                          /* heard and not answered */
    unsigned int phase, first, shift, at, topic, id;
    size_t remaining;
} peer;

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
    PROMISE(byte == 0x10 || byte == 0x30 || byte == 0x32 || byte == 0x3A || byte == 0xC0 || byte == 0xE0);
    peer.first = byte;
    peer.remaining = 0;
    peer.shift = peer.at = peer.topic = peer.id = 0;
    peer.phase = 1;
}

UNCOUNTED static void hear_end(void)
{
    unsigned int i;
    peer.phase = 0;
    peer.connected = 1;
    peer.goodbye = peer.first == 0xE0;
    peer.pings += peer.first == 0xC0;
    if (peer.first == 0x32 || peer.first == 0x3A) {
        PROMISE(peer.id != 0);                   /* [MQTT-2.3.1-1] */
        for (i = 0; i < peer.id_count; ++i) PROMISE(peer.ids[i] != peer.id);    /* [MQTT-2.3.1-2] */
        PROMISE(peer.id_count < sizeof peer.ids / sizeof peer.ids[0]);
        peer.ids[peer.id_count++] = peer.id;
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
        if (peer.at < 2) peer.topic = peer.topic << 8 | byte;
        else if (peer.at == peer.topic + 2u || peer.at == peer.topic + 3u) peer.id = peer.id << 8 | byte;
        peer.at += 1;
        peer.remaining -= 1;
    }
    if (peer.remaining == 0) hear_end();
}

/* ---- the hub speaks ---- */

static void say(unsigned int first, unsigned int value, size_t zeros)
{
    size_t remaining = 2u + zeros;
    unsigned char *at = peer.saying;
    memset(peer.saying, 0, sizeof peer.saying);
    *at++ = (unsigned char)first;
    if (remaining > 127u) {
        *at++ = (unsigned char)(0x80u | (remaining & 127u));
        remaining >>= 7;
    }
    *at++ = (unsigned char)remaining;
    *at++ = (unsigned char)(value >> 8);
    *at++ = (unsigned char)value;
    peer.said = 0;
    peer.say = (size_t)(at - peer.saying) + zeros;
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
    say(0x40, id, 0);
}

/* A PUBLISH; its topic's length is right by default, and its id (behind the topic of zeros) is one with QoS 1. */
static void say_publish(unsigned int qos, unsigned int topic, size_t body)
{
    say(0x30u | qos << 1, topic, topic + 2u * qos + body);
    if (qos) peer.saying[peer.say - body - 1u] = 1;
}

static void say_connack(unsigned int value)
{
    say(0x20, value, 0);
    peer.welcomed = peer.connected && (value & 0xFFu) == 0;
}

static void say_pingresp(void)
{
    say(0xD0, 0, 0);
    peer.saying[1] = 0;
    peer.say = 2;
    peer.pings -= peer.pings != 0;
}

static int has_news(void)
{
    return peer.is_open && (peer.said != peer.say || (peer.connected && !peer.welcomed) || peer.pings != 0 || peer.id_count != 0);
}

static void be_kind(void)
{
    if (peer.connected && !peer.welcomed) say_connack(0);
    else if (peer.pings != 0) say_pingresp();
    else if (peer.id_count != 0) say_puback(0);
}

static void choose_packet(unsigned int choice)
{
    unsigned int low = choice & 15u;
    switch (choice >> 4) {
    case 2: say_connack(low == 15u ? 0x100u : low); break;
    case 3: say_puback(0); break;
    case 4: say_puback(low); break;
    case 5: say(0x40, take() << 8 | take(), 0); break;
    case 6: say_pingresp(); break;
    case 7: say_publish(0, low, take()); break;
    case 8: say_publish(1, low, take()); break;
    case 9: say(0x90, low, 1); break;
    case 10: say(0xB0, low, 0); break;
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
    PROMISE(memcmp(bytes, promised, same) == 0);   /* rule 4 */
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
}

static int on_error(void *context, long *raw)
{
    (void)context;
    *raw = 1;
    return (int)(take() & 15u);
}

static int on_set_option(void *context, const char *name, const void *value)
{
    (void)context;
    (void)name;
    (void)value;
    return (int)(take() % 3u) - 1;
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

static void on_wake(void *context)
{
    (void)context;
}

/* ---- the program ---- */

static void act(unsigned int choice);

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    unsigned char *count = (unsigned char *)context;
    PROMISE(++*count == 1);
    PROMISE((result == IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY) <= destroyed);
    confirmed += 1;
    act(take());
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    PROMISE(context == &hub && (status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED) <= peer.is_open);
    (void)reason;
    act(take());
}

static void send(void)
{
    static unsigned char body[BODY_MAXIMUM];
    void *storage[64];
    char text[3];
    unsigned int choice = take();
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, body, take() * (choice & 128u ? 160u : 4u));
    IOTHUB_CLIENT_RESULT result;
    if (accepted == MESSAGES_MAXIMUM) return;
    text[0] = (char)take();
    text[1] = (char)take();
    text[2] = '\0';
    if (choice & 1u) IoTHubMessage_SetMessageId(message, text);
    if (choice & 2u) IoTHubMessage_SetProperty(message, "name", text);
    if (choice & 4u) IoTHubMessage_SetProperty(message, text, "value");
    if (choice & 8u) IoTHubMessage_SetContentTypeSystemProperty(message, text);
    if (choice & 16u) IoTHubMessage_SetOutputName(message, text);
    if (choice & 32u) IoTHubMessage_SetAsSecurityMessage(message);
    if (choice & 64u) IoTHubMessage_SetMessageUserIdSystemProperty(message, text);
    result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, &confirmations[accepted]);
    PROMISE(!destroyed || result == IOTHUB_CLIENT_ERROR);
    accepted += result == IOTHUB_CLIENT_OK;
}

static void set(void)
{
    static const char *const numbers[] = {
        OPTION_MESSAGE_TIMEOUT, IOTHUB_OPTION_QOS, OPTION_KEEP_ALIVE, OPTION_CONNECTION_TIMEOUT, IOTHUB_OPTION_PING_TIMEOUT,
        IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, IOTHUB_OPTION_OPEN_TIMEOUT, IOTHUB_OPTION_IN_FLIGHT, IOTHUB_OPTION_POISON_LIMIT,
        OPTION_RETRY_INTERVAL_SEC, OPTION_RETRY_MAX_DELAY_SECS, OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE, OPTION_DO_WORK_FREQUENCY_IN_MS
    };
    static const char *const switches[] = {
        IOTHUB_OPTION_PIPELINED_START, IOTHUB_OPTION_CLEAN_SESSION, OPTION_LOG_TRACE, OPTION_AUTO_URL_ENCODE_DECODE
    };
    static const char *const texts[] = {
        IOTHUB_OPTION_SAS_TOKEN, OPTION_PRODUCT_INFO, OPTION_MODEL_ID, OPTION_X509_CERT, "unknown"
    };
    static void *storage[40];
    unsigned int choice = take(), value = take();
    uint32_t number = choice & 128u ? value * 1000u : value;    /* int, unsigned int and tickcounter_ms_t have this size here */
    IOTHUB_BOOL flag = value & 1u;
    size_t lifetime = value * 100u;
    choice = (choice & 127u) % 24u;
    if (choice < 13) IoTHubDeviceClient_SetOption(hub, numbers[choice], &number);
    else if (choice < 17) IoTHubDeviceClient_SetOption(hub, switches[choice - 13], &flag);
    else if (choice < 22) IoTHubDeviceClient_SetOption(hub, texts[choice - 17], tokens[value & 1u]);
    else if (choice == 22) IoTHubDeviceClient_SetOption(hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime);
    else IoTHubDeviceClient_SetOption(hub, IOTHUB_OPTION_WILL, IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)"w", 1));
}

static void look(void)
{
    IOTHUB_STATISTICS statistics;
    IOTHUB_ERROR error;
    IOTHUB_CLIENT_STATUS status;
    IOTHUB_CLIENT_RETRY_POLICY policy;
    size_t limit;
    if (destroyed) {
        PROMISE(IoTHubDeviceClient_GetStatistics(hub, &statistics) == IOTHUB_CLIENT_ERROR);
        return;
    }
    IoTHubDeviceClient_GetStatistics(hub, &statistics);
    PROMISE(statistics.accepted == accepted && statistics.messages_waiting == accepted - confirmed);
    PROMISE(statistics.messages_in_flight <= accepted && statistics.outbox_used <= statistics.outbox_capacity);
    IoTHubDeviceClient_GetSendStatus(hub, &status);
    PROMISE(accepted == confirmed || status == IOTHUB_CLIENT_SEND_STATUS_BUSY);
    IoTHubDeviceClient_GetRetryPolicy(hub, &policy, &limit);
    IoTHubDeviceClient_GetLastError(hub, &error);
    fuzz_sink = (unsigned char)IoTHub_ErrorText(&error)[0];
}

static void destroy(void)
{
    destroyed = 1;
    IoTHubDeviceClient_Destroy(hub);
}

/* The work of one DoWork is bounded, whatever the stream brings. When a callback destroys the client, its goodbye is a second
   flight. A DoWork in a callback does nothing. */
static void work(void)
{
    unsigned int flights;
    memset(&did, 0, sizeof did);
    IoTHubDeviceClient_DoWork(hub);
    flights = 1u + (unsigned int)destroyed;
    PROMISE(did.opens <= 1 && did.reads <= IOTHUB_WORK_READS && did.writes <= IOTHUB_WORK_WRITES * flights && did.pushes <= flights);
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
    switch (choice) {
    case 1: send(); break;
    case 2: IoTHubDeviceClient_Stop(hub); break;
    case 3: IoTHubDeviceClient_Start(hub); break;
    case 4: set(); break;
    case 5: if (!destroyed) destroy(); break;
    case 6: nested_work(); break;
    case 7: look(); break;
    case 8: IoTHubDeviceClient_SetRetryPolicy(hub, (IOTHUB_CLIENT_RETRY_POLICY)(take() % 8u), take()); break;
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

/* The trouble is over, the clock is right and the token good: the client must deliver what it accepted. The program sleeps as
   GetNextWork says, but not while the stream has bytes to read. */
static void recover(void)
{
    int calls;
    kind = 1;
    wall = 1893452400u;
    IoTHubDeviceClient_SetOption(hub, IOTHUB_OPTION_SAS_TOKEN, tokens[1]);
    IoTHubDeviceClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, 0);
    IoTHubDeviceClient_Start(hub);
    for (calls = 0; confirmed != accepted; ++calls) {
        PROMISE(calls < RECOVERY_MAXIMUM);
        if (!has_news()) sleep_until_next();
        work();
    }
}

/* One step of the program, from one byte and those that it takes. */
static void step(unsigned int choice)
{
    unsigned int value;
    switch (choice & 15u) {
    case 0:
    case 1: send(); break;
    case 2: tick += take() * 1000u; break;
    case 3: value = take(); wall = value != 0 ? 1893452400u + (value << 16) : 0; break;
    case 4: IoTHubDeviceClient_Stop(hub); break;
    case 5: IoTHubDeviceClient_Start(hub); break;
    case 6: set(); break;
    case 7: act(8); break;
    case 8: look(); break;
    case 9: IoTHubDeviceClient_SetConnectionStatusCallback(hub, take() & 1u ? on_status : NULL, &hub); break;
    case 10:
    case 11:
    case 12: sleep_until_next(); work(); break;
    default: work(); break;
    }
}

/* A block of exactly the size that the client asks for, so that the sanitizer stands at its end. */
static void *create(const IOTHUB_PLATFORM *platform, const char *identity)
{
    unsigned int choice = take(), room = take();
    IOTHUB_MEMORY memory;
    memory.outbox_messages = 1u + (choice & 7u);
    memory.outbox_size = memory.outbox_messages * sizeof(iothubi_record) + 64u + (room != 255u ? room * 8u : 70000u);
    memory.inbox_size = IOTHUB_INBOX_MINIMUM + (choice >> 3) * 4u;
    memory.block_size = IoTHub_ClientSize(identity, MQTT_Protocol, memory.outbox_size, memory.inbox_size);
    memory.block = malloc(memory.block_size);
    hub = IoTHubDeviceClient_CreateInPlace(identity, MQTT_Protocol, platform, &memory);
    PROMISE(hub != NULL);
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
    accepted = confirmed = 0;
    destroyed = kind = 0;
    memset(confirmations, 0, sizeof confirmations);
    memset(&peer, 0, sizeof peer);
    memset(&platform, 0, sizeof platform);
    platform.io.open = on_open;
    platform.io.read = on_read;
    platform.io.write = on_write;
    platform.io.close = on_close;
    platform.io.set_option = on_set_option;
    platform.io.error = on_error;
    platform.milliseconds = on_milliseconds;
    platform.unix_time = on_unix_time;
    platform.random = on_random;
    platform.hmac_sha256 = on_hmac;
    platform.wake = on_wake;
    tick = (uint32_t)take() << 24;               /* any part of its round */
    choice = take();
    block = create(&platform, identities[choice & 3u]);
    while (left != 0 && !destroyed) step(take());
    if (!destroyed && (choice & 4u) == 0) recover();
    if (!destroyed) {
        look();
        destroy();
    }
    PROMISE(confirmed == accepted && !peer.is_open);
    for (i = 0; i < accepted; ++i) PROMISE(confirmations[i] == 1);
    free(block);
    return 0;
}
