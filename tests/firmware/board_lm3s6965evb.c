/* lm3s6965evb: Cortex-M3, 256 KB of flash, 64 KB of RAM; UART 0, timer 0 and the Ethernet controller of the LM3S6965. */
#include "board.h"
#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CLOCKS_1   REGISTER(0x400FE104u)         /* RCGC1: timer 0 is bit 16, UART 0 bit 0 */
#define CLOCKS_2   REGISTER(0x400FE108u)         /* RCGC2: Ethernet bits 28 (MAC) and 30 (PHY) */
#define UART(at)   REGISTER(0x4000C000u + (at))
#define TIMER(at)  REGISTER(0x40030000u + (at))
#define MAC(at)    REGISTER(0x40048000u + (at))
#define INTERRUPT_ENABLE ((volatile uint32_t *)0xE000E100u)

enum { TIMER_INTERRUPT = 19, ETHERNET_INTERRUPT = 42 };
enum { UART_DATA = 0x00, UART_FLAGS = 0x18, UART_LINE = 0x2C, UART_CONTROL = 0x30 };
enum { TIMER_CONFIG = 0x00, TIMER_MODE = 0x04, TIMER_CONTROL = 0x0C, TIMER_MASK = 0x18, TIMER_CLEAR = 0x24, TIMER_LOAD = 0x28 };
enum { MAC_ACK = 0x00, MAC_MASK = 0x04, MAC_RECEIVE = 0x08, MAC_SEND = 0x0C, MAC_DATA = 0x10, MAC_ADDRESS_0 = 0x14, MAC_ADDRESS_1 = 0x18,
    MAC_FRAMES = 0x34, MAC_START = 0x38 };

const BOARD board = { "lm3s6965evb", 12500, 0x0003F000u };

void board_begin(void)
{
    CLOCKS_1 |= 1ul << 16 | 1ul << 0;
    CLOCKS_2 |= 1ul << 30 | 1ul << 28;
    UART(UART_LINE) = 0x70;                      /* 8 bits, with FIFO */
    UART(UART_CONTROL) = 0x301;
    TIMER(TIMER_CONFIG) = 0;                     /* 32 bits */
    TIMER(TIMER_MODE) = 1;                       /* once */
    TIMER(TIMER_MASK) = 1;
    INTERRUPT_ENABLE[TIMER_INTERRUPT / 32] = 1ul << TIMER_INTERRUPT % 32;
}

void board_write(const char *text, unsigned int size)
{
    while (size-- > 0) {
        while (UART(UART_FLAGS) & 0x20) { }      /* the FIFO is full */
        UART(UART_DATA) = (unsigned char)*text++;
    }
}

void board_alarm(uint32_t milliseconds)
{
    TIMER(TIMER_CONTROL) = 0;
    TIMER(TIMER_CLEAR) = 1;
    TIMER(TIMER_LOAD) = (milliseconds == 0 ? 1 : milliseconds > 60000 ? 60000 : milliseconds) * board.cycles_per_ms;
    TIMER(TIMER_CONTROL) = 1;
}

int board_interrupt(unsigned int number)
{
    if (number == TIMER_INTERRUPT) TIMER(TIMER_CLEAR) = 1;
    else if (number == ETHERNET_INTERRUPT) MAC(MAC_MASK) = 0;
    else return 0;
    return 1;
}

/* ---- Ethernet: a FIFO of words each way. A frame begins with its length in two bytes, which take the place of lwIP's padding:
   what is sent counts the bytes behind the Ethernet header, what is received counts everything, checksum and itself too. ---- */

static signed char send_frame(struct netif *netif, struct pbuf *frame)
{
    unsigned int length = frame->tot_len - ETH_PAD_SIZE - 14u, filled = 0, i;
    const struct pbuf *part;
    uint32_t word = 0;
    (void)netif;
    while (MAC(MAC_START) & 1) { }               /* the frame before */
    ((unsigned char *)frame->payload)[0] = (unsigned char)length;
    ((unsigned char *)frame->payload)[1] = (unsigned char)(length >> 8);
    for (part = frame; part != NULL; part = part->next) {
        for (i = 0; i < part->len; i++) {
            word |= (uint32_t)((const unsigned char *)part->payload)[i] << 8 * filled;
            if (++filled == 4) {
                MAC(MAC_DATA) = word;
                word = 0;
                filled = 0;
            }
        }
    }
    if (filled != 0) MAC(MAC_DATA) = word;
    MAC(MAC_START) = 1;
    return ERR_OK;
}

/* Without room the frame is read and dropped; TCP brings it again. */
static struct pbuf *receive_frame(void)
{
    uint32_t word = MAC(MAC_DATA);
    unsigned int size = word & 0xFFFF, at = 0, used = 0;
    struct pbuf *frame = size > 20 && size <= 1524 ? pbuf_alloc(PBUF_RAW, (u16_t)(size - 4), PBUF_POOL) : NULL;
    struct pbuf *part = frame;
    for (;;) {
        if (part != NULL && used == part->len) {
            part = part->next;
            used = 0;
        }
        if (part != NULL) {
            unsigned int count = part->len - used < 4 ? part->len - used : 4;
            memcpy((unsigned char *)part->payload + used, &word, count);   /* parts are whole words, the last one excepted */
            used += count;
        }
        at += 4;
        if (at >= size) return frame;
        word = MAC(MAC_DATA);
    }
}

void board_ethernet_input(struct netif *netif)
{
    MAC(MAC_ACK) = 1;                            /* first, so that a frame that comes now interrupts later */
    while (MAC(MAC_FRAMES) & 0x3F) {
        struct pbuf *frame = receive_frame();
        if (frame != NULL && netif->input(frame, netif) != ERR_OK) pbuf_free(frame);
    }
    MAC(MAC_MASK) = 1;
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
    MAC(MAC_ADDRESS_0) = (uint32_t)address[3] << 24 | (uint32_t)address[2] << 16 | (uint32_t)address[1] << 8 | address[0];
    MAC(MAC_ADDRESS_1) = (uint32_t)address[5] << 8 | address[4];
    MAC(MAC_SEND) = 7;                           /* on, padding, checksum */
    MAC(MAC_RECEIVE) = 1;
    MAC(MAC_MASK) = 1;
    INTERRUPT_ENABLE[ETHERNET_INTERRUPT / 32] = 1ul << ETHERNET_INTERRUPT % 32;
    return ERR_OK;
}
