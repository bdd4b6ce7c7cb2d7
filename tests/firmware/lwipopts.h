/* lwIP without an operating system and without a heap: whatever it takes comes from pools whose number and size stand here and
   in lwippools.h. Every default that is not named here is that of lwIP's opt.h. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0                   /* lwIP is never called in an interrupt */
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0

#define MEM_ALIGNMENT 4
#define MEM_LIBC_MALLOC 0
#define MEMP_MEM_MALLOC 0
#define MEM_USE_POOLS 1                          /* its heap is pools of fixed sizes, too */
#define MEMP_USE_CUSTOM_POOLS 1                  /* those of lwippools.h */
#define MEM_USE_POOLS_TRY_BIGGER_POOL 1

#define LWIP_DHCP 1
#define LWIP_DNS 1
#define DNS_TABLE_SIZE 2
#define DNS_MAX_NAME_LENGTH 128
#define LWIP_RAW 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define ARP_TABLE_SIZE 4
#define MEMP_NUM_UDP_PCB 4                       /* DHCP, and a question of DNS with a port of its own */
#define MEMP_NUM_TCP_PCB 3                       /* one in use, others that are not forgotten yet */
#define MEMP_NUM_TCP_PCB_LISTEN 1

/* A frame of 1,514 bytes takes three of these buffers. The window is four such frames; the buffers that are left take the frames
   that are not TCP's. */
#define ETH_PAD_SIZE 2
#define PBUF_POOL_SIZE 16
#define PBUF_POOL_BUFSIZE 512
#define TCP_MSS 1460
#define TCP_WND (4 * TCP_MSS)
#define TCP_OOSEQ_MAX_PBUFS 4
/* What is sent: TLS records of at most 597 bytes, each copied once. */
#define TCP_SND_BUF (2 * TCP_MSS)
#define TCP_SND_QUEUELEN 8
#define TCP_OVERSIZE 0
#define MEMP_NUM_TCP_SEG 8
#define MEMP_NUM_PBUF 4

#define LWIP_NETIF_HOSTNAME 1
#define LWIP_STATS 1                             /* the most that was taken of each pool */
#define LWIP_STATS_DISPLAY 1                     /* with the pools' names */
#define LINK_STATS 0
#define ETHARP_STATS 0
#define IP_STATS 0
#define ICMP_STATS 0
#define UDP_STATS 0
#define TCP_STATS 0
#define MEM_STATS 0
#define SYS_STATS 0
#define MEMP_STATS 1

#endif
