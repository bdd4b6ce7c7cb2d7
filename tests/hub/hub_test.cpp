/* The real client, real TLS, real sockets, and the emulator: what works, what is refused, and what breaks and comes back. */
#include <catch2/catch.hpp>
#include "device.h"
#include <set>

namespace {

const char *const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string DEVICE = std::string("d1,key=") + KEY;

/* One folder of certificates for the whole run: making them takes the emulator's time. */
const std::string &state()
{
    static Folder folder;
    return folder.path;
}

std::vector<std::string> options(std::vector<std::string> more = {})
{
    std::vector<std::string> all = { "--state", state(), "--device", DEVICE };
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

std::string with(const std::string &connection, const std::string &from, const std::string &to)
{
    std::string text = connection;
    text.replace(text.find(from), from.size(), to);
    return text;
}

bool send_all(Device &device, unsigned count, unsigned first = 0)
{
    for (unsigned i = first; i < first + count; ++i) {
        while (device.send("message " + std::to_string(i)) == IOTHUB_CLIENT_ERROR) {
            unsigned confirmed = device.confirmed;
            if (!device.run([&] { return device.confirmed != confirmed; }, 20000)) return false;
        }
    }
    return true;
}

/* The distinct bodies that the hub has, in order of first arrival. */
std::vector<std::string> bodies(Hub &hub)
{
    std::vector<std::string> found;
    std::set<std::string> known;
    for (auto &event : hub.all("telemetry")) {
        std::string body = json(event, "text");
        if (known.insert(body).second) found.push_back(body);
    }
    return found;
}

void check_complete(Hub &hub, unsigned count)
{
    std::vector<std::string> found = bodies(hub);
    REQUIRE(found.size() == count);
    for (unsigned i = 0; i < count; ++i) CHECK(found[i] == "message " + std::to_string(i));
}

} // namespace

TEST_CASE("hub: telemetry arrives verbatim with all its properties")
{
    Hub hub(options());
    Device device(hub.connection("d1"), hub.root);
    REQUIRE(device.send("{\"t\":21.5}", [](IOTHUB_MESSAGE_HANDLE m) {
        IoTHubMessage_SetMessageId(m, "m-1");
        IoTHubMessage_SetCorrelationId(m, "c/1");
        IoTHubMessage_SetContentTypeSystemProperty(m, "application/json");
        IoTHubMessage_SetContentEncodingSystemProperty(m, "utf-8");
        IoTHubMessage_SetMessageCreationTimeUtcSystemProperty(m, "2030-01-01T00:00:00Z");
        IoTHubMessage_SetComponentName(m, "thermostat");
        IoTHubMessage_SetProperty(m, "room", "lab 1");
        IoTHubMessage_SetProperty(m, "a&b=c", "100%&=/#+?");
        IoTHubMessage_SetProperty(m, "empty", "");
    }) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_confirmed(1));
    std::vector<std::string> events = hub.all("telemetry");
    REQUIRE(events.size() == 1);
    CHECK(json(events[0], "body") == "eyJ0IjoyMS41fQ==");
    std::string system = json(events[0], "system"), properties = json(events[0], "properties");
    CHECK(json(properties, "room") == "lab 1");
    CHECK(json(properties, "a&b=c") == "100%&=/#+?");
    CHECK(properties.find("\"empty\":\"\"") != std::string::npos);
    for (const char *value : { "m-1", "c/1", "application/json", "utf-8", "2030-01-01T00:00:00Z", "thermostat" }) {
        CHECK(system.find(std::string("\"") + value + "\"") != std::string::npos);
    }
    CHECK(json(hub.all("connect").at(0), "keepAlive") == "180");
    IoTHubDeviceClient_Stop(device.hub);
    REQUIRE(device.run([&] { return device.reasons.size() == 2; }));
    CHECK(json(hub.wait_for("disconnect", 3000), "disconnectReceived") == "true");
    CHECK(hub.end() == 0);
}

TEST_CASE("hub: bodies of every size arrive byte for byte")
{
    Hub hub(options());
    Device device(hub.connection("d1"), hub.root, 600000);
    std::vector<size_t> sizes = { 0, 1, 100, 127, 128, 16383, 16384, 40000, 262000 };
    for (size_t size : sizes) REQUIRE(device.send(std::string(size, 'z')) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_confirmed((unsigned)sizes.size(), 20000));
    std::vector<std::string> events = hub.all("telemetry");
    REQUIRE(events.size() == sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i) CHECK(json(events[i], "text") == std::string(sizes[i], 'z'));
    CHECK(hub.end() == 0);
}

TEST_CASE("hub: a module sends, also to an output")
{
    Hub hub(options({ "--module", std::string("d1/m1,key=") + KEY }));
    Device device(hub.connection("d1/m1"), hub.root);
    REQUIRE(device.send("plain") == IOTHUB_CLIENT_OK);
    REQUIRE(device.send("routed", [](IOTHUB_MESSAGE_HANDLE m) { IoTHubMessage_SetOutputName(m, "alerts"); }) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_confirmed(2));
    std::vector<std::string> events = hub.all("telemetry");
    REQUIRE(events.size() == 2);
    CHECK(json(events[0], "identity") == "d1/m1");
    CHECK(json(events[1], "system").find("alerts") != std::string::npos);
    CHECK(hub.end() == 0);
}

TEST_CASE("hub: QoS 0 arrives, and a will is sent for a device that vanishes")
{
    Hub hub(options());
    {
        Device device(hub.connection("d1"), hub.root);
        int qos = 0;
        void *storage[64];
        IOTHUB_MESSAGE_HANDLE will = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)"gone", 4);
        REQUIRE(IoTHubDeviceClient_SetOption(device.hub, IOTHUB_OPTION_QOS, &qos) == IOTHUB_CLIENT_OK);
        REQUIRE(IoTHubDeviceClient_SetOption(device.hub, IOTHUB_OPTION_WILL, will) == IOTHUB_CLIENT_OK);
        REQUIRE(device.send("fire and forget") == IOTHUB_CLIENT_OK);
        REQUIRE(device.run([&] { return device.confirmed == 1 && !device.reasons.empty(); }));
        REQUIRE(device.run([&] { hub.listen(); return hub.all("telemetry").size() == 1; }));
        device.platform.io.close(device.platform.io.context);  /* the cable is pulled: no DISCONNECT */
    }
    REQUIRE_FALSE(hub.wait_for("telemetry", 5000).empty());
    CHECK(json(hub.all("telemetry").at(0), "qos") == "0");
    CHECK(json(hub.events.back(), "event") != "violation");
    CHECK(bodies(hub).back() == "gone");
}

TEST_CASE("hub: X.509 by thumbprint, EC and RSA, and by CA")
{
    Folder folder;
    struct { const char *kind, *ca; } cases[] = { { "ec", "" }, { "rsa", "" }, { "ec", "--make-cert-ca" } };
    for (auto &c : cases) {
        std::vector<std::string> words = { "node", "tools/emulator/main.js", "--make-cert", folder.path, "dx", "--make-cert-key", c.kind, "--json" };
        if (*c.ca) words.push_back(c.ca);
        Process maker(words);
        std::string made = maker.line(10000);
        INFO(made);
        REQUIRE(maker.end(0) == 0);
        std::vector<std::string> more = { "--device", *c.ca ? "dx,ca" : "dx,thumbprint=" + json(made, *c.kind == 'e' ? "sha256" : "sha1") };
        if (*c.ca) { more.push_back("--client-ca"); more.push_back(folder.path + "/client-ca.pem"); }
        Hub hub(options(more));
        Device device("HostName=localhost:" + hub.port + ";DeviceId=dx;x509=true", hub.root);
        device.certificate = read_file(json(made, "certificate"));
        device.key = read_file(json(made, "key"));
        REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_X509_CERT, device.certificate.c_str()) == IOTHUB_CLIENT_OK);
        REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_X509_PRIVATE_KEY, device.key.c_str()) == IOTHUB_CLIENT_OK);
        REQUIRE(device.send("signed") == IOTHUB_CLIENT_OK);
        REQUIRE(device.run_until_confirmed(1));
        CHECK(bodies(hub).back() == "signed");
        CHECK(json(hub.all("connect").at(0), "password") == "false");
    }
}

TEST_CASE("hub: wrong credentials end in their own error, and the right ones recover")
{
    Hub hub(options());
    std::string good = hub.connection("d1");
    struct { const char *name; std::string connection; } cases[] = {
        { "wrong key", with(good, "AAEC", "BBEC") },
        { "unknown device", with(good, "DeviceId=d1", "DeviceId=d2") },
        { "token with a wrong signature", "HostName=localhost:" + hub.port
            + ";DeviceId=d1;SharedAccessSignature=SharedAccessSignature sr=localhost%2Fdevices%2Fd1&sig=AAAA&se=4000000000" } };
    for (auto &c : cases) {
        INFO(c.name);
        Device device(c.connection, hub.root);
        REQUIRE(device.send("x") == IOTHUB_CLIENT_OK);
        REQUIRE(device.run([&] { return !device.reasons.empty(); }));
        CHECK(device.reasons[0] == IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL);
        CHECK(device.errors[0].layer == IOTHUB_LAYER_HUB);
        CHECK(device.errors[0].code == IOTHUB_CODE_CONNACK_REFUSED);
        CHECK(device.errors[0].raw == 5);
        CHECK(device.errors[0].retryable);
    }
    Device expired("HostName=localhost:" + hub.port
        + ";DeviceId=d1;SharedAccessSignature=SharedAccessSignature sr=localhost%2Fdevices%2Fd1&sig=AAAA&se=1700000000", hub.root);
    REQUIRE(expired.run([&] { return !expired.reasons.empty(); }));
    CHECK(expired.reasons[0] == IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN);
    CHECK(expired.error().code == IOTHUB_CODE_TOKEN_EXPIRED);
    CHECK(expired.statistics().attempts == 0);

    Device disabled(good, hub.root);
    disabled.retry_quickly();
    hub.command_line("disable d1");
    REQUIRE(disabled.send("later") == IOTHUB_CLIENT_OK);
    REQUIRE(disabled.run([&] { return !disabled.reasons.empty(); }));
    CHECK(disabled.reasons[0] == IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL);
    hub.command_line("enable d1");
    REQUIRE(disabled.run_until_confirmed(1, 20000));
}

TEST_CASE("hub: refused port, unknown root and wrong host name end in their own errors")
{
    Hub hub(options());
    Device refused("HostName=localhost:1;DeviceId=d1;SharedAccessKey=AAAA", hub.root);
    REQUIRE(refused.run([&] { return !refused.reasons.empty(); }));
    CHECK(refused.reasons[0] == IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
    CHECK(refused.errors[0].layer == IOTHUB_LAYER_TCP);

    Folder other;
    Hub stranger({ "--state", other.path, "--device", DEVICE });
    Device untrusted(hub.connection("d1"), stranger.root);
    REQUIRE(untrusted.run([&] { return !untrusted.reasons.empty(); }));
    CHECK(untrusted.reasons[0] == IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
    CHECK(untrusted.errors[0].layer == IOTHUB_LAYER_TLS_TRUST);

    Device without(hub.connection("d1"), "");
    REQUIRE(without.run([&] { return !without.reasons.empty(); }));
    CHECK(without.errors[0].layer == IOTHUB_LAYER_TLS_TRUST);

    REQUIRE(Folder::run("cd '" + other.path + "' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem"
        " -out c.pem -days 30 -subj /CN=other -addext subjectAltName=DNS:other.example >/dev/null 2>&1") == 0);
    Hub misnamed({ "--device", DEVICE, "--cert", other.path + "/c.pem", "--key", other.path + "/k.pem" });
    Device wrong_name("HostName=localhost:" + misnamed.port + ";DeviceId=d1;SharedAccessKey=" + KEY, read_file(other.path + "/c.pem"));
    REQUIRE(wrong_name.run([&] { return !wrong_name.reasons.empty(); }));
    CHECK(wrong_name.errors[0].layer == IOTHUB_LAYER_TLS_NAME);
}

TEST_CASE("hub: a client over plain TCP is refused at creation")
{
    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;
    IOTHUB_ERROR error;
    void *block[512];
    IOTHUB_MEMORY memory = { block, sizeof block, 512, 512, 0 };
    iothub_posix_platform(&posix, &platform);
    CHECK(IoTHubDeviceClient_CreateInPlace("HostName=h;DeviceId=d;x509=true", MQTT_Protocol, &platform, &memory) == NULL);
    IoTHubDeviceClient_GetLastError(NULL, &error);
    CHECK(error.code == IOTHUB_CODE_PLATFORM_MISSING);
}

TEST_CASE("hub: restarted, it gets everything that was accepted meanwhile")
{
    std::string port;
    Hub *hub = new Hub(options());
    port = hub->port;
    Device device(hub->connection("d1"), hub->root, 32768);
    device.retry_quickly();
    REQUIRE(send_all(device, 10));
    REQUIRE(device.run_until_confirmed(10));
    CHECK(hub->end() == 0);
    delete hub;
    REQUIRE(send_all(device, 20, 10));
    REQUIRE(device.run([&] { return device.errors.size() >= 3; }));
    CHECK(device.confirmed == 10);
    Hub again(options({ "--port", port }));
    REQUIRE(device.run_until_confirmed(30, 20000));
    std::vector<std::string> found = bodies(again);
    REQUIRE(found.size() == 20);
    CHECK(found[0] == "message 10");
    CHECK(found[19] == "message 29");
}

TEST_CASE("hub: its root changes (FI-27): the second trusted root is accepted, a third refused as trust")
{
    Folder second_state, third_state;
    Hub *first = new Hub(options());
    std::string port = first->port, connection = first->connection("d1"), first_root = first->root;
    Hub *probe = new Hub({ "--state", second_state.path, "--device", DEVICE });
    std::string second_root = probe->root;
    delete probe;
    Device device(connection, first_root + second_root);
    device.retry_quickly();
    REQUIRE(send_all(device, 1));
    REQUIRE(device.run_until_confirmed(1));
    delete first;
    Hub *second = new Hub({ "--state", second_state.path, "--device", DEVICE, "--port", port });
    REQUIRE(send_all(device, 1, 1));
    REQUIRE(device.run_until_confirmed(2, 20000));
    delete second;
    Hub *third = new Hub({ "--state", third_state.path, "--device", DEVICE, "--port", port });
    REQUIRE(send_all(device, 1, 2));
    REQUIRE(device.run([&] { return device.error().layer == IOTHUB_LAYER_TLS_TRUST; }, 20000));
    CHECK(device.confirmed == 2);
    delete third;
    Hub back(options({ "--port", port }));
    REQUIRE(device.run_until_confirmed(3, 20000));
}

TEST_CASE("hub: SAS renewal under load loses nothing, repeats nothing and breaks no rule")
{
    Hub hub(options());
    Device device(hub.connection("d1"), hub.root);
    size_t lifetime = 5;
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime) == IOTHUB_CLIENT_OK);
    unsigned sent = 0;
    REQUIRE(device.run([&] {
        if (device.statistics().renewals < 2 && device.confirmed == sent && device.send("message " + std::to_string(sent)) == IOTHUB_CLIENT_OK) ++sent;
        return device.statistics().renewals >= 2 && device.confirmed == sent;
    }, 20000));
    CHECK(device.failed == 0);
    CHECK(device.statistics().repeated == 0);
    std::vector<std::string> connects = hub.all("connect"), telemetry = hub.all("telemetry");
    CHECK(telemetry.size() == sent);
    check_complete(hub, sent);
    for (auto &line : hub.all("disconnect")) CHECK(json(line, "disconnectReceived") == "true");
    CHECK(hub.all("violation").empty());
    CHECK(hub.end() == 0);
}

TEST_CASE("hub: faults of the link and the hub lose nothing, and no rule is broken")
{
    struct Case { const char *name; std::vector<std::string> faults; unsigned messages; };
    const Case cases[] = {
        { "cut after every few bytes received, FIN", { "cut-after-in=700", "cut-how=fin", "cut-connections=4" }, 20 },
        { "cut in the middle of CONNECT, RST", { "cut-after-in=100", "cut-how=rst", "cut-connections=2" }, 5 },
        { "cut before CONNACK is whole", { "cut-after-out=3", "cut-how=rst", "cut-connections=2" }, 5 },
        { "cut between acknowledgements, no TLS close", { "cut-after-out=10", "cut-how=truncate", "cut-connections=3" }, 20 },
        { "TCP accepted and closed", { "refuse-tcp=on" }, 3 },
        { "CONNACK 5", { "connack=5" }, 3 },
        { "CONNACK 3 and a reset", { "connack=3", "connack-how=rst" }, 3 },
        { "closed instead of CONNACK", { "connack=close" }, 3 },
        { "late CONNACK", { "connack-delay=700" }, 5 },
        { "late acknowledgements", { "puback-delay=300" }, 20 },
        { "acknowledgements out of order", { "puback-reorder=5" }, 20 },
        { "acknowledgements merged", { "puback-merge=10" }, 20 },
        { "a byte at a time", { "split-out=1" }, 20 },
        { "slow reader", { "rate-in=4000" }, 20 },
        { "no session is kept", { "drop-session=on" }, 5 },
        { "throttled", { "throttle=20" }, 30 },
        { "pipelining refused", { "refuse-pipelined=on" }, 5 },
        { "short-lived tokens", { "expire-tokens=1" }, 20 } };
    for (auto &c : cases) {
        INFO(c.name);
        std::vector<std::string> more;
        for (auto &fault : c.faults) { more.push_back("--fault"); more.push_back(fault); }
        Hub hub(options(more));
        Device device(hub.connection("d1"), hub.root, 16384);
        device.retry_quickly();
        REQUIRE(send_all(device, c.messages));
        bool persistent = c.faults[0] == "refuse-tcp=on" || c.faults[0].compare(0, 8, "connack=") == 0;
        if (persistent) {
            REQUIRE(device.run([&] { return device.errors.size() >= 2; }, 20000));
            CHECK(device.confirmed == 0);
            for (auto &fault : c.faults) hub.fault(fault.substr(0, fault.find('=')) + "=off");
        }
        CHECK(device.run_until_confirmed(c.messages, 30000));
        check_complete(hub, c.messages);
        CHECK(hub.all("violation").empty());
        CHECK(hub.end() == 0);
    }
}

TEST_CASE("hub: silence is found by the ping, missing acknowledgements by their deadline, and both recover")
{
    Hub hub(options());
    Device device(hub.connection("d1"), hub.root);
    device.retry_quickly();
    device.set_seconds(IOTHUB_OPTION_PING_TIMEOUT, 1);
    int keep_alive = 1;
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_OK);
    REQUIRE(send_all(device, 1));
    REQUIRE(device.run_until_confirmed(1));
    REQUIRE(device.run([&] { return device.statistics().pings >= 2; }));
    hub.fault("silent=on");
    REQUIRE(device.run([&] { return device.reasons.back() == IOTHUB_CLIENT_CONNECTION_NO_PING_RESPONSE; }));
    CHECK(device.errors.back().code == IOTHUB_CODE_PING_TIMEOUT);
    hub.fault("silent=off");
    REQUIRE(send_all(device, 1, 1));
    device.set_seconds(OPTION_CONNECTION_TIMEOUT, 2);
    REQUIRE(device.run_until_confirmed(2, 20000));

    device.set_seconds(IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, 1);
    hub.fault("puback=withhold");
    REQUIRE(send_all(device, 3, 2));
    REQUIRE(device.run([&] { return device.errors.back().code == IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT; }));
    CHECK(device.reasons.back() == IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR);
    hub.fault("puback=off");
    REQUIRE(device.run_until_confirmed(5, 20000));
    bool repeated = false;
    for (auto &line : hub.all("telemetry")) repeated |= json(line, "dup") == "true";
    CHECK(repeated);
    CHECK(hub.all("violation").empty());
}

TEST_CASE("hub: a held CONNACK ends in its own error")
{
    Hub hub(options({ "--fault", "connack=hold" }));
    Device device(hub.connection("d1"), hub.root);
    device.set_seconds(OPTION_CONNECTION_TIMEOUT, 1);
    REQUIRE(device.run([&] { return !device.reasons.empty(); }));
    CHECK(device.errors[0].code == IOTHUB_CODE_CONNACK_TIMEOUT);
    CHECK(device.errors[0].layer == IOTHUB_LAYER_HUB);
}

TEST_CASE("hub: a hub that stops reading blocks nothing but output")
{
    Hub hub(options());
    Device device(hub.connection("d1"), hub.root, 10000000);
    REQUIRE(send_all(device, 1));
    REQUIRE(device.run_until_confirmed(1));
    hub.fault("stop-reading=on");
    for (int i = 0; i < 30; ++i) REQUIRE(device.send(std::string(250000, 'x')) == IOTHUB_CLIENT_OK);
    device.run([] { return false; }, 1500);
    CHECK(device.confirmed == 1);
    CHECK(IoTHubDeviceClient_GetNextWork(device.hub) <= 10);
    hub.fault("stop-reading=off");
    REQUIRE(device.run_until_confirmed(31, 60000));
    CHECK(hub.end() == 0);
}

TEST_CASE("hub: a second connection of the same device takes over, and the first comes back within its policy")
{
    Hub hub(options());
    Device first(hub.connection("d1"), hub.root);
    REQUIRE(send_all(first, 1));
    REQUIRE(first.run_until_confirmed(1));
    Device second(hub.connection("d1"), hub.root);
    REQUIRE(send_all(second, 1));
    REQUIRE(second.run_until_confirmed(1));
    REQUIRE(first.run([&] { return first.reasons.back() == IOTHUB_CLIENT_CONNECTION_NO_NETWORK; }));
    CHECK(first.errors.back().code == IOTHUB_CODE_LINK_LOST);
    REQUIRE(first.run([&] { return first.reasons.back() == IOTHUB_CLIENT_CONNECTION_OK; }, 20000));
}

TEST_CASE("hub: one full-size TLS record and 512 bytes to send are enough")
{
    Hub hub(options({ "--tls12" }));
    Device device(hub.connection("d1"), hub.root, 2048, IOTHUB_BEARSSL_BUFFER_MONO);
    REQUIRE(send_all(device, 30));
    REQUIRE(device.run_until_confirmed(30));
    check_complete(hub, 30);
}

TEST_CASE("hub: chains of every kind are verified")
{
    for (const char *kind : { "ec", "rsa", "ec384", "rsa384" }) {
        INFO(kind);
        Hub hub(options({ "--server-key", kind, "--tls12" }));
        Device device(hub.connection("d1"), hub.root);
        REQUIRE(send_all(device, 1));
        REQUIRE(device.run_until_confirmed(1));
    }
}
