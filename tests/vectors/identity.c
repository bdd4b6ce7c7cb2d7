/* Connection strings, configs, string to sign, tokens. V1, V4 and V5 are the vectors of the wire reference, section 13. */

#include "check.h"

const char room[] = "identity";

#define HUB "contoso-hub.azure-devices.net"
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="           /* bytes 00 to 1F */
#define KEY_BYTES "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1B\x1C\x1D\x1E\x1F"
#define KEY_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TOKEN "SharedAccessSignature sr=h&sig=s&se=1893456000"

static iothubi_identity identity;
static unsigned char text[160];
static size_t text_size;
static long position;

/* Measures first, then reads into exactly that room; both must say the same. */
static IOTHUB_CODE read_with(iothubi_reader reader, const void *source)
{
    iothubi_writer writer;
    IOTHUB_CODE code;
    long measured;
    iothubi_write_begin(&writer, NULL, 0, 0);
    measured = -2;
    code = reader(&identity, source, &writer, &measured);
    text_size = writer.length;
    position = measured;
    if (text_size <= sizeof text) {
        iothubi_write_begin(&writer, text, 0, text_size);
        CHECK_NUMBER(reader(&identity, source, &writer, &position), code);
        CHECK_NUMBER(writer.length, text_size);
    }
    CHECK(position == measured);
    return code;
}

static IOTHUB_CODE read_string(const char *string)
{
    return read_with(iothubi_read_string, string);
}

/* host|gateway|device|module|token|key in hexadecimal */
static void check_parts(const char *expected, int line)
{
    static const int keys[] = { IOTHUBI_HOST_NAME, IOTHUBI_GATEWAY_HOST_NAME, IOTHUBI_DEVICE_ID, IOTHUBI_MODULE_ID, IOTHUBI_SHARED_ACCESS_SIGNATURE };
    char parts[160];
    iothubi_writer writer;
    size_t i;
    iothubi_write_begin(&writer, (unsigned char *)parts, 0, sizeof parts);
    for (i = 0; i < COUNT(keys); ++i) {
        if (identity.text[keys[i]] != NULL) {
            iothubi_write_text(&writer, identity.text[keys[i]]);
        }
        iothubi_write_byte(&writer, '|');
    }
    for (i = 0; i < identity.key_size; ++i) {
        iothubi_write_byte(&writer, (unsigned char)"0123456789abcdef"[identity.key[i] >> 4]);
        iothubi_write_byte(&writer, (unsigned char)"0123456789abcdef"[identity.key[i] & 15]);
    }
    check_bytes(parts, writer.length, expected, IOTHUB_STRLEN(expected), TEXT("parts"), line);
}

/* ---- connection strings ---- */

#define A_KEY (1 << IOTHUBI_SHARED_ACCESS_KEY)
#define A_TOKEN (1 << IOTHUBI_SHARED_ACCESS_SIGNATURE)
#define A_CERTIFICATE (1 << IOTHUBI_X509)

static const struct { const char *string; const char *parts; unsigned int port; int credential; } good[] = {
    { "HostName=" HUB ";DeviceId=thermo-01;SharedAccessKey=" KEY, HUB "||thermo-01|||" KEY_HEX, 0, A_KEY },
    { "HostName=h;DeviceId=d;SharedAccessSignature=" TOKEN, "h||d||" TOKEN "|", 0, A_TOKEN },
    { "HostName=h;DeviceId=d;x509=true", "h||d|||", 0, A_CERTIFICATE },
    { "SharedAccessKey=AAAA;ModuleId=m;HostName=h:8;GatewayHostName=g:7;DeviceId=d;", "h|g|d|m||000000", 7, A_KEY },
    { "HostName=a;HostName=b;DeviceId=1;DeviceId=2;SharedAccessKey=AAAA;SharedAccessKey=AAE=", "b||2|||0001", 0, A_KEY },
    { ";;Colour=;=;HostName=h;;DeviceId=d;x509=true;;", "h||d|||", 0, A_CERTIFICATE },
    { "HostName=h:1;GatewayHostName=edge;DeviceId=d;x509=true", "h|edge|d|||", 0, A_CERTIFICATE },     /* not the hub's 1 */
    { "HostName=localhost:1883;DeviceId=d;x509=true", "localhost||d|||", 1883, A_CERTIFICATE },
    { "HostName=h:32768;DeviceId=d;x509=true", "h||d|||", 32768u, A_CERTIFICATE },
    { "HostName=h:65535;DeviceId=d;x509=true", "h||d|||", 65535u, A_CERTIFICATE },
    { "HostName=h:08883;DeviceId=d;x509=true", "h||d|||", 8883, A_CERTIFICATE },
    { "HostName=127.0.0.1:1;DeviceId=d;x509=true", "127.0.0.1||d|||", 1, A_CERTIFICATE }
};

#define START "HostName=h;DeviceId=d;"           /* 22 characters */

static const struct { const char *string; IOTHUB_CODE code; int position; } bad[] = {
    { "", IOTHUB_CODE_HOST_NAME_MISSING, -1 },
    { ";", IOTHUB_CODE_HOST_NAME_MISSING, -1 },
    { "HostName", IOTHUB_CODE_STRING_SYNTAX, 0 },
    { "HostName=h;;oops;x509=true", IOTHUB_CODE_STRING_SYNTAX, 12 },
    { START "x509=true;x", IOTHUB_CODE_STRING_SYNTAX, 32 },
    { "DeviceId=d;SharedAccessKey=AAAA", IOTHUB_CODE_HOST_NAME_MISSING, -1 },
    { "hostname=h;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_MISSING, 0 },
    { " HostName=h;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_MISSING, 0 },
    { "HostName=h;SharedAccessKey=AAAA", IOTHUB_CODE_DEVICE_ID_MISSING, -1 },
    { "HostName=h;DeviceID=d;Other=1;SharedAccessKey=AAAA", IOTHUB_CODE_DEVICE_ID_MISSING, 11 },
    { "HostName=h;DeviceId=d", IOTHUB_CODE_CREDENTIAL_MISSING, -1 },
    { START "SharedAccesKey=AAAA", IOTHUB_CODE_CREDENTIAL_MISSING, 22 },
    { START "SharedAccessKey=AAAA;x509=true", IOTHUB_CODE_CREDENTIAL_CONFLICT, -1 },
    { START "SharedAccessKey=AAAA;SharedAccessSignature=" TOKEN, IOTHUB_CODE_CREDENTIAL_CONFLICT, -1 },
    { START "SharedAccessSignature=" TOKEN ";x509=true", IOTHUB_CODE_CREDENTIAL_CONFLICT, -1 },
    { "HostName=;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },
    { "HostName=bad host;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },
    { "Name=x;DeviceId=d;HostName=h:0;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 18 },
    { "HostName=:8883;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },
    { "HostName=h:;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },
    { "HostName=h:65536;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },       /* 16 bits and a half */
    { "HostName=h:74419;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },       /* 65,536 + 8,883 */
    { "HostName=h:4294976179;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },  /* 2^32 + 8,883 */
    { "HostName=h:-1;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },
    { "HostName=h:1:2;DeviceId=d;x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },
    { "GatewayHostName=:1;" START "x509=true", IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID, 0 },
    { START "GatewayHostName=g:65536;x509=true", IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID, 22 },
    { START "GatewayHostName=;x509=true", IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID, 22 },
    { "HostName=h;DeviceId=;x509=true", IOTHUB_CODE_DEVICE_ID_INVALID, 11 },
    { "HostName=h;DeviceId=a/b;x509=true", IOTHUB_CODE_DEVICE_ID_INVALID, 11 },
    { "HostName=h;DeviceId=\xE9;x509=true", IOTHUB_CODE_DEVICE_ID_INVALID, 11 },
    { START "ModuleId= ;SharedAccessKey=AAAA", IOTHUB_CODE_MODULE_ID_INVALID, 22 },
    { START "ModuleId=", IOTHUB_CODE_MODULE_ID_INVALID, 22 },
    { START "SharedAccessKey=", IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID, 22 },
    { START "SharedAccessKey=AAA", IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID, 22 },
    { START "SharedAccessKey=AA-A", IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID, 22 },
    { START "SharedAccessSignature=", IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID, 22 },
    { START "SharedAccessSignature=sr=h", IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID, 22 },
    { START "x509=false", IOTHUB_CODE_X509_INVALID, 22 },
    { START "x509=truee", IOTHUB_CODE_X509_INVALID, 22 },
    { START "x509=", IOTHUB_CODE_X509_INVALID, 22 },
    { START "UseProvisioning=true", IOTHUB_CODE_USE_PROVISIONING_INVALID, 22 },
    { "HostName=bad host;" START "x509=true", IOTHUB_CODE_HOST_NAME_INVALID, 0 },        /* although it comes again */
    { "DeviceId=a/b;oops", IOTHUB_CODE_DEVICE_ID_INVALID, 0 }                            /* the first one, and before what is missing */
};

static void connection_strings(void)
{
    for (row = 0; row < COUNT(good); ++row) {
        subject = good[row].string;
        CHECK_NUMBER(read_string(subject), IOTHUB_CODE_NONE);
        check_parts(good[row].parts, __LINE__);
        CHECK_NUMBER(identity.port, good[row].port);
        CHECK_NUMBER(identity.given >> IOTHUBI_SHARED_ACCESS_SIGNATURE << IOTHUBI_SHARED_ACCESS_SIGNATURE, good[row].credential);
    }
    for (row = 0; row < COUNT(bad); ++row) {
        subject = bad[row].string;
        CHECK_NUMBER(read_string(subject), bad[row].code);
        CHECK_NUMBER(position, bad[row].position);
    }
}

/* Each byte in a host name and in an id; char may be signed. */
static void characters(void)
{
    static const char hosts[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    static const char ids[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.+%_#*?!(),:=@$'";
    char host[] = "HostName=h.;DeviceId=d;x509=true", id[] = "HostName=h;DeviceId=d.;x509=true";
    int c, wrong = 256;
    about("each character of a host name, and of an id");
    for (c = 1; c < 256; ++c) {
        int good_host = memchr(hosts, c, sizeof hosts - 1u) != NULL, good_id = memchr(ids, c, sizeof ids - 1u) != NULL;
        if (c == ';' || c == ':') {
            continue;                            /* the end of the value, and of the host */
        }
        host[10] = id[21] = (char)(unsigned char)c;
        if (read_string(host) != (good_host ? IOTHUB_CODE_NONE : IOTHUB_CODE_HOST_NAME_INVALID)
            || read_string(id) != (good_id ? IOTHUB_CODE_NONE : IOTHUB_CODE_DEVICE_ID_INVALID)) {
            wrong = c;
        }
    }
    CHECK_NUMBER(wrong, 256);
}

/* start, so many characters 'x', end. */
static IOTHUB_CODE code_with(const char *start, size_t size, const char *end)
{
    static char string[320];
    iothubi_writer writer;
    iothubi_write_begin(&writer, (unsigned char *)string, 0, sizeof string);
    iothubi_write_text(&writer, start);
    for (; size != 0; --size) {
        iothubi_write_byte(&writer, 'x');
    }
    iothubi_write(&writer, end, IOTHUB_STRLEN(end) + 1u);
    return read_string(string);
}

static void lengths(void)
{
    about("the longest names");
    CHECK_NUMBER(code_with("DeviceId=d;x509=true;HostName=", 253, ":8883"), IOTHUB_CODE_NONE);
    CHECK_NUMBER(code_with("DeviceId=d;x509=true;HostName=", 254, ""), IOTHUB_CODE_HOST_NAME_INVALID);
    CHECK_NUMBER(code_with(START "GatewayHostName=", 253, ";x509=true"), IOTHUB_CODE_NONE);
    CHECK_NUMBER(code_with(START "GatewayHostName=", 254, ";x509=true"), IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID);
    CHECK_NUMBER(code_with("HostName=h;DeviceId=", 128, ";x509=true"), IOTHUB_CODE_NONE);
    CHECK_NUMBER(code_with("HostName=h;DeviceId=", 129, ";x509=true"), IOTHUB_CODE_DEVICE_ID_INVALID);
    CHECK_NUMBER(code_with(START "ModuleId=", 128, ";x509=true"), IOTHUB_CODE_NONE);
    CHECK_NUMBER(code_with(START "ModuleId=", 129, ";x509=true"), IOTHUB_CODE_MODULE_ID_INVALID);
}

/* ---- configs ---- */

static const struct { const char *name, *suffix, *gateway, *key, *token; IOTHUB_CODE code; unsigned int port; const char *parts; } configs[] = {
    { "contoso", "azure-devices.net", "edge:443", "AAAA", NULL, IOTHUB_CODE_NONE, 443, "contoso.azure-devices.net|edge|d|||000000" },
    { "contoso", "azure-devices.net:8884", NULL, NULL, TOKEN, IOTHUB_CODE_NONE, 8884, "contoso.azure-devices.net||d||" TOKEN "|" },
    { "localhost:8885", NULL, NULL, NULL, NULL, IOTHUB_CODE_NONE, 8885, "localhost||d|||" },
    { "h", "", "", "AAAA", NULL, IOTHUB_CODE_NONE, 0, "h||d|||000000" },
    { "h:8883", "s", NULL, "AAAA", NULL, IOTHUB_CODE_HOST_NAME_INVALID, 0, NULL },       /* a port in the middle */
    { "h", "s:0", NULL, "AAAA", NULL, IOTHUB_CODE_HOST_NAME_INVALID, 0, NULL },
    { NULL, "s", NULL, "AAAA", NULL, IOTHUB_CODE_HOST_NAME_MISSING, 0, NULL },
    { "h", "s", NULL, "AAA", NULL, IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID, 0, NULL },
    { "h", "s", NULL, NULL, "", IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID, 0, NULL },
    { "h", "s", NULL, "AAAA", TOKEN, IOTHUB_CODE_CREDENTIAL_CONFLICT, 0, NULL }
};

static void config_structs(void)
{
    IOTHUB_CLIENT_CONFIG config;
    about("configs");
    for (row = 0; row < COUNT(configs); ++row) {
        IOTHUB_MEMSET(&config, 0, sizeof config);
        config.deviceId = "d";
        config.deviceKey = configs[row].key;
        config.deviceSasToken = configs[row].token;
        config.iotHubName = configs[row].name;
        config.iotHubSuffix = configs[row].suffix;
        config.protocolGatewayHostName = configs[row].gateway;
        CHECK_NUMBER(read_with(iothubi_read_config, &config), configs[row].code);
        CHECK(position == -1);
        if (configs[row].code == IOTHUB_CODE_NONE) {
            CHECK_NUMBER(identity.port, configs[row].port);
            check_parts(configs[row].parts, __LINE__);
        }
    }
}

/* ---- the kept identity, and what it signs ---- */

static void kept_text(void)
{
    IOTHUB_CLIENT_CONFIG config;
    about("an identity keeps its texts side by side, in the order of the string, and room for a digest behind the key");
    CHECK_NUMBER(read_string("HostName=h.net:99;DeviceId=dev;ModuleId=mod;SharedAccessKey=" KEY ";GatewayHostName=gate:42"), IOTHUB_CODE_NONE);
    CHECK_NUMBER(text_size, 6 + 4 + 4 + 32 + 32 + 5);
    CHECK_BYTES(text, 6 + 4 + 4 + 32, "h.net\0" "dev\0" "mod\0" KEY_BYTES);
    CHECK_BYTES(text + 6 + 4 + 4 + 64, 5, "gate\0");
    CHECK_TEXT(identity.text[IOTHUBI_HOST_NAME], "h.net");
    CHECK_TEXT(identity.text[IOTHUBI_GATEWAY_HOST_NAME], "gate");
    CHECK_TEXT(identity.text[IOTHUBI_DEVICE_ID], "dev");
    CHECK_TEXT(identity.text[IOTHUBI_MODULE_ID], "mod");
    CHECK_NUMBER(identity.key_size, 32);
    CHECK_BYTES(identity.key, identity.key_size, KEY_BYTES);
    CHECK_NUMBER(identity.port, 42);
    CHECK(identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE] == NULL);
    CHECK_NUMBER(read_string("HostName=h;DeviceId=d;SharedAccessSignature=" TOKEN), IOTHUB_CODE_NONE);
    CHECK_BYTES(text, text_size, "h\0" "d\0" TOKEN "\0");
    CHECK_TEXT(identity.text[IOTHUBI_SHARED_ACCESS_SIGNATURE], TOKEN);
    CHECK(identity.key == NULL && identity.text[IOTHUBI_GATEWAY_HOST_NAME] == NULL && identity.text[IOTHUBI_MODULE_ID] == NULL);
    about("an identity of a config joins name and suffix");
    IOTHUB_MEMSET(&config, 0, sizeof config);
    config.deviceId = "d";
    config.iotHubName = "contoso";
    config.iotHubSuffix = "azure-devices.net:8884";
    CHECK_NUMBER(read_with(iothubi_read_config, &config), IOTHUB_CODE_NONE);
    CHECK_BYTES(text, text_size, "contoso.azure-devices.net\0" "d\0");
    CHECK_NUMBER(identity.port, 8884);
}

static uint32_t expiry;

static void string_to_sign(iothubi_writer *writer, const void *context)
{
    iothubi_write_string_to_sign(writer, (const iothubi_identity *)context, expiry);
}

static void token(iothubi_writer *writer, const void *context)
{
    iothubi_write_token(writer, (const iothubi_identity *)context, expiry);
}

static void tokens(void)
{
    expiry = 1893456000ul;                       /* 2030-01-01 */
    about("V1, a device");
    CHECK_NUMBER(read_string("HostName=" HUB ";DeviceId=thermo-01;SharedAccessKey=" KEY), IOTHUB_CODE_NONE);
    IOTHUB_MEMCPY(identity.key + identity.key_size,
        "\xCE\xAF\x00\x95\x41\x2E\x34\xB8\x71\x22\x71\x72\x80\xAF\x81\x6E\x75\xC6\xA6\x67\x0B\xDB\x3C\x8D\xCA\x71\xE4\x1E\x3D\xBA\xFC\x0D", 32);
    CHECK_WRITTEN(string_to_sign, &identity, HUB "%2Fdevices%2Fthermo-01\n1893456000");
    CHECK_WRITTEN(token, &identity, "SharedAccessSignature sr=" HUB "%2Fdevices%2Fthermo-01"
        "&sig=zq8AlUEuNLhxInFygK%2BBbnXGpmcL2zyNynHkHj26%2FA0%3D&se=1893456000");
    about("V4, a module");
    CHECK_NUMBER(read_string("HostName=" HUB ";DeviceId=edge-07;ModuleId=filter;SharedAccessKey=" KEY), IOTHUB_CODE_NONE);
    IOTHUB_MEMCPY(identity.key + identity.key_size,
        "\x5C\x4A\xC6\x9A\x18\xA0\x24\x08\x2F\xB1\x2A\xA7\x44\x9B\xDD\x61\x64\xF1\x66\x05\x5E\xE4\xC8\xA0\xB7\xC7\x50\xA9\xA7\x58\x18\x01", 32);
    CHECK_WRITTEN(string_to_sign, &identity, HUB "%2Fdevices%2Fedge-07%2Fmodules%2Ffilter\n1893456000");
    CHECK_WRITTEN(token, &identity, "SharedAccessSignature sr=" HUB "%2Fdevices%2Fedge-07%2Fmodules%2Ffilter"
        "&sig=XErGmhigJAgvsSqnRJvdYWTxZgVe5Migt8dQqadYGAE%3D&se=1893456000");
    about("V5, an id with special characters");
    CHECK_NUMBER(read_string("HostName=" HUB ";DeviceId=dev+1@x;SharedAccessKey=" KEY), IOTHUB_CODE_NONE);
    IOTHUB_MEMCPY(identity.key + identity.key_size,
        "\x24\x7C\x30\xA8\x1F\x02\x31\x96\x5E\x62\x6F\xD0\x4C\x5B\x3C\x82\x55\xB9\x73\x64\xB3\xA6\xDB\x30\x71\xF3\x8F\x5F\x1D\x88\x75\xCB", 32);
    CHECK_WRITTEN(token, &identity, "SharedAccessSignature sr=" HUB "%2Fdevices%2Fdev%2B1%40x"
        "&sig=JHwwqB8CMZZeYm%2FQTFs8glW5c2SzptswcfOPXx2Idcs%3D&se=1893456000");
    about("port and gateway are not signed, an escape in an id is encoded once more");
    CHECK_NUMBER(read_string("HostName=h:99;GatewayHostName=edge:42;DeviceId=a%2fb;SharedAccessKey=AAAA"), IOTHUB_CODE_NONE);
    expiry = 0;
    CHECK_WRITTEN(string_to_sign, &identity, "h%2Fdevices%2Fa%252fb\n0");
    expiry = 0xFFFFFFFFul;
    CHECK_WRITTEN(string_to_sign, &identity, "h%2Fdevices%2Fa%252fb\n4294967295");
}

/* ---- expiry of a token ---- */

static const struct { const char *fields; uint32_t expiry; } expiries[] = {
    { "sr=h&sig=s&se=1893456000", 1893456000ul },
    { "se=5&sig=abc%3D&skn=registration&sr=h%2Fdevices%2Fd", 5 },
    { "sig=YQ==&sr=h&se=4294967295&", 4294967295ul },
    { "sr=h&sig=s&se=65536", 65536ul }
};

static const char *const no_tokens[] = {
    "", "SharedAccessSignature", "SharedAccessSignature ", "sr=h&sig=s&se=1",
    "SharedAccessSignature  sr=h&sig=s&se=1",    /* two blanks: the first field is " sr" */
    "sharedaccesssignature sr=h&sig=s&se=1",
    "SharedAccessSignature sig=s&se=1", "SharedAccessSignature sr=h&se=1", "SharedAccessSignature sr=h&sig=s",
    "SharedAccessSignature sr=&sig=s&se=1", "SharedAccessSignature sr=h&sig=&se=1", "SharedAccessSignature sr=h&sig=s&se=",
    "SharedAccessSignature sr=h&sig=s&se", "SharedAccessSignature sr=h&sig=s&se=1x", "SharedAccessSignature sr=h&sig=s&se=-1",
    "SharedAccessSignature sr=h&sig=s&se=4294967296", "SharedAccessSignature sr=h&&sig=s&se=1", "SharedAccessSignature sr=h,sig=s,se=1"
};

static void token_expiry(void)
{
    char string[90] = "SharedAccessSignature ";
    uint32_t seconds;
    for (row = 0; row < COUNT(expiries); ++row) {
        subject = expiries[row].fields;
        IOTHUB_MEMCPY(string + 22, subject, IOTHUB_STRLEN(subject) + 1u);
        seconds = 0;
        CHECK(iothubi_token_expiry(string, IOTHUB_STRLEN(string), &seconds));
        CHECK_NUMBER(seconds, expiries[row].expiry);
    }
    for (row = 0; row < COUNT(no_tokens); ++row) {
        subject = no_tokens[row];
        CHECK(!iothubi_token_expiry(subject, IOTHUB_STRLEN(subject), &seconds));
    }
}

void vectors(void)
{
    connection_strings();
    characters();
    lengths();
    config_structs();
    kept_text();
    tokens();
    token_expiry();
}
