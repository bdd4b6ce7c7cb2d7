/* Cloud-to-device messages, twins and methods against a platform of scripts. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "bench.h"

namespace {

std::string length_of(size_t size)
{
    std::string out;
    do {
        out += (char)((size & 127) | (size > 127 ? 128 : 0));
        size >>= 7;
    } while (size != 0);
    return out;
}

/* A PUBLISH of the hub's; id 0: QoS 0. */
std::string publish(const std::string &topic, const std::string &body, unsigned id = 0)
{
    std::string rest;
    rest += (char)(topic.size() >> 8);
    rest += (char)topic.size();
    rest += topic;
    if (id != 0) {
        rest += (char)(id >> 8);
        rest += (char)id;
    }
    rest += body;
    return std::string(1, id != 0 ? '\x32' : '\x30') + length_of(rest.size()) + rest;
}

std::string suback(const std::string &codes)
{
    return "\x90" + length_of(codes.size() + 2) + "\xFF\xF1" + codes;
}

const std::string C2D = "devices/d1/messages/devicebound/";

struct Received { std::string body; std::string id; };

struct Features : Bench {
    std::vector<Received> messages;
    std::vector<IOTHUB_MESSAGE_HANDLE> handles;
    IOTHUBMESSAGE_DISPOSITION_RESULT disposition;
    std::vector<std::string> twins;
    std::vector<int> twin_states;
    std::vector<int> reported;
    std::vector<std::string> calls;
    std::string answer;
    int status;
    std::vector<METHOD_HANDLE> methods;

    explicit Features(size_t inbox = sizeof(void *) > 4 ? 768 : 512) : Bench(KEY_STRING, 2048, inbox), disposition(IOTHUBMESSAGE_ACCEPTED), answer("{}"), status(200) {}

    static Features *of(void *context) { return static_cast<Features *>(context); }
    static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
    {
        const unsigned char *body;
        size_t size;
        Received r;
        REQUIRE(IoTHubMessage_GetByteArray(message, &body, &size) == IOTHUB_MESSAGE_OK);
        r.body = std::string((const char *)body, size);
        r.id = IoTHubMessage_GetMessageId(message) != NULL ? IoTHubMessage_GetMessageId(message) : "-";
        of(context)->messages.push_back(r);
        of(context)->handles.push_back(message);
        return of(context)->disposition;
    }
    static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size, void *context)
    {
        of(context)->twins.push_back(payload != NULL ? std::string((const char *)payload, size) : "NULL");
        of(context)->twin_states.push_back(state);
    }
    static void on_reported(int code, void *context) { of(context)->reported.push_back(code); }
    static int on_method(const char *name, const unsigned char *payload, size_t size, unsigned char **response, size_t *response_size, void *context)
    {
        Features *f = of(context);
        f->calls.push_back(std::string(name) + "(" + std::string((const char *)payload, size) + ")");
        *response = (unsigned char *)(void *)const_cast<char *>(f->answer.data());
        *response_size = f->answer.size();
        return f->status;
    }
    std::vector<Packet> take()
    {
        std::vector<Packet> out = sent();
        outbound.clear();
        return out;
    }
};

}

TEST_CASE("features: everything that is wanted is subscribed in the flight of CONNECT")
{
    Features f;
    REQUIRE(IoTHubDeviceClient_SetMessageCallback(f.hub, Features::on_message, &f) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, Features::on_twin, &f) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, Features::on_method, &f) == IOTHUB_CLIENT_OK);
    REQUIRE(f.send("one") == IOTHUB_CLIENT_OK);
    f.work(4);
    std::vector<Packet> out = f.take();
    REQUIRE(out.size() == 3);
    CHECK(out[0].type == 1);
    CHECK(out[1].type == 8);
    CHECK(out[1].raw == std::string("\x82\x7E\xFF\xF1", 4)
        + std::string("\0\x21", 2) + "devices/d1/messages/devicebound/#\x01" + std::string("\0\x12", 2) + "$iothub/twin/res/#" + std::string("\0", 1)
        + std::string("\0\x27", 2) + "$iothub/twin/PATCH/properties/desired/#" + std::string("\0", 1)
        + std::string("\0\x16", 2) + "$iothub/methods/POST/#" + std::string("\0", 1));
    CHECK(out[2].type == 3);
    f.inbound = CONNACK + suback(std::string("\1\0\0\0", 4)) + puback(1);
    f.work(2);
    out = f.take();
    REQUIRE(out.size() == 1);
    CHECK(out[0].topic == "$iothub/twin/GET/?$rid=65537");
    const std::string document = "{\"desired\":{\"a\":1,\"$version\":3},\"reported\":{\"$version\":1}}";
    f.inbound = publish("$iothub/twin/res/200/?$rid=65537", document);
    f.work(4);
    REQUIRE(f.twins.size() == 1);
    CHECK(f.twins[0] == document);
    f.inbound = publish("$iothub/twin/PATCH/properties/desired/?$version=4", "{\"a\":2,\"$version\":4}");
    f.work(4);
    REQUIRE(f.twins.size() == 2);
    CHECK(f.twin_states[1] == DEVICE_TWIN_UPDATE_PARTIAL);
    f.inbound = publish("$iothub/methods/POST/reboot/?$rid=7", "{\"in\":5}");
    f.work(4);
    REQUIRE(f.calls.size() == 1);
    CHECK(f.calls[0] == "reboot({\"in\":5})");
    out = f.take();
    REQUIRE(out.size() == 1);
    CHECK(out[0].topic == "$iothub/methods/res/200/?$rid=7");
    CHECK(out[0].body == "{}");
    f.inbound = publish(C2D + "%24.mid=m%2D1&%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound&room=lab%201", "hello", 9);
    f.work(4);
    REQUIRE(f.messages.size() == 1);
    CHECK(f.messages[0].body == "hello");
    CHECK(f.messages[0].id == "m-1");
    out = f.take();
    REQUIRE(out.size() == 1);
    CHECK(out[0].raw == std::string("\x40\x02\x00\x09", 4));
    REQUIRE(IoTHubDeviceClient_SendReportedState(f.hub, (const unsigned char *)"{\"x\":1}", 7, Features::on_reported, &f) == IOTHUB_CLIENT_OK);
    f.work();
    out = f.take();
    REQUIRE(out.size() == 1);
    CHECK(out[0].topic == "$iothub/twin/PATCH/properties/reported/?$rid=2");
    CHECK(out[0].body == "{\"x\":1}");
    f.inbound = publish("$iothub/twin/res/204/?$rid=2&$version=6", "");
    f.work();
    REQUIRE(f.reported.size() == 1);
    CHECK(f.reported[0] == 204);
    CHECK_FALSE(f.contract_broken);
}
