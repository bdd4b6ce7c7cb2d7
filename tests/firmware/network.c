#include "iothub_client.h"
#define IOTHUB_IMPLEMENTATION
#include "network.h"
#include "board.h"
#include "text.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/memp.h"
#include "lwip/priv/memp_priv.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

static struct netif ethernet;
static struct dhcp dhcp;                         /* ours, or else lwIP takes it from a pool */

/* ---- What lwIP asks for ---- */

u32_t sys_now(void)
{
    return machine_ms();
}

uint32_t network_random(void)
{
    uint32_t number;
    if (machine_random((unsigned char *)&number, sizeof number) != 0) network_assertion("no entropy");
    return number;
}

void network_assertion(const char *text)
{
    say("lwIP: %s", text);
    machine_exit(98);
}

/* ---- Ours ---- */

void network_begin(void)
{
    lwip_init();
    netif_add_noaddr(&ethernet, NULL, board_ethernet_begin, ethernet_input);
    netif_set_hostname(&ethernet, "firmware");
    netif_set_default(&ethernet);
    netif_set_up(&ethernet);
    dhcp_set_struct(&ethernet, &dhcp);
    dhcp_start(&ethernet);
}

int network_has_address(void)
{
    return dhcp_supplied_address(&ethernet);
}

void network_work(void)
{
    board_ethernet_input(&ethernet);
    sys_check_timeouts();
}

uint32_t network_next(void)
{
    return sys_timeouts_sleeptime();
}

static const char *text_of(const ip_addr_t *address, char *to, unsigned int size)
{
    return address != NULL && ipaddr_ntoa_r(address, to, (int)size) != NULL ? to : "";
}

void network_tell(void)
{
    char own[16], router[16], server[16];
    say("address %s by DHCP, router %s, names from %s", text_of(netif_ip_addr4(&ethernet), own, sizeof own),
        text_of(netif_ip_gw4(&ethernet), router, sizeof router), text_of(dns_getserver(0), server, sizeof server));
}

void network_tell_pools(void)
{
    int i;
    for (i = 0; i < MEMP_MAX; i++) {
        const struct stats_mem *pool = memp_pools[i]->stats;
        if (pool->max != 0) say("pool %s: %u of %u, each %u bytes; refused %u", memp_pools[i]->desc, (unsigned int)pool->max,
            (unsigned int)pool->avail, (unsigned int)memp_pools[i]->size, (unsigned int)pool->err);
    }
}

const char *network_address_of(const char *name)
{
    static char text[16];
    ip_addr_t address;
    return dns_gethostbyname(name, &address, NULL, NULL) == ERR_OK ? text_of(&address, text, sizeof text) : "";
}
