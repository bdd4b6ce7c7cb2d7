/* iothub_mbedtls.h - TLS 1.2 by mbedTLS (2.28, 3.2 and later 3.x) as a filter over any IOTHUB_IO.

   DO THIS in exactly one C or C++ file (the same one that holds the implementation of iothub_client.h is fine):

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/mbedtls/iothub_mbedtls.h"

   and in the program, with the POSIX port as the lower stream:

       static IOTHUB_POSIX posix;  static IOTHUB_MBEDTLS tls;  static IOTHUB_PLATFORM platform;
       iothub_posix_platform(&posix, &platform);
       iothub_mbedtls_init(&tls, iothub_posix_tcp(&posix), &platform);
       platform.io.set_option(platform.io.context, OPTION_TRUSTED_CERT, IOTHUB_ROOTS_PEM);       (ports/iothub_roots.h)

   WHAT IS CHECKED. The chain up to a trusted certificate, its dates against platform->unix_time (whatever clock mbedTLS has),
   and the host name (SNI is sent). There is no switch that turns this off: without trusted certificates open fails. While the
   date is unknown open answers 0, and error() says IOTHUB_LAYER_TIME.
   WHAT IS SPOKEN. TLS 1.2, the eight suites that IoT Hub takes as far as the library has them, no renegotiation.
   MEMORY. mbedTLS allocates by mbedtls_calloc: contexts and records at open, freed at close; certificates and keys until
   iothub_mbedtls_free. MBEDTLS_MEMORY_BUFFER_ALLOC_C serves it from an array of yours.
   ONE CALL OF OPEN makes steps of the handshake until nothing came from below, or IOTHUB_MBEDTLS_SLICE_MS have passed. A step
   is one message of the handshake; the longest one checks all signatures of the server's chain. README.md has measured times.

   SETTINGS, the same in every file that includes this:
       IOTHUB_MBEDTLS_HOLD        1024    bytes that share a record until they are pushed; no record that is sent holds more
       IOTHUB_MBEDTLS_SLICE_MS    10      milliseconds after which open returns to the caller
       IOTHUB_MBEDTLS_ENTROPY             mbedTLS's own entropy sources, for a platform whose random is NULL (0.4 to 40 KB in the struct) */

#ifndef IOTHUB_MBEDTLS_H
#define IOTHUB_MBEDTLS_H

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER < 0x021C0000 || (MBEDTLS_VERSION_NUMBER >= 0x03000000 && MBEDTLS_VERSION_NUMBER < 0x03020000) || \
    MBEDTLS_VERSION_NUMBER >= 0x04000000
#error "iothub_mbedtls.h knows mbedTLS 2.28 and 3.2 to 3.6"
#endif
#include <mbedtls/ctr_drbg.h>
#ifdef IOTHUB_MBEDTLS_ENTROPY
#include <mbedtls/entropy.h>
#endif
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#ifndef IOTHUB_MBEDTLS_HOLD
#define IOTHUB_MBEDTLS_HOLD 1024
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* error(): the raw code is mbedTLS's (negative; 0 with IOTHUB_LAYER_TLS: the peer closed in order), for TLS_TRUST and TLS_NAME
   the flags MBEDTLS_X509_BADCERT_..., the lower stream's, or one of these */
#define IOTHUB_MBEDTLS_ERROR_NO_ROOTS (-1001)    /* TLS_TRUST: nothing is trusted yet */
#define IOTHUB_MBEDTLS_ERROR_CONTRACT (-1002)    /* PORT: the lower stream answered more than was asked */
#define IOTHUB_MBEDTLS_ERROR_KEY      (-1003)    /* CONFIG: client certificate and private key are not a pair */
#define IOTHUB_MBEDTLS_ERROR_CHANGED  (-1004)    /* CONFIG: trust or certificate were changed during a handshake; try again */
#define IOTHUB_MBEDTLS_ERROR_HOST     (-1005)    /* TLS_NAME: no host name, or one over 255 characters */

typedef struct IOTHUB_MBEDTLS_TAG {              /* place it anywhere; the fields are the port's own */
    IOTHUB_IO lower;
    void *context;                               /* the platform's, for the three functions below */
    uint32_t (*milliseconds)(void *context);
    uint32_t (*unix_time)(void *context);
    int (*random)(void *context, unsigned char *bytes, unsigned int size);

    int state;
    int layer;
    long raw;
    int lower_dead;                              /* what was received before may still be read */
    int starved;                                 /* the last read of the lower stream answered 0 */
    int unpushed;                                /* the lower stream took bytes that it was not told to push yet */
    int ended;                                   /* what mbedtls_ssl_read or _write said at the end; 0: nothing yet */
    int pushing;                                 /* what is held shall go, full or not */
    int emitting;                                /* mbedTLS has the bytes of hold: it must be called with the same again */
    size_t unsent;                               /* bytes of records that the lower stream did not take yet */

    int accept_unknown_date;
    uint32_t date;                               /* at the beginning of the handshake; 0: unknown and accepted */
    int verified;                                /* the certificates of this connection were looked at: it was not resumed */
    int seeded, set_up, paired;
#ifdef IOTHUB_MBEDTLS_ENTROPY
    mbedtls_entropy_context entropy;
#endif
    mbedtls_ctr_drbg_context drbg;
    mbedtls_x509_crt roots, chain;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;

    mbedtls_ssl_session session;                 /* of the last handshake that was verified to its end */
    unsigned char session_host[32];              /* SHA-256 of its host name */
    uint32_t session_date;                       /* when its certificates were checked; 0: no session */

    unsigned int held;
    unsigned char hold[IOTHUB_MBEDTLS_HOLD];
} IOTHUB_MBEDTLS;

/* Copies *lower and the functions of *platform; sets platform->io to the TLS stream and platform->hmac_sha256 to mbedTLS's.
   lower may be &platform->io. platform->random seeds the generator of the handshakes. */
void iothub_mbedtls_init(IOTHUB_MBEDTLS *tls, const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform);

/* mbedTLS's generator (CTR_DRBG), for a platform that builds its random on it (IOTHUB_MBEDTLS_ENTROPY). 0 filled, <0 no entropy yet. */
int iothub_mbedtls_random(IOTHUB_MBEDTLS *tls, unsigned char *bytes, unsigned int size);

/* Closes, and gives all memory back. */
void iothub_mbedtls_free(IOTHUB_MBEDTLS *tls);

/* The session of the last good handshake as bytes, for a device that sleeps without its RAM: with the server's certificate and
   ticket about 1 to 4 KB. Returns the size, or 0: there is none, or capacity is too small. Whoever has the bytes can read the
   connections of the session: keep them as secret as a key. */
size_t iothub_mbedtls_save_session(const IOTHUB_MBEDTLS *tls, unsigned char *bytes, size_t capacity);

/* 0 taken, <0 not a session of this version and build of mbedTLS. Call it after the certificates are set: setting them forgets
   the session. It is used for the host it was made with, for 24 hours at most. */
int iothub_mbedtls_load_session(IOTHUB_MBEDTLS *tls, const unsigned char *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_MBEDTLS_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_MBEDTLS_IMPLEMENTED)
#define IOTHUB_MBEDTLS_IMPLEMENTED

#include <string.h>

#ifndef IOTHUB_MBEDTLS_SLICE_MS
#define IOTHUB_MBEDTLS_SLICE_MS 10
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define IOTHUB_MBEDTLSI_DATE_MINIMUM 1704067200u /* 2024-01-01: a clock below it was never set */
#define IOTHUB_MBEDTLSI_SESSION_LIFE 86400u      /* RFC 5246 appendix F.1.4: 24 hours at most */
#define IOTHUB_MBEDTLSI_MOVES        4096        /* records or steps of one call */
#define IOTHUB_MBEDTLSI_ASK          32767u      /* what one call of the lower stream may be asked for */
#define IOTHUB_MBEDTLSI_HEAD         40u         /* of a saved session: mark 4, date 4, host 32 */
#define IOTHUB_MBEDTLSI_LOWER_DEAD   (-0x7FFF)   /* what the callbacks answer then; no code of mbedTLS's own */

enum {
    IOTHUB_MBEDTLSI_CLOSED,                      /* nothing is open */
    IOTHUB_MBEDTLSI_LOWER,                       /* the lower stream is opening */
    IOTHUB_MBEDTLSI_HANDSHAKE,
    IOTHUB_MBEDTLSI_OPEN,
    IOTHUB_MBEDTLSI_DEAD                         /* until close */
};

/* ---- Errors ---- */

static void iothub_mbedtlsi_forget_session(IOTHUB_MBEDTLS *tls)
{
    mbedtls_ssl_session_free(&tls->session);
    mbedtls_ssl_session_init(&tls->session);
    tls->session_date = 0;
}

/* The first failure stays until the next open. */
static int iothub_mbedtlsi_fail(IOTHUB_MBEDTLS *tls, int layer, long raw)
{
    if (tls->state != IOTHUB_MBEDTLSI_DEAD) {
        tls->state = IOTHUB_MBEDTLSI_DEAD;
        tls->layer = layer;
        tls->raw = raw;
    }
    return -1;
}

static int iothub_mbedtlsi_fail_lower(IOTHUB_MBEDTLS *tls)
{
    long raw = 0;
    int layer = IOTHUB_LAYER_NONE;

    if (tls->lower.error != NULL) {
        layer = tls->lower.error(tls->lower.context, &raw);
    }
    return iothub_mbedtlsi_fail(tls, layer == IOTHUB_LAYER_NONE ? (int)IOTHUB_LAYER_TCP : layer, raw);
}

static int iothub_mbedtlsi_push_lower(IOTHUB_MBEDTLS *tls)
{
    int answer = 1;

    if (tls->unpushed && !tls->lower_dead) {
        answer = tls->lower.write(tls->lower.context, tls->hold, 0);
        tls->unpushed = answer <= 0;
        tls->lower_dead = answer < 0;
    }
    return answer;
}

/* RFC 5246 section 7.2.2: the session of a connection that failed must be forgotten; one that was closed in order stays. */
static int iothub_mbedtlsi_fail_code(IOTHUB_MBEDTLS *tls, int code)
{
    uint32_t flags;

    if (code == IOTHUB_MBEDTLSI_LOWER_DEAD) {
        return iothub_mbedtlsi_fail_lower(tls);  /* a contract that was broken is noted already */
    }
    (void)iothub_mbedtlsi_push_lower(tls);       /* the alert that mbedTLS has sent */
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        return iothub_mbedtlsi_fail(tls, IOTHUB_LAYER_TLS, 0);
    }
    iothub_mbedtlsi_forget_session(tls);
    if (code == MBEDTLS_ERR_SSL_ALLOC_FAILED) {
        return iothub_mbedtlsi_fail(tls, IOTHUB_LAYER_MEMORY, code);
    }
    if (code != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        return iothub_mbedtlsi_fail(tls, IOTHUB_LAYER_TLS, code);
    }
    flags = mbedtls_ssl_get_verify_result(&tls->ssl);
    return iothub_mbedtlsi_fail(tls, flags == MBEDTLS_X509_BADCERT_CN_MISMATCH ? (int)IOTHUB_LAYER_TLS_NAME : (int)IOTHUB_LAYER_TLS_TRUST,
                                (long)flags);
}

/* ---- What mbedTLS calls ---- */

static int iothub_mbedtlsi_lower_answer(IOTHUB_MBEDTLS *tls, int answer, unsigned int asked)
{
    if (answer > 0 && (unsigned int)answer > asked) {
        answer = iothub_mbedtlsi_fail(tls, IOTHUB_LAYER_PORT, IOTHUB_MBEDTLS_ERROR_CONTRACT);
    }
    if (answer < 0) {
        tls->lower_dead = 1;
    }
    return answer;
}

static int iothub_mbedtlsi_send(void *context, const unsigned char *bytes, size_t size)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;
    const unsigned int asked = size > IOTHUB_MBEDTLSI_ASK ? IOTHUB_MBEDTLSI_ASK : (unsigned int)size;
    int answer;

    tls->unsent = size;
    if (tls->lower_dead) {
        return IOTHUB_MBEDTLSI_LOWER_DEAD;
    }
    answer = iothub_mbedtlsi_lower_answer(tls, tls->lower.write(tls->lower.context, bytes, asked), asked);
    if (answer > 0) {
        tls->unsent = size - (size_t)answer;
        tls->unpushed = 1;
        return answer;
    }
    return answer == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : IOTHUB_MBEDTLSI_LOWER_DEAD;
}

static int iothub_mbedtlsi_receive(void *context, unsigned char *bytes, size_t capacity)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;
    const unsigned int asked = capacity > IOTHUB_MBEDTLSI_ASK ? IOTHUB_MBEDTLSI_ASK : (unsigned int)capacity;
    int answer;

    if (tls->lower_dead) {
        return IOTHUB_MBEDTLSI_LOWER_DEAD;
    }
    answer = iothub_mbedtlsi_lower_answer(tls, tls->lower.read(tls->lower.context, bytes, asked), asked);
    tls->starved = answer == 0;
    return answer > 0 ? answer : answer == 0 ? MBEDTLS_ERR_SSL_WANT_READ : IOTHUB_MBEDTLSI_LOWER_DEAD;
}

/* Days since 1970, for comparing (Howard Hinnant's way of counting: the year begins in March). */
static long iothub_mbedtlsi_days(const mbedtls_x509_time *time)
{
    const long year = (long)time->year - (time->mon <= 2), month = (time->mon + 9) % 12;
    return year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + time->day - 1 - 719468;
}

/* <0: before the date of the handshake, >0: after it */
static int iothub_mbedtlsi_compare(const mbedtls_x509_time *time, uint32_t date)
{
    const long days = iothub_mbedtlsi_days(time) - (long)(date / 86400u);
    const long seconds = ((long)time->hour * 60 + time->min) * 60 + time->sec - (long)(date % 86400u);
    return days != 0 ? (days < 0 ? -1 : 1) : seconds < 0 ? -1 : seconds > 0;
}

/* mbedTLS judges dates by its own clock, or, built without one, not at all: here the platform's date decides. */
static int iothub_mbedtlsi_verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;

    (void)depth;
    tls->verified = 1;
    *flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    if (tls->date != 0 && iothub_mbedtlsi_compare(&certificate->valid_to, tls->date) < 0) {
        *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
    }
    if (tls->date != 0 && iothub_mbedtlsi_compare(&certificate->valid_from, tls->date) > 0) {
        *flags |= MBEDTLS_X509_BADCERT_FUTURE;
    }
    return 0;
}

static int iothub_mbedtlsi_entropy(void *context, unsigned char *bytes, size_t size)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;

    if (tls->random != NULL) {
        return tls->random(tls->context, bytes, (unsigned int)size) == 0 ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
    }
#ifdef IOTHUB_MBEDTLS_ENTROPY
    return mbedtls_entropy_func(&tls->entropy, bytes, size);
#else
    return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
#endif
}

static int iothub_mbedtlsi_seed(IOTHUB_MBEDTLS *tls)
{
    if (!tls->seeded) {
        mbedtls_ctr_drbg_free(&tls->drbg);       /* a second seeding of one context would leak in some builds */
        mbedtls_ctr_drbg_init(&tls->drbg);
        tls->seeded = mbedtls_ctr_drbg_seed(&tls->drbg, iothub_mbedtlsi_entropy, tls, (const unsigned char *)"iothub", 6) == 0;
    }
    return tls->seeded ? 0 : -1;
}

/* ---- Handshake ---- */

static void iothub_mbedtlsi_configure(IOTHUB_MBEDTLS *tls)
{
    static const int suites[] = {                /* those that the library was built without are passed over by it */
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384, 0
    };

    mbedtls_ssl_conf_authmode(&tls->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&tls->config, &tls->roots, NULL);
    mbedtls_ssl_conf_verify(&tls->config, iothub_mbedtlsi_verify, tls);
    mbedtls_ssl_conf_rng(&tls->config, mbedtls_ctr_drbg_random, &tls->drbg);
    mbedtls_ssl_conf_ciphersuites(&tls->config, suites);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    mbedtls_ssl_conf_min_tls_version(&tls->config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(&tls->config, MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(&tls->config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(&tls->config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
#if defined(MBEDTLS_SSL_RENEGOTIATION)
    mbedtls_ssl_conf_renegotiation(&tls->config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
}

static int iothub_mbedtlsi_hash(const char *host, unsigned char digest[32])
{
    return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)host, strlen(host), digest);
}

/* A session is used again for the host that it was verified for, and only while that verification is young enough. */
static int iothub_mbedtlsi_may_resume(const IOTHUB_MBEDTLS *tls, const char *host)
{
    unsigned char digest[32];

    if (tls->session_date == 0 || tls->date - tls->session_date > IOTHUB_MBEDTLSI_SESSION_LIFE) {
        return 0;                                /* none, too old, or from the future; an unknown date (0) is far away */
    }
    return iothub_mbedtlsi_hash(host, digest) == 0 && memcmp(digest, tls->session_host, sizeof digest) == 0;
}

static int iothub_mbedtlsi_start(IOTHUB_MBEDTLS *tls, const char *host)
{
    int code;

    mbedtls_ssl_config_init(&tls->config);
    mbedtls_ssl_init(&tls->ssl);
    tls->set_up = 1;
    tls->state = IOTHUB_MBEDTLSI_HANDSHAKE;
    code = mbedtls_ssl_config_defaults(&tls->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (code == 0) {
        iothub_mbedtlsi_configure(tls);
        if (tls->chain.raw.p != NULL) {
            code = mbedtls_ssl_conf_own_cert(&tls->config, &tls->chain, &tls->key);
        }
    }
    if (code == 0) {
        code = mbedtls_ssl_setup(&tls->ssl, &tls->config);
    }
    if (code == 0) {
        code = mbedtls_ssl_set_hostname(&tls->ssl, host);
    }
    if (code == 0 && iothub_mbedtlsi_may_resume(tls, host)) {
        code = mbedtls_ssl_set_session(&tls->ssl, &tls->session);
    }
    mbedtls_ssl_set_bio(&tls->ssl, tls, iothub_mbedtlsi_send, iothub_mbedtlsi_receive, NULL);
    return code == 0 ? 0 : iothub_mbedtlsi_fail_code(tls, code);
}

static int iothub_mbedtlsi_is_over(IOTHUB_MBEDTLS *tls)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return mbedtls_ssl_is_handshake_over(&tls->ssl);
#else
    return tls->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER;
#endif
}

/* Only now everything is verified. A resumed session keeps the day on which its certificates were checked; a session that was
   verified without a date is not kept, because later its dates would never be looked at again. */
static int iothub_mbedtlsi_finish(IOTHUB_MBEDTLS *tls, const char *host)
{
    const uint32_t date = tls->verified ? tls->date : tls->session_date;

    iothub_mbedtlsi_forget_session(tls);
    if (date != 0 && mbedtls_ssl_get_session(&tls->ssl, &tls->session) == 0 && iothub_mbedtlsi_hash(host, tls->session_host) == 0) {
        tls->session_date = date;
    }
    tls->state = IOTHUB_MBEDTLSI_OPEN;
    tls->layer = IOTHUB_LAYER_NONE;
    tls->raw = 0;
    return 1;
}

static int iothub_mbedtlsi_handshake(IOTHUB_MBEDTLS *tls, const char *host)
{
    const uint32_t start = tls->milliseconds(tls->context);
    int moves, code, answer;

    for (moves = 0; moves < IOTHUB_MBEDTLSI_MOVES; moves++) {
        if (iothub_mbedtlsi_is_over(tls)) {
            answer = iothub_mbedtlsi_push_lower(tls);
            return answer > 0 ? iothub_mbedtlsi_finish(tls, host) : answer < 0 ? iothub_mbedtlsi_fail_lower(tls) : 0;
        }
        tls->starved = 0;
        code = mbedtls_ssl_handshake_step(&tls->ssl);
        if (tls->state != IOTHUB_MBEDTLSI_HANDSHAKE) {   /* a broken contract: nothing more is believed */
            return -1;
        }
        if (code == MBEDTLS_ERR_SSL_WANT_WRITE) {
            return 0;
        }
        if (code == MBEDTLS_ERR_SSL_WANT_READ && tls->starved) {
            return iothub_mbedtlsi_push_lower(tls) < 0 ? iothub_mbedtlsi_fail_lower(tls) : 0;
        }
        if (code != 0 && code != MBEDTLS_ERR_SSL_WANT_READ) {
            if (!tls->verified) {                /* a resumption that fails is not tried a second time */
                iothub_mbedtlsi_forget_session(tls);
            }
            return iothub_mbedtlsi_fail_code(tls, code);
        }
        if (tls->milliseconds(tls->context) - start >= (uint32_t)IOTHUB_MBEDTLS_SLICE_MS) {
            return 0;
        }
    }
    return 0;
}

/* Before the lower stream is opened, so that no connection waits for a clock or for entropy.
   1 goes on, 0 one of them is missing, <0 this cannot work */
static int iothub_mbedtlsi_ready(IOTHUB_MBEDTLS *tls, const char *host)
{
    const int has_chain = tls->chain.raw.p != NULL, has_key = mbedtls_pk_get_type(&tls->key) != MBEDTLS_PK_NONE;

    tls->layer = IOTHUB_LAYER_NONE;
    tls->raw = 0;
    tls->lower_dead = tls->starved = tls->unpushed = tls->ended = tls->pushing = tls->emitting = tls->verified = 0;
    tls->unsent = 0;
    tls->held = 0;
    if (tls->roots.raw.p == NULL) {
        return iothub_mbedtlsi_fail(tls, IOTHUB_LAYER_TLS_TRUST, IOTHUB_MBEDTLS_ERROR_NO_ROOTS);
    }
    if (host == NULL || host[0] == '\0' || strlen(host) > 255) {
        return iothub_mbedtlsi_fail(tls, IOTHUB_LAYER_TLS_NAME, IOTHUB_MBEDTLS_ERROR_HOST);
    }
    tls->date = tls->unix_time(tls->context);
    if (tls->date < IOTHUB_MBEDTLSI_DATE_MINIMUM) {
        tls->date = 0;
        if (!tls->accept_unknown_date) {
            tls->layer = IOTHUB_LAYER_TIME;
            return 0;
        }
    }
    if (iothub_mbedtlsi_seed(tls) != 0) {
        tls->layer = IOTHUB_LAYER_ENTROPY;
        return 0;
    }
    if ((has_chain || has_key) && !tls->paired) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
        tls->paired = has_chain && has_key && mbedtls_pk_check_pair(&tls->chain.pk, &tls->key, mbedtls_ctr_drbg_random, &tls->drbg) == 0;
#else
        tls->paired = has_chain && has_key && mbedtls_pk_check_pair(&tls->chain.pk, &tls->key) == 0;
#endif
        if (!tls->paired) {
            return iothub_mbedtlsi_fail(tls, IOTHUB_LAYER_CONFIG, IOTHUB_MBEDTLS_ERROR_KEY);
        }
    }
    return 1;
}

/* ---- The stream ---- */

static int iothub_mbedtlsi_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;
    int answer;

    switch (tls->state) {
    case IOTHUB_MBEDTLSI_CLOSED:
        answer = iothub_mbedtlsi_ready(tls, host);
        if (answer <= 0) {
            return answer;
        }
        tls->state = IOTHUB_MBEDTLSI_LOWER;
        /* fall through */
    case IOTHUB_MBEDTLSI_LOWER:
        answer = tls->lower.open(tls->lower.context, host, port);
        if (answer <= 0) {
            return answer < 0 ? iothub_mbedtlsi_fail_lower(tls) : 0;
        }
        if (iothub_mbedtlsi_start(tls, host) < 0) {
            return -1;
        }
        /* fall through */
    case IOTHUB_MBEDTLSI_HANDSHAKE:
        return iothub_mbedtlsi_handshake(tls, host);
    case IOTHUB_MBEDTLSI_OPEN:
        return 1;
    default:
        return -1;
    }
}

/* Makes records of what is held, and sends them as far as the lower stream takes them. mbedTLS wants the same bytes again
   after WANT_WRITE, so hold does not change while it is emitting. */
static void iothub_mbedtlsi_move_out(IOTHUB_MBEDTLS *tls)
{
    int code = 0;

    if (tls->unsent != 0 && !tls->emitting && !tls->lower_dead) {
        code = mbedtls_ssl_write(&tls->ssl, tls->hold, 1);       /* an alert waits: this sends it, and takes no byte */
        if (code < 0) {
            return;
        }
    }
    while (tls->held != 0 && !tls->ended && !tls->lower_dead && (tls->emitting || tls->pushing || tls->held == sizeof tls->hold)) {
        tls->emitting = 1;
        code = mbedtls_ssl_write(&tls->ssl, tls->hold, tls->held);
        if (code <= 0) {
            if (code != MBEDTLS_ERR_SSL_WANT_WRITE && code != MBEDTLS_ERR_SSL_WANT_READ && code != IOTHUB_MBEDTLSI_LOWER_DEAD) {
                tls->ended = code;
            }
            return;
        }
        tls->emitting = 0;
        tls->held -= (unsigned int)code;
        memmove(tls->hold, tls->hold + code, tls->held);
    }
    tls->pushing = tls->pushing && tls->held != 0;
}

/* >0 bytes, 0 none now or the end (which is noted). capacity 0 receives a record and leaves it with mbedTLS. */
static int iothub_mbedtlsi_move_in(IOTHUB_MBEDTLS *tls, unsigned char *bytes, unsigned int capacity)
{
    int moves, code;

    for (moves = 0; moves < IOTHUB_MBEDTLSI_MOVES && !tls->ended; moves++) {
        if (mbedtls_ssl_get_bytes_avail(&tls->ssl) == 0 && tls->lower_dead) {
            return 0;
        }
        tls->starved = 0;
        code = mbedtls_ssl_read(&tls->ssl, bytes, capacity);
        if (code > 0 || (code == 0 && capacity == 0) || code == IOTHUB_MBEDTLSI_LOWER_DEAD) {
            return code > 0 ? code : 0;
        }
        if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE) {
            tls->ended = code == 0 ? MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY : code;
        } else if (tls->starved || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
            return 0;
        }
    }
    return 0;
}

/* What came before the end may still be read: until then 0, then <0. */
static int iothub_mbedtlsi_over(IOTHUB_MBEDTLS *tls)
{
    if (tls->state != IOTHUB_MBEDTLSI_OPEN) {    /* a broken contract */
        return -1;
    }
    if (mbedtls_ssl_get_bytes_avail(&tls->ssl) != 0) {
        return 0;
    }
    return tls->ended ? iothub_mbedtlsi_fail_code(tls, tls->ended) : iothub_mbedtlsi_fail_lower(tls);
}

static int iothub_mbedtlsi_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;
    int answer;

    if (tls->state != IOTHUB_MBEDTLSI_OPEN) {
        return -1;
    }
    iothub_mbedtlsi_move_out(tls);
    answer = capacity != 0 ? iothub_mbedtlsi_move_in(tls, bytes, capacity) : 0;
    if (answer > 0 && tls->state == IOTHUB_MBEDTLSI_OPEN) {
        return answer;
    }
    return tls->ended || tls->lower_dead ? iothub_mbedtlsi_over(tls) : 0;
}

static int iothub_mbedtlsi_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;
    unsigned int taken = 0, part;
    unsigned char none = 0;

    if (tls->state != IOTHUB_MBEDTLSI_OPEN) {
        return -1;
    }
    if (mbedtls_ssl_get_bytes_avail(&tls->ssl) == 0) {
        (void)iothub_mbedtlsi_move_in(tls, &none, 0);
    }
    tls->pushing |= size == 0;
    iothub_mbedtlsi_move_out(tls);
    while (taken < size && !tls->emitting && !tls->ended && !tls->lower_dead) {
        part = (unsigned int)sizeof tls->hold - tls->held;
        part = part < size - taken ? part : size - taken;
        memcpy(tls->hold + tls->held, bytes + taken, part);
        tls->held += part;
        taken += part;
        iothub_mbedtlsi_move_out(tls);
    }
    if (size == 0 && tls->held == 0 && tls->unsent == 0) {
        taken = (unsigned int)(iothub_mbedtlsi_push_lower(tls) > 0);
    }
    return tls->ended || tls->lower_dead ? iothub_mbedtlsi_over(tls) : (int)taken;
}

/* RFC 5246 section 7.2.1 wants a close_notify; it is offered once, and nobody waits for it. */
static void iothub_mbedtlsi_close(void *context)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;

    if (tls->state == IOTHUB_MBEDTLSI_OPEN && !tls->ended && !tls->lower_dead && tls->unsent == 0) {
        (void)mbedtls_ssl_close_notify(&tls->ssl);
        (void)iothub_mbedtlsi_push_lower(tls);
    }
    if (tls->set_up) {
        mbedtls_ssl_free(&tls->ssl);
        mbedtls_ssl_config_free(&tls->config);
        tls->set_up = 0;
    }
    if (tls->state != IOTHUB_MBEDTLSI_CLOSED) {
        tls->lower.close(tls->lower.context);
        tls->state = IOTHUB_MBEDTLSI_CLOSED;     /* layer and raw stay: error() may be asked after close */
    }
    memset(tls->hold, 0, sizeof tls->hold);
}

static int iothub_mbedtlsi_error(void *context, long *raw)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;

    if (tls->layer == IOTHUB_LAYER_NONE && tls->lower.error != NULL) {
        return tls->lower.error(tls->lower.context, raw);
    }
    if (raw != NULL) {
        *raw = tls->raw;
    }
    return tls->layer;
}

/* ---- Options. A text that is refused changes nothing. ---- */

static void iothub_mbedtlsi_changed(IOTHUB_MBEDTLS *tls)
{
    iothub_mbedtlsi_forget_session(tls);
    tls->paired = 0;
    if (tls->state == IOTHUB_MBEDTLSI_HANDSHAKE) {
        (void)iothub_mbedtlsi_fail(tls, IOTHUB_LAYER_CONFIG, IOTHUB_MBEDTLS_ERROR_CHANGED);
    }
}

static int iothub_mbedtlsi_set_certificates(IOTHUB_MBEDTLS *tls, mbedtls_x509_crt *place, const char *pem)
{
    mbedtls_x509_crt read;

    mbedtls_x509_crt_init(&read);
    if (pem == NULL || mbedtls_x509_crt_parse(&read, (const unsigned char *)pem, strlen(pem) + 1) != 0) {
        mbedtls_x509_crt_free(&read);            /* >0: some could not be read */
        return -1;
    }
    iothub_mbedtlsi_changed(tls);
    mbedtls_x509_crt_free(place);
    *place = read;
    return 0;
}

static int iothub_mbedtlsi_set_key(IOTHUB_MBEDTLS *tls, const char *pem)
{
    mbedtls_pk_context read;
    int code = -1;

    mbedtls_pk_init(&read);
    (void)iothub_mbedtlsi_seed(tls);
    if (pem != NULL) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
        code = mbedtls_pk_parse_key(&read, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0, mbedtls_ctr_drbg_random, &tls->drbg);
#else
        code = mbedtls_pk_parse_key(&read, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0);
#endif
    }
    if (code != 0) {
        mbedtls_pk_free(&read);
        return -1;
    }
    iothub_mbedtlsi_changed(tls);
    mbedtls_pk_free(&tls->key);
    tls->key = read;
    return 0;
}

static int iothub_mbedtlsi_set_option(void *context, const char *name, const void *value)
{
    IOTHUB_MBEDTLS *tls = (IOTHUB_MBEDTLS *)context;

    if (strcmp(name, "TrustedCerts") == 0) {
        return iothub_mbedtlsi_set_certificates(tls, &tls->roots, (const char *)value);
    }
    if (strcmp(name, "x509certificate") == 0 || strcmp(name, "x509EccCertificate") == 0) {
        return iothub_mbedtlsi_set_certificates(tls, &tls->chain, (const char *)value);
    }
    if (strcmp(name, "x509privatekey") == 0 || strcmp(name, "x509EccAliasKey") == 0) {
        return iothub_mbedtlsi_set_key(tls, (const char *)value);
    }
    if (strcmp(name, "mbedtls_accept_unknown_date_INSECURE") == 0) {
        if (value == NULL) {
            return -1;
        }
        tls->accept_unknown_date = *(const bool *)value ? 1 : 0;
        iothub_mbedtlsi_forget_session(tls);
        return 0;
    }
    return tls->lower.set_option == NULL ? 1 : tls->lower.set_option(tls->lower.context, name, value);
}

/* ---- HMAC, entropy, session bytes ---- */

static int iothub_mbedtlsi_hmac_sha256(void *context, const unsigned char *key, unsigned int key_size,
                                       const unsigned char *data, unsigned int data_size, unsigned char digest[32])
{
    (void)context;
    if (key == NULL) {                           /* this port holds no key of its own */
        return -1;
    }
    return mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key, key_size, data, data_size, digest) == 0 ? 0 : -1;
}

int iothub_mbedtls_random(IOTHUB_MBEDTLS *tls, unsigned char *bytes, unsigned int size)
{
    unsigned int part;

    if (iothub_mbedtlsi_seed(tls) != 0) {
        return -1;
    }
    for (; size > 0; size -= part, bytes += part) {
        part = size < MBEDTLS_CTR_DRBG_MAX_REQUEST ? size : (unsigned int)MBEDTLS_CTR_DRBG_MAX_REQUEST;
        if (mbedtls_ctr_drbg_random(&tls->drbg, bytes, part) != 0) {
            return -1;
        }
    }
    return 0;
}

static const unsigned char iothub_mbedtlsi_mark[4] = { 'I', 'H', 'M', 1 };

size_t iothub_mbedtls_save_session(const IOTHUB_MBEDTLS *tls, unsigned char *bytes, size_t capacity)
{
    size_t size = 0;

    if (tls->session_date == 0 || capacity < IOTHUB_MBEDTLSI_HEAD ||
        mbedtls_ssl_session_save(&tls->session, bytes + IOTHUB_MBEDTLSI_HEAD, capacity - IOTHUB_MBEDTLSI_HEAD, &size) != 0) {
        return 0;
    }
    memcpy(bytes, iothub_mbedtlsi_mark, 4);
    bytes[4] = (unsigned char)(tls->session_date >> 24);
    bytes[5] = (unsigned char)(tls->session_date >> 16 & 0xFFu);
    bytes[6] = (unsigned char)(tls->session_date >> 8 & 0xFFu);
    bytes[7] = (unsigned char)(tls->session_date & 0xFFu);
    memcpy(bytes + 8, tls->session_host, 32);
    return size + IOTHUB_MBEDTLSI_HEAD;
}

int iothub_mbedtls_load_session(IOTHUB_MBEDTLS *tls, const unsigned char *bytes, size_t size)
{
    uint32_t date;

    if (size <= IOTHUB_MBEDTLSI_HEAD || memcmp(bytes, iothub_mbedtlsi_mark, 4) != 0) {
        return -1;
    }
    date = (uint32_t)bytes[4] << 24 | (uint32_t)bytes[5] << 16 | (uint32_t)bytes[6] << 8 | bytes[7];
    iothub_mbedtlsi_forget_session(tls);
    if (date < IOTHUB_MBEDTLSI_DATE_MINIMUM ||
        mbedtls_ssl_session_load(&tls->session, bytes + IOTHUB_MBEDTLSI_HEAD, size - IOTHUB_MBEDTLSI_HEAD) != 0) {
        iothub_mbedtlsi_forget_session(tls);     /* a half-read one is freed */
        return -1;
    }
    memcpy(tls->session_host, bytes + 8, 32);
    tls->session_date = date;
    return 0;
}

/* ---- Set up ---- */

void iothub_mbedtls_init(IOTHUB_MBEDTLS *tls, const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform)
{
    memset(tls, 0, sizeof *tls);
    tls->lower = *lower;
    tls->context = platform->context;
    tls->milliseconds = platform->milliseconds;
    tls->unix_time = platform->unix_time;
    tls->random = platform->random;
    tls->state = IOTHUB_MBEDTLSI_CLOSED;
#ifdef IOTHUB_MBEDTLS_ENTROPY
    mbedtls_entropy_init(&tls->entropy);
#endif
    mbedtls_ctr_drbg_init(&tls->drbg);
    mbedtls_x509_crt_init(&tls->roots);
    mbedtls_x509_crt_init(&tls->chain);
    mbedtls_pk_init(&tls->key);
    mbedtls_ssl_session_init(&tls->session);

    platform->io.context = tls;
    platform->io.open = iothub_mbedtlsi_open;
    platform->io.read = iothub_mbedtlsi_read;
    platform->io.write = iothub_mbedtlsi_write;
    platform->io.close = iothub_mbedtlsi_close;
    platform->io.set_option = iothub_mbedtlsi_set_option;
    platform->io.error = iothub_mbedtlsi_error;
    platform->hmac_sha256 = iothub_mbedtlsi_hmac_sha256;
}

void iothub_mbedtls_free(IOTHUB_MBEDTLS *tls)
{
    iothub_mbedtlsi_close(tls);
    mbedtls_ssl_session_free(&tls->session);
    mbedtls_x509_crt_free(&tls->roots);
    mbedtls_x509_crt_free(&tls->chain);
    mbedtls_pk_free(&tls->key);
    mbedtls_ctr_drbg_free(&tls->drbg);
#ifdef IOTHUB_MBEDTLS_ENTROPY
    mbedtls_entropy_free(&tls->entropy);
#endif
    memset(tls, 0, sizeof *tls);
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
