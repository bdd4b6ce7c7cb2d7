/* ---- api: creation, options, and the public names over the client ------------------------------------------------- */
#include "client.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_API_H)
#define IOTHUBI_API_H

#define IOTHUBI_SECONDS_MAXIMUM 86400u           /* for timeouts in options: milliseconds stay within 31 bits, doubled twice */
#define IOTHUBI_KEEP_ALIVE_MAXIMUM 1177          /* IoT Hub's limit for clients */
#define IOTHUBI_OUTBOX_MINIMUM 64u               /* bytes beside the records */

static const IOTHUB_PLATFORM *iothubi_platform;
static struct iothubi_client *iothubi_clients;   /* the live ones: a platform serves one of them */

/* ---- creation ---- */

#if IOTHUB_POOL_CLIENTS > 0
#ifdef IOTHUB_WEBSOCKET
#define IOTHUBI_POOL_FILTER_SIZE sizeof(struct iothubi_websocket)
#else
#define IOTHUBI_POOL_FILTER_SIZE 0u
#endif
#define IOTHUBI_POOL_CLIENT_SIZE (sizeof(struct iothubi_client) + IOTHUBI_POOL_FILTER_SIZE + IOTHUB_POOL_OUTBOX + IOTHUB_POOL_INBOX + IOTHUB_POOL_TEXT)
static union iothubi_client_slot {
    struct iothubi_client client;
    unsigned char bytes[IOTHUBI_POOL_CLIENT_SIZE];
} iothubi_client_pool[IOTHUB_POOL_CLIENTS];
#endif

/* HMAC is needed for a key only. */
IOTHUBI_PRIVATE int iothubi_platform_is_complete(const IOTHUB_PLATFORM *platform)
{
    return platform != NULL && platform->io.open != NULL && platform->io.read != NULL && platform->io.write != NULL
        && platform->io.close != NULL && platform->milliseconds != NULL && platform->unix_time != NULL && platform->random != NULL;
}

IOTHUBI_PRIVATE int iothubi_platform_is_free(const IOTHUB_PLATFORM *platform)
{
    const struct iothubi_client *client = iothubi_clients;
    while (client != NULL && client->platform != platform) {
        client = client->next;
    }
    return client == NULL;
}

/* A client in place, the rest of it zero. */
IOTHUBI_PRIVATE void iothubi_start_life(struct iothubi_client *client, const TRANSPORT_PROVIDER *transport, const IOTHUB_PLATFORM *platform)
{
    client->transport = transport;
    client->platform = platform;
    client->io = transport->wrap != NULL ? transport->wrap(client) : &platform->io;
    client->running = 1;
    client->busy = 1;
    client->token_lifetime_s = 3600;
    client->open_timeout_s = 60;
    client->keep_escapes = 1;
    iothubi_retry_begin(&client->retry);
    client->mqtt_options.keep_alive_s = 180;
    client->mqtt_options.ping_timeout_s = 60;
    client->mqtt_options.connect_timeout_s = 60;
    client->mqtt_options.acknowledgement_timeout_s = 120;
    client->mqtt_options.in_flight = client->mqtt.window = 64;
    client->mqtt_options.pipelined = 1;
    client->mqtt_options.qos = 1;
    client->error.retryable = 1;                 /* nothing stands in the way */
    client->now = client->second_tick = client->state_tick = platform->milliseconds(platform->context);
    client->next = iothubi_clients;
    iothubi_clients = client;
}

/* With a key, the inbox must hold the text that is signed. */
IOTHUBI_PRIVATE size_t iothubi_inbox_needed(const iothubi_identity *identity)
{
    iothubi_writer measure;
    iothubi_write_begin(&measure, NULL, 0, 0);
    if (identity->key != NULL) {
        iothubi_write_string_to_sign(&measure, identity, 0xFFFFFFFFu);
    }
    return measure.length > IOTHUB_INBOX_MINIMUM ? measure.length : IOTHUB_INBOX_MINIMUM;
}

/* Records that the outbox is to have. */
IOTHUBI_PRIVATE unsigned int iothubi_slots(const IOTHUB_MEMORY *memory)
{
    unsigned int slots = memory->outbox_messages != 0 ? memory->outbox_messages : iothubi_outbox_default_slots(memory->outbox_size);
    return slots < IOTHUBI_OUTBOX_SLOTS_MAXIMUM ? slots : IOTHUBI_OUTBOX_SLOTS_MAXIMUM;
}

/* Is there room for all parts? NONE, or what is too small and by how much. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_check_memory(const IOTHUB_MEMORY *memory, size_t filter_size, size_t text_size, size_t *missing)
{
    unsigned int slots = iothubi_slots(memory), i;
    size_t left = memory->block != NULL ? memory->block_size : 0, parts[4];
    IOTHUB_CODE code = IOTHUB_CODE_NONE;
    if ((size_t)memory->block % IOTHUBI_ALIGNMENT != 0) {
        return IOTHUB_CODE_BLOCK_MISALIGNED;
    }
    if (memory->outbox_size < IOTHUBI_OUTBOX_MINIMUM || slots > (memory->outbox_size - IOTHUBI_OUTBOX_MINIMUM) / sizeof(iothubi_record)) {
        *missing = slots * sizeof(iothubi_record) + IOTHUBI_OUTBOX_MINIMUM - memory->outbox_size;
        return IOTHUB_CODE_OUTBOX_TOO_SMALL;
    }
    parts[0] = sizeof(struct iothubi_client) + filter_size;
    parts[1] = memory->outbox_size;
    parts[2] = memory->inbox_size;
    parts[3] = text_size;
    for (i = 0; i < 4; ++i) {
        if (parts[i] > left) {
            *missing += parts[i] - left;
            left = parts[i];
            code = IOTHUB_CODE_BLOCK_TOO_SMALL;
        }
        left -= parts[i];
    }
    return code;
}

/* Lays a block out - struct, filter, outbox, inbox, text - and reads the identity into it. */
IOTHUBI_PRIVATE void iothubi_lay_out(const IOTHUB_MEMORY *memory, size_t filter_size, iothubi_reader reader, const void *source, size_t text_size)
{
    struct iothubi_client *client = (struct iothubi_client *)memory->block;
    unsigned char *at = (unsigned char *)client + sizeof *client + filter_size;
    iothubi_writer text;
    long position;
    IOTHUB_MEMSET(client, 0, sizeof *client);
    iothubi_outbox_begin(&client->outbox, at, memory->outbox_size, iothubi_slots(memory));
    client->inbox = at += memory->outbox_size;
    client->inbox_size = memory->inbox_size;
    iothubi_write_begin(&text, at + memory->inbox_size, 0, text_size);
    reader(&client->identity, source, &text, &position);
}

/* A client in the caller's block. NONE, or what is too small and by how much. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_place(const IOTHUB_MEMORY *memory, size_t filter_size, iothubi_reader reader, const void *source, size_t text_size,
    size_t *missing)
{
    IOTHUB_CODE code = iothubi_check_memory(memory, filter_size, text_size, missing);
    size_t inbox_needed;
    if (code != IOTHUB_CODE_NONE) {
        return code;
    }
    iothubi_lay_out(memory, filter_size, reader, source, text_size);
    inbox_needed = iothubi_inbox_needed(&((struct iothubi_client *)memory->block)->identity);
    ((struct iothubi_client *)memory->block)->signing_size = inbox_needed;
    if (memory->inbox_size < inbox_needed) {
        *missing = inbox_needed - memory->inbox_size;
        return IOTHUB_CODE_INBOX_TOO_SMALL;
    }
    return IOTHUB_CODE_NONE;
}

/* The memory of a slot in the pool that no live client has. False without one. */
IOTHUBI_PRIVATE int iothubi_pool_memory(IOTHUB_MEMORY *memory)
{
#if IOTHUB_POOL_CLIENTS > 0
    unsigned int i;
    for (i = 0; i < IOTHUB_POOL_CLIENTS; ++i) {
        const struct iothubi_client *client = iothubi_clients;
        while (client != NULL && client != &iothubi_client_pool[i].client) {
            client = client->next;
        }
        if (client == NULL) {
            memory->block = &iothubi_client_pool[i];
            memory->block_size = sizeof iothubi_client_pool[i];
            memory->outbox_size = IOTHUB_POOL_OUTBOX;
            memory->inbox_size = IOTHUB_POOL_INBOX;
            memory->outbox_messages = 0;
            return 1;
        }
    }
#else
    (void)memory;
#endif
    return 0;
}

IOTHUBI_PRIVATE IOTHUB_CODE iothubi_place_in_pool(size_t filter_size, iothubi_reader reader, const void *source, size_t text_size,
    size_t *missing, struct iothubi_client **client)
{
    IOTHUB_MEMORY memory;
    IOTHUB_CODE code;
    if (!iothubi_pool_memory(&memory)) {
        return IOTHUB_CODE_POOL_EMPTY;
    }
    *client = (struct iothubi_client *)memory.block;
    code = iothubi_place(&memory, filter_size, reader, source, text_size, missing);
    return code != IOTHUB_CODE_BLOCK_TOO_SMALL ? code : IOTHUB_CODE_POOL_TOO_SMALL;
}

/* Why there is no client. */
IOTHUBI_PRIVATE struct iothubi_client *iothubi_creation_failed(IOTHUB_CODE code, long position, size_t missing)
{
    iothubi_error_set(&iothubi_creation_error, code < IOTHUB_CODE_BLOCK_MISALIGNED ? IOTHUB_LAYER_CONFIG : IOTHUB_LAYER_MEMORY, code, position);
    iothubi_creation_error.bytes_missing = missing;
    return NULL;
}

/* The room that the identity's text takes, or what is wrong with it. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_measure(iothubi_reader reader, const void *source, size_t *size, long *position)
{
    iothubi_identity identity;
    iothubi_writer measure;
    IOTHUB_CODE code = IOTHUB_CODE_HOST_NAME_MISSING;
    *position = -1;
    iothubi_write_begin(&measure, NULL, 0, 0);
    if (source != NULL) {
        code = reader(&identity, source, &measure, position);
    }
    *size = measure.length;
    return code;
}

/* memory NULL: from the pool. */
IOTHUBI_PRIVATE struct iothubi_client *iothubi_create(iothubi_reader reader, const void *source,
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol, const IOTHUB_PLATFORM *platform, const IOTHUB_MEMORY *memory)
{
    const TRANSPORT_PROVIDER *transport = protocol != NULL ? protocol() : NULL;
    struct iothubi_client *client = memory != NULL ? (struct iothubi_client *)memory->block : NULL;
    long position;
    size_t text_size, missing = 0;
    IOTHUB_CODE code = iothubi_measure(reader, source, &text_size, &position);
    if (code == IOTHUB_CODE_NONE) {
        code = transport == NULL ? IOTHUB_CODE_PROTOCOL_MISSING
            : !iothubi_platform_is_complete(platform) ? IOTHUB_CODE_PLATFORM_MISSING : IOTHUB_CODE_NONE;
    }
    if (code != IOTHUB_CODE_NONE) {
        return iothubi_creation_failed(code, position, 0);
    }
    IOTHUB_LOCK();
    code = !iothubi_platform_is_free(platform) ? IOTHUB_CODE_PLATFORM_IN_USE
        : memory != NULL ? iothubi_place(memory, transport->filter_size, reader, source, text_size, &missing)
        : iothubi_place_in_pool(transport->filter_size, reader, source, text_size, &missing, &client);
    if (code == IOTHUB_CODE_NONE && platform->hmac_sha256 == NULL && client->identity.key != NULL) {
        code = IOTHUB_CODE_PLATFORM_MISSING;
    }
    if (code == IOTHUB_CODE_NONE) {
        code = IOTHUBI_VERBS->accept(client);
    }
    if (code == IOTHUB_CODE_NONE) {
        iothubi_start_life(client, transport, platform);
    } else {
        client = iothubi_creation_failed(code, -1, missing);
    }
    IOTHUB_UNLOCK();
    return client;
}

/* For the creators that take memory. */
IOTHUBI_PRIVATE struct iothubi_client *iothubi_create_in_place(iothubi_reader reader, const void *source,
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol, const IOTHUB_PLATFORM *platform, const IOTHUB_MEMORY *memory)
{
    return memory != NULL ? iothubi_create(reader, source, protocol, platform, memory)
        : iothubi_creation_failed(IOTHUB_CODE_BLOCK_TOO_SMALL, -1, 0);
}

IOTHUB_DEF size_t IoTHub_ClientSize(const char *connectionString, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol,
    size_t outbox_size, size_t inbox_size)
{
    size_t text_size;
    long position;
    IOTHUB_CODE code = iothubi_measure(iothubi_read_string, connectionString, &text_size, &position);
    const TRANSPORT_PROVIDER *transport = protocol != NULL ? protocol() : NULL;
    if (code == IOTHUB_CODE_NONE && transport != NULL) {
        return sizeof(struct iothubi_client) + transport->filter_size + outbox_size + inbox_size + text_size;
    }
    iothubi_creation_failed(code != IOTHUB_CODE_NONE ? code : IOTHUB_CODE_PROTOCOL_MISSING, position, 0);
    return 0;
}

/* ---- calls ---- */

/* Every public call on a handle starts here and ends with IOTHUB_UNLOCK. After Destroy was called nothing is done any more. */
IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_call(struct iothubi_client *client)
{
    if (client == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    IOTHUB_LOCK();
    if (client->ending) {
        IOTHUB_UNLOCK();
        return IOTHUB_CLIENT_ERROR;
    }
    return IOTHUB_CLIENT_OK;
}

/* The handle's last act. */
IOTHUBI_PRIVATE void iothubi_end(struct iothubi_client *client)
{
    struct iothubi_client **link = &iothubi_clients;
    client->working = 1;
    if (client->state >= IOTHUBI_READY) {
        IOTHUBI_VERBS->leave(client, 1);
        iothubi_transmit(client);
    }
    iothubi_disconnect(client);
    client->state = IOTHUBI_STOPPED;
    while (client->outbox.count != 0) {
        iothubi_record *record = iothubi_outbox_record(&client->outbox, 0);
        if (iothubi_is_reported(record)) {
            IOTHUBI_RECEIVER(client)->end(client, record, record->cuts != 0 ? IOTHUBI_STATUS_NO_ANSWER : 0);
        } else {
            iothubi_confirm(client, record, IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY);
        }
    }
    if (IOTHUBI_RECEIVER(client) != NULL) {
        IOTHUBI_RECEIVER(client)->end(client, NULL, 0);
    }
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
}

IOTHUBI_PRIVATE void iothubi_api_destroy(struct iothubi_client *client)
{
    if (iothubi_call(client) != IOTHUB_CLIENT_OK) {
        return;
    }
    client->ending = 1;
    if (!client->working) {
        iothubi_end(client);
    }
    IOTHUB_UNLOCK();
}

IOTHUBI_PRIVATE void iothubi_api_work(struct iothubi_client *client)
{
    if (iothubi_call(client) != IOTHUB_CLIENT_OK) {
        return;
    }
    if (!client->working) {
        client->working = 1;
        iothubi_work(client);
        client->working = 0;
        if (client->ending) {
            iothubi_end(client);
        }
    }
    IOTHUB_UNLOCK();
}

IOTHUBI_PRIVATE uint32_t iothubi_api_next_work(struct iothubi_client *client)
{
    uint32_t left = 0;
    if (iothubi_call(client) == IOTHUB_CLIENT_OK) {
        left = iothubi_next_work(client);
        IOTHUB_UNLOCK();
    }
    return left;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_send(struct iothubi_client *client, IOTHUB_MESSAGE_HANDLE message, int kind,
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback, void *context)
{
    IOTHUB_CLIENT_RESULT result;
    if (message == NULL || (callback == NULL && context != NULL) || (kind == IOTHUBI_RECORD_OF_KEPT_EVENT && message->map.slot != 0)) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
        result = iothubi_send(client, message, kind, callback, context);
        if (client->ending && !client->working) { /* by the callback of a drop */
            iothubi_end(client);
        }
        IOTHUB_UNLOCK();
    }
    return result;
}

/* Messages that wait for their confirmation; what the twin has in the outbox is none. */
IOTHUBI_PRIVATE unsigned int iothubi_messages_waiting(const struct iothubi_client *client)
{
    unsigned int waiting = 0, i;
    for (i = 0; i < client->outbox.count; ++i) {
        const iothubi_record *record = iothubi_outbox_record(&client->outbox, i);
        waiting += record->state != IOTHUBI_RECORD_DONE && !iothubi_is_reported(record);
    }
    return waiting;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_send_status(struct iothubi_client *client, IOTHUB_CLIENT_STATUS *status)
{
    IOTHUB_CLIENT_RESULT result = status != NULL ? iothubi_call(client) : IOTHUB_CLIENT_INVALID_ARG;
    if (result == IOTHUB_CLIENT_OK) {
        *status = iothubi_messages_waiting(client) != 0 ? IOTHUB_CLIENT_SEND_STATUS_BUSY : IOTHUB_CLIENT_SEND_STATUS_IDLE;
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_status_callback(struct iothubi_client *client,
    IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK callback, void *context)
{
    IOTHUB_CLIENT_RESULT result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
        client->status_callback = callback;
        client->status_context = context;
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_set_retry(struct iothubi_client *client, IOTHUB_CLIENT_RETRY_POLICY policy, size_t limit_s)
{
    IOTHUB_CLIENT_RESULT result = (unsigned int)policy <= IOTHUB_CLIENT_RETRY_RANDOM ? iothubi_call(client) : IOTHUB_CLIENT_INVALID_ARG;
    if (result == IOTHUB_CLIENT_OK) {
        iothubi_retry_choose(&client->retry, policy, iothubi_is_over(limit_s, 0x7FFFFFFFu) ? 0x7FFFFFFFu : (uint32_t)limit_s);
        if (client->state == IOTHUBI_GAVE_UP) {
            iothubi_attempt(client);
        }
        iothubi_wake(client);                    /* the new policy has not made it wait yet */
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_get_retry(struct iothubi_client *client, IOTHUB_CLIENT_RETRY_POLICY *policy, size_t *limit_s)
{
    IOTHUB_CLIENT_RESULT result = policy != NULL && limit_s != NULL ? iothubi_call(client) : IOTHUB_CLIENT_INVALID_ARG;
    if (result == IOTHUB_CLIENT_OK) {
        *policy = (IOTHUB_CLIENT_RETRY_POLICY)client->retry.policy;
        *limit_s = (size_t)client->retry.limit_s;
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_run(struct iothubi_client *client, int running)
{
    IOTHUB_CLIENT_RESULT result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
        client->running = running != 0;
        if (running && client->state <= IOTHUBI_GAVE_UP) { /* who starts anew has not failed yet */
            client->retry.count = client->retry.answered = 0;
        }
        if (running && client->state == IOTHUBI_GAVE_UP) {
            iothubi_attempt(client);
        }
        iothubi_wake(client);
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_error(struct iothubi_client *client, IOTHUB_ERROR *error)
{
    IOTHUB_CLIENT_RESULT result;
    if (error == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    if (client == NULL) {
        *error = iothubi_creation_error;
        return IOTHUB_CLIENT_OK;
    }
    result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
        *error = client->error;
        if (client->state == IOTHUBI_WAITING) {
            uint32_t waited = client->platform->milliseconds(client->platform->context) - client->state_tick;
            error->retry_after_s = waited < client->retry.delay_ms ? (client->retry.delay_ms - waited + 999u) / 1000u : 0;
        }
        IOTHUB_UNLOCK();
    }
    return result;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_statistics(struct iothubi_client *client, IOTHUB_STATISTICS *statistics)
{
    IOTHUB_CLIENT_RESULT result = statistics != NULL ? iothubi_call(client) : IOTHUB_CLIENT_INVALID_ARG;
    if (result == IOTHUB_CLIENT_OK) {
        IOTHUB_MEMSET(statistics, 0, sizeof *statistics);
#ifndef IOTHUB_NO_STATISTICS
        IOTHUB_MEMCPY(statistics, &client->counters, sizeof client->counters);
#endif
        statistics->messages_waiting = iothubi_messages_waiting(client);
        statistics->messages_in_flight = client->outbox.in_flight;
        statistics->outbox_used = (uint32_t)iothubi_outbox_used(&client->outbox);
        statistics->outbox_capacity = (uint32_t)client->outbox.capacity;
        IOTHUB_UNLOCK();
    }
    return result;
}

/* ---- options ---- */

/* A name that the client does not know, or only guards, is the port's. */
IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_set_port_option(struct iothubi_client *client, const char *name, const void *value)
{
    const IOTHUB_IO *io = client->io;
    int result = io->set_option != NULL ? io->set_option(io->context, name, value) : 1;
    return result == 0 ? IOTHUB_CLIENT_OK : result > 0 ? IOTHUB_CLIENT_INVALID_ARG
        : iothubi_refuse(client, IOTHUB_CODE_OPTION_INVALID, 0);
}

/* What a connection was given when this state was reached changes with the next one only: ask for that. */
IOTHUBI_PRIVATE int iothubi_set_reconnect(struct iothubi_client *client, int changed, iothubi_state given)
{
    if (changed && client->state >= given) {
        client->reconnect = IOTHUBI_RECONNECT_OPTION;
        iothubi_wake(client);
    }
    return 1;
}

IOTHUBI_PRIVATE int iothubi_set_token(struct iothubi_client *client, const char *token)
{
    uint32_t expiry;
    if (!IOTHUBI_GIVEN(&client->identity, IOTHUBI_SHARED_ACCESS_SIGNATURE) || !iothubi_token_expiry(token, IOTHUB_STRLEN(token), &expiry)) {
        return 0;
    }
    client->token = token;
    return iothubi_set_reconnect(client, 1, IOTHUBI_OPENING);
}

#ifndef IOTHUB_NO_OPTIONS

/* What some of them bring along. */

/* Confirms the messages whose time is up and of which this connection was offered no byte; notes when the next is due. */
IOTHUBI_PRIVATE void iothubi_expire(struct iothubi_client *client)
{
    unsigned int left = client->outbox.count, id = client->outbox.first_id;
    client->expiring = 0;
    for (; left != 0; --left) {
        /* A confirmation's callback may send: go by packet id, new messages come after those counted here. */
        unsigned int index = iothubi_outbox_index(&client->outbox, id);
        id = id < IOTHUBI_OUTBOX_ID_LAST ? id + 1u : 1u;
        if (index < client->outbox.count) {
            iothubi_record *record = iothubi_outbox_record(&client->outbox, index);
            if (!record->expiring || record->state != IOTHUBI_RECORD_QUEUED) {
                continue;
            }
            if (record->expires - client->now - 1u >= 0x7FFFFFFFu) {
                iothubi_confirm(client, record, IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT);
            } else if (!client->expiring || record->expires - client->now < client->expiry_tick - client->now) {
                client->expiring = 1;
                client->expiry_tick = record->expires;
            }
        }
    }
}

/* Notes a new message's age limit. */
IOTHUBI_PRIVATE void iothubi_age(struct iothubi_client *client, iothubi_record *record)
{
    uint32_t now, left;
    if (record == NULL) {
        iothubi_expire(client);
        return;
    }
    now = client->platform->milliseconds(client->platform->context);
    left = client->expiry_tick - now;
    record->expiring = 1;
    record->expires = now + client->message_timeout_ms;
    if (!client->expiring || (left <= 0x7FFFFFFFu && client->message_timeout_ms < left)) { /* an overdue one stays */
        client->expiry_tick = record->expires;
    }
    client->expiring = 1;
}

/* After a loss with messages in flight they are sent one by one: the one that was alone each time is the guilty one. */
IOTHUBI_PRIVATE void iothubi_suspect_message(struct iothubi_client *client)
{
    unsigned int index = 0;
    iothubi_record *record = iothubi_outbox_record(&client->outbox, 0);
    while (iothubi_is_reported(record)) { /* in_flight says that there is another */
        record = iothubi_outbox_record(&client->outbox, ++index);
    }
    if (record->state == IOTHUBI_RECORD_SENT && ++record->cuts >= client->poison_limit) {
        IOTHUB_ERROR error;
        client->error.code = IOTHUB_CODE_POISON_MESSAGE;
        error = client->error;
        client->outbox.in_flight = 0;
        iothubi_confirm(client, record, IOTHUB_CLIENT_CONFIRMATION_ERROR);
        client->error = error;                   /* a send in the callback may have been refused */
    }
}

/* A message's end that no hub had a part in, within the call of SendEventAsync. What its callback sends drops nothing more. */
IOTHUBI_PRIVATE int iothubi_make_room(struct iothubi_client *client, IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback, void *context)
{
    iothubi_record *record = iothubi_outbox_record(&client->outbox, 0);
    unsigned char policy = client->outbox_policy, working = client->working;
    if (policy == IOTHUB_OUTBOX_DROP_OLDEST && (record->state != IOTHUBI_RECORD_QUEUED || iothubi_is_reported(record))) {
        return 0;                                /* it is on its way */
    }
    IOTHUBI_COUNT(client, dropped, 1);
    client->dropping = client->working = 1;      /* Destroy in the callback waits for the end of this call */
    if (policy == IOTHUB_OUTBOX_DROP_OLDEST) {
        iothubi_confirm(client, record, IOTHUB_CLIENT_CONFIRMATION_ERROR);
    } else {
        IOTHUBI_COUNT(client, accepted, 1);
        IOTHUBI_COUNT(client, confirmed[IOTHUB_CLIENT_CONFIRMATION_ERROR], 1);
        if (callback != NULL) {
            IOTHUB_UNLOCK();
            callback(IOTHUB_CLIENT_CONFIRMATION_ERROR, context);
            IOTHUB_LOCK();
        }
    }
    client->dropping = 0;
    client->working = working;
    return policy == IOTHUB_OUTBOX_DROP_OLDEST ? 1 : -1;
}

/* A message that never fits comes again and again. It is known by its properties and its size. */
IOTHUBI_PRIVATE int iothubi_give_up(struct iothubi_client *client)
{
    const struct MAP_HANDLE_DATA_TAG *map = &client->inbound.map;
    iothubi_mailbox *mailbox = client->mailbox;
    uint32_t hash = client->inbound.total;
    size_t lies = (size_t)(map->bytes - client->inbox), i;
    for (i = 0; i < map->used; ++i) {            /* FNV-1a */
        hash = ((hash ^ map->bytes[i]) * 16777619u) & 0xFFFFFFFFu;
    }
    if (hash != mailbox->oversize) {
        mailbox->oversize_seen = 0;
    }
    mailbox->oversize = hash;
    /* nor if nothing else lay there, nor in pieces */
    if ((lies <= client->signing_size || client->inbound.missing > lies - client->signing_size)
        && (client->piece == NULL || client->inbound.cut)) {
        mailbox->oversize_seen = (unsigned char)(mailbox->oversize_seen + 1);
    }
    return mailbox->oversize_seen >= client->oversize_limit;
}

static const iothubi_extras iothubi_option_extras = {
    iothubi_age,
    iothubi_suspect_message,
    iothubi_make_room,
    iothubi_give_up,
    iothubi_mqtt_sample,
    iothubi_mqtt_write_user_name_end,
    iothubi_mqtt_write_will
};

/* The others. */

static IOTHUB_CONST char iothubi_option_names[] =
    OPTION_MESSAGE_TIMEOUT "\0" OPTION_PRODUCT_INFO "\0" OPTION_MODEL_ID "\0" OPTION_RETRY_INTERVAL_SEC "\0"
    OPTION_RETRY_MAX_DELAY_SECS "\0" OPTION_LOG_TRACE "\0" "rawlogtrace\0" OPTION_KEEP_ALIVE "\0" OPTION_CONNECTION_TIMEOUT "\0"
    OPTION_SAS_TOKEN_LIFETIME "\0" OPTION_SAS_TOKEN_REFRESH_TIME "\0" OPTION_AUTO_URL_ENCODE_DECODE "\0"
    OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE "\0" OPTION_DO_WORK_FREQUENCY_IN_MS "\0" OPTION_X509_CERT "\0"
    OPTION_X509_PRIVATE_KEY "\0" IOTHUB_OPTION_QOS "\0" IOTHUB_OPTION_CLEAN_SESSION "\0" IOTHUB_OPTION_PING_TIMEOUT "\0"
    IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT "\0" IOTHUB_OPTION_OPEN_TIMEOUT "\0" IOTHUB_OPTION_IN_FLIGHT "\0"
    IOTHUB_OPTION_PIPELINED_START "\0" IOTHUB_OPTION_POISON_LIMIT "\0" IOTHUB_OPTION_OUTBOX_POLICY "\0"
    IOTHUB_OPTION_OVERSIZE_LIMIT "\0" IOTHUB_OPTION_SAS_TOKEN "\0" IOTHUB_OPTION_WILL "\0";

enum {                                           /* in the order of the names */
    IOTHUBI_OPTION_MESSAGE_TIMEOUT, IOTHUBI_OPTION_PRODUCT_INFO, IOTHUBI_OPTION_MODEL_ID, IOTHUBI_OPTION_RETRY_INTERVAL,
    IOTHUBI_OPTION_RETRY_MAX_DELAY, IOTHUBI_OPTION_LOG_TRACE, IOTHUBI_OPTION_RAW_LOG_TRACE, IOTHUBI_OPTION_KEEP_ALIVE, IOTHUBI_OPTION_CONNECTION_TIMEOUT,
    IOTHUBI_OPTION_TOKEN_LIFETIME, IOTHUBI_OPTION_TOKEN_REFRESH_TIME, IOTHUBI_OPTION_AUTO_URL_ENCODE,
    IOTHUBI_OPTION_SAMPLING, IOTHUBI_OPTION_DO_WORK_FREQUENCY, IOTHUBI_OPTION_X509_CERT,
    IOTHUBI_OPTION_X509_PRIVATE_KEY, IOTHUBI_OPTION_QOS, IOTHUBI_OPTION_CLEAN_SESSION, IOTHUBI_OPTION_PING_TIMEOUT,
    IOTHUBI_OPTION_ACKNOWLEDGEMENT_TIMEOUT, IOTHUBI_OPTION_OPEN_TIMEOUT, IOTHUBI_OPTION_IN_FLIGHT,
    IOTHUBI_OPTION_PIPELINED_START, IOTHUBI_OPTION_POISON_LIMIT, IOTHUBI_OPTION_OUTBOX_POLICY, IOTHUBI_OPTION_OVERSIZE_LIMIT, IOTHUBI_OPTION_SAS_TOKEN, IOTHUBI_OPTION_WILL
};

/* Each setter answers whether the value was taken. */

IOTHUBI_PRIVATE int iothubi_set_seconds(unsigned int *seconds, unsigned int value)
{
    if (value == 0 || iothubi_is_over(value, IOTHUBI_SECONDS_MAXIMUM)) {
        return 0;
    }
    *seconds = value;
    return 1;
}

IOTHUBI_PRIVATE int iothubi_set_seconds_32(uint32_t *seconds, unsigned int value)
{
    unsigned int checked;
    if (!iothubi_set_seconds(&checked, value)) {
        return 0;
    }
    *seconds = checked;
    return 1;
}

/* Text that CONNECT carries must not change while a connection is made. It is copied, at the cost of the outbox. */
IOTHUBI_PRIVATE int iothubi_set_text(struct iothubi_client *client, const char **text, const char *value)
{
    size_t size = IOTHUB_STRLEN(value) + 1u;
    unsigned char *copy = client->state < IOTHUBI_OPENING ? iothubi_outbox_carve(&client->outbox, size) : NULL;
    if (copy == NULL) {
        return 0;
    }
    IOTHUB_MEMCPY(copy, value, size);
    *text = (const char *)copy;
    return 1;
}

IOTHUBI_PRIVATE int iothubi_set_keep_alive(struct iothubi_client *client, int seconds)
{
    int changed = (int)client->mqtt_options.keep_alive_s != seconds;
    if (seconds < 0 || seconds > IOTHUBI_KEEP_ALIVE_MAXIMUM) {
        return 0;
    }
    client->mqtt_options.keep_alive_s = (unsigned short)seconds;
    return iothubi_set_reconnect(client, changed, IOTHUBI_CONNECTING);
}

IOTHUBI_PRIVATE int iothubi_set_clean_session(struct iothubi_client *client, int clean)
{
    int changed = client->mqtt_options.clean_session != clean;
    client->mqtt_options.clean_session = clean != 0;
    return iothubi_set_reconnect(client, changed, IOTHUBI_CONNECTING);
}

IOTHUBI_PRIVATE int iothubi_set_will(struct iothubi_client *client, IOTHUB_MESSAGE_HANDLE will)
{
    iothubi_mqtt_event_source source;
    source.client = client;
    source.message = will;
    source.write_sample = NULL;
    if (client->state >= IOTHUBI_OPENING || iothubi_is_over(will->body_size, IOTHUBI_MQTT_FIELD_MAXIMUM)
        || iothubi_is_over(iothubi_part_size(iothubi_mqtt_write_topic, &source), IOTHUBI_MQTT_TOPIC_MAXIMUM)) {
        return 0;
    }
    client->will = will;
    return 1;
}

IOTHUBI_PRIVATE int iothubi_set_lifetime(struct iothubi_client *client, size_t seconds)
{
    if (seconds < 5 || iothubi_is_over(seconds, 0x7FFFFFFFu)) {
        return 0;
    }
    client->token_lifetime_s = (uint32_t)seconds;
    return 1;
}

IOTHUBI_PRIVATE int iothubi_set_message_timeout(struct iothubi_client *client, tickcounter_ms_t timeout)
{
    if (timeout > 0x7FFFFFFFu) {
        return 0;
    }
    client->message_timeout_ms = timeout;
    return 1;
}

IOTHUBI_PRIVATE int iothubi_set_sampling(struct iothubi_client *client, uint32_t percentage)
{
    if (percentage > 100) {
        return 0;
    }
    client->sampling_percentage = (unsigned char)percentage;
    client->sampled = 0;
    return 1;
}

IOTHUBI_PRIVATE int iothubi_set_qos(struct iothubi_client *client, int qos)
{
    if (qos != 0 && qos != 1) {
        return 0;
    }
    client->mqtt_options.qos = (unsigned char)qos;
    return 1;
}

/* A number that fits a byte. */
IOTHUBI_PRIVATE int iothubi_set_limit(unsigned char *limit, unsigned int value, unsigned int maximum)
{
    if (value > maximum) {
        return 0;
    }
    *limit = (unsigned char)value;
    return 1;
}

IOTHUBI_PRIVATE int iothubi_set_in_flight(struct iothubi_client *client, unsigned int messages)
{
    if (messages == 0 || messages > IOTHUBI_OUTBOX_SLOTS_MAXIMUM) {
        return 0;
    }
    client->mqtt_options.in_flight = (unsigned short)messages;
    if (client->mqtt.window > messages || client->state < IOTHUBI_OPENING) {
        client->mqtt.window = (unsigned short)messages;
    }
    return 1;
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_set_option(struct iothubi_client *client, const char *name, const void *value)
{
    iothubi_mqtt_options *mqtt = &client->mqtt_options;
    iothubi_span text;
    int taken;
    client->extras = &iothubi_option_extras;
    iothubi_span_of(&text, name);
    switch (iothubi_find_name(iothubi_option_names, &text)) {
    case IOTHUBI_OPTION_MESSAGE_TIMEOUT: taken = iothubi_set_message_timeout(client, *(const tickcounter_ms_t *)value); break;
    case IOTHUBI_OPTION_PRODUCT_INFO: taken = iothubi_set_text(client, &client->product_info, (const char *)value); break;
    case IOTHUBI_OPTION_MODEL_ID: taken = client->model_id == NULL && iothubi_set_text(client, &client->model_id, (const char *)value); break;
    case IOTHUBI_OPTION_RETRY_INTERVAL: taken = iothubi_set_seconds_32(&client->retry.base_s, *(const unsigned int *)value); break;
    case IOTHUBI_OPTION_RETRY_MAX_DELAY: taken = iothubi_set_seconds_32(&client->retry.cap_s, *(const unsigned int *)value); break;
    case IOTHUBI_OPTION_RAW_LOG_TRACE:           /* raw bytes would show the token */
    case IOTHUBI_OPTION_LOG_TRACE: client->trace = *(const IOTHUB_BOOL *)value != 0; taken = 1; break;
    case IOTHUBI_OPTION_KEEP_ALIVE: taken = iothubi_set_keep_alive(client, *(const int *)value); break;
    case IOTHUBI_OPTION_CONNECTION_TIMEOUT:
        taken = *(const int *)value > 0 && iothubi_set_seconds(&mqtt->connect_timeout_s, *(const unsigned int *)value);
        break;
    case IOTHUBI_OPTION_TOKEN_LIFETIME:
    case IOTHUBI_OPTION_TOKEN_REFRESH_TIME: taken = iothubi_set_lifetime(client, *(const size_t *)value); break;
    case IOTHUBI_OPTION_AUTO_URL_ENCODE: client->keep_escapes = *(const IOTHUB_BOOL *)value == 0; taken = 1; break;
    case IOTHUBI_OPTION_SAMPLING: taken = iothubi_set_sampling(client, *(const uint32_t *)value); break;
    case IOTHUBI_OPTION_DO_WORK_FREQUENCY: taken = *(const tickcounter_ms_t *)value - 1u < 100u; break;
    case IOTHUBI_OPTION_X509_CERT:
    case IOTHUBI_OPTION_X509_PRIVATE_KEY:
        return IOTHUBI_GIVEN(&client->identity, IOTHUBI_X509)
            ? iothubi_set_port_option(client, name, value) : IOTHUB_CLIENT_INVALID_ARG;
    case IOTHUBI_OPTION_QOS: taken = iothubi_set_qos(client, *(const int *)value); break;
    case IOTHUBI_OPTION_CLEAN_SESSION: taken = iothubi_set_clean_session(client, *(const IOTHUB_BOOL *)value != 0); break;
    case IOTHUBI_OPTION_PING_TIMEOUT: taken = iothubi_set_seconds(&mqtt->ping_timeout_s, *(const unsigned int *)value); break;
    case IOTHUBI_OPTION_ACKNOWLEDGEMENT_TIMEOUT:
        taken = iothubi_set_seconds(&mqtt->acknowledgement_timeout_s, *(const unsigned int *)value);
        break;
    case IOTHUBI_OPTION_OPEN_TIMEOUT: taken = iothubi_set_seconds_32(&client->open_timeout_s, *(const unsigned int *)value); break;
    case IOTHUBI_OPTION_IN_FLIGHT: taken = iothubi_set_in_flight(client, *(const unsigned int *)value); break;
    case IOTHUBI_OPTION_PIPELINED_START: mqtt->pipelined = *(const IOTHUB_BOOL *)value != 0; taken = 1; break;
    case IOTHUBI_OPTION_POISON_LIMIT: taken = iothubi_set_limit(&client->poison_limit, *(const unsigned int *)value, 255); break;
    case IOTHUBI_OPTION_OUTBOX_POLICY:
        taken = *(const int *)value >= 0 && iothubi_set_limit(&client->outbox_policy, *(const unsigned int *)value, IOTHUB_OUTBOX_DROP_NEWEST);
        break;
    case IOTHUBI_OPTION_OVERSIZE_LIMIT:
        taken = iothubi_set_limit(&client->oversize_limit, *(const unsigned int *)value, 255);
        break;
    case IOTHUBI_OPTION_SAS_TOKEN: taken = iothubi_set_token(client, (const char *)value); break;
    case IOTHUBI_OPTION_WILL: taken = iothubi_set_will(client, (IOTHUB_MESSAGE_HANDLE)(size_t)value); break;
    default: return iothubi_set_port_option(client, name, value);
    }
    return taken ? IOTHUB_CLIENT_OK : iothubi_refuse(client, IOTHUB_CODE_OPTION_INVALID, 0);
}

#endif

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_option(struct iothubi_client *client, const char *name, const void *value)
{
    IOTHUB_CLIENT_RESULT result = name != NULL && value != NULL ? iothubi_call(client) : IOTHUB_CLIENT_INVALID_ARG;
    if (result == IOTHUB_CLIENT_OK) {
#ifndef IOTHUB_NO_OPTIONS
        result = iothubi_set_option(client, name, value);
#else
        result = iothubi_set_port_option(client, name, value);
#endif
        client->busy = 1;                        /* a deadline may be nearer now */
        IOTHUB_UNLOCK();
    }
    return result;
}

/* ---- the next credential ---- */

/* Takes the key or token that the application gives, if it is one and has the kind of the present one; a key must fit into its
   place. */
IOTHUBI_PRIVATE void iothubi_ask_credential(struct iothubi_client *client)
{
    iothubi_identity *identity = &client->identity;
    IOTHUB_CLIENT_CREDENTIAL_CALLBACK callback = client->credential_callback;
    void *context = client->credential_context;
    iothubi_span text;
    size_t size;
    const char *given;
    IOTHUB_UNLOCK();
    given = callback(client->refusals, context);
    IOTHUB_LOCK();
    if (given == NULL) {
        return;
    }
    iothubi_span_of(&text, given);
    if (identity->key != NULL) {
        size = iothubi_base64_decode(text.at, text.size, NULL);
        if (size != 0 && size <= identity->key_room) {
            iothubi_base64_decode(text.at, text.size, identity->key);
            identity->key_size = (unsigned int)size;
            return;
        }
    } else if (iothubi_set_token(client, given)) {
        client->reconnect = 0;                   /* this attempt takes it */
        return;
    }
    iothubi_error_set(&client->error, IOTHUB_LAYER_CONFIG, identity->key != NULL ? IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID
        : IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID, -1);
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_api_credential(struct iothubi_client *client, IOTHUB_CLIENT_CREDENTIAL_CALLBACK callback, void *context)
{
    IOTHUB_CLIENT_RESULT result = iothubi_call(client);
    if (result == IOTHUB_CLIENT_OK) {
        client->ask_credential = callback != NULL ? iothubi_ask_credential : NULL;
        client->credential_callback = callback;
        client->credential_context = context;
        IOTHUB_UNLOCK();
    }
    return result;
}

/* ---- public names ---- */

IOTHUB_DEF int IoTHub_Init(void)
{
    return 0;
}

IOTHUB_DEF void IoTHub_Deinit(void)
{
}

IOTHUB_DEF const char *IoTHubClient_GetVersionString(void)
{
    return IOTHUB_CLIENT_VERSION;
}

IOTHUB_DEF void IoTHub_SetPlatform(const IOTHUB_PLATFORM *platform)
{
    iothubi_platform = platform;
}

/* Device and module handles are distinct types over one struct; each family has the same functions. */
#define IOTHUBI_CLIENT_OF(handle) ((struct iothubi_client *)(void *)(handle))
#define IOTHUBI_FAMILY(Family, HANDLE) \
    IOTHUB_DEF HANDLE Family##_CreateFromConnectionString(const char *connectionString, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol) \
    { return (HANDLE)(void *)iothubi_create(iothubi_read_string, connectionString, protocol, iothubi_platform, NULL); } \
    IOTHUB_DEF HANDLE Family##_CreateInPlace(const char *connectionString, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol, \
        const IOTHUB_PLATFORM *platform, const IOTHUB_MEMORY *memory) \
    { return (HANDLE)(void *)iothubi_create_in_place(iothubi_read_string, connectionString, protocol, platform, memory); } \
    IOTHUB_DEF void Family##_Destroy(HANDLE handle) \
    { iothubi_api_destroy(IOTHUBI_CLIENT_OF(handle)); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SendEventAsync(HANDLE handle, IOTHUB_MESSAGE_HANDLE message, \
        IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback, void *context) \
    { return iothubi_api_send(IOTHUBI_CLIENT_OF(handle), message, IOTHUBI_RECORD_OF_EVENT, callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SendTelemetryAsync(HANDLE handle, IOTHUB_MESSAGE_HANDLE message, \
        IOTHUB_CLIENT_TELEMETRY_CALLBACK callback, void *context) \
    { return iothubi_api_send(IOTHUBI_CLIENT_OF(handle), message, IOTHUBI_RECORD_OF_EVENT, callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SendEventKeptAsync(HANDLE handle, IOTHUB_MESSAGE_HANDLE message, \
        IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback, void *context) \
    { return iothubi_api_send(IOTHUBI_CLIENT_OF(handle), message, IOTHUBI_RECORD_OF_KEPT_EVENT, callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SetCredentialCallback(HANDLE handle, IOTHUB_CLIENT_CREDENTIAL_CALLBACK callback, void *context) \
    { return iothubi_api_credential(IOTHUBI_CLIENT_OF(handle), callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_GetSendStatus(HANDLE handle, IOTHUB_CLIENT_STATUS *status) \
    { return iothubi_api_send_status(IOTHUBI_CLIENT_OF(handle), status); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SetConnectionStatusCallback(HANDLE handle, \
        IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK callback, void *context) \
    { return iothubi_api_status_callback(IOTHUBI_CLIENT_OF(handle), callback, context); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SetRetryPolicy(HANDLE handle, IOTHUB_CLIENT_RETRY_POLICY policy, size_t limit) \
    { return iothubi_api_set_retry(IOTHUBI_CLIENT_OF(handle), policy, limit); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_GetRetryPolicy(HANDLE handle, IOTHUB_CLIENT_RETRY_POLICY *policy, size_t *limit) \
    { return iothubi_api_get_retry(IOTHUBI_CLIENT_OF(handle), policy, limit); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_SetOption(HANDLE handle, const char *name, const void *value) \
    { return iothubi_api_option(IOTHUBI_CLIENT_OF(handle), name, value); } \
    IOTHUB_DEF void Family##_DoWork(HANDLE handle) \
    { iothubi_api_work(IOTHUBI_CLIENT_OF(handle)); } \
    IOTHUB_DEF uint32_t Family##_GetNextWork(HANDLE handle) \
    { return iothubi_api_next_work(IOTHUBI_CLIENT_OF(handle)); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_GetLastError(HANDLE handle, IOTHUB_ERROR *error) \
    { return iothubi_api_error(IOTHUBI_CLIENT_OF(handle), error); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_GetStatistics(HANDLE handle, IOTHUB_STATISTICS *statistics) \
    { return iothubi_api_statistics(IOTHUBI_CLIENT_OF(handle), statistics); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_Stop(HANDLE handle) \
    { return iothubi_api_run(IOTHUBI_CLIENT_OF(handle), 0); } \
    IOTHUB_DEF IOTHUB_CLIENT_RESULT Family##_Start(HANDLE handle) \
    { return iothubi_api_run(IOTHUBI_CLIENT_OF(handle), 1); }

IOTHUBI_FAMILY(IoTHubDeviceClient, IOTHUB_DEVICE_CLIENT_HANDLE)
IOTHUBI_FAMILY(IoTHubModuleClient, IOTHUB_MODULE_CLIENT_HANDLE)
#undef IOTHUBI_FAMILY

IOTHUB_DEF IOTHUB_DEVICE_CLIENT_HANDLE IoTHubDeviceClient_Create(const IOTHUB_CLIENT_CONFIG *config)
{
    return (IOTHUB_DEVICE_CLIENT_HANDLE)(void *)iothubi_create(iothubi_read_config, config, config != NULL ? config->protocol : NULL,
        iothubi_platform, NULL);
}

IOTHUB_DEF IOTHUB_DEVICE_CLIENT_HANDLE IoTHubDeviceClient_CreateInPlaceFromConfig(const IOTHUB_CLIENT_CONFIG *config,
    const IOTHUB_PLATFORM *platform, const IOTHUB_MEMORY *memory)
{
    return (IOTHUB_DEVICE_CLIENT_HANDLE)(void *)iothubi_create_in_place(iothubi_read_config, config,
        config != NULL ? config->protocol : NULL, platform, memory);
}

IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendEventToOutputAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle, const char *outputName,
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback, void *userContextCallback)
{
    if (iotHubModuleClientHandle == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    switch (IoTHubMessage_SetOutputName(eventMessageHandle, outputName)) {
    case IOTHUB_MESSAGE_OK:
        return IoTHubModuleClient_SendEventAsync(iotHubModuleClientHandle, eventMessageHandle, eventConfirmationCallback, userContextCallback);
    case IOTHUB_MESSAGE_INVALID_ARG:
        return IOTHUB_CLIENT_INVALID_ARG;
    default:
        return IOTHUB_CLIENT_ERROR;
    }
}

#endif
