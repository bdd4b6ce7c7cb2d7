/* FI-22: a fleet comes back. Ten thousand real clients in one process and in virtual time, against a hub that admits a hundred
   new connections a second; README.md says what is modelled, where it comes from and how the two caps were chosen.

       fleet              each policy through each scenario: the table, and what must hold
       fleet --sweep      our policy with other caps
       fleet --svg FILE   the curves of attempts
       --seed N           other devices, other luck; default 22

   Nothing in here reads a clock or a random source, and there is only integer arithmetic: the same seed gives the same bytes
   everywhere. This file sees the implementation: it takes a policy that the client does not have (the SDK's own, our own with
   other caps) by overwriting the delay that the client has just drawn, in the status callback. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_POOL_CLIENTS 0
#define IOTHUB_POOL_MESSAGES 0
#include "iothub_client.h"
#include <stdio.h>
#include <stdlib.h>

#ifndef DEVICES
#define DEVICES 10000u
#endif
#define NEVER UINT64_MAX
#define SECONDS(n) ((uint64_t)(n) * 1000u)

/* The hub: S1, up to eight units. "New device connections: higher of 100/sec or 12/sec/unit", and the same for sends (Azure's
   page on quotas and throttling; 100 a second is also its example for one unit). */
#define HUB_RATE 100u
#define HUB_BURST 100u                           /* a second's worth. The real hub is kinder: its page lets twice the rate of sends */
                                                 /* through "for the first minute or two" */

#define WARM_UP SECONDS(900)                     /* all are connected for ten minutes and more when this is over */
#define CURVE_SECONDS 3600u                      /* a run ends at the latest then, counted from the hub's return */
#define MESSAGES_MAXIMUM 2u

/* ---- randomness: splitmix64 ---- */

static uint32_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

static uint32_t between(uint64_t *state, uint32_t low, uint32_t high)
{
    return low + (uint32_t)((uint64_t)draw(state) * (high - low + 1u) >> 32);
}

/* ---- what is compared ---- */

/* What becomes of a CONNECT above the rate. Azure's page: "IoT Hub starts placing the requests in a queue and processed at the
   limit rate [...] the size of this queue is limited [...] eventually the queue fills up, and IoT Hub starts rejecting". Over
   MQTT a rejection is a closed connection (azure-iot-sdk-c issue 1766, azure-docs issue 107838: 429002, by its name
   ThrottleBacklogLimitExceeded, disconnects the device). How long the queue is, is said nowhere; .NET's client waits 60 s for
   CONNACK because that is "more closely aligned to the timeout value maintained by service" (azure-iot-sdk-csharp issue 2043).
   So it is a switch. */
typedef struct hub_model {
    const char *name;
    unsigned queue_ms;                           /* a CONNECT that can be admitted within this time waits for it */
    unsigned held_ms;                            /* any other is closed after so long */
    unsigned code;                               /* CONNACK before it is closed; 0: none */
} hub_model;

enum { HUB_HOLDS, HUB_CLOSES, HUB_REFUSES, HUB_QUEUES, HUB_HOLDS_LONG, HUB_MODELS };

static const hub_model hub_models[HUB_MODELS] = {
    { "holds up to 5 s, then closes", 5000, 5000, 0 },     /* the main one */
    { "closes at once", 0, 0, 0 },
    { "CONNACK 3 at once", 0, 0, 3 },
    { "queue of 5 s, full: closes", 5000, 0, 0 },
    { "holds up to 55 s, then closes", 55000, 55000, 0 }
};

typedef struct scenario { const char *name; unsigned outage_s; } scenario;

enum { AFTER_OUTAGE, CUT_AT_ONCE, SHORT_OUTAGE, SCENARIOS };

static const scenario scenarios[SCENARIOS] = {
    { "a: outage of 10 min", 600 },
    { "b: all cut at once", 0 },
    { "c: outage of 30 s", 30 }
};

enum { HOOK_NONE, HOOK_SDK, HOOK_OURS };

typedef struct policy {
    const char *name;
    int set;                                     /* by SetRetryPolicy; -1: not, the client's default stays */
    unsigned hook;
    unsigned unreached_s, refused_s;             /* HOOK_OURS: the caps */
    unsigned refused_creeps;                     /* HOOK_OURS: after a refused CONNECT too the delays double from 1 s */
    unsigned loss_s;                             /* HOOK_OURS: the first delay after a lost connection goes up to this; 0: as ever */
} policy;

#define CAPS_COMPILED IOTHUBI_RETRY_CAP_UNREACHED_S, IOTHUBI_RETRY_CAP_REFUSED_S

enum { SDK_DEFAULT, SDK_INTERVAL = 2, OURS = 7, POLICIES = 8 };

static const policy policies[POLICIES] = {
    { "SDK's default", IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, HOOK_SDK, 0, 0, 0, 0 },
    { "IMMEDIATE", IOTHUB_CLIENT_RETRY_IMMEDIATE, HOOK_NONE, 0, 0, 0, 0 },
    { "INTERVAL 5 s", IOTHUB_CLIENT_RETRY_INTERVAL, HOOK_NONE, 0, 0, 0, 0 },
    { "LINEAR_BACKOFF", IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, HOOK_NONE, 0, 0, 0, 0 },
    { "EXPONENTIAL_BACKOFF", IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, HOOK_NONE, 0, 0, 0, 0 },
    { "RANDOM", IOTHUB_CLIENT_RETRY_RANDOM, HOOK_NONE, 0, 0, 0, 0 },
    { "NONE", IOTHUB_CLIENT_RETRY_NONE, HOOK_NONE, 0, 0, 0, 0 },
    { "ours", -1, HOOK_NONE, 0, 0, 0, 0 }
};

/* ---- the world: what a run changes, and what is put back before the next one ---- */

typedef struct reply { uint64_t at; unsigned char bytes[4], size, closes; } reply;

#define REPLIES 6u

enum { STREAM_CLOSED, STREAM_OPENING, STREAM_OPEN };

typedef struct device {
    IOTHUB_PLATFORM platform;
    IOTHUB_DEVICE_CLIENT_HANDLE handle;
    uint64_t random;
    uint32_t tick_start;
    unsigned latency_ms;                         /* one way */
    uint64_t wake;                               /* when the client wants its DoWork */
    uint64_t sends[MESSAGES_MAXIMUM];            /* when the program gives it a message */
    unsigned char accepted, confirmed, failed;   /* messages: confirmed OK, and otherwise */
    unsigned char was_ready;                     /* the connection that failed had been accepted */
    unsigned char reached;                       /* the hub was, by this attempt */
    unsigned char back;
    /* stream */
    unsigned char stream, open_fails;
    uint64_t opens_at;
    reply replies[REPLIES];
    unsigned reply_count;
    /* hub */
    unsigned char up[384];                       /* bytes of a flight */
    unsigned up_size;
    uint64_t connect_at;                         /* its CONNECT arrives */
    unsigned pipelined;                          /* messages that came with it */
    unsigned pipelined_ids[MESSAGES_MAXIMUM];
    unsigned char admitted;
} device;

static struct world {
    uint64_t now;
    uint64_t connects_due, sends_due;            /* the two throttles: when the next one is due at the rate */
    unsigned heap[DEVICES], place[DEVICES];      /* devices by key, and where each stands */
    uint64_t keys[DEVICES];
    device devices[DEVICES];
} world, warm;

static unsigned char *blocks, *warm_blocks;      /* the clients */
static size_t block_size;

/* ---- a run: what is measured ---- */

typedef struct result {
    unsigned opens[CURVE_SECONDS];               /* attempts that began in this second after the hub's return */
    unsigned backs[CURVE_SECONDS];
    unsigned open_count, connect_count, admitted_count, back_count;
    unsigned opens_to_99, admitted_to_99;        /* until 99 % were back */
    uint64_t ms_to_50, ms_to_99, ms_to_100;      /* NEVER: they were not */
    unsigned messages, messages_ok;
    unsigned devices_unsettled;                  /* with a message that was not confirmed OK, exactly once */
    uint64_t hash;                               /* of each attempt and each return, in their order */
} result;

static struct run {
    const policy *policy;
    const hub_model *hub;                        /* NULL: it admits all */
    uint64_t cut, zero;                          /* zero: the hub is back; all curves count from here */
    int measuring;
    result *result;
} run;

static void mix(uint64_t value)
{
    run.result->hash = (run.result->hash ^ value) * 0x100000001B3u;
    run.result->hash ^= run.result->hash >> 29;
}

static int measured(void)
{
    return run.measuring && world.now >= run.zero && world.now < run.zero + SECONDS(CURVE_SECONDS);
}

static struct iothubi_client *client_of(const device *d)
{
    return (struct iothubi_client *)(void *)d->handle;
}

static void die(const char *why)
{
    printf("FAIL  fleet: %s\n", why);
    exit(1);
}

/* ---- the hub ---- */

static void reply_at(device *d, uint64_t at, unsigned first, unsigned value, unsigned size, int closes)
{
    reply *r = &d->replies[d->reply_count];
    if (d->reply_count == REPLIES) die("more replies under way than the model has room for");
    if (d->reply_count != 0 && d->replies[d->reply_count - 1u].at > at) {
        at = d->replies[d->reply_count - 1u].at;
    }
    r->at = at;
    r->bytes[0] = (unsigned char)first;
    r->bytes[1] = (unsigned char)(size != 0 ? size - 2u : 0);
    r->bytes[2] = (unsigned char)(value >> 8);
    r->bytes[3] = (unsigned char)value;
    r->size = (unsigned char)size;
    r->closes = (unsigned char)closes;
    d->reply_count += 1;
}

/* A token bucket, kept as the time when the next token is due at the rate (ITU-T I.371's virtual scheduling). Answers when one
   can be had, and takes it if that is within longest_ms; else NEVER. Those who wait are served in turn, and a CONNECT which
   would wait too long takes no one's turn: so the time is known as soon as it comes. */
static uint64_t take_turn(uint64_t *due, uint64_t now, uint64_t longest_ms)
{
    uint64_t burst = (HUB_BURST - 1u) * 1000u / HUB_RATE;
    uint64_t at = *due > now + burst ? *due - burst : now;
    if (at - now > longest_ms) {
        return NEVER;
    }
    *due = (*due > at ? *due : at) + 1000u / HUB_RATE;
    return at;
}

/* Sends are throttled as well, and that shows as late acknowledgements. */
static void hub_acknowledge(device *d, uint64_t arrived, unsigned id)
{
    uint64_t at = run.hub != NULL ? take_turn(&world.sends_due, arrived, NEVER) : arrived;
    reply_at(d, at + d->latency_ms, 0x40, id, 4, 0);
}

static void hub_connect(device *d)
{
    const hub_model *hub = run.hub;
    uint64_t at = hub != NULL ? take_turn(&world.connects_due, world.now, hub->queue_ms) : world.now;
    unsigned i;
    d->connect_at = NEVER;
    if (measured()) {
        run.result->connect_count += 1;
        run.result->admitted_count += at != NEVER;
    }
    if (at == NEVER) {
        at = world.now + hub->held_ms + d->latency_ms;
        if (hub->code != 0) {
            reply_at(d, at, 0x20, hub->code, 4, 0);
        }
        reply_at(d, at, 0, 0, 0, 1);
        return;
    }
    d->admitted = 1;
    reply_at(d, at + d->latency_ms, 0x20, 0, 4, 0);
    for (i = 0; i < d->pipelined; ++i) {
        hub_acknowledge(d, at, d->pipelined_ids[i]);
    }
}

static void hub_publish(device *d, const unsigned char *body)
{
    unsigned topic = (unsigned)body[0] << 8 | body[1], id = (unsigned)body[2 + topic] << 8 | body[3 + topic];
    if (d->admitted) {
        hub_acknowledge(d, world.now + d->latency_ms, id);
    } else if (d->pipelined < MESSAGES_MAXIMUM) {
        d->pipelined_ids[d->pipelined++] = id;
    }
}

/* A flight was pushed: all its packets are whole, and shorter than 128 bytes but for CONNECT. */
static void hub_take(device *d)
{
    unsigned at = 0;
    while (at < d->up_size) {
        unsigned head = 2, length = d->up[at + 1u] & 127u;
        if (d->up[at + 1u] & 128u) {
            head = 3;
            length |= (unsigned)d->up[at + 2u] << 7;
        }
        if (at + head + length > d->up_size) die("half a packet was pushed");
        switch (d->up[at] >> 4) {
        case 1: d->connect_at = world.now + d->latency_ms; break;
        case 3: hub_publish(d, d->up + at + head); break;
        case 12: reply_at(d, world.now + 2u * d->latency_ms, 0xD0, 0, 2, 0); break;
        default: break;
        }
        at += head + length;
    }
    d->up_size = 0;
}

/* ---- the platform of a device ---- */

/* Name, TCP and TLS take 150 to 400 ms when the hub is there; 200 to 2000 ms until an attempt fails when it is not. */
static int on_open(void *context, const char *host, unsigned int port)
{
    device *d = (device *)context;
    (void)host;
    (void)port;
    if (d->stream == STREAM_CLOSED) {
        d->stream = STREAM_OPENING;
        d->open_fails = run.measuring && world.now >= run.cut && world.now < run.zero;
        d->opens_at = world.now + (d->open_fails ? between(&d->random, 200, 2000) : between(&d->random, 150, 400));
        d->reached = 0;
        if (measured()) {
            run.result->opens[(world.now - run.zero) / 1000u] += 1;
            run.result->open_count += 1;
            mix(world.now << 20 | (unsigned)(d - world.devices));
        }
    }
    if (world.now < d->opens_at) {
        return 0;
    }
    if (d->open_fails) {
        return -1;
    }
    d->stream = STREAM_OPEN;
    d->reached = 1;
    return 1;
}

static int on_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    device *d = (device *)context;
    reply r = d->replies[0];
    unsigned i;
    if (d->reply_count == 0 || r.at > world.now) {
        return 0;
    }
    if (r.closes || r.size > capacity) {
        return -1;
    }
    for (i = 1; i < d->reply_count; ++i) {
        d->replies[i - 1u] = d->replies[i];
    }
    d->reply_count -= 1;
    memcpy(bytes, r.bytes, r.size);
    return r.size;
}

static int on_write(void *context, const unsigned char *bytes, unsigned int size)
{
    device *d = (device *)context;
    if (size == 0) {
        hub_take(d);
        return 1;
    }
    if (size > sizeof d->up - d->up_size) die("a flight is longer than the model expects");
    memcpy(d->up + d->up_size, bytes, size);
    d->up_size += size;
    return (int)size;
}

static void on_close(void *context)
{
    device *d = (device *)context;
    d->stream = STREAM_CLOSED;
    d->reply_count = d->up_size = d->pipelined = 0;
    d->admitted = 0;
    d->connect_at = NEVER;
}

static uint32_t on_milliseconds(void *context)
{
    return (uint32_t)((world.now + ((const device *)context)->tick_start) & 0xFFFFFFFFu);
}

static uint32_t on_unix_time(void *context)
{
    (void)context;
    return (uint32_t)(1893452400u + world.now / 1000u);
}

static int on_random(void *context, unsigned char *bytes, unsigned int size)
{
    while (size != 0) {
        bytes[--size] = (unsigned char)draw(&((device *)context)->random);
    }
    return 0;
}

static int on_hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32])
{
    (void)context; (void)key; (void)key_size; (void)data; (void)data_size; (void)digest;
    return -1;                                   /* the devices have certificates */
}

/* ---- policies that the client does not have ---- */

/* azure-iot-sdk-c's exponential back-off with jitter, its default: after a loss at once, then, with n retries made,
   floor(min(2^(n-1), 30) * (1 + r)) seconds, r from 0 to 0.05 (behaviour.md, section 11). */
static uint32_t sdk_delay_ms(unsigned count, uint32_t random)
{
    uint32_t seconds = count < 2 ? 0 : iothubi_retry_doubled(1, count - 2u, 30);
    return (seconds + (uint32_t)(((uint64_t)seconds * random / 20u) >> 32)) * 1000u;
}

/* Ours, from the same random number that the client used (the state of xorshift is its output), with what is tried. */
static uint32_t our_delay_ms(const policy *p, const device *d, const iothubi_retry *retry, uint32_t random)
{
    uint32_t cap = (d->reached ? iothubi_retry_doubled(p->refused_s, retry->answered != 0 ? retry->answered - 1u : 0, IOTHUBI_RETRY_CAP_MAXIMUM_S) : p->unreached_s) * 1000u;
    if (d->was_ready && p->loss_s != 0) {
        return iothubi_uniform(random, p->loss_s * 1000u);
    }
    return iothubi_uniform(random, d->reached && !d->was_ready && !p->refused_creeps ? cap : iothubi_retry_doubled(1000, retry->count, cap));
}

static void note_back(device *d)
{
    result *r = run.result;
    uint64_t after = world.now - run.zero;
    d->back = 1;
    r->backs[after / 1000u] += 1;
    r->back_count += 1;
    mix(after << 20 | (unsigned)(d - world.devices));
    if (r->back_count == (DEVICES + 1u) / 2u) {
        r->ms_to_50 = after;
    }
    if (r->back_count == DEVICES - DEVICES / 100u) {
        r->ms_to_99 = after;
        r->opens_to_99 = r->open_count;
        r->admitted_to_99 = r->back_count;
    }
    if (r->back_count == DEVICES) {
        r->ms_to_100 = after;
    }
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    device *d = (device *)context;
    iothubi_retry *retry = &client_of(d)->retry;
    unsigned hook = run.policy != NULL ? run.policy->hook : (unsigned)HOOK_NONE;
    (void)reason;
    if (status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED) {
        d->was_ready = 1;
        if (measured() && !d->back) {
            note_back(d);
        }
        return;
    }
    if (client_of(d)->state == IOTHUBI_WAITING) { /* it has just failed and drawn a delay */
        if (hook == HOOK_SDK) {
            retry->delay_ms = sdk_delay_ms(retry->count, client_of(d)->random);
        } else if (hook == HOOK_OURS) {
            retry->delay_ms = our_delay_ms(run.policy, d, retry, client_of(d)->random);
        }
        d->was_ready = 0;
    }
}

/* ---- the program on a device ---- */

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT outcome, void *context)
{
    device *d = (device *)context;
    if (outcome == IOTHUB_CLIENT_CONFIRMATION_OK) {
        d->confirmed += 1;
        run.result->messages_ok += 1;
    } else {
        d->failed += 1;
    }
}

static void send_due(device *d)
{
    static const unsigned char body[] = "21.5";
    static void *storage[48];
    unsigned i;
    for (i = 0; i < MESSAGES_MAXIMUM; ++i) {
        if (d->sends[i] <= world.now) {
            IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, body, sizeof body - 1u);
            d->sends[i] = NEVER;
            if (IoTHubDeviceClient_SendEventAsync(d->handle, message, on_confirmation, d) != IOTHUB_CLIENT_OK) {
                die("a device refuses a message for which it has room");
            }
            IoTHubMessage_Destroy(message);
            d->accepted += 1;
            run.result->messages += 1;
        }
    }
}

/* ---- time: a heap of devices, by when something happens to each ---- */

static int earlier(unsigned a, unsigned b)
{
    return world.keys[a] != world.keys[b] ? world.keys[a] < world.keys[b] : a < b;
}

static void heap_put(unsigned at, unsigned index)
{
    world.heap[at] = index;
    world.place[index] = at;
}

static void heap_moved(unsigned index)
{
    unsigned at = world.place[index];
    while (at != 0 && earlier(index, world.heap[(at - 1u) / 2u])) {
        heap_put(at, world.heap[(at - 1u) / 2u]);
        at = (at - 1u) / 2u;
    }
    for (;;) {
        unsigned child = 2u * at + 1u;
        if (child + 1u < DEVICES && earlier(world.heap[child + 1u], world.heap[child])) {
            child += 1u;
        }
        if (child >= DEVICES || !earlier(world.heap[child], index)) {
            break;
        }
        heap_put(at, world.heap[child]);
        at = child;
    }
    heap_put(at, index);
}

static void plan(device *d)
{
    unsigned i, index = (unsigned)(d - world.devices);
    uint64_t key = d->wake;
    key = d->connect_at < key ? d->connect_at : key;
    key = d->reply_count != 0 && d->replies[0].at < key ? d->replies[0].at : key;
    for (i = 0; i < MESSAGES_MAXIMUM; ++i) {
        key = d->sends[i] < key ? d->sends[i] : key;
    }
    world.keys[index] = key < world.now ? world.now : key;
    heap_moved(index);
}

/* A stream that is being opened wakes its program when that is done, as select would: the client asks for a look each 10 ms. */
static void work(device *d)
{
    unsigned steps = 0;
    uint32_t next;
    do {
        IoTHubDeviceClient_DoWork(d->handle);
        next = IoTHubDeviceClient_GetNextWork(d->handle);
    } while (next == 0 && ++steps < 1000u);
    if (next == 0) die("a client wants DoWork at once for ever");
    d->wake = d->stream == STREAM_OPENING ? d->opens_at : world.now + next;
}

static void happen(device *d)
{
    if (d->connect_at <= world.now) {
        hub_connect(d);
    }
    send_due(d);
    if (d->wake <= world.now || (d->reply_count != 0 && d->replies[0].at <= world.now)) {
        work(d);
    } else {                                     /* a message may have brought its next work nearer */
        uint32_t next = IoTHubDeviceClient_GetNextWork(d->handle);
        d->wake = d->stream == STREAM_OPENING ? d->opens_at : world.now + next;
    }
    plan(d);
}

static void run_until(uint64_t end)
{
    while (world.keys[world.heap[0]] <= end) {
        world.now = world.keys[world.heap[0]];
        happen(&world.devices[world.heap[0]]);
        if (run.measuring && run.result->back_count == DEVICES && run.result->messages_ok == run.result->messages
            && world.now >= run.zero + SECONDS(2)) {
            return;
        }
    }
    world.now = end;
}

/* ---- before the outage: one start for all runs ---- */

static void create(device *d, unsigned index, uint64_t seed)
{
    static const uint32_t ticks[4] = { 0, 0x7FFFF000u, 0xFFF00000u, 0xFFFFFF00u };
    char string[80];
    IOTHUB_MEMORY memory;
    unsigned i;
    d->random = seed * 0x9E3779B97F4A7C15u + (uint64_t)index * 0xD1B54A32D192ED03u;
    d->tick_start = index % 8u < 4u ? ticks[index % 8u] : draw(&d->random);
    d->latency_ms = between(&d->random, 10, 60);
    d->platform.io.context = d->platform.context = d;
    d->platform.io.open = on_open;
    d->platform.io.read = on_read;
    d->platform.io.write = on_write;
    d->platform.io.close = on_close;
    d->platform.milliseconds = on_milliseconds;
    d->platform.unix_time = on_unix_time;
    d->platform.random = on_random;
    d->platform.hmac_sha256 = on_hmac;
    on_close(d);
    for (i = 0; i < MESSAGES_MAXIMUM; ++i) {
        d->sends[i] = NEVER;
    }
    d->wake = between(&d->random, 0, 60000);     /* switched on within a minute */
    sprintf(string, "HostName=hub.example.net;DeviceId=d%05u;x509=true", index + 1u);
    memset(&memory, 0, sizeof memory);
    memory.outbox_messages = MESSAGES_MAXIMUM;
    memory.outbox_size = MESSAGES_MAXIMUM * sizeof(iothubi_record) + 128u;
    memory.inbox_size = IOTHUB_INBOX_MINIMUM;
    memory.block_size = IoTHub_ClientSize(string, MQTT_Protocol, memory.outbox_size, memory.inbox_size);
    if (blocks == NULL) {
        block_size = (memory.block_size + 15u) & ~(size_t)15u;
        blocks = (unsigned char *)calloc(DEVICES, block_size);
        warm_blocks = (unsigned char *)calloc(DEVICES, block_size);
        if (blocks == NULL || warm_blocks == NULL) die("no memory");
    }
    memory.block = blocks + index * block_size;
    d->handle = IoTHubDeviceClient_CreateInPlace(string, MQTT_Protocol, &d->platform, &memory);
    if (d->handle == NULL || IoTHubDeviceClient_SetConnectionStatusCallback(d->handle, on_status, d) != IOTHUB_CLIENT_OK) {
        die("a client cannot be created");
    }
}

static void warm_up(uint64_t seed)
{
    static result unused;
    unsigned i;
    run.result = &unused;
    for (i = 0; i < DEVICES; ++i) {
        create(&world.devices[i], i, seed);
        world.keys[i] = world.devices[i].wake;
        heap_put(i, i);
    }
    for (i = 0; i < DEVICES; ++i) {
        heap_moved(i);
    }
    run_until(WARM_UP);
    for (i = 0; i < DEVICES; ++i) {
        if (client_of(&world.devices[i])->state != IOTHUBI_READY) die("not all are connected before the outage");
    }
    warm = world;
    memcpy(warm_blocks, blocks, DEVICES * block_size);
}

/* ---- a run ---- */

/* Every connection ends; on its way is nothing any more. The program gives each device a message or two meanwhile. */
static void cut(uint64_t outage_ms)
{
    uint64_t luck = world.devices[0].random ^ outage_ms;
    uint32_t span = outage_ms != 0 ? (uint32_t)outage_ms : 2000u;
    unsigned i, m;
    for (i = 0; i < DEVICES; ++i) {
        device *d = &world.devices[i];
        unsigned messages = between(&luck, 1, MESSAGES_MAXIMUM);
        for (m = 0; m < messages; ++m) {
            d->sends[m] = world.now + between(&luck, 0, span - 1u);
        }
        d->reply_count = 0;
        reply_at(d, world.now + d->latency_ms, 0, 0, 0, 1);
        plan(d);
    }
}

static void fleet_run(result *r, const policy *p, const hub_model *hub, const scenario *s)
{
    unsigned i;
    memset(r, 0, sizeof *r);
    r->ms_to_50 = r->ms_to_99 = r->ms_to_100 = NEVER;
    memcpy(&world, &warm, sizeof world);         /* the clients' addresses are the same: they notice nothing */
    memcpy(blocks, warm_blocks, DEVICES * block_size);
    run.policy = p;
    run.hub = hub;
    run.result = r;
    run.cut = world.now;
    run.zero = world.now + SECONDS(s->outage_s);
    run.measuring = 1;
    world.connects_due = world.sends_due = 0;
    for (i = 0; i < DEVICES && p->set >= 0; ++i) {
        IoTHubDeviceClient_SetRetryPolicy(world.devices[i].handle, (IOTHUB_CLIENT_RETRY_POLICY)p->set, 0);
        world.devices[i].wake = world.now;
    }
    cut(SECONDS(s->outage_s));
    run_until(run.zero + SECONDS(CURVE_SECONDS) - 1u);
    run.measuring = 0;
    for (i = 0; i < DEVICES; ++i) {
        const device *d = &world.devices[i];
        r->devices_unsettled += d->accepted == 0 || d->confirmed != d->accepted || d->failed != 0;
    }
}

/* ---- what a run says ---- */

/* Attempts until 99 % are back, in hundredths of what the hub admitted in that time. The criterion: at most 150. */
static unsigned share(const result *r)
{
    return r->ms_to_99 != NEVER ? (unsigned)((uint64_t)r->opens_to_99 * 100u / r->admitted_to_99) : 0;
}

static int within(const result *r)
{
    return r->ms_to_99 != NEVER && r->opens_to_99 * 2u <= r->admitted_to_99 * 3u;
}

static unsigned peak(const result *r)
{
    unsigned i, most = 0;
    for (i = 0; i < CURVE_SECONDS; ++i) {
        most = r->opens[i] > most ? r->opens[i] : most;
    }
    return most;
}

/* Waves: the greatest ratio of a second to the mean of the ten seconds around it, in hundredths, from second 10 on (before that
   the mean itself falls steeply). A mean below 25 counts as 25: the luck of a few is no wave. */
#define WAVES_FROM_S 10u
#define WAVES_MAXIMUM 200u

static unsigned waves(const result *r)
{
    unsigned i, j, last = CURVE_SECONDS - 6u, most = 0;
    while (last > WAVES_FROM_S && r->opens[last] == 0) {
        --last;
    }
    for (i = WAVES_FROM_S; i <= last; ++i) {
        unsigned sum = 0;
        for (j = i - 5u; j <= i + 5u; ++j) {
            sum += j != i ? r->opens[j] : 0;
        }
        sum = sum > 250u ? sum : 250u;
        most = r->opens[i] * 1000u / sum > most ? r->opens[i] * 1000u / sum : most;
    }
    return most;
}

static void print_time(uint64_t ms)
{
    if (ms == NEVER) {
        printf("   never");
    } else {
        printf(" %5u.%u", (unsigned)(ms / 1000u), (unsigned)(ms % 1000u / 100u));
    }
}

static void print_head(void)
{
    printf("\n%-38s %-21s %6s %8s %6s %6s %7s %7s %7s  %-6s %5s\n", "policy", "scenario", "peak/s", "attempts", "x hub", "mean/s",
        "50 % s", "99 % s", "100 % s", "<=1.5x", "waves");
}

static void print_result(const char *name, const char *what, const result *r)
{
    unsigned mean = r->ms_to_99 != NEVER ? (unsigned)((uint64_t)r->opens_to_99 * 1000u / r->ms_to_99) : 0;
    unsigned attempts = r->ms_to_99 != NEVER ? (unsigned)((uint64_t)r->opens_to_99 * 100u / DEVICES) : 0;
    printf("%-38s %-21s %6u", name, what, peak(r));
    if (r->ms_to_99 != NEVER) {
        printf(" %5u.%02u %3u.%02u %6u", attempts / 100u, attempts % 100u, share(r) / 100u, share(r) % 100u, mean);
    } else {
        printf(" %8s %6s %6s", "-", "-", "-");
    }
    print_time(r->ms_to_50);
    print_time(r->ms_to_99);
    print_time(r->ms_to_100);
    printf("  %-6s %2u.%02u\n", r->ms_to_99 == NEVER ? "-" : within(r) ? "yes" : "no", waves(r) / 100u, waves(r) % 100u);
    fflush(stdout);
}

/* ---- what must hold ---- */

static unsigned failures;

static void check(int holds, const char *what)
{
    printf("%-5s fleet: %s\n", holds ? "ok" : "FAIL", what);
    failures += !holds;
}

static int all_back(const result *r)
{
    return r->back_count == DEVICES && r->ms_to_100 != NEVER;
}

static int all_confirmed(const result *r)
{
    return r->devices_unsettled == 0 && r->messages_ok == r->messages;
}

/* Each attempt is one open with one CONNECT, and no device was admitted twice. */
static int consistent(const result *r)
{
    return r->connect_count == r->open_count && r->admitted_count == DEVICES;
}

static const hub_model *main_hub(void)
{
    return &hub_models[HUB_HOLDS];
}

static void ours_print(const policy *p, const char *note, const scenario *s, const hub_model *hub, result *r)
{
    char name[64];
    unsigned unreached = p->hook == HOOK_OURS ? p->unreached_s : IOTHUBI_RETRY_CAP_UNREACHED_S;
    unsigned refused = p->hook == HOOK_OURS ? p->refused_s : IOTHUBI_RETRY_CAP_REFUSED_S;
    fleet_run(r, p, hub, s);
    sprintf(name, "ours, %u/%u s%s%s", unreached, refused, *note != '\0' ? "; " : "", note);
    print_result(name, s->name, r);
}

/* Each policy through a scenario; ours last, and *r keeps its run. Answers whether all others came back whole. */
static int compare(const scenario *s, result *r)
{
    int whole = 1;
    unsigned i;
    print_head();
    for (i = 0; i < OURS; ++i) {
        fleet_run(r, &policies[i], main_hub(), s);
        print_result(policies[i].name, s->name, r);
        whole &= policies[i].set == IOTHUB_CLIENT_RETRY_NONE || (all_back(r) && all_confirmed(r) && consistent(r));
    }
    ours_print(&policies[OURS], "", s, main_hub(), r);
    return whole;
}

/* What ours could be: the caps that it had, those that the sweep finds; and what would mend scenario b. */
static void variants(const scenario *s)
{
    static const policy caps[] = {
        { "", -1, HOOK_OURS, 30, 300, 1, 0 },    /* before they were tuned */
        { "", -1, HOOK_OURS, 135, 30, 0, 0 }
    };
    static const struct { policy p; const char *note; } mends[] = {
        { { "", -1, HOOK_OURS, CAPS_COMPILED, 1, 0 }, "refused: from 1 s" },
        { { "", -1, HOOK_OURS, CAPS_COMPILED, 0, 90 }, "lost: up to 90 s" }
    };
    static result r;
    unsigned i;
    for (i = 0; i < sizeof caps / sizeof caps[0]; ++i) {
        if (caps[i].unreached_s != IOTHUBI_RETRY_CAP_UNREACHED_S || caps[i].refused_s != IOTHUBI_RETRY_CAP_REFUSED_S) {
            ours_print(&caps[i], "", s, main_hub(), &r);
        }
    }
    for (i = 0; i < sizeof mends / sizeof mends[0] && s != &scenarios[AFTER_OUTAGE]; ++i) {
        ours_print(&mends[i].p, mends[i].note, s, main_hub(), &r);
    }
}

/* The table and the checks. */
static void fleet_table(void)
{
    static const policy hook = { "", -1, HOOK_OURS, CAPS_COMPILED, 0, 0 };
    static result r, hooked;
    int back = 1, confirmed = 1, whole = 1, right = 1, good = 1, calm = 1, same = 1;
    unsigned i, s;
    for (s = 0; s < SCENARIOS; ++s) {
        whole &= compare(&scenarios[s], &r);
        fleet_run(&hooked, &hook, main_hub(), &scenarios[s]);
        same &= hooked.hash == r.hash && hooked.open_count == r.open_count;
        calm &= waves(&r) <= WAVES_MAXIMUM;
        variants(&scenarios[s]);
    }
    printf("\nOurs, by what the hub does with a CONNECT above its rate:\n");
    for (s = 0; s < SCENARIOS; ++s) {
        print_head();
        for (i = 0; i < HUB_MODELS; ++i) {
            fleet_run(&r, &policies[OURS], &hub_models[i], &scenarios[s]);
            print_result(hub_models[i].name, scenarios[s].name, &r);
            good &= s != AFTER_OUTAGE || within(&r);
            calm &= s != AFTER_OUTAGE || waves(&r) <= WAVES_MAXIMUM;
            back &= all_back(&r);
            confirmed &= all_confirmed(&r);
            right &= consistent(&r);
        }
    }
    printf("\nours: at most %u s while the hub is not reached, %u s when it refuses or cuts, doubled each time up to %u s. When an outage\n"
        "ends a device waits %u s at most and %u s in the mean; %u devices that are refused for good make %u attempts a second.\n\n",
        IOTHUBI_RETRY_CAP_UNREACHED_S, IOTHUBI_RETRY_CAP_REFUSED_S, IOTHUBI_RETRY_CAP_MAXIMUM_S, IOTHUBI_RETRY_CAP_UNREACHED_S,
        IOTHUBI_RETRY_CAP_UNREACHED_S / 3u, DEVICES, DEVICES * 2u / IOTHUBI_RETRY_CAP_MAXIMUM_S);
    check(good, "ours, after an outage: at most 1.5 attempts for each that the hub admits, whatever it does above its rate");
    check(calm, "ours: no waves; from second 10 on none has more than twice the mean of the ten around it");
    check(back, "ours: all devices come back, in each scenario, to each hub");
    check(confirmed, "ours: each message that was accepted meanwhile is confirmed OK");
    check(right, "ours: each attempt is one open and one CONNECT, and each device is admitted once");
    check(whole, "all other policies, NONE excepted: likewise");
    check(same, "our policy put in through the hook gives the run that it gives without, attempt by attempt");
}

/* ---- --sweep ---- */

static const unsigned sweep_unreached[] = { 30, 45, 60, 75, 90, 105, 120, 135, 150, 180, 240, 300 };
static const unsigned sweep_refused[] = { 15, 30, 45, 60, 75, 90, 120, 180, 300 };

enum { ROWS = sizeof sweep_unreached / sizeof sweep_unreached[0], COLUMNS = sizeof sweep_refused / sizeof sweep_refused[0] };

/* One choice of caps, at the hub where it does worst. */
typedef struct cell { unsigned tenths_to_99, share, outside; } cell;

static cell sweep_run(unsigned row, unsigned column, const hub_model *hub, const scenario *s)
{
    static result r;
    const policy p = { "", -1, HOOK_OURS, sweep_unreached[row], sweep_refused[column], 0, 0 };
    cell c;
    fleet_run(&r, &p, hub, s);
    c.tenths_to_99 = r.ms_to_99 != NEVER ? (unsigned)(r.ms_to_99 / 100u) : 99999u;
    c.share = share(&r);
    c.outside = !within(&r);
    return c;
}

static void cell_worst(cell *worst, const cell *c)
{
    worst->tenths_to_99 = c->tenths_to_99 > worst->tenths_to_99 ? c->tenths_to_99 : worst->tenths_to_99;
    worst->share = c->share > worst->share ? c->share : worst->share;
    worst->outside |= c->outside;
}

/* One table; hub NULL: what *worst holds. */
static void sweep_table(const hub_model *hub, cell worst[ROWS][COLUMNS])
{
    unsigned i, j;
    printf("\nScenario a, hub %s: seconds until 99 %% are back, and attempts in hundredths of what it admitted by then;\n"
        "* at most 150. Down: the cap while the hub is not reached; across: once it refuses, in seconds.\n     ",
        hub != NULL ? hub->name : "where each does worst");
    for (j = 0; j < COLUMNS; ++j) {
        printf("%10u  ", sweep_refused[j]);
    }
    for (i = 0; i < ROWS; ++i) {
        printf("\n%5u", sweep_unreached[i]);
        for (j = 0; j < COLUMNS; ++j) {
            cell c = worst[i][j];
            if (hub != NULL) {
                c = sweep_run(i, j, hub, &scenarios[AFTER_OUTAGE]);
                cell_worst(&worst[i][j], &c);
            }
            printf("  %4u.%u %3u%c", c.tenths_to_99 / 10u, c.tenths_to_99 % 10u, c.share, c.outside ? ' ' : '*');
        }
        fflush(stdout);
    }
    printf("\n");
}

static void sweep(void)
{
    static cell worst[ROWS][COLUMNS];
    unsigned i, j, low = 0xFFFFFFFFu, high = 0;
    const cell *best = NULL;
    for (i = 0; i < HUB_MODELS; ++i) {
        if (i != HUB_REFUSES) {                  /* to the policy it is a close at once, as fleet shows */
            sweep_table(&hub_models[i], worst);
        }
    }
    sweep_table(NULL, worst);
    for (i = 0; i < ROWS; ++i) {
        for (j = 0; j < COLUMNS; ++j) {
            cell c = sweep_run(i, j, main_hub(), &scenarios[CUT_AT_ONCE]);
            low = c.share < low ? c.share : low;
            high = c.share > high ? c.share : high;
            if (!worst[i][j].outside && (best == NULL || worst[i][j].tenths_to_99 < best->tenths_to_99)) {
                best = &worst[i][j];
            }
        }
    }
    printf("\nScenario b, hub %s: whatever the caps, %u.%02u to %u.%02u attempts for each that it admits.\n", main_hub()->name,
        low / 100u, low % 100u, high / 100u, high % 100u);
    if (best != NULL) {
        unsigned index = (unsigned)(best - &worst[0][0]);
        printf("Lowest time until 99 %% are back within 1.5 attempts, at each hub: %u.%u s, with caps of %u s (not reached) and %u s (refused).\n",
            best->tenths_to_99 / 10u, best->tenths_to_99 % 10u, sweep_unreached[index / COLUMNS], sweep_refused[index % COLUMNS]);
    }
    printf("Compiled in: %u s and %u s.\n", IOTHUBI_RETRY_CAP_UNREACHED_S, IOTHUBI_RETRY_CAP_REFUSED_S);
}

/* ---- --svg: units are half pixels ---- */

#define SVG_SECONDS 240u
#define SVG_LEFT 130u
#define SVG_STEP 6u                              /* a second */
#define SVG_RIGHT (SVG_LEFT + SVG_SECONDS * SVG_STEP)
#define SVG_TOP 370u                             /* attempts: 0, and from 1 up to 10,000 in four decades */
#define SVG_DECADE 130u
#define SVG_ONE (SVG_TOP + 4u * SVG_DECADE)
#define SVG_BOTTOM (SVG_ONE + 30u)
#define SVG_BACK_TOP (SVG_BOTTOM + 120u)         /* devices back */
#define SVG_BACK_BOTTOM (SVG_BACK_TOP + 260u)

/* Base-2 logarithm in 1/4096: the integer part, then a bit for each squaring. */
static unsigned log2_4096(uint32_t value)
{
    unsigned whole = 0, bits = 0, i;
    uint64_t x = value;
    while (value >> (whole + 1u) != 0) {
        ++whole;
    }
    x = (x << 31) >> whole;                      /* 1 to 2, with 31 bits behind the point */
    for (i = 0; i < 12; ++i) {
        x = x * x >> 31;
        bits <<= 1;
        if (x >> 32 != 0) {
            bits |= 1u;
            x >>= 1;
        }
    }
    return whole * 4096u + bits;
}

static unsigned svg_y(unsigned attempts)
{
    return attempts == 0 ? SVG_BOTTOM : SVG_ONE - log2_4096(attempts) * SVG_DECADE / log2_4096(10);
}

static void svg_text(FILE *f, unsigned x, unsigned y, const char *anchor, const char *text)
{
    fprintf(f, "<text x=\"%u\" y=\"%u\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, text);
}

static void svg_axes(FILE *f)
{
    static const struct { unsigned value; const char *text; } ticks[] = {
        { 0, "0" }, { 1, "1" }, { 10, "10" }, { 100, "100" }, { 1000, "1,000" }, { 10000, "10,000" }
    };
    static const char *const shares[] = { "0 %", "50 %", "100 %" };
    char text[16];
    unsigned i;
    for (i = 0; i < sizeof ticks / sizeof ticks[0]; ++i) {
        unsigned y = svg_y(ticks[i].value);
        if (ticks[i].value != 0) {
            fprintf(f, "<path class=\"g\" d=\"M%u %uH%u\"/>\n", SVG_LEFT, y, SVG_RIGHT);
        }
        svg_text(f, SVG_LEFT - 14u, y + 9u, "end", ticks[i].text);
    }
    for (i = 0; i < 3; ++i) {
        unsigned y = SVG_BACK_BOTTOM - i * (SVG_BACK_BOTTOM - SVG_BACK_TOP) / 2u;
        fprintf(f, "<path class=\"g\" d=\"M%u %uH%u\"/>\n", SVG_LEFT, y, SVG_RIGHT);
        svg_text(f, SVG_LEFT - 14u, y + 9u, "end", shares[i]);
    }
    for (i = 0; i <= SVG_SECONDS; i += 30u) {
        unsigned x = SVG_LEFT + i * SVG_STEP;
        fprintf(f, "<path class=\"g\" d=\"M%u %uV%uM%u %uV%u\"/>\n", x, SVG_TOP - 10u, SVG_BOTTOM, x, SVG_BACK_TOP, SVG_BACK_BOTTOM);
        sprintf(text, "%u", i);
        svg_text(f, x, SVG_BACK_BOTTOM + 38u, "middle", text);
    }
    fprintf(f, "<path class=\"a\" d=\"M%u %uH%uM%u %uH%u\"/>\n", SVG_LEFT, SVG_BOTTOM, SVG_RIGHT, SVG_LEFT, SVG_BACK_BOTTOM, SVG_RIGHT);
    fprintf(f, "<path class=\"h\" d=\"M%u %uH%u\"/>\n", SVG_LEFT, svg_y(HUB_RATE), SVG_RIGHT);
    svg_text(f, SVG_LEFT, SVG_TOP - 30u, "start", "attempts in each second");
    svg_text(f, SVG_LEFT, SVG_BACK_TOP - 24u, "start", "devices that are back");
    svg_text(f, (SVG_LEFT + SVG_RIGHT) / 2u, SVG_BACK_BOTTOM + 80u, "middle", "seconds since the hub is reachable again");
}

static void svg_curves(FILE *f, const char *mark, const result *r)
{
    unsigned i, back = 0, last = SVG_BACK_BOTTOM, end = SVG_SECONDS - 1u, y;
    while (end > 1 && r->opens[end - 1u] == 0) {
        --end;                                   /* the curve ends behind the last attempt */
    }
    fprintf(f, "<path class=\"%s\" d=\"M", mark);
    for (i = 0; i <= end; ++i) {
        fprintf(f, "%u %u%s", SVG_LEFT + i * SVG_STEP + SVG_STEP / 2u, svg_y(r->opens[i]), i == 0 ? "L" : i < end ? " " : "");
    }
    fprintf(f, "M%u %uL", SVG_LEFT, SVG_BACK_BOTTOM);
    for (i = 0; i < SVG_SECONDS; ++i) {
        back += r->backs[i];
        y = SVG_BACK_BOTTOM - (unsigned)((uint64_t)back * (SVG_BACK_BOTTOM - SVG_BACK_TOP) / DEVICES);
        if (y != last || i + 1u == SVG_SECONDS) {
            fprintf(f, "%u %u ", SVG_LEFT + (i + 1u) * SVG_STEP, y);
            last = y;
        }
    }
    fprintf(f, "\"/>\n");
}

static void svg_key(FILE *f, unsigned line, const char *mark, const char *text)
{
    unsigned y = 100u + 46u * line;
    fprintf(f, "<path class=\"%s\" d=\"M%u %uh60\"/>\n", mark, SVG_LEFT, y - 8u);
    svg_text(f, SVG_LEFT + 80u, y, "start", text);
}

static void svg_legend(FILE *f, unsigned line, const char *mark, const char *name, const result *r)
{
    unsigned attempts = (unsigned)(((uint64_t)r->opens_to_99 * 10u + DEVICES / 2u) / DEVICES);
    char text[160];
    sprintf(text, "%s: 99 %% are back after %u s, with %u.%u attempts a device", name, (unsigned)((r->ms_to_99 + 500u) / 1000u),
        attempts / 10u, attempts % 10u);
    svg_key(f, line, mark, text);
}

static void svg(const char *path)
{
    static const struct { unsigned policy; const char *mark, *name; } curves[3] = {
        { SDK_INTERVAL, "i", "every 5 s" },
        { SDK_DEFAULT, "d", "default of Microsoft&#8217;s SDK" },
        { OURS, "o", "this client" }
    };
    static result results[3];
    FILE *f = fopen(path, "wb");
    char text[80];
    unsigned i;
    if (f == NULL) die("the SVG cannot be written");
    for (i = 0; i < 3; ++i) {
        fleet_run(&results[i], &policies[curves[i].policy], main_hub(), &scenarios[AFTER_OUTAGE]);
        if (results[i].ms_to_99 == NEVER) die("a curve without an end");
    }
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" width=\"%u\" height=\"%u\" role=\"img\">\n",
        SVG_RIGHT + 50u, SVG_BACK_BOTTOM + 110u, (SVG_RIGHT + 50u) / 2u, (SVG_BACK_BOTTOM + 110u) / 2u);
    fprintf(f, "<title>A fleet comes back after an outage: attempts to connect in each second, and devices that are back</title>\n");
    fprintf(f, "<style>text{font:26px system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif;fill:#6e7781}.t{font-size:30px;font-weight:600}"
        "path{fill:none;stroke-width:4;stroke-linejoin:round}.g{stroke:#6e7781;stroke-opacity:.22;stroke-width:2}"
        ".a{stroke:#6e7781;stroke-width:2}.h{stroke:#6e7781;stroke-dasharray:12 10;stroke-width:3}"
        ".o{stroke:#2f81f7;stroke-width:6}.d{stroke:#e0762a}.i{stroke:#a371f7;stroke-width:3}</style>\n");
    fprintf(f, "<text class=\"t\" x=\"%u\" y=\"44\">%u,%03u devices come back after an outage of ten minutes</text>\n", SVG_LEFT,
        DEVICES / 1000u, DEVICES % 1000u);
    for (i = 0; i < 3; ++i) {
        svg_legend(f, i, curves[2u - i].mark, curves[2u - i].name, &results[2u - i]);
    }
    sprintf(text, "the hub admits %u new connections a second", HUB_RATE);
    svg_key(f, 3, "h", text);
    svg_axes(f);
    for (i = 0; i < 3; ++i) {
        svg_curves(f, curves[i].mark, &results[i]);
    }
    fprintf(f, "</svg>\n");
    if (fclose(f) != 0) die("the SVG cannot be written");
    printf("fleet: wrote %s\n", path);
}

int main(int count, char **arguments)
{
    const char *picture = NULL;
    uint64_t seed = 22;
    int i, sweeps = 0;
    for (i = 1; i < count; ++i) {
        if (strcmp(arguments[i], "--sweep") == 0) {
            sweeps = 1;
        } else if (strcmp(arguments[i], "--svg") == 0 && i + 1 < count) {
            picture = arguments[++i];
        } else if (strcmp(arguments[i], "--seed") == 0 && i + 1 < count) {
            seed = strtoul(arguments[++i], NULL, 10);
        } else {
            printf("usage: fleet [--seed N] [--sweep] [--svg FILE]\n");
            return 2;
        }
    }
    warm_up(seed);
    printf("fleet: %u devices, a hub that admits %u connections a second and %s; seed %u\n", DEVICES, HUB_RATE,
        main_hub()->name, (unsigned)seed);
    if (picture != NULL) {
        svg(picture);
    }
    if (sweeps) {
        sweep();
    }
    if (picture == NULL && !sweeps) {
        fleet_table();
    }
    free(blocks);
    free(warm_blocks);
    return failures != 0;
}
