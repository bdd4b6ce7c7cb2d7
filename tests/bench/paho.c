/* The bench's job with Paho C, MQTTAsync: the library's own threads send and receive. */
#include "job.h"
#include <MQTTAsync.h>
#include <semaphore.h>

static JOB job;
static sem_t connected, room, disconnected;      /* room: messages that may be sent now */

static void on_connected(void *context, MQTTAsync_successData *data)
{
    (void)context; (void)data;
    sem_post(&connected);
}

static void on_confirmed(void *context, MQTTAsync_successData *data)
{
    (void)context; (void)data;
    sem_post(&room);
}

static void on_disconnected(void *context, MQTTAsync_successData *data)
{
    (void)context; (void)data;
    sem_post(&disconnected);
}

static void on_failure(void *context, MQTTAsync_failureData *data)
{
    (void)context; (void)data;
    exit(2);
}

static void connect_to_hub(MQTTAsync client)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    tls.trustStore = job.roots;
    tls.enableServerCertAuth = 1;
    tls.verify = 1;
    options.ssl = &tls;
    options.keepAliveInterval = 180;
    options.cleansession = 1;
    options.maxInflight = (int)job.window;
    options.username = job.user;
    options.password = job.password;
    options.onSuccess = on_connected;
    options.onFailure = on_failure;
    if (MQTTAsync_connect(client, &options) != MQTTASYNC_SUCCESS) {
        exit(2);
    }
    sem_wait(&connected);
}

static void send_all(MQTTAsync client)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    unsigned int i;
    options.onSuccess = on_confirmed;
    options.onFailure = on_failure;
    for (i = 0; i < job.count; ++i) {
        sem_wait(&room);
        if (MQTTAsync_send(client, TOPIC, (int)job.size, job.body, 1, 0, &options) != MQTTASYNC_SUCCESS) {
            exit(2);
        }
    }
    for (i = 0; i < job.window; ++i) {
        sem_wait(&room);
    }
}

int main(int argc, char **argv)
{
    MQTTAsync client;
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    char address[64];
    if (job_begin(&job, argc, argv) != 0) {
        return 2;
    }
    sem_init(&connected, 0, 0);
    sem_init(&room, 0, job.window);
    sem_init(&disconnected, 0, 0);
    snprintf(address, sizeof address, "ssl://localhost:%d", job.port);
    if (MQTTAsync_create(&client, address, "dev1", MQTTCLIENT_PERSISTENCE_NONE, NULL) != MQTTASYNC_SUCCESS) {
        return 2;
    }
    connect_to_hub(client);
    send_all(client);
    options.onSuccess = on_disconnected;
    options.onFailure = on_failure;
    MQTTAsync_disconnect(client, &options);
    sem_wait(&disconnected);
    MQTTAsync_destroy(&client);
    return 0;
}
