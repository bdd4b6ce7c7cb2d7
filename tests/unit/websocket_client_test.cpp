/* MQTT over WebSocket: the client's life with the filter in its block, against a platform of scripts. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_WEBSOCKET
#include "implementation.h"
#include "bench.h"

namespace {

const char *const X509_STRING = "HostName=hub.example.net:8443;DeviceId=d1;x509=true";

/* A client over MQTT_WebSocket_Protocol, and the server's half of the protocol. */
struct WebSocketBench : Scripted {
    std::vector<unsigned char> block;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    std::vector<IOTHUB_CLIENT_CONFIRMATION_RESULT> confirmations;
    explicit WebSocketBench(const char *string = KEY_STRING) : hub(NULL)
    {
        IOTHUB_MEMORY memory;
        block.resize(IoTHub_ClientSize(string, MQTT_WebSocket_Protocol, 1024, 256));
        REQUIRE(block.size() == IoTHub_ClientSize(string, MQTT_Protocol, 1024, 256) + sizeof(struct iothubi_websocket));
        memory.block = block.data();
        memory.block_size = block.size();
        memory.outbox_size = 1024;
        memory.inbox_size = 256;
        memory.outbox_messages = 0;
        hub = IoTHubDeviceClient_CreateInPlace(string, MQTT_WebSocket_Protocol, &platform, &memory);
        REQUIRE(hub != NULL);
        memory.block_size -= 1;
        CHECK(IoTHubDeviceClient_CreateInPlace(string, MQTT_WebSocket_Protocol, &platform, &memory) == NULL);
    }
    ~WebSocketBench()
    {
        IoTHubDeviceClient_Destroy(hub);
        CHECK_FALSE(contract_broken);
    }
    static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
    {
        static_cast<WebSocketBench *>(context)->confirmations.push_back(result);
    }
    void work(int times = 1)
    {
        for (; times > 0; --times) {
            IoTHubDeviceClient_DoWork(hub);
        }
    }
    void send(const char *text)
    {
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString(text);
        CHECK(IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, this) == IOTHUB_CLIENT_OK);
        IoTHubMessage_Destroy(message);
    }
    /* The answer to the request that lies in outbound; its key is random's, 16 times 5A. */
    void accept()
    {
        inbound += "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: 1nwQI3IBoftOh+fG2YorpTWcrHs=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        outbound.clear();
    }
    void frame(const std::string &bytes) { inbound += std::string("\x82", 1) + static_cast<char>(bytes.size()) + bytes; }
    /* The payload of the frames that left since the last look; each close counts. */
    std::string payload(int *closed = NULL)
    {
        std::string out;
        while (outbound.size() >= 6) {
            size_t size = outbound[1] & 127, at = 2;
            if (size == 126) {
                size = (size_t)(unsigned char)outbound[2] << 8 | (unsigned char)outbound[3];
                at = 4;
            }
            for (size_t i = 0; i < size && outbound[0] == '\x82'; ++i) {
                out += static_cast<char>(outbound[at + 4 + i] ^ outbound[at + (i & 3)]);
            }
            if (closed != NULL && outbound[0] == '\x88') {
                *closed += 1;
            }
            outbound.erase(0, at + 4 + size);
        }
        return out;
    }
    IOTHUB_ERROR error()
    {
        IOTHUB_ERROR e;
        CHECK(IoTHubDeviceClient_GetLastError(hub, &e) == IOTHUB_CLIENT_OK);
        return e;
    }
};

}

TEST_CASE("websocket client: CONNECT and the first message leave in one flight behind the 101")
{
    WebSocketBench b;
    b.hold = true;
    b.send("one");
    b.work(2);
    CHECK(b.port == 443);
    CHECK(b.outbound.find("GET /$iothub/websocket?iothub-no-client-cert=true HTTP/1.1\r\nHost: hub.example.net\r\n") == 0);
    CHECK(b.outbound.find("\r\nSec-WebSocket-Protocol: mqtt\r\n") != std::string::npos);
    b.accept();
    b.work();
    std::vector<Packet> out = packets(b.payload());
    REQUIRE(out.size() == 2);
    CHECK(out[0].type == 1);
    CHECK(out[1].body == "one");
    b.frame(CONNACK);
    b.frame(puback(out[1].id));
    b.work(2);
    REQUIRE(b.confirmations.size() == 1);
    CHECK(b.confirmations[0] == IOTHUB_CLIENT_CONFIRMATION_OK);
    int closed = 0;
    CHECK(IoTHubDeviceClient_Stop(b.hub) == IOTHUB_CLIENT_OK);
    b.work(3);
    out = packets(b.payload(&closed));
    REQUIRE(out.size() == 1);
    CHECK(out[0].type == 14);
    CHECK(closed == 1);
}

TEST_CASE("websocket client: a refusal is the hub's answer, a close a loss")
{
    WebSocketBench b;
    b.work(2);
    b.inbound = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
    b.work();
    CHECK(b.error().code == IOTHUB_CODE_OPEN_FAILED);
    CHECK(b.error().layer == IOTHUB_LAYER_HUB);
    CHECK(b.error().raw == 503);
    IOTHUB_ERROR refusal = b.error();
    CHECK(IoTHub_ErrorText(&refusal) == std::string("the hub refused the WebSocket"));
    refusal.layer = IOTHUB_LAYER_PROTOCOL;
    CHECK(IoTHub_ErrorText(&refusal) == std::string("the hub's answer opens no WebSocket"));
    CHECK(b.error().retryable);
    CHECK(b.closes == 1);
    for (int i = 0; i < 1000 && b.opens < 2; ++i) {
        b.tick += 500;
        b.work();
    }
    REQUIRE(b.opens == 2);
    b.accept();
    b.work();
    b.frame(CONNACK);
    b.work();
    CHECK(b.error().code == IOTHUB_CODE_NONE);
    b.inbound += "\x88\x02\x03\xE9";
    b.work();
    CHECK(b.error().code == IOTHUB_CODE_LINK_LOST);
    CHECK(b.error().layer == IOTHUB_LAYER_HUB);
    CHECK(b.error().raw == 1001);
}

TEST_CASE("websocket client: X.509 asks for no favour, options go through")
{
    WebSocketBench b(X509_STRING);
    b.work(2);
    CHECK(b.port == 8443);
    CHECK(b.outbound.find("GET /$iothub/websocket HTTP/1.1\r\nHost: hub.example.net:8443\r\n") == 0);
    b.option_result = 0;
    CHECK(IoTHubDeviceClient_SetOption(b.hub, OPTION_HTTP_PROXY, "x") == IOTHUB_CLIENT_OK);
    CHECK(b.option_name == "proxy_data");
}

TEST_CASE("websocket client: the constants are enough, and the pool has room")
{
    CHECK(sizeof(struct iothubi_websocket) <= IOTHUB_WEBSOCKET_SIZE);
    CHECK(IOTHUB_CLIENT_SIZE(std::strlen(KEY_STRING), 512, 256) + IOTHUB_WEBSOCKET_SIZE
        >= IoTHub_ClientSize(KEY_STRING, MQTT_WebSocket_Protocol, 512, 256));
    Scripted s;
    IoTHub_SetPlatform(&s.platform);
    IOTHUB_DEVICE_CLIENT_HANDLE hub = IoTHubDeviceClient_CreateFromConnectionString(KEY_STRING, MQTT_WebSocket_Protocol);
    REQUIRE(hub != NULL);
    IoTHubDeviceClient_DoWork(hub);
    IoTHubDeviceClient_DoWork(hub);
    CHECK(s.outbound.find("GET /$iothub") == 0);
    IoTHubDeviceClient_Destroy(hub);
    IoTHub_SetPlatform(NULL);
}
