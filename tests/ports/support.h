/* What the tests of the ports share: certificates, real openssl s_server peers, a stream that misbehaves, a link. */

#ifndef IOTHUB_TESTS_PORTS_SUPPORT_H
#define IOTHUB_TESTS_PORTS_SUPPORT_H

#include "iothub_client.h"
#include "../../ports/bearssl/iothub_bearssl.h"
#include "../../ports/bearssl/iothub_bearssl_roots.h"
#include "../../ports/iothub_roots.h"
#include "../../ports/posix/iothub_posix.h"

#include <string>
#include <vector>

/* The directory with the certificates; made on first use, removed at the end of the program. */
std::string certificate_path(const std::string &name);
std::string certificate_text(const std::string &name);

void pause_milliseconds(long milliseconds);

/* A real TLS server; chain is a NAME of certificates.sh. It sends every line back reversed, or with the option -www
   answers each request with a page about the connection, or with the option -plain sends what is typed. */
class Server {
public:
    explicit Server(const std::string &chain, const std::string &options = "-tls1_2");
    ~Server();
    unsigned int port;
    std::string log() const;                     /* what it printed so far */
    void type(const std::string &text);
    bool logs(const std::string &text, int milliseconds = 2000) const;     /* waits until it prints that */
private:
    Server(const Server &);
    void operator=(const Server &);
    pid_t child;
    int keyboard;
    std::string log_path;
};

/* Between TLS and the socket: passes everything on, and misbehaves as told. */
struct Faults {
    Faults();
    IOTHUB_IO io();
    IOTHUB_IO inner;
    unsigned int read_most, write_most;          /* bytes of one call */
    int zero_every;                              /* every n-th call answers 0; 0: none */
    long die_after;                              /* so many bytes in both directions; -1: never */
    bool lie_read, lie_write;                    /* answers one more than asked */
    bool block_read, block_write;                /* answers 0 */
    bool write_dies_when_readable;               /* slow writes that fail once the peer has said something */
    bool hold_writes;                            /* keeps what it takes until it is pushed */
    long read_total, write_total;
    int calls;
    std::string held;
};

/* TLS over faults over POSIX, with a wall clock that the test can move. */
struct Link {
    explicit Link(size_t buffer_size = IOTHUB_BEARSSL_BUFFER_MONO, size_t memory_size = 16384);
    ~Link();
    int option(const std::string &name, const void *value);
    int trust(const std::string &file);          /* option TrustedCerts */
    int open(unsigned int port, const std::string &host = "hub.localhost");   /* until it is decided; -2: after 10 s */
    int push();                                  /* write of size 0, until all is gone */
    int error(long *raw = nullptr);
    std::string line(const std::string &text);   /* sends a line, and returns what came back */

    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;
    Faults faults;
    IOTHUB_BEARSSL tls;
    std::vector<unsigned char> buffer, memory;
    int opens;                                   /* calls of open that the last open took */

    static long clock_shift;                     /* seconds that all links' wall clock is off */
    static bool clock_unknown;
    static bool entropy_missing;
    static uint32_t tick_step;                   /* 0: real milliseconds; else every look at the clock adds this */
private:
    Link(const Link &);
    void operator=(const Link &);
};

std::string status_page(Link &link);             /* what a server with -www says, up to its end of the stream */

#endif
