/* Direct methods through real TLS and the emulator: at once, later, many, large, and what cannot be answered. */
#include <catch2/catch.hpp>
#include "features.h"

namespace {

struct Callee : Features {
    Callee(const Hub &hub, bool later, size_t inbox = 1536, size_t outbox = 8192) : Features(hub.connection("d1"), hub.root, inbox, outbox)
    {
        IOTHUB_CLIENT_RESULT result = later ? IoTHubDeviceClient_SetDeviceMethodCallback_Ex(Device::hub, on_inbound, this)
            : IoTHubDeviceClient_SetDeviceMethodCallback(Device::hub, on_method, this);
        if (result != IOTHUB_CLIENT_OK) throw std::runtime_error("SetDeviceMethodCallback");
    }
    bool run_until_calls(size_t count) { return run([&] { return calls.size() >= count; }); }
    /* A call before the subscription would find nobody. */
    bool run_until_subscribed(FeatureHub &hub) { return run([&] { return hub.count("subscribe") >= 1; }); }
    std::string run_until_result(FeatureHub &hub, int call)
    {
        std::string found;
        run([&] {
            for (auto &line : hub.seen("method-result")) if (json(line, "call") == std::to_string(call)) found = line;
            return !found.empty();
        });
        return found;
    }
};

} // namespace

TEST_CASE("methods: payload, status and answer of a method that answers at once")
{
    FeatureHub hub;
    Callee device(hub, false);
    REQUIRE(device.run_until_subscribed(hub));
    device.response = "{\"ok\":true}";
    device.status = 201;
    hub.command_line("method d1 reboot {\"json\":{\"delay\":[1,2]}}");
    std::string result = device.run_until_result(hub, 1);
    CHECK(device.calls.at(0).name == "reboot");
    CHECK(device.calls[0].payload == "{\"delay\":[1,2]}");
    CHECK(json(result, "status") == "201");
    CHECK(json(result, "body") == "eyJvayI6dHJ1ZX0=");
    device.response = "";
    hub.command_line("method d1 a%20b {\"body\":\"\"}");
    result = device.run_until_result(hub, 2);
    CHECK(device.calls.at(1).payload.empty());
    CHECK(json(result, "status") == "201");
    CHECK(hub.end() == 0);
}

TEST_CASE("methods: many in flight, each answered later, in any order, once")
{
    FeatureHub hub;
    Callee device(hub, true, 4096);
    REQUIRE(device.run_until_subscribed(hub));
    for (int i = 0; i < 8; ++i) hub.command_line("method d1 echo {\"json\":" + std::to_string(i) + "}");
    REQUIRE(device.run_until_calls(8));
    for (size_t i = 8; i-- > 0;) {
        CHECK(device.answer(device.calls[i].handle, device.calls[i].payload, 200) == IOTHUB_CLIENT_OK);
        CHECK(device.answer(device.calls[i].handle, device.calls[i].payload, 200) == IOTHUB_CLIENT_INVALID_ARG);
    }
    for (int i = 0; i < 8; ++i) CHECK(json(device.run_until_result(hub, i + 1), "text") == std::to_string(i));
    CHECK(hub.count("notice") == 0);
    CHECK(hub.end() == 0);
}

TEST_CASE("methods: more than the slots are answered 503 without asking the application")
{
    FeatureHub hub;
    Callee device(hub, true, 1024);
    REQUIRE(device.run_until_subscribed(hub));
    for (int i = 0; i < 6; ++i) hub.command_line("method d1 wait {\"json\":" + std::to_string(i) + "}");
    for (int i = 4; i < 6; ++i) CHECK(json(device.run_until_result(hub, i + 1), "status") == "503");
    CHECK(device.calls.size() >= 2);
    for (auto &call : device.calls) CHECK(device.answer(call.handle, "{}", 200) == IOTHUB_CLIENT_OK);
    for (size_t i = 0; i < device.calls.size(); ++i) CHECK(json(device.run_until_result(hub, (int)i + 1), "status") == "200");
    CHECK(hub.end() == 0);
}

TEST_CASE("methods: an answer after a reconnect is an error code, and nothing of it reaches the hub")
{
    FeatureHub hub;
    Callee device(hub, true);
    REQUIRE(device.run_until_subscribed(hub));
    hub.command_line("method d1 slow");
    REQUIRE(device.run_until_calls(1));
    hub.command_line("kick d1");
    REQUIRE(device.run([&] { return hub.count("connack") == 2; }));
    device.run_for(200);
    CHECK(device.answer(device.calls[0].handle, "{}", 200) == IOTHUB_CLIENT_INVALID_ARG);
    hub.command_line("method d1 slow");
    REQUIRE(device.run_until_calls(2));
    CHECK(device.answer(device.calls[1].handle, "{}", 200) == IOTHUB_CLIENT_OK);
    CHECK(json(device.run_until_result(hub, 2), "status") == "200");
    CHECK(hub.count("notice") == 0);
    CHECK(hub.end() == 0);
}

TEST_CASE("methods: one that comes too late for its caller ends in order, and the next one works")
{
    FeatureHub hub;
    Callee device(hub, true);
    REQUIRE(device.run_until_subscribed(hub));
    hub.command_line("method d1 slow {\"responseTimeout\":1}");
    CHECK(json(device.run_until_result(hub, 1), "error") == "504101");
    CHECK(device.answer(device.calls.at(0).handle, "{}", 200) == IOTHUB_CLIENT_OK);
    hub.command_line("method d1 quick");
    REQUIRE(device.run_until_calls(2));
    CHECK(device.answer(device.calls[1].handle, "1", 200) == IOTHUB_CLIENT_OK);
    CHECK(json(device.run_until_result(hub, 2), "text") == "1");
}

TEST_CASE("methods: a request that comes twice is answered by what the application says, and the client goes on")
{
    FeatureHub hub({ "--fault", "method=twice" });
    Callee device(hub, false);
    REQUIRE(device.run_until_subscribed(hub));
    hub.command_line("method d1 twice");
    CHECK(json(device.run_until_result(hub, 1), "status") == "200");
    hub.command_line("method d1 twice");
    CHECK(json(device.run_until_result(hub, 2), "status") == "200");
}

TEST_CASE("methods: 128 KB both ways, in pieces through a small inbox")
{
    FeatureHub hub;
    Callee device(hub, true, 1024, 800000);
    REQUIRE(IoTHubDeviceClient_SetPieceCallback(device.Device::hub, Features::on_piece, static_cast<Features *>(&device)) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_subscribed(hub));
    std::string answer = "\"" + alphabet(131000) + "\"";
    hub.command_line("method d1 large {\"body\":\"\\\"" + alphabet(131000) + "\\\"\"}");
    REQUIRE(device.run([&] { return !device.pieces.empty() && device.pieces[0].ended; }));
    CHECK(device.pieces[0].kind == IOTHUB_PIECE_OF_METHOD);
    CHECK(device.pieces[0].method == "large");
    CHECK((device.pieces[0].body == "\"" + alphabet(131000) + "\""));
    CHECK(device.answer(device.pieces[0].call, answer, 200) == IOTHUB_CLIENT_OK);
    std::string result = device.run_until_result(hub, 1);
    CHECK(json(result, "status") == "200");
    CHECK((json(result, "text") == "\\\"" + alphabet(131000) + "\\\""));
    CHECK(hub.end() == 0);
}

TEST_CASE("methods: what finds no room is answered 503, and an answer that can never fit is an error code")
{
    FeatureHub hub;
    Callee device(hub, true, 1024);
    REQUIRE(device.run_until_subscribed(hub));
    hub.command_line("method d1 large {\"json\":\"" + alphabet(60000) + "\"}");
    CHECK(json(device.run_until_result(hub, 1), "status") == "503");
    CHECK(device.calls.empty());
    CHECK(device.error().code == IOTHUB_CODE_METHOD_SKIPPED);
    hub.command_line("method d1 small");
    REQUIRE(device.run_until_calls(1));
    CHECK(device.answer(device.calls[0].handle, std::string(20000, '1'), 200) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(device.answer(device.calls[0].handle, "1", 200) == IOTHUB_CLIENT_OK);
    CHECK(json(device.run_until_result(hub, 2), "text") == "1");
    CHECK(hub.end() == 0);
}

TEST_CASE("methods: commands of components, with the model id in the twin")
{
    FeatureHub hub;
    struct Commands : Features {
        explicit Commands(const Hub &hub) : Features(hub.connection("d1"), hub.root) {}
        static void on_command(const IOTHUB_CLIENT_COMMAND_REQUEST *request, IOTHUB_CLIENT_COMMAND_RESPONSE *response, void *context)
        {
            Commands *self = static_cast<Commands *>(context);
            self->keep_call(request->commandName, request->payload, request->payloadLength, NULL);
            self->components.push_back(text(request->componentName));
            response->payload = (unsigned char *)&self->response[0];
            response->payloadLength = self->response.size();
            response->statusCode = 202;
        }
        std::vector<std::string> components;
    } device(hub);
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_MODEL_ID, "dtmi:com:example:Thermostat;1") == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SubscribeToCommands(device.hub, Commands::on_command, &device) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(device.hub, Features::on_method, &device) == IOTHUB_CLIENT_ERROR);
    REQUIRE(device.run([&] { return hub.count("subscribe") == 1; }));
    hub.command_line("method d1 thermostat1*getReport {\"json\":\"2030\"}");
    hub.command_line("method d1 reboot {\"json\":3}");
    REQUIRE(device.run([&] { return hub.count("method-result") == 2; }));
    CHECK(device.components == std::vector<std::string>({ "thermostat1", "" }));
    CHECK(device.calls[0].name == "getReport");
    CHECK(device.calls[1].name == "reboot");
    CHECK(hub.fields("method-result", "status") == std::vector<std::string>({ "202", "202" }));
    CHECK(json(hub.command_line("twin d1"), "modelId") == "dtmi:com:example:Thermostat;1");
    CHECK(hub.end() == 0);
}
