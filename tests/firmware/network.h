/* lwIP on the board's Ethernet: an address by DHCP, names by DNS, and the client's plain stream. */
#ifndef NETWORK_H
#define NETWORK_H

#include "ports/lwip/iothub_lwip.h"

void network_begin(void);
int network_has_address(void);
void network_work(void);                         /* frames that wait, and lwIP's timers */
uint32_t network_next(void);                     /* milliseconds until one of them is due */
void network_tell(void);                         /* says its addresses */
void network_tell_pools(void);                   /* says the most that was taken of each of lwIP's pools */
const char *network_address_of(const char *name);       /* as DNS last answered; "" when that is forgotten */

#endif
