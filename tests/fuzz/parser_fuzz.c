/* The MQTT parser: the first byte says how to split the rest; both ways must tell the same story. Its work is bounded by the
   bytes: each call takes some of them or is the last, but for the end of a PUBLISH, which has said nothing for its header of
   four bytes or more. So there are never more events than bytes. */
#define IOTHUB_IMPLEMENTATION
#include "transports/mqtt/codec.h"
#include <stdlib.h>

const unsigned long fuzz_work = 100;             /* basic blocks for each byte of input, at most (replay.c counts them) */

typedef struct Story {
    iothubi_mqtt_parser parser;
    uint32_t hash;
    int malformed;
    size_t bytes;                                /* passed so far */
    size_t events;                               /* told so far */
} Story;

static void tell(Story *story, unsigned int value)
{
    story->hash = (story->hash ^ (value & 0xFFFFu)) * 16777619u;
}

/* Chunks may be cut anywhere, so their bytes count, not their borders. */
static void feed(Story *story, const uint8_t *bytes, size_t size)
{
    const unsigned char *at = bytes, *end = bytes + size;
    iothubi_mqtt_event event;
    story->bytes += size;
    do {
        const unsigned char *before = at;
        size_t i;
        event = iothubi_mqtt_parse(&story->parser, &at, end);
        if (event > IOTHUBI_MQTT_MALFORMED) {
            story->events += 1;
            if (story->events > story->bytes || (at == before && event != IOTHUBI_MQTT_GOT_PUBLISH_END)) abort();
        }
        switch (event) {
        case IOTHUBI_MQTT_NEED_MORE:
            if (at != end) abort();
            break;
        case IOTHUBI_MQTT_MALFORMED:
            story->malformed = 1;
            return;
        case IOTHUBI_MQTT_GOT_TOPIC:
        case IOTHUBI_MQTT_GOT_BODY:
        case IOTHUBI_MQTT_GOT_SUBACK:
            if (story->parser.chunk_size == 0 || story->parser.chunk_size > (size_t)(at - before)) abort();
            for (i = 0; i < story->parser.chunk_size; ++i) {
                tell(story, 0x100u * (unsigned int)event + *(at - story->parser.chunk_size + i));
            }
            break;
        default:
            tell(story, (unsigned int)event);
            tell(story, story->parser.value);
            break;
        }
    } while (event != IOTHUBI_MQTT_NEED_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Story whole, split;
    size_t step, at;
    if (size == 0) return 0;
    step = 1u + data[0] % 16u;
    memset(&whole, 0, sizeof whole);
    memset(&split, 0, sizeof split);
    feed(&whole, data + 1, size - 1);
    for (at = 1; at < size && !split.malformed; at += step) {
        feed(&split, data + at, size - at < step ? size - at : step);
    }
    if (whole.malformed != split.malformed || (!whole.malformed && whole.hash != split.hash)) abort();
    if (whole.malformed) {
        const unsigned char *again = data, *end = data + size;
        if (iothubi_mqtt_parse(&whole.parser, &again, end) != IOTHUBI_MQTT_MALFORMED) abort();
    }
    return 0;
}
