/* ---- retry: how long to wait before the next attempt -------------------------------------------------------------- */
/* Pure arithmetic; the random number and the reasons come from the client. */
#include "config.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_RETRY_H)
#define IOTHUBI_RETRY_H

#define IOTHUBI_RETRY_CAP_UNREACHED_S 30u        /* the hub was not reached: the network is back soon or it is not */
#define IOTHUBI_RETRY_CAP_REFUSED_S 300u         /* the hub answered and refused or cut: asking often makes it worse */
#define IOTHUBI_RETRY_LASTING_S 60u              /* a connection shorter than this does not reset the count */
#define IOTHUBI_RETRY_SECONDS_MAXIMUM 86400u     /* for the two options; keeps milliseconds within 31 bits */

typedef struct iothubi_retry_tag {
    uint32_t limit_s;                            /* give up after so long; 0: never */
    uint32_t since_s;                            /* uptime of the first failure of this count */
    uint32_t delay_ms;                           /* the last one */
    uint32_t base_s;                             /* W; 0: the policy's default */
    uint32_t cap_s;                              /* M for both kinds of failure; 0: the defaults */
    unsigned char policy;
    unsigned char count;                         /* failures since a lasting connection; sticks at 255 */
} iothubi_retry;

/* A uniform number from 0 to limit, from 32 random bits; the bias is below limit / 2^32. */
IOTHUBI_PRIVATE uint32_t iothubi_uniform(uint32_t random, uint32_t limit)
{
    return limit == 0xFFFFFFFFu ? random : random % (limit + 1u);
}

/* min(cap, base * 2^doublings), without overflow: base and cap are at most a day in milliseconds. */
IOTHUBI_PRIVATE uint32_t iothubi_retry_doubled(uint32_t base, unsigned int doublings, uint32_t cap)
{
    while (doublings != 0 && base < cap) {
        base *= 2u;
        --doublings;
    }
    return base < cap ? base : cap;
}

/* Milliseconds before attempt number retry->count (1 for the first after a loss). */
IOTHUBI_PRIVATE uint32_t iothubi_retry_delay(const iothubi_retry *retry, int refused, uint32_t random)
{
    int exponential = retry->policy == IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF
        || retry->policy == IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER;
    uint32_t base = (retry->base_s != 0 ? retry->base_s : exponential ? 1u : 5u) * 1000u;
    uint32_t cap = (retry->cap_s != 0 ? retry->cap_s : refused ? IOTHUBI_RETRY_CAP_REFUSED_S : IOTHUBI_RETRY_CAP_UNREACHED_S) * 1000u;
    switch (retry->policy) {
    case IOTHUB_CLIENT_RETRY_IMMEDIATE:
        return 0;
    case IOTHUB_CLIENT_RETRY_INTERVAL:
        return base;
    case IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF:
        return base > cap / retry->count ? cap : base * retry->count;
    case IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF:
        return iothubi_retry_doubled(base, retry->count - 1u, cap);
    case IOTHUB_CLIENT_RETRY_RANDOM:
        return iothubi_uniform(random, base);
    default:                                     /* full jitter: waves of a fleet flatten with the first attempt */
        return iothubi_uniform(random, iothubi_retry_doubled(base, retry->count, cap));
    }
}

/* Notes a failure at uptime now_s: ready says whether the connection was accepted by the hub, and lasted_s then for how
   long. Answers 1 with delay_ms set, or 0 when the policy gives up. The clock of the limit starts anew with each accepted
   connection, the count only with a lasting one: flapping must not look like success. */
IOTHUBI_PRIVATE int iothubi_retry_failed(iothubi_retry *retry, uint32_t now_s, int ready, uint32_t lasted_s, int refused, uint32_t random)
{
    if (ready && lasted_s >= IOTHUBI_RETRY_LASTING_S && lasted_s >= retry->delay_ms / 1000u) {
        retry->count = 0;
    }
    if (ready || retry->count == 0) {
        retry->since_s = now_s;
    }
    if (retry->policy == IOTHUB_CLIENT_RETRY_NONE || (retry->limit_s != 0 && now_s - retry->since_s >= retry->limit_s)) {
        return 0;
    }
    retry->count = (unsigned char)(retry->count < 255 ? retry->count + 1 : 255);
    retry->delay_ms = iothubi_retry_delay(retry, refused, random);
    return 1;
}

#endif
