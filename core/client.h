/* ---- client: the state machine ------------------------------------------------------------------------------------ */
/* Here alone the stream is touched. DoWork: read and dispatch, judge deadlines, take a step of the state machine, write. */
#include "transport.h"
#include "../transports/mqtt/hub.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_CLIENT_H)
#define IOTHUBI_CLIENT_H

#define IOTHUBI_DRAIN_S 10u                  /* a planned end waits so long for acknowledgements */
#define IOTHUBI_POLL_MS 10u                      /* while the stream is opening or output waits */
#define IOTHUBI_WAIT_MS 1000u                    /* between looks for entropy, clock or a new token */
#define IOTHUBI_DUE_MAXIMUM 8u                   /* deadlines judged in one DoWork */
#define IOTHUBI_CUTS_SUSPICIOUS 3u               /* short connections in a row */

/* Why a planned reconnect is wanted. */
enum { IOTHUBI_RECONNECT_OPTION = 1, IOTHUBI_RECONNECT_RENEWAL };

/* ---- the end of a connection ---- */

/* The one place where a stream is closed. */
IOTHUBI_PRIVATE void iothubi_disconnect(struct iothubi_client *client)
{
    if (client->state >= IOTHUBI_OPENING) {
        client->io->close(client->io->context);
    }
    if (client->state >= IOTHUBI_CONNECTING) {
        IOTHUBI_VERBS->lost(client);
        /* messages on their way are queued again: look at their age anew, if there can be one */
        client->expiring = IOTHUBI_OPTION(client, extras) != 0 && client->outbox.count != 0;
        client->expiry_tick = client->now;
    }
    client->blocked = client->unpushed = 0;
}

/* A new attempt, with a token of its own. */
IOTHUBI_APART void iothubi_attempt(struct iothubi_client *client)
{
    client->token_expiry = 0;
    client->renewing = client->reconnect = 0;
    iothubi_enter(client, IOTHUBI_SIGNING);
}

IOTHUBI_PRIVATE IOTHUB_CLIENT_CONNECTION_STATUS_REASON iothubi_reason(const IOTHUB_ERROR *error)
{
    switch (error->code) {
    case IOTHUB_CODE_OPEN_FAILED:
    case IOTHUB_CODE_OPEN_TIMEOUT:
    case IOTHUB_CODE_LINK_LOST:
        return IOTHUB_CLIENT_CONNECTION_NO_NETWORK;
    case IOTHUB_CODE_PING_TIMEOUT:
        return IOTHUB_CLIENT_CONNECTION_NO_PING_RESPONSE;
    case IOTHUB_CODE_CONNACK_REFUSED:
        return error->raw == 3 ? IOTHUB_CLIENT_CONNECTION_DEVICE_DISABLED
            : error->raw == 2 || error->raw == 4 || error->raw == 5 ? IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL
            : IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR;
    default:
        return IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR;
    }
}

/* A planned end is complete: no failure, no policy. */
IOTHUBI_PRIVATE void iothubi_left(struct iothubi_client *client)
{
    int renewal = client->reconnect == IOTHUBI_RECONNECT_RENEWAL;
    iothubi_disconnect(client);
    client->reconnect = 0;
    if (!client->running) {
        iothubi_enter(client, IOTHUBI_STOPPED);
        iothubi_tell_status(client, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED, IOTHUB_CLIENT_CONNECTION_OK);
        return;
    }
    IOTHUBI_COUNT(client, renewals, 1);
    iothubi_attempt(client);
    client->busy = 1;                            /* at once */
    if (renewal) {
        iothubi_tell_status(client, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED, IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN);
    }
}

/* A connection that the hub had accepted was lost after lasted_s: is that more than bad luck? Connections that never last
   hint at another client with this identity. And a message that was alone in flight each time may be what the hub closes on
   (after a loss with messages in flight they are sent one by one, so that the guilty one is found). */
IOTHUBI_PRIVATE void iothubi_suspect(struct iothubi_client *client, uint32_t lasted_s)
{
    client->cuts = (unsigned char)(lasted_s >= IOTHUBI_RETRY_LASTING_S ? 0 : client->cuts < 255 ? client->cuts + 1 : 255);
    if (client->cuts >= IOTHUBI_CUTS_SUSPICIOUS) {
        client->error.code = IOTHUB_CODE_POSSIBLE_TAKEOVER;
    }
    if (IOTHUBI_OPTION(client, poison_limit) != 0 && client->outbox.in_flight == 1) {
        client->extras->suspect(client);
    }
}

/* A failure: close, ask the retry policy, tell. A connection that fails while it drains has merely ended. */
IOTHUBI_PRIVATE void iothubi_failed(struct iothubi_client *client)
{
    iothubi_retry_kind kind = client->state >= IOTHUBI_READY ? IOTHUBI_RETRY_LOST
        : client->state >= IOTHUBI_CONNECTING || client->error.layer == IOTHUB_LAYER_HUB ? IOTHUBI_RETRY_REFUSED
        : IOTHUBI_RETRY_UNREACHED;
    uint32_t lasted_s = (client->now - client->state_tick) / 1000u; /* of use when it was READY */
    int again;
    client->broken = 0;
    if (client->state == IOTHUBI_READY && client->error.code == IOTHUB_CODE_LINK_LOST) {
        iothubi_suspect(client, lasted_s);
    }
    IOTHUB_LOG(IOTHUB_LOG_ERROR, client->error.code, IoTHub_ErrorText(&client->error));
    if (client->state == IOTHUBI_DRAINING) {
        iothubi_left(client);
        return;
    }
    if (client->error.code == IOTHUB_CODE_CONNACK_REFUSED) {
        client->refusals = (unsigned char)(client->refusals < 255 ? client->refusals + 1 : 255);
        client->credential_due = 1;
    }
    again = iothubi_retry_failed(&client->retry, client->uptime_s, kind, lasted_s, iothubi_random(client));
    iothubi_disconnect(client);
    client->error.retryable = again != 0;
    iothubi_enter(client, again ? IOTHUBI_WAITING : IOTHUBI_GAVE_UP);
    iothubi_tell_status(client, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED, iothubi_reason(&client->error));
    if (!again) {
        iothubi_tell_status(client, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED, IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED);
    }
}

/* The layer of the stream's last failure. */
IOTHUBI_PRIVATE IOTHUB_LAYER iothubi_io_layer(const struct iothubi_client *client, long *raw)
{
    const IOTHUB_IO *io = client->io;
    int layer = IOTHUB_LAYER_NONE;
    *raw = 0;
    if (io->error != NULL) {
        layer = io->error(io->context, raw);
    }
    return layer > IOTHUB_LAYER_NONE && layer <= IOTHUB_LAYER_PORT ? (IOTHUB_LAYER)layer : IOTHUB_LAYER_TCP;
}

IOTHUBI_PRIVATE void iothubi_break_io(struct iothubi_client *client, IOTHUB_CODE code)
{
    long raw;
    IOTHUB_LAYER layer = iothubi_io_layer(client, &raw);
    iothubi_break(client, layer, code, raw);
}

/* ---- on the way to a connection ---- */

/* Something is missing that only time brings; said once. */
IOTHUBI_PRIVATE void iothubi_wait(struct iothubi_client *client, IOTHUB_LAYER layer, IOTHUB_CODE code)
{
    if (client->error.code != code) {
        iothubi_error_set(&client->error, layer, code, 0);
        IOTHUB_LOG(IOTHUB_LOG_INFO, code, IoTHub_ErrorText(&client->error));
        if (code == IOTHUB_CODE_TOKEN_EXPIRED) {
            iothubi_tell_status(client, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED, IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN);
        }
    }
}

/* A wall-clock time, which ends in 2106. */
IOTHUBI_PRIVATE uint32_t iothubi_time_after(uint32_t time, uint32_t seconds)
{
    return seconds <= 0xFFFFFFFFu - time ? time + seconds : 0xFFFFFFFFu;
}

/* Renewal falls due after_s from now, by either clock: the tick may stand still in sleep, the wall clock may be set back. */
IOTHUBI_APART void iothubi_plan_renewal(struct iothubi_client *client, uint32_t wall_time, uint32_t after_s)
{
    client->renewing = 1;
    client->renew_s = client->uptime_s + after_s;
    client->renew_time = iothubi_time_after(wall_time, after_s);
}

/* A token of our own, renewed at 80 % of its lifetime less up to 10 %. True: the token is there. */
IOTHUBI_PRIVATE int iothubi_sign(struct iothubi_client *client)
{
    iothubi_writer writer;
    uint32_t life = client->token_lifetime_s, now = iothubi_wall_time(client);
    int result;
    if (now == 0) {
        client->token_expiry = 0;
        iothubi_wait(client, IOTHUB_LAYER_TIME, IOTHUB_CODE_CLOCK_UNKNOWN);
        return 0;
    }
    if (client->kept_low) {
        iothubi_wait(client, IOTHUB_LAYER_MEMORY, IOTHUB_CODE_INBOX_TOO_SMALL);
        return 0;
    }
    if (client->token_expiry == 0) {
        client->token_expiry = iothubi_time_after(now, life);
        iothubi_plan_renewal(client, now, life - life / 5u - iothubi_uniform(iothubi_random(client), life / 10u));
    }
    iothubi_write_begin(&writer, client->inbox, 0, client->inbox_size);
    iothubi_write_string_to_sign(&writer, &client->identity, client->token_expiry);
    result = client->platform->hmac_sha256(client->platform->context, client->identity.key, client->identity.key_size,
        client->inbox, (unsigned int)writer.length, client->identity.key + client->identity.key_size);
    if (result < 0) {
        iothubi_break(client, IOTHUB_LAYER_PORT, IOTHUB_CODE_HMAC_FAILED, result);
    } else if (result == 0 && now >= client->renew_time) {
        client->token_expiry = 0;                /* signing took so long that the token is old already: make another */
        client->busy = 1;
        return 0;
    }
    return result == 0;
}

/* A token of the caller's: good until its se, if the time is known. */
IOTHUBI_PRIVATE int iothubi_check_token(struct iothubi_client *client)
{
    uint32_t now = iothubi_wall_time(client), expiry = 0;
    const char *token;
    if (client->token != NULL) {
        client->identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE] = client->token;
        client->token = NULL;
    }
    token = client->identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE];
    iothubi_token_expiry(token, IOTHUB_STRLEN(token), &expiry);
    if (now != 0 && expiry <= now) {
        iothubi_wait(client, IOTHUB_LAYER_TIME, IOTHUB_CODE_TOKEN_EXPIRED);
        return 0;
    }
    if (now != 0) {
        iothubi_plan_renewal(client, now, expiry - now);
    }
    return 1;
}

IOTHUBI_APART void iothubi_step_signing(struct iothubi_client *client)
{
    if (!iothubi_seed(client)) {
        iothubi_wait(client, IOTHUB_LAYER_ENTROPY, IOTHUB_CODE_NO_ENTROPY);
        return;
    }
    if (client->credential_due && client->ask_credential != NULL) {
        client->ask_credential(client);
    }
    client->credential_due = 0;
    if (!(IOTHUBI_GIVEN(&client->identity, IOTHUBI_SHARED_ACCESS_KEY) ? iothubi_sign(client)
            : IOTHUBI_GIVEN(&client->identity, IOTHUBI_X509) || iothubi_check_token(client))) {
        return;
    }
    IOTHUBI_COUNT(client, attempts, 1);
    iothubi_enter(client, IOTHUBI_OPENING);
}

IOTHUBI_APART void iothubi_step_opening(struct iothubi_client *client)
{
    const IOTHUB_IO *io = client->io;
    const iothubi_identity *identity = &client->identity;
    int gateway = IOTHUBI_GIVEN(identity, IOTHUBI_GATEWAY_HOST_NAME);
    long raw;
    int result = io->open(io->context, identity->text[gateway ? IOTHUBI_GATEWAY_HOST_NAME : IOTHUBI_HOST_NAME],
        identity->port != 0 ? identity->port : client->transport->port);
    if (result < 0) {
        iothubi_break_io(client, IOTHUB_CODE_OPEN_FAILED);
    } else if (result > 0) {
        iothubi_enter(client, IOTHUBI_CONNECTING);
        IOTHUBI_VERBS->start(client);
    } else if (io->error != NULL) {
        int layer = io->error(io->context, &raw);
        if (layer == IOTHUB_LAYER_TIME || layer == IOTHUB_LAYER_ENTROPY) {
            iothubi_wait(client, (IOTHUB_LAYER)layer, layer == IOTHUB_LAYER_TIME ? IOTHUB_CODE_CLOCK_UNKNOWN : IOTHUB_CODE_NO_ENTROPY);
            client->state_tick = client->now;    /* a certificate waits for the date, a handshake for entropy: no failure of the hub's */
        }
    }
}

/* ---- the stream ---- */

/* What a read or write of at most size bytes answered: how many it moved; none too when it failed. */
IOTHUBI_PRIVATE size_t iothubi_moved(struct iothubi_client *client, int answer, size_t size)
{
    if (answer < 0) {
        iothubi_break_io(client, IOTHUB_CODE_LINK_LOST);
    } else if ((size_t)answer > size) {
        iothubi_break(client, IOTHUB_LAYER_PORT, IOTHUB_CODE_CONTRACT, answer);
    } else {
        return (size_t)answer;
    }
    return 0;
}

IOTHUBI_PRIVATE void iothubi_receive(struct iothubi_client *client)
{
    const IOTHUB_IO *io = client->io;
    size_t room = client->inbox_size < IOTHUB_WORK_READ_SIZE ? client->inbox_size : IOTHUB_WORK_READ_SIZE;
    int i;
    for (i = 0; i < IOTHUB_WORK_READS && !client->broken; ++i) {
        size_t size = iothubi_moved(client, io->read(io->context, client->inbox, (unsigned int)room), room);
        if (size == 0) {
            return;
        }
        client->heard = 1;
        IOTHUBI_COUNT(client, bytes_read, size);
        IOTHUBI_VERBS->input(client, client->inbox, size);
    }
    client->busy = !client->broken;              /* there may be more to read */
}

/* Pushes what the stream holds back, at the end of each flight. */
IOTHUBI_PRIVATE void iothubi_push(struct iothubi_client *client)
{
    const IOTHUB_IO *io = client->io;
    if (client->unpushed && !client->broken) {
        client->unpushed = iothubi_moved(client, io->write(io->context, client->inbox, 0), IOTHUBI_IO_MAXIMUM) == 0;
    }
}

IOTHUBI_PRIVATE void iothubi_transmit(struct iothubi_client *client)
{
    const IOTHUB_IO *io = client->io;
    const unsigned char *bytes = NULL;
    int i;
    client->blocked = 0;
    for (i = 0; i < IOTHUB_WORK_WRITES; ++i) {
        size_t size = IOTHUBI_VERBS->output(client, &bytes), taken;
        if (size == 0) {
            break;
        }
        taken = iothubi_moved(client, io->write(io->context, bytes, (unsigned int)size), size);
        if (taken == 0) {
            client->blocked = 1;
            break;
        }
        client->unpushed = 1;
        IOTHUBI_COUNT(client, bytes_written, taken);
        IOTHUBI_VERBS->taken(client, taken);
    }
    if (i == IOTHUB_WORK_WRITES) {
        client->busy = 1;
    }
    iothubi_push(client);
}

/* ---- deadlines ---- */

IOTHUBI_PRIVATE void iothubi_timers(const struct iothubi_client *client, iothubi_timer *timer)
{
    if (IOTHUBI_OPTION(client, expiring)) {                      /* first: of several that are due the first one counts, and this one has no ifs */
        uint32_t left = client->expiry_tick - timer->now;
        iothubi_timer_add(timer, IOTHUBI_DUE_MESSAGE, timer->now, left <= 0x7FFFFFFFu ? left : 0);
    }
    switch (client->state) {
    case IOTHUBI_WAITING:
        iothubi_timer_add(timer, IOTHUBI_DUE_RETRY, client->state_tick, client->retry.delay_ms);
        break;
    case IOTHUBI_OPENING:
        iothubi_timer_add_s(timer, IOTHUB_CODE_OPEN_TIMEOUT, client->state_tick, client->open_timeout_s);
        break;
    case IOTHUBI_DRAINING:
        iothubi_timer_add_s(timer, IOTHUBI_DUE_DRAINED, client->state_tick, IOTHUBI_DRAIN_S);
        break;
    default:
        break;
    }
    if (client->state >= IOTHUBI_CONNECTING) {
        IOTHUBI_VERBS->timers(client, timer);
    }
}

/* Seconds until the planned renewal, by whichever clock comes first: the tick may stand still in sleep, the wall clock may be
   set back. The longest span when none is planned. */
IOTHUBI_PRIVATE uint32_t iothubi_renewal_left(const struct iothubi_client *client)
{
    uint32_t left = client->renew_s - client->uptime_s, time;
    if (!client->renewing || client->state != IOTHUBI_READY) {
        return IOTHUBI_SPAN_MAXIMUM / 1000u;
    }
    time = iothubi_wall_time(client);
    if (time >= client->renew_time || left > 0x7FFFFFFFu) {
        return 0;
    }
    if (time != 0 && client->renew_time - time < left) {
        left = client->renew_time - time;
    }
    return left < IOTHUBI_SPAN_MAXIMUM / 1000u ? left : IOTHUBI_SPAN_MAXIMUM / 1000u;
}

IOTHUBI_PRIVATE void iothubi_drain(struct iothubi_client *client)
{
    iothubi_enter(client, IOTHUBI_DRAINING);
    IOTHUBI_VERBS->leave(client, 0);
}

IOTHUBI_APART void iothubi_due(struct iothubi_client *client, int what)
{
    switch (what) {
    case IOTHUBI_DUE_RETRY:
        iothubi_attempt(client);
        break;
    case IOTHUBI_DUE_MESSAGE:
        client->extras->age(client, NULL);
        break;
    case IOTHUB_CODE_OPEN_TIMEOUT:
        iothubi_break_io(client, IOTHUB_CODE_OPEN_TIMEOUT);
        break;
    default:
        IOTHUBI_VERBS->due(client, what);
        break;
    }
}

/* No liveness deadline falls in a call whose reads gave bytes: what was said to be missing may be among what is still unread. */
IOTHUBI_PRIVATE void iothubi_judge(struct iothubi_client *client)
{
    unsigned int i;
    for (i = 0; i < IOTHUBI_DUE_MAXIMUM && !client->broken; ++i) {
        iothubi_timer timer;
        iothubi_timer_begin(&timer, client->now);
        iothubi_timers(client, &timer);
        if (timer.left != 0 || timer.what == IOTHUBI_DUE_DRAINED
            || (client->heard && timer.what > IOTHUB_CODE_NONE && timer.what < IOTHUBI_DUE_RETRY)) {
            return;
        }
        iothubi_due(client, timer.what);
    }
}

/* ---- DoWork ---- */

/* Reads the clock. Seconds are counted beside it: they outlast the tick's wrap. */
IOTHUBI_PRIVATE void iothubi_tick(struct iothubi_client *client)
{
    uint32_t elapsed;
    client->now = client->platform->milliseconds(client->platform->context);
    elapsed = client->now - client->second_tick;
    if (elapsed >= 1000u) {
        uint32_t seconds = elapsed / 1000u;
        client->uptime_s += seconds;
        client->second_tick += seconds * 1000u;
        client->rest_tick = client->now;         /* the wall clock may have been set since: look at all deadlines */
        if (iothubi_renewal_left(client) == 0) {
            client->renewing = 0;
            client->reconnect = IOTHUBI_RECONNECT_RENEWAL;
        }
    }
}

/* What the caller wants: a client that is not to run goes to rest from every state. */
IOTHUBI_PRIVATE void iothubi_obey(struct iothubi_client *client)
{
    if (client->running) {
        if (client->state == IOTHUBI_STOPPED) {
            iothubi_attempt(client);
        }
    } else if (client->state == IOTHUBI_GAVE_UP) {
        iothubi_enter(client, IOTHUBI_STOPPED);
    } else if (client->state != IOTHUBI_STOPPED && client->state < IOTHUBI_READY) {
        client->broken = 0;                      /* a failure of what is given up is none */
        iothubi_disconnect(client);
        iothubi_enter(client, IOTHUBI_STOPPED);
        iothubi_tell_status(client, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED, IOTHUB_CLIENT_CONNECTION_OK);
    }
    if (client->state == IOTHUBI_READY && (client->reconnect || !client->running)) {
        iothubi_drain(client);
    }
}

/* The end of a planned connection, when all is said and pushed, or its time is over. */
IOTHUBI_PRIVATE void iothubi_step_draining(struct iothubi_client *client)
{
    int over = client->now - client->state_tick >= IOTHUBI_DRAIN_S * 1000u;
    IOTHUBI_VERBS->leave(client, over);
    iothubi_transmit(client);
    if (!client->broken && (over || (IOTHUBI_VERBS->leave(client, 0) && !client->unpushed))) {
        iothubi_left(client);
    }
}

/* Does it wait for what only calls of DoWork can bring: the stream, entropy, the clock, HMAC? */
IOTHUBI_PRIVATE int iothubi_is_polling(const struct iothubi_client *client)
{
    return client->blocked || client->unpushed || client->state == IOTHUBI_SIGNING || client->state == IOTHUBI_OPENING
        || client->state == IOTHUBI_DRAINING;
}

/* Milliseconds until the next deadline of any kind. */
IOTHUBI_APART uint32_t iothubi_rest(const struct iothubi_client *client)
{
    iothubi_timer timer;
    uint32_t renewal = iothubi_renewal_left(client); /* looked at once a second */
    iothubi_timer_begin(&timer, client->now);
    iothubi_timers(client, &timer);
    iothubi_timer_add_s(&timer, 0, client->second_tick, renewal != 0 ? renewal : 1u);
    return timer.left;
}

IOTHUBI_APART void iothubi_step(struct iothubi_client *client)
{
    iothubi_obey(client);
    if (!client->broken && client->state == IOTHUBI_SIGNING) {
        iothubi_step_signing(client);
    }
    if (!client->broken && client->state == IOTHUBI_OPENING) {
        iothubi_step_opening(client);
    }
    if (!client->broken && client->state == IOTHUBI_DRAINING) {
        iothubi_step_draining(client);
    } else if (!client->broken && client->state >= IOTHUBI_CONNECTING) {
        iothubi_transmit(client);
    }
    if (client->broken) {
        iothubi_failed(client);
    }
    client->rest_tick = client->now + iothubi_rest(client);
}

IOTHUBI_PRIVATE void iothubi_work(struct iothubi_client *client)
{
    int awake = client->busy || iothubi_is_polling(client);
    client->busy = client->heard = 0;
    iothubi_tick(client);
    if (client->state >= IOTHUBI_CONNECTING) {
        iothubi_receive(client);
    }
    if (client->now - client->rest_tick <= 0x7FFFFFFFu) {
        awake = 1;
    }
    if (awake) {
        iothubi_judge(client);
    }
    if (awake || client->heard || client->broken || client->reconnect) {
        iothubi_step(client);
    }
}

IOTHUBI_PRIVATE uint32_t iothubi_next_work(struct iothubi_client *client)
{
    uint32_t left = client->rest_tick - client->platform->milliseconds(client->platform->context);
    if (client->busy || left > 0x7FFFFFFFu) {
        return 0;
    }
    if (iothubi_is_polling(client)) {
        uint32_t poll = client->state != IOTHUBI_SIGNING || client->token_expiry != 0 ? IOTHUBI_POLL_MS : IOTHUBI_WAIT_MS;
        return poll < left ? poll : left;
    }
    return left;
}

/* ---- sending ---- */

IOTHUBI_PRIVATE IOTHUB_CLIENT_RESULT iothubi_send(struct iothubi_client *client, IOTHUB_MESSAGE_HANDLE message, int kind,
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback, void *context)
{
    iothubi_record *record;
    size_t missing;
    int awake;
    unsigned int tries = IOTHUBI_OPTION(client, outbox_policy) != IOTHUB_OUTBOX_REJECT && !client->dropping ? client->outbox.count : 0;
    IOTHUB_CODE code = IOTHUBI_VERBS->add(client, message, kind, &record, &missing);
    for (; code == IOTHUB_CODE_OUTBOX_FULL && tries != 0; --tries) {
        int made = client->extras->make_room(client, callback, context);
        if (made < 0) {
            return IOTHUB_CLIENT_OK;
        }
        code = made ? IOTHUBI_VERBS->add(client, message, kind, &record, &missing) : code;
    }
    if (code != IOTHUB_CODE_NONE) {
        IOTHUBI_COUNT(client, refused, 1);
        return iothubi_refuse(client, code, missing);
    }
    record->callback = (iothubi_function)callback;
    record->context = context;
    IOTHUBI_COUNT(client, accepted, 1);
    awake = client->state == IOTHUBI_CONNECTING || client->state == IOTHUBI_READY;
    if (IOTHUBI_OPTION(client, message_timeout_ms) != 0) {
        client->extras->age(client, record);
        awake = 1;
    }
    if (awake) {
        iothubi_wake(client);
    }
    return IOTHUB_CLIENT_OK;
}

#endif
