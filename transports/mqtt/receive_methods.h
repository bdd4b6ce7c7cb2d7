/* ---- mqtt/receive_methods: direct methods over MQTT --------------------------------------------------------------------- */
/* Answers are whole packets in a share of the outbox's memory; they go ahead of telemetry and die with the connection. */
#include "receive.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MQTT_RECEIVE_METHODS_H) && !defined(IOTHUB_NO_METHODS)
#define IOTHUBI_MQTT_RECEIVE_METHODS_H

#define IOTHUBI_METHOD_REFUSED 500               /* by the callback, or its answer is too large */
#define IOTHUBI_METHOD_NOT_TAKEN 503
#define IOTHUBI_METHOD_STATUS_SIZE (2u + 2u + sizeof "$iothub/methods/res/503/?$rid=") /* bytes of an answer without a body, but for its id */

/* ---- answers ---- */

typedef struct iothubi_method_answer_tag {
    const char *id;
    const unsigned char *body;
    size_t body_size;
    uint32_t status;
} iothubi_method_answer;

static IOTHUB_CONST char iothubi_method_answer_topic[] = "$iothub/methods/res/";
static IOTHUB_CONST char iothubi_method_answer_id[] = "/?$rid=";

IOTHUBI_PRIVATE void iothubi_method_write_topic(iothubi_writer *writer, const void *context)
{
    const iothubi_method_answer *answer = (const iothubi_method_answer *)context;
    IOTHUBI_WRITE_CONST(writer, iothubi_method_answer_topic);
    iothubi_write_decimal(writer, answer->status);
    IOTHUBI_WRITE_CONST(writer, iothubi_method_answer_id);
    iothubi_write_text(writer, answer->id);
}

IOTHUBI_PRIVATE void iothubi_method_write_body(iothubi_writer *writer, const void *context)
{
    const iothubi_method_answer *answer = (const iothubi_method_answer *)context;
    iothubi_mqtt_write_field(writer, iothubi_method_write_topic, context);
    iothubi_write(writer, answer->body, answer->body_size);
}

/* Puts an answer behind those that wait. 0, or how many bytes are missing. */
IOTHUBI_PRIVATE size_t iothubi_method_answer_now(struct iothubi_client *client, const char *id, int status, const unsigned char *body, size_t size)
{
    iothubi_methods *methods = client->methods;
    size_t room = methods->answers_room - methods->answers_used;
    iothubi_method_answer answer;
    iothubi_writer writer;
    answer.id = id;
    answer.status = (uint32_t)status;
    answer.body = body;
    answer.body_size = size;
    iothubi_write_begin(&writer, methods->answers + methods->answers_used, 0, room);
    iothubi_mqtt_write_packet(&writer, IOTHUBI_MQTT_PUBLISH, iothubi_method_write_body, &answer);
    if (writer.length > room) {
        return writer.length - room;
    }
    methods->answers_used += writer.length;
    return 0;
}

/* An answer with nothing but a status, for which there was room when the method came. */
IOTHUBI_PRIVATE void iothubi_method_answer_status(struct iothubi_client *client, const char *id, int status)
{
    iothubi_method_answer_now(client, id, status, NULL, 0);
}

/* Is there room for that? */
IOTHUBI_PRIVATE int iothubi_method_room(const struct iothubi_client *client, const char *id)
{
    return client->methods->answers_room - client->methods->answers_used >= IOTHUBI_METHOD_STATUS_SIZE + IOTHUB_STRLEN(id);
}

/* ---- what arrives ---- */

IOTHUBI_PRIVATE const char *iothubi_method_id(const struct iothubi_client *client)
{
    return iothubi_map_get(&client->inbound.map, IOTHUBI_PROPERTY_REQUEST_ID, NULL);
}

IOTHUBI_PRIVATE int iothubi_method_accept(struct iothubi_client *client)
{
    iothubi_inbound *inbound = &client->inbound;
    const char *id = iothubi_method_id(client);
    if (id == NULL || iothubi_method_room(client, id) == 0) {
        iothubi_mqtt_skipped(client, IOTHUB_CODE_METHOD_SKIPPED);
        return IOTHUBI_BODY_IGNORED;             /* it cannot be answered at all: its caller waits in vain */
    }
    if (inbound->body == IOTHUBI_BODY_SKIPPED || client->methods->way == NULL) {
        return IOTHUBI_BODY_SKIPPED;
    }
    if (client->methods->kinds == IOTHUBI_METHODS_ARE_LATER || inbound->body == IOTHUBI_BODY_IN_PIECES) {
        const iothubi_pending *pending = IOTHUB_STRLEN(id) < IOTHUBI_METHOD_ID_SIZE
            ? iothubi_method_begin(client->methods, id, client->uptime_s) : NULL;
        if (pending == NULL) {
            return IOTHUBI_BODY_SKIPPED;
        }
        inbound->handle = iothubi_method_handle(pending);
    }
    return inbound->body;
}

/* What the application answers at once: copied, then its own again. */
IOTHUBI_PRIVATE void iothubi_method_reply(struct iothubi_client *client, const char *id, int status, unsigned char *response, size_t size)
{
    size_t missing = iothubi_method_answer_now(client, id, status >= 0 ? status : IOTHUBI_METHOD_REFUSED, response, response != NULL ? size : 0);
    if (response != NULL) {
        IOTHUB_FREE(response);
    }
    if (missing != 0) {
        client->inbound.missing = missing;
        iothubi_mqtt_skipped(client, IOTHUB_CODE_METHOD_SKIPPED);
        iothubi_method_answer_status(client, id, IOTHUBI_METHOD_REFUSED);
    }
}

IOTHUBI_PRIVATE void iothubi_method_call(struct iothubi_client *client, const char *name)
{
    IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC callback = (IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC)client->methods->callback;
    void *context = client->methods->context;
    unsigned char *response = NULL;
    size_t size = 0;
    int status;
    IOTHUB_UNLOCK();
    status = callback(name, iothubi_inbound_body(&client->inbound), (size_t)client->inbound.total, &response, &size, context);
    IOTHUB_LOCK();
    iothubi_method_reply(client, iothubi_method_id(client), status, response, size);
}

/* The name of a command may start with that of its component. */
IOTHUBI_PRIVATE void iothubi_method_call_command(struct iothubi_client *client, const char *name)
{
    struct MAP_HANDLE_DATA_TAG *map = &client->inbound.map;
    IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC callback = (IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC)client->methods->callback;
    void *context = client->methods->context;
    const char *id = iothubi_method_id(client);  /* of the map as it is: a name in two parts is no entry any more */
    IOTHUB_CLIENT_COMMAND_REQUEST request;
    IOTHUB_CLIENT_COMMAND_RESPONSE response;
    iothubi_span command, component;
    IOTHUB_MEMSET(&request, 0, sizeof request);
    IOTHUB_MEMSET(&response, 0, sizeof response);
    request.structVersion = IOTHUB_CLIENT_COMMAND_REQUEST_STRUCT_VERSION_1;
    request.commandName = name;
    iothubi_span_of(&command, name);
    if (iothubi_split(&command, '*', &component)) {
        map->bytes[(size_t)(name - (const char *)map->bytes) + component.size] = '\0';
        request.componentName = name;
        request.commandName = command.at;
    }
    request.payload = iothubi_inbound_body(&client->inbound);
    request.payloadLength = (size_t)client->inbound.total;
    response.structVersion = IOTHUB_CLIENT_COMMAND_RESPONSE_STRUCT_VERSION_1;
    response.statusCode = IOTHUBI_METHOD_REFUSED;
    IOTHUB_UNLOCK();
    callback(&request, &response, context);
    IOTHUB_LOCK();
    iothubi_method_reply(client, id, response.statusCode, response.payload, response.payloadLength);
}

/* One that is answered later; a callback that fails refuses it. */
IOTHUBI_PRIVATE void iothubi_method_hand_over(struct iothubi_client *client, const char *name)
{
    IOTHUB_CLIENT_INBOUND_DEVICE_METHOD_CALLBACK callback = (IOTHUB_CLIENT_INBOUND_DEVICE_METHOD_CALLBACK)client->methods->callback;
    void *context = client->methods->context;
    METHOD_HANDLE handle = client->inbound.handle;
    iothubi_pending *pending;
    int result;
    IOTHUB_UNLOCK();
    result = callback(name, iothubi_inbound_body(&client->inbound), (size_t)client->inbound.total, handle, context);
    IOTHUB_LOCK();
    pending = iothubi_method_find(client->methods, (size_t)handle);
    if (result != 0 && pending != NULL) {
        iothubi_method_answer_status(client, pending->id, IOTHUBI_METHOD_REFUSED);
        pending->number = 0;
    }
}

IOTHUBI_PRIVATE void iothubi_method_deliver(struct iothubi_client *client)
{
    const iothubi_inbound *inbound = &client->inbound;
    iothubi_method_way way = client->methods->way;
    int later = client->methods->kinds == IOTHUBI_METHODS_ARE_LATER;
    iothubi_pending *pending;
    if (inbound->body == IOTHUBI_BODY_WHOLE && way != NULL && later == (inbound->handle != NULL)) {
        IOTHUBI_COUNT(client, received, 1);
        way(client, iothubi_map_get(&inbound->map, IOTHUBI_PROPERTY_METHOD_NAME, NULL));
    } else if (inbound->body == IOTHUBI_BODY_IN_PIECES) {
        IOTHUBI_COUNT(client, received, 1);
    } else {                                     /* it cannot be taken, or others take methods since its body came */
        iothubi_mqtt_skipped(client, IOTHUB_CODE_METHOD_SKIPPED);
        iothubi_method_answer_status(client, iothubi_method_id(client), IOTHUBI_METHOD_NOT_TAKEN);
        pending = iothubi_method_find(client->methods, (size_t)inbound->handle);
        if (pending != NULL) {                   /* nobody knows its handle */
            pending->number = 0;
        }
    }
}

/* ---- what leaves, time, and the end ---- */

IOTHUBI_PRIVATE int iothubi_method_next(struct iothubi_client *client)
{
    return client->methods->answers_used != 0 ? IOTHUBI_MQTT_OUT_ANSWER : IOTHUBI_MQTT_OUT_NOTHING;
}

IOTHUBI_PRIVATE void iothubi_method_taken(struct iothubi_client *client, int out, size_t size)
{
    iothubi_methods *methods = client->methods;
    (void)out;
    methods->answers_used -= size;
    IOTHUB_MEMMOVE(methods->answers, methods->answers + size, methods->answers_used);
}

IOTHUBI_PRIVATE void iothubi_method_timers(const struct iothubi_client *client, iothubi_timer *timer)
{
    const iothubi_pending *oldest = iothubi_method_oldest(client->methods, client->uptime_s);
    if (oldest != NULL) {
        uint32_t waited_s = client->uptime_s - oldest->since_s;
        iothubi_timer_add_s(timer, IOTHUBI_DUE_METHOD, client->second_tick,
            waited_s < IOTHUBI_METHOD_PATIENCE_S ? IOTHUBI_METHOD_PATIENCE_S - waited_s : 0);
    }
}

/* Nobody waits for their answers any more. */
IOTHUBI_PRIVATE void iothubi_method_due(struct iothubi_client *client, int what)
{
    (void)what;
    iothubi_methods_expire(client->methods, client->uptime_s);
}

IOTHUBI_PRIVATE void iothubi_method_lost(struct iothubi_client *client)
{
    iothubi_methods_lost(client->methods);
}

static const iothubi_feature iothubi_method_feature = {
    iothubi_method_accept,
    iothubi_method_deliver,
    iothubi_method_next,
    NULL,                                        /* answers are written from where they lie */
    iothubi_method_taken,
    iothubi_method_timers,
    iothubi_method_due,
    iothubi_method_lost,
    NULL
};

#endif
