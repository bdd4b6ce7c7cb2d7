/* Whole lives of a client under random faults, each from a seed, against a hub that is strict about every byte. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "../../core/api.h"
#include "../../core/names.h"
#include "bench.h"
#include <map>
#include <set>

namespace {

struct Random {
    uint32_t state;
    explicit Random(uint32_t seed) : state(seed * 2654435761u + 1u) {}
    uint32_t next()
    {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
    }
    uint32_t below(uint32_t n) { return next() % n; }
    bool chance(uint32_t percent) { return below(100) < percent; }
};

/* What IoT Hub would see. Any illegal byte, order or packet id is a failure of the test. */
struct StrictHub {
    Bench &bench;
    int connection;
    bool connected, said_goodbye;
    std::string stream;
    std::set<unsigned> unacknowledged;             /* packet ids of this connection */
    std::map<unsigned, std::string> body_of;
    std::set<std::string> have, acknowledged;
    std::map<std::string, int> copies;
    long newest;                                   /* the highest number of a first copy */

    explicit StrictHub(Bench &b) : bench(b), connection(0), connected(false), said_goodbye(false), newest(0) {}

    void look()
    {
        if (bench.opens != connection) {
            connection = bench.opens;
            connected = said_goodbye = false;
            stream.clear();
            unacknowledged.clear();
            body_of.clear();
        }
        stream += bench.outbound;
        bench.outbound.clear();
        for (auto &packet : packets(stream)) {
            take(packet);
            stream.erase(0, packet.raw.size());
        }
    }
    void take(const Packet &packet)
    {
        REQUIRE_FALSE(said_goodbye);
        REQUIRE(connected == (packet.type != 1));  /* one CONNECT, and first [MQTT-3.1.0-1], [MQTT-3.1.0-2] */
        switch (packet.type) {
        case 1:
            connected = true;
            break;
        case 3: {
            long number = std::stol(packet.body);
            REQUIRE((packet.flags & 7) == 2);
            REQUIRE(unacknowledged.insert(packet.id).second);
            body_of[packet.id] = packet.body;
            if (have.insert(packet.body).second) {
                REQUIRE(number > newest);          /* first copies in order of acceptance */
                newest = number;
            } else {
                REQUIRE(packet.dup());             /* [MQTT-3.3.1-1] */
            }
            REQUIRE(acknowledged.count(packet.body) == 0);
            copies[packet.body] += 1;
            break;
        }
        case 12:
            bench.inbound += std::string("\xD0\x00", 2);
            break;
        case 14:
            said_goodbye = true;
            break;
        default:
            FAIL("a packet that the client may not send");
        }
    }
    void acknowledge(unsigned id)
    {
        bench.inbound += puback(id);
        unacknowledged.erase(id);
    }
};

/* One step of what goes wrong. */
void disturb(Bench &b, Random &random)
{
    static const size_t limits[] = { 0, 1, 2, 7, 30, 100, 100000 };
    switch (random.below(16)) {
    case 0: b.write_limit = limits[random.below(7)]; break;
    case 1: b.read_limit = limits[1 + random.below(6)]; break;
    case 2: b.dead_read = b.is_open; break;
    case 3: b.dead_write = b.is_open; break;
    case 4: b.open_result = (int)random.below(3) - 1; break;
    case 5: b.wall = random.chance(30) ? 0 : 1893452400u + random.below(400000000u); break;
    case 6: b.tick += random.below(400000); break;
    case 7: if (b.is_open && random.chance(20)) b.inbound += (char)random.below(256); break;
    case 8: b.inbound += puback(random.below(300)); break;
    case 9: b.hold = !b.hold; break;
    case 10: IoTHubDeviceClient_Stop(b.hub); break;
    case 11: IoTHubDeviceClient_Start(b.hub); break;
    case 12: b.hmac_pending = (int)random.below(3); break;
    case 13: b.random_result = random.chance(20) ? -1 : 0; break;
    case 14: if (random.chance(20)) { int k = (int)random.below(300); IoTHubDeviceClient_SetOption(b.hub, OPTION_KEEP_ALIVE, &k); } break;
    default: break;
    }
}

void answer(Bench &b, StrictHub &hub, Random &random, bool faults, bool &connack_due)
{
    if (b.is_open && hub.connected && connack_due && (!faults || random.chance(50))) {
        b.inbound += faults && random.chance(10) ? std::string("\x20\x02\x00", 3) + (char)(1 + random.below(5)) : CONNACK;
        connack_due = false;
    }
    if (!connack_due && b.is_open) {
        while (!hub.unacknowledged.empty() && (!faults || random.chance(60))) {
            auto chosen = hub.unacknowledged.begin();
            std::advance(chosen, faults && random.chance(30) ? random.below((uint32_t)hub.unacknowledged.size()) : 0);
            hub.acknowledge(*chosen);
        }
    }
}

void live(uint32_t seed)
{
    Random random(seed);
    static const size_t outboxes[] = { 300, 600, 2048, 16384 };
    Bench b(KEY_STRING, outboxes[random.below(4)], 96 + random.below(400), 0);
    StrictHub hub(b);
    b.tick = random.chance(50) ? 0xFFFFF000u : random.next();
    size_t lifetime = 600;
    IoTHubDeviceClient_SetOption(b.hub, OPTION_SAS_TOKEN_LIFETIME, &lifetime);
    tickcounter_ms_t timeout = random.chance(30) ? 1000 + random.below(100000) : 0;
    IoTHubDeviceClient_SetOption(b.hub, OPTION_MESSAGE_TIMEOUT, &timeout);
    int connection = 0, accepted = 0;
    bool connack_due = false;
    b.during_confirmation = [&](int) { if (random.chance(20)) accepted += b.send(std::to_string(b.next_number)) == IOTHUB_CLIENT_OK; };
    for (int phase = 0; phase < 2; ++phase) {
        bool faults = phase == 0;
        int steps = 0;
        if (!faults) {                             /* the last fault is over */
            b.write_limit = b.read_limit = 100000;
            b.open_result = 1;
            b.dead_read = b.dead_write = false;
            b.wall = 1893452400u;
            b.hmac_pending = b.random_result = 0;
            IoTHubDeviceClient_Start(b.hub);
        }
        for (; steps < 400; ++steps) {
            if (faults && random.chance(40)) disturb(b, random);
            if (faults && random.chance(50)) accepted += b.send(std::to_string(b.next_number)) == IOTHUB_CLIENT_OK;
            uint32_t step = b.next();
            b.after(faults && random.chance(30) ? random.below(3000) : step < 1000000 ? step : 1000);
            REQUIRE_FALSE(b.contract_broken);
            hub.look();
            if (connection != b.opens) { connection = b.opens; connack_due = true; }
            answer(b, hub, random, faults, connack_due);
            IOTHUB_CLIENT_STATUS status;
            if (!faults && IoTHubDeviceClient_GetSendStatus(b.hub, &status) == IOTHUB_CLIENT_OK && status == IOTHUB_CLIENT_SEND_STATUS_IDLE) break;
        }
        if (!faults) REQUIRE(steps < 400);         /* every accepted message is settled */
    }
    IOTHUB_STATISTICS s = b.statistics();
    REQUIRE((int)s.accepted == accepted);
    REQUIRE(s.accepted == s.confirmed_ok + s.confirmed_timeout);
    REQUIRE(b.confirmations.size() == s.accepted);
    std::set<int> numbers;
    for (auto &c : b.confirmations) {
        REQUIRE(numbers.insert(c.number).second);  /* one confirmation each */
        if (c.result == IOTHUB_CLIENT_CONFIRMATION_OK) REQUIRE(hub.have.count(std::to_string(c.number)) == 1);
    }
    REQUIRE(s.messages_waiting == 0);
    REQUIRE(s.messages_in_flight == 0);
    REQUIRE(s.outbox_used == 0);
    for (auto &copy : hub.copies) REQUIRE(copy.second <= b.opens);
}

} // namespace

TEST_CASE("client: random lives keep every promise")
{
    const char *one = std::getenv("SEED");         /* SEED=n replays one */
    uint32_t first = one != NULL ? (uint32_t)std::atol(one) : 1, last = one != NULL ? first : 3000;
    for (uint32_t seed = first; seed <= last; ++seed) {
        INFO("SEED=" << seed);
        live(seed);
    }
}
