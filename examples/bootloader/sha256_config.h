/* mbedTLS with nothing but a small SHA-256. */
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA256_SMALLER
