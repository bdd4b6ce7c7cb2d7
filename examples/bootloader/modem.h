/* A cellular modem that does TLS and then is transparent, as a stream and a clock: the commands are those of Telit's modules (AT#SSLD)
   and of 3GPP TS 27.007 (AT+CCLK). The modem is told once, at its first setting up, whom to trust: AT#SSLSECCFG, AT#SSLSECDATA. */
#ifndef MODEM_H
#define MODEM_H

#include <stdint.h>

typedef struct MODEM_TAG {
    uint32_t since;                              /* tick: the present step began */
    uint32_t time, time_tick;                    /* seconds since 1970 at this tick; 0: not asked yet */
    const char *part[4];                         /* of the command that is being sent */
    unsigned char step;
    unsigned char next;                          /* the part that is being sent */
    unsigned char size;                          /* bytes of line */
    char line[32];
} MODEM;

/* As IOTHUB_IO and IOTHUB_PLATFORM want them; the context is a MODEM, zero at first. */
int modem_open(void *context, const char *host, unsigned int port);
int modem_read(void *context, unsigned char *bytes, unsigned int capacity);
int modem_write(void *context, const unsigned char *bytes, unsigned int size);
void modem_close(void *context);
uint32_t modem_milliseconds(void *context);
uint32_t modem_unix_time(void *context);

#endif
