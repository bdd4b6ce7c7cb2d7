/* Connection strings and tokens: whatever is accepted must fit the room that was measured for it. */
#define IOTHUB_IMPLEMENTATION
#include "core/identity.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char digest[32] = { 1 };
    char *string = (char *)malloc(size + 1u);
    iothubi_settings settings;
    iothubi_identity identity;
    iothubi_writer measure, writer;
    uint32_t expiry;
    long position = 0;
    memcpy(string, data, size);
    string[size] = '\0';
    iothubi_token_expiry(string, size, &expiry);
    if (iothubi_settings_parse(&settings, string, &position) == IOTHUB_CODE_NONE) {
        unsigned char *room;
        iothubi_write_begin(&measure, NULL, 0, 0);
        iothubi_identity_keep(&identity, &settings, &measure);
        room = (unsigned char *)malloc(measure.length);
        iothubi_write_begin(&writer, room, 0, measure.length);
        iothubi_identity_keep(&identity, &settings, &writer);
        if (writer.length != measure.length || identity.host[0] == '\0' || strlen(identity.device) > IOTHUBI_ID_MAXIMUM) abort();
        iothubi_write_begin(&measure, NULL, 0, 0);
        iothubi_write_token(&measure, &identity, digest, 0xFFFFFFFFu);
        if (measure.length > 2000) abort();
        free(room);
    } else if (position < -1 || position > (long)size) {
        abort();
    }
    free(string);
    return 0;
}
