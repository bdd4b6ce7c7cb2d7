/* Telemetry, and a period that the device twin sets, on an ESP32. TLS is the board's own: WiFiClientSecure. README.md in this folder says
   what to put into arduino_secrets.h. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_NO_MODULE
#include <WiFi.h>
#include <WiFiClientSecure.h>
#include <iothub_client.h>
#include <ports/arduino/iothub_arduino.h>
#include <ports/iothub_roots.h>
#include "arduino_secrets.h"

static WiFiClientSecure network;
static IOTHUB_ARDUINO board;
static IOTHUB_ARDUINO_CLIENT stream;
static IOTHUB_PLATFORM platform;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static uint32_t last, period = 10000;
static unsigned int count;

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *)
{
    Serial.println(result == IOTHUB_CLIENT_CONFIRMATION_OK ? F("confirmed") : F("lost"));
}

/* {"period":2} in the desired properties, as a whole document or as a patch */
static void on_twin(DEVICE_TWIN_UPDATE_STATE, const unsigned char *document, size_t size, void *)
{
    char text[256];
    const char *at;
    size = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, document, size);
    text[size] = 0;
    at = strstr(text, "\"period\":");
    if (at != NULL && atoi(at + 9) > 0) {
        period = (uint32_t)atoi(at + 9) * 1000;
        Serial.print(F("period: "));
        Serial.println((unsigned int)(period / 1000));
    }
}

void setup()
{
    Serial.begin(115200);
    WiFi.begin(SECRET_NETWORK, SECRET_PASSWORD);
    configTime(0, 0, "pool.ntp.org");                      /* keys and certificates need the date */
    network.setCACert(SECRET_ROOTS);
    network.setHandshakeTimeout(15);                       /* seconds: what connect() may block, besides TCP */
    iothub_arduino_platform(&board, &platform);
    iothub_arduino_secured(&stream, &network, &platform);
    IoTHub_SetPlatform(&platform);
    hub = IoTHubDeviceClient_CreateFromConnectionString(SECRET_CONNECTION_STRING, MQTT_Protocol);
    IoTHubDeviceClient_SetDeviceTwinCallback(hub, on_twin, NULL);
}

void loop()
{
    if (WiFi.status() != WL_CONNECTED) return;
    if (iothub_arduino_will_block(&stream)) Serial.println(F("connecting"));
    IoTHubDeviceClient_DoWork(hub);
    if (count == 0 || millis() - last >= period) {
        char body[32];
        last = millis();
        snprintf(body, sizeof body, "{\"count\":%u}", count);
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString(body);
        if (IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL) == IOTHUB_CLIENT_OK) count++;
        IoTHubMessage_Destroy(message);
    }
}
