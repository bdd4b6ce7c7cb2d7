/* The program's messages from the cloud: each is the hub's, byte by byte and property by property; some are kept and settled
   later, out of order, twice, after a reconnect, never. */
#include "iothub_client.h"
#include "sim.h"
#include <string.h>

#define WAITS_MS 30000u
#define OWN_INPUT "in1"                          /* of three, this one has a handler of its own */
#define READ_SIZE 64u                            /* IOTHUB_WORK_READ_SIZE, as built */

static sim_delivery *delivery_of(const sim_life *life, unsigned serial)
{
    return AT(life->cloud->deliveries, sim_delivery, serial - 1u);
}

static sim_letter *letter_of(const sim_life *life, unsigned serial)
{
    return AT(life->cloud->letters, sim_letter, delivery_of(life, serial)->letter - 1u);
}

static unsigned number_of(const char *text, size_t size)
{
    unsigned number = 0;
    size_t i;
    for (i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i) {
        number = number * 10u + (unsigned)(text[i] - '0');
    }
    return number;
}

/* A message whose topic does not tell its delivery: the one whose last bytes the client just read, a read back at most. */
static unsigned serial_of_body(const sim_life *life, unsigned number)
{
    const sim_connection *c = life->stream.now;
    unsigned i;
    for (i = c != NULL ? c->first_delivery : 0; i != 0 && i <= life->cloud->deliveries.count; ++i) {
        const sim_delivery *d = delivery_of(life, i);
        if (d->letter == number && !d->handed && d->connection == c->number && d->end + READ_SIZE > c->down.taken) {
            return i;
        }
    }
    return 0;
}

static unsigned identify(sim_life *life, IOTHUB_MESSAGE_HANDLE message, const unsigned char *body, size_t size)
{
    const char *text = IoTHubMessage_GetProperty(message, "d");
    unsigned serial = text != NULL ? number_of(text, strlen(text)) : serial_of_body(life, number_of((const char *)body, size));
    if (serial == 0 || serial > life->cloud->deliveries.count) {
        fail(life, 11, "a message that the hub did not send (%s)", text != NULL ? text : "no serial");
    }
    return serial;
}

static const char *system_property(IOTHUB_MESSAGE_HANDLE message, const char *name)
{
    return strcmp(name, "$mid") == 0 ? IoTHubMessage_GetMessageId(message)
        : strcmp(name, "$cid") == 0 ? IoTHubMessage_GetCorrelationId(message)
        : strcmp(name, "$ct") == 0 ? IoTHubMessage_GetContentTypeSystemProperty(message)
        : strcmp(name, "$ce") == 0 ? IoTHubMessage_GetContentEncodingSystemProperty(message)
        : strcmp(name, "$uid") == 0 ? IoTHubMessage_GetMessageUserIdSystemProperty(message)
        : IoTHubMessage_GetProperty(message, name);
}

static void check_properties(sim_life *life, IOTHUB_MESSAGE_HANDLE message, unsigned serial)
{
    const sim_letter *letter = letter_of(life, serial);
    const sim_field *fields = bag_fields(letter->bag);
    unsigned i;
    for (i = 0; i < BAG_FIELDS && fields[i].name != NULL; ++i) {
        const char *value = system_property(message, fields[i].name);
        int null = fields[i].value[0] == '\1';
        if (null ? value != NULL && value[0] != '\0' : value == NULL || strcmp(value, fields[i].value) != 0) {
            fail(life, 11, "letter %u: property %s is \"%s\", not \"%s\"", delivery_of(life, serial)->letter, fields[i].name,
                value != NULL ? value : "(null)", null ? "(null)" : fields[i].value);
        }
    }
    if (life->setup.module) {
        const char *input = IoTHubMessage_GetInputName(message);
        char expected[16];
        sprintf(expected, "in%u", delivery_of(life, serial)->letter % 3u);
        if (input == NULL || strcmp(input, expected) != 0) fail(life, 11, "the input is %s, not %s", input != NULL ? input : "(null)", expected);
    }
}

static void check_body(sim_life *life, unsigned serial, const unsigned char *body, size_t size)
{
    static unsigned char expected[70000];
    const sim_delivery *d = delivery_of(life, serial);
    size_t whole = body_make(d->letter, letter_of(life, serial)->size, expected);
    if (size != whole || memcmp(body, expected, size) != 0) {
        fail(life, 11, "letter %u has another body (%u bytes of %u)", d->letter, (unsigned)size, (unsigned)whole);
    }
}

/* ---- deciding ---- */

static uint64_t hold_time(sim_life *life)
{
    sim_random *r = &life->program_random;
    switch (below(r, 6)) {
    case 0: return life->now;
    case 1: return life->now + between(r, 1, 1000);
    case 2: return life->now + between(r, 1000, 25000);
    case 3: return life->now + between(r, 25000, 100000);
    case 4: return life->now + between(r, 100000, 600000);
    default: return NEVER;
    }
}

static unsigned decide(sim_life *life, IOTHUB_MESSAGE_HANDLE message, unsigned serial, int whole)
{
    sim_programme *p = &life->device.programme;
    sim_delivery *d = delivery_of(life, serial);
    unsigned answer = IOTHUBMESSAGE_ACCEPTED;
    sim_hold *hold;
    if (d->handed) fail(life, 11, "delivery %u is handed over twice", serial);
    if (life->stream.now == NULL || d->connection != life->stream.now->number) fail(life, 11, "delivery %u is of another connection", serial);
    d->handed = 1;
    d->handed_at = life->now;
    if (life->faulty && chance(&life->program_random, life->setup.rejects)) {
        answer = chance(&life->program_random, 50) ? IOTHUBMESSAGE_REJECTED : IOTHUBMESSAGE_ABANDONED;
    } else if (p->hold_count < HOLDS && chance(&life->program_random, life->setup.holds)) {
        answer = IOTHUBMESSAGE_ASYNC_ACK;
        hold = &p->holds[p->hold_count++];
        hold->message = message;
        hold->delivery = serial;
        hold->at = life->faulty ? hold_time(life) : life->now + 100u;
        hold->whole = whole;
    }
    p->letters += 1;
    if (answer != IOTHUBMESSAGE_ASYNC_ACK) {
        d->decided = answer == IOTHUBMESSAGE_ACCEPTED ? DECIDED_ACCEPTED : DECIDED_OTHERWISE;
        d->decided_at = life->now;
    }
    note(life, EVENT_HANDED, d->letter, serial, answer);
    return answer;
}

static IOTHUBMESSAGE_DISPOSITION_RESULT got_message(IOTHUB_MESSAGE_HANDLE message, sim_life *life)
{
    const unsigned char *body;
    size_t size;
    unsigned serial, answer;
    if (!life->device.in_work) fail(life, 11, "a message outside DoWork");
    if (!(life->device.programme.asked & FEATURE_MESSAGES)) fail(life, 11, "a message for a callback that is not set");
    if (IoTHubMessage_GetByteArray(message, &body, &size) != IOTHUB_MESSAGE_OK) fail(life, 11, "a message without a body");
    serial = identify(life, message, body, size);
    check_body(life, serial, body, size);
    check_properties(life, message, serial);
    answer = decide(life, message, serial, 1);
    device_meddle(life);
    return (IOTHUBMESSAGE_DISPOSITION_RESULT)answer;
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    sim_life *life = (sim_life *)context;
    const char *input = IoTHubMessage_GetInputName(message);
    if (life->setup.module && input != NULL && strcmp(input, OWN_INPUT) == 0) fail(life, 11, "a message of an input with a handler of its own");
    return got_message(message, life);
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_input(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    sim_life *life = (sim_life *)context;
    const char *input = IoTHubMessage_GetInputName(message);
    if (input == NULL || strcmp(input, OWN_INPUT) != 0) fail(life, 11, "a message of another input");
    return got_message(message, life);
}

unsigned program_message_piece(sim_life *life, const IOTHUB_PIECE *piece)
{
    sim_piece *now = &life->device.programme.piece;
    if (piece->message == NULL) fail(life, 14, "a piece of a message without the message");
    if (piece->state != IOTHUB_PIECE_LAST) {
        return IOTHUBMESSAGE_ABANDONED;
    }
    now->delivery = identify(life, piece->message, bytes_front(&now->body), bytes_size(&now->body));
    check_body(life, now->delivery, bytes_front(&now->body), bytes_size(&now->body));
    check_properties(life, piece->message, now->delivery);
    return decide(life, piece->message, now->delivery, 0);
}

int program_message_ask(sim_life *life, int set)
{
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback = set ? on_message : NULL;
    IOTHUB_MODULE_CLIENT_HANDLE module = (IOTHUB_MODULE_CLIENT_HANDLE)life->device.hub;
    IOTHUB_CLIENT_RESULT result;
    if (!life->setup.module) {
        return (int)IoTHubDeviceClient_SetMessageCallback((IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub, callback, life);
    }
    result = IoTHubModuleClient_SetMessageCallback(module, callback, life);
    if (result == IOTHUB_CLIENT_OK) {
        result = IoTHubModuleClient_SetInputMessageCallback(module, OWN_INPUT, set ? on_input : NULL, life);
        if (result != IOTHUB_CLIENT_OK && set) {
            (void)IoTHubModuleClient_SetMessageCallback(module, NULL, NULL); /* no room for both: neither */
        }
    }
    return (int)result;
}

/* ---- settling later ---- */

static IOTHUB_CLIENT_RESULT dispose(sim_life *life, void *message, unsigned disposition)
{
    IOTHUB_MESSAGE_HANDLE handle = (IOTHUB_MESSAGE_HANDLE)message;
    IOTHUBMESSAGE_DISPOSITION_RESULT how = (IOTHUBMESSAGE_DISPOSITION_RESULT)disposition;
    return life->setup.module ? IoTHubModuleClient_SendMessageDisposition((IOTHUB_MODULE_CLIENT_HANDLE)life->device.hub, handle, how)
        : IoTHubDeviceClient_SendMessageDisposition((IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub, handle, how);
}

/* A kept message can still be read, whatever became of its connection; then it is released, once. */
void program_settle(sim_life *life, unsigned index, unsigned disposition, int twice)
{
    sim_programme *p = &life->device.programme;
    sim_hold hold = p->holds[index];
    sim_delivery *d = delivery_of(life, hold.delivery);
    IOTHUB_CLIENT_RESULT result;
    check_properties(life, (IOTHUB_MESSAGE_HANDLE)hold.message, hold.delivery);
    if (hold.whole) {
        const unsigned char *body;
        size_t size;
        if (IoTHubMessage_GetByteArray((IOTHUB_MESSAGE_HANDLE)hold.message, &body, &size) != IOTHUB_MESSAGE_OK) {
            fail(life, 11, "a kept message has lost its body");
        }
        check_body(life, hold.delivery, body, size);
    }
    memmove(&p->holds[index], &p->holds[index + 1], (p->hold_count - index - 1u) * sizeof hold);
    p->hold_count -= 1;
    if (dispose(life, hold.message, IOTHUBMESSAGE_ASYNC_ACK) != IOTHUB_CLIENT_INVALID_ARG) fail(life, 11, "ASYNC_ACK settles a message");
    d->decided = disposition == IOTHUBMESSAGE_ACCEPTED ? DECIDED_ACCEPTED : DECIDED_OTHERWISE;
    d->decided_at = life->now;
    result = dispose(life, hold.message, disposition);
    note(life, EVENT_SETTLES, hold.delivery, disposition, (unsigned)result);
    if (result != IOTHUB_CLIENT_OK) fail(life, 11, "SendMessageDisposition answers %d for a kept message", (int)result);
    if (twice && dispose(life, hold.message, IOTHUBMESSAGE_ACCEPTED) != IOTHUB_CLIENT_INVALID_ARG) fail(life, 11, "a message is settled twice");
}

uint64_t program_holds_due(const sim_life *life)
{
    const sim_programme *p = &life->device.programme;
    uint64_t next = NEVER;
    unsigned i;
    for (i = 0; i < p->hold_count; ++i) {
        next = p->holds[i].at < next ? p->holds[i].at : next;
    }
    return next;
}

void program_holds_work(sim_life *life)
{
    sim_programme *p = &life->device.programme;
    sim_random *r = &life->program_random;
    unsigned i = 0;
    while (i < p->hold_count) {
        if (p->holds[i].at <= life->now) {
            unsigned disposition = life->faulty && chance(r, 20) ? between(r, 1, 2) : IOTHUBMESSAGE_ACCEPTED;
            program_settle(life, i, disposition, chance(r, 30));
        } else {
            ++i;
        }
    }
}

/* What was accepted is acknowledged, 30 s later at most. */
void program_check_acknowledgements(sim_life *life)
{
    sim_connection *c = life->stream.now;
    const sim_cloud *cloud = life->cloud;
    unsigned i;
    if (c == NULL || c->first_delivery == 0 || device_state(life) != STATE_READY) {
        return;
    }
    c->scan = c->scan < c->first_delivery ? c->first_delivery : c->scan;
    while (c->scan <= cloud->deliveries.count && (delivery_of(life, c->scan)->offered || delivery_of(life, c->scan)->lapsed)) {
        c->scan += 1;
    }
    if (life->tick_was_hurt || life->setup.step != STEP_LAZY || c->hurt || bytes_size(&life->stream.remainder) != 0 || life->stream.writes != 0) {
        return;
    }
    for (i = c->scan; i <= cloud->deliveries.count; ++i) {
        const sim_delivery *d = delivery_of(life, i);
        if (d->connection == c->number && d->decided == DECIDED_ACCEPTED && !d->offered && d->decided_at + WAITS_MS + 1000u < life->now) {
            fail(life, 11, "delivery %u (letter %u) was accepted %u ms ago and is not acknowledged", i, d->letter, (unsigned)(life->now - d->decided_at));
        }
    }
}
