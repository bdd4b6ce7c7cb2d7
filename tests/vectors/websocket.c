/* WebSocket, the HTTP proxy, and what they are made of: SHA-1, base64, the head of an HTTP answer. Over a stream of scripts. */

#define IOTHUB_WEBSOCKET
#include "check.h"

const char room[] = "websocket";

/* ---- a stream of scripts ---- */

static const char *incoming = "";                /* what may be read */
static size_t incoming_size, read_most, write_most;
static char outgoing[420];                       /* what was written */
static size_t outgoing_size;
static unsigned char entropy;                    /* random bytes count up from here */

static int script_open(void *context, const char *host, unsigned int port)
{
    (void)context;
    (void)host;
    return port != 0;
}

static int script_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    size_t size = capacity < read_most ? capacity : read_most;
    (void)context;
    size = size < incoming_size ? size : incoming_size;
    IOTHUB_MEMCPY(bytes, incoming, size);
    incoming += size;
    incoming_size -= size;
    return (int)size;
}

static int script_write(void *context, const unsigned char *bytes, unsigned int size)
{
    size_t taken = size < write_most ? size : write_most;
    (void)context;
    if (size == 0) {
        return 1;
    }
    taken = taken < sizeof outgoing - outgoing_size ? taken : sizeof outgoing - outgoing_size;
    IOTHUB_MEMCPY(outgoing + outgoing_size, bytes, taken);
    outgoing_size += taken;
    return (int)taken;
}

static void script_close(void *context)
{
    (void)context;
}

static int script_random(void *context, unsigned char *bytes, unsigned int size)
{
    unsigned int i;
    (void)context;
    for (i = 0; i < size; ++i) {
        bytes[i] = entropy++;
    }
    return 0;
}

static IOTHUB_PLATFORM platform;

static void script(size_t most)
{
    IOTHUB_MEMSET(&platform, 0, sizeof platform);
    platform.io.open = script_open;
    platform.io.read = script_read;
    platform.io.write = script_write;
    platform.io.close = script_close;
    platform.random = script_random;
    incoming_size = outgoing_size = 0;
    read_most = write_most = most;
    entropy = 0;
}

static void receive(const char *bytes, size_t size)
{
    incoming = bytes;
    incoming_size = size;
    outgoing_size = 0;
}

/* ---- SHA-1 and base64 ---- */

static void hashes(void)
{
    unsigned char digest[IOTHUBI_SHA1_SIZE];
    about("SHA-1, RFC 3174 section 7.3");
    iothubi_sha1((const unsigned char *)"abc", 3, digest);
    CHECK_BYTES(digest, sizeof digest, "\xA9\x99\x3E\x36\x47\x06\x81\x6A\xBA\x3E\x25\x71\x78\x50\xC2\x6C\x9C\xD0\xD8\x9D");
    iothubi_sha1((const unsigned char *)"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
    CHECK_BYTES(digest, sizeof digest, "\x84\x98\x3E\x44\x1C\x3B\xD2\x6E\xBA\xAE\x4A\xA1\xF9\x51\x29\xE5\xE5\x46\x70\xF1");
    iothubi_sha1((const unsigned char *)"", 0, digest);
    CHECK_BYTES(digest, sizeof digest, "\xDA\x39\xA3\xEE\x5E\x6B\x4B\x0D\x32\x55\xBF\xEF\x95\x60\x18\x90\xAF\xD8\x07\x09");
}

static void write_foobar(iothubi_writer *writer, const void *context)
{
    iothubi_write_base64(writer, (const unsigned char *)"foobar\xFF", *(const size_t *)context);
}

static void texts(void)
{
    static const char *const expected[] = { "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy", "Zm9vYmFy/w==" };
    size_t size;
    about("base64, RFC 4648 section 10");
    for (size = 1; size <= COUNT(expected); ++size) {
        row = size;
        check_written(write_foobar, &size, expected[size - 1u], IOTHUB_STRLEN(expected[size - 1u]), TEXT("base64"), __LINE__);
    }
}

/* ---- the proxy ---- */

static void proxies(void)
{
    static const char request[] = "CONNECT hub.example.net:8883 HTTP/1.1\r\nHost: hub.example.net:8883\r\n"
        "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
    static IOTHUB_HTTP_PROXY proxy;
    HTTP_PROXY_OPTIONS options;
    const IOTHUB_IO *io;
    unsigned char bytes[4];
    long raw = 0;
    about("the tunnel of RFC 7617 section 2");
    options.host_address = "proxy";
    options.port = 3128;
    options.username = "Aladdin";
    options.password = "open sesame";
    for (row = 1; row < 4; ++row) {
        script(row);
        io = IoTHub_HttpProxyBegin(&proxy, &platform.io);
        CHECK_NUMBER(io->set_option(io->context, "proxy_data", &options), 0);
        CHECK_NUMBER(io->open(io->context, "hub.example.net", 8883), 0);
        CHECK_BYTES(outgoing, outgoing_size, request);
        receive(LITERAL("HTTP/1.1 200 OK\r\n\r\nTLS"));
        CHECK_NUMBER(io->open(io->context, "hub.example.net", 8883), 1);
        CHECK_NUMBER(incoming_size, 3);
        CHECK_NUMBER(io->read(io->context, bytes, 1), 1);
        CHECK_NUMBER(bytes[0], 'T');
        io->close(io->context);
        receive(LITERAL(""));
        CHECK_NUMBER(io->open(io->context, "hub.example.net", 8883), 0);
        receive(LITERAL("HTTP/1.1 407 No\r\n\r\n"));
        CHECK(io->open(io->context, "hub.example.net", 8883) < 0);
        CHECK_NUMBER(io->error(io->context, &raw), IOTHUB_LAYER_PROXY);
        CHECK_NUMBER(raw, 407);
    }
    about("options");
    options.port = 0;
    io->close(io->context);
    CHECK(io->set_option(io->context, "proxy_data", &options) < 0);
    options.port = 8080;
    options.password = NULL;
    CHECK(io->set_option(io->context, "proxy_data", &options) < 0);
    CHECK_NUMBER(io->set_option(io->context, "other", &options), 1);
}

/* ---- WebSocket ---- */

static struct iothubi_websocket websocket;
static IOTHUB_CONST char mqtt[] = "mqtt";

static const IOTHUB_IO *opened(size_t most)
{
    const IOTHUB_IO *io;
    script(most);
    io = iothubi_websocket_begin(&websocket, &platform.io, &platform, mqtt, 0);
    CHECK_NUMBER(io->open(io->context, "hub.example.net", 443), 0);
    CHECK_BYTES(outgoing, outgoing_size,
        "GET /$iothub/websocket?iothub-no-client-cert=true HTTP/1.1\r\nHost: hub.example.net\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
        "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n");
    receive(LITERAL("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n"
        "Sec-WebSocket-Accept: Bz3qJYTGdOe8gUSpLosEdiLKDrk=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"));
    CHECK_NUMBER(io->open(io->context, "hub.example.net", 443), 1);
    outgoing_size = 0;
    return io;
}

static void handshakes(void)
{
    const IOTHUB_IO *io;
    long raw = 0;
    about("the handshake of wire-mqtt.md section 13");
    for (row = 1; row < 4; ++row) {
        io = opened(row);
        io->close(io->context);
    }
    about("a wrong accept");
    script(100);
    io = iothubi_websocket_begin(&websocket, &platform.io, &platform, mqtt, 1);
    CHECK_NUMBER(io->open(io->context, "h", 443), 0);
    receive(LITERAL("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: Bz3qJYTGdOe8gUSpLosEdiLKDrK=\r\n\r\n"));
    CHECK(io->open(io->context, "h", 443) < 0);
    CHECK_NUMBER(io->error(io->context, &raw), IOTHUB_LAYER_PROTOCOL);
    CHECK_NUMBER(raw, 101);
}

static void frames(void)
{
    const IOTHUB_IO *io;
    unsigned char bytes[8];
    long raw = 0;
    about("a frame that leaves, and its mask");
    for (row = 1; row < 4; ++row) {
        io = opened(row * 50u);
        entropy = 0x11;
        CHECK_NUMBER(io->write(io->context, (const unsigned char *)"\xC0\x00", 2), 2);
        CHECK_BYTES(outgoing, outgoing_size, "\x82\x82\x11\x12\x13\x14\xD1\x12");
    }
    about("frames that arrive, in pieces");
    for (row = 1; row < 5; ++row) {
        io = opened(row);
        receive(LITERAL("\x02\x01" "a" "\x89\x02hi" "\x80\x02" "bc" "\x88\x02\x03\xE9"));
        entropy = 0;
        bytes[3] = 0;
        CHECK_NUMBER(io->read(io->context, bytes, 1), 1);
        CHECK_NUMBER(io->read(io->context, bytes + 1, 1), 1);
        CHECK_NUMBER(io->read(io->context, bytes + 2, 1), 1);
        CHECK_BYTES(bytes, 4, "abc\0");
        CHECK(io->read(io->context, bytes, 1) < 0);
        CHECK_NUMBER(io->error(io->context, &raw), IOTHUB_LAYER_HUB);
        CHECK_NUMBER(raw, 1001);
    }
    about("a length of 2^31, and one that is not the shortest");
    io = opened(100);
    receive(LITERAL("\x82\x7F\0\0\0\0\x80\0\0\0"));
    CHECK(io->read(io->context, bytes, 8) < 0);
    CHECK_NUMBER(io->error(io->context, &raw), IOTHUB_LAYER_PROTOCOL);
    CHECK_NUMBER(raw, 1009);
    io = opened(100);
    receive(LITERAL("\x82\x7F\0\0\0\0\0\0\xFF\xFF"));
    CHECK(io->read(io->context, bytes, 8) < 0);
    CHECK_NUMBER((io->error(io->context, &raw), raw), 1002);
}

void vectors(void)
{
    hashes();
    texts();
    proxies();
    handshakes();
    frames();
}
