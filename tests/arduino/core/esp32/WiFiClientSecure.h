#ifndef TEST_WIFI_CLIENT_SECURE_H
#define TEST_WIFI_CLIENT_SECURE_H
#include <WiFiClient.h>

class WiFiClientSecure : public WiFiClient {
public:
    WiFiClientSecure() { secured = true; }
    void setCACert(const char *pem) { roots = pem; }
    void setHandshakeTimeout(unsigned long seconds) { handshake_s = seconds; }
};

#endif
