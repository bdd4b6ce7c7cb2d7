/* Cloud-to-device messages through real TLS and the emulator: dispositions, order, reconnects, pieces, and what does not fit. */
#include <catch2/catch.hpp>
#include <set>
#include "features.h"

namespace {

struct Listener : Features {
    Listener(const Hub &hub, IOTHUBMESSAGE_DISPOSITION_RESULT how = IOTHUBMESSAGE_ACCEPTED, size_t inbox = 1536)
        : Features(hub.connection("d1"), hub.root, inbox)
    {
        disposition = how;
        if (IoTHubDeviceClient_SetMessageCallback(Device::hub, on_message, this) != IOTHUB_CLIENT_OK) throw std::runtime_error("SetMessageCallback");
    }
    bool run_until_acknowledged(FeatureHub &hub, size_t count) { return run([&] { return hub.count("acknowledged") >= count; }); }
};

void send(FeatureHub &hub, const std::string &body, const std::string &id = "d1") { hub.command_line("c2d " + id + " {\"body\":\"" + body + "\"}"); }

} // namespace

TEST_CASE("c2d: a message arrives with all its properties, and ACCEPTED acknowledges it")
{
    FeatureHub hub({ "--device", std::string("other,key=") + KEY });
    Listener device(hub);
    REQUIRE(device.run_until_ready());
    time_t received = 0;
    CHECK(IoTHubDeviceClient_GetLastMessageReceiveTime(device.hub, &received) == IOTHUB_CLIENT_INDEFINITE_TIME);
    hub.command_line("c2d d1 {\"body\":\"open\",\"messageId\":\"m/1\",\"correlationId\":\"c 1\",\"userId\":\"me\",\"contentType\":\"text/plain\","
        "\"contentEncoding\":\"utf-8\",\"properties\":{\"room\":\"lab 1\",\"a&b=c\":\"100%&=/#+?\",\"empty\":\"\"}}");
    REQUIRE(device.run_until_messages(1));
    Message &message = device.messages[0];
    CHECK(message.body == "open");
    CHECK(message.id == "m/1");
    CHECK(message.properties["room"] == "lab 1");
    CHECK(message.properties["a&b=c"] == "100%&=/#+?");
    CHECK(message.properties.count("empty") == 1);
    CHECK(message.properties["empty"].empty());
    REQUIRE(device.run_until_acknowledged(hub, 1));
    CHECK(hub.waiting() == "0");
    CHECK(IoTHubDeviceClient_GetLastMessageReceiveTime(device.hub, &received) == IOTHUB_CLIENT_OK);
    CHECK(received > 1700000000);
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: what waited in the hub arrives in order at the first connection")
{
    FeatureHub hub;
    for (int i = 0; i < 20; ++i) send(hub, "message " + std::to_string(i));
    Listener device(hub);
    REQUIRE(device.run_until_messages(20));
    for (size_t i = 0; i < 20; ++i) CHECK(device.messages[i].body == "message " + std::to_string(i));
    REQUIRE(device.run_until_acknowledged(hub, 20));
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: REJECTED and ABANDONED acknowledge nothing, at once and later, and the message comes again")
{
    for (bool later : { false, true }) {
        for (IOTHUBMESSAGE_DISPOSITION_RESULT how : { IOTHUBMESSAGE_REJECTED, IOTHUBMESSAGE_ABANDONED }) {
            INFO("later " << later << ", disposition " << how);
            FeatureHub hub;
            Listener device(hub, later ? IOTHUBMESSAGE_ASYNC_ACK : how);
            REQUIRE(device.run_until_ready());
            send(hub, "again");
            REQUIRE(device.run_until_messages(1));
            if (later) {
                CHECK(device.settle(0, how) == IOTHUB_CLIENT_OK);
                CHECK(device.settle(0, how) == IOTHUB_CLIENT_INVALID_ARG);
            }
            device.run_for(300);
            CHECK(hub.count("acknowledged") == 0);
            CHECK(hub.waiting() == "1");
            device.disposition = IOTHUBMESSAGE_ACCEPTED;
            hub.command_line("kick d1");
            REQUIRE(device.run_until_acknowledged(hub, 1));
            CHECK(device.messages.back().body == "again");
            CHECK(device.messages.size() == 2);
            CHECK(hub.waiting() == "0");
            CHECK(hub.end() == 0);
        }
    }
}

TEST_CASE("c2d: messages settled after the callback, in any order, are acknowledged in the order in which they came")
{
    FeatureHub hub({ "--switch", "c2d-acks=close" });
    Listener device(hub, IOTHUBMESSAGE_ASYNC_ACK);
    REQUIRE(device.run_until_ready());
    for (int i = 0; i < 4; ++i) send(hub, "message " + std::to_string(i));
    REQUIRE(device.run_until_messages(4));
    for (size_t i = 0; i < 4; ++i) CHECK(Features::read(device.messages[i].handle).body == "message " + std::to_string(i));
    for (size_t i : { 2, 3, 1 }) CHECK(device.settle(i, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK);
    device.run_for(200);
    CHECK(hub.count("acknowledged") == 0);
    CHECK(device.settle(0, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_acknowledged(hub, 4));
    CHECK(hub.fields("acknowledged", "sequence") == std::vector<std::string>({ "1", "2", "3", "4" }));
    for (size_t i = 0; i < 4; ++i) CHECK(device.settle(i, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: a handle from before a reconnect is readable, is settled once, and acknowledges nothing")
{
    FeatureHub hub;
    Listener device(hub, IOTHUBMESSAGE_ASYNC_ACK);
    REQUIRE(device.run_until_ready());
    send(hub, "old");
    REQUIRE(device.run_until_messages(1));
    hub.command_line("kick d1");
    REQUIRE(device.run_until_messages(2));
    CHECK(device.messages[1].body == "old");
    CHECK(Features::read(device.messages[0].handle).body == "old");
    CHECK(device.messages[1].handle != device.messages[0].handle);
    CHECK(device.settle(0, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK);
    CHECK(device.settle(0, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_INVALID_ARG);
    device.run_for(300);
    CHECK(hub.count("acknowledged") == 0);
    CHECK(device.settle(1, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_acknowledged(hub, 1));
    CHECK(json(hub.seen("delivered").back(), "dup") == "true");
    CHECK(hub.waiting() == "0");
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: 64 KB pass a small inbox in pieces, also for a device id of 128 bytes full of escapes")
{
    std::string id(128, '@');
    FeatureHub hub({ "--device", id + ",key=" + KEY });
    for (const std::string &who : { std::string("d1"), id }) {
        Features device(hub.connection(who), hub.root, 1024);
        IOTHUB_CLIENT_RESULT asked = IoTHubDeviceClient_SetMessageCallback(device.hub, Features::on_message, &device);
        INFO(who << ": " << IoTHub_ErrorText(&(device.last = device.error())) << ", " << device.last.bytes_missing << " bytes missing");
        REQUIRE(asked == IOTHUB_CLIENT_OK);
        REQUIRE(IoTHubDeviceClient_SetPieceCallback(device.hub, Features::on_piece, &device) == IOTHUB_CLIENT_OK);
        hub.command_line("c2d " + who + " {\"bodySize\":65000,\"properties\":{\"room\":\"lab 1\"}}");
        hub.command_line("c2d " + who + " {\"body\":\"small\"}");
        REQUIRE(device.run([&] { return hub.count("settled") == (who == id ? 4 : 2); }));
        REQUIRE(device.pieces.size() >= 1);
        CHECK(device.pieces[0].kind == IOTHUB_PIECE_OF_MESSAGE);
        CHECK(device.pieces[0].total == 65000);
        CHECK(device.pieces[0].largest <= 1024);
        CHECK((device.pieces[0].body == alphabet(65000)));
        CHECK((device.messages.size() == 1 ? device.messages[0].body : device.pieces.at(1).body) == "small");
    }
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: pieces that a lost connection cuts are told, and the message comes again whole")
{
    FeatureHub hub;
    Features device(hub.connection("d1"), hub.root, 1024);
    REQUIRE(IoTHubDeviceClient_SetMessageCallback(device.hub, Features::on_message, &device) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetPieceCallback(device.hub, Features::on_piece, &device) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_ready());
    hub.fault("cut-connections=1");
    hub.fault("cut-after-out=20000");
    hub.command_line("c2d d1 {\"bodySize\":60000}");
    REQUIRE(device.run([&] { return hub.count("settled") == 1; }));
    REQUIRE(device.pieces.size() == 2);
    CHECK(device.pieces[0].cuts == 1);
    CHECK(device.pieces[1].cuts == 0);
    CHECK((device.pieces[1].body == alphabet(60000)));
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: a message that finds no room is skipped in step, told, and left with the hub")
{
    FeatureHub hub;
    Listener device(hub);
    REQUIRE(device.run_until_ready());
    hub.command_line("c2d d1 {\"bodySize\":60000}");
    send(hub, "behind it");
    REQUIRE(device.run_until_messages(1));
    CHECK(device.messages[0].body == "behind it");
    CHECK(device.error().code == IOTHUB_CODE_MESSAGE_SKIPPED);
    CHECK(device.error().bytes_missing > 0);
    CHECK(device.statistics().received_skipped == 1);
    REQUIRE(device.run_until_acknowledged(hub, 1));
    CHECK(hub.waiting() == "1");
    unsigned int limit = 2;
    REQUIRE(IoTHubDeviceClient_SetOption(device.Device::hub, IOTHUB_OPTION_OVERSIZE_LIMIT, &limit) == IOTHUB_CLIENT_OK);
    hub.command_line("kick d1");
    device.run_for(1500);
    hub.command_line("kick d1");
    REQUIRE(device.run_until_acknowledged(hub, 2));
    CHECK(hub.waiting() == "0");
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: properties that cannot be decoded do not make a message undeliverable")
{
    FeatureHub hub;
    Listener device(hub);
    REQUIRE(device.run_until_ready());
    hub.command_line("c2d d1 {\"body\":\"odd\",\"bag\":\"%24.mid=a%zz&b%=%&&=&c&%00=x&d=%C3%28\"}");
    REQUIRE(device.run_until_messages(1));
    CHECK(device.messages[0].body == "odd");
    CHECK(device.messages[0].id == "a%zz");
    REQUIRE(device.run_until_acknowledged(hub, 1));
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: a message in the same segment as CONNACK is taken")
{
    FeatureHub hub({ "--fault", "merge-out=50" });
    {
        Listener before(hub);
        REQUIRE(before.run_until_ready());
        before.run_for(300);
    }
    send(hub, "right behind");
    Listener device(hub);
    REQUIRE(device.run_until_messages(1));
    CHECK(device.messages[0].body == "right behind");
    REQUIRE(device.run_until_acknowledged(hub, 1));
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: what nobody asked for is left with the hub, and the old subscription is given up")
{
    FeatureHub hub;
    hub.command_line("set-session d1 [\"devices/d1/messages/devicebound/#\"]");
    send(hub, "for somebody");
    Features device(hub.connection("d1"), hub.root);
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(device.Device::hub, Features::on_method, &device) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return hub.count("unsubscribe") == 1; }));
    CHECK(hub.count("acknowledged") == 0);
    CHECK(hub.waiting() == "1");
    CHECK(device.statistics().received_unhandled <= 1);
    CHECK(hub.end() == 0);
}

TEST_CASE("c2d: QoS 1 twice is given twice, and acknowledged twice")
{
    FeatureHub hub({ "--fault", "c2d=twice" });
    Listener device(hub);
    REQUIRE(device.run_until_ready());
    send(hub, "twice");
    REQUIRE(device.run_until_messages(2));
    REQUIRE(device.run([&] { return hub.count("settled") == 1; }));
    CHECK(hub.waiting() == "0");
}

TEST_CASE("c2d: more messages than slots and room, all held, pass when they are settled, none lost")
{
    FeatureHub hub({ "--switch", "c2d-lock=3" });    /* what was skipped comes again then */
    Listener device(hub, IOTHUBMESSAGE_ASYNC_ACK, 1024);
    for (int i = 0; i < 8; ++i) send(hub, "message " + std::to_string(i) + std::string(100, '.'));
    std::set<std::string> accepted;
    size_t settled = 0;
    for (int round = 0; round < 8 && accepted.size() < 8; ++round) {
        REQUIRE(device.run_until_messages(settled + 1));
        device.run_for(200);                     /* held, while the others arrive */
        for (; settled < device.messages.size(); ++settled) {
            if (device.settle(settled, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK) accepted.insert(device.messages[settled].body);
        }
    }
    CHECK(accepted.size() == 8);
    CHECK(device.run([&] { return hub.waiting() == "0"; }));
    CHECK(device.statistics().received_skipped > 0);
}

TEST_CASE("c2d: a message whose lock ended while it was held is sent again; under its old packet id it is one, under another two")
{
    for (const char *id : { "same", "new" }) {
        INFO(id);
        FeatureHub hub({ "--switch", "c2d-lock=1", "--switch", std::string("c2d-packet-id=") + id });
        Listener device(hub, IOTHUBMESSAGE_ASYNC_ACK);
        REQUIRE(device.run_until_ready());
        send(hub, "slow work");
        REQUIRE(device.run([&] { return hub.count("delivered") >= 2; }));
        device.run_for(100);
        CHECK(device.messages.size() == (std::string(id) == "new" ? 2u : 1u));
        for (size_t i = 0; i < device.messages.size(); ++i) CHECK(device.settle(i, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK);
        REQUIRE(device.run([&] { return hub.count("settled") == 1; }));
        device.run_for(300);
        CHECK(hub.waiting() == "0");
        CHECK(device.reasons.size() == 1);
    }
}
