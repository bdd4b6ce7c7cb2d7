/* What stands for lwIP's heap: packets that are sent (a header of 16 bytes, 58 of Ethernet, IP and TCP, and the content). */
LWIP_MALLOC_MEMPOOL_START
LWIP_MALLOC_MEMPOOL(10, 128)                     /* acknowledgements, ARP, questions of DNS */
LWIP_MALLOC_MEMPOOL(6, 384)                      /* most TLS records, DHCP */
LWIP_MALLOC_MEMPOOL(4, 704)                      /* the largest TLS records */
LWIP_MALLOC_MEMPOOL_END
