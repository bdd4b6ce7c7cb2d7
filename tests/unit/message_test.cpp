/* Messages and maps. Most messages here are wrapped in heap memory of the exact size, so that AddressSanitizer sees the first
   byte too far. The pool has its defaults: 4 messages of 512 bytes. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/message.h"

#include <map>
#include <memory>

namespace {

const size_t head = sizeof(struct IOTHUB_MESSAGE_HANDLE_DATA_TAG);

/* A message in storage with so many bytes of room for properties. */
class Wrapped {
public:
    explicit Wrapped(size_t room, const Bytes &body = Bytes()) : body(body), storage(new unsigned char[head + room])
    {
        handle = IoTHubMessage_Wrap(storage.get(), head + room, this->body.data(), this->body.size());
        REQUIRE(handle != nullptr);
    }
    ~Wrapped() { IoTHubMessage_Destroy(handle); }
    Bytes body;
    std::unique_ptr<unsigned char[]> storage;
    IOTHUB_MESSAGE_HANDLE handle;
};

typedef std::vector<std::pair<std::string, std::string> > Pairs;

/* The application properties as Map_GetInternals lists them. */
Pairs internals(MAP_HANDLE map)
{
    const char *const *keys = nullptr, *const *values = nullptr;
    size_t count = 99;
    Pairs out;
    REQUIRE(Map_GetInternals(map, &keys, &values, &count) == MAP_OK);
    for (size_t i = 0; i < count; ++i) {
        out.push_back(std::make_pair(std::string(keys[i]), std::string(values[i])));
    }
    return out;
}

/* All entries, system properties as "#tag". */
Pairs entries(MAP_HANDLE map)
{
    iothubi_entry entry;
    size_t at = 0;
    Pairs out;
    while (iothubi_map_next(map, &at, &entry)) {
        CHECK(entry.value_size == std::strlen(entry.value));
        CHECK(entry.name_size == (entry.name != nullptr ? std::strlen(entry.name) : 0));
        out.push_back(std::make_pair(entry.name != nullptr ? "=" + std::string(entry.name) : "#" + std::to_string(entry.tag), std::string(entry.value)));
    }
    CHECK(at == map->used);
    return out;
}

Pairs all(IOTHUB_MESSAGE_HANDLE message)
{
    return entries(IoTHubMessage_Properties(message));
}

struct SystemProperty {
    const char *name;
    int tag;
    IOTHUB_MESSAGE_RESULT (*set)(IOTHUB_MESSAGE_HANDLE, const char *);
    const char *(*get)(IOTHUB_MESSAGE_HANDLE);
};

const SystemProperty system_properties[] = {
    { "message id", IOTHUBI_PROPERTY_MESSAGE_ID, IoTHubMessage_SetMessageId, IoTHubMessage_GetMessageId },
    { "correlation id", IOTHUBI_PROPERTY_CORRELATION_ID, IoTHubMessage_SetCorrelationId, IoTHubMessage_GetCorrelationId },
    { "content type", IOTHUBI_PROPERTY_CONTENT_TYPE, IoTHubMessage_SetContentTypeSystemProperty, IoTHubMessage_GetContentTypeSystemProperty },
    { "content encoding", IOTHUBI_PROPERTY_CONTENT_ENCODING, IoTHubMessage_SetContentEncodingSystemProperty, IoTHubMessage_GetContentEncodingSystemProperty },
    { "creation time", IOTHUBI_PROPERTY_CREATION_TIME, IoTHubMessage_SetMessageCreationTimeUtcSystemProperty, IoTHubMessage_GetMessageCreationTimeUtcSystemProperty },
    { "user id", IOTHUBI_PROPERTY_USER_ID, IoTHubMessage_SetMessageUserIdSystemProperty, IoTHubMessage_GetMessageUserIdSystemProperty },
    { "output name", IOTHUBI_PROPERTY_OUTPUT_NAME, IoTHubMessage_SetOutputName, IoTHubMessage_GetOutputName },
    { "input name", IOTHUBI_PROPERTY_INPUT_NAME, IoTHubMessage_SetInputName, IoTHubMessage_GetInputName },
    { "connection device id", IOTHUBI_PROPERTY_CONNECTION_DEVICE_ID, IoTHubMessage_SetConnectionDeviceId, IoTHubMessage_GetConnectionDeviceId },
    { "connection module id", IOTHUBI_PROPERTY_CONNECTION_MODULE_ID, IoTHubMessage_SetConnectionModuleId, IoTHubMessage_GetConnectionModuleId },
    { "component name", IOTHUBI_PROPERTY_COMPONENT_NAME, IoTHubMessage_SetComponentName, IoTHubMessage_GetComponentName }
};

IOTHUB_MESSAGE_RESULT set_diagnostic(IOTHUB_MESSAGE_HANDLE message, const char *id, const char *time)
{
    IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA data = { const_cast<char *>(id), const_cast<char *>(time) };
    return IoTHubMessage_SetDiagnosticPropertyData(message, &data);
}

std::string diagnostic(IOTHUB_MESSAGE_HANDLE message)
{
    const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *data = IoTHubMessage_GetDiagnosticPropertyData(message);
    return data == nullptr ? "none" : std::string(data->diagnosticId) + "|" + data->diagnosticCreationTimeUtc;
}

int reject_x(const char *key, const char *value)
{
    return key[0] == 'x' || value[0] == 'x';
}

}

/* ---- bodies ---- */

TEST_CASE("message, from a byte array, has its own copy")
{
    Bytes body = bytes("00 01 FF 00");
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromByteArray(body.data(), body.size());
    const unsigned char *at = nullptr;
    size_t size = 0;
    REQUIRE(message != nullptr);
    body.assign(4, 0x23);
    CHECK(IoTHubMessage_GetContentType(message) == IOTHUBMESSAGE_BYTEARRAY);
    CHECK(IoTHubMessage_GetByteArray(message, &at, &size) == IOTHUB_MESSAGE_OK);
    CHECK(hex(Bytes(at, at + size)) == "0001ff00");
    CHECK(IoTHubMessage_GetString(message) == nullptr);
    IoTHubMessage_Destroy(message);
}

TEST_CASE("message, from a string, is a string and no byte array")
{
    char text[] = "{\"t\":21.5}";
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString(text);
    const unsigned char *at = nullptr;
    size_t size = 77;
    REQUIRE(message != nullptr);
    text[0] = '#';
    CHECK(IoTHubMessage_GetContentType(message) == IOTHUBMESSAGE_STRING);
    CHECK(std::string(IoTHubMessage_GetString(message)) == "{\"t\":21.5}");
    CHECK(IoTHubMessage_GetByteArray(message, &at, &size) == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(size == 77);
    IoTHubMessage_Destroy(message);
    message = IoTHubMessage_CreateFromString("");
    REQUIRE(message != nullptr);
    CHECK(std::string(IoTHubMessage_GetString(message)) == "");
    IoTHubMessage_Destroy(message);
}

TEST_CASE("message, from no bytes, is empty; from NULL with a size, is none")
{
    const unsigned char *at = reinterpret_cast<const unsigned char *>("x");
    size_t size = 77;
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromByteArray(nullptr, 0);
    REQUIRE(message != nullptr);
    CHECK(IoTHubMessage_GetByteArray(message, &at, &size) == IOTHUB_MESSAGE_OK);
    CHECK(at == nullptr);
    CHECK(size == 0);
    IoTHubMessage_Destroy(message);
    CHECK(IoTHubMessage_CreateFromByteArray(nullptr, 1) == nullptr);
    CHECK(IoTHubMessage_CreateFromString(nullptr) == nullptr);
}

TEST_CASE("message, NULL arguments, are refused")
{
    Wrapped wrapped(64);
    const unsigned char *at;
    size_t size;
    CHECK(IoTHubMessage_GetContentType(nullptr) == IOTHUBMESSAGE_UNKNOWN);
    CHECK(IoTHubMessage_GetByteArray(nullptr, &at, &size) == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(IoTHubMessage_GetByteArray(wrapped.handle, nullptr, &size) == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(IoTHubMessage_GetByteArray(wrapped.handle, &at, nullptr) == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(IoTHubMessage_GetString(nullptr) == nullptr);
    CHECK(IoTHubMessage_Properties(nullptr) == nullptr);
    CHECK(IoTHubMessage_SetProperty(nullptr, "k", "v") == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(IoTHubMessage_SetProperty(wrapped.handle, nullptr, "v") == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(IoTHubMessage_SetProperty(wrapped.handle, "k", nullptr) == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(IoTHubMessage_GetProperty(nullptr, "k") == nullptr);
    CHECK(IoTHubMessage_GetProperty(wrapped.handle, nullptr) == nullptr);
    for (const SystemProperty &property : system_properties) {
        CHECK(property.set(nullptr, "v") == IOTHUB_MESSAGE_INVALID_ARG);
        CHECK(property.set(wrapped.handle, nullptr) == IOTHUB_MESSAGE_INVALID_ARG);
        CHECK(property.get(nullptr) == nullptr);
    }
    CHECK(set_diagnostic(nullptr, "a", "b") == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(set_diagnostic(wrapped.handle, nullptr, "b") == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(set_diagnostic(wrapped.handle, "a", nullptr) == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(IoTHubMessage_SetDiagnosticPropertyData(wrapped.handle, nullptr) == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK(IoTHubMessage_GetDiagnosticPropertyData(nullptr) == nullptr);
    CHECK(IoTHubMessage_SetAsSecurityMessage(nullptr) == IOTHUB_MESSAGE_INVALID_ARG);
    CHECK_FALSE(IoTHubMessage_IsSecurityMessage(nullptr));
    CHECK(IoTHubMessage_Clone(nullptr) == nullptr);
    IoTHubMessage_Destroy(nullptr);
    CHECK(all(wrapped.handle).empty());
}

/* ---- wrapped messages ---- */

TEST_CASE("wrap, a body, borrows it")
{
    Wrapped wrapped(0, bytes("'body'"));
    const unsigned char *at = nullptr;
    size_t size = 0;
    CHECK(IoTHubMessage_GetContentType(wrapped.handle) == IOTHUBMESSAGE_BYTEARRAY);
    CHECK(IoTHubMessage_GetByteArray(wrapped.handle, &at, &size) == IOTHUB_MESSAGE_OK);
    CHECK(at == wrapped.body.data());
    CHECK(size == 4);
    CHECK(IoTHubMessage_SetMessageId(wrapped.handle, "") == IOTHUB_MESSAGE_ERROR);       /* no room at all */
    CHECK(Map_AddOrUpdate(IoTHubMessage_Properties(wrapped.handle), "k", "v") == MAP_ERROR);
}

TEST_CASE("wrap, storage that is missing, misaligned or too small, is refused")
{
    std::unique_ptr<unsigned char[]> storage(new unsigned char[head + 64]);
    CHECK(head <= IOTHUB_MESSAGE_HEAD_BOUND);
    CHECK(IoTHubMessage_Wrap(nullptr, 1000, nullptr, 0) == nullptr);
    for (size_t shift = 1; shift < sizeof(void *); ++shift) {
        CHECK(IoTHubMessage_Wrap(storage.get() + shift, head + 32, nullptr, 0) == nullptr);
    }
    for (size_t size = 0; size < head; ++size) {
        CHECK(IoTHubMessage_Wrap(storage.get(), size, nullptr, 0) == nullptr);
    }
    CHECK(IoTHubMessage_Wrap(storage.get(), head, nullptr, 1) == nullptr);
    CHECK(IoTHubMessage_Wrap(storage.get(), head, nullptr, 0) != nullptr);
    CHECK(IoTHubMessage_Wrap(storage.get() + sizeof(void *), head, nullptr, 0) != nullptr);
}

/* ---- properties ---- */

TEST_CASE("system properties, each of them, has its own value, replaced by a later one")
{
    Wrapped wrapped(512);
    for (const SystemProperty &property : system_properties) {
        CHECK(property.get(wrapped.handle) == nullptr);
        CHECK(property.set(wrapped.handle, property.name) == IOTHUB_MESSAGE_OK);
    }
    for (const SystemProperty &property : system_properties) {
        CHECK(std::string(property.get(wrapped.handle)) == property.name);
        CHECK(property.set(wrapped.handle, "") == IOTHUB_MESSAGE_OK);
        CHECK(std::string(property.get(wrapped.handle)) == "");
        CHECK(property.set(wrapped.handle, "any \x01\xFF byte, and longer than before") == IOTHUB_MESSAGE_OK);
    }
    for (const SystemProperty &property : system_properties) {
        CHECK(std::string(property.get(wrapped.handle)) == "any \x01\xFF byte, and longer than before");
    }
    Pairs list = all(wrapped.handle);
    REQUIRE(list.size() == 11);
    for (size_t i = 0; i < list.size(); ++i) {
        CHECK(list[i].first == "#" + std::to_string(system_properties[i].tag));      /* order of insertion */
    }
    CHECK(internals(IoTHubMessage_Properties(wrapped.handle)).empty());              /* no application property among them */
}

TEST_CASE("properties, set again, are replaced in place")
{
    Wrapped wrapped(256);
    CHECK(IoTHubMessage_SetProperty(wrapped.handle, "a", "1") == IOTHUB_MESSAGE_OK);
    CHECK(IoTHubMessage_SetMessageId(wrapped.handle, "id") == IOTHUB_MESSAGE_OK);
    CHECK(IoTHubMessage_SetProperty(wrapped.handle, "b", "2") == IOTHUB_MESSAGE_OK);
    CHECK(IoTHubMessage_SetProperty(wrapped.handle, "", "") == IOTHUB_MESSAGE_OK);   /* empty names and values are legal */
    CHECK(IoTHubMessage_SetProperty(wrapped.handle, "a", "longer than one") == IOTHUB_MESSAGE_OK);
    CHECK(IoTHubMessage_SetProperty(wrapped.handle, "b", "") == IOTHUB_MESSAGE_OK);
    CHECK(IoTHubMessage_SetMessageId(wrapped.handle, "ID") == IOTHUB_MESSAGE_OK);
    CHECK(internals(IoTHubMessage_Properties(wrapped.handle)) == Pairs({ { "a", "longer than one" }, { "b", "" }, { "", "" } }));
    CHECK(all(wrapped.handle) == Pairs({ { "=a", "longer than one" }, { "#2", "ID" }, { "=b", "" }, { "=", "" } }));
    CHECK(std::string(IoTHubMessage_GetProperty(wrapped.handle, "")) == "");
    CHECK(IoTHubMessage_GetProperty(wrapped.handle, "A") == nullptr);
    CHECK(IoTHubMessage_GetProperty(wrapped.handle, "aa") == nullptr);
}

TEST_CASE("properties, each of the 255 characters, are printable ASCII or refused")
{
    Wrapped wrapped(256);
    MAP_HANDLE map = IoTHubMessage_Properties(wrapped.handle);
    for (int c = 1; c < 256; ++c) {
        std::string text = std::string("a") + static_cast<char>(c);
        bool good = c >= 0x20 && c <= 0x7E;
        CAPTURE(c);
        CHECK(IoTHubMessage_SetProperty(wrapped.handle, text.c_str(), "v") == (good ? IOTHUB_MESSAGE_OK : IOTHUB_MESSAGE_INVALID_TYPE));
        CHECK(Map_Delete(map, text.c_str()) == (good ? MAP_OK : MAP_KEYNOTFOUND));
        CHECK(IoTHubMessage_SetProperty(wrapped.handle, "k", text.c_str()) == (good ? IOTHUB_MESSAGE_OK : IOTHUB_MESSAGE_INVALID_TYPE));
        CHECK(Map_Delete(map, "k") == (good ? MAP_OK : MAP_KEYNOTFOUND));
        CHECK(Map_AddOrUpdate(map, text.c_str(), "v") == (good ? MAP_OK : MAP_FILTER_REJECT));
        CHECK(Map_Delete(map, text.c_str()) == (good ? MAP_OK : MAP_KEYNOTFOUND));
    }
}

TEST_CASE("properties, too little room by any number of bytes, leave the old value")
{
    const std::string old_value = "old", new_value = "a longer value";
    for (size_t room = 0; room < 40; ++room) {
        Wrapped wrapped(room);
        bool first = IoTHubMessage_SetProperty(wrapped.handle, "key", old_value.c_str()) == IOTHUB_MESSAGE_OK;
        bool second = IoTHubMessage_SetMessageId(wrapped.handle, "id") == IOTHUB_MESSAGE_OK;
        bool third = IoTHubMessage_SetProperty(wrapped.handle, "key", new_value.c_str()) == IOTHUB_MESSAGE_OK;
        CAPTURE(room);
        CHECK(first == (room >= 1 + 4 + 4));                         /* tag, key NUL, old NUL */
        CHECK(second == (room >= (first ? 9u : 0u) + 1 + 3));        /* tag, id NUL */
        CHECK(third == (room >= 1 + 4 + 15 + (second ? 4u : 0u)));
        const char *value = IoTHubMessage_GetProperty(wrapped.handle, "key");
        CHECK(std::string(value != nullptr ? value : "none") == (third ? new_value : first ? old_value : "none"));
        const char *id = IoTHubMessage_GetMessageId(wrapped.handle);
        CHECK(std::string(id != nullptr ? id : "none") == (second ? "id" : "none"));
    }
}

/* A getter's pointer handed to a setter: azure-iot-sdk-c frees the old value before it copies. */
TEST_CASE("properties, a value that points into the same message, arrive whole")
{
    for (int order = 0; order < 2; ++order) {
        Wrapped wrapped(256);
        if (order == 0) {
            IoTHubMessage_SetCorrelationId(wrapped.handle, "c");
        }
        IoTHubMessage_SetMessageId(wrapped.handle, "the message id");
        if (order == 1) {
            IoTHubMessage_SetCorrelationId(wrapped.handle, "c");
        }
        IoTHubMessage_SetProperty(wrapped.handle, "tail", "end");
        CHECK(IoTHubMessage_SetCorrelationId(wrapped.handle, IoTHubMessage_GetMessageId(wrapped.handle)) == IOTHUB_MESSAGE_OK);     /* longer */
        CHECK(std::string(IoTHubMessage_GetCorrelationId(wrapped.handle)) == "the message id");
        CHECK(IoTHubMessage_SetMessageId(wrapped.handle, IoTHubMessage_GetProperty(wrapped.handle, "tail")) == IOTHUB_MESSAGE_OK);  /* shorter */
        CHECK(std::string(IoTHubMessage_GetMessageId(wrapped.handle)) == "end");
        CHECK(IoTHubMessage_SetMessageId(wrapped.handle, IoTHubMessage_GetMessageId(wrapped.handle)) == IOTHUB_MESSAGE_OK);         /* itself */
        CHECK(std::string(IoTHubMessage_GetMessageId(wrapped.handle)) == "end");
        CHECK(IoTHubMessage_SetCorrelationId(wrapped.handle, IoTHubMessage_GetCorrelationId(wrapped.handle) + 1) == IOTHUB_MESSAGE_OK);
        CHECK(std::string(IoTHubMessage_GetCorrelationId(wrapped.handle)) == "he message id");
        CHECK(IoTHubMessage_SetCorrelationId(wrapped.handle, IoTHubMessage_GetCorrelationId(wrapped.handle) + 13) == IOTHUB_MESSAGE_OK);
        CHECK(std::string(IoTHubMessage_GetCorrelationId(wrapped.handle)) == "");
        CHECK(std::string(IoTHubMessage_GetProperty(wrapped.handle, "tail")) == "end");
        CHECK(IoTHubMessage_SetContentTypeSystemProperty(wrapped.handle, IoTHubMessage_GetMessageId(wrapped.handle)) == IOTHUB_MESSAGE_OK);  /* new */
        CHECK(std::string(IoTHubMessage_GetContentTypeSystemProperty(wrapped.handle)) == "end");
        CHECK(all(wrapped.handle).size() == 4);
    }
}

/* ---- diagnostic data and security messages ---- */

TEST_CASE("diagnostic data, set and set again, is read back from the message")
{
    Wrapped wrapped(256);
    CHECK(diagnostic(wrapped.handle) == "none");
    char id[] = "abcd1234", time[] = "1700000000";
    CHECK(set_diagnostic(wrapped.handle, id, time) == IOTHUB_MESSAGE_OK);
    id[0] = time[0] = '#';                           /* copied */
    CHECK(diagnostic(wrapped.handle) == "abcd1234|1700000000");
    CHECK(set_diagnostic(wrapped.handle, "a much longer id", "1") == IOTHUB_MESSAGE_OK);
    CHECK(diagnostic(wrapped.handle) == "a much longer id|1");
    CHECK(set_diagnostic(wrapped.handle, "x", "1700000001") == IOTHUB_MESSAGE_OK);
    CHECK(diagnostic(wrapped.handle) == "x|1700000001");
    CHECK(all(wrapped.handle).size() == 2);
}

/* Once the first value was exchanged, the second pointer looked at text that had moved. */
TEST_CASE("diagnostic data, one member changed in what the getter lent, keeps the other")
{
    Wrapped wrapped(256);
    IoTHubMessage_SetMessageId(wrapped.handle, "some message id");
    REQUIRE(set_diagnostic(wrapped.handle, "id", "1700000000") == IOTHUB_MESSAGE_OK);
    IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA data = *IoTHubMessage_GetDiagnosticPropertyData(wrapped.handle);
    char longer[] = "a longer id than before";
    data.diagnosticId = longer;
    CHECK(IoTHubMessage_SetDiagnosticPropertyData(wrapped.handle, &data) == IOTHUB_MESSAGE_OK);
    CHECK(diagnostic(wrapped.handle) == "a longer id than before|1700000000");
    data = *IoTHubMessage_GetDiagnosticPropertyData(wrapped.handle);
    std::swap(data.diagnosticId, data.diagnosticCreationTimeUtc);
    CHECK(IoTHubMessage_SetDiagnosticPropertyData(wrapped.handle, &data) == IOTHUB_MESSAGE_OK);
    CHECK(diagnostic(wrapped.handle) == "1700000000|a longer id than before");
    CHECK(IoTHubMessage_SetDiagnosticPropertyData(wrapped.handle, IoTHubMessage_GetDiagnosticPropertyData(wrapped.handle)) == IOTHUB_MESSAGE_OK);
    CHECK(diagnostic(wrapped.handle) == "1700000000|a longer id than before");
    CHECK(std::string(IoTHubMessage_GetMessageId(wrapped.handle)) == "some message id");
    CHECK(all(wrapped.handle).size() == 3);
}

TEST_CASE("diagnostic data, over a long id that stood alone, replaces it and keeps both new members")
{
    Wrapped wrapped(128);
    REQUIRE(iothubi_map_set(&wrapped.handle->map, IOTHUBI_PROPERTY_DIAGNOSTIC_ID, nullptr, "an id that is long"));
    CHECK(diagnostic(wrapped.handle) == "none");     /* both or nothing */
    CHECK(set_diagnostic(wrapped.handle, "x", "1") == IOTHUB_MESSAGE_OK);
    CHECK(diagnostic(wrapped.handle) == "x|1");
    CHECK(all(wrapped.handle).size() == 2);
}

TEST_CASE("diagnostic data, too little room by any number of bytes, is set both or neither")
{
    for (size_t room = 0; room <= 40; ++room) {
        Wrapped wrapped(room);
        bool first = set_diagnostic(wrapped.handle, "id", "1700") == IOTHUB_MESSAGE_OK;      /* 4 + 6 bytes */
        CAPTURE(room);
        CHECK(first == (room >= 10));
        CHECK(diagnostic(wrapped.handle) == (first ? "id|1700" : "none"));
        CHECK(all(wrapped.handle).size() == (first ? 2u : 0u));
        Pairs before = all(wrapped.handle);
        if (set_diagnostic(wrapped.handle, "identity", "17") == IOTHUB_MESSAGE_OK) {         /* 10 + 4 bytes */
            CHECK(diagnostic(wrapped.handle) == "identity|17");
        } else {
            CHECK(room < 24);                        /* enough for old and new together always works */
            CHECK(all(wrapped.handle) == before);
        }
    }
}

TEST_CASE("security message, marked, has the interface id and JSON encoding")
{
    Wrapped wrapped(256);
    CHECK_FALSE(IoTHubMessage_IsSecurityMessage(wrapped.handle));
    IoTHubMessage_SetContentEncodingSystemProperty(wrapped.handle, "utf-8");
    for (int round = 0; round < 2; ++round) {
        CHECK(IoTHubMessage_SetAsSecurityMessage(wrapped.handle) == IOTHUB_MESSAGE_OK);
        CHECK(IoTHubMessage_IsSecurityMessage(wrapped.handle));
        CHECK(std::string(IoTHubMessage_GetContentEncodingSystemProperty(wrapped.handle)) == "application/json");
        CHECK(all(wrapped.handle).size() == 2);
    }
    CHECK(std::string(iothubi_map_get(&wrapped.handle->map, IOTHUBI_PROPERTY_INTERFACE_ID, nullptr)) == "urn:azureiot:Security:SecurityAgent:1");
}

TEST_CASE("security message, too little room by any number of bytes, stays unmarked and keeps its encoding")
{
    size_t smallest = 0;
    for (size_t room = 7; room < 80; ++room) {
        Wrapped wrapped(room);
        REQUIRE(IoTHubMessage_SetContentEncodingSystemProperty(wrapped.handle, "utf-8") == IOTHUB_MESSAGE_OK);
        bool done = IoTHubMessage_SetAsSecurityMessage(wrapped.handle) == IOTHUB_MESSAGE_OK;
        CAPTURE(room);
        CHECK(IoTHubMessage_IsSecurityMessage(wrapped.handle) == done);
        CHECK(std::string(IoTHubMessage_GetContentEncodingSystemProperty(wrapped.handle)) == (done ? "application/json" : "utf-8"));
        if (done && smallest == 0) {
            smallest = room;
        }
    }
    CHECK(smallest >= 39 + 18);                      /* tag, urn, NUL; tag, encoding, NUL */
    CHECK(smallest <= 39 + 18 + 7);                  /* and at most what is replaced */
}

/* ---- the pool ---- */

TEST_CASE("pool, used up, refuses, and takes again what is given back")
{
    IOTHUB_MESSAGE_HANDLE messages[IOTHUB_POOL_MESSAGES];
    for (IOTHUB_MESSAGE_HANDLE &message : messages) {
        message = IoTHubMessage_CreateFromString("x");
        REQUIRE(message != nullptr);
        IoTHubMessage_SetMessageId(message, "old");
    }
    CHECK(IoTHubMessage_CreateFromString("x") == nullptr);
    CHECK(iothubi_creation_error.code == IOTHUB_CODE_POOL_EMPTY);
    CHECK(iothubi_creation_error.layer == IOTHUB_LAYER_MEMORY);
    CHECK(iothubi_creation_error.retryable);
    CHECK(IoTHubMessage_Clone(messages[0]) == nullptr);
    CHECK(Map_Create(nullptr) == nullptr);
    CHECK(Map_Clone(IoTHubMessage_Properties(messages[0])) == nullptr);
    IoTHubMessage_Destroy(messages[1]);
    IOTHUB_MESSAGE_HANDLE again = IoTHubMessage_CreateFromByteArray(nullptr, 0);
    CHECK(again == messages[1]);
    CHECK(IoTHubMessage_GetMessageId(again) == nullptr);                 /* nothing of the old one is left */
    CHECK(IoTHubMessage_GetContentType(again) == IOTHUBMESSAGE_BYTEARRAY);
    CHECK(IoTHubMessage_CreateFromString("x") == nullptr);
    for (IOTHUB_MESSAGE_HANDLE message : messages) {
        IoTHubMessage_Destroy(message);
    }
}

TEST_CASE("pool, a body that fits exactly or by one byte not, is taken and refused")
{
    const size_t most = IOTHUB_POOL_MESSAGE_SIZE - head - 1;             /* its NUL lies in the slot too */
    Bytes body(most + 3, 'b');
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromByteArray(body.data(), most);
    REQUIRE(message != nullptr);
    CHECK(IoTHubMessage_SetMessageId(message, "") == IOTHUB_MESSAGE_ERROR);
    IOTHUB_MESSAGE_HANDLE clone = IoTHubMessage_Clone(message);
    CHECK(clone != nullptr);
    IoTHubMessage_Destroy(clone);
    IoTHubMessage_Destroy(message);
    CHECK(IoTHubMessage_CreateFromByteArray(body.data(), most + 3) == nullptr);
    CHECK(iothubi_creation_error.code == IOTHUB_CODE_POOL_TOO_SMALL);
    CHECK(iothubi_creation_error.bytes_missing == 3);
    CHECK(IoTHubMessage_CreateFromByteArray(body.data(), static_cast<size_t>(-1)) == nullptr);
    CHECK(IoTHubMessage_CreateFromByteArray(body.data(), static_cast<size_t>(-2)) == nullptr);
}

/* ---- clones ---- */

TEST_CASE("clone, of each kind of message, is equal and independent")
{
    Wrapped wrapped(128, bytes("'abc' 00"));
    IOTHUB_MESSAGE_HANDLE originals[4] = { wrapped.handle, IoTHubMessage_CreateFromString("text"),
        IoTHubMessage_CreateFromByteArray(bytes("00 01").data(), 2), nullptr };
    for (int i = 0; i < 3; ++i) {
        IOTHUB_MESSAGE_HANDLE original = originals[i];
        IoTHubMessage_SetProperty(original, "k", "v");
        IoTHubMessage_SetMessageId(original, "id");
        set_diagnostic(original, "d", "1");
        IoTHubMessage_SetInputName(original, "in");
        IOTHUB_MESSAGE_HANDLE clone = IoTHubMessage_Clone(original);
        REQUIRE(clone != nullptr);
        CHECK(all(clone) == all(original));
        CHECK(IoTHubMessage_GetContentType(clone) == IoTHubMessage_GetContentType(original));
        CHECK(clone->body_size == original->body_size);
        CHECK(std::memcmp(clone->body, original->body, original->body_size) == 0);
        CHECK(clone->body != original->body);
        CHECK(diagnostic(clone) == "d|1");
        IoTHubMessage_SetMessageId(original, "changed");
        CHECK(std::string(IoTHubMessage_GetMessageId(clone)) == "id");
        CHECK(IoTHubMessage_SetProperty(clone, "k", "\x01") == IOTHUB_MESSAGE_INVALID_TYPE);
        CHECK(Map_AddOrUpdate(IoTHubMessage_Properties(clone), "k", "\x01") == MAP_FILTER_REJECT);   /* the filter is not lost */
        IoTHubMessage_Destroy(clone);
    }
    IoTHubMessage_Destroy(originals[1]);
    IoTHubMessage_Destroy(originals[2]);
}

TEST_CASE("clone, of an empty message, is empty")
{
    Wrapped wrapped(0);
    IOTHUB_MESSAGE_HANDLE clone = IoTHubMessage_Clone(wrapped.handle);
    const unsigned char *at = reinterpret_cast<const unsigned char *>("x");
    size_t size = 77;
    REQUIRE(clone != nullptr);
    CHECK(IoTHubMessage_GetByteArray(clone, &at, &size) == IOTHUB_MESSAGE_OK);
    CHECK(at == nullptr);
    CHECK(size == 0);
    CHECK(all(clone).empty());
    IoTHubMessage_Destroy(clone);
}

TEST_CASE("clone, properties larger than the pool's room, is refused and gives its slot back")
{
    Wrapped wrapped(1000);
    REQUIRE(IoTHubMessage_SetMessageId(wrapped.handle, std::string(IOTHUB_POOL_MESSAGE_SIZE - head - 1, 'i').c_str()) == IOTHUB_MESSAGE_OK);
    for (int i = 0; i < 10; ++i) {
        CHECK(IoTHubMessage_Clone(wrapped.handle) == nullptr);
        CHECK(iothubi_creation_error.code == IOTHUB_CODE_POOL_TOO_SMALL);
        CHECK(iothubi_creation_error.bytes_missing == 2);            /* tag and NUL and the body's NUL, less the one that is over */
    }
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString("");
    CHECK(message != nullptr);
    IoTHubMessage_Destroy(message);
}

/* ---- maps ---- */

TEST_CASE("map on its own, without a filter, takes any text")
{
    MAP_HANDLE map = Map_Create(nullptr);
    REQUIRE(map != nullptr);
    CHECK(Map_Add(map, "k\x01", "\xFF") == MAP_OK);
    CHECK(Map_Add(map, "k\x01", "again") == MAP_KEYEXISTS);
    CHECK(std::string(Map_GetValueFromKey(map, "k\x01")) == "\xFF");
    CHECK(Map_AddOrUpdate(map, "k\x01", "again") == MAP_OK);
    CHECK(std::string(Map_GetValueFromKey(map, "k\x01")) == "again");
    Map_Destroy(map);
}

TEST_CASE("map on its own, with a filter, asks it")
{
    MAP_HANDLE map = Map_Create(reject_x);
    REQUIRE(map != nullptr);
    CHECK(Map_Add(map, "x", "v") == MAP_FILTER_REJECT);
    CHECK(Map_AddOrUpdate(map, "k", "x") == MAP_FILTER_REJECT);
    CHECK(Map_Add(map, "k", "v") == MAP_OK);
    CHECK(Map_Add(map, "k", "x") == MAP_KEYEXISTS);
    CHECK(internals(map) == Pairs({ { "k", "v" } }));
    MAP_HANDLE clone = Map_Clone(map);
    REQUIRE(clone != nullptr);
    CHECK(Map_AddOrUpdate(clone, "x", "v") == MAP_FILTER_REJECT);    /* the clone has it too */
    CHECK(internals(clone) == internals(map));
    CHECK(Map_Delete(clone, "k") == MAP_OK);
    CHECK(internals(map) == Pairs({ { "k", "v" } }));
    Map_Destroy(clone);
    Map_Destroy(map);
}

TEST_CASE("map, NULL arguments, are refused")
{
    Wrapped wrapped(64);
    MAP_HANDLE map = IoTHubMessage_Properties(wrapped.handle);
    const char *const *keys, *const *values;
    size_t count;
    IOTHUB_BOOL answer;
    CHECK(Map_Clone(nullptr) == nullptr);
    Map_Destroy(nullptr);
    CHECK(Map_Add(nullptr, "k", "v") == MAP_INVALIDARG);
    CHECK(Map_Add(map, nullptr, "v") == MAP_INVALIDARG);
    CHECK(Map_Add(map, "k", nullptr) == MAP_INVALIDARG);
    CHECK(Map_AddOrUpdate(nullptr, "k", "v") == MAP_INVALIDARG);
    CHECK(Map_AddOrUpdate(map, nullptr, "v") == MAP_INVALIDARG);
    CHECK(Map_AddOrUpdate(map, "k", nullptr) == MAP_INVALIDARG);
    CHECK(Map_Delete(nullptr, "k") == MAP_INVALIDARG);
    CHECK(Map_Delete(map, nullptr) == MAP_INVALIDARG);
    CHECK(Map_ContainsKey(nullptr, "k", &answer) == MAP_INVALIDARG);
    CHECK(Map_ContainsKey(map, nullptr, &answer) == MAP_INVALIDARG);
    CHECK(Map_ContainsKey(map, "k", nullptr) == MAP_INVALIDARG);
    CHECK(Map_ContainsValue(nullptr, "k", &answer) == MAP_INVALIDARG);
    CHECK(Map_ContainsValue(map, nullptr, &answer) == MAP_INVALIDARG);
    CHECK(Map_ContainsValue(map, "k", nullptr) == MAP_INVALIDARG);
    CHECK(Map_GetValueFromKey(nullptr, "k") == nullptr);
    CHECK(Map_GetValueFromKey(map, nullptr) == nullptr);
    CHECK(Map_GetInternals(nullptr, &keys, &values, &count) == MAP_INVALIDARG);
    CHECK(Map_GetInternals(map, nullptr, &values, &count) == MAP_INVALIDARG);
    CHECK(Map_GetInternals(map, &keys, nullptr, &count) == MAP_INVALIDARG);
    CHECK(Map_GetInternals(map, &keys, &values, nullptr) == MAP_INVALIDARG);
}

TEST_CASE("map, of a message, hides system properties and stays when destroyed or cloned by itself")
{
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString("body");
    REQUIRE(message != nullptr);
    MAP_HANDLE map = IoTHubMessage_Properties(message);
    IOTHUB_BOOL answer = true;
    IoTHubMessage_SetMessageId(message, "id");
    IoTHubMessage_SetProperty(message, "k", "v");
    CHECK(Map_ContainsValue(map, "id", &answer) == MAP_OK);
    CHECK_FALSE(answer);
    CHECK(Map_ContainsValue(map, "w", &answer) == MAP_OK);
    CHECK_FALSE(answer);
    CHECK(Map_ContainsValue(map, "v", &answer) == MAP_OK);
    CHECK(answer);
    CHECK(Map_ContainsKey(map, "k", &answer) == MAP_OK);
    CHECK(answer);
    CHECK(Map_ContainsKey(map, "", &answer) == MAP_OK);
    CHECK_FALSE(answer);
    CHECK(Map_Delete(map, "") == MAP_KEYNOTFOUND);
    MAP_HANDLE clone = Map_Clone(map);
    REQUIRE(clone != nullptr);
    CHECK(entries(clone) == Pairs({ { "=k", "v" } }));
    Map_Destroy(clone);
    Map_Destroy(map);
    CHECK(std::string(IoTHubMessage_GetString(message)) == "body");
    IOTHUB_MESSAGE_HANDLE other = IoTHubMessage_CreateFromString("other");
    CHECK(other != message);                         /* its slot was not given back */
    IoTHubMessage_Destroy(other);
    IoTHubMessage_Destroy(message);
}

TEST_CASE("map, cloned without room for it, gives its slot back")
{
    Wrapped wrapped(2000);
    IoTHubMessage_SetProperty(wrapped.handle, "k", std::string(1000, 'v').c_str());
    for (int i = 0; i < 10; ++i) {
        CHECK(Map_Clone(IoTHubMessage_Properties(wrapped.handle)) == nullptr);
    }
    MAP_HANDLE map = Map_Create(nullptr);
    CHECK(map != nullptr);
    Map_Destroy(map);
}

TEST_CASE("map, its arrays, are aligned and need room for two pointers an entry")
{
    const size_t pointer = sizeof(char *);
    for (size_t length = 0; length < 2 * pointer; ++length) {
        std::string value(length, 'v');
        size_t used = 2 * (1 + 2 + length + 1);
        for (size_t room = used; room <= used + 6 * pointer; ++room) {
            Wrapped wrapped(room);
            const char *const *keys = nullptr, *const *values = nullptr;
            size_t count = 0, before;
            REQUIRE(IoTHubMessage_SetProperty(wrapped.handle, "a", value.c_str()) == IOTHUB_MESSAGE_OK);
            REQUIRE(IoTHubMessage_SetProperty(wrapped.handle, "b", value.c_str()) == IOTHUB_MESSAGE_OK);
            before = (head + used + pointer - 1) / pointer * pointer - head;         /* the storage itself is aligned */
            MAP_RESULT result = Map_GetInternals(IoTHubMessage_Properties(wrapped.handle), &keys, &values, &count);
            CAPTURE(length, room);
            CHECK(result == (room >= before + 4 * pointer ? MAP_OK : MAP_ERROR));
            if (result == MAP_OK) {
                CHECK(reinterpret_cast<uintptr_t>(keys) % pointer == 0);
                CHECK(count == 2);
                CHECK(std::string(keys[1]) == "b");
                CHECK(values[1] == value);
            }
        }
    }
}

TEST_CASE("map, without entries, has empty arrays whatever its room")
{
    for (size_t room = 4; room < 24; ++room) {
        Wrapped wrapped(room);
        const char *const *keys = nullptr, *const *values = nullptr;
        size_t count = 99;
        REQUIRE(IoTHubMessage_SetMessageId(wrapped.handle, std::string(room - 2, 'i').c_str()) == IOTHUB_MESSAGE_OK);     /* full */
        CAPTURE(room);
        CHECK(Map_GetInternals(IoTHubMessage_Properties(wrapped.handle), &keys, &values, &count) == MAP_OK);
        CHECK(count == 0);
    }
}

/* ---- against a model ---- */

namespace {

/* What a map should hold: a list in order of insertion, and how many bytes it may take. */
struct Model {
    explicit Model(size_t room) : room(room) {}
    size_t used() const
    {
        size_t sum = 0;
        for (const auto &entry : list) {
            sum += size(entry.first, entry.second);
        }
        return sum;
    }
    static size_t size(const std::string &name, const std::string &value)
    {
        return 1 + (name[0] == '=' ? name.size() : 0) + value.size() + 1;        /* "=name": the '=' stands for the NUL */
    }
    Pairs::iterator find(const std::string &name)
    {
        return std::find_if(list.begin(), list.end(), [&](const Pairs::value_type &entry) { return entry.first == name; });
    }
    bool set(const std::string &name, const std::string &value)
    {
        Pairs::iterator at = find(name);
        size_t old = at != list.end() ? size(name, at->second) : 0;
        if (used() - old + size(name, value) > room) {
            return false;
        }
        if (at != list.end()) {
            at->second = value;
        } else {
            list.push_back(std::make_pair(name, value));
        }
        return true;
    }
    size_t room;
    Pairs list;
};

}

TEST_CASE("message, thousands of random operations, agrees with a model at each step")
{
    const char *const names[] = { "", "a", "b", "key", "another key", "temperature-alert" };
    for (uint32_t seed = 1; seed <= 20; ++seed) {
        Numbers numbers(seed);
        size_t room = 20 + numbers.below(200);
        Wrapped wrapped(room, bytes("'body'"));
        Model model(room);
        MAP_HANDLE map = IoTHubMessage_Properties(wrapped.handle);
        for (int step = 0; step < 500; ++step) {
            std::string value(numbers.below(numbers.below(4) == 0 ? 60 : 12), static_cast<char>('A' + numbers.below(26)));
            std::string kept = value;
            const char *given = kept.c_str();
            std::string name = names[numbers.below(6)];
            if (numbers.below(4) == 0 && !model.list.empty()) {      /* a value from inside the message, or its end */
                iothubi_entry entry;
                size_t at = 0;
                uint32_t skip = numbers.below(static_cast<uint32_t>(model.list.size()));
                for (uint32_t i = 0; i <= skip; ++i) {
                    iothubi_map_next(map, &at, &entry);
                }
                given = entry.value + numbers.below(static_cast<uint32_t>(entry.value_size + 1));
                value = given;
            }
            CAPTURE(seed, step, name, value);
            switch (numbers.below(6)) {
            case 0:
                CHECK((IoTHubMessage_SetProperty(wrapped.handle, name.c_str(), given) == IOTHUB_MESSAGE_OK) == model.set("=" + name, value));
                break;
            case 1:
                if (model.find("=" + name) != model.list.end()) {
                    CHECK(Map_Add(map, name.c_str(), given) == MAP_KEYEXISTS);
                } else {
                    CHECK((Map_Add(map, name.c_str(), given) == MAP_OK) == model.set("=" + name, value));
                }
                break;
            case 2:
                CHECK((Map_AddOrUpdate(map, name.c_str(), given) == MAP_OK) == model.set("=" + name, value));
                break;
            case 3: {
                Pairs::iterator at = model.find("=" + name);
                CHECK(Map_Delete(map, name.c_str()) == (at != model.list.end() ? MAP_OK : MAP_KEYNOTFOUND));
                if (at != model.list.end()) {
                    model.list.erase(at);
                }
                break;
            }
            default: {
                const SystemProperty &property = system_properties[numbers.below(11)];
                CHECK((property.set(wrapped.handle, given) == IOTHUB_MESSAGE_OK) == model.set("#" + std::to_string(property.tag), value));
                break;
            }
            }
            CHECK(all(wrapped.handle) == model.list);
            CHECK(map->used == model.used());
        }
    }
}
