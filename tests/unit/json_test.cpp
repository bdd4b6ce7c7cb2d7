/* The version scanner, fed with every split, and the walker. Every input ends at an unreadable page. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/json.h"

namespace {

/* ---- the version scanner ---- */

const std::string none = "none", too_large = "too large";

std::string result(const iothubi_json_version &scanner)
{
    uint32_t number = 77;
    int found = iothubi_json_version_result(&scanner, &number);
    return found == IOTHUBI_VERSION_FOUND ? std::to_string(number) : found == IOTHUBI_VERSION_TOO_LARGE ? too_large
        : found == IOTHUBI_VERSION_NONE ? none : "no such result";
}

std::string version_in_pieces(const std::string &text, int of, size_t first, size_t then)
{
    Guarded input(text);
    iothubi_json_version scanner;
    iothubi_json_version_begin(&scanner, of);
    iothubi_json_version_feed(&scanner, input.data(), first);
    for (size_t at = first; at < text.size(); at += then) {
        iothubi_json_version_feed(&scanner, input.data() + at, std::min(then, text.size() - at));
    }
    return result(scanner);
}

/* What all splits of a short text agree on. */
std::string version(const std::string &text, int of)
{
    const size_t all = text.size() + 1;
    std::string whole = version_in_pieces(text, of, 0, all);
    for (size_t cut = 1; cut <= text.size(); ++cut) {
        if (version_in_pieces(text, of, cut, all) != whole || version_in_pieces(text, of, cut, 1) != whole
            || version_in_pieces(text, of, 0, cut) != whole) {
            return "splits differ at " + std::to_string(cut);
        }
    }
    return whole;
}

std::string of_twin(const std::string &text)
{
    return version(text, IOTHUBI_VERSION_OF_TWIN);
}

std::string of_patch(const std::string &text)
{
    return version(text, IOTHUBI_VERSION_OF_PATCH);
}

/* ---- the walker ---- */

bool good(const std::string &text)
{
    Guarded input(text);
    iothubi_span span = { input.text(), text.size() };
    return iothubi_json_is_value(&span) != 0;
}

std::string text(const iothubi_span &span)
{
    return std::string(span.at, span.size);
}

/* "name=value;..." of an object. Behind its end there is never another member. */
std::string members(const std::string &json)
{
    Guarded input(json);
    iothubi_span whole = { input.text(), json.size() }, rest, name, value;
    std::string out;
    if (!iothubi_json_enter(&whole, &rest)) {
        return "no object";
    }
    while (iothubi_json_member(&rest, &name, &value)) {
        out += text(name) + "=" + text(value) + ";";
    }
    return iothubi_json_member(&rest, &name, &value) ? "a member behind the end" : out;
}

std::string quoted(const std::string &from)
{
    return written([&](iothubi_writer *w) { iothubi_json_write_string(w, from.c_str()); });
}

/* What the string between the quotes means. */
std::string meaning(const std::string &from)
{
    REQUIRE(good("\"" + from + "\""));
    Guarded input(from);
    iothubi_span name = { input.text(), from.size() };
    return written([&](iothubi_writer *w) { iothubi_json_write_meaning(w, &name); });
}

}

TEST_CASE("version scanner, a twin as the hub sends it, finds desired's version")
{
    CHECK(of_twin("{\"desired\":{\"interval\":60,\"$version\":4},\"reported\":{\"interval\":30,\"$version\":17}}") == "4");
    CHECK(of_twin("{\"reported\":{\"$version\":17},\"desired\":{\"$version\":4}}") == "4");
    CHECK(of_twin("{\"desired\":{\"$version\":1}}") == "1");
    CHECK(of_twin("{\"desired\":{\"$version\":0},\"reported\":{}}") == "0");
    CHECK(of_twin("{\"$version\":3,\"desired\":{\"$version\":4}}") == "4");
    CHECK(of_twin("{\"a\":{\"desired\":{\"$version\":3}},\"desired\":{\"$version\":4}}") == "4");
    CHECK(of_twin("{\"a\":[{\"$version\":3}],\"desired\":{\"$version\":4}}") == "4");
}

TEST_CASE("version scanner, blanks between all tokens, finds it")
{
    CHECK(of_twin("\r\n { \"desired\"\t:\n{ \"a\" : [ 1 , 2 ] , \"$version\" : 42 } }") == "42");
    CHECK(of_twin(" {\"desired\" : {\"$version\":\n42\n} }") == "42");
    CHECK(of_patch(" { \"$version\" : 42\r\n}") == "42");
}

TEST_CASE("version scanner, a patch as the hub sends it, finds the version at the top")
{
    CHECK(of_patch("{\"interval\":60,\"$version\":5}") == "5");
    CHECK(of_patch("{\"$version\":5}") == "5");
    CHECK(of_patch("{\"$version\":5,\"interval\":60}") == "5");
    CHECK(of_patch("{\"thermostat\":{\"__t\":\"c\",\"$version\":3},\"$version\":5}") == "5");
    CHECK(of_patch("{\"desired\":{\"$version\":7},\"$version\":9}") == "9");
    CHECK(of_patch("{\"desired\":{\"desired\":{\"$version\":7}},\"a\":[{\"$version\":8},[\"$version\"]],\"$version\":9}") == "9");
}

TEST_CASE("version scanner, strings with quotes, braces and keys in them, is not deceived")
{
    CHECK(of_patch("{\"a\":\"}\",\"$version\":5}") == "5");
    CHECK(of_patch("{\"a\":\"{[\",\"$version\":5}") == "5");
    CHECK(of_patch("{\"a\":\"\\\"$version\\\":6\",\"$version\":5}") == "5");
    CHECK(of_patch("{\"a\":\"\\\\\",\"$version\":5}") == "5");
    CHECK(of_patch("{\"a\":\"\\\\\\\"\",\"$version\":5}") == "5");
    CHECK(of_patch("{\"a\":\"$version\",\"$version\":5}") == "5");
    CHECK(of_patch("{\"$version\":\"$version\",\"b\":6}") == none);
    CHECK(of_patch("{\"a\":[\"$version\",7],\"$version\":5}") == "5");
    CHECK(of_patch("{\"\":\"\",\"$version\":5}") == "5");
    CHECK(of_patch("{\"$versio\":1,\"$versionx\":2,\"x$version\":3,\"$version \":4,\"$version\":5}") == "5");
    CHECK(of_patch("{\"$$version\":1,\"\\\"$version\":2,\"$ver\\u0073ion\":3,\"$version\":5}") == "5");
    CHECK(of_twin("{\"a\":\"desired\",\"b\":{\"$version\":1},\"desired\":{\"$version\":5}}") == "5");
    CHECK(of_twin("{\"desire\":{\"$version\":1},\"desiredx\":{\"$version\":2},\"desired\":{\"$version\":5}}") == "5");
}

TEST_CASE("version scanner, numbers, takes 32 bits and no fraction")
{
    CHECK(of_patch("{\"$version\":4294967295}") == "4294967295");
    CHECK(of_patch("{\"$version\":4294967296}") == too_large);
    CHECK(of_patch("{\"$version\":4294967299}") == too_large);
    CHECK(of_patch("{\"$version\":4294967300}") == too_large);
    CHECK(of_patch("{\"$version\":9999999999}") == too_large);
    CHECK(of_patch("{\"$version\":18446744073709551617}") == too_large);
    CHECK(of_patch("{\"$version\":2147483648,\"a\":1}") == "2147483648");
    CHECK(of_patch("{\"$version\":-5}") == none);
    CHECK(of_patch("{\"$version\":5.0}") == none);
    CHECK(of_patch("{\"$version\":5e3}") == none);
    CHECK(of_patch("{\"$version\":5\"a\"}") == none);
    CHECK(of_patch("{\"$version\":5!}") == none);          /* '!' is the neighbour of the blank */
    CHECK(of_patch("{\"$version\"!:5}") == none);
}

TEST_CASE("version scanner, another kind of value, goes on")
{
    CHECK(of_patch("{\"$version\":\"5\"}") == none);
    CHECK(of_patch("{\"$version\":null}") == none);
    CHECK(of_patch("{\"$version\":{\"$version\":5}}") == none);
    CHECK(of_patch("{\"$version\":[5]}") == none);
    CHECK(of_patch("{\"$version\":true,\"a\":5}") == none);
    CHECK(of_twin("{\"desired\":[{\"$version\":5}]}") == none);
    CHECK(of_twin("{\"desired\":5,\"reported\":{\"$version\":5}}") == none);
    CHECK(of_twin("{\"desired\":null,\"a\":{\"$version\":5}}") == none);
    CHECK(of_twin("{\"desired\":{},\"reported\":{\"$version\":5}}") == none);
    CHECK(of_twin("{\"desired\":{\"a\":{\"$version\":5}}}") == none);
    CHECK(of_twin("{\"desired\":{\"desired\":{\"$version\":5}}}") == none);
    CHECK(of_twin("{\"desired\":{\"a\":1},\"$version\":5}") == none);
}

TEST_CASE("version scanner, what is no object, has none")
{
    for (const std::string &text : std::vector<std::string>{ "", " ", "5", "\"$version\":5", "[\"$version\",5]", "null", "}", "]]", "{", "{}",
            "}{\"$version\":5}", "{}{\"$version\":5}", "\\\"", "[]{\"$version\":5}", std::string("\"\0\":5", 5) }) {
        CAPTURE(text);
        CHECK(of_patch(text) == none);
        CHECK(of_twin(text) == none);
    }
}

TEST_CASE("version scanner, every proper prefix, has none until the byte behind the number")
{
    const std::string twin = "{\"reported\":{\"$version\":17},\"desired\":{\"a\":\"\\\"}\",\"$version\":4294967295}}";
    const size_t end = twin.size() - 2;
    for (size_t size = 0; size <= twin.size(); ++size) {
        CAPTURE(size);
        CHECK(of_twin(twin.substr(0, size)) == (size > end ? "4294967295" : none));
    }
}

TEST_CASE("version scanner, any byte at any place of a text, keeps to its path and its splits")
{
    const std::string patch = "{\"a\":\"\\\\\",\"$version\":5}";
    for (size_t at = 0; at < patch.size(); ++at) {
        for (int c = 0; c < 256; ++c) {
            std::string text = patch;
            text[at] = static_cast<char>(c);
            iothubi_json_version scanner;
            iothubi_json_version_begin(&scanner, IOTHUBI_VERSION_OF_PATCH);
            for (char byte : text) {
                unsigned char one = static_cast<unsigned char>(byte);
                iothubi_json_version_feed(&scanner, &one, 1);
                REQUIRE(scanner.at < sizeof iothubi_version_path);
                REQUIRE((scanner.home == IOTHUBI_VERSION_OF_TWIN || scanner.home == IOTHUBI_VERSION_OF_PATCH));
            }
            REQUIRE(result(scanner) == version_in_pieces(text, IOTHUBI_VERSION_OF_PATCH, 0, 1000));
        }
    }
}

/* A fuzzer found that a last quote could start a key, so that its colon lay in the next string and a NUL behind it led out of
   the path. */
TEST_CASE("version scanner, tokens in any order, keeps to its path and finds keys only where they start")
{
    CHECK(of_patch(std::string("{\"\"$version\":\0\0\0\0", 18)) == none);
    CHECK(of_patch("{\"\"$version\":5,") == none);
    CHECK(of_patch("{\"\"\"$version\":5,") == "5");
    const std::string tokens[] = { "{", "}", "[", "\"", "\\", ":", ",", "7", std::string(1, '\0'), " ", "desired", "$version", "\"desired\":{", "\"$version\":" };
    Numbers numbers(7);
    size_t wrong = 0;
    for (int life = 0; life < 100000; ++life) {
        std::string text = "{";
        for (int i = 0; i < 12; ++i) {
            text += tokens[numbers.below(sizeof tokens / sizeof tokens[0])];
        }
        iothubi_json_version scanner;
        iothubi_json_version_begin(&scanner, life & 1 ? IOTHUBI_VERSION_OF_PATCH : IOTHUBI_VERSION_OF_TWIN);
        for (char byte : text) {
            unsigned char one = static_cast<unsigned char>(byte);
            iothubi_json_version_feed(&scanner, &one, 1);
            if (scanner.at < scanner.home || scanner.at >= sizeof iothubi_version_path) {
                ++wrong;
                break;
            }
            if (scanner.at > scanner.home) {     /* in a string exactly while the path is in one */
                const char *path = iothubi_version_path;
                wrong += (std::count(path + scanner.home, path + scanner.at, '"') == 1) != (scanner.state == IOTHUBI_VERSION_STRING);
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("version scanner, the version last in 32 KB, is found in pieces of every size")
{
    std::string inner = "{\"desired\":{";
    for (int i = 0; inner.size() < 32u * 1024u - 100u; ++i) {
        inner += "\"k" + std::to_string(i) + "\":{\"$version\":" + std::to_string(i) + ",\"t\":\"}\\\"{\",\"a\":[1,{\"b\":\"$version\"}]},";
    }
    const std::string twin = inner + "\"$version\":123456789},\"reported\":{\"$version\":2}}";
    REQUIRE(twin.size() > 32u * 1024u - 100u);
    for (size_t piece : { 1u, 2u, 3u, 7u, 64u, 127u, 1000u, 32768u, 100000u }) {
        CHECK(version_in_pieces(twin, IOTHUBI_VERSION_OF_TWIN, 0, piece) == "123456789");
    }
    CHECK(version_in_pieces(twin.substr(0, inner.size()), IOTHUBI_VERSION_OF_TWIN, 0, 64) == none);
}

TEST_CASE("version scanner, hostile nesting, is given up")
{
    auto nested = [](size_t depth, const char *open, const char *close) {
        std::string text = "{\"a\":";
        for (size_t i = 0; i < depth; ++i) {
            text += open;
        }
        text += "5";
        for (size_t i = 0; i < depth; ++i) {
            text += close;
        }
        return text + ",\"$version\":7}";
    };
    CHECK(version_in_pieces(nested(254, "[", "]"), IOTHUBI_VERSION_OF_PATCH, 0, 999) == "7");
    CHECK(version_in_pieces(nested(255, "[", "]"), IOTHUBI_VERSION_OF_PATCH, 0, 999) == none);
    CHECK(version_in_pieces(nested(256, "[", "]"), IOTHUBI_VERSION_OF_PATCH, 0, 999) == none);
    CHECK(version_in_pieces(nested(100000, "[", "]"), IOTHUBI_VERSION_OF_PATCH, 0, 999) == none);
    CHECK(version_in_pieces(nested(100000, "{\"$version\":", "}"), IOTHUBI_VERSION_OF_PATCH, 0, 999) == none);
    CHECK(version_in_pieces(std::string(100000, '{'), IOTHUBI_VERSION_OF_TWIN, 0, 999) == none);
    CHECK(version_in_pieces(std::string(100000, '}'), IOTHUBI_VERSION_OF_TWIN, 0, 999) == none);
}

TEST_CASE("version scanner, once it has the answer, takes no more")
{
    CHECK(of_patch("{\"$version\":5}{\"$version\":6}") == "5");
    CHECK(of_patch("{\"$version\":5,\"$version\":6}") == "5");
    CHECK(of_patch("{\"$version\":99999999999,\"$version\":6}") == too_large);
    CHECK(of_patch("{\"a\":1}\"$version\":6}") == none);
    iothubi_json_version scanner;
    iothubi_json_version_begin(&scanner, IOTHUBI_VERSION_OF_PATCH);
    iothubi_json_version_feed(&scanner, nullptr, 0);
    CHECK(result(scanner) == none);
    CHECK(sizeof scanner == 8);
}

/* ---- the walker ---- */

TEST_CASE("walker, one value of each kind, is good with blanks around it")
{
    for (const std::string &value : std::vector<std::string>{
            "null", "true", "false", "0", "-0", "7", "-12", "1234567890123456789012345678901234567890", "0.5", "-0.05e-10", "1e5", "1E+5", "10.25e00",
            "\"\"", "\"a\"", "\" \"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u00e9\\uD83D\\uDE00\"", "\"\x7F\xC3\xA9\"", "\"{\"", "\"\\u0000\"", "\"\\u00415\"",
            "[]", "[ ]", "{}", "{ }", "[1]", "[1,2]", "[[],[[]],{}]", "{\"a\":1}", "{\"\":{}}", "{\"a\":{\"b\":[{\"c\":null}]},\"d\":\"e\"}", "[ 1 , \"a\" ]",
            "{ \"a\" : [ ] , \"b\" : { } }" }) {
        CAPTURE(value);
        CHECK(good(value));
        CHECK(good(" \t\r\n" + value + "\n\r\t "));
        CHECK(!good(value + "," + value));
        CHECK(!good(value + " " + value));
        CHECK(!good(value + "]"));
        CHECK(!good(value + "}"));
        CHECK(!good("[" + value));
        CHECK(good("[" + value + "]"));
        CHECK(good("{\"k\":" + value + "}"));
        CHECK(!good("{" + value + "}") == (value[0] != ' '));
    }
}

TEST_CASE("walker, what RFC 8259 does not know, is not good")
{
    for (const std::string &value : std::vector<std::string>{
            "", " ", "nul", "nulll", "null0", "True", "truefalse", "NaN", "Infinity", "undefined", "-", "+1", "01", "-01", "00", "1.", ".5", "1.e5", "1e", "1e+", "1e-",
            "0x10", "1a", "--1", "1..2", "\"", "\"a", "\"\\\"", "\"\\", "\"\\\"\\", "\"\\a\"", "\"\\x41\"", "\"\\u\"", "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"", "\"\\u12",
            "\"\n\"", "\"\t\"", "\"\x1F\"", "'a'", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[}", "{]", "[1}", "{\"a\":1]", "{", "}", "{1:2}", "{a:1}", "{\"a\"}", "{\"a\":}",
            "{\"a\":1,}", "{,\"a\":1}", "{\"a\":1 \"b\":2}", "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1,,\"b\":2}", "{{}}", "{\"a\",\"b\"}", ",", ":", "[:]", "// a\n1", "\xEF\xBB\xBF" "1",
            "1\f", "\v1" }) {
        CAPTURE(value);
        CHECK(!good(value));
        CHECK(!good("[" + value + ",1]"));
        CHECK(!good("{\"k\":" + value + ",\"l\":1}"));
    }
    CHECK(!good(std::string("\"\0\"", 3)));
    CHECK(!good(std::string("1\0", 2)));
}

TEST_CASE("walker, every proper prefix of a text, is not good")
{
    const std::string object = "{\"a\":[1,-2.5e+3,{\"b\":\"\\u00e9\\n\"},true,null],\"c\":{}}";
    for (size_t size = 0; size < object.size(); ++size) {
        CAPTURE(size);
        CHECK(!good(object.substr(0, size)));
    }
    CHECK(good(object));
}

TEST_CASE("walker, nesting, is good to a depth of 31 and never recurses")
{
    auto nested = [](size_t depth, const std::string &open, const std::string &inside, const std::string &close) {
        std::string out;
        for (size_t i = 0; i < depth; ++i) {
            out += open;
        }
        out += inside;
        for (size_t i = 0; i < depth; ++i) {
            out += close;
        }
        return out;
    };
    CHECK(good(nested(31, "[", "", "]")));
    CHECK(good(nested(31, "{\"a\":", "1", "}")));
    CHECK(good(nested(15, "[{\"a\":", "[]", "}]")));
    CHECK(!good(nested(32, "[", "", "]")));
    CHECK(!good(nested(32, "{\"a\":", "1", "}")));
    CHECK(!good(nested(100000, "[", "", "]")));
    CHECK(!good(nested(100000, "{\"a\":", "1", "}")));
    CHECK(!good(std::string(100000, '[')));
    CHECK(good("[" + nested(20000, "[],{},", "", "") + "1]"));
}

TEST_CASE("walker, members of an object, come one by one without blanks around them")
{
    CHECK(members("{}") == "");
    CHECK(members(" { } ") == "");
    CHECK(members("{\"a\":1}") == "a=1;");
    CHECK(members(" { \"a\" : 1 , \"b\"\n:\t{ \"c\" : [ 2 ] } , \"\" : \"x y\" } ") == "a=1;b={ \"c\" : [ 2 ] };=\"x y\";");
    CHECK(members("{\"a\\\"\\u0062\":\"\\\"}\",\"a\":[{}]}") == "a\\\"\\u0062=\"\\\"}\";a=[{}];");
    CHECK(members("[1]") == "no object");
    CHECK(members("") == "no object");
    CHECK(members("{\"a\":1,\"b\":tru}") == "a=1;");
    CHECK(members("{\"a\":1,\"b\"}") == "a=1;");
    CHECK(members("{\"a\":1,\"b") == "a=1;");
}

TEST_CASE("walker, any byte at any place of a text, stays inside and ends")
{
    const std::string object = "{\"a\":[1,-2.5e+3,\"\\u00e9\\n\"],\"c\":{}}";
    size_t still_good = 0;
    for (size_t at = 0; at < object.size(); ++at) {
        for (int c = 0; c < 256; ++c) {
            std::string text = object;
            text[at] = static_cast<char>(c);
            still_good += good(text);
            members(text);
        }
    }
    CHECK(still_good > object.size());
    CHECK(still_good < object.size() * 128);
}

TEST_CASE("walker and scanner, random texts, agree about the version")
{
    Numbers numbers(20);
    auto any = [&](std::vector<std::string> of) { return of[numbers.below(static_cast<uint32_t>(of.size()))]; };
    std::function<std::string(unsigned int)> value = [&](unsigned int depth) {
        const uint32_t kind = numbers.below(depth == 0 ? 1 : 3);
        if (kind == 0) {
            return any({ "7", "0", "-1", "1.5", "2e3", "4294967295", "4294967296", "null", "\"$version\"", "\"desired\"", "\"}\"", "\"\\\"\"" });
        }
        std::string out(kind == 1 ? "[" : "{");
        for (uint32_t i = 0, n = numbers.below(4); i < n; ++i) {
            out += (i != 0 ? any({ ",", " ,", ", " }) : "")
                + (kind == 1 ? "" : any({ "\"$version\"", "\"desired\"", "\"$versio\"", "\"\\u0024version\"", "\"a\"" }) + any({ ":", " :", ": " })) + value(depth - 1);
        }
        return out + (kind == 1 ? "]" : "}");
    };
    auto by_walker = [&](const iothubi_span &object) {
        iothubi_span rest, name, number;
        iothubi_json_enter(&object, &rest);
        while (iothubi_json_member(&rest, &name, &number)) {
            if (text(name) == "$version" && iothubi_is_digit(*number.at)) {
                uint32_t decimal;
                return text(number).find_first_of(".e") != std::string::npos ? none
                    : iothubi_read_decimal(number.at, number.size, &decimal) ? text(number) : too_large;
            }
        }
        return none;
    };
    unsigned int found[2] = { 0, 0 };
    for (int life = 0; life < 100000; ++life) {
        const std::string json = value(4);
        iothubi_span whole = { json.data(), json.size() }, rest, name, object;
        CAPTURE(json);
        REQUIRE(good(json));
        std::string expected = by_walker(whole);
        REQUIRE(version_in_pieces(json, IOTHUBI_VERSION_OF_PATCH, 0, 1 + numbers.below(9)) == expected);
        found[0] += expected != none;
        expected = none;
        iothubi_json_enter(&whole, &rest);
        while (iothubi_json_member(&rest, &name, &object)) {
            if (text(name) == "desired" && *object.at == '{') {
                expected = by_walker(object);
                break;
            }
        }
        REQUIRE(version_in_pieces(json, IOTHUBI_VERSION_OF_TWIN, 0, 1 + numbers.below(9)) == expected);
        found[1] += expected != none;
    }
    CHECK(found[0] > 1000);
    CHECK(found[1] > 50);
}

/* ---- strings ---- */

TEST_CASE("JSON string, written, escapes what RFC 8259 says and nothing else")
{
    CHECK(quoted("") == "\"\"");
    CHECK(quoted("temperature") == "\"temperature\"");
    CHECK(quoted("a\"b\\c/d") == "\"a\\\"b\\\\c/d\"");
    CHECK(quoted("\n\t\x1F\x7F") == "\"\\u000A\\u0009\\u001F\x7F\"");
    CHECK(quoted("\xC3\xA9") == "\"\xC3\xA9\"");
    for (int c = 1; c < 256; ++c) {
        std::string one(1, static_cast<char>(c)), out = quoted(one);
        CAPTURE(c);
        CHECK(good(out));
        CHECK(meaning(out.substr(1, out.size() - 2)) == one);
        CHECK(out.size() == (c < 0x20 ? 8u : c == '"' || c == '\\' ? 4u : 3u));
    }
}

TEST_CASE("JSON string, its meaning, has no escapes and no NUL")
{
    CHECK(meaning("") == "");
    CHECK(meaning("a b") == "a b");
    CHECK(meaning("\\\"\\\\\\/\\b\\f\\n\\r\\t") == "\"\\/\b\f\n\r\t");
    CHECK(meaning("\\u0041\\u007f") == "A\x7F");
    CHECK(meaning("\\u0080\\u00E9\\u07ff") == "\xC2\x80\xC3\xA9\xDF\xBF");
    CHECK(meaning("\\u0800\\u20AC\\uFFFF") == "\xE0\xA0\x80\xE2\x82\xAC\xEF\xBF\xBF");
    CHECK(meaning("\\uD83D\\uDE00") == "\xF0\x9F\x98\x80");                 /* U+1F600 */
    CHECK(meaning("\\ud800\\udc00\\uDBFF\\uDFFF") == "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
    const std::string unknown = "\xEF\xBF\xBD";
    CHECK(meaning("\\u0000") == unknown);
    CHECK(meaning("\\uD83D") == unknown);
    CHECK(meaning("\\uDE00\\uD83D") == unknown + unknown);
    CHECK(meaning("\\uD83Dx\\uDE00") == unknown + "x" + unknown);
    CHECK(meaning("\\uD83D\\n") == unknown + "\n");
    CHECK(meaning("\\uD83D\\uD83D\\uDE00") == unknown + "\xF0\x9F\x98\x80");
    CHECK(meaning("\\uD83D\\u0041") == unknown + "A");
}
