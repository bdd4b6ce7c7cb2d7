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
    X(GOT_FILTERS, "hub      got SUBSCRIBE %u, filters %x, refused %x") \
    X(GOT_UNSUB,   "hub      got UNSUBSCRIBE %u, filters %x") \
    X(GOT_PUBACK,  "hub      got PUBACK %u for letter %u (0 taken, 1 ignored, 2 late: %u)") \
    X(GOT_TWIN,    "hub      got twin request %u, report %u (0: GET), $rid %u") \
    X(GOT_RESULT,  "hub      got the answer to method %u, status %u") \
    X(DELIVERS,    "hub      delivers letter %u as delivery %u, packet id %u") \
    X(ANSWERS,     "hub      answers twin request %u: status %u, edit %u") \
    X(EDITS,       "service  edits the twin: edit %u, version %u, %u bytes of padding") \
    X(INVOKES,     "service  invokes method %u, %u bytes") \
    X(POSTS,       "service  posts letter %u, %u bytes, bag %u") \
    X(SENDS,       "hub      sends a packet: first byte %u, value %u") \
    X(HUB_CLOSES,  "hub      closes connection %u (reason %u)") \
    X(ACCEPTED,    "program  message %u accepted, %u bytes, QoS %u") \
    X(REFUSED,     "program  message %u refused, result %u, code %u") \
    X(CONFIRMED,   "program  message %u confirmed, result %u") \
    X(STATUS,      "program  status %u, reason %u") \
    X(HANDED,      "program  gets letter %u, delivery %u, answers %u") \
    X(SETTLES,     "program  settles delivery %u with %u: result %u") \
    X(VIEW,        "program  gets the twin (0 whole, 1 patch: %u), edit %u, version %u") \
    X(GET_ENDS,    "program  GetTwinAsync %u ends (1 with a document: %u)") \
    X(REPORTS,     "program  reports state %u, result %u") \
    X(REPORTED,    "program  report %u: status %u") \
    X(ASKED,       "program  gets method %u, answers %u (0: later)") \
    X(RESPONDS,    "program  answers method %u with %u: result %u") \
    X(PIECE,       "program  gets a piece: kind %u, %u bytes, state %u") \
    X(WANTS,       "program  wants %x, result %u") \
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

/* What a device subscribes: the bits are those of SUBSCRIPTION_REFUSED's raw. */
enum { FILTER_MESSAGES = 1, FILTER_ANSWERS = 2, FILTER_PATCHES = 4, FILTER_METHODS = 8, FILTER_ALL = 15, FILTER_KINDS = 4 };

typedef struct sim_live { unsigned id, message; int acknowledged; size_t end; } sim_live;
/* what: 0 bytes alone; else of which room, and number says of what. */
enum { REPLY_BYTES, REPLY_CONNACK, REPLY_PING, REPLY_PUBACK, REPLY_SUBACK, REPLY_TWIN };
typedef struct sim_reply { uint64_t at; unsigned char bytes[12]; unsigned size, repeat, what; int closes; unsigned message, id; } sim_reply;

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
    unsigned pings, tap_pings, alone_messages;   /* that came; that were offered */
    size_t alone_bytes;
    uint64_t tap_ping_at, read_at;               /* the client offered its last PINGREQ; read its last byte */
    unsigned newest_message;
    sim_live live[512];
    unsigned live_count;
    sim_reply *replies;
    unsigned reply_count, reply_capacity;
    /* the features */
    unsigned filters_asked, filters_granted;     /* FILTER_ bits: SUBSCRIBE came; SUBACK granted it */
    size_t twin_end;                             /* the SUBACK of twin answers ends at this byte; 0: not sent */
    uint64_t refused_at[FILTER_KINDS];           /* a SUBACK refused it then; 0: not */
    unsigned first_delivery;                     /* serial of the first on this connection; 0: none */
    unsigned next_id;                            /* of the hub's messages */
    unsigned scan;                               /* all deliveries before this serial are acknowledged */
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
    /* subscriptions and session */
    unsigned suback_ms, suback_refuses;          /* FILTER_ bits that get 0x80 */
    int suback_never, session_lost, early;       /* early: delivers what is subscribed before it sends SUBACK */
    /* messages */
    unsigned window, order, ids;                 /* ORDER_ and IDS_ below */
    /* twin */
    unsigned twin_ms, twin_spread_ms, twin_status, retry_after_s; /* status 0: as it should be */
    unsigned twin_drops, twin_repeats, twin_strange, patch_drops; /* percent */
    int applies_and_drops, snapshot_early;       /* a PATCH that is applied, its answer lost; a document as of the request */
} sim_hub_manners;

enum { ORDER_ANY, ORDER_IGNORES, ORDER_CLOSES }; /* what an out-of-order PUBACK does [MQTT-4.6.0-2] */
enum { IDS_GO_ON, IDS_RESTART, IDS_KEPT };       /* packet ids of a new connection; KEPT: a repeat has its old one */

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

/* ---- what is behind the hub: session, messages, twin, methods of one device ---- */

typedef struct sim_letter {                      /* a cloud-to-device message, or one for a module's input */
    unsigned size, bag;
    uint64_t ready_at;                           /* queued from then on */
    uint64_t lock_ends;
    unsigned delivery;                           /* the newest one; 0: never delivered */
    unsigned id;
    int flying;                                  /* delivered and locked */
    int may_fail;                                /* it may find no room in the inbox */
    int settled;
} sim_letter;

enum { DECIDED_NOT, DECIDED_ACCEPTED, DECIDED_OTHERWISE };

typedef struct sim_delivery {
    unsigned letter, connection, id;
    int handed, decided, offered, acknowledged, lapsed;
    size_t end;                                  /* its last byte on the connection */
    uint64_t handed_at, decided_at;
} sim_delivery;

typedef struct sim_edit {                        /* the desired properties after one change */
    unsigned values[8];                          /* 0: absent */
    unsigned key, version, pad, shape;
} sim_edit;

typedef struct sim_request {                     /* of the device's, to the twin */
    char rid[64];
    unsigned connection, report;                 /* report 0: GET */
    unsigned edit, reported, reported_version;   /* as of its arrival */
    unsigned status;                             /* that it gets */
    size_t end;                                  /* its first answer ends at this byte; 0: none yet */
    uint64_t at;
} sim_request;

typedef struct sim_report {                      /* SendReportedState */
    sim_life *life;
    unsigned number, size;
    unsigned applied, status;                    /* times at the hub; of its last answer */
    unsigned told;                               /* 1 + status; 0: not yet */
    int came;                                    /* the hub got it, at least once */
    uint64_t offered_at;
    unsigned offered_connection;
} sim_report;

typedef struct sim_method {
    unsigned number, size, connection;
    char rid[40];
    uint64_t at, handed_at, answer_at;
    int handed, answered, came;                  /* the program has it; has answered; the answer came to the hub */
    int at_once;                                 /* by the callback that returns its answer */
    unsigned status, answer_size;
    void *handle;
} sim_method;

typedef struct sim_piece {                       /* a body that comes in pieces */
    int open;
    unsigned kind, total, delivery, method, connection;
    sim_bytes body;
} sim_piece;

typedef struct sim_list { void *at; unsigned count, capacity; size_t size; } sim_list;

void *list_add(sim_list *list, size_t size);     /* a zeroed element; others may move */

typedef struct sim_cloud {
    int session;                                 /* one is kept */
    unsigned filters;                            /* FILTER_ bits of it */
    sim_list letters, deliveries, edits, requests, methods; /* numbers are index + 1; edits: index */
    unsigned letters_before;                     /* all letters below this index are settled */
    unsigned next_id;
    unsigned reported, reported_version;         /* the newest report that was applied */
    unsigned newest_seen, seen_connection;       /* report that came on this connection */
    uint64_t quiet_until;                        /* twin requests are a violation before: retry-after */
    unsigned quiet_connection;                   /* where the client reads that; 0: it has */
    size_t quiet_end;
    uint64_t quiet_next;
    uint64_t next_event;                         /* of the service */
    int large_document;                          /* a document went out that may find no room */
} sim_cloud;

#define AT(list, type, i) (&((type *)(list).at)[i])

void cloud_begin(sim_life *life);
void cloud_free(sim_cloud *cloud);
void cloud_forget_session(sim_life *life);       /* subscriptions and packet ids; the queue stays */
void cloud_work(sim_life *life);                 /* what the back end does at random */
int hub_wants(const sim_life *life, const sim_connection *connection, unsigned filter); /* subscribed, and CONNACK sent */
void hub_send_large(sim_life *life, sim_connection *connection, unsigned first, const char *topic, unsigned id, const void *body, size_t size);
sim_reply *hub_reply_later(sim_life *life, sim_connection *connection, unsigned delay_ms);
int hub_takes_early(sim_life *life, sim_connection *connection, const char *what); /* it may come before CONNACK, and this hub stands it */
sim_live *make_live(sim_life *life, sim_connection *connection, unsigned id, unsigned message);
int is_prefix(const unsigned char *at, size_t size, const char *text);
void illegal(sim_life *life, const char *what);

void session_connect(sim_life *life, sim_connection *connection); /* CONNACK is sent */
void session_subscribe(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size);
void session_unsubscribe(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size);
void session_subacked(sim_life *life, sim_connection *connection, const sim_reply *reply);
void session_tap(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size);

unsigned messages_post(sim_life *life, unsigned size, unsigned bag);
int messages_may_fail(const sim_life *life, unsigned size, unsigned bag);
void messages_deliver(sim_life *life, sim_connection *connection);
uint64_t messages_next(const sim_life *life, const sim_connection *connection);
void messages_acknowledged(sim_life *life, sim_connection *connection, unsigned id);
void messages_tap(sim_life *life, sim_connection *connection, unsigned id);
void messages_left(sim_life *life, unsigned connection);        /* what flew on it is queued again */
void messages_expire(sim_life *life, int all);   /* those that may fail; or all */
unsigned messages_waiting(const sim_life *life);
const char *messages_topic(const sim_life *life, unsigned letter, unsigned serial);
#define BAGS 14u
#define BAG_FIELDS 6u
typedef struct sim_field { const char *name, *value; } sim_field; /* name "$mid" ...: a system property; value "\1": null */
const sim_field *bag_fields(unsigned bag);
#define STRANGE_BAG 2u                           /* those from here on */

unsigned twin_edit(sim_life *life, unsigned pad);
void twin_recreate(sim_life *life);
size_t twin_patch(const sim_life *life, unsigned edit, char *text);
size_t twin_document(const sim_life *life, unsigned edit, unsigned reported, unsigned reported_version, char *text);
size_t report_make(const sim_report *report, char *text);
void twin_request(sim_life *life, sim_connection *connection, const unsigned char *topic, size_t topic_size, const unsigned char *body, size_t size);
void twin_tap(sim_life *life, sim_connection *connection, const unsigned char *topic, size_t topic_size, const unsigned char *body, size_t size);
void twin_answer(sim_life *life, sim_connection *connection, unsigned request);
void twin_left(sim_life *life, const sim_connection *connection);
const sim_edit *twin_now(const sim_life *life);
#define TWIN_TEXT 36000u

unsigned methods_invoke(sim_life *life, sim_connection *connection, unsigned size);
void methods_answered(sim_life *life, sim_connection *connection, const unsigned char *topic, size_t topic_size, const unsigned char *body, size_t size);
size_t method_body(unsigned number, unsigned size, char *text);
size_t answer_body(const sim_method *method, char *text);
#define METHOD_TEXT 132000u

/* Reads whole packets; take is called for each with its first byte and body. */
typedef void (*sim_packet_function)(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body,
    size_t size, size_t end);
void reader_take(sim_reader *reader, sim_life *life, sim_connection *connection, const unsigned char *bytes, size_t size,
    sim_packet_function take);
void tap_packet(sim_life *life, sim_connection *connection, unsigned first, const unsigned char *body, size_t size, size_t end);

/* ---- the device: client, program, ledger (device.c) ---- */

enum { CREDENTIAL_KEY, CREDENTIAL_TOKEN, CREDENTIAL_X509 };
enum { STEP_LAZY, STEP_REGULAR, STEP_IRREGULAR };

enum { FEATURE_MESSAGES = 1, FEATURE_TWIN = 2, FEATURE_METHODS = 4, FEATURE_METHODS_EX = 8, FEATURE_PIECES = 16, FEATURE_REPORTS = 32,
    FEATURE_GETS = 64, FEATURE_ALL = 127 - 8 };

#define ROOMY 1500u                              /* an inbox in which a small document surely fits, whatever is kept */

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
    /* features */
    unsigned features;                           /* FEATURE_ bits */
    unsigned late;                               /* of them, asked for later, by a chore */
    int module;
    unsigned service_every_ms;                   /* the service does something about so often; 0: never */
    unsigned chore_every_ms;                     /* the program does: reports, asks, settles, answers; 0: only what is due */
    unsigned holds, rejects;                     /* percent of messages that are answered ASYNC_ACK; REJECTED or ABANDONED */
    unsigned toggles;                            /* percent of chores that clear or set a callback */
    unsigned large;                              /* percent of what the service sends that is large */
    unsigned kept;                               /* percent of sends that are SendEventKeptAsync */
    unsigned drop_policy;                        /* IOTHUB_OUTBOX_... */
    unsigned oversize_limit;
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
    unsigned kept;                               /* 1 + the slot of its kept body; 0: copied */
    sim_life *life;
} sim_message;

/* What a program that uses the features remembers. */
#define HOLDS 24u
#define KEPT_BODIES 4u
#define KEPT_SIZE 300000u
#define GETS 512u

typedef struct sim_hold { void *message; unsigned delivery; int whole; uint64_t at; } sim_hold; /* whole: with its body; settled at */
typedef struct sim_get { sim_life *life; unsigned number; int ended; } sim_get; /* ended: 1 without a document, 2 with one */

typedef struct sim_programme {
    unsigned asked;                              /* FEATURE_ bits whose callbacks are set now */
    unsigned filters, filters_cleared;           /* FILTER_ bits that were ever asked for, and given up */
    sim_hold holds[HOLDS];
    unsigned hold_count;
    sim_list reports;                            /* of sim_report *: they are contexts of callbacks */
    unsigned reports_told;
    sim_get gets[GETS];
    unsigned get_count, gets_ended;
    unsigned methods_before;                     /* all methods below this index are done with */
    sim_piece piece;
    unsigned pieces_cleared;                     /* times that the callback was given up */
    int view;                                    /* a document was seen on connection view_connection, and no gap since */
    unsigned view_connection, view_edit, view_version;
    unsigned values[8];                          /* document and patches merged */
    unsigned documents, patches, letters, methods; /* handed over, pieces too */
    unsigned methods_cut;                        /* of these, in pieces that ended before the last */
    unsigned kept_free;                          /* bits of free kept bodies */
    unsigned char *kept_bodies;
    unsigned dropped;                            /* by the outbox policy */
    int in_send;
    unsigned sending;                            /* the message of that call */
    uint64_t next_chore;
} sim_programme;

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
    unsigned starts;                             /* times that it called Start */
    uint64_t next_step, next_send, next_token, token_at;
    uint64_t last_step, stepped_at;
    uint64_t head_at;                            /* when the oldest message became the oldest */
    unsigned steps;                              /* DoWork calls that read nothing */
    unsigned steps_at_once, signatures;
    uint64_t hour;
    unsigned attempts_in_hour, pardoned_in_hour; /* connects; those that the program asked for */
    int sending;
    unsigned last_reason;
    sim_programme programme;
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
void device_meddle(sim_life *life);              /* in a callback: by chance, any other call */
void device_renew_token(sim_life *life);
void device_set_policy(sim_life *life, unsigned policy, unsigned limit_s);
unsigned device_state(const sim_life *life);
unsigned device_buffer(const sim_life *life);    /* 0 empty, 1 part, 2 full */
unsigned device_retry_cap_s(const sim_life *life, int refused);
unsigned device_error(const sim_life *life, long *raw);
unsigned device_takeover_code(void);
unsigned device_poison_code(void);
unsigned device_refused_code(void);
void device_check_idle(sim_life *life);
void device_check_statistics(sim_life *life);
unsigned device_statistic(const sim_life *life, unsigned which);
enum { STATISTIC_ATTEMPTS, STATISTIC_CONNECTIONS, STATISTIC_PINGS, STATISTIC_UNHANDLED, STATISTIC_UNKNOWN, STATISTIC_RENEWALS,
    STATISTIC_RECEIVED, STATISTIC_SKIPPED, STATISTIC_DROPPED };
/* the program's features (program.c, program_messages.c, program_twin.c, program_methods.c) */
void program_begin(sim_life *life);              /* after creation: asks for what is not late */
void program_work(sim_life *life);
uint64_t program_next(const sim_life *life);
void program_free(sim_programme *programme, int all);
void program_ended(sim_life *life);              /* Destroy returned */
void program_ask(sim_life *life, unsigned feature);
void program_clear(sim_life *life, unsigned feature);
void program_all(sim_life *life);                /* asks for all that the setup has */
void program_meddles(sim_life *life);            /* something else, in a callback */
void program_settle(sim_life *life, unsigned hold, unsigned disposition, int twice);
void program_answer(sim_life *life, sim_method *method, int twice);
unsigned program_report(sim_life *life, unsigned size);          /* its number; 0: refused */
unsigned program_get(sim_life *life);
int program_view_is_true(const sim_life *life);  /* document and patches make what the hub has */
int program_no_room(const sim_life *life);
unsigned program_needs(unsigned features);       /* the FILTER_ bits of FEATURE_ bits */
unsigned program_filters(const sim_life *life);  /* that must be subscribed now */
void program_settles(sim_life *life);            /* all that waits for the program, soon */
void program_toggle(sim_life *life, sim_random *random);
void program_methods_hurry(sim_life *life);
struct IOTHUB_PIECE_TAG;
unsigned program_message_piece(sim_life *life, const struct IOTHUB_PIECE_TAG *piece);
void program_twin_piece(sim_life *life, const struct IOTHUB_PIECE_TAG *piece);
void program_method_piece(sim_life *life, const struct IOTHUB_PIECE_TAG *piece);
int program_message_ask(sim_life *life, int set);
int program_twin_ask(sim_life *life, int set);
int program_method_ask(sim_life *life, int set, int ex);
uint64_t program_methods_due(const sim_life *life);
uint64_t program_holds_due(const sim_life *life);
void program_methods_work(sim_life *life);
void program_holds_work(sim_life *life);
void program_check_acknowledgements(sim_life *life);

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
    X(GIVES_UP,       "a policy that gives up",            ANY) \
    X(SUB_REFUSED,    "SUBACK refuses",                    ANY) \
    X(SUB_NEVER,      "SUBACK never comes",                ANY) \
    X(SUB_LATE,       "SUBACK is late",                    ANY) \
    X(SESSION_LOST,   "the hub keeps no session",          ANY) \
    X(TWIN_REFUSES,   "the twin answers 429, 500 or 400",  ANY) \
    X(TWIN_LOST,      "twin answers are lost",             ANY) \
    X(TWIN_LATE,      "twin answers late, twice, strange", ANY) \
    X(PATCH_LOST,     "patches are lost",                  ANY) \
    X(EDITS,          "the twin is edited, many times",    ANY) \
    X(RECREATED,      "the device is created anew",        ANY) \
    X(LETTER_FLOOD,   "a flood of messages",               ANY) \
    X(METHOD_FLOOD,   "a flood of methods",                CONNECTED) \
    X(OVERSIZE,       "the service sends large things",    ANY) \
    X(STRANGE_BAG,    "messages with strange properties",  ANY) \
    X(TOGGLE,         "the program changes its callbacks", ANY)

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
    uint64_t led_at;                             /* a message was sent to get there */
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
    sim_random service_random, program_random;
    sim_random twin_random;                      /* its own: what comes at one time may come in any order */
    sim_setup setup;
    sim_stream stream;
    sim_manners manners, calm_manners;
    sim_hub_manners hub, calm_hub;
    sim_registry own_registry, *registry;
    sim_cloud own_cloud, *cloud;                 /* two lives with one identity share one */
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

/* ---- the named faults (cases.c, cases_features.c) ---- */

typedef struct sim_case { const char *name, *what; void (*run)(sim_life *life); } sim_case;
extern const sim_case feature_cases[];
extern const unsigned feature_case_count;

/* what scripts are made of */
void expect(sim_life *life, int condition, const char *rule);
unsigned connections(const sim_life *life);
unsigned attempts(const sim_life *life);
void open_quiet(sim_life *life);
void recover(sim_life *life);
void send(sim_life *life, unsigned count);
int all_ok(const sim_life *life);

unsigned cases_run(sim_life *life, const char *name, unsigned *passed); /* all, or one; answers how many failed */

#endif
