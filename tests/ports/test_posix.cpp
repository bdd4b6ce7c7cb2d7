/* The POSIX port against real sockets of this machine. */

#include <catch2/catch.hpp>

#include "support.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/* A listening socket on 127.0.0.1; one connection can be taken from it. */
class Listener {
public:
    explicit Listener(int backlog = 4) : port(0), taken(-1), listener(socket(AF_INET, SOCK_STREAM, 0))
    {
        struct sockaddr_in address;
        socklen_t size = sizeof address;
        std::memset(&address, 0, sizeof address);
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = inet_addr("127.0.0.1");
        REQUIRE(bind(listener, reinterpret_cast<struct sockaddr *>(&address), sizeof address) == 0);
        REQUIRE(listen(listener, backlog) == 0);
        REQUIRE(getsockname(listener, reinterpret_cast<struct sockaddr *>(&address), &size) == 0);
        port = ntohs(address.sin_port);
    }
    ~Listener()
    {
        drop();
        ::close(listener);
    }
    void take()
    {
        taken = accept(listener, nullptr, nullptr);
        REQUIRE(taken >= 0);
    }
    void drop()
    {
        if (taken >= 0) {
            ::close(taken);
        }
        taken = -1;
    }
    unsigned int port;
    int taken;
private:
    Listener(const Listener &);
    void operator=(const Listener &);
    int listener;
};

struct Port {
    Port() : posix(), platform()
    {
        iothub_posix_platform(&posix, &platform);
        platform.io = *iothub_posix_tcp(&posix);
    }
    ~Port() { close(); }
    int open(const char *host, unsigned int port) { return platform.io.open(platform.io.context, host, port); }
    int read(unsigned char *bytes, unsigned int size) { return platform.io.read(platform.io.context, bytes, size); }
    int write(const unsigned char *bytes, unsigned int size) { return platform.io.write(platform.io.context, bytes, size); }
    void close() { platform.io.close(platform.io.context); }
    int error(long *raw) { return platform.io.error(platform.io.context, raw); }
    uint32_t now() { return platform.milliseconds(platform.context); }
    int option(const char *name, int value) { return platform.io.set_option(platform.io.context, name, &value); }

    int open_until(const char *host, unsigned int port, uint32_t limit = 10000)
    {
        const uint32_t start = now();
        while (now() - start < limit) {
            const int answer = open(host, port);
            if (answer != 0) {
                return answer;
            }
            iothub_posix_wait(&posix, 20);
        }
        return -2;
    }

    /* Up to the point where a child is looking; on a busy machine it may be faster than the call that started it. */
    void begin_lookup()
    {
        for (int i = 0; i < 100 && posix.child == 0; i++) {
            close();
            (void)open("some-host.invalid", 8883);
        }
        REQUIRE(posix.child > 0);
    }

    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;
};

}

TEST_CASE("posix: the platform has no stream of its own, so that TLS cannot be forgotten", "[posix]")
{
    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;
    iothub_posix_platform(&posix, &platform);
    CHECK(platform.io.open == nullptr);
    CHECK(platform.io.context == nullptr);
    CHECK(iothub_posix_tcp(&posix)->context == &posix);
}

TEST_CASE("posix: bytes go both ways", "[posix]")
{
    Listener peer;
    Port port;
    unsigned char bytes[16];

    REQUIRE(port.open_until("127.0.0.1", peer.port) == 1);
    CHECK(port.open("127.0.0.1", peer.port) == 1);
    peer.take();
    CHECK(port.read(bytes, sizeof bytes) == 0);
    CHECK(iothub_posix_wait(&port.posix, 10) == 0);
    REQUIRE(send(peer.taken, "hello", 5, 0) == 5);
    CHECK(iothub_posix_wait(&port.posix, 5000) == 1);
    CHECK(port.read(bytes, 3) == 3);
    CHECK(port.read(bytes + 3, 13) == 2);
    CHECK(std::memcmp(bytes, "hello", 5) == 0);
    CHECK(port.write(bytes, 5) == 5);
    CHECK(port.write(bytes, 0) == 1);
    CHECK(recv(peer.taken, bytes + 8, 5, MSG_WAITALL) == 5);
    CHECK(std::memcmp(bytes + 8, "hello", 5) == 0);
}

TEST_CASE("posix: localhost names need no lookup, and every address is tried", "[posix]")
{
    Listener peer;                               /* listens on 127.0.0.1 only: ::1 is refused first */
    const char *names[] = { "localhost", "LocalHost", "localhost.", "hub.localhost", "::ffff:127.0.0.1" };

    for (const char *name : names) {
        Port port;
        CAPTURE(name);
        CHECK(port.open_until(name, peer.port) == 1);
        CHECK(port.posix.child == 0);
        peer.take();
        peer.drop();
    }
}

TEST_CASE("posix: a refused connection is TCP with its errno", "[posix]")
{
    unsigned int free_port;
    long raw = 0;
    Port port;

    {
        Listener peer;
        free_port = peer.port;
    }
    CHECK(port.open_until("127.0.0.1", free_port) == -1);
    CHECK(port.error(&raw) == IOTHUB_LAYER_TCP);
    CHECK(raw == ECONNREFUSED);
    CHECK(port.open("127.0.0.1", free_port) == -1);      /* until close */
    port.close();
    CHECK(port.error(&raw) == IOTHUB_LAYER_TCP);         /* still known after it */

    Listener peer;                                       /* and the same port comes back afterwards */
    CHECK(port.open_until("127.0.0.1", peer.port) == 1);
    CHECK(port.error(&raw) == IOTHUB_LAYER_NONE);
    CHECK(raw == 0);
}

TEST_CASE("posix: an unknown name is DNS, and no call of open stalls", "[posix]")
{
    Port port;
    long raw = 0;
    uint32_t longest = 0;
    int answer = 0;
    const uint32_t start = port.now();

    while (answer == 0 && port.now() - start < 15000) {
        const uint32_t before = port.now();
        answer = port.open("no-such-host.invalid", 8883);        /* RFC 6761 section 6.4: never exists */
        longest = port.now() - before > longest ? port.now() - before : longest;
        iothub_posix_wait(&port.posix, 10);
    }
    CHECK(answer == -1);
    CHECK(longest < 200);
    CHECK(port.error(&raw) == IOTHUB_LAYER_DNS);
    CHECK(raw != 0);
    port.close();
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);          /* the lookup left no child behind */
    CHECK(errno == ECHILD);
}

TEST_CASE("posix: the name of this machine is looked up by a child", "[posix]")
{
    char name[256] = "";
    struct addrinfo *list = nullptr;
    unsigned int free_port;
    Port port;
    long raw = 0;

    REQUIRE(gethostname(name, sizeof name - 1) == 0);
    if (getaddrinfo(name, nullptr, nullptr, &list) != 0) {
        WARN("this machine does not know its own name");
        return;
    }
    freeaddrinfo(list);
    {
        Listener peer;
        free_port = peer.port;
    }
    CHECK(port.open_until(name, free_port) == -1);       /* found, and then refused */
    CHECK(port.posix.received == sizeof port.posix.found);       /* it came through the pipe */
    CHECK(port.error(&raw) == IOTHUB_LAYER_TCP);
    CHECK(port.posix.child == 0);
}

TEST_CASE("posix: close during a lookup ends the child at once", "[posix]")
{
    Port port;
    port.begin_lookup();
    const uint32_t before = port.now();
    port.close();
    CHECK(port.now() - before < 500);
    CHECK(port.posix.child == 0);
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

TEST_CASE("posix: a lookup whose child was waited for by somebody else", "[posix]")
{
    Port port;
    int status;
    port.begin_lookup();
    const pid_t child = port.posix.child;
    kill(child, SIGKILL);
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(port.open_until("some-host.invalid", 8883) == -1);     /* with or without its answer: an end, and no second kill */
    long raw = 0;
    CHECK(port.error(&raw) == IOTHUB_LAYER_DNS);
    CHECK((raw == EAI_AGAIN || raw == EAI_NONAME));
    CHECK(port.posix.child == 0);
}

TEST_CASE("posix: the peer's end is a dead stream after its last byte", "[posix]")
{
    Listener peer;
    Port port;
    unsigned char bytes[16];
    long raw = 1;

    REQUIRE(port.open_until("127.0.0.1", peer.port) == 1);
    peer.take();
    REQUIRE(send(peer.taken, "bye", 3, 0) == 3);
    peer.drop();
    CHECK(iothub_posix_wait(&port.posix, 5000) == 1);
    CHECK(port.read(bytes, sizeof bytes) == 3);
    CHECK(iothub_posix_wait(&port.posix, 5000) == 1);
    CHECK(port.read(bytes, sizeof bytes) == -1);
    CHECK(port.error(&raw) == IOTHUB_LAYER_TCP);
    CHECK(raw == 0);
    CHECK(port.write(bytes, 1) == -1);
    CHECK(port.read(bytes, 1) == -1);
}

TEST_CASE("posix: writing to a closed connection is an error, never a signal", "[posix]")
{
    for (int hard = 0; hard < 2; hard++) {               /* closed with a reset: ECONNRESET; with a FIN: EPIPE, and SIGPIPE */
        Listener peer;
        Port port;
        unsigned char bytes[16] = { 0 };
        long raw = 0;
        struct linger linger = { hard, 0 };
        int answer = 1;

        CAPTURE(hard);
        REQUIRE(port.open_until("127.0.0.1", peer.port) == 1);
        peer.take();
        setsockopt(peer.taken, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        peer.drop();
        for (int i = 0; i < 100 && answer >= 0; i++) {
            answer = port.write(bytes, sizeof bytes);
            pause_milliseconds(1);
        }
        CHECK(answer == -1);
        CHECK(port.error(&raw) == IOTHUB_LAYER_TCP);
        CHECK((raw == ECONNRESET || raw == EPIPE));
    }
}

TEST_CASE("posix: a peer that does not read makes writes short, and nothing is lost", "[posix]")
{
    Listener peer;
    Port port;
    std::vector<unsigned char> chunk(32767), in(65536);
    size_t sent = 0, received = 0;
    int put;
    bool same = true;

    REQUIRE(port.open_until("127.0.0.1", peer.port) == 1);
    peer.take();
    for (;;) {
        for (size_t i = 0; i < chunk.size(); i++) {
            chunk[i] = static_cast<unsigned char>((sent + i) % 251);
        }
        put = port.write(chunk.data(), static_cast<unsigned int>(chunk.size()));
        REQUIRE(put >= 0);
        if (put == 0) {
            break;
        }
        sent += static_cast<size_t>(put);
    }
    CHECK(iothub_posix_wait(&port.posix, 10) == 0);      /* waits for room, and there is none */
    CHECK(port.write(chunk.data(), 0) == 1);             /* the port itself holds nothing */
    while (received < sent) {
        const ssize_t got = recv(peer.taken, in.data(), in.size(), 0);
        REQUIRE(got > 0);
        for (ssize_t i = 0; i < got; i++) {
            same = same && in[static_cast<size_t>(i)] == (received + static_cast<size_t>(i)) % 251;
        }
        received += static_cast<size_t>(got);
    }
    CHECK(same);
    CHECK(received == sent);
    CHECK(iothub_posix_wait(&port.posix, 5000) == 1);    /* room again */
    CHECK(port.write(chunk.data(), 10) == 10);
}

TEST_CASE("posix: close is legal in every state, and twice", "[posix]")
{
    Listener peer;
    Port port;
    unsigned char byte = 0;

    port.close();                                        /* never opened */
    port.close();
    CHECK(port.read(&byte, 1) == -1);
    CHECK(port.write(&byte, 1) == -1);
    (void)port.open("127.0.0.1", peer.port);             /* connecting, or connected at once */
    port.close();
    port.close();
    CHECK(port.open_until("127.0.0.1", peer.port) == 1); /* open */
    port.close();
    CHECK(port.read(&byte, 1) == -1);
    CHECK(port.open_until("127.0.0.1", peer.port) == 1); /* and again */
    CHECK(iothub_posix_wait(&port.posix, 0) == 0);
}

TEST_CASE("posix: an address that never answers gives way to the next", "[posix]")
{
    Listener peer(0);                                    /* backlog 0: a few connections fill it, then silence */
    std::vector<int> fillers;
    Port port;

    for (int i = 0; i < 8; i++) {
        int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct sockaddr_in address;
        std::memset(&address, 0, sizeof address);
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = inet_addr("127.0.0.1");
        address.sin_port = htons(static_cast<uint16_t>(peer.port));
        (void)connect(filler, reinterpret_cast<struct sockaddr *>(&address), sizeof address);
        fillers.push_back(filler);
    }
    CHECK(port.open("127.0.0.1", peer.port) == 0);
    CHECK(iothub_posix_wait(&port.posix, 50) == 0);
    CHECK(port.open("127.0.0.1", peer.port) == 0);       /* the only address: waits for as long as the caller likes */
    port.posix.found.count = 2;                          /* now with a second one, behind the time limit of the first */
    port.posix.found.address[1] = port.posix.found.address[0];
    port.posix.connect_since -= 8000;
    const int first = port.posix.next;
    CHECK(port.open("127.0.0.1", peer.port) == 0);
    CHECK(port.posix.next == first + 1);
    for (int filler : fillers) {
        ::close(filler);
    }
}

TEST_CASE("posix: TCP options are kept for every connection", "[posix]")
{
    Listener peer;
    Port port;
    int value = 0, bad = -5;
    socklen_t size = sizeof value;

    CHECK(port.option("tcp_keepalive", 1) == 0);
    CHECK(port.option("tcp_keepalive_time", 77) == 0);
    CHECK(port.option("no_such_option", 1) > 0);
    CHECK(port.platform.io.set_option(port.platform.io.context, "tcp_keepalive", nullptr) < 0);
    CHECK(port.platform.io.set_option(port.platform.io.context, "tcp_keepalive_time", &bad) < 0);
    for (int round = 0; round < 2; round++) {
        REQUIRE(port.open_until("127.0.0.1", peer.port) == 1);
        getsockopt(port.posix.socket, SOL_SOCKET, SO_KEEPALIVE, &value, &size);
        CHECK(value == 1);
        getsockopt(port.posix.socket, IPPROTO_TCP, 4 /* TCP_KEEPIDLE */, &value, &size);
        CHECK(value == 77);
        CHECK(port.option("tcp_keepalive_interval", 33) == 0);   /* on the open connection, too */
        getsockopt(port.posix.socket, IPPROTO_TCP, 5 /* TCP_KEEPINTVL */, &value, &size);
        CHECK(value == 33);
        port.close();
    }
}

TEST_CASE("posix: clocks and entropy", "[posix]")
{
    Port port;
    unsigned char one[300], two[300];
    const uint32_t before = port.now();

    CHECK(iothub_posix_wait(&port.posix, 30) == 0);      /* closed: a plain sleep */
    CHECK(port.now() - before >= 29);
    CHECK(port.now() - before < 5000);
    CHECK(port.platform.unix_time(port.platform.context) > 1704067200u);
    CHECK(port.platform.random(port.platform.context, one, sizeof one) == 0);
    CHECK(port.platform.random(port.platform.context, two, sizeof two) == 0);
    CHECK(std::memcmp(one, two, 32) != 0);
    CHECK(std::memcmp(one + 268, two + 268, 32) != 0);
    CHECK(port.platform.hmac_sha256 == nullptr);
    CHECK(port.platform.wake == nullptr);
    CHECK(port.platform.transfer.open == nullptr);
}
