/* lwIP as the tests build it: no operating system, IPv4 and IPv6, windows as small as a small device has them. Its timers are
   called by wire.c in virtual time. Its memory comes from wire.c piece by piece, so that AddressSanitizer sees each use after
   the end, a test can let any allocation fail, and what is left at the end is counted. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#ifndef NO_SYS                                   /* run.sh compiles the port with other settings, too */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#endif
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_TIMERS 0

#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define mem_clib_malloc wire_malloc
#define mem_clib_calloc wire_calloc
#define mem_clib_free wire_free

#ifndef LWIP_IPV4
#define LWIP_IPV4 1
#endif
#ifndef LWIP_IPV6
#define LWIP_IPV6 1
#endif
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define IP_FRAG 0                                /* a resolver's answer passes whatever the MTU is */
#define IP_REASSEMBLY 0
#define LWIP_ARP 0
#define LWIP_DHCP 0
#ifndef LWIP_DNS
#define LWIP_DNS 1
#endif
#define LWIP_STATS 0

#define TCP_MSS 536
#define TCP_WND (4 * TCP_MSS)
#define TCP_SND_BUF (2 * TCP_MSS)
#define PBUF_POOL_BUFSIZE 192                    /* a full segment is a chain */
#define LWIP_TCP_KEEPALIVE 1

#define LWIP_RAND() wire_random()
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) wire_random()
#define LWIP_HOOK_IP4_ROUTE_SRC(source, destination) wire_route4(destination)
#define LWIP_HOOK_IP6_ROUTE(source, destination) wire_route6(destination)
#define LWIP_HOOK_FILENAME "wire_hooks.h"

#endif
