/* ---- mqtt/topic: what IoT Hub says in the topics of what it sends -------------------------------------------------- */
/* Reads a topic as it arrives, in pieces of any size: the path says what it is, the property bag behind it becomes a map in the
   inbox. Paths and the names of others are dropped at once, so that only what the application may ask for takes room. */
#include "../../core/identity.h"
#include "../../core/message.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MQTT_TOPIC_H)
#define IOTHUBI_MQTT_TOPIC_H

/* What arrives. */
enum {
    IOTHUBI_KIND_UNKNOWN,
    IOTHUBI_KIND_MESSAGE,                        /* cloud-to-device, or to an input */
    IOTHUBI_KIND_ANSWER,                         /* to a twin request */
    IOTHUBI_KIND_PATCH,                          /* of the desired properties */
    IOTHUBI_KIND_METHOD
};

/* What becomes of its body. */
enum {
    IOTHUBI_BODY_UNDECIDED,                      /* the topic is still being read */
    IOTHUBI_BODY_WHOLE,                          /* it is put together in the inbox */
    IOTHUBI_BODY_IN_PIECES,                      /* it goes to the piece callback */
    IOTHUBI_BODY_SKIPPED,                        /* it finds no room, or cannot be taken now */
    IOTHUBI_BODY_IGNORED                         /* it is nobody's */
};

/* Where in the topic. A segment of the path is text that must be there, or (VALUE_OF_...) somebody's name. */
enum {
    IOTHUBI_AT_ROOT,
    IOTHUBI_AT_VALUE_OF_DEVICE, IOTHUBI_AT_DEVICE, IOTHUBI_AT_MESSAGES,
    IOTHUBI_AT_VALUE_OF_MODULE, IOTHUBI_AT_MODULE, IOTHUBI_AT_VALUE_OF_INPUT,
    IOTHUBI_AT_HUB, IOTHUBI_AT_TWIN, IOTHUBI_AT_VALUE_OF_STATUS, IOTHUBI_AT_TWIN_PATCH, IOTHUBI_AT_PROPERTIES,
    IOTHUBI_AT_METHODS, IOTHUBI_AT_VALUE_OF_METHOD,
    IOTHUBI_AT_NAME, IOTHUBI_AT_VALUE,           /* in the bag */
    IOTHUBI_AT_NOWHERE,                          /* nothing that we know */
    IOTHUBI_AT_MALFORMED,                        /* a NUL: the connection must be closed [MQTT-1.5.3-2] */
    IOTHUBI_AT_BAG,                              /* the path is over; from here on in the order of the kinds */
    IOTHUBI_AT_BAG_OF_MESSAGE, IOTHUBI_AT_BAG_OF_ANSWER, IOTHUBI_AT_BAG_OF_PATCH, IOTHUBI_AT_BAG_OF_METHOD
};

typedef struct iothubi_inbound_tag {
    struct MAP_HANDLE_DATA_TAG map;              /* bytes NULL: nothing is arriving; a body that is put together lies behind its room */
    void *handle;                                /* that the application gets: of a message, or of a method that is answered later */
    uint32_t total;                              /* bytes of the body */
    uint32_t offset;                             /* of these, how many came */
    size_t start;                                /* of the entry that is being read, in the map's bytes */
    size_t escape;                               /* where there may be an escape, in the map's bytes; room: nowhere */
    size_t missing;                              /* bytes that found no room */
    size_t apart;                                /* bytes that a message leaves free before it */
    unsigned short status;                       /* of an answer */
    unsigned char at;
    unsigned char kind;
    unsigned char body;
    unsigned char answer;                        /* of the application, to the last piece */
    unsigned char dropping;                      /* a value that nobody asks for */
    unsigned char cut;                           /* some name or value found no room */
} iothubi_inbound;

static IOTHUB_CONST char iothubi_topic_words[] =
    "devices\0$iothub\0messages\0modules\0devicebound\0inputs\0twin\0methods\0res\0PATCH\0properties\0desired\0POST\0";

/* For each word: behind what it must stand, and what comes behind it. */
static IOTHUB_CONST unsigned char iothubi_topic_steps[] = {
    IOTHUBI_AT_ROOT, IOTHUBI_AT_VALUE_OF_DEVICE,
    IOTHUBI_AT_ROOT, IOTHUBI_AT_HUB,
    IOTHUBI_AT_DEVICE, IOTHUBI_AT_MESSAGES,
    IOTHUBI_AT_DEVICE, IOTHUBI_AT_VALUE_OF_MODULE,
    IOTHUBI_AT_MESSAGES, IOTHUBI_AT_BAG_OF_MESSAGE,
    IOTHUBI_AT_MODULE, IOTHUBI_AT_VALUE_OF_INPUT,
    IOTHUBI_AT_HUB, IOTHUBI_AT_TWIN,
    IOTHUBI_AT_HUB, IOTHUBI_AT_METHODS,
    IOTHUBI_AT_TWIN, IOTHUBI_AT_VALUE_OF_STATUS,
    IOTHUBI_AT_TWIN, IOTHUBI_AT_TWIN_PATCH,
    IOTHUBI_AT_TWIN_PATCH, IOTHUBI_AT_PROPERTIES,
    IOTHUBI_AT_PROPERTIES, IOTHUBI_AT_BAG_OF_PATCH,
    IOTHUBI_AT_METHODS, IOTHUBI_AT_VALUE_OF_METHOD
};

/* Names in a bag, in the order of the tags below; the last ones are read by nobody. */
static IOTHUB_CONST char iothubi_bag_names[] =
    "$.mid\0$.cid\0$.ct\0$.ce\0$.ctime\0$.uid\0$.cdid\0$.cmid\0$rid\0$version\0retry-after\0"
    "$.to\0$.on\0$.exp\0iothub-ack\0iothub-operation\0";
static IOTHUB_CONST unsigned char iothubi_bag_tags[] = {
    IOTHUBI_PROPERTY_MESSAGE_ID, IOTHUBI_PROPERTY_CORRELATION_ID, IOTHUBI_PROPERTY_CONTENT_TYPE, IOTHUBI_PROPERTY_CONTENT_ENCODING,
    IOTHUBI_PROPERTY_CREATION_TIME, IOTHUBI_PROPERTY_USER_ID, IOTHUBI_PROPERTY_CONNECTION_DEVICE_ID,
    IOTHUBI_PROPERTY_CONNECTION_MODULE_ID, IOTHUBI_PROPERTY_REQUEST_ID, IOTHUBI_PROPERTY_VERSION, IOTHUBI_PROPERTY_RETRY_AFTER
};

/* Where a body is put together. */
IOTHUBI_PRIVATE unsigned char *iothubi_inbound_body(const iothubi_inbound *inbound)
{
    return inbound->map.bytes + inbound->map.room;
}

/* A new topic; what is kept of it goes into room bytes, if it is a message's into those behind the first apart ones. */
IOTHUBI_PRIVATE void iothubi_inbound_begin(iothubi_inbound *inbound, unsigned char *bytes, size_t room, size_t apart)
{
    IOTHUB_MEMSET(inbound, 0, sizeof *inbound);
    inbound->map.bytes = bytes;
    inbound->map.room = room;
    inbound->map.kind = IOTHUBI_MAP_OF_BYTES;
    inbound->map.used = 1;               /* the tag of the entry that is being read */
    inbound->escape = room;
    inbound->apart = apart;
    if (room == 0) {
        inbound->missing = 1;
    }
}

IOTHUBI_PRIVATE void iothubi_inbound_put(iothubi_inbound *inbound, int c)
{
    struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    if (map->used < map->room) {
        map->bytes[map->used++] = (unsigned char)c;
    } else {
        inbound->missing += 1;
    }
}

/* Takes back the bytes of the entry that is being read, its tag excepted. */
IOTHUBI_PRIVATE void iothubi_inbound_drop(iothubi_inbound *inbound)
{
    inbound->map.used = inbound->start + 1u;
    inbound->escape = inbound->map.room;
}

/* The entry is complete; the next one starts behind it. */
IOTHUBI_PRIVATE void iothubi_inbound_keep(iothubi_inbound *inbound, int tag)
{
    struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    iothubi_inbound_put(inbound, '\0');
    if (inbound->missing == 0) {
        map->bytes[inbound->start] = (unsigned char)tag;
        inbound->start = map->used;
        iothubi_inbound_put(inbound, 0);
        map->used = inbound->start + 1u;         /* without room for its tag, too: its text is empty then, not of size -1 */
    }
}

/* The text of the entry that is being read. */
IOTHUBI_APART void iothubi_inbound_text(const iothubi_inbound *inbound, iothubi_span *text)
{
    const struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    text->at = (const char *)map->bytes + inbound->start + 1u;
    text->size = map->used - inbound->start - 1u;
}

IOTHUBI_PRIVATE int iothubi_hex_value(int c)
{
    return iothubi_is_digit(c) ? c - '0' : (c & 0x0F) + 9;
}

/* A byte of a name or value in a bag. An escape is decoded when its last digit comes; what is none stays as it is, and so
   does %00, which would end the text. Request ids are opaque: they stay as they are. */
IOTHUBI_APART void iothubi_inbound_put_decoded(iothubi_inbound *inbound, int c)
{
    struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    unsigned char *escape = map->bytes + inbound->escape;
    if (inbound->kind == IOTHUBI_KIND_MESSAGE) {
        if (c == '%') {
            inbound->escape = map->used;
        } else if (!iothubi_is_hex(c)) {
            inbound->escape = map->room;
        } else if (map->used - inbound->escape == 2) {
            int value = iothubi_hex_value(escape[1]) << 4 | iothubi_hex_value(c);
            if (value != 0) {
                map->used = inbound->escape;
                c = value;
            }
            inbound->escape = map->room;
        }
    }
    iothubi_inbound_put(inbound, c);
}

/* The name of a property is complete: a system property keeps its tag instead, what nobody reads is dropped. */
IOTHUBI_PRIVATE void iothubi_bag_name_end(iothubi_inbound *inbound)
{
    struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    iothubi_span name;
    int index, request, tag = IOTHUBI_PROPERTY_APPLICATION;
    iothubi_inbound_text(inbound, &name);
    index = iothubi_find_name(iothubi_bag_names, &name);
    request = index >= 8 && index < (int)sizeof iothubi_bag_tags; /* the three that messages do not have */
    if (index >= 0 && request == (inbound->kind != IOTHUBI_KIND_MESSAGE)) {
        inbound->dropping = index >= (int)sizeof iothubi_bag_tags;
        if (!inbound->dropping) {
            tag = IOTHUB_CONST_BYTE(iothubi_bag_tags + index);
        }
        iothubi_inbound_drop(inbound);
    } else {
        iothubi_inbound_put(inbound, '\0');
    }
    if (inbound->missing == 0) {
        map->bytes[inbound->start] = (unsigned char)tag;
    }
    inbound->escape = map->room;
    inbound->at = IOTHUBI_AT_VALUE;
}

/* A property is complete. Of two with one name the later counts. */
IOTHUBI_PRIVATE void iothubi_bag_value_end(iothubi_inbound *inbound)
{
    struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    size_t start = inbound->start, end;
    int tag;
    inbound->at = IOTHUBI_AT_NAME;
    if (inbound->dropping || inbound->missing != 0) {
        inbound->dropping = 0;
        iothubi_inbound_drop(inbound);
        return;
    }
    tag = map->bytes[start];
    iothubi_inbound_keep(inbound, tag);
    end = map->used;
    if (inbound->missing == 0) {
        map->used = start;                       /* only earlier ones are looked for */
        start = iothubi_map_remove(map, tag, tag == IOTHUBI_PROPERTY_APPLICATION ? (const char *)map->bytes + start + 1 : NULL, start);
        if (start != 0) {                        /* it closed the gap up to the new one only */
            IOTHUB_MEMMOVE(map->bytes + map->used, map->bytes + map->used + start, end - start - map->used);
        }
        inbound->start -= start;
        map->used = end - start;
    }
    inbound->escape = map->room;
}

/* The end of a pair. A name alone has an empty value; where there is nothing there is no pair. */
IOTHUBI_PRIVATE void iothubi_bag_pair_end(iothubi_inbound *inbound)
{
    if (inbound->at == IOTHUBI_AT_NAME && inbound->map.used > inbound->start + 1u) {
        iothubi_bag_name_end(inbound);
    }
    if (inbound->at == IOTHUBI_AT_VALUE) {
        iothubi_bag_value_end(inbound);
    }
}

/* A message may be kept: it moves to where it may lie for long. */
IOTHUBI_PRIVATE void iothubi_inbound_move(iothubi_inbound *inbound)
{
    struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    if (inbound->apart > map->room || map->used > map->room - inbound->apart) {
        return;                                  /* some of the inbox was carved off since: it stays */
    }
    IOTHUB_MEMMOVE(map->bytes + inbound->apart, map->bytes, map->used);
    map->bytes += inbound->apart;
    map->room -= inbound->apart;
}

/* A segment of the path is complete. */
IOTHUBI_PRIVATE void iothubi_topic_segment_end(iothubi_inbound *inbound, const iothubi_identity *identity)
{
    iothubi_span text, id;
    uint32_t number;
    int next = IOTHUBI_AT_NOWHERE, word, good;
    iothubi_inbound_text(inbound, &text);
    switch (inbound->at) {
    case IOTHUBI_AT_VALUE_OF_DEVICE:
    case IOTHUBI_AT_VALUE_OF_MODULE:
        iothubi_span_of(&id, inbound->at == IOTHUBI_AT_VALUE_OF_DEVICE ? identity->text[IOTHUBI_DEVICE_ID] : IOTHUBI_MODULE_OF(identity));
        good = id.size != 0 && id.size == text.size && IOTHUB_MEMCMP(id.at, text.at, id.size) == 0;
        next = good ? inbound->at + 1 : IOTHUBI_AT_NOWHERE;
        break;
    case IOTHUBI_AT_VALUE_OF_STATUS:
        if (iothubi_read_decimal(text.at, text.size, &number) && number < 1000) {
            inbound->status = (unsigned short)number;
            next = IOTHUBI_AT_BAG_OF_ANSWER;
        }
        break;
    case IOTHUBI_AT_VALUE_OF_INPUT:
        iothubi_inbound_keep(inbound, IOTHUBI_PROPERTY_INPUT_NAME);
        next = IOTHUBI_AT_BAG_OF_MESSAGE;
        break;
    case IOTHUBI_AT_VALUE_OF_METHOD:
        iothubi_inbound_keep(inbound, IOTHUBI_PROPERTY_METHOD_NAME);
        next = IOTHUBI_AT_BAG_OF_METHOD;
        break;
    default:
        word = iothubi_find_name(iothubi_topic_words, &text);
        if (word >= 0 && IOTHUB_CONST_BYTE(iothubi_topic_steps + 2u * (size_t)word) == inbound->at) {
            next = IOTHUB_CONST_BYTE(iothubi_topic_steps + 2u * (size_t)word + 1u);
        }
        break;
    }
    if (next >= IOTHUBI_AT_BAG) {
        inbound->kind = (unsigned char)(next - IOTHUBI_AT_BAG);
        next = IOTHUBI_AT_NAME;
    }
    if (inbound->kind == IOTHUBI_KIND_MESSAGE) {
        iothubi_inbound_move(inbound);
    }
    inbound->at = (unsigned char)next;
    iothubi_inbound_drop(inbound);
}

/* The next bytes of the topic. */
IOTHUBI_PRIVATE void iothubi_topic_feed(iothubi_inbound *inbound, const iothubi_identity *identity, const unsigned char *bytes, size_t size)
{
    for (; size != 0 && inbound->at < IOTHUBI_AT_NOWHERE; --size) {
        int c = *bytes++;
        if (c == '\0') {
            inbound->at = IOTHUBI_AT_MALFORMED;
        } else if (inbound->at < IOTHUBI_AT_NAME) {
            if (c != '/') {
                iothubi_inbound_put(inbound, c);
            } else {
                iothubi_topic_segment_end(inbound, identity);
            }
        } else if (c == '&') {
            iothubi_bag_pair_end(inbound);
        } else if (c == '=' && inbound->at == IOTHUBI_AT_NAME) {
            iothubi_bag_name_end(inbound);
        } else if (!inbound->dropping
            && !(c == '?' && inbound->at == IOTHUBI_AT_NAME && inbound->map.used == inbound->start + 1u)) {
            iothubi_inbound_put_decoded(inbound, c); /* '?' before a name is none of it */
        }
    }
}

/* The topic is over. The map then ends with its last complete entry. */
IOTHUBI_PRIVATE void iothubi_topic_end(iothubi_inbound *inbound)
{
    struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    iothubi_bag_pair_end(inbound);
    map->used = inbound->start;
    inbound->cut = inbound->missing != 0;
}

#endif
