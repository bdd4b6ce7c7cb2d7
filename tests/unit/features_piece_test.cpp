/* Bodies larger than the inbox: in pieces, as they arrive. */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "implementation.h"
#include "features_bench.h"

namespace {

/* Bytes that tell their place. */
std::string large(size_t size)
{
    std::string out;
    for (size_t i = 0; i < size; ++i) {
        out += (char)('a' + (i * 7 + i / 256) % 26);
    }
    return out;
}

/* The pieces of one body: without a gap from 0 to its end, LAST only there. */
void check_whole(const Features &f, const std::string &body, IOTHUB_PIECE_KIND kind)
{
    uint32_t offset = 0;
    REQUIRE(f.pieces.size() >= 2);
    for (size_t i = 0; i < f.pieces.size(); ++i) {
        const Piece &p = f.pieces[i];
        REQUIRE(p.kind == kind);
        REQUIRE(p.offset == offset);
        REQUIRE(p.total == body.size());
        REQUIRE(p.size != 0);
        REQUIRE(p.state == (i + 1 == f.pieces.size() ? IOTHUB_PIECE_LAST : IOTHUB_PIECE_MORE));
        REQUIRE((p.message != NULL) == (kind == IOTHUB_PIECE_OF_MESSAGE));
        REQUIRE((p.method != NULL) == (kind == IOTHUB_PIECE_OF_METHOD));
        REQUIRE((p.name != "-") == (kind == IOTHUB_PIECE_OF_METHOD));
        offset += (uint32_t)p.size;
    }
    CHECK(offset == body.size());
    CHECK(f.pieced == body);
}

struct Pieces : Features {
    explicit Pieces(size_t inbox = SMALL_INBOX) : Features(inbox)
    {
        want_messages();
        want_twin();
        want_methods();
        want_pieces();
        online();
        hear(twin_answer(200, "65537", document(3)));
        REQUIRE(twins.size() == 1);
        twins.clear();
        outbound.clear();
    }
};

}

TEST_CASE("piece: a 64 KB message passes through a small inbox, accepted with its last piece")
{
    Pieces f;
    const std::string body = large(65536);
    std::string ids;
    f.during = [&] {
        REQUIRE(f.pieces.back().message != NULL);
        ids += IoTHubMessage_GetMessageId(f.pieces.back().message);
        REQUIRE(std::string(IoTHubMessage_GetProperty(f.pieces.back().message, "room")) == "lab 1");
        const unsigned char *bytes;
        size_t size = 99;
        REQUIRE(IoTHubMessage_GetByteArray(f.pieces.back().message, &bytes, &size) == IOTHUB_MESSAGE_OK);
        REQUIRE(size == 0);                      /* it has no body of its own */
        CHECK(f.outbound.empty());               /* not acknowledged before */
    };
    f.hear(publish(C2D + "%24.mid=m&room=lab%201", body, 9));
    check_whole(f, body, IOTHUB_PIECE_OF_MESSAGE);
    CHECK(ids == std::string(f.pieces.size(), 'm'));
    CHECK(f.said() == "PUBACK 9");
    CHECK(f.messages.empty());
    CHECK(f.statistics().received == 2);         /* the document, and this */
    CHECK(f.statistics().received_skipped == 0);
}

TEST_CASE("piece: Map_GetInternals of a message in pieces")
{
    Pieces f(2048);
    size_t count = 0;
    std::string seen;
    f.during = [&] {
        const char *const *keys, *const *values;
        bool there = Map_GetInternals(IoTHubMessage_Properties(f.pieces.back().message), &keys, &values, &count) == MAP_OK;
        CHECK(there);
        seen = !there ? "" : std::string(keys[0]) + "=" + values[0] + ";" + keys[1] + "=" + values[1];
    };
    f.hear(publish(C2D + "a=1&b=22", large(5000), 1));
    CHECK(count == 2);
    CHECK(seen == "a=1;b=22");
}

TEST_CASE("piece: the answer to the last piece settles the message, those before count for nothing")
{
    for (int last = 0; last < 3; ++last) {
        for (int before = 0; before < 3; ++before) {
            Pieces f;
            f.during = [&] { f.piece_answer = (IOTHUBMESSAGE_DISPOSITION_RESULT)(f.pieces.back().state == IOTHUB_PIECE_LAST ? last : before); };
            f.hear(publish(C2D, large(3000), 5));
            CAPTURE(last, before);
            CHECK(f.said() == (last == IOTHUBMESSAGE_ACCEPTED ? "PUBACK 5" : ""));
            CHECK(f.settle(f.pieces[0].message) == IOTHUB_CLIENT_INVALID_ARG); /* released in every case */
        }
    }
}

TEST_CASE("piece: ASYNC_ACK keeps the properties until the message is settled")
{
    Pieces f;
    f.piece_answer = IOTHUBMESSAGE_ASYNC_ACK;
    f.hear(publish(C2D + "%24.mid=kept", large(3000), 5));
    CHECK(f.said() == "");
    IOTHUB_MESSAGE_HANDLE message = f.pieces[0].message;
    f.hear(publish(C2D + "%24.mid=next", large(2000), 6));
    CHECK(std::string(IoTHubMessage_GetMessageId(message)) == "kept");
    CHECK(f.settle(message) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == "PUBACK 5");
    CHECK(f.settle(message) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(f.settle(f.pieces.back().message) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == "PUBACK 6");
}

TEST_CASE("piece: a 32 KB twin with $version last passes through a small inbox, and patches go on from it")
{
    Features f;
    f.want_twin();
    f.want_pieces();
    f.online();
    const std::string body = "{\"desired\":{\"a\":\"" + large(32600) + "\",\"$version\":41},\"reported\":{\"$version\":1}}";
    f.hear(twin_answer(200, "65537", body));
    check_whole(f, body, IOTHUB_PIECE_OF_TWIN);
    CHECK(f.twins.empty());
    f.hear(patch(42));
    CHECK(f.twins == std::vector<std::string>({ "P " + change(42) }));
    CHECK(f.said() == "");
    f.pieces.clear();
    f.pieced.clear();
    const std::string next = "{\"a\":\"" + large(9000) + "\",\"$version\":43}";
    f.hear(publish(TWIN_PATCH + "43", next));
    check_whole(f, next, IOTHUB_PIECE_OF_PATCH);
    f.hear(patch(44));
    CHECK(f.twins.size() == 2);
    CHECK(f.said() == "");
}

TEST_CASE("piece: a document for GetTwinAsync alone that does not fit is NULL for it, not pieces")
{
    Features f;
    f.want_pieces();
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.online();
    f.hear(twin_answer(200, "65537", document(3, "\"a\":\"" + large(9000) + "\",")));
    CHECK(f.gets == std::vector<std::string>({ "C NULL" }));
    CHECK(f.pieces.empty());
    CHECK(f.error().code == IOTHUB_CODE_TWIN_SKIPPED);
}

TEST_CASE("piece: a document in pieces, and one who waits for it with GetTwinAsync")
{
    Features f;
    f.want_twin();
    f.want_pieces();
    REQUIRE(f.get() == IOTHUB_CLIENT_OK);
    f.online();
    const std::string body = document(3, "\"a\":\"" + large(9000) + "\",");
    f.hear(twin_answer(200, "65537", body));
    check_whole(f, body, IOTHUB_PIECE_OF_TWIN);
    CHECK(f.gets == std::vector<std::string>({ "C NULL" }));
}

TEST_CASE("piece: a 128 KB method passes through a small inbox, answered during its last piece, or later")
{
    const std::string body = large(131072);
    for (int later = 0; later < 2; ++later) {
        Pieces f;
        if (!later) {
            f.during = [&] {
                if (f.pieces.back().state == IOTHUB_PIECE_LAST) {
                    CHECK(f.respond(f.pieces.back().method, "{\"ok\":1}") == IOTHUB_CLIENT_OK);
                }
            };
        }
        f.hear(call("upload", "8ac5", body));
        check_whole(f, body, IOTHUB_PIECE_OF_METHOD);
        CHECK(f.pieces[0].name == "upload");
        CHECK(f.calls.empty());
        if (later) {
            CHECK(f.said() == "");
            f.after(10000);
            CHECK(f.respond(f.pieces[0].method, "{\"ok\":1}") == IOTHUB_CLIENT_OK);
            f.work();
        }
        CHECK(f.said() == "$iothub/methods/res/200/?$rid=8ac5 {\"ok\":1}");
        CHECK(f.respond(f.pieces[0].method, "{}") == IOTHUB_CLIENT_INVALID_ARG);
    }
}

TEST_CASE("piece: a command too large comes as pieces under its whole name")
{
    Features f(2048);
    REQUIRE(IoTHubDeviceClient_SubscribeToCommands(f.hub, Features::on_command, &f) == IOTHUB_CLIENT_OK);
    f.want_pieces();
    f.online();
    f.hear(call("comp*cmd", "1", large(5000)));
    REQUIRE(f.pieces.size() > 1);
    CHECK(f.pieces[0].name == "comp*cmd");
    CHECK(f.respond(f.pieces[0].method, "{}", 202) == IOTHUB_CLIENT_OK);
    f.work();
    CHECK(f.said() == "$iothub/methods/res/202/?$rid=1 {}");
}

TEST_CASE("piece: what fits comes whole, also with a piece callback; the sizes around the border miss nothing")
{
    size_t whole = 0, pieced = 0;
    for (size_t size = 1; size < 700; ++size) {
        Pieces f(1024);
        f.hear(publish(C2D + "a=b", large(size), 3));
        CAPTURE(size);
        if (f.pieces.empty()) {
            CHECK(f.messages == std::vector<std::string>({ large(size) }));
            CHECK(pieced == 0);
            ++whole;
        } else {
            CHECK(f.pieced == large(size));
            CHECK(f.pieces.back().state == IOTHUB_PIECE_LAST);
            ++pieced;
        }
        CHECK(f.said() == "PUBACK 3");
    }
    CHECK(whole > 50);
    CHECK(pieced > 50);
}

TEST_CASE("piece: CUT when the connection is lost in the middle, once, without bytes; the handle is released")
{
    struct { std::string packet; IOTHUB_PIECE_KIND kind; } const cases[] = {
        { publish(C2D + "a=b", large(5000), 9), IOTHUB_PIECE_OF_MESSAGE },
        { publish(TWIN_PATCH + "4", large(5000)), IOTHUB_PIECE_OF_PATCH },
        { call("m", "1", large(5000)), IOTHUB_PIECE_OF_METHOD }
    };
    for (const auto &c : cases) {
        Pieces f;
        f.hear(c.packet.substr(0, 3000));
        REQUIRE(f.pieces.size() >= 2);
        uint32_t came = f.pieces.back().offset + (uint32_t)f.pieces.back().size;
        size_t before = f.pieces.size();
        f.cut();
        REQUIRE(f.pieces.size() == before + 1);
        CHECK(f.pieces.back().state == IOTHUB_PIECE_CUT);
        CHECK(f.pieces.back().kind == c.kind);
        CHECK(f.pieces.back().size == 0);
        CHECK(f.pieces.back().offset == came);
        CHECK(f.pieces.back().total == 5000);
        if (c.kind == IOTHUB_PIECE_OF_MESSAGE) {
            CHECK(f.settle(f.pieces.back().message) == IOTHUB_CLIENT_INVALID_ARG);
        }
        if (c.kind == IOTHUB_PIECE_OF_METHOD) {
            CHECK(f.respond(f.pieces.back().method, "{}") == IOTHUB_CLIENT_INVALID_ARG);
        }
        before = f.pieces.size();
        f.online();
        f.pieces.clear();
        f.pieced.clear();
        f.hear(publish(C2D, large(2000), 1));
        check_whole(f, large(2000), IOTHUB_PIECE_OF_MESSAGE);
    }
}

TEST_CASE("piece: CUT of a document, and at Destroy")
{
    Features f;
    f.want_twin();
    f.want_pieces();
    f.online();
    f.hear(twin_answer(200, "65537", large(5000)).substr(0, 2000));
    REQUIRE(f.pieces.size() >= 2);
    IOTHUB_CLIENT_RESULT within = IOTHUB_CLIENT_OK;
    f.during = [&] { within = f.get(); };
    IoTHubDeviceClient_Destroy(f.hub);
    f.hub = NULL;
    CHECK(f.pieces.back().state == IOTHUB_PIECE_CUT);
    CHECK(f.pieces.back().kind == IOTHUB_PIECE_OF_TWIN);
    CHECK(within == IOTHUB_CLIENT_ERROR);
}

TEST_CASE("piece: a connection lost before the body, or after it, tells no CUT")
{
    Pieces f;
    std::string packet = publish(C2D + "a=b", large(2000), 9);
    f.hear(packet.substr(0, packet.size() - 2000));
    f.cut();
    f.online();
    CHECK(f.pieces.empty());
    f.hear(packet);
    size_t pieces = f.pieces.size();
    f.cut();
    CHECK(f.pieces.size() == pieces);
}

TEST_CASE("piece: without a callback large bodies are skipped; cleared in the middle, nothing is accepted")
{
    Pieces f;
    REQUIRE(IoTHubDeviceClient_SetPieceCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.hear(publish(C2D, large(2000), 1) + call("m", "7", large(2000)));
    CHECK(f.pieces.empty());
    CHECK(f.said() == "$iothub/methods/res/503/?$rid=7 ");
    f.want_pieces();
    std::string packet = publish(C2D, large(2000), 2);
    f.hear(packet.substr(0, 1000));
    REQUIRE(f.pieces.size() >= 2);
    REQUIRE(IoTHubDeviceClient_SetPieceCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.hear(packet.substr(1000));
    CHECK(f.said() == "");                       /* never accepted as a whole */
    CHECK(f.settle(f.pieces[0].message) == IOTHUB_CLIENT_INVALID_ARG);
    f.hear(packet.substr(0, 1000));
    f.want_pieces();                             /* too late for this one: it was skipped from its start */
    size_t pieces = f.pieces.size();
    f.hear(packet.substr(1000));
    CHECK(f.pieces.size() == pieces);
    f.pieces.clear();
    f.pieced.clear();
    f.hear(publish(C2D, large(2000), 3));
    check_whole(f, large(2000), IOTHUB_PIECE_OF_MESSAGE);
}

TEST_CASE("piece: cleared and set again in the middle, the rest does not follow over the gap, and nothing is accepted")
{
    Pieces f;
    std::string packet = publish(C2D, large(2000), 2);
    f.hear(packet.substr(0, 1000));
    size_t pieces = f.pieces.size();
    REQUIRE(pieces >= 2);
    REQUIRE(IoTHubDeviceClient_SetPieceCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.hear(packet.substr(1000, 200));
    f.want_pieces();
    f.hear(packet.substr(1200));
    CHECK(f.pieces.size() == pieces);
    CHECK(f.said() == "");
    CHECK(f.settle(f.pieces[0].message) == IOTHUB_CLIENT_INVALID_ARG);
}

TEST_CASE("piece: the callback cleared in the middle hears of no CUT either")
{
    Pieces f;
    f.hear(publish(C2D, large(2000), 2).substr(0, 1000));
    size_t pieces = f.pieces.size();
    REQUIRE(pieces >= 2);
    REQUIRE(IoTHubDeviceClient_SetPieceCallback(f.hub, NULL, NULL) == IOTHUB_CLIENT_OK);
    f.cut();
    CHECK(f.pieces.size() == pieces);
    CHECK(f.settle(f.pieces[0].message) == IOTHUB_CLIENT_INVALID_ARG);
}

TEST_CASE("piece: set before the features it takes no room; set after methods it takes that of their handles, or says what is missing")
{
    Features before(200);
    before.want_pieces();
    Features f(4096);
    f.want_methods();
    f.want_pieces();
    f.online();
    f.hear(call("m", "1", large(5000)));
    CHECK(f.pieces.size() > 1);
    int refused = 0;
    for (size_t size = 120; size < 500; size += 8) {
        Features small(size);
        if (IoTHubDeviceClient_SetDeviceMethodCallback(small.hub, Features::on_method, &small) == IOTHUB_CLIENT_OK
            && IoTHubDeviceClient_SetPieceCallback(small.hub, Features::on_piece, &small) != IOTHUB_CLIENT_OK) {
            CHECK(small.error().code == IOTHUB_CODE_INBOX_TOO_SMALL);
            CHECK(small.error().bytes_missing != 0);
            ++refused;
        }
        Features turned(size);                   /* and the other way round */
        turned.want_pieces();
        if (IoTHubDeviceClient_SetDeviceMethodCallback(turned.hub, Features::on_method, &turned) != IOTHUB_CLIENT_OK) {
            CHECK(turned.error().code == IOTHUB_CODE_INBOX_TOO_SMALL);
            CHECK(turned.error().bytes_missing != 0);
        }
    }
    CHECK(refused > 3);
}

TEST_CASE("piece: properties that find no room are skipped, pieces or not: nobody could say whose they are")
{
    Pieces f;
    f.hear(publish(C2D + "a=" + std::string(2000, 'v'), large(2000), 1));
    CHECK(f.pieces.empty());
    CHECK(f.messages.empty());
    CHECK(f.error().code == IOTHUB_CODE_MESSAGE_SKIPPED);
    CHECK(f.said() == "");
}

TEST_CASE("piece: a device id of 128 bytes full of escapes, whose address alone exceeds the inbox")
{
    const std::string id(128, '$');
    const std::string string = "HostName=hub.example.net;DeviceId=" + id + ";SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    std::string escaped;
    for (size_t i = 0; i < id.size(); ++i) {
        escaped += "%24";
    }
    Features f(1024, string.c_str(), 4096);
    f.want_messages();
    f.want_pieces();
    f.online();
    const std::string topic = "devices/" + id + "/messages/devicebound/%24.to=%2Fdevices%2F" + escaped + "%2Fmessages%2FdeviceBound&%24.mid=m";
    f.hear(publish(topic, "hello", 1));
    CHECK(f.messages == std::vector<std::string>({ "hello" }));
    f.hear(publish(topic, large(65536), 2));
    check_whole(f, large(65536), IOTHUB_PIECE_OF_MESSAGE);
    CHECK(f.said() == "PUBACK 1; PUBACK 2");
}

TEST_CASE("piece: without a body there are none")
{
    Pieces f;
    f.hear(publish(C2D, "", 1) + call("m", "7", ""));
    CHECK(f.pieces.empty());
    CHECK(f.messages.size() == 1);
    CHECK(f.calls == std::vector<std::string>({ "m()" }));
}
