/* Yours. A token instead of a key: the board needs no HMAC and no time. */
#define SECRET_NETWORK "my network"
#define SECRET_PASSWORD "its password"
#define SECRET_BAUD 115200
#define SECRET_CONNECTION_STRING "HostName=my-hub.azure-devices.net;DeviceId=my-device;SharedAccessSignature=" \
    "SharedAccessSignature sr=my-hub.azure-devices.net%2Fdevices%2Fmy-device&sig=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D&se=1999999999"
