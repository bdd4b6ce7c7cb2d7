/* The simulation's model hub behind lines, so that model_replay.js can play to it what Microsoft's client sent. Not one rule of
   the hub is changed: this stands where the simulation's device stands (device.c, stream.c), and gives the hub the ledger of a
   program that sent just what the recording has. Linked with all of tests/sim but main.c; two functions are wrapped (ld --wrap):
   body_make, so that bodies are the recorded ones, and fail, so that a complaint is an answer and not the end of a life.

   A command per line, numbers in decimal, bytes in hex ("-": none). The answer, one line: "ok" or "complaint TEXT", and what
   arrived at the client since the last one, " C:HEX" for connection C.

       begin MODULE X509 SECONDS    a new hub, at that wall time; one identity: d1 or d1/m1
       set NAME VALUE               connack_code, twin_status, retry_after_s: what the hub answers
       message N QOS HEX            the program sends message N (1000 and above) with this body
       report SIZE                  the program reports a state of that size; "ok TEXT"
       answer RID STATUS HEX        the program answers a method
       in C HEX                     bytes from the client on connection C, which is opened if need be
       leave C                      the client closes connection C
       c2d BAG HEX   desired PAD   method HEX   kick      what the service does
       digest HEX                   what stands for HMAC-SHA256; "ok HEX" */
#include "sim.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE 400000u
#define FIRST_MESSAGE 1000u                      /* so that no letter has its number */
#define ANSWERS 500000u                          /* hub_methods.c asks for the body of an answer so */
#define TEXTS 4000u
#define LATENCY_MS 10u
#define SETTLED_MS 100u                          /* by then the hub has answered */

typedef struct text { unsigned char *at; size_t size; } text;

static sim_life life;
static sim_connection *links[CONNECTIONS];
static text letters[TEXTS], messages[TEXTS], methods[TEXTS], answers[TEXTS];
static int invoking;
static char complaint[500];

/* ---- what is wrapped ---- */

size_t __wrap_body_make(unsigned number, unsigned size, unsigned char *body);
void __wrap_fail(sim_life *where, unsigned invariant, const char *format, ...) __attribute__((noreturn));

static text *text_of(unsigned number)
{
    if (number > ANSWERS) return &answers[(number - ANSWERS) % TEXTS];
    if (invoking) return &methods[number % TEXTS];
    if (number >= FIRST_MESSAGE) return &messages[(number - FIRST_MESSAGE) % TEXTS];
    return &letters[number % TEXTS];
}

size_t __wrap_body_make(unsigned number, unsigned size, unsigned char *body)
{
    const text *t = text_of(number);
    (void)size;
    if (t->size != 0) {
        memcpy(body, t->at, t->size);
    }
    return t->size;
}

void __wrap_fail(sim_life *where, unsigned invariant, const char *format, ...)
{
    va_list arguments;
    size_t at = (size_t)sprintf(complaint, "invariant %u: ", invariant);
    va_start(arguments, format);
    vsnprintf(complaint + at, sizeof complaint - at, format, arguments);
    va_end(arguments);
    longjmp(where->failed, 1);
}

/* ---- lines ---- */

static char *next_word(char **line)
{
    char *word = *line, *end = word + strcspn(word, " \n");
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

static unsigned next_number(char **line)
{
    return (unsigned)strtoul(next_word(line), NULL, 10);
}

static unsigned nibble(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static text next_bytes(char **line)
{
    const char *word = next_word(line);
    text t = { NULL, strcmp(word, "-") == 0 ? 0 : strlen(word) / 2u };
    size_t i;
    t.at = (unsigned char *)malloc(t.size + 1u);
    for (i = 0; i < t.size; ++i) {
        t.at[i] = (unsigned char)(nibble(word[2 * i]) << 4 | nibble(word[2 * i + 1]));
    }
    return t;
}

static void print_bytes(const unsigned char *at, size_t size)
{
    size_t i;
    for (i = 0; i < size; ++i) {
        printf("%02x", at[i]);
    }
}

static void keep(text *place, text t)
{
    free(place->at);
    *place = t;
}

/* ---- the client's end of the stream ---- */

static sim_connection *connection_of(unsigned number)
{
    sim_connection **c = &links[number % CONNECTIONS];
    if (*c == NULL) {
        *c = life.stream.now = connection_new(&life);
        bytes_clear(&life.stream.tap.data);
        life.stream.tap.seen = 0;
    }
    return *c;
}

/* Microsoft's client accepts each message as it arrives, and hands each method over. */
static void hand_over(const sim_connection *c)
{
    sim_cloud *cloud = life.cloud;
    unsigned i;
    for (i = 0; i < cloud->deliveries.count; ++i) {
        sim_delivery *d = AT(cloud->deliveries, sim_delivery, i);
        if (d->connection == c->number && !d->handed && d->end <= c->down.taken) {
            d->handed = 1;
            d->decided = DECIDED_ACCEPTED;
            d->handed_at = d->decided_at = life.now;
        }
    }
    for (i = 0; i < cloud->methods.count; ++i) {
        AT(cloud->methods, sim_method, i)->handed = 1;
    }
}

/* Reads what arrived, and prints it. */
static void read_all(unsigned number)
{
    sim_connection *c = links[number];
    size_t size = c == NULL ? 0 : c->down.arrived;
    if (size == 0) {
        return;
    }
    printf(" %u:", number);
    print_bytes(bytes_front(&c->down.data), size);
    bytes_drop(&c->down.data, size);
    c->down.arrived = 0;
    c->down.taken += size;
    hand_over(c);
}

/* Lets the hub do what it has to do at this time; answers when it has more. */
static uint64_t hub_step(void)
{
    uint64_t next;
    unsigned i;
    stream_arrive(&life);
    for (i = 0; i < CONNECTIONS; ++i) {
        if (life.connections[i].hub_open) {
            hub_work(&life, &life.connections[i]);
        }
    }
    next = stream_next(&life);
    for (i = 0; i < CONNECTIONS; ++i) {
        uint64_t at = life.connections[i].hub_open ? hub_next(&life, &life.connections[i]) : NEVER;
        next = at < next ? at : next;
    }
    return next;
}

static void settle(void)
{
    uint64_t end = life.now + SETTLED_MS, next;
    while ((next = hub_step()) <= end) {
        life.now = next > life.now ? next : life.now + 1u;
    }
    life.now = end;
}

static void leave(unsigned number)
{
    sim_connection *c = links[number % CONNECTIONS];
    if (c == NULL) {
        return;
    }
    twin_left(&life, c);
    c->client_open = 0;
    c->up.ended = 1;
    c->up.newest = life.now + LATENCY_MS;
    settle();
    links[number % CONNECTIONS] = NULL;
}

/* ---- the ledger of the program ---- */

static void do_message(char *line)
{
    unsigned number = next_number(&line);
    sim_message *m = &life.device.messages[number - 1u];
    memset(m, 0, sizeof *m);
    m->number = life.device.count = number;
    m->qos = next_number(&line);
    keep(&messages[(number - FIRST_MESSAGE) % TEXTS], next_bytes(&line));
    m->body_size = (unsigned)messages[(number - FIRST_MESSAGE) % TEXTS].size;
    m->accepted_connection = life.connection_count;
    m->life = &life;
}

static void do_report(char *line)
{
    static char state[40000];
    sim_report *r = (sim_report *)calloc(1, sizeof *r);
    size_t size;
    *(sim_report **)list_add(&life.device.programme.reports, sizeof r) = r;
    r->life = &life;
    r->number = life.device.programme.reports.count;
    r->size = next_number(&line);
    size = report_make(r, state);
    printf("ok %.*s\n", (int)size, state);
}

static void do_answer(char *line)
{
    const char *rid = next_word(&line);
    unsigned i;
    for (i = 0; i < life.cloud->methods.count; ++i) {
        sim_method *m = AT(life.cloud->methods, sim_method, i);
        if (strcmp(m->rid, rid) == 0) {
            m->answered = 1;
            m->status = next_number(&line);
            keep(&answers[m->number % TEXTS], next_bytes(&line));
            m->answer_size = (unsigned)answers[m->number % TEXTS].size;
            return;
        }
    }
}

/* ---- the service ---- */

static void do_c2d(char *line)
{
    unsigned bag = next_number(&line), number = life.cloud->letters.count + 1u;
    keep(&letters[number % TEXTS], next_bytes(&line));
    messages_post(&life, (unsigned)letters[number % TEXTS].size, bag);
}

static void somebody_must_be_there(void)
{
    if (life.registry->holder == NULL) fail(&life, 10, "the service asks for a device that is not connected");
}

static void do_method(char *line)
{
    unsigned number = life.cloud->methods.count + 1u;
    keep(&methods[number % TEXTS], next_bytes(&line));
    somebody_must_be_there();
    invoking = 1;
    methods_invoke(&life, life.registry->holder, (unsigned)methods[number % TEXTS].size);
    invoking = 0;
}

static void do_kick(void)
{
    somebody_must_be_there();
    hub_close(&life, life.registry->holder, 99);
}

static void do_set(char *line)
{
    const char *name = next_word(&line);
    unsigned value = next_number(&line);
    if (strcmp(name, "connack_code") == 0) life.hub.connack_code = value;
    if (strcmp(name, "twin_status") == 0) life.hub.twin_status = value;
    if (strcmp(name, "retry_after_s") == 0) life.hub.retry_after_s = value;
}

/* ---- the commands ---- */

/* Whatever a client may ask for, the program of this one wants. */
static void do_begin(char *line)
{
    life_begin(&life, 1);
    memset(links, 0, sizeof links);
    life.manners.latency_ms = LATENCY_MS;
    life.setup.module = (int)next_number(&line);
    life.setup.credential = next_number(&line) ? CREDENTIAL_X509 : CREDENTIAL_KEY;
    life.setup.wall_start = next_number(&line);
    life.setup.pipelined = 0;
    life.device.programme.filters = life.device.programme.filters_cleared = FILTER_ALL;
    if (life.device.messages == NULL) {
        life.device.messages = (sim_message *)calloc(MESSAGES_MAXIMUM, sizeof *life.device.messages);
    }
}

static void do_in(char *line)
{
    static text sent;                            /* a complaint leaves from within */
    sim_connection *c = connection_of(next_number(&line));
    keep(&sent, next_bytes(&line));
    reader_take(&life.stream.tap, &life, c, sent.at, sent.size, tap_packet);
    pipe_put(&life, c, &c->up, sent.at, sent.size);
}

static void do_digest(char *line)
{
    text t = next_bytes(&line);
    unsigned char digest[32];
    sim_digest(t.at, t.size, digest);
    free(t.at);
    printf("ok ");
    print_bytes(digest, sizeof digest);
    putchar('\n');
}

/* Answers 0 when the command has printed its own answer, 2 when there is no such command. */
static int run(const char *verb, char *line)
{
    if (strcmp(verb, "digest") == 0) { do_digest(line); return 0; }
    if (strcmp(verb, "report") == 0) { do_report(line); return 0; }
    if (strcmp(verb, "begin") == 0) do_begin(line);
    else if (strcmp(verb, "set") == 0) do_set(line);
    else if (strcmp(verb, "message") == 0) do_message(line);
    else if (strcmp(verb, "answer") == 0) do_answer(line);
    else if (strcmp(verb, "in") == 0) do_in(line);
    else if (strcmp(verb, "leave") == 0) leave(next_number(&line));
    else if (strcmp(verb, "c2d") == 0) do_c2d(line);
    else if (strcmp(verb, "desired") == 0) twin_edit(&life, next_number(&line));
    else if (strcmp(verb, "method") == 0) do_method(line);
    else if (strcmp(verb, "kick") == 0) do_kick();
    else return 2;
    settle();
    return 1;
}

static void answer(char *line)
{
    const char *verb = next_word(&line);
    unsigned i;
    if (setjmp(life.failed) != 0) {
        printf("complaint %s\n", complaint);
        return;
    }
    switch (run(verb, line)) {
    case 0:
        return;
    case 2:
        printf("complaint: no command %s\n", verb);
        return;
    default:
        printf("ok");
        for (i = 0; i < CONNECTIONS; ++i) {
            read_all(i);
        }
        putchar('\n');
    }
}

int main(void)
{
    static char line[LINE];
    while (fgets(line, sizeof line, stdin) != NULL) {
        answer(line);
        fflush(stdout);
    }
    life_free(&life);
    return 0;
}
