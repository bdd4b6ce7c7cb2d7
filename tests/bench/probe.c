/* Counts what a program does at its edges, without the program's help: LD_PRELOAD=probe.so BENCH_PROBE=FILE PROGRAM ...
   Mallocs (those called from OpenSSL's libraries apart), bytes of heap, bytes and TLS records on the wire, clear text through
   OpenSSL, and round trips until the first PUBACK. At the end FILE gets lines of name and value. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static atomic_long mallocs, mallocs_tls, malloc_bytes, heap, heap_peak;
static long wire_out, wire_in, records, clear_out, clear_in, tls_writes, trips;
static int hub_socket = -1;
static struct { char *begin, *end; } tls_code[2];

/* ---- heap ---- */

static int find_tls(struct dl_phdr_info *object, size_t size, void *found)
{
    int i, *count = found;
    (void)size;
    if (*count < 2 && (strstr(object->dlpi_name, "libssl") != NULL || strstr(object->dlpi_name, "libcrypto") != NULL)) {
        for (i = 0; i < object->dlpi_phnum; ++i) {
            if (object->dlpi_phdr[i].p_type == PT_LOAD && (object->dlpi_phdr[i].p_flags & PF_X) != 0) {
                tls_code[*count].begin = (char *)object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
                tls_code[*count].end = tls_code[*count].begin + object->dlpi_phdr[i].p_memsz;
            }
        }
        ++*count;
    }
    return 0;
}

static void *allocated(void *memory, size_t size, char *caller)
{
    long now = atomic_fetch_add(&heap, (long)malloc_usable_size(memory)) + (long)malloc_usable_size(memory);
    if ((caller >= tls_code[0].begin && caller < tls_code[0].end) || (caller >= tls_code[1].begin && caller < tls_code[1].end)) {
        ++mallocs_tls;
    } else {
        ++mallocs;
        malloc_bytes += (long)size;
    }
    if (now > heap_peak) {
        heap_peak = now;
    }
    return memory;
}

void *malloc(size_t size)
{
    return allocated(__libc_malloc(size), size, __builtin_return_address(0));
}

void *calloc(size_t count, size_t size)
{
    return allocated(__libc_calloc(count, size), count * size, __builtin_return_address(0));
}

void *realloc(void *memory, size_t size)
{
    heap -= (long)malloc_usable_size(memory);
    return allocated(__libc_realloc(memory, size), size, __builtin_return_address(0));
}

void free(void *memory)
{
    heap -= (long)malloc_usable_size(memory);
    __libc_free(memory);
}

/* ---- wire ---- */

/* The function behind ours, as next. */
#define NEXT(function) \
    static __typeof__(function) *next; \
    if (next == NULL) { next = (__typeof__(function) *)dlsym(RTLD_NEXT, #function); }

/* Counts the records of application data (type 23) in what leaves. */
static void count_records(const unsigned char *bytes, long size)
{
    static unsigned char head[5];
    static long have, left;
    for (; size > 0; --size, ++bytes) {
        if (left > 0) {
            --left;
        } else {
            head[have++] = *bytes;
            if (have == 5) {
                records += head[0] == 23;
                left = head[3] << 8 | head[4];
                have = 0;
            }
        }
    }
}

static ssize_t left_socket(int fd, const void *bytes, ssize_t size)
{
    if (fd == hub_socket && size > 0) {
        wire_out += size;
        count_records(bytes, size);
    }
    return size;
}

static ssize_t reached_socket(int fd, ssize_t size)
{
    if (fd == hub_socket && size > 0) {
        wire_in += size;
    }
    return size;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    NEXT(connect)
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
        hub_socket = fd;
    }
    return next(fd, address, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    NEXT(write)
    return left_socket(fd, bytes, next(fd, bytes, size));
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    NEXT(send)
    return left_socket(fd, bytes, next(fd, bytes, size, flags));
}

ssize_t read(int fd, void *bytes, size_t size)
{
    NEXT(read)
    return reached_socket(fd, next(fd, bytes, size));
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    NEXT(recv)
    return reached_socket(fd, next(fd, bytes, size, flags));
}

/* ---- clear text ---- */

/* A round trip ends when something arrives after something was sent; they are counted until the first PUBACK is there. */
static int spoke, acknowledged;

static void arrived(const unsigned char *bytes, int size)
{
    static int at;                               /* in the packet; all of them have four bytes until then */
    trips += spoke && !acknowledged;
    spoke = 0;
    for (; size > 0 && !acknowledged; --size, ++bytes, at = (at + 1) % 4) {
        acknowledged = at == 0 && *bytes == 0x40;
    }
}

int SSL_write(void *ssl, const void *bytes, int size)
{
    NEXT(SSL_write)
    int put = next(ssl, bytes, size);
    if (put > 0) {
        ++tls_writes;
        clear_out += put;
        spoke = 1;
    }
    return put;
}

int SSL_read(void *ssl, void *bytes, int size)
{
    NEXT(SSL_read)
    int got = next(ssl, bytes, size);
    if (got > 0) {
        clear_in += got;
        arrived(bytes, got);
    }
    return got;
}

/* ---- begin and end ---- */

__attribute__((constructor)) static void begin(void)
{
    int found = 0;
    dl_iterate_phdr(find_tls, &found);
}

__attribute__((destructor)) static void end(void)
{
    FILE *file = fopen(getenv("BENCH_PROBE"), "w");
    fprintf(file, "mallocs %ld\nmallocs_tls %ld\nmalloc_bytes %ld\nheap_peak %ld\n", mallocs, mallocs_tls, malloc_bytes, heap_peak);
    fprintf(file, "wire_out %ld\nwire_in %ld\nrecords %ld\n", wire_out, wire_in, records);
    fprintf(file, "clear_out %ld\nclear_in %ld\ntls_writes %ld\nround_trips %ld\n", clear_out, clear_in, tls_writes, trips);
    fclose(file);
}
