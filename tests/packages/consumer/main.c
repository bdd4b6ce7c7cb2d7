/* The other file: header and port without the implementation. A client over a stream that never opens accepts a message, asks for
   its hub, and confirms the message when it is destroyed. Prints the version that the header has; exit 0 when all of that was so. */
#define IOTHUB_WEBSOCKET
#include "iothub_client.h"
#include "ports/posix/iothub_posix.h"
#include <stdio.h>
#include <string.h>

static int opens, confirmations;

static int stream_open(void *context, const char *host, unsigned int port)
{
    (void)context;
    opens += !strcmp(host, "hub.azure-devices.net") && port == 443;
    return 0;
}

static int stream_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    (void)context, (void)bytes, (void)capacity;
    return 0;
}

static int stream_write(void *context, const unsigned char *bytes, unsigned int size)
{
    (void)context, (void)bytes, (void)size;
    return 0;
}

static void stream_close(void *context)
{
    (void)context;
}

static int hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
                unsigned char digest[32])
{
    (void)context, (void)key, (void)key_size, (void)data, (void)data_size;
    memset(digest, 0, 32);
    return 0;
}

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    *(int *)context += result == IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY;
}

int main(void)
{
    static IOTHUB_POSIX posix;
    static IOTHUB_PLATFORM platform;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_MESSAGE_HANDLE message;
    IOTHUB_ERROR error;
    IOTHUB_CLIENT_RESULT result;

    iothub_posix_platform(&posix, &platform);
    platform.io.open = stream_open;
    platform.io.read = stream_read;
    platform.io.write = stream_write;
    platform.io.close = stream_close;
    platform.hmac_sha256 = hmac;
    IoTHub_SetPlatform(&platform);
    hub = IoTHubDeviceClient_CreateFromConnectionString("HostName=hub.azure-devices.net;DeviceId=d;SharedAccessKey=a2V5",
                                                        MQTT_WebSocket_Protocol);
    if (!hub) {
        IoTHubDeviceClient_GetLastError(NULL, &error);
        printf("no client: %s\n", IoTHub_ErrorText(&error));
        return 1;
    }
    message = IoTHubMessage_CreateFromString("hello");
    result = IoTHubDeviceClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_IMMEDIATE, 0);
    if (result == IOTHUB_CLIENT_OK) {
        result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, &confirmations);
    }
    IoTHubMessage_Destroy(message);
    for (; result == IOTHUB_CLIENT_OK && !opens; ) {                     /* run.sh puts an end to it */
        IoTHubDeviceClient_DoWork(hub);
    }
    IoTHubDeviceClient_Destroy(hub);
    if (strcmp(IoTHubClient_GetVersionString(), IOTHUB_CLIENT_VERSION)) {
        printf("two versions: %s and " IOTHUB_CLIENT_VERSION "\n", IoTHubClient_GetVersionString());
        return 1;
    }
    printf("iothub_client %s: %d opened, %d confirmed\n", IoTHubClient_GetVersionString(), opens > 0, confirmations);
    return result != IOTHUB_CLIENT_OK || !opens || confirmations != 1;
}
