/* The product and the TLS ports over big libraries, in one unit as a C program has them. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_CLIENTS 0
#include "iothub_client.h"
#include "../../ports/posix/iothub_posix.h"
#include "../../ports/mbedtls/iothub_mbedtls.h"
#include "../../ports/openssl/iothub_openssl.h"
