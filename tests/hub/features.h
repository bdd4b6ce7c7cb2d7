/* A device or module that records what the hub sends: messages, twins, methods. Each test says how it answers. */
#ifndef FEATURES_H
#define FEATURES_H

#include "device.h"

static const char *const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/* The emulator with the device d1 and its module d1/m1; one folder of certificates for the whole run. */
struct FeatureHub : Hub {
    explicit FeatureHub(const std::vector<std::string> &more = {}) : Hub(options(more)) {}

    static const std::string &state()
    {
        static Folder folder;
        return folder.path;
    }
    static std::vector<std::string> options(const std::vector<std::string> &more)
    {
        std::vector<std::string> all = { "--state", state(), "--device", std::string("d1,key=") + KEY, "--module", std::string("d1/m1,key=") + KEY };
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    size_t count(const std::string &event) { return seen(event).size(); }
    /* What stands in this field of each event of the kind, in order. */
    std::vector<std::string> fields(const std::string &event, const std::string &name)
    {
        std::vector<std::string> found;
        for (auto &line : seen(event)) found.push_back(json(line, name));
        return found;
    }
    std::string waiting(const std::string &id = "d1") { return json(command_line("c2d-state " + id), "waiting"); }
};

struct Message {
    IOTHUB_MESSAGE_HANDLE handle;
    std::string body, id, input;
    std::map<std::string, std::string> properties;
};

struct Twin {
    DEVICE_TWIN_UPDATE_STATE state;
    std::string json;                            /* empty: GetTwinAsync failed */
};

struct Call {
    METHOD_HANDLE handle;
    std::string name, payload;
};

/* A body that came in pieces. */
struct Pieces {
    IOTHUB_PIECE_KIND kind;
    std::string body, method;
    uint32_t total;
    METHOD_HANDLE call;
    IOTHUB_MESSAGE_HANDLE message;
    bool ended;
    unsigned cuts;
    size_t largest;
};

struct Features : Device {
    std::vector<Message> messages;
    std::vector<Twin> twins;
    std::vector<Call> calls;
    std::vector<Pieces> pieces;
    std::vector<int> reported;
    IOTHUBMESSAGE_DISPOSITION_RESULT disposition;
    std::string response;                        /* of synchronous methods */
    int status;
    IOTHUB_ERROR last;

    Features(const std::string &connection, const std::string &roots, size_t inbox = 1536, size_t outbox = 8192,
        IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol = MQTT_Protocol)
        : Device(connection, roots, outbox, IOTHUB_BEARSSL_BUFFER_BIDI, inbox, protocol), disposition(IOTHUBMESSAGE_ACCEPTED), response("{}"), status(200)
    {
        retry_quickly();
    }
    IOTHUB_MODULE_CLIENT_HANDLE module() { return reinterpret_cast<IOTHUB_MODULE_CLIENT_HANDLE>(hub); }

    static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE handle, void *context)
    {
        Features *self = static_cast<Features *>(context);
        self->messages.push_back(read(handle));
        return self->disposition;
    }
    static Message read(IOTHUB_MESSAGE_HANDLE handle)
    {
        Message message = { handle, "", text(IoTHubMessage_GetMessageId(handle)), text(IoTHubMessage_GetInputName(handle)), {} };
        const unsigned char *body = NULL;
        const char *const *names, *const *values;
        size_t size = 0, count = 0;
        if (IoTHubMessage_GetByteArray(handle, &body, &size) == IOTHUB_MESSAGE_OK && size > 0) message.body.assign((const char *)body, size);
        if (Map_GetInternals(IoTHubMessage_Properties(handle), &names, &values, &count) != MAP_OK) throw std::runtime_error("properties");
        for (size_t i = 0; i < count; ++i) message.properties[names[i]] = values[i];
        return message;
    }
    static std::string text(const char *value) { return value ? value : ""; }

    static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *bytes, size_t size, void *context)
    {
        Twin twin = { state, bytes ? std::string((const char *)bytes, size) : "" };
        static_cast<Features *>(context)->twins.push_back(twin);
    }
    static void on_reported(int status, void *context) { static_cast<Features *>(context)->reported.push_back(status); }

    static int on_method(const char *name, const unsigned char *payload, size_t size, unsigned char **response, size_t *response_size, void *context)
    {
        Features *self = static_cast<Features *>(context);
        self->keep_call(name, payload, size, NULL);
        *response = (unsigned char *)&self->response[0];
        *response_size = self->response.size();
        return self->status;
    }
    static int on_inbound(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE handle, void *context)
    {
        static_cast<Features *>(context)->keep_call(name, payload, size, handle);
        return 0;
    }
    void keep_call(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE handle)
    {
        Call call = { handle, name, std::string((const char *)payload, size) };
        calls.push_back(call);
    }

    static IOTHUBMESSAGE_DISPOSITION_RESULT on_piece(const IOTHUB_PIECE *piece, void *context)
    {
        Features *self = static_cast<Features *>(context);
        if (self->pieces.empty() || self->pieces.back().ended) {
            Pieces begun = { piece->kind, "", text(piece->method_name), piece->total, piece->method, piece->message, false, 0, 0 };
            self->pieces.push_back(begun);
        }
        Pieces &whole = self->pieces.back();
        if (piece->state == IOTHUB_PIECE_CUT) {
            whole.cuts += 1;
            whole.ended = true;
            return IOTHUBMESSAGE_ABANDONED;
        }
        if (piece->offset != whole.body.size() || piece->total != whole.total || piece->kind != whole.kind) throw std::runtime_error("pieces do not fit");
        whole.body.append((const char *)piece->bytes, piece->size);
        whole.largest = piece->size > whole.largest ? piece->size : whole.largest;
        whole.ended = piece->state == IOTHUB_PIECE_LAST;
        whole.call = piece->method;
        whole.message = piece->message;
        return self->disposition;
    }

    IOTHUB_CLIENT_RESULT settle(size_t index, IOTHUBMESSAGE_DISPOSITION_RESULT how)
    {
        return IoTHubDeviceClient_SendMessageDisposition(hub, messages.at(index).handle, how);
    }
    IOTHUB_CLIENT_RESULT report(const std::string &state)
    {
        return IoTHubDeviceClient_SendReportedState(hub, (const unsigned char *)state.data(), state.size(), on_reported, this);
    }
    IOTHUB_CLIENT_RESULT answer(METHOD_HANDLE call, const std::string &body, int code)
    {
        return IoTHubDeviceClient_DeviceMethodResponse(hub, call, (const unsigned char *)body.data(), body.size(), code);
    }
    bool run_until_ready() { return run([&] { return !reasons.empty() && reasons.back() == IOTHUB_CLIENT_CONNECTION_OK; }); }
    bool run_until_messages(size_t count) { return run([&] { return messages.size() >= count; }); }
    void run_for(int milliseconds) { run([] { return false; }, milliseconds); }
};

/* A device that asks for everything. */
struct Everything : Features {
    Everything(const std::string &connection, const std::string &root, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol = MQTT_Protocol)
        : Features(connection, root, 2048, 8192, protocol)
    {
        IOTHUB_CLIENT_RESULT result = IoTHubDeviceClient_SetMessageCallback(hub, on_message, this);
        if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetDeviceTwinCallback(hub, on_twin, this);
        if (result == IOTHUB_CLIENT_OK) result = IoTHubDeviceClient_SetDeviceMethodCallback(hub, on_method, this);
        if (result != IOTHUB_CLIENT_OK) throw std::runtime_error("a feature");
    }
};

/* One of each kind, to and from the device. A method is for who is there: a lost connection loses it. */
inline bool exchange(FeatureHub &hub, Everything &device, const std::string &id, int round, bool method = true)
{
    const std::string number = std::to_string(round);
    size_t messages = device.messages.size(), calls = device.calls.size(), reported = device.reported.size();
    unsigned confirmed = device.confirmed;
    hub.command_line("c2d " + id + " {\"body\":\"message " + number + "\"}");
    hub.command_line("desired " + id + " {\"round\":" + number + "}");
    if (method) hub.command_line("method " + id + " step {\"connectTimeout\":10,\"json\":" + number + "}");
    if (device.send("telemetry " + number) != IOTHUB_CLIENT_OK || device.report("{\"round\":" + number + "}") != IOTHUB_CLIENT_OK) return false;
    return device.run([&] {
        return device.messages.size() > messages && (!method || device.calls.size() > calls) && device.reported.size() > reported && device.confirmed > confirmed
            && !device.twins.empty() && device.twins.back().json.find("\"round\":" + number) != std::string::npos;
    });
}

/* The body that the emulator makes for "bodySize". */
inline std::string alphabet(size_t size)
{
    std::string text(size, 'a');
    for (size_t i = 0; i < size; ++i) text[i] = (char)('a' + i % 26);
    return text;
}

#endif
