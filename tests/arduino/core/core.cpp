/* Arduino.h and WiFiClient.h on this machine, and a main that runs a sketch for ARGV[1] seconds. */
#include <Arduino.h>
#include <WiFiClient.h>
#include "host.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

HardwareSerial Serial;
WiFiClass WiFi;

unsigned long micros()
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long)now.tv_sec * 1000000ul + (unsigned long)now.tv_nsec / 1000ul;
}
unsigned long millis() { return micros() / 1000ul; }
int analogRead(uint8_t) { return (int)(micros() & 1023); }
void configTime(long, int, const char *, const char *, const char *) {}
extern "C" int os_get_random(unsigned char *bytes, size_t size) { return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -1; }

static const char *characters(const __FlashStringHelper *text) { return reinterpret_cast<const char *>(text); }
size_t Print::print(const __FlashStringHelper *text) { return write(reinterpret_cast<const uint8_t *>(characters(text)), strlen(characters(text))); }
size_t Print::println(const __FlashStringHelper *text) { return print(text) + println(); }
size_t Print::println(unsigned int number)
{
    char text[16];
    return write(reinterpret_cast<uint8_t *>(text), (size_t)snprintf(text, sizeof text, "%u", number)) + println();
}
size_t Print::println()
{
    size_t put = write(reinterpret_cast<const uint8_t *>("\r\n"), 2);
    fflush(stdout);
    return put;
}

int WiFiClient::connect(const char *host, uint16_t port)
{
    unsigned long begin = millis(), limit = secured ? handshake_s * 1000 : timeout;
    int answer;
    stop();
    link = test_link_new();
    do {
        answer = test_link_open(link, host, port, secured ? (roots != nullptr ? roots : "") : nullptr);
        if (answer == TEST_LATER) usleep(500);
    } while (answer == TEST_LATER && millis() - begin < limit);
    if (answer != 1) {
        stop();
        return 0;
    }
    return 1;
}

void WiFiClient::fetch()
{
    if (link == nullptr || waiting != 0 || ended) return;
    long got = test_link_read(link, held, sizeof held);
    if (got > 0) waiting = (size_t)got;
    else if (got != TEST_LATER) ended = true;
}

size_t WiFiClient::write(const uint8_t *bytes, size_t size)
{
    if (link == nullptr || ended) return 0;
    long put = test_link_write(link, bytes, size);
    if (put == TEST_BROKEN) ended = true;
    return put > 0 ? (size_t)put : 0;
}

int WiFiClient::available()
{
    fetch();
    return (int)waiting;
}

int WiFiClient::read()
{
    uint8_t byte;
    return read(&byte, 1) == 1 ? byte : -1;
}

int WiFiClient::read(uint8_t *bytes, size_t size)
{
    fetch();
    if (waiting == 0) return -1;
    if (size > waiting) size = waiting;
    memcpy(bytes, held, size);
    waiting -= size;
    memmove(held, held + size, waiting);
    return (int)size;
}

uint8_t WiFiClient::connected()
{
    fetch();
    return link != nullptr && (waiting != 0 || !ended);
}

void WiFiClient::stop()
{
    if (link != nullptr) test_link_delete(link);
    link = nullptr;
    waiting = 0;
    ended = false;
}

#ifndef TEST_WITHOUT_SKETCH
void setup();
void loop();

int main(int count, char **words)
{
    unsigned long begin = millis(), span = count > 1 ? strtoul(words[1], nullptr, 10) * 1000 : 5000;
    setup();
    while (millis() - begin < span) {
        loop();
        usleep(1000);
    }
    return 0;
}
#endif
