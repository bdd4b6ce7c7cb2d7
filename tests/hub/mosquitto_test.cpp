/* Interoperation with an MQTT broker that is not ours: mosquitto, over TLS and over mutual TLS. */
#include <catch2/catch.hpp>
#include "device.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace {

std::string free_port()
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    std::memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(s, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(getsockname(s, (struct sockaddr *)&address, &size) == 0);
    close(s);
    return std::to_string(ntohs(address.sin_port));
}

/* A CA, a server certificate for localhost and a client certificate, in a folder that the broker's user can read. */
struct Broker {
    Folder folder;
    std::string port, path;
    Process *process;

    explicit Broker(bool mutual) : port(free_port()), path(folder.path), process(NULL)
    {
        std::string script = "set -e; cd '" + path + "'; exec >/dev/null 2>&1\n"
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=test-root -addext basicConstraints=critical,CA:TRUE\n"
            "for who in localhost d1; do\n"
            "  openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj /CN=$who\n"
            "  printf \"subjectAltName=DNS:$who\" > $who.ext\n"
            "  openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile $who.ext -out $who.pem\n"
            "done; chmod 755 .; chmod 644 *\n";
        REQUIRE(Folder::run("sh -c '" + escaped(script) + "'") == 0);
        FILE *file = std::fopen((path + "/broker.conf").c_str(), "w");
        std::fprintf(file, "listener %s 127.0.0.1\nallow_anonymous true\npersistence false\ncafile %s/ca.pem\ncertfile %s/localhost.pem\nkeyfile %s/localhost.key\n"
            "require_certificate %s\n", port.c_str(), path.c_str(), path.c_str(), path.c_str(), mutual ? "true" : "false");
        std::fclose(file);
        process = new Process({ "/usr/sbin/mosquitto", "-c", path + "/broker.conf" });
    }
    ~Broker() { delete process; }

    static std::string escaped(const std::string &text)
    {
        std::string out;
        for (char c : text) {
            if (c == '\'') out += "'\\''";
            else out += c;
        }
        return out;
    }
    std::vector<std::string> subscriber(int count) const
    {
        return { "stdbuf", "-oL", "mosquitto_sub", "-h", "localhost", "-p", port, "--cafile", path + "/ca.pem", "--cert", path + "/d1.pem", "--key", path + "/d1.key",
            "-i", "listener", "-t", "devices/#", "-q", "1", "-F", "%q %t %p", "-C", std::to_string(count), "-W", "20", "-d" };
    }
};

void exchange(Broker &broker, Device &device)
{
    usleep(300000);                      /* the broker starts */
    Process subscriber(broker.subscriber(4));
    std::string line;
    for (int i = 0; i < 20 && line.find("SUBACK") == std::string::npos; ++i) line = subscriber.line(5000);
    REQUIRE(line.find("SUBACK") != std::string::npos);
    device.retry_quickly();
    for (int i = 0; i < 3; ++i) {
        REQUIRE(device.send("to mosquitto " + std::to_string(i), [](IOTHUB_MESSAGE_HANDLE m) { IoTHubMessage_SetProperty(m, "room", "lab 1"); }) == IOTHUB_CLIENT_OK);
    }
    REQUIRE(device.send(std::string(30000, 'm')) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_confirmed(4, 20000));
    std::vector<std::string> got;
    for (int i = 0; i < 40 && got.size() < 4; ++i) {
        line = subscriber.line(5000);
        if (line.find("devices/d1/messages/events/") != std::string::npos && line.compare(0, 2, "1 ") == 0) got.push_back(line);
    }
    REQUIRE(got.size() == 4);
    for (int i = 0; i < 3; ++i) CHECK(got[i] == "1 devices/d1/messages/events/room=lab%201 to mosquitto " + std::to_string(i));
    CHECK(got[3] == "1 devices/d1/messages/events/ " + std::string(30000, 'm'));
}

} // namespace

TEST_CASE("mosquitto: telemetry over TLS, and pings")
{
    Broker broker(false);
    Device device("HostName=localhost:" + broker.port + ";DeviceId=d1;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        read_file(broker.path + "/ca.pem"), 65536);
    exchange(broker, device);
    int keep_alive = 1;
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_OK);
    REQUIRE(device.run([&] { return device.statistics().pings >= 3; }));
    CHECK(device.errors.back().code == IOTHUB_CODE_NONE);
}

TEST_CASE("mosquitto: telemetry over mutual TLS, and the reconnect that a restart takes")
{
    Broker broker(true);
    Device device("HostName=localhost:" + broker.port + ";DeviceId=d1;x509=true", read_file(broker.path + "/ca.pem"), 65536);
    device.certificate = read_file(broker.path + "/d1.pem");
    device.key = read_file(broker.path + "/d1.key");
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_X509_CERT, device.certificate.c_str()) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetOption(device.hub, OPTION_X509_PRIVATE_KEY, device.key.c_str()) == IOTHUB_CLIENT_OK);
    exchange(broker, device);
    delete broker.process;
    broker.process = new Process({ "/usr/sbin/mosquitto", "-c", broker.path + "/broker.conf" });
    REQUIRE(device.send("after the restart") == IOTHUB_CLIENT_OK);
    REQUIRE(device.run_until_confirmed(5, 20000));
}
