/* MQTT 3.1.1 packets as literal bytes, both ways. [MQTT-x] are statements of the OASIS standard, version 3.1.1. */

#include "check.h"

const char room[] = "mqtt_codec";

/* ---- writing ---- */

static const struct { unsigned int first; size_t remaining; const char *bytes; size_t size; } headers[] = {
    { 0xC0, 0, LITERAL("\xC0\x00") },            /* PINGREQ */
    { 0xE0, 0, LITERAL("\xE0\x00") },            /* DISCONNECT */
    { 0x10, 127, LITERAL("\x10\x7F") },
    { 0x10, 128, LITERAL("\x10\x80\x01") },
    { 0x10, 261, LITERAL("\x10\x85\x02") },
    { 0x30, 16383, LITERAL("\x30\xFF\x7F") },
    { 0x30, 16384, LITERAL("\x30\x80\x80\x01") },
    { 0x30, 32768u, LITERAL("\x30\x80\x80\x02") },
    { 0x30, 65535u, LITERAL("\x30\xFF\xFF\x03") }        /* as much as an AVR's size can say */
};

static void header(iothubi_writer *writer, const void *context)
{
    (void)context;
    iothubi_mqtt_write_header(writer, headers[row].first, headers[row].remaining);
}

static void acknowledgement(iothubi_writer *writer, const void *context)
{
    iothubi_mqtt_write_acknowledgement(writer, IOTHUBI_MQTT_PUBACK, *(const unsigned int *)context);
}

static void connect_header(iothubi_writer *writer, const void *context)
{
    iothubi_mqtt_write_connect_header(writer, IOTHUBI_MQTT_USER_NAME | IOTHUBI_MQTT_PASSWORD, *(const unsigned int *)context);
}

static void text(iothubi_writer *writer, const void *context)
{
    iothubi_write_text(writer, (const char *)context);
}

static void field(iothubi_writer *writer, const void *context)
{
    iothubi_mqtt_write_field(writer, text, context);
}

static void packet(iothubi_writer *writer, const void *context)
{
    iothubi_mqtt_write_packet(writer, 0x10, text, context);
}

/* As many bytes as a field can have; only its length is looked at. */
static void largest(iothubi_writer *writer, const void *context)
{
    size_t from, kept;
    (void)context;
    iothubi_write_room(writer, 65535u, &from, &kept);
}

static void filter(iothubi_writer *writer, const char *topic, unsigned int qos)
{
    iothubi_mqtt_write_field(writer, text, topic);
    iothubi_write_byte(writer, qos);
}

static void subscriptions(iothubi_writer *writer, const void *context)
{
    (void)context;
    iothubi_write_16(writer, 2);
    filter(writer, "devices/thermo-01/messages/devicebound/#", 1);
    filter(writer, "$iothub/methods/POST/#", 0);
    filter(writer, "$iothub/twin/res/#", 0);
    filter(writer, "$iothub/twin/PATCH/properties/desired/#", 0);
}

static void subscribe(iothubi_writer *writer, const void *context)
{
    iothubi_mqtt_write_packet(writer, IOTHUBI_MQTT_SUBSCRIBE, subscriptions, context);
}

static void writing(void)
{
    static const unsigned int ids[] = { 0xABCDu, 0x7FFFu, 0x8000u, 0xFFF0u }, keep_alives[] = { 240, 1177, 0xFFFFu };
    unsigned char bytes[2];
    iothubi_writer writer;
    about("fixed headers carry their length in one to four bytes");
    for (row = 0; row < COUNT(headers); ++row) {
        check_written(header, NULL, headers[row].bytes, headers[row].size, TEXT("header"), __LINE__);
    }
    about("packet ids and keep-alives, high byte first");
    CHECK_WRITTEN(acknowledgement, &ids[0], "\x40\x02\xAB\xCD");
    CHECK_WRITTEN(acknowledgement, &ids[1], "\x40\x02\x7F\xFF");
    CHECK_WRITTEN(acknowledgement, &ids[2], "\x40\x02\x80\x00");
    CHECK_WRITTEN(acknowledgement, &ids[3], "\x40\x02\xFF\xF0");
    CHECK_WRITTEN(connect_header, &keep_alives[0], "\x00\x04MQTT" "\x04" "\xC0" "\x00\xF0");
    CHECK_WRITTEN(connect_header, &keep_alives[1], "\x00\x04MQTT" "\x04" "\xC0" "\x04\x99");
    CHECK_WRITTEN(connect_header, &keep_alives[2], "\x00\x04MQTT" "\x04" "\xC0" "\xFF\xFF");
    about("fields and packets measure themselves before they write");
    CHECK_WRITTEN(field, "", "\x00\x00");
    CHECK_WRITTEN(field, "a/b", "\x00\x03" "a/b");
    CHECK_WRITTEN(packet, "", "\x10\x00");
    CHECK_WRITTEN(packet, "MQTT", "\x10\x04" "MQTT");
    iothubi_write_begin(&writer, bytes, 0, sizeof bytes);
    iothubi_mqtt_write_field(&writer, largest, NULL);
    CHECK_BYTES(bytes, sizeof bytes, "\xFF\xFF");
    about("SUBSCRIBE to four filters of IoT Hub");
    CHECK_WRITTEN(subscribe, NULL, "\x82\x85\x01" "\x00\x02"     /* 133 bytes follow; packet id 2 */
        "\x00\x28" "devices/thermo-01/messages/devicebound/#" "\x01"
        "\x00\x16" "$iothub/methods/POST/#" "\x00"
        "\x00\x12" "$iothub/twin/res/#" "\x00"
        "\x00\x27" "$iothub/twin/PATCH/properties/desired/#" "\x00");
}

/* ---- reading: what the parser says, as text; chunks of one topic, body or list of codes are joined ---- */

static iothubi_mqtt_parser parser;
static iothubi_mqtt_event last;
static char events[800];
static iothubi_writer report;

static void begin_reading(void)
{
    iothubi_mqtt_parser_begin(&parser);
    iothubi_write_begin(&report, (unsigned char *)events, 0, sizeof events);
    last = IOTHUBI_MQTT_NEED_MORE;
}

/* at: where reading goes on; a chunk ends there. */
static void note(iothubi_mqtt_event event, const unsigned char *at)
{
    static const char *const names[] = { "", "MALFORMED", "CONNACK ", "PUBACK ", "SUBACK ", "UNSUBACK ", "PINGRESP", "TOPIC ", "BODY ", "END " };
    int chunks = event == IOTHUBI_MQTT_GOT_SUBACK || event == IOTHUBI_MQTT_GOT_TOPIC || event == IOTHUBI_MQTT_GOT_BODY;
    size_t i;
    if (!chunks || event != last) {
        iothubi_write_text(&report, report.length != 0 ? ", " : "");
        iothubi_write_text(&report, names[event]);
        if (event != IOTHUBI_MQTT_MALFORMED && event != IOTHUBI_MQTT_GOT_PINGRESP && event != IOTHUBI_MQTT_GOT_TOPIC) {
            iothubi_write_decimal(&report, parser.value);
            iothubi_write_text(&report, chunks ? " " : "");
        }
    }
    for (i = 0; chunks && i < parser.chunk_size; ++i) {
        unsigned char byte = *(at - parser.chunk_size + i);
        iothubi_write_byte(&report, (unsigned char)"0123456789abcdef"[byte >> 4]);
        iothubi_write_byte(&report, (unsigned char)"0123456789abcdef"[byte & 15]);
    }
    if (event == IOTHUBI_MQTT_GOT_PUBLISH_END && (parser.first & IOTHUBI_MQTT_DUP) != 0) {
        iothubi_write_text(&report, " dup");
    }
    last = event == IOTHUBI_MQTT_GOT_SUBACK && parser.remaining == 0 ? IOTHUBI_MQTT_NEED_MORE : event;       /* its last code */
}

static void read_bytes(const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + size;
    size_t calls = 2u * size + 2u;               /* bounded work */
    iothubi_mqtt_event event;
    do {
        event = iothubi_mqtt_parse(&parser, &at, end);
        if (event != IOTHUBI_MQTT_NEED_MORE) {
            note(event, at);
        }
    } while (event != IOTHUBI_MQTT_NEED_MORE && event != IOTHUBI_MQTT_MALFORMED && --calls != 0);
    if (calls == 0 || (event == IOTHUBI_MQTT_NEED_MORE && at != end)) {
        iothubi_write_text(&report, " astray");
    }
}

static int reads_as(const char *expected)
{
    return report.length == IOTHUB_STRLEN(expected) && IOTHUB_MEMCMP(events, expected, report.length) == 0;
}

static void check_events(const char *bytes, size_t size, const char *expected, int line)
{
    begin_reading();
    read_bytes(bytes, size);
    check_bytes(events, report.length, expected, IOTHUB_STRLEN(expected), TEXT("events"), line);
}

/* Every packet that a client may receive. */
static const struct { const char *bytes; size_t size; const char *events; } packets[] = {
    { LITERAL("\x20\x02\x00\x00"), "CONNACK 0" },
    { LITERAL("\x20\x02\x01\x00"), "CONNACK 256" },      /* session present */
    { LITERAL("\x20\x02\x00\x05"), "CONNACK 5" },        /* not authorised */
    { LITERAL("\x20\x02\x01\xFF"), "CONNACK 511" },      /* the code's meaning is the hub mapping's business */
    { LITERAL("\x40\x02\x00\x01"), "PUBACK 1" },
    { LITERAL("\x40\x02\x7F\xFF"), "PUBACK 32767" },
    { LITERAL("\x40\x02\x80\x00"), "PUBACK 32768" },
    { LITERAL("\x40\x02\xFF\xF0"), "PUBACK 65520" },
    { LITERAL("\x40\x82\x00\x12\x34"), "PUBACK 4660" },  /* a length longer than needed, and legal */
    { LITERAL("\x90\x03\x00\x02" "\x00"), "SUBACK 2 00" },
    { LITERAL("\x90\x06\x00\x02" "\x01\x00\x00\x80"), "SUBACK 2 01000080" },
    { LITERAL("\xB0\x02\x12\x34"), "UNSUBACK 4660" },
    { LITERAL("\xD0\x00"), "PINGRESP" },
    { LITERAL("\xD0\x80\x80\x80\x00"), "PINGRESP" },
    { LITERAL("\x30\x05" "\x00\x03" "a/b"), "TOPIC 612f62, END 0" },
    { LITERAL("\x31\x06" "\x00\x03" "a/b" "x"), "TOPIC 612f62, BODY 0 78, END 0" },                          /* RETAIN */
    { LITERAL("\x32\x07" "\x00\x03" "a/b" "\x00\x07"), "TOPIC 612f62, END 7" },                              /* QoS 1 */
    { LITERAL("\x3A\x0A" "\x00\x03" "a/b" "\x01\x00" "xyz"), "TOPIC 612f62, BODY 256 78797a, END 256 dup" }, /* DUP */
    { LITERAL("\x33\x09" "\x00\x01" "a" "\xFF\xFF" "\x00\x00\x30\x32"), "TOPIC 61, BODY 65535 00003032, END 65535" }
};

static const struct { const char *bytes; size_t size; const char *events; } malformed[] = {
    { LITERAL("\x20\x00"), "MALFORMED" }, { LITERAL("\x20\x01"), "MALFORMED" }, { LITERAL("\x20\x03"), "MALFORMED" },
    { LITERAL("\x40\x00"), "MALFORMED" }, { LITERAL("\x40\x03"), "MALFORMED" }, { LITERAL("\x40\x82\x80\x04"), "MALFORMED" },
    { LITERAL("\x90\x02"), "MALFORMED" }, { LITERAL("\xB0\x01"), "MALFORMED" }, { LITERAL("\xD0\x01"), "MALFORMED" },
    { LITERAL("\x30\x01"), "MALFORMED" }, { LITERAL("\x32\x03"), "MALFORMED" },
    { LITERAL("\x30\xFF\xFF\xFF\xFF"), "MALFORMED" },    /* the fourth byte of a length announces another */
    { LITERAL("\x20\x02\x02\x00"), "MALFORMED" },        /* a reserved flag of CONNACK [MQTT-3.2.2-1] */
    { LITERAL("\x20\x02\x80\x00"), "MALFORMED" },
    { LITERAL("\x30\x02\x00\x00"), "MALFORMED" },        /* a topic has a character [MQTT-4.7.3-1] */
    { LITERAL("\x30\x03\x00\x02" "a"), "MALFORMED" },    /* the topic would end behind the packet */
    { LITERAL("\x30\x02\xFF\xFF"), "MALFORMED" },
    { LITERAL("\x32\x04\xFF\xFF"), "MALFORMED" },        /* 65,535 and 2 are no sum of 16 bits */
    { LITERAL("\x32\x81\x80\x04\xFF\xFE"), "MALFORMED" },      /* 65,537 bytes do not hold 2, 65,534 and 2 */
    { LITERAL("\x32\x82\x80\x04\xFF\xFE" "a"), "TOPIC 61" },   /* 65,538 do */
    { LITERAL("\x32\x05\x00\x02" "ab"), "MALFORMED" },   /* no room for the packet id */
    { LITERAL("\x32\x05\x00\x01" "a" "\x00\x00"), "TOPIC 61, MALFORMED" },       /* packet id 0 [MQTT-2.3.1-1] */
    { LITERAL("\x00\x20\x02\x00\x00"), "MALFORMED" }
};

static void reading(void)
{
    size_t cut;
    for (row = 0; row < COUNT(packets); ++row) {
        size_t early = 0, wrong = 0;
        subject = packets[row].events;
        check_events(packets[row].bytes, packets[row].size, subject, __LINE__);
        for (cut = 0; cut < packets[row].size; ++cut) {
            begin_reading();
            read_bytes(packets[row].bytes, cut);
            early += reads_as(subject) || reads_as("MALFORMED");
            read_bytes(packets[row].bytes + cut, packets[row].size - cut);
            wrong += !reads_as(subject) || parser.phase != IOTHUBI_MQTT_AT_HEADER;
        }
        CHECK_NUMBER(early, 0);                  /* every proper prefix needs more */
        CHECK_NUMBER(wrong, 0);                  /* and the rest completes it */
        begin_reading();
        for (cut = 0; cut < packets[row].size; ++cut) {
            read_bytes(packets[row].bytes + cut, 1);
        }
        CHECK(reads_as(subject));
    }
    about("what cannot be, is malformed as soon as that is known");
    for (row = 0; row < COUNT(malformed); ++row) {
        check_events(malformed[row].bytes, malformed[row].size, malformed[row].events, __LINE__);
    }
}

/* All packets in a row, in pieces of one size. */
static void streams(void)
{
    static char stream[130], expected[500];
    iothubi_writer all, told;
    size_t piece, at;
    about("all packets in a row read the same in pieces of every size");
    iothubi_write_begin(&all, (unsigned char *)stream, 0, sizeof stream);
    iothubi_write_begin(&told, (unsigned char *)expected, 0, sizeof expected);
    for (row = 0; row < COUNT(packets); ++row) {
        iothubi_write(&all, packets[row].bytes, packets[row].size);
        iothubi_write_text(&told, row != 0 ? ", " : "");
        iothubi_write_text(&told, packets[row].events);
    }
    iothubi_write_byte(&told, 0);
    CHECK_NUMBER(all.length, 108);
    CHECK(told.length <= sizeof expected);
    for (piece = 1; piece <= 108; ++piece) {
        begin_reading();
        for (at = 0; at < 108; at += piece) {
            read_bytes(stream + at, 108 - at < piece ? 108 - at : piece);
        }
        CHECK(reads_as(expected));
    }
}

/* Table 2.2 of the standard: what each first byte must be, and which a server sends. */
static void first_bytes(void)
{
    static const char no_publish[] = "\x20\x40\x90\xB0\xD0", publish[] = "\x30\x31\x32\x33\x3A\x3B";
    unsigned int first, wrong = 256;
    about("each of the 256 first bytes is judged as the standard says");
    for (first = 0; first < 256; ++first) {
        int legal = memchr(no_publish, (int)first, 5) != NULL || memchr(publish, (int)first, 6) != NULL;
        char byte = (char)(unsigned char)first;
        begin_reading();
        read_bytes(&byte, 1);
        if (!reads_as(legal ? "" : "MALFORMED")) {
            wrong = first;
        }
    }
    CHECK_NUMBER(wrong, 256);
}

/* Remaining lengths, some above what 16 bits can say. The body comes in pieces and is followed to its last byte. */
static const struct { const char *bytes; size_t size; uint32_t remaining; } lengths[] = {
    { LITERAL("\x30\x7F"), 127 },
    { LITERAL("\x30\x80\x01"), 128 },
    { LITERAL("\x30\xFF\x7F"), 16383 },
    { LITERAL("\x30\x80\x80\x01"), 16384 },
    { LITERAL("\x30\xFF\xFF\x03"), 65535ul },
    { LITERAL("\x30\x80\x80\x04"), 65536ul },
    { LITERAL("\x30\x83\x80\x04"), 65539ul },
    { LITERAL("\x30\xFF\xFF\x7F"), 2097151ul },
    { LITERAL("\x30\x80\x80\x80\x01"), 2097152ul }
};

static void long_lengths(void)
{
    static unsigned char piece[1024];
    const unsigned char *at;
    uint32_t left;
    about("bodies of every length");
    for (row = 0; row < COUNT(lengths); ++row) {
        size_t wrong = 0;
        begin_reading();
        read_bytes(lengths[row].bytes, lengths[row].size);
        CHECK_NUMBER(parser.remaining, lengths[row].remaining);
        read_bytes("\x00\x01" "a", 3);
        for (left = lengths[row].remaining - 3u; left != 0; left -= (uint32_t)parser.chunk_size) {
            size_t size = left < sizeof piece ? (size_t)left : sizeof piece;
            at = piece;
            if (iothubi_mqtt_parse(&parser, &at, piece + size) != IOTHUBI_MQTT_GOT_BODY || parser.chunk_size != size) {
                ++wrong;
                break;
            }
        }
        CHECK_NUMBER(wrong, 0);
        read_bytes("\xD0\x00", 2);
        CHECK(reads_as("TOPIC 61, END 0, PINGRESP"));
    }
    about("the largest length");
    begin_reading();
    read_bytes("\x30\xFF\xFF\xFF\x7F", 5);
    CHECK_NUMBER(parser.remaining, 268435455ul);
    read_bytes("\x00\x01" "ab", 4);
    CHECK_NUMBER(parser.remaining, 268435451ul);
}

static void stays(void)
{
    about("what was malformed stays so, until a new connection; an end comes once");
    begin_reading();
    read_bytes("\x00", 1);
    read_bytes("\x20\x02\x00\x00", 4);
    CHECK(reads_as("MALFORMED, MALFORMED"));
    iothubi_mqtt_parser_begin(&parser);
    read_bytes("\x30\x04\x00\x01" "ax", 6);
    read_bytes("", 0);
    read_bytes("\xD0\x00", 2);
    CHECK(reads_as("MALFORMED, MALFORMED, TOPIC 61, BODY 0 78, END 0, PINGRESP"));
}

void vectors(void)
{
    writing();
    reading();
    streams();
    first_bytes();
    long_lengths();
    stays();
}
