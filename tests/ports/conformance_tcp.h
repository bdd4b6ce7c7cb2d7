/* conformance_tcp.h - the peer of conformance.h on the sockets of this machine (POSIX, Windows); one C or C++ file includes it. */

#ifndef IOTHUB_TESTS_PORTS_CONFORMANCE_TCP_H
#define IOTHUB_TESTS_PORTS_CONFORMANCE_TCP_H

#include "conformance.h"

#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
typedef SOCKET conformance_socket;
#define CONFORMANCE_NO_SOCKET INVALID_SOCKET
#else
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
typedef int conformance_socket;
#define CONFORMANCE_NO_SOCKET (-1)
#endif

enum { CONFORMANCE_FILLERS = 6 };

struct conformance_tcp {
    struct conformance_peer peer;
    conformance_socket listener, taken;
    conformance_socket fillers[CONFORMANCE_FILLERS];     /* connections that fill a short queue, so that the next one hangs */
    int silent_after_accept;                     /* what silence is to a filter: a connection, and no word */
};

static inline void conformance_tcp_drop(conformance_socket *socket, int cut)
{
    struct linger linger;

    if (*socket == CONFORMANCE_NO_SOCKET) {
        return;
    }
    if (cut) {
        linger.l_onoff = 1;
        linger.l_linger = 0;
        (void)setsockopt(*socket, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof linger);
    }
#ifdef _WIN32
    (void)closesocket(*socket);
#else
    (void)close(*socket);
#endif
    *socket = CONFORMANCE_NO_SOCKET;
}

static inline void conformance_tcp_no_wait(conformance_socket socket)
{
#ifdef _WIN32
    u_long on = 1;
    (void)ioctlsocket(socket, (long)FIONBIO, &on);
#else
    (void)fcntl(socket, F_SETFL, O_NONBLOCK);
#endif
}

static inline int conformance_tcp_is_later(void)
{
#ifdef _WIN32
    return WSAGetLastError() == WSAEWOULDBLOCK;
#else
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
#endif
}

static inline void conformance_tcp_accept(struct conformance_tcp *tcp)
{
    if (tcp->listener != CONFORMANCE_NO_SOCKET && tcp->taken == CONFORMANCE_NO_SOCKET) {
        tcp->taken = accept(tcp->listener, NULL, NULL);
        if (tcp->taken != CONFORMANCE_NO_SOCKET) {
            conformance_tcp_no_wait(tcp->taken);
        }
    }
}

static inline void conformance_tcp_drop_all(struct conformance_tcp *tcp)
{
    int i;

    conformance_tcp_drop(&tcp->taken, 1);
    conformance_tcp_drop(&tcp->listener, 0);
    for (i = 0; i < CONFORMANCE_FILLERS; i++) {
        conformance_tcp_drop(&tcp->fillers[i], 1);
    }
}

static inline unsigned int conformance_tcp_expect(void *context, int how)
{
    struct conformance_tcp *tcp = (struct conformance_tcp *)context;
    struct sockaddr_in address;
    socklen_t size = (socklen_t)sizeof address;
    int small = 8192, i;
    const int full = how == CONFORMANCE_SILENCE && !tcp->silent_after_accept;

    conformance_tcp_drop_all(tcp);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tcp->listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(tcp->listener, SOL_SOCKET, SO_RCVBUF, (const char *)&small, sizeof small);
    if (bind(tcp->listener, (struct sockaddr *)&address, size) != 0 || listen(tcp->listener, full ? 0 : 4) != 0 ||
        getsockname(tcp->listener, (struct sockaddr *)&address, &size) != 0) {
        return 0;
    }
    conformance_tcp_no_wait(tcp->listener);
    for (i = 0; i < CONFORMANCE_FILLERS && full; i++) {
        tcp->fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        conformance_tcp_no_wait(tcp->fillers[i]);
        (void)connect(tcp->fillers[i], (struct sockaddr *)&address, size);
    }
    if (how == CONFORMANCE_REFUSE) {
        conformance_tcp_drop(&tcp->listener, 0);
    }
    return ntohs(address.sin_port);
}

static inline int conformance_tcp_send(void *context, const unsigned char *bytes, unsigned int size)
{
    struct conformance_tcp *tcp = (struct conformance_tcp *)context;
    int answer;

    conformance_tcp_accept(tcp);
    if (tcp->taken == CONFORMANCE_NO_SOCKET) {
        return -1;
    }
#ifdef MSG_NOSIGNAL
    answer = (int)send(tcp->taken, (const char *)bytes, size, MSG_NOSIGNAL);
#else
    answer = (int)send(tcp->taken, (const char *)bytes, (int)size, 0);
#endif
    return answer > 0 ? answer : conformance_tcp_is_later() ? 0 : -1;
}

static inline int conformance_tcp_receive(void *context, unsigned char *bytes, unsigned int capacity)
{
    struct conformance_tcp *tcp = (struct conformance_tcp *)context;
    int answer;

    conformance_tcp_accept(tcp);
    if (tcp->taken == CONFORMANCE_NO_SOCKET) {
        return 0;
    }
#ifdef _WIN32
    answer = recv(tcp->taken, (char *)bytes, (int)capacity, 0);
#else
    answer = (int)recv(tcp->taken, bytes, capacity, 0);
#endif
    return answer > 0 ? answer : answer < 0 && conformance_tcp_is_later() ? 0 : -1;
}

static inline void conformance_tcp_end(void *context, int cut)
{
    struct conformance_tcp *tcp = (struct conformance_tcp *)context;
    unsigned char bytes[512];

    conformance_tcp_accept(tcp);
    while (!cut && conformance_tcp_receive(tcp, bytes, sizeof bytes) > 0) {      /* what is unread at close would cut */
    }
    conformance_tcp_drop(&tcp->taken, cut);
}

static inline unsigned long conformance_tcp_milliseconds(void *context)
{
#ifdef _WIN32
    (void)context;
    return GetTickCount();
#else
    struct timespec now;
    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long)now.tv_sec * 1000ul + (unsigned long)now.tv_nsec / 1000000ul;
#endif
}

static inline void conformance_tcp_step(void *context)
{
#ifdef _WIN32
    Sleep(1);
#else
    struct timespec span;
    span.tv_sec = 0;
    span.tv_nsec = 1000000;
    (void)nanosleep(&span, NULL);
#endif
    conformance_tcp_accept((struct conformance_tcp *)context);
}

static inline void conformance_tcp_begin(struct conformance_tcp *tcp)
{
    int i;

    memset(tcp, 0, sizeof *tcp);
    tcp->listener = tcp->taken = CONFORMANCE_NO_SOCKET;
    for (i = 0; i < CONFORMANCE_FILLERS; i++) {
        tcp->fillers[i] = CONFORMANCE_NO_SOCKET;
    }
    tcp->peer.context = tcp;
    tcp->peer.expect = conformance_tcp_expect;
    tcp->peer.send = conformance_tcp_send;
    tcp->peer.receive = conformance_tcp_receive;
    tcp->peer.end = conformance_tcp_end;
    tcp->peer.step = conformance_tcp_step;
    tcp->peer.milliseconds = conformance_tcp_milliseconds;
}

#endif
