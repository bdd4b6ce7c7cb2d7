/* iothub_client.h - a complete Azure IoT Hub client in one C header; no allocator, no threads, no operating system.

   Public domain or MIT, your choice; see the LICENSE file. No warranty.

   DO THIS in exactly one C or C++ file, before you include the header there:

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"

   All other files include it without the #define.


   WHAT IT IS

   A device and module client for Azure IoT Hub with the public names of Microsoft's azure-iot-sdk-c, so that programs
   and documentation carry over. Nothing in here blocks, allocates, starts a thread or calls the operating system: you
   bring memory, one secured byte stream and a clock (IOTHUB_PLATFORM below; the folder ports/ has them ready made), and
   you call DoWork when you like. Every message that SendEventAsync accepts ends in exactly one confirmation.

   WHAT IT DOES NOT DO (today)

   Everything that a device and a module can do over MQTT 3.1.1 is here, on port 8883 and inside a WebSocket on 443:
   telemetry, cloud-to-device messages, module inputs and outputs, twins, direct methods, Plug and Play. Provisioning, file
   upload, AMQP and HTTPS are not in this version. There is no MQTT 5, no QoS 2, and no cryptography: TLS and HMAC-SHA256 come
   from the port (the one hash in here is the SHA-1 that WebSocket's handshake demands; it protects nothing).


   THE SHORTEST PROGRAM (examples/telemetry/telemetry.c is a complete one that compiles and runs as it stands)

       IoTHub_SetPlatform(&platform);                        your stream and clock, see Platform below
       hub = IoTHubDeviceClient_CreateFromConnectionString("HostName=...;DeviceId=...;SharedAccessKey=...", MQTT_Protocol);
       message = IoTHubMessage_CreateFromString("hello");
       IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, NULL);
       IoTHubMessage_Destroy(message);
       for (;;) {
           IoTHubDeviceClient_DoWork(hub);                   all work and all callbacks happen here
           sleep for IoTHubDeviceClient_GetNextWork(hub) milliseconds, or until the stream has bytes
       }
   The usual mistake is to forget DoWork: nothing happens without it, not even the first connection.


   LIFE OF A CLIENT

       stopped -> signing -> opening -> connecting -> ready -> draining -> stopped
         any failure -> waiting (retry policy) -> signing

   A new client connects with its first DoWork. It comes back from every failure by itself. It rests only when you
   called Stop, or when the retry policy gave up; SetRetryPolicy or Start leaves that rest. No answer of the hub is an end.

   LIFE OF A MESSAGE

       SendEventAsync -> queued -> offered to the stream -> sent -> acknowledged -> confirmed OK
         connection lost -> queued again, in its old place, marked DUP
         messageTimeout while queued -> confirmed MESSAGE_TIMEOUT;  Destroy -> confirmed BECAUSE_DESTROY

   SendEventAsync encodes the message into the outbox: that is the only copy, and the caller may destroy or change its
   message as soon as the call returns. A full outbox is an error code of that call (IOTHUB_CLIENT_ERROR, and
   GetLastError says OUTBOX_FULL), what can never fit is IOTHUB_CLIENT_INVALID_SIZE. Nothing accepted is ever dropped
   silently. QoS 1 is at least once: after a lost connection the hub may see a message a second time.


   LIFE OF A MESSAGE FROM THE CLOUD

       arrives -> callback -> ACCEPTED: acknowledged | REJECTED, ABANDONED: left to the hub, which sends it again
                  ASYNC_ACK: kept -> SendMessageDisposition -> the same;  connection lost meanwhile: the hub sends it again

   Nothing is acknowledged that you did not accept. What does not fit the inbox comes in pieces (SetPieceCallback), or is
   skipped in step with the stream, counted, told by GetLastError, and left to the hub.


   MEMORY

   A client lives in one block: its struct, its outbox, its inbox, its strings. There are two ways to get one:
     - the SDK's creators (IoTHubDeviceClient_CreateFromConnectionString, ...) take it from a pool in the implementation,
       and the platform from IoTHub_SetPlatform;
     - the ..._CreateInPlace creators (ours) take block, sizes and platform from you. IoTHub_ClientSize gives the exact
       number of bytes for a connection string, IOTHUB_CLIENT_SIZE a constant that is always enough.
   Creation with too little memory gives NULL, and GetLastError(NULL, ...) says how many bytes were missing.

   The outbox holds one record a message and the encoded messages themselves. The text options (product_info, model_id)
   are copied into it as well: set them before the first message. The inbox is where received bytes are parsed and where
   control packets are put together; with a SAS key it must also hold the text that is signed (host and ids, each character
   outside A-Z a-z 0-9 - _ . ~ three times, and 50 bytes), which creation checks. Features take their state from its end when
   they are first asked for; on a 32-bit machine messages take 68 bytes and 44 for each that may be kept (about one for each 256
   bytes of inbox, at least two), twins 64, methods 32, and 48 for each that may be answered later; methods also take a quarter of the
   outbox, for their answers. 512 bytes of inbox are enough for everything, on machines with 64-bit pointers 768; with a key whose
   text to sign is longer than 150 bytes as much more. INBOX_TOO_SMALL of the call that asks says what is missing. A message that is
   kept leaves the place for signing free; where the inbox is too small for both, the next connection waits until it is settled.

   CALLBACKS come only from DoWork, and the pending ones from Destroy (and what the option outbox_policy drops is confirmed
   in SendEventAsync). In a callback you may call every function
   but DoWork (a nested DoWork does nothing); Destroy in a callback takes effect when that DoWork returns. In the
   confirmations that come from Destroy every call on the handle is refused with an error.

   THREADS: one handle, one thread at a time. Programs with several define IOTHUB_LOCK() and IOTHUB_UNLOCK(): they wrap each
   public call and are let go around callbacks, open, read, write and close excepted.

   TIME: milliseconds are a wrapping 32-bit count, compared by subtraction only; call DoWork at least every 24 days.


   COMPILE-TIME SETTINGS (define them before the include with IOTHUB_IMPLEMENTATION)

       IOTHUB_STATIC               all functions are static; the header is used in one file only
       IOTHUB_DEF                  linkage of the public functions; default: extern
       IOTHUB_WEBSOCKET            with MQTT_WebSocket_Protocol
       IOTHUB_TRANSPORT_MQTT       default when no transport is named (the only one in this version)
       IOTHUB_POOL_CLIENTS         1       clients that the SDK's creators can make; 0 leaves these creators without memory
       IOTHUB_POOL_OUTBOX          2048    bytes of outbox of each of them
       IOTHUB_POOL_INBOX           2048    bytes of inbox of each of them
       IOTHUB_POOL_TEXT            512     bytes of connection string text of each of them
       IOTHUB_POOL_MESSAGES        4       messages that IoTHubMessage_Create... and Map_Create can make at a time
       IOTHUB_POOL_MESSAGE_SIZE    512     bytes of each: body, properties and a head of nine pointers
       IOTHUB_WORK_READS           4       reads of one DoWork
       IOTHUB_WORK_READ_SIZE       64      bytes of one read; together they bound the callbacks of one DoWork
       IOTHUB_WORK_WRITES          8       writes of one DoWork
       IOTHUB_TWIN_GETS            2       calls of GetTwinAsync that may wait at a time
       IOTHUB_CLOCK_MINIMUM        1704067200  unix_time below this (2024-01-01) counts as "clock unknown"
       IOTHUB_LOCK(), IOTHUB_UNLOCK()      empty
       IOTHUB_LOG(level, code, text)       empty; IOTHUB_LOG_..., an IOTHUB_CODE, a constant text. Never a secret.
       IOTHUB_NO_MODULE            devices only: ModuleId in a connection string is refused
       IOTHUB_NO_C2D, IOTHUB_NO_TWIN, IOTHUB_NO_METHODS    without the feature: its calls answer ERROR, and its state takes no room
       IOTHUB_NO_PROPERTIES        leaves the serializers and the deserializer of Plug and Play out
       IOTHUB_NO_OPTIONS           SetOption knows the port's options only; all others stay at their defaults
       IOTHUB_NO_STATISTICS        nothing is counted: GetStatistics tells the outbox's state only
       IOTHUB_FREE(pointer)        for method answers that the callback has from malloc; default: nothing
       IOTHUB_NO_TIME_H            no time.h: time_t is uint32_t
       IOTHUB_NO_STDINT_H, IOTHUB_NO_STDBOOL_H    for compilers without them; types are then derived from limits.h
       IOTHUB_CONST, IOTHUB_CONST_BYTE(at), IOTHUB_CONST_COPY(to, from, size)    constant text in program memory
       IOTHUB_MEMCPY, IOTHUB_MEMMOVE, IOTHUB_MEMSET, IOTHUB_MEMCMP, IOTHUB_STRLEN    default: those of string.h
*/

#if defined(IOTHUB_CLIENT_H) && !defined(IOTHUB_CLIENT_SINGLE_HEADER_H)
#error "azure-iot-sdk-c's iothub_client.h is included too: this header replaces it, take its include directory off the path"
#endif

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#define IOTHUB_CLIENT_SINGLE_HEADER_H

#define IOTHUB_CLIENT_VERSION_MAJOR 0
#define IOTHUB_CLIENT_VERSION_MINOR 1
#define IOTHUB_CLIENT_VERSION_PATCH 0
#define IOTHUB_CLIENT_VERSION "0.1.0"
#define IOTHUB_SDK_VERSION "1.15.0" /* the azure-iot-sdk-c whose API this header follows */

#include <stddef.h>

/* Types follow the headers that exist, never the language version, so that C89, C99 and C++ units of one program agree. */
#if defined(__has_include)
#if !__has_include(<stdint.h>) && !defined(IOTHUB_NO_STDINT_H)
#define IOTHUB_NO_STDINT_H
#endif
#if !__has_include(<stdbool.h>) && !defined(IOTHUB_NO_STDBOOL_H)
#define IOTHUB_NO_STDBOOL_H
#endif
#if !__has_include(<time.h>) && !defined(IOTHUB_NO_TIME_H)
#define IOTHUB_NO_TIME_H
#endif
#endif

#ifndef IOTHUB_NO_STDINT_H
#include <stdint.h>
#else
#include <limits.h>
typedef unsigned char uint8_t;
#if USHRT_MAX == 0xFFFF
typedef unsigned short uint16_t;
#else
#error "no 16-bit type: define uint16_t and uint32_t in a stdint.h of yours, without IOTHUB_NO_STDINT_H"
#endif
#if UINT_MAX == 0xFFFFFFFF
typedef unsigned int uint32_t;
#else
typedef unsigned long uint32_t;
#endif
#endif

#ifndef __cplusplus
#ifndef IOTHUB_NO_STDBOOL_H
#include <stdbool.h>
#else
typedef unsigned char bool;
#define true 1
#define false 0
#endif
#endif
#if defined(__GNUC__) && !defined(__cplusplus)
__extension__ typedef bool IOTHUB_BOOL;          /* bool, under a name that compilers in C89 mode do not warn about */
#else
typedef bool IOTHUB_BOOL;
#endif

#ifndef IOTHUB_NO_TIME_H
#include <time.h>                                /* time_t, for GetLastMessageReceiveTime alone */
#else
typedef uint32_t time_t;
#endif

#ifndef IOTHUB_DEF
#if defined(IOTHUB_STATIC) && (defined(__GNUC__) || defined(__clang__))
#define IOTHUB_DEF static __attribute__((__unused__))
#elif defined(IOTHUB_STATIC)
#define IOTHUB_DEF static
#else
#define IOTHUB_DEF extern
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Platform: what you bring ------------------------------------------------------------------------------------

   Rules of the stream:
   1. Nothing here may block. One public-key operation a call is allowed; a port says how long that is.
   2. No call asks for more than 32,767 bytes. Answering more than was asked is a dead stream, in every build.
   3. write may hold bytes back to fill a record; write of size 0 pushes what is held. DoWork pushes at the end of each flight.
   4. Bytes once offered to write stay the next bytes: after 0 or a short count the rest comes first.
   5. read answers 0 only when nothing that could be delivered is held here or below. Every call first moves what a
      filter holds, both ways.
   6. host stays valid until close. close is legal in every state, also while opening, and idempotent.
   7. After a failed open or a dead stream the client calls close before it calls open again. */

typedef struct IOTHUB_IO_TAG {                   /* one secured, ordered byte stream; nothing here may block */
    void *context;
    int  (*open )(void *context, const char *host, unsigned int port);  /* 1 open, 0 call again, <0 failed */
    int  (*read )(void *context, unsigned char *bytes, unsigned int capacity);   /* >0 bytes, 0 none now, <0 dead */
    int  (*write)(void *context, const unsigned char *bytes, unsigned int size); /* >0 taken, 0 none now, <0 dead */
    void (*close)(void *context);                /* legal in every state, also while opening; idempotent */
    int  (*set_option)(void *context, const char *name, const void *value);  /* optional: 0 taken, >0 unknown, <0 bad */
    int  (*error)(void *context, long *raw);     /* optional: IOTHUB_LAYER_* of the last failure, and the port's own code */
} IOTHUB_IO;

typedef struct IOTHUB_PLATFORM_TAG {
    IOTHUB_IO io;                                /* the hub connection */
    IOTHUB_IO transfer;                          /* optional second stream: file upload, edge method calls; one job at a time */
    void *context;                               /* for the functions below */
    uint32_t (*milliseconds)(void *context);     /* monotonic, counts through sleep if it can, may wrap */
    uint32_t (*unix_time)(void *context);        /* seconds since 1970 UTC; 0 while unknown */
    int  (*random)(void *context, unsigned char *bytes, unsigned int size);   /* 0 filled, <0 no entropy yet: wait */
    int  (*hmac_sha256)(void *context, const unsigned char *key, unsigned int key_size,
                        const unsigned char *data, unsigned int data_size, unsigned char digest[32]);
                                                 /* 0 done, 1 call again, <0 failed; key NULL: the port's own key */
    void (*wake)(void *context);                 /* optional: a call brought the next deadline nearer */
} IOTHUB_PLATFORM;

/* ---- HTTP proxy: a filter between TCP and TLS ----------------------------------------------------------------------

   A filter is a struct of yours that borrows the stream below and gives one. This one goes below TLS, where the proxy belongs:

       static IOTHUB_HTTP_PROXY proxy;
       iothub_bearssl_init(&tls, IoTHub_HttpProxyBegin(&proxy, iothub_posix_tcp(&posix)), &platform, buffer, sizeof buffer);

   Without options it passes everything through. With OPTION_HTTP_PROXY, from SetOption of the client or of the stream, it connects
   to the proxy, asks for CONNECT host:port and is open when the proxy answers 2xx. Any other answer is a failed open: error says
   IOTHUB_LAYER_PROXY, and raw is the HTTP status (407: credentials), or 0 when it was no HTTP. The one authentication is Basic: the
   password crosses the network to the proxy readable. It never goes to a log. */

typedef struct HTTP_PROXY_OPTIONS_TAG {          /* the struct is copied, its texts are kept until Destroy */
    const char *host_address;                    /* required: name or address of the proxy */
    int port;                                    /* 1 to 65535 */
    const char *username;                        /* both or neither; without ':' and control characters */
    const char *password;
} HTTP_PROXY_OPTIONS;

struct IOTHUB_HTTP_HEAD_TAG {                    /* how far the head of an HTTP answer was read */
    unsigned char state, at, names, byte, carriage_return;
    unsigned short length, status;
};

typedef struct IOTHUB_HTTP_PROXY_TAG {           /* place it anywhere; the fields are the filter's own */
    unsigned char state, layer;
    struct IOTHUB_HTTP_HEAD_TAG head;
    unsigned int port;
    const char *host;
    size_t sent;
    long raw;
    const IOTHUB_IO *below;
    HTTP_PROXY_OPTIONS options;
    IOTHUB_IO io;
} IOTHUB_HTTP_PROXY;

/* Answers the stream for TLS. Both structs are kept until the last client over them is destroyed. OPTION_HTTP_PROXY is refused while
   a connection is open or being opened; a NULL given to the stream's own set_option ends the use of the proxy. */
IOTHUB_DEF const IOTHUB_IO *IoTHub_HttpProxyBegin(IOTHUB_HTTP_PROXY *proxy, const IOTHUB_IO *below);

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

typedef enum IOTHUB_LAYER_TAG {
    IOTHUB_LAYER_NONE = 0,
    IOTHUB_LAYER_CONFIG,                         /* a connection string, an option, an argument */
    IOTHUB_LAYER_MEMORY,                         /* block, outbox, inbox or pool too small or full */
    IOTHUB_LAYER_TIME,                           /* the wall clock is unknown, or a token is past its time */
    IOTHUB_LAYER_ENTROPY,                        /* the port has no random bytes yet */
    IOTHUB_LAYER_DNS,                            /* name lookup */
    IOTHUB_LAYER_TCP,                            /* connect, reset, closed by the peer */
    IOTHUB_LAYER_PROXY,
    IOTHUB_LAYER_TLS,                            /* handshake or record, other than the next two */
    IOTHUB_LAYER_TLS_TRUST,                      /* the server's chain ends in no trusted root, or is not valid now */
    IOTHUB_LAYER_TLS_NAME,                       /* the certificate is not for this host name */
    IOTHUB_LAYER_PROTOCOL,                       /* the peer sent bytes that the protocol does not allow */
    IOTHUB_LAYER_HUB,                            /* the hub said no, fell silent or closed */
    IOTHUB_LAYER_PORT                            /* a callback of the platform broke its contract */
} IOTHUB_LAYER;

typedef enum IOTHUB_CODE_TAG {
    IOTHUB_CODE_NONE = 0,
    /* connection string or configuration; raw is the position in the string where that is known, else -1 */
    IOTHUB_CODE_STRING_SYNTAX,                   /* a part is not Key=Value */
    IOTHUB_CODE_HOST_NAME_MISSING,
    IOTHUB_CODE_DEVICE_ID_MISSING,
    IOTHUB_CODE_CREDENTIAL_MISSING,              /* none of SharedAccessKey, SharedAccessSignature, x509; a key may be misspelt */
    IOTHUB_CODE_CREDENTIAL_CONFLICT,             /* more than one of them */
    IOTHUB_CODE_HOST_NAME_INVALID,               /* empty, a strange character, or a port that is none */
    IOTHUB_CODE_DEVICE_ID_INVALID,               /* empty, over 128 bytes, or a character that IoT Hub or the transport forbids */
    IOTHUB_CODE_MODULE_ID_INVALID,
    IOTHUB_CODE_GATEWAY_HOST_NAME_INVALID,
    IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID, /* not "SharedAccessSignature sr=...&sig=...&se=..." */
    IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID,       /* not base64 (RFC 4648) */
    IOTHUB_CODE_X509_INVALID,                    /* only x509=true */
    IOTHUB_CODE_USE_PROVISIONING_INVALID,        /* UseProvisioning needs the provisioning client */
    IOTHUB_CODE_PROTOCOL_MISSING,                /* the transport is not compiled in, or NULL */
    /* platform and memory */
    IOTHUB_CODE_PLATFORM_MISSING,                /* no IoTHub_SetPlatform, or a required function is NULL */
    IOTHUB_CODE_PLATFORM_IN_USE,                 /* a platform serves one live handle at a time */
    IOTHUB_CODE_BLOCK_MISALIGNED,                /* the block must be aligned for a pointer */
    IOTHUB_CODE_BLOCK_TOO_SMALL,                 /* bytes_missing says how much */
    IOTHUB_CODE_INBOX_TOO_SMALL,                 /* bytes_missing says how much */
    IOTHUB_CODE_OUTBOX_TOO_SMALL,                /* bytes_missing says how much; also: the message can never fit */
    IOTHUB_CODE_OUTBOX_FULL,                     /* send again after a confirmation */
    IOTHUB_CODE_MESSAGE_TOO_LARGE,               /* over 262,144 bytes, or a topic over 65,535: the hub would close */
    IOTHUB_CODE_POOL_EMPTY,                      /* IOTHUB_POOL_CLIENTS or IOTHUB_POOL_MESSAGES are in use */
    IOTHUB_CODE_POOL_TOO_SMALL,                  /* IOTHUB_POOL_TEXT; bytes_missing says how much */
    IOTHUB_CODE_OPTION_INVALID,                  /* the value is out of its range, or cannot be set now */
    IOTHUB_CODE_PROPERTIES_INVALID,              /* a deserializer's payload: no JSON, or no "$version" that fits an int */
    /* waiting for something */
    IOTHUB_CODE_CLOCK_UNKNOWN,                   /* a SAS key needs the time; the client waits for unix_time */
    IOTHUB_CODE_TOKEN_EXPIRED,                   /* the supplied token is past its se; set "sas_token" */
    IOTHUB_CODE_NO_ENTROPY,                      /* the client waits for random */
    IOTHUB_CODE_HMAC_FAILED,
    /* connection; raw is the port's own code where the layer is below MQTT */
    IOTHUB_CODE_OPEN_FAILED,
    IOTHUB_CODE_OPEN_TIMEOUT,
    IOTHUB_CODE_LINK_LOST,                       /* read or write said dead */
    IOTHUB_CODE_CONTRACT,                        /* a callback answered more than was asked */
    IOTHUB_CODE_MALFORMED_PACKET,
    IOTHUB_CODE_UNEXPECTED_PACKET,
    IOTHUB_CODE_CONNACK_TIMEOUT,
    IOTHUB_CODE_CONNACK_REFUSED,                 /* raw is the return code, 1 to 5 */
    IOTHUB_CODE_PING_TIMEOUT,
    IOTHUB_CODE_ACKNOWLEDGEMENT_TIMEOUT,         /* the oldest message was not acknowledged in time */
    IOTHUB_CODE_SUBSCRIPTION_TIMEOUT,            /* the hub did not answer SUBSCRIBE in time */
    IOTHUB_CODE_POSSIBLE_TAKEOVER,               /* three accepted connections in a row were lost within a minute */
    IOTHUB_CODE_POISON_MESSAGE,                  /* option "poison_limit": a message was given up, see its confirmation */
    /* features; the connection goes on */
    IOTHUB_CODE_SUBSCRIPTION_REFUSED,            /* raw: 1 messages, 2 twin answers, 4 twin patches, 8 methods; asked for again after a minute */
    IOTHUB_CODE_MESSAGE_SKIPPED,                 /* no room for a message in the inbox; bytes_missing says how much */
    IOTHUB_CODE_TWIN_SKIPPED,                    /* no room for a twin document or patch; bytes_missing says how much */
    IOTHUB_CODE_METHOD_SKIPPED,                  /* no room for a method or its answer; bytes_missing says how much */
    IOTHUB_CODE_TWIN_REFUSED                     /* raw is the status of a GET or PATCH, 408: no answer; retry_after_s */
} IOTHUB_CODE;

typedef struct IOTHUB_ERROR_TAG {
    IOTHUB_LAYER layer;
    IOTHUB_CODE code;
    long raw;                                    /* the port's own code, a return code, or a position; 0: none */
    size_t bytes_missing;                        /* for the codes that say so */
    uint32_t retry_after_s;                      /* seconds until the next attempt that is already planned; 0: none, or now */
    IOTHUB_BOOL retryable;                       /* the client goes on by itself, or the same call may succeed later; true with NONE */
} IOTHUB_ERROR;

/* A short English sentence for an error; never NULL, static, without secrets. (Where constant text lies in program memory, on an AVR,
   it is a copy that stays until the next call; the same goes for each function of MU_ENUM_TO_STRING.) */
IOTHUB_DEF const char *IoTHub_ErrorText(const IOTHUB_ERROR *error);

#define IOTHUB_LOG_ERROR 0
#define IOTHUB_LOG_INFO 1
#define IOTHUB_LOG_TRACE 2                       /* only while the option logtrace is true */

/* ---- Types and values of azure-iot-sdk-c ------------------------------------------------------------------------- */

typedef enum IOTHUB_CLIENT_RESULT_TAG {
    IOTHUB_CLIENT_OK = 0,
    IOTHUB_CLIENT_INVALID_ARG,                   /* NULL or out of range */
    IOTHUB_CLIENT_ERROR,                         /* everything else; GetLastError says what */
    IOTHUB_CLIENT_INVALID_SIZE,                  /* can never fit: message over the limit or larger than the outbox */
    IOTHUB_CLIENT_INDEFINITE_TIME
} IOTHUB_CLIENT_RESULT;

typedef enum IOTHUB_CLIENT_RETRY_POLICY_TAG {    /* n counts attempts since a lasting connection; W, M: see SetRetryPolicy */
    IOTHUB_CLIENT_RETRY_NONE = 0,                /* connect once; after a loss rest */
    IOTHUB_CLIENT_RETRY_IMMEDIATE,               /* 0 */
    IOTHUB_CLIENT_RETRY_INTERVAL,                /* W */
    IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF,          /* min(M, W * n) */
    IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF,     /* min(M, W * 2^(n-1)) */
    IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, /* default: uniform(0, min(M, W * 2^n)) */
    IOTHUB_CLIENT_RETRY_RANDOM                   /* uniform(0, W) */
} IOTHUB_CLIENT_RETRY_POLICY;

typedef enum IOTHUB_CLIENT_STATUS_TAG {
    IOTHUB_CLIENT_SEND_STATUS_IDLE = 0,          /* every accepted message is confirmed */
    IOTHUB_CLIENT_SEND_STATUS_BUSY
} IOTHUB_CLIENT_STATUS;

typedef enum IOTHUB_CLIENT_CONFIRMATION_RESULT_TAG {
    IOTHUB_CLIENT_CONFIRMATION_OK = 0,           /* acknowledged by the hub (QoS 0: taken by the stream) */
    IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY,
    IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT,
    IOTHUB_CLIENT_CONFIRMATION_ERROR             /* only with the option "poison_limit": the hub closes whenever it gets this message */
} IOTHUB_CLIENT_CONFIRMATION_RESULT;

typedef enum IOTHUB_CLIENT_CONNECTION_STATUS_TAG {
    IOTHUB_CLIENT_CONNECTION_AUTHENTICATED = 0,
    IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED
} IOTHUB_CLIENT_CONNECTION_STATUS;

typedef enum IOTHUB_CLIENT_CONNECTION_STATUS_REASON_TAG { /* with UNAUTHENTICATED, unless it says otherwise */
    IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN = 0, /* planned renewal, or a supplied token is past its se */
    IOTHUB_CLIENT_CONNECTION_DEVICE_DISABLED,    /* CONNACK 3 */
    IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL,     /* CONNACK 2, 4, 5 */
    IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED,      /* the retry policy gave up */
    IOTHUB_CLIENT_CONNECTION_NO_NETWORK,         /* open failed (name, TCP, TLS), or the link was lost */
    IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR, /* no CONNACK, another CONNACK, no acknowledgement, illegal bytes; POSSIBLE_TAKEOVER, POISON_MESSAGE */
    IOTHUB_CLIENT_CONNECTION_OK,                 /* with AUTHENTICATED; with UNAUTHENTICATED after Stop */
    IOTHUB_CLIENT_CONNECTION_NO_PING_RESPONSE,
    IOTHUB_CLIENT_CONNECTION_QUOTA_EXCEEDED      /* AMQP only */
} IOTHUB_CLIENT_CONNECTION_STATUS_REASON;

typedef enum IOTHUBMESSAGE_DISPOSITION_RESULT_TAG {     /* what becomes of a message from the hub */
    IOTHUBMESSAGE_ACCEPTED = 0,                  /* done with it: MQTT acknowledges it */
    IOTHUBMESSAGE_REJECTED,                      /* MQTT cannot say so: it stays unacknowledged, the hub sends it again until it expires */
    IOTHUBMESSAGE_ABANDONED,                     /* as REJECTED */
    IOTHUBMESSAGE_ASYNC_ACK                      /* from a callback only: kept until SendMessageDisposition */
} IOTHUBMESSAGE_DISPOSITION_RESULT;

typedef enum DEVICE_TWIN_UPDATE_STATE_TAG {
    DEVICE_TWIN_UPDATE_COMPLETE = 0,             /* {"desired":{...},"reported":{...}} */
    DEVICE_TWIN_UPDATE_PARTIAL                   /* a patch of desired: {...,"$version":n} */
} DEVICE_TWIN_UPDATE_STATE;

typedef enum IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE_TAG {  /* the same two, for Plug and Play */
    IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL = 0,
    IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES
} IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE;

typedef enum IOTHUB_MESSAGE_RESULT_TAG {
    IOTHUB_MESSAGE_OK = 0,
    IOTHUB_MESSAGE_INVALID_ARG,
    IOTHUB_MESSAGE_INVALID_TYPE,                 /* a property name or value outside 0x20..0x7E */
    IOTHUB_MESSAGE_ERROR,                        /* the message's room is used up */
    IOTHUB_MESSAGE_BECAUSE_DESTROY
} IOTHUB_MESSAGE_RESULT;

typedef enum IOTHUBMESSAGE_CONTENT_TYPE_TAG {
    IOTHUBMESSAGE_BYTEARRAY = 0,
    IOTHUBMESSAGE_STRING,
    IOTHUBMESSAGE_UNKNOWN                        /* NULL handle */
} IOTHUBMESSAGE_CONTENT_TYPE;

typedef enum MAP_RESULT_TAG {
    MAP_RESULT_INVALID = 0,                      /* never returned; MAP_OK is 1, as in the SDK */
    MAP_OK,
    MAP_ERROR,                                   /* no room */
    MAP_INVALIDARG,
    MAP_KEYEXISTS,
    MAP_KEYNOTFOUND,
    MAP_FILTER_REJECT
} MAP_RESULT;

typedef struct IOTHUB_DEVICE_CLIENT_TAG *IOTHUB_DEVICE_CLIENT_HANDLE;
typedef struct IOTHUB_MODULE_CLIENT_TAG *IOTHUB_MODULE_CLIENT_HANDLE;
typedef IOTHUB_DEVICE_CLIENT_HANDLE IOTHUB_DEVICE_CLIENT_LL_HANDLE;
typedef IOTHUB_MODULE_CLIENT_HANDLE IOTHUB_MODULE_CLIENT_LL_HANDLE;
typedef struct IOTHUB_MESSAGE_HANDLE_DATA_TAG *IOTHUB_MESSAGE_HANDLE;
typedef struct MAP_HANDLE_DATA_TAG *MAP_HANDLE;
typedef struct TRANSPORT_PROVIDER_TAG TRANSPORT_PROVIDER;
typedef const TRANSPORT_PROVIDER *(*IOTHUB_CLIENT_TRANSPORT_PROVIDER)(void);
typedef uint32_t tickcounter_ms_t;               /* value type of messageTimeout and do_work_freq_ms; 64 bits in the SDK */

typedef void (*IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK)(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK)(IOTHUB_CLIENT_CONNECTION_STATUS result,
    IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *userContextCallback);
typedef int (*MAP_FILTER_CALLBACK)(const char *mapProperty, const char *mapValue); /* non-zero rejects */
typedef IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK IOTHUB_CLIENT_TELEMETRY_CALLBACK;

/* Everything that a callback below is handed is lent: it is valid until the callback returns. */
typedef void *METHOD_HANDLE;                     /* one method call that waits for its answer */
typedef IOTHUBMESSAGE_DISPOSITION_RESULT (*IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC)(IOTHUB_MESSAGE_HANDLE message, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK)(DEVICE_TWIN_UPDATE_STATE update_state, const unsigned char *payLoad,
    size_t size, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_REPORTED_STATE_CALLBACK)(int status_code, void *userContextCallback);
typedef int (*IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC)(const char *method_name, const unsigned char *payload, size_t size,
    unsigned char **response, size_t *response_size, void *userContextCallback);
typedef int (*IOTHUB_CLIENT_INBOUND_DEVICE_METHOD_CALLBACK)(const char *method_name, const unsigned char *payload, size_t size,
    METHOD_HANDLE method_id, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_PROPERTY_ACKNOWLEDGED_CALLBACK)(int statusCode, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK)(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE payloadType,
    const unsigned char *payload, size_t payloadLength, void *userContextCallback);

#define IOTHUB_CLIENT_COMMAND_REQUEST_STRUCT_VERSION_1 1
#define IOTHUB_CLIENT_COMMAND_RESPONSE_STRUCT_VERSION_1 1

typedef struct IOTHUB_CLIENT_COMMAND_REQUEST_TAG {
    int structVersion;                           /* 1 */
    const char *componentName;                   /* NULL: the root component */
    const char *commandName;
    const unsigned char *payload;                /* not NUL-terminated */
    size_t payloadLength;
} IOTHUB_CLIENT_COMMAND_REQUEST;

typedef struct IOTHUB_CLIENT_COMMAND_RESPONSE_TAG {
    int structVersion;                           /* 1 */
    unsigned char *payload;                      /* yours, valid until the callback returns; NULL: the answer is empty */
    size_t payloadLength;
    int statusCode;                              /* 500 unless you set it */
} IOTHUB_CLIENT_COMMAND_RESPONSE;

typedef void (*IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC)(const IOTHUB_CLIENT_COMMAND_REQUEST *commandRequest,
    IOTHUB_CLIENT_COMMAND_RESPONSE *commandResponse, void *userContextCallback);

/* Ours: a body that is too large for the inbox comes in pieces, as they arrive. */
typedef enum IOTHUB_PIECE_KIND_TAG {
    IOTHUB_PIECE_OF_MESSAGE = 0,                 /* cloud-to-device, or to a module's input */
    IOTHUB_PIECE_OF_TWIN,                        /* DEVICE_TWIN_UPDATE_COMPLETE */
    IOTHUB_PIECE_OF_PATCH,                       /* DEVICE_TWIN_UPDATE_PARTIAL */
    IOTHUB_PIECE_OF_METHOD
} IOTHUB_PIECE_KIND;

typedef enum IOTHUB_PIECE_STATE_TAG {
    IOTHUB_PIECE_MORE = 0,                       /* others follow */
    IOTHUB_PIECE_LAST,
    IOTHUB_PIECE_CUT                             /* no bytes: the connection was lost, forget what came of it */
} IOTHUB_PIECE_STATE;

typedef struct IOTHUB_PIECE_TAG {
    IOTHUB_PIECE_KIND kind;
    IOTHUB_PIECE_STATE state;
    const unsigned char *bytes;
    size_t size;
    uint32_t offset;                             /* of the first of them in the body */
    uint32_t total;                              /* bytes of the whole body */
    IOTHUB_MESSAGE_HANDLE message;               /* of a message: its properties; it has no body of its own */
    METHOD_HANDLE method;                        /* of a method: answer it with DeviceMethodResponse, during the last piece or later */
    const char *method_name;
} IOTHUB_PIECE;

/* The answer counts with the last piece of a message: ACCEPTED or not. ASYNC_ACK keeps its properties until SendMessageDisposition. */
typedef IOTHUBMESSAGE_DISPOSITION_RESULT (*IOTHUB_CLIENT_PIECE_CALLBACK)(const IOTHUB_PIECE *piece, void *userContextCallback);

/* Ours: asked for before each attempt that follows a refused one: another SharedAccessKey (base64), or another token for an
   identity with one; NULL keeps the present one. The text is read before the callback is called again. refusals: in a row. */
typedef const char *(*IOTHUB_CLIENT_CREDENTIAL_CALLBACK)(unsigned int refusals, void *userContextCallback);

typedef struct IOTHUB_CLIENT_CONFIG_TAG {
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol;   /* required: MQTT_Protocol */
    const char *deviceId;                        /* required, 1 to 128 bytes */
    const char *deviceKey;                       /* base64; NULL with a NULL token means X.509 */
    const char *deviceSasToken;                  /* ready-made token; not together with deviceKey */
    const char *iotHubName;                      /* required: the host name up to its first dot */
    const char *iotHubSuffix;                    /* the rest of it; NULL or "" for a host without a dot; may end in :port */
    const char *protocolGatewayHostName;         /* host to dial instead; may be NULL, may end in :port */
} IOTHUB_CLIENT_CONFIG;

typedef struct IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA_TAG {
    char *diagnosticId;                          /* 8 characters 0-9 a-z when the client makes it */
    char *diagnosticCreationTimeUtc;             /* seconds since 1970, decimal */
} IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA, *IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA_HANDLE;

/* The transport, passed uncalled to a creator: MQTT 3.1.1 over TLS, port 8883 unless the host name ends in :port. */
IOTHUB_DEF const TRANSPORT_PROVIDER *MQTT_Protocol(void);
/* The same inside a WebSocket (RFC 6455), port 443, with IOTHUB_WEBSOCKET; without it the creators answer PROTOCOL_MISSING. */
IOTHUB_DEF const TRANSPORT_PROVIDER *MQTT_WebSocket_Protocol(void);

/* ---- Process ----------------------------------------------------------------------------------------------------- */

IOTHUB_DEF int IoTHub_Init(void);                /* always 0; kept for programs that call it */
IOTHUB_DEF void IoTHub_Deinit(void);
IOTHUB_DEF const char *IoTHubClient_GetVersionString(void); /* IOTHUB_CLIENT_VERSION */

/* The platform for the SDK's creators; borrowed until the clients made from it are destroyed. */
IOTHUB_DEF void IoTHub_SetPlatform(const IOTHUB_PLATFORM *platform);

/* ---- Memory for clients placed by the caller --------------------------------------------------------------------- */

#define IOTHUB_INBOX_MINIMUM 64u
#define IOTHUB_CLIENT_STRUCT_BOUND (336u + 58u * sizeof(void *))

/* Enough for any client whose connection string has so many characters; a constant. */
#define IOTHUB_CLIENT_SIZE(string_length, outbox_size, inbox_size) \
    (IOTHUB_CLIENT_STRUCT_BOUND + (string_length) + 8u + (outbox_size) + (inbox_size))

/* What MQTT_WebSocket_Protocol takes besides. */
#define IOTHUB_WEBSOCKET_SIZE (168u + 10u * sizeof(void *))

/* Declares a block, aligned, for IOTHUB_MEMORY: IOTHUB_CLIENT_BLOCK(static, my_block, IOTHUB_CLIENT_SIZE(200, 1024, 256)); */
#define IOTHUB_CLIENT_BLOCK(storage_class, name, size) \
    storage_class union { void *align_pointer; unsigned long align_long; unsigned char bytes[size]; } name

typedef struct IOTHUB_MEMORY_TAG {
    void *block;                                 /* kept until Destroy; aligned for a pointer */
    size_t block_size;                           /* bytes; more than needed is left alone */
    size_t outbox_size;                          /* bytes of the block for records and encoded messages */
    size_t inbox_size;                           /* bytes of the block for received bytes; at least IOTHUB_INBOX_MINIMUM */
    unsigned int outbox_messages;                /* records: so many messages at a time; 0: one for each 256 bytes of outbox */
} IOTHUB_MEMORY;

/* The exact bytes that a client with this connection string and these sizes takes; 0 when the string is wrong
   (GetLastError(NULL, ...) says why). protocol as for the creators. */
IOTHUB_DEF size_t IoTHub_ClientSize(const char *connectionString, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol,
    size_t outbox_size, size_t inbox_size);

/* ---- Statistics: counted since creation, wrapping ---------------------------------------------------------------- */

typedef struct IOTHUB_STATISTICS_TAG {
    uint32_t accepted;                           /* SendEventAsync answered OK; = the next four and messages_waiting */
    uint32_t confirmed_ok;                       /* in the order of IOTHUB_CLIENT_CONFIRMATION_RESULT */
    uint32_t confirmed_destroy;
    uint32_t confirmed_timeout;
    uint32_t confirmed_error;
    uint32_t refused;                            /* SendEventAsync answered an error for want of room */
    uint32_t sent;                               /* messages whose last byte the stream took, repeats included */
    uint32_t repeated;                           /* of these, marked DUP */
    uint32_t acknowledgements_unknown;           /* acknowledgements for nothing that waited for one */
    uint32_t received;                           /* messages, methods, documents and patches given to the application, whole or in pieces */
    uint32_t received_unhandled;                 /* messages from the hub left unacknowledged: nobody asked for them */
    uint32_t received_skipped;                   /* what found no room in the inbox */
    uint32_t dropped;                            /* messages dropped by the outbox policy; also in confirmed_error */
    uint32_t attempts;                           /* calls of open for a new connection */
    uint32_t connections;                        /* accepted by the hub */
    uint32_t renewals;                           /* planned reconnects */
    uint32_t pings;
    uint32_t bytes_read;                         /* clear text */
    uint32_t bytes_written;
    uint32_t messages_waiting;                   /* in the outbox now, acknowledged ones excepted */
    uint32_t messages_in_flight;                 /* of these, sent on this connection and not acknowledged */
    uint32_t outbox_used;                        /* bytes now */
    uint32_t outbox_capacity;                    /* bytes for encoded messages */
} IOTHUB_STATISTICS;

/* ---- Options (SetOption): azure-iot-sdk-c's, with the type that value points to ------------------------------------

   Numbers are pointed to (int v = 120; SetOption(h, OPTION_KEEP_ALIVE, &v)), text is the pointer itself. NULL arguments are
   INVALID_ARG. A name that neither the client nor the port knows is INVALID_ARG, a value that is refused is ERROR.
   [*] asks for a planned reconnect when a connection is open.  [c] only while no connection is open or being opened. */

#define OPTION_MESSAGE_TIMEOUT "messageTimeout"                  /* tickcounter_ms_t: age limit of messages still queued; 0 off; later sends only */
#define OPTION_PRODUCT_INFO "product_info"                       /* text, copied [c]: sent as DeviceClientType */
#define OPTION_MODEL_ID "model_id"                               /* text, copied, once [c]: Plug and Play model (DTMI) */
#define OPTION_RETRY_INTERVAL_SEC "retry_interval_sec"           /* unsigned int: W, at least 1 */
#define OPTION_RETRY_MAX_DELAY_SECS "retry_max_delay_secs"       /* unsigned int: M for every kind of failure, at least 1 */
#define OPTION_LOG_TRACE "logtrace"                              /* bool: IOTHUB_LOG names each packet; "rawlogtrace" is the same here */
#define OPTION_KEEP_ALIVE "keepalive"                            /* int: seconds, 0 (off) to 1177; default 180 [*] */
#define OPTION_CONNECTION_TIMEOUT "connect_timeout"              /* int: seconds to wait for CONNACK; default 60 */
#define OPTION_SAS_TOKEN_LIFETIME "sas_token_lifetime"           /* size_t: seconds, at least 5; default 3600; the next token has it */
#define OPTION_SAS_TOKEN_REFRESH_TIME "sas_token_refresh_time"   /* the same setting under its second name */
#define OPTION_AUTO_URL_ENCODE_DECODE "auto_url_encode_decode"   /* bool: see SendEventAsync; later sends only */
#define OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE "diag_sampling_percentage" /* uint32_t: 0 to 100 */
#define OPTION_DO_WORK_FREQUENCY_IN_MS "do_work_freq_ms"         /* tickcounter_ms_t: 1 to 100, accepted and without effect: you call DoWork */
/* These go to the port, as every unknown name does; what it makes of them stands in its README. */
#define OPTION_TRUSTED_CERT "TrustedCerts"                       /* text, kept until Destroy: root certificates, PEM */
#define OPTION_X509_CERT "x509certificate"                       /* text, kept until Destroy: client chain, PEM; x509 identities only */
#define OPTION_X509_PRIVATE_KEY "x509privatekey"                 /* text, kept until Destroy; x509 identities only */
#define OPTION_X509_ECC_CERT "x509EccCertificate"
#define OPTION_X509_ECC_KEY "x509EccAliasKey"
#define OPTION_HTTP_PROXY "proxy_data"                           /* HTTP_PROXY_OPTIONS, copied [c]: see HTTP proxy, whose filter takes it */
#define OPTION_OPENSSL_CIPHER_SUITE "CipherSuite"
#define OPTION_OPENSSL_ENGINE "Engine"
#define OPTION_OPENSSL_PRIVATE_KEY_TYPE "x509PrivatekeyType"     /* OPTION_OPENSSL_KEY_TYPE */
#define OPTION_NET_INT_MAC_ADDRESS "net_interface_mac_address"
#define OPTION_SET_TLS_RENEGOTIATION "tls_renegotiation"
#define OPTION_TLS_VERSION "tls_version"
#define OPTION_WOLFSSL_SET_DEVICE_ID "SetDeviceId"
#define SU_OPTION_X509_CERT OPTION_X509_CERT
#define SU_OPTION_X509_PRIVATE_KEY OPTION_X509_PRIVATE_KEY
typedef enum OPTION_OPENSSL_KEY_TYPE_TAG { KEY_TYPE_DEFAULT = 0, KEY_TYPE_ENGINE } OPTION_OPENSSL_KEY_TYPE;
/* Ours. */
#define IOTHUB_OPTION_QOS "qos"                                  /* int: 1 (default) or 0; later sends only */
#define IOTHUB_OPTION_CLEAN_SESSION "clean_session"              /* bool: default false [*] */
#define IOTHUB_OPTION_PING_TIMEOUT "ping_timeout"                /* unsigned int: seconds; default 60 */
#define IOTHUB_OPTION_ACKNOWLEDGEMENT_TIMEOUT "acknowledgement_timeout" /* unsigned int: seconds; default 120 */
#define IOTHUB_OPTION_OPEN_TIMEOUT "open_timeout"                /* unsigned int: seconds for name, TCP and TLS; default 60 */
#define IOTHUB_OPTION_IN_FLIGHT "in_flight"                      /* unsigned int: unacknowledged messages at most; default 64 */
#define IOTHUB_OPTION_PIPELINED_START "pipelined_start"          /* bool: messages in the flight of CONNECT; default true */
#define IOTHUB_OPTION_POISON_LIMIT "poison_limit"                /* unsigned int: connections lost while one message alone was unacknowledged,
                                                                    until it is confirmed ERROR; at most 255; default 0: never */
#define IOTHUB_OPTION_OUTBOX_POLICY "outbox_policy"              /* int: what a full outbox does, IOTHUB_OUTBOX_... */
#define IOTHUB_OPTION_OVERSIZE_LIMIT "oversize_limit"            /* unsigned int: a message that does not fit is acknowledged, and lost,
                                                                    when it comes for the so-manieth time; default 0: never */
#define IOTHUB_OPTION_SAS_TOKEN "sas_token"                      /* text, kept until a connection with a later one, or Destroy: the next supplied token [*] */
#define IOTHUB_OPTION_WILL "will"                                /* IOTHUB_MESSAGE_HANDLE itself, kept until Destroy, unchanged [c] */

/* The outbox policies. What is dropped is confirmed ERROR, within the call of SendEventAsync that found the outbox full. */
#define IOTHUB_OUTBOX_REJECT 0                   /* default: the call answers ERROR, OUTBOX_FULL */
#define IOTHUB_OUTBOX_DROP_OLDEST 1              /* the oldest go, unless the hub owes their acknowledgement, or they are the twin's: then REJECT */
#define IOTHUB_OUTBOX_DROP_NEWEST 2              /* the new message goes: the call answers OK */

/* ---- Device client -----------------------------------------------------------------------------------------------

   Each function is there for modules too (next section), and under its _LL_ name (the section after). */

/* Keys, exact case, any order: HostName[:port], DeviceId, ModuleId, GatewayHostName[:port], and exactly one of SharedAccessKey,
   SharedAccessSignature, x509=true. Unknown keys are skipped; a repeated key counts with its last value, but each must be right.
   The port goes to open only, never into SAS audience or user name. The string is copied. NULL on failure: GetLastError(NULL, ...). */
IOTHUB_DEF IOTHUB_DEVICE_CLIENT_HANDLE IoTHubDeviceClient_CreateFromConnectionString(const char *connectionString,
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol);
IOTHUB_DEF IOTHUB_DEVICE_CLIENT_HANDLE IoTHubDeviceClient_Create(const IOTHUB_CLIENT_CONFIG *config); /* copied */

/* Ours: block, sizes and platform from the caller. memory itself is read during the call only; its block and the platform
   are kept until Destroy. */
IOTHUB_DEF IOTHUB_DEVICE_CLIENT_HANDLE IoTHubDeviceClient_CreateInPlace(const char *connectionString,
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol, const IOTHUB_PLATFORM *platform, const IOTHUB_MEMORY *memory);
IOTHUB_DEF IOTHUB_DEVICE_CLIENT_HANDLE IoTHubDeviceClient_CreateInPlaceFromConfig(const IOTHUB_CLIENT_CONFIG *config,
    const IOTHUB_PLATFORM *platform, const IOTHUB_MEMORY *memory);

/* Sends DISCONNECT once if that is possible at once, closes the stream, then confirms what is left BECAUSE_DESTROY, in order
   of acceptance. It does not wait: call Stop and DoWork first to let acknowledgements land. NULL is ignored. */
IOTHUB_DEF void IoTHubDeviceClient_Destroy(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle);

/* Encodes the message into the outbox and returns; the caller keeps its message. OK: one confirmation will come (a NULL callback
   with a NULL context is fire and forget). INVALID_ARG: a NULL handle or message, or a context without a callback.
   INVALID_SIZE: it can never fit. ERROR: no room now; send again after a confirmation.
   Properties are percent-encoded as UTF-8 (keeping A-Z a-z 0-9 - _ . ~), keys and values. While auto_url_encode_decode is
   false (default) an escape that is already there (%2f) stays as it is, so that programs which encode by themselves, as
   the SDK's samples do, come out right; when it is true every byte is taken literally and a % becomes %25. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SendEventAsync(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle, IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback,
    void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_GetSendStatus(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_STATUS *iotHubClientStatus);

/* NULL clears. The present state is not reported on registration; every event is passed on as it happens. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetConnectionStatusCallback(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK connectionStatusCallback, void *userContextCallback);

/* W is 1 s for the exponential policies, else 5 s; M is 30 s. The default policy has an M of its own: 135 s while the hub is
   not reached, and once it answers and refuses or cuts 30 s, doubled each time up to 300 s; and after a refused CONNECT it
   draws from 0 to M at once. Options change W and M (a fleet of more than 10,000 devices on one S1 hub wants an M of 1.3 s
   for each hundred of them), SetRetryPolicy resets them. The counts start again after a connection that lasted 60 s and at least
   its last delay. When the first failure since the hub last accepted a connection lies retryTimeoutLimitInSeconds back (0: no
   limit) the client gives up: RETRY_EXPIRED, and it rests. A planned renewal is no failure and asks no policy. An unknown
   policy is INVALID_ARG. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetRetryPolicy(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_RETRY_POLICY retryPolicy, size_t retryTimeoutLimitInSeconds);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_GetRetryPolicy(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_RETRY_POLICY *retryPolicy, size_t *retryTimeoutLimitInSeconds);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetOption(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    const char *optionName, const void *value);

/* Reads, dispatches, judges deadlines, writes; bounded, never blocks, never loops on the stream. NULL is ignored. */
IOTHUB_DEF void IoTHubDeviceClient_DoWork(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle);

/* Ours: milliseconds until DoWork has something to do even if nothing arrives: 0 when the last call stopped at its budget, at
   most 10 while opening or while output waits. Call it after DoWork. A stream with bytes to read wants DoWork sooner. */
IOTHUB_DEF uint32_t IoTHubDeviceClient_GetNextWork(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle);

/* Ours: the last error of the handle, or with NULL that of the last creation that failed. INVALID_ARG when error is NULL. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_GetLastError(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle, IOTHUB_ERROR *error);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_GetStatistics(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_STATISTICS *statistics);

/* Ours: Stop lets acknowledgements land (at most 10 s), sends DISCONNECT and closes, all in DoWork; queued messages stay. Start
   connects again with the next DoWork. A new client is started. Both are OK in every state. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_Stop(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_Start(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle);

/* ---- Cloud-to-device messages, twins, methods (device client; the module names stand behind them) -------------------

   Setting a callback asks for the feature; NULL gives it up (ERROR when none was set, as in the SDK, twins excepted). What is
   wanted is subscribed in the flight of CONNECT, and anew after each reconnect. A subscription that the hub refuses is told by
   GetLastError (SUBSCRIPTION_REFUSED) and asked for again after a minute. Each feature takes some of the inbox when it is first
   asked for (INBOX_TOO_SMALL): ask before the first DoWork, so that nothing else lies there.

   Messages. The callback's answer settles a message: ACCEPTED acknowledges it. ASYNC_ACK keeps it, with its handle, until
   SendMessageDisposition: any disposition but ASYNC_ACK releases it, ACCEPTED acknowledges it as well. Acknowledgements leave in
   the order in which the messages came [MQTT-4.6.0-2]; an accepted one waits at most 30 s for earlier ones that are undecided.
   After a lost connection a kept message can still be read and must still be settled; that releases it, and acknowledges
   nothing: the hub sends it again. A handle that is settled already is INVALID_ARG (handles are given in turn, about one for
   each 256 bytes of inbox, at least two: a very old one may name another message by then). Without a callback, and when it finds
   no room, a message stays unacknowledged with the hub.
   Names and values of properties are percent-decoded; an escape that is none stays as it is. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetMessageCallback(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC messageCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SendMessageDisposition(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_MESSAGE_HANDLE message, IOTHUBMESSAGE_DISPOSITION_RESULT disposition);
/* When the last message came, by unix_time; INDEFINITE_TIME before the first. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_GetLastMessageReceiveTime(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    time_t *lastMessageReceiveTime);

/* Twins. The callback gets one COMPLETE document after each connect, then each patch of the desired properties, in the order of
   their versions and without a gap: after a gap a new COMPLETE comes. A GET that the hub refuses (429, 5xx) is told by
   GetLastError (TWIN_REFUSED, raw is the status) and repeated after the time that the hub asks for. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetDeviceTwinCallback(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK deviceTwinCallback, void *userContextCallback);
/* One COMPLETE document for this callback; with NULL and 0 when the hub refuses it, when it does not answer within 60 s of a
   connection, when it does not fit, and at Destroy. At most IOTHUB_TWIN_GETS wait at a time (ERROR). */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_GetTwinAsync(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK deviceTwinCallback, void *userContextCallback);
/* A JSON object, copied into the outbox; null deletes a member. The callback gets the hub's status, 204 for success; 408 when
   no answer came within 60 s; at Destroy 408 when it was sent, 0 when it was not. What a lost connection left unanswered is sent
   again, in its order. 429 and 5xx end it: GetLastError has retry_after_s, and nothing of the twin is sent before. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SendReportedState(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    const unsigned char *reportedState, size_t size, IOTHUB_CLIENT_REPORTED_STATE_CALLBACK reportedStateCallback,
    void *userContextCallback);

/* Methods. The callback answers at once: it returns the status, *response is copied before it is called again (IOTHUB_FREE gets
   it then, if that is defined); an empty one is sent. It must be JSON for the service. _Ex (in the SDK only under its old names)
   answers later, by DeviceMethodResponse, once: a second answer, one after 300 s or after a lost connection is INVALID_ARG.
   An _Ex callback that returns non-zero refuses: 500. What cannot be taken - no callback, no room, no slot - is answered
   503. Answers wait in a quarter of the outbox; one that is larger is INVALID_SIZE, and 500 for the caller of a method that
   answers at once. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetDeviceMethodCallback(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC deviceMethodCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetDeviceMethodCallback_Ex(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_INBOUND_DEVICE_METHOD_CALLBACK inboundDeviceMethodCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_DeviceMethodResponse(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    METHOD_HANDLE methodId, const unsigned char *response, size_t response_size, int statusCode);

/* Plug and Play: telemetry, commands and properties under their names. A command is a method whose name is split at its first
   '*' into component and command; commands and methods exclude each other on one handle (ERROR). */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SendTelemetryAsync(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_MESSAGE_HANDLE telemetryMessageHandle, IOTHUB_CLIENT_TELEMETRY_CALLBACK telemetryConfirmationCallback,
    void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SubscribeToCommands(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC commandCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SendPropertiesAsync(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    const unsigned char *properties, size_t propertiesLength,
    IOTHUB_CLIENT_PROPERTY_ACKNOWLEDGED_CALLBACK propertyAcknowledgedCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_GetPropertiesAsync(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK propertyCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_GetPropertiesAndSubscribeToUpdatesAsync(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK propertyUpdateCallback, void *userContextCallback);

/* Ours: SendEventAsync whose body stays with you: the message's head may go, its body is borrowed until the confirmation and
   written from where it lies, so that 256 KB need no copy. For messages made by IoTHubMessage_Wrap (INVALID_ARG for others). */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SendEventKeptAsync(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle, IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback,
    void *userContextCallback);
/* Ours: bodies that do not fit the inbox come in pieces, for the features that are asked for. NULL clears: such a message is
   then skipped and stays unacknowledged, such a method is answered 503, such a document is told by GetLastError
   (TWIN_SKIPPED with bytes_missing); the version of a skipped document is read all the same, and patches go on from it. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetPieceCallback(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_PIECE_CALLBACK pieceCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubDeviceClient_SetCredentialCallback(IOTHUB_DEVICE_CLIENT_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_CREDENTIAL_CALLBACK credentialCallback, void *userContextCallback);

/* ---- Module client: the same, for an identity with ModuleId ------------------------------------------------------- */

IOTHUB_DEF IOTHUB_MODULE_CLIENT_HANDLE IoTHubModuleClient_CreateFromConnectionString(const char *connectionString,
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol);
IOTHUB_DEF IOTHUB_MODULE_CLIENT_HANDLE IoTHubModuleClient_CreateInPlace(const char *connectionString,
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol, const IOTHUB_PLATFORM *platform, const IOTHUB_MEMORY *memory);
IOTHUB_DEF void IoTHubModuleClient_Destroy(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendEventAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle, IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback,
    void *userContextCallback);
/* Writes the output name into the caller's message, as the SDK does, then behaves as SendEventAsync. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendEventToOutputAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle, const char *outputName,
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetSendStatus(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_STATUS *iotHubClientStatus);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetConnectionStatusCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK connectionStatusCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetRetryPolicy(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_RETRY_POLICY retryPolicy, size_t retryTimeoutLimitInSeconds);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetRetryPolicy(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_RETRY_POLICY *retryPolicy, size_t *retryTimeoutLimitInSeconds);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetOption(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    const char *optionName, const void *value);
IOTHUB_DEF void IoTHubModuleClient_DoWork(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle);
IOTHUB_DEF uint32_t IoTHubModuleClient_GetNextWork(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetLastError(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle, IOTHUB_ERROR *error);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetStatistics(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_STATISTICS *statistics);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_Stop(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_Start(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle);

/* The features of the section above. A module gets messages on its inputs: SetInputMessageCallback takes those of one input
   (its name is copied), SetMessageCallback, or an inputName of NULL, those of all others. ERROR for an identity without ModuleId. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetMessageCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC messageCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetInputMessageCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    const char *inputName, IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC eventHandlerCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendMessageDisposition(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE message, IOTHUBMESSAGE_DISPOSITION_RESULT disposition);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetLastMessageReceiveTime(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    time_t *lastMessageReceiveTime);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetModuleTwinCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK moduleTwinCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetTwinAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK moduleTwinCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendReportedState(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    const unsigned char *reportedState, size_t size, IOTHUB_CLIENT_REPORTED_STATE_CALLBACK reportedStateCallback,
    void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetModuleMethodCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC methodCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetModuleMethodCallback_Ex(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_INBOUND_DEVICE_METHOD_CALLBACK inboundMethodCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_ModuleMethodResponse(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    METHOD_HANDLE methodId, const unsigned char *response, size_t response_size, int statusCode);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendTelemetryAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE telemetryMessageHandle, IOTHUB_CLIENT_TELEMETRY_CALLBACK telemetryConfirmationCallback,
    void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SubscribeToCommands(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC commandCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendPropertiesAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    const unsigned char *properties, size_t propertiesLength,
    IOTHUB_CLIENT_PROPERTY_ACKNOWLEDGED_CALLBACK propertyAcknowledgedCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetPropertiesAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK propertyCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetPropertiesAndSubscribeToUpdatesAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK propertyUpdateCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendEventKeptAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle, IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback,
    void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetPieceCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_PIECE_CALLBACK pieceCallback, void *userContextCallback);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetCredentialCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_CREDENTIAL_CALLBACK credentialCallback, void *userContextCallback);

/* ---- The _LL_ names: the same functions and handles --------------------------------------------------------------- */

#define IoTHubDeviceClient_LL_CreateFromConnectionString IoTHubDeviceClient_CreateFromConnectionString
#define IoTHubDeviceClient_LL_Create IoTHubDeviceClient_Create
#define IoTHubDeviceClient_LL_Destroy IoTHubDeviceClient_Destroy
#define IoTHubDeviceClient_LL_SendEventAsync IoTHubDeviceClient_SendEventAsync
#define IoTHubDeviceClient_LL_GetSendStatus IoTHubDeviceClient_GetSendStatus
#define IoTHubDeviceClient_LL_SetConnectionStatusCallback IoTHubDeviceClient_SetConnectionStatusCallback
#define IoTHubDeviceClient_LL_SetRetryPolicy IoTHubDeviceClient_SetRetryPolicy
#define IoTHubDeviceClient_LL_GetRetryPolicy IoTHubDeviceClient_GetRetryPolicy
#define IoTHubDeviceClient_LL_SetOption IoTHubDeviceClient_SetOption
#define IoTHubDeviceClient_LL_DoWork IoTHubDeviceClient_DoWork
#define IoTHubDeviceClient_LL_SetMessageCallback IoTHubDeviceClient_SetMessageCallback
#define IoTHubDeviceClient_LL_SendMessageDisposition IoTHubDeviceClient_SendMessageDisposition
#define IoTHubDeviceClient_LL_GetLastMessageReceiveTime IoTHubDeviceClient_GetLastMessageReceiveTime
#define IoTHubDeviceClient_LL_SetDeviceTwinCallback IoTHubDeviceClient_SetDeviceTwinCallback
#define IoTHubDeviceClient_LL_GetTwinAsync IoTHubDeviceClient_GetTwinAsync
#define IoTHubDeviceClient_LL_SendReportedState IoTHubDeviceClient_SendReportedState
#define IoTHubDeviceClient_LL_SetDeviceMethodCallback IoTHubDeviceClient_SetDeviceMethodCallback
#define IoTHubDeviceClient_LL_DeviceMethodResponse IoTHubDeviceClient_DeviceMethodResponse
#define IoTHubDeviceClient_LL_SendTelemetryAsync IoTHubDeviceClient_SendTelemetryAsync
#define IoTHubDeviceClient_LL_SubscribeToCommands IoTHubDeviceClient_SubscribeToCommands
#define IoTHubDeviceClient_LL_SendPropertiesAsync IoTHubDeviceClient_SendPropertiesAsync
#define IoTHubDeviceClient_LL_GetPropertiesAsync IoTHubDeviceClient_GetPropertiesAsync
#define IoTHubDeviceClient_LL_GetPropertiesAndSubscribeToUpdatesAsync IoTHubDeviceClient_GetPropertiesAndSubscribeToUpdatesAsync
#define IoTHubModuleClient_LL_CreateFromConnectionString IoTHubModuleClient_CreateFromConnectionString
#define IoTHubModuleClient_LL_Destroy IoTHubModuleClient_Destroy
#define IoTHubModuleClient_LL_SendEventAsync IoTHubModuleClient_SendEventAsync
#define IoTHubModuleClient_LL_SendEventToOutputAsync IoTHubModuleClient_SendEventToOutputAsync
#define IoTHubModuleClient_LL_GetSendStatus IoTHubModuleClient_GetSendStatus
#define IoTHubModuleClient_LL_SetConnectionStatusCallback IoTHubModuleClient_SetConnectionStatusCallback
#define IoTHubModuleClient_LL_SetRetryPolicy IoTHubModuleClient_SetRetryPolicy
#define IoTHubModuleClient_LL_GetRetryPolicy IoTHubModuleClient_GetRetryPolicy
#define IoTHubModuleClient_LL_SetOption IoTHubModuleClient_SetOption
#define IoTHubModuleClient_LL_DoWork IoTHubModuleClient_DoWork
#define IoTHubModuleClient_LL_SetMessageCallback IoTHubModuleClient_SetMessageCallback
#define IoTHubModuleClient_LL_SetInputMessageCallback IoTHubModuleClient_SetInputMessageCallback
#define IoTHubModuleClient_LL_SendMessageDisposition IoTHubModuleClient_SendMessageDisposition
#define IoTHubModuleClient_LL_GetLastMessageReceiveTime IoTHubModuleClient_GetLastMessageReceiveTime
#define IoTHubModuleClient_LL_SetModuleTwinCallback IoTHubModuleClient_SetModuleTwinCallback
#define IoTHubModuleClient_LL_GetTwinAsync IoTHubModuleClient_GetTwinAsync
#define IoTHubModuleClient_LL_SendReportedState IoTHubModuleClient_SendReportedState
#define IoTHubModuleClient_LL_SetModuleMethodCallback IoTHubModuleClient_SetModuleMethodCallback
#define IoTHubModuleClient_LL_SendTelemetryAsync IoTHubModuleClient_SendTelemetryAsync
#define IoTHubModuleClient_LL_SubscribeToCommands IoTHubModuleClient_SubscribeToCommands
#define IoTHubModuleClient_LL_SendPropertiesAsync IoTHubModuleClient_SendPropertiesAsync
#define IoTHubModuleClient_LL_GetPropertiesAsync IoTHubModuleClient_GetPropertiesAsync
#define IoTHubModuleClient_LL_GetPropertiesAndSubscribeToUpdatesAsync IoTHubModuleClient_GetPropertiesAndSubscribeToUpdatesAsync

/* ---- Messages ----------------------------------------------------------------------------------------------------

   Create... and Clone take a message from the pool and copy; NULL when the pool is empty or the content does not fit.
   Wrap (ours) makes one in storage of yours, aligned for a pointer, that borrows its body: storage and body are kept until Destroy
   (of the message), IOTHUB_MESSAGE_HEAD_BOUND bytes of the storage are the head, the rest is room for properties.
   Getters lend: a pointer is valid until the message is changed or destroyed. Setters copy and replace; NULL is INVALID_ARG,
   no room is ERROR and leaves the old value. SetProperty and the map take printable ASCII only (INVALID_TYPE). */

#define IOTHUB_MESSAGE_HEAD_BOUND (10u * sizeof(void *))

IOTHUB_DEF IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromByteArray(const unsigned char *byteArray, size_t size);
IOTHUB_DEF IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromString(const char *source);
IOTHUB_DEF IOTHUB_MESSAGE_HANDLE IoTHubMessage_Wrap(void *storage, size_t storage_size, const unsigned char *body, size_t body_size);
IOTHUB_DEF IOTHUB_MESSAGE_HANDLE IoTHubMessage_Clone(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF void IoTHubMessage_Destroy(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUBMESSAGE_CONTENT_TYPE IoTHubMessage_GetContentType(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_GetByteArray(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const unsigned char **buffer, size_t *size);
IOTHUB_DEF const char *IoTHubMessage_GetString(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
/* Application properties; the map is live and owned by the message (never Map_Destroy it). */
IOTHUB_DEF MAP_HANDLE IoTHubMessage_Properties(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *key, const char *value);
IOTHUB_DEF const char *IoTHubMessage_GetProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *key);
/* System properties, and the name under which telemetry carries them ("-": not sent). */
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetMessageId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *messageId); /* $.mid */
IOTHUB_DEF const char *IoTHubMessage_GetMessageId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetCorrelationId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *correlationId); /* $.cid */
IOTHUB_DEF const char *IoTHubMessage_GetCorrelationId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *contentType); /* $.ct */
IOTHUB_DEF const char *IoTHubMessage_GetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetContentEncodingSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *contentEncoding); /* $.ce */
IOTHUB_DEF const char *IoTHubMessage_GetContentEncodingSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetMessageCreationTimeUtcSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *messageCreationTimeUtc); /* $.ctime */
IOTHUB_DEF const char *IoTHubMessage_GetMessageCreationTimeUtcSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetMessageUserIdSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *userId); /* - */
IOTHUB_DEF const char *IoTHubMessage_GetMessageUserIdSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetOutputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *outputName); /* $.on */
IOTHUB_DEF const char *IoTHubMessage_GetOutputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetInputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *inputName); /* - */
IOTHUB_DEF const char *IoTHubMessage_GetInputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetConnectionModuleId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *connectionModuleId); /* - */
IOTHUB_DEF const char *IoTHubMessage_GetConnectionModuleId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetConnectionDeviceId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *connectionDeviceId); /* - */
IOTHUB_DEF const char *IoTHubMessage_GetConnectionDeviceId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetComponentName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *componentName); /* $.sub */
IOTHUB_DEF const char *IoTHubMessage_GetComponentName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
/* Both members are copied and travel as $.diagid and $.diagctx; the getter's struct lives in the message. */
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetDiagnosticPropertyData(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *diagnosticData);
IOTHUB_DEF const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *IoTHubMessage_GetDiagnosticPropertyData(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
/* Adds $.ifid = urn:azureiot:Security:SecurityAgent:1 and sets the content encoding to application/json, as the SDK does. */
IOTHUB_DEF IOTHUB_MESSAGE_RESULT IoTHubMessage_SetAsSecurityMessage(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_DEF IOTHUB_BOOL IoTHubMessage_IsSecurityMessage(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);

/* Maps: names and values in order of insertion. A map of your own comes from the message pool. Pointers are lent until the
   map is changed. (Map_ToJSON is not here: it returns an object of the SDK's heap.) */
IOTHUB_DEF MAP_HANDLE Map_Create(MAP_FILTER_CALLBACK mapFilterFunc); /* the filter may be NULL */
IOTHUB_DEF void Map_Destroy(MAP_HANDLE handle);
IOTHUB_DEF MAP_HANDLE Map_Clone(MAP_HANDLE handle);
IOTHUB_DEF MAP_RESULT Map_Add(MAP_HANDLE handle, const char *key, const char *value); /* MAP_KEYEXISTS */
IOTHUB_DEF MAP_RESULT Map_AddOrUpdate(MAP_HANDLE handle, const char *key, const char *value);
IOTHUB_DEF MAP_RESULT Map_Delete(MAP_HANDLE handle, const char *key);
IOTHUB_DEF MAP_RESULT Map_ContainsKey(MAP_HANDLE handle, const char *key, IOTHUB_BOOL *keyExists);
IOTHUB_DEF MAP_RESULT Map_ContainsValue(MAP_HANDLE handle, const char *value, IOTHUB_BOOL *valueExists);
IOTHUB_DEF const char *Map_GetValueFromKey(MAP_HANDLE handle, const char *key);
/* The arrays lie in the free room of the map; MAP_ERROR when that is too small. */
IOTHUB_DEF MAP_RESULT Map_GetInternals(MAP_HANDLE handle, const char *const **keys, const char *const **values, size_t *count);

/* ---- Plug and Play properties --------------------------------------------------------------------------------------

   The texts of properties, as azure-iot-sdk-c's iothub_client_properties.h writes and reads them; SendPropertiesAsync sends
   what the serializers write, a deserializer reads what GetPropertiesAsync and its kin hand to your callback.

   Writing: names and descriptions are texts of yours and are escaped where JSON wants it; a value is JSON already ("21.5",
   "\"on\"", "{\"a\":[1]}") and must be one whole value of it. INVALID_ARG: a NULL, no property at all, a structVersion other
   than 1, a value that is no JSON. ..._Create... takes a slot of the pool of messages (IOTHUB_POOL_MESSAGES) until
   Serializer_Destroy: IOTHUB_CLIENT_INVALID_SIZE when the text is too large for one, IOTHUB_CLIENT_ERROR when none is free, and
   GetLastError(NULL, ...) says what is missing. ..._Write... (ours) writes into your buffer, as snprintf does: *length is
   the text's length without its NUL, and IOTHUB_CLIENT_INVALID_SIZE says that buffer must have *length + 1 bytes (a NULL buffer
   of size 0 asks for it).

   Reading: a deserializer borrows the payload, so it lives as long as that: inside the callback. It takes a slot of the pool of
   messages, or storage of yours (CreateInPlace, ours; aligned for a pointer); IOTHUB_DESERIALIZER_HEAD_BOUND bytes of it are
   the head, the rest takes the texts of one property, and payloadLength bytes for them are always enough. A payload that
   is no JSON, has no "$version" or one that is no int is IOTHUB_CLIENT_ERROR. GetNext goes through desired, then reported, each
   property once, those of a component with its name; when *propertySpecified comes back false that was all. componentName,
   name and value.str are valid until the next GetNext or Deserializer_Destroy: copy what you keep. A value is the JSON text
   as the hub sent it, a string in its quotes. A property whose texts find no room is IOTHUB_CLIENT_INVALID_SIZE:
   GetLastError(NULL, ...) says how many bytes are missing, value.str is NULL (and a name that found no room, too), valueLength
   is what the value has; the next GetNext goes on behind it. */

#define IOTHUB_DESERIALIZER_HEAD_BOUND (16u * sizeof(void *))
#define IOTHUB_CLIENT_PROPERTY_REPORTED_STRUCT_VERSION_1 1
#define IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE_STRUCT_VERSION_1 1
#define IOTHUB_CLIENT_PROPERTY_PARSED_STRUCT_VERSION_1 1

typedef enum IOTHUB_CLIENT_PROPERTY_TYPE_TAG {
    IOTHUB_CLIENT_PROPERTY_TYPE_REPORTED_FROM_CLIENT = 0,
    IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE         /* desired by the service: answer it with a writable response */
} IOTHUB_CLIENT_PROPERTY_TYPE;

typedef enum IOTHUB_CLIENT_PROPERTY_VALUE_TYPE_TAG {
    IOTHUB_CLIENT_PROPERTY_VALUE_STRING = 0      /* the only one: JSON text */
} IOTHUB_CLIENT_PROPERTY_VALUE_TYPE;

typedef struct IOTHUB_CLIENT_PROPERTY_REPORTED_TAG {
    int structVersion;                           /* 1 */
    const char *name;
    const char *value;                           /* JSON */
} IOTHUB_CLIENT_PROPERTY_REPORTED;

typedef struct IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE_TAG {
    int structVersion;                           /* 1 */
    const char *name;
    const char *value;                           /* JSON: what the property is now */
    int result;                                  /* as an HTTP status: 200 taken, 400 refused */
    int ackVersion;                              /* GetVersion's, of the payload that is answered */
    const char *description;                     /* for people; may be NULL */
} IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE;

typedef struct IOTHUB_CLIENT_PROPERTY_PARSED_TAG {
    int structVersion;                           /* 1, set by you before GetNext */
    IOTHUB_CLIENT_PROPERTY_TYPE propertyType;
    const char *componentName;                   /* NULL: the root component */
    const char *name;
    IOTHUB_CLIENT_PROPERTY_VALUE_TYPE valueType;
    union { const char *str; } value;            /* JSON, NUL-terminated */
    size_t valueLength;                          /* without the NUL */
} IOTHUB_CLIENT_PROPERTY_PARSED;

typedef struct IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_TAG *IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE;

#ifndef IOTHUB_NO_PROPERTIES
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_CreateReported(const IOTHUB_CLIENT_PROPERTY_REPORTED *properties,
    size_t numProperties, const char *componentName, unsigned char **serializedProperties, size_t *serializedPropertiesLength);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_CreateWritableResponse(
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *properties, size_t numProperties, const char *componentName,
    unsigned char **serializedProperties, size_t *serializedPropertiesLength);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_WriteReported(const IOTHUB_CLIENT_PROPERTY_REPORTED *properties,
    size_t numProperties, const char *componentName, unsigned char *buffer, size_t size, size_t *length);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_WriteWritableResponse(
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *properties, size_t numProperties, const char *componentName,
    unsigned char *buffer, size_t size, size_t *length);
/* Only for what ..._Create... gave; NULL is ignored. */
IOTHUB_DEF void IoTHubClient_Properties_Serializer_Destroy(unsigned char *serializedProperties);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_Create(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE payloadType,
    const unsigned char *payload, size_t payloadLength, IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE *propertiesDeserializerHandle);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_CreateInPlace(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE payloadType,
    const unsigned char *payload, size_t payloadLength, void *storage, size_t storage_size,
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE *propertiesDeserializerHandle);
/* desired's "$version", for ackVersion. */
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_GetVersion(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle, int *propertiesVersion);
IOTHUB_DEF IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_GetNext(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle, IOTHUB_CLIENT_PROPERTY_PARSED *property,
    IOTHUB_BOOL *propertySpecified);
/* Forgets the value; there is nothing to free. */
IOTHUB_DEF void IoTHubClient_Properties_DeserializerProperty_Destroy(IOTHUB_CLIENT_PROPERTY_PARSED *property);
IOTHUB_DEF void IoTHubClient_Properties_Deserializer_Destroy(IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle);
#endif

/* ---- Names of values, as MU_ENUM_TO_STRING(TYPE, value) gives them; "UNKNOWN" for others --------------------------- */

#define MU_ENUM_TO_STRING(enumName, value) MU_##enumName##_ToString(value)
#define MU_ENUM_VALUE(enumName, value) "", MU_ENUM_TO_STRING(enumName, value), (int)(value)
#define PRI_MU_ENUM "s%s (%d)"                   /* printf("%" PRI_MU_ENUM, MU_ENUM_VALUE(TYPE, value)) */
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_RESULT_ToString(IOTHUB_CLIENT_RESULT value);
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_RETRY_POLICY_ToString(IOTHUB_CLIENT_RETRY_POLICY value);
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_STATUS_ToString(IOTHUB_CLIENT_STATUS value);
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_CONFIRMATION_RESULT_ToString(IOTHUB_CLIENT_CONFIRMATION_RESULT value);
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_CONNECTION_STATUS_ToString(IOTHUB_CLIENT_CONNECTION_STATUS value);
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_CONNECTION_STATUS_REASON_ToString(IOTHUB_CLIENT_CONNECTION_STATUS_REASON value);
IOTHUB_DEF const char *MU_IOTHUB_MESSAGE_RESULT_ToString(IOTHUB_MESSAGE_RESULT value);
IOTHUB_DEF const char *MU_IOTHUBMESSAGE_CONTENT_TYPE_ToString(IOTHUBMESSAGE_CONTENT_TYPE value);
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE_ToString(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE value);
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_PROPERTY_TYPE_ToString(IOTHUB_CLIENT_PROPERTY_TYPE value);
IOTHUB_DEF const char *MU_IOTHUB_CLIENT_PROPERTY_VALUE_TYPE_ToString(IOTHUB_CLIENT_PROPERTY_VALUE_TYPE value);
IOTHUB_DEF const char *MU_IOTHUBMESSAGE_DISPOSITION_RESULT_ToString(IOTHUBMESSAGE_DISPOSITION_RESULT value);
IOTHUB_DEF const char *MU_DEVICE_TWIN_UPDATE_STATE_ToString(DEVICE_TWIN_UPDATE_STATE value);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_CLIENT_SINGLE_HEADER_H */
