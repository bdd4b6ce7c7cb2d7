/* The program whose size is reported: one client in a block of its own, one message, the loop. It is linked, never run.
   tools/size_report.py says by MORE which calls it makes besides, to know what they cost. */
#include "iothub_client.h"

IOTHUB_PLATFORM platform;
const char *text;
volatile int sink;

IOTHUB_CLIENT_BLOCK(static, block, IOTHUB_CLIENT_SIZE(200, 512, 512));

/* for MORE */
int number;
IOTHUB_ERROR error;
IOTHUB_STATISTICS statistics;
IOTHUB_CLIENT_CONFIG config;
IOTHUB_MODULE_CLIENT_HANDLE module;

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

int main(void)
{
    static void *storage[20];
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
