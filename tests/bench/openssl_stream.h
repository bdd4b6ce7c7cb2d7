/* An IOTHUB_IO over a non-blocking socket and OpenSSL, for the bench only: libmosquitto and Paho use OpenSSL, so we do. It dials
   localhost and holds written bytes back for one record until they are pushed. */
#ifndef OPENSSL_STREAM_H
#define OPENSSL_STREAM_H

#include "iothub_client.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct OPENSSL_STREAM_TAG {
    const char *roots;                           /* file name, PEM */
    SSL_CTX *context;
    SSL *ssl;
    int socket;
    unsigned int held;
    unsigned char record[SSL3_RT_MAX_PLAIN_LENGTH];
} OPENSSL_STREAM;

/* 0: call again; <0: dead */
static int port_openssl_result(OPENSSL_STREAM *stream, int result)
{
    int error = SSL_get_error(stream->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static int port_openssl_dial(OPENSSL_STREAM *stream, unsigned int port)
{
    struct sockaddr_in address;
    int on = 1;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    stream->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(stream->socket, (struct sockaddr *)&address, sizeof address) != 0) {
        return -1;
    }
    setsockopt(stream->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(stream->socket, F_SETFL, O_NONBLOCK);
    return 0;
}

static int port_openssl_open(void *context, const char *host, unsigned int port)
{
    OPENSSL_STREAM *stream = (OPENSSL_STREAM *)context;
    int result;
    if (stream->ssl == NULL) {
        stream->context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_verify(stream->context, SSL_VERIFY_PEER, NULL);
        if (SSL_CTX_load_verify_locations(stream->context, stream->roots, NULL) != 1 || port_openssl_dial(stream, port) != 0) {
            return -1;
        }
        stream->ssl = SSL_new(stream->context);
        SSL_set_mode(stream->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_set_tlsext_host_name(stream->ssl, host);
        SSL_set1_host(stream->ssl, host);
        SSL_set_fd(stream->ssl, stream->socket);
    }
    result = SSL_connect(stream->ssl);
    return result == 1 ? 1 : port_openssl_result(stream, result);
}

static int port_openssl_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    OPENSSL_STREAM *stream = (OPENSSL_STREAM *)context;
    int size = SSL_read(stream->ssl, bytes, (int)capacity);
    return size > 0 ? size : port_openssl_result(stream, size);
}

/* 1: nothing is held any more */
static int port_openssl_push(OPENSSL_STREAM *stream)
{
    while (stream->held != 0) {
        int size = SSL_write(stream->ssl, stream->record, (int)stream->held);
        if (size <= 0) {
            return port_openssl_result(stream, size);
        }
        stream->held -= (unsigned int)size;
        memmove(stream->record, stream->record + size, stream->held);
    }
    return 1;
}

static int port_openssl_write(void *context, const unsigned char *bytes, unsigned int size)
{
    OPENSSL_STREAM *stream = (OPENSSL_STREAM *)context;
    unsigned int room = (unsigned int)sizeof stream->record - stream->held;
    if (size == 0 || room == 0) {
        int pushed = port_openssl_push(stream);
        if (size == 0 || pushed <= 0) {
            return pushed;
        }
        room = (unsigned int)sizeof stream->record;
    }
    size = size < room ? size : room;
    memcpy(stream->record + stream->held, bytes, size);
    stream->held += size;
    return (int)size;
}

static void port_openssl_close(void *context)
{
    OPENSSL_STREAM *stream = (OPENSSL_STREAM *)context;
    if (stream->ssl != NULL) {
        SSL_shutdown(stream->ssl);
        SSL_free(stream->ssl);
        SSL_CTX_free(stream->context);
        close(stream->socket);
        stream->ssl = NULL;
    }
}

/* Until the socket can go on. */
static void port_openssl_wait(const OPENSSL_STREAM *stream, unsigned int milliseconds)
{
    struct pollfd item;
    item.fd = stream->socket;
    item.events = (short)(stream->held != 0 ? POLLIN | POLLOUT : POLLIN);
    poll(&item, 1, (int)milliseconds);
}

static void openssl_stream(OPENSSL_STREAM *stream, const char *roots, IOTHUB_IO *io)
{
    memset(stream, 0, sizeof *stream);
    stream->roots = roots;
    memset(io, 0, sizeof *io);
    io->context = stream;
    io->open = port_openssl_open;
    io->read = port_openssl_read;
    io->write = port_openssl_write;
    io->close = port_openssl_close;
}

#endif
