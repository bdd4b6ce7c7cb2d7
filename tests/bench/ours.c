/* The bench's jobs with iothub_client.h.

       ours STREAM JOB COUNT WINDOW SIZE

   STREAM  model: a hub in memory, the same in every run;  openssl, bearssl (records up to 16 KB), bearssl_mono (up to 512 bytes)
   JOB     send    COUNT messages of SIZE bytes, at most WINDOW of them unacknowledged; wrap: the same, with borrowed bodies
           burst   fills an outbox of 4 KB, lets all of it be acknowledged, fills it again, until COUNT messages are sent
           idle    COUNT calls of DoWork with nothing to do; next: of GetNextWork
           trips   counts round trips until the first acknowledgement;  memory: what a message takes (both with the model)
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

static IOTHUB_PLATFORM platform;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static OPENSSL_STREAM tls;
static IOTHUB_POSIX posix;
static IOTHUB_BEARSSL bearssl;
static unsigned char records[IOTHUB_BEARSSL_BUFFER_BIDI], certificates[4096], body[4096];
static unsigned int count, window, size, sent, confirmed;
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

static void send_one_and(void (*call)(void))
{
    unsigned int i;
    send_copied();
    while (confirmed == 0) {
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

/* Round trips until the first acknowledgement: the hub in memory speaks only when the client is silent. */
static unsigned int round_trips(void)
{
    unsigned int trips = 0;
    unsigned long bytes;
    model.waits_for_turn = 1;
    for (send_copied(); confirmed == 0;) {
        bytes = model.bytes_out;
        IoTHubDeviceClient_DoWork(hub);
        if (confirmed == 0 && model.bytes_out == bytes && IoTHubDeviceClient_GetNextWork(hub) != 0) {
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
    memory.inbox_size = INBOX;
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
    create(strcmp(job, "burst") == 0);
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
