/* What a board gives the firmware: one file board_NAME.c each, and cortex_m.c for what every Cortex-M has. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

struct netif;

/* ---- board_NAME.c ------------------------------------------------------------------------------------------------ */

typedef struct BOARD_TAG {
    const char *name;
    uint32_t cycles_per_ms;                      /* of the processor's clock, a multiple of 500 */
    uint32_t settings;                           /* address of the last 4 KB of flash, see settings.h */
} BOARD;

extern const BOARD board;

void board_begin(void);                          /* once, before main */
void board_write(const char *text, unsigned int size);  /* to the UART, waits */
void board_alarm(uint32_t milliseconds);         /* one interrupt after so many, instead of the one asked for before */
int board_interrupt(unsigned int number);        /* silences its source; 0: it is none of ours */

/* The Ethernet controller, as lwIP wants it. Frames begin with two bytes of padding (ETH_PAD_SIZE), so that what follows the
   Ethernet header is aligned. */
signed char board_ethernet_begin(struct netif *netif);
void board_ethernet_input(struct netif *netif);  /* hands over all frames that wait; the next one interrupts */

/* ---- cortex_m.c -------------------------------------------------------------------------------------------------- */

uint32_t machine_ms(void);                       /* since the start; wraps */
uint32_t machine_us(void);
void machine_sleep(uint32_t milliseconds);       /* until then, or until a frame came */
uint32_t machine_slept_ms(void);                 /* of machine_ms */
uint32_t machine_sleeps(void);
unsigned int machine_stack_used(void);           /* the most so far, by its paint */
unsigned int machine_stack_size(void);

/* These three are the debugger's (semihosting), because the emulated boards have no such parts. */
uint32_t machine_date(void);                     /* seconds since 1970 */
int machine_random(unsigned char *bytes, unsigned int size);    /* 0 filled, <0 failed */
void machine_exit(int code);

#endif
