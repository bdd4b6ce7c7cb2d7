/* The one file that holds the implementation. The program wants WebSocket, too: settings stand here. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_WEBSOCKET
#include "iothub_client.h"
#include "ports/posix/iothub_posix.h"
