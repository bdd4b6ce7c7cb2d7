/* WebSocket's filter and the proxy's: the first byte chooses what the rest is (a server's frames, the answer to a handshake, a proxy's
   answer), the second how it is split and how much the stream takes. Split or not, the same bytes must be delivered and the same error
   be told. What leaves must be what a client may send: masked frames with the caller's bytes, pongs that repeat a ping, at most one close,
   at the end. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_WEBSOCKET
#include "transports/http/proxy.h"
#include "transports/websocket/websocket.h"
#include <stdlib.h>

const unsigned long fuzz_work = 1000;            /* basic blocks for each byte of input, at most (replay.c counts them) */

enum { FRAMES, ANSWER, PROXY, KINDS };

#define OUT_MAXIMUM 65536u

typedef struct Story {
    IOTHUB_PLATFORM platform;
    struct iothubi_websocket websocket;
    IOTHUB_HTTP_PROXY proxy;
    const IOTHUB_IO *io;
    const unsigned char *in;
    size_t in_left, read_most, write_most;
    unsigned char out[OUT_MAXIMUM];
    size_t out_size;
    size_t offered;                              /* bytes that were offered and not taken: they must be offered again */
    int opened, dead, layer;
    long raw;
    uint32_t hash;                               /* of what was delivered */
    size_t delivered, written, pending;          /* pending: of the caller's message, which it offers until all is taken */
} Story;

static int on_open(void *context, const char *host, unsigned int port)
{
    (void)context;
    (void)host;
    return port != 0;
}

static int on_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    Story *story = (Story *)context;
    size_t size = capacity < story->read_most ? capacity : story->read_most;
    if (capacity == 0) abort();
    size = size < story->in_left ? size : story->in_left;
    memcpy(bytes, story->in, size);
    story->in += size;
    story->in_left -= size;
    return (int)size;
}

static int on_write(void *context, const unsigned char *bytes, unsigned int size)
{
    Story *story = (Story *)context;
    size_t taken = size < story->write_most ? size : story->write_most;
    if (size == 0) return 1;
    if (size < story->offered) abort();
    if (story->out_size + taken > OUT_MAXIMUM) abort();
    memcpy(story->out + story->out_size, bytes, taken);
    story->out_size += taken;
    story->offered = size - taken;
    return (int)taken;
}

static void on_close(void *context)
{
    (void)context;
}

static int on_random(void *context, unsigned char *bytes, unsigned int size)
{
    (void)context;
    memset(bytes, 0x5A, size);
    return 0;
}

static void begin(Story *story, int kind, size_t read_most, size_t write_most)
{
    HTTP_PROXY_OPTIONS options;
    memset(story, 0, sizeof *story);
    story->platform.io.context = story;
    story->platform.io.open = on_open;
    story->platform.io.read = on_read;
    story->platform.io.write = on_write;
    story->platform.io.close = on_close;
    story->platform.random = on_random;
    story->read_most = read_most;
    story->write_most = write_most;
    story->in = (const unsigned char *)"";
    if (kind == PROXY) {
        story->io = IoTHub_HttpProxyBegin(&story->proxy, &story->platform.io);
        memset(&options, 0, sizeof options);
        options.host_address = "proxy";
        options.port = 8080;
        if (story->io->set_option(story->io->context, "proxy_data", &options) != 0) abort();
    } else {
        story->io = iothubi_websocket_begin(&story->websocket, &story->platform.io, &story->platform, "mqtt", 0);
    }
    if (kind == FRAMES) {
        story->websocket.state = IOTHUBI_WEBSOCKET_OPEN;
        memset(&story->websocket.room, 0x77, sizeof story->websocket.room);
    } else if (story->io->open(story->io->context, "host", 443) != 0) {
        abort();
    }
}

/* A message of the caller's every few turns: bytes that count up. */
static void write_some(Story *story)
{
    unsigned char bytes[100];
    size_t size, i;
    int taken;
    if (story->pending == 0) story->pending = 1 + story->written % 97;
    size = story->pending;
    for (i = 0; i < size; ++i) {
        bytes[i] = (unsigned char)((story->written + i) & 0xFFu);
    }
    taken = story->io->write(story->io->context, bytes, (unsigned int)size);
    if (taken > (int)size) abort();
    if (taken > 0) {
        story->written += (size_t)taken;
        story->pending -= (size_t)taken;
    }
}

static void play(Story *story, const unsigned char *bytes, size_t size, size_t capacity, int writes)
{
    unsigned char buffer[64];
    size_t turns, i;
    story->in = bytes;
    story->in_left = size;
    for (turns = 0; turns < 2 * size + 8 && !story->dead; ++turns) {
        int answer;
        if (!story->opened) {
            answer = story->io->open(story->io->context, "host", 443);
            story->opened = answer > 0;
        } else {
            answer = story->io->read(story->io->context, buffer, (unsigned int)capacity);
            if (answer > (int)capacity) abort();
            for (i = 0; answer > 0 && i < (size_t)answer; ++i) {
                story->hash = (story->hash ^ buffer[i]) * 16777619u;
                ++story->delivered;
            }
        }
        story->dead = answer < 0;
        if (answer == 0 && story->in_left != 0) abort();  /* 0 means that nothing more is there */
        if (writes && story->opened && !story->dead && turns % 3 == 0) write_some(story);
    }
    if (story->delivered > size) abort();
    story->raw = 0;
    story->layer = story->io->error(story->io->context, &story->raw);
}

/* Reads what left as a server would: whole frames, the last one perhaps cut. */
static void check_frames(const Story *story)
{
    size_t at = 0, told = 0, i;
    int closed = 0;
    while (story->out_size - at >= 2) {
        const unsigned char *frame = story->out + at;
        size_t size = frame[1] & 127u, header = 2;
        if (closed || (frame[1] & 128u) == 0 || size > 125) abort();   /* none of ours is longer here */
        if (frame[0] != 0x82 && frame[0] != 0x8A && frame[0] != 0x88) abort();
        closed = frame[0] == 0x88;
        if (story->out_size - at < header + 4 + size) break;
        header += 4;
        for (i = 0; i < size && frame[0] == 0x82; ++i) {
            if ((frame[header + i] ^ 0x5A) != ((told + i) & 0xFFu)) abort();
        }
        if (frame[0] == 0x82) told += size;
        at += header + size;
    }
    if (told > story->written) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Story whole, split;
    int kind;
    if (size < 2) return 0;
    kind = data[0] % KINDS;
    if (kind != FRAMES && size < 64) return 0;   /* the request would be most of the work */
    begin(&whole, kind, 32767, 32767);
    begin(&split, kind, 1u + data[1] % 16u, 32767);
    if (kind == FRAMES) {
        whole.opened = split.opened = 1;
        split.write_most = 1u + data[1] / 16u;
    }
    play(&whole, data + 2, size - 2, 64, 0);
    play(&split, data + 2, size - 2, 1u + data[1] % 7u, 1);
    if (whole.dead != split.dead || whole.hash != split.hash || whole.delivered != split.delivered
        || whole.layer != split.layer || whole.raw != split.raw) abort();
    if (kind == FRAMES) {
        check_frames(&whole);
        check_frames(&split);
        split.write_most = 32767;
        split.io->close(split.io->context);
        check_frames(&split);
    }
    return 0;
}
