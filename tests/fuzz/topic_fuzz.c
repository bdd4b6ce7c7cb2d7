/* Topics of IoT Hub: how to split, how much room, whose identity; then a topic. Every split gives the same kind, status and map;
   nothing is written outside the room; the map holds whole entries only. Where there was room for all of it, it
   is what a reader that has all of the text at once makes of it. */
#define IOTHUB_IMPLEMENTATION
#include "transports/mqtt/topic.h"
#include <stdlib.h>

const unsigned long fuzz_work = 500;             /* basic blocks for each byte of input, at most (replay.c counts them) */

#define PROMISE(condition) do { if (!(condition)) abort(); } while (0)
#define TOPIC_MAXIMUM 2000u

typedef struct Read {
    unsigned char *memory;                       /* of exactly the room, so that the sanitizer stands at its end */
    iothubi_inbound inbound;
    size_t before;                               /* bytes that a message leaves free */
} Read;

static void read_topic(Read *read, const iothubi_identity *identity, const uint8_t *topic, size_t size, size_t step, size_t room, size_t apart)
{
    size_t at, moved;
    read->memory = (unsigned char *)malloc(room != 0 ? room : 1u);
    memset(read->memory, 0xEE, room);
    iothubi_inbound_begin(&read->inbound, read->memory, room, apart);
    for (at = 0; at < size; at += step) {
        moved = size - at < step ? size - at : step;
        iothubi_topic_feed(&read->inbound, identity, topic + at, moved);
    }
    iothubi_topic_end(&read->inbound);
    read->before = (size_t)(read->inbound.map.bytes - read->memory);
    PROMISE(read->before == 0 || (read->before == apart && read->inbound.kind == IOTHUBI_KIND_MESSAGE));
    PROMISE(read->before + read->inbound.map.room == room && read->inbound.map.used <= read->inbound.map.room);
}

/* Whole entries; each name once, if there was room for all. */
static void check_map(const struct MAP_HANDLE_DATA_TAG *map, int complete)
{
    size_t at = 0, later;
    iothubi_entry entry, other;
    PROMISE(map->used == 0 || map->bytes[map->used - 1u] == '\0');
    while (iothubi_map_next(map, &at, &entry)) {
        PROMISE(at <= map->used && entry.tag <= IOTHUBI_PROPERTY_RETRY_AFTER);
        for (later = at; complete && iothubi_map_next(map, &later, &other);) {
            PROMISE(entry.tag != other.tag || entry.name_size != other.name_size
                || memcmp(entry.name_size != 0 ? entry.name : "", other.name_size != 0 ? other.name : "", entry.name_size) != 0);
        }
    }
    PROMISE(at == map->used);
}

/* ---- the same, from the whole text ---- */

static struct {
    int kind;
    unsigned long status;
    unsigned char bytes[3u * TOPIC_MAXIMUM];     /* entries as in a map */
    size_t used;
} expected;

static int is(const uint8_t *at, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(at, text, size) == 0;
}

static size_t decoded(unsigned char *to, const uint8_t *from, size_t size, int decode)
{
    size_t i, length = 0;
    for (i = 0; i < size; ++i) {
        char digits[3];
        unsigned long value = 0;
        if (decode && from[i] == '%' && size - i >= 3u) {
            char *end;
            memcpy(digits, from + i + 1, 2);
            digits[2] = '\0';
            if (digits[0] != '+' && digits[0] != '-' && digits[0] != ' ' && (digits[0] < '\t' || digits[0] > '\r') && digits[1] != 'x' && digits[1] != 'X') {
                value = strtoul(digits, &end, 16);
                if (end != digits + 2) value = 0;
            }
        }
        to[length++] = value != 0 ? (unsigned char)value : from[i];
        if (value != 0) i += 2;
    }
    return length;
}

/* Of two with one name the later counts. */
static void expect(int tag, const unsigned char *name, size_t name_size, const uint8_t *value, size_t value_size, int decode)
{
    struct MAP_HANDLE_DATA_TAG map;
    char text[TOPIC_MAXIMUM + 1u];
    memset(&map, 0, sizeof map);
    map.bytes = expected.bytes;
    map.room = sizeof expected.bytes;
    map.used = expected.used;
    memcpy(text, name, name_size);
    text[name_size] = '\0';
    iothubi_map_remove(&map, tag, tag == IOTHUBI_PROPERTY_APPLICATION ? text : NULL, map.used);
    expected.used = map.used;
    expected.bytes[expected.used++] = (unsigned char)tag;
    if (tag == IOTHUBI_PROPERTY_APPLICATION) {
        memcpy(expected.bytes + expected.used, text, name_size + 1u);
        expected.used += name_size + 1u;
    }
    expected.used += decoded(expected.bytes + expected.used, value, value_size, decode);
    expected.bytes[expected.used++] = '\0';
}

static void expect_pair(const uint8_t *at, size_t size)
{
    static const struct { const char *name; int tag, of_message; } names[] = {
        { "$.mid", IOTHUBI_PROPERTY_MESSAGE_ID, 1 }, { "$.cid", IOTHUBI_PROPERTY_CORRELATION_ID, 1 }, { "$.ct", IOTHUBI_PROPERTY_CONTENT_TYPE, 1 },
        { "$.ce", IOTHUBI_PROPERTY_CONTENT_ENCODING, 1 }, { "$.ctime", IOTHUBI_PROPERTY_CREATION_TIME, 1 }, { "$.uid", IOTHUBI_PROPERTY_USER_ID, 1 },
        { "$.cdid", IOTHUBI_PROPERTY_CONNECTION_DEVICE_ID, 1 }, { "$.cmid", IOTHUBI_PROPERTY_CONNECTION_MODULE_ID, 1 },
        { "$.to", -1, 1 }, { "$.on", -1, 1 }, { "$.exp", -1, 1 }, { "iothub-ack", -1, 1 }, { "iothub-operation", -1, 1 },
        { "$rid", IOTHUBI_PROPERTY_REQUEST_ID, 0 }, { "$version", IOTHUBI_PROPERTY_VERSION, 0 }, { "retry-after", IOTHUBI_PROPERTY_RETRY_AFTER, 0 }
    };
    unsigned char name[TOPIC_MAXIMUM];
    int message = expected.kind == IOTHUBI_KIND_MESSAGE, tag = IOTHUBI_PROPERTY_APPLICATION;
    size_t equals = 0, name_size, i;
    while (size != 0 && *at == '?') {
        ++at;
        --size;
    }
    while (equals < size && at[equals] != '=') ++equals;
    name_size = decoded(name, at, equals, message);
    for (i = 0; i < sizeof names / sizeof names[0]; ++i) {
        if (is(name, name_size, names[i].name) && names[i].of_message == message) tag = names[i].tag;
    }
    if (tag < 0) return;
    if (equals < size) {
        expect(tag, name, name_size, at + equals + 1u, size - equals - 1u, message);
    } else {
        expect(tag, name, name_size, at, 0, message);
    }
}

/* Takes the next segment off the path; 0: there is no slash any more. */
static int segment(const uint8_t **at, size_t *left, const uint8_t **text, size_t *size)
{
    *text = *at;
    for (*size = 0; *size < *left; ++*size) {
        if ((*text)[*size] == '/') {
            *at += *size + 1u;
            *left -= *size + 1u;
            return 1;
        }
    }
    return 0;
}

static int is_id(const uint8_t *at, size_t size, const char *id)
{
    return id != NULL && is(at, size, id);
}

static void expect_path(const iothubi_identity *identity, const uint8_t **at, size_t *left)
{
    const uint8_t *text[5];
    size_t size[5], i;
    int n = 0;
    if (!segment(at, left, &text[0], &size[0]) || !segment(at, left, &text[1], &size[1]) || !segment(at, left, &text[2], &size[2])) return;
    if (is(text[0], size[0], "devices") && is_id(text[1], size[1], identity->text[IOTHUBI_DEVICE_ID])) {
        if (is(text[2], size[2], "messages")) {
            n = segment(at, left, &text[3], &size[3]) && is(text[3], size[3], "devicebound");
            expected.kind = n ? IOTHUBI_KIND_MESSAGE : IOTHUBI_KIND_UNKNOWN;
        } else if (is(text[2], size[2], "modules") && segment(at, left, &text[3], &size[3]) && is_id(text[3], size[3], identity->text[IOTHUBI_MODULE_ID])
            && segment(at, left, &text[3], &size[3]) && is(text[3], size[3], "inputs") && segment(at, left, &text[4], &size[4])) {
            expected.kind = IOTHUBI_KIND_MESSAGE;
            expect(IOTHUBI_PROPERTY_INPUT_NAME, text[4], 0, text[4], size[4], 0);
        }
    } else if (is(text[0], size[0], "$iothub") && is(text[1], size[1], "twin")) {
        if (is(text[2], size[2], "res") && segment(at, left, &text[3], &size[3]) && size[3] != 0) {
            for (i = 0; i < size[3] && text[3][i] >= '0' && text[3][i] <= '9' && expected.status < 100000ul; ++i) {
                expected.status = expected.status * 10u + (unsigned long)(text[3][i] - '0');
            }
            if (i == size[3] && expected.status < 1000ul) expected.kind = IOTHUBI_KIND_ANSWER;
            else expected.status = 0;
        } else if (is(text[2], size[2], "PATCH") && segment(at, left, &text[3], &size[3]) && is(text[3], size[3], "properties")
            && segment(at, left, &text[4], &size[4]) && is(text[4], size[4], "desired")) {
            expected.kind = IOTHUBI_KIND_PATCH;
        }
    } else if (is(text[0], size[0], "$iothub") && is(text[1], size[1], "methods") && is(text[2], size[2], "POST")
        && segment(at, left, &text[3], &size[3])) {
        expected.kind = IOTHUBI_KIND_METHOD;
        expect(IOTHUBI_PROPERTY_METHOD_NAME, text[3], 0, text[3], size[3], 0);
    }
}

static void expect_topic(const iothubi_identity *identity, const uint8_t *at, size_t left)
{
    memset(&expected, 0, sizeof expected);
    expect_path(identity, &at, &left);
    while (expected.kind != IOTHUBI_KIND_UNKNOWN && left != 0) {
        size_t size = 0, marks = 0;
        while (size < left && at[size] != '&') ++size;
        while (marks < size && at[marks] == '?') ++marks;
        if (marks < size) expect_pair(at, size); /* where there is nothing there is no pair */
        at += size < left ? size + 1u : size;
        left -= size < left ? size + 1u : size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const devices[] = { "d", "$;%25#+'*!()", "d", "devices" };
    static const char *const modules[] = { NULL, NULL, "m", "modules" };
    iothubi_identity identity;
    Read whole, split;
    size_t room, apart;
    if (size < 4 || size > TOPIC_MAXIMUM) return 0;
    memset(&identity, 0, sizeof identity);
    identity.text[IOTHUBI_DEVICE_ID] = devices[data[0] >> 6];
    identity.text[IOTHUBI_MODULE_ID] = modules[data[0] >> 6];
    room = data[1] < 200u ? data[1] : data[1] * 16u;
    apart = room / 2u < data[2] ? room / 2u : data[2];
    memset(&whole, 0, sizeof whole);
    memset(&split, 0, sizeof split);
    read_topic(&whole, &identity, data + 3, size - 3u, size, room, apart);
    read_topic(&split, &identity, data + 3, size - 3u, 1u + data[0] % 64u, room, apart);
    PROMISE(whole.inbound.kind == split.inbound.kind && whole.inbound.status == split.inbound.status);
    PROMISE(whole.inbound.missing == split.inbound.missing && whole.before == split.before);
    PROMISE(whole.inbound.map.used == split.inbound.map.used);
    PROMISE(memcmp(whole.inbound.map.bytes, split.inbound.map.bytes, whole.inbound.map.used) == 0);
    check_map(&whole.inbound.map, whole.inbound.missing == 0);
    if (whole.inbound.missing == 0 && memchr(data + 3, 0, size - 3u) == NULL) { /* a NUL is allowed in no topic [MQTT-1.5.3-2] */
        expect_topic(&identity, data + 3, size - 3u);
        PROMISE(whole.inbound.kind == expected.kind && whole.inbound.status == expected.status);
        PROMISE(whole.inbound.map.used == expected.used && memcmp(whole.inbound.map.bytes, expected.bytes, expected.used) == 0);
    }
    free(whole.memory);
    free(split.memory);
    return 0;
}
