/* iothub_bearssl.h - TLS 1.2 by BearSSL as a filter over any IOTHUB_IO: POSIX sockets, lwIP, a modem, a test pipe.

   DO THIS in exactly one C or C++ file (the same one that holds the implementation of iothub_client.h is fine):

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/bearssl/iothub_bearssl.h"

   and in the program, with the POSIX port as the lower stream:

       static IOTHUB_POSIX posix;  static IOTHUB_BEARSSL tls;  static IOTHUB_PLATFORM platform;
       static unsigned char buffer[IOTHUB_BEARSSL_BUFFER_MONO];
       iothub_posix_platform(&posix, &platform);
       iothub_bearssl_init(&tls, iothub_posix_tcp(&posix), &platform, buffer, sizeof buffer);
       iothub_bearssl_trust(&tls, IOTHUB_ROOTS_ANCHORS, IOTHUB_ROOTS_ANCHORS_COUNT);

   WHAT IS CHECKED. The chain up to a trust anchor, its signatures (RSA from 2048 bits, ECDSA; SHA-256, SHA-384, SHA-512),
   its dates against platform->unix_time, and the host name (SNI is sent; the common name counts only without SAN). There is no switch that turns this off: without
   anchors open fails. While the date is unknown open answers 0, and error() says IOTHUB_LAYER_TIME.
   WHAT IS SPOKEN. TLS 1.2, the eight suites that IoT Hub takes, P-256, P-384 and X25519, no renegotiation.

   NEVER STUCK. Both directions have their own buffer, whatever the caller's buffer size is: the caller's buffer receives,
   and what is sent goes through 597 bytes in the struct (or through the end of the caller's buffer, when that is larger
   than one full record needs). A BearSSL buffer shared by both directions cannot read while a record waits to be sent; with
   a peer that stops reading until it is read from, both would wait for ever.

   ONE CALL OF OPEN goes on until nothing came from below, or IOTHUB_BEARSSL_SLICE_MS have passed. Bytes of the handshake
   reach the engine one at a time, so beyond that time a call holds one step at most: the check of one signature, or the
   key exchange (two multiplications on the curve, and with a client certificate its private-key operation). README.md in
   this folder has measured times.

   SETTINGS, defined before the implementation is included:
       IOTHUB_BEARSSL_SLICE_MS               10   milliseconds after which open returns to the caller
       IOTHUB_BEARSSL_NO_PEM                      no TrustedCerts, TrustedCertsDer, client certificate (they become unknown)
       IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE       no client certificate
       IOTHUB_BEARSSL_NO_CBC                      only the four GCM suites */

#ifndef IOTHUB_BEARSSL_H
#define IOTHUB_BEARSSL_H

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#ifdef ARDUINO_ARCH_ESP8266
#include <bearssl/bearssl.h>                     /* where its core has it */
#else
#include <bearssl.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes of the caller's buffer. A record from the peer must fit, 325 bytes of overhead included. A server that knows
   RFC 6066 section 4 is asked for small records; one that does not may send 16,384 bytes, and then only MONO is safe. */
#define IOTHUB_BEARSSL_BUFFER_MINIMUM 837        /* receives records of 512 bytes;    sends records of 512 */
#define IOTHUB_BEARSSL_BUFFER_MONO    16709      /* receives records of 16,384 bytes; sends records of 512 */
#define IOTHUB_BEARSSL_BUFFER_BIDI    33178      /* receives and sends records of 16,384 bytes */
#define IOTHUB_BEARSSL_BUFFER_OUTPUT  597        /* in the struct: 512 bytes, and 85 of overhead */

#define IOTHUB_BEARSSL_SESSION_SIZE   125        /* bytes of a saved session */

/* error(): the raw code is BearSSL's (BR_ERR_..., 256 + alert received, 512 + alert sent; 0 with IOTHUB_LAYER_TLS: the
   peer closed in order), the lower stream's, or one of these */
#define IOTHUB_BEARSSL_ERROR_NO_ANCHORS 1001     /* TLS_TRUST: neither iothub_bearssl_trust nor TrustedCerts gave any */
#define IOTHUB_BEARSSL_ERROR_CONTRACT   1002     /* PORT: the lower stream answered more than was asked */
#define IOTHUB_BEARSSL_ERROR_KEY        1003     /* CONFIG: client certificate without its private key, or of another type */
#define IOTHUB_BEARSSL_ERROR_CHANGED    1004     /* CONFIG: trust or certificate were changed during a handshake; try again */
#define IOTHUB_BEARSSL_ERROR_HOST       1005     /* TLS_NAME: no host name, or one over 255 characters */

typedef struct IOTHUB_BEARSSL_BYTES_TAG {        /* value of the option TrustedCertsDer */
    const unsigned char *bytes;                  /* one DER certificate, or several one after the other */
    size_t size;
} IOTHUB_BEARSSL_BYTES;

typedef struct IOTHUB_BEARSSL_DECODER_TAG {      /* of PEM and DER; works in the memory that the next handshake needs */
    br_pem_decoder_context pem;
    union {
        br_x509_decoder_context certificate;
        br_skey_decoder_context key;
    } der;
    unsigned char *store;                        /* where decoded bytes go; NULL: they are only counted */
    void *table;                                 /* where their descriptions go */
    size_t used;
    size_t start;                                /* used at the beginning of the present object */
    size_t count;                                /* finished objects */
    int key_type;                                /* of the first object */
    int what;
    int inside;                                  /* an object of the wanted kind has begun */
    int bad;
} IOTHUB_BEARSSL_DECODER;

typedef struct IOTHUB_BEARSSL_DATE_TAG {         /* stands before the X.509 engine when the date is unknown and accepted */
    const br_x509_class *vtable;
    br_x509_minimal_context *x509;
    int first;                                   /* in the server's own certificate */
    unsigned int matched;                        /* bytes of the head of its validity seen so far */
    unsigned char digits[15];
} IOTHUB_BEARSSL_DATE;

typedef struct IOTHUB_BEARSSL_TAG {              /* place it anywhere; the fields are the port's own */
    IOTHUB_IO lower;
    void *context;                               /* the platform's, for the three functions below */
    uint32_t (*milliseconds)(void *context);
    uint32_t (*unix_time)(void *context);
    int (*random)(void *context, unsigned char *bytes, unsigned int size);
    unsigned char *buffer;
    size_t buffer_size;

    int state;
    int layer;
    long raw;
    int lower_dead;                              /* what was received before may still be read */
    int unpushed;                                /* the lower stream took bytes that it was not told to push yet */
    uint32_t date;                               /* at the beginning of the handshake; 0: unknown and accepted */
    int resuming;
    int accept_unknown_date;
    int rsa_only;

    const br_x509_trust_anchor *anchors;
    size_t anchor_count;
    const br_x509_certificate *chain;
    size_t chain_count;
    int chain_key_type;
    int key_type;                                /* 0: no private key */
    br_rsa_private_key rsa_key;
    br_ec_private_key ec_key;
    unsigned char *memory;                       /* anchors, chain and key, in this order, without gaps */
    size_t memory_size;
    size_t part_size[3];

    br_ssl_session_parameters session;           /* of the last handshake that was verified to its end */
    unsigned char session_host[32];              /* SHA-256 of its host name */
    uint32_t session_date;                       /* when its certificates were checked; 0: no session */

    unsigned int staged, staged_used;            /* handshake bytes that wait for their turn */
    unsigned char stage[64];                     /* and, while the lower stream opens, the seed */
    br_ec_impl curves;
    IOTHUB_BEARSSL_DATE dated;
    br_ssl_client_context client;
    union {
        br_x509_minimal_context x509;
        IOTHUB_BEARSSL_DECODER decoder;
    } work;
    unsigned char output[IOTHUB_BEARSSL_BUFFER_OUTPUT];
} IOTHUB_BEARSSL;

/* Copies *lower and the functions of *platform; sets platform->io to the TLS stream and platform->hmac_sha256 to
   BearSSL's. lower may be &platform->io. The buffer is borrowed for good. 0: done; <0: the buffer is too small, and
   nothing was changed. */
int iothub_bearssl_init(IOTHUB_BEARSSL *tls, const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform,
                        unsigned char *buffer, size_t buffer_size);

/* Ready-made anchors, borrowed. They replace what was trusted before; so does the option TrustedCerts. */
void iothub_bearssl_trust(IOTHUB_BEARSSL *tls, const br_x509_trust_anchor *anchors, size_t count);

/* Borrowed memory for what the options decode: about 450 bytes an RSA-2048 anchor, 700 an RSA-4096 anchor, 300 an EC
   anchor (32-bit machines: 30 less), the size of its DER and 16 bytes a client certificate, 640 (RSA-2048), 1280
   (RSA-4096) or 48 (P-384) a private key. Forgets what was decoded before. */
void iothub_bearssl_memory(IOTHUB_BEARSSL *tls, unsigned char *memory, size_t size);

/* The session of the last good handshake as bytes, for a device that sleeps without its RAM. Returns
   IOTHUB_BEARSSL_SESSION_SIZE, or 0: there is none, or capacity is too small. Whoever has the bytes can read the
   connections of the session: keep them as secret as a key. */
size_t iothub_bearssl_save_session(const IOTHUB_BEARSSL *tls, unsigned char *bytes, size_t capacity);

/* 0 taken, <0 not a session of this version. Call it after the certificates are set: setting them forgets the session.
   It is used for the host it was made with, for 24 hours at most; the server decides whether it remembers it. */
int iothub_bearssl_load_session(IOTHUB_BEARSSL *tls, const unsigned char *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_BEARSSL_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_BEARSSL_IMPLEMENTED)
#define IOTHUB_BEARSSL_IMPLEMENTED

#include <string.h>

#ifndef IOTHUB_BEARSSL_SLICE_MS
#define IOTHUB_BEARSSL_SLICE_MS 10
#endif
#if defined(IOTHUB_BEARSSL_NO_PEM) && !defined(IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE)
#define IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define IOTHUB_BEARSSLI_DATE_MINIMUM 1704067200u /* 2024-01-01: a clock below it was never set */
#define IOTHUB_BEARSSLI_SESSION_LIFE 86400u      /* RFC 5246 appendix F.1.4: 24 hours at most */
#define IOTHUB_BEARSSLI_OPEN_MOVES   4096        /* steps of one call of open */
#define IOTHUB_BEARSSLI_ASK          32767u      /* what one call of the lower stream may be asked for */

enum {
    IOTHUB_BEARSSLI_CLOSED,                      /* nothing is open */
    IOTHUB_BEARSSLI_LOWER,                       /* the lower stream is opening */
    IOTHUB_BEARSSLI_HANDSHAKE,
    IOTHUB_BEARSSLI_OPEN,
    IOTHUB_BEARSSLI_DEAD                         /* until close */
};

enum { IOTHUB_BEARSSLI_TRUST, IOTHUB_BEARSSLI_CHAIN, IOTHUB_BEARSSLI_KEY, IOTHUB_BEARSSLI_PARTS };

/* ---- Errors ---- */

static void iothub_bearssli_forget_session(IOTHUB_BEARSSL *tls)
{
    memset(&tls->session, 0, sizeof tls->session);
    tls->session_date = 0;
}

/* The first failure stays until the next open. */
static int iothub_bearssli_fail(IOTHUB_BEARSSL *tls, int layer, long raw)
{
    if (tls->state != IOTHUB_BEARSSLI_DEAD) {
        tls->state = IOTHUB_BEARSSLI_DEAD;
        tls->layer = layer;
        tls->raw = raw;
    }
    return -1;
}

static int iothub_bearssli_fail_lower(IOTHUB_BEARSSL *tls)
{
    long raw = 0;
    int layer = IOTHUB_LAYER_NONE;

    if (tls->lower.error != NULL) {
        layer = tls->lower.error(tls->lower.context, &raw);
    }
    return iothub_bearssli_fail(tls, layer == IOTHUB_LAYER_NONE ? (int)IOTHUB_LAYER_TCP : layer, raw);
}

/* The engine closed: by an error of ours, an alert of the peer, or (error 0) in order.
   RFC 5246 section 7.2.2: the session of a connection that failed must be forgotten. */
static int iothub_bearssli_fail_engine(IOTHUB_BEARSSL *tls)
{
    int code = br_ssl_engine_last_error(&tls->client.eng);
    int layer = IOTHUB_LAYER_TLS;

    if (code == BR_ERR_X509_BAD_SERVER_NAME) {
        layer = IOTHUB_LAYER_TLS_NAME;
    } else if (code > BR_ERR_X509_OK && code <= BR_ERR_X509_NOT_TRUSTED) {
        layer = IOTHUB_LAYER_TLS_TRUST;
    }
    if (code != BR_ERR_OK) {
        iothub_bearssli_forget_session(tls);
    }
    return iothub_bearssli_fail(tls, layer, code);
}

/* ---- Between engine and lower stream ----
   Each move is one call of the lower stream or one byte of a handshake. <0: the lower stream is dead, 0: nothing moved. */

static int iothub_bearssli_lower_answer(IOTHUB_BEARSSL *tls, int answer, unsigned int asked)
{
    if (answer > 0 && (unsigned int)answer > asked) {
        tls->lower_dead = 1;
        return iothub_bearssli_fail(tls, IOTHUB_LAYER_PORT, IOTHUB_BEARSSL_ERROR_CONTRACT);
    }
    if (answer < 0) {
        tls->lower_dead = 1;
    }
    return answer;
}

static int iothub_bearssli_send(IOTHUB_BEARSSL *tls)
{
    size_t size;
    unsigned int asked;
    int answer;
    unsigned char *bytes = br_ssl_engine_sendrec_buf(&tls->client.eng, &size);

    if (bytes == NULL || size == 0 || tls->lower_dead) {
        return 0;
    }
    asked = size > IOTHUB_BEARSSLI_ASK ? IOTHUB_BEARSSLI_ASK : (unsigned int)size;
    answer = iothub_bearssli_lower_answer(tls, tls->lower.write(tls->lower.context, bytes, asked), asked);
    if (answer > 0) {
        br_ssl_engine_sendrec_ack(&tls->client.eng, (size_t)answer);
        tls->unpushed = 1;
    }
    return answer;
}

static int iothub_bearssli_push_lower(IOTHUB_BEARSSL *tls)
{
    int answer;

    if (!tls->unpushed || tls->lower_dead) {
        return 0;
    }
    answer = tls->lower.write(tls->lower.context, tls->stage, 0);
    if (answer > 0) {
        tls->unpushed = 0;
    } else if (answer < 0) {
        tls->lower_dead = 1;
    }
    return answer;
}

static int iothub_bearssli_receive(IOTHUB_BEARSSL *tls)
{
    size_t room;
    unsigned int asked;
    int answer;
    unsigned char *bytes = br_ssl_engine_recvrec_buf(&tls->client.eng, &room);

    if (bytes == NULL || room == 0) {
        return 0;
    }
    if (tls->staged_used < tls->staged) {
        bytes[0] = tls->stage[tls->staged_used++];
        br_ssl_engine_recvrec_ack(&tls->client.eng, 1);
        return 1;
    }
    if (tls->lower_dead) {
        return 0;
    }
    if (tls->state == IOTHUB_BEARSSLI_HANDSHAKE) {
        asked = (unsigned int)sizeof tls->stage;
        tls->staged_used = tls->staged = 0;
        answer = iothub_bearssli_lower_answer(tls, tls->lower.read(tls->lower.context, tls->stage, asked), asked);
        if (answer > 0) {
            tls->staged = (unsigned int)answer;
        }
        return answer;
    }
    asked = room > IOTHUB_BEARSSLI_ASK ? IOTHUB_BEARSSLI_ASK : (unsigned int)room;
    answer = iothub_bearssli_lower_answer(tls, tls->lower.read(tls->lower.context, bytes, asked), asked);
    if (answer > 0) {
        br_ssl_engine_recvrec_ack(&tls->client.eng, (size_t)answer);
    }
    return answer;
}

/* Sends finished records as far as the lower stream takes them. At most one record is finished at a time, so this ends. */
static void iothub_bearssli_send_all(IOTHUB_BEARSSL *tls)
{
    while (iothub_bearssli_send(tls) > 0) {
    }
}

/* Receives until application data can be delivered or nothing came. Each move is a byte at least, and the largest record
   fits into the buffer: the bound is met only by a peer that floods us with records without content. */
static void iothub_bearssli_receive_all(IOTHUB_BEARSSL *tls)
{
    size_t moves, size;

    for (moves = 0; moves < tls->buffer_size + 64; moves++) {
        if (br_ssl_engine_recvapp_buf(&tls->client.eng, &size) != NULL || iothub_bearssli_receive(tls) <= 0) {
            return;
        }
        iothub_bearssli_send_all(tls);           /* the answer to an alert or a refused renegotiation */
    }
}

static int iothub_bearssli_engine_closed(const IOTHUB_BEARSSL *tls)
{
    return br_ssl_engine_current_state(&tls->client.eng) == BR_SSL_CLOSED;
}

/* ---- Unknown date, accepted by option ----
   The X.509 engine needs a date. It gets the first day of the server's own certificate, which comes by in its bytes:
   Validity ::= SEQUENCE { notBefore, notAfter } (RFC 5280 section 4.1.2.5), each a UTCTime or a GeneralizedTime. */

static uint32_t iothub_bearssli_days(unsigned int year, unsigned int month, unsigned int day)
{
    static const unsigned short before[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    uint32_t days = 365u * (uint32_t)year + (year + 3u) / 4u - (year + 99u) / 100u + (year + 399u) / 400u;

    days += (uint32_t)before[month - 1] + day - 1u;
    if (month > 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        days++;
    }
    return days;
}

static unsigned int iothub_bearssli_two(const unsigned char *digits)
{
    return (unsigned int)(digits[0] - '0') * 10u + (unsigned int)(digits[1] - '0');
}

static void iothub_bearssli_take_date(IOTHUB_BEARSSL_DATE *dated, unsigned int length)
{
    const unsigned char *at = dated->digits;
    unsigned int year, month, day, i;

    for (i = 0; i < length - 1; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return;
        }
    }
    year = iothub_bearssli_two(at);
    at += 2;
    if (length == 15) {
        year = year * 100u + iothub_bearssli_two(at);
        at += 2;
    } else {
        year += year >= 50 ? 1900u : 2000u;
    }
    month = iothub_bearssli_two(at);
    day = iothub_bearssli_two(at + 2);
    if (month >= 1 && month <= 12 && day >= 1) {
        br_x509_minimal_set_time(dated->x509, iothub_bearssli_days(year, month, day),
                                 iothub_bearssli_two(at + 4) * 3600u + iothub_bearssli_two(at + 6) * 60u +
                                     iothub_bearssli_two(at + 8));
    }
}

/* 30 1E|20|22, then 17 0D and 13 characters, or 18 0F and 15 */
static void iothub_bearssli_watch(IOTHUB_BEARSSL_DATE *dated, unsigned char byte)
{
    unsigned int at = dated->matched, length = dated->digits[14] == 0x18 ? 15u : 13u;

    if (at == 0 || (at == 1 && byte != 0x1E && byte != 0x20 && byte != 0x22) ||
        (at == 2 && byte != 0x17 && byte != 0x18) || (at == 3 && byte != (dated->digits[14] == 0x18 ? 0x0F : 0x0D))) {
        dated->matched = byte == 0x30;
        return;
    }
    if (at == 2) {
        dated->digits[14] = byte;                /* the last digit's place is free until the end */
    } else if (at > 3) {
        dated->digits[at - 4] = byte;
    }
    dated->matched++;
    if (at == 3 + length) {
        iothub_bearssli_take_date(dated, length);
        dated->first = 0;
    }
}

static void iothub_bearssli_date_start_chain(const br_x509_class **context, const char *server_name)
{
    IOTHUB_BEARSSL_DATE *dated = (IOTHUB_BEARSSL_DATE *)(void *)context;

    dated->first = 1;
    dated->matched = 0;
    dated->x509->vtable->start_chain(&dated->x509->vtable, server_name);
}

static void iothub_bearssli_date_start_cert(const br_x509_class **context, uint32_t length)
{
    IOTHUB_BEARSSL_DATE *dated = (IOTHUB_BEARSSL_DATE *)(void *)context;
    dated->x509->vtable->start_cert(&dated->x509->vtable, length);
}

static void iothub_bearssli_date_append(const br_x509_class **context, const unsigned char *bytes, size_t size)
{
    IOTHUB_BEARSSL_DATE *dated = (IOTHUB_BEARSSL_DATE *)(void *)context;
    size_t i;

    for (i = 0; i < size && dated->first; i++) {
        iothub_bearssli_watch(dated, bytes[i]);
    }
    dated->x509->vtable->append(&dated->x509->vtable, bytes, size);
}

static void iothub_bearssli_date_end_cert(const br_x509_class **context)
{
    IOTHUB_BEARSSL_DATE *dated = (IOTHUB_BEARSSL_DATE *)(void *)context;

    dated->first = 0;
    dated->x509->vtable->end_cert(&dated->x509->vtable);
}

static unsigned iothub_bearssli_date_end_chain(const br_x509_class **context)
{
    IOTHUB_BEARSSL_DATE *dated = (IOTHUB_BEARSSL_DATE *)(void *)context;
    return dated->x509->vtable->end_chain(&dated->x509->vtable);
}

static const br_x509_pkey *iothub_bearssli_date_get_pkey(const br_x509_class *const *context, unsigned *usages)
{
    const IOTHUB_BEARSSL_DATE *dated = (const IOTHUB_BEARSSL_DATE *)(const void *)context;
    return dated->x509->vtable->get_pkey(&dated->x509->vtable, usages);
}

static const br_x509_class iothub_bearssli_date_class = {
    sizeof(IOTHUB_BEARSSL_DATE),
    iothub_bearssli_date_start_chain,
    iothub_bearssli_date_start_cert,
    iothub_bearssli_date_append,
    iothub_bearssli_date_end_cert,
    iothub_bearssli_date_end_chain,
    iothub_bearssli_date_get_pkey
};

/* ---- Handshake ---- */

static void iothub_bearssli_suites(IOTHUB_BEARSSL *tls)
{
    static const uint16_t suites[] = {           /* RSA first: rsa_only offers the first half */
        BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
#ifndef IOTHUB_BEARSSL_NO_CBC
        BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
        BR_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
#endif
        BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
#ifndef IOTHUB_BEARSSL_NO_CBC
        BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384
#endif
    };
    const size_t count = sizeof suites / sizeof suites[0];

    br_ssl_engine_set_suites(&tls->client.eng, suites, tls->rsa_only ? count / 2 : count);
    br_ssl_engine_set_default_aes_gcm(&tls->client.eng);
#ifndef IOTHUB_BEARSSL_NO_CBC
    br_ssl_engine_set_default_aes_cbc(&tls->client.eng);
#endif
    br_ssl_engine_set_prf_sha256(&tls->client.eng, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(&tls->client.eng, &br_tls12_sha384_prf);
}

/* No SHA-1: neither in chains nor in the handshake. */
static void iothub_bearssli_hashes(IOTHUB_BEARSSL *tls)
{
    br_ssl_engine_set_hash(&tls->client.eng, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(&tls->client.eng, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(&tls->client.eng, br_sha512_ID, &br_sha512_vtable);
    br_x509_minimal_set_hash(&tls->work.x509, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(&tls->work.x509, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(&tls->work.x509, br_sha512_ID, &br_sha512_vtable);
}

static void iothub_bearssli_verification(IOTHUB_BEARSSL *tls)
{
    br_ssl_engine_context *engine = &tls->client.eng;
    br_x509_minimal_context *x509 = &tls->work.x509;

    br_x509_minimal_init(x509, &br_sha256_vtable, tls->anchors, tls->anchor_count);
    br_ssl_engine_set_default_rsavrfy(engine);
    br_ssl_engine_set_default_ecdsa(engine);
    tls->curves = *br_ssl_engine_get_ec(engine);
    tls->curves.supported_curves &= ((uint32_t)1 << BR_EC_secp256r1) | ((uint32_t)1 << BR_EC_secp384r1) |
                                    ((uint32_t)1 << BR_EC_curve25519);
    br_ssl_engine_set_ec(engine, &tls->curves);
    br_x509_minimal_set_rsa(x509, br_ssl_engine_get_rsavrfy(engine));
    br_x509_minimal_set_ecdsa(x509, &tls->curves, br_ssl_engine_get_ecdsa(engine));
    br_x509_minimal_set_minrsa(x509, 256);
    iothub_bearssli_hashes(tls);
    if (tls->date != 0) {                        /* BearSSL counts days from the year 0; 1970-01-01 is day 719,528 */
        br_x509_minimal_set_time(x509, 719528u + tls->date / 86400u, tls->date % 86400u);
        br_ssl_engine_set_x509(engine, &x509->vtable);
    } else {
        br_x509_minimal_set_time(x509, 1, 0);    /* a date that no certificate fits, until one is seen */
        tls->dated.vtable = &iothub_bearssli_date_class;
        tls->dated.x509 = x509;
        br_ssl_engine_set_x509(engine, &tls->dated.vtable);
    }
}

#ifndef IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
static void iothub_bearssli_client_certificate(IOTHUB_BEARSSL *tls)
{
    if (tls->key_type == BR_KEYTYPE_RSA) {
        br_ssl_client_set_single_rsa(&tls->client, tls->chain, tls->chain_count, &tls->rsa_key,
                                     br_rsa_pkcs1_sign_get_default());
    } else if (tls->key_type == BR_KEYTYPE_EC) {
        br_ssl_client_set_single_ec(&tls->client, tls->chain, tls->chain_count, &tls->ec_key, BR_KEYTYPE_SIGN,
                                    BR_KEYTYPE_EC, &tls->curves, br_ecdsa_sign_asn1_get_default());
    }
}
#endif

static void iothub_bearssli_hash_host(const char *host, unsigned char digest[32])
{
    br_sha256_context hash;

    br_sha256_init(&hash);
    br_sha256_update(&hash, host, strlen(host));
    br_sha256_out(&hash, digest);
}

/* A session is used again for the host that it was verified for, and only while that verification is young enough. */
static int iothub_bearssli_may_resume(const IOTHUB_BEARSSL *tls, const char *host)
{
    unsigned char digest[32];

    if (tls->session_date == 0 || tls->date - tls->session_date > IOTHUB_BEARSSLI_SESSION_LIFE) {
        return 0;                                /* none, too old, or from the future; an unknown date (0) is far away */
    }
    iothub_bearssli_hash_host(host, digest);
    return memcmp(digest, tls->session_host, sizeof digest) == 0;
}

/* The lower stream is open, and the seed lies in the stage. 0 goes on, <0 failed */
static int iothub_bearssli_start(IOTHUB_BEARSSL *tls, const char *host)
{
    br_ssl_engine_context *engine = &tls->client.eng;
    size_t receive = tls->buffer_size, send = sizeof tls->output;
    unsigned char *output = tls->output;

    if (receive > IOTHUB_BEARSSL_BUFFER_MONO + sizeof tls->output) {
        receive = IOTHUB_BEARSSL_BUFFER_MONO;
        send = tls->buffer_size - receive;
        output = tls->buffer + receive;
    }
    br_ssl_client_zero(&tls->client);
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    br_ssl_engine_add_flags(engine, BR_OPT_NO_RENEGOTIATION);
    iothub_bearssli_suites(tls);
    iothub_bearssli_verification(tls);
#ifndef IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
    iothub_bearssli_client_certificate(tls);
#endif
    br_ssl_engine_set_buffers_bidi(engine, tls->buffer, receive, output, send);
    br_ssl_engine_inject_entropy(engine, tls->stage, sizeof tls->stage);
    memset(tls->stage, 0, sizeof tls->stage);
    tls->resuming = iothub_bearssli_may_resume(tls, host);
    if (tls->resuming) {
        br_ssl_engine_set_session_parameters(engine, &tls->session);
    }
    tls->staged = tls->staged_used = 0;
    tls->unpushed = 0;
    tls->state = IOTHUB_BEARSSLI_HANDSHAKE;
    return br_ssl_client_reset(&tls->client, host, tls->resuming) ? 0 : iothub_bearssli_fail_engine(tls);
}

/* Only now everything is verified. A resumed session keeps the day on which its certificates were checked; a session
   that was verified without a date is not kept, because later its dates would never be looked at again. */
static void iothub_bearssli_finish(IOTHUB_BEARSSL *tls, const char *host)
{
    br_ssl_session_parameters session;

    br_ssl_engine_get_session_parameters(&tls->client.eng, &session);
    if (!tls->resuming || session.session_id_len != tls->session.session_id_len ||
        memcmp(session.session_id, tls->session.session_id, session.session_id_len) != 0) {
        tls->session = session;
        tls->session_date = session.session_id_len > 0 ? tls->date : 0;
        iothub_bearssli_hash_host(host, tls->session_host);
    }
    tls->state = IOTHUB_BEARSSLI_OPEN;
    tls->layer = IOTHUB_LAYER_NONE;
    tls->raw = 0;
}

/* A peer that refuses us sends an alert and closes; our next write may fail before the alert was read. */
static int iothub_bearssli_read_last_words(IOTHUB_BEARSSL *tls)
{
    int moves;

    tls->lower_dead = 0;
    for (moves = 0; moves < IOTHUB_BEARSSLI_OPEN_MOVES && !iothub_bearssli_engine_closed(tls); moves++) {
        if (iothub_bearssli_receive(tls) <= 0) {
            break;
        }
    }
    tls->lower_dead = 1;
    return iothub_bearssli_engine_closed(tls) ? iothub_bearssli_fail_engine(tls) : iothub_bearssli_fail_lower(tls);
}

static int iothub_bearssli_handshake(IOTHUB_BEARSSL *tls, const char *host)
{
    const uint32_t start = tls->milliseconds(tls->context);
    int moves, moved;
    unsigned int state;

    for (moves = 0; moves < IOTHUB_BEARSSLI_OPEN_MOVES; moves++) {
        state = br_ssl_engine_current_state(&tls->client.eng);
        if (state == BR_SSL_CLOSED) {
            return iothub_bearssli_fail_engine(tls);
        }
        moved = iothub_bearssli_send(tls);
        if (moved == 0 && !(state & BR_SSL_SENDREC)) {
            moved = iothub_bearssli_push_lower(tls);
        }
        if (moved < 0) {
            return iothub_bearssli_read_last_words(tls);
        }
        if (moved == 0 && (state & (BR_SSL_SENDAPP | BR_SSL_RECVAPP)) && !tls->unpushed) {
            iothub_bearssli_finish(tls, host);
            return 1;
        }
        if (moved == 0) {
            moved = iothub_bearssli_receive(tls);
        }
        if (moved < 0) {
            return iothub_bearssli_fail_lower(tls);
        }
        if (moved == 0 || tls->milliseconds(tls->context) - start >= (uint32_t)IOTHUB_BEARSSL_SLICE_MS) {
            return 0;
        }
    }
    return 0;
}

/* ---- The stream ---- */

/* Before the lower stream is opened, so that no connection waits for a clock or for entropy.
   1 goes on, 0 one of them is missing, <0 this cannot work */
static int iothub_bearssli_ready(IOTHUB_BEARSSL *tls, const char *host)
{
    tls->layer = IOTHUB_LAYER_NONE;
    tls->raw = 0;
    tls->lower_dead = 0;
    if (tls->anchor_count == 0) {
        return iothub_bearssli_fail(tls, IOTHUB_LAYER_TLS_TRUST, IOTHUB_BEARSSL_ERROR_NO_ANCHORS);
    }
    if (host == NULL || host[0] == '\0' || strlen(host) > 255) {      /* BearSSL takes "" for "do not check" */
        return iothub_bearssli_fail(tls, IOTHUB_LAYER_TLS_NAME, IOTHUB_BEARSSL_ERROR_HOST);
    }
    if ((tls->chain_count != 0 || tls->key_type != 0) && tls->chain_key_type != tls->key_type) {
        return iothub_bearssli_fail(tls, IOTHUB_LAYER_CONFIG, IOTHUB_BEARSSL_ERROR_KEY);
    }
    tls->date = tls->unix_time(tls->context);
    if (tls->date < IOTHUB_BEARSSLI_DATE_MINIMUM) {
        tls->date = 0;
        if (!tls->accept_unknown_date) {
            tls->layer = IOTHUB_LAYER_TIME;
            return 0;
        }
    }
    if (tls->random(tls->context, tls->stage, (unsigned int)sizeof tls->stage) != 0) {
        tls->layer = IOTHUB_LAYER_ENTROPY;
        return 0;
    }
    return 1;
}

static int iothub_bearssli_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_BEARSSL *tls = (IOTHUB_BEARSSL *)context;
    int answer;

    switch (tls->state) {
    case IOTHUB_BEARSSLI_CLOSED:
        answer = iothub_bearssli_ready(tls, host);
        if (answer <= 0) {
            return answer;
        }
        tls->state = IOTHUB_BEARSSLI_LOWER;
        /* fall through */
    case IOTHUB_BEARSSLI_LOWER:
        answer = tls->lower.open(tls->lower.context, host, port);
        if (answer <= 0) {
            return answer < 0 ? iothub_bearssli_fail_lower(tls) : 0;
        }
        if (iothub_bearssli_start(tls, host) < 0) {
            return -1;
        }
        /* fall through */
    case IOTHUB_BEARSSLI_HANDSHAKE:
        answer = iothub_bearssli_handshake(tls, host);
        if (answer < 0 && tls->resuming) {       /* the next attempt makes a full handshake, whatever the reason was */
            iothub_bearssli_forget_session(tls);
        }
        return answer;
    case IOTHUB_BEARSSLI_OPEN:
        return 1;
    default:
        return -1;
    }
}

static int iothub_bearssli_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_BEARSSL *tls = (IOTHUB_BEARSSL *)context;
    unsigned char *data;
    size_t size;

    if (tls->state != IOTHUB_BEARSSLI_OPEN) {
        return -1;
    }
    iothub_bearssli_send_all(tls);
    iothub_bearssli_receive_all(tls);
    if (tls->state != IOTHUB_BEARSSLI_OPEN) {    /* a broken contract: nothing more is believed */
        return -1;
    }
    data = br_ssl_engine_recvapp_buf(&tls->client.eng, &size);
    if (data != NULL) {
        if (size > capacity) {
            size = capacity;
        }
        memcpy(bytes, data, size);
        br_ssl_engine_recvapp_ack(&tls->client.eng, size);
        return (int)size;
    }
    if (iothub_bearssli_engine_closed(tls)) {
        return iothub_bearssli_fail_engine(tls);
    }
    return tls->lower_dead ? iothub_bearssli_fail_lower(tls) : 0;
}

static int iothub_bearssli_push(IOTHUB_BEARSSL *tls)
{
    size_t size;

    br_ssl_engine_flush(&tls->client.eng, 0);
    iothub_bearssli_send_all(tls);
    if (br_ssl_engine_sendrec_buf(&tls->client.eng, &size) == NULL) {
        (void)iothub_bearssli_push_lower(tls);
        return !tls->unpushed;
    }
    return 0;
}

static unsigned int iothub_bearssli_take(IOTHUB_BEARSSL *tls, const unsigned char *bytes, unsigned int size)
{
    unsigned int taken = 0;
    unsigned char *room;
    size_t part;

    while (taken < size) {
        room = br_ssl_engine_sendapp_buf(&tls->client.eng, &part);
        if (room == NULL) {
            break;
        }
        if (part > size - taken) {
            part = size - taken;
        }
        memcpy(room, bytes + taken, part);
        br_ssl_engine_sendapp_ack(&tls->client.eng, part);
        taken += (unsigned int)part;
        iothub_bearssli_send_all(tls);
    }
    return taken;
}

static int iothub_bearssli_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_BEARSSL *tls = (IOTHUB_BEARSSL *)context;
    int answer;

    if (tls->state != IOTHUB_BEARSSLI_OPEN) {
        return -1;
    }
    iothub_bearssli_send_all(tls);
    iothub_bearssli_receive_all(tls);
    answer = size == 0 ? iothub_bearssli_push(tls) : (int)iothub_bearssli_take(tls, bytes, size);
    if (tls->state != IOTHUB_BEARSSLI_OPEN) {
        return -1;
    }
    if (iothub_bearssli_engine_closed(tls)) {
        return iothub_bearssli_fail_engine(tls);
    }
    if (tls->lower_dead) {                       /* what came before the end may still be read */
        size_t held;
        return br_ssl_engine_recvapp_buf(&tls->client.eng, &held) != NULL ? 0 : iothub_bearssli_fail_lower(tls);
    }
    return answer;
}

/* RFC 5246 section 7.2.1 wants a close_notify; it is offered once, and nobody waits for it. */
static void iothub_bearssli_close(void *context)
{
    IOTHUB_BEARSSL *tls = (IOTHUB_BEARSSL *)context;

    if (tls->state == IOTHUB_BEARSSLI_OPEN && !tls->lower_dead) {
        br_ssl_engine_close(&tls->client.eng);
        iothub_bearssli_send_all(tls);
        (void)iothub_bearssli_push_lower(tls);
    }
    if (tls->state != IOTHUB_BEARSSLI_CLOSED) {
        tls->lower.close(tls->lower.context);
        tls->state = IOTHUB_BEARSSLI_CLOSED;     /* layer and raw stay: error() may be asked after close */
    }
}

static int iothub_bearssli_error(void *context, long *raw)
{
    IOTHUB_BEARSSL *tls = (IOTHUB_BEARSSL *)context;

    if (tls->layer == IOTHUB_LAYER_NONE && tls->lower.error != NULL) {
        return tls->lower.error(tls->lower.context, raw);
    }
    if (raw != NULL) {
        *raw = tls->raw;
    }
    return tls->layer;
}

/* ---- Certificates and keys from text ----
   The caller's memory holds three parts one after the other: trust anchors, client chain, private key. A part that is set
   again is decoded twice: first into nothing, which finds every mistake and the size; then into its place, after the
   parts behind it were moved. So a bad text changes nothing. */

static void iothub_bearssli_changed(IOTHUB_BEARSSL *tls)
{
    iothub_bearssli_forget_session(tls);
    if (tls->state == IOTHUB_BEARSSLI_HANDSHAKE) {
        iothub_bearssli_fail(tls, IOTHUB_LAYER_CONFIG, IOTHUB_BEARSSL_ERROR_CHANGED);
    }
}

#ifndef IOTHUB_BEARSSL_NO_PEM
static unsigned char *iothub_bearssli_put(IOTHUB_BEARSSL_DECODER *decoder, const unsigned char *bytes, size_t size)
{
    unsigned char *at = NULL;

    if (decoder->store != NULL) {
        at = decoder->store + decoder->used;
        memcpy(at, bytes, size);
    }
    decoder->used += size;
    return at;
}

static void iothub_bearssli_put_name(void *context, const void *bytes, size_t size)
{
    IOTHUB_BEARSSL_DECODER *decoder = (IOTHUB_BEARSSL_DECODER *)context;

    if (decoder->what == IOTHUB_BEARSSLI_TRUST) {
        (void)iothub_bearssli_put(decoder, (const unsigned char *)bytes, size);
    }
}

static void iothub_bearssli_put_der(void *context, const void *bytes, size_t size)
{
    IOTHUB_BEARSSL_DECODER *decoder = (IOTHUB_BEARSSL_DECODER *)context;

#ifndef IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
    if (decoder->what == IOTHUB_BEARSSLI_KEY) {
        br_skey_decoder_push(&decoder->der.key, bytes, size);
        return;
    }
#endif
    if (decoder->what == IOTHUB_BEARSSLI_CHAIN) {
        (void)iothub_bearssli_put(decoder, (const unsigned char *)bytes, size);
    }
    br_x509_decoder_push(&decoder->der.certificate, bytes, size);
}

static void iothub_bearssli_begin_object(IOTHUB_BEARSSL_DECODER *decoder)
{
    decoder->inside = 1;
    decoder->start = decoder->used;
#ifndef IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
    if (decoder->what == IOTHUB_BEARSSLI_KEY) {
        br_skey_decoder_init(&decoder->der.key);
        return;
    }
#endif
    br_x509_decoder_init(&decoder->der.certificate, iothub_bearssli_put_name, decoder);
}

static void iothub_bearssli_end_anchor(IOTHUB_BEARSSL_DECODER *decoder, const br_x509_pkey *key)
{
    br_x509_trust_anchor anchor;
    size_t name_size = decoder->used - decoder->start;

    memset(&anchor, 0, sizeof anchor);
    anchor.dn.data = decoder->store == NULL ? NULL : decoder->store + decoder->start;
    anchor.dn.len = name_size;
    anchor.flags = br_x509_decoder_isCA(&decoder->der.certificate) ? BR_X509_TA_CA : 0u;
    anchor.pkey.key_type = key->key_type;
    if (key->key_type == BR_KEYTYPE_RSA) {
        anchor.pkey.key.rsa.n = iothub_bearssli_put(decoder, key->key.rsa.n, key->key.rsa.nlen);
        anchor.pkey.key.rsa.nlen = key->key.rsa.nlen;
        anchor.pkey.key.rsa.e = iothub_bearssli_put(decoder, key->key.rsa.e, key->key.rsa.elen);
        anchor.pkey.key.rsa.elen = key->key.rsa.elen;
    } else {
        anchor.pkey.key.ec.curve = key->key.ec.curve;
        anchor.pkey.key.ec.q = iothub_bearssli_put(decoder, key->key.ec.q, key->key.ec.qlen);
        anchor.pkey.key.ec.qlen = key->key.ec.qlen;
    }
    if (decoder->store != NULL) {
        ((br_x509_trust_anchor *)decoder->table)[decoder->count] = anchor;
    }
}

static void iothub_bearssli_end_certificate(IOTHUB_BEARSSL_DECODER *decoder)
{
    const br_x509_pkey *key = br_x509_decoder_get_pkey(&decoder->der.certificate);

    if (key == NULL) {
        decoder->bad = 1;
        return;
    }
    if (decoder->count == 0) {
        decoder->key_type = key->key_type;
    }
    if (decoder->what == IOTHUB_BEARSSLI_TRUST) {
        iothub_bearssli_end_anchor(decoder, key);
    } else if (decoder->store != NULL) {
        br_x509_certificate *certificate = (br_x509_certificate *)decoder->table + decoder->count;
        certificate->data = decoder->store + decoder->start;
        certificate->data_len = decoder->used - decoder->start;
    }
    decoder->count++;
}

#ifndef IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
static void iothub_bearssli_end_key(IOTHUB_BEARSSL_DECODER *decoder, IOTHUB_BEARSSL *tls)
{
    const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(&decoder->der.key);
    const br_ec_private_key *ec = br_skey_decoder_get_ec(&decoder->der.key);
    br_rsa_private_key rsa_copy;
    br_ec_private_key ec_copy;

    memset(&rsa_copy, 0, sizeof rsa_copy);
    memset(&ec_copy, 0, sizeof ec_copy);
    if (rsa != NULL) {
        rsa_copy = *rsa;
        rsa_copy.p = iothub_bearssli_put(decoder, rsa->p, rsa->plen);
        rsa_copy.q = iothub_bearssli_put(decoder, rsa->q, rsa->qlen);
        rsa_copy.dp = iothub_bearssli_put(decoder, rsa->dp, rsa->dplen);
        rsa_copy.dq = iothub_bearssli_put(decoder, rsa->dq, rsa->dqlen);
        rsa_copy.iq = iothub_bearssli_put(decoder, rsa->iq, rsa->iqlen);
    } else if (ec != NULL) {
        ec_copy = *ec;
        ec_copy.x = iothub_bearssli_put(decoder, ec->x, ec->xlen);
    } else {
        decoder->bad = 1;
        return;
    }
    if (decoder->store != NULL) {
        tls->rsa_key = rsa_copy;
        tls->ec_key = ec_copy;
    }
    decoder->key_type = br_skey_decoder_key_type(&decoder->der.key);
    decoder->count++;
}
#endif

static void iothub_bearssli_end_object(IOTHUB_BEARSSL_DECODER *decoder, IOTHUB_BEARSSL *tls)
{
    const int inside = decoder->inside;

    (void)tls;
    decoder->inside = 0;
#ifndef IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
    if (inside && decoder->what == IOTHUB_BEARSSLI_KEY) {
        iothub_bearssli_end_key(decoder, tls);
        return;
    }
#endif
    if (inside) {
        iothub_bearssli_end_certificate(decoder);
    }
}

static int iothub_bearssli_wanted(int what, const char *name)
{
    if (what == IOTHUB_BEARSSLI_KEY) {
        return strcmp(name, "PRIVATE KEY") == 0 || strcmp(name, "RSA PRIVATE KEY") == 0 ||
               strcmp(name, "EC PRIVATE KEY") == 0;
    }
    return strcmp(name, "CERTIFICATE") == 0 || strcmp(name, "X509 CERTIFICATE") == 0;
}

/* Objects of other kinds are skipped ("EC PARAMETERS" stands before keys); their end is looked for all the same. */
static void iothub_bearssli_decode_pem(IOTHUB_BEARSSL_DECODER *decoder, IOTHUB_BEARSSL *tls, const char *text)
{
    size_t left = strlen(text), pushed;
    int open = 0, last = 0;

    br_pem_decoder_init(&decoder->pem);
    while (!decoder->bad) {
        if (left == 0) {
            if (last) {
                break;
            }
            last = 1;                            /* the last line may lack its end */
            text = "\n";
            left = 1;
        }
        pushed = br_pem_decoder_push(&decoder->pem, text, left);
        text += pushed;
        left -= pushed;
        switch (br_pem_decoder_event(&decoder->pem)) {
        case BR_PEM_BEGIN_OBJ:
            open = 1;
            br_pem_decoder_setdest(&decoder->pem, NULL, NULL);
            if (iothub_bearssli_wanted(decoder->what, br_pem_decoder_name(&decoder->pem))) {
                iothub_bearssli_begin_object(decoder);
                br_pem_decoder_setdest(&decoder->pem, iothub_bearssli_put_der, decoder);
            }
            break;
        case BR_PEM_END_OBJ:
            open = 0;
            iothub_bearssli_end_object(decoder, tls);
            break;
        case BR_PEM_ERROR:
            decoder->bad = 1;
            break;
        default:
            break;
        }
    }
    if (open) {
        decoder->bad = 1;                        /* cut off in the middle */
    }
}

/* A certificate begins with 30 82 and its length in two bytes: none is shorter than 256 bytes or longer than 65,535. */
static void iothub_bearssli_decode_der(IOTHUB_BEARSSL_DECODER *decoder, IOTHUB_BEARSSL *tls,
                                       const IOTHUB_BEARSSL_BYTES *der)
{
    size_t at = 0, size;

    while (at < der->size && !decoder->bad) {
        if (der->size - at < 4 || der->bytes[at] != 0x30 || der->bytes[at + 1] != 0x82) {
            decoder->bad = 1;
            return;
        }
        size = 4u + ((size_t)der->bytes[at + 2] << 8) + der->bytes[at + 3];
        if (size > der->size - at) {
            decoder->bad = 1;
            return;
        }
        iothub_bearssli_begin_object(decoder);
        iothub_bearssli_put_der(decoder, der->bytes + at, size);
        iothub_bearssli_end_object(decoder, tls);
        at += size;
    }
}

static int iothub_bearssli_decode(IOTHUB_BEARSSL *tls, int what, const char *pem, const IOTHUB_BEARSSL_BYTES *der,
                                  unsigned char *store, void *table)
{
    IOTHUB_BEARSSL_DECODER *decoder = &tls->work.decoder;

    memset(decoder, 0, sizeof *decoder);
    decoder->what = what;
    decoder->store = store;
    decoder->table = table;
    if (pem != NULL) {
        iothub_bearssli_decode_pem(decoder, tls, pem);
    } else {
        iothub_bearssli_decode_der(decoder, tls, der);
    }
    return decoder->bad || decoder->count == 0 || (what == IOTHUB_BEARSSLI_KEY && decoder->count != 1) ? -1 : 0;
}

static size_t iothub_bearssli_offset(const IOTHUB_BEARSSL *tls, int part)
{
    size_t offset = 0;
    int i;

    for (i = 0; i < part; i++) {
        offset += tls->part_size[i];
    }
    return offset;
}

/* Gives a part a new size and moves what stands behind it. Sizes are multiples of 8, so that tables stay aligned. */
static int iothub_bearssli_resize(IOTHUB_BEARSSL *tls, int part, size_t size)
{
    const size_t at = iothub_bearssli_offset(tls, part), old = tls->part_size[part];
    const size_t end = iothub_bearssli_offset(tls, IOTHUB_BEARSSLI_PARTS);
    unsigned char *from = tls->memory + at + old, *to;
    size_t i;

    size = (size + 7u) & ~(size_t)7;
    if (size > tls->memory_size - (end - old)) {
        return -1;
    }
    to = tls->memory + at + size;
    if (end > at + old) {
        memmove(to, from, end - at - old);
    }
    tls->part_size[part] = size;
    if (part < IOTHUB_BEARSSLI_CHAIN && tls->chain_count != 0) {
        br_x509_certificate *chain = (br_x509_certificate *)(void *)to;
        tls->chain = chain;
        for (i = 0; i < tls->chain_count; i++) {
            chain[i].data = to + (chain[i].data - from);
        }
    }
    if (part < IOTHUB_BEARSSLI_KEY && tls->key_type == BR_KEYTYPE_RSA) {
        tls->rsa_key.p = to + (tls->rsa_key.p - from);
        tls->rsa_key.q = to + (tls->rsa_key.q - from);
        tls->rsa_key.dp = to + (tls->rsa_key.dp - from);
        tls->rsa_key.dq = to + (tls->rsa_key.dq - from);
        tls->rsa_key.iq = to + (tls->rsa_key.iq - from);
    }
    if (part < IOTHUB_BEARSSLI_KEY && tls->key_type == BR_KEYTYPE_EC) {
        tls->ec_key.x = to + (tls->ec_key.x - from);
    }
    return 0;
}

static int iothub_bearssli_set_part(IOTHUB_BEARSSL *tls, int part, const char *pem, const IOTHUB_BEARSSL_BYTES *der)
{
    unsigned char *at;
    size_t table = 0, count;
    int key_type;

    if ((pem == NULL && der == NULL) || tls->memory == NULL) {
        return -1;
    }
    iothub_bearssli_changed(tls);
    if (iothub_bearssli_decode(tls, part, pem, der, NULL, NULL) != 0) {
        return -1;
    }
    count = tls->work.decoder.count;
    key_type = tls->work.decoder.key_type;
    if (part == IOTHUB_BEARSSLI_TRUST) {
        table = count * sizeof(br_x509_trust_anchor);
    } else if (part == IOTHUB_BEARSSLI_CHAIN) {
        table = count * sizeof(br_x509_certificate);
    }
    if (iothub_bearssli_resize(tls, part, table + tls->work.decoder.used) != 0) {
        return -1;
    }
    at = tls->memory + iothub_bearssli_offset(tls, part);
    (void)iothub_bearssli_decode(tls, part, pem, der, at + table, at);
    if (part == IOTHUB_BEARSSLI_TRUST) {
        tls->anchors = (const br_x509_trust_anchor *)(const void *)at;
        tls->anchor_count = count;
    } else if (part == IOTHUB_BEARSSLI_CHAIN) {
        tls->chain = (const br_x509_certificate *)(const void *)at;
        tls->chain_count = count;
        tls->chain_key_type = key_type;
    } else {
        tls->key_type = key_type;
    }
    memset(&tls->work, 0, sizeof tls->work);     /* it held a copy of the private key */
    return 0;
}
#endif

static int iothub_bearssli_set_switch(IOTHUB_BEARSSL *tls, int *field, const void *value)
{
    if (value == NULL) {
        return -1;
    }
    *field = *(const bool *)value ? 1 : 0;
    iothub_bearssli_forget_session(tls);
    return 0;
}

static int iothub_bearssli_set_option(void *context, const char *name, const void *value)
{
    IOTHUB_BEARSSL *tls = (IOTHUB_BEARSSL *)context;

    if (strcmp(name, "bearssl_accept_unknown_date_INSECURE") == 0) {
        return iothub_bearssli_set_switch(tls, &tls->accept_unknown_date, value);
    }
    if (strcmp(name, "bearssl_rsa_suites_only") == 0) {
        return iothub_bearssli_set_switch(tls, &tls->rsa_only, value);
    }
#ifndef IOTHUB_BEARSSL_NO_PEM
    if (strcmp(name, "TrustedCerts") == 0) {
        return iothub_bearssli_set_part(tls, IOTHUB_BEARSSLI_TRUST, (const char *)value, NULL);
    }
    if (strcmp(name, "TrustedCertsDer") == 0) {
        return iothub_bearssli_set_part(tls, IOTHUB_BEARSSLI_TRUST, NULL, (const IOTHUB_BEARSSL_BYTES *)value);
    }
#endif
#ifndef IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
    if (strcmp(name, "x509certificate") == 0 || strcmp(name, "x509EccCertificate") == 0) {
        return iothub_bearssli_set_part(tls, IOTHUB_BEARSSLI_CHAIN, (const char *)value, NULL);
    }
    if (strcmp(name, "x509privatekey") == 0 || strcmp(name, "x509EccAliasKey") == 0) {
        return iothub_bearssli_set_part(tls, IOTHUB_BEARSSLI_KEY, (const char *)value, NULL);
    }
#endif
    return tls->lower.set_option == NULL ? 1 : tls->lower.set_option(tls->lower.context, name, value);
}

/* ---- HMAC ---- */

static int iothub_bearssli_hmac_sha256(void *context, const unsigned char *key, unsigned int key_size,
                                       const unsigned char *data, unsigned int data_size, unsigned char digest[32])
{
    br_hmac_key_context keyed;
    br_hmac_context hmac;

    (void)context;
    if (key == NULL) {                           /* this port holds no key of its own */
        return -1;
    }
    br_hmac_key_init(&keyed, &br_sha256_vtable, key, key_size);
    br_hmac_init(&hmac, &keyed, 0);
    br_hmac_update(&hmac, data, data_size);
    (void)br_hmac_out(&hmac, digest);
    return 0;
}

/* ---- Session bytes: mark and version 4, date 4, TLS version 2, suite 2, id size 1, id 32, secret 48, host 32 ---- */

static const unsigned char iothub_bearssli_mark[4] = { 'I', 'H', 'S', 1 };

static unsigned char *iothub_bearssli_put_number(unsigned char *at, uint32_t value, int size)
{
    while (size-- > 0) {
        *at++ = (unsigned char)(value >> (8 * size) & 0xFFu);
    }
    return at;
}

static uint32_t iothub_bearssli_get_number(const unsigned char *at, int size)
{
    uint32_t value = 0;

    while (size-- > 0) {
        value = value << 8 | *at++;
    }
    return value;
}

size_t iothub_bearssl_save_session(const IOTHUB_BEARSSL *tls, unsigned char *bytes, size_t capacity)
{
    if (tls->session_date == 0 || capacity < IOTHUB_BEARSSL_SESSION_SIZE) {
        return 0;
    }
    memcpy(bytes, iothub_bearssli_mark, 4);
    bytes = iothub_bearssli_put_number(bytes + 4, tls->session_date, 4);
    bytes = iothub_bearssli_put_number(bytes, tls->session.version, 2);
    bytes = iothub_bearssli_put_number(bytes, tls->session.cipher_suite, 2);
    bytes = iothub_bearssli_put_number(bytes, tls->session.session_id_len, 1);
    memcpy(bytes, tls->session.session_id, 32);
    memcpy(bytes + 32, tls->session.master_secret, 48);
    memcpy(bytes + 80, tls->session_host, 32);
    return IOTHUB_BEARSSL_SESSION_SIZE;
}

int iothub_bearssl_load_session(IOTHUB_BEARSSL *tls, const unsigned char *bytes, size_t size)
{
    uint32_t date;

    if (size != IOTHUB_BEARSSL_SESSION_SIZE || memcmp(bytes, iothub_bearssli_mark, 4) != 0) {
        return -1;
    }
    date = iothub_bearssli_get_number(bytes + 4, 4);
    if (date < IOTHUB_BEARSSLI_DATE_MINIMUM || iothub_bearssli_get_number(bytes + 8, 2) != BR_TLS12 ||
        bytes[12] == 0 || bytes[12] > 32) {
        return -1;
    }
    memset(&tls->session, 0, sizeof tls->session);
    tls->session.version = BR_TLS12;
    tls->session.cipher_suite = (uint16_t)iothub_bearssli_get_number(bytes + 10, 2);
    tls->session.session_id_len = bytes[12];
    memcpy(tls->session.session_id, bytes + 13, 32);
    memcpy(tls->session.master_secret, bytes + 45, 48);
    memcpy(tls->session_host, bytes + 93, 32);
    tls->session_date = date;
    return 0;
}

/* ---- Set up ---- */

void iothub_bearssl_memory(IOTHUB_BEARSSL *tls, unsigned char *memory, size_t size)
{
    const size_t gap = memory == NULL ? 0 : (size_t)(8u - ((uintptr_t)memory & 7u)) & 7u;

    iothub_bearssli_changed(tls);
    if (tls->part_size[IOTHUB_BEARSSLI_TRUST] != 0) {
        tls->anchors = NULL;
        tls->anchor_count = 0;
    }
    tls->chain = NULL;
    tls->chain_count = 0;
    tls->chain_key_type = 0;
    tls->key_type = 0;
    memset(tls->part_size, 0, sizeof tls->part_size);
    tls->memory = memory == NULL || size < gap ? NULL : memory + gap;
    tls->memory_size = tls->memory == NULL ? 0 : size - gap;
}

void iothub_bearssl_trust(IOTHUB_BEARSSL *tls, const br_x509_trust_anchor *anchors, size_t count)
{
    iothub_bearssli_changed(tls);
#ifndef IOTHUB_BEARSSL_NO_PEM
    if (tls->memory != NULL) {
        (void)iothub_bearssli_resize(tls, IOTHUB_BEARSSLI_TRUST, 0);
    }
#endif
    tls->anchors = anchors;
    tls->anchor_count = anchors == NULL ? 0 : count;
}

int iothub_bearssl_init(IOTHUB_BEARSSL *tls, const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform,
                        unsigned char *buffer, size_t buffer_size)
{
    if (buffer == NULL || buffer_size < IOTHUB_BEARSSL_BUFFER_MINIMUM) {
        return -1;
    }
    memset(tls, 0, sizeof *tls);
    tls->lower = *lower;
    tls->context = platform->context;
    tls->milliseconds = platform->milliseconds;
    tls->unix_time = platform->unix_time;
    tls->random = platform->random;
    tls->buffer = buffer;
    tls->buffer_size = buffer_size;
    tls->state = IOTHUB_BEARSSLI_CLOSED;

    platform->io.context = tls;
    platform->io.open = iothub_bearssli_open;
    platform->io.read = iothub_bearssli_read;
    platform->io.write = iothub_bearssli_write;
    platform->io.close = iothub_bearssli_close;
    platform->io.set_option = iothub_bearssli_set_option;
    platform->io.error = iothub_bearssli_error;
    platform->hmac_sha256 = iothub_bearssli_hmac_sha256;
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
