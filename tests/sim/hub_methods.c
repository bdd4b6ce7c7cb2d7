/* The model hub's direct methods: each is answered at most once, on the connection where it was asked, by the program's own words;
   503 is the client's, where the program was not asked. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define ANSWER_TOPIC "$iothub/methods/res/"

size_t method_body(unsigned number, unsigned size, char *text)
{
    return size == 0 ? 0 : body_make(number, size, (unsigned char *)text);
}

size_t answer_body(const sim_method *method, char *text)
{
    return method->answer_size == 0 ? 0 : body_make(method->number + 500000u, method->answer_size, (unsigned char *)text);
}

/* A small number, as the hub's; or a GUID, as IoT Edge's. */
static void make_rid(unsigned number, int guid, char *rid)
{
    if (guid) {
        sprintf(rid, "%08x-1234-4abc-8def-%012u", number * 2654435761u, number);
    } else {
        sprintf(rid, "%u", number);
    }
}

unsigned methods_invoke(sim_life *life, sim_connection *connection, unsigned size)
{
    static char body[METHOD_TEXT];
    sim_method *method = (sim_method *)list_add(&life->cloud->methods, sizeof *method);
    char topic[120];
    method->number = life->cloud->methods.count;
    method->size = size;
    method->connection = connection->number;
    method->at = life->now;
    make_rid(method->number, chance(&life->service_random, 30), method->rid);
    sprintf(topic, "$iothub/methods/POST/m%u/?$rid=%s", method->number, method->rid);
    note(life, EVENT_INVOKES, method->number, size, 0);
    hub_send_large(life, connection, 0x30, topic, 0, body, method_body(method->number, size, body));
    return life->cloud->methods.count;
}

static sim_method *method_by_rid(const sim_life *life, const unsigned char *rid, size_t size)
{
    unsigned i;
    for (i = life->cloud->methods.count; i != 0; --i) {
        sim_method *m = AT(life->cloud->methods, sim_method, i - 1u);
        if (strlen(m->rid) == size && memcmp(m->rid, rid, size) == 0) {
            return m;
        }
    }
    return NULL;
}

void methods_answered(sim_life *life, sim_connection *connection, const unsigned char *topic, size_t topic_size,
    const unsigned char *body, size_t size)
{
    static char expected[METHOD_TEXT];
    size_t at = strlen(ANSWER_TOPIC), start = at;
    unsigned status = 0;
    sim_method *m;
    while (at < topic_size && topic[at] >= '0' && topic[at] <= '9') {
        status = status * 10u + (topic[at++] - '0');
    }
    if (at == start || topic[start] == '0' || !is_prefix(topic + at, topic_size - at, "/?$rid=")) illegal(life, "an answer to a method on a wrong topic");
    at += 7;
    m = method_by_rid(life, topic + at, topic_size - at);
    if (m == NULL) fail(life, 13, "an answer to a method that nobody invoked");
    note(life, EVENT_GOT_RESULT, m->number, status, 0);
    if (m->connection != connection->number) {
        fail(life, 13, "method %u is answered on connection %u, asked on %u", m->number, connection->number, m->connection);
    }
    if (m->came) fail(life, 13, "method %u is answered twice", m->number);
    m->came = 1;
    if (!m->handed) {
        if (status != 503) fail(life, 13, "method %u is answered %u, though the program was not asked", m->number, status);
        if (size > 64) fail(life, 13, "503 with a body of %u bytes", (unsigned)size);
        return;
    }
    if (!m->answered) fail(life, 13, "method %u is answered %u before the program did", m->number, status);
    if (status == 500 && m->at_once && m->answer_size != 0) {
        return;                                  /* the program's own answer was too large */
    }
    if (status != m->status) fail(life, 13, "method %u is answered %u, the program said %u", m->number, status, m->status);
    if (status != 500 && (size != answer_body(m, expected) || memcmp(body, expected, size) != 0)) {
        fail(life, 13, "method %u is answered with another body", m->number);
    }
}
