#include "text.h"
#include "board.h"
#include <stdarg.h>
#include <string.h>

typedef struct SINK_TAG {
    char *at, *end;                              /* NULL: to the UART */
} SINK;

static void put(SINK *sink, const char *bytes, unsigned int size)
{
    if (sink->at == NULL) {
        board_write(bytes, size);
        return;
    }
    if (size > (unsigned int)(sink->end - sink->at)) size = (unsigned int)(sink->end - sink->at);
    memcpy(sink->at, bytes, size);
    sink->at += size;
}

static void put_number(SINK *sink, uint32_t value, uint32_t base, unsigned int width)
{
    char digits[10];
    unsigned int i = sizeof digits;
    do {
        digits[--i] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || sizeof digits - i < width);
    put(sink, digits + i, (unsigned int)sizeof digits - i);
}

/* Bytes from outside may be anything; the transcript stays readable. */
static void put_bytes(SINK *sink, const char *bytes, unsigned int size)
{
    for (; size > 0; size--, bytes++) put(sink, *bytes >= ' ' && *bytes <= '~' ? bytes : ".", 1);
}

static void put_all(SINK *sink, const char *format, va_list arguments)
{
    const char *text;
    long value;
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(sink, format, 1);
            continue;
        }
        switch (*++format) {
        case 's':
            text = va_arg(arguments, const char *);
            put_bytes(sink, text, (unsigned int)strlen(text));
            break;
        case 'b':
            text = va_arg(arguments, const char *);
            put_bytes(sink, text, va_arg(arguments, unsigned int));
            break;
        case 'd':
            value = va_arg(arguments, long);
            if (value < 0) put(sink, "-", 1);
            put_number(sink, value < 0 ? 0u - (uint32_t)value : (uint32_t)value, 10, 1);
            break;
        case 'x':
            put_number(sink, va_arg(arguments, unsigned int), 16, 8);
            break;
        default:
            put_number(sink, va_arg(arguments, unsigned int), 10, 1);
            break;
        }
    }
}

void say(const char *format, ...)
{
    SINK sink = { NULL, NULL };
    uint32_t now = machine_ms();
    va_list arguments;
    put_number(&sink, now / 1000, 10, 3);
    put(&sink, ".", 1);
    put_number(&sink, now % 1000, 10, 3);
    put(&sink, " ", 1);
    va_start(arguments, format);
    put_all(&sink, format, arguments);
    va_end(arguments);
    put(&sink, "\n", 1);
}

unsigned int text_write(char *to, unsigned int size, const char *format, ...)
{
    SINK sink;
    va_list arguments;
    sink.at = to;
    sink.end = to + size;
    va_start(arguments, format);
    put_all(&sink, format, arguments);
    va_end(arguments);
    return (unsigned int)(sink.at - to);
}
