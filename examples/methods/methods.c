/* Answers direct methods: "status" at once, "calibrate" when it is done. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALIBRATION_SECONDS 1

static IOTHUB_POSIX_BEARSSL machine;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static METHOD_HANDLE calibration;                /* the call that waits for its answer; NULL: none */
static time_t calibration_end;
static volatile sig_atomic_t ended;

static void on_signal(int number) { ended = number; }

/* The answer must be JSON. INVALID_ARG: the caller has gone, or the connection over which it asked. */
static int answer(METHOD_HANDLE call, int status, const char *json)
{
    IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_DeviceMethodResponse(hub, call, (const unsigned char *)json, strlen(json), status);
    printf("answered: %d %s%s\n", status, json, result == IOTHUB_CLIENT_OK ? "" : " (too late)");
    return 0;
}

/* One at a time: the second caller is told so, instead of waiting. */
static int begin_calibration(METHOD_HANDLE call)
{
    if (calibration != NULL) return answer(call, 409, "{\"error\":\"calibration is running\"}");
    calibration = call;
    calibration_end = time(NULL) + CALIBRATION_SECONDS;
    return 0;
}

/* The payload is JSON of the caller, "null" when there was none; it is lent for this callback. */
static int on_method(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE call, void *context)
{
    (void)context;
    printf("method: %s %.*s\n", name, (int)size, (const char *)payload);
    if (strcmp(name, "status") == 0) return answer(call, 200, calibration != NULL ? "{\"state\":\"calibrating\"}" : "{\"state\":\"idle\"}");
    if (strcmp(name, "calibrate") == 0) return begin_calibration(call);
    return answer(call, 404, "{\"error\":\"no such method\"}");
}

static void end_calibration(void)
{
    if (calibration == NULL || time(NULL) < calibration_end) return;
    answer(calibration, 200, "{\"offset\":0.25}");
    calibration = NULL;
}

static int failed(void)
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
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    IoTHub_SetPlatform(iothub_posix_bearssl(&machine));
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol);
    if (hub == NULL) return failed();
    if (roots != NULL && IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots) != IOTHUB_CLIENT_OK) return failed();
    if (IoTHubDeviceClient_SetDeviceMethodCallback_Ex(hub, on_method, NULL) != IOTHUB_CLIENT_OK) return failed();
    while (!ended) {
        uint32_t next;
        IoTHubDeviceClient_DoWork(hub);
        end_calibration();
        next = IoTHubDeviceClient_GetNextWork(hub);
        iothub_posix_wait(&machine.posix, next < 500 ? next : 500);          /* half a second at most: for its end, and for signals */
    }
    IoTHubDeviceClient_Destroy(hub);
    return 0;
}
