/* The core has BearSSL under this name; here it is the one of this machine. */
#include <bearssl.h>
