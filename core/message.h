/* ---- message: bodies and properties ------------------------------------------------------------------------------ */
/* A message is a head, a body and a map: properties as text in one stretch of bytes, in order of insertion. It knows no
   transport; which properties travel, and under which names, is the transport's business. */
#include "error.h"
#include "text.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MESSAGE_H)
#define IOTHUBI_MESSAGE_H

/* The tag of a map entry: an application property, or which system property. */
enum {
    IOTHUBI_PROPERTY_APPLICATION,
    IOTHUBI_PROPERTY_OUTPUT_NAME,
    IOTHUBI_PROPERTY_MESSAGE_ID,
    IOTHUBI_PROPERTY_CORRELATION_ID,
    IOTHUBI_PROPERTY_CONTENT_TYPE,
    IOTHUBI_PROPERTY_CONTENT_ENCODING,
    IOTHUBI_PROPERTY_CREATION_TIME,
    IOTHUBI_PROPERTY_INTERFACE_ID,
    IOTHUBI_PROPERTY_COMPONENT_NAME,
    IOTHUBI_PROPERTY_DIAGNOSTIC_ID,
    IOTHUBI_PROPERTY_DIAGNOSTIC_TIME,
    IOTHUBI_PROPERTY_LAST_SENT = IOTHUBI_PROPERTY_DIAGNOSTIC_TIME,
    IOTHUBI_PROPERTY_USER_ID,                    /* from here on: set on received messages, never sent */
    IOTHUBI_PROPERTY_INPUT_NAME,
    IOTHUBI_PROPERTY_CONNECTION_DEVICE_ID,
    IOTHUBI_PROPERTY_CONNECTION_MODULE_ID,
    IOTHUBI_PROPERTY_METHOD_NAME,                /* from here on: of what arrives beside messages */
    IOTHUBI_PROPERTY_REQUEST_ID,
    IOTHUBI_PROPERTY_VERSION,
    IOTHUBI_PROPERTY_RETRY_AFTER
};

enum { IOTHUBI_MAP_ALONE, IOTHUBI_MAP_OF_BYTES, IOTHUBI_MAP_OF_STRING };

/* Entries: tag, then name NUL value NUL for an application property, value NUL for a system property. */
struct MAP_HANDLE_DATA_TAG {
    unsigned char *bytes;
    size_t used;
    size_t room;
    MAP_FILTER_CALLBACK filter;                  /* of one that is alone */
    unsigned char kind;                          /* of a message (and its type), or alone */
    unsigned char slot;                          /* in the pool, from 1; 0: in storage of the caller's */
};

struct IOTHUB_MESSAGE_HANDLE_DATA_TAG {
    struct MAP_HANDLE_DATA_TAG map;              /* first, so that pool slots hold either */
    const unsigned char *body;
    size_t body_size;
    IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA diagnostic; /* filled by its getter */
};

IOTHUBI_CHECK(message_head, sizeof(struct IOTHUB_MESSAGE_HANDLE_DATA_TAG) <= IOTHUB_MESSAGE_HEAD_BOUND);

/* ---- map entries ---- */

typedef struct iothubi_entry_tag {
    const char *name;                            /* NULL for a system property */
    const char *value;
    size_t name_size;
    size_t value_size;
    int tag;
} iothubi_entry;

/* Reads the entry at *at and moves *at behind it. False at the end. */
IOTHUBI_PRIVATE int iothubi_map_next(const struct MAP_HANDLE_DATA_TAG *map, size_t *at, iothubi_entry *entry)
{
    const char *text;
    if (*at >= map->used) {
        return 0;
    }
    entry->tag = map->bytes[(*at)++];            /* SDCC's 8051 code misreads what follows when text itself is moved on */
    text = (const char *)map->bytes + *at;
    entry->name = NULL;
    entry->name_size = 0;
    if (entry->tag == IOTHUBI_PROPERTY_APPLICATION) {
        entry->name = text;
        entry->name_size = IOTHUB_STRLEN(text);
        text += entry->name_size + 1u;
    }
    entry->value = text;
    entry->value_size = IOTHUB_STRLEN(text);
    *at = (size_t)(text + entry->value_size + 1u - (const char *)map->bytes);
    return 1;
}

/* Finds a property; name is NULL for a system property. *start: where its entry starts. */
IOTHUBI_PRIVATE int iothubi_map_find(const struct MAP_HANDLE_DATA_TAG *map, int tag, const char *name,
    iothubi_entry *entry, size_t *start)
{
    size_t at = 0, size = name != NULL ? IOTHUB_STRLEN(name) : 0;
    *start = 0;
    while (iothubi_map_next(map, &at, entry)) {
        if (entry->tag == tag && entry->name_size == size && (size == 0 || IOTHUB_MEMCMP(entry->name, name, size) == 0)) {
            return 1;
        }
        *start = at;
    }
    return 0;
}

IOTHUBI_PRIVATE const char *iothubi_map_get(const struct MAP_HANDLE_DATA_TAG *map, int tag, const char *name)
{
    iothubi_entry entry;
    size_t start;
    return iothubi_map_find(map, tag, name, &entry, &start) ? entry.value : NULL;
}

/* Exchanges a value in place. value may point into the map itself: msg's correlation id may be set to its message id. */
IOTHUBI_PRIVATE int iothubi_map_replace(struct MAP_HANDLE_DATA_TAG *map, const iothubi_entry *entry, const char *value)
{
    char *to = (char *)map->bytes + (entry->value - (const char *)map->bytes);
    char *tail = to + entry->value_size + 1u, *end = (char *)map->bytes + map->used;
    size_t size = IOTHUB_STRLEN(value);
    if (size > entry->value_size) {
        size_t more = size - entry->value_size;
        if (more > map->room - map->used) {
            return 0;
        }
        IOTHUB_MEMMOVE(tail + more, tail, (size_t)(end - tail));
        if (value >= tail && value < end) {
            value += more;                       /* it has just moved */
        }
        IOTHUB_MEMMOVE(to, value, size);
    } else {
        IOTHUB_MEMMOVE(to, value, size);
        IOTHUB_MEMMOVE(to + size + 1u, tail, (size_t)(end - tail));
    }
    to[size] = '\0';
    map->used = map->used - entry->value_size + size;
    return 1;
}

/* Adds an entry at the end. False, and nothing changed, when there is no room. */
IOTHUBI_PRIVATE int iothubi_map_add(struct MAP_HANDLE_DATA_TAG *map, int tag, const char *name, const char *value)
{
    iothubi_writer writer;
    size_t room = map->room - map->used;
    iothubi_write_begin(&writer, map->bytes + map->used, 0, room);
    iothubi_write_byte(&writer, (unsigned int)tag);
    if (name != NULL) {
        iothubi_write(&writer, name, IOTHUB_STRLEN(name) + 1u);
    }
    iothubi_write(&writer, value, IOTHUB_STRLEN(value) + 1u);
    if (writer.length > room) {
        return 0;
    }
    map->used += writer.length;
    return 1;
}

/* Adds a property or replaces its value. False, and nothing changed, when there is no room. */
IOTHUBI_PRIVATE int iothubi_map_set(struct MAP_HANDLE_DATA_TAG *map, int tag, const char *name, const char *value)
{
    iothubi_entry entry;
    size_t start;
    return iothubi_map_find(map, tag, name, &entry, &start) ? iothubi_map_replace(map, &entry, value)
        : iothubi_map_add(map, tag, name, value);
}

/* Removes a property if its entry starts before limit. Answers how many bytes went. */
IOTHUBI_PRIVATE size_t iothubi_map_remove(struct MAP_HANDLE_DATA_TAG *map, int tag, const char *name, size_t limit)
{
    iothubi_entry entry;
    size_t start, end;
    if (!iothubi_map_find(map, tag, name, &entry, &start) || start >= limit) {
        return 0;
    }
    end = (size_t)(entry.value + entry.value_size + 1u - (const char *)map->bytes);
    IOTHUB_MEMMOVE(map->bytes + start, map->bytes + end, map->used - end);
    map->used -= end - start;
    return end - start;
}

/* IoT Hub takes property names and values of printable ASCII only ("Create and read IoT Hub messages"). */
IOTHUBI_PRIVATE int iothubi_printable_filter(const char *name, const char *value)
{
    for (; *name != '\0'; ++name) {
        if (*name < 0x20 || *name > 0x7E) {
            return 1;
        }
    }
    for (; *value != '\0'; ++value) {
        if (*value < 0x20 || *value > 0x7E) {
            return 1;
        }
    }
    return 0;
}

/* ---- the pool of messages and maps ---- */

#if IOTHUB_POOL_MESSAGES > 0
typedef union iothubi_message_slot_tag {
    struct IOTHUB_MESSAGE_HANDLE_DATA_TAG message;
    unsigned char bytes[IOTHUB_POOL_MESSAGE_SIZE];
} iothubi_message_slot;
static iothubi_message_slot iothubi_message_pool[IOTHUB_POOL_MESSAGES];
static unsigned char iothubi_message_pool_used[IOTHUB_POOL_MESSAGES];
IOTHUBI_CHECK(pool_message_size, IOTHUB_POOL_MESSAGE_SIZE > sizeof(struct IOTHUB_MESSAGE_HANDLE_DATA_TAG));
IOTHUBI_CHECK(pool_messages, IOTHUB_POOL_MESSAGES < 255);
#endif

/* A slot with an empty map behind head bytes of head and body_size bytes of body. NULL: the creation error says why. */
IOTHUBI_PRIVATE struct MAP_HANDLE_DATA_TAG *iothubi_pool_take(size_t head, size_t body_size)
{
#if IOTHUB_POOL_MESSAGES > 0
    unsigned int i;
    if (body_size > IOTHUB_POOL_MESSAGE_SIZE - head) {
        iothubi_error_missing(&iothubi_creation_error, IOTHUB_CODE_POOL_TOO_SMALL, body_size - (IOTHUB_POOL_MESSAGE_SIZE - head));
        return NULL;
    }
    IOTHUB_LOCK();
    for (i = 0; i < IOTHUB_POOL_MESSAGES && iothubi_message_pool_used[i]; ++i) {
    }
    if (i < IOTHUB_POOL_MESSAGES) {
        iothubi_message_pool_used[i] = 1;
    }
    IOTHUB_UNLOCK();
    if (i < IOTHUB_POOL_MESSAGES) {
        struct MAP_HANDLE_DATA_TAG *map = &iothubi_message_pool[i].message.map;
        IOTHUB_MEMSET(map, 0, head);
        map->bytes = iothubi_message_pool[i].bytes + head + body_size;
        map->room = IOTHUB_POOL_MESSAGE_SIZE - head - body_size;
        map->slot = (unsigned char)(i + 1u);
        return map;
    }
#else
    (void)head;
    (void)body_size;
#endif
    iothubi_error_set(&iothubi_creation_error, IOTHUB_LAYER_MEMORY, IOTHUB_CODE_POOL_EMPTY, 0);
    return NULL;
}

IOTHUBI_PRIVATE void iothubi_pool_release(const struct MAP_HANDLE_DATA_TAG *map)
{
#if IOTHUB_POOL_MESSAGES > 0
    if (map->slot != 0) {
        IOTHUB_LOCK();
        iothubi_message_pool_used[map->slot - 1] = 0;
        IOTHUB_UNLOCK();
    }
#else
    (void)map;
#endif
}

/* ---- public: messages ---- */

/* The body is copied and NUL-terminated, so that a string message needs no second form. */
IOTHUBI_PRIVATE IOTHUB_MESSAGE_HANDLE iothubi_message_create(const unsigned char *body, size_t size, int kind)
{
    IOTHUB_MESSAGE_HANDLE message;
    unsigned char *copy;
    struct MAP_HANDLE_DATA_TAG *map;
    if ((body == NULL && size != 0) || size == IOTHUBI_SIZE_MAXIMUM) {
        return NULL;
    }
    map = iothubi_pool_take(sizeof *message, size + 1u);
    if (map == NULL) {
        return NULL;
    }
    message = (IOTHUB_MESSAGE_HANDLE)(void *)map;
    copy = (unsigned char *)message + sizeof *message;
    if (size != 0) {
        IOTHUB_MEMCPY(copy, body, size);
    }
    copy[size] = '\0';
    message->body = size != 0 || kind == IOTHUBI_MAP_OF_STRING ? copy : NULL;
    message->body_size = size;
    map->kind = (unsigned char)kind;
    return message;
}

IOTHUB_DEF IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromByteArray(const unsigned char *byteArray, size_t size)
{
    return iothubi_message_create(byteArray, size, IOTHUBI_MAP_OF_BYTES);
}

IOTHUB_DEF IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromString(const char *source)
{
    return source != NULL
        ? iothubi_message_create((const unsigned char *)source, IOTHUB_STRLEN(source), IOTHUBI_MAP_OF_STRING) : NULL;
}

IOTHUB_DEF IOTHUB_MESSAGE_HANDLE IoTHubMessage_Wrap(void *storage, size_t storage_size, const unsigned char *body, size_t body_size)
{
    IOTHUB_MESSAGE_HANDLE message = (IOTHUB_MESSAGE_HANDLE)storage;
    if (storage == NULL || (size_t)storage % IOTHUBI_ALIGNMENT != 0 || storage_size < sizeof *message
        || (body == NULL && body_size != 0)) {
        return NULL;
    }
    IOTHUB_MEMSET(message, 0, sizeof *message);
    message->body = body_size != 0 ? body : NULL;
    message->body_size = body_size;
    message->map.bytes = (unsigned char *)storage + sizeof *message;
    message->map.room = storage_size - sizeof *message;
    message->map.kind = IOTHUBI_MAP_OF_BYTES;
    return message;
}

IOTHUB_DEF IOTHUB_MESSAGE_HANDLE IoTHubMessage_Clone(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
    IOTHUB_MESSAGE_HANDLE clone;
    if (iotHubMessageHandle == NULL) {
        return NULL;
    }
    clone = iothubi_message_create(iotHubMessageHandle->body, iotHubMessageHandle->body_size, iotHubMessageHandle->map.kind);
    if (clone == NULL) {
        return NULL;
    }
    if (iotHubMessageHandle->map.used > clone->map.room) {
        iothubi_error_missing(&iothubi_creation_error, IOTHUB_CODE_POOL_TOO_SMALL, iotHubMessageHandle->map.used - clone->map.room);
        iothubi_pool_release(&clone->map);
        return NULL;
    }
    IOTHUB_MEMCPY(clone->map.bytes, iotHubMessageHandle->map.bytes, iotHubMessageHandle->map.used);
    clone->map.used = iotHubMessageHandle->map.used;
    return clone;
}

IOTHUB_DEF void IoTHubMessage_Destroy(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
    if (iotHubMessageHandle != NULL) {
        iothubi_pool_release(&iotHubMessageHandle->map);
    }
}

IOTHUB_DEF IOTHUBMESSAGE_CONTENT_TYPE IoTHubMessage_GetContentType(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
    return iotHubMessageHandle == NULL ? IOTHUBMESSAGE_UNKNOWN
        : iotHubMessageHandle->map.kind == IOTHUBI_MAP_OF_STRING ? IOTHUBMESSAGE_STRING : IOTHUBMESSAGE_BYTEARRAY;
}

IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_GetByteArray(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const unsigned char **buffer, size_t *size)
{
    if (IoTHubMessage_GetContentType(iotHubMessageHandle) != IOTHUBMESSAGE_BYTEARRAY || buffer == NULL || size == NULL) {
        return IOTHUB_MESSAGE_INVALID_ARG;
    }
    *buffer = iotHubMessageHandle->body;
    *size = iotHubMessageHandle->body_size;
    return IOTHUB_MESSAGE_OK;
}

IOTHUB_DEF const char *IoTHubMessage_GetString(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
    return IoTHubMessage_GetContentType(iotHubMessageHandle) == IOTHUBMESSAGE_STRING
        ? (const char *)iotHubMessageHandle->body : NULL;
}

IOTHUB_DEF MAP_HANDLE IoTHubMessage_Properties(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
    return iotHubMessageHandle != NULL ? &iotHubMessageHandle->map : NULL;
}

IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *key, const char *value)
{
    if (iotHubMessageHandle == NULL || key == NULL || value == NULL) {
        return IOTHUB_MESSAGE_INVALID_ARG;
    }
    if (iothubi_printable_filter(key, value)) {
        return IOTHUB_MESSAGE_INVALID_TYPE;
    }
    return iothubi_map_set(&iotHubMessageHandle->map, IOTHUBI_PROPERTY_APPLICATION, key, value)
        ? IOTHUB_MESSAGE_OK : IOTHUB_MESSAGE_ERROR;
}

IOTHUB_DEF const char *IoTHubMessage_GetProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *key)
{
    return iotHubMessageHandle != NULL && key != NULL
        ? iothubi_map_get(&iotHubMessageHandle->map, IOTHUBI_PROPERTY_APPLICATION, key) : NULL;
}

IOTHUBI_PRIVATE IOTHUB_MESSAGE_RESULT iothubi_message_set(IOTHUB_MESSAGE_HANDLE message, int tag, const char *value)
{
    if (message == NULL || value == NULL) {
        return IOTHUB_MESSAGE_INVALID_ARG;
    }
    return iothubi_map_set(&message->map, tag, NULL, value) ? IOTHUB_MESSAGE_OK : IOTHUB_MESSAGE_ERROR;
}

IOTHUBI_PRIVATE const char *iothubi_message_get(IOTHUB_MESSAGE_HANDLE message, int tag)
{
    return message != NULL ? iothubi_map_get(&message->map, tag, NULL) : NULL;
}

/* Each system property has the same two functions. */
#define IOTHUBI_SYSTEM_PROPERTY(name, tag) \
    IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_Set##name(IOTHUB_MESSAGE_HANDLE message, const char *value) \
    { return iothubi_message_set(message, tag, value); } \
    IOTHUB_DEF const char *IoTHubMessage_Get##name(IOTHUB_MESSAGE_HANDLE message) \
    { return iothubi_message_get(message, tag); }
IOTHUBI_SYSTEM_PROPERTY(MessageId, IOTHUBI_PROPERTY_MESSAGE_ID)
IOTHUBI_SYSTEM_PROPERTY(CorrelationId, IOTHUBI_PROPERTY_CORRELATION_ID)
IOTHUBI_SYSTEM_PROPERTY(ContentTypeSystemProperty, IOTHUBI_PROPERTY_CONTENT_TYPE)
IOTHUBI_SYSTEM_PROPERTY(ContentEncodingSystemProperty, IOTHUBI_PROPERTY_CONTENT_ENCODING)
IOTHUBI_SYSTEM_PROPERTY(MessageCreationTimeUtcSystemProperty, IOTHUBI_PROPERTY_CREATION_TIME)
IOTHUBI_SYSTEM_PROPERTY(MessageUserIdSystemProperty, IOTHUBI_PROPERTY_USER_ID)
IOTHUBI_SYSTEM_PROPERTY(OutputName, IOTHUBI_PROPERTY_OUTPUT_NAME)
IOTHUBI_SYSTEM_PROPERTY(InputName, IOTHUBI_PROPERTY_INPUT_NAME)
IOTHUBI_SYSTEM_PROPERTY(ConnectionDeviceId, IOTHUBI_PROPERTY_CONNECTION_DEVICE_ID)
IOTHUBI_SYSTEM_PROPERTY(ConnectionModuleId, IOTHUBI_PROPERTY_CONNECTION_MODULE_ID)
IOTHUBI_SYSTEM_PROPERTY(ComponentName, IOTHUBI_PROPERTY_COMPONENT_NAME)
#undef IOTHUBI_SYSTEM_PROPERTY

/* Both or neither. The old ones go when both new ones stand at the end: a value may point into the message itself. */
IOTHUBI_PRIVATE IOTHUB_MESSAGE_RESULT iothubi_message_set_two(IOTHUB_MESSAGE_HANDLE message, int first, const char *first_value,
    int second, const char *second_value)
{
    size_t used;
    if (message == NULL || first_value == NULL || second_value == NULL) {
        return IOTHUB_MESSAGE_INVALID_ARG;
    }
    used = message->map.used;
    if (!iothubi_map_add(&message->map, first, NULL, first_value) || !iothubi_map_add(&message->map, second, NULL, second_value)) {
        message->map.used = used;
        return IOTHUB_MESSAGE_ERROR;
    }
    used -= iothubi_map_remove(&message->map, first, NULL, used);
    iothubi_map_remove(&message->map, second, NULL, used);
    return IOTHUB_MESSAGE_OK;
}

IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetDiagnosticPropertyData(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *diagnosticData)
{
    if (diagnosticData == NULL) {
        return IOTHUB_MESSAGE_INVALID_ARG;
    }
    return iothubi_message_set_two(iotHubMessageHandle, IOTHUBI_PROPERTY_DIAGNOSTIC_ID, diagnosticData->diagnosticId,
        IOTHUBI_PROPERTY_DIAGNOSTIC_TIME, diagnosticData->diagnosticCreationTimeUtc);
}

IOTHUB_DEF const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *IoTHubMessage_GetDiagnosticPropertyData(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
    const char *id = iothubi_message_get(iotHubMessageHandle, IOTHUBI_PROPERTY_DIAGNOSTIC_ID);
    const char *time = iothubi_message_get(iotHubMessageHandle, IOTHUBI_PROPERTY_DIAGNOSTIC_TIME);
    if (id == NULL || time == NULL) {
        return NULL;
    }
    iotHubMessageHandle->diagnostic.diagnosticId = (char *)iotHubMessageHandle->map.bytes + (id - (const char *)iotHubMessageHandle->map.bytes);
    iotHubMessageHandle->diagnostic.diagnosticCreationTimeUtc = (char *)iotHubMessageHandle->map.bytes + (time - (const char *)iotHubMessageHandle->map.bytes);
    return &iotHubMessageHandle->diagnostic;
}

static IOTHUB_CONST char iothubi_security_agent[] = "urn:azureiot:Security:SecurityAgent:1";
static IOTHUB_CONST char iothubi_security_encoding[] = "application/json";

IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetAsSecurityMessage(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
    char agent[sizeof iothubi_security_agent], encoding[sizeof iothubi_security_encoding];
    IOTHUB_CONST_COPY(agent, iothubi_security_agent, sizeof agent);
    IOTHUB_CONST_COPY(encoding, iothubi_security_encoding, sizeof encoding);
    return iothubi_message_set_two(iotHubMessageHandle, IOTHUBI_PROPERTY_INTERFACE_ID, agent, IOTHUBI_PROPERTY_CONTENT_ENCODING, encoding);
}

IOTHUB_DEF IOTHUB_BOOL IoTHubMessage_IsSecurityMessage(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
    return iothubi_message_get(iotHubMessageHandle, IOTHUBI_PROPERTY_INTERFACE_ID) != NULL;
}

/* ---- public: maps ---- */

IOTHUB_DEF MAP_HANDLE Map_Create(MAP_FILTER_CALLBACK mapFilterFunc)
{
    struct MAP_HANDLE_DATA_TAG *map = iothubi_pool_take(sizeof *map, 0);
    if (map != NULL) {
        map->kind = IOTHUBI_MAP_ALONE;
        map->filter = mapFilterFunc;
    }
    return map;
}

/* A message's own map goes with the message only. */
IOTHUB_DEF void Map_Destroy(MAP_HANDLE handle)
{
    if (handle != NULL && handle->kind == IOTHUBI_MAP_ALONE) {
        iothubi_pool_release(handle);
    }
}

IOTHUBI_PRIVATE MAP_FILTER_CALLBACK iothubi_map_filter(const struct MAP_HANDLE_DATA_TAG *map)
{
    return map->kind == IOTHUBI_MAP_ALONE ? map->filter : iothubi_printable_filter;
}

IOTHUB_DEF MAP_HANDLE Map_Clone(MAP_HANDLE handle)
{
    MAP_HANDLE clone;
    iothubi_entry entry;
    size_t at = 0;
    if (handle == NULL) {
        return NULL;
    }
    clone = Map_Create(iothubi_map_filter(handle));
    while (clone != NULL && iothubi_map_next(handle, &at, &entry)) {
        if (entry.tag == IOTHUBI_PROPERTY_APPLICATION && !iothubi_map_set(clone, entry.tag, entry.name, entry.value)) {
            iothubi_pool_release(clone);
            clone = NULL;
        }
    }
    return clone;
}

IOTHUB_DEF MAP_RESULT Map_AddOrUpdate(MAP_HANDLE handle, const char *key, const char *value)
{
    MAP_FILTER_CALLBACK filter;
    if (handle == NULL || key == NULL || value == NULL) {
        return MAP_INVALIDARG;
    }
    filter = iothubi_map_filter(handle);
    if (filter != NULL && filter(key, value) != 0) {
        return MAP_FILTER_REJECT;
    }
    return iothubi_map_set(handle, IOTHUBI_PROPERTY_APPLICATION, key, value) ? MAP_OK : MAP_ERROR;
}

IOTHUB_DEF MAP_RESULT Map_Add(MAP_HANDLE handle, const char *key, const char *value)
{
    if (handle == NULL || key == NULL || value == NULL) {
        return MAP_INVALIDARG;
    }
    return Map_GetValueFromKey(handle, key) != NULL ? MAP_KEYEXISTS : Map_AddOrUpdate(handle, key, value);
}

IOTHUB_DEF MAP_RESULT Map_Delete(MAP_HANDLE handle, const char *key)
{
    if (handle == NULL || key == NULL) {
        return MAP_INVALIDARG;
    }
    return iothubi_map_remove(handle, IOTHUBI_PROPERTY_APPLICATION, key, handle->used) != 0 ? MAP_OK : MAP_KEYNOTFOUND;
}

IOTHUB_DEF const char *Map_GetValueFromKey(MAP_HANDLE handle, const char *key)
{
    return handle != NULL && key != NULL ? iothubi_map_get(handle, IOTHUBI_PROPERTY_APPLICATION, key) : NULL;
}

IOTHUB_DEF MAP_RESULT Map_ContainsKey(MAP_HANDLE handle, const char *key, IOTHUB_BOOL *keyExists)
{
    if (handle == NULL || key == NULL || keyExists == NULL) {
        return MAP_INVALIDARG;
    }
    *keyExists = Map_GetValueFromKey(handle, key) != NULL;
    return MAP_OK;
}

IOTHUB_DEF MAP_RESULT Map_ContainsValue(MAP_HANDLE handle, const char *value, IOTHUB_BOOL *valueExists)
{
    iothubi_entry entry;
    size_t at = 0, size;
    if (handle == NULL || value == NULL || valueExists == NULL) {
        return MAP_INVALIDARG;
    }
    size = IOTHUB_STRLEN(value);
    *valueExists = 0;
    while (iothubi_map_next(handle, &at, &entry)) {
        if (entry.tag == IOTHUBI_PROPERTY_APPLICATION && entry.value_size == size && IOTHUB_MEMCMP(entry.value, value, size) == 0) {
            *valueExists = 1;
        }
    }
    return MAP_OK;
}

IOTHUB_DEF MAP_RESULT Map_GetInternals(MAP_HANDLE handle, const char *const **keys, const char *const **values, size_t *count)
{
    iothubi_entry entry;
    const char **arrays;
    size_t at = 0, start, n = 0, i = 0;
    if (handle == NULL || keys == NULL || values == NULL || count == NULL) {
        return MAP_INVALIDARG;
    }
    while (iothubi_map_next(handle, &at, &entry)) {
        n += entry.tag == IOTHUBI_PROPERTY_APPLICATION;
    }
    *count = n;
    if (n == 0) {                                /* no arrays: no room is needed */
        *keys = *values = NULL;
        return MAP_OK;
    }
    start = handle->used;
    start += (sizeof(char *) - (size_t)(handle->bytes + start) % sizeof(char *)) % sizeof(char *);
    if (start > handle->room || n > (handle->room - start) / (2u * sizeof(char *))) {
        return MAP_ERROR;
    }
    arrays = (const char **)(void *)(handle->bytes + start);
    for (at = 0; iothubi_map_next(handle, &at, &entry);) {
        if (entry.tag == IOTHUBI_PROPERTY_APPLICATION) {
            arrays[i] = entry.name;
            arrays[n + i] = entry.value;
            ++i;
        }
    }
    *keys = arrays;
    *values = arrays + n;
    return MAP_OK;
}

#endif
