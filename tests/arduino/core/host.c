/* host.h, and what the made-up ESP-IDF needs of it. */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

int test_link_plain;

struct test_link {
    int socket, connected;
    SSL_CTX *context;
    SSL *tls;
};

struct test_link *test_link_new(void)
{
    struct test_link *link = calloc(1, sizeof *link);
    if (link != NULL) {
        link->socket = -1;
    }
    return link;
}

static int begin(struct test_link *link, const char *host, int port)
{
    char digits[8];
    struct addrinfo hints = { 0 }, *found = NULL;
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    snprintf(digits, sizeof digits, "%d", port);
    if (getaddrinfo(host, digits, &hints, &found) != 0) {
        return TEST_NO_NAME;
    }
    link->socket = socket(found->ai_family, SOCK_STREAM, 0);
    fcntl(link->socket, F_SETFL, O_NONBLOCK);
    if (connect(link->socket, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
        freeaddrinfo(found);
        return TEST_NO_ANSWER;
    }
    freeaddrinfo(found);
    return TEST_LATER;
}

static int begin_tls(struct test_link *link, const char *host, const char *roots)
{
    BIO *text = BIO_new_mem_buf(roots, -1);
    X509 *root;
    link->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(link->context, SSL_VERIFY_PEER, NULL);
    while ((root = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(link->context), root);
        X509_free(root);
    }
    BIO_free(text);
    link->tls = SSL_new(link->context);
    SSL_set_tlsext_host_name(link->tls, host);
    SSL_set1_host(link->tls, host);
    SSL_set_fd(link->tls, link->socket);
    return 0;
}

static int later(struct test_link *link, int answer)
{
    int why = SSL_get_error(link->tls, answer);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

int test_link_open(struct test_link *link, const char *host, int port, const char *roots)
{
    struct pollfd item;
    int code = 0, answer;
    socklen_t size = sizeof code;
    if (link->socket < 0 && (answer = begin(link, host, port)) != TEST_LATER) {
        return answer;
    }
    if (!link->connected) {
        item.fd = link->socket;
        item.events = POLLOUT;
        if (poll(&item, 1, 0) <= 0) {
            return TEST_LATER;
        }
        getsockopt(link->socket, SOL_SOCKET, SO_ERROR, &code, &size);
        if (code != 0) {
            return TEST_NO_ANSWER;
        }
        link->connected = 1;
        if (roots != NULL && !test_link_plain) {
            begin_tls(link, host, roots);
        }
    }
    if (link->tls == NULL) {
        return 1;
    }
    answer = SSL_connect(link->tls);
    if (answer == 1) {
        return 1;
    }
    if (later(link, answer)) {
        return TEST_LATER;
    }
    switch (SSL_get_verify_result(link->tls)) {
    case X509_V_OK: return TEST_NO_TLS;
    case X509_V_ERR_HOSTNAME_MISMATCH: return TEST_WRONG_NAME;
    default: return TEST_NOT_TRUSTED;
    }
}

long test_link_read(struct test_link *link, void *bytes, size_t size)
{
    long got;
    if (link->tls != NULL) {
        got = SSL_read(link->tls, bytes, (int)size);
        return got > 0 ? got : later(link, (int)got) ? TEST_LATER
            : SSL_get_error(link->tls, (int)got) == SSL_ERROR_ZERO_RETURN ? 0 : TEST_BROKEN;
    }
    got = recv(link->socket, bytes, size, 0);
    return got >= 0 ? got : errno == EAGAIN ? TEST_LATER : TEST_BROKEN;
}

long test_link_write(struct test_link *link, const void *bytes, size_t size)
{
    long put;
    if (link->tls != NULL) {
        put = SSL_write(link->tls, bytes, (int)size);
        return put > 0 ? put : later(link, (int)put) ? TEST_LATER : TEST_BROKEN;
    }
    put = send(link->socket, bytes, size, MSG_NOSIGNAL);
    return put >= 0 ? put : errno == EAGAIN ? TEST_LATER : TEST_BROKEN;
}

void test_link_delete(struct test_link *link)
{
    if (link->tls != NULL) {
        SSL_shutdown(link->tls);
        SSL_free(link->tls);
        SSL_CTX_free(link->context);
    }
    if (link->socket >= 0) {
        close(link->socket);
    }
    free(link);
}

/* ---- ESP-IDF ---- */

#include "esp_idf/esp_crt_bundle.h"
#include "esp_idf/esp_random.h"
#include "esp_idf/esp_timer.h"
#include "esp_idf/esp_tls.h"
#include "esp_idf/mbedtls/md.h"

struct esp_tls_last_error { int error, code, flags; };
struct esp_tls { struct test_link *link; struct esp_tls_last_error last; };
struct mbedtls_md_info_t { int type; };

void esp_fill_random(void *bytes, size_t size)
{
    if (getrandom(bytes, size, 0) != (ssize_t)size) {
        abort();
    }
}

int64_t esp_timer_get_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const mbedtls_md_info_t *mbedtls_md_info_from_type(mbedtls_md_type_t type)
{
    static const struct mbedtls_md_info_t sha256 = { MBEDTLS_MD_SHA256 };
    return type == MBEDTLS_MD_SHA256 ? &sha256 : NULL;
}

int mbedtls_md_hmac(const mbedtls_md_info_t *info, const unsigned char *key, size_t key_size, const unsigned char *input, size_t size,
                    unsigned char *output)
{
    unsigned int length = 0;
    return info != NULL && HMAC(EVP_sha256(), key, (int)key_size, input, size, output, &length) != NULL && length == 32 ? 0 : -1;
}

int esp_crt_bundle_attach(void *conf)
{
    (void)conf;
    return ESP_OK;
}

esp_tls_t *esp_tls_init(void)
{
    return calloc(1, sizeof(esp_tls_t));
}

int esp_tls_conn_new_async(const char *hostname, int hostlen, int port, const esp_tls_cfg_t *cfg, esp_tls_t *tls)
{
    char host[256];
    int answer;
    if (!cfg->non_block || hostlen <= 0 || hostlen > 255 || (cfg->cacert_buf == NULL) == (cfg->crt_bundle_attach == NULL)) {
        return -1;
    }
    if (cfg->cacert_buf != NULL && (cfg->cacert_bytes == 0 || cfg->cacert_buf[cfg->cacert_bytes - 1] != 0)) {
        return -1;                               /* PEM for mbedTLS ends with a NUL that is counted */
    }
    memcpy(host, hostname, (size_t)hostlen);
    host[hostlen] = 0;
    if (tls->link == NULL) {
        tls->link = test_link_new();
    }
    answer = test_link_open(tls->link, host, port, cfg->cacert_buf != NULL ? (const char *)cfg->cacert_buf : "");
    tls->last.error = answer == TEST_NO_NAME ? ESP_ERR_ESP_TLS_CANNOT_RESOLVE_HOSTNAME
        : answer == TEST_NO_ANSWER ? ESP_ERR_ESP_TLS_FAILED_CONNECT_TO_HOST : ESP_ERR_MBEDTLS_SSL_HANDSHAKE_FAILED;
    tls->last.code = answer <= TEST_NO_TLS ? -0x2700 : 0;
    tls->last.flags = answer == TEST_NOT_TRUSTED ? 0x08 : answer == TEST_WRONG_NAME ? 0x04 : 0;
    return answer == 1 ? 1 : answer == TEST_LATER ? 0 : -1;
}

ssize_t esp_tls_conn_write(esp_tls_t *tls, const void *data, size_t datalen)
{
    long put = test_link_write(tls->link, data, datalen);
    return put == TEST_LATER ? ESP_TLS_ERR_SSL_WANT_WRITE : put == TEST_BROKEN ? -0x50 : put;
}

ssize_t esp_tls_conn_read(esp_tls_t *tls, void *data, size_t datalen)
{
    long got = test_link_read(tls->link, data, datalen);
    return got == TEST_LATER ? ESP_TLS_ERR_SSL_WANT_READ : got == TEST_BROKEN ? -0x50 : got;
}

int esp_tls_conn_destroy(esp_tls_t *tls)
{
    if (tls->link != NULL) {
        test_link_delete(tls->link);
    }
    free(tls);
    return 0;
}

esp_err_t esp_tls_get_error_handle(esp_tls_t *tls, esp_tls_error_handle_t *error_handle)
{
    *error_handle = &tls->last;
    return ESP_OK;
}

esp_err_t esp_tls_get_and_clear_last_error(esp_tls_error_handle_t h, int *esp_tls_code, int *esp_tls_flags)
{
    *esp_tls_code = h->code;
    *esp_tls_flags = h->flags;
    return h->error;
}
