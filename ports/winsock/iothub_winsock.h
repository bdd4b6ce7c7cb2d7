/* iothub_winsock.h - IOTHUB_PLATFORM for Windows (XP or later): a plain TCP stream, clocks, entropy. No TLS: put a filter on top.

   DO THIS in exactly one C or C++ file (the same one that holds the implementation of iothub_client.h is fine), link with
   ws2_32 and advapi32:

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/winsock/iothub_winsock.h"

   Include it before windows.h, or have winsock2.h before that: windows.h alone brings the old winsock.h, which cannot be mixed.
   The program calls WSAStartup once at its beginning, or lets iothub_winsock_platform do it.

   NAME LOOKUP. getaddrinfo blocks for seconds, and nothing here may. Addresses in digits and "localhost" are answered at once; any
   other name is looked up by a thread, which shares one block of heap memory with the stream and nothing else. Windows cannot
   interrupt a lookup: close, or IOTHUB_WINSOCK_LOOKUP_MILLISECONDS, leaves the thread alone with its block, and it frees it at its end.
   Programs that must not have a thread define IOTHUB_WINSOCK_BLOCKING_LOOKUP: then one call of open waits for getaddrinfo.

   SETTINGS, defined before the implementation is included:
       IOTHUB_WINSOCK_BLOCKING_LOOKUP                   look names up in the calling thread, blocking
       IOTHUB_WINSOCK_LOOKUP_MILLISECONDS     20000     an unanswered lookup ends as WSATRY_AGAIN
       IOTHUB_WINSOCK_CONNECT_MILLISECONDS    8000      then the next address is tried, if there is one */

#ifndef IOTHUB_WINSOCK_H
#define IOTHUB_WINSOCK_H

#include <winsock2.h>
#include <ws2tcpip.h>

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define IOTHUB_WINSOCK_ADDRESSES 8               /* addresses of one name that are tried; further ones are ignored */

typedef struct IOTHUB_WINSOCK_FOUND_TAG {        /* what a lookup found */
    int code;                                    /* 0, or a WSA code of getaddrinfo */
    int count;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address[IOTHUB_WINSOCK_ADDRESSES];
} IOTHUB_WINSOCK_FOUND;

typedef struct IOTHUB_WINSOCK_TAG {              /* place it anywhere; the fields are the port's own */
    IOTHUB_IO tcp;                               /* what iothub_winsock_tcp answers */
    int state;
    SOCKET socket;
    HANDLE thread;                               /* the lookup; NULL: none */
    void *shared;                                /* its block */
    IOTHUB_WINSOCK_FOUND found;
    int next;                                    /* the address to try next */
    int blocked;                                 /* the last write was short: wait for room, too */
    uint32_t since;                              /* the beginning of the lookup, or of the present attempt to connect */
    int keepalive;                               /* -1: as the system has it */
    int layer;                                   /* of the last failure */
    long raw;
} IOTHUB_WINSOCK;

/* Fills the clocks and the entropy of *platform and empties the rest of it: a client over a platform without a stream is
   refused, so that nobody sends a token in clear text by forgetting TLS. Calls WSAStartup. Call it once, before all else.
   0: done; else the code of WSAStartup. */
int iothub_winsock_platform(IOTHUB_WINSOCK *winsock, IOTHUB_PLATFORM *platform);

/* The plain TCP stream, for a TLS filter to stand on. It lives as long as *winsock does. */
const IOTHUB_IO *iothub_winsock_tcp(IOTHUB_WINSOCK *winsock);

/* For main loops: sleeps until the stream can go on (data came, room after a short write, a step of open), or so many
   milliseconds went by. 1: the stream can go on; 0: not. */
int iothub_winsock_wait(IOTHUB_WINSOCK *winsock, uint32_t milliseconds);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_WINSOCK_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_WINSOCK_IMPLEMENTED)
#define IOTHUB_WINSOCK_IMPLEMENTED

#include <string.h>

#ifndef IOTHUB_WINSOCK_LOOKUP_MILLISECONDS
#define IOTHUB_WINSOCK_LOOKUP_MILLISECONDS 20000
#endif
#ifndef IOTHUB_WINSOCK_CONNECT_MILLISECONDS
#define IOTHUB_WINSOCK_CONNECT_MILLISECONDS 8000
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* RtlGenRandom under the name that advapi32 exports; ntsecapi.h, which declares it, cannot be included everywhere. */
#ifdef _MSC_VER
#pragma comment(lib, "ws2_32.lib")
#pragma comment(lib, "advapi32.lib")
#endif
BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG size);

enum { IOTHUB_WINSOCKI_CLOSED, IOTHUB_WINSOCKI_LOOKUP, IOTHUB_WINSOCKI_CONNECT, IOTHUB_WINSOCKI_OPEN, IOTHUB_WINSOCKI_DEAD };

/* ---- Clocks and entropy ---- */

static uint32_t iothub_winsocki_milliseconds(void *context)
{
    (void)context;
    return (uint32_t)GetTickCount();             /* counts through sleep, wraps after 49 days, moves in steps of 10 to 16 ms */
}

static uint32_t iothub_winsocki_unix_time(void *context)
{
    FILETIME now;                                /* tenths of microseconds since 1601 */
    ULARGE_INTEGER wide;
    uint32_t seconds;

    (void)context;
    GetSystemTimeAsFileTime(&now);
    wide.LowPart = now.dwLowDateTime;
    wide.HighPart = now.dwHighDateTime;
    seconds = (uint32_t)(wide.QuadPart / 10000000u - (ULONGLONG)1000000u * 11644u - 473600u);
    return seconds < 946684800u ? 0u : seconds;  /* before 2000: a clock that was never set */
}

static int iothub_winsocki_random(void *context, unsigned char *bytes, unsigned int size)
{
    (void)context;
    return SystemFunction036(bytes, size) ? 0 : -1;
}

/* ---- Name lookup ---- */

static int iothub_winsocki_fail(IOTHUB_WINSOCK *winsock, int layer, long raw)
{
    winsock->state = IOTHUB_WINSOCKI_DEAD;
    winsock->layer = layer;
    winsock->raw = raw;
    return -1;
}

static void iothub_winsocki_ask(IOTHUB_WINSOCK_FOUND *found, const char *host, int flags)
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
    for (at = list; at != NULL && found->count < IOTHUB_WINSOCK_ADDRESSES; at = at->ai_next) {
        if ((at->ai_family == AF_INET || at->ai_family == AF_INET6) && at->ai_addrlen <= sizeof found->address[0]) {
            memcpy(&found->address[found->count++], at->ai_addr, at->ai_addrlen);
        }
    }
    freeaddrinfo(list);
    if (found->count == 0) {
        found->code = WSANO_DATA;
    }
}

/* RFC 6761 section 6.3: localhost and the names below it are this machine, and need no resolver. */
static int iothub_winsocki_is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t size = strlen(host), i;

    if (size > 0 && host[size - 1] == '.') {
        size--;
    }
    if (size < 9 || (size > 9 && host[size - 10] != '.')) {
        return 0;
    }
    for (i = 0; i < 9; i++) {
        if ((host[size - 9 + i] | 0x20) != name[i]) {
            return 0;
        }
    }
    return 1;
}

static void iothub_winsocki_localhost(IOTHUB_WINSOCK_FOUND *found)
{
    memset(found, 0, sizeof *found);
    found->count = 2;                            /* IPv4 first: Windows tries a refused connection for two seconds */
    found->address[0].v4.sin_family = AF_INET;
    found->address[0].v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    found->address[1].v6.sin6_family = AF_INET6;
    found->address[1].v6.sin6_addr.s6_addr[15] = 1;
}

#ifndef IOTHUB_WINSOCK_BLOCKING_LOOKUP
typedef struct IOTHUB_WINSOCKI_SHARED_TAG {      /* of stream and thread; whoever leaves it last frees it */
    volatile LONG left;                          /* 1: one of them has left */
    IOTHUB_WINSOCK_FOUND found;
    char host[256];
} IOTHUB_WINSOCKI_SHARED;

static void iothub_winsocki_leave(IOTHUB_WINSOCKI_SHARED *shared)
{
    if (InterlockedExchange(&shared->left, 1) != 0) {
        (void)HeapFree(GetProcessHeap(), 0, shared);
    }
}

static DWORD WINAPI iothub_winsocki_thread(LPVOID parameter)
{
    IOTHUB_WINSOCKI_SHARED *shared = (IOTHUB_WINSOCKI_SHARED *)parameter;

    iothub_winsocki_ask(&shared->found, shared->host, 0);
    iothub_winsocki_leave(shared);
    return 0;
}

static int iothub_winsocki_start_lookup(IOTHUB_WINSOCK *winsock, const char *host)
{
    IOTHUB_WINSOCKI_SHARED *shared = NULL;
    DWORD id;

    if (strlen(host) < sizeof shared->host) {
        shared = (IOTHUB_WINSOCKI_SHARED *)HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *shared);
    }
    if (shared == NULL) {
        return iothub_winsocki_fail(winsock, IOTHUB_LAYER_DNS, WSAENOBUFS);
    }
    memcpy(shared->host, host, strlen(host) + 1);
    winsock->since = iothub_winsocki_milliseconds(winsock);
    winsock->thread = CreateThread(NULL, 0, iothub_winsocki_thread, shared, 0, &id);
    if (winsock->thread == NULL) {
        (void)HeapFree(GetProcessHeap(), 0, shared);
        return iothub_winsocki_fail(winsock, IOTHUB_LAYER_DNS, (long)GetLastError());
    }
    winsock->shared = shared;
    return 0;
}
#endif

static void iothub_winsocki_end_lookup(IOTHUB_WINSOCK *winsock)
{
#ifndef IOTHUB_WINSOCK_BLOCKING_LOOKUP
    if (winsock->thread != NULL) {
        (void)CloseHandle(winsock->thread);
        iothub_winsocki_leave((IOTHUB_WINSOCKI_SHARED *)winsock->shared);
    }
#endif
    winsock->thread = NULL;
    winsock->shared = NULL;
}

/* 1 found, 0 not yet, <0 failed */
static int iothub_winsocki_lookup(IOTHUB_WINSOCK *winsock)
{
#ifndef IOTHUB_WINSOCK_BLOCKING_LOOKUP
    if (winsock->thread != NULL) {
        if (WaitForSingleObject(winsock->thread, 0) == WAIT_TIMEOUT) {
            if (iothub_winsocki_milliseconds(winsock) - winsock->since < (uint32_t)IOTHUB_WINSOCK_LOOKUP_MILLISECONDS) {
                return 0;
            }
            iothub_winsocki_end_lookup(winsock);
            return iothub_winsocki_fail(winsock, IOTHUB_LAYER_DNS, WSATRY_AGAIN);
        }
        winsock->found = ((IOTHUB_WINSOCKI_SHARED *)winsock->shared)->found;
        iothub_winsocki_end_lookup(winsock);
    }
#endif
    return winsock->found.code != 0 ? iothub_winsocki_fail(winsock, IOTHUB_LAYER_DNS, winsock->found.code) : 1;
}

static int iothub_winsocki_find(IOTHUB_WINSOCK *winsock, const char *host)
{
    winsock->state = IOTHUB_WINSOCKI_LOOKUP;
    winsock->next = 0;
    if (iothub_winsocki_is_localhost(host)) {
        iothub_winsocki_localhost(&winsock->found);
        return 0;
    }
    iothub_winsocki_ask(&winsock->found, host, AI_NUMERICHOST);
    if (winsock->found.code == 0) {
        return 0;
    }
#ifdef IOTHUB_WINSOCK_BLOCKING_LOOKUP
    iothub_winsocki_ask(&winsock->found, host, 0);
    return 0;
#else
    return iothub_winsocki_start_lookup(winsock, host);
#endif
}

/* ---- The stream ---- */

static void iothub_winsocki_keepalive(IOTHUB_WINSOCK *winsock)
{
    if (winsock->socket != INVALID_SOCKET && winsock->keepalive >= 0) {
        (void)setsockopt(winsock->socket, SOL_SOCKET, SO_KEEPALIVE, (const char *)&winsock->keepalive, sizeof winsock->keepalive);
    }
}

static void iothub_winsocki_drop_socket(IOTHUB_WINSOCK *winsock)
{
    if (winsock->socket != INVALID_SOCKET) {
        (void)closesocket(winsock->socket);
        winsock->socket = INVALID_SOCKET;
    }
    winsock->blocked = 0;
}

/* Starts a connection to the next address that the system takes: 1 connected, 0 in progress, <0 no address is left. */
static int iothub_winsocki_connect_next(IOTHUB_WINSOCK *winsock, unsigned int port)
{
    u_long no_wait = 1;
    int on = 1, index, is_v6, code;

    for (;;) {
        iothub_winsocki_drop_socket(winsock);
        if (winsock->next >= winsock->found.count) {
            return iothub_winsocki_fail(winsock, IOTHUB_LAYER_TCP, winsock->raw);
        }
        index = winsock->next++;
        is_v6 = winsock->found.address[index].any.sa_family == AF_INET6;
        if (is_v6) {
            winsock->found.address[index].v6.sin6_port = htons((u_short)port);
        } else {
            winsock->found.address[index].v4.sin_port = htons((u_short)port);
        }
        winsock->socket = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
        if (winsock->socket == INVALID_SOCKET) {
            winsock->raw = WSAGetLastError();
            continue;
        }
        (void)ioctlsocket(winsock->socket, (long)FIONBIO, &no_wait);
        (void)setsockopt(winsock->socket, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
        iothub_winsocki_keepalive(winsock);
        winsock->since = iothub_winsocki_milliseconds(winsock);
        if (connect(winsock->socket, &winsock->found.address[index].any,
                    is_v6 ? (int)sizeof winsock->found.address[index].v6 : (int)sizeof winsock->found.address[index].v4) == 0) {
            return 1;
        }
        code = WSAGetLastError();
        if (code == WSAEWOULDBLOCK) {
            return 0;
        }
        winsock->raw = code;
    }
}

/* Waits so long for the socket: bit 0 it can be read, 1 written, 2 its connection failed (select tells that apart). */
static int iothub_winsocki_select(SOCKET socket, int readable, int writable, uint32_t milliseconds)
{
    fd_set reading, writing, failing;
    struct timeval time;

    FD_ZERO(&reading);
    FD_ZERO(&writing);
    FD_ZERO(&failing);
    reading.fd_count = writing.fd_count = failing.fd_count = 1;  /* FD_SET compares signed and unsigned in some SDKs */
    reading.fd_array[0] = writing.fd_array[0] = failing.fd_array[0] = socket;
    time.tv_sec = (long)(milliseconds / 1000u);
    time.tv_usec = (long)(milliseconds % 1000u) * 1000;
    if (select(0, readable ? &reading : NULL, writable ? &writing : NULL, &failing, &time) <= 0) {
        return 0;
    }
    return (readable && reading.fd_count != 0 ? 1 : 0) | (writable && writing.fd_count != 0 ? 2 : 0) | (failing.fd_count != 0 ? 4 : 0);
}

/* 1 connected, 0 in progress, <0 failed at every address */
static int iothub_winsocki_connected(IOTHUB_WINSOCK *winsock, unsigned int port)
{
    int ready = iothub_winsocki_select(winsock->socket, 0, 1, 0), code = 0, size = (int)sizeof code;

    if (ready == 0) {
        if (winsock->next < winsock->found.count &&
            iothub_winsocki_milliseconds(winsock) - winsock->since >= (uint32_t)IOTHUB_WINSOCK_CONNECT_MILLISECONDS) {
            winsock->raw = WSAETIMEDOUT;
            return iothub_winsocki_connect_next(winsock, port);
        }
        return 0;
    }
    if (getsockopt(winsock->socket, SOL_SOCKET, SO_ERROR, (char *)&code, &size) != 0) {
        code = WSAGetLastError();
    }
    if (code == 0 && (ready & 4) == 0) {
        return 1;
    }
    winsock->raw = code != 0 ? code : WSAECONNREFUSED;
    return iothub_winsocki_connect_next(winsock, port);
}

static int iothub_winsocki_open(void *context, const char *host, unsigned int port)
{
    IOTHUB_WINSOCK *winsock = (IOTHUB_WINSOCK *)context;
    int answer;

    switch (winsock->state) {
    case IOTHUB_WINSOCKI_OPEN:
        return 1;
    case IOTHUB_WINSOCKI_DEAD:                   /* close comes first */
        return -1;
    case IOTHUB_WINSOCKI_CLOSED:
        winsock->layer = IOTHUB_LAYER_NONE;
        winsock->raw = 0;
        if (iothub_winsocki_find(winsock, host) < 0) {
            return -1;
        }
        break;
    default:
        break;
    }
    if (winsock->state == IOTHUB_WINSOCKI_LOOKUP) {
        answer = iothub_winsocki_lookup(winsock);
        if (answer <= 0) {
            return answer;
        }
        winsock->state = IOTHUB_WINSOCKI_CONNECT;
        answer = iothub_winsocki_connect_next(winsock, port);
    } else {
        answer = iothub_winsocki_connected(winsock, port);
    }
    if (answer > 0) {
        winsock->state = IOTHUB_WINSOCKI_OPEN;
        winsock->raw = 0;
    }
    return answer;
}

static int iothub_winsocki_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    IOTHUB_WINSOCK *winsock = (IOTHUB_WINSOCK *)context;
    int got, code;

    if (winsock->state != IOTHUB_WINSOCKI_OPEN) {
        return -1;
    }
    if (capacity == 0) {
        return 0;
    }
    got = recv(winsock->socket, (char *)bytes, (int)capacity, 0);
    if (got > 0) {
        return got;
    }
    code = got == 0 ? 0 : WSAGetLastError();     /* raw 0: the peer closed in order */
    return code == WSAEWOULDBLOCK ? 0 : iothub_winsocki_fail(winsock, IOTHUB_LAYER_TCP, code);
}

static int iothub_winsocki_write(void *context, const unsigned char *bytes, unsigned int size)
{
    IOTHUB_WINSOCK *winsock = (IOTHUB_WINSOCK *)context;
    int put, code;

    if (winsock->state != IOTHUB_WINSOCKI_OPEN) {
        return -1;
    }
    if (size == 0) {                             /* nothing is ever held here */
        return 1;
    }
    put = send(winsock->socket, (const char *)bytes, (int)size, 0);
    code = put >= 0 ? 0 : WSAGetLastError();
    if (code != 0 && code != WSAEWOULDBLOCK && code != WSAENOBUFS) {
        return iothub_winsocki_fail(winsock, IOTHUB_LAYER_TCP, code);
    }
    winsock->blocked = put < (int)size;
    return put > 0 ? put : 0;
}

static void iothub_winsocki_close(void *context)
{
    IOTHUB_WINSOCK *winsock = (IOTHUB_WINSOCK *)context;

    iothub_winsocki_end_lookup(winsock);
    iothub_winsocki_drop_socket(winsock);
    winsock->state = IOTHUB_WINSOCKI_CLOSED;     /* layer and raw stay: error() may be asked after close */
}

/* Kept for all later connections, and applied to the present one. */
static int iothub_winsocki_set_option(void *context, const char *name, const void *value)
{
    IOTHUB_WINSOCK *winsock = (IOTHUB_WINSOCK *)context;

    if (strcmp(name, "tcp_keepalive") != 0) {
        return 1;
    }
    if (value == NULL || *(const int *)value < 0) {
        return -1;
    }
    winsock->keepalive = *(const int *)value != 0;
    iothub_winsocki_keepalive(winsock);
    return 0;
}

static int iothub_winsocki_error(void *context, long *raw)
{
    IOTHUB_WINSOCK *winsock = (IOTHUB_WINSOCK *)context;

    if (raw != NULL) {
        *raw = winsock->raw;
    }
    return winsock->layer;
}

/* ---- Public functions ---- */

int iothub_winsock_platform(IOTHUB_WINSOCK *winsock, IOTHUB_PLATFORM *platform)
{
    WSADATA data;

    memset(winsock, 0, sizeof *winsock);
    winsock->state = IOTHUB_WINSOCKI_CLOSED;
    winsock->socket = INVALID_SOCKET;
    winsock->keepalive = -1;

    memset(platform, 0, sizeof *platform);
    platform->context = winsock;
    platform->milliseconds = iothub_winsocki_milliseconds;
    platform->unix_time = iothub_winsocki_unix_time;
    platform->random = iothub_winsocki_random;
    return WSAStartup(MAKEWORD(2, 2), &data);
}

const IOTHUB_IO *iothub_winsock_tcp(IOTHUB_WINSOCK *winsock)
{
    winsock->tcp.context = winsock;
    winsock->tcp.open = iothub_winsocki_open;
    winsock->tcp.read = iothub_winsocki_read;
    winsock->tcp.write = iothub_winsocki_write;
    winsock->tcp.close = iothub_winsocki_close;
    winsock->tcp.set_option = iothub_winsocki_set_option;
    winsock->tcp.error = iothub_winsocki_error;
    return &winsock->tcp;
}

int iothub_winsock_wait(IOTHUB_WINSOCK *winsock, uint32_t milliseconds)
{
    if (milliseconds > 0x7FFFFFFFu) {
        milliseconds = 0x7FFFFFFFu;
    }
    switch (winsock->state) {
    case IOTHUB_WINSOCKI_LOOKUP:
        if (winsock->thread != NULL) {
            return WaitForSingleObject(winsock->thread, milliseconds) == WAIT_OBJECT_0;
        }
        return 1;
    case IOTHUB_WINSOCKI_CONNECT:
        return iothub_winsocki_select(winsock->socket, 0, 1, milliseconds) != 0;
    case IOTHUB_WINSOCKI_OPEN:
        return iothub_winsocki_select(winsock->socket, 1, winsock->blocked, milliseconds) != 0;
    default:
        Sleep(milliseconds);
        return 0;
    }
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
