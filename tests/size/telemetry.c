/* The program whose size is reported: one client in a block of its own, one message, the loop. It is linked, never run. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_CLIENTS 0
#define IOTHUB_POOL_MESSAGES 0
#include "iothub_client.h"

IOTHUB_PLATFORM platform;
const char *connection;
volatile int sink;
IOTHUB_CLIENT_BLOCK(static, block, IOTHUB_CLIENT_SIZE(200, 512, 512));

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    sink = result;
}

int main(void)
{
    static void *storage[20];
    IOTHUB_MEMORY memory;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    memory.block = &block;
    memory.block_size = sizeof block;
    memory.outbox_size = 512;
    memory.inbox_size = 512;
    memory.outbox_messages = 0;
    hub = IoTHubDeviceClient_CreateInPlace(connection, MQTT_Protocol, &platform, &memory);
    IoTHubDeviceClient_SendEventAsync(hub, IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)"x", 1), on_confirmation, NULL);
    for (;;) {
        IoTHubDeviceClient_DoWork(hub);
        sink = (int)IoTHubDeviceClient_GetNextWork(hub);
    }
}

/* For the report: sizes that the symbol table shows. */
char size_of_client[sizeof(struct iothubi_client)];
char size_of_record[sizeof(iothubi_record)];
