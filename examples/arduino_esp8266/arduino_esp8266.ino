/* Telemetry and cloud-to-device messages on an ESP8266. TLS is a filter of this library over a plain WiFiClient, so that loop() goes on
   while it connects. README.md in this folder says what to put into arduino_secrets.h. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_NO_MODULE
#include <ESP8266WiFi.h>
#include <iothub_client.h>
#include <ports/arduino/iothub_arduino.h>
#include <bearssl/bearssl.h>
#define IOTHUB_BEARSSL_NO_PEM
#include <ports/bearssl/iothub_bearssl.h>
#include <ports/bearssl/iothub_bearssl_roots.h>
#include "arduino_secrets.h"

static WiFiClient network;
static IOTHUB_ARDUINO board;
static IOTHUB_ARDUINO_CLIENT stream;
static IOTHUB_BEARSSL tls;
static unsigned char records[IOTHUB_BEARSSL_BUFFER_MONO];
static IOTHUB_PLATFORM platform;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static uint32_t last;
static unsigned int count;

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *)
{
    Serial.println(result == IOTHUB_CLIENT_CONFIRMATION_OK ? F("confirmed") : F("lost"));
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *)
{
    const unsigned char *body;
    size_t size;
    if (IoTHubMessage_GetByteArray(message, &body, &size) == IOTHUB_MESSAGE_OK) {
        Serial.print(F("message: "));
        Serial.write(body, size);
        Serial.println();
    }
    return IOTHUBMESSAGE_ACCEPTED;
}

void setup()
{
    Serial.begin(115200);
    WiFi.begin(SECRET_NETWORK, SECRET_PASSWORD);
    configTime(0, 0, "pool.ntp.org");                      /* keys and certificates need the date */
    network.setTimeout(5000);                              /* what connect() may block */
    iothub_arduino_platform(&board, &platform);
    iothub_bearssl_init(&tls, iothub_arduino_plain(&stream, &network), &platform, records, sizeof records);
    iothub_bearssl_trust(&tls, SECRET_ANCHORS, SECRET_ANCHORS_COUNT);
    IoTHub_SetPlatform(&platform);
    hub = IoTHubDeviceClient_CreateFromConnectionString(SECRET_CONNECTION_STRING, MQTT_Protocol);
    IoTHubDeviceClient_SetMessageCallback(hub, on_message, NULL);
}

void loop()
{
    if (WiFi.status() != WL_CONNECTED) return;
    IoTHubDeviceClient_DoWork(hub);
    if (millis() - last >= 1000) {
        char body[32];
        last = millis();
        snprintf(body, sizeof body, "{\"count\":%u}", count);
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString(body);
        if (IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL) == IOTHUB_CLIENT_OK) count++;
        IoTHubMessage_Destroy(message);
    }
}
