/* Base64 that is written: RFC 4648, in pieces and through windows. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/base64.h"

namespace {

std::string base64_of(const std::string &text)
{
    Guarded input(text);
    return written([&](iothubi_writer *w) { iothubi_write_base64(w, input.data(), text.size()); });
}

/* The same text, given in pieces of this size. */
std::string base64_in_pieces(const std::string &text, size_t piece)
{
    return written([&](iothubi_writer *w) {
        iothubi_base64 base64;
        iothubi_base64_begin(&base64, w);
        for (size_t at = 0; at < text.size(); at += piece) {
            Guarded part(text.substr(at, piece));
            iothubi_base64_put(&base64, part.data(), std::min(piece, text.size() - at));
        }
        iothubi_base64_end(&base64);
    });
}

}

TEST_CASE("base64: the vectors of RFC 4648 section 10")
{
    CHECK(base64_of("") == "");
    CHECK(base64_of("f") == "Zg==");
    CHECK(base64_of("fo") == "Zm8=");
    CHECK(base64_of("foo") == "Zm9v");
    CHECK(base64_of("foob") == "Zm9vYg==");
    CHECK(base64_of("fooba") == "Zm9vYmE=");
    CHECK(base64_of("foobar") == "Zm9vYmFy");
}

TEST_CASE("base64: what is written reads back, whatever the pieces and the windows")
{
    Numbers numbers(1);
    for (size_t size = 1; size < 40; ++size) {
        std::string text;
        while (text.size() < size) {
            text += static_cast<char>(numbers.below(256));
        }
        const std::string whole = base64_of(text);
        CAPTURE(size);
        std::string back(size, '\0');
        REQUIRE(iothubi_base64_decode(whole.data(), whole.size(), reinterpret_cast<unsigned char *>(&back[0])) == size);
        CHECK(back == text);
        for (size_t step = 1; step < 5; ++step) {
            CHECK(base64_in_pieces(text, step) == whole);
        }
        for (size_t window = 1; window < 9; ++window) {
            CHECK(written_in_windows([&](iothubi_writer *w) {
                iothubi_write_base64(w, reinterpret_cast<const unsigned char *>(text.data()), text.size()); }, window) == whole);
        }
    }
}
