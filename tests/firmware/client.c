/* The client alone, so that the linker's map shows what it takes. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
