/* What messages, twins and methods have in common: subscriptions, the inbox, every call from every callback, no call with NULL. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"

namespace {

const std::string ALL = "devices/d1/messages/devicebound/#:1 $iothub/twin/res/#:0 $iothub/twin/PATCH/properties/desired/#:0 $iothub/methods/POST/#:0";

struct Everything : Features {
    explicit Everything(size_t inbox = SMALL_INBOX) : Features(inbox)
    {
        want_messages();
        want_twin();
        want_methods();
    }
};

void pass(Features &f, uint32_t milliseconds)
{
    for (uint32_t passed = 0; passed < milliseconds && f.is_open;) {
        uint32_t step = std::min(std::max(f.next(), 1u), std::min(milliseconds - passed, 30000u));
        f.after(step);
        passed += step;
        f.inbound += std::string("\xD0\0", 2);
        f.work();
    }
}

}

TEST_CASE("features: everything that is wanted is subscribed in the flight of CONNECT")
{
    Everything f;
    REQUIRE(f.send("one") == IOTHUB_CLIENT_OK);
    f.work(4);
    std::vector<Packet> out = f.take();
    REQUIRE(out.size() == 3);
    CHECK(out[0].type == 1);
    CHECK(out[1].type == 8);
    CHECK(out[1].raw == std::string("\x82\x7E\xFF\xF1", 4)
        + std::string("\0\x21", 2) + "devices/d1/messages/devicebound/#\x01" + std::string("\0\x12", 2) + "$iothub/twin/res/#" + std::string("\0", 1)
        + std::string("\0\x27", 2) + "$iothub/twin/PATCH/properties/desired/#" + std::string("\0", 1)
        + std::string("\0\x16", 2) + "$iothub/methods/POST/#" + std::string("\0", 1));
    CHECK(filters(out[1]) == ALL);
    CHECK(out[2].type == 3);
    f.inbound = CONNACK + suback(std::string("\1\0\0\0", 4)) + puback(1);
    f.work(2);
    CHECK(f.said() == "$iothub/twin/GET/?$rid=65537 "); /* two round trips: twin asked, telemetry acknowledged */
    CHECK(f.confirmations.size() == 1);
    f.hear(twin_answer(200, "65537", document(3)) + patch(4) + call("reboot", "7", "{\"in\":5}") + publish(C2D + "%24.mid=m%2D1", "hello", 9));
    CHECK(f.twins == std::vector<std::string>({ "C " + document(3), "P " + change(4) }));
    CHECK(f.calls == std::vector<std::string>({ "reboot({\"in\":5})" }));
    CHECK(f.messages == std::vector<std::string>({ "hello" }));
    CHECK(f.said() == "$iothub/methods/res/200/?$rid=7 {}; PUBACK 9"); /* read in two DoWorks */
    CHECK_FALSE(f.contract_broken);
}

TEST_CASE("features: all of them work in the smallest inbox that the manual promises, with pieces too")
{
    Everything f;
    f.want_pieces();
    f.online();
    f.hear(twin_answer(200, "65537", document(3)));
    for (unsigned id = 1; id < 30; ++id) {
        f.hear(publish(C2D + "a=b", "x", id) + patch(3 + (int)id) + call("m", std::to_string(id)));
    }
    CHECK(f.messages.size() == 29);
    CHECK(f.twins.size() == 30);
    CHECK(f.calls.size() == 29);
    CHECK(f.statistics().received_skipped == 0);
}

TEST_CASE("features: UNSUBSCRIBE and SUBSCRIBE are resumed at every byte")
{
    for (size_t limit = 1; limit < 140; ++limit) {
        Everything f;
        f.write_limit = limit;
        f.work(400);
        std::vector<Packet> out = f.sent();
        REQUIRE(out.size() == 2);
        CHECK(filters(out[1]) == ALL);
        f.outbound.clear();
        f.hear(CONNACK + suback(std::string("\1\0\0\0", 4)));
        f.work(100);
        f.outbound.clear();
        REQUIRE(IoTHubDeviceClient_SetMessageCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
        REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
        f.work(200);
        out = f.take();
        REQUIRE(out.size() == 1);
        /* fixed header, packet id 0xFFF2, two filters without a QoS */
        CHECK(out[0].raw == std::string("\xA2\x3D\xFF\xF2", 4) + std::string("\0\x21", 2) + "devices/d1/messages/devicebound/#"
            + std::string("\0\x16", 2) + "$iothub/methods/POST/#");
        CHECK_FALSE(f.contract_broken);
    }
}

/* ---- when SUBSCRIBE leaves ---- */

TEST_CASE("subscribe: after CONNACK when pipelining is off, and when the attempt goes alone")
{
    Everything off;
    REQUIRE(off.set(IOTHUB_OPTION_PIPELINED_START, (IOTHUB_BOOL)false) == IOTHUB_CLIENT_OK);
    off.work(4);
    CHECK(off.said() == "CONNECT");
    off.hear(CONNACK);
    CHECK(off.said() == "SUBSCRIBE " + ALL);

    Everything alone;
    alone.work(4);
    alone.hear(std::string("\x20\x02\x00\x05", 4));
    REQUIRE_FALSE(alone.is_open);
    alone.until_open(400000);
    alone.work(4);
    CHECK(alone.said() == "CONNECT");
    alone.hear(CONNACK);
    CHECK(alone.said() == "SUBSCRIBE " + ALL);
}

TEST_CASE("subscribe: before CONNACK it comes out of the same budget as messages, and goes first")
{
    Features f(4096, KEY_STRING, 8192);
    f.want_messages();
    f.want_methods();
    for (int i = 0; i < 12; ++i) {
        REQUIRE(f.send("x") == IOTHUB_CLIENT_OK);
    }
    f.work(4);
    std::vector<Packet> out = f.take();
    REQUIRE(out.size() == 1 + 1 + 7);            /* 2,048 bytes: 8 messages of 256, less the SUBSCRIBE */
    CHECK(out[1].type == 8);
    f.hear(CONNACK + suback(std::string("\1\0", 2)));
    CHECK(f.take().size() == 5);
}

TEST_CASE("subscribe: one that exceeds what is left of the budget waits for CONNACK")
{
    const std::string string = "HostName=hub.example.net;DeviceId=" + std::string(128, 'd') + ";SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for (size_t size : { 1600u, 1800u }) {       /* and its topic of 153 bytes: 2,048 less 1,758 is more than SUBSCRIBE, less 1,958 is not */
        Features f(4096, string.c_str(), 8192);
        REQUIRE(f.send(std::string(size, 'x')) == IOTHUB_CLIENT_OK);
        f.work(3);
        REQUIRE(f.take().size() == 2);
        f.want_messages();
        f.work(3);
        const std::string subscribe = "SUBSCRIBE devices/" + std::string(128, 'd') + "/messages/devicebound/#:1";
        CAPTURE(size);
        CHECK(f.said() == (size == 1600 ? subscribe : ""));
        f.hear(CONNACK);
        CHECK(f.said() == (size == 1600 ? "" : subscribe));
    }
}

TEST_CASE("subscribe: asked for while connected, all that is new goes in one; another one waits for the answer")
{
    Features f(4096);
    f.want_messages();
    f.online();
    f.want_twin();
    f.want_methods();
    f.work(2);
    CHECK(f.said() == "SUBSCRIBE $iothub/twin/res/#:0 $iothub/twin/PATCH/properties/desired/#:0 $iothub/methods/POST/#:0");
    REQUIRE(IoTHubDeviceClient_SetMessageCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "UNSUBSCRIBE devices/d1/messages/devicebound/#");
    f.want_messages();
    f.work(2);
    CHECK(f.said() == "");                       /* one SUBSCRIBE at a time */
    f.hear(suback(std::string("\0\0\0", 3)));
    CHECK(f.said() == "SUBSCRIBE devices/d1/messages/devicebound/#:1; $iothub/twin/GET/?$rid=65537 ");
}

TEST_CASE("subscribe: given up before it was written, or before it was answered: unsubscribed when it is granted")
{
    Features f(4096);
    f.want_messages();
    f.online();
    f.want_methods();
    f.work(2);
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "SUBSCRIBE $iothub/methods/POST/#:0");
    f.hear(suback(std::string("\0", 1)));
    CHECK(f.said() == "UNSUBSCRIBE $iothub/methods/POST/#");
    f.hear(UNSUBACK);
    f.want_methods();
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work(3);
    CHECK(f.said() == "");                       /* nothing came between */
}

TEST_CASE("subscribe: after a reconnect everything is subscribed anew, whatever the hub says of its session")
{
    Everything f;
    f.online();
    f.cut();
    f.until_open(400000);
    f.work(4);
    f.hear(std::string("\x20\x02\x01\x00", 4));  /* session present */
    CHECK(f.said().find("SUBSCRIBE " + ALL) != std::string::npos);
}

/* ---- what the hub answers ---- */

TEST_CASE("subscribe: a refusal is an error of that feature, with its bit; the others go on; it is asked for again after 60 s")
{
    const char *const name[] = { "devices/d1/messages/devicebound/#:1", "$iothub/twin/res/#:0", "$iothub/twin/PATCH/properties/desired/#:0", "$iothub/methods/POST/#:0" };
    for (int i = 0; i < 4; ++i) {
        Everything f(4096);
        f.work(4);
        std::string codes(4, '\0');
        codes[(size_t)i] = '\x80';
        f.hear(CONNACK);
        f.outbound.clear();
        f.hear(suback(codes));
        CAPTURE(i);
        CHECK(f.is_open);
        CHECK(f.error().code == IOTHUB_CODE_SUBSCRIPTION_REFUSED);
        CHECK(f.error().layer == IOTHUB_LAYER_HUB);
        CHECK(f.error().raw == 1 << i);
        CHECK(f.error().retryable);
        if (i != 0) {
            f.hear(publish(C2D, "x", 1));
            CHECK(f.messages.size() == 1);
        }
        if (i == 1 || i == 2) {
            f.hear("");
        }
        std::string said = f.said();
        CHECK(said.find("SUBSCRIBE") == std::string::npos);
        f.hear(twin_answer(200, "65537", document(1)));
        pass(f, 59000);
        CHECK(f.said().find("SUBSCRIBE") == std::string::npos);
        pass(f, 2000);
        CHECK(f.said().find(std::string("SUBSCRIBE ") + name[i]) != std::string::npos);
        f.hear(suback(std::string(1, '\x80')));  /* and again */
        pass(f, 61000);
        CHECK(f.said().find(std::string("SUBSCRIBE ") + name[i]) != std::string::npos);
        f.hear(suback(std::string(1, '\0')));
        CHECK(f.is_open);
    }
}

TEST_CASE("subscribe: any granted QoS is good")
{
    Everything f;
    f.work(4);
    f.hear(CONNACK + suback(std::string("\0\1\2\0", 4)));
    CHECK(f.is_open);
    CHECK(f.error().code == IOTHUB_CODE_NONE);
    f.hear(publish(C2D, "x"));
    CHECK(f.messages.size() == 1);
}

TEST_CASE("subscribe: no SUBACK within 60 s of SUBSCRIBE and CONNACK closes the connection")
{
    Everything f;
    f.work(4);
    f.after(30000);
    f.hear(CONNACK);                             /* 30 s after SUBSCRIBE was written */
    pass(f, 59000);
    CHECK(f.is_open);
    pass(f, 3000);
    CHECK_FALSE(f.is_open);
    CHECK(f.error().code == IOTHUB_CODE_SUBSCRIPTION_TIMEOUT);
    CHECK(f.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR);
}

TEST_CASE("subscribe: a SUBACK with too few or too many codes, of another id, or of nothing closes the connection")
{
    struct { std::string bytes; const char *what; } const cases[] = {
        { suback(std::string("\1\0\0", 3)), "too few" },
        { suback(std::string("\1\0\0\0\0", 5)), "too many" },
        { suback(std::string("\1\0\0\0", 4), "\xFF\xF2"), "another id" },
        { suback(std::string("\1\0\0\0", 4)) + suback(std::string("\0", 1)), "a second one" },
        { UNSUBACK, "of nothing" },
        { std::string("\xB0\x02\xFF\xF1", 4), "UNSUBACK of SUBSCRIBE" }
    };
    for (const auto &c : cases) {
        for (size_t limit : { 1u, 100u }) {
            Everything f;
            f.work(4);
            f.hear(CONNACK);
            f.read_limit = limit;
            f.inbound = c.bytes;
            f.work(40);
            CAPTURE(c.what, limit);
            CHECK_FALSE(f.is_open);
            CHECK(f.error().code == IOTHUB_CODE_UNEXPECTED_PACKET);
            CHECK(f.error().layer == IOTHUB_LAYER_PROTOCOL);
        }
    }
}

TEST_CASE("subscribe: a SUBACK before SUBSCRIBE was written closes the connection, and does not hang")
{
    Features f(4096);
    f.want_messages();
    REQUIRE(f.set(IOTHUB_OPTION_PIPELINED_START, (IOTHUB_BOOL)false) == IOTHUB_CLIENT_OK);
    f.work(3);
    f.write_limit = 0;
    f.inbound = CONNACK + suback("\1");
    f.work(3);
    CHECK_FALSE(f.is_open);
    CHECK(f.error().code == IOTHUB_CODE_UNEXPECTED_PACKET);
    Bench nothing;                               /* one that never asks for anything */
    nothing.connect();
    nothing.inbound = suback("\1");
    nothing.work(2);
    CHECK_FALSE(nothing.is_open);
}

TEST_CASE("subscribe: every split of SUBACK is the same")
{
    for (size_t limit = 1; limit < 10; ++limit) {
        Everything f;
        f.work(4);
        f.read_limit = limit;
        f.hear(CONNACK + suback(std::string("\1\0\0\0", 4)));
        CHECK(f.is_open);
        CHECK(f.said().find("GET") != std::string::npos);
    }
}

TEST_CASE("subscribe: half written for long it is not late: its time counts from its last byte")
{
    Features f(4096);
    f.want_messages();
    REQUIRE(f.set(IOTHUB_OPTION_PIPELINED_START, (IOTHUB_BOOL)false) == IOTHUB_CLIENT_OK);
    f.work(3);
    f.write_limit = 1;
    f.inbound = CONNACK;
    f.work();                                    /* eight bytes of it */
    f.write_limit = 0;
    pass(f, 100000);
    CHECK(f.is_open);
    f.write_limit = 100000;
    f.work(2);
    pass(f, 55000);
    CHECK(f.is_open);
    f.hear(suback("\1"));
    CHECK(f.is_open);
    CHECK(f.error().code == IOTHUB_CODE_NONE);
}

/* ---- everything together ---- */

namespace {

/* The same numbers in every run. */
struct Dice {
    uint32_t state;
    explicit Dice(uint32_t seed) : state(seed * 2654435761u | 1u) {}
    uint32_t below(uint32_t limit)
    {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state % limit;
    }
};

std::string text(Dice &dice, size_t most)
{
    static const char letters[] = "abc%&=?/$.41*\"{}";
    std::string out;
    for (uint32_t n = dice.below((uint32_t)most + 1); n != 0; --n) {
        out += letters[dice.below(sizeof letters - 1)];
    }
    return out;
}

/* Something that a hub may send, or nearly. */
std::string packet(Dice &dice, unsigned &id, int &version)
{
    static const char *const large[] = { "", "", "", "x" };
    const std::string body = text(dice, 30) + std::string(*large[dice.below(4)] ? dice.below(1500) : 0, 'x');
    switch (dice.below(9)) {
    case 0: return publish(C2D + text(dice, 40), body, 1 + dice.below(6));
    case 1: return publish(C2D + "%24.mid=" + text(dice, 6) + "&a=" + text(dice, 90), body, ++id % 200 + 10);
    case 2: return publish(C2D + text(dice, 10), body);
    case 3: version += (int)dice.below(3); return publish(TWIN_PATCH + std::to_string(version), body);
    case 4: return publish(TWIN_ANSWER + (dice.below(3) ? "200" : "429") + "/?$rid=" + std::to_string(65537 + dice.below(8)) + "&" + text(dice, 10),
        dice.below(2) ? document(version, "\"x\":\"" + std::string(dice.below(900), 'x') + "\",") : body);
    case 5: return publish(TWIN_ANSWER + "204/?$rid=" + std::to_string(dice.below(20)), "");
    case 6: return call(dice.below(2) ? text(dice, 12) : "m", std::to_string(dice.below(100)), body);
    case 7: return publish(text(dice, 30) + "x", body, dice.below(2));
    default: return puback(dice.below(12));
    }
}

}

TEST_CASE("features: random traffic into inboxes of all sizes: nothing breaks, nothing is acknowledged that was not accepted")
{
    unsigned all_acknowledged = 0;
    for (uint32_t seed = 1; seed <= 150; ++seed) {
        Dice dice(seed);
        Features f(500 + dice.below(1500));
        unsigned id = 0, acknowledged = 0;
        const unsigned refuses = seed % 2;       /* this application accepts no message */
        int version = 1;
        bool on[5];
        for (bool &b : on) {
            b = dice.below(4) != 0;
        }
        CAPTURE(seed);
        if (on[0]) IoTHubDeviceClient_SetMessageCallback(f.hub, Features::on_message, &f);
        if (on[1]) IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, Features::on_twin, &f);
        if (on[2]) IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, Features::on_method, &f);
        else IoTHubDeviceClient_SetDeviceMethodCallback_Ex(f.hub, Features::on_inbound_method, &f);
        if (on[3]) IoTHubDeviceClient_SetPieceCallback(f.hub, Features::on_piece, &f);
        f.online();
        for (int step = 0; step < 120; ++step) {
            f.read_limit = 1 + dice.below(80);
            f.write_limit = dice.below(4) ? 100000 : dice.below(40);
            f.disposition = (IOTHUBMESSAGE_DISPOSITION_RESULT)(dice.below(4 - refuses) + refuses);
            f.piece_answer = (IOTHUBMESSAGE_DISPOSITION_RESULT)(dice.below(4 - refuses) + refuses);
            f.inbound += packet(dice, id, version);
            for (uint32_t n = dice.below(30); n != 0; --n) {
                f.work();
            }
            switch (dice.below(12)) {
            case 0: f.report("{}"); break;
            case 1: f.get(); break;
            case 2: f.send(std::string(dice.below(300), 't')); break;
            case 3: case 4: case 5:
                if (!f.handles.empty()) {
                    f.settle(f.handles[dice.below((uint32_t)f.handles.size())], (IOTHUBMESSAGE_DISPOSITION_RESULT)(dice.below(3 - refuses) + refuses));
                }
                break;
            case 6: case 7:
                if (!f.methods.empty()) {
                    f.respond(f.methods[dice.below((uint32_t)f.methods.size())], std::string(dice.below(100), 'r'));
                }
                break;
            case 8: f.after(dice.below(40000)); break;
            default: break;
            }
            for (const Packet &p : f.sent()) {
                acknowledged += p.type == 4;
            }
            REQUIRE((!refuses || acknowledged == 0));
            if (f.is_open && dice.below(40) == 0) {
                f.dead_read = true;
                f.inbound.clear();
                f.work(2);
            }
            if (!f.is_open) {
                f.write_limit = 100000;
                f.read_limit = 100000;
                f.dead_read = false;
                for (IOTHUB_MESSAGE_HANDLE handle : f.handles) {
                    f.settle(handle, IOTHUBMESSAGE_ABANDONED); /* a small inbox may wait for that */
                }
                for (const Piece &p : f.pieces) {
                    if (p.message != NULL) {
                        f.settle(p.message, IOTHUBMESSAGE_ABANDONED);
                    }
                }
                f.until_open(400000);
                f.inbound.clear();
                f.online();
            }
            REQUIRE_FALSE(f.contract_broken);
        }
        /* what was written is whole packets of the kinds that a client sends */
        f.write_limit = 100000;
        f.read_limit = 100000;
        f.work(20);
        for (const Packet &p : f.sent()) {
            CHECK((p.type == 3 || p.type == 4 || p.type == 8 || p.type == 10 || p.type == 12));
        }
        all_acknowledged += acknowledged;
    }
    CHECK(all_acknowledged != 0);
}

/* ---- NULL ---- */

TEST_CASE("features: a NULL handle is INVALID_ARG everywhere, and so is every argument that must not be NULL")
{
    Features f(4096);
    IOTHUB_DEVICE_CLIENT_HANDLE d = NULL;
    IOTHUB_MODULE_CLIENT_HANDLE m = NULL;
    time_t when;
    const unsigned char text[] = "{}";
    METHOD_HANDLE handle = (METHOD_HANDLE)(size_t)1;
    void *storage[32];
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, text, 2);
    const IOTHUB_CLIENT_RESULT results[] = {
        IoTHubDeviceClient_SetMessageCallback(d, Features::on_message, NULL), IoTHubDeviceClient_SetMessageCallback(d, NULL, NULL),
        IoTHubDeviceClient_SendMessageDisposition(d, message, IOTHUBMESSAGE_ACCEPTED), IoTHubDeviceClient_GetLastMessageReceiveTime(d, &when),
        IoTHubDeviceClient_SetDeviceTwinCallback(d, Features::on_twin, NULL), IoTHubDeviceClient_GetTwinAsync(d, Features::on_twin, NULL),
        IoTHubDeviceClient_SendReportedState(d, text, 2, NULL, NULL), IoTHubDeviceClient_SetDeviceMethodCallback(d, Features::on_method, NULL),
        IoTHubDeviceClient_SetDeviceMethodCallback_Ex(d, Features::on_inbound_method, NULL),
        IoTHubDeviceClient_DeviceMethodResponse(d, handle, text, 2, 200), IoTHubDeviceClient_SubscribeToCommands(d, Features::on_command, NULL),
        IoTHubDeviceClient_SendPropertiesAsync(d, text, 2, NULL, NULL), IoTHubDeviceClient_GetPropertiesAsync(d, Features::on_properties, NULL),
        IoTHubDeviceClient_GetPropertiesAndSubscribeToUpdatesAsync(d, Features::on_properties, NULL),
        IoTHubDeviceClient_SendTelemetryAsync(d, message, NULL, NULL), IoTHubDeviceClient_SendEventKeptAsync(d, message, NULL, NULL),
        IoTHubDeviceClient_SetPieceCallback(d, Features::on_piece, NULL), IoTHubDeviceClient_SetCredentialCallback(d, NULL, NULL),
        IoTHubModuleClient_SetMessageCallback(m, Features::on_message, NULL), IoTHubModuleClient_SetInputMessageCallback(m, "in", Features::on_message, NULL),
        IoTHubModuleClient_SetInputMessageCallback(m, NULL, NULL, NULL), IoTHubModuleClient_SendMessageDisposition(m, message, IOTHUBMESSAGE_ACCEPTED),
        IoTHubModuleClient_GetLastMessageReceiveTime(m, &when), IoTHubModuleClient_SetModuleTwinCallback(m, Features::on_twin, NULL),
        IoTHubModuleClient_GetTwinAsync(m, Features::on_twin, NULL), IoTHubModuleClient_SendReportedState(m, text, 2, NULL, NULL),
        IoTHubModuleClient_SetModuleMethodCallback(m, Features::on_method, NULL),
        IoTHubModuleClient_SetModuleMethodCallback_Ex(m, Features::on_inbound_method, NULL),
        IoTHubModuleClient_ModuleMethodResponse(m, handle, text, 2, 200), IoTHubModuleClient_SubscribeToCommands(m, Features::on_command, NULL),
        IoTHubModuleClient_SendPropertiesAsync(m, text, 2, NULL, NULL), IoTHubModuleClient_GetPropertiesAsync(m, Features::on_properties, NULL),
        IoTHubModuleClient_GetPropertiesAndSubscribeToUpdatesAsync(m, Features::on_properties, NULL),
        IoTHubModuleClient_SendTelemetryAsync(m, message, NULL, NULL), IoTHubModuleClient_SendEventKeptAsync(m, message, NULL, NULL),
        IoTHubModuleClient_SetPieceCallback(m, Features::on_piece, NULL), IoTHubModuleClient_SetCredentialCallback(m, NULL, NULL),
        /* with a handle */
        IoTHubDeviceClient_SendMessageDisposition(f.hub, NULL, IOTHUBMESSAGE_ACCEPTED),
        IoTHubDeviceClient_SendMessageDisposition(f.hub, message, IOTHUBMESSAGE_ACCEPTED), /* a message of ours */
        IoTHubDeviceClient_SendMessageDisposition(f.hub, message, IOTHUBMESSAGE_ASYNC_ACK),
        IoTHubDeviceClient_GetLastMessageReceiveTime(f.hub, NULL),
        IoTHubDeviceClient_GetTwinAsync(f.hub, NULL, NULL), IoTHubDeviceClient_GetPropertiesAsync(f.hub, NULL, NULL),
        IoTHubDeviceClient_SendReportedState(f.hub, NULL, 2, NULL, NULL), IoTHubDeviceClient_SendReportedState(f.hub, text, 0, NULL, NULL),
        IoTHubDeviceClient_SendPropertiesAsync(f.hub, NULL, 2, NULL, NULL), IoTHubDeviceClient_SendPropertiesAsync(f.hub, text, 0, NULL, NULL),
        IoTHubDeviceClient_SendTelemetryAsync(f.hub, NULL, NULL, NULL), IoTHubDeviceClient_SendEventKeptAsync(f.hub, NULL, NULL, NULL),
        IoTHubDeviceClient_SendTelemetryAsync(f.hub, message, NULL, &f), IoTHubDeviceClient_SendEventKeptAsync(f.hub, message, NULL, &f)
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; ++i) {
        CAPTURE(i);
        CHECK(results[i] == IOTHUB_CLIENT_INVALID_ARG);
    }
    IoTHubMessage_Destroy(message);
}

TEST_CASE("features: a kept message is settled with a disposition only, and ASYNC_ACK is none")
{
    Features f(4096);
    f.disposition = IOTHUBMESSAGE_ASYNC_ACK;
    f.want_messages();
    f.online();
    f.hear(publish(C2D, "x", 1));
    CHECK(f.settle(f.handles[0], IOTHUBMESSAGE_ASYNC_ACK) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_OK);   /* it was not freed by that */
}

TEST_CASE("features: an inbox too small for a feature is an error that says what is missing, and the client goes on without it")
{
    for (int feature = 0; feature < 4; ++feature) {
        Features f(80);
        IOTHUB_CLIENT_RESULT result = feature == 0 ? IoTHubDeviceClient_SetMessageCallback(f.hub, Features::on_message, &f)
            : feature == 1 ? IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, Features::on_twin, &f) : feature == 2 ? f.get() : f.report("{}");
        CAPTURE(feature);
        CHECK(result == IOTHUB_CLIENT_ERROR);
        CHECK(f.error().code == IOTHUB_CODE_INBOX_TOO_SMALL);
        size_t missing = f.error().bytes_missing;
        CHECK(missing != 0);
        f.connect();
        REQUIRE(f.send("x") == IOTHUB_CLIENT_OK);
        f.work();
        CHECK(packets(f.outbound).back().body == "x");
        Features more(80 + missing + 8);
        result = feature == 0 ? IoTHubDeviceClient_SetMessageCallback(more.hub, Features::on_message, &more)
            : feature == 1 ? IoTHubDeviceClient_SetDeviceTwinCallback(more.hub, Features::on_twin, &more) : feature == 2 ? more.get() : more.report("{}");
        CHECK(result == IOTHUB_CLIENT_OK);
    }
}

/* ---- calls in callbacks ---- */

namespace {

/* Each public call, once. None of their results matters here but that they come back. */
const int CALLS = 24;
void make_call(Features &f, int number)
{
    static const unsigned char text[] = "{}";
    IOTHUB_CLIENT_STATUS status;
    IOTHUB_CLIENT_RETRY_POLICY policy;
    IOTHUB_ERROR error;
    IOTHUB_STATISTICS statistics;
    size_t limit;
    time_t when;
    int keep_alive = 100;
    switch (number) {
    case 0: f.send("from a callback"); break;
    case 1: IoTHubDeviceClient_GetSendStatus(f.hub, &status); break;
    case 2: IoTHubDeviceClient_SetConnectionStatusCallback(f.hub, Bench::on_status, static_cast<Bench *>(&f)); break;
    case 3: IoTHubDeviceClient_SetRetryPolicy(f.hub, IOTHUB_CLIENT_RETRY_IMMEDIATE, 0); break;
    case 4: IoTHubDeviceClient_GetRetryPolicy(f.hub, &policy, &limit); break;
    case 5: IoTHubDeviceClient_SetOption(f.hub, OPTION_KEEP_ALIVE, &keep_alive); break;
    case 6: IoTHubDeviceClient_DoWork(f.hub); break;
    case 7: IoTHubDeviceClient_GetNextWork(f.hub); break;
    case 8: IoTHubDeviceClient_GetLastError(f.hub, &error); break;
    case 9: IoTHubDeviceClient_GetStatistics(f.hub, &statistics); break;
    case 10: IoTHubDeviceClient_Stop(f.hub); break;
    case 11: IoTHubDeviceClient_Start(f.hub); break;
    case 12: IoTHubDeviceClient_SetMessageCallback(f.hub, NULL, NULL); break;
    case 13: IoTHubDeviceClient_SetMessageCallback(f.hub, Features::on_message, &f); break;
    case 14: f.settle(f.handles.empty() ? NULL : f.handles.back()); break;
    case 15: IoTHubDeviceClient_GetLastMessageReceiveTime(f.hub, &when); break;
    case 16: IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, NULL, NULL); break;
    case 17: f.get(); break;
    case 18: f.report("{\"x\":1}"); break;
    case 19: IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL); break;
    case 20: f.respond(f.methods.empty() ? NULL : f.methods.back(), "{}"); break;
    case 21: IoTHubDeviceClient_SetPieceCallback(f.hub, NULL, NULL); break;
    case 22: IoTHubDeviceClient_SetDeviceMethodCallback_Ex(f.hub, Features::on_inbound_method, &f); break;
    default: IoTHubDeviceClient_SendReportedState(f.hub, text, 2, NULL, NULL); break;
    }
}

/* Something that ends in one callback each. */
const int EVENTS = 10;
std::string happens(Features &f, int event)
{
    switch (event) {
    case 0: return publish(C2D + "a=b", "x", 1);
    case 1: return twin_answer(200, "65538", document(9));
    case 2: return patch(4);
    case 3: return call("m", "1");
    case 4: return publish(C2D, std::string(4000, 'x'), 2);
    case 5: return publish(TWIN_PATCH + "4", std::string(4000, 'x'));
    case 6: return call("m", "2", std::string(4000, 'x'));
    case 7: return twin_answer(204, "1");
    case 8: return puback(2);
    default: f.dead_read = true; return "";
    }
}

}

TEST_CASE("features: every call from every callback comes back, and the client lives on")
{
    for (int event = 0; event < EVENTS; ++event) {
        for (int number = 0; number < CALLS; ++number) {
            for (int later = 0; later < 2; ++later) {
                Features f(2048);
                CAPTURE(event, number, later);
                f.want_messages();
                if (later) {
                    f.want_methods_ex();
                } else {
                    f.want_methods();
                }
                f.want_pieces();
                f.with_twin(3);
                REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
                REQUIRE((event == 2 || event == 5 || f.get() == IOTHUB_CLIENT_OK)); /* a patch is dropped while a document is asked for */
                REQUIRE(f.send("telemetry") == IOTHUB_CLIENT_OK);
                f.work(2);
                int calls = 0;
                f.during = [&] { if (calls++ < 3) make_call(f, number); };
                f.during_confirmation = [&](int) { if (calls++ < 3) make_call(f, number); };
                f.hear(happens(f, event));
                if (event == 9) {
                    f.work(2);
                }
                f.during = nullptr;
                f.during_confirmation = nullptr;
                CHECK_FALSE(f.contract_broken);
                REQUIRE(IoTHubDeviceClient_Start(f.hub) == IOTHUB_CLIENT_OK);
                f.work(5);
                f.outbound.clear();
                uint32_t before = f.statistics().connections;
                f.dead_read = f.is_open;
                f.work(3);
                f.dead_read = false;
                f.until_open(400000);
                f.work(3);
                f.hear(CONNACK);
                CHECK(f.statistics().connections == before + 1);
                CHECK_FALSE(f.contract_broken);
            }
        }
    }
}

TEST_CASE("features: Destroy from every callback takes effect when DoWork returns; everything pending is told once")
{
    for (int event = 0; event < EVENTS - 1; ++event) {
        Features f(2048);
        CAPTURE(event);
        f.want_messages();
        f.want_methods();
        f.want_pieces();
        f.with_twin(3);
        REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
        bool asked = event != 2 && event != 5;   /* a patch is dropped while a document is asked for */
        REQUIRE((!asked || f.get() == IOTHUB_CLIENT_OK));
        REQUIRE(f.send("telemetry") == IOTHUB_CLIENT_OK);
        f.work(2);
        bool destroyed = false;
        IOTHUB_CLIENT_RESULT after = IOTHUB_CLIENT_OK;
        auto destroy = [&] {
            if (!destroyed) {
                destroyed = true;
                IoTHubDeviceClient_Destroy(f.hub);
                after = f.get();
            }
        };
        f.during = destroy;
        f.during_confirmation = [&](int) { destroy(); };
        f.inbound = happens(f, event);
        for (int i = 0; i < 100 && !destroyed; ++i) {
            f.work();
        }
        REQUIRE(destroyed);
        CHECK(after == IOTHUB_CLIENT_ERROR);
        f.hub = NULL;
        CHECK_FALSE(f.is_open);
        CHECK(f.confirmations.size() == 1);
        CHECK(f.reported.size() == 1);
        CHECK(f.gets.size() == (asked ? 1u : 0u));
    }
}

TEST_CASE("features: a NUL in a topic closes the connection [MQTT-1.5.3-2]")
{
    Features f;
    f.want_messages();
    f.connect();
    f.inbound += publish(C2D + std::string("a\0=b&a=c", 8), "x", 5);
    f.work(2);
    CHECK_FALSE(f.is_open);
    CHECK(f.error().code == IOTHUB_CODE_MALFORMED_PACKET);
}

TEST_CASE("features: a stream that waits for entropy is waited for, and said so")
{
    Features f;
    f.open_result = 0;
    f.layer = IOTHUB_LAYER_ENTROPY;
    for (int i = 0; i < 100; ++i) f.after(1000);
    CHECK(f.error().code == IOTHUB_CODE_NO_ENTROPY);
    CHECK(f.statuses.empty());
    f.open_result = 1;
    f.work(2);
    CHECK(f.is_open);
}

TEST_CASE("features: refusals are counted up to 255")
{
    Features f;
    for (int i = 0; i < 260; ++i) {
        f.until_open(400000);
        f.inbound += std::string("\x20\x02\x00\x05", 4);
        f.work(2);
    }
    CHECK(reinterpret_cast<struct iothubi_client *>(f.hub)->refusals == 255);
}

TEST_CASE("features: a disposition that is none is INVALID_ARG")
{
    Features f;
    void *storage[64];
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, NULL, 0);
    CHECK(IoTHubDeviceClient_SendMessageDisposition(f.hub, message, static_cast<IOTHUBMESSAGE_DISPOSITION_RESULT>(-1)) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SendMessageDisposition(f.hub, message, IOTHUBMESSAGE_ASYNC_ACK) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SendMessageDisposition(f.hub, message, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_INVALID_ARG);
}
