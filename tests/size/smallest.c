/* Shows that a client works with little memory, OUTBOX and INBOX bytes: over a stream of stubs it connects, and a message of
   128 bytes is confirmed. Prints how many bytes of strings it keeps for this connection string. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_CLIENTS 0
#define IOTHUB_POOL_MESSAGES 0
#include "iothub_client.h"
#include <stdio.h>

#define CONNECTION "HostName=example.azure-devices.net;DeviceId=thermometer-1;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

static int connecting, acknowledging, confirmed;
IOTHUB_CLIENT_BLOCK(static, block, IOTHUB_CLIENT_SIZE(sizeof CONNECTION, OUTBOX, INBOX));

/* ---- the stream: answers CONNECT and one PUBLISH ---- */

static int stub_open(void *context, const char *host, unsigned int port)
{
    (void)context;
    return host != NULL && port != 0;
}

static int stub_write(void *context, const unsigned char *bytes, unsigned int size)
{
    (void)context;
    connecting |= size != 0 && bytes[0] == 0x10;                    /* CONNECT begins */
    acknowledging |= size != 0 && bytes[size - 1] == '!';           /* the message ends */
    return size != 0 ? (int)size : 1;
}

static int stub_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    static const unsigned char connack[] = { 0x20, 2, 0, 0 }, puback[] = { 0x40, 2, 0, 1 };
    (void)context;
    if (capacity < sizeof connack || !(connecting || acknowledging)) {
        return 0;
    }
    memcpy(bytes, connecting ? connack : puback, sizeof connack);
    acknowledging = connecting && acknowledging;
    connecting = 0;
    return sizeof connack;
}

static void stub_close(void *context)
{
    (void)context;
}

static uint32_t stub_milliseconds(void *context)
{
    (void)context;
    return 0;
}

static uint32_t stub_unix_time(void *context)
{
    (void)context;
    return 1800000000u;
}

static int stub_random(void *context, unsigned char *bytes, unsigned int size)
{
    (void)context;
    memset(bytes, 7, size);
    return 0;
}

static int stub_hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32])
{
    (void)context, (void)key, (void)key_size, (void)data, (void)data_size;
    memset(digest, 7, 32);
    return 0;
}

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    confirmed = result == IOTHUB_CLIENT_CONFIRMATION_OK;
}

int main(void)
{
    static IOTHUB_PLATFORM platform = {
        { NULL, stub_open, stub_read, stub_write, stub_close, NULL, NULL }, { NULL, NULL, NULL, NULL, NULL, NULL, NULL },
        NULL, stub_milliseconds, stub_unix_time, stub_random, stub_hmac, NULL
    };
    static unsigned char body[128];
    static void *storage[10];
    IOTHUB_MEMORY memory = { &block, sizeof block, OUTBOX, INBOX, 0 };
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateInPlace(CONNECTION, MQTT_Protocol, &platform, &memory);
    int i;
    memset(body, 'x', sizeof body);
    body[sizeof body - 1] = '!';
    IoTHubDeviceClient_SendEventAsync(hub, IoTHubMessage_Wrap(storage, sizeof storage, body, sizeof body), on_confirmation, NULL);
    for (i = 0; i < 10; ++i) {
        IoTHubDeviceClient_DoWork(hub);
    }
    printf("%u\n", (unsigned int)(IoTHub_ClientSize(CONNECTION, MQTT_Protocol, OUTBOX, INBOX) - sizeof(struct iothubi_client) - OUTBOX - INBOX));
    return !confirmed;
}
