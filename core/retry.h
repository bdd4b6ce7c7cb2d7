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

/* How an attempt or a connection failed. */
typedef enum iothubi_retry_kind_tag {
    IOTHUBI_RETRY_UNREACHED,
    IOTHUBI_RETRY_REFUSED,                       /* the stream was open, the hub did not accept the connection */
    IOTHUBI_RETRY_LOST                           /* the hub had accepted it */
} iothubi_retry_kind;

typedef struct iothubi_retry_tag {
    /* milliseconds before attempt number count (1 for the first after a loss), from 32 random bits; NULL: no attempt */
    uint32_t (*delay)(const struct iothubi_retry_tag *retry, iothubi_retry_kind kind, uint32_t random);
    uint32_t limit_s;                            /* give up after so long; 0: never */
    uint32_t since_s;                            /* uptime of the first failure of this count */
    uint32_t delay_ms;                           /* the last one */
    uint32_t base_s;                             /* W */
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

/* The default policy: full jitter, the first attempt too: waves of a fleet flatten with it. A hub that refuses one device
   refuses others: its whole cap is drawn from at once, to make room. */
IOTHUBI_PRIVATE uint32_t iothubi_retry_jittered(const iothubi_retry *retry, iothubi_retry_kind kind, uint32_t random)
{
    uint32_t cap = retry->cap_s != 0 ? retry->cap_s : kind == IOTHUBI_RETRY_UNREACHED ? IOTHUBI_RETRY_CAP_UNREACHED_S
        : iothubi_retry_doubled(IOTHUBI_RETRY_CAP_REFUSED_S, retry->answered != 0 ? retry->answered - 1u : 0, IOTHUBI_RETRY_CAP_MAXIMUM_S);
    return iothubi_uniform(random, kind == IOTHUBI_RETRY_REFUSED ? cap * 1000u
        : iothubi_retry_doubled(retry->base_s * 1000u, retry->count, cap * 1000u));
}

/* The policies that SetRetryPolicy brings along. */
IOTHUBI_PRIVATE uint32_t iothubi_retry_plain(const iothubi_retry *retry, iothubi_retry_kind kind, uint32_t random)
{
    uint32_t base = retry->base_s * 1000u, cap = (retry->cap_s != 0 ? retry->cap_s : IOTHUBI_RETRY_CAP_PLAIN_S) * 1000u;
    (void)kind;
    switch (retry->policy) {
    case IOTHUB_CLIENT_RETRY_IMMEDIATE:
        return 0;
    case IOTHUB_CLIENT_RETRY_INTERVAL:
        return base;
    case IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF:
        return base > cap / retry->count ? cap : base * retry->count;
    case IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF:
        return iothubi_retry_doubled(base, retry->count - 1u, cap);
    default:
        return iothubi_uniform(random, base);
    }
}

IOTHUBI_PRIVATE void iothubi_retry_begin(iothubi_retry *retry)
{
    IOTHUB_MEMSET(retry, 0, sizeof *retry);
    retry->policy = IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER;
    retry->delay = iothubi_retry_jittered;
    retry->base_s = 1;
}

IOTHUBI_PRIVATE void iothubi_retry_choose(iothubi_retry *retry, IOTHUB_CLIENT_RETRY_POLICY policy, uint32_t limit_s)
{
    iothubi_retry_begin(retry);
    retry->limit_s = limit_s;
    retry->policy = (unsigned char)policy;
    if (policy != IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER) {
        retry->delay = policy != IOTHUB_CLIENT_RETRY_NONE ? iothubi_retry_plain : NULL;
        retry->base_s = policy == IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF ? 1u : 5u;
    }
}

/* Notes a failure at uptime now_s; a connection that the hub had accepted lasted lasted_s. Answers 1 with delay_ms set, or
   0 when the policy gives up. The clock of the limit starts anew with each accepted connection, the counts only with a
   lasting one: flapping must not look like success. */
IOTHUBI_APART int iothubi_retry_failed(iothubi_retry *retry, uint32_t now_s, iothubi_retry_kind kind, uint32_t lasted_s, uint32_t random)
{
    int lasting = kind == IOTHUBI_RETRY_LOST && lasted_s >= IOTHUBI_RETRY_LASTING_S && lasted_s >= retry->delay_ms / 1000u;
    if (lasting) {
        retry->count = retry->answered = 0;
    }
    if (kind == IOTHUBI_RETRY_LOST || retry->count == 0) {
        retry->since_s = now_s;
    }
    if (retry->delay == NULL || (retry->limit_s != 0 && now_s - retry->since_s >= retry->limit_s)) {
        return 0;
    }
    retry->count = (unsigned char)(retry->count < 255 ? retry->count + 1 : 255);
    if (kind != IOTHUBI_RETRY_UNREACHED && !lasting && retry->answered < 255) {
        ++retry->answered;
    }
    retry->delay_ms = retry->delay(retry, kind, random);
    return 1;
}

#endif
