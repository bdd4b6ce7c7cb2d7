/* The whole client over mbedTLS and over OpenSSL, and over the Winsock port in a Windows program, against the emulator. */

#include <catch2/catch.hpp>

#include "iothub_client.h"
#include "../../ports/posix/iothub_posix.h"
#include "../../ports/mbedtls/iothub_mbedtls.h"
#include "../../ports/openssl/iothub_openssl.h"
#include "../hub/hub.h"

#include <functional>
#include <memory>

namespace {

const char *const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/* One folder of certificates for the whole run: making them takes the emulator's time. */
const std::string &state()
{
    static Folder folder;
    return folder.path;
}

std::vector<std::string> options(const std::vector<std::string> &more = {})
{
    std::vector<std::string> all = { "--state", state(), "--device", std::string("d1,key=") + KEY };
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

struct Mbedtls {
    static const char *name() { return "mbedtls"; }
    Mbedtls(const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform) { iothub_mbedtls_init(&tls, lower, platform); }
    ~Mbedtls() { iothub_mbedtls_free(&tls); }
    size_t save(unsigned char *bytes, size_t size) const { return iothub_mbedtls_save_session(&tls, bytes, size); }
    int load(const unsigned char *bytes, size_t size) { return iothub_mbedtls_load_session(&tls, bytes, size); }
    IOTHUB_MBEDTLS tls;
};

struct Openssl {
    static const char *name() { return "openssl"; }
    Openssl(const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform)
    {
        if (iothub_openssl_init(&tls, lower, platform) != 0) throw std::runtime_error("iothub_openssl_init");
    }
    ~Openssl() { iothub_openssl_free(&tls); }
    size_t save(unsigned char *bytes, size_t size) const { return iothub_openssl_save_session(&tls, bytes, size); }
    int load(const unsigned char *bytes, size_t size) { return iothub_openssl_load_session(&tls, bytes, size); }
    IOTHUB_OPENSSL tls;
};

template <class Port> struct Device {
    Device(const std::string &connection, const std::string &roots)
        : posix(), platform(), hub(NULL), confirmed(0), failed(0)
    {
        IOTHUB_MEMORY memory;
        unsigned int seconds = 1;
        iothub_posix_platform(&posix, &platform);
        port.reset(new Port(iothub_posix_tcp(&posix), &platform));
        memory.outbox_size = 65536;
        memory.inbox_size = 1024;
        memory.outbox_messages = 0;
        memory.block_size = IoTHub_ClientSize(connection.c_str(), MQTT_Protocol, memory.outbox_size, memory.inbox_size);
        block.resize(memory.block_size);
        memory.block = block.data();
        hub = IoTHubDeviceClient_CreateInPlace(connection.c_str(), MQTT_Protocol, &platform, &memory);
        if (hub == NULL) throw std::runtime_error("no client");
        IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, this);
        IoTHubDeviceClient_SetMessageCallback(hub, on_message, this);
        if (IoTHubDeviceClient_SetOption(hub, OPTION_RETRY_MAX_DELAY_SECS, &seconds) != IOTHUB_CLIENT_OK ||
            IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots.c_str()) != IOTHUB_CLIENT_OK) {
            throw std::runtime_error("options");
        }
    }
    ~Device()
    {
        IoTHubDeviceClient_Destroy(hub);
    }
    static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS, IOTHUB_CLIENT_CONNECTION_STATUS_REASON, void *context)
    {
        Device *self = static_cast<Device *>(context);
        IOTHUB_ERROR error;
        IoTHubDeviceClient_GetLastError(self->hub, &error);
        self->layers.push_back(error.layer);
    }
    static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
    {
        Device *self = static_cast<Device *>(context);
        (result == IOTHUB_CLIENT_CONFIRMATION_OK ? self->confirmed : self->failed) += 1;
    }
    static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
    {
        const unsigned char *bytes;
        size_t size;
        IoTHubMessage_GetByteArray(message, &bytes, &size);
        static_cast<Device *>(context)->received.push_back(std::string(reinterpret_cast<const char *>(bytes), size));
        return IOTHUBMESSAGE_ACCEPTED;
    }
    void send(const std::string &body)
    {
        void *storage[128];
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)body.data(), body.size());
        REQUIRE(IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, this) == IOTHUB_CLIENT_OK);
    }
    bool run(const std::function<bool()> &done, int milliseconds = 20000)
    {
        Clock::time_point start = Clock::now();
        while (!done()) {
            if (elapsed_ms(start) > milliseconds) return false;
            uint32_t wait = IoTHubDeviceClient_GetNextWork(hub);
            iothub_posix_wait(&posix, wait < 50 ? wait : 50);
            IoTHubDeviceClient_DoWork(hub);
        }
        return true;
    }
    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;
    std::unique_ptr<Port> port;
    std::vector<unsigned char> block;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    unsigned confirmed, failed;
    std::vector<int> layers;
    std::vector<std::string> received;
private:
    Device(const Device &);
    void operator=(const Device &);
};

}

TEMPLATE_TEST_CASE("hub: telemetry of every size, and a message from the cloud", "[ports_hub]", Mbedtls, Openssl)
{
    Hub hub(options());
    Device<TestType> device(hub.connection("d1"), hub.root);
    const std::vector<std::string> bodies = { "", "21.5 degrees", std::string(1000, 'a'), std::string(4096, 'b'), std::string(40000, 'c') };
    for (const std::string &body : bodies) device.send(body);
    REQUIRE(device.run([&] { return device.confirmed + device.failed == bodies.size(); }));
    CHECK(device.failed == 0);
    hub.command_line("c2d d1 {\"body\":\"open the valve\"}");
    REQUIRE(device.run([&] { return device.received.size() == 1 && hub.seen("acknowledged").size() == 1; }));
    CHECK(device.received[0] == "open the valve");
    CHECK(json(hub.command_line("c2d-state d1"), "waiting") == "0");
    std::vector<std::string> events = hub.all("telemetry");
    REQUIRE(events.size() == bodies.size());
    for (size_t i = 0; i < bodies.size(); ++i) CHECK(json(events[i], "text") == bodies[i]);
    CHECK(json(hub.all("connect").at(0), "tls").substr(0, 6) == "TLSv1.");
    CHECK(hub.end() == 0);
}

TEMPLATE_TEST_CASE("hub: a wrong CA and a wrong host name are refused, and nothing is said to such a hub", "[ports_hub]", Mbedtls, Openssl)
{
    Folder other;
    Hub hub(options());
    {
        Hub stranger({ "--state", other.path, "--device", std::string("d1,key=") + KEY });
        Device<TestType> untrusted(hub.connection("d1"), stranger.root);
        REQUIRE(untrusted.run([&] { return !untrusted.layers.empty(); }));
        CHECK(untrusted.layers[0] == IOTHUB_LAYER_TLS_TRUST);
    }
    CHECK(hub.all("connect").empty());
    REQUIRE(Folder::run("cd '" + other.path + "' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem"
        " -out c.pem -days 30 -subj /CN=other -addext subjectAltName=DNS:other.example >/dev/null 2>&1") == 0);
    Hub misnamed({ "--device", std::string("d1,key=") + KEY, "--cert", other.path + "/c.pem", "--key", other.path + "/k.pem" });
    Device<TestType> device("HostName=localhost:" + misnamed.port + ";DeviceId=d1;SharedAccessKey=" + KEY, read_file(other.path + "/c.pem"));
    REQUIRE(device.run([&] { return !device.layers.empty(); }));
    CHECK(device.layers[0] == IOTHUB_LAYER_TLS_NAME);
    CHECK(misnamed.all("connect").empty());
}

TEMPLATE_TEST_CASE("hub: after a cut the TLS session is resumed; after a deep sleep too, from its bytes", "[ports_hub]", Mbedtls, Openssl)
{
    Hub hub(options());
    std::vector<unsigned char> bytes(8000);
    size_t size = 0;
    {
        Device<TestType> device(hub.connection("d1"), hub.root);
        device.send("one");
        REQUIRE(device.run([&] { return device.confirmed == 1; }));
        hub.command_line("kick d1");
        device.send("two");
        REQUIRE(device.run([&] { return device.confirmed == 2 && hub.seen("connect").size() == 2; }));
        size = device.port->save(bytes.data(), bytes.size());
        REQUIRE(size > 40);
    }
    {
        Device<TestType> device(hub.connection("d1"), hub.root);
        REQUIRE(device.port->load(bytes.data(), size) == 0);
        device.send("three");
        REQUIRE(device.run([&] { return device.confirmed == 1; }));
    }
    std::vector<std::string> connects = hub.all("connect");
    REQUIRE(connects.size() == 3);
    CHECK(json(connects[0], "tls").find("resumed") == std::string::npos);
    CHECK(json(connects[1], "tls").find("resumed") != std::string::npos);
    CHECK(json(connects[2], "tls").find("resumed") != std::string::npos);
    CHECK(hub.end() == 0);
}

/* winsock_device.c, which winsock.sh has built by mingw with BearSSL from its source; wine runs it. */
TEST_CASE("hub: a Windows program sends telemetry and takes a message, TLS by BearSSL over Winsock", "[winsock]")
{
    Folder other;
    Hub hub(options());
    const std::string roots = other.path + "/roots.pem";
    {
        FILE *file = std::fopen(roots.c_str(), "wb");
        REQUIRE(file != NULL);
        std::fwrite(hub.root.data(), 1, hub.root.size(), file);
        std::fclose(file);
        Process device({ "env", "WINEDEBUG=-all", "WINEPREFIX=" IOTHUB_TEST_WINE_PREFIX, "wine", IOTHUB_TEST_WINE, hub.connection("d1"), "Z:" + roots });
        REQUIRE(hub.wait_for("subscribe", 60000) != "");
        hub.command_line("c2d d1 {\"body\":\"open the valve\"}");
        std::string line;
        do {
            line = device.line(60000);
            INFO(line);
            REQUIRE(line.substr(0, 6) != "failed");
        } while (!line.empty() && line.substr(0, 8) != "received");
        CHECK(line.substr(0, 23) == "received open the valve");
        REQUIRE(device.line(20000).substr(0, 5) == "ended");
    }
    std::vector<std::string> events = hub.all("telemetry");
    REQUIRE(events.size() == 3);
    for (size_t i = 0; i < 3; ++i) CHECK(json(events[i], "text") == "message " + std::to_string(i));
    CHECK(hub.seen("acknowledged").size() == 1);
    CHECK(hub.end() == 0);
}
