/* iothub_posix_bearssl.h - the whole platform of a POSIX machine in one call: TCP, an HTTP proxy where one is asked for, TLS
   by BearSSL with Azure's roots, clocks, entropy and HMAC.

   DO THIS in exactly one C or C++ file, compiled with -std=gnu99 or the like and linked with -lbearssl:

       #define IOTHUB_IMPLEMENTATION
       #include "iothub_client.h"
       #include "ports/posix/iothub_posix_bearssl.h"

       static IOTHUB_POSIX_BEARSSL machine;
       IoTHub_SetPlatform(iothub_posix_bearssl(&machine));

   One machine is one connection: a program with several clients has several. OPTION_TRUSTED_CERT replaces Azure's roots,
   OPTION_X509_CERT and OPTION_X509_PRIVATE_KEY give the client certificate (8 KB for what they decode), OPTION_HTTP_PROXY
   the proxy. Programs that want less memory set up the parts by themselves, as examples/telemetry does. */

#ifndef IOTHUB_POSIX_BEARSSL_H
#define IOTHUB_POSIX_BEARSSL_H

#ifndef IOTHUB_CLIENT_SINGLE_HEADER_H
#include "iothub_client.h"
#endif
#include "iothub_posix.h"
#include "../bearssl/iothub_bearssl.h"
#include "../bearssl/iothub_bearssl_roots.h"

#ifdef __cplusplus
extern "C" {
#endif

#define IOTHUB_POSIX_BEARSSL_CERTIFICATES 8192   /* bytes for certificates and keys of the options, decoded */

typedef struct IOTHUB_POSIX_BEARSSL_TAG {        /* place it anywhere, 50 KB */
    IOTHUB_PLATFORM platform;
    IOTHUB_POSIX posix;                          /* iothub_posix_wait wants it */
    IOTHUB_HTTP_PROXY proxy;
    IOTHUB_BEARSSL tls;                          /* iothub_bearssl_save_session wants it */
    unsigned char records[IOTHUB_BEARSSL_BUFFER_BIDI];
    unsigned char certificates[IOTHUB_POSIX_BEARSSL_CERTIFICATES];
} IOTHUB_POSIX_BEARSSL;

/* Sets everything up; the answer is &machine->platform. Call it once. */
const IOTHUB_PLATFORM *iothub_posix_bearssl(IOTHUB_POSIX_BEARSSL *machine);

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_POSIX_BEARSSL_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_POSIX_BEARSSL_IMPLEMENTED)
#define IOTHUB_POSIX_BEARSSL_IMPLEMENTED

#ifdef __cplusplus
extern "C" {
#endif

const IOTHUB_PLATFORM *iothub_posix_bearssl(IOTHUB_POSIX_BEARSSL *machine)
{
    const IOTHUB_IO *stream;

    iothub_posix_platform(&machine->posix, &machine->platform);
    stream = IoTHub_HttpProxyBegin(&machine->proxy, iothub_posix_tcp(&machine->posix));
    (void)iothub_bearssl_init(&machine->tls, stream, &machine->platform, machine->records, sizeof machine->records);
    iothub_bearssl_memory(&machine->tls, machine->certificates, sizeof machine->certificates);
    iothub_bearssl_trust(&machine->tls, IOTHUB_ROOTS_ANCHORS, IOTHUB_ROOTS_ANCHORS_COUNT);
    return &machine->platform;
}

#ifdef __cplusplus
}
#endif

#endif /* IOTHUB_IMPLEMENTATION */
