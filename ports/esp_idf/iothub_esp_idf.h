/* iothub_esp_idf.h - IOTHUB_PLATFORM for Espressif's ESP-IDF: a TLS stream by esp-tls, clocks, hardware entropy, HMAC by mbedTLS.

   DO THIS in exactly one C or C++ file:

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/esp_idf/iothub_esp_idf.h"

       static IOTHUB_ESP_IDF esp;  static IOTHUB_PLATFORM platform;
       iothub_esp_idf_platform(&esp, &platform);
       IoTHub_SetPlatform(&platform);

   Components: esp-tls, mbedtls, esp_timer, esp_hw_support. Without further settings the certificate bundle of ESP-IDF is trusted
   (CONFIG_MBEDTLS_CERTIFICATE_BUNDLE), which has Azure's roots; the option TrustedCerts takes others.

   WHAT BLOCKS. The first call of open looks the name up: esp-tls calls getaddrinfo, at once when lwIP knows it, else until the
   DNS server answered or lwIP gave up. TCP and the handshake do not block, each call holds one public-key
   operation of mbedTLS at most. esp-tls and mbedTLS take their memory from the heap; this header takes none.

   SETTINGS, defined before the implementation is included:
       IOTHUB_ESP_IDF_NO_BUNDLE     trust only what the option TrustedCerts gives; without it open fails */

#ifndef IOTHUB_ESP_IDF_H
#define IOTHUB_ESP_IDF_H

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#include "esp_tls.h"

#ifdef __cplusplus
extern "C" {
#endif

#define IOTHUB_ESP_IDF_ERROR_NO_TRUST 4001       /* TLS_TRUST: no bundle, and no TrustedCerts */
#define IOTHUB_ESP_IDF_ERROR_MEMORY   4002       /* MEMORY: esp_tls_init found no heap */
#define IOTHUB_ESP_IDF_ERROR_CONTRACT 4003       /* PORT: esp-tls answered more than was asked */

typedef struct IOTHUB_ESP_IDF_TAG {              /* place it anywhere; the fields are the port's own */
    esp_tls_t *tls;                              /* NULL: closed */
    esp_tls_cfg_t settings;
    int state;
    int layer;
    long raw;
} IOTHUB_ESP_IDF;

/* Fills all of *platform. Call it once, before all else; one struct is one connection. */
void iothub_esp_idf_platform(IOTHUB_ESP_IDF *esp, IOTHUB_PLATFORM *platform);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_ESP_IDF_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_ESP_IDF_IMPLEMENTED)
#define IOTHUB_ESP_IDF_IMPLEMENTED

#include <string.h>
#include <time.h>
#include "esp_random.h"
#include "esp_timer.h"
#include "mbedtls/md.h"
#ifndef IOTHUB_ESP_IDF_NO_BUNDLE
#include "esp_crt_bundle.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum { IOTHUB_ESP_IDFI_CLOSED, IOTHUB_ESP_IDFI_OPENING, IOTHUB_ESP_IDFI_OPEN, IOTHUB_ESP_IDFI_DEAD };

/* ---- Clocks, entropy, HMAC ---- */

static uint32_t iothub_esp_idfi_milliseconds(void *context)
{
    (void)context;
    return (uint32_t)(esp_timer_get_time() / 1000);        /* microseconds since boot; goes on in light sleep */
}

static uint32_t iothub_esp_idfi_unix_time(void *context)
{
    time_t now = time(NULL);
    (void)context;
    return now < (time_t)1704067200 ? 0u : (uint32_t)now;  /* before 2024: SNTP has not answered yet */
}

static int iothub_esp_idfi_random(void *context, unsigned char *bytes, unsigned int size)
{
    (void)context;
    esp_fill_random(bytes, size);                /* true entropy while Wi-Fi, Bluetooth or bootloader_random is on */
    return 0;
}

static int iothub_esp_idfi_hmac(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data,
                                unsigned int data_size, unsigned char digest[32])
{
    (void)context;
    if (key == NULL) {                           /* there is no key of the chip's own here */
        return -1;
    }
    return mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key, key_size, data, data_size, digest) == 0 ? 0 : -1;
}

/* ---- The stream ---- */

static int iothub_esp_idfi_fail(IOTHUB_ESP_IDF *esp, int layer, long raw)
{
    esp->state = IOTHUB_ESP_IDFI_DEAD;
    esp->layer = layer;
    esp->raw = raw;
    return -1;
}

/* What esp-tls remembers of a failed connection: its own error, mbedTLS's code, and the flags of a certificate. */
static int iothub_esp_idfi_fail_tls(IOTHUB_ESP_IDF *esp)
{
    esp_tls_error_handle_t handle = NULL;
    int code = 0, flags = 0, layer = IOTHUB_LAYER_TLS;
    esp_err_t error = ESP_FAIL;

    if (esp_tls_get_error_handle(esp->tls, &handle) == ESP_OK && handle != NULL) {
        error = esp_tls_get_and_clear_last_error(handle, &code, &flags);
    }
    if (error == ESP_ERR_ESP_TLS_CANNOT_RESOLVE_HOSTNAME) {
        layer = IOTHUB_LAYER_DNS;
    } else if (error == ESP_ERR_ESP_TLS_CANNOT_CREATE_SOCKET || error == ESP_ERR_ESP_TLS_FAILED_CONNECT_TO_HOST ||
               error == ESP_ERR_ESP_TLS_SOCKET_SETOPT_FAILED || error == ESP_ERR_ESP_TLS_CONNECTION_TIMEOUT) {
        layer = IOTHUB_LAYER_TCP;
    } else if ((flags & 0x04) != 0) {            /* MBEDTLS_X509_BADCERT_CN_MISMATCH */
        layer = IOTHUB_LAYER_TLS_NAME;
    } else if (flags != 0) {
        layer = IOTHUB_LAYER_TLS_TRUST;
    }
    return iothub_esp_idfi_fail(esp, layer, code != 0 ? (long)code : (long)error);
}

static int iothub_esp_idfi_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_ESP_IDF *esp = (IOTHUB_ESP_IDF *)context;

    switch (esp->state) {
    case IOTHUB_ESP_IDFI_OPEN:
        return 1;
    case IOTHUB_ESP_IDFI_DEAD:                   /* close comes first */
        return -1;
    case IOTHUB_ESP_IDFI_CLOSED:
        esp->layer = IOTHUB_LAYER_NONE;
        esp->raw = 0;
        if (iothub_esp_idfi_unix_time(NULL) == 0) {        /* certificates cannot be checked without the date */
            esp->layer = IOTHUB_LAYER_TIME;
            return 0;
        }
#ifndef IOTHUB_ESP_IDF_NO_BUNDLE
        esp->settings.crt_bundle_attach = esp->settings.cacert_buf == NULL ? esp_crt_bundle_attach : NULL;
#else
        if (esp->settings.cacert_buf == NULL) {
            return iothub_esp_idfi_fail(esp, IOTHUB_LAYER_TLS_TRUST, IOTHUB_ESP_IDF_ERROR_NO_TRUST);
        }
#endif
        esp->tls = esp_tls_init();
        if (esp->tls == NULL) {
            return iothub_esp_idfi_fail(esp, IOTHUB_LAYER_MEMORY, IOTHUB_ESP_IDF_ERROR_MEMORY);
        }
        esp->state = IOTHUB_ESP_IDFI_OPENING;
        break;
    default:
        break;
    }
    switch (esp_tls_conn_new_async(host, (int)strlen(host), (int)port, &esp->settings, esp->tls)) {
    case 0:
        return 0;
    case 1:
        esp->state = IOTHUB_ESP_IDFI_OPEN;
        return 1;
    default:
        return iothub_esp_idfi_fail_tls(esp);
    }
}

static int iothub_esp_idfi_is_later(long answer)
{
    return answer == ESP_TLS_ERR_SSL_WANT_READ || answer == ESP_TLS_ERR_SSL_WANT_WRITE;
}

static int iothub_esp_idfi_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_ESP_IDF *esp = (IOTHUB_ESP_IDF *)context;
    long got;

    if (esp->state != IOTHUB_ESP_IDFI_OPEN) {
        return -1;
    }
    if (capacity == 0) {
        return 0;
    }
    got = (long)esp_tls_conn_read(esp->tls, bytes, capacity);
    if (got > 0 && (unsigned long)got <= capacity) {
        return (int)got;
    }
    if (iothub_esp_idfi_is_later(got)) {
        return 0;
    }
    if (got > 0) {
        return iothub_esp_idfi_fail(esp, IOTHUB_LAYER_PORT, IOTHUB_ESP_IDF_ERROR_CONTRACT);
    }
    return iothub_esp_idfi_fail(esp, IOTHUB_LAYER_TLS, got);         /* 0: the peer closed in order */
}

/* mbedTLS may ask for the same bytes again after WANT_WRITE; rule 4 of the stream gives it the same ones. */
static int iothub_esp_idfi_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_ESP_IDF *esp = (IOTHUB_ESP_IDF *)context;
    long put;

    if (esp->state != IOTHUB_ESP_IDFI_OPEN) {
        return -1;
    }
    if (size == 0) {                             /* nothing is held that was told to be taken */
        return 1;
    }
    put = (long)esp_tls_conn_write(esp->tls, bytes, size);
    if (put >= 0 && (unsigned long)put <= size) {
        return (int)put;
    }
    if (iothub_esp_idfi_is_later(put)) {
        return 0;
    }
    return put > 0 ? iothub_esp_idfi_fail(esp, IOTHUB_LAYER_PORT, IOTHUB_ESP_IDF_ERROR_CONTRACT)
                   : iothub_esp_idfi_fail(esp, IOTHUB_LAYER_TLS, put);
}

static void iothub_esp_idfi_close(void *context)
{
    IOTHUB_ESP_IDF *esp = (IOTHUB_ESP_IDF *)context;

    if (esp->tls != NULL) {
        (void)esp_tls_conn_destroy(esp->tls);
        esp->tls = NULL;
    }
    esp->state = IOTHUB_ESP_IDFI_CLOSED;         /* layer and raw stay: error() may be asked after close */
}

/* PEM, kept by the caller; it counts from the next open on. */
static int iothub_esp_idfi_set_option(void *context, const char *name, const void *value)
{
    IOTHUB_ESP_IDF *esp = (IOTHUB_ESP_IDF *)context;
    const unsigned char *text = (const unsigned char *)value;
    unsigned int size = value != NULL ? (unsigned int)strlen((const char *)value) + 1u : 0u;       /* mbedTLS counts the NUL of PEM */

    if (strcmp(name, OPTION_TRUSTED_CERT) == 0) {
        esp->settings.cacert_buf = text;
        esp->settings.cacert_bytes = size;
    } else if (strcmp(name, OPTION_X509_CERT) == 0 || strcmp(name, OPTION_X509_ECC_CERT) == 0) {
        esp->settings.clientcert_buf = text;
        esp->settings.clientcert_bytes = size;
    } else if (strcmp(name, OPTION_X509_PRIVATE_KEY) == 0 || strcmp(name, OPTION_X509_ECC_KEY) == 0) {
        esp->settings.clientkey_buf = text;
        esp->settings.clientkey_bytes = size;
    } else {
        return 1;
    }
    return value != NULL ? 0 : -1;
}

static int iothub_esp_idfi_error(void *context, long *raw)
{
    IOTHUB_ESP_IDF *esp = (IOTHUB_ESP_IDF *)context;

    if (raw != NULL) {
        *raw = esp->raw;
    }
    return esp->layer;
}

void iothub_esp_idf_platform(IOTHUB_ESP_IDF *esp, IOTHUB_PLATFORM *platform)
{
    memset(esp, 0, sizeof *esp);
    esp->settings.non_block = true;
    memset(platform, 0, sizeof *platform);
    platform->io.context = esp;
    platform->io.open = iothub_esp_idfi_open;
    platform->io.read = iothub_esp_idfi_read;
    platform->io.write = iothub_esp_idfi_write;
    platform->io.close = iothub_esp_idfi_close;
    platform->io.set_option = iothub_esp_idfi_set_option;
    platform->io.error = iothub_esp_idfi_error;
    platform->context = esp;
    platform->milliseconds = iothub_esp_idfi_milliseconds;
    platform->unix_time = iothub_esp_idfi_unix_time;
    platform->random = iothub_esp_idfi_random;
    platform->hmac_sha256 = iothub_esp_idfi_hmac;
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
