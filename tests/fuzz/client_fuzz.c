/* The whole client: the input is what the stream does, what the clock does and what the program does. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_OUTBOX 700
#define IOTHUB_POOL_INBOX 128
#include "iothub_client.h"
#include <stdlib.h>

static const uint8_t *input;
static size_t left;
static uint32_t tick, wall;
static int is_open;
static unsigned int confirmed;
volatile unsigned char fuzz_sink;                /* every byte that is offered is read */

static unsigned int take(void)
{
    if (left == 0) return 0;
    left -= 1;
    return *input++;
}

static int on_open(void *context, const char *host, unsigned int port)
{
    unsigned int choice = take() & 7u;
    (void)context;
    (void)host;
    (void)port;
    is_open = choice > 1;
    return choice == 0 ? -1 : choice == 1 ? 0 : 1;
}

static int on_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    unsigned int choice = take(), size = choice & 31u, i;
    (void)context;
    if (!is_open || capacity == 0 || capacity > 32767u) abort();
    if (choice == 255) return -1;
    if (choice == 254) return (int)capacity + 1;
    if (size > capacity) size = capacity;
    for (i = 0; i < size; ++i) bytes[i] = (unsigned char)take();
    return (int)size;
}

static int on_write(void *context, const unsigned char *bytes, unsigned int size)
{
    unsigned int choice, i;
    (void)context;
    if (!is_open || size > 32767u) abort();
    for (i = 0; i < size; ++i) fuzz_sink = bytes[i];
    choice = take();
    if (choice == 255) return -1;
    if (size == 0) return (int)(choice & 1u);
    if (choice < 64) return 0;
    if (choice < 128) return (int)(size < (choice & 15u) ? size : choice & 15u);
    return (int)size;
}

static void on_close(void *context)
{
    (void)context;
    is_open = 0;
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
    return 0;
}

static int on_hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32])
{
    (void)context;
    (void)key;
    (void)key_size;
    (void)data;
    (void)data_size;
    memset(digest, 7, 32);
    return (take() & 15u) == 1;
}

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)result;
    (void)context;
    confirmed += 1;
}

static unsigned int send(IOTHUB_DEVICE_CLIENT_HANDLE hub)
{
    static unsigned char body[1100];
    void *storage[40];
    char text[3];
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, body, take() * 4u);
    text[0] = (char)take();
    text[1] = (char)take();
    text[2] = '\0';
    IoTHubMessage_SetMessageId(message, text);
    IoTHubMessage_SetProperty(message, "name", text);
    return IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL) == IOTHUB_CLIENT_OK;
}

static void set(IOTHUB_DEVICE_CLIENT_HANDLE hub)
{
    tickcounter_ms_t timeout = take() * 100u;
    int qos = (int)take() & 1;
    IoTHubDeviceClient_SetOption(hub, OPTION_MESSAGE_TIMEOUT, &timeout);
    IoTHubDeviceClient_SetOption(hub, IOTHUB_OPTION_QOS, &qos);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    IOTHUB_PLATFORM platform;
    IOTHUB_STATISTICS statistics;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    unsigned int accepted = 0;
    input = data;
    left = size;
    tick = (uint32_t)take() << 24 | (uint32_t)take() << 16;
    wall = 1893452400u;
    is_open = 0;
    confirmed = 0;
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
    IoTHub_SetPlatform(&platform);
    hub = IoTHubDeviceClient_CreateFromConnectionString("HostName=h.x;DeviceId=d;SharedAccessKey=AAAA", MQTT_Protocol);
    if (hub == NULL) abort();
    while (left != 0) {
        switch (take() & 15u) {
        case 0:
        case 1: accepted += send(hub); break;
        case 2: tick += take() * 1000u; break;
        case 3: wall += (uint32_t)take() << 16; break;
        case 4: IoTHubDeviceClient_Stop(hub); break;
        case 5: IoTHubDeviceClient_Start(hub); break;
        case 6: set(hub); break;
        case 7: IoTHubDeviceClient_SetRetryPolicy(hub, (IOTHUB_CLIENT_RETRY_POLICY)(take() % 7u), take()); break;
        default:
            IoTHubDeviceClient_DoWork(hub);
            tick += IoTHubDeviceClient_GetNextWork(hub) % 1000u;
            break;
        }
    }
    IoTHubDeviceClient_GetStatistics(hub, &statistics);
    if (statistics.accepted != accepted || statistics.messages_waiting != accepted - confirmed) abort();
    IoTHubDeviceClient_Destroy(hub);
    if (confirmed != accepted || is_open) abort();
    return 0;
}
