/* WebSocket's filter: the handshake, frames that leave, frames that arrive in any split, and everything that a server may not do. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_WEBSOCKET
#include "support.h"
#include "scripted_platform.h"
#include "../../transports/websocket/websocket.h"

#include <bearssl.h>

namespace {

/* A frame as a client sends it, masked, taken apart. */
struct Frame {
    unsigned int first;
    std::string mask, payload;
};

/* A frame as a server sends it. */
std::string frame(unsigned int first, const std::string &payload)
{
    std::string out(1, static_cast<char>(first));
    size_t size = payload.size();
    if (size < 126) {
        out += static_cast<char>(size);
    } else if (size < 65536) {
        out += '\x7E';
        out += static_cast<char>(size >> 8);
        out += static_cast<char>(size & 255);
    } else {
        out += std::string("\x7F\0\0\0\0", 5);
        for (int shift = 24; shift >= 0; shift -= 8) {
            out += static_cast<char>(size >> shift & 255);
        }
    }
    return out + payload;
}

std::string text_of(const Bytes &from)
{
    return std::string(from.begin(), from.end());
}

struct Socket : Scripted {
    struct iothub_guard {
        unsigned char before[16];
        struct iothubi_websocket websocket;
        unsigned char after[16];
    } memory;
    const IOTHUB_IO *io;
    std::string entropy;                 /* the next random bytes; then 11 22 33 44 again and again */
    int draws;
    explicit Socket(const char *subprotocol = "mqtt", int certificate = 0) : io(nullptr), draws(0)
    {
        std::memset(&memory, 0xA5, sizeof memory);
        platform.random = next_random;
        io = iothubi_websocket_begin(&memory.websocket, &platform.io, &platform, subprotocol, certificate);
        for (int i = 0; i < 16; ++i) {
            entropy += static_cast<char>(i);             /* the key of wire-mqtt.md section 13 */
        }
    }
    ~Socket()
    {
        CHECK_FALSE(contract_broken);
        CHECK(std::string(reinterpret_cast<char *>(memory.before), 16) == std::string(16, '\xA5'));
        CHECK(std::string(reinterpret_cast<char *>(memory.after), 16) == std::string(16, '\xA5'));
    }
    static int next_random(void *context, unsigned char *to, unsigned int size)
    {
        Socket *s = static_cast<Socket *>(static_cast<Scripted *>(context));
        s->draws += 1;
        if (s->random_result < 0) {
            return s->random_result;
        }
        for (unsigned int i = 0; i < size; ++i) {
            static const unsigned char mask[] = { 0x11, 0x22, 0x33, 0x44 };
            to[i] = s->entropy.empty() ? mask[i & 3] : static_cast<unsigned char>(s->entropy[0]);
            s->entropy.erase(0, s->entropy.empty() ? 0 : 1);
        }
        return 0;
    }
    int open(unsigned int number = 443) { return io->open(io->context, "hub.example.net", number); }
    int error(long *number = nullptr)
    {
        long nothing;
        return io->error(io->context, number != nullptr ? number : &nothing);
    }
    long raw_error()
    {
        long number;
        io->error(io->context, &number);
        return number;
    }
    int write(const std::string &text)
    {
        Guarded input(text);
        return io->write(io->context, input.data(), static_cast<unsigned int>(text.size()));
    }
    int push() { return write(""); }
    std::string read(size_t capacity = 64)
    {
        Guarded output(capacity);
        int got = io->read(io->context, output.data(), static_cast<unsigned int>(capacity));
        return got < 0 ? "dead" : std::string(output.text(), static_cast<size_t>(got));
    }
    /* Everything that comes until nothing more does. */
    std::string read_all(size_t capacity = 64)
    {
        std::string all, part;
        while (!(part = read(capacity)).empty()) {
            all += part;
            if (part == "dead") {
                break;
            }
        }
        return all;
    }
    void close() { io->close(io->context); }
    /* The frames that left since the last look; what is left over of a frame stays in outbound. */
    std::vector<Frame> frames()
    {
        std::vector<Frame> out;
        for (;;) {
            size_t at = 2, size;
            if (outbound.size() < 2) {
                return out;
            }
            size = static_cast<unsigned char>(outbound[1]) & 127u;
            CHECK((static_cast<unsigned char>(outbound[1]) & 128u) != 0);    /* section 5.1: masked */
            CHECK(size != 127);
            if (size == 126) {
                if (outbound.size() < 4) {
                    return out;
                }
                size = static_cast<size_t>(static_cast<unsigned char>(outbound[2])) << 8 | static_cast<unsigned char>(outbound[3]);
                CHECK(size >= 126);
                at = 4;
            }
            if (outbound.size() < at + 4 + size) {
                return out;
            }
            Frame f;
            f.first = static_cast<unsigned char>(outbound[0]);
            f.mask = outbound.substr(at, 4);
            for (size_t i = 0; i < size; ++i) {
                f.payload += static_cast<char>(outbound[at + 4 + i] ^ f.mask[i & 3]);
            }
            out.push_back(f);
            outbound.erase(0, at + 4 + size);
        }
    }
};

const std::string accept_line = "Sec-WebSocket-Accept: Bz3qJYTGdOe8gUSpLosEdiLKDrk=\r\n";       /* of that key */
const std::string hello = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + accept_line +
    "Sec-WebSocket-Protocol: mqtt\r\n\r\n";

/* One that is open. */
struct Open : Socket {
    explicit Open(const char *subprotocol = "mqtt") : Socket(subprotocol)
    {
        REQUIRE(open() == 0);
        inbound = hello;
        REQUIRE(open() == 1);
        outbound.clear();
        writes.clear();
        pushes.clear();
        draws = 0;
    }
};

int answer_to(const std::string &answer, Socket &s)
{
    REQUIRE(s.open() == 0);
    s.inbound = answer;
    return s.open();
}

/* The code that this ends with, in raw and in the close frame. */
long refused(const std::string &bytes_in)
{
    long code = 0;
    for (size_t limit : { size_t(100000), size_t(1) }) {
        Open s;
        s.inbound = bytes_in;
        s.read_limit = limit;
        CHECK(s.read_all() == "dead");
        CHECK(s.error() == IOTHUB_LAYER_PROTOCOL);
        code = s.raw_error();
        std::vector<Frame> out = s.frames();
        REQUIRE(out.size() == 1);
        CHECK(out[0].first == 0x88);
        REQUIRE(out[0].payload.size() == 2);
        CHECK(((out[0].payload[0] & 255) << 8 | (out[0].payload[1] & 255)) == code);
        CHECK(s.write("x") == -1);
        CHECK(s.read() == "dead");
        s.close();
        CHECK(s.frames().empty());
        CHECK(s.raw_error() == code);
    }
    return code;
}

}

TEST_CASE("websocket handshake: the request, byte for byte")
{
    Socket s;
    CHECK(s.open() == 0);
    CHECK(s.host == "hub.example.net");
    CHECK(s.port == 443);
    CHECK(s.outbound ==
        "GET /$iothub/websocket?iothub-no-client-cert=true HTTP/1.1\r\nHost: hub.example.net\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
        "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n");
    CHECK(s.open() == 0);
    CHECK(s.read() == "dead");                   /* not yet */
    CHECK(s.write("x") == -1);
    s.inbound = hello + frame(0x82, "first");
    CHECK(s.open() == 1);
    CHECK(s.open() == 1);
    CHECK(s.opens == 1);
    CHECK(s.read() == "first");                  /* what came with the answer is not lost */
    CHECK(s.error() == IOTHUB_LAYER_TCP);        /* nothing of ours: the stream below is asked */
}

TEST_CASE("websocket handshake: another port, another subprotocol, a client certificate")
{
    Socket s("AMQPWSB10", 1);
    CHECK(s.open(8443) == 0);
    CHECK(s.outbound.find("GET /$iothub/websocket HTTP/1.1\r\nHost: hub.example.net:8443\r\n") == 0);
    CHECK(s.outbound.find("\r\nSec-WebSocket-Protocol: AMQPWSB10\r\n") != std::string::npos);
    s.inbound = "HTTP/1.1 101 x\r\nupgrade:WebSocket\r\nCONNECTION: keep-alive, upgrade \r\n" + accept_line +
        "sec-websocket-protocol: amqpwsb10\r\n\r\n";
    CHECK(s.open() == 1);
}

TEST_CASE("websocket handshake: the accept of RFC 6455 section 1.3")
{
    Socket s;
    s.entropy = "the sample nonce";              /* dGhlIHNhbXBsZSBub25jZQ== */
    CHECK(answer_to("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n", s) == 1);
    CHECK(s.raw_error() == 0);
}

TEST_CASE("websocket handshake: resumes after any byte, both ways")
{
    Socket whole;
    whole.open();
    for (size_t limit = 1; limit < 4; ++limit) {
        for (size_t prefix = 0; prefix < hello.size(); ++prefix) {
            Socket s;
            s.write_limit = s.read_limit = limit;
            CHECK(s.open() == 0);
            CHECK(s.outbound == whole.outbound);
            s.inbound = hello.substr(0, prefix);
            CHECK(s.open() == 0);
            s.inbound += hello.substr(prefix) + "\x82";
            CHECK(s.open() == 1);
            CHECK(s.inbound == "\x82");
        }
    }
    Socket full;
    full.write_limit = 0;
    CHECK(full.open() == 0);
    CHECK(full.open() == 0);
    full.write_limit = 11;
    full.hold = true;
    CHECK(full.open() == 0);
    CHECK(full.outbound == whole.outbound);
}

TEST_CASE("websocket handshake: the stream below opens first, then entropy is waited for")
{
    Socket s;
    s.open_result = 0;
    s.layer = IOTHUB_LAYER_TIME;                 /* TLS without a date */
    CHECK(s.open() == 0);
    CHECK(s.draws == 0);
    CHECK(s.error() == IOTHUB_LAYER_TIME);
    s.open_result = 1;
    s.random_result = -1;
    CHECK(s.open() == 0);
    CHECK(s.open() == 0);
    CHECK(s.error() == IOTHUB_LAYER_ENTROPY);
    CHECK(s.raw_error() == 0);
    CHECK(s.opens == 2);
    CHECK(s.outbound.empty());
    s.random_result = 0;
    CHECK(s.open() == 0);
    CHECK(s.error() == IOTHUB_LAYER_TIME);
    CHECK_FALSE(s.outbound.empty());
    s.inbound = hello;
    CHECK(s.open() == 1);
}

TEST_CASE("websocket handshake: another status is the hub's refusal")
{
    for (int status : { 200, 204, 301, 400, 401, 403, 404, 426, 429, 500, 503 }) {
        Socket s;
        CAPTURE(status);
        CHECK(answer_to("HTTP/1.1 " + std::to_string(status) + " no\r\nContent-Length: 2\r\n\r\nno", s) == -1);
        CHECK(s.error() == IOTHUB_LAYER_HUB);
        CHECK(s.raw_error() == status);
        CHECK(s.open() == -1);
        CHECK(s.read() == "dead");
        s.close();
        CHECK(s.raw_error() == status);
        CHECK(s.closes == 1);
    }
}

TEST_CASE("websocket handshake: interim answers are passed over")
{
    Socket s;
    CHECK(answer_to("HTTP/1.1 100 Continue\r\nUpgrade: x\r\n\r\n", s) == 0);
    s.inbound = hello;
    CHECK(s.open() == -1);                       /* what an interim answer says counts as well */
    Socket t;
    CHECK(answer_to("HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + hello, t) == 1);
}

TEST_CASE("websocket handshake: a 101 that is not ours is a broken protocol")
{
    const std::string start = "HTTP/1.1 101 x\r\n", upgrade = "Upgrade: websocket\r\n", connection = "Connection: Upgrade\r\n", end = "\r\n";
    const std::string all = start + upgrade + connection + accept_line;
    {
        Socket s;
        CHECK(answer_to(all + end, s) == 1);     /* no subprotocol: believed */
    }
    for (const std::string &text : {
            start + connection + accept_line, start + upgrade + accept_line, start + upgrade + connection,   /* one is missing */
            start + "Upgrade: websocket2\r\n" + connection + accept_line, start + "Upgrade: websocke\r\n" + connection + accept_line,
            start + "Upgrade:\r\n" + connection + accept_line, start + "Upgrade: web socket\r\n" + connection + accept_line,
            start + "Upgrade: h2c, websocket\r\n" + connection + accept_line, start + "Upgrade: websocket x\r\n" + connection + accept_line,
            all + "Upgrade: h2c\r\n",
            start + upgrade + "Connection: keep-alive\r\n" + accept_line, start + upgrade + "Connection: Upgrades, xUpgrade, Up grade\r\n" + accept_line,
            start + upgrade + "Connection: Upgrade x\r\n" + accept_line,
            start + upgrade + connection + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            start + upgrade + connection + "Sec-WebSocket-Accept: Bz3qJYTGdOe8gUSpLosEdiLKDrK=\r\n",         /* base64 has a case */
            start + upgrade + connection + "Sec-WebSocket-Accept: Bz3qJYTGdOe8gUSpLosEdiLKDrk\r\n",
            start + upgrade + connection + "Sec-WebSocket-Accept: Bz3qJYTGdOe8gUSpLosEdiLKDrk==\r\n",
            start + upgrade + connection + "Sec-WebSocket-Accept: " + std::string(700, 'B') + "\r\n",
            all + "Sec-WebSocket-Accept: x\r\n",
            all + "Sec-WebSocket-Protocol: amqp\r\n", all + "Sec-WebSocket-Protocol:\r\n", all + "Sec-WebSocket-Protocol: mqtt, amqp\r\n",
            all + "Sec-WebSocket-Extensions: permessage-deflate\r\n" }) {
        Socket s;
        CAPTURE(text);
        CHECK(answer_to(text + end, s) == -1);
        CHECK(s.error() == IOTHUB_LAYER_PROTOCOL);
        CHECK(s.raw_error() == 101);
    }
    for (const std::string &text : { start + upgrade + connection + connection + accept_line,
            start + upgrade + "Connection: x,Upgrade\t,\r\n" + accept_line, start + upgrade + "Connection: a b\r\nConnection: UPGRADE\r\n" + accept_line,
            all + "Sec-WebSocket-Protocol: MQTT\r\n", all + "Sec-WebSocket-Extensions: \r\n",
            start + "Upgrade:\t websocket \t\r\n" + connection + accept_line }) {
        Socket s;
        CAPTURE(text);
        CHECK(answer_to(text + end, s) == 1);
    }
}

TEST_CASE("websocket handshake: failures of every kind")
{
    Socket no_http;
    CHECK(answer_to("\x05\x00\x00", no_http) == -1);
    CHECK(no_http.error() == IOTHUB_LAYER_PROTOCOL);
    CHECK(no_http.raw_error() == 0);
    Socket unreachable;
    unreachable.open_result = -1;
    unreachable.layer = IOTHUB_LAYER_TLS_TRUST;
    unreachable.raw = 62;
    CHECK(unreachable.open() == -1);
    CHECK(unreachable.open() == -1);
    CHECK(unreachable.error() == IOTHUB_LAYER_TLS_TRUST);
    CHECK(unreachable.raw_error() == 62);
    Socket dead_read;
    CHECK(dead_read.open() == 0);
    dead_read.dead_read = true;
    CHECK(dead_read.open() == -1);
    CHECK(dead_read.error() == IOTHUB_LAYER_TCP);
    Socket dead_write;
    dead_write.write_limit = 0;
    CHECK(dead_write.open() == 0);
    dead_write.dead_write = true;
    CHECK(dead_write.open() == -1);
    CHECK(dead_write.error() == IOTHUB_LAYER_TCP);
    Socket greedy_read;
    CHECK(greedy_read.open() == 0);
    greedy_read.greedy_read = true;
    CHECK(greedy_read.open() == -1);
    CHECK(greedy_read.error() == IOTHUB_LAYER_PORT);
    Socket greedy_write;
    greedy_write.greedy_write = true;
    CHECK(greedy_write.open() == -1);
    CHECK(greedy_write.error() == IOTHUB_LAYER_PORT);
    Socket early;                                /* an answer to a request that has not left */
    early.write_limit = 0;
    CHECK(answer_to(hello, early) == -1);
    CHECK(early.error() == IOTHUB_LAYER_PROTOCOL);
}

TEST_CASE("websocket: closes in every state, and opens again")
{
    Socket s;
    s.close();
    CHECK(s.closes == 1);
    for (int state = 0; state < 3; ++state) {
        s.open_result = state > 0;
        s.random_result = state > 1 ? 0 : -1;
        CHECK(s.open() == 0);
        s.close();
        s.close();
        CHECK(s.read() == "dead");
        CHECK(s.outbound.find("\x88") == std::string::npos);
    }
    s.entropy.clear();
    for (int i = 0; i < 16; ++i) {
        s.entropy += static_cast<char>(i);
    }
    CHECK(s.open() == 0);
    s.inbound = hello + "\x82\x05" "he";
    CHECK(s.open() == 1);
    CHECK(s.read() == "he");
    s.outbound.clear();
    CHECK(s.write("x") == 1);
    s.close();
    std::vector<Frame> out = s.frames();
    REQUIRE(out.size() == 2);
    CHECK(out[1].first == 0x88);
    CHECK(out[1].payload == "\x03\xE8");         /* 1000 */
    s.close();
    CHECK(s.frames().empty());
    for (int i = 0; i < 16; ++i) {
        s.entropy += static_cast<char>(i);
    }
    CHECK(s.open() == 0);                        /* nothing of the old connection is left */
    s.inbound = hello + frame(0x82, "new");
    CHECK(s.open() == 1);
    CHECK(s.read() == "new");
}

TEST_CASE("websocket write: PINGREQ of wire-mqtt.md section 13")
{
    Open s;
    CHECK(s.write(text_of(bytes("C0 00"))) == 2);
    CHECK(s.push() == 1);
    CHECK(hex(Bytes(s.outbound.begin(), s.outbound.end())) == "82821122334" "4d122");
    CHECK(s.writes.size() == 1);                 /* header and payload share a write */
}

TEST_CASE("websocket write: one frame a call, a fresh mask each, whatever its size")
{
    for (size_t size : { 1, 57, 58, 59, 63, 64, 65, 125, 126, 127, 128, 200, 255, 256, 4096, 32767 }) {
        Open s;
        std::string text;
        Numbers numbers(static_cast<uint32_t>(size));
        while (text.size() < size) {
            text += static_cast<char>(numbers.below(256));
        }
        s.entropy = "\x9F\x01\x80\x7E" "abcd";
        CAPTURE(size);
        CHECK(s.write(text) == static_cast<int>(size));
        CHECK(s.write(text.substr(0, 3)) == static_cast<int>(std::min(size, size_t(3))));
        CHECK(s.draws == 2);
        std::vector<Frame> out = s.frames();
        REQUIRE(out.size() == 2);
        CHECK(out[0].first == 0x82);
        CHECK(out[0].payload == text);
        CHECK(out[0].mask == "\x9F\x01\x80\x7E");
        CHECK(out[1].mask == "abcd");
        CHECK(s.outbound.empty());
    }
}

TEST_CASE("websocket write: a stream that takes little: the frame stays as announced")
{
    for (size_t size : { 3, 60, 130, 300 }) {
        for (size_t limit = 1; limit < 9; ++limit) {
            Open s;
            std::string text, more = "the next message", left;
            Numbers numbers(7);
            while (text.size() < size) {
                text += static_cast<char>(numbers.below(256));
            }
            left = text;
            s.write_limit = limit;
            for (int calls = 0; !left.empty(); ++calls) {
                int taken = s.write(left);
                REQUIRE(taken >= 0);
                REQUIRE(taken <= static_cast<int>(left.size()));
                left.erase(0, static_cast<size_t>(taken));
                REQUIRE(calls < 1000);
                /* the caller may have more by now; the frame does not grow */
                if (calls == 0 && !left.empty()) {
                    int again = s.write(left + more);
                    REQUIRE(again <= static_cast<int>(left.size()));
                    left.erase(0, static_cast<size_t>(again));
                    s.offered.clear();           /* the script's rule is about one caller; this one takes the offer back */
                }
            }
            s.write_limit = 1000;
            CHECK(s.write(more) == static_cast<int>(more.size()));
            std::vector<Frame> out = s.frames();
            REQUIRE(out.size() == 2);
            CHECK(out[0].payload == text);
            CHECK(out[1].payload == more);
        }
    }
}

TEST_CASE("websocket write: nothing taken is 0, no entropy is 0, and the same bytes come again")
{
    Open s;
    s.random_result = -1;
    CHECK(s.write("abc") == 0);
    CHECK(s.outbound.empty());
    s.random_result = 0;
    s.write_limit = 0;
    CHECK(s.write("abc") == 0);
    CHECK(s.write("abc") == 0);
    CHECK(s.draws == 2);                         /* one mask for one frame */
    s.write_limit = 3;
    CHECK(s.write("abc") == 0);                  /* half of the header */
    s.write_limit = 100;
    CHECK(s.write("abcdef") == 3);
    CHECK(s.write("def") == 3);
    std::vector<Frame> out = s.frames();
    REQUIRE(out.size() == 2);
    CHECK(out[0].payload == "abc");
    CHECK(out[1].payload == "def");
}

TEST_CASE("websocket write: a caller that comes back with less than it announced is never read past")
{
    Open s;
    s.write_limit = 8;
    CHECK(s.write("0123456789") == 2);
    s.offered.clear();                           /* it breaks rule 4 */
    s.write_limit = 100;
    CHECK(s.write("234") == 3);
    CHECK(s.write("56789 and more") == 5);
    std::vector<Frame> out = s.frames();
    REQUIRE(out.size() == 1);
    CHECK(out[0].payload == "0123456789");
}

TEST_CASE("websocket write: pushes below; a dead or greedy stream is dead, but may still be read")
{
    Open s;
    s.hold = true;
    CHECK(s.write("abc") == 3);
    CHECK(s.outbound.empty());
    s.write_limit = 0;
    CHECK(s.push() == 0);
    s.write_limit = 100;
    CHECK(s.push() == 1);
    CHECK(s.frames().size() == 1);
    s.dead_write = true;
    s.inbound = frame(0x82, "last words");
    CHECK(s.write("x") == -1);
    CHECK(s.write("x") == -1);
    CHECK(s.push() == -1);
    CHECK(s.read() == "last words");
    CHECK(s.read().empty());
    s.close();
    Open push_only;
    push_only.dead_write = true;
    CHECK(push_only.push() == -1);
    CHECK(push_only.write("x") == -1);
    Open greedy;
    greedy.greedy_write = true;
    CHECK(greedy.write("x") == -1);
    CHECK(greedy.error() == IOTHUB_LAYER_PORT);
}

TEST_CASE("websocket write: what was taken before the stream died counts")
{
    Open s;
    struct Dies {
        static int write(void *context, const unsigned char *from, unsigned int size)
        {
            Scripted *scripted = static_cast<Scripted *>(context);
            int moved = Scripted::on_write(context, from, size);
            scripted->dead_write = true;
            return moved;
        }
    };
    s.platform.io.write = Dies::write;
    CHECK(s.write(std::string(100, 'x')) == 58); /* a window less the header */
    CHECK(s.write(std::string(42, 'x')) == -1);
    s.offered.clear();
}

TEST_CASE("websocket read: frames in any split, into a buffer of any size")
{
    const std::string fragments = frame(0x02, "fra") + frame(0x00, "") + frame(0x89, "p") + frame(0x00, "gme") + frame(0x8A, "unasked") +
        frame(0x80, "nts");
    const std::string stream = frame(0x82, "one") + frame(0x82, "") + fragments + frame(0x82, std::string(126, 'x')) + frame(0x82, std::string(300, 'y'));
    const std::string expected = "onefragments" + std::string(126, 'x') + std::string(300, 'y');
    for (size_t limit = 1; limit < 40; ++limit) {
        for (size_t capacity : { 1, 2, 3, 7, 64, 500 }) {
            Open s;
            s.inbound = stream;
            s.read_limit = limit;
            CAPTURE(limit, capacity);
            CHECK(s.read_all(capacity) == expected);
            std::vector<Frame> out = s.frames();
            REQUIRE(out.size() == 1);
            CHECK(out[0].first == 0x8A);
            CHECK(out[0].payload == "p");
        }
    }
    for (size_t cut = 0; cut < 60; ++cut) {      /* every split in two of the beginning */
        Open s;
        s.inbound = stream.substr(0, cut);
        std::string got = s.read_all(500);
        s.inbound = stream.substr(cut);
        CHECK(got + s.read_all(500) == expected);
    }
}

TEST_CASE("websocket read: 64 bits of length")
{
    Open s;
    const std::string large(70000, 'z');
    s.inbound = frame(0x82, large) + frame(0x82, "end");
    CHECK(s.read_all(32767) == large + "end");
    Open most;                                   /* 2^31 - 1 is announced, not sent */
    most.inbound = text_of(bytes("82 7F 00 00 00 00 7F FF FF FF 'a'"));
    CHECK(most.read() == "a");
    CHECK(most.read().empty());
}

TEST_CASE("websocket read: what a server may not send")
{
    CHECK(refused(text_of(bytes("82 81 00 00 00 00 'a'"))) == 1002);         /* masked */
    CHECK(refused(text_of(bytes("81 01 'a'"))) == 1003);                     /* text */
    CHECK(refused(text_of(bytes("01 01 'a'"))) == 1003);
    CHECK(refused(text_of(bytes("82 7E 00 7D"))) == 1002);                   /* 125 fits in one byte */
    CHECK(refused(text_of(bytes("82 7E 00 00"))) == 1002);
    CHECK(refused(text_of(bytes("82 7F 00 00 00 00 00 00 FF FF"))) == 1002); /* 65,535 fits in two */
    CHECK(refused(text_of(bytes("82 7F 00 00 00 00 00 00 00 05"))) == 1002);
    CHECK(refused(text_of(bytes("82 7F 00 00 00 00 80 00 00 00"))) == 1009); /* 2^31 */
    CHECK(refused(text_of(bytes("82 7F 00 00 00 01 00 00 00 00"))) == 1009);
    CHECK(refused(text_of(bytes("82 7F 80 00 00 00 00 00 00 00"))) == 1009);
    for (unsigned int bit : { 0x40u, 0x20u, 0x10u }) {                       /* no extension was agreed on */
        for (unsigned int first : { 0x82u, 0x89u, 0x8Au, 0x88u }) {
            CHECK(refused(std::string(1, static_cast<char>(first | bit)) + std::string(1, '\0')) == 1002);
        }
    }
    for (unsigned int opcode : { 3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u }) {
        CHECK(refused(std::string(1, static_cast<char>(0x80 | opcode))) == 1002);
    }
    CHECK(refused(text_of(bytes("80 01 'a'"))) == 1002);                     /* goes on with nothing */
    CHECK(refused(text_of(bytes("00 01 'a'"))) == 1002);
    CHECK(refused(text_of(bytes("02 00 82 00"))) == 1002);                   /* a message inside another */
    CHECK(refused(text_of(bytes("02 00 80 00 80 00"))) == 1002);             /* after its end */
    for (unsigned int opcode : { 8u, 9u, 10u }) {
        CHECK(refused(std::string(1, static_cast<char>(opcode))) == 1002);   /* control frames come in one piece */
        CHECK(refused(std::string(1, static_cast<char>(0x80 | opcode)) + "\x7E") == 1002);  /* of 125 bytes at most */
        CHECK(refused(std::string(1, static_cast<char>(0x80 | opcode)) + "\x7F") == 1002);
        CHECK(refused(std::string(1, static_cast<char>(0x80 | opcode)) + "\x80") == 1002);
    }
    CHECK(refused(text_of(bytes("88 01 03"))) == 1002);                      /* half a code */
    for (unsigned int code : { 0u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u, 2999u, 5000u, 65535u }) {
        CHECK(refused(frame(0x88, std::string(1, static_cast<char>(code >> 8)) + static_cast<char>(code & 255))) == 1002);
    }
}

TEST_CASE("websocket read: what came before the mistake is delivered")
{
    Open s;
    s.inbound = frame(0x82, "good") + "\x81";
    CHECK(s.read() == "good");
    CHECK(s.read() == "dead");
    CHECK(s.raw_error() == 1003);
}

TEST_CASE("websocket read: a close is answered, and is the end")
{
    for (unsigned int code : { 1000u, 1001u, 1003u, 1007u, 1011u, 1014u, 3000u, 4000u, 4999u }) {
        for (size_t limit : { 1, 2, 1000 }) {
            Open s;
            s.read_limit = limit;
            const std::string payload = std::string(1, static_cast<char>(code >> 8)) + static_cast<char>(code & 255);
            s.inbound = frame(0x82, "last") + frame(0x88, payload + "because") + frame(0x82, "never");
            CHECK(s.read_all() == "lastdead");
            CHECK(s.error() == IOTHUB_LAYER_HUB);
            CHECK(s.raw_error() == static_cast<long>(code));
            std::vector<Frame> out = s.frames();
            REQUIRE(out.size() == 1);
            CHECK(out[0].first == 0x88);
            CHECK(out[0].payload == payload);
            CHECK(s.write("x") == -1);
            s.close();
            CHECK(s.frames().empty());
        }
    }
    Open empty;
    empty.inbound = text_of(bytes("88 00"));
    CHECK(empty.read() == "dead");
    CHECK(empty.raw_error() == 1005);
    std::vector<Frame> out = empty.frames();
    REQUIRE(out.size() == 1);
    CHECK(out[0].payload.empty());
}

TEST_CASE("websocket read: a close that cannot be answered at once is not")
{
    Open between;                                /* in the middle of a frame of ours */
    between.write_limit = 4;
    CHECK(between.write("half sent") == 0);
    between.inbound = frame(0x88, "\x03\xE8");
    CHECK(between.read() == "dead");
    between.close();
    CHECK(between.outbound.size() == 4);
    Open no_entropy;
    no_entropy.random_result = -1;
    no_entropy.inbound = frame(0x88, "\x03\xE8");
    CHECK(no_entropy.read() == "dead");
    CHECK(no_entropy.outbound.empty());
    Open full;
    full.write_limit = 0;
    full.inbound = frame(0x88, "\x03\xE8");
    CHECK(full.read() == "dead");
    CHECK(full.outbound.empty());
    Open dead;
    dead.dead_write = true;
    dead.inbound = frame(0x88, "\x03\xE8");
    CHECK(dead.read() == "dead");
    CHECK(dead.raw_error() == 1000);
    dead.close();
}

TEST_CASE("websocket ping: answered with the same bytes, pushed, also when nobody writes")
{
    for (size_t size : { 0, 1, 4, 124, 125 }) {
        Open s;
        s.hold = true;
        std::string payload;
        while (payload.size() < size) {
            payload += static_cast<char>(payload.size() * 7);
        }
        s.inbound = frame(0x89, payload);
        CHECK(s.read().empty());
        std::vector<Frame> out = s.frames();     /* outbound: what was pushed */
        REQUIRE(out.size() == 1);
        CHECK(out[0].first == 0x8A);
        CHECK(out[0].payload == payload);
    }
}

TEST_CASE("websocket ping: a stream that takes little delays the answer, not the reading")
{
    for (size_t limit = 0; limit < 9; ++limit) {
        Open s;
        s.write_limit = limit;
        s.inbound = frame(0x89, "0123456789") + frame(0x82, "data");
        CHECK(s.read() == "data");
        for (int i = 0; i < 40 && s.write("message") == 0; ++i) {
            s.inbound = frame(0x82, "more");
            CHECK(s.read() == "more");
            s.write_limit = limit == 0 ? 1 : limit;
        }
        s.write_limit = 1000;
        s.offered.clear();
        CHECK(s.push() == 1);
        while (s.write("message") == 0) {
        }
        std::vector<Frame> out = s.frames();
        REQUIRE(out.size() >= 1);
        CHECK(out[0].first == 0x8A);
        CHECK(out[0].payload == "0123456789");
    }
}

TEST_CASE("websocket ping: only the newest is answered; one that comes while an answer is stuck counts as answered by it")
{
    Open s;
    s.random_result = -1;                        /* no mask: no frame can begin */
    s.inbound = frame(0x89, "first") + frame(0x89, "second") + "\x89\x05" "th";
    CHECK(s.read().empty());
    CHECK(s.push() == 1);                        /* the third is not here yet, the older ones gave way */
    s.inbound = "ird";
    CHECK(s.read().empty());
    CHECK(s.push() == 0);                        /* something is held */
    s.random_result = 0;
    CHECK(s.push() == 1);
    std::vector<Frame> out = s.frames();
    REQUIRE(out.size() == 1);
    CHECK(out[0].payload == "third");

    Open stuck;
    stuck.write_limit = 0;
    stuck.inbound = frame(0x89, "answer me");
    CHECK(stuck.read().empty());
    stuck.inbound = frame(0x89, "me too, with more bytes") + frame(0x82, "x");
    CHECK(stuck.read() == "x");
    CHECK(stuck.push() == 0);
    CHECK(stuck.write("y") == 0);
    stuck.write_limit = 100;
    CHECK(stuck.read().empty());
    out = stuck.frames();
    REQUIRE(out.size() == 1);
    CHECK(out[0].payload == "answer me");
    CHECK(stuck.write("y") == 1);
    CHECK(stuck.frames().size() == 1);
}

TEST_CASE("websocket ping: never inside a frame of the caller's")
{
    Open s;
    s.write_limit = 5;
    CHECK(s.write("abcdef") == 0);
    s.inbound = frame(0x89, "now");
    CHECK(s.read().empty());
    CHECK(s.push() == 0);
    s.write_limit = 100;
    CHECK(s.write("abcdef") == 6);
    CHECK(s.push() == 1);
    std::vector<Frame> out = s.frames();
    REQUIRE(out.size() == 2);
    CHECK(out[0].payload == "abcdef");
    CHECK(out[1].first == 0x8A);
    CHECK(out[1].payload == "now");
}

TEST_CASE("websocket ping: a close that comes while its answer is stuck leaves the answer alone")
{
    Open s;
    s.write_limit = 3;
    s.inbound = frame(0x89, "payload") + "\x88\x07\x03";
    CHECK(s.read().empty());
    s.inbound = "\xE8xxx";
    CHECK(s.read().empty());
    s.write_limit = 100;
    s.inbound = "xx";
    CHECK(s.read() == "dead");
    CHECK(s.raw_error() == 1000);
    std::vector<Frame> out = s.frames();
    REQUIRE(out.size() == 2);
    CHECK(out[0].payload == "payload");
    CHECK(out[1].first == 0x88);
}

TEST_CASE("websocket ping: a stream that died for writing is still read")
{
    Open s;
    s.dead_write = true;
    s.inbound = frame(0x89, "p") + frame(0x82, "data") + frame(0x89, "q") + frame(0x82, "more");
    CHECK(s.read_all() == "datamore");
    CHECK(s.write("x") == -1);
    Open greedy;
    greedy.greedy_write = true;
    greedy.inbound = frame(0x89, "p") + frame(0x82, "data");
    CHECK(greedy.read() == "data");
    CHECK(greedy.write("x") == -1);
    CHECK(greedy.error() == IOTHUB_LAYER_PORT);
}

TEST_CASE("websocket read: a peer that sends nothing but frames is cut")
{
    Open s;
    while (s.inbound.size() < 100000) {
        s.inbound += frame(0x8A, "");
    }
    CHECK(s.read() == "dead");
    CHECK(s.raw_error() == 1008);
    CHECK(s.inbound.size() > 95000);
    CHECK(s.frames().size() == 1);
    Open patient;                                /* 4,096 are fine, and each delivery starts anew */
    for (int round = 0; round < 3; ++round) {
        while (patient.inbound.size() < 4096) {
            patient.inbound += frame(0x8A, "");
        }
        patient.inbound += frame(0x82, "ok");
        CHECK(patient.read() == "ok");
        CHECK(patient.read().empty());
    }
    Open closing;                                /* a close among them is a close */
    while (closing.inbound.size() < 4094) {
        closing.inbound += frame(0x8A, "");
    }
    closing.inbound += frame(0x88, "\x03\xE8");
    CHECK(closing.read() == "dead");
    CHECK(closing.raw_error() == 1000);
}

TEST_CASE("websocket read: failures below")
{
    Open dead;
    dead.dead_read = true;
    dead.raw = 104;
    CHECK(dead.read() == "dead");
    CHECK(dead.error() == IOTHUB_LAYER_TCP);
    CHECK(dead.raw_error() == 104);
    dead.close();
    CHECK(dead.frames().empty());
    Open greedy;
    greedy.greedy_read = true;
    CHECK(greedy.read() == "dead");
    CHECK(greedy.error() == IOTHUB_LAYER_PORT);
}

TEST_CASE("websocket: options go below")
{
    Socket s;
    int number = 1;
    s.option_result = 0;
    CHECK(s.io->set_option(s.io->context, "TrustedCerts", &number) == 0);
    CHECK(s.option_name == "TrustedCerts");
    s.platform.io.set_option = nullptr;
    CHECK(s.io->set_option(s.io->context, "TrustedCerts", &number) == 1);
    s.platform.io.error = nullptr;
    CHECK(s.error() == IOTHUB_LAYER_NONE);
}
