/* The port of BearSSL alone; the date comes from the platform, and certificates from the settings, in DER. */
#include "iothub_client.h"
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE
#include "ports/bearssl/iothub_bearssl.h"
