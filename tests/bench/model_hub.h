/* A hub in memory: a clear-text IOTHUB_IO that answers CONNECT and every PUBLISH of QoS 1, the same in every run. What was
   pushed is answered at once, or, for counting round trips, when model_turn is called. */
#ifndef MODEL_HUB_H
#define MODEL_HUB_H

#include "iothub_client.h"
#include <string.h>

typedef struct MODEL_HUB_TAG {
    int waits_for_turn;
    unsigned long writes, pushes, bytes_out, bytes_in; /* as the client sees them; pushes: those that had bytes to push */
    int unpushed;
    unsigned char packet[512];                   /* the head of the packet that is arriving */
    unsigned long have, need;                    /* bytes of it; need 0: its length is not known yet */
    unsigned char answers[16384];
    unsigned int answered, readable, read;
} MODEL_HUB;

static MODEL_HUB model;

static void port_model_answer(unsigned char first, unsigned char high, unsigned char low)
{
    unsigned char *to = model.answers + model.answered;
    to[0] = first;
    to[1] = 2;
    to[2] = high;
    to[3] = low;
    model.answered += 4;
}

static void port_model_packet(void)
{
    const unsigned char *at = model.packet + 1, *id;
    if (model.packet[0] == 0x10) {
        port_model_answer(0x20, 0, 0);
    } else if ((model.packet[0] & 0xF6) == 0x32) {
        while (*at++ & 0x80) {
        }
        id = at + 2 + (at[0] << 8 | at[1]);
        port_model_answer(0x40, id[0], id[1]);
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
