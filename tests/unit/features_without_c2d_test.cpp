/* IOTHUB_NO_C2D: the feature is left out, its calls say so. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_NO_C2D
#include "implementation.h"
#include "features_bench.h"

TEST_CASE("without C2D: its calls answer ERROR or that there is nothing, and twin and methods work")
{
    Features f;
    time_t when;
    CHECK(IoTHubDeviceClient_SetMessageCallback(f.hub, Features::on_message, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetMessageCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubModuleClient_SetMessageCallback(f.module(), Features::on_message, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubModuleClient_SetInputMessageCallback(f.module(), "in", Features::on_message, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_GetLastMessageReceiveTime(f.hub, &when) == IOTHUB_CLIENT_INDEFINITE_TIME);
    CHECK(f.settle((IOTHUB_MESSAGE_HANDLE)(void *)&f) == IOTHUB_CLIENT_INVALID_ARG);
    f.want_methods();
    f.want_pieces();
    f.with_twin(3);
    f.hear(patch(4) + call("m", "1") + publish(C2D, "x", 1) + publish(C2D, std::string(5000, (char)1), 2));
    CHECK(f.twins == std::vector<std::string>({ "P " + change(4) }));
    CHECK(f.calls.size() == 1);
    CHECK(f.statistics().received_unhandled == 2);
    CHECK(f.is_open);
    f.cut();
    f.online();
    CHECK(f.is_open);
}
