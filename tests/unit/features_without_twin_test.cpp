/* IOTHUB_NO_TWIN: the feature is left out, its calls say so. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_NO_TWIN
#include "implementation.h"
#include "features_bench.h"

TEST_CASE("without twins: their calls answer ERROR, and messages and methods work")
{
    Features f;
    CHECK(IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, Features::on_twin, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_SetDeviceTwinCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_ERROR);
    CHECK(f.get() == IOTHUB_CLIENT_ERROR);
    CHECK(f.report("{}") == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_GetPropertiesAsync(f.hub, Features::on_properties, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_GetPropertiesAndSubscribeToUpdatesAsync(f.hub, Features::on_properties, &f) == IOTHUB_CLIENT_ERROR);
    CHECK(IoTHubDeviceClient_GetTwinAsync(f.hub, NULL, NULL) == IOTHUB_CLIENT_INVALID_ARG);
    f.want_messages();
    f.want_methods();
    f.want_pieces();
    f.work(3);
    CHECK(f.said() == "CONNECT; SUBSCRIBE devices/d1/messages/devicebound/#:1 $iothub/methods/POST/#:0");
    f.hear(CONNACK + suback(std::string("\1\0", 2)));
    f.hear(publish(C2D, "x", 1) + call("m", "1") + patch(3) + twin_answer(200, "65537", document(3)) + publish(C2D, std::string(5000, (char)1), 2));
    CHECK(f.messages.size() == 1);
    CHECK(f.calls.size() == 1);
    CHECK(f.pieced.size() == 5000);
    CHECK(f.is_open);
    f.cut();
    f.online();
    REQUIRE(f.send("x") == IOTHUB_CLIENT_OK);
    IoTHubDeviceClient_Destroy(f.hub);
    f.hub = NULL;
    CHECK(f.confirmations.size() == 1);
}
