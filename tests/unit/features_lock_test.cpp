/* IOTHUB_LOCK around every call of the features, let go around every callback; IOTHUB_FREE for what a method answers. */
#include <vector>

namespace {
int depth, deepest;
std::vector<const void *> freed;
}

#define IOTHUB_LOCK() (++depth, deepest = depth > deepest ? depth : deepest)
#define IOTHUB_UNLOCK() (--depth)
#define IOTHUB_FREE(pointer) freed.push_back(pointer)
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"

TEST_CASE("lock: it is let go in each callback, and after each call, whatever that answers")
{
    depth = deepest = 0;
    int callbacks = 0;
    {
        Features f(4096);
        f.during = [&] {
            ++callbacks;
            CHECK(depth == 0);
            f.get();
            CHECK(depth == 0);
        };
        f.during_confirmation = [&](int) { CHECK(depth == 0); };
        const unsigned char text[] = "{}";
        time_t when;
        f.want_messages();
        f.want_twin();
        f.want_methods();
        f.want_pieces();
        CHECK(depth == 0);
        CHECK(IoTHubDeviceClient_SetMessageCallback(f.hub, f.on_message, &f) == IOTHUB_CLIENT_OK);
        CHECK(IoTHubModuleClient_SetInputMessageCallback(f.module(), "in", f.on_message, &f) == IOTHUB_CLIENT_ERROR);
        CHECK(IoTHubDeviceClient_GetLastMessageReceiveTime(f.hub, &when) == IOTHUB_CLIENT_INDEFINITE_TIME);
        CHECK(f.settle((IOTHUB_MESSAGE_HANDLE)(void *)&f) == IOTHUB_CLIENT_INVALID_ARG);
        CHECK(f.respond((METHOD_HANDLE)&f, "{}") == IOTHUB_CLIENT_INVALID_ARG);
        CHECK(IoTHubDeviceClient_SubscribeToCommands(f.hub, f.on_command, &f) == IOTHUB_CLIENT_ERROR);
        CHECK(f.report(std::string(5000, 'x')) == IOTHUB_CLIENT_INVALID_SIZE);
        CHECK(IoTHubDeviceClient_SendReportedState(f.hub, text, 2, f.on_reported, &f) == IOTHUB_CLIENT_OK);
        CHECK(f.get() == IOTHUB_CLIENT_OK);
        CHECK(IoTHubDeviceClient_GetPropertiesAsync(f.hub, f.on_properties, &f) == IOTHUB_CLIENT_OK);
        CHECK(f.get() == IOTHUB_CLIENT_ERROR);
        CHECK(IoTHubDeviceClient_SetCredentialCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
        CHECK(depth == 0);
        f.online();
        f.hear(twin_answer(200, "65537", document(3)) + patch(4) + twin_answer(204, "1"));
        f.hear(publish(C2D, "x", 1) + call("m", "1") + publish(C2D, std::string(9000, 'x'), 2));
        REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
        REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, f.on_command, &f) == IOTHUB_CLIENT_OK);
        f.hear(call("c*m", "2"));
        REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
        f.want_methods_ex();
        f.hear(call("m", "3"));
        CHECK(callbacks > 10);
        CHECK(depth == 0);
        Features small(120);
        small.get();
        IoTHubDeviceClient_SetMessageCallback(small.hub, small.on_message, &small);
        small.report("{}");
        CHECK(depth == 0);
    }
    CHECK(depth == 0);
    CHECK(deepest == 1);                         /* never taken twice: it need not be recursive */
}

TEST_CASE("free: what a method or a command answers with is given back, once, whether it fitted or not; nothing when there is none")
{
    freed.clear();
    Features f(4096);
    f.want_methods();
    f.online();
    f.hear(call("m", "1"));
    CHECK(freed == std::vector<const void *>({ f.answer.data() }));
    f.answer = std::string(5000, 'x');           /* too large */
    f.hear(call("m", "2"));
    CHECK(freed.size() == 2);
    f.answer = "";
    f.hear(call("m", "3"));
    CHECK(freed.size() == 2);
    REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, Features::on_command, &f) == IOTHUB_CLIENT_OK);
    f.answer = "{}";
    f.hear(call("c", "4"));
    CHECK(freed.size() == 3);
    CHECK(freed[2] == (const void *)f.answer.data());
}
