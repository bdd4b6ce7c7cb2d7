/* Beside a bootloader: a whole device in 12 KB of flash and 2.5 KB of RAM. It sends a reading every ten seconds, with a SAS key, over a
   cellular modem that does TLS. No operating system, no C library, no interrupts. README.md says what it needs and shows its map. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_POOL_CLIENTS 0
#define IOTHUB_POOL_MESSAGES 0
#define IOTHUB_NO_C2D
#define IOTHUB_NO_TWIN
#define IOTHUB_NO_METHODS
#define IOTHUB_NO_MODULE
#define IOTHUB_NO_PROPERTIES
#define IOTHUB_NO_OPTIONS
#define IOTHUB_NO_STATISTICS
#include "iothub_client.h"
#include "board.h"
#include "modem.h"
#include "hmac.h"

#define OUTBOX_SIZE 384
#define INBOX_SIZE 128                           /* takes the text that the key signs */

#ifndef CONNECTION_STRING
#define CONNECTION_STRING "HostName=example.azure-devices.net;DeviceId=thermometer-1;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#endif

IOTHUB_CLIENT_BLOCK(static, block, IOTHUB_CLIENT_SIZE(sizeof CONNECTION_STRING, OUTBOX_SIZE, INBOX_SIZE));
static MODEM modem;

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    board_led(result == IOTHUB_CLIENT_CONFIRMATION_OK);
}

static void send_reading(IOTHUB_DEVICE_CLIENT_HANDLE hub)
{
    void *storage[10];
    unsigned char text[] = "{\"t\":00}";
    unsigned int degrees = board_temperature();
    text[5] = (unsigned char)('0' + degrees / 10u % 10u);
    text[6] = (unsigned char)('0' + degrees % 10u);
    IoTHubDeviceClient_SendEventAsync(hub, IoTHubMessage_Wrap(storage, sizeof storage, text, sizeof text - 1), on_confirmation, NULL);
}

int main(void)
{
    static const IOTHUB_PLATFORM platform = {
        { &modem, modem_open, modem_read, modem_write, modem_close, NULL, NULL },
        { NULL, NULL, NULL, NULL, NULL, NULL, NULL },
        &modem, modem_milliseconds, modem_unix_time, board_random, hmac_sha256, NULL
    };
    static const IOTHUB_MEMORY memory = { &block, sizeof block, OUTBOX_SIZE, INBOX_SIZE, 2 };
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    uint32_t last;
    board_begin();
    hub = IoTHubDeviceClient_CreateInPlace(CONNECTION_STRING, MQTT_Protocol, &platform, &memory);
    last = board_milliseconds() - 10000;
    for (;;) {
        if (board_milliseconds() - last >= 10000) {
            last = board_milliseconds();
            send_reading(hub);
        }
        IoTHubDeviceClient_DoWork(hub);
    }
}
