/* SHA-1: the vectors of RFC 3174, and BearSSL's over every size that the padding knows. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_WEBSOCKET
#include "support.h"
#include "../../transports/websocket/sha1.h"

#include <bearssl.h>

namespace {

std::string sha1_of(const std::string &text)
{
    Guarded input(text), digest(20);
    iothubi_sha1(input.data(), text.size(), digest.data());
    return hex(Bytes(digest.data(), digest.data() + 20));
}

std::string theirs(const std::string &text)
{
    br_sha1_context context;
    Bytes digest(20);
    br_sha1_init(&context);
    br_sha1_update(&context, text.data(), text.size());
    br_sha1_out(&context, digest.data());
    return hex(digest);
}

}

TEST_CASE("sha1: the vectors of RFC 3174 section 7.3")
{
    CHECK(sha1_of("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(sha1_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") == "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(sha1_of(std::string(1000000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    std::string last;
    for (int i = 0; i < 80; ++i) {
        last += "01234567";
    }
    CHECK(sha1_of(last) == "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

TEST_CASE("sha1: every size around the padding is as BearSSL has it")
{
    Numbers numbers(2);
    for (size_t size = 0; size <= 200; ++size) {
        std::string text;
        while (text.size() < size) {
            text += static_cast<char>(numbers.below(256));
        }
        CAPTURE(size);
        CHECK(sha1_of(text) == theirs(text));
    }
}

TEST_CASE("sha1: a length of more than 16 bits of bits counts")
{
    for (size_t size : { size_t(8191), size_t(8192), size_t(70000) }) {
        CHECK(sha1_of(std::string(size, 'x')) == theirs(std::string(size, 'x')));
    }
}

TEST_CASE("sha1: the digest may lie over the message")
{
    unsigned char bytes[60];
    std::memset(bytes, 'k', sizeof bytes);
    iothubi_sha1(bytes, sizeof bytes, bytes);
    CHECK(hex(Bytes(bytes, bytes + 20)) == theirs(std::string(60, 'k')));
}
