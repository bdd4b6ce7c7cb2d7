/* The version that a scanner finds, what JSON is, members, strings. */

#include "check.h"

const char room[] = "json";

/* ---- the version scanner ---- */

#define NONE 0xFFFFFFFFul                        /* in place of a version */
#define TOO_LARGE 0xFFFFFFFEul

static const struct { const char *text; uint32_t of_twin, of_patch; } versions[] = {
    { "{\"desired\":{\"a\":{\"$version\":9},\"$version\":4},\"reported\":{\"$version\":17}}", 4, NONE },
    { " { \"reported\" : { \"$version\" : 17 } ,\r\n\t\"desired\" : { \"$version\" : 4 } }", 4, NONE },
    { "{\"a\":\"}\\\"{\\\\\",\"$version\":5}", NONE, 5 },
    { "{\"desired\":{\"$version\":7},\"$version\":9}", 7, 9 },
    { "{\"a\":[\"$version\",1,{\"$version\":2}],\"b\":\"$version\",\"$version\":32768}", NONE, 32768ul },
    { "{\"$versio\":1,\"$versions\":2,\"\\u0024version\":3,\"$version\":65536}", NONE, 65536ul },
    { "{\"$version\":4294967293}", NONE, 4294967293ul },
    { "{\"$version\":4294967296}", NONE, TOO_LARGE },
    { "{\"$version\":42949672960}", NONE, TOO_LARGE },
    { "{\"$version\":65537000000}", NONE, TOO_LARGE },
    { "{\"$version\":-5}", NONE, NONE },
    { "{\"$version\":5.0}", NONE, NONE },
    { "{\"$version\":\"5\"}", NONE, NONE },
    { "{\"desired\":[{\"$version\":5}],\"b\":{\"$version\":5}}", NONE, NONE },
    { "\"$version\":5}", NONE, NONE },
    { "}{\"$version\":5}", NONE, NONE },
    { "{\"\"$version\":5}", NONE, NONE },       /* the quote before the name ends a string */
    { "{\"$version\":5", NONE, NONE },
    { "", NONE, NONE }
};

/* In pieces of so many bytes. */
static uint32_t version(const char *text, int of, size_t piece)
{
    iothubi_json_version scanner;
    uint32_t number;
    size_t size = IOTHUB_STRLEN(text), at;
    iothubi_json_version_begin(&scanner, of);
    for (at = 0; at < size; at += piece) {
        iothubi_json_version_feed(&scanner, (const unsigned char *)text + at, size - at < piece ? size - at : piece);
    }
    switch (iothubi_json_version_result(&scanner, &number)) {
    case IOTHUBI_VERSION_FOUND: return number;
    case IOTHUBI_VERSION_TOO_LARGE: return TOO_LARGE;
    default: return NONE;
    }
}

static void scanner(void)
{
    for (row = 0; row < COUNT(versions); ++row) {
        size_t piece;
        subject = versions[row].text;
        for (piece = 1; piece < 20; piece += piece) {
            CHECK_NUMBER(version(subject, IOTHUBI_VERSION_OF_TWIN, piece), versions[row].of_twin);
            CHECK_NUMBER(version(subject, IOTHUBI_VERSION_OF_PATCH, piece), versions[row].of_patch);
        }
    }
}

/* ---- the walker ---- */

static const char *const good[] = {
    "null", "true", "-0", "10.25e+30", "\"\\\"\\/\\u00E9 \xC3\xA9\"", "[]", " { \"a\" : [ 1 , { } ] }\r\n",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"          /* 31 deep */
};

static const char *const bad[] = {
    "", "nul", "01", "1.", "1e", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\t\"", "[1,]", "[1}", "{\"a\":1,}", "{\"a\"}", "1 2", "{} {}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
};

static int is_value(const char *text)
{
    iothubi_span span;
    span.at = text;
    span.size = IOTHUB_STRLEN(text);
    return iothubi_json_is_value(&span);
}

static void walker(void)
{
    static const char object[] = " { \"a\" : [ 1 , { \"b\" : 2 } ] , \"c\\\"\":\"}\" } ";
    iothubi_span whole, rest, name, value;
    for (row = 0; row < COUNT(good); ++row) {
        subject = good[row];
        CHECK(is_value(subject));
    }
    for (row = 0; row < COUNT(bad); ++row) {
        subject = bad[row];
        CHECK(!is_value(subject));
    }
    about("members of an object");
    whole.at = object;
    whole.size = sizeof object - 1u;
    CHECK(iothubi_json_enter(&whole, &rest));
    CHECK(iothubi_json_member(&rest, &name, &value));
    CHECK_BYTES(name.at, name.size, "a");
    CHECK_BYTES(value.at, value.size, "[ 1 , { \"b\" : 2 } ]");
    CHECK(!iothubi_json_enter(&value, &whole));
    CHECK(iothubi_json_member(&rest, &name, &value));
    CHECK_BYTES(name.at, name.size, "c\\\"");
    CHECK_BYTES(value.at, value.size, "\"}\"");
    CHECK(!iothubi_json_member(&rest, &name, &value));
    CHECK(!iothubi_json_member(&rest, &name, &value));
}

/* ---- strings ---- */

static const struct { const char *text, *json; } written[] = {
    { "", "\"\"" },
    { "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
    { "\x01\x1F\n\x7F", "\"\\u0001\\u001F\\u000A\x7F\"" },
    { "\xC3\xA9", "\"\xC3\xA9\"" }
};

static const struct { const char *json, *text; } meanings[] = {
    { "", "" },
    { "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
    { "a\\u0041\\u00e9\\u20AC\\uD83D\\uDE00", "aA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80" },
    { "\\u0000\\uDE00\\uD83D\\u0041", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" "A" }      /* U+FFFD */
};

static void write_string(iothubi_writer *writer, const void *text)
{
    iothubi_json_write_string(writer, (const char *)text);
}

static void write_meaning(iothubi_writer *writer, const void *text)
{
    iothubi_span name;
    name.at = (const char *)text;
    name.size = IOTHUB_STRLEN(name.at);
    iothubi_json_write_meaning(writer, &name);
}

static void strings(void)
{
    for (row = 0; row < COUNT(written); ++row) {
        subject = written[row].json;
        check_written(write_string, written[row].text, subject, IOTHUB_STRLEN(subject), TEXT("string"), __LINE__);
    }
    for (row = 0; row < COUNT(meanings); ++row) {
        subject = meanings[row].json;
        check_written(write_meaning, subject, meanings[row].text, IOTHUB_STRLEN(meanings[row].text), TEXT("meaning"), __LINE__);
    }
}

void vectors(void)
{
    scanner();
    walker();
    strings();
}
