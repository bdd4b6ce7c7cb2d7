/* Connection strings, configs, identities and SAS tokens. Vectors V1, V4 and V5 are those of the wire reference, section 13;
   their signatures are computed here with BearSSL. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/identity.h"

#include <bearssl.h>
#include <memory>

namespace {

const std::string hub = "contoso-hub.azure-devices.net";
const std::string key_text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";    /* bytes 00 to 1F */
const std::string key_bytes = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const std::string token_text = "SharedAccessSignature sr=h&sig=s&se=1893456000";
const uint32_t expiry_2030 = 1893456000u;

/* An identity as a creator reads it: measured first, then read again into exactly that room, which ends at an unreadable
   page. Both readings must say the same. */
class Kept {
public:
    Kept(iothubi_reader reader, const void *source) : position(-2), size(0), code(IOTHUB_CODE_NONE)
    {
        iothubi_writer writer;
        long again = -2;
        iothubi_write_begin(&writer, nullptr, 0, 0);
        code = reader(&identity, source, &writer, &position);
        size = writer.length;
        memory.reset(new Guarded(size));
        iothubi_write_begin(&writer, memory->data(), 0, size);
        CHECK(reader(&identity, source, &writer, &again) == code);
        CHECK(again == position);
        CHECK(writer.length == size);
    }
    std::string text(int key) const { return identity.text[key] != nullptr ? identity.text[key] : ""; }
    std::string host() const { return text(IOTHUBI_HOST_NAME); }
    std::string gateway() const { return text(IOTHUBI_GATEWAY_HOST_NAME); }
    std::string device() const { return text(IOTHUBI_DEVICE_ID); }
    std::string module() const { return text(IOTHUBI_MODULE_ID); }
    std::string token() const { return text(IOTHUBI_SHARED_ACCESS_SIGNATURE); }
    std::string key() const { return identity.key != nullptr ? hex(Bytes(identity.key, identity.key + identity.key_size)) : ""; }
    /* The one credential that was given, or -1. */
    int credential() const
    {
        int found = -1;
        for (int key = IOTHUBI_SHARED_ACCESS_SIGNATURE; key <= IOTHUBI_X509; ++key) {
            if (IOTHUBI_GIVEN(&identity, key)) {
                found = found == -1 ? key : -2;
            }
        }
        return found;
    }
    long position;
    size_t size;
    std::unique_ptr<Guarded> memory;
    iothubi_identity identity;
    IOTHUB_CODE code;
};

/* From a connection string, which is gone afterwards: nothing of the identity may lie in it. */
class Parsed : public Kept {
public:
    explicit Parsed(const std::string &string) : Kept(iothubi_read_string, Guarded(string + '\0').text()) {}
};

IOTHUB_CODE code_of(const std::string &string)
{
    return Parsed(string).code;
}

long position_of(const std::string &string)
{
    return Parsed(string).position;
}

std::string with_host(const std::string &host)
{
    return "HostName=" + host + ";DeviceId=d;SharedAccessKey=" + key_text;
}

std::string with_gateway(const std::string &gateway)
{
    return with_host("h:1") + ";GatewayHostName=" + gateway;
}

std::string with_device(const std::string &device)
{
    return "HostName=h;DeviceId=" + device + ";SharedAccessKey=" + key_text;
}

std::string with_module(const std::string &module)
{
    return with_device("d") + ";ModuleId=" + module;
}

std::string with_key(const std::string &key)
{
    return "HostName=h;DeviceId=d;SharedAccessKey=" + key;
}

std::string with_token(const std::string &token)
{
    return "HostName=h;DeviceId=d;SharedAccessSignature=" + token;
}

IOTHUB_CLIENT_CONFIG config_of(const char *device, const char *key, const char *token, const char *name, const char *suffix,
    const char *gateway = nullptr)
{
    IOTHUB_CLIENT_CONFIG config = { nullptr, device, key, token, name, suffix, gateway };
    return config;
}

IOTHUB_CODE config_code(const IOTHUB_CLIENT_CONFIG &config)
{
    Kept kept(iothubi_read_config, &config);
    CHECK(kept.position == -1);                      /* there is no text to point into */
    return kept.code;
}

std::string string_to_sign(const iothubi_identity &identity, uint32_t expiry)
{
    return written([&](iothubi_writer *w) { iothubi_write_string_to_sign(w, &identity, expiry); });
}

/* HMAC-SHA256 of RFC 2104, by BearSSL. */
Bytes hmac(const unsigned char *key, size_t key_size, const std::string &data)
{
    br_hmac_key_context key_context;
    br_hmac_context context;
    Bytes digest(32);
    br_hmac_key_init(&key_context, &br_sha256_vtable, key, key_size);
    br_hmac_init(&context, &key_context, 0);
    br_hmac_update(&context, data.data(), data.size());
    br_hmac_out(&context, digest.data());
    return digest;
}

/* Puts the signature where the platform's hmac_sha256 does: behind the key. */
void sign(const iothubi_identity &identity, uint32_t expiry)
{
    Bytes digest = hmac(identity.key, identity.key_size, string_to_sign(identity, expiry));
    std::copy(digest.begin(), digest.end(), identity.key + identity.key_size);
}

std::string token_of(const iothubi_identity &identity, uint32_t expiry)
{
    sign(identity, expiry);
    return written([&](iothubi_writer *w) { iothubi_write_token(w, &identity, expiry); });
}

/* "no", or what the token says of its end. */
std::string expiry_of(const std::string &token)
{
    Guarded input(token);
    uint32_t expiry = 0;
    return iothubi_token_expiry(input.text(), token.size(), &expiry) ? std::to_string(expiry) : "no";
}

}

/* ---- connection strings ---- */

TEST_CASE("connection string, a device with a key, is taken apart")
{
    Parsed parsed("HostName=contoso-hub.azure-devices.net;DeviceId=thermo-01;SharedAccessKey=" + key_text);
    CHECK(parsed.code == IOTHUB_CODE_NONE);
    CHECK(parsed.position == -1);
    CHECK(parsed.host() == hub);
    CHECK(parsed.device() == "thermo-01");
    CHECK(parsed.key() == key_bytes);                /* '=' inside a value is part of it */
    CHECK(parsed.credential() == IOTHUBI_SHARED_ACCESS_KEY);
    CHECK(parsed.identity.port == 0);
    CHECK(parsed.identity.text[IOTHUBI_MODULE_ID] == nullptr);
    CHECK(parsed.identity.text[IOTHUBI_GATEWAY_HOST_NAME] == nullptr);
    CHECK(parsed.identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE] == nullptr);
}

TEST_CASE("connection string, every order of its keys, means the same")
{
    std::vector<std::string> pairs = { "DeviceId=d", "GatewayHostName=g:7", "HostName=h:8", "ModuleId=m", "SharedAccessKey=" + key_text };
    int orders = 0;
    do {
        std::string string;
        for (const std::string &pair : pairs) {
            string += pair + ";";
        }
        Parsed parsed(string);
        CAPTURE(string);
        CHECK(parsed.code == IOTHUB_CODE_NONE);
        CHECK(parsed.host() == "h");
        CHECK(parsed.gateway() == "g");
        CHECK(parsed.identity.port == 7);            /* the gateway's: that host is dialled */
        CHECK(parsed.device() == "d");
        CHECK(parsed.module() == "m");
        CHECK(parsed.key() == key_bytes);
        ++orders;
    } while (std::next_permutation(pairs.begin(), pairs.end()));
    CHECK(orders == 120);
}

TEST_CASE("connection string, a repeated key, counts with its last value")
{
    Parsed parsed("HostName=a;HostName=b;DeviceId=1;DeviceId=2;ModuleId=3;ModuleId=4;GatewayHostName=5;GatewayHostName=6;"
        "SharedAccessKey=AAAA;SharedAccessKey=BBBB");
    CHECK(parsed.code == IOTHUB_CODE_NONE);
    CHECK(parsed.host() == "b");
    CHECK(parsed.device() == "2");
    CHECK(parsed.module() == "4");
    CHECK(parsed.gateway() == "6");
    CHECK(parsed.key() == "041041");
    CHECK(Parsed("HostName=h:1;" + with_host("h")).identity.port == 0);
    CHECK(Parsed(with_token("SharedAccessSignature sr=old&sig=s&se=1;SharedAccessSignature=" + token_text)).token() == token_text);
}

TEST_CASE("connection string, the first wrong part, is an error even when the key comes again and before what is missing")
{
    CHECK(code_of("HostName=bad host;" + with_host("good")) == IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK(position_of("DeviceId=d;HostName=bad host;" + with_host("good")) == 11);
    CHECK(code_of("DeviceId=a/b") == IOTHUB_CODE_DEVICE_ID_INVALID);        /* HostName is missing, too */
    CHECK(code_of("x509=false;HostName=h") == IOTHUB_CODE_X509_INVALID);
    CHECK(code_of("HostName=h:0;DeviceId=a/b") == IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK(code_of("DeviceId=a/b;HostName=h:0") == IOTHUB_CODE_DEVICE_ID_INVALID);
    CHECK(code_of("DeviceId=a/b;oops") == IOTHUB_CODE_DEVICE_ID_INVALID);
    CHECK(code_of("oops;DeviceId=a/b") == IOTHUB_CODE_STRING_SYNTAX);
}

TEST_CASE("connection string, unknown keys and empty parts, are skipped")
{
    CHECK(code_of(with_host("h") + ";SharedAccessKeyName=device;") == IOTHUB_CODE_NONE);
    CHECK(code_of("Colour=;" + with_host("h")) == IOTHUB_CODE_NONE);
    CHECK(code_of("=;" + with_host("h")) == IOTHUB_CODE_NONE);
    CHECK(code_of(";;" + with_host("h") + ";;;") == IOTHUB_CODE_NONE);
    CHECK(code_of("HostName=h;;DeviceId=d;;SharedAccessKey=AAAA") == IOTHUB_CODE_NONE);
}

TEST_CASE("connection string, names of keys, are compared exactly")
{
    CHECK(code_of("hostname=h;DeviceId=d;SharedAccessKey=AAAA") == IOTHUB_CODE_HOST_NAME_MISSING);
    CHECK(code_of(" HostName=h;DeviceId=d;SharedAccessKey=AAAA") == IOTHUB_CODE_HOST_NAME_MISSING);
    CHECK(code_of("HostName=h;DeviceID=d;SharedAccessKey=AAAA") == IOTHUB_CODE_DEVICE_ID_MISSING);
    CHECK(code_of("HostName=h;DeviceId=d;SharedAccesskey=AAAA") == IOTHUB_CODE_CREDENTIAL_MISSING);
}

TEST_CASE("connection string, an empty value, is an error of its key")
{
    CHECK(code_of("HostName=;DeviceId=d;SharedAccessKey=AAAA") == IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK(code_of("HostName=h;DeviceId=;SharedAccessKey=AAAA") == IOTHUB_CODE_DEVICE_ID_INVALID);
    CHECK(code_of("HostName=h;DeviceId=d;SharedAccessKey=") == IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID);
    CHECK(code_of("HostName=h;DeviceId=d;SharedAccessSignature=") == IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID);
    CHECK(code_of("HostName=h;DeviceId=d;x509=") == IOTHUB_CODE_X509_INVALID);
    CHECK(code_of("HostName=h;DeviceId=d;UseProvisioning=") == IOTHUB_CODE_USE_PROVISIONING_INVALID);
    CHECK(code_of(with_gateway("")) == IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID);
    CHECK(code_of(with_module("")) == IOTHUB_CODE_MODULE_ID_INVALID);
}

TEST_CASE("connection string, nothing or a part without '=', is named")
{
    CHECK(code_of("") == IOTHUB_CODE_HOST_NAME_MISSING);
    CHECK(code_of(";") == IOTHUB_CODE_HOST_NAME_MISSING);
    CHECK(code_of("HostName") == IOTHUB_CODE_STRING_SYNTAX);
    CHECK(code_of(with_host("h") + ";x") == IOTHUB_CODE_STRING_SYNTAX);
    CHECK(position_of(with_host("h") + ";x") == static_cast<long>(with_host("h").size() + 1));
    CHECK(code_of("HostName=h;DeviceId=d") == IOTHUB_CODE_CREDENTIAL_MISSING);
    CHECK(code_of("DeviceId=d;SharedAccessKey=AAAA") == IOTHUB_CODE_HOST_NAME_MISSING);
    CHECK(code_of("HostName=h;SharedAccessKey=AAAA") == IOTHUB_CODE_DEVICE_ID_MISSING);
}

TEST_CASE("connection string, a mistake in a part, is reported where that part starts")
{
    CHECK(position_of("HostName=;DeviceId=d") == 0);
    CHECK(position_of("HostName=h;DeviceId=;x509=true") == 11);
    CHECK(position_of("HostName=h;DeviceId=d;x509=false") == 22);
    CHECK(position_of("HostName=h;DeviceId=d;UseProvisioning=true") == 22);
    CHECK(position_of("HostName=h;;oops;x509=true") == 12);
}

TEST_CASE("connection string, a value that is wrong, is reported where its part starts")
{
    CHECK(position_of("Name=x;DeviceId=d;HostName=h:0;SharedAccessKey=AAAA") == 18);
    CHECK(position_of("Name=x;HostName=h;DeviceId=a/b;SharedAccessKey=AAAA") == 18);
    CHECK(position_of("Name=x;HostName=h;DeviceId=d;SharedAccessKey=AAA") == 29);
    CHECK(position_of("Name=x;HostName=h;DeviceId=d;SharedAccessSignature=AAA") == 29);
    CHECK(position_of("HostName=h;DeviceId=d;ModuleId= ;SharedAccessKey=AAAA") == 22);
    CHECK(position_of("GatewayHostName=:1;HostName=h;DeviceId=d;SharedAccessKey=AAAA") == 0);
    CHECK(position_of("HostName=bad host;DeviceId=d;SharedAccessKey=AAAA") == 0);
}

TEST_CASE("connection string, something missing, points at the first key that nobody knows")
{
    CHECK(position_of("HostName=h;DeviceID=d;Other=1;SharedAccessKey=AAAA") == 11);
    CHECK(position_of("HostName=h;DeviceId=d;SharedAccesKey=AAAA") == 22);
    CHECK(position_of("Hostname=h;DeviceId=d;SharedAccessKey=AAAA") == 0);
    CHECK(position_of("HostName=h;DeviceId=d") == -1);
    CHECK(position_of("HostName=h;SharedAccessKey=AAAA") == -1);
}

TEST_CASE("connection string, two credentials, blame no unknown key")
{
    CHECK(position_of("HostName=h;DeviceId=d;Name=n;SharedAccessKey=AAAA;x509=true") == -1);
}

/* ---- hosts ---- */

TEST_CASE("host name, without dots, with port, is taken")
{
    CHECK(Parsed(with_host("localhost")).host() == "localhost");
    CHECK(code_of(with_host("localhost")) == IOTHUB_CODE_NONE);
    CHECK(Parsed(with_host("localhost:1883")).host() == "localhost");
    CHECK(Parsed(with_host("localhost:1883")).identity.port == 1883);
    CHECK(Parsed(with_host("127.0.0.1:1")).identity.port == 1);
    CHECK(Parsed(with_host("h:65535")).identity.port == 65535);
    CHECK(Parsed(with_host("h:08883")).identity.port == 8883);
    CHECK(Parsed(with_host("A_b-C.9")).host() == "A_b-C.9");
}

TEST_CASE("host name, a port that is none, is refused")
{
    for (const char *port : { "0", "65536", "99999999999", "abc", "", "8883x", " 8883", "-1", "1:2", ":" }) {
        CAPTURE(port);
        CHECK(code_of(with_host(std::string("h:") + port)) == IOTHUB_CODE_HOST_NAME_INVALID);
        CHECK(code_of(with_gateway(std::string("g:") + port)) == IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID);
    }
    CHECK(code_of(with_host(":8883")) == IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK(code_of(with_gateway(":8883")) == IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID);
}

TEST_CASE("host name, each of the 255 bytes, is a letter, digit, dot, dash or underscore, or refused")
{
    const std::string legal = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    for (int c = 1; c < 256; ++c) {
        if (c == ';' || c == ':') {
            continue;                                /* end of the value, and of the host */
        }
        std::string host = std::string("h") + static_cast<char>(c) + "t";
        bool good = legal.find(static_cast<char>(c)) != std::string::npos;
        CAPTURE(c);
        CHECK(code_of(with_host(host)) == (good ? IOTHUB_CODE_NONE : IOTHUB_CODE_HOST_NAME_INVALID));
        CHECK(code_of(with_gateway(host)) == (good ? IOTHUB_CODE_NONE : IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID));
    }
}

TEST_CASE("host name, 253 and 254 bytes, is taken and refused")
{
    CHECK(code_of(with_host(std::string(253, 'h'))) == IOTHUB_CODE_NONE);
    CHECK(code_of(with_host(std::string(253, 'h') + ":8883")) == IOTHUB_CODE_NONE);
    CHECK(code_of(with_host(std::string(254, 'h'))) == IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK(code_of(with_gateway(std::string(254, 'h'))) == IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID);
}

TEST_CASE("gateway, with and without port, decides alone which port is dialled")
{
    CHECK(Parsed(with_gateway("edge")).gateway() == "edge");
    CHECK(Parsed(with_gateway("edge")).host() == "h");
    CHECK(Parsed(with_gateway("edge")).identity.port == 0);          /* not the hub's 1 */
    CHECK(Parsed(with_gateway("edge:443")).identity.port == 443);
    CHECK(Parsed(with_gateway("edge:443")).gateway() == "edge");
}

/* ---- ids ---- */

TEST_CASE("ids, each of the 255 bytes, are IoT Hub's characters or refused")
{
    const std::string legal = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.+%_#*?!(),:=@$'";
    for (int c = 1; c < 256; ++c) {
        if (c == ';') {
            continue;                                /* ends the value */
        }
        std::string id = std::string("d") + static_cast<char>(c);
        bool good = legal.find(static_cast<char>(c)) != std::string::npos;
        CAPTURE(c);
        CHECK(code_of(with_device(id)) == (good ? IOTHUB_CODE_NONE : IOTHUB_CODE_DEVICE_ID_INVALID));
        CHECK(code_of(with_module(id)) == (good ? IOTHUB_CODE_NONE : IOTHUB_CODE_MODULE_ID_INVALID));
    }
}

TEST_CASE("ids, 1, 128 and 129 bytes, are taken, taken and refused")
{
    CHECK(code_of(with_device("d")) == IOTHUB_CODE_NONE);
    CHECK(code_of(with_device(std::string(128, 'd'))) == IOTHUB_CODE_NONE);
    CHECK(code_of(with_device(std::string(129, 'd'))) == IOTHUB_CODE_DEVICE_ID_INVALID);
    CHECK(code_of(with_module(std::string(128, 'm'))) == IOTHUB_CODE_NONE);
    CHECK(code_of(with_module(std::string(129, 'm'))) == IOTHUB_CODE_MODULE_ID_INVALID);
}

/* ---- credentials ---- */

TEST_CASE("credentials, each set of the three, is one or refused")
{
    const std::string texts[3] = { ";SharedAccessKey=AAAA", ";SharedAccessSignature=" + token_text, ";x509=true" };
    const int kinds[3] = { IOTHUBI_SHARED_ACCESS_KEY, IOTHUBI_SHARED_ACCESS_SIGNATURE, IOTHUBI_X509 };
    for (int set = 0; set < 8; ++set) {
        std::string string = "HostName=h;DeviceId=d";
        int count = 0, kind = -1;
        for (int i = 0; i < 3; ++i) {
            if (set >> i & 1) {
                string += texts[i];
                kind = kinds[i];
                ++count;
            }
        }
        Parsed parsed(string);
        CAPTURE(string);
        CHECK(parsed.code == (count == 0 ? IOTHUB_CODE_CREDENTIAL_MISSING : count == 1 ? IOTHUB_CODE_NONE : IOTHUB_CODE_CREDENTIAL_CONFLICT));
        if (count == 1) {
            CHECK(parsed.credential() == kind);
        }
    }
}

TEST_CASE("x509, any value but true, is refused")
{
    CHECK(code_of("HostName=h;DeviceId=d;x509=true") == IOTHUB_CODE_NONE);
    for (const char *value : { "false", "True", "TRUE", "1", "true ", "tru", "truee" }) {
        CHECK(code_of(std::string("HostName=h;DeviceId=d;x509=") + value) == IOTHUB_CODE_X509_INVALID);
    }
}

TEST_CASE("UseProvisioning, whatever its value, needs another client")
{
    CHECK(code_of("HostName=h;DeviceId=d;UseProvisioning=true") == IOTHUB_CODE_USE_PROVISIONING_INVALID);
    CHECK(code_of("HostName=h;DeviceId=d;UseProvisioning=false") == IOTHUB_CODE_USE_PROVISIONING_INVALID);
}

TEST_CASE("key, a length or character that is no base64, is refused")
{
    CHECK(code_of(with_key("AAAA")) == IOTHUB_CODE_NONE);
    CHECK(code_of(with_key("AAA=")) == IOTHUB_CODE_NONE);
    for (const char *key : { "A", "AA", "AAA", "AAAAA", "AA-A", "AA A", "====", "AA=A", "AAAA====", " AAAA", "AAAA " }) {
        CAPTURE(key);
        CHECK(code_of(with_key(key)) == IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID);
    }
}

TEST_CASE("signature, its fields in any order, is taken")
{
    std::vector<std::string> fields = { "se=5", "sig=abc%3D", "skn=registration", "sr=h%2Fdevices%2Fd" };
    do {
        std::string token = "SharedAccessSignature " + fields[0] + "&" + fields[1] + "&" + fields[2] + "&" + fields[3];
        CAPTURE(token);
        CHECK(expiry_of(token) == "5");
        CHECK(code_of(with_token(token)) == IOTHUB_CODE_NONE);
    } while (std::next_permutation(fields.begin(), fields.end()));
    CHECK(Parsed(with_token(token_text)).token() == token_text);
    CHECK(expiry_of(token_text) == "1893456000");
    CHECK(expiry_of("SharedAccessSignature sr=h&sig=YQ==&se=4294967295&") == "4294967295");
}

TEST_CASE("signature, a field missing, empty or no number, is refused")
{
    for (const char *token : {
        "", "x", "SharedAccessSignature", "SharedAccessSignature ",
        "sr=h&sig=s&se=1",
        "SharedAccessSignature  sr=h&sig=s&se=1",            /* two blanks: the first field is " sr" */
        "sharedaccesssignature sr=h&sig=s&se=1",
        "SharedAccessSignature sig=s&se=1",
        "SharedAccessSignature sr=h&se=1",
        "SharedAccessSignature sr=h&sig=s",
        "SharedAccessSignature sr=&sig=s&se=1",
        "SharedAccessSignature sr=h&sig=&se=1",
        "SharedAccessSignature sr=h&sig=s&se=",
        "SharedAccessSignature sr=h&sig=s&se",
        "SharedAccessSignature sr=h&sig=s&se=1x",
        "SharedAccessSignature sr=h&sig=s&se=-1",
        "SharedAccessSignature sr=h&sig=s&se=4294967296",
        "SharedAccessSignature sr=h&&sig=s&se=1",
        "SharedAccessSignature sr=h,sig=s,se=1" }) {
        CAPTURE(token);
        CHECK(expiry_of(token) == "no");
        CHECK(code_of(with_token(token)) == IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID);
    }
}

/* ---- configs ---- */

TEST_CASE("config, each kind of credential, is taken")
{
    IOTHUB_CLIENT_CONFIG config = config_of("d", "AAAA", nullptr, "contoso", "azure-devices.net", "edge:443");
    Kept key(iothubi_read_config, &config);
    CHECK(key.code == IOTHUB_CODE_NONE);
    CHECK(key.host() == "contoso.azure-devices.net");
    CHECK(key.gateway() == "edge");
    CHECK(key.device() == "d");
    CHECK(key.identity.text[IOTHUBI_MODULE_ID] == nullptr);
    CHECK(key.identity.port == 443);
    CHECK(key.credential() == IOTHUBI_SHARED_ACCESS_KEY);
    CHECK(key.key() == "000000");
    config = config_of("d", nullptr, token_text.c_str(), "contoso", "azure-devices.net:8884");
    Kept token(iothubi_read_config, &config);
    CHECK(token.code == IOTHUB_CODE_NONE);
    CHECK(token.credential() == IOTHUBI_SHARED_ACCESS_SIGNATURE);
    CHECK(token.token() == token_text);
    CHECK(token.identity.port == 8884);
    CHECK(token.host() == "contoso.azure-devices.net");
    CHECK(token.identity.text[IOTHUBI_GATEWAY_HOST_NAME] == nullptr);
    config = config_of("d", nullptr, nullptr, "localhost:8885", nullptr);
    Kept x509(iothubi_read_config, &config);
    CHECK(x509.code == IOTHUB_CODE_NONE);
    CHECK(x509.credential() == IOTHUBI_X509);
    CHECK(x509.identity.port == 8885);
    CHECK(x509.host() == "localhost");
}

TEST_CASE("config, a member missing or wrong, is named")
{
    CHECK(config_code(config_of("d", "AAAA", nullptr, nullptr, "s")) == IOTHUB_CODE_HOST_NAME_MISSING);
    CHECK(config_code(config_of("d", "AAAA", nullptr, "", "s")) == IOTHUB_CODE_HOST_NAME_MISSING);
    CHECK(config_code(config_of(nullptr, "AAAA", nullptr, "h", "s")) == IOTHUB_CODE_DEVICE_ID_MISSING);
    CHECK(config_code(config_of("", "AAAA", nullptr, "h", "s")) == IOTHUB_CODE_DEVICE_ID_MISSING);
    CHECK(config_code(config_of("a/b", "AAAA", nullptr, "h", "s")) == IOTHUB_CODE_DEVICE_ID_INVALID);
    CHECK(config_code(config_of("d", "AAAA", token_text.c_str(), "h", "s")) == IOTHUB_CODE_CREDENTIAL_CONFLICT);
    CHECK(config_code(config_of("d", "", nullptr, "h", "s")) == IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID);
    CHECK(config_code(config_of("d", "AAA", nullptr, "h", "s")) == IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID);
    CHECK(config_code(config_of("d", nullptr, "", "h", "s")) == IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID);
    CHECK(config_code(config_of("d", nullptr, "sr=h", "h", "s")) == IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID);
    CHECK(config_code(config_of("d", "AAAA", nullptr, "h", "s:0")) == IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK(config_code(config_of("d", "AAAA", nullptr, "h", "s", ":1")) == IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID);
    CHECK(config_code(config_of("d", "AAAA", nullptr, "h", "", "")) == IOTHUB_CODE_NONE);
}

TEST_CASE("config, a hub name beside a suffix, is judged like every host name")
{
    CHECK(config_code(config_of("d", "AAAA", nullptr, "bad host", "s")) == IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK(config_code(config_of("d", "AAAA", nullptr, "h/", "s")) == IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK(config_code(config_of("d", "AAAA", nullptr, "h:8883", "s")) == IOTHUB_CODE_HOST_NAME_INVALID);   /* a port in the middle */
    CHECK(config_code(config_of("d", "AAAA", nullptr, std::string(126, 'h').c_str(), std::string(126, 's').c_str())) == IOTHUB_CODE_NONE);
    CHECK(config_code(config_of("d", "AAAA", nullptr, std::string(127, 'h').c_str(), std::string(126, 's').c_str())) == IOTHUB_CODE_HOST_NAME_INVALID);
}

/* ---- the kept identity ---- */

TEST_CASE("identity, kept in exactly the room it measures, has its own NUL-terminated texts")
{
    Parsed kept("HostName=h.net:99;DeviceId=dev;ModuleId=mod;GatewayHostName=gate:42;SharedAccessKey=" + key_text);
    CHECK(kept.size == 6 + 5 + 4 + 4 + 32 + 32);     /* h.net gate dev mod, each with its NUL, the key, and room for a digest */
    CHECK(kept.host() == "h.net");
    CHECK(kept.gateway() == "gate");
    CHECK(kept.device() == "dev");
    CHECK(kept.module() == "mod");
    CHECK(kept.identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE] == nullptr);
    CHECK(kept.identity.port == 42);
    CHECK(kept.credential() == IOTHUBI_SHARED_ACCESS_KEY);
    CHECK(kept.identity.key_size == 32);
    CHECK(kept.key() == key_bytes);
}

TEST_CASE("identity, what was not given, is NULL")
{
    Parsed x509("HostName=h;DeviceId=d;x509=true");
    CHECK(x509.identity.text[IOTHUBI_GATEWAY_HOST_NAME] == nullptr);
    CHECK(x509.identity.text[IOTHUBI_MODULE_ID] == nullptr);
    CHECK(x509.identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE] == nullptr);
    CHECK(x509.identity.key == nullptr);
    CHECK(x509.identity.key_size == 0);
    CHECK(x509.identity.port == 0);
    CHECK(x509.size == 2 + 2);
}

TEST_CASE("identity, with a token, keeps the token")
{
    Parsed kept(with_token(token_text));
    CHECK(kept.token() == token_text);
    CHECK(kept.identity.key == nullptr);
    CHECK(kept.size == 2 + 2 + token_text.size() + 1);
}

TEST_CASE("identity, from a config, joins name and suffix with a dot")
{
    IOTHUB_CLIENT_CONFIG config = config_of("thermo-01", key_text.c_str(), nullptr, "contoso-hub", "azure-devices.net:8884");
    Kept kept(iothubi_read_config, &config);
    REQUIRE(kept.code == IOTHUB_CODE_NONE);
    CHECK(kept.host() == hub);
    CHECK(kept.identity.port == 8884);
    CHECK(kept.size == hub.size() + 1 + 10 + 32 + 32);
    config = config_of("d", key_text.c_str(), nullptr, "localhost", "");
    CHECK(Kept(iothubi_read_config, &config).host() == "localhost");
}

TEST_CASE("identity, one byte of room or more too little, writes nothing outside and still says what it needs")
{
    const std::string string = "HostName=h.net;DeviceId=dev;ModuleId=mod;GatewayHostName=gate;SharedAccessKey=" + key_text;
    size_t need = Parsed(string).size;
    for (size_t room = 0; room < need; ++room) {
        Guarded memory(room);
        iothubi_identity identity;
        iothubi_writer writer;
        long position;
        iothubi_write_begin(&writer, memory.data(), 0, room);
        CHECK(iothubi_read_string(&identity, string.c_str(), &writer, &position) == IOTHUB_CODE_NONE);
        CHECK(writer.length == need);
    }
}

/* ---- tokens ---- */

TEST_CASE("token, vector V1, a device, has the known text")
{
    Parsed kept("HostName=" + hub + ";DeviceId=thermo-01;SharedAccessKey=" + key_text);
    CHECK(string_to_sign(kept.identity, expiry_2030) == "contoso-hub.azure-devices.net%2Fdevices%2Fthermo-01\n1893456000");
    CHECK(token_of(kept.identity, expiry_2030) == "SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fthermo-01"
        "&sig=zq8AlUEuNLhxInFygK%2BBbnXGpmcL2zyNynHkHj26%2FA0%3D&se=1893456000");
    CHECK(token_of(kept.identity, expiry_2030).size() == 145);
}

TEST_CASE("token, vector V4, a module, has the known text")
{
    Parsed kept("HostName=" + hub + ";DeviceId=edge-07;ModuleId=filter;SharedAccessKey=" + key_text);
    CHECK(token_of(kept.identity, expiry_2030) == "SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fedge-07%2Fmodules%2Ffilter"
        "&sig=XErGmhigJAgvsSqnRJvdYWTxZgVe5Migt8dQqadYGAE%3D&se=1893456000");
}

TEST_CASE("token, vector V5, an id with special characters, has the known text")
{
    Parsed kept("HostName=" + hub + ";DeviceId=dev+1@x;SharedAccessKey=" + key_text);
    CHECK(token_of(kept.identity, expiry_2030) == "SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fdev%2B1%40x"
        "&sig=JHwwqB8CMZZeYm%2FQTFs8glW5c2SzptswcfOPXx2Idcs%3D&se=1893456000");
}

TEST_CASE("token, port and gateway, do not reach what is signed")
{
    Parsed plain("HostName=" + hub + ";DeviceId=d;SharedAccessKey=" + key_text);
    Parsed dialled("HostName=" + hub + ":99;DeviceId=d;GatewayHostName=edge:42;SharedAccessKey=" + key_text);
    CHECK(string_to_sign(dialled.identity, 1) == string_to_sign(plain.identity, 1));
}

TEST_CASE("token, an escape in an id, is encoded once more")
{
    Parsed kept("HostName=h;DeviceId=a%2fb;SharedAccessKey=AAAA");
    CHECK(string_to_sign(kept.identity, 0) == "h%2Fdevices%2Fa%252fb\n0");
}

TEST_CASE("token, our own, reads back as a token with its expiry")
{
    Parsed kept("HostName=h;DeviceId=d;SharedAccessKey=AAAA");
    CHECK(expiry_of(token_of(kept.identity, 4294967295u)) == "4294967295");
    CHECK(expiry_of(token_of(kept.identity, 1)) == "1");
}

TEST_CASE("token, windows of every size, give the text of the whole")
{
    Parsed kept("HostName=" + hub + ";DeviceId=edge-07;ModuleId=filter;SharedAccessKey=" + key_text);
    sign(kept.identity, expiry_2030);
    Encoder encode = [&](iothubi_writer *w) { iothubi_write_token(w, &kept.identity, expiry_2030); };
    std::string whole = written(encode);
    for (size_t window = 1; window <= whole.size() + 1; ++window) {
        CHECK(written_in_windows(encode, window) == whole);
    }
}
