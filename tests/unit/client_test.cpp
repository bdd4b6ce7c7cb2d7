/* The client's life against a platform of scripts: state machine, session, outbox, deadlines. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "bench.h"

TEST_CASE("client: connects with its first DoWork, and the first message leaves with CONNECT")
{
    Bench b;
    b.hold = true;
    REQUIRE(b.next() == 0);
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("two") == IOTHUB_CLIENT_OK);
    REQUIRE(b.opens == 0);
    b.work();
    REQUIRE(b.host == "hub.example.net");
    REQUIRE(b.port == 8883);
    std::vector<Packet> out = b.sent();
    REQUIRE(out.size() == 3);
    CHECK(out[0].type == 1);
    CHECK(out[1].body == "one");
    CHECK(out[1].topic == "devices/d1/messages/events/");
    CHECK(out[1].id == 1);
    CHECK(out[2].body == "two");
    CHECK(out[2].id == 2);
    CHECK_FALSE(out[1].dup());
    CHECK(b.pushes.size() == 1);        /* one flight: one record below */
    CHECK(b.writes.back() == out[1].raw + out[2].raw);   /* messages side by side leave in one write */
    CHECK(b.signed_text == "hub.example.net%2Fdevices%2Fd1\n1893456000");
    b.inbound = CONNACK + puback(1) + puback(2);
    b.work();
    REQUIRE(b.confirmations.size() == 2);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_OK);
    REQUIRE(b.statuses.size() == 1);
    CHECK(b.statuses[0].reason == IOTHUB_CLIENT_CONNECTION_OK);
    IOTHUB_CLIENT_STATUS status;
    REQUIRE(IoTHubDeviceClient_GetSendStatus(b.hub, &status) == IOTHUB_CLIENT_OK);
    CHECK(status == IOTHUB_CLIENT_SEND_STATUS_IDLE);
    CHECK_FALSE(b.contract_broken);
}

TEST_CASE("client: HostName with a port dials it and keeps it out of audience and user name")
{
    Bench b("HostName=localhost:18883;DeviceId=d1;SharedAccessKey=AAAA");
    b.work();
    CHECK(b.host == "localhost");
    CHECK(b.port == 18883);
    CHECK(b.signed_text.find("localhost%2Fdevices%2Fd1\n") == 0);
    CHECK(b.outbound.find("localhost/d1/?api-version=2021-04-12") != std::string::npos);
    CHECK(b.outbound.find("18883") == std::string::npos);
}

TEST_CASE("client: GatewayHostName changes only the host that is dialled")
{
    Bench b("HostName=hub.example.net;DeviceId=d1;SharedAccessKey=AAAA;GatewayHostName=edge:8884");
    b.work();
    CHECK(b.host == "edge");
    CHECK(b.port == 8884);
    CHECK(b.signed_text.find("hub.example.net%2F") == 0);
    CHECK(b.outbound.find("hub.example.net/d1/?") != std::string::npos);
}

TEST_CASE("client: every split of what the hub sends gives the same confirmations")
{
    const std::string all = CONNACK + puback(1) + puback(2) + puback(3);
    for (size_t limit = 1; limit <= all.size(); ++limit) {
        Bench b;
        b.read_limit = limit;
        for (int i = 0; i < 3; ++i) REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
        b.work();
        b.inbound = all;
        b.work(20);
        REQUIRE(b.confirmations.size() == 3);
    }
}

TEST_CASE("client: every split of what the stream takes gives the same bytes")
{
    std::string whole;
    for (size_t limit = 400; limit >= 1; --limit) {
        Bench b(KEY_STRING, 2048, 100);  /* a window smaller than CONNECT */
        b.write_limit = limit;
        for (int i = 0; i < 3; ++i) REQUIRE(b.send("body " + std::to_string(i)) == IOTHUB_CLIENT_OK);
        b.work(400);
        REQUIRE_FALSE(b.contract_broken);
        if (whole.empty()) {
            whole = b.outbound;
            REQUIRE(packets(whole).size() == 4);
        }
        REQUIRE(b.outbound == whole);
    }
}

TEST_CASE("client: a write that takes nothing never stops reading")
{
    Bench b;
    b.connect();
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    b.work();
    b.write_limit = 0;
    REQUIRE(b.send("two") == IOTHUB_CLIENT_OK);
    b.work();
    CHECK(b.next() <= 10);
    b.inbound = puback(1);
    b.work();
    CHECK(b.confirmations.size() == 1);
    b.write_limit = 1000;
    b.work();
    CHECK(b.sent().back().body == "two");
    CHECK_FALSE(b.contract_broken);
}

TEST_CASE("client: pipelined start is bounded, and the rest follows CONNACK")
{
    Bench b(KEY_STRING, 8192);
    for (int i = 0; i < 12; ++i) REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work(3);
    CHECK(b.sent().size() == 1 + 8);
    b.inbound = CONNACK;
    b.work(2);
    CHECK(b.sent().size() == 1 + 12);

    Bench large(KEY_STRING, 16384);
    for (int i = 0; i < 5; ++i) REQUIRE(large.send(std::string(900, 'x')) == IOTHUB_CLIENT_OK);
    large.work(3);
    CHECK(large.sent().size() == 1 + 2); /* at most 2 KB */
    IOTHUB_BOOL off = false;
    Bench none;
    REQUIRE(IoTHubDeviceClient_SetOption(none.hub, IOTHUB_OPTION_PIPELINED_START, &off) == IOTHUB_CLIENT_OK);
    REQUIRE(none.send("x") == IOTHUB_CLIENT_OK);
    none.work(3);
    CHECK(none.sent().size() == 1);
}

TEST_CASE("client: a refused CONNECT loses nothing, the next one goes alone, and the reason is told")
{
    Bench b;
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    b.work();
    b.inbound = std::string("\x20\x02\x00\x05", 4);
    b.work();
    CHECK_FALSE(b.is_open);
    REQUIRE(b.statuses.size() == 1);
    CHECK(b.statuses[0].reason == IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL);
    CHECK(b.error().code == IOTHUB_CODE_CONNACK_REFUSED);
    CHECK(b.error().layer == IOTHUB_LAYER_HUB);
    CHECK(b.error().raw == 5);
    CHECK(b.error().retryable);
    CHECK(b.confirmations.empty());
    b.until_open(300000);
    b.work();
    CHECK(b.sent().size() == 1);         /* CONNECT alone: a refusal must be readable */
    b.inbound = CONNACK;
    b.work();
    std::vector<Packet> out = b.sent();
    REQUIRE(out.size() == 2);
    CHECK(out[1].dup());                 /* its bytes were offered before */
    CHECK(out[1].id == 1);
    b.inbound = puback(1);
    b.work();
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_OK);
}

TEST_CASE("client: each CONNACK code is told and none is an end")
{
    struct { int code; IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason; } cases[] = {
        { 1, IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR }, { 2, IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL },
        { 3, IOTHUB_CLIENT_CONNECTION_DEVICE_DISABLED }, { 4, IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL },
        { 5, IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL }, { 99, IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR } };
    for (auto &c : cases) {
        Bench b;
        b.work();
        b.inbound = std::string("\x20\x02\x00", 3) + (char)c.code;
        b.work();
        REQUIRE(b.statuses.size() == 1);
        CHECK(b.statuses[0].reason == c.reason);
        CHECK(b.error().raw == c.code);
        b.until_open(300000);
    }
}

TEST_CASE("client: after a lost connection messages are resent in order with DUP and their old ids")
{
    Bench b(KEY_STRING, 8192);
    b.connect();
    for (int i = 1; i <= 5; ++i) REQUIRE(b.send(std::to_string(i)) == IOTHUB_CLIENT_OK);
    b.work();
    b.inbound = puback(2) + puback(4);
    b.work();
    REQUIRE(b.confirmations.size() == 2);
    REQUIRE(b.send("6") == IOTHUB_CLIENT_OK);
    b.dead_read = true;
    b.work();
    CHECK_FALSE(b.is_open);
    CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
    b.until_open(300000);
    b.inbound = CONNACK;
    b.work(3);
    CHECK(b.sent().size() == 2);         /* after a cut with messages in flight, one at a time */
    b.inbound = puback(1);
    b.work();
    b.work();
    CHECK(b.sent().size() == 4);         /* then two */
    b.inbound = puback(3) + puback(5);
    b.work();
    b.work();
    std::vector<Packet> out = b.sent();
    REQUIRE(out.size() == 5);
    const char *bodies[] = { "1", "3", "5", "6" };
    for (int i = 0; i < 4; ++i) CHECK(out[i + 1].body == bodies[i]);
    CHECK(out[1].dup());
    CHECK(out[2].dup());
    CHECK(out[3].dup());
    CHECK_FALSE(out[4].dup());           /* never offered before */
    CHECK(out[4].id == 6);
    b.inbound = puback(6);
    b.work();
    CHECK(b.confirmations.size() == 6);
    CHECK(b.statistics().repeated == 3);
}

TEST_CASE("client: acknowledgements for nothing are counted and ignored")
{
    Bench b;
    b.connect();
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.inbound = puback(1) + puback(1) + puback(77) + puback(0) + puback(0xFFFF);
    b.work(2);
    CHECK(b.confirmations.size() == 1);
    CHECK(b.statistics().acknowledgements_unknown == 4);
    CHECK(b.is_open);
}

TEST_CASE("client: an acknowledgement of a message that is not whole on the wire is not believed")
{
    Bench b;
    b.connect();
    b.write_limit = 3;                   /* a few bytes a DoWork */
    REQUIRE(b.send("hello") == IOTHUB_CLIENT_OK);
    b.work();
    b.inbound = puback(1);
    b.work();
    CHECK(b.confirmations.empty());
    b.write_limit = 1000;
    b.work();
    b.inbound = puback(1);
    b.work();
    CHECK(b.confirmations.size() == 1);
}

TEST_CASE("client: QoS 0 is confirmed when the stream has it, and is never marked DUP")
{
    Bench b;
    int qos = 0;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_QOS, &qos) == IOTHUB_CLIENT_OK);
    b.connect();
    b.write_limit = 3;
    REQUIRE(b.send("hello") == IOTHUB_CLIENT_OK);
    b.work();
    CHECK(b.confirmations.empty());
    b.dead_read = true;                  /* lost in the middle of it */
    b.work();
    b.write_limit = 1000;
    b.until_open(300000);
    b.inbound = CONNACK;
    b.work();
    b.work();
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_OK);
    CHECK(b.sent().back().flags == 0);
    qos = 2;
    CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_QOS, &qos) == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("client: in flight messages stop at the window")
{
    Bench b(KEY_STRING, 32768);
    unsigned int window = 3;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_IN_FLIGHT, &window) == IOTHUB_CLIENT_OK);
    b.connect();
    for (int i = 0; i < 10; ++i) REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work(3);
    CHECK(b.sent().size() == 1 + 3);
    CHECK(b.statistics().messages_in_flight == 3);
    CHECK(b.statistics().messages_waiting == 10);
    b.inbound = puback(2);
    b.work();
    CHECK(b.sent().size() == 1 + 4);
}

TEST_CASE("client: a full outbox is an error code at once, and a confirmation makes room")
{
    Bench b(KEY_STRING, 400, 256, 2);
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("two") == IOTHUB_CLIENT_OK);
    CHECK(b.send("three") == IOTHUB_CLIENT_ERROR);
    CHECK(b.error().code == IOTHUB_CODE_OUTBOX_FULL);
    CHECK(b.error().retryable);
    CHECK(b.send(std::string(5000, 'x')) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(b.error().code == IOTHUB_CODE_OUTBOX_TOO_SMALL);
    CHECK(b.error().bytes_missing > 4000);
    CHECK_FALSE(b.error().retryable);
    b.connect();
    b.inbound = puback(1);
    b.work();
    CHECK(b.send("three") == IOTHUB_CLIENT_OK);
    CHECK(b.statistics().refused == 2);
    CHECK(b.statistics().accepted == 3);
}

TEST_CASE("client: the largest message that fits goes through a stream that takes little at a time")
{
    Bench b(KEY_STRING, 300000, 256, 4);
    b.connect();
    b.write_limit = 20000;
    std::string body(262144 - 200, 'z');
    REQUIRE(b.send(body) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("after") == IOTHUB_CLIENT_OK);
    b.work(60);
    REQUIRE(b.sent().size() == 3);
    CHECK(b.sent()[1].body == body);
    CHECK(b.sent()[2].body == "after");
    CHECK_FALSE(b.contract_broken);
    CHECK(b.send(std::string(262145, 'z')) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(b.error().code == IOTHUB_CODE_MESSAGE_TOO_LARGE);
}

TEST_CASE("client: a callback may send the same message again without looping in one DoWork")
{
    Bench b;
    int again = 0;
    b.during_confirmation = [&](int) { if (++again <= 5) { REQUIRE(b.send("again") == IOTHUB_CLIENT_OK); } };
    b.connect();
    REQUIRE(b.send("first") == IOTHUB_CLIENT_OK);
    for (unsigned id = 1; id <= 6; ++id) {
        b.work();
        b.inbound = puback(id);
        b.work();
        REQUIRE(b.confirmations.size() == id);
    }
}

TEST_CASE("client: Destroy confirms what is left, in order, and refuses calls meanwhile")
{
    std::vector<Confirmation> seen;
    {
        Bench b(KEY_STRING, 8192);
        b.connect();
        for (int i = 0; i < 4; ++i) REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
        b.work();
        b.inbound = puback(2);
        b.work();
        b.during_confirmation = [&](int) {
            CHECK(b.send("no") == IOTHUB_CLIENT_ERROR);
            IoTHubDeviceClient_DoWork(b.hub);
            IoTHubDeviceClient_Destroy(b.hub);
        };
        IoTHubDeviceClient_Destroy(b.hub);
        CHECK(b.sent().back().type == 14);
        CHECK_FALSE(b.is_open);
        seen = b.confirmations;
        b.hub = NULL;
    }
    REQUIRE(seen.size() == 4);
    CHECK(seen[0].result == IOTHUB_CLIENT_CONFIRMATION_OK);
    int numbers[] = { 2, 1, 3, 4 };
    for (int i = 0; i < 4; ++i) {
        CHECK(seen[i].number == numbers[i]);
        CHECK((i == 0) == (seen[i].result != IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY));
    }
}

TEST_CASE("client: Destroy in a callback takes effect when that DoWork returns; a nested DoWork does nothing")
{
    Bench b;
    b.connect();
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("two") == IOTHUB_CLIENT_OK);
    b.work();
    b.during_confirmation = [&](int number) {
        if (number == 1) {
            IoTHubDeviceClient_DoWork(b.hub);
            IoTHubDeviceClient_Destroy(b.hub);
            CHECK(b.is_open);
        }
    };
    b.inbound = puback(1);
    b.work();
    CHECK_FALSE(b.is_open);
    REQUIRE(b.confirmations.size() == 2);
    CHECK(b.confirmations[1].result == IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY);
    b.hub = NULL;
}

TEST_CASE("client: messageTimeout expires what was not offered, and only that")
{
    Bench b(KEY_STRING, 8192);
    tickcounter_ms_t timeout = 1000;
    REQUIRE(b.send("without") == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_MESSAGE_TIMEOUT, &timeout) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("short") == IOTHUB_CLIENT_OK);
    timeout = 5000;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_MESSAGE_TIMEOUT, &timeout) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("long") == IOTHUB_CLIENT_OK);
    b.open_result = 0;
    b.work();
    b.after(999);
    CHECK(b.confirmations.empty());
    b.after(1);
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].number == 2);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT);
    b.open_result = 1;
    b.work();
    b.inbound = CONNACK;
    b.work();
    b.after(10000);                      /* "long" is on the wire now: it waits for its acknowledgement */
    CHECK(b.confirmations.size() == 1);
    CHECK(b.sent().size() == 3);
    b.dead_read = true;                  /* queued again by the loss, and too old */
    b.work();
    b.work();
    REQUIRE(b.confirmations.size() == 2);
    CHECK(b.confirmations[1].number == 3);
}

TEST_CASE("client: keep-alive pings when nothing was sent or received, one at a time, and judges by received bytes")
{
    Bench b;
    b.connect();
    CHECK(b.next() == 180000);
    b.after(179999);
    CHECK(b.statistics().pings == 0);
    b.after(1);
    CHECK(b.statistics().pings == 1);
    CHECK(b.sent().back().type == 12);
    CHECK(b.next() == 60000);
    b.inbound = std::string("\xD0\x00", 2);
    b.after(59999);
    CHECK(b.next() > 60000);             /* answered */
    b.after(180000);
    CHECK(b.statistics().pings == 2);
    b.after(59999);
    CHECK(b.is_open);
    b.after(1);
    CHECK_FALSE(b.is_open);
    CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_NO_PING_RESPONSE);
    CHECK(b.error().code == IOTHUB_CODE_PING_TIMEOUT);
}

TEST_CASE("client: a half-open link is found although writes succeed")
{
    Bench b(KEY_STRING, 65536);
    unsigned int long_time = 10000;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, &long_time) == IOTHUB_CLIENT_OK);
    b.connect();
    uint32_t start = b.tick;
    while (b.is_open && b.tick - start < 1000000) {
        b.send("x");
        b.after(1000);
    }
    CHECK_FALSE(b.is_open);
    CHECK(b.tick - start <= 240000 + 2000);
    CHECK(b.error().code == IOTHUB_CODE_PING_TIMEOUT);
}

TEST_CASE("client: a link that takes no byte of the ping is found too")
{
    Bench b;
    b.connect();
    b.write_limit = 0;
    b.after(180000);
    CHECK(b.is_open);
    b.after(60000);
    CHECK_FALSE(b.is_open);
    CHECK(b.error().code == IOTHUB_CODE_PING_TIMEOUT);
}

TEST_CASE("client: the acknowledgement deadline closes, resends after reconnect, and doubles")
{
    Bench b;
    int keep_alive = 0;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_OK);
    b.connect();
    const uint32_t deadlines[] = { 120000, 240000, 480000, 480000 };
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    for (int i = 0; i < 4; ++i) {
        CHECK(b.next() == deadlines[i]);
        b.after(deadlines[i] - 1);
        CHECK(b.is_open);
        b.after(1);
        CHECK_FALSE(b.is_open);
        CHECK(b.error().code == IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT);
        CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR);
        b.until_open(300000);
        b.inbound = CONNACK;
        b.work(2);
    }
    b.inbound = puback(1);
    b.work();
    CHECK(b.confirmations.size() == 1);
}

TEST_CASE("client: no liveness deadline falls in a call whose reads gave bytes")
{
    Bench b;
    b.connect();
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.inbound = puback(1);               /* arrives as late as the deadline: the device slept */
    b.after(500000);
    CHECK(b.is_open);
    CHECK(b.confirmations.size() == 1);
}

TEST_CASE("client: what is no liveness deadline falls in a call whose reads gave bytes, too")
{
    Bench b;
    unsigned int one = 1;
    tickcounter_ms_t timeout = 1000;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_IN_FLIGHT, &one) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_MESSAGE_TIMEOUT, &timeout) == IOTHUB_CLIENT_OK);
    b.connect();
    REQUIRE(b.send("sent") == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("waits behind it") == IOTHUB_CLIENT_OK);
    b.work(2);
    b.inbound = std::string("\x30\x03\x00\x01" "a", 5);
    b.after(1000);
    CHECK(b.statistics().received_unhandled == 1);
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].number == 2);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT);
    Bench ping;                          /* nothing was sent for the keep-alive time, though something arrives just now */
    ping.connect();
    ping.inbound = std::string("\x30\x03\x00\x01" "a", 5);
    ping.after(180000);
    CHECK(ping.statistics().received_unhandled == 1);
    CHECK(ping.statistics().pings == 1);
    CHECK(ping.sent().back().type == 12);
}

TEST_CASE("client: open and CONNACK have their deadlines")
{
    Bench b;
    b.open_result = 0;
    b.work();
    CHECK(b.next() <= 10);
    b.after(59999);
    CHECK(b.closes == 0);
    b.after(1);
    CHECK(b.closes == 1);
    CHECK(b.error().code == IOTHUB_CODE_OPEN_TIMEOUT);
    b.open_result = 1;
    b.until_open(30001);
    b.work();
    b.after(60000);
    CHECK(b.error().code == IOTHUB_CODE_CONNACK_TIMEOUT);
    CHECK_FALSE(b.is_open);
}

TEST_CASE("client: a failed open names its layer and the port's own code")
{
    struct { int layer; IOTHUB_LAYER expected; } cases[] = {
        { IOTHUB_LAYER_DNS, IOTHUB_LAYER_DNS }, { IOTHUB_LAYER_TCP, IOTHUB_LAYER_TCP }, { IOTHUB_LAYER_TLS, IOTHUB_LAYER_TLS },
        { IOTHUB_LAYER_TLS_TRUST, IOTHUB_LAYER_TLS_TRUST }, { IOTHUB_LAYER_TLS_NAME, IOTHUB_LAYER_TLS_NAME },
        { 0, IOTHUB_LAYER_TCP }, { 999, IOTHUB_LAYER_TCP } };
    for (auto &c : cases) {
        Bench b;
        b.open_result = -1;
        b.layer = c.layer;
        b.raw = 62;
        b.work();
        CHECK(b.error().layer == c.expected);
        CHECK(b.error().raw == 62);
        CHECK(b.error().code == IOTHUB_CODE_OPEN_FAILED);
        CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
        CHECK(b.closes == 1);
    }
}

TEST_CASE("client: a callback that answers more than was asked is a dead stream")
{
    Bench b;
    b.connect();
    b.greedy_read = true;
    b.work();
    CHECK(b.error().code == IOTHUB_CODE_CONTRACT);
    CHECK(b.error().layer == IOTHUB_LAYER_PORT);
    b.greedy_read = false;
    b.greedy_write = true;
    for (int opens = b.opens; b.opens == opens;) b.after(1000);
    CHECK(b.error().code == IOTHUB_CODE_CONTRACT);
    CHECK_FALSE(b.is_open);
}

TEST_CASE("client: bytes that the protocol does not allow close the connection")
{
    const std::string hostile[] = { std::string("\x00", 1), std::string("\x20\x03", 2), CONNACK, std::string("\x40\x03", 2),
        std::string("\x90\x03\x00\x01\x00", 5), std::string("\xB0\x02\x00\x01", 4), std::string("\x36\x05", 2),
        std::string("\x40\xFF\xFF\xFF\xFF", 5) };
    for (auto &bytes : hostile) {
        Bench b;
        b.connect();
        b.inbound = bytes;
        b.work();
        CHECK_FALSE(b.is_open);
        CHECK(b.error().layer == IOTHUB_LAYER_PROTOCOL);
        CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR);
        b.until_open(300000);
    }
    Bench early;                         /* anything before CONNACK */
    early.work();
    early.inbound = puback(1);
    early.work();
    CHECK(early.error().code == IOTHUB_CODE_UNEXPECTED_PACKET);
}

TEST_CASE("client: messages from the hub are read in step, counted and left unacknowledged")
{
    Bench b;
    b.connect();
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    std::string publish("\x32\x0B\x00\x03" "a/b" "\x00\x07" "body", 13);
    std::string large = std::string("\x30\x80\x80\x04\x00\x01t", 7) + std::string(65536 - 3, 'b');
    b.inbound = publish + large + puback(1);
    b.work(400);
    CHECK(b.confirmations.size() == 1);
    CHECK(b.statistics().received_unhandled == 2);
    CHECK(b.sent().size() == 2);
    CHECK(b.is_open);
}

TEST_CASE("client: SAS renewal comes in its time, loses nothing and asks no policy")
{
    Bench b(KEY_STRING, 8192);
    REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_NONE, 0) == IOTHUB_CLIENT_OK);
    b.connect();
    uint32_t start = b.tick, age = 0;
    std::string first_token = b.signed_text;
    for (int steps = 0; steps < 2000 && b.statistics().connections < 2; ++steps) {
        uint32_t step = b.next() < 20000 ? b.next() : 20000;
        if (step > 20) {
            REQUIRE(b.send("y") == IOTHUB_CLIENT_OK);    /* something is always on its way when it comes */
            b.work();
        }
        b.after(step != 0 ? step : 1);
        if (age == 0 && b.statistics().renewals == 1) age = b.tick - start;
        for (auto &p : b.sent()) {
            if (p.type == 1) b.inbound += b.opens == 2 ? CONNACK : "";
            if (p.type == 3) b.inbound += puback(p.id);
            if (p.type == 12) b.inbound += std::string("\xD0\x00", 2);
        }
        b.outbound.clear();
    }
    CHECK(age >= 2520000);               /* 80 % of an hour, less up to 10 % of it */
    CHECK(age <= 2880000 + 10000);       /* and what draining may take */
    CHECK(b.signed_text != first_token);
    b.work(3);
    IOTHUB_STATISTICS s = b.statistics();
    CHECK(s.connections == 2);
    CHECK(s.accepted > 10);
    CHECK(s.confirmed_ok == s.accepted);
    CHECK(s.repeated == 0);
    REQUIRE(b.statuses.size() == 3);
    CHECK(b.statuses[1].reason == IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN);
    CHECK(b.statuses[2].reason == IOTHUB_CLIENT_CONNECTION_OK);
}

TEST_CASE("client: renewal sends DISCONNECT after the acknowledgements and connects at once with a new token")
{
    Bench b;
    size_t lifetime = 100;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    b.connect();
    std::string first = b.signed_text;
    b.after(60000);
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.after(21000);
    REQUIRE(b.send("later") == IOTHUB_CLIENT_OK);
    b.work();
    CHECK(b.sent().back().body == "x");  /* draining: nothing new */
    CHECK(b.next() <= 10);
    b.inbound = puback(1);
    b.work();
    CHECK(b.confirmations.size() == 1);
    CHECK(b.sent().back().type == 14);
    int opens = b.opens;
    b.work(2);
    CHECK(b.opens == opens + 1);
    CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN);
    CHECK(b.signed_text != first);
    b.inbound = CONNACK;
    b.work(2);
    CHECK(b.sent().back().body == "later");
    CHECK_FALSE(b.sent().back().dup());
    CHECK(b.statistics().renewals == 1);
    CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_OK);
}

TEST_CASE("client: a token of a few seconds is renewed before it ends, too")
{
    for (size_t lifetime = 5; lifetime <= 30; ++lifetime) {
        INFO("lifetime " << lifetime);
        Bench b;
        REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
        b.connect();
        b.after((unsigned)(lifetime - lifetime / 5) * 1000); /* 80 %, or up to 10 % earlier */
        b.work(3);
        CHECK(b.statistics().renewals == 1);
    }
}

TEST_CASE("client: draining ends after ten seconds even when the hub does not acknowledge")
{
    Bench b;
    size_t lifetime = 100;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    b.connect();
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.after(81000);
    b.after(9999);
    CHECK(b.statistics().renewals == 0);
    b.after(1);
    CHECK(b.statistics().renewals == 1);
    b.work();
    b.inbound = CONNACK;
    b.work(2);
    CHECK(b.sent().back().dup());
    b.inbound = puback(1);
    b.work();
    CHECK(b.confirmations.size() == 1);
}

TEST_CASE("client: X.509 sends no password and never renews")
{
    Bench b("HostName=h;DeviceId=d1;x509=true");
    b.connect();
    CHECK((unsigned char)b.sent()[0].raw[9] == 0x80);
    b.after(100000000);
    CHECK(b.statistics().renewals == 0);
    b.option_result = 0;
    CHECK(IoTHubDeviceClient_SetOption(b.hub, OPTION_X509_CERT, "pem") == IOTHUB_CLIENT_OK);
    CHECK(b.option_name == OPTION_X509_CERT);
    Bench key;
    CHECK(IoTHubDeviceClient_SetOption(key.hub, OPTION_X509_CERT, "pem") == IOTHUB_CLIENT_INVALID_ARG);
}

TEST_CASE("client: without clock it waits, says so once, and never signs a token of 1970")
{
    Bench b;
    for (uint32_t wall : { 0u, 86400u, 1704067199u }) {
        b.wall = wall;
        b.work(3);
        CHECK(b.opens == 0);
        CHECK(b.signed_text.empty());
        CHECK(b.error().code == IOTHUB_CODE_CLOCK_UNKNOWN);
        CHECK(b.error().layer == IOTHUB_LAYER_TIME);
        CHECK(b.next() == 1000);
    }
    b.wall = 1893452400u;
    b.work(2);
    CHECK(b.opens == 1);
    CHECK(b.error().code == IOTHUB_CODE_CLOCK_UNKNOWN);
    b.inbound = CONNACK;
    b.work();
    CHECK(b.error().code == IOTHUB_CODE_NONE);
}

TEST_CASE("client: a stream whose certificate check waits for the date is no failure")
{
    Bench b;
    b.open_result = 0;
    b.layer = IOTHUB_LAYER_TIME;
    for (int i = 0; i < 10; ++i) b.after(30000);
    CHECK(b.closes == 0);
    CHECK(b.error().layer == IOTHUB_LAYER_TIME);
    b.layer = IOTHUB_LAYER_NONE;
    b.after(60000);
    CHECK(b.closes == 1);
}

TEST_CASE("client: wall clock leaps neither skip the renewal nor repeat it")
{
    Bench b;
    b.connect();
    b.wall -= 400000000;                 /* set back by years: the tick keeps the appointment */
    uint32_t start = b.tick;
    for (int i = 0; i < 40 && b.statistics().renewals == 0; ++i) {
        b.after(100000);
        for (auto &p : b.sent()) if (p.type == 12) b.inbound = std::string("\xD0\x00", 2);
        b.outbound.clear();
    }
    CHECK(b.statistics().renewals == 1);
    CHECK(b.tick - start <= 3000000);

    Bench ahead;
    ahead.connect();
    ahead.wall += 200000000;             /* set forward by years: the token would be expired */
    ahead.after(1000);
    ahead.work(3);
    CHECK(ahead.statistics().renewals == 1);
    ahead.inbound = CONNACK;
    ahead.work();
    for (int i = 0; i < 20; ++i) ahead.after(1000);
    CHECK(ahead.statistics().renewals == 1);
}

TEST_CASE("client: entropy and HMAC that are not there yet are waited for")
{
    Bench b;
    b.random_result = -1;
    b.work(2);
    CHECK(b.opens == 0);
    CHECK(b.error().code == IOTHUB_CODE_NO_ENTROPY);
    b.random_result = 0;
    b.hmac_pending = 3;
    b.work();
    CHECK(b.next() <= 10);
    b.work(3);
    CHECK(b.opens == 1);
    Bench failing;
    failing.hmac_result = -7;
    failing.work();
    CHECK(failing.error().code == IOTHUB_CODE_HMAC_FAILED);
    CHECK(failing.error().raw == -7);
    CHECK(failing.closes == 0);
    failing.hmac_result = 0;
    failing.until_open(60000);
}

TEST_CASE("client: a supplied token is sent as it is, honoured to its se, and can be replaced")
{
    const char *string = "HostName=h;DeviceId=d1;SharedAccessSignature=SharedAccessSignature sr=h%2Fdevices%2Fd1&sig=abc%3D&se=1893453000";
    Bench b(string);
    b.connect();
    CHECK(b.outbound.find("SharedAccessSignature sr=h%2Fdevices%2Fd1&sig=abc%3D&se=1893453000") != std::string::npos);
    CHECK(b.signed_text.empty());
    for (int i = 0; i < 10; ++i) b.after(100000);        /* past its se */
    CHECK_FALSE(b.is_open);
    CHECK(b.error().code == IOTHUB_CODE_TOKEN_EXPIRED);
    CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN);
    int opens = b.opens;
    b.after(1000000);
    CHECK(b.opens == opens);             /* no login with a token that cannot work */
    CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_SAS_TOKEN, "nonsense") == IOTHUB_CLIENT_ERROR);
    static const char *token = "SharedAccessSignature se=2000000000&sr=h%2Fdevices%2Fd1&sig=new%3D";
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_SAS_TOKEN, token) == IOTHUB_CLIENT_OK);
    b.work(2);
    REQUIRE(b.is_open);
    CHECK(b.outbound.find(token) != std::string::npos);
    Bench key;
    CHECK(IoTHubDeviceClient_SetOption(key.hub, IOTHUB_OPTION_SAS_TOKEN, token) == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("client: Stop drains and rests, Start comes back, queued messages stay")
{
    Bench b;
    b.connect();
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    b.work();
    REQUIRE(IoTHubDeviceClient_Stop(b.hub) == IOTHUB_CLIENT_OK);
    CHECK(b.next() == 0);
    b.work();
    CHECK(b.is_open);
    REQUIRE(b.send("two") == IOTHUB_CLIENT_OK);
    b.inbound = puback(1);
    b.work(2);
    CHECK_FALSE(b.is_open);
    CHECK(b.statuses.back().status == IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED);
    CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_OK);
    CHECK(b.confirmations.size() == 1);
    int opens = b.opens;
    b.after(1000000);
    CHECK(b.opens == opens);
    CHECK(b.next() > 1000000);
    REQUIRE(IoTHubDeviceClient_Start(b.hub) == IOTHUB_CLIENT_OK);
    CHECK(b.next() == 0);
    b.work(2);
    b.inbound = CONNACK;
    b.work(2);
    CHECK(b.sent().back().body == "two");
}

TEST_CASE("client: Stop rests from every state")
{
    for (int state = 0; state < 4; ++state) {
        Bench b;
        if (state == 1) { b.open_result = 0; b.work(); }
        if (state == 2) { b.work(); }
        if (state == 3) { b.open_result = -1; b.work(); b.open_result = 1; }
        REQUIRE(IoTHubDeviceClient_Stop(b.hub) == IOTHUB_CLIENT_OK);
        b.work();
        CHECK_FALSE(b.is_open);
        int opens = b.opens;
        b.after(1000000);
        CHECK(b.opens == opens);
        b.open_result = 1;
        REQUIRE(IoTHubDeviceClient_Start(b.hub) == IOTHUB_CLIENT_OK);
        b.work(2);
        CHECK(b.is_open);
    }
}

TEST_CASE("client: Stop and a failure in the same DoWork: the caller has said that it is over, so nothing is retried or told")
{
    for (int how = 0; how < 3; ++how) {
        Bench b;
        if (how == 0) { b.work(2); b.dead_read = true; }                         /* CONNECT is out, and the link is dead */
        if (how == 1) { b.work(2); b.inbound = std::string("\x20\x02\x00\x05", 4); } /* refused */
        if (how == 2) { b.open_result = 0; b.work(); b.tick += 60000; }          /* opening took too long */
        REQUIRE(IoTHubDeviceClient_Stop(b.hub) == IOTHUB_CLIENT_OK);
        b.work();
        CHECK_FALSE(b.is_open);
        CHECK(b.closes == 1);
        REQUIRE(b.statuses.size() == 1);
        CHECK(b.statuses[0].status == IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED);
        CHECK(b.statuses[0].reason == IOTHUB_CLIENT_CONNECTION_OK);
        CHECK(b.next() > 1000000);                                               /* it rests, and waits for no retry */
        b.after(1000000);
        CHECK(b.opens == 1);
    }
}

TEST_CASE("client: a connection is lost with messages waiting and no option ever set, and all goes on")
{
    Bench b;                             /* the code of options that are off is not there: nothing may ask for it */
    b.connect();
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    b.work();
    b.dead_read = true;
    b.work();
    REQUIRE(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
    b.until_open(10000);
    b.connect();
    b.inbound += puback(1);
    b.work(2);
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_OK);
}

TEST_CASE("client: a retry policy that gives up rests, and SetRetryPolicy or Start leaves that rest")
{
    Bench b;
    REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_NONE, 0) == IOTHUB_CLIENT_OK);
    b.open_result = -1;
    b.work();
    REQUIRE(b.statuses.size() == 2);
    CHECK(b.statuses[0].reason == IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
    CHECK(b.statuses[1].reason == IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED);
    CHECK_FALSE(b.error().retryable);
    int opens = b.opens;
    b.after(1000000);
    CHECK(b.opens == opens);
    REQUIRE(IoTHubDeviceClient_Start(b.hub) == IOTHUB_CLIENT_OK);
    b.work();
    CHECK(b.opens == opens + 1);
    b.open_result = 1;
    REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_INTERVAL, 60) == IOTHUB_CLIENT_OK);
    b.work();
    CHECK(b.is_open);
    IOTHUB_CLIENT_RETRY_POLICY policy;
    size_t limit;
    REQUIRE(IoTHubDeviceClient_GetRetryPolicy(b.hub, &policy, &limit) == IOTHUB_CLIENT_OK);
    CHECK(policy == IOTHUB_CLIENT_RETRY_INTERVAL);
    CHECK(limit == 60);
    CHECK(IoTHubDeviceClient_SetRetryPolicy(b.hub, (IOTHUB_CLIENT_RETRY_POLICY)7, 0) == IOTHUB_CLIENT_INVALID_ARG);
}

TEST_CASE("client: attempts to an unreachable hub stay within the cap, and the error says when the next one is")
{
    Bench b;
    b.open_result = -1;
    b.work();
    uint32_t start = b.tick;
    while (b.tick - start < 3600000) {
        uint32_t step = b.next();
        REQUIRE(step <= 135000);
        CHECK(b.error().retry_after_s == (step + 999) / 1000);
        b.after(step != 0 ? step : 1);
    }
    CHECK(b.opens >= 30);                /* an hour at uniform(0, 135 s) */
    CHECK(b.opens <= 120);
}

TEST_CASE("client: accept-then-close flapping backs off to the higher cap, and resets after a lasting connection")
{
    Bench b;
    uint32_t longest = 0;
    for (int i = 0; i < 40; ++i) {
        b.until_open(300000);
        b.inbound = CONNACK;
        b.work();
        b.dead_read = true;
        b.work();
        REQUIRE_FALSE(b.is_open);
        longest = b.next() > longest ? b.next() : longest;
    }
    CHECK(longest > 30000);
    CHECK(longest <= 300000);
    b.until_open(300000);
    b.inbound = CONNACK;
    b.work();
    for (int i = 0; i < 400; ++i) { b.inbound += std::string("\xD0\x00", 2); b.after(1000); }
    b.dead_read = true;
    b.work();
    CHECK(b.next() <= 2000);             /* uniform(0, 1 s x 2^1) */
}

TEST_CASE("client: the whole life runs alike across the wrap of the tick")
{
    for (uint32_t start : { 0u, 0x7FFFF000u, 0xFFFFF000u, 0xFFFFFF00u }) {
        Bench b;
        IoTHubDeviceClient_Stop(b.hub);
        b.tick = start;
        b.work();
        IoTHubDeviceClient_Start(b.hub);
        b.work(2);
        b.inbound = CONNACK;
        b.work();
        REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
        b.work();
        CHECK(b.next() == 120000);
        b.inbound = puback(1);
        b.after(100000);
        CHECK(b.confirmations.size() == 1);
        b.after(180000);
        CHECK(b.statistics().pings == 1);
        b.after(60000);
        CHECK(b.error().code == IOTHUB_CODE_PING_TIMEOUT);
    }
}

TEST_CASE("client: packet ids wrap without meeting a live one")
{
    Bench b(KEY_STRING, 4096);
    b.connect();
    for (long i = 0; i < 70000; ++i) {
        REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
        b.work();
        std::vector<Packet> out = packets(b.writes.back());
        REQUIRE(out.size() == 1);
        unsigned id = out[0].id;
        REQUIRE(id == (unsigned)(i % 0xFFF0) + 1);
        b.outbound.clear();
        b.writes.clear();
        b.inbound = puback(id);
        b.work();
        if ((i & 1023) == 0) REQUIRE(b.confirmations.size() == (size_t)i + 1);
    }
}

TEST_CASE("client: one open message at the front blocks reuse of its id for ever")
{
    Bench b(KEY_STRING, 4096, 256, 8);
    int keep_alive = 0;
    unsigned int long_time = 80000;
    IoTHubDeviceClient_SetOption(b.hub, OPTION_KEEP_ALIVE, &keep_alive);
    IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, &long_time);
    b.connect();
    int accepted = 0;
    for (int i = 0; i < 100; ++i) {
        accepted += b.send("x") == IOTHUB_CLIENT_OK;
        b.work();
        for (unsigned id = 2; id <= 8; ++id) b.inbound += puback(id);
        b.work(2);
    }
    CHECK(accepted == 8);
    CHECK(b.confirmations.size() == 7);
    b.inbound = puback(1);
    b.work(2);
    CHECK(b.confirmations.size() == 8);
    CHECK(b.send("x") == IOTHUB_CLIENT_OK);
}

TEST_CASE("creation: n bytes are enough and n-1 are not, and the error says how many are missing")
{
    Scripted s;
    size_t size = IoTHub_ClientSize(KEY_STRING, MQTT_Protocol, 1024, 128);
    REQUIRE(size <= IOTHUB_CLIENT_SIZE(std::strlen(KEY_STRING), 1024, 128));
    std::vector<void *> storage(size / sizeof(void *) + 2);
    unsigned char *block = reinterpret_cast<unsigned char *>(storage.data());
    IOTHUB_MEMORY memory = { block, size, 1024, 128, 0 };
    IOTHUB_ERROR error;
    block[size] = 0x77;
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, &memory);
    REQUIRE(hub != NULL);
    CHECK(block[size] == 0x77);
    SECTION("a platform serves one live handle at a time")
    {
        CHECK(IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, &memory) == NULL);
        IoTHubDeviceClient_GetLastError(NULL, &error);
        CHECK(error.code == IOTHUB_CODE_PLATFORM_IN_USE);
    }
    IoTHubDeviceClient_Destroy(hub);
    for (size_t missing = 1; missing <= size; ++missing) {
        memory.block_size = size - missing;
        REQUIRE(IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, &memory) == NULL);
        IoTHubDeviceClient_GetLastError(NULL, &error);
        REQUIRE(error.code == IOTHUB_CODE_BLOCK_TOO_SMALL);
        REQUIRE(error.bytes_missing == missing);
    }
    memory.block_size = size + 8;
    memory.block = block + 1;
    CHECK(IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, &memory) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_BLOCK_MISALIGNED);
    memory.block = block;
    memory.inbox_size = 63;
    CHECK(IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, &memory) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_INBOX_TOO_SMALL);
    CHECK(error.bytes_missing == 1);
    memory.inbox_size = 128;
    memory.outbox_size = sizeof(iothubi_record) + 63;
    memory.outbox_messages = 1;
    CHECK(IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, &memory) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_OUTBOX_TOO_SMALL);
    CHECK(error.bytes_missing == 1);
}

TEST_CASE("creation: with a key the inbox must hold the text that is signed")
{
    Scripted s;
    std::string id(128, '@');            /* three characters each when encoded */
    std::string string = "HostName=h;SharedAccessKey=AAAA;DeviceId=" + id;
    size_t need = 1 + 13 + 3 * 128 + 1 + 10;
    size_t size = IoTHub_ClientSize(string.c_str(), MQTT_Protocol, 1024, need);
    std::vector<void *> storage(size / sizeof(void *) + 1);
    IOTHUB_MEMORY memory = { storage.data(), size, 1024, need - 1, 0 };
    IOTHUB_ERROR error;
    CHECK(IoTHubDeviceClient_CreateInPlace(string.c_str(), MQTT_Protocol, &s.platform, &memory) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_INBOX_TOO_SMALL);
    CHECK(error.bytes_missing == 1);
    memory.inbox_size = need;
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateInPlace(string.c_str(), MQTT_Protocol, &s.platform, &memory);
    REQUIRE(hub != NULL);
    IoTHubDeviceClient_DoWork(hub);
    CHECK(s.signed_text.size() == need);
    IoTHubDeviceClient_Destroy(hub);
}

TEST_CASE("creation: the SDK's creators take memory from the pool and the platform that was set")
{
    Scripted s, other;
    IOTHUB_ERROR error;
    IoTHub_SetPlatform(NULL);
    CHECK(IoTHubDeviceClient_CreateFromConnectionString(KEY_STRING, MQTT_Protocol) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_PLATFORM_MISSING);
    IoTHub_SetPlatform(&s.platform);
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_LL_CreateFromConnectionString(KEY_STRING, MQTT_Protocol);
    REQUIRE(hub != NULL);
    IoTHub_SetPlatform(&other.platform);
    CHECK(IoTHubDeviceClient_CreateFromConnectionString(KEY_STRING, MQTT_Protocol) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_POOL_EMPTY);
    IoTHubDeviceClient_LL_Destroy(hub);
    IOTHUB_CLIENT_CONFIG config = { MQTT_Protocol, "d1", "AAAA", NULL, "hub", "example.net", NULL };
    hub = IoTHubDeviceClient_Create(&config);
    REQUIRE(hub != NULL);
    IoTHubDeviceClient_LL_DoWork(hub);
    CHECK(other.host == "hub.example.net");
    IoTHubDeviceClient_Destroy(hub);
    CHECK(IoTHubDeviceClient_Create(NULL) == NULL);
    CHECK(IoTHubDeviceClient_CreateFromConnectionString(NULL, MQTT_Protocol) == NULL);
    CHECK(IoTHubDeviceClient_CreateFromConnectionString(KEY_STRING, NULL) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_PROTOCOL_MISSING);
    std::string long_id = "HostName=h;DeviceId=" + std::string(128, 'd') + ";ModuleId=" + std::string(128, 'm')
        + ";GatewayHostName=" + std::string(250, 'g') + ";SharedAccessKey=AAAA";
    CHECK(IoTHubDeviceClient_CreateFromConnectionString(long_id.c_str(), MQTT_Protocol) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_POOL_TOO_SMALL);
    CHECK(error.bytes_missing > 0);
    CHECK(IoTHubDeviceClient_CreateFromConnectionString("HostName=h;DeviceId=a+b;SharedAccessKey=AAAA", MQTT_Protocol) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_DEVICE_ID_INVALID);
}

TEST_CASE("module client: outputs, topic and handle type")
{
    Scripted s;
    IoTHub_SetPlatform(&s.platform);
    IOTHUB_MODULE_CLIENT_HANDLE hub = IoTHubModuleClient_LL_CreateFromConnectionString("HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=AAAA", MQTT_Protocol);
    REQUIRE(hub != NULL);
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString("x");
    CHECK(IoTHubModuleClient_LL_SendEventToOutputAsync(hub, message, "alerts", NULL, NULL) == IOTHUB_CLIENT_OK);
    CHECK(std::string(IoTHubMessage_GetOutputName(message)) == "alerts");
    CHECK(IoTHubModuleClient_SendEventToOutputAsync(hub, message, NULL, NULL, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubModuleClient_SendEventToOutputAsync(NULL, message, "o", NULL, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    IoTHubMessage_Destroy(message);
    IoTHubModuleClient_LL_DoWork(hub);
    std::vector<Packet> out = packets(s.outbound);
    REQUIRE(out.size() == 2);
    CHECK(out[1].topic == "devices/d/modules/m/messages/events/%24.on=alerts");
    IoTHubModuleClient_LL_Destroy(hub);
}

TEST_CASE("api: NULL and out-of-range arguments")
{
    Bench b;
    IOTHUB_CLIENT_STATUS status;
    IOTHUB_ERROR error;
    IOTHUB_STATISTICS statistics;
    int zero = 0;
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString("x");
    CHECK(IoTHubDeviceClient_SendEventAsync(NULL, message, NULL, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SendEventAsync(b.hub, NULL, NULL, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SendEventAsync(b.hub, message, NULL, &zero) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SendEventAsync(b.hub, message, NULL, NULL) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_GetSendStatus(NULL, &status) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_GetSendStatus(b.hub, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_GetSendStatus(b.hub, &status) == IOTHUB_CLIENT_OK);
    CHECK(status == IOTHUB_CLIENT_SEND_STATUS_BUSY);
    CHECK(IoTHubDeviceClient_SetOption(b.hub, NULL, &zero) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SetOption(b.hub, OPTION_KEEP_ALIVE, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SetOption(NULL, OPTION_KEEP_ALIVE, &zero) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_GetLastError(b.hub, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_GetLastError(NULL, &error) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_GetStatistics(NULL, &statistics) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_GetStatistics(b.hub, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SetConnectionStatusCallback(NULL, NULL, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_GetRetryPolicy(b.hub, NULL, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_Stop(NULL) == IOTHUB_CLIENT_INVALID_ARG);
    IoTHubDeviceClient_DoWork(NULL);
    IoTHubDeviceClient_Destroy(NULL);
    CHECK(IoTHubDeviceClient_GetNextWork(NULL) == 0);
    IoTHubMessage_Destroy(message);
}

TEST_CASE("options: ranges, the port's share, and what needs a reconnect")
{
    Bench b(KEY_STRING, 4096);
    IOTHUB_DEVICE_CLIENT_HANDLE h = b.hub;
    int keep_alive = 1178;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_ERROR);
    keep_alive = -1;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_ERROR);
    int timeout = 0;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_CONNECTION_TIMEOUT, &timeout) == IOTHUB_CLIENT_ERROR);
    size_t lifetime = 4;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_ERROR);
    lifetime = 86400;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_SAS_TOKEN_REFRESH_TIME, &lifetime) == IOTHUB_CLIENT_OK);
    uint32_t percent = 101;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE, &percent) == IOTHUB_CLIENT_ERROR);
    tickcounter_ms_t frequency = 0;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_DO_WORK_FREQUENCY_IN_MS, &frequency) == IOTHUB_CLIENT_ERROR);
    frequency = 100;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_DO_WORK_FREQUENCY_IN_MS, &frequency) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_MODEL_ID, "dtmi:a:b;1") == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_MODEL_ID, "dtmi:a:b;2") == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_PRODUCT_INFO, "acme/1.0") == IOTHUB_CLIENT_OK);
    IOTHUB_BOOL trace = true;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_LOG_TRACE, &trace) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetOption(h, "rawlogtrace", &trace) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetOption(h, "Nonsense", "x") == IOTHUB_CLIENT_INVALID_ARG);
    b.option_result = 0;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_TRUSTED_CERT, "x") == IOTHUB_CLIENT_OK);
    CHECK(b.option_name == "TrustedCerts");
    b.option_result = -1;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_TRUSTED_CERT, "x") == IOTHUB_CLIENT_ERROR);
    CHECK(b.error().code == IOTHUB_CODE_OPTION_INVALID);
    b.platform.io.set_option = NULL;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_TRUSTED_CERT, "x") == IOTHUB_CLIENT_INVALID_ARG);
    b.connect();
    CHECK(b.outbound.find("/?api-version=2021-04-12&DeviceClientType=acme%2F1.0&model-id=dtmi%3Aa%3Ab%3B1") != std::string::npos);
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_PRODUCT_INFO, "late") == IOTHUB_CLIENT_ERROR);
    keep_alive = 60;
    CHECK(IoTHubDeviceClient_SetOption(h, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_OK);
    size_t statuses = b.statuses.size();
    b.work(3);
    b.inbound = CONNACK;
    b.work();
    CHECK(b.opens == 2);
    CHECK((unsigned char)b.sent()[0].raw[12] == 60);      /* 10 len len 00 04 MQTT 04 flags ka ka */
    CHECK(b.statuses.size() == statuses + 1);            /* no UNAUTHENTICATED for a reconnect that the caller asked for */
    CHECK(b.next() <= 60000);
}

TEST_CASE("client: an option of CONNECT that changes while the client connects counts after one more connection")
{
    Bench b;
    b.write_limit = 20;                  /* in the middle of CONNECT */
    b.work();
    int keep_alive = 60;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_OK);
    b.write_limit = 1000;
    b.work();
    CHECK((unsigned char)b.sent()[0].raw[12] == 180);     /* the packet under way stays one packet */
    CHECK_FALSE(b.contract_broken);
    b.inbound = CONNACK;
    b.work(3);
    CHECK(b.opens == 2);
    CHECK((unsigned char)b.sent()[0].raw[12] == 60);
    b.inbound = CONNACK;
    b.work(3);
    CHECK(b.opens == 2);
}

TEST_CASE("creation: what a platform must have")
{
    void (*const breakers[])(IOTHUB_PLATFORM &) = {
        [](IOTHUB_PLATFORM &p) { p.io.open = NULL; }, [](IOTHUB_PLATFORM &p) { p.io.read = NULL; },
        [](IOTHUB_PLATFORM &p) { p.io.write = NULL; }, [](IOTHUB_PLATFORM &p) { p.io.close = NULL; },
        [](IOTHUB_PLATFORM &p) { p.milliseconds = NULL; }, [](IOTHUB_PLATFORM &p) { p.unix_time = NULL; },
        [](IOTHUB_PLATFORM &p) { p.random = NULL; }, [](IOTHUB_PLATFORM &p) { p.hmac_sha256 = NULL; } };
    for (auto breaker : breakers) {
        Scripted s;
        IOTHUB_ERROR error;
        breaker(s.platform);
        IoTHub_SetPlatform(&s.platform);
        CHECK(IoTHubDeviceClient_CreateFromConnectionString(KEY_STRING, MQTT_Protocol) == NULL);
        IoTHubDeviceClient_GetLastError(NULL, &error);
        CHECK(error.code == IOTHUB_CODE_PLATFORM_MISSING);
    }
    Scripted s;
    s.platform.hmac_sha256 = NULL;
    s.platform.wake = NULL;
    s.platform.io.error = NULL;
    s.platform.io.set_option = NULL;
    IoTHub_SetPlatform(&s.platform);
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateFromConnectionString("HostName=h;DeviceId=d;x509=true", MQTT_Protocol);
    REQUIRE(hub != NULL);
    s.open_result = -1;
    IoTHubDeviceClient_DoWork(hub);
    IoTHubDeviceClient_Destroy(hub);
}

TEST_CASE("client: text options are carved from the outbox before the first message, and not after")
{
    Bench b(KEY_STRING, 400, 256, 2);
    uint32_t before = b.statistics().outbox_capacity;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_PRODUCT_INFO, "123456789") == IOTHUB_CLIENT_OK);
    CHECK(b.statistics().outbox_capacity == before - 10);
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetOption(b.hub, OPTION_MODEL_ID, "dtmi:a;1") == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("client: a will is part of CONNECT")
{
    Bench b;
    IOTHUB_MESSAGE_HANDLE will = IoTHubMessage_CreateFromString("gone");
    REQUIRE(IoTHubMessage_SetProperty(will, "k", "v") == IOTHUB_MESSAGE_OK);
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_WILL, will) == IOTHUB_CLIENT_OK);
    b.connect();
    CHECK(b.outbound.find(std::string("\x00\x1E" "devices/d1/messages/events/k=v" "\x00\x04gone", 2 + 30 + 2 + 4)) != std::string::npos);
    CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_WILL, will) == IOTHUB_CLIENT_ERROR);
    IoTHubMessage_Destroy(will);
}

TEST_CASE("client: wake tells that a call brought work nearer, but not from inside DoWork")
{
    Bench b;
    b.connect();
    int wakes = b.wakes;
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    CHECK(b.wakes == wakes + 1);
    CHECK(b.next() == 0);
    b.work();
    b.during_confirmation = [&](int) { b.during_confirmation = nullptr; b.send("y"); };
    b.inbound = puback(1);
    b.work();
    CHECK(b.wakes == wakes + 1);
}

TEST_CASE("client: stepping only when GetNextWork says so keeps every appointment")
{
    Bench b;
    b.connect();
    b.outbound.clear();
    uint32_t total = 0;
    int steps = 0;
    while (total < 3600000 * 2 && steps < 10000) {
        uint32_t step = b.next();
        total += step;
        ++steps;
        b.after(step);
        std::vector<Packet> out = b.sent();
        for (auto &p : out) {
            if (p.type == 12) b.inbound += std::string("\xD0\x00", 2);
            if (p.type == 1) b.inbound += CONNACK;
        }
        b.outbound.clear();
    }
    CHECK(steps < 400);                  /* a ping every three minutes, a few steps a renewal */
    CHECK(b.statistics().renewals >= 2);
    CHECK(b.statistics().pings >= 30);
    CHECK(b.statuses.size() == 1 + 2 * b.statistics().renewals);
}

TEST_CASE("client: 512 bytes of outbox and inbox together are enough for a life")
{
    Bench b(KEY_STRING, 256, 256);
    REQUIRE(b.send("{\"t\":21.5}") == IOTHUB_CLIENT_OK);
    b.connect();
    b.inbound = puback(1);
    b.work();
    for (unsigned id = 2; id < 50; ++id) {
        REQUIRE(b.send("{\"t\":21.5,\"humidity\":40}") == IOTHUB_CLIENT_OK);
        b.work();
        if (id % 10 == 0) {
            b.dead_read = true;
            b.work();
            b.until_open(300000);
            b.inbound = CONNACK;
            b.work(2);
        }
        b.inbound += puback(id);
        b.work(2);
        REQUIRE(b.confirmations.size() == id);
    }
    CHECK(b.statistics().confirmed_ok == 49);
}

TEST_CASE("client: nothing follows DISCONNECT, not even a ping that falls due before it is pushed")
{
    Bench b;
    b.connect();
    b.hold = true;
    b.after(175000);
    REQUIRE(IoTHubDeviceClient_Stop(b.hub) == IOTHUB_CLIENT_OK);
    b.write_limit = 2;
    b.work();
    b.write_limit = 0;                   /* the filter cannot push it */
    b.after(6000);
    b.write_limit = 1000;
    b.after(1000);
    b.work(3);
    CHECK(b.sent().back().type == 14);
    CHECK_FALSE(b.is_open);
}

TEST_CASE("client: Start after a rest begins the back-off anew, also when Stop came between")
{
    Bench b;
    REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF, 3) == IOTHUB_CLIENT_OK);
    b.open_result = -1;
    while (b.statuses.empty() || b.statuses.back().reason != IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED) b.after(500);
    IoTHubDeviceClient_Stop(b.hub);
    b.work(2);
    IoTHubDeviceClient_Start(b.hub);
    int opens = b.opens;
    b.work(2);
    CHECK(b.opens == opens + 1);
    CHECK(b.next() <= 1000);             /* W, not what it had grown to */
    b.after(999);
    b.after(1);
    CHECK(b.opens == opens + 2);
}
