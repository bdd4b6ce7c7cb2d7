/* Keeps a reading period in the device twin: takes the desired one, and reports the one in force. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static IOTHUB_POSIX_BEARSSL machine;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static long period = 60, reported;               /* seconds; 0: the hub was not told yet */
static volatile sig_atomic_t ended;

static void on_signal(int number) { ended = number; }

/* 204: the hub has it. Otherwise the next document or change reports it again. */
static void on_reported(int status, void *value)
{
    printf("reported: status %d\n", status);
    if (status != 204) reported = 0;
    (void)value;
}

static void report_period(void)
{
    char json[40];
    int size = snprintf(json, sizeof json, "{\"period\":%ld}", period);
    if (reported == period) return;
    if (IoTHubDeviceClient_SendReportedState(hub, (const unsigned char *)json, (size_t)size, on_reported, NULL) == IOTHUB_CLIENT_OK) reported = period;
}

/* What the cloud asks for is checked like any input from outside. */
static void take(const IOTHUB_CLIENT_PROPERTY_PARSED *property)
{
    long wanted = strtol(property->value.str, NULL, 10);
    if (property->componentName != NULL || strcmp(property->name, "period") != 0) return;
    if (property->propertyType != IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE) reported = wanted;
    else if (wanted >= 1 && wanted <= 86400) period = wanted;
    else fprintf(stderr, "a period of %s is refused\n", property->value.str);
}

/* The whole document after each connect, then each change of the desired properties; both are read in the same way. */
static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *json, size_t size, void *context)
{
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader;
    IOTHUB_CLIENT_PROPERTY_PARSED property;
    IOTHUB_CLIENT_RESULT result;
    IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE type = state == DEVICE_TWIN_UPDATE_COMPLETE ? IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL
        : IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES;
    bool found = true;
    (void)context;
    if (state == DEVICE_TWIN_UPDATE_COMPLETE) reported = 0;
    printf("twin: %.*s\n", (int)size, (const char *)json);
    if (IoTHubClient_Properties_Deserializer_Create(type, json, size, &reader) != IOTHUB_CLIENT_OK) return;
    property.structVersion = IOTHUB_CLIENT_PROPERTY_PARSED_STRUCT_VERSION_1;
    do {
        result = IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &found);
        if (result == IOTHUB_CLIENT_OK && found) take(&property);
    } while (found && (result == IOTHUB_CLIENT_OK || result == IOTHUB_CLIENT_INVALID_SIZE)); /* a long one is none of ours */
    IoTHubClient_Properties_Deserializer_Destroy(reader);
    printf("period: %ld\n", period);
    report_period();
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
    if (IoTHubDeviceClient_SetDeviceTwinCallback(hub, on_twin, NULL) != IOTHUB_CLIENT_OK) return failed();
    while (!ended) {
        uint32_t next;
        IoTHubDeviceClient_DoWork(hub);
        next = IoTHubDeviceClient_GetNextWork(hub);
        iothub_posix_wait(&machine.posix, next < 1000 ? next : 1000);        /* a second at most, so that a signal is seen */
    }
    IoTHubDeviceClient_Destroy(hub);
    return 0;
}
