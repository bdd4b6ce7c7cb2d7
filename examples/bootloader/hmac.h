/* HMAC (RFC 2104) over mbedTLS's SHA-256, as IOTHUB_PLATFORM wants it. */
#ifndef HMAC_H
#define HMAC_H

int hmac_sha256(void *context, const unsigned char *key, unsigned int key_size, const unsigned char *data, unsigned int data_size,
    unsigned char digest[32]);

#endif
