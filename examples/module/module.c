/* A filter at the edge: what comes to its input and is too hot goes to its output "alerts"; nothing is lost between. README.md says how to run it. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 30.0

static IOTHUB_POSIX_BEARSSL machine;
static IOTHUB_MODULE_CLIENT_HANDLE hub;
static volatile sig_atomic_t ended;

static void on_signal(int number) { ended = number; }

/* The body is bytes, not text: it has no NUL at its end. */
static double temperature(IOTHUB_MESSAGE_HANDLE message)
{
    const unsigned char *body = NULL;
    size_t size = 0;
    char text[32];
    IoTHubMessage_GetByteArray(message, &body, &size);
    if (size >= sizeof text) size = sizeof text - 1;
    if (size > 0) memcpy(text, body, size);
    text[size] = '\0';
    return strtod(text, NULL);
}

/* The input message is settled only when the alert has arrived: a power cut between repeats the work, and loses nothing. */
static void on_forwarded(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *message)
{
    IOTHUBMESSAGE_DISPOSITION_RESULT disposition = result == IOTHUB_CLIENT_CONFIRMATION_OK ? IOTHUBMESSAGE_ACCEPTED : IOTHUBMESSAGE_ABANDONED;
    IoTHubModuleClient_SendMessageDisposition(hub, (IOTHUB_MESSAGE_HANDLE)message, disposition);
    printf("forwarded: %s\n", MU_ENUM_TO_STRING(IOTHUB_CLIENT_CONFIRMATION_RESULT, result));
}

/* With no room for one more alert the message is abandoned: it comes again. */
static IOTHUBMESSAGE_DISPOSITION_RESULT forward(IOTHUB_MESSAGE_HANDLE message)
{
    IOTHUB_MESSAGE_HANDLE alert = IoTHubMessage_Clone(message);
    IOTHUB_CLIENT_RESULT result = IOTHUB_CLIENT_ERROR;
    if (IoTHubMessage_SetProperty(alert, "severity", "high") == IOTHUB_MESSAGE_OK) {
        result = IoTHubModuleClient_SendEventToOutputAsync(hub, alert, "alerts", on_forwarded, message);
    }
    IoTHubMessage_Destroy(alert);
    return result == IOTHUB_CLIENT_OK ? IOTHUBMESSAGE_ASYNC_ACK : IOTHUBMESSAGE_ABANDONED;
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_reading(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    (void)context;
    printf("reading: %g\n", temperature(message));
    return temperature(message) > LIMIT ? forward(message) : IOTHUBMESSAGE_ACCEPTED;
}

/* Messages on inputs that have no handler of their own. */
static IOTHUBMESSAGE_DISPOSITION_RESULT on_other(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    (void)context;
    printf("nobody reads the input %s\n", IoTHubMessage_GetInputName(message));
    return IOTHUBMESSAGE_ACCEPTED;
}

static int failed(void)
{
    IOTHUB_ERROR error;
    IoTHubModuleClient_GetLastError(hub, &error);
    fprintf(stderr, "%s\n", IoTHub_ErrorText(&error));
    IoTHubModuleClient_Destroy(hub);
    return 1;
}

int main(void)
{
    const char *roots = getenv("IOTHUB_TRUSTED_CERTS");
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    IoTHub_SetPlatform(iothub_posix_bearssl(&machine));
    hub = IoTHubModuleClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol); /* ...;ModuleId=... */
    if (hub == NULL) return failed();
    if (roots != NULL && IoTHubModuleClient_SetOption(hub, OPTION_TRUSTED_CERT, roots) != IOTHUB_CLIENT_OK) return failed();
    if (IoTHubModuleClient_SetInputMessageCallback(hub, "readings", on_reading, NULL) != IOTHUB_CLIENT_OK) return failed();
    if (IoTHubModuleClient_SetMessageCallback(hub, on_other, NULL) != IOTHUB_CLIENT_OK) return failed();
    while (!ended) {
        uint32_t next;
        IoTHubModuleClient_DoWork(hub);
        next = IoTHubModuleClient_GetNextWork(hub);
        iothub_posix_wait(&machine.posix, next < 1000 ? next : 1000);        /* a second at most, so that a signal is seen */
    }
    IoTHubModuleClient_Destroy(hub);
    return 0;
}
