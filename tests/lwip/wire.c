/* The network: see wire.h. */
#include "wire.h"
#include "wire_hooks.h"
#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"
#include <string.h>

#define FAST_MS 250u                             /* lwIP's TCP_FAST_INTERVAL, TCP_SLOW_INTERVAL, DNS_TMR_INTERVAL */
#define SLOW_MS 500u
#define LOOKUP_MS 1000u
#define LATE_MS 5000u                            /* of STRIKE_LATE and the copy of STRIKE_DOUBLE: longer than a retransmission takes */

wire_state wire;
ip_addr_t wire_device, wire_device6, wire_hub, wire_hub6;

typedef struct packet {
    struct packet *next;
    uint64_t at;
    int direction;
    unsigned size;
    unsigned char bytes[];
} packet;

static packet *packets;                          /* by time of arrival */
static struct netif host[2];                     /* WIRE_UP: the device's, WIRE_DOWN: the hub's; by what it sends */
static uint64_t next_fast, next_slow, next_lookup;
static unsigned char holes[65536];               /* 1 << direction */
static uint64_t random_state;
static unsigned resolver_delay, baseline;

/* ---- what lwIP is given ---- */

u32_t sys_now(void)
{
    return (u32_t)wire.now;
}

unsigned wire_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 32);
}

unsigned wire_draw(unsigned below)
{
    return (wire_random() >> 8) % below;
}

static int chance(unsigned percent)
{
    return percent != 0 && wire_draw(100) < percent;
}

void *wire_malloc(size_t size)
{
    void *memory;
    if (wire.fail_at != 0 && --wire.fail_at == 0) {
        return NULL;
    }
    if (chance(wire.manners.no_memory)) {
        return NULL;
    }
    memory = malloc(size);
    wire.allocations += memory != NULL;
    return memory;
}

void *wire_calloc(size_t count, size_t size)
{
    void *memory = wire_malloc(count * size);
    return memory != NULL ? memset(memory, 0, count * size) : NULL;
}

void wire_free(void *memory)
{
    wire.allocations -= memory != NULL;
    free(memory);
}

struct netif *wire_route4(const ip4_addr_t *destination)
{
    return ip4_addr_cmp(destination, ip_2_ip4(&wire_device)) ? &host[WIRE_DOWN] : &host[WIRE_UP];
}

struct netif *wire_route6(const ip6_addr_t *destination)
{
    return ip6_addr_cmp_zoneless(destination, ip_2_ip6(&wire_device6)) ? &host[WIRE_DOWN] : &host[WIRE_UP];
}

/* ---- packets ---- */

static void mix(uint64_t value)
{
    wire.hash = (wire.hash ^ value) * 0x100000001B3u;
    wire.hash ^= wire.hash >> 29;
}

static unsigned number_16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* The TCP header, or NULL; both IP headers have no options here. */
static unsigned char *tcp_header(unsigned char *bytes)
{
    if (bytes[0] >> 4 == 4) {
        return bytes[9] == 6 ? bytes + 20 : NULL;
    }
    return bytes[6] == 6 ? bytes + 40 : NULL;
}

static void post(int direction, const unsigned char *bytes, unsigned size, unsigned late_ms)
{
    packet **at = &packets, *p = (packet *)malloc(sizeof *p + size);
    unsigned delay = wire.manners.delay_ms + wire_draw(wire.manners.spread_ms + 1u) + late_ms + resolver_delay;
    p->at = wire.now + delay;
    if (wire.manners.batch_ms != 0) {
        p->at += wire.manners.batch_ms - 1u - (p->at - 1u) % wire.manners.batch_ms;
    }
    p->direction = direction;
    p->size = size;
    memcpy(p->bytes, bytes, size);
    while (*at != NULL && (*at)->at <= p->at) {
        at = &(*at)->next;
    }
    p->next = *at;
    *at = p;
}

static unsigned add_up(unsigned sum, const unsigned char *bytes, unsigned size)
{
    unsigned i;
    for (i = 0; i + 1 < size; i += 2) {
        sum += number_16(bytes + i);
    }
    return sum;
}

static void put_checksum(unsigned char *at, unsigned sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xFFFFu) + (sum >> 16);
    }
    at[0] = (unsigned char)(~sum >> 8);
    at[1] = (unsigned char)~sum;
}

/* A middle box resets the connection: the packet's own numbers, without its bytes (IPv4 only). */
static void post_reset(int direction, const unsigned char *of)
{
    unsigned char bytes[40];
    memcpy(bytes, of, sizeof bytes);
    bytes[2] = 0;
    bytes[3] = sizeof bytes;
    bytes[10] = bytes[11] = 0;
    put_checksum(bytes + 10, add_up(0, bytes, 20));
    bytes[32] = 5 << 4;
    bytes[33] = 0x14;                            /* RST, ACK */
    bytes[36] = bytes[37] = 0;
    put_checksum(bytes + 36, add_up(6u + 20u, bytes + 12, 28));
    post(direction, bytes, sizeof bytes, 0);
}

static int is_swallowed(int direction, const unsigned char *bytes, const unsigned char *tcp)
{
    if (wire.manners.dead4 && tcp != NULL && bytes[0] >> 4 == 4) {
        return 1;
    }
    return wire.manners.dead[direction] || wire.now < wire.dead_until || chance(wire.manners.lost)
        || (tcp != NULL && (holes[number_16(tcp + (direction == WIRE_UP ? 0 : 2))] >> direction & 1));
}

static unsigned number_32(const unsigned char *at)
{
    return number_16(at) << 16 | number_16(at + 2);
}

static void tell(int direction, const unsigned char *bytes, const unsigned char *tcp, unsigned size, int strike)
{
    printf("%6u.%03u  packet   %u %s, ", (unsigned)(wire.now / 1000u), (unsigned)(wire.now % 1000u), wire.packets,
        direction == WIRE_UP ? "up" : "down");
    if (tcp != NULL) {
        printf("TCP, flags %02x, seq %u, ack %u, window %u, ", (unsigned)tcp[13], number_32(tcp + 4), number_32(tcp + 8), number_16(tcp + 14));
        size -= (unsigned)(tcp - bytes) + (unsigned)(tcp[12] >> 4) * 4u;
    }
    printf("%u bytes%s\n", size, strike == STRIKE_LOSE ? ", lost" : strike == STRIKE_NONE ? "" : ", struck");
}

static void carry(int direction, unsigned char *bytes, unsigned size)
{
    unsigned char *tcp = tcp_header(bytes);
    int strike = STRIKE_NONE;
    if (++wire.packets == wire.strike_at) {
        strike = wire.strike == STRIKE_RESET && (tcp == NULL || bytes[0] >> 4 != 4) ? STRIKE_LOSE : wire.strike;
        wire.dead_until = strike == STRIKE_DEAD ? wire.now + 90000u : 0;
    }
    if (strike == STRIKE_NONE && chance(wire.manners.doubled)) {
        strike = STRIKE_DOUBLE;
    }
    if (strike == STRIKE_NONE && chance(wire.manners.damaged)) {
        strike = STRIKE_DAMAGE;
    }
    if (is_swallowed(direction, bytes, tcp)) {
        strike = STRIKE_LOSE;
    }
    mix(wire.now);
    mix((uint64_t)size << 32 | (unsigned)direction << 16 | (tcp != NULL ? tcp[13] : 0x100u) << 4 | (unsigned)strike);
    if (wire.trace) {
        tell(direction, bytes, tcp, size, strike);
    }
    switch (strike) {
    case STRIKE_LOSE:
        return;
    case STRIKE_DAMAGE:
        bytes[size - 1u - wire_draw(size < 40 ? 1 : size - 39u)] ^= (unsigned char)(1u << wire_draw(8));
        break;
    case STRIKE_RESET:
        post_reset(direction, bytes);
        return;
    case STRIKE_DOUBLE:
        post(direction, bytes, size, LATE_MS);
        break;
    default:
        break;
    }
    post(direction, bytes, size, strike == STRIKE_LATE ? LATE_MS : 0);
}

static err_t output(struct netif *netif, struct pbuf *p)
{
    unsigned char bytes[2048];
    unsigned size;
    if (chance(wire.manners.no_buffer)) {
        return ERR_MEM;
    }
    size = pbuf_copy_partial(p, bytes, sizeof bytes, 0);
    carry(netif == &host[WIRE_UP] ? WIRE_UP : WIRE_DOWN, bytes, size);
    return ERR_OK;
}

static err_t output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    (void)to;
    return output(netif, p);
}

static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
    (void)to;
    return output(netif, p);
}

/* A host without memory for it loses the packet. */
static void arrive(const packet *arrived)
{
    struct netif *netif = &host[!arrived->direction];
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)arrived->size, PBUF_POOL);
    if (p != NULL) {
        pbuf_take(p, arrived->bytes, (u16_t)arrived->size);
        if (netif->input(p, netif) != ERR_OK) {
            pbuf_free(p);
        }
    }
}

/* ---- the name server: knows every name ---- */

static void put_record(unsigned char **at, unsigned type, const void *address, unsigned size)
{
    static const unsigned char rest[] = { 0, 1, 0, 0, 0, 0, 0 }; /* IN, not to be kept, size */
    *(*at)++ = 0xC0;                             /* the name of the question */
    *(*at)++ = 12;
    *(*at)++ = 0;
    *(*at)++ = (unsigned char)type;
    memcpy(*at, rest, sizeof rest);
    *at += sizeof rest;
    *(*at)++ = (unsigned char)size;
    memcpy(*at, address, size);
    *at += size;
}

static void on_query(void *context, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    unsigned char bytes[600], *at;
    unsigned size = pbuf_copy_partial(p, bytes, 500, 0), type;
    (void)context;
    pbuf_free(p);
    wire.queries += 1;
    if (wire.manners.resolver == RESOLVER_SILENT || size < 17) {
        return;
    }
    type = bytes[size - 3u];
    at = bytes + size;
    bytes[2] = 0x81;
    bytes[3] = wire.manners.resolver == RESOLVER_DENIES ? 0x83 : 0x80;
    if (wire.manners.resolver == RESOLVER_ANSWERS && type == 1 && !wire.manners.no_ipv4) {
        put_record(&at, type, ip_2_ip4(&wire_hub), 4);
        bytes[7] = 1;
    } else if (wire.manners.resolver == RESOLVER_ANSWERS && type == 28 && !wire.manners.no_ipv6) {
        put_record(&at, type, ip_2_ip6(&wire_hub6)->addr, 16);
        bytes[7] = 1;
    }
    p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)(at - bytes), PBUF_RAM);
    if (p != NULL) {
        pbuf_take(p, bytes, p->tot_len);
        resolver_delay = wire.manners.resolver_ms;
        (void)udp_sendto(pcb, p, from, port);
        resolver_delay = 0;
        pbuf_free(p);
    }
}

/* ---- time ---- */

/* While nothing is under way lwIP's timers only count. A quiet hour is then one event instead of fourteen thousand. */
static int tcp_rests(void)
{
    const struct tcp_pcb *pcb;
    for (pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->state != ESTABLISHED || pcb->unacked != NULL || pcb->unsent != NULL || pcb->ooseq != NULL || pcb->refused_data != NULL
            || pcb->persist_backoff != 0 || (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) != 0
            || (pcb->so_options & SOF_KEEPALIVE) != 0) {
            return 0;
        }
    }
    return tcp_tw_pcbs == NULL;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t wire_next(void)
{
    uint64_t next = packets != NULL ? packets->at : WIRE_NEVER;
    if (!tcp_rests()) {
        next = earlier(next, earlier(next_fast, next_slow));
    }
    if (wire.now <= wire.lookups_until) {
        next = earlier(next, next_lookup);
    }
    return next > wire.now ? next : wire.now;
}

static void skip_idle_time(void)
{
    while (next_fast + FAST_MS <= wire.now) {
        next_fast += FAST_MS;
    }
    while (next_slow + SLOW_MS <= wire.now) {
        next_slow += SLOW_MS;
        tcp_ticks += 1;
    }
}

void wire_work(void)
{
    if (wire.now > next_fast + FAST_MS && tcp_rests()) {
        skip_idle_time();
    }
    for (;;) {
        if (next_fast <= wire.now) {
            next_fast += FAST_MS;
            tcp_fasttmr();
        } else if (next_slow <= wire.now) {
            next_slow += SLOW_MS;
            tcp_slowtmr();
        } else if (next_lookup <= wire.now) {
            next_lookup += LOOKUP_MS * ((wire.now - next_lookup) / LOOKUP_MS + 1u);
            dns_tmr();
        } else if (packets != NULL && packets->at <= wire.now) {
            packet *first = packets;
            packets = first->next;
            arrive(first);
            free(first);
        } else {
            return;
        }
    }
}

void wire_run(uint64_t until)
{
    while (wire_next() <= until) {
        wire.now = wire_next();
        wire_work();
    }
    wire.now = until;
    wire_work();
}

/* ---- a new day ---- */

static err_t begin_netif(struct netif *netif)
{
    netif->output = output4;
    netif->output_ip6 = output6;
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_LINK_UP;
    netif->name[0] = 'w';
    return ERR_OK;
}

static void add_host(struct netif *netif, const ip_addr_t *address, const ip_addr_t *address6)
{
    ip4_addr_t mask, any;
    IP4_ADDR(&mask, 255, 255, 255, 255);
    ip4_addr_set_zero(&any);
    netif_add(netif, ip_2_ip4(address), &mask, &any, NULL, begin_netif, ip_input);
    netif_ip6_addr_set(netif, 0, ip_2_ip6(address6));
    netif_ip6_addr_set_state(netif, 0, IP6_ADDR_PREFERRED);
    netif_set_up(netif);
}

static void begin_once(void)
{
    struct udp_pcb *resolver;
    lwip_init();
    ipaddr_aton("10.0.0.1", &wire_device);
    ipaddr_aton("10.0.1.1", &wire_hub);
    ipaddr_aton("fd00::1", &wire_device6);
    ipaddr_aton("fd00:0:0:1::1", &wire_hub6);
    add_host(&host[WIRE_UP], &wire_device, &wire_device6);
    add_host(&host[WIRE_DOWN], &wire_hub, &wire_hub6);
    resolver = udp_new_ip_type(IPADDR_TYPE_ANY);
    udp_bind(resolver, &wire_hub, 53);
    udp_recv(resolver, on_query, NULL);
    dns_setserver(0, &wire_hub);
    baseline = wire.allocations;
}

static void drop_packets(void)
{
    while (packets != NULL) {
        packet *first = packets;
        packets = first->next;
        free(first);
    }
}

static void abort_all(struct tcp_pcb **list)
{
    while (*list != NULL) {
        tcp_abort(*list);
    }
}

void wire_mtu(unsigned mtu)
{
    host[WIRE_UP].mtu = host[WIRE_DOWN].mtu = (u16_t)mtu;
    host[WIRE_UP].mtu6 = host[WIRE_DOWN].mtu6 = (u16_t)mtu;
}

void wire_begin(uint64_t seed)
{
    static int begun;
    unsigned i, allocations;
    int trace = wire.trace;
    if (!begun) {
        begun = 1;
        begin_once();
    }
    abort_all(&tcp_active_pcbs);
    abort_all(&tcp_tw_pcbs);
    abort_all(&tcp_bound_pcbs);
    for (i = 0; i < 60; ++i) {                   /* questions that are still open give up */
        drop_packets();
        dns_tmr();
    }
    drop_packets();
    allocations = wire.allocations;
    memset(&wire, 0, sizeof wire);
    memset(holes, 0, sizeof holes);
    wire.allocations = allocations;
    wire.trace = trace;
    wire.hash = 0xCBF29CE484222325u;
    wire.manners.delay_ms = 40;
    random_state = seed * 0x9E3779B97F4A7C15u + 1u;
    next_fast = FAST_MS;
    next_slow = SLOW_MS;
    next_lookup = LOOKUP_MS;
    tcp_ticks = 1000;                            /* 0 is "no measurement" to lwIP */
    wire_mtu(1500);
}

void wire_hole(unsigned device_port, int up, int down)
{
    holes[device_port & 0xFFFFu] = (unsigned char)((up != 0) << WIRE_UP | (down != 0) << WIRE_DOWN);
}

unsigned wire_left_over(void)
{
    const struct tcp_pcb_listen *pcb;
    unsigned listening = 0;
    for (pcb = tcp_listen_pcbs.listen_pcbs; pcb != NULL; pcb = pcb->next) {
        ++listening;
    }
    return wire.allocations - baseline - listening;
}

unsigned wire_pcbs(int of_device)
{
    const struct tcp_pcb *pcb;
    unsigned count = 0;
    for (pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        int device = ip_addr_cmp_zoneless(&pcb->local_ip, &wire_device) || ip_addr_cmp_zoneless(&pcb->local_ip, &wire_device6);
        count += device == of_device;
    }
    return count;
}
