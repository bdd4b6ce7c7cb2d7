/* The one implementation of the ports; the tests include the same headers for the declarations only. */
#include "iothub_client.h"
#define IOTHUB_IMPLEMENTATION
#include "../../ports/bearssl/iothub_bearssl.h"
#include "../../ports/bearssl/iothub_bearssl_roots.h"
#include "../../ports/posix/iothub_posix.h"
