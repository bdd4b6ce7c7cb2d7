/* One waking of a device that sleeps: sends a reading, keeps the TLS session for the next time, and ends. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AWAKE_MS 30000u                          /* a battery is not emptied by a network that is down */

static IOTHUB_POSIX_BEARSSL machine;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static int confirmed, stopped;

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    if (result == IOTHUB_CLIENT_CONFIRMATION_OK) confirmed = 1;
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)context;
    if (status == IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED && reason == IOTHUB_CLIENT_CONNECTION_OK) stopped = 1; /* after Stop */
}

/* On a device: memory that lives through deep sleep. As secret as a key: whoever has it can read the connection. */
static void load_session(const char *path)
{
    unsigned char bytes[IOTHUB_BEARSSL_SESSION_SIZE];
    FILE *file = fopen(path, "rb");
    if (file == NULL) return;
    if (fread(bytes, 1, sizeof bytes, file) == sizeof bytes) iothub_bearssl_load_session(&machine.tls, bytes, sizeof bytes);
    fclose(file);
}

static void save_session(const char *path)
{
    unsigned char bytes[IOTHUB_BEARSSL_SESSION_SIZE];
    FILE *file;
    if (iothub_bearssl_save_session(&machine.tls, bytes, sizeof bytes) == 0) return;     /* there is none */
    file = fopen(path, "wb");
    if (file == NULL) return;
    fwrite(bytes, 1, sizeof bytes, file);
    fclose(file);
}

/* Works until done, asleep wherever the client has nothing to do; false: it took too long. */
static int work_until(const int *done)
{
    uint32_t start = machine.platform.milliseconds(machine.platform.context);
    while (!*done && machine.platform.milliseconds(machine.platform.context) - start < AWAKE_MS) {
        uint32_t next = IoTHubDeviceClient_GetNextWork(hub);
        iothub_posix_wait(&machine.posix, next < AWAKE_MS ? next : AWAKE_MS);
        IoTHubDeviceClient_DoWork(hub);
    }
    return *done;
}

static IOTHUB_CLIENT_RESULT send_reading(const char *reading)
{
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString(reading);
    IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL);
    IoTHubMessage_Destroy(message);
    return result;
}

int main(int count, char **arguments)
{
    const char *roots = getenv("IOTHUB_TRUSTED_CERTS"), *path = count > 1 ? arguments[1] : "session", *reading = count > 2 ? arguments[2] : "{\"t\":21.5}";
    IOTHUB_ERROR error;
    IoTHub_SetPlatform(iothub_posix_bearssl(&machine));
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol);
    if (roots != NULL) IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots);
    IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, NULL);
    load_session(path);                          /* after the certificates: setting them forgets a session */
    if (send_reading(reading) == IOTHUB_CLIENT_OK && work_until(&confirmed)) {
        IoTHubDeviceClient_Stop(hub);            /* an orderly end, so that the hub does not take the device for lost */
        work_until(&stopped);
        save_session(path);
    }
    IoTHubDeviceClient_GetLastError(hub, &error);
    IoTHubDeviceClient_Destroy(hub);
    printf("%s\n", confirmed ? "confirmed" : IoTHub_ErrorText(&error));
    return !confirmed;
}
