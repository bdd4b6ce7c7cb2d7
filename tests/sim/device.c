/* The device: the client under test in a guarded block, the program that uses it, and the ledger of what was promised.
   This is the one room that sees the implementation. Invariants 1, 2, 7 and 8. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_CLIENTS 0
#define IOTHUB_POOL_MESSAGES 0
#include "iothub_client.h"
#include "sim.h"
#include <stdlib.h>

#define GUARD 64u
#define GUARD_BYTE 0xA5
#define KEY_STRING "HostName=hub.example.net;DeviceId=d1;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define X509_STRING "HostName=hub.example.net;DeviceId=d1;x509=true"
#define MODULE_STRING ";ModuleId=m1"
#define STEPS_AT_ONCE 4000u                      /* DoWork calls without time going by: more is a spin */

typedef struct iothubi_client client_struct;

const char *const state_names[STATE_COUNT] = { "stopped", "gave up", "waiting", "signing", "opening", "connecting", "ready", "draining" };

static client_struct *client_of(const sim_life *life)
{
    return (client_struct *)life->device.hub;
}

static IOTHUB_DEVICE_CLIENT_HANDLE handle_of(const sim_life *life)
{
    return (IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub;
}

unsigned device_state(const sim_life *life)
{
    return client_of(life)->state;
}

unsigned device_buffer(const sim_life *life)
{
    const iothubi_outbox *outbox = &client_of(life)->outbox;
    return outbox->count == 0 ? 0 : outbox->count == outbox->slots || iothubi_outbox_place(outbox, 80) == outbox->capacity ? 2 : 1;
}

unsigned device_retry_cap_s(const sim_life *life, int refused)
{
    const iothubi_retry *retry = &client_of(life)->retry;
    return retry->cap_s != 0 ? retry->cap_s
        : retry->policy != IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER ? IOTHUBI_RETRY_CAP_PLAIN_S
        : !refused ? IOTHUBI_RETRY_CAP_UNREACHED_S
        : IOTHUBI_RETRY_CAP_MAXIMUM_S;
}

unsigned device_error(const sim_life *life, long *raw)
{
    *raw = client_of(life)->error.raw;
    return (unsigned)client_of(life)->error.code;
}

unsigned device_takeover_code(void)
{
    return IOTHUB_CODE_POSSIBLE_TAKEOVER;
}

unsigned device_refused_code(void)
{
    return IOTHUB_CODE_SUBSCRIPTION_REFUSED;
}

unsigned device_poison_code(void)
{
    return IOTHUB_CODE_POISON_MESSAGE;
}

/* ---- the platform ---- */

static uint32_t on_milliseconds(void *context)
{
    const sim_life *life = (const sim_life *)context;
    uint64_t now = life->tick_stopped_at != NEVER ? life->tick_stopped_at : life->now;
    return (uint32_t)((now + life->tick_offset + life->setup.tick_start) & 0xFFFFFFFFu);
}

static uint32_t on_unix_time(void *context)
{
    const sim_life *life = (const sim_life *)context;
    return life->wall_unknown ? 0 : (uint32_t)((int64_t)(life->setup.wall_start + life->now / 1000u) + life->wall_offset);
}

static int on_random(void *context, unsigned char *bytes, unsigned int size)
{
    sim_life *life = (sim_life *)context;
    unsigned int i;
    if (life->no_entropy) {
        return -1;
    }
    for (i = 0; i < size; ++i) {
        bytes[i] = (unsigned char)draw(&life->random);
    }
    return 0;
}

void sim_digest(const unsigned char *data, size_t size, unsigned char digest[32])
{
    uint32_t state = 2166136261u;
    size_t i;
    for (i = 0; i < size; ++i) {
        state = (state ^ data[i]) * 16777619u;
    }
    for (i = 0; i < 32; ++i) {
        state = state * 1664525u + 1013904223u;
        digest[i] = (unsigned char)(state >> 24);
    }
}

static int on_hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32])
{
    sim_life *life = (sim_life *)context;
    if (!life->device.in_work) fail(life, 5, "hmac outside DoWork");
    if (key_size != 32 || key[31] != 31) fail(life, 5, "hmac with another key");
    if (on_unix_time(life) < IOTHUB_CLOCK_MINIMUM) fail(life, 7, "a token is signed while the time is unknown");
    if (life->hmac_fails) {
        return -7;
    }
    if (life->hmac_waits < life->hmac_pending) {
        life->hmac_waits += 1;
        life->token_pardons += life->setup.step != STEP_LAZY; /* it may be past its time when it is done */
        return 1;
    }
    life->hmac_waits = 0;
    life->device.signatures += 1;
    note(life, EVENT_SIGNED, 0, 0, 0);
    sim_digest(data, data_size, digest);
    return 0;
}

static void on_wake(void *context)
{
    sim_life *life = (sim_life *)context;
    if (life->setup.step == STEP_LAZY && life->now >= life->asleep_until) {
        life->device.next_step = life->now;
    }
}

/* ---- the program ---- */

size_t body_make(unsigned number, unsigned size, unsigned char *body)
{
    uint32_t state = number * 2654435761u + 1u;
    size_t i = (size_t)sprintf((char *)body, "%u ", number);
    for (; i < size; ++i) {
        state = state * 1664525u + 1013904223u;
        body[i] = (unsigned char)(state >> 24);
    }
    return i;
}

/* What a program may do in a callback: anything but DoWork, and that does nothing. */
static void meddle(sim_life *life)
{
    unsigned what = below(&life->random, life->setup.features != 0 ? 7 : 6);
    what += life->setup.features == 0 && what == 5;
    note(life, EVENT_CALL, what, 0, 0);
    switch (what) {
    case 0: {
        client_struct before = *client_of(life);
        IoTHubDeviceClient_DoWork(handle_of(life));
        if (memcmp(&before, client_of(life), sizeof before) != 0) fail(life, 1, "DoWork in a callback did something");
        break;
    }
    case 1:
        device_stop(life);
        break;
    case 2:
        device_start(life);
        break;
    case 3:
        device_set_keep_alive(life, between(&life->random, 30, 200));
        break;
    case 4:
        (void)IoTHubDeviceClient_GetNextWork(handle_of(life));
        break;
    case 5:
        if (life->setup.features != 0) {
            program_meddles(life);
        }
        break;
    default:
        if (life->faulty && chance(&life->random, 5)) {
            life->device.wants_destroy = 1;
            IoTHubDeviceClient_Destroy(handle_of(life));
        }
        break;
    }
}

void device_meddle(sim_life *life)
{
    if (!life->device.wants_destroy && chance(&life->program_random, life->setup.meddles)) {
        meddle(life);
    }
}

/* A body that stayed with the program is as it was; now the program may do with it what it likes. */
static void check_kept(sim_life *life, sim_message *m)
{
    static unsigned char expected[KEPT_SIZE];
    sim_programme *p = &life->device.programme;
    unsigned char *body;
    if (m->kept == 0) {
        return;
    }
    body = p->kept_bodies + (size_t)(m->kept - 1u) * KEPT_SIZE;
    if (memcmp(body, expected, body_make(m->number, m->body_size, expected)) != 0) {
        fail(life, 15, "the body of message %u was written to", m->number);
    }
    memset(body, 0xEE, m->body_size);
    p->kept_free |= 1u << (m->kept - 1u);
    m->kept = 0;
}

/* The outbox policy: dropped within the call that found the outbox full, and only what the hub owes nothing for. */
static void check_dropped(sim_life *life, const sim_message *m)
{
    unsigned now = life->stream.now != NULL ? life->stream.now->number : 0;
    sim_programme *p = &life->device.programme;
    if (!p->in_send) {
        if (life->setup.poison_limit == 0) fail(life, 1, "message %u is confirmed with an error that nothing here causes", m->number);
        return;
    }
    p->dropped += 1;
    if (life->setup.drop_policy == IOTHUB_OUTBOX_REJECT) fail(life, 15, "message %u is dropped without a policy", m->number);
    if (now != 0 && m->offered_connection == now) fail(life, 15, "message %u is dropped though it was offered on this connection", m->number);
    if ((life->setup.drop_policy == IOTHUB_OUTBOX_DROP_NEWEST) != (m->number == p->sending)) fail(life, 15, "the policy drops message %u", m->number);
}

static void check_acknowledged(sim_life *life, const sim_message *m)
{
    const sim_stream *s = &life->stream;
    unsigned now = s->now != NULL ? s->now->number : 0;
    if (m->offered_connection == 0 || m->offered_connection != now) fail(life, 2, "message %u confirmed OK, but it was not sent on this connection", m->number);
    if (m->qos == 0) {
        if (s->taken < m->offered_end) fail(life, 2, "message %u (QoS 0) confirmed OK before the stream took it", m->number);
    } else {
        if (m->copies == 0) fail(life, 2, "message %u confirmed OK, but the hub never had it", m->number);
        if (m->acknowledged_connection != now || m->last_connection != now) {
            fail(life, 2, "message %u confirmed OK, but its last copy was not acknowledged on this connection", m->number);
        }
    }
}

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    sim_message *m = (sim_message *)context;
    sim_life *life = m->life;
    sim_device *device = &life->device;
    note(life, EVENT_CONFIRMED, m->number, (unsigned)result, 0);
    if (device->destroyed) fail(life, 1, "message %u is confirmed after Destroy", m->number);
    if (!device->in_work && !device->in_destroy && !device->programme.in_send) fail(life, 1, "message %u is confirmed outside DoWork and Destroy", m->number);
    if (m->outcome != 0) fail(life, 1, "message %u is confirmed twice", m->number);
    m->outcome = 1u + (unsigned)result;
    device->settled += 1;
    device->by_outcome[result] += 1;
    while (device->settled_before < device->count && device->messages[device->settled_before].outcome != 0) {
        device->settled_before += 1;
        device->head_at = life->now;
    }
    check_kept(life, m);
    switch (result) {
    case IOTHUB_CLIENT_CONFIRMATION_OK:
        check_acknowledged(life, m);
        break;
    case IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT:
        if (life->stream.now != NULL && m->offered_connection == life->stream.now->number) {
            fail(life, 3, "message %u timed out though it was offered on this connection", m->number);
        }
        break;
    case IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY:
        if (!device->in_destroy && !device->wants_destroy) fail(life, 1, "message %u is confirmed DESTROY without Destroy", m->number);
        if (IoTHubDeviceClient_SendEventAsync(handle_of(life), NULL, NULL, NULL) == IOTHUB_CLIENT_OK) fail(life, 1, "a call succeeds in Destroy");
        return;
    default:
        check_dropped(life, m);
        break;
    }
    if (device->in_destroy || device->programme.in_send) {
        return;                                  /* every call is refused now */
    }
    if (device->sending && !device->wants_destroy && chance(&life->random, life->setup.sends_again)) {
        device_send(life, between(&life->random, life->setup.body_minimum, life->setup.body_maximum));
    }
    if (!device->wants_destroy && chance(&life->random, life->setup.meddles)) {
        meddle(life);
    }
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    sim_life *life = (sim_life *)context;
    sim_device *device = &life->device;
    note(life, EVENT_STATUS, (unsigned)status, (unsigned)reason, 0);
    if (!device->in_work) fail(life, 1, "a status outside DoWork");
    device->last_reason = (unsigned)reason;
    if (status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED) {
        if (life->stream.now == NULL || !life->stream.now->accepted) fail(life, 2, "AUTHENTICATED without a CONNACK of the hub's");
    } else if (reason != IOTHUB_CLIENT_CONNECTION_OK && reason != IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN
        && reason != IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED) {
        life->failed_at = life->now;
        life->failures_after_healing += !life->faulty;
        if (client_of(life)->error.code == IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT && !life->tick_was_hurt && life->now < device->head_at + SECONDS(120)) {
            fail(life, 8, "the oldest message was given %u ms for its acknowledgement", (unsigned)(life->now - device->head_at));
        }
    }
    if (!device->wants_destroy && chance(&life->random, life->setup.meddles)) {
        meddle(life);
    }
}

/* The outbox refused: was it right? */
static void check_refusal(sim_life *life, IOTHUB_CLIENT_RESULT result)
{
    IOTHUB_ERROR error;
    const iothubi_outbox *outbox = &client_of(life)->outbox;
    if (IoTHubDeviceClient_GetLastError(handle_of(life), &error) != IOTHUB_CLIENT_OK) fail(life, 1, "GetLastError fails");
    note(life, EVENT_REFUSED, life->device.count + 1u, (unsigned)result, (unsigned)error.code);
    if (result == IOTHUB_CLIENT_INVALID_SIZE) {
        if (error.code != IOTHUB_CODE_OUTBOX_TOO_SMALL && error.code != IOTHUB_CODE_MESSAGE_TOO_LARGE) fail(life, 1, "INVALID_SIZE with code %d", (int)error.code);
        life->device.refused_size += 1;
    } else {
        if (result != IOTHUB_CLIENT_ERROR || error.code != IOTHUB_CODE_OUTBOX_FULL) fail(life, 1, "refused with result %d, code %d", (int)result, (int)error.code);
        if (outbox->count == 0) fail(life, 1, "an empty outbox is full");
        life->device.refused_full += 1;
    }
}

/* Now and then the body stays with the program: answers its slot from 1; 0: none. */
static unsigned kept_slot(sim_life *life)
{
    sim_programme *p = &life->device.programme;
    unsigned slot = 0;
    if (life->setup.kept == 0 || p->kept_free == 0 || !chance(&life->program_random, life->setup.kept)) {
        return 0;
    }
    if (p->kept_bodies == NULL) {
        p->kept_bodies = (unsigned char *)malloc((size_t)KEPT_BODIES * KEPT_SIZE);
    }
    while (!(p->kept_free & 1u << slot)) {
        ++slot;
    }
    return slot + 1u;
}

static IOTHUB_CLIENT_RESULT send_it(sim_life *life, IOTHUB_MESSAGE_HANDLE message, sim_message *m)
{
    sim_device *device = &life->device;
    IOTHUB_CLIENT_RESULT result;
    device->count += 1;                          /* a policy may confirm it before the call returns */
    device->programme.in_send += 1;
    device->programme.sending = m->number;
    result = m->kept != 0 ? IoTHubDeviceClient_SendEventKeptAsync(handle_of(life), message, on_confirmation, m)
        : IoTHubDeviceClient_SendEventAsync(handle_of(life), message, on_confirmation, m);
    device->programme.in_send -= 1;
    device->count -= result != IOTHUB_CLIENT_OK;
    return result;
}

void device_send(sim_life *life, unsigned body_size)
{
    static unsigned char copied[300000];
    unsigned char *body = copied;
    void *storage[64];
    sim_device *device = &life->device;
    sim_message *m;
    char text[16];
    IOTHUB_MESSAGE_HANDLE message;
    IOTHUB_CLIENT_RESULT result;
    if (device->count == MESSAGES_MAXIMUM) {
        return;
    }
    m = &device->messages[device->count];
    memset(m, 0, sizeof *m);
    m->life = life;
    m->number = device->count + 1u;
    m->body_size = body_size;
    if (life->setup.mixed_qos) {
        device_set_qos(life, below(&life->random, 2));
    }
    m->qos = client_of(life)->mqtt_options.qos;
    m->accepted_connection = life->connection_count;
    m->accepted_at = life->now;
    m->kept = kept_slot(life);
    if (m->kept != 0) {
        body = device->programme.kept_bodies + (size_t)(m->kept - 1u) * KEPT_SIZE;
    }
    message = IoTHubMessage_Wrap(storage, sizeof storage, body, body_make(m->number, body_size, body));
    sprintf(text, "%u", m->number);
    if (IoTHubMessage_SetProperty(message, "n", text) != IOTHUB_MESSAGE_OK
        || (m->number % 3u == 0 && IoTHubMessage_SetProperty(message, "t e/s&t", "a=b c%") != IOTHUB_MESSAGE_OK)) {
        fail(life, 1, "a message has no room for its properties");
    }
    device->programme.kept_free &= m->kept != 0 ? ~(1u << (m->kept - 1u)) : ~0u;
    result = send_it(life, message, m);
    memset(copied, 0xEE, 8);                     /* the caller may change its message as soon as the call returns */
    IoTHubMessage_Destroy(message);
    memset(storage, 0xEE, sizeof storage);
    if (result == IOTHUB_CLIENT_OK) {
        note(life, EVENT_ACCEPTED, m->number, body_size, m->qos);
    } else {
        device->programme.kept_free |= m->kept != 0 ? 1u << (m->kept - 1u) : 0;
        check_refusal(life, result);
    }
}

static void check_ok(sim_life *life, IOTHUB_CLIENT_RESULT result, const char *call)
{
    if (result != IOTHUB_CLIENT_OK) fail(life, 1, "%s answers %d", call, (int)result);
}

void device_start(sim_life *life)
{
    life->device.running = 1;
    life->device.starts += 1;
    life->device.pardoned_in_hour += 1;
    check_ok(life, IoTHubDeviceClient_Start(handle_of(life)), "Start");
}

void device_stop(sim_life *life)
{
    life->device.running = 0;
    check_ok(life, IoTHubDeviceClient_Stop(handle_of(life)), "Stop");
}

void device_set_keep_alive(sim_life *life, unsigned seconds)
{
    int value = (int)seconds;
    life->device.pardoned_in_hour += 1;
    check_ok(life, IoTHubDeviceClient_SetOption(handle_of(life), OPTION_KEEP_ALIVE, &value), "SetOption keepalive");
}

void device_set_qos(sim_life *life, unsigned qos)
{
    int value = (int)qos;
    check_ok(life, IoTHubDeviceClient_SetOption(handle_of(life), IOTHUB_OPTION_QOS, &value), "SetOption qos");
}

void device_set_policy(sim_life *life, unsigned policy, unsigned limit_s)
{
    life->device.pardoned_in_hour += 1;
    check_ok(life, IoTHubDeviceClient_SetRetryPolicy(handle_of(life), (IOTHUB_CLIENT_RETRY_POLICY)policy, limit_s), "SetRetryPolicy");
}

static void make_token(sim_life *life)
{
    sprintf(life->device.tokens[life->device.token], "SharedAccessSignature sr=hub.example.net%%2Fdevices%%2Fd1&sig=c2lt&se=%u",
        (unsigned)(life->setup.wall_start + life->now / 1000u + life->setup.lifetime_s));
    life->device.token_at = life->now;
    life->device.next_token = life->now + (uint64_t)life->setup.lifetime_s * 800u;
}

/* A program with tokens of its own supplies the next one. */
void device_renew_token(sim_life *life)
{
    sim_device *device = &life->device;
    if (life->setup.credential != CREDENTIAL_TOKEN) {
        return;
    }
    device->token = (device->token + 1u) % TOKENS;
    make_token(life);
    device->pardoned_in_hour += 1;
    check_ok(life, IoTHubDeviceClient_SetOption(handle_of(life), IOTHUB_OPTION_SAS_TOKEN, device->tokens[device->token]), "SetOption sas_token");
}

/* ---- life of the client ---- */

static void set_option(sim_life *life, const char *name, const void *value, int differs)
{
    if (differs) {
        check_ok(life, IoTHubDeviceClient_SetOption(handle_of(life), name, value), "SetOption");
    }
}

/* Only what differs from the client's defaults: some lives never call SetOption. */
static void set_options(sim_life *life)
{
    const sim_setup *setup = &life->setup;
    IOTHUB_DEVICE_CLIENT_HANDLE hub = handle_of(life);
    int keep_alive = (int)setup->keep_alive_s, qos = (int)setup->qos, policy = (int)setup->drop_policy;
    size_t lifetime = setup->lifetime_s;
    tickcounter_ms_t timeout = setup->message_timeout_ms;
    IOTHUB_BOOL pipelined = setup->pipelined != 0, clean = setup->clean_session != 0;
    check_ok(life, IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, life), "SetConnectionStatusCallback");
    set_option(life, OPTION_KEEP_ALIVE, &keep_alive, keep_alive != 180);
    set_option(life, OPTION_SAS_TOKEN_LIFETIME, &lifetime, lifetime != 3600);
    set_option(life, OPTION_MESSAGE_TIMEOUT, &timeout, timeout != 0);
    set_option(life, IOTHUB_OPTION_QOS, &qos, qos != 1);
    set_option(life, IOTHUB_OPTION_IN_FLIGHT, &setup->in_flight, setup->in_flight != 64);
    set_option(life, IOTHUB_OPTION_PIPELINED_START, &pipelined, !pipelined);
    set_option(life, IOTHUB_OPTION_CLEAN_SESSION, &clean, clean);
    if (setup->policy != 0) {
        check_ok(life, IoTHubDeviceClient_SetRetryPolicy(hub, (IOTHUB_CLIENT_RETRY_POLICY)(setup->policy - 1u), setup->limit_s), "SetRetryPolicy");
    }
    set_option(life, IOTHUB_OPTION_OUTBOX_POLICY, &policy, policy != IOTHUB_OUTBOX_REJECT);
    set_option(life, IOTHUB_OPTION_OVERSIZE_LIMIT, &setup->oversize_limit, setup->oversize_limit != 0);
    set_option(life, IOTHUB_OPTION_POISON_LIMIT, &setup->poison_limit, setup->poison_limit != 0);
    set_option(life, OPTION_RETRY_INTERVAL_SEC, &setup->retry_interval_s, setup->retry_interval_s != 0);
    set_option(life, OPTION_RETRY_MAX_DELAY_SECS, &setup->retry_cap_s, setup->retry_cap_s != 0);
}

/* The outbox is asked for in records and bytes, so that a life is the same whatever the size of a pointer. */
void device_begin(sim_life *life)
{
    sim_device *device = &life->device;
    const sim_setup *setup = &life->setup;
    IOTHUB_PLATFORM *platform;
    IOTHUB_MEMORY memory;
    size_t i;
    if (device->messages == NULL) {
        device->messages = (sim_message *)malloc(MESSAGES_MAXIMUM * sizeof *device->messages);
        device->platform = (IOTHUB_PLATFORM *)malloc(sizeof *device->platform);
    }
    platform = device->platform;
    memset(platform, 0, sizeof *platform);
    stream_fill(life, &platform->io);
    platform->context = life;
    platform->milliseconds = on_milliseconds;
    platform->unix_time = on_unix_time;
    platform->random = on_random;
    platform->hmac_sha256 = on_hmac;
    platform->wake = on_wake;
    if (setup->credential == CREDENTIAL_TOKEN) {
        make_token(life);
        sprintf(device->string, "HostName=hub.example.net;DeviceId=d1;SharedAccessSignature=%s", device->tokens[device->token]);
    } else {
        strcpy(device->string, setup->credential == CREDENTIAL_KEY ? KEY_STRING : X509_STRING);
    }
    if (setup->module) {
        strcat(device->string, MODULE_STRING);
    }
    memset(&memory, 0, sizeof memory);
    memory.outbox_messages = setup->slots;
    memory.outbox_size = setup->slots * sizeof(iothubi_record) + setup->outbox_bytes;
    memory.inbox_size = setup->inbox + (setup->features != 0 ? (sizeof(void *) - 4u) * 64u : 0) /* tables of pointers lie there */
        + (setup->module ? 64u : 0);
    memory.block_size = IoTHub_ClientSize(device->string, MQTT_Protocol, memory.outbox_size, memory.inbox_size);
    if (memory.block_size == 0) fail(life, 1, "ClientSize answers 0");
    device->block_size = memory.block_size;
    if (memory.block_size + 2u * GUARD > device->memory_size) {
        free(device->memory);
        device->memory_size = memory.block_size + 2u * GUARD;
        device->memory = (unsigned char *)malloc(device->memory_size);
    }
    memset(device->memory, GUARD_BYTE, GUARD + memory.block_size + GUARD);
    memory.block = device->memory + GUARD;
    device->hub = setup->module ? (void *)IoTHubModuleClient_CreateInPlace(device->string, MQTT_Protocol, platform, &memory)
        : (void *)IoTHubDeviceClient_CreateInPlace(device->string, MQTT_Protocol, platform, &memory);
    if (device->hub == NULL) {
        IOTHUB_ERROR error;
        IoTHubDeviceClient_GetLastError(NULL, &error);
        fail(life, 1, "creation fails: %s", IoTHub_ErrorText(&error));
    }
    for (i = 0; i < sizeof device->string; ++i) {
        device->string[i] = '#';                 /* creators copy */
    }
    device->running = 1;
    device->sending = 1;
    device->next_step = life->now;
    device->next_token = setup->credential == CREDENTIAL_TOKEN ? device->next_token : NEVER;
    set_options(life);
    program_begin(life);
}

/* No spin, whatever goes wrong: the attempts of an hour (invariant 7). Jitter is uniform from 0 to the cap, so that an hour
   has 2 x 3600 / cap attempts in the mean; connections that last a minute and are cut then add one a minute, and the first
   delays after each are short. */
static void count_hours(sim_life *life)
{
    sim_device *device = &life->device;
    uint64_t hour = life->now / SECONDS(3600);
    if (hour != device->hour) {
        device->hour = hour;
        device->attempts_in_hour = device->pardoned_in_hour = 0;
    }
    if (life->setup.policy == 0 && life->setup.retry_cap_s == 0 && !life->tick_hurt) {
        unsigned limit = 2u * 3600u / IOTHUBI_RETRY_CAP_UNREACHED_S + 150u;
        limit += 2u * device->pardoned_in_hour + 3600u / life->setup.lifetime_s * 2u;
        if (device->attempts_in_hour > limit) fail(life, 7, "%u attempts to connect in an hour", device->attempts_in_hour);
    }
}

static void check_guards(sim_life *life)
{
    const sim_device *device = &life->device;
    unsigned i;
    for (i = 0; i < GUARD; ++i) {
        if (device->memory[i] != GUARD_BYTE || device->memory[GUARD + device->block_size + i] != GUARD_BYTE) {
            fail(life, 7, "bytes around the block were written");
        }
    }
}

static void plan_next_step(sim_life *life)
{
    sim_device *device = &life->device;
    uint32_t next = IoTHubDeviceClient_GetNextWork(handle_of(life));
    unsigned state = device_state(life);
    if (state == STATE_OPENING && next > 10u) fail(life, 8, "GetNextWork answers %u while opening", (unsigned)next);
    if (life->stream.blocked && life->stream.now != NULL && next > 10u) fail(life, 8, "GetNextWork answers %u while output waits", (unsigned)next);
    if (next > 0x40000000u) fail(life, 8, "GetNextWork answers %u", (unsigned)next);
    switch (life->setup.step) {
    case STEP_LAZY:
        device->next_step = life->now + next;
        break;
    case STEP_REGULAR:
        device->next_step = life->now + life->setup.step_ms;
        break;
    default:
        device->next_step = life->now + (chance(&life->random, 50) ? between(&life->random, 1, 1000) : between(&life->random, 1, 600000));
        break;
    }
    if (device->next_step < life->asleep_until) {
        device->next_step = life->asleep_until;
    }
    device->steps_at_once = device->stepped_at == life->now && life->stream.read_bytes == 0 ? device->steps_at_once + 1u : 0;
    device->stepped_at = life->now;
    if (device->steps_at_once > STEPS_AT_ONCE) fail(life, 7, "DoWork is wanted at once for ever");
}

static void destroyed(sim_life *life)
{
    sim_device *device = &life->device;
    device->destroyed = 1;
    note(life, EVENT_DESTROYED, 0, 0, 0);
    if (life->stream.now != NULL || life->stream.opening) fail(life, 5, "Destroy leaves the stream open");
    if (device->settled != device->count) fail(life, 1, "%u of %u messages were never confirmed", device->count - device->settled, device->count);
    program_ended(life);
    check_guards(life);
}

/* Keep-alive watches both directions: silence of the hub's is answered by a ping. */
static void check_ping(sim_life *life)
{
    const sim_connection *c = life->stream.now;
    if (c == NULL || device_state(life) != STATE_READY || c->keep_alive_s == 0 || c->read_at == 0 || life->tick_was_hurt
        || life->setup.step != STEP_LAZY || bytes_size(&life->stream.remainder) != 0 || life->stream.writes != 0) {
        return;
    }
    if (c->tap_pings > c->pings || (c->pings != 0 && (c->ping_answered == 0 || c->ping_answered > c->down.taken))) {
        return;                                  /* one is on its way already */
    }
    if (c->tap_ping_at < c->read_at && life->now > c->read_at + SECONDS(c->keep_alive_s) && life->device.last_step > c->read_at + SECONDS(c->keep_alive_s)) {
        fail(life, 8, "no ping although nothing arrived for %u s", (unsigned)((life->now - c->read_at) / 1000u));
    }
}

/* A message whose time is up is settled in that very call, unless it was offered on this connection, or the connection
   changed in this call (then the next one, at once). */
static void check_expiry(sim_life *life, unsigned before)
{
    const sim_device *device = &life->device;
    unsigned i, connection = life->stream.now != NULL ? life->stream.now->number : 0;
    if (life->setup.message_timeout_ms == 0 || life->tick_was_hurt || connection != before) {
        return;
    }
    for (i = device->settled_before; i < device->count; ++i) {
        const sim_message *m = &device->messages[i];
        if (m->outcome == 0 && m->kept == 0 && m->accepted_at + life->setup.message_timeout_ms <= life->now && m->offered_connection != connection) {
            fail(life, 8, "message %u outlives its timeout", m->number);
        }
    }
}

/* ... and GetNextWork knew it. */
static void check_appointments(sim_life *life)
{
    const sim_device *device = &life->device;
    uint64_t asked = device->next_step;
    unsigned i, connection = life->stream.now != NULL ? life->stream.now->number : 0;
    if (life->setup.message_timeout_ms == 0 || life->tick_was_hurt || life->setup.step != STEP_LAZY || asked <= life->asleep_until || asked == life->now) {
        return;
    }
    for (i = device->settled_before; i < device->count; ++i) {
        const sim_message *m = &device->messages[i];
        if (m->outcome == 0 && m->kept == 0 && m->accepted_at + life->setup.message_timeout_ms < asked && m->offered_connection != connection) {
            fail(life, 8, "GetNextWork sleeps past the timeout of message %u", m->number);
        }
    }
}

/* What Stop asked for before this call is done in it: at rest, or on the way there. */
static void check_stop(sim_life *life, int was_running)
{
    unsigned state = device_state(life);
    if (!was_running && !life->device.running && state != STATE_STOPPED && state != STATE_DRAINING) {
        fail(life, 8, "Stop is not obeyed: %s", state_names[state]);
    }
}

void device_step(sim_life *life)
{
    sim_device *device = &life->device;
    unsigned before = life->stream.now != NULL ? life->stream.now->number : 0;
    int was_running = device->running;
    unsigned starts = device->starts;
    char here;
    device->steps += 1;
    stream_before_work(life);
    device->in_work = 1;
    life->frame = &here;
    IoTHubDeviceClient_DoWork(handle_of(life));
    device->in_work = 0;
    device->steps -= life->stream.read_bytes != 0;
    stream_after_work(life);
    if (device->wants_destroy) {
        destroyed(life);
        return;
    }
    count_hours(life);
    check_stop(life, was_running || device->starts != starts);
    check_expiry(life, before);
    check_ping(life);
    program_check_acknowledgements(life);
    device->last_step = life->now;
    plan_next_step(life);
    check_appointments(life);
    if (life->setup.credential == CREDENTIAL_TOKEN && device_state(life) == STATE_SIGNING
        && client_of(life)->error.code == IOTHUB_CODE_TOKEN_EXPIRED && life->now >= device->token_at + SECONDS(60)) {
        device_renew_token(life);
    }
}

void device_destroy(sim_life *life)
{
    sim_device *device = &life->device;
    if (device->destroyed) {
        return;
    }
    stream_before_work(life);
    life->stream.fresh = 1;                      /* Destroy says goodbye; it need not read */
    device->in_destroy = 1;
    IoTHubDeviceClient_Destroy(handle_of(life));
    device->in_destroy = 0;
    destroyed(life);
}

/* A life that failed leaves its client in the middle of something: take it off the list of live clients. */
void device_abandon(sim_life *life)
{
    client_struct **link = &iothubi_clients;
    while (*link != NULL && *link != client_of(life)) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = client_of(life)->next;
    }
    life->device.hub = NULL;
}

void device_free(sim_life *life)
{
    device_abandon(life);
    free(life->device.memory);
    free(life->device.messages);
    free(life->device.platform);
    memset(&life->device, 0, sizeof life->device);
}

/* ---- checks ---- */

/* A document may be for the twin's callback, for GetTwinAsync or for both; a method in pieces may be cut after it began; the callback
   for pieces may be given up in the middle of a body. */
static void check_received(sim_life *life, unsigned received)
{
    const sim_programme *p = &life->device.programme;
    unsigned least = p->letters + p->patches + p->methods, most = least + p->documents + p->gets_ended + p->pieces_cleared;
    least -= p->methods_cut + p->pieces_cleared < least ? p->methods_cut + p->pieces_cleared : least;
    if (received < least || received > most) fail(life, 1, "%u received by the statistics, %u to %u in truth", received, least, most);
}

void device_check_statistics(sim_life *life)
{
    const sim_device *device = &life->device;
    IOTHUB_STATISTICS s;
    check_ok(life, IoTHubDeviceClient_GetStatistics(handle_of(life), &s), "GetStatistics");
    if (s.accepted != device->count || s.refused != device->refused_full + device->refused_size) fail(life, 1, "accepted or refused is miscounted");
    if (s.confirmed_ok != device->by_outcome[0] || s.confirmed_timeout != device->by_outcome[2] || s.confirmed_error != device->by_outcome[3]) fail(life, 1, "confirmations are miscounted");
    if (s.dropped != device->programme.dropped) fail(life, 1, "%u dropped by the statistics, %u in truth", (unsigned)s.dropped, device->programme.dropped);
    check_received(life, s.received);
    if (s.messages_waiting != device->count - device->settled) {
        fail(life, 1, "%u messages wait by the statistics, %u in truth", (unsigned)s.messages_waiting, device->count - device->settled);
    }
    if (life->setup.credential == CREDENTIAL_KEY && device->signatures > s.attempts + 1u + life->token_pardons) {
        fail(life, 7, "%u tokens for %u attempts", device->signatures, (unsigned)s.attempts);
    }
}

unsigned device_statistic(const sim_life *life, unsigned which)
{
    IOTHUB_STATISTICS s;
    IoTHubDeviceClient_GetStatistics(handle_of(life), &s);
    switch (which) {
    case STATISTIC_ATTEMPTS: return (unsigned)s.attempts;
    case STATISTIC_CONNECTIONS: return (unsigned)s.connections;
    case STATISTIC_PINGS: return (unsigned)s.pings;
    case STATISTIC_UNHANDLED: return (unsigned)s.received_unhandled;
    case STATISTIC_UNKNOWN: return (unsigned)s.acknowledgements_unknown;
    case STATISTIC_RECEIVED: return (unsigned)s.received;
    case STATISTIC_SKIPPED: return (unsigned)s.received_skipped;
    case STATISTIC_DROPPED: return (unsigned)s.dropped;
    default: return (unsigned)s.renewals;
    }
}

/* Nothing is kept that has no message. */
void device_check_idle(sim_life *life)
{
    const client_struct *client = client_of(life);
    IOTHUB_STATISTICS s;
    IOTHUB_CLIENT_STATUS status = IOTHUB_CLIENT_SEND_STATUS_BUSY;
    check_ok(life, IoTHubDeviceClient_GetStatistics(handle_of(life), &s), "GetStatistics");
    check_ok(life, IoTHubDeviceClient_GetSendStatus(handle_of(life), &status), "GetSendStatus");
    if (status != IOTHUB_CLIENT_SEND_STATUS_IDLE || s.messages_waiting != 0 || s.messages_in_flight != 0 || s.outbox_used != 0) {
        fail(life, 7, "idle, but %u waiting, %u in flight, %u bytes used", (unsigned)s.messages_waiting, (unsigned)s.messages_in_flight,
            (unsigned)s.outbox_used);
    }
    if (client->outbox.count != 0 || client->outbox.next != 0 || client->outbox.in_flight != 0) fail(life, 7, "idle, but the outbox is not clean");
    if (client->mqtt.window == 0 || client->mqtt.window > client->mqtt_options.in_flight) fail(life, 7, "idle, but the window is %u", client->mqtt.window);
}
