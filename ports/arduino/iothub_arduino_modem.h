/* iothub_arduino_modem.h - a modem on a serial port of an Arduino: ports/modem over any Stream (Serial1, SoftwareSerial, ...). C++.

   DO THIS in exactly one file, usually the sketch:

       #define IOTHUB_IMPLEMENTATION
       #include <iothub_client.h>
       #include <ports/arduino/iothub_arduino_modem.h>

       IOTHUB_ARDUINO board;  IOTHUB_MODEM modem;  IOTHUB_PLATFORM platform;
       iothub_arduino_platform(&board, &platform);
       iothub_arduino_modem(&modem, &Serial1, iothub_modem_esp_at_tls, setup, &platform, buffer, sizeof buffer);

   Serial1.begin comes before it. Everything else is as in ports/modem/iothub_modem.h. */

#ifndef IOTHUB_ARDUINO_MODEM_H
#define IOTHUB_ARDUINO_MODEM_H

#include "iothub_arduino.h"
#include "../modem/iothub_modem.h"

/* iothub_modem_init over this serial port, without a reset line. */
int iothub_arduino_modem(IOTHUB_MODEM *modem, Stream *port, const char *dialect, const char *const *setup, IOTHUB_PLATFORM *platform,
                         unsigned char *buffer, unsigned int buffer_size);

#endif /* IOTHUB_ARDUINO_MODEM_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_ARDUINO_MODEM_IMPLEMENTED)
#define IOTHUB_ARDUINO_MODEM_IMPLEMENTED

static int iothub_arduinoi_serial_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    Stream *port = (Stream *)context;
    int got = 0, waiting = port->available();

    for (; got < waiting && (unsigned int)got < capacity; got++) {
        bytes[got] = (unsigned char)port->read();
    }
    return got;
}

static int iothub_arduinoi_serial_write(void *context, const unsigned char *bytes, unsigned int size)
{
    int room = ((Stream *)context)->availableForWrite();

    return room <= 0 ? 0 : (int)((Stream *)context)->write(bytes, (unsigned int)room < size ? (unsigned int)room : size);
}

/* For ports that do not tell their room (SoftwareSerial): one byte a call, which takes as long as it is on the line. */
static int iothub_arduinoi_serial_write_one(void *context, const unsigned char *bytes, unsigned int)
{
    return (int)((Stream *)context)->write(bytes, 1);
}

int iothub_arduino_modem(IOTHUB_MODEM *modem, Stream *port, const char *dialect, const char *const *setup, IOTHUB_PLATFORM *platform,
                         unsigned char *buffer, unsigned int buffer_size)
{
    IOTHUB_MODEM_SERIAL serial;

    serial.context = port;
    serial.read = iothub_arduinoi_serial_read;
    serial.write = port->availableForWrite() > 0 ? iothub_arduinoi_serial_write : iothub_arduinoi_serial_write_one;
    serial.reset = NULL;
    return iothub_modem_init(modem, &serial, dialect, setup, platform, buffer, buffer_size);
}

#endif /* IOTHUB_IMPLEMENTATION */
