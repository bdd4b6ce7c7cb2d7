/* The HTTP proxy's filter: what it asks for, which answers open a tunnel, and that not a byte of the tunnel is lost. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "scripted_platform.h"
#include "../../transports/http/proxy.h"

namespace {

const std::string plain_request = "CONNECT hub.example.net:8883 HTTP/1.1\r\nHost: hub.example.net:8883\r\n\r\n";
const std::string basic_request = "CONNECT hub.example.net:8883 HTTP/1.1\r\nHost: hub.example.net:8883\r\n"
    "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";       /* the vector of RFC 7617 section 2 */
const std::string yes = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";

struct Tunnel : Scripted {
    IOTHUB_HTTP_PROXY proxy;
    HTTP_PROXY_OPTIONS options;
    const IOTHUB_IO *io;
    Tunnel() : io(nullptr)
    {
        std::memset(&proxy, 0xA5, sizeof proxy);
        io = IoTHub_HttpProxyBegin(&proxy, &platform.io);
        options.host_address = "proxy.local";
        options.port = 3128;
        options.username = nullptr;
        options.password = nullptr;
    }
    int use() { return io->set_option(io->context, "proxy_data", &options); }
    int use(const char *user, const char *password)
    {
        options.username = user;
        options.password = password;
        return use();
    }
    int open(const char *name = "hub.example.net") { return io->open(io->context, name, 8883); }
    int ask()
    {
        REQUIRE(use() == 0);
        return open();
    }
    /* The whole of an opening with this answer. */
    int answered(const std::string &answer)
    {
        if (ask() == 0) {
            inbound = answer;
        }
        return open();
    }
    int error(long *number = nullptr)
    {
        long nothing;
        return io->error(io->context, number != nullptr ? number : &nothing);
    }
    std::string read()
    {
        unsigned char bytes[50];
        int got = io->read(io->context, bytes, sizeof bytes);
        return got < 0 ? "dead" : std::string(reinterpret_cast<char *>(bytes), static_cast<size_t>(got));
    }
    int write(const std::string &text)
    {
        return io->write(io->context, reinterpret_cast<const unsigned char *>(text.data()), static_cast<unsigned int>(text.size()));
    }
    void close() { io->close(io->context); }
};

}

TEST_CASE("proxy: without options everything passes through to the target")
{
    Tunnel t;
    t.open_result = 0;
    CHECK(t.open() == 0);
    CHECK(t.host == "hub.example.net");
    CHECK(t.port == 8883);
    t.open_result = 1;
    CHECK(t.open() == 1);
    CHECK(t.open() == 1);
    CHECK(t.opens == 2);
    CHECK(t.outbound.empty());
    t.inbound = "in";
    CHECK(t.read() == "in");
    CHECK(t.read().empty());
    CHECK(t.write("out") == 3);
    CHECK(t.write("") == 1);
    CHECK(t.outbound == "out");
    t.dead_read = t.dead_write = true;
    CHECK(t.read() == "dead");
    CHECK(t.write("x") == -1);
    t.layer = IOTHUB_LAYER_TCP;
    t.raw = 104;
    long number = 0;
    CHECK(t.error(&number) == IOTHUB_LAYER_TCP);
    CHECK(number == 104);
    t.close();
    t.close();
    CHECK(t.closes == 2);
    CHECK(t.read() == "dead");
    CHECK(t.write("x") == -1);
    CHECK_FALSE(t.contract_broken);
}

TEST_CASE("proxy: asks for the target, and a 2xx opens the tunnel")
{
    for (const char *status : { "200", "201", "299" }) {
        Tunnel t;
        CHECK(t.ask() == 0);
        CHECK(t.host == "proxy.local");
        CHECK(t.port == 3128);
        CHECK(t.outbound == plain_request);
        CHECK(t.read() == "dead");
        CHECK(t.write("early") == -1);
        CHECK(t.open() == 0);
        t.inbound = std::string("HTTP/1.0 ") + status + " yes\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n\x16\x03\x03TLS";
        CHECK(t.open() == 1);
        CHECK(t.opens == 1);
        CHECK(t.read() == "\x16\x03\x03TLS");         /* RFC 9110 section 9.3.6: no body, whatever lengths are named */
        CHECK(t.outbound == plain_request);
        CHECK_FALSE(t.contract_broken);
    }
}

TEST_CASE("proxy: resumes after any byte, both ways")
{
    for (size_t limit = 1; limit < 5; ++limit) {
        for (size_t prefix = 0; prefix < yes.size(); ++prefix) {
            Tunnel t;
            REQUIRE(t.use("Aladdin", "open sesame") == 0);
            t.write_limit = t.read_limit = limit;
            CHECK(t.open() == 0);
            CHECK(t.outbound == basic_request);
            t.inbound = yes.substr(0, prefix);
            CHECK(t.open() == 0);
            t.inbound += yes.substr(prefix) + "x";
            CHECK(t.open() == 1);
            CHECK(t.inbound == "x");
            CHECK_FALSE(t.contract_broken);
        }
    }
}

TEST_CASE("proxy: a stream that takes nothing is asked again")
{
    Tunnel t;
    REQUIRE(t.use("Aladdin", "open sesame") == 0);
    t.write_limit = 0;
    CHECK(t.open() == 0);
    CHECK(t.open() == 0);
    t.write_limit = 7;
    t.hold = true;
    CHECK(t.open() == 0);
    CHECK(t.outbound == basic_request);       /* pushed */
    CHECK_FALSE(t.contract_broken);
}

TEST_CASE("proxy: any other answer is a refusal with its status")
{
    for (int status : { 100, 101, 199, 300, 302, 400, 403, 407, 502, 999 }) {
        Tunnel t;
        CAPTURE(status);
        int answer = t.answered("HTTP/1.1 " + std::to_string(status) + " no\r\nProxy-Authenticate: Basic\r\n\r\n<html>");
        if (status == 100 || status == 199) {             /* interim: the body would be the next answer */
            CHECK(answer == -1);
            long number = 5;
            CHECK(t.error(&number) == IOTHUB_LAYER_PROXY);
            CHECK(number == 0);
            continue;
        }
        CHECK(answer == -1);
        CHECK(t.open() == -1);                /* until close */
        long number = 0;
        CHECK(t.error(&number) == IOTHUB_LAYER_PROXY);
        CHECK(number == status);
        t.close();
        CHECK(t.error(&number) == IOTHUB_LAYER_PROXY);
        CHECK(number == status);
        CHECK(t.open() == 0);                 /* a new attempt */
        CHECK(t.outbound == plain_request);
        t.inbound = yes;
        CHECK(t.open() == 1);
        CHECK(t.error(&number) == IOTHUB_LAYER_TCP);
    }
}

TEST_CASE("proxy: what is no HTTP, and what comes before the request has left")
{
    Tunnel no_http;
    long number = 9;
    CHECK(no_http.answered("SSH-2.0-x\r\n") == -1);
    CHECK(no_http.error(&number) == IOTHUB_LAYER_PROXY);
    CHECK(number == 0);
    Tunnel early;
    REQUIRE(early.use() == 0);
    early.write_limit = 0;
    CHECK(early.open() == 0);
    early.inbound = "HTTP/1.1 403 no\r\n\r\n";
    CHECK(early.open() == -1);
    CHECK(early.error(&number) == IOTHUB_LAYER_PROXY);
    CHECK(number == 403);
    Tunnel too_early;
    REQUIRE(too_early.use() == 0);
    too_early.write_limit = 0;
    CHECK(too_early.open() == 0);
    too_early.inbound = yes;
    CHECK(too_early.open() == -1);
    CHECK(too_early.error(&number) == IOTHUB_LAYER_PROXY);
    CHECK(number == 200);
    Tunnel dying;                             /* the refusal is read although the stream takes no more */
    CHECK(dying.ask() == 0);
    dying.dead_write = true;
    dying.inbound = "HTTP/1.1 407 no\r\n\r\n";
    CHECK(dying.open() == -1);
    CHECK(dying.error(&number) == IOTHUB_LAYER_PROXY);
    CHECK(number == 407);
}

TEST_CASE("proxy: failures below keep their own error, a broken contract is the port's")
{
    long number = 0;
    Tunnel unreachable;
    unreachable.open_result = -1;
    unreachable.layer = IOTHUB_LAYER_DNS;
    unreachable.raw = 11;
    CHECK(unreachable.open() == -1);
    CHECK(unreachable.open() == -1);
    CHECK(unreachable.opens == 1);
    CHECK(unreachable.error(&number) == IOTHUB_LAYER_DNS);
    CHECK(number == 11);
    Tunnel dead_read;
    CHECK(dead_read.ask() == 0);
    dead_read.dead_read = true;
    dead_read.raw = 104;
    CHECK(dead_read.open() == -1);
    CHECK(dead_read.error(&number) == IOTHUB_LAYER_TCP);
    CHECK(number == 104);
    Tunnel dead_write;
    REQUIRE(dead_write.use() == 0);
    dead_write.write_limit = 0;
    CHECK(dead_write.open() == 0);
    dead_write.dead_write = true;
    CHECK(dead_write.open() == -1);
    CHECK(dead_write.error() == IOTHUB_LAYER_TCP);
    Tunnel greedy_read;
    CHECK(greedy_read.ask() == 0);
    greedy_read.greedy_read = true;
    CHECK(greedy_read.open() == -1);
    CHECK(greedy_read.error() == IOTHUB_LAYER_PORT);
    Tunnel greedy_write;
    REQUIRE(greedy_write.use() == 0);
    greedy_write.greedy_write = true;
    CHECK(greedy_write.open() == -1);
    CHECK(greedy_write.error() == IOTHUB_LAYER_PORT);
    Tunnel silent;
    silent.platform.io.error = nullptr;
    number = 3;
    CHECK(silent.error(&number) == IOTHUB_LAYER_NONE);
    CHECK(number == 0);
}

TEST_CASE("proxy: a target that is no host name never reaches the request")
{
    for (const char *name : { "", "a b", "a\r\nX: y", "a/b", "a:1", "\xC3\xA4" }) {
        Tunnel t;
        REQUIRE(t.use() == 0);
        CAPTURE(name);
        CHECK(t.open(name) == -1);
        CHECK(t.opens == 0);
        CHECK(t.error() == IOTHUB_LAYER_CONFIG);
    }
}

TEST_CASE("proxy: options that are no options are refused")
{
    Tunnel t;
    t.options.host_address = nullptr;
    CHECK(t.use() == -1);
    t.options.host_address = "";
    CHECK(t.use() == -1);
    t.options.host_address = "proxy.local";
    for (int port : { -1, 0, 65536, 1 << 30 }) {
        t.options.port = port;
        CHECK(t.use() == -1);
    }
    t.options.port = 65535;
    CHECK(t.use() == 0);
    t.options.port = 1;
    CHECK(t.use() == 0);
    CHECK(t.use("user", nullptr) == -1);
    CHECK(t.use(nullptr, "password") == -1);
    CHECK(t.use("us:er", "password") == -1);  /* RFC 7617 section 2 */
    CHECK(t.use("us\ner", "password") == -1);
    CHECK(t.use("us\x7F" "er", "password") == -1);
    CHECK(t.use("user", "pass\x1Fword") == -1);
    CHECK(t.use("user", "pass:word") == 0);
    CHECK(t.use("\xC3\xA4", "") == 0);
    CHECK(t.use("", "") == 0);
}

TEST_CASE("proxy: options change only between connections, and can be taken back")
{
    Tunnel t;
    CHECK(t.ask() == 0);
    CHECK(t.use() == -1);                     /* half asked */
    t.inbound = yes;
    CHECK(t.open() == 1);
    CHECK(t.use() == -1);
    CHECK(t.io->set_option(t.io->context, "proxy_data", nullptr) == -1);
    t.close();
    CHECK(t.io->set_option(t.io->context, "proxy_data", nullptr) == 0);
    CHECK(t.open() == 1);
    CHECK(t.host == "hub.example.net");
    t.close();
    t.open_result = -1;
    CHECK(t.open() == -1);
    CHECK(t.use() == 0);                      /* after a failure, before close */
}

TEST_CASE("proxy: the struct of the options is copied")
{
    Tunnel t;
    REQUIRE(t.use("Aladdin", "open sesame") == 0);
    std::memset(&t.options, 0, sizeof t.options);
    CHECK(t.open() == 0);
    CHECK(t.outbound == basic_request);
}

TEST_CASE("proxy: other options go below")
{
    Tunnel t;
    int number = 1;
    t.option_result = 0;
    CHECK(t.io->set_option(t.io->context, "tcp_keepalive", &number) == 0);
    CHECK(t.option_name == "tcp_keepalive");
    t.option_result = -1;
    CHECK(t.io->set_option(t.io->context, "proxy_dat", &number) == -1);
    CHECK(t.io->set_option(t.io->context, "proxy_data2", &number) == -1);
    CHECK(t.io->set_option(t.io->context, "", &number) == -1);
    t.platform.io.set_option = nullptr;
    CHECK(t.io->set_option(t.io->context, "tcp_keepalive", &number) == 1);
}
