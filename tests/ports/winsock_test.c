/* The Winsock port: a Windows program, which tests/ports/winsock.sh builds by mingw and runs under wine. Prints lines "ok ..." and
   "FAIL ...", and "done". Both ends are sockets of this process. */

#include "../../ports/winsock/iothub_winsock.h"
#include "conformance_tcp.h"

#include <stdlib.h>

static int failures;

static void tell(void *context, int ok, const char *what)
{
    (void)context;
    failures += ok == 0;
    printf("%s  %s\n", ok < 0 ? "none" : ok ? "ok  " : "FAIL", what);
    fflush(stdout);
}

static void check(int ok, const char *what)
{
    char line[200];

    sprintf(line, "winsock: %.150s", what);
    tell(NULL, ok != 0, line);
}

static int open_until(const IOTHUB_IO *io, IOTHUB_WINSOCK *winsock, const char *host, unsigned int port, uint32_t *longest)
{
    const DWORD start = GetTickCount();
    int answer = 0;

    while (answer == 0 && GetTickCount() - start < 30000) {
        const DWORD before = GetTickCount();
        answer = io->open(io->context, host, port);
        if (GetTickCount() - before > *longest) {
            *longest = GetTickCount() - before;
        }
        if (answer == 0) {
            (void)iothub_winsock_wait(winsock, 20);
        }
    }
    return answer;
}

static void check_names(const IOTHUB_IO *io, IOTHUB_WINSOCK *winsock, struct conformance_tcp *tcp)
{
    const char *const names[] = { "localhost", "LocalHost", "hub.localhost.", "127.0.0.1" };
    char own[256] = "", line[300];
    uint32_t longest = 0;
    unsigned int i;
    long raw = 0;
    int answer;

    for (i = 0; i < 4; i++) {
        unsigned int port = tcp->peer.expect(tcp, CONFORMANCE_ACCEPT);
        sprintf(line, "%s is found without a thread", names[i]);
        answer = io->open(io->context, names[i], port);
        check(answer >= 0 && winsock->thread == NULL && open_until(io, winsock, names[i], port, &longest) == 1, line);
        io->close(io->context);
    }
    longest = 0;
    answer = open_until(io, winsock, "no-such-host.invalid", 8883, &longest);
    sprintf(line, "an unknown name is DNS with its WSA code (longest call %lu ms)", (unsigned long)longest);
    check(answer < 0 && io->error(io->context, &raw) == IOTHUB_LAYER_DNS && raw != 0 && longest < 1000, line);
    io->close(io->context);
    if (gethostname(own, sizeof own - 1) == 0 && own[0] != '\0') {
        unsigned int port = tcp->peer.expect(tcp, CONFORMANCE_REFUSE);
        answer = io->open(io->context, own, port);
        answer = answer == 0 ? open_until(io, winsock, own, port, &longest) : answer;
        check(answer < 0 && io->error(io->context, &raw) == IOTHUB_LAYER_TCP && raw == WSAECONNREFUSED, "this machine's own name is looked up by a thread, and then refused");
        io->close(io->context);
    }
    for (i = 0; i < 50; i++) {
        (void)io->open(io->context, "another-host.invalid", 8883);
        io->close(io->context);
    }
    check(winsock->thread == NULL && winsock->shared == NULL, "close leaves fifty lookups alone");
    Sleep(500);
}

static void check_platform(IOTHUB_WINSOCK *winsock, const IOTHUB_PLATFORM *platform)
{
    unsigned char one[300], two[300];
    uint32_t before = platform->milliseconds(platform->context);
    int value = 1, bad = -1;
    const IOTHUB_IO *io = iothub_winsock_tcp(winsock);

    check(platform->io.open == NULL, "the platform has no stream of its own, so that TLS cannot be forgotten");
    check(iothub_winsock_wait(winsock, 50) == 0 && platform->milliseconds(platform->context) - before >= 30, "closed: wait is a plain sleep");
    check(platform->unix_time(platform->context) > 1704067200u, "the date is known");
    check(platform->random(platform->context, one, sizeof one) == 0 && platform->random(platform->context, two, sizeof two) == 0 &&
          memcmp(one, two, 32) != 0 && memcmp(one + 268, two + 268, 32) != 0, "random bytes");
    check(io->set_option(io->context, "tcp_keepalive", &value) == 0 && io->set_option(io->context, "tcp_keepalive", NULL) < 0 &&
          io->set_option(io->context, "tcp_keepalive", &bad) < 0, "option tcp_keepalive");
}

int main(void)
{
    static IOTHUB_WINSOCK winsock;
    static struct conformance_tcp tcp;
    IOTHUB_PLATFORM platform;
    struct conformance test;

    if (iothub_winsock_platform(&winsock, &platform) != 0) {
        printf("FAIL  WSAStartup\n");
        return 1;
    }
    conformance_tcp_begin(&tcp);
    check_platform(&winsock, &platform);
    check_names(iothub_winsock_tcp(&winsock), &winsock, &tcp);
    memset(&test, 0, sizeof test);
    test.name = "winsock";
    test.io = iothub_winsock_tcp(&winsock);
    test.host = "127.0.0.1";
    test.peer = &tcp.peer;
    test.tell = tell;
    (void)conformance_run(&test);
    conformance_tcp_drop_all(&tcp);
    printf("done\n");
    return failures != 0;
}
