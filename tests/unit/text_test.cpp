/* Percent-encoding, decimals, base64, lists of names. Every input ends at an unreadable page. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/text.h"

namespace {

std::string encoded(const std::string &text, int keep_escapes)
{
    Guarded input(text);
    return written([&](iothubi_writer *w) { iothubi_write_encoded(w, input.text(), text.size(), keep_escapes); });
}

std::string decimal(uint32_t value)
{
    return written([=](iothubi_writer *w) { iothubi_write_decimal(w, value); });
}

/* "no" when it is none, else the value written by the C++ library. */
std::string decimal_read(const std::string &text)
{
    Guarded input(text);
    uint32_t value = 77;
    return iothubi_read_decimal(input.text(), text.size(), &value) ? std::to_string(value) : "no";
}

/* Base64 by the book (RFC 4648 section 4), bit by bit, with a table of its own. */
const char book[] =
    "ABCDEFGHIJKLMNOP" "QRSTUVWXYZabcdef" "ghijklmnopqrstuv" "wxyz0123456789+/";

std::string base64(const Bytes &from)
{
    std::string bits, out;
    for (unsigned char byte : from) {
        for (int bit = 7; bit >= 0; --bit) {
            bits += byte >> bit & 1 ? '1' : '0';
        }
    }
    while (bits.size() % 6 != 0) {
        bits += '0';
    }
    for (size_t i = 0; i < bits.size(); i += 6) {
        out += book[std::stoi(bits.substr(i, 6), nullptr, 2)];
    }
    while (out.size() % 4 != 0) {
        out += '=';
    }
    return out;
}

/* Judges and decodes; "no" when it is refused. The output ends at an unreadable page as well. */
std::string decoded(const std::string &text)
{
    Guarded input(text);
    size_t size = iothubi_base64_decode(input.text(), text.size(), nullptr);
    if (size == 0) {
        return "no";
    }
    Guarded output(size);
    CHECK(iothubi_base64_decode(input.text(), text.size(), output.data()) == size);
    return hex(Bytes(output.data(), output.data() + size));
}

std::string digest_text(const Bytes &digest)
{
    Guarded input(digest);
    return written([&](iothubi_writer *w) { iothubi_write_digest(w, input.data()); });
}

/* Percent-encoding by the book: base64 has only these three characters that are not unreserved (RFC 3986). */
std::string escaped(const std::string &base64)
{
    std::string out;
    for (char c : base64) {
        out += c == '+' ? std::string("%2B") : c == '/' ? std::string("%2F") : c == '=' ? std::string("%3D") : std::string(1, c);
    }
    return out;
}

iothubi_span span(const std::string &text)
{
    iothubi_span out = { text.data(), text.size() };
    return out;
}

std::string text(const iothubi_span &from)
{
    return std::string(from.at, from.size);
}

std::vector<std::string> parts(const std::string &list, char separator)
{
    std::vector<std::string> out;
    Guarded input(list);
    iothubi_span rest = { input.text(), list.size() }, part;
    while (iothubi_next_part(&rest, separator, &part)) {
        out.push_back(text(part));
    }
    return out;
}

typedef std::vector<std::string> Strings;

}

TEST_CASE("percent-encoding, each of the 256 bytes, leaves exactly RFC 3986's unreserved ones alone")
{
    const std::string unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    CHECK(unreserved.size() == 66);
    for (int c = 0; c < 256; ++c) {
        std::string one(1, static_cast<char>(c)), escape("%");
        escape += "0123456789ABCDEF"[c >> 4];
        escape += "0123456789ABCDEF"[c & 15];
        std::string expected = unreserved.find(one) != std::string::npos ? one : escape;
        CAPTURE(c);
        CHECK(encoded(one, 0) == expected);
        CHECK(encoded(one, 1) == expected);
    }
}

TEST_CASE("percent-encoding, runs of plain and other characters, keeps their order")
{
    CHECK(encoded("", 0) == "");
    CHECK(encoded("plain", 0) == "plain");
    CHECK(encoded("lab 1", 0) == "lab%201");
    CHECK(encoded(" a  b ", 0) == "%20a%20%20b%20");
    CHECK(encoded("application/json", 0) == "application%2Fjson");
    CHECK(encoded("\xC3\xA9", 0) == "%C3%A9");                /* e acute in UTF-8, byte by byte */
    CHECK(encoded("a=b&c", 0) == "a%3Db%26c");
}

TEST_CASE("percent-encoding, escapes in the text, are encoded again when taken literally")
{
    CHECK(encoded("%2f", 0) == "%252f");
    CHECK(encoded("100%", 0) == "100%25");
    CHECK(encoded("%zz", 0) == "%25zz");
}

TEST_CASE("percent-encoding, escapes to be kept, stay when well formed and only then")
{
    CHECK(encoded("%2f", 1) == "%2f");
    CHECK(encoded("%2F", 1) == "%2F");
    CHECK(encoded("a%20b c", 1) == "a%20b%20c");
    CHECK(encoded("%aF%Fa", 1) == "%aF%Fa");
    CHECK(encoded("%zz", 1) == "%25zz");
    CHECK(encoded("%2g", 1) == "%252g");
    CHECK(encoded("%g2", 1) == "%25g2");
    CHECK(encoded("%", 1) == "%25");
    CHECK(encoded("%4", 1) == "%254");
    CHECK(encoded("%41", 1) == "%41");
    CHECK(encoded("%%41", 1) == "%25%41");
    CHECK(encoded("%4%41", 1) == "%254%41");
    CHECK(encoded("%\xB2\xB3", 1) == "%25%B2%B3");            /* superscript digits of Latin-1 are none */
    CHECK(encoded("%:0%@0%G0%`0%g0%/0", 1) == "%25%3A0%25%400%25G0%25%600%25g0%25%2F0");   /* the neighbours of the digits */
}

TEST_CASE("percent-encoding, windows of every size, give the text of the whole")
{
    const std::string source = "a b%2f\xC3\xA9/c~";
    for (int keep = 0; keep <= 1; ++keep) {
        Encoder encode = [&](iothubi_writer *w) { iothubi_write_encoded(w, source.data(), source.size(), keep); };
        for (size_t window = 1; window <= 25; ++window) {
            CHECK(written_in_windows(encode, window) == written(encode));
        }
    }
}

TEST_CASE("decimal, written, has no leading zero and no limit below 32 bits")
{
    CHECK(decimal(0) == "0");
    CHECK(decimal(9) == "9");
    CHECK(decimal(10) == "10");
    CHECK(decimal(1893456000u) == "1893456000");
    CHECK(decimal(4294967295u) == "4294967295");
    for (uint32_t power = 1; power <= 1000000000u / 10u; power *= 10u) {
        CHECK(decimal(power * 10u) == std::to_string(power * 10u));
        CHECK(decimal(power * 10u - 1u) == std::to_string(power * 10u - 1u));
    }
}

TEST_CASE("decimal, read, takes digits up to 32 bits")
{
    CHECK(decimal_read("0") == "0");
    CHECK(decimal_read("1893456000") == "1893456000");
    CHECK(decimal_read("4294967295") == "4294967295");
    CHECK(decimal_read("000000000000000000000000000007") == "7");
}

TEST_CASE("decimal, read from what is none, is refused")
{
    CHECK(decimal_read("") == "no");
    CHECK(decimal_read("4294967296") == "no");
    CHECK(decimal_read("4294967300") == "no");
    CHECK(decimal_read("9999999999") == "no");
    CHECK(decimal_read("42949672950") == "no");
    CHECK(decimal_read("18446744073709551617") == "no");     /* 2^64 + 1 */
    CHECK(decimal_read("-1") == "no");
    CHECK(decimal_read("+1") == "no");
    CHECK(decimal_read(" 1") == "no");
    CHECK(decimal_read("1 ") == "no");
    CHECK(decimal_read("1.5") == "no");
    CHECK(decimal_read("0x10") == "no");
    CHECK(decimal_read(std::string("1\0", 2)) == "no");
    CHECK(decimal_read("1/") == "no");                       /* '/' and ':' are the neighbours of the digits */
    CHECK(decimal_read("1:") == "no");
    CHECK(decimal_read("\xB2") == "no");
}

TEST_CASE("base64, the vectors of RFC 4648 section 10, decode")
{
    CHECK(decoded("Zg==") == hex(bytes("'f'")));
    CHECK(decoded("Zm8=") == hex(bytes("'fo'")));
    CHECK(decoded("Zm9v") == hex(bytes("'foo'")));
    CHECK(decoded("Zm9vYg==") == hex(bytes("'foob'")));
    CHECK(decoded("Zm9vYmE=") == hex(bytes("'fooba'")));
    CHECK(decoded("Zm9vYmFy") == hex(bytes("'foobar'")));
    CHECK(decoded("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") ==
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    CHECK(decoded("+/+/") == "fbffbf");
}

TEST_CASE("base64, random bytes of every length from 1 to 64, come back")
{
    Numbers numbers(1);
    for (size_t size = 1; size <= 64; ++size) {
        for (int round = 0; round < 8; ++round) {
            Bytes original;
            for (size_t i = 0; i < size; ++i) {
                original.push_back(static_cast<unsigned char>(numbers.next() >> 24));
            }
            CHECK(decoded(base64(original)) == hex(original));
        }
    }
}

TEST_CASE("base64, each of the 256 bytes at each place of a group, is a digit or refused")
{
    for (int c = 0; c < 256; ++c) {
        const char *digit = c != 0 ? std::strchr(book, c) : nullptr;
        for (size_t place = 0; place < 8; ++place) {
            std::string input = "AAAAAAAA";
            input[place] = static_cast<char>(c);
            std::string expected = "no";
            if (digit != nullptr) {
                uint64_t all = static_cast<uint64_t>(digit - book) << (42 - 6 * place);
                char buffer[16];
                std::snprintf(buffer, sizeof buffer, "%012llx", static_cast<unsigned long long>(all));
                expected = buffer;
            } else if (c == '=' && place == 7) {
                expected = "0000000000";
            }
            CAPTURE(c, place);
            CHECK(decoded(input) == expected);
        }
    }
}

TEST_CASE("base64, a length or padding that cannot be, is refused")
{
    CHECK(decoded("") == "no");
    CHECK(decoded("A") == "no");
    CHECK(decoded("AA") == "no");
    CHECK(decoded("AAA") == "no");
    CHECK(decoded("AAAAA") == "no");
    CHECK(decoded("AA=") == "no");
    CHECK(decoded("=") == "no");
    CHECK(decoded("====") == "no");
    CHECK(decoded("A===") == "no");
    CHECK(decoded("AA=A") == "no");
    CHECK(decoded("A=AA") == "no");
    CHECK(decoded("=AAA") == "no");
    CHECK(decoded("A==A") == "no");
    CHECK(decoded("AA==AAAA") == "no");                      /* padding inside */
    CHECK(decoded("AAA=AAAA") == "no");
    CHECK(decoded("AAAAAA=A") == "no");
    CHECK(decoded("AAAA====") == "no");
    CHECK(decoded("AAAA\n") == "no");
    CHECK(decoded("AA A") == "no");
    CHECK(decoded("AA-_") == "no");                          /* the URL alphabet is another one */
}

TEST_CASE("digest, known ones, are written as percent-encoded base64 without the pad")
{
    std::string slashes;
    for (int i = 0; i < 42; ++i) {
        slashes += "%2F";
    }
    CHECK(digest_text(Bytes(32, 0x00)) == "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    CHECK(digest_text(Bytes(32, 0xFF)) == slashes + "8");
    CHECK(digest_text(bytes("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")) ==
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    CHECK(digest_text(bytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")) ==
        "47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU");   /* SHA-256 of nothing (FIPS 180-4) */
}

TEST_CASE("digest, random ones, agree with the book")
{
    Numbers numbers(2);
    for (int round = 0; round < 200; ++round) {
        Bytes digest;
        for (size_t i = 0; i < 32; ++i) {
            digest.push_back(static_cast<unsigned char>(numbers.next() >> 24));
        }
        CHECK(digest_text(digest) + "%3D" == escaped(base64(digest)));
        CHECK(decoded(base64(digest)) == hex(digest));
    }
}

TEST_CASE("find_name, names of a list, are found by their whole text only")
{
    static const char names[] = "sr\0sig\0se\0";
    auto find = [](const std::string &name) {
        Guarded input(name);
        iothubi_span wanted = { input.text(), name.size() };
        return iothubi_find_name(names, &wanted);
    };
    CHECK(find("sr") == 0);
    CHECK(find("sig") == 1);
    CHECK(find("se") == 2);
    CHECK(find("") == -1);
    CHECK(find("s") == -1);
    CHECK(find("si") == -1);
    CHECK(find("sigs") == -1);
    CHECK(find("SIG") == -1);
    CHECK(find(" sr") == -1);
    CHECK(find("skn") == -1);
    CHECK(find(std::string("sr\0", 3)) == -1);
    CHECK(find(std::string("sr\0sig", 6)) == -1);
    iothubi_span any = { "sr", 2 };
    CHECK(iothubi_find_name("\0", &any) == -1);
}

TEST_CASE("next_part, a list, gives what lies between separators; a last one ends it")
{
    CHECK(parts("", ';') == Strings());
    CHECK(parts("a", ';') == Strings({ "a" }));
    CHECK(parts("a;b", ';') == Strings({ "a", "b" }));
    CHECK(parts("a;b;", ';') == Strings({ "a", "b" }));
    CHECK(parts(";", ';') == Strings({ "" }));
    CHECK(parts(";;a", ';') == Strings({ "", "", "a" }));
    CHECK(parts("a=b;c=d", '=') == Strings({ "a", "b;c", "d" }));
}

TEST_CASE("split, a text, is cut at its first separator; without one all of it is the part and nothing is left")
{
    auto split = [](const std::string &pair) {
        Guarded input(pair);
        iothubi_span rest = { input.text(), pair.size() }, part = span("?");
        int found = iothubi_split(&rest, '=', &part);
        CHECK(rest.at + rest.size == input.text() + pair.size());
        return text(part) + (found ? "|" : "~") + text(rest);
    };
    CHECK(split("key=value") == "key|value");
    CHECK(split("key=a=b==") == "key|a=b==");
    CHECK(split("key=") == "key|");
    CHECK(split("=value") == "|value");
    CHECK(split("=") == "|");
    CHECK(split("key") == "key~");
    CHECK(split("") == "~");
}
