/* The program that uses the features: what it asks for and when, its chores, and bodies that come in pieces. What it must hear of
   messages, twin and methods stands in program_messages.c, program_twin.c and program_methods.c. */
#include "iothub_client.h"
#include "sim.h"
#include <stdlib.h>
#include <string.h>

static IOTHUB_DEVICE_CLIENT_HANDLE handle_of(const sim_life *life)
{
    return (IOTHUB_DEVICE_CLIENT_HANDLE)life->device.hub;
}

/* The last call was refused because the outbox is full. */
int program_no_room(const sim_life *life)
{
    IOTHUB_ERROR error;
    return IoTHubDeviceClient_GetLastError(handle_of(life), &error) == IOTHUB_CLIENT_OK
        && (error.code == IOTHUB_CODE_OUTBOX_FULL || error.code == IOTHUB_CODE_INBOX_TOO_SMALL);
}

/* ---- asking ---- */

static IOTHUBMESSAGE_DISPOSITION_RESULT on_piece(const IOTHUB_PIECE *piece, void *context);

static unsigned filters_of(unsigned feature)
{
    switch (feature) {
    case FEATURE_MESSAGES:                        return FILTER_MESSAGES;
    case FEATURE_TWIN:                            return FILTER_ANSWERS | FILTER_PATCHES;
    case FEATURE_METHODS: case FEATURE_METHODS_EX: return FILTER_METHODS;
    case FEATURE_REPORTS: case FEATURE_GETS:      return FILTER_ANSWERS;
    default:                                      return 0;
    }
}

unsigned program_needs(unsigned features)
{
    unsigned bit, filters = 0;
    for (bit = 1; bit <= FEATURE_GETS; bit <<= 1) {
        filters |= features & bit ? filters_of(bit) : 0;
    }
    return filters;
}

static int set_callback(sim_life *life, unsigned feature, int set)
{
    switch (feature) {
    case FEATURE_MESSAGES:                         return program_message_ask(life, set);
    case FEATURE_TWIN:                             return program_twin_ask(life, set);
    case FEATURE_METHODS: case FEATURE_METHODS_EX: return program_method_ask(life, set, feature == FEATURE_METHODS_EX);
    case FEATURE_PIECES:                           return (int)IoTHubDeviceClient_SetPieceCallback(handle_of(life), set ? on_piece : NULL, life);
    default:                                       return IOTHUB_CLIENT_OK;
    }
}

/* What is asked for before the first DoWork finds room; later it may not. */
void program_ask(sim_life *life, unsigned feature)
{
    sim_programme *p = &life->device.programme;
    unsigned filters = p->filters;
    int result;
    p->filters |= filters_of(feature);
    result = set_callback(life, feature, 1);
    note(life, EVENT_WANTS, feature, (unsigned)result, 0);
    if (result == IOTHUB_CLIENT_OK) {
        p->asked |= feature;
    } else {
        IOTHUB_ERROR error;
        IoTHubDeviceClient_GetLastError(handle_of(life), &error);
        if (result != IOTHUB_CLIENT_ERROR || (error.code != IOTHUB_CODE_INBOX_TOO_SMALL && error.code != IOTHUB_CODE_OUTBOX_FULL)) {
            fail(life, 1, "asking for feature %x answers %d, code %d", feature, result, (int)error.code);
        }
        if (life->now == 0) fail(life, 1, "feature %x finds no room in an inbox of %u bytes", feature, life->setup.inbox);
        p->filters = filters;
    }
}

void program_clear(sim_life *life, unsigned feature)
{
    sim_programme *p = &life->device.programme;
    int result;
    p->filters_cleared |= filters_of(feature);
    p->asked &= ~feature;
    if (feature == FEATURE_PIECES) {
        p->pieces_cleared += 1;
        life->cloud->large_document = 1;
    }
    result = set_callback(life, feature, 0);
    note(life, EVENT_WANTS, 0x1000u | feature, (unsigned)result, 0);
    if (result != IOTHUB_CLIENT_OK) fail(life, 1, "giving up feature %x answers %d", feature, result);
}

void program_all(sim_life *life)
{
    unsigned bit, wanted = life->setup.features & ~life->device.programme.asked;
    for (bit = 1; bit <= FEATURE_GETS; bit <<= 1) {
        if (wanted & bit) {
            program_ask(life, bit);
        }
    }
}

void program_begin(sim_life *life)
{
    unsigned bit, wanted = life->setup.features & ~life->setup.late;
    sim_programme *p = &life->device.programme;
    p->kept_free = (1u << KEPT_BODIES) - 1u;
    p->next_chore = life->setup.chore_every_ms != 0 && life->setup.features != 0 ? life->now + 1u : NEVER;
    for (bit = 1; bit <= FEATURE_GETS; bit <<= 1) {
        if (wanted & bit) {
            program_ask(life, bit);
        }
    }
}

/* Gives one up, or asks for one that is not asked for. Reports and gets have no callback to clear. */
void program_toggle(sim_life *life, sim_random *r)
{
    unsigned features = life->setup.features & ~(unsigned)(FEATURE_REPORTS | FEATURE_GETS), bit = 1u << below(r, 5);
    if (features & bit) {
        if (life->device.programme.asked & bit) {
            program_clear(life, bit);
        } else {
            program_ask(life, bit);
        }
    }
}

/* What the callbacks that are set now need. Reports and gets ask once; then the filter stays. */
unsigned program_filters(const sim_life *life)
{
    const sim_programme *p = &life->device.programme;
    return program_needs(p->asked & (FEATURE_REPORTS - 1u)) | (p->reports.count + p->get_count != 0 ? FILTER_ANSWERS : 0);
}

/* The last fault is over: what is kept is settled, what is open is answered. */
void program_settles(sim_life *life)
{
    sim_programme *p = &life->device.programme;
    unsigned i;
    for (i = 0; i < p->hold_count; ++i) {
        p->holds[i].at = life->now + 50u * (i + 1u);
    }
    for (i = p->methods_before; i < life->cloud->methods.count; ++i) {
        sim_method *m = AT(life->cloud->methods, sim_method, i);
        m->answer_at = m->handed && m->answer_at != NEVER ? life->now : m->answer_at;
    }
}

/* ---- chores ---- */

static void one_chore(sim_life *life, sim_random *r)
{
    unsigned late = life->setup.features & life->setup.late & ~life->device.programme.asked;
    if (late != 0 && chance(r, 30)) {
        program_ask(life, late & (0u - late));
    } else if (chance(r, life->setup.toggles)) {
        program_toggle(life, r);
    } else if (chance(r, 60)) {
        if (life->device.programme.asked & FEATURE_REPORTS) program_report(life, between(r, 16, chance(r, life->setup.large) ? 600 : 60));
    } else if (life->device.programme.asked & FEATURE_GETS) {
        program_get(life);
    }
}

uint64_t program_next(const sim_life *life)
{
    const sim_programme *p = &life->device.programme;
    uint64_t next = life->device.sending ? p->next_chore : NEVER, at = program_holds_due(life);
    next = at < next ? at : next;
    at = program_methods_due(life);
    return at < next ? at : next;
}

void program_work(sim_life *life)
{
    sim_programme *p = &life->device.programme;
    program_holds_work(life);
    program_methods_work(life);
    if (life->device.sending && p->next_chore <= life->now) {
        p->next_chore = life->now + between(&life->program_random, 1, 2u * life->setup.chore_every_ms);
        one_chore(life, &life->program_random);
    }
}

/* In a callback: another call of the features'. */
void program_meddles(sim_life *life)
{
    sim_random *r = &life->program_random;
    switch (below(r, 5)) {
    case 0:
        program_toggle(life, r);
        break;
    case 1:
        if (life->device.programme.asked & FEATURE_REPORTS) program_report(life, 20);
        break;
    case 2:
        if (life->device.programme.asked & FEATURE_GETS) program_get(life);
        break;
    case 3:
        if (life->device.programme.hold_count != 0) program_settle(life, 0, below(r, 3), 1);
        break;
    default:
        program_methods_hurry(life);
        break;
    }
}

/* ---- pieces ---- */

static void check_order(sim_life *life, const sim_piece *now, const IOTHUB_PIECE *piece)
{
    size_t have = bytes_size(&now->body);
    if ((unsigned)piece->kind != now->kind || piece->total != now->total) fail(life, 14, "a piece of something else between two pieces");
    if (piece->offset != have) fail(life, 14, "a piece at %u, expected at %u", (unsigned)piece->offset, (unsigned)have);
    if (have + piece->size > piece->total) fail(life, 14, "pieces of %u bytes, the total is %u", (unsigned)(have + piece->size), (unsigned)piece->total);
    if ((have + piece->size == piece->total) != (piece->state == IOTHUB_PIECE_LAST)) {
        fail(life, 14, "the last piece does not say so, or another does");
    }
    if (life->stream.now == NULL || life->stream.now->number != now->connection) fail(life, 14, "pieces go on over the end of a connection");
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_piece(const IOTHUB_PIECE *piece, void *context)
{
    sim_life *life = (sim_life *)context;
    sim_programme *p = &life->device.programme;
    sim_piece *now = &p->piece;
    unsigned answer = IOTHUBMESSAGE_ABANDONED;   /* what is said before the last one does not count */
    int first = !now->open;
    note(life, EVENT_PIECE, (unsigned)piece->kind, (unsigned)piece->size, (unsigned)piece->state);
    if (!life->device.in_work && !life->device.in_destroy) fail(life, 14, "a piece outside DoWork");
    if (piece->state == IOTHUB_PIECE_CUT) {
        if (!p->pieces_cleared && (first || piece->size != 0 || (unsigned)piece->kind != now->kind)) {
            fail(life, 14, "CUT without a body, or with bytes");
        }
        now->open = 0;
        p->methods_cut += !first && piece->kind == IOTHUB_PIECE_OF_METHOD;
        return IOTHUBMESSAGE_ACCEPTED;           /* counts for nothing */
    }
    if (!(p->asked & FEATURE_PIECES)) fail(life, 14, "a piece for a callback that is not set");
    if (p->pieces_cleared) {                     /* bodies may have begun or ended in between, unseen */
        if (piece->offset != 0 && (first || piece->offset != bytes_size(&now->body))) {
            now->open = 0;
            return IOTHUBMESSAGE_ABANDONED;
        }
        first |= piece->offset == 0;
    }
    if (first) {
        now->open = 1;
        now->kind = (unsigned)piece->kind;
        now->total = (unsigned)piece->total;
        now->connection = life->stream.now != NULL ? life->stream.now->number : 0;
        now->delivery = now->method = 0;
        bytes_clear(&now->body);
    }
    check_order(life, now, piece);
    bytes_put(&now->body, piece->bytes, piece->size);
    if (piece->state == IOTHUB_PIECE_LAST) {
        now->open = 0;
    }
    switch (piece->kind) {
    case IOTHUB_PIECE_OF_MESSAGE:
        answer = program_message_piece(life, piece);
        break;
    case IOTHUB_PIECE_OF_METHOD:
        program_method_piece(life, piece);
        break;
    default:
        program_twin_piece(life, piece);
        break;
    }
    device_meddle(life);
    return (IOTHUBMESSAGE_DISPOSITION_RESULT)answer;
}

/* ---- the end ---- */

void program_ended(sim_life *life)
{
    const sim_programme *p = &life->device.programme;
    if (p->reports_told != p->reports.count) fail(life, 12, "%u of %u reports were never answered", p->reports.count - p->reports_told, p->reports.count);
    if (p->gets_ended != p->get_count) fail(life, 12, "%u of %u GetTwinAsync never ended", p->get_count - p->gets_ended, p->get_count);
    if (p->piece.open && !p->pieces_cleared) fail(life, 14, "a body in pieces never ended");
}

/* Forgets a life; with all, its memory too. */
void program_free(sim_programme *p, int all)
{
    unsigned i;
    sim_list reports = p->reports;
    sim_bytes body = p->piece.body;
    unsigned char *kept_bodies = p->kept_bodies;
    for (i = 0; i < reports.count; ++i) {
        free(*AT(reports, sim_report *, i));
    }
    reports.count = 0;
    bytes_clear(&body);
    if (all) {
        free(reports.at);
        free(kept_bodies);
        bytes_free(&body);
        memset(&reports, 0, sizeof reports);
        kept_bodies = NULL;
    }
    memset(p, 0, sizeof *p);
    p->reports = reports;
    p->piece.body = body;
    p->kept_bodies = kept_bodies;
}
