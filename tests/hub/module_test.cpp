/* Modules through real TLS and the emulator: outputs, inputs by name, the default input, ASYNC_ACK, twin and methods. */
#include <catch2/catch.hpp>
#include "features.h"

namespace {

struct Module : Features {
    std::vector<Message> others;

    explicit Module(const Hub &hub, IOTHUBMESSAGE_DISPOSITION_RESULT how = IOTHUBMESSAGE_ACCEPTED) : Features(hub.connection("d1/m1"), hub.root)
    {
        disposition = how;
        if (IoTHubModuleClient_SetInputMessageCallback(module(), "in1", on_message, this) != IOTHUB_CLIENT_OK) throw std::runtime_error("in1");
        if (IoTHubModuleClient_SetMessageCallback(module(), on_other, this) != IOTHUB_CLIENT_OK) throw std::runtime_error("other inputs");
    }
    static IOTHUBMESSAGE_DISPOSITION_RESULT on_other(IOTHUB_MESSAGE_HANDLE handle, void *context)
    {
        static_cast<Module *>(context)->others.push_back(read(handle));
        return IOTHUBMESSAGE_ACCEPTED;
    }
    IOTHUB_CLIENT_RESULT send_to(const char *output, const std::string &body)
    {
        void *storage[128];
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)body.data(), body.size());
        IoTHubMessage_SetProperty(message, "a", "b");
        return IoTHubModuleClient_SendEventToOutputAsync(module(), message, output, on_confirmation, static_cast<Device *>(this));
    }
};

} // namespace

TEST_CASE("module: messages come to their input, all others to the default one")
{
    FeatureHub hub;
    Module device(hub);
    REQUIRE(device.run_until_ready());
    hub.command_line("input d1/m1 in1 {\"body\":\"first\",\"messageId\":\"7\",\"properties\":{\"k\":\"v w\"}}");
    hub.command_line("input d1/m1 in2 {\"body\":\"second\"}");
    REQUIRE(device.run([&] { return device.messages.size() + device.others.size() == 2; }));
    CHECK(device.messages.at(0).body == "first");
    CHECK(device.messages[0].input == "in1");
    CHECK(device.messages[0].id == "7");
    CHECK(device.messages[0].properties["k"] == "v w");
    CHECK(device.others.at(0).body == "second");
    CHECK(device.others[0].input == "in2");
    REQUIRE(device.run([&] { return hub.count("settled") == 2; }));
    CHECK(hub.waiting("d1/m1") == "0");
    CHECK(hub.end() == 0);
}

TEST_CASE("module: what goes to an output comes to an input by a route")
{
    FeatureHub hub;
    Module device(hub);
    hub.command_line("route d1/m1 alert d1/m1 in1");
    REQUIRE(device.run_until_ready());
    REQUIRE(device.send_to("alert", "hot") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_messages(1));
    CHECK(device.messages[0].body == "hot");
    CHECK(device.messages[0].properties["a"] == "b");
    REQUIRE(device.run_until_confirmed(1));
    CHECK(hub.end() == 0);
}

TEST_CASE("module: an input message is settled later, and comes again when it is not accepted")
{
    FeatureHub hub;
    Module device(hub, IOTHUBMESSAGE_ASYNC_ACK);
    REQUIRE(device.run_until_ready());
    hub.command_line("input d1/m1 in1 {\"body\":\"a\"}");
    hub.command_line("input d1/m1 in1 {\"body\":\"b\"}");
    REQUIRE(device.run_until_messages(2));
    CHECK(IoTHubModuleClient_SendMessageDisposition(device.module(), device.messages[0].handle, IOTHUBMESSAGE_ACCEPTED) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubModuleClient_SendMessageDisposition(device.module(), device.messages[1].handle, IOTHUBMESSAGE_ABANDONED) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return hub.count("settled") == 1; }));
    CHECK(hub.waiting("d1/m1") == "1");
    device.disposition = IOTHUBMESSAGE_ACCEPTED;
    hub.command_line("kick d1/m1");
    REQUIRE(device.run_until_messages(3));
    CHECK(device.messages[2].body == "b");
    REQUIRE(device.run([&] { return hub.count("settled") == 2; }));
    CHECK(hub.end() == 0);
}

TEST_CASE("module: twin and methods, beside its inputs")
{
    FeatureHub hub;
    Module device(hub);
    REQUIRE(IoTHubModuleClient_SetModuleTwinCallback(device.module(), Features::on_twin, static_cast<Features *>(&device)) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubModuleClient_SetModuleMethodCallback(device.module(), Features::on_method, static_cast<Features *>(&device)) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return device.twins.size() == 1; }));
    hub.command_line("desired d1/m1 {\"limit\":5}");
    hub.command_line("method d1/m1 reset {\"json\":1}");
    hub.command_line("input d1/m1 in1 {\"body\":\"x\"}");
    REQUIRE(device.report("{\"limit\":5}") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return device.twins.size() == 2 && device.messages.size() == 1 && device.reported.size() == 1 && hub.count("method-result") == 1; }));
    CHECK(json(device.twins[1].json, "limit") == "5");
    CHECK(device.reported[0] == 204);
    CHECK(json(hub.seen("method-result")[0], "status") == "200");
    CHECK(json(json(json(hub.command_line("twin d1/m1"), "twin"), "reported"), "limit") == "5");
    CHECK(json(json(json(hub.command_line("twin d1"), "twin"), "reported"), "limit").empty());
    CHECK(hub.end() == 0);
}

TEST_CASE("module: inputs are for modules, messages of the cloud for devices")
{
    FeatureHub hub;
    Features device(hub.connection("d1"), hub.root), module(hub.connection("d1/m1"), hub.root);
    CHECK(IoTHubModuleClient_SetMessageCallback(device.module(), Features::on_message, &device) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetMessageCallback(module.hub, Features::on_message, &module) == IOTHUB_CLIENT_ERROR);
}
