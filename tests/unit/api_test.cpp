/* The public names: creation, both families, every option at the edges of its range and with its effect. */
#include <string>

namespace {
std::string logged;
} // namespace

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_LOG(level, code, text) ((level) == IOTHUB_LOG_TRACE ? (void)(logged += text, logged += "; ") : (void)(code))
#define IOTHUB_WORK_READ_SIZE 100                /* more than the smallest inbox has */
#include "implementation.h"
#include "bench.h"

namespace {

const char *const X509_STRING = "HostName=h;DeviceId=d;x509=true";

/* A block of exactly this size, on the heap, so that the sanitizer stands at its end. */
class Block {
public:
    Block(size_t size, size_t outbox, size_t inbox, unsigned int messages = 0) : bytes(new unsigned char[size])
    {
        memory.block = bytes;
        memory.block_size = size;
        memory.outbox_size = outbox;
        memory.inbox_size = inbox;
        memory.outbox_messages = messages;
    }
    ~Block() { delete[] bytes; }
    IOTHUB_MEMORY memory;
private:
    Block(const Block &);
    void operator=(const Block &);
    unsigned char *bytes;
};

IOTHUB_ERROR creation_error()
{
    IOTHUB_ERROR error;
    REQUIRE(IoTHubDeviceClient_GetLastError(NULL, &error) == IOTHUB_CLIENT_OK);
    return error;
}

template <typename Value> IOTHUB_CLIENT_RESULT set(Bench &b, const char *name, Value value)
{
    return IoTHubDeviceClient_SetOption(b.hub, name, &value);
}

struct iothubi_client *inside(Bench &b)
{
    return IOTHUBI_CLIENT_OF(b.hub);
}

} // namespace

/* ---- creation ---- */

TEST_CASE("ClientSize: what is wrong with the string or the protocol is 0, and the error says why and where")
{
    CHECK(IoTHub_ClientSize(NULL, MQTT_Protocol, 1024, 128) == 0);
    CHECK(creation_error().code == IOTHUB_CODE_HOST_NAME_MISSING);
    CHECK(creation_error().raw == -1);
    CHECK(IoTHub_ClientSize("HostName=h;DeviceId=a/b;x509=true", MQTT_Protocol, 1024, 128) == 0);
    CHECK(creation_error().code == IOTHUB_CODE_DEVICE_ID_INVALID);
    CHECK(creation_error().layer == IOTHUB_LAYER_CONFIG);
    CHECK(creation_error().raw == 11);
    CHECK(IoTHub_ClientSize(X509_STRING, NULL, 1024, 128) == 0);
    CHECK(creation_error().code == IOTHUB_CODE_PROTOCOL_MISSING);
    CHECK(IoTHub_ClientSize(X509_STRING, MQTT_Protocol, 1024, 128) == sizeof(struct iothubi_client) + 1024 + 128 + 2 + 2);
}

TEST_CASE("creation in place: without memory, or without a block, the error says how much is missing")
{
    Scripted s;
    CHECK(IoTHubDeviceClient_CreateInPlace(X509_STRING, MQTT_Protocol, &s.platform, NULL) == NULL);
    CHECK(creation_error().code == IOTHUB_CODE_BLOCK_TOO_SMALL);
    CHECK(creation_error().layer == IOTHUB_LAYER_MEMORY);
    IOTHUB_MEMORY memory = { NULL, 100000, 1024, 128, 0 };
    CHECK(IoTHubDeviceClient_CreateInPlace(X509_STRING, MQTT_Protocol, &s.platform, &memory) == NULL);
    CHECK(creation_error().code == IOTHUB_CODE_BLOCK_TOO_SMALL);
    CHECK(creation_error().bytes_missing == IoTHub_ClientSize(X509_STRING, MQTT_Protocol, 1024, 128));
}

TEST_CASE("creation in place: an outbox below its minimum is named with what is missing")
{
    Scripted s;
    for (size_t outbox = 0; outbox < 64; outbox += 21) {
        Block block(10000, outbox, 128, 1);
        CHECK(IoTHubDeviceClient_CreateInPlace(X509_STRING, MQTT_Protocol, &s.platform, &block.memory) == NULL);
        CHECK(creation_error().code == IOTHUB_CODE_OUTBOX_TOO_SMALL);
        CHECK(creation_error().bytes_missing == sizeof(iothubi_record) + 64 - outbox);
    }
}

TEST_CASE("creation in place: more records than packet ids can tell apart are cut down to those")
{
    Scripted s;
    const size_t outbox = IOTHUBI_OUTBOX_SLOTS_MAXIMUM * sizeof(iothubi_record) + 64;
    Block block(IoTHub_ClientSize(X509_STRING, MQTT_Protocol, outbox, 128), outbox, 128, 40000);
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateInPlace(X509_STRING, MQTT_Protocol, &s.platform, &block.memory);
    REQUIRE(hub != NULL);
    IOTHUB_STATISTICS statistics;
    CHECK(IoTHubDeviceClient_GetStatistics(hub, &statistics) == IOTHUB_CLIENT_OK);
    CHECK(statistics.outbox_capacity == 64);
    IoTHubDeviceClient_Destroy(hub);
}

TEST_CASE("creation in place from a configuration: as exact as from a string")
{
    Scripted s;
    IOTHUB_CLIENT_CONFIG config = { MQTT_Protocol, "d1", "AAAA", NULL, "hub", "example.net:99", NULL };
    size_t size = IoTHub_ClientSize("HostName=hub.example.net;DeviceId=d1;SharedAccessKey=AAAA", MQTT_Protocol, 1024, 128);
    Block block(size, 1024, 128), less(size - 1, 1024, 128);
    CHECK(IoTHubDeviceClient_CreateInPlaceFromConfig(&config, &s.platform, &less.memory) == NULL);
    CHECK(creation_error().bytes_missing == 1);
    CHECK(IoTHubDeviceClient_CreateInPlaceFromConfig(NULL, &s.platform, &block.memory) == NULL);
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateInPlaceFromConfig(&config, &s.platform, &block.memory);
    REQUIRE(hub != NULL);
    IoTHubDeviceClient_DoWork(hub);
    CHECK(s.host == "hub.example.net");
    CHECK(s.port == 99);
    CHECK(s.signed_text == "hub.example.net%2Fdevices%2Fd1\n1893456000");
    IoTHubDeviceClient_Destroy(hub);
}

TEST_CASE("creation from the pool: a client in a place of its own takes no slot of it")
{
    Bench b;
    Scripted other;
    IoTHub_SetPlatform(&other.platform);
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateFromConnectionString(X509_STRING, MQTT_Protocol);
    REQUIRE(hub != NULL);
    Scripted third;
    IoTHub_SetPlatform(&third.platform);
    CHECK(IoTHubDeviceClient_CreateFromConnectionString(X509_STRING, MQTT_Protocol) == NULL);
    CHECK(creation_error().code == IOTHUB_CODE_POOL_EMPTY);
    CHECK(creation_error().retryable);
    b.connect();
    CHECK(other.opens == 0);
    IoTHubDeviceClient_Destroy(hub);
}

/* ---- the names that stand alone, and the module's family ---- */

TEST_CASE("process: Init and Deinit change nothing, and the version is this header's")
{
    CHECK(IoTHub_Init() == 0);
    Bench b;
    IoTHub_Deinit();
    b.connect();
    CHECK(std::string(IoTHubClient_GetVersionString()) == IOTHUB_CLIENT_VERSION);
}

TEST_CASE("module client: every function of the family does what the device's does")
{
    Scripted s;
    const char *string = "HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=AAAA";
    Block block(IoTHub_ClientSize(string, MQTT_Protocol, 1024, 256), 1024, 256);
    IOTHUB_MODULE_CLIENT_HANDLE hub = IoTHubModuleClient_CreateInPlace(string, MQTT_Protocol, &s.platform, &block.memory);
    REQUIRE(hub != NULL);
    std::vector<Status> statuses;
    auto on_status = [](IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context) {
        Status told = { status, reason };
        static_cast<std::vector<Status> *>(context)->push_back(told);
    };
    int keep_alive = 100;
    CHECK(IoTHubModuleClient_SetConnectionStatusCallback(hub, on_status, &statuses) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubModuleClient_SetOption(hub, OPTION_KEEP_ALIVE, &keep_alive) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubModuleClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, 77) == IOTHUB_CLIENT_OK);
    IOTHUB_CLIENT_RETRY_POLICY policy;
    size_t limit;
    CHECK(IoTHubModuleClient_GetRetryPolicy(hub, &policy, &limit) == IOTHUB_CLIENT_OK);
    CHECK(policy == IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF);
    CHECK(limit == 77);
    IOTHUB_CLIENT_STATUS status;
    CHECK(IoTHubModuleClient_GetSendStatus(hub, &status) == IOTHUB_CLIENT_OK);
    CHECK(status == IOTHUB_CLIENT_SEND_STATUS_IDLE);
    IoTHubModuleClient_DoWork(hub);
    s.inbound = CONNACK;
    IoTHubModuleClient_DoWork(hub);
    REQUIRE(statuses.size() == 1);
    CHECK(statuses[0].status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED);
    CHECK(IoTHubModuleClient_GetNextWork(hub) == 100000);
    IOTHUB_ERROR error;
    IOTHUB_STATISTICS statistics;
    CHECK(IoTHubModuleClient_GetLastError(hub, &error) == IOTHUB_CLIENT_OK);
    CHECK(error.code == IOTHUB_CODE_NONE);
    CHECK(IoTHubModuleClient_GetStatistics(hub, &statistics) == IOTHUB_CLIENT_OK);
    CHECK(statistics.connections == 1);
    CHECK(IoTHubModuleClient_Stop(hub) == IOTHUB_CLIENT_OK);
    IoTHubModuleClient_DoWork(hub);
    CHECK_FALSE(s.is_open);
    CHECK(IoTHubModuleClient_Start(hub) == IOTHUB_CLIENT_OK);
    IoTHubModuleClient_DoWork(hub);
    CHECK(s.is_open);
    IoTHubModuleClient_Destroy(hub);
    CHECK_FALSE(s.is_open);
}

TEST_CASE("module client: a message without room for the output's name is an error, and nothing is sent")
{
    Scripted s;
    IoTHub_SetPlatform(&s.platform);
    IOTHUB_MODULE_CLIENT_HANDLE hub = IoTHubModuleClient_CreateFromConnectionString("HostName=h;DeviceId=d;ModuleId=m;x509=true", MQTT_Protocol);
    REQUIRE(hub != NULL);
    void *storage[sizeof(struct IOTHUB_MESSAGE_HANDLE_DATA_TAG) / sizeof(void *) + 1];
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, NULL, 0);
    REQUIRE(message != NULL);
    CHECK(IoTHubModuleClient_SendEventToOutputAsync(hub, message, "a name of more than eight bytes", NULL, NULL) == IOTHUB_CLIENT_ERROR);
    IOTHUB_STATISTICS statistics;
    CHECK(IoTHubModuleClient_GetStatistics(hub, &statistics) == IOTHUB_CLIENT_OK);
    CHECK(statistics.accepted == 0);
    IoTHubModuleClient_Destroy(hub);
}

/* ---- calls ---- */

TEST_CASE("retry policy: none below the first and above the last; a limit beyond 31 bits is cut down to them")
{
    Bench b;
    IOTHUB_CLIENT_RETRY_POLICY policy;
    size_t limit;
    CHECK(IoTHubDeviceClient_SetRetryPolicy(b.hub, static_cast<IOTHUB_CLIENT_RETRY_POLICY>(7), 0) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_RANDOM, 0x80000000u) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_GetRetryPolicy(b.hub, &policy, &limit) == IOTHUB_CLIENT_OK);
    CHECK(policy == IOTHUB_CLIENT_RETRY_RANDOM);
    CHECK(limit == 0x7FFFFFFF);
    CHECK(IoTHubDeviceClient_GetRetryPolicy(b.hub, &policy, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_GetRetryPolicy(b.hub, NULL, &limit) == IOTHUB_CLIENT_INVALID_ARG);
}

TEST_CASE("Destroy: in the confirmations that it brings, every call on the handle is refused")
{
    int seen = 0;
    {
        Bench b;
        REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
        b.during_confirmation = [&](int) {
            IOTHUB_ERROR error;
            IOTHUB_STATISTICS statistics;
            IOTHUB_CLIENT_STATUS status;
            IOTHUB_CLIENT_RETRY_POLICY policy;
            size_t limit;
            unsigned int one = 1;
            CHECK(IoTHubDeviceClient_GetLastError(b.hub, &error) == IOTHUB_CLIENT_ERROR);
            CHECK(IoTHubDeviceClient_GetStatistics(b.hub, &statistics) == IOTHUB_CLIENT_ERROR);
            CHECK(IoTHubDeviceClient_GetSendStatus(b.hub, &status) == IOTHUB_CLIENT_ERROR);
            CHECK(IoTHubDeviceClient_GetRetryPolicy(b.hub, &policy, &limit) == IOTHUB_CLIENT_ERROR);
            CHECK(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_NONE, 0) == IOTHUB_CLIENT_ERROR);
            CHECK(IoTHubDeviceClient_SetConnectionStatusCallback(b.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
            CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_IN_FLIGHT, &one) == IOTHUB_CLIENT_ERROR);
            CHECK(IoTHubDeviceClient_Start(b.hub) == IOTHUB_CLIENT_ERROR);
            CHECK(IoTHubDeviceClient_GetNextWork(b.hub) == 0);
            CHECK(b.send("more") == IOTHUB_CLIENT_ERROR);
            IoTHubDeviceClient_DoWork(b.hub);
            IoTHubDeviceClient_Destroy(b.hub);
            ++seen;
        };
    }
    CHECK(seen == 1);
}

TEST_CASE("GetNextWork: when the time that it told is over, it says so without another DoWork")
{
    Bench b;
    b.connect();
    REQUIRE(b.next() == 180000);
    b.tick += 179999;
    CHECK(b.next() == 1);
    b.tick += 1;
    CHECK(b.next() == 0);
    b.tick += 100000;
    CHECK(b.next() == 0);
}

TEST_CASE("wake: a platform without it is told by GetNextWork alone")
{
    Bench b;
    b.connect();
    CHECK(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_IMMEDIATE, 0) == IOTHUB_CLIENT_OK);
    int wakes = b.wakes;
    CHECK(wakes > 0);
    b.work();
    CHECK(b.next() > 0);
    b.platform.wake = NULL;
    CHECK(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_IMMEDIATE, 0) == IOTHUB_CLIENT_OK);
    CHECK(b.wakes == wakes);
    CHECK(b.next() == 0);
}

TEST_CASE("errors: the first reason of a broken connection stays")
{
    Bench b;
    b.connect();
    iothubi_break(inside(b), IOTHUB_LAYER_HUB, IOTHUB_CODE_PING_TIMEOUT, 1);
    iothubi_break(inside(b), IOTHUB_LAYER_TCP, IOTHUB_CODE_LINK_LOST, 2);
    CHECK(b.error().code == IOTHUB_CODE_PING_TIMEOUT);
    CHECK(b.error().layer == IOTHUB_LAYER_HUB);
    CHECK(b.error().raw == 1);
}

TEST_CASE("random numbers: entropy that takes all of the device's name away still gives some")
{
    Bench b;
    /* FNV-1a of "d1", as its authors give it: the platform's bytes are the same, so that nothing is left of either. */
    static unsigned char same[4];
    uint32_t hash = 2166136261u;
    for (char c : std::string("d1")) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    }
    for (int i = 0; i < 4; ++i) {
        same[i] = static_cast<unsigned char>(hash >> (24 - 8 * i));
    }
    static int asked;
    asked = 0;
    b.platform.random = [](void *, unsigned char *bytes, unsigned int size) {
        ++asked;
        std::memcpy(bytes, same, size);
        return 0;
    };
    b.open_result = -1;
    std::vector<uint32_t> delays;
    for (int i = 0; i < 6; ++i) {
        b.work(2);
        delays.push_back(b.next());
        b.after(b.next());
    }
    CHECK(asked == 1);                           /* seeded once and for all */
    std::sort(delays.begin(), delays.end());
    CHECK(std::unique(delays.begin(), delays.end()) - delays.begin() >= 4);
}

/* ---- the stream ---- */

TEST_CASE("stream: no read asks for more than the inbox has, however much one DoWork may read")
{
    Bench b(X509_STRING, 1024, 64);
    static unsigned int most;
    static int (*read)(void *, unsigned char *, unsigned int);
    most = 0;
    read = b.platform.io.read;
    b.platform.io.read = [](void *context, unsigned char *bytes, unsigned int capacity) {
        most = capacity > most ? capacity : most;
        return read(context, bytes, capacity);
    };
    b.connect();
    b.inbound = std::string("\x30\x83\x01\x00\x01" "a", 6) + std::string(128, 'x');     /* QoS 0, nobody asked for it */
    b.work(3);
    CHECK(b.statistics().received_unhandled == 1);
    CHECK(most == 64);
    Bench large(X509_STRING, 1024, 1000);
    large.platform.io.read = b.platform.io.read;
    large.connect();
    CHECK(most == 100);
}

TEST_CASE("stream: CONNECT over 32,767 bytes leaves in pieces of which none asks for more")
{
    const std::string product(33000, 'p');
    Bench b(X509_STRING, 40000, 40000, 1);
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, OPTION_PRODUCT_INFO, product.c_str()) == IOTHUB_CLIENT_OK);
    b.connect();
    CHECK_FALSE(b.contract_broken);
    REQUIRE(b.writes.size() >= 2);
    CHECK(b.writes[0].size() == 32767);
    REQUIRE(b.sent().size() == 1);
    CHECK(b.sent()[0].raw.find("&DeviceClientType=" + product) != std::string::npos);
}

TEST_CASE("stream: messages side by side of more than 32,767 bytes together leave one by one")
{
    Bench b(X509_STRING, 100000, 64, 4);
    b.connect();
    REQUIRE(b.send(std::string(20000, 'a')) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send(std::string(20000, 'b')) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("c") == IOTHUB_CLIENT_OK);
    b.writes.clear();
    b.work(2);
    CHECK_FALSE(b.contract_broken);
    REQUIRE(b.writes.size() == 2);
    CHECK(packets(b.writes[0]).size() == 1);
    CHECK(packets(b.writes[1]).size() == 2);     /* the small one goes with the second */
    REQUIRE(b.sent().size() == 4);
    CHECK(b.sent()[3].body == "c");
}

TEST_CASE("stream: without the port's own word on errors a pending open is polled, and its failure is TCP's")
{
    Bench b;
    b.platform.io.error = NULL;
    b.open_result = 0;
    b.work();
    CHECK(b.next() <= 10);
    b.after(59999);
    CHECK(b.error().code != IOTHUB_CODE_OPEN_TIMEOUT);
    b.after(1);
    CHECK(b.error().code == IOTHUB_CODE_OPEN_TIMEOUT);
    CHECK(b.error().layer == IOTHUB_LAYER_TCP);
    CHECK(b.error().raw == 0);
    Bench waits;                                 /* with it, a certificate check that waits for the date is told */
    waits.open_result = 0;
    waits.layer = IOTHUB_LAYER_TIME;
    waits.work();
    CHECK(waits.error().code == IOTHUB_CODE_CLOCK_UNKNOWN);
}

/* ---- time ---- */

TEST_CASE("token: an hour before the end of 32 bits of seconds, it ends with them")
{
    Bench b;
    b.wall = 0xFFFFFF00u;
    b.connect();
    CHECK(b.signed_text == "hub.example.net%2Fdevices%2Fd1\n4294967295");
}

TEST_CASE("messageTimeout: a later message with a shorter time is the first to go")
{
    Bench b;
    b.open_result = 0;
    REQUIRE(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, 10000) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("slow") == IOTHUB_CLIENT_OK);
    REQUIRE(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, 1000) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("quick") == IOTHUB_CLIENT_OK);
    b.after(999);
    CHECK(b.confirmations.empty());
    b.after(1);
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].number == 2);
    CHECK(b.confirmations[0].result == IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT);
    b.after(8999);
    CHECK(b.confirmations.size() == 1);
    b.after(1);
    REQUIRE(b.confirmations.size() == 2);
    CHECK(b.confirmations[1].number == 1);
}

TEST_CASE("messageTimeout: a message that is sent while another is overdue lets that one go first")
{
    Bench b;
    b.open_result = 0;
    REQUIRE(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, 1000) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    b.work();
    b.tick += 2000;
    REQUIRE(b.send("two") == IOTHUB_CLIENT_OK);
    b.work();
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0].number == 1);
    b.after(1000);
    REQUIRE(b.confirmations.size() == 2);
    CHECK(b.confirmations[1].number == 2);
}

TEST_CASE("messageTimeout: messages whose packet ids run over the end of the ids expire as all others")
{
    Bench b(X509_STRING, 2048, 64, 8);
    b.open_result = 0;
    inside(b)->outbox.first_id = IOTHUBI_OUTBOX_ID_LAST - 1u;        /* as after 65,518 messages */
    REQUIRE(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, 1000) == IOTHUB_CLIENT_OK);
    for (int i = 0; i < 5; ++i) {
        REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    }
    b.after(1000);
    REQUIRE(b.confirmations.size() == 5);
    for (int i = 0; i < 5; ++i) {
        CHECK(b.confirmations[static_cast<size_t>(i)].number == i + 1);
    }
    CHECK(inside(b)->outbox.first_id == 4);
}

/* ---- options ---- */

TEST_CASE("options in seconds: 1 to 86,400, and nothing else")
{
    for (const char *name : { OPTION_RETRY_INTERVAL_SEC, OPTION_RETRY_MAX_DELAY_SECS, OPTION_CONNECTION_TIMEOUT, IOTHUB_OPTION_PING_TIMEOUT,
        IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, IOTHUB_OPTION_OPEN_TIMEOUT }) {
        Bench b;
        CAPTURE(name);
        CHECK(set(b, name, 0u) == IOTHUB_CLIENT_ERROR);
        CHECK(b.error().code == IOTHUB_CODE_OPTION_INVALID);
        CHECK(set(b, name, 86401u) == IOTHUB_CLIENT_ERROR);
        CHECK(set(b, name, 0xFFFFFFFFu) == IOTHUB_CLIENT_ERROR);
        CHECK(set(b, name, 86400u) == IOTHUB_CLIENT_OK);
        CHECK(set(b, name, 1u) == IOTHUB_CLIENT_OK);
    }
}

TEST_CASE("options with other ranges: the last value that is taken and the first that is not")
{
    Bench b;
    CHECK(set<size_t>(b, OPTION_SAS_TOKEN_LIFETIME, 5) == IOTHUB_CLIENT_OK);
    CHECK(set<size_t>(b, OPTION_SAS_TOKEN_LIFETIME, 0x7FFFFFFFu) == IOTHUB_CLIENT_OK);
    CHECK(set<size_t>(b, OPTION_SAS_TOKEN_LIFETIME, 0x80000000u) == IOTHUB_CLIENT_ERROR);
    CHECK(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, 0x7FFFFFFFu) == IOTHUB_CLIENT_OK);
    CHECK(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, 0x80000000u) == IOTHUB_CLIENT_ERROR);
    CHECK(set<uint32_t>(b, OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE, 100) == IOTHUB_CLIENT_OK);
    CHECK(set<uint32_t>(b, OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE, 101) == IOTHUB_CLIENT_ERROR);
    CHECK(set(b, IOTHUB_OPTION_IN_FLIGHT, 0u) == IOTHUB_CLIENT_ERROR);
    CHECK(set(b, IOTHUB_OPTION_IN_FLIGHT, IOTHUBI_OUTBOX_SLOTS_MAXIMUM) == IOTHUB_CLIENT_OK);
    CHECK(set(b, IOTHUB_OPTION_IN_FLIGHT, IOTHUBI_OUTBOX_SLOTS_MAXIMUM + 1u) == IOTHUB_CLIENT_ERROR);
    CHECK(set(b, IOTHUB_OPTION_POISON_LIMIT, 255u) == IOTHUB_CLIENT_OK);
    CHECK(set(b, IOTHUB_OPTION_POISON_LIMIT, 256u) == IOTHUB_CLIENT_ERROR);
    CHECK(set(b, IOTHUB_OPTION_QOS, 0) == IOTHUB_CLIENT_OK);
    CHECK(set(b, IOTHUB_OPTION_QOS, 1) == IOTHUB_CLIENT_OK);
    CHECK(set(b, IOTHUB_OPTION_QOS, -1) == IOTHUB_CLIENT_ERROR);
    CHECK(set(b, IOTHUB_OPTION_QOS, 2) == IOTHUB_CLIENT_ERROR);
    CHECK(set(b, OPTION_CONNECTION_TIMEOUT, -1) == IOTHUB_CLIENT_ERROR);
    CHECK(inside(b)->mqtt_options.connect_timeout_s == 60);          /* what is refused changes nothing */
    CHECK(inside(b)->mqtt_options.in_flight == IOTHUBI_OUTBOX_SLOTS_MAXIMUM);
    CHECK(inside(b)->mqtt_options.qos == 1);
}

TEST_CASE("retry_interval_sec and retry_max_delay_secs: W and M of the policy")
{
    Bench b;
    b.open_result = -1;
    REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, 0) == IOTHUB_CLIENT_OK);
    REQUIRE(set(b, OPTION_RETRY_INTERVAL_SEC, 20u) == IOTHUB_CLIENT_OK);
    REQUIRE(set(b, OPTION_RETRY_MAX_DELAY_SECS, 50u) == IOTHUB_CLIENT_OK);
    for (uint32_t delay : { 20000u, 40000u, 50000u, 50000u }) {
        b.work(2);
        CHECK(b.next() == delay);
        b.tick += delay;
    }
}

TEST_CASE("open_timeout: the time that name, TCP and TLS may take")
{
    Bench b;
    b.open_result = 0;
    REQUIRE(set(b, IOTHUB_OPTION_OPEN_TIMEOUT, 7u) == IOTHUB_CLIENT_OK);
    b.work();
    b.after(6999);
    CHECK(b.error().code == IOTHUB_CODE_NONE);
    b.after(1);
    CHECK(b.error().code == IOTHUB_CODE_OPEN_TIMEOUT);
}

TEST_CASE("auto_url_encode_decode: true takes a % of a property literally, false keeps an escape")
{
    Bench b(X509_STRING);
    void *storage[64];
    for (int literally = 0; literally <= 1; ++literally) {
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, NULL, 0);
        REQUIRE(IoTHubMessage_SetProperty(message, "k", "a%2fb") == IOTHUB_MESSAGE_OK);
        REQUIRE(set<IOTHUB_BOOL>(b, OPTION_AUTO_URL_ENCODE_DECODE, literally != 0) == IOTHUB_CLIENT_OK);
        REQUIRE(IoTHubDeviceClient_SendEventAsync(b.hub, message, NULL, NULL) == IOTHUB_CLIENT_OK);
    }
    b.connect();
    REQUIRE(b.sent().size() == 3);
    CHECK(b.sent()[1].topic == "devices/d/messages/events/k=a%2fb");
    CHECK(b.sent()[2].topic == "devices/d/messages/events/k=a%252fb");
}

TEST_CASE("certificates: options of the port that only an x509 identity may set")
{
    Bench key, x509(X509_STRING);
    key.option_result = x509.option_result = 0;
    for (const char *name : { OPTION_X509_CERT, OPTION_X509_PRIVATE_KEY }) {
        CHECK(IoTHubDeviceClient_SetOption(key.hub, name, "pem") == IOTHUB_CLIENT_INVALID_ARG);
        CHECK(key.option_name.empty());
        CHECK(IoTHubDeviceClient_SetOption(x509.hub, name, "pem") == IOTHUB_CLIENT_OK);
        CHECK(x509.option_name == name);
    }
}

TEST_CASE("will: a body or a topic that no field of CONNECT holds is refused, and the one before stays")
{
    Bench b(X509_STRING, 4096, 256);
    std::vector<void *> storage(80000 / sizeof(void *)), small(40);
    const std::string body(65536, 'x');
    const size_t most = 65535 - 26 - 2;          /* devices/d/messages/events/ k= */
    IOTHUB_MESSAGE_HANDLE will = IoTHubMessage_Wrap(&small[0], small.size() * sizeof(void *), reinterpret_cast<const unsigned char *>("gone"), 4);
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_WILL, will) == IOTHUB_CLIENT_OK);
    for (size_t over = 0; over <= 1; ++over) {
        IOTHUB_CLIENT_RESULT expected = over ? IOTHUB_CLIENT_ERROR : IOTHUB_CLIENT_OK;
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(&storage[0], storage.size() * sizeof(void *),
            reinterpret_cast<const unsigned char *>(body.data()), 65535 + over);
        CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_WILL, message) == expected);
        message = IoTHubMessage_Wrap(&storage[0], storage.size() * sizeof(void *), NULL, 0);
        REQUIRE(IoTHubMessage_SetProperty(message, "k", std::string(most + over, 'v').c_str()) == IOTHUB_MESSAGE_OK);
        CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_WILL, message) == expected);
        REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_WILL, will) == IOTHUB_CLIENT_OK);
    }
    b.connect();
    CHECK(b.outbound.find(std::string("\x00\x04" "gone", 6)) != std::string::npos);
    CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_WILL, will) == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("in_flight: a larger number while connected opens the window with acknowledgements, a smaller one closes it")
{
    Bench b(X509_STRING, 20000, 256, 200);
    b.connect();
    REQUIRE(set(b, IOTHUB_OPTION_IN_FLIGHT, 100u) == IOTHUB_CLIENT_OK);
    for (int i = 0; i < 150; ++i) {
        REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    }
    b.work(20);
    CHECK(b.statistics().messages_in_flight == 64);                  /* the window as it was */
    for (unsigned id = 1; id <= 64; ++id) {
        b.inbound += puback(id);
    }
    b.work(20);
    CHECK(b.statistics().confirmed_ok == 64);
    CHECK(b.statistics().messages_in_flight == 86);                  /* all the others */
    REQUIRE(set(b, IOTHUB_OPTION_IN_FLIGHT, 2u) == IOTHUB_CLIENT_OK);
    for (unsigned id = 65; id <= 150; ++id) {
        b.inbound += puback(id);
    }
    b.work(20);
    REQUIRE(b.statistics().confirmed_ok == 150);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(b.send("y") == IOTHUB_CLIENT_OK);
    }
    b.work(20);
    CHECK(b.statistics().messages_in_flight == 2);
}

TEST_CASE("diag_sampling_percentage: all of a hundred are marked, and none when it is off again")
{
    Bench b(X509_STRING);
    REQUIRE(set<uint32_t>(b, OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE, 100) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("one") == IOTHUB_CLIENT_OK);
    REQUIRE(set<uint32_t>(b, OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE, 0) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("two") == IOTHUB_CLIENT_OK);
    b.connect();
    REQUIRE(b.sent().size() == 3);
    CHECK(b.sent()[1].topic.find("%24.diagid=") != std::string::npos);
    CHECK(b.sent()[2].topic == "devices/d/messages/events/");
}

TEST_CASE("logtrace: names each packet while it is on")
{
    Bench b(X509_STRING);
    logged.clear();
    b.connect();
    CHECK(logged.empty());
    REQUIRE(set<IOTHUB_BOOL>(b, OPTION_LOG_TRACE, true) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.inbound = puback(1);
    b.work();
    b.inbound = std::string("\x30\x03\x00\x01" "a", 5);
    b.work();
    b.after(180000);
    b.inbound = std::string("\xD0\x00", 2);
    b.work();
    CHECK(logged == "sent PUBLISH; received PUBACK; received PUBLISH, left unacknowledged; sending PINGREQ; received PINGRESP; ");
    REQUIRE(set<IOTHUB_BOOL>(b, OPTION_LOG_TRACE, false) == IOTHUB_CLIENT_OK);
    b.dead_read = true;
    b.work();
    b.until_open(10000);
    b.connect();
    CHECK(logged.substr(logged.size() - 10) == "PINGRESP; ");
}
