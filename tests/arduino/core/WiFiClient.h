/* The Wi-Fi clients of both cores: sockets of this machine, and OpenSSL for the secured one. connect() blocks, as it does there. */
#ifndef TEST_WIFI_CLIENT_H
#define TEST_WIFI_CLIENT_H
#include <Client.h>

struct test_link;                                /* host.h */

class WiFiClient : public Client {
public:
    ~WiFiClient() override { stop(); }
    int connect(IPAddress, uint16_t) override { return 0; }
    int connect(const char *host, uint16_t port) override;
    size_t write(uint8_t byte) override { return write(&byte, 1); }
    size_t write(const uint8_t *bytes, size_t size) override;
    int available() override;
    int read() override;
    int read(uint8_t *bytes, size_t size) override;
    int peek() override { return -1; }
    void flush() override {}
    void stop() override;
    uint8_t connected() override;
    operator bool() override { return link != nullptr; }
protected:
    void fetch();
    struct test_link *link = nullptr;
    uint8_t held[512];
    size_t waiting = 0;
    bool ended = false, secured = false;
    const char *roots = nullptr;
    unsigned long handshake_s = 120;
};

enum wl_status_t { WL_IDLE_STATUS = 0, WL_CONNECTED = 3 };

class WiFiClass {
public:
    wl_status_t begin(const char *, const char *) { return WL_CONNECTED; }
    wl_status_t status() { return WL_CONNECTED; }
};
extern WiFiClass WiFi;

#endif
