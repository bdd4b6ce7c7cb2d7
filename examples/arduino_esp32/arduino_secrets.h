/* Yours. */
#define SECRET_NETWORK "my network"
#define SECRET_PASSWORD "its password"
#define SECRET_CONNECTION_STRING "HostName=my-hub.azure-devices.net;DeviceId=my-device;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECRET_ROOTS IOTHUB_ROOTS_PEM            /* Azure's roots, as text */
