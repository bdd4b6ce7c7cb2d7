/* A real client over real TLS and sockets. */
#ifndef DEVICE_H
#define DEVICE_H

#include "iothub_client.h"
#include "ports/posix/iothub_posix.h"
#include "ports/bearssl/iothub_bearssl.h"
#include "hub.h"
#include <functional>
#include <map>
#include <memory>

struct Device {
    IOTHUB_PLATFORM platform;
    IOTHUB_POSIX posix;
    IOTHUB_HTTP_PROXY proxy;
    IOTHUB_BEARSSL tls;
    std::vector<unsigned char> records, certificates, block;
    std::string trusted, certificate, key;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    std::vector<IOTHUB_CLIENT_CONNECTION_STATUS_REASON> reasons;
    std::vector<IOTHUB_ERROR> errors;          /* the handle's error at each status event */
    unsigned confirmed, failed;

    Device(const std::string &connection, const std::string &roots, size_t outbox = 8192, size_t buffer = IOTHUB_BEARSSL_BUFFER_BIDI,
        size_t inbox = 512, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol = MQTT_Protocol)
        : records(buffer), certificates(8192), trusted(roots), hub(NULL), confirmed(0), failed(0)
    {
        IOTHUB_MEMORY memory;
        iothub_posix_platform(&posix, &platform);
        const IOTHUB_IO *stream = IoTHub_HttpProxyBegin(&proxy, iothub_posix_tcp(&posix));
        if (iothub_bearssl_init(&tls, stream, &platform, records.data(), records.size()) != 0) throw std::runtime_error("buffer");
        iothub_bearssl_memory(&tls, certificates.data(), certificates.size());
        memory.outbox_size = outbox;
        memory.inbox_size = inbox;
        memory.outbox_messages = 0;
        memory.block_size = IoTHub_ClientSize(connection.c_str(), protocol, memory.outbox_size, memory.inbox_size);
        if (memory.block_size == 0) throw std::runtime_error("connection string");
        block.resize(memory.block_size);
        memory.block = block.data();
        hub = IoTHubDeviceClient_CreateInPlace(connection.c_str(), protocol, &platform, &memory);
        if (hub == NULL) throw std::runtime_error("no client");
        IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, this);
        if (!trusted.empty() && IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, trusted.c_str()) != IOTHUB_CLIENT_OK) {
            throw std::runtime_error("TrustedCerts");
        }
    }
    ~Device() { IoTHubDeviceClient_Destroy(hub); }

    static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
    {
        Device *device = static_cast<Device *>(context);
        device->reasons.push_back(reason);
        device->errors.push_back(device->error());
    }
    static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
    {
        Device *device = static_cast<Device *>(context);
        (result == IOTHUB_CLIENT_CONFIRMATION_OK ? device->confirmed : device->failed) += 1;
    }
    IOTHUB_CLIENT_RESULT send(const std::string &body, const std::function<void(IOTHUB_MESSAGE_HANDLE)> &fill = nullptr)
    {
        void *storage[128];
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)body.data(), body.size());
        if (fill) fill(message);
        return IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, this);
    }
    /* Steps as a main loop would, until done or out of time. */
    bool run(const std::function<bool()> &done, int milliseconds = 10000)
    {
        Clock::time_point start = Clock::now();
        while (!done()) {
            if (elapsed_ms(start) > milliseconds) return false;
            uint32_t wait = IoTHubDeviceClient_GetNextWork(hub);
            iothub_posix_wait(&posix, wait < 50 ? wait : 50);
            IoTHubDeviceClient_DoWork(hub);
        }
        return true;
    }
    bool run_until_confirmed(unsigned count, int milliseconds = 10000)
    {
        return run([&] { return confirmed + failed >= count; }, milliseconds) && failed == 0;
    }
    IOTHUB_ERROR error() const
    {
        IOTHUB_ERROR found;
        IoTHubDeviceClient_GetLastError(hub, &found);
        return found;
    }
    IOTHUB_STATISTICS statistics() const
    {
        IOTHUB_STATISTICS found;
        IoTHubDeviceClient_GetStatistics(hub, &found);
        return found;
    }
    void set_seconds(const char *name, unsigned int seconds)
    {
        if (IoTHubDeviceClient_SetOption(hub, name, &seconds) != IOTHUB_CLIENT_OK) throw std::runtime_error(name);
    }
    /* Attempts come quickly, so that tests do not wait for the cloud's sake. */
    void retry_quickly() { set_seconds(OPTION_RETRY_MAX_DELAY_SECS, 1); }
};

#endif
