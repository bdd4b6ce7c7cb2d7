/* What tests/sim found in the client: each fault's story, in the smallest test that shows it. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "bench.h"

TEST_CASE("found: a planned renewal goes on at once, also when stepped by GetNextWork")
{
    Bench b;                             /* it rested one second between DISCONNECT and the new token */
    size_t lifetime = 100;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    b.connect();
    b.after(81000);
    REQUIRE(b.statistics().renewals == 1);
    CHECK(b.next() == 0);
}

TEST_CASE("found: an HMAC that takes several calls has its renewal planned too")
{
    Bench b;                             /* the second call of the signing forgot it: the hub cut the link each hour */
    size_t lifetime = 100;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    b.hmac_pending = 2;
    b.work(2);
    b.connect();
    b.after(81000);
    CHECK(b.statistics().renewals == 1);
}

TEST_CASE("found: GetNextWork knows that the wall clock brought the renewal nearer")
{
    Bench b;                             /* it slept on to the next ping, past the end of the token */
    size_t lifetime = 1000;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    b.connect();
    CHECK(b.next() == 180000);
    b.wall += 690;                       /* set while the program slept; DoWork looks at it once a second, heard or not */
    b.after(1000);
    CHECK(b.next() < 120000);
    b.wall += 200;
    b.after(1000);
    CHECK(b.statistics().renewals == 1);
}

TEST_CASE("found: SetRetryPolicy while the client waits wakes the program")
{
    Bench b;                             /* the new policy's attempt came when the old delay was over */
    b.open_result = -1;
    b.work(2);
    REQUIRE(b.next() > 0);
    int wakes = b.wakes;
    REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_INTERVAL, 0) == IOTHUB_CLIENT_OK);
    CHECK(b.wakes == wakes + 1);
    CHECK(b.next() == 0);
}

TEST_CASE("found: a message during the handshake wakes the program, and leaves before CONNACK")
{
    Bench b;
    b.work(2);
    REQUIRE(b.is_open);
    int wakes = b.wakes;
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    CHECK(b.wakes == wakes + 1);
    CHECK(b.next() == 0);
    b.work();
    CHECK(b.sent().back().body == "x");
}

TEST_CASE("found: messages in the flight of CONNECT do not put off the deadline of CONNACK")
{
    Bench b;                             /* eight of them, one a minute, made nine minutes of it */
    b.work(2);
    b.after(50000);
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.after(9999);
    CHECK(b.is_open);
    b.after(1);
    CHECK_FALSE(b.is_open);
    CHECK(b.error().code == IOTHUB_CODE_CONNACK_TIMEOUT);
}

TEST_CASE("found: a token that is supplied while the stream opens costs one more connection, not the next failure")
{
    Bench b("HostName=h;DeviceId=d1;SharedAccessSignature=SharedAccessSignature sr=h%2Fdevices%2Fd1&sig=abc%3D&se=1893453000");
    b.open_result = 0;
    b.work(2);
    static const char *token = "SharedAccessSignature se=2000000000&sr=h%2Fdevices%2Fd1&sig=new%3D";
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_SAS_TOKEN, token) == IOTHUB_CLIENT_OK);
    b.open_result = 1;
    b.work();
    REQUIRE(b.is_open);
    b.inbound = CONNACK;
    b.work(3);
    CHECK(b.outbound.find(token) != std::string::npos);
    CHECK(b.closes == 1);
}

TEST_CASE("found: a signature that took longer than its token lives is made again")
{
    Bench b;                             /* a slow secure element, or a sleep in the middle: CONNACK 5, and minutes of back-off */
    size_t lifetime = 100;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    b.hmac_pending = 1;
    b.work();
    b.after(200000);
    CHECK(b.opens == 0);
    CHECK(b.next() == 0);
    b.work(2);
    REQUIRE(b.is_open);
    CHECK(b.outbound.find("&se=" + std::to_string(b.wall + 100)) != std::string::npos);
}

TEST_CASE("found: a message that is sent between a deadline and the DoWork that is late for it leaves it standing")
{
    Bench b;                             /* the older message then outlived its timeout by the newer one's */
    tickcounter_ms_t timeout = 1000;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_MESSAGE_TIMEOUT, &timeout) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("old") == IOTHUB_CLIENT_OK);
    b.open_result = 0;
    b.work(2);
    b.tick += 1500;
    REQUIRE(b.send("new") == IOTHUB_CLIENT_OK);
    CHECK(b.next() == 0);
    b.work();
    CHECK(b.confirmations.size() == 1);
}

TEST_CASE("found: a liveness deadline that must wait for silence does not keep a message's timeout waiting")
{
    Bench b;                             /* a hub that sends without end kept every timeout from being judged */
    int keep_alive = 0;
    unsigned in_flight = 1;
    tickcounter_ms_t timeout = 130000;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_IN_FLIGHT, &in_flight) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_MESSAGE_TIMEOUT, &timeout) == IOTHUB_CLIENT_OK);
    b.connect();
    b.send("on its way");
    b.send("queued");
    b.work();
    b.inbound = puback(999);
    b.after(131000);                     /* the acknowledgement deadline and the timeout are both over */
    REQUIRE(b.is_open);
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].number == 2);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT);
}

TEST_CASE("found: a planned reconnect leaves the window as it was")
{
    Bench b;                             /* it was taken for a cut, and the outbox crept out one message at a time */
    size_t lifetime = 100;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    b.connect();
    for (int i = 0; i < 4; ++i) REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.after(81000);                      /* draining; the acknowledgements do not come */
    b.after(11000);
    b.work(2);
    REQUIRE(b.is_open);
    b.inbound = CONNACK;
    b.work(2);
    CHECK(b.statistics().messages_in_flight == 4);
}

TEST_CASE("found: one acknowledgement in time does not undo the longer deadline")
{
    Bench b;                             /* a hub that throttles acknowledges late for hours: four copies of a message, and more */
    int keep_alive = 0;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_OK);
    b.connect();
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.after(120000);
    REQUIRE(b.error().code == IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT);
    b.until_open(300000);
    b.inbound = CONNACK;
    b.work(2);
    for (unsigned id = 1; id <= 255; ++id) {
        CHECK(b.next() > 120000);        /* 240 s, until 255 of them came in time */
        b.inbound += puback(id);
        b.work();
        REQUIRE(b.send("y") == IOTHUB_CLIENT_OK);
        b.work();
    }
    CHECK(b.next() == 120000);
}

TEST_CASE("client: a message that the connection does not survive is given up, if the program asked for that")
{
    Bench b;
    unsigned limit = 3;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_POISON_LIMIT, &limit) == IOTHUB_CLIENT_OK);
    b.connect();
    b.send("poison");
    b.send("good");
    b.during_confirmation = [&](int) { CHECK(b.send(std::string(5000, 'x')) != IOTHUB_CLIENT_OK); };
    b.work();
    int cuts = 0;
    while (b.confirmations.empty() && cuts < 10) {
        ++cuts;
        b.dead_read = true;
        b.work();
        if (!b.confirmations.empty()) break;
        b.until_open(600000);
        b.inbound = CONNACK;
        b.work(2);
        CHECK(b.sent().back().body == "poison"); /* alone: so that the guilty one is known */
    }
    CHECK(cuts == 4);                    /* the first cut had two suspects */
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].number == 1);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_ERROR);
    CHECK(b.error().code == IOTHUB_CODE_POISON_MESSAGE);
    b.during_confirmation = nullptr;
    CHECK(b.statistics().confirmed_error == 1);
    b.until_open(600000);
    b.inbound = CONNACK;
    b.work(2);
    CHECK(b.sent().back().body == "good");
    limit = 256;
    CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_POISON_LIMIT, &limit) == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("client: three short connections in a row are told as a possible takeover")
{
    Bench b;
    b.connect();
    for (int cut = 1; cut <= 4; ++cut) {
        b.dead_read = true;
        b.work();
        CHECK(b.error().code == (cut < 3 ? IOTHUB_CODE_LINK_LOST : IOTHUB_CODE_POSSIBLE_TAKEOVER));
        CHECK(b.statuses.back().reason == (cut < 3 ? IOTHUB_CLIENT_CONNECTION_NO_NETWORK : IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR));
        b.until_open(600000);
        b.inbound = CONNACK;
        b.work(2);
    }
    b.after(61000);                      /* one that lasts ends the suspicion */
    b.dead_read = true;
    b.work();
    CHECK(b.error().code == IOTHUB_CODE_LINK_LOST);
}
