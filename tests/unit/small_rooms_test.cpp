/* Three rooms that are too small for a file each: clock, error, names. */

#define IOTHUB_IMPLEMENTATION
#define IOTHUB_STATIC
#include "support.h"
#include "../../core/clock.h"
#include "../../core/error.h"
#include "../../core/names.h"

#include <set>

namespace {

IOTHUB_ERROR error_of(IOTHUB_LAYER layer, IOTHUB_CODE code, long raw = 0)
{
    IOTHUB_ERROR error;
    std::memset(&error, 0xA5, sizeof error);
    iothubi_error_set(&error, layer, code, raw);
    return error;
}

std::string text_of(IOTHUB_LAYER layer, IOTHUB_CODE code, long raw = 0)
{
    IOTHUB_ERROR error = error_of(layer, code, raw);
    return IoTHub_ErrorText(&error);
}

}

/* ---- clock ---- */

TEST_CASE("timer, without a deadline, has the longest span and names nothing")
{
    iothubi_timer timer;
    iothubi_timer_begin(&timer, 12345);
    CHECK(timer.left == 0x40000000u);
    CHECK(timer.what == 0);
}

TEST_CASE("timer, several deadlines, keeps the earliest; of two equal ones the first")
{
    iothubi_timer timer;
    iothubi_timer_begin(&timer, 1000);
    iothubi_timer_add(&timer, 1, 900, 500);
    CHECK(timer.left == 400);
    CHECK(timer.what == 1);
    iothubi_timer_add(&timer, 2, 1000, 401);
    CHECK(timer.what == 1);
    iothubi_timer_add(&timer, 3, 1000, 400);
    CHECK(timer.what == 1);
    iothubi_timer_add(&timer, 4, 1000, 399);
    CHECK(timer.left == 399);
    CHECK(timer.what == 4);
}

TEST_CASE("timer, a deadline around its moment, is due at it and ever after")
{
    for (uint32_t start : { 0u, 5000u, 0x7FFFFFF0u, 0xFFFFFFF0u }) {     /* the last ones wrap */
        for (uint32_t elapsed : { 0u, 1u, 99u, 100u, 101u, 0x7FFFFFFFu }) {
            iothubi_timer timer;
            iothubi_timer_begin(&timer, start + elapsed);
            iothubi_timer_add(&timer, 7, start, 100);
            CAPTURE(start, elapsed);
            CHECK(timer.left == (elapsed < 100 ? 100 - elapsed : 0));
            CHECK(timer.what == 7);
        }
    }
}

TEST_CASE("timer, a span of 0, is due at once; one beyond the longest, is not named")
{
    iothubi_timer timer;
    iothubi_timer_begin(&timer, 50);
    iothubi_timer_add(&timer, 1, 50, 0x40000000u);
    CHECK(timer.what == 0);
    iothubi_timer_add(&timer, 2, 50, 0x3FFFFFFFu);
    CHECK(timer.what == 2);
    iothubi_timer_add(&timer, 3, 50, 0);
    CHECK(timer.left == 0);
    CHECK(timer.what == 3);
}

TEST_CASE("later tick, across the wrap, is the one closer to now")
{
    CHECK(iothubi_tick_later(100, 40, 60) == 60);
    CHECK(iothubi_tick_later(100, 60, 40) == 60);
    CHECK(iothubi_tick_later(100, 100, 0) == 100);
    CHECK(iothubi_tick_later(5, 0xFFFFFFF0u, 2) == 2);
    CHECK(iothubi_tick_later(5, 2, 0xFFFFFFF0u) == 2);
    CHECK(iothubi_tick_later(5, 7, 7) == 7);
}

/* ---- error ---- */

TEST_CASE("creation error, before any creation, is none")
{
    CHECK(iothubi_creation_error.code == IOTHUB_CODE_NONE);
    CHECK(std::string(IoTHub_ErrorText(&iothubi_creation_error)) == "no error");
}

TEST_CASE("error, set, has every member")
{
    IOTHUB_ERROR error = error_of(IOTHUB_LAYER_HUB, IOTHUB_CODE_CONNACK_REFUSED, 5);
    CHECK(error.layer == IOTHUB_LAYER_HUB);
    CHECK(error.code == IOTHUB_CODE_CONNACK_REFUSED);
    CHECK(error.raw == 5);
    CHECK(error.bytes_missing == 0);
    CHECK(error.retry_after_s == 0);
    CHECK(error.retryable);
}

TEST_CASE("error, missing bytes, belongs to memory and says how many")
{
    IOTHUB_ERROR error;
    std::memset(&error, 0xA5, sizeof error);
    iothubi_error_missing(&error, IOTHUB_CODE_BLOCK_TOO_SMALL, 123);
    CHECK(error.layer == IOTHUB_LAYER_MEMORY);
    CHECK(error.code == IOTHUB_CODE_BLOCK_TOO_SMALL);
    CHECK(error.raw == 0);
    CHECK(error.bytes_missing == 123);
    CHECK_FALSE(error.retryable);
}

TEST_CASE("error, retryable, is what time or a confirmation can heal")
{
    CHECK_FALSE(error_of(IOTHUB_LAYER_CONFIG, IOTHUB_CODE_STRING_SYNTAX).retryable);
    CHECK_FALSE(error_of(IOTHUB_LAYER_CONFIG, IOTHUB_CODE_OPTION_INVALID).retryable);
    CHECK_FALSE(error_of(IOTHUB_LAYER_MEMORY, IOTHUB_CODE_OUTBOX_TOO_SMALL).retryable);
    CHECK_FALSE(error_of(IOTHUB_LAYER_MEMORY, IOTHUB_CODE_MESSAGE_TOO_LARGE).retryable);
    CHECK(error_of(IOTHUB_LAYER_MEMORY, IOTHUB_CODE_OUTBOX_FULL).retryable);
    CHECK(error_of(IOTHUB_LAYER_MEMORY, IOTHUB_CODE_POOL_EMPTY).retryable);
    for (int layer = IOTHUB_LAYER_TIME; layer <= IOTHUB_LAYER_PORT; ++layer) {
        CHECK(error_of(static_cast<IOTHUB_LAYER>(layer), IOTHUB_CODE_LINK_LOST).retryable);
    }
}

TEST_CASE("error text, every code, has a sentence of its own")
{
    std::set<std::string> texts;
    for (int code = IOTHUB_CODE_NONE; code <= IOTHUB_CODE_TWIN_REFUSED; ++code) {
        std::string text = text_of(IOTHUB_LAYER_NONE, static_cast<IOTHUB_CODE>(code));
        CAPTURE(code, text);
        CHECK(text != "unknown error");
        CHECK(text.size() > 7);
        CHECK(texts.insert(text).second);
    }
    CHECK(text_of(IOTHUB_LAYER_NONE, static_cast<IOTHUB_CODE>(IOTHUB_CODE_TWIN_REFUSED + 1)) == "unknown error");
    CHECK(text_of(IOTHUB_LAYER_NONE, IOTHUB_CODE_NONE) == "no error");
    CHECK(std::string(IoTHub_ErrorText(nullptr)) == "no error");
}

TEST_CASE("error text, a failed open, differs by layer")
{
    CHECK(text_of(IOTHUB_LAYER_DNS, IOTHUB_CODE_OPEN_FAILED) == "the host name could not be resolved");
    CHECK(text_of(IOTHUB_LAYER_TLS, IOTHUB_CODE_OPEN_FAILED) == "the TLS handshake failed");
    CHECK(text_of(IOTHUB_LAYER_TLS_TRUST, IOTHUB_CODE_OPEN_FAILED) == "the server's certificate is not trusted");
    CHECK(text_of(IOTHUB_LAYER_TLS_NAME, IOTHUB_CODE_OPEN_FAILED) == "the server's certificate is for another host name");
    CHECK(text_of(IOTHUB_LAYER_PROXY, IOTHUB_CODE_OPEN_FAILED) == "the proxy refused the connection");
    CHECK(text_of(IOTHUB_LAYER_TCP, IOTHUB_CODE_OPEN_FAILED) == "no connection to the host");
}

TEST_CASE("error text, a refused CONNECT, differs by return code")
{
    CHECK(text_of(IOTHUB_LAYER_HUB, IOTHUB_CODE_CONNACK_REFUSED, 1) == "the hub does not speak MQTT 3.1.1 (CONNACK 1)");
    CHECK(text_of(IOTHUB_LAYER_HUB, IOTHUB_CODE_CONNACK_REFUSED, 3) == "the hub is unavailable (CONNACK 3)");
    for (long raw : { 2L, 4L, 5L }) {
        CHECK(text_of(IOTHUB_LAYER_HUB, IOTHUB_CODE_CONNACK_REFUSED, raw) == "the hub refused the credentials: check device id, key and clock");
    }
}

/* ---- names ---- */

#define CHECK_NAME(type, value) CHECK(std::string(MU_ENUM_TO_STRING(type, value)) == #value)
#define CHECK_UNKNOWN(type, beyond) \
    CHECK(std::string(MU_ENUM_TO_STRING(type, static_cast<type>(static_cast<int>(beyond) + 1))) == "UNKNOWN")

TEST_CASE("names, every value of every enum, are their own text; others are UNKNOWN")
{
    CHECK_NAME(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_OK);
    CHECK_NAME(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_INVALID_ARG);
    CHECK_NAME(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_ERROR);
    CHECK_NAME(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_INVALID_SIZE);
    CHECK_NAME(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_INDEFINITE_TIME);
    CHECK_UNKNOWN(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_INDEFINITE_TIME);
    CHECK_NAME(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_NONE);
    CHECK_NAME(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_IMMEDIATE);
    CHECK_NAME(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_INTERVAL);
    CHECK_NAME(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF);
    CHECK_NAME(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF);
    CHECK_NAME(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER);
    CHECK_NAME(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_RANDOM);
    CHECK_UNKNOWN(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_RANDOM);
    CHECK_NAME(IOTHUB_CLIENT_STATUS, IOTHUB_CLIENT_SEND_STATUS_IDLE);
    CHECK_NAME(IOTHUB_CLIENT_STATUS, IOTHUB_CLIENT_SEND_STATUS_BUSY);
    CHECK_NAME(IOTHUB_CLIENT_CONFIRMATION_RESULT, IOTHUB_CLIENT_CONFIRMATION_OK);
    CHECK_NAME(IOTHUB_CLIENT_CONFIRMATION_RESULT, IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY);
    CHECK_NAME(IOTHUB_CLIENT_CONFIRMATION_RESULT, IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT);
    CHECK_NAME(IOTHUB_CLIENT_CONFIRMATION_RESULT, IOTHUB_CLIENT_CONFIRMATION_ERROR);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS, IOTHUB_CLIENT_CONNECTION_AUTHENTICATED);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_DEVICE_DISABLED);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_OK);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_NO_PING_RESPONSE);
    CHECK_NAME(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_QUOTA_EXCEEDED);
    CHECK_UNKNOWN(IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_QUOTA_EXCEEDED);
    CHECK_NAME(IOTHUB_MESSAGE_RESULT, IOTHUB_MESSAGE_OK);
    CHECK_NAME(IOTHUB_MESSAGE_RESULT, IOTHUB_MESSAGE_INVALID_ARG);
    CHECK_NAME(IOTHUB_MESSAGE_RESULT, IOTHUB_MESSAGE_INVALID_TYPE);
    CHECK_NAME(IOTHUB_MESSAGE_RESULT, IOTHUB_MESSAGE_ERROR);
    CHECK_NAME(IOTHUB_MESSAGE_RESULT, IOTHUB_MESSAGE_BECAUSE_DESTROY);
    CHECK_UNKNOWN(IOTHUB_MESSAGE_RESULT, IOTHUB_MESSAGE_BECAUSE_DESTROY);
    CHECK_NAME(IOTHUBMESSAGE_CONTENT_TYPE, IOTHUBMESSAGE_BYTEARRAY);
    CHECK_NAME(IOTHUBMESSAGE_CONTENT_TYPE, IOTHUBMESSAGE_STRING);
    CHECK_NAME(IOTHUBMESSAGE_CONTENT_TYPE, IOTHUBMESSAGE_UNKNOWN);
    CHECK_UNKNOWN(IOTHUBMESSAGE_CONTENT_TYPE, IOTHUBMESSAGE_UNKNOWN);
}

TEST_CASE("names: dispositions, twin updates, properties")
{
    CHECK(std::string(MU_ENUM_TO_STRING(IOTHUBMESSAGE_DISPOSITION_RESULT, IOTHUBMESSAGE_ACCEPTED)) == "IOTHUBMESSAGE_ACCEPTED");
    CHECK(std::string(MU_ENUM_TO_STRING(IOTHUBMESSAGE_DISPOSITION_RESULT, IOTHUBMESSAGE_REJECTED)) == "IOTHUBMESSAGE_REJECTED");
    CHECK(std::string(MU_ENUM_TO_STRING(IOTHUBMESSAGE_DISPOSITION_RESULT, IOTHUBMESSAGE_ABANDONED)) == "IOTHUBMESSAGE_ABANDONED");
    CHECK(std::string(MU_ENUM_TO_STRING(IOTHUBMESSAGE_DISPOSITION_RESULT, IOTHUBMESSAGE_ASYNC_ACK)) == "IOTHUBMESSAGE_ASYNC_ACK");
    CHECK(std::string(MU_ENUM_TO_STRING(DEVICE_TWIN_UPDATE_STATE, DEVICE_TWIN_UPDATE_COMPLETE)) == "DEVICE_TWIN_UPDATE_COMPLETE");
    CHECK(std::string(MU_ENUM_TO_STRING(DEVICE_TWIN_UPDATE_STATE, DEVICE_TWIN_UPDATE_PARTIAL)) == "DEVICE_TWIN_UPDATE_PARTIAL");
    CHECK(std::string(MU_ENUM_TO_STRING(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE, IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL)) == "IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL");
    CHECK(std::string(MU_ENUM_TO_STRING(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE, IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES))
        == "IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES");
    CHECK(std::string(MU_ENUM_TO_STRING(IOTHUB_CLIENT_PROPERTY_TYPE, IOTHUB_CLIENT_PROPERTY_TYPE_REPORTED_FROM_CLIENT))
        == "IOTHUB_CLIENT_PROPERTY_TYPE_REPORTED_FROM_CLIENT");
    CHECK(std::string(MU_ENUM_TO_STRING(IOTHUB_CLIENT_PROPERTY_TYPE, IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE)) == "IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE");
}

TEST_CASE("error text, a twin request without an answer, says so")
{
    IOTHUB_ERROR error;
    iothubi_error_set(&error, IOTHUB_LAYER_HUB, IOTHUB_CODE_TWIN_REFUSED, 408);
    CHECK(std::string(IoTHub_ErrorText(&error)) == "the hub did not answer a twin request");
    error.raw = 429;
    CHECK(std::string(IoTHub_ErrorText(&error)) == "the hub refused a twin request");
}
