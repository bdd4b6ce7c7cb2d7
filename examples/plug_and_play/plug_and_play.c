/* An IoT Plug and Play device: a thermostat in a component, with telemetry, a writable property and commands. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL "dtmi:com:example:TemperatureController;1"
#define COMPONENT "thermostat1"
#define PROPERTY "targetTemperature"

static IOTHUB_POSIX_BEARSSL machine;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static double temperature = 21.5, target = 21.5;
static volatile sig_atomic_t ended;

static void on_signal(int number) { ended = number; }

static int is(const char *text, const char *other) { return text != NULL && strcmp(text, other) == 0; }

static void on_acknowledged(int status, void *context)
{
    (void)context;
    printf("properties: status %d\n", status);
}

static void send_properties(const unsigned char *json, size_t size)
{
    if (IoTHubDeviceClient_SendPropertiesAsync(hub, json, size, on_acknowledged, NULL) != IOTHUB_CLIENT_OK) puts("properties: no room");
}

/* What the device is; the root component has no name. */
static void report_serial_number(void)
{
    const IOTHUB_CLIENT_PROPERTY_REPORTED serial = { IOTHUB_CLIENT_PROPERTY_REPORTED_STRUCT_VERSION_1, "serialNumber", "\"SN-0001\"" };
    unsigned char json[128];
    size_t size;
    if (IoTHubClient_Properties_Serializer_WriteReported(&serial, 1, NULL, json, sizeof json, &size) == IOTHUB_CLIENT_OK) send_properties(json, size);
}

/* The answer to a writable property: its value now, a status, and the version of the wish that it answers. */
static void answer_target(int status, int version)
{
    char value[32];
    unsigned char json[256];
    size_t size;
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE answer = { IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE_STRUCT_VERSION_1, PROPERTY, value, status, version,
        status == 200 ? NULL : "from 5 to 35" };
    snprintf(value, sizeof value, "%g", target);
    if (IoTHubClient_Properties_Serializer_WriteWritableResponse(&answer, 1, COMPONENT, json, sizeof json, &size) == IOTHUB_CLIENT_OK) send_properties(json, size);
}

static void take(const IOTHUB_CLIENT_PROPERTY_PARSED *property, int version)
{
    double wanted = strtod(property->value.str, NULL);
    int taken = wanted >= 5 && wanted <= 35;
    if (property->propertyType != IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE || !is(property->componentName, COMPONENT) || !is(property->name, PROPERTY)) return;
    if (taken) target = wanted;
    printf("target: %g (version %d)\n", target, version);
    answer_target(taken ? 200 : 400, version);
}

/* Everything after each connect, then what changes. */
static void on_properties(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE type, const unsigned char *payload, size_t size, void *context)
{
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader;
    IOTHUB_CLIENT_PROPERTY_PARSED property;
    IOTHUB_CLIENT_RESULT result;
    bool found = true;
    int version = 0;
    (void)context;
    if (IoTHubClient_Properties_Deserializer_Create(type, payload, size, &reader) != IOTHUB_CLIENT_OK) return;
    IoTHubClient_Properties_Deserializer_GetVersion(reader, &version);
    property.structVersion = IOTHUB_CLIENT_PROPERTY_PARSED_STRUCT_VERSION_1;
    do {
        result = IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &found);
        if (result == IOTHUB_CLIENT_OK && found) take(&property, version);
    } while (found && (result == IOTHUB_CLIENT_OK || result == IOTHUB_CLIENT_INVALID_SIZE)); /* a long one is none of ours */
    IoTHubClient_Properties_Deserializer_Destroy(reader);
}

/* The answer lies in static memory: it is read before this is called again. */
static void on_command(const IOTHUB_CLIENT_COMMAND_REQUEST *request, IOTHUB_CLIENT_COMMAND_RESPONSE *response, void *context)
{
    static char answer[96];
    (void)context;
    printf("command: %s %s\n", request->componentName != NULL ? request->componentName : "(root)", request->commandName);
    response->statusCode = 200;
    if (is(request->componentName, COMPONENT) && is(request->commandName, "getMaxMinReport")) {
        snprintf(answer, sizeof answer, "{\"maxTemp\":%g,\"minTemp\":%g}", temperature, temperature);
    } else if (request->componentName == NULL && is(request->commandName, "reboot")) {
        snprintf(answer, sizeof answer, "null");
    } else {
        response->statusCode = 404;
        snprintf(answer, sizeof answer, "\"no such command\"");
    }
    response->payload = (unsigned char *)answer;
    response->payloadLength = strlen(answer);
}

static void send_temperature(void)
{
    char json[48];
    IOTHUB_MESSAGE_HANDLE message;
    snprintf(json, sizeof json, "{\"temperature\":%g}", temperature);
    message = IoTHubMessage_CreateFromString(json);
    IoTHubMessage_SetComponentName(message, COMPONENT);
    IoTHubMessage_SetContentTypeSystemProperty(message, "application/json");
    IoTHubMessage_SetContentEncodingSystemProperty(message, "utf-8");
    if (IoTHubDeviceClient_SendTelemetryAsync(hub, message, NULL, NULL) != IOTHUB_CLIENT_OK) puts("telemetry: no room");
    IoTHubMessage_Destroy(message);
}

static int set_up(const char *roots)
{
    return hub != NULL
        && (roots == NULL || IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots) == IOTHUB_CLIENT_OK)
        && IoTHubDeviceClient_SetOption(hub, OPTION_MODEL_ID, MODEL) == IOTHUB_CLIENT_OK
        && IoTHubDeviceClient_SubscribeToCommands(hub, on_command, NULL) == IOTHUB_CLIENT_OK
        && IoTHubDeviceClient_GetPropertiesAndSubscribeToUpdatesAsync(hub, on_properties, NULL) == IOTHUB_CLIENT_OK;
}

int main(void)
{
    IOTHUB_ERROR error;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    IoTHub_SetPlatform(iothub_posix_bearssl(&machine));
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol);
    if (!set_up(getenv("IOTHUB_TRUSTED_CERTS"))) {
        IoTHubDeviceClient_GetLastError(hub, &error);
        fprintf(stderr, "%s\n", IoTHub_ErrorText(&error));
        IoTHubDeviceClient_Destroy(hub);
        return 1;
    }
    report_serial_number();
    send_temperature();
    while (!ended) {
        uint32_t next;
        IoTHubDeviceClient_DoWork(hub);
        next = IoTHubDeviceClient_GetNextWork(hub);
        iothub_posix_wait(&machine.posix, next < 1000 ? next : 1000);        /* a second at most, so that a signal is seen */
    }
    IoTHubDeviceClient_Destroy(hub);
    return 0;
}
