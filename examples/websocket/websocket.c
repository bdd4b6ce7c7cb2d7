/* Sends one message through port 443: MQTT in a WebSocket, behind an HTTP proxy where there is one. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_WEBSOCKET
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <stdio.h>
#include <stdlib.h>

static IOTHUB_POSIX_BEARSSL machine;
static int ended, result = 1;

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT confirmation, void *context)
{
    (void)context;
    printf("%s\n", MU_ENUM_TO_STRING(IOTHUB_CLIENT_CONFIRMATION_RESULT, confirmation));
    result = confirmation != IOTHUB_CLIENT_CONFIRMATION_OK;
    ended = 1;
}

/* Each failed attempt says which layer it was: the proxy (raw 407: its password), TLS, the hub. */
static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *hub)
{
    IOTHUB_ERROR error;
    (void)status;
    IoTHubDeviceClient_GetLastError((IOTHUB_DEVICE_CLIENT_HANDLE)hub, &error);
    fprintf(stderr, "%s: %s (%ld)\n", MU_ENUM_TO_STRING(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, reason), IoTHub_ErrorText(&error), error.raw);
    if (reason == IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED) ended = 1;
}

/* The texts are kept by the program until Destroy, the struct is copied. */
static IOTHUB_CLIENT_RESULT set_proxy(IOTHUB_DEVICE_CLIENT_HANDLE hub)
{
    HTTP_PROXY_OPTIONS proxy;
    const char *port = getenv("PROXY_PORT");
    proxy.host_address = getenv("PROXY_HOST");
    proxy.port = port != NULL ? atoi(port) : 8080;
    proxy.username = getenv("PROXY_USER");
    proxy.password = getenv("PROXY_PASSWORD");
    return proxy.host_address == NULL ? IOTHUB_CLIENT_OK : IoTHubDeviceClient_SetOption(hub, OPTION_HTTP_PROXY, &proxy);
}

static int set_up(IOTHUB_DEVICE_CLIENT_HANDLE hub, const char *roots)
{
    return hub != NULL
        && (roots == NULL || IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots) == IOTHUB_CLIENT_OK)
        && set_proxy(hub) == IOTHUB_CLIENT_OK
        && IoTHubDeviceClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, 20) == IOTHUB_CLIENT_OK
        && IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, hub) == IOTHUB_CLIENT_OK;
}

int main(void)
{
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_MESSAGE_HANDLE message;
    IOTHUB_ERROR error;
    IoTHub_SetPlatform(iothub_posix_bearssl(&machine));
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_WebSocket_Protocol);
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
    IoTHubDeviceClient_Destroy(hub);
    return result;
}
