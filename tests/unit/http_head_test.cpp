/* Requests through a window, and the heads of answers: every split, every malformed byte. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "scripted_platform.h"
#include "../../transports/http/head.h"

#include <map>

namespace {

const char wanted[] = "upgrade\0sec-websocket-accept\0retry-after\0";

struct Answer {
    int event;                           /* the last one */
    unsigned int status;
    std::map<int, std::string> values;   /* by the bit of the name; '|' ends each */
    std::string rest;                    /* what was not read */
};

/* Reads until a head ends or fails, or nothing more comes. */
Answer answer_to(const std::string &bytes_in, size_t read_limit = 100000, const char *names = wanted)
{
    Scripted s;
    Answer answer;
    iothubi_http_head head;
    REQUIRE(s.platform.io.open(s.platform.io.context, "h", 1) == 1);
    s.inbound = bytes_in;
    s.read_limit = read_limit;
    iothubi_http_head_begin(&head);
    for (;;) {
        answer.event = iothubi_http_next(&s.platform.io, &head, names);
        if (answer.event == IOTHUBI_HTTP_VALUE) {
            answer.values[head.names] += static_cast<char>(head.byte);
        } else if (answer.event == IOTHUBI_HTTP_VALUE_END) {
            answer.values[head.names] += '|';
        } else {
            break;
        }
    }
    answer.status = head.status;
    answer.rest = s.inbound;
    CHECK_FALSE(s.contract_broken);
    return answer;
}

bool is_malformed(const std::string &text)
{
    return answer_to(text).event == IOTHUBI_STREAM_MALFORMED;
}

void write_sentence(iothubi_writer *writer, const void *context)
{
    const std::string *text = static_cast<const std::string *>(context);
    iothubi_write(writer, text->data(), text->size());
}

}

TEST_CASE("http head: status, wanted values, and not a byte too much")
{
    const std::string text =
        "HTTP/1.1 101 Switching Protocols\r\nServer: x\r\nUPGRADE: websocket\r\nDate: now\r\nSec-WebSocket-Accept:\t abc= \r\n"
        "Upgrade:\r\n\r\nTLS bytes";
    Answer answer = answer_to(text);
    CHECK(answer.event == IOTHUBI_HTTP_HEAD_END);
    CHECK(answer.status == 101);
    CHECK(answer.values.size() == 2);
    CHECK(answer.values[1] == " websocket||");
    CHECK(answer.values[2] == "\t abc= |");
    CHECK(answer.rest == "TLS bytes");
}

TEST_CASE("http head: every proper prefix needs more")
{
    const std::string text = "HTTP/1.0 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    for (size_t size = 0; size < text.size(); ++size) {
        CAPTURE(size);
        CHECK(answer_to(text.substr(0, size)).event == IOTHUBI_HTTP_NOTHING);
    }
    CHECK(answer_to(text).event == IOTHUBI_HTTP_HEAD_END);
    CHECK(answer_to(text).status == 407);
}

TEST_CASE("http head: forms that servers use")
{
    CHECK(answer_to("HTTP/1.1 200\r\n\r\n").status == 200);          /* no reason, not even its space */
    CHECK(answer_to("HTTP/1.1 200 \r\n\r\n").event == IOTHUBI_HTTP_HEAD_END);
    CHECK(answer_to("HTTP/1.9 299 \xC3\xA4\tok\n\n").status == 299); /* LF alone; bytes beyond ASCII */
    CHECK(answer_to("HTTP/1.1 200 OK\nUpgrade: a\n\nx").values[1] == " a|");
    CHECK(answer_to("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\td\r\nUpgrade: e\r\n\r\n").values[1] == " e|"); /* lines that go on */
    CHECK(answer_to("HTTP/1.1 200 OK\r\nUpgrade-Insecure: 1\r\nupgrad: 2\r\n\r\n").values.empty());
    CHECK(answer_to("HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n").event == IOTHUBI_HTTP_HEAD_END);
    CHECK(answer_to("HTTP/1.1 200 OK\r\n" + std::string(600, 'n') + ": x\r\n\r\n").event == IOTHUBI_HTTP_HEAD_END);
    CHECK(answer_to("HTTP/1.1 200 OK\r\nretry-AFTER:120\r\n\r\n").values[4] == "120|");
    CHECK(answer_to("HTTP/1.1 200 OK\r\nUpgrade: a\r\n\r\n", 1, "").values.empty());
}

TEST_CASE("http head: what is no head is malformed, and stays so")
{
    for (const char *text : { "HTTP/2 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "HTTP/1.x 200\r\n\r\n", "HTTP/1.1  200\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2001 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 000 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "\x16\x03\x01", "HTTP/1.1 200 \x01\r\n\r\n",
            "HTTP/1.1 200 \x7F\r\n\r\n", "HTTP/1.1 200 OK\r\nA\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\n A: b\r\n\r\n", "HTTP/1.1 200 OK\r\nUpgrade: a\r\n b\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
            "HTTP/1.1 200 OK\r\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\rx", "HTTP/1.1 200 OK\r\nA(: b\r\n\r\n", "HTTP/1.1 200 OK\r\nA: \x02\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA\xE4: b\r\n\r\n", "HTTP/1.1 200 OK\r\nA\r: b\r\n\r\n" }) {
        CAPTURE(text);
        CHECK(is_malformed(text));
    }
    CHECK(is_malformed(std::string("HTTP/1.1 200 O\0K\r\n\r\n", 20)));
    CHECK(is_malformed(std::string("HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n", 26)));
    iothubi_http_head head;
    iothubi_http_head_begin(&head);
    CHECK(iothubi_http_parse(&head, wanted, 'x') == IOTHUBI_STREAM_MALFORMED);
    CHECK(iothubi_http_parse(&head, wanted, 'H') == IOTHUBI_STREAM_MALFORMED);
}

TEST_CASE("http head: nothing is read behind its end")
{
    Scripted s;
    iothubi_http_head head;
    s.platform.io.open(&s, "h", 1);
    s.inbound = "HTTP/1.1 200 OK\r\n\r\nx";
    iothubi_http_head_begin(&head);
    REQUIRE(iothubi_http_next(&s.platform.io, &head, wanted) == IOTHUBI_HTTP_HEAD_END);
    CHECK(iothubi_http_parse(&head, wanted, 'x') == IOTHUBI_STREAM_MALFORMED);
}

TEST_CASE("http head: the limit counts every byte, interim answers too")
{
    const std::string start = "HTTP/1.1 200 OK\r\nA: ", end = "\r\n\r\n", interim = "HTTP/1.1 100 Continue\r\n\r\n";
    const std::string fits(IOTHUBI_HTTP_HEAD_MAXIMUM - start.size() - end.size(), 'x');
    CHECK(answer_to(start + fits + end).event == IOTHUBI_HTTP_HEAD_END);
    CHECK(is_malformed(start + fits + "x" + end));
    CHECK(is_malformed(interim + start + fits + end));
    std::string endless;
    while (endless.size() < 10000) {
        endless += interim;
    }
    Answer answer = answer_to(endless);
    CHECK(answer.event == IOTHUBI_STREAM_MALFORMED);
    CHECK(answer.rest.size() == endless.size() - IOTHUBI_HTTP_HEAD_MAXIMUM - 1);
}

TEST_CASE("http head: interim answers are passed over, 101 is the last")
{
    CHECK(answer_to("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 OK\r\n\r\n").status == 204);
    CHECK(answer_to("HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").status == 101);
    CHECK(answer_to("HTTP/1.1 199 x\r\n\r\n").event == IOTHUBI_HTTP_NOTHING);
}

TEST_CASE("http head: a stream that is dead or answers too much")
{
    Scripted s;
    iothubi_http_head head;
    iothubi_http_head_begin(&head);
    s.platform.io.open(&s, "h", 1);
    s.dead_read = true;
    CHECK(iothubi_http_next(&s.platform.io, &head, wanted) == IOTHUBI_STREAM_DEAD);
    s.greedy_read = true;
    CHECK(iothubi_http_next(&s.platform.io, &head, wanted) == IOTHUBI_STREAM_CONTRACT);
    CHECK(iothubi_stream_layer(IOTHUBI_STREAM_CONTRACT) == IOTHUB_LAYER_PORT);
    CHECK(iothubi_stream_layer(IOTHUBI_STREAM_DEAD) == IOTHUB_LAYER_NONE);
}

TEST_CASE("http request: whole, once, whatever the stream takes at a time")
{
    std::string text;
    while (text.size() < 300) {
        text += "0123456789abcdef*";
    }
    for (size_t limit : { size_t(1), size_t(2), size_t(63), size_t(64), size_t(65), size_t(1000) }) {
        Scripted s;
        size_t sent = 0;
        s.platform.io.open(&s, "h", 1);
        s.write_limit = limit;
        s.hold = true;
        CAPTURE(limit);
        CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == 1);
        CHECK(s.outbound == text);                       /* pushed */
        CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == 1);
        CHECK(s.outbound == text);
        CHECK_FALSE(s.contract_broken);
    }
}

TEST_CASE("http request: goes on where the stream stopped, at any byte")
{
    const std::string text = "CONNECT example.net:443 HTTP/1.1\r\nHost: example.net:443\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n";
    Scripted s;
    size_t sent = 0, calls = 0;
    s.platform.io.open(&s, "h", 1);
    s.write_limit = 0;
    CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == 0);
    while (sent < text.size()) {
        s.write_limit = 1;
        const std::string before = s.outbound;
        /* one byte, then a stream that is full */
        struct Once {
            static int write(void *pointer, const unsigned char *from, unsigned int size)
            {
                Scripted *scripted = static_cast<Scripted *>(pointer);
                int moved = Scripted::on_write(pointer, from, size);
                scripted->write_limit = 0;
                return moved;
            }
        };
        s.platform.io.write = Once::write;
        int answer = iothubi_http_send(&s.platform.io, write_sentence, &text, &sent);
        CHECK(s.outbound.size() == before.size() + 1);
        CHECK((answer == 0 || sent == text.size()));
        REQUIRE(++calls <= text.size());
    }
    s.platform.io.write = Scripted::on_write;
    s.write_limit = 100;
    CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == 1);
    CHECK(s.outbound == text);
    CHECK_FALSE(s.contract_broken);
}

TEST_CASE("http request: a push that is not done, a dead stream, a greedy one")
{
    const std::string text = "GET";
    Scripted s;
    size_t sent = 0;
    s.platform.io.open(&s, "h", 1);
    s.hold = true;
    struct Stuck {
        static int write(void *pointer, const unsigned char *from, unsigned int size)
        {
            return size == 0 ? 0 : Scripted::on_write(pointer, from, size);
        }
        static int push_dies(void *pointer, const unsigned char *from, unsigned int size)
        {
            return size == 0 ? -7 : Scripted::on_write(pointer, from, size);
        }
    };
    s.platform.io.write = Stuck::write;
    CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == 0);
    CHECK(sent == 3);
    s.platform.io.write = Stuck::push_dies;
    CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == IOTHUBI_STREAM_DEAD);
    s.platform.io.write = Scripted::on_write;
    CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == 1);
    sent = 0;
    s.greedy_write = true;
    CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == IOTHUBI_STREAM_CONTRACT);
    s.dead_write = true;
    CHECK(iothubi_http_send(&s.platform.io, write_sentence, &text, &sent) == IOTHUBI_STREAM_DEAD);
}
