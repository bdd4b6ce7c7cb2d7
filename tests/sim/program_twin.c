/* The program's twin: every document and patch is one that the hub has, patches come in the order of their versions without a
   gap, each report and each GetTwinAsync ends once, by what the hub said. */
#include "iothub_client.h"
#include "sim.h"
#include <stdlib.h>
#include <string.h>

#define TWIN_GETS 2u                             /* IOTHUB_TWIN_GETS, as built */
#define WITHIN_MS 59000u

/* ---- documents and patches ---- */

/* The number behind a name that stands only once in the text. */
static unsigned find_number(sim_life *life, const unsigned char *text, size_t size, const char *name)
{
    size_t length = strlen(name), i;
    unsigned number = 0;
    for (i = 0; i + length < size && memcmp(text + i, name, length) != 0; ++i) {
    }
    if (i + length >= size) fail(life, 12, "a document or patch of %u bytes without %s", (unsigned)size, name);
    for (i += length; i < size && text[i] >= '0' && text[i] <= '9'; ++i) {
        number = number * 10u + (text[i] - '0');
    }
    return number;
}

static unsigned read_edit(sim_life *life, const unsigned char *text, size_t size)
{
    unsigned edit = find_number(life, text, size, "\"edit\":");
    if (edit >= life->cloud->edits.count) fail(life, 12, "the twin has edit %u, the hub %u", edit, life->cloud->edits.count - 1u);
    return edit;
}

static unsigned read_document(sim_life *life, const unsigned char *text, size_t size)
{
    static char expected[TWIN_TEXT];
    unsigned edit = read_edit(life, text, size);
    unsigned reported = find_number(life, text, size, "\"r\":"), version = find_number(life, text, size, "\"rv\":");
    size_t whole = twin_document(life, edit, reported, version, expected);
    if (whole != size || memcmp(expected, text, size) != 0) fail(life, 12, "a document that the hub never sent (edit %u)", edit);
    return edit;
}

static void whole_view(sim_life *life, const unsigned char *text, size_t size)
{
    sim_programme *p = &life->device.programme;
    unsigned edit = read_document(life, text, size);
    const sim_edit *e = AT(life->cloud->edits, sim_edit, edit);
    note(life, EVENT_VIEW, 0, edit, e->version);
    if (edit < p->view_edit) fail(life, 12, "a document of edit %u after edit %u", edit, p->view_edit);
    p->view = 1;
    p->view_connection = life->stream.now != NULL ? life->stream.now->number : 0;
    p->view_edit = edit;
    p->view_version = e->version;
    memcpy(p->values, e->values, sizeof p->values);
    p->documents += 1;
}

static void patch_view(sim_life *life, const unsigned char *text, size_t size)
{
    static char expected[TWIN_TEXT];
    sim_programme *p = &life->device.programme;
    unsigned edit = read_edit(life, text, size), now = life->stream.now != NULL ? life->stream.now->number : 0;
    const sim_edit *e = AT(life->cloud->edits, sim_edit, edit);
    size_t whole = twin_patch(life, edit, expected);
    int follows = p->view && p->view_connection == now && e->version == p->view_version + 1u && edit > p->view_edit;
    note(life, EVENT_VIEW, 1, edit, e->version);
    if (whole != size || memcmp(expected, text, size) != 0) fail(life, 12, "a patch that the hub never sent (edit %u)", edit);
    if (!follows && !life->cloud->large_document && !(p->filters_cleared & FILTER_PATCHES)) { /* one may be on its way meanwhile */
        int early = p->view_connection != now || !p->view;
        fail(life, 12, "patch %u (edit %u) %s", e->version, edit, early ? "before a document of this connection" : "does not follow");
    }
    if (p->view && edit <= p->view_edit) fail(life, 12, "edit %u comes after edit %u", edit, p->view_edit);
    p->view = follows;                           /* without the document before it, it is no view */
    p->view_edit = edit;
    p->view_version = e->version;
    p->values[e->key] = e->values[e->key];
    p->patches += 1;
    if (p->view && memcmp(p->values, e->values, sizeof p->values) != 0) fail(life, 12, "document and patches do not make edit %u", edit);
}

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size, void *context)
{
    sim_life *life = (sim_life *)context;
    if (!life->device.in_work) fail(life, 12, "a twin outside DoWork");
    if (!(life->device.programme.asked & FEATURE_TWIN)) fail(life, 12, "a twin for a callback that is not set");
    if (state == DEVICE_TWIN_UPDATE_COMPLETE) {
        whole_view(life, payload, size);
    } else {
        patch_view(life, payload, size);
    }
    device_meddle(life);
}

/* A document in pieces may be one that GetTwinAsync asked for: then it says nothing of the callback's order. */
void program_twin_piece(sim_life *life, const IOTHUB_PIECE *piece)
{
    const sim_piece *now = &life->device.programme.piece;
    const unsigned char *text = bytes_front(&now->body);
    size_t size = bytes_size(&now->body);
    if (piece->state != IOTHUB_PIECE_LAST) {
        return;
    }
    if (!(life->device.programme.asked & FEATURE_TWIN)) {
        return;                                  /* it was given up while this came */
    }
    if (piece->kind == IOTHUB_PIECE_OF_PATCH) {
        patch_view(life, text, size);
    } else {
        whole_view(life, text, size);
    }
}

int program_twin_ask(sim_life *life, int set)
{
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK callback = set ? on_twin : NULL;
    life->device.programme.view = 0;
    return life->setup.module
        ? (int)IoTHubModuleClient_SetModuleTwinCallback((IOTHUB_MODULE_CLIENT_HANDLE)life->device.hub, callback, life)
        : (int)IoTHubDeviceClient_SetDeviceTwinCallback((IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub, callback, life);
}

int program_view_is_true(const sim_life *life)
{
    const sim_programme *p = &life->device.programme;
    const sim_edit *e = twin_now(life);
    return p->view && p->view_edit == life->cloud->edits.count - 1u && p->view_version == e->version
        && memcmp(p->values, e->values, sizeof p->values) == 0;
}

/* ---- GetTwinAsync ---- */

static void on_get(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size, void *context)
{
    sim_get *get = (sim_get *)context;
    sim_life *life = get->life;
    sim_programme *p = &life->device.programme;
    note(life, EVENT_GET_ENDS, get->number, payload != NULL, 0);
    if (!life->device.in_work && !life->device.in_destroy) fail(life, 12, "a GetTwinAsync ends outside DoWork and Destroy");
    if (get->ended) fail(life, 12, "GetTwinAsync %u ends twice", get->number);
    if (state != DEVICE_TWIN_UPDATE_COMPLETE || (payload == NULL) != (size == 0)) {
        fail(life, 12, "GetTwinAsync %u: state %d, %u bytes", get->number, (int)state, (unsigned)size);
    }
    get->ended = payload != NULL ? 2 : 1;
    p->gets_ended += 1;
    if (payload != NULL) {
        read_document(life, payload, size);
    }
    if (life->device.in_destroy) {
        return;
    }
    device_meddle(life);
}

/* Answers the number; 0: refused. */
unsigned program_get(sim_life *life)
{
    sim_programme *p = &life->device.programme;
    sim_get *get = &p->gets[p->get_count];
    unsigned waiting = p->get_count - p->gets_ended;
    IOTHUB_CLIENT_RESULT result;
    if (p->get_count == GETS) {
        return 0;
    }
    p->filters |= FILTER_ANSWERS;
    get->life = life;
    get->number = p->get_count + 1u;
    get->ended = 0;
    result = life->setup.module
        ? IoTHubModuleClient_GetTwinAsync((IOTHUB_MODULE_CLIENT_HANDLE)life->device.hub, on_get, get)
        : IoTHubDeviceClient_GetTwinAsync((IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub, on_get, get);
    note(life, EVENT_CALL, 100, (unsigned)result, 0);
    if (result == IOTHUB_CLIENT_OK) {
        if (waiting >= TWIN_GETS) fail(life, 12, "%u GetTwinAsync wait at a time", waiting + 1u);
        p->get_count += 1;
        return p->get_count;
    }
    if (result != IOTHUB_CLIENT_ERROR || (waiting < TWIN_GETS && !program_no_room(life))) {
        fail(life, 12, "GetTwinAsync answers %d, %u wait", (int)result, waiting);
    }
    return 0;
}

/* ---- reported state ---- */

static void check_status(sim_life *life, const sim_report *r, unsigned status)
{
    int ending = life->device.in_destroy || life->device.wants_destroy;
    if (status == 0) {
        if (!ending || r->came) fail(life, 12, "report %u ends with status 0", r->number);
    } else if (status == 408) {
        if (r->offered_connection == 0) fail(life, 12, "report %u ends with 408, but was never offered", r->number);
        if (!ending && !life->tick_was_hurt && life->now < r->offered_at + WITHIN_MS) {
            fail(life, 12, "report %u ends with 408 after %u ms", r->number, (unsigned)(life->now - r->offered_at));
        }
    } else if (status != r->status) {
        fail(life, 12, "report %u ends with %u, the hub said %u", r->number, status, r->status);
    } else if (status == 204 && r->applied == 0) {
        fail(life, 12, "report %u ends with 204, but was never applied", r->number);
    }
}

static void on_reported(int status, void *context)
{
    sim_report *r = (sim_report *)context;
    sim_life *life = r->life;
    sim_programme *p = &life->device.programme;
    note(life, EVENT_REPORTED, r->number, (unsigned)status, 0);
    if (!life->device.in_work && !life->device.in_destroy) fail(life, 12, "a report is answered outside DoWork and Destroy");
    if (r->told != 0) fail(life, 12, "report %u is answered twice", r->number);
    check_status(life, r, (unsigned)status);
    r->told = 1u + (unsigned)status;
    p->reports_told += 1;
    if (life->device.in_destroy) {
        return;
    }
    device_meddle(life);
}

/* Answers its number; 0: refused. */
unsigned program_report(sim_life *life, unsigned size)
{
    static char text[TWIN_TEXT];
    sim_programme *p = &life->device.programme;
    sim_report *r = (sim_report *)calloc(1, sizeof *r);
    IOTHUB_CLIENT_RESULT result;
    size_t whole;
    if (r == NULL) abort();
    p->filters |= FILTER_ANSWERS;
    r->life = life;
    r->number = p->reports.count + 1u;
    r->size = size;
    whole = report_make(r, text);
    result = life->setup.module
        ? IoTHubModuleClient_SendReportedState((IOTHUB_MODULE_CLIENT_HANDLE)life->device.hub, (const unsigned char *)text, whole, on_reported, r)
        : IoTHubDeviceClient_SendReportedState((IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub, (const unsigned char *)text, whole, on_reported, r);
    note(life, EVENT_REPORTS, r->number, (unsigned)result, 0);
    memset(text, '#', whole);                    /* it is copied */
    if (result == IOTHUB_CLIENT_OK) {
        *(sim_report **)list_add(&p->reports, sizeof r) = r;
        return r->number;
    }
    free(r);
    if (result == IOTHUB_CLIENT_INVALID_SIZE ? size + 100u < life->setup.outbox_bytes / 4u : result != IOTHUB_CLIENT_ERROR) {
        fail(life, 12, "SendReportedState of %u bytes answers %d", size, (int)result);
    }
    if (result == IOTHUB_CLIENT_ERROR && !program_no_room(life)) fail(life, 12, "SendReportedState answers ERROR, but not for want of room");
    return 0;
}
