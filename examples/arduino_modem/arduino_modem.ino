/* A message a second from an Arduino Mega or Uno, through a Wi-Fi module with AT commands (Espressif ESP-AT) that also does TLS.
   README.md in this folder says how to wire it and what to put into arduino_secrets.h. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_CLIENTS 0
#define IOTHUB_POOL_MESSAGES 0
#define IOTHUB_NO_MODULE
#define IOTHUB_NO_C2D                            /* what an Uno has no room for */
#define IOTHUB_NO_TWIN
#define IOTHUB_NO_METHODS
#define IOTHUB_NO_STATISTICS
#include <iothub_client.h>
#include <ports/arduino/iothub_arduino_modem.h>
#include "arduino_secrets.h"

#ifdef HAVE_HWSERIAL1
#define MODEM Serial1                            /* a Mega: Serial stays free, and tells what happens */
#define TELL(what) Serial.println(what)
#define OUTBOX 384
#define INBOX 256                                /* with a key it must hold the text that is signed */
#else
#define MODEM Serial                             /* an Uno has one serial port only, and 2,048 bytes of RAM */
#define TELL(what)
#define OUTBOX 144
#define INBOX 72
#endif

static const char *const setup_commands[] = { "AT+CWMODE=1", "AT+CWJAP=\"" SECRET_NETWORK "\",\"" SECRET_PASSWORD "\"", NULL };
static const char connection[] PROGMEM = SECRET_CONNECTION_STRING;

static IOTHUB_ARDUINO board;
static IOTHUB_MODEM modem;
static IOTHUB_PLATFORM platform;
static IOTHUB_DEVICE_CLIENT_HANDLE hub;
static unsigned char modem_buffer[64];
IOTHUB_CLIENT_BLOCK(static, block, IOTHUB_CLIENT_SIZE(sizeof connection, OUTBOX, INBOX));
static uint32_t last;
static unsigned int count;

#ifdef IOTHUB_ARDUINO_BEARSSL                    /* a key instead of a token: the modem knows the time */
static uint32_t modem_time(void *) { return iothub_modem_unix_time(&modem); }
#endif

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *)
{
    TELL(result == IOTHUB_CLIENT_CONFIRMATION_OK ? F("confirmed") : F("lost"));
    (void)result;
}

void setup()
{
    char text[sizeof connection];
    IOTHUB_MEMORY memory = { &block, sizeof block, OUTBOX, INBOX, 0 };
#ifdef HAVE_HWSERIAL1
    Serial.begin(115200);
#endif
    MODEM.begin(SECRET_BAUD);
    iothub_arduino_platform(&board, &platform);
    iothub_arduino_weak_random(&board, &platform, A0);     /* TLS is in the modem: this only spreads reconnections */
#ifdef IOTHUB_ARDUINO_BEARSSL
    platform.unix_time = modem_time;
#endif
    iothub_arduino_modem(&modem, &MODEM, iothub_modem_esp_at_tls, setup_commands, &platform, modem_buffer, sizeof modem_buffer);
    memcpy_P(text, connection, sizeof text);               /* the client keeps what it needs of it */
    hub = IoTHubDeviceClient_CreateInPlace(text, MQTT_Protocol, &platform, &memory);
    TELL(hub != NULL ? F("created") : F("not created"));
}

void loop()
{
    iothub_modem_work(&modem);
    IoTHubDeviceClient_DoWork(hub);
    if (hub != NULL && millis() - last >= 1000) {
        char body[28];
        void *storage[10];                       /* IOTHUB_MESSAGE_HEAD_BOUND */
        IOTHUB_MESSAGE_HANDLE message;
        last = millis();
        strcpy_P(body, PSTR("{\"count\":"));      /* printf would take 1,500 bytes of flash */
        utoa(count, body + strlen(body), 10);
        strcat_P(body, PSTR(",\"a0\":"));
        utoa((unsigned int)analogRead(A0), body + strlen(body), 10);
        strcat_P(body, PSTR("}"));
        message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)body, strlen(body));
        if (IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL) == IOTHUB_CLIENT_OK) count++;
    }
}
