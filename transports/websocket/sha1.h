/* ---- websocket/sha1: the hash of WebSocket's handshake --------------------------------------------------------------- */
/* RFC 3174. It proves that the other end has read the request as a WebSocket's; it protects nothing, and nothing else may use it. */
#include "../../core/config.h"

#if defined(IOTHUB_IMPLEMENTATION) && defined(IOTHUB_WEBSOCKET) && !defined(IOTHUBI_SHA1_H)
#define IOTHUBI_SHA1_H

#define IOTHUBI_SHA1_SIZE 20u

/* A byte of the padded message (section 4): the message, 80, zeros, its length in bits as the last eight bytes. */
IOTHUBI_APART uint32_t iothubi_sha1_byte(const unsigned char *bytes, size_t size, size_t padded, size_t index)
{
    if (index < size) {
        return bytes[index];
    }
    if (index == size) {
        return 0x80u;
    }
    index = padded - 1u - index;
    return index < 4u ? (uint32_t)size << 3 >> 8u * index & 0xFFu : 0; /* no message here has 2^29 bytes */
}

IOTHUBI_PRIVATE uint32_t iothubi_sha1_rotate(uint32_t word, unsigned int bits)
{
    return (word << bits | word >> (32u - bits)) & 0xFFFFFFFFu;
}

/* The function of a step, and its constant (section 5). */
IOTHUBI_PRIVATE uint32_t iothubi_sha1_mix(unsigned int step, uint32_t b, uint32_t c, uint32_t d)
{
    if (step < 20u) {
        return (d ^ (b & (c ^ d))) + 0x5A827999u;
    }
    if (step >= 40u && step < 60u) {
        return ((b & c) | (d & (b | c))) + 0x8F1BBCDCu;
    }
    return (b ^ c ^ d) + (step < 40u ? 0x6ED9EBA1u : 0xCA62C1D6u);
}

/* One block: method 2 (section 6.2), which keeps sixteen words. */
IOTHUBI_PRIVATE void iothubi_sha1_block(uint32_t *hash, uint32_t *words)
{
    uint32_t now[5];
    unsigned int step;
    IOTHUB_MEMCPY(now, hash, sizeof now);
    for (step = 0; step < 80u; ++step) {
        uint32_t *word = &words[step & 15u], next;
        if (step >= 16u) {
            *word = iothubi_sha1_rotate(words[(step + 13u) & 15u] ^ words[(step + 8u) & 15u] ^ words[(step + 2u) & 15u] ^ *word, 1);
        }
        next = iothubi_sha1_rotate(now[0], 5) + iothubi_sha1_mix(step, now[1], now[2], now[3]) + now[4] + *word;
        now[1] = iothubi_sha1_rotate(now[1], 30);
        IOTHUB_MEMMOVE(now + 1, now, 4u * sizeof now[0]);
        now[0] = next & 0xFFFFFFFFu;
    }
    for (step = 0; step < 5u; ++step) {
        hash[step] = (hash[step] + now[step]) & 0xFFFFFFFFu;
    }
}

/* digest may lie over bytes. */
IOTHUBI_APART void iothubi_sha1(const unsigned char *bytes, size_t size, unsigned char *digest)
{
    uint32_t hash[5], words[16];
    size_t padded = (size + 8u) / 64u * 64u + 64u, at;
    unsigned int i;
    hash[0] = 0x67452301u;
    hash[1] = 0xEFCDAB89u;
    hash[2] = 0x98BADCFEu;
    hash[3] = 0x10325476u;
    hash[4] = 0xC3D2E1F0u;
    IOTHUB_MEMSET(words, 0, sizeof words);
    for (at = 0; at < padded; ++at) {
        uint32_t *word = &words[at / 4u & 15u];
        *word = (*word << 8 & 0xFFFFFFFFu) | iothubi_sha1_byte(bytes, size, padded, at);
        if ((at & 63u) == 63u) {
            iothubi_sha1_block(hash, words);
        }
    }
    for (i = 0; i < IOTHUBI_SHA1_SIZE; ++i) {
        digest[i] = (unsigned char)(hash[i / 4u] >> (24u - i % 4u * 8u) & 0xFFu);
    }
}

#endif
