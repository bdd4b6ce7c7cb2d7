/* Messages and maps: what lies in their bytes. */

#include "check.h"

const char room[] = "message";

#define HEAD sizeof(struct IOTHUB_MESSAGE_HANDLE_DATA_TAG)

static union { void *alignment; unsigned char bytes[IOTHUB_MESSAGE_HEAD_BOUND + 128u]; } storage;
static IOTHUB_MESSAGE_HANDLE message;

/* A message with so many bytes of room for properties. */
static void wrap(size_t size)
{
    message = IoTHubMessage_Wrap(storage.bytes, HEAD + size, (const unsigned char *)"body", 4);
    CHECK(message != NULL);
}

#define CHECK_MAP(literal) CHECK_BYTES(message->map.bytes, message->map.used, literal)

/* One after the other; what the map holds then: a tag, name NUL (of an application property), value NUL. */
enum { PROPERTY, MESSAGE_ID, CORRELATION_ID, DELETED };

static const struct { int what; const char *name, *value; int result; const char *map; size_t size; } changes[] = {
    { PROPERTY, "a", "1", IOTHUB_MESSAGE_OK, LITERAL("\0a\0" "1\0") },
    { MESSAGE_ID, "", "id", IOTHUB_MESSAGE_OK, LITERAL("\0a\0" "1\0" "\2id\0") },
    { PROPERTY, "b", "2", IOTHUB_MESSAGE_OK, LITERAL("\0a\0" "1\0" "\2id\0" "\0b\0" "2\0") },
    { PROPERTY, "a", "longer", IOTHUB_MESSAGE_OK, LITERAL("\0a\0longer\0" "\2id\0" "\0b\0" "2\0") },     /* in place */
    { PROPERTY, "b", "", IOTHUB_MESSAGE_OK, LITERAL("\0a\0longer\0" "\2id\0" "\0b\0\0") },
    { PROPERTY, "", "", IOTHUB_MESSAGE_OK, LITERAL("\0a\0longer\0" "\2id\0" "\0b\0\0" "\0\0\0") },
    { PROPERTY, "c", "\x1F", IOTHUB_MESSAGE_INVALID_TYPE, LITERAL("\0a\0longer\0" "\2id\0" "\0b\0\0" "\0\0\0") },
    { PROPERTY, "\x7F", "v", IOTHUB_MESSAGE_INVALID_TYPE, LITERAL("\0a\0longer\0" "\2id\0" "\0b\0\0" "\0\0\0") },
    { DELETED, "c", "", MAP_KEYNOTFOUND, LITERAL("\0a\0longer\0" "\2id\0" "\0b\0\0" "\0\0\0") },
    { DELETED, "a", "", MAP_OK, LITERAL("\2id\0" "\0b\0\0" "\0\0\0") },
    { DELETED, "", "", MAP_OK, LITERAL("\2id\0" "\0b\0\0") },
    { MESSAGE_ID, "", "\xC3\xA9", IOTHUB_MESSAGE_OK, LITERAL("\2\xC3\xA9\0" "\0b\0\0") },                /* any bytes */
    { CORRELATION_ID, "", "nineteen characters", IOTHUB_MESSAGE_OK, LITERAL("\2\xC3\xA9\0" "\0b\0\0" "\3nineteen characters\0") },
    { PROPERTY, "d", "no room: 9 left", IOTHUB_MESSAGE_ERROR, LITERAL("\2\xC3\xA9\0" "\0b\0\0" "\3nineteen characters\0") },
    { PROPERTY, "b", "exactly 9", IOTHUB_MESSAGE_OK, LITERAL("\2\xC3\xA9\0" "\0b\0" "exactly 9\0" "\3nineteen characters\0") },
    { PROPERTY, "b", "none left!", IOTHUB_MESSAGE_ERROR, LITERAL("\2\xC3\xA9\0" "\0b\0" "exactly 9\0" "\3nineteen characters\0") }
};

static void properties(void)
{
    about("properties, one change after the other");
    wrap(38);
    for (row = 0; row < COUNT(changes); ++row) {
        int result;
        switch (changes[row].what) {
        case PROPERTY: result = (int)IoTHubMessage_SetProperty(message, changes[row].name, changes[row].value); break;
        case MESSAGE_ID: result = (int)IoTHubMessage_SetMessageId(message, changes[row].value); break;
        case CORRELATION_ID: result = (int)IoTHubMessage_SetCorrelationId(message, changes[row].value); break;
        default: result = (int)Map_Delete(IoTHubMessage_Properties(message), changes[row].name); break;
        }
        CHECK_NUMBER(result, changes[row].result);
        check_bytes(message->map.bytes, message->map.used, changes[row].map, changes[row].size, TEXT("map"), __LINE__);
    }
    CHECK_TEXT(IoTHubMessage_GetProperty(message, "b"), "exactly 9");
    CHECK_TEXT(IoTHubMessage_GetMessageId(message), "\xC3\xA9");
    CHECK(IoTHubMessage_GetProperty(message, "a") == NULL);
    CHECK(IoTHubMessage_GetInputName(message) == NULL);
}

/* char may be signed: the upper half must be refused either way. */
static void printable(void)
{
    char text[] = "a.";
    int c, wrong = 256;
    about("each character of a property is printable ASCII or refused");
    wrap(16);
    for (c = 1; c < 256; ++c) {
        IOTHUB_MESSAGE_RESULT expected = c >= 0x20 && c <= 0x7E ? IOTHUB_MESSAGE_OK : IOTHUB_MESSAGE_INVALID_TYPE;
        text[1] = (char)(unsigned char)c;
        if (IoTHubMessage_SetProperty(message, "k", text) != expected) {
            wrong = c;
        }
        message->map.used = 0;
        if (IoTHubMessage_SetProperty(message, text, "v") != expected) {
            wrong = c;
        }
        message->map.used = 0;
    }
    CHECK_NUMBER(wrong, 256);
}

static void values_from_within(void)
{
    about("a value that points into the same message arrives whole");
    wrap(64);
    IoTHubMessage_SetCorrelationId(message, "c");
    IoTHubMessage_SetMessageId(message, "the id");
    CHECK_NUMBER(IoTHubMessage_SetCorrelationId(message, IoTHubMessage_GetMessageId(message)), IOTHUB_MESSAGE_OK);
    CHECK_MAP("\3the id\0" "\2the id\0");
    CHECK_NUMBER(IoTHubMessage_SetMessageId(message, IoTHubMessage_GetMessageId(message) + 4), IOTHUB_MESSAGE_OK);
    CHECK_MAP("\3the id\0" "\2id\0");
    CHECK_NUMBER(IoTHubMessage_SetContentTypeSystemProperty(message, IoTHubMessage_GetMessageId(message)), IOTHUB_MESSAGE_OK);
    CHECK_MAP("\3the id\0" "\2id\0" "\4id\0");
}

static void pairs(void)
{
    IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA data;
    char id[] = "x", long_id[] = "much longer", time[] = "1700000000";
    about("two properties are set both or neither");
    wrap(70);
    data.diagnosticId = id;
    data.diagnosticCreationTimeUtc = time;
    CHECK_NUMBER(IoTHubMessage_SetDiagnosticPropertyData(message, &data), IOTHUB_MESSAGE_OK);
    CHECK_MAP("\11x\0" "\12" "1700000000\0");
    data.diagnosticId = long_id;
    CHECK_NUMBER(IoTHubMessage_SetDiagnosticPropertyData(message, &data), IOTHUB_MESSAGE_OK);
    CHECK_MAP("\11much longer\0" "\12" "1700000000\0");
    CHECK_TEXT(IoTHubMessage_GetDiagnosticPropertyData(message)->diagnosticCreationTimeUtc, "1700000000");
    CHECK_NUMBER(IoTHubMessage_SetAsSecurityMessage(message), IOTHUB_MESSAGE_ERROR);       /* 57 bytes into 45 */
    CHECK(!IoTHubMessage_IsSecurityMessage(message));
    CHECK_MAP("\11much longer\0" "\12" "1700000000\0");
    wrap(57);
    CHECK_NUMBER(IoTHubMessage_SetAsSecurityMessage(message), IOTHUB_MESSAGE_OK);
    CHECK(IoTHubMessage_IsSecurityMessage(message));
    CHECK_MAP("\7urn:azureiot:Security:SecurityAgent:1\0" "\5application/json\0");
}

/* Pointers have 2, 4 or 8 bytes. */
static void arrays(void)
{
    static const char value[] = "xx";
    const char *const *keys = NULL, *const *values = NULL;
    size_t size, count = 0;
    about("the arrays of a map are aligned and need room for two pointers an entry");
    for (size = 0; size <= 2; ++size) {
        wrap(120);
        IoTHubMessage_SetProperty(message, "a", value + size);
        IoTHubMessage_SetMessageId(message, "i");
        IoTHubMessage_SetProperty(message, "b", "y");
        CHECK_NUMBER(Map_GetInternals(IoTHubMessage_Properties(message), &keys, &values, &count), MAP_OK);
        CHECK_NUMBER(count, 2);
        CHECK((size_t)keys % sizeof(char *) == 0);
        CHECK_TEXT(keys[0], "a");
        CHECK_TEXT(keys[1], "b");
        CHECK_TEXT(values[0], value + size);
        CHECK_TEXT(values[1], "y");
        message->map.room = (size_t)((const unsigned char *)keys - message->map.bytes) + 4u * sizeof(char *);
        CHECK_NUMBER(Map_GetInternals(IoTHubMessage_Properties(message), &keys, &values, &count), MAP_OK);
        --message->map.room;
        CHECK_NUMBER(Map_GetInternals(IoTHubMessage_Properties(message), &keys, &values, &count), MAP_ERROR);
    }
}

static void wrapping(void)
{
    size_t shift, size, wrong = 0;
    about("storage that is misaligned or too small is refused, all other is taken");
    for (shift = 0; shift < 16; ++shift) {
        int aligned = shift % ALIGNMENT == 0;
        wrong += (IoTHubMessage_Wrap(storage.bytes + shift, HEAD + 8u, NULL, 0) != NULL) != aligned;
    }
    CHECK_NUMBER(wrong, 0);
    for (size = 0; size < HEAD; ++size) {
        wrong += IoTHubMessage_Wrap(storage.bytes, size, NULL, 0) != NULL;
    }
    CHECK_NUMBER(wrong, 0);
    CHECK(IoTHubMessage_Wrap(storage.bytes, HEAD, NULL, 1) == NULL);
    CHECK(IoTHubMessage_Wrap(storage.bytes, HEAD, NULL, 0) != NULL);
}

static void pool(void)
{
    IOTHUB_MESSAGE_HANDLE first, clone;
    const unsigned char *body = NULL;
    size_t size = 0, most = IOTHUB_POOL_MESSAGE_SIZE - HEAD - 1u;
    about("the pool takes what fits a slot, and says how much is missing");
    first = IoTHubMessage_CreateFromByteArray((const unsigned char *)"\x00\x01\xFF", 3);
    CHECK(first != NULL);
    IoTHubMessage_SetProperty(first, "k", "v");
    clone = IoTHubMessage_Clone(first);
    CHECK(clone != NULL && clone != first);
    CHECK_NUMBER(IoTHubMessage_GetByteArray(clone, &body, &size), IOTHUB_MESSAGE_OK);
    CHECK_BYTES(body, size, "\x00\x01\xFF");
    CHECK_BYTES(clone->map.bytes, clone->map.used, "\0k\0v\0");
    IoTHubMessage_Destroy(clone);
    IoTHubMessage_Destroy(first);
    CHECK(IoTHubMessage_CreateFromByteArray(storage.bytes, most + 3u) == NULL);
    CHECK_NUMBER(iothubi_creation_error.code, IOTHUB_CODE_POOL_TOO_SMALL);
    CHECK_NUMBER(iothubi_creation_error.bytes_missing, 3);
    CHECK(IoTHubMessage_CreateFromByteArray(storage.bytes, (size_t)-1) == NULL);
    CHECK(IoTHubMessage_CreateFromByteArray(storage.bytes, (size_t)-2) == NULL);
    clone = IoTHubMessage_CreateFromString("text");
    CHECK_TEXT(IoTHubMessage_GetString(clone), "text");
    IoTHubMessage_Destroy(clone);
}

void vectors(void)
{
    properties();
    printable();
    values_from_within();
    pairs();
    arrays();
    wrapping();
    pool();
}
