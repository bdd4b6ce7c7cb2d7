/* How long to wait: every policy, its caps and its edges. */

#include "check.h"

const char room[] = "retry";

#define ANY 0xFFFFFFFFul                         /* random bits of a policy that needs none */
#define GAVE_UP 0xFFFFFFFFul

#define UNREACHED IOTHUBI_RETRY_UNREACHED
#define REFUSED IOTHUBI_RETRY_REFUSED
#define LOST IOTHUBI_RETRY_LOST

/* After so many failures in a row, with these options, the delay is this. */
static const struct {
    unsigned char policy, kind;
    uint32_t base_s, cap_s;
    unsigned int failures;
    uint32_t random, delay_ms;
} delays[] = {
    { IOTHUB_CLIENT_RETRY_NONE, UNREACHED, 0, 0, 1, ANY, GAVE_UP },
    { IOTHUB_CLIENT_RETRY_NONE, REFUSED, 0, 0, 1, ANY, GAVE_UP },
    { IOTHUB_CLIENT_RETRY_IMMEDIATE, UNREACHED, 0, 0, 1, ANY, 0 },
    { IOTHUB_CLIENT_RETRY_IMMEDIATE, REFUSED, 0, 0, 300, ANY, 0 },
    { IOTHUB_CLIENT_RETRY_INTERVAL, UNREACHED, 0, 0, 1, ANY, 5000 },
    { IOTHUB_CLIENT_RETRY_INTERVAL, REFUSED, 0, 0, 300, ANY, 5000 },
    { IOTHUB_CLIENT_RETRY_INTERVAL, REFUSED, 20, 10, 1, ANY, 20000 },        /* the cap does not bound it */
    { IOTHUB_CLIENT_RETRY_INTERVAL, REFUSED, 86400ul, 0, 1, ANY, 86400000ul },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, UNREACHED, 0, 0, 1, ANY, 5000 },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, UNREACHED, 0, 0, 2, ANY, 10000 },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, UNREACHED, 0, 0, 6, ANY, 30000 },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, UNREACHED, 0, 0, 7, ANY, 30000 },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, REFUSED, 0, 300, 13, ANY, 65000ul }, /* 16 bits end at 65,535 */
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, REFUSED, 0, 300, 14, ANY, 70000ul },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, REFUSED, 0, 300, 59, ANY, 295000ul },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, REFUSED, 0, 300, 60, ANY, 300000ul },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, REFUSED, 0, 0, 600, ANY, 30000 },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, REFUSED, 3, 10, 3, ANY, 9000 },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, REFUSED, 3, 10, 4, ANY, 10000 },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, UNREACHED, 1, 86400ul, 300, ANY, 255000ul },       /* the count sticks */
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, UNREACHED, 86400ul, 86400ul, 300, ANY, 86400000ul },
    { IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, UNREACHED, 86400ul, 1, 300, ANY, 1000 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, UNREACHED, 0, 0, 1, ANY, 1000 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, UNREACHED, 0, 0, 2, ANY, 2000 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, UNREACHED, 0, 0, 5, ANY, 16000 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, UNREACHED, 0, 0, 6, ANY, 30000 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 0, 0, 6, ANY, 30000 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 0, 300, 7, ANY, 64000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 0, 300, 9, ANY, 256000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 0, 300, 10, ANY, 300000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 0, 300, 600, ANY, 300000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 20, 10, 1, ANY, 10000 },             /* a base above the cap */
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 1, 86400ul, 17, ANY, 65536000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 1, 86400ul, 18, ANY, 86400000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, REFUSED, 86400ul, 86400ul, 300, ANY, 86400000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, UNREACHED, 0, 0, 1, 0, 0 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, UNREACHED, 0, 0, 1, 2000, 2000 }, /* the first is jittered too */
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, UNREACHED, 0, 0, 1, 2001, 0 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, UNREACHED, 0, 0, 4, 16000, 16000 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, UNREACHED, 0, 0, 7, 128000ul, 128000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, UNREACHED, 0, 0, 8, 135000ul, 135000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, UNREACHED, 0, 0, 300, 135001ul, 0 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, UNREACHED, 0, 0, 1, ANY, 885 },   /* (2^32 - 1) mod 2001 */
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, REFUSED, 0, 0, 1, 30000, 30000 },  /* the whole cap at once, */
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, REFUSED, 0, 0, 4, 240000ul, 240000ul }, /* which doubles */
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, REFUSED, 0, 0, 5, 300001ul, 0 },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, REFUSED, 0, 0, 300, 300000ul, 300000ul },
    { IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, REFUSED, 86400ul, 86400ul, 300, 86400000ul, 86400000ul },
    { IOTHUB_CLIENT_RETRY_RANDOM, UNREACHED, 0, 0, 1, 5000, 5000 },
    { IOTHUB_CLIENT_RETRY_RANDOM, UNREACHED, 0, 0, 9, 5001, 0 },
    { IOTHUB_CLIENT_RETRY_RANDOM, REFUSED, 0, 0, 300, 1, 1 }
};

/* Failures one after the other, of the policy with doubling delays and a limit of 60 s; lasted_s: how long the hub had
   accepted the connection, or NEVER. The count is that after the failure. */
#define NEVER 0xFFFFFFFFul

static const struct { uint32_t now_s, lasted_s, delay_ms; unsigned char count; } lives[] = {
    { 1000, NEVER, 1000, 1 },
    { 1059, NEVER, 2000, 2 },
    { 1060, NEVER, GAVE_UP, 2 },                 /* a minute since the first failure */
    { 2000, 0, 4000, 3 },                        /* accepted: its clock starts anew, the count does not */
    { 2059, NEVER, 8000, 4 },
    { 2060, NEVER, GAVE_UP, 4 },
    { 3000, 59, 16000, 5 },                      /* flapping must not look like success */
    { 4000, 60, 1000, 1 },                       /* this one lasted */
    { 0xFFFFFFF0ul, 60, 1000, 1 },
    { 43, NEVER, 2000, 2 },                      /* uptime may wrap */
    { 44, NEVER, GAVE_UP, 2 }
};

static const struct { uint32_t random, limit, value; } uniforms[] = {
    { 0, 0, 0 },
    { 0xFFFFFFFFul, 0, 0 },
    { 7, 7, 7 },
    { 8, 7, 0 },
    { 0xFFFF, 0xFFFF, 0xFFFF },
    { 0x10000ul, 0xFFFF, 0 },
    { 0x12345678ul, 0xFFFF, 0x5678 },
    { 12345, 0xFFFFFFFFul, 12345 },
    { 0xFFFFFFFFul, 0xFFFFFFFFul, 0xFFFFFFFFul },
    { 0xFFFFFFFFul, 0xFFFFFFFEul, 0 }
};

void vectors(void)
{
    iothubi_retry retry;
    size_t i;
    unsigned int failure;
    for (row = 0; row < COUNT(delays); ++row) {
        int again = 0;
        subject = MU_ENUM_TO_STRING(IOTHUB_CLIENT_RETRY_POLICY, (IOTHUB_CLIENT_RETRY_POLICY)delays[row].policy);
        iothubi_retry_choose(&retry, (IOTHUB_CLIENT_RETRY_POLICY)delays[row].policy, 0);
        if (delays[row].base_s != 0) {
            retry.base_s = delays[row].base_s;
        }
        retry.cap_s = delays[row].cap_s;
        for (failure = 0; failure < delays[row].failures; ++failure) {
            again = iothubi_retry_failed(&retry, 0, (iothubi_retry_kind)delays[row].kind, 0, delays[row].random);
        }
        CHECK_NUMBER(again ? retry.delay_ms : GAVE_UP, delays[row].delay_ms);
        CHECK_NUMBER(retry.count, !again ? 0 : delays[row].failures < 255 ? delays[row].failures : 255);
    }
    about("a life of failures with a limit of 60 s");
    iothubi_retry_choose(&retry, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, 60);
    for (row = 0; row < COUNT(lives); ++row) {
        int again = iothubi_retry_failed(&retry, lives[row].now_s, lives[row].lasted_s != NEVER ? LOST : UNREACHED, lives[row].lasted_s, ANY);
        CHECK_NUMBER(again ? retry.delay_ms : GAVE_UP, lives[row].delay_ms);
        CHECK_NUMBER(retry.count, lives[row].count);
    }
    about("a connection shorter than its last delay does not start the count again");
    retry.limit_s = 0;
    retry.cap_s = 300;
    for (i = 0; i < 10; ++i) {
        iothubi_retry_failed(&retry, 0, REFUSED, 0, ANY);
    }
    CHECK_NUMBER(retry.delay_ms, 300000ul);
    CHECK(iothubi_retry_failed(&retry, 0, LOST, 299, ANY));
    CHECK_NUMBER(retry.delay_ms, 300000ul);
    CHECK(iothubi_retry_failed(&retry, 0, LOST, 300, ANY));
    CHECK_NUMBER(retry.delay_ms, 1000);
    about("the policy that a client starts with");
    iothubi_retry_begin(&retry);
    CHECK_NUMBER(retry.policy, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER);
    CHECK(iothubi_retry_failed(&retry, 0, UNREACHED, 0, 2000));
    CHECK_NUMBER(retry.delay_ms, 2000);
    about("a uniform number");
    for (row = 0; row < COUNT(uniforms); ++row) {
        CHECK_NUMBER(iothubi_uniform(uniforms[row].random, uniforms[row].limit), uniforms[row].value);
    }
}
