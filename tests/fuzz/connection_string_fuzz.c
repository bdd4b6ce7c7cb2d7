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

#define LOOKS_PER_BYTE 256u                      /* the list of keys for each part, and "=;" is the shortest: 108 */

/* The room is of exactly the size that was measured, so that the sanitizer stands at its end. */
static void keep(const iothubi_settings *settings)
{
    static const unsigned char digest[32] = { 1 };
    iothubi_identity identity;
    iothubi_writer measure, writer;
    unsigned char *room;
    iothubi_write_begin(&measure, NULL, 0, 0);
    iothubi_identity_keep(&identity, settings, &measure);
    room = (unsigned char *)malloc(measure.length);
    iothubi_write_begin(&writer, room, 0, measure.length);
    iothubi_identity_keep(&identity, settings, &writer);
    if (writer.length != measure.length || identity.host[0] == '\0' || strlen(identity.device) > IOTHUBI_ID_MAXIMUM) abort();
    iothubi_write_begin(&measure, NULL, 0, 0);
    iothubi_write_token(&measure, &identity, digest, 0xFFFFFFFFu);
    if (measure.length > 2000) abort();
    free(room);
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
    iothubi_settings settings;
    memset(&config, 0, sizeof config);
    config.iotHubName = field(&at, end);
    config.iotHubSuffix = field(&at, end);
    config.deviceId = field(&at, end);
    config.deviceKey = field(&at, end);
    config.deviceSasToken = field(&at, end);
    config.protocolGatewayHostName = field(&at, end);
    if (iothubi_settings_from_config(&settings, &config) == IOTHUB_CODE_NONE) keep(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *string = (char *)malloc(size + 1u);
    iothubi_settings settings;
    uint32_t expiry;
    long position = 0;
    memcpy(string, data, size);
    string[size] = '\0';
    looks = 0;
    iothubi_token_expiry(string, size, &expiry);
    if (iothubi_settings_parse(&settings, string, &position) == IOTHUB_CODE_NONE) {
        keep(&settings);
    } else if (position < -1 || position > (long)size) {
        abort();
    }
    if (strlen(string) < size) parse_config(string + strlen(string) + 1u, string + size);
    if (looks > LOOKS_PER_BYTE * (size + 1u)) abort();
    free(string);
    return 0;
}
