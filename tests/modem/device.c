/* A device behind a modem: the client, ports/modem, and tests/modem/modem.js as a process at its serial line.

       device DIALECT MESSAGES PROGRAM [ARGUMENT...]

   Dialects with TLS inside are used as they are, over the others BearSSL is a filter. Exit 0 when all messages are confirmed. The time comes
   from the modem. IOTHUB_CONNECTION_STRING and IOTHUB_TRUSTED_CERTS (PEM, for the filter) are in the environment. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix.h"
#include "ports/bearssl/iothub_bearssl.h"
#include "ports/modem/iothub_modem.h"
#include <stdio.h>
#include <stdlib.h>

static int to_modem, from_modem;
static IOTHUB_MODEM modem;

static int serial_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    ssize_t got = read(from_modem, bytes, capacity);
    (void)context;
    return got > 0 ? (int)got : got < 0 && errno == EAGAIN ? 0 : -1;
}

static int serial_write(void *context, const unsigned char *bytes, unsigned int size)
{
    ssize_t put = write(to_modem, bytes, size);
    (void)context;
    return put > 0 ? (int)put : put < 0 && errno == EAGAIN ? 0 : -1;
}

static uint32_t modem_time(void *context)
{
    (void)context;
    return iothub_modem_unix_time(&modem);
}

static pid_t start(char **words)
{
    int in[2], out[2];
    pid_t child;
    if (pipe(in) != 0 || pipe(out) != 0 || (child = fork()) < 0) {
        return -1;
    }
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execvp(words[0], words);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    to_modem = in[1];
    from_modem = out[0];
    fcntl(to_modem, F_SETFL, O_NONBLOCK);
    fcntl(from_modem, F_SETFL, O_NONBLOCK);
    return child;
}

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    *(int *)context += result == IOTHUB_CLIENT_CONFIRMATION_OK;
}

int main(int count, char **words)
{
    static const char *const dialects[][2] = { { "sim800", iothub_modem_sim800 }, { "quectel", iothub_modem_quectel },
        { "quectel_tls", iothub_modem_quectel_tls }, { "esp_at", iothub_modem_esp_at }, { "esp_at_tls", iothub_modem_esp_at_tls } };
    static const char *const wifi[] = { "AT+CWMODE=1", "AT+CWJAP=\"lab\",\"secret\"", NULL };
    static const char *const gprs[] = { "AT+CSTT=\"internet\"", "AT+CIICR", "AT+CIFSR\t*", NULL };
    static const IOTHUB_MODEM_SERIAL serial = { NULL, serial_read, serial_write, NULL };
    static IOTHUB_POSIX posix;
    static IOTHUB_PLATFORM platform;
    static IOTHUB_BEARSSL tls;
    static unsigned char buffer[256], records[IOTHUB_BEARSSL_BUFFER_MONO], certificates[4096];
    const char *dialect = NULL;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_ERROR error;
    int confirmed = 0, messages, sent = 0, i;
    size_t k;
    pid_t child;

    if (count < 4) {
        return 2;
    }
    for (k = 0; k < sizeof dialects / sizeof *dialects; k++) {
        dialect = strcmp(words[1], dialects[k][0]) == 0 ? dialects[k][1] : dialect;
    }
    messages = atoi(words[2]);
    child = start(words + 3);
    if (dialect == NULL || child < 0) {
        return 2;
    }
    iothub_posix_platform(&posix, &platform);
    platform.unix_time = modem_time;
    iothub_modem_init(&modem, &serial, dialect, words[1][0] == 'e' ? wifi : words[1][0] == 's' ? gprs : NULL, &platform, buffer, sizeof buffer);
    if (platform.io.open == NULL) {
        iothub_bearssl_init(&tls, iothub_modem_stream(&modem), &platform, records, sizeof records);
        iothub_bearssl_memory(&tls, certificates, sizeof certificates);
        platform.io.set_option(platform.io.context, OPTION_TRUSTED_CERT, getenv("IOTHUB_TRUSTED_CERTS"));
    } else {                                     /* HMAC alone */
        IOTHUB_PLATFORM other = platform;
        iothub_bearssl_init(&tls, &other.io, &other, records, sizeof records);
        platform.hmac_sha256 = other.hmac_sha256;
    }
    IoTHub_SetPlatform(&platform);
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol);
    for (i = 0; i < 20000 && confirmed < messages; i++) {
        char body[32];
        IOTHUB_MESSAGE_HANDLE message;
        if (sent == confirmed) {
            snprintf(body, sizeof body, "{\"count\":%d}", sent++);
            message = IoTHubMessage_CreateFromString(body);
            (void)IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, &confirmed);
            IoTHubMessage_Destroy(message);
        }
        (void)iothub_modem_work(&modem);
        IoTHubDeviceClient_DoWork(hub);
        usleep(1000);
    }
    (void)IoTHubDeviceClient_GetLastError(hub, &error);
    printf("%d of %d confirmed; layer %d, code %d, raw %ld\n", confirmed, messages, (int)error.layer, (int)error.code, error.raw);
    (void)IoTHubDeviceClient_Stop(hub);
    for (i = 0; i < 2000 && iothub_modem_work(&modem) == 0; i++) {
        IoTHubDeviceClient_DoWork(hub);
        usleep(1000);
    }
    IoTHubDeviceClient_Destroy(hub);
    close(to_modem);
    waitpid(child, NULL, 0);
    return confirmed != messages;
}
