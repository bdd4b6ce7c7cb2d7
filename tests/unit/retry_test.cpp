/* How long to wait: each policy's formula, its caps, the count and the limit. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/retry.h"

namespace {

iothubi_retry policy(IOTHUB_CLIENT_RETRY_POLICY kind, uint32_t limit_s = 0)
{
    iothubi_retry retry;
    iothubi_retry_choose(&retry, kind, limit_s);
    return retry;
}

typedef iothubi_retry_kind Kind;
const Kind UNREACHED = IOTHUBI_RETRY_UNREACHED, REFUSED = IOTHUBI_RETRY_REFUSED;

/* A failure on the way, before the hub accepted the connection. Milliseconds to wait, or -1: given up. */
int64_t fail(iothubi_retry &retry, uint32_t now_s, Kind kind = UNREACHED, uint32_t random = 0xFFFFFFFFu)
{
    return iothubi_retry_failed(&retry, now_s, kind, 0, random) ? static_cast<int64_t>(retry.delay_ms) : -1;
}

/* The end of a connection that the hub had accepted. */
int64_t lose(iothubi_retry &retry, uint32_t now_s, uint32_t lasted_s, uint32_t random = 0xFFFFFFFFu)
{
    return iothubi_retry_failed(&retry, now_s, IOTHUBI_RETRY_LOST, lasted_s, random) ? static_cast<int64_t>(retry.delay_ms) : -1;
}

std::vector<int64_t> delays(iothubi_retry retry, int count, Kind kind)
{
    std::vector<int64_t> out;
    for (int i = 0; i < count; ++i) {
        out.push_back(fail(retry, 0, kind));
    }
    return out;
}

typedef std::vector<int64_t> Delays;

}

TEST_CASE("retry, each policy without random parts, follows its formula up to the SDK's cap")
{
    CHECK(delays(policy(IOTHUB_CLIENT_RETRY_IMMEDIATE), 3, UNREACHED) == Delays({ 0, 0, 0 }));
    CHECK(delays(policy(IOTHUB_CLIENT_RETRY_INTERVAL), 3, REFUSED) == Delays({ 5000, 5000, 5000 }));
    CHECK(delays(policy(IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF), 8, UNREACHED) ==
        Delays({ 5000, 10000, 15000, 20000, 25000, 30000, 30000, 30000 }));
    CHECK(delays(policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF), 7, UNREACHED) ==
        Delays({ 1000, 2000, 4000, 8000, 16000, 30000, 30000 }));
    CHECK(delays(policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF), 7, REFUSED) ==
        Delays({ 1000, 2000, 4000, 8000, 16000, 30000, 30000 }));
}

TEST_CASE("retry, the jittered policies, reach 0 and exactly their bound")
{
    iothubi_retry jitter = policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER);
    const uint32_t bounds[] = { 2000, 4000, 8000, 16000, 32000, 64000, 128000, 135000, 135000 };
    for (uint32_t bound : bounds) {
        iothubi_retry low = jitter, middle = jitter, high = jitter, wrapped = jitter;
        CHECK(fail(low, 0, UNREACHED, 0) == 0);
        CHECK(fail(middle, 0, UNREACHED, bound / 2) == bound / 2);
        CHECK(fail(high, 0, UNREACHED, bound) == bound);
        CHECK(fail(wrapped, 0, UNREACHED, bound + 1) == 0);
        jitter = high;
    }
    iothubi_retry random = policy(IOTHUB_CLIENT_RETRY_RANDOM);
    for (int i = 0; i < 5; ++i) {
        CHECK(fail(random, 0, UNREACHED, 5000) == 5000);
        CHECK(fail(random, 0, UNREACHED, 5001) == 0);
        CHECK(fail(random, 0, REFUSED, 1) == 1);
    }
}

TEST_CASE("retry, the default policy against a hub that refuses, draws from its whole cap, which doubles from 30 to 300 s")
{
    iothubi_retry jitter = policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER);
    for (int i = 0; i < 300; ++i) {
        iothubi_retry low = jitter, high = jitter, wrapped = jitter;
        uint32_t bound = i < 4 ? 30000u << i : 300000u;
        CAPTURE(i);
        CHECK(fail(low, 0, REFUSED, 0) == 0);
        CHECK(fail(wrapped, 0, REFUSED, bound + 1) == 0);
        CHECK(fail(high, 0, REFUSED, bound) == bound);
        jitter = high;
    }
    CHECK(jitter.count == 255);                      /* and not 44: it does not wrap */
    CHECK(jitter.answered == 255);
    CHECK(fail(jitter, 0, UNREACHED, 135000) == 135000);
}

TEST_CASE("retry, the default policy and connections that do not last, doubles from a second, below the cap of refusals")
{
    iothubi_retry jitter = policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER);
    CHECK(lose(jitter, 1000, 1000, 2000) == 2000);   /* one that lasted */
    CHECK(jitter.answered == 0);
    const uint32_t bounds[] = { 4000, 8000, 16000, 32000, 64000, 128000, 256000, 300000, 300000 };
    for (uint32_t bound : bounds) {
        CHECK(lose(jitter, 2000, 10, bound) == bound);
    }
    CHECK(jitter.answered == 9);
    CHECK(lose(jitter, 9000, 5000, 2000) == 2000);   /* all is forgotten */
    CHECK(jitter.answered == 0);
    for (int i = 0; i < 20; ++i) fail(jitter, 9000); /* a long outage */
    CHECK(fail(jitter, 9000, REFUSED, 30000) == 30000);
    CHECK(lose(jitter, 9000, 10, 60000) == 60000);
}

TEST_CASE("retry, after 255 failures and more, stays at the cap")
{
    for (IOTHUB_CLIENT_RETRY_POLICY kind : { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF }) {
        std::vector<int64_t> all = delays(policy(kind), 600, REFUSED);
        CHECK(std::is_sorted(all.begin(), all.end()));
        CHECK(all.back() == 30000);
    }
}

TEST_CASE("retry, the options for base and cap, replace the defaults of both kinds of failure")
{
    iothubi_retry retry = policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF);
    retry.base_s = 3;
    retry.cap_s = 10;
    CHECK(delays(retry, 4, UNREACHED) == Delays({ 3000, 6000, 10000, 10000 }));
    CHECK(delays(retry, 4, REFUSED) == Delays({ 3000, 6000, 10000, 10000 }));
    retry.policy = IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF;
    CHECK(delays(retry, 5, REFUSED) == Delays({ 3000, 6000, 9000, 10000, 10000 }));
    retry.policy = IOTHUB_CLIENT_RETRY_INTERVAL;
    retry.base_s = 20;
    CHECK(delays(retry, 1, REFUSED) == Delays({ 20000 }));           /* W, as the public table says; M does not bound it */
    retry.policy = IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF;
    CHECK(delays(retry, 2, REFUSED) == Delays({ 10000, 10000 }));    /* a base above the cap */
}

TEST_CASE("retry, the largest options, do not overflow")
{
    for (uint32_t base : { 1u, 86400u }) {
        for (uint32_t cap : { 1u, 86400u }) {
            for (IOTHUB_CLIENT_RETRY_POLICY kind : { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF,
                IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER }) {
                iothubi_retry retry = policy(kind);
                retry.base_s = base;
                retry.cap_s = cap;
                int64_t last = 0;
                for (int i = 0; i < 300; ++i) {
                    last = fail(retry, 0, REFUSED, cap * 1000u);
                    CHECK(last <= static_cast<int64_t>(cap) * 1000);
                }
                int64_t linear = std::min<int64_t>(cap, 255ll * base) * 1000;
                CHECK(last == (kind == IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF ? linear : static_cast<int64_t>(cap) * 1000));
            }
        }
    }
}

TEST_CASE("retry, NONE, gives up at once")
{
    iothubi_retry retry = policy(IOTHUB_CLIENT_RETRY_NONE);
    CHECK(fail(retry, 0) == -1);
    CHECK(fail(retry, 0, REFUSED) == -1);
    CHECK(lose(retry, 1000, 1000) == -1);
}

TEST_CASE("retry, a connection that lasted, starts the count again; a short one does not")
{
    for (uint32_t lasted : { 0u, 59u, 60u, 1000u }) {
        iothubi_retry retry = policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF);
        for (int i = 0; i < 4; ++i) {
            fail(retry, 0);
        }
        CHECK(retry.delay_ms == 8000);
        CAPTURE(lasted);
        CHECK(lose(retry, 2000, lasted) == (lasted >= 60 ? 1000 : 16000));
        CHECK(retry.count == (lasted >= 60 ? 1 : 5));
    }
}

TEST_CASE("retry, a connection that lasted a minute but less than its last delay, does not start the count again")
{
    for (uint32_t lasted : { 299u, 300u }) {
        iothubi_retry retry = policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF);
        retry.cap_s = 300;
        for (int i = 0; i < 10; ++i) {
            fail(retry, 0, REFUSED);
        }
        CHECK(retry.delay_ms == 300000);
        CHECK(lose(retry, 2000, lasted) == (lasted >= 300 ? 1000 : 300000));
    }
}

TEST_CASE("retry, an attempt that was never accepted, does not count as a connection however long it took")
{
    iothubi_retry retry = policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF);
    CHECK(iothubi_retry_failed(&retry, 0, UNREACHED, 5000, 0) == 1);
    CHECK(iothubi_retry_failed(&retry, 9999, REFUSED, 5000, 0) == 1);
    CHECK(retry.count == 2);
}

TEST_CASE("retry, a limit, gives up when so long has passed since the first failure")
{
    iothubi_retry retry = policy(IOTHUB_CLIENT_RETRY_INTERVAL, 60);
    CHECK(fail(retry, 1000) == 5000);
    CHECK(fail(retry, 1059) == 5000);
    CHECK(fail(retry, 1060) == -1);
    retry = policy(IOTHUB_CLIENT_RETRY_INTERVAL, 60);
    CHECK(fail(retry, 0xFFFFFFF0u) == 5000);         /* uptime may wrap */
    CHECK(fail(retry, 43) == 5000);
    CHECK(fail(retry, 44) == -1);
    retry = policy(IOTHUB_CLIENT_RETRY_INTERVAL, 0);
    CHECK(fail(retry, 0) == 5000);
    CHECK(fail(retry, 0xFFFFFFFFu) == 5000);         /* 0: never */
}

TEST_CASE("retry, a limit and an accepted connection however short, starts the clock again, as in the SDK")
{
    for (uint32_t lasted : { 1u, 100u }) {
        iothubi_retry retry = policy(IOTHUB_CLIENT_RETRY_INTERVAL, 60);
        CAPTURE(lasted);
        CHECK(fail(retry, 0) == 5000);
        CHECK(lose(retry, 500, lasted) == 5000);
        CHECK(fail(retry, 559) == 5000);
        CHECK(fail(retry, 560) == -1);
    }
}

TEST_CASE("uniform, bounds, are both reached and never passed")
{
    CHECK(iothubi_uniform(0, 0) == 0);
    CHECK(iothubi_uniform(0xFFFFFFFFu, 0) == 0);
    CHECK(iothubi_uniform(12345, 0xFFFFFFFFu) == 12345);
    CHECK(iothubi_uniform(0xFFFFFFFFu, 0xFFFFFFFFu) == 0xFFFFFFFFu);
    CHECK(iothubi_uniform(0xFFFFFFFFu, 0xFFFFFFFEu) == 0);
    CHECK(iothubi_uniform(7, 7) == 7);
    CHECK(iothubi_uniform(8, 7) == 0);
}

TEST_CASE("retry, full jitter over many seeds, spreads evenly over the whole span")
{
    const int buckets = 10, draws = 20000;
    std::vector<int> hits(buckets, 0);
    Numbers numbers(3);
    for (int i = 0; i < draws; ++i) {
        iothubi_retry retry = policy(IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER);
        int64_t delay = fail(retry, 0, UNREACHED, numbers.next());
        REQUIRE(delay >= 0);
        REQUIRE(delay <= 2000);
        ++hits[static_cast<size_t>(std::min<int64_t>(delay * buckets / 2001, buckets - 1))];
    }
    for (int hit : hits) {
        CHECK(hit > draws / buckets * 9 / 10);
        CHECK(hit < draws / buckets * 11 / 10);
    }
}
