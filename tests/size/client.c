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
