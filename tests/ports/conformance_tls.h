/* The TLS peer of conformance.h: OpenSSL's server over the TCP peer, and the checks as tests of Catch2. */

#ifndef IOTHUB_TESTS_PORTS_CONFORMANCE_TLS_H
#define IOTHUB_TESTS_PORTS_CONFORMANCE_TLS_H

#include "conformance_tcp.h"

#include <catch2/catch.hpp>

#include <string>

#include <openssl/err.h>
#include <openssl/ssl.h>

struct TlsPeer {
    explicit TlsPeer(const std::string &certificate, const std::string &key, const std::string &chain = "");
    ~TlsPeer();
    struct conformance_peer peer;
    bool plain;                                  /* true: no TLS, for what shall go wrong */
private:
    TlsPeer(const TlsPeer &);
    void operator=(const TlsPeer &);
    static unsigned int expect(void *context, int how);
    static int send(void *context, const unsigned char *bytes, unsigned int size);
    static int receive(void *context, unsigned char *bytes, unsigned int capacity);
    static void end(void *context, int cut);
    static void step(void *context);
    static unsigned long milliseconds(void *context) { return conformance_tcp_milliseconds(context); }
    bool ready();
    bool flush();
    void drop();
    struct conformance_tcp tcp;
    SSL_CTX *settings;
    SSL *ssl;
    bool silent;
    std::string out;
};

/* Each check is one of Catch2's; what is not shown is printed. */
inline void conformance_tell(void *, int ok, const char *what)
{
    INFO(what);
    if (ok < 0) {
        WARN("not shown: " << what);
    } else {
        CHECK(ok == 1);
    }
}

#endif
