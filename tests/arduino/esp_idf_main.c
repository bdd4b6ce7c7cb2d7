/* What a program for ESP-IDF does, over the esp-tls that the test makes up: three messages, then the end. Exit 0 when all are confirmed; else
   it prints the layer. IOTHUB_CONNECTION_STRING and IOTHUB_TRUSTED_CERTS (PEM) are in the environment. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/esp_idf/iothub_esp_idf.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void on_confirmation(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    *(int *)context += result == IOTHUB_CLIENT_CONFIRMATION_OK;
}

int main(void)
{
    static IOTHUB_ESP_IDF esp;
    static IOTHUB_PLATFORM platform;
    IOTHUB_DEVICE_CLIENT_HANDLE hub;
    IOTHUB_ERROR error;
    const char *roots = getenv("IOTHUB_TRUSTED_CERTS");
    int confirmed = 0, i;
    iothub_esp_idf_platform(&esp, &platform);
    IoTHub_SetPlatform(&platform);
    hub = IoTHubDeviceClient_CreateFromConnectionString(getenv("IOTHUB_CONNECTION_STRING"), MQTT_Protocol);
    if (roots != NULL) {
        (void)IoTHubDeviceClient_SetOption(hub, OPTION_TRUSTED_CERT, roots);
    }
    for (i = 0; i < 3; i++) {
        char body[32];
        IOTHUB_MESSAGE_HANDLE message;
        snprintf(body, sizeof body, "{\"count\":%d}", i);
        message = IoTHubMessage_CreateFromString(body);
        (void)IoTHubDeviceClient_SendEventAsync(hub, message, on_confirmation, &confirmed);
        IoTHubMessage_Destroy(message);
    }
    error.layer = IOTHUB_LAYER_NONE;
    for (i = 0; i < 10000 && confirmed < 3; i++) {
        IoTHubDeviceClient_DoWork(hub);
        (void)IoTHubDeviceClient_GetLastError(hub, &error);
        if (error.layer >= IOTHUB_LAYER_DNS) {
            break;
        }
        usleep(1000);
    }
    printf("%d confirmed, layer %d\n", confirmed, (int)error.layer);
    IoTHubDeviceClient_Destroy(hub);
    return confirmed != 3;
}
