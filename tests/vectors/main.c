/* Runs one room's vectors and prints "ROOM: N checks, N failed"; fails when one did. An AVR prints through its UART and then
   sleeps with interrupts off, which ends simavr. */

#include "check.h"

#ifdef __AVR__

#include <avr/interrupt.h>
#include <avr/sleep.h>

static void put(int c)
{
    while ((UCSR0A & 1 << UDRE0) == 0) {
    }
    UDR0 = (unsigned char)c;
}

static void end(void)
{
    cli();
    sleep_mode();
}

#elif defined(VECTORS_BOARD)

void put(int c);                                 /* in the board's own file, see tests/toolchains/boards */
void end(void);

#else

#include <stdio.h>

static void put(int c)
{
    putchar(c);
}

static void end(void)
{
}

#endif

const char *subject = "";
size_t row;

static unsigned long checks;
static unsigned long failures;

static void put_text(const char *text)
{
    for (; *text != '\0'; ++text) {
        put(*text);
    }
}

static void put_number(unsigned long number)
{
    if (number > 9u) {
        put_number(number / 10u);
    }
    put('0' + (int)(number % 10u));
}

static void put_bytes(const char *label, const unsigned char *bytes, size_t size)
{
    size_t i;
    put_text(label);
    for (i = 0; i < size; ++i) {
        if (bytes[i] >= ' ' && bytes[i] <= '~') {
            put(bytes[i]);
        } else {
            put('\\');
            put("0123456789abcdef"[bytes[i] >> 4]);
            put("0123456789abcdef"[bytes[i] & 15]);
        }
    }
    put('\n');
}

/* Counts, and names what does not hold. */
static int passes(int holds, const char *what, int line)
{
    ++checks;
    if (holds) {
        return 1;
    }
    ++failures;
    put_text(room);
    put_text(".c:");
    put_number((unsigned long)line);
    put_text(": ");
    for (; IOTHUB_CONST_BYTE(what) != 0; ++what) {
        put(IOTHUB_CONST_BYTE(what));
    }
    put_text("\n  row      ");
    put_number((unsigned long)row);
    put_bytes("\n  about    ", (const unsigned char *)subject, IOTHUB_STRLEN(subject));
    return 0;
}

void about(const char *sentence)
{
    subject = sentence;
    row = 0;
}

void check(int holds, const char *what, int line)
{
    passes(holds, what, line);
}

void check_number(unsigned long got, unsigned long expected, const char *what, int line)
{
    if (!passes(got == expected, what, line)) {
        put_text("  got      ");
        put_number(got);
        put_text("\n  expected ");
        put_number(expected);
        put('\n');
    }
}

void check_bytes(const void *got, size_t got_size, const void *expected, size_t size, const char *what, int line)
{
    if (!passes(got_size == size && IOTHUB_MEMCMP(got, expected, size) == 0, what, line)) {
        put_bytes("  got      ", (const unsigned char *)got, got_size);
        put_bytes("  expected ", (const unsigned char *)expected, size);
    }
}

int main(void)
{
    vectors();
    put_text(room);
    put_text(": ");
    put_number(checks);
    put_text(" checks, ");
    put_number(failures);
    put_text(" failed\n");
    end();
    return failures != 0;
}
