#include "modem.h"
#include "board.h"

#define GUARD_MS 1100u                           /* of silence before and after +++ */
#define ANSWER_MS 60000u

enum { AWAY, ESCAPED, ASKED, THERE, DIALLED, OPEN };   /* THERE: in command mode */

/* Begins a step, and the command that belongs to it. */
static void enter(MODEM *modem, unsigned char step, const char *command)
{
    modem->step = step;
    modem->since = board_milliseconds();
    modem->part[0] = command;
    modem->part[1] = modem->part[2] = modem->part[3] = "";
    modem->next = modem->size = 0;
}

static int begins(const char *line, const char *word)
{
    while (*word != '\0' && *line == *word) {
        ++line;
        ++word;
    }
    return *word == '\0';
}

static unsigned int two_digits(const char *text)
{
    return (unsigned int)(text[0] - '0') * 10u + (unsigned int)(text[1] - '0');
}

/* yy/MM/dd,hh:mm:ss+zz - the local time, and its quarters of an hour before UTC. */
static uint32_t unix_time_of(const char *text)
{
    unsigned int month = two_digits(text + 3), early = month < 3, years = two_digits(text) + 4u - early;
    uint32_t days = years * 365u + years / 4u + ((month + 9u) % 12u * 153u + 2u) / 5u + two_digits(text + 6) + 9555u; /* March comes first */
    uint32_t time = ((days * 24u + two_digits(text + 9)) * 60u + two_digits(text + 12)) * 60u + two_digits(text + 15);
    uint32_t east = two_digits(text + 18) * 900u;
    return text[17] == '-' ? time + east : time - east;
}

/* Sends what is left of the command, reads lines. 1: it is done, -1: refused or not answered, 0: not yet. */
static int converse(MODEM *modem)
{
    int c;
    while (modem->next < 4 && (*modem->part[modem->next] == '\0' || board_transmit((unsigned char)*modem->part[modem->next]))) {
        if (*modem->part[modem->next] == '\0') {
            ++modem->next;
        } else {
            ++modem->part[modem->next];
        }
    }
    while ((c = board_receive()) >= 0) {
        if (c != '\n') {
            modem->line[modem->size] = (char)c;
            modem->size = (unsigned char)(modem->size + (modem->size < sizeof modem->line - 1u));
            continue;
        }
        modem->size = 0;
        if (begins(modem->line, modem->step == DIALLED ? "CONNECT" : "OK")) {
            return 1;
        }
        if (begins(modem->line, "ERROR") || begins(modem->line, "NO CARRIER") || begins(modem->line, "+CME ERROR")) {
            return -1;
        }
        if (begins(modem->line, "+CCLK: \"")) {
            modem->time = unix_time_of(modem->line + 8);
            modem->time_tick = board_milliseconds();
        }
    }
    return board_milliseconds() - modem->since > ANSWER_MS ? -1 : 0;
}

/* To command mode, from wherever the modem was left, and the time. True: there. */
static int come(MODEM *modem)
{
    if (modem->step == AWAY && board_milliseconds() - modem->since > GUARD_MS) {
        enter(modem, ESCAPED, "+++");
    }
    if (modem->step == ESCAPED) {
        converse(modem);
        if (board_milliseconds() - modem->since > GUARD_MS) {
            enter(modem, ASKED, "\rAT#SSLH=1;+CCLK?\r");
        }
    } else if (modem->step == ASKED) {
        int result = converse(modem);
        if (result != 0) {
            enter(modem, modem->time != 0 ? THERE : AWAY, "");
        }
    }
    return modem->step >= THERE;
}

int modem_open(void *context, const char *host, unsigned int port)
{
    MODEM *modem = (MODEM *)context;
    int result = 0;
    (void)port;                                  /* MQTT's */
    if (!come(modem)) {
        return 0;
    }
    if (modem->step == THERE) {
        enter(modem, DIALLED, "AT#SSLD=1,8883,\"");
        modem->part[1] = host;
        modem->part[2] = "\",0,0\r";
    }
    result = converse(modem);
    if (result > 0) {
        modem->step = OPEN;
    }
    return result;
}

int modem_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    unsigned int size = 0;
    int c;
    (void)context;
    while (size < capacity && (c = board_receive()) >= 0) {
        bytes[size++] = (unsigned char)c;
    }
    return (int)size;
}

int modem_write(void *context, const unsigned char *bytes, unsigned int size)
{
    unsigned int sent = 0;
    (void)context;
    if (size == 0) {
        return 1;                                /* nothing is held back */
    }
    while (sent < size && board_transmit(bytes[sent])) {
        ++sent;
    }
    return (int)sent;
}

void modem_close(void *context)
{
    enter((MODEM *)context, AWAY, "");
}

uint32_t modem_milliseconds(void *context)
{
    (void)context;
    return board_milliseconds();
}

uint32_t modem_unix_time(void *context)
{
    MODEM *modem = (MODEM *)context;
    if (modem->time == 0) {
        come(modem);
        return 0;
    }
    return modem->time + (board_milliseconds() - modem->time_tick) / 1000u;
}
