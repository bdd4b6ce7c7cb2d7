/* The rules of versions: which document and which patches the application gets, and when it is asked anew. */

#include "check.h"

const char room[] = "twin";

static iothubi_twin twin;

static void reader(void)
{
}

/* 'w' wanted, 'g' GET is written, 'p' a patch of this version, 'd' a document of it (version 0: without one), 'l' the connection is
   lost: is it for the application, the state of GET, how many there were, and the version that is known then (0: none). */
static const struct { char act; uint32_t version; int given; unsigned char get; unsigned int gets; uint32_t known; } steps[] = {
    { 'p', 3, 0, IOTHUBI_GET_WANTED, 1, 0 },     /* before any document: asks for one */
    { 'p', 4, 0, IOTHUBI_GET_WANTED, 1, 0 },
    { 'g', 0, 0, IOTHUBI_GET_ASKED, 1, 0 },
    { 'd', 4, 1, IOTHUBI_GET_NONE, 1, 4 },
    { 'p', 5, 1, IOTHUBI_GET_NONE, 1, 5 },
    { 'p', 5, 0, IOTHUBI_GET_NONE, 1, 5 },       /* again */
    { 'p', 2, 0, IOTHUBI_GET_NONE, 1, 5 },
    { 'p', 6, 1, IOTHUBI_GET_NONE, 1, 6 },
    { 'p', 8, 0, IOTHUBI_GET_WANTED, 2, 6 },     /* a gap */
    { 'g', 0, 0, IOTHUBI_GET_ASKED, 2, 6 },
    { 'p', 9, 0, IOTHUBI_GET_ASKED, 2, 6 },      /* while one is asked for */
    { 'd', 8, 0, IOTHUBI_GET_WANTED, 3, 0 },     /* older than that patch: once more */
    { 'g', 0, 0, IOTHUBI_GET_ASKED, 3, 0 },
    { 'd', 9, 1, IOTHUBI_GET_NONE, 3, 9 },
    { 'p', 10, 1, IOTHUBI_GET_NONE, 3, 10 },
    { 'w', 0, 0, IOTHUBI_GET_WANTED, 4, 10 },
    { 'g', 0, 0, IOTHUBI_GET_ASKED, 4, 10 },
    { 'd', 1, 1, IOTHUBI_GET_NONE, 4, 1 },       /* the device was made anew: believed */
    { 'p', 2, 1, IOTHUBI_GET_NONE, 4, 2 },
    { 'l', 0, 0, IOTHUBI_GET_WANTED, 4, 0 },
    { 'p', 3, 0, IOTHUBI_GET_WANTED, 4, 0 },
    { 'g', 0, 0, IOTHUBI_GET_ASKED, 4, 0 },
    { 'd', 0, 1, IOTHUBI_GET_NONE, 4, 0 },       /* without a version: given, but patches ask anew */
    { 'p', 3, 0, IOTHUBI_GET_WANTED, 5, 0 },
    { 'g', 0, 0, IOTHUBI_GET_ASKED, 5, 0 },
    { 'd', 4294967294ul, 1, IOTHUBI_GET_NONE, 5, 4294967294ul },
    { 'p', 4294967295ul, 1, IOTHUBI_GET_NONE, 5, 4294967295ul },
    { 'p', 65535ul, 0, IOTHUBI_GET_NONE, 5, 4294967295ul },
    { 'w', 0, 0, IOTHUBI_GET_WANTED, 6, 4294967295ul },
    { 'g', 0, 0, IOTHUBI_GET_ASKED, 6, 4294967295ul },
    { 'd', 65535ul, 1, IOTHUBI_GET_NONE, 6, 65535ul },
    { 'p', 65536ul, 1, IOTHUBI_GET_NONE, 6, 65536ul },
    { 'p', 131073ul, 0, IOTHUBI_GET_WANTED, 7, 65536ul } /* 1 more in 16 bits */
};

static void feed(const char *text)
{
    iothubi_json_version_feed(&twin.scanner, (const unsigned char *)text, IOTHUB_STRLEN(text));
}

static int document(uint32_t version)
{
    char digits[11];
    size_t at = sizeof digits - 1u;
    digits[at] = '\0';
    iothubi_json_version_begin(&twin.scanner, IOTHUBI_VERSION_OF_TWIN);
    feed("{\"reported\":{\"$version\":77},\"desired\":{\"a\":{\"$version\":78}");
    if (version != 0) {
        for (; version != 0; version /= 10u) {
            digits[--at] = (char)('0' + (int)(version % 10u));
        }
        feed(",\"$version\":");
        feed(digits + at);
    }
    feed("}}");
    return iothubi_twin_document(&twin);
}

static void rules(void)
{
    about("a document, then each patch in order and without a gap");
    IOTHUB_MEMSET(&twin, 0, sizeof twin);
    twin.readers[0].callback = reader;
    for (row = 0; row < COUNT(steps); ++row) {
        int given = 0;
        switch (steps[row].act) {
        case 'w': iothubi_twin_ask(&twin); break;
        case 'g': iothubi_twin_asked(&twin, 5); break;
        case 'l': iothubi_twin_lost(&twin); break;
        case 'd': given = document(steps[row].version); break;
        default:
            given = iothubi_twin_patch(&twin, steps[row].version);
            if (given) {
                twin.version += 1u;              /* as its delivery does */
            }
            break;
        }
        CHECK_NUMBER(given, steps[row].given);
        CHECK_NUMBER(twin.get, steps[row].get);
        CHECK_NUMBER(twin.gets, steps[row].gets);
        CHECK_NUMBER(twin.known ? twin.version : 0, steps[row].known);
        CHECK_NUMBER(iothubi_twin_request(&twin), 0x10000ul + steps[row].gets);
    }
}

static void requests(void)
{
    about("request ids of GET are above those of the outbox, whatever the count");
    IOTHUB_MEMSET(&twin, 0, sizeof twin);
    twin.gets = 0xFFFFFFul;
    CHECK_NUMBER(iothubi_twin_request(&twin), 0x100FFFFul);
    iothubi_twin_ask(&twin);
    CHECK_NUMBER(iothubi_twin_request(&twin), 0x10000ul);
    iothubi_twin_ask(&twin);                     /* it is asked already */
    CHECK_NUMBER(twin.gets, 0x1000000ul);
}

static const struct { uint32_t after_s; unsigned int held_s; } holds[] = {
    { 0, 10 }, { 1, 1 }, { 3599, 3599 }, { 3600, 3600 }, { 3601, 3600 }, { 65536ul, 3600 }, { 4294967295ul, 3600 }
};

static void times(void)
{
    about("the time that the hub asks for");
    for (row = 0; row < COUNT(holds); ++row) {
        iothubi_twin_hold(&twin, holds[row].after_s, 0xFFFFFFF0ul);
        CHECK_NUMBER(twin.held_s, holds[row].held_s);
        CHECK_NUMBER(twin.held_tick, 0xFFFFFFF0ul);
    }
    about("a lost connection: who waits asks again, nobody else");
    IOTHUB_MEMSET(&twin, 0, sizeof twin);
    twin.get = IOTHUBI_GET_ASKED;
    twin.reported = 1;
    iothubi_twin_lost(&twin);
    CHECK_NUMBER(twin.get, IOTHUBI_GET_NONE);
    CHECK_NUMBER(twin.reported, 0);
    twin.waiting = 1;
    iothubi_twin_lost(&twin);
    CHECK_NUMBER(twin.get, IOTHUBI_GET_WANTED);
}

void vectors(void)
{
    rules();
    requests();
    times();
}
