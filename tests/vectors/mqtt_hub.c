/* What IoT Hub means by MQTT, outgoing: CONNECT and telemetry. The long literals are those of the wire reference, section 13. */

#include "check.h"

const char room[] = "mqtt_hub";

#define HUB "contoso-hub.azure-devices.net"
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define THERMO "HostName=" HUB ";DeviceId=thermo-01;SharedAccessKey=" KEY
#define X509 "HostName=h;DeviceId=d;x509=true"

static const unsigned char digest_v1[] =
    "\xCE\xAF\x00\x95\x41\x2E\x34\xB8\x71\x22\x71\x72\x80\xAF\x81\x6E\x75\xC6\xA6\x67\x0B\xDB\x3C\x8D\xCA\x71\xE4\x1E\x3D\xBA\xFC\x0D";

/* ---- as much of a client as the encoders look at, and a message ---- */

static IOTHUB_PLATFORM platform;
static uint32_t wall_time;
static int entropy;
static struct iothubi_client client;
static IOTHUB_CODE accepted;
static unsigned char text[160];
static union { iothubi_record alignment; unsigned char bytes[4 * sizeof(iothubi_record) + 300]; } memory;
static union { void *alignment; unsigned char bytes[IOTHUB_MESSAGE_HEAD_BOUND + 250u]; } storage;
static IOTHUB_MESSAGE_HANDLE message;

static uint32_t unix_time(void *context)
{
    (void)context;
    return wall_time;
}

static int random_bytes(void *context, unsigned char *bytes, unsigned int size)
{
    (void)context;
    IOTHUB_MEMSET(bytes, 0x5A, size);
    return entropy ? 0 : -1;
}

static void begin(const char *string, size_t capacity)
{
    iothubi_writer writer;
    long position;
    IOTHUB_MEMSET(&client, 0, sizeof client);
    wall_time = 1893452400ul;
    entropy = 1;
    platform.unix_time = unix_time;
    platform.random = random_bytes;
    client.platform = &platform;
    client.keep_escapes = 1;
    client.mqtt_options.qos = 1;
    client.mqtt_options.keep_alive_s = 240;
    client.extras = &iothubi_option_extras;
    iothubi_write_begin(&writer, text, 0, sizeof text);
    CHECK_NUMBER(iothubi_read_string(&client.identity, string, &writer, &position), IOTHUB_CODE_NONE);
    accepted = iothubi_mqtt_accept(&client);
    iothubi_outbox_begin(&client.outbox, memory.bytes, 4 * sizeof(iothubi_record) + capacity, 4);
    client.token_expiry = 1893456000ul;
    if (client.identity.key != NULL) {
        IOTHUB_MEMCPY(client.identity.key + client.identity.key_size, digest_v1, IOTHUBI_DIGEST_SIZE);
    }
}

static void compose(const char *body)
{
    message = IoTHubMessage_Wrap(storage.bytes, sizeof storage.bytes, (const unsigned char *)body, IOTHUB_STRLEN(body));
}

static void property(const char *name, const char *value)
{
    CHECK_NUMBER(IoTHubMessage_SetProperty(message, name, value), IOTHUB_MESSAGE_OK);
}

/* ---- CONNECT ---- */

static void connect_packet(iothubi_writer *writer, const void *context)
{
    iothubi_mqtt_write_packet(writer, IOTHUBI_MQTT_CONNECT, iothubi_mqtt_write_connect, context);
}

static void connects(void)
{
    about("CONNECT, the worked example");
    begin(THERMO, 300);
    client.product_info = "acme/1.0";
    iothubi_mqtt_start(&client);
    CHECK_WRITTEN(connect_packet, &client, "\x10\x85\x02"        /* CONNECT, 261 bytes follow */
        "\x00\x04" "MQTT" "\x04"                                 /* protocol name and level */
        "\xC0" "\x00\xF0"                                        /* user name, password; keep alive 240 s */
        "\x00\x09" "thermo-01"
        "\x00\x5B" HUB "/thermo-01/?api-version=2021-04-12&DeviceClientType=acme%2F1.0"
        "\x00\x91" "SharedAccessSignature sr=" HUB "%2Fdevices%2Fthermo-01"
        "&sig=zq8AlUEuNLhxInFygK%2BBbnXGpmcL2zyNynHkHj26%2FA0%3D&se=1893456000");
    about("CONNECT with X.509 has no password");
    begin(X509, 300);
    iothubi_mqtt_start(&client);
    CHECK_WRITTEN(connect_packet, &client, "\x10\x2A" "\x00\x04" "MQTT" "\x04" "\x80" "\x00\xF0" "\x00\x01" "d"
        "\x00\x1B" "h/d/?api-version=2021-04-12");
    about("CONNECT with clean session and the longest keep-alive");
    client.mqtt_options.clean_session = 1;
    client.mqtt_options.keep_alive_s = 1177;
    iothubi_mqtt_start(&client);
    CHECK_WRITTEN(connect_packet, &client, "\x10\x2A" "\x00\x04" "MQTT" "\x04" "\x82" "\x04\x99" "\x00\x01" "d"
        "\x00\x1B" "h/d/?api-version=2021-04-12");
    about("CONNECT with a supplied token carries it as it is");
    begin("HostName=h;DeviceId=d;SharedAccessSignature=SharedAccessSignature sig=a%2b&se=5&sr=h", 300);
    iothubi_mqtt_start(&client);
    CHECK_WRITTEN(connect_packet, &client, "\x10\x54" "\x00\x04" "MQTT" "\x04" "\xC0" "\x00\xF0" "\x00\x01" "d"
        "\x00\x1B" "h/d/?api-version=2021-04-12" "\x00\x28" "SharedAccessSignature sig=a%2b&se=5&sr=h");
    about("CONNECT of a module with model and product, dialled through a gateway");
    begin("HostName=" HUB ":99;DeviceId=edge-07;ModuleId=filter;GatewayHostName=gate:42;x509=true", 300);
    client.product_info = "my product";
    client.model_id = "dtmi:com:example:Thermostat;1";
    iothubi_mqtt_start(&client);
    CHECK_WRITTEN(connect_packet, &client, "\x10\xAD\x01" "\x00\x04" "MQTT" "\x04" "\x80" "\x00\xF0" "\x00\x0E" "edge-07/filter"
        "\x00\x91" HUB "/edge-07/filter/?api-version=2021-04-12"
        "&DeviceClientType=my%20product&model-id=dtmi%3Acom%3Aexample%3AThermostat%3B1");
    about("CONNECT with a will: topic and body between client id and user name");
    begin(X509, 300);
    compose("gone");
    property("iothub-MessageType", "Will");
    client.will = message;
    iothubi_mqtt_start(&client);
    CHECK_WRITTEN(connect_packet, &client, "\x10\x63" "\x00\x04" "MQTT" "\x04" "\x8C" "\x00\xF0" "\x00\x01" "d"
        "\x00\x31" "devices/d/messages/events/iothub-MessageType=Will" "\x00\x04" "gone" "\x00\x1B" "h/d/?api-version=2021-04-12");
}

/* ---- telemetry ---- */

static iothubi_mqtt_event_source source;
static size_t missing;

/* Stores the message; answers the packet and its size. */
static const unsigned char *publish(size_t *size)
{
    iothubi_record *record = NULL;
    *size = 0;
    CHECK_NUMBER(iothubi_mqtt_add(&client, message, IOTHUBI_RECORD_OF_EVENT, &record, &missing), IOTHUB_CODE_NONE);
    if (record == NULL) {
        return text;
    }
    *size = record->size;
    iothubi_outbox_done(&client.outbox, record); /* its bytes stay where they are */
    return client.outbox.bytes + record->at;
}

#define CHECK_PUBLISH(literal) do { size_t size_; const unsigned char *packet_ = publish(&size_); CHECK_BYTES(packet_, size_, literal); } while (0)

static void packets(void)
{
    about("telemetry, the worked example");
    begin(THERMO, 113);                          /* exactly its size */
    compose("{\"t\":21.5}");
    IoTHubMessage_SetMessageId(message, "m-1");
    IoTHubMessage_SetContentTypeSystemProperty(message, "application/json");
    IoTHubMessage_SetContentEncodingSystemProperty(message, "utf-8");
    property("room", "lab 1");
    CHECK_PUBLISH("\x32\x6F" "\x00\x61" "devices/thermo-01/messages/events/%24.mid=m-1&%24.ct=application%2Fjson&%24.ce=utf-8&room=lab%201"
        "\x00\x01" "{\"t\":21.5}");
    about("telemetry, each message has the next packet id");
    begin(X509, 300);
    compose("");
    client.outbox.first_id = 0x7FFFu;
    CHECK_PUBLISH("\x32\x1E" "\x00\x1A" "devices/d/messages/events/" "\x7F\xFF");
    CHECK_PUBLISH("\x32\x1E" "\x00\x1A" "devices/d/messages/events/" "\x80\x00");
    client.outbox.first_id = 0xFFF0u;
    CHECK_PUBLISH("\x32\x1E" "\x00\x1A" "devices/d/messages/events/" "\xFF\xF0");
    CHECK_PUBLISH("\x32\x1E" "\x00\x1A" "devices/d/messages/events/" "\x00\x01");
    about("telemetry at QoS 0 has no packet id");
    client.mqtt_options.qos = 0;
    compose("x");
    CHECK_PUBLISH("\x30\x1D" "\x00\x1A" "devices/d/messages/events/" "x");
}

/* Of an outbox for a packet of 33 bytes, and for one more. */
static void full(void)
{
    static const struct { size_t capacity, missing; IOTHUB_CODE first, second; } rooms[] = {
        { 32, 1, IOTHUB_CODE_OUTBOX_TOO_SMALL, IOTHUB_CODE_OUTBOX_TOO_SMALL },
        { 33, 0, IOTHUB_CODE_NONE, IOTHUB_CODE_OUTBOX_FULL },
        { 65, 0, IOTHUB_CODE_NONE, IOTHUB_CODE_OUTBOX_FULL },
        { 66, 0, IOTHUB_CODE_NONE, IOTHUB_CODE_NONE }
    };
    iothubi_record *record;
    about("an outbox that is too small for ever says by how much; one without room now is full");
    compose("x");
    for (row = 0; row < COUNT(rooms); ++row) {
        begin(X509, rooms[row].capacity);
        CHECK_NUMBER(iothubi_mqtt_add(&client, message, IOTHUBI_RECORD_OF_EVENT, &record, &missing), rooms[row].first);
        CHECK_NUMBER(missing, rooms[row].missing);
        CHECK_NUMBER(iothubi_mqtt_add(&client, message, IOTHUBI_RECORD_OF_EVENT, &record, &missing), rooms[row].second);
    }
}

static void topics(void)
{
    IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA data;
    char id[] = "abcd1234", time[] = "1700000000";
    source.client = &client;
    about("application properties are encoded in order, empty ones too");
    begin(X509, 300);
    compose("");
    source.message = message;
    CHECK_WRITTEN(iothubi_mqtt_write_topic, &source, "devices/d/messages/events/");
    property("b=&", "1 2");
    property("", "");
    property("a", "/");
    CHECK_WRITTEN(iothubi_mqtt_write_topic, &source, "devices/d/messages/events/b%3D%26=1%202&=&a=%2F");
    about("escapes stay, or are taken literally, as the option says");
    compose("");
    property("k%20", "a%2fb c%");
    IoTHubMessage_SetMessageId(message, "%41\xC3\xA9");
    CHECK_WRITTEN(iothubi_mqtt_write_topic, &source, "devices/d/messages/events/k%20=a%2fb%20c%25&%24.mid=%41%C3%A9");
    client.keep_escapes = 0;
    CHECK_WRITTEN(iothubi_mqtt_write_topic, &source, "devices/d/messages/events/k%2520=a%252fb%20c%25&%24.mid=%2541%C3%A9");
    about("every system property travels under its name or not at all");
    compose("");
    data.diagnosticId = id;
    data.diagnosticCreationTimeUtc = time;
    IoTHubMessage_SetMessageUserIdSystemProperty(message, "never");
    IoTHubMessage_SetInputName(message, "never");
    IoTHubMessage_SetConnectionDeviceId(message, "never");
    IoTHubMessage_SetConnectionModuleId(message, "never");
    CHECK_WRITTEN(iothubi_mqtt_write_topic, &source, "devices/d/messages/events/");
    IoTHubMessage_SetComponentName(message, "a");
    IoTHubMessage_SetOutputName(message, "b");
    IoTHubMessage_SetMessageCreationTimeUtcSystemProperty(message, "2030-01-01T00:00:00Z");
    IoTHubMessage_SetContentEncodingSystemProperty(message, "utf-8");
    IoTHubMessage_SetContentTypeSystemProperty(message, "text/plain");
    IoTHubMessage_SetCorrelationId(message, "");
    IoTHubMessage_SetMessageId(message, "f");
    IoTHubMessage_SetDiagnosticPropertyData(message, &data);
    CHECK_WRITTEN(iothubi_mqtt_write_topic, &source, "devices/d/messages/events/%24.sub=a&%24.on=b&%24.ctime=2030-01-01T00%3A00%3A00Z"
        "&%24.ce=utf-8&%24.ct=text%2Fplain&%24.cid=&%24.mid=f&%24.diagid=abcd1234&%24.diagctx=creationtimeutc%3D1700000000");
    about("a security message of a module");
    begin("HostName=h;DeviceId=dev@1:(x)%2f;ModuleId=m;x509=true", 300);
    compose("");
    IoTHubMessage_SetAsSecurityMessage(message);
    CHECK_WRITTEN(iothubi_mqtt_write_topic, &source, "devices/dev@1:(x)%2f/modules/m/messages/events/"
        "%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1&%24.ce=application%2Fjson");
}

/* A size has 16 bits on an AVR, and a packet must fit into one. */
static void too_large(void)
{
    about("a topic or a body that no packet holds is too large");
    begin(X509, 300);
    compose("");
    source.client = &client;
    source.message = message;
    source.write_sample = NULL;
    CHECK(!iothubi_mqtt_is_too_large(&source, 26));
    CHECK(!iothubi_mqtt_is_too_large(&source, 65519u));
    CHECK(iothubi_mqtt_is_too_large(&source, (size_t)-1 - 15u));
    CHECK(iothubi_mqtt_is_too_large(&source, (size_t)-1));
    message->body_size = 65493u;
    CHECK(!iothubi_mqtt_is_too_large(&source, 26));
    message->body_size = (size_t)-1 - 41u;
    CHECK(iothubi_mqtt_is_too_large(&source, 26));
    message->body_size = (size_t)-1;
    CHECK(iothubi_mqtt_is_too_large(&source, 26));
}

/* ---- diagnostic sampling ---- */

/* How many of so many messages are marked, from the one with this number on. */
static unsigned int marked(uint32_t number, unsigned int messages)
{
    unsigned int sum = 0;
    for (client.sampled = number; messages != 0; --messages, ++client.sampled) {
        source.write_sample = NULL;
        iothubi_mqtt_sample(&client, &source);
        sum += source.write_sample != NULL;
    }
    return sum;
}

static void sampling(void)
{
    static const unsigned char percentages[] = { 0, 1, 33, 50, 99, 100 };
    about("each percentage marks exactly that many of a hundred messages, the first one first");
    begin(X509, 300);
    compose("");
    source.message = message;
    for (row = 0; row < COUNT(percentages); ++row) {
        client.sampling_percentage = percentages[row];
        CHECK_NUMBER(marked(0, 1), percentages[row] != 0);
        CHECK_NUMBER(marked(0, 300), 3u * percentages[row]);
        CHECK_NUMBER(marked(65500ul, 100), percentages[row]);      /* over the end of 16 bits */
    }
    about("a sample's id comes from the device id (FNV-1a), the platform's bytes and xorshift32; its time from the wall clock");
    begin(X509, 300);
    compose("x");
    property("k", "v");
    client.sampling_percentage = 100;
    CHECK_PUBLISH("\x32\x5F" "\x00\x5A" "devices/d/messages/events/k=v&%24.diagid=otptvo63&%24.diagctx=creationtimeutc%3D1893452400" "\x00\x01" "x");
    CHECK_PUBLISH("\x32\x5F" "\x00\x5A" "devices/d/messages/events/k=v&%24.diagid=gm31hjkc&%24.diagctx=creationtimeutc%3D1893452400" "\x00\x02" "x");
    about("without the time, or without entropy, nothing is sampled");
    wall_time = 1704067199ul;
    CHECK_PUBLISH("\x32\x22" "\x00\x1D" "devices/d/messages/events/k=v" "\x00\x03" "x");
    wall_time = 1893452400ul;
    entropy = 0;
    client.random = 0;
    CHECK_PUBLISH("\x32\x22" "\x00\x1D" "devices/d/messages/events/k=v" "\x00\x04" "x");
}

/* ---- identities ---- */

static void wildcards(void)
{
    static const struct { const char *string; IOTHUB_CODE code; } table[] = {
        { "HostName=h;x509=true;DeviceId=a+b", IOTHUB_CODE_DEVICE_ID_INVALID },
        { "HostName=h;x509=true;DeviceId=#", IOTHUB_CODE_DEVICE_ID_INVALID },
        { "HostName=h;x509=true;DeviceId=d;ModuleId=+", IOTHUB_CODE_MODULE_ID_INVALID },
        { "HostName=h;x509=true;DeviceId=d;ModuleId=m", IOTHUB_CODE_NONE }
    };
    for (row = 0; row < COUNT(table); ++row) {
        subject = table[row].string;
        begin(subject, 300);
        CHECK_NUMBER(accepted, table[row].code);
    }
}

void vectors(void)
{
    connects();
    packets();
    full();
    topics();
    too_large();
    sampling();
    wildcards();
}
