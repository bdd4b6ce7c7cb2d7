/* A client over the platform of scripts, with everything that its callbacks said, and its packets taken apart. */
#ifndef BENCH_H
#define BENCH_H

#include "scripted_platform.h"
#include <catch2/catch.hpp>
#include <functional>

namespace {

const char *const KEY_STRING = "HostName=hub.example.net;DeviceId=d1;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string CONNACK("\x20\x02\x00\x00", 4);

inline std::string puback(unsigned id)
{
    char bytes[4] = { 0x40, 2, (char)(id >> 8), (char)id };
    return std::string(bytes, 4);
}

/* A packet of the client's, taken apart. */
struct Packet {
    unsigned type, flags, id;
    std::string topic, body, raw;
    bool dup() const { return (flags & 8) != 0; }
};

inline std::vector<Packet> packets(std::string bytes)
{
    std::vector<Packet> found;
    while (bytes.size() >= 2) {
        size_t at = 1, length = 0;
        int shift = 0;
        unsigned char c = 0x80;
        while ((c & 128) && at < bytes.size()) {
            c = (unsigned char)bytes[at++];
            length |= (size_t)(c & 127) << shift;
            shift += 7;
        }
        if ((c & 128) || bytes.size() < at + length) {
            break;
        }
        Packet p;
        p.type = (unsigned char)bytes[0] >> 4;
        p.flags = bytes[0] & 15;
        p.id = 0;
        p.raw = bytes.substr(0, at + length);
        std::string rest = bytes.substr(at, length);
        if (p.type == 3) {
            size_t topic = (unsigned char)rest[0] * 256u + (unsigned char)rest[1];
            p.topic = rest.substr(2, topic);
            rest.erase(0, 2 + topic);
            if (p.flags & 6) {
                p.id = (unsigned char)rest[0] * 256u + (unsigned char)rest[1];
                rest.erase(0, 2);
            }
            p.body = rest;
        }
        found.push_back(p);
        bytes.erase(0, at + length);
    }
    return found;
}

struct Confirmation { int number; IOTHUB_CLIENT_CONFIRMATION_RESULT result; };
struct Status { IOTHUB_CLIENT_CONNECTION_STATUS status; IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason; };

/* A client in its own block, with everything that its callbacks said. */
struct Bench : Scripted {
    std::vector<unsigned char *> blocks;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    std::vector<Confirmation> confirmations;
    std::vector<Status> statuses;
    std::function<void(int)> during_confirmation;
    struct Ticket { Bench *bench; int number; };
    std::vector<Ticket *> tickets;
    int next_number;

    explicit Bench(const char *string = KEY_STRING, size_t outbox = 2048, size_t inbox = 256, unsigned messages = 0)
        : next_number(1)
    {
        size_t size = IoTHub_ClientSize(string, MQTT_Protocol, outbox, inbox);
        REQUIRE(size != 0);
        IOTHUB_MEMORY memory;
        memory.block = new unsigned char[size];
        memory.block_size = size;
        memory.outbox_size = outbox;
        memory.inbox_size = inbox;
        memory.outbox_messages = messages;
        blocks.push_back(static_cast<unsigned char *>(memory.block));
        hub = IoTHubDeviceClient_CreateInPlace(string, MQTT_Protocol, &platform, &memory);
        REQUIRE(hub != NULL);
        IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, this);
    }
    ~Bench()
    {
        IoTHubDeviceClient_Destroy(hub);
        for (auto block : blocks) delete[] block;
        for (auto ticket : tickets) delete ticket;
    }
    static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
    {
        Status s = { status, reason };
        static_cast<Bench *>(context)->statuses.push_back(s);
    }
    static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
    {
        Ticket *ticket = static_cast<Ticket *>(context);
        Confirmation c = { ticket->number, result };
        ticket->bench->confirmations.push_back(c);
        if (ticket->bench->during_confirmation) {
            ticket->bench->during_confirmation(ticket->number);
        }
    }
    IOTHUB_CLIENT_RESULT send(const std::string &body)
    {
        void *storage[64];
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)body.data(), body.size());
        Ticket *ticket = new Ticket;
        ticket->bench = this;
        ticket->number = next_number;
        tickets.push_back(ticket);
        IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, ticket);
        next_number += result == IOTHUB_CLIENT_OK;
        IoTHubMessage_Destroy(message);
        return result;
    }
    void work() { IoTHubDeviceClient_DoWork(hub); }
    void work(int times) { while (times-- > 0) work(); }
    void after(uint32_t milliseconds)
    {
        tick += milliseconds;
        wall += milliseconds / 1000;
        work();
    }
    void connect()
    {
        work(2);
        REQUIRE(is_open);
        inbound += CONNACK;
        work();
        REQUIRE(statuses.size() >= 1);
        REQUIRE(statuses.back().status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED);
    }
    std::vector<Packet> sent() const { return packets(outbound); }
    IOTHUB_ERROR error() const
    {
        IOTHUB_ERROR e;
        IoTHubDeviceClient_GetLastError(hub, &e);
        return e;
    }
    IOTHUB_STATISTICS statistics() const
    {
        IOTHUB_STATISTICS s;
        IoTHubDeviceClient_GetStatistics(hub, &s);
        return s;
    }
    uint32_t next() const { return IoTHubDeviceClient_GetNextWork(hub); }
    /* Time goes by as GetNextWork says, until the stream is open again. */
    void until_open(uint32_t limit_ms)
    {
        uint32_t start = tick;
        while (!is_open && tick - start <= limit_ms) {
            uint32_t step = next();
            after(step != 0 ? step : 1);
        }
        REQUIRE(is_open);
    }
};

} // namespace

#endif
