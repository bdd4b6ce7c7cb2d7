/* The product and its ports, compiled by themselves, so that public functions are real calls as in any program. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_MESSAGE_SIZE 4352            /* a body of 4 KB and its head */
#include "iothub_client.h"
#include "ports/posix/iothub_posix.h"
#include "ports/bearssl/iothub_bearssl.h"
