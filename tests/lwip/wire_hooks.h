/* What lwIP asks of the tests; lwIP's own files include it. */
#ifndef WIRE_HOOKS_H
#define WIRE_HOOKS_H

struct netif;
struct ip4_addr;
struct ip6_addr;

struct netif *wire_route4(const struct ip4_addr *destination);
struct netif *wire_route6(const struct ip6_addr *destination);

#endif
