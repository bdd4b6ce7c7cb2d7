#include "hmac.h"
#include "mbedtls/sha256.h"
#include "mbedtls/platform_util.h"

#define BLOCK_SIZE 64u

/* The hash of the key's block, each byte with the pad, and of the data behind it. */
static int padded(const unsigned char *key, unsigned int key_size, unsigned char pad, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32])
{
    mbedtls_sha256_context sha;
    unsigned char block[BLOCK_SIZE];
    unsigned int i;
    for (i = 0; i < BLOCK_SIZE; ++i) {
        block[i] = (unsigned char)((i < key_size ? key[i] : 0u) ^ pad);
    }
    mbedtls_sha256_init(&sha);
    return mbedtls_sha256_starts_ret(&sha, 0) | mbedtls_sha256_update_ret(&sha, block, BLOCK_SIZE)
        | mbedtls_sha256_update_ret(&sha, data, data_size) | mbedtls_sha256_finish_ret(&sha, digest);
}

/* The keys that IoT Hub makes have 32 bytes; a longer one than a block is refused, not hashed. */
int hmac_sha256(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32])
{
    unsigned char inner[32];
    (void)context;
    return key_size <= BLOCK_SIZE && padded(key, key_size, 0x36, data, data_size, inner) == 0
        && padded(key, key_size, 0x5C, inner, sizeof inner, digest) == 0 ? 0 : -1;
}

/* mbedTLS's wish to forget what it worked with. */
void mbedtls_platform_zeroize(void *bytes, size_t size)
{
    volatile unsigned char *at = (volatile unsigned char *)bytes;
    while (size-- != 0) {
        *at++ = 0;
    }
}
