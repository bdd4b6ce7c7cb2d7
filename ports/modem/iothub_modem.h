/* iothub_modem.h - the TCP or TLS socket inside a modem (GSM, LTE, Wi-Fi module) that speaks AT commands, as an IOTHUB_IO.

   DO THIS in exactly one C or C++ file (the same one that holds the implementation of iothub_client.h is fine):

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/modem/iothub_modem.h"

   and in the program, with a serial line of yours:

       static IOTHUB_MODEM modem;
       static const IOTHUB_MODEM_SERIAL serial = { NULL, my_read, my_write, NULL };
       static const char *const setup[] = { "AT+CWMODE=1", "AT+CWJAP=\"network\",\"password\"", NULL };
       static unsigned char buffer[128];
       iothub_modem_init(&modem, &serial, iothub_modem_esp_at_tls, setup, &platform, buffer, sizeof buffer);

   platform.milliseconds must be there already. With a dialect whose TLS is inside the modem platform.io is ready now. With any other
   it stays empty, so that nobody sends a token in clear text by forgetting TLS: put a filter on iothub_modem_stream(&modem).

   WHAT IS HELD. Bytes that were received are never held here: they go from the serial line into the caller's memory. Bytes to
   send are gathered in the buffer, because each sending command costs a round trip to the modem; they leave when it is full
   and when DoWork pushes. Nothing is allocated, no line of the modem is longer than IOTHUB_MODEM_LINE here (the rest is skipped).

   DIALECTS are small tables, one text each, of rows that end with a newline. The first character of a row says what it is:

       said to the modem                                     said by the modem
       s  at the start, in this order, until each is OK      O  the connection is open
       t  what time is it                                    T  the time: seconds since 1970, or +CCLK's text in quotes
       p  before each connection, in this order              F  it cannot be opened, or the bytes cannot be sent
       o  open a connection                                  W  the bytes were taken (with #: so many of them)
       w  %n bytes will follow the prompt ">"                N  they were not: no room now, try again
       r  give me up to %n bytes                             R  there are bytes to ask for
       c  close the connection                               D  # bytes follow, at once when the row ends in : or , else after the line
                                                             C  the connection was closed
                                                             B  the modem or its network began anew
       S  (alone) the stream is secured by the modem: TLS with its server's certificate verified
   A dialect without r has a modem that sends what it received by itself. %h is the host, %p the port. In what the modem says # is a
   number and * anything, up to the character behind it; the first row that matches counts. OK, ERROR, +CME ERROR: # and
   +CMS ERROR: # need no row. A command that begins with - may fail; one with a tab in it ends with the answer behind the tab, not
   with OK. The texts of setup are such commands too. A table of your own:
       static const char mine[] IOTHUB_MODEM_CONST = "sATE0\n" "oAT+...\n" ...;

   SETTINGS, defined before the implementation is included; times in milliseconds:
       IOTHUB_MODEM_SYNC_MS       1000   for the answer to "AT", ten times
       IOTHUB_MODEM_COMMAND_MS    10000  for the answer to any other command
       IOTHUB_MODEM_SETUP_MS      60000  for each of setup: joining a network takes long
       IOTHUB_MODEM_OPEN_MS       75000  for a connection
       IOTHUB_MODEM_SEND_MS       30000  from the sending command until the bytes were taken
       IOTHUB_MODEM_POLL_MS       5000   bytes are asked for without being told of, for modems that forget to tell
       IOTHUB_MODEM_MOST          1024   bytes of one sending or receiving command */

#ifndef IOTHUB_MODEM_H
#define IOTHUB_MODEM_H

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#ifdef __AVR__
#include <avr/pgmspace.h>
#define IOTHUB_MODEM_CONST PROGMEM               /* dialects stay in flash */
#else
#define IOTHUB_MODEM_CONST
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define IOTHUB_MODEM_LINE 48                     /* characters of a line that are looked at */
#define IOTHUB_MODEM_BUFFER_MINIMUM 16

/* error(): the raw code is the number of +CME ERROR, 0 (the connection was closed in order), or one of these */
#define IOTHUB_MODEM_ERROR_REFUSED   2001        /* TCP: a command was answered ERROR, or its connection could not be opened */
#define IOTHUB_MODEM_ERROR_SILENT    2002        /* TCP: no answer in time */
#define IOTHUB_MODEM_ERROR_RESTARTED 2003        /* TCP: the modem or its network began anew */
#define IOTHUB_MODEM_ERROR_ANSWER    2004        /* PROTOCOL: it announced or took more bytes than there were */
#define IOTHUB_MODEM_ERROR_SERIAL    2005        /* PORT: the serial line failed, or answered more than was asked */
#define IOTHUB_MODEM_ERROR_HOST      2006        /* CONFIG: a host name that cannot stand in a command */

typedef struct IOTHUB_MODEM_SERIAL_TAG {         /* your serial line; nothing here may block */
    void *context;
    int (*read )(void *context, unsigned char *bytes, unsigned int capacity);    /* >0 bytes, 0 none now, <0 broken */
    int (*write)(void *context, const unsigned char *bytes, unsigned int size);  /* >0 taken, 0 no room now, <0 broken */
    int (*reset)(void *context);                 /* optional: works the reset line of a silent modem. 1 done, 0 call again, <0 failed */
} IOTHUB_MODEM_SERIAL;

typedef struct IOTHUB_MODEM_TAG {                /* place it anywhere; the fields are the port's own */
    IOTHUB_IO io;
    IOTHUB_MODEM_SERIAL serial;
    const char *dialect;
    const char *const *setup;
    void *context;                               /* the platform's, for milliseconds */
    uint32_t (*milliseconds)(void *context);
    unsigned char *buffer;                       /* bytes to send, the running command's first */
    unsigned int buffer_size, held;
    const char *host;
    unsigned int port;

    unsigned char life, job, phase, result;
    unsigned char may_fail, in_ram, ended;       /* of the command that runs */
    unsigned char digit;                         /* characters of a %h, %p or %n that are out */
    unsigned char tries, failures;
    unsigned char silent;                        /* it did not answer in time: reset it */
    unsigned char after;                         /* life after close, when it is dead */
    unsigned char ready, closing, told, pushing, again;
    unsigned char length, overlong;
    const char *at;                              /* the next character of the command */
    const char *row;                             /* the row or the text of setup that runs, or ran last */
    unsigned int index;                          /* of setup */
    unsigned int size, written;                  /* bytes of a sending or receiving command, and how many of them are out */
    unsigned int announced, left;                /* bytes that the modem gives, and those that are still to come */
    uint32_t since, moved, polled, refused;      /* ticks: the command began, a byte came, bytes were asked for, N was said */
    uint32_t clock, clock_tick;
    int layer;
    long raw;
    char line[IOTHUB_MODEM_LINE];
} IOTHUB_MODEM;

extern const char iothub_modem_sim800[];         /* SIMCom SIM800, SIM900 and their like: TCP */
extern const char iothub_modem_quectel[];        /* Quectel BG96, EC2x, EG9x and their like: TCP */
extern const char iothub_modem_quectel_tls[];    /* with TLS inside, CA in the modem's file cacert.pem */
extern const char iothub_modem_esp_at[];         /* Espressif ESP-AT 2.2 and later: TCP */
extern const char iothub_modem_esp_at_tls[];     /* with TLS inside, CA 0 of the modem's partition */

/* Copies *serial; the rest is borrowed for good. setup: commands of yours after the dialect's, NULL at the end; NULL: none.
   0: done; <0: the buffer is too small, or something is missing. */
int iothub_modem_init(IOTHUB_MODEM *modem, const IOTHUB_MODEM_SERIAL *serial, const char *dialect, const char *const *setup,
                      IOTHUB_PLATFORM *platform, unsigned char *buffer, unsigned int buffer_size);

/* The stream, for a TLS filter to stand on. */
const IOTHUB_IO *iothub_modem_stream(IOTHUB_MODEM *modem);

/* Brings the modem up and learns the time without a connection, or ends what a closed one left behind: a client that signs with a
   key needs the time before it opens. Call it as often as DoWork, or only before power goes off, until it answers 1: at rest. */
int iothub_modem_work(IOTHUB_MODEM *modem);

/* Seconds since 1970, as the modem's clock was at the last start; 0: unknown. */
uint32_t iothub_modem_unix_time(IOTHUB_MODEM *modem);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_MODEM_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_MODEM_IMPLEMENTED)
#define IOTHUB_MODEM_IMPLEMENTED

#include <string.h>

#ifndef IOTHUB_MODEM_SYNC_MS
#define IOTHUB_MODEM_SYNC_MS 1000
#endif
#ifndef IOTHUB_MODEM_COMMAND_MS
#define IOTHUB_MODEM_COMMAND_MS 10000
#endif
#ifndef IOTHUB_MODEM_SETUP_MS
#define IOTHUB_MODEM_SETUP_MS 60000
#endif
#ifndef IOTHUB_MODEM_OPEN_MS
#define IOTHUB_MODEM_OPEN_MS 75000
#endif
#ifndef IOTHUB_MODEM_SEND_MS
#define IOTHUB_MODEM_SEND_MS 30000
#endif
#ifndef IOTHUB_MODEM_POLL_MS
#define IOTHUB_MODEM_POLL_MS 5000
#endif
#ifndef IOTHUB_MODEM_MOST
#define IOTHUB_MODEM_MOST 1024
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Dialects: the vendors' commands, as they are publicly known; none was tried with a real modem ---- */

const char iothub_modem_sim800[] IOTHUB_MODEM_CONST =
    "sATE0\n"
    "s-AT+CIPSHUT\tSHUT OK\n"
    "sAT+CIPMUX=0\n"
    "sAT+CIPQSEND=1\n"
    "sAT+CIPRXGET=1\n"
    "tAT+CCLK?\n"             "T+CCLK: \"*\"\n"
    "oAT+CIPSTART=\"TCP\",\"%h\",%p\n" "OCONNECT OK\n" "FCONNECT FAIL\n" "FALREADY CONNECT\n"
    "wAT+CIPSEND=%n\n"        "WDATA ACCEPT:#\n" "FSEND FAIL\n"
    "rAT+CIPRXGET=2,%n\n"     "D+CIPRXGET: 2,#,*\n" "R+CIPRXGET: 1\n"
    "c-AT+CIPCLOSE=1\tCLOSE OK\n" "CCLOSED\n" "B+PDP: DEACT\n" "BRDY\n";

const char iothub_modem_quectel[] IOTHUB_MODEM_CONST =
    "sATE0\n"
    "s-AT+QICLOSE=0\n"
    "tAT+CCLK?\n"             "T+CCLK: \"*\"\n"
    "oAT+QIOPEN=1,0,\"TCP\",\"%h\",%p,0,0\n" "O+QIOPEN: 0,0\n" "F+QIOPEN: 0,#\n"
    "wAT+QISEND=0,%n\n"       "WSEND OK\n" "NSEND FAIL\n"
    "rAT+QIRD=0,%n\n"         "D+QIRD: #\n" "R+QIURC: \"recv\",0\n"
    "c-AT+QICLOSE=0\n"        "C+QIURC: \"closed\",0\n" "B+QIURC: \"pdpdeact\",*\n" "BRDY\n";

const char iothub_modem_quectel_tls[] IOTHUB_MODEM_CONST =
    "S\n"
    "sATE0\n"
    "s-AT+QSSLCLOSE=0\n"
    "sAT+QSSLCFG=\"sslversion\",1,3\n"
    "sAT+QSSLCFG=\"ciphersuite\",1,0xFFFF\n"
    "sAT+QSSLCFG=\"seclevel\",1,1\n"
    "sAT+QSSLCFG=\"cacert\",1,\"cacert.pem\"\n"
    "sAT+QSSLCFG=\"sni\",1,1\n"
    "tAT+CCLK?\n"             "T+CCLK: \"*\"\n"
    "oAT+QSSLOPEN=1,1,0,\"%h\",%p,0\n" "O+QSSLOPEN: 0,0\n" "F+QSSLOPEN: 0,#\n"
    "wAT+QSSLSEND=0,%n\n"     "WSEND OK\n" "NSEND FAIL\n"
    "rAT+QSSLRECV=0,%n\n"     "D+QSSLRECV: #\n" "R+QSSLURC: \"recv\",0\n"
    "c-AT+QSSLCLOSE=0\n"      "C+QSSLURC: \"closed\",0\n" "B+QIURC: \"pdpdeact\",*\n" "BRDY\n";

#define IOTHUB_MODEMI_ESP_AT \
    "tAT+SYSTIMESTAMP?\n"     "T+SYSTIMESTAMP:#\n" \
    "wAT+CIPSEND=%n\n"        "WSEND OK\n" "FSEND FAIL\n" "Fbusy*\n" \
    "rAT+CIPRECVDATA=%n\n"    "D+CIPRECVDATA:#,\n" "R+IPD,#\n" \
    "c-AT+CIPCLOSE\n"         "CCLOSED\n" "BWIFI DISCONNECT\n" "Bready\n"

const char iothub_modem_esp_at[] IOTHUB_MODEM_CONST =
    "sATE0\n"
    "s-AT+CIPCLOSE\n"
    "sAT+CIPMUX=0\n"
    "sAT+CIPRECVMODE=1\n"
    "oAT+CIPSTART=\"TCP\",\"%h\",%p\n" "OOK\n"
    IOTHUB_MODEMI_ESP_AT;

const char iothub_modem_esp_at_tls[] IOTHUB_MODEM_CONST =
    "S\n"
    "sATE0\n"
    "s-AT+CIPCLOSE\n"
    "sAT+CIPMUX=0\n"
    "sAT+CIPRECVMODE=1\n"
    "sAT+CIPSSLCCONF=2,0,0\n"
    "pAT+CIPSSLCSNI=\"%h\"\n"
    "pAT+CIPSSLCCN=\"%h\"\n"
    "oAT+CIPSTART=\"SSL\",\"%h\",%p\n" "OOK\n"
    IOTHUB_MODEMI_ESP_AT;

#undef IOTHUB_MODEMI_ESP_AT

/* ---- States ----
   life:  off -> (reset) -> sync -> start -> setup -> clock -> up -> prepare -> opening -> open -> hangup -> up
            any failure -> dead, and after close: hangup for the first one; off for the next, and when the modem was silent, began
            anew or was not up
   job:   one command at a time. Its phases: writing -> waiting; when it sends: writing -> prompt -> bytes -> taken. */

enum {
    IOTHUB_MODEMI_OFF, IOTHUB_MODEMI_RESET, IOTHUB_MODEMI_SYNC, IOTHUB_MODEMI_START, IOTHUB_MODEMI_SETUP, IOTHUB_MODEMI_CLOCK,
    IOTHUB_MODEMI_UP, IOTHUB_MODEMI_PREPARE, IOTHUB_MODEMI_OPENING, IOTHUB_MODEMI_OPEN, IOTHUB_MODEMI_HANGUP, IOTHUB_MODEMI_DEAD
};
enum { IOTHUB_MODEMI_NONE, IOTHUB_MODEMI_COMMAND, IOTHUB_MODEMI_CONNECT, IOTHUB_MODEMI_SEND, IOTHUB_MODEMI_RECEIVE };
enum { IOTHUB_MODEMI_WRITING, IOTHUB_MODEMI_WAITING, IOTHUB_MODEMI_PROMPT, IOTHUB_MODEMI_BYTES, IOTHUB_MODEMI_TAKEN };
enum { IOTHUB_MODEMI_OK, IOTHUB_MODEMI_FAILED };

#define IOTHUB_MODEMI_TRIES    10
#define IOTHUB_MODEMI_STEPS    512               /* serial bytes of one call that are no data */
#define IOTHUB_MODEMI_AGAIN_MS 200u              /* before bytes are sent again that the modem had no room for */
#define IOTHUB_MODEMI_LAST_MS  2000u             /* for last words to be read, before write says that the connection is closed */
#define IOTHUB_MODEMI_QUIET_MS 100u              /* nothing comes for so long after "AT" was answered */
#define IOTHUB_MODEMI_RETRY_MS 5000u             /* iothub_modem_work after a failure, and the next look at an unknown clock */
#define IOTHUB_MODEMI_TOO_MANY 0xFFFFFFFFu       /* a number that is none, or over 4,294,967,294 */

static uint32_t iothub_modemi_now(const IOTHUB_MODEM *modem)
{
    return modem->milliseconds(modem->context);
}

static void iothub_modemi_fail(IOTHUB_MODEM *modem, int layer, long raw)
{
    if (modem->life != IOTHUB_MODEMI_DEAD) {
        modem->after = IOTHUB_MODEMI_OFF;
        if (modem->life > IOTHUB_MODEMI_UP && modem->failures == 0 && raw != IOTHUB_MODEM_ERROR_SILENT &&
            raw != IOTHUB_MODEM_ERROR_RESTARTED) {
            modem->after = IOTHUB_MODEMI_HANGUP;
        }
        modem->failures = 1;
        modem->life = IOTHUB_MODEMI_DEAD;
        modem->layer = layer;
        modem->raw = raw;
        modem->since = iothub_modemi_now(modem);
    }
}

/* ---- Rows ---- */

static char iothub_modemi_flash(const char *at)
{
#ifdef __AVR__
    return (char)pgm_read_byte(at);
#else
    return *at;
#endif
}

static char iothub_modemi_character(const IOTHUB_MODEM *modem, const char *at)
{
    return modem->in_ram ? *at : iothub_modemi_flash(at);
}

/* The text of the next row with this key, behind that of row; NULL: there is none. */
static const char *iothub_modemi_next_row(const IOTHUB_MODEM *modem, const char *row, char key)
{
    const char *at = row == NULL ? modem->dialect : row;
    char c, before = row == NULL ? '\n' : ' ';

    for (; (c = iothub_modemi_flash(at)) != 0; before = c) {
        at++;
        if (before == '\n' && c == key) {
            return at;
        }
    }
    return NULL;
}

/* The last character of a row. */
static char iothub_modemi_last(const char *row)
{
    char c, last = 0;

    while ((c = iothub_modemi_flash(row)) != 0 && c != '\n') {
        last = c;
        row++;
    }
    return last;
}

static int iothub_modemi_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Does the line so far match the pattern, which ends with its row? The number of a # is left in *number. */
static int iothub_modemi_match(const IOTHUB_MODEM *modem, const char *pattern, int in_ram, uint32_t *number)
{
    unsigned int i = 0;

    for (;; pattern++) {
        char c = in_ram ? *pattern : iothub_modemi_flash(pattern);
        if (c == 0 || c == '\n') {
            return i == modem->length && !modem->overlong;
        }
        if (c == '#') {
            uint32_t value = 0;
            if (i >= modem->length || !iothub_modemi_is_digit(modem->line[i])) {
                return 0;
            }
            while (i < modem->length && iothub_modemi_is_digit(modem->line[i])) {
                uint32_t digit = (uint32_t)(modem->line[i++] - '0');
                value = value > (IOTHUB_MODEMI_TOO_MANY - 1u - digit) / 10u ? IOTHUB_MODEMI_TOO_MANY : value * 10u + digit;
                if (value == IOTHUB_MODEMI_TOO_MANY) {
                    break;
                }
            }
            while (i < modem->length && iothub_modemi_is_digit(modem->line[i])) {
                i++;
            }
            *number = value;
        } else if (c == '*') {
            char stop = in_ram ? pattern[1] : iothub_modemi_flash(pattern + 1);
            if (stop == 0 || stop == '\n') {
                return 1;
            }
            while (i < modem->length && modem->line[i] != stop) {
                i++;
            }
        } else if (i >= modem->length || modem->line[i++] != c) {
            return 0;
        }
    }
}

static int iothub_modemi_line_is(const IOTHUB_MODEM *modem, const char *pattern, uint32_t *number)
{
    return iothub_modemi_match(modem, pattern, 1, number);
}

static int iothub_modemi_pulls(const IOTHUB_MODEM *modem)
{
    return iothub_modemi_next_row(modem, NULL, 'r') != NULL;
}

/* ---- The command that runs ---- */

static void iothub_modemi_begin(IOTHUB_MODEM *modem, int job, const char *text, int in_ram)
{
    modem->job = (unsigned char)job;
    modem->phase = IOTHUB_MODEMI_WRITING;
    modem->row = modem->at = text;
    modem->in_ram = (unsigned char)in_ram;
    modem->ended = 0;
    modem->digit = 0;
    modem->written = 0;
    modem->announced = 0;
    modem->since = iothub_modemi_now(modem);
    modem->may_fail = iothub_modemi_character(modem, text) == '-';
    if (modem->may_fail) {
        modem->at++;
    }
}

/* The answer that ends a command, behind the tab in its text; NULL: OK. */
static const char *iothub_modemi_own_answer(const IOTHUB_MODEM *modem)
{
    const char *at = modem->row;
    char c;

    while ((c = iothub_modemi_character(modem, at)) != 0 && c != '\n') {
        at++;
        if (c == '\t') {
            return at;
        }
    }
    return NULL;
}

/* The next character of the command, 0 at its end; step takes it. */
static char iothub_modemi_next(IOTHUB_MODEM *modem)
{
    char digits[11];
    const char *text;
    unsigned long number;
    unsigned int i;

    for (;;) {
        char c = iothub_modemi_character(modem, modem->at);
        if (c == 0 || c == '\n' || c == '\t') {
            return (char)(modem->ended ? 0 : '\r');
        }
        if (c != '%') {
            return c;
        }
        c = iothub_modemi_character(modem, modem->at + 1);
        if (c == 'h') {
            text = modem->host != NULL ? modem->host : "";
        } else {
            number = c == 'p' ? modem->port : modem->size;
            i = sizeof digits - 1;
            digits[i] = 0;
            do {
                digits[--i] = (char)('0' + number % 10);
                number /= 10;
            } while (number != 0);
            text = digits + i;
        }
        if (text[modem->digit] != 0) {
            return text[modem->digit];
        }
        modem->at += 2;
        modem->digit = 0;
    }
}

static void iothub_modemi_step(IOTHUB_MODEM *modem)
{
    char c = iothub_modemi_character(modem, modem->at);

    if (c == 0 || c == '\n' || c == '\t') {
        modem->ended = 1;
    } else if (c == '%') {
        modem->digit++;
    } else {
        modem->at++;
    }
}

/* The command is over. What its end means for the life of the modem is advance's business, except for these two. */
static void iothub_modemi_finish(IOTHUB_MODEM *modem, int result, long raw)
{
    int job = modem->job;

    modem->job = IOTHUB_MODEMI_NONE;
    modem->result = (unsigned char)(modem->may_fail ? (int)IOTHUB_MODEMI_OK : result);
    if (modem->result == IOTHUB_MODEMI_FAILED) {
        modem->raw = raw;
    }
    if (modem->life != IOTHUB_MODEMI_OPEN) {
        return;
    }
    if (job == IOTHUB_MODEMI_SEND && result == IOTHUB_MODEMI_FAILED) {
        iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, raw);
    }
    if (job == IOTHUB_MODEMI_RECEIVE && (result == IOTHUB_MODEMI_FAILED || modem->announced == 0)) {
        if (modem->closing) {                    /* now everything is read */
            iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, 0);
        }
        modem->ready = modem->told;             /* ERROR is how ESP-AT says that there is nothing */
    }
}

/* ---- What the modem says ---- */

static void iothub_modemi_announce(IOTHUB_MODEM *modem, uint32_t size)
{
    int pulled = modem->job == IOTHUB_MODEMI_RECEIVE;
    uint32_t most = pulled ? modem->size : iothub_modemi_pulls(modem) ? 0u : 32767u;

    if (modem->life != IOTHUB_MODEMI_OPEN) {     /* of an old connection; pump throws it away */
        modem->left = (unsigned int)(size > 32767u ? 32767u : size);
    } else if (size > most || (pulled && modem->announced != 0)) {
        iothub_modemi_fail(modem, IOTHUB_LAYER_PROTOCOL, IOTHUB_MODEM_ERROR_ANSWER);
    } else {
        modem->announced = modem->left = (unsigned int)size;
    }
    modem->moved = iothub_modemi_now(modem);
}

/* A sending command is over, and the modem took so many of its bytes. */
static void iothub_modemi_taken(IOTHUB_MODEM *modem, uint32_t number)
{
    if (modem->life != IOTHUB_MODEMI_OPEN) {
        modem->held = 0;
    } else if (number > modem->size) {
        iothub_modemi_fail(modem, IOTHUB_LAYER_PROTOCOL, IOTHUB_MODEM_ERROR_ANSWER);
    } else {
        modem->held -= (unsigned int)number;
        memmove(modem->buffer, modem->buffer + number, modem->held);
        modem->again = number < modem->size;
        modem->refused = iothub_modemi_now(modem);
    }
}

static void iothub_modemi_closed(IOTHUB_MODEM *modem)
{
    if (modem->life == IOTHUB_MODEMI_OPENING && modem->job == IOTHUB_MODEMI_CONNECT) {
        iothub_modemi_finish(modem, IOTHUB_MODEMI_FAILED, IOTHUB_MODEM_ERROR_REFUSED);
    } else if (modem->life == IOTHUB_MODEMI_OPEN) {
        if (!iothub_modemi_pulls(modem)) {
            iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, 0);
            return;
        }
        modem->closing = modem->ready = modem->told = 1;      /* its last words may still lie in the modem */
        if (modem->job == IOTHUB_MODEMI_SEND) {
            modem->job = IOTHUB_MODEMI_NONE;
        }
    }
}

/* +CCLK: "yy/MM/dd,hh:mm:ss+zz", local time and its distance from UTC in quarters of an hour. 0: not such a text. */
static uint32_t iothub_modemi_cclk(const IOTHUB_MODEM *modem)
{
    uint32_t field[6], days, seconds, zone = 0, year, month;
    unsigned int i = 0, k;
    char sign;

    while (i < modem->length && modem->line[i] != '"') {
        i++;
    }
    if (i + 18u > modem->length) {
        return 0;
    }
    for (k = 0; k < 6; k++) {
        const char *at = modem->line + i + 1 + 3 * k;
        if (!iothub_modemi_is_digit(at[0]) || !iothub_modemi_is_digit(at[1])) {
            return 0;
        }
        field[k] = (uint32_t)(at[0] - '0') * 10u + (uint32_t)(at[1] - '0');
    }
    if (field[0] > 79 || field[1] - 1u > 11 || field[2] - 1u > 30 || field[3] > 23 || field[4] > 59 || field[5] > 60) {
        return 0;                                /* 80: 1980, a clock that was never set */
    }
    year = field[0] + (field[1] > 2);            /* years begin in March, so that leap days come last; the first is 1999 */
    month = field[1] > 2 ? field[1] - 3u : field[1] + 9u;
    days = year * 365u + (year + 3u) / 4u + (month * 153u + 2u) / 5u + field[2] - 1u + 10651u;
    seconds = ((days * 24u + field[3]) * 60u + field[4]) * 60u + field[5];
    i += 18;
    sign = modem->line[i];
    if (i + 2u < modem->length && (sign == '+' || sign == '-')) {
        for (k = 1; k < 3 && iothub_modemi_is_digit(modem->line[i + k]); k++) {
            zone = zone * 10u + (uint32_t)(modem->line[i + k] - '0');
        }
        seconds = sign == '+' ? seconds - zone * 900u : seconds + zone * 900u;
    }
    return seconds;
}

static void iothub_modemi_told_time(IOTHUB_MODEM *modem, uint32_t number)
{
    uint32_t seconds = number != IOTHUB_MODEMI_TOO_MANY ? number : iothub_modemi_cclk(modem);

    if (seconds >= 1704067200u) {                /* 2024: below it the clock was never set */
        modem->clock = seconds;
        modem->clock_tick = iothub_modemi_now(modem);
    }
}

/* A finished line is this row of the dialect. 1: it says nothing else; 0: go on with it. */
static int iothub_modemi_said(IOTHUB_MODEM *modem, char key, uint32_t number)
{
    switch (key) {
    case 'O':
        if (modem->job != IOTHUB_MODEMI_CONNECT) {
            return 0;
        }
        iothub_modemi_finish(modem, IOTHUB_MODEMI_OK, 0);
        return 1;
    case 'F':
        if (modem->job != IOTHUB_MODEMI_CONNECT && modem->job != IOTHUB_MODEMI_SEND) {
            return 0;
        }
        iothub_modemi_finish(modem, IOTHUB_MODEMI_FAILED, number < 2000u ? (long)number : (long)IOTHUB_MODEM_ERROR_REFUSED);
        return 1;
    case 'W':
    case 'N':
        if (modem->job != IOTHUB_MODEMI_SEND || modem->phase != IOTHUB_MODEMI_TAKEN) {
            return 0;
        }
        iothub_modemi_finish(modem, IOTHUB_MODEMI_OK, 0);
        iothub_modemi_taken(modem, key == 'N' ? 0 : number == IOTHUB_MODEMI_TOO_MANY ? modem->size : number);
        return 1;
    case 'D':
        iothub_modemi_announce(modem, number);
        return 1;
    case 'R':
        modem->ready = modem->told = 1;
        return 1;
    case 'C':
        iothub_modemi_closed(modem);
        return 0;                                /* it may also be what a closing command waits for */
    case 'B':
        if (modem->life > IOTHUB_MODEMI_SYNC) {
            iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, IOTHUB_MODEM_ERROR_RESTARTED);
        }
        modem->job = modem->life == IOTHUB_MODEMI_SYNC ? modem->job : (unsigned char)IOTHUB_MODEMI_NONE;
        return 1;
    case 'T':
        iothub_modemi_told_time(modem, number);
        return 1;
    default:
        return 0;
    }
}

/* Looks a finished line up in the dialect, in one walk through it. */
static int iothub_modemi_row_said(IOTHUB_MODEM *modem)
{
    const char *at = modem->dialect;
    char c, key;

    while ((key = iothub_modemi_flash(at)) != 0) {
        uint32_t number = IOTHUB_MODEMI_TOO_MANY;
        if (key < 'a' && iothub_modemi_match(modem, at + 1, 0, &number) && iothub_modemi_said(modem, key, number)) {
            return 1;
        }
        do {
            c = iothub_modemi_flash(at);
            at += c != 0;
        } while (c != 0 && c != '\n');
    }
    return 0;
}

static void iothub_modemi_line(IOTHUB_MODEM *modem)
{
    const char *answer;
    uint32_t number = IOTHUB_MODEM_ERROR_REFUSED;

    while (modem->length > 0 && modem->line[modem->length - 1] == '\r') {
        modem->length--;
    }
    if (modem->length == 0 || (modem->line[0] == 'A' && modem->length > 1 && modem->line[1] == 'T')) {
        return;                                  /* our own command, echoed */
    }
    if (iothub_modemi_row_said(modem) || modem->job == IOTHUB_MODEMI_NONE || modem->phase == IOTHUB_MODEMI_WRITING) {
        return;
    }
    if (iothub_modemi_line_is(modem, "ERROR", &number) || iothub_modemi_line_is(modem, "+CME ERROR: #", &number) ||
        iothub_modemi_line_is(modem, "+CMS ERROR: #", &number)) {
        iothub_modemi_finish(modem, IOTHUB_MODEMI_FAILED, number > 2000u ? (long)IOTHUB_MODEM_ERROR_REFUSED : (long)number);
        return;
    }
    if (modem->phase != IOTHUB_MODEMI_WAITING || modem->job == IOTHUB_MODEMI_CONNECT) {
        return;
    }
    answer = iothub_modemi_own_answer(modem);
    if (answer != NULL ? iothub_modemi_match(modem, answer, modem->in_ram, &number) : iothub_modemi_line_is(modem, "OK", &number)) {
        iothub_modemi_finish(modem, IOTHUB_MODEMI_OK, 0);
    }
}

/* One byte that is not data. */
static void iothub_modemi_take(IOTHUB_MODEM *modem, char c)
{
    const char *row = NULL;
    uint32_t number = 0;

    if (c == '\n') {
        iothub_modemi_line(modem);
        modem->length = modem->overlong = 0;
        return;
    }
    if (modem->length == 0 && c == '>' && modem->job == IOTHUB_MODEMI_SEND && modem->phase == IOTHUB_MODEMI_PROMPT) {
        modem->phase = IOTHUB_MODEMI_BYTES;
        return;
    }
    if (modem->length == 0 && c == ' ') {        /* behind the prompt */
        return;
    }
    if (modem->length == IOTHUB_MODEM_LINE) {
        modem->overlong = 1;
        return;
    }
    modem->line[modem->length++] = c;
    if (c != ':' && c != ',') {
        return;
    }
    while ((row = iothub_modemi_next_row(modem, row, 'D')) != NULL) {
        if (iothub_modemi_last(row) == c && iothub_modemi_match(modem, row, 0, &number)) {
            modem->length = 0;
            iothub_modemi_announce(modem, number);
            return;
        }
    }
}

/* ---- Serial line ---- */

static int iothub_modemi_serial(IOTHUB_MODEM *modem, int answer, unsigned int asked)
{
    if (answer < 0 || (unsigned int)answer > asked) {
        iothub_modemi_fail(modem, IOTHUB_LAYER_PORT, IOTHUB_MODEM_ERROR_SERIAL);
        return 0;
    }
    return answer;
}

static void iothub_modemi_output(IOTHUB_MODEM *modem)
{
    unsigned char byte;
    unsigned int size;

    while (modem->job != IOTHUB_MODEMI_NONE && modem->phase == IOTHUB_MODEMI_WRITING && modem->life != IOTHUB_MODEMI_DEAD) {
        byte = (unsigned char)iothub_modemi_next(modem);
        if (byte == 0) {
            modem->phase = modem->job == IOTHUB_MODEMI_SEND ? IOTHUB_MODEMI_PROMPT : IOTHUB_MODEMI_WAITING;
        } else if (iothub_modemi_serial(modem, modem->serial.write(modem->serial.context, &byte, 1), 1) == 0) {
            return;
        } else {
            iothub_modemi_step(modem);
        }
    }
    while (modem->job == IOTHUB_MODEMI_SEND && modem->phase == IOTHUB_MODEMI_BYTES && modem->life != IOTHUB_MODEMI_DEAD) {
        size = (unsigned int)iothub_modemi_serial(modem,
            modem->serial.write(modem->serial.context, modem->buffer + modem->written, modem->size - modem->written),
            modem->size - modem->written);
        if (size == 0) {
            return;
        }
        modem->written += size;
        if (modem->written == modem->size) {
            modem->phase = IOTHUB_MODEMI_TAKEN;
        }
    }
}

static void iothub_modemi_deadline(IOTHUB_MODEM *modem)
{
    uint32_t now = iothub_modemi_now(modem), limit = IOTHUB_MODEM_COMMAND_MS;

    if (modem->left != 0 && modem->life == IOTHUB_MODEMI_OPEN) {
        if (now - modem->moved <= limit) {
            return;
        }
    } else {
        switch (modem->job) {
        case IOTHUB_MODEMI_NONE:
            return;
        case IOTHUB_MODEMI_CONNECT:
            limit = IOTHUB_MODEM_OPEN_MS;
            break;
        case IOTHUB_MODEMI_SEND:
            limit = IOTHUB_MODEM_SEND_MS;
            break;
        default:
            limit = modem->life == IOTHUB_MODEMI_SYNC ? (uint32_t)IOTHUB_MODEM_SYNC_MS
                    : modem->life == IOTHUB_MODEMI_SETUP ? (uint32_t)IOTHUB_MODEM_SETUP_MS : limit;
            break;
        }
        if (now - modem->since <= limit) {
            return;
        }
    }
    modem->left = 0;
    modem->length = modem->overlong = 0;
    modem->job = IOTHUB_MODEMI_NONE;
    modem->result = IOTHUB_MODEMI_FAILED;
    if (modem->life > IOTHUB_MODEMI_SYNC) {
        modem->silent = 1;
        iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, IOTHUB_MODEM_ERROR_SILENT);
    }
}

/* Moves everything that can be moved, up to data that the caller must take. */
static void iothub_modemi_pump(IOTHUB_MODEM *modem)
{
    unsigned char bytes[16];
    unsigned int steps, asked, got;

    iothub_modemi_output(modem);
    for (steps = 0; steps < IOTHUB_MODEMI_STEPS && modem->life != IOTHUB_MODEMI_DEAD; steps++) {
        asked = 1;
        if (modem->left != 0) {
            if (modem->life == IOTHUB_MODEMI_OPEN) {
                break;
            }
            asked = modem->left < sizeof bytes ? modem->left : (unsigned int)sizeof bytes;
        }
        got = (unsigned int)iothub_modemi_serial(modem, modem->serial.read(modem->serial.context, bytes, asked), asked);
        if (got == 0) {
            break;
        }
        if (modem->left != 0) {
            modem->left -= got;
        } else {
            iothub_modemi_take(modem, (char)bytes[0]);
        }
        iothub_modemi_output(modem);
    }
    if (steps != 0) {
        modem->moved = iothub_modemi_now(modem);
    }
    if (modem->life != IOTHUB_MODEMI_DEAD) {
        iothub_modemi_deadline(modem);
    }
}

/* ---- Life ---- */

static const char iothub_modemi_at[] = "AT";     /* in RAM, as the texts of setup are */

/* Begins the next command of the bring-up. 0: there is none left of this kind. */
static int iothub_modemi_next_command(IOTHUB_MODEM *modem)
{
    const char *text;

    if (modem->life != IOTHUB_MODEMI_SETUP) {
        text = iothub_modemi_next_row(modem, modem->index == 0 ? NULL : modem->row, modem->life == IOTHUB_MODEMI_START ? 's' : 'p');
        if (text != NULL) {
            modem->index = 1;
            iothub_modemi_begin(modem, IOTHUB_MODEMI_COMMAND, text, 0);
            return 1;
        }
    } else if (modem->setup != NULL && modem->setup[modem->index] != NULL) {
        iothub_modemi_begin(modem, IOTHUB_MODEMI_COMMAND, modem->setup[modem->index++], 1);
        return 1;
    }
    return 0;
}

/* One step; 0: nothing to do before the modem answers. */
static int iothub_modemi_advance(IOTHUB_MODEM *modem, int wanted)
{
    const char *row;

    if (modem->job != IOTHUB_MODEMI_NONE) {
        return 0;
    }
    switch (modem->life) {
    case IOTHUB_MODEMI_OFF:
        modem->tries = 0;
        modem->result = IOTHUB_MODEMI_FAILED;
        modem->life = modem->silent && modem->serial.reset != NULL ? IOTHUB_MODEMI_RESET : IOTHUB_MODEMI_SYNC;
        return 1;
    case IOTHUB_MODEMI_RESET:
        switch (modem->serial.reset(modem->serial.context)) {
        case 0:
            return 0;
        case 1:
            modem->silent = 0;
            modem->life = IOTHUB_MODEMI_SYNC;
            return 1;
        default:
            iothub_modemi_fail(modem, IOTHUB_LAYER_PORT, IOTHUB_MODEM_ERROR_SERIAL);
            return 0;
        }
    case IOTHUB_MODEMI_SYNC:
        if (modem->result == IOTHUB_MODEMI_OK) { /* there may be answers to earlier ones behind it */
            if (iothub_modemi_now(modem) - modem->moved < IOTHUB_MODEMI_QUIET_MS) {
                return 0;
            }
            modem->silent = 0;
            modem->life = IOTHUB_MODEMI_START;
            modem->index = 0;
            return 1;
        }
        if (modem->tries == IOTHUB_MODEMI_TRIES) {
            modem->silent = 1;
            iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, IOTHUB_MODEM_ERROR_SILENT);
            return 0;
        }
        modem->tries++;
        iothub_modemi_begin(modem, IOTHUB_MODEMI_COMMAND, iothub_modemi_at, 1);
        return 1;
    case IOTHUB_MODEMI_START:
    case IOTHUB_MODEMI_SETUP:
    case IOTHUB_MODEMI_PREPARE:
        if (modem->result == IOTHUB_MODEMI_FAILED) {
            iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, modem->raw);
            return 0;
        }
        if (!iothub_modemi_next_command(modem)) {
            modem->life++;                       /* start, setup, clock; prepare, opening */
            modem->index = 0;
            if (modem->life == IOTHUB_MODEMI_OPENING) {
                iothub_modemi_begin(modem, IOTHUB_MODEMI_CONNECT, iothub_modemi_next_row(modem, NULL, 'o'), 0);
            }
        }
        return 1;
    case IOTHUB_MODEMI_CLOCK:
        modem->life = IOTHUB_MODEMI_UP;
        modem->polled = iothub_modemi_now(modem);
        row = modem->clock == 0 ? iothub_modemi_next_row(modem, NULL, 't') : NULL;
        if (row != NULL) {
            iothub_modemi_begin(modem, IOTHUB_MODEMI_COMMAND, row, 0);
        }
        return 1;
    case IOTHUB_MODEMI_UP:
        if (wanted) {
            modem->life = IOTHUB_MODEMI_PREPARE;
            modem->result = IOTHUB_MODEMI_OK;
            modem->index = 0;
            return 1;
        }
        if (modem->clock == 0 && iothub_modemi_next_row(modem, NULL, 't') != NULL &&
            iothub_modemi_now(modem) - modem->polled >= IOTHUB_MODEMI_RETRY_MS) {
            modem->life = IOTHUB_MODEMI_CLOCK;
            return 1;
        }
        return 0;
    case IOTHUB_MODEMI_OPENING:
        if (modem->result == IOTHUB_MODEMI_FAILED) {
            iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, modem->raw);
            return 0;
        }
        modem->life = IOTHUB_MODEMI_OPEN;
        modem->failures = modem->ready = modem->closing = modem->told = 0;
        modem->held = 0;
        modem->pushing = modem->again = 0;
        modem->polled = iothub_modemi_now(modem);
        return 0;
    case IOTHUB_MODEMI_HANGUP:
        row = iothub_modemi_next_row(modem, NULL, 'c');
        if (row != NULL && modem->closing) {
            modem->closing = 0;
            iothub_modemi_begin(modem, IOTHUB_MODEMI_COMMAND, row, 0);
        } else {
            modem->life = IOTHUB_MODEMI_UP;
            modem->polled = iothub_modemi_now(modem);
        }
        return 1;
    default:
        return 0;
    }
}

static void iothub_modemi_go(IOTHUB_MODEM *modem, int wanted)
{
    unsigned int steps;

    for (steps = 0; steps < IOTHUB_MODEMI_STEPS; steps++) {
        iothub_modemi_pump(modem);
        if (modem->life == IOTHUB_MODEMI_DEAD || !iothub_modemi_advance(modem, wanted)) {
            return;
        }
    }
}

/* ---- The stream ---- */

static int iothub_modemi_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_MODEM *modem = (IOTHUB_MODEM *)context;
    const char *at;

    if (modem->host == NULL) {                   /* the first call */
        if (modem->life == IOTHUB_MODEMI_DEAD) { /* it died while nobody used it */
            modem->life = modem->after;
        }
        modem->layer = IOTHUB_LAYER_NONE;
        modem->raw = 0;
        for (at = host; *at != 0; at++) {        /* what could end the command, and begin another */
            if (*at <= ' ' || *at > '~' || *at == '"' || *at == ',' || *at == '\\' || at - host > 250) {
                break;
            }
        }
        if (*at != 0 || at == host) {
            modem->layer = IOTHUB_LAYER_CONFIG;
            modem->raw = IOTHUB_MODEM_ERROR_HOST;
            return -1;
        }
        modem->host = host;
        modem->port = port;
    }
    iothub_modemi_go(modem, 1);
    return modem->life == IOTHUB_MODEMI_OPEN ? 1 : modem->life == IOTHUB_MODEMI_DEAD ? -1 : 0;
}

/* Begins to send what is held, when it is time. */
static void iothub_modemi_send(IOTHUB_MODEM *modem)
{
    if (modem->held == 0) {
        modem->pushing = 0;
    }
    if (modem->life != IOTHUB_MODEMI_OPEN || modem->job != IOTHUB_MODEMI_NONE || modem->left != 0 || modem->closing ||
        !(modem->pushing || modem->held == modem->buffer_size) ||
        (modem->again && iothub_modemi_now(modem) - modem->refused < IOTHUB_MODEMI_AGAIN_MS)) {
        return;
    }
    modem->again = 0;
    modem->size = modem->held < (unsigned int)IOTHUB_MODEM_MOST ? modem->held : (unsigned int)IOTHUB_MODEM_MOST;
    iothub_modemi_begin(modem, IOTHUB_MODEMI_SEND, iothub_modemi_next_row(modem, NULL, 'w'), 0);
    iothub_modemi_pump(modem);
}

static int iothub_modemi_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_MODEM *modem = (IOTHUB_MODEM *)context;
    const char *row;
    unsigned int asked, got, rounds;
    uint32_t now;

    if (modem->life != IOTHUB_MODEMI_OPEN) {
        return -1;
    }
    if (capacity == 0) {
        return 0;
    }
    for (rounds = 0; rounds < 8; rounds++) {
        iothub_modemi_pump(modem);
        if (modem->life != IOTHUB_MODEMI_OPEN) {
            return -1;
        }
        if (modem->left != 0) {
            asked = modem->left < capacity ? modem->left : capacity;
            got = (unsigned int)iothub_modemi_serial(modem, modem->serial.read(modem->serial.context, bytes, asked), asked);
            if (got != 0) {
                modem->left -= got;
                modem->moved = modem->since = iothub_modemi_now(modem);
                return (int)got;
            }
            return modem->life == IOTHUB_MODEMI_OPEN ? 0 : -1;
        }
        iothub_modemi_send(modem);
        now = iothub_modemi_now(modem);
        if (modem->job != IOTHUB_MODEMI_NONE || (!modem->ready && now - modem->polled < (uint32_t)IOTHUB_MODEM_POLL_MS)) {
            return 0;
        }
        modem->polled = now;
        row = iothub_modemi_next_row(modem, NULL, 'r');
        if (row == NULL) {
            return 0;
        }
        modem->told = 0;
        modem->size = capacity < (unsigned int)IOTHUB_MODEM_MOST ? capacity : (unsigned int)IOTHUB_MODEM_MOST;
        iothub_modemi_begin(modem, IOTHUB_MODEMI_RECEIVE, row, 0);
    }
    return 0;
}

static int iothub_modemi_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_MODEM *modem = (IOTHUB_MODEM *)context;
    unsigned int taken = 0;

    if (modem->life != IOTHUB_MODEMI_OPEN) {
        return -1;
    }
    if (modem->closing) {                        /* read finds out */
        iothub_modemi_pump(modem);
        if (iothub_modemi_now(modem) - modem->moved >= IOTHUB_MODEMI_LAST_MS) {
            iothub_modemi_fail(modem, IOTHUB_LAYER_TCP, 0);
        }
        return modem->life == IOTHUB_MODEMI_OPEN ? 0 : -1;
    }
    if (size != 0) {
        taken = modem->buffer_size - modem->held < size ? modem->buffer_size - modem->held : size;
        memcpy(modem->buffer + modem->held, bytes, taken);
        modem->held += taken;
    }
    modem->pushing = (unsigned char)(modem->pushing || size == 0);
    iothub_modemi_pump(modem);
    iothub_modemi_send(modem);
    if (modem->life != IOTHUB_MODEMI_OPEN) {
        return -1;
    }
    if (size == 0) {
        return modem->held == 0 && modem->job != IOTHUB_MODEMI_SEND;
    }
    return (int)taken;
}

/* The modem cannot be waited for. A command that has begun is finished later: half of it would spoil the next one, its answer would
   be taken for the next one's, and the bytes of a sending command for commands. */
static void iothub_modemi_close(void *context)
{
    IOTHUB_MODEM *modem = (IOTHUB_MODEM *)context;
    int begun = modem->phase != IOTHUB_MODEMI_WRITING || modem->at != modem->row + modem->may_fail;

    if (modem->host == NULL) {
        return;
    }
    modem->host = NULL;
    if (modem->life == IOTHUB_MODEMI_OPEN || (modem->life == IOTHUB_MODEMI_DEAD && modem->after == IOTHUB_MODEMI_HANGUP)) {
        modem->life = IOTHUB_MODEMI_HANGUP;
        modem->closing = 1;
    } else if (modem->life != IOTHUB_MODEMI_HANGUP && modem->life != IOTHUB_MODEMI_UP) {
        modem->life = IOTHUB_MODEMI_OFF;         /* there "AT" is repeated until it is understood */
        begun = modem->job == IOTHUB_MODEMI_SEND && modem->phase != IOTHUB_MODEMI_WRITING;
    }
    if (!begun) {
        modem->job = IOTHUB_MODEMI_NONE;
    }
    modem->held = modem->job == IOTHUB_MODEMI_SEND && modem->phase != IOTHUB_MODEMI_TAKEN ? modem->size : 0;
}

static int iothub_modemi_error(void *context, long *raw)
{
    IOTHUB_MODEM *modem = (IOTHUB_MODEM *)context;

    if (raw != NULL) {
        *raw = modem->raw;
    }
    return modem->layer;
}

/* ---- Public functions ---- */

int iothub_modem_init(IOTHUB_MODEM *modem, const IOTHUB_MODEM_SERIAL *serial, const char *dialect, const char *const *setup,
                      IOTHUB_PLATFORM *platform, unsigned char *buffer, unsigned int buffer_size)
{
    if (serial->read == NULL || serial->write == NULL || platform->milliseconds == NULL || buffer_size < IOTHUB_MODEM_BUFFER_MINIMUM) {
        return -1;
    }
    memset(modem, 0, sizeof *modem);
    modem->serial = *serial;
    modem->dialect = dialect;
    if (iothub_modemi_next_row(modem, NULL, 'o') == NULL || iothub_modemi_next_row(modem, NULL, 'w') == NULL) {
        return -1;
    }
    modem->setup = setup;
    modem->context = platform->context;
    modem->milliseconds = platform->milliseconds;
    modem->buffer = buffer;
    modem->buffer_size = buffer_size;
    modem->row = iothub_modemi_at;
    modem->in_ram = 1;
    modem->io.context = modem;
    modem->io.open = iothub_modemi_open;
    modem->io.read = iothub_modemi_read;
    modem->io.write = iothub_modemi_write;
    modem->io.close = iothub_modemi_close;
    modem->io.error = iothub_modemi_error;
    if (iothub_modemi_next_row(modem, NULL, 'S') != NULL) {
        platform->io = modem->io;
    }
    return 0;
}

const IOTHUB_IO *iothub_modem_stream(IOTHUB_MODEM *modem)
{
    return &modem->io;
}

int iothub_modem_work(IOTHUB_MODEM *modem)
{
    if (modem->host != NULL) {                   /* the stream is in use, and does its own work */
        return 0;
    }
    if (modem->life == IOTHUB_MODEMI_DEAD) {
        if (iothub_modemi_now(modem) - modem->since < IOTHUB_MODEMI_RETRY_MS) {
            return 0;
        }
        modem->life = IOTHUB_MODEMI_OFF;
    }
    iothub_modemi_go(modem, 0);
    return modem->life == IOTHUB_MODEMI_UP && modem->job == IOTHUB_MODEMI_NONE;
}

uint32_t iothub_modem_unix_time(IOTHUB_MODEM *modem)
{
    uint32_t now = iothub_modemi_now(modem), passed = (now - modem->clock_tick) / 1000u;

    if (modem->clock == 0) {
        return 0;
    }
    modem->clock += passed;                      /* so that the wrapping of milliseconds does not matter */
    modem->clock_tick += passed * 1000u;
    return modem->clock;
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
