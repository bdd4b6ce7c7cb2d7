/* Versions in, decisions out: which document and which patches of a twin the application gets. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/twin.h"

namespace {

struct Twin {
    iothubi_twin twin;
    Twin() { std::memset(&twin, 0, sizeof twin); }
    /* GET is written and answered with this document. */
    int document(const std::string &text)
    {
        iothubi_json_version_begin(&twin.scanner, IOTHUBI_VERSION_OF_TWIN);
        iothubi_json_version_feed(&twin.scanner, (const unsigned char *)text.data(), text.size());
        return iothubi_twin_document(&twin);
    }
    int document(uint32_t version)
    {
        return document("{\"desired\":{\"$version\":" + std::to_string(version) + "},\"reported\":{\"$version\":77}}");
    }
    int patch(uint32_t version)
    {
        int taken = iothubi_twin_patch(&twin, version);
        if (taken) {
            twin.version += 1u;                  /* as the transport does */
        }
        return taken;
    }
    void get()
    {
        iothubi_twin_ask(&twin);
        iothubi_twin_asked(&twin, 1000);
    }
    void known(uint32_t version)
    {
        get();
        REQUIRE(document(version) == 1);
        REQUIRE(twin.get == IOTHUBI_GET_NONE);
    }
};

void reader(DEVICE_TWIN_UPDATE_STATE, const unsigned char *, size_t, void *) {}

}

TEST_CASE("twin: patches in order are taken, each once")
{
    Twin t;
    t.known(4);
    CHECK(t.patch(5) == 1);
    CHECK(t.patch(6) == 1);
    CHECK(t.patch(6) == 0);
    CHECK(t.patch(5) == 0);
    CHECK(t.patch(1) == 0);
    CHECK(t.patch(0) == 0);                      /* without a version */
    CHECK(t.twin.get == IOTHUBI_GET_NONE);
    CHECK(t.patch(7) == 1);
}

TEST_CASE("twin: a gap asks for the document, and nothing is taken until it came")
{
    Twin t;
    t.known(4);
    CHECK(t.patch(6) == 0);
    CHECK(t.twin.get == IOTHUBI_GET_WANTED);
    CHECK(t.patch(5) == 0);                      /* late, and in order: the document will hold it */
    iothubi_twin_asked(&t.twin, 0);
    CHECK(t.patch(7) == 0);
    CHECK(t.twin.get == IOTHUBI_GET_ASKED);
    CHECK(t.document(7) == 1);
    CHECK(t.patch(8) == 1);
}

TEST_CASE("twin: a patch before any document asks for one")
{
    Twin t;
    CHECK(t.patch(1) == 0);
    CHECK(t.twin.get == IOTHUBI_GET_WANTED);
}

TEST_CASE("twin: a document older than a patch that came since GET is asked for again, an equal one is taken")
{
    Twin t;
    t.get();
    CHECK(t.patch(9) == 0);
    CHECK(t.patch(8) == 0);                      /* the highest counts */
    CHECK(t.document(8) == 0);
    CHECK(t.twin.get == IOTHUBI_GET_WANTED);
    CHECK(t.twin.known == 0);
    iothubi_twin_asked(&t.twin, 0);
    CHECK(t.document(8) == 1);                   /* nothing came since this GET: it is believed */
    t.get();
    CHECK(t.patch(9) == 0);
    CHECK(t.document(9) == 1);
    CHECK(t.patch(10) == 1);
}

TEST_CASE("twin: patches that came before GET was written do not make its document old")
{
    Twin t;
    iothubi_twin_ask(&t.twin);
    CHECK(t.patch(50) == 0);
    iothubi_twin_asked(&t.twin, 0);
    CHECK(t.document(3) == 1);
    CHECK(t.patch(4) == 1);
}

TEST_CASE("twin: a document with a lower version is believed: the device was made anew")
{
    Twin t;
    t.known(100);
    t.get();
    CHECK(t.document(1) == 1);
    CHECK(t.patch(2) == 1);
    CHECK(t.patch(101) == 0);
    CHECK(t.twin.get == IOTHUBI_GET_WANTED);
}

TEST_CASE("twin: a document without a version of desired is taken, and the next patch asks for another")
{
    for (const char *text : { "{}", "", "{\"reported\":{\"$version\":3}}", "{\"desired\":{\"$version\":4294967296}}", "{\"desired\":{\"$version\":1.5}}", "nonsense" }) {
        Twin t;
        t.get();
        CAPTURE(text);
        CHECK(t.document(text) == 1);
        CHECK(t.twin.get == IOTHUBI_GET_NONE);
        CHECK(t.twin.known == 0);
        CHECK(t.patch(1) == 0);
        CHECK(t.twin.get == IOTHUBI_GET_WANTED);
    }
}

TEST_CASE("twin: versions go up to 2^32 - 1")
{
    Twin t;
    t.known(0xFFFFFFFEu);
    CHECK(t.patch(0xFFFFFFFFu) == 1);
    CHECK(t.patch(0xFFFFFFFFu) == 0);
    CHECK(t.twin.get == IOTHUBI_GET_NONE);
}

TEST_CASE("twin: each GET has a request id of its own, above those of the outbox, and asking twice is one GET")
{
    Twin t;
    iothubi_twin_ask(&t.twin);
    iothubi_twin_ask(&t.twin);
    uint32_t first = iothubi_twin_request(&t.twin);
    CHECK(first == 65537);
    iothubi_twin_asked(&t.twin, 0);
    iothubi_twin_ask(&t.twin);
    CHECK(iothubi_twin_request(&t.twin) == first);
    CHECK(t.document(1) == 1);
    iothubi_twin_ask(&t.twin);
    CHECK(iothubi_twin_request(&t.twin) == first + 1);
    t.twin.gets = 0xFFFFFFu;                     /* before the 24 bits of the count wrap, and after */
    CHECK(iothubi_twin_request(&t.twin) == 0x100FFFFu);
    t.twin.gets = 0x1000000u;
    CHECK(iothubi_twin_request(&t.twin) == 0x10000u);
}

TEST_CASE("twin: a refusal holds for the time that the hub says, 10 s without one, an hour at most")
{
    struct { uint32_t said; unsigned held; } const cases[] = { { 0, 10 }, { 1, 1 }, { 30, 30 }, { 3599, 3599 }, { 3600, 3600 }, { 3601, 3600 }, { 0xFFFFFFFFu, 3600 } };
    for (const auto &c : cases) {
        Twin t;
        iothubi_twin_hold(&t.twin, c.said, 4711);
        CAPTURE(c.said);
        CHECK(t.twin.held_s == c.held);
        CHECK(t.twin.held_tick == 4711);
    }
}

TEST_CASE("twin: after a lost connection the document is asked for again if somebody wants it")
{
    Twin nobody;
    nobody.known(3);
    nobody.twin.reported = 1;
    iothubi_twin_lost(&nobody.twin);
    CHECK(nobody.twin.get == IOTHUBI_GET_NONE);
    CHECK(nobody.twin.known == 0);
    CHECK(nobody.twin.reported == 0);
    CHECK_FALSE(iothubi_twin_is_wanted(&nobody.twin));

    Twin all;
    all.twin.readers[0].callback = (iothubi_function)reader;
    CHECK(iothubi_twin_is_wanted(&all.twin));
    all.known(3);
    iothubi_twin_lost(&all.twin);
    CHECK(all.twin.get == IOTHUBI_GET_WANTED);
    iothubi_twin_asked(&all.twin, 0);
    CHECK(all.document(2) == 1);

    Twin once;
    once.get();
    once.twin.waiting = 1;
    iothubi_twin_lost(&once.twin);
    CHECK(once.twin.get == IOTHUBI_GET_WANTED);
}

TEST_CASE("twin: random histories: the application's document and patches have no gap and end at the hub's version")
{
    for (uint32_t seed = 1; seed <= 300; ++seed) {
        Numbers numbers(seed);
        Twin t;
        uint32_t hub = 1, seen = 0, snapshot = 0, documents = 0;
        iothubi_twin_ask(&t.twin);
        for (int step = 0; step < 80; ++step) {
            switch (numbers.below(5)) {
            case 0: case 1:                      /* a change; a third of the patches is lost */
                ++hub;
                if (numbers.below(3) != 0 && t.patch(hub)) {
                    REQUIRE(hub == seen + 1);
                    seen = hub;
                }
                break;
            case 2:                              /* a patch comes again */
                REQUIRE((seen == 0 || t.patch(numbers.below(seen) + 1) == 0));
                break;
            case 3:
                if (t.twin.get == IOTHUBI_GET_WANTED) {
                    iothubi_twin_asked(&t.twin, 0);
                    snapshot = hub;
                }
                break;
            default:
                if (t.twin.get == IOTHUBI_GET_ASKED && t.document(snapshot)) {
                    seen = snapshot;
                    ++documents;
                }
                break;
            }
            REQUIRE(seen <= hub);
        }
        for (int i = 0; i < 3; ++i) {            /* nothing is lost any more: a change, its patch, GET if it asks */
            ++hub;
            if (t.patch(hub)) {
                seen = hub;
            }
            if (t.twin.get != IOTHUBI_GET_NONE) {
                iothubi_twin_asked(&t.twin, 0);
                REQUIRE(t.document(hub) == 1);
                seen = hub;
                ++documents;
            }
        }
        CAPTURE(seed);
        CHECK(seen == hub);
        CHECK(documents >= 1);
    }
}
