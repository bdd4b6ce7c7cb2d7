"""The toolchains of the matrix: how each is called, what it cannot do and why, and where its programs run. Data; matrix.py does the work."""
import os

HERE = os.path.relpath(os.path.dirname(os.path.abspath(__file__)))
BOARDS = os.path.join(HERE, "boards")

STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-pedantic"]
C = ["c89", "c99", "c11", "c17", "c2x"]
CPP = ["c++98", "c++11", "c++14", "c++17", "c++20", "c++2b"]
NO_HEADERS = ["-DIOTHUB_NO_TIME_H", "-DIOTHUB_NO_STDINT_H", "-DIOTHUB_NO_STDBOOL_H"]
GCC_12 = ("gcc-12", "gcc-12"), ("g++-12", "g++-12"), ("libc6-dev", "/usr/include/stdio.h")

SIM_LIVES = "40"                                 # the first 64 seeds have room for all, so that every machine gives one trace


class Run:
    """How programs of a target are made and run. command: what stands before the program's path. sources: the board's own.
    plain: the simulation gets no arguments and no C library's files. rooms: the vectors that fit, each with what it includes;
    None: all of them, over the whole header. left: the rooms that do not: (the message with which they fail, why); without a message:
    flash bytes of code are too few."""

    def __init__(self, command, flags=(), link=(), sources=(), sim=True, arguments=True, rooms=None, left=None, flash=0, environment=None, note=""):
        self.command, self.flags, self.link, self.sources = list(command), list(flags), list(link), list(sources)
        self.sim, self.arguments, self.rooms, self.left = sim, arguments, rooms, left or {}
        self.flash, self.environment, self.note = flash, environment or {}, note


class Target:
    """One row of the table. kind: how the compiler is driven (gcc: and what behaves like it). refuses: a pattern of the message
    with which it fails on the header; constructs: (what, source, pattern of the message), which fail too, so that the reason in
    the table is known to be the reason. switches: each alone too, not only all and none. too_large: what the assembler says of the whole
    client where that is more than the machine can address; it says nothing of the source, which is compiled to its end."""

    def __init__(self, name, command, packages, kind="gcc", c=("c89",), cpp=(), cpp_command=None, flags=("-Os",), warnings=None, quick=True,
                 tools="", run=None, note="", refuses=None, constructs=(), ci=False, switches=True, too_large=None):
        self.name, self.command, self.packages, self.kind = name, command.split(), list(packages), kind
        self.c, self.cpp, self.cpp_command = list(c), list(cpp), (cpp_command or "").split()
        self.flags, self.warnings, self.quick, self.tools = list(flags), STRICT if warnings is None else list(warnings), quick, tools
        self.run, self.note, self.refuses, self.constructs, self.ci, self.switches, self.too_large = (
            run, note, refuses, list(constructs), ci, switches, too_large)


def cross(name, triple, libc, qemu, ci=False):
    """A Linux target of Debian's, run by qemu's user mode."""
    return Target(name, triple + "-gcc", [("gcc-" + triple, triple + "-gcc"), (libc, "/usr/%s/lib/libc.a" % triple), ("qemu-user-static", qemu)],
                  c=["c89", "c99", "c17"], tools=triple + "-", run=Run([qemu], link=["-static"]), ci=ci)


def picolibc(flash, flash_size, ram, ram_size):
    return ["--oslib=semihost", "--crt0=hosted"] + [
        "-Wl,--defsym=__%s=0x%x" % item for item in
        (("flash", flash), ("flash_size", flash_size), ("ram", ram), ("ram_size", ram_size))]


def qemu_board(program, machine, *more):
    return ["qemu-system-" + program, "-M", machine, *more, "-nographic", "-monitor", "none", "-serial", "none", "-semihosting", "-kernel"]


ARM = [("gcc-arm-none-eabi", "arm-none-eabi-gcc"), ("picolibc-arm-none-eabi", "/usr/lib/picolibc/arm-none-eabi/lib/picolibc.ld"),
       ("qemu-system-arm", "qemu-system-arm")]
MPS2 = (0, 4 << 20, 0x21000000, 16 << 20)        # flash and the large RAM of QEMU's boards with that name
MICROBIT = (0, 256 << 10, 0x20000000, 16 << 10)


def cortex_m(name, cpu, machine, memory=MPS2, sim=True, note=""):
    return Target(name, "arm-none-eabi-gcc -mcpu=%s -mthumb" % cpu, ARM, c=["c89", "c99", "c17"], cpp=["c++98", "c++11"], quick=False,
                  cpp_command="arm-none-eabi-g++ -mcpu=%s -mthumb" % cpu, flags=["--specs=picolibc.specs", "-Os"], tools="arm-none-eabi-",
                  run=Run(qemu_board("arm", machine), link=picolibc(*memory), sim=sim, arguments=False, note=note))


# The rooms whose vectors do without the whole client, and what each includes.
SMALL = {
    "bytes": ["core/text.h"], "text": ["core/identity.h"], "clock": ["core/clock.h"], "retry": ["core/names.h", "core/retry.h"],
    "json": ["core/json.h"], "identity": ["core/identity.h"], "message": ["core/message.h"], "outbox": ["core/outbox.h"],
    "mqtt_codec": ["core/identity.h"], "mqtt_topic": ["transports/mqtt/topic.h"], "properties": ["core/properties.h"],
    "names": ["core/names.h"], "mailbox": ["core/mailbox.h"], "methods": ["core/methods.h"], "twin": ["core/twin.h"],
    "websocket": ["core/identity.h", "transports/http/proxy.h", "transports/websocket/websocket.h"],
}
WHOLE = {room: ("", "needs the whole client, more code than the machine addresses: SDCC keeps what nobody calls") for room in ("client", "features", "mqtt_hub")}

# SDCC's remarks that are none about the source: 59 and 126 are code that it found unreachable itself; 84 does not see that what is
# read was set by the call before; 110 tells of its own optimizer; 244 is its NULL, a pointer to void, beside a pointer to a function.
# 147 is a text in an array that has no room for its NUL, as C allows; 127, on the 8051, is a number that becomes a handle.
SDCC = ["--std-c89"] + [flag for number in ("59", "84", "110", "126", "147", "244") for flag in ("--disable-warning", number)] + NO_HEADERS


def sdcc(name, port, simulator, link=(), model="", more=(), rooms=None, left=None, note="", switches=False, flash=65536, too_large=None):
    rooms = SMALL if rooms is None else rooms
    return Target(name, "sdcc -m%s %s" % (port, model), [("sdcc", "sdcc"), ("sdcc-ucsim", simulator[0])], kind="sdcc", flags=SDCC + list(more), warnings=[],
                  run=Run(simulator, flags=["-DVECTORS_BOARD"], link=link, sources=[os.path.join(BOARDS, port + ".c")], sim=False,
                          rooms=rooms, left=dict(WHOLE, **(left or {})), flash=flash), note=note, switches=switches, too_large=too_large)


NATIVE = Target("gcc 12, x86-64", "gcc-12", GCC_12, c=C, cpp=CPP, cpp_command="g++-12", run=Run([]), ci=True)

TARGETS = [
    Target("gcc 11, x86-64", "gcc-11", [("gcc-11", "gcc-11"), ("g++-11", "g++-11")], c=C, cpp=CPP, cpp_command="g++-11",
           note="compiled only: its code runs as gcc 12's"),
    NATIVE,
    Target("clang 13, x86-64", "clang-13", [("clang-13", "clang-13")], c=C, cpp=CPP, cpp_command="clang++-13", note="compiled only"),
    Target("clang 14, x86-64", "clang-14", [("clang-14", "clang-14")], c=C, cpp=CPP, cpp_command="clang++-14", run=Run([], flags=["-funsigned-char"]),
           note="runs with unsigned char", ci=True),
    Target("clang 16, x86-64", "clang-16", [("clang-16", "clang-16")], c=C, cpp=CPP, cpp_command="clang++-16", note="compiled only"),
    Target("clang 19, x86-64", "clang-19", [("clang-19", "clang-19")], c=C, cpp=CPP, cpp_command="clang++-19", run=Run([])),
    Target("gcc 12 -m32", "gcc-12 -m32", GCC_12 + (("gcc-12-multilib", "/usr/lib/gcc/x86_64-linux-gnu/12/32/libgcc.a"),), c=["c89", "c99", "c17"],
           run=Run([])),
    Target("gcc 12 -mx32", "gcc-12 -mx32", GCC_12 + (("gcc-12-multilib", "/usr/lib/gcc/x86_64-linux-gnu/12/x32/libgcc.a"),), c=["c89", "c99", "c17"],
           note="compiled only: Debian's kernel runs no x32 programs"),
    Target("tcc, x86-64", "tcc", [("tcc", "tcc")], c=["c89", "c99", "c11"], flags=[], warnings=["-Wall"], quick=False, run=Run([])),
    Target("pcc, x86-64", "pcc", [("pcc", "pcc")], c=["c99"], flags=[], warnings=["-Wall", "-Wpointer-sign", "-Wshadow"], quick=False,
           run=Run([], left={"properties": ("unknown escape sequence", "pcc misreads the vectors' text \"a\\\\u0041\"")}),
           note="it knows no -std=c89"),
    Target("musl (gcc 12)", "musl-gcc", [("musl-tools", "musl-gcc")], c=["c89", "c99", "c17"], run=Run([], link=["-static"])),
    Target("diet libc (gcc 12)", "diet gcc", [("dietlibc-dev", "diet")], c=["gnu99"], run=Run([], link=["-static"]),
           note="its time.h is no C89 (uses __u64)"),

    cross("powerpc, big-endian", "powerpc-linux-gnu", "libc6-dev-powerpc-cross", "qemu-ppc-static", ci=True),
    cross("s390x, big-endian", "s390x-linux-gnu", "libc6-dev-s390x-cross", "qemu-s390x-static"),
    cross("powerpc64, big-endian", "powerpc64-linux-gnu", "libc6-dev-ppc64-cross", "qemu-ppc64-static"),
    cross("sparc64, big-endian", "sparc64-linux-gnu", "libc6-dev-sparc64-cross", "qemu-sparc64-static"),
    cross("m68k, big-endian", "m68k-linux-gnu", "libc6-dev-m68k-cross", "qemu-m68k-static"),
    cross("mips, big-endian", "mips-linux-gnu", "libc6-dev-mips-cross", "qemu-mips-static"),

    Target("mingw 64", "x86_64-w64-mingw32-gcc", [("gcc-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc"), ("g++-mingw-w64-x86-64", "x86_64-w64-mingw32-g++"),
                                                  ("wine64", "/usr/lib/wine/wine64")],
           c=["c89", "c99", "c17"], cpp=["c++98", "c++11", "c++20"], cpp_command="x86_64-w64-mingw32-g++", tools="x86_64-w64-mingw32-",
           run=Run(["/usr/lib/wine/wine64"], link=["-static"], environment={"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="},
                   note="wine")),
    Target("mingw 32", "i686-w64-mingw32-gcc", [("gcc-mingw-w64-i686", "i686-w64-mingw32-gcc")], c=["c89", "c99", "c17"], tools="i686-w64-mingw32-",
           note="compiled only: Debian's wine64 runs no 32-bit programs"),

    cortex_m("Cortex-M0", "cortex-m0", "microbit", MICROBIT, sim=False, note="16 KB of RAM, too little for the simulation"),
    cortex_m("Cortex-M0+", "cortex-m0plus", "mps2-an385", note="on QEMU's M3: it has no M0+"),
    cortex_m("Cortex-M3", "cortex-m3", "mps2-an385"),
    cortex_m("Cortex-M4", "cortex-m4", "mps2-an386"),
    cortex_m("Cortex-M7", "cortex-m7", "mps2-an500", (0, 4 << 20, 0x60000000, 16 << 20)),
    Target("AVR, 16-bit int", "avr-gcc -mmcu=atmega1284p", [("gcc-avr", "avr-gcc"), ("avr-libc", "/usr/lib/avr/include/avr/io.h"), ("simavr", "simavr")],
           c=["c89", "c99", "c11"], cpp=["c++98", "c++11"], cpp_command="avr-g++ -mmcu=atmega1284p", quick=False, tools="avr-", ci=True,
           run=Run(["simavr", "-m", "atmega1284p", "-f", "20000000"], link=["-Wl,--defsym=__DATA_REGION_LENGTH__=12288"], sim=False,
                   note="16 KB of RAM, too little for the simulation")),
    Target("rv32imac", "riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32",
           [("gcc-riscv64-unknown-elf", "riscv64-unknown-elf-gcc"), ("picolibc-riscv64-unknown-elf", "/usr/lib/picolibc/riscv64-unknown-elf/lib/picolibc.ld"),
            ("qemu-system-misc", "qemu-system-riscv32")], c=["c89", "c99", "c17"], flags=["--specs=picolibc.specs", "-Os"], tools="riscv64-unknown-elf-",
           run=Run(qemu_board("riscv32", "virt", "-bios", "none"), link=picolibc(0x80000000, 4 << 20, 0x80400000, 16 << 20), arguments=False), ci=True),
    Target("xtensa lx106 (ESP8266)", "xtensa-lx106-elf-gcc -ffreestanding -mlongcalls -I" + os.path.join(HERE, "freestanding"),
           [("gcc-xtensa-lx106", "xtensa-lx106-elf-gcc"), ("qemu-system-misc", "qemu-system-xtensa")], c=["c89", "c99", "c17"], tools="xtensa-lx106-elf-",
           run=Run(["qemu-system-xtensa", "-M", "sim", "-cpu", "lx106", "-nographic", "-monitor", "none", "-serial", "none", "-semihosting", "-kernel"],
                   flags=["-DVECTORS_BOARD"], link=["-mlongcalls", "-nostdlib", "-T", os.path.join(BOARDS, "lx106.ld"), "-lgcc"],
                   sources=[os.path.join(BOARDS, "lx106.S"), os.path.join(BOARDS, "lx106.c")], sim=False,
                   note="no C library for the simulation; never compiled with the vendor's SDK")),
    Target("MSP430 (clang 14), 16-bit int", "clang-14 --target=msp430-elf -ffreestanding -I" + os.path.join(HERE, "freestanding"), [("clang-14", "clang-14")],
           c=["c89", "c99", "c17"], note="compiled only: there is no linker and no simulator"),

    sdcc("SDCC Z80", "z80", ["sz80", "-I", "if=outputs[0xff]", "-e", "run", "-e", "quit"], ["--code-loc", "0x200", "--data-loc", "0xC000"], switches=True,
         left={"bytes": ("Compiler Internal Error", "SDCC 4.2 ends with an internal error in its code generator")},
         note="the switches are compiled here for the other ports too: half a minute each"),
    sdcc("SDCC STM8", "stm8", ["sstm8", "-t", "STM8S208", "-I", "if=rom[0x7fff]", "-e", "run", "-e", "quit"], flash=32768),
    sdcc("SDCC 8051", "mcs51", ["s51", "-t", "8052", "-I", "if=xram[0xffff]", "-e", "run", "-e", "quit"], ["--xram-size", "0xfff0"],
         "--model-large --stack-auto", ["--disable-warning", "127"],
         too_large=r"\?ASxxxx-Warning in line \d+ of \S+\n\s+large constant 0x[0-9a-f]+ truncated to 16 bits\n",
         left={"identity": ("Stack overflow", "the 8051's stack, less than 256 bytes, overflows"),
               "properties": ("no end after", "does not end, the stack being what it is"),
               "websocket": ("digest", "SDCC's 8051 code computes SHA-1 wrongly; its Z80 and STM8 code does not")}),
    Target("bcc, 8086", "bcc -ansi -0", [("bcc", "bcc"), ("bin86", "objdump86")], kind="bcc", flags=NO_HEADERS, warnings=[],
           note="through gcc's preprocessor, and without const: bcc knows neither; compiled only",
           constructs=[("a chain of ##", "#define NAME(a, b) a##_and_##b##_too\nint NAME(this, that);\n", "need ';'"),
                       ("const", "int f(x) const char *x; { return *x; }\n", "const")]),
    Target("cc65, 6502", "cc65 -t sim6502 -I.", [("cc65", "cc65")], kind="cc65", flags=[], warnings=[],
           refuses="Error: Illegal function call",
           constructs=[("#if in a group that is skipped is evaluated", "#ifdef NEVER\n#if __has_include(<x.h>)\n#endif\n#endif\n", "Illegal function call"),
                       ("?: is no constant", "typedef char x[1 == 1 ? 1 : 2];\n", "Constant integer expression expected"),
                       ("a 32-bit comparison is folded wrongly", "typedef char x[1 - 2 * !((unsigned long)-1 == 0xFFFFFFFFul)];\n",
                        "Size of array 'x' is invalid")]),
]

# What is not to be had here, and what stands in for it: these rows say so.
NEVER = [
    ("ESP-IDF (ESP32)", "its compilers are not in Debian; ports/esp_idf is compiled against declarations of tests/arduino"),
    ("ESP8266 and ESP32 Arduino cores", "not in Debian; their sketches are compiled against declarations of tests/arduino; lx106 is the bare compiler"),
    ("MSVC", "Windows is compiled for by mingw"),
    ("IAR, Keil, Arm Compiler, XC8", "not to be had here"),
]
