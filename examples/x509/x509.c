/* Logs in with a certificate instead of a key, and sends one message. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <stdio.h>
#include <stdlib.h>

static IOTHUB_POSIX_BEARSSL machine;
static char certificate[8192], key[4096];        /* PEM; kept until Destroy */
static int ended, result = 1;

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT confirmation, void *context)
{
    (void)context;
    printf("%s\n", MU_ENUM_TO_STRING(IOTHUB_CLIENT_CONFIRMATION_RESULT, confirmation));
    result = confirmation != IOTHUB_CLIENT_CONFIRMATION_OK;
    ended = 1;
}

/* Each failed attempt says why: a certificate that the hub does not know, a key of another certificate, an expired chain. */
static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *hub)
{
    IOTHUB_ERROR error;
    IoTHubDeviceClient_GetLastError((IOTHUB_DEVICE_CLIENT_HANDLE)hub, &error);
    fprintf(stderr, "%s, %s: %s\n", MU_ENUM_TO_STRING(IOTHUB_CLIENT_CONNECTION_STATUS, status),
        MU_ENUM_TO_STRING(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, reason), IoTHub_ErrorText(&error));
    if (reason == IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED) ended = 1;
}

static int read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "rb");
    size_t got = file != NULL ? fread(text, 1, size - 1, file) : 0;
    if (file != NULL) fclose(file);
    text[got] = '\0';
    if (got == 0 || got == size - 1) fprintf(stderr, "%s cannot be read, or is too large\n", path);
    return got > 0 && got < size - 1;
}

static int set_up(IOTHUB_DEVICE_CLIENT_HANDLE hub, const char *roots)
{
    return hub != NULL
        && (roots == NULL || IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots) == IOTHUB_CLIENT_OK)
        && IoTHubDeviceClient_SetOption(hub, OPTION_X509_CERT, certificate) == IOTHUB_CLIENT_OK
        && IoTHubDeviceClient_SetOption(hub, OPTION_X509_PRIVATE_KEY, key) == IOTHUB_CLIENT_OK
        && IoTHubDeviceClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, 20) == IOTHUB_CLIENT_OK
        && IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, hub) == IOTHUB_CLIENT_OK;
}

int main(int count, char **arguments)
{
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_MESSAGE_HANDLE message;
    IOTHUB_ERROR error;
    if (count != 3 || !read_file(arguments[1], certificate, sizeof certificate) || !read_file(arguments[2], key, sizeof key)) {
        fprintf(stderr, "usage: x509 CERTIFICATE.pem KEY.pem\n");
        return 2;
    }
    IoTHub_SetPlatform(iothub_posix_bearssl(&machine));
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol); /* ...;x509=true */
    message = IoTHubMessage_CreateFromString("{\"t\":21.5}");
    if (!set_up(hub, getenv("IOTHUB_TRUSTED_CERTS")) || IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL) != IOTHUB_CLIENT_OK) {
        IoTHubDeviceClient_GetLastError(hub, &error);
        fprintf(stderr, "%s\n", IoTHub_ErrorText(&error));
        ended = 1;
    }
    IoTHubMessage_Destroy(message);
    while (!ended) {
        iothub_posix_wait(&machine.posix, IoTHubDeviceClient_GetNextWork(hub));
        IoTHubDeviceClient_DoWork(hub);
    }
    IoTHubDeviceClient_Destroy(hub);             /* what is not confirmed yet is confirmed here: BECAUSE_DESTROY */
    return result;
}
