/* What the unit tests share: literal bytes, memory with a wall behind it, seeded numbers, the text that an encoder writes. */

#ifndef IOTHUB_TESTS_UNIT_SUPPORT_H
#define IOTHUB_TESTS_UNIT_SUPPORT_H

#include <catch2/catch.hpp>

/* A room alone defines few of the functions that the public part declares. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include "../../core/manual.h"
#pragma GCC diagnostic pop
#include "../../core/bytes.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace {

typedef std::vector<unsigned char> Bytes;

/* "10 85 02 | 'MQTT' 04": pairs of hex digits, text in single quotes; blanks and bars only please the eye. */
inline Bytes bytes(const std::string &literal)
{
    Bytes out;
    for (size_t i = 0; i < literal.size(); ++i) {
        if (literal[i] == '\'') {
            for (++i; literal.at(i) != '\''; ++i) {
                out.push_back(static_cast<unsigned char>(literal[i]));
            }
        } else if (literal[i] != ' ' && literal[i] != '|') {
            out.push_back(static_cast<unsigned char>(std::stoul(literal.substr(i, 2), nullptr, 16)));
            ++i;
        }
    }
    return out;
}

inline Bytes operator+(Bytes left, const Bytes &right)
{
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

inline Bytes operator+(Bytes left, const std::string &right)
{
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

inline std::string hex(const Bytes &from)
{
    static const char digits[] = "0123456789abcdef";
    std::string out;
    for (unsigned char byte : from) {
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

/* Memory that ends (or starts) at an unreadable page: one byte too far crashes. */
class Guarded {
public:
    enum Side { AT_END, AT_START };
    explicit Guarded(size_t size, Side side = AT_END) : total(0), base(nullptr), at(nullptr)
    {
        size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        size_t inside = (size + page - 1) / page * page;
        total = inside + 2 * page;
        void *memory = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            throw std::runtime_error("mmap");
        }
        base = static_cast<unsigned char *>(memory);
        if (inside != 0 && mprotect(base + page, inside, PROT_READ | PROT_WRITE) != 0) {
            throw std::runtime_error("mprotect");
        }
        at = side == AT_END ? base + page + inside - size : base + page;
    }
    explicit Guarded(const std::string &text, Side side = AT_END) : Guarded(text.size(), side)
    {
        std::copy(text.begin(), text.end(), at);
    }
    explicit Guarded(const Bytes &content, Side side = AT_END) : Guarded(content.size(), side)
    {
        std::copy(content.begin(), content.end(), at);
    }
    ~Guarded() { munmap(base, total); }
    unsigned char *data() const { return at; }
    const char *text() const { return reinterpret_cast<const char *>(at); }
private:
    Guarded(const Guarded &);
    void operator=(const Guarded &);
    size_t total;
    unsigned char *base;
    unsigned char *at;
};

/* The same numbers in every run. */
class Numbers {
public:
    explicit Numbers(uint32_t seed) : state(seed * 2654435761u | 1u) {}
    uint32_t next()
    {
        state ^= state << 13;
        state ^= state >> 17;
        return state ^= state << 5;
    }
    uint32_t below(uint32_t limit) { return next() % limit; }
private:
    uint32_t state;
};

typedef std::function<void(iothubi_writer *)> Encoder;

inline size_t measured(const Encoder &encode)
{
    iothubi_writer writer;
    iothubi_write_begin(&writer, nullptr, 0, 0);
    encode(&writer);
    return writer.length;
}

/* What an encoder writes, into memory of exactly the size that it measured. */
inline std::string written(const Encoder &encode)
{
    size_t size = measured(encode);
    Guarded memory(size);
    iothubi_writer writer;
    iothubi_write_begin(&writer, memory.data(), 0, size);
    encode(&writer);
    if (writer.length != size) {
        throw std::runtime_error("measured and written sizes differ");
    }
    return std::string(memory.text(), size);
}

/* The same text, put together from windows of this size. */
inline std::string written_in_windows(const Encoder &encode, size_t window)
{
    std::string out;
    size_t size = measured(encode);
    while (out.size() < size) {
        Guarded memory(window);
        iothubi_writer writer;
        iothubi_write_begin(&writer, memory.data(), out.size(), window);
        encode(&writer);
        if (writer.length != size) {
            throw std::runtime_error("a window changes the size");
        }
        out.append(memory.text(), std::min(window, size - out.size()));
    }
    return out;
}

}

#endif
