/* MQTT 3.1.1 packets as literal bytes, both ways. [MQTT-x] are statements of the OASIS standard, version 3.1.1. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../transports/mqtt/codec.h"

namespace {

/* Is there a chunk? Then it ends where reading goes on. */
bool has_chunk(iothubi_mqtt_event event)
{
    return event == IOTHUBI_MQTT_GOT_TOPIC || event == IOTHUBI_MQTT_GOT_BODY || event == IOTHUBI_MQTT_GOT_SUBACK;
}

/* One event, with what it means at that moment, as text: "PUBLISH-END 7". */
std::string event_text(const iothubi_mqtt_parser &parser, iothubi_mqtt_event event, const unsigned char *at)
{
    std::string chunk = has_chunk(event) ? hex(Bytes(at - parser.chunk_size, at)) : "";
    switch (event) {
    case IOTHUBI_MQTT_MALFORMED: return "MALFORMED";
    case IOTHUBI_MQTT_GOT_CONNACK: return "CONNACK " + std::to_string(parser.value);
    case IOTHUBI_MQTT_GOT_PUBACK: return "PUBACK " + std::to_string(parser.value);
    case IOTHUBI_MQTT_GOT_SUBACK: return "SUBACK " + std::to_string(parser.value) + " " + chunk;
    case IOTHUBI_MQTT_GOT_UNSUBACK: return "UNSUBACK " + std::to_string(parser.value);
    case IOTHUBI_MQTT_GOT_PINGRESP: return "PINGRESP";
    case IOTHUBI_MQTT_GOT_TOPIC: return "TOPIC " + chunk;
    case IOTHUBI_MQTT_GOT_BODY: return "BODY " + std::to_string(parser.value) + " " + chunk;
    case IOTHUBI_MQTT_GOT_PUBLISH_END: return "END " + std::to_string(parser.value) + ((parser.first & IOTHUBI_MQTT_DUP) != 0 ? " dup" : "");
    default: return "?";
    }
}

/* A parser fed piece by piece; pieces of one topic, body or list of codes are joined, so that any split reads the same. */
class Reader {
public:
    Reader() { iothubi_mqtt_parser_begin(&parser); }
    void feed(const Bytes &piece)
    {
        Guarded input(piece);
        const unsigned char *at = input.data(), *end = at + piece.size();
        size_t calls = 0;
        for (;;) {
            const unsigned char *before = at;
            iothubi_mqtt_event event = iothubi_mqtt_parse(&parser, &at, end);
            REQUIRE(at >= before);
            REQUIRE(at <= end);
            REQUIRE(++calls <= 2 * piece.size() + 2);            /* bounded work */
            if (event == IOTHUBI_MQTT_NEED_MORE) {
                REQUIRE(at == end);                              /* all was read */
                return;
            }
            if (has_chunk(event)) {
                REQUIRE(parser.chunk_size > 0);
                REQUIRE(parser.chunk_size <= static_cast<size_t>(at - before));  /* all of it was read by this call */
            }
            note(event, at);
            if (event == IOTHUBI_MQTT_MALFORMED) {
                return;
            }
        }
    }
    std::string text() const
    {
        std::string out;
        for (const std::string &event : events) {
            out += (out.empty() ? "" : ", ") + event;
        }
        return out;
    }
    iothubi_mqtt_parser parser;
private:
    void note(iothubi_mqtt_event event, const unsigned char *at)
    {
        std::string now = event_text(parser, event, at);
        std::string kind = now.substr(0, now.rfind(' ') + 1);
        if (has_chunk(event) && last == event && events.back().compare(0, kind.size(), kind) == 0) {
            events.back() += now.substr(kind.size());
        } else {
            events.push_back(now);
        }
        last = event == IOTHUBI_MQTT_GOT_SUBACK && parser.remaining == 0 ? IOTHUBI_MQTT_NEED_MORE : event;   /* its last code */
    }
    std::vector<std::string> events;
    iothubi_mqtt_event last = IOTHUBI_MQTT_NEED_MORE;
};

std::string read(const Bytes &packets)
{
    Reader reader;
    reader.feed(packets);
    return reader.text();
}

std::string read(const std::string &literal)
{
    return read(bytes(literal));
}

std::string packet(const Encoder &encode)
{
    std::string text = written(encode);
    return hex(Bytes(text.begin(), text.end()));
}

std::string header(unsigned int first, size_t remaining)
{
    return packet([=](iothubi_writer *w) { iothubi_mqtt_write_header(w, first, remaining); });
}

struct Sample {
    const char *literal;
    const char *events;
};

/* Every packet that a client may receive. */
const Sample samples[] = {
    { "20 02 00 00", "CONNACK 0" },                                  /* no session, accepted */
    { "20 02 01 00", "CONNACK 256" },                                /* session present */
    { "20 02 00 05", "CONNACK 5" },                                  /* not authorised */
    { "40 02 00 01", "PUBACK 1" },
    { "40 02 FF F0", "PUBACK 65520" },
    { "90 03 00 02 | 00", "SUBACK 2 00" },                           /* one code */
    { "90 06 00 02 | 01 00 00 80", "SUBACK 2 01000080" },            /* four codes, the last a refusal */
    { "B0 02 12 34", "UNSUBACK 4660" },
    { "D0 00", "PINGRESP" },
    { "30 05 | 00 03 'a/b'", "TOPIC 612f62, END 0" },                /* QoS 0, no payload */
    { "31 06 | 00 03 'a/b' | 'x'", "TOPIC 612f62, BODY 0 78, END 0" },           /* RETAIN */
    { "32 07 | 00 03 'a/b' | 00 07", "TOPIC 612f62, END 7" },        /* QoS 1, no payload */
    { "3A 0A | 00 03 'a/b' | 01 00 | 'xyz'", "TOPIC 612f62, BODY 256 78797a, END 256 dup" },     /* QoS 1, DUP */
    { "33 09 | 00 01 'a' | FF FF | 00 00 30 32", "TOPIC 61, BODY 65535 00003032, END 65535" }
};

}

/* ---- writing ---- */

TEST_CASE("codec, fixed headers, carry their length in one to four bytes")
{
    CHECK(header(IOTHUBI_MQTT_PINGREQ, 0) == "c000");
    CHECK(header(IOTHUBI_MQTT_DISCONNECT, 0) == "e000");
    CHECK(header(IOTHUBI_MQTT_CONNECT, 127) == "107f");
    CHECK(header(IOTHUBI_MQTT_CONNECT, 128) == "108001");
    CHECK(header(IOTHUBI_MQTT_CONNECT, 261) == "108502");
    CHECK(header(IOTHUBI_MQTT_PUBLISH, 16383) == "30ff7f");
    CHECK(header(IOTHUBI_MQTT_PUBLISH, 16384) == "30808001");
    CHECK(header(IOTHUBI_MQTT_PUBLISH, 2097151) == "30ffff7f");
    CHECK(header(IOTHUBI_MQTT_PUBLISH, 2097152) == "3080808001");
    CHECK(header(IOTHUBI_MQTT_PUBLISH, IOTHUBI_MQTT_LENGTH_MAXIMUM) == "30ffffff7f");
}

TEST_CASE("codec, a length that no packet has, is cut off after the four bytes that the standard allows")
{
    CHECK(header(IOTHUBI_MQTT_PUBLISH, IOTHUBI_MQTT_LENGTH_MAXIMUM + 1u).size() == 2 * 5);
    CHECK(header(IOTHUBI_MQTT_PUBLISH, IOTHUBI_SIZE_MAXIMUM).size() == 2 * 5);
}

TEST_CASE("codec, packets of the client, have the standard's first bytes")
{
    CHECK(IOTHUBI_MQTT_CONNECT == 0x10);
    CHECK(IOTHUBI_MQTT_SUBSCRIBE == 0x82);           /* flags 0010 [MQTT-3.8.1-1] */
    CHECK((IOTHUBI_MQTT_PUBLISH | IOTHUBI_MQTT_QOS1) == 0x32);
    CHECK((IOTHUBI_MQTT_PUBLISH | IOTHUBI_MQTT_QOS1 | IOTHUBI_MQTT_DUP) == 0x3A);
    CHECK((IOTHUBI_MQTT_USER_NAME | IOTHUBI_MQTT_PASSWORD) == 0xC0);
    CHECK((IOTHUBI_MQTT_CLEAN_SESSION | IOTHUBI_MQTT_WILL | IOTHUBI_MQTT_WILL_QOS1) == 0x0E);
    CHECK(packet([](iothubi_writer *w) { iothubi_mqtt_write_acknowledgement(w, IOTHUBI_MQTT_PUBACK, 0xABCD); }) == "4002abcd");
}

TEST_CASE("codec, CONNECT's variable header, is protocol, level, flags and keep-alive")
{
    CHECK(packet([](iothubi_writer *w) { iothubi_mqtt_write_connect_header(w, 0xC0, 240); }) ==
        hex(bytes("00 04 'MQTT' | 04 | C0 | 00 F0")));
    CHECK(packet([](iothubi_writer *w) { iothubi_mqtt_write_connect_header(w, 0x02, 0xFFFF); }) ==
        hex(bytes("00 04 'MQTT' | 04 | 02 | FF FF")));
}

TEST_CASE("codec, fields and packets, measure themselves before they write")
{
    iothubi_part part = [](iothubi_writer *writer, const void *context) {
        const std::string *text = static_cast<const std::string *>(context);
        iothubi_write(writer, text->data(), text->size());
    };
    for (size_t size : { 0u, 1u, 255u, 256u, 65535u }) {
        std::string text(size, 'x');
        Encoder field = [&](iothubi_writer *w) { iothubi_mqtt_write_field(w, part, &text); };
        Encoder whole = [&](iothubi_writer *w) { iothubi_mqtt_write_packet(w, 0x10, part, &text); };
        std::string length = { static_cast<char>(size >> 8), static_cast<char>(size & 255) };
        CHECK(iothubi_part_size(part, &text) == size);
        CHECK(written(field) == length + text);
        CHECK(packet(whole) == header(0x10, size) + hex(Bytes(text.begin(), text.end())));
    }
}

/* ---- reading ---- */

TEST_CASE("codec, each packet that a client may receive, is read")
{
    for (const Sample &sample : samples) {
        CHECK(read(sample.literal) == sample.events);
    }
}

TEST_CASE("codec, every proper prefix of a packet, needs more, and the rest completes it")
{
    for (const Sample &sample : samples) {
        Bytes whole = bytes(sample.literal);
        for (size_t cut = 0; cut < whole.size(); ++cut) {
            Reader reader;
            reader.feed(Bytes(whole.begin(), whole.begin() + static_cast<long>(cut)));
            CAPTURE(sample.literal, cut);
            CHECK(reader.text().find("MALFORMED") == std::string::npos);
            CHECK(reader.text() != sample.events);
            CHECK(reader.parser.phase != (cut == 0 ? -1 : IOTHUBI_MQTT_AT_HEADER));
            reader.feed(Bytes(whole.begin() + static_cast<long>(cut), whole.end()));
            CHECK(reader.text() == sample.events);
            CHECK(reader.parser.phase == IOTHUBI_MQTT_AT_HEADER);
        }
    }
}

TEST_CASE("codec, all packets in a row, read the same whole, byte by byte and in random pieces")
{
    Bytes stream;
    std::string expected;
    for (int round = 0; round < 3; ++round) {
        for (const Sample &sample : samples) {
            stream = stream + bytes(sample.literal);
            expected += (expected.empty() ? "" : ", ") + std::string(sample.events);
        }
    }
    CHECK(read(stream) == expected);
    Reader single;
    for (unsigned char byte : stream) {
        single.feed(Bytes(1, byte));
    }
    CHECK(single.text() == expected);
    for (uint32_t seed = 1; seed <= 200; ++seed) {
        Numbers numbers(seed);
        Reader reader;
        for (size_t at = 0; at < stream.size();) {
            size_t size = std::min<size_t>(1 + numbers.below(1 + seed % 30), stream.size() - at);
            reader.feed(Bytes(stream.begin() + static_cast<long>(at), stream.begin() + static_cast<long>(at + size)));
            at += size;
        }
        CAPTURE(seed);
        CHECK(reader.text() == expected);
    }
}

/* Section 2.2 of the standard, table 2.2: what each control packet type's first byte must be, and which a server sends. */
TEST_CASE("codec, each of the 256 first bytes, is judged as the standard says")
{
    for (unsigned int first = 0; first < 256; ++first) {
        bool legal = false;
        switch (first >> 4) {
        case 2: case 4: case 9: case 11: case 13:    /* CONNACK PUBACK SUBACK UNSUBACK PINGRESP: flags 0000 */
            legal = (first & 15) == 0;
            break;
        case 3:                                      /* PUBLISH: DUP, two bits of QoS, RETAIN; DUP is 0 with QoS 0; we never ask for 2 */
            legal = (first >> 1 & 3) == 1 || ((first >> 1 & 3) == 0 && (first >> 3 & 1) == 0);
            break;
        default:                                     /* reserved, from clients only (1 8 10 12 14), or QoS 2 (5 6 7) */
            break;
        }
        Reader reader;
        CAPTURE(first);
        reader.feed(Bytes(1, static_cast<unsigned char>(first)));
        CHECK(reader.text() == (legal ? "" : "MALFORMED"));
    }
}

TEST_CASE("codec, a body of the wrong size, is malformed at once")
{
    const char *const packets[] = {
        "20 00", "20 01", "20 03", "20 7F",          /* CONNACK has 2 */
        "40 00", "40 01", "40 03", "40 04",          /* PUBACK has 2 */
        "90 00", "90 01", "90 02",                   /* SUBACK has an id and a code */
        "B0 00", "B0 01", "B0 03",                   /* UNSUBACK has 2 */
        "D0 01", "D0 02",                            /* PINGRESP has none */
        "30 00", "30 01", "32 00", "32 03"           /* PUBLISH has a topic, with QoS 1 an id too */
    };
    for (const char *literal : packets) {
        CAPTURE(literal);
        CHECK(read(literal) == "MALFORMED");
    }
}

TEST_CASE("codec, what the fields say, is malformed when it cannot be")
{
    CHECK(read("20 02 02 00") == "MALFORMED");       /* a reserved flag of CONNACK [MQTT-3.2.2-1] */
    CHECK(read("20 02 80 00") == "MALFORMED");
    CHECK(read("20 02 01 FF") == "CONNACK 511");     /* the code's meaning is the hub mapping's business */
    CHECK(read("40 02 00 00") == "PUBACK 0");        /* acknowledges nothing; likewise */
    CHECK(read("30 02 00 00") == "MALFORMED");       /* a topic has a character [MQTT-4.7.3-1] */
    CHECK(read("32 04 00 00 00 01") == "MALFORMED");
    CHECK(read("30 03 00 02 'a'") == "MALFORMED");   /* the topic would end behind the packet */
    CHECK(read("30 02 FF FF") == "MALFORMED");
    CHECK(read("32 05 00 02 'ab' 00") == "MALFORMED");           /* no room for the packet id */
    CHECK(read("32 04 00 01 'a' 00") == "MALFORMED");
    CHECK(read("32 05 00 01 'a' 00 00") == "TOPIC 61, MALFORMED");           /* packet id 0 [MQTT-2.3.1-1] */
}

TEST_CASE("codec, a topic that fills the packet, is complete without a payload")
{
    CHECK(read("30 03 00 01 'a'") == "TOPIC 61, END 0");
    CHECK(read("32 05 00 01 'a' 00 01") == "TOPIC 61, END 1");
}

TEST_CASE("codec, remaining lengths of one to four bytes, are read; a fifth is malformed")
{
    const size_t sizes[] = { 3, 127, 128, 16383, 16384, 2097151, 2097152 };
    for (size_t size : sizes) {
        std::string start = written([=](iothubi_writer *w) { iothubi_mqtt_write_header(w, 0x30, size); });
        Bytes stream = Bytes(start.begin(), start.end()) + bytes("00 01 'a'") + Bytes(size - 3, 'x') + bytes("D0 00");
        Guarded input(stream);
        iothubi_mqtt_parser parser;
        iothubi_mqtt_parser_begin(&parser);
        const unsigned char *at = input.data(), *end = at + stream.size();
        CAPTURE(size);
        CHECK(iothubi_mqtt_parse(&parser, &at, end) == IOTHUBI_MQTT_GOT_TOPIC);
        if (size > 3) {
            CHECK(iothubi_mqtt_parse(&parser, &at, end) == IOTHUBI_MQTT_GOT_BODY);
            CHECK(parser.chunk_size == size - 3);
        }
        CHECK(iothubi_mqtt_parse(&parser, &at, end) == IOTHUBI_MQTT_GOT_PUBLISH_END);
        CHECK(iothubi_mqtt_parse(&parser, &at, end) == IOTHUBI_MQTT_GOT_PINGRESP);
        CHECK(iothubi_mqtt_parse(&parser, &at, end) == IOTHUBI_MQTT_NEED_MORE);
    }
    CHECK(read("30 FF FF FF FF") == "MALFORMED");    /* at the fourth byte that announces another */
    CHECK(read("30 80 80 80 80 01") == "MALFORMED");
    CHECK(read("D0 80 80 80 00") == "PINGRESP");     /* longer than needed, and legal */
    CHECK(read("40 82 00 00 01") == "PUBACK 1");
}

TEST_CASE("codec, the largest remaining length, is followed to its last byte")
{
    const uint32_t largest = 268435455u;
    Bytes piece(1 << 20, 'x');
    iothubi_mqtt_parser parser;
    iothubi_mqtt_parser_begin(&parser);
    Bytes start = bytes("30 FF FF FF 7F | 00 01 'a'");
    const unsigned char *at = start.data();
    CHECK(iothubi_mqtt_parse(&parser, &at, start.data() + start.size()) == IOTHUBI_MQTT_GOT_TOPIC);
    uint32_t left = largest - 3;
    while (left > 0) {
        at = piece.data();
        REQUIRE(iothubi_mqtt_parse(&parser, &at, piece.data() + std::min<uint32_t>(left, 1 << 20)) == IOTHUBI_MQTT_GOT_BODY);
        left -= static_cast<uint32_t>(parser.chunk_size);
        REQUIRE(parser.remaining == left);
    }
    at = piece.data();
    CHECK(iothubi_mqtt_parse(&parser, &at, piece.data()) == IOTHUBI_MQTT_GOT_PUBLISH_END);
}

TEST_CASE("codec, the end of a PUBLISH, comes once")
{
    Reader reader;
    reader.feed(bytes("30 04 00 01 'ax'"));
    CHECK(reader.text() == "TOPIC 61, BODY 0 78, END 0");
    reader.feed(Bytes());
    reader.feed(bytes("D0 00"));
    CHECK(reader.text() == "TOPIC 61, BODY 0 78, END 0, PINGRESP");
}

TEST_CASE("codec, after a malformed packet, says so whatever comes")
{
    Reader reader;
    reader.feed(bytes("00"));
    reader.feed(bytes("20 02 00 00"));
    reader.feed(Bytes());
    CHECK(reader.text() == "MALFORMED, MALFORMED, MALFORMED");
    iothubi_mqtt_parser_begin(&reader.parser);       /* a new connection */
    reader.feed(bytes("20 02 00 00"));
    CHECK(reader.text() == "MALFORMED, MALFORMED, MALFORMED, CONNACK 0");
}

TEST_CASE("codec, random bytes in random pieces, end in an answer with bounded work")
{
    const unsigned char starts[] = { 0x20, 0x30, 0x32, 0x40, 0x90, 0xB0, 0xD0 };
    int malformed = 0, read_on = 0;
    for (uint32_t seed = 1; seed <= 3000; ++seed) {
        Numbers numbers(seed);
        Reader whole, pieces;
        Bytes stream;
        for (uint32_t packets = 1 + numbers.below(4); packets > 0; --packets) {
            stream.push_back(starts[numbers.below(7)]);
            stream.push_back(static_cast<unsigned char>(numbers.below(8)));
            for (uint32_t rest = numbers.below(8); rest > 0; --rest) {
                stream.push_back(static_cast<unsigned char>(numbers.below(3) == 0 ? numbers.next() >> 24 : numbers.below(4)));
            }
        }
        whole.feed(stream);
        for (size_t at = 0; at < stream.size() && pieces.text().find("MALFORMED") == std::string::npos;) {
            size_t size = std::min<size_t>(1 + numbers.below(5), stream.size() - at);
            pieces.feed(Bytes(stream.begin() + static_cast<long>(at), stream.begin() + static_cast<long>(at + size)));
            at += size;
        }
        CAPTURE(seed);
        CHECK(pieces.text() == whole.text());
        (whole.text().find("MALFORMED") != std::string::npos ? malformed : read_on) += 1;
    }
    CHECK(malformed > 300);                          /* both kinds did occur */
    CHECK(read_on > 50);
}

/* ---- SUBSCRIBE ---- */

namespace {

void write_c_string(iothubi_writer *writer, const void *text)
{
    iothubi_write(writer, text, std::strlen(static_cast<const char *>(text)));
}

void write_filter(iothubi_writer *writer, const char *topic, unsigned int qos)
{
    iothubi_mqtt_write_field(writer, write_c_string, topic);
    iothubi_write_byte(writer, qos);
}

void write_subscriptions(iothubi_writer *writer, const void *)
{
    iothubi_write_16(writer, 2);
    write_filter(writer, "devices/thermo-01/messages/devicebound/#", 1);
    write_filter(writer, "$iothub/methods/POST/#", 0);
    write_filter(writer, "$iothub/twin/res/#", 0);
    write_filter(writer, "$iothub/twin/PATCH/properties/desired/#", 0);
}

} // namespace

TEST_CASE("SUBSCRIBE, four filters of IoT Hub, byte for byte and through every window")
{
    const std::string expected = std::string("\x82\x85\x01", 3)      /* SUBSCRIBE, 133 bytes follow */
        + std::string("\x00\x02", 2)                                  /* packet id 2 */
        + std::string("\x00\x28", 2) + "devices/thermo-01/messages/devicebound/#" + std::string("\x01", 1)   /* QoS 1 */
        + std::string("\x00\x16", 2) + "$iothub/methods/POST/#" + std::string("\x00", 1)
        + std::string("\x00\x12", 2) + "$iothub/twin/res/#" + std::string("\x00", 1)
        + std::string("\x00\x27", 2) + "$iothub/twin/PATCH/properties/desired/#" + std::string("\x00", 1);
    REQUIRE(expected.size() == 136);
    for (size_t window = 1; window <= expected.size(); ++window) {
        std::string written;
        while (written.size() < expected.size()) {
            unsigned char part[136];
            iothubi_writer writer;
            iothubi_write_begin(&writer, part, written.size(), window);
            iothubi_mqtt_write_packet(&writer, IOTHUBI_MQTT_SUBSCRIBE, write_subscriptions, NULL);
            REQUIRE(writer.length == expected.size());
            size_t left = expected.size() - written.size();
            written.append(reinterpret_cast<char *>(part), left < window ? left : window);
        }
        REQUIRE(written == expected);
    }
}
