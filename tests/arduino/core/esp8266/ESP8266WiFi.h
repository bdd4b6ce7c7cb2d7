#include <WiFiClient.h>
