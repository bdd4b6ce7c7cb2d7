/* The port as C; the tests see its public part only. */
#include "iothub_client.h"
#define IOTHUB_IMPLEMENTATION
#include "ports/modem/iothub_modem.h"
