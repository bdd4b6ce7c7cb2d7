/* ---- mqtt/codec: MQTT 3.1.1 packets to bytes and back ------------------------------------------------------------- */
/* Pure: it knows no stream, no clock and no IoT Hub. [MQTT-x] are the statements of the OASIS standard, version 3.1.1. */
#include "../../core/bytes.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MQTT_CODEC_H)
#define IOTHUBI_MQTT_CODEC_H

#define IOTHUBI_MQTT_CONNECT 0x10u
#define IOTHUBI_MQTT_CONNACK 0x20u
#define IOTHUBI_MQTT_PUBLISH 0x30u
#define IOTHUBI_MQTT_PUBACK 0x40u
#define IOTHUBI_MQTT_SUBSCRIBE 0x82u             /* its flags are 0010 [MQTT-3.8.1-1] */
#define IOTHUBI_MQTT_SUBACK 0x90u
#define IOTHUBI_MQTT_UNSUBACK 0xB0u
#define IOTHUBI_MQTT_PINGREQ 0xC0u
#define IOTHUBI_MQTT_PINGRESP 0xD0u
#define IOTHUBI_MQTT_DISCONNECT 0xE0u

#define IOTHUBI_MQTT_DUP 0x08u                   /* flags of a PUBLISH */
#define IOTHUBI_MQTT_QOS1 0x02u
#define IOTHUBI_MQTT_QOS_BITS 0x06u

#define IOTHUBI_MQTT_CLEAN_SESSION 0x02u         /* flags of a CONNECT */
#define IOTHUBI_MQTT_WILL 0x04u
#define IOTHUBI_MQTT_WILL_QOS1 0x08u
#define IOTHUBI_MQTT_PASSWORD 0x40u
#define IOTHUBI_MQTT_USER_NAME 0x80u

#define IOTHUBI_MQTT_FIELD_MAXIMUM 0xFFFFu       /* bytes of a length-prefixed field (section 1.5.3) */
/* Bytes of a topic: where size_t has 16 bits, the head of its packet must fit beside it. */
#define IOTHUBI_MQTT_TOPIC_MAXIMUM (IOTHUBI_SIZE_MAXIMUM > 0xFFFFu ? IOTHUBI_MQTT_FIELD_MAXIMUM : IOTHUBI_MQTT_FIELD_MAXIMUM - 16u)
#define IOTHUBI_MQTT_LENGTH_MAXIMUM 0xFFFFFFFul  /* of a remaining length: four groups of seven bits (section 2.2.3) */

/* ---- writing ---- */

/* Writes some part of a packet. It is run more than once - to measure, and again for each window - and must put the same
   bytes each time. */
typedef void (*iothubi_part)(iothubi_writer *writer, const void *context);

IOTHUBI_PRIVATE size_t iothubi_part_size(iothubi_part part, const void *context)
{
    iothubi_writer measure;
    iothubi_write_begin(&measure, NULL, 0, 0);
    part(&measure, context);
    return measure.length;
}

/* A field that carries its length in two bytes: strings and binary data. Where nothing is kept, nothing is measured. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_field(iothubi_writer *writer, iothubi_part part, const void *context)
{
    iothubi_write_16(writer, writer->room != 0 ? (unsigned int)iothubi_part_size(part, context) : 0);
    part(writer, context);
}

/* Bytes that a remaining length takes (section 2.2.3). */
IOTHUBI_PRIVATE size_t iothubi_mqtt_length_size(size_t remaining)
{
    size_t size = 1;
    while (remaining > 127u) {
        remaining >>= 7;
        ++size;
    }
    return size;
}

/* First byte and remaining length, seven bits a byte, lowest first (section 2.2.3). */
IOTHUBI_PRIVATE void iothubi_mqtt_write_header(iothubi_writer *writer, unsigned int first, size_t remaining)
{
    unsigned char bytes[1 + 4];
    size_t size = 1;
    bytes[0] = (unsigned char)first;
    while (remaining > 127u && size < 4) {       /* IoT Hub's packets are far smaller */
        bytes[size++] = (unsigned char)(0x80u | (remaining & 127u));
        remaining >>= 7;
    }
    bytes[size++] = (unsigned char)(remaining & 127u);
    iothubi_write(writer, bytes, size);
}

/* A packet whose body writes itself. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_packet(iothubi_writer *writer, unsigned int first, iothubi_part body, const void *context)
{
    iothubi_mqtt_write_header(writer, first, iothubi_part_size(body, context));
    body(writer, context);
}

/* PUBACK, SUBACK and their like: two bytes of packet id. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_acknowledgement(iothubi_writer *writer, unsigned int first, unsigned int packet_id)
{
    iothubi_mqtt_write_header(writer, first, 2);
    iothubi_write_16(writer, packet_id);
}

static IOTHUB_CONST char iothubi_mqtt_protocol[] = { 0, 4, 'M', 'Q', 'T', 'T', 4 };

/* The variable header of CONNECT (section 3.1.2): protocol name and level, flags, keep-alive in seconds. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_connect_header(iothubi_writer *writer, unsigned int flags, unsigned int keep_alive_s)
{
    IOTHUBI_WRITE_CONST_BYTES(writer, iothubi_mqtt_protocol, sizeof iothubi_mqtt_protocol);
    iothubi_write_byte(writer, flags);
    iothubi_write_16(writer, keep_alive_s);
}

/* ---- reading ---- */

typedef enum iothubi_mqtt_event_tag {
    IOTHUBI_MQTT_NEED_MORE,
    IOTHUBI_MQTT_MALFORMED,                      /* close the connection [MQTT-4.8.0-1]; the parser stays there */
    IOTHUBI_MQTT_GOT_CONNACK,                    /* value: session present << 8 | return code */
    IOTHUBI_MQTT_GOT_PUBACK,                     /* value: packet id */
    IOTHUBI_MQTT_GOT_SUBACK,                     /* value: packet id; chunk: some of its return codes */
    IOTHUBI_MQTT_GOT_UNSUBACK,                   /* value: packet id */
    IOTHUBI_MQTT_GOT_PINGRESP,
    IOTHUBI_MQTT_GOT_TOPIC,                      /* chunk: a piece of a PUBLISH's topic */
    IOTHUBI_MQTT_GOT_BODY,                       /* chunk: a piece of its payload; value: packet id, with QoS 1 */
    IOTHUBI_MQTT_GOT_PUBLISH_END
} iothubi_mqtt_event;

enum {
    IOTHUBI_MQTT_AT_HEADER, IOTHUBI_MQTT_AT_LENGTH,
    IOTHUBI_MQTT_AT_VALUE, IOTHUBI_MQTT_AT_TOPIC_LENGTH, IOTHUBI_MQTT_AT_ID,        /* two bytes each */
    IOTHUBI_MQTT_AT_TOPIC, IOTHUBI_MQTT_AT_CODES, IOTHUBI_MQTT_AT_BODY,             /* passed on in chunks */
    IOTHUBI_MQTT_AT_BAD
};

typedef struct iothubi_mqtt_parser_tag {
    unsigned char first;                         /* first byte of the packet */
    unsigned char phase;
    unsigned char count;                         /* bytes of the length, or of a two-byte value, so far */
    size_t chunk_size;                           /* of a chunk: it ends where reading goes on */
    uint32_t remaining;                          /* bytes of the packet still to come */
    unsigned int value;
    unsigned int topic_left;
} iothubi_mqtt_parser;

IOTHUBI_PRIVATE void iothubi_mqtt_parser_begin(iothubi_mqtt_parser *parser)
{
    IOTHUB_MEMSET(parser, 0, sizeof *parser);
}

/* What a client may receive: no QoS 2 (IoT Hub has none, and we never ask for it), flags as the standard fixes them. */
IOTHUBI_PRIVATE int iothubi_mqtt_first_is_valid(unsigned int first)
{
    if ((first & 0xF0u) == IOTHUBI_MQTT_PUBLISH) {
        unsigned int qos = first & IOTHUBI_MQTT_QOS_BITS;
        return qos == IOTHUBI_MQTT_QOS1 || (qos == 0 && (first & IOTHUBI_MQTT_DUP) == 0);   /* [MQTT-3.3.1-2] */
    }
    return first == IOTHUBI_MQTT_CONNACK || first == IOTHUBI_MQTT_PUBACK || first == IOTHUBI_MQTT_SUBACK
        || first == IOTHUBI_MQTT_UNSUBACK || first == IOTHUBI_MQTT_PINGRESP;
}

/* Bytes of the packet id of a PUBLISH. */
IOTHUBI_PRIVATE unsigned int iothubi_mqtt_id_size(const iothubi_mqtt_parser *parser)
{
    return parser->first & IOTHUBI_MQTT_QOS1;
}

/* The remaining length is known: which phase comes next. */
IOTHUBI_PRIVATE unsigned char iothubi_mqtt_body_phase(const iothubi_mqtt_parser *parser)
{
    uint32_t size = parser->remaining;
    switch (parser->first & 0xF0u) {
    case IOTHUBI_MQTT_PUBLISH:
        return size >= 2u + iothubi_mqtt_id_size(parser) ? IOTHUBI_MQTT_AT_TOPIC_LENGTH : IOTHUBI_MQTT_AT_BAD;
    case IOTHUBI_MQTT_SUBACK:
        return size >= 3 ? IOTHUBI_MQTT_AT_VALUE : IOTHUBI_MQTT_AT_BAD;
    case IOTHUBI_MQTT_PINGRESP:
        return size == 0 ? IOTHUBI_MQTT_AT_HEADER : IOTHUBI_MQTT_AT_BAD;
    default:
        return size == 2 ? IOTHUBI_MQTT_AT_VALUE : IOTHUBI_MQTT_AT_BAD;
    }
}

/* A two-byte value is complete. */
IOTHUBI_PRIVATE iothubi_mqtt_event iothubi_mqtt_value_end(iothubi_mqtt_parser *parser)
{
    unsigned int value = parser->value, phase = parser->phase;
    iothubi_mqtt_event event = IOTHUBI_MQTT_NEED_MORE;
    parser->phase = IOTHUBI_MQTT_AT_BAD;
    if (phase == IOTHUBI_MQTT_AT_TOPIC_LENGTH) {
        parser->topic_left = value;              /* a topic has at least one character [MQTT-4.7.3-1] */
        if (value != 0 && (uint32_t)value + iothubi_mqtt_id_size(parser) <= parser->remaining) {
            parser->phase = IOTHUBI_MQTT_AT_TOPIC;
        }
    } else if (phase == IOTHUBI_MQTT_AT_ID) {
        if (value != 0) {                        /* [MQTT-2.3.1-1] */
            parser->phase = IOTHUBI_MQTT_AT_BODY;
        }
    } else if (parser->first == IOTHUBI_MQTT_SUBACK) {
        parser->phase = IOTHUBI_MQTT_AT_CODES;
    } else if (parser->first != IOTHUBI_MQTT_CONNACK || value <= 0x1FFu) { /* only session present may be set [MQTT-3.2.2-1] */
        parser->phase = IOTHUBI_MQTT_AT_HEADER;
        event = parser->first == IOTHUBI_MQTT_CONNACK ? IOTHUBI_MQTT_GOT_CONNACK
            : parser->first == IOTHUBI_MQTT_PUBACK ? IOTHUBI_MQTT_GOT_PUBACK : IOTHUBI_MQTT_GOT_UNSUBACK;
    }
    return event;
}

/* A byte of what is not passed on. */
IOTHUBI_APART iothubi_mqtt_event iothubi_mqtt_parse_byte(iothubi_mqtt_parser *parser, unsigned int byte)
{
    switch (parser->phase) {
    case IOTHUBI_MQTT_AT_HEADER:
        parser->first = (unsigned char)byte;
        parser->phase = (unsigned char)(iothubi_mqtt_first_is_valid(byte) ? IOTHUBI_MQTT_AT_LENGTH : IOTHUBI_MQTT_AT_BAD);
        parser->remaining = 0;
        parser->value = 0;
        parser->count = 0;
        return IOTHUBI_MQTT_NEED_MORE;
    case IOTHUBI_MQTT_AT_LENGTH:
        parser->remaining |= (uint32_t)(byte & 127u) << (7 * parser->count);
        if ((byte & 0x80u) != 0) {
            if (++parser->count == 4) {
                parser->phase = IOTHUBI_MQTT_AT_BAD;
            }
            return IOTHUBI_MQTT_NEED_MORE;
        }
        parser->count = 0;
        parser->phase = iothubi_mqtt_body_phase(parser);
        return parser->phase == IOTHUBI_MQTT_AT_HEADER ? IOTHUBI_MQTT_GOT_PINGRESP : IOTHUBI_MQTT_NEED_MORE;
    default:
        parser->value = (parser->value << 8 | byte) & 0xFFFFu;
        parser->remaining -= 1;
        parser->count = (unsigned char)(parser->count ^ 1u);
        return parser->count == 0 ? iothubi_mqtt_value_end(parser) : IOTHUBI_MQTT_NEED_MORE;
    }
}

/* A piece of what is passed on, and the end of a PUBLISH. */
IOTHUBI_PRIVATE iothubi_mqtt_event iothubi_mqtt_parse_chunk(iothubi_mqtt_parser *parser, const unsigned char **at, const unsigned char *end)
{
    size_t size = (size_t)(end - *at);
    uint32_t limit = parser->phase == IOTHUBI_MQTT_AT_TOPIC ? parser->topic_left : parser->remaining;
    if (parser->phase == IOTHUBI_MQTT_AT_BAD) {
        return IOTHUBI_MQTT_MALFORMED;
    }
    if (limit == 0) {                            /* only a body can be empty */
        parser->phase = IOTHUBI_MQTT_AT_HEADER;
        return IOTHUBI_MQTT_GOT_PUBLISH_END;
    }
    if (size == 0) {
        return IOTHUBI_MQTT_NEED_MORE;
    }
    if (size > limit) {
        size = (size_t)limit;
    }
    parser->chunk_size = size;
    parser->remaining -= (uint32_t)size;
    *at += size;
    switch (parser->phase) {
    case IOTHUBI_MQTT_AT_TOPIC:
        parser->topic_left -= (unsigned int)size;
        if (parser->topic_left == 0) {           /* a packet id follows, with QoS 1, or the payload */
            parser->value = 0;
            parser->phase = iothubi_mqtt_id_size(parser) != 0 ? IOTHUBI_MQTT_AT_ID : IOTHUBI_MQTT_AT_BODY;
        }
        return IOTHUBI_MQTT_GOT_TOPIC;
    case IOTHUBI_MQTT_AT_CODES:
        if (parser->remaining == 0) {
            parser->phase = IOTHUBI_MQTT_AT_HEADER;
        }
        return IOTHUBI_MQTT_GOT_SUBACK;
    default:
        return IOTHUBI_MQTT_GOT_BODY;
    }
}

/* Reads from *at, up to the next event, and moves *at behind what it read. Call it until it answers NEED_MORE or MALFORMED;
   any split of the bytes gives the same packets. Its work is bounded by the bytes given. */
IOTHUBI_APART iothubi_mqtt_event iothubi_mqtt_parse(iothubi_mqtt_parser *parser, const unsigned char **at, const unsigned char *end)
{
    if (parser->phase == IOTHUBI_MQTT_AT_HEADER && end - *at >= 4 && (*at)[0] == IOTHUBI_MQTT_PUBACK && (*at)[1] == 2) {
        parser->first = IOTHUBI_MQTT_PUBACK;     /* what comes most comes in one piece */
        parser->value = (unsigned int)(*at)[2] << 8 | (*at)[3];
        *at += 4;
        return IOTHUBI_MQTT_GOT_PUBACK;
    }
    while (parser->phase < IOTHUBI_MQTT_AT_TOPIC) {
        iothubi_mqtt_event event;
        if (*at == end) {
            return IOTHUBI_MQTT_NEED_MORE;
        }
        event = iothubi_mqtt_parse_byte(parser, *(*at)++);
        if (event != IOTHUBI_MQTT_NEED_MORE) {
            return event;
        }
    }
    return iothubi_mqtt_parse_chunk(parser, at, end);
}

#endif
