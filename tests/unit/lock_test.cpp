/* IOTHUB_LOCK and IOTHUB_LOG as a program with threads and a log would define them. */
#include <string>

namespace {
int depth = 0, deepest = 0, locks = 0;
std::string log_text;
} // namespace

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_LOCK() (depth += 1, locks += 1, deepest = depth > deepest ? depth : deepest)
#define IOTHUB_UNLOCK() (depth -= 1)
#define IOTHUB_LOG(level, code, text) (log_text += text, log_text += "\n", (void)(level), (void)(code))
#include "implementation.h"
#include "bench.h"

TEST_CASE("locks: one for each public call, never nested, let go around callbacks")
{
    depth = deepest = locks = 0;
    {
        Bench b;
        int seen = 0;
        b.during_confirmation = [&](int) { seen += 1; CHECK(depth == 0); b.send("again"); };
        b.send("one");
        b.connect();
        b.inbound = puback(1);
        b.work(2);
        CHECK(seen == 1);
        b.dead_read = true;
        b.work();
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString("x");
        IoTHubMessage_Destroy(message);
        IoTHubDeviceClient_SetOption(b.hub, "unknown", "x");
        IoTHubDeviceClient_Stop(b.hub);
        IoTHubDeviceClient_Start(b.hub);
        b.next();
        b.error();
        b.statistics();
        CHECK(depth == 0);
        b.during_confirmation = [&](int) { CHECK(depth == 0); CHECK(b.send("no") == IOTHUB_CLIENT_ERROR); };
        IoTHubDeviceClient_Destroy(b.hub);
        CHECK(depth == 0);
        b.hub = NULL;
    }
    CHECK(deepest == 1);
    CHECK(locks > 20);
}

TEST_CASE("log: names packets and errors, and never holds a secret")
{
    log_text.clear();
    Bench b;
    IOTHUB_BOOL trace = true;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_LOG_TRACE, &trace) == IOTHUB_CLIENT_OK);
    b.send("secret body");
    b.connect();
    b.inbound = puback(1) + std::string("\xD0\x00", 2);
    b.work();
    b.after(180000);
    b.inbound = std::string("\xFF", 1);
    b.work();
    for (const char *text : { "CONNACK", "PUBACK", "PINGREQ", "PINGRESP", "PUBLISH", "malformed" }) {
        CHECK(log_text.find(text) != std::string::npos);
    }
    for (const char *text : { "secret", "SharedAccess", "AAECAw", "sig=", "d1" }) {
        CHECK(log_text.find(text) == std::string::npos);
    }
}
