/* The one implementation of the TLS ports over big libraries. */
#include "iothub_client.h"
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_MBEDTLS_ENTROPY
#include "../../ports/mbedtls/iothub_mbedtls.h"
#include "../../ports/openssl/iothub_openssl.h"
