/* IOTHUB_WORK_READ_SIZE larger than the window: what is kept is not read over. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#define IOTHUB_WORK_READ_SIZE 300
#include "implementation.h"
#include "features_bench.h"

TEST_CASE("features: with large reads kept messages, and messages in several reads, stay whole")
{
    Features f(4096);
    f.disposition = IOTHUBMESSAGE_ASYNC_ACK;
    f.want_messages();
    f.online();
    f.hear(publish(C2D + "%24.mid=kept", std::string(150, 'k'), 1));
    REQUIRE(f.handles.size() == 1);
    f.disposition = IOTHUBMESSAGE_ACCEPTED;
    for (unsigned id = 2; id < 12; ++id) {
        f.hear(publish(C2D + "a=b", std::string(400, (char)('a' + id)), id));
        REQUIRE(f.messages.size() == id);
        CHECK(f.messages.back() == std::string(400, (char)('a' + id)));
    }
    const unsigned char *body;
    size_t size;
    REQUIRE(IoTHubMessage_GetByteArray(f.handles[0], &body, &size) == IOTHUB_MESSAGE_OK);
    CHECK(std::string((const char *)body, size) == std::string(150, 'k'));
    CHECK(std::string(IoTHubMessage_GetMessageId(f.handles[0])) == "kept");
    CHECK(f.settle(f.handles[0]) == IOTHUB_CLIENT_OK);
}

TEST_CASE("features: with large reads, a feature asked for in a callback leaves the rest of what was read whole")
{
    Features f(2048);
    f.want_methods();
    f.online();
    f.during = [&] { if (f.calls.size() == 1) f.want_messages(); };
    f.hear(call("one", "1", std::string(20, 'x')) + call("two", "2", std::string(100, 'y')) + publish(C2D + "a=b", "hello", 5) + call("three", "3"));
    CHECK(f.calls.size() == 3);
    CHECK(f.calls[1] == "two(" + std::string(100, 'y') + ")");
    CHECK(f.messages == std::vector<std::string>({ "hello" }));
    CHECK(f.is_open);
}
