/* The texts of Plug and Play: what is written, what is read. */

#include "check.h"

const char room[] = "properties";

/* ---- writing ---- */

static const IOTHUB_CLIENT_PROPERTY_REPORTED reported[] = { { 1, "serial", "\"a\\\"b\"" }, { 1, "gr\"\n", " { \"x\" : [ 1 ] } " } };
static const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE responses[] = {
    { 1, "target", "21.5", 200, 32767, NULL },
    { 1, "max", "null", -1, -32767, "too \"hot\"" }
};

#define REPORTED "{\"serial\":\"a\\\"b\",\"gr\\\"\\u000A\": { \"x\" : [ 1 ] } }"
#define RESPONSES "{\"t\":{\"__t\":\"c\",\"target\":{\"value\":21.5,\"ac\":200,\"av\":32767}," \
    "\"max\":{\"value\":null,\"ac\":-1,\"av\":-32767,\"ad\":\"too \\\"hot\\\"\"}}}"

static void writing(void)
{
    unsigned char *text = NULL;
    size_t length = 0;
    unsigned char room_for_one[sizeof "{\"serial\":\"a\\\"b\"}"];
    about("reported properties, from the pool");
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_CreateReported(reported, 2, NULL, &text, &length), IOTHUB_CLIENT_OK);
    CHECK_BYTES(text, length, REPORTED);
    CHECK(text[length] == 0);
    IoTHubClient_Properties_Serializer_Destroy(text);
    about("writable responses, from the pool");
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_CreateWritableResponse(responses, 2, "t", &text, &length), IOTHUB_CLIENT_OK);
    CHECK_BYTES(text, length, RESPONSES);
    IoTHubClient_Properties_Serializer_Destroy(text);
    about("into a buffer, behind a response");
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_WriteWritableResponse(responses, 2, "t", NULL, 0, &length), IOTHUB_CLIENT_INVALID_SIZE);
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_WriteReported(reported, 1, NULL, room_for_one, sizeof room_for_one, &length), IOTHUB_CLIENT_OK);
    CHECK_BYTES(room_for_one, length, "{\"serial\":\"a\\\"b\"}");
    CHECK(room_for_one[length] == 0);
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_WriteReported(reported, 1, NULL, room_for_one, sizeof room_for_one - 1u, &length), IOTHUB_CLIENT_INVALID_SIZE);
    CHECK_NUMBER(length, sizeof room_for_one - 1u);
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_WriteWritableResponse(responses, 2, "t", NULL, 0, &length), IOTHUB_CLIENT_INVALID_SIZE);
    CHECK_NUMBER(length, sizeof RESPONSES - 1u);
}

static void wrong_arguments(void)
{
    IOTHUB_CLIENT_PROPERTY_REPORTED item;
    unsigned char *text;
    size_t length;
    about("wrong arguments");
    item = reported[0];
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_CreateReported(NULL, 1, NULL, &text, &length), IOTHUB_CLIENT_INVALID_ARG);
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_CreateReported(&item, 0, NULL, &text, &length), IOTHUB_CLIENT_INVALID_ARG);
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_CreateReported(&item, 1, NULL, NULL, &length), IOTHUB_CLIENT_INVALID_ARG);
    item.value = "21.5,";
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_CreateReported(&item, 1, NULL, &text, &length), IOTHUB_CLIENT_INVALID_ARG);
    item.value = "21.5";
    item.structVersion = 2;
    CHECK_NUMBER(IoTHubClient_Properties_Serializer_CreateReported(&item, 1, NULL, &text, &length), IOTHUB_CLIENT_INVALID_ARG);
    CHECK(text == NULL);
    CHECK_NUMBER(length, 0);
}

/* ---- reading ---- */

static const char twin[] = "{\"reported\":{\"t\":{\"max\":-1,\"__t\":\"c\"},\"$version\":17},"
    "\"desired\":{\"a\\u0041\":[ 1 ],\"t\":{\"__t\":\"c\",\"s\":\"\\\"\"},\"o\":{\"__t\":\"d\"},\"$version\":32767}}";

static const struct { int type; const char *component, *name, *value; } expected[] = {
    { IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE, NULL, "aA", "[ 1 ]" },
    { IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE, "t", "s", "\"\\\"\"" },
    { IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE, NULL, "o", "{\"__t\":\"d\"}" },
    { IOTHUB_CLIENT_PROPERTY_TYPE_REPORTED_FROM_CLIENT, "t", "max", "-1" }
};

static union { void *alignment; unsigned char bytes[IOTHUB_DESERIALIZER_HEAD_BOUND + 16u]; } storage;

static void reading(void)
{
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader = NULL;
    IOTHUB_CLIENT_PROPERTY_PARSED property;
    IOTHUB_BOOL specified = 0;
    int version = 0;
    about("a twin");
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_CreateInPlace(IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL, (const unsigned char *)twin,
        sizeof twin - 1u, storage.bytes, sizeof storage.bytes, &reader), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_GetVersion(reader, &version), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(version, 32767);
    property.structVersion = 2;
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified), IOTHUB_CLIENT_INVALID_ARG);
    property.structVersion = 1;
    for (row = 0; row < COUNT(expected); ++row) {
        CHECK_NUMBER(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified), IOTHUB_CLIENT_OK);
        CHECK(specified);
        CHECK_NUMBER(property.propertyType, expected[row].type);
        CHECK((property.componentName != NULL) == (expected[row].component != NULL));
        CHECK_TEXT(property.componentName != NULL ? property.componentName : "", expected[row].component != NULL ? expected[row].component : "");
        CHECK_TEXT(property.name, expected[row].name);
        CHECK_TEXT(property.value.str, expected[row].value);
        CHECK_NUMBER(property.valueLength, IOTHUB_STRLEN(expected[row].value));
    }
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified), IOTHUB_CLIENT_OK);
    CHECK(!specified);
    IoTHubClient_Properties_Deserializer_Destroy(reader);
}

static const struct { int type; const char *payload; int result; } payloads[] = {
    { IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, "{\"$version\":1}", IOTHUB_CLIENT_OK },
    { IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL, "{\"$version\":1}", IOTHUB_CLIENT_ERROR },
    { IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, "{\"a\":1}", IOTHUB_CLIENT_ERROR },
    { IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, "{\"$version\":2147483648}", IOTHUB_CLIENT_ERROR },
    { IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, "{\"$version\":1,}", IOTHUB_CLIENT_ERROR },
    { IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, "", IOTHUB_CLIENT_INVALID_ARG },
    { 2, "{\"$version\":1}", IOTHUB_CLIENT_INVALID_ARG }     /* no such type; C++ has no such value */
};

static void judging(void)
{
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader;
    for (row = 0; row < COUNT(payloads); ++row) {
        subject = payloads[row].payload;
        CHECK_NUMBER(IoTHubClient_Properties_Deserializer_Create((IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE)payloads[row].type,
            (const unsigned char *)subject, IOTHUB_STRLEN(subject), &reader), payloads[row].result);
        CHECK((reader != NULL) == (payloads[row].result == IOTHUB_CLIENT_OK));
        IoTHubClient_Properties_Deserializer_Destroy(reader);
    }
    about("a version one over the largest int");
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_Create(IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES,
        (const unsigned char *)"{\"$version\":32768}", 18, &reader), sizeof(int) == 2 ? IOTHUB_CLIENT_ERROR : IOTHUB_CLIENT_OK);
    IoTHubClient_Properties_Deserializer_Destroy(reader);
}

/* Room for "t", "s" and no value; the next property is not lost. */
static void too_little_room(void)
{
    static const char patch[] = "{\"t\":{\"__t\":\"c\",\"s\":\"value\",\"n\":2},\"$version\":1}";
    const size_t head = sizeof(struct IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_TAG);
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader = NULL;
    IOTHUB_CLIENT_PROPERTY_PARSED property;
    IOTHUB_BOOL specified = 0;
    about("too little room");
    property.structVersion = 1;
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_CreateInPlace(IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, (const unsigned char *)patch,
        sizeof patch - 1u, storage.bytes, head + 6u, &reader), IOTHUB_CLIENT_OK);
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified), IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(specified);
    CHECK_TEXT(property.componentName, "t");
    CHECK_TEXT(property.name, "s");
    CHECK(property.value.str == NULL);
    CHECK_NUMBER(property.valueLength, 7);
    CHECK_NUMBER(iothubi_creation_error.bytes_missing, 6);
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified), IOTHUB_CLIENT_OK);
    CHECK_TEXT(property.value.str, "2");
    CHECK_NUMBER(IoTHubClient_Properties_Deserializer_CreateInPlace(IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, (const unsigned char *)patch,
        sizeof patch - 1u, storage.bytes, head - 1u, &reader), IOTHUB_CLIENT_INVALID_SIZE);
    CHECK_NUMBER(iothubi_creation_error.bytes_missing, 1);
}

void vectors(void)
{
    writing();
    wrong_arguments();
    reading();
    judging();
    too_little_room();
}
