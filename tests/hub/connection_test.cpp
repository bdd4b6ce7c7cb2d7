/* All features over connections that end: renewal, other credentials, several clients, certificates. */
#include <catch2/catch.hpp>
#include "features.h"

namespace {

std::string twin_of(FeatureHub &hub, const std::string &id) { return json(hub.command_line("twin " + id), "twin"); }

} // namespace

TEST_CASE("connection: everything is asked for in the flight of CONNECT, and anew after each loss")
{
    FeatureHub hub;
    Everything device(hub.connection("d1"), hub.root);
    for (int round = 1; round <= 4; ++round) {
        INFO("round " << round);
        CHECK(exchange(hub, device, "d1", round));
        hub.command_line("kick d1");
    }
    CHECK(exchange(hub, device, "d1", 5));
    CHECK(json(json(twin_of(hub, "d1"), "reported"), "round") == "5");
    CHECK(hub.waiting() == "0");
    CHECK(hub.all("violation").empty());
    CHECK(hub.end() == 0);
}

TEST_CASE("connection: everything is subscribed and telemetry acknowledged after one round trip, the twin is asked for by then")
{
    FeatureHub hub({ "--fault", "merge-out=500" });        /* what the hub says takes so long: a round trip */
    Everything device(hub.connection("d1"), hub.root);
    REQUIRE(device.send("first") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return device.confirmed == 1 && hub.count("twin-request") == 1; }));
    double connected = std::atof(hub.fields("connect", "time").at(0).c_str());
    CHECK(std::atof(hub.fields("subscribe", "time").back().c_str()) - connected < 400);
    CHECK(std::atof(hub.fields("telemetry", "time").at(0).c_str()) - connected < 400);
    CHECK(std::atof(hub.fields("twin-request", "time").at(0).c_str()) - connected < 900);
}

TEST_CASE("connection: everything goes on through renewals of the SAS token")
{
    FeatureHub hub;
    Everything device(hub.connection("d1"), hub.root);
    size_t lifetime = 5;
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    int round = 0;
    while (device.statistics().renewals < 2 && round < 200) {
        INFO("round " << ++round);
        REQUIRE(exchange(hub, device, "d1", round));
        device.run_for(30);
    }
    CHECK(device.statistics().renewals >= 2);
    CHECK(device.failed == 0);
    CHECK(hub.fields("method-result", "status") == std::vector<std::string>((size_t)round, "200"));
    CHECK(hub.waiting() == "0");
    CHECK(hub.end() == 0);
}

TEST_CASE("connection: when the primary key is refused, the secondary one is taken")
{
    const std::string second = "c2Vjb25kYXJ5IGtleQ==";
    struct Keys {
        const char *key;
        std::vector<unsigned int> refusals;
        static const char *next(unsigned int refusals, void *context)
        {
            static_cast<Keys *>(context)->refusals.push_back(refusals);
            return static_cast<Keys *>(context)->key;
        }
    } keys = { second.c_str(), {} };
    FeatureHub hub;
    Everything device(hub.connection("d1"), hub.root);
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(device.hub, Keys::next, &keys) == IOTHUB_CLIENT_OK);
    CHECK(exchange(hub, device, "d1", 1));
    CHECK(keys.refusals.empty());
    hub.command_line("set-key d1 " + second);
    hub.command_line("kick d1");
    CHECK(exchange(hub, device, "d1", 2));
    CHECK(keys.refusals == std::vector<unsigned int>({ 1 }));
    hub.command_line("kick d1");
    CHECK(exchange(hub, device, "d1", 3));
    CHECK(keys.refusals.size() == 1);
}

TEST_CASE("connection: several clients in one program do not disturb each other")
{
    FeatureHub hub({ "--device", std::string("d2,key=") + KEY, "--device", std::string("d3,key=") + KEY });
    std::vector<std::string> ids = { "d1", "d2", "d3" };
    std::vector<std::unique_ptr<Everything>> devices;
    for (auto &id : ids) devices.emplace_back(new Everything(hub.connection(id), hub.root));
    auto step_all = [&](const std::function<bool(Everything &)> &done) {
        return devices[0]->run([&] {
            bool all = true;
            for (auto &device : devices) {
                IoTHubDeviceClient_DoWork(device->hub);
                all &= done(*device);
            }
            return all;
        });
    };
    REQUIRE(step_all([](Everything &device) { return device.twins.size() == 1; }));
    for (auto &id : ids) {
        hub.command_line("c2d " + id + " {\"body\":\"for " + id + "\"}");
        hub.command_line("desired " + id + " {\"name\":\"" + id + "\"}");
        hub.command_line("method " + id + " call {\"json\":\"" + id + "\"}");
    }
    hub.command_line("kick d2");
    for (size_t i = 0; i < 3; ++i) REQUIRE(devices[i]->send("from " + ids[i]) == IOTHUB_CLIENT_OK);
    REQUIRE(step_all([](Everything &device) { return device.messages.size() >= 1 && device.twins.size() >= 2 && device.confirmed == 1; }));
    for (size_t i = 0; i < 3; ++i) {
        CHECK(devices[i]->messages[0].body == "for " + ids[i]);
        CHECK(devices[i]->twins.back().json.find("\"" + ids[i] + "\"") != std::string::npos);
        CHECK(devices[i]->calls.size() <= 1);
    }
    REQUIRE(step_all([&](Everything &) { return hub.count("telemetry") == 3; }));
    CHECK(hub.all("violation").empty());
}

TEST_CASE("connection: all features with a certificate instead of a key")
{
    Folder folder;
    Process maker({ "node", "tools/emulator/main.js", "--make-cert", folder.path, "dx", "--json" });
    std::string made = maker.line(10000);
    REQUIRE(maker.end(0) == 0);
    FeatureHub hub({ "--device", "dx,thumbprint=" + json(made, "sha256") });
    std::string certificate = read_file(json(made, "certificate")), key = read_file(json(made, "key"));
    Everything device("HostName=localhost:" + hub.port + ";DeviceId=dx;x509=true", hub.root);
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_X509_CERT, certificate.c_str()) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_X509_PRIVATE_KEY, key.c_str()) == IOTHUB_CLIENT_OK);
    CHECK(exchange(hub, device, "dx", 1));
    CHECK(json(hub.all("connect").at(0), "password") == "false");
    CHECK(hub.end() == 0);
}

TEST_CASE("connection: a refused subscription is told, and the others work")
{
    FeatureHub hub({ "--fault", "suback=refuse", "--fault", "suback-filter=methods" });
    Everything device(hub.connection("d1"), hub.root);
    REQUIRE(device.run([&] { return device.error().code == IOTHUB_CODE_SUBSCRIPTION_REFUSED; }));
    CHECK(device.error().raw == 8);
    hub.command_line("c2d d1 {\"body\":\"message\"}");
    REQUIRE(device.run([&] { return device.twins.size() == 1 && device.messages.size() == 1; }));
}

TEST_CASE("connection: nothing is lost when it is cut at every byte of what the hub sends")
{
    FeatureHub hub({ "--fault", "cut-how=rst" });
    Everything device(hub.connection("d1"), hub.root);
    for (int at = 1; at < 700; at += 37) {
        INFO("cut after " << at);
        hub.fault("cut-connections=2");          /* the present one, and the next after so many bytes */
        hub.fault("cut-after-out=" + std::to_string(at));
        REQUIRE(exchange(hub, device, "d1", at, false));
    }
    CHECK(hub.waiting() == "0");
    CHECK(device.failed == 0);
    CHECK(hub.all("violation").empty());
    CHECK(hub.end() == 0);
}

TEST_CASE("connection: everything works with hubs that are slow, split, merge, forget or decide otherwise")
{
    const std::vector<std::vector<std::string>> hubs = { { "--fault", "split-out=1" }, { "--fault", "merge-out=40" }, { "--fault", "rate-out=3000" },
        { "--fault", "rate-in=3000" }, { "--fault", "drop-session=on" }, { "--fault", "refuse-pipelined=on" }, { "--fault", "suback-delay=300" },
        { "--fault", "puback-delay=200" }, { "--fault", "connack-delay=400" }, { "--switch", "c2d-packet-id=new" }, { "--switch", "c2d-to=leave-out" },
        { "--switch", "twin-metadata=include" }, { "--switch", "c2d-in-flight=1" }, { "--switch", "c2d-acks=close" }, { "--tls12" } };
    for (auto &options : hubs) {
        INFO(options.back());
        FeatureHub hub(options);
        Everything device(hub.connection("d1"), hub.root);
        REQUIRE(device.run([&] { return hub.count("subscribe") >= 1; }));
        for (int round = 1; round <= 2; ++round) {
            CHECK(exchange(hub, device, "d1", round));
            hub.command_line("kick d1");
        }
        CHECK(exchange(hub, device, "d1", 3, false));
        CHECK(device.run([&] { return hub.waiting() == "0"; }));
        CHECK(device.failed == 0);
        CHECK(hub.all("violation").empty());
    }
}

TEST_CASE("connection: a kept body of 256 KB passes a small outbox without a copy, beside all features, and through a loss")
{
    FeatureHub hub;
    Everything device(hub.connection("d1"), hub.root);
    const std::string body = alphabet(262000);
    void *storage[64];
    REQUIRE(device.run([&] { return device.twins.size() == 1; }));
    for (bool cut : { false, true }) {
        INFO("cut " << cut);
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)body.data(), body.size());
        IoTHubMessage_SetProperty(message, "large", "yes");
        if (cut) {
            hub.fault("cut-connections=1");
            hub.fault("cut-after-in=400000");    /* in the middle of the second one */
        }
        unsigned confirmed = device.confirmed;
        REQUIRE(IoTHubDeviceClient_SendEventKeptAsync(device.hub, message, Device::on_confirmation, static_cast<Device *>(&device)) == IOTHUB_CLIENT_OK);
        IoTHubMessage_Destroy(message);
        REQUIRE(device.send("behind it") == IOTHUB_CLIENT_OK);
        hub.command_line("c2d d1 {\"body\":\"meanwhile\"}");
        REQUIRE(device.run([&] { return device.confirmed == confirmed + 2 && !device.messages.empty(); }, 30000));
        device.messages.clear();
    }
    std::vector<std::string> events = hub.all("telemetry");
    REQUIRE(events.size() >= 4);
    for (auto &event : events) CHECK((json(event, "text") == body || json(event, "text") == "behind it"));
    CHECK(json(json(events[0], "properties"), "large") == "yes");
    CHECK(hub.count("tcp") == 2);
    CHECK(hub.all("violation").empty());
}

TEST_CASE("connection: everything goes on when the oldest messages are dropped from a full outbox")
{
    FeatureHub hub;
    Everything device(hub.connection("d1"), hub.root);
    int policy = IOTHUB_OUTBOX_DROP_OLDEST;
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, IOTHUB_OPTION_OUTBOX_POLICY, &policy) == IOTHUB_CLIENT_OK);
    for (int i = 0; i < 100; ++i) REQUIRE(device.send(std::to_string(i) + std::string(500, '.')) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return device.confirmed + device.failed == 100; }));
    CHECK(device.confirmed >= 5);
    CHECK(device.statistics().dropped == device.failed);
    std::vector<std::string> events = hub.all("telemetry");
    CHECK(events.size() == device.confirmed);
    CHECK(json(events.back(), "text") == "99" + std::string(500, '.'));
    CHECK(exchange(hub, device, "d1", 1));
    CHECK(hub.all("violation").empty());
}
