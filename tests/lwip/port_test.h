#ifndef PORT_TEST_H
#define PORT_TEST_H

#include "iothub_client.h"
#include "ports/lwip/iothub_lwip.h"

unsigned port_tests(const char *name);           /* all, or one; answers how many failed */

#endif
