/* The simulation's stream, over real TCP: this file stands where tests/sim/stream.c stands there. The client has ports/lwip, and
   a watch on the contract; the model hub is behind a listening pcb of lwIP, and what lies between them is wire.c. */
#include "iothub_client.h"
#define IOTHUB_IMPLEMENTATION                    /* of the port alone: the client's is in tests/sim/device.c */
#include "ports/lwip/iothub_lwip.h"
#include "net.h"
#include "wire.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include <stdlib.h>
#include <string.h>

#define HOST "hub.example.net"
#define PORT 8883u
#define IO_MAXIMUM 32767u
#define HUB_WAITS_FOR_CONNECT SECONDS(120)
#define HUB_TRIES_AGAIN_MS 20u                   /* when lwIP had no memory for what the hub sends */

/* The hub's end of a connection; the same index as in life->connections. What the hub has to say waits in down.data until lwIP
   takes it, what it was told waits in up.data until it takes that. */
typedef struct door {
    struct tcp_pcb *pcb;                         /* NULL: not accepted yet, or gone */
    unsigned port;                               /* of the device's end: by it the two ends find each other */
    int accepted;
    int finished;                                /* 1: the device's end came; 2: reset */
    int cut;                                     /* 1: ends, 2: is reset, when lwIP has brought over what was said */
    uint64_t takes_at, sends_at;
} door;

net_manners net;
static door doors[CONNECTIONS];
static sim_life *here;                           /* lwIP knows no life: there is one at a time */
static IOTHUB_LWIP port;
static const IOTHUB_IO *io;
static sim_connection *coming;                   /* of the attempt that is not open yet */

unsigned net_port(void)
{
    const sim_connection *c = here->stream.now;
    return c != NULL ? doors[c - here->connections].port : 0;
}

static door *door_of(const sim_connection *connection)
{
    return &doors[connection - here->connections];
}

static void broken(sim_life *life, const char *rule)
{
    fail(life, 5, "the client breaks the contract of the stream: %s", rule);
}

/* ---- the hub's door: called by lwIP, so nothing may fail in here ---- */

static err_t on_received(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t code)
{
    door *d = (door *)context;
    const struct pbuf *q;
    (void)pcb;
    (void)code;
    if (p == NULL) {
        d->finished = 1;
        return ERR_OK;
    }
    for (q = p; q != NULL; q = q->next) {
        bytes_put(&here->connections[d - doors].up.data, q->payload, q->len);
    }
    pbuf_free(p);
    return ERR_OK;
}

static void on_gone(void *context, err_t code)
{
    door *d = (door *)context;
    (void)code;
    d->pcb = NULL;
    d->finished = 2;
}

static void let_go(door *d)
{
    tcp_arg(d->pcb, NULL);
    tcp_recv(d->pcb, NULL);
    tcp_err(d->pcb, NULL);
    d->pcb = NULL;
}

static void slam(door *d)
{
    struct tcp_pcb *pcb = d->pcb;
    if (pcb != NULL) {
        let_go(d);
        tcp_abort(pcb);
    }
}

static err_t on_accepted(void *context, struct tcp_pcb *pcb, err_t code)
{
    unsigned i;
    (void)context;
    if (pcb == NULL || code != ERR_OK) {
        return ERR_VAL;
    }
    for (i = 0; i < CONNECTIONS; ++i) {
        if (!doors[i].accepted && doors[i].port == pcb->remote_port && here->connections[i].hub_open) {
            doors[i].accepted = 1;
            doors[i].pcb = pcb;
            tcp_arg(pcb, &doors[i]);
            tcp_recv(pcb, on_received);
            tcp_err(pcb, on_gone);
            tcp_nagle_disable(pcb);
            return ERR_OK;
        }
    }
    tcp_abort(pcb);                              /* of a connection that nobody remembers */
    return ERR_ABRT;
}

/* ---- connections ---- */

static void connection_begin(sim_connection *c)
{
    sim_connection old = *c;
    memset(c, 0, sizeof *c);
    c->up.data = old.up.data;
    c->down.data = old.down.data;
    c->reader.data = old.reader.data;
    bytes_clear(&c->up.data);
    bytes_clear(&c->down.data);
    bytes_clear(&c->reader.data);
    c->replies = old.replies;
    c->reply_capacity = old.reply_capacity;
    c->client_open = c->hub_open = 1;
    c->token_ends_at = NEVER;
}

static int is_free(const sim_connection *c)
{
    return !c->client_open && !c->hub_open && door_of(c)->pcb == NULL;
}

/* A free slot, or the oldest connection that the client has left. */
sim_connection *connection_new(sim_life *life)
{
    sim_connection *chosen = NULL;
    unsigned i;
    for (i = 0; i < CONNECTIONS; ++i) {
        sim_connection *c = &life->connections[i];
        if (is_free(c)) {
            chosen = c;
            break;
        }
        if (!c->client_open && (chosen == NULL || c->number < chosen->number)) {
            chosen = c;
        }
    }
    if (chosen->hub_open && chosen->number != 0) {
        hub_close(life, chosen, 9);
    }
    slam(door_of(chosen));
    memset(door_of(chosen), 0, sizeof(door));
    door_of(chosen)->sends_at = NEVER;
    connection_begin(chosen);
    chosen->number = ++life->connection_count;
    chosen->heard_at = life->now;
    return chosen;
}

/* The hub's end resets it. */
void connection_reset(sim_life *life, sim_connection *connection)
{
    slam(door_of(connection));
    connection->up.lost = connection->down.lost = 1;
    if (connection->hub_open) {
        hub_close(life, connection, 8);
    }
}

/* Somewhere between the ends the packets of this connection are swallowed from now on. */
void connection_lose(sim_connection *connection)
{
    connection->up.lost = connection->down.lost = 1;
    connection->hurt = 1;
    wire_hole(door_of(connection)->port, 1, 1);
}

static void cut_now(sim_life *life, sim_connection *connection, int kind)
{
    connection->down.ended = 1;
    door_of(connection)->cut = kind;
    if (connection->hub_open) {
        hub_close(life, connection, 8);
    }
}

/* The hub speaks. */
void pipe_put(sim_life *life, sim_connection *connection, sim_pipe *pipe, const void *bytes, size_t size)
{
    size_t whole = size;
    if (pipe->cutting && pipe->put + size > pipe->cut_at) {
        whole = pipe->cut_at > pipe->put ? pipe->cut_at - pipe->put : 0;
    }
    pipe->put += size;
    if (pipe->ended) {
        return;
    }
    bytes_put(&pipe->data, bytes, whole);
    if (whole != size) {
        cut_now(life, connection, pipe->cutting);
    }
}

/* ---- the stream as the client sees it ---- */

/* The connection has a number from its first packet on: the hub may accept it before the client looks. */
static void find_coming(sim_life *life)
{
    if (port.pcb == NULL) {
        return;
    }
    if (coming == NULL) {
        coming = connection_new(life);
    }
    door_of(coming)->port = port.pcb->local_port;
}

static int stream_open(void *context, const char *host, unsigned int number)
{
    sim_life *life = (sim_life *)context;
    sim_stream *s = &life->stream;
    int answer;
    if (!life->device.in_work) broken(life, "open outside DoWork");
    if (s->now != NULL) broken(life, "open of an open stream");
    if (s->must_close) broken(life, "open without close after a failure");
    if (strcmp(host, HOST) != 0 || number != PORT) broken(life, "another host or port");
    if (s->opening && host != s->host_at) broken(life, "the host moved while opening");
    wire.lookups_until = life->now + SECONDS(60);
    if (!s->opening) {
        note(life, EVENT_OPENS, 0, 0, 0);
        s->opening = 1;
        s->host_at = host;
        s->opens_at = life->now;
        life->failed_reached = 0;
        life->device.attempts_in_hour += 1;
    }
    answer = io->open(io->context, host, number);
    find_coming(life);
    if (answer == 0) {
        return 0;
    }
    s->opening = 0;
    if (answer < 0) {
        note(life, EVENT_OPEN_FAILS, 0, 0, 0);
        s->must_close = 1;
        return answer;
    }
    life->failed_reached = 1;
    s->now = coming;
    coming = NULL;
    s->now->alone = life->start_alone;
    s->now->hurt = life->faulty || life->now < life->asleep_until;
    if (life->manners.cut_kind != 0) {
        sim_pipe *pipe = life->manners.cut_up ? &s->now->up : &s->now->down;
        pipe->cutting = life->manners.cut_kind;
        pipe->cut_at = life->manners.cut_at;
        s->now->hurt = 1;
        life->manners.cut_kind = 0;
    }
    s->taken = s->offered = 0;
    s->blocked = 0;
    s->pushed = 1;
    s->fresh = 1;
    bytes_clear(&s->remainder);
    bytes_clear(&s->tap.data);
    s->tap.seen = 0;
    note(life, EVENT_OPEN, s->now->number, 0, 0);
    return 1;
}

static int dead(sim_life *life, sim_event event)
{
    note(life, event, 0, 0, 0);
    life->stream.must_close = 1;
    return -1;
}

static int stream_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    sim_life *life = (sim_life *)context;
    sim_stream *s = &life->stream;
    int got;
    if (s->now == NULL || s->must_close) broken(life, "read of a stream that is not open");
    if (capacity == 0 || capacity > IO_MAXIMUM) broken(life, "read of 0 or more than 32,767 bytes");
    ++s->reads;
    got = io->read(io->context, bytes, capacity);
    if (got < 0) {
        return dead(life, EVENT_READ_DEAD);
    }
    if (got > 0) {
        s->now->down.taken += (size_t)got;
        if (s->now->down.taken > s->now->down.put) fail(life, 5, "the port delivers more than the hub sent");
        s->read_bytes += (size_t)got;
        s->now->read_at = life->now;
        note(life, EVENT_READ, (unsigned)got, 0, 0);
    }
    return got;
}

/* Rule 4: what was offered and not taken comes first. The tap reads each byte the first time that it is offered. */
static void offered(sim_life *life, const unsigned char *bytes, size_t size)
{
    sim_stream *s = &life->stream;
    size_t again = bytes_size(&s->remainder), known = s->offered - s->taken;
    if (size < again || (again != 0 && memcmp(bytes, bytes_front(&s->remainder), again) != 0)) {
        broken(life, "bytes once offered are not the next bytes");
    }
    if (size > known) {
        s->offered = s->taken + size;
        reader_take(&s->tap, life, s->now, bytes + known, size - known, tap_packet);
    }
}

static int stream_write(void *context, const unsigned char *bytes, unsigned int size)
{
    sim_life *life = (sim_life *)context;
    sim_stream *s = &life->stream;
    int put;
    if (!life->device.in_work && !life->device.in_destroy) broken(life, "write outside DoWork and Destroy");
    if (s->now == NULL || s->must_close) broken(life, "write to a stream that is not open");
    if (size > IO_MAXIMUM) broken(life, "write of more than 32,767 bytes");
    if (size != 0) {
        offered(life, bytes, size);
        ++s->writes;
    }
    put = io->write(io->context, bytes, size);
    if (put < 0) {
        return dead(life, EVENT_WRITE_DEAD);
    }
    if (size == 0) {
        s->pushed = 1;
        return put;
    }
    note(life, EVENT_WRITE, size, (unsigned)put, 0);
    bytes_clear(&s->remainder);
    bytes_put(&s->remainder, bytes + put, size - (unsigned)put);
    s->blocked = put == 0;
    s->pushed &= put == 0;
    s->taken += (size_t)put;
    s->now->up.put += (size_t)put;
    return put;
}

/* The client has left a connection: what it had not acknowledged is lost on it. */
static void count_losses(sim_life *life)
{
    sim_device *device = &life->device;
    unsigned i;
    for (i = device->settled_before; i < device->count; ++i) {
        device->messages[i].losses += device->messages[i].outcome == 0;
    }
}

/* The hub will never hear of an attempt that did not get as far as a handshake of both sides. */
static void forget_coming(void)
{
    if (coming != NULL) {
        coming->client_open = 0;
        if (port.pcb == NULL || port.pcb->state == SYN_SENT) {
            coming->hub_open = 0;
        }
        coming = NULL;
    }
}

static void stream_close(void *context)
{
    sim_life *life = (sim_life *)context;
    sim_stream *s = &life->stream;
    sim_connection *c = s->now;
    if (!life->device.in_work && !life->device.in_destroy) broken(life, "close outside DoWork and Destroy");
    note(life, EVENT_CLOSES, c != NULL ? c->number : 0, c != NULL ? (unsigned)s->taken : 0, 0);
    forget_coming();
    io->close(io->context);
    s->opening = 0;
    s->must_close = 0;
    s->now = NULL;
    if (c == NULL) {
        return;
    }
    count_losses(life);
    twin_left(life, c);
    life->start_alone = !(c->accepted && c->down.taken >= 4);
    c->client_open = 0;
}

static int stream_error(void *context, long *raw)
{
    (void)context;
    return io->error(io->context, raw);
}

void stream_fill(sim_life *life, IOTHUB_IO *filled)
{
    filled->context = life;
    filled->open = stream_open;
    filled->read = stream_read;
    filled->write = stream_write;
    filled->close = stream_close;
    filled->error = stream_error;
}

/* ---- between the hub and lwIP ---- */

/* Gives the hub what came, as much as it takes now, and opens the window by that. */
static void hub_listens(sim_life *life, sim_connection *c, door *d)
{
    unsigned char chunk[512];
    size_t budget = net.hub_takes != 0 ? net.hub_takes : (size_t)-1;
    if (d->takes_at > life->now || bytes_size(&c->up.data) == 0) {
        return;
    }
    d->takes_at = net.hub_takes != 0 ? life->now + net.hub_takes_every_ms : 0;
    while (c->hub_open && budget != 0 && bytes_size(&c->up.data) != 0) {
        size_t size = bytes_size(&c->up.data), whole;
        size = size < sizeof chunk ? size : sizeof chunk;
        whole = size = size < budget ? size : budget;
        if (c->up.cutting && c->up.taken + size > c->up.cut_at) {
            whole = c->up.cut_at > c->up.taken ? c->up.cut_at - c->up.taken : 0;
        }
        memcpy(chunk, bytes_front(&c->up.data), size);
        bytes_drop(&c->up.data, size);
        c->up.taken += size;
        budget -= size;
        if (d->pcb != NULL) {
            tcp_recved(d->pcb, (u16_t)size);
        }
        hub_take(life, c, chunk, whole);
        if (whole != size && c->hub_open) {
            cut_now(life, c, c->up.cutting);
        }
    }
}

/* Half of what finds no memory is tried, and so on. */
static void hub_speaks(const sim_life *life, sim_connection *c, door *d)
{
    size_t size, part = net.hub_part != 0 ? net.hub_part : 1000u;
    d->sends_at = NEVER;
    while (d->pcb != NULL && (size = bytes_size(&c->down.data)) != 0) {
        size = size < part ? size : part;
        size = size < tcp_sndbuf(d->pcb) ? size : tcp_sndbuf(d->pcb);
        if (size == 0) {
            break;                               /* room comes with a packet */
        }
        if (iothub_lwipi_repeats(d->pcb) && (tcp_output(d->pcb) != ERR_OK || iothub_lwipi_repeats(d->pcb))) {
            size = 0;                            /* as in the port, which says why */
        }
        while (size != 0 && tcp_write(d->pcb, bytes_front(&c->down.data), (u16_t)size, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            size /= 2;
        }
        if (size == 0) {
            d->sends_at = life->now + HUB_TRIES_AGAIN_MS;
            break;
        }
        bytes_drop(&c->down.data, size);
        if (net.hub_part != 0) {
            (void)tcp_output(d->pcb);
        }
    }
    if (d->pcb != NULL && tcp_output(d->pcb) != ERR_OK) {
        d->sends_at = life->now + HUB_TRIES_AGAIN_MS;
    }
}

/* The hub has closed, and all that it had to say is with lwIP. */
static void hub_leaves(door *d)
{
    struct tcp_pcb *pcb = d->pcb;
    if (d->cut == 2 && (pcb->unsent != NULL || pcb->unacked != NULL)) {
        return;                                  /* what was said is still to arrive; then comes the reset */
    }
    if (d->cut == 2) {
        slam(d);
        return;
    }
    let_go(d);
    if (tcp_close(pcb) != ERR_OK) {
        tcp_abort(pcb);
    }
}

/* A connection that never said CONNECT, and whose device is gone without a word. */
static uint64_t waits_until(const sim_connection *c)
{
    return c->hub_open && !c->client_open && !c->got_connect ? c->heard_at + HUB_WAITS_FOR_CONNECT : NEVER;
}

uint64_t stream_next(const sim_life *life)
{
    uint64_t next;
    unsigned i;
    next = wire_next();
    for (i = 0; i < CONNECTIONS; ++i) {
        const sim_connection *c = &life->connections[i];
        next = waits_until(c) < next ? waits_until(c) : next;
        if (c->hub_open && bytes_size(&c->up.data) != 0) {
            next = doors[i].takes_at < next ? doors[i].takes_at : next;
        }
        if (doors[i].pcb != NULL) {
            next = doors[i].sends_at < next ? doors[i].sends_at : next;
        }
    }
    return next;
}

void stream_arrive(sim_life *life)
{
    unsigned i;
    wire_run(life->now);
    for (i = 0; i < CONNECTIONS; ++i) {
        sim_connection *c = &life->connections[i];
        door *d = &doors[i];
        hub_listens(life, c, d);
        if (c->hub_open && d->finished == 1 && bytes_size(&c->up.data) == 0) {
            hub_ended(life, c);
        } else if (c->hub_open && (d->finished == 2 || waits_until(c) <= life->now)) {
            hub_close(life, c, 8);
        }
        hub_speaks(life, c, d);
        if (d->pcb != NULL && !c->hub_open && bytes_size(&c->down.data) == 0) {
            hub_leaves(d);
        }
    }
}

/* What a select would wake for. */
int stream_ready(const sim_life *life)
{
    const sim_stream *s = &life->stream;
    if (s->opening) {
        return port.state == IOTHUB_LWIPI_FOUND || port.state == IOTHUB_LWIPI_OPEN || port.state == IOTHUB_LWIPI_DEAD;
    }
    if (s->now == NULL) {
        return 0;
    }
    return port.received != NULL || port.ended
        || (s->blocked && wire.manners.no_memory == 0 && tcp_sndbuf(port.pcb) != 0 && tcp_sndqueuelen(port.pcb) + 2u < TCP_SND_QUEUELEN);
}

void stream_before_work(sim_life *life)
{
    sim_stream *s = &life->stream;
    wire_run(life->now);                         /* lwIP gets its time before DoWork, never within */
    s->reads = s->writes = s->pushes = 0;
    s->read_bytes = 0;
    s->fresh = 0;
}

void stream_after_work(sim_life *life)
{
    sim_stream *s = &life->stream;
    if (s->must_close) broken(life, "a dead stream is not closed");
    if (s->now != NULL && !s->pushed) broken(life, "bytes wait for a push when DoWork returns");
}

/* ---- lives ---- */

void stream_begin(sim_life *life)
{
    static struct tcp_pcb *listener;
    sim_stream *s = &life->stream;
    unsigned i;
    if (io != NULL) {
        io->close(io->context);
    }
    for (i = 0; i < CONNECTIONS; ++i) {
        if (doors[i].pcb != NULL) {
            slam(&doors[i]);
        }
    }
    memset(doors, 0, sizeof doors);
    for (i = 0; i < CONNECTIONS; ++i) {
        doors[i].sends_at = NEVER;
    }
    memset(&net, 0, sizeof net);
    wire_begin(life->seed);
    wire.trace = life->trace;
    here = life;
    coming = NULL;
    iothub_lwip_platform(&port, NULL);
    io = iothub_lwip_tcp(&port);
    if (listener == NULL) {
        struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
        tcp_bind(pcb, IP_ANY_TYPE, PORT);
        listener = tcp_listen(pcb);
        tcp_accept(listener, on_accepted);
    }
    s->now = NULL;
    s->opening = s->must_close = 0;
    bytes_clear(&s->remainder);
    bytes_clear(&s->tap.data);
}

void stream_free(sim_life *life)
{
    unsigned i;
    bytes_free(&life->stream.remainder);
    bytes_free(&life->stream.tap.data);
    for (i = 0; i < CONNECTIONS; ++i) {
        bytes_free(&life->connections[i].up.data);
        bytes_free(&life->connections[i].down.data);
        bytes_free(&life->connections[i].reader.data);
        free(life->connections[i].replies);
        life->connections[i].replies = NULL;
    }
}

void net_calm(sim_life *life)
{
    unsigned i, delay = wire.manners.delay_ms;
    memset(&wire.manners, 0, sizeof wire.manners);
    wire.manners.delay_ms = delay;
    wire.dead_until = 0;
    wire.strike_at = wire.fail_at = 0;
    wire_mtu(1500);
    memset(&net, 0, sizeof net);
    for (i = 0; i < CONNECTIONS; ++i) {
        life->connections[i].hurt = 1;           /* what happened to it may show later */
    }
}

/* life_run does nothing when the client is destroyed. */
static void life_run_to(sim_life *life, uint64_t end)
{
    while (life_next(life) <= end) {
        life_step(life);
    }
    life->now = end;
}

/* The hub's end may send its last bytes to a device that is gone twelve times, minutes apart; then lwIP keeps nothing of it. The
   device's end is gone long before: the port sees to that. */
void net_end(sim_life *life)
{
    uint64_t end = life->now + SECONDS(14 * 3600);
    life_run_to(life, life->now + SECONDS(60));
    if (wire_pcbs(1) != 0) fail(life, 7, "the port leaves a connection with lwIP");
    life_run_to(life, end);
    if (wire_left_over() != 0) fail(life, 7, "lwIP keeps %u pieces of memory, %u connections", wire_left_over(), wire_pcbs(0));
}
