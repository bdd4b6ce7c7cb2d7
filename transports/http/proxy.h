/* ---- http/proxy: a tunnel through an HTTP proxy, as a filter between TCP and TLS ------------------------------------ */
/* CONNECT (RFC 9110 section 9.3.6), with Basic authentication (RFC 7617). Public in manual.h, without knowledge of any hub. */
#include "../../core/base64.h"
#include "../../core/identity.h"
#include "head.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_HTTP_PROXY_H)
#define IOTHUBI_HTTP_PROXY_H

enum {
    IOTHUBI_PROXY_CLOSED,
    IOTHUBI_PROXY_CONNECTING,                    /* the stream below is opening, to the proxy or directly */
    IOTHUBI_PROXY_ASKING,
    IOTHUBI_PROXY_OPEN,
    IOTHUBI_PROXY_DEAD                           /* until close */
};

static IOTHUB_CONST char iothubi_proxy_connect[] = "CONNECT ";
static IOTHUB_CONST char iothubi_proxy_host[] = " HTTP/1.1\r\nHost: ";
static IOTHUB_CONST char iothubi_proxy_authorization[] = "\r\nProxy-Authorization: Basic ";
static IOTHUB_CONST char iothubi_proxy_end[] = "\r\n\r\n";
static IOTHUB_CONST char iothubi_proxy_no_names[] = "";

/* ---- options ---- */

/* No colon in a user name (RFC 7617 section 2), no control characters in either. */
IOTHUBI_PRIVATE int iothubi_proxy_is_credential(const char *text, int colon)
{
    for (; *text != '\0'; ++text) {
        int c = (unsigned char)*text;
        if (c < ' ' || c == 0x7F || c == colon) {
            return 0;
        }
    }
    return 1;
}

IOTHUBI_PRIVATE int iothubi_proxy_is_right(const HTTP_PROXY_OPTIONS *options)
{
    if (options->host_address == NULL || *options->host_address == '\0' || options->port < 1
        || iothubi_is_over((unsigned int)options->port, 65535u) || (options->username == NULL) != (options->password == NULL)) {
        return 0;
    }
    return options->username == NULL
        || (iothubi_proxy_is_credential(options->username, ':') && iothubi_proxy_is_credential(options->password, -1));
}

IOTHUBI_PRIVATE int iothubi_proxy_set_option(void *context, const char *name, const void *value)
{
    static IOTHUB_CONST char names[] = OPTION_HTTP_PROXY "\0";
    IOTHUB_HTTP_PROXY *proxy = (IOTHUB_HTTP_PROXY *)context;
    iothubi_span text;
    text.at = name;
    text.size = IOTHUB_STRLEN(name);
    if (iothubi_find_name(names, &text) < 0) {
        return iothubi_stream_set_option(proxy->below, name, value);
    }
    if (proxy->state != IOTHUBI_PROXY_CLOSED && proxy->state != IOTHUBI_PROXY_DEAD) {
        return -1;                               /* a request that is half sent must not change */
    }
    if (value == NULL) {
        proxy->options.host_address = NULL;
        return 0;
    }
    if (!iothubi_proxy_is_right((const HTTP_PROXY_OPTIONS *)value)) {
        return -1;
    }
    proxy->options = *(const HTTP_PROXY_OPTIONS *)value;
    return 0;
}

/* ---- opening ---- */

/* host:port, the form that CONNECT takes and the same one for Host (RFC 9112 section 3.2.3). */
IOTHUBI_PRIVATE void iothubi_proxy_write_target(iothubi_writer *writer, const IOTHUB_HTTP_PROXY *proxy)
{
    iothubi_write_text(writer, proxy->host);
    iothubi_write_byte(writer, ':');
    iothubi_write_decimal(writer, proxy->port);
}

IOTHUBI_PRIVATE void iothubi_proxy_write_request(iothubi_writer *writer, const void *context)
{
    const IOTHUB_HTTP_PROXY *proxy = (const IOTHUB_HTTP_PROXY *)context;
    const char *user = proxy->options.username, *password = proxy->options.password;
    unsigned char colon = ':';
    iothubi_base64 base64;
    IOTHUBI_WRITE_CONST(writer, iothubi_proxy_connect);
    iothubi_proxy_write_target(writer, proxy);
    IOTHUBI_WRITE_CONST(writer, iothubi_proxy_host);
    iothubi_proxy_write_target(writer, proxy);
    if (user != NULL) {
        IOTHUBI_WRITE_CONST(writer, iothubi_proxy_authorization);
        iothubi_base64_begin(&base64, writer);
        iothubi_base64_put(&base64, user, IOTHUB_STRLEN(user));
        iothubi_base64_put(&base64, &colon, 1);
        iothubi_base64_put(&base64, password, IOTHUB_STRLEN(password));
        iothubi_base64_end(&base64);
    }
    IOTHUBI_WRITE_CONST(writer, iothubi_proxy_end);
}

IOTHUBI_PRIVATE void iothubi_proxy_fail(IOTHUB_HTTP_PROXY *proxy, IOTHUB_LAYER layer, long raw)
{
    proxy->state = IOTHUBI_PROXY_DEAD;
    proxy->layer = (unsigned char)layer;
    proxy->raw = raw;
}

/* The target goes into the request, so it must be a host name and nothing else. */
IOTHUBI_PRIVATE void iothubi_proxy_start(IOTHUB_HTTP_PROXY *proxy, const char *host, unsigned int port)
{
    iothubi_span name;
    name.at = host;
    name.size = IOTHUB_STRLEN(host);
    if (!iothubi_is_name(&name, iothubi_host_marks, IOTHUBI_HOST_MAXIMUM)) {
        iothubi_proxy_fail(proxy, IOTHUB_LAYER_CONFIG, 0);
        return;
    }
    proxy->state = IOTHUBI_PROXY_CONNECTING;
    proxy->layer = IOTHUB_LAYER_NONE;
    proxy->host = host;
    proxy->port = port;
    proxy->sent = 0;
    iothubi_http_head_begin(&proxy->head);
}

IOTHUBI_PRIVATE void iothubi_proxy_connect_below(IOTHUB_HTTP_PROXY *proxy)
{
    const IOTHUB_IO *below = proxy->below;
    const HTTP_PROXY_OPTIONS *options = &proxy->options;
    int direct = options->host_address == NULL;
    int result = below->open(below->context, direct ? proxy->host : options->host_address,
        direct ? proxy->port : (unsigned int)options->port);
    if (result < 0) {
        iothubi_proxy_fail(proxy, IOTHUB_LAYER_NONE, 0);
    } else if (result > 0) {
        proxy->state = direct ? IOTHUBI_PROXY_OPEN : IOTHUBI_PROXY_ASKING;
    }
}

/* Sends the request and reads the answer, neither waiting for the other: a refusal may come early, a tunnel cannot. What follows
   a head of 2xx is the tunnel's, whatever lengths it names. */
IOTHUBI_PRIVATE void iothubi_proxy_ask(IOTHUB_HTTP_PROXY *proxy)
{
    int sent = iothubi_http_send(proxy->below, iothubi_proxy_write_request, proxy, &proxy->sent);
    int event = iothubi_http_next(proxy->below, &proxy->head, iothubi_proxy_no_names);
    if (event == IOTHUBI_HTTP_HEAD_END && sent > 0 && proxy->head.status / 100u == 2u) {
        proxy->state = IOTHUBI_PROXY_OPEN;
    } else if (event == IOTHUBI_HTTP_HEAD_END) {
        iothubi_proxy_fail(proxy, IOTHUB_LAYER_PROXY, (long)proxy->head.status);
    } else if (event == IOTHUBI_STREAM_MALFORMED) {
        iothubi_proxy_fail(proxy, IOTHUB_LAYER_PROXY, 0);
    } else if (event < 0 || sent < 0) {
        iothubi_proxy_fail(proxy, iothubi_stream_layer(event < 0 ? event : sent), 0);
    }
}

IOTHUBI_PRIVATE int iothubi_proxy_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_HTTP_PROXY *proxy = (IOTHUB_HTTP_PROXY *)context;
    if (proxy->state == IOTHUBI_PROXY_CLOSED) {
        iothubi_proxy_start(proxy, host, port);
    }
    if (proxy->state == IOTHUBI_PROXY_CONNECTING) {
        iothubi_proxy_connect_below(proxy);
    }
    if (proxy->state == IOTHUBI_PROXY_ASKING) {
        iothubi_proxy_ask(proxy);
    }
    return proxy->state == IOTHUBI_PROXY_OPEN ? 1 : proxy->state == IOTHUBI_PROXY_DEAD ? -1 : 0;
}

/* ---- the tunnel ---- */

IOTHUBI_PRIVATE int iothubi_proxy_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_HTTP_PROXY *proxy = (IOTHUB_HTTP_PROXY *)context;
    return proxy->state == IOTHUBI_PROXY_OPEN ? proxy->below->read(proxy->below->context, bytes, capacity) : -1;
}

IOTHUBI_PRIVATE int iothubi_proxy_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_HTTP_PROXY *proxy = (IOTHUB_HTTP_PROXY *)context;
    return proxy->state == IOTHUBI_PROXY_OPEN ? proxy->below->write(proxy->below->context, bytes, size) : -1;
}

/* The last failure is told after close, too. */
IOTHUBI_PRIVATE void iothubi_proxy_close(void *context)
{
    IOTHUB_HTTP_PROXY *proxy = (IOTHUB_HTTP_PROXY *)context;
    proxy->below->close(proxy->below->context);
    proxy->state = IOTHUBI_PROXY_CLOSED;
}

IOTHUBI_PRIVATE int iothubi_proxy_error(void *context, long *raw)
{
    IOTHUB_HTTP_PROXY *proxy = (IOTHUB_HTTP_PROXY *)context;
    if (proxy->layer == IOTHUB_LAYER_NONE) {
        return iothubi_stream_error(proxy->below, raw);
    }
    *raw = proxy->raw;
    return proxy->layer;
}

IOTHUB_DEF const IOTHUB_IO *IoTHub_HttpProxyBegin(IOTHUB_HTTP_PROXY *proxy, const IOTHUB_IO *below)
{
    IOTHUB_MEMSET(proxy, 0, sizeof *proxy);
    proxy->below = below;
    proxy->io.context = proxy;
    proxy->io.open = iothubi_proxy_open;
    proxy->io.read = iothubi_proxy_read;
    proxy->io.write = iothubi_proxy_write;
    proxy->io.close = iothubi_proxy_close;
    proxy->io.set_option = iothubi_proxy_set_option;
    proxy->io.error = iothubi_proxy_error;
    return &proxy->io;
}

#endif
