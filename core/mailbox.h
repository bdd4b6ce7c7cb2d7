/* ---- mailbox: received messages that are kept, and the acknowledgements that are owed ------------------------------ */
/* Two tables in memory that it is given. It knows no protocol: an id names a message on this connection, 0 none.

   Handles are slots, never addresses in the inbox; they are given in turn, so that a stale one is recognised for long. */
#include "message.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_MAILBOX_H)
#define IOTHUBI_MAILBOX_H

#define IOTHUBI_OWED_BESIDES 8u                  /* acknowledgements beside those of kept messages: settled, not yet written */
#define IOTHUBI_OWED_PATIENCE_S 30u              /* an accepted message waits so long for earlier ones; the hub's lock is 60 s */

typedef struct iothubi_held_tag {
    struct IOTHUB_MESSAGE_HANDLE_DATA_TAG message; /* first: a handle is its slot */
    unsigned short id;                           /* 0: of an earlier connection, or it wants no acknowledgement */
    unsigned char used;
} iothubi_held;

typedef struct iothubi_owed_tag {
    unsigned short id;
    unsigned char accepted;                      /* else undecided */
    unsigned char since_s;                       /* low byte of the uptime when it was accepted */
} iothubi_owed;

/* A module's handler for one input. */
typedef struct iothubi_input_tag {
    struct iothubi_input_tag *next;
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback; /* NULL: nobody's now */
    void *context;
    char name[1];                                /* as long as it is */
} iothubi_input;

typedef struct iothubi_mailbox_tag {
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC message_callback; /* for all messages that are no input's */
    void *message_context;
    iothubi_input *inputs;
    uint32_t received_time;                      /* wall clock of the last message; 0: none yet */
    uint32_t oversize;                           /* a hash of the message that did not fit ... */
    iothubi_held *held;
    iothubi_owed *owed;                          /* in order of arrival */
    unsigned short writing;                      /* the acknowledgement that is being written; 0: none */
    unsigned char slots;
    unsigned char turn;                          /* the slot to look at first */
    unsigned char owed_count;
    unsigned char oversize_seen;                 /* ... so often */
} iothubi_mailbox;

#define IOTHUBI_MAILBOX_SIZE(slots) \
    (sizeof(iothubi_mailbox) + (slots) * sizeof(iothubi_held) + ((slots) + IOTHUBI_OWED_BESIDES) * sizeof(iothubi_owed))

/* The mailbox lies in memory of IOTHUBI_MAILBOX_SIZE(slots) zero bytes. */
IOTHUBI_PRIVATE void iothubi_mailbox_begin(iothubi_mailbox *mailbox, unsigned int slots)
{
    mailbox->held = (iothubi_held *)(void *)(mailbox + 1);
    mailbox->owed = (iothubi_owed *)(void *)(mailbox->held + slots);
    mailbox->slots = (unsigned char)slots;
}

/* A free slot, or NULL. */
IOTHUBI_PRIVATE iothubi_held *iothubi_mailbox_slot(iothubi_mailbox *mailbox)
{
    unsigned int i, at = mailbox->turn;
    for (i = 0; i < mailbox->slots; ++i) {
        if (!mailbox->held[at].used) {
            mailbox->turn = (unsigned char)at;
            return mailbox->held + at;
        }
        at = at + 1u < mailbox->slots ? at + 1u : 0;
    }
    return NULL;
}

IOTHUBI_PRIVATE void iothubi_mailbox_use(iothubi_mailbox *mailbox, iothubi_held *held)
{
    held->used = 1;
    mailbox->turn = (unsigned char)(mailbox->turn + 1 < mailbox->slots ? mailbox->turn + 1 : 0);
}

/* The slot that this handle is, or NULL: it is settled, or never was one. */
IOTHUBI_PRIVATE iothubi_held *iothubi_mailbox_find(const iothubi_mailbox *mailbox, const struct IOTHUB_MESSAGE_HANDLE_DATA_TAG *message)
{
    unsigned int i;
    for (i = 0; i < mailbox->slots; ++i) {
        if (&mailbox->held[i].message == message) {
            return mailbox->held[i].used ? mailbox->held + i : NULL;
        }
    }
    return NULL;
}

/* Where the inbox is free again behind what is held; start: where it may begin. */
IOTHUBI_PRIVATE unsigned char *iothubi_mailbox_end(const iothubi_mailbox *mailbox, unsigned char *start)
{
    unsigned int i;
    for (i = 0; i < mailbox->slots; ++i) {
        const iothubi_held *held = mailbox->held + i;
        if (held->used) {
            unsigned char *end = held->message.map.bytes + held->message.map.room + held->message.body_size;
            start = end > start ? end : start;
        }
    }
    return start;
}

/* The index of a message that is owed, or owed_count. */
IOTHUBI_PRIVATE unsigned int iothubi_owed_find(const iothubi_mailbox *mailbox, unsigned int id)
{
    unsigned int i = 0;
    while (i < mailbox->owed_count && mailbox->owed[i].id != id) {
        ++i;
    }
    return i;
}

IOTHUBI_PRIVATE int iothubi_owed_is_full(const iothubi_mailbox *mailbox)
{
    return mailbox->owed_count == mailbox->slots + IOTHUBI_OWED_BESIDES;
}

/* A message came; there is room. */
IOTHUBI_PRIVATE void iothubi_owed_add(iothubi_mailbox *mailbox, unsigned int id)
{
    iothubi_owed *owed = mailbox->owed + mailbox->owed_count++;
    owed->id = (unsigned short)id;
    owed->accepted = 0;
}

IOTHUBI_PRIVATE void iothubi_owed_remove(iothubi_mailbox *mailbox, unsigned int index)
{
    iothubi_owed *owed = mailbox->owed + index;
    mailbox->owed_count = (unsigned char)(mailbox->owed_count - 1);
    IOTHUB_MEMMOVE(owed, owed + 1, (mailbox->owed_count - index) * sizeof *owed);
}

/* The application decided. What is not accepted is never acknowledged. */
IOTHUBI_PRIVATE void iothubi_owed_decide(iothubi_mailbox *mailbox, unsigned int id, int accepted, uint32_t now_s)
{
    unsigned int index = iothubi_owed_find(mailbox, id);
    if (index == mailbox->owed_count) {
        return;
    }
    if (accepted) {
        mailbox->owed[index].accepted = 1;
        mailbox->owed[index].since_s = (unsigned char)(now_s & 0xFFu);
    } else {
        iothubi_owed_remove(mailbox, index);
    }
}

/* The index of the acknowledgement that may leave now: the first, or one that has waited long enough for earlier ones;
   owed_count: none. *left_s: seconds until another one may, if time alone brings it, else left alone. */
IOTHUBI_PRIVATE unsigned int iothubi_owed_next(const iothubi_mailbox *mailbox, uint32_t now_s, uint32_t *left_s)
{
    unsigned int first = mailbox->owed_count, i;
    for (i = 0; i < mailbox->owed_count; ++i) {
        const iothubi_owed *owed = mailbox->owed + i;
        unsigned int waited_s = ((unsigned int)(now_s & 0xFFu) - owed->since_s) & 0xFFu;
        if (!owed->accepted) {
            continue;
        }
        first = i < first ? i : first;           /* accepted ones keep their order: if one may go, this one goes */
        if (first == 0 || waited_s >= IOTHUBI_OWED_PATIENCE_S) {
            return first;
        }
        if (IOTHUBI_OWED_PATIENCE_S - waited_s < *left_s) {
            *left_s = IOTHUBI_OWED_PATIENCE_S - waited_s;
        }
    }
    return mailbox->owed_count;
}

/* The connection is gone: the hub sends again what was not acknowledged. */
IOTHUBI_PRIVATE void iothubi_mailbox_lost(iothubi_mailbox *mailbox)
{
    unsigned int i;
    for (i = 0; i < mailbox->slots; ++i) {
        mailbox->held[i].id = 0;
    }
    mailbox->owed_count = 0;
    mailbox->writing = 0;
}

#endif
