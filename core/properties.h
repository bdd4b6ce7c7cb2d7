/* ---- properties: the texts of Plug and Play ----------------------------------------------------------------------- */
/* Writes property updates and reads what a twin says, as text in memory; it knows no client. What the SDK allocates comes out
   of the pool of messages, or lies in memory of the caller's. */
#include "json.h"
#include "message.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_NO_PROPERTIES) && !defined(IOTHUBI_PROPERTIES_H)
#define IOTHUBI_PROPERTIES_H

/* ---- writing ---- */

/* What is to be written: either reported or responses is NULL. */
typedef struct iothubi_properties_tag {
    const IOTHUB_CLIENT_PROPERTY_REPORTED *reported;
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *responses;
    size_t count;
    const char *component;                       /* NULL: the root component */
} iothubi_properties;

static IOTHUB_CONST char iothubi_properties_component[] = ":{\"__t\":\"c\",";
static IOTHUB_CONST char iothubi_properties_value[] = "{\"value\":";
static IOTHUB_CONST char iothubi_properties_result[] = ",\"ac\":";
static IOTHUB_CONST char iothubi_properties_version[] = ",\"av\":";
static IOTHUB_CONST char iothubi_properties_description[] = ",\"ad\":";

/* What both kinds have in common. */
typedef struct iothubi_property_tag {
    int version;
    const char *name;
    const char *value;
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *response;    /* NULL: the property is reported */
} iothubi_property;

IOTHUBI_PRIVATE void iothubi_properties_at(const iothubi_properties *properties, size_t i, iothubi_property *property)
{
    if (properties->reported != NULL) {
        property->version = properties->reported[i].structVersion;
        property->name = properties->reported[i].name;
        property->value = properties->reported[i].value;
        property->response = NULL;
    } else {
        property->version = properties->responses[i].structVersion;
        property->name = properties->responses[i].name;
        property->value = properties->responses[i].value;
        property->response = &properties->responses[i];
    }
}

IOTHUBI_PRIVATE int iothubi_properties_are_good(const iothubi_properties *properties)
{
    iothubi_property property;
    iothubi_span text;
    size_t i;
    for (i = 0; i < properties->count; ++i) {
        iothubi_properties_at(properties, i, &property);
        if (property.version != 1 || property.name == NULL || property.value == NULL) {
            return 0;
        }
        text.at = property.value;
        text.size = IOTHUB_STRLEN(property.value);
        if (!iothubi_json_is_value(&text)) {
            return 0;
        }
    }
    return i != 0;
}

IOTHUBI_PRIVATE void iothubi_write_signed(iothubi_writer *writer, int value)
{
    if (value < 0) {
        iothubi_write_byte(writer, '-');
    }
    iothubi_write_decimal(writer, value < 0 ? 0u - (uint32_t)value : (uint32_t)value);
}

/* name:value, or name:{"value":value,"ac":result,"av":version,"ad":description}. */
IOTHUBI_PRIVATE void iothubi_properties_write_one(iothubi_writer *writer, const iothubi_property *property)
{
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *response = property->response;
    iothubi_json_write_string(writer, property->name);
    iothubi_write_byte(writer, ':');
    if (response != NULL) {
        IOTHUBI_WRITE_CONST(writer, iothubi_properties_value);
    }
    iothubi_write(writer, property->value, IOTHUB_STRLEN(property->value));
    if (response != NULL) {
        IOTHUBI_WRITE_CONST(writer, iothubi_properties_result);
        iothubi_write_signed(writer, response->result);
        IOTHUBI_WRITE_CONST(writer, iothubi_properties_version);
        iothubi_write_signed(writer, response->ackVersion);
        if (response->description != NULL) {
            IOTHUBI_WRITE_CONST(writer, iothubi_properties_description);
            iothubi_json_write_string(writer, response->description);
        }
        iothubi_write_byte(writer, '}');
    }
}

/* {"name":value,...}, or {"component":{"__t":"c","name":value,...}}. */
IOTHUBI_PRIVATE void iothubi_properties_write(iothubi_writer *writer, const iothubi_properties *properties)
{
    iothubi_property property;
    size_t i;
    iothubi_write_byte(writer, '{');
    if (properties->component != NULL) {
        iothubi_json_write_string(writer, properties->component);
        IOTHUBI_WRITE_CONST(writer, iothubi_properties_component);
    }
    for (i = 0; i < properties->count; ++i) {
        if (i != 0) {
            iothubi_write_byte(writer, ',');
        }
        iothubi_properties_at(properties, i, &property);
        iothubi_properties_write_one(writer, &property);
    }
    if (properties->component != NULL) {
        iothubi_write_byte(writer, '}');
    }
    iothubi_write_byte(writer, '}');
}

/* The text and a NUL. *length: of the text, whether it fits or not. */
IOTHUBI_APART IOTHUB_CLIENT_RESULT iothubi_properties_put(const iothubi_properties *properties, unsigned char *buffer,
    size_t size, size_t *length)
{
    iothubi_writer writer;
    if (length == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    *length = 0;
    if ((buffer == NULL && size != 0) || (properties->reported == NULL && properties->responses == NULL)
        || !iothubi_properties_are_good(properties)) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    iothubi_write_begin(&writer, buffer, 0, size);
    iothubi_properties_write(&writer, properties);
    *length = writer.length;
    if (writer.length >= size) {
        return IOTHUB_CLIENT_INVALID_SIZE;
    }
    buffer[writer.length] = '\0';
    return IOTHUB_CLIENT_OK;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_properties_no_slot(void)
{
    return iothubi_creation_error.code == IOTHUB_CODE_POOL_TOO_SMALL ? IOTHUB_CLIENT_INVALID_SIZE : IOTHUB_CLIENT_ERROR;
}

/* The same, behind the head of a slot of the pool. */
IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_properties_create(const iothubi_properties *properties, unsigned char **text, size_t *length)
{
    struct MAP_HANDLE_DATA_TAG *slot;
    if (text == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    *text = NULL;
    if (iothubi_properties_put(properties, NULL, 0, length) != IOTHUB_CLIENT_INVALID_SIZE) {
        return IOTHUB_CLIENT_INVALID_ARG;        /* measured only; no other answer is a text */
    }
    slot = iothubi_pool_take(sizeof *slot + 1u, *length);
    if (slot == NULL) {
        *length = 0;
        return iothubi_properties_no_slot();
    }
    *text = (unsigned char *)slot + sizeof *slot;
    return iothubi_properties_put(properties, *text, *length + 1u, length);
}

/* Both kinds come down to the same description. */
IOTHUBI_PRIVATE void iothubi_properties_of(iothubi_properties *properties, const IOTHUB_CLIENT_PROPERTY_REPORTED *reported,
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *responses, size_t count, const char *component)
{
    properties->reported = reported;
    properties->responses = responses;
    properties->count = count;
    properties->component = component;
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_CreateReported(const IOTHUB_CLIENT_PROPERTY_REPORTED *properties,
    size_t numProperties, const char *componentName, unsigned char **serializedProperties, size_t *serializedPropertiesLength)
{
    iothubi_properties all;
    iothubi_properties_of(&all, properties, NULL, numProperties, componentName);
    return iothubi_properties_create(&all, serializedProperties, serializedPropertiesLength);
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_CreateWritableResponse(
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *properties, size_t numProperties, const char *componentName,
    unsigned char **serializedProperties, size_t *serializedPropertiesLength)
{
    iothubi_properties all;
    iothubi_properties_of(&all, NULL, properties, numProperties, componentName);
    return iothubi_properties_create(&all, serializedProperties, serializedPropertiesLength);
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_WriteReported(const IOTHUB_CLIENT_PROPERTY_REPORTED *properties,
    size_t numProperties, const char *componentName, unsigned char *buffer, size_t size, size_t *length)
{
    iothubi_properties all;
    iothubi_properties_of(&all, properties, NULL, numProperties, componentName);
    return iothubi_properties_put(&all, buffer, size, length);
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_WriteWritableResponse(
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *properties, size_t numProperties, const char *componentName,
    unsigned char *buffer, size_t size, size_t *length)
{
    iothubi_properties all;
    iothubi_properties_of(&all, NULL, properties, numProperties, componentName);
    return iothubi_properties_put(&all, buffer, size, length);
}

IOTHUB_DEF void IoTHubClient_Properties_Serializer_Destroy(unsigned char *serializedProperties)
{
    if (serializedProperties != NULL) {
        void *slot = serializedProperties - sizeof(struct MAP_HANDLE_DATA_TAG);
        iothubi_pool_release((struct MAP_HANDLE_DATA_TAG *)slot);
    }
}

/* ---- reading ---- */

struct IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_TAG {
    struct MAP_HANDLE_DATA_TAG map;              /* first, for the pool; its bytes take the texts of one property */
    iothubi_span members;                        /* what is left of desired, then of reported */
    iothubi_span component;                      /* what is left of the component that is open; empty: none is */
    iothubi_span component_name;
    iothubi_span reported;                       /* its members, while they are still to come; empty: they are not */
    int version;
    IOTHUB_CLIENT_PROPERTY_TYPE type;            /* of members */
};

IOTHUBI_CHECK(deserializer_head, sizeof(struct IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_TAG) <= IOTHUB_DESERIALIZER_HEAD_BOUND);

/* Names with a meaning; the first two are members of every object that are no properties. */
enum { IOTHUBI_PROPERTIES_VERSION, IOTHUBI_PROPERTIES_COMPONENT_MARK, IOTHUBI_PROPERTIES_DESIRED, IOTHUBI_PROPERTIES_REPORTED };
static IOTHUB_CONST char iothubi_properties_names[] = "$version\0__t\0desired\0reported\0";

/* The members of the first object of this name. Without one, members has none or stays as it is. */
IOTHUBI_PRIVATE void iothubi_properties_find(const iothubi_span *text, int wanted, iothubi_span *members)
{
    iothubi_span rest, name, value;
    iothubi_json_enter(text, &rest);
    while (iothubi_json_member(&rest, &name, &value)) {
        if (iothubi_find_name(iothubi_properties_names, &name) == wanted && iothubi_json_enter(&value, members)) {
            return;
        }
    }
}

IOTHUBI_PRIVATE int iothubi_properties_is_component(const iothubi_span *value)
{
    iothubi_span rest, name, mark;
    if (!iothubi_json_enter(value, &rest)) {
        return 0;
    }
    while (iothubi_json_member(&rest, &name, &mark)) {
        if (iothubi_find_name(iothubi_properties_names, &name) == IOTHUBI_PROPERTIES_COMPONENT_MARK) {
            return mark.size == 3 && mark.at[1] == 'c';      /* "c": no other value of three bytes has it in the middle */
        }
    }
    return 0;
}

IOTHUBI_PRIVATE int iothubi_deserializer_begin(IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader,
    IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE type, const unsigned char *payload, size_t length)
{
    iothubi_json_version scanner;
    iothubi_span text;
    uint32_t version;
    text.at = (const char *)payload;
    text.size = length;
    iothubi_json_version_begin(&scanner, type == IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL ? IOTHUBI_VERSION_OF_TWIN : IOTHUBI_VERSION_OF_PATCH);
    iothubi_json_version_feed(&scanner, payload, length);
    if (iothubi_json_version_result(&scanner, &version) != IOTHUBI_VERSION_FOUND || version > (unsigned int)-1 >> 1
        || !iothubi_json_is_value(&text)) {
        iothubi_error_set(&iothubi_creation_error, IOTHUB_LAYER_CONFIG, IOTHUB_CODE_PROPERTIES_INVALID, 0);
        return 0;
    }
    reader->version = (int)version;
    reader->type = IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE;
    reader->component.size = 0;
    reader->reported.size = 0;
    if (type == IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL) {
        iothubi_properties_find(&text, IOTHUBI_PROPERTIES_DESIRED, &reader->members);
        iothubi_properties_find(&text, IOTHUBI_PROPERTIES_REPORTED, &reader->reported);
    } else {
        iothubi_json_enter(&text, &reader->members);
    }
    return 1;
}

/* The next property of all, and whether it is one of a component that is open. */
IOTHUBI_PRIVATE int iothubi_deserializer_next(IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader, iothubi_span *name, iothubi_span *value)
{
    for (;;) {
        iothubi_span *members = reader->component.size != 0 ? &reader->component : &reader->members;
        if (iothubi_json_member(members, name, value)) {
            int known = iothubi_find_name(iothubi_properties_names, name);
            if (known == IOTHUBI_PROPERTIES_VERSION || known == IOTHUBI_PROPERTIES_COMPONENT_MARK) {
                continue;
            }
            if (members == &reader->component || !iothubi_properties_is_component(value)) {
                return 1;
            }
            reader->component_name = *name;
            iothubi_json_enter(value, &reader->component);
        } else if (members == &reader->component) {
            reader->component.size = 0;
        } else if (reader->reported.size != 0) {
            reader->members = reader->reported;
            reader->reported.size = 0;
            reader->type = IOTHUB_CLIENT_PROPERTY_TYPE_REPORTED_FROM_CLIENT;
        } else {
            return 0;
        }
    }
}

/* What was written since start, with a NUL; NULL when it found no room. */
IOTHUBI_PRIVATE const char *iothubi_deserializer_text(const struct MAP_HANDLE_DATA_TAG *map, iothubi_writer *writer, size_t start)
{
    iothubi_write_byte(writer, 0);
    return writer->length <= map->room ? (const char *)map->bytes + start : NULL;
}

/* Copies the texts of a property behind each other. */
IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_deserializer_tell(IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader,
    const iothubi_span *name, const iothubi_span *value, IOTHUB_CLIENT_PROPERTY_PARSED *property)
{
    const struct MAP_HANDLE_DATA_TAG *map = &reader->map;
    iothubi_writer writer;
    size_t start = 0;
    iothubi_write_begin(&writer, map->bytes, 0, map->room);
    property->propertyType = reader->type;
    property->componentName = NULL;
    if (reader->component.size != 0) {
        iothubi_json_write_meaning(&writer, &reader->component_name);
        property->componentName = iothubi_deserializer_text(map, &writer, start);
        start = writer.length;
    }
    iothubi_json_write_meaning(&writer, name);
    property->name = iothubi_deserializer_text(map, &writer, start);
    start = writer.length;
    iothubi_write(&writer, value->at, value->size);
    property->valueType = IOTHUB_CLIENT_PROPERTY_VALUE_STRING;
    property->value.str = iothubi_deserializer_text(map, &writer, start);
    property->valueLength = value->size;
    if (property->value.str != NULL) {
        return IOTHUB_CLIENT_OK;
    }
    iothubi_error_missing(&iothubi_creation_error, map->slot != 0 ? IOTHUB_CODE_POOL_TOO_SMALL : IOTHUB_CODE_BLOCK_TOO_SMALL,
        writer.length - map->room);
    return IOTHUB_CLIENT_INVALID_SIZE;
}

IOTHUBI_PRIVATE int iothubi_deserializer_can(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE type, const unsigned char *payload, size_t length)
{
    return (type == IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL || type == IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES)
        && payload != NULL && length != 0;
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_Create(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE payloadType,
    const unsigned char *payload, size_t payloadLength, IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE *propertiesDeserializerHandle)
{
    struct MAP_HANDLE_DATA_TAG *slot;
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader;
    if (propertiesDeserializerHandle == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    *propertiesDeserializerHandle = NULL;
    if (!iothubi_deserializer_can(payloadType, payload, payloadLength)) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    slot = iothubi_pool_take(sizeof *slot, sizeof *reader - sizeof *slot);
    if (slot == NULL) {
        return iothubi_properties_no_slot();
    }
    reader = (IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE)(void *)slot;
    if (!iothubi_deserializer_begin(reader, payloadType, payload, payloadLength)) {
        iothubi_pool_release(slot);
        return IOTHUB_CLIENT_ERROR;
    }
    *propertiesDeserializerHandle = reader;
    return IOTHUB_CLIENT_OK;
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_CreateInPlace(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE payloadType,
    const unsigned char *payload, size_t payloadLength, void *storage, size_t storage_size,
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE *propertiesDeserializerHandle)
{
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE reader = (IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE)storage;
    if (propertiesDeserializerHandle == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    *propertiesDeserializerHandle = NULL;
    if (!iothubi_deserializer_can(payloadType, payload, payloadLength) || storage == NULL || (size_t)storage % IOTHUBI_ALIGNMENT != 0) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    if (storage_size < sizeof *reader) {
        iothubi_error_missing(&iothubi_creation_error, IOTHUB_CODE_BLOCK_TOO_SMALL, sizeof *reader - storage_size);
        return IOTHUB_CLIENT_INVALID_SIZE;
    }
    IOTHUB_MEMSET(&reader->map, 0, sizeof reader->map);
    reader->map.bytes = (unsigned char *)storage + sizeof *reader;
    reader->map.room = storage_size - sizeof *reader;
    if (!iothubi_deserializer_begin(reader, payloadType, payload, payloadLength)) {
        return IOTHUB_CLIENT_ERROR;
    }
    *propertiesDeserializerHandle = reader;
    return IOTHUB_CLIENT_OK;
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_GetVersion(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle, int *propertiesVersion)
{
    if (propertiesDeserializerHandle == NULL || propertiesVersion == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    *propertiesVersion = propertiesDeserializerHandle->version;
    return IOTHUB_CLIENT_OK;
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_GetNext(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle, IOTHUB_CLIENT_PROPERTY_PARSED *property,
    IOTHUB_BOOL *propertySpecified)
{
    iothubi_span name, value;
    if (propertiesDeserializerHandle == NULL || property == NULL || propertySpecified == NULL
        || property->structVersion != IOTHUB_CLIENT_PROPERTY_PARSED_STRUCT_VERSION_1) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    *propertySpecified = iothubi_deserializer_next(propertiesDeserializerHandle, &name, &value) != 0;
    return *propertySpecified ? iothubi_deserializer_tell(propertiesDeserializerHandle, &name, &value, property) : IOTHUB_CLIENT_OK;
}

IOTHUB_DEF void IoTHubClient_Properties_DeserializerProperty_Destroy(IOTHUB_CLIENT_PROPERTY_PARSED *property)
{
    if (property != NULL) {
        property->value.str = NULL;
        property->valueLength = 0;
    }
}

IOTHUB_DEF void IoTHubClient_Properties_Deserializer_Destroy(IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle)
{
    if (propertiesDeserializerHandle != NULL) {
        iothubi_pool_release(&propertiesDeserializerHandle->map);
    }
}

#endif
