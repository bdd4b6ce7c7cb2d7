/* ---- methods: calls that wait for their answer ---------------------------------------------------------------------- */
/* A table in memory that it is given, and a share of memory for answers that wait for the stream. It knows no protocol. */
#include "clock.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_METHODS_H)
#define IOTHUBI_METHODS_H

#define IOTHUBI_METHOD_ID_SIZE 40u               /* of a request id, with its NUL: a GUID has 36 characters */
#define IOTHUBI_METHOD_PATIENCE_S 300u           /* the service waits no longer */

struct iothubi_client;

/* How methods are answered; each way brings its own code along. */
typedef void (*iothubi_method_way)(struct iothubi_client *client, const char *name);

enum { IOTHUBI_METHODS_ARE_METHODS = 1, IOTHUBI_METHODS_ARE_LATER = 2, IOTHUBI_METHODS_ARE_COMMANDS = 4 };

typedef struct iothubi_pending_tag {
    char id[IOTHUBI_METHOD_ID_SIZE];             /* as the hub gave it */
    uint32_t since_s;                            /* uptime */
    unsigned short number;                       /* its handle; 0: this slot is free */
} iothubi_pending;

typedef struct iothubi_methods_tag {
    iothubi_method_way way;                      /* NULL: nobody takes them */
    iothubi_function callback;                   /* of the type that the way knows */
    void *context;
    iothubi_pending *pending;
    unsigned char *answers;                      /* whole packets; the first one is being written */
    size_t answers_room;
    size_t answers_used;
    unsigned short newest;                       /* handle that was given last */
    unsigned char slots;                         /* of pending */
    unsigned char kinds;                         /* what the way is for: one of those below */
} iothubi_methods;

/* Handles are numbers, so that one is not given again for 65,535 calls. */
IOTHUBI_PRIVATE METHOD_HANDLE iothubi_method_handle(const iothubi_pending *pending)
{
    return (METHOD_HANDLE)(size_t)pending->number;
}

IOTHUBI_PRIVATE iothubi_pending *iothubi_method_find(const iothubi_methods *methods, size_t number)
{
    unsigned int i;
    for (i = 0; i < methods->slots; ++i) {
        if (methods->pending[i].number == number) {
            return methods->pending + i;
        }
    }
    return NULL;
}

/* A slot for a call; NULL: none is free. */
IOTHUBI_PRIVATE iothubi_pending *iothubi_method_begin(iothubi_methods *methods, const char *id, uint32_t now_s)
{
    iothubi_pending *pending = iothubi_method_find(methods, 0);
    if (pending != NULL) {
        methods->newest = (unsigned short)(methods->newest < 0xFFFFu ? methods->newest + 1u : 1u);
        pending->number = methods->newest;
        pending->since_s = now_s;
        IOTHUB_MEMCPY(pending->id, id, IOTHUB_STRLEN(id) + 1u);
    }
    return pending;
}

/* The call that has waited longest; NULL: none waits. */
IOTHUBI_PRIVATE iothubi_pending *iothubi_method_oldest(const iothubi_methods *methods, uint32_t now_s)
{
    iothubi_pending *oldest = NULL;
    unsigned int i;
    for (i = 0; i < methods->slots; ++i) {
        iothubi_pending *pending = methods->pending + i;
        if (pending->number != 0 && (oldest == NULL || now_s - pending->since_s > now_s - oldest->since_s)) {
            oldest = pending;
        }
    }
    return oldest;
}

/* Lets go of the calls that the service has given up. */
IOTHUBI_PRIVATE void iothubi_methods_expire(iothubi_methods *methods, uint32_t now_s)
{
    unsigned int i;
    for (i = 0; i < methods->slots; ++i) {
        if (now_s - methods->pending[i].since_s >= IOTHUBI_METHOD_PATIENCE_S) {
            methods->pending[i].number = 0;
        }
    }
}

/* The connection is gone: the service has failed all calls already. */
IOTHUBI_PRIVATE void iothubi_methods_lost(iothubi_methods *methods)
{
    unsigned int i;
    for (i = 0; i < methods->slots; ++i) {
        methods->pending[i].number = 0;
    }
    methods->answers_used = 0;
}

#endif
