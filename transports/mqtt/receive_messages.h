/* ---- mqtt/receive_messages: cloud-to-device messages, and a module's inputs ------------------------------------------ */
#include "receive.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MQTT_RECEIVE_MESSAGES_H) && !defined(IOTHUB_NO_C2D)
#define IOTHUBI_MQTT_RECEIVE_MESSAGES_H

/* Whose message is it? NULL: nobody's. */
IOTHUBI_PRIVATE IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC iothubi_message_handler(const struct iothubi_client *client, void **context)
{
    const char *name = iothubi_map_get(&client->inbound.map, IOTHUBI_PROPERTY_INPUT_NAME, NULL);
    iothubi_span text;
    const iothubi_input *input;
    iothubi_span_of(&text, name);
    for (input = name != NULL ? client->mailbox->inputs : NULL; input != NULL; input = input->next) {
        if (input->callback != NULL && IOTHUB_STRLEN(input->name) == text.size && IOTHUB_MEMCMP(input->name, text.at, text.size) == 0) {
            *context = input->context;
            return input->callback;
        }
    }
    *context = client->mailbox->message_context;
    return client->mailbox->message_callback;
}

/* The packet id of what is arriving; 0 with QoS 0. */
IOTHUBI_APART unsigned int iothubi_message_id(const struct iothubi_client *client)
{
    return (client->mqtt.parser.first & IOTHUBI_MQTT_QOS1) != 0 ? client->mqtt.parser.value : 0;
}

/* What is kept leaves half of its part of the inbox to what is not; a first message may have all of it. */
IOTHUBI_PRIVATE int iothubi_message_may_be_kept(const struct iothubi_client *client)
{
    const iothubi_inbound *inbound = &client->inbound;
    const unsigned char *start = client->inbox + IOTHUBI_KEPT_FROM, *end = client->inbox + client->inbox_size;
    size_t body = inbound->body == IOTHUBI_BODY_WHOLE ? (size_t)inbound->total : 0;
    return iothubi_mailbox_end(client->mailbox, client->inbox) == client->inbox
        || (size_t)(inbound->map.bytes - start) + inbound->map.room + body <= (size_t)(end - start) / 2u;
}

IOTHUBI_PRIVATE int iothubi_message_accept(struct iothubi_client *client)
{
    iothubi_inbound *inbound = &client->inbound;
    iothubi_mailbox *mailbox = client->mailbox;
    iothubi_held *held = iothubi_mailbox_slot(mailbox);
    unsigned int id = iothubi_message_id(client);
    void *context;
    if (iothubi_message_handler(client, &context) == NULL) {
        IOTHUBI_COUNT(client, received_unhandled, 1);
        return IOTHUBI_BODY_IGNORED;
    }
    if (id != 0 && iothubi_owed_find(mailbox, id) != mailbox->owed_count) {
        return IOTHUBI_BODY_IGNORED;             /* the hub grew impatient: the application has this one already */
    }
    if (inbound->body == IOTHUBI_BODY_SKIPPED || held == NULL || iothubi_owed_is_full(mailbox) || !iothubi_message_may_be_kept(client)) {
        return IOTHUBI_BODY_SKIPPED;
    }
    iothubi_mailbox_use(mailbox, held);
    held->id = (unsigned short)id;
    held->message.map = inbound->map;
    held->message.body_size = inbound->body == IOTHUBI_BODY_WHOLE ? (size_t)inbound->total : 0;
    held->message.body = held->message.body_size != 0 ? iothubi_inbound_body(inbound) : NULL;
    inbound->handle = &held->message;
    if (id != 0) {
        iothubi_owed_add(mailbox, id);
    }
    return inbound->body;
}

/* Does a message that is kept lie where a token is signed? */
IOTHUBI_PRIVATE void iothubi_message_look_low(struct iothubi_client *client)
{
    unsigned int i;
    client->kept_low = 0;
    for (i = 0; i < client->mailbox->slots; ++i) {
        const iothubi_held *held = client->mailbox->held + i;
        if (held->used && held->message.map.bytes < client->inbox + client->signing_size) {
            client->kept_low = 1;
        }
    }
}

/* The application is done with a message. */
IOTHUBI_PRIVATE void iothubi_message_settle(struct iothubi_client *client, iothubi_held *held, int accepted)
{
    held->used = 0;
    iothubi_message_look_low(client);
    if (held->id != 0) {
        /* in DoWork the clock stands, as it does for those who look at this */
        iothubi_owed_decide(client->mailbox, held->id, accepted, client->working ? client->uptime_s : iothubi_uptime(client));
    }
}

IOTHUBI_PRIVATE void iothubi_message_deliver(struct iothubi_client *client)
{
    iothubi_inbound *inbound = &client->inbound;
    IOTHUBMESSAGE_DISPOSITION_RESULT answer = (IOTHUBMESSAGE_DISPOSITION_RESULT)inbound->answer;
    unsigned int id = iothubi_message_id(client);
    iothubi_held *held;
    if (inbound->body == IOTHUBI_BODY_SKIPPED) {
        iothubi_mqtt_skipped(client, IOTHUB_CODE_MESSAGE_SKIPPED);
        if (IOTHUBI_OPTION(client, oversize_limit) != 0 && id != 0 && !iothubi_owed_is_full(client->mailbox) && client->extras->give_up(client)) {
            iothubi_owed_add(client->mailbox, id);
            iothubi_owed_decide(client->mailbox, id, 1, client->uptime_s);
        }
        return;
    }
    client->mailbox->received_time = iothubi_wall_time(client);
    if (inbound->body == IOTHUBI_BODY_WHOLE) {
        void *context;
        IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback = iothubi_message_handler(client, &context);
        answer = IOTHUBMESSAGE_ABANDONED;
        if (callback != NULL) {                  /* it may have been given up while the body came */
            IOTHUBI_COUNT(client, received, 1);
            IOTHUB_UNLOCK();
            answer = callback((IOTHUB_MESSAGE_HANDLE)inbound->handle, context);
            IOTHUB_LOCK();
        }
    }
    IOTHUBI_COUNT(client, received, inbound->body == IOTHUBI_BODY_IN_PIECES);
    held = iothubi_mailbox_find(client->mailbox, (IOTHUB_MESSAGE_HANDLE)inbound->handle);
    if (answer != IOTHUBMESSAGE_ASYNC_ACK && held != NULL) {
        iothubi_message_settle(client, held, answer == IOTHUBMESSAGE_ACCEPTED);
    }
}

IOTHUBI_PRIVATE int iothubi_message_next(struct iothubi_client *client)
{
    iothubi_mailbox *mailbox = client->mailbox;
    uint32_t left_s = IOTHUBI_OWED_PATIENCE_S;
    if (mailbox->writing == 0) {
        unsigned int index = iothubi_owed_next(mailbox, client->uptime_s, &left_s);
        mailbox->writing = index < mailbox->owed_count ? mailbox->owed[index].id : 0;
    }
    return mailbox->writing != 0 ? IOTHUBI_MQTT_OUT_PUBACK : IOTHUBI_MQTT_OUT_NOTHING;
}

IOTHUBI_PRIVATE void iothubi_message_write(iothubi_writer *writer, const struct iothubi_client *client)
{
    iothubi_mqtt_write_acknowledgement(writer, IOTHUBI_MQTT_PUBACK, client->mailbox->writing);
}

IOTHUBI_PRIVATE void iothubi_message_taken(struct iothubi_client *client, int out, size_t size)
{
    iothubi_mailbox *mailbox = client->mailbox;
    (void)out;
    (void)size;
    iothubi_owed_remove(mailbox, iothubi_owed_find(mailbox, mailbox->writing));
    mailbox->writing = 0;
}

IOTHUBI_PRIVATE void iothubi_message_timers(const struct iothubi_client *client, iothubi_timer *timer)
{
    uint32_t left_s = 0xFFFFu;
    iothubi_owed_next(client->mailbox, client->uptime_s, &left_s);
    if (left_s != 0xFFFFu) {
        iothubi_timer_add_s(timer, IOTHUBI_DUE_PUBACK, client->second_tick, left_s);
    }
}

IOTHUBI_PRIVATE void iothubi_message_lost(struct iothubi_client *client)
{
    const iothubi_inbound *inbound = &client->inbound;
    iothubi_held *held = iothubi_mailbox_find(client->mailbox, (IOTHUB_MESSAGE_HANDLE)inbound->handle);
    if (held != NULL && inbound->map.bytes != NULL && inbound->kind == IOTHUBI_KIND_MESSAGE) {
        held->used = 0;                          /* half of it came: the application has not seen it, or was told CUT */
    }
    iothubi_mailbox_lost(client->mailbox);
    iothubi_message_look_low(client);
}

static const iothubi_feature iothubi_message_feature = {
    iothubi_message_accept,
    iothubi_message_deliver,
    iothubi_message_next,
    iothubi_message_write,
    iothubi_message_taken,
    iothubi_message_timers,
    NULL,
    iothubi_message_lost,
    NULL
};

#endif
