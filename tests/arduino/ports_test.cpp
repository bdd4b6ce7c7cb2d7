/* ports/arduino over a Client of sockets, and ports/esp_idf over the esp-tls that this test makes up, against the contract of IOTHUB_IO;
   and what else they promise. Built as for an ESP32. Prints a line a test. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/arduino/iothub_arduino.h"
#include "ports/esp_idf/iothub_esp_idf.h"
#include <WiFi.h>
#include "core/host.h"
#include "../ports/conformance_tcp.h"

#include <string>

namespace {

struct Failed { int line; std::string what; };
#define CHECK(condition) do { if (!(condition)) throw Failed{ __LINE__, #condition }; } while (0)

void tell(void *context, int ok, const char *what)
{
    if (ok == 0) *static_cast<std::string *>(context) += std::string(what) + "; ";
}

void keeps_the_contract(const char *name, const IOTHUB_IO *io, unsigned long call_ms_most, const std::string &known)
{
    struct conformance_tcp tcp;
    struct conformance test = {};
    std::string broken;
    conformance_tcp_begin(&tcp);
    test.name = name;
    test.io = io;
    test.host = "127.0.0.1";
    test.peer = &tcp.peer;
    test.tell = tell;
    test.tell_context = &broken;
    test.call_ms_most = call_ms_most;
    test.volume = 20000;
    int failures = conformance_run(&test);
    conformance_tcp_drop_all(&tcp);
    if (broken != known || failures != (known.empty() ? 0 : 1)) throw Failed{ __LINE__, broken };
    CHECK(test.checks > 20);
}

void arduino_keeps_the_contract()
{
    WiFiClient network;
    IOTHUB_ARDUINO_CLIENT stream;
    network.setTimeout(100);                     /* connect blocks, so long at most */
    keeps_the_contract("arduino", iothub_arduino_plain(&stream, &network), 1000,
        "arduino: 1: open answers 0 while the peer is silent; ");      /* it fails when the Client's time is over */
}

void esp_idf_keeps_the_contract()
{
    IOTHUB_ESP_IDF esp;
    IOTHUB_PLATFORM platform;
    iothub_esp_idf_platform(&esp, &platform);
    test_link_plain = 1;
    keeps_the_contract("esp_idf", &platform.io, 200, "");
    test_link_plain = 0;
}

/* A Client that does what it is told. */
struct Scripted : Client {
    int opens = 1, has = 0, gives = 0, takes = -1, stops = 0, connects = 0;
    bool alive = true;
    int connect(IPAddress, uint16_t) override { return 0; }
    int connect(const char *, uint16_t) override { connects++; return opens; }
    size_t write(uint8_t) override { return 0; }
    size_t write(const uint8_t *, size_t size) override { return takes < 0 ? size : (size_t)takes; }
    int available() override { return has; }
    int read() override { return -1; }
    int read(uint8_t *, size_t) override { return gives; }
    int peek() override { return -1; }
    void flush() override {}
    void stop() override { stops++; }
    uint8_t connected() override { return alive; }
    operator bool() override { return alive; }
};

void arduino_tells_before_it_blocks()
{
    Scripted client;
    IOTHUB_ARDUINO_CLIENT stream;
    const IOTHUB_IO *io = iothub_arduino_plain(&stream, &client);
    CHECK(!iothub_arduino_will_block(&stream));
    CHECK(io->open(io->context, "h", 1) == 0 && client.connects == 0 && iothub_arduino_will_block(&stream));
    CHECK(io->open(io->context, "h", 1) == 1 && client.connects == 1 && !iothub_arduino_will_block(&stream));
    io->close(io->context);
    io->close(io->context);
    CHECK(client.stops == 1);
    client.opens = -2;
    CHECK(io->open(io->context, "h", 1) == 0 && io->open(io->context, "h", 1) == -1);
    long raw = 0;
    CHECK(io->error(io->context, &raw) == IOTHUB_LAYER_TCP && raw == -2);
}

void arduino_waits_for_the_date()
{
    Scripted client;
    IOTHUB_ARDUINO board;
    IOTHUB_ARDUINO_CLIENT stream;
    IOTHUB_PLATFORM platform;
    iothub_arduino_platform(&board, &platform);
    platform.unix_time = [](void *) { return (uint32_t)0; };
    iothub_arduino_secured(&stream, &client, &platform);
    for (int i = 0; i < 5; i++) CHECK(platform.io.open(platform.io.context, "h", 1) == 0);
    CHECK(client.connects == 0 && platform.io.error(platform.io.context, nullptr) == IOTHUB_LAYER_TIME);
    stream.unix_time = [](void *) { return (uint32_t)1800000000; };
    CHECK(platform.io.open(platform.io.context, "h", 1) == 0 && platform.io.open(platform.io.context, "h", 1) == 1);
}

void arduino_sees_a_client_that_lies()
{
    for (int way = 0; way < 2; way++) {
        Scripted client;
        IOTHUB_ARDUINO_CLIENT stream;
        unsigned char bytes[8];
        const IOTHUB_IO *io = iothub_arduino_plain(&stream, &client);
        CHECK(io->open(io->context, "h", 1) == 0 && io->open(io->context, "h", 1) == 1);
        if (way == 0) {
            client.has = 4;
            client.gives = 5;
            CHECK(io->read(io->context, bytes, sizeof bytes) == -1);
        } else {
            client.takes = 4;
            CHECK(io->write(io->context, reinterpret_cast<const unsigned char *>("abc"), 3) == 3);
            CHECK(io->write(io->context, bytes, 0) == -1);
        }
        long raw = 0;
        CHECK(io->error(io->context, &raw) == IOTHUB_LAYER_PORT && raw == IOTHUB_ARDUINO_ERROR_CONTRACT);
    }
}

/* RFC 4231, test case 2 */
void hmac_is_hmac()
{
    static const unsigned char expected[] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
        0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 };
    IOTHUB_ARDUINO board;
    IOTHUB_ESP_IDF esp;
    IOTHUB_PLATFORM platforms[2];
    iothub_arduino_platform(&board, &platforms[0]);
    iothub_esp_idf_platform(&esp, &platforms[1]);
    for (IOTHUB_PLATFORM &platform : platforms) {
        unsigned char digest[32], more[32];
        CHECK(platform.hmac_sha256(platform.context, reinterpret_cast<const unsigned char *>("Jefe"), 4,
                                   reinterpret_cast<const unsigned char *>("what do ya want for nothing?"), 28, digest) == 0);
        CHECK(memcmp(digest, expected, 32) == 0);
        CHECK(platform.hmac_sha256(platform.context, nullptr, 0, digest, 32, more) < 0);
        CHECK(platform.random(platform.context, digest, 32) == 0 && platform.random(platform.context, more, 32) == 0);
        CHECK(memcmp(digest, more, 32) != 0);
        CHECK(platform.unix_time(platform.context) > 1700000000u);
        uint32_t before = platform.milliseconds(platform.context);
        usleep(1000);
        CHECK(platform.milliseconds(platform.context) - before < 10000u);
    }
    iothub_arduino_set_time(&board, 1800000000u);
    board.time_tick -= 5000;
    CHECK(platforms[0].unix_time(platforms[0].context) - 1800000005u < 2u);
    unsigned char weak[2][16];
    iothub_arduino_weak_random(&board, &platforms[0], A0);
    CHECK(platforms[0].random(platforms[0].context, weak[0], 16) == 0 && platforms[0].random(platforms[0].context, weak[1], 16) == 0);
    CHECK(memcmp(weak[0], weak[1], 16) != 0);
}

void esp_idf_takes_its_options()
{
    IOTHUB_ESP_IDF esp;
    IOTHUB_PLATFORM platform;
    iothub_esp_idf_platform(&esp, &platform);
    const IOTHUB_IO &io = platform.io;
    CHECK(io.set_option(io.context, OPTION_TRUSTED_CERT, "roots") == 0 && esp.settings.cacert_bytes == 6);
    CHECK(io.set_option(io.context, OPTION_X509_CERT, "chain") == 0 && esp.settings.clientcert_bytes == 6);
    CHECK(io.set_option(io.context, OPTION_X509_PRIVATE_KEY, "key") == 0 && esp.settings.clientkey_bytes == 4);
    CHECK(io.set_option(io.context, OPTION_HTTP_PROXY, "x") > 0);
    CHECK(io.set_option(io.context, OPTION_TRUSTED_CERT, nullptr) < 0);
}

struct { const char *name; void (*run)(); } tests[] = {
    { "arduino: keeps the contract of IOTHUB_IO over sockets, but that connect blocks", arduino_keeps_the_contract },
    { "arduino: tells that the next call blocks, and the Client's number", arduino_tells_before_it_blocks },
    { "arduino: a secured Client waits for the date", arduino_waits_for_the_date },
    { "arduino: a Client that answers more than was asked is dead", arduino_sees_a_client_that_lies },
    { "esp_idf: keeps the contract of IOTHUB_IO over the test's esp-tls", esp_idf_keeps_the_contract },
    { "esp_idf: hands certificates to esp-tls as it wants them", esp_idf_takes_its_options },
    { "arduino, esp_idf: HMAC, entropy, clocks", hmac_is_hmac },
};

} // namespace

int main()
{
    int failed = 0;
    for (auto &test : tests) {
        try {
            test.run();
            printf("ok    %s\n", test.name);
        } catch (const Failed &why) {
            failed++;
            printf("FAIL  %s\n      line %d: %s\n", test.name, why.line, why.what.c_str());
        }
        fflush(stdout);
    }
    return failed != 0;
}
