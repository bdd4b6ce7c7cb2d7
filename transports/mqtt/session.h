/* ---- mqtt/session: one connection's handshake, flow and liveness -------------------------------------------------- */
/* Still without I/O: output says which bytes come next, taken says how many the stream took. It knows the outbox, the
   codec and ticks; what a CONNECT holds and what a refusal means is the hub mapping's business. */
#include "../../core/clock.h"
#include "../../core/outbox.h"
#include "codec.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MQTT_SESSION_H)
#define IOTHUBI_MQTT_SESSION_H

#define IOTHUBI_MQTT_PIPELINED_BYTES 2048u       /* before CONNACK: a refusal costs no more than this ... */
#define IOTHUBI_MQTT_PIPELINED_SHARE 256u        /* ... or eight messages: one counts as so many bytes at least */
#define IOTHUBI_MQTT_ACKNOWLEDGEMENT_BACKOFF 2u  /* doublings of the deadline after it closed a connection */
#define IOTHUBI_MQTT_TIMELY 255u                 /* acknowledgements in time, one after the other, that undo one of them */

/* What is being written. From SUBSCRIBE on it is the features' business. */
enum {
    IOTHUBI_MQTT_OUT_NOTHING, IOTHUBI_MQTT_OUT_CONNECT, IOTHUBI_MQTT_OUT_PUBLISH, IOTHUBI_MQTT_OUT_PING, IOTHUBI_MQTT_OUT_DISCONNECT,
    IOTHUBI_MQTT_OUT_SUBSCRIBE, IOTHUBI_MQTT_OUT_UNSUBSCRIBE, IOTHUBI_MQTT_OUT_PUBACK, IOTHUBI_MQTT_OUT_GET, IOTHUBI_MQTT_OUT_ANSWER
};

enum { IOTHUBI_MQTT_PING_NONE, IOTHUBI_MQTT_PING_WANTED, IOTHUBI_MQTT_PING_SENT };

/* The phases of leaving: not; no new messages; DISCONNECT is to be written; it was taken. */
enum { IOTHUBI_MQTT_STAYING, IOTHUBI_MQTT_DRAINING, IOTHUBI_MQTT_LEAVING, IOTHUBI_MQTT_LEFT };

/* Options of the caller's; a change counts from the next use. */
typedef struct iothubi_mqtt_options_tag {
    unsigned int ping_timeout_s;
    unsigned int connect_timeout_s;
    unsigned int acknowledgement_timeout_s;
    unsigned short keep_alive_s;                 /* 0: off */
    unsigned short in_flight;                    /* unacknowledged messages at most */
    unsigned char pipelined;
    unsigned char clean_session;
    unsigned char qos;
} iothubi_mqtt_options;

typedef struct iothubi_mqtt_session_tag {
    unsigned char connect_flags;                 /* as this connection's CONNECT says */
    unsigned char out;
    unsigned char more;                          /* a control packet goes on behind what is promised of it */
    unsigned char connect_wanted;
    unsigned char connected;                     /* CONNACK 0 was received */
    unsigned char ping;
    unsigned char leaving;
    unsigned char alone;                         /* CONNECT goes alone: the last attempt ended without CONNACK 0 */
    unsigned char acknowledgement_backoff;       /* doublings of that deadline */
    unsigned char timely;                        /* acknowledgements in time since the last late one */
    unsigned char reported_waits;                /* reported states may not be sent now */
    iothubi_mqtt_parser parser;
    size_t part;                                 /* bytes taken of the packet that is being written */
    size_t promised;                             /* bytes offered and not yet taken: they must come first */
    size_t pipelined_left;                       /* bytes that may still be offered before CONNACK */
    uint32_t sent_tick;                          /* the last byte taken */
    uint32_t received_tick;                      /* the last byte received */
    uint32_t asked_tick;                         /* CONNECT was written, or a ping became due or was sent */
    uint32_t acknowledgement_tick;               /* since when the oldest message waits for its acknowledgement */
    unsigned short window;                       /* unacknowledged messages now allowed */
    unsigned short round_left;                   /* acknowledgements until the window doubles */
    unsigned short topic_start;                  /* bytes of an event's topic before its properties */
    unsigned short keep_alive_s;                   /* as this connection's CONNECT says */
} iothubi_mqtt_session;

/* The stream is open. What outlives a connection is kept: window, back-off, whether CONNECT goes alone. */
IOTHUBI_PRIVATE void iothubi_mqtt_session_start(iothubi_mqtt_session *session, const iothubi_mqtt_options *options,
    unsigned int connect_flags, uint32_t now)
{
    iothubi_mqtt_parser_begin(&session->parser);
    session->part = session->promised = 0;
    session->pipelined_left = options->pipelined && !session->alone ? IOTHUBI_MQTT_PIPELINED_BYTES : 0;
    session->sent_tick = session->received_tick = session->asked_tick = session->acknowledgement_tick = now;
    session->keep_alive_s = options->keep_alive_s;
    session->connect_flags = (unsigned char)connect_flags;
    session->out = IOTHUBI_MQTT_OUT_NOTHING;
    session->connect_wanted = 1;
    session->connected = 0;
    session->reported_waits = 1;
    session->ping = IOTHUBI_MQTT_PING_NONE;
    session->leaving = IOTHUBI_MQTT_STAYING;
    session->round_left = session->window;
}

IOTHUBI_PRIVATE int iothubi_mqtt_is_qos1(const iothubi_outbox *outbox, const iothubi_record *record)
{
    return (outbox->bytes[record->at] & IOTHUBI_MQTT_QOS1) != 0;
}

/* The connection is gone, planned or not: everything that was offered is queued again in its old place, marked DUP
   [MQTT-3.3.1-1]; QoS 0 is not marked [MQTT-3.3.1-2]. */
IOTHUBI_PRIVATE void iothubi_mqtt_session_lost(iothubi_mqtt_session *session, iothubi_outbox *outbox)
{
    unsigned int i;
    for (i = 0; i < outbox->count; ++i) {
        iothubi_record *record = iothubi_outbox_record(outbox, i);
        if (record->state == IOTHUBI_RECORD_OFFERED || record->state == IOTHUBI_RECORD_SENT) {
            record->state = IOTHUBI_RECORD_QUEUED;
            if (iothubi_mqtt_is_qos1(outbox, record)) {
                outbox->bytes[record->at] |= IOTHUBI_MQTT_DUP;
            }
        }
    }
    if (outbox->in_flight != 0 && session->leaving == IOTHUBI_MQTT_STAYING) {
        session->window = 1;                     /* a storm must not be resent at once */
    }
    outbox->in_flight = 0;
    outbox->next = 0;
    session->alone = !session->connected;
    session->promised = 0;
}

/* ---- output ---- */

/* Bytes of a message behind the first so many. */
IOTHUBI_APART size_t iothubi_mqtt_left(const iothubi_outbox *outbox, const iothubi_record *record, size_t part)
{
    const unsigned char *bytes;
    size_t left = record->size - part;
    if (record->kind == IOTHUBI_RECORD_OF_KEPT_EVENT) { /* its second piece ends where the message ends */
        size_t head = record->size - sizeof(iothubi_kept);
        left = head - part + iothubi_outbox_piece(outbox, record, head, &bytes);
    }
    return left;
}

/* May this record be sent? */
IOTHUBI_PRIVATE int iothubi_mqtt_is_due(const iothubi_mqtt_session *session, const iothubi_record *record)
{
    return record->state == IOTHUBI_RECORD_QUEUED && !(session->reported_waits && iothubi_is_reported(record));
}

/* Promises a run of messages that lie side by side in the outbox: they leave in one write. Before CONNACK only a few go. A body
   that lies with the caller ends a run. */
IOTHUBI_PRIVATE size_t iothubi_mqtt_promise_run(iothubi_mqtt_session *session, iothubi_outbox *outbox)
{
    size_t size = 0, end = 0;
    unsigned int i;
    while (outbox->next < outbox->count && !iothubi_mqtt_is_due(session, iothubi_outbox_record(outbox, outbox->next))) {
        outbox->next += 1;                       /* expired before its turn came, or it waits */
    }
    for (i = outbox->next; i < outbox->count && outbox->in_flight < session->window && size < IOTHUBI_IO_MAXIMUM; ++i) {
        iothubi_record *record = iothubi_outbox_record(outbox, i);
        if (!iothubi_mqtt_is_due(session, record) || (size != 0 && (record->at != end || record->size > IOTHUBI_IO_MAXIMUM - size))) {
            break;
        }
        if (!session->connected) {
            size_t whole = iothubi_mqtt_left(outbox, record, 0);
            size_t charge = whole > IOTHUBI_MQTT_PIPELINED_SHARE ? whole : IOTHUBI_MQTT_PIPELINED_SHARE;
            if (charge > session->pipelined_left) {
                break;
            }
            session->pipelined_left -= charge;
        }
        record->state = IOTHUBI_RECORD_OFFERED;
        outbox->in_flight += iothubi_mqtt_is_qos1(outbox, record) ? 1u : 0u;
        end = record->at + record->size;
        size += record->size;
        if (record->kind == IOTHUBI_RECORD_OF_KEPT_EVENT) {
            size -= sizeof(iothubi_kept);
            break;
        }
        if (iothubi_is_reported(record)) {
            session->reported_waits = 1;         /* one at a time */
        }
    }
    return size < IOTHUBI_IO_MAXIMUM ? size : IOTHUBI_IO_MAXIMUM; /* of one large message, the rest comes with the next promise */
}

/* What is being written; at the boundary of two packets: what comes next. wanted: a packet of the features, or NOTHING. */
IOTHUBI_APART int iothubi_mqtt_session_next(iothubi_mqtt_session *session, iothubi_outbox *outbox, int wanted)
{
    if (session->out != IOTHUBI_MQTT_OUT_NOTHING) {
        return session->out;
    }
    session->part = 0;
    if (session->connect_wanted) {
        session->out = IOTHUBI_MQTT_OUT_CONNECT;
    } else if (session->leaving == IOTHUBI_MQTT_LEAVING) {
        session->out = IOTHUBI_MQTT_OUT_DISCONNECT; /* and nothing after it [MQTT-3.14.4-2] */
    } else if (session->leaving == IOTHUBI_MQTT_LEFT) {
        return IOTHUBI_MQTT_OUT_NOTHING;
    } else if (session->ping == IOTHUBI_MQTT_PING_WANTED) {
        session->out = IOTHUBI_MQTT_OUT_PING;
    } else if (wanted != IOTHUBI_MQTT_OUT_NOTHING) {
        session->out = (unsigned char)wanted;
    } else if (session->leaving == IOTHUBI_MQTT_STAYING) {
        session->promised = iothubi_mqtt_promise_run(session, outbox);
        if (session->promised != 0) {
            session->out = IOTHUBI_MQTT_OUT_PUBLISH;
        }
    }
    return session->out;
}

/* Promises the rest of a packet of size bytes, at most so many at once. What is promised stays the same until the stream took
   it (platform contract, rule 4). */
IOTHUBI_APART size_t iothubi_mqtt_promise_rest(iothubi_mqtt_session *session, size_t size, size_t most)
{
    size -= session->part;
    if (session->promised == 0) {
        session->promised = size < most ? size : most;
    }
    session->more = size > session->promised;
    return session->promised;
}

IOTHUBI_PRIVATE void iothubi_mqtt_control_taken(iothubi_mqtt_session *session, size_t size, uint32_t now)
{
    session->part += size;
    if (session->out == IOTHUBI_MQTT_OUT_CONNECT) {
        session->asked_tick = now;
    }
    if (session->promised != 0 || session->more) {
        return;
    }
    if (session->out == IOTHUBI_MQTT_OUT_CONNECT) {
        session->connect_wanted = 0;
    } else if (session->out == IOTHUBI_MQTT_OUT_PING) {
        session->ping = IOTHUBI_MQTT_PING_SENT;
        session->asked_tick = now;
    } else if (session->out == IOTHUBI_MQTT_OUT_DISCONNECT) {
        session->leaving = IOTHUBI_MQTT_LEFT;
    }
    session->out = IOTHUBI_MQTT_OUT_NOTHING;
}

/* The stream took size of the bytes that output gave. Answers a message of which it has now taken the last byte, with *size
   what is left to account for: call again until that is 0 and the answer NULL. */
IOTHUBI_PRIVATE iothubi_record *iothubi_mqtt_session_taken(iothubi_mqtt_session *session, iothubi_outbox *outbox, size_t *size, uint32_t now)
{
    iothubi_record *record;
    size_t left, taken = *size;
    if (taken == 0) {
        return NULL;
    }
    session->sent_tick = now;
    if (session->out != IOTHUBI_MQTT_OUT_PUBLISH) {
        session->promised -= taken;
        iothubi_mqtt_control_taken(session, taken, now);
        *size = 0;
        return NULL;
    }
    record = iothubi_outbox_record(outbox, outbox->next);
    left = iothubi_mqtt_left(outbox, record, session->part);
    if (taken < left) {
        session->promised -= taken;
        session->part += taken;
        *size = 0;
        return NULL;
    }
    session->promised -= left;
    *size = taken - left;
    session->part = 0;
    record->state = IOTHUBI_RECORD_SENT;
    if (outbox->next == 0) {
        session->acknowledgement_tick = now;
    }
    outbox->next += 1;
    if (session->promised == 0) {
        session->out = IOTHUBI_MQTT_OUT_NOTHING;
    }
    return record;
}

/* ---- acknowledgements ---- */

IOTHUBI_PRIVATE void iothubi_mqtt_session_connected(iothubi_mqtt_session *session, uint32_t now)
{
    session->connected = 1;
    session->acknowledgement_tick = now;
}

/* The record that this packet id acknowledges, or NULL: ids of nothing that was sent whole on this connection are ignored. */
IOTHUBI_PRIVATE iothubi_record *iothubi_mqtt_acknowledged(iothubi_mqtt_session *session, const iothubi_mqtt_options *options,
    iothubi_outbox *outbox, unsigned int id, uint32_t now)
{
    unsigned int index = iothubi_outbox_index(outbox, id);
    iothubi_record *record;
    if (index >= outbox->count) {
        return NULL;
    }
    record = iothubi_outbox_record(outbox, index);
    if (record->state != IOTHUBI_RECORD_SENT || iothubi_is_reported(record)) {
        return NULL;
    }
    outbox->in_flight -= 1;
    if (index == 0) {
        if (now - session->acknowledgement_tick >= options->acknowledgement_timeout_s * (uint32_t)1000) {
            session->timely = 0;
        } else if (session->acknowledgement_backoff != 0 && ++session->timely == IOTHUBI_MQTT_TIMELY) {
            --session->acknowledgement_backoff;
            session->timely = 0;
        }
        session->acknowledgement_tick = now;
    }
    if (session->window < options->in_flight && --session->round_left == 0) {
        session->window = (unsigned short)(session->window < options->in_flight / 2u ? session->window * 2u : options->in_flight);
        session->round_left = session->window;
    }
    return record;
}

/* ---- liveness ---- */

/* Adds this connection's deadlines; what is an IOTHUB_CODE, NONE for the ping that is due.
   A ping is due when nothing was sent, or nothing was received, for the keep-alive time. Its answer is missed only while
   nothing at all arrives: any byte is a sign of life; and while the ping itself cannot be written, so is any byte taken. */
IOTHUBI_PRIVATE void iothubi_mqtt_session_timers(const iothubi_mqtt_session *session, const iothubi_mqtt_options *options,
    const iothubi_outbox *outbox, iothubi_timer *timer)
{
    if (!session->connected) {
        iothubi_timer_add_s(timer, IOTHUB_CODE_CONNACK_TIMEOUT, session->asked_tick, options->connect_timeout_s);
        return;
    }
    if (session->ping == IOTHUBI_MQTT_PING_NONE) {
        if (session->keep_alive_s != 0) {
            iothubi_timer_add_s(timer, IOTHUB_CODE_NONE, session->sent_tick, session->keep_alive_s);
            iothubi_timer_add_s(timer, IOTHUB_CODE_NONE, session->received_tick, session->keep_alive_s);
        }
    } else {
        uint32_t since = iothubi_tick_later(timer->now, session->asked_tick, session->received_tick);
        if (session->ping == IOTHUBI_MQTT_PING_WANTED) {
            since = iothubi_tick_later(timer->now, since, session->sent_tick);
        }
        iothubi_timer_add_s(timer, IOTHUB_CODE_PING_TIMEOUT, since, options->ping_timeout_s);
    }
    if (outbox->count != 0 && outbox->records[outbox->first].state == IOTHUBI_RECORD_SENT
        && !iothubi_is_reported(&outbox->records[outbox->first])) {
        iothubi_timer_add_s(timer, IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT, session->acknowledgement_tick,
            (uint32_t)options->acknowledgement_timeout_s << session->acknowledgement_backoff);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_session_ping(iothubi_mqtt_session *session, uint32_t now)
{
    session->ping = IOTHUBI_MQTT_PING_WANTED;
    session->asked_tick = now;
}

#endif
