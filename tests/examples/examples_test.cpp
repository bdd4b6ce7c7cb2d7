/* Each example as a user runs it, against the emulator: what it prints, and what the hub has of it. */
#include <catch2/catch.hpp>
#include "../hub/hub.h"

#ifndef IOTHUB_EXAMPLES
#define IOTHUB_EXAMPLES "build/examples"
#endif

namespace {

const char *const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/* One folder of certificates for the whole run: making them takes the emulator's time. */
const std::string &state()
{
    static Folder folder;
    return folder.path;
}

struct LocalHub : Hub {
    explicit LocalHub(const std::vector<std::string> &more = {}) : Hub(options(more)) {}
    static std::vector<std::string> options(const std::vector<std::string> &more)
    {
        std::vector<std::string> all = { "--state", state(), "--device", std::string("d1,key=") + KEY };
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    /* The first event of this kind that has this text, also of those that came already. */
    std::string event(const std::string &kind, const std::string &text, int milliseconds = 10000)
    {
        Clock::time_point start = Clock::now();
        while (elapsed_ms(start) < milliseconds) {
            for (auto &line : seen(kind)) if (line.find(text) != std::string::npos) return line;
            usleep(10000);
        }
        return "";
    }
};

/* An example as a process, with the settings that its README names; what it prints is kept. */
class Example {
public:
    Example(const std::string &name, const LocalHub &hub, const std::string &id, const std::vector<std::string> &settings = {})
        : process(command(name, hub.connection(id), hub.root, settings, {})) {}
    Example(const std::string &name, const std::string &connection, const std::string &root, const std::vector<std::string> &settings,
        const std::vector<std::string> &arguments)
        : process(command(name, connection, root, settings, arguments)) {}

    /* True when a line with this text came, now or before; it is taken. */
    bool prints(const std::string &text, int milliseconds = 10000)
    {
        Clock::time_point start = Clock::now();
        for (;;) {
            for (size_t i = 0; i < printed.size(); ++i) {
                if (printed[i].find(text) == std::string::npos) continue;
                printed.erase(printed.begin(), printed.begin() + (long)i + 1);
                return true;
            }
            std::string line = process.line(50);
            if (!line.empty()) printed.push_back(line);
            else if (elapsed_ms(start) > milliseconds) return false;
        }
    }
    void say(const std::string &line) { process.say(line); }
    int end(int signal_number = SIGTERM) { return process.end(signal_number); }
    /* Its exit code, when it ends by itself. */
    int finish() { return process.end(0); }

private:
    static std::vector<std::string> command(const std::string &name, const std::string &connection, const std::string &root,
        const std::vector<std::string> &settings, const std::vector<std::string> &arguments)
    {
        std::vector<std::string> words = { "env", "IOTHUB_CONNECTION_STRING=" + connection, "IOTHUB_TRUSTED_CERTS=" + root };
        words.insert(words.end(), settings.begin(), settings.end());
        words.insert(words.end(), { "ASAN_OPTIONS=verify_asan_link_order=0", "stdbuf", "-oL", std::string(IOTHUB_EXAMPLES "/") + name });
        words.insert(words.end(), arguments.begin(), arguments.end());
        return words;
    }
    Process process;
    std::vector<std::string> printed;
};

bool connected(LocalHub &hub, const std::string &filter = "") { return !hub.event(filter.empty() ? "connack" : "subscribe", filter).empty(); }

} // namespace

TEST_CASE("examples: telemetry sends each line, and says when it is confirmed")
{
    LocalHub hub;
    Example example("telemetry", hub, "d1");
    example.say("{\"t\":21.5}");
    example.say("two");
    CHECK_FALSE(hub.event("telemetry", "\"text\":\"two\"").empty());
    CHECK_FALSE(hub.event("telemetry", "{\\\"t\\\":21.5}").empty());
    CHECK(example.end() != 0);
}

TEST_CASE("examples: c2d prints a message with its properties, and accepts it when its work is done")
{
    LocalHub hub;
    hub.command_line("c2d d1 {\"body\":\"while you were away\"}");
    Example example("c2d", hub, "d1");
    CHECK(example.prints("message: while you were away"));
    REQUIRE(connected(hub, "devicebound"));
    hub.command_line("c2d d1 {\"body\":\"open the door\",\"properties\":{\"room\":\"lab 1\",\"a&b\":\"50 %\"}}");
    CHECK(example.prints("message: open the door"));
    CHECK(example.prints("  room=lab 1"));
    CHECK(example.prints("  a&b=50 %"));
    CHECK(hub.seen("settled").size() <= 1);
    CHECK(example.prints("accepted"));
    CHECK_FALSE(hub.event("settled", "\"sequence\":2").empty());
    CHECK(json(hub.event("settled", "\"sequence\":1"), "outcome") == "completed");
    CHECK(json(hub.command_line("c2d-state d1"), "waiting") == "0");
    CHECK(example.end() == 0);
    CHECK(hub.end() == 0);
}

TEST_CASE("examples: c2d abandons what it cannot work on, and gets it again")
{
    LocalHub hub;
    for (int i = 1; i <= 6; ++i) hub.command_line("c2d d1 {\"body\":\"job " + std::to_string(i) + "\"}");
    Example example("c2d", hub, "d1");
    CHECK(example.prints("message: job 6"));
    for (int i = 0; i < 4; ++i) CHECK(example.prints("accepted"));
    REQUIRE_FALSE(hub.event("settled", "\"sequence\":4").empty());
    hub.command_line("kick d1");
    CHECK(example.prints("message: job 5"));
    CHECK(example.prints("message: job 6"));
    CHECK_FALSE(hub.event("settled", "\"sequence\":6").empty());
    CHECK(example.end() == 0);
    CHECK(hub.end() == 0);
}

TEST_CASE("examples: twin takes the desired period, now and later, and reports the one in force")
{
    LocalHub hub;
    hub.command_line("desired d1 {\"period\":30}");
    Example example("twin", hub, "d1");
    CHECK(example.prints("period: 30"));
    CHECK(example.prints("reported: status 204"));
    hub.command_line("desired d1 {\"period\":45,\"other\":{\"deep\":[1,2]}}");
    CHECK(example.prints("period: 45"));
    CHECK(example.prints("reported: status 204"));
    hub.command_line("desired d1 {\"period\":-1}");
    CHECK(example.prints("period: 45"));
    CHECK(json(json(json(hub.command_line("twin d1"), "twin"), "reported"), "period") == "45");
    hub.command_line("kick d1");
    hub.command_line("desired d1 {\"period\":90}");
    CHECK(example.prints("period: 90"));
    CHECK(example.prints("reported: status 204"));
    CHECK(hub.seen("reported").size() == 3);
    CHECK(example.end() == 0);
    CHECK(hub.end() == 0);
}

TEST_CASE("examples: methods answers at once, later, and what it does not know")
{
    LocalHub hub;
    Example example("methods", hub, "d1");
    REQUIRE(connected(hub, "methods"));
    hub.command_line("method d1 calibrate {\"json\":{\"points\":3}}");
    hub.command_line("method d1 status");
    hub.command_line("method d1 calibrate");
    hub.command_line("method d1 explode");
    std::string late = hub.event("method-result", "\"call\":1"), status = hub.event("method-result", "\"call\":2");
    CHECK(late.find("\"text\":\"{\\\"offset\\\":0.25}\"") != std::string::npos);
    CHECK(json(late, "status") == "200");
    CHECK(status.find("calibrating") != std::string::npos);
    CHECK(json(hub.event("method-result", "\"call\":3"), "status") == "409");
    CHECK(json(hub.event("method-result", "\"call\":4"), "status") == "404");
    CHECK(example.prints("method: calibrate {\"points\":3}"));
    CHECK(example.prints("answered: 200 {\"offset\":0.25}"));
    CHECK(example.end() == 0);
    CHECK(hub.end() == 0);
}

TEST_CASE("examples: module forwards what is too hot, and accepts it when the alert has arrived")
{
    LocalHub hub({ "--module", std::string("d1/m1,key=") + KEY });
    Example example("module", hub, "d1/m1");
    REQUIRE(connected(hub, "modules"));
    hub.command_line("input d1/m1 readings {\"body\":\"21.5\"}");
    CHECK(example.prints("reading: 21.5"));
    CHECK_FALSE(hub.event("settled", "\"sequence\":1").empty());
    CHECK(hub.seen("telemetry").empty());
    hub.fault("puback=withhold");
    hub.command_line("input d1/m1 readings {\"body\":\"35\",\"properties\":{\"sensor\":\"7\"}}");
    std::string alert = hub.event("telemetry", "\"text\":\"35\"");
    CHECK(json(json(alert, "system"), "output-name") == "alerts");
    CHECK(json(json(alert, "properties"), "sensor") == "7");
    CHECK(json(json(alert, "properties"), "severity") == "high");
    CHECK(json(hub.command_line("c2d-state d1/m1"), "waiting") == "1");
    hub.fault("puback=off");
    CHECK(example.prints("forwarded: IOTHUB_CLIENT_CONFIRMATION_OK"));
    CHECK_FALSE(hub.event("settled", "\"sequence\":2").empty());
    hub.command_line("input d1/m1 odd {\"body\":\"x\"}");
    CHECK(example.prints("nobody reads the input odd"));
    CHECK(example.end() == 0);
    CHECK(hub.end() == 0);
}

TEST_CASE("examples: plug_and_play sends telemetry of its component, answers the writable property, and obeys commands")
{
    LocalHub hub;
    hub.command_line("desired d1 {\"thermostat1\":{\"__t\":\"c\",\"targetTemperature\":25.5}}");
    Example example("plug_and_play", hub, "d1");
    std::string telemetry = hub.event("telemetry", "{\\\"temperature\\\":21.5}");
    CHECK(json(telemetry, "system").find("thermostat1") != std::string::npos);
    CHECK(example.prints("target: 25.5 (version 2)"));
    CHECK(example.prints("properties: status 204"));
    CHECK(example.prints("properties: status 204"));
    std::string reported = json(json(hub.command_line("twin d1"), "twin"), "reported"), answer = json(json(reported, "thermostat1"), "targetTemperature");
    CHECK(json(reported, "serialNumber") == "SN-0001");
    CHECK(json(answer, "value") == "25.5");
    CHECK(json(answer, "ac") == "200");
    CHECK(json(answer, "av") == "2");
    hub.command_line("desired d1 {\"thermostat1\":{\"__t\":\"c\",\"targetTemperature\":99}}");
    CHECK(example.prints("target: 25.5 (version 3)"));
    CHECK(example.prints("properties: status 204"));
    CHECK(json(hub.command_line("twin d1"), "twin").find("\"ac\":400") != std::string::npos);
    hub.command_line("method d1 thermostat1*getMaxMinReport {\"json\":\"2030-01-01T00:00:00Z\"}");
    CHECK(hub.event("method-result", "\"call\":1").find("{\\\"maxTemp\\\":21.5,\\\"minTemp\\\":21.5}") != std::string::npos);
    hub.command_line("method d1 reboot {\"json\":3}");
    CHECK(json(hub.event("method-result", "\"call\":2"), "status") == "200");
    hub.command_line("method d1 thermostat1*explode");
    CHECK(json(hub.event("method-result", "\"call\":3"), "status") == "404");
    CHECK(json(hub.command_line("twin d1"), "modelId") == "dtmi:com:example:TemperatureController;1");
    CHECK(example.end() == 0);
    CHECK(hub.end() == 0);
}

TEST_CASE("examples: x509 logs in with its certificate, and says why when it cannot")
{
    Folder folder;
    Process maker({ "node", "tools/emulator/main.js", "--make-cert", folder.path, "dx", "--json" });
    std::string made = maker.line(10000);
    REQUIRE(maker.end(0) == 0);
    LocalHub hub({ "--device", "dx,thumbprint=" + json(made, "sha256") });
    const std::string connection = "HostName=localhost:" + hub.port + ";DeviceId=dx;x509=true";
    Example example("x509", connection, hub.root, {}, { json(made, "certificate"), json(made, "key") });
    CHECK(example.prints("IOTHUB_CLIENT_CONFIRMATION_OK"));
    CHECK(example.finish() == 0);
    CHECK(json(hub.event("telemetry", "dx"), "identity") == "dx");
    Example unusable("x509", connection, hub.root, {}, { json(made, "certificate"), "tests/examples/build.sh" });
    CHECK(unusable.finish() == 1);
    CHECK(hub.end() == 0);
}

TEST_CASE("examples: websocket sends through the WebSocket, and through a proxy")
{
    LocalHub hub({ "--proxy", "0,me:secret" });
    Example direct("websocket", hub, "d1");
    CHECK(direct.prints("IOTHUB_CLIENT_CONFIRMATION_OK"));
    CHECK(direct.finish() == 0);
    CHECK_FALSE(hub.event("upgrade", "websocket").empty());
    CHECK(hub.seen("proxy").empty());
    Example proxied("websocket", hub, "d1", { "PROXY_HOST=127.0.0.1", "PROXY_PORT=" + hub.proxy_port, "PROXY_USER=me", "PROXY_PASSWORD=secret" });
    CHECK(proxied.prints("IOTHUB_CLIENT_CONFIRMATION_OK"));
    CHECK(proxied.finish() == 0);
    CHECK_FALSE(hub.event("proxy", "\"result\":200").empty());
    CHECK(hub.seen("telemetry").size() == 2);
    CHECK(hub.end() == 0);
}

TEST_CASE("examples: low_power resumes its TLS session, and sends in order")
{
    Folder folder;
    LocalHub hub({ "--tls12" });
    for (int waking = 1; waking <= 3; ++waking) {
        const std::string reading = "waking " + std::to_string(waking);
        Example example("low_power", hub.connection("d1"), hub.root, {}, { folder.path + "/session", reading });
        CHECK(example.prints("confirmed"));
        CHECK(example.finish() == 0);
        CHECK_FALSE(hub.event("telemetry", reading).empty());
        CHECK((hub.seen("connect").back().find(" resumed\"") != std::string::npos) == (waking > 1));
        CHECK(json(hub.seen("disconnect").back(), "disconnectReceived") == "true");
    }
    CHECK(hub.end() == 0);
}
