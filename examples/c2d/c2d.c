/* Receives cloud-to-device messages, and accepts each one only when its work is done. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define JOBS 4
#define JOB_SECONDS 1

static IOTHUB_POSIX_BEARSSL machine;
static struct { IOTHUB_MESSAGE_HANDLE message; time_t end; } jobs[JOBS];     /* message NULL: free */
static volatile sig_atomic_t ended;

static void on_signal(int number) { ended = number; }

static void print(IOTHUB_MESSAGE_HANDLE message)
{
    const unsigned char *body = NULL;
    const char *const *names, *const *values;
    size_t size = 0, count = 0, i;
    IoTHubMessage_GetByteArray(message, &body, &size);
    printf("message: %.*s\n", (int)size, (const char *)body);
    if (Map_GetInternals(IoTHubMessage_Properties(message), &names, &values, &count) != MAP_OK) return;
    for (i = 0; i < count; i++) printf("  %s=%s\n", names[i], values[i]);
}

/* What cannot be worked on now is abandoned: the hub keeps it, and sends it again after the next connection. */
static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    int i;
    (void)context;
    print(message);
    for (i = 0; i < JOBS; i++) {
        if (jobs[i].message == NULL) {
            jobs[i].message = message;           /* ASYNC_ACK: it stays readable until it is settled */
            jobs[i].end = time(NULL) + JOB_SECONDS;
            return IOTHUBMESSAGE_ASYNC_ACK;
        }
    }
    return IOTHUBMESSAGE_ABANDONED;
}

/* A power cut before this line costs nothing: the hub still has the message. */
static void settle_finished(IOTHUB_DEVICE_CLIENT_HANDLE hub)
{
    int i;
    for (i = 0; i < JOBS; i++) {
        if (jobs[i].message == NULL || time(NULL) < jobs[i].end) continue;
        if (IoTHubDeviceClient_SendMessageDisposition(hub, jobs[i].message, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK) puts("accepted");
        jobs[i].message = NULL;
    }
}

static int failed(IOTHUB_DEVICE_CLIENT_HANDLE hub)
{
    IOTHUB_ERROR error;
    IoTHubDeviceClient_GetLastError(hub, &error);
    fprintf(stderr, "%s\n", IoTHub_ErrorText(&error));
    IoTHubDeviceClient_Destroy(hub);
    return 1;
}

int main(void)
{
    const char *roots = getenv("IOTHUB_TRUSTED_CERTS");
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    IoTHub_SetPlatform(iothub_posix_bearssl(&machine));
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol);
    if (hub == NULL) return failed(hub);
    if (roots != NULL && IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots) != IOTHUB_CLIENT_OK) return failed(hub);
    if (IoTHubDeviceClient_SetMessageCallback(hub, on_message, NULL) != IOTHUB_CLIENT_OK) return failed(hub);
    while (!ended) {
        uint32_t next;
        IoTHubDeviceClient_DoWork(hub);
        settle_finished(hub);
        next = IoTHubDeviceClient_GetNextWork(hub);
        iothub_posix_wait(&machine.posix, next < 500 ? next : 500);          /* half a second at most: for jobs and signals */
    }
    IoTHubDeviceClient_Destroy(hub);
    return 0;
}
