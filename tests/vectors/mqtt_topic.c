/* Topics as IoT Hub sends them: what they are, and the bytes of the map that their bag becomes, for every split and every room. */

#include "check.h"

const char room[] = "mqtt_topic";

/* Tags of entries. */
#define A "\x00"                                 /* of the application: name NUL value NUL; all others: value NUL */
#define MID "\x02"
#define CID "\x03"
#define CT "\x04"
#define CE "\x05"
#define CTIME "\x06"
#define UID "\x0B"
#define INPUT "\x0C"
#define CDID "\x0D"
#define CMID "\x0E"
#define METHOD "\x0F"
#define RID "\x10"
#define VERSION "\x11"
#define AFTER "\x12"

#define C2D "devices/d1/messages/devicebound/"
#define IN "devices/d1/modules/m1/inputs/"
#define NONE LITERAL("")

static const struct {
    const char *device, *module, *topic;
    unsigned char kind;
    unsigned int status;
    const char *map;
    size_t size;
} topics[] = {
    { "d1", NULL, C2D, IOTHUBI_KIND_MESSAGE, 0, NONE },
    { "d1", NULL, C2D "room=lab%201", IOTHUBI_KIND_MESSAGE, 0, LITERAL(A "room\0lab 1\0") },
    { "d1", NULL, C2D "%24.mid=m%2D1&%24.cid=c&%24.ct=a%2Fb&%24.ce=utf-8&%24.uid=u&%24.ctime=2030-01-01T00%3A00%3A00Z", IOTHUBI_KIND_MESSAGE, 0,
        LITERAL(MID "m-1\0" CID "c\0" CT "a/b\0" CE "utf-8\0" UID "u\0" CTIME "2030-01-01T00:00:00Z\0") },
    { "d1", NULL, C2D "%24.to=%2Fdevices%2Fd1&iothub-ack=full&%24.exp=1&x=y&iothub-operation=o", IOTHUBI_KIND_MESSAGE, 0, LITERAL(A "x\0y\0") },
    { "d1", NULL, C2D "a&b=&=c&d=e=f", IOTHUBI_KIND_MESSAGE, 0, LITERAL(A "a\0\0" A "b\0\0" A "\0" "c\0" A "d\0" "e=f\0") },
    { "d1", NULL, C2D "?a=?&??b=1", IOTHUBI_KIND_MESSAGE, 0, LITERAL(A "a\0?\0" A "b\0" "1\0") },
    { "d1", NULL, C2D "a=1&b=2&a=3&%24.mid=4&%24.mid=5", IOTHUBI_KIND_MESSAGE, 0, LITERAL(A "b\0" "2\0" A "a\0" "3\0" MID "5\0") },
    { "d1", NULL, C2D "a=%&b=%4&c=%4g&d=%%41&e=%2541&f=%00&g=%e2%82%AC", IOTHUBI_KIND_MESSAGE, 0,
        LITERAL(A "a\0%\0" A "b\0%4\0" A "c\0%4g\0" A "d\0%A\0" A "e\0%41\0" A "f\0%00\0" A "g\0\xE2\x82\xAC\0") },
    { "d1", NULL, C2D "$rid=1&%24version=2&$.on=3", IOTHUBI_KIND_MESSAGE, 0, LITERAL(A "$rid\0" "1\0" A "$version\0" "2\0") },
    { "d1", "m1", IN "in%20put/a=b", IOTHUBI_KIND_MESSAGE, 0, LITERAL(INPUT "in%20put\0" A "a\0b\0") },
    { "d1", "m1", IN "i/%24.cdid=d1&%24.cmid=m2", IOTHUBI_KIND_MESSAGE, 0, LITERAL(INPUT "i\0" CDID "d1\0" CMID "m2\0") },
    { "d1", "m1", IN "/", IOTHUBI_KIND_MESSAGE, 0, LITERAL(INPUT "\0") },
    { "d1", NULL, "$iothub/twin/res/200/?$rid=65537", IOTHUBI_KIND_ANSWER, 200, LITERAL(RID "65537\0") },
    { "d1", NULL, "$iothub/twin/res/429/?$rid=7&$version=4&retry-after=30", IOTHUBI_KIND_ANSWER, 429, LITERAL(RID "7\0" VERSION "4\0" AFTER "30\0") },
    { "d1", NULL, "$iothub/twin/res/999/", IOTHUBI_KIND_ANSWER, 999, NONE },
    { "d1", NULL, "$iothub/twin/PATCH/properties/desired/?$version=4294967295", IOTHUBI_KIND_PATCH, 0, LITERAL(VERSION "4294967295\0") },
    { "d1", NULL, "$iothub/methods/POST/re%20boot/?$rid=8ac5-%41", IOTHUBI_KIND_METHOD, 0, LITERAL(METHOD "re%20boot\0" RID "8ac5-%41\0") },
    { "a$;%25", NULL, "devices/a$;%25/messages/devicebound/a=b", IOTHUBI_KIND_MESSAGE, 0, LITERAL(A "a\0b\0") },
    { "devices", NULL, "devices/devices/messages/devicebound/a=b", IOTHUBI_KIND_MESSAGE, 0, LITERAL(A "a\0b\0") },
    /* nobody's */
    { "d1", NULL, "", IOTHUBI_KIND_UNKNOWN, 0, NONE },
    { "d1", NULL, "devices/d1/messages/devicebound", IOTHUBI_KIND_UNKNOWN, 0, NONE },
    { "d1", NULL, "devices/d2/messages/devicebound/a=b", IOTHUBI_KIND_UNKNOWN, 0, NONE },
    { "d1", NULL, "devices/d11/messages/devicebound/a=b", IOTHUBI_KIND_UNKNOWN, 0, NONE },
    { "d1", NULL, IN "i/a=b", IOTHUBI_KIND_UNKNOWN, 0, NONE },
    { "d1", NULL, "devices//messages/devicebound/a=b", IOTHUBI_KIND_UNKNOWN, 0, NONE },
    { "d1", NULL, "$iothub/twin/res/1000/?$rid=1", IOTHUBI_KIND_UNKNOWN, 0, NONE },
    { "d1", NULL, "$iothub/twin/res/65736/?$rid=1", IOTHUBI_KIND_UNKNOWN, 0, NONE },       /* 65536 + 200 */
    { "d1", NULL, "$iothub/twin/res/4294967496/?$rid=1", IOTHUBI_KIND_UNKNOWN, 0, NONE },  /* 2^32 + 200 */
    { "d1", NULL, "$iothub/twin/GET/?$rid=1", IOTHUBI_KIND_UNKNOWN, 0, NONE },
    { "d1", NULL, "$iothub/methods/POST/reboot", IOTHUBI_KIND_UNKNOWN, 0, NONE }
};

static unsigned char memory[301];
static iothubi_inbound inbound;

/* Reads a topic in pieces of step bytes into this room, which must not be left. */
static void read_topic(size_t index, size_t step, size_t size, size_t apart)
{
    iothubi_identity identity;
    const char *topic = topics[index].topic;
    size_t left = IOTHUB_STRLEN(topic), part;
    IOTHUB_MEMSET(&identity, 0, sizeof identity);
    identity.text[IOTHUBI_DEVICE_ID] = topics[index].device;
    identity.text[IOTHUBI_MODULE_ID] = topics[index].module;
    IOTHUB_MEMSET(memory, '#', sizeof memory);
    iothubi_inbound_begin(&inbound, memory, size, apart);
    for (; left != 0; left -= part) {
        part = left < step ? left : step;
        iothubi_topic_feed(&inbound, &identity, (const unsigned char *)topic, part);
        topic += part;
    }
    iothubi_topic_end(&inbound);
}

static void splits(void)
{
    size_t step;
    about("a topic, in pieces of 1, 2, 3, 7, 64 and all bytes");
    for (row = 0; row < COUNT(topics); ++row) {
        for (step = 1; step < 300; step = step == 1 ? 2 : step * 3u / 2u + 1u) {
            read_topic(row, step, 200, 0);
            CHECK_NUMBER(inbound.kind, topics[row].kind);
            CHECK_NUMBER(inbound.status, topics[row].status);
            CHECK_NUMBER(inbound.missing, 0);
            check_bytes(inbound.map.bytes, inbound.map.used, topics[row].map, topics[row].size, TEXT("map"), __LINE__);
            CHECK_NUMBER(memory[200], '#');
        }
    }
}

/* What has no room is missing; what the map then holds are the first entries. */
static void rooms(void)
{
    size_t size, wrong;
    about("a topic in every room from none");
    for (row = 0; row < COUNT(topics); ++row) {
        wrong = 0;
        for (size = 0; size < 60; ++size) {
            read_topic(row, 5, size, 0);
            wrong += memory[size] != '#' || inbound.map.used > size
                || (inbound.missing == 0 && (inbound.map.used != topics[row].size || IOTHUB_MEMCMP(memory, topics[row].map, topics[row].size) != 0))
                || (inbound.missing != 0 && inbound.map.used != 0 && memory[inbound.map.used - 1u] != '\0');
        }
        CHECK_NUMBER(wrong, 0);
    }
}

/* A message that may be kept lies behind the place for signing; nothing else does. */
static void apart(void)
{
    about("100 bytes left free before a message");
    for (row = 0; row < COUNT(topics); ++row) {
        read_topic(row, 3, 250, 100);
        CHECK_NUMBER((size_t)(inbound.map.bytes - memory), topics[row].kind == IOTHUBI_KIND_MESSAGE ? 100 : 0);
        CHECK_NUMBER(inbound.map.room, topics[row].kind == IOTHUBI_KIND_MESSAGE ? 150 : 250);
        check_bytes(inbound.map.bytes, inbound.map.used, topics[row].map, topics[row].size, TEXT("map"), __LINE__);
        CHECK_NUMBER(memory[250], '#');
    }
}

void vectors(void)
{
    splits();
    rooms();
    apart();
}
