/* What the peers' programs share: the job's numbers, and where the hub is. */
#ifndef JOB_H
#define JOB_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC "devices/dev1/messages/events/"

typedef struct JOB_TAG {
    const char *name;                            /* send: COUNT messages; idle: one message, then COUNT calls with nothing to do */
    unsigned int count, window, size;            /* messages of size bytes, at most window of them unacknowledged */
    int port;
    const char *roots, *user, *password;
    char body[4096];
} JOB;

static int job_begin(JOB *job, int argc, char **argv)
{
    if (argc != 5 || getenv("BENCH_PORT") == NULL) {
        fprintf(stderr, "usage: %s send|idle COUNT WINDOW SIZE   (tools/bench sets the BENCH_... variables)\n", argv[0]);
        return -1;
    }
    job->name = argv[1];
    job->count = (unsigned int)atoi(argv[2]);
    job->window = (unsigned int)atoi(argv[3]);
    job->size = (unsigned int)atoi(argv[4]);
    job->port = atoi(getenv("BENCH_PORT"));
    job->roots = getenv("BENCH_ROOTS");
    job->user = getenv("BENCH_USER");
    job->password = getenv("BENCH_PASSWORD");
    memset(job->body, 'x', sizeof job->body);
    return 0;
}

#endif
