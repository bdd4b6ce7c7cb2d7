/* ---- error: what went wrong, in numbers and in words ------------------------------------------------------------- */
#include "config.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_ERROR_H)
#define IOTHUBI_ERROR_H

/* Why the last creation failed: there is no handle yet that could tell. */
IOTHUBI_PRIVATE IOTHUB_ERROR iothubi_creation_error;

IOTHUBI_APART void iothubi_error_set(IOTHUB_ERROR *error, IOTHUB_LAYER layer, IOTHUB_CODE code, long raw)
{
    error->layer = layer;
    error->code = code;
    error->raw = raw;
    error->bytes_missing = 0;
    error->retry_after_s = 0;
    error->retryable = (layer != IOTHUB_LAYER_CONFIG && layer != IOTHUB_LAYER_MEMORY) /* NONE too: nothing stands in the way */
        || code == IOTHUB_CODE_OUTBOX_FULL || code == IOTHUB_CODE_POOL_EMPTY;
}

IOTHUBI_PRIVATE void iothubi_error_missing(IOTHUB_ERROR *error, IOTHUB_CODE code, size_t bytes)
{
    iothubi_error_set(error, IOTHUB_LAYER_MEMORY, code, 0);
    error->bytes_missing = bytes;
}

IOTHUB_DEF const char *IoTHub_ErrorText(const IOTHUB_ERROR *error)
{
    IOTHUBI_SAY_ROOM(160);
    switch (error != NULL ? error->code : IOTHUB_CODE_NONE) {
    case IOTHUB_CODE_NONE: IOTHUBI_SAY("no error");
    case IOTHUB_CODE_STRING_SYNTAX: IOTHUBI_SAY("connection string: a part is not Key=Value");
    case IOTHUB_CODE_HOST_NAME_MISSING: IOTHUBI_SAY("connection string: HostName is missing");
    case IOTHUB_CODE_HOST_NAME_INVALID: IOTHUBI_SAY("connection string: HostName is no host name, or its port is none");
    case IOTHUB_CODE_DEVICE_ID_MISSING: IOTHUBI_SAY("connection string: DeviceId is missing");
    case IOTHUB_CODE_DEVICE_ID_INVALID: IOTHUBI_SAY("connection string: DeviceId is empty, too long or has a character that MQTT or IoT Hub forbids");
    case IOTHUB_CODE_MODULE_ID_INVALID: IOTHUBI_SAY("connection string: ModuleId is empty, too long or has a character that MQTT or IoT Hub forbids");
    case IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID: IOTHUBI_SAY("connection string: SharedAccessKey is not base64");
    case IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID: IOTHUBI_SAY("SharedAccessSignature is no token with sr, sig and se");
    case IOTHUB_CODE_X509_INVALID: IOTHUBI_SAY("connection string: x509 can only be true");
    case IOTHUB_CODE_USE_PROVISIONING_INVALID: IOTHUBI_SAY("connection string: UseProvisioning needs the provisioning client");
    case IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID: IOTHUBI_SAY("connection string: GatewayHostName is no host name, or its port is none");
    case IOTHUB_CODE_CREDENTIAL_MISSING: IOTHUBI_SAY("connection string: none of SharedAccessKey, SharedAccessSignature and x509=true is given");
    case IOTHUB_CODE_CREDENTIAL_CONFLICT: IOTHUBI_SAY("connection string: more than one of SharedAccessKey, SharedAccessSignature and x509 is given");
    case IOTHUB_CODE_PROTOCOL_MISSING: IOTHUBI_SAY("no transport: pass MQTT_Protocol");
    case IOTHUB_CODE_PLATFORM_MISSING: IOTHUBI_SAY("no platform: call IoTHub_SetPlatform; open, read, write, close, milliseconds, unix_time and random are required, with a key hmac_sha256 too");
    case IOTHUB_CODE_PLATFORM_IN_USE: IOTHUBI_SAY("the platform serves another live handle");
    case IOTHUB_CODE_BLOCK_MISALIGNED: IOTHUBI_SAY("the memory is not aligned for a pointer");
    case IOTHUB_CODE_BLOCK_TOO_SMALL: IOTHUBI_SAY("the memory block is too small");
    case IOTHUB_CODE_INBOX_TOO_SMALL: IOTHUBI_SAY("the inbox is too small");
    case IOTHUB_CODE_OUTBOX_TOO_SMALL: IOTHUBI_SAY("the outbox is too small");
    case IOTHUB_CODE_OUTBOX_FULL: IOTHUBI_SAY("the outbox is full");
    case IOTHUB_CODE_MESSAGE_TOO_LARGE: IOTHUBI_SAY("the message is over IoT Hub's limit");
    case IOTHUB_CODE_POOL_EMPTY: IOTHUBI_SAY("the pool is used up: raise IOTHUB_POOL_CLIENTS or IOTHUB_POOL_MESSAGES");
    case IOTHUB_CODE_POOL_TOO_SMALL: IOTHUBI_SAY("too large for the pool: raise IOTHUB_POOL_TEXT or IOTHUB_POOL_MESSAGE_SIZE");
    case IOTHUB_CODE_OPTION_INVALID: IOTHUBI_SAY("the option's value is out of range, or it cannot be set now");
    case IOTHUB_CODE_PROPERTIES_INVALID: IOTHUBI_SAY("the properties are no JSON, or have no $version that fits an int");
    case IOTHUB_CODE_CLOCK_UNKNOWN: IOTHUBI_SAY("waiting for the wall clock: a SAS key needs the time");
    case IOTHUB_CODE_TOKEN_EXPIRED: IOTHUBI_SAY("the supplied SAS token has expired");
    case IOTHUB_CODE_NO_ENTROPY: IOTHUBI_SAY("waiting for random bytes from the platform");
    case IOTHUB_CODE_HMAC_FAILED: IOTHUBI_SAY("the platform's hmac_sha256 failed");
    case IOTHUB_CODE_OPEN_FAILED:
        switch (error->layer) {
        case IOTHUB_LAYER_DNS: IOTHUBI_SAY("the host name could not be resolved");
        case IOTHUB_LAYER_TLS: IOTHUBI_SAY("the TLS handshake failed");
        case IOTHUB_LAYER_TLS_TRUST: IOTHUBI_SAY("the server's certificate is not trusted");
        case IOTHUB_LAYER_TLS_NAME: IOTHUBI_SAY("the server's certificate is for another host name");
        case IOTHUB_LAYER_PROXY: IOTHUBI_SAY("the proxy refused the connection");
        case IOTHUB_LAYER_HUB: IOTHUBI_SAY("the hub refused the WebSocket");
        case IOTHUB_LAYER_PROTOCOL: IOTHUBI_SAY("the hub's answer opens no WebSocket");
        default: IOTHUBI_SAY("no connection to the host");
        }
    case IOTHUB_CODE_OPEN_TIMEOUT: IOTHUBI_SAY("the connection was not open in time");
    case IOTHUB_CODE_LINK_LOST: IOTHUBI_SAY("the connection was lost");
    case IOTHUB_CODE_CONTRACT: IOTHUBI_SAY("a callback of the platform answered more than was asked");
    case IOTHUB_CODE_MALFORMED_PACKET: IOTHUBI_SAY("the hub sent a malformed packet");
    case IOTHUB_CODE_UNEXPECTED_PACKET: IOTHUBI_SAY("the hub sent a packet that is not allowed here");
    case IOTHUB_CODE_CONNACK_TIMEOUT: IOTHUBI_SAY("the hub did not answer CONNECT in time");
    case IOTHUB_CODE_CONNACK_REFUSED:
        if (error->raw == 1) {
            IOTHUBI_SAY("the hub does not speak MQTT 3.1.1 (CONNACK 1)");
        } else if (error->raw == 3) {
            IOTHUBI_SAY("the hub is unavailable (CONNACK 3)");
        }
        IOTHUBI_SAY("the hub refused the credentials: check device id, key and clock");
    case IOTHUB_CODE_PING_TIMEOUT: IOTHUBI_SAY("the hub fell silent");
    case IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT: IOTHUBI_SAY("the hub did not acknowledge a message in time");
    case IOTHUB_CODE_POSSIBLE_TAKEOVER: IOTHUBI_SAY("accepted and cut again and again: another client may use this identity, or a quota is spent");
    case IOTHUB_CODE_SUBSCRIPTION_TIMEOUT: IOTHUBI_SAY("the hub did not answer SUBSCRIBE in time");
    case IOTHUB_CODE_SUBSCRIPTION_REFUSED: IOTHUBI_SAY("the hub refused a subscription");
    case IOTHUB_CODE_MESSAGE_SKIPPED: IOTHUBI_SAY("a message found no room in the inbox");
    case IOTHUB_CODE_TWIN_SKIPPED: IOTHUBI_SAY("a twin document or patch found no room in the inbox");
    case IOTHUB_CODE_METHOD_SKIPPED: IOTHUBI_SAY("a method or its answer found no room, or nobody takes it");
    case IOTHUB_CODE_TWIN_REFUSED:
        if (error->raw == 408) {
            IOTHUBI_SAY("the hub did not answer a twin request");
        }
        IOTHUBI_SAY("the hub refused a twin request");
    case IOTHUB_CODE_POISON_MESSAGE: IOTHUBI_SAY("a message was given up: the connection was lost whenever it was sent");
    default: IOTHUBI_SAY("unknown error");
    }
}

#endif
