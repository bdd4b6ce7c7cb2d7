/* ---- retry: how long to wait before the next attempt -------------------------------------------------------------- */
/* Pure arithmetic; the random number and the reasons come from the client. */
#include "config.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_RETRY_H)
#define IOTHUBI_RETRY_H

/* The caps of the default policy, by how a fleet of 10,000 comes back to a hub that admits 100 a second (tests/sim/fleet). */
#define IOTHUBI_RETRY_CAP_UNREACHED_S 135u       /* while the hub is not reached */
#define IOTHUBI_RETRY_CAP_REFUSED_S 30u          /* the first time that it answers and refuses or cuts; doubled each time ... */
#define IOTHUBI_RETRY_CAP_MAXIMUM_S 300u         /* ... up to this: a device that is refused for good asks seldom */
#define IOTHUBI_RETRY_CAP_PLAIN_S 30u            /* of the policies without jitter: azure-iot-sdk-c's */
#define IOTHUBI_RETRY_LASTING_S 60u              /* a connection shorter than this does not reset the count */
#define IOTHUBI_RETRY_SECONDS_MAXIMUM 86400u     /* for the two options; keeps milliseconds within 31 bits */

/* How an attempt or a connection failed. */
typedef enum iothubi_retry_kind_tag {
    IOTHUBI_RETRY_UNREACHED,
    IOTHUBI_RETRY_REFUSED,                       /* the stream was open, the hub did not accept the connection */
    IOTHUBI_RETRY_LOST                           /* the hub had accepted it */
} iothubi_retry_kind;

typedef struct iothubi_retry_tag {
    uint32_t limit_s;                            /* give up after so long; 0: never */
    uint32_t since_s;                            /* uptime of the first failure of this count */
    uint32_t delay_ms;                           /* the last one */
    uint32_t base_s;                             /* W; 0: the policy's default */
    uint32_t cap_s;                              /* M for all kinds of failure; 0: the defaults */
    unsigned char policy;
    unsigned char count;                         /* failures since a lasting connection; sticks at 255 */
    unsigned char answered;                      /* of these, refusals and short connections; sticks at 255 */
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

/* The longest delay now, in seconds. */
IOTHUBI_PRIVATE uint32_t iothubi_retry_cap(const iothubi_retry *retry, iothubi_retry_kind kind)
{
    if (retry->cap_s != 0) {
        return retry->cap_s;
    }
    if (retry->policy != IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER) {
        return IOTHUBI_RETRY_CAP_PLAIN_S;
    }
    return kind == IOTHUBI_RETRY_UNREACHED ? IOTHUBI_RETRY_CAP_UNREACHED_S
        : iothubi_retry_doubled(IOTHUBI_RETRY_CAP_REFUSED_S, retry->answered != 0 ? retry->answered - 1u : 0, IOTHUBI_RETRY_CAP_MAXIMUM_S);
}

/* Milliseconds before attempt number retry->count (1 for the first after a loss). */
IOTHUBI_PRIVATE uint32_t iothubi_retry_delay(const iothubi_retry *retry, iothubi_retry_kind kind, uint32_t random)
{
    int exponential = retry->policy == IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF
        || retry->policy == IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER;
    uint32_t base = (retry->base_s != 0 ? retry->base_s : exponential ? 1u : 5u) * 1000u;
    uint32_t cap = iothubi_retry_cap(retry, kind) * 1000u;
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
    default:                                     /* full jitter: waves of a fleet flatten with the first attempt ... */
        if (kind == IOTHUBI_RETRY_REFUSED) {
            return iothubi_uniform(random, cap); /* ... and a hub that refuses one device refuses others: make room at once */
        }
        return iothubi_uniform(random, iothubi_retry_doubled(base, retry->count, cap));
    }
}

/* Notes a failure at uptime now_s; a connection that the hub had accepted lasted lasted_s. Answers 1 with delay_ms set, or
   0 when the policy gives up. The clock of the limit starts anew with each accepted connection, the counts only with a
   lasting one: flapping must not look like success. */
IOTHUBI_PRIVATE int iothubi_retry_failed(iothubi_retry *retry, uint32_t now_s, iothubi_retry_kind kind, uint32_t lasted_s, uint32_t random)
{
    int lasting = kind == IOTHUBI_RETRY_LOST && lasted_s >= IOTHUBI_RETRY_LASTING_S && lasted_s >= retry->delay_ms / 1000u;
    if (lasting) {
        retry->count = retry->answered = 0;
    }
    if (kind == IOTHUBI_RETRY_LOST || retry->count == 0) {
        retry->since_s = now_s;
    }
    if (retry->policy == IOTHUB_CLIENT_RETRY_NONE || (retry->limit_s != 0 && now_s - retry->since_s >= retry->limit_s)) {
        return 0;
    }
    retry->count = (unsigned char)(retry->count < 255 ? retry->count + 1 : 255);
    if (kind != IOTHUBI_RETRY_UNREACHED && !lasting && retry->answered < 255) {
        ++retry->answered;
    }
    retry->delay_ms = iothubi_retry_delay(retry, kind, random);
    return 1;
}

#endif
