/* A hub in memory: a clear-text IOTHUB_IO that answers CONNECT, SUBSCRIBE, twin GET and every PUBLISH of QoS 1, the same in every
   run. What was pushed is answered at once, or, for counting round trips, when model_turn is called. It speaks by itself, too:
   port_model_message, port_model_patch, port_model_call. */
#ifndef MODEL_HUB_H
#define MODEL_HUB_H

#include "iothub_client.h"
#include <stdio.h>
#include <string.h>

typedef struct MODEL_HUB_TAG {
    int waits_for_turn;
    unsigned long writes, pushes, bytes_out, bytes_in; /* as the client sees them; pushes: those that had bytes to push */
    int unpushed;
    unsigned char packet[512];                   /* the head of the packet that is arriving */
    unsigned long have, need;                    /* bytes of it; need 0: its length is not known yet */
    unsigned char answers[16384];
    unsigned int answered, readable, read;
    unsigned int filters, settled, said;         /* subscriptions; PUBACKs and method answers that came; what it has said by itself */
} MODEL_HUB;

static MODEL_HUB model;

static void port_model_put(const void *bytes, unsigned int size)
{
    memcpy(model.answers + model.answered, bytes, size);
    model.answered += size;
}

static void port_model_answer(unsigned char first, unsigned char high, unsigned char low)
{
    unsigned char answer[4] = { first, 2, high, low };
    port_model_put(answer, sizeof answer);
}

/* A PUBLISH; id 0: QoS 0. */
static void port_model_publish(const char *topic, const char *body, unsigned int id)
{
    unsigned int topic_size = (unsigned int)strlen(topic), body_size = (unsigned int)strlen(body);
    unsigned int left = 2 + topic_size + (id != 0 ? 2 : 0) + body_size;
    unsigned char head[5] = { id != 0 ? 0x32 : 0x30, left & 0x7F, left >> 7, topic_size >> 8, topic_size & 0xFF };
    unsigned char tail[2] = { id >> 8 & 0xFF, id & 0xFF };
    if (left > 127) {
        head[1] |= 0x80;
    } else {
        memmove(head + 2, head + 3, 2);
    }
    port_model_put(head, left > 127 ? 5 : 4);
    port_model_put(topic, topic_size);
    port_model_put(tail, id != 0 ? 2 : 0);
    port_model_put(body, body_size);
}

/* SUBACK: each filter, a text and its QoS, is granted with that. */
static void port_model_subscribe(const unsigned char *at, const unsigned char *end)
{
    unsigned char answer[20] = { 0x90, 2, at[0], at[1] };
    for (at += 2; at < end; at += 3 + (at[0] << 8 | at[1])) {
        answer[2 + answer[1]++] = at[2 + (at[0] << 8 | at[1])];
        model.filters += 1;
    }
    port_model_put(answer, 2u + answer[1]);
}

/* Of a device's requests the twin GET is the one with an answer. */
static void port_model_request(const char *topic, unsigned int size)
{
    static const char get[] = "$iothub/twin/GET/?$rid=", method[] = "$iothub/methods/res/";
    char answer[64];
    if (size > sizeof get - 1 && memcmp(topic, get, sizeof get - 1) == 0) {
        snprintf(answer, sizeof answer, "$iothub/twin/res/200/?$rid=%.*s", (int)(size - (sizeof get - 1)), topic + sizeof get - 1);
        port_model_publish(answer, "{\"desired\":{\"interval\":60,\"$version\":1},\"reported\":{\"$version\":1}}", 0);
    }
    model.settled += size > sizeof method && memcmp(topic, method, sizeof method - 1) == 0;
}

static void port_model_packet(void)
{
    const unsigned char *at = model.packet + 1, *topic, *id;
    while (*at++ & 0x80) {
    }
    topic = at + 2;
    id = topic + (at[0] << 8 | at[1]);
    switch (model.packet[0] & 0xF6) {
    case 0x10: port_model_answer(0x20, 0, 0); break;
    case 0x30: port_model_request((const char *)topic, (unsigned int)(id - topic)); break;
    case 0x32: port_model_answer(0x40, id[0], id[1]); break;
    case 0x40: model.settled += 1; break;
    case 0x82: port_model_subscribe(at, model.packet + model.have); break;
    default: break;
    }
}

static void port_model_bytes(const unsigned char *bytes, unsigned int size)
{
    while (size != 0) {
        unsigned long part = 1;
        if (model.need != 0) {                   /* the body, of which the head is enough */
            part = model.need - model.have < size ? model.need - model.have : size;
        }
        if (model.have < sizeof model.packet) {
            memcpy(model.packet + model.have, bytes, part < sizeof model.packet - model.have ? part : sizeof model.packet - model.have);
        }
        model.have += part;
        bytes += part;
        size -= (unsigned int)part;
        if (model.need == 0 && model.have >= 2 && (model.packet[model.have - 1] & 0x80) == 0) {
            unsigned long i;
            for (i = 1; i < model.have; ++i) {
                model.need |= (unsigned long)(model.packet[i] & 0x7F) << (7 * (i - 1));
            }
            model.need += model.have;
        }
        if (model.have == model.need) {
            port_model_packet();
            model.have = model.need = 0;
        }
    }
}

static void model_turn(void)
{
    model.readable = model.answered;
}

/* ---- what the hub says by itself ---- */

/* A message of size bytes, with a message id and its destination. */
static __attribute__((noinline)) void port_model_message(unsigned int size)
{
    char body[1024];
    memset(body, 'y', size);
    body[size] = '\0';
    model.said += 1;
    port_model_publish("devices/dev1/messages/devicebound/%24.mid=6e0a5b1c&%24.to=%2Fdevices%2Fdev1%2Fmessages%2FdeviceBound", body, model.said);
    model_turn();
}

/* The next version of the desired properties: the document has the first. */
static __attribute__((noinline)) void port_model_patch(void)
{
    char topic[64], body[64];
    model.said += 1;
    snprintf(topic, sizeof topic, "$iothub/twin/PATCH/properties/desired/?$version=%u", model.said + 1);
    snprintf(body, sizeof body, "{\"interval\":30,\"$version\":%u}", model.said + 1);
    port_model_publish(topic, body, 0);
    model_turn();
}

static __attribute__((noinline)) void port_model_call(void)
{
    char topic[64];
    model.said += 1;
    snprintf(topic, sizeof topic, "$iothub/methods/POST/reboot/?$rid=%u", model.said);
    port_model_publish(topic, "{\"delay\":10}", 0);
    model_turn();
}

/* ---- the stream ---- */

static int port_model_open(void *context, const char *host, unsigned int port)
{
    (void)context; (void)host; (void)port;
    return 1;
}

static int port_model_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    unsigned int size = model.readable - model.read;
    (void)context;
    if (size == 0) {
        return 0;
    }
    size = size < capacity ? size : capacity;
    memcpy(bytes, model.answers + model.read, size);
    model.read += size;
    model.bytes_in += size;
    if (model.read == model.answered) {
        model.answered = model.readable = model.read = 0;
    }
    return (int)size;
}

static int port_model_write(void *context, const unsigned char *bytes, unsigned int size)
{
    (void)context;
    if (size != 0) {
        port_model_bytes(bytes, size);
        model.writes += 1;
        model.bytes_out += size;
        model.unpushed = 1;
        return (int)size;
    }
    model.pushes += (unsigned long)model.unpushed;
    model.unpushed = 0;
    if (!model.waits_for_turn) {
        model_turn();
    }
    return 1;
}

static void port_model_close(void *context)
{
    (void)context;
}

static void model_stream(IOTHUB_IO *io)
{
    memset(io, 0, sizeof *io);
    io->open = port_model_open;
    io->read = port_model_read;
    io->write = port_model_write;
    io->close = port_model_close;
}

#endif
