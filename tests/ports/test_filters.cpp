/* The filters of the header between real ends: WebSocket against the package ws, the HTTP proxy against tinyproxy, over POSIX
   sockets, with BearSSL between them and without. */

#include "support.h"

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_WEBSOCKET
#include "../../transports/http/proxy.h"
#include "../../transports/websocket/websocket.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/* A program that runs as long as this object lives, and what it has printed. */
class Program {
public:
    explicit Program(std::vector<std::string> words) : child(-1), log_path()
    {
        static int number = 0;
        std::vector<char *> arguments;
        log_path = certificate_path("program" + std::to_string(++number) + ".log");
        for (std::string &word : words) {
            arguments.push_back(&word[0]);
        }
        arguments.push_back(nullptr);
        child = fork();
        if (child == 0) {
#ifdef __linux__
            prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
            const int file = ::open(log_path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
            dup2(file, 1);
            dup2(file, 2);
            execvp(arguments[0], &arguments[0]);
            _exit(127);
        }
    }
    ~Program()
    {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
    std::string log() const
    {
        std::ifstream file(log_path.c_str(), std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }
    bool logs(const std::string &text, int milliseconds = 5000) const
    {
        for (int i = 0; i < milliseconds; i += 5) {
            if (log().find(text) != std::string::npos) {
                return true;
            }
            pause_milliseconds(5);
        }
        return false;
    }
private:
    Program(const Program &);
    void operator=(const Program &);
    pid_t child;
    std::string log_path;
};

/* The WebSocket server of websocket_peer.js. */
struct Peer : Program {
    explicit Peer(bool tls, const std::string &name = "ec_server") : Program(command(tls, name)), port(0)
    {
        if (!logs("LISTENING", 10000)) {
            throw std::runtime_error("websocket_peer.js did not start: " + log());
        }
        const std::string text = log();
        port = static_cast<unsigned int>(std::stoul(text.substr(text.find("LISTENING ") + 10)));
    }
    static std::vector<std::string> command(bool tls, const std::string &name)
    {
        std::vector<std::string> words = { "node", IOTHUB_TEST_WEBSOCKET_PEER };
        if (tls) {
            words.push_back(certificate_path(name + ".pem"));
            words.push_back(certificate_path(name + ".key"));
            words.push_back(certificate_path("ec_chain.pem"));
        }
        return words;
    }
    unsigned int port;
};

unsigned int free_port()
{
    const int probe = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    std::memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(probe, reinterpret_cast<struct sockaddr *>(&address), size) != 0 ||
        getsockname(probe, reinterpret_cast<struct sockaddr *>(&address), &size) != 0) {
        throw std::runtime_error("no free port");
    }
    ::close(probe);
    return ntohs(address.sin_port);
}

/* tinyproxy, which nobody here wrote. */
struct TinyProxy {
    explicit TinyProxy(const std::string &more = "") : port(free_port()), program()
    {
        const std::string path = certificate_path("tinyproxy" + std::to_string(port) + ".conf");
        std::ofstream(path.c_str()) << "Port " << port << "\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Info\n" << more;
        program.reset(new Program({ "tinyproxy", "-d", "-c", path }));
        if (!program->logs("Starting main loop", 10000)) {
            throw std::runtime_error("tinyproxy did not start: " + program->log());
        }
    }
    unsigned int port;
    std::unique_ptr<Program> program;
};

/* WebSocket over TLS (or not) over the proxy's filter over POSIX. */
struct Chain {
    explicit Chain(bool with_tls, bool with_websocket = true) : io(nullptr), buffer(IOTHUB_BEARSSL_BUFFER_MONO), memory(4096)
    {
        iothub_posix_platform(&posix, &platform);
        platform.io = *IoTHub_HttpProxyBegin(&proxy, iothub_posix_tcp(&posix));
        if (with_tls) {
            const IOTHUB_IO lower = platform.io;
            if (iothub_bearssl_init(&tls, &lower, &platform, buffer.data(), buffer.size()) != 0) {
                throw std::runtime_error("iothub_bearssl_init");
            }
            iothub_bearssl_memory(&tls, memory.data(), memory.size());
        }
        io = &platform.io;
        if (with_websocket) {
            io = iothubi_websocket_begin(&websocket, &platform.io, &platform, "mqtt", 0);
        }
        if (with_tls && option("TrustedCerts", certificate_text("ec_root.pem").c_str()) != 0) {
            throw std::runtime_error("TrustedCerts");
        }
    }
    ~Chain() { close(); }
    int option(const char *name, const void *value) { return io->set_option(io->context, name, value); }
    int through(unsigned int port, const char *user = nullptr, const char *password = nullptr)
    {
        HTTP_PROXY_OPTIONS options;
        options.host_address = "127.0.0.1";
        options.port = static_cast<int>(port);
        options.username = user;
        options.password = password;
        return option("proxy_data", &options);
    }
    int open(unsigned int port, const char *host = "hub.localhost")
    {
        for (int i = 0; i < 10000; ++i) {
            const int answer = io->open(io->context, host, port);
            if (answer != 0) {
                return answer;
            }
            iothub_posix_wait(&posix, 1);
        }
        return -2;
    }
    int error(long *raw) { return io->error(io->context, raw); }
    void close() { io->close(io->context); }
    /* Sends all of the text in writes of this size. */
    bool send(const std::string &text, size_t most = 32767)
    {
        size_t sent = 0;
        for (int i = 0; i < 20000 && sent < text.size(); ++i) {
            const size_t size = std::min(most, text.size() - sent);
            const int put = io->write(io->context, reinterpret_cast<const unsigned char *>(text.data()) + sent, static_cast<unsigned int>(size));
            if (put < 0) {
                return false;
            }
            sent += static_cast<size_t>(put);
            if (put == 0) {
                take();
                iothub_posix_wait(&posix, 1);
            }
        }
        for (int i = 0; i < 5000; ++i) {
            const int pushed = io->write(io->context, reinterpret_cast<const unsigned char *>(""), 0);
            if (pushed != 0) {
                return pushed > 0;
            }
            iothub_posix_wait(&posix, 1);
        }
        return false;
    }
    /* Reads what is there. False: the stream is dead. */
    bool take()
    {
        unsigned char bytes[100];
        int got;
        while ((got = io->read(io->context, bytes, sizeof bytes)) > 0) {
            received.append(reinterpret_cast<char *>(bytes), static_cast<size_t>(got));
        }
        return got == 0;
    }
    /* Reads so many bytes, or until the stream is dead. */
    std::string receive(size_t size)
    {
        for (int i = 0; i < 5000 && received.size() < size && take(); ++i) {
            iothub_posix_wait(&posix, 1);
        }
        const std::string out = received.substr(0, size);
        received.erase(0, size);
        return out;
    }
    bool dies()
    {
        for (int i = 0; i < 5000; ++i) {
            if (!take()) {
                return true;
            }
            iothub_posix_wait(&posix, 1);
        }
        return false;
    }
    IOTHUB_POSIX posix;
    IOTHUB_HTTP_PROXY proxy;
    IOTHUB_BEARSSL tls;
    IOTHUB_PLATFORM platform;
    struct iothubi_websocket websocket;
    const IOTHUB_IO *io;
    std::vector<unsigned char> buffer, memory;
    std::string received;
private:
    Chain(const Chain &);
    void operator=(const Chain &);
};

std::string noise(size_t size)
{
    std::string out;
    uint32_t state = 12345;
    while (out.size() < size) {
        state = state * 1103515245u + 12345u;
        out += static_cast<char>(state >> 16);
    }
    return out;
}

}

TEST_CASE("websocket and ws: the handshake, and messages of every kind of length, plain and over TLS")
{
    for (bool tls : { false, true }) {
        Peer peer(tls);
        Chain chain(tls);
        REQUIRE(chain.open(peer.port) == 1);
        CHECK(peer.logs("OPEN /$iothub/websocket?iothub-no-client-cert=true hub.localhost:" + std::to_string(peer.port) + " mqtt"));
        for (size_t size : { 1, 125, 126, 127, 1000, 32767 }) {
            CAPTURE(tls, size);
            const std::string text = noise(size);
            REQUIRE(chain.send(text));
            CHECK(chain.receive(size) == text);
            CHECK(peer.logs("MESSAGE " + std::to_string(size) + " binary"));
        }
        const std::string long_text = noise(200000);
        REQUIRE(chain.send(long_text, 5000));
        CHECK(chain.receive(long_text.size()) == long_text);
        REQUIRE(chain.send("!large 70000"));         /* 64 bits of length */
        CHECK(chain.receive(70000) == std::string(70000, 'z'));
        chain.close();
        CHECK(peer.logs("CLOSE 1000"));
        CHECK(peer.log().find("ERROR") == std::string::npos);
    }
}

TEST_CASE("websocket and ws: fragments with pings between them, and pongs with the same bytes")
{
    for (bool tls : { false, true }) {
        Peer peer(tls);
        Chain chain(tls);
        REQUIRE(chain.open(peer.port) == 1);
        const std::string text = std::string("x") + std::string(200, 'y') + "end";
        REQUIRE(chain.send("!fragments " + text));
        CHECK(chain.receive(text.size()) == text);
        CHECK(chain.take());
        CHECK(peer.logs("PONG ping at "));
        const std::string payload(125, 'p');
        REQUIRE(chain.send("!ping " + payload));
        for (int i = 0; i < 3000 && peer.log().find("PONG " + payload) == std::string::npos; ++i) {
            chain.take();                            /* reading alone answers */
            iothub_posix_wait(&chain.posix, 1);
        }
        CHECK(peer.logs("PONG " + payload));
        REQUIRE(chain.send("still here"));
        CHECK(chain.receive(10) == "still here");
        CHECK(peer.log().find("ERROR") == std::string::npos);
    }
}

TEST_CASE("websocket and ws: ends of every kind")
{
    Peer peer(true);
    long raw = 0;
    {
        Chain chain(true);
        REQUIRE(chain.open(peer.port) == 1);
        REQUIRE(chain.send("!close 4001"));
        CHECK(chain.dies());
        CHECK(chain.error(&raw) == IOTHUB_LAYER_HUB);
        CHECK(raw == 4001);
        chain.close();
        CHECK(peer.logs("CLOSE 4001"));              /* ws had our answer: without it, it would say 1006 */
        REQUIRE(chain.open(peer.port) == 1);         /* and again */
        REQUIRE(chain.send("again"));
        CHECK(chain.receive(5) == "again");
    }
    {
        Chain chain(true);
        REQUIRE(chain.open(peer.port) == 1);
        REQUIRE(chain.send("!text not binary"));
        CHECK(chain.dies());
        CHECK(chain.error(&raw) == IOTHUB_LAYER_PROTOCOL);
        CHECK(raw == 1003);
        chain.close();
        CHECK(peer.logs("CLOSE 1003"));
    }
    {
        Chain chain(true);
        REQUIRE(chain.open(peer.port) == 1);
        REQUIRE(chain.send("!terminate"));
        CHECK(chain.dies());
        CHECK(chain.error(&raw) != IOTHUB_LAYER_HUB);
    }
    {
        Chain chain(true);
        CHECK(chain.option("bearssl_accept_unknown_date_INSECURE", nullptr) == -1);    /* options reach TLS through the filter */
        Chain plain(false);
        Peer plain_peer(false);
        CHECK(plain.open(plain_peer.port, "refused.localhost") == -1);
        CHECK(plain.error(&raw) == IOTHUB_LAYER_HUB);
        CHECK(raw == 503);
    }
}

TEST_CASE("proxy and tinyproxy: TLS through a tunnel, without and with credentials")
{
    Server server("local", "-tls1_2");
    TinyProxy open_proxy, closed_proxy("BasicAuth Aladdin opensesame\n");
    long raw = 0;
    {
        Chain chain(true, false);
        REQUIRE(chain.through(open_proxy.port) == 0);
        REQUIRE(chain.open(server.port, "localhost") == 1);
        REQUIRE(chain.send("abc\n"));
        CHECK(chain.receive(4) == "cba\n");
        CHECK(open_proxy.program->logs("CONNECT localhost:" + std::to_string(server.port)));
    }
    {
        Chain chain(true, false);
        REQUIRE(chain.through(closed_proxy.port, "Aladdin", "opensesame") == 0);
        REQUIRE(chain.open(server.port, "localhost") == 1);
        REQUIRE(chain.send("through\n"));
        CHECK(chain.receive(8) == "hguorht\n");
    }
    for (const char *password : { "wrong", "" }) {
        Chain chain(true, false);
        REQUIRE(chain.through(closed_proxy.port, "Aladdin", password) == 0);
        CHECK(chain.open(server.port, "localhost") == -1);
        CHECK(chain.error(&raw) == IOTHUB_LAYER_PROXY);
        CHECK(raw >= 400);
        CHECK(raw <= 407);
    }
    {
        Chain chain(true, false);
        REQUIRE(chain.through(closed_proxy.port) == 0);
        CHECK(chain.open(server.port, "localhost") == -1);
        CHECK(chain.error(&raw) == IOTHUB_LAYER_PROXY);
        CHECK(raw == 407);
        chain.close();
        REQUIRE(chain.option("proxy_data", nullptr) == 0);               /* directly */
        REQUIRE(chain.open(server.port, "localhost") == 1);
        REQUIRE(chain.send("xy\n"));
        CHECK(chain.receive(3) == "yx\n");
    }
    {
        Chain chain(true, false);
        REQUIRE(chain.through(open_proxy.port) == 0);
        CHECK(chain.open(free_port(), "localhost") == -1);                            /* nobody listens behind the proxy */
        CHECK(chain.error(&raw) == IOTHUB_LAYER_PROXY);
        CHECK(raw == 500);
    }
    {
        Chain chain(true, false);
        REQUIRE(chain.through(free_port()) == 0);                        /* no proxy */
        CHECK(chain.open(server.port, "localhost") == -1);
        CHECK(chain.error(&raw) == IOTHUB_LAYER_TCP);
    }
}

TEST_CASE("websocket, TLS, proxy: all filters together")
{
    Peer peer(true, "local_server");
    TinyProxy proxy("BasicAuth user secret\n");
    Chain chain(true);
    REQUIRE(chain.through(proxy.port, "user", "secret") == 0);           /* proxy_data goes down through both */
    REQUIRE(chain.open(peer.port, "localhost") == 1);
    const std::string text = noise(50000);
    REQUIRE(chain.send(text, 3000));
    CHECK(chain.receive(text.size()) == text);
    REQUIRE(chain.send("!close 1001"));
    CHECK(chain.dies());
    long raw = 0;
    CHECK(chain.error(&raw) == IOTHUB_LAYER_HUB);
    CHECK(raw == 1001);
    chain.close();
    CHECK(peer.logs("CLOSE 1001"));
}
