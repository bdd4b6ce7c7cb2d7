/* A device without operating system and without heap: sends what it knows of itself every few seconds, takes the period from its twin,
   works on messages, answers methods, and sleeps in between. All memory of client and TLS stands here, all of lwIP in its options. */
#include "board.h"
#include "network.h"
#include "settings.h"
#include "text.h"
#include <string.h>

#define OUTBOX 896                               /* bytes; about five messages, and a quarter for the answers of methods */
#define INBOX 640
#define WORK_MS 700                              /* what a message of the cloud keeps this device busy for */
#define KEPT 2                                   /* messages that are worked on at a time */

IOTHUB_CLIENT_BLOCK(static, client_memory, IOTHUB_CLIENT_SIZE(160, OUTBOX, INBOX));
static unsigned char tls_records[IOTHUB_BEARSSL_BUFFER_MONO], tls_roots[1200];   /* records of full size; Azure's two RSA roots */
static IOTHUB_BEARSSL tls;
static IOTHUB_LWIP tcp;
static IOTHUB_PLATFORM platform;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static SETTINGS settings;

static unsigned int period = 2;                  /* seconds between two messages; the twin sets it */
static unsigned int number;                      /* of the next message */
static uint32_t due;                             /* when it is sent, as all times here in milliseconds since the start */
static struct { IOTHUB_MESSAGE_HANDLE message; uint32_t end; } kept[KEPT];      /* message NULL: free */
static int unreported;                           /* the hub is to be told of the period */
static uint32_t session_sum;                     /* of the TLS session in use */
static int stopped;

/* ---- Platform: what lwIP and BearSSL do not bring ---- */

static uint32_t boot_date;                       /* unix time of the start */

static uint32_t unix_time(void *context)
{
    (void)context;
    return boot_date + machine_ms() / 1000;
}

static int fill_random(void *context, unsigned char *bytes, unsigned int size)
{
    (void)context;
    return machine_random(bytes, size);
}

static uint32_t crc32(uint32_t sum, const unsigned char *bytes, size_t size)    /* as zlib's */
{
    int bit;
    sum = ~sum;
    while (size-- > 0) {
        sum ^= *bytes++;
        for (bit = 0; bit < 8; bit++) sum = sum & 1 ? sum >> 1 ^ 0xEDB88320u : sum >> 1;
    }
    return ~sum;
}

/* ---- Telemetry ---- */

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    say("confirmed %u: %s", (unsigned int)(size_t)context, result == IOTHUB_CLIENT_CONFIRMATION_OK ? "OK" : "lost");
}

/* Its own share of time asleep is what this device measures. A full outbox is no loss: the next round sends it. */
static void send_when_due(void)
{
    void *storage[(IOTHUB_MESSAGE_HEAD_BOUND + 40) / sizeof(void *)];
    char body[64];
    unsigned int size;
    IOTHUB_MESSAGE_HANDLE message;
    IOTHUB_CLIENT_RESULT result;
    if ((int32_t)(machine_ms() - due) < 0) return;
    size = text_write(body, sizeof body, "{\"n\":%u,\"up_ms\":%u,\"slept_ms\":%u}", number, (unsigned int)machine_ms(), (unsigned int)machine_slept_ms());
    message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)body, size);
    IoTHubMessage_SetContentTypeSystemProperty(message, "application/json");
    result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, (void *)(size_t)number);
    IoTHubMessage_Destroy(message);
    if (result == IOTHUB_CLIENT_OK) say("sent %u", number++);
    else say("not sent: the outbox is full");
    due = machine_ms() + period * 1000;
}

/* ---- Messages from the cloud: kept while they are worked on, and accepted only then ---- */

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    const unsigned char *body = NULL;
    const char *const *names = NULL, *const *values = NULL, *id = IoTHubMessage_GetMessageId(message);
    size_t size = 0, count = 0, i;
    (void)context;
    IoTHubMessage_GetByteArray(message, &body, &size);
    say("message %s: %b", id != NULL ? id : "-", body, (unsigned int)size);
    if (Map_GetInternals(IoTHubMessage_Properties(message), &names, &values, &count) != MAP_OK) count = 0;
    for (i = 0; i < count; i++) say("  with %s = %s", names[i], values[i]);
    for (i = 0; i < KEPT; i++) {
        if (kept[i].message == NULL) {
            kept[i].message = message;
            kept[i].end = machine_ms() + WORK_MS;
            return IOTHUBMESSAGE_ASYNC_ACK;
        }
    }
    say("  too busy: abandoned");
    return IOTHUBMESSAGE_ABANDONED;
}

static void settle_finished(void)
{
    size_t i;
    for (i = 0; i < KEPT; i++) {
        const char *id;
        if (kept[i].message == NULL || (int32_t)(machine_ms() - kept[i].end) < 0) continue;
        id = IoTHubMessage_GetMessageId(kept[i].message);
        say("accepting message %s", id != NULL ? id : "-");
        IoTHubDeviceClient_SendMessageDisposition(hub, kept[i].message, IOTHUBMESSAGE_ACCEPTED);
        kept[i].message = NULL;
    }
}

/* A body that is larger than the inbox: a new program for this device, say. It is summed up, not kept. */
static IOTHUBMESSAGE_DISPOSITION_RESULT on_piece(const IOTHUB_PIECE *piece, void *context)
{
    static uint32_t sum;
    (void)context;
    if (piece->kind != IOTHUB_PIECE_OF_MESSAGE || piece->state == IOTHUB_PIECE_CUT) return IOTHUBMESSAGE_ABANDONED;
    sum = crc32(piece->offset == 0 ? 0 : sum, piece->bytes, piece->size);
    if (piece->state == IOTHUB_PIECE_LAST) say("message in pieces: %u bytes, crc32 %x", (unsigned int)piece->total, (unsigned int)sum);
    return IOTHUBMESSAGE_ACCEPTED;
}

/* ---- Twin: {"period": seconds} ---- */

/* 204: the hub has it. Otherwise the next document or change reports it again. */
static void on_reported(int status, void *context)
{
    (void)context;
    say("reported: status %u", (unsigned int)status);
}

/* Telemetry may fill the outbox; then the next round reports. */
static void report_when_needed(void)
{
    char json[24];
    unsigned int size;
    if (!unreported) return;
    size = text_write(json, sizeof json, "{\"period\":%u}", period);
    unreported = IoTHubDeviceClient_SendReportedState(hub, (const unsigned char *)json, size, on_reported, NULL) != IOTHUB_CLIENT_OK;
}

/* What the cloud asks for is checked like any input from outside. */
static unsigned int seconds_of(const char *json)
{
    unsigned int value = 0;
    for (; *json >= '0' && *json <= '9' && value < 100000; json++) value = value * 10 + (unsigned int)(*json - '0');
    return *json == '\0' && value >= 1 && value <= 86400 ? value : 0;
}

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *json, size_t size, void *context)
{
    void *storage[(IOTHUB_DESERIALIZER_HEAD_BOUND + 64) / sizeof(void *)];
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader;
    IOTHUB_CLIENT_PROPERTY_PARSED property;
    IOTHUB_CLIENT_RESULT result;
    bool found = true;
    (void)context;
    say("twin %s: %b", state == DEVICE_TWIN_UPDATE_COMPLETE ? "document" : "change", json, (unsigned int)size);
    if (IoTHubClient_Properties_Deserializer_CreateInPlace(state == DEVICE_TWIN_UPDATE_COMPLETE ? IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL
            : IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, json, size, storage, sizeof storage, &reader) != IOTHUB_CLIENT_OK) return;
    property.structVersion = IOTHUB_CLIENT_PROPERTY_PARSED_STRUCT_VERSION_1;
    do {
        result = IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &found);
        if (result == IOTHUB_CLIENT_OK && found && property.propertyType == IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE
            && strcmp(property.name, "period") == 0 && seconds_of(property.value.str) != 0) period = seconds_of(property.value.str);
    } while (found && (result == IOTHUB_CLIENT_OK || result == IOTHUB_CLIENT_INVALID_SIZE));     /* a long one is none of ours */
    IoTHubClient_Properties_Deserializer_Destroy(reader);
    if ((int32_t)(due - machine_ms() - period * 1000) > 0) due = machine_ms() + period * 1000;
    say("period %u s", period);
    unreported = 1;
}

/* ---- Methods ---- */

static int answer(METHOD_HANDLE call, int status, const char *json, unsigned int size)
{
    IoTHubDeviceClient_DeviceMethodResponse(hub, call, (const unsigned char *)json, size, status);
    say("answered %u %b", (unsigned int)status, json, size);
    return 0;
}

static int on_method(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE call, void *context)
{
    static const char none[] = "{\"error\":\"no such method\"}";
    char json[96];
    (void)context;
    say("method %s: %b", name, payload, (unsigned int)size);
    if (strcmp(name, "status") == 0) {
        return answer(call, 200, json, text_write(json, sizeof json, "{\"stack\":%u,\"up_ms\":%u,\"slept_ms\":%u,\"sleeps\":%u}", machine_stack_used(),
            (unsigned int)machine_ms(), (unsigned int)machine_slept_ms(), (unsigned int)machine_sleeps()));
    }
    if (strcmp(name, "halt") == 0) {
        IoTHubDeviceClient_Stop(hub);            /* it sends the answer first */
        return answer(call, 200, "{}", 2);
    }
    return answer(call, 404, none, sizeof none - 1);
}

/* ---- The connection ---- */

static void tell_host_address(void)
{
    const char *at = strstr(settings.connection_string, "HostName=");
    char name[80];
    size_t size = at != NULL ? strcspn(at + 9, ":;") : 0;
    if (size == 0 || size >= sizeof name) return;
    memcpy(name, at + 9, size);
    name[size] = '\0';
    say("%s is %s", name, network_address_of(name));
}

/* A resumed session is the one of before, to the last byte. */
static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    unsigned char session[IOTHUB_BEARSSL_SESSION_SIZE];
    IOTHUB_ERROR error;
    uint32_t sum;
    (void)context;
    if (status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED) {
        sum = crc32(0, session, iothub_bearssl_save_session(&tls, session, sizeof session));
        tell_host_address();
        say("connected, TLS session %s", sum == session_sum ? "resumed" : "new");
        session_sum = sum;
        return;
    }
    if (reason == IOTHUB_CLIENT_CONNECTION_OK) {
        stopped = 1;
        say("disconnected in order");
        return;
    }
    IoTHubDeviceClient_GetLastError(hub, &error);
    say("not connected: %s (layer %u, code %d)", IoTHub_ErrorText(&error), (unsigned int)error.layer, error.raw);
}

/* ---- Start, work, end ---- */

static IOTHUB_CLIENT_RESULT set_options(void)
{
    unsigned int retry_s = 4, acknowledgement_s = 8, open_s = 20;     /* a cut is noticed and repaired within seconds, for one device on a desk */
    IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SetOption(hub, "TrustedCertsDer", &settings.roots);
    if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetOption(hub, OPTION_RETRY_MAX_DELAY_SECS, &retry_s);
    if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetOption(hub, IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, &acknowledgement_s);
    if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetOption(hub, IOTHUB_OPTION_OPEN_TIMEOUT, &open_s);
    if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetMessageCallback(hub, on_message, NULL);
    if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetPieceCallback(hub, on_piece, NULL);
    if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetDeviceTwinCallback(hub, on_twin, NULL);
    if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetDeviceMethodCallback_Ex(hub, on_method, NULL);
    if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, NULL);
    return result;
}

static int begin(void)
{
    IOTHUB_MEMORY memory = { &client_memory, sizeof client_memory, OUTBOX, INBOX, 8 };
    if (settings_read(&settings) != 0) return -1;
    boot_date = machine_date() - machine_ms() / 1000;
    iothub_lwip_platform(&tcp, &platform);
    platform.unix_time = unix_time;
    platform.random = fill_random;
    iothub_bearssl_init(&tls, iothub_lwip_tcp(&tcp), &platform, tls_records, sizeof tls_records);
    iothub_bearssl_memory(&tls, tls_roots, sizeof tls_roots);
    hub = IoTHubDeviceClient_CreateInPlace(settings.connection_string, MQTT_Protocol, &platform, &memory);
    return hub != NULL && set_options() == IOTHUB_CLIENT_OK ? 0 : -1;
}

static uint32_t least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

/* Milliseconds until this file has something to do. */
static uint32_t own_next(void)
{
    uint32_t next = due, now = machine_ms();
    size_t i;
    for (i = 0; i < KEPT; i++) if (kept[i].message != NULL && (int32_t)(kept[i].end - next) < 0) next = kept[i].end;
    return (int32_t)(next - now) > 0 ? next - now : 0;
}

static void tell_end(void)
{
    IOTHUB_STATISTICS statistics;
    IoTHubDeviceClient_GetStatistics(hub, &statistics);
    IoTHubDeviceClient_Destroy(hub);
    say("messages: %u confirmed, %u sent, %u of them again; connections: %u of %u attempts", (unsigned int)statistics.confirmed_ok,
        (unsigned int)statistics.sent, (unsigned int)statistics.repeated, (unsigned int)statistics.connections, (unsigned int)statistics.attempts);
    network_tell_pools();
    say("stack: %u of %u bytes", machine_stack_used(), machine_stack_size());
    say("time: %u ms, of which asleep %u ms in %u sleeps", (unsigned int)machine_ms(), (unsigned int)machine_slept_ms(), (unsigned int)machine_sleeps());
}

int main(void)
{
    IOTHUB_ERROR error;
    say("%s starts, iothub_client.h %s", board.name, IoTHubClient_GetVersionString());
    if (begin() != 0) {
        IoTHubDeviceClient_GetLastError(hub, &error);
        say("cannot start: %s, %u bytes missing", IoTHub_ErrorText(&error), (unsigned int)error.bytes_missing);
        return 1;
    }
    network_begin();
    while (!network_has_address()) {
        machine_sleep(network_next());
        network_work();
    }
    network_tell();
    while (!stopped) {
        network_work();
        settle_finished();
        report_when_needed();
        send_when_due();
        IoTHubDeviceClient_DoWork(hub);
        machine_sleep(least(IoTHubDeviceClient_GetNextWork(hub), least(network_next(), own_next())));
    }
    due = machine_ms() + 200;                    /* TCP's end goes out, too */
    while (own_next() != 0) {
        network_work();
        machine_sleep(least(network_next(), own_next()));
    }
    tell_end();
    return 0;
}
