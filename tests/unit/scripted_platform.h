/* A platform of scripts: two byte queues, a tick, a wall clock; nothing happens that a test did not say. */
#ifndef SCRIPTED_PLATFORM_H
#define SCRIPTED_PLATFORM_H

#include <cstring>
#include <string>
#include <vector>

struct Scripted {
    IOTHUB_PLATFORM platform;
    std::string inbound;                /* bytes that the client may read */
    std::string outbound;               /* bytes that the client wrote, as the peer has them */
    std::string held;                   /* taken by write, not pushed yet (only with hold) */
    std::vector<std::string> writes;    /* one entry a write call that took bytes */
    std::vector<std::string> pushes;    /* what each push let go */
    uint32_t tick, wall;
    int open_result, closes, opens, reads, pushes_called, hmac_pending, hmac_result, random_result;
    unsigned int port;
    std::string host;
    int layer;
    long raw;
    size_t write_limit, read_limit;     /* bytes one call takes or gives */
    bool hold, dead_read, dead_write, greedy_read, greedy_write, contract_broken;
    std::string offered;                /* bytes offered and not taken: they must come first next time */
    std::string signed_text;
    std::string option_name;
    int option_result;
    int wakes;
    bool is_open;

    Scripted()
        : tick(1000), wall(1893452400u), open_result(1), closes(0), opens(0), reads(0), pushes_called(0), hmac_pending(0),
          hmac_result(0), random_result(0), port(0), layer(IOTHUB_LAYER_TCP), raw(0), write_limit(100000), read_limit(100000),
          hold(false), dead_read(false), dead_write(false), greedy_read(false), greedy_write(false), contract_broken(false),
          option_result(1), wakes(0), is_open(false)
    {
        std::memset(&platform, 0, sizeof platform);
        platform.context = this;
        platform.io.context = this;
        platform.io.open = on_open;
        platform.io.read = on_read;
        platform.io.write = on_write;
        platform.io.close = on_close;
        platform.io.set_option = on_option;
        platform.io.error = on_error;
        platform.milliseconds = on_milliseconds;
        platform.unix_time = on_unix_time;
        platform.random = on_random;
        platform.hmac_sha256 = on_hmac;
        platform.wake = on_wake;
    }

    static Scripted *of(void *context) { return static_cast<Scripted *>(context); }

    static int on_open(void *context, const char *host, unsigned int port)
    {
        Scripted *s = of(context);
        s->opens += 1;
        s->host = host;
        s->port = port;
        if (s->open_result > 0) {
            s->is_open = true;
            s->inbound.clear();
            s->outbound.clear();
            s->held.clear();
            s->offered.clear();
            s->dead_read = s->dead_write = false;
        }
        return s->open_result;
    }
    static int on_read(void *context, unsigned char *bytes, unsigned int capacity)
    {
        Scripted *s = of(context);
        s->reads += 1;
        s->contract_broken |= !s->is_open || capacity == 0 || capacity > 32767;
        if (s->greedy_read) {
            return (int)capacity + 1;
        }
        size_t size = s->inbound.size() < capacity ? s->inbound.size() : capacity;
        size = size < s->read_limit ? size : s->read_limit;
        if (size == 0) {
            return s->dead_read ? -1 : 0;
        }
        std::memcpy(bytes, s->inbound.data(), size);
        s->inbound.erase(0, size);
        return (int)size;
    }
    static int on_write(void *context, const unsigned char *bytes, unsigned int size)
    {
        Scripted *s = of(context);
        s->contract_broken |= !s->is_open || size > 32767;
        if (s->dead_write) {
            return -1;
        }
        if (size == 0) {
            s->pushes_called += 1;
            if (s->write_limit == 0) {
                return s->held.empty() ? 1 : 0;
            }
            s->pushes.push_back(s->held);
            s->outbound += s->held;
            s->held.clear();
            return 1;
        }
        if (s->greedy_write) {
            return (int)size + 1;
        }
        std::string data(reinterpret_cast<const char *>(bytes), size);
        s->contract_broken |= data.compare(0, s->offered.size(), s->offered) != 0 || data.size() < s->offered.size();
        size_t taken = size < s->write_limit ? size : s->write_limit;
        s->offered = data.substr(taken);
        if (taken == 0) {
            return 0;
        }
        s->writes.push_back(data.substr(0, taken));
        (s->hold ? s->held : s->outbound) += data.substr(0, taken);
        return (int)taken;
    }
    static void on_close(void *context)
    {
        Scripted *s = of(context);
        s->closes += 1;
        s->is_open = false;
    }
    static int on_option(void *context, const char *name, const void *)
    {
        of(context)->option_name = name;
        return of(context)->option_result;
    }
    static int on_error(void *context, long *raw)
    {
        *raw = of(context)->raw;
        return of(context)->layer;
    }
    static uint32_t on_milliseconds(void *context) { return of(context)->tick; }
    static uint32_t on_unix_time(void *context) { return of(context)->wall; }
    static int on_random(void *context, unsigned char *bytes, unsigned int size)
    {
        std::memset(bytes, 0x5A, size);
        return of(context)->random_result;
    }
    static int on_hmac(void *context, const unsigned char *, unsigned int, const unsigned char *data, unsigned int size,
        unsigned char digest[32])
    {
        Scripted *s = of(context);
        if (s->hmac_result < 0) {
            return s->hmac_result;
        }
        if (s->hmac_pending > 0) {
            s->hmac_pending -= 1;
            return 1;
        }
        s->signed_text.assign(reinterpret_cast<const char *>(data), size);
        std::memset(digest, 0xAB, 32);
        return 0;
    }
    static void on_wake(void *context) { of(context)->wakes += 1; }
};

#endif
