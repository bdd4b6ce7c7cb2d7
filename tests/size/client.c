/* The client in a unit of its own: all that is left of it in a linked program is what the client costs there. */
#define IOTHUB_IMPLEMENTATION
#ifndef IOTHUB_POOL_CLIENTS
#define IOTHUB_POOL_CLIENTS 0
#define IOTHUB_POOL_MESSAGES 0
#endif
#include "iothub_client.h"

/* Sizes for the report, which reads them in the symbol table; no program keeps these arrays. */
char size_of_client[sizeof(struct iothubi_client)];
char size_of_record[sizeof(iothubi_record)];
char size_of_message[sizeof(struct IOTHUB_MESSAGE_HANDLE_DATA_TAG)];
char size_of_proxy[sizeof(IOTHUB_HTTP_PROXY)];
#ifdef IOTHUB_WEBSOCKET
char size_of_websocket[sizeof(struct iothubi_websocket)];
#endif

/* What the inbox must have: the window, for itself and for what arrives, and the state of features, with two messages that are kept and
   two methods that are answered later. */
char size_of_window[IOTHUBI_KEPT_FROM];
char size_of_messages[IOTHUBI_MAILBOX_SIZE(2)];
char size_of_twin[sizeof(iothubi_twin)];
char size_of_methods[sizeof(iothubi_methods)];
char size_of_pending[2 * sizeof(iothubi_pending)];
