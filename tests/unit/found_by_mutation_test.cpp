/* What tests/mutation found that no test minded: rules of the product that an edit could break unseen. */
namespace {
int depth = 0;
} // namespace

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_LOCK() (depth += 1)
#define IOTHUB_UNLOCK() (depth -= 1)
#include "implementation.h"
#include "bench.h"

namespace {

const char *const X509_STRING = "HostName=h;DeviceId=d;x509=true";       /* its topic: devices/d/messages/events/, 26 bytes */

template <typename Value> IOTHUB_CLIENT_RESULT set(Bench &b, const char *name, Value value)
{
    return IoTHubDeviceClient_SetOption(b.hub, name, &value);
}

IOTHUB_ERROR creation_error()
{
    IOTHUB_ERROR error;
    REQUIRE(IoTHubDeviceClient_GetLastError(NULL, &error) == IOTHUB_CLIENT_OK);
    return error;
}

/* Its connection fails once more, and it is connected again. */
void reconnect(Bench &b)
{
    b.until_open(600000);
    b.inbound = CONNACK;
    b.work(2);
    REQUIRE(b.is_open);
}

/* The flags of the connection's CONNECT. */
unsigned connect_flags(const Bench &b)
{
    std::string raw = b.sent()[0].raw;
    return static_cast<unsigned char>(raw[raw.find("MQTT") + 5]);
}

} // namespace

/* ---- packets ---- */

TEST_CASE("found: a message whose length is at the edge of one more byte of length lies whole in the outbox")
{
    for (size_t body : { 97u, 98u, 16353u, 16354u }) {                  /* remaining lengths 127, 128, 16383, 16384 */
        Bench b(X509_STRING, 40000);
        CAPTURE(body);
        REQUIRE(b.send(std::string(body, 'x')) == IOTHUB_CLIENT_OK);
        REQUIRE(b.send("next") == IOTHUB_CLIENT_OK);
        b.connect();
        b.work(2);
        REQUIRE(b.sent().size() == 3);
        CHECK(b.sent()[1].body == std::string(body, 'x'));
        CHECK(b.sent()[2].body == "next");
    }
}

TEST_CASE("found: bytes in a message of the hub's that look like an acknowledgement are none")
{
    Bench b;
    b.connect();
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.inbound = std::string("\x30\x0B\x00\x01" "a" "\x40\x02\x00\x01\x40\x02\x00\x01", 13);
    b.work();
    CHECK(b.confirmations.empty());
    CHECK(b.statistics().received_unhandled == 1);
}

TEST_CASE("found: an acknowledgement before CONNACK confirms nothing")
{
    Bench b;                             /* it answers a message of the flight of CONNECT */
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work(2);
    REQUIRE(b.sent().back().body == "x");
    b.inbound = puback(1);
    b.work();
    CHECK_FALSE(b.is_open);
    CHECK(b.error().code == IOTHUB_CODE_UNEXPECTED_PACKET);
    CHECK(b.confirmations.empty());
}

TEST_CASE("found: by default an escape in a property stays, whatever its digits; what is none is encoded")
{
    Bench b(X509_STRING);
    void *storage[64];
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, NULL, 0);
    REQUIRE(IoTHubMessage_SetProperty(message, "k", "%AF%af%Gf%fG%a") == IOTHUB_MESSAGE_OK);
    REQUIRE(IoTHubDeviceClient_SendEventAsync(b.hub, message, NULL, NULL) == IOTHUB_CLIENT_OK);
    b.connect();
    CHECK(b.sent().back().topic == "devices/d/messages/events/k=%AF%af%25Gf%25fG%25a");
}

TEST_CASE("found: diagnostic data counts towards the hub's limit of a message")
{
    Bench b(X509_STRING, 300000, 256, 2);
    std::vector<void *> storage(64);
    for (size_t over = 0; over <= 1; ++over) {
        std::string body(262144 - 10 + over, 'x');
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(&storage[0], storage.size() * sizeof(void *),
            reinterpret_cast<const unsigned char *>(body.data()), body.size());
        IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA data = { const_cast<char *>("12345678"), const_cast<char *>("90") };
        REQUIRE(IoTHubMessage_SetDiagnosticPropertyData(message, &data) == IOTHUB_MESSAGE_OK);
        CHECK(IoTHubDeviceClient_SendEventAsync(b.hub, message, NULL, NULL) == (over ? IOTHUB_CLIENT_INVALID_SIZE : IOTHUB_CLIENT_OK));
    }
}

/* ---- messages and maps ---- */

TEST_CASE("found: a body of any size is copied, of one byte too")
{
    for (size_t size = 0; size < 4; ++size) {
        unsigned char body[4] = { 'a', 'b', 'c', 'd' };
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromByteArray(body, size);
        std::memset(body, '#', sizeof body);
        const unsigned char *bytes;
        size_t got;
        REQUIRE(IoTHubMessage_GetByteArray(message, &bytes, &got) == IOTHUB_MESSAGE_OK);
        CHECK(std::string(reinterpret_cast<const char *>(bytes), got) == std::string("abcd", size));
        IoTHubMessage_Destroy(message);
    }
}

TEST_CASE("found: a pool that is used up gives nothing more, says so without a number, and gives again what came back")
{
    IOTHUB_MESSAGE_HANDLE messages[IOTHUB_POOL_MESSAGES];
    for (auto &message : messages) {
        message = IoTHubMessage_CreateFromString("x");
        REQUIRE(message != NULL);
    }
    CHECK(IoTHubMessage_CreateFromString("x") == NULL);
    CHECK(creation_error().code == IOTHUB_CODE_POOL_EMPTY);
    CHECK(creation_error().raw == 0);
    IoTHubMessage_Destroy(messages[0]);
    messages[0] = IoTHubMessage_CreateFromString("y");
    CHECK(messages[0] != NULL);
    for (auto message : messages) {
        IoTHubMessage_Destroy(message);
    }
}

TEST_CASE("found: a map finds the value of its first entry, and an empty one gives no arrays")
{
    MAP_HANDLE map = Map_Create(NULL);
    const char *const *keys = reinterpret_cast<const char *const *>(&map), *const *values = keys;
    size_t count = 9;
    IOTHUB_BOOL exists = false;
    CHECK(Map_GetInternals(map, &keys, &values, &count) == MAP_OK);
    CHECK(count == 0);
    CHECK(keys == NULL);
    CHECK(values == NULL);
    REQUIRE(Map_Add(map, "first", "one") == MAP_OK);
    CHECK(Map_ContainsValue(map, "one", &exists) == MAP_OK);
    CHECK(exists);
    CHECK(Map_Add(map, "first", NULL) == MAP_INVALIDARG);
    Map_Destroy(map);
}

/* ---- creation ---- */

TEST_CASE("found: a new client has work to do whatever the tick says, and nothing stands in its way")
{
    for (uint32_t tick : { 0u, 1u, 0x7FFFFFFFu, 0x90000000u, 0xFFFFFFFFu }) {
        Scripted s;
        std::vector<void *> block(8192 / sizeof(void *));
        IOTHUB_MEMORY memory = { &block[0], 8192, 1024, 256, 0 };
        s.tick = tick;
        IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, &memory);
        REQUIRE(hub != NULL);
        CAPTURE(tick);
        IOTHUB_ERROR error;
        CHECK(IoTHubDeviceClient_GetLastError(hub, &error) == IOTHUB_CLIENT_OK);
        CHECK(error.code == IOTHUB_CODE_NONE);
        CHECK(error.retryable);
        CHECK(IoTHubDeviceClient_GetNextWork(hub) == 0);
        IoTHubDeviceClient_DoWork(hub);
        CHECK(s.opens == 1);
        IoTHubDeviceClient_Destroy(hub);
    }
}

TEST_CASE("found: of what failed in a creation the position is told only where there is one, and bytes only where they are missing")
{
    Scripted s;
    std::vector<void *> block(1024);
    IOTHUB_MEMORY memory = { &block[0], 1024 * sizeof(void *), 1024, 256, 0 };
    CHECK(IoTHubDeviceClient_CreateInPlace("x=1;y=2;HostName=h;DeviceId=d", MQTT_Protocol, &s.platform, &memory) == NULL);
    CHECK(creation_error().code == IOTHUB_CODE_CREDENTIAL_MISSING);
    CHECK(creation_error().raw == 0);                                    /* the first unknown key, and it is the first part */
    CHECK(creation_error().bytes_missing == 0);
    CHECK(IoTHub_ClientSize("HostName=h;DeviceId=d", MQTT_Protocol, 0, 0) == 0);
    CHECK(creation_error().bytes_missing == 0);
    CHECK(IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, NULL) == NULL);
    CHECK(creation_error().code == IOTHUB_CODE_BLOCK_TOO_SMALL);
    CHECK(creation_error().raw == -1);
    CHECK(creation_error().bytes_missing == 0);
    memory.block = reinterpret_cast<unsigned char *>(&block[0]) + 1;
    CHECK(IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s.platform, &memory) == NULL);
    CHECK(creation_error().code == IOTHUB_CODE_BLOCK_MISALIGNED);
    CHECK(creation_error().layer == IOTHUB_LAYER_MEMORY);
    CHECK(creation_error().raw == -1);
    CHECK(IoTHubDeviceClient_CreateInPlace("HostName=h;DeviceId=d;SharedAccessKey=AAAAA===", MQTT_Protocol, &s.platform, &memory) == NULL);
    CHECK(creation_error().code == IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID);  /* base64 has two pads at most */
}

TEST_CASE("found: of several clients any may go first, and its platform is free again")
{
    Scripted s[3];
    std::vector<void *> blocks[3];
    IOTHUB_DEVICE_CLIENT_HANDLE hubs[3];
    for (int order = 0; order < 3; ++order) {
        for (int i = 0; i < 3; ++i) {
            blocks[i].resize(8192 / sizeof(void *));
            IOTHUB_MEMORY memory = { &blocks[i][0], 8192, 1024, 256, 0 };
            hubs[i] = IoTHubDeviceClient_CreateInPlace(KEY_STRING, MQTT_Protocol, &s[i].platform, &memory);
            REQUIRE(hubs[i] != NULL);
        }
        for (int i = 0; i < 3; ++i) {
            IoTHubDeviceClient_Destroy(hubs[(i + order) % 3]);
        }
    }
}

TEST_CASE("found: a client of the pool holds the messages that its outbox has room for")
{
    Scripted s;
    void *storage[64];
    IoTHub_SetPlatform(&s.platform);
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateFromConnectionString(KEY_STRING, MQTT_Protocol);
    REQUIRE(hub != NULL);
    for (int i = 0; i < IOTHUB_POOL_OUTBOX / 256; ++i) {
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, reinterpret_cast<const unsigned char *>("x"), 1);
        CHECK(IoTHubDeviceClient_SendEventAsync(hub, message, NULL, NULL) == IOTHUB_CLIENT_OK);
    }
    IoTHubDeviceClient_Destroy(hub);
    IoTHub_SetPlatform(NULL);
    IOTHUB_MEMORY memory;
    std::memset(&memory, 1, sizeof memory);      /* whatever the stack held before */
    REQUIRE(iothubi_pool_memory(&memory));
    CHECK(memory.outbox_messages == 0);
}

/* ---- what the program sees ---- */

TEST_CASE("found: every call lets the lock go, also those that only look")
{
    Bench b;
    IOTHUB_CLIENT_STATUS status;
    IOTHUB_CLIENT_RETRY_POLICY policy;
    size_t limit;
    CHECK(IoTHubDeviceClient_GetSendStatus(b.hub, &status) == IOTHUB_CLIENT_OK);
    CHECK(depth == 0);
    CHECK(IoTHubDeviceClient_GetRetryPolicy(b.hub, &policy, &limit) == IOTHUB_CLIENT_OK);
    CHECK(depth == 0);
    CHECK(IoTHubDeviceClient_SetRetryPolicy(b.hub, policy, limit) == IOTHUB_CLIENT_OK);
    CHECK(depth == 0);
    CHECK(IoTHubDeviceClient_SetConnectionStatusCallback(b.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    CHECK(depth == 0);
}

TEST_CASE("found: GetLastError tells how long a wait still is, in whole seconds and never less")
{
    Bench b;
    b.open_result = -1;
    REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_INTERVAL, 0) == IOTHUB_CLIENT_OK);
    b.work(2);
    CHECK(b.error().retry_after_s == 5);
    b.tick += 1;
    CHECK(b.error().retry_after_s == 5);
    b.tick += 999;
    CHECK(b.error().retry_after_s == 4);
    b.tick += 3999;
    CHECK(b.error().retry_after_s == 1);
    b.tick += 1;
    CHECK(b.error().retry_after_s == 0);
}

TEST_CASE("found: statistics tell how many bytes wait in the outbox")
{
    Bench b(X509_STRING);
    CHECK(b.statistics().outbox_used == 0);
    REQUIRE(b.send("abc") == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("de") == IOTHUB_CLIENT_OK);
    CHECK(b.statistics().outbox_used == 2 * (2 + 2 + 26 + 2) + 3 + 2);   /* header, length, topic, id; body */
}

TEST_CASE("found: a failure without a number of its own has none")
{
    Bench b;
    REQUIRE(set(b, OPTION_KEEP_ALIVE, 10) == IOTHUB_CLIENT_OK);
    b.wall = 0;
    b.work(2);
    CHECK(b.error().code == IOTHUB_CODE_CLOCK_UNKNOWN);
    CHECK(b.error().raw == 0);
    b.wall = IOTHUB_CLOCK_MINIMUM - 1;
    b.work(2);
    CHECK(b.opens == 0);
    b.wall = IOTHUB_CLOCK_MINIMUM;       /* the first second that is a time */
    b.connect();
    CHECK(b.error().raw == 0);
    b.after(10000);
    b.after(60000);
    CHECK(b.error().code == IOTHUB_CODE_PING_TIMEOUT);
    CHECK(b.error().raw == 0);
    CHECK(set(b, OPTION_KEEP_ALIVE, -1) == IOTHUB_CLIENT_ERROR);
    CHECK(b.error().raw == 0);
    CHECK(b.error().bytes_missing == 0);
    b.option_result = -1;
    CHECK(IoTHubDeviceClient_SetOption(b.hub, "of the port", "x") == IOTHUB_CLIENT_ERROR);
    CHECK(b.error().bytes_missing == 0);
}

/* ---- options ---- */

TEST_CASE("found: an option changes what it names and nothing else")
{
    struct { const char *name; size_t at, size; } rows[] = {
        { OPTION_RETRY_INTERVAL_SEC, offsetof(struct iothubi_client, retry.base_s), sizeof(uint32_t) },
        { OPTION_RETRY_MAX_DELAY_SECS, offsetof(struct iothubi_client, retry.cap_s), sizeof(uint32_t) },
        { OPTION_CONNECTION_TIMEOUT, offsetof(struct iothubi_client, mqtt_options.connect_timeout_s), sizeof(unsigned int) },
        { IOTHUB_OPTION_PING_TIMEOUT, offsetof(struct iothubi_client, mqtt_options.ping_timeout_s), sizeof(unsigned int) },
        { IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, offsetof(struct iothubi_client, mqtt_options.acknowledgement_timeout_s), sizeof(unsigned int) },
        { IOTHUB_OPTION_OPEN_TIMEOUT, offsetof(struct iothubi_client, open_timeout_s), sizeof(uint32_t) },
        { IOTHUB_OPTION_POISON_LIMIT, offsetof(struct iothubi_client, poison_limit), sizeof(unsigned char) },
        { OPTION_KEEP_ALIVE, offsetof(struct iothubi_client, mqtt_options.keep_alive_s), sizeof(unsigned short) },
        { IOTHUB_OPTION_CLEAN_SESSION, offsetof(struct iothubi_client, mqtt_options.clean_session), sizeof(unsigned char) },
        { IOTHUB_OPTION_QOS, offsetof(struct iothubi_client, mqtt_options.qos), sizeof(unsigned char) },
        { IOTHUB_OPTION_PIPELINED_START, offsetof(struct iothubi_client, mqtt_options.pipelined), sizeof(unsigned char) },
        { OPTION_MESSAGE_TIMEOUT, offsetof(struct iothubi_client, message_timeout_ms), sizeof(uint32_t) },
        { OPTION_SAS_TOKEN_LIFETIME, offsetof(struct iothubi_client, token_lifetime_s), sizeof(uint32_t) },
        { OPTION_DO_WORK_FREQUENCY_IN_MS, 0, 0 },
    };
    for (auto &row : rows) {
        Bench b;
        IOTHUB_BOOL on = true;
        REQUIRE(set(b, OPTION_LOG_TRACE, on) == IOTHUB_CLIENT_OK);       /* the first option of a client brings code along */
        unsigned char *client = reinterpret_cast<unsigned char *>(b.hub);
        std::vector<unsigned char> before(client, client + sizeof(struct iothubi_client));
        size_t value[2] = { 1, 0 };      /* 1, as an int, a bool, a size_t: here all of them are little-endian */
        if (row.name == std::string(OPTION_SAS_TOKEN_LIFETIME)) value[0] = 7;
        CAPTURE(row.name);
        CHECK(IoTHubDeviceClient_SetOption(b.hub, row.name, value) == IOTHUB_CLIENT_OK);
        for (size_t i = 0; i < row.size; ++i) {
            CHECK(client[row.at + i] == (i == 0 ? value[0] : 0));
            before[row.at + i] = client[row.at + i];
        }
        CHECK(std::memcmp(&before[0], client, before.size()) == 0);
    }
}

TEST_CASE("found: clean_session is in CONNECT; a change while connected connects anew, the same again does not")
{
    Bench b;
    b.connect();
    REQUIRE(connect_flags(b) == 0xC0);   /* user name, password */
    CHECK(set<IOTHUB_BOOL>(b, IOTHUB_OPTION_CLEAN_SESSION, false) == IOTHUB_CLIENT_OK);
    CHECK(b.wakes == 0);
    b.work(3);
    CHECK(b.opens == 1);
    CHECK(set<IOTHUB_BOOL>(b, IOTHUB_OPTION_CLEAN_SESSION, true) == IOTHUB_CLIENT_OK);
    CHECK(b.wakes == 1);
    CHECK(b.next() == 0);
    b.work(3);
    REQUIRE(b.opens == 2);
    CHECK(connect_flags(b) == 0xC2);
}

TEST_CASE("found: ranges of keepalive and do_work_freq_ms, to the value")
{
    Bench b;
    CHECK(set(b, OPTION_KEEP_ALIVE, 1177) == IOTHUB_CLIENT_OK);
    CHECK(set(b, OPTION_KEEP_ALIVE, 1178) == IOTHUB_CLIENT_ERROR);
    CHECK(set<tickcounter_ms_t>(b, OPTION_DO_WORK_FREQUENCY_IN_MS, 0) == IOTHUB_CLIENT_ERROR);
    CHECK(set<tickcounter_ms_t>(b, OPTION_DO_WORK_FREQUENCY_IN_MS, 1) == IOTHUB_CLIENT_OK);
    CHECK(set<tickcounter_ms_t>(b, OPTION_DO_WORK_FREQUENCY_IN_MS, 100) == IOTHUB_CLIENT_OK);
    CHECK(set<tickcounter_ms_t>(b, OPTION_DO_WORK_FREQUENCY_IN_MS, 101) == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("found: what CONNECT carries cannot be set while the stream opens; a deadline that an option brings nearer counts at once")
{
    Bench b;
    void *storage[64];
    b.open_result = 0;
    b.work(2);
    CHECK(IoTHubDeviceClient_SetOption(b.hub, OPTION_PRODUCT_INFO, "x") == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_WILL, IoTHubMessage_Wrap(storage, sizeof storage, NULL, 0)) == IOTHUB_CLIENT_ERROR);
    b.open_result = 1;
    b.connect();
    REQUIRE(b.next() > 0);
    REQUIRE(set(b, IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT, 1u) == IOTHUB_CLIENT_OK);
    CHECK(b.next() == 0);
}

TEST_CASE("found: setting diag_sampling_percentage starts its count anew")
{
    Bench b(X509_STRING, 4096);
    for (int round = 0; round < 2; ++round) {
        REQUIRE(set<uint32_t>(b, OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE, 50) == IOTHUB_CLIENT_OK);
        REQUIRE(b.send("marked") == IOTHUB_CLIENT_OK);
    }
    b.connect();
    b.work();
    REQUIRE(b.sent().size() == 3);
    CHECK(b.sent()[1].topic.find("diagid") != std::string::npos);
    CHECK(b.sent()[2].topic.find("diagid") != std::string::npos);
}

/* ---- time ---- */

TEST_CASE("found: messages with different times each go in their own, to the millisecond, whatever the order")
{
    for (int turned = 0; turned <= 1; ++turned) {
        Bench b;
        b.open_result = 0;
        const uint32_t spans[2][4] = { { 1000, 3000, 2000, 1001 }, { 1001, 2000, 3000, 1000 } };
        for (uint32_t span : spans[turned]) {
            REQUIRE(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, span) == IOTHUB_CLIENT_OK);
            REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
        }
        REQUIRE(set<uint32_t>(b, IOTHUB_OPTION_OPEN_TIMEOUT, 1000u) == IOTHUB_CLIENT_OK);
        size_t gone = 0;
        uint32_t start = b.tick;
        for (uint32_t at : { 1000u, 1001u, 2000u, 3000u }) {
            b.tick = start + at - 1;
            b.work();
            CHECK(b.confirmations.size() == gone);
            CHECK(b.next() <= 1);
            b.tick = start + at;
            b.work();
            CHECK(b.confirmations.size() == ++gone);
        }
    }
}

TEST_CASE("found: a late acknowledgement starts the count of those in time anew, and each longer deadline has a count of its own")
{
    Bench b(X509_STRING);                /* without a token: its renewal would end a connection of hours */
    REQUIRE(set(b, OPTION_KEEP_ALIVE, 0) == IOTHUB_CLIENT_OK);
    b.connect();
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.after(120000);
    REQUIRE(b.error().code == IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT);
    reconnect(b);
    b.after(240000);
    REQUIRE(b.error().code == IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT);
    reconnect(b);
    unsigned id = 1;
    auto acknowledge = [&](uint32_t after_ms) {
        b.tick += after_ms;
        b.inbound += puback(id++);
        b.work();
        REQUIRE(b.send("y") == IOTHUB_CLIENT_OK);
        b.work();
    };
    for (int i = 0; i < 254; ++i) acknowledge(0);
    acknowledge(120000);                 /* late to the millisecond */
    for (int i = 0; i < 254; ++i) acknowledge(119999);
    CHECK(b.next() == 480000);
    acknowledge(0);
    CHECK(b.next() == 240000);
    for (int i = 0; i < 254; ++i) acknowledge(0);
    CHECK(b.next() == 240000);
    acknowledge(0);
    CHECK(b.next() == 120000);
}

TEST_CASE("found: after a loss the window doubles with each of its rounds, up to in_flight")
{
    const unsigned windows[2][6] = { { 9, 1, 2, 4, 9, 9 }, { 10, 1, 2, 4, 8, 10 } };
    for (auto &expected : windows) {
        Bench b(X509_STRING, 20000, 256, 100);
        REQUIRE(set(b, IOTHUB_OPTION_IN_FLIGHT, expected[0]) == IOTHUB_CLIENT_OK);
        b.connect();
        for (int i = 0; i < 60; ++i) REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
        b.work(2);
        CHECK(b.statistics().messages_in_flight == expected[0]);
        b.dead_read = true;
        b.work();
        reconnect(b);
        unsigned id = 1;
        for (int round = 1; round < 6; ++round) {
            CHECK(b.statistics().messages_in_flight == expected[round]);
            for (unsigned i = 1; i <= expected[round]; ++i) {
                b.inbound += puback(id++);
                b.work(2);
                if (i < expected[round]) CHECK(b.statistics().messages_in_flight == expected[round]);
            }
        }
    }
}

TEST_CASE("found: after a lasting connection the hub's refusals are counted anew: the first cap is drawn from")
{
    iothubi_retry retry;
    iothubi_retry_begin(&retry);
    retry.base_s = 100;
    for (int i = 0; i < 8; ++i) {
        REQUIRE(iothubi_retry_failed(&retry, 1000, IOTHUBI_RETRY_REFUSED, 0, 0) == 1);
    }
    REQUIRE(iothubi_retry_failed(&retry, 9000, IOTHUBI_RETRY_LOST, 4000, 30000u) == 1);
    CHECK(retry.delay_ms == 30000);
    REQUIRE(iothubi_retry_failed(&retry, 9000, IOTHUBI_RETRY_LOST, 4000, 30001u) == 1);
    CHECK(retry.delay_ms == 0);
}

TEST_CASE("found: Start after the policy gave up begins it anew; Stop then leaves the client at rest")
{
    for (int stop = 0; stop <= 1; ++stop) {
        Bench b;
        b.open_result = -1;
        REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_INTERVAL, 10) == IOTHUB_CLIENT_OK);
        b.work(2);
        b.after(5000);
        b.after(5000);
        REQUIRE(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED);
        int opens = b.opens;
        b.after(100000);
        REQUIRE(b.opens == opens);
        REQUIRE((stop ? IoTHubDeviceClient_Stop(b.hub) : IoTHubDeviceClient_Start(b.hub)) == IOTHUB_CLIENT_OK);
        b.work(2);
        CHECK(b.opens == opens + !stop);
        CHECK(b.statuses.back().reason == (stop ? IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED : IOTHUB_CLIENT_CONNECTION_NO_NETWORK));
        CHECK((b.next() == 5000) == !stop);
    }
}

TEST_CASE("found: Start of a client that runs leaves its connection alone")
{
    Bench b;
    b.connect();
    REQUIRE(IoTHubDeviceClient_Start(b.hub) == IOTHUB_CLIENT_OK);
    b.work(2);
    CHECK(b.is_open);
    CHECK(b.opens == 1);
}

TEST_CASE("found: each byte of entropy counts for when a fleet comes back")
{
    std::vector<uint32_t> delays;
    for (int i = 0; i < 5; ++i) {
        Bench b;
        static int changed;
        changed = i;
        b.platform.random = [](void *, unsigned char *bytes, unsigned int size) {
            for (unsigned int k = 0; k < size; ++k) bytes[k] = static_cast<unsigned char>(0x5A + (static_cast<int>(k) == changed));
            return 0;
        };
        b.open_result = -1;
        b.work(2);
        for (uint32_t other : delays) CHECK(b.next() != other);
        delays.push_back(b.next());
    }
}

/* ---- connections ---- */

TEST_CASE("found: a connection of a minute is no short one, to the millisecond; three short ones in a row are suspicious, and all that follow")
{
    Bench b(X509_STRING);
    auto cut_after = [&](uint32_t lasted) {
        reconnect(b);
        b.tick += lasted;
        b.dead_read = true;
        b.work();
        return b.error().code;
    };
    for (int i = 0; i < 2; ++i) {
        CHECK(cut_after(0) == IOTHUB_CODE_LINK_LOST);
        CHECK(cut_after(0) == IOTHUB_CODE_LINK_LOST);
        CHECK(cut_after(59999) == IOTHUB_CODE_POSSIBLE_TAKEOVER);
        CHECK(cut_after(60000) == IOTHUB_CODE_LINK_LOST);
    }
    CHECK(cut_after(0) == IOTHUB_CODE_LINK_LOST);
    CHECK(cut_after(0) == IOTHUB_CODE_LINK_LOST);
    for (int i = 0; i < 300; ++i) {
        CHECK(cut_after(0) == IOTHUB_CODE_POSSIBLE_TAKEOVER);
    }
}

TEST_CASE("found: a hub that closes before CONNACK, or falls silent, is not taken for a second client with this identity")
{
    Bench closing, silent;
    REQUIRE(set(silent, OPTION_KEEP_ALIVE, 1) == IOTHUB_CLIENT_OK);
    REQUIRE(set(silent, IOTHUB_OPTION_PING_TIMEOUT, 1u) == IOTHUB_CLIENT_OK);
    for (int times = 0; times < 5; ++times) {
        closing.until_open(600000);
        closing.dead_read = true;
        closing.work();
        CHECK(closing.error().code == IOTHUB_CODE_LINK_LOST);
        reconnect(silent);
        silent.after(1000);
        silent.after(1000);
        CHECK(silent.error().code == IOTHUB_CODE_PING_TIMEOUT);
    }
}

TEST_CASE("found: the port's word on the layer of a failure stands, if there is such a layer")
{
    for (int layer = IOTHUB_LAYER_NONE - 1; layer <= IOTHUB_LAYER_PORT + 1; ++layer) {
        Bench b;
        b.layer = layer;
        b.open_result = -1;
        b.work(2);
        CAPTURE(layer);
        CHECK(b.error().layer == (layer <= IOTHUB_LAYER_NONE || layer > IOTHUB_LAYER_PORT ? IOTHUB_LAYER_TCP : layer));
    }
}

TEST_CASE("found: a clock that is lost while a token is signed, and comes back changed, makes a new token")
{
    Bench b;
    uint32_t start = b.wall;
    b.hmac_pending = 2;
    b.work();
    b.wall = 0;
    b.work();
    CHECK(b.error().code == IOTHUB_CODE_CLOCK_UNKNOWN);
    b.wall = start - 100000;
    b.work(4);
    REQUIRE(b.is_open);
    CHECK(b.signed_text == "hub.example.net%2Fdevices%2Fd1\n" + std::to_string(start - 100000 + 3600));
}

TEST_CASE("found: a token that the program gave ends the connection in its last second, and starts none in it")
{
    const char *string = "HostName=h;DeviceId=d1;SharedAccessSignature=SharedAccessSignature sr=h%2Fdevices%2Fd1&sig=abc%3D&se=1893453000";
    Bench b(string), late(string);
    b.connect();
    b.after(599000);
    CHECK(b.is_open);
    b.after(1000);
    b.work(2);
    CHECK_FALSE(b.is_open);
    CHECK(b.opens == 1);
    CHECK(b.error().code == IOTHUB_CODE_TOKEN_EXPIRED);
    late.wall = 1893453000u;
    late.work(2);
    CHECK(late.opens == 0);
    late.wall = 1893452999u;
    late.work(2);
    CHECK(late.opens == 1);
}

TEST_CASE("found: one DoWork reads four times and writes eight times at most, and says that there is more")
{
    Bench b(X509_STRING, 4096);
    b.connect();
    b.reads = 0;
    b.read_limit = 1;
    for (int i = 0; i < 10; ++i) b.inbound += puback(500);
    b.work();
    CHECK(b.reads == IOTHUB_WORK_READS);
    CHECK(b.next() == 0);
    b.inbound = std::string("\xFF\x00\x00\x00", 4);      /* with a failure it is over at once */
    b.work(12);
    CHECK_FALSE(b.is_open);

    Bench c(X509_STRING, 4096);
    c.connect();
    REQUIRE(c.send(std::string(500, 'x')) == IOTHUB_CLIENT_OK);
    c.write_limit = 10;
    c.writes.clear();
    c.work();
    CHECK(c.writes.size() == IOTHUB_WORK_WRITES);
    CHECK(c.next() == 0);
}

TEST_CASE("found: what is not held back is not pushed, and a stream that takes bytes again is not polled")
{
    Bench b(X509_STRING);
    b.connect();
    b.work();
    int pushes = b.pushes_called;
    b.inbound = puback(9);
    b.work();
    CHECK(b.pushes_called == pushes);
    b.write_limit = 0;
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    CHECK(b.next() == 10);
    b.write_limit = 1000;
    b.work();
    CHECK(b.sent().back().body == "x");
    CHECK(b.next() == 120000);
}

TEST_CASE("found: a stream may open for as long as open_timeout says, beyond other spans of the client's")
{
    Bench b;
    b.open_result = 0;
    REQUIRE(set(b, IOTHUB_OPTION_OPEN_TIMEOUT, 20u) == IOTHUB_CLIENT_OK);
    b.work();
    b.after(19999);
    CHECK(b.error().code == IOTHUB_CODE_NONE);
    b.after(1);
    CHECK(b.error().code == IOTHUB_CODE_OPEN_TIMEOUT);
}

TEST_CASE("found: a message that must wait anyway wakes the program only if it can expire")
{
    Bench b;
    b.open_result = -1;
    b.work(2);
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    CHECK(b.wakes == 0);
    REQUIRE(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, 1000) == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("y") == IOTHUB_CLIENT_OK);
    CHECK(b.wakes == 1);
}

TEST_CASE("found: an acknowledgement of the next message's id is one of nothing, whatever its memory held before")
{
    Scripted s;
    std::vector<void *> block(4096 / sizeof(void *));
    std::memset(&block[0], IOTHUBI_RECORD_SENT, 4096);
    IOTHUB_MEMORY memory = { &block[0], 4096, 1024, 256, 4 };
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateInPlace(X509_STRING, MQTT_Protocol, &s.platform, &memory);
    REQUIRE(hub != NULL);
    IoTHubDeviceClient_DoWork(hub);
    s.inbound = CONNACK + puback(1);
    IoTHubDeviceClient_DoWork(hub);
    IoTHubDeviceClient_DoWork(hub);
    IOTHUB_STATISTICS statistics;
    REQUIRE(IoTHubDeviceClient_GetStatistics(hub, &statistics) == IOTHUB_CLIENT_OK);
    CHECK(statistics.acknowledgements_unknown == 1);
    CHECK(statistics.confirmed_ok == 0);
    CHECK(statistics.messages_in_flight == 0);
    IoTHubDeviceClient_Destroy(hub);
}

TEST_CASE("found: messageTimeout counts whatever the tick says, for the first message and for a later one with a shorter time")
{
    for (uint32_t tick : { 1000u, 0x70000000u, 0x90000000u, 0xFFFFFF00u }) {
        Bench b;
        b.tick = tick;
        b.open_result = 0;
        b.work(2);
        CAPTURE(tick);
        uint32_t gone = 0;
        for (uint32_t span : { 3000u, 1000u }) {
            REQUIRE(set<tickcounter_ms_t>(b, OPTION_MESSAGE_TIMEOUT, span) == IOTHUB_CLIENT_OK);
            REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
        }
        for (uint32_t step : { 1000u, 2000u }) {
            b.after(step - 1);
            CHECK(b.confirmations.size() == gone);
            b.after(1);
            CHECK(b.confirmations.size() == ++gone);
        }
    }
}

TEST_CASE("found: the time for CONNACK counts from the last byte of CONNECT")
{
    Bench b;
    b.write_limit = 0;
    b.work(2);
    b.after(50000);
    b.write_limit = 1000;
    b.work();
    REQUIRE(b.sent().size() == 1);
    b.after(59999);
    CHECK(b.is_open);
    b.after(1);
    CHECK_FALSE(b.is_open);
    CHECK(b.error().code == IOTHUB_CODE_CONNACK_TIMEOUT);
}

TEST_CASE("found: a client whose stream was lost while it took nothing rests until the next attempt")
{
    Bench b;
    REQUIRE(IoTHubDeviceClient_SetRetryPolicy(b.hub, IOTHUB_CLIENT_RETRY_INTERVAL, 0) == IOTHUB_CLIENT_OK);
    b.connect();
    b.write_limit = 0;
    REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    b.work();
    b.dead_read = true;
    b.work();
    REQUIRE_FALSE(b.is_open);
    CHECK(b.next() == 5000);
}

TEST_CASE("found: a connection that fails with a change of its options in mind is made anew once")
{
    Bench b;
    b.work(2);
    REQUIRE(b.is_open);
    REQUIRE(set<IOTHUB_BOOL>(b, IOTHUB_OPTION_CLEAN_SESSION, true) == IOTHUB_CLIENT_OK);
    b.dead_read = true;
    b.work();
    reconnect(b);
    b.work(5);
    CHECK(b.is_open);
    CHECK(b.opens == 2);
}
