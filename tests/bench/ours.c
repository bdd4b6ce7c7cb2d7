/* The bench's jobs with iothub_client.h.

       ours STREAM JOB COUNT WINDOW SIZE

   STREAM  model: a hub in memory, the same in every run;  openssl, bearssl (records up to 16 KB), bearssl_mono (up to 512 bytes)
   JOB     send    COUNT messages of SIZE bytes, at most WINDOW of them unacknowledged; wrap: the same, with borrowed bodies
           burst   fills an outbox of 4 KB, lets all of it be acknowledged, fills it again, until COUNT messages are sent
           idle    COUNT calls of DoWork with nothing to do; next: of GetNextWork
           trips   counts round trips until the first acknowledgement;  memory: what a message takes (both with the model)
           all_... the same with a client that wants messages, twin and methods; what it wants is there before the calls and after
                   the round trips (with the model). all_message, all_patch, all_call: then it takes COUNT messages of SIZE bytes,
                   patches of the twin, method calls, which it answers
   Each connects, sends a message at least, and disconnects. What a port does is in functions called port_...: the bench takes
   them out of the counts. */
#include "iothub_client.h"
#include "ports/posix/iothub_posix.h"
#include "ports/bearssl/iothub_bearssl.h"
#include "model_hub.h"
#include "openssl_stream.h"
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECTION "HostName=myhub.azure-devices.net;DeviceId=dev1;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define BURST_OUTBOX 4096u
#define INBOX 512u
#define FEATURES_INBOX 768u

static IOTHUB_PLATFORM platform;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static OPENSSL_STREAM tls;
static IOTHUB_POSIX posix;
static IOTHUB_BEARSSL bearssl;
static unsigned char records[IOTHUB_BEARSSL_BUFFER_BIDI], certificates[4096], body[4096];
static unsigned int count, window, size, sent, confirmed;
static unsigned int messages, documents, patches, calls; /* that came */
static int wants_all;                            /* messages, twin, methods */
static uint32_t clock_ms;                        /* of the model: a millisecond each round */

/* ---- platform ---- */

static uint32_t port_milliseconds(void *context)
{
    (void)context;
    return clock_ms;
}

static uint32_t port_unix_time(void *context)
{
    (void)context;
    return 1800000000u + clock_ms / 1000u;
}

static int port_random(void *context, unsigned char *bytes, unsigned int length)
{
    (void)context;
    memset(bytes, 7, length);
    return 0;
}

static int port_hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32])
{
    (void)context;
    return HMAC(EVP_sha256(), key, (int)key_size, data, data_size, digest, NULL) != NULL ? 0 : -1;
}

static char *read_text(const char *name)
{
    static char text[8192];
    FILE *file = fopen(name, "r");
    if (file == NULL) {
        exit(2);
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void choose_stream(const char *name)
{
    iothub_posix_platform(&posix, &platform);
    if (strncmp(name, "bearssl", 7) == 0) {
        iothub_bearssl_init(&bearssl, iothub_posix_tcp(&posix), &platform, records,
            strcmp(name, "bearssl_mono") == 0 ? IOTHUB_BEARSSL_BUFFER_MONO : IOTHUB_BEARSSL_BUFFER_BIDI);
        iothub_bearssl_memory(&bearssl, certificates, sizeof certificates);
        return;
    }
    platform.random = port_random;
    platform.hmac_sha256 = port_hmac;
    platform.unix_time = port_unix_time;         /* one token for every run: its length varies with the signature's escapes */
    if (strcmp(name, "openssl") == 0) {
        openssl_stream(&tls, getenv("BENCH_ROOTS"), &platform.io);
    } else {
        model_stream(&platform.io);
        platform.milliseconds = port_milliseconds;
    }
}

static void port_wait(unsigned int milliseconds)
{
    if (tls.ssl != NULL) {
        port_openssl_wait(&tls, milliseconds);
    } else if (bearssl.buffer != NULL) {
        iothub_posix_wait(&posix, milliseconds);
    }
}

/* ---- the jobs ---- */

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    confirmed += result == IOTHUB_CLIENT_CONFIRMATION_OK;
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    const unsigned char *bytes;
    size_t length;
    (void)context;
    messages += IoTHubMessage_GetByteArray(message, &bytes, &length) == IOTHUB_MESSAGE_OK && length == size;
    return IOTHUBMESSAGE_ACCEPTED;
}

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *bytes, size_t length, void *context)
{
    (void)context;
    documents += state == DEVICE_TWIN_UPDATE_COMPLETE && bytes != NULL && length != 0;
    patches += state == DEVICE_TWIN_UPDATE_PARTIAL;
}

static int on_method(const char *name, const unsigned char *payload, size_t length, unsigned char **response, size_t *response_size, void *context)
{
    static unsigned char answer[] = "{\"ok\":true}";
    (void)name;
    (void)payload;
    (void)context;
    calls += length != 0;
    *response = answer;
    *response_size = sizeof answer - 1;
    return 200;
}

static int send_copied(void)
{
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromByteArray(body, size);
    IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL);
    IoTHubMessage_Destroy(message);
    sent += result == IOTHUB_CLIENT_OK;
    return result == IOTHUB_CLIENT_OK;
}

static int send_borrowed(void)
{
    static void *storage[16];
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, body, size);
    IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL);
    sent += result == IOTHUB_CLIENT_OK;
    return result == IOTHUB_CLIENT_OK;
}

/* One round of a main loop; it sleeps when nothing was confirmed. */
static void work(void)
{
    unsigned int before = confirmed;
    ++clock_ms;
    IoTHubDeviceClient_DoWork(hub);
    if (confirmed == before) {
        port_wait(IoTHubDeviceClient_GetNextWork(hub));
    }
}

static void send_with_window(int (*send_one)(void))
{
    while (confirmed < count) {
        while (sent < count && sent - confirmed < window && send_one()) {
        }
        work();
    }
}

static void send_in_bursts(void)
{
    while (confirmed < count) {
        while (sent < count && send_copied()) {
        }
        while (confirmed < sent) {
            work();
        }
    }
}

/* The first message is acknowledged, and all that is wanted is there. */
static int is_settled(void)
{
    return confirmed != 0 && (!wants_all || (documents != 0 && model.filters == 4));
}

static void send_one_and(void (*call)(void))
{
    unsigned int i;
    send_copied();
    while (!is_settled()) {
        work();
    }
    for (i = 0; i < count; ++i) {
        ++clock_ms;
        call();
    }
}

static void call_do_work(void)
{
    IoTHubDeviceClient_DoWork(hub);
}

static void call_next_work(void)
{
    IoTHubDeviceClient_GetNextWork(hub);
}

static void take_message(void)
{
    unsigned int before = model.settled;
    for (port_model_message(size); model.settled == before;) {
        work();
    }
}

static void take_patch(void)
{
    unsigned int before = patches;
    for (port_model_patch(); patches == before;) {
        work();
    }
}

static void take_call(void)
{
    unsigned int before = model.settled;
    for (port_model_call(); model.settled == before;) {
        work();
    }
}

/* Round trips until the client is settled: the hub in memory speaks only when the client is silent. */
static unsigned int round_trips(void)
{
    unsigned int trips = 0;
    unsigned long bytes;
    model.waits_for_turn = 1;
    for (send_copied(); !is_settled();) {
        bytes = model.bytes_out;
        IoTHubDeviceClient_DoWork(hub);
        if (!is_settled() && model.bytes_out == bytes && IoTHubDeviceClient_GetNextWork(hub) != 0) {
            model_turn();
            ++trips;
        }
    }
    model.waits_for_turn = 0;
    return trips;
}

/* ---- set-up and figures ---- */

/* Room for WINDOW messages and their records, and for what a ring leaves unused at its end. */
static size_t outbox_size(void)
{
    return window * (size + 128u) + 4096u;
}

static void create(int burst)
{
    static char connection[256];
    IOTHUB_MEMORY memory;
    snprintf(connection, sizeof connection, CONNECTION ";GatewayHostName=localhost:%s", getenv("BENCH_PORT"));
    memory.outbox_messages = burst ? 0 : window;
    memory.outbox_size = burst ? BURST_OUTBOX : outbox_size();
    memory.inbox_size = wants_all ? FEATURES_INBOX : INBOX;
    memory.block_size = IoTHub_ClientSize(connection, MQTT_Protocol, memory.outbox_size, memory.inbox_size);
    memory.block = malloc(memory.block_size);
    hub = IoTHubDeviceClient_CreateInPlace(connection, MQTT_Protocol, &platform, &memory);
    if (hub == NULL || IoTHubDeviceClient_SetOption(hub, IOTHUB_OPTION_IN_FLIGHT, &window) != IOTHUB_CLIENT_OK) {
        exit(2);
    }
    if (bearssl.buffer != NULL
        && IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, read_text(getenv("BENCH_ROOTS"))) != IOTHUB_CLIENT_OK) {
        exit(2);
    }
}

static void want_all(void)
{
    if (IoTHubDeviceClient_SetMessageCallback(hub, on_message, NULL) != IOTHUB_CLIENT_OK
        || IoTHubDeviceClient_SetDeviceTwinCallback(hub, on_twin, NULL) != IOTHUB_CLIENT_OK
        || IoTHubDeviceClient_SetDeviceMethodCallback(hub, on_method, NULL) != IOTHUB_CLIENT_OK) {
        exit(2);
    }
}

/* What one message takes while it waits: its bytes, as the statistics tell them, and its record. */
static void print_memory(void)
{
    IOTHUB_STATISTICS statistics;
    send_copied();
    IoTHubDeviceClient_GetStatistics(hub, &statistics);
    printf("stored_bytes %u\n", (unsigned int)statistics.outbox_used);
    printf("record_bytes %u\n", ((unsigned int)outbox_size() - statistics.outbox_capacity) / window);
    while (confirmed < sent) {
        work();
    }
}

int main(int argc, char **argv)
{
    const char *job = argc == 6 ? argv[2] : "";
    if (argc != 6 || getenv("BENCH_PORT") == NULL) {
        fprintf(stderr, "usage: ours STREAM JOB COUNT WINDOW SIZE, see ours.c   (tools/bench sets the BENCH_... variables)\n");
        return 2;
    }
    count = (unsigned int)atoi(argv[3]);
    window = (unsigned int)atoi(argv[4]);
    size = (unsigned int)atoi(argv[5]);
    memset(body, 'x', sizeof body);
    choose_stream(argv[1]);
    wants_all = strncmp(job, "all_", 4) == 0;
    job += wants_all ? 4 : 0;
    create(strcmp(job, "burst") == 0);
    if (wants_all) {
        want_all();
    }
    if (strcmp(job, "send") == 0) {
        send_with_window(send_copied);
    } else if (strcmp(job, "wrap") == 0) {
        send_with_window(send_borrowed);
    } else if (strcmp(job, "burst") == 0) {
        send_in_bursts();
    } else if (strcmp(job, "idle") == 0) {
        send_one_and(call_do_work);
    } else if (strcmp(job, "next") == 0) {
        send_one_and(call_next_work);
    } else if (strcmp(job, "message") == 0) {
        send_one_and(take_message);
    } else if (strcmp(job, "patch") == 0) {
        send_one_and(take_patch);
    } else if (strcmp(job, "call") == 0) {
        send_one_and(take_call);
    } else if (strcmp(job, "trips") == 0) {
        printf("round_trips %u\n", round_trips());
    } else if (strcmp(job, "memory") == 0) {
        print_memory();
    } else {
        return 2;
    }
    IoTHubDeviceClient_Destroy(hub);
    printf("writes %lu\npushes %lu\nclear_out %lu\nclear_in %lu\n", model.writes, model.pushes, model.bytes_out, model.bytes_in);
    return 0;
}
