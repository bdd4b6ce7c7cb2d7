/* The bench's job with libmosquitto, in one thread: the loop that its manual shows. */
#include "job.h"
#include <mosquitto.h>

static JOB job;
static int connected;
static unsigned int sent, confirmed;

static void on_connect(struct mosquitto *client, void *context, int code)
{
    (void)client; (void)context;
    connected = code == 0;
}

static void on_publish(struct mosquitto *client, void *context, int id)
{
    (void)client; (void)context; (void)id;
    ++confirmed;
}

static void work(struct mosquitto *client, int wait_ms)
{
    if (mosquitto_loop(client, wait_ms, 1) != MOSQ_ERR_SUCCESS) {
        exit(2);
    }
}

static void send_until_confirmed(struct mosquitto *client, unsigned int count)
{
    while (confirmed < count) {
        for (; sent < count && sent - confirmed < job.window; ++sent) {
            if (mosquitto_publish(client, NULL, TOPIC, (int)job.size, job.body, 1, false) != MOSQ_ERR_SUCCESS) {
                exit(2);
            }
        }
        work(client, 1000);
    }
}

int main(int argc, char **argv)
{
    struct mosquitto *client;
    unsigned int i;
    if (job_begin(&job, argc, argv) != 0) {
        return 2;
    }
    mosquitto_lib_init();
    client = mosquitto_new("dev1", true, NULL);
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_publish_callback_set(client, on_publish);
    mosquitto_username_pw_set(client, job.user, job.password);
    mosquitto_max_inflight_messages_set(client, job.window);
    if (mosquitto_tls_set(client, job.roots, NULL, NULL, NULL, NULL) != MOSQ_ERR_SUCCESS
        || mosquitto_connect(client, "localhost", job.port, 180) != MOSQ_ERR_SUCCESS) {
        return 2;
    }
    while (!connected) {
        work(client, 1000);
    }
    if (strcmp(job.name, "idle") == 0) {
        send_until_confirmed(client, 1);
        for (i = 0; i < job.count; ++i) {
            work(client, 0);
        }
    } else {
        send_until_confirmed(client, job.count);
    }
    mosquitto_disconnect(client);
    mosquitto_loop(client, 100, 1);
    mosquitto_destroy(client);
    mosquitto_lib_cleanup();
    return 0;
}
