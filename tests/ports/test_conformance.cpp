/* The conformance test itself: a port in memory that keeps the contract passes, and each way of breaking it is found. Then the
   ports that have been there from the beginning. */

#include "conformance_tls.h"
#include "support.h"

#include <algorithm>
#include <cstring>

namespace {

enum Lie {
    HONEST, READS_TOO_MUCH, READS_BESIDE, LOSES_A_BYTE, REPEATS_AFTER_ZERO, NEVER_PUSHED, PUSHES_NOTHING, ZERO_BETWEEN, STAYS_OPEN, REVIVES,
    NO_LAYER, FORGETS_ERROR, TAKES_ANY_OPTION, BLOCKS, NEVER_FULL, STOPS_READING, STALE_BYTE, NEVER_REFUSED, READ_MOVES_NOTHING, DIES_EARLY
};

const size_t PIPE = 20000, HOLD = 500;

/* Port and peer in memory, in virtual time. Between them lie two pipes; step moves what was sent into them to the other end. */
struct Memory {
    explicit Memory(Lie what) : lie(what), how(CONFORMANCE_ACCEPT), connected(false), opening(0), dead(false), ended(false), layer(0), now(0),
                                turn(0), held(), to_peer(), to_port(), waiting()
    {
        io.context = this;
        io.open = open;
        io.read = read;
        io.write = write;
        io.close = close;
        io.set_option = set_option;
        io.error = error;
        peer.context = this;
        peer.expect = expect;
        peer.send = send;
        peer.receive = receive;
        peer.end = end;
        peer.step = step;
        peer.milliseconds = milliseconds;
    }
    static Memory *self(void *context) { return static_cast<Memory *>(context); }

    static int open(void *context, const char *host, unsigned int)
    {
        Memory *m = self(context);
        if (std::strcmp(host, "memory") != 0) {
            return m->fail();
        }
        if (m->connected && m->lie == STAYS_OPEN) {
            return 1;
        }
        m->layer = m->opening == 0 ? 0 : m->layer;
        if (++m->opening < 4 || m->how == CONFORMANCE_SILENCE || (m->how == CONFORMANCE_REFUSE && m->lie == NEVER_REFUSED)) {
            return 0;
        }
        if (m->how == CONFORMANCE_REFUSE) {
            return m->fail();
        }
        m->connected = true;
        return 1;
    }
    int fail()
    {
        dead = true;
        layer = lie == NO_LAYER ? 0 : IOTHUB_LAYER_TCP;
        return -1;
    }
    void move_out()
    {
        const size_t room = PIPE - std::min(PIPE, to_peer.size()), size = std::min(room, held.size());
        to_peer.append(held, 0, size);
        held.erase(0, size);
    }
    static int read(void *context, unsigned char *bytes, unsigned int capacity)
    {
        Memory *m = self(context);
        if (!m->connected || m->dead) {
            return m->lie == REVIVES && m->turn++ % 2 == 0 ? 0 : -1;
        }
        if (m->lie == BLOCKS && m->to_port.empty()) {
            m->now += 2000;
        }
        if (m->lie != READ_MOVES_NOTHING && m->held.size() >= HOLD) {
            m->move_out();
        }
        if ((m->lie == ZERO_BETWEEN && m->turn++ % 2 == 0) || (m->lie == STOPS_READING && m->to_peer.size() == PIPE)) {
            return 0;
        }
        const size_t size = std::min<size_t>(capacity, m->to_port.size());
        if (size == 0) {
            return m->ended ? m->fail() : 0;
        }
        if (m->ended && m->lie == DIES_EARLY) {
            return m->fail();
        }
        std::memcpy(bytes, m->to_port.data(), size);
        m->to_port.erase(0, size);
        if (m->lie == READS_BESIDE) {
            bytes[capacity] = 0;
        }
        return m->lie == READS_TOO_MUCH ? static_cast<int>(capacity) + 1 : static_cast<int>(size);
    }
    static int write(void *context, const unsigned char *bytes, unsigned int size)
    {
        Memory *m = self(context);
        const std::string text(reinterpret_cast<const char *>(bytes), size);
        if (!m->connected || m->dead) {
            return -1;
        }
        if (m->ended) {
            return m->to_port.empty() ? m->fail() : 0;
        }
        if (size == 0) {
            if (m->lie == PUSHES_NOTHING) {
                return 1;
            }
            m->move_out();
            return m->held.empty() && m->lie != NEVER_PUSHED;
        }
        if (m->lie == NEVER_FULL) {
            m->held += text;
            return static_cast<int>(size);
        }
        if (m->held.size() >= HOLD) {
            m->move_out();
        }
        const size_t part = std::min(text.size(), HOLD - std::min(HOLD, m->held.size()));
        m->held.append(text, 0, part - (m->lie == LOSES_A_BYTE && part > 1 ? 1 : 0));
        return m->lie == REPEATS_AFTER_ZERO && m->turn++ % 10 == 0 ? 0 : static_cast<int>(part);
    }
    static void close(void *context)
    {
        Memory *m = self(context);
        if (m->lie == STAYS_OPEN) {
            return;
        }
        if (m->connected && m->lie != STALE_BYTE) {
            m->held.clear();
        }
        m->connected = m->dead = false;
        m->opening = 0;
        m->layer = m->lie == FORGETS_ERROR ? 0 : m->layer;
    }
    static int set_option(void *context, const char *, const void *) { return self(context)->lie == TAKES_ANY_OPTION ? 0 : 1; }
    static int error(void *context, long *raw)
    {
        *raw = self(context)->layer * 7;
        return self(context)->layer;
    }

    static unsigned int expect(void *context, int what)
    {
        Memory *m = self(context);
        m->how = what;
        m->ended = false;
        m->to_peer.clear();
        m->to_port.clear();
        m->waiting.clear();
        return 1;
    }
    static int send(void *context, const unsigned char *bytes, unsigned int size)
    {
        Memory *m = self(context);
        const size_t part = std::min<size_t>(size, PIPE - m->waiting.size());
        m->waiting.append(reinterpret_cast<const char *>(bytes), part);
        return static_cast<int>(part);
    }
    static int receive(void *context, unsigned char *bytes, unsigned int capacity)
    {
        Memory *m = self(context);
        const size_t size = std::min<size_t>(capacity, m->to_peer.size());
        std::memcpy(bytes, m->to_peer.data(), size);
        m->to_peer.erase(0, size);
        return static_cast<int>(size);
    }
    static void end(void *context, int cut)
    {
        Memory *m = self(context);
        if (cut) {
            m->waiting.clear();
            m->to_port.clear();
        }
        m->to_port += m->waiting;
        m->waiting.clear();
        m->ended = true;
    }
    static void step(void *context)
    {
        Memory *m = self(context);
        m->now++;
        if (m->connected && m->to_port.size() < PIPE) {
            m->to_port += m->waiting;
            m->waiting.clear();
        }
    }
    static unsigned long milliseconds(void *context) { return self(context)->now; }

    Lie lie;
    int how;
    bool connected;
    int opening;
    bool dead, ended;
    int layer;
    unsigned long now;
    int turn;
    std::string held, to_peer, to_port, waiting;
    IOTHUB_IO io;
    struct conformance_peer peer;
};

void collect(void *context, int ok, const char *what)
{
    if (ok == 0) {
        *static_cast<std::string *>(context) += std::string(what) + "\n";
    }
}

std::string broken(Lie lie)
{
    Memory memory(lie);
    std::string found;
    struct conformance test = {};
    test.name = "memory";
    test.io = &memory.io;
    test.host = "memory";
    test.peer = &memory.peer;
    test.tell = collect;
    test.tell_context = &found;
    test.patience = 300;
    test.buffered_most = 200000;
    const int failures = conformance_run(&test);
    CHECK((failures == 0) == found.empty());
    return found;
}

}

TEST_CASE("conformance: a port that keeps the contract passes", "[conformance]")
{
    CHECK(broken(HONEST) == "");
}

TEST_CASE("conformance: each way of breaking the contract is found, and named", "[conformance]")
{
    const struct { Lie lie; const char *found; } cases[] = {
        { READS_TOO_MUCH, "2: read answered more than was asked" },
        { READS_BESIDE, "2: read wrote beside its buffer" },
        { LOSES_A_BYTE, "3: five bytes arrive after a push" },
        { REPEATS_AFTER_ZERO, "4: other bytes arrived than were written" },
        { NEVER_PUSHED, "3: write of size 0 answers >0 when nothing is held" },
        { PUSHES_NOTHING, "3: five bytes arrive after a push" },
        { ZERO_BETWEEN, "before the first 0" },
        { STAYS_OPEN, "7: a refused connection is <0" },
        { REVIVES, "stream stays dead" },
        { NO_LAYER, "error tells the layer" },
        { FORGETS_ERROR, "error tells the same after close" },
        { TAKES_ANY_OPTION, "an unknown option answers >0" },
        { BLOCKS, "1: the longest read took 2000 ms" },
        { NEVER_FULL, "1: write answers 0 when the peer reads nothing" },
        { STOPS_READING, "5: reading goes on while writing is stopped" },
        { STALE_BYTE, "6: nothing of a closed connection is in the next one" },
        { NEVER_REFUSED, "7: a refused connection is <0" },
        { READ_MOVES_NOTHING, "5: read alone moves what write has taken" },
        { DIES_EARLY, "the peer's end comes behind its last byte" },
    };
    for (const auto &each : cases) {
        const std::string found = broken(each.lie);
        CAPTURE(each.found, found);
        CHECK(found.find(each.found) != std::string::npos);
    }
}

TEST_CASE("conformance: the witness sees what a filter above owes to the stream below", "[conformance]")
{
    Memory memory(HONEST);
    const unsigned char first[] = "abc", other[] = "abd";
    unsigned char byte;
    for (int duty = 0; duty < 6; duty++) {
        struct conformance_witness witness = {};
        const IOTHUB_IO *io = conformance_witness_begin(&witness, &memory.io);
        CAPTURE(duty);
        memory.expect(&memory, CONFORMANCE_ACCEPT);
        if (duty != 0) {
            while (io->open(io->context, "memory", 1) == 0) {
            }
        }
        CHECK(witness.broken == nullptr);
        switch (duty) {
        case 0: io->read(io->context, &byte, 1); break;              /* not open */
        case 1: io->open(io->context, "memory", 1); break;           /* open already */
        case 2: io->read(io->context, &byte, 0); break;
        case 3:
            witness.zero_every = 1;
            io->write(io->context, first, 3);
            CHECK(witness.broken == nullptr);
            io->write(io->context, first, 2);                        /* shorter is right */
            CHECK(witness.broken == nullptr);
            io->write(io->context, other, 3);
            break;
        case 4:
            witness.write_most = 1;
            CHECK(io->write(io->context, first, 3) == 1);
            io->write(io->context, first, 3);                        /* the first byte was taken */
            break;
        default:
            io->close(io->context);
            io->open(io->context, "memory", 1);
            io->open(io->context, "memory", 2);
            break;
        }
        CHECK(witness.broken != nullptr);
        io->close(io->context);
    }
}

TEST_CASE("conformance: posix", "[conformance]")
{
    struct conformance_tcp tcp;
    struct conformance test = {};
    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;

    conformance_tcp_begin(&tcp);
    iothub_posix_platform(&posix, &platform);
    test.name = "posix";
    test.io = iothub_posix_tcp(&posix);
    test.host = "127.0.0.1";
    test.peer = &tcp.peer;
    test.tell = conformance_tell;
    CHECK(conformance_run(&test) == 0);
    conformance_tcp_drop_all(&tcp);
}

TEST_CASE("conformance: bearssl", "[conformance]")
{
    for (unsigned int narrow : { 0u, 1u }) {
        TlsPeer peer(certificate_path("ec_server.pem"), certificate_path("ec_server.key"), certificate_path("ec_chain.pem"));
        struct conformance test = {};
        struct conformance_witness witness = {};
        IOTHUB_POSIX posix;
        IOTHUB_PLATFORM platform;
        IOTHUB_BEARSSL tls;
        std::vector<unsigned char> buffer(IOTHUB_BEARSSL_BUFFER_MONO), memory(4096);

        witness.read_most = narrow * 7;
        witness.write_most = narrow * 5;
        witness.zero_every = narrow * 3;
        iothub_posix_platform(&posix, &platform);
        REQUIRE(iothub_bearssl_init(&tls, conformance_witness_begin(&witness, iothub_posix_tcp(&posix)), &platform, buffer.data(), buffer.size()) == 0);
        iothub_bearssl_memory(&tls, memory.data(), memory.size());
        REQUIRE(platform.io.set_option(platform.io.context, "TrustedCerts", certificate_text("ec_root.pem").c_str()) == 0);
        test.name = narrow ? "bearssl over a narrow stream" : "bearssl";
        test.io = &platform.io;
        test.host = "hub.localhost";
        test.peer = &peer.peer;
        test.fetches = static_cast<int>(narrow);
        test.volume = narrow ? 8000 : 0;
        test.tell = conformance_tell;
        CHECK(conformance_run(&test) == 0);
        INFO((witness.broken ? witness.broken : ""));
        CHECK(witness.broken == nullptr);
    }
}
