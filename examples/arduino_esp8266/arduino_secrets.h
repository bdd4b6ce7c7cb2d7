/* Yours. */
#define SECRET_NETWORK "my network"
#define SECRET_PASSWORD "its password"
#define SECRET_CONNECTION_STRING "HostName=my-hub.azure-devices.net;DeviceId=my-device;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECRET_ANCHORS IOTHUB_ROOTS_ANCHORS      /* Azure's roots; another list of BearSSL anchors for another hub */
#define SECRET_ANCHORS_COUNT IOTHUB_ROOTS_ANCHORS_COUNT
