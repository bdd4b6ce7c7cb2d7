/* All features over MQTT in WebSocket, with the emulator's faults of frames and upgrade, and through its HTTP CONNECT proxy. */
#include <catch2/catch.hpp>
#include "features.h"

namespace {

struct WebSocket : Everything {
    explicit WebSocket(const Hub &hub) : Everything(hub.connection("d1"), hub.root, MQTT_WebSocket_Protocol) {}
};

} // namespace

TEST_CASE("websocket: everything works as over TLS alone")
{
    FeatureHub hub;
    WebSocket device(hub);
    for (int round = 1; round <= 3; ++round) CHECK(exchange(hub, device, "d1", round));
    std::string upgrade = hub.seen("upgrade").at(0);
    CHECK(json(upgrade, "path") == "/$iothub/websocket");
    CHECK(upgrade.find("mqtt") != std::string::npos);
    CHECK(hub.waiting() == "0");
    IoTHubDeviceClient_Stop(device.Device::hub);
    REQUIRE(device.run([&] { return device.reasons.size() == 2; }));
    CHECK(json(hub.wait_for("disconnect", 3000), "disconnectReceived") == "true");
    CHECK(hub.all("violation").empty());
    CHECK(hub.end() == 0);
}

TEST_CASE("websocket: fragments, split and merged messages, pings between, and an answer without subprotocol")
{
    for (const char *fault : { "ws-upgrade=no-protocol", "ws-fragment=7", "ws-split=5", "ws-merge=30", "ws-ping=20", "split-out=1" }) {
        INFO(fault);
        FeatureHub hub({ "--fault", fault });
        WebSocket device(hub);
        for (int round = 1; round <= 3; ++round) CHECK(exchange(hub, device, "d1", round));
        CHECK(hub.waiting() == "0");
        CHECK(hub.all("violation").empty());
    }
}

TEST_CASE("websocket: large bodies, both ways")
{
    FeatureHub hub;
    Features device(hub.connection("d1"), hub.root, 70000, 600000, MQTT_WebSocket_Protocol);
    REQUIRE(IoTHubDeviceClient_SetMessageCallback(device.hub, Features::on_message, &device) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_ready());
    hub.command_line("c2d d1 {\"bodySize\":65000}");
    REQUIRE(device.send(std::string(262000, 'z')) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return device.messages.size() == 1 && device.confirmed == 1 && hub.count("telemetry") == 1; }));
    CHECK((device.messages[0].body == alphabet(65000)));
    CHECK((json(hub.seen("telemetry").at(0), "text") == std::string(262000, 'z')));
    CHECK(hub.end() == 0);
}

TEST_CASE("websocket: a refused upgrade, a wrong answer and a closed one end in their own error, and recover")
{
    struct { const char *fault; long raw; } cases[] = { { "ws-upgrade=503", 503 }, { "ws-upgrade=401", 401 }, { "ws-upgrade=wrong-accept", 101 }, { "ws-mask=on", 1002 },
        { "ws-text=on", 1003 }, { "ws-close=1008", 1008 } };
    for (auto &c : cases) {
        INFO(c.fault);
        FeatureHub hub({ "--fault", c.fault });
        WebSocket device(hub);
        REQUIRE(device.run([&] { return !device.errors.empty() && device.errors.back().code != IOTHUB_CODE_NONE; }));
        CHECK(device.errors.back().raw == c.raw);
        std::string name = c.fault;
        hub.fault(name.substr(0, name.find('=')) + "=off");
        CHECK(exchange(hub, device, "d1", 1));
    }
}

TEST_CASE("websocket: everything comes back after each loss, with a session that is resumed")
{
    FeatureHub hub({ "--tls12" });
    WebSocket device(hub);
    for (int round = 1; round <= 3; ++round) {
        CHECK(exchange(hub, device, "d1", round));
        hub.command_line("kick d1");
    }
    CHECK(exchange(hub, device, "d1", 4));
    CHECK(hub.fields("connect", "tls").back().find("resumed") != std::string::npos);
    CHECK(hub.waiting() == "0");
}

TEST_CASE("proxy: MQTT and WebSocket through an HTTP proxy, with its password")
{
    for (IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol : { MQTT_Protocol, MQTT_WebSocket_Protocol }) {
        FeatureHub hub({ "--proxy", "0,me:secret" });
        Everything device(hub.connection("d1"), hub.root, protocol);
        HTTP_PROXY_OPTIONS proxy = { "127.0.0.1", std::atoi(hub.proxy_port.c_str()), "me", "secret" };
        REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_HTTP_PROXY, &proxy) == IOTHUB_CLIENT_OK);
        CHECK(exchange(hub, device, "d1", 1));
        hub.command_line("kick d1");
        CHECK(exchange(hub, device, "d1", 2));
        CHECK(hub.fields("proxy", "result") == std::vector<std::string>({ "200", "200" }));
        CHECK(hub.end() == 0);
    }
}

TEST_CASE("proxy: a wrong password and a proxy that is not there end in their own errors")
{
    FeatureHub hub({ "--proxy", "0,me:secret" });
    Everything wrong(hub.connection("d1"), hub.root);
    HTTP_PROXY_OPTIONS proxy = { "127.0.0.1", std::atoi(hub.proxy_port.c_str()), "me", "guess" };
    REQUIRE(IoTHubDeviceClient_SetOption(wrong.hub, OPTION_HTTP_PROXY, &proxy) == IOTHUB_CLIENT_OK);
    REQUIRE(wrong.run([&] { return !wrong.reasons.empty(); }));
    CHECK(wrong.reasons[0] == IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
    CHECK(wrong.errors[0].layer == IOTHUB_LAYER_PROXY);
    CHECK(wrong.errors[0].raw == 407);

    Everything absent(hub.connection("d1"), hub.root);
    proxy.port = 1;
    REQUIRE(IoTHubDeviceClient_SetOption(absent.hub, OPTION_HTTP_PROXY, &proxy) == IOTHUB_CLIENT_OK);
    REQUIRE(absent.run([&] { return !absent.reasons.empty(); }));
    CHECK(absent.errors[0].layer == IOTHUB_LAYER_TCP);
}
