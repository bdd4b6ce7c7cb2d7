/* The BearSSL filter against openssl s_server: another implementation of TLS, real sockets, real certificates. */

#include <catch2/catch.hpp>

#include "support.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace {

std::string random_line(size_t size, unsigned int seed)
{
    std::string text(size, 'a');
    for (char &c : text) {
        seed = seed * 1103515245u + 12345u;
        c = static_cast<char>('a' + (seed >> 16) % 26);
    }
    return text;
}

std::string reversed(std::string text)
{
    std::reverse(text.begin(), text.end());
    return text;
}

/* Sends lines and reads their mirror images at the same time; the peer stops reading while we do not read. */
void echo(Link &link, size_t total, size_t line_size)
{
    const IOTHUB_IO io = link.platform.io;
    std::string out, expected, in;
    std::vector<unsigned char> bytes(4096);
    size_t sent = 0;
    const uint32_t start = link.platform.milliseconds(link.platform.context);

    for (unsigned int i = 0; out.size() < total; i++) {
        const std::string text = random_line(line_size, i);
        out += text + "\n";
        expected += reversed(text) + "\n";
    }
    while (in.size() < expected.size()) {
        REQUIRE(link.platform.milliseconds(link.platform.context) - start < 30000);
        bool moved = false;
        const int got = io.read(io.context, bytes.data(), static_cast<unsigned int>(bytes.size()));
        REQUIRE(got >= 0);
        in.append(reinterpret_cast<const char *>(bytes.data()), static_cast<size_t>(got));
        moved = got > 0;
        const int put = io.write(io.context, reinterpret_cast<const unsigned char *>(out.data()) + sent,
                                 static_cast<unsigned int>(std::min<size_t>(out.size() - sent, 32767)));
        REQUIRE(put >= 0);
        if (sent < out.size()) {
            sent += static_cast<size_t>(put);
            moved = moved || put > 0;
        }
        if (!moved) {
            iothub_posix_wait(&link.posix, 1);
        }
    }
    CHECK(in == expected);
}

struct ClockGuard {                              /* every test begins with a right clock */
    ClockGuard() { reset(); }
    ~ClockGuard() { reset(); }
    static void reset()
    {
        Link::clock_shift = 0;
        Link::clock_unknown = false;
        Link::entropy_missing = false;
        Link::tick_step = 0;
    }
};

const bool yes = true, no = false;

void check_refused(const std::string &chain, const std::string &root, int layer, long code,
                   const std::string &options = "-tls1_2", const std::string &host = "hub.localhost")
{
    Server server(chain, options);
    Link link;
    long raw = 0;
    CAPTURE(chain, root, options, host);
    REQUIRE(link.trust(root) == 0);
    CHECK(link.open(server.port, host) == -1);
    CHECK(link.error(&raw) == layer);
    CHECK(raw == code);
    unsigned char byte = 0;
    CHECK(link.platform.io.read(link.platform.io.context, &byte, 1) == -1);
    CHECK(link.platform.io.write(link.platform.io.context, &byte, 1) == -1);
    CHECK(link.platform.io.open(link.platform.io.context, "hub.localhost", server.port) == -1);   /* until close */
    link.platform.io.close(link.platform.io.context);
    CHECK(link.error(&raw) == layer);
    CHECK(iothub_bearssl_save_session(&link.tls, link.memory.data(), link.memory.size()) == 0);
}

}

/* ---- What is spoken ---- */

TEST_CASE("bearssl: the eight suites", "[bearssl]")
{
    const char *suites[] = { "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA256", "AES256-SHA384" };
    const char *kinds[] = { "rsa", "ec" };

    for (const char *kind : kinds) {
        for (const char *suite : suites) {
            const std::string name = std::string(kind[0] == 'e' ? "ECDHE-ECDSA-" : "ECDHE-RSA-") + suite;
            Server server(kind, "-tls1_2 -cipher " + name);
            Link link;
            CAPTURE(name);
            REQUIRE(link.trust(std::string(kind) + "_root.pem") == 0);
            REQUIRE(link.open(server.port) == 1);
            CHECK(link.line("around") == "dnuora");
            CHECK(server.logs("Ciphersuite: " + name));
        }
    }
}

TEST_CASE("bearssl: exactly these suites, hashes and groups are offered", "[bearssl]")
{
    Server server("rsa", "-tls1_2 -trace");
    Link link;
    REQUIRE(link.trust("rsa_root.pem") == 0);
    REQUIRE(link.open(server.port) == 1);
    REQUIRE(server.logs("ServerHello"));
    const std::string hello = server.log().substr(0, server.log().find("ServerHello"));
    CAPTURE(hello);
    CHECK(hello.find("cipher_suites (len=16)") != std::string::npos);
    CHECK(hello.find("extension_type=server_name(0)") != std::string::npos);
    CHECK(hello.find("68 75 62-2e 6c 6f 63 61 6c 68") != std::string::npos);    /* hub.localh, and ost below */
    for (const char *suite : { "C0, 0x2F", "C0, 0x30", "C0, 0x27", "C0, 0x28", "C0, 0x2B", "C0, 0x2C", "C0, 0x23",
                               "C0, 0x24" }) {
        CHECK(hello.find(suite) != std::string::npos);
    }
    CHECK(hello.find("extension_type=supported_groups(10), length=8") != std::string::npos);
    CHECK(hello.find("secp256r1 (P-256) (23)") != std::string::npos);
    CHECK(hello.find("secp384r1 (P-384) (24)") != std::string::npos);
    CHECK(hello.find("ecdh_x25519 (29)") != std::string::npos);
    CHECK(hello.find("extension_type=signature_algorithms(13), length=14") != std::string::npos);
    CHECK(hello.find("_sha1") == std::string::npos);
}

TEST_CASE("bearssl: groups P-256, P-384 and X25519", "[bearssl]")
{
    for (const char *group : { "P-256", "P-384", "X25519" }) {
        Server server("ec", std::string("-tls1_2 -groups ") + group);
        Link link;
        CAPTURE(group);
        REQUIRE(link.trust("ec_root.pem") == 0);
        CHECK(link.open(server.port) == 1);
        CHECK(link.line("ab") == "ba");
    }
}

TEST_CASE("bearssl: only RSA suites when asked", "[bearssl]")
{
    Server ec("ec"), rsa("rsa");
    Link link;
    long raw = 0;
    REQUIRE(link.trust("several.pem") == 0);
    CHECK(link.open(ec.port) == 1);
    link.platform.io.close(link.platform.io.context);
    REQUIRE(link.option("bearssl_rsa_suites_only", &yes) == 0);
    CHECK(link.open(ec.port) == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_TLS);
    CHECK(raw == BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE);
    link.platform.io.close(link.platform.io.context);
    CHECK(link.open(rsa.port) == 1);
}

TEST_CASE("bearssl: other versions and suites are refused", "[bearssl]")
{
    check_refused("ec", "ec_root.pem", IOTHUB_LAYER_TLS, BR_ERR_RECV_FATAL_ALERT + BR_ALERT_PROTOCOL_VERSION, "-tls1_3");
    check_refused("rsa", "rsa_root.pem", IOTHUB_LAYER_TLS, BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE,
                  "-tls1_1 -cipher DEFAULT@SECLEVEL=0");
    check_refused("rsa", "rsa_root.pem", IOTHUB_LAYER_TLS, BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE,
                  "-tls1_2 -cipher AES128-GCM-SHA256");              /* RSA key exchange */
    check_refused("rsa", "rsa_root.pem", IOTHUB_LAYER_TLS, BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE,
                  "-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305");
}

/* ---- What is checked ---- */

TEST_CASE("bearssl: chains of RSA and ECDSA up to SHA-512", "[bearssl]")
{
    for (const char *chain : { "rsa", "rsa384", "ec" }) {
        Server server(chain);
        Link link;
        CAPTURE(chain);
        REQUIRE(link.trust(chain[0] == 'e' ? "ec_root.pem" : "rsa_root.pem") == 0);
        CHECK(link.open(server.port) == 1);
        CHECK(link.error() == IOTHUB_LAYER_NONE);
    }
}

TEST_CASE("bearssl: the host name", "[bearssl]")
{
    check_refused("wrong", "ec_root.pem", IOTHUB_LAYER_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME);
    check_refused("ec", "ec_root.pem", IOTHUB_LAYER_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME, "-tls1_2", "hub2.localhost");
    check_refused("ec", "ec_root.pem", IOTHUB_LAYER_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME, "-tls1_2", "127.0.0.1");
    check_refused("wild", "ec_root.pem", IOTHUB_LAYER_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME, "-tls1_2", "a.b.localhost");
    check_refused("ec", "ec_root.pem", IOTHUB_LAYER_TLS_NAME, IOTHUB_BEARSSL_ERROR_HOST, "-tls1_2", "");
    check_refused("ec", "ec_root.pem", IOTHUB_LAYER_TLS_NAME, IOTHUB_BEARSSL_ERROR_HOST, "-tls1_2", std::string(256, 'x'));
    check_refused("cn", "ec_root.pem", IOTHUB_LAYER_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME, "-tls1_2", "hub2.localhost");
    Server wild("wild"), cn("cn");
    Link link;
    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(link.open(wild.port, "Any.LocalHost") == 1);
    link.platform.io.close(link.platform.io.context);
    CHECK(link.open(cn.port) == 1);                      /* no SAN at all: BearSSL looks at the common name */
}

TEST_CASE("bearssl: the chain", "[bearssl]")
{
    check_refused("ec", "other.pem", IOTHUB_LAYER_TLS_TRUST, BR_ERR_X509_NOT_TRUSTED);
    check_refused("ec", "rsa_root.pem", IOTHUB_LAYER_TLS_TRUST, BR_ERR_X509_NOT_TRUSTED);
    check_refused("no_ca", "ec_root.pem", IOTHUB_LAYER_TLS_TRUST, BR_ERR_X509_NOT_CA);
    check_refused("weak", "rsa_root.pem", IOTHUB_LAYER_TLS_TRUST, BR_ERR_X509_WEAK_PUBLIC_KEY,
                  "-tls1_2 -cipher DEFAULT@SECLEVEL=0");
    check_refused("sha1", "rsa_root.pem", IOTHUB_LAYER_TLS_TRUST, BR_ERR_X509_UNSUPPORTED,
                  "-tls1_2 -cipher DEFAULT@SECLEVEL=0");
}

TEST_CASE("bearssl: the public roots do not trust a stranger", "[bearssl]")
{
    Server server("rsa");
    Link link;
    long raw = 0;
    iothub_bearssl_trust(&link.tls, IOTHUB_ROOTS_ANCHORS, IOTHUB_ROOTS_ANCHORS_COUNT);
    CHECK(link.open(server.port) == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_TLS_TRUST);
    CHECK(raw == BR_ERR_X509_NOT_TRUSTED);
}

TEST_CASE("bearssl: a second root is accepted, a third is not", "[bearssl]")
{
    Server rsa("rsa"), ec("ec");
    const std::string two = certificate_text("rsa_root.pem") + certificate_text("other.pem");
    Link link;
    REQUIRE(link.option("TrustedCerts", two.c_str()) == 0);
    CHECK(link.open(rsa.port) == 1);
    link.platform.io.close(link.platform.io.context);
    CHECK(link.open(ec.port) == -1);
    CHECK(link.error() == IOTHUB_LAYER_TLS_TRUST);
    link.platform.io.close(link.platform.io.context);
    REQUIRE(link.trust("several.pem") == 0);             /* replaced: both servers are trusted now */
    CHECK(link.open(ec.port) == 1);
    link.platform.io.close(link.platform.io.context);
    CHECK(link.open(rsa.port) == 1);
}

TEST_CASE("bearssl: without anchors nothing is trusted", "[bearssl]")
{
    Server server("ec");
    Link link;
    long raw = 0;
    CHECK(link.open(server.port) == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_TLS_TRUST);
    CHECK(raw == IOTHUB_BEARSSL_ERROR_NO_ANCHORS);
    link.platform.io.close(link.platform.io.context);
    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(link.open(server.port) == 1);
    link.platform.io.close(link.platform.io.context);
    iothub_bearssl_trust(&link.tls, nullptr, 0);
    CHECK(link.open(server.port) == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_TLS_TRUST);
}

TEST_CASE("bearssl: dates", "[bearssl]")
{
    ClockGuard guard;
    Link::clock_shift = 11L * 365 * 86400;               /* all certificates last ten years */
    check_refused("ec", "ec_root.pem", IOTHUB_LAYER_TLS_TRUST, BR_ERR_X509_EXPIRED);
    Link::clock_shift = -2L * 86400;                     /* not valid yet */
    check_refused("rsa", "rsa_root.pem", IOTHUB_LAYER_TLS_TRUST, BR_ERR_X509_EXPIRED);
    Link::clock_shift = 9L * 365 * 86400;
    Server server("ec");
    Link link;
    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(link.open(server.port) == 1);
}

TEST_CASE("bearssl: an unknown date waits, and says why", "[bearssl]")
{
    ClockGuard guard;
    Server server("ec");
    Link link;
    const IOTHUB_IO io = link.platform.io;
    long raw = 1;

    REQUIRE(link.trust("ec_root.pem") == 0);
    for (int round = 0; round < 2; round++) {
        Link::clock_unknown = round == 0;
        Link::clock_shift = round == 0 ? 0 : -40L * 365 * 86400;     /* a clock that began in the eighties */
        for (int i = 0; i < 5; i++) {
            CHECK(io.open(io.context, "hub.localhost", server.port) == 0);
            CHECK(link.error(&raw) == IOTHUB_LAYER_TIME);
            CHECK(link.posix.socket == -1);              /* no connection is kept waiting */
        }
    }
    ClockGuard::reset();
    CHECK(link.open(server.port) == 1);                  /* goes on by itself once the date is known */
    CHECK(link.error() == IOTHUB_LAYER_NONE);
}

TEST_CASE("bearssl: an unknown date can be accepted, by a loud name only", "[bearssl]")
{
    ClockGuard guard;
    Link::clock_unknown = true;
    for (const char *chain : { "rsa", "ec" }) {
        Server server(chain);
        Link link;
        unsigned char session[IOTHUB_BEARSSL_SESSION_SIZE];
        REQUIRE(link.trust(chain[0] == 'e' ? "ec_root.pem" : "rsa_root.pem") == 0);
        REQUIRE(link.option("bearssl_accept_unknown_date_INSECURE", &yes) == 0);
        CHECK(link.open(server.port) == 1);
        CHECK(link.line("late") == "etal");
        CHECK(iothub_bearssl_save_session(&link.tls, session, sizeof session) == 0);    /* its dates were not checked */
        link.platform.io.close(link.platform.io.context);
        REQUIRE(link.option("bearssl_accept_unknown_date_INSECURE", &no) == 0);
        CHECK(link.platform.io.open(link.platform.io.context, "hub.localhost", server.port) == 0);
        CHECK(link.error() == IOTHUB_LAYER_TIME);
    }
    Server server("ec");                                 /* everything else is still checked */
    Link link;
    long raw = 0;
    REQUIRE(link.option("bearssl_accept_unknown_date_INSECURE", &yes) == 0);
    REQUIRE(link.trust("other.pem") == 0);
    CHECK(link.open(server.port) == -1);
    CHECK(link.error() == IOTHUB_LAYER_TLS_TRUST);
    link.platform.io.close(link.platform.io.context);
    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(link.open(server.port, "else.localhost") == -1);
    CHECK(link.error() == IOTHUB_LAYER_TLS_NAME);
    link.platform.io.close(link.platform.io.context);
    Link::clock_unknown = false;                         /* and a known date is checked in spite of the option */
    Link::clock_shift = 11L * 365 * 86400;
    CHECK(link.open(server.port) == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_TLS_TRUST);
    CHECK(raw == BR_ERR_X509_EXPIRED);
}

TEST_CASE("bearssl: waits for entropy", "[bearssl]")
{
    ClockGuard guard;
    Server server("ec");
    Link link;
    REQUIRE(link.trust("ec_root.pem") == 0);
    Link::entropy_missing = true;
    for (int i = 0; i < 50; i++) {
        REQUIRE(link.platform.io.open(link.platform.io.context, "hub.localhost", server.port) == 0);
        iothub_posix_wait(&link.posix, 1);
    }
    CHECK(link.error() == IOTHUB_LAYER_ENTROPY);
    CHECK(link.posix.socket == -1);
    Link::entropy_missing = false;
    CHECK(link.open(server.port) == 1);
}

/* ---- Certificates by option ---- */

TEST_CASE("bearssl: trusted certificates as DER and as PEM", "[bearssl]")
{
    Server rsa("rsa"), ec("ec");
    const std::string two = certificate_text("two.der");
    IOTHUB_BEARSSL_BYTES der = { reinterpret_cast<const unsigned char *>(two.data()), two.size() };
    Link link;
    REQUIRE(link.option("TrustedCertsDer", &der) == 0);
    CHECK(link.open(rsa.port) == 1);
    link.platform.io.close(link.platform.io.context);
    CHECK(link.open(ec.port) == 1);
    link.platform.io.close(link.platform.io.context);
    der.size--;
    CHECK(link.option("TrustedCertsDer", &der) < 0);     /* cut off: what was trusted stays */
    der.size = 0;
    CHECK(link.option("TrustedCertsDer", &der) < 0);
    CHECK(link.option("TrustedCertsDer", nullptr) < 0);
    CHECK(link.open(ec.port) == 1);
}

TEST_CASE("bearssl: bad PEM changes nothing", "[bearssl]")
{
    Server server("ec");
    Link link;
    std::string root = certificate_text("ec_root.pem"), bad;

    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(link.trust("client_ec.key") < 0);              /* PEM, but no certificate */
    CHECK(link.option("TrustedCerts", "") < 0);
    CHECK(link.option("TrustedCerts", nullptr) < 0);
    CHECK(link.option("TrustedCerts", "no PEM at all") < 0);
    for (size_t size = 40; size < root.size() - 2; size += 101) {
        CAPTURE(size);
        CHECK(link.option("TrustedCerts", root.substr(0, size).c_str()) < 0);
    }
    bad = root;
    bad[100] = '*';                                      /* not base64 */
    CHECK(link.option("TrustedCerts", bad.c_str()) < 0);
    bad = root + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";   /* not DER */
    CHECK(link.option("TrustedCerts", bad.c_str()) < 0);
    CHECK(link.open(server.port) == 1);
    link.platform.io.close(link.platform.io.context);
    root.resize(root.find_last_not_of('\n') + 1);        /* no line end at the end is fine, and so is text around */
    CHECK(link.option("TrustedCerts", ("The root:\n" + root).c_str()) == 0);
    CHECK(link.open(server.port) == 1);
}

TEST_CASE("bearssl: too little memory is refused, enough is enough", "[bearssl]")
{
    Server server("rsa");
    for (size_t size = 0; size < 450; size += 7) {
        Link link(IOTHUB_BEARSSL_BUFFER_MINIMUM, size);
        CAPTURE(size);
        if (link.trust("rsa_root.pem") == 0) {
            CHECK(size > 300);
            CHECK(link.open(server.port) == 1);
            return;
        }
    }
    FAIL("450 bytes do not hold an RSA-2048 anchor");
}

TEST_CASE("bearssl: the public roots as PEM, in the memory that the manual promises", "[bearssl]")
{
    Link link(IOTHUB_BEARSSL_BUFFER_MINIMUM, 450 + 700 + 300 + 300);
    REQUIRE(link.option("TrustedCerts", IOTHUB_ROOTS_PEM) == 0);
    REQUIRE(link.tls.anchor_count == IOTHUB_ROOTS_ANCHORS_COUNT);
    for (size_t i = 0; i < IOTHUB_ROOTS_ANCHORS_COUNT; i++) {
        const br_x509_trust_anchor &decoded = link.tls.anchors[i], &ready = iothub_bearssl_roots[i];
        CAPTURE(i);
        CHECK(decoded.flags == ready.flags);
        REQUIRE(decoded.dn.len == ready.dn.len);
        CHECK(std::memcmp(decoded.dn.data, ready.dn.data, ready.dn.len) == 0);
        REQUIRE(decoded.pkey.key_type == ready.pkey.key_type);
        if (ready.pkey.key_type == BR_KEYTYPE_RSA) {
            REQUIRE(decoded.pkey.key.rsa.nlen == ready.pkey.key.rsa.nlen);
            CHECK(std::memcmp(decoded.pkey.key.rsa.n, ready.pkey.key.rsa.n, ready.pkey.key.rsa.nlen) == 0);
            REQUIRE(decoded.pkey.key.rsa.elen == ready.pkey.key.rsa.elen);
            CHECK(std::memcmp(decoded.pkey.key.rsa.e, ready.pkey.key.rsa.e, ready.pkey.key.rsa.elen) == 0);
        } else {
            CHECK(decoded.pkey.key.ec.curve == ready.pkey.key.ec.curve);
            REQUIRE(decoded.pkey.key.ec.qlen == ready.pkey.key.ec.qlen);
            CHECK(std::memcmp(decoded.pkey.key.ec.q, ready.pkey.key.ec.q, ready.pkey.key.ec.qlen) == 0);
        }
    }
    CHECK(IOTHUB_ROOTS_RSA_ANCHORS_COUNT == 2);
    CHECK(std::memcmp(iothub_bearssl_roots_rsa, iothub_bearssl_roots, sizeof iothub_bearssl_roots_rsa) == 0);
    static const unsigned char g2[] = IOTHUB_ROOT_DIGICERT_GLOBAL_G2_DER;
    const IOTHUB_BEARSSL_BYTES der = { g2, sizeof g2 };
    CHECK(link.option("TrustedCertsDer", &der) == 0);
    CHECK(link.option("TrustedCerts", IOTHUB_ROOTS_RSA_PEM) == 0);
    CHECK(link.tls.anchor_count == 2);
}

TEST_CASE("bearssl: client certificates", "[bearssl]")
{
    const std::string options = "-tls1_2 -Verify 3 -verify_return_error -CAfile " + certificate_path("client_root.pem");
    struct {
        const char *chain, *key, *chain_option, *key_option, *subject;
    } devices[] = {
        { "client_rsa_chain.pem", "client_rsa.key", "x509certificate", "x509privatekey", "CN = device-rsa" },
        { "client_rsa.pem", "client_rsa_pkcs1.key", "x509certificate", "x509privatekey", "CN = device-rsa" },
        { "client_ec_chain.pem", "client_ec.key", "x509EccCertificate", "x509EccAliasKey", "CN = device-ec" },
        { "client_ec.pem", "client_ec_sec1.key", "x509EccCertificate", "x509EccAliasKey", "CN = device-ec" },
    };
    const size_t buffers[] = { IOTHUB_BEARSSL_BUFFER_MINIMUM, IOTHUB_BEARSSL_BUFFER_BIDI };
    for (const auto &device : devices) {
        for (size_t buffer : buffers) {
            Server server("ec", options);
            Link link(buffer);
            CAPTURE(device.chain, buffer);
            REQUIRE(link.option(device.key_option, certificate_text(device.key).c_str()) == 0);
            REQUIRE(link.option(device.chain_option, certificate_text(device.chain).c_str()) == 0);
            REQUIRE(link.trust("ec_root.pem") == 0);     /* in the wrong order: the parts behind it move */
            REQUIRE(link.open(server.port) == 1);
            CHECK(link.line("hello") == "olleh");
            CHECK(server.log().find(device.subject) != std::string::npos);
        }
    }
}

TEST_CASE("bearssl: a client certificate is missing, incomplete, replaced", "[bearssl]")
{
    Server server("ec", "-tls1_2 -Verify 3 -verify_return_error -CAfile " + certificate_path("client_root.pem"));
    Link link;
    long raw = 0;
    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(link.open(server.port) == -1);                 /* the server wants one */
    CHECK(link.error(&raw) == IOTHUB_LAYER_TLS);
    CHECK(raw == BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE);
    link.platform.io.close(link.platform.io.context);

    REQUIRE(link.option("x509certificate", certificate_text("client_rsa.pem").c_str()) == 0);
    CHECK(link.open(server.port) == -1);                 /* no key */
    CHECK(link.error(&raw) == IOTHUB_LAYER_CONFIG);
    CHECK(raw == IOTHUB_BEARSSL_ERROR_KEY);
    link.platform.io.close(link.platform.io.context);

    REQUIRE(link.option("x509privatekey", certificate_text("client_ec.key").c_str()) == 0);
    CHECK(link.open(server.port) == -1);                 /* a key of another type */
    CHECK(link.error(&raw) == IOTHUB_LAYER_CONFIG);
    link.platform.io.close(link.platform.io.context);

    CHECK(link.option("x509privatekey", certificate_text("client_ec.pem").c_str()) < 0);      /* no key in it */
    CHECK(link.option("x509privatekey", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n") < 0);
    REQUIRE(link.option("x509certificate", certificate_text("client_ec_chain.pem").c_str()) == 0);
    CHECK(link.open(server.port) == 1);                  /* the key was kept, and moved behind the longer chain */
    link.platform.io.close(link.platform.io.context);
    REQUIRE(link.trust("several.pem") == 0);
    CHECK(link.open(server.port) == 1);
    link.platform.io.close(link.platform.io.context);
    iothub_bearssl_trust(&link.tls, IOTHUB_ROOTS_ANCHORS, IOTHUB_ROOTS_ANCHORS_COUNT);
    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(link.open(server.port) == 1);
}

TEST_CASE("bearssl: the peer's reason is read even when a write failed first", "[bearssl]")
{
    Server server("ec", "-tls1_2 -Verify 3 -verify_return_error -CAfile " + certificate_path("client_root.pem"));
    Link link;
    long raw = 0;
    REQUIRE(link.trust("ec_root.pem") == 0);
    link.faults.write_dies_when_readable = true;         /* the server refuses the empty certificate while we still write */
    link.faults.write_most = 1;
    CHECK(link.open(server.port) == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_TLS);
    CHECK(raw == BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE);
}

TEST_CASE("bearssl: options during a handshake end it, on an open stream they wait", "[bearssl]")
{
    ClockGuard guard;
    Server server("ec");
    Link link;
    const IOTHUB_IO io = link.platform.io;
    long raw = 0;

    REQUIRE(link.trust("ec_root.pem") == 0);
    Link::tick_step = 20;                                /* every call of open stops after one step */
    for (int i = 0; i < 300; i++) {
        REQUIRE(io.open(io.context, "hub.localhost", server.port) == 0);
        iothub_posix_wait(&link.posix, 1);
    }
    Link::tick_step = 0;
    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(io.open(io.context, "hub.localhost", server.port) == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_CONFIG);
    CHECK(raw == IOTHUB_BEARSSL_ERROR_CHANGED);
    io.close(io.context);
    REQUIRE(link.open(server.port) == 1);
    REQUIRE(link.trust("other.pem") == 0);
    CHECK(link.line("open") == "nepo");
    io.close(io.context);
    CHECK(link.open(server.port) == -1);
    CHECK(link.error() == IOTHUB_LAYER_TLS_TRUST);
}

TEST_CASE("bearssl: unknown options go to the lower stream", "[bearssl]")
{
    Link link;
    int on = 1;
    CHECK(link.option("tcp_keepalive", &on) == 0);
    CHECK(link.posix.keepalive == 1);
    CHECK(link.option("no_such_option", &on) > 0);
    CHECK(link.option("bearssl_rsa_suites_only", nullptr) < 0);
    CHECK(link.option("bearssl_accept_unknown_date_INSECURE", nullptr) < 0);
}

TEST_CASE("bearssl: renegotiation is refused", "[bearssl]")
{
    Server server("ec", "-tls1_2 -plain -msg");
    Link link;
    unsigned char bytes[64];
    int got = 0;

    REQUIRE(link.trust("ec_root.pem") == 0);
    REQUIRE(link.open(server.port) == 1);
    server.type("typed\n");
    for (int i = 0; i < 2000 && got == 0; i++) {
        got = link.platform.io.read(link.platform.io.context, bytes, sizeof bytes);
        iothub_posix_wait(&link.posix, 1);
    }
    CHECK(got == 6);
    server.type("r\n");
    REQUIRE(server.logs("HelloRequest"));
    for (int i = 0; i < 100 && got >= 0; i++) {
        got = link.platform.io.read(link.platform.io.context, bytes, sizeof bytes);
        iothub_posix_wait(&link.posix, 1);
    }
    CHECK(server.logs("warning no_renegotiation"));
    const std::string log = server.log();
    CHECK(log.find("ClientHello", log.find("HelloRequest")) == std::string::npos);
}

/* ---- Sessions ---- */

TEST_CASE("bearssl: a session is resumed", "[bearssl]")
{
    Server server("ec", "-tls1_2 -www");
    Link link;
    unsigned char bytes[IOTHUB_BEARSSL_SESSION_SIZE];
    long raw = 1;

    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(iothub_bearssl_save_session(&link.tls, bytes, sizeof bytes) == 0);
    REQUIRE(link.open(server.port) == 1);
    CHECK(status_page(link).find("New, TLSv1.2") != std::string::npos);
    CHECK(link.error(&raw) == IOTHUB_LAYER_TLS);         /* the server closed in order */
    CHECK(raw == 0);
    link.platform.io.close(link.platform.io.context);
    const long full = link.faults.read_total;
    REQUIRE(link.open(server.port) == 1);
    CHECK(link.faults.read_total - full < 300);          /* no certificates came */
    CHECK(status_page(link).find("Reused, TLSv1.2") != std::string::npos);
    CHECK(iothub_bearssl_save_session(&link.tls, bytes, sizeof bytes - 1) == 0);
    CHECK(iothub_bearssl_save_session(&link.tls, bytes, sizeof bytes) == sizeof bytes);
}

TEST_CASE("bearssl: a session survives as bytes", "[bearssl]")
{
    ClockGuard guard;
    Server server("rsa", "-tls1_2 -www");
    unsigned char bytes[IOTHUB_BEARSSL_SESSION_SIZE], bad[IOTHUB_BEARSSL_SESSION_SIZE];
    {
        Link link;
        REQUIRE(link.trust("rsa_root.pem") == 0);
        REQUIRE(link.open(server.port) == 1);
        CHECK(status_page(link).find("New, TLSv1.2") != std::string::npos);
        REQUIRE(iothub_bearssl_save_session(&link.tls, bytes, sizeof bytes) == sizeof bytes);
    }
    {
        Link link;                                       /* a wrong length, mark, version or content is refused */
        CHECK(iothub_bearssl_load_session(&link.tls, bytes, sizeof bytes - 1) < 0);
        const size_t places[] = { 0, 3, 8, 12 };
        for (size_t at : places) {
            std::memcpy(bad, bytes, sizeof bad);
            bad[at] = static_cast<unsigned char>(bad[at] ^ 0x40);
            CHECK(iothub_bearssl_load_session(&link.tls, bad, sizeof bad) < 0);
        }
    }
    {
        Link link;                                       /* used after a restart */
        REQUIRE(link.trust("rsa_root.pem") == 0);
        REQUIRE(iothub_bearssl_load_session(&link.tls, bytes, sizeof bytes) == 0);
        REQUIRE(link.open(server.port) == 1);
        CHECK(link.faults.read_total < 300);
        CHECK(status_page(link).find("Reused, TLSv1.2") != std::string::npos);
    }
    {
        Link link;                                       /* but not after a day: the certificates are checked again */
        REQUIRE(link.trust("rsa_root.pem") == 0);
        REQUIRE(iothub_bearssl_load_session(&link.tls, bytes, sizeof bytes) == 0);
        Link::clock_shift = 86500;
        REQUIRE(link.open(server.port) == 1);
        CHECK(link.faults.read_total > 1000);
        ClockGuard::reset();
    }
    {
        Link link;                                       /* and not for another name */
        REQUIRE(link.trust("rsa_root.pem") == 0);
        REQUIRE(iothub_bearssl_load_session(&link.tls, bytes, sizeof bytes) == 0);
        CHECK(link.open(server.port, "hub2.localhost") == -1);
        CHECK(link.error() == IOTHUB_LAYER_TLS_NAME);
    }
    {
        Link link;                                       /* a wrong secret fails once, then a full handshake follows */
        std::memcpy(bad, bytes, sizeof bad);
        bad[60] = static_cast<unsigned char>(bad[60] ^ 1);
        REQUIRE(link.trust("rsa_root.pem") == 0);
        REQUIRE(iothub_bearssl_load_session(&link.tls, bad, sizeof bad) == 0);
        CHECK(link.open(server.port) == -1);
        CHECK(link.error() == IOTHUB_LAYER_TLS);
        link.platform.io.close(link.platform.io.context);
        CHECK(link.open(server.port) == 1);
    }
}

TEST_CASE("bearssl: no session outlives a failed verification or a change of trust", "[bearssl]")
{
    Server good("ec", "-tls1_2 -www"), bad("rsa");
    Link link;

    REQUIRE(link.trust("ec_root.pem") == 0);
    REQUIRE(link.open(good.port) == 1);
    CHECK(status_page(link).find("New, TLSv1.2") != std::string::npos);
    link.platform.io.close(link.platform.io.context);
    CHECK(link.open(bad.port) == -1);                    /* same name, a chain that is not trusted */
    link.platform.io.close(link.platform.io.context);
    REQUIRE(link.open(good.port) == 1);
    CHECK(status_page(link).find("New, TLSv1.2") != std::string::npos);
    link.platform.io.close(link.platform.io.context);
    REQUIRE(link.trust("ec_root.pem") == 0);
    REQUIRE(link.open(good.port) == 1);
    CHECK(status_page(link).find("New, TLSv1.2") != std::string::npos);
}

/* ---- Records, buffers, big transfers ---- */

TEST_CASE("bearssl: every buffer size, against large and small records", "[bearssl]")
{
    const size_t sizes[] = { IOTHUB_BEARSSL_BUFFER_MINIMUM, 1500,  4096,
                             IOTHUB_BEARSSL_BUFFER_MONO,    20000, IOTHUB_BEARSSL_BUFFER_BIDI };
    for (size_t size : sizes) {
        for (const char *options : { "-tls1_2", "-tls1_2 -max_send_frag 512" }) {
            Server server("rsa", options);
            Link link(size);
            CAPTURE(size, options);
            REQUIRE(link.trust("rsa_root.pem") == 0);
            REQUIRE(link.open(server.port) == 1);
            echo(link, 50000, 15000);
        }
    }
}

namespace {

/* A server in this process that ignores the wish for small records, as many hubs do. OpenSSL always grants it. */
struct Stubborn {
    Stubborn() : scratch(), io()
    {
        if (scratch.option("x509certificate",
                           (certificate_text("ec_server.pem") + certificate_text("ec_middle.pem")).c_str()) != 0 ||
            scratch.option("x509privatekey", certificate_text("ec_server.key").c_str()) != 0) {
            throw std::runtime_error("certificates");
        }
        br_ssl_server_init_minf2g(&server, scratch.tls.chain, scratch.tls.chain_count, &scratch.tls.ec_key);
        br_ssl_engine_set_buffer(&server.eng, buffer, sizeof buffer, 1);
        br_ssl_server_reset(&server);
        io.context = this;
        io.open = [](void *, const char *, unsigned int) { return 1; };
        io.read = [](void *context, unsigned char *bytes, unsigned int capacity) {
            size_t size;
            br_ssl_engine_context *engine = &static_cast<Stubborn *>(context)->server.eng;
            const unsigned char *from = br_ssl_engine_sendrec_buf(engine, &size);
            if (from == nullptr) {
                return 0;
            }
            size = std::min<size_t>(size, capacity);
            std::memcpy(bytes, from, size);
            br_ssl_engine_sendrec_ack(engine, size);
            return static_cast<int>(size);
        };
        io.write = [](void *context, const unsigned char *bytes, unsigned int size) {
            size_t room;
            br_ssl_engine_context *engine = &static_cast<Stubborn *>(context)->server.eng;
            if (size == 0) {
                return 1;
            }
            unsigned char *to = br_ssl_engine_recvrec_buf(engine, &room);
            if (to == nullptr) {
                return 0;
            }
            room = std::min<size_t>(room, size);
            std::memcpy(to, bytes, room);
            br_ssl_engine_recvrec_ack(engine, room);
            return static_cast<int>(room);
        };
        io.close = [](void *) {};
        io.set_option = nullptr;
        io.error = nullptr;
    }
    /* One record of size bytes 'z'. The first one only makes room for the new limit. */
    void send(size_t size)
    {
        size_t room;
        server.eng.max_frag_len = 16384;
        unsigned char *to = br_ssl_engine_sendapp_buf(&server.eng, &room);
        REQUIRE(to != nullptr);
        REQUIRE(room >= size);
        std::memset(to, 'z', size);
        br_ssl_engine_sendapp_ack(&server.eng, size);
        br_ssl_engine_flush(&server.eng, 0);
    }
    Link scratch;
    IOTHUB_IO io;
    br_ssl_server_context server;
    unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
};

}

TEST_CASE("bearssl: a server that does not grant small records", "[bearssl]")
{
    struct {
        size_t buffer, record;
        bool fits;
    } cases[] = { { IOTHUB_BEARSSL_BUFFER_MONO, 16384, true },  { IOTHUB_BEARSSL_BUFFER_BIDI, 16384, true },
                  { 20000, 16384, true },                       { 4096, 4000, true },
                  { 4096, 4096, false },                        { IOTHUB_BEARSSL_BUFFER_MINIMUM, 800, true },
                  { IOTHUB_BEARSSL_BUFFER_MINIMUM, 900, false } };
    for (const auto &each : cases) {
        Stubborn peer;
        IOTHUB_BEARSSL tls;
        IOTHUB_PLATFORM platform = peer.scratch.platform;
        std::vector<unsigned char> buffer(each.buffer), memory(1000), bytes(16384);
        const std::string root = certificate_text("ec_root.pem");
        size_t received = 0;
        int got = 0;

        CAPTURE(each.buffer, each.record);
        REQUIRE(iothub_bearssl_init(&tls, &peer.io, &platform, buffer.data(), buffer.size()) == 0);
        iothub_bearssl_memory(&tls, memory.data(), memory.size());
        const IOTHUB_IO io = platform.io;
        REQUIRE(io.set_option(io.context, "TrustedCerts", root.c_str()) == 0);
        for (int i = 0; i < 1000 && got == 0; i++) {
            got = io.open(io.context, "hub.localhost", 8883);
        }
        REQUIRE(got == 1);
        peer.send(1);
        CHECK(io.read(io.context, bytes.data(), 16384) == 1);
        peer.send(each.record);
        while ((got = io.read(io.context, bytes.data(), 16384)) > 0) {
            received += static_cast<size_t>(got);
        }
        CHECK(received == (each.fits ? each.record : 0));
        CHECK(got == (each.fits ? 0 : -1));
        if (!each.fits) {
            long raw = 0;
            CHECK(io.error(io.context, &raw) == IOTHUB_LAYER_TLS);
            CHECK(raw == BR_ERR_TOO_LARGE);
        }
        CHECK(io.set_option(io.context, "no_such_option", nullptr) > 0);     /* a lower stream without options */
    }
}

TEST_CASE("bearssl: a buffer below the minimum is refused and nothing changes", "[bearssl]")
{
    IOTHUB_BEARSSL tls;
    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;
    unsigned char buffer[IOTHUB_BEARSSL_BUFFER_MINIMUM];
    iothub_posix_platform(&posix, &platform);
    CHECK(iothub_bearssl_init(&tls, iothub_posix_tcp(&posix), &platform, buffer, sizeof buffer - 1) < 0);
    CHECK(iothub_bearssl_init(&tls, iothub_posix_tcp(&posix), &platform, nullptr, sizeof buffer) < 0);
    CHECK(platform.io.open == nullptr);
    CHECK(platform.hmac_sha256 == nullptr);
}

TEST_CASE("bearssl: a megabyte each way, with a peer that stops reading while nobody reads", "[bearssl]")
{
    const size_t sizes[] = { IOTHUB_BEARSSL_BUFFER_MINIMUM, IOTHUB_BEARSSL_BUFFER_MONO, IOTHUB_BEARSSL_BUFFER_BIDI };
    for (size_t size : sizes) {
        Server server("ec");
        Link link(size);
        CAPTURE(size);
        REQUIRE(link.trust("ec_root.pem") == 0);
        REQUIRE(link.open(server.port) == 1);
        echo(link, 1 << 20, 1000);
    }
}

TEST_CASE("bearssl: reading goes on while writing is stuck, and the other way round", "[bearssl]")
{
    const size_t sizes[] = { IOTHUB_BEARSSL_BUFFER_MINIMUM, IOTHUB_BEARSSL_BUFFER_BIDI };
    for (size_t size : sizes) {
        Server server("ec");
        Link link(size);
        const IOTHUB_IO io = link.platform.io;
        std::vector<unsigned char> bytes(30000, 'x');
        std::string in;

        CAPTURE(size);
        REQUIRE(link.trust("ec_root.pem") == 0);
        REQUIRE(link.open(server.port) == 1);
        const std::string line = random_line(3000, 7) + "\n";
        for (size_t sent = 0; sent < line.size();) {
            const int put = io.write(io.context, reinterpret_cast<const unsigned char *>(line.data()) + sent,
                                     static_cast<unsigned int>(line.size() - sent));
            REQUIRE(put >= 0);
            sent += static_cast<size_t>(put);
        }
        REQUIRE(link.push() == 1);

        link.faults.block_write = true;                  /* the way out is shut, with a record in it */
        while (io.write(io.context, bytes.data(), static_cast<unsigned int>(bytes.size())) > 0) {
        }
        CHECK(io.write(io.context, bytes.data(), 0) == 0);
        for (int i = 0; i < 2000 && in.size() < line.size(); i++) {
            const int got = io.read(io.context, bytes.data(), 3000);
            REQUIRE(got >= 0);
            in.append(reinterpret_cast<const char *>(bytes.data()), static_cast<size_t>(got));
            iothub_posix_wait(&link.posix, 1);
        }
        CHECK(in == reversed(line.substr(0, line.size() - 1)) + "\n");

        link.faults.block_write = false;                 /* the way in is shut, with half a record in it */
        REQUIRE(io.write(io.context, reinterpret_cast<const unsigned char *>("\nabc\n"), 5) >= 0);
        REQUIRE(link.push() == 1);
        link.faults.read_most = 3;
        REQUIRE(iothub_posix_wait(&link.posix, 5000) == 1);
        link.faults.zero_every = 2;
        (void)io.read(io.context, bytes.data(), 1);
        link.faults.block_read = true;
        for (int i = 0; i < 20; i++) {
            CHECK(io.write(io.context, reinterpret_cast<const unsigned char *>("more\n"), 5) == 5);
            CHECK(link.push() == 1);
        }
    }
}

TEST_CASE("bearssl: writes are held for one record until they are pushed", "[bearssl]")
{
    Server server("ec");
    Link link;
    const IOTHUB_IO io = link.platform.io;

    REQUIRE(link.trust("ec_root.pem") == 0);
    REQUIRE(link.open(server.port) == 1);
    const long before = link.faults.write_total;
    for (int i = 0; i < 10; i++) {
        CHECK(io.write(io.context, reinterpret_cast<const unsigned char *>("0123456789"), 10) == 10);
    }
    CHECK(link.faults.write_total == before);
    CHECK(link.push() == 1);
    CHECK(link.faults.write_total - before == 100 + 29); /* one record: 5 head, 8 nonce, 16 tag */
    CHECK(link.push() == 1);
    CHECK(link.faults.write_total - before == 100 + 29); /* a second push has nothing to say */
    link.faults.block_write = true;
    CHECK(io.write(io.context, reinterpret_cast<const unsigned char *>("0123456789"), 10) == 10);
    CHECK(io.write(io.context, reinterpret_cast<const unsigned char *>(""), 0) == 0);
    link.faults.block_write = false;
    CHECK(link.push() == 1);
}

TEST_CASE("bearssl: a lower filter that holds bytes is pushed, too", "[bearssl]")
{
    Server server("rsa");
    Link link;
    link.faults.hold_writes = true;
    REQUIRE(link.trust("rsa_root.pem") == 0);
    REQUIRE(link.open(server.port) == 1);
    CHECK(link.line("held") == "dleh");
    CHECK(link.faults.held.empty());
}

/* ---- A lower stream that misbehaves ---- */

TEST_CASE("bearssl: one byte at a time, short writes, empty answers", "[bearssl]")
{
    struct {
        unsigned int read_most, write_most;
        int zero_every;
    } cases[] = { { 1, 32767, 0 }, { 32767, 1, 0 }, { 1, 1, 3 }, { 7, 13, 5 } };
    for (const auto &each : cases) {
        Server server("ec");
        Link link(IOTHUB_BEARSSL_BUFFER_MINIMUM);
        CAPTURE(each.read_most, each.write_most, each.zero_every);
        link.faults.read_most = each.read_most;
        link.faults.write_most = each.write_most;
        link.faults.zero_every = each.zero_every;
        REQUIRE(link.trust("ec_root.pem") == 0);
        REQUIRE(link.open(server.port) == 1);
        const std::string text = random_line(700, 3);
        CHECK(link.line(text) == reversed(text));
    }
}

TEST_CASE("bearssl: read answers 0 only when nothing can be delivered", "[bearssl]")
{
    Server server("ec");
    Link link;
    const IOTHUB_IO io = link.platform.io;
    unsigned char bytes[64];
    std::string in;
    const std::string text = random_line(900, 5);

    REQUIRE(link.trust("ec_root.pem") == 0);
    REQUIRE(link.open(server.port) == 1);
    link.faults.read_most = 1;                           /* the record comes byte by byte, yet in one call of read */
    for (size_t sent = 0; sent < text.size();) {
        const int put = io.write(io.context, reinterpret_cast<const unsigned char *>(text.data()) + sent,
                                 static_cast<unsigned int>(text.size() - sent));
        REQUIRE(put >= 0);
        sent += static_cast<size_t>(put);
    }
    CHECK(io.write(io.context, reinterpret_cast<const unsigned char *>("\n"), 1) == 1);
    REQUIRE(link.push() == 1);
    REQUIRE(iothub_posix_wait(&link.posix, 5000) == 1);
    pause_milliseconds(100);                             /* all of it is here now */
    while (in.size() < text.size() + 1) {
        const int got = io.read(io.context, bytes, sizeof bytes);
        REQUIRE(got > 0);
        in.append(reinterpret_cast<const char *>(bytes), static_cast<size_t>(got));
    }
    CHECK(in == reversed(text) + "\n");
    CHECK(io.read(io.context, bytes, sizeof bytes) == 0);
}

TEST_CASE("bearssl: the lower stream dies at any byte", "[bearssl]")
{
    Server server("ec");
    long handshake = 0;
    {
        Link link;
        REQUIRE(link.trust("ec_root.pem") == 0);
        REQUIRE(link.open(server.port) == 1);
        handshake = link.faults.read_total + link.faults.write_total;
    }
    REQUIRE(handshake > 1000);
    for (long at = 0; at < handshake; at += at < 40 || at > handshake - 20 ? 3 : 31) {
        Link link;
        long raw = 0;
        CAPTURE(at, handshake);
        link.faults.die_after = at;
        REQUIRE(link.trust("ec_root.pem") == 0);
        const int answer = link.open(server.port);
        /* ECDSA signatures vary by a few bytes: near its end the handshake may just be complete */
        if (answer == 1) {
            CHECK(at > handshake - 12);
            continue;
        }
        REQUIRE(answer == -1);
        CHECK(link.error(&raw) == IOTHUB_LAYER_TCP);
        link.platform.io.close(link.platform.io.context);
        if (at % 10 == 0) {
            link.faults.die_after = -1;                  /* the same filter comes back */
            CHECK(link.open(server.port) == 1);
        }
    }
}

TEST_CASE("bearssl: the lower stream dies later; what came before is still delivered", "[bearssl]")
{
    Server server("ec");
    Link link;
    const IOTHUB_IO io = link.platform.io;
    unsigned char bytes[8];

    REQUIRE(link.trust("ec_root.pem") == 0);
    REQUIRE(link.open(server.port) == 1);
    REQUIRE(io.write(io.context, reinterpret_cast<const unsigned char *>("0123456789\n"), 11) == 11);
    REQUIRE(link.push() == 1);
    REQUIRE(iothub_posix_wait(&link.posix, 5000) == 1);
    CHECK(io.read(io.context, bytes, 4) == 4);
    link.faults.die_after = 0;
    CHECK(io.write(io.context, bytes, 4) >= 0);          /* not dead yet for the reader */
    CHECK(io.read(io.context, bytes, 8) == 7);
    CHECK(io.read(io.context, bytes, 8) == -1);
    CHECK(io.write(io.context, bytes, 4) == -1);
    CHECK(link.error() == IOTHUB_LAYER_TCP);
}

TEST_CASE("bearssl: a lower stream that answers more than asked is dead", "[bearssl]")
{
    Server server("ec");
    for (int when = 0; when < 4; when++) {
        Link link;
        long raw = 0;
        unsigned char byte = 'a';
        CAPTURE(when);
        REQUIRE(link.trust("ec_root.pem") == 0);
        bool &lie = when % 2 == 0 ? link.faults.lie_read : link.faults.lie_write;
        if (when < 2) {
            lie = true;
            CHECK(link.open(server.port) == -1);
        } else {
            REQUIRE(link.open(server.port) == 1);
            REQUIRE(link.platform.io.write(link.platform.io.context, reinterpret_cast<const unsigned char *>("ab\n"), 3) == 3);
            if (when == 3) {
                lie = true;
                CHECK(link.push() == -1);
            } else {
                REQUIRE(link.push() == 1);
                lie = true;
                REQUIRE(iothub_posix_wait(&link.posix, 5000) == 1);
                CHECK(link.platform.io.read(link.platform.io.context, &byte, 1) == -1);
            }
        }
        CHECK(link.error(&raw) == IOTHUB_LAYER_PORT);
        CHECK(raw == IOTHUB_BEARSSL_ERROR_CONTRACT);
        CHECK(link.platform.io.read(link.platform.io.context, &byte, 1) == -1);
    }
}

TEST_CASE("bearssl: a port where nobody listens is TCP, a peer that speaks no TLS is TLS", "[bearssl]")
{
    unsigned int port;
    Link link;
    long raw = 0;
    {
        Server server("ec");
        port = server.port;
    }
    REQUIRE(link.trust("ec_root.pem") == 0);
    CHECK(link.open(port) == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_TCP);
    CHECK(raw == ECONNREFUSED);
    link.platform.io.close(link.platform.io.context);
    CHECK(link.open(8883, "no-such-host.invalid") == -1);
    CHECK(link.error(&raw) == IOTHUB_LAYER_DNS);
}

TEST_CASE("bearssl: one call of open stops when its time is over", "[bearssl]")
{
    ClockGuard guard;
    Server server("rsa");
    Link link;

    REQUIRE(link.trust("rsa_root.pem") == 0);
    Link::tick_step = IOTHUB_BEARSSL_BUFFER_MONO;        /* every look at the clock finds the time over */
    REQUIRE(link.open(server.port) == 1);
    CHECK(link.opens > 1000);                            /* a byte a call: no call held two public-key operations */
    Link::tick_step = 0;
    CHECK(link.line("slow") == "wols");
    link.platform.io.close(link.platform.io.context);
    REQUIRE(link.trust("rsa_root.pem") == 0);            /* a full handshake again */
    REQUIRE(link.open(server.port) == 1);
    CHECK(link.opens < 100);
}

TEST_CASE("bearssl: close says goodbye, in every state", "[bearssl]")
{
    Server server("ec");
    Link link;
    const IOTHUB_IO io = link.platform.io;

    REQUIRE(link.trust("ec_root.pem") == 0);
    io.close(io.context);
    CHECK(io.open(io.context, "hub.localhost", server.port) >= 0);
    io.close(io.context);
    io.close(io.context);
    REQUIRE(link.open(server.port) == 1);
    const long before = link.faults.write_total;
    io.close(io.context);
    CHECK(link.faults.write_total - before == 2 + 29);   /* close_notify */
    io.close(io.context);
    CHECK(link.faults.write_total - before == 2 + 29);
    CHECK(link.posix.socket == -1);
    REQUIRE(link.open(server.port) == 1);
    link.faults.block_write = true;
    io.close(io.context);                                /* nobody takes the goodbye: nobody waits */
    CHECK(link.posix.socket == -1);
}

TEST_CASE("bearssl: HMAC-SHA256 of RFC 4231", "[bearssl]")
{
    Link link;
    unsigned char digest[32];
    const unsigned char jefe[] = { 'J', 'e', 'f', 'e' };
    const char *text = "what do ya want for nothing?";
    const unsigned char expected[32] = {
        0x5B, 0xDC, 0xC1, 0x46, 0xBF, 0x60, 0x75, 0x4E, 0x6A, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xC7,
        0x5A, 0x00, 0x3F, 0x08, 0x9D, 0x27, 0x39, 0x83, 0x9D, 0xEC, 0x58, 0xB9, 0x64, 0xEC, 0x38, 0x43
    };
    const std::vector<unsigned char> long_key(131, 0xAA);            /* longer than a block: test case 6 */
    const char *long_text = "Test Using Larger Than Block-Size Key - Hash Key First";
    const unsigned char long_expected[32] = {
        0x60, 0xE4, 0x31, 0x59, 0x1E, 0xE0, 0xB6, 0x7F, 0x0D, 0x8A, 0x26, 0xAA, 0xCB, 0xF5, 0xB7, 0x7F,
        0x8E, 0x0B, 0xC6, 0x21, 0x37, 0x28, 0xC5, 0x14, 0x05, 0x46, 0x04, 0x0F, 0x0E, 0xE3, 0x7F, 0x54
    };
    const auto hmac = link.platform.hmac_sha256;

    CHECK(hmac(link.platform.context, jefe, 4, reinterpret_cast<const unsigned char *>(text),
               static_cast<unsigned int>(std::strlen(text)), digest) == 0);
    CHECK(std::memcmp(digest, expected, 32) == 0);
    CHECK(hmac(link.platform.context, long_key.data(), 131, reinterpret_cast<const unsigned char *>(long_text),
               static_cast<unsigned int>(std::strlen(long_text)), digest) == 0);
    CHECK(std::memcmp(digest, long_expected, 32) == 0);
    CHECK(hmac(link.platform.context, nullptr, 0, jefe, 4, digest) < 0);
}
