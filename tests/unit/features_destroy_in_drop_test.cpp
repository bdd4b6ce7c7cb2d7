/* Destroy inside the confirmation of a message that an outbox policy dropped. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"

TEST_CASE("outbox policy: Destroy in the confirmation of a drop takes effect when SendEventAsync returns; every accepted message is confirmed once")
{
    for (int value : { IOTHUB_OUTBOX_DROP_OLDEST, IOTHUB_OUTBOX_DROP_NEWEST }) {
        Bench b(KEY_STRING, 2048, 256, 3);
        REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_OUTBOX_POLICY, &value) == IOTHUB_CLIENT_OK);
        for (int i = 0; i < 3; ++i) {
            REQUIRE(b.send("m") == IOTHUB_CLIENT_OK);
        }
        bool destroyed = false;
        b.during_confirmation = [&](int) {
            if (!destroyed) {
                destroyed = true;
                IoTHubDeviceClient_Destroy(b.hub);
            }
        };
        int accepted = 3 + (b.send("new") == IOTHUB_CLIENT_OK);
        REQUIRE(destroyed);
        b.hub = NULL;
        CAPTURE(value);
        CHECK((int)b.confirmations.size() == accepted);
    }
}

TEST_CASE("outbox policy: Destroy in a drop by a callback's own SendEventAsync takes effect when DoWork returns, each message confirmed once")
{
    int value = IOTHUB_OUTBOX_DROP_OLDEST, accepted = 3;
    Bench b(KEY_STRING, 2048, 256, 3);
    REQUIRE(IoTHubDeviceClient_SetOption(b.hub, IOTHUB_OPTION_OUTBOX_POLICY, &value) == IOTHUB_CLIENT_OK);
    b.connect();
    REQUIRE(b.send("acknowledged") == IOTHUB_CLIENT_OK);
    b.work();
    b.write_limit = 0;                           /* the others stay where they can be dropped */
    REQUIRE(b.send("second") == IOTHUB_CLIENT_OK);
    REQUIRE(b.send("third") == IOTHUB_CLIENT_OK);
    bool destroyed = false;
    b.during_confirmation = [&](int number) {
        if (number == 1) {
            accepted += (b.send("in its place") == IOTHUB_CLIENT_OK) + (b.send("one too many") == IOTHUB_CLIENT_OK);
            CHECK(destroyed);
            CHECK(b.confirmations.size() == 2);  /* the others when DoWork returns */
        } else if (!destroyed) {
            destroyed = true;
            IoTHubDeviceClient_Destroy(b.hub);
        }
    };
    b.inbound += puback(b.sent().back().id);
    b.work();
    b.hub = NULL;
    REQUIRE(destroyed);
    REQUIRE(accepted == 5);
    std::vector<int> numbers;
    for (const Confirmation &confirmation : b.confirmations) {
        numbers.push_back(confirmation.number);
    }
    std::sort(numbers.begin(), numbers.end());
    CHECK(numbers == std::vector<int>({ 1, 2, 3, 4, 5 }));
}
