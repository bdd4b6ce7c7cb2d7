/* A Windows program: winsock_device.exe CONNECTION_STRING CA_FILE sends three messages, waits for one from the cloud, disconnects. */

#include "../../ports/winsock/iothub_winsock.h"
#include "../../ports/bearssl/iothub_bearssl.h"

#include <stdio.h>

static IOTHUB_WINSOCK winsock;
static IOTHUB_BEARSSL tls;
static IOTHUB_PLATFORM platform;
static unsigned char records[IOTHUB_BEARSSL_BUFFER_MONO], certificates[4096];
static int confirmed, failed, received, stopped;

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    confirmed += result == IOTHUB_CLIENT_CONFIRMATION_OK;
    failed += result != IOTHUB_CLIENT_CONFIRMATION_OK;
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    const unsigned char *bytes;
    size_t size;

    (void)context;
    if (IoTHubMessage_GetByteArray(message, &bytes, &size) == IOTHUB_MESSAGE_OK) {
        printf("received %.*s\n", (int)size, (const char *)bytes);
        fflush(stdout);
        received++;
    }
    return IOTHUBMESSAGE_ACCEPTED;
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)reason;
    (void)context;
    stopped = status != IOTHUB_CLIENT_CONNECTION_AUTHENTICATED;
}

static int run(IOTHUB_DEVICE_CLIENT_HANDLE hub, const int *value, int wanted)
{
    const DWORD start = GetTickCount();

    while (*value < wanted && GetTickCount() - start < 60000) {
        (void)iothub_winsock_wait(&winsock, IoTHubDeviceClient_GetNextWork(hub) < 100 ? IoTHubDeviceClient_GetNextWork(hub) : 100);
        IoTHubDeviceClient_DoWork(hub);
    }
    return *value >= wanted;
}

int main(int count, char **arguments)
{
    static char roots[8192];
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_ERROR error;
    FILE *file;
    int i, good;

    if (count != 3 || (file = fopen(arguments[2], "rb")) == NULL || fread(roots, 1, sizeof roots - 1, file) == 0 ||
        iothub_winsock_platform(&winsock, &platform) != 0 ||
        iothub_bearssl_init(&tls, iothub_winsock_tcp(&winsock), &platform, records, sizeof records) != 0) {
        printf("failed to begin\n");
        return 2;
    }
    (void)fclose(file);
    iothub_bearssl_memory(&tls, certificates, sizeof certificates);
    IoTHub_SetPlatform(&platform);
    hub = IoTHubDeviceClient_CreateFromConnectionString(arguments[1], MQTT_Protocol);
    if (hub == NULL || IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots) != IOTHUB_CLIENT_OK) {
        printf("failed to make a client\n");
        return 2;
    }
    (void)IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, NULL);
    (void)IoTHubDeviceClient_SetMessageCallback(hub, on_message, NULL);
    for (i = 0; i < 3; i++) {
        char text[20];
        IOTHUB_MESSAGE_HANDLE message;
        sprintf(text, "message %d", i);
        message = IoTHubMessage_CreateFromString(text);
        (void)IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL);
        IoTHubMessage_Destroy(message);
    }
    good = run(hub, &confirmed, 3) && failed == 0 && run(hub, &received, 1);
    if (good) {
        IoTHubDeviceClient_Stop(hub);            /* which sends the acknowledgement first */
        good = run(hub, &stopped, 1);
    }
    (void)IoTHubDeviceClient_GetLastError(hub, &error);
    printf("%s: layer %d, code %d, raw %ld\n", good ? "ended" : "failed", (int)error.layer, (int)error.code, error.raw);
    IoTHubDeviceClient_Destroy(hub);
    return good ? 0 : 1;
}
