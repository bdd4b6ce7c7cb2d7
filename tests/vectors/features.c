/* A whole life with everything wanted, byte for byte and millisecond for millisecond: subscriptions, a twin, methods, messages that
   are kept, bodies larger than the inbox, lost connections. From ticks around the wrap, over a stream that moves any number of bytes. */

#include "check.h"

const char room[] = "features";

#define HUB "contoso-hub.azure-devices.net"
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define THERMO "HostName=" HUB ";DeviceId=thermo-01;SharedAccessKey=" KEY

/* ---- the platform ---- */

static struct {
    uint32_t tick;
    const char *in;                              /* what the hub sends: these bytes, then so many 'p', then these */
    size_t in_size;
    uint32_t more;
    const char *end;
    unsigned char out[480];                      /* what the hub received */
    size_t out_size;
    size_t chunk;                                /* bytes that one call takes or gives */
    int open, dead;
    char told[130];                              /* what the callbacks said */
} world;

static void tell_bytes(const void *bytes, size_t size)
{
    size_t at = IOTHUB_STRLEN(world.told);
    if (size != 0 && size < sizeof world.told - at) {
        IOTHUB_MEMCPY(world.told + at, bytes, size);
        world.told[at + size] = '\0';
    }
}

static void tell(const char *what)
{
    tell_bytes(what, IOTHUB_STRLEN(what));
}

static void tell_number(unsigned long number)
{
    char digits[12];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + (int)(number % 10u));
        number /= 10u;
    } while (number != 0);
    tell_bytes(digits + at, sizeof digits - at);
}

static int on_open(void *context, const char *host, unsigned int port)
{
    (void)context;
    (void)host;
    (void)port;
    world.open = 1;
    world.dead = 0;
    return 1;
}

static int on_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    size_t size = capacity < world.chunk ? capacity : world.chunk, given = 0;
    (void)context;
    for (; given < size; ++given) {
        if (world.in_size != 0) {
            world.in_size -= 1;
            bytes[given] = (unsigned char)*world.in++;
        } else if (world.more != 0) {
            world.more -= 1;
            bytes[given] = 'p';
        } else if (*world.end != '\0') {
            bytes[given] = (unsigned char)*world.end++;
        } else {
            break;
        }
    }
    return given == 0 && world.dead ? -1 : (int)given;
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

/* It stands still, so that every token is V1 of the wire reference; the tick alone drives the life. */
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
    (void)key;
    CHECK_NUMBER(key_size, 32);
    CHECK_BYTES(data, size, HUB "%2Fdevices%2Fthermo-01\n1893456000");
    IOTHUB_MEMCPY(digest,
        "\xCE\xAF\x00\x95\x41\x2E\x34\xB8\x71\x22\x71\x72\x80\xAF\x81\x6E\x75\xC6\xA6\x67\x0B\xDB\x3C\x8D\xCA\x71\xE4\x1E\x3D\xBA\xFC\x0D", 32);
    return 0;
}

/* ---- the program ---- */

static IOTHUB_MESSAGE_HANDLE messages[2];        /* kept; the last one is the younger */
static METHOD_HANDLE method;
static struct {
    uint32_t bytes;                              /* came so far */
    unsigned int sum;                            /* of them, of 16 bits */
    int wrong;
} pieces;

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)context;
    tell(status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED ? "up " : reason == IOTHUB_CLIENT_CONNECTION_OK ? "down "
        : reason == IOTHUB_CLIENT_CONNECTION_NO_NETWORK ? "cut " : "? ");
}

/* A body says what becomes of it: k... is kept, r... is rejected, all others are accepted. */
static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    const unsigned char *body = NULL;
    const char *value = IoTHubMessage_GetProperty(message, "a");
    const char *id = IoTHubMessage_GetMessageId(message);
    size_t size = 0;
    (void)context;
    CHECK_NUMBER(IoTHubMessage_GetByteArray(message, &body, &size), IOTHUB_MESSAGE_OK);
    tell_bytes(body, size);
    if (id != NULL) {
        tell(" mid=");
        tell(id);
    }
    if (value != NULL) {
        tell(" a=");
        tell(value);
    }
    tell("; ");
    if (size != 0 && body[0] == 'k') {
        messages[0] = messages[1];
        messages[1] = message;
        return IOTHUBMESSAGE_ASYNC_ACK;
    }
    return size != 0 && body[0] == 'r' ? IOTHUBMESSAGE_REJECTED : IOTHUBMESSAGE_ACCEPTED;
}

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *bytes, size_t size, void *context)
{
    tell((const char *)context);
    tell(bytes == NULL ? "nothing" : state == DEVICE_TWIN_UPDATE_COMPLETE ? "all " : "part ");
    tell_bytes(bytes, size);
    tell("; ");
}

static void on_reported(int status, void *context)
{
    (void)context;
    tell("reported ");
    tell_number((unsigned long)status);
    tell("; ");
}

static int on_method(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE id, void *context)
{
    (void)context;
    method = id;
    tell(name);
    tell(" ");
    tell_bytes(payload, size);
    tell("; ");
    return size != 0 && payload[0] == '0';       /* refused */
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_piece(const IOTHUB_PIECE *piece, void *context)
{
    size_t i;
    (void)context;
    pieces.wrong |= piece->offset != pieces.bytes;
    for (i = 0; i < piece->size; ++i) {
        pieces.sum = (pieces.sum + piece->bytes[i]) & 0xFFFFu;
    }
    pieces.bytes += (uint32_t)piece->size;
    if (piece->state == IOTHUB_PIECE_MORE) {
        return IOTHUBMESSAGE_REJECTED;
    }
    tell(piece->kind == IOTHUB_PIECE_OF_MESSAGE ? "message" : piece->kind == IOTHUB_PIECE_OF_TWIN ? "twin"
        : piece->kind == IOTHUB_PIECE_OF_PATCH ? "patch" : piece->method_name);
    tell(piece->state == IOTHUB_PIECE_CUT ? " cut after " : " of ");
    tell_number(pieces.bytes);
    tell(" sum ");
    tell_number(pieces.sum);
    tell(pieces.wrong || (piece->state == IOTHUB_PIECE_LAST && pieces.bytes != piece->total) ? " wrong; " : "; ");
    IOTHUB_MEMSET(&pieces, 0, sizeof pieces);
    method = piece->method != NULL ? piece->method : method;
    return IOTHUBMESSAGE_ACCEPTED;
}

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    tell(result == IOTHUB_CLIENT_CONFIRMATION_OK ? "sent; " : "? ");
}

/* ---- the life ---- */

enum { NOTHING, CUT, STOP, SEND, REPORT, GET, ACCEPT_OLDER, ACCEPT_YOUNGER, REJECT_YOUNGER, SETTLE_SETTLED, ANSWER, ANSWER_AGAIN };

/* So much later something happens, the hub sends bytes, and the client works until it has nothing to do: what the hub
   received then, what the callbacks said, and how long GetNextWork says to wait. */
typedef struct {
    uint32_t after;
    int act;
    const char *in;
    size_t in_size;
    uint32_t more;
    const char *end;
    const char *out;
    size_t out_size;
    const char *told;
    uint32_t next;
} step;

#define CONNECT "\x10\x85\x02" "\x00\x04" "MQTT" "\x04" "\xC0" "\x00\xF0" "\x00\x09" "thermo-01" \
    "\x00\x5B" HUB "/thermo-01/?api-version=2021-04-12&DeviceClientType=acme%2F1.0" \
    "\x00\x91" "SharedAccessSignature sr=" HUB "%2Fdevices%2Fthermo-01&sig=zq8AlUEuNLhxInFygK%2BBbnXGpmcL2zyNynHkHj26%2FA0%3D&se=1893456000"
#define SUBSCRIBE "\x82\x85\x01" "\xFF\xF1" "\x00\x28" "devices/thermo-01/messages/devicebound/#" "\x01" "\x00\x12" "$iothub/twin/res/#" "\x00" \
    "\x00\x27" "$iothub/twin/PATCH/properties/desired/#" "\x00" "\x00\x16" "$iothub/methods/POST/#" "\x00"
#define CONNACK "\x20\x02\x00\x00"
#define SUBACK "\x90\x06" "\xFF\xF1" "\x01\x00\x00\x00"
#define NONE LITERAL("")

static const step life[] = {
    /* everything is asked for in the flight of CONNECT */
    { 0, SEND, NONE, 0, "",
        LITERAL(CONNECT SUBSCRIBE "\x32\x27" "\x00\x22" "devices/thermo-01/messages/events/" "\x00\x01" "x"), "", 60000ul },
    { 100, NOTHING, LITERAL(CONNACK), 0, "",
        NONE, "up ", 60000ul },
    { 50, NOTHING, LITERAL("\x40\x02\x00\x01" SUBACK), 0, "",
        LITERAL("\x30\x1E" "\x00\x1C" "$iothub/twin/GET/?$rid=65537"), "sent; ", 60000ul },
    { 100, NOTHING, LITERAL("\x30\x56" "\x00\x20" "$iothub/twin/res/200/?$rid=65537" "{\"desired\":{\"$version\":4},\"reported\":{\"$version\":1}}"), 0, "",
        NONE, "all {\"desired\":{\"$version\":4},\"reported\":{\"$version\":1}}; ", 239900ul },
    /* patches: the next one, the same again, a gap, one that comes before the document */
    { 1000, NOTHING, LITERAL("\x30\x47" "\x00\x31" "$iothub/twin/PATCH/properties/desired/?$version=5" "{\"a\":1,\"$version\":5}"), 0, "",
        NONE, "part {\"a\":1,\"$version\":5}; ", 238900ul },
    { 0, NOTHING, LITERAL("\x30\x47" "\x00\x31" "$iothub/twin/PATCH/properties/desired/?$version=5" "{\"a\":1,\"$version\":5}"), 0, "",
        NONE, "", 238900ul },
    { 0, NOTHING, LITERAL("\x30\x41" "\x00\x31" "$iothub/twin/PATCH/properties/desired/?$version=7" "{\"$version\":7}"), 0, "",
        LITERAL("\x30\x1E" "\x00\x1C" "$iothub/twin/GET/?$rid=65538"), "", 60000ul },
    { 0, NOTHING, LITERAL("\x30\x41" "\x00\x31" "$iothub/twin/PATCH/properties/desired/?$version=8" "{\"$version\":8}"), 0, "",
        NONE, "", 60000ul },
    { 0, NOTHING, LITERAL("\x30\x3C" "\x00\x20" "$iothub/twin/res/200/?$rid=65538" "{\"desired\":{\"$version\":7}}"), 0, "",
        LITERAL("\x30\x1E" "\x00\x1C" "$iothub/twin/GET/?$rid=65539"), "", 60000ul },
    { 0, NOTHING, LITERAL("\x30\x3C" "\x00\x20" "$iothub/twin/res/200/?$rid=65539" "{\"desired\":{\"$version\":8}}"), 0, "",
        NONE, "all {\"desired\":{\"$version\":8}}; ", 240000ul },
    /* reported states: one at a time; the hub wants a pause of 7 s; then it does not answer */
    { 0, REPORT, NONE, 0, "",
        LITERAL("\x30\x38" "\x00\x2E" "$iothub/twin/PATCH/properties/reported/?$rid=2" "{\"on\":1}"), "", 60000ul },
    { 0, REPORT, NONE, 0, "",
        NONE, "", 60000ul },
    { 0, NOTHING, LITERAL("\x30\x29" "\x00\x27" "$iothub/twin/res/204/?$rid=2&$version=9"), 0, "",
        LITERAL("\x30\x38" "\x00\x2E" "$iothub/twin/PATCH/properties/reported/?$rid=3" "{\"on\":1}"), "reported 204; ", 60000ul },
    { 0, REPORT, LITERAL("\x30\x2C" "\x00\x2A" "$iothub/twin/res/429/?$rid=3&retry-after=7"), 0, "",
        NONE, "reported 429; ", 7000 },
    { 6999, NOTHING, NONE, 0, "",
        NONE, "", 1 },
    { 1, NOTHING, NONE, 0, "",
        LITERAL("\x30\x38" "\x00\x2E" "$iothub/twin/PATCH/properties/reported/?$rid=4" "{\"on\":1}"), "", 60000ul },
    { 60000ul, NOTHING, NONE, 0, "",
        NONE, "reported 408; ", 173000ul },
    { 0, GET, NONE, 0, "",
        LITERAL("\x30\x1E" "\x00\x1C" "$iothub/twin/GET/?$rid=65540"), "", 60000ul },
    { 0, NOTHING, LITERAL("\x30\x3C" "\x00\x20" "$iothub/twin/res/200/?$rid=65540" "{\"desired\":{\"$version\":8}}"), 0, "",
        NONE, "all {\"desired\":{\"$version\":8}}; got all {\"desired\":{\"$version\":8}}; ", 240000ul },
    /* a document and a patch that are larger than the inbox; their versions are known */
    { 0, GET, NONE, 0, "",
        LITERAL("\x30\x1E" "\x00\x1C" "$iothub/twin/GET/?$rid=65541"), "", 60000ul },
    { 0, NOTHING, LITERAL("\x30\xAB\x08" "\x00\x20" "$iothub/twin/res/200/?$rid=65541" "{\"desired\":{\"x\":\""), 1000, "\",\"$version\":9}}",
        NONE, "twin of 1033 sum 49173; got nothing; ", 240000ul },
    { 0, NOTHING, LITERAL("\x30\xCE\x07" "\x00\x32" "$iothub/twin/PATCH/properties/desired/?$version=10" "{\"x\":\""), 900, "\",\"$version\":10}",
        NONE, "patch of 922 sum 36903; ", 240000ul },
    { 0, NOTHING, LITERAL("\x30\x43" "\x00\x32" "$iothub/twin/PATCH/properties/desired/?$version=11" "{\"$version\":11}"), 0, "",
        NONE, "part {\"$version\":11}; ", 240000ul },
    /* methods: answered later, and once; refused; in pieces */
    { 0, NOTHING, LITERAL("\x30\x2E" "\x00\x24" "$iothub/methods/POST/reboot/?$rid=1a" "{\"in\":5}"), 0, "",
        NONE, "reboot {\"in\":5}; ", 240000ul },
    { 2000, ANSWER, NONE, 0, "",
        LITERAL("\x30\x2A" "\x00\x20" "$iothub/methods/res/200/?$rid=1a" "{\"ok\":1}"), "", 238000ul },
    { 0, ANSWER_AGAIN, NONE, 0, "",
        NONE, "", 238000ul },
    { 0, NOTHING, LITERAL("\x30\x25" "\x00\x22" "$iothub/methods/POST/halt/?$rid=1b" "0"), 0, "",
        LITERAL("\x30\x22" "\x00\x20" "$iothub/methods/res/500/?$rid=1b"), "halt 0; ", 240000ul },
    { 0, NOTHING, LITERAL("\x30\x8C\x08" "\x00\x22" "$iothub/methods/POST/load/?$rid=1c"), 1000, "",
        NONE, "load of 1000 sum 46464; ", 240000ul },
    { 0, ANSWER, NONE, 0, "",
        LITERAL("\x30\x2A" "\x00\x20" "$iothub/methods/res/200/?$rid=1c" "{\"ok\":1}"), "", 240000ul },
    /* messages: accepted, rejected, QoS 0 */
    { 0, NOTHING, LITERAL("\x32\x51" "\x00\x48" "devices/thermo-01/messages/devicebound/%24.mid=m%2D1&a=b%20c&%24.to=%2Fx" "\x00\x07" "hello"), 0, "",
        LITERAL("\x40\x02\x00\x07"), "hello mid=m-1 a=b c; ", 240000ul },
    { 0, NOTHING, LITERAL("\x32\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x08" "r1" "\x30\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "zero"), 0, "",
        NONE, "r1; zero; ", 240000ul },
    /* kept: the younger is accepted first, acknowledgements leave in the order of arrival */
    { 0, NOTHING, LITERAL("\x32\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x09" "k1" "\x3A\x31" "\x00\x2B" "devices/thermo-01/messages/devicebound/a=%4" "\x02\x01" "k2"), 0, "",
        NONE, "k1; k2 a=%4; ", 240000ul },
    /* the hub grew impatient: the program has this one */
    { 0, NOTHING, LITERAL("\x3A\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x09" "k1"), 0, "",
        NONE, "", 240000ul },
    { 0, ACCEPT_YOUNGER, NONE, 0, "",
        NONE, "", 29750 },
    { 29000, SETTLE_SETTLED, NONE, 0, "",
        NONE, "", 750 },
    { 0, ACCEPT_OLDER, NONE, 0, "",
        LITERAL("\x40\x02\x00\x09" "\x40\x02\x02\x01"), "", 211000ul },
    /* or 30 s after it was accepted */
    { 0, NOTHING, LITERAL("\x32\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x0A" "k3" "\x32\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x0B" "k4"), 0, "",
        NONE, "k3; k4; ", 240000ul },
    { 0, ACCEPT_YOUNGER, NONE, 0, "",
        NONE, "", 29750 },
    { 29000, NOTHING, NONE, 0, "",
        NONE, "", 750 },
    { 1000, NOTHING, NONE, 0, "",
        LITERAL("\x40\x02\x00\x0B"), "", 210000ul },
    { 0, ACCEPT_OLDER, NONE, 0, "",
        LITERAL("\x40\x02\x00\x0A"), "", 210000ul },
    /* larger than the inbox, and than 16 bits */
    { 0, NOTHING, LITERAL("\x32\x9E\xA3\x04" "\x00\x2A" "devices/thermo-01/messages/devicebound/a=b" "\x00\x0C"), 70000ul, "",
        LITERAL("\x40\x02\x00\x0C"), "message of 70000 sum 41216; ", 240000ul },
    /* lost in the middle of a message, with another one kept, a method unanswered and a reported state on its way */
    { 0, NOTHING, LITERAL("\x32\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x0D" "k5"), 0, "",
        NONE, "k5; ", 240000ul },
    { 0, NOTHING, LITERAL("\x30\x26" "\x00\x22" "$iothub/methods/POST/late/?$rid=1d" "{}"), 0, "",
        NONE, "late {}; ", 240000ul },
    { 0, REPORT, LITERAL("\x32\x93\x08" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x0E"), 500, "",
        LITERAL("\x30\x38" "\x00\x2E" "$iothub/twin/PATCH/properties/reported/?$rid=5" "{\"on\":1}"), "", 60000ul },
    { 0, CUT, NONE, 0, "",
        NONE, "message cut after 500 sum 56000; cut ", 344 },
    { 0, ACCEPT_YOUNGER, NONE, 0, "",
        NONE, "", 344 },
    { 0, SETTLE_SETTLED, NONE, 0, "",
        NONE, "", 344 },
    { 0, ANSWER_AGAIN, NONE, 0, "",
        NONE, "", 344 },
    { 344, NOTHING, NONE, 0, "",
        LITERAL(CONNECT SUBSCRIBE), "", 60000ul },
    { 0, NOTHING, LITERAL(CONNACK), 0, "",
        NONE, "up ", 60000ul },
    /* patches are refused: asked for again after a minute, and once they come the document, too */
    { 0, NOTHING, LITERAL("\x90\x06" "\xFF\xF1" "\x01\x00\x80\x00"), 0, "",
        LITERAL("\x30\x1E" "\x00\x1C" "$iothub/twin/GET/?$rid=65541" "\x30\x38" "\x00\x2E" "$iothub/twin/PATCH/properties/reported/?$rid=5" "{\"on\":1}"), "", 60000ul },
    { 0, NOTHING, LITERAL("\x30\x3C" "\x00\x20" "$iothub/twin/res/200/?$rid=65541" "{\"desired\":{\"$version\":8}}" "\x30\x1E" "\x00\x1C" "$iothub/twin/res/204/?$rid=5"), 0, "",
        NONE, "all {\"desired\":{\"$version\":8}}; reported 204; ", 60000ul },
    { 0, NOTHING, LITERAL("\x3A\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x0D" "k5" "\x3A\x2D" "\x00\x27" "devices/thermo-01/messages/devicebound/" "\x00\x0E" "r6"), 0, "",
        NONE, "k5; r6; ", 60000ul },
    { 60000ul, ACCEPT_YOUNGER, NONE, 0, "",
        LITERAL("\x82\x2C" "\xFF\xF1" "\x00\x27" "$iothub/twin/PATCH/properties/desired/#" "\x00" "\x40\x02\x00\x0D"), "", 60000ul },
    { 0, NOTHING, LITERAL("\x90\x03\xFF\xF1\x00"), 0, "",
        LITERAL("\x30\x1E" "\x00\x1C" "$iothub/twin/GET/?$rid=65542"), "", 60000ul },
    { 0, NOTHING, LITERAL("\x30\x3C" "\x00\x20" "$iothub/twin/res/200/?$rid=65542" "{\"desired\":{\"$version\":9}}"), 0, "",
        NONE, "all {\"desired\":{\"$version\":9}}; ", 240000ul },
    { 0, STOP, NONE, 0, "",
        LITERAL("\xE0\x00"), "down ", 1073740406ul }
};

static union { void *alignment; unsigned char bytes[IOTHUB_CLIENT_SIZE(sizeof THERMO, 500, 768)]; } block;
static IOTHUB_PLATFORM platform;

static IOTHUB_DEVICE_CLIENT_HANDLE create(uint32_t tick, size_t chunk)
{
    static char plain[] = "";
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_MEMORY memory;
    int keep_alive_s = 240;
    IOTHUB_MEMSET(&world, 0, sizeof world);
    IOTHUB_MEMSET(&pieces, 0, sizeof pieces);
    world.tick = tick;
    world.chunk = chunk;
    world.end = "";
    memory.block = block.bytes;
    memory.block_size = sizeof block.bytes;
    memory.outbox_size = 500;
    memory.inbox_size = 768;
    memory.outbox_messages = 4;
    hub = IoTHubDeviceClient_CreateInPlace(THERMO, MQTT_Protocol, &platform, &memory);
    CHECK(hub != NULL);
    CHECK_NUMBER(IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, NULL), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetOption(hub, OPTION_PRODUCT_INFO, "acme/1.0"), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetOption(hub, OPTION_KEEP_ALIVE, &keep_alive_s), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetMessageCallback(hub, on_message, NULL), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetDeviceTwinCallback(hub, on_twin, plain), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetDeviceMethodCallback_Ex(hub, on_method, NULL), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubDeviceClient_SetPieceCallback(hub, on_piece, NULL), IOTHUB_CLIENT_OK);
    return hub;
}

static void act(IOTHUB_DEVICE_CLIENT_HANDLE hub, int what)
{
    static union { void *alignment; unsigned char bytes[IOTHUB_MESSAGE_HEAD_BOUND + 16u]; } storage;
    static char got[] = "got ";
    static const unsigned char json[] = "{\"on\":1}", ok[] = "{\"ok\":1}";
    IOTHUB_MESSAGE_HANDLE message;
    switch (what) {
    case SEND:
        message = IoTHubMessage_Wrap(storage.bytes, sizeof storage.bytes, (const unsigned char *)"x", 1);
        CHECK_NUMBER(IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL), IOTHUB_CLIENT_OK);
        break;
    case CUT: world.dead = 1; break;
    case STOP: IoTHubDeviceClient_Stop(hub); break;
    case REPORT: CHECK_NUMBER(IoTHubDeviceClient_SendReportedState(hub, json, 8, on_reported, NULL), IOTHUB_CLIENT_OK); break;
    case GET: CHECK_NUMBER(IoTHubDeviceClient_GetTwinAsync(hub, on_twin, got), IOTHUB_CLIENT_OK); break;
    case ACCEPT_OLDER: CHECK_NUMBER(IoTHubDeviceClient_SendMessageDisposition(hub, messages[0], IOTHUBMESSAGE_ACCEPTED), IOTHUB_CLIENT_OK); break;
    case ACCEPT_YOUNGER: CHECK_NUMBER(IoTHubDeviceClient_SendMessageDisposition(hub, messages[1], IOTHUBMESSAGE_ACCEPTED), IOTHUB_CLIENT_OK); break;
    case SETTLE_SETTLED:
        CHECK_NUMBER(IoTHubDeviceClient_SendMessageDisposition(hub, messages[1], IOTHUBMESSAGE_ACCEPTED), IOTHUB_CLIENT_INVALID_ARG);
        CHECK_NUMBER(IoTHubDeviceClient_SendMessageDisposition(hub, messages[1], IOTHUBMESSAGE_ASYNC_ACK), IOTHUB_CLIENT_INVALID_ARG);
        break;
    case ANSWER: CHECK_NUMBER(IoTHubDeviceClient_DeviceMethodResponse(hub, method, ok, 8, 200), IOTHUB_CLIENT_OK); break;
    case ANSWER_AGAIN: CHECK_NUMBER(IoTHubDeviceClient_DeviceMethodResponse(hub, method, ok, 8, 200), IOTHUB_CLIENT_INVALID_ARG); break;
    default: break;
    }
}

static void live(IOTHUB_DEVICE_CLIENT_HANDLE hub)
{
    unsigned long works;
    for (row = 0; row < COUNT(life); ++row) {
        world.tick += life[row].after;
        world.in = life[row].in;
        world.in_size = life[row].in_size;
        world.more = life[row].more;
        world.end = life[row].end;
        world.out_size = 0;
        world.told[0] = '\0';
        act(hub, life[row].act);
        works = 0;
        do {
            IoTHubDeviceClient_DoWork(hub);
        } while (IoTHubDeviceClient_GetNextWork(hub) == 0 && ++works < 40000ul);
        CHECK_NUMBER(world.in_size + world.more, 0);
        check_bytes(world.out, world.out_size, life[row].out, life[row].out_size, TEXT("out"), __LINE__);
        CHECK_TEXT(world.told, life[row].told);
        CHECK_NUMBER(IoTHubDeviceClient_GetNextWork(hub), life[row].next);
    }
}

void vectors(void)
{
    static const uint32_t ticks[] = { 0, 0x7FFF0000ul, 0xFFFFFF00ul, 5 };
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
    for (i = 0; i < COUNT(ticks); ++i) {
        about("a life with everything wanted");
        hub = create(ticks[i], chunks[i]);
        live(hub);
        IOTHUB_MEMSET(&statistics, 0, sizeof statistics);
        CHECK_NUMBER(IoTHubDeviceClient_GetStatistics(hub, &statistics), IOTHUB_CLIENT_OK);
        CHECK_NUMBER(statistics.accepted, 1);
        CHECK_NUMBER(statistics.confirmed_ok, 1);
        CHECK_NUMBER(statistics.received, 24);
        CHECK_NUMBER(statistics.received_skipped, 0);
        CHECK_NUMBER(statistics.received_unhandled, 0);
        CHECK_NUMBER(statistics.acknowledgements_unknown, 0);
        CHECK_NUMBER(statistics.connections, 2);
        IoTHubDeviceClient_Destroy(hub);
    }
}
