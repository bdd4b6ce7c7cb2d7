#include "settings.h"
#include "board.h"
#include <string.h>

int settings_read(SETTINGS *settings)
{
    const unsigned char *at = (const unsigned char *)board.settings;
    unsigned int text = at[8] | (unsigned int)at[9] << 8, roots = at[10] | (unsigned int)at[11] << 8;
    if (memcmp(at, "IOTHUB01", 8) != 0 || text == 0 || text + roots > 4096 - 12 || at[12 + text - 1] != '\0') return -1;
    settings->connection_string = (const char *)at + 12;
    settings->roots.bytes = at + 12 + text;
    settings->roots.size = roots;
    return 0;
}
