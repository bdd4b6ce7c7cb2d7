/* ---- config: defaults and compiler differences ------------------------------------------------------------------- */
/* Everything from here to the end of the header is the implementation; nothing of it is for users. */
#include "manual.h"

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUBI_CONFIG_H)
#define IOTHUBI_CONFIG_H

#if !defined(IOTHUB_MEMCPY) || !defined(IOTHUB_MEMMOVE) || !defined(IOTHUB_MEMSET) || !defined(IOTHUB_MEMCMP) || !defined(IOTHUB_STRLEN)
#include <string.h>
#endif

#ifndef IOTHUB_TRANSPORT_MQTT
#define IOTHUB_TRANSPORT_MQTT
#endif

#ifndef IOTHUB_POOL_CLIENTS
#define IOTHUB_POOL_CLIENTS 1
#endif
#ifndef IOTHUB_POOL_OUTBOX
#define IOTHUB_POOL_OUTBOX 2048
#endif
#ifndef IOTHUB_POOL_INBOX
#define IOTHUB_POOL_INBOX 2048
#endif
#ifndef IOTHUB_POOL_TEXT
#define IOTHUB_POOL_TEXT 512
#endif
#ifndef IOTHUB_POOL_MESSAGES
#define IOTHUB_POOL_MESSAGES 4
#endif
#ifndef IOTHUB_POOL_MESSAGE_SIZE
#define IOTHUB_POOL_MESSAGE_SIZE 512
#endif
#ifndef IOTHUB_WORK_READS
#define IOTHUB_WORK_READS 4
#endif
#ifndef IOTHUB_WORK_READ_SIZE
#define IOTHUB_WORK_READ_SIZE 64
#endif
#ifndef IOTHUB_WORK_WRITES
#define IOTHUB_WORK_WRITES 8
#endif
#ifndef IOTHUB_CLOCK_MINIMUM
#define IOTHUB_CLOCK_MINIMUM 1704067200
#endif
#ifndef IOTHUB_LOCK
#define IOTHUB_LOCK()
#endif
#ifndef IOTHUB_UNLOCK
#define IOTHUB_UNLOCK()
#endif
#ifndef IOTHUB_FREE
#define IOTHUB_FREE(pointer) ((void)(pointer))
#endif
#ifndef IOTHUB_TWIN_GETS
#define IOTHUB_TWIN_GETS 2
#endif
#ifndef IOTHUB_LOG
#define IOTHUB_LOG(level, code, text)
#endif

#ifndef IOTHUB_MEMCPY
#define IOTHUB_MEMCPY memcpy
#endif
#ifndef IOTHUB_MEMMOVE
#define IOTHUB_MEMMOVE memmove
#endif
#ifndef IOTHUB_MEMSET
#define IOTHUB_MEMSET memset
#endif
#ifndef IOTHUB_MEMCMP
#define IOTHUB_MEMCMP memcmp
#endif
#ifndef IOTHUB_STRLEN
#define IOTHUB_STRLEN strlen
#endif

/* Constant text: where it lies, and how it is read. An AVR would otherwise copy every string to RAM. */
#ifndef IOTHUB_CONST
#ifdef __AVR__
#include <avr/pgmspace.h>
/* A section of its own: avr-gcc merges an array in PROGMEM with an equal one of the program's in RAM. One for each line, so
   that the linker leaves out what is not used. */
#define IOTHUBI_QUOTED(text) #text
#define IOTHUBI_SECTION(line) ".progmem.data.iothub" IOTHUBI_QUOTED(line)
#define IOTHUB_CONST const __attribute__((__section__(IOTHUBI_SECTION(__LINE__))))
#define IOTHUB_CONST_BYTE(at) pgm_read_byte(at)
#define IOTHUB_CONST_COPY(to, from, size) memcpy_P(to, from, size)
#else
#define IOTHUB_CONST const
#define IOTHUB_CONST_BYTE(at) (*(at))
#define IOTHUB_CONST_COPY(to, from, size) IOTHUB_MEMCPY(to, from, size)
#define IOTHUBI_CONST_IS_PLAIN
#endif
#endif

/* Gives the program a constant text. Where those lie in program memory, it is copied into the function's own IOTHUBI_SAY_ROOM, and stays
   there until the next call. */
#ifdef IOTHUBI_CONST_IS_PLAIN
#define IOTHUBI_SAY_ROOM(size)
#define IOTHUBI_SAY(text) return text
#else
#define IOTHUBI_SAY_ROOM(size) static char room[size]
#define IOTHUBI_SAY(text) \
    do { \
        static IOTHUB_CONST char constant[sizeof(text) <= sizeof room ? (int)sizeof(text) : -1] = text; \
        IOTHUB_CONST_COPY(room, constant, sizeof constant); \
        return room; \
    } while (0)
#endif

/* Private functions may be unused in a build that switches their caller off. */
#if defined(__GNUC__) || defined(__clang__)
#define IOTHUBI_PRIVATE static __attribute__((__unused__))
/* Not inlined: measured on Cortex-M0+ and AVR, the client is shorter so than with it merged into its callers. */
#ifndef __noinline__
#define IOTHUBI_APART static __attribute__((__unused__, __noinline__))
#else                                            /* dietlibc has a macro of this name */
#define IOTHUBI_APART static __attribute__((__unused__, noinline))
#endif
#else
#define IOTHUBI_PRIVATE static
#define IOTHUBI_APART static
#endif

typedef void (*iothubi_function)(void);          /* any function: one cast to its own type gives it back */

#define IOTHUBI_IO_MAXIMUM 32767u                /* bytes that one read or write may ask for (platform contract, rule 2) */
#define IOTHUBI_SIZE_MAXIMUM ((size_t)-1)

/* What a pointer's alignment is; on some machines less than its size. */
struct iothubi_alignment { char byte; void *pointer; };
#define IOTHUBI_ALIGNMENT offsetof(struct iothubi_alignment, pointer)

/* A compile-time check: an array of -1 elements does not compile. */
#define IOTHUBI_CHECK(name, condition) typedef char iothubi_check_##name[(condition) ? 1 : -1]

IOTHUBI_CHECK(octets, (unsigned char)-1 == 255);
IOTHUBI_CHECK(uint32_is_32_bits, (uint32_t)-1 == 0xFFFFFFFFu && sizeof(uint32_t) == 4);

#endif
