/* ---- transport: the client's struct, and what client and transports may ask of each other ------------------------- */
/* A transport is a table of verbs over the client. It says which bytes to write and is told which arrived; the stream, the
   state machine and all callbacks are the client's (client.h), reached through the services at the end of this room. */
#include "clock.h"
#include "error.h"
#include "identity.h"
#include "mailbox.h"
#include "message.h"
#include "methods.h"
#include "outbox.h"
#include "retry.h"
#include "twin.h"
#include "../transports/mqtt/session.h"
#include "../transports/mqtt/topic.h"
#include "../transports/websocket/websocket.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_TRANSPORT_H)
#define IOTHUBI_TRANSPORT_H

struct iothubi_client;
struct iothubi_mqtt_event_source_tag;

/* Deadlines beside the codes that transports use. */
enum {
    IOTHUBI_DUE_RETRY = 100, IOTHUBI_DUE_DRAINED, IOTHUBI_DUE_MESSAGE,
    IOTHUBI_DUE_SUBSCRIBE, IOTHUBI_DUE_PUBACK, IOTHUBI_DUE_DOCUMENT, IOTHUBI_DUE_REPORTED, IOTHUBI_DUE_TWIN, IOTHUBI_DUE_METHOD
};

IOTHUBI_CHECK(due_apart, IOTHUB_CODE_TWIN_REFUSED < 100);

typedef enum iothubi_state_tag {
    IOTHUBI_STOPPED,                             /* by the caller; also a new client before its first DoWork */
    IOTHUBI_GAVE_UP,                             /* the retry policy's rest */
    IOTHUBI_WAITING,                             /* for the next attempt */
    IOTHUBI_SIGNING,                             /* waiting for entropy, clock, token or HMAC */
    IOTHUBI_OPENING,                             /* the stream */
    IOTHUBI_CONNECTING,                          /* the transport's handshake */
    IOTHUBI_READY,
    IOTHUBI_DRAINING                             /* a planned end: acknowledgements may still land */
} iothubi_state;

/* The part of IOTHUB_STATISTICS that is counted, not derived. */
typedef struct iothubi_counters_tag {
    uint32_t accepted;
    uint32_t confirmed[4];                       /* by IOTHUB_CLIENT_CONFIRMATION_RESULT */
    uint32_t refused;
    uint32_t sent;
    uint32_t repeated;
    uint32_t acknowledgements_unknown;
    uint32_t received;
    uint32_t received_unhandled;
    uint32_t received_skipped;
    uint32_t dropped;
    uint32_t attempts;
    uint32_t connections;
    uint32_t renewals;
    uint32_t pings;
    uint32_t bytes_read;
    uint32_t bytes_written;
} iothubi_counters;

IOTHUBI_CHECK(counters, offsetof(IOTHUB_STATISTICS, messages_waiting) == sizeof(iothubi_counters));

/* What some options bring along. A program that does not call SetOption does not link it. */
typedef struct iothubi_extras_tag {
    /* message_timeout: a new message's deadline is noted; with NULL: the messages whose time is up are confirmed */
    void (*age)(struct iothubi_client *client, iothubi_record *record);
    /* poison_limit: a connection was lost while one message alone was in flight */
    void (*suspect)(struct iothubi_client *client);
    /* outbox_policy: the outbox is full; answers 1: room was made, try again; -1: the new message itself was dropped; 0: neither */
    int (*make_room)(struct iothubi_client *client, IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback, void *context);
    /* oversize_limit: a message found no room; true: it did so often enough to be acknowledged */
    int (*give_up)(struct iothubi_client *client);
    /* diag_sampling_percentage: marks a message, if it is its turn */
    void (*sample)(struct iothubi_client *client, struct iothubi_mqtt_event_source_tag *source);
    /* product_info, model_id */
    void (*write_user_name_end)(iothubi_writer *writer, const struct iothubi_client *client);
    /* will: its two fields in CONNECT */
    void (*write_will)(iothubi_writer *writer, const struct iothubi_client *client);
} iothubi_extras;

/* What the client wants to hear from the hub; a bit for each subscription. */
enum { IOTHUBI_WANT_MESSAGES = 1, IOTHUBI_WANT_ANSWERS = 2, IOTHUBI_WANT_PATCHES = 4, IOTHUBI_WANT_METHODS = 8, IOTHUBI_WANT_LAST = 8 };

typedef struct iothubi_subscriptions_tag {
    unsigned char wanted;                        /* outlives connections; the rest is this connection's */
    unsigned char asked;                         /* in the SUBSCRIBE that is being written or answered */
    unsigned char granted;
    unsigned char refused;                       /* not to be asked for until ... */
    unsigned char strange;                       /* they came without being wanted: an earlier session's */
    unsigned char leaving;                       /* in the UNSUBSCRIBE that is being written or answered */
    unsigned char left;                          /* it is written */
    unsigned char answered;                      /* of asked, the next one to be answered; 0: it is not written yet */
    uint32_t asked_tick;                         /* SUBSCRIBE was written */
    uint32_t refused_tick;                       /* ... a minute after this */
} iothubi_subscriptions;

/* What every feature does for the common part (mqtt/receive.h). A feature that is never asked for is not linked. */
typedef struct iothubi_feature_tag {
    /* the topic of something is complete, or its body: IOTHUBI_BODY_..., may it be taken? */
    int (*judge)(struct iothubi_client *client);
    /* it is there: whole, in pieces, or it was skipped */
    void (*deliver)(struct iothubi_client *client);
    /* a packet of its own that is to be written, or NOTHING; it is written; and the stream took it (of an answer: size bytes) */
    int (*pick)(struct iothubi_client *client);
    void (*put)(iothubi_writer *writer, const struct iothubi_client *client);
    void (*sent)(struct iothubi_client *client, int out, size_t size);
    void (*times)(const struct iothubi_client *client, iothubi_timer *timer);
    void (*expire)(struct iothubi_client *client, int what);
    void (*forget)(struct iothubi_client *client);
    /* the end of a record that is none of telemetry (NULL, in Destroy: of what else waits) */
    void (*finish)(struct iothubi_client *client, iothubi_record *record, int status);
} iothubi_feature;

#define IOTHUBI_STATUS_NO_ANSWER 408             /* of a twin request */

enum { IOTHUBI_FEATURE_MESSAGES, IOTHUBI_FEATURE_TWIN, IOTHUBI_FEATURE_METHODS, IOTHUBI_FEATURES };

#define IOTHUBI_WINDOW IOTHUB_INBOX_MINIMUM      /* bytes at the start of the inbox where bytes are read and control packets are made */

struct iothubi_receiver_tag;

struct iothubi_client {
    /* what the state machine knows; iothubi_enter alone assigns state. What is used most stands first: small machines
       reach it with their shortest instructions. */
    unsigned char state;
    unsigned char running;                       /* what the caller wants: Start and Stop */
    unsigned char broken;                        /* the connection failed; error says why */
    unsigned char busy;                          /* there is more to do at once */
    unsigned char heard;                         /* this DoWork's reads gave bytes */
    unsigned char unpushed;                      /* the stream holds bytes back */
    unsigned char blocked;                       /* the stream took nothing of what was offered */
    unsigned char reconnect;                     /* a planned reconnect is wanted */
    unsigned char renewing;                      /* renew_s and renew_time count */
    unsigned char expiring;                      /* some message has an age limit */
    unsigned char working;                       /* in DoWork or Destroy */
    unsigned char ending;                        /* Destroy was called */
    unsigned char trace;                         /* option */
    unsigned char keep_escapes;                  /* option: not auto_url_encode_decode */
    unsigned char sampling_percentage;           /* option */
    unsigned char poison_limit;                  /* option; 0: off */
    unsigned char cuts;                          /* accepted connections in a row that were lost within a minute */
    iothubi_mqtt_options mqtt_options;
    const IOTHUB_PLATFORM *platform;
    const IOTHUB_IO *io;                         /* the platform's, or a filter over it */
    const TRANSPORT_PROVIDER *transport;
    const struct iothubi_receiver_tag *receiver; /* NULL: nothing was ever asked for */
    iothubi_mailbox *mailbox;                    /* the state of features, carved off the inbox when they were first asked for */
    iothubi_twin *twin;
    iothubi_methods *methods;
    uint32_t now;                                /* tick of this DoWork */
    uint32_t rest_tick;                          /* nothing falls due before */
    uint32_t state_tick;                         /* when the state was entered */
    uint32_t uptime_s;
    uint32_t second_tick;                        /* when uptime_s was last counted up */
    uint32_t renew_s;                            /* uptime of the planned renewal */
    uint32_t renew_time;                         /* the same in wall-clock time */
    uint32_t token_expiry;                       /* of the token of this attempt; 0: not signed yet */
    uint32_t expiry_tick;                        /* the next message expires then, while expiring */
    uint32_t random;                             /* of xorshift; 0: not seeded yet */
    unsigned char *inbox;
    size_t inbox_size;
    iothubi_outbox outbox;
    iothubi_mqtt_session mqtt;
    iothubi_retry retry;
    IOTHUB_ERROR error;

    /* set at creation, and options */
    struct iothubi_client *next;                 /* in the list of live clients */
    iothubi_identity identity;
    const char *product_info;
    const char *model_id;
    const char *token;                           /* supplied by option: the next attempt takes it */
    IOTHUB_MESSAGE_HANDLE will;
    IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK status_callback;
    void *status_context;
    uint32_t token_lifetime_s;
    uint32_t message_timeout_ms;
    uint32_t open_timeout_s;
    uint32_t sampled;                            /* messages since the sampling percentage was set */
    const iothubi_extras *extras;                /* set by SetOption: the code of options that are off until then */
    void (*ask_credential)(struct iothubi_client *client); /* set by SetCredentialCallback: for an attempt after a refusal */
    IOTHUB_CLIENT_CREDENTIAL_CALLBACK credential_callback;
    void *credential_context;

    /* features: what is received */
    const iothubi_feature *feature[IOTHUBI_FEATURES];
    IOTHUBMESSAGE_DISPOSITION_RESULT (*piece)(struct iothubi_client *client, const unsigned char *bytes, size_t size,
        IOTHUB_PIECE_STATE state);               /* set by SetPieceCallback */
    IOTHUB_CLIENT_PIECE_CALLBACK piece_callback;
    void *piece_context;
    size_t signing_size;                         /* bytes at the start of the inbox that signing a token takes */
    iothubi_subscriptions subscriptions;
    iothubi_inbound inbound;
    unsigned char oversize_limit;                /* option; 0: off */
    unsigned char outbox_policy;                 /* option */
    unsigned char dropping;                      /* a drop is being told: what its callback sends drops nothing more */
    unsigned char refusals;                      /* of attempts, in a row; sticks at 255 */
    unsigned char credential_due;                /* the last attempt was refused, and the callback was not asked since */
    unsigned char kept_low;                      /* a message that is kept lies where a token is signed: the next connection waits for it */
#ifndef IOTHUB_NO_STATISTICS
    iothubi_counters counters;
#endif
};

/* A field that only options set. Without them it is what it was from the start: off. */
#ifndef IOTHUB_NO_OPTIONS
#define IOTHUBI_OPTION(client, field) ((client)->field)
#else
#define IOTHUBI_OPTION(client, field) 0
#endif

#ifndef IOTHUB_NO_STATISTICS
#define IOTHUBI_COUNT(client, counter, number) ((client)->counters.counter += (uint32_t)(number))
#else
#define IOTHUBI_COUNT(client, counter, number) ((void)(number))
#endif

IOTHUBI_CHECK(client_bound, sizeof(struct iothubi_client) <= IOTHUB_CLIENT_STRUCT_BOUND);

/* What a creator is told: the port, and a filter over the stream, if the transport wants one. */
struct TRANSPORT_PROVIDER_TAG {
    unsigned int port;
    /* bytes of the filter, which lies behind the client's struct; and it begins there; 0, NULL: none */
    size_t filter_size;
    const IOTHUB_IO *(*wrap)(struct iothubi_client *client);
};

/* All transports that there are speak MQTT: compilers see whom the client calls. */
#define IOTHUBI_VERBS (&iothubi_mqtt_verbs)

typedef struct iothubi_verbs_tag {
    /* a new client with its identity: NONE, or why this transport cannot carry its names */
    IOTHUB_CODE (*accept)(struct iothubi_client *client);
    /* encodes a message into the outbox; NONE with *record, or a code with *missing */
    IOTHUB_CODE (*add)(struct iothubi_client *client, IOTHUB_MESSAGE_HANDLE message, int kind, iothubi_record **record, size_t *missing);
    /* the stream is open */
    void (*start)(struct iothubi_client *client);
    /* bytes arrived; reports failures with iothubi_break */
    void (*input)(struct iothubi_client *client, const unsigned char *bytes, size_t size);
    /* the bytes to write next, 0: nothing now; and how many of them the stream took */
    size_t (*output)(struct iothubi_client *client, const unsigned char **bytes);
    void (*taken)(struct iothubi_client *client, size_t size);
    /* adds the connection's deadlines; and: this one is due */
    void (*timers)(const struct iothubi_client *client, iothubi_timer *timer);
    void (*due)(struct iothubi_client *client, int what);
    /* a planned end: no new messages; at_once: say goodbye even though acknowledgements are missing. True: all is said. */
    int (*leave)(struct iothubi_client *client, int at_once);
    /* the connection is gone: what was on its way is queued again */
    void (*lost)(struct iothubi_client *client);
} iothubi_verbs;

/* ---- services for transports ---- */

IOTHUBI_PRIVATE void iothubi_enter(struct iothubi_client *client, iothubi_state state)
{
    client->state = (unsigned char)state;
    client->state_tick = client->now;
}

/* The connection failed. The first reason stays; the client tears down when the transport has returned. */
IOTHUBI_PRIVATE void iothubi_break(struct iothubi_client *client, IOTHUB_LAYER layer, IOTHUB_CODE code, long raw)
{
    if (!client->broken) {
        client->broken = 1;
        iothubi_error_set(&client->error, layer, code, raw);
    }
}

IOTHUBI_PRIVATE void iothubi_tell_status(struct iothubi_client *client, IOTHUB_CLIENT_CONNECTION_STATUS status,
    IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason)
{
    IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK callback = client->status_callback;
    void *context = client->status_context;
    if (callback != NULL) {
        IOTHUB_UNLOCK();
        callback(status, reason, context);
        IOTHUB_LOCK();
    }
}

/* The hub accepted the connection. */
IOTHUBI_PRIVATE void iothubi_connected(struct iothubi_client *client)
{
    iothubi_enter(client, IOTHUBI_READY);
    client->refusals = 0;
    IOTHUBI_COUNT(client, connections, 1);
    iothubi_error_set(&client->error, IOTHUB_LAYER_NONE, IOTHUB_CODE_NONE, 0);
    iothubi_tell_status(client, IOTHUB_CLIENT_CONNECTION_AUTHENTICATED, IOTHUB_CLIENT_CONNECTION_OK);
}

/* A message's one confirmation. Its record is free before the callback runs, so that the callback may send again. */
IOTHUBI_PRIVATE void iothubi_confirm(struct iothubi_client *client, iothubi_record *record, IOTHUB_CLIENT_CONFIRMATION_RESULT result)
{
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback = (IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK)record->callback;
    void *context = record->context;
    iothubi_outbox_done(&client->outbox, record);
    IOTHUBI_COUNT(client, confirmed[result], 1);
    if (callback != NULL) {
        IOTHUB_UNLOCK();
        callback(result, context);
        IOTHUB_LOCK();
    }
}

/* Seeds the random numbers. They are mixed with the device id (FNV-1a), so that a port with poor entropy does not bring a
   fleet into step. False while the platform has no entropy. */
IOTHUBI_PRIVATE int iothubi_seed(struct iothubi_client *client)
{
    unsigned char bytes[4];
    const char *id;
    uint32_t seed;
    if (client->random != 0) {
        return 1;
    }
    if (client->platform->random(client->platform->context, bytes, sizeof bytes) < 0) {
        return 0;
    }
    seed = 2166136261u;
    for (id = client->identity.text[IOTHUBI_DEVICE_ID]; *id != '\0'; ++id) {
        seed = ((seed ^ (unsigned char)*id) * 16777619u) & 0xFFFFFFFFu;
    }
    seed ^= (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    client->random = seed != 0 ? seed : 1u;
    return 1;
}

/* xorshift32: it spreads attempts and ids and protects nothing. */
IOTHUBI_APART uint32_t iothubi_random(struct iothubi_client *client)
{
    uint32_t x = client->random;
    x ^= (x << 13) & 0xFFFFFFFFu;
    x ^= x >> 17;
    x ^= (x << 5) & 0xFFFFFFFFu;
    return client->random = x;
}

/* The uptime at a call between two DoWorks. */
IOTHUBI_PRIVATE uint32_t iothubi_uptime(const struct iothubi_client *client)
{
    return client->uptime_s + (client->platform->milliseconds(client->platform->context) - client->second_tick) / 1000u;
}

/* Seconds since 1970, or 0 while the platform does not know them. */
IOTHUBI_PRIVATE uint32_t iothubi_wall_time(const struct iothubi_client *client)
{
    uint32_t time = client->platform->unix_time(client->platform->context);
    return time >= (uint32_t)IOTHUB_CLOCK_MINIMUM ? time : 0;
}

/* A call brought the next deadline nearer. */
IOTHUBI_PRIVATE void iothubi_wake(struct iothubi_client *client)
{
    client->busy = 1;
    if (client->platform->wake != NULL && !client->working) {
        client->platform->wake(client->platform->context);
    }
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_refuse(struct iothubi_client *client, IOTHUB_CODE code, size_t missing)
{
    if (code == IOTHUB_CODE_OPTION_INVALID) {
        iothubi_error_set(&client->error, IOTHUB_LAYER_CONFIG, code, 0);
    } else {
        iothubi_error_missing(&client->error, code, missing);
    }
    return code == IOTHUB_CODE_MESSAGE_TOO_LARGE || code == IOTHUB_CODE_OUTBOX_TOO_SMALL ? IOTHUB_CLIENT_INVALID_SIZE : IOTHUB_CLIENT_ERROR;
}

#define IOTHUBI_TRACE(client, text) do { if ((client)->trace) { IOTHUB_LOG(IOTHUB_LOG_TRACE, IOTHUB_CODE_NONE, text); } } while (0)

#endif
