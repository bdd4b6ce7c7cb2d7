/* iothub_arduino.h - IOTHUB_PLATFORM for Arduino boards: any Client (Wi-Fi, Ethernet, GSM) as the stream, clocks, entropy, HMAC. C++.

   DO THIS in exactly one file, usually the sketch:

       #define IOTHUB_IMPLEMENTATION
       #include <iothub_client.h>
       #include <ports/arduino/iothub_arduino.h>

       WiFiClientSecure network;                 of the board's core; give it Azure's roots (ports/iothub_roots.h)
       IOTHUB_ARDUINO board;  IOTHUB_ARDUINO_CLIENT stream;  IOTHUB_PLATFORM platform;
       iothub_arduino_platform(&board, &platform);
       iothub_arduino_secured(&stream, &network, &platform);

   With a plain Client (WiFiClient, EthernetClient, TinyGsmClient) TLS is a filter above it:

       iothub_bearssl_init(&tls, iothub_arduino_plain(&stream, &network), &platform, buffer, sizeof buffer);

   THIS PORT BLOCKS, in one place: Client::connect() returns when the connection is there or has failed. It cannot be asked to go on
   later. The first call of open only answers 0 and the second one connects: iothub_arduino_will_block tells that the next DoWork is
   this one, so that a program can choose its moment. README.md in this folder says how long, by kind of Client, and how to shorten it.

   SETTINGS, defined before the header is included:
       IOTHUB_ARDUINO_BUFFER    256   bytes that are gathered for one Client::write; each may be a TLS record or a TCP segment
       IOTHUB_ARDUINO_BEARSSL         HMAC from a BearSSL of yours, <bearssl.h>; the ESP8266 has one in its core, the ESP32 mbedTLS */

#ifndef IOTHUB_ARDUINO_H
#define IOTHUB_ARDUINO_H

#ifndef __cplusplus
#error "iothub_arduino.h is C++: include it in a sketch or a .cpp file"
#endif

#include <Arduino.h>
#include <Client.h>
#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#ifndef IOTHUB_ARDUINO_BUFFER
#define IOTHUB_ARDUINO_BUFFER 256
#endif

#define IOTHUB_ARDUINO_ERROR_CONTRACT 3001       /* PORT: the Client answered more than was asked */

typedef struct IOTHUB_ARDUINO_TAG {              /* place it anywhere; the fields are the port's own */
    uint32_t time, time_tick;                    /* told by iothub_arduino_set_time; 0: not */
    uint32_t noise;
} IOTHUB_ARDUINO;

typedef struct IOTHUB_ARDUINO_CLIENT_TAG {
    IOTHUB_IO io;
    Client *client;
    void *context;                               /* the platform's, for unix_time */
    uint32_t (*unix_time)(void *context);        /* NULL: a plain stream, which needs no date */
    unsigned char state, layer, pushing;
    long raw;
    unsigned int held;
    unsigned char buffer[IOTHUB_ARDUINO_BUFFER];
} IOTHUB_ARDUINO_CLIENT;

/* Empties *platform and fills in milliseconds and unix_time; random and hmac_sha256 where the board has them (ESP8266, ESP32). On other
   boards set them before you create the client: platform.random = yours, or iothub_arduino_weak_random. hmac_sha256 is not needed with a
   SAS token or a certificate. Call it once, before all else. */
void iothub_arduino_platform(IOTHUB_ARDUINO *board, IOTHUB_PLATFORM *platform);

/* For boards whose time() is not set by the network (all but the ESPs): seconds since 1970. */
void iothub_arduino_set_time(IOTHUB_ARDUINO *board, uint32_t seconds);

/* Random enough to spread the reconnections of a fleet, from a pin that hangs in the air and the clock. NEVER for the keys of TLS: use it
   only where TLS is done elsewhere, by the Client or a modem. */
void iothub_arduino_weak_random(IOTHUB_ARDUINO *board, IOTHUB_PLATFORM *platform, int analog_pin);

/* A Client that speaks TLS and verifies the server by itself: sets platform->io. open waits until unix_time knows the date. */
void iothub_arduino_secured(IOTHUB_ARDUINO_CLIENT *stream, Client *client, IOTHUB_PLATFORM *platform);

/* A Client without TLS, for a filter to stand on. */
const IOTHUB_IO *iothub_arduino_plain(IOTHUB_ARDUINO_CLIENT *stream, Client *client);

/* 1: the next DoWork calls Client::connect and may block. */
int iothub_arduino_will_block(const IOTHUB_ARDUINO_CLIENT *stream);

#endif /* IOTHUB_ARDUINO_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_ARDUINO_IMPLEMENTED)
#define IOTHUB_ARDUINO_IMPLEMENTED

#include <string.h>
#if defined(ARDUINO_ARCH_ESP8266)
#include <time.h>
#include <bearssl/bearssl.h>
extern "C" int os_get_random(unsigned char *bytes, size_t size);   /* the SDK's, by the hardware */
#elif defined(ARDUINO_ARCH_ESP32)
#include <time.h>
#include <esp_random.h>
#include <mbedtls/md.h>
#elif defined(IOTHUB_ARDUINO_BEARSSL)
#include <bearssl.h>
#endif

enum { IOTHUB_ARDUINOI_CLOSED, IOTHUB_ARDUINOI_NEXT, IOTHUB_ARDUINOI_OPEN, IOTHUB_ARDUINOI_DEAD };

/* ---- Clocks, entropy, HMAC ---- */

static uint32_t iothub_arduinoi_milliseconds(void *)
{
    return (uint32_t)millis();
}

static uint32_t iothub_arduinoi_unix_time(void *context)
{
    IOTHUB_ARDUINO *board = (IOTHUB_ARDUINO *)context;
    uint32_t passed = ((uint32_t)millis() - board->time_tick) / 1000u;

    if (board->time != 0) {
        board->time += passed;                   /* so that the wrapping of millis does not matter */
        board->time_tick += passed * 1000u;
        return board->time;
    }
#if defined(ARDUINO_ARCH_ESP8266) || defined(ARDUINO_ARCH_ESP32)
    time_t now = time(NULL);
    return now < (time_t)946684800 ? 0u : (uint32_t)now;   /* before 2000: SNTP has not answered yet */
#else
    return 0;
#endif
}

#if defined(ARDUINO_ARCH_ESP8266)
static int iothub_arduinoi_random(void *, unsigned char *bytes, unsigned int size)
{
    return os_get_random(bytes, size) == 0 ? 0 : -1;
}
#elif defined(ARDUINO_ARCH_ESP32)
static int iothub_arduinoi_random(void *, unsigned char *bytes, unsigned int size)
{
    esp_fill_random(bytes, size);                /* true entropy while Wi-Fi or Bluetooth is on, says its manual */
    return 0;
}
#endif

#if defined(ARDUINO_ARCH_ESP8266) || (defined(IOTHUB_ARDUINO_BEARSSL) && !defined(ARDUINO_ARCH_ESP32))
#define IOTHUB_ARDUINOI_HMAC
static int iothub_arduinoi_hmac(void *, const unsigned char *key, unsigned int key_size, const unsigned char *data,
                                unsigned int data_size, unsigned char digest[32])
{
    br_hmac_key_context keys;
    br_hmac_context hmac;

    if (key == NULL) {                           /* there is no key of the board's own */
        return -1;
    }
    br_hmac_key_init(&keys, &br_sha256_vtable, key, key_size);
    br_hmac_init(&hmac, &keys, 0);
    br_hmac_update(&hmac, data, data_size);
    br_hmac_out(&hmac, digest);
    return 0;
}
#elif defined(ARDUINO_ARCH_ESP32)
#define IOTHUB_ARDUINOI_HMAC
static int iothub_arduinoi_hmac(void *, const unsigned char *key, unsigned int key_size, const unsigned char *data,
                                unsigned int data_size, unsigned char digest[32])
{
    if (key == NULL) {
        return -1;
    }
    return mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key, key_size, data, data_size, digest) == 0 ? 0 : -1;
}
#endif

/* Marsaglia's xorshift, stirred with the clock's lowest bits at each call. */
static int iothub_arduinoi_weak_random(void *context, unsigned char *bytes, unsigned int size)
{
    IOTHUB_ARDUINO *board = (IOTHUB_ARDUINO *)context;

    board->noise ^= (uint32_t)micros() << 8;
    for (; size > 0; size--) {
        board->noise += board->noise == 0;
        board->noise ^= board->noise << 13;
        board->noise ^= board->noise >> 17;
        board->noise ^= board->noise << 5;
        *bytes++ = (unsigned char)(board->noise >> 24);
    }
    return 0;
}

void iothub_arduino_platform(IOTHUB_ARDUINO *board, IOTHUB_PLATFORM *platform)
{
    memset(board, 0, sizeof *board);
    memset(platform, 0, sizeof *platform);
    platform->context = board;
    platform->milliseconds = iothub_arduinoi_milliseconds;
    platform->unix_time = iothub_arduinoi_unix_time;
#if defined(ARDUINO_ARCH_ESP8266) || defined(ARDUINO_ARCH_ESP32)
    platform->random = iothub_arduinoi_random;
#endif
#ifdef IOTHUB_ARDUINOI_HMAC
    platform->hmac_sha256 = iothub_arduinoi_hmac;
#endif
}

void iothub_arduino_set_time(IOTHUB_ARDUINO *board, uint32_t seconds)
{
    board->time = seconds;
    board->time_tick = (uint32_t)millis();
}

void iothub_arduino_weak_random(IOTHUB_ARDUINO *board, IOTHUB_PLATFORM *platform, int analog_pin)
{
    for (int i = 0; i < 32; i++) {
        board->noise = board->noise << 1 ^ board->noise >> 27 ^ (uint32_t)analogRead((uint8_t)analog_pin);
    }
    platform->random = iothub_arduinoi_weak_random;
}

/* ---- The stream ---- */

static int iothub_arduinoi_fail(IOTHUB_ARDUINO_CLIENT *stream, int layer, long raw)
{
    stream->state = IOTHUB_ARDUINOI_DEAD;
    stream->layer = (unsigned char)layer;
    stream->raw = raw;
    return -1;
}

static int iothub_arduinoi_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_ARDUINO_CLIENT *stream = (IOTHUB_ARDUINO_CLIENT *)context;
    int answer;

    switch (stream->state) {
    case IOTHUB_ARDUINOI_OPEN:
        return 1;
    case IOTHUB_ARDUINOI_DEAD:                   /* close comes first */
        return -1;
    default:
        break;
    }
    stream->raw = 0;
    if (stream->unix_time != NULL && stream->unix_time(stream->context) == 0) {
        stream->layer = IOTHUB_LAYER_TIME;       /* certificates cannot be checked without the date */
        stream->state = IOTHUB_ARDUINOI_CLOSED;
        return 0;
    }
    stream->layer = IOTHUB_LAYER_NONE;
    if (stream->state == IOTHUB_ARDUINOI_CLOSED) {
        stream->state = IOTHUB_ARDUINOI_NEXT;
        return 0;
    }
    answer = stream->client->connect(host, (uint16_t)port);
    if (answer != 1) {
        return iothub_arduinoi_fail(stream, IOTHUB_LAYER_TCP, answer);
    }
    stream->state = IOTHUB_ARDUINOI_OPEN;
    stream->held = 0;
    stream->pushing = 0;
    return 1;
}

/* >0 all is gone, 0 some is left, <0 dead */
static int iothub_arduinoi_push(IOTHUB_ARDUINO_CLIENT *stream)
{
    size_t put;

    if (stream->held != 0) {
        put = stream->client->write(stream->buffer, stream->held);
        if (put > stream->held) {
            return iothub_arduinoi_fail(stream, IOTHUB_LAYER_PORT, IOTHUB_ARDUINO_ERROR_CONTRACT);
        }
        if (put == 0 && !stream->client->connected()) {
            return iothub_arduinoi_fail(stream, IOTHUB_LAYER_TCP, 0);
        }
        stream->held -= (unsigned int)put;
        memmove(stream->buffer, stream->buffer + put, stream->held);
    }
    stream->pushing = stream->held != 0;
    return !stream->pushing;
}

static int iothub_arduinoi_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_ARDUINO_CLIENT *stream = (IOTHUB_ARDUINO_CLIENT *)context;
    int waiting, got;

    if (stream->state != IOTHUB_ARDUINOI_OPEN || (stream->pushing && iothub_arduinoi_push(stream) < 0)) {
        return -1;
    }
    if (capacity == 0) {
        return 0;
    }
    waiting = stream->client->available();
    if (waiting <= 0) {
        if (stream->client->connected()) {
            return 0;
        }
        waiting = stream->client->available();   /* the last bytes may have come with the end */
        if (waiting <= 0) {
            return iothub_arduinoi_fail(stream, IOTHUB_LAYER_TCP, 0);
        }
    }
    if ((unsigned int)waiting < capacity) {
        capacity = (unsigned int)waiting;
    }
    got = stream->client->read(bytes, capacity);
    if (got > 0 && (unsigned int)got > capacity) {
        return iothub_arduinoi_fail(stream, IOTHUB_LAYER_PORT, IOTHUB_ARDUINO_ERROR_CONTRACT);
    }
    return got > 0 ? got : 0;                    /* -1: none now, after all */
}

static int iothub_arduinoi_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_ARDUINO_CLIENT *stream = (IOTHUB_ARDUINO_CLIENT *)context;
    unsigned int room;

    if (stream->state != IOTHUB_ARDUINOI_OPEN) {
        return -1;
    }
    if (size == 0) {
        return iothub_arduinoi_push(stream);
    }
    if (stream->held == IOTHUB_ARDUINO_BUFFER && iothub_arduinoi_push(stream) < 0) {
        return -1;
    }
    room = IOTHUB_ARDUINO_BUFFER - stream->held;
    size = size < room ? size : room;
    memcpy(stream->buffer + stream->held, bytes, size);
    stream->held += size;
    return (int)size;
}

static void iothub_arduinoi_close(void *context)
{
    IOTHUB_ARDUINO_CLIENT *stream = (IOTHUB_ARDUINO_CLIENT *)context;

    if (stream->state == IOTHUB_ARDUINOI_OPEN || stream->state == IOTHUB_ARDUINOI_DEAD) {
        stream->client->stop();
    }
    stream->state = IOTHUB_ARDUINOI_CLOSED;      /* layer and raw stay: error() may be asked after close */
    stream->held = 0;
    stream->pushing = 0;
}

static int iothub_arduinoi_error(void *context, long *raw)
{
    IOTHUB_ARDUINO_CLIENT *stream = (IOTHUB_ARDUINO_CLIENT *)context;

    if (raw != NULL) {
        *raw = stream->raw;
    }
    return stream->layer;
}

const IOTHUB_IO *iothub_arduino_plain(IOTHUB_ARDUINO_CLIENT *stream, Client *client)
{
    memset(stream, 0, sizeof *stream);
    stream->client = client;
    stream->io.context = stream;
    stream->io.open = iothub_arduinoi_open;
    stream->io.read = iothub_arduinoi_read;
    stream->io.write = iothub_arduinoi_write;
    stream->io.close = iothub_arduinoi_close;
    stream->io.error = iothub_arduinoi_error;
    return &stream->io;
}

void iothub_arduino_secured(IOTHUB_ARDUINO_CLIENT *stream, Client *client, IOTHUB_PLATFORM *platform)
{
    platform->io = *iothub_arduino_plain(stream, client);
    stream->context = platform->context;
    stream->unix_time = platform->unix_time;
}

int iothub_arduino_will_block(const IOTHUB_ARDUINO_CLIENT *stream)
{
    return stream->state == IOTHUB_ARDUINOI_NEXT;
}

#ifdef IOTHUB_ARDUINOI_HMAC
#undef IOTHUB_ARDUINOI_HMAC
#endif

#endif /* IOTHUB_IMPLEMENTATION */
