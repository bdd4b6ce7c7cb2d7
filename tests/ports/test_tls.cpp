/* The filters over mbedTLS and OpenSSL: the same tests for both, against openssl s_server processes. What is odd with one of
   them stands in its traits. */

#include "conformance_tls.h"
#include "support.h"

#define IOTHUB_MBEDTLS_ENTROPY
#include "../../ports/mbedtls/iothub_mbedtls.h"
#include "../../ports/openssl/iothub_openssl.h"

#include <cstring>
#include <memory>
#include <stdexcept>

namespace {

long clock_shift;
bool clock_unknown, entropy_missing;
uint32_t (*real_unix_time)(void *);
int (*real_random)(void *, unsigned char *, unsigned int);

uint32_t unix_time(void *context)
{
    return clock_unknown ? 0u : static_cast<uint32_t>(static_cast<long>(real_unix_time(context)) + clock_shift);
}

int random_bytes(void *context, unsigned char *bytes, unsigned int size)
{
    return entropy_missing ? -1 : real_random(context, bytes, size);
}

struct Mbedtls {
    static const char *name() { return "mbedtls"; }
    static const char *accept_unknown_date() { return "mbedtls_accept_unknown_date_INSECURE"; }
    static const bool takes_entropy = true, has_tls13 = false;
    enum : long { NO_ROOTS = IOTHUB_MBEDTLS_ERROR_NO_ROOTS, CONTRACT = IOTHUB_MBEDTLS_ERROR_CONTRACT, KEY = IOTHUB_MBEDTLS_ERROR_KEY,
                  CHANGED = IOTHUB_MBEDTLS_ERROR_CHANGED, HOST = IOTHUB_MBEDTLS_ERROR_HOST, UNTRUSTED = MBEDTLS_X509_BADCERT_NOT_TRUSTED,
                  EXPIRED = MBEDTLS_X509_BADCERT_EXPIRED, EARLY = MBEDTLS_X509_BADCERT_FUTURE, NAME = MBEDTLS_X509_BADCERT_CN_MISMATCH };
    Mbedtls(const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform) { iothub_mbedtls_init(&tls, lower, platform); }
    ~Mbedtls() { iothub_mbedtls_free(&tls); }
    size_t save(unsigned char *bytes, size_t size) const { return iothub_mbedtls_save_session(&tls, bytes, size); }
    int load(const unsigned char *bytes, size_t size) { return iothub_mbedtls_load_session(&tls, bytes, size); }
    IOTHUB_MBEDTLS tls;
};

struct Openssl {
    static const char *name() { return "openssl"; }
    static const char *accept_unknown_date() { return "openssl_accept_unknown_date_INSECURE"; }
    static const bool takes_entropy = false, has_tls13 = true;
    enum : long { NO_ROOTS = IOTHUB_OPENSSL_ERROR_NO_ROOTS, CONTRACT = IOTHUB_OPENSSL_ERROR_CONTRACT, KEY = IOTHUB_OPENSSL_ERROR_KEY,
                  CHANGED = IOTHUB_OPENSSL_ERROR_CHANGED, HOST = IOTHUB_OPENSSL_ERROR_HOST,
                  UNTRUSTED = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                  EXPIRED = X509_V_ERR_CERT_HAS_EXPIRED, EARLY = X509_V_ERR_CERT_NOT_YET_VALID, NAME = X509_V_ERR_HOSTNAME_MISMATCH };
    Openssl(const IOTHUB_IO *lower, IOTHUB_PLATFORM *platform)
    {
        if (iothub_openssl_init(&tls, lower, platform) != 0) {
            throw std::runtime_error("iothub_openssl_init");
        }
    }
    ~Openssl() { iothub_openssl_free(&tls); }
    size_t save(unsigned char *bytes, size_t size) const { return iothub_openssl_save_session(&tls, bytes, size); }
    int load(const unsigned char *bytes, size_t size) { return iothub_openssl_load_session(&tls, bytes, size); }
    IOTHUB_OPENSSL tls;
};

struct Clock {                                   /* every test begins with a right clock */
    Clock() { reset(); }
    ~Clock() { reset(); }
    static void reset()
    {
        clock_shift = 0;
        clock_unknown = entropy_missing = false;
    }
};

/* TLS over faults over the witness over POSIX. */
template <class Port> struct Line {
    Line() : posix(), platform(), witness(), faults()
    {
        iothub_posix_platform(&posix, &platform);
        real_unix_time = platform.unix_time;
        real_random = platform.random;
        platform.unix_time = unix_time;
        platform.random = random_bytes;
        faults.inner = *iothub_posix_tcp(&posix);
        stream = faults.io();
        port.reset(new Port(conformance_witness_begin(&witness, &stream), &platform));
        io = platform.io;
    }
    ~Line()
    {
        io.close(io.context);
        if (witness.broken != nullptr) {
            FAIL_CHECK(witness.broken);
        }
    }
    int option(const char *name, const void *value) { return io.set_option(io.context, name, value); }
    int trust(const std::string &file) { return option("TrustedCerts", certificate_text(file).c_str()); }
    int error(long *raw)
    {
        *raw = 0;
        return io.error(io.context, raw);
    }
    int open(unsigned int number, const std::string &host = "hub.localhost")
    {
        for (int i = 0; i < 5000; i++) {
            const int answer = io.open(io.context, host.c_str(), number);
            if (answer != 0) {
                return answer;
            }
            iothub_posix_wait(&posix, 1);
        }
        return -2;
    }
    void close() { io.close(io.context); }
    bool send(const std::string &text)
    {
        size_t sent = 0;
        for (int i = 0; i < 5000; i++) {
            const int answer = io.write(io.context, reinterpret_cast<const unsigned char *>(text.data()) + sent, static_cast<unsigned int>(text.size() - sent));
            if (answer < 0) {
                return false;
            }
            if (sent == text.size() && answer > 0) {
                return true;                     /* size 0: pushed */
            }
            sent += static_cast<size_t>(answer);
            if (answer == 0) {
                iothub_posix_wait(&posix, 1);
            }
        }
        return false;
    }
    std::string receive(size_t most)             /* so many bytes, or all until the end */
    {
        std::string in;
        unsigned char bytes[512];
        for (int i = 0; i < 5000 && in.size() < most; i++) {
            const size_t want = most - in.size();
            const int got = io.read(io.context, bytes, static_cast<unsigned int>(want < sizeof bytes ? want : sizeof bytes));
            if (got < 0) {
                return in;
            }
            in.append(reinterpret_cast<const char *>(bytes), static_cast<size_t>(got));
            if (got == 0) {
                iothub_posix_wait(&posix, 1);
            }
        }
        return in;
    }
    bool echo()
    {
        return send("abc\n") && receive(4) == "cba\n";
    }
    /* A whole connection to a server with -www; what its page says of the session. */
    bool reused(unsigned int number, const std::string &host = "one.hub.localhost")
    {
        long raw = 0;
        const int answer = open(number, host);
        const int layer = error(&raw);
        CAPTURE(layer, raw);
        REQUIRE(answer == 1);
        REQUIRE(send("GET / HTTP/1.0\r\n\r\n"));
        const std::string page = receive(1000000);
        close();
        INFO(page);
        CHECK((page.find("Reused, TLS") != std::string::npos || page.find("New, TLS") != std::string::npos));
        return page.find("Reused, TLS") != std::string::npos;
    }
    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;
    struct conformance_witness witness;
    Faults faults;
    IOTHUB_IO stream, io;
    std::unique_ptr<Port> port;
private:
    Line(const Line &);
    void operator=(const Line &);
};

template <class Port> void check_refused(const std::string &chain, const std::string &root, int layer, long code,
                                         const std::string &options = "-tls1_2", const std::string &host = "hub.localhost")
{
    Server server(chain, options);
    Line<Port> line;
    unsigned char byte = 0;
    long raw = 0;
    CAPTURE(Port::name(), chain, root, options, host);
    REQUIRE(line.trust(root) == 0);
    CHECK(line.open(server.port, host) == -1);
    CHECK(line.error(&raw) == layer);
    CAPTURE(raw);
    CHECK((code == 0 ? raw != 0 : raw == code));
    CHECK(line.io.read(line.io.context, &byte, 1) == -1);
    CHECK(line.io.write(line.io.context, &byte, 1) == -1);
    line.close();
    CHECK(line.error(&raw) == layer);
    std::vector<unsigned char> session(8000);
    CHECK(line.port->save(session.data(), session.size()) == 0);
}

const bool yes = true, no = false;

}

TEMPLATE_TEST_CASE("tls: conformance, over sockets and over a narrow stream", "[tls][conformance]", Mbedtls, Openssl)
{
    Clock clock;
    for (unsigned int narrow : { 0u, 1u }) {
        TlsPeer peer(certificate_path("ec_server.pem"), certificate_path("ec_server.key"), certificate_path("ec_chain.pem"));
        struct conformance test = {};
        const std::string name = std::string(TestType::name()) + (narrow ? " over a narrow stream" : "");
        Line<TestType> line;
        line.witness.read_most = narrow * 7;
        line.witness.write_most = narrow * 5;
        line.witness.zero_every = narrow * 3;
        REQUIRE(line.trust("ec_root.pem") == 0);
        test.name = name.c_str();
        test.io = &line.io;
        test.host = "hub.localhost";
        test.peer = &peer.peer;
        test.fetches = static_cast<int>(narrow);
        test.volume = narrow ? 8000 : 0;
        test.tell = conformance_tell;
        CHECK(conformance_run(&test) == 0);
    }
}

TEMPLATE_TEST_CASE("tls: the eight suites, and the groups", "[tls]", Mbedtls, Openssl)
{
    for (const char *kind : { "rsa", "ec" }) {
        for (const char *suite : { "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA256", "AES256-SHA384" }) {
            const std::string name = std::string(kind[0] == 'e' ? "ECDHE-ECDSA-" : "ECDHE-RSA-") + suite;
            Server server(kind, "-tls1_2 -cipher " + name);
            Line<TestType> line;
            CAPTURE(name);
            REQUIRE(line.trust(std::string(kind) + "_root.pem") == 0);
            REQUIRE(line.open(server.port) == 1);
            CHECK(line.echo());
            CHECK(server.logs("Ciphersuite: " + name));
        }
    }
    for (const char *group : { "P-256", "P-384", "X25519" }) {
        Server server("ec", std::string("-tls1_2 -groups ") + group);
        Line<TestType> line;
        CAPTURE(group);
        REQUIRE(line.trust("ec_root.pem") == 0);
        REQUIRE(line.open(server.port) == 1);
        CHECK(line.echo());
    }
}

TEMPLATE_TEST_CASE("tls: versions", "[tls]", Mbedtls, Openssl)
{
    check_refused<TestType>("rsa", "rsa_root.pem", IOTHUB_LAYER_TLS, 0, "-tls1_1 -cipher DEFAULT@SECLEVEL=0");
    check_refused<TestType>("rsa", "rsa_root.pem", IOTHUB_LAYER_TLS, 0, "-tls1_2 -cipher AES128-GCM-SHA256");    /* RSA key exchange */
    if (TestType::has_tls13) {
        Server server("ec", "-tls1_3");
        Line<TestType> line;
        REQUIRE(line.trust("ec_root.pem") == 0);
        REQUIRE(line.open(server.port) == 1);
        CHECK(line.echo());
    } else {
        check_refused<TestType>("ec", "ec_root.pem", IOTHUB_LAYER_TLS, 0, "-tls1_3");
    }
}

TEMPLATE_TEST_CASE("tls: the chain", "[tls]", Mbedtls, Openssl)
{
    for (const char *chain : { "rsa", "rsa384", "ec" }) {
        Server server(chain);
        Line<TestType> line;
        CAPTURE(chain);
        REQUIRE(line.trust("several.pem") == 0);
        CHECK(line.open(server.port) == 1);
    }
    const int layer = IOTHUB_LAYER_TLS_TRUST;
    check_refused<TestType>("ec", "other.pem", layer, TestType::UNTRUSTED);
    check_refused<TestType>("ec", "rsa_root.pem", layer, TestType::UNTRUSTED);
    check_refused<TestType>("no_ca", "ec_root.pem", layer, 0);
    check_refused<TestType>("weak", "rsa_root.pem", layer, 0, "-tls1_2 -cipher DEFAULT@SECLEVEL=0");
    check_refused<TestType>("sha1", "rsa_root.pem", layer, 0, "-tls1_2 -cipher DEFAULT@SECLEVEL=0");
    Line<TestType> line;
    long raw = 0;
    CHECK(line.open(1) == -1);                           /* nothing is trusted: no connection is begun */
    CHECK(line.error(&raw) == layer);
    CHECK(raw == TestType::NO_ROOTS);
}

TEMPLATE_TEST_CASE("tls: the host name", "[tls]", Mbedtls, Openssl)
{
    const int layer = IOTHUB_LAYER_TLS_NAME;
    check_refused<TestType>("wrong", "ec_root.pem", layer, TestType::NAME);
    check_refused<TestType>("ec", "ec_root.pem", layer, TestType::NAME, "-tls1_2", "hub2.localhost");
    check_refused<TestType>("ec", "ec_root.pem", layer, TestType::NAME, "-tls1_2", "127.0.0.1");
    check_refused<TestType>("deep", "ec_root.pem", layer, TestType::NAME, "-tls1_2", "a.b.hub.localhost");
    check_refused<TestType>("ec", "ec_root.pem", layer, TestType::HOST, "-tls1_2", "");
    check_refused<TestType>("ec", "ec_root.pem", layer, TestType::HOST, "-tls1_2", std::string(256, 'x'));
    Server deep("deep"), named("ec", "-tls1_2 -trace");
    Line<TestType> line;
    REQUIRE(line.trust("ec_root.pem") == 0);
    CHECK(line.open(deep.port, "Any.Hub.LocalHost") == 1);
    line.close();
    CHECK(line.open(named.port) == 1);
    REQUIRE(named.logs("ServerHello"));
    const std::string hello = named.log().substr(0, named.log().find("ServerHello"));
    CHECK(hello.find("extension_type=server_name(0)") != std::string::npos);
    CHECK(hello.find("68 75 62-2e 6c 6f 63 61 6c 68") != std::string::npos);     /* hub.localh, and ost below */
}

TEST_CASE("tls: a name with a dot in front is not taken for all names below", "[tls]")
{
    check_refused<Openssl>("ec", "ec_root.pem", IOTHUB_LAYER_TLS_NAME, IOTHUB_OPENSSL_ERROR_HOST, "-tls1_2", ".localhost");
}

TEMPLATE_TEST_CASE("tls: dates by the platform's clock", "[tls]", Mbedtls, Openssl)
{
    Clock clock;
    clock_shift = 11L * 365 * 86400;                     /* all certificates last ten years */
    check_refused<TestType>("ec", "ec_root.pem", IOTHUB_LAYER_TLS_TRUST, TestType::EXPIRED);
    clock_shift = -2L * 86400;
    check_refused<TestType>("rsa", "rsa_root.pem", IOTHUB_LAYER_TLS_TRUST, TestType::EARLY);
    Server server("ec");
    Line<TestType> line;
    long raw = 1;
    REQUIRE(line.trust("ec_root.pem") == 0);
    for (int round = 0; round < 2; round++) {
        clock_unknown = round == 0;
        clock_shift = round == 0 ? 0 : -40L * 365 * 86400;       /* a clock that began in the eighties */
        for (int i = 0; i < 5; i++) {
            CHECK(line.io.open(line.io.context, "hub.localhost", server.port) == 0);
            CHECK(line.error(&raw) == IOTHUB_LAYER_TIME);
            CHECK(line.posix.socket == -1);              /* no connection is kept waiting */
        }
    }
    Clock::reset();
    clock_shift = 9L * 365 * 86400;
    CHECK(line.open(server.port) == 1);                  /* goes on by itself once the date is known */
    CHECK(line.error(&raw) == IOTHUB_LAYER_NONE);
}

TEMPLATE_TEST_CASE("tls: an unknown date can be accepted, by a loud name only; all else is still checked", "[tls]", Mbedtls, Openssl)
{
    Clock clock;
    Server server("ec");
    Line<TestType> line;
    std::vector<unsigned char> session(8000);
    long raw = 0;
    clock_unknown = true;
    CHECK(line.option(TestType::accept_unknown_date(), nullptr) == -1);
    REQUIRE(line.option(TestType::accept_unknown_date(), &yes) == 0);
    REQUIRE(line.trust("ec_root.pem") == 0);
    CHECK(line.open(server.port) == 1);
    CHECK(line.echo());
    CHECK(line.port->save(session.data(), session.size()) == 0);         /* its dates were not checked */
    line.close();
    CHECK(line.open(server.port, "else.localhost") == -1);
    CHECK(line.error(&raw) == IOTHUB_LAYER_TLS_NAME);
    line.close();
    REQUIRE(line.trust("other.pem") == 0);
    CHECK(line.open(server.port) == -1);
    CHECK(line.error(&raw) == IOTHUB_LAYER_TLS_TRUST);
    line.close();
    REQUIRE(line.trust("ec_root.pem") == 0);
    clock_unknown = false;                               /* a known date is checked in spite of the option */
    clock_shift = 11L * 365 * 86400;
    CHECK(line.open(server.port) == -1);
    CHECK(line.error(&raw) == IOTHUB_LAYER_TLS_TRUST);
    CHECK(raw == TestType::EXPIRED);
    line.close();
    clock_unknown = true;
    REQUIRE(line.option(TestType::accept_unknown_date(), &no) == 0);
    CHECK(line.io.open(line.io.context, "hub.localhost", server.port) == 0);
    CHECK(line.error(&raw) == IOTHUB_LAYER_TIME);
}

TEMPLATE_TEST_CASE("tls: client certificates", "[tls]", Mbedtls, Openssl)
{
    const std::string verify = "-tls1_2 -Verify 2 -verify_return_error -CAfile " + certificate_path("client_root.pem");
    const char *pairs[][3] = { { "client_rsa_chain.pem", "client_rsa.key", "device-rsa" }, { "client_rsa.pem", "client_rsa_pkcs1.key", "device-rsa" },
                               { "client_ec_chain.pem", "client_ec.key", "device-ec" }, { "client_ec.pem", "client_ec_sec1.key", "device-ec" } };
    long raw = 0;
    for (const char *version : { "-tls1_2", "-tls1_3" }) {
        if (version[6] == '3' && !TestType::has_tls13) {
            continue;
        }
        for (auto &pair : pairs) {
            Server server("ec", version + verify.substr(7));
            Line<TestType> line;
            CAPTURE(version, pair[0], pair[1]);
            REQUIRE(line.trust("ec_root.pem") == 0);
            const bool ecc = pair[2][7] == 'e';
            REQUIRE(line.option(ecc ? "x509EccAliasKey" : "x509privatekey", certificate_text(pair[1]).c_str()) == 0);
            REQUIRE(line.option(ecc ? "x509EccCertificate" : "x509certificate", certificate_text(pair[0]).c_str()) == 0);
            REQUIRE(line.open(server.port) == 1);
            CHECK(line.echo());
            CHECK(server.logs(std::string("CN = ") + pair[2]));
        }
    }
    Server server("ec", verify);
    Line<TestType> line;
    REQUIRE(line.trust("ec_root.pem") == 0);
    CHECK(line.open(server.port) == -1);                 /* none: the server refuses */
    CHECK(line.error(&raw) == IOTHUB_LAYER_TLS);
    line.close();
    REQUIRE(line.option("x509certificate", certificate_text("client_rsa.pem").c_str()) == 0);
    CHECK(line.open(server.port) == -1);                 /* no key */
    CHECK(line.error(&raw) == IOTHUB_LAYER_CONFIG);
    CHECK(raw == TestType::KEY);
    line.close();
    for (const char *key : { "client_ec.key", "rsa_server.key" }) {
        REQUIRE(line.option("x509privatekey", certificate_text(key).c_str()) == 0);
        CHECK(line.open(server.port) == -1);             /* another key */
        CHECK(line.error(&raw) == IOTHUB_LAYER_CONFIG);
        CHECK(raw == TestType::KEY);
        line.close();
    }
    REQUIRE(line.option("x509privatekey", certificate_text("client_rsa.key").c_str()) == 0);
    CHECK(line.open(server.port) == 1);
    CHECK(line.echo());
}

TEMPLATE_TEST_CASE("tls: a text that is refused changes nothing", "[tls]", Mbedtls, Openssl)
{
    Server server("ec");
    Line<TestType> line;
    const std::string root = certificate_text("ec_root.pem");
    std::string broken = root;
    broken[broken.size() / 2] = '!';
    REQUIRE(line.trust("ec_root.pem") == 0);
    const std::string texts[] = { "", "no certificate", root.substr(0, root.size() / 2), broken, root + broken };
    for (const std::string &text : texts) {
        CAPTURE(text);
        CHECK(line.option("TrustedCerts", text.c_str()) < 0);
        CHECK(line.option("x509certificate", text.c_str()) < 0);
        CHECK(line.option("x509privatekey", text.c_str()) < 0);
    }
    CHECK(line.option("TrustedCerts", nullptr) < 0);
    CHECK(line.option("x509certificate", nullptr) < 0);
    CHECK(line.option("x509privatekey", nullptr) < 0);
    CHECK(line.option("x509privatekey", root.c_str()) < 0);
    CHECK(line.open(server.port) == 1);
    CHECK(line.echo());
    int on = 1;
    CHECK(line.option("tcp_keepalive", &on) == 0);       /* known below */
    CHECK(line.option("bearssl_rsa_suites_only", &on) > 0);
}

TEMPLATE_TEST_CASE("tls: an encrypted key is refused, and nobody is asked for its password", "[tls]", Mbedtls, Openssl)
{
    Line<TestType> line;
    const std::string path = certificate_path("encrypted.key");
    REQUIRE(std::system(("openssl pkey -in " + certificate_path("client_rsa.key") + " -aes128 -passout pass:secret -out " + path).c_str()) == 0);
    CHECK(line.option("x509privatekey", certificate_text("encrypted.key").c_str()) < 0);
}

TEMPLATE_TEST_CASE("tls: a session is resumed, also from its bytes, for its host and its day only", "[tls]", Mbedtls, Openssl)
{
    Clock clock;
    for (const std::string version : { "-tls1_2 -no_ticket", "-tls1_2", "-tls1_3" }) {
        if (version == "-tls1_3" && !TestType::has_tls13) {
            continue;
        }
        CAPTURE(version);
        Server server("deep", version + " -www");
        std::vector<unsigned char> bytes(8000);
        size_t size;
        {
            Line<TestType> line;
            REQUIRE(line.trust("ec_root.pem") == 0);
            CHECK(line.port->save(bytes.data(), bytes.size()) == 0);
            CHECK_FALSE(line.reused(server.port));
            CHECK(line.reused(server.port));
            CHECK(line.reused(server.port));
            CHECK_FALSE(line.reused(server.port, "other.hub.localhost"));
            CHECK_FALSE(line.reused(server.port));       /* one session is kept: the last one */
            size = line.port->save(bytes.data(), bytes.size());
            REQUIRE(size > 40);
            CHECK(line.port->save(bytes.data(), size - 1) == 0);
            CHECK(line.port->save(bytes.data(), 10) == 0);
            CHECK(line.port->save(bytes.data(), size) == size);
        }
        {
            Line<TestType> line;
            REQUIRE(line.trust("ec_root.pem") == 0);
            REQUIRE(line.port->load(bytes.data(), size) == 0);
            CHECK(line.reused(server.port));
        }
        {
            Line<TestType> line;
            REQUIRE(line.trust("ec_root.pem") == 0);
            REQUIRE(line.port->load(bytes.data(), size) == 0);
            clock_shift = 86400 + 60;                    /* its certificates were looked at too long ago */
            CHECK_FALSE(line.reused(server.port));
            clock_shift = 0;
            REQUIRE(line.port->load(bytes.data(), size) == 0);
            REQUIRE(line.trust("several.pem") == 0);     /* a change of trust forgets it */
            CHECK_FALSE(line.reused(server.port));
        }
        {
            Line<TestType> line;
            std::vector<unsigned char> bad(bytes.begin(), bytes.begin() + static_cast<long>(size));
            CHECK(line.port->load(bad.data(), 0) == -1);
            CHECK(line.port->load(bad.data(), 40) == -1);
            CHECK(line.port->load(bad.data(), size / 2) == -1);
            bad[0] ^= 1;
            CHECK(line.port->load(bad.data(), size) == -1);
            bad[0] ^= 1;
            bad[4] = 0;                                  /* 1970 */
            CHECK(line.port->load(bad.data(), size) == -1);
        }
    }
}

TEMPLATE_TEST_CASE("tls: a link that was cut keeps its session, one that failed in TLS does not", "[tls]", Mbedtls, Openssl)
{
    Server server("deep", "-tls1_2 -www"), alien("rsa", "-tls1_2 -www");
    Line<TestType> line;
    unsigned char byte = 0;
    REQUIRE(line.trust("ec_root.pem") == 0);
    CHECK_FALSE(line.reused(server.port));
    REQUIRE(line.open(server.port, "one.hub.localhost") == 1);
    line.faults.die_after = 0;
    CHECK(line.io.read(line.io.context, &byte, 1) == -1);
    line.close();
    line.faults.die_after = -1;
    CHECK(line.reused(server.port));
    CHECK(line.open(alien.port) == -1);                  /* the same name, another root */
    line.close();
    CHECK_FALSE(line.reused(server.port));
}

TEMPLATE_TEST_CASE("tls: the stream below dies after any byte", "[tls]", Mbedtls, Openssl)
{
    Server server("ec");
    Line<TestType> line;
    int opened = 0;
    REQUIRE(line.trust("ec_root.pem") == 0);
    for (long bytes = 0; bytes < 6000 && opened < 3; bytes += bytes < 700 ? 23 : 101) {
        long raw = 0;
        CAPTURE(bytes);
        line.faults.read_total = line.faults.write_total = 0;
        line.faults.die_after = bytes;
        const int answer = line.open(server.port);
        REQUIRE((answer == 1 || answer == -1));
        if (answer == 1) {
            opened++;
            line.faults.die_after = line.faults.read_total + line.faults.write_total + opened * 20;
            CHECK_FALSE(line.echo());
        }
        CHECK(line.error(&raw) != IOTHUB_LAYER_NONE);
        line.close();
    }
    CHECK(opened == 3);
    line.faults.die_after = -1;
    CHECK(line.open(server.port) == 1);
    CHECK(line.echo());
}

TEMPLATE_TEST_CASE("tls: the reason is told although the alert about it could not be sent", "[tls]", Mbedtls, Openssl)
{
    Server server("rsa", "-tls1_2");             /* RSA: every flight has the same length */
    Line<TestType> line;
    long raw = 0;
    REQUIRE(line.trust("ec_root.pem") == 0);
    REQUIRE(line.open(server.port) == -1);
    line.close();
    line.faults.die_after = line.faults.read_total + line.faults.write_total - 7;        /* the alert */
    line.faults.read_total = line.faults.write_total = 0;
    CHECK(line.open(server.port) == -1);
    CHECK(line.faults.read_total + line.faults.write_total == line.faults.die_after);
    CHECK(line.error(&raw) == IOTHUB_LAYER_TLS_TRUST);
    CHECK(raw == TestType::UNTRUSTED);
}

TEMPLATE_TEST_CASE("tls: a stream below that answers more than was asked is dead", "[tls]", Mbedtls, Openssl)
{
    Server server("ec");
    for (int when = 0; when < 4; when++) {
        Line<TestType> line;
        unsigned char byte = 0;
        long raw = 0;
        CAPTURE(when);
        REQUIRE(line.trust("ec_root.pem") == 0);
        line.faults.lie_read = when == 0;
        line.faults.lie_write = when == 1;
        if (when < 2) {
            CHECK(line.open(server.port) == -1);
        } else {
            REQUIRE(line.open(server.port) == 1);
            REQUIRE(line.send("abc\n"));
            iothub_posix_wait(&line.posix, 2000);
            line.faults.lie_read = when == 2;
            line.faults.lie_write = when == 3;
            int answer = 0;
            for (int i = 0; i < 100 && answer >= 0; i++) {
                answer = when == 2 ? line.io.read(line.io.context, &byte, 1) : line.send("more\n") ? 0 : -1;
            }
            CHECK(answer == -1);
        }
        CHECK(line.error(&raw) == IOTHUB_LAYER_PORT);
        CHECK(raw == TestType::CONTRACT);
    }
}

TEMPLATE_TEST_CASE("tls: a stream below that holds bytes until it is pushed", "[tls]", Mbedtls, Openssl)
{
    Server server("ec");
    Line<TestType> line;
    line.faults.hold_writes = true;
    REQUIRE(line.trust("ec_root.pem") == 0);
    REQUIRE(line.open(server.port) == 1);
    CHECK(line.echo());
    CHECK(line.faults.held.empty());
}

TEMPLATE_TEST_CASE("tls: small writes share a record until they are pushed", "[tls]", Mbedtls, Openssl)
{
    Server server("ec", "-tls1_2 -msg");
    Line<TestType> line;
    const unsigned char *text = reinterpret_cast<const unsigned char *>("one two three four\n");
    REQUIRE(line.trust("ec_root.pem") == 0);
    REQUIRE(line.open(server.port) == 1);
    const long before = line.faults.write_total;
    for (unsigned int at = 0; at < 19; at++) {
        REQUIRE(line.io.write(line.io.context, text + at, 1) == 1);
    }
    CHECK(line.faults.write_total == before);
    REQUIRE(line.send(""));
    CHECK(line.faults.write_total - before <= 19 + 29);  /* one record of GCM */
    CHECK(line.receive(19) == "ruof eerht owt eno\n");
}

TEMPLATE_TEST_CASE("tls: trust that changes during a handshake ends it", "[tls]", Mbedtls, Openssl)
{
    Server server("ec");
    Line<TestType> line;
    long raw = 0;
    REQUIRE(line.trust("ec_root.pem") == 0);
    line.faults.block_read = true;
    for (int i = 0; i < 20; i++) {
        REQUIRE(line.io.open(line.io.context, "hub.localhost", server.port) == 0);
        iothub_posix_wait(&line.posix, 1);
    }
    REQUIRE(line.trust("several.pem") == 0);
    CHECK(line.open(server.port) == -1);
    CHECK(line.error(&raw) == IOTHUB_LAYER_CONFIG);
    CHECK(raw == TestType::CHANGED);
    line.close();
    line.faults.block_read = false;
    REQUIRE(line.open(server.port) == 1);
    REQUIRE(line.trust("ec_root.pem") == 0);             /* an open connection goes on */
    CHECK(line.echo());
}

TEST_CASE("tls: mbedTLS waits for the platform's entropy", "[tls]")
{
    Clock clock;
    Server server("ec");
    Line<Mbedtls> line;
    unsigned char bytes[3000] = { 0 };
    long raw = 0;
    entropy_missing = true;
    REQUIRE(line.trust("ec_root.pem") == 0);
    for (int i = 0; i < 20; i++) {
        REQUIRE(line.io.open(line.io.context, "hub.localhost", server.port) == 0);
    }
    CHECK(line.error(&raw) == IOTHUB_LAYER_ENTROPY);
    CHECK(line.posix.socket == -1);
    CHECK(iothub_mbedtls_random(&line.port->tls, bytes, sizeof bytes) == -1);
    entropy_missing = false;
    CHECK(line.open(server.port) == 1);
    CHECK(iothub_mbedtls_random(&line.port->tls, bytes, sizeof bytes) == 0);
    CHECK(std::memcmp(bytes, bytes + 2968, 32) != 0);
}

TEST_CASE("tls: a platform without entropy of its own takes the library's", "[tls]")
{
    Server server("ec");
    IOTHUB_POSIX posix;
    IOTHUB_PLATFORM platform;
    unsigned char one[32], two[32];
    iothub_posix_platform(&posix, &platform);
    platform.random = nullptr;
    {
        Openssl port(iothub_posix_tcp(&posix), &platform);
        REQUIRE(platform.random != nullptr);
        CHECK(platform.random(platform.context, one, sizeof one) == 0);
        CHECK(platform.random(platform.context, two, sizeof two) == 0);
        CHECK(std::memcmp(one, two, sizeof one) != 0);
    }
    iothub_posix_platform(&posix, &platform);
    platform.random = nullptr;
    Mbedtls port(iothub_posix_tcp(&posix), &platform);
    CHECK(iothub_mbedtls_random(&port.tls, one, sizeof one) == 0);
    CHECK(iothub_mbedtls_random(&port.tls, two, sizeof two) == 0);
    CHECK(std::memcmp(one, two, sizeof one) != 0);
}

TEMPLATE_TEST_CASE("tls: HMAC-SHA256, RFC 4231 case 2", "[tls]", Mbedtls, Openssl)
{
    Line<TestType> line;
    static const unsigned char expected[32] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
                                                0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 };
    unsigned char digest[32];
    const unsigned char *data = reinterpret_cast<const unsigned char *>("what do ya want for nothing?");
    const unsigned char *key = reinterpret_cast<const unsigned char *>("Jefe");
    REQUIRE(line.platform.hmac_sha256(line.platform.context, key, 4, data, 28, digest) == 0);
    CHECK(std::memcmp(digest, expected, sizeof digest) == 0);
    CHECK(line.platform.hmac_sha256(line.platform.context, nullptr, 0, data, 28, digest) < 0);
}
