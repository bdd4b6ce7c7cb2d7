/* Direct methods and commands against a platform of scripts. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"

namespace {

const std::string RES = "$iothub/methods/res/";

/* A device that is connected and takes methods. */
struct Taker : Features {
    explicit Taker(size_t inbox = 4096, size_t outbox = 2048, bool later = false) : Features(inbox, KEY_STRING, outbox)
    {
        if (later) {
            want_methods_ex();
        } else {
            want_methods();
        }
        online();
    }
};

struct Later : Taker {
    explicit Later(size_t inbox = 4096, size_t outbox = 2048) : Taker(inbox, outbox, true) {}
};

}

/* ---- answered at once ---- */

TEST_CASE("method: it is answered with status and body of the callback, under its request id")
{
    Taker f;
    f.hear(call("reboot", "7", "{\"in\":5}"));
    CHECK(f.calls == std::vector<std::string>({ "reboot({\"in\":5})" }));
    CHECK(f.said() == RES + "200/?$rid=7 {}");
    f.status = 404;
    f.answer = "null";
    f.hear(call("x", "8ac5-%41"));
    CHECK(f.said() == RES + "404/?$rid=8ac5-%41 null"); /* echoed as it came */
    CHECK(f.statistics().received == 2);
}

TEST_CASE("method: the answer is a PUBLISH with QoS 0, byte for byte")
{
    Taker f;
    f.hear(call("m", "1"));
    std::vector<Packet> out = f.take();
    REQUIRE(out.size() == 1);
    CHECK(out[0].raw == std::string("\x30\x23\0\x1F", 4) + "$iothub/methods/res/200/?$rid=1{}"); /* 0x1F: 31 bytes of topic */
}

TEST_CASE("method: an empty request, an empty answer and no answer at all; the status is sent")
{
    Taker f;
    f.answer = "";
    f.hear(call("m", "1", ""));
    CHECK(f.calls == std::vector<std::string>({ "m()" }));
    CHECK(f.said() == RES + "200/?$rid=1 ");
}

TEST_CASE("method: statuses of any size are sent as they are, a negative one is 500")
{
    struct { int status; const char *sent; } const cases[] = { { 0, "0" }, { 1, "1" }, { 2147483647, "2147483647" }, { -1, "500" }, { -2147483647 - 1, "500" } };
    for (const auto &c : cases) {
        Taker f;
        f.status = c.status;
        f.hear(call("m", "1"));
        CHECK(f.said() == RES + c.sent + "/?$rid=1 {}");
    }
}

TEST_CASE("method: every split of requests gives the same calls and answers")
{
    const std::string all = call("one", "1", "{\"a\":1}") + call("two", "22", "") + call("three", "333", std::string(100, 'x'));
    for (size_t limit = 1; limit < 70; limit += limit < 10 ? 1 : 17) {
        Taker f;
        f.read_limit = limit;
        f.hear(all);
        CAPTURE(limit);
        CHECK(f.calls == std::vector<std::string>({ "one({\"a\":1})", "two()", "three(" + std::string(100, 'x') + ")" }));
        CHECK(f.said() == RES + "200/?$rid=1 {}; " + RES + "200/?$rid=22 {}; " + RES + "200/?$rid=333 {}");
    }
}

TEST_CASE("method: an answer larger than its share of the outbox is 500 for the caller and an error here; the largest one fits")
{
    size_t largest = 0;
    for (size_t size = 0; size < 600; ++size) {
        Taker f(4096, 2048);
        f.answer = std::string(size, 'x');
        f.hear(call("m", "1"));
        std::vector<Packet> out = f.take();
        REQUIRE(out.size() == 1);
        CAPTURE(size);
        if (out[0].topic == RES + "200/?$rid=1") {
            CHECK(out[0].body == f.answer);
            CHECK(largest == (size != 0 ? size - 1 : 0));
            largest = size;
        } else {
            CHECK(out[0].topic == RES + "500/?$rid=1");
            CHECK(out[0].body.empty());
            CHECK(f.error().code == IOTHUB_CODE_METHOD_SKIPPED);
            CHECK(f.error().bytes_missing == size - largest);
        }
    }
    CHECK(largest > 300);
    CHECK(largest < 512);
}

TEST_CASE("method: one that finds no room is 503 and told, without asking the application")
{
    Taker f(1024);
    f.hear(call("m", "1", std::string(3000, 'x')));
    CHECK(f.calls.empty());
    CHECK(f.said() == RES + "503/?$rid=1 ");
    CHECK(f.error().code == IOTHUB_CODE_METHOD_SKIPPED);
    CHECK(f.error().bytes_missing > 2000);
    CHECK(f.statistics().received_skipped == 1);
    f.hear(call("m", "2"));
    CHECK(f.said() == RES + "200/?$rid=2 {}");
}

TEST_CASE("method: nobody takes it: 503 where methods were taken before, nothing where they never were")
{
    Taker f;
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "UNSUBSCRIBE $iothub/methods/POST/#");
    f.hear(call("m", "1"));
    CHECK(f.said() == RES + "503/?$rid=1 ");
    f.hear(UNSUBACK);
    f.want_methods();
    f.work(2);
    CHECK(f.said() == "SUBSCRIBE $iothub/methods/POST/#:0");
    Features g;
    g.want_messages();
    g.online();
    g.hear(call("m", "1"));
    CHECK(g.said() == "UNSUBSCRIBE $iothub/methods/POST/#");
    CHECK(g.is_open);
}

TEST_CASE("method: given up while its body comes: 503")
{
    Taker f;
    std::string packet = call("m", "1");
    f.hear(packet.substr(0, packet.size() - 1));
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.hear(packet.substr(packet.size() - 1));
    CHECK(f.calls.empty());
    CHECK(f.said() == "UNSUBSCRIBE $iothub/methods/POST/#; " + RES + "503/?$rid=1 ");
}

TEST_CASE("method: without a request id it cannot be answered: ignored and told")
{
    Taker f;
    f.hear(publish(METHOD + "m/", "{}") + publish(METHOD + "m/?x=1", "{}"));
    CHECK(f.calls.empty());
    CHECK(f.said() == "");
    CHECK(f.error().code == IOTHUB_CODE_METHOD_SKIPPED);
    CHECK(f.is_open);
}

TEST_CASE("method: when the answers' share is full, a method that cannot even be refused is ignored and told; later ones are taken")
{
    Taker f(4096, 2048);
    f.answer = std::string(100, 'a');
    f.write_limit = 0;
    for (int i = 1; i <= 12; ++i) {
        f.hear(call("m", std::to_string(i)));
    }
    CHECK(f.error().code == IOTHUB_CODE_METHOD_SKIPPED);
    f.write_limit = 100000;
    f.work(4);
    std::vector<Packet> out = f.take();
    REQUIRE(out.size() >= 3);
    CHECK(out.size() < 12);
    for (size_t i = 0; i < out.size(); ++i) {    /* in order, the last ones without their body */
        CHECK((out[i].topic == RES + "200/?$rid=" + std::to_string(i + 1) || out[i].topic == RES + "500/?$rid=" + std::to_string(i + 1)));
    }
    f.hear(call("m", "99"));
    CHECK(f.said() == RES + "200/?$rid=99 " + f.answer);
}

TEST_CASE("method: answers leave ahead of telemetry, between packets, and after short writes at every byte")
{
    std::string whole;
    for (size_t limit = 300; limit >= 1; --limit) {
        Taker f;
        REQUIRE(f.send("t1") == IOTHUB_CLIENT_OK);
        f.write_limit = limit;
        f.work();
        REQUIRE(f.send("t2") == IOTHUB_CLIENT_OK);
        f.inbound = call("a", "1") + call("b", "2");
        f.work(300);
        f.inbound = call("c", "3");
        f.work(100);
        std::vector<Packet> out = f.take();
        CAPTURE(limit);
        REQUIRE(out.size() == 5);
        std::string topics, bodies;
        for (const Packet &p : out) {
            topics += p.topic.substr(0, 20) + " ";
            bodies += p.body + " ";
        }
        /* t1 was half written at most: it is finished first; then the answers, then t2 */
        CHECK(bodies.find("t1") < bodies.find("t2"));
        CHECK(topics.find("$iothub/methods/res/") < topics.rfind("devices/d1/messages/"));
        CHECK(bodies.size() == 2 * 3 + 3 * 3);
        CHECK_FALSE(f.contract_broken);
    }
}

TEST_CASE("method: answers that come while one is half written follow it in order")
{
    for (size_t limit = 1; limit < 80; ++limit) {
        Taker f;
        f.hear("");
        f.write_limit = 0;
        f.hear(call("a", "1"));
        f.write_limit = limit;
        f.inbound = call("b", "2");
        IoTHubDeviceClient_DoWork(f.hub);
        f.write_limit = 0;
        f.hear(call("c", "3"));
        f.write_limit = 100000;
        f.work(4);
        CAPTURE(limit);
        CHECK(f.said() == RES + "200/?$rid=1 {}; " + RES + "200/?$rid=2 {}; " + RES + "200/?$rid=3 {}");
        CHECK_FALSE(f.contract_broken);
    }
}

TEST_CASE("method: answers die with the connection, half written ones too")
{
    Taker f;
    f.write_limit = 5;
    f.inbound = call("a", "1") + call("b", "2");
    IoTHubDeviceClient_DoWork(f.hub);
    f.cut();
    f.write_limit = 100000;
    f.online();
    f.work(3);
    CHECK(f.said() == "");
    f.hear(call("c", "3"));
    CHECK(f.said() == RES + "200/?$rid=3 {}");
    CHECK_FALSE(f.contract_broken);
}

TEST_CASE("method: Stop lets answers leave before DISCONNECT")
{
    Later f;
    f.hear(call("m", "1"));
    REQUIRE(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_Stop(f.hub) == IOTHUB_CLIENT_OK);
    f.work(4);
    CHECK(f.said() == RES + "200/?$rid=1 {}; DISCONNECT");
}

TEST_CASE("method: the share for answers is a quarter of the outbox, at least 80 bytes; asked for while messages lie there, it may find no room")
{
    Features f(4096, KEY_STRING, 2048, 4);
    size_t before = f.statistics().outbox_capacity;
    f.want_methods();
    CHECK(f.statistics().outbox_capacity == before - before / 4);
    f.want_methods();                            /* once only */
    CHECK(f.statistics().outbox_capacity == before - before / 4);
    Features tiny(4096, KEY_STRING, 220, 2);
    before = tiny.statistics().outbox_capacity;
    tiny.want_methods();
    CHECK(tiny.statistics().outbox_capacity == before - 80);
    Features full(4096, KEY_STRING, 2048, 4);
    REQUIRE(full.send(std::string(full.statistics().outbox_capacity - 100, 'x')) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(full.hub, Features::on_method, &full) == IOTHUB_CLIENT_ERROR);
    CHECK(full.error().code == IOTHUB_CODE_OUTBOX_FULL);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(full.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR); /* it was not set */
    full.work(3);
    full.hear(CONNACK + puback(1));
    CHECK(full.statistics().outbox_used == 0);
    full.want_methods();
    Features small(120);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(small.hub, Features::on_method, &small) == IOTHUB_CLIENT_ERROR);
    CHECK(small.error().code == IOTHUB_CODE_INBOX_TOO_SMALL);
}

TEST_CASE("method: slots for calls that are answered later may find no room where methods do; the error says what is missing")
{
    int refused = 0;
    for (size_t size = 120; size < 400; size += 8) {
        Features probe(size), f(size);
        bool at_once = IoTHubDeviceClient_SetDeviceMethodCallback(probe.hub, Features::on_method, &probe) == IOTHUB_CLIENT_OK;
        bool later = IoTHubDeviceClient_SetDeviceMethodCallback_Ex(f.hub, Features::on_inbound_method, &f) == IOTHUB_CLIENT_OK;
        CHECK((at_once || !later));
        if (at_once && !later) {
            CHECK(f.error().code == IOTHUB_CODE_INBOX_TOO_SMALL);
            CHECK(f.error().bytes_missing != 0);
            f.want_methods();                    /* the other way is open */
            ++refused;
        }
    }
    CHECK(refused > 3);
}

/* ---- answered later ---- */

TEST_CASE("method _Ex: answered later, once; the second answer is an error")
{
    Later f;
    f.hear(call("m", "7"));
    CHECK(f.said() == "");
    f.after(5000);
    REQUIRE(f.respond(f.methods[0], "{\"late\":1}", 201) == IOTHUB_CLIENT_OK);
    CHECK(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_INVALID_ARG);
    f.work();
    CHECK(f.said() == RES + "201/?$rid=7 {\"late\":1}");
    CHECK(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_INVALID_ARG);
}

TEST_CASE("method _Ex: answered within its own callback; what that returns then changes nothing")
{
    for (int status : { 200, 1 }) {
        Later f;
        f.status = status;
        f.during = [&] { CHECK(f.respond(f.methods.back(), "") == IOTHUB_CLIENT_OK); };
        f.hear(call("m", "7"));
        CHECK(f.said() == RES + "200/?$rid=7 ");
    }
}

TEST_CASE("method _Ex: a callback that returns non-zero refuses: 500, and the handle is spent")
{
    Later f;
    f.status = 1;
    f.hear(call("m", "7"));
    CHECK(f.said() == RES + "500/?$rid=7 ");
    CHECK(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_INVALID_ARG);
    f.status = 200;
    for (int i = 0; i < 20; ++i) {
        f.hear(call("m", "8"));
        CHECK(f.respond(f.methods.back(), "{}") == IOTHUB_CLIENT_OK);
    }
}

TEST_CASE("method _Ex: many in flight, answered in any order; without a free slot 503")
{
    Later f(1024);                               /* a few slots */
    int n = 0;
    while (f.statistics().received_skipped == 0) {
        REQUIRE(++n < 40);
        f.hear(call("m", std::to_string(n)));
    }
    CHECK(n >= 3);
    CHECK((int)f.methods.size() == n - 1);
    CHECK(f.said() == RES + "503/?$rid=" + std::to_string(n) + " ");
    CHECK(f.error().code == IOTHUB_CODE_METHOD_SKIPPED);
    std::string expected;
    for (int i = n - 2; i >= 0; --i) {
        REQUIRE(f.respond(f.methods[(size_t)i], "{}") == IOTHUB_CLIENT_OK);
        expected += (expected.empty() ? "" : "; ") + RES + "200/?$rid=" + std::to_string(i + 1) + " {}";
    }
    f.work(2);
    CHECK(f.said() == expected);
}

TEST_CASE("method _Ex: after a reconnect its handle is spent, and nothing is sent")
{
    Later f;
    f.hear(call("m", "7"));
    f.cut();
    CHECK(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_INVALID_ARG);
    f.online();
    f.hear(call("m", "7"));
    CHECK(f.methods[0] != f.methods[1]);
    CHECK(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.respond(f.methods[1], "{}") == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == RES + "200/?$rid=7 {}");
}

TEST_CASE("method _Ex: after 300 s its slot is free and its handle spent; GetNextWork knows")
{
    Later f;
    f.hear(call("m", "7"));
    f.after(10000);
    f.hear(call("m", "8"));
    for (uint32_t waited = 10000; waited < 299000;) {
        uint32_t step = std::min(f.next(), 30000u);
        step = std::min(std::max(step, 1u), 299000 - waited);
        f.after(step);
        f.hear(std::string("\xD0\0", 2));
        waited += step;
    }
    CHECK(iothubi_method_find(IOTHUBI_CLIENT_OF(f.hub)->methods, (size_t)f.methods[0]) != NULL);
    CHECK(f.next() <= 1000);
    f.after(1000);
    CHECK(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.respond(f.methods[1], "{}") == IOTHUB_CLIENT_OK);
}

TEST_CASE("method _Ex: request ids of 39 characters are kept, longer ones 503; answered at once any length is echoed")
{
    for (size_t size : { 38u, 39u, 40u, 41u, 100u }) {
        const std::string id(size, 'i');
        Later later;
        later.hear(call("m", id));
        CAPTURE(size);
        if (size < 40) {
            REQUIRE(later.methods.size() == 1);
            REQUIRE(later.respond(later.methods[0], "{}") == IOTHUB_CLIENT_OK);
            later.work();
            CHECK(later.said() == RES + "200/?$rid=" + id + " {}");
        } else {
            CHECK(later.methods.empty());
            CHECK(later.said() == RES + "503/?$rid=" + id + " ");
        }
        Taker at_once;
        at_once.hear(call("m", id));
        CHECK(at_once.said() == RES + "200/?$rid=" + id + " {}");
    }
}

TEST_CASE("method _Ex: an answer larger than the share is INVALID_SIZE, one that finds no room now ERROR; both keep the handle")
{
    Later f(4096, 2048);
    f.hear(call("m", "1") + call("m", "2"));
    CHECK(f.respond(f.methods[0], std::string(600, 'x')) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(f.error().code == IOTHUB_CODE_OUTBOX_TOO_SMALL);
    CHECK(f.error().bytes_missing > 600 - 512);
    f.write_limit = 0;
    REQUIRE(f.respond(f.methods[0], std::string(300, 'x')) == IOTHUB_CLIENT_OK);
    CHECK(f.respond(f.methods[1], std::string(300, 'y')) == IOTHUB_CLIENT_ERROR);
    CHECK(f.error().code == IOTHUB_CODE_OUTBOX_FULL);
    f.work();
    f.write_limit = 100000;
    f.work(2);
    CHECK(f.respond(f.methods[1], std::string(300, 'y')) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == RES + "200/?$rid=1 " + std::string(300, 'x') + "; " + RES + "200/?$rid=2 " + std::string(300, 'y'));
}

TEST_CASE("method _Ex: answers that are none")
{
    Later f;
    f.hear(call("m", "1"));
    METHOD_HANDLE handle = f.methods[0];
    CHECK(f.respond(NULL, "{}") == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.respond((METHOD_HANDLE)((char *)handle + 1), "{}") == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.respond((METHOD_HANDLE)(size_t)-1, "{}") == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.respond(handle, "{}", -1) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_DeviceMethodResponse(f.hub, handle, NULL, 5, 200) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_DeviceMethodResponse(NULL, handle, NULL, 0, 200) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.respond(handle, "", 0) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == RES + "0/?$rid=1 ");
    Features none;
    CHECK(none.respond(handle, "{}") == IOTHUB_CLIENT_INVALID_ARG);
}

TEST_CASE("method: the way of answering changed while a body comes: it is refused, not handed over without a handle")
{
    for (int to_later = 0; to_later < 2; ++to_later) {
        Taker f(4096, 2048, to_later == 0);
        std::string packet = call("m", "1");
        f.hear(packet.substr(0, packet.size() - 1));
        if (to_later) {
            f.want_methods_ex();
            f.status = 1;                        /* would refuse under the id of some other call */
        } else {
            f.want_methods();
        }
        f.hear(packet.substr(packet.size() - 1));
        CAPTURE(to_later);
        for (METHOD_HANDLE handle : f.methods) {
            CHECK(handle != NULL);
        }
        std::vector<Packet> out = f.take();
        REQUIRE(out.size() == 1);
        CHECK(out[0].topic.find("/?$rid=1") != std::string::npos);
        CHECK(iothubi_method_oldest(IOTHUBI_CLIENT_OF(f.hub)->methods, 0) == NULL); /* no slot is left behind */
    }
}

TEST_CASE("method _Ex: a body that takes longer than 300 s: its slot is free by then, taken or given up")
{
    for (int given_up = 0; given_up < 2; ++given_up) {
        Later f;
        std::string packet = call("m", "1", "0123456789");
        f.hear(packet.substr(0, packet.size() - 9));
        for (size_t left = 9; left > 1; --left) {
            f.after(50000);
            f.hear(packet.substr(packet.size() - left, 1));
        }
        if (given_up) {
            REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
        }
        f.hear(packet.substr(packet.size() - 1));
        CHECK(f.is_open);
        CHECK(f.calls.size() == (given_up ? 0u : 1u));
        if (!given_up) {
            CHECK(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_INVALID_ARG);
        }
    }
}

TEST_CASE("method: methods and _Ex replace each other")
{
    Taker f;
    f.want_methods_ex();
    f.hear(call("m", "1"));
    REQUIRE(f.methods.size() == 1);
    f.want_methods();
    f.hear(call("m", "2"));
    CHECK(f.said() == RES + "200/?$rid=2 {}");
    CHECK(f.respond(f.methods[0], "{}") == IOTHUB_CLIENT_OK); /* the one before is still answered */
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback_Ex(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
}

/* ---- commands ---- */

TEST_CASE("command: its name is split at the first '*' into component and command")
{
    struct { const char *name, *seen; } const cases[] = {
        { "reboot", "NULL reboot({})" }, { "thermostat1*getMaxMinReport", "thermostat1 getMaxMinReport({})" }, { "a*b*c", "a b*c({})" },
        { "*cmd", " cmd({})" }, { "comp*", "comp ({})" }, { "*", " ({})" }, { "**", " *({})" }
    };
    for (const auto &c : cases) {
        Features f(4096);
        REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, Features::on_command, &f) == IOTHUB_CLIENT_OK);
        f.online();
        f.answer = "{\"x\":1}";
        f.status = 202;
        CAPTURE(c.name);
        f.hear(call(c.name, "7"));
        CHECK(f.calls == std::vector<std::string>({ c.seen }));
        CHECK(f.said() == RES + "202/?$rid=7 {\"x\":1}");
        CHECK(f.is_open);
    }
}

TEST_CASE("command: an answer that is not filled in is an empty 500; a payload of NULL has no length; a negative status is 500")
{
    Features f(4096);
    auto lazy = [](const IOTHUB_CLIENT_COMMAND_REQUEST *, IOTHUB_CLIENT_COMMAND_RESPONSE *, void *) {};
    auto odd = [](const IOTHUB_CLIENT_COMMAND_REQUEST *, IOTHUB_CLIENT_COMMAND_RESPONSE *response, void *) {
        response->payloadLength = 77;
        response->statusCode = -3;
    };
    REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, lazy, NULL) == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(call("c", "1"));
    REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, odd, NULL) == IOTHUB_CLIENT_OK);
    f.hear(call("c", "2"));
    CHECK(f.said() == RES + "500/?$rid=1 ; " + RES + "500/?$rid=2 ");
}

TEST_CASE("command: commands and methods exclude each other until they are given up")
{
    Features f(4096);
    CHECK(IoTHubDeviceClient_SubscribeToCommands(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback_Ex(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, Features::on_command, &f) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, Features::on_method, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback_Ex(f.hub, Features::on_inbound_method, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.want_methods();
    CHECK(IoTHubDeviceClient_SubscribeToCommands(f.hub, Features::on_command, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SubscribeToCommands(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    f.want_methods_ex();
    CHECK(IoTHubDeviceClient_SubscribeToCommands(f.hub, Features::on_command, &f) == IOTHUB_CLIENT_ERROR);
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SubscribeToCommands(f.hub, Features::on_command, &f) == IOTHUB_CLIENT_OK);
}

TEST_CASE("command: of a module they come and are answered the same way")
{
    Features f(4096, MODULE_STRING);
    REQUIRE(IoTHubModuleClient_SubscribeToCommands(f.module(), Features::on_command, &f) == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(call("c*m", "1"));
    CHECK(f.said() == RES + "200/?$rid=1 {}");
    REQUIRE(IoTHubModuleClient_SubscribeToCommands(f.module(), NULL, NULL) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubModuleClient_SetModuleMethodCallback_Ex(f.module(), Features::on_inbound_method, &f) == IOTHUB_CLIENT_OK);
    f.work(2);
    f.outbound.clear();
    f.hear(call("m", "2"));
    REQUIRE(f.methods.size() == 1);
    CHECK(IoTHubModuleClient_ModuleMethodResponse(f.module(), f.methods[0], (const unsigned char *)"1", 1, 200) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == RES + "200/?$rid=2 1");
    REQUIRE(IoTHubModuleClient_SetModuleMethodCallback(f.module(), Features::on_method, &f) == IOTHUB_CLIENT_OK);
    f.hear(call("m", "3"));
    CHECK(f.said() == RES + "200/?$rid=3 {}");
}
