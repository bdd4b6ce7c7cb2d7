/* Twins through real TLS and the emulator: documents, patches, reported properties, refusals, losses, and what is large. */
#include <catch2/catch.hpp>
#include "features.h"

namespace {

struct Watcher : Features {
    explicit Watcher(const Hub &hub, size_t inbox = 1536, size_t outbox = 8192) : Features(hub.connection("d1"), hub.root, inbox, outbox)
    {
        if (IoTHubDeviceClient_SetDeviceTwinCallback(Device::hub, on_twin, this) != IOTHUB_CLIENT_OK) throw std::runtime_error("SetDeviceTwinCallback");
    }
    bool run_until_twins(size_t count) { return run([&] { return twins.size() >= count; }); }
    bool run_until_reported(size_t count, int milliseconds = 10000) { return run([&] { return reported.size() >= count; }, milliseconds); }
};

std::string reported_of(FeatureHub &hub, const std::string &id = "d1") { return json(json(hub.command_line("twin " + id), "twin"), "reported"); }

bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

/* Desired properties of nearly 32 KB; the version comes last. */
std::string large_patch()
{
    std::string patch;
    for (int i = 0; i < 7; ++i) patch += (i ? ",\"k" : "{\"k") + std::to_string(i) + "\":\"" + alphabet(4000) + "\"";
    return patch + "}";
}

} // namespace

TEST_CASE("twin: one complete document, then the patches in order")
{
    FeatureHub hub;
    hub.command_line("desired d1 {\"period\":10,\"deep\":{\"a\":[1,\"x\",null]}}");
    Watcher device(hub);
    REQUIRE(device.run_until_twins(1));
    CHECK(device.twins[0].state == DEVICE_TWIN_UPDATE_COMPLETE);
    CHECK(json(json(device.twins[0].json, "desired"), "period") == "10");
    CHECK(has(device.twins[0].json, "\"reported\":{"));
    for (int i = 1; i <= 5; ++i) hub.command_line("desired d1 {\"period\":" + std::to_string(10 * i) + "}");
    REQUIRE(device.run_until_twins(6));
    for (size_t i = 1; i <= 5; ++i) {
        CHECK(device.twins[i].state == DEVICE_TWIN_UPDATE_PARTIAL);
        CHECK(json(device.twins[i].json, "period") == std::to_string(10 * i));
        CHECK(json(device.twins[i].json, "$version") == std::to_string(2 + i));
    }
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: reported properties are merged, deleted, confirmed, and refused when they are wrong")
{
    FeatureHub hub;
    Watcher device(hub);
    CHECK(device.report("{\"battery\":90,\"state\":{\"on\":true,\"old\":1}}") == IOTHUB_CLIENT_OK);
    CHECK(device.report("{\"state\":{\"old\":null}}") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_reported(2));
    CHECK(device.reported == std::vector<int>({ 204, 204 }));
    CHECK(json(reported_of(hub), "battery") == "90");
    CHECK(json(reported_of(hub), "state") == "{\"on\":true}");
    CHECK(device.report("{\"a name\":1}") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_reported(3));
    CHECK(device.reported[2] == 400);
    CHECK(device.report("{\"battery\":80}") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_reported(4));
    CHECK(device.reported[3] == 204);
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: GetTwinAsync gives one document, and nothing when the hub refuses")
{
    FeatureHub hub;
    hub.command_line("desired d1 {\"period\":10}");
    Features device(hub.connection("d1"), hub.root);
    REQUIRE(IoTHubDeviceClient_GetTwinAsync(device.Device::hub, Features::on_twin, &device) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return device.twins.size() == 1; }));
    CHECK(json(json(device.twins[0].json, "desired"), "period") == "10");
    hub.fault("twin-get=503/1");
    REQUIRE(IoTHubDeviceClient_GetTwinAsync(device.Device::hub, Features::on_twin, &device) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return device.twins.size() == 2; }));
    CHECK(device.twins[1].json.empty());
    CHECK(device.error().code == IOTHUB_CODE_TWIN_REFUSED);
    CHECK(device.error().raw == 503);
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: throttling is told with its time, is never a document, and ends")
{
    FeatureHub hub({ "--fault", "twin-get=429/2", "--fault", "twin-requests=1" });
    hub.command_line("desired d1 {\"period\":10}");
    Watcher device(hub);
    REQUIRE(device.run([&] { return device.error().code == IOTHUB_CODE_TWIN_REFUSED; }));
    CHECK(device.error().raw == 429);
    CHECK(device.error().retry_after_s >= 1);
    CHECK(device.twins.empty());
    Clock::time_point start = Clock::now();
    REQUIRE(device.run_until_twins(1));
    CHECK(elapsed_ms(start) > 1000);
    CHECK(json(json(device.twins[0].json, "desired"), "period") == "10");

    hub.fault("twin-requests=1");
    hub.fault("twin-patch=429/2");
    CHECK(device.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    CHECK(device.report("{\"a\":2}") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_reported(1));
    CHECK(device.reported[0] == 429);
    start = Clock::now();
    REQUIRE(device.run_until_reported(2));
    CHECK(device.reported[1] == 204);
    CHECK(elapsed_ms(start) > 1000);
    CHECK(json(reported_of(hub), "a") == "2");
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: after a change that was lost, and after each reconnect, a complete document comes")
{
    FeatureHub hub;
    Watcher device(hub);
    REQUIRE(device.run_until_twins(1));
    hub.fault("desired=lose");
    hub.command_line("desired d1 {\"lost\":1}");
    hub.fault("desired=off");
    hub.command_line("desired d1 {\"seen\":2}");
    REQUIRE(device.run_until_twins(2));
    CHECK(device.twins[1].state == DEVICE_TWIN_UPDATE_COMPLETE);
    CHECK(has(device.twins[1].json, "\"lost\":1"));
    CHECK(has(device.twins[1].json, "\"seen\":2"));
    hub.command_line("kick d1");
    hub.command_line("desired d1 {\"away\":3}");
    REQUIRE(device.run([&] { return has(device.twins.back().json, "\"away\":3"); }));
    CHECK(device.twins.back().state == DEVICE_TWIN_UPDATE_COMPLETE);
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: a change that comes twice is told once, and one that overtakes the document is not lost")
{
    FeatureHub hub({ "--fault", "desired=twice", "--fault", "twin-delay=300" });
    Watcher device(hub);
    REQUIRE(device.run([&] { return hub.count("twin-request") == 1; }));
    hub.command_line("desired d1 {\"a\":1}");
    REQUIRE(device.run([&] { return !device.twins.empty() && has(device.twins.back().json, "\"a\":1"); }));
    size_t before = device.twins.size();
    hub.command_line("desired d1 {\"a\":2}");
    REQUIRE(device.run_until_twins(before + 1));
    device.run_for(500);
    CHECK(device.twins.size() == before + 1);
    CHECK(device.twins.back().state == DEVICE_TWIN_UPDATE_PARTIAL);
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: a reported patch that a lost connection left unanswered is sent again, before later ones")
{
    FeatureHub hub({ "--fault", "twin-patch=lose" });
    Watcher device(hub);
    REQUIRE(device.run_until_twins(1));
    CHECK(device.report("{\"a\":1}") == IOTHUB_CLIENT_OK);
    CHECK(device.report("{\"a\":2,\"b\":2}") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return hub.count("twin-request") >= 2; }));
    device.run_for(200);
    CHECK(device.reported.empty());
    hub.fault("twin-patch=off");
    hub.command_line("kick d1");
    REQUIRE(device.run_until_reported(2));
    CHECK(device.reported == std::vector<int>({ 204, 204 }));
    CHECK(json(reported_of(hub), "a") == "2");
    CHECK(json(reported_of(hub), "b") == "2");
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: a twin that was made anew, with lower versions, is believed")
{
    FeatureHub hub;
    for (int i = 0; i < 5; ++i) hub.command_line("desired d1 {\"a\":" + std::to_string(i) + "}");
    Watcher device(hub);
    REQUIRE(device.run_until_twins(1));
    hub.command_line("kick d1");
    hub.command_line("new-twin d1");
    REQUIRE(device.run_until_twins(2));
    CHECK_FALSE(has(device.twins[1].json, "\"a\""));
    hub.command_line("desired d1 {\"b\":1}");
    REQUIRE(device.run_until_twins(3));
    CHECK(json(device.twins[2].json, "b") == "1");
    CHECK(json(device.twins[2].json, "$version") == "2");
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: 32 KB, whole through a large inbox and in pieces through a small one")
{
    FeatureHub hub;
    hub.command_line("desired d1 " + large_patch());
    for (bool small : { false, true }) {
        INFO("small " << small);
        Watcher device(hub, small ? 1024 : 40000);
        REQUIRE(IoTHubDeviceClient_SetPieceCallback(device.Device::hub, Features::on_piece, static_cast<Features *>(&device)) == IOTHUB_CLIENT_OK);
        REQUIRE(device.run([&] { return !device.twins.empty() || (!device.pieces.empty() && device.pieces.back().ended); }));
        CHECK(device.twins.size() == (small ? 0u : 1u));
        std::string document = small ? device.pieces[0].body : device.twins[0].json;
        if (small) CHECK(device.pieces[0].kind == IOTHUB_PIECE_OF_TWIN);
        CHECK(has(document, "\"k6\":\"" + alphabet(4000) + "\""));
        int version = std::atoi(json(json(document, "desired"), "$version").c_str());
        hub.command_line("desired d1 {\"small\":" + std::to_string(version) + "}");
        REQUIRE(device.run([&] { return device.twins.size() == (small ? 1u : 2u); }));
        CHECK(device.twins.back().state == DEVICE_TWIN_UPDATE_PARTIAL);
        CHECK(json(device.twins.back().json, "$version") == std::to_string(version + 1));
    }
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: a document that finds no room is told, and the patches behind it come all the same")
{
    FeatureHub hub;
    hub.command_line("desired d1 " + large_patch());
    Watcher device(hub);
    REQUIRE(device.run([&] { return device.error().code == IOTHUB_CODE_TWIN_SKIPPED; }));
    CHECK(device.error().bytes_missing > 25000);
    hub.command_line("desired d1 {\"small\":1}");
    REQUIRE(device.run_until_twins(1));
    CHECK(device.twins[0].state == DEVICE_TWIN_UPDATE_PARTIAL);
    CHECK(json(device.twins[0].json, "small") == "1");
    CHECK(hub.end() == 0);
}

TEST_CASE("twin: 32 KB are reported")
{
    FeatureHub hub;
    Watcher device(hub, 1536, 65536);
    CHECK(device.report(large_patch()) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_reported(1));
    CHECK(device.reported[0] == 204);
    CHECK(has(reported_of(hub), "\"k6\":\"" + alphabet(4000) + "\""));
    CHECK(device.report("{\"a\":\"" + std::string(70000, 'x') + "\"}") == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(hub.end() == 0);
}
