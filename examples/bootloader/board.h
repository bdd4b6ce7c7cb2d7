/* What the example wants of a board: nRF51 (Cortex-M0, 16 MHz), as on the micro:bit and in qemu. Everything is polled. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

void board_begin(void);
uint32_t board_milliseconds(void);               /* call it at least once an hour */
int board_random(void *context, unsigned char *bytes, unsigned int size);   /* as IOTHUB_PLATFORM wants it */
int board_receive(void);                         /* a byte of the modem's, or -1 */
int board_transmit(unsigned char byte);          /* 1 taken, 0 none now */
unsigned int board_temperature(void);                     /* degrees Celsius */
void board_led(int on);

#endif
