/* iothub_openssl.h - TLS 1.2 and 1.3 by OpenSSL (1.1.1 or 3.x) as a filter over any IOTHUB_IO.

   DO THIS in exactly one C or C++ file (the same one that holds the implementation of iothub_client.h is fine), link with
   -lssl -lcrypto:

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/openssl/iothub_openssl.h"

   and in the program, with the POSIX port as the lower stream:

       static IOTHUB_POSIX posix;  static IOTHUB_OPENSSL tls;  static IOTHUB_PLATFORM platform;
       iothub_posix_platform(&posix, &platform);
       iothub_openssl_init(&tls, iothub_posix_tcp(&posix), &platform);
       platform.io.set_option(platform.io.context, OPTION_TRUSTED_CERT, IOTHUB_ROOTS_PEM);       (ports/iothub_roots.h)

   WHAT IS CHECKED. The chain up to a trusted certificate, at security level 2 (RSA from 2048 bits, no SHA-1), its dates against
   platform->unix_time, and the host name (SNI is sent). There is no switch that turns this off: without trusted certificates
   open fails; those of the system and of the environment are not looked at. While the date is unknown open answers 0, and
   error() says IOTHUB_LAYER_TIME.
   WHAT IS SPOKEN. TLS 1.3, and TLS 1.2 with the eight suites that IoT Hub takes; no renegotiation, no compression.
   MEMORY. OpenSSL allocates, as it likes. SIGPIPE and sockets are the lower stream's business: this port has none.

   SETTING, the same in every file that includes this:
       IOTHUB_OPENSSL_HOLD        4096    bytes that share a record until they are pushed; at most 16384 */

#ifndef IOTHUB_OPENSSL_H
#define IOTHUB_OPENSSL_H

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#ifndef IOTHUB_OPENSSL_HOLD
#define IOTHUB_OPENSSL_HOLD 4096
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* error(): the raw code is OpenSSL's reason (1000 + alert received; 0 with IOTHUB_LAYER_TLS: the peer closed in order), for
   TLS_TRUST and TLS_NAME X509_V_ERR_..., the lower stream's, or one of these */
#define IOTHUB_OPENSSL_ERROR_NO_ROOTS (-1001L)   /* TLS_TRUST: nothing is trusted yet */
#define IOTHUB_OPENSSL_ERROR_CONTRACT (-1002L)   /* PORT: the lower stream answered more than was asked */
#define IOTHUB_OPENSSL_ERROR_KEY      (-1003L)   /* CONFIG: client certificate and private key are not a pair */
#define IOTHUB_OPENSSL_ERROR_CHANGED  (-1004L)   /* CONFIG: trust or certificate were changed during a handshake; try again */
#define IOTHUB_OPENSSL_ERROR_HOST     (-1005L)   /* TLS_NAME: no host name, one over 255 characters, or one that begins with a dot */

typedef struct IOTHUB_OPENSSL_TAG {              /* place it anywhere; the fields are the port's own */
    IOTHUB_IO lower;
    void *context;                               /* the platform's, for the function below */
    uint32_t (*unix_time)(void *context);

    int state;
    int layer;
    long raw;
    int lower_dead;                              /* what was received before may still be read */
    int starved;                                 /* the last read of the lower stream answered 0 */
    int unpushed;                                /* the lower stream took bytes that it was not told to push yet */
    int ended;                                   /* what SSL_get_error said at the end; 0: nothing yet */
    int pushing;                                 /* what is held shall go, full or not */
    int emitting;                                /* OpenSSL has the bytes of hold: it must be called with the same again */

    int accept_unknown_date;
    uint32_t date;                               /* at the beginning of the handshake; 0: unknown and accepted */
    SSL_CTX *settings;
    SSL *ssl;                                    /* from the handshake to close */
    BIO_METHOD *method;
    X509_STORE *roots;
    STACK_OF(X509) *chain;                       /* the client's, its own certificate first */
    EVP_PKEY *key;

    unsigned char host[32];                      /* SHA-256 of the host name of this connection */
    SSL_SESSION *session;                        /* of the last good handshake */
    unsigned char session_host[32];
    uint32_t session_date;                       /* when its certificates were checked; 0: no session */

    unsigned int held;
    unsigned char hold[IOTHUB_OPENSSL_HOLD];
} IOTHUB_OPENSSL;

/* Copies *lower and the functions of *platform; sets platform->io to the TLS stream, platform->hmac_sha256 to OpenSSL's, and
   platform->random to RAND_bytes when the platform has none. lower may be &platform->io. 0: done; <0: no memory. */
int iothub_openssl_init(IOTHUB_OPENSSL *tls, const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform);

/* Closes, and gives all memory back. */
void iothub_openssl_free(IOTHUB_OPENSSL *tls);

/* The session of the last good handshake as bytes, for a device that sleeps without its RAM: about 1 to 3 KB. Returns the size,
   or 0: there is none, or capacity is too small. With TLS 1.3 it comes with the first bytes that are read. Whoever has the bytes
   can read the connections of the session: keep them as secret as a key. */
size_t iothub_openssl_save_session(const IOTHUB_OPENSSL *tls, unsigned char *bytes, size_t capacity);

/* 0 taken, <0 not a session. Call it after the certificates are set: setting them forgets the session. It is used for the host
   it was made with, for 24 hours at most. */
int iothub_openssl_load_session(IOTHUB_OPENSSL *tls, const unsigned char *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_OPENSSL_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_OPENSSL_IMPLEMENTED)
#define IOTHUB_OPENSSL_IMPLEMENTED

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IOTHUB_OPENSSLI_DATE_MINIMUM 1704067200u /* 2024-01-01: a clock below it was never set */
#define IOTHUB_OPENSSLI_SESSION_LIFE 86400u      /* RFC 5246 appendix F.1.4: 24 hours at most */
#define IOTHUB_OPENSSLI_MOVES        4096        /* records of one call */
#define IOTHUB_OPENSSLI_HEAD         40u         /* of a saved session: mark 4, date 4, host 32 */
#define IOTHUB_OPENSSLI_SUITES \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384"

enum {
    IOTHUB_OPENSSLI_CLOSED,                      /* nothing is open */
    IOTHUB_OPENSSLI_LOWER,                       /* the lower stream is opening */
    IOTHUB_OPENSSLI_HANDSHAKE,
    IOTHUB_OPENSSLI_OPEN,
    IOTHUB_OPENSSLI_DEAD                         /* until close */
};

/* ---- Errors ---- */

static void iothub_openssli_forget_session(IOTHUB_OPENSSL *tls)
{
    SSL_SESSION_free(tls->session);
    tls->session = NULL;
    tls->session_date = 0;
}

/* The first failure stays until the next open. */
static int iothub_openssli_fail(IOTHUB_OPENSSL *tls, int layer, long raw)
{
    if (tls->state != IOTHUB_OPENSSLI_DEAD) {
        tls->state = IOTHUB_OPENSSLI_DEAD;
        tls->layer = layer;
        tls->raw = raw;
    }
    ERR_clear_error();
    return -1;
}

static int iothub_openssli_fail_lower(IOTHUB_OPENSSL *tls)
{
    long raw = 0;
    int layer = IOTHUB_LAYER_NONE;

    if (tls->lower.error != NULL) {
        layer = tls->lower.error(tls->lower.context, &raw);
    }
    return iothub_openssli_fail(tls, layer == IOTHUB_LAYER_NONE ? (int)IOTHUB_LAYER_TCP : layer, raw);
}

static int iothub_openssli_push_lower(IOTHUB_OPENSSL *tls)
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
static int iothub_openssli_fail_code(IOTHUB_OPENSSL *tls, int code)
{
    const long verified = SSL_get_verify_result(tls->ssl), raw = (long)ERR_GET_REASON(ERR_peek_error());

    if (code == SSL_ERROR_SYSCALL) {             /* from our BIO: the lower stream is dead */
        return iothub_openssli_fail_lower(tls);  /* a contract that was broken is noted already */
    }
    (void)iothub_openssli_push_lower(tls);       /* the alert that OpenSSL has sent */
    if (code == SSL_ERROR_ZERO_RETURN) {
        return iothub_openssli_fail(tls, IOTHUB_LAYER_TLS, 0);
    }
    iothub_openssli_forget_session(tls);
    if (verified == X509_V_ERR_HOSTNAME_MISMATCH) {
        return iothub_openssli_fail(tls, IOTHUB_LAYER_TLS_NAME, verified);
    }
    if (verified != X509_V_OK) {
        return iothub_openssli_fail(tls, IOTHUB_LAYER_TLS_TRUST, verified);
    }
    return iothub_openssli_fail(tls, IOTHUB_LAYER_TLS, raw);
}

/* ---- What OpenSSL calls ---- */

static int iothub_openssli_lower_answer(IOTHUB_OPENSSL *tls, int answer, int asked)
{
    if (answer > asked) {
        answer = iothub_openssli_fail(tls, IOTHUB_LAYER_PORT, IOTHUB_OPENSSL_ERROR_CONTRACT);
    }
    if (answer < 0) {
        tls->lower_dead = 1;
    }
    return answer;
}

static int iothub_openssli_bio_write(BIO *bio, const char *bytes, int size)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)BIO_get_data(bio);
    int answer;

    BIO_clear_retry_flags(bio);
    if (size <= 0 || tls->lower_dead) {
        return -1;
    }
    size = size > 32767 ? 32767 : size;
    answer = iothub_openssli_lower_answer(tls, tls->lower.write(tls->lower.context, (const unsigned char *)bytes, (unsigned int)size), size);
    if (answer > 0) {
        tls->unpushed = 1;
        return answer;
    }
    if (answer == 0) {
        BIO_set_retry_write(bio);
    }
    return -1;
}

static int iothub_openssli_bio_read(BIO *bio, char *bytes, int capacity)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)BIO_get_data(bio);
    int answer;

    BIO_clear_retry_flags(bio);
    if (capacity <= 0 || tls->lower_dead) {
        return -1;
    }
    capacity = capacity > 32767 ? 32767 : capacity;
    answer = iothub_openssli_lower_answer(tls, tls->lower.read(tls->lower.context, (unsigned char *)bytes, (unsigned int)capacity), capacity);
    tls->starved = answer == 0;
    if (answer == 0) {
        BIO_set_retry_read(bio);
    }
    return answer > 0 ? answer : -1;
}

static long iothub_openssli_bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;            /* pushing is told to the lower stream elsewhere, where its 0 can wait */
}

static int iothub_openssli_no_password(char *bytes, int size, int writing, void *context)
{
    (void)bytes;
    (void)size;
    (void)writing;
    (void)context;
    return -1;                                   /* OpenSSL would ask at the terminal */
}

/* A session is there: with TLS 1.2 at the end of the handshake, with 1.3 later. A resumed one keeps the day on which its
   certificates were checked; one that was verified without a date is not kept, because later nobody would look again. */
static int iothub_openssli_new_session(SSL *ssl, SSL_SESSION *session)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)SSL_get_app_data(ssl);
    const uint32_t date = SSL_session_reused(ssl) ? tls->session_date : tls->date;

    if (date == 0) {
        return 0;
    }
    SSL_SESSION_free(tls->session);
    tls->session = session;                      /* 1: this reference is ours */
    tls->session_date = date;
    memcpy(tls->session_host, tls->host, sizeof tls->host);
    return 1;
}

/* ---- Handshake ---- */

/* A session is used again for the host that it was verified for, and only while that verification is young enough. */
static int iothub_openssli_may_resume(const IOTHUB_OPENSSL *tls)
{
    return tls->session_date != 0 && tls->date - tls->session_date <= IOTHUB_OPENSSLI_SESSION_LIFE &&
           memcmp(tls->host, tls->session_host, sizeof tls->host) == 0;
}

static int iothub_openssli_start(IOTHUB_OPENSSL *tls, const char *host)
{
    X509_VERIFY_PARAM *check;
    BIO *bio;
    int i, good;

    ERR_clear_error();
    SSL_CTX_set1_cert_store(tls->settings, tls->roots);
    tls->ssl = SSL_new(tls->settings);
    bio = tls->ssl == NULL ? NULL : BIO_new(tls->method);
    if (bio == NULL) {
        return iothub_openssli_fail(tls, IOTHUB_LAYER_MEMORY, 0);
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_connect_state(tls->ssl);
    SSL_set_app_data(tls->ssl, tls);
    check = SSL_get0_param(tls->ssl);
    X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (tls->date != 0) {
        X509_VERIFY_PARAM_set_time(check, (time_t)tls->date);
    } else {
        (void)X509_VERIFY_PARAM_set_flags(check, X509_V_FLAG_NO_CHECK_TIME);
    }
    (void)X509_VERIFY_PARAM_set_flags(check, X509_V_FLAG_PARTIAL_CHAIN);         /* what is trusted need not be a root */
    good = SSL_set_tlsext_host_name(tls->ssl, host) == 1 && X509_VERIFY_PARAM_set1_host(check, host, strlen(host)) == 1;
    if (good && tls->chain != NULL) {
        good = SSL_use_certificate(tls->ssl, sk_X509_value(tls->chain, 0)) == 1 && SSL_use_PrivateKey(tls->ssl, tls->key) == 1;
        for (i = 1; good && i < sk_X509_num(tls->chain); i++) {
            good = SSL_add1_chain_cert(tls->ssl, sk_X509_value(tls->chain, i)) == 1;
        }
    }
    if (good && iothub_openssli_may_resume(tls)) {
        good = SSL_set_session(tls->ssl, tls->session) == 1;
    }
    tls->state = IOTHUB_OPENSSLI_HANDSHAKE;
    return good ? 0 : iothub_openssli_fail_code(tls, SSL_ERROR_SSL);
}

static int iothub_openssli_handshake(IOTHUB_OPENSSL *tls)
{
    int answer, code, moves;

    for (moves = 0; moves < IOTHUB_OPENSSLI_MOVES && !SSL_is_init_finished(tls->ssl); moves++) {
        ERR_clear_error();
        tls->starved = 0;
        answer = SSL_do_handshake(tls->ssl);
        if (tls->state != IOTHUB_OPENSSLI_HANDSHAKE) {   /* a broken contract: nothing more is believed */
            return -1;
        }
        if (answer == 1) {
            break;
        }
        code = SSL_get_error(tls->ssl, answer);
        if (code == SSL_ERROR_WANT_WRITE) {
            return 0;
        }
        if (code != SSL_ERROR_WANT_READ) {
            return iothub_openssli_fail_code(tls, code);
        }
        if (tls->starved) {
            return iothub_openssli_push_lower(tls) < 0 ? iothub_openssli_fail_lower(tls) : 0;
        }
    }
    answer = iothub_openssli_push_lower(tls);
    if (answer <= 0 || !SSL_is_init_finished(tls->ssl)) {
        return answer < 0 ? iothub_openssli_fail_lower(tls) : 0;
    }
    tls->state = IOTHUB_OPENSSLI_OPEN;
    tls->layer = IOTHUB_LAYER_NONE;
    tls->raw = 0;
    return 1;
}

/* Before the lower stream is opened, so that no connection waits for a clock or for entropy.
   1 goes on, 0 one of them is missing, <0 this cannot work */
static int iothub_openssli_ready(IOTHUB_OPENSSL *tls, const char *host)
{
    unsigned int size = 0;

    tls->layer = IOTHUB_LAYER_NONE;
    tls->raw = 0;
    tls->lower_dead = tls->starved = tls->unpushed = tls->ended = tls->pushing = tls->emitting = 0;
    tls->held = 0;
    if (tls->roots == NULL) {
        return iothub_openssli_fail(tls, IOTHUB_LAYER_TLS_TRUST, IOTHUB_OPENSSL_ERROR_NO_ROOTS);
    }
    if (host == NULL || host[0] == '\0' || host[0] == '.' || strlen(host) > 255) {       /* OpenSSL takes "" for "do not check" */
        return iothub_openssli_fail(tls, IOTHUB_LAYER_TLS_NAME, IOTHUB_OPENSSL_ERROR_HOST);
    }
    if ((tls->chain != NULL || tls->key != NULL) &&
        (tls->chain == NULL || tls->key == NULL || X509_check_private_key(sk_X509_value(tls->chain, 0), tls->key) != 1)) {
        return iothub_openssli_fail(tls, IOTHUB_LAYER_CONFIG, IOTHUB_OPENSSL_ERROR_KEY);
    }
    tls->date = tls->unix_time(tls->context);
    if (tls->date < IOTHUB_OPENSSLI_DATE_MINIMUM) {
        tls->date = 0;
        if (!tls->accept_unknown_date) {
            tls->layer = IOTHUB_LAYER_TIME;
            return 0;
        }
    }
    if (RAND_status() != 1) {
        tls->layer = IOTHUB_LAYER_ENTROPY;
        return 0;
    }
    return EVP_Digest(host, strlen(host), tls->host, &size, EVP_sha256(), NULL) == 1 ? 1 : iothub_openssli_fail(tls, IOTHUB_LAYER_MEMORY, 0);
}

/* ---- The stream ---- */

static int iothub_openssli_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)context;
    int answer;

    switch (tls->state) {
    case IOTHUB_OPENSSLI_CLOSED:
        answer = iothub_openssli_ready(tls, host);
        if (answer <= 0) {
            return answer;
        }
        tls->state = IOTHUB_OPENSSLI_LOWER;
        /* fall through */
    case IOTHUB_OPENSSLI_LOWER:
        answer = tls->lower.open(tls->lower.context, host, port);
        if (answer <= 0) {
            return answer < 0 ? iothub_openssli_fail_lower(tls) : 0;
        }
        if (iothub_openssli_start(tls, host) < 0) {
            return -1;
        }
        /* fall through */
    case IOTHUB_OPENSSLI_HANDSHAKE:
        return iothub_openssli_handshake(tls);
    case IOTHUB_OPENSSLI_OPEN:
        return 1;
    default:
        return -1;
    }
}

/* Makes a record of what is held, and sends it as far as the lower stream takes it. OpenSSL wants the same bytes again after
   WANT_WRITE, so hold does not change while it is emitting. */
static void iothub_openssli_move_out(IOTHUB_OPENSSL *tls)
{
    int answer, code;

    if (tls->held == 0 || tls->ended || tls->lower_dead || !(tls->emitting || tls->pushing || tls->held == sizeof tls->hold)) {
        return;
    }
    ERR_clear_error();
    tls->emitting = 1;
    answer = SSL_write(tls->ssl, tls->hold, (int)tls->held);
    if (answer > 0) {                            /* all of it: partial writes are not enabled, and it is one record */
        tls->emitting = tls->pushing = 0;
        tls->held = 0;
        return;
    }
    code = SSL_get_error(tls->ssl, answer);
    if (code != SSL_ERROR_WANT_WRITE && code != SSL_ERROR_WANT_READ && code != SSL_ERROR_SYSCALL) {
        tls->ended = code;
    }
}

/* >0 bytes, 0 none now or the end (which is noted). bytes NULL receives a record and leaves it with OpenSSL. */
static int iothub_openssli_move_in(IOTHUB_OPENSSL *tls, unsigned char *bytes, unsigned int capacity)
{
    int moves, answer, code;
    unsigned char first;

    for (moves = 0; moves < IOTHUB_OPENSSLI_MOVES && !tls->ended; moves++) {
        if (SSL_pending(tls->ssl) == 0 && tls->lower_dead) {
            return 0;
        }
        ERR_clear_error();
        tls->starved = 0;
        answer = bytes == NULL ? SSL_peek(tls->ssl, &first, 1) : SSL_read(tls->ssl, bytes, (int)capacity);
        if (answer > 0) {
            return bytes != NULL ? answer : 0;
        }
        code = SSL_get_error(tls->ssl, answer);
        if (code == SSL_ERROR_SYSCALL && tls->lower_dead) {
            return 0;
        }
        if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE) {
            tls->ended = code;
        } else if (tls->starved || code == SSL_ERROR_WANT_WRITE) {
            return 0;
        }
    }
    return 0;
}

/* What came before the end may still be read: until then 0, then <0. */
static int iothub_openssli_over(IOTHUB_OPENSSL *tls)
{
    if (tls->state != IOTHUB_OPENSSLI_OPEN) {    /* a broken contract */
        return -1;
    }
    if (SSL_pending(tls->ssl) != 0) {
        return 0;
    }
    return tls->ended ? iothub_openssli_fail_code(tls, tls->ended) : iothub_openssli_fail_lower(tls);
}

static int iothub_openssli_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)context;
    int answer;

    if (tls->state != IOTHUB_OPENSSLI_OPEN) {
        return -1;
    }
    iothub_openssli_move_out(tls);
    answer = capacity != 0 ? iothub_openssli_move_in(tls, bytes, capacity) : 0;
    if (answer > 0 && tls->state == IOTHUB_OPENSSLI_OPEN) {
        return answer;
    }
    return tls->ended || tls->lower_dead ? iothub_openssli_over(tls) : 0;
}

static int iothub_openssli_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)context;
    unsigned int taken = 0, part;

    if (tls->state != IOTHUB_OPENSSLI_OPEN) {
        return -1;
    }
    if (SSL_pending(tls->ssl) == 0) {
        (void)iothub_openssli_move_in(tls, NULL, 0);
    }
    tls->pushing |= size == 0 && tls->held != 0;
    iothub_openssli_move_out(tls);
    while (taken < size && !tls->emitting && !tls->ended && !tls->lower_dead) {
        part = (unsigned int)sizeof tls->hold - tls->held;
        part = part < size - taken ? part : size - taken;
        memcpy(tls->hold + tls->held, bytes + taken, part);
        tls->held += part;
        taken += part;
        iothub_openssli_move_out(tls);
    }
    if (size == 0 && tls->held == 0) {
        taken = (unsigned int)(iothub_openssli_push_lower(tls) > 0);
    }
    return tls->ended || tls->lower_dead ? iothub_openssli_over(tls) : (int)taken;
}

/* RFC 5246 section 7.2.1 wants a close_notify; it is offered once, and nobody waits for it. OpenSSL would make a session
   unusable whose connection did not end by one; a link that was cut is no reason for that. */
static void iothub_openssli_close(void *context)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)context;

    if (tls->state == IOTHUB_OPENSSLI_OPEN && !tls->ended && !tls->lower_dead && !tls->emitting) {
        (void)SSL_shutdown(tls->ssl);
        (void)iothub_openssli_push_lower(tls);
    }
    if (tls->ssl != NULL) {
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(tls->ssl);
        tls->ssl = NULL;
        ERR_clear_error();
    }
    if (tls->state != IOTHUB_OPENSSLI_CLOSED) {
        tls->lower.close(tls->lower.context);
        tls->state = IOTHUB_OPENSSLI_CLOSED;     /* layer and raw stay: error() may be asked after close */
    }
    OPENSSL_cleanse(tls->hold, sizeof tls->hold);
}

static int iothub_openssli_error(void *context, long *raw)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)context;

    if (tls->layer == IOTHUB_LAYER_NONE && tls->lower.error != NULL) {
        return tls->lower.error(tls->lower.context, raw);
    }
    if (raw != NULL) {
        *raw = tls->raw;
    }
    return tls->layer;
}

/* ---- Options. A text that is refused changes nothing. ---- */

static void iothub_openssli_changed(IOTHUB_OPENSSL *tls)
{
    iothub_openssli_forget_session(tls);
    if (tls->state == IOTHUB_OPENSSLI_HANDSHAKE) {
        (void)iothub_openssli_fail(tls, IOTHUB_LAYER_CONFIG, IOTHUB_OPENSSL_ERROR_CHANGED);
    }
}

static void iothub_openssli_free_chain(STACK_OF(X509) *chain)
{
    while (chain != NULL && sk_X509_num(chain) > 0) {
        X509_free(sk_X509_pop(chain));
    }
    sk_X509_free(chain);
}

/* All certificates of the text, or NULL. */
static STACK_OF(X509) *iothub_openssli_certificates(const char *pem)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    BIO *text = pem == NULL ? NULL : BIO_new_mem_buf(pem, -1);
    X509 *certificate;
    int good = 0;

    ERR_clear_error();
    while (chain != NULL && text != NULL) {
        certificate = PEM_read_bio_X509(text, NULL, iothub_openssli_no_password, NULL);
        if (certificate == NULL || sk_X509_push(chain, certificate) == 0) {
            X509_free(certificate);              /* the end of the text, or something else in it */
            good = sk_X509_num(chain) > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            break;
        }
    }
    BIO_free(text);
    ERR_clear_error();
    if (!good) {
        iothub_openssli_free_chain(chain);
        return NULL;
    }
    return chain;
}

static int iothub_openssli_set_roots(IOTHUB_OPENSSL *tls, const char *pem)
{
    STACK_OF(X509) *read = iothub_openssli_certificates(pem);
    X509_STORE *store = read == NULL ? NULL : X509_STORE_new();
    int i, good = store != NULL;

    for (i = 0; good && i < sk_X509_num(read); i++) {
        good = X509_STORE_add_cert(store, sk_X509_value(read, i)) == 1;
    }
    iothub_openssli_free_chain(read);
    if (!good) {
        X509_STORE_free(store);
        return -1;
    }
    iothub_openssli_changed(tls);
    X509_STORE_free(tls->roots);
    tls->roots = store;
    return 0;
}

static int iothub_openssli_set_chain(IOTHUB_OPENSSL *tls, const char *pem)
{
    STACK_OF(X509) *read = iothub_openssli_certificates(pem);

    if (read == NULL) {
        return -1;
    }
    iothub_openssli_changed(tls);
    iothub_openssli_free_chain(tls->chain);
    tls->chain = read;
    return 0;
}

static int iothub_openssli_set_key(IOTHUB_OPENSSL *tls, const char *pem)
{
    BIO *text = pem == NULL ? NULL : BIO_new_mem_buf(pem, -1);
    EVP_PKEY *read = text == NULL ? NULL : PEM_read_bio_PrivateKey(text, NULL, iothub_openssli_no_password, NULL);

    BIO_free(text);
    ERR_clear_error();
    if (read == NULL) {
        return -1;
    }
    iothub_openssli_changed(tls);
    EVP_PKEY_free(tls->key);
    tls->key = read;
    return 0;
}

static int iothub_openssli_set_option(void *context, const char *name, const void *value)
{
    IOTHUB_OPENSSL *tls = (IOTHUB_OPENSSL *)context;

    if (strcmp(name, "TrustedCerts") == 0) {
        return iothub_openssli_set_roots(tls, (const char *)value);
    }
    if (strcmp(name, "x509certificate") == 0 || strcmp(name, "x509EccCertificate") == 0) {
        return iothub_openssli_set_chain(tls, (const char *)value);
    }
    if (strcmp(name, "x509privatekey") == 0 || strcmp(name, "x509EccAliasKey") == 0) {
        return iothub_openssli_set_key(tls, (const char *)value);
    }
    if (strcmp(name, "openssl_accept_unknown_date_INSECURE") == 0) {
        if (value == NULL) {
            return -1;
        }
        tls->accept_unknown_date = *(const bool *)value ? 1 : 0;
        iothub_openssli_forget_session(tls);
        return 0;
    }
    return tls->lower.set_option == NULL ? 1 : tls->lower.set_option(tls->lower.context, name, value);
}

/* ---- HMAC, entropy, session bytes ---- */

static int iothub_openssli_hmac_sha256(void *context, const unsigned char *key, unsigned int key_size,
                                       const unsigned char *data, unsigned int data_size, unsigned char digest[32])
{
    unsigned int size = 0;

    (void)context;
    if (key == NULL) {                           /* this port holds no key of its own */
        return -1;
    }
    return HMAC(EVP_sha256(), key, (int)key_size, data, data_size, digest, &size) != NULL ? 0 : -1;
}

static int iothub_openssli_random(void *context, unsigned char *bytes, unsigned int size)
{
    (void)context;
    return RAND_bytes(bytes, (int)size) == 1 ? 0 : -1;
}

static const unsigned char iothub_openssli_mark[4] = { 'I', 'H', 'O', 1 };

size_t iothub_openssl_save_session(const IOTHUB_OPENSSL *tls, unsigned char *bytes, size_t capacity)
{
    const int size = tls->session_date == 0 ? 0 : i2d_SSL_SESSION(tls->session, NULL);
    unsigned char *at = bytes + IOTHUB_OPENSSLI_HEAD;

    if (size <= 0 || capacity < IOTHUB_OPENSSLI_HEAD + (size_t)size) {
        return 0;
    }
    memcpy(bytes, iothub_openssli_mark, 4);
    bytes[4] = (unsigned char)(tls->session_date >> 24);
    bytes[5] = (unsigned char)(tls->session_date >> 16 & 0xFFu);
    bytes[6] = (unsigned char)(tls->session_date >> 8 & 0xFFu);
    bytes[7] = (unsigned char)(tls->session_date & 0xFFu);
    memcpy(bytes + 8, tls->session_host, 32);
    (void)i2d_SSL_SESSION(tls->session, &at);
    return IOTHUB_OPENSSLI_HEAD + (size_t)size;
}

int iothub_openssl_load_session(IOTHUB_OPENSSL *tls, const unsigned char *bytes, size_t size)
{
    const unsigned char *at = bytes + IOTHUB_OPENSSLI_HEAD;
    SSL_SESSION *read;
    uint32_t date;

    if (size <= IOTHUB_OPENSSLI_HEAD || memcmp(bytes, iothub_openssli_mark, 4) != 0) {
        return -1;
    }
    date = (uint32_t)bytes[4] << 24 | (uint32_t)bytes[5] << 16 | (uint32_t)bytes[6] << 8 | bytes[7];
    read = date < IOTHUB_OPENSSLI_DATE_MINIMUM ? NULL : d2i_SSL_SESSION(NULL, &at, (long)(size - IOTHUB_OPENSSLI_HEAD));
    ERR_clear_error();
    if (read == NULL) {
        return -1;
    }
    iothub_openssli_forget_session(tls);
    tls->session = read;
    memcpy(tls->session_host, bytes + 8, 32);
    tls->session_date = date;
    return 0;
}

/* ---- Set up ---- */

int iothub_openssl_init(IOTHUB_OPENSSL *tls, const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform)
{
    memset(tls, 0, sizeof *tls);
    tls->lower = *lower;
    tls->context = platform->context;
    tls->unix_time = platform->unix_time;
    tls->state = IOTHUB_OPENSSLI_CLOSED;
    tls->settings = SSL_CTX_new(TLS_client_method());
    tls->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "IOTHUB_IO");
    if (tls->settings == NULL || tls->method == NULL || SSL_CTX_set_min_proto_version(tls->settings, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(tls->settings, IOTHUB_OPENSSLI_SUITES) != 1) {
        iothub_openssl_free(tls);
        return -1;
    }
    (void)BIO_meth_set_write(tls->method, iothub_openssli_bio_write);
    (void)BIO_meth_set_read(tls->method, iothub_openssli_bio_read);
    (void)BIO_meth_set_ctrl(tls->method, iothub_openssli_bio_control);
    SSL_CTX_set_security_level(tls->settings, 2);
    SSL_CTX_set_options(tls->settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(tls->settings, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(tls->settings, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls->settings, iothub_openssli_new_session);

    platform->io.context = tls;
    platform->io.open = iothub_openssli_open;
    platform->io.read = iothub_openssli_read;
    platform->io.write = iothub_openssli_write;
    platform->io.close = iothub_openssli_close;
    platform->io.set_option = iothub_openssli_set_option;
    platform->io.error = iothub_openssli_error;
    platform->hmac_sha256 = iothub_openssli_hmac_sha256;
    if (platform->random == NULL) {
        platform->random = iothub_openssli_random;
    }
    return 0;
}

void iothub_openssl_free(IOTHUB_OPENSSL *tls)
{
    if (tls->settings != NULL) {
        iothub_openssli_close(tls);
    }
    SSL_SESSION_free(tls->session);
    X509_STORE_free(tls->roots);
    iothub_openssli_free_chain(tls->chain);
    EVP_PKEY_free(tls->key);
    SSL_CTX_free(tls->settings);
    BIO_meth_free(tls->method);
    memset(tls, 0, sizeof *tls);
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
