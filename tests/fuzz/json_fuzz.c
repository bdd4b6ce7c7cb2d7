/* JSON: whatever is good JSON, scanner and walker must agree about its version, however it is split; what the deserializer
   tells fits the room that is promised to be enough, and every value that it tells is good JSON, written and read again the
   same. The first byte of the input says how to split and what the rest is. */
#define IOTHUB_IMPLEMENTATION
#include "core/properties.h"
#include <stdlib.h>

const unsigned long fuzz_work = 700;             /* basic blocks for each byte of input, at most (replay.c counts them) */

static const uint32_t none = 0xFFFFFFFFu, too_large = 0xFFFFFFFEu;   /* as versions; both are rare enough */

static uint32_t by_scanner(const uint8_t *bytes, size_t size, int of, size_t step)
{
    iothubi_json_version scanner;
    uint32_t number;
    size_t at;
    iothubi_json_version_begin(&scanner, of);
    for (at = 0; at < size; at += step) {
        iothubi_json_version_feed(&scanner, bytes + at, size - at < step ? size - at : step);
        if (scanner.at >= sizeof iothubi_version_path) abort();
    }
    switch (iothubi_json_version_result(&scanner, &number)) {
    case IOTHUBI_VERSION_FOUND: return number;
    case IOTHUBI_VERSION_TOO_LARGE: return too_large;
    case IOTHUBI_VERSION_NONE: return none;
    default: abort();
    }
}

static int is(const iothubi_span *span, const char *text)
{
    return span->size == strlen(text) && memcmp(span->at, text, span->size) == 0;
}

/* The first member with this name and this kind of value. */
static int find(const iothubi_span *object, const char *wanted, int is_object, iothubi_span *value)
{
    iothubi_span rest, name;
    if (!iothubi_json_enter(object, &rest)) return 0;
    while (iothubi_json_member(&rest, &name, value)) {
        if (is(&name, wanted) && (is_object ? *value->at == '{' : iothubi_is_digit(*value->at))) return 1;
    }
    return 0;
}

static uint32_t by_walker(const iothubi_span *text, int of)
{
    iothubi_span object = *text, value;
    uint32_t number;
    size_t digits = 0;
    if (of == IOTHUBI_VERSION_OF_TWIN && !find(text, "desired", 1, &object)) return none;
    if (!find(&object, "$version", 0, &value)) return none;
    while (digits < value.size && iothubi_is_digit(value.at[digits])) ++digits;
    if (!iothubi_read_decimal(value.at, digits, &number)) return too_large;
    return digits == value.size ? number : none;
}

/* A property that was told, told again: as reported, with the name and the value that came. */
static void tell_again(const IOTHUB_CLIENT_PROPERTY_PARSED *told)
{
    IOTHUB_CLIENT_PROPERTY_REPORTED item;
    unsigned char *text;
    size_t length, again;
    iothubi_span whole, members, name, value;
    item.structVersion = 1;
    item.name = told->name;
    item.value = told->value.str;
    if (IoTHubClient_Properties_Serializer_WriteReported(&item, 1, told->componentName, NULL, 0, &length) != IOTHUB_CLIENT_INVALID_SIZE) {
        return;                                  /* a NUL inside ended the value early */
    }
    text = (unsigned char *)malloc(length + 1u);
    if (IoTHubClient_Properties_Serializer_WriteReported(&item, 1, told->componentName, text, length + 1u, &again) != IOTHUB_CLIENT_OK
        || again != length || text[length] != 0) abort();
    whole.at = (const char *)text;
    whole.size = length;
    if (!iothubi_json_is_value(&whole) || !iothubi_json_enter(&whole, &members) || !iothubi_json_member(&members, &name, &value)) abort();
    if (told->componentName == NULL && !is(&value, told->value.str)) abort();
    free(text);
}

static void tell(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE type, const uint8_t *bytes, size_t size, uint32_t version)
{
    size_t room = sizeof(struct IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_TAG) + size;
    void *storage = malloc(room);
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader;
    IOTHUB_CLIENT_PROPERTY_PARSED property;
    IOTHUB_BOOL specified;
    iothubi_span text;
    int told;
    text.at = (const char *)bytes;
    text.size = size;
    if ((IoTHubClient_Properties_Deserializer_CreateInPlace(type, bytes, size, storage, room, &reader) == IOTHUB_CLIENT_OK)
        != (version <= 0x7FFFFFFFu && iothubi_json_is_value(&text))) abort();
    if (reader != NULL) {
        property.structVersion = 1;
        if (IoTHubClient_Properties_Deserializer_GetVersion(reader, &told) != IOTHUB_CLIENT_OK || (uint32_t)told != version) abort();
        for (;;) {
            if (IoTHubClient_Properties_Deserializer_GetNext(reader, &property, &specified) != IOTHUB_CLIENT_OK) abort();
            if (!specified) break;
            if (strlen(property.value.str) != property.valueLength) abort();
            tell_again(&property);
        }
    }
    free(storage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    iothubi_span text;
    uint32_t version;
    int of;
    if (size < 2) return 0;
    of = data[0] & 1 ? IOTHUBI_VERSION_OF_PATCH : IOTHUBI_VERSION_OF_TWIN;
    text.at = (const char *)data + 1;
    text.size = size - 1;
    version = by_scanner(data + 1, size - 1, of, size);
    if (by_scanner(data + 1, size - 1, of, 1u + data[0] / 2u % 16u) != version) abort();
    if (iothubi_json_is_value(&text) && by_walker(&text, of) != version) abort();
    tell(of == IOTHUBI_VERSION_OF_TWIN ? IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL : IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES, data + 1, size - 1, version);
    return 0;
}
