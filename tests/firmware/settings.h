/* The settings of this one device, in the last 4 KB of flash, apart from the program: whoever makes the device writes them there.
   "IOTHUB01", then two sizes of 16 bits (low byte first), then a connection string with its NUL and DER certificates to trust. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "ports/bearssl/iothub_bearssl.h"

typedef struct SETTINGS_TAG {
    const char *connection_string;
    IOTHUB_BEARSSL_BYTES roots;
} SETTINGS;

/* 0 read, <0 there are none */
int settings_read(SETTINGS *settings);

#endif
