/* Cloud-to-device messages and a module's inputs against a platform of scripts. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"

namespace {

/* A device that is connected and gets messages. */
struct Inbox : Features {
    explicit Inbox(size_t inbox = 4096, IOTHUBMESSAGE_DISPOSITION_RESULT answer_ = IOTHUBMESSAGE_ACCEPTED) : Features(inbox)
    {
        disposition = answer_;
        want_messages();
        online();
    }
    void arrive(const std::string &body, unsigned id, const std::string &bag = "") { hear(publish(C2D + bag, body, id)); }
};

}

/* ---- what the callback answers ---- */

TEST_CASE("message: ACCEPTED is acknowledged, REJECTED and ABANDONED are not, and each frees its slot")
{
    for (int round = 0; round < 3; ++round) {
        const IOTHUBMESSAGE_DISPOSITION_RESULT answer = (IOTHUBMESSAGE_DISPOSITION_RESULT)round;
        Inbox f(768, answer);
        for (unsigned id = 1; id <= 20; ++id) {  /* more than there are slots */
            f.arrive("m" + std::to_string(id), id);
            CAPTURE(round, id);
            CHECK(f.said() == (answer == IOTHUBMESSAGE_ACCEPTED ? "PUBACK " + std::to_string(id) : ""));
        }
        CHECK(f.messages.size() == 20);
        CHECK(f.messages[19] == "m20");
        CHECK(f.statistics().received == 20);
        CHECK(f.statistics().received_skipped == 0);
    }
}

TEST_CASE("message: QoS 0 is delivered and not acknowledged, at once or settled later")
{
    Inbox f;
    f.hear(publish(C2D, "zero"));
    CHECK(f.messages == std::vector<std::string>({ "zero" }));
    f.disposition = IOTHUBMESSAGE_ASYNC_ACK;
    f.hear(publish(C2D, "one"));
    CHECK(f.settle(f.handles[1]) == IOTHUB_CLIENT_OK);
    CHECK(f.settle(f.handles[1]) == IOTHUB_CLIENT_INVALID_ARG);
    f.work(2);
    CHECK(f.said() == "");
}

TEST_CASE("message: every split of what arrives gives the same messages and acknowledgements")
{
    const std::string all = publish(C2D + "%24.mid=m%2D1&a=b", "hello", 9) + publish(C2D, "", 10) + publish(C2D + "x=%4", std::string(100, 'y'), 11);
    for (size_t limit = 1; limit < 80; limit += limit < 20 ? 1 : 13) {
        Inbox f;
        f.read_limit = limit;
        f.hear(all);
        CAPTURE(limit);
        CHECK(f.messages == std::vector<std::string>({ "hello", "", std::string(100, 'y') }));
        CHECK(f.said() == "PUBACK 9; PUBACK 10; PUBACK 11");
    }
}

TEST_CASE("message: its properties are decoded, in getters, map and Map_GetInternals; Destroy of a lent handle does nothing")
{
    Inbox f;
    std::string seen;
    f.during = [&] {
        IOTHUB_MESSAGE_HANDLE m = f.handles.back();
        MAP_HANDLE map = IoTHubMessage_Properties(m);
        const char *const *keys, *const *values;
        size_t count;
        REQUIRE(Map_GetInternals(map, &keys, &values, &count) == MAP_OK);
        for (size_t i = 0; i < count; ++i) {
            seen += std::string(keys[i]) + "=" + values[i] + ";";
        }
        CHECK(std::string(IoTHubMessage_GetMessageId(m)) == "m-1");
        CHECK(std::string(IoTHubMessage_GetCorrelationId(m)) == "c");
        CHECK(std::string(IoTHubMessage_GetContentTypeSystemProperty(m)) == "application/json");
        CHECK(std::string(IoTHubMessage_GetContentEncodingSystemProperty(m)) == "utf-8");
        CHECK(std::string(IoTHubMessage_GetMessageUserIdSystemProperty(m)) == "u");
        CHECK(std::string(IoTHubMessage_GetMessageCreationTimeUtcSystemProperty(m)) == "2030-01-01T00:00:00Z");
        CHECK(std::string(IoTHubMessage_GetProperty(m, "room")) == "lab 1");
        CHECK(IoTHubMessage_GetProperty(m, "$.mid") == NULL);
        CHECK(IoTHubMessage_GetInputName(m) == NULL);
        CHECK(IoTHubMessage_GetContentType(m) == IOTHUBMESSAGE_BYTEARRAY);
        IOTHUB_BOOL exists;
        CHECK(Map_ContainsKey(map, "empty", &exists) == MAP_OK);
        CHECK(exists);
        IoTHubMessage_Destroy(m);
        Map_Destroy(map);
    };
    f.arrive("hello", 1, "%24.mid=m%2D1&%24.cid=c&%24.ct=application%2Fjson&%24.ce=utf-8&%24.uid=u&%24.ctime=2030-01-01T00%3A00%3A00Z"
        "&%24.to=%2Fdevices%2Fd1&iothub-ack=full&room=lab%201&empty=&own");
    CHECK(seen == "room=lab 1;empty=;own=;");
    CHECK(f.said() == "PUBACK 1");
}

TEST_CASE("message: Map_GetInternals has room for its arrays for any number of properties and any alignment")
{
    for (unsigned n = 1; n <= 12; ++n) {
        for (unsigned length = 0; length < 9; ++length) {
            Inbox f(2048, IOTHUBMESSAGE_ASYNC_ACK);
            std::string bag;
            for (unsigned i = 0; i < n; ++i) {
                bag += (i ? "&k" : "k") + std::to_string(i) + "=" + std::string(length, 'v');
            }
            f.arrive("body", 3, bag);
            REQUIRE(f.handles.size() == 1);
            const char *const *keys, *const *values;
            size_t count;
            CAPTURE(n, length);
            REQUIRE(Map_GetInternals(IoTHubMessage_Properties(f.handles[0]), &keys, &values, &count) == MAP_OK);
            CHECK(count == n);
            CHECK(std::string(keys[n - 1]) == "k" + std::to_string(n - 1));
            CHECK(std::string(values[n - 1]) == std::string(length, 'v'));
            const unsigned char *body;
            size_t size;
            REQUIRE(IoTHubMessage_GetByteArray(f.handles[0], &body, &size) == IOTHUB_MESSAGE_OK);
            CHECK(std::string((const char *)body, size) == "body"); /* not touched by the arrays */
        }
    }
}

TEST_CASE("message: a property that cannot be decoded never keeps a message back")
{
    Inbox f;
    f.arrive("x", 1, "a=%zz&%&&=&%00=%FF%80&b=\x80\xFF/ =");
    CHECK(f.messages.size() == 1);
    CHECK(f.said() == "PUBACK 1");
}

TEST_CASE("message: a body may have any bytes, and none at all")
{
    Inbox f;
    const std::string bytes("\0\xFF\0\r\n", 5);
    f.arrive(bytes, 1);
    f.arrive("", 2);
    CHECK(f.messages[0] == bytes);
    CHECK(f.messages[1] == "");
}

TEST_CASE("message: somebody else's topic is ignored, counted and not acknowledged")
{
    Inbox f;
    f.hear(publish("devices/d2/messages/devicebound/", "x", 1) + publish("whatever", "y", 2) + publish("$iothub/methods/POST/m/?$rid=1", "{}"));
    CHECK(f.messages.empty());
    CHECK(f.statistics().received_unhandled == 3);
    CHECK(f.said() == "UNSUBSCRIBE $iothub/methods/POST/#"); /* an earlier session's */
    f.hear(UNSUBACK);
    f.arrive("z", 3);
    CHECK(f.said() == "PUBACK 3");
}

/* ---- settled later ---- */

TEST_CASE("message: ASYNC_ACK keeps it until it is settled, and its text stays readable meanwhile")
{
    Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
    f.arrive("one", 1, "%24.mid=a");
    f.arrive("two", 2, "%24.mid=b");
    f.arrive("three", 3);
    CHECK(f.said() == "");
    const unsigned char *body;
    size_t size;
    REQUIRE(IoTHubMessage_GetByteArray(f.handles[0], &body, &size) == IOTHUB_MESSAGE_OK);
    CHECK(std::string((const char *)body, size) == "one");
    CHECK(std::string(IoTHubMessage_GetMessageId(f.handles[1])) == "b");
    CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == "PUBACK 1");
    CHECK(f.settle(f.handles[1], IOTHUBMESSAGE_REJECTED) == IOTHUB_CLIENT_OK);
    CHECK(f.settle(f.handles[2], IOTHUBMESSAGE_ABANDONED) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "");
    for (IOTHUB_MESSAGE_HANDLE handle : f.handles) {
        CHECK(f.settle(handle) == IOTHUB_CLIENT_INVALID_ARG); /* settled already */
    }
}

TEST_CASE("message: settled in any order, acknowledged in order of arrival")
{
    std::vector<size_t> order = { 0, 1, 2, 3 };
    do {
        Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
        for (unsigned id = 1; id <= 4; ++id) {
            f.arrive("x", id * 100);
        }
        std::string all;
        for (size_t i : order) {
            REQUIRE(f.settle(f.handles[i]) == IOTHUB_CLIENT_OK);
            f.work(2);
            std::string said = f.said();
            all += said.empty() ? "" : (all.empty() ? "" : "; ") + said;
        }
        CHECK(all == "PUBACK 100; PUBACK 200; PUBACK 300; PUBACK 400");
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("message: an accepted one waits 30 s for an earlier undecided one, then goes, and GetNextWork knows when")
{
    Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
    f.arrive("slow", 1);
    f.disposition = IOTHUBMESSAGE_ACCEPTED;
    f.arrive("quick", 2);
    f.after(1000);
    f.arrive("quick too", 3);
    CHECK(f.said() == "");
    uint32_t waited = 0;
    while (f.outbound.empty() && waited <= 40000) {
        uint32_t step = f.next();
        REQUIRE(step > 0);
        f.after(step);
        waited += step;
    }
    CHECK(waited > 28000);
    CHECK(waited <= 29000);
    CHECK(f.said() == "PUBACK 2");
    f.after(1000);
    CHECK(f.said() == "PUBACK 3");
    CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == "PUBACK 1");
}

TEST_CASE("message: a second that begins while a callback runs does not cut the patience short")
{
    Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
    f.arrive("slow", 1);
    f.disposition = IOTHUBMESSAGE_ACCEPTED;
    f.during = [&] { f.tick += 1500; };          /* the uptime of this DoWork is older than the decision */
    f.arrive("quick", 2);
    f.during = nullptr;
    CHECK(f.said() == "");
    f.after(20000);
    CHECK(f.said() == "");
    f.after(11000);
    CHECK(f.said() == "PUBACK 2");
}

TEST_CASE("message: settled long after the last DoWork, it still waits for earlier ones")
{
    Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
    f.arrive("slow", 1);
    f.arrive("late", 2);
    f.tick += 100000;                            /* no DoWork meanwhile */
    CHECK(f.settle(f.handles[1]) == IOTHUB_CLIENT_OK);
    f.inbound = "\xD0"; f.inbound += '\0';       /* a sign of life: PINGRESP */
    f.work(2);
    std::string said = f.said();
    CHECK(said.find("PUBACK") == std::string::npos);
    f.hear(std::string("\xD0\0", 2));
    f.after(30000);
    f.work();
    CHECK(f.said().find("PUBACK 2") != std::string::npos);
}

TEST_CASE("message: never settled, it costs its slot and nothing else")
{
    Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
    f.arrive("for ever", 1);
    f.disposition = IOTHUBMESSAGE_ACCEPTED;
    for (unsigned id = 2; id < 40; ++id) {
        f.arrive("x", id);
        f.after(31000);
        f.hear(std::string("\xD0\0", 2));
        CAPTURE(id);
        CHECK(f.said().find("PUBACK " + std::to_string(id)) != std::string::npos);
    }
    CHECK(f.messages.size() == 39);
}

TEST_CASE("message: settled within its own callback, whatever that answers then")
{
    for (int answer = 0; answer <= 3; ++answer) {
        Inbox f(4096, (IOTHUBMESSAGE_DISPOSITION_RESULT)answer);
        f.during = [&] { CHECK(f.settle(f.handles.back()) == IOTHUB_CLIENT_OK); };
        f.arrive("x", 5);
        f.arrive("y", 6);
        CAPTURE(answer);
        CHECK(f.said() == "PUBACK 5; PUBACK 6");
        CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_INVALID_ARG);
    }
}

TEST_CASE("message: settled after a reconnect it is released, and acknowledges nothing, whoever has its id now")
{
    Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
    f.arrive("old", 1, "%24.mid=old");
    f.cut();
    f.online();
    CHECK(std::string(IoTHubMessage_GetMessageId(f.handles[0])) == "old"); /* it can still be read */
    f.arrive("new", 1, "%24.mid=new");           /* another message under that id */
    REQUIRE(f.handles.size() == 2);
    CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "");
    CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.settle(f.handles[1]) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "PUBACK 1");
}

TEST_CASE("message: accepted, and the connection lost before PUBACK was written: the hub sends it again, and then it counts")
{
    Inbox f;
    f.write_limit = 0;
    f.hear(publish(C2D, "x", 1));
    f.cut();
    f.write_limit = 100000;
    f.online();
    f.arrive("x", 1);
    CHECK(f.messages.size() == 2);
    CHECK(f.said() == "PUBACK 1");
}

TEST_CASE("message: the connection lost in the middle of a body leaves its slot free")
{
    Inbox f(768);
    for (int i = 0; i < 10; ++i) {               /* more often than there are slots */
        std::string packet = publish(C2D + "a=b", "half a body", 1);
        f.hear(packet.substr(0, packet.size() - 4));
        f.cut();
        f.online();
    }
    CHECK(f.messages.empty());
    f.arrive("whole", 2);
    CHECK(f.said() == "PUBACK 2");
    CHECK(f.statistics().received_skipped == 0);
}

TEST_CASE("message: the same one again while it is undecided or not yet acknowledged is not delivered twice")
{
    Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
    const std::string again = std::string("\x3A") + publish(C2D, "x", 7).substr(1); /* DUP */
    f.arrive("x", 7);
    f.hear(again + again);
    CHECK(f.messages.size() == 1);
    CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "PUBACK 7");
    f.hear(again);                               /* after its acknowledgement: the hub means another */
    CHECK(f.messages.size() == 2);
}

TEST_CASE("message: short writes resume PUBACK at every byte")
{
    for (size_t limit = 1; limit <= 4; ++limit) {
        Inbox f;
        f.write_limit = limit;
        f.hear(publish(C2D, "x", 0x1234) + publish(C2D, "y", 0x5678));
        f.work(8);
        CHECK(f.outbound == std::string("\x40\x02\x12\x34\x40\x02\x56\x78", 8));
        CHECK_FALSE(f.contract_broken);
    }
}

/* ---- room ---- */

TEST_CASE("message: when all slots are taken the next one is skipped, told and left to the hub; a free slot takes one again")
{
    Inbox f(1024, IOTHUBMESSAGE_ASYNC_ACK);      /* four slots */
    for (unsigned id = 1; id <= 5; ++id) {
        f.arrive("x", id);
    }
    CHECK(f.messages.size() == 4);
    CHECK(f.error().code == IOTHUB_CODE_MESSAGE_SKIPPED);
    CHECK(f.error().bytes_missing == 0);         /* no bytes: a slot */
    CHECK(f.statistics().received_skipped == 1);
    CHECK(f.settle(f.handles[3]) == IOTHUB_CLIENT_OK);
    f.arrive("x", 5);
    CHECK(f.messages.size() == 5);
}

TEST_CASE("message: kept ones leave half of the inbox to others, so that a document still finds room")
{
    Inbox f(4096, IOTHUBMESSAGE_ASYNC_ACK);
    f.want_twin();
    f.work(3);
    f.hear(suback(std::string("\0\0", 2)));
    f.outbound.clear();
    unsigned id = 0;
    while (f.statistics().received_skipped == 0 && id < 100) {
        f.arrive(std::string(300, 'x'), ++id);
    }
    CHECK(f.error().code == IOTHUB_CODE_MESSAGE_SKIPPED);
    f.hear(twin_answer(200, "65537", document(1, "\"a\":\"" + std::string(1000, 'd') + "\",")));
    CHECK(f.twins.size() == 1);
}

TEST_CASE("message: one that can never fit is skipped in step, told with the bytes that are missing, and never acknowledged")
{
    Inbox f(4096);                               /* a larger inbox has no more slots than this one */
    for (int i = 0; i < 5; ++i) {
        f.arrive(std::string(6000, 'x'), 1, "a=b");
        CHECK(f.said() == "");
    }
    CHECK(f.messages.empty());
    CHECK(f.error().code == IOTHUB_CODE_MESSAGE_SKIPPED);
    CHECK(f.error().layer == IOTHUB_LAYER_MEMORY);
    size_t missing = f.error().bytes_missing;
    CHECK(missing > 6000 - 4096);
    CHECK(missing < 6000);
    f.arrive("small", 2);
    CHECK(f.said() == "PUBACK 2");               /* in step */
    const size_t align = sizeof(void *), all = (4096 + missing + align - 1) / align * align;
    Inbox less(all - align), more(all);
    less.arrive(std::string(6000, 'x'), 1, "a=b");
    more.arrive(std::string(6000, 'x'), 1, "a=b");
    CHECK(less.messages.empty());
    CHECK(more.messages.size() == 1);            /* that was the number */
}

TEST_CASE("message: of the sizes around the inbox's end each is whole or skipped, and no byte is lost")
{
    size_t largest = 0;
    for (size_t size = 0; size < 1100; size += 1) {
        Inbox f(1024);
        f.arrive(std::string(size, 'x'), 1, "a=b");
        REQUIRE(f.messages.size() + f.statistics().received_skipped == 1);
        if (!f.messages.empty()) {
            CHECK(f.messages[0] == std::string(size, 'x'));
            CHECK(largest == (size != 0 ? size - 1 : 0)); /* what fits, fits down to the smallest */
            largest = size;
        }
    }
    CHECK(largest > 300);
}

TEST_CASE("message: properties that find no room skip it, too")
{
    Inbox f(1024);
    f.arrive("x", 1, "a=" + std::string(2000, 'v'));
    CHECK(f.messages.empty());
    CHECK(f.error().code == IOTHUB_CODE_MESSAGE_SKIPPED);
    CHECK(f.error().bytes_missing > 900);
    f.arrive("y", 2, "%24.to=" + std::string(2000, 'v')); /* nobody reads that one */
    CHECK(f.said() == "PUBACK 2");
}

TEST_CASE("message: option oversize_limit acknowledges what can never fit when it comes for the so-manieth time")
{
    for (unsigned limit : { 1u, 2u, 3u }) {
        Inbox f(1024);
        REQUIRE(f.set(IOTHUB_OPTION_OVERSIZE_LIMIT, limit) == IOTHUB_CLIENT_OK);
        for (unsigned time = 1; time <= limit; ++time) {
            f.arrive(std::string(3000, 'x'), 10 + time, "a=b"); /* under another id each time */
            CAPTURE(limit, time);
            CHECK(f.said() == (time == limit ? "PUBACK " + std::to_string(10 + time) : ""));
        }
        CHECK(f.messages.empty());
    }
}

TEST_CASE("message: option oversize_limit counts one message, not several, nor what would fit an empty inbox, nor QoS 0")
{
    Inbox f(2048);
    REQUIRE(f.set(IOTHUB_OPTION_OVERSIZE_LIMIT, 2u) == IOTHUB_CLIENT_OK);
    f.arrive(std::string(3000, 'x'), 1, "%24.mid=a");
    f.arrive(std::string(3000, 'x'), 2, "%24.mid=b");
    f.arrive(std::string(3001, 'x'), 3, "%24.mid=b");
    CHECK(f.said() == "");
    f.hear(publish(C2D + "%24.mid=b", std::string(3001, 'x')) + publish(C2D + "%24.mid=b", std::string(3001, 'x')));
    CHECK(f.said() == "");
    f.disposition = IOTHUBMESSAGE_ASYNC_ACK;
    f.arrive(std::string(100, 'k'), 20);         /* kept */
    f.disposition = IOTHUBMESSAGE_ACCEPTED;
    for (unsigned id = 21; id < 25; ++id) {
        f.arrive(std::string(1100, 'y'), id);    /* it would fit without the kept one */
    }
    CHECK(f.messages.size() == 1);
    CHECK(f.said() == "");
    CHECK(f.set(IOTHUB_OPTION_OVERSIZE_LIMIT, 256u) == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("message: acknowledgements that cannot be written do not overflow their table")
{
    Inbox f(1024);                               /* 4 slots, 12 acknowledgements */
    f.write_limit = 0;
    for (unsigned id = 1; id <= 14; ++id) {
        f.hear(publish(C2D, "x", id));
    }
    CHECK(f.messages.size() == 12);
    CHECK(f.statistics().received_skipped == 2);
    f.write_limit = 100000;
    f.work(4);
    std::vector<Packet> out = f.take();
    CHECK(out.size() == 12);
    f.hear(publish(C2D, "x", 13));
    CHECK(f.said() == "PUBACK 13");
}

/* ---- wanted or not ---- */

TEST_CASE("message: without a callback it is left unacknowledged, and the filter of an earlier session is unsubscribed")
{
    Features f;
    f.want_methods();
    f.online();
    f.hear(publish(C2D, "x", 1));
    CHECK(f.statistics().received_unhandled == 1);
    CHECK(f.said() == "UNSUBSCRIBE devices/d1/messages/devicebound/#");
    f.hear(publish(C2D, "y", 2));                /* was on its way: not unsubscribed again */
    CHECK(f.said() == "");
    f.hear(UNSUBACK);
    CHECK(f.said() == "");
}

TEST_CASE("message: a client that asks for nothing leaves messages unacknowledged and says nothing")
{
    Bench b;
    b.connect();
    b.outbound.clear();
    b.inbound = publish(C2D, std::string(5000, 'x'), 1);
    b.work(40);
    CHECK(b.outbound.empty());
    CHECK(b.statistics().received_unhandled == 1);
}

TEST_CASE("message: the callback given up is unsubscribed; set again, subscribed again; giving up twice is an error")
{
    Inbox f;
    REQUIRE(IoTHubDeviceClient_SetMessageCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetMessageCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    f.work();
    CHECK(f.said() == "UNSUBSCRIBE devices/d1/messages/devicebound/#");
    f.hear(publish(C2D, "x", 1));
    CHECK(f.messages.empty());
    f.want_messages();                           /* before UNSUBACK */
    f.work(2);
    CHECK(f.said() == "SUBSCRIBE devices/d1/messages/devicebound/#:1");
    f.hear(UNSUBACK + suback("\1"));
    f.arrive("y", 2);
    CHECK(f.said() == "PUBACK 2");
    Features none;
    CHECK(IoTHubDeviceClient_SetMessageCallback(none.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("message: the callback given up while a body comes: the message is nobody's, and its slot free")
{
    Inbox f(768);
    for (unsigned id = 1; id < 8; ++id) {
        std::string packet = publish(C2D, "some body", id);
        f.hear(packet.substr(0, packet.size() - 3));
        REQUIRE(IoTHubDeviceClient_SetMessageCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
        f.hear(packet.substr(packet.size() - 3));
        f.want_messages();
        f.work(3);
        CHECK(f.messages.empty());
        CHECK(f.outbound.find('\x40') == std::string::npos);
    }
}

TEST_CASE("message: the callback replaced takes the next message")
{
    Inbox f;
    Features other;
    REQUIRE(IoTHubDeviceClient_SetMessageCallback(f.hub, Features::on_message, &other) == IOTHUB_CLIENT_OK);
    f.arrive("x", 1);
    CHECK(f.messages.empty());
    CHECK(other.messages.size() == 1);
    CHECK(f.said() == "PUBACK 1");
}

TEST_CASE("message: in the same segment as CONNACK, before SUBACK, it is delivered")
{
    Features f;
    f.want_messages();
    f.work(3);
    f.hear(CONNACK + publish(C2D, "waiting", 1) + suback("\1"));
    CHECK(f.messages == std::vector<std::string>({ "waiting" }));
    CHECK(packets(f.outbound).back().type == 4);
    CHECK(f.is_open);
}

TEST_CASE("message: GetLastMessageReceiveTime is the wall clock of the last one, and none before the first")
{
    Inbox f;
    time_t when = 5;
    CHECK(IoTHubDeviceClient_GetLastMessageReceiveTime(f.hub, &when) == IOTHUB_CLIENT_INDEFINITE_TIME);
    CHECK(when == 5);
    f.arrive("x", 1);
    uint32_t first = f.wall;
    REQUIRE(IoTHubDeviceClient_GetLastMessageReceiveTime(f.hub, &when) == IOTHUB_CLIENT_OK);
    CHECK(when == (time_t)first);
    f.after(5000);
    f.arrive("y", 2);
    REQUIRE(IoTHubDeviceClient_GetLastMessageReceiveTime(f.hub, &when) == IOTHUB_CLIENT_OK);
    CHECK(when == (time_t)first + 5);
    f.wall = 0;                                  /* unknown */
    f.arrive("z", 3);
    CHECK(IoTHubDeviceClient_GetLastMessageReceiveTime(f.hub, &when) == IOTHUB_CLIENT_INDEFINITE_TIME);
    Features nothing;
    CHECK(IoTHubDeviceClient_GetLastMessageReceiveTime(nothing.hub, &when) == IOTHUB_CLIENT_INDEFINITE_TIME);
}

/* ---- what else may go wrong with the inbox ---- */

TEST_CASE("message: a feature asked for while a large CONNECT waits for the stream leaves it whole, and is left whole")
{
    /* a token of 400 bytes: CONNECT was promised out of an inbox that was all window */
    const std::string string = "HostName=hub.example.net;DeviceId=d1;SharedAccessSignature=SharedAccessSignature sr=hub.example.net%2Fdevices%2Fd1&sig="
        + std::string(400, 'a') + "&se=1999999999";
    std::string expected;
    for (size_t inbox = 700; inbox <= 1100; inbox += 20) {
        Features f(inbox, string.c_str());
        f.write_limit = 0;
        f.work(3);
        IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SetMessageCallback(f.hub, Features::on_message, &f);
        bool there = result == IOTHUB_CLIENT_OK;
        if (!there) {
            CHECK(f.error().code == IOTHUB_CODE_INBOX_TOO_SMALL);
        }
        f.work(2);
        f.write_limit = 100000;
        f.work(4);
        std::vector<Packet> out = f.sent();
        CAPTURE(inbox);
        REQUIRE(out.size() >= 1);
        expected = expected.empty() ? out[0].raw : expected;
        CHECK(out[0].raw == expected);
        CHECK_FALSE(f.contract_broken);
        if (there) {
            f.hear(CONNACK);
            f.hear(suback("\1"));
            f.hear(publish(C2D, "x", 1));
            CHECK(f.messages.size() == 1);
            CHECK(IoTHubDeviceClient_SetMessageCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
        }
    }
}

TEST_CASE("message: with a kept message the client still signs, connects and writes in its window")
{
    Inbox f(768, IOTHUBMESSAGE_ASYNC_ACK);
    f.arrive("kept", 1, "%24.mid=k");
    for (int i = 0; i < 3; ++i) {
        f.cut();
        f.online();
        REQUIRE(f.send(std::string(300, 'x')) == IOTHUB_CLIENT_OK);
        f.work(3);
        f.hear(puback(packets(f.outbound).back().id));
        const unsigned char *body;
        size_t size;
        REQUIRE(IoTHubMessage_GetByteArray(f.handles[0], &body, &size) == IOTHUB_MESSAGE_OK);
        CHECK(std::string((const char *)body, size) == "kept");
        CHECK(std::string(IoTHubMessage_GetMessageId(f.handles[0])) == "k");
    }
    CHECK(f.confirmations.size() == 3);
}

TEST_CASE("message: where the inbox is too small to keep one and to sign beside it, the next connection waits until it is settled")
{
    const std::string id(128, '$');
    const std::string string = "HostName=hub.example.net;DeviceId=" + id + ";SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    Features f(1024, string.c_str(), 4096);
    f.disposition = IOTHUBMESSAGE_ASYNC_ACK;
    f.want_messages();
    f.online();
    f.hear(publish("devices/" + id + "/messages/devicebound/%24.mid=low", "kept", 1));
    REQUIRE(f.handles.size() == 1);
    f.cut();
    for (int i = 0; i < 400; ++i) {
        f.after(1000);
    }
    CHECK_FALSE(f.is_open);
    CHECK(f.error().code == IOTHUB_CODE_INBOX_TOO_SMALL);
    CHECK(std::string(IoTHubMessage_GetMessageId(f.handles[0])) == "low");
    const unsigned char *body;
    size_t size;
    REQUIRE(IoTHubMessage_GetByteArray(f.handles[0], &body, &size) == IOTHUB_MESSAGE_OK);
    CHECK(std::string((const char *)body, size) == "kept");
    CHECK(f.settle(f.handles[0], IOTHUBMESSAGE_ABANDONED) == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(publish("devices/" + id + "/messages/devicebound/", "again", 1));
    CHECK(f.messages.size() == 2);
}

TEST_CASE("message: a feature asked for while a topic, a body or what is skipped arrives leaves that whole")
{
    const std::string packet = publish(C2D + "%24.mid=m1&a=b", std::string(40, 'x'), 1);
    for (size_t at = 1; at < packet.size(); ++at) {
        for (int large = 0; large < 2; ++large) {
            Inbox f(1400);
            if (large) {
                f.hear(publish(C2D, std::string(3000, 'y'), 9).substr(0, 100 + at)); /* skipped, in the middle */
            } else {
                f.hear(packet.substr(0, at));
            }
            f.want_methods();                    /* takes of the inbox's end */
            bool twin = IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, Features::on_twin, &f) == IOTHUB_CLIENT_OK;
            CAPTURE(at, large);
            CHECK(twin);
            if (large) {
                f.hear(publish(C2D, std::string(3000, 'y'), 9).substr(100 + at));
                CHECK(f.error().code == IOTHUB_CODE_MESSAGE_SKIPPED);
                CHECK(f.messages.empty());
                continue;
            }
            f.during = [&] { CHECK(std::string(IoTHubMessage_GetMessageId(f.handles.back())) == "m1"); };
            f.hear(packet.substr(at));
            REQUIRE(f.messages.size() == 1);
            CHECK(f.messages[0] == std::string(40, 'x'));
        }
    }
}

TEST_CASE("message: one that fills the inbox and arrives while a feature is asked for: one of them finds no room, and nothing is written over")
{
    for (size_t size = 200; size < 800; size += 7) {
        const std::string packet = publish(C2D + "a=b", std::string(size, 'x'), 1);
        for (size_t at : { (size_t)30, (size_t)45, size / 2, size }) {
            Inbox f(1100);
            f.hear(packet.substr(0, at));
            IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, Features::on_twin, &f);
            f.hear(packet.substr(at));
            CAPTURE(size, at);
            CHECK((result == IOTHUB_CLIENT_OK || f.messages.size() == 1));
            if (!f.messages.empty()) {
                CHECK(f.messages[0] == std::string(size, 'x'));
            }
            f.hear(publish(C2D, "next", 2));
            CHECK(f.messages.back() == "next");
        }
    }
}

TEST_CASE("message: option oversize_limit while no acknowledgement finds room waits for the next sighting")
{
    Inbox f(1024);
    REQUIRE(f.set(IOTHUB_OPTION_OVERSIZE_LIMIT, 1u) == IOTHUB_CLIENT_OK);
    f.write_limit = 0;
    for (unsigned id = 1; id <= 30; ++id) {
        f.hear(publish(C2D, "x", id));
    }
    size_t owed = f.messages.size();
    f.hear(publish(C2D, std::string(3000, 'x'), 100));
    f.write_limit = 100000;
    f.work(5);
    CHECK(f.take().size() == owed);
    f.arrive(std::string(3000, 'x'), 101);
    CHECK(f.said() == "PUBACK 101");
}

/* ---- modules ---- */

namespace {

/* What each of several handlers got. */
struct Routes {
    std::string all;
    struct Route { Routes *routes; char name; IOTHUBMESSAGE_DISPOSITION_RESULT answer; };
    std::vector<IOTHUB_MESSAGE_HANDLE> handles;
    static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
    {
        Route *route = static_cast<Route *>(context);
        const char *input = IoTHubMessage_GetInputName(message);
        const char *device = IoTHubMessage_GetConnectionDeviceId(message), *module = IoTHubMessage_GetConnectionModuleId(message);
        route->routes->all += std::string(1, route->name) + ":" + (input != NULL ? input : "NULL")
            + (device != NULL ? std::string("/") + device : "") + (module != NULL ? std::string("/") + module : "") + " ";
        route->routes->handles.push_back(message);
        return route->answer;
    }
};

}

TEST_CASE("module: messages go to the handler of their input, the others to the default one")
{
    Features f(4096, MODULE_STRING);
    Routes routes;
    Routes::Route a = { &routes, 'a', IOTHUBMESSAGE_ACCEPTED }, b = { &routes, 'b', IOTHUBMESSAGE_ACCEPTED }, d = { &routes, 'd', IOTHUBMESSAGE_ACCEPTED };
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "in", Routes::on_message, &a) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "input", Routes::on_message, &b) == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(publish(INPUTS + "in/", "1", 1) + publish(INPUTS + "input/%24.cdid=d1&%24.cmid=m2", "2", 2) + publish(INPUTS + "inp/", "3", 3));
    CHECK(routes.all == "a:in b:input/d1/m2 ");
    CHECK(f.said() == "PUBACK 1; PUBACK 2");     /* nobody's: left to the hub */
    CHECK(f.statistics().received_unhandled == 1);
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), NULL, Routes::on_message, &d) == IOTHUB_CLIENT_OK);
    f.hear(publish(INPUTS + "inp/", "3", 3) + publish(INPUTS + "/", "4", 4) + publish(INPUTS + "in/", "5", 5));
    CHECK(routes.all == "a:in b:input/d1/m2 d:inp d: a:in ");
    CHECK(f.said() == "PUBACK 3; PUBACK 4; PUBACK 5");
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "in", NULL, NULL) == IOTHUB_CLIENT_OK);
    routes.all = "";
    f.hear(publish(INPUTS + "in/", "6", 6) + publish(INPUTS + "ab/", "7", 7) + publish(INPUTS + "inqut/", "8", 8));
    CHECK(routes.all == "d:in d:ab d:inqut ");   /* of the same length, but not the same */
}

TEST_CASE("module: it subscribes all of its topics, and unsubscribes with its last handler")
{
    Features f(4096, MODULE_STRING);
    Routes routes;
    Routes::Route a = { &routes, 'a', IOTHUBMESSAGE_ACCEPTED };
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "x", Routes::on_message, &a) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubModuleClient_SetMessageCallback(f.module(), Routes::on_message, &a) == IOTHUB_CLIENT_OK);
    f.work(3);
    CHECK(f.said() == "CONNECT; SUBSCRIBE devices/d1/modules/m1/#:1");
    f.hear(CONNACK + suback("\1"));
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "x", NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "");
    CHECK(IoTHubModuleClient_SetInputMessageCallback(f.module(), "x", NULL, NULL) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubModuleClient_SetInputMessageCallback(f.module(), "y", NULL, NULL) == IOTHUB_CLIENT_ERROR);
    REQUIRE(IoTHubModuleClient_SetMessageCallback(f.module(), NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "UNSUBSCRIBE devices/d1/modules/m1/#");
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "x", Routes::on_message, &a) == IOTHUB_CLIENT_OK); /* its name is there still */
    f.work(2);
    CHECK(f.said() == "SUBSCRIBE devices/d1/modules/m1/#:1");
}

TEST_CASE("module: an input's handler is replaced under its name, and its name is copied")
{
    Features f(4096, MODULE_STRING);
    Routes routes;
    Routes::Route a = { &routes, 'a', IOTHUBMESSAGE_ACCEPTED }, b = { &routes, 'b', IOTHUBMESSAGE_ACCEPTED };
    char name[] = "in";
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), name, Routes::on_message, &a) == IOTHUB_CLIENT_OK);
    name[0] = 'X';
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "in", Routes::on_message, &b) == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(publish(INPUTS + "in/", "1", 1));
    CHECK(routes.all == "b:in ");
}

TEST_CASE("module: ASYNC_ACK keeps an input's message, and the module's own function settles it")
{
    Features f(4096, MODULE_STRING);
    Routes routes;
    Routes::Route a = { &routes, 'a', IOTHUBMESSAGE_ASYNC_ACK };
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "in", Routes::on_message, &a) == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(publish(INPUTS + "in/k=v", "1", 1));
    REQUIRE(routes.handles.size() == 1);
    CHECK(std::string(IoTHubMessage_GetProperty(routes.handles[0], "k")) == "v");
    CHECK(std::string(IoTHubMessage_GetInputName(routes.handles[0])) == "in");
    CHECK(IoTHubModuleClient_SendMessageDisposition(f.module(), routes.handles[0], IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == "PUBACK 1");
}

TEST_CASE("module: an input without a name, and a message that came on no input")
{
    Features f(4096, MODULE_STRING);
    Routes routes;
    Routes::Route a = { &routes, 'a', IOTHUBMESSAGE_ACCEPTED }, d = { &routes, 'd', IOTHUBMESSAGE_ACCEPTED };
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "", Routes::on_message, &a) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubModuleClient_SetMessageCallback(f.module(), Routes::on_message, &d) == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(publish(INPUTS + "/", "1", 1));
    CHECK(routes.all == "a: ");
    f.hear(publish(C2D, "2", 2));
    CHECK(routes.all.find("NULL") != std::string::npos);
    CHECK(f.said() == "PUBACK 1; PUBACK 2");
}

TEST_CASE("module: inputs and messages are told apart by the identity, not by the handle's type")
{
    Features device(4096);
    CHECK(IoTHubModuleClient_SetInputMessageCallback(device.module(), "in", Features::on_message, &device) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubModuleClient_SetMessageCallback(device.module(), Features::on_message, &device) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubModuleClient_SetInputMessageCallback(device.module(), NULL, Features::on_message, &device) == IOTHUB_CLIENT_ERROR);
    Features module(4096, MODULE_STRING);
    CHECK(IoTHubDeviceClient_SetMessageCallback(module.hub, Features::on_message, &module) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubModuleClient_SetInputMessageCallback(module.module(), "in", NULL, NULL) == IOTHUB_CLIENT_ERROR); /* none was ever set */
}

TEST_CASE("module: an input's name that finds no room is an error, and the others go on")
{
    Features f(1024, MODULE_STRING);
    Routes routes;
    Routes::Route a = { &routes, 'a', IOTHUBMESSAGE_ACCEPTED };
    REQUIRE(IoTHubModuleClient_SetInputMessageCallback(f.module(), "in", Routes::on_message, &a) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubModuleClient_SetInputMessageCallback(f.module(), std::string(900, 'x').c_str(), Routes::on_message, &a) == IOTHUB_CLIENT_ERROR);
    CHECK(f.error().code == IOTHUB_CODE_INBOX_TOO_SMALL);
    CHECK(f.error().bytes_missing != 0);
    f.online();
    f.hear(publish(INPUTS + "in/", "1", 1));
    CHECK(routes.all == "a:in ");
}

TEST_CASE("message: option oversize_limit beside a piece callback gives up only what cannot come in pieces either")
{
    Inbox f(1024);
    f.want_pieces();
    REQUIRE(f.set(IOTHUB_OPTION_OVERSIZE_LIMIT, 1u) == IOTHUB_CLIENT_OK);
    f.disposition = IOTHUBMESSAGE_ASYNC_ACK;
    for (unsigned id = 1; id <= 16; ++id) {
        f.arrive("k", id);                       /* until no slot is free */
    }
    f.take();
    size_t kept = f.messages.size();
    f.arrive(std::string(3000, 'x'), 100);       /* it comes in pieces when one is settled */
    CHECK(f.said() == "");
    for (size_t i = 0; i < kept; ++i) {
        REQUIRE(f.settle(f.handles[i], IOTHUBMESSAGE_ABANDONED) == IOTHUB_CLIENT_OK);
    }
    f.arrive("x", 101, "long=" + std::string(3000, 'p')); /* not even its properties find room */
    CHECK(f.said() == "PUBACK 101");
}
