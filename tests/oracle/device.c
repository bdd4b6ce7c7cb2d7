/* Our client behind the line protocol of README.md: commands on standard input, answers and events on standard output.

       gcc -std=gnu99 -I. tests/oracle/device.c -lbearssl -o build/oracle_device */
#define IOTHUB_IMPLEMENTATION
#define IOTHUB_POOL_CLIENTS 0
#define IOTHUB_WEBSOCKET
#include "iothub_client.h"
#include "ports/posix/iothub_posix_bearssl.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTBOX 2000000                           /* its quarter takes an answer of 128 KB, the rest fifty messages at once */
#define INBOX 400000                             /* a method of 128 KB beside messages that are held */
#define LINE 1000000                             /* 262,144 bytes as escapes, and the rest */
#define FIELDS 64
#define NUMBERS 1000                             /* messages, and calls, in the life of the program */

/* ---- Lines: a verb, then NAME=VALUE, decoded in place ---- */

typedef struct { char *name, *value; size_t size; } field;

static char line[LINE];
static size_t line_size;
static field fields[FIELDS];
static size_t field_count;

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t decode(char *text)
{
    char *to = text;
    const char *from = text;
    while (*from != '\0') {
        if (*from == '%' && digit(from[1]) >= 0 && digit(from[2]) >= 0) {
            *to++ = (char)(digit(from[1]) * 16 + digit(from[2]));
            from += 3;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static void read_fields(char *at)
{
    char *value;
    field_count = 0;
    for (at = strtok(at, " "); at != NULL && field_count < FIELDS; at = strtok(NULL, " ")) {
        value = strchr(at, '=');
        if (value == NULL) continue;
        *value++ = '\0';
        fields[field_count].name = at;
        fields[field_count].value = value;
        fields[field_count++].size = decode(value);
    }
}

static field *find(const char *name)
{
    size_t i;
    for (i = 0; i < field_count; i++) if (strcmp(fields[i].name, name) == 0) return &fields[i];
    return NULL;
}

static const char *text_of(const char *name)
{
    field *found = find(name);
    return found != NULL ? found->value : NULL;
}

static long number_of(const char *name)
{
    const char *text = text_of(name);
    return text != NULL ? strtol(text, NULL, 10) : 0;
}

static int is_set(const char *name) { return number_of(name) == 1; }

static void put_bytes(const char *bytes, size_t size)
{
    size_t i;
    for (i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c != '\0' && strchr("-_.~", c) != NULL)) putchar(c);
        else printf("%%%02X", c);
    }
}

static void put_field(const char *name, const char *value, size_t size)
{
    printf(" %s=", name);
    put_bytes(value, size);
}

static void put_text(const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') put_field(name, value, strlen(value));
}

static void end_line(void)
{
    putchar('\n');
    fflush(stdout);
}

/* n travels through the client as the context of callbacks. */
static void *number(void) { return (void *)(intptr_t)number_of("n"); }

static void begin_done(void *n) { printf("done n=%ld", (long)(intptr_t)n); }

static void done(void *n)
{
    begin_done(n);
    end_line();
}

static void failed(void *n, const char *why, const char *text)
{
    printf("failed n=%ld why=%s", (long)(intptr_t)n, why);
    put_text("text", text);
    end_line();
}

/* ---- The client: a device or a module ---- */

static IOTHUB_POSIX_BEARSSL machine;
static union { void *align; unsigned char bytes[IOTHUB_CLIENT_SIZE(2000, OUTBOX, INBOX) + IOTHUB_WEBSOCKET_SIZE]; } block;
static IOTHUB_DEVICE_CLIENT_HANDLE device;
static IOTHUB_MODULE_CLIENT_HANDLE module;
static void *opening, *closing;                  /* n of the command that waits; NULL: none */
static int retries, lost;
static int hold_messages, hold_inputs;
static IOTHUB_MESSAGE_HANDLE messages[NUMBERS];  /* NULL: it was accepted as it came */
static METHOD_HANDLE calls[NUMBERS];
static long message_count, call_count;
static char files[3][16384];                     /* CA, certificate, key: kept by the client */

/* The same function for whom it is: CALL(SendEventAsync, message, NULL, NULL). */
#define CALL(name, ...) (module != NULL ? IoTHubModuleClient_##name(module, __VA_ARGS__) : IoTHubDeviceClient_##name(device, __VA_ARGS__))
#define CALL_AS(device_name, module_name, ...) \
    (module != NULL ? IoTHubModuleClient_##module_name(module, __VA_ARGS__) : IoTHubDeviceClient_##device_name(device, __VA_ARGS__))

static int is_open(void) { return device != NULL || module != NULL; }

static IOTHUB_ERROR last_error(void)
{
    IOTHUB_ERROR error;
    CALL(GetLastError, &error);
    return error;
}

static void destroy(void)
{
    IOTHUB_MODULE_CLIENT_HANDLE old_module = module;
    IOTHUB_DEVICE_CLIENT_HANDLE old_device = device;
    module = NULL;
    device = NULL;
    IoTHubModuleClient_Destroy(old_module);
    IoTHubDeviceClient_Destroy(old_device);
}

static void refuse(void *n)
{
    IOTHUB_ERROR error = last_error();
    failed(n, "other", IoTHub_ErrorText(&error));
}

static void done_if(IOTHUB_CLIENT_RESULT result)
{
    if (result == IOTHUB_CLIENT_OK) done(number());
    else refuse(number());
}

static const char *why(IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, const IOTHUB_ERROR *error)
{
    if (reason == IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL || reason == IOTHUB_CLIENT_CONNECTION_DEVICE_DISABLED) return "unauthorized";
    return error->layer == IOTHUB_LAYER_TLS || error->layer == IOTHUB_LAYER_TLS_TRUST || error->layer == IOTHUB_LAYER_TLS_NAME ? "tls" : "other";
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    IOTHUB_ERROR error = last_error();
    (void)context;
    if (status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED) {
        if (opening != NULL) done(opening);
        opening = NULL;
    } else if (closing != NULL) {
        lost = 1;
    } else if (!retries) {
        if (opening != NULL) failed(opening, why(reason, &error), IoTHub_ErrorText(&error));
        opening = NULL;
        lost = 1;
    }
}

/* ---- Messages ---- */

static const unsigned char *body_of(IOTHUB_MESSAGE_HANDLE message, size_t *size)
{
    const unsigned char *body = NULL;
    *size = 0;
    (void)IoTHubMessage_GetByteArray(message, &body, size);
    return body;
}

static void put_properties(IOTHUB_MESSAGE_HANDLE message)
{
    const char *const *names, *const *values;
    size_t count = 0, i;
    if (Map_GetInternals(IoTHubMessage_Properties(message), &names, &values, &count) != MAP_OK) return;
    for (i = 0; i < count; i++) {
        printf(" p.");
        put_bytes(names[i], strlen(names[i]));
        putchar('=');
        put_bytes(values[i], strlen(values[i]));
    }
}

static IOTHUBMESSAGE_DISPOSITION_RESULT tell(const char *verb, IOTHUB_MESSAGE_HANDLE message, int hold)
{
    size_t size;
    const char *body = (const char *)body_of(message, &size);
    messages[message_count++ % NUMBERS] = hold ? message : NULL;
    printf("%s message=%ld", verb, message_count);
    put_text("name", IoTHubMessage_GetInputName(message));
    put_field("body", body, size);
    put_text("mid", IoTHubMessage_GetMessageId(message));
    put_text("cid", IoTHubMessage_GetCorrelationId(message));
    put_text("uid", IoTHubMessage_GetMessageUserIdSystemProperty(message));
    put_text("ct", IoTHubMessage_GetContentTypeSystemProperty(message));
    put_text("ce", IoTHubMessage_GetContentEncodingSystemProperty(message));
    put_properties(message);
    end_line();
    return hold ? IOTHUBMESSAGE_ASYNC_ACK : IOTHUBMESSAGE_ACCEPTED;
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    (void)context;
    return tell("c2d", message, hold_messages);
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_input(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    (void)context;
    return tell("input", message, hold_inputs);
}

static void take_c2d(void)
{
    hold_messages = is_set("hold");
    (void)CALL(SetMessageCallback, on_message, NULL);
}

static void command_c2d(void)
{
    take_c2d();
    done(number());
}

static void command_input(void)
{
    hold_inputs = is_set("hold");
    done_if(IoTHubModuleClient_SetInputMessageCallback(module, text_of("name"), on_input, NULL));
}

static void command_settle(void)
{
    const char *how = text_of("how");
    IOTHUBMESSAGE_DISPOSITION_RESULT disposition = how == NULL || strcmp(how, "accept") == 0 ? IOTHUBMESSAGE_ACCEPTED
        : strcmp(how, "reject") == 0 ? IOTHUBMESSAGE_REJECTED : IOTHUBMESSAGE_ABANDONED;
    IOTHUB_MESSAGE_HANDLE message = messages[(number_of("message") - 1) % NUMBERS];
    if (message == NULL) done(number());
    else done_if(CALL(SendMessageDisposition, message, disposition));
}

static void on_sent(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *n)
{
    if (result == IOTHUB_CLIENT_CONFIRMATION_OK) done(n);
    else failed(n, "other", MU_ENUM_TO_STRING(IOTHUB_CLIENT_CONFIRMATION_RESULT, result));
}

static void fill(IOTHUB_MESSAGE_HANDLE message)
{
    size_t i;
    if (text_of("mid") != NULL) (void)IoTHubMessage_SetMessageId(message, text_of("mid"));
    if (text_of("cid") != NULL) (void)IoTHubMessage_SetCorrelationId(message, text_of("cid"));
    if (text_of("ct") != NULL) (void)IoTHubMessage_SetContentTypeSystemProperty(message, text_of("ct"));
    if (text_of("ce") != NULL) (void)IoTHubMessage_SetContentEncodingSystemProperty(message, text_of("ce"));
    for (i = 0; i < field_count; i++) {
        if (strncmp(fields[i].name, "p.", 2) != 0) continue;
        (void)decode(fields[i].name + 2);
        (void)IoTHubMessage_SetProperty(message, fields[i].name + 2, fields[i].value);
    }
}

static void command_send(void)
{
    static void *storage[1024];
    const field *body = find("body");
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_Wrap(storage, sizeof storage, (const unsigned char *)(body != NULL ? body->value : ""), body != NULL ? body->size : 0);
    IOTHUB_CLIENT_RESULT result;
    fill(message);
    result = text_of("output") != NULL ? IoTHubModuleClient_SendEventToOutputAsync(module, message, text_of("output"), on_sent, number())
        : CALL(SendEventAsync, message, on_sent, number());
    IoTHubMessage_Destroy(message);
    if (result != IOTHUB_CLIENT_OK) refuse(number());
}

/* ---- Twin ---- */

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *json, size_t size, void *n)
{
    (void)state;
    if (json == NULL) {
        refuse(n);
        return;
    }
    begin_done(n);
    put_field("body", (const char *)json, size);
    end_line();
}

/* The object behind "desired": in a document; what follows its braces is not ours to judge. */
static const char *desired_of(const char *json, size_t *size)
{
    const char *end = json + *size, *at = json, *begin;
    int depth = 0, quoted = 0;
    while (at < end && strncmp(at, "\"desired\":", 10) != 0) at++;
    at += 10;
    for (begin = at; at < end; at++) {
        if (quoted && *at == '\\') at++;
        else if (*at == '"') quoted = !quoted;
        else if (!quoted && *at == '{') depth++;
        else if (!quoted && *at == '}' && --depth == 0) break;
    }
    *size = at < end ? (size_t)(at - begin) + 1u : 0u;
    return begin;
}

static void on_desired(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *json, size_t size, void *context)
{
    const char *patch = (const char *)json;
    (void)context;
    if (state == DEVICE_TWIN_UPDATE_COMPLETE) patch = desired_of(patch, &size);
    printf("desired");
    put_field("body", patch, size);
    end_line();
}

static void command_twin(void)
{
    if (CALL(GetTwinAsync, on_twin, number()) != IOTHUB_CLIENT_OK) refuse(number());
}

static void command_desired(void) { done_if(CALL_AS(SetDeviceTwinCallback, SetModuleTwinCallback, on_desired, NULL)); }

static void on_reported(int status, void *n)
{
    char text[32];
    if (status >= 200 && status < 300) {
        done(n);
        return;
    }
    snprintf(text, sizeof text, "status %d", status);
    failed(n, "other", text);
}

static void command_report(void)
{
    const field *body = find("body");
    if (body == NULL || CALL(SendReportedState, (const unsigned char *)body->value, body->size, on_reported, number()) != IOTHUB_CLIENT_OK) refuse(number());
}

/* ---- Methods ---- */

static int on_method(const char *name, const unsigned char *payload, size_t size, METHOD_HANDLE call, void *context)
{
    (void)context;
    calls[call_count++ % NUMBERS] = call;
    printf("method call=%ld", call_count);
    put_text("name", name);
    put_field("body", (const char *)payload, size);
    end_line();
    return 0;
}

static void command_method(void) { done_if(CALL_AS(SetDeviceMethodCallback_Ex, SetModuleMethodCallback_Ex, on_method, NULL)); }

static void command_answer(void)
{
    const field *body = find("body");
    done_if(CALL_AS(DeviceMethodResponse, ModuleMethodResponse, calls[(number_of("call") - 1) % NUMBERS],
        (const unsigned char *)(body != NULL ? body->value : ""), body != NULL ? body->size : 0, (int)number_of("status")));
}

/* ---- Connection ---- */

static const char *file_of(const char *name, int index)
{
    const char *path = text_of(name);
    FILE *file = path != NULL ? fopen(path, "rb") : NULL;
    size_t size = file != NULL ? fread(files[index], 1, sizeof files[index] - 1u, file) : 0;
    if (file != NULL) fclose(file);
    files[index][size] = '\0';
    return size > 0 ? files[index] : NULL;
}

/* The connection string with the port behind its host, unless it has one. */
static const char *connection_of(void)
{
    static char text[2000];
    const char *given = text_of("connection"), *end = strchr(given, ';'), *colon = strchr(given, ':');
    size_t host = end != NULL ? (size_t)(end - given) : strlen(given);
    if (colon != NULL && colon < given + host) return given;
    snprintf(text, sizeof text, "%.*s:%ld%s", (int)host, given, number_of("port"), given + host);
    return text;
}

static void create(void)
{
    const char *connection = connection_of(), *transport = text_of("transport");
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol = transport != NULL && strcmp(transport, "mqttws") == 0 ? MQTT_WebSocket_Protocol : MQTT_Protocol;
    const IOTHUB_PLATFORM *platform = iothub_posix_bearssl(&machine);
    IOTHUB_MEMORY memory = { &block, sizeof block, OUTBOX, INBOX, 100 };
    if (strstr(connection, ";ModuleId=") != NULL) module = IoTHubModuleClient_CreateInPlace(connection, protocol, platform, &memory);
    else device = IoTHubDeviceClient_CreateInPlace(connection, protocol, platform, &memory);
}

static IOTHUB_CLIENT_RESULT set_text(const char *option, const char *value)
{
    return value == NULL ? IOTHUB_CLIENT_OK : CALL(SetOption, option, value);
}

static IOTHUB_CLIENT_RESULT set_up(void)
{
    unsigned int second = 1;
    IOTHUB_CLIENT_RESULT result = set_text(OPTION_TRUSTED_CERT, file_of("ca", 0));
    if (result == IOTHUB_CLIENT_OK) result = set_text(OPTION_X509_CERT, file_of("cert", 1));
    if (result == IOTHUB_CLIENT_OK) result = set_text(OPTION_X509_PRIVATE_KEY, file_of("key", 2));
    if (result == IOTHUB_CLIENT_OK) result = set_text(OPTION_MODEL_ID, text_of("model"));
    if (result == IOTHUB_CLIENT_OK) result = CALL(SetOption, OPTION_RETRY_MAX_DELAY_SECS, &second);
    return result == IOTHUB_CLIENT_OK ? CALL(SetConnectionStatusCallback, on_status, NULL) : result;
}

static void command_open(void)
{
    retries = is_set("retry");
    lost = 0;
    create();
    if (!is_open()) {
        refuse(number());
        return;
    }
    if (set_up() != IOTHUB_CLIENT_OK) {
        refuse(number());
        destroy();
        return;
    }
    if (is_set("c2d")) take_c2d();
    opening = number();
}

static void command_close(void)
{
    closing = number();
    (void)(module != NULL ? IoTHubModuleClient_Stop(module) : IoTHubDeviceClient_Stop(device));
}

/* ---- The loop ---- */

static const struct { const char *verb; void (*work)(void); } commands[] = {
    { "close", command_close }, { "send", command_send }, { "c2d", command_c2d }, { "input", command_input }, { "settle", command_settle },
    { "twin", command_twin }, { "desired", command_desired }, { "report", command_report }, { "method", command_method }, { "answer", command_answer }
};

static void run(char *text)
{
    size_t i;
    char *rest = text + strcspn(text, " ");
    if (*rest != '\0') *rest++ = '\0';
    read_fields(rest);
    if (strcmp(text, "open") == 0 && !is_open()) {
        command_open();
        return;
    }
    if (!is_open()) {
        if (strcmp(text, "close") == 0) done(number());
        else failed(number(), "other", "not open");
        return;
    }
    for (i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(text, commands[i].verb) != 0) continue;
        commands[i].work();
        return;
    }
    printf("unsupported n=%ld", number_of("n"));
    end_line();
}

/* Lines that are there; 0 at the end of input. */
static int read_lines(int wait)
{
    struct pollfd input = { 0, POLLIN, 0 };
    char *end;
    ssize_t size;
    if (poll(&input, 1, wait) <= 0) return 1;
    size = read(0, line + line_size, sizeof line - line_size - 1u);
    if (size <= 0) return size < 0 && errno == EINTR;
    line_size += (size_t)size;
    while ((end = (char *)memchr(line, '\n', line_size)) != NULL) {
        size_t used = (size_t)(end - line) + 1u;
        *end = '\0';
        run(line);
        line_size -= used;
        memmove(line, line + used, line_size);
    }
    return 1;
}

static void step(void)
{
    uint32_t next;
    if (module != NULL) IoTHubModuleClient_DoWork(module);
    else IoTHubDeviceClient_DoWork(device);
    if (lost) {
        destroy();
        if (closing != NULL) done(closing);
        closing = NULL;
        return;
    }
    next = module != NULL ? IoTHubModuleClient_GetNextWork(module) : IoTHubDeviceClient_GetNextWork(device);
    iothub_posix_wait(&machine.posix, next < 5 ? next : 5);  /* standard input is looked at between */
}

int main(void)
{
    while (read_lines(is_open() ? 0 : -1)) {
        if (is_open()) step();
    }
    destroy();
    return 0;
}
