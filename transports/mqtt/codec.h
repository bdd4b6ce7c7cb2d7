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

/* A field that carries its length in two bytes: strings and binary data. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_field(iothubi_writer *writer, iothubi_part part, const void *context)
{
    iothubi_write_16(writer, (unsigned int)iothubi_part_size(part, context));
    part(writer, context);
}

/* First byte and remaining length, seven bits a byte, lowest first (section 2.2.3). */
IOTHUBI_PRIVATE void iothubi_mqtt_write_header(iothubi_writer *writer, unsigned int first, size_t remaining)
{
    iothubi_write_byte(writer, first);
    while (remaining > 127u) {
        iothubi_write_byte(writer, 0x80u | (unsigned int)(remaining & 127u));
        remaining >>= 7;
    }
    iothubi_write_byte(writer, (unsigned int)remaining);
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
    iothubi_write_const(writer, iothubi_mqtt_protocol, sizeof iothubi_mqtt_protocol);
    iothubi_write_byte(writer, flags);
    iothubi_write_16(writer, keep_alive_s);
}

/* One topic filter in the body of a SUBSCRIBE, behind its packet id, with the QoS that is asked for (section 3.8.3). */
IOTHUBI_PRIVATE void iothubi_mqtt_write_filter(iothubi_writer *writer, iothubi_part filter, const void *context, unsigned int qos)
{
    iothubi_mqtt_write_field(writer, filter, context);
    iothubi_write_byte(writer, qos);
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
    IOTHUBI_MQTT_AT_HEADER, IOTHUBI_MQTT_AT_LENGTH, IOTHUBI_MQTT_AT_VALUE, IOTHUBI_MQTT_AT_CODES,
    IOTHUBI_MQTT_AT_TOPIC_LENGTH, IOTHUBI_MQTT_AT_TOPIC, IOTHUBI_MQTT_AT_ID, IOTHUBI_MQTT_AT_BODY, IOTHUBI_MQTT_AT_BAD
};

typedef struct iothubi_mqtt_parser_tag {
    const unsigned char *chunk;                  /* into the bytes that were passed */
    size_t chunk_size;
    uint32_t remaining;                          /* bytes of the packet still to come */
    unsigned int value;
    unsigned int topic_left;
    unsigned char first;                         /* first byte of the packet */
    unsigned char phase;
    unsigned char count;                         /* bytes of the length, or of a two-byte value, so far */
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

/* The remaining length is known: which phase comes next. */
IOTHUBI_PRIVATE unsigned char iothubi_mqtt_body_phase(const iothubi_mqtt_parser *parser)
{
    uint32_t size = parser->remaining;
    switch (parser->first & 0xF0u) {
    case IOTHUBI_MQTT_PUBLISH:
        return size >= ((parser->first & IOTHUBI_MQTT_QOS_BITS) != 0 ? 4u : 2u) ? IOTHUBI_MQTT_AT_TOPIC_LENGTH : IOTHUBI_MQTT_AT_BAD;
    case IOTHUBI_MQTT_SUBACK:
        return size >= 3 ? IOTHUBI_MQTT_AT_VALUE : IOTHUBI_MQTT_AT_BAD;
    case IOTHUBI_MQTT_PINGRESP:
        return size == 0 ? IOTHUBI_MQTT_AT_HEADER : IOTHUBI_MQTT_AT_BAD;
    default:
        return size == 2 ? IOTHUBI_MQTT_AT_VALUE : IOTHUBI_MQTT_AT_BAD;
    }
}

/* One byte of fixed header. Answers NEED_MORE, or GOT_PINGRESP: the one packet without a body. */
IOTHUBI_PRIVATE iothubi_mqtt_event iothubi_mqtt_parse_header(iothubi_mqtt_parser *parser, unsigned int byte)
{
    if (parser->phase == IOTHUBI_MQTT_AT_HEADER) {
        parser->first = (unsigned char)byte;
        parser->phase = (unsigned char)(iothubi_mqtt_first_is_valid(byte) ? IOTHUBI_MQTT_AT_LENGTH : IOTHUBI_MQTT_AT_BAD);
        parser->remaining = 0;
        parser->value = 0;
        parser->count = 0;
        return IOTHUBI_MQTT_NEED_MORE;
    }
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
}

/* One byte of a two-byte value; true when it is complete. */
IOTHUBI_PRIVATE int iothubi_mqtt_parse_value(iothubi_mqtt_parser *parser, unsigned int byte)
{
    parser->value = (parser->value << 8 | byte) & 0xFFFFu;
    parser->remaining -= 1;
    parser->count = (unsigned char)(parser->count ^ 1u);
    return parser->count == 0;
}

/* A complete CONNACK, PUBACK, SUBACK or UNSUBACK head. */
IOTHUBI_PRIVATE iothubi_mqtt_event iothubi_mqtt_parse_end(iothubi_mqtt_parser *parser)
{
    parser->phase = IOTHUBI_MQTT_AT_HEADER;
    switch (parser->first) {
    case IOTHUBI_MQTT_CONNACK:
        if (parser->value > 0x1FFu) {            /* only session present may be set [MQTT-3.2.2-1] */
            parser->phase = IOTHUBI_MQTT_AT_BAD;
            return IOTHUBI_MQTT_MALFORMED;
        }
        return IOTHUBI_MQTT_GOT_CONNACK;
    case IOTHUBI_MQTT_PUBACK:
        return IOTHUBI_MQTT_GOT_PUBACK;
    case IOTHUBI_MQTT_UNSUBACK:
        return IOTHUBI_MQTT_GOT_UNSUBACK;
    default:                                     /* SUBACK: the codes follow */
        parser->phase = IOTHUBI_MQTT_AT_CODES;
        return IOTHUBI_MQTT_NEED_MORE;
    }
}

/* Takes at most limit bytes of what is there as a chunk. */
IOTHUBI_PRIVATE void iothubi_mqtt_take_chunk(iothubi_mqtt_parser *parser, const unsigned char **at, const unsigned char *end, uint32_t limit)
{
    size_t size = (size_t)(end - *at);
    if (size > limit) {
        size = (size_t)limit;
    }
    parser->chunk = *at;
    parser->chunk_size = size;
    parser->remaining -= (uint32_t)size;
    *at += size;
}

/* The topic is complete: a packet id follows, with QoS 1, or the payload. */
IOTHUBI_PRIVATE void iothubi_mqtt_topic_end(iothubi_mqtt_parser *parser)
{
    parser->value = 0;
    parser->phase = (unsigned char)((parser->first & IOTHUBI_MQTT_QOS_BITS) != 0 ? IOTHUBI_MQTT_AT_ID : IOTHUBI_MQTT_AT_BODY);
}

/* Reads from *at, up to the next event, and moves *at behind what it read. Call it until it answers NEED_MORE or MALFORMED;
   any split of the bytes gives the same packets. Its work is bounded by the bytes given. */
IOTHUBI_PRIVATE iothubi_mqtt_event iothubi_mqtt_parse(iothubi_mqtt_parser *parser, const unsigned char **at, const unsigned char *end)
{
    for (;;) {
        iothubi_mqtt_event event = IOTHUBI_MQTT_NEED_MORE;
        if (parser->phase == IOTHUBI_MQTT_AT_BAD) {
            return IOTHUBI_MQTT_MALFORMED;
        }
        if (parser->phase == IOTHUBI_MQTT_AT_BODY && parser->remaining == 0) {
            parser->phase = IOTHUBI_MQTT_AT_HEADER;
            return IOTHUBI_MQTT_GOT_PUBLISH_END;
        }
        if (*at == end) {
            return IOTHUBI_MQTT_NEED_MORE;
        }
        switch (parser->phase) {
        case IOTHUBI_MQTT_AT_VALUE:
            if (iothubi_mqtt_parse_value(parser, *(*at)++)) {
                event = iothubi_mqtt_parse_end(parser);
            }
            break;
        case IOTHUBI_MQTT_AT_CODES:
            iothubi_mqtt_take_chunk(parser, at, end, parser->remaining);
            if (parser->remaining == 0) {
                parser->phase = IOTHUBI_MQTT_AT_HEADER;
            }
            event = IOTHUBI_MQTT_GOT_SUBACK;
            break;
        case IOTHUBI_MQTT_AT_TOPIC_LENGTH:
            if (iothubi_mqtt_parse_value(parser, *(*at)++)) {
                uint32_t need = (uint32_t)parser->value + ((parser->first & IOTHUBI_MQTT_QOS_BITS) != 0 ? 2u : 0u);
                parser->topic_left = parser->value;
                parser->phase = (unsigned char)(need > parser->remaining ? IOTHUBI_MQTT_AT_BAD : IOTHUBI_MQTT_AT_TOPIC);
                if (parser->value == 0) {        /* a topic name has at least one character [MQTT-4.7.3-1] */
                    parser->phase = IOTHUBI_MQTT_AT_BAD;
                }
            }
            break;
        case IOTHUBI_MQTT_AT_TOPIC:
            iothubi_mqtt_take_chunk(parser, at, end, parser->topic_left);
            parser->topic_left -= (unsigned int)parser->chunk_size;
            if (parser->topic_left == 0) {
                iothubi_mqtt_topic_end(parser);
            }
            event = IOTHUBI_MQTT_GOT_TOPIC;
            break;
        case IOTHUBI_MQTT_AT_ID:
            if (iothubi_mqtt_parse_value(parser, *(*at)++)) {
                parser->phase = (unsigned char)(parser->value != 0 ? IOTHUBI_MQTT_AT_BODY : IOTHUBI_MQTT_AT_BAD); /* [MQTT-2.3.1-1] */
            }
            break;
        case IOTHUBI_MQTT_AT_BODY:
            iothubi_mqtt_take_chunk(parser, at, end, parser->remaining);
            event = IOTHUBI_MQTT_GOT_BODY;
            break;
        default:
            event = iothubi_mqtt_parse_header(parser, *(*at)++);
            break;
        }
        if (event != IOTHUBI_MQTT_NEED_MORE) {
            return event;
        }
    }
}

#endif
