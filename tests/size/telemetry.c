/* The program whose size is reported: one client in a block of its own, one message, the loop. It is linked, never run.
   tools/size_report.py says by MORE which calls it makes besides, to know what they cost. */
#include "iothub_client.h"

IOTHUB_PLATFORM platform;
const char *text;
volatile int sink;

IOTHUB_CLIENT_BLOCK(static, block, IOTHUB_CLIENT_SIZE(200, 512, 512));

/* for MORE */
int number;
bool found;
size_t size;
unsigned char bytes[64];
void *storage[20];
IOTHUB_ERROR error;
IOTHUB_STATISTICS statistics;
IOTHUB_CLIENT_CONFIG config;
IOTHUB_MODULE_CLIENT_HANDLE module;
METHOD_HANDLE method;
IOTHUB_HTTP_PROXY proxy;
IOTHUB_IO below;
IOTHUB_CLIENT_PROPERTY_REPORTED reported;
IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE writable;
IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader;
IOTHUB_CLIENT_PROPERTY_PARSED parsed;

#ifndef IOTHUB_NO_PROPERTIES
#define PROPERTIES(calls) calls
#else
#define PROPERTIES(calls)                        /* they are not there */
#endif

void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    sink = result;
}

void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)status;
    (void)context;
    sink = reason;
}

IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    (void)message;
    (void)context;
    return IOTHUBMESSAGE_ACCEPTED;
}

IOTHUBMESSAGE_DISPOSITION_RESULT on_piece(const IOTHUB_PIECE *piece, void *context)
{
    (void)context;
    sink = (int)piece->size;
    return IOTHUBMESSAGE_ACCEPTED;
}

void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *document, size_t length, void *context)
{
    (void)document;
    (void)length;
    (void)context;
    sink = state;
}

void on_reported(int status, void *context)
{
    (void)context;
    sink = status;
}

int on_method(const char *name, const unsigned char *payload, size_t length, unsigned char **response, size_t *response_size, void *context)
{
    (void)name;
    (void)payload;
    (void)length;
    (void)context;
    *response = bytes;
    *response_size = 2;
    return 200;
}

int on_method_later(const char *name, const unsigned char *payload, size_t length, METHOD_HANDLE handle, void *context)
{
    (void)name;
    (void)payload;
    (void)length;
    (void)context;
    method = handle;
    return 0;
}

void on_command(const IOTHUB_CLIENT_COMMAND_REQUEST *request, IOTHUB_CLIENT_COMMAND_RESPONSE *response, void *context)
{
    (void)request;
    (void)context;
    response->statusCode = 200;
}

const char *on_credential(unsigned int refusals, void *context)
{
    (void)refusals;
    (void)context;
    return NULL;
}

int main(void)
{
    IOTHUB_MEMORY memory;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_MESSAGE_HANDLE message;
    memory.block = &block;
    memory.block_size = sizeof block;
    memory.outbox_size = 512;
    memory.inbox_size = 512;
    memory.outbox_messages = 0;
    hub = IoTHubDeviceClient_CreateInPlace(text, MQTT_Protocol, &platform, &memory);
    message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)"x", 1);
    MORE
    IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL);
    for (;;) {
        IoTHubDeviceClient_DoWork(hub);
        sink = (int)IoTHubDeviceClient_GetNextWork(hub);
    }
}
