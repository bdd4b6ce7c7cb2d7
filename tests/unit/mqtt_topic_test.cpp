/* Topics of IoT Hub, fed byte by byte and piece by piece: what they are, and which map their bag becomes. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../transports/mqtt/topic.h"

namespace {

iothubi_identity identity_of(const char *device, const char *module = NULL)
{
    iothubi_identity identity;
    std::memset(&identity, 0, sizeof identity);
    identity.text[IOTHUBI_DEVICE_ID] = device;
    identity.text[IOTHUBI_MODULE_ID] = module;
    return identity;
}

const char *const KINDS[] = { "unknown", "message", "answer", "patch", "method" };

std::string name_of(int tag, const char *name)
{
    switch (tag) {
    case IOTHUBI_PROPERTY_APPLICATION: return name;
    case IOTHUBI_PROPERTY_MESSAGE_ID: return "<mid>";
    case IOTHUBI_PROPERTY_CORRELATION_ID: return "<cid>";
    case IOTHUBI_PROPERTY_CONTENT_TYPE: return "<ct>";
    case IOTHUBI_PROPERTY_CONTENT_ENCODING: return "<ce>";
    case IOTHUBI_PROPERTY_CREATION_TIME: return "<ctime>";
    case IOTHUBI_PROPERTY_USER_ID: return "<uid>";
    case IOTHUBI_PROPERTY_CONNECTION_DEVICE_ID: return "<cdid>";
    case IOTHUBI_PROPERTY_CONNECTION_MODULE_ID: return "<cmid>";
    case IOTHUBI_PROPERTY_INPUT_NAME: return "<input>";
    case IOTHUBI_PROPERTY_METHOD_NAME: return "<method>";
    case IOTHUBI_PROPERTY_REQUEST_ID: return "<rid>";
    case IOTHUBI_PROPERTY_VERSION: return "<version>";
    case IOTHUBI_PROPERTY_RETRY_AFTER: return "<retry-after>";
    default: return "<?>";
    }
}

struct Topic {
    iothubi_inbound inbound;
    size_t before;                               /* bytes that were left free before it */
    std::string text;                            /* "message <mid>=1 a=b": kind, status of an answer, entries in their order */
};

/* Reads a topic in these pieces, into room bytes at an unreadable page. Each piece ends at one, too. */
Topic read_pieces(const std::vector<std::string> &pieces, size_t room, const iothubi_identity &identity, size_t apart = 0)
{
    Topic topic;
    Guarded memory(room);
    iothubi_inbound *inbound = &topic.inbound;
    std::memset(memory.data(), 0xEE, room);
    iothubi_inbound_begin(inbound, memory.data(), room, apart);
    for (const std::string &piece : pieces) {
        Guarded bytes(piece);
        iothubi_topic_feed(inbound, &identity, bytes.data(), piece.size());
    }
    iothubi_topic_end(inbound);
    REQUIRE(inbound->map.used <= inbound->map.room);
    REQUIRE(inbound->map.bytes + inbound->map.room == memory.data() + room);
    topic.before = (size_t)(inbound->map.bytes - memory.data());
    topic.text = KINDS[inbound->kind];
    if (inbound->kind == IOTHUBI_KIND_ANSWER) {
        topic.text += " " + std::to_string(inbound->status);
    }
    size_t at = 0;
    iothubi_entry entry;
    while (iothubi_map_next(&inbound->map, &at, &entry)) {
        topic.text += " " + name_of(entry.tag, entry.name) + "=" + std::string(entry.value, entry.value_size);
    }
    REQUIRE(at == inbound->map.used);            /* whole entries only */
    return topic;
}

Topic read_topic(const std::string &text, size_t room = 1000, const iothubi_identity &identity = identity_of("d1"))
{
    return read_pieces({ text }, room, identity);
}

std::string of_device(const std::string &text) { return read_topic(text).text; }
std::string of_module(const std::string &text) { return read_topic(text, 1000, identity_of("d1", "m1")).text; }
/* What a bag of a message becomes. */
std::string bag(const std::string &text)
{
    std::string all = of_device("devices/d1/messages/devicebound/" + text);
    REQUIRE(all.compare(0, 7, "message") == 0);
    return all.size() > 8 ? all.substr(8) : "";
}

const char *const DEVICE_TOPICS[] = {
    "devices/d1/messages/devicebound/",
    "devices/d1/messages/devicebound/%24.mid=m%2D1&%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound&room=lab%201&room=2&x",
    "$iothub/twin/res/200/?$rid=65537",
    "$iothub/twin/res/429/?$rid=7&$version=4&retry-after=30",
    "$iothub/twin/PATCH/properties/desired/?$version=4711",
    "$iothub/methods/POST/re%20boot/?$rid=8ac5-%41"
};

}

/* ---- the path ---- */

TEST_CASE("topic: each kind is recognised, with what its path carries")
{
    CHECK(of_device("devices/d1/messages/devicebound/") == "message");
    CHECK(of_device("devices/d1/messages/devicebound/a=b") == "message a=b");
    CHECK(of_module("devices/d1/modules/m1/inputs/in%20put/") == "message <input>=in%20put");
    CHECK(of_module("devices/d1/modules/m1/inputs/i/%24.cdid=d1&%24.cmid=m2&a=b") == "message <input>=i <cdid>=d1 <cmid>=m2 a=b");
    CHECK(of_module("devices/d1/modules/m1/inputs//a=b") == "message <input>= a=b");
    CHECK(of_device("$iothub/twin/res/200/?$rid=5") == "answer 200 <rid>=5");
    CHECK(of_device("$iothub/twin/res/204/?$rid=5&$version=6") == "answer 204 <rid>=5 <version>=6");
    CHECK(of_device("$iothub/twin/res/429/?$rid=5&retry-after=9") == "answer 429 <rid>=5 <retry-after>=9");
    CHECK(of_device("$iothub/twin/res/0/") == "answer 0");
    CHECK(of_device("$iothub/twin/res/999/") == "answer 999");
    CHECK(of_device("$iothub/twin/PATCH/properties/desired/?$version=3") == "patch <version>=3");
    CHECK(of_device("$iothub/methods/POST/reboot/?$rid=1a") == "method <method>=reboot <rid>=1a");
    CHECK(of_device("$iothub/methods/POST/a%20b/?$rid=%41") == "method <method>=a%20b <rid>=%41"); /* opaque: neither is decoded */
}

TEST_CASE("topic: a path that is nearly one of ours is nobody's, and keeps nothing")
{
    const char *const near[] = {
        "", "/", "d", "devices", "devices/", "devices/d1", "devices/d1/", "devices/d1/messages", "devices/d1/messages/devicebound",
        "Devices/d1/messages/devicebound/a=b", "devices/d2/messages/devicebound/a=b", "devices/d/messages/devicebound/a=b",
        "devices/d11/messages/devicebound/a=b", "devices//messages/devicebound/a=b", "devices/d1/messages/deviceBound/a=b",
        "devices/d1/messages/devicebound2/a=b", "devices/d1/messages/events/a=b", "devices/d1/devicebound/a=b",
        "/devices/d1/messages/devicebound/a=b", "devices/d1//messages/devicebound/a=b", "messages/devicebound/a=b",
        "devices/d1/modules/m1/inputs/i/a=b",    /* of a module, which this identity is not */
        "devices/d1/modules//inputs/i/a=b", "devices/messages/devicebound/a=b", "devices/d1/inputs/i/a=b",
        "$iothub/", "$iothub/twin/", "$iothub/twin/res/", "$iothub/twin/res/200", "$iothub/twin/res//?$rid=1", "$iothub/twin/res/2x0/?$rid=1",
        "$iothub/twin/res/-1/?$rid=1", "$iothub/twin/res/1000/?$rid=1", "$iothub/twin/res/4294967496/?$rid=1", /* 2^32 + 200 */
        "$iothub/twin/GET/?$rid=1", "$iothub/twin/PATCH/properties/reported/?$version=1", "$iothub/twin/PATCH/desired/?$version=1",
        "$iothub/twin/PATCH/properties/desired", "$iothub/twin/POST/x/?$rid=1", "$iothub/res/200/?$rid=1",
        "$iothub/methods/res/200/?$rid=1", "$iothub/methods/POST/", "$iothub/methods/POST/reboot", "$iothub/methods/PATCH/reboot/?$rid=1",
        "$iothub/messages/devicebound/a=b", "$iotHub/twin/res/200/?$rid=1", "devices/d1/twin/res/200/?$rid=1", "twin/res/200/?$rid=1"
    };
    for (const char *text : near) {
        CAPTURE(text);
        CHECK(of_device(text) == "unknown");
    }
    CHECK(of_module("devices/d1/modules/m2/inputs/i/a=b") == "unknown");
    CHECK(of_module("devices/d1/modules/m1/outputs/i/a=b") == "unknown");
    CHECK(of_module("devices/d1/modules/m1/inputs/i") == "unknown"); /* its slash is always there */
    CHECK(of_module("devices/d1/modules/m1/i/a=b") == "unknown");
}

TEST_CASE("topic: ids are compared literally, up to 128 bytes with escapes and marks")
{
    const std::string id = std::string(122, 'x') + "%2F$*a";
    const iothubi_identity identity = identity_of(id.c_str());
    CHECK(read_topic("devices/" + id + "/messages/devicebound/a=b", 1000, identity).text == "message a=b");
    std::string other = id;
    other[127] = 'b';
    CHECK(read_topic("devices/" + other + "/messages/devicebound/a=b", 1000, identity).text == "unknown");
}

TEST_CASE("topic: every split into two pieces, and byte by byte, gives the same map")
{
    std::vector<std::string> topics(std::begin(DEVICE_TOPICS), std::end(DEVICE_TOPICS));
    topics.push_back("devices/d1/messages/devicebound/%41%4=%zz%&a%=%3D&%&&=&b==c&?d=1&%24.to=x%2&%24.MID=2&%00=%00");
    for (const std::string &topic : topics) {
        const std::string whole = of_device(topic);
        REQUIRE(whole != "unknown");
        for (size_t at = 0; at <= topic.size(); ++at) {
            CAPTURE(topic, at);
            CHECK(read_pieces({ topic.substr(0, at), topic.substr(at) }, 1000, identity_of("d1")).text == whole);
        }
        std::vector<std::string> single;
        for (char c : topic) {
            single.push_back(std::string(1, c));
        }
        CHECK(read_pieces(single, 1000, identity_of("d1")).text == whole);
    }
}

/* ---- the bag of a message ---- */

TEST_CASE("bag: system properties become themselves, in either spelling of '$' and any hex case")
{
    CHECK(bag("%24.mid=1&%24.cid=2&%24.ct=3&%24.ce=4&%24.ctime=5&%24.uid=6&%24.cdid=7&%24.cmid=8")
        == "<mid>=1 <cid>=2 <ct>=3 <ce>=4 <ctime>=5 <uid>=6 <cdid>=7 <cmid>=8");
    CHECK(bag("$.mid=1&$.cid=2") == "<mid>=1 <cid>=2");
    CHECK(bag("%24%2Emid=1&%24%2e%63id=2") == "<mid>=1 <cid>=2");
    CHECK(bag("%24.mid=") == "<mid>=");
    CHECK(bag("%24.mid") == "<mid>=");
}

TEST_CASE("bag: what nobody reads is dropped, however long its value")
{
    CHECK(bag("%24.to=%2Fdevices%2Fd1&%24.on=o&%24.exp=5&iothub-ack=full&iothub-operation=d2c") == "");
    CHECK(bag("a=1&%24.to=x=y?z%&b=2") == "a=1 b=2");
    CHECK(bag("%24.to") == "");
    CHECK(bag("%24.to&b=2") == "b=2");
    /* 150 bytes of room, 5,000 bytes of address: nothing is missing */
    Topic topic = read_topic("devices/d1/messages/devicebound/a=1&%24.to=" + std::string(5000, '%') + "&b=2", 150);
    CHECK(topic.text == "message a=1 b=2");
    CHECK(topic.inbound.missing == 0);
}

TEST_CASE("bag: a name that is no system property of a message is the application's")
{
    CHECK(bag("%24.x=1&$.mid2=2&$.MID=3&mid=4&%24mid=5&$.=6") == "$.x=1 $.mid2=2 $.MID=3 mid=4 $mid=5 $.=6");
    CHECK(bag("%24rid=1&$version=2&retry-after=3") == "$rid=1 $version=2 retry-after=3"); /* of other kinds */
    CHECK(bag("iothub-acks=1&iothub-ac=2&IOTHUB-ACK=3") == "iothub-acks=1 iothub-ac=2 IOTHUB-ACK=3");
}

TEST_CASE("bag: in answers, patches and methods only the names of requests count, the others are the application's")
{
    CHECK(of_device("$iothub/twin/res/200/?$rid=1&$.mid=2&$.to=3&$version=4") == "answer 200 <rid>=1 $.mid=2 $.to=3 <version>=4");
    CHECK(of_device("$iothub/methods/POST/m/?$rid=%2541%zz") == "method <method>=m <rid>=%2541%zz");
    CHECK(of_device("$iothub/twin/PATCH/properties/desired/?%24version=4") == "patch %24version=4"); /* not encoded there */
}

TEST_CASE("bag: percent escapes of all kinds")
{
    struct { const char *from, *to; } const cases[] = {
        { "a=%41", "a=A" }, { "a=%4a%4A", "a=JJ" }, { "a=%fF", "a=\xFF" }, { "a=%C3%A4", "a=\xC3\xA4" }, { "a=%7e%20", "a=~ " },
        { "a=%zz", "a=%zz" }, { "a=%4z", "a=%4z" }, { "a=%z4", "a=%z4" }, { "a=%", "a=%" }, { "a=%4", "a=%4" }, { "a=%%", "a=%%" },
        { "a=%%41", "a=%A" }, { "a=%4%41", "a=%4A" }, { "a=%4%4%41", "a=%4%4A" }, { "a=%z%41", "a=%zA" },
        { "a=%00", "a=%00" }, { "a=%0041", "a=%0041" }, { "a=%01", "a=\x01" }, { "a=%00%41", "a=%00A" },
        { "a=%25 41", "a=% 41" }, { "a=%2541", "a=%41" }, { "a=%25%34%31", "a=%41" },     /* decoded once only */
        { "a=%2", "a=%2" }, { "a=%&b=41", "a=% b=41" }, { "a=%4&1=x", "a=%4 1=x" },       /* cut by the end, by the next pair */
        { "a%=41", "a%=41" }, { "a%4=1", "a%4=1" }, { "%41=%42", "A=B" }, { "a%3Db=c", "a=b=c" }, { "a=b%26c", "a=b&c" },
        { "a=+", "a=+" }, { "a=b+c%2B", "a=b+c+" }, { "a=/?#$", "a=/?#$" }, { "a=b/c/", "a=b/c/" }, { "a=41%", "a=41%" },
        { "a=%4G1", "a=%4G1" }, { "a=% 41", "a=% 41" }, { "a=%@1", "a=%@1" }, { "a=%`1", "a=%`1" }, { "a=%:1", "a=%:1" }, { "a=%/1", "a=%/1" }
    };
    for (const auto &c : cases) {
        CAPTURE(c.from);
        CHECK(bag(c.from) == c.to);
    }
}

TEST_CASE("bag: every escape but %00 is its byte, in all four spellings")
{
    for (int byte = 1; byte < 256; ++byte) {
        for (const char *format : { "a=x%%%02Xy", "a=x%%%02xy" }) {
            char text[16];
            std::snprintf(text, sizeof text, format, byte);
            CAPTURE(text);
            CHECK(bag(text) == std::string("a=x") + (char)byte + "y");
        }
    }
}

TEST_CASE("bag: of two properties with one name the later counts, at the later place")
{
    CHECK(bag("a=1&a=2") == "a=2");
    CHECK(bag("a=1&b=2&a=3") == "b=2 a=3");
    CHECK(bag("a=long value&b=2&c=3&a=&d=4") == "b=2 c=3 a= d=4");
    CHECK(bag("a=&b=2&a=long value") == "b=2 a=long value");
    CHECK(bag("%24.mid=1&x=2&$.mid=3") == "x=2 <mid>=3");
    CHECK(bag("a=1&%61=2") == "a=2");            /* one name, spelt in two ways */
    CHECK(bag("a=1&ab=2&A=3") == "a=1 ab=2 A=3");
    CHECK(bag("=1&x=2&=3") == "x=2 =3");
    CHECK(of_device("$iothub/twin/res/200/?$rid=1&$rid=2") == "answer 200 <rid>=2");
    CHECK(of_module("devices/d1/modules/m1/inputs/i/a=1&a=2&a=3") == "message <input>=i a=3");
}

TEST_CASE("bag: a name alone, an empty value, an empty name, '=' in a value, stray '&'")
{
    CHECK(bag("a") == "a=");
    CHECK(bag("a&b") == "a= b=");
    CHECK(bag("a=&b=") == "a= b=");
    CHECK(bag("=v") == "=v");
    CHECK(bag("a=b=c") == "a=b=c");
    CHECK(bag("a==") == "a==");
    CHECK(bag("a=1&") == "a=1");
    CHECK(bag("&&a=1&&&b=2&") == "a=1 b=2");
    CHECK(bag("&") == "");
}

TEST_CASE("bag: '?' before a name is none of it, in a name or a value it is")
{
    CHECK(bag("?a=1") == "a=1");
    CHECK(bag("a=1&?b=2") == "a=1 b=2");
    CHECK(bag("a?b=?c") == "a?b=?c");
    CHECK(bag("%3Fa=1") == "?a=1");
    CHECK(bag("?") == "");
}

/* ---- room ---- */

TEST_CASE("topic: with enough room nothing is missing, with one byte less something is, and no size is written over")
{
    for (const char *text : DEVICE_TOPICS) {
        const Topic whole = read_topic(text);
        size_t enough = 1000;
        bool seen = false;
        for (size_t room = 0; room <= 200; ++room) {
            Topic topic = read_topic(text, room);
            CAPTURE(text, room, topic.text);
            if (topic.inbound.missing == 0 && topic.text == whole.text) {
                enough = std::min(enough, room);
            } else {
                CHECK(enough == 1000);           /* what fits once fits with more */
                CHECK((topic.inbound.missing != 0 || topic.inbound.kind == IOTHUBI_KIND_UNKNOWN)); /* never silently less */
            }
            seen |= topic.inbound.missing != 0;
        }
        CHECK(enough <= whole.inbound.map.used + 24); /* an entry that is dropped or decoded needs some for a while */
        CHECK(seen);
    }
}

TEST_CASE("topic: an escape takes no more room than its byte")
{
    /* tag 9 NUL A NUL, and the next tag: 14 bytes; the path alone needs 12 */
    for (size_t room = 11; room <= 14; ++room) {
        Topic topic = read_topic("devices/d1/messages/devicebound/123456789=%41", room);
        CAPTURE(room);
        CHECK(topic.text == (room == 11 ? "unknown" : room == 12 ? "message" : "message 123456789=A"));
        CHECK((topic.inbound.missing == 0) == (room == 14));
    }
}

TEST_CASE("topic: an entry that fills the room to its last byte leaves the next one without room, and reads nothing that is not there")
{
    /* found here: the next name then had a size of -1 */
    for (const char *rest : { "&b=2", "&=", "&&&", "&?", "&%41=%41", "&$.to=3" }) {
        Topic topic = read_topic(std::string("devices/d1/messages/devicebound/1234567=89") + rest, 12); /* tag 7 NUL 2 NUL: 12 */
        CAPTURE(rest);
        CHECK(topic.text == "message 1234567=89");
        CHECK(topic.inbound.missing != 0);
    }
}

TEST_CASE("topic: memory may start at an unreadable page, and bytes behind the room stay as they are")
{
    const iothubi_identity identity = identity_of("d1");
    const std::string text = "devices/d1/messages/devicebound/a=1&a=22&%24.to=x&a=333&b=%41";
    for (size_t room = 0; room <= 40; ++room) {
        Guarded memory(64, Guarded::AT_START);
        iothubi_inbound inbound;
        std::memset(memory.data(), 0xEE, 64);
        iothubi_inbound_begin(&inbound, memory.data(), room, 0);
        iothubi_topic_feed(&inbound, &identity, (const unsigned char *)text.data(), text.size());
        iothubi_topic_end(&inbound);
        CAPTURE(room);
        CHECK(inbound.map.used <= room);
        CHECK(std::count(memory.data() + room, memory.data() + 64, 0xEE) == (long)(64 - room));
    }
}

TEST_CASE("topic: random bags read the same as a plain map does")
{
    const char *const parts[] = { "a", "b", "ab", "%41", "%", "%4", "=", "&", "%24.mid", "$.to", "?", "%00", "x y", "%2541" };
    for (uint32_t seed = 1; seed <= 400; ++seed) {
        Numbers numbers(seed);
        std::string text;
        for (uint32_t n = numbers.below(14); n != 0; --n) {
            text += parts[numbers.below(sizeof parts / sizeof *parts)];
        }
        /* the same, by splitting */
        std::vector<std::pair<std::string, std::string> > expected;
        std::string rest = text;
        bool more = !text.empty();
        while (more) {
            size_t end = rest.find('&');
            std::string pair = rest.substr(0, end);
            more = end != std::string::npos;
            rest = more ? rest.substr(end + 1) : "";
            while (!pair.empty() && pair[0] == '?') {
                pair.erase(0, 1);
            }
            if (pair.empty()) {
                continue;                        /* nothing between two '&' */
            }
            size_t equals = pair.find('=');
            std::string name[2] = { pair.substr(0, equals), equals != std::string::npos ? pair.substr(equals + 1) : "" };
            for (std::string &s : name) {
                std::string out;
                for (size_t i = 0; i < s.size(); ++i) {
                    if (s[i] == '%' && i + 2 < s.size() && isxdigit((unsigned char)s[i + 1]) && isxdigit((unsigned char)s[i + 2])
                        && s.substr(i + 1, 2) != "00") {
                        out += (char)std::stoi(s.substr(i + 1, 2), nullptr, 16);
                        i += 2;
                    } else {
                        out += s[i];
                    }
                }
                s = out;
            }
            if (name[0] == "$.to") {
                continue;
            }
            std::string key = name[0] == "$.mid" ? "<mid>" : name[0];
            for (size_t i = 0; i < expected.size(); ++i) {
                if (expected[i].first == key) {
                    expected.erase(expected.begin() + (long)i);
                    break;
                }
            }
            expected.push_back(std::make_pair(key, name[1]));
        }
        std::string all;
        for (const auto &pair : expected) {
            all += (all.empty() ? "" : " ") + pair.first + "=" + pair.second;
        }
        CAPTURE(text);
        CHECK(bag(text) == all);
    }
}

TEST_CASE("topic: a message leaves the bytes free that are to be apart, nothing else does")
{
    for (size_t apart = 0; apart <= 100; apart += 10) {
        CAPTURE(apart);
        for (const char *text : DEVICE_TOPICS) {
            Topic topic = read_pieces({ text }, 200, identity_of("d1"), apart);
            CHECK(topic.text == read_topic(text).text);
            CHECK(topic.inbound.missing == 0);
            CHECK(topic.before == (topic.inbound.kind == IOTHUBI_KIND_MESSAGE ? apart : 0));
        }
        Topic topic = read_pieces({ "devices/d1/modules/m1/inputs/in/a=1&a=2" }, 200, identity_of("d1", "m1"), apart);
        CHECK(topic.text == "message <input>=in a=2");
        CHECK(topic.before == apart);
    }
}

TEST_CASE("topic: an input's name that does not fit behind what is apart stays where it is, and every smaller room is safe")
{
    for (size_t room = 0; room <= 80; ++room) {
        for (size_t apart = 0; apart <= room + 3; ++apart) { /* more than the room, too: some of it was carved off since */
            Topic topic = read_pieces({ "devices/d1/modules/m1/inputs/abcdefghijkl/a=1" }, room, identity_of("d1", "m1"), apart);
            CAPTURE(room, apart);
            /* tag 12 NUL and a tag, then "a" NUL "1" NUL, and a tag: 15 bytes when it moves, 20 in the end */
            size_t before = room >= 15 && apart <= room - 15 ? apart : 0;
            bool fits = room - before >= 20;
            CHECK((topic.inbound.missing == 0 && topic.inbound.kind == IOTHUBI_KIND_MESSAGE) == fits);
            if (fits) {
                CHECK(topic.text == "message <input>=abcdefghijkl a=1");
                CHECK(topic.before == before);
                CHECK(topic.inbound.cut == 0);
            } else {
                CHECK((topic.inbound.cut == 1 || topic.inbound.kind == IOTHUBI_KIND_UNKNOWN));
            }
        }
    }
}

TEST_CASE("topic: what fits the small room that carries a whole long topic is put together behind it")
{
    Topic topic = read_topic("devices/d1/messages/devicebound/a=1", 64);
    CHECK(iothubi_inbound_body(&topic.inbound) == topic.inbound.map.bytes + 64);
    CHECK(topic.inbound.map.kind == IOTHUBI_MAP_OF_BYTES);
}
