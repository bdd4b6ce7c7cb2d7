/* A front of the local hub that does not grant small TLS records, as servers may (RFC 6066, section 4, is a wish), and fills the largest
   ones: up to 16,384 bytes each. OpenSSL, on which the local hub stands, always grants them.
   usage: front CHAIN KEY ROOT PORT     (PEM files; the hub's port). Prints its own port, serves one connection at a time, ends with
   its standard input. */
#define IOTHUB_IMPLEMENTATION
#include "iothub_client.h"
#include "ports/posix/iothub_posix.h"
#include "ports/bearssl/iothub_bearssl.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL 16384
#define QUIET_MS 30                              /* what is not full by then goes all the same */

static IOTHUB_POSIX posix;
static IOTHUB_PLATFORM platform;
static IOTHUB_BEARSSL hub;                       /* towards the hub; it holds the front's own chain and key, too */
static unsigned char hub_buffer[IOTHUB_BEARSSL_BUFFER_BIDI], memory[8192];
static br_ssl_server_context server;             /* towards the device */
static unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
static unsigned char waiting[FULL];              /* from the hub */
static size_t waiting_size;

static char *text_of(const char *path)
{
    static char text[3][16384];
    static int next;
    FILE *file = fopen(path, "r");
    size_t size;
    if (file == NULL || next == 3) exit(2);
    size = fread(text[next], 1, sizeof text[0] - 1, file);
    text[next][size] = '\0';
    fclose(file);
    return text[next++];
}

/* Each answers whether something moved, or <0 when the connection ended. */

static int with_device(int device)
{
    size_t size;
    ssize_t count;
    unsigned char *bytes = br_ssl_engine_sendrec_buf(&server.eng, &size);
    if (bytes != NULL) {
        count = send(device, bytes, size, MSG_NOSIGNAL);
        if (count > 0) br_ssl_engine_sendrec_ack(&server.eng, (size_t)count);
        return count > 0 ? 1 : -1;
    }
    bytes = br_ssl_engine_recvrec_buf(&server.eng, &size);
    if (bytes == NULL) return 0;
    count = recv(device, bytes, size, MSG_DONTWAIT);
    if (count > 0) br_ssl_engine_recvrec_ack(&server.eng, (size_t)count);
    return count > 0 ? 1 : count == 0 ? -1 : 0;
}

static int to_hub(void)
{
    size_t size;
    int count;
    unsigned char *bytes = br_ssl_engine_recvapp_buf(&server.eng, &size);
    if (bytes == NULL) return platform.io.write(platform.io.context, memory, 0) < 0 ? -1 : 0;
    count = platform.io.write(platform.io.context, bytes, size < 32767 ? (unsigned int)size : 32767);
    if (count > 0) br_ssl_engine_recvapp_ack(&server.eng, (size_t)count);
    return count;
}

static int to_device(uint32_t *quiet_since)
{
    size_t room;
    unsigned char *bytes;
    uint32_t now = platform.milliseconds(platform.context);
    int count = waiting_size < FULL ? platform.io.read(platform.io.context, waiting + waiting_size, (unsigned int)(FULL - waiting_size)) : 0;
    if (count < 0) return -1;
    waiting_size += (size_t)count;
    if (count > 0) *quiet_since = now;
    if (waiting_size == 0 || (waiting_size < FULL && now - *quiet_since < QUIET_MS)) return count;
    server.eng.max_frag_len = FULL;              /* whatever was asked for; it holds from the second record on */
    bytes = br_ssl_engine_sendapp_buf(&server.eng, &room);
    if (bytes == NULL) return count;
    if (room > waiting_size) room = waiting_size;
    memcpy(bytes, waiting, room);
    br_ssl_engine_sendapp_ack(&server.eng, room);
    br_ssl_engine_flush(&server.eng, 0);
    waiting_size -= room;
    memmove(waiting, waiting + room, waiting_size);
    return 1;
}

static void serve(int device, unsigned int port)
{
    uint32_t quiet_since = 0;
    int open = 0, moved = 0, ended = 0;
    waiting_size = 0;
    br_ssl_server_init_minf2g(&server, hub.chain, hub.chain_count, &hub.ec_key);
    br_ssl_engine_set_buffer(&server.eng, buffer, sizeof buffer, 1);
    br_ssl_server_reset(&server);
    while (!ended && br_ssl_engine_current_state(&server.eng) != BR_SSL_CLOSED) {
        struct pollfd wait[2] = { { device, POLLIN, 0 }, { 0, POLLIN, 0 } };
        if (!moved) poll(wait, 2, 5);
        if (wait[1].revents != 0) exit(0);
        if (!open) open = platform.io.open(platform.io.context, "localhost", port);
        moved = with_device(device);
        ended = moved < 0 || open < 0;
        if (!ended && open) {
            int up = to_hub(), down = to_device(&quiet_since);
            ended = up < 0 || down < 0;
            moved |= up > 0 || down > 0;
        }
    }
    platform.io.close(platform.io.context);
    close(device);
}

int main(int count, char **arguments)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (count != 5) return 2;
    iothub_posix_platform(&posix, &platform);
    iothub_bearssl_init(&hub, iothub_posix_tcp(&posix), &platform, hub_buffer, sizeof hub_buffer);
    iothub_bearssl_memory(&hub, memory, sizeof memory);
    if (platform.io.set_option(platform.io.context, "x509certificate", text_of(arguments[1])) != 0
        || platform.io.set_option(platform.io.context, "x509privatekey", text_of(arguments[2])) != 0
        || platform.io.set_option(platform.io.context, "TrustedCerts", text_of(arguments[3])) != 0) return 2;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4) != 0
        || getsockname(listener, (struct sockaddr *)&address, &size) != 0) return 2;
    printf("%u\n", (unsigned int)ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        struct pollfd wait[2] = { { listener, POLLIN, 0 }, { 0, POLLIN, 0 } };
        int device;
        poll(wait, 2, -1);
        if (wait[1].revents != 0) return 0;
        device = accept(listener, NULL, NULL);
        setsockopt(device, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        serve(device, (unsigned int)atoi(arguments[4]));
    }
}
