/* What IoT Hub means by MQTT, outgoing: CONNECT and telemetry. The long literals are those of the wire reference, section 13. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/transport.h"
#include "../../transports/mqtt/hub.h"

#include <memory>

#include <bearssl.h>

namespace {

const std::string hub = "contoso-hub.azure-devices.net";
const std::string key_text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";    /* bytes 00 to 1F */
const std::string thermo = "HostName=" + hub + ";DeviceId=thermo-01;SharedAccessKey=" + key_text;
const std::string edge = "HostName=" + hub + ";DeviceId=edge-07;ModuleId=filter;SharedAccessKey=" + key_text;
const std::string token_v1 = "SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fthermo-01"
    "&sig=zq8AlUEuNLhxInFygK%2BBbnXGpmcL2zyNynHkHj26%2FA0%3D&se=1893456000";

uint32_t wall_time;
bool entropy;

uint32_t unix_time(void *)
{
    return wall_time;
}

int random_bytes(void *, unsigned char *bytes, unsigned int size)
{
    std::memset(bytes, 0x5A, size);
    return entropy ? 0 : -1;
}

/* What options bring along to the encoders; the two others are the client's. */
const iothubi_extras extras = { nullptr, nullptr, nullptr, nullptr, iothubi_mqtt_sample, iothubi_mqtt_write_user_name_end, iothubi_mqtt_write_will };

/* As much of a client as the encoders look at. */
class Client {
public:
    explicit Client(const std::string &string, size_t capacity = 4096, unsigned int slots = 8)
        : memory(new unsigned char[slots * sizeof(iothubi_record) + capacity])
    {
        iothubi_writer writer;
        long position;
        wall_time = 1893452400u;
        entropy = true;
        std::memset(&platform, 0, sizeof platform);
        std::memset(&client, 0, sizeof client);
        platform.unix_time = unix_time;
        platform.random = random_bytes;
        client.platform = &platform;
        client.keep_escapes = 1;
        client.mqtt_options.qos = 1;
        client.mqtt_options.keep_alive_s = 240;
        client.extras = &extras;
        iothubi_write_begin(&writer, text, 0, sizeof text);
        REQUIRE(iothubi_read_string(&client.identity, string.c_str(), &writer, &position) == IOTHUB_CODE_NONE);
        REQUIRE(writer.length <= sizeof text);
        accepted = iothubi_mqtt_accept(&client);
        iothubi_outbox_begin(&client.outbox, memory.get(), slots * sizeof(iothubi_record) + capacity, slots);
        sign(1893456000u);
    }
    /* The signature of the token, by BearSSL. */
    void sign(uint32_t expiry)
    {
        if (client.identity.key != nullptr) {
            std::string data = written([&](iothubi_writer *w) { iothubi_write_string_to_sign(w, &client.identity, expiry); });
            br_hmac_key_context key;
            br_hmac_context context;
            br_hmac_key_init(&key, &br_sha256_vtable, client.identity.key, client.identity.key_size);
            br_hmac_init(&context, &key, 0);
            br_hmac_update(&context, data.data(), data.size());
            br_hmac_out(&context, client.identity.key + client.identity.key_size);
            client.token_expiry = expiry;
        }
    }
    Encoder connect()
    {
        iothubi_mqtt_start(&client);
        return [this](iothubi_writer *w) { iothubi_mqtt_write_packet(w, IOTHUBI_MQTT_CONNECT, iothubi_mqtt_write_connect, &client); };
    }
    std::string connect_packet() { return written(connect()); }
    IOTHUB_CODE add(IOTHUB_MESSAGE_HANDLE message)
    {
        record = nullptr;
        missing = 77;
        return iothubi_mqtt_add(&client, message, IOTHUBI_RECORD_OF_EVENT, &record, &missing);
    }
    /* The stored PUBLISH. */
    std::string publish(IOTHUB_MESSAGE_HANDLE message)
    {
        REQUIRE(add(message) == IOTHUB_CODE_NONE);
        REQUIRE(record != nullptr);
        return std::string(reinterpret_cast<char *>(client.outbox.bytes + record->at), record->size);
    }
    /* Only its topic; the message is done with. */
    std::string topic(IOTHUB_MESSAGE_HANDLE message)
    {
        std::string packet = publish(message);
        size_t at = 1;
        while ((packet.at(at++) & 0x80) != 0) {
        }
        size_t size = static_cast<size_t>(static_cast<unsigned char>(packet.at(at))) << 8 | static_cast<unsigned char>(packet.at(at + 1));
        iothubi_outbox_done(&client.outbox, record);
        return packet.substr(at + 2, size);
    }
    std::unique_ptr<unsigned char[]> memory;
    unsigned char text[512];
    IOTHUB_CODE accepted;
    IOTHUB_PLATFORM platform;
    struct iothubi_client client;
    iothubi_record *record;
    size_t missing;
};

/* A message in storage of the caller's. */
class Message {
public:
    explicit Message(const std::string &body = "", size_t room = 1024)
        : body(body), storage(new unsigned char[IOTHUB_MESSAGE_HEAD_BOUND + room]),
          handle(IoTHubMessage_Wrap(storage.get(), IOTHUB_MESSAGE_HEAD_BOUND + room,
              reinterpret_cast<const unsigned char *>(this->body.data()), this->body.size()))
    {
        REQUIRE(handle != nullptr);
    }
    operator IOTHUB_MESSAGE_HANDLE() const { return handle; }
    void property(const std::string &name, const std::string &value) { REQUIRE(IoTHubMessage_SetProperty(handle, name.c_str(), value.c_str()) == IOTHUB_MESSAGE_OK); }
private:
    std::string body;
    std::unique_ptr<unsigned char[]> storage;
    IOTHUB_MESSAGE_HANDLE handle;
};

std::string hex_of(const std::string &text)
{
    return hex(Bytes(text.begin(), text.end()));
}

/* A field with its length in two bytes. */
std::string field(const std::string &text)
{
    std::string out;
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size() & 255);
    return out + text;
}

bool has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

}

/* ---- CONNECT ---- */

TEST_CASE("CONNECT, the worked example, is 264 known bytes")
{
    Client c(thermo);
    c.client.product_info = "acme/1.0";
    std::string packet = c.connect_packet();
    Bytes expected = bytes("10 85 02"                            /* CONNECT, 261 bytes follow */
        " 00 04 'MQTT' | 04"                                     /* protocol name and level */
        " C0 | 00 F0"                                            /* user name, password; keep alive 240 s */
        " 00 09 'thermo-01'"                                     /* client id */
        " 00 5B 'contoso-hub.azure-devices.net/thermo-01/?api-version=2021-04-12&DeviceClientType=acme%2F1.0'"
        " 00 91") + token_v1;                                    /* password */
    CHECK(packet.size() == 264);
    CHECK(hex_of(packet) == hex(expected));
}

TEST_CASE("CONNECT, with X.509, has no password")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    CHECK(hex_of(c.connect_packet()) == hex(bytes("10 2A | 00 04 'MQTT' 04 | 80 | 00 F0 | 00 01 'd' | 00 1B 'h/d/?api-version=2021-04-12'")));
}

TEST_CASE("CONNECT, with a supplied token, carries it as it is")
{
    const std::string token = "SharedAccessSignature sig=a%2b&se=5&sr=h";
    Client c("HostName=h;DeviceId=d;SharedAccessSignature=" + token);
    std::string packet = c.connect_packet();
    CHECK(hex_of(packet.substr(9, 3)) == "c000f0");
    CHECK(packet.substr(packet.size() - token.size() - 2) == field(token));
}

TEST_CASE("CONNECT, of a module with model and product, names them all")
{
    Client c(edge);
    c.client.product_info = "my product";
    c.client.model_id = "dtmi:com:example:Thermostat;1";
    std::string packet = c.connect_packet();
    CHECK(has(packet, field("edge-07/filter") + field("contoso-hub.azure-devices.net/edge-07/filter/?api-version=2021-04-12"
        "&DeviceClientType=my%20product&model-id=dtmi%3Acom%3Aexample%3AThermostat%3B1")));
    CHECK(has(packet, "sr=contoso-hub.azure-devices.net%2Fdevices%2Fedge-07%2Fmodules%2Ffilter&sig=XErGmhigJAgvsSqnRJvdYWTxZgVe5Migt8dQqadYGAE%3D&se=1893456000"));
}

TEST_CASE("CONNECT, behind a gateway, keeps the hub's name and no port")
{
    Client plain(thermo), gateway(thermo + ";GatewayHostName=edge-gw:8884"), port("HostName=" + hub + ":8885;DeviceId=thermo-01;SharedAccessKey=" + key_text);
    CHECK(gateway.connect_packet() == plain.connect_packet());
    CHECK(port.connect_packet() == plain.connect_packet());
}

TEST_CASE("CONNECT, options for clean session and keep-alive, are flag and field")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    c.client.mqtt_options.clean_session = 1;
    c.client.mqtt_options.keep_alive_s = 1177;
    CHECK(hex_of(c.connect_packet().substr(9, 3)) == "820499");
    c.client.mqtt_options.keep_alive_s = 0;
    CHECK(hex_of(c.connect_packet().substr(9, 3)) == "820000");
}

TEST_CASE("CONNECT, with a will, has its topic and body between client id and user name")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    Message will("gone");
    will.property("iothub-MessageType", "Will");
    c.client.will = will;
    std::string topic = "devices/d/messages/events/iothub-MessageType=Will";
    std::string packet = c.connect_packet();
    CHECK(hex_of(packet.substr(9, 3)) == "8c00f0");              /* user name, will at QoS 1, not retained [MQTT-3.1.2-9] */
    CHECK(has(packet, field("d") + field(topic) + field("gone") + field("h/d/?api-version=2021-04-12")));
    Message empty;
    c.client.will = empty;
    CHECK(has(c.connect_packet(), field("d") + field("devices/d/messages/events/") + field("") + field("h/d/?api-version=2021-04-12")));
}

TEST_CASE("CONNECT, windows of every size from 2 to 300, give the packet of the whole")
{
    Client c(thermo);
    Message will("gone");
    c.client.product_info = "acme/1.0";
    c.client.will = will;
    std::string whole = c.connect_packet();
    CHECK(whole.size() > 300);
    for (size_t window = 2; window <= 300; ++window) {
        CAPTURE(window);
        CHECK(written_in_windows(c.connect(), window) == whole);
    }
}

TEST_CASE("identity, ids with wildcards, are not accepted over MQTT")
{
    for (const char *id : { "a+b", "a#", "+", "#" }) {
        CHECK(Client("HostName=h;x509=true;DeviceId=" + std::string(id)).accepted == IOTHUB_CODE_DEVICE_ID_INVALID);
        CHECK(Client("HostName=h;x509=true;DeviceId=d;ModuleId=" + std::string(id)).accepted == IOTHUB_CODE_MODULE_ID_INVALID);
    }
    CHECK(Client(edge).accepted == IOTHUB_CODE_NONE);
}

/* ---- telemetry ---- */

TEST_CASE("telemetry, the worked example, is 113 known bytes")
{
    Client c(thermo);
    Message message("{\"t\":21.5}");
    IoTHubMessage_SetMessageId(message, "m-1");
    IoTHubMessage_SetContentTypeSystemProperty(message, "application/json");
    IoTHubMessage_SetContentEncodingSystemProperty(message, "utf-8");
    message.property("room", "lab 1");
    std::string packet = c.publish(message);
    CHECK(packet.size() == 113);
    CHECK(hex_of(packet) ==
        "326f0061646576696365732f746865726d6f2d30312f6d657373616765732f6576656e74732f2532342e6d69643d6d2d31262532342e63743d6170706c6963617469"
        "6f6e2532466a736f6e262532342e63653d7574662d3826726f6f6d3d6c61622532303100017b2274223a32312e357d");
    CHECK(c.missing == 0);
}

TEST_CASE("telemetry, an empty message, is a topic with its slash and a packet id")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    CHECK(hex_of(c.publish(Message())) == hex(bytes("32 1E | 00 1A 'devices/d/messages/events/' | 00 01")));
}

TEST_CASE("telemetry, each message, has the next packet id, written high byte first")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    c.client.outbox.first_id = 0xFFEEu;
    const char *const ids[] = { "ffee", "ffef", "fff0", "0001", "0002" };
    for (const char *id : ids) {
        std::string packet = c.publish(Message());
        CHECK(hex_of(packet.substr(packet.size() - 2)) == id);
    }
}

TEST_CASE("telemetry, at QoS 0, has neither QoS bits nor packet id")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    c.client.mqtt_options.qos = 0;
    CHECK(hex_of(c.publish(Message("x"))) == hex(bytes("30 1D | 00 1A 'devices/d/messages/events/' | 'x'")));
}

TEST_CASE("telemetry, of a module, has its topic; an output is a property of it")
{
    Client c(edge);
    Message message("x");
    CHECK(c.topic(message) == "devices/edge-07/modules/filter/messages/events/");
    IoTHubMessage_SetOutputName(message, "out 1");
    CHECK(c.topic(message) == "devices/edge-07/modules/filter/messages/events/%24.on=out%201");
}

TEST_CASE("telemetry, special characters in ids, travel in the topic as they are")
{
    Client c("HostName=h;DeviceId=dev@1:(x)%2f;x509=true");
    CHECK(c.topic(Message()) == "devices/dev@1:(x)%2f/messages/events/");
}

TEST_CASE("telemetry, every system property, travels under its name or not at all")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    Message message;
    IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA data = { const_cast<char *>("abcd1234"), const_cast<char *>("1700000000") };
    IoTHubMessage_SetMessageUserIdSystemProperty(message, "never");
    IoTHubMessage_SetInputName(message, "never");
    IoTHubMessage_SetConnectionDeviceId(message, "never");
    IoTHubMessage_SetConnectionModuleId(message, "never");
    CHECK(c.topic(message) == "devices/d/messages/events/");
    IoTHubMessage_SetComponentName(message, "a");
    IoTHubMessage_SetOutputName(message, "b");
    IoTHubMessage_SetMessageCreationTimeUtcSystemProperty(message, "2030-01-01T00:00:00Z");
    IoTHubMessage_SetContentEncodingSystemProperty(message, "utf-8");
    IoTHubMessage_SetContentTypeSystemProperty(message, "text/plain");
    IoTHubMessage_SetCorrelationId(message, "");
    IoTHubMessage_SetMessageId(message, "f");
    IoTHubMessage_SetDiagnosticPropertyData(message, &data);
    CHECK(c.topic(message) == "devices/d/messages/events/%24.sub=a&%24.on=b&%24.ctime=2030-01-01T00%3A00%3A00Z&%24.ce=utf-8"
        "&%24.ct=text%2Fplain&%24.cid=&%24.mid=f&%24.diagid=abcd1234&%24.diagctx=creationtimeutc%3D1700000000");
}

TEST_CASE("telemetry, a security message, has the interface id and JSON encoding")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    Message message;
    REQUIRE(IoTHubMessage_SetAsSecurityMessage(message) == IOTHUB_MESSAGE_OK);
    CHECK(c.topic(message) == "devices/d/messages/events/%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1&%24.ce=application%2Fjson");
}

TEST_CASE("telemetry, application properties, are encoded in order, empty ones included")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    Message message;
    message.property("b=&", "1 2");
    message.property("", "");
    message.property("a", "/");
    CHECK(c.topic(message) == "devices/d/messages/events/b%3D%26=1%202&=&a=%2F");
}

TEST_CASE("telemetry, escapes in properties, stay or are taken literally as the option says")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    Message message;
    message.property("k%20", "a%2fb c%");
    IoTHubMessage_SetMessageId(message, "%41\xC3\xA9");
    CHECK(c.topic(message) == "devices/d/messages/events/k%20=a%2fb%20c%25&%24.mid=%41%C3%A9");
    c.client.keep_escapes = 0;
    CHECK(c.topic(message) == "devices/d/messages/events/k%2520=a%252fb%20c%25&%24.mid=%2541%C3%A9");
}

/* ---- limits ---- */

TEST_CASE("telemetry, 262,144 bytes of body, names and values, are taken; one more is too large")
{
    Client c("HostName=h;DeviceId=d;x509=true", 300000);
    const size_t limit = 262144;
    CHECK(c.add(Message(std::string(limit, 'x'))) == IOTHUB_CODE_NONE);
    CHECK(c.record->size == 1 + 3 + 2 + 26 + 2 + limit);         /* three bytes of remaining length */
    iothubi_outbox_done(&c.client.outbox, c.record);
    CHECK(c.add(Message(std::string(limit + 1, 'x'))) == IOTHUB_CODE_MESSAGE_TOO_LARGE);
    CHECK(c.missing == 0);
    for (size_t over = 0; over <= 1; ++over) {
        Message application(std::string(limit - 7 + over, 'x'));
        application.property("abc", "   %");                     /* counted before encoding */
        CHECK(c.add(application) == (over ? IOTHUB_CODE_MESSAGE_TOO_LARGE : IOTHUB_CODE_NONE));
        if (!over) {
            iothubi_outbox_done(&c.client.outbox, c.record);
        }
        Message system(std::string(limit - 4 + over, 'x'));
        IoTHubMessage_SetMessageId(system, "id 4");              /* values count, not our names */
        CHECK(c.add(system) == (over ? IOTHUB_CODE_MESSAGE_TOO_LARGE : IOTHUB_CODE_NONE));
        if (!over) {
            iothubi_outbox_done(&c.client.outbox, c.record);
        }
    }
    CHECK(c.client.outbox.count == 0);
    Message received(std::string(limit, 'x'));
    IoTHubMessage_SetInputName(received, "never sent, so not counted");
    CHECK(c.add(received) == IOTHUB_CODE_NONE);
    iothubi_outbox_done(&c.client.outbox, c.record);
    c.client.sampling_percentage = 100;
    CHECK(c.add(Message(std::string(limit, 'x'))) == IOTHUB_CODE_MESSAGE_TOO_LARGE);   /* the sample travels with it */
    CHECK(c.add(Message(std::string(limit - 40, 'x'))) == IOTHUB_CODE_NONE);
}

TEST_CASE("telemetry, a topic of 65,535 bytes, is taken; one more is too large")
{
    Client c("HostName=h;DeviceId=d;x509=true", 100000);
    const size_t most = 65535 - 26 - 2;                          /* devices/d/messages/events/ k= */
    Message fits("", 70000), over("", 70000), encoded("", 70000);
    fits.property("k", std::string(most, 'v'));
    over.property("k", std::string(most + 1, 'v'));
    encoded.property("k", std::string(most / 3 + 1, '/'));       /* three bytes each */
    CHECK(c.topic(fits).size() == 65535);
    CHECK(c.add(over) == IOTHUB_CODE_MESSAGE_TOO_LARGE);
    CHECK(c.add(encoded) == IOTHUB_CODE_MESSAGE_TOO_LARGE);
}

TEST_CASE("telemetry, an outbox that is too small for ever, says by how much")
{
    Message message(std::string(100, 'x'));
    const size_t size = 2 + 1 + 2 + 26 + 2 + 100;                /* first byte, two of length, topic, id, body */
    for (size_t less = 0; less <= 3; ++less) {
        Client c("HostName=h;DeviceId=d;x509=true", size - less);
        CHECK(c.add(message) == (less ? IOTHUB_CODE_OUTBOX_TOO_SMALL : IOTHUB_CODE_NONE));
        CHECK(c.missing == less);
        CHECK((c.record == nullptr) == (less != 0));
        CHECK(c.client.outbox.count == (less ? 0 : 1));
    }
}

TEST_CASE("telemetry, an outbox without room now, is full and unchanged")
{
    Client c("HostName=h;DeviceId=d;x509=true", 200, 3);
    Message message(std::string(100, 'x'));
    REQUIRE(c.add(message) == IOTHUB_CODE_NONE);
    c.client.sampling_percentage = 50;
    uint32_t sampled = c.client.sampled;
    size_t used = iothubi_outbox_used(&c.client.outbox);
    CHECK(c.add(message) == IOTHUB_CODE_OUTBOX_FULL);            /* too few bytes */
    CHECK(c.missing == 0);
    CHECK(c.client.outbox.count == 1);
    CHECK(c.client.sampled == sampled);                          /* a refused message does not move the sampling on */
    CHECK(iothubi_outbox_used(&c.client.outbox) == used);
    Client slots("HostName=h;DeviceId=d;x509=true", 1000, 1);
    REQUIRE(slots.add(message) == IOTHUB_CODE_NONE);
    CHECK(slots.add(message) == IOTHUB_CODE_OUTBOX_FULL);        /* no record */
}

/* ---- diagnostic sampling ---- */

TEST_CASE("sampling, each percentage, marks exactly that many of a hundred messages, the first one first")
{
    for (unsigned int percentage : { 0u, 1u, 33u, 50u, 99u, 100u }) {
        Client c("HostName=h;DeviceId=d;x509=true");
        Message message;
        unsigned int marked = 0;
        c.client.sampling_percentage = static_cast<unsigned char>(percentage);
        for (int i = 0; i < 300; ++i) {
            std::string topic = c.topic(message);
            bool sampled = has(topic, "%24.diagid=");
            marked += sampled;
            if (i == 0) {
                CHECK(sampled == (percentage != 0));
            }
            if (percentage == 50) {
                CHECK(sampled == (i % 2 == 0));
            }
            if (!sampled) {
                CHECK(topic == "devices/d/messages/events/");
            }
        }
        CAPTURE(percentage);
        CHECK(marked == 3 * percentage);
    }
}

TEST_CASE("sampling, a marked message, has eight characters of id and the time behind its own properties")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    Message message("x");
    message.property("k", "v");
    c.client.sampling_percentage = 100;
    std::string first = c.topic(message), second = c.topic(message);
    const std::string start = "devices/d/messages/events/k=v&%24.diagid=", end = "&%24.diagctx=creationtimeutc%3D1893452400";
    CHECK(first.size() == start.size() + 8 + end.size());
    CHECK(first.substr(0, start.size()) == start);
    CHECK(first.substr(start.size() + 8) == end);
    CHECK(first.substr(start.size(), 8).find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz") == std::string::npos);
    CHECK(first != second);                                      /* another id */
}

TEST_CASE("sampling, without entropy, without the time, or with data of the caller's, adds nothing")
{
    Client c("HostName=h;DeviceId=d;x509=true");
    Message message;
    IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA data = { const_cast<char *>("mine"), const_cast<char *>("7") };
    c.client.sampling_percentage = 100;
    entropy = false;
    CHECK(c.topic(message) == "devices/d/messages/events/");
    entropy = true;
    wall_time = 0;
    CHECK(c.topic(message) == "devices/d/messages/events/");
    wall_time = 1893452400u;
    IoTHubMessage_SetDiagnosticPropertyData(message, &data);
    CHECK(c.topic(message) == "devices/d/messages/events/%24.diagid=mine&%24.diagctx=creationtimeutc%3D7");
}
