/* nRF51 Series Reference Manual 3.0: UART (section 29), TIMER (18), RNG (21), TEMP (22), GPIO (14). And the start of everything. */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART 0x40002000u
#define TIMER 0x40008000u
#define TEMP 0x4000C000u
#define RNG 0x4000D000u
#define GPIO 0x50000000u

extern uint32_t data_source[], data_start[], data_end[], bss_end[], stack_top[];
int main(void);

static uint32_t milliseconds, counted_us;
static unsigned char transmitting;

static void copy_words(uint32_t *to, const uint32_t *from, const uint32_t *end)
{
    while (to != end) {
        *to++ = *from++;
    }
}

void board_reset(void)
{
    uint32_t *at;
    copy_words(data_start, data_source, data_end);
    for (at = data_end; at != bss_end; ++at) {
        *at = 0;
    }
    main();
}

/* A fault starts the bootloader's watch dog; here it stands still. */
void board_fault(void)
{
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void (*const vectors[4])(void) = {
    (void (*)(void))stack_top, board_reset, board_fault, board_fault
};

void board_begin(void)
{
    REGISTER(UART + 0x50C) = 24;                 /* TXD on pin 24, RXD on 25; RTS and CTS stay unconnected */
    REGISTER(UART + 0x514) = 25;
    REGISTER(UART + 0x524) = 0x01D7E000u;        /* 115,200 bits a second */
    REGISTER(UART + 0x500) = 4;                  /* enable, start both ways */
    REGISTER(UART + 0x000) = 1;
    REGISTER(UART + 0x008) = 1;
    REGISTER(TIMER + 0x508) = 3;                 /* 32 bits, of 1 MHz */
    REGISTER(TIMER + 0x510) = 4;
    REGISTER(TIMER + 0x000) = 1;
    REGISTER(RNG + 0x000) = 1;
    REGISTER(GPIO + 0x518) = 1u << 13 | 1u << 4; /* the first LED's row and column */
}

uint32_t board_milliseconds(void)
{
    uint32_t elapsed;
    REGISTER(TIMER + 0x040) = 1;                 /* capture */
    elapsed = (REGISTER(TIMER + 0x540) - counted_us) / 1000u;
    counted_us += elapsed * 1000u;
    return milliseconds += elapsed;
}

int board_random(void *context, unsigned char *bytes, unsigned int size)
{
    unsigned int tries;
    (void)context;
    for (tries = 0; size != 0 && tries < 100000u; ++tries) {
        if (REGISTER(RNG + 0x100) != 0) {        /* a new value is ready, after 0.7 ms */
            REGISTER(RNG + 0x100) = 0;
            bytes[--size] = (unsigned char)REGISTER(RNG + 0x508);
        }
    }
    return size == 0 ? 0 : -1;
}

int board_receive(void)
{
    if (REGISTER(UART + 0x108) == 0) {
        return -1;
    }
    REGISTER(UART + 0x108) = 0;
    return (int)(REGISTER(UART + 0x518) & 0xFFu);
}

int board_transmit(unsigned char byte)
{
    if (transmitting && REGISTER(UART + 0x11C) == 0) {
        return 0;
    }
    REGISTER(UART + 0x11C) = 0;
    REGISTER(UART + 0x51C) = byte;
    transmitting = 1;
    return 1;
}

unsigned int board_temperature(void)
{
    unsigned int tries = 1000;                   /* it takes 36 microseconds */
    REGISTER(TEMP + 0x000) = 1;
    while (REGISTER(TEMP + 0x100) == 0 && --tries != 0) {
    }
    REGISTER(TEMP + 0x100) = 0;
    return REGISTER(TEMP + 0x508) / 4u;
}

void board_led(int on)
{
    REGISTER(GPIO + 0x504) = (uint32_t)on << 13;
}
