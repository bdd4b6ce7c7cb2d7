/* Twins against a platform of scripts: documents, patches, reported states. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"

namespace {

const std::string GET = "$iothub/twin/GET/?$rid=";
const std::string REPORT = "$iothub/twin/PATCH/properties/reported/?$rid=";

std::string error_text(const Features &f)
{
    IOTHUB_ERROR e = f.error();
    return std::to_string((int)e.code) + " " + std::to_string(e.raw) + " " + std::to_string(e.retry_after_s);
}

std::string refused(long status, unsigned after_s)
{
    return std::to_string((int)IOTHUB_CODE_TWIN_REFUSED) + " " + std::to_string(status) + " " + std::to_string(after_s);
}

/* Time goes by as GetNextWork says; a sign of life arrives meanwhile. */
void pass(Features &f, uint32_t milliseconds)
{
    for (uint32_t passed = 0; passed < milliseconds;) {
        uint32_t step = std::min(std::max(f.next(), 1u), std::min(milliseconds - passed, 30000u));
        f.after(step);
        passed += step;
        if (f.is_open) {
            f.inbound += std::string("\xD0\0", 2);
            f.work();
        }
    }
}

}

/* ---- the document and its patches ---- */

TEST_CASE("twin: GET leaves after SUBACK, one document comes, then patches in order")
{
    Features f(4096);
    f.want_twin();
    f.work(3);
    CHECK(f.said() == "CONNECT; SUBSCRIBE $iothub/twin/res/#:0 $iothub/twin/PATCH/properties/desired/#:0");
    f.hear(CONNACK);
    CHECK(f.said() == "");                       /* not before the hub listens */
    f.hear(suback(std::string("\0\0", 2)));
    CHECK(f.said() == GET + "65537 ");
    f.hear(twin_answer(200, "65537", document(3)));
    f.hear(patch(4) + patch(5));
    CHECK(f.twins == std::vector<std::string>({ "C " + document(3), "P " + change(4), "P " + change(5) }));
    CHECK(f.said() == "");
    CHECK(f.statistics().received == 3);
}

TEST_CASE("twin: every split of document and patches gives the same")
{
    for (size_t limit = 1; limit < 70; limit += limit < 10 ? 1 : 17) {
        Features f(4096);
        f.want_twin();
        f.online();
        f.read_limit = limit;
        f.hear(twin_answer(200, "65537", document(3, "\"x\":{\"$version\":9},")) + patch(4));
        CAPTURE(limit);
        REQUIRE(f.twins.size() == 2);
        CHECK(f.twins[1] == "P " + change(4));
    }
}

TEST_CASE("twin: a gap asks for the document, and patches wait for it")
{
    Features f(4096);
    f.with_twin(3);
    f.hear(patch(5));
    CHECK(f.twins.empty());
    CHECK(f.said() == GET + "65538 ");
    f.hear(patch(6));
    f.hear(twin_answer(200, "65538", document(6)) + patch(6) + patch(7));
    CHECK(f.twins == std::vector<std::string>({ "C " + document(6), "P " + change(7) }));
}

TEST_CASE("twin: a patch that is known already is dropped")
{
    Features f(4096);
    f.with_twin(3);
    f.hear(patch(3) + patch(2) + patch(4) + patch(4) + publish("$iothub/twin/PATCH/properties/desired/?x=1", "{}")
        + publish("$iothub/twin/PATCH/properties/desired/", "{}"));
    CHECK(f.twins == std::vector<std::string>({ "P " + change(4) }));
    CHECK(f.said() == "");
}

TEST_CASE("twin: a document older than a patch seen since GET is asked for again; the application gets the newer one only")
{
    Features f(4096);
    f.want_twin();
    f.online();
    f.hear(patch(9) + twin_answer(200, "65537", document(8)));
    CHECK(f.twins.empty());
    CHECK(f.said() == GET + "65538 ");
    f.hear(twin_answer(200, "65538", document(9)) + patch(10));
    CHECK(f.twins == std::vector<std::string>({ "C " + document(9), "P " + change(10) }));
}

TEST_CASE("twin: a document with a lower version is believed, and patches go on from it")
{
    Features f(4096);
    f.with_twin(100);
    f.hear(patch(102));
    f.hear(twin_answer(200, "65538", document(1)) + patch(2));
    CHECK(f.twins == std::vector<std::string>({ "C " + document(1), "P " + change(2) }));
}

TEST_CASE("twin: after a reconnect the document comes again, and patches of before are of no use")
{
    Features f(4096);
    f.with_twin(3);
    f.cut();
    f.until_open(400000);
    f.work(3);
    f.outbound.clear();
    f.hear(CONNACK);
    f.work(3);
    if (f.said().find("SUBSCRIBE") == std::string::npos) {
        f.work();
    }
    f.hear(suback(std::string("\0\0", 2)) + patch(4)); /* in order, and before the document */
    CHECK(f.twins.empty());
    std::string said = f.said();
    CHECK(said.find(GET) == 0);
    f.hear(twin_answer(200, said.substr(GET.size(), 5), document(4)));
    CHECK(f.twins == std::vector<std::string>({ "C " + document(4) }));
}

TEST_CASE("twin: the connection lost in the middle of a document or patch delivers none of it")
{
    for (int what = 0; what < 2; ++what) {
        Features f(4096);
        f.with_twin(3);
        f.hear(patch(5));                        /* a gap: GET is on its way */
        std::string packet = what ? twin_answer(200, "65538", document(5)) : twin_answer(200, "65538", document(5)) + patch(6);
        f.hear(packet.substr(0, packet.size() - 3));
        size_t before = f.twins.size();
        f.cut();
        f.online();
        CHECK(f.twins.size() == before);
        CHECK(before == (what ? 0u : 1u));
    }
}

TEST_CASE("twin: 429 and 5xx are an error with retry-after, never a document, and GET is repeated after that time")
{
    struct { int status; const char *more; unsigned held; } const cases[] = {
        { 429, "&retry-after=7", 7 }, { 429, "", 10 }, { 500, "", 10 }, { 429, "&retry-after=x", 10 }, { 599, "&retry-after=1", 1 }
    };
    for (const auto &c : cases) {
        Features f(4096);
        f.want_twin();
        f.online();
        f.hear(twin_answer(c.status, "65537", "{\"errorCode\":1}", c.more));
        CAPTURE(c.status, c.more);
        CHECK(f.twins.empty());
        CHECK(error_text(f) == refused(c.status, c.held));
        CHECK(f.error().layer == IOTHUB_LAYER_HUB);
        CHECK(f.error().retryable);
        CHECK(f.said() == "");
        pass(f, c.held * 1000 - 1);
        CHECK(f.said().find(GET) == std::string::npos);
        pass(f, 1);
        f.work(2);
        CHECK(f.said().find(GET + "65538") != std::string::npos);
    }
}

TEST_CASE("twin: another refusal is told, and does not become a storm of GETs")
{
    for (int status : { 400, 401, 404, 412, 204 }) {
        Features f(4096);
        f.want_twin();
        f.online();
        f.hear(twin_answer(status, "65537"));
        CAPTURE(status);
        CHECK(f.twins.empty());
        CHECK(f.error().code == IOTHUB_CODE_TWIN_REFUSED);
        CHECK(f.error().raw == status);
        f.work(3);
        CHECK(f.said() == "");                   /* not at once, as often as a round trip allows */
        pass(f, 61000);
        CHECK(f.said().find(GET + "65538") != std::string::npos);
    }
}

TEST_CASE("twin: no answer within 60 s is 408, GET is sent again, and the late answer of the old one counts for nothing")
{
    Features f(4096);
    f.want_twin();
    f.online();
    f.hear(twin_answer(200, "4", ""));           /* something arrived before: its bag must not be read again */
    pass(f, 59000);
    CHECK(f.said().find(GET) == std::string::npos);
    CHECK(f.error().code == IOTHUB_CODE_NONE);
    pass(f, 1100);
    CHECK(error_text(f) == refused(408, 0));
    CHECK(f.said().find(GET + "65538") != std::string::npos);
    f.hear(twin_answer(200, "65537", document(3)));
    CHECK(f.twins.empty());
    f.hear(twin_answer(200, "65538", document(4)));
    CHECK(f.twins == std::vector<std::string>({ "C " + document(4) }));
    f.hear(twin_answer(200, "65538", document(4))); /* and the same once more */
    CHECK(f.twins.size() == 1);
}

TEST_CASE("twin: a document that arrives for longer than 60 s is taken")
{
    Features f(4096);
    f.want_twin();
    f.online();
    std::string packet = twin_answer(200, "65537", document(3));
    f.hear(packet.substr(0, packet.size() - 3));
    pass(f, 0);
    f.after(50000);
    f.hear(packet.substr(packet.size() - 3, 1));
    f.after(50000);
    f.hear(packet.substr(packet.size() - 2));
    CHECK(f.twins.size() == 1);
    CHECK(f.error().code == IOTHUB_CODE_NONE);
}

TEST_CASE("twin: answers to nothing that was asked are counted and change nothing")
{
    Features f(4096);
    f.with_twin(3);
    uint32_t before = f.statistics().acknowledgements_unknown;
    for (const char *request : { "65537", "65538", "0", "1", "65535", "99999999999", "x", "" }) {
        f.hear(twin_answer(200, request, document(9)));
    }
    f.hear(publish(TWIN_ANSWER + "200/", document(9)));
    CHECK(f.twins.empty());
    CHECK(f.statistics().acknowledgements_unknown == before + 9);
    CHECK(f.is_open);
    f.hear(patch(4));
    CHECK(f.twins.size() == 1);
}

TEST_CASE("twin: a document too large is told with what is missing; its version is read all the same, and patches go on")
{
    Features f(1024);
    f.want_twin();
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.online();
    const std::string large = "{\"desired\":{\"a\":\"" + std::string(32000, 'x') + "\",\"$version\":41},\"reported\":{\"$version\":1}}";
    f.hear(twin_answer(200, "65537", large));
    CHECK(f.twins.empty());
    CHECK(f.gets == std::vector<std::string>({ "C NULL" }));
    CHECK(f.error().code == IOTHUB_CODE_TWIN_SKIPPED);
    CHECK(f.error().bytes_missing > 31000);
    CHECK(f.statistics().received_skipped == 1);
    f.hear(patch(42));
    CHECK(f.twins == std::vector<std::string>({ "P " + change(42) }));
    CHECK(f.said() == "");
}

TEST_CASE("twin: a patch too large asks for the document, which may be too large as well, and that is the end of it")
{
    Features f(1024);
    f.with_twin(3);
    f.hear(publish(TWIN_PATCH + "4", "{\"a\":\"" + std::string(2000, 'x') + "\",\"$version\":4}"));
    CHECK(f.twins.empty());
    CHECK(f.error().code == IOTHUB_CODE_TWIN_SKIPPED);
    CHECK(f.said() == GET + "65538 ");
    f.hear(twin_answer(200, "65538", document(4, "\"a\":\"" + std::string(2000, 'x') + "\",")));
    CHECK(f.said() == "");
    f.hear(patch(5));
    CHECK(f.twins == std::vector<std::string>({ "P " + change(5) }));
}

/* ---- who hears of it ---- */

TEST_CASE("twin: NULL gives it up: UNSUBSCRIBE of patches; set again, a document comes")
{
    Features f(4096);
    f.with_twin(3);
    REQUIRE(IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "UNSUBSCRIBE $iothub/twin/PATCH/properties/desired/#");
    f.hear(patch(4));                            /* was on its way */
    CHECK(f.twins.empty());
    f.hear(UNSUBACK);
    CHECK(f.said() == "");
    f.want_twin();
    f.work(2);
    CHECK(f.said() == "SUBSCRIBE $iothub/twin/PATCH/properties/desired/#:0");
    f.hear(suback(std::string("\0", 1)));
    CHECK(f.said() == GET + "65538 ");
    f.hear(twin_answer(200, "65538", document(4)));
    CHECK(f.twins.size() == 1);
}

TEST_CASE("twin: NULL before anything else is no error, and asks for nothing")
{
    Features f(80);                              /* nor for room */
    CHECK(IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work(3);
    CHECK(f.said() == "CONNECT");
}

TEST_CASE("twin: given up while its document comes: nobody is told")
{
    Features f(4096);
    f.want_twin();
    f.online();
    std::string packet = twin_answer(200, "65537", document(3));
    f.hear(packet.substr(0, packet.size() - 3));
    REQUIRE(IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.hear(packet.substr(packet.size() - 3));
    CHECK(f.twins.empty());
    CHECK(f.said() == "UNSUBSCRIBE $iothub/twin/PATCH/properties/desired/#");
    f.want_twin();
    f.work(2);
    f.hear(UNSUBACK + suback(std::string("\0", 1)));
    f.hear(twin_answer(200, "65538", document(4)));
    CHECK(f.twins == std::vector<std::string>({ "C " + document(4) }));
}

TEST_CASE("twin: the callback set while connected gets a document at once")
{
    Features f(4096);
    f.want_methods();
    f.online();
    f.want_twin();
    f.work(2);
    CHECK(f.said() == "SUBSCRIBE $iothub/twin/res/#:0 $iothub/twin/PATCH/properties/desired/#:0");
    f.hear(suback(std::string("\0\0", 2)));
    CHECK(f.said() == GET + "65537 ");
}

TEST_CASE("twin: properties under their names are the same with other values")
{
    Features f(4096);
    REQUIRE(IoTHubDeviceClient_GetPropertiesAndSubscribeToUpdatesAsync(f.hub, Features::on_properties, &f) == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(twin_answer(200, "65537", document(3)) + patch(4));
    CHECK(f.twins == std::vector<std::string>({ "ALL " + document(3), "UPDATES " + change(4) }));
    f.twins.clear();
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_GetPropertiesAsync(f.hub, Features::on_properties, &f) == IOTHUB_CLIENT_OK);
    f.work(2);
    f.hear(twin_answer(200, "65538", document(4)));
    CHECK(f.gets == std::vector<std::string>({ "C " + document(4) }));
    CHECK(f.twins == std::vector<std::string>({ "ALL " + document(4), "ALL " + document(4) })); /* the subscriber, then the asker */
    REQUIRE(IoTHubDeviceClient_SendPropertiesAsync(f.hub, (const unsigned char *)"{}", 2, Features::on_reported, &f) == IOTHUB_CLIENT_OK);
    f.outbound.clear();
    f.work();
    CHECK(f.said() == REPORT + "1 {}");
    f.hear(twin_answer(204, "1"));
    CHECK(f.reported == std::vector<int>({ 204 }));
}

/* ---- GetTwinAsync ---- */

TEST_CASE("get twin: without a callback for everything one GET, one document, no patches")
{
    Features f(4096);
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.work(3);
    CHECK(f.said() == "CONNECT; SUBSCRIBE $iothub/twin/res/#:0");
    f.hear(CONNACK + suback(std::string("\0", 1)));
    CHECK(f.said() == GET + "65537 ");
    f.hear(twin_answer(200, "65537", document(3)));
    CHECK(f.gets == std::vector<std::string>({ "C " + document(3) }));
    CHECK(f.twins.empty());
    f.work(3);
    CHECK(f.said() == "");
}

TEST_CASE("get twin: several wait for one document; too many are an error; the place is free in its own callback")
{
    Features f(4096);
    for (int i = 0; i < IOTHUB_TWIN_GETS; ++i) {
        CHECK(f.get() == IOTHUB_CLIENT_OK);
    }
    CHECK(f.get() == IOTHUB_CLIENT_ERROR);
    f.online();
    int again = 0;
    f.during = [&] { again += f.get() == IOTHUB_CLIENT_OK; };
    f.hear(twin_answer(200, "65537", document(3)));
    f.during = nullptr;
    CHECK(f.gets.size() == IOTHUB_TWIN_GETS);    /* those who asked in a callback wait for the next document */
    CHECK(again == IOTHUB_TWIN_GETS);
    CHECK(f.said() == GET + "65538 ");
    f.hear(twin_answer(200, "65538", document(4)));
    CHECK(f.gets.size() == 2 * IOTHUB_TWIN_GETS);
    CHECK(f.gets.back() == "C " + document(4));
}

TEST_CASE("get twin: mixed kinds of callback keep their own, in the order of their calls")
{
    Features f(4096);
    REQUIRE(IoTHubDeviceClient_GetPropertiesAsync(f.hub, Features::on_properties, &f) == IOTHUB_CLIENT_OK);
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.online();
    std::string order;
    f.during = [&] { order += std::to_string(f.twins.size()) + std::to_string(f.gets.size()) + " "; };
    f.hear(twin_answer(200, "65537", document(3)));
    CHECK(order == "10 11 ");
    f.during = nullptr;
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_GetPropertiesAsync(f.hub, Features::on_properties, &f) == IOTHUB_CLIENT_OK);
    f.work(2);
    f.hear(twin_answer(200, "65538", document(4)));
    CHECK(f.twins == std::vector<std::string>({ "ALL " + document(3), "ALL " + document(4) }));
    CHECK(f.gets == std::vector<std::string>({ "C " + document(3), "C " + document(4) }));
}

TEST_CASE("get twin: NULL and 0 when the hub refuses, does not answer, and at Destroy")
{
    Features f(4096);
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(twin_answer(429, "65537", "{}", "&retry-after=20"));
    CHECK(f.gets == std::vector<std::string>({ "C NULL" }));
    CHECK(error_text(f) == refused(429, 20));
    pass(f, 25000);
    CHECK(f.said().find(GET) == std::string::npos); /* nobody wants it any more */
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.work(2);
    f.outbound.clear();
    pass(f, 61000);
    CHECK(f.gets.size() == 2);
    CHECK(f.gets[1] == "C NULL");
    CHECK(error_text(f) == refused(408, 0));
    {
        Features g(4096);
        REQUIRE(g.get() == IOTHUB_CLIENT_OK);
        REQUIRE(IoTHubDeviceClient_GetPropertiesAsync(g.hub, Features::on_properties, &g) == IOTHUB_CLIENT_OK);
        IOTHUB_CLIENT_RESULT within = IOTHUB_CLIENT_OK;
        g.during = [&] { within = g.get(); };
        IoTHubDeviceClient_Destroy(g.hub);
        g.hub = NULL;
        CHECK(g.gets == std::vector<std::string>({ "C NULL" }));
        CHECK(g.twins == std::vector<std::string>({ "ALL NULL" }));
        CHECK(within == IOTHUB_CLIENT_ERROR);
    }
}

TEST_CASE("get twin: while held by a refusal it waits for that time")
{
    Features f(4096);
    f.want_twin();
    f.online();
    f.hear(twin_answer(503, "65537", "", "&retry-after=30"));
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.work(3);
    CHECK(f.said() == "");
    pass(f, 31000);
    CHECK(f.said().find(GET + "65538") != std::string::npos);
    f.hear(twin_answer(200, "65538", document(1)));
    CHECK(f.gets == std::vector<std::string>({ "C " + document(1) }));
    CHECK(f.twins == f.gets);
}

TEST_CASE("get twin: a lost connection asks again on the next one")
{
    Features f(4096);
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.online();
    f.cut();
    CHECK(f.gets.empty());
    f.until_open(400000);
    f.work(3);
    f.hear(CONNACK);
    f.work(2);
    f.outbound.clear();
    f.hear(suback(std::string("\0", 1)));
    std::string said = f.said();
    REQUIRE(said.find(GET) == 0);
    f.hear(twin_answer(200, said.substr(GET.size(), 5), document(2)));
    CHECK(f.gets == std::vector<std::string>({ "C " + document(2) }));
}

/* ---- reported states ---- */

TEST_CASE("reported: no GET is sent when nothing else of the twin is used, not after a reconnect either")
{
    Features f;
    REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    f.work(3);
    CHECK(f.said() == "CONNECT; SUBSCRIBE $iothub/twin/res/#:0");
    f.hear(CONNACK + suback(std::string("\0", 1)));
    CHECK(f.said() == REPORT + "1 {\"a\":1}");
    f.hear(twin_answer(204, "1", "", "&$version=5"));
    CHECK(f.reported == std::vector<int>({ 204 }));
    f.cut();
    f.online();
    f.work(3);
    CHECK(f.said() == "");
}

TEST_CASE("reported: the hub's status is passed on")
{
    for (int status : { 200, 204, 400, 413 }) {
        Features f;
        REQUIRE(f.report("{}") == IOTHUB_CLIENT_OK);
        f.online();
        f.hear(twin_answer(status, "1", "{}"));
        CAPTURE(status);
        CHECK(f.reported == std::vector<int>({ status }));
        CHECK(f.error().code == (status >= 300 ? IOTHUB_CODE_TWIN_REFUSED : IOTHUB_CODE_NONE));
        REQUIRE(f.report("{}") == IOTHUB_CLIENT_OK);
        f.work(2);
        CHECK(f.said() == REPORT + "2 {}");      /* nothing holds the next one */
    }
}

TEST_CASE("reported: 429 ends it, and nothing of the twin leaves before the time that the hub says; telemetry does")
{
    Features f(4096);
    f.with_twin(3);
    REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    REQUIRE(f.report("{\"a\":2}") == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == REPORT + "1 {\"a\":1}");   /* one at a time */
    f.hear(twin_answer(429, "1", "{}", "&retry-after=12"));
    CHECK(f.reported == std::vector<int>({ 429 }));
    CHECK(error_text(f) == refused(429, 12));
    REQUIRE(f.send("telemetry") == IOTHUB_CLIENT_OK);
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.work(2);
    CHECK(f.said() == "devices/d1/messages/events/ telemetry");
    f.hear(puback(3));
    CHECK(f.confirmations.size() == 1);
    pass(f, 11900);
    CHECK(f.said() == "");
    pass(f, 200);
    f.work(2);
    CHECK(f.said() == GET + "65538 ; " + REPORT + "2 {\"a\":2}");
}

TEST_CASE("reported: one after the other, each when the one before is answered; telemetry between them does not wait")
{
    Features f;
    for (int i = 1; i <= 3; ++i) {
        REQUIRE(f.report("{\"a\":" + std::to_string(i) + "}") == IOTHUB_CLIENT_OK);
        REQUIRE(f.send("t" + std::to_string(i)) == IOTHUB_CLIENT_OK);
    }
    f.work(3);
    CHECK(f.said() == "CONNECT; SUBSCRIBE $iothub/twin/res/#:0; devices/d1/messages/events/ t1; devices/d1/messages/events/ t2; devices/d1/messages/events/ t3");
    f.hear(CONNACK + suback(std::string("\0", 1)));
    CHECK(f.said() == REPORT + "1 {\"a\":1}");   /* not before SUBACK, while telemetry behind it is */
    f.hear(puback(2) + puback(4) + puback(6));
    CHECK(f.confirmations.size() == 3);
    f.hear(twin_answer(204, "1"));
    CHECK(f.said() == REPORT + "3 {\"a\":2}");
    f.hear(twin_answer(204, "3"));
    CHECK(f.said() == REPORT + "5 {\"a\":3}");
    f.hear(twin_answer(204, "5"));
    CHECK(f.reported == std::vector<int>({ 204, 204, 204 }));
    IOTHUB_STATISTICS s = f.statistics();
    CHECK(s.accepted == 3);                      /* messages alone */
    CHECK(s.sent == 3);
    CHECK(s.outbox_used == 0);
    CHECK_FALSE(f.contract_broken);
}

TEST_CASE("reported: what a lost connection left unanswered is sent again, first, in order, without DUP")
{
    Features f;
    REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    REQUIRE(f.report("{\"a\":2}") == IOTHUB_CLIENT_OK);
    f.online();
    f.cut();
    CHECK(f.reported.empty());
    REQUIRE(f.report("{\"a\":3}") == IOTHUB_CLIENT_OK);
    f.until_open(400000);
    f.work(3);
    f.hear(CONNACK);
    f.work(2);
    f.outbound.clear();
    f.hear(suback(std::string("\0", 1)));
    for (int i = 1; i <= 3; ++i) {
        std::vector<Packet> out = f.take();
        REQUIRE(out.size() == 1);
        CHECK(out[0].flags == 0);
        CHECK(out[0].body == "{\"a\":" + std::to_string(i) + "}");
        f.hear(twin_answer(204, std::to_string(i)));
    }
    CHECK(f.reported.size() == 3);
}

TEST_CASE("reported: no answer within 60 s is 408, once, and the next one leaves")
{
    Features f;
    REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    REQUIRE(f.report("{\"a\":2}") == IOTHUB_CLIENT_OK);
    f.online();
    pass(f, 59000);
    CHECK(f.reported.empty());
    pass(f, 1500);
    CHECK(f.reported == std::vector<int>({ 408 }));
    CHECK(error_text(f) == refused(408, 0));
    CHECK(f.said().find(REPORT + "2 ") != std::string::npos);
    f.hear(twin_answer(204, "1"));               /* late */
    CHECK(f.reported.size() == 1);
    CHECK(f.statistics().acknowledgements_unknown == 1);
    f.hear(twin_answer(204, "2"));
    CHECK(f.reported == std::vector<int>({ 408, 204 }));
    CHECK(f.is_open);
}

TEST_CASE("reported: it does not close the connection over acknowledgements, nor hold up those behind it")
{
    Features f;
    REQUIRE(f.report("{}") == IOTHUB_CLIENT_OK);
    f.online();
    REQUIRE(f.send("behind") == IOTHUB_CLIENT_OK);
    f.work(2);
    f.hear(puback(1));                           /* not its acknowledgement: it is none of telemetry */
    CHECK(f.reported.empty());
    f.hear(puback(2));
    CHECK(f.confirmations.size() == 1);
    f.hear(twin_answer(204, "2"));               /* nor is that one reported */
    CHECK(f.reported.empty());
    f.hear(twin_answer(204, "1"));
    CHECK(f.reported.size() == 1);
    CHECK(f.is_open);
}

TEST_CASE("reported: at Destroy 408 when it was sent, 0 when it was not; a NULL callback is fine")
{
    Features f;
    REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    f.online();
    REQUIRE(f.report("{\"a\":2}") == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SendReportedState(f.hub, (const unsigned char *)"{}", 2, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.work();
    IoTHubDeviceClient_Destroy(f.hub);
    f.hub = NULL;
    CHECK(f.reported == std::vector<int>({ 408, 0 }));
    Features sent_before;
    REQUIRE(sent_before.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    sent_before.online();
    sent_before.cut();
    IoTHubDeviceClient_Destroy(sent_before.hub); /* on an earlier connection counts as sent */
    sent_before.hub = NULL;
    CHECK(sent_before.reported == std::vector<int>({ 408 }));
}

TEST_CASE("reported: what can never fit is INVALID_SIZE, a full outbox ERROR, whatever the policy for telemetry")
{
    Features f;
    CHECK(f.report(std::string(5000, 'x')) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(f.error().code == IOTHUB_CODE_OUTBOX_TOO_SMALL);
    CHECK(f.error().bytes_missing > 3000);
    CHECK(f.report(std::string(262145, 'x')) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(f.error().code == IOTHUB_CODE_MESSAGE_TOO_LARGE);
    REQUIRE(f.set(IOTHUB_OPTION_OUTBOX_POLICY, (int)IOTHUB_OUTBOX_DROP_OLDEST) == IOTHUB_CLIENT_OK);
    int taken = 0;
    while (f.report(std::string(100, 'x')) == IOTHUB_CLIENT_OK) {
        REQUIRE(++taken < 100);
    }
    CHECK(f.error().code == IOTHUB_CODE_OUTBOX_FULL);
    CHECK(f.reported.empty());
    CHECK(f.send("t") == IOTHUB_CLIENT_ERROR);   /* a reported state in front is not dropped */
}

TEST_CASE("reported: every length of its topic and its body is framed right, resumed at every byte")
{
    std::string whole;
    for (size_t limit = 200; limit >= 1; --limit) {
        Features f;
        REQUIRE(f.report("{\"a\":\"" + std::string(130, 'x') + "\"}") == IOTHUB_CLIENT_OK);
        f.online();
        f.cut();
        f.write_limit = limit;
        f.until_open(400000);
        f.work(300);
        f.hear(CONNACK);
        f.work(300);
        f.hear(suback(std::string("\0", 1)));
        f.work(300);
        whole = whole.empty() ? f.outbound : whole;
        CHECK(f.outbound == whole);
        CHECK_FALSE(f.contract_broken);
        CHECK(packets(whole).size() == 3);
    }
}

TEST_CASE("reported: the answer to one that arrives while QoS 0 telemetry is half written, in a drain, does not mix packets up")
{
    Features f(4096);
    REQUIRE(f.set(IOTHUB_OPTION_QOS, 0) == IOTHUB_CLIENT_OK);
    REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    REQUIRE(f.report("{\"a\":2}") == IOTHUB_CLIENT_OK);
    f.online();
    REQUIRE(f.send(std::string(100, 't')) == IOTHUB_CLIENT_OK);
    f.write_limit = 10;
    IoTHubDeviceClient_DoWork(f.hub);
    f.write_limit = 0;
    f.work();
    REQUIRE(IoTHubDeviceClient_Stop(f.hub) == IOTHUB_CLIENT_OK);
    f.work(2);
    f.hear(twin_answer(204, "1"));
    f.write_limit = 100000;
    f.work(4);
    std::vector<Packet> out = packets(f.outbound);
    REQUIRE(out.size() >= 1);
    CHECK(out[0].topic == "devices/d1/messages/events/");
    CHECK(out[0].body == std::string(100, 't'));
    for (const Packet &p : out) {
        CHECK((p.type == 3 || p.type == 14));
    }
    CHECK_FALSE(f.contract_broken);
}

TEST_CASE("reported: answered behind older telemetry that is not acknowledged; an answer before it was sent counts for nothing")
{
    Features f(4096);
    f.want_twin();
    f.online();
    REQUIRE(f.send("older") == IOTHUB_CLIENT_OK);
    REQUIRE(f.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    REQUIRE(f.report("{\"a\":2}") == IOTHUB_CLIENT_OK);
    f.work(3);
    f.outbound.clear();
    f.hear(twin_answer(204, "3"));               /* still queued */
    CHECK(f.reported.empty());
    f.hear(twin_answer(204, "2"));
    CHECK(f.reported == std::vector<int>({ 204 }));
    CHECK(f.confirmations.empty());
    CHECK(f.said() == REPORT + "3 {\"a\":2}");
    f.hear(twin_answer(204, "2"));               /* a second time */
    CHECK(f.reported.size() == 1);
    pass(f, 61000);
    CHECK(f.reported == std::vector<int>({ 204, 408 })); /* the older message is not mistaken for it */
    CHECK(f.confirmations.empty());
    f.hear(puback(1));
    CHECK(f.confirmations.size() == 1);
    CHECK(f.statistics().outbox_used == 0);
}

TEST_CASE("twin: Stop while GET is wanted leaves without it")
{
    Features f(4096);
    f.want_twin();
    f.online();
    f.hear(twin_answer(503, "65537", "", "&retry-after=5"));
    REQUIRE(f.send("unacknowledged") == IOTHUB_CLIENT_OK);
    f.work(2);
    f.outbound.clear();
    REQUIRE(IoTHubDeviceClient_Stop(f.hub) == IOTHUB_CLIENT_OK);
    pass(f, 8000);                               /* the time of the refusal is over, the drain is not */
    CHECK(f.said().find("GET") == std::string::npos);
    f.hear(puback(1));
    f.work(3);
    CHECK_FALSE(f.is_open);
}

TEST_CASE("twin: a retry-after that finds no room counts as five minutes")
{
    Features f(1024);
    f.want_twin();
    f.online();
    f.hear(twin_answer(429, "65537", "", "&x=" + std::string(2000, 'x') + "&retry-after=9"));
    CHECK(error_text(f) == refused(429, IOTHUBI_TWIN_RETRY_UNREAD_S));
}

/* ---- subscriptions of the twin ---- */

TEST_CASE("twin: patches refused: the document comes all the same; granted later, it comes again, so that no change is missed")
{
    Features f(4096);
    f.want_twin();
    f.online();
    f.cut();
    f.until_open(400000);
    f.work(3);
    f.hear(CONNACK);
    f.work(2);
    f.outbound.clear();
    f.hear(suback(std::string("\0\x80", 2)));
    CHECK(f.error().code == IOTHUB_CODE_SUBSCRIPTION_REFUSED);
    CHECK(f.error().raw == 4);
    std::string said = f.said();
    REQUIRE(said.find(GET) == 0);
    f.hear(twin_answer(200, said.substr(GET.size(), 5), document(3)));
    CHECK(f.twins.size() == 1);
    pass(f, 61000);
    CHECK(f.said().find("SUBSCRIBE $iothub/twin/PATCH/properties/desired/#:0") != std::string::npos);
    f.hear(suback(std::string("\0", 1)));
    said = f.said();
    CHECK(said.find(GET) == 0);                  /* a change in that minute sent no patch */
}

TEST_CASE("twin: answers refused: nothing of the twin leaves; granted later, all of it does")
{
    Features f(4096);
    f.want_twin();
    REQUIRE(f.report("{}") == IOTHUB_CLIENT_OK);
    f.work(3);
    f.hear(CONNACK);
    f.outbound.clear();
    f.hear(suback(std::string("\x80\0", 2)));
    CHECK(f.error().raw == 2);
    f.work(3);
    CHECK(f.said() == "");
    pass(f, 61000);
    CHECK(f.said().find("SUBSCRIBE $iothub/twin/res/#:0") != std::string::npos);
    f.hear(suback(std::string("\0", 1)));
    CHECK(f.said() == GET + "65537 ; " + REPORT + "1 {}");
}
