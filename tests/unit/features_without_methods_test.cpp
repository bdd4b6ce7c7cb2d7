/* IOTHUB_NO_METHODS: the feature is left out, its calls say so. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_NO_METHODS
#include "implementation.h"
#include "features_bench.h"

TEST_CASE("without methods: their calls answer ERROR, and messages and twin work")
{
    Features f;
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, Features::on_method, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback_Ex(f.hub, Features::on_inbound_method, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SubscribeToCommands(f.hub, Features::on_command, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    CHECK(f.respond((METHOD_HANDLE)&f, "{}") == IOTHUB_CLIENT_INVALID_ARG);
    f.want_messages();
    f.want_pieces();
    f.with_twin(3);
    f.hear(publish(C2D, "x", 1) + patch(4) + call("m", "1") + publish(C2D, std::string(5000, (char)1), 2));
    CHECK(f.messages.size() == 1);
    CHECK(f.twins == std::vector<std::string>({ "P " + change(4) }));
    CHECK(f.pieced.size() == 5000);
    CHECK(f.is_open);
    f.cut();
    f.online();
    CHECK(f.is_open);
}
