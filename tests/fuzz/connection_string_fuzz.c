/* Connection strings, configs and tokens: whatever is accepted must fit the room that was measured for it, and reading it takes
   work in proportion to its length. The input is a connection string; what follows its NUL are the fields of a config. */
#include <stddef.h>
#include <string.h>

/* Work that is counted in every build: reads of constant text, the lists of names and marks that everything is compared with,
   and the bytes that strlen goes over. */
static unsigned long looks;
static size_t count_strlen(const char *text)
{
    size_t size = strlen(text);
    looks += size;
    return size;
}
#define IOTHUB_CONST const
#define IOTHUB_CONST_BYTE(at) (looks += 1, *(at))
#define IOTHUB_CONST_COPY(to, from, size) memcpy(to, from, size)
#define IOTHUB_STRLEN count_strlen
#define IOTHUB_IMPLEMENTATION
#include "core/identity.h"
#include <stdlib.h>

const unsigned long fuzz_work = 200;             /* basic blocks for each byte of input, at most (replay.c counts them) */

#define LOOKS_PER_BYTE 512u                      /* a digit of a key is looked for three times, past 64, with two looks at each: 384 */

/* Reads as a creator does: measures, then reads again into room of exactly that size, so that the sanitizer stands at its
   end. Both must say the same. */
static IOTHUB_CODE read_identity(iothubi_reader reader, const void *source, long *position)
{
    iothubi_identity identity;
    iothubi_writer measure, writer;
    unsigned char *room;
    long again = 0;
    IOTHUB_CODE code;
    iothubi_write_begin(&measure, NULL, 0, 0);
    code = reader(&identity, source, &measure, position);
    if (code != IOTHUB_CODE_NONE) return code;
    room = (unsigned char *)malloc(measure.length);
    iothubi_write_begin(&writer, room, 0, measure.length);
    if (reader(&identity, source, &writer, &again) != IOTHUB_CODE_NONE || again != *position || writer.length != measure.length
        || identity.text[IOTHUBI_HOST_NAME][0] == '\0' || strlen(identity.text[IOTHUBI_DEVICE_ID]) > IOTHUBI_ID_MAXIMUM) abort();
    if (identity.key != NULL) {
        memset(identity.key + identity.key_size, 0xFB, IOTHUBI_DIGEST_SIZE); /* every character of it is encoded */
        iothubi_write_begin(&measure, NULL, 0, 0);
        iothubi_write_token(&measure, &identity, 0xFFFFFFFFu);
        if (measure.length > 2000) abort();
    }
    free(room);
    return code;
}

/* The next field; an empty one, or none, is not given. */
static const char *field(const char **at, const char *end)
{
    const char *text = *at;
    if (text >= end) return NULL;
    *at += strlen(text) + 1u;
    return *text != '\0' ? text : NULL;
}

static void parse_config(const char *at, const char *end)
{
    IOTHUB_CLIENT_CONFIG config;
    long position;
    memset(&config, 0, sizeof config);
    config.iotHubName = field(&at, end);
    config.iotHubSuffix = field(&at, end);
    config.deviceId = field(&at, end);
    config.deviceKey = field(&at, end);
    config.deviceSasToken = field(&at, end);
    config.protocolGatewayHostName = field(&at, end);
    read_identity(iothubi_read_config, &config, &position);
    if (position != -1) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *string = (char *)malloc(size + 1u);
    uint32_t expiry;
    long position = 0;
    memcpy(string, data, size);
    string[size] = '\0';
    looks = 0;
    iothubi_token_expiry(string, size, &expiry);
    read_identity(iothubi_read_string, string, &position);
    if (position < -1 || position > (long)size) abort();
    if (strlen(string) < size) parse_config(string + strlen(string) + 1u, string + size);
    if (looks > LOOKS_PER_BYTE * (size + 1u)) abort();
    free(string);
    return 0;
}
