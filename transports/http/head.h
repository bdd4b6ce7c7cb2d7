/* ---- http/head: a request goes out, the head of its answer comes in ------------------------------------------------ */
/* HTTP/1.1 (RFC 9110, RFC 9112) over a stream, as the filters need it before their own protocol begins. The request is made
   anew for each window of it, never stored. The answer is read byte by byte, so that what follows its head stays in the stream. */
#include "../../core/text.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_HTTP_HEAD_H)
#define IOTHUBI_HTTP_HEAD_H

#define IOTHUBI_HTTP_HEAD_MAXIMUM 4096u          /* bytes of an answer's head, interim ones before it included */
#define IOTHUBI_HTTP_WINDOW 64u                  /* bytes of a request made at a time */

/* ---- calls of a stream ---- */

enum {
    IOTHUBI_STREAM_DEAD = -1,                    /* it knows why */
    IOTHUBI_STREAM_CONTRACT = -2,                /* it answered more than was asked, which is as dead (contract, rule 2) */
    IOTHUBI_STREAM_MALFORMED = -3                /* it works, but what comes is not HTTP */
};

/* What a call of a stream moved, of size bytes at most. */
IOTHUBI_APART int iothubi_stream_moved(int answer, unsigned int size)
{
    return answer < 0 ? (int)IOTHUBI_STREAM_DEAD : (unsigned int)answer > size ? (int)IOTHUBI_STREAM_CONTRACT : answer;
}

IOTHUBI_PRIVATE int iothubi_stream_read(const IOTHUB_IO *io, unsigned char *bytes, unsigned int size)
{
    return iothubi_stream_moved(io->read(io->context, bytes, size), size);
}

IOTHUBI_PRIVATE int iothubi_stream_write(const IOTHUB_IO *io, const unsigned char *bytes, unsigned int size)
{
    return iothubi_stream_moved(io->write(io->context, bytes, size), size);
}

/* 1: the stream holds nothing back any more. */
IOTHUBI_PRIVATE int iothubi_stream_push(const IOTHUB_IO *io)
{
    unsigned char nothing = 0;
    int answer = io->write(io->context, &nothing, 0);
    return answer < 0 ? (int)IOTHUBI_STREAM_DEAD : answer != 0;
}

/* What the layer above tells of a failed call: NONE is left for the stream's own error to fill. */
IOTHUBI_PRIVATE IOTHUB_LAYER iothubi_stream_layer(int failure)
{
    return failure == IOTHUBI_STREAM_CONTRACT ? IOTHUB_LAYER_PORT : IOTHUB_LAYER_NONE;
}

/* Options and errors that a filter does not know are those of the stream below. */
IOTHUBI_PRIVATE int iothubi_stream_set_option(const IOTHUB_IO *io, const char *name, const void *value)
{
    return io->set_option != NULL ? io->set_option(io->context, name, value) : 1;
}

IOTHUBI_PRIVATE int iothubi_stream_error(const IOTHUB_IO *io, long *raw)
{
    *raw = 0;
    return io->error != NULL ? io->error(io->context, raw) : IOTHUB_LAYER_NONE;
}

/* ---- the request ---- */

/* Writes a request; it is run again for each window. */
typedef void (*iothubi_http_part)(iothubi_writer *writer, const void *context);

/* Writes the rest of a request, of which *sent bytes are gone. 1: all of it, and pushed; 0: call again; <0: IOTHUBI_STREAM_... */
IOTHUBI_PRIVATE int iothubi_http_send(const IOTHUB_IO *io, iothubi_http_part part, const void *context,
    size_t *sent)
{
    for (;;) {                                   /* each turn sends something, or is the last */
        unsigned char window[IOTHUBI_HTTP_WINDOW];
        iothubi_writer writer;
        size_t size;
        int moved;
        iothubi_write_begin(&writer, window, *sent, sizeof window);
        part(&writer, context);
        size = sizeof window - writer.room;
        if (size == 0) {
            return iothubi_stream_push(io);
        }
        moved = iothubi_stream_write(io, window, (unsigned int)size);
        if (moved <= 0) {
            return moved;
        }
        *sent += (size_t)moved;
    }
}

/* ---- the head of the answer ---- */

typedef struct IOTHUB_HTTP_HEAD_TAG iothubi_http_head;

enum {                                           /* where in the head the next byte stands */
    IOTHUBI_HTTP_IN_START,                       /* of the status line */
    IOTHUBI_HTTP_IN_REASON,
    IOTHUBI_HTTP_AT_LINE,                        /* at the beginning of a header line, or of the empty one */
    IOTHUBI_HTTP_IN_NAME,
    IOTHUBI_HTTP_IN_VALUE,
    IOTHUBI_HTTP_ENDED,
    IOTHUBI_HTTP_IS_MALFORMED
};

enum {                                           /* what came */
    IOTHUBI_HTTP_NOTHING,                        /* yet */
    IOTHUBI_HTTP_VALUE,                          /* head->byte is the next one of a wanted header's value, head->names its bit */
    IOTHUBI_HTTP_VALUE_END,
    IOTHUBI_HTTP_HEAD_END
};

static IOTHUB_CONST char iothubi_http_start[] = "HTTP/1.0 000";  /* a 0 stands for any digit */
static IOTHUB_CONST char iothubi_http_token_marks[] = "!#$%&'*+-.^_`|~";

IOTHUBI_PRIVATE void iothubi_http_head_begin(iothubi_http_head *head)
{
    IOTHUB_MEMSET(head, 0, sizeof *head);
}

IOTHUBI_APART int iothubi_http_lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

IOTHUBI_PRIVATE int iothubi_http_is_blank(int c)
{
    return c == ' ' || c == '\t';
}

IOTHUBI_PRIVATE int iothubi_http_malformed(iothubi_http_head *head)
{
    head->state = IOTHUBI_HTTP_IS_MALFORMED;
    return IOTHUBI_STREAM_MALFORMED;
}

/* RFC 9112 section 4: version and status; the reason is everybody's own, and some leave out even the space before it. */
IOTHUBI_PRIVATE int iothubi_http_start_byte(iothubi_http_head *head, int c)
{
    int expected = (unsigned char)IOTHUB_CONST_BYTE(iothubi_http_start + head->at);
    if (expected != '0' ? c != expected : !iothubi_is_digit(c)) {
        return iothubi_http_malformed(head);
    }
    if (++head->at > sizeof "HTTP/1.0") {        /* the digits behind it and its space */
        head->status = (unsigned short)(head->status * 10u + (unsigned int)(c - '0'));
    }
    if (head->at == sizeof iothubi_http_start - 1u) {
        head->at = 0;
        head->state = IOTHUBI_HTTP_IN_REASON;
    }
    return IOTHUBI_HTTP_NOTHING;
}

/* Of the wanted names that begin like the present one, keeps those that go on with c; 0: those that end here. */
IOTHUBI_PRIVATE void iothubi_http_narrow(iothubi_http_head *head, const char *names, int c)
{
    unsigned int kept = 0, bit;
    for (bit = 1; IOTHUB_CONST_BYTE(names) != 0; bit <<= 1) {
        if ((head->names & bit) != 0 && IOTHUB_CONST_BYTE(names + head->at) == c) {
            kept |= bit;
        }
        while (IOTHUB_CONST_BYTE(names) != 0) {
            ++names;
        }
        ++names;
    }
    head->names = (unsigned char)kept;
}

/* RFC 9110 section 5.1: a name is a token, whatever its case. Nothing stands between it and its colon. */
IOTHUBI_PRIVATE int iothubi_http_name_byte(iothubi_http_head *head, const char *names, int c)
{
    if (c == ':' && head->at != 0) {
        iothubi_http_narrow(head, names, 0);
        head->state = IOTHUBI_HTTP_IN_VALUE;
        return IOTHUBI_HTTP_NOTHING;
    }
    if (!iothubi_is_alphanumeric(c) && iothubi_find_byte(iothubi_http_token_marks, c) < 0) {
        return iothubi_http_malformed(head);
    }
    iothubi_http_narrow(head, names, iothubi_http_lower(c));
    if (head->at < 255) {                        /* no wanted name is that long */
        ++head->at;
    }
    return IOTHUBI_HTTP_NOTHING;
}

/* The first byte of a header line. A line that goes on with the last one (RFC 9112 section 5.2) is skipped with it, but what is
   wanted must stand in one line. */
IOTHUBI_PRIVATE int iothubi_http_line_byte(iothubi_http_head *head, const char *names, int c)
{
    if (iothubi_http_is_blank(c)) {
        head->state = IOTHUBI_HTTP_IN_VALUE;
        return head->names == 0 ? (int)IOTHUBI_HTTP_NOTHING : iothubi_http_malformed(head);
    }
    head->state = IOTHUBI_HTTP_IN_NAME;
    head->names = 0xFF;
    head->at = 0;
    return iothubi_http_name_byte(head, names, c);
}

/* A byte of a value or of the reason: printable, a tab, or beyond ASCII (RFC 9110 section 5.5). */
IOTHUBI_PRIVATE int iothubi_http_text_byte(iothubi_http_head *head, int c)
{
    if ((c < ' ' && c != '\t') || c == 0x7F) {
        return iothubi_http_malformed(head);
    }
    if (head->state == IOTHUBI_HTTP_IN_REASON) {
        if (head->at == 0 && c != ' ') {
            return iothubi_http_malformed(head); /* a fourth digit */
        }
        head->at = 1;
        return IOTHUBI_HTTP_NOTHING;
    }
    head->byte = (unsigned char)c;
    return head->names != 0 ? IOTHUBI_HTTP_VALUE : IOTHUBI_HTTP_NOTHING;
}

/* A line ends with CR LF; LF alone is taken as well (RFC 9112 section 2.2), CR alone never. */
IOTHUBI_PRIVATE int iothubi_http_line_end(iothubi_http_head *head, int c)
{
    unsigned int state = head->state;
    if (state == IOTHUBI_HTTP_IN_START || state == IOTHUBI_HTTP_IN_NAME) {
        return iothubi_http_malformed(head);
    }
    head->carriage_return = c == '\r';
    if (c == '\r') {
        return IOTHUBI_HTTP_NOTHING;
    }
    head->state = IOTHUBI_HTTP_AT_LINE;
    if (state == IOTHUBI_HTTP_AT_LINE) {
        head->state = IOTHUBI_HTTP_ENDED;
        return head->status >= 100u ? (int)IOTHUBI_HTTP_HEAD_END : iothubi_http_malformed(head);
    }
    if (state == IOTHUBI_HTTP_IN_REASON) {
        head->names = 0xFF;                      /* no line can go on with the status line */
        return IOTHUBI_HTTP_NOTHING;
    }
    return head->names != 0 ? IOTHUBI_HTTP_VALUE_END : IOTHUBI_HTTP_NOTHING;
}

/* One more byte. names is IOTHUB_CONST: at most eight wanted names in lower case with their NULs, an empty one ends it. Answers what
   came, or IOTHUBI_STREAM_MALFORMED. */
IOTHUBI_PRIVATE int iothubi_http_parse(iothubi_http_head *head, const char *names, int c)
{
    if (head->state >= IOTHUBI_HTTP_ENDED || head->length >= IOTHUBI_HTTP_HEAD_MAXIMUM || (head->carriage_return && c != '\n')) {
        return iothubi_http_malformed(head);
    }
    ++head->length;
    if (c == '\r' || c == '\n') {
        return iothubi_http_line_end(head, c);
    }
    switch (head->state) {
    case IOTHUBI_HTTP_IN_START:
        return iothubi_http_start_byte(head, c);
    case IOTHUBI_HTTP_AT_LINE:
        return iothubi_http_line_byte(head, names, c);
    case IOTHUBI_HTTP_IN_NAME:
        return iothubi_http_name_byte(head, names, c);
    default:
        return iothubi_http_text_byte(head, c);
    }
}

/* An interim answer (RFC 9110 section 15.2) has no body and another one behind it. 101 is the last of its kind. */
IOTHUBI_PRIVATE int iothubi_http_is_interim(const iothubi_http_head *head)
{
    return head->status < 200u && head->status != 101u;
}

/* Reads up to what is of interest: what came, or IOTHUBI_STREAM_...; NOTHING when nothing is there to read. */
IOTHUBI_PRIVATE int iothubi_http_next(const IOTHUB_IO *io, iothubi_http_head *head, const char *names)
{
    for (;;) {                                   /* IOTHUBI_HTTP_HEAD_MAXIMUM turns at most */
        unsigned char byte;
        int event = iothubi_stream_read(io, &byte, 1);
        if (event <= 0) {
            return event;
        }
        event = iothubi_http_parse(head, names, byte);
        if (event == IOTHUBI_HTTP_HEAD_END && iothubi_http_is_interim(head)) {
            unsigned short length = head->length;
            iothubi_http_head_begin(head);
            head->length = length;
        } else if (event != IOTHUBI_HTTP_NOTHING) {
            return event;
        }
    }
}

#endif
