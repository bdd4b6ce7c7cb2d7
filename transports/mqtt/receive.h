/* ---- mqtt/receive: subscriptions, and what arrives ------------------------------------------------------------------ */
/* Common to messages, twin and methods: asks the hub for what is wanted, puts together what comes, and hands it to its feature.

       inbox:  | window: reading, control packets | kept messages | what is arriving | state of features |
               | signing a token             |

   Messages, which may be kept, leave the place for signing free, unless that were more than half of what there is.
*/
#include "hub.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MQTT_RECEIVE_H)
#define IOTHUBI_MQTT_RECEIVE_H

#define IOTHUBI_MQTT_SUBSCRIBE_ID 0xFFF1u        /* packet ids above those of the outbox; one of each is under way at a time */
#define IOTHUBI_MQTT_UNSUBSCRIBE_ID 0xFFF2u
#define IOTHUBI_MQTT_UNSUBSCRIBE 0xA2u           /* its flags are 0010 [MQTT-3.10.1-1] */
#define IOTHUBI_MQTT_SUBACK_FAILURE 0x80u
#define IOTHUBI_SUBSCRIBE_AGAIN_S 60u            /* after a refusal */
/* Nothing is kept where reading goes, however much one read takes. */
#define IOTHUBI_KEPT_FROM (IOTHUB_WORK_READ_SIZE > IOTHUBI_WINDOW ? (size_t)IOTHUB_WORK_READ_SIZE : (size_t)IOTHUBI_WINDOW)

/* ---- SUBSCRIBE and UNSUBSCRIBE ---- */

typedef struct iothubi_mqtt_filter_tag {
    const struct iothubi_client *client;
    unsigned int bit;                            /* IOTHUBI_WANT_... */
} iothubi_mqtt_filter;

static IOTHUB_CONST char iothubi_mqtt_devicebound_filter[] = "/messages/devicebound/#";
static IOTHUB_CONST char iothubi_mqtt_answers_filter[] = "$iothub/twin/res/#";
static IOTHUB_CONST char iothubi_mqtt_patches_filter[] = "$iothub/twin/PATCH/properties/desired/#";
static IOTHUB_CONST char iothubi_mqtt_methods_filter[] = "$iothub/methods/POST/#";

IOTHUBI_PRIVATE void iothubi_mqtt_write_topic_filter(iothubi_writer *writer, const void *context)
{
    const iothubi_mqtt_filter *filter = (const iothubi_mqtt_filter *)context;
    const iothubi_identity *identity = &filter->client->identity;
    switch (filter->bit) {
    case IOTHUBI_WANT_MESSAGES:                  /* a module: all of its own topics, which are its inputs */
        iothubi_mqtt_write_topic_root(writer, identity);
        if (IOTHUBI_MODULE_OF(identity) == NULL) {
            IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_devicebound_filter);
        } else {
            IOTHUBI_WRITE_CONST_BYTES(writer, iothubi_mqtt_devicebound_filter + sizeof iothubi_mqtt_devicebound_filter - 3u, 2);
        }
        break;
    case IOTHUBI_WANT_ANSWERS: IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_answers_filter); break;
    case IOTHUBI_WANT_PATCHES: IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_patches_filter); break;
    default: IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_methods_filter); break;
    }
}

/* The body of SUBSCRIBE (section 3.8) or UNSUBSCRIBE (section 3.10): packet id and filters. Messages come with QoS 1. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_filters(iothubi_writer *writer, const void *context)
{
    const struct iothubi_client *client = (const struct iothubi_client *)context;
    int subscribe = client->mqtt.out != IOTHUBI_MQTT_OUT_UNSUBSCRIBE;
    unsigned int bits = subscribe ? client->subscriptions.asked : client->subscriptions.leaving;
    iothubi_mqtt_filter filter;
    filter.client = client;
    iothubi_write_16(writer, subscribe ? IOTHUBI_MQTT_SUBSCRIBE_ID : IOTHUBI_MQTT_UNSUBSCRIBE_ID);
    for (filter.bit = 1; filter.bit <= IOTHUBI_WANT_LAST; filter.bit <<= 1) {
        if ((bits & filter.bit) == 0) {
            continue;
        }
        iothubi_mqtt_write_field(writer, iothubi_mqtt_write_topic_filter, &filter);
        if (subscribe) {
            iothubi_write_byte(writer, filter.bit == IOTHUBI_WANT_MESSAGES);
        }
    }
}

/* Before CONNACK a SUBSCRIBE goes only as far as the budget of a pipelined start. */
IOTHUBI_PRIVATE int iothubi_mqtt_may_subscribe(struct iothubi_client *client)
{
    iothubi_mqtt_session *session = &client->mqtt;
    size_t size;
    if (session->connected) {
        return 1;
    }
    size = iothubi_part_size(iothubi_mqtt_write_filters, client);
    if (size > session->pipelined_left) {
        return 0;
    }
    session->pipelined_left -= size;
    return 1;
}

/* The next SUBSCRIBE or UNSUBSCRIBE. What is chosen is not changed until it is written. */
IOTHUBI_PRIVATE int iothubi_mqtt_next_subscription(struct iothubi_client *client)
{
    iothubi_subscriptions *subscriptions = &client->subscriptions;
    unsigned int wanted = subscriptions->wanted;
    if (subscriptions->asked == 0) {
        subscriptions->asked = (unsigned char)(wanted & ~((unsigned int)subscriptions->granted | subscriptions->refused));
        subscriptions->answered = 0;
        if (subscriptions->asked != 0 && !iothubi_mqtt_may_subscribe(client)) {
            subscriptions->asked = 0;
        }
    }
    if (subscriptions->asked != 0 && subscriptions->answered == 0) {
        return IOTHUBI_MQTT_OUT_SUBSCRIBE;
    }
    if (subscriptions->leaving == 0 && client->mqtt.connected) {
        subscriptions->leaving = (unsigned char)((subscriptions->granted | subscriptions->strange) & ~wanted);
        subscriptions->left = 0;
    }
    return subscriptions->leaving != 0 && !subscriptions->left ? IOTHUBI_MQTT_OUT_UNSUBSCRIBE : IOTHUBI_MQTT_OUT_NOTHING;
}

/* Return codes, one for each filter in its order (section 3.9.3). */
IOTHUBI_PRIVATE void iothubi_mqtt_got_suback(struct iothubi_client *client, const unsigned char *codes)
{
    iothubi_subscriptions *subscriptions = &client->subscriptions;
    size_t i;
    for (i = 0; i < client->mqtt.parser.chunk_size; ++i) {
        unsigned int bit = subscriptions->answered;
        while (bit - 1u < IOTHUBI_WANT_LAST && (subscriptions->asked & bit) == 0) {
            bit <<= 1;
        }
        if (client->mqtt.parser.value != IOTHUBI_MQTT_SUBSCRIBE_ID || bit - 1u >= IOTHUBI_WANT_LAST) {
            iothubi_break(client, IOTHUB_LAYER_PROTOCOL, IOTHUB_CODE_UNEXPECTED_PACKET, IOTHUBI_MQTT_SUBACK);
            return;
        }
        subscriptions->asked = (unsigned char)(subscriptions->asked & ~bit);
        if (codes[i] != IOTHUBI_MQTT_SUBACK_FAILURE) {
            subscriptions->granted = (unsigned char)(subscriptions->granted | bit);
            if (bit == IOTHUBI_WANT_PATCHES) {
                iothubi_twin_ask(client->twin);  /* if its document came already: granted late, changes were missed */
            }
        } else {
            subscriptions->refused = (unsigned char)(subscriptions->refused | bit);
            subscriptions->refused_tick = client->now;
            iothubi_error_set(&client->error, IOTHUB_LAYER_HUB, IOTHUB_CODE_SUBSCRIPTION_REFUSED, (long)bit);
            IOTHUB_LOG(IOTHUB_LOG_ERROR, IOTHUB_CODE_SUBSCRIPTION_REFUSED, IoTHub_ErrorText(&client->error));
        }
    }
    if (client->mqtt.parser.remaining == 0 && subscriptions->asked != 0) { /* codes are missing */
        iothubi_break(client, IOTHUB_LAYER_PROTOCOL, IOTHUB_CODE_UNEXPECTED_PACKET, IOTHUBI_MQTT_SUBACK);
    }
}

/* What was still on its way is not strange. */
IOTHUBI_PRIVATE void iothubi_mqtt_got_unsuback(struct iothubi_client *client)
{
    iothubi_subscriptions *subscriptions = &client->subscriptions;
    if (client->mqtt.parser.value != IOTHUBI_MQTT_UNSUBSCRIBE_ID || !subscriptions->left) {
        iothubi_break(client, IOTHUB_LAYER_PROTOCOL, IOTHUB_CODE_UNEXPECTED_PACKET, IOTHUBI_MQTT_UNSUBACK);
        return;
    }
    subscriptions->strange = (unsigned char)(subscriptions->strange & ~(unsigned int)subscriptions->leaving);
    subscriptions->leaving = subscriptions->left = 0;
}

/* ---- what arrives ---- */

/* Nothing of the inbox behind what is arriving may be carved off. */
IOTHUBI_PRIVATE unsigned char *iothubi_mqtt_inbox_top(const struct iothubi_client *client)
{
    const iothubi_inbound *inbound = &client->inbound;
    const struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    size_t promised = client->mqtt.out == IOTHUBI_MQTT_OUT_CONNECT ? client->mqtt.promised : 0; /* as long as all of the inbox was window */
    unsigned char *top = client->inbox + (IOTHUBI_KEPT_FROM > promised ? IOTHUBI_KEPT_FROM : promised);
    if (client->mailbox != NULL) {
        top = iothubi_mailbox_end(client->mailbox, top);
    }
    if (map->bytes == NULL) {
        return top;
    }
    return inbound->body == IOTHUBI_BODY_UNDECIDED ? map->bytes + map->used
        : map->bytes + map->room + (inbound->body == IOTHUBI_BODY_WHOLE ? inbound->total : 0);
}

/* Takes size bytes, zero, off the end of the inbox for good, aligned for a pointer. What is left still takes the text that is signed,
   and as much as the window behind what lies there. NULL, with the error set: no room. */
IOTHUBI_APART void *iothubi_mqtt_carve_inbox(struct iothubi_client *client, size_t size)
{
    struct MAP_HANDLE_DATA_TAG *map = &client->inbound.map;
    size_t needed = (size_t)(iothubi_mqtt_inbox_top(client) - client->inbox) + IOTHUBI_KEPT_FROM;
    unsigned char *end = client->inbox + client->inbox_size;
    needed = (needed > client->signing_size ? needed : client->signing_size) + size + IOTHUBI_ALIGNMENT - 1u;
    if (needed > client->inbox_size) {
        iothubi_refuse(client, IOTHUB_CODE_INBOX_TOO_SMALL, needed - client->inbox_size);
        return NULL;
    }
    end -= size;
    end -= (size_t)end % IOTHUBI_ALIGNMENT;
    IOTHUB_MEMSET(end, 0, size);
    client->inbox_size = (size_t)(end - client->inbox);
    if (map->bytes != NULL && client->inbound.body == IOTHUBI_BODY_UNDECIDED) {
        map->room = (size_t)(end - map->bytes);
    }
    return end;
}

IOTHUBI_PRIVATE void iothubi_mqtt_topic(struct iothubi_client *client, const unsigned char *chunk)
{
    iothubi_inbound *inbound = &client->inbound;
    if (inbound->map.bytes == NULL) {
        unsigned char *start = iothubi_mqtt_inbox_top(client);
        size_t at = (size_t)(start - client->inbox), room = client->inbox_size - at;
        size_t apart = client->signing_size > at ? client->signing_size - at : 0;
        iothubi_inbound_begin(inbound, start, room, apart <= room / 2u ? apart : 0);
    }
    iothubi_topic_feed(inbound, &client->identity, chunk, client->mqtt.parser.chunk_size);
    if (inbound->at == IOTHUBI_AT_MALFORMED) {
        iothubi_break(client, IOTHUB_LAYER_PROTOCOL, IOTHUB_CODE_MALFORMED_PACKET, IOTHUBI_MQTT_PUBLISH);
    }
    if (client->mqtt.parser.topic_left == 0) {
        iothubi_topic_end(inbound);
    }
}

static IOTHUB_CONST unsigned char iothubi_mqtt_feature_of_kind[] = {
    0, IOTHUBI_FEATURE_MESSAGES, IOTHUBI_FEATURE_TWIN, IOTHUBI_FEATURE_TWIN, IOTHUBI_FEATURE_METHODS
};
static IOTHUB_CONST unsigned char iothubi_mqtt_want_of_kind[] = {
    0, IOTHUBI_WANT_MESSAGES, IOTHUBI_WANT_ANSWERS, IOTHUBI_WANT_PATCHES, IOTHUBI_WANT_METHODS
};

/* The feature of what is arriving, or NULL. */
IOTHUBI_PRIVATE const iothubi_feature *iothubi_mqtt_feature(const struct iothubi_client *client)
{
    return client->feature[IOTHUB_CONST_BYTE(iothubi_mqtt_feature_of_kind + client->inbound.kind)];
}

/* Lays out the map's room for Map_GetInternals - two pointers a property, and their alignment - and behind it the body. */
IOTHUBI_APART int iothubi_mqtt_fits(iothubi_inbound *inbound)
{
    struct MAP_HANDLE_DATA_TAG *map = &inbound->map;
    size_t room = map->room - map->used, arrays = sizeof(char *), at = 0;
    iothubi_entry entry;
    while (iothubi_map_next(map, &at, &entry)) {
        arrays += entry.tag == IOTHUBI_PROPERTY_APPLICATION ? 2u * sizeof(char *) : 0;
    }
    if (inbound->total > room) {                 /* where size_t has 16 bits a body may have more */
        uint32_t missing = inbound->total - (uint32_t)room;
        inbound->missing += missing < (uint32_t)(IOTHUBI_SIZE_MAXIMUM / 2u) ? (size_t)missing : IOTHUBI_SIZE_MAXIMUM / 2u;
    }
    if (inbound->missing == 0) {
        room -= (size_t)inbound->total;
    }
    map->room = map->used + (arrays < room ? arrays : room);
    return inbound->missing == 0;
}

/* The topic is complete, and the size of the body known: what becomes of it? */
IOTHUBI_PRIVATE void iothubi_mqtt_decide(struct iothubi_client *client, uint32_t total)
{
    iothubi_inbound *inbound = &client->inbound;
    const iothubi_feature *feature = iothubi_mqtt_feature(client);
    unsigned int want = IOTHUB_CONST_BYTE(iothubi_mqtt_want_of_kind + inbound->kind);
    inbound->total = total;
    inbound->answer = IOTHUBMESSAGE_ABANDONED;   /* unless the last piece says otherwise */
    inbound->body = IOTHUBI_BODY_SKIPPED;
    if (iothubi_mqtt_fits(inbound)) {
        inbound->body = IOTHUBI_BODY_WHOLE;
    } else if (!inbound->cut && client->piece != NULL) {
        inbound->body = IOTHUBI_BODY_IN_PIECES;
    }
    if ((client->subscriptions.wanted & want) == 0) { /* of an earlier session, or given up since: it need not come any more */
        if (inbound->cut && client->twin != NULL && iothubi_twin_is_wanted(client->twin)) {
            iothubi_twin_ask(client->twin);      /* not even its path found room: it may have been a patch */
        }
        client->subscriptions.strange = (unsigned char)(client->subscriptions.strange | want);
        IOTHUBI_COUNT(client, received_unhandled, 1);
        if (inbound->kind != IOTHUBI_KIND_METHOD || feature == NULL) { /* the caller of a method waits for an answer */
            inbound->body = IOTHUBI_BODY_IGNORED;
            return;
        }
    }
    inbound->body = (unsigned char)feature->judge(client);
}

/* Hands size bytes to the piece callback. */
IOTHUBI_PRIVATE IOTHUBMESSAGE_DISPOSITION_RESULT iothubi_mqtt_piece(struct iothubi_client *client, const unsigned char *bytes, size_t size,
    IOTHUB_PIECE_STATE state)
{
    iothubi_inbound *inbound = &client->inbound;
    IOTHUBMESSAGE_DISPOSITION_RESULT answer;
    IOTHUB_CLIENT_PIECE_CALLBACK callback = client->piece_callback;
    void *context = client->piece_context;
    IOTHUB_PIECE piece;
    IOTHUB_MEMSET(&piece, 0, sizeof piece);
    piece.kind = inbound->kind == IOTHUBI_KIND_MESSAGE ? IOTHUB_PIECE_OF_MESSAGE : inbound->kind == IOTHUBI_KIND_ANSWER ? IOTHUB_PIECE_OF_TWIN
        : inbound->kind == IOTHUBI_KIND_PATCH ? IOTHUB_PIECE_OF_PATCH : IOTHUB_PIECE_OF_METHOD;
    piece.state = state;
    piece.bytes = bytes;
    piece.size = size;
    piece.offset = inbound->offset;
    piece.total = inbound->total;
    piece.message = inbound->kind == IOTHUBI_KIND_MESSAGE ? (IOTHUB_MESSAGE_HANDLE)inbound->handle : NULL;
    piece.method = inbound->kind == IOTHUBI_KIND_METHOD ? inbound->handle : NULL;
    piece.method_name = iothubi_map_get(&inbound->map, IOTHUBI_PROPERTY_METHOD_NAME, NULL);
    IOTHUB_UNLOCK();
    answer = callback(&piece, context);
    IOTHUB_LOCK();
    return answer;
}

/* Some bytes of the body. */
IOTHUBI_PRIVATE void iothubi_mqtt_body(struct iothubi_client *client, const unsigned char *chunk)
{
    iothubi_inbound *inbound = &client->inbound;
    size_t size = client->mqtt.parser.chunk_size;
    if (inbound->kind == IOTHUBI_KIND_ANSWER && inbound->body != IOTHUBI_BODY_IGNORED) {
        iothubi_json_version_feed(&client->twin->scanner, chunk, size);
    }
    if (inbound->body == IOTHUBI_BODY_WHOLE) {
        IOTHUB_MEMCPY(iothubi_inbound_body(inbound) + inbound->offset, chunk, size);
    } else if (inbound->body == IOTHUBI_BODY_IN_PIECES && (client->piece == NULL || inbound->cut)) {
        inbound->cut = 1;                        /* nobody took a piece: others must not close the gap */
    } else if (inbound->body == IOTHUBI_BODY_IN_PIECES) {
        int last = client->mqtt.parser.remaining == 0;
        IOTHUBMESSAGE_DISPOSITION_RESULT answer = client->piece(client, chunk, size, last ? IOTHUB_PIECE_LAST : IOTHUB_PIECE_MORE);
        if (last) {
            inbound->answer = (unsigned char)answer;
        }
    }
    inbound->offset += (uint32_t)size;
}

/* It is there. */
IOTHUBI_PRIVATE void iothubi_mqtt_arrived(struct iothubi_client *client)
{
    iothubi_inbound *inbound = &client->inbound;
    if (inbound->body == IOTHUBI_BODY_SKIPPED) {
        IOTHUBI_COUNT(client, received_skipped, 1);
    }
    if (inbound->body != IOTHUBI_BODY_IGNORED) {
        iothubi_mqtt_feature(client)->deliver(client);
    }
    inbound->map.bytes = NULL;
}

/* Something found no room, or cannot be taken. */
IOTHUBI_PRIVATE void iothubi_mqtt_skipped(struct iothubi_client *client, IOTHUB_CODE code)
{
    iothubi_error_missing(&client->error, code, client->inbound.missing);
    IOTHUB_LOG(IOTHUB_LOG_ERROR, code, IoTHub_ErrorText(&client->error));
}

IOTHUBI_PRIVATE void iothubi_mqtt_event_received(struct iothubi_client *client, iothubi_mqtt_event event, const unsigned char *chunk)
{
    const iothubi_mqtt_parser *parser = &client->mqtt.parser;
    switch (event) {
    case IOTHUBI_MQTT_GOT_SUBACK:
        iothubi_mqtt_got_suback(client, chunk);
        break;
    case IOTHUBI_MQTT_GOT_TOPIC:
        iothubi_mqtt_topic(client, chunk);
        break;
    case IOTHUBI_MQTT_GOT_BODY:
        if (client->inbound.body == IOTHUBI_BODY_UNDECIDED) {
            iothubi_mqtt_decide(client, parser->remaining + (uint32_t)parser->chunk_size);
        }
        iothubi_mqtt_body(client, chunk);
        break;
    case IOTHUBI_MQTT_GOT_PUBLISH_END:
        if (client->inbound.body == IOTHUBI_BODY_UNDECIDED) {
            iothubi_mqtt_decide(client, 0);
        }
        iothubi_mqtt_arrived(client);
        break;
    default:                                     /* UNSUBACK */
        iothubi_mqtt_got_unsuback(client);
        break;
    }
}

/* ---- what leaves ---- */

IOTHUBI_PRIVATE int iothubi_mqtt_receiver_next(struct iothubi_client *client)
{
    int out = IOTHUBI_MQTT_OUT_NOTHING, i;
    if (client->mqtt.leaving == IOTHUBI_MQTT_STAYING) {
        out = iothubi_mqtt_next_subscription(client);
    }
    for (i = 0; i < IOTHUBI_FEATURES && out == IOTHUBI_MQTT_OUT_NOTHING && client->mqtt.connected; ++i) {
        if (client->feature[i] != NULL) {
            out = client->feature[i]->pick(client);
        }
    }
    return out;
}

/* The feature whose packet it is. */
IOTHUBI_PRIVATE const iothubi_feature *iothubi_mqtt_feature_of_packet(const struct iothubi_client *client, int out)
{
    return client->feature[out == IOTHUBI_MQTT_OUT_PUBACK ? IOTHUBI_FEATURE_MESSAGES
        : out == IOTHUBI_MQTT_OUT_ANSWER ? IOTHUBI_FEATURE_METHODS : IOTHUBI_FEATURE_TWIN];
}

IOTHUBI_PRIVATE void iothubi_mqtt_receiver_write(iothubi_writer *writer, const struct iothubi_client *client)
{
    int out = client->mqtt.out;
    if (out == IOTHUBI_MQTT_OUT_SUBSCRIBE || out == IOTHUBI_MQTT_OUT_UNSUBSCRIBE) {
        iothubi_mqtt_write_packet(writer, out == IOTHUBI_MQTT_OUT_SUBSCRIBE ? IOTHUBI_MQTT_SUBSCRIBE : IOTHUBI_MQTT_UNSUBSCRIBE,
            iothubi_mqtt_write_filters, client);
    } else {
        iothubi_mqtt_feature_of_packet(client, out)->put(writer, client);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_receiver_taken(struct iothubi_client *client, int out, size_t size)
{
    iothubi_subscriptions *subscriptions = &client->subscriptions;
    if (out == IOTHUBI_MQTT_OUT_SUBSCRIBE) {
        subscriptions->answered = 1;
        subscriptions->asked_tick = client->now;
    } else if (out == IOTHUBI_MQTT_OUT_UNSUBSCRIBE) {
        subscriptions->left = 1;
        subscriptions->granted = (unsigned char)(subscriptions->granted & ~(unsigned int)subscriptions->leaving);
    } else {
        iothubi_mqtt_feature_of_packet(client, out)->sent(client, out, size);
    }
}

/* ---- time, and the end ---- */

IOTHUBI_PRIVATE void iothubi_mqtt_receiver_timers(const struct iothubi_client *client, iothubi_timer *timer)
{
    const iothubi_subscriptions *subscriptions = &client->subscriptions;
    int i;
    if (subscriptions->asked != 0 && subscriptions->answered != 0) {
        iothubi_timer_add_s(timer, IOTHUB_CODE_SUBSCRIPTION_TIMEOUT,
            iothubi_tick_later(timer->now, subscriptions->asked_tick, client->state_tick), client->mqtt_options.connect_timeout_s);
    }
    if (subscriptions->refused != 0) {
        iothubi_timer_add_s(timer, IOTHUBI_DUE_SUBSCRIBE, subscriptions->refused_tick, IOTHUBI_SUBSCRIBE_AGAIN_S);
    }
    for (i = 0; i < IOTHUBI_FEATURES; ++i) {
        if (client->feature[i] != NULL) {
            client->feature[i]->times(client, timer);
        }
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_receiver_due(struct iothubi_client *client, int what)
{
    if (what == IOTHUBI_DUE_SUBSCRIBE) {
        client->subscriptions.refused = 0;
    } else if (what != IOTHUBI_DUE_PUBACK) {     /* that one is written with everything else */
        client->feature[what == IOTHUBI_DUE_METHOD ? IOTHUBI_FEATURE_METHODS : IOTHUBI_FEATURE_TWIN]->expire(client, what);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_receiver_lost(struct iothubi_client *client)
{
    iothubi_subscriptions *subscriptions = &client->subscriptions;
    unsigned char wanted;
    int i;
    if (client->inbound.map.bytes != NULL && client->inbound.body == IOTHUBI_BODY_IN_PIECES && client->piece != NULL) {
        client->piece(client, NULL, 0, IOTHUB_PIECE_CUT);
    }
    for (i = 0; i < IOTHUBI_FEATURES; ++i) {
        if (client->feature[i] != NULL) {
            client->feature[i]->forget(client);
        }
    }
    client->inbound.map.bytes = NULL;
    wanted = subscriptions->wanted;
    IOTHUB_MEMSET(subscriptions, 0, sizeof *subscriptions);
    subscriptions->wanted = wanted;
}

/* A record that is no telemetry is the twin's. */
IOTHUBI_PRIVATE void iothubi_mqtt_receiver_confirm(struct iothubi_client *client, iothubi_record *record, int status)
{
    if (client->feature[IOTHUBI_FEATURE_TWIN] != NULL) {
        client->feature[IOTHUBI_FEATURE_TWIN]->finish(client, record, status);
    }
}

static const iothubi_receiver iothubi_mqtt_receiver = {
    iothubi_mqtt_event_received,
    iothubi_mqtt_receiver_next,
    iothubi_mqtt_receiver_write,
    iothubi_mqtt_receiver_taken,
    iothubi_mqtt_receiver_timers,
    iothubi_mqtt_receiver_due,
    iothubi_mqtt_receiver_lost,
    iothubi_mqtt_receiver_confirm
};

#endif
