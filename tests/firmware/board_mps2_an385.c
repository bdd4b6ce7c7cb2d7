/* mps2-an385: Cortex-M3 in an FPGA, 4 MB of each memory; UART 0 and timer 0 of Arm's CMSDK, and a LAN9118. */
#include "board.h"
#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define TIMER(at)  REGISTER(0x40000000u + (at))
#define UART(at)   REGISTER(0x40004000u + (at))
#define LAN(at)    REGISTER(0x40200000u + (at))
#define INTERRUPT_ENABLE ((volatile uint32_t *)0xE000E100u)

enum { TIMER_INTERRUPT = 8, ETHERNET_INTERRUPT = 13 };
enum { UART_DATA = 0x00, UART_STATE = 0x04, UART_CONTROL = 0x08, UART_DIVIDER = 0x10 };
enum { TIMER_CONTROL = 0x00, TIMER_VALUE = 0x04, TIMER_RELOAD = 0x08, TIMER_CLEAR = 0x0C };
enum { LAN_RX_DATA = 0x00, LAN_TX_DATA = 0x20, LAN_RX_STATUS = 0x40, LAN_TX_STATUS = 0x48, LAN_IRQ_CONFIG = 0x54, LAN_INT_STATUS = 0x58,
    LAN_INT_ENABLE = 0x5C, LAN_FIFO_INT = 0x68, LAN_RX_CONFIG = 0x6C, LAN_TX_CONFIG = 0x70, LAN_HARDWARE = 0x74, LAN_RX_LEVEL = 0x7C,
    LAN_TX_LEVEL = 0x80, LAN_MAC_COMMAND = 0xA4, LAN_MAC_DATA = 0xA8 };
enum { MAC_CONTROL = 1, MAC_ADDRESS_HIGH = 2, MAC_ADDRESS_LOW = 3 };

#define FRAME_WAITS (1ul << 3)                   /* interrupt: the status FIFO of what was received is not empty */

const BOARD board = { "mps2-an385", 25000, 0x003FF000u };

void board_begin(void)
{
    UART(UART_DIVIDER) = 16;
    UART(UART_CONTROL) = 1;
    INTERRUPT_ENABLE[0] = 1ul << TIMER_INTERRUPT;
}

void board_write(const char *text, unsigned int size)
{
    while (size-- > 0) {
        while (UART(UART_STATE) & 1) { }         /* it sends the one before */
        UART(UART_DATA) = (unsigned char)*text++;
    }
}

void board_alarm(uint32_t milliseconds)
{
    uint32_t cycles = (milliseconds == 0 ? 1 : milliseconds > 60000 ? 60000 : milliseconds) * board.cycles_per_ms;
    TIMER(TIMER_CONTROL) = 0;
    TIMER(TIMER_CLEAR) = 1;
    TIMER(TIMER_RELOAD) = cycles;
    TIMER(TIMER_VALUE) = cycles;
    TIMER(TIMER_CONTROL) = 9;                    /* on, with interrupt */
}

int board_interrupt(unsigned int number)
{
    if (number == TIMER_INTERRUPT) {
        TIMER(TIMER_CONTROL) = 0;
        TIMER(TIMER_CLEAR) = 1;
    } else if (number == ETHERNET_INTERRUPT) {
        LAN(LAN_INT_ENABLE) = 0;
    } else {
        return 0;
    }
    return 1;
}

/* ---- Ethernet: a FIFO of words each way; the controller skips lwIP's padding in what is sent, and makes it in what is received ---- */

static void write_mac(unsigned int number, uint32_t value)
{
    while (LAN(LAN_MAC_COMMAND) >> 31) { }
    LAN(LAN_MAC_DATA) = value;
    LAN(LAN_MAC_COMMAND) = 1ul << 31 | number;
    while (LAN(LAN_MAC_COMMAND) >> 31) { }
}

static signed char send_frame(struct netif *netif, struct pbuf *frame)
{
    unsigned int size = frame->tot_len - ETH_PAD_SIZE, filled = 0, i;
    const struct pbuf *part;
    uint32_t word = 0;
    (void)netif;
    LAN(LAN_TX_DATA) = (uint32_t)ETH_PAD_SIZE << 16 | 1ul << 13 | 1ul << 12 | size;    /* first and last part of a frame */
    LAN(LAN_TX_DATA) = (uint32_t)size << 16 | size;
    for (part = frame; part != NULL; part = part->next) {
        for (i = 0; i < part->len; i++) {
            word |= (uint32_t)((const unsigned char *)part->payload)[i] << 8 * filled;
            if (++filled == 4) {
                LAN(LAN_TX_DATA) = word;
                word = 0;
                filled = 0;
            }
        }
    }
    if (filled != 0) LAN(LAN_TX_DATA) = word;
    while (LAN(LAN_TX_LEVEL) >> 16 & 0xFF) (void)LAN(LAN_TX_STATUS);
    return ERR_OK;
}

/* Without room the frame is read and dropped; TCP brings it again. */
static struct pbuf *receive_frame(void)
{
    uint32_t status = LAN(LAN_RX_STATUS);
    unsigned int size = (status >> 16 & 0x3FFF) + ETH_PAD_SIZE, at, used = 0;          /* with a checksum of 4 bytes */
    int good = !(status & 1ul << 15) && size > 20 && size <= 1524;
    struct pbuf *frame = good ? pbuf_alloc(PBUF_RAW, (u16_t)(size - 4), PBUF_POOL) : NULL;
    struct pbuf *part = frame;
    for (at = 0; at < size; at += 4) {
        uint32_t word = LAN(LAN_RX_DATA);
        if (part != NULL && used == part->len) {
            part = part->next;
            used = 0;
        }
        if (part != NULL) {
            unsigned int count = part->len - used < 4 ? part->len - used : 4;
            memcpy((unsigned char *)part->payload + used, &word, count);   /* parts are whole words, the last one excepted */
            used += count;
        }
    }
    return frame;
}

void board_ethernet_input(struct netif *netif)
{
    LAN(LAN_INT_STATUS) = FRAME_WAITS;           /* first, so that a frame that comes now interrupts later */
    while (LAN(LAN_RX_LEVEL) >> 16 & 0xFF) {
        struct pbuf *frame = receive_frame();
        if (frame != NULL && netif->input(frame, netif) != ERR_OK) pbuf_free(frame);
    }
    LAN(LAN_INT_ENABLE) = FRAME_WAITS;
}

signed char board_ethernet_begin(struct netif *netif)
{
    static const unsigned char address[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };    /* QEMU's first */
    memcpy(netif->hwaddr, address, sizeof address);
    netif->hwaddr_len = sizeof address;
    netif->mtu = 1500;
    netif->name[0] = 'e';
    netif->name[1] = '0';
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    LAN(LAN_HARDWARE) = 1;                       /* reset */
    while (LAN(LAN_HARDWARE) & 1) { }
    LAN(LAN_HARDWARE) = 0x00050000;              /* 5 KB of the FIFO for sending, the rest for receiving */
    LAN(LAN_INT_STATUS) = 0xFFFFFFFFu;
    LAN(LAN_FIFO_INT) = 0;
    LAN(LAN_IRQ_CONFIG) = 0x111;                 /* on, push-pull, active high */
    LAN(LAN_RX_CONFIG) = (uint32_t)ETH_PAD_SIZE << 8;
    LAN(LAN_TX_CONFIG) = 2;
    write_mac(MAC_ADDRESS_LOW, (uint32_t)address[3] << 24 | (uint32_t)address[2] << 16 | (uint32_t)address[1] << 8 | address[0]);
    write_mac(MAC_ADDRESS_HIGH, (uint32_t)address[5] << 8 | address[4]);
    write_mac(MAC_CONTROL, 1ul << 3 | 1ul << 2); /* sends, receives */
    LAN(LAN_INT_ENABLE) = FRAME_WAITS;
    INTERRUPT_ENABLE[0] = 1ul << ETHERNET_INTERRUPT;     /* not before: after a reset the line is active low */
    return ERR_OK;
}
