#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"
namespace { const std::string GET = "$iothub/twin/GET/?$rid="; }
TEST_CASE("twin: a kept message that leaves no room for a patch makes it known, once there is room again")
{
    Features f(1024);
    f.want_messages();
    f.with_twin(3);
    f.disposition = IOTHUBMESSAGE_ASYNC_ACK;
    /* the largest message that fits: nothing is left behind it */
    size_t size = 900;
    while (f.messages.empty() && size != 0) {
        f.hear(publish(C2D, std::string(size--, 'x'), 1));
    }
    REQUIRE(f.messages.size() == 1);
    f.hear(patch(4));
    CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_OK);
    f.work(2);
    /* the application is behind now: a document has to be asked for without another change */
    bool asked = f.said().find(GET) != std::string::npos;
    CHECK((asked || f.twins == std::vector<std::string>({ "P " + change(4) })));
}

