/* ---- twin: which document and which patches the application gets --------------------------------------------------- */
/* Pure: versions in, decisions out. A document first, then each patch in order and without a gap; whatever else comes asks for a
   new document. The transport carries requests and answers. */
#include "json.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_TWIN_H)
#define IOTHUBI_TWIN_H

#define IOTHUBI_TWIN_FIRST_GET 0x10000ul         /* request ids of GET count on from here; below are those of the outbox */
#define IOTHUBI_TWIN_ANSWER_S 60u                /* an answer is missed after this */
#define IOTHUBI_TWIN_RETRY_S 10u                 /* after a refusal that says no time of its own */
#define IOTHUBI_TWIN_RETRY_MAXIMUM_S 3600u
#define IOTHUBI_TWIN_RETRY_UNREAD_S 300u         /* after one whose time found no room in the inbox */

IOTHUBI_CHECK(twin_gets, IOTHUB_TWIN_GETS >= 1 && IOTHUB_TWIN_GETS <= 7); /* a bit for each, and one, in properties */

/* The request for the document. */
enum { IOTHUBI_GET_NONE, IOTHUBI_GET_WANTED, IOTHUBI_GET_ASKED, IOTHUBI_GET_ARRIVING };

/* Who gets a document. */
typedef struct iothubi_twin_reader_tag {
    iothubi_function callback;                   /* an IOTHUB_CLIENT_..._CALLBACK of twins, or of properties */
    void *context;
} iothubi_twin_reader;

typedef struct iothubi_twin_tag {
    iothubi_twin_reader readers[1 + IOTHUB_TWIN_GETS]; /* of everything; and calls of GetTwinAsync that wait, the oldest first */
    iothubi_json_version scanner;                /* of the document that is arriving */
    uint32_t version;                            /* of desired, as the application has it */
    uint32_t newest;                             /* of the patches that came while a document was asked for */
    uint32_t gets;                               /* counts GETs: each of a connection has a request id of its own */
    uint32_t asked_tick;                         /* GET was written */
    uint32_t held_tick;                          /* the hub refused: nothing of the twin for ... */
    unsigned short held_s;                       /* ... so long; 0: it did not */
    unsigned char get;
    unsigned char known;                         /* version is that of a document of this connection */
    unsigned char reported;                      /* one was sent on this connection and is not answered */
    unsigned char waiting;                       /* calls of GetTwinAsync */
    unsigned char properties;                    /* a bit for each reader: it has the callback of properties */
    uint32_t reported_tick;                      /* the last reported state was sent or answered */
} iothubi_twin;

IOTHUBI_PRIVATE int iothubi_twin_is_wanted(const iothubi_twin *twin)
{
    return twin->readers[0].callback != NULL;
}

IOTHUBI_PRIVATE void iothubi_twin_ask(iothubi_twin *twin)
{
    if (twin->get == IOTHUBI_GET_NONE) {
        twin->get = IOTHUBI_GET_WANTED;
        twin->gets += 1u;
    }
}

/* The request id of the GET that is wanted or asked. */
IOTHUBI_PRIVATE uint32_t iothubi_twin_request(const iothubi_twin *twin)
{
    return IOTHUBI_TWIN_FIRST_GET + (twin->gets & 0xFFFFFFu);
}

/* GET was written. */
IOTHUBI_PRIVATE void iothubi_twin_asked(iothubi_twin *twin, uint32_t now)
{
    twin->get = IOTHUBI_GET_ASKED;
    twin->asked_tick = now;
    twin->newest = 0;
}

/* A patch came: may the application have it? One that came too early or leaves a gap asks for the document, and one that is
   known already is dropped. */
IOTHUBI_PRIVATE int iothubi_twin_patch(iothubi_twin *twin, uint32_t version)
{
    if (twin->get != IOTHUBI_GET_NONE) {
        twin->newest = version > twin->newest ? version : twin->newest;
        return 0;
    }
    if (twin->known && version <= twin->version) {
        return 0;
    }
    if (!twin->known || version - twin->version != 1u) {
        iothubi_twin_ask(twin);
        return 0;
    }
    return 1;
}

/* A document came, complete: is it new enough? It is believed even when it is older than what the application has: the device
   may have been made anew. But one that is older than a patch which has come since GET is asked for again. */
IOTHUBI_PRIVATE int iothubi_twin_document(iothubi_twin *twin)
{
    twin->known = iothubi_json_version_result(&twin->scanner, &twin->version) == IOTHUBI_VERSION_FOUND;
    twin->get = IOTHUBI_GET_NONE;
    if (twin->known && twin->version < twin->newest) {
        twin->known = 0;
        iothubi_twin_ask(twin);
        return 0;
    }
    return 1;
}

/* The hub refused a request. */
IOTHUBI_PRIVATE void iothubi_twin_hold(iothubi_twin *twin, uint32_t retry_after_s, uint32_t now)
{
    twin->held_tick = now;
    twin->held_s = (unsigned short)(retry_after_s == 0 ? IOTHUBI_TWIN_RETRY_S
        : retry_after_s < IOTHUBI_TWIN_RETRY_MAXIMUM_S ? retry_after_s : IOTHUBI_TWIN_RETRY_MAXIMUM_S);
}

/* The connection is gone. */
IOTHUBI_PRIVATE void iothubi_twin_lost(iothubi_twin *twin)
{
    twin->get = iothubi_twin_is_wanted(twin) || twin->waiting != 0 ? IOTHUBI_GET_WANTED : IOTHUBI_GET_NONE;
    twin->known = 0;
    twin->reported = 0;
}

#endif
