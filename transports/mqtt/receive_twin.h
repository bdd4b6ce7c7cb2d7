/* ---- mqtt/receive_twin: the twin over MQTT ---------------------------------------------------------------------------- */
/* One GET at a time, after its subscriptions; reported states lie in the outbox, their packet id is their request id. */
#include "receive.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MQTT_RECEIVE_TWIN_H) && !defined(IOTHUB_NO_TWIN)
#define IOTHUBI_MQTT_RECEIVE_TWIN_H


/* ---- to the application ---- */

/* Hands a document or a patch to a reader; bytes NULL: there is none. */
IOTHUBI_PRIVATE void iothubi_twin_tell(const iothubi_twin_reader *reader, int properties, int state, const unsigned char *bytes, size_t size)
{
    IOTHUB_UNLOCK();
    if (properties) {
        IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK callback = (IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK)reader->callback;
        callback((IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE)state, bytes, size, reader->context);
    } else {
        IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK callback = (IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK)reader->callback;
        callback((DEVICE_TWIN_UPDATE_STATE)state, bytes, size, reader->context);
    }
    IOTHUB_LOCK();
}

/* The one who hears everything. */
IOTHUBI_PRIVATE void iothubi_twin_tell_first(const struct iothubi_client *client, int state, const unsigned char *bytes, size_t size)
{
    iothubi_twin_reader reader;
    reader = client->twin->readers[0];
    if (reader.callback != NULL) {               /* he may have gone while the body came */
        iothubi_twin_tell(&reader, client->twin->properties & 1, state, bytes, size);
    }
}

/* Those who wait now; who asks again in his callback waits for the next document. */
IOTHUBI_PRIVATE void iothubi_twin_tell_waiting(struct iothubi_client *client, const unsigned char *bytes, size_t size)
{
    iothubi_twin *twin = client->twin;
    unsigned int n, i;
    for (n = twin->waiting; n != 0; --n) {
        iothubi_twin_reader reader;
        unsigned int properties = twin->properties;
        reader = twin->readers[1];
        twin->waiting = (unsigned char)(twin->waiting - 1);
        for (i = 1; i <= twin->waiting; ++i) {
            twin->readers[i] = twin->readers[i + 1u];
        }
        twin->properties = (unsigned char)((properties & 1u) | (properties >> 2) << 1);
        iothubi_twin_tell(&reader, (properties & 2u) != 0, DEVICE_TWIN_UPDATE_COMPLETE, bytes, size);
    }
}

/* ---- what arrives ---- */

/* A number that the topic carries; 0: none. */
IOTHUBI_PRIVATE uint32_t iothubi_twin_number(const struct iothubi_client *client, int tag)
{
    iothubi_span text;
    uint32_t number;
    iothubi_span_of(&text, iothubi_map_get(&client->inbound.map, tag, NULL));
    return iothubi_read_decimal(text.at, text.size, &number) ? number : 0;
}

/* The time that the hub asks for, in seconds; 0: it names none. When the inbox had no room for it: a long one. */
IOTHUBI_PRIVATE uint32_t iothubi_twin_retry_after(const struct iothubi_client *client)
{
    uint32_t after_s = iothubi_twin_number(client, IOTHUBI_PROPERTY_RETRY_AFTER);
    return after_s == 0 && client->inbound.cut ? IOTHUBI_TWIN_RETRY_UNREAD_S : after_s;
}

/* The hub refused a request, or did not answer. */
IOTHUBI_PRIVATE void iothubi_twin_refused(struct iothubi_client *client, int status, uint32_t after_s)
{
    iothubi_error_set(&client->error, IOTHUB_LAYER_HUB, IOTHUB_CODE_TWIN_REFUSED, status);
    if (status == 429 || status >= 500) {
        iothubi_twin_hold(client->twin, after_s, client->now);
        client->error.retry_after_s = client->twin->held_s;
    }
    IOTHUB_LOG(IOTHUB_LOG_ERROR, IOTHUB_CODE_TWIN_REFUSED, IoTHub_ErrorText(&client->error));
}

/* There is no document. */
IOTHUBI_PRIVATE void iothubi_twin_no_document(struct iothubi_client *client, int status, uint32_t after_s)
{
    client->twin->get = IOTHUBI_GET_NONE;
    iothubi_twin_refused(client, status, after_s);
    if (iothubi_twin_is_wanted(client->twin)) {
        if (status != IOTHUBI_STATUS_NO_ANSWER && client->twin->held_s == 0) {
            iothubi_twin_hold(client->twin, after_s, client->now); /* nor 400 or 404 again and again, once a round trip */
        }
        iothubi_twin_ask(client->twin);
    }
    iothubi_twin_tell_waiting(client, NULL, 0);
}

/* The end of a reported state; without a record: of those who wait for a document. */
IOTHUBI_PRIVATE void iothubi_twin_confirm(struct iothubi_client *client, iothubi_record *record, int status)
{
    IOTHUB_CLIENT_REPORTED_STATE_CALLBACK callback;
    void *context;
    if (record == NULL) {
        iothubi_twin_tell_waiting(client, NULL, 0);
        return;
    }
    callback = (IOTHUB_CLIENT_REPORTED_STATE_CALLBACK)record->callback;
    context = record->context;
    client->twin->reported = 0;
    if (record == client->outbox.records + client->outbox.first) {
        client->mqtt.acknowledgement_tick = client->now; /* the deadline of the next one starts here */
    }
    iothubi_outbox_done(&client->outbox, record);
    if (callback != NULL) {
        IOTHUB_UNLOCK();
        callback(status, context);
        IOTHUB_LOCK();
    }
}

/* The answer to a reported state. */
IOTHUBI_PRIVATE void iothubi_twin_answered(struct iothubi_client *client, uint32_t request)
{
    unsigned int index = request <= IOTHUBI_OUTBOX_ID_LAST ? iothubi_outbox_index(&client->outbox, (unsigned int)request) : client->outbox.count;
    iothubi_record *record = iothubi_outbox_record(&client->outbox, index < client->outbox.count ? index : 0);
    int status = (int)client->inbound.status;
    if (index >= client->outbox.count || !iothubi_is_reported(record) || record->state != IOTHUBI_RECORD_SENT) {
        IOTHUBI_COUNT(client, acknowledgements_unknown, 1);
        return;
    }
    if (status >= 300) {
        iothubi_twin_refused(client, status, iothubi_twin_retry_after(client));
    }
    iothubi_twin_confirm(client, record, status);
}

IOTHUBI_PRIVATE int iothubi_twin_accept(struct iothubi_client *client)
{
    iothubi_inbound *inbound = &client->inbound;
    iothubi_twin *twin = client->twin;
    uint32_t request;
    if (inbound->kind == IOTHUBI_KIND_PATCH) {
        return iothubi_twin_patch(twin, iothubi_twin_number(client, IOTHUBI_PROPERTY_VERSION)) ? (int)inbound->body : (int)IOTHUBI_BODY_IGNORED;
    }
    request = iothubi_twin_number(client, IOTHUBI_PROPERTY_REQUEST_ID);
    if (request < IOTHUBI_TWIN_FIRST_GET) {
        iothubi_twin_answered(client, request);
    } else if (twin->get != IOTHUBI_GET_ASKED || request != iothubi_twin_request(twin)) {
        IOTHUBI_COUNT(client, acknowledgements_unknown, 1); /* of one that was given up */
    } else if (inbound->status != 200) {
        iothubi_twin_no_document(client, (int)inbound->status, iothubi_twin_retry_after(client));
    } else {
        iothubi_json_version_begin(&twin->scanner, IOTHUBI_VERSION_OF_TWIN);
        twin->get = IOTHUBI_GET_ARRIVING;        /* however slowly: the link's own deadlines watch over it now */
        return inbound->body == IOTHUBI_BODY_IN_PIECES && !iothubi_twin_is_wanted(twin) ? (int)IOTHUBI_BODY_SKIPPED : (int)inbound->body;
    }
    return IOTHUBI_BODY_IGNORED;
}

IOTHUBI_PRIVATE void iothubi_twin_deliver(struct iothubi_client *client)
{
    const iothubi_inbound *inbound = &client->inbound;
    iothubi_twin *twin = client->twin;
    int patch = inbound->kind == IOTHUBI_KIND_PATCH, whole = inbound->body == IOTHUBI_BODY_WHOLE;
    if (inbound->body == IOTHUBI_BODY_SKIPPED) {
        iothubi_mqtt_skipped(client, IOTHUB_CODE_TWIN_SKIPPED);
    }
    if (!patch && !iothubi_twin_document(twin)) {
        return;
    }
    IOTHUBI_COUNT(client, received, inbound->body != IOTHUBI_BODY_SKIPPED && (iothubi_twin_is_wanted(twin) || (!patch && twin->waiting != 0)));
    if (patch && inbound->body == IOTHUBI_BODY_SKIPPED) {
        iothubi_twin_ask(twin);
        return;
    }
    if (patch) {
        twin->version += 1u;
    }
    if (whole) {
        iothubi_twin_tell_first(client, patch ? DEVICE_TWIN_UPDATE_PARTIAL : DEVICE_TWIN_UPDATE_COMPLETE, iothubi_inbound_body(inbound), (size_t)inbound->total);
    }
    if (!patch) {
        iothubi_twin_tell_waiting(client, whole ? iothubi_inbound_body(inbound) : NULL, whole ? (size_t)inbound->total : 0);
    }
}

/* ---- what leaves ---- */

static IOTHUB_CONST char iothubi_twin_get_topic[] = "$iothub/twin/GET/?$rid=";
static IOTHUB_CONST char iothubi_twin_reported_topic[] = "$iothub/twin/PATCH/properties/reported/?$rid=";

IOTHUBI_PRIVATE void iothubi_twin_write_get_topic(iothubi_writer *writer, const void *context)
{
    IOTHUBI_WRITE_CONST(writer, iothubi_twin_get_topic);
    iothubi_write_decimal(writer, iothubi_twin_request(((const struct iothubi_client *)context)->twin));
}

IOTHUBI_PRIVATE void iothubi_twin_write_reported_topic(iothubi_writer *writer, const void *context)
{
    IOTHUBI_WRITE_CONST(writer, iothubi_twin_reported_topic);
    iothubi_write_decimal(writer, *(const unsigned int *)context);
}

IOTHUBI_PRIVATE void iothubi_twin_write_get_body(iothubi_writer *writer, const void *context)
{
    iothubi_mqtt_write_field(writer, iothubi_twin_write_get_topic, context);
}

IOTHUBI_PRIVATE void iothubi_twin_write(iothubi_writer *writer, const struct iothubi_client *client)
{
    iothubi_mqtt_write_packet(writer, IOTHUBI_MQTT_PUBLISH, iothubi_twin_write_get_body, client);
}

/* Nothing of the twin before the hub listens, and before the time that it asked for; reported states one after the other, so
   that one which is sent again after a loss does not undo a later one. */
IOTHUBI_PRIVATE int iothubi_twin_next(struct iothubi_client *client)
{
    iothubi_twin *twin = client->twin;
    const iothubi_subscriptions *subscriptions = &client->subscriptions;
    unsigned int settled = (unsigned int)subscriptions->granted | subscriptions->refused;
    int closed = (subscriptions->granted & IOTHUBI_WANT_ANSWERS) == 0 || twin->held_s != 0, waits = closed || twin->reported;
    if (client->mqtt.reported_waits && !waits) {
        client->outbox.next = 0;                 /* look again at those that waited */
    }
    client->mqtt.reported_waits = (unsigned char)waits;
    return twin->get == IOTHUBI_GET_WANTED && !closed && client->mqtt.leaving == IOTHUBI_MQTT_STAYING
        && (subscriptions->wanted & IOTHUBI_WANT_PATCHES & ~settled) == 0 ? IOTHUBI_MQTT_OUT_GET : IOTHUBI_MQTT_OUT_NOTHING;
}

/* GET was taken by the stream, or a reported state. */
IOTHUBI_PRIVATE void iothubi_twin_taken(struct iothubi_client *client, int out, size_t size)
{
    iothubi_twin *twin = client->twin;
    (void)size;
    if (out == IOTHUBI_MQTT_OUT_GET) {
        iothubi_twin_asked(twin, client->now);
        return;
    }
    twin->reported = 1;
    twin->reported_tick = client->now;
}

/* ---- time, and the end ---- */

IOTHUBI_PRIVATE void iothubi_twin_timers(const struct iothubi_client *client, iothubi_timer *timer)
{
    const iothubi_twin *twin = client->twin;
    if (twin->get == IOTHUBI_GET_ASKED) {
        iothubi_timer_add_s(timer, IOTHUBI_DUE_DOCUMENT, twin->asked_tick, IOTHUBI_TWIN_ANSWER_S);
    }
    if (twin->reported) {
        iothubi_timer_add_s(timer, IOTHUBI_DUE_REPORTED, twin->reported_tick, IOTHUBI_TWIN_ANSWER_S);
    }
    if (twin->held_s != 0) {
        iothubi_timer_add_s(timer, IOTHUBI_DUE_TWIN, twin->held_tick, twin->held_s);
    }
}

/* The reported state that was sent gets no answer any more. */
IOTHUBI_PRIVATE void iothubi_twin_reported_due(struct iothubi_client *client)
{
    unsigned int i;
    for (i = 0; i < client->outbox.count; ++i) {
        iothubi_record *record = iothubi_outbox_record(&client->outbox, i);
        if (iothubi_is_reported(record) && record->state == IOTHUBI_RECORD_SENT) {
            iothubi_twin_refused(client, IOTHUBI_STATUS_NO_ANSWER, 0);
            iothubi_twin_confirm(client, record, IOTHUBI_STATUS_NO_ANSWER);
            return;
        }
    }
}

IOTHUBI_PRIVATE void iothubi_twin_due(struct iothubi_client *client, int what)
{
    if (what == IOTHUBI_DUE_DOCUMENT) {
        iothubi_twin_no_document(client, IOTHUBI_STATUS_NO_ANSWER, 0);
    } else if (what == IOTHUBI_DUE_REPORTED) {
        iothubi_twin_reported_due(client);
    } else {
        client->twin->held_s = 0;
    }
}

IOTHUBI_PRIVATE void iothubi_twin_connection_lost(struct iothubi_client *client)
{
    iothubi_twin_lost(client->twin);
}

static const iothubi_feature iothubi_twin_feature = {
    iothubi_twin_accept,
    iothubi_twin_deliver,
    iothubi_twin_next,
    iothubi_twin_write,
    iothubi_twin_taken,
    iothubi_twin_timers,
    iothubi_twin_due,
    iothubi_twin_connection_lost,
    iothubi_twin_confirm
};

#endif
