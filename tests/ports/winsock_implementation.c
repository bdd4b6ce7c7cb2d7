/* The product, BearSSL's filter and the Winsock port in one Windows program. */
#define IOTHUB_IMPLEMENTATION
#include "../../ports/winsock/iothub_winsock.h"
#include "iothub_client.h"
#ifndef IOTHUB_TEST_WITHOUT_TLS
#include "../../ports/bearssl/iothub_bearssl.h"
#endif
