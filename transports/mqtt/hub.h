/* ---- mqtt/hub: what IoT Hub means by MQTT ------------------------------------------------------------------------- */
/* User name, topics, property bags, CONNACK codes: "Communicate with an IoT hub using the MQTT protocol". */
#include "../../core/transport.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MQTT_HUB_H)
#define IOTHUBI_MQTT_HUB_H

#define IOTHUBI_MQTT_PORT 8883u
#define IOTHUBI_HUB_MESSAGE_MAXIMUM 262144ul     /* bytes of body, property names and values */

/* What is received beside acknowledgements (receive.h); the client that never asks for anything does not link it. */
typedef struct iothubi_receiver_tag {
    /* a piece of a PUBLISH's topic or body, its end, or a SUBACK */
    void (*receive)(struct iothubi_client *client, iothubi_mqtt_event event, const unsigned char *chunk);
    /* a packet that is to be written, or NOTHING; it stays the same until done */
    int (*choose)(struct iothubi_client *client);
    void (*compose)(iothubi_writer *writer, const struct iothubi_client *client);
    void (*written)(struct iothubi_client *client, int out, size_t size);
    void (*deadlines)(const struct iothubi_client *client, iothubi_timer *timer);
    void (*fell_due)(struct iothubi_client *client, int what);
    void (*cut)(struct iothubi_client *client);
    /* a record that is no telemetry ends with this status; NULL: Destroy ends everything else */
    void (*end)(struct iothubi_client *client, iothubi_record *record, int status);
} iothubi_receiver;

/* NULL: nothing was ever asked for. Where nothing can be, compilers see it. */
#if !defined(IOTHUB_NO_C2D) || !defined(IOTHUB_NO_TWIN) || !defined(IOTHUB_NO_METHODS)
#define IOTHUBI_RECEIVER(client) ((client)->receiver)
#else
#define IOTHUBI_RECEIVER(client) ((const iothubi_receiver *)NULL)
#endif

/* A message on its way into a topic: the bag is written more than once. */
typedef struct iothubi_mqtt_event_source_tag {
    const struct iothubi_client *client;
    IOTHUB_MESSAGE_HANDLE message;
    void (*write_sample)(iothubi_writer *writer, const struct iothubi_mqtt_event_source_tag *source); /* NULL: it is not sampled */
    uint32_t sampled_time;
    char sampled_id[8];
} iothubi_mqtt_event_source;

/* The names of the system properties that are sent, in the order of their tags. "$." travels as "%24.". The time of a
   diagnostic sample is wrapped once more. */
static IOTHUB_CONST char iothubi_mqtt_bag_names[] =
    "%24.on=\0%24.mid=\0%24.cid=\0%24.ct=\0%24.ce=\0%24.ctime=\0%24.ifid=\0%24.sub=\0%24.diagid=\0%24.diagctx=creationtimeutc%3D\0";

IOTHUBI_PRIVATE void iothubi_mqtt_write_bag_name(iothubi_writer *writer, int tag)
{
    const char *name = iothubi_mqtt_bag_names;
    size_t size;
    for (; tag > IOTHUBI_PROPERTY_OUTPUT_NAME; --tag) {
        while (IOTHUB_CONST_BYTE(name) != 0) {
            ++name;
        }
        ++name;
    }
    for (size = 0; IOTHUB_CONST_BYTE(name + size) != 0; ++size) {
    }
    IOTHUBI_WRITE_CONST_BYTES(writer, name, size);
}

IOTHUBI_PRIVATE void iothubi_mqtt_write_pairs(iothubi_writer *writer, const iothubi_mqtt_event_source *source)
{
    int keep = source->client->keep_escapes;
    iothubi_entry entry;
    size_t at = 0, start = writer->length;
    while (iothubi_map_next(&source->message->map, &at, &entry)) {
        if (entry.tag > IOTHUBI_PROPERTY_LAST_SENT) {
            continue;
        }
        if (writer->length != start) {
            iothubi_write_byte(writer, '&');
        }
        if (entry.tag == IOTHUBI_PROPERTY_APPLICATION) {
            iothubi_write_encoded(writer, entry.name, entry.name_size, keep);
            iothubi_write_byte(writer, '=');
        } else {
            iothubi_mqtt_write_bag_name(writer, entry.tag);
        }
        iothubi_write_encoded(writer, entry.value, entry.value_size, keep);
    }
    if (source->write_sample != NULL) {
        if (writer->length != start) {
            iothubi_write_byte(writer, '&');
        }
        source->write_sample(writer, source);
    }
}

/* name=value pairs joined by '&', in order of insertion; the hub does not mind the order. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_bag(iothubi_writer *writer, const void *context)
{
    const iothubi_mqtt_event_source *source = (const iothubi_mqtt_event_source *)context;
    if (source->message->map.used != 0 || source->write_sample != NULL) {
        iothubi_mqtt_write_pairs(writer, source);
    }
}

static IOTHUB_CONST char iothubi_mqtt_devices[] = "devices/";
static IOTHUB_CONST char iothubi_mqtt_modules[] = "/modules/";
static IOTHUB_CONST char iothubi_mqtt_events[] = "/messages/events/";

/* devices/{d}[/modules/{m}] - ids travel as they are. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_topic_root(iothubi_writer *writer, const iothubi_identity *identity)
{
    IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_devices);
    iothubi_write_text(writer, identity->text[IOTHUBI_DEVICE_ID]);
    if (IOTHUBI_MODULE_OF(identity) != NULL) {
        IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_modules);
        iothubi_write_text(writer, IOTHUBI_MODULE_OF(identity));
    }
}

/* What all topics of this client's telemetry start with. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_topic_start(iothubi_writer *writer, const void *context)
{
    iothubi_mqtt_write_topic_root(writer, (const iothubi_identity *)context);
    IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_events);
}

/* The last slash of the start belongs to the topic, with an empty bag too. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_topic(iothubi_writer *writer, const void *context)
{
    const iothubi_mqtt_event_source *source = (const iothubi_mqtt_event_source *)context;
    iothubi_mqtt_write_topic_start(writer, &source->client->identity);
    iothubi_mqtt_write_bag(writer, source);
}

/* ---- sampling for diagnostics ---- */

IOTHUBI_PRIVATE void iothubi_mqtt_write_sample(iothubi_writer *writer, const iothubi_mqtt_event_source *source)
{
    iothubi_mqtt_write_bag_name(writer, IOTHUBI_PROPERTY_DIAGNOSTIC_ID);
    iothubi_write(writer, source->sampled_id, sizeof source->sampled_id);
    iothubi_write_byte(writer, '&');
    iothubi_mqtt_write_bag_name(writer, IOTHUBI_PROPERTY_DIAGNOSTIC_TIME);
    iothubi_write_decimal(writer, source->sampled_time);
}

/* The SDK's sampling: message k is marked when floor((k-2)p/100) < floor((k-1)p/100); with n = k-1 that is n*p mod 100 < p. */
IOTHUBI_PRIVATE void iothubi_mqtt_sample(struct iothubi_client *client, iothubi_mqtt_event_source *source)
{
    static IOTHUB_CONST char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint32_t p = client->sampling_percentage;
    unsigned int i;
    source->sampled_time = iothubi_wall_time(client);
    if (client->sampled % 100u * p % 100u >= p || source->sampled_time == 0 || !iothubi_seed(client)
        || iothubi_map_get(&source->message->map, IOTHUBI_PROPERTY_DIAGNOSTIC_ID, NULL) != NULL) {
        return;
    }
    source->write_sample = iothubi_mqtt_write_sample;
    for (i = 0; i < sizeof source->sampled_id; ++i) {
        source->sampled_id[i] = (char)IOTHUB_CONST_BYTE(digits + (size_t)(iothubi_random(client) % 36u));
    }
}

/* ---- telemetry ---- */

/* Would the hub close the connection over this message? It counts the body, names and values, as they are sent. */
IOTHUBI_PRIVATE int iothubi_mqtt_is_too_large(const iothubi_mqtt_event_source *source, size_t topic_size)
{
    IOTHUB_MESSAGE_HANDLE message = source->message;
    iothubi_entry entry;
    size_t at = 0;
    uint32_t size = source->write_sample != NULL ? sizeof source->sampled_id + sizeof "creationtimeutc=4294967295" : 0;
    if (iothubi_is_over(topic_size, IOTHUBI_MQTT_TOPIC_MAXIMUM) || iothubi_is_over(message->body_size, IOTHUBI_HUB_MESSAGE_MAXIMUM)
        || message->body_size > IOTHUBI_SIZE_MAXIMUM - topic_size - 16u) {
        return 1;
    }
    while (iothubi_map_next(&message->map, &at, &entry)) {
        if (entry.tag <= IOTHUBI_PROPERTY_LAST_SENT) {
            size += (uint32_t)(entry.name_size + entry.value_size);
        }
    }
    return size > IOTHUBI_HUB_MESSAGE_MAXIMUM - (uint32_t)message->body_size;
}

/* A record for size bytes. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_mqtt_add_record(struct iothubi_client *client, size_t size, int kind, iothubi_record **record, size_t *missing)
{
    if (size > client->outbox.capacity) {
        *missing = size - client->outbox.capacity;
        return IOTHUB_CODE_OUTBOX_TOO_SMALL;
    }
    *record = iothubi_outbox_add(&client->outbox, size);
    if (*record == NULL) {
        return IOTHUB_CODE_OUTBOX_FULL;
    }
    (*record)->kind = (unsigned char)kind;
    return IOTHUB_CODE_NONE;
}

/* What the entry holds behind topic and packet id: the body, or where it lies. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_body(iothubi_writer *writer, IOTHUB_MESSAGE_HANDLE message, int kind)
{
    iothubi_kept kept;
    if (kind == IOTHUBI_RECORD_OF_EVENT) {
        iothubi_write(writer, message->body, message->body_size);
    } else {
        kept.body = message->body;
        kept.size = message->body_size;
        iothubi_write(writer, &kept, sizeof kept);
    }
}

/* Stores the whole PUBLISH, so that messages which lie side by side leave in one write; or all of it but the body. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_mqtt_add(struct iothubi_client *client, IOTHUB_MESSAGE_HANDLE message, int kind, iothubi_record **record, size_t *missing)
{
    iothubi_mqtt_event_source source;
    iothubi_writer writer;
    size_t topic_size, remaining, size;
    IOTHUB_CODE code;
    unsigned int qos1 = client->mqtt_options.qos != 0;
    *missing = 0;
    source.client = client;
    source.message = message;
    source.write_sample = NULL;
    if (IOTHUBI_OPTION(client, sampling_percentage) != 0) {
        client->extras->sample(client, &source);
    }
    topic_size = client->mqtt.topic_start + iothubi_part_size(iothubi_mqtt_write_bag, &source);
    if (iothubi_mqtt_is_too_large(&source, topic_size)) {
        return IOTHUB_CODE_MESSAGE_TOO_LARGE;
    }
    remaining = 2u + topic_size + (qos1 ? 2u : 0u) + message->body_size;
    size = 1u + iothubi_mqtt_length_size(remaining) + remaining;
    if (kind == IOTHUBI_RECORD_OF_KEPT_EVENT) {
        size = size - message->body_size + sizeof(iothubi_kept);
    }
    code = iothubi_mqtt_add_record(client, size, kind, record, missing);
    if (code != IOTHUB_CODE_NONE) {
        return code;
    }
    client->sampled += 1;
    iothubi_write_begin(&writer, client->outbox.bytes + (*record)->at, 0, size);
    iothubi_mqtt_write_header(&writer, IOTHUBI_MQTT_PUBLISH | (qos1 ? IOTHUBI_MQTT_QOS1 : 0u), remaining);
    iothubi_write_16(&writer, (unsigned int)topic_size);
    iothubi_mqtt_write_topic(&writer, &source);
    if (qos1) {
        iothubi_write_16(&writer, iothubi_outbox_id(&client->outbox, client->outbox.count - 1u));
    }
    iothubi_mqtt_write_body(&writer, message, kind);
    return IOTHUB_CODE_NONE;
}

/* ---- CONNECT ---- */

IOTHUBI_PRIVATE void iothubi_mqtt_write_client_id(iothubi_writer *writer, const void *context)
{
    const struct iothubi_client *client = (const struct iothubi_client *)context;
    iothubi_write_text(writer, client->identity.text[IOTHUBI_DEVICE_ID]);
    if (IOTHUBI_MODULE_OF(&client->identity) != NULL) {
        iothubi_write_byte(writer, '/');
        iothubi_write_text(writer, IOTHUBI_MODULE_OF(&client->identity));
    }
}

static IOTHUB_CONST char iothubi_mqtt_api_version[] = "/?api-version=2021-04-12";
static IOTHUB_CONST char iothubi_mqtt_product[] = "&DeviceClientType=";
static IOTHUB_CONST char iothubi_mqtt_model[] = "&model-id=";

/* What the text options add to the user name. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_user_name_end(iothubi_writer *writer, const struct iothubi_client *client)
{
    if (client->product_info != NULL) {
        IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_product);
        iothubi_write_encoded_text(writer, client->product_info);
    }
    if (client->model_id != NULL) {
        IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_model);
        iothubi_write_encoded_text(writer, client->model_id);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_write_user_name(iothubi_writer *writer, const void *context)
{
    const struct iothubi_client *client = (const struct iothubi_client *)context;
    iothubi_write_text(writer, client->identity.text[IOTHUBI_HOST_NAME]);
    iothubi_write_byte(writer, '/');
    iothubi_mqtt_write_client_id(writer, context);
    IOTHUBI_WRITE_CONST(writer, iothubi_mqtt_api_version);
    if (IOTHUBI_OPTION(client, extras) != 0) {
        client->extras->write_user_name_end(writer, client);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_write_password(iothubi_writer *writer, const void *context)
{
    const struct iothubi_client *client = (const struct iothubi_client *)context;
    if (client->identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE] != NULL) {
        iothubi_write_text(writer, client->identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE]);
    } else {
        iothubi_write_token(writer, &client->identity, client->token_expiry);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_write_will_body(iothubi_writer *writer, const void *context)
{
    const struct iothubi_client *client = (const struct iothubi_client *)context;
    iothubi_write(writer, client->will->body, client->will->body_size);
}

/* The will's topic and body. */
IOTHUBI_PRIVATE void iothubi_mqtt_write_will(iothubi_writer *writer, const struct iothubi_client *client)
{
    iothubi_mqtt_event_source source;
    source.client = client;
    source.message = client->will;
    source.write_sample = NULL;
    iothubi_mqtt_write_field(writer, iothubi_mqtt_write_topic, &source);
    iothubi_mqtt_write_field(writer, iothubi_mqtt_write_will_body, client);
}

/* What follows the fixed header: protocol, flags, keep-alive, then client id, will, user name, password (section 3.1.3). */
IOTHUBI_PRIVATE void iothubi_mqtt_write_connect(iothubi_writer *writer, const void *context)
{
    const struct iothubi_client *client = (const struct iothubi_client *)context;
    unsigned int flags = client->mqtt.connect_flags;
    iothubi_mqtt_write_connect_header(writer, flags, client->mqtt.keep_alive_s);
    iothubi_mqtt_write_field(writer, iothubi_mqtt_write_client_id, client);
    if ((flags & IOTHUBI_MQTT_WILL) != 0) {
        client->extras->write_will(writer, client);
    }
    iothubi_mqtt_write_field(writer, iothubi_mqtt_write_user_name, client);
    if ((flags & IOTHUBI_MQTT_PASSWORD) != 0) {
        iothubi_mqtt_write_field(writer, iothubi_mqtt_write_password, client);
    }
}

/* ---- the verbs ---- */

/* '+' and '#' are allowed in ids but not in a topic name [MQTT-3.3.2-2], so such an identity cannot send over MQTT. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_mqtt_accept(struct iothubi_client *client)
{
    static IOTHUB_CONST char wildcards[] = "+#";
    int key;
    for (key = IOTHUBI_DEVICE_ID; key <= IOTHUBI_MODULE_ID; ++key) {
        const char *id = client->identity.text[key];
        for (; id != NULL && *id != '\0'; ++id) {
            if (iothubi_find_byte(wildcards, *id) >= 0) {
                return (IOTHUB_CODE)(IOTHUB_CODE_HOST_NAME_INVALID + key);
            }
        }
    }
    client->mqtt.topic_start = (unsigned short)iothubi_part_size(iothubi_mqtt_write_topic_start, &client->identity);
    return IOTHUB_CODE_NONE;
}

IOTHUBI_PRIVATE void iothubi_mqtt_start(struct iothubi_client *client)
{
    unsigned int flags = IOTHUBI_MQTT_USER_NAME;
    if (!IOTHUBI_GIVEN(&client->identity, IOTHUBI_X509)) {
        flags |= IOTHUBI_MQTT_PASSWORD;
    }
    if (IOTHUBI_OPTION(client, mqtt_options.clean_session)) {
        flags |= IOTHUBI_MQTT_CLEAN_SESSION;
    }
    if (IOTHUBI_OPTION(client, will) != 0) {
        flags |= IOTHUBI_MQTT_WILL | IOTHUBI_MQTT_WILL_QOS1;
    }
    iothubi_mqtt_session_start(&client->mqtt, &client->mqtt_options, flags, client->now);
}

IOTHUBI_PRIVATE void iothubi_mqtt_got_connack(struct iothubi_client *client)
{
    unsigned int code = client->mqtt.parser.value & 0xFFu;
    IOTHUBI_TRACE(client, "received CONNACK");
    if (client->mqtt.connected) {
        iothubi_break(client, IOTHUB_LAYER_PROTOCOL, IOTHUB_CODE_UNEXPECTED_PACKET, IOTHUBI_MQTT_CONNACK);
    } else if (code != 0) {
        iothubi_break(client, IOTHUB_LAYER_HUB, IOTHUB_CODE_CONNACK_REFUSED, (long)code);
    } else {
        iothubi_mqtt_session_connected(&client->mqtt, client->now);
        iothubi_connected(client);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_got_puback(struct iothubi_client *client)
{
    iothubi_record *record = iothubi_mqtt_acknowledged(&client->mqtt, &client->mqtt_options, &client->outbox,
        client->mqtt.parser.value, client->now);
    IOTHUBI_TRACE(client, "received PUBACK");
    if (record != NULL) {
        iothubi_confirm(client, record, IOTHUB_CLIENT_CONFIRMATION_OK);
    } else {
        IOTHUBI_COUNT(client, acknowledgements_unknown, 1);
    }
}

/* For a client that never asked for anything: read in step, and left unacknowledged at its end. */
IOTHUBI_PRIVATE void iothubi_mqtt_ignore(struct iothubi_client *client, iothubi_mqtt_event event)
{
    if (event == IOTHUBI_MQTT_GOT_PUBLISH_END) {
        IOTHUBI_TRACE(client, "received PUBLISH, left unacknowledged");
        IOTHUBI_COUNT(client, received_unhandled, 1);
    } else if (event == IOTHUBI_MQTT_GOT_SUBACK || event == IOTHUBI_MQTT_GOT_UNSUBACK) {
        iothubi_break(client, IOTHUB_LAYER_PROTOCOL, IOTHUB_CODE_UNEXPECTED_PACKET, client->mqtt.parser.first);
    }
}

/* end: of the chunk, for events that have one. */
IOTHUBI_APART void iothubi_mqtt_dispatch(struct iothubi_client *client, iothubi_mqtt_event event, const unsigned char *end)
{
    if (!client->mqtt.connected && event != IOTHUBI_MQTT_GOT_CONNACK && event != IOTHUBI_MQTT_MALFORMED) {
        /* the first packet from the hub must be CONNACK [MQTT-3.2.0-1] */
        iothubi_break(client, IOTHUB_LAYER_PROTOCOL, IOTHUB_CODE_UNEXPECTED_PACKET, client->mqtt.parser.first);
        return;
    }
    switch (event) {
    case IOTHUBI_MQTT_GOT_CONNACK:
        iothubi_mqtt_got_connack(client);
        break;
    case IOTHUBI_MQTT_GOT_PUBACK:
        iothubi_mqtt_got_puback(client);
        break;
    case IOTHUBI_MQTT_GOT_PINGRESP:
        IOTHUBI_TRACE(client, "received PINGRESP");
        if (client->mqtt.ping == IOTHUBI_MQTT_PING_SENT) {
            client->mqtt.ping = IOTHUBI_MQTT_PING_NONE;
        }
        break;
    case IOTHUBI_MQTT_MALFORMED:
        iothubi_break(client, IOTHUB_LAYER_PROTOCOL, IOTHUB_CODE_MALFORMED_PACKET, client->mqtt.parser.first);
        break;
    default:
        if (IOTHUBI_RECEIVER(client) != NULL) {
            IOTHUBI_RECEIVER(client)->receive(client, event, end - client->mqtt.parser.chunk_size);
        } else {
            iothubi_mqtt_ignore(client, event);
        }
        break;
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_input(struct iothubi_client *client, const unsigned char *bytes, size_t size)
{
    const unsigned char *at = bytes, *end = bytes + size;
    iothubi_mqtt_event event;
    client->mqtt.received_tick = client->now;
    do {
        event = iothubi_mqtt_parse(&client->mqtt.parser, &at, end);
        if (event != IOTHUBI_MQTT_NEED_MORE) {
            iothubi_mqtt_dispatch(client, event, at);
        }
    } while (event != IOTHUBI_MQTT_NEED_MORE && !client->broken);
}

/* The bytes of a message that come next, in one piece. */
IOTHUBI_PRIVATE size_t iothubi_mqtt_output_message(struct iothubi_client *client, const unsigned char **bytes)
{
    iothubi_mqtt_session *session = &client->mqtt;
    size_t size = iothubi_outbox_piece(&client->outbox, iothubi_outbox_record(&client->outbox, client->outbox.next), session->part, bytes);
    if (session->promised == 0) {
        session->promised = size < IOTHUBI_IO_MAXIMUM ? size : IOTHUBI_IO_MAXIMUM;
    }
    return session->promised;
}

/* What is left of a control packet, made anew in the inbox's window. Without a receiver all of the inbox is window; the first
   bytes of a promise that was made then stay where they are: before CONNACK nothing else lies there. */
IOTHUBI_PRIVATE size_t iothubi_mqtt_output_control(struct iothubi_client *client, const unsigned char **bytes)
{
    iothubi_mqtt_session *session = &client->mqtt;
    size_t window = IOTHUBI_RECEIVER(client) == NULL ? client->inbox_size : IOTHUBI_WINDOW > session->promised ? IOTHUBI_WINDOW : session->promised;
    iothubi_writer writer;
    *bytes = client->inbox;
    iothubi_write_begin(&writer, client->inbox, session->part, window);
    switch (session->out) {
    case IOTHUBI_MQTT_OUT_CONNECT:
        iothubi_mqtt_write_packet(&writer, IOTHUBI_MQTT_CONNECT, iothubi_mqtt_write_connect, client);
        break;
    case IOTHUBI_MQTT_OUT_PING:
        iothubi_mqtt_write_header(&writer, IOTHUBI_MQTT_PINGREQ, 0);
        break;
    case IOTHUBI_MQTT_OUT_DISCONNECT:
        iothubi_mqtt_write_header(&writer, IOTHUBI_MQTT_DISCONNECT, 0);
        break;
    default:
        IOTHUBI_RECEIVER(client)->compose(&writer, client);
        break;
    }
    return iothubi_mqtt_promise_rest(session, writer.length, window < IOTHUBI_IO_MAXIMUM ? window : IOTHUBI_IO_MAXIMUM);
}

/* Control packets are never stored. */
IOTHUBI_PRIVATE size_t iothubi_mqtt_output(struct iothubi_client *client, const unsigned char **bytes)
{
    iothubi_mqtt_session *session = &client->mqtt;
    int wanted = IOTHUBI_MQTT_OUT_NOTHING;
    if (IOTHUBI_RECEIVER(client) != NULL && session->out == IOTHUBI_MQTT_OUT_NOTHING && !session->connect_wanted) {
        wanted = IOTHUBI_RECEIVER(client)->choose(client);
    }
    switch (iothubi_mqtt_session_next(session, &client->outbox, wanted)) {
    case IOTHUBI_MQTT_OUT_NOTHING:
        return 0;
    case IOTHUBI_MQTT_OUT_PUBLISH:
        return iothubi_mqtt_output_message(client, bytes);
    case IOTHUBI_MQTT_OUT_ANSWER:
        *bytes = client->methods->answers;
        return iothubi_mqtt_promise_rest(session, session->part + client->methods->answers_used, IOTHUBI_IO_MAXIMUM);
    default:
        return iothubi_mqtt_output_control(client, bytes);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_taken(struct iothubi_client *client, size_t size)
{
    iothubi_record *record;
    int out = client->mqtt.out;
    size_t left = size;
    while ((record = iothubi_mqtt_session_taken(&client->mqtt, &client->outbox, &left, client->now)) != NULL) {
        if (iothubi_is_reported(record)) {
            record->cuts = 1;                    /* it was sent once */
            IOTHUBI_RECEIVER(client)->written(client, IOTHUBI_MQTT_OUT_PUBLISH, record->size);
            continue;
        }
        IOTHUBI_COUNT(client, sent, 1);
        IOTHUBI_COUNT(client, repeated, (client->outbox.bytes[record->at] & IOTHUBI_MQTT_DUP) != 0);
        IOTHUBI_TRACE(client, "sent PUBLISH");
        if (!iothubi_mqtt_is_qos1(&client->outbox, record)) {
            iothubi_confirm(client, record, IOTHUB_CLIENT_CONFIRMATION_OK);
        }
    }
    if (out >= IOTHUBI_MQTT_OUT_SUBSCRIBE && (client->mqtt.out == IOTHUBI_MQTT_OUT_NOTHING || out == IOTHUBI_MQTT_OUT_ANSWER)) {
        IOTHUBI_RECEIVER(client)->written(client, out, size);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_timers(const struct iothubi_client *client, iothubi_timer *timer)
{
    iothubi_mqtt_session_timers(&client->mqtt, &client->mqtt_options, &client->outbox, timer);
    if (IOTHUBI_RECEIVER(client) != NULL && client->mqtt.connected) {
        IOTHUBI_RECEIVER(client)->deadlines(client, timer);
    }
}

IOTHUBI_PRIVATE void iothubi_mqtt_due(struct iothubi_client *client, int what)
{
    if (what == IOTHUB_CODE_NONE) {
        iothubi_mqtt_session_ping(&client->mqtt, client->now);
        IOTHUBI_COUNT(client, pings, 1);
        IOTHUBI_TRACE(client, "sending PINGREQ");
        return;
    }
    if (what > IOTHUBI_DUE_RETRY) {
        IOTHUBI_RECEIVER(client)->fell_due(client, what);
        return;
    }
    if (what == IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT && client->mqtt.acknowledgement_backoff < IOTHUBI_MQTT_ACKNOWLEDGEMENT_BACKOFF) {
        ++client->mqtt.acknowledgement_backoff;
    }
    iothubi_break(client, IOTHUB_LAYER_HUB, (IOTHUB_CODE)what, 0);
}

/* Has each side acknowledged all that the other one sent? */
IOTHUBI_PRIVATE int iothubi_mqtt_is_drained(struct iothubi_client *client)
{
    if (client->outbox.in_flight != 0) {
        return 0;
    }
    return IOTHUBI_RECEIVER(client) == NULL
        || (client->mqtt.out == IOTHUBI_MQTT_OUT_NOTHING && IOTHUBI_RECEIVER(client)->choose(client) == IOTHUBI_MQTT_OUT_NOTHING);
}

/* A planned end waits for the acknowledgements of both sides. */
IOTHUBI_PRIVATE int iothubi_mqtt_leave(struct iothubi_client *client, int at_once)
{
    iothubi_mqtt_session *session = &client->mqtt;
    if (session->leaving == IOTHUBI_MQTT_STAYING) {
        session->leaving = IOTHUBI_MQTT_DRAINING;
    }
    if (session->leaving == IOTHUBI_MQTT_DRAINING && (at_once || iothubi_mqtt_is_drained(client))) {
        session->leaving = IOTHUBI_MQTT_LEAVING;
    }
    return session->leaving == IOTHUBI_MQTT_LEFT;
}

IOTHUBI_PRIVATE void iothubi_mqtt_lost(struct iothubi_client *client)
{
    iothubi_mqtt_session_lost(&client->mqtt, &client->outbox);
    if (IOTHUBI_RECEIVER(client) != NULL) {
        IOTHUBI_RECEIVER(client)->cut(client);
    }
}

static const iothubi_verbs iothubi_mqtt_verbs = {
    iothubi_mqtt_accept,
    iothubi_mqtt_add,
    iothubi_mqtt_start,
    iothubi_mqtt_input,
    iothubi_mqtt_output,
    iothubi_mqtt_taken,
    iothubi_mqtt_timers,
    iothubi_mqtt_due,
    iothubi_mqtt_leave,
    iothubi_mqtt_lost
};

static const TRANSPORT_PROVIDER iothubi_mqtt_transport = { IOTHUBI_MQTT_PORT, 0, NULL };

IOTHUB_DEF const TRANSPORT_PROVIDER *MQTT_Protocol(void)
{
    return &iothubi_mqtt_transport;
}

#ifdef IOTHUB_WEBSOCKET
static IOTHUB_CONST char iothubi_mqtt_subprotocol[] = "mqtt";

IOTHUBI_PRIVATE const IOTHUB_IO *iothubi_mqtt_websocket(struct iothubi_client *client)
{
    return iothubi_websocket_begin((struct iothubi_websocket *)(void *)(client + 1), &client->platform->io, client->platform,
        iothubi_mqtt_subprotocol, IOTHUBI_GIVEN(&client->identity, IOTHUBI_X509));
}

static const TRANSPORT_PROVIDER iothubi_mqtt_websocket_transport = {
    IOTHUBI_WEBSOCKET_PORT,
    sizeof(struct iothubi_websocket),
    iothubi_mqtt_websocket
};

IOTHUBI_CHECK(websocket_bound, sizeof(struct iothubi_websocket) <= IOTHUB_WEBSOCKET_SIZE);
#endif

/* Without IOTHUB_WEBSOCKET: none, and the creators say so. */
IOTHUB_DEF const TRANSPORT_PROVIDER *MQTT_WebSocket_Protocol(void)
{
#ifdef IOTHUB_WEBSOCKET
    return &iothubi_mqtt_websocket_transport;
#else
    return NULL;
#endif
}

#endif
