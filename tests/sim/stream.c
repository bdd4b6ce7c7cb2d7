/* The stream: connections as pairs of pipes with latency, and over them the filter that the client sees (an IOTHUB_IO).
   The filter keeps the port's side of the contract in every legal way, and watches that the client keeps its own: invariant 5. */
#include "iothub_client.h"
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define HOST "hub.example.net"
#define PORT 8883u
#define IO_MAXIMUM 32767u

/* What one DoWork may do: the defaults of IOTHUB_WORK_READS, _READ_SIZE, _WRITES. */
#define WORK_READS 4u
#define WORK_READ_BYTES 256u
#define WORK_WRITES 8u
#define WORK_PUSHES 1u

/* ---- pipes ---- */

void pipe_free(sim_pipe *pipe)
{
    bytes_free(&pipe->data);
    free(pipe->segments);
    memset(pipe, 0, sizeof *pipe);
}

static void pipe_begin(sim_pipe *pipe)
{
    sim_bytes data = pipe->data;
    sim_segment *segments = pipe->segments;
    size_t capacity = pipe->capacity;
    memset(pipe, 0, sizeof *pipe);
    bytes_clear(&data);
    pipe->data = data;
    pipe->segments = segments;
    pipe->capacity = capacity;
}

static void pipe_clear(sim_pipe *pipe)
{
    bytes_clear(&pipe->data);
    pipe->first = pipe->last = 0;
    pipe->arrived = 0;
}

static void pipe_segment(sim_pipe *pipe, uint64_t at, size_t size)
{
    if (pipe->last > pipe->first && pipe->segments[pipe->last - 1].at == at) {
        pipe->segments[pipe->last - 1].size += size;
        return;
    }
    if (pipe->last == pipe->capacity) {
        if (pipe->first != 0) {
            memmove(pipe->segments, pipe->segments + pipe->first, (pipe->last - pipe->first) * sizeof *pipe->segments);
            pipe->last -= pipe->first;
            pipe->first = 0;
        }
        if (pipe->last * 2u >= pipe->capacity) {
            pipe->capacity = pipe->capacity * 2u + 16u;
            pipe->segments = (sim_segment *)realloc(pipe->segments, pipe->capacity * sizeof *pipe->segments);
            if (pipe->segments == NULL) {
                abort();
            }
        }
    }
    pipe->segments[pipe->last].at = at;
    pipe->segments[pipe->last].size = size;
    pipe->last += 1;
}

static void pipe_end(const sim_life *life, sim_pipe *pipe)
{
    uint64_t at = life->now + life->manners.latency_ms;
    if (!pipe->ended) {
        pipe->ended = 1;
        pipe->newest = at > pipe->newest ? at : pipe->newest;
    }
}

void pipe_put(sim_life *life, sim_connection *connection, sim_pipe *pipe, const void *bytes, size_t size)
{
    uint64_t at = life->now;
    size_t whole = size;
    if (pipe->cutting && pipe->put + size > pipe->cut_at) {
        whole = pipe->cut_at > pipe->put ? pipe->cut_at - pipe->put : 0;
    }
    pipe->put += size;
    if (pipe->lost || pipe->ended) {
        return;
    }
    if (life->manners.bytes_per_s != 0) {
        pipe->sent = (pipe->sent > at ? pipe->sent : at) + (uint64_t)whole * 1000u / life->manners.bytes_per_s;
        at = pipe->sent;
    }
    at += life->manners.latency_ms;
    pipe->newest = at > pipe->newest ? at : pipe->newest;
    if (whole != 0) {
        bytes_put(&pipe->data, bytes, whole);
        pipe_segment(pipe, pipe->newest, whole);
    }
    if (whole != size && pipe->cutting == 2) {
        connection_reset(life, connection);
    } else if (whole != size) {
        pipe_end(life, &connection->up);
        pipe_end(life, &connection->down);
    }
}

/* When something happens at the end of this pipe. */
uint64_t pipe_next(const sim_pipe *pipe)
{
    if (pipe->stalled || pipe->lost) {
        return NEVER;
    }
    if (pipe->first < pipe->last) {
        return pipe->segments[pipe->first].at;
    }
    return pipe->ended == 1 ? pipe->newest : NEVER;
}

/* Lets arrive what is due. Answers 1 when the end arrived. */
static int pipe_arrive(sim_pipe *pipe, uint64_t now)
{
    if (pipe->stalled || pipe->lost) {
        return 0;
    }
    while (pipe->first < pipe->last && pipe->segments[pipe->first].at <= now) {
        pipe->arrived += pipe->segments[pipe->first++].size;
    }
    if (pipe->first == pipe->last) {
        pipe->first = pipe->last = 0;
        if (pipe->ended == 1 && pipe->newest <= now) {
            pipe->ended = 2;
            return 1;
        }
    }
    return 0;
}

static void pipe_take(sim_pipe *pipe, size_t size)
{
    bytes_drop(&pipe->data, size);
    pipe->arrived -= size;
    pipe->taken += size;
}

/* ---- connections ---- */

static void connection_begin(sim_connection *connection)
{
    pipe_begin(&connection->up);
    pipe_begin(&connection->down);
    bytes_clear(&connection->reader.data);
    connection->reader.seen = 0;
    connection->client_open = connection->hub_open = 1;
    connection->reset = connection->hurt = connection->starved = connection->poisoned = 0;
    connection->got_connect = connection->accepted = connection->refused = connection->left = 0;
    connection->keep_alive_s = 0;
    connection->heard_at = 0;
    connection->token_ends_at = NEVER;
    connection->ping_answered = 0;
    connection->pings = connection->tap_pings = connection->alone_messages = 0;
    connection->alone_bytes = 0;
    connection->tap_ping_at = connection->read_at = 0;
    connection->newest_message = 0;
    connection->live_count = 0;
    connection->reply_count = 0;
    connection->filters_asked = connection->filters_granted = 0;
    connection->twin_end = 0;
    memset(connection->refused_at, 0, sizeof connection->refused_at);
    connection->first_delivery = connection->next_id = connection->scan = 0;
}

/* A free slot, or the oldest connection that the client has left and the hub has not noticed yet. */
sim_connection *connection_new(sim_life *life)
{
    sim_connection *chosen = NULL;
    unsigned i;
    for (i = 0; i < CONNECTIONS; ++i) {
        sim_connection *c = &life->connections[i];
        int is_free = !c->client_open && !c->hub_open;
        if (c->client_open) {
            continue;
        }
        if (is_free) {
            chosen = c;
            break;
        }
        if (chosen == NULL || c->number < chosen->number) {
            chosen = c;
        }
    }
    if (chosen->hub_open && chosen->number != 0) {
        hub_close(life, chosen, 9);
    }
    connection_begin(chosen);
    chosen->number = ++life->connection_count;
    chosen->heard_at = life->now;
    return chosen;
}

/* Both ends are dead at once; what was on its way is gone. */
void connection_reset(sim_life *life, sim_connection *connection)
{
    connection->reset = 1;
    pipe_clear(&connection->up);
    pipe_clear(&connection->down);
    connection->up.lost = connection->down.lost = 1;
    if (connection->hub_open) {
        hub_close(life, connection, 8);
    }
}

void connection_lose(sim_connection *connection)
{
    connection->up.lost = connection->down.lost = 1;
    connection->hurt = 1;
}

/* ---- the stream as the client sees it ---- */

static void broken(sim_life *life, const char *rule)
{
    fail(life, 5, "the client breaks the contract of the stream: %s", rule);
}

static int stream_open(void *context, const char *host, unsigned int port)
{
    sim_life *life = (sim_life *)context;
    sim_stream *s = &life->stream;
    if (!life->device.in_work) broken(life, "open outside DoWork");
    if (s->now != NULL) broken(life, "open of an open stream");
    if (s->must_close) broken(life, "open without close after a failure");
    if (strcmp(host, HOST) != 0 || port != PORT) broken(life, "another host or port");
    if (s->opening && host != s->host_at) broken(life, "the host moved while opening");
    if (!s->opening) {
        note(life, EVENT_OPENS, 0, 0, 0);
        s->opening = 1;
        s->host_at = host;
        s->opens_at = life->manners.open_hangs ? NEVER : life->now + life->manners.open_ms;
        life->failed_reached = 0;
        life->device.attempts_in_hour += 1;
    }
    if (life->now < s->opens_at) {
        return 0;
    }
    s->opening = 0;
    if (life->manners.open_fails) {
        note(life, EVENT_OPEN_FAILS, 0, 0, 0);
        s->must_close = 1;
        return -1;
    }
    life->failed_reached = 1;
    s->now = connection_new(life);
    s->now->alone = life->start_alone;
    s->now->hurt = life->manners.latency_ms != life->calm_manners.latency_ms || life->manners.blocked || life->tick_hurt
        || life->now < life->asleep_until;
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
    bytes_clear(&s->held);
    bytes_clear(&s->remainder);
    bytes_clear(&s->tap.data);
    s->tap.seen = 0;
    note(life, EVENT_OPEN, s->now->number, 0, 0);
    return 1;
}

static size_t room_to_send(const sim_life *life)
{
    const sim_pipe *up = &life->stream.now->up;
    size_t waiting = up->put - up->taken;
    if (life->manners.blocked) {
        return 0;
    }
    if (life->manners.send_buffer == 0) {
        return IO_MAXIMUM;
    }
    return waiting < life->manners.send_buffer ? life->manners.send_buffer - waiting : 0;
}

/* Moves what the filter holds to the connection; answers how much is left. */
static size_t move_held(sim_life *life)
{
    sim_stream *s = &life->stream;
    size_t room = room_to_send(life), size = bytes_size(&s->held);
    size = size < room ? size : room;
    if (size != 0) {
        pipe_put(life, s->now, &s->now->up, bytes_front(&s->held), size);
        bytes_drop(&s->held, size);
    }
    return bytes_size(&s->held);
}

static int dead(sim_life *life, sim_event event)
{
    note(life, event, 0, 0, 0);
    life->stream.must_close = 1;
    return -1;
}

static size_t limited(sim_life *life, size_t size, unsigned limit)
{
    if (limit != 0 && size > limit) {
        size = limit;
    }
    if (life->manners.ragged && size > 1) {
        size = chance(&life->stream_random, 30) ? 1u : between(&life->stream_random, 1, (uint32_t)size);
    }
    return size;
}

static int stream_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    sim_life *life = (sim_life *)context;
    sim_stream *s = &life->stream;
    size_t size;
    char here;
    if (!life->device.in_work) broken(life, "read outside DoWork");
    if ((size_t)(life->frame - &here) > life->stack) {
        life->stack = (size_t)(life->frame - &here);
    }
    if (s->now == NULL || s->must_close) broken(life, "read of a stream that is not open");
    if (capacity == 0 || capacity > IO_MAXIMUM) broken(life, "read of 0 or more than 32,767 bytes");
    if (++s->reads > WORK_READS) fail(life, 8, "more than %u reads in one DoWork", WORK_READS);
    if (s->now->reset) {
        return dead(life, EVENT_READ_DEAD);
    }
    if (life->manners.greedy_read) {
        life->manners.greedy_read = 0;
        s->must_close = 1;
        return (int)capacity + 1;
    }
    size = s->now->down.arrived < capacity ? s->now->down.arrived : capacity;
    if (size == 0) {
        return s->now->down.ended == 2 ? dead(life, EVENT_READ_DEAD) : 0;
    }
    size = limited(life, size, life->manners.read_limit);
    memcpy(bytes, bytes_front(&s->now->down.data), size);
    pipe_take(&s->now->down, size);
    s->read_bytes += size;
    s->now->read_at = life->now;
    if (s->read_bytes > WORK_READ_BYTES) fail(life, 8, "more than %u bytes read in one DoWork", WORK_READ_BYTES);
    note(life, EVENT_READ, (unsigned)size, 0, 0);
    return (int)size;
}

static int stream_push(sim_life *life)
{
    sim_stream *s = &life->stream;
    size_t left;
    if (++s->pushes > WORK_PUSHES << life->device.wants_destroy) fail(life, 8, "more than %u pushes in one DoWork", WORK_PUSHES);
    s->pushed = 1;
    left = move_held(life);
    if (bytes_size(&s->held) != 0 || life->manners.record != 0) {
        note(life, EVENT_PUSH, (unsigned)left, 0, 0);
    }
    return left == 0;
}

/* Rule 4: what was offered and not taken comes first. The tap reads each byte the first time that it is offered. */
static void stream_offered(sim_life *life, const unsigned char *bytes, size_t size)
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
    size_t take = size, room;
    int holds;
    if (!life->device.in_work && !life->device.in_destroy) broken(life, "write outside DoWork and Destroy");
    if (s->now == NULL || s->must_close) broken(life, "write to a stream that is not open");
    if (size > IO_MAXIMUM) broken(life, "write of more than 32,767 bytes");
    if (s->reads == 0 && !s->fresh) broken(life, "DoWork writes before it reads");
    if (size != 0) {
        stream_offered(life, bytes, size);
    }
    if (s->now->reset) {
        return dead(life, EVENT_WRITE_DEAD);
    }
    if (size == 0) {
        return stream_push(life);
    }
    if (++s->writes > WORK_WRITES << life->device.wants_destroy) fail(life, 8, "more than %u writes in one DoWork", WORK_WRITES);
    if (life->manners.greedy_write) {
        life->manners.greedy_write = 0;
        s->must_close = 1;
        return (int)size + 1;
    }
    holds = life->manners.record != 0 || bytes_size(&s->held) != 0;
    if (holds && bytes_size(&s->held) >= life->manners.record) {
        move_held(life);
    }
    room = !holds ? room_to_send(life) : bytes_size(&s->held) < life->manners.record ? life->manners.record - bytes_size(&s->held) : 0;
    take = limited(life, take < room ? take : room, life->manners.write_limit);
    if ((life->manners.half_duplex && s->now->down.arrived != 0)
        || (life->manners.refuse_percent != 0 && chance(&life->stream_random, life->manners.refuse_percent))) {
        take = 0;
    }
    note(life, EVENT_WRITE, size, (unsigned)take, 0);
    bytes_clear(&s->remainder);
    bytes_put(&s->remainder, bytes + take, size - take);
    s->blocked = take == 0;
    if (take == 0) {
        return 0;
    }
    s->taken += take;
    s->pushed = 0;
    if (holds) {
        bytes_put(&s->held, bytes, take);
    } else {
        pipe_put(life, s->now, &s->now->up, bytes, take);
    }
    return (int)take;
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

static void stream_close(void *context)
{
    sim_life *life = (sim_life *)context;
    sim_stream *s = &life->stream;
    sim_connection *c = s->now;
    if (!life->device.in_work && !life->device.in_destroy) broken(life, "close outside DoWork and Destroy");
    note(life, EVENT_CLOSES, c != NULL ? c->number : 0, c != NULL ? (unsigned)s->taken : 0, 0);
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
    bytes_clear(&s->held);
    if (life->manners.close_drops && !c->up.lost) {
        size_t arrived = c->up.arrived;
        c->up.data.end = c->up.data.start + arrived;
        c->up.first = c->up.last = 0;
    }
    pipe_end(life, &c->up);
}

static int stream_error(void *context, long *raw)
{
    (void)context;
    *raw = 111;
    return 6;                                    /* IOTHUB_LAYER_TCP */
}

void stream_fill(sim_life *life, IOTHUB_IO *io)
{
    io->context = life;
    io->open = stream_open;
    io->read = stream_read;
    io->write = stream_write;
    io->close = stream_close;
    io->error = stream_error;
}

/* ---- time ---- */

uint64_t stream_next(const sim_life *life)
{
    uint64_t next = life->stream.opening && life->stream.opens_at > life->now ? life->stream.opens_at : NEVER;
    unsigned i;
    for (i = 0; i < CONNECTIONS; ++i) {
        const sim_connection *c = &life->connections[i];
        uint64_t at;
        if (!c->client_open && !c->hub_open) {
            continue;
        }
        at = c->hub_open ? pipe_next(&c->up) : NEVER;
        next = at < next ? at : next;
        at = c->client_open ? pipe_next(&c->down) : NEVER;
        next = at < next ? at : next;
    }
    return next;
}

void stream_arrive(sim_life *life)
{
    unsigned i;
    for (i = 0; i < CONNECTIONS; ++i) {
        sim_connection *c = &life->connections[i];
        if (c->hub_open) {
            int ended = pipe_arrive(&c->up, life->now);
            size_t size = c->up.arrived;
            if (size != 0) {
                unsigned char chunk[2048];
                while ((size = c->up.arrived < sizeof chunk ? c->up.arrived : sizeof chunk) != 0) {
                    memcpy(chunk, bytes_front(&c->up.data), size);
                    pipe_take(&c->up, size);
                    hub_take(life, c, chunk, size);
                }
            }
            if (ended) {
                hub_ended(life, c);
            }
        }
        if (c->client_open) {
            pipe_arrive(&c->down, life->now);
        }
    }
}

int stream_ready(const sim_life *life)
{
    const sim_stream *s = &life->stream;
    if (s->opening) {
        return life->now >= s->opens_at;
    }
    if (s->now == NULL) {
        return 0;
    }
    return s->now->reset || s->now->down.arrived != 0 || s->now->down.ended == 2
        || (s->blocked && room_to_send(life) != 0 && life->manners.refuse_percent == 0);
}

void stream_before_work(sim_life *life)
{
    sim_stream *s = &life->stream;
    s->reads = s->writes = s->pushes = 0;
    s->read_bytes = 0;
    s->fresh = 0;
}

void stream_after_work(sim_life *life)
{
    sim_stream *s = &life->stream;
    if (s->must_close) broken(life, "a dead stream is not closed");
    if (s->now != NULL && !s->pushed) broken(life, "bytes wait for a push when DoWork returns");
    if (s->now != NULL && s->now->poisoned && s->now->down.taken >= s->now->poison_end) {
        fail(life, 4, "illegal bytes of the hub's were swallowed");
    }
}

void stream_begin(sim_life *life)
{
    sim_stream *s = &life->stream;
    s->now = NULL;
    s->opening = s->must_close = 0;
    bytes_clear(&s->held);
    bytes_clear(&s->remainder);
    bytes_clear(&s->tap.data);
}

void stream_free(sim_life *life)
{
    unsigned i;
    bytes_free(&life->stream.held);
    bytes_free(&life->stream.remainder);
    bytes_free(&life->stream.tap.data);
    for (i = 0; i < CONNECTIONS; ++i) {
        pipe_free(&life->connections[i].up);
        pipe_free(&life->connections[i].down);
        bytes_free(&life->connections[i].reader.data);
        free(life->connections[i].replies);
        life->connections[i].replies = NULL;
    }
}
