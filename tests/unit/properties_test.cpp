/* The texts of Plug and Play. The pool has its defaults: 4 slots of 512 bytes; storage and payloads end at an unreadable page. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/properties.h"

#include <memory>

namespace {

typedef IOTHUB_CLIENT_PROPERTY_REPORTED Reported;
typedef IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE Response;
typedef IOTHUB_CLIENT_PROPERTY_PARSED Parsed;
typedef IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE Reader;

const IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE twin = IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL, patch = IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES;
const size_t head = sizeof(struct IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_TAG);

unsigned int slots_in_use()
{
    return static_cast<unsigned int>(std::count(iothubi_message_pool_used, iothubi_message_pool_used + IOTHUB_POOL_MESSAGES, 1));
}

/* Slots of the pool, as many as there are. */
class Slots {
public:
    explicit Slots(unsigned int count = IOTHUB_POOL_MESSAGES)
    {
        while (taken.size() < count) {
            taken.push_back(IoTHubMessage_CreateFromString(""));
            REQUIRE(taken.back() != nullptr);
        }
    }
    ~Slots() { std::for_each(taken.begin(), taken.end(), IoTHubMessage_Destroy); }
private:
    std::vector<IOTHUB_MESSAGE_HANDLE> taken;
};

IOTHUB_CODE last_code()
{
    return iothubi_creation_error.code;
}

IOTHUB_CLIENT_RESULT create(const Reported *items, size_t count, const char *component, unsigned char **text, size_t *length)
{
    return IoTHubClient_Properties_Serializer_CreateReported(items, count, component, text, length);
}

IOTHUB_CLIENT_RESULT create(const Response *items, size_t count, const char *component, unsigned char **text, size_t *length)
{
    return IoTHubClient_Properties_Serializer_CreateWritableResponse(items, count, component, text, length);
}

IOTHUB_CLIENT_RESULT write(const Reported *items, size_t count, const char *component, unsigned char *buffer, size_t size, size_t *length)
{
    return IoTHubClient_Properties_Serializer_WriteReported(items, count, component, buffer, size, length);
}

IOTHUB_CLIENT_RESULT write(const Response *items, size_t count, const char *component, unsigned char *buffer, size_t size, size_t *length)
{
    return IoTHubClient_Properties_Serializer_WriteWritableResponse(items, count, component, buffer, size, length);
}

/* The text, which must be the same in a slot, in an exact buffer, in a large one; and be refused by every smaller one. */
template <typename Item>
std::string serialized(const std::vector<Item> &items, const char *component = nullptr)
{
    unsigned char *text = nullptr;
    size_t length = 99, again = 99;
    REQUIRE(create(items.data(), items.size(), component, &text, &length) == IOTHUB_CLIENT_OK);
    REQUIRE(text != nullptr);
    REQUIRE(slots_in_use() == 1);
    const std::string out(reinterpret_cast<const char *>(text));
    CHECK(out.size() == length);
    IoTHubClient_Properties_Serializer_Destroy(text);
    REQUIRE(slots_in_use() == 0);
    iothubi_span span = { out.data(), out.size() };
    CHECK(iothubi_json_is_value(&span));
    for (size_t size = 0; size <= length; ++size) {
        Guarded small(size);
        again = 99;
        CHECK(write(items.data(), items.size(), component, size != 0 ? small.data() : nullptr, size, &again) == IOTHUB_CLIENT_INVALID_SIZE);
        CHECK(again == length);
    }
    for (size_t size : { length + 1, length + 50 }) {
        Guarded buffer(size);
        CHECK(write(items.data(), items.size(), component, buffer.data(), size, &again) == IOTHUB_CLIENT_OK);
        CHECK(again == length);
        CHECK(out == buffer.text());
    }
    return out;
}

template <typename Item>
void refused(const Item *items, size_t count)
{
    unsigned char byte = 7, *text = &byte;
    size_t length = 99;
    CHECK(create(items, count, nullptr, &text, &length) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(text == nullptr);
    CHECK(length == 0);
    length = 99;
    CHECK(write(items, count, nullptr, &byte, 1, &length) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(length == 0);
    CHECK(slots_in_use() == 0);
}

/* "W component.name=value;..." of all properties: W writable, R reported. In place, with exactly the room that is promised to
   be enough, and out of the pool; both must tell the same. */
std::string told(Reader reader)
{
    std::string out;
    for (;;) {
        Parsed property;
        bool specified = false;
        std::memset(&property, 0x55, sizeof property);
        property.structVersion = 1;
        IOTHUB_CLIENT_RESULT result = IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified);
        if (!specified) {
            CHECK(result == IOTHUB_CLIENT_OK);
            CHECK(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified) == IOTHUB_CLIENT_OK);
            CHECK(!specified);                   /* the end stays the end */
            return out;
        }
        out += property.propertyType == IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE ? "W " : "R ";
        out += property.componentName != nullptr ? property.componentName + std::string(".") : "";
        out += property.name != nullptr ? property.name : "?";
        CHECK(property.valueType == IOTHUB_CLIENT_PROPERTY_VALUE_STRING);
        if (result == IOTHUB_CLIENT_OK) {
            CHECK(std::strlen(property.value.str) == property.valueLength);
            out += "=" + std::string(property.value.str) + ";";
            IoTHubClient_Properties_DeserializerProperty_Destroy(&property);
            CHECK(property.value.str == nullptr);
            CHECK(property.valueLength == 0);
        } else {
            CHECK(result == IOTHUB_CLIENT_INVALID_SIZE);
            CHECK(property.value.str == nullptr);
            out += " lacks " + std::to_string(iothubi_creation_error.bytes_missing) + ";";
        }
    }
}

std::string properties(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE type, const std::string &payload, int *version = nullptr)
{
    Guarded input(payload), storage((head + payload.size() + 7) / 8 * 8);
    std::memset(storage.data(), 0x55, head + payload.size());    /* as storage of a caller's may be */
    for (iothubi_message_slot &slot : iothubi_message_pool) {
        std::memset(slot.bytes, 0x55, sizeof slot.bytes);
    }
    Reader reader = nullptr, pooled = nullptr;
    const IOTHUB_CLIENT_RESULT result = IoTHubClient_Properties_Deserializer_CreateInPlace(type, input.data(), payload.size(),
        storage.data(), head + payload.size(), &reader);
    CHECK(IoTHubClient_Properties_Deserializer_Create(type, input.data(), payload.size(), &pooled) == result);
    if (result != IOTHUB_CLIENT_OK) {
        CHECK(reader == nullptr);
        CHECK(pooled == nullptr);
        CHECK(slots_in_use() == 0);
        CHECK(iothubi_creation_error.layer == IOTHUB_LAYER_CONFIG);
        CHECK(iothubi_creation_error.raw == 0);
        return result == IOTHUB_CLIENT_ERROR && last_code() == IOTHUB_CODE_PROPERTIES_INVALID ? "error" : "another error";
    }
    int both[2] = { -1, -2 };
    CHECK(IoTHubClient_Properties_Deserializer_GetVersion(reader, &both[0]) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubClient_Properties_Deserializer_GetVersion(pooled, &both[1]) == IOTHUB_CLIENT_OK);
    CHECK(both[0] == both[1]);
    if (version != nullptr) {
        *version = both[0];
    }
    const std::string out = told(reader);
    CHECK(slots_in_use() == 1);
    CHECK(told(pooled) == out);
    IoTHubClient_Properties_Deserializer_Destroy(reader);
    IoTHubClient_Properties_Deserializer_Destroy(pooled);
    CHECK(slots_in_use() == 0);
    return out;
}

}

TEST_CASE("serializer, reported properties, makes one object")
{
    CHECK(serialized<Reported>({ { 1, "temperature", "21.5" } }) == "{\"temperature\":21.5}");
    CHECK(serialized<Reported>({ { 1, "a", "1" }, { 1, "b", "\"on\"" }, { 1, "c", "null" } }) == "{\"a\":1,\"b\":\"on\",\"c\":null}");
    CHECK(serialized<Reported>({ { 1, "map", "{\"x\":[1,2],\"y\":{}}" } }) == "{\"map\":{\"x\":[1,2],\"y\":{}}}");
    CHECK(serialized<Reported>({ { 1, "blank", " 7 " } }) == "{\"blank\": 7 }");
}

TEST_CASE("serializer, a component, wraps the object and marks it")
{
    CHECK(serialized<Reported>({ { 1, "max", "3" }, { 1, "min", "-3" } }, "thermostat1") == "{\"thermostat1\":{\"__t\":\"c\",\"max\":3,\"min\":-3}}");
    CHECK(serialized<Reported>({ { 1, "a", "1" } }, "") == "{\"\":{\"__t\":\"c\",\"a\":1}}");
}

TEST_CASE("serializer, writable responses, have value, code, version and perhaps a description")
{
    CHECK(serialized<Response>({ { 1, "target", "21.5", 200, 4, nullptr } }) == "{\"target\":{\"value\":21.5,\"ac\":200,\"av\":4}}");
    CHECK(serialized<Response>({ { 1, "target", "\"x\"", 400, 2147483647, "too hot" }, { 1, "b", "[]", 0, 0, "" } }, "t")
        == "{\"t\":{\"__t\":\"c\",\"target\":{\"value\":\"x\",\"ac\":400,\"av\":2147483647,\"ad\":\"too hot\"},\"b\":{\"value\":[],\"ac\":0,\"av\":0,\"ad\":\"\"}}}");
    CHECK(serialized<Response>({ { 1, "a", "1", -1, -2147483647 - 1, nullptr } }) == "{\"a\":{\"value\":1,\"ac\":-1,\"av\":-2147483648}}");
}

TEST_CASE("serializer, names and descriptions, are escaped")
{
    CHECK(serialized<Reported>({ { 1, "a\"b\\c\n", "1" } }, "q\"") == "{\"q\\\"\":{\"__t\":\"c\",\"a\\\"b\\\\c\\u000A\":1}}");
    CHECK(serialized<Response>({ { 1, "\"", "1", 200, 1, "said \"no\"\t" } }) == "{\"\\\"\":{\"value\":1,\"ac\":200,\"av\":1,\"ad\":\"said \\\"no\\\"\\u0009\"}}");
    CHECK(serialized<Reported>({ { 1, "gr\xC3\xBC\xC3\x9F", "1" } }) == "{\"gr\xC3\xBC\xC3\x9F\":1}");
}

TEST_CASE("serializer, wrong arguments, refuses them and takes nothing")
{
    refused<Reported>(nullptr, 1);
    refused<Response>(nullptr, 1);
    const Reported fine = { 1, "a", "1" };
    const Response answer = { 1, "a", "1", 200, 1, nullptr };
    refused(&fine, 0);
    refused(&answer, 0);
    for (int place = 0; place < 2; ++place) {
        for (int wrong = 0; wrong < 4; ++wrong) {
            Reported items[2] = { fine, fine };
            Response answers[2] = { answer, answer };
            items[place].structVersion = answers[place].structVersion = wrong == 0 ? 0 : wrong == 1 ? 2 : 1;
            items[place].name = answers[place].name = wrong == 2 ? nullptr : "a";
            items[place].value = answers[place].value = wrong == 3 ? nullptr : "1";
            refused(items, 2);
            refused(answers, 2);
        }
    }
    unsigned char byte, *text = nullptr;
    size_t length = 0;
    CHECK(create(&fine, 1, nullptr, nullptr, &length) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(create(&fine, 1, nullptr, &text, nullptr) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(create(&answer, 1, nullptr, nullptr, &length) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(create(&answer, 1, nullptr, &text, nullptr) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(write(&fine, 1, nullptr, &byte, 1, nullptr) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(write(&fine, 1, nullptr, nullptr, 1, &length) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(write(&answer, 1, nullptr, nullptr, 1, &length) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(slots_in_use() == 0);
    IoTHubClient_Properties_Serializer_Destroy(nullptr);
}

TEST_CASE("serializer, a value that is not one JSON value, is refused")
{
    for (const char *value : { "", " ", "on", "1,\"b\":2", "1}", "\"a", "{", "[1", "tru", "01", "1.", "'a'", "1 2" }) {
        CAPTURE(value);
        const Reported item = { 1, "a", value };
        const Response answer = { 1, "a", value, 200, 1, nullptr };
        refused(&item, 1);
        refused(&answer, 1);
    }
}

TEST_CASE("serializer, the pool, says when it is used up and when a text can never fit")
{
    const Reported fine = { 1, "a", "1" };
    unsigned char byte, *text = &byte;
    size_t length = 99;
    {
        Slots all;
        CHECK(create(&fine, 1, nullptr, &text, &length) == IOTHUB_CLIENT_ERROR);
        CHECK(last_code() == IOTHUB_CODE_POOL_EMPTY);
        CHECK(text == nullptr);
        CHECK(length == 0);
    }
    const size_t most = IOTHUB_POOL_MESSAGE_SIZE - sizeof(struct MAP_HANDLE_DATA_TAG) - 1;
    const std::string fits(most - std::strlen("{\"a\":\"\"}"), 'x'), value = "\"" + fits + "\"", larger = "\"" + fits + "xyz\"";
    const Reported exact = { 1, "a", value.c_str() }, large = { 1, "a", larger.c_str() };
    CHECK(create(&exact, 1, nullptr, &text, &length) == IOTHUB_CLIENT_OK);
    CHECK(length == most);
    CHECK(text[length] == 0);
    CHECK(text + length + 1 == iothubi_message_pool[0].bytes + IOTHUB_POOL_MESSAGE_SIZE);
    IoTHubClient_Properties_Serializer_Destroy(text);
    CHECK(create(&large, 1, nullptr, &text, &length) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(last_code() == IOTHUB_CODE_POOL_TOO_SMALL);
    CHECK(iothubi_creation_error.bytes_missing == 3);
    CHECK(text == nullptr);
    CHECK(length == 0);
    CHECK(slots_in_use() == 0);
}

TEST_CASE("deserializer, a twin, tells desired and then reported")
{
    int version = 0;
    CHECK(properties(twin, "{\"desired\":{\"target\":21.5,\"on\":true,\"$version\":4},\"reported\":{\"serial\":\"a\\\"b\",\"$version\":17}}", &version)
        == "W target=21.5;W on=true;R serial=\"a\\\"b\";");
    CHECK(version == 4);
    CHECK(properties(twin, "{\"reported\":{\"a\":1,\"$version\":17},\"desired\":{\"$version\":3,\"b\":2}}", &version) == "W b=2;R a=1;");
    CHECK(version == 3);
    CHECK(properties(twin, "{\"desired\":{\"$version\":1},\"reported\":{\"$version\":1}}") == "");
    CHECK(properties(twin, "{\"desired\":{\"$version\":1,\"a\":1}}") == "W a=1;");
    CHECK(properties(twin, "{\"desired\":{\"$version\":1,\"a\":1},\"reported\":null,\"tags\":{\"x\":1}}") == "W a=1;");
    CHECK(properties(twin, "{\"desired\":5,\"reported\":{\"a\":1},\"reported\":{\"b\":2},\"desired\":{\"$version\":9,\"c\":3}}") == "W c=3;R a=1;");
}

TEST_CASE("deserializer, a patch, tells what the service wants")
{
    int version = 0;
    CHECK(properties(patch, "{\"target\":null,\"desired\":{\"x\":1},\"reported\":2,\"$version\":2147483647}", &version)
        == "W target=null;W desired={\"x\":1};W reported=2;");
    CHECK(version == 2147483647);
    CHECK(properties(patch, "{\"$version\":0}", &version) == "");
    CHECK(version == 0);
    CHECK(properties(patch, " { \"a\" : [ 1 , { } ] ,\r\n\"b\" : -1.5e3 , \"$version\" : 2 } \n") == "W a=[ 1 , { } ];W b=-1.5e3;");
}

TEST_CASE("deserializer, components, tell their members with their name")
{
    CHECK(properties(patch, "{\"t1\":{\"__t\":\"c\",\"max\":1,\"min\":2},\"root\":3,\"t2\":{\"__t\":\"c\",\"max\":4},\"$version\":2}")
        == "W t1.max=1;W t1.min=2;W root=3;W t2.max=4;");
    CHECK(properties(patch, "{\"t1\":{\"max\":1,\"$version\":9,\"__t\":\"c\"},\"$version\":2}") == "W t1.max=1;");
    CHECK(properties(patch, "{\"t1\":{\"max\":1,\"__t\" : \"c\" , \"min\":{\"__t\":\"c\",\"x\":1}},\"$version\":2}") == "W t1.max=1;W t1.min={\"__t\":\"c\",\"x\":1};");
    CHECK(properties(patch, "{\"t1\":{\"__t\":\"c\"},\"t2\":{\"__t\":\"c\",\"$version\":1},\"$version\":2}") == "");
    CHECK(properties(twin, "{\"desired\":{\"t\":{\"__t\":\"c\",\"a\":1},\"$version\":2},\"reported\":{\"t\":{\"b\":{\"value\":1,\"ac\":200,\"av\":2},\"__t\":\"c\"},\"z\":0}}")
        == "W t.a=1;R t.b={\"value\":1,\"ac\":200,\"av\":2};R z=0;");
}

TEST_CASE("deserializer, what is marked in another way, is a property")
{
    CHECK(properties(patch, "{\"o\":{\"a\":1},\"e\":{},\"$version\":2}") == "W o={\"a\":1};W e={};");
    CHECK(properties(patch, "{\"o\":{\"__t\":\"d\",\"a\":1},\"$version\":2}") == "W o={\"__t\":\"d\",\"a\":1};");
    CHECK(properties(patch, "{\"o\":{\"__t\":\"cc\"},\"p\":{\"__t\":\"\"},\"q\":{\"__t\":100},\"r\":{\"__t\":[8]},\"s\":{\"__t\":null},\"$version\":2}")
        == "W o={\"__t\":\"cc\"};W p={\"__t\":\"\"};W q={\"__t\":100};W r={\"__t\":[8]};W s={\"__t\":null};");
    CHECK(properties(patch, "{\"o\":[{\"__t\":\"c\"}],\"__t\":\"c\",\"$version\":2}") == "W o=[{\"__t\":\"c\"}];");
    CHECK(properties(patch, "{\"o\":{\"x\":{\"__t\":\"c\"}},\"$version\":2}") == "W o={\"x\":{\"__t\":\"c\"}};");
}

TEST_CASE("deserializer, names with escapes, are told as they are meant")
{
    CHECK(properties(patch, "{\"a\\\"b\":1,\"\\u00e9\\uD83D\\uDE00\":2,\"t\\\\1\":{\"__t\":\"c\",\"x\\n\":\"\\u00e9\"},\"$version\":2}")
        == "W a\"b=1;W \xC3\xA9\xF0\x9F\x98\x80=2;W t\\1.x\n=\"\\u00e9\";");
    CHECK(properties(patch, "{\"\":1,\"$version\":2}") == "W =1;");
}

TEST_CASE("deserializer, a payload that is none, is an error")
{
    for (const char *payload : { " ", "{}", "[]", "5", "{", "{\"a\":1}", "{\"$version\":\"5\"}", "{\"$version\":-1}", "{\"$version\":1.0}", "{\"$version\":null}",
            "{\"$version\":2147483648}", "{\"$version\":4294967296}", "{\"$version\":5", "{\"$version\":5,}", "{\"$version\":5}x", "{\"a\":tru,\"$version\":5}",
            "{\"desired\":{\"$version\":1},\"reported\":{}}" }) {
        CAPTURE(payload);
        CHECK(properties(patch, payload) == "error");
    }
    for (const char *payload : { "{}", "{\"$version\":5}", "{\"desired\":{}}", "{\"desired\":{\"a\":{\"$version\":1}}}", "{\"reported\":{\"$version\":1}}", "{\"desired\":[{\"$version\":1}]}",
            "{\"desired\":{\"$version\":1}", "{\"desired\":{\"$version\":2147483648}}" }) {
        CAPTURE(payload);
        CHECK(properties(twin, payload) == "error");
    }
    const std::string whole = "{\"desired\":{\"t\":{\"a\":[1,\"x\"],\"__t\":\"c\"},\"$version\":4},\"reported\":{\"b\":2}}";
    for (size_t size = 1; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK(properties(twin, whole.substr(0, size)) == "error");
    }
}

TEST_CASE("deserializer, wrong arguments, refuses them")
{
    const std::string payload = "{\"$version\":5,\"a\":1}";
    const unsigned char *bytes = reinterpret_cast<const unsigned char *>(payload.data());
    Guarded storage((head + 31) / 8 * 8);
    Reader reader = nullptr, before = reinterpret_cast<Reader>(storage.data());
    CHECK(IoTHubClient_Properties_Deserializer_Create(patch, nullptr, 5, &(reader = before)) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(reader == nullptr);
    CHECK(IoTHubClient_Properties_Deserializer_Create(patch, bytes, 0, &(reader = before)) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(reader == nullptr);
    CHECK(IoTHubClient_Properties_Deserializer_Create(patch, bytes, payload.size(), nullptr) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(slots_in_use() == 0);
    auto in_place = [&](const unsigned char *from, size_t size, void *to, size_t room) {
        reader = before;
        return IoTHubClient_Properties_Deserializer_CreateInPlace(patch, from, size, to, room, &reader);
    };
    CHECK(in_place(nullptr, 5, storage.data(), head + 20) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(in_place(bytes, 0, storage.data(), head + 20) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(in_place(bytes, payload.size(), nullptr, head + 20) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(in_place(bytes, payload.size(), storage.data() + 1, head + 20) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(reader == nullptr);
    CHECK(IoTHubClient_Properties_Deserializer_CreateInPlace(patch, bytes, payload.size(), storage.data(), head + 20, nullptr) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(in_place(bytes, payload.size(), storage.data(), head - 3) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(last_code() == IOTHUB_CODE_BLOCK_TOO_SMALL);
    CHECK(iothubi_creation_error.bytes_missing == 3);
    CHECK(reader == nullptr);
    REQUIRE(in_place(bytes, payload.size(), storage.data(), head + 20) == IOTHUB_CLIENT_OK);
    CHECK(reader->map.bytes == storage.data() + head);
    CHECK(reader->map.room == 20);

    Parsed property;
    bool specified = true;
    int version = 0;
    property.structVersion = 2;
    CHECK(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified) == IOTHUB_CLIENT_INVALID_ARG);
    property.structVersion = 1;
    CHECK(IoTHubClient_Properties_Deserializer_GetNext(nullptr, &property, &specified) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubClient_Properties_Deserializer_GetNext(reader, nullptr, &specified) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, nullptr) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubClient_Properties_Deserializer_GetVersion(nullptr, &version) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubClient_Properties_Deserializer_GetVersion(reader, nullptr) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(told(reader) == "W a=1;");             /* none of these took it */
    IoTHubClient_Properties_DeserializerProperty_Destroy(nullptr);
    IoTHubClient_Properties_Deserializer_Destroy(nullptr);
}

TEST_CASE("deserializer, too little room for one property, says what is missing and loses nothing else")
{
    const std::string payload = "{\"a\":1,\"component\":{\"__t\":\"c\",\"name\":\"value\",\"n\":2},\"b\":3,\"$version\":5}";
    Guarded input(payload);
    const size_t most = std::strlen("component") + std::strlen("name") + std::strlen("\"value\"") + 3;
    for (size_t room = 0; room <= most; ++room) {
        CAPTURE(room);
        Guarded storage((head + room + 7) / 8 * 8);
        Reader reader = nullptr;
        REQUIRE(IoTHubClient_Properties_Deserializer_CreateInPlace(patch, input.data(), payload.size(), storage.data(), head + room, &reader) == IOTHUB_CLIENT_OK);
        const std::string component = room >= 10 ? "component." : "";
        auto one = [&](const char *name, const char *value) {
            return "W " + std::string(room >= 2 ? name : "?") + (room >= 4 ? "=" + std::string(value) : " lacks " + std::to_string(4 - room)) + ";";
        };
        auto inner = [&](const char *name, const char *value) {
            const size_t names = 10 + std::strlen(name) + 1, all = names + std::strlen(value) + 1;
            return "W " + component + (room >= names ? name : "?") + (room >= all ? "=" + std::string(value) : " lacks " + std::to_string(all - room)) + ";";
        };
        CHECK(told(reader) == one("a", "1") + inner("name", "\"value\"") + inner("n", "2") + one("b", "3"));
        CHECK((room == most || last_code() == IOTHUB_CODE_BLOCK_TOO_SMALL));
    }
    const std::string large = "{\"a\":\"" + std::string(600, 'x') + "\",\"b\":3,\"$version\":5}";
    Reader reader = nullptr;
    REQUIRE(IoTHubClient_Properties_Deserializer_Create(patch, reinterpret_cast<const unsigned char *>(large.data()), large.size(), &reader) == IOTHUB_CLIENT_OK);
    Parsed property;
    bool specified = false;
    property.structVersion = 1;
    CHECK(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(specified);
    CHECK(std::string(property.name) == "a");
    CHECK(property.value.str == nullptr);
    CHECK(property.valueLength == 602);
    CHECK(last_code() == IOTHUB_CODE_POOL_TOO_SMALL);
    CHECK(iothubi_creation_error.bytes_missing == 2 + 603 - (IOTHUB_POOL_MESSAGE_SIZE - head));
    CHECK(told(reader) == "W b=3;");
    IoTHubClient_Properties_Deserializer_Destroy(reader);
}

TEST_CASE("deserializer, the pool used up, is an error")
{
    const std::string payload = "{\"$version\":5}";
    Slots all;
    Reader reader = nullptr;
    CHECK(IoTHubClient_Properties_Deserializer_Create(patch, reinterpret_cast<const unsigned char *>(payload.data()), payload.size(), &reader) == IOTHUB_CLIENT_ERROR);
    CHECK(last_code() == IOTHUB_CODE_POOL_EMPTY);
    CHECK(reader == nullptr);
}

TEST_CASE("deserializer, payloads of 32 KB and of hostile nesting, ends")
{
    std::string payload = "{\"desired\":{", expected;
    for (int i = 0; payload.size() < 32000u; ++i) {
        const std::string name = "k" + std::to_string(i);
        payload += "\"" + name + "\":{\"x\":[" + std::to_string(i) + "],\"__t\":\"c\"},";
        expected += "W " + name + ".x=[" + std::to_string(i) + "];";
    }
    CHECK(properties(twin, payload + "\"$version\":8}}") == expected);
    CHECK(properties(patch, "{\"$version\":8,\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}") == "error");
    const std::string deep = std::string(30, '[') + std::string(30, ']');
    CHECK(properties(patch, "{\"$version\":8,\"a\":" + deep + "}") == "W a=" + deep + ";");
}

TEST_CASE("serializer and deserializer, any bytes in names and descriptions, come back as they went")
{
    for (int c = 1; c < 256; ++c) {
        const std::string name = std::string("n") + static_cast<char>(c), component = std::string("c") + static_cast<char>(c);
        const Reported item = { 1, name.c_str(), "7" };
        unsigned char *text = nullptr;
        size_t length = 0;
        REQUIRE(create(&item, 1, component.c_str(), &text, &length) == IOTHUB_CLIENT_OK);
        const std::string payload = "{\"desired\":{\"$version\":1},\"reported\":" + std::string(reinterpret_cast<char *>(text), length) + "}";
        IoTHubClient_Properties_Serializer_Destroy(text);
        REQUIRE(properties(twin, payload) == "R " + component + "." + name + "=7;");
    }
}

TEST_CASE("deserializer, any byte at any place of a payload, stays inside and ends")
{
    const std::string payload = "{\"desired\":{\"t\":{\"a\\n\":[1],\"__t\":\"c\"},\"$version\":4},\"reported\":{\"b\":2}}";
    for (size_t at = 0; at < payload.size(); ++at) {
        for (int c = 0; c < 256; c += 1 + (c > 126) * 16) {
            std::string text = payload;
            text[at] = static_cast<char>(c);
            properties(twin, text);
        }
    }
    CHECK(slots_in_use() == 0);
}
