/* ---- identity: connection string, who the client is, SAS tokens --------------------------------------------------- */
/* Knows IoT Hub's naming rules, no transport and no stream. */
#include "text.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_IDENTITY_H)
#define IOTHUBI_IDENTITY_H

#define IOTHUBI_ID_MAXIMUM 128u                  /* bytes of a device or module id */
#define IOTHUBI_DIGEST_SIZE 32u                  /* of HMAC-SHA256 */
#define IOTHUBI_HOST_MAXIMUM 253u                /* RFC 1035 section 2.3.4, without the root's dot */

/* The keys of a connection string, in the order of the codes IOTHUB_CODE_..._INVALID. */
enum {
    IOTHUBI_HOST_NAME,                           /* the hub, in user name and SAS audience */
    IOTHUBI_DEVICE_ID,
    IOTHUBI_MODULE_ID,                           /* NULL: a device */
    IOTHUBI_GATEWAY_HOST_NAME,                   /* the host to dial instead, or NULL */
    IOTHUBI_SHARED_ACCESS_SIGNATURE,             /* the token */
    IOTHUBI_SHARED_ACCESS_KEY,                   /* from here on no text is kept */
    IOTHUBI_X509,
    IOTHUBI_USE_PROVISIONING
};

/* Who the client is: NUL-terminated copies in its block. */
typedef struct iothubi_identity_tag {
    const char *text[IOTHUBI_SHARED_ACCESS_KEY];
    unsigned char *key;                          /* decoded; behind it the digest that signs the token of this attempt */
    unsigned int key_size;
    unsigned int key_room;                       /* bytes that a later key may have */
    unsigned int port;                           /* of the host that is dialled; 0: the transport's own */
    unsigned char given;                         /* a bit for each key of the connection string */
} iothubi_identity;

/* The module's id, or NULL: a device. */
#ifndef IOTHUB_NO_MODULE
#define IOTHUBI_MODULE_OF(identity) ((identity)->text[IOTHUBI_MODULE_ID])
#else
#define IOTHUBI_MODULE_OF(identity) ((const char *)NULL)
#endif

#define IOTHUBI_GIVEN(identity, name) (((identity)->given & 1u << (name)) != 0)

static IOTHUB_CONST char iothubi_connection_keys[] =
    "HostName\0DeviceId\0ModuleId\0GatewayHostName\0SharedAccessSignature\0SharedAccessKey\0x509\0UseProvisioning\0";
static IOTHUB_CONST char iothubi_x509_values[] = "true\0";
static IOTHUB_CONST char iothubi_token_fields[] = "sr\0sig\0se\0";
static IOTHUB_CONST char iothubi_host_marks[] = "-._";
/* IoT Hub's characters for ids beside letters and digits; the union of its older and newer documentation. */
static IOTHUB_CONST char iothubi_id_marks[] = "-.%_#*?!(),:=@$'+";

/* Is text of 1 to maximum letters, digits and marks? */
IOTHUBI_PRIVATE int iothubi_is_name(const iothubi_span *text, const char *marks, size_t maximum)
{
    size_t i = 0;
    while (i < text->size && (iothubi_is_alphanumeric(text->at[i]) || iothubi_find_byte(marks, text->at[i]) >= 0)) {
        ++i;
    }
    return i == text->size && i - 1u < maximum;
}

/* Takes ":port" off the end of a host name. False when it is no host name or the port is none. */
IOTHUBI_PRIVATE int iothubi_split_host(iothubi_span *host, unsigned int *port)
{
    iothubi_span digits;
    uint32_t number;
    digits = *host;
    *port = 0;
    if (iothubi_split(&digits, ':', host)) {
        if (!iothubi_read_decimal(digits.at, digits.size, &number) || number - 1u >= 0xFFFFu) {
            return 0;
        }
        *port = (unsigned int)number;
    }
    return iothubi_is_name(host, iothubi_host_marks, IOTHUBI_HOST_MAXIMUM);
}

/* Reads the expiry ("se", seconds since 1970) of a token; its fields may come in any order. False when it is no token. */
IOTHUBI_PRIVATE int iothubi_token_expiry(const char *token, size_t size, uint32_t *expiry)
{
    iothubi_span rest, pair, key;
    unsigned int found = 0;
    rest.at = token;
    rest.size = size;
    if (!iothubi_split(&rest, ' ', &key) || iothubi_find_name(iothubi_connection_keys, &key) != IOTHUBI_SHARED_ACCESS_SIGNATURE) {
        return 0;
    }
    while (iothubi_next_part(&rest, '&', &pair)) {
        int field;
        if (!iothubi_split(&pair, '=', &key) || pair.size == 0) {
            return 0;
        }
        field = iothubi_find_name(iothubi_token_fields, &key);
        if (field == 2 && !iothubi_read_decimal(pair.at, pair.size, expiry)) {
            return 0;
        }
        if (field >= 0) {
            found |= 1u << field;
        }
    }
    return found == 7;
}

/* ---- reading an identity into the client's block ----

   With a writer that only measures, the identity is not to be used; the writer's length is then the room that it needs. */

/* Decodes the key into the writer's bytes and leaves room for the digest. */
IOTHUBI_PRIVATE int iothubi_keep_key(iothubi_identity *identity, const iothubi_span *text, iothubi_writer *writer)
{
    size_t from, kept, size = iothubi_base64_decode(text->at, text->size, NULL);
    unsigned char *key = iothubi_write_room(writer, size + IOTHUBI_DIGEST_SIZE, &from, &kept);
    if (size != 0 && kept > size) {
        iothubi_base64_decode(text->at, text->size, key);
    }
    identity->key = key;
    identity->key_size = identity->key_room = (unsigned int)size;
    return size != 0;
}

/* Takes the value of a key. False when it is wrong; an empty one is: nobody writes that on purpose. */
IOTHUBI_PRIVATE int iothubi_identity_take(iothubi_identity *identity, int key, const iothubi_span *value, iothubi_writer *writer)
{
    iothubi_span text;
    unsigned int port;
    uint32_t expiry;
    int good;
    text = *value;
    switch (key) {
    case IOTHUBI_HOST_NAME:
    case IOTHUBI_GATEWAY_HOST_NAME:
        good = iothubi_split_host(&text, &port);
        if (key == IOTHUBI_GATEWAY_HOST_NAME || !IOTHUBI_GIVEN(identity, IOTHUBI_GATEWAY_HOST_NAME)) {
            identity->port = port;
        }
        break;
    case IOTHUBI_DEVICE_ID:
#ifndef IOTHUB_NO_MODULE
    case IOTHUBI_MODULE_ID:
#endif
        good = iothubi_is_name(&text, iothubi_id_marks, IOTHUBI_ID_MAXIMUM);
        break;
    case IOTHUBI_SHARED_ACCESS_SIGNATURE:
        good = iothubi_token_expiry(text.at, text.size, &expiry);
        break;
    case IOTHUBI_SHARED_ACCESS_KEY:
        good = iothubi_keep_key(identity, &text, writer);
        break;
    case IOTHUBI_X509:
        good = iothubi_find_name(iothubi_x509_values, &text) == 0;
        break;
    default:                                     /* UseProvisioning is for another client; ModuleId too, with IOTHUB_NO_MODULE */
        return 0;
    }
    if (key < IOTHUBI_SHARED_ACCESS_KEY) {
        identity->text[key] = (const char *)writer->bytes;
        iothubi_write(writer, text.at, text.size);
        iothubi_write_byte(writer, 0);
    }
    identity->given = (unsigned char)(identity->given | 1u << key);
    return good;
}

IOTHUBI_PRIVATE IOTHUB_CODE iothubi_identity_check(const iothubi_identity *identity)
{
    unsigned int credentials = identity->given >> IOTHUBI_SHARED_ACCESS_SIGNATURE;
    return !IOTHUBI_GIVEN(identity, IOTHUBI_HOST_NAME) ? IOTHUB_CODE_HOST_NAME_MISSING
        : !IOTHUBI_GIVEN(identity, IOTHUBI_DEVICE_ID) ? IOTHUB_CODE_DEVICE_ID_MISSING
        : credentials == 0 ? IOTHUB_CODE_CREDENTIAL_MISSING
        : (credentials & (credentials - 1u)) != 0 ? IOTHUB_CODE_CREDENTIAL_CONFLICT : IOTHUB_CODE_NONE;
}

/* Where an identity comes from: reads source into identity and writer. *position: where in the text a mistake is, or -1. */
typedef IOTHUB_CODE (*iothubi_reader)(iothubi_identity *identity, const void *source, iothubi_writer *writer, long *position);

IOTHUBI_PRIVATE void iothubi_span_of(iothubi_span *span, const char *text)
{
    span->at = text;
    span->size = text != NULL ? IOTHUB_STRLEN(text) : 0;
}

/* A connection string. For what is missing, the mistake may be the first unknown key: it may be that one, misspelt. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_read_string(iothubi_identity *identity, const void *source, iothubi_writer *writer, long *position)
{
    iothubi_span rest, pair, key;
    long unknown = -1;
    IOTHUB_CODE code;
    IOTHUB_MEMSET(identity, 0, sizeof *identity);
    iothubi_span_of(&rest, (const char *)source);
    while (iothubi_next_part(&rest, ';', &pair)) {
        int index;
        if (pair.size == 0) {
            continue;
        }
        *position = (long)(pair.at - (const char *)source);
        if (!iothubi_split(&pair, '=', &key)) {
            return IOTHUB_CODE_STRING_SYNTAX;
        }
        index = iothubi_find_name(iothubi_connection_keys, &key);
        if (index < 0) {                         /* unknown keys are skipped, as the SDK does */
            unknown = unknown < 0 ? *position : unknown;
        } else if (!iothubi_identity_take(identity, index, &pair, writer)) {
            return (IOTHUB_CODE)(IOTHUB_CODE_HOST_NAME_INVALID + index);
        }
    }
    code = iothubi_identity_check(identity);
    *position = code != IOTHUB_CODE_CREDENTIAL_CONFLICT ? unknown : -1;
    return code;
}

/* The SDK's configuration. Host and suffix are one name in two parts: the port stands at its end. */
IOTHUBI_PRIVATE IOTHUB_CODE iothubi_read_config(iothubi_identity *identity, const void *source, iothubi_writer *writer, long *position)
{
    const IOTHUB_CLIENT_CONFIG *config = (const IOTHUB_CLIENT_CONFIG *)source;
    iothubi_span values[IOTHUBI_X509], hub;
    const char *start = (const char *)writer->bytes;
    int key;
    IOTHUB_MEMSET(identity, 0, sizeof *identity);
    *position = -1;
    iothubi_span_of(&values[IOTHUBI_HOST_NAME], config->iotHubName);
    iothubi_span_of(&values[IOTHUBI_DEVICE_ID], config->deviceId);
    iothubi_span_of(&values[IOTHUBI_MODULE_ID], NULL);
    iothubi_span_of(&values[IOTHUBI_GATEWAY_HOST_NAME], config->protocolGatewayHostName);
    iothubi_span_of(&values[IOTHUBI_SHARED_ACCESS_SIGNATURE], config->deviceSasToken);
    iothubi_span_of(&values[IOTHUBI_SHARED_ACCESS_KEY], config->deviceKey);
    if (values[IOTHUBI_HOST_NAME].size != 0 && config->iotHubSuffix != NULL && config->iotHubSuffix[0] != '\0') {
        unsigned int port;
        hub = values[IOTHUBI_HOST_NAME];
        iothubi_span_of(&values[IOTHUBI_HOST_NAME], config->iotHubSuffix);
        if (!iothubi_split_host(&hub, &port) || port != 0) {
            return IOTHUB_CODE_HOST_NAME_INVALID;
        }
        iothubi_write(writer, hub.at, hub.size);
        iothubi_write_byte(writer, '.');
    }
    for (key = 0; key < IOTHUBI_X509; ++key) {
        int given = key < IOTHUBI_SHARED_ACCESS_SIGNATURE ? values[key].size != 0 : values[key].at != NULL;
        if (given && !iothubi_identity_take(identity, key, &values[key], writer)) {
            return (IOTHUB_CODE)(IOTHUB_CODE_HOST_NAME_INVALID + key);
        }
        if (key == IOTHUBI_HOST_NAME) {
            if (writer->length > IOTHUBI_HOST_MAXIMUM + 1u) {
                return IOTHUB_CODE_HOST_NAME_INVALID;
            }
            identity->text[key] = start;
        }
    }
    if (config->deviceKey == NULL && config->deviceSasToken == NULL) {
        identity->given |= 1u << IOTHUBI_X509;
    }
    return iothubi_identity_check(identity);
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
    iothubi_write_encoded_text(writer, identity->text[IOTHUBI_HOST_NAME]);
    IOTHUBI_WRITE_CONST(writer, iothubi_devices_encoded);
    iothubi_write_encoded_text(writer, identity->text[IOTHUBI_DEVICE_ID]);
    if (IOTHUBI_MODULE_OF(identity) != NULL) {
        IOTHUBI_WRITE_CONST(writer, iothubi_modules_encoded);
        iothubi_write_encoded_text(writer, IOTHUBI_MODULE_OF(identity));
    }
}

/* What is signed: resource, one LF, expiry. */
IOTHUBI_PRIVATE void iothubi_write_string_to_sign(iothubi_writer *writer, const iothubi_identity *identity, uint32_t expiry)
{
    iothubi_write_resource(writer, identity);
    iothubi_write_byte(writer, '\n');
    iothubi_write_decimal(writer, expiry);
}

static IOTHUB_CONST char iothubi_token_start[] = "SharedAccessSignature sr=";
static IOTHUB_CONST char iothubi_token_signature[] = "&sig=";
static IOTHUB_CONST char iothubi_token_expires[] = "%3D&se="; /* the pad of the signature's base64 stands before it */

IOTHUBI_PRIVATE void iothubi_write_token(iothubi_writer *writer, const iothubi_identity *identity,
    uint32_t expiry)
{
    IOTHUBI_WRITE_CONST(writer, iothubi_token_start);
    iothubi_write_resource(writer, identity);
    IOTHUBI_WRITE_CONST(writer, iothubi_token_signature);
    iothubi_write_digest(writer, identity->key + identity->key_size);
    IOTHUBI_WRITE_CONST(writer, iothubi_token_expires);
    iothubi_write_decimal(writer, expiry);
}

#endif
