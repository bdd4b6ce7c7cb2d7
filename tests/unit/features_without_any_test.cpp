/* Telemetry alone: IOTHUB_NO_C2D, IOTHUB_NO_TWIN, IOTHUB_NO_METHODS together, and without statistics, modules and properties. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_NO_C2D
#define IOTHUB_NO_TWIN
#define IOTHUB_NO_METHODS
#define IOTHUB_NO_STATISTICS
#define IOTHUB_NO_MODULE
#define IOTHUB_NO_PROPERTIES
#include "implementation.h"
#include "features_bench.h"

TEST_CASE("without any feature: every call says so, nothing is subscribed, and telemetry works")
{
    Features f(100);
    CHECK(IoTHubDeviceClient_SetMessageCallback(f.hub, Features::on_message, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, Features::on_twin, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceMethodCallback(f.hub, Features::on_method, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetPieceCallback(f.hub, Features::on_piece, &f) == IOTHUB_CLIENT_OK);
    REQUIRE(f.send("x") == IOTHUB_CLIENT_OK);
    f.work(4);
    CHECK(f.said() == "CONNECT; devices/d1/messages/events/ x");
    f.hear(CONNACK + puback(1) + publish(C2D, std::string(500, 'x'), 1) + call("m", "1") + patch(3));
    CHECK(f.confirmations.size() == 1);
    CHECK(f.said() == "");
    CHECK(f.is_open);
}
