/* Runs a sketch in simavr, with a program (the modem) at one of its serial ports:

       board SECONDS CPU FIRMWARE.elf MODEM-PORT LOG-PORT PROGRAM [ARGUMENT...]

   The ports are digits, "-" for no log. What the sketch says on the log port goes to standard output. The board runs at its real speed or
   slower, for so many seconds or until it gets a signal; then it tells how deep the stack went. Like the real board it loses bytes
   that its program does not fetch in time from the 64 bytes of the core's buffer. Linked with simavr, which is GPL 3: a test only. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/avr_uart.h>

#define SP_LOW 0x5D                              /* of every AVR with a stack pointer of two bytes */

static volatile sig_atomic_t stopped;
static int to_modem, room = 1;
static unsigned long lost;
static avr_irq_t *modem_input;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static void on_modem_byte(struct avr_irq_t *irq, uint32_t value, void *context)
{
    unsigned char byte = (unsigned char)value;
    (void)irq, (void)context;
    if (write(to_modem, &byte, 1) != 1) {
        lost++;
    }
}

static void on_log_byte(struct avr_irq_t *irq, uint32_t value, void *context)
{
    (void)irq, (void)context;
    putchar((int)value);
    if (value == '\n') {
        fflush(stdout);
    }
}

static void on_room(struct avr_irq_t *irq, uint32_t value, void *context)
{
    (void)irq, (void)value;
    room = context != NULL;
}

static void no_sleep(avr_t *avr, avr_cycle_count_t cycles)
{
    (void)avr, (void)cycles;
}

static void quiet(avr_t *avr, const int level, const char *format, va_list arguments)
{
    (void)avr;
    if (level <= LOG_ERROR) {
        vfprintf(stderr, format, arguments);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static avr_irq_t *uart_irq(avr_t *avr, char port, int which)
{
    return avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ(port), which);
}

static void no_echo(avr_t *avr, char port)
{
    uint32_t flags = 0;
    avr_ioctl(avr, AVR_IOCTL_UART_GET_FLAGS(port), &flags);
    flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS(port), &flags);
}

int main(int count, char **words)
{
    int in[2], out[2], from_modem, state = cpu_Running;
    unsigned int deepest;
    elf_firmware_t firmware = { 0 };
    double begin, end;
    pid_t modem;
    avr_t *avr;

    if (count < 7) {
        return 2;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    if (pipe(in) != 0 || pipe(out) != 0 || (modem = fork()) < 0) {
        return 3;
    }
    if (modem == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execvp(words[6], words + 6);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    to_modem = in[1];
    from_modem = out[0];
    fcntl(from_modem, F_SETFL, O_NONBLOCK);

    avr_global_logger_set(quiet);
    if (elf_read_firmware(words[3], &firmware) != 0 || (avr = avr_make_mcu_by_name(words[2])) == NULL) {
        return 3;
    }
    avr_init(avr);
    firmware.frequency = 16000000;
    avr_load_firmware(avr, &firmware);
    avr->sleep = no_sleep;
    no_echo(avr, words[4][0]);
    modem_input = uart_irq(avr, words[4][0], UART_IRQ_INPUT);
    avr_irq_register_notify(uart_irq(avr, words[4][0], UART_IRQ_OUTPUT), on_modem_byte, NULL);
    avr_irq_register_notify(uart_irq(avr, words[4][0], UART_IRQ_OUT_XON), on_room, &room);
    avr_irq_register_notify(uart_irq(avr, words[4][0], UART_IRQ_OUT_XOFF), on_room, NULL);
    if (words[5][0] != '-') {
        no_echo(avr, words[5][0]);
        avr_irq_register_notify(uart_irq(avr, words[5][0], UART_IRQ_OUTPUT), on_log_byte, NULL);
    }

    deepest = avr->ramend;
    begin = seconds();
    end = begin + atof(words[1]);
    while (!stopped && state != cpu_Done && state != cpu_Crashed && seconds() < end) {
        uint64_t until = avr->cycle + 16000;     /* a millisecond of the board */
        unsigned char byte;
        double ahead;
        while (avr->cycle < until && state != cpu_Done && state != cpu_Crashed) {
            unsigned int pointer;
            state = avr_run(avr);
            pointer = (unsigned int)(avr->data[SP_LOW] | avr->data[SP_LOW + 1] << 8);
            if (pointer < deepest && pointer > 0x100) {    /* 0x100: above the registers, for the start-up code */
                deepest = pointer;
            }
        }
        while (room && read(from_modem, &byte, 1) == 1) {
            avr_raise_irq(modem_input, byte);
        }
        ahead = (double)avr->cycle / 16e6 - (seconds() - begin);
        if (ahead > 0) {
            usleep((useconds_t)(ahead * 1e6));
        }
    }
    fflush(stdout);
    fprintf(stderr, "board: %s after %.1f s of its own time, stack %u bytes deep, %lu bytes lost\n",
        state == cpu_Crashed ? "crashed" : "stopped", (double)avr->cycle / 16e6, avr->ramend - deepest, lost);
    close(to_modem);
    waitpid(modem, NULL, 0);
    return state == cpu_Crashed;
}
