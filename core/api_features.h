/* ---- api_features: public names of cloud-to-device messages, twins, methods ------------------------------------------- */
/* Setting a callback links its feature, so that a program pays for what it asks for. */
#include "api.h"
#include "../transports/mqtt/receive_messages.h"
#include "../transports/mqtt/receive_methods.h"
#include "../transports/mqtt/receive_twin.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_API_FEATURES_H)
#define IOTHUBI_API_FEATURES_H

#define IOTHUBI_INBOX_BYTES_PER_SLOT 256u        /* one kept message, or one method that is answered later, for so many */
#define IOTHUBI_SLOTS_MINIMUM 2u
#define IOTHUBI_SLOTS_MAXIMUM 16u
#define IOTHUBI_ANSWERS_MINIMUM 80u              /* an answer to a GUID without a body takes 71 */

/* Asks for something, or gives it up. */
IOTHUBI_APART void iothubi_want(struct iothubi_client *client, unsigned int bits, int wanted)
{
    iothubi_subscriptions *subscriptions = &client->subscriptions;
    subscriptions->wanted = (unsigned char)(wanted ? subscriptions->wanted | bits : subscriptions->wanted & ~bits);
    iothubi_wake(client);
}

IOTHUBI_PRIVATE void iothubi_link(struct iothubi_client *client, int index, const iothubi_feature *feature)
{
    client->receiver = &iothubi_mqtt_receiver;
    client->feature[index] = feature;
}

/* As many slots as are wanted. */
IOTHUBI_PRIVATE unsigned int iothubi_inbox_slots(const struct iothubi_client *client)
{
    size_t slots = client->inbox_size / IOTHUBI_INBOX_BYTES_PER_SLOT;
    return slots < IOTHUBI_SLOTS_MINIMUM ? IOTHUBI_SLOTS_MINIMUM : slots > IOTHUBI_SLOTS_MAXIMUM ? IOTHUBI_SLOTS_MAXIMUM : (unsigned int)slots;
}

/* ---- messages ---- */

#ifndef IOTHUB_NO_C2D

/* The tables of messages, when they are first needed; fewer slots, where the inbox is small. False: no room. */
IOTHUBI_PRIVATE int iothubi_have_mailbox(struct iothubi_client *client)
{
    unsigned int slots = iothubi_inbox_slots(client) + 1u;
    if (client->mailbox == NULL) {
        while (client->mailbox == NULL && --slots >= IOTHUBI_SLOTS_MINIMUM) {
            client->mailbox = (iothubi_mailbox *)iothubi_mqtt_carve_inbox(client, IOTHUBI_MAILBOX_SIZE(slots));
        }
        if (client->mailbox == NULL) {
            return 0;
        }
        iothubi_mailbox_begin(client->mailbox, slots);
        iothubi_link(client, IOTHUBI_FEATURE_MESSAGES, &iothubi_message_feature);
    }
    return 1;
}

/* Messages are wanted as long as somebody takes them. */
IOTHUBI_PRIVATE void iothubi_want_messages(struct iothubi_client *client)
{
    const iothubi_input *input = client->mailbox->inputs;
    while (input != NULL && input->callback == NULL) {
        input = input->next;
    }
    iothubi_want(client, IOTHUBI_WANT_MESSAGES, input != NULL || client->mailbox->message_callback != NULL);
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_set_message(struct iothubi_client *client, IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback, void *context)
{
    if (callback != NULL ? !iothubi_have_mailbox(client) : client->mailbox == NULL || client->mailbox->message_callback == NULL) {
        return IOTHUB_CLIENT_ERROR;
    }
    client->mailbox->message_callback = callback;
    client->mailbox->message_context = context;
    iothubi_want_messages(client);
    return IOTHUB_CLIENT_OK;
}

/* The handler of an input, which has one already or never had; NULL: no room for its name. */
IOTHUBI_PRIVATE iothubi_input *iothubi_find_input(struct iothubi_client *client, const char *name, int add)
{
    size_t size = IOTHUB_STRLEN(name) + 1u;
    iothubi_input *input;
    for (input = client->mailbox->inputs; input != NULL; input = input->next) {
        if (IOTHUB_STRLEN(input->name) + 1u == size && IOTHUB_MEMCMP(input->name, name, size) == 0) {
            return input;
        }
    }
    input = add ? (iothubi_input *)iothubi_mqtt_carve_inbox(client, offsetof(iothubi_input, name) + size) : NULL;
    if (input != NULL) {
        IOTHUB_MEMCPY(input->name, name, size);
        input->callback = NULL;
        input->next = client->mailbox->inputs;
        client->mailbox->inputs = input;
    }
    return input;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_set_input(struct iothubi_client *client, const char *name,
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback, void *context)
{
    iothubi_input *input;
    if (callback != NULL ? !iothubi_have_mailbox(client) : client->mailbox == NULL) {
        return IOTHUB_CLIENT_ERROR;
    }
    input = iothubi_find_input(client, name, callback != NULL);
    if (input == NULL || (callback == NULL && input->callback == NULL)) {
        return IOTHUB_CLIENT_ERROR;
    }
    input->callback = callback;
    input->context = context;
    iothubi_want_messages(client);
    return IOTHUB_CLIENT_OK;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_dispose(struct iothubi_client *client, IOTHUB_MESSAGE_HANDLE message, IOTHUBMESSAGE_DISPOSITION_RESULT disposition)
{
    iothubi_held *held = client->mailbox != NULL ? iothubi_mailbox_find(client->mailbox, message) : NULL;
    if (held == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    iothubi_message_settle(client, held, disposition == IOTHUBMESSAGE_ACCEPTED);
    iothubi_wake(client);
    return IOTHUB_CLIENT_OK;
}
#endif

/* module: is it one's? */
IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_message(struct iothubi_client *client, int module,
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback, void *context)
{
    IOTHUB_CLIENT_RESULT result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_C2D
        result = module == (IOTHUBI_MODULE_OF(&client->identity) != NULL) ? iothubi_set_message(client, callback, context) : IOTHUB_CLIENT_ERROR;
#else
        (void)module;
        (void)callback;
        (void)context;
        result = IOTHUB_CLIENT_ERROR;
#endif
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_input(struct iothubi_client *client, const char *name,
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback, void *context)
{
    IOTHUB_CLIENT_RESULT result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_C2D
        result = IOTHUBI_MODULE_OF(&client->identity) != NULL ? iothubi_set_input(client, name, callback, context) : IOTHUB_CLIENT_ERROR;
#else
        (void)name;
        (void)callback;
        (void)context;
        result = IOTHUB_CLIENT_ERROR;
#endif
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_dispose(struct iothubi_client *client, IOTHUB_MESSAGE_HANDLE message,
    IOTHUBMESSAGE_DISPOSITION_RESULT disposition)
{
    IOTHUB_CLIENT_RESULT result;
    if (message == NULL || (unsigned int)disposition >= IOTHUBMESSAGE_ASYNC_ACK) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_C2D
        result = iothubi_dispose(client, message, disposition);
#else
        result = IOTHUB_CLIENT_INVALID_ARG;
#endif
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_received_time(struct iothubi_client *client, time_t *received)
{
    IOTHUB_CLIENT_RESULT result = received != NULL ? iothubi_call(client) : IOTHUB_CLIENT_INVALID_ARG;
    if (result == IOTHUB_CLIENT_OK) {
        result = IOTHUB_CLIENT_INDEFINITE_TIME;
#ifndef IOTHUB_NO_C2D
        if (client->mailbox != NULL && client->mailbox->received_time != 0) {
            *received = (time_t)client->mailbox->received_time;
            result = IOTHUB_CLIENT_OK;
        }
#endif
        IOTHUB_UNLOCK();
    }
    return result;
}

/* ---- twin ---- */

#ifndef IOTHUB_NO_TWIN

/* The twin's state, when it is first needed. False: no room. */
IOTHUBI_PRIVATE int iothubi_have_twin(struct iothubi_client *client)
{
    if (client->twin == NULL) {
        client->twin = (iothubi_twin *)iothubi_mqtt_carve_inbox(client, sizeof *client->twin);
        if (client->twin == NULL) {
            return 0;
        }
        iothubi_link(client, IOTHUBI_FEATURE_TWIN, &iothubi_twin_feature);
        iothubi_want(client, IOTHUBI_WANT_ANSWERS, 1);
    }
    return 1;
}

IOTHUBI_PRIVATE void iothubi_set_twin_reader(struct iothubi_client *client, unsigned int reader, iothubi_function callback, int properties, void *context)
{
    iothubi_twin *twin = client->twin;
    unsigned int bit = 1u << reader;
    twin->readers[reader].callback = callback;
    twin->readers[reader].context = context;
    twin->properties = (unsigned char)(properties ? twin->properties | bit : twin->properties & ~bit);
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_set_twin(struct iothubi_client *client, iothubi_function callback, int properties, void *context)
{
    if (callback == NULL && client->twin == NULL) {
        return IOTHUB_CLIENT_OK;
    }
    if (!iothubi_have_twin(client)) {
        return IOTHUB_CLIENT_ERROR;
    }
    iothubi_set_twin_reader(client, 0, callback, properties, context);
    if (callback != NULL) {
        iothubi_twin_ask(client->twin);
    }
    iothubi_want(client, IOTHUBI_WANT_PATCHES, callback != NULL);
    return IOTHUB_CLIENT_OK;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_get_twin(struct iothubi_client *client, iothubi_function callback, int properties, void *context)
{
    if (!iothubi_have_twin(client)) {
        return IOTHUB_CLIENT_ERROR;
    }
    if (client->twin->waiting == IOTHUB_TWIN_GETS) {
        return iothubi_refuse(client, IOTHUB_CODE_OUTBOX_FULL, 0);
    }
    client->twin->waiting = (unsigned char)(client->twin->waiting + 1);
    iothubi_set_twin_reader(client, client->twin->waiting, callback, properties, context);
    iothubi_twin_ask(client->twin);
    iothubi_wake(client);
    return IOTHUB_CLIENT_OK;
}

/* A reported state is stored as the PUBLISH that it will be. */
IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_report(struct iothubi_client *client, const unsigned char *state, size_t size, iothubi_function callback, void *context)
{
    unsigned int id = iothubi_outbox_id(&client->outbox, client->outbox.count);
    size_t remaining = 2u + iothubi_part_size(iothubi_twin_write_reported_topic, &id), missing = 0;
    iothubi_writer writer;
    iothubi_record *record;
    IOTHUB_CODE code = IOTHUB_CODE_MESSAGE_TOO_LARGE;
    if (!iothubi_have_twin(client)) {
        return IOTHUB_CLIENT_ERROR;
    }
    if (!iothubi_is_over(size, IOTHUBI_HUB_MESSAGE_MAXIMUM) && size <= IOTHUBI_SIZE_MAXIMUM - remaining - 8u) {
        remaining += size;
        code = iothubi_mqtt_add_record(client, 1u + iothubi_mqtt_length_size(remaining) + remaining, IOTHUBI_RECORD_OF_REPORTED, &record, &missing);
    }
    if (code != IOTHUB_CODE_NONE) {
        return iothubi_refuse(client, code, missing);
    }
    iothubi_write_begin(&writer, client->outbox.bytes + record->at, 0, record->size);
    iothubi_mqtt_write_header(&writer, IOTHUBI_MQTT_PUBLISH, remaining);
    iothubi_mqtt_write_field(&writer, iothubi_twin_write_reported_topic, &id);
    iothubi_write(&writer, state, size);
    record->callback = callback;
    record->context = context;
    iothubi_wake(client);
    return IOTHUB_CLIENT_OK;
}
#endif

/* Who hears of the twin: everything, or (get) one document. */
IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_twin(struct iothubi_client *client, int get, iothubi_function callback, int properties, void *context)
{
    IOTHUB_CLIENT_RESULT result = get && callback == NULL ? IOTHUB_CLIENT_INVALID_ARG : iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_TWIN
        result = get ? iothubi_get_twin(client, callback, properties, context) : iothubi_set_twin(client, callback, properties, context);
#else
        (void)properties;
        (void)context;
        result = IOTHUB_CLIENT_ERROR;
#endif
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_report(struct iothubi_client *client, const unsigned char *state, size_t size,
    iothubi_function callback, void *context)
{
    IOTHUB_CLIENT_RESULT result = state != NULL && size != 0 ? iothubi_call(client) : IOTHUB_CLIENT_INVALID_ARG;
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_TWIN
        result = iothubi_report(client, state, size, callback, context);
#else
        (void)callback;
        (void)context;
        result = IOTHUB_CLIENT_ERROR;
#endif
        IOTHUB_UNLOCK();
    }
    return result;
}

/* ---- methods ---- */

#ifndef IOTHUB_NO_METHODS
#define IOTHUBI_WAY(function) function

/* The state of methods and a share of the outbox for answers, when they are first needed. False: no room. */
IOTHUBI_APART int iothubi_have_methods(struct iothubi_client *client)
{
    size_t share = client->outbox.capacity / 4u;
    if (client->methods == NULL) {
        client->methods = (iothubi_methods *)iothubi_mqtt_carve_inbox(client, sizeof *client->methods);
    }
    if (client->methods == NULL) {
        return 0;
    }
    if (client->methods->answers == NULL) {
        share = share > IOTHUBI_ANSWERS_MINIMUM ? share : IOTHUBI_ANSWERS_MINIMUM;
        client->methods->answers = iothubi_outbox_carve_end(&client->outbox, share);
        if (client->methods->answers == NULL) {
            iothubi_refuse(client, IOTHUB_CODE_OUTBOX_FULL, 0);
            return 0;
        }
        client->methods->answers_room = share;
        iothubi_link(client, IOTHUBI_FEATURE_METHODS, &iothubi_method_feature);
    }
    return 1;
}

/* Slots for calls that are answered later, when they are first needed. False: no room. */
IOTHUBI_PRIVATE int iothubi_have_pending(struct iothubi_client *client)
{
    unsigned int slots = iothubi_inbox_slots(client) + 1u;
    if (client->methods->slots == 0) {
        while (client->methods->pending == NULL && --slots >= IOTHUBI_SLOTS_MINIMUM) {
            client->methods->pending = (iothubi_pending *)iothubi_mqtt_carve_inbox(client, slots * sizeof(iothubi_pending));
        }
        if (client->methods->pending == NULL) {
            return 0;
        }
        client->methods->slots = (unsigned char)slots;
    }
    return 1;
}

/* Methods are taken in one way from now on, or no more. Commands and methods exclude each other. */
IOTHUBI_APART IOTHUB_CLIENT_RESULT iothubi_set_method(struct iothubi_client *client, iothubi_method_way way, int kinds, iothubi_function callback, void *context)
{
    int present = client->methods != NULL && client->methods->way != NULL ? (int)client->methods->kinds : 0;
    if (present == 0 ? callback == NULL : ((present ^ kinds) & IOTHUBI_METHODS_ARE_COMMANDS) != 0) {
        return IOTHUB_CLIENT_ERROR;
    }
    if (callback != NULL && (!iothubi_have_methods(client)
        || (((kinds & IOTHUBI_METHODS_ARE_LATER) != 0 || client->piece != NULL) && !iothubi_have_pending(client)))) {
        return IOTHUB_CLIENT_ERROR;
    }
    client->methods->way = callback != NULL ? way : NULL;
    client->methods->kinds = (unsigned char)kinds;
    client->methods->callback = callback;
    client->methods->context = context;
    iothubi_want(client, IOTHUBI_WANT_METHODS, callback != NULL);
    return IOTHUB_CLIENT_OK;
}

/* A slot stays taken until its answer has found room. */
IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_respond(struct iothubi_client *client, METHOD_HANDLE method, const unsigned char *response, size_t size, int status)
{
    iothubi_pending *pending = client->methods != NULL ? iothubi_method_find(client->methods, (size_t)method) : NULL;
    size_t missing;
    if (pending == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    missing = iothubi_method_answer_now(client, pending->id, status, response, size);
    if (missing != 0) {
        return iothubi_refuse(client, missing > client->methods->answers_used ? IOTHUB_CODE_OUTBOX_TOO_SMALL : IOTHUB_CODE_OUTBOX_FULL, missing);
    }
    pending->number = 0;
    iothubi_wake(client);
    return IOTHUB_CLIENT_OK;
}
#else
#define IOTHUBI_WAY(function) NULL
#endif

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_method(struct iothubi_client *client, iothubi_method_way way, int kinds,
    iothubi_function callback, void *context)
{
    IOTHUB_CLIENT_RESULT result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_METHODS
        result = iothubi_set_method(client, way, kinds, callback, context);
#else
        (void)way;
        (void)kinds;
        (void)callback;
        (void)context;
        result = IOTHUB_CLIENT_ERROR;
#endif
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_respond(struct iothubi_client *client, METHOD_HANDLE method, const unsigned char *response, size_t size, int status)
{
    IOTHUB_CLIENT_RESULT result;
    if (method == NULL || (response == NULL && size != 0) || status < 0) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_METHODS
        result = iothubi_respond(client, method, response, size, status);
#else
        result = IOTHUB_CLIENT_INVALID_ARG;
#endif
        IOTHUB_UNLOCK();
    }
    return result;
}

/* ---- pieces and credentials ---- */

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_piece(struct iothubi_client *client, IOTHUB_CLIENT_PIECE_CALLBACK callback, void *context)
{
    IOTHUB_CLIENT_RESULT result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_METHODS
        if (callback != NULL && client->methods != NULL && !iothubi_have_pending(client)) {
            IOTHUB_UNLOCK();
            return IOTHUB_CLIENT_ERROR;
        }
#endif
        client->piece = callback != NULL ? iothubi_mqtt_piece : NULL;
        client->piece_callback = callback;
        client->piece_context = context;
        IOTHUB_UNLOCK();
    }
    return result;
}

/* ---- public names ---- */

#define IOTHUBI_FAMILY(Family, Kind, HANDLE, is_module) \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SetMessageCallback(HANDLE handle, IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback, void *context) \
    { return iothubi_api_message(IOTHUBI_CLIENT_OF(handle), is_module, callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SendMessageDisposition(HANDLE handle, IOTHUB_MESSAGE_HANDLE message, \
        IOTHUBMESSAGE_DISPOSITION_RESULT disposition) \
    { return iothubi_api_dispose(IOTHUBI_CLIENT_OF(handle), message, disposition); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_GetLastMessageReceiveTime(HANDLE handle, time_t *received) \
    { return iothubi_api_received_time(IOTHUBI_CLIENT_OF(handle), received); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_Set##Kind##TwinCallback(HANDLE handle, IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK callback, void *context) \
    { return iothubi_api_twin(IOTHUBI_CLIENT_OF(handle), 0, (iothubi_function)callback, 0, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_GetTwinAsync(HANDLE handle, IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK callback, void *context) \
    { return iothubi_api_twin(IOTHUBI_CLIENT_OF(handle), 1, (iothubi_function)callback, 0, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SendReportedState(HANDLE handle, const unsigned char *state, size_t size, \
        IOTHUB_CLIENT_REPORTED_STATE_CALLBACK callback, void *context) \
    { return iothubi_api_report(IOTHUBI_CLIENT_OF(handle), state, size, (iothubi_function)callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_GetPropertiesAsync(HANDLE handle, IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK callback, void *context) \
    { return iothubi_api_twin(IOTHUBI_CLIENT_OF(handle), 1, (iothubi_function)callback, 1, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_GetPropertiesAndSubscribeToUpdatesAsync(HANDLE handle, \
        IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK callback, void *context) \
    { return iothubi_api_twin(IOTHUBI_CLIENT_OF(handle), 0, (iothubi_function)callback, 1, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SendPropertiesAsync(HANDLE handle, const unsigned char *properties, size_t size, \
        IOTHUB_CLIENT_PROPERTY_ACKNOWLEDGED_CALLBACK callback, void *context) \
    { return iothubi_api_report(IOTHUBI_CLIENT_OF(handle), properties, size, (iothubi_function)callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_Set##Kind##MethodCallback(HANDLE handle, IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC callback, void *context) \
    { return iothubi_api_method(IOTHUBI_CLIENT_OF(handle), IOTHUBI_WAY(iothubi_method_call), IOTHUBI_METHODS_ARE_METHODS, (iothubi_function)callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_Set##Kind##MethodCallback_Ex(HANDLE handle, \
        IOTHUB_CLIENT_INBOUND_DEVICE_METHOD_CALLBACK callback, void *context) \
    { return iothubi_api_method(IOTHUBI_CLIENT_OF(handle), IOTHUBI_WAY(iothubi_method_hand_over), IOTHUBI_METHODS_ARE_LATER, (iothubi_function)callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SubscribeToCommands(HANDLE handle, IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC callback, void *context) \
    { return iothubi_api_method(IOTHUBI_CLIENT_OF(handle), IOTHUBI_WAY(iothubi_method_call_command), IOTHUBI_METHODS_ARE_COMMANDS, (iothubi_function)callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_##Kind##MethodResponse(HANDLE handle, METHOD_HANDLE method, const unsigned char *response, \
        size_t size, int status) \
    { return iothubi_api_respond(IOTHUBI_CLIENT_OF(handle), method, response, size, status); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SetPieceCallback(HANDLE handle, IOTHUB_CLIENT_PIECE_CALLBACK callback, void *context) \
    { return iothubi_api_piece(IOTHUBI_CLIENT_OF(handle), callback, context); }

IOTHUBI_FAMILY(IoTHubDeviceClient, Device, IOTHUB_DEVICE_CLIENT_HANDLE, 0)
IOTHUBI_FAMILY(IoTHubModuleClient, Module, IOTHUB_MODULE_CLIENT_HANDLE, 1)
#undef IOTHUBI_FAMILY

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetInputMessageCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    const char *inputName, IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC eventHandlerCallback, void *userContextCallback)
{
    return inputName == NULL ? IoTHubModuleClient_SetMessageCallback(iotHubModuleClientHandle, eventHandlerCallback, userContextCallback)
        : iothubi_api_input(IOTHUBI_CLIENT_OF(iotHubModuleClientHandle), inputName, eventHandlerCallback, userContextCallback);
}

#endif
