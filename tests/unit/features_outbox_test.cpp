/* Kept bodies, what a full outbox does, and the credential that is asked for after a refusal. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"

namespace {

std::string large(size_t size)
{
    std::string out;
    for (size_t i = 0; i < size; ++i) {
        out += (char)((i * 7 + i / 256) & 0xFF);
    }
    return out;
}

const std::string EVENTS = "devices/d1/messages/events/";

IOTHUB_CLIENT_RESULT send_kept(Bench &b, const std::string &body, const char *property = NULL)
{
    void *storage[64];
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)body.data(), body.size());
    REQUIRE(message != NULL);
    if (property != NULL) {
        REQUIRE(IoTHubMessage_SetProperty(message, "k", property) == IOTHUB_MESSAGE_OK);
    }
    Bench::Ticket *ticket = new Bench::Ticket;
    ticket->bench = &b;
    ticket->number = b.next_number;
    b.tickets.push_back(ticket);
    IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SendEventKeptAsync(b.hub, message, Bench::on_confirmation, ticket);
    b.next_number += result == IOTHUB_CLIENT_OK;
    std::memset(storage, 0xEE, sizeof storage);  /* its head may go at once */
    return result;
}

/* "1:0 2:3" - number and result of each confirmation, in order. */
std::string told(const Bench &b)
{
    std::string out;
    for (const Confirmation &c : b.confirmations) {
        out += (out.empty() ? "" : " ") + std::to_string(c.number) + ":" + std::to_string((int)c.result);
    }
    return out;
}

void policy(Bench &b, int value)
{
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_OUTBOX_POLICY, &value) == IOTHUB_CLIENT_OK);
}

}

/* ---- kept bodies ---- */

TEST_CASE("kept: 256 KB pass through a small outbox without a copy, framed as any other message")
{
    Bench b(KEY_STRING, 512);
    b.connect();
    b.outbound.clear();
    const std::string body = large(262144 - 2);  /* and one property of two bytes */
    REQUIRE(send_kept(b, body, "v") == IOTHUB_CLIENT_OK);
    CHECK(b.statistics().outbox_used < 128);
    b.work(20);
    std::vector<Packet> out = b.sent();
    REQUIRE(out.size() == 1);
    CHECK(out[0].topic == EVENTS + "k=v");
    CHECK((out[0].body == body));
    CHECK(out[0].id == 1);
    CHECK(b.confirmations.empty());
    b.inbound = puback(1);
    b.work();
    CHECK(told(b) == "1:0");
    CHECK(b.statistics().outbox_used == 0);
    CHECK_FALSE(b.contract_broken);
}

TEST_CASE("kept: what the hub would not take is INVALID_SIZE, byte for byte as with a copy")
{
    Bench b(KEY_STRING, 512);
    CHECK(send_kept(b, large(262144)) == IOTHUB_CLIENT_OK);
    CHECK(send_kept(b, large(262145)) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(send_kept(b, large(262143), "v") == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(b.error().code == IOTHUB_CODE_MESSAGE_TOO_LARGE);
}

TEST_CASE("kept: among copied ones, every split of what the stream takes gives the same bytes and confirmations")
{
    std::string whole;
    const std::string one = large(300), two = large(131), none;
    for (size_t limit = 700; limit >= 1; limit -= limit > 40 ? 33 : 1) {
        Bench b(KEY_STRING, 4096);
        b.connect();
        b.outbound.clear();
        b.write_limit = limit;
        REQUIRE(b.send("copied") == IOTHUB_CLIENT_OK);
        REQUIRE(send_kept(b, one) == IOTHUB_CLIENT_OK);
        REQUIRE(send_kept(b, two) == IOTHUB_CLIENT_OK);
        REQUIRE(b.send("between") == IOTHUB_CLIENT_OK);
        REQUIRE(send_kept(b, none) == IOTHUB_CLIENT_OK);
        REQUIRE(b.send("last") == IOTHUB_CLIENT_OK);
        b.work(800);
        whole = whole.empty() ? b.outbound : whole;
        CAPTURE(limit);
        CHECK((b.outbound == whole));
        CHECK(b.statistics().sent == 6);
        CHECK_FALSE(b.contract_broken);
        for (unsigned id = 1; id <= 6; ++id) {
            b.inbound += puback(id);
        }
        b.work(3);
        CHECK(told(b) == "1:0 2:0 3:0 4:0 5:0 6:0");
    }
    std::vector<Packet> out = packets(whole);
    REQUIRE(out.size() == 6);
    CHECK(out[1].body == one);
    CHECK(out[2].body == two);
    CHECK(out[4].body == "");
}

TEST_CASE("kept: a connection lost anywhere in it sends it again as a whole, marked DUP")
{
    const std::string body = large(500);
    for (size_t taken = 0; taken < 540; taken += taken < 50 ? 1 : 23) {
        Bench b(KEY_STRING, 2048);
        b.connect();
        b.write_limit = taken;
        REQUIRE(send_kept(b, body) == IOTHUB_CLIENT_OK);
        b.outbound.clear();
        IoTHubDeviceClient_DoWork(b.hub);
        b.dead_read = true;
        b.work();
        b.write_limit = 100000;
        b.until_open(400000);
        b.work();
        b.inbound += CONNACK;
        b.work(2);
        std::vector<Packet> out = b.sent();
        CAPTURE(taken);
        REQUIRE(out.size() == 2);
        CHECK(out[1].dup());
        CHECK(out[1].body == body);
        b.inbound = puback(1);
        b.work();
        CHECK(told(b) == "1:0");
        CHECK_FALSE(b.contract_broken);
    }
}

TEST_CASE("kept: before CONNACK it costs what it has, so that a large one waits")
{
    Bench b(KEY_STRING, 2048);
    const std::string body = large(5000), small = large(100);
    REQUIRE(send_kept(b, small) == IOTHUB_CLIENT_OK);
    REQUIRE(send_kept(b, body) == IOTHUB_CLIENT_OK);
    b.work(4);
    CHECK(b.sent().size() == 2);
    b.inbound = CONNACK;
    b.work(4);
    CHECK(b.sent().size() == 3);
}

TEST_CASE("kept: a message from the pool is refused, one by Wrap is not; QoS 0 is confirmed when all of it was taken")
{
    Bench b(KEY_STRING, 2048);
    IOTHUB_MESSAGE_HANDLE pooled = IoTHubMessage_CreateFromString("x");
    REQUIRE(pooled != NULL);
    CHECK(IoTHubDeviceClient_SendEventKeptAsync(b.hub, pooled, NULL, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    IoTHubMessage_Destroy(pooled);
    int qos = 0;
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_QOS, &qos) == IOTHUB_CLIENT_OK);
    b.connect();
    b.outbound.clear();
    b.write_limit = 10;
    const std::string body = large(200);
    REQUIRE(send_kept(b, body) == IOTHUB_CLIENT_OK);
    b.work(2);
    CHECK(b.confirmations.empty());
    b.work(40);
    CHECK(told(b) == "1:0");
    CHECK(b.sent()[0].body == body);
}

TEST_CASE("kept: at Destroy its body is the caller's again, by its confirmation")
{
    Bench b(KEY_STRING, 2048);
    const std::string body = large(200);
    REQUIRE(send_kept(b, body) == IOTHUB_CLIENT_OK);
    IoTHubDeviceClient_Destroy(b.hub);
    b.hub = NULL;
    CHECK(told(b) == "1:1");
}

TEST_CASE("outbox: memory taken off its end is taken once, and never where a message lies")
{
    unsigned char memory[2048];
    iothubi_outbox outbox;
    for (unsigned used = 0; used < 300; used += 20) {
        iothubi_outbox_begin(&outbox, memory, sizeof(iothubi_record) * 4 + 256, 4);
        iothubi_record *record = used != 0 ? iothubi_outbox_add(&outbox, used) : NULL;
        if (used != 0 && used <= 256) {
            REQUIRE(record != NULL);
        }
        unsigned char *end = iothubi_outbox_carve_end(&outbox, 100);
        CAPTURE(used);
        CHECK((end != NULL) == (used <= 156 || used > 256));
        if (end != NULL) {
            CHECK(outbox.capacity == 156);
            CHECK(end == outbox.bytes + 156);
        }
        CHECK(iothubi_outbox_carve_end(&outbox, 5000) == NULL);
    }
    /* messages that wrap round: the end of the ring is in use */
    iothubi_outbox_begin(&outbox, memory, sizeof(iothubi_record) * 4 + 256, 4);
    iothubi_record *first = iothubi_outbox_add(&outbox, 100);
    REQUIRE(iothubi_outbox_add(&outbox, 120) != NULL);
    iothubi_outbox_done(&outbox, first);
    REQUIRE(iothubi_outbox_add(&outbox, 50) != NULL);    /* lies at the start */
    CHECK(iothubi_outbox_carve_end(&outbox, 20) == NULL);
}

/* ---- what a full outbox does ---- */

TEST_CASE("outbox policy: reject is the default")
{
    Bench b(KEY_STRING, 2048, 256, 3);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
    }
    CHECK(b.send("y") == IOTHUB_CLIENT_ERROR);
    CHECK(b.error().code == IOTHUB_CODE_OUTBOX_FULL);
    CHECK(b.confirmations.empty());
    CHECK(b.statistics().refused == 1);
    CHECK(b.statistics().dropped == 0);
    policy(b, IOTHUB_OUTBOX_DROP_OLDEST);
    policy(b, IOTHUB_OUTBOX_REJECT);
    CHECK(b.send("y") == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("outbox policy: its values are 0 to 2")
{
    Bench b;
    for (int value : { -1, 3, 255, 256, 257 }) {
        CHECK(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_OUTBOX_POLICY, &value) == IOTHUB_CLIENT_ERROR);
        CHECK(b.error().code == IOTHUB_CODE_OPTION_INVALID);
    }
}

TEST_CASE("outbox policy: drop oldest makes room within the call, confirms what went, in order, and counts it")
{
    Bench b(KEY_STRING, 2048, 256, 3);
    policy(b, IOTHUB_OUTBOX_DROP_OLDEST);
    for (int i = 0; i < 5; ++i) {
        REQUIRE(b.send("m" + std::to_string(i + 1)) == IOTHUB_CLIENT_OK);
    }
    CHECK(told(b) == "1:3 2:3");
    IOTHUB_STATISTICS s = b.statistics();
    CHECK(s.dropped == 2);
    CHECK(s.accepted == 5);
    CHECK(s.confirmed_error == 2);
    CHECK(s.messages_waiting == 3);
    CHECK(s.refused == 0);
    b.connect();
    b.work(2);
    std::vector<Packet> out = b.sent();
    REQUIRE(out.size() == 4);
    CHECK(out[1].body == "m3");
    CHECK(out[3].body == "m5");
}

TEST_CASE("outbox policy: drop oldest drops as many as a larger message needs, and nothing for one that can never fit")
{
    Bench b(KEY_STRING, 2048, 256, 6);
    policy(b, IOTHUB_OUTBOX_DROP_OLDEST);
    const size_t capacity = b.statistics().outbox_capacity;
    for (int i = 0; i < 4; ++i) {
        REQUIRE(b.send(std::string(capacity / 5, 'x')) == IOTHUB_CLIENT_OK);
    }
    CHECK(b.send(std::string(capacity, 'y')) == IOTHUB_CLIENT_INVALID_SIZE);
    CHECK(b.confirmations.empty());
    CHECK(b.send(std::string(capacity / 2, 'y')) == IOTHUB_CLIENT_OK);
    CHECK(b.confirmations.size() >= 2);
    CHECK(b.confirmations.size() <= 3);
    CHECK(b.send(std::string(capacity - 60, 'z')) == IOTHUB_CLIENT_OK);
    CHECK(b.statistics().messages_waiting == 1);
    CHECK(b.statistics().dropped == 5);
}

TEST_CASE("outbox policy: drop oldest drops nothing that was offered on this connection: then it rejects")
{
    Bench b(KEY_STRING, 2048, 256, 3);
    policy(b, IOTHUB_OUTBOX_DROP_OLDEST);
    b.connect();
    for (int i = 0; i < 3; ++i) {
        REQUIRE(b.send("m" + std::to_string(i + 1)) == IOTHUB_CLIENT_OK);
        if (i == 0) {
            b.work();                            /* in flight */
        }
    }
    CHECK(b.send("m4") == IOTHUB_CLIENT_ERROR);
    CHECK(b.error().code == IOTHUB_CODE_OUTBOX_FULL);
    CHECK(b.confirmations.empty());
    CHECK(b.statistics().refused == 1);
    b.dead_read = true;                          /* queued again: its turn to go */
    b.work(2);
    CHECK(b.send("m4") == IOTHUB_CLIENT_OK);
    CHECK(told(b) == "1:3");
}

TEST_CASE("outbox policy: drop newest confirms the new message itself, with its own context, and answers OK")
{
    Bench b(KEY_STRING, 2048, 256, 3);
    policy(b, IOTHUB_OUTBOX_DROP_NEWEST);
    for (int i = 0; i < 5; ++i) {
        REQUIRE(b.send("m" + std::to_string(i + 1)) == IOTHUB_CLIENT_OK);
    }
    CHECK(told(b) == "4:3 5:3");
    IOTHUB_STATISTICS s = b.statistics();
    CHECK(s.dropped == 2);
    CHECK(s.accepted == 5);
    CHECK(s.confirmed_error == 2);
    CHECK(s.messages_waiting == 3);
    CHECK(s.refused == 0);
    CHECK(b.send(std::string(3000, 'x')) == IOTHUB_CLIENT_INVALID_SIZE);
    b.connect();
    b.work(2);
    CHECK(b.sent()[1].body == "m1");
}

TEST_CASE("outbox policy: without a callback it is dropped as well")
{
    for (int value : { IOTHUB_OUTBOX_DROP_OLDEST, IOTHUB_OUTBOX_DROP_NEWEST }) {
        Bench b(KEY_STRING, 2048, 256, 2);
        policy(b, value);
        void *storage[32];
        IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)"x", 1);
        for (int i = 0; i < 4; ++i) {
            CHECK(IoTHubDeviceClient_SendEventAsync(b.hub, message, NULL, NULL) == IOTHUB_CLIENT_OK);
        }
        CHECK(b.statistics().dropped == 2);
    }
}

TEST_CASE("outbox policy: what a dropped message's callback sends drops nothing more, and the policy is the same afterwards")
{
    for (int value : { IOTHUB_OUTBOX_DROP_OLDEST, IOTHUB_OUTBOX_DROP_NEWEST }) {
        Bench b(KEY_STRING, 2048, 256, 3);
        policy(b, value);
        std::vector<IOTHUB_CLIENT_RESULT> within;
        for (int i = 0; i < 3; ++i) {
            REQUIRE(b.send("m") == IOTHUB_CLIENT_OK);
        }
        b.during_confirmation = [&](int) {
            if (within.empty()) {
                within.push_back(IOTHUB_CLIENT_OK);
                within[0] = b.send("from the callback");
                within.push_back(b.send("from the callback"));
            }
        };
        CAPTURE(value);
        IOTHUB_CLIENT_RESULT result = b.send("new");
        REQUIRE(within.size() == 2);
        CHECK(result == IOTHUB_CLIENT_OK);
        if (value == IOTHUB_OUTBOX_DROP_NEWEST) {
            CHECK(within[0] == IOTHUB_CLIENT_ERROR);
            CHECK(b.confirmations.size() == 1);
        } else {
            CHECK(within[0] == IOTHUB_CLIENT_OK);    /* it took the room that was just made */
            CHECK(within[1] == IOTHUB_CLIENT_ERROR);
        }
        b.during_confirmation = nullptr;
        IOTHUB_STATISTICS s = b.statistics();
        CHECK(s.accepted == s.confirmed_error + s.messages_waiting);
        size_t before = b.confirmations.size();
        CHECK(b.send("another") == IOTHUB_CLIENT_OK);
        CHECK(b.confirmations.size() == before + 1);
    }
}

TEST_CASE("outbox policy: a kept body that is dropped is the caller's again")
{
    Bench b(KEY_STRING, 2048, 256, 2);
    policy(b, IOTHUB_OUTBOX_DROP_OLDEST);
    {
        const std::string body = large(200);
        REQUIRE(send_kept(b, body) == IOTHUB_CLIENT_OK);
        REQUIRE(b.send("2") == IOTHUB_CLIENT_OK);
        REQUIRE(b.send("3") == IOTHUB_CLIENT_OK);
    }
    CHECK(told(b) == "1:3");
    b.connect();
    b.work();
    CHECK(b.sent().size() == 3);
}

/* ---- the next credential ---- */

namespace {

/* Counts the refusals that it was told, and gives what it has. */
struct Keys {
    std::vector<unsigned> asked;
    const char *given;
    static const char *on_ask(unsigned refusals, void *context)
    {
        Keys *keys = static_cast<Keys *>(context);
        keys->asked.push_back(refusals);
        return keys->given;
    }
};

void refuse(Bench &b, char code)
{
    b.until_open(400000);
    b.work(2);
    b.inbound = std::string("\x20\x02\x00", 3) + code;
    b.work();
    REQUIRE_FALSE(b.is_open);
}

const char *const OTHER_KEY = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="; /* FF FE FD ... E0 */

}

TEST_CASE("credential: asked for once before each attempt that follows a refused one, with the refusals in a row")
{
    Bench b;
    Keys keys = { {}, NULL };
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(b.hub, Keys::on_ask, &keys) == IOTHUB_CLIENT_OK);
    refuse(b, 5);
    CHECK(keys.asked.empty());                   /* not before the next attempt */
    refuse(b, 4);
    CHECK(keys.asked == std::vector<unsigned>({ 1 }));
    refuse(b, 5);
    CHECK(keys.asked == std::vector<unsigned>({ 1, 2 }));
    b.until_open(400000);
    CHECK(keys.asked == std::vector<unsigned>({ 1, 2, 3 }));
    b.work();
    b.dead_read = true;                          /* no answer: that says nothing of the key */
    b.work();
    b.until_open(400000);
    CHECK(keys.asked.size() == 3);
    b.inbound = CONNACK;
    b.work();
    b.dead_read = true;
    b.work();
    b.until_open(400000);
    CHECK(keys.asked.size() == 3);
    refuse(b, 5);                                /* counted anew since a connection was accepted */
    b.until_open(400000);
    CHECK(keys.asked == std::vector<unsigned>({ 1, 2, 3, 1 }));
}

TEST_CASE("credential: asked for once although HMAC takes several calls, and not before there is entropy")
{
    Bench b;
    Keys keys = { {}, OTHER_KEY };
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(b.hub, Keys::on_ask, &keys) == IOTHUB_CLIENT_OK);
    refuse(b, 5);
    b.hmac_pending = 5;
    b.until_open(400000);
    CHECK(keys.asked.size() == 1);
}

TEST_CASE("credential: another key signs from then on, shorter or as long, and comes back")
{
    static std::string used;
    Bench b;
    b.platform.hmac_sha256 = [](void *, const unsigned char *key, unsigned int size, const unsigned char *, unsigned int, unsigned char digest[32]) {
        used.assign((const char *)key, size);
        std::memset(digest, 0xAB, 32);
        return 0;
    };
    const char *const given[] = { OTHER_KEY, "AAEC", NULL, OTHER_KEY };
    const size_t sizes[] = { 32, 3, 3, 32 };
    Keys keys = { {}, NULL };
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(b.hub, Keys::on_ask, &keys) == IOTHUB_CLIENT_OK);
    refuse(b, 5);
    for (size_t i = 0; i < 4; ++i) {
        keys.given = given[i];
        refuse(b, 5);
        CAPTURE(i);
        CHECK(used.size() == sizes[i]);
        CHECK(used[0] == (sizes[i] == 32 ? '\xFF' : '\0'));
    }
    b.until_open(400000);
    b.work(2);
    b.inbound = CONNACK;
    b.work();
    CHECK(b.statuses.back().status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED);
}

TEST_CASE("credential: a key that is too long, or no base64, is told and the present one goes on")
{
    for (const char *given : { "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj", "not base64!", "AAE", "" }) {
        Bench b;
        Keys keys = { {}, given };
        REQUIRE(IoTHubDeviceClient_SetCredentialCallback(b.hub, Keys::on_ask, &keys) == IOTHUB_CLIENT_OK);
        refuse(b, 5);
        b.until_open(400000);
        CAPTURE(given);
        CHECK(keys.asked.size() == 1);
        CHECK(b.error().code == IOTHUB_CODE_SHARED_ACCESS_KEY_INVALID);
        CHECK(b.error().layer == IOTHUB_LAYER_CONFIG);
        b.work(2);
        b.inbound = CONNACK;
        b.work();
        CHECK(b.statuses.back().status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED);
    }
}

TEST_CASE("credential: for an identity with a token it gives another token, which this attempt sends")
{
    const std::string start = "SharedAccessSignature sr=hub.example.net%2Fdevices%2Fd1&sig=";
    const std::string first = start + "aaaa&se=1999999999", second = start + "bbbb&se=1999999999", expired = start + "cccc&se=1000000000";
    const std::string string = "HostName=hub.example.net;DeviceId=d1;SharedAccessSignature=" + first;
    Bench b(string.c_str());
    Keys keys = { {}, second.c_str() };
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(b.hub, Keys::on_ask, &keys) == IOTHUB_CLIENT_OK);
    refuse(b, 5);
    b.until_open(400000);
    b.work(2);
    CHECK(b.outbound.find(second) != std::string::npos);
    b.inbound = CONNACK;
    b.work(3);
    CHECK(b.is_open);                            /* and it is not taken for a planned reconnect */
    CHECK(b.opens == 2);

    Bench bad(string.c_str());
    Keys nonsense = { {}, "SharedAccessSignature nonsense" };
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(bad.hub, Keys::on_ask, &nonsense) == IOTHUB_CLIENT_OK);
    refuse(bad, 5);
    bad.until_open(400000);
    CHECK(bad.error().code == IOTHUB_CODE_SHARED_ACCESS_SIGNATURE_INVALID);
    bad.work(2);
    CHECK(bad.outbound.find(first) != std::string::npos);

    Bench late(string.c_str());
    Keys old = { {}, expired.c_str() };
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(late.hub, Keys::on_ask, &old) == IOTHUB_CLIENT_OK);
    refuse(late, 5);
    for (int i = 0; i < 400; ++i) {
        late.after(1000);
    }
    CHECK_FALSE(late.is_open);
    CHECK(late.error().code == IOTHUB_CODE_TOKEN_EXPIRED);
    CHECK(old.asked.size() == 1);
}

TEST_CASE("credential: NULL takes the callback away, and X.509 has no use for one")
{
    Bench b;
    Keys keys = { {}, OTHER_KEY };
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(b.hub, Keys::on_ask, &keys) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(b.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    refuse(b, 5);
    b.until_open(400000);
    CHECK(keys.asked.empty());
    Bench x509("HostName=hub.example.net;DeviceId=d1;x509=true");
    REQUIRE(IoTHubDeviceClient_SetCredentialCallback(x509.hub, Keys::on_ask, &keys) == IOTHUB_CLIENT_OK);
    refuse(x509, 5);
    x509.until_open(400000);
    CHECK(keys.asked.size() == 1);
    x509.work(2);
    x509.inbound = CONNACK;
    x509.work();
    CHECK(x509.statuses.back().status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED);
}

TEST_CASE("credential: Destroy, Stop and another callback within it")
{
    struct Within {
        Bench *bench;
        int what;
        static const char *on_ask(unsigned, void *context)
        {
            Within *w = static_cast<Within *>(context);
            if (w->what == 0) {
                IoTHubDeviceClient_Destroy(w->bench->hub);
            } else if (w->what == 1) {
                IoTHubDeviceClient_Stop(w->bench->hub);
            } else {
                IoTHubDeviceClient_SetCredentialCallback(w->bench->hub, NULL, NULL);
            }
            return OTHER_KEY;
        }
    };
    for (int what = 0; what < 3; ++what) {
        Bench b;
        Within w = { &b, what };
        REQUIRE(IoTHubDeviceClient_SetCredentialCallback(b.hub, Within::on_ask, &w) == IOTHUB_CLIENT_OK);
        REQUIRE(b.send("x") == IOTHUB_CLIENT_OK);
        refuse(b, 5);
        for (int i = 0; i < 4000 && b.confirmations.empty() && !b.is_open; ++i) {
            b.after(100);
        }
        CAPTURE(what);
        if (what == 1) {
            b.work(2);
            CHECK(b.statuses.back().reason == IOTHUB_CLIENT_CONNECTION_OK);
        }
        if (what == 0) {
            CHECK(told(b) == "1:1");
            b.hub = NULL;
        }
        CHECK(b.is_open == (what == 2));
    }
}
