/* Percent-encoding, decimals, base64, lists of names. */

#include "check.h"

const char room[] = "text";

/* ---- percent-encoding ---- */

enum { LITERALLY, KEEPING };

static const struct { const char *text; int escapes; const char *encoded; } encodings[] = {
    { "", LITERALLY, "" },
    { "plain-text_0.9~", LITERALLY, "plain-text_0.9~" },
    { " a  b ", LITERALLY, "%20a%20%20b%20" },
    { "application/json", LITERALLY, "application%2Fjson" },
    { "a=b&c", LITERALLY, "a%3Db%26c" },
    { "\xC3\xA9", LITERALLY, "%C3%A9" },         /* e acute in UTF-8, byte by byte */
    { "\x01\x7F\x80\xFF", LITERALLY, "%01%7F%80%FF" },
    { "%2f", LITERALLY, "%252f" },
    { "100%", LITERALLY, "100%25" },
    { "%2f", KEEPING, "%2f" },
    { "%2F", KEEPING, "%2F" },
    { "a%20b c", KEEPING, "a%20b%20c" },
    { "%aF%Fa", KEEPING, "%aF%Fa" },
    { "%2g", KEEPING, "%252g" },
    { "%g2", KEEPING, "%25g2" },
    { "%", KEEPING, "%25" },
    { "%4", KEEPING, "%254" },
    { "%41", KEEPING, "%41" },
    { "%%41", KEEPING, "%25%41" },
    { "%4%41", KEEPING, "%254%41" },
    { "%\xB2\xB3", KEEPING, "%25%B2%B3" },       /* superscript digits of Latin-1 are none, whatever the sign of char */
    { "%:0%@0%G0%`0%g0%/0", KEEPING, "%25%3A0%25%400%25G0%25%600%25g0%25%2F0" }  /* the neighbours of the digits */
};

static int escapes_now;

static void encode(iothubi_writer *writer, const void *text)
{
    iothubi_write_encoded(writer, (const char *)text, IOTHUB_STRLEN((const char *)text), escapes_now);
}

static void percent_encoding(void)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const char digits[] = "0123456789ABCDEF";     /* the product's too: avr-gcc has made one of flash and RAM */
    unsigned char written[3];
    iothubi_writer writer;
    int c, wrong = 256;
    for (row = 0; row < COUNT(encodings); ++row) {
        subject = encodings[row].text;
        escapes_now = encodings[row].escapes;
        check_written(encode, subject, encodings[row].encoded, IOTHUB_STRLEN(encodings[row].encoded), TEXT("encoded"), __LINE__);
    }
    about("each byte but RFC 3986's unreserved ones becomes an escape");
    for (c = 0; c < 256; ++c) {
        char byte = (char)(unsigned char)c;
        int plain = memchr(unreserved, c, sizeof unreserved - 1u) != NULL;
        iothubi_write_begin(&writer, written, 0, sizeof written);
        iothubi_write_encoded(&writer, &byte, 1, 1);
        if (plain ? writer.length != 1 || written[0] != c
            : writer.length != 3 || written[0] != '%' || written[1] != digits[c / 16] || written[2] != digits[c % 16]) {
            wrong = c;
        }
    }
    CHECK_NUMBER(wrong, 256);
}

/* ---- decimals ---- */

static const struct { uint32_t value; const char *text; } numbers[] = {
    { 0, "0" }, { 9, "9" }, { 10, "10" }, { 99, "99" }, { 100, "100" },
    { 32767, "32767" }, { 32768ul, "32768" }, { 65535ul, "65535" }, { 65536ul, "65536" }, { 99999ul, "99999" }, { 100000ul, "100000" },
    { 2147483647ul, "2147483647" }, { 2147483648ul, "2147483648" }, { 1893456000ul, "1893456000" }, { 4294967295ul, "4294967295" }
};

static const char *const no_numbers[] = {
    "", "4294967296", "4294967300", "9999999999", "42949672950", "18446744073709551617", "-1", "+1", " 1", "1 ", "1.5", "0x10",
    "1/", "1:", "\xB2"
};

static void decimal(iothubi_writer *writer, const void *value)
{
    iothubi_write_decimal(writer, *(const uint32_t *)value);
}

static void decimals(void)
{
    uint32_t value;
    for (row = 0; row < COUNT(numbers); ++row) {
        subject = numbers[row].text;
        check_written(decimal, &numbers[row].value, subject, IOTHUB_STRLEN(subject), TEXT("decimal"), __LINE__);
        CHECK(iothubi_read_decimal(subject, IOTHUB_STRLEN(subject), &value));
        CHECK_NUMBER(value, numbers[row].value);
    }
    for (row = 0; row < COUNT(no_numbers); ++row) {
        subject = no_numbers[row];
        CHECK(!iothubi_read_decimal(subject, IOTHUB_STRLEN(subject), &value));
    }
    about("leading zeros");
    CHECK(iothubi_read_decimal("0000000000000000007", 19, &value));
    CHECK_NUMBER(value, 7);
}

/* ---- base64 ---- */

static const struct { const char *text; const char *bytes; size_t size; } base64[] = {
    { "Zg==", LITERAL("f") },                    /* RFC 4648 section 10 */
    { "Zm8=", LITERAL("fo") },
    { "Zm9v", LITERAL("foo") },
    { "Zm9vYg==", LITERAL("foob") },
    { "Zm9vYmE=", LITERAL("fooba") },
    { "Zm9vYmFy", LITERAL("foobar") },
    { "+/+/", LITERAL("\xFB\xFF\xBF") },
    { "gAB/", LITERAL("\x80\x00\x7F") },
    { "//////8=", LITERAL("\xFF\xFF\xFF\xFF\xFF") },
    { "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        LITERAL("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1B\x1C\x1D\x1E\x1F") }
};

static const char *const no_base64[] = {
    "", "A", "AA", "AAA", "AAAAA", "AA=", "=", "====", "A===", "AA=A", "A=AA", "=AAA", "A==A", "AA==AAAA", "AAA=AAAA", "AAAAAA=A",
    "AAAA====", "AAA\n", "AA A", "AA-_", "AAA\xC1"
};

/* As a token has them: percent-encoded, and without the last pad. */
static const struct { const char *digest; const char *text; } digests[] = {
    { "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1B\x1C\x1D\x1E\x1F",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" },
    { "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        "%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F8" },
    { "\xE3\xB0\xC4\x42\x98\xFC\x1C\x14\x9A\xFB\xF4\xC8\x99\x6F\xB9\x24\x27\xAE\x41\xE4\x64\x9B\x93\x4C\xA4\x95\x99\x1B\x78\x52\xB8\x55",
        "47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU" }   /* SHA-256 of nothing (FIPS 180-4) */
};

/* Each byte at each place of a group: a digit's six bits, or refused. */
static void base64_digits(void)
{
    static const char book[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[6];
    int c, place, wrong = 256;
    about("each byte at each place of a group");
    for (c = 0; c < 256; ++c) {
        const char *digit = (const char *)memchr(book, c, sizeof book - 1u);
        for (place = 0; place < 4; ++place) {
            char text[] = "AAAAAAAA";
            uint32_t bits = digit != NULL ? (uint32_t)(digit - book) << (18 - 6 * place) : 0;
            size_t done;
            text[place] = (char)(unsigned char)c;
            done = iothubi_base64_decode(text, 8, bytes);
            if (done != (digit != NULL ? 6u : 0u) || done != iothubi_base64_decode(text, 8, NULL)
                || (done != 0 && (bytes[0] != bits >> 16 || bytes[1] != (bits >> 8 & 255u) || bytes[2] != (bits & 255u)))) {
                wrong = c;
            }
        }
    }
    CHECK_NUMBER(wrong, 256);
}

static void digest(iothubi_writer *writer, const void *context)
{
    iothubi_write_digest(writer, (const unsigned char *)context);
}

static void base64_texts(void)
{
    unsigned char bytes[33];
    for (row = 0; row < COUNT(base64); ++row) {
        size_t size = IOTHUB_STRLEN(base64[row].text);
        subject = base64[row].text;
        IOTHUB_MEMSET(bytes, '#', sizeof bytes);
        CHECK_NUMBER(iothubi_base64_decode(subject, size, NULL), base64[row].size);
        CHECK_NUMBER(iothubi_base64_decode(subject, size, bytes), base64[row].size);
        check_bytes(bytes, base64[row].size, base64[row].bytes, base64[row].size, TEXT("decoded"), __LINE__);
        CHECK_NUMBER(bytes[base64[row].size], '#');
    }
    for (row = 0; row < COUNT(no_base64); ++row) {
        subject = no_base64[row];
        CHECK_NUMBER(iothubi_base64_decode(subject, IOTHUB_STRLEN(subject), NULL), 0);
        CHECK_NUMBER(iothubi_base64_decode(subject, IOTHUB_STRLEN(subject), bytes), 0);
    }
    for (row = 0; row < COUNT(digests); ++row) {
        subject = digests[row].text;
        check_written(digest, digests[row].digest, subject, IOTHUB_STRLEN(subject), TEXT("digest"), __LINE__);
    }
}

/* ---- lists ---- */

static IOTHUB_CONST char names[] = "sr\0sig\0se\0";

static const struct { const char *text; size_t size; int index; } finds[] = {
    { LITERAL("sr"), 0 },
    { LITERAL("sig"), 1 },
    { LITERAL("se"), 2 },
    { LITERAL(""), -1 },
    { LITERAL("s"), -1 },
    { LITERAL("si"), -1 },
    { LITERAL("sigs"), -1 },
    { LITERAL("SIG"), -1 },
    { LITERAL(" sr"), -1 },
    { LITERAL("sr\0"), -1 },
    { LITERAL("sr\0sig"), -1 }
};

/* The parts, each with a bar behind it. */
static const struct { const char *list; const char *parts; } lists[] = {
    { "", "" },
    { "a", "a|" },
    { "a;b", "a|b|" },
    { "a;b;", "a|b|" },                          /* a last separator ends the list */
    { ";", "|" },
    { ";;a", "||a|" },
    { "a=b;c=d", "a=b|c=d|" }
};

static const struct { const char *pair; const char *parts; } pairs[] = {
    { "key=value", "key|value|" },
    { "key=a=b==", "key|a=b==|" },
    { "key=", "key||" },
    { "=value", "|value|" },
    { "=", "||" },
    { "key", "no" },                             /* all of it is the part */
    { "", "no" }
};

static void add_part(iothubi_writer *writer, const iothubi_span *part)
{
    iothubi_write(writer, part->at, part->size);
    iothubi_write_byte(writer, '|');
}

static void lists_of_names(void)
{
    iothubi_writer writer;
    iothubi_span rest, part;
    char parts[16];
    for (row = 0; row < COUNT(finds); ++row) {
        subject = finds[row].text;
        part.at = finds[row].text;
        part.size = finds[row].size;
        CHECK_NUMBER(iothubi_find_name(names, &part) + 1, finds[row].index + 1);
    }
    for (row = 0; row < COUNT(lists); ++row) {
        subject = lists[row].list;
        iothubi_span_of(&rest, subject);
        iothubi_write_begin(&writer, (unsigned char *)parts, 0, sizeof parts);
        while (iothubi_next_part(&rest, ';', &part)) {
            add_part(&writer, &part);
        }
        check_bytes(parts, writer.length, lists[row].parts, IOTHUB_STRLEN(lists[row].parts), TEXT("parts"), __LINE__);
    }
    for (row = 0; row < COUNT(pairs); ++row) {
        subject = pairs[row].pair;
        iothubi_span_of(&rest, subject);
        iothubi_write_begin(&writer, (unsigned char *)parts, 0, sizeof parts);
        if (iothubi_split(&rest, '=', &part)) {
            add_part(&writer, &part);
            add_part(&writer, &rest);
        } else {
            CHECK_NUMBER(rest.size, 0);
            check_bytes(part.at, part.size, subject, IOTHUB_STRLEN(subject), TEXT("part"), __LINE__);
            iothubi_write(&writer, "no", 2);
        }
        check_bytes(parts, writer.length, pairs[row].parts, IOTHUB_STRLEN(pairs[row].parts), TEXT("pair"), __LINE__);
    }
}

void vectors(void)
{
    percent_encoding();
    decimals();
    base64_digits();
    base64_texts();
    lists_of_names();
}
