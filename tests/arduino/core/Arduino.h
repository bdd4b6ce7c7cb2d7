/* The part of the Arduino API that the port and the sketches use, declared for this test alone, after the cores' documentation. Not a core:
   what compiles here has not been compiled with the real one. core.cpp makes it work on this machine. */
#ifndef TEST_ARDUINO_H
#define TEST_ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F(text) (reinterpret_cast<const __FlashStringHelper *>(text))
#define A0 17
class __FlashStringHelper;

unsigned long millis();
unsigned long micros();
int analogRead(uint8_t pin);
void configTime(long zone, int daylight, const char *server1, const char *server2 = nullptr, const char *server3 = nullptr);

class Print {
public:
    virtual ~Print() {}
    virtual size_t write(uint8_t byte) = 0;
    virtual size_t write(const uint8_t *bytes, size_t size) = 0;
    virtual int availableForWrite() { return 0; }
    virtual void flush() {}
    size_t print(const __FlashStringHelper *text);
    size_t println(const __FlashStringHelper *text);
    size_t println(unsigned int number);
    size_t println();
};

class Stream : public Print {
public:
    virtual int available() = 0;
    virtual int read() = 0;
    virtual int peek() = 0;
    void setTimeout(unsigned long milliseconds) { timeout = milliseconds; }
protected:
    unsigned long timeout = 1000;
};

class HardwareSerial : public Stream {
public:
    void begin(unsigned long) {}
    size_t write(uint8_t byte) override { return write(&byte, 1); }
    size_t write(const uint8_t *bytes, size_t size) override { return fwrite(bytes, 1, size, stdout); }
    int available() override { return 0; }
    int read() override { return -1; }
    int peek() override { return -1; }
};
extern HardwareSerial Serial;

class IPAddress {
public:
    IPAddress() : raw() {}
    uint8_t raw[4];
};

#endif
