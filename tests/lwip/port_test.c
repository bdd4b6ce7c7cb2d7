/* The port alone, against a scripted server: its IOTHUB_IO in every state, and everything that can go wrong below it. */
#include "port_test.h"
#include "wire.h"
#include "lwip/dns.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include <string.h>

#define HOST "hub.example.net"
#define PORT 8883u
#define SECONDS(n) ((uint64_t)(n) * 1000u)

static IOTHUB_LWIP port;
static IOTHUB_PLATFORM platform;
static const IOTHUB_IO *io;
static unsigned char bytes[2000];

static struct server {
    struct tcp_pcb *listener, *pcb, *earlier;    /* pcb: the newest connection */
    unsigned received, accepted;
    int wrong;                                   /* a byte is not the next one */
    int finished, reset;
    int keeps;                                   /* does not open its window */
    unsigned kept;
} server;

static const char *failed;

#define CHECK(condition) do { if (!(condition) && failed == NULL) { failed = #condition; failed_line = __LINE__; } } while (0)
static int failed_line;

static unsigned char nth(unsigned n)
{
    return (unsigned char)(n * 7u + (n >> 8));
}

/* ---- the server ---- */

static err_t on_received(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t code)
{
    unsigned i;
    (void)context;
    (void)code;
    if (p == NULL) {
        server.finished = 1;
        return ERR_OK;
    }
    for (i = 0; i < p->tot_len; ++i) {
        server.wrong |= pbuf_get_at(p, (u16_t)i) != nth(server.received + i);
    }
    server.received += p->tot_len;
    if (server.keeps) {
        server.kept += p->tot_len;
    } else {
        tcp_recved(pcb, p->tot_len);
    }
    pbuf_free(p);
    return ERR_OK;
}

static void on_gone(void *context, err_t code)
{
    struct tcp_pcb **which = (struct tcp_pcb **)context;
    (void)code;
    server.reset |= which == &server.pcb;
    *which = NULL;
}

static err_t on_accepted(void *context, struct tcp_pcb *pcb, err_t code)
{
    (void)context;
    if (pcb == NULL || code != ERR_OK) {
        return ERR_VAL;
    }
    if (server.pcb != NULL && server.earlier == NULL) {
        server.earlier = server.pcb;
        tcp_arg(server.earlier, &server.earlier);
    }
    server.accepted += 1;
    server.received = 0;
    server.finished = server.reset = 0;
    server.pcb = pcb;
    tcp_arg(pcb, &server.pcb);
    tcp_recv(pcb, on_received);
    tcp_err(pcb, on_gone);
    tcp_nagle_disable(pcb);
    return ERR_OK;
}

static void server_listens(const ip_addr_t *address)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(pcb, address != NULL ? address : IP_ANY_TYPE, PORT);
    server.listener = tcp_listen(pcb);
    tcp_accept(server.listener, on_accepted);
}

/* Sends what fits of the bytes up to total; answers how many are sent. */
static unsigned server_sends(unsigned from, unsigned total)
{
    while (from < total && server.pcb != NULL) {
        unsigned char part[300];
        unsigned size = total - from < sizeof part ? total - from : (unsigned)sizeof part, i;
        for (i = 0; i < size; ++i) {
            part[i] = nth(from + i);
        }
        if (tcp_sndbuf(server.pcb) < size || tcp_write(server.pcb, part, (u16_t)size, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break;
        }
        from += size;
    }
    if (server.pcb != NULL) {
        tcp_output(server.pcb);
    }
    return from;
}

static void close_one(struct tcp_pcb **which)
{
    if (*which != NULL) {
        tcp_recv(*which, NULL);
        tcp_err(*which, NULL);
        tcp_close(*which);
        *which = NULL;
    }
}

static void server_closes(void)
{
    close_one(&server.pcb);
    close_one(&server.earlier);
}

static void server_resets(void)
{
    if (server.pcb != NULL) {
        tcp_err(server.pcb, NULL);
        tcp_abort(server.pcb);
        server.pcb = NULL;
    }
}

/* ---- the client's side ---- */

static void begin(unsigned seed)
{
    wire_begin(seed);
    memset(&server, 0, sizeof server);
    server_listens(NULL);
    iothub_lwip_platform(&port, &platform);
    io = iothub_lwip_tcp(&port);
}

static int open_name(const char *host, unsigned seconds)
{
    uint64_t end = wire.now + SECONDS(seconds);
    int answer;
    for (;;) {
        wire.lookups_until = wire.now + SECONDS(60);
        answer = io->open(io->context, host, PORT);
        if (answer != 0 || wire.now >= end) {
            return answer;
        }
        wire_run(wire.now + 10u);
    }
}

static void open_well(void)
{
    CHECK(open_name(HOST, 60) == 1);
    wire_run(wire.now + 200u);
    CHECK(server.pcb != NULL);
}

static int reads(unsigned *received, unsigned most)
{
    int got = io->read(io->context, bytes, most), i;
    for (i = 0; i < got; ++i) {
        CHECK(bytes[i] == nth(*received + (unsigned)i));
    }
    *received += got > 0 ? (unsigned)got : 0;
    return got;
}

static int writes(unsigned *sent, unsigned size)
{
    unsigned i;
    int put;
    for (i = 0; i < size; ++i) {
        bytes[i] = nth(*sent + i);
    }
    put = io->write(io->context, bytes, size);
    CHECK(put <= (int)size);
    *sent += put > 0 ? (unsigned)put : 0;
    return put;
}

static int layer(long *raw)
{
    *raw = 99;
    return io->error(io->context, raw);
}

/* All is closed, and lwIP has nothing of it any more. */
static void end(void)
{
    io->close(io->context);
    wire.manners.no_memory = wire.manners.no_buffer = wire.manners.lost = 0;
    wire.manners.dead[0] = wire.manners.dead[1] = wire.manners.dead4 = 0;
    wire.dead_until = 0;
    wire_run(wire.now + SECONDS(5));
    server_closes();                             /* accepted meanwhile, perhaps */
    wire_run(wire.now + SECONDS(600));
    CHECK(wire_pcbs(1) == 0);
    CHECK(wire_left_over() == 0);
    tcp_close(server.listener);
}

/* ---- names and addresses ---- */

static void opens_by_name_and_by_digits(void)
{
    static const char *const names[] = { HOST, "10.0.1.1", "fd00:0:0:1::1" };
    unsigned i, queries;
    for (i = 0; i < 3; ++i) {
        begin(1);
        CHECK(open_name(names[i], 5) == 1);
        CHECK(io->open(io->context, names[i], PORT) == 1);
        queries = wire.queries;
        CHECK(queries == (i == 0));
        CHECK(IP_IS_V6(&port.address) == (i == 2));
        end();
    }
}

static void opens_over_ipv6_when_the_name_has_nothing_else(void)
{
    begin(2);
    wire.manners.no_ipv4 = 1;
    CHECK(open_name(HOST, 20) == 1 && IP_IS_V6(&port.address));
    end();
}

static void takes_ipv6_when_ipv4_is_refused(void)
{
    begin(3);
    tcp_close(server.listener);
    server_listens(&wire_hub6);
    CHECK(open_name(HOST, 20) == 1 && IP_IS_V6(&port.address));
    CHECK(wire.now < 2000u);
    end();
}

static void takes_ipv6_when_ipv4_is_silent(void)
{
    begin(4);
    wire.manners.dead4 = 1;
    CHECK(open_name(HOST, 20) == 1 && IP_IS_V6(&port.address));
    CHECK(wire.now >= 8000u && wire.now < 9000u);
    end();
}

static void refused_by_both_kinds(void)
{
    long raw;
    begin(5);
    tcp_close(server.listener);
    CHECK(open_name(HOST, 20) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_TCP && raw == ERR_RST);
    CHECK(io->open(io->context, HOST, PORT) == -1);       /* until close */
    CHECK(io->read(io->context, bytes, 1) == -1 && io->write(io->context, bytes, 1) == -1);
    io->close(io->context);
    CHECK(layer(&raw) == IOTHUB_LAYER_TCP && raw == ERR_RST);
    wire.manners.no_ipv6 = 1;                    /* the connection's failure counts, not that there is no other address */
    CHECK(open_name(HOST, 20) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_TCP && raw == ERR_RST);
    server_listens(NULL);
    io->close(io->context);
    CHECK(open_name(HOST, 20) == 1);
    end();
}

static void unknown_name(void)
{
    long raw;
    begin(6);
    wire.manners.resolver = RESOLVER_DENIES;
    CHECK(open_name(HOST, 20) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_DNS && raw == ERR_VAL);
    wire.manners.resolver = RESOLVER_ANSWERS;
    CHECK(io->open(io->context, HOST, PORT) == -1);
    io->close(io->context);
    CHECK(open_name(HOST, 20) == 1);
    end();
}

static void silent_name_server(void)
{
    long raw;
    begin(7);
    wire.manners.resolver = RESOLVER_SILENT;
    CHECK(open_name(HOST, 60) == -1);
    CHECK(wire.now > 3000u && wire.now < 30000u);
    CHECK(layer(&raw) == IOTHUB_LAYER_DNS && raw == ERR_VAL);
    end();
    begin(8);
    dns_setserver(0, NULL);                      /* none is known yet */
    CHECK(open_name(HOST, 60) == -1 && wire.now == 0);
    CHECK(layer(&raw) == IOTHUB_LAYER_DNS && raw == ERR_VAL);
    dns_setserver(0, &wire_hub);
    end();
}

/* lwIP asks on; when the answer comes the stream is closed, even its memory is given back. */
static void late_answer_hits_nothing(void)
{
    IOTHUB_LWIP *other = (IOTHUB_LWIP *)malloc(sizeof *other);
    const IOTHUB_IO *stream;
    begin(9);
    wire.manners.resolver_ms = 3000;
    iothub_lwip_platform(other, NULL);
    stream = iothub_lwip_tcp(other);
    CHECK(stream->open(stream->context, HOST, PORT) == 0);
    wire_run(500);
    stream->close(stream->context);
    stream->close(stream->context);
    free(other);
    wire.lookups_until = SECONDS(60);
    wire_run(SECONDS(30));
    CHECK(wire_pcbs(1) == 0 && wire.queries != 0);
    end();
}

static void late_answer_serves_the_next_open(void)
{
    begin(10);
    wire.manners.resolver_ms = 900;
    CHECK(io->open(io->context, HOST, PORT) == 0);
    wire_run(500);
    io->close(io->context);
    CHECK(open_name(HOST, 20) == 1);             /* by the answer to the first question: it is the same name */
    CHECK(wire.now < 1500u && server.accepted <= 1);
    wire_run(SECONDS(20));                       /* ... and that to the second one changes nothing */
    CHECK(server.accepted == 1 && io->open(io->context, HOST, PORT) == 1);
    end();
    begin(11);
    wire.manners.resolver_ms = 900;
    CHECK(io->open(io->context, "elsewhere.example.net", PORT) == 0);
    wire_run(500);
    io->close(io->context);
    CHECK(io->open(io->context, HOST, PORT) == 0);
    wire_run(1100);                              /* the answer for the other name is here */
    CHECK(io->open(io->context, HOST, PORT) == 0 && port.pcb == NULL);
    CHECK(open_name(HOST, 20) == 1);
    end();
}

static void two_streams_wait_for_one_name(void)
{
    IOTHUB_LWIP second;
    const IOTHUB_IO *stream;
    begin(12);
    wire.manners.resolver_ms = 500;
    iothub_lwip_platform(&second, NULL);
    stream = iothub_lwip_tcp(&second);
    CHECK(io->open(io->context, HOST, PORT) == 0);
    CHECK(stream->open(stream->context, "HUB.example.net", PORT) == 0);
    wire_run(2000);
    CHECK(open_name(HOST, 1) == 1);
    (void)stream->open(stream->context, "HUB.example.net", PORT);
    wire_run(3000);
    CHECK(stream->open(stream->context, "HUB.example.net", PORT) == 1);
    CHECK(server.accepted == 2);
    stream->close(stream->context);
    end();
}

/* ---- the stream ---- */

static void not_open(void)
{
    long raw;
    begin(13);
    CHECK(platform.io.open == NULL && platform.milliseconds(platform.context) == 0);
    CHECK(io->read(io->context, bytes, 10) == -1);
    CHECK(io->write(io->context, bytes, 10) == -1);
    CHECK(io->write(io->context, bytes, 0) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_NONE && raw == 0);
    io->close(io->context);
    wire_run(1234);
    CHECK(platform.milliseconds(platform.context) == 1234);
    end();
}

/* 60 KB each way at once, in pieces of all sizes, over a bad network. */
static void bytes_both_ways(void)
{
    unsigned sent = 0, received = 0, from_server = 0, seed;
    const unsigned total = 60000;
    for (seed = 0; seed < 4; ++seed) {
        begin(20 + seed);
        open_well();
        wire.manners.lost = seed * 3u;
        wire.manners.doubled = seed * 2u;
        wire.manners.damaged = seed;
        wire.manners.spread_ms = seed * 60u;
        wire.manners.no_memory = wire.manners.no_buffer = seed == 3 ? 5 : 0;
        sent = received = from_server = 0;
        while ((sent < total || received < total || server.received < total) && wire.now < SECONDS(4000)) {
            unsigned size = 1u + wire_draw(1500);
            from_server = server_sends(from_server, total);
            if (sent < total) {
                CHECK(writes(&sent, total - sent < size ? total - sent : size) >= 0);
            }
            (void)io->write(io->context, bytes, 0);
            while (reads(&received, 1u + wire_draw(700)) > 0) {
            }
            wire_run(wire.now + 1u + wire_draw(50));
        }
        CHECK(sent == total && received == total && server.received == total && !server.wrong);
        CHECK(io->read(io->context, bytes, 100) == 0);
        end();
    }
}

static void unread_bytes_close_the_window(void)
{
    unsigned from_server = 0, received = 0, before, turn;
    begin(30);
    open_well();
    while (wire.now < SECONDS(60)) {
        from_server = server_sends(from_server, 50000);
        wire_run(wire.now + 100u);
    }
    before = from_server;
    CHECK(before <= TCP_WND + TCP_SND_BUF);      /* in the window and in the server's own buffer: not a byte more */
    CHECK(port.received != NULL && port.received->tot_len <= TCP_WND && port.received->tot_len > TCP_WND - TCP_MSS);
    wire_run(SECONDS(1200));                     /* twenty minutes */
    CHECK(server.pcb != NULL && server_sends(from_server, 50000) == before);
    for (turn = 0; turn < 7; ++turn) {
        CHECK(reads(&received, 100) == 100);     /* what is read opens it again: that much, and no more */
    }
    for (turn = 0; turn < 600; ++turn) {
        from_server = server_sends(from_server, 50000);
        wire_run(wire.now + 100u);
    }
    CHECK(from_server <= before + 700u && from_server > before);
    CHECK(port.received->tot_len <= TCP_WND);
    while (received < 50000 && wire.now < SECONDS(2000)) {
        from_server = server_sends(from_server, 50000);
        while (reads(&received, 100) > 0) {
        }
        wire_run(wire.now + 10u);
    }
    CHECK(received == 50000);                    /* and nothing is lost */
    end();
}

static void a_server_that_does_not_read(void)
{
    unsigned sent = 0, full;
    int put;
    begin(31);
    open_well();
    server.keeps = 1;
    while (wire.now < SECONDS(60)) {
        put = writes(&sent, 700);
        CHECK(put >= 0 && put <= 700);
        wire_run(wire.now + 100u);
    }
    full = sent;
    CHECK(full <= TCP_WND + TCP_SND_BUF && full > TCP_WND);
    CHECK(writes(&sent, 700) == 0);
    wire_run(SECONDS(600));
    CHECK(writes(&sent, 700) == 0 && server.received <= TCP_WND);
    server.keeps = 0;
    tcp_recved(server.pcb, (u16_t)server.kept);
    while (sent < 20000 && wire.now < SECONDS(1200)) {
        CHECK(writes(&sent, 700) >= 0);
        CHECK(io->write(io->context, bytes, 0) >= 0);
        wire_run(wire.now + 10u);
    }
    wire_run(wire.now + 1000u);
    CHECK(server.received == sent && sent >= 20000 && !server.wrong);
    end();
}

/* lwIP 2.1.3 spoils the stream when bytes are written while a segment waits to be sent again: they go behind that one. Here the
   first of five segments is lost, and the driver has no buffer when it should be repeated. */
static void bytes_behind_a_repeat(void)
{
    unsigned way, sent, i;
    for (way = 0; way < 2; ++way) {
        begin(300);
        open_well();
        sent = 0;
        wire.strike = STRIKE_LOSE;
        wire.strike_at = wire.packets + 1u;
        for (i = 0; i < 5; ++i) {
            CHECK(writes(&sent, 100) == 100 && io->write(io->context, bytes, 0) == 1);
        }
        wire_run(wire.now + 60u);
        wire.manners.no_buffer = 100;
        wire_run(wire.now + 40u);                /* four equal acknowledgements came */
        CHECK(port.pcb->unsent != NULL && port.pcb->unacked != NULL);
        if (way == 0) {
            CHECK(writes(&sent, 50) == 0);
        }
        wire.manners.no_buffer = 0;
        CHECK(writes(&sent, 50) == 50 && io->write(io->context, bytes, 0) == 1);
        wire_run(wire.now + SECONDS(30));
        CHECK(server.received == 550 && !server.wrong);
        end();
    }
}

/* Nothing leaves before a push, and then all of it in one segment; but a full buffer leaves by itself. */
static void push(void)
{
    unsigned sent = 0, before;
    begin(32);
    open_well();
    before = wire.packets;
    CHECK(writes(&sent, 10) == 10 && writes(&sent, 20) == 20 && writes(&sent, 30) == 30);
    CHECK(wire.packets == before);
    CHECK(io->write(io->context, bytes, 0) == 1);
    CHECK(wire.packets == before + 1u);
    wire_run(wire.now + 1000u);
    CHECK(server.received == 60);
    CHECK(writes(&sent, 2000) == TCP_SND_BUF);
    CHECK(wire.packets > before + 2u);
    wire_run(wire.now + 1000u);
    CHECK(server.received == sent);
    end();
}

/* What arrived before a reset is still there to read: it may be the reason. */
static void reset_by_the_peer(void)
{
    unsigned from_server, received = 0, sent = 0;
    long raw;
    begin(33);
    open_well();
    from_server = server_sends(0, 500);
    wire_run(wire.now + 1000u);
    server_resets();
    wire_run(wire.now + 1000u);
    CHECK(from_server == 500 && port.pcb == NULL);
    CHECK(writes(&sent, 10) == -1 && io->write(io->context, bytes, 0) == -1);
    while (reads(&received, 64) > 0) {
    }
    CHECK(received == 500);
    CHECK(io->read(io->context, bytes, 64) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_TCP && raw == ERR_RST);
    end();
}

static void half_closed_by_the_peer(void)
{
    unsigned received = 0, sent = 0;
    long raw;
    begin(34);
    open_well();
    CHECK(server_sends(0, 300) == 300);
    tcp_shutdown(server.pcb, 0, 1);
    wire_run(wire.now + 1000u);
    CHECK(writes(&sent, 200) == 200 && io->write(io->context, bytes, 0) == 1);
    while (reads(&received, 100) > 0) {
    }
    CHECK(received == 300);
    CHECK(io->read(io->context, bytes, 100) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_TCP && raw == 0);   /* closed in order */
    CHECK(io->write(io->context, bytes, 1) == -1);
    wire_run(wire.now + 1000u);
    CHECK(server.received == 200 && !server.wrong);
    end();
}

/* DISCONNECT and close_notify are written right before close: they arrive, though the client did not read all. */
static void goodbye(void)
{
    unsigned sent = 0;
    begin(35);
    open_well();
    CHECK(server_sends(0, 500) == 500);
    wire_run(wire.now + 1000u);
    CHECK(writes(&sent, 900) == 900);
    io->close(io->context);
    CHECK(tcp_active_pcbs != NULL && wire_pcbs(1) == 1);
    wire_run(wire.now + 1000u);
    CHECK(server.received == 900 && server.finished && !server.reset && !server.wrong);
    end();
}

/* What is left behind is the first that lwIP takes back when a pcb is wanted. */
static void closed_pcbs_have_the_lowest_priority(void)
{
    const struct tcp_pcb *pcb;
    unsigned sent = 0;
    begin(36);
    open_well();
    wire.manners.dead[WIRE_UP] = 1;
    CHECK(writes(&sent, 100) == 100);
    io->close(io->context);
    for (pcb = tcp_active_pcbs; pcb != NULL && !ip_addr_cmp(&pcb->local_ip, &wire_device); pcb = pcb->next) {
    }
    CHECK(pcb != NULL && pcb->prio == TCP_PRIO_MIN && pcb->callback_arg == NULL);
    end();
}

/* A peer that does not answer any more keeps no pcb and no segment of ours. */
static void a_dead_peer_costs_no_memory(void)
{
    unsigned sent = 0;
    begin(37);
    open_well();
    wire.manners.dead[WIRE_UP] = wire.manners.dead[WIRE_DOWN] = 1;
    CHECK(writes(&sent, 900) == 900 && io->write(io->context, bytes, 0) == 1);
    wire_run(wire.now + SECONDS(60));
    CHECK(io->read(io->context, bytes, 10) == 0);
    io->close(io->context);
    CHECK(wire_pcbs(1) == 0);
    end();
}

/* ... also when that shows only after close. What makes progress, on the other hand, is not given up. */
static void a_closed_connection_lingers_20_seconds(void)
{
    unsigned sent = 0;
    begin(38);
    open_well();
    wire.manners.dead[WIRE_UP] = wire.manners.dead[WIRE_DOWN] = 1;
    CHECK(writes(&sent, 900) == 900);
    io->close(io->context);
    wire_run(wire.now + SECONDS(15));
    CHECK(wire_pcbs(1) == 1);
    wire_run(wire.now + SECONDS(6));
    CHECK(wire_pcbs(1) == 0);
    end();
    begin(39);
    open_well();
    sent = 0;
    server.keeps = 1;
    while (writes(&sent, 500) > 0) {
        wire_run(wire.now + 500u);
    }
    io->close(io->context);
    while (server.received < sent && wire.now < SECONDS(300)) {
        wire_run(wire.now + SECONDS(15));        /* slow, but each time 20 seconds begin anew */
        if (server.pcb != NULL) {
            unsigned part = server.kept < 600u ? server.kept : 600u;
            server.kept -= part;
            tcp_recved(server.pcb, (u16_t)part);
        }
    }
    CHECK(server.received == sent && sent > TCP_WND && !server.wrong);
    end();
}

static void close_in_each_state(void)
{
    unsigned at, sent;
    for (at = 0; at <= 1000; at += 10) {         /* lookup, connect, open: each moment of them, with bytes both ways */
        begin(40);
        sent = 0;
        while (wire.now < at) {
            wire.lookups_until = wire.now + SECONDS(60);
            if (io->open(io->context, HOST, PORT) == 1 && sent < 400) {
                CHECK(writes(&sent, 40) >= 0 && io->write(io->context, bytes, 0) >= 0);
            }
            if (server.pcb != NULL) {
                (void)server_sends(0, 200);
            }
            wire_run(wire.now + 10u);
        }
        io->close(io->context);
        CHECK(io->read(io->context, bytes, 10) == -1);
        io->close(io->context);
        wire_run(wire.now + SECONDS(5));
        CHECK(server.accepted == 0 || server.finished || server.reset);
        CHECK(!server.wrong);
        server_closes();
        CHECK(open_name(HOST, 30) == 1);
        end();
    }
}

/* ---- death at each byte ---- */

static void death_at_each_byte_down(void)
{
    unsigned at, way, received;
    long raw;
    for (way = 0; way < 2; ++way) {
        for (at = 0; at <= 1000; ++at) {
            begin(50);
            open_well();
            CHECK(server_sends(0, at) == at);
            wire_run(wire.now + 2000u);
            if (way == 0) {
                server_closes();
            } else {
                server_resets();
            }
            wire_run(wire.now + 2000u);
            received = 0;
            while (reads(&received, 50) > 0) {
            }
            CHECK(received == at);
            CHECK(io->read(io->context, bytes, 50) == -1);
            CHECK(layer(&raw) == IOTHUB_LAYER_TCP && raw == (way == 0 ? 0 : ERR_RST));
            end();
        }
    }
}

static void death_at_each_byte_up(void)
{
    unsigned at, sent;
    for (at = 0; at <= 300; ++at) {
        begin(51);
        open_well();
        sent = 0;
        if (at != 0) {
            CHECK(writes(&sent, at) == (int)at);
        }
        CHECK(io->write(io->context, bytes, 0) == 1);
        wire_run(wire.now + 100u);
        CHECK(server.received == at);
        server_resets();
        wire_run(wire.now + 200u);
        CHECK(io->read(io->context, bytes, 50) == -1 && io->write(io->context, bytes, 5) == -1);
        end();
    }
}

/* ---- no memory ---- */

/* Each allocation of a session fails once. The session works all the same, or ends with an error; nothing is left behind. */
static void each_allocation_fails(void)
{
    unsigned n, through = 0, errors = 0;
    for (n = 1; n < 400; ++n) {
        unsigned sent = 0, received = 0, from_server = 0;
        uint64_t until;
        int answer, ended;
        begin(60);
        wire.fail_at = n;
        answer = open_name(HOST, 60);
        until = wire.now + SECONDS(60);
        while (answer == 1 && wire.now < until && (received < 600 || server.received < 600)) {
            if (sent < 600 && writes(&sent, 600u - sent < 90u ? 600u - sent : 90u) < 0) {
                answer = -1;
            }
            if (io->write(io->context, bytes, 0) < 0 || reads(&received, 100) < 0) {
                answer = -1;
            }
            from_server = server_sends(from_server, 600);
            wire_run(wire.now + 20u);
        }
        CHECK(answer != 0);
        CHECK(answer < 0 || (received == 600 && server.received == 600 && !server.wrong));
        CHECK(answer > 0 || port.layer == IOTHUB_LAYER_TCP || port.layer == IOTHUB_LAYER_DNS);
        errors += answer < 0;
        through += answer > 0;
        ended = wire.fail_at != 0;               /* the session needs fewer */
        wire.fail_at = 0;
        io->close(io->context);
        CHECK(open_name(HOST, 60) == 1);
        end();
        if (ended) {
            break;
        }
    }
    CHECK(n > 40 && n < 400);
    CHECK(through > 20 && errors > 0);
}

static void no_pcb(void)
{
    long raw;
    begin(61);
    wire.manners.no_memory = 100;
    CHECK(open_name("10.0.1.1", 1) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_TCP && raw == ERR_MEM);
    io->close(io->context);
    CHECK(open_name(HOST, 1) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_DNS && raw == ERR_MEM);
    io->close(io->context);
    wire.manners.no_memory = 0;
    CHECK(open_name(HOST, 10) == 1);
    end();
}

static void no_memory_to_write(void)
{
    unsigned sent = 0;
    begin(62);
    open_well();
    wire.manners.no_memory = 100;
    CHECK(writes(&sent, 500) == 0);
    CHECK(writes(&sent, 500) == 0);
    wire.manners.no_memory = 0;
    CHECK(writes(&sent, 500) == 500);
    wire.manners.no_buffer = 100;                /* a push that cannot send says so, and is called again */
    CHECK(io->write(io->context, bytes, 0) == 0);
    wire.manners.no_buffer = 0;
    CHECK(io->write(io->context, bytes, 0) == 1);
    wire_run(wire.now + 500u);
    CHECK(server.received == 500);
    wire.fail_at = 1;                            /* the whole does not fit: half of it does */
    CHECK(writes(&sent, 500) == 250);
    wire_run(wire.now + 500u);
    CHECK(server.received == 750 && !server.wrong);
    end();
}

/* ---- options ---- */

static void keepalive_finds_a_dead_peer(void)
{
    int on = 1, idle = 20, interval = 5, bad = -1;
    long raw;
    begin(70);
    CHECK(io->set_option(io->context, "tcp_keepalive", &on) == 0);
    CHECK(io->set_option(io->context, "tcp_keepalive_time", &idle) == 0);
    CHECK(io->set_option(io->context, "tcp_keepalive_interval", &bad) == -1);
    CHECK(io->set_option(io->context, "tcp_keepalive_interval", NULL) == -1);
    CHECK(io->set_option(io->context, "TrustedCerts", "x") == 1);
    open_well();
    CHECK(io->set_option(io->context, "tcp_keepalive_interval", &interval) == 0); /* to the connection that is open, too */
    wire_run(SECONDS(300));
    CHECK(io->read(io->context, bytes, 10) == 0);
    wire.manners.dead[WIRE_DOWN] = 1;
    wire_run(SECONDS(300 + 20 + 9 * 5 + 10));
    CHECK(io->read(io->context, bytes, 10) == -1);
    CHECK(layer(&raw) == IOTHUB_LAYER_TCP && raw == ERR_ABRT);
    on = 0;
    io->close(io->context);
    wire.manners.dead[WIRE_DOWN] = 0;
    CHECK(io->set_option(io->context, "tcp_keepalive", &on) == 0);
    CHECK(open_name(HOST, 10) == 1);
    wire.manners.dead[WIRE_DOWN] = 1;
    wire_run(wire.now + SECONDS(3000));
    CHECK(io->read(io->context, bytes, 10) == 0);
    end();
}

/* ---- all of them ---- */

#define TEST(name) { #name, name }
static const struct { const char *name; void (*run)(void); } tests[] = {
    TEST(opens_by_name_and_by_digits), TEST(opens_over_ipv6_when_the_name_has_nothing_else), TEST(takes_ipv6_when_ipv4_is_refused),
    TEST(takes_ipv6_when_ipv4_is_silent), TEST(refused_by_both_kinds), TEST(unknown_name), TEST(silent_name_server),
    TEST(late_answer_hits_nothing), TEST(late_answer_serves_the_next_open), TEST(two_streams_wait_for_one_name), TEST(not_open),
    TEST(bytes_both_ways), TEST(unread_bytes_close_the_window), TEST(a_server_that_does_not_read),
    TEST(bytes_behind_a_repeat), TEST(push), TEST(reset_by_the_peer),
    TEST(half_closed_by_the_peer), TEST(goodbye), TEST(closed_pcbs_have_the_lowest_priority), TEST(a_dead_peer_costs_no_memory),
    TEST(a_closed_connection_lingers_20_seconds),
    TEST(close_in_each_state), TEST(death_at_each_byte_down), TEST(death_at_each_byte_up), TEST(each_allocation_fails), TEST(no_pcb),
    TEST(no_memory_to_write), TEST(keepalive_finds_a_dead_peer)
};

unsigned port_tests(const char *name)
{
    unsigned i, failures = 0;
    for (i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        if (name != NULL && strcmp(name, tests[i].name) != 0) {
            continue;
        }
        failed = NULL;
        tests[i].run();
        if (failed == NULL) {
            printf("ok    port: %s\n", tests[i].name);
        } else {
            printf("FAIL  port: %s\n      %s (port_test.c:%d)\n", tests[i].name, failed, failed_line);
            ++failures;
        }
        fflush(stdout);
    }
    return failures;
}
