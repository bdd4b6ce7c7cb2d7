/* ---- websocket: a byte stream in frames, as a filter above TLS ------------------------------------------------------- */
/* RFC 6455, the client's side, binary messages only, no extensions. What messages and fragments there are is nobody's business:
   both ends see a stream of bytes. Knows IoT Hub's path (the same on hub, provisioning service and IoT Edge), no protocol above it. */
#include "../../core/base64.h"
#include "../../core/identity.h"
#include "../http/head.h"
#include "sha1.h"

#if defined(IOTHUB_IMPLEMENTATION) && defined(IOTHUB_WEBSOCKET) && !defined(IOTHUBI_WEBSOCKET_H)
#define IOTHUBI_WEBSOCKET_H

#define IOTHUBI_WEBSOCKET_PORT 443u
#define IOTHUBI_WEBSOCKET_WINDOW 64u             /* bytes masked at a time */
#define IOTHUBI_WEBSOCKET_IDLE_MAXIMUM 4096u     /* bytes that one read may find without a byte to deliver among them */
#define IOTHUBI_WEBSOCKET_CONTROL_MAXIMUM 125u   /* bytes of payload of ping, pong, close (section 5.5) */
#define IOTHUBI_WEBSOCKET_KEY_SIZE 16u
#define IOTHUBI_WEBSOCKET_PROOF_SIZE 60u         /* base64 of the key, and the GUID of section 1.3 */

enum {
    IOTHUBI_WEBSOCKET_CLOSED,
    IOTHUBI_WEBSOCKET_CONNECTING,                /* the stream below is opening */
    IOTHUBI_WEBSOCKET_SEEDING,                   /* waiting for entropy */
    IOTHUBI_WEBSOCKET_ASKING,                    /* request and answer */
    IOTHUBI_WEBSOCKET_OPEN,
    IOTHUBI_WEBSOCKET_DEAD                       /* until close */
};

enum {                                           /* the first byte of a frame (section 5.2) */
    IOTHUBI_WEBSOCKET_CONTINUATION = 0,
    IOTHUBI_WEBSOCKET_TEXT = 1,
    IOTHUBI_WEBSOCKET_BINARY = 2,
    IOTHUBI_WEBSOCKET_CLOSE = 8,                 /* from here on control frames */
    IOTHUBI_WEBSOCKET_PING = 9,
    IOTHUBI_WEBSOCKET_PONG = 10,
    IOTHUBI_WEBSOCKET_RESERVED = 0x70,
    IOTHUBI_WEBSOCKET_FINAL = 0x80,
    IOTHUBI_WEBSOCKET_MASKED = 0x80              /* of the second byte */
};

enum {                                           /* status codes of a close (section 7.4.1) */
    IOTHUBI_WEBSOCKET_NORMAL = 1000,
    IOTHUBI_WEBSOCKET_PROTOCOL_ERROR = 1002,
    IOTHUBI_WEBSOCKET_UNSUPPORTED = 1003,
    IOTHUBI_WEBSOCKET_NO_STATUS = 1005,          /* never sent */
    IOTHUBI_WEBSOCKET_POLICY = 1008,
    IOTHUBI_WEBSOCKET_TOO_BIG = 1009
};

enum {                                           /* what the next byte that arrives is */
    IOTHUBI_WEBSOCKET_IN_FIRST,
    IOTHUBI_WEBSOCKET_IN_LENGTH,
    IOTHUBI_WEBSOCKET_IN_LENGTH_16,
    IOTHUBI_WEBSOCKET_IN_LENGTH_64,
    IOTHUBI_WEBSOCKET_IN_PAYLOAD
};

/* Only while it opens. */
typedef struct iothubi_websocket_opening_tag {
    const char *host;
    unsigned int port;
    iothubi_http_head head;
    size_t sent;                                 /* bytes of the request */
    unsigned char key[IOTHUBI_WEBSOCKET_KEY_SIZE];
    unsigned char proof[IOTHUBI_WEBSOCKET_PROOF_SIZE]; /* is hashed; then its digest, and behind it the text that the answer must show */
    unsigned char matched;                       /* bytes of the present value that are as wanted */
    unsigned char good, bad;                     /* the bits of the headers that had the wanted value, or another one */
} iothubi_websocket_opening;

struct iothubi_websocket {
    /* small things first: small machines reach them with their shortest instructions */
    unsigned char state;
    unsigned char layer;                         /* of the last failure here; NONE: the stream below knows */
    unsigned char certificate;                   /* a client certificate is configured */
    unsigned char write_dead;                    /* the stream below takes no more; it may still have something to read */
    unsigned char unpushed;                      /* a pong, or the rest of one, is not pushed yet */
    unsigned char pinged;                        /* a ping wants its answer, */
    unsigned char ping_size;                     /* with so many bytes */
    unsigned char in_place;                      /* what comes next */
    unsigned char in_first;                      /* the first byte of the frame that arrives */
    unsigned char in_message;                    /* a message has begun, its last frame has not come */
    unsigned char in_bytes;                      /* of a control frame's payload; or of a long length, still to come */
    unsigned char out_header[8];                 /* of the frame on its way; its first byte is 0 between frames */
    unsigned short out_size;                     /* its payload */
    unsigned short out_at;                       /* bytes of it that are gone, header included */
    uint32_t in_left;                            /* bytes of payload still to come; before: its length as far as it is known */
    long raw;                                    /* of the last failure: HTTP status or close code; before: what came of that code */
    const IOTHUB_IO *below;
    const IOTHUB_PLATFORM *platform;             /* of which it needs random */
    const char *subprotocol;                     /* IOTHUB_CONST text */
    IOTHUB_IO io;                                /* what the filter gives */
    union {
        iothubi_websocket_opening opening;
        unsigned char ping[IOTHUBI_WEBSOCKET_CONTROL_MAXIMUM]; /* payload of the ping to answer */
    } room;
};

/* ---- failures ---- */

IOTHUBI_PRIVATE void iothubi_websocket_fail(struct iothubi_websocket *websocket, IOTHUB_LAYER layer, long raw)
{
    websocket->state = IOTHUBI_WEBSOCKET_DEAD;
    websocket->layer = (unsigned char)layer;
    websocket->raw = raw;
}

/* ---- opening handshake (section 4.1) ---- */

/* The headers of the answer that matter, a bit for each, in the order of the names. */
enum {
    IOTHUBI_WEBSOCKET_UPGRADE = 1,
    IOTHUBI_WEBSOCKET_CONNECTION = 2,
    IOTHUBI_WEBSOCKET_ACCEPT = 4,
    IOTHUBI_WEBSOCKET_PROTOCOL = 8,
    IOTHUBI_WEBSOCKET_EXTENSIONS = 16
};

static IOTHUB_CONST char iothubi_websocket_names[] =
    "upgrade\0connection\0sec-websocket-accept\0sec-websocket-protocol\0sec-websocket-extensions\0";
static IOTHUB_CONST char iothubi_websocket_upgrade[] = "websocket";
static IOTHUB_CONST char iothubi_websocket_connection[] = "upgrade";
static IOTHUB_CONST char iothubi_websocket_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
static IOTHUB_CONST char iothubi_websocket_get[] = "GET /$iothub/websocket";
static IOTHUB_CONST char iothubi_websocket_no_certificate[] = "?iothub-no-client-cert=true";
static IOTHUB_CONST char iothubi_websocket_host[] = " HTTP/1.1\r\nHost: ";
static IOTHUB_CONST char iothubi_websocket_fields[] =
    "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ";
static IOTHUB_CONST char iothubi_websocket_key[] = "\r\nSec-WebSocket-Key: ";
static IOTHUB_CONST char iothubi_websocket_end[] = "\r\n\r\n";

/* Without the query the front end asks for a client certificate by a TLS renegotiation, in which small stacks hang. */
IOTHUBI_PRIVATE void iothubi_websocket_write_request(iothubi_writer *writer, const void *context)
{
    const struct iothubi_websocket *websocket = (const struct iothubi_websocket *)context;
    const iothubi_websocket_opening *opening = &websocket->room.opening;
    size_t size;
    IOTHUBI_WRITE_CONST(writer, iothubi_websocket_get);
    if (!websocket->certificate) {
        IOTHUBI_WRITE_CONST(writer, iothubi_websocket_no_certificate);
    }
    IOTHUBI_WRITE_CONST(writer, iothubi_websocket_host);
    iothubi_write_text(writer, opening->host);
    if (opening->port != IOTHUBI_WEBSOCKET_PORT) {
        iothubi_write_byte(writer, ':');
        iothubi_write_decimal(writer, opening->port);
    }
    IOTHUBI_WRITE_CONST(writer, iothubi_websocket_fields);
    for (size = 0; IOTHUB_CONST_BYTE(websocket->subprotocol + size) != 0; ++size) {
    }
    IOTHUBI_WRITE_CONST_BYTES(writer, websocket->subprotocol, size);
    IOTHUBI_WRITE_CONST(writer, iothubi_websocket_key);
    iothubi_write_base64(writer, opening->key, sizeof opening->key);
    IOTHUBI_WRITE_CONST(writer, iothubi_websocket_end);
}

/* A key that nobody can guess, and the digest that proves that it was read. */
IOTHUBI_PRIVATE void iothubi_websocket_seed(struct iothubi_websocket *websocket)
{
    iothubi_websocket_opening *opening = &websocket->room.opening;
    iothubi_writer writer;
    websocket->layer = IOTHUB_LAYER_ENTROPY;
    if (websocket->platform->random(websocket->platform->context, opening->key, sizeof opening->key) < 0) {
        return;
    }
    websocket->layer = IOTHUB_LAYER_NONE;
    iothubi_write_begin(&writer, opening->proof, 0, sizeof opening->proof);
    iothubi_write_base64(&writer, opening->key, sizeof opening->key);
    IOTHUBI_WRITE_CONST(&writer, iothubi_websocket_guid);
    iothubi_sha1(opening->proof, sizeof opening->proof, opening->proof);
    iothubi_write_begin(&writer, opening->proof + IOTHUBI_SHA1_SIZE, 0, sizeof opening->proof - IOTHUBI_SHA1_SIZE);
    iothubi_write_base64(&writer, opening->proof, IOTHUBI_SHA1_SIZE);
    iothubi_write_byte(&writer, 0);
    websocket->state = IOTHUBI_WEBSOCKET_ASKING;
}

/* A character of the value that a header must have; 0 behind its last one. No extension was asked for. */
IOTHUBI_PRIVATE int iothubi_websocket_expected(const struct iothubi_websocket *websocket, unsigned int header, unsigned int at)
{
    switch (header) {
    case IOTHUBI_WEBSOCKET_ACCEPT:
        return websocket->room.opening.proof[IOTHUBI_SHA1_SIZE + at];
    case IOTHUBI_WEBSOCKET_UPGRADE:
        return IOTHUB_CONST_BYTE(iothubi_websocket_upgrade + at);
    case IOTHUBI_WEBSOCKET_CONNECTION:
        return IOTHUB_CONST_BYTE(iothubi_websocket_connection + at);
    case IOTHUBI_WEBSOCKET_PROTOCOL:
        return IOTHUB_CONST_BYTE(websocket->subprotocol + at);
    default:
        return 0;
    }
}

#define IOTHUBI_WEBSOCKET_OTHER 255u             /* matched: it is another value */

/* Is c, of a wanted header's value, as expected? Only the accept's base64 minds the case. */
IOTHUBI_PRIVATE int iothubi_websocket_is_expected(const struct iothubi_websocket *websocket, unsigned int header, unsigned int at, int c)
{
    int expected = iothubi_websocket_expected(websocket, header, at);
    return c == expected || (header != IOTHUBI_WEBSOCKET_ACCEPT && iothubi_http_lower(c) == iothubi_http_lower(expected));
}

/* The next byte of a wanted header's value; 0: its end. Connection is a list (RFC 9110 section 5.6.1), of which one member matters. */
IOTHUBI_PRIVATE void iothubi_websocket_value(struct iothubi_websocket *websocket, int c)
{
    iothubi_websocket_opening *opening = &websocket->room.opening;
    unsigned int header = opening->head.names, at = opening->matched;
    int list = header == IOTHUBI_WEBSOCKET_CONNECTION;
    int whole = at != IOTHUBI_WEBSOCKET_OTHER && iothubi_websocket_expected(websocket, header, at) == 0;
    if (c == 0 || (c == ',' && list)) {
        opening->good = (unsigned char)(opening->good | (whole ? header : 0u));
        opening->bad = (unsigned char)(opening->bad | (whole || list ? 0u : header));
        opening->matched = 0;
    } else if (iothubi_http_is_blank(c)) {       /* it may stand before and behind */
        opening->matched = (unsigned char)(at == 0 || whole ? at : IOTHUBI_WEBSOCKET_OTHER);
    } else if (at != IOTHUBI_WEBSOCKET_OTHER) {
        opening->matched = (unsigned char)(iothubi_websocket_is_expected(websocket, header, at, c) ? at + 1u : IOTHUBI_WEBSOCKET_OTHER);
    }
}

/* The head of the answer is complete. A server that names no subprotocol is believed: what follows shows what it speaks. */
IOTHUBI_PRIVATE void iothubi_websocket_judge(struct iothubi_websocket *websocket, int sent)
{
    const iothubi_websocket_opening *opening = &websocket->room.opening;
    unsigned int needed = IOTHUBI_WEBSOCKET_UPGRADE | IOTHUBI_WEBSOCKET_CONNECTION | IOTHUBI_WEBSOCKET_ACCEPT;
    long status = (long)opening->head.status;
    if (status != 101) {
        iothubi_websocket_fail(websocket, IOTHUB_LAYER_HUB, status);
    } else if (sent <= 0 || opening->bad != 0 || (opening->good & needed) != needed) {
        iothubi_websocket_fail(websocket, IOTHUB_LAYER_PROTOCOL, status);
    } else {
        websocket->state = IOTHUBI_WEBSOCKET_OPEN;
    }
}

/* Sends the request and reads the answer, neither waiting for the other. */
IOTHUBI_PRIVATE void iothubi_websocket_ask(struct iothubi_websocket *websocket)
{
    iothubi_websocket_opening *opening = &websocket->room.opening;
    int sent = iothubi_http_send(websocket->below, iothubi_websocket_write_request, websocket, &opening->sent);
    int event = iothubi_http_next(websocket->below, &opening->head, iothubi_websocket_names);
    while (event == IOTHUBI_HTTP_VALUE || event == IOTHUBI_HTTP_VALUE_END) {
        iothubi_websocket_value(websocket, event == IOTHUBI_HTTP_VALUE ? opening->head.byte : 0);
        event = iothubi_http_next(websocket->below, &opening->head, iothubi_websocket_names);
    }
    if (event == IOTHUBI_HTTP_HEAD_END) {
        iothubi_websocket_judge(websocket, sent);
    } else if (event == IOTHUBI_STREAM_MALFORMED) {
        iothubi_websocket_fail(websocket, IOTHUB_LAYER_PROTOCOL, 0);
    } else if (event < 0 || sent < 0) {
        iothubi_websocket_fail(websocket, iothubi_stream_layer(event < 0 ? event : sent), 0);
    }
}

IOTHUBI_PRIVATE void iothubi_websocket_connect_below(struct iothubi_websocket *websocket)
{
    const iothubi_websocket_opening *opening = &websocket->room.opening;
    int result = websocket->below->open(websocket->below->context, opening->host, opening->port);
    if (result < 0) {
        iothubi_websocket_fail(websocket, IOTHUB_LAYER_NONE, 0);
    } else if (result > 0) {
        websocket->state = IOTHUBI_WEBSOCKET_SEEDING;
    }
}

/* ---- frames that leave ---- */

/* A payload of ours never needs more than 16 bits of length. */
IOTHUBI_PRIVATE unsigned int iothubi_websocket_header_size(const struct iothubi_websocket *websocket)
{
    return websocket->out_size < 126u ? 6u : 8u;
}

/* Announces a frame, with a fresh mask as the last four bytes of its header (section 5.3). False while there is no entropy. */
IOTHUBI_PRIVATE int iothubi_websocket_announce(struct iothubi_websocket *websocket, unsigned int opcode, unsigned int size)
{
    unsigned char *header = websocket->out_header;
    const IOTHUB_PLATFORM *platform = websocket->platform;
    websocket->out_size = (unsigned short)size;
    if (platform->random(platform->context, header + iothubi_websocket_header_size(websocket) - 4u, 4) < 0) {
        return 0;
    }
    websocket->out_at = 0;
    header[0] = (unsigned char)(IOTHUBI_WEBSOCKET_FINAL | opcode);
    header[1] = (unsigned char)(IOTHUBI_WEBSOCKET_MASKED | size);
    if (size >= 126u) {
        header[1] = IOTHUBI_WEBSOCKET_MASKED | 126u;
        header[2] = (unsigned char)(size >> 8);
        header[3] = (unsigned char)(size & 0xFFu);
    }
    return 1;
}

/* Bytes of the frame's payload that are gone. */
IOTHUBI_PRIVATE unsigned int iothubi_websocket_paid(const struct iothubi_websocket *websocket)
{
    unsigned int header = iothubi_websocket_header_size(websocket);
    return websocket->out_at > header ? websocket->out_at - header : 0u;
}

/* Fills a window with what comes next of the frame: the rest of its header, and the next size bytes of its payload, masked. */
IOTHUBI_PRIVATE unsigned int iothubi_websocket_fill(const struct iothubi_websocket *websocket, unsigned char *window,
    const unsigned char *payload, unsigned int size)
{
    unsigned int header = iothubi_websocket_header_size(websocket), at = websocket->out_at, used = 0;
    for (; used < IOTHUBI_WEBSOCKET_WINDOW && (at < header || size != 0); ++at) {
        if (at < header) {
            window[used++] = websocket->out_header[at];
        } else {
            window[used++] = *payload++ ^ websocket->out_header[header - 4u + ((at - header) & 3u)];
            --size;
        }
    }
    return used;
}

/* Moves the frame on, with the next size bytes of its payload: all that it still owes, or fewer. Answers how many of them were taken. */
IOTHUBI_PRIVATE unsigned int iothubi_websocket_move(struct iothubi_websocket *websocket, const unsigned char *payload, unsigned int size)
{
    unsigned int start = iothubi_websocket_paid(websocket), taken = 0, used;
    int moved;
    do {                                         /* each turn sends a window, or is the last */
        unsigned char window[IOTHUBI_WEBSOCKET_WINDOW];
        used = iothubi_websocket_fill(websocket, window, payload + taken, size - taken);
        moved = iothubi_stream_write(websocket->below, window, used);
        if (moved < 0) {
            websocket->write_dead = 1;
            websocket->layer = (unsigned char)iothubi_stream_layer(moved);
            return taken;
        }
        websocket->out_at = (unsigned short)(websocket->out_at + (unsigned int)moved);
        taken = iothubi_websocket_paid(websocket) - start;
    } while ((unsigned int)moved == used && taken < size);
    if (websocket->out_at == iothubi_websocket_header_size(websocket) + websocket->out_size) {
        websocket->out_header[0] = 0;
    }
    return taken;
}

IOTHUBI_PRIVATE void iothubi_websocket_push(struct iothubi_websocket *websocket)
{
    int pushed = iothubi_stream_push(websocket->below);
    websocket->write_dead = pushed < 0;
    websocket->unpushed = pushed == 0;
}

IOTHUBI_PRIVATE int iothubi_websocket_is_answering(const struct iothubi_websocket *websocket)
{
    return websocket->out_header[0] == (IOTHUBI_WEBSOCKET_FINAL | IOTHUBI_WEBSOCKET_PONG);
}

/* What the filter holds itself: the answer to the newest ping (section 5.5.3), between frames. A frame of the caller's is finished by
   the caller, whose next bytes are the rest of it. */
IOTHUBI_PRIVATE void iothubi_websocket_flush(struct iothubi_websocket *websocket)
{
    if (websocket->write_dead || websocket->state != IOTHUBI_WEBSOCKET_OPEN) {
        return;
    }
    if (websocket->pinged && websocket->out_header[0] == 0
        && iothubi_websocket_announce(websocket, IOTHUBI_WEBSOCKET_PONG, websocket->ping_size)) {
        websocket->pinged = 0;
    }
    if (iothubi_websocket_is_answering(websocket)) {
        unsigned int paid = iothubi_websocket_paid(websocket);
        iothubi_websocket_move(websocket, websocket->room.ping + paid, websocket->out_size - paid);
        websocket->unpushed = 1;
    }
    if (websocket->unpushed && !websocket->write_dead) {
        iothubi_websocket_push(websocket);
    }
}

/* The end: a close frame with this code (NO_STATUS: without one), if it can leave at once, between frames. It is not waited for. */
IOTHUBI_PRIVATE void iothubi_websocket_say_close(struct iothubi_websocket *websocket, unsigned int code)
{
    unsigned char payload[2];
    unsigned int size = code != IOTHUBI_WEBSOCKET_NO_STATUS ? 2u : 0u;
    if (websocket->write_dead || websocket->out_header[0] != 0 || !iothubi_websocket_announce(websocket, IOTHUBI_WEBSOCKET_CLOSE, size)) {
        return;
    }
    payload[0] = (unsigned char)(code >> 8);
    payload[1] = (unsigned char)(code & 0xFFu);
    iothubi_websocket_move(websocket, payload, size);
    if (!websocket->write_dead) {
        iothubi_websocket_push(websocket);
    }
}

/* The peer broke the protocol (section 7.1.7). */
IOTHUBI_PRIVATE void iothubi_websocket_refuse(struct iothubi_websocket *websocket, unsigned int code)
{
    iothubi_websocket_say_close(websocket, code);
    iothubi_websocket_fail(websocket, IOTHUB_LAYER_PROTOCOL, (long)code);
}

/* ---- frames that arrive ---- */

/* May a peer send this close code (section 7.4)? */
IOTHUBI_PRIVATE int iothubi_websocket_is_code(unsigned int code)
{
    return (code >= 1000u && code <= 1014u && (code < 1004u || code > 1006u)) || (code >= 3000u && code < 5000u);
}

/* The peer ends the connection: it gets its code back (section 5.5.1). */
IOTHUBI_PRIVATE void iothubi_websocket_got_close(struct iothubi_websocket *websocket)
{
    unsigned int code = IOTHUBI_WEBSOCKET_NO_STATUS;
    if (websocket->in_bytes != 0) {
        code = (unsigned int)websocket->raw;
        if (!iothubi_websocket_is_code(code)) {  /* nor is half a code one */
            iothubi_websocket_refuse(websocket, IOTHUBI_WEBSOCKET_PROTOCOL_ERROR);
            return;
        }
    }
    iothubi_websocket_say_close(websocket, code);
    iothubi_websocket_fail(websocket, IOTHUB_LAYER_HUB, (long)code);
}

IOTHUBI_PRIVATE unsigned int iothubi_websocket_opcode(const struct iothubi_websocket *websocket)
{
    return websocket->in_first & 15u;
}

IOTHUBI_PRIVATE void iothubi_websocket_got_frame(struct iothubi_websocket *websocket)
{
    websocket->in_place = IOTHUBI_WEBSOCKET_IN_FIRST;
    if (iothubi_websocket_opcode(websocket) == IOTHUBI_WEBSOCKET_CLOSE) {
        iothubi_websocket_got_close(websocket);
    } else if (iothubi_websocket_opcode(websocket) == IOTHUBI_WEBSOCKET_PING) {
        websocket->pinged = 1;
        websocket->ping_size = websocket->in_bytes;
    }
}

/* Is this how a frame may begin now? The code to close with, or 0. */
IOTHUBI_PRIVATE unsigned int iothubi_websocket_check_first(const struct iothubi_websocket *websocket)
{
    unsigned int opcode = iothubi_websocket_opcode(websocket);
    int right;
    if (opcode == IOTHUBI_WEBSOCKET_TEXT) {
        return IOTHUBI_WEBSOCKET_UNSUPPORTED;
    }
    if (opcode >= IOTHUBI_WEBSOCKET_CLOSE) {     /* control frames stand alone, also between those of a message */
        right = opcode <= IOTHUBI_WEBSOCKET_PONG && (websocket->in_first & IOTHUBI_WEBSOCKET_FINAL) != 0;
    } else {
        right = opcode == (websocket->in_message ? (unsigned int)IOTHUBI_WEBSOCKET_CONTINUATION : (unsigned int)IOTHUBI_WEBSOCKET_BINARY);
    }
    return right && (websocket->in_first & IOTHUBI_WEBSOCKET_RESERVED) == 0 ? 0u : (unsigned int)IOTHUBI_WEBSOCKET_PROTOCOL_ERROR;
}

/* A ping's answer, or a close's code, has a place now. An older ping that is not answered yet gives way; but while its answer is stuck
   in the middle, the new one has no room for its payload: it counts as answered by that one, and is skipped like a pong. */
IOTHUBI_PRIVATE void iothubi_websocket_begin_bytes(struct iothubi_websocket *websocket, unsigned int size)
{
    websocket->in_bytes = (unsigned char)size;
    websocket->raw = 0;
    if (iothubi_websocket_opcode(websocket) == IOTHUBI_WEBSOCKET_PING) {
        if (iothubi_websocket_is_answering(websocket)) {
            websocket->in_first = IOTHUBI_WEBSOCKET_FINAL | IOTHUBI_WEBSOCKET_PONG;
        } else {
            websocket->pinged = 0;
        }
    }
}

IOTHUBI_PRIVATE void iothubi_websocket_begin_payload(struct iothubi_websocket *websocket)
{
    websocket->in_place = IOTHUBI_WEBSOCKET_IN_PAYLOAD;
    if (websocket->in_left == 0) {
        iothubi_websocket_got_frame(websocket);
    }
}

/* The second byte: never a mask from a server (section 5.1), and the length, or how many bytes it has. */
IOTHUBI_PRIVATE void iothubi_websocket_length_byte(struct iothubi_websocket *websocket, unsigned int byte)
{
    int control = iothubi_websocket_opcode(websocket) >= IOTHUBI_WEBSOCKET_CLOSE;
    if ((byte & IOTHUBI_WEBSOCKET_MASKED) != 0 || (control && byte > IOTHUBI_WEBSOCKET_CONTROL_MAXIMUM)) {
        iothubi_websocket_refuse(websocket, IOTHUBI_WEBSOCKET_PROTOCOL_ERROR);
        return;
    }
    if (control) {
        iothubi_websocket_begin_bytes(websocket, byte);
    } else {
        websocket->in_message = (websocket->in_first & IOTHUBI_WEBSOCKET_FINAL) == 0;
    }
    websocket->in_left = 0;
    if (byte == 126u) {
        websocket->in_place = IOTHUBI_WEBSOCKET_IN_LENGTH_16;
        websocket->in_bytes = 2;
    } else if (byte == 127u) {
        websocket->in_place = IOTHUBI_WEBSOCKET_IN_LENGTH_64;
        websocket->in_bytes = 8;
    } else {
        websocket->in_left = byte;
        iothubi_websocket_begin_payload(websocket);
    }
}

/* A byte of a long length, which must be in its shortest form. Ours end at 31 bits. */
IOTHUBI_PRIVATE void iothubi_websocket_long_length_byte(struct iothubi_websocket *websocket, unsigned int byte)
{
    uint32_t least = websocket->in_place == IOTHUBI_WEBSOCKET_IN_LENGTH_16 ? 126u : 0x10000u;
    if (websocket->in_left > 0x7FFFFFu) {
        iothubi_websocket_refuse(websocket, IOTHUBI_WEBSOCKET_TOO_BIG);
        return;
    }
    websocket->in_left = websocket->in_left << 8 | byte;
    if (--websocket->in_bytes != 0) {
        return;
    }
    if (websocket->in_left < least) {
        iothubi_websocket_refuse(websocket, IOTHUBI_WEBSOCKET_PROTOCOL_ERROR);
    } else {
        iothubi_websocket_begin_payload(websocket);
    }
}

/* A byte before the payload. */
IOTHUBI_PRIVATE void iothubi_websocket_header_byte(struct iothubi_websocket *websocket, unsigned int byte)
{
    unsigned int code;
    switch (websocket->in_place) {
    case IOTHUBI_WEBSOCKET_IN_FIRST:
        websocket->in_first = (unsigned char)byte;
        websocket->in_place = IOTHUBI_WEBSOCKET_IN_LENGTH;
        code = iothubi_websocket_check_first(websocket);
        if (code != 0) {
            iothubi_websocket_refuse(websocket, code);
        }
        break;
    case IOTHUBI_WEBSOCKET_IN_LENGTH:
        iothubi_websocket_length_byte(websocket, byte);
        break;
    default:
        iothubi_websocket_long_length_byte(websocket, byte);
        break;
    }
}

/* Payload of a control frame: of a ping all, of a close its code, of a pong nothing is kept. */
IOTHUBI_PRIVATE void iothubi_websocket_control_bytes(struct iothubi_websocket *websocket, const unsigned char *bytes, size_t size)
{
    size_t at = websocket->in_bytes - (size_t)websocket->in_left;
    switch (iothubi_websocket_opcode(websocket)) {
    case IOTHUBI_WEBSOCKET_PING:
        IOTHUB_MEMCPY(websocket->room.ping + at, bytes, size);
        break;
    case IOTHUBI_WEBSOCKET_CLOSE:
        for (; at < 2u && size != 0; ++at, --size) {
            websocket->raw = websocket->raw << 8 | *bytes++;
        }
        break;
    default:
        break;
    }
}

/* Takes the frames out of what arrived; the payload moves to the front. Answers its size. */
IOTHUBI_PRIVATE unsigned int iothubi_websocket_unframe(struct iothubi_websocket *websocket, unsigned char *bytes, unsigned int size)
{
    unsigned int at = 0, kept = 0;
    while (at < size && websocket->state == IOTHUBI_WEBSOCKET_OPEN) {
        unsigned int run = size - at;
        if (websocket->in_place != IOTHUBI_WEBSOCKET_IN_PAYLOAD) {
            iothubi_websocket_header_byte(websocket, bytes[at]);
            ++at;
            continue;
        }
        if (run > websocket->in_left) {
            run = (unsigned int)websocket->in_left;
        }
        if (iothubi_websocket_opcode(websocket) >= IOTHUBI_WEBSOCKET_CLOSE) {
            iothubi_websocket_control_bytes(websocket, bytes + at, run);
        } else {
            IOTHUB_MEMMOVE(bytes + kept, bytes + at, run);
            kept += run;
        }
        at += run;
        websocket->in_left -= run;
        if (websocket->in_left == 0) {
            iothubi_websocket_got_frame(websocket);
        }
    }
    return kept;
}

/* ---- the stream ---- */

IOTHUBI_PRIVATE void iothubi_websocket_start(struct iothubi_websocket *websocket, const char *host, unsigned int port)
{
    websocket->state = IOTHUBI_WEBSOCKET_CONNECTING;
    websocket->layer = IOTHUB_LAYER_NONE;
    websocket->raw = 0;
    IOTHUB_MEMSET(&websocket->room, 0, sizeof websocket->room);
    websocket->room.opening.host = host;
    websocket->room.opening.port = port;
    websocket->write_dead = websocket->unpushed = websocket->out_header[0] = 0;
    websocket->in_place = IOTHUBI_WEBSOCKET_IN_FIRST;
    websocket->in_message = websocket->pinged = 0;
}

IOTHUBI_PRIVATE int iothubi_websocket_open(void *context, const char *host, unsigned int port)
{
    struct iothubi_websocket *websocket = (struct iothubi_websocket *)context;
    if (websocket->state == IOTHUBI_WEBSOCKET_CLOSED) {
        iothubi_websocket_start(websocket, host, port);
    }
    if (websocket->state == IOTHUBI_WEBSOCKET_CONNECTING) {
        iothubi_websocket_connect_below(websocket);
    }
    if (websocket->state == IOTHUBI_WEBSOCKET_SEEDING) {
        iothubi_websocket_seed(websocket);
    }
    if (websocket->state == IOTHUBI_WEBSOCKET_ASKING) {
        iothubi_websocket_ask(websocket);
    }
    return websocket->state == IOTHUBI_WEBSOCKET_OPEN ? 1 : websocket->state == IOTHUBI_WEBSOCKET_DEAD ? -1 : 0;
}

/* Frames without payload do not end it: 0 must mean that nothing more is there. A peer that sends nothing else is cut. */
IOTHUBI_PRIVATE int iothubi_websocket_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    struct iothubi_websocket *websocket = (struct iothubi_websocket *)context;
    unsigned int idle = 0;
    if (websocket->state != IOTHUBI_WEBSOCKET_OPEN) {
        return -1;
    }
    iothubi_websocket_flush(websocket);
    while (websocket->state == IOTHUBI_WEBSOCKET_OPEN) {
        int got = iothubi_stream_read(websocket->below, bytes, capacity);
        unsigned int kept;
        if (got == 0) {
            return 0;
        }
        if (got < 0) {
            iothubi_websocket_fail(websocket, iothubi_stream_layer(got), 0);
            break;
        }
        kept = iothubi_websocket_unframe(websocket, bytes, (unsigned int)got);
        iothubi_websocket_flush(websocket);
        if (kept != 0) {
            return (int)kept;
        }
        idle += (unsigned int)got;
        if (websocket->state == IOTHUBI_WEBSOCKET_OPEN && idle > IOTHUBI_WEBSOCKET_IDLE_MAXIMUM) {
            iothubi_websocket_refuse(websocket, IOTHUBI_WEBSOCKET_POLICY);
        }
    }
    return -1;
}

/* Takes no more than the rest of the frame that is on its way; between frames, begins one that has all of size. */
IOTHUBI_PRIVATE int iothubi_websocket_write(void *context, const unsigned char *bytes, unsigned int size)
{
    struct iothubi_websocket *websocket = (struct iothubi_websocket *)context;
    unsigned int taken, owed;
    if (websocket->state != IOTHUBI_WEBSOCKET_OPEN) {
        return -1;
    }
    iothubi_websocket_flush(websocket);
    if (websocket->write_dead) {
        return -1;
    }
    if (size == 0) {
        iothubi_websocket_push(websocket);
        return websocket->write_dead ? -1 : !websocket->unpushed && !websocket->pinged && !iothubi_websocket_is_answering(websocket);
    }
    if (iothubi_websocket_is_answering(websocket)
        || (websocket->out_header[0] == 0 && !iothubi_websocket_announce(websocket, IOTHUBI_WEBSOCKET_BINARY, size))) {
        return 0;
    }
    owed = websocket->out_size - iothubi_websocket_paid(websocket);
    taken = iothubi_websocket_move(websocket, bytes, size < owed ? size : owed);
    return taken == 0 && websocket->write_dead ? -1 : (int)taken;
}

/* The last failure is told after close, too. */
IOTHUBI_PRIVATE void iothubi_websocket_close(void *context)
{
    struct iothubi_websocket *websocket = (struct iothubi_websocket *)context;
    if (websocket->state == IOTHUBI_WEBSOCKET_OPEN) {
        iothubi_websocket_say_close(websocket, IOTHUBI_WEBSOCKET_NORMAL);
    }
    websocket->below->close(websocket->below->context);
    websocket->state = IOTHUBI_WEBSOCKET_CLOSED;
}

IOTHUBI_PRIVATE int iothubi_websocket_set_option(void *context, const char *name, const void *value)
{
    return iothubi_stream_set_option(((struct iothubi_websocket *)context)->below, name, value);
}

IOTHUBI_PRIVATE int iothubi_websocket_error(void *context, long *raw)
{
    const struct iothubi_websocket *websocket = (const struct iothubi_websocket *)context;
    if (websocket->layer == IOTHUB_LAYER_NONE) {
        return iothubi_stream_error(websocket->below, raw);
    }
    *raw = websocket->raw;
    return websocket->layer;
}

/* A WebSocket over a stream. All that is given is kept. subprotocol is IOTHUB_CONST text; certificate: one for the client is configured. */
IOTHUBI_PRIVATE const IOTHUB_IO *iothubi_websocket_begin(struct iothubi_websocket *websocket, const IOTHUB_IO *below,
    const IOTHUB_PLATFORM *platform, const char *subprotocol, int certificate)
{
    IOTHUB_MEMSET(websocket, 0, sizeof *websocket);
    websocket->below = below;
    websocket->platform = platform;
    websocket->subprotocol = subprotocol;
    websocket->certificate = certificate != 0;
    websocket->io.context = websocket;
    websocket->io.open = iothubi_websocket_open;
    websocket->io.read = iothubi_websocket_read;
    websocket->io.write = iothubi_websocket_write;
    websocket->io.close = iothubi_websocket_close;
    websocket->io.set_option = iothubi_websocket_set_option;
    websocket->io.error = iothubi_websocket_error;
    return &websocket->io;
}

#endif
