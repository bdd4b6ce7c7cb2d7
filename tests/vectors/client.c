/* Whole lives over a stream of scripts, byte for byte and millisecond for millisecond, from ticks around the wrap. */

#include "check.h"

const char room[] = "client";

#define HUB "contoso-hub.azure-devices.net"
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define THERMO "HostName=" HUB ";DeviceId=thermo-01;SharedAccessKey=" KEY

/* ---- the platform ---- */

static struct {
    uint32_t tick;
    const unsigned char *in;                     /* what the hub sends */
    size_t in_size;
    unsigned char out[400];                      /* what the hub received */
    size_t out_size;
    size_t chunk;                                /* bytes that one call takes or gives */
    int open, dead;
    char told[40];                               /* what the callbacks said */
} world;

static void tell(const char *what)
{
    IOTHUB_MEMCPY(world.told + IOTHUB_STRLEN(world.told), what, IOTHUB_STRLEN(what) + 1u);
}

static int on_open(void *context, const char *host, unsigned int port)
{
    (void)context;
    CHECK_TEXT(host, HUB);
    CHECK_NUMBER(port, 8883);
    world.open = 1;
    world.dead = 0;
    return 1;
}

static int on_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    size_t size = world.in_size < capacity ? world.in_size : capacity;
    (void)context;
    size = size < world.chunk ? size : world.chunk;
    IOTHUB_MEMCPY(bytes, world.in, size);
    world.in += size;
    world.in_size -= size;
    return size == 0 && world.dead ? -1 : (int)size;
}

static int on_write(void *context, const unsigned char *bytes, unsigned int size)
{
    size_t taken = size < world.chunk ? size : world.chunk;
    (void)context;
    if (size == 0) {
        return 1;
    }
    if (!world.open || taken > sizeof world.out - world.out_size) {
        return -1;
    }
    IOTHUB_MEMCPY(world.out + world.out_size, bytes, taken);
    world.out_size += taken;
    return (int)taken;
}

static void on_close(void *context)
{
    (void)context;
    world.open = 0;
}

static uint32_t on_milliseconds(void *context)
{
    (void)context;
    return world.tick;
}

/* It stands still, so that every token is V1 of the wire reference; the tick alone drives the lives. */
static uint32_t on_unix_time(void *context)
{
    (void)context;
    return 1893452400ul;
}

static int on_random(void *context, unsigned char *bytes, unsigned int size)
{
    (void)context;
    IOTHUB_MEMSET(bytes, 0x5A, size);
    return 0;
}

static int on_hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int size,
    unsigned char digest[32])
{
    (void)context;
    CHECK_BYTES(key, key_size,
        "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1B\x1C\x1D\x1E\x1F");
    CHECK_BYTES(data, size, HUB "%2Fdevices%2Fthermo-01\n1893456000");
    IOTHUB_MEMCPY(digest,
        "\xCE\xAF\x00\x95\x41\x2E\x34\xB8\x71\x22\x71\x72\x80\xAF\x81\x6E\x75\xC6\xA6\x67\x0B\xDB\x3C\x8D\xCA\x71\xE4\x1E\x3D\xBA\xFC\x0D", 32);
    return 0;
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)context;
    tell(status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED ? "up " : reason == IOTHUB_CLIENT_CONNECTION_OK ? "down "
        : reason == IOTHUB_CLIENT_CONNECTION_NO_NETWORK ? "cut " : reason == IOTHUB_CLIENT_CONNECTION_NO_PING_RESPONSE ? "silent "
        : reason == IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN ? "renewing " : reason == IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR ? "deaf " : "? ");
}

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *number)
{
    tell((const char *)number);
    tell(result == IOTHUB_CLIENT_CONFIRMATION_OK ? " ok " : " ? ");
}

/* ---- lives ---- */

enum { NOTHING, SEND_1, SEND_2, CUT, STOP };

/* So much later something happens, the hub sends bytes, and the client works until it has nothing to do: what the hub
   received then, what the callbacks said, and how long GetNextWork says to wait. */
typedef struct {
    uint32_t after;
    int act;
    const char *in;
    size_t in_size;
    const char *out;
    size_t out_size;
    const char *told;
    uint32_t next;
} step;

#define CONNECT_WITH(keep_alive) "\x10\x85\x02" "\x00\x04" "MQTT" "\x04" "\xC0" keep_alive "\x00\x09" "thermo-01" \
    "\x00\x5B" HUB "/thermo-01/?api-version=2021-04-12&DeviceClientType=acme%2F1.0" \
    "\x00\x91" "SharedAccessSignature sr=" HUB "%2Fdevices%2Fthermo-01&sig=zq8AlUEuNLhxInFygK%2BBbnXGpmcL2zyNynHkHj26%2FA0%3D&se=1893456000"
#define CONNECT CONNECT_WITH("\x00\xF0")
#define CONNACK "\x20\x02\x00\x00"
#define TOPIC "\x00\x61" "devices/thermo-01/messages/events/%24.mid=m-1&%24.ct=application%2Fjson&%24.ce=utf-8&room=lab%201"
#define SHORT_TOPIC "\x00\x22" "devices/thermo-01/messages/events/"
#define NONE LITERAL("")

/* Messages, a ping, a cut, a repeat, a planned end; keep-alive 240 s. The second token is renewed after 2691 s, the first
   delay is 344 ms of at most 2000: so say FNV-1a of the device id and xorshift32. */
static const step life[] = {
    { 0, SEND_1, NONE, LITERAL(CONNECT "\x32\x6F" TOPIC "\x00\x01" "{\"t\":21.5}"), "", 60000ul },
    { 59999ul, NOTHING, NONE, NONE, "", 1 },
    { 0, NOTHING, LITERAL(CONNACK), NONE, "up ", 120000ul },     /* until its acknowledgement is missed */
    { 119999ul, NOTHING, NONE, NONE, "", 1 },
    { 0, NOTHING, LITERAL("\x40\x02\x00\x01"), NONE, "1 ok ", 60002ul },
    { 60001ul, NOTHING, NONE, NONE, "", 1 },
    { 1, NOTHING, NONE, LITERAL("\xC0\x00"), "", 60000ul },      /* 240,000 since the last byte was sent */
    { 59999ul, NOTHING, LITERAL("\xD0\x00"), NONE, "", 180001ul },
    { 1000, SEND_2, NONE, LITERAL("\x32\x27" SHORT_TOPIC "\x00\x02" "x"), "", 120000ul },
    { 70000ul, CUT, NONE, NONE, "cut ", 344 },
    { 343, NOTHING, NONE, NONE, "", 1 },
    { 1, NOTHING, NONE, LITERAL(CONNECT "\x3A\x27" SHORT_TOPIC "\x00\x02" "x"), "", 60000ul },
    { 10, NOTHING, LITERAL(CONNACK "\x40\x02\x00\x02"), NONE, "up 2 ok ", 239990ul },
    { 100000ul, STOP, NONE, LITERAL("\xE0\x00"), "down ", 1073740647ul } /* 12 days, to the second */
};

/* Keep-alive off: only the token's end brings work. 3600 s less a fifth, less 307 and 206 s of at most 360. */
static const step renewal[] = {
    { 0, NOTHING, NONE, LITERAL(CONNECT_WITH("\x00\x00")), "", 60000ul },
    { 500, NOTHING, LITERAL(CONNACK), NONE, "up ", 2572500ul },
    { 65036ul, NOTHING, NONE, NONE, "", 2507464ul },
    { 2507463ul, NOTHING, NONE, NONE, "", 1 },
    { 1, NOTHING, NONE, LITERAL("\xE0\x00" CONNECT_WITH("\x00\x00")), "renewing ", 60000ul },   /* at once */
    { 1000, NOTHING, LITERAL(CONNACK), NONE, "up ", 2673000ul }
};

/* Every silence of the hub: no CONNACK, no acknowledgement, twice as long the second time, no answer to a ping, with
   timeouts of 90 s: 60,000 ms would fit 16 bits. The delays are 25,894 ms of at most 30,000, for that was a
   refusal, then 266, 759 and 1150 of at most 2000. */
static const step silence[] = {
    { 0, NOTHING, NONE, LITERAL(CONNECT), "", 90000ul },
    { 90000ul, NOTHING, NONE, NONE, "deaf ", 25894 },
    { 25894, NOTHING, NONE, LITERAL(CONNECT), "", 90000ul },
    { 10, SEND_2, LITERAL(CONNACK), LITERAL("\x32\x27" SHORT_TOPIC "\x00\x01" "x"), "up ", 120000ul },
    { 120000ul, NOTHING, NONE, NONE, "deaf ", 266 },
    { 266, NOTHING, NONE, LITERAL(CONNECT "\x3A\x27" SHORT_TOPIC "\x00\x01" "x"), "", 90000ul },
    { 5, NOTHING, LITERAL(CONNACK), NONE, "up ", 239995ul },
    { 239995ul, NOTHING, NONE, LITERAL("\xC0\x00"), "", 5 },     /* 240,000 since CONNACK are over before the ping's 90,000 */
    { 5, NOTHING, NONE, NONE, "deaf ", 759 },
    { 759, NOTHING, NONE, LITERAL(CONNECT "\x3A\x27" SHORT_TOPIC "\x00\x01" "x"), "", 90000ul },
    { 0, NOTHING, LITERAL(CONNACK "\x40\x02\x00\x01"), NONE, "up 2 ok ", 240000ul },
    { 240000ul, NOTHING, NONE, LITERAL("\xC0\x00"), "", 90000ul },
    { 90000ul, NOTHING, NONE, NONE, "silent ", 1150 }
};

IOTHUB_CLIENT_BLOCK(static, block, IOTHUB_CLIENT_SIZE(sizeof THERMO, 300, 100) + 16u);
static IOTHUB_PLATFORM platform;

static void send(IOTHUB_DEVICE_CLIENT_HANDLE hub, int act)
{
    static union { void *alignment; unsigned char bytes[IOTHUB_MESSAGE_HEAD_BOUND + 100u]; } storage;
    static char numbers[2][2] = { "1", "2" };
    IOTHUB_MESSAGE_HANDLE message;
    if (act == SEND_1) {
        message = IoTHubMessage_Wrap(storage.bytes, sizeof storage.bytes, (const unsigned char *)"{\"t\":21.5}", 10);
        IoTHubMessage_SetMessageId(message, "m-1");
        IoTHubMessage_SetContentTypeSystemProperty(message, "application/json");
        IoTHubMessage_SetContentEncodingSystemProperty(message, "utf-8");
        IoTHubMessage_SetProperty(message, "room", "lab 1");
    } else {
        message = IoTHubMessage_Wrap(storage.bytes, sizeof storage.bytes, (const unsigned char *)"x", 1);
    }
    CHECK_NUMBER(IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, numbers[act - SEND_1]), IOTHUB_CLIENT_OK);
}

static IOTHUB_DEVICE_CLIENT_HANDLE place(size_t shift)
{
    IOTHUB_MEMORY memory;
    memory.block = block.bytes + shift;
    memory.block_size = sizeof block - 16u;
    memory.outbox_size = 300;
    memory.inbox_size = 100;                     /* CONNECT leaves in three windows */
    memory.outbox_messages = 2;
    return IoTHubDeviceClient_CreateInPlace(THERMO, MQTT_Protocol, &platform, &memory);
}

static IOTHUB_DEVICE_CLIENT_HANDLE create(uint32_t tick, size_t chunk, int keep_alive_s, int timeout_s)
{
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_MEMSET(&world, 0, sizeof world);
    world.tick = tick;
    world.chunk = chunk;
    hub = place(0);
    CHECK(hub != NULL);
    CHECK_NUMBER(IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, NULL), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetOption(hub, OPTION_PRODUCT_INFO, "acme/1.0"), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetOption(hub, OPTION_KEEP_ALIVE, &keep_alive_s), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetOption(hub, OPTION_CONNECTION_TIMEOUT, &timeout_s), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetOption(hub, IOTHUB_OPTION_PING_TIMEOUT, &timeout_s), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_GetNextWork(hub), 0);
    return hub;
}

static void live(IOTHUB_DEVICE_CLIENT_HANDLE hub, const step *steps, size_t count)
{
    unsigned int works;
    for (row = 0; row < count; ++row) {
        world.tick += steps[row].after;
        world.in = (const unsigned char *)steps[row].in;
        world.in_size = steps[row].in_size;
        world.out_size = 0;
        world.told[0] = '\0';
        switch (steps[row].act) {
        case SEND_1: case SEND_2: send(hub, steps[row].act); break;
        case CUT: world.dead = 1; break;
        case STOP: IoTHubDeviceClient_Stop(hub); break;
        default: break;
        }
        works = 0;
        do {
            IoTHubDeviceClient_DoWork(hub);
        } while (IoTHubDeviceClient_GetNextWork(hub) == 0 && ++works < 200);
        CHECK_NUMBER(world.in_size, 0);
        check_bytes(world.out, world.out_size, steps[row].out, steps[row].out_size, TEXT("out"), __LINE__);
        CHECK_TEXT(world.told, steps[row].told);
        CHECK_NUMBER(IoTHubDeviceClient_GetNextWork(hub), steps[row].next);
    }
}

static void blocks(void)
{
    IOTHUB_ERROR error;
    about("a block that is misaligned is refused, all other is taken; the row is the shift");
    for (row = 0; row < 16; ++row) {
        IOTHUB_DEVICE_CLIENT_HANDLE hub = place(row);
        IoTHubDeviceClient_GetLastError(NULL, &error);
        CHECK_NUMBER(hub != NULL ? IOTHUB_CODE_NONE : error.code, row % ALIGNMENT == 0 ? IOTHUB_CODE_NONE : IOTHUB_CODE_BLOCK_MISALIGNED);
        IoTHubDeviceClient_Destroy(hub);
    }
}

/* As signed and as unsigned enums have them; C++ has no such values. */
static void policies(void)
{
    IOTHUB_DEVICE_CLIENT_HANDLE hub = place(0);
    IOTHUB_CLIENT_RETRY_POLICY policy = IOTHUB_CLIENT_RETRY_NONE;
    size_t limit = 77;
    about("a retry policy below the first one and above the last one is refused");
    CHECK_NUMBER(IoTHubDeviceClient_SetRetryPolicy(hub, (IOTHUB_CLIENT_RETRY_POLICY)-1, 5), IOTHUB_CLIENT_INVALID_ARG);
    CHECK_NUMBER(IoTHubDeviceClient_SetRetryPolicy(hub, (IOTHUB_CLIENT_RETRY_POLICY)7, 5), IOTHUB_CLIENT_INVALID_ARG);
    CHECK_NUMBER(IoTHubDeviceClient_GetRetryPolicy(hub, &policy, &limit), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(policy, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER);
    CHECK_NUMBER(limit, 0);
    CHECK_NUMBER(IoTHubDeviceClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_RANDOM, 5), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_GetRetryPolicy(hub, &policy, &limit), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(policy, IOTHUB_CLIENT_RETRY_RANDOM);
    CHECK_NUMBER(limit, 5);
    IoTHubDeviceClient_Destroy(hub);
}

void vectors(void)
{
    static const uint32_t ticks[] = { 0, 0x7FFFF000ul, 0xFFFF0000ul, 0xFFFFFF00ul };
    static const size_t chunks[] = { 1000, 64, 7, 1 };
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_STATISTICS statistics;
    size_t i;
    platform.io.open = on_open;
    platform.io.read = on_read;
    platform.io.write = on_write;
    platform.io.close = on_close;
    platform.milliseconds = on_milliseconds;
    platform.unix_time = on_unix_time;
    platform.random = on_random;
    platform.hmac_sha256 = on_hmac;
    blocks();
    policies();
    for (i = 0; i < COUNT(ticks); ++i) {
        about("a life: messages, a ping, a cut, a repeat, a planned end");
        hub = create(ticks[i], chunks[i], 240, 60);
        live(hub, life, COUNT(life));
        IOTHUB_MEMSET(&statistics, 0, sizeof statistics);
        CHECK_NUMBER(IoTHubDeviceClient_GetStatistics(hub, &statistics), IOTHUB_CLIENT_OK);
        CHECK_NUMBER(statistics.accepted, 2);
        CHECK_NUMBER(statistics.confirmed_ok, 2);
        CHECK_NUMBER(statistics.sent, 3);
        CHECK_NUMBER(statistics.repeated, 1);
        CHECK_NUMBER(statistics.attempts, 2);
        CHECK_NUMBER(statistics.connections, 2);
        CHECK_NUMBER(statistics.pings, 1);
        CHECK_NUMBER(statistics.bytes_read, 18);
        CHECK_NUMBER(statistics.bytes_written, 264 + 113 + 2 + 41 + 264 + 41 + 2);
        IoTHubDeviceClient_Destroy(hub);
        about("a renewal of the token");
        hub = create(ticks[i], chunks[i], 0, 60);
        live(hub, renewal, COUNT(renewal));
        IoTHubDeviceClient_Destroy(hub);
        about("silences of the hub");
        hub = create(ticks[i], chunks[i], 240, 90);
        live(hub, silence, COUNT(silence));
        IoTHubDeviceClient_Destroy(hub);
    }
}
