/* The simulation: one device's whole life in virtual time, with every fault, replayed exactly from a seed.

   A life holds a client (device.c), the stream under it (stream.c), a hub (hub.c) and an injector (faults.c); life.c moves
   the time from event to event. Nothing in here reads a real clock, a real random source or an address, so that a life
   gives the same trace on every machine. Times are milliseconds of virtual time, 64 bits; the client sees 32 of them. */
#ifndef SIM_H
#define SIM_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SECONDS(n) ((uint64_t)(n) * 1000u)
#define NEVER UINT64_MAX
#define WALL_START 1893452400u                   /* 2030-01-01, when a life begins */

typedef struct sim_life sim_life;

/* ---- randomness (tools.c) ---- */

typedef struct sim_random { uint64_t state; } sim_random;

void random_begin(sim_random *random, uint64_t seed, unsigned purpose);
uint32_t draw(sim_random *random);
uint32_t below(sim_random *random, uint32_t n);  /* 0 to n - 1 */
uint32_t between(sim_random *random, uint32_t low, uint32_t high); /* both included */
int chance(sim_random *random, unsigned percent);

/* ---- bytes in order (tools.c) ---- */

typedef struct sim_bytes { unsigned char *at; size_t start, end, capacity; } sim_bytes;

size_t bytes_size(const sim_bytes *bytes);
const unsigned char *bytes_front(const sim_bytes *bytes);
void bytes_put(sim_bytes *bytes, const void *data, size_t size);
void bytes_drop(sim_bytes *bytes, size_t size);
void bytes_clear(sim_bytes *bytes);
void bytes_free(sim_bytes *bytes);

/* ---- trace (tools.c): each event is hashed, and printed on demand ---- */

#define SIM_EVENTS(X) \
    X(OPENS,       "client   opens the stream") \
    X(OPEN,        "stream   open, connection %u") \
    X(OPEN_FAILS,  "stream   could not be opened") \
    X(CLOSES,      "client   closes connection %u; it had written %u bytes") \
    X(READ,        "client   reads %u bytes") \
    X(READ_DEAD,   "client   reads: dead") \
    X(WRITE,       "client   writes: %u offered, %u taken") \
    X(WRITE_DEAD,  "client   writes: dead") \
    X(PUSH,        "client   pushes: %u left") \
    X(GOT_CONNECT, "hub      got CONNECT on connection %u, token until %u, flags %u") \
    X(GOT_PUBLISH, "hub      got message %u, packet id %u, flags %u") \
    X(GOT_PING,    "hub      got PINGREQ on connection %u") \
    X(GOT_LEAVE,   "hub      got DISCONNECT on connection %u") \
    X(SENDS,       "hub      sends a packet: first byte %u, value %u") \
    X(HUB_CLOSES,  "hub      closes connection %u (reason %u)") \
    X(ACCEPTED,    "program  message %u accepted, %u bytes, QoS %u") \
    X(REFUSED,     "program  message %u refused, result %u, code %u") \
    X(CONFIRMED,   "program  message %u confirmed, result %u") \
    X(STATUS,      "program  status %u, reason %u") \
    X(CALL,        "program  call %u (%u)") \
    X(FAULT,       "FAULT    %s (kind %u, value %u), state %u") \
    X(FAULT_ENDS,  "FAULT    over: kind %u") \
    X(HEALED,      "FAULT    all over; state %u") \
    X(SIGNED,      "port     signed a token") \
    X(DESTROYED,   "program  destroyed the client")

typedef enum sim_event {
#define X(name, text) EVENT_##name,
    SIM_EVENTS(X)
#undef X
    EVENT_LAST
} sim_event;

void note(sim_life *life, sim_event event, unsigned a, unsigned b, unsigned c);

/* A promise is broken: prints it with the command that replays it, and leaves the life. */
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 3, 4)))
#endif
void fail(sim_life *life, unsigned invariant, const char *format, ...);

/* ---- one connection: two pipes (stream.c) ---- */

typedef struct sim_segment { uint64_t at; size_t size; } sim_segment;

typedef struct sim_pipe {
    sim_bytes data;
    sim_segment *segments;                       /* when which bytes arrive */
    size_t first, last, capacity;
    size_t arrived;                              /* bytes at the front that are there */
    size_t taken;                                /* bytes that the receiver took, in all */
    size_t put;                                  /* bytes that the sender gave, in all */
    uint64_t newest;                             /* arrival of the last segment */
    uint64_t sent;                               /* when the sender's wire is free again */
    int stalled;                                 /* nothing arrives for now */
    int lost;                                    /* a black hole: nothing arrives any more */
    int ended;                                   /* the sender closed: the end stands behind the last byte */
    size_t cut_at;                               /* with cutting: the connection breaks when so many bytes were given */
    int cutting;                                 /* 1: they arrive, then the end; 2: reset, they do not */
} sim_pipe;

/* What a reader of MQTT packets has so far; it takes whole packets only. */
typedef struct sim_reader { sim_bytes data; size_t seen; } sim_reader;

typedef struct sim_live { unsigned id, message; int acknowledged; size_t end; } sim_live;
typedef struct sim_reply { uint64_t at; unsigned char bytes[8]; unsigned size, repeat; int closes; unsigned message, id; } sim_reply;

typedef struct sim_connection {
    unsigned number;                             /* from 1; 0: this slot is free */
    int client_open;                             /* the client has not closed it */
    int hub_open;
    int reset;                                   /* the client's side is dead at once */
    int hurt;                                    /* a fault touched it: silence on it is not the client's */
    int starved;                                 /* the hub kept back an acknowledgement */
    int poisoned;                                /* the hub sent garbage: nothing on it means anything any more */
    size_t poison_end;
    sim_pipe up, down;
    /* the hub's view */
    sim_reader reader;
    int got_connect, accepted, refused, left;
    int alone;                                   /* CONNECT must go alone */
    unsigned keep_alive_s;
    uint64_t heard_at;
    uint64_t token_ends_at;
    size_t ping_answered;                        /* the last PINGRESP ends at this byte; 0: not answered */
    unsigned pings, alone_messages;
    size_t alone_bytes;
    uint64_t tap_ping_at, read_at;               /* the client offered its last PINGREQ; read its last byte */
    unsigned newest_message;
    sim_live live[512];
    unsigned live_count;
    sim_reply *replies;
    unsigned reply_count, reply_capacity;
} sim_connection;

#define CONNECTIONS 6

/* The stream as the client sees it: the filter over the current connection. */
typedef struct sim_stream {
    sim_connection *now;                         /* NULL while not open */
    int opening;
    uint64_t opens_at;
    int must_close;                              /* an open failed or the stream died: close comes before open */
    char host[64];
    const char *host_at;
    sim_bytes held;                              /* taken and not pushed */
    sim_bytes remainder;                         /* offered and not taken: it must come first */
    size_t taken, offered;                       /* bytes of this connection */
    sim_reader tap;                              /* reads what is offered */
    int pushed;                                  /* a push was tried since the last byte was taken */
    /* calls of this DoWork */
    unsigned reads, writes, pushes;
    size_t read_bytes;
    int fresh, blocked;
} sim_stream;

/* Manners of the stream; faults change them for a while. */
typedef struct sim_manners {
    unsigned latency_ms;
    unsigned open_ms;
    unsigned write_limit;                        /* bytes one write takes; 0: all */
    unsigned read_limit;
    unsigned record;                             /* the filter holds so many bytes; 0: it holds nothing */
    unsigned send_buffer;                        /* bytes on their way at most; 0: no limit */
    unsigned bytes_per_s;                        /* 0: no limit */
    unsigned refuse_percent;                     /* of writes, that answer 0 */
    int ragged;                                  /* sizes are drawn at each call */
    int half_duplex;                             /* no write while received bytes wait */
    int blocked;                                 /* writes answer 0 */
    int open_fails, open_hangs;
    int close_drops;                             /* what was not sent when the client closes is lost */
    int greedy_read, greedy_write;               /* answers more than was asked, once */
    int cut_kind, cut_up;                        /* the next connection breaks: 1 ends, 2 reset; counting bytes up or down */
    size_t cut_at;
} sim_manners;

struct IOTHUB_IO_TAG;
void stream_fill(sim_life *life, struct IOTHUB_IO_TAG *io);
void stream_begin(sim_life *life);
void stream_free(sim_life *life);
uint64_t stream_next(const sim_life *life);      /* when something arrives somewhere */
void stream_arrive(sim_life *life);              /* takes what has arrived */
int stream_ready(const sim_life *life);          /* what a select would wake for */
void stream_before_work(sim_life *life);
void stream_after_work(sim_life *life);
void connection_reset(sim_life *life, sim_connection *connection);
void connection_lose(sim_connection *connection);/* silence both ways, for ever */
void pipe_put(sim_life *life, sim_connection *connection, sim_pipe *pipe, const void *bytes, size_t size);
uint64_t pipe_next(const sim_pipe *pipe);
void pipe_free(sim_pipe *pipe);
sim_connection *connection_new(sim_life *life);

/* ---- the hub (hub.c) ---- */

typedef struct sim_registry { sim_life *life; sim_connection *holder; } sim_registry; /* one device id, one connection */

typedef struct sim_hub_manners {
    unsigned connack_ms, connack_code;           /* code 0 accepts */
    unsigned acknowledge_ms, acknowledge_spread_ms;
    unsigned ping_ms;
    unsigned drop_acknowledgements, repeat_acknowledgements; /* percent */
    int connack_never, connack_closes, ping_never, ping_twice, shuffles;
    int session_present;                         /* ... and a message of an old subscription behind CONNACK */
    int refuses_pipelined;
    int refuses_silently;                        /* closes instead of answering with a code */
    int refuses_by_reset;                        /* what comes with CONNECT makes its end reset, and the code is lost */
    unsigned keeps;                              /* never acknowledges this message; 0: none */
    unsigned poison;                             /* closes when this message comes; 0: none */
} sim_hub_manners;

void hub_take(sim_life *life, sim_connection *connection, const unsigned char *bytes, size_t size);
uint64_t hub_next(const sim_life *life, const sim_connection *connection);
void hub_work(sim_life *life, sim_connection *connection);
void hub_ended(sim_life *life, sim_connection *connection);     /* the device's end arrived */
void hub_close(sim_life *life, sim_connection *connection, unsigned reason);
void hub_send(sim_life *life, sim_connection *connection, const unsigned char *bytes, size_t size);
void hub_send_unasked(sim_life *life, sim_connection *connection, unsigned qos, unsigned body_size);
void hub_send_unknown_acknowledgement(sim_life *life, sim_connection *connection, unsigned id);
void hub_send_garbage(sim_life *life, sim_connection *connection, unsigned which);
#define GARBAGE_KINDS 12u

/* Reads whole packets; take is called for each with its first byte and body. */
typedef void (*sim_packet_function)(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body,
    size_t size, size_t end);
void reader_take(sim_reader *reader, sim_life *life, sim_connection *connection, const unsigned char *bytes, size_t size,
    sim_packet_function take);
void tap_packet(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size, size_t end);

/* ---- the device: client, program, ledger (device.c) ---- */

enum { CREDENTIAL_KEY, CREDENTIAL_TOKEN, CREDENTIAL_X509 };
enum { STEP_LAZY, STEP_REGULAR, STEP_IRREGULAR };

typedef struct sim_setup {
    unsigned credential;
    unsigned slots, outbox_bytes, inbox;
    unsigned keep_alive_s, lifetime_s, message_timeout_ms, qos, in_flight;
    int pipelined, clean_session, mixed_qos;
    unsigned policy, limit_s, retry_interval_s, retry_cap_s; /* 0: not set; policy: 1 + its number */
    unsigned poison_limit;
    unsigned step, step_ms;
    unsigned send_every_ms;                      /* the program sends about so often; 0: never */
    unsigned body_minimum, body_maximum;
    unsigned sends_again;                        /* percent of confirmations that send again */
    unsigned meddles;                            /* percent of callbacks that call something else */
    uint32_t tick_start;
    uint32_t wall_start;
} sim_setup;

typedef struct sim_message {
    unsigned number, body_size, qos, packet_id;
    unsigned accepted_connection;                /* connections opened when it was accepted */
    unsigned first_offered_connection;
    unsigned offered_connection;                 /* the last on which its bytes were offered */
    size_t offered_end;                          /* ... up to this byte */
    unsigned last_connection;                    /* of its last copy at the hub */
    unsigned acknowledged_connection;
    unsigned copies, losses;
    unsigned outcome;                            /* 0: none yet; else 1 + result */
    uint64_t accepted_at;
    sim_life *life;
} sim_message;

#define TOKENS 64u

typedef struct sim_device {
    unsigned char *memory;
    size_t memory_size, block_size;
    void *hub;
    struct IOTHUB_PLATFORM_TAG *platform;
    sim_message *messages;                       /* by number - 1; fixed size, they are contexts of callbacks */
    unsigned count, settled, refused_full, refused_size;
    unsigned settled_before;                     /* all messages below this index are settled */
    unsigned by_outcome[5];
    int in_work, in_destroy, destroyed, wants_destroy;
    int running;                                 /* as the program asked */
    uint64_t next_step, next_send, next_token, token_at;
    uint64_t last_step;
    uint64_t head_at;                            /* when the oldest message became the oldest */
    unsigned steps, steps_at_once, signatures;
    uint64_t hour;
    unsigned attempts_in_hour, pardoned_in_hour; /* connects; those that the program asked for */
    int sending;
    unsigned last_reason;
    char string[256];
    char tokens[TOKENS][100];                    /* a token is kept by the client: they stay where they are */
    unsigned token;                              /* the newest of them */
} sim_device;

#define MESSAGES_MAXIMUM 80000u

void device_begin(sim_life *life);
void device_step(sim_life *life);
void device_send(sim_life *life, unsigned body_size);
void device_destroy(sim_life *life);
void device_abandon(sim_life *life);
void device_free(sim_life *life);
void device_start(sim_life *life);
void device_stop(sim_life *life);
void device_set_keep_alive(sim_life *life, unsigned seconds);
void device_set_qos(sim_life *life, unsigned qos);
void device_renew_token(sim_life *life);
void device_set_policy(sim_life *life, unsigned policy, unsigned limit_s);
unsigned device_state(const sim_life *life);
unsigned device_buffer(const sim_life *life);    /* 0 empty, 1 part, 2 full */
unsigned device_retry_cap_s(const sim_life *life, int refused);
unsigned device_error(const sim_life *life, long *raw);
unsigned device_takeover_code(void);
unsigned device_poison_code(void);
void device_check_idle(sim_life *life);
void device_check_statistics(sim_life *life);
unsigned device_statistic(const sim_life *life, unsigned which);
enum { STATISTIC_ATTEMPTS, STATISTIC_CONNECTIONS, STATISTIC_PINGS, STATISTIC_UNHANDLED, STATISTIC_UNKNOWN, STATISTIC_RENEWALS };
size_t body_make(unsigned number, unsigned size, unsigned char *body); /* the same bytes for the same number and size */
void sim_digest(const unsigned char *data, size_t size, unsigned char digest[32]); /* stands for HMAC-SHA256 at both ends */

enum { STATE_STOPPED, STATE_GAVE_UP, STATE_WAITING, STATE_SIGNING, STATE_OPENING, STATE_CONNECTING, STATE_READY, STATE_DRAINING,
    STATE_COUNT };
extern const char *const state_names[STATE_COUNT];

/* ---- faults (faults.c) ---- */

#define SIM_FAULTS(X) \
    X(CUT,            "the connection ends",               CONNECTED) \
    X(RESET,          "the connection is reset",           CONNECTED) \
    X(BLACK_HOLE,     "nothing arrives any more",          CONNECTED) \
    X(STALL_DOWN,     "nothing arrives from the hub",      CONNECTED) \
    X(STALL_UP,       "nothing arrives at the hub",        CONNECTED) \
    X(WRITE_BLOCKS,   "writes answer 0",                   ANY) \
    X(SHORT_WRITES,   "writes are short",                  ANY) \
    X(SHORT_READS,    "reads are short",                   ANY) \
    X(RAGGED,         "every call has another size",       ANY) \
    X(FILTER,         "a filter holds bytes",              ANY) \
    X(HALF_DUPLEX,    "no write while bytes wait",         ANY) \
    X(SLOW,           "a slow link",                       ANY) \
    X(OPEN_FAILS,     "open fails",                        ANY) \
    X(OPEN_HANGS,     "open hangs",                        ANY) \
    X(GREEDY_READ,    "read answers too much",             CONNECTED) \
    X(GREEDY_WRITE,   "write answers too much",            CONNECTED) \
    X(REFUSED,        "CONNACK refuses",                   ANY) \
    X(CONNACK_LATE,   "CONNACK is late",                   ANY) \
    X(CONNACK_NEVER,  "CONNACK never comes",               ANY) \
    X(CONNACK_CLOSES, "closed right after CONNACK",        ANY) \
    X(ACK_LATE,       "PUBACK is late",                    ANY) \
    X(ACK_LOST,       "PUBACKs are lost",                  ANY) \
    X(ACK_TWICE,      "PUBACKs come twice",                ANY) \
    X(ACK_SHUFFLED,   "PUBACKs come in any order",         ANY) \
    X(ACK_UNKNOWN,    "PUBACK for nothing",                CONNECTED) \
    X(ACK_STALE,      "PUBACK of an earlier connection",   CONNECTED) \
    X(ACK_FLOOD,      "a flood of PUBACKs for nothing",    CONNECTED) \
    X(UNASKED,        "a message that nobody asked for",   CONNECTED) \
    X(GARBAGE,        "illegal bytes",                     CONNECTED) \
    X(PING_NEVER,     "no PINGRESP",                       ANY) \
    X(PING_LATE,      "PINGRESP is late",                  ANY) \
    X(PING_TWICE,     "PINGRESP comes twice",              ANY) \
    X(HUB_CLOSES,     "the hub closes",                    CONNECTED) \
    X(STALE_SESSION,  "session present, old messages",     ANY) \
    X(NO_PIPELINE,    "the hub wants CONNECT alone",       ANY) \
    X(POISON,         "the hub closes on one message",     ANY) \
    X(CLOCK_UNKNOWN,  "wall clock unknown",                ANY) \
    X(CLOCK_JUMPS,    "wall clock jumps",                  ANY) \
    X(TICK_LEAPS,     "the tick leaps",                    ANY) \
    X(TICK_STOPS,     "the tick stands still",             ANY) \
    X(NO_ENTROPY,     "no entropy",                        ANY) \
    X(HMAC_PENDING,   "HMAC takes calls",                  ANY) \
    X(HMAC_FAILS,     "HMAC fails",                        ANY) \
    X(ASLEEP,         "no DoWork for a while",             ANY) \
    X(STOP,           "the program stops the client",      ANY) \
    X(START,          "the program starts the client",     ANY) \
    X(OPTION,         "the program changes an option",     ANY) \
    X(BURST,          "the program sends all it can",      ANY) \
    X(GIVES_UP,       "a policy that gives up",            ANY)

typedef enum sim_fault {
#define X(name, text, states) FAULT_##name,
    SIM_FAULTS(X)
#undef X
    FAULT_COUNT
} sim_fault;

typedef struct sim_faults {
    uint64_t next;                               /* when the next one strikes */
    uint64_t ends[FAULT_COUNT];                  /* when a lasting one is over; NEVER: not on */
    uint64_t soonest;                            /* of all these */
    unsigned mean_ms;                            /* between two */
    int comparable;                              /* only those that act by time, not by call */
    int aims;                                    /* until it struck: one fault for one state and one filling of the outbox */
    unsigned aim_state, aim_buffer;
    sim_fault aim;
} sim_faults;

void faults_begin(sim_life *life);
void faults_work(sim_life *life);
void fault_strike(sim_life *life, sim_fault fault);
void faults_plan(sim_life *life);                /* after next or ends were set by hand */
void faults_end(sim_life *life);                 /* all that last; no random ones any more */
void faults_aim(sim_life *life);                 /* strikes when the device is where the aim is */
unsigned faults_cells(void);                     /* state x fault x buffer, as far as reachable */
void faults_cell(unsigned cell, unsigned *state, sim_fault *fault, unsigned *buffer);
unsigned faults_table(void);                     /* prints how often each cell was hit; answers how many were not */

/* ---- a life (life.c) ---- */

struct sim_life {
    uint64_t seed;
    uint64_t now;
    uint64_t hash;                               /* of the trace */
    uint64_t outcome;                            /* of what the hub got and the program heard, with the times */
    int trace;                                   /* print */
    int faulty;                                  /* before the last fault is over */
    uint64_t healed_at, ready_by;
    const char *name;                            /* of a case; NULL: a random life */
    sim_random random;                           /* setup and program */
    sim_random stream_random, hub_random, fault_random;
    sim_setup setup;
    sim_stream stream;
    sim_manners manners, calm_manners;
    sim_hub_manners hub, calm_hub;
    sim_registry own_registry, *registry;
    sim_connection connections[CONNECTIONS];
    unsigned connection_count;                   /* opened so far */
    sim_device device;
    sim_faults faults;
    /* platform */
    uint64_t tick_offset;
    uint64_t tick_stopped_at;                    /* NEVER: it runs */
    int64_t wall_offset;
    int wall_unknown, no_entropy, hmac_fails;
    unsigned hmac_pending, hmac_waits, token_pardons;
    int tick_hurt;                               /* the tick is not regular: no judgement on exact times */
    int tick_was_hurt;
    uint64_t asleep_until;
    /* failures as the stream saw them */
    uint64_t failed_at;
    int failed_reached;
    unsigned newest_first;                       /* the newest message of which a first copy came */
    int start_alone;                             /* the last connection ended without CONNACK: CONNECT must go alone */
    unsigned failures_after_healing;
    /* two ways to run: with further DoWork calls at odd times (invariant 8) */
    int extra_steps;
    sim_random extra_random;
    uint64_t next_extra;
    jmp_buf failed;
    size_t stack;                                /* the deepest that a call of the client's went */
    const char *frame;
};

extern const char *sim_program;
extern uint32_t sim_tick_start;                  /* with sim_tick_fixed, for all lives */
extern int sim_tick_fixed;

void setup_plain(sim_setup *setup);              /* a quiet device that sends a message every ten seconds */
void setup_draw(sim_life *life);
void life_begin(sim_life *life, uint64_t seed);  /* clean slate: plain setup, good manners, no faults */
void life_open(sim_life *life);                  /* creates the client */
uint64_t life_next(const sim_life *life);
void life_step(sim_life *life);                  /* up to and with the next event */
void life_run(sim_life *life, uint64_t for_ms);
void life_heal(sim_life *life);                  /* the last fault is over: sets ready_by */
void life_finish(sim_life *life);                /* waits for recovery and idleness, checks, destroys */
void life_free(sim_life *life);
int life_random(sim_life *life, uint64_t seed);  /* a whole random life: 1 kept every promise */
int life_pair(sim_life *a, sim_life *b, uint64_t seed); /* two lives side by side trace as alone */

/* ---- the named faults (cases.c) ---- */

unsigned cases_run(sim_life *life, const char *name, unsigned *passed); /* all, or one; answers how many failed */

#endif
