/* iothub_lwip.h - IOTHUB_PLATFORM for lwIP's raw API: a plain TCP stream with name lookup, milliseconds. No TLS: put a filter on top.

   DO THIS in exactly one C or C++ file (the same one that holds the implementation of iothub_client.h is fine):

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/lwip/iothub_lwip.h"

   and in the program, with BearSSL on top:

       static IOTHUB_LWIP lwip;  static IOTHUB_BEARSSL tls;  static IOTHUB_PLATFORM platform;
       iothub_lwip_platform(&lwip, &platform);
       platform.unix_time = ...;  platform.random = ...;            (lwIP has neither; set them before the next line)
       iothub_bearssl_init(&tls, iothub_lwip_tcp(&lwip), &platform, buffer, sizeof buffer);

   CONTEXT. With NO_SYS=1 call DoWork where you call sys_check_timeouts and the input of your netif: never from an interrupt,
   never from a callback of lwIP. With an operating system every call here takes the core lock (LWIP_TCPIP_CORE_LOCKING); a
   program that calls DoWork in the tcpip thread itself defines IOTHUB_LWIP_LOCK() and IOTHUB_LWIP_UNLOCK() as nothing.

   WINDOW. What arrives stays in lwIP's pbufs until it is read, and only what was read opens the window again: a client that
   does not read stops its peer. Nothing is copied but from the pbuf into the reader's buffer, and from the writer's into lwIP's.

   SETTINGS, defined before the implementation is included:
       IOTHUB_LWIP_CONNECT_MILLISECONDS   8000    then, with IPv4 and IPv6, an address of the other kind is tried
       IOTHUB_LWIP_LINGER_SECONDS         20      a closed connection without progress is given up, up to 120
       IOTHUB_LWIP_LOCK(), IOTHUB_LWIP_UNLOCK()   the core lock; nothing with NO_SYS=1 */

#ifndef IOTHUB_LWIP_H
#define IOTHUB_LWIP_H

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#include "lwip/ip_addr.h"
#include "lwip/pbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tcp_pcb;

typedef struct IOTHUB_LWIP_TAG {                 /* place it anywhere; the fields are the port's own */
    IOTHUB_IO tcp;                               /* what iothub_lwip_tcp answers */
    struct tcp_pcb *pcb;
    struct pbuf *received;                       /* and not read yet */
    struct IOTHUB_LWIP_TAG *next;                /* of those that wait for a name */
    const char *host;
    ip_addr_t address;
    unsigned char state;
    unsigned char ended;                         /* the peer sent its end, or the connection is gone: received is the rest */
    unsigned char last;                          /* there is no address of another kind to try */
    int keepalive, keepalive_time, keepalive_interval;     /* -1: as lwipopts.h has it */
    uint32_t connect_since;
    int layer;                                   /* of the last failure */
    long raw;
} IOTHUB_LWIP;

/* Fills the milliseconds of *platform and empties the rest of it; the date, entropy and HMAC are for others to fill. A
   client over a platform without a stream is refused, so that nobody sends a token in clear text by forgetting TLS. Call
   it once, before all else; platform may be NULL, for a second stream. */
void iothub_lwip_platform(IOTHUB_LWIP *lwip, IOTHUB_PLATFORM *platform);

/* The plain TCP stream, for a TLS filter to stand on. It lives as long as *lwip does. */
const IOTHUB_IO *iothub_lwip_tcp(IOTHUB_LWIP *lwip);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_LWIP_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_LWIP_IMPLEMENTED)
#define IOTHUB_LWIP_IMPLEMENTED

#include "lwip/def.h"
#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"                  /* struct tcp_seg */
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/tcpip.h"
#include <string.h>

#if !LWIP_TCP || LWIP_VERSION_MAJOR < 2 || (LWIP_VERSION_MAJOR == 2 && LWIP_VERSION_MINOR < 1)
#error "iothub_lwip.h needs lwIP 2.1 or later, with LWIP_TCP"
#endif

#ifndef IOTHUB_LWIP_LOCK
#if NO_SYS
#define IOTHUB_LWIP_LOCK()
#define IOTHUB_LWIP_UNLOCK()
#elif LWIP_TCPIP_CORE_LOCKING
#define IOTHUB_LWIP_LOCK() LOCK_TCPIP_CORE()
#define IOTHUB_LWIP_UNLOCK() UNLOCK_TCPIP_CORE()
#else
#error "iothub_lwip.h: set LWIP_TCPIP_CORE_LOCKING, or define IOTHUB_LWIP_LOCK() and IOTHUB_LWIP_UNLOCK()"
#endif
#endif

#ifndef IOTHUB_LWIP_CONNECT_MILLISECONDS
#define IOTHUB_LWIP_CONNECT_MILLISECONDS 8000
#endif
#ifndef IOTHUB_LWIP_LINGER_SECONDS
#define IOTHUB_LWIP_LINGER_SECONDS 20
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
    IOTHUB_LWIPI_CLOSED,
    IOTHUB_LWIPI_LOOKUP,                         /* in the list below */
    IOTHUB_LWIPI_FOUND,                          /* the address is known */
    IOTHUB_LWIPI_CONNECT,                        /* pcb NULL: it failed */
    IOTHUB_LWIPI_OPEN,
    IOTHUB_LWIPI_DEAD                            /* until close */
};

static int iothub_lwipi_fail(IOTHUB_LWIP *lwip, int layer, long raw)
{
    lwip->state = IOTHUB_LWIPI_DEAD;
    lwip->layer = layer;
    lwip->raw = raw;
    return -1;
}

/* ---- Name lookup ----
   lwIP cannot take a question back, and its answer may come long after close. So it is asked on nobody's behalf: an answer
   goes to the streams in this list that wait for that name, and when there is none, to nobody. */

#if LWIP_DNS
static IOTHUB_LWIP *iothub_lwipi_waiting;

static void iothub_lwipi_stop_waiting(IOTHUB_LWIP *lwip)
{
    IOTHUB_LWIP **link = &iothub_lwipi_waiting;

    while (*link != NULL && *link != lwip) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = lwip->next;
    }
}

/* With an address of the other kind to fall back on, the failure that counts is that of the connection before. */
static void iothub_lwipi_answered(IOTHUB_LWIP *lwip, const ip_addr_t *address, err_t code)
{
    iothub_lwipi_stop_waiting(lwip);
    if (address != NULL) {
        lwip->address = *address;
        lwip->state = IOTHUB_LWIPI_FOUND;
    } else if (lwip->layer == IOTHUB_LAYER_TCP) {
        lwip->state = IOTHUB_LWIPI_DEAD;
    } else {
        (void)iothub_lwipi_fail(lwip, IOTHUB_LAYER_DNS, code);
    }
}

static void iothub_lwipi_on_found(const char *name, const ip_addr_t *address, void *nobody)
{
    IOTHUB_LWIP *lwip = iothub_lwipi_waiting, *next;

    (void)nobody;
    for (; lwip != NULL; lwip = next) {
        next = lwip->next;
        if (lwip_stricmp(name, lwip->host) == 0) {
            iothub_lwipi_answered(lwip, address, ERR_VAL);
        }
    }
}

static void iothub_lwipi_ask(IOTHUB_LWIP *lwip, u8_t kind)
{
    ip_addr_t address;
    err_t code;

    lwip->state = IOTHUB_LWIPI_LOOKUP;           /* before the question: the answer may come in the middle of it */
    lwip->next = iothub_lwipi_waiting;
    iothub_lwipi_waiting = lwip;
    code = dns_gethostbyname_addrtype(lwip->host, &address, iothub_lwipi_on_found, NULL, kind);
    if (code != ERR_INPROGRESS) {
        iothub_lwipi_answered(lwip, code == ERR_OK ? &address : NULL, code);
    }
}
#endif

static void iothub_lwipi_find(IOTHUB_LWIP *lwip, const char *host)
{
    lwip->layer = IOTHUB_LAYER_NONE;
    lwip->raw = 0;
    lwip->host = host;
    lwip->ended = 0;
    lwip->last = !(LWIP_IPV4 && LWIP_IPV6 && LWIP_DNS);
    if (ipaddr_aton(host, &lwip->address)) {
        lwip->last = 1;
        lwip->state = IOTHUB_LWIPI_FOUND;
        return;
    }
#if LWIP_DNS
    iothub_lwipi_ask(lwip, LWIP_DNS_ADDRTYPE_DEFAULT);
#else
    (void)iothub_lwipi_fail(lwip, IOTHUB_LAYER_DNS, ERR_VAL);
#endif
}

/* ---- What lwIP calls ---- */

static err_t iothub_lwipi_on_connected(void *context, struct tcp_pcb *pcb, err_t code)
{
    (void)pcb;
    (void)code;                                  /* always ERR_OK */
    ((IOTHUB_LWIP *)context)->state = IOTHUB_LWIPI_OPEN;
    return ERR_OK;
}

/* The pcb is gone already. What arrived before can still be read. */
static void iothub_lwipi_on_error(void *context, err_t code)
{
    IOTHUB_LWIP *lwip = (IOTHUB_LWIP *)context;

    lwip->pcb = NULL;
    lwip->ended = 1;
    lwip->layer = IOTHUB_LAYER_TCP;
    lwip->raw = code;
}

static err_t iothub_lwipi_on_received(void *context, struct tcp_pcb *pcb, struct pbuf *bytes, err_t code)
{
    IOTHUB_LWIP *lwip = (IOTHUB_LWIP *)context;

    (void)pcb;
    (void)code;                                  /* always ERR_OK */
    if (bytes == NULL) {
        lwip->ended = 1;
        lwip->layer = IOTHUB_LAYER_TCP;
        lwip->raw = 0;                           /* the peer closed in order */
    } else if (lwip->received == NULL) {
        lwip->received = bytes;
    } else if (bytes->tot_len > 0xFFFFu - lwip->received->tot_len) {
        return ERR_MEM;                          /* a chain counts to 65,535; lwIP keeps these bytes and offers them again */
    } else {
        pbuf_cat(lwip->received, bytes);
    }
    return ERR_OK;
}

/* ---- The connection ---- */

static void iothub_lwipi_keepalive(const IOTHUB_LWIP *lwip)
{
    if (lwip->pcb == NULL) {
        return;
    }
    if (lwip->keepalive > 0) {
        ip_set_option(lwip->pcb, SOF_KEEPALIVE);
    } else if (lwip->keepalive == 0) {
        ip_reset_option(lwip->pcb, SOF_KEEPALIVE);
    }
    if (lwip->keepalive_time > 0) {
        lwip->pcb->keep_idle = (u32_t)lwip->keepalive_time * 1000u;
    }
#if LWIP_TCP_KEEPALIVE
    if (lwip->keepalive_interval > 0) {
        lwip->pcb->keep_intvl = (u32_t)lwip->keepalive_interval * 1000u;
    }
#endif
}

static void iothub_lwipi_connect(IOTHUB_LWIP *lwip, unsigned int port)
{
    err_t code = ERR_MEM;

    lwip->state = IOTHUB_LWIPI_CONNECT;
    lwip->connect_since = sys_now();
    lwip->pcb = tcp_new_ip_type(IP_GET_TYPE(&lwip->address));
    if (lwip->pcb != NULL) {
        tcp_arg(lwip->pcb, lwip);
        tcp_err(lwip->pcb, iothub_lwipi_on_error);
        tcp_recv(lwip->pcb, iothub_lwipi_on_received);
        tcp_nagle_disable(lwip->pcb);            /* the client pushes whole flights */
        iothub_lwipi_keepalive(lwip);
        code = tcp_connect(lwip->pcb, &lwip->address, (u16_t)port, iothub_lwipi_on_connected);
        if (code != ERR_OK) {
            tcp_err(lwip->pcb, NULL);
            tcp_abort(lwip->pcb);
        }
    }
    if (code != ERR_OK) {
        iothub_lwipi_on_error(lwip, code);
    }
}

/* A closed connection that makes no progress is given up: a lost peer would keep its segments for an hour. */
static err_t iothub_lwipi_on_lingering(void *nobody, struct tcp_pcb *pcb)
{
    (void)nobody;
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* What was written still goes out, and the end behind it, while lwIP keeps the pcb; it is the first that lwIP takes back
   when it needs one. Unread bytes count as read, or else tcp_close sends a reset, which may overtake what was written. A
   peer that does not answer gets the reset at once: the next connection wants the memory. */
static void iothub_lwipi_drop(IOTHUB_LWIP *lwip)
{
    struct tcp_pcb *pcb = lwip->pcb;

    if (pcb != NULL) {
        lwip->pcb = NULL;
        tcp_arg(pcb, NULL);
        tcp_recv(pcb, NULL);
        tcp_err(pcb, NULL);
        tcp_poll(pcb, iothub_lwipi_on_lingering, IOTHUB_LWIP_LINGER_SECONDS * 1000 / TCP_SLOW_INTERVAL);
        if (lwip->received != NULL) {
            tcp_recved(pcb, lwip->received->tot_len);
        }
        tcp_setprio(pcb, TCP_PRIO_MIN);
        if (pcb->nrtx > 2 || tcp_close(pcb) != ERR_OK) {
            tcp_abort(pcb);
        }
    }
    if (lwip->received != NULL) {
        (void)pbuf_free(lwip->received);
        lwip->received = NULL;
    }
}

/* A connection failed, or takes long: its address has the wrong kind, perhaps. */
static void iothub_lwipi_other_kind(IOTHUB_LWIP *lwip)
{
    if (lwip->pcb != NULL) {
        iothub_lwipi_drop(lwip);
        iothub_lwipi_on_error(lwip, ERR_TIMEOUT);
    }
    lwip->ended = 0;
#if LWIP_IPV4 && LWIP_IPV6 && LWIP_DNS
    if (!lwip->last) {
        lwip->last = 1;
        iothub_lwipi_ask(lwip, IP_IS_V6(&lwip->address) ? LWIP_DNS_ADDRTYPE_IPV4 : LWIP_DNS_ADDRTYPE_IPV6);
        return;
    }
#endif
    lwip->state = IOTHUB_LWIPI_DEAD;
}

static int iothub_lwipi_open_locked(IOTHUB_LWIP *lwip, const char *host, unsigned int port)
{
    if (lwip->state == IOTHUB_LWIPI_CLOSED) {
        iothub_lwipi_find(lwip, host);
    }
    if (lwip->state == IOTHUB_LWIPI_FOUND) {
        iothub_lwipi_connect(lwip, port);
    }
    if (lwip->state == IOTHUB_LWIPI_CONNECT &&
        (lwip->pcb == NULL ||
         (!lwip->last && sys_now() - lwip->connect_since >= (uint32_t)IOTHUB_LWIP_CONNECT_MILLISECONDS))) {
        iothub_lwipi_other_kind(lwip);
    }
    if (lwip->state == IOTHUB_LWIPI_OPEN) {
        return 1;
    }
    return lwip->state == IOTHUB_LWIPI_DEAD ? -1 : 0;
}

static int iothub_lwipi_read_locked(IOTHUB_LWIP *lwip, unsigned char *bytes, unsigned int capacity)
{
    u16_t size;

    if (lwip->state != IOTHUB_LWIPI_OPEN) {
        return -1;
    }
    if (lwip->received == NULL) {
        if (lwip->ended) {
            lwip->state = IOTHUB_LWIPI_DEAD;
            return -1;
        }
        return 0;
    }
    size = lwip->received->tot_len < capacity ? lwip->received->tot_len : (u16_t)capacity;
    size = pbuf_copy_partial(lwip->received, bytes, size, 0);
    lwip->received = pbuf_free_header(lwip->received, size);
    if (lwip->pcb != NULL) {
        tcp_recved(lwip->pcb, size);
    }
    return (int)size;
}

/* tcp_write appends to the last segment that is to be sent, also when that is an earlier one which waits to be sent again
   (after three equal acknowledgements, when the window or the driver did not let it go at once): there the bytes would
   stand in the wrong place, and be missing in the right one. Seen with lwIP 2.1.3. */
static int iothub_lwipi_repeats(const struct tcp_pcb *pcb)
{
    const struct tcp_seg *last = pcb->unsent;

    if (last == NULL) {
        return 0;
    }
    while (last->next != NULL) {
        last = last->next;
    }
    return (u32_t)(lwip_ntohl(last->tcphdr->seqno) + TCP_TCPLEN(last)) != pcb->snd_lbb;
}

/* Half of what lwIP has no memory for is tried, and so on: where the heap never has room for the whole, parts still move. */
static int iothub_lwipi_write_locked(IOTHUB_LWIP *lwip, const unsigned char *bytes, unsigned int size)
{
    unsigned int room, part;
    err_t code = ERR_MEM;

    if (lwip->state != IOTHUB_LWIPI_OPEN || lwip->pcb == NULL) {
        return -1;
    }
    if (size == 0) {
        return tcp_output(lwip->pcb) == ERR_OK;
    }
    if (iothub_lwipi_repeats(lwip->pcb)) {
        (void)tcp_output(lwip->pcb);
        if (iothub_lwipi_repeats(lwip->pcb)) {
            return 0;
        }
    }
    room = tcp_sndbuf(lwip->pcb) < size ? (unsigned int)tcp_sndbuf(lwip->pcb) : size;
    for (part = room; part != 0; part /= 2u) {
        code = tcp_write(lwip->pcb, bytes, (u16_t)part, TCP_WRITE_FLAG_COPY);
        if (code != ERR_MEM) {
            break;
        }
    }
    if (code != ERR_OK && code != ERR_MEM) {
        return iothub_lwipi_fail(lwip, IOTHUB_LAYER_TCP, code);
    }
    if (part < size) {
        (void)tcp_output(lwip->pcb);             /* room comes from what was sent */
    }
    return (int)part;
}

/* ---- The stream ---- */

static int iothub_lwipi_open(void *context, const char *host, unsigned int port)
{
    int answer;

    IOTHUB_LWIP_LOCK();
    answer = iothub_lwipi_open_locked((IOTHUB_LWIP *)context, host, port);
    IOTHUB_LWIP_UNLOCK();
    return answer;
}

static int iothub_lwipi_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    int answer;

    IOTHUB_LWIP_LOCK();
    answer = iothub_lwipi_read_locked((IOTHUB_LWIP *)context, bytes, capacity);
    IOTHUB_LWIP_UNLOCK();
    return answer;
}

static int iothub_lwipi_write(void *context, const unsigned char *bytes, unsigned int size)
{
    int answer;

    IOTHUB_LWIP_LOCK();
    answer = iothub_lwipi_write_locked((IOTHUB_LWIP *)context, bytes, size);
    IOTHUB_LWIP_UNLOCK();
    return answer;
}

static void iothub_lwipi_close(void *context)
{
    IOTHUB_LWIP *lwip = (IOTHUB_LWIP *)context;

    IOTHUB_LWIP_LOCK();
#if LWIP_DNS
    iothub_lwipi_stop_waiting(lwip);
#endif
    iothub_lwipi_drop(lwip);
    lwip->state = IOTHUB_LWIPI_CLOSED;           /* layer and raw stay: error() may be asked after close */
    IOTHUB_LWIP_UNLOCK();
}

/* Kept for all later connections, and applied to the present one. */
static int iothub_lwipi_set_option(void *context, const char *name, const void *value)
{
    IOTHUB_LWIP *lwip = (IOTHUB_LWIP *)context;
    int *field;

    if (strcmp(name, "tcp_keepalive") == 0) {
        field = &lwip->keepalive;
    } else if (strcmp(name, "tcp_keepalive_time") == 0) {
        field = &lwip->keepalive_time;
    } else if (LWIP_TCP_KEEPALIVE && strcmp(name, "tcp_keepalive_interval") == 0) {
        field = &lwip->keepalive_interval;
    } else {
        return 1;
    }
    if (value == NULL || *(const int *)value < 0) {
        return -1;
    }
    *field = *(const int *)value;
    IOTHUB_LWIP_LOCK();
    iothub_lwipi_keepalive(lwip);
    IOTHUB_LWIP_UNLOCK();
    return 0;
}

static int iothub_lwipi_error(void *context, long *raw)
{
    const IOTHUB_LWIP *lwip = (const IOTHUB_LWIP *)context;

    if (raw != NULL) {
        *raw = lwip->raw;
    }
    return lwip->layer;
}

/* ---- Public functions ---- */

static uint32_t iothub_lwipi_milliseconds(void *context)
{
    (void)context;
    return sys_now();
}

void iothub_lwip_platform(IOTHUB_LWIP *lwip, IOTHUB_PLATFORM *platform)
{
    memset(lwip, 0, sizeof *lwip);
    lwip->keepalive = -1;
    lwip->keepalive_time = -1;
    lwip->keepalive_interval = -1;
    if (platform != NULL) {
        memset(platform, 0, sizeof *platform);
        platform->context = lwip;
        platform->milliseconds = iothub_lwipi_milliseconds;
    }
}

const IOTHUB_IO *iothub_lwip_tcp(IOTHUB_LWIP *lwip)
{
    lwip->tcp.context = lwip;
    lwip->tcp.open = iothub_lwipi_open;
    lwip->tcp.read = iothub_lwipi_read;
    lwip->tcp.write = iothub_lwipi_write;
    lwip->tcp.close = iothub_lwipi_close;
    lwip->tcp.set_option = iothub_lwipi_set_option;
    lwip->tcp.error = iothub_lwipi_error;
    return &lwip->tcp;
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
