/* Start-up, time, sleep and stack of any Cortex-M3 or larger, and the debugger's clock, entropy and exit. */
#include "board.h"

#define STACK_PAINT 0xA5C3A5C3u
#define PERIOD_CYCLES 12500000u                  /* of SysTick: below 2^24, and whole milliseconds on every board here */

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD  (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE   (*(volatile uint32_t *)0xE000E018u)

extern uint32_t stack_begin[], stack_end[], data_load[], data_begin[], data_end[], bss_begin[], bss_end[];   /* sections.ld */

int main(void);
void reset(void);

static volatile uint32_t periods;                /* of SysTick that have passed */
static volatile int woken;                       /* an alarm or a frame came since the last sleep */
static uint32_t slept_ms, slept_us, sleeps;

/* ---- Start and vectors ---- */

void reset(void)
{
    const uint32_t *from = data_load;
    uint32_t *to;
    volatile uint32_t *paint;
    for (paint = stack_begin; paint < (uint32_t *)__builtin_frame_address(0) - 16; paint++) *paint = STACK_PAINT;
    for (to = data_begin; to < data_end; to++) *to = *from++;
    for (to = bss_begin; to < bss_end; to++) *to = 0;
    SYSTICK_RELOAD = PERIOD_CYCLES - 1;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 7;                         /* the processor's clock, with interrupt */
    board_begin();
    machine_exit(main());
}

static void fault(void)
{
    static const char text[] = "\nprocessor fault\n";
    board_write(text, sizeof text - 1);
    machine_exit(99);
}

static void system_tick(void)
{
    periods = periods + 1;
}

static void interrupt(void)
{
    uint32_t number;
    __asm volatile("mrs %0, ipsr" : "=r"(number));
    if (board_interrupt((unsigned int)number - 16) == 0) fault();
    woken = 1;
}

#define FOUR interrupt, interrupt, interrupt, interrupt
#define SIXTEEN FOUR, FOUR, FOUR, FOUR

__attribute__((section(".vectors"), used)) static void (*const vectors[16 + 48])(void) = {
    (void (*)(void))stack_end, reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, system_tick,
    SIXTEEN, SIXTEEN, SIXTEEN
};

/* ---- Time: SysTick counts down all the time; when it reaches 0 it interrupts, and a period begins ---- */

static uint32_t period_cycles(uint32_t *period)
{
    uint32_t value;
    do {
        *period = periods;
        value = SYSTICK_VALUE;
    } while (*period != periods);
    return value == 0 ? 0 : PERIOD_CYCLES - value;
}

uint32_t machine_ms(void)
{
    uint32_t period, cycles = period_cycles(&period);
    return period * (PERIOD_CYCLES / board.cycles_per_ms) + cycles / board.cycles_per_ms;
}

uint32_t machine_us(void)
{
    uint32_t period, cycles = period_cycles(&period);
    return period * (PERIOD_CYCLES / board.cycles_per_ms) * 1000u + cycles * 2u / (board.cycles_per_ms / 500u);
}

/* wfi ends with a pending interrupt also while interrupts are held off. So none can slip in between the question whether
   something came and the sleep. */
void machine_sleep(uint32_t milliseconds)
{
    uint32_t start = machine_us();
    if (milliseconds == 0) return;
    board_alarm(milliseconds);
    __asm volatile("cpsid i" ::: "memory");
    while (!woken) __asm volatile("wfi\n cpsie i\n isb\n cpsid i" ::: "memory");
    woken = 0;
    __asm volatile("cpsie i\n isb" ::: "memory");
    slept_us += machine_us() - start;
    slept_ms += slept_us / 1000u;
    slept_us %= 1000u;
    sleeps++;
}

uint32_t machine_slept_ms(void) { return slept_ms; }
uint32_t machine_sleeps(void) { return sleeps; }

/* ---- Stack ---- */

unsigned int machine_stack_size(void)
{
    return (unsigned int)(stack_end - stack_begin) * 4u;
}

unsigned int machine_stack_used(void)
{
    const uint32_t *at = stack_begin;
    while (at < stack_end && *at == STACK_PAINT) at++;
    return (unsigned int)(stack_end - at) * 4u;
}

/* ---- Semihosting: Arm's calls to the debugger, a number and the address of their arguments ---- */

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_READ = 0x06, SYS_TIME = 0x11, SYS_EXIT_EXTENDED = 0x20 };

static uint32_t semihosting(uint32_t call, const void *arguments)
{
    register uint32_t r0 __asm("r0") = call;
    register const void *r1 __asm("r1") = arguments;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

uint32_t machine_date(void)
{
    return semihosting(SYS_TIME, 0);
}

int machine_random(unsigned char *bytes, unsigned int size)
{
    static const char name[] = "/dev/urandom";
    uint32_t file, left, arguments[3];
    arguments[0] = (uint32_t)name;
    arguments[1] = 1;                            /* "rb" */
    arguments[2] = sizeof name - 1;
    file = semihosting(SYS_OPEN, arguments);
    if (file == 0xFFFFFFFFu) return -1;
    arguments[0] = file;
    arguments[1] = (uint32_t)bytes;
    arguments[2] = size;
    left = semihosting(SYS_READ, arguments);     /* how many bytes were not read */
    semihosting(SYS_CLOSE, arguments);
    return left == 0 ? 0 : -1;
}

void machine_exit(int code)
{
    uint32_t arguments[2];
    arguments[0] = 0x20026;                      /* ADP_Stopped_ApplicationExit */
    arguments[1] = (uint32_t)code;
    for (;;) semihosting(SYS_EXIT_EXTENDED, arguments);
}
