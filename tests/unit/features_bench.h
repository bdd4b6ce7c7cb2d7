/* The bench of cloud-to-device messages, twins and methods: a hub's packets, and a client that notes what it was told. */
#ifndef FEATURES_BENCH_H
#define FEATURES_BENCH_H

#include "bench.h"

#include <algorithm>

namespace {

const char *const MODULE_STRING = "HostName=hub.example.net;DeviceId=d1;ModuleId=m1;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string C2D = "devices/d1/messages/devicebound/";
const std::string INPUTS = "devices/d1/modules/m1/inputs/";
const std::string TWIN_ANSWER = "$iothub/twin/res/";
const std::string TWIN_PATCH = "$iothub/twin/PATCH/properties/desired/?$version=";
const std::string METHOD = "$iothub/methods/POST/";
const size_t SMALL_INBOX = sizeof(void *) > 4 ? 768 : 512;

inline std::string length_of(size_t size)
{
    std::string out;
    do {
        out += (char)((size & 127) | (size > 127 ? 128 : 0));
        size >>= 7;
    } while (size != 0);
    return out;
}

/* A PUBLISH of the hub's; id 0: QoS 0. */
inline std::string publish(const std::string &topic, const std::string &body, unsigned id = 0)
{
    std::string rest;
    rest += (char)(topic.size() >> 8);
    rest += (char)topic.size();
    rest += topic;
    if (id != 0) {
        rest += (char)(id >> 8);
        rest += (char)id;
    }
    rest += body;
    return std::string(1, id != 0 ? '\x32' : '\x30') + length_of(rest.size()) + rest;
}

/* Return codes for the SUBSCRIBE of this client: its packet id is 0xFFF1. */
inline std::string suback(const std::string &codes, const char *id = "\xFF\xF1")
{
    return "\x90" + length_of(codes.size() + 2) + std::string(id, 2) + codes;
}

const std::string UNSUBACK("\xB0\x02\xFF\xF2", 4);

/* The filters of a SUBSCRIBE or UNSUBSCRIBE, with their QoS where there is one: "a/#:1 b/#:0". */
inline std::string filters(const Packet &packet)
{
    std::string out, raw = packet.raw;
    size_t at = 2 + (raw.size() > 129);
    for (at += 2; at < raw.size();) {
        size_t size = (unsigned char)raw[at] * 256u + (unsigned char)raw[at + 1];
        out += (out.empty() ? "" : " ") + raw.substr(at + 2, size);
        at += 2 + size;
        if (packet.type == 8) {
            out += ":" + std::to_string((int)raw[at++]);
        }
    }
    return out;
}

inline std::string document(int version, const std::string &more = "")
{
    return "{\"desired\":{" + more + "\"$version\":" + std::to_string(version) + "},\"reported\":{\"$version\":1}}";
}

inline std::string change(int version)
{
    return "{\"a\":" + std::to_string(version) + ",\"$version\":" + std::to_string(version) + "}";
}

inline std::string patch(int version)
{
    return publish(TWIN_PATCH + std::to_string(version), change(version));
}

inline std::string twin_answer(int status, const std::string &request, const std::string &body = "", const std::string &more = "")
{
    return publish(TWIN_ANSWER + std::to_string(status) + "/?$rid=" + request + more, body);
}

inline std::string call(const std::string &name, const std::string &request, const std::string &body = "{}")
{
    return publish(METHOD + name + "/?$rid=" + request, body);
}

struct Piece {
    IOTHUB_PIECE_KIND kind;
    IOTHUB_PIECE_STATE state;
    uint32_t offset, total;
    size_t size;
    IOTHUB_MESSAGE_HANDLE message;
    METHOD_HANDLE method;
    std::string name;
};

/* A client with everything that its callbacks said. Texts: what came, in order. */
struct Features : Bench {
    std::vector<std::string> messages;            /* bodies */
    std::vector<IOTHUB_MESSAGE_HANDLE> handles;
    IOTHUBMESSAGE_DISPOSITION_RESULT disposition; /* that the callback of messages answers */
    std::vector<std::string> twins;               /* "C {...}" or "P {...}"; "C NULL" */
    std::vector<std::string> gets;                /* the same, of GetTwinAsync */
    std::vector<int> reported;
    std::vector<std::string> calls;               /* "name(body)" */
    std::string answer;
    int status;
    std::vector<METHOD_HANDLE> methods;
    std::vector<Piece> pieces;
    std::string pieced;                           /* the bytes of all pieces */
    IOTHUBMESSAGE_DISPOSITION_RESULT piece_answer;
    std::function<void()> during;                 /* runs in each of these callbacks */

    explicit Features(size_t inbox = SMALL_INBOX, const char *string = KEY_STRING, size_t outbox = 2048, unsigned slots = 0)
        : Bench(string, outbox, inbox, slots), disposition(IOTHUBMESSAGE_ACCEPTED), answer("{}"), status(200), piece_answer(IOTHUBMESSAGE_ACCEPTED) {}
    ~Features()
    {
        during = nullptr;
        during_confirmation = nullptr;
        IoTHubDeviceClient_Destroy(hub);         /* while what its callbacks write to is there */
        hub = NULL;
    }

    static Features *of(void *context) { return static_cast<Features *>(context); }
    IOTHUB_MODULE_CLIENT_HANDLE module() const { return (IOTHUB_MODULE_CLIENT_HANDLE)(void *)hub; }

    static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
    {
        const unsigned char *body;
        size_t size;
        REQUIRE(IoTHubMessage_GetByteArray(message, &body, &size) == IOTHUB_MESSAGE_OK);
        of(context)->messages.push_back(std::string((const char *)body, size));
        of(context)->handles.push_back(message);
        of(context)->call_during();
        return of(context)->disposition;
    }
    static std::string text_of(const char *kind, const unsigned char *payload, size_t size)
    {
        if (payload == NULL) {
            REQUIRE(size == 0);
            return std::string(kind) + " NULL";
        }
        return std::string(kind) + " " + std::string((const char *)payload, size);
    }
    static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size, void *context)
    {
        of(context)->twins.push_back(text_of(state == DEVICE_TWIN_UPDATE_COMPLETE ? "C" : "P", payload, size));
        of(context)->call_during();
    }
    static void on_get(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size, void *context)
    {
        of(context)->gets.push_back(text_of(state == DEVICE_TWIN_UPDATE_COMPLETE ? "C" : "P", payload, size));
        of(context)->call_during();
    }
    static void on_properties(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE type, const unsigned char *payload, size_t size, void *context)
    {
        of(context)->twins.push_back(text_of(type == IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL ? "ALL" : "UPDATES", payload, size));
        of(context)->call_during();
    }
    static void on_reported(int code, void *context)
    {
        of(context)->reported.push_back(code);
        of(context)->call_during();
    }
    static int on_method(const char *name, const unsigned char *payload, size_t size, unsigned char **response, size_t *response_size, void *context)
    {
        Features *f = of(context);
        f->calls.push_back(std::string(name) + "(" + std::string((const char *)payload, size) + ")");
        f->call_during();
        *response = f->answer.empty() ? NULL : (unsigned char *)(void *)const_cast<char *>(f->answer.data());
        *response_size = f->answer.size();
        return f->status;
    }
    static int on_inbound_method(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE method, void *context)
    {
        Features *f = of(context);
        f->calls.push_back(std::string(name) + "(" + std::string((const char *)payload, size) + ")");
        f->methods.push_back(method);
        f->call_during();
        return f->status == 200 ? 0 : f->status;
    }
    static void on_command(const IOTHUB_CLIENT_COMMAND_REQUEST *request, IOTHUB_CLIENT_COMMAND_RESPONSE *response, void *context)
    {
        Features *f = of(context);
        REQUIRE(request->structVersion == IOTHUB_CLIENT_COMMAND_REQUEST_STRUCT_VERSION_1);
        REQUIRE(response->structVersion == IOTHUB_CLIENT_COMMAND_RESPONSE_STRUCT_VERSION_1);
        REQUIRE(response->statusCode == 500);
        REQUIRE(response->payload == NULL);
        f->calls.push_back(std::string(request->componentName != NULL ? request->componentName : "NULL") + " " + request->commandName
            + "(" + std::string((const char *)request->payload, request->payloadLength) + ")");
        f->call_during();
        response->statusCode = f->status;
        response->payload = f->answer.empty() ? NULL : (unsigned char *)(void *)const_cast<char *>(f->answer.data());
        response->payloadLength = f->answer.size();
    }
    static IOTHUBMESSAGE_DISPOSITION_RESULT on_piece(const IOTHUB_PIECE *piece, void *context)
    {
        Features *f = of(context);
        Piece p = { piece->kind, piece->state, piece->offset, piece->total, piece->size, piece->message, piece->method,
            piece->method_name != NULL ? piece->method_name : "-" };
        f->pieces.push_back(p);
        f->pieced.append((const char *)piece->bytes, piece->size);
        f->call_during();
        return f->piece_answer;
    }
    void call_during()
    {
        if (during) {
            during();
        }
    }

    void want_messages() { REQUIRE(IoTHubDeviceClient_SetMessageCallback(hub, on_message, this) == IOTHUB_CLIENT_OK); }
    void want_twin() { REQUIRE(IoTHubDeviceClient_SetDeviceTwinCallback(hub, on_twin, this) == IOTHUB_CLIENT_OK); }
    void want_methods() { REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback(hub, on_method, this) == IOTHUB_CLIENT_OK); }
    void want_methods_ex() { REQUIRE(IoTHubDeviceClient_SetDeviceMethodCallback_Ex(hub, on_inbound_method, this) == IOTHUB_CLIENT_OK); }
    void want_pieces() { REQUIRE(IoTHubDeviceClient_SetPieceCallback(hub, on_piece, this) == IOTHUB_CLIENT_OK); }
    IOTHUB_CLIENT_RESULT get() { return IoTHubDeviceClient_GetTwinAsync(hub, on_get, this); }
    IOTHUB_CLIENT_RESULT report(const std::string &state)
    {
        return IoTHubDeviceClient_SendReportedState(hub, (const unsigned char *)state.data(), state.size(), on_reported, this);
    }
    IOTHUB_CLIENT_RESULT settle(IOTHUB_MESSAGE_HANDLE message, IOTHUBMESSAGE_DISPOSITION_RESULT how = IOTHUBMESSAGE_ACCEPTED)
    {
        return IoTHubDeviceClient_SendMessageDisposition(hub, message, how);
    }
    IOTHUB_CLIENT_RESULT respond(METHOD_HANDLE method, const std::string &body, int code = 200)
    {
        return IoTHubDeviceClient_DeviceMethodResponse(hub, method, body.empty() ? NULL : (const unsigned char *)body.data(), body.size(), code);
    }
    template <typename Value> IOTHUB_CLIENT_RESULT set(const char *name, Value value) { return IoTHubDeviceClient_SetOption(hub, name, &value); }

    /* What was sent since the last take. */
    std::vector<Packet> take()
    {
        std::vector<Packet> out = sent();
        outbound.clear();
        return out;
    }
    /* The same in short: "1", "SUB a:1", "40 9" (PUBACK), "topic body". */
    std::string said()
    {
        std::string out;
        for (const Packet &p : take()) {
            out += out.empty() ? "" : "; ";
            if (p.type == 3) {
                out += p.topic + " " + p.body;
            } else if (p.type == 4) {
                out += "PUBACK " + std::to_string((unsigned char)p.raw[2] * 256u + (unsigned char)p.raw[3]);
            } else if (p.type == 8 || p.type == 10) {
                out += (p.type == 8 ? "SUBSCRIBE " : "UNSUBSCRIBE ") + filters(p);
            } else {
                out += p.type == 1 ? "CONNECT" : p.type == 12 ? "PINGREQ" : p.type == 14 ? "DISCONNECT" : std::to_string(p.type);
            }
        }
        return out;
    }
    /* All of this arrives; there is work until it is read. */
    void hear(const std::string &bytes)
    {
        inbound += bytes;
        do {
            work();
        } while (!inbound.empty() && is_open);
        work(2);
    }
    /* Connected, everything that is wanted granted, and what that said forgotten. */
    void online()
    {
        until_open(400000);
        work(3);
        std::string codes;
        std::vector<Packet> out = sent();
        hear(CONNACK);
        if (sent().size() > out.size()) {         /* CONNECT went alone */
            out = sent();
        }
        for (const Packet &p : out) {
            if (p.type == 8) {
                std::string all = filters(p);
                codes = std::string(1u + (size_t)std::count(all.begin(), all.end(), ' '), '\0');
            }
        }
        REQUIRE(is_open);
        REQUIRE_FALSE(codes.empty());
        hear(suback(codes));
        outbound.clear();
    }
    /* ... and the first document, of this version, delivered. GETs are counted from 65537 on. */
    void with_twin(int version)
    {
        want_twin();
        online();
        hear(twin_answer(200, "65537", document(version)));
        REQUIRE(twins.size() == 1);
        twins.clear();
        outbound.clear();
    }
    void cut()
    {
        dead_read = true;
        work(2);
        REQUIRE_FALSE(is_open);
        dead_read = false;
    }
};

} // namespace

#endif
