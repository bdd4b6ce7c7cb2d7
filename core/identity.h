/* ---- identity: connection string, who the client is, SAS tokens --------------------------------------------------- */
/* Knows IoT Hub's naming rules, no transport and no stream. */
#include "text.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_IDENTITY_H)
#define IOTHUBI_IDENTITY_H

#define IOTHUBI_ID_MAXIMUM 128u                  /* bytes of a device or module id */
#define IOTHUBI_HOST_MAXIMUM 253u                /* RFC 1035 section 2.3.4, without the root's dot */

typedef enum iothubi_credential_tag {
    IOTHUBI_CREDENTIAL_KEY,
    IOTHUBI_CREDENTIAL_TOKEN,
    IOTHUBI_CREDENTIAL_X509
} iothubi_credential;

/* A connection string or config, taken apart: spans into the caller's text. A span without bytes was not given. */
typedef struct iothubi_settings_tag {
    iothubi_span host;                           /* without the port */
    iothubi_span suffix;                         /* of a config: what follows host and a dot */
    iothubi_span gateway;
    iothubi_span device;
    iothubi_span module;
    iothubi_span secret;                         /* base64 key, or token; nothing for X.509 */
    unsigned int port;                           /* of the host that is dialled; 0: the transport's own */
    unsigned char credential;                    /* iothubi_credential */
} iothubi_settings;

/* What the client keeps: NUL-terminated copies in its block. */
typedef struct iothubi_identity_tag {
    const char *host;                            /* the hub, in user name and SAS audience */
    const char *gateway;                         /* the host to dial instead, or NULL */
    const char *device;
    const char *module;                          /* NULL: a device */
    const char *token;                           /* IOTHUBI_CREDENTIAL_TOKEN */
    const unsigned char *key;                    /* IOTHUBI_CREDENTIAL_KEY, decoded */
    unsigned int key_size;
    unsigned int port;                           /* 0: the transport's own */
    unsigned char credential;
} iothubi_identity;

static IOTHUB_CONST char iothubi_connection_keys[] =
    "HostName\0DeviceId\0ModuleId\0GatewayHostName\0SharedAccessKey\0SharedAccessSignature\0x509\0UseProvisioning\0";

enum {
    IOTHUBI_KEY_HOST_NAME, IOTHUBI_KEY_DEVICE_ID, IOTHUBI_KEY_MODULE_ID, IOTHUBI_KEY_GATEWAY,
    IOTHUBI_KEY_SHARED_ACCESS_KEY, IOTHUBI_KEY_SHARED_ACCESS_SIGNATURE, IOTHUBI_KEY_X509, IOTHUBI_KEY_USE_PROVISIONING
};

static IOTHUB_CONST char iothubi_x509_values[] = "true\0";
static IOTHUB_CONST char iothubi_token_start[] = "SharedAccessSignature ";
static IOTHUB_CONST char iothubi_token_fields[] = "sr\0sig\0se\0";

/* IoT Hub's characters for ids beside letters and digits; the union of its older and newer documentation. */
static IOTHUB_CONST char iothubi_id_marks[] = "-.%_#*?!(),:=@$'+";

IOTHUBI_PRIVATE int iothubi_id_is_valid(const iothubi_span *id)
{
    size_t i, mark;
    for (i = 0; i < id->size; ++i) {
        if (iothubi_is_alphanumeric(id->at[i])) {
            continue;
        }
        for (mark = 0; mark < sizeof iothubi_id_marks - 1u; ++mark) {
            if ((char)IOTHUB_CONST_BYTE(iothubi_id_marks + mark) == id->at[i]) {
                break;
            }
        }
        if (mark == sizeof iothubi_id_marks - 1u) {
            return 0;
        }
    }
    return id->size != 0 && id->size <= IOTHUBI_ID_MAXIMUM;
}

/* Takes ":port" off the end of a host name. False when it is no host name or the port is none. */
IOTHUBI_PRIVATE int iothubi_split_host(iothubi_span *host, unsigned int *port)
{
    iothubi_span digits = *host, name;
    uint32_t number;
    size_t i;
    *port = 0;
    if (!iothubi_next_part(&digits, ':', &name)) {
        return 0;
    }
    for (i = 0; i < name.size; ++i) {
        if (!iothubi_is_alphanumeric(name.at[i]) && name.at[i] != '.' && name.at[i] != '-' && name.at[i] != '_') {
            return 0;
        }
    }
    if (name.size < host->size) {
        if (!iothubi_read_decimal(digits.at, digits.size, &number) || number == 0 || number > 0xFFFFu) {
            return 0;
        }
        *port = (unsigned int)number;
    }
    *host = name;
    return name.size != 0 && name.size <= IOTHUBI_HOST_MAXIMUM;
}

/* Reads the expiry ("se", seconds since 1970) of a token; its fields may come in any order. False when it is no token. */
IOTHUBI_PRIVATE int iothubi_token_expiry(const char *token, size_t size, uint32_t *expiry)
{
    iothubi_span rest, pair, key, value;
    size_t i;
    unsigned int found = 0;
    for (i = 0; i < sizeof iothubi_token_start - 1u; ++i) {
        if (i == size || token[i] != (char)IOTHUB_CONST_BYTE(iothubi_token_start + i)) {
            return 0;
        }
    }
    rest.at = token + i;
    rest.size = size - i;
    while (iothubi_next_part(&rest, '&', &pair)) {
        int field;
        if (!iothubi_split_pair(&pair, &key, &value) || value.size == 0) {
            return 0;
        }
        field = iothubi_find_name(iothubi_token_fields, key.at, key.size);
        if (field == 2 && !iothubi_read_decimal(value.at, value.size, expiry)) {
            return 0;
        }
        if (field >= 0) {
            found |= 1u << field;
        }
    }
    return found == 7;
}

/* Judges what was taken apart. The order of the checks is the order in which a reader would look for the mistake. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_settings_check(iothubi_settings *settings)
{
    unsigned int gateway_port = 0;
    uint32_t expiry;
    if (settings->host.size == 0) {
        return IOTHUB_CODE_HOST_NAME_MISSING;
    }
    if (!iothubi_split_host(&settings->host, &settings->port)) {
        return IOTHUB_CODE_HOST_NAME_INVALID;
    }
    if (settings->suffix.size != 0                /* one name in two parts: the port stands at its end */
        && (settings->port != 0 || !iothubi_split_host(&settings->suffix, &settings->port)
            || settings->host.size + settings->suffix.size >= IOTHUBI_HOST_MAXIMUM)) {
        return IOTHUB_CODE_HOST_NAME_INVALID;
    }
    if (settings->gateway.size != 0) {
        if (!iothubi_split_host(&settings->gateway, &gateway_port)) {
            return IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID;
        }
        settings->port = gateway_port;
    }
    if (settings->device.size == 0) {
        return IOTHUB_CODE_DEVICE_ID_MISSING;
    }
    if (!iothubi_id_is_valid(&settings->device)) {
        return IOTHUB_CODE_DEVICE_ID_INVALID;
    }
    if (settings->module.size != 0 && !iothubi_id_is_valid(&settings->module)) {
        return IOTHUB_CODE_MODULE_ID_INVALID;
    }
    if (settings->credential == IOTHUBI_CREDENTIAL_KEY
        && !iothubi_base64_decode(settings->secret.at, settings->secret.size, NULL)) {
        return IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID;
    }
    if (settings->credential == IOTHUBI_CREDENTIAL_TOKEN
        && !iothubi_token_expiry(settings->secret.at, settings->secret.size, &expiry)) {
        return IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID;
    }
    return IOTHUB_CODE_NONE;
}

/* An empty value is an error of its key: nobody writes one on purpose. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_settings_take(iothubi_settings *settings, int key, const iothubi_span *value,
    unsigned int *credentials)
{
    switch (key) {
    case IOTHUBI_KEY_HOST_NAME:
        settings->host = *value;
        return value->size != 0 ? IOTHUB_CODE_NONE : IOTHUB_CODE_HOST_NAME_INVALID;
    case IOTHUBI_KEY_DEVICE_ID:
        settings->device = *value;
        return value->size != 0 ? IOTHUB_CODE_NONE : IOTHUB_CODE_DEVICE_ID_INVALID;
    case IOTHUBI_KEY_MODULE_ID:
        settings->module = *value;
        return value->size != 0 ? IOTHUB_CODE_NONE : IOTHUB_CODE_MODULE_ID_INVALID;
    case IOTHUBI_KEY_GATEWAY:
        settings->gateway = *value;
        return value->size != 0 ? IOTHUB_CODE_NONE : IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID;
    case IOTHUBI_KEY_SHARED_ACCESS_KEY:
        *credentials |= 1u;
        settings->secret = *value;
        settings->credential = IOTHUBI_CREDENTIAL_KEY;
        return value->size != 0 ? IOTHUB_CODE_NONE : IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID;
    case IOTHUBI_KEY_SHARED_ACCESS_SIGNATURE:
        *credentials |= 2u;
        settings->secret = *value;
        settings->credential = IOTHUBI_CREDENTIAL_TOKEN;
        return value->size != 0 ? IOTHUB_CODE_NONE : IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID;
    case IOTHUBI_KEY_X509:
        *credentials |= 4u;
        settings->credential = IOTHUBI_CREDENTIAL_X509;
        return iothubi_find_name(iothubi_x509_values, value->at, value->size) == 0 ? IOTHUB_CODE_NONE : IOTHUB_CODE_X509_INVALID;
    case IOTHUBI_KEY_USE_PROVISIONING:
        return IOTHUB_CODE_USE_PROVISIONING_INVALID;
    default:
        return IOTHUB_CODE_NONE;                 /* unknown keys are skipped, as the SDK does */
    }
}

/* Where the part starts whose value turned out wrong after all were read; -1: no one part is to blame. */
IOTHUBI_PRIVATE long iothubi_settings_fault(const iothubi_settings *settings, IOTHUB_CODE code, const char *string)
{
    const iothubi_span *value;
    const char *at;
    switch (code) {
    case IOTHUB_CODE_HOST_NAME_INVALID: value = &settings->host; break;
    case IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID: value = &settings->gateway; break;
    case IOTHUB_CODE_DEVICE_ID_INVALID: value = &settings->device; break;
    case IOTHUB_CODE_MODULE_ID_INVALID: value = &settings->module; break;
    case IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID:
    case IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID: value = &settings->secret; break;
    default: return -1;
    }
    for (at = value->at; at != string && at[-1] != ';'; --at) {
    }
    return (long)(at - string);
}

/* Takes a connection string apart. *position: where the mistake is; for what is missing, where the first unknown key is
   (it may be that one, misspelt), else -1. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_settings_parse(iothubi_settings *settings, const char *string, long *position)
{
    iothubi_span rest, pair, key, value;
    unsigned int credentials = 0;
    long unknown = -1;
    IOTHUB_CODE code;
    IOTHUB_MEMSET(settings, 0, sizeof *settings);
    rest.at = string;
    rest.size = IOTHUB_STRLEN(string);
    while (iothubi_next_part(&rest, ';', &pair)) {
        int index;
        *position = (long)(pair.at - string);
        if (pair.size == 0) {
            continue;
        }
        if (!iothubi_split_pair(&pair, &key, &value)) {
            return IOTHUB_CODE_STRING_SYNTAX;
        }
        index = iothubi_find_name(iothubi_connection_keys, key.at, key.size);
        if (index < 0 && unknown < 0) {
            unknown = *position;
        }
        code = iothubi_settings_take(settings, index, &value, &credentials);
        if (code != IOTHUB_CODE_NONE) {
            return code;
        }
    }
    if ((credentials & (credentials - 1u)) != 0) {
        *position = -1;
        return IOTHUB_CODE_CREDENTIAL_CONFLICT;
    }
    code = credentials == 0 && settings->host.size != 0 && settings->device.size != 0
        ? IOTHUB_CODE_CREDENTIAL_MISSING : iothubi_settings_check(settings);
    *position = code == IOTHUB_CODE_HOST_NAME_MISSING || code == IOTHUB_CODE_DEVICE_ID_MISSING || code == IOTHUB_CODE_CREDENTIAL_MISSING
        ? unknown : iothubi_settings_fault(settings, code, string);
    return code;
}

IOTHUBI_PRIVATE void iothubi_span_of(iothubi_span *span, const char *text)
{
    span->at = text;
    span->size = text != NULL ? IOTHUB_STRLEN(text) : 0;
}

IOTHUBI_PRIVATE IOTHUB_CODE iothubi_settings_from_config(iothubi_settings *settings, const IOTHUB_CLIENT_CONFIG *config)
{
    IOTHUB_MEMSET(settings, 0, sizeof *settings);
    if (config->deviceKey != NULL && config->deviceSasToken != NULL) {
        return IOTHUB_CODE_CREDENTIAL_CONFLICT;
    }
    iothubi_span_of(&settings->host, config->iotHubName);
    iothubi_span_of(&settings->suffix, config->iotHubSuffix);
    iothubi_span_of(&settings->gateway, config->protocolGatewayHostName);
    iothubi_span_of(&settings->device, config->deviceId);
    iothubi_span_of(&settings->secret, config->deviceKey != NULL ? config->deviceKey : config->deviceSasToken);
    settings->credential = (unsigned char)(config->deviceKey != NULL ? IOTHUBI_CREDENTIAL_KEY
        : config->deviceSasToken != NULL ? IOTHUBI_CREDENTIAL_TOKEN : IOTHUBI_CREDENTIAL_X509);
    return iothubi_settings_check(settings);
}

/* ---- the identity's text in the client's block ---- */

IOTHUBI_PRIVATE const char *iothubi_keep_here(const iothubi_writer *writer)
{
    return writer->bytes != NULL ? (const char *)writer->bytes + writer->length : NULL;
}

IOTHUBI_PRIVATE const char *iothubi_keep_text(iothubi_writer *writer, const iothubi_span *text)
{
    const char *at = iothubi_keep_here(writer);
    iothubi_write(writer, text->at, text->size);
    iothubi_write_byte(writer, 0);
    return at;
}

/* Copies the settings into the writer's bytes and points the identity there. With a writer that only measures the identity
   is not to be used; the writer's length is then the room that it needs: one formula for both. */
IOTHUBI_PRIVATE void iothubi_identity_keep(iothubi_identity *identity, const iothubi_settings *settings, iothubi_writer *writer)
{
    IOTHUB_MEMSET(identity, 0, sizeof *identity);
    identity->port = settings->port;
    identity->credential = settings->credential;
    identity->host = iothubi_keep_here(writer);
    if (settings->suffix.size != 0) {
        iothubi_write(writer, settings->host.at, settings->host.size);
        iothubi_write_byte(writer, '.');
        iothubi_keep_text(writer, &settings->suffix);
    } else {
        iothubi_keep_text(writer, &settings->host);
    }
    if (settings->gateway.size != 0) {
        identity->gateway = iothubi_keep_text(writer, &settings->gateway);
    }
    identity->device = iothubi_keep_text(writer, &settings->device);
    if (settings->module.size != 0) {
        identity->module = iothubi_keep_text(writer, &settings->module);
    }
    if (settings->credential == IOTHUBI_CREDENTIAL_TOKEN) {
        identity->token = iothubi_keep_text(writer, &settings->secret);
    }
    if (settings->credential == IOTHUBI_CREDENTIAL_KEY) {
        size_t from, kept, size = iothubi_base64_size(settings->secret.at, settings->secret.size);
        unsigned char *key = iothubi_write_room(writer, size, &from, &kept);
        if (key != NULL && kept == size) {
            iothubi_base64_decode(settings->secret.at, settings->secret.size, key);
        }
        identity->key = key;
        identity->key_size = (unsigned int)size;
    }
}

/* ---- SAS tokens (IoT Hub: "Control access to IoT Hub using shared access signatures") ---- */

static IOTHUB_CONST char iothubi_devices_encoded[] = "%2Fdevices%2F";
static IOTHUB_CONST char iothubi_modules_encoded[] = "%2Fmodules%2F";

IOTHUBI_PRIVATE void iothubi_write_text(iothubi_writer *writer, const char *text)
{
    iothubi_write(writer, text, IOTHUB_STRLEN(text));
}

IOTHUBI_PRIVATE void iothubi_write_encoded_text(iothubi_writer *writer, const char *text)
{
    iothubi_write_encoded(writer, text, IOTHUB_STRLEN(text), 0);
}

/* The resource, percent-encoded: the service checks the signature over the text of "sr" as it received it. */
IOTHUBI_PRIVATE void iothubi_write_resource(iothubi_writer *writer, const iothubi_identity *identity)
{
    iothubi_write_encoded_text(writer, identity->host);
    IOTHUBI_WRITE_CONST(writer, iothubi_devices_encoded);
    iothubi_write_encoded_text(writer, identity->device);
    if (identity->module != NULL) {
        IOTHUBI_WRITE_CONST(writer, iothubi_modules_encoded);
        iothubi_write_encoded_text(writer, identity->module);
    }
}

/* What is signed: resource, one LF, expiry. */
IOTHUBI_PRIVATE void iothubi_write_string_to_sign(iothubi_writer *writer, const iothubi_identity *identity, uint32_t expiry)
{
    iothubi_write_resource(writer, identity);
    iothubi_write_byte(writer, '\n');
    iothubi_write_decimal(writer, expiry);
}

static IOTHUB_CONST char iothubi_token_resource[] = "sr=";
static IOTHUB_CONST char iothubi_token_signature[] = "&sig=";
static IOTHUB_CONST char iothubi_token_expires[] = "&se=";

IOTHUBI_PRIVATE void iothubi_write_token(iothubi_writer *writer, const iothubi_identity *identity,
    const unsigned char digest[32], uint32_t expiry)
{
    char signature[44];
    iothubi_digest_to_base64(digest, signature);
    IOTHUBI_WRITE_CONST(writer, iothubi_token_start);
    IOTHUBI_WRITE_CONST(writer, iothubi_token_resource);
    iothubi_write_resource(writer, identity);
    IOTHUBI_WRITE_CONST(writer, iothubi_token_signature);
    iothubi_write_encoded(writer, signature, sizeof signature, 0);
    IOTHUBI_WRITE_CONST(writer, iothubi_token_expires);
    iothubi_write_decimal(writer, expiry);
}

#endif
