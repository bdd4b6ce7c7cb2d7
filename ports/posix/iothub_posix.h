/* iothub_posix.h - IOTHUB_PLATFORM for POSIX systems: a plain TCP stream, clocks, entropy. No TLS: put a filter on top.

   DO THIS in exactly one C or C++ file (the same one that holds the implementation of iothub_client.h is fine):

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/posix/iothub_posix.h"

   The implementation needs the declarations of POSIX.1-2001 or later: compile with -std=gnu99 and the like, or with
   -D_POSIX_C_SOURCE=200809L. README.md in this folder says what the port does and does not do.

   NAME LOOKUP. getaddrinfo blocks for seconds, and nothing here may. Addresses in digits and "localhost" are answered at
   once; any other name is looked up by a child process (fork) that sends its result through a pipe. The child ends by
   itself after IOTHUB_POSIX_LOOKUP_SECONDS, close() ends it at once, and it is always waited for by its own process id.
   Programs that must not fork define IOTHUB_POSIX_BLOCKING_LOOKUP: then one call of open waits for getaddrinfo.

   SETTINGS, defined before the implementation is included:
       IOTHUB_POSIX_BLOCKING_LOOKUP                 look names up in the calling process, blocking
       IOTHUB_POSIX_LOOKUP_SECONDS           20     an unanswered lookup ends as EAI_AGAIN
       IOTHUB_POSIX_CONNECT_MILLISECONDS     8000   then the next address is tried, if there is one */

#ifndef IOTHUB_POSIX_H
#define IOTHUB_POSIX_H

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IOTHUB_POSIX_ADDRESSES 8                 /* addresses of one name that are tried; further ones are ignored */

typedef struct IOTHUB_POSIX_ADDRESSES_TAG {      /* what a lookup found; goes through the pipe as it is */
    int code;                                    /* 0, or an EAI code of getaddrinfo */
    int count;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address[IOTHUB_POSIX_ADDRESSES];
} IOTHUB_POSIX_ADDRESSES_FOUND;

typedef struct IOTHUB_POSIX_TAG {                /* place it anywhere; the fields are the port's own */
    IOTHUB_IO tcp;                               /* what iothub_posix_tcp answers */
    int state;
    int socket;                                  /* -1: none */
    int pipe;                                    /* reading end of the lookup; -1: none */
    pid_t child;                                 /* the lookup; 0: none */
    unsigned int received;                       /* bytes of found that came through the pipe */
    IOTHUB_POSIX_ADDRESSES_FOUND found;
    int next;                                    /* the address to try next */
    int blocked;                                 /* the last write was short: wait for room, too */
    uint32_t connect_since;
    int keepalive, keepalive_time, keepalive_interval;     /* -1: as the system has it */
    int layer;                                   /* of the last failure */
    long raw;
} IOTHUB_POSIX;

/* Fills the clocks and the entropy of *platform and empties the rest of it: a client over a platform without a stream is
   refused, so that nobody sends a token in clear text by forgetting TLS. Call it once, before all else. */
void iothub_posix_platform(IOTHUB_POSIX *posix, IOTHUB_PLATFORM *platform);

/* The plain TCP stream, for a TLS filter to stand on. It lives as long as *posix does. */
const IOTHUB_IO *iothub_posix_tcp(IOTHUB_POSIX *posix);

/* For main loops: sleeps until the stream can go on (data came, room after a short write, a step of open), a signal
   came, or so many milliseconds went by. 1: the stream can go on; 0: not. */
int iothub_posix_wait(IOTHUB_POSIX *posix, uint32_t milliseconds);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_POSIX_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_POSIX_IMPLEMENTED)
#define IOTHUB_POSIX_IMPLEMENTED

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<sys/random.h>)
#include <sys/random.h>
#endif
#endif

#ifndef AI_NUMERICHOST
#error "iothub_posix.h needs the POSIX declarations: compile with -std=gnu99, or with -D_POSIX_C_SOURCE=200809L"
#endif

#ifndef IOTHUB_POSIX_LOOKUP_SECONDS
#define IOTHUB_POSIX_LOOKUP_SECONDS 20
#endif
#ifndef IOTHUB_POSIX_CONNECT_MILLISECONDS
#define IOTHUB_POSIX_CONNECT_MILLISECONDS 8000
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum { IOTHUB_POSIXI_CLOSED, IOTHUB_POSIXI_LOOKUP, IOTHUB_POSIXI_CONNECT, IOTHUB_POSIXI_OPEN, IOTHUB_POSIXI_DEAD };

/* ---- Clocks and entropy ---- */

static uint32_t iothub_posixi_milliseconds(void *context)
{
    struct timespec now;
    (void)context;
#ifdef CLOCK_BOOTTIME                            /* Linux: goes on while the machine sleeps */
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
#endif
    {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return (uint32_t)now.tv_sec * 1000u + (uint32_t)(now.tv_nsec / 1000000);
}

static uint32_t iothub_posixi_unix_time(void *context)
{
    time_t now = time(NULL);
    (void)context;
    return now < (time_t)946684800 ? 0u : (uint32_t)now;   /* before 2000: a clock that was never set */
}

static int iothub_posixi_random(void *context, unsigned char *bytes, unsigned int size)
{
    ssize_t got;
    int file;
    (void)context;
#ifdef GRND_NONBLOCK
    while (size > 0) {                           /* unlike /dev/urandom it says when the pool is not seeded yet */
        got = getrandom(bytes, size > 256 ? 256 : size, GRND_NONBLOCK);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) {
                continue;
            }
            break;
        }
        bytes += got;
        size -= (unsigned int)got;
    }
    if (size == 0) {
        return 0;
    }
    if (errno != ENOSYS && errno != EPERM) {
        return -1;
    }
#endif
    file = open("/dev/urandom", O_RDONLY);
    if (file < 0) {
        return -1;
    }
    while (size > 0) {
        got = read(file, bytes, size);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) {
                continue;
            }
            break;
        }
        bytes += got;
        size -= (unsigned int)got;
    }
    (void)close(file);
    return size == 0 ? 0 : -1;
}

/* ---- Name lookup ---- */

static int iothub_posixi_fail(IOTHUB_POSIX *posix, int layer, long raw)
{
    posix->state = IOTHUB_POSIXI_DEAD;
    posix->layer = layer;
    posix->raw = raw;
    return -1;
}

static socklen_t iothub_posixi_address_size(const IOTHUB_POSIX_ADDRESSES_FOUND *found, int index)
{
    return (socklen_t)(found->address[index].any.sa_family == AF_INET6 ? sizeof found->address[index].v6
                                                                       : sizeof found->address[index].v4);
}

static void iothub_posixi_ask(IOTHUB_POSIX_ADDRESSES_FOUND *found, const char *host, int flags)
{
    struct addrinfo hints, *list = NULL, *at;

    memset(found, 0, sizeof *found);
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    found->code = getaddrinfo(host, NULL, &hints, &list);
    if (found->code != 0) {
        return;
    }
    for (at = list; at != NULL && found->count < IOTHUB_POSIX_ADDRESSES; at = at->ai_next) {
        if ((at->ai_family == AF_INET || at->ai_family == AF_INET6) &&
            at->ai_addrlen <= sizeof found->address[0]) {
            memcpy(&found->address[found->count], at->ai_addr, at->ai_addrlen);
            found->count++;
        }
    }
    freeaddrinfo(list);
    if (found->count == 0) {
        found->code = EAI_NONAME;
    }
}

/* RFC 6761 section 6.3: "localhost" and names that end in ".localhost" are this machine; nobody need be asked. */
static int iothub_posixi_is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t size = strlen(host), own = sizeof name - 1, i;

    if (size > 0 && host[size - 1] == '.') {
        size--;
    }
    if (size < own || (size > own && host[size - own - 1] != '.')) {
        return 0;
    }
    for (i = 0; i < own; i++) {
        if ((host[size - own + i] | 0x20) != name[i]) {
            return 0;
        }
    }
    return 1;
}

static void iothub_posixi_localhost(IOTHUB_POSIX_ADDRESSES_FOUND *found)
{
    memset(found, 0, sizeof *found);
    found->count = 2;
    found->address[0].v6.sin6_family = AF_INET6;
    found->address[0].v6.sin6_addr = in6addr_loopback;
    found->address[1].v4.sin_family = AF_INET;
    found->address[1].v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

/* Waits for the child by its own id; kills it first if it still runs. If somebody else's wait() was faster there is
   nothing left that could be killed, and the id may already belong to a stranger. */
static void iothub_posixi_end_lookup(IOTHUB_POSIX *posix)
{
    int status;
    pid_t answer;

    if (posix->pipe >= 0) {
        (void)close(posix->pipe);
        posix->pipe = -1;
    }
    if (posix->child > 0) {
        do {
            answer = waitpid(posix->child, &status, WNOHANG);
        } while (answer < 0 && errno == EINTR);
        if (answer == 0) {
            (void)kill(posix->child, SIGKILL);
            while (waitpid(posix->child, &status, 0) < 0 && errno == EINTR) {
            }
        }
        posix->child = 0;
    }
}

#ifndef IOTHUB_POSIX_BLOCKING_LOOKUP
/* The child: a handful of calls, then _exit. It keeps no file of the parent open, or else the parent's close() of some
   other connection would not reach its peer before the lookup ends. */
static void iothub_posixi_child(const char *host, int out)
{
    IOTHUB_POSIX_ADDRESSES_FOUND found;
    const unsigned char *at = (const unsigned char *)&found;
    size_t left = sizeof found;
    ssize_t put;
    sigset_t signals;
    int file;

    (void)signal(SIGALRM, SIG_DFL);
    (void)sigemptyset(&signals);
    (void)sigprocmask(SIG_SETMASK, &signals, NULL);
    (void)alarm(IOTHUB_POSIX_LOOKUP_SECONDS);
    for (file = 3; file < 1024; file++) {
        if (file != out) {
            (void)close(file);
        }
    }
    iothub_posixi_ask(&found, host, 0);
    while (left > 0) {
        put = write(out, at, left);
        if (put < 0) {
            break;
        }
        at += put;
        left -= (size_t)put;
    }
    _exit(0);
}

static int iothub_posixi_start_lookup(IOTHUB_POSIX *posix, const char *host)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0) {
        return iothub_posixi_fail(posix, IOTHUB_LAYER_DNS, EAI_SYSTEM);
    }
    child = fork();
    if (child == 0) {
        iothub_posixi_child(host, ends[1]);
    }
    (void)close(ends[1]);
    if (child < 0) {
        (void)close(ends[0]);
        return iothub_posixi_fail(posix, IOTHUB_LAYER_DNS, EAI_SYSTEM);
    }
    posix->pipe = ends[0];
    posix->child = child;
    posix->received = 0;
    (void)fcntl(posix->pipe, F_SETFL, O_NONBLOCK);
    (void)fcntl(posix->pipe, F_SETFD, FD_CLOEXEC);
    return 0;
}
#endif

/* 1 found, 0 not yet, <0 failed */
static int iothub_posixi_lookup(IOTHUB_POSIX *posix)
{
    ssize_t got;

    while (posix->pipe >= 0 && posix->received < sizeof posix->found) {
        got = read(posix->pipe, (unsigned char *)&posix->found + posix->received,
                   sizeof posix->found - posix->received);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return 0;
        }
        if (got <= 0) {                          /* the child ended without a result: its alarm */
            iothub_posixi_end_lookup(posix);
            return iothub_posixi_fail(posix, IOTHUB_LAYER_DNS, EAI_AGAIN);
        }
        posix->received += (unsigned int)got;
    }
    iothub_posixi_end_lookup(posix);
    return posix->found.code != 0 ? iothub_posixi_fail(posix, IOTHUB_LAYER_DNS, posix->found.code) : 1;
}

static int iothub_posixi_find(IOTHUB_POSIX *posix, const char *host)
{
    posix->state = IOTHUB_POSIXI_LOOKUP;
    posix->next = 0;
    if (iothub_posixi_is_localhost(host)) {
        iothub_posixi_localhost(&posix->found);
        return 0;
    }
    iothub_posixi_ask(&posix->found, host, AI_NUMERICHOST);
    if (posix->found.code == 0) {
        return 0;
    }
#ifdef IOTHUB_POSIX_BLOCKING_LOOKUP
    iothub_posixi_ask(&posix->found, host, 0);
    return 0;
#else
    return iothub_posixi_start_lookup(posix, host);
#endif
}

/* ---- The stream ---- */

static void iothub_posixi_keepalive(IOTHUB_POSIX *posix)
{
    if (posix->socket < 0) {
        return;
    }
    if (posix->keepalive >= 0) {
        (void)setsockopt(posix->socket, SOL_SOCKET, SO_KEEPALIVE, &posix->keepalive, sizeof posix->keepalive);
    }
#ifdef TCP_KEEPIDLE
    if (posix->keepalive_time > 0) {
        (void)setsockopt(posix->socket, IPPROTO_TCP, TCP_KEEPIDLE, &posix->keepalive_time,
                         sizeof posix->keepalive_time);
    }
#endif
#ifdef TCP_KEEPINTVL
    if (posix->keepalive_interval > 0) {
        (void)setsockopt(posix->socket, IPPROTO_TCP, TCP_KEEPINTVL, &posix->keepalive_interval,
                         sizeof posix->keepalive_interval);
    }
#endif
}

static void iothub_posixi_drop_socket(IOTHUB_POSIX *posix)
{
    if (posix->socket >= 0) {
        (void)close(posix->socket);
        posix->socket = -1;
    }
    posix->blocked = 0;
}

/* Starts a connection to the next address that the system takes: 1 connected, 0 in progress, <0 no address is left. */
static int iothub_posixi_connect_next(IOTHUB_POSIX *posix, unsigned int port)
{
    int on = 1, answer, index;

    for (;;) {
        iothub_posixi_drop_socket(posix);
        if (posix->next >= posix->found.count) {
            return iothub_posixi_fail(posix, IOTHUB_LAYER_TCP, posix->raw);
        }
        index = posix->next++;
        if (posix->found.address[index].any.sa_family == AF_INET6) {
            posix->found.address[index].v6.sin6_port = htons((uint16_t)port);
        } else {
            posix->found.address[index].v4.sin_port = htons((uint16_t)port);
        }
        posix->socket = socket(posix->found.address[index].any.sa_family, SOCK_STREAM, 0);
        if (posix->socket < 0) {
            posix->raw = errno;
            continue;
        }
        (void)fcntl(posix->socket, F_SETFL, O_NONBLOCK);
        (void)fcntl(posix->socket, F_SETFD, FD_CLOEXEC);
        (void)setsockopt(posix->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef SO_NOSIGPIPE
        (void)setsockopt(posix->socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
        iothub_posixi_keepalive(posix);
        posix->connect_since = iothub_posixi_milliseconds(posix);
        answer = connect(posix->socket, &posix->found.address[index].any,
                         iothub_posixi_address_size(&posix->found, index));
        if (answer == 0) {
            return 1;
        }
        if (errno == EINPROGRESS || errno == EINTR) {      /* an interrupted connect goes on by itself, too */
            return 0;
        }
        posix->raw = errno;
    }
}

/* 1 connected, 0 in progress, <0 failed at every address */
static int iothub_posixi_connected(IOTHUB_POSIX *posix, unsigned int port)
{
    struct pollfd item;
    int code = 0;
    socklen_t size = (socklen_t)sizeof code;

    item.fd = posix->socket;
    item.events = POLLOUT;
    item.revents = 0;
    if (poll(&item, 1, 0) <= 0) {
        if (posix->next < posix->found.count && iothub_posixi_milliseconds(posix) - posix->connect_since >=
                                                    (uint32_t)IOTHUB_POSIX_CONNECT_MILLISECONDS) {
            posix->raw = ETIMEDOUT;
            return iothub_posixi_connect_next(posix, port);
        }
        return 0;
    }
    if (getsockopt(posix->socket, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    if (code == 0) {
        return 1;
    }
    posix->raw = code;
    return iothub_posixi_connect_next(posix, port);
}

static int iothub_posixi_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_POSIX *posix = (IOTHUB_POSIX *)context;
    int answer;

    switch (posix->state) {
    case IOTHUB_POSIXI_OPEN:
        return 1;
    case IOTHUB_POSIXI_DEAD:                     /* close comes first */
        return -1;
    case IOTHUB_POSIXI_CLOSED:
        posix->layer = IOTHUB_LAYER_NONE;
        posix->raw = 0;
        if (iothub_posixi_find(posix, host) < 0) {
            return -1;
        }
        break;
    default:
        break;
    }
    if (posix->state == IOTHUB_POSIXI_LOOKUP) {
        answer = iothub_posixi_lookup(posix);
        if (answer <= 0) {
            return answer;
        }
        posix->state = IOTHUB_POSIXI_CONNECT;
        answer = iothub_posixi_connect_next(posix, port);
    } else {
        answer = iothub_posixi_connected(posix, port);
    }
    if (answer > 0) {
        posix->state = IOTHUB_POSIXI_OPEN;
        posix->raw = 0;
    }
    return answer;
}

static int iothub_posixi_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_POSIX *posix = (IOTHUB_POSIX *)context;
    ssize_t got;

    if (posix->state != IOTHUB_POSIXI_OPEN) {
        return -1;
    }
    if (capacity == 0) {
        return 0;
    }
    do {
        got = recv(posix->socket, bytes, capacity, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        return (int)got;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return 0;
    }
    return iothub_posixi_fail(posix, IOTHUB_LAYER_TCP, got < 0 ? errno : 0);   /* raw 0: the peer closed in order */
}

static int iothub_posixi_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_POSIX *posix = (IOTHUB_POSIX *)context;
    ssize_t put;
#ifdef MSG_NOSIGNAL
    const int flags = MSG_NOSIGNAL;
#else
    const int flags = 0;                         /* SO_NOSIGPIPE does it */
#endif

    if (posix->state != IOTHUB_POSIXI_OPEN) {
        return -1;
    }
    if (size == 0) {                             /* nothing is ever held here */
        return 1;
    }
    do {
        put = send(posix->socket, bytes, size, flags);
    } while (put < 0 && errno == EINTR);
    if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        return iothub_posixi_fail(posix, IOTHUB_LAYER_TCP, errno);
    }
    posix->blocked = put < (ssize_t)size;
    return put > 0 ? (int)put : 0;
}

static void iothub_posixi_close(void *context)
{
    IOTHUB_POSIX *posix = (IOTHUB_POSIX *)context;

    iothub_posixi_end_lookup(posix);
    iothub_posixi_drop_socket(posix);
    posix->state = IOTHUB_POSIXI_CLOSED;         /* layer and raw stay: error() may be asked after close */
}

/* Kept for all later connections, and applied to the present one. */
static int iothub_posixi_set_option(void *context, const char *name, const void *value)
{
    IOTHUB_POSIX *posix = (IOTHUB_POSIX *)context;
    int *field;

    if (strcmp(name, "tcp_keepalive") == 0) {
        field = &posix->keepalive;
    } else if (strcmp(name, "tcp_keepalive_time") == 0) {
        field = &posix->keepalive_time;
    } else if (strcmp(name, "tcp_keepalive_interval") == 0) {
        field = &posix->keepalive_interval;
    } else {
        return 1;
    }
    if (value == NULL || *(const int *)value < 0) {
        return -1;
    }
    *field = *(const int *)value;
    iothub_posixi_keepalive(posix);
    return 0;
}

static int iothub_posixi_error(void *context, long *raw)
{
    IOTHUB_POSIX *posix = (IOTHUB_POSIX *)context;

    if (raw != NULL) {
        *raw = posix->raw;
    }
    return posix->layer;
}

/* ---- Public functions ---- */

void iothub_posix_platform(IOTHUB_POSIX *posix, IOTHUB_PLATFORM *platform)
{
    memset(posix, 0, sizeof *posix);
    posix->state = IOTHUB_POSIXI_CLOSED;
    posix->socket = -1;
    posix->pipe = -1;
    posix->keepalive = -1;
    posix->keepalive_time = -1;
    posix->keepalive_interval = -1;

    memset(platform, 0, sizeof *platform);
    platform->context = posix;
    platform->milliseconds = iothub_posixi_milliseconds;
    platform->unix_time = iothub_posixi_unix_time;
    platform->random = iothub_posixi_random;
}

const IOTHUB_IO *iothub_posix_tcp(IOTHUB_POSIX *posix)
{
    posix->tcp.context = posix;
    posix->tcp.open = iothub_posixi_open;
    posix->tcp.read = iothub_posixi_read;
    posix->tcp.write = iothub_posixi_write;
    posix->tcp.close = iothub_posixi_close;
    posix->tcp.set_option = iothub_posixi_set_option;
    posix->tcp.error = iothub_posixi_error;
    return &posix->tcp;
}

int iothub_posix_wait(IOTHUB_POSIX *posix, uint32_t milliseconds)
{
    struct pollfd item;
    int timeout = milliseconds > 0x7FFFFFFFu ? 0x7FFFFFFF : (int)milliseconds;

    item.fd = -1;                                /* poll skips it: a plain sleep */
    item.events = POLLIN;
    item.revents = 0;
    if (posix->state == IOTHUB_POSIXI_LOOKUP) {
        item.fd = posix->pipe;
    } else if (posix->state == IOTHUB_POSIXI_CONNECT) {
        item.fd = posix->socket;
        item.events = POLLOUT;
    } else if (posix->state == IOTHUB_POSIXI_OPEN) {
        item.fd = posix->socket;
        item.events = (short)(posix->blocked ? POLLIN | POLLOUT : POLLIN);
    }
    return poll(&item, 1, timeout) > 0 ? 1 : 0;
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
