/* The program's methods: answered at once, later, twice, never, after a reconnect; each answer is remembered, so that the hub can
   hold what it gets against it. */
#include "iothub_client.h"
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define SLOT_MS 300000u                          /* an unanswered method is forgotten */
#define AROUND_MS 3000u

static sim_method *method_of(const sim_life *life, unsigned number)
{
    return AT(life->cloud->methods, sim_method, number - 1u);
}

/* The request that this name belongs to, checked. */
static sim_method *identify(sim_life *life, const char *name)
{
    unsigned number = 0, i;
    sim_method *m;
    for (i = 1; name[0] == 'm' && name[i] >= '0' && name[i] <= '9'; ++i) {
        number = number * 10u + (unsigned)(name[i] - '0');
    }
    if (number == 0 || number > life->cloud->methods.count || name[i] != '\0') fail(life, 13, "a method that nobody invoked: %s", name);
    m = method_of(life, number);
    if (life->stream.now == NULL || m->connection != life->stream.now->number) fail(life, 13, "method %u is of another connection", number);
    return m;
}

static void check_payload(sim_life *life, const sim_method *m, const unsigned char *payload, size_t size)
{
    static char expected[METHOD_TEXT];
    if (size != method_body(m->number, m->size, expected) || memcmp(payload, expected, size) != 0) {
        fail(life, 13, "method %u has another payload", m->number);
    }
}

static void take(sim_life *life, sim_method *m)
{
    if (!life->device.in_work) fail(life, 13, "a method outside DoWork");
    if (m->handed) fail(life, 13, "method %u is handed over twice", m->number);
    m->handed = 1;
    m->handed_at = life->now;
    m->answer_at = NEVER;
    life->device.programme.methods += 1;
}

/* What the program says, this time. */
static void draw_answer(sim_life *life, sim_method *m)
{
    sim_random *r = &life->program_random;
    m->status = chance(r, 80) ? 200u : between(r, 201, 499);
    m->answer_size = chance(r, 20) ? 0 : between(r, 1, chance(r, life->setup.large) ? life->setup.outbox_bytes / 2u : 40);
}

/* ---- answered at once ---- */

static int on_method(const char *name, const unsigned char *payload, size_t size, unsigned char **response, size_t *response_size, void *context)
{
    static char text[METHOD_TEXT];
    sim_life *life = (sim_life *)context;
    sim_method *m = identify(life, name);
    int status;
    check_payload(life, m, payload, size);
    if (!(life->device.programme.asked & FEATURE_METHODS)) fail(life, 13, "a method for a callback that is not set");
    take(life, m);
    draw_answer(life, m);
    m->answered = m->at_once = 1;
    status = (int)m->status;
    *response_size = answer_body(m, text);
    *response = m->answer_size != 0 || chance(&life->program_random, 50) ? (unsigned char *)text : NULL;
    note(life, EVENT_ASKED, m->number, m->status, 0);
    device_meddle(life);
    return status;
}

/* ---- answered later ---- */

static IOTHUB_CLIENT_RESULT respond(sim_life *life, void *handle, const char *text, size_t size, unsigned status)
{
    const unsigned char *response = size != 0 ? (const unsigned char *)text : NULL;
    return life->setup.module
        ? IoTHubModuleClient_ModuleMethodResponse((IOTHUB_MODULE_CLIENT_HANDLE)life->device.hub, handle, response, size, (int)status)
        : IoTHubDeviceClient_DeviceMethodResponse((IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub, handle, response, size, (int)status);
}

/* 1: it must be taken; 0: it must not; -1: the clock is not fit to say, or there was no DoWork to see that it is too old. */
static int is_alive(const sim_life *life, const sim_method *m)
{
    uint64_t age = life->now - m->handed_at;
    if (life->stream.now == NULL || life->stream.now->number != m->connection) {
        return 0;
    }
    if ((age >= SLOT_MS && life->device.last_step < m->handed_at + SLOT_MS) || (age < SLOT_MS && life->now + AROUND_MS > m->at + SLOT_MS)) {
        return -1;                               /* the client counts from the first byte, or has not looked yet */
    }
    if (life->tick_was_hurt || device_state(life) != STATE_READY) {
        return -1;
    }
    if (age + AROUND_MS > SLOT_MS && (life->setup.step != STEP_LAZY || age < SLOT_MS + AROUND_MS)) {
        return -1;
    }
    return age < SLOT_MS;
}

void program_answer(sim_life *life, sim_method *m, int twice)
{
    static char text[METHOD_TEXT];
    int alive = is_alive(life, m);
    IOTHUB_CLIENT_RESULT result;
    size_t size;
    draw_answer(life, m);
    size = answer_body(m, text);
    m->answered = 1;
    m->answer_at = NEVER;
    result = respond(life, m->handle, text, size, m->status);
    memset(text, '#', size);                     /* it is copied */
    note(life, EVENT_RESPONDS, m->number, m->status, (unsigned)result);
    if (result == IOTHUB_CLIENT_OK) {
        if (alive == 0) fail(life, 13, "method %u may be answered, %u ms old", m->number, (unsigned)(life->now - m->handed_at));
        if (twice && respond(life, m->handle, "{}", 2, 200) != IOTHUB_CLIENT_INVALID_ARG) fail(life, 13, "method %u may be answered twice", m->number);
        return;
    }
    m->answered = 0;
    if (result == IOTHUB_CLIENT_INVALID_ARG) {
        if (alive == 1) fail(life, 13, "method %u may not be answered, %u ms old", m->number, (unsigned)(life->now - m->handed_at));
    } else if (result == IOTHUB_CLIENT_INVALID_SIZE) {
        if (m->answer_size + 80u < life->setup.outbox_bytes / 4u) fail(life, 13, "an answer of %u bytes is too large", m->answer_size);
        m->answer_at = life->now + 1000u;
    } else {
        if (result != IOTHUB_CLIENT_ERROR || !program_no_room(life)) fail(life, 13, "DeviceMethodResponse answers %d", (int)result);
        m->answer_at = life->now + 1000u;
    }
}

static uint64_t answer_time(sim_life *life)
{
    sim_random *r = &life->program_random;
    if (!life->faulty) {
        return life->now + between(r, 1, 2000);
    }
    switch (below(r, 5)) {
    case 0: return life->now + between(r, 1, 1000);
    case 1: return life->now + between(r, 1000, 60000);
    case 2: return life->now + between(r, 60000, 290000);
    default: return life->now + SLOT_MS + between(r, 5000, 10000); /* never, really: then it is too late */
    }
}

/* Answers what the callback returns. */
static int later(sim_life *life, sim_method *m, void *handle)
{
    sim_random *r = &life->program_random;
    m->handle = handle;
    if (chance(r, 10)) {
        m->answered = 1;
        m->status = 500;
        note(life, EVENT_ASKED, m->number, 500, 0);
        return 7;
    }
    note(life, EVENT_ASKED, m->number, 0, 0);
    if (life->device.wants_destroy) {
        return 0;                                /* every call is refused now */
    }
    if (chance(r, 40)) {
        program_answer(life, m, chance(r, 30));
    } else {
        m->answer_at = answer_time(life);
    }
    return 0;
}

static int on_inbound(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE handle, void *context)
{
    sim_life *life = (sim_life *)context;
    sim_method *m = identify(life, name);
    int result;
    check_payload(life, m, payload, size);
    if (!(life->device.programme.asked & FEATURE_METHODS_EX)) fail(life, 13, "a method for a callback that is not set");
    if (handle == NULL) fail(life, 13, "a method without a handle");
    take(life, m);
    result = later(life, m, handle);
    device_meddle(life);
    return result;
}

/* A payload in pieces: the method is the program's from the first of them. It is answered with the last one, or later. */
void program_method_piece(sim_life *life, const IOTHUB_PIECE *piece)
{
    sim_piece *now = &life->device.programme.piece;
    sim_method *m = identify(life, piece->method_name);
    if (now->method == 0) {
        take(life, m);
        now->method = m->number;
    }
    if (now->method != m->number) fail(life, 14, "pieces of method %u among those of method %u", m->number, now->method);
    if (piece->state != IOTHUB_PIECE_LAST) {
        return;
    }
    check_payload(life, m, bytes_front(&now->body), bytes_size(&now->body));
    m->handle = piece->method;
    note(life, EVENT_ASKED, m->number, 0, 0);
    if (!life->device.wants_destroy && chance(&life->program_random, 50)) {
        program_answer(life, m, 1);
    } else {
        m->answer_at = answer_time(life);
    }
}

static int set_ex(sim_life *life, IOTHUB_CLIENT_INBOUND_DEVICE_METHOD_CALLBACK callback)
{
    return life->setup.module
        ? (int)IoTHubModuleClient_SetModuleMethodCallback_Ex((IOTHUB_MODULE_CLIENT_HANDLE)life->device.hub, callback, life)
        : (int)IoTHubDeviceClient_SetDeviceMethodCallback_Ex((IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub, callback, life);
}

int program_method_ask(sim_life *life, int set, int ex)
{
    if (ex) {
        return set_ex(life, set ? on_inbound : NULL);
    }
    return life->setup.module
        ? (int)IoTHubModuleClient_SetModuleMethodCallback((IOTHUB_MODULE_CLIENT_HANDLE)life->device.hub, set ? on_method : NULL, life)
        : (int)IoTHubDeviceClient_SetDeviceMethodCallback((IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub, set ? on_method : NULL, life);
}

/* ---- those in hand ---- */

static void skip_old(sim_life *life)
{
    sim_programme *p = &life->device.programme;
    while (p->methods_before < life->cloud->methods.count) {
        const sim_method *m = AT(life->cloud->methods, sim_method, p->methods_before);
        int lost = life->stream.now == NULL || life->stream.now->number != m->connection;
        if (!(m->handed ? m->answer_at == NEVER : lost || m->came)) {
            break;
        }
        p->methods_before += 1;
    }
}

uint64_t program_methods_due(const sim_life *life)
{
    uint64_t next = NEVER;
    unsigned i;
    for (i = life->device.programme.methods_before; i < life->cloud->methods.count; ++i) {
        const sim_method *m = AT(life->cloud->methods, sim_method, i);
        next = m->handed && m->answer_at < next ? m->answer_at : next;
    }
    return next;
}

void program_methods_work(sim_life *life)
{
    unsigned i;
    for (i = life->device.programme.methods_before; i < life->cloud->methods.count; ++i) {
        sim_method *m = AT(life->cloud->methods, sim_method, i);
        if (m->handed && m->answer_at <= life->now) {
            program_answer(life, m, chance(&life->program_random, 30));
        }
    }
    skip_old(life);
}

/* One that was for later, now. */
void program_methods_hurry(sim_life *life)
{
    unsigned i;
    for (i = life->device.programme.methods_before; i < life->cloud->methods.count; ++i) {
        sim_method *m = AT(life->cloud->methods, sim_method, i);
        if (m->handed && !m->answered && m->answer_at != NEVER) {
            program_answer(life, m, 1);
            return;
        }
    }
}
