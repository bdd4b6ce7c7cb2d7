/* Sends each line of standard input to IoT Hub as a message; exit 0 when all are confirmed. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_MESSAGE_SIZE 1280
#include "iothub_client.h"
#include "ports/posix/iothub_posix.h"
#include "ports/bearssl/iothub_bearssl.h"
#include "ports/bearssl/iothub_bearssl_roots.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static IOTHUB_POSIX posix; static IOTHUB_BEARSSL tls; static IOTHUB_PLATFORM platform; static IOTHUB_ERROR error;
static unsigned char records[IOTHUB_BEARSSL_BUFFER_BIDI], certificates[4096];
static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *confirmed)
{ *(unsigned long *)confirmed += result == IOTHUB_CLIENT_CONFIRMATION_OK; }
int main(void)
{
    char line[4096], *roots = getenv("IOTHUB_TRUSTED_CERTS"); unsigned long sent = 0, confirmed = 0;
    IOTHUB_DEVICE_CLIENT_HANDLE hub; IOTHUB_CLIENT_RESULT result;
    iothub_posix_platform(&posix, &platform);                                                   /* clocks, entropy */
    iothub_bearssl_init(&tls, iothub_posix_tcp(&posix), &platform, records, sizeof records);    /* TLS over TCP */
    iothub_bearssl_trust(&tls, IOTHUB_ROOTS_ANCHORS, IOTHUB_ROOTS_ANCHORS_COUNT);               /* Azure's roots */
    iothub_bearssl_memory(&tls, certificates, sizeof certificates);                             /* room for others */
    IoTHub_SetPlatform(&platform);
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol);
    result = IoTHubDeviceClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, 20); /* seconds */
    if (!result && roots) result = IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots);
    while (!result && fgets(line, sizeof line, stdin)) {
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromByteArray((unsigned char *)line, strcspn(line, "\n"));
        result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, &confirmed);
        IoTHubMessage_Destroy(message);
        for (++sent; !result && confirmed < sent; result = error.retryable ? result : IOTHUB_CLIENT_ERROR) {
            iothub_posix_wait(&posix, IoTHubDeviceClient_GetNextWork(hub));                     /* sleeps until there is work */
            IoTHubDeviceClient_DoWork(hub);
            IoTHubDeviceClient_GetLastError(hub, &error);
        }
    }
    IoTHubDeviceClient_GetLastError(result == IOTHUB_CLIENT_INVALID_ARG ? NULL : hub, &error);
    IoTHubDeviceClient_Destroy(hub);
    return fprintf(result ? stderr : stdout, "%lu of %lu confirmed: %s\n", confirmed, sent, IoTHub_ErrorText(&error)), result != 0;
}
