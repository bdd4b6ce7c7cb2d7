#!/usr/bin/env python3
"""Compiles the header with every toolchain of targets.py, runs the vectors and a share of the simulation where something can run,
and prints one table. Called by run.sh, which installs what --packages names.

    matrix.py BUILD-FOLDER [--ci] [--only TEXT,...] [--packages]
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
from targets import BOARDS, HERE, NATIVE, NEVER, NO_HEADERS, SIM_LIVES, TARGETS

LEAVING = ["-DIOTHUB_NO_" + name for name in ("C2D", "TWIN", "METHODS", "PROPERTIES", "MODULE", "OPTIONS", "STATISTICS")]
SETTINGS = [("everything", ["-DIOTHUB_WEBSOCKET"]), ("no feature", LEAVING)] + [(flag[2:], ["-DIOTHUB_WEBSOCKET", flag]) for flag in LEAVING] + [
    ("IOTHUB_STATIC", ["-DIOTHUB_WEBSOCKET", "-DIOTHUB_STATIC"])]
PUBLIC = re.compile(r"_?(IoTHub|IOTHUB|MU_IOTHUB|MU_DEVICE_TWIN|Map_|MQTT_Protocol$|MQTT_WebSocket_Protocol$)")
WANTED = re.compile(r"_?(mem(cpy|move|set|cmp)(_P)?|strlen|bcmp)$|__|_GLOBAL_OFFSET_TABLE_$|_(rest|save)gpr|_gp_disp$")  # bcmp: clang's; then what compilers add
ROOMS = sorted(os.path.basename(path)[:-2] for path in glob.glob("tests/vectors/*.c") if not path.endswith("/main.c"))


class Failure(Exception):
    """What a check found."""


def run(command, environment=None, timeout=600):
    """(exit code, all that it printed)."""
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                                env=dict(os.environ, **environment) if environment else None)
    except subprocess.TimeoutExpired:
        return -1, "no end after %d s" % timeout
    return result.returncode, result.stdout.decode("utf-8", "replace")


def warnings_in(output):
    return [line for line in output.splitlines() if re.search(r"\bwarning\b", line, re.I)]


class Row:
    """What became of one target: its row in the table, and its lines."""

    def __init__(self, target, folder):
        self.target, self.folder, self.lines = target, folder, []
        self.compiled = self.asked = 0
        self.warnings, self.sizes, self.ran, self.notes = [], ["-"] * 3, "-", [target.note] if target.note else []
        self.trace = None

    def say(self, what, findings=()):
        self.lines.append("%s  %s: %s" % ("FAIL" if findings else "ok  ", self.target.name, what))
        self.lines += ["      " + line for finding in findings for line in finding.splitlines()[:12]]

    # ---- compiling ----

    def compile(self, source, output, flags, language=None, quick=False):
        """Compiles one unit; answers all that the compiler said, or raises Failure."""
        target = self.target
        compiler = target.cpp_command if language and "++" in language else target.command
        if target.kind == "gcc":
            standard = ["-std=" + language] if language else []
            command = compiler + standard + target.warnings + target.flags + flags + (
                ["-fsyntax-only", source] if quick else ["-c", source, "-o", output])
        elif target.kind == "sdcc":
            command = compiler + target.flags + flags + ["-c", source, "-o", output]
        elif target.kind == "bcc":
            ready = output + ".c"
            code, said = run(["gcc", "-E", "-P", "-undef", "-nostdinc", "-Dconst=", "-I" + os.path.join(HERE, "bcc")] + target.flags + flags + [source, "-o", ready])
            if code != 0:
                raise Failure(said)
            command = compiler + ["-c", ready, "-o", output]
        else:
            command = compiler + target.flags + flags + [source, "-o", output]
        code, said = run(command)
        if code != 0:
            raise Failure(" ".join(command) + "\n" + said)
        return said

    def compile_all(self):
        """Each setting in each language: to the end in the oldest of C and C++ (and everything in each), else what the front end finds."""
        findings = []
        for language in self.target.c + self.target.cpp:
            source = os.path.join(self.folder, "one.cc" if "++" in language else "one.c")
            first = language in (self.target.c[0], (self.target.cpp or [""])[0])
            for name, flags in SETTINGS if self.target.switches else SETTINGS[:2]:
                whole = first or name == "everything"
                output = os.path.join(self.folder, name.replace(" ", "_") + ("_cpp" if "++" in language else "")
                                      + (".rel" if self.target.kind == "sdcc" else ".o"))
                self.asked += 1
                try:
                    said = self.compile(source, output, flags + ["-I."], language, quick=self.target.quick and not whole)
                    self.compiled += 1
                    found = warnings_in(re.sub(self.target.too_large, "", said) if self.target.too_large else said)
                    self.warnings += found
                    findings += ["%s, %s: %s" % (language, name, line) for line in found]
                except Failure as failure:
                    findings.append("%s, %s: %s" % (language, name, failure))
                if name == "everything" and language == self.target.c[0] and os.path.exists(output):
                    self.measure(output)
                    self.symbols(output)
        what = "%d of %d units compile, %d warnings" % (self.compiled, self.asked, len(self.warnings))
        self.say(what, findings)

    def measure(self, output):
        if self.target.kind == "sdcc":           # areas of its own names: code and constants, initialised, the rest
            with open(output, encoding="ascii", errors="replace") as file:
                areas = {name: int(size, 16) for name, size in re.findall(r"^A (\S+) size ([0-9A-F]+)", file.read(), re.M)}
            code = sum(size for name, size in areas.items() if name in ("_CODE", "CODE", "CSEG", "CONST", "HOME", "GSINIT", "GSFINAL"))
            data = sum(size for name, size in areas.items() if name in ("_INITIALIZED", "INITIALIZED", "XISEG"))
            rest = sum(size for name, size in areas.items() if name in ("_DATA", "DATA", "DSEG", "XSEG", "BSS", "_BSS"))
            self.sizes = [str(code), str(data), str(rest)]
        elif self.target.kind == "gcc":
            code, said = run([self.target.tools + "size", output])
            if code == 0:
                self.sizes = said.splitlines()[1].split()[:3]
        elif self.target.kind == "bcc":
            code, said = run(["size86", output])
            if code == 0:
                self.sizes = said.splitlines()[1].split()[:3]

    def symbols(self, output):
        """What the object wants and gives: nothing but the functions that the manual names, and its public names."""
        if self.target.kind != "gcc":
            return
        code, said = run([self.target.tools + "nm", output])
        names = re.findall(r"^[0-9a-f ]* ([A-Za-z]) (\S+)$", said, re.M)
        foreign = ["wants " + name for kind, name in names if kind == "U" and not WANTED.match(name)]
        foreign += ["gives " + name for kind, name in names if kind in "TDBRCG" and not PUBLIC.match(name) and "get_pc_thunk" not in name]
        self.say("no symbol but the public names, mem* and strlen", ["nm failed: " + said] if code != 0 or not names else foreign)

    def texts(self):
        """An AVR copies its .data and .rodata to RAM: only tables of pointers to functions may be there, and the version."""
        output = os.path.join(self.folder, "sections.o")
        said = self.compile(os.path.join(self.folder, "one.c"), output, ["-I.", "-DIOTHUB_WEBSOCKET", "-ffunction-sections", "-fdata-sections"], "c99")
        code, said = run([self.target.tools + "objdump", "-h", output])
        found = [(name, int(size, 16)) for name, size in re.findall(r"^ *\d+ (\.(?:data|rodata)\S*) +([0-9a-f]+)", said, re.M) if int(size, 16) != 0]
        known = re.compile(r"\.rodata\.(iothubi_\w+_(transport|verbs|feature|receiver|extras)|CSWTCH\.\d+|str1\.1)$")
        findings = ["%s: %d bytes" % (name, size) for name, size in found if not known.match(name) or (name.endswith("str1.1") and size > 8)]
        self.say("no constant text is copied to RAM, but tables of %d bytes in all" % sum(size for _, size in found),
                 findings if code == 0 and found else ["objdump failed: " + said])

    def refuse(self):
        """A compiler that cannot: it fails on the header, and on each construct that is said to be the reason."""
        target, reasons, findings = self.target, [], []
        trials = [("the header", "#define IOTHUB_IMPLEMENTATION\n#include \"iothub_client.h\"\n", target.refuses)] if target.refuses else []
        for number, (what, text, message) in enumerate(trials + target.constructs):
            source = os.path.join(self.folder, "refused_%d.c" % number)
            with open(source, "w", encoding="ascii") as file:
                file.write(text)
            code, said = run(target.command + [*(["-c"] if target.kind == "bcc" else []), source, "-o", source + ".o"])
            if code == 0 or message not in said:
                findings.append("%s: not refused with '%s'; take it off targets.py\n%s" % (what, message, said))
            elif what != "the header":
                reasons.append(what)
        self.notes.append("refused: " + "; ".join(reasons))
        self.say("refuses what targets.py says it does (%s)" % "; ".join(reasons), findings)

    # ---- running ----

    def program(self, name):
        return os.path.join(self.folder, name + {"sdcc": ".ihx"}.get(self.target.kind, ".exe" if "mingw" in self.target.command[0] else ""))

    def link(self, objects, output):
        command = self.target.command + ([] if self.target.kind == "sdcc" else self.target.flags) + objects + self.target.run.link + ["-o", output]
        code, said = run(command)
        if code != 0 or warnings_in(said) and self.target.kind == "sdcc":
            raise Failure(" ".join(command) + "\n" + said)

    def start(self, program, arguments=(), timeout=120):
        return run(self.target.run.command + [program, *arguments], self.target.run.environment, timeout)

    def unit(self, source, name, flags):
        output = os.path.join(self.folder, name + (".rel" if self.target.kind == "sdcc" else ".o"))
        said = self.compile(source, output, flags, self.target.c[0] if self.target.kind == "gcc" else None)
        found = warnings_in(said)
        if found:
            raise Failure("\n".join(found))
        return output

    def room_flags(self, room):
        """For machines too small for all: what the room includes, in a header of its own."""
        run_ = self.target.run
        flags = run_.flags + ["-I.", "-Itests/vectors"]
        if run_.rooms is None:
            return flags
        header = os.path.join(self.folder, "room_%s.h" % room)
        with open(header, "w", encoding="ascii") as file:
            file.writelines('#include "%s"\n' % name for name in run_.rooms.get(room, ["core/text.h"]))
        return flags + ['-DVECTORS_ROOM="%s"' % os.path.abspath(header)]

    def vectors(self, expected):
        """Runs each room that fits; answers how many checks each counted."""
        counted, findings, run_ = {}, [], self.target.run
        rooms = [room for room in ROOMS if (run_.rooms is None or room in run_.rooms) and room not in run_.left]
        unknown = [room for room in ROOMS if room not in rooms and room not in run_.left]
        findings += ["%s: neither run nor said why not" % room for room in unknown]
        try:
            board = [self.unit_of_board(source) for source in run_.sources]
            main = self.unit("tests/vectors/main.c", "vectors_main", self.room_flags("main"))
        except Failure as failure:
            self.say("the vectors' main compiles", [str(failure)])
            return counted
        for room in rooms:
            program = self.program("vectors_" + room)
            try:
                self.link([main, self.unit("tests/vectors/%s.c" % room, "vectors_" + room, self.room_flags(room))] + board, program)
                code, said = self.start(program)
                sum_ = re.search(room + r": (\d+) checks, (\d+) failed", said)
                if sum_ is None or sum_.group(2) != "0" or (code != 0 and self.target.kind != "sdcc"):
                    raise Failure("exit code %d: %s" % (code, said))
                counted[room] = int(sum_.group(1))
                if expected.get(room, counted[room]) != counted[room] or counted[room] == 0:
                    raise Failure("%d checks, elsewhere %d" % (counted[room], expected[room]))
            except Failure as failure:
                findings.append("%s: %s" % (room, failure))
        what = "vectors of %d rooms run, %s checks" % (len(counted), "{:,}".format(sum(counted.values())))
        self.ran = "%d of %d rooms, %s checks" % (len(counted), len(ROOMS), "{:,}".format(sum(counted.values())))
        for message, reason in sorted(set(run_.left.values())):
            self.notes.append("%s: %s" % (", ".join(room for room in run_.left if run_.left[room] == (message, reason)), reason))
        self.say(what, findings)
        self.leave([main] + board)
        return counted

    def leave(self, objects):
        """The rooms that do not run: they still fail, and with their message. Without one: there is no room for the client's code."""
        findings = []
        for room, (message, _) in sorted(self.target.run.left.items()):
            if message == "":
                if not self.sizes[0].isdigit() or int(self.sizes[0]) <= self.target.run.flash:
                    findings.append("%s: the client has %s bytes of code: does it fit?" % (room, self.sizes[0]))
                continue
            try:
                program = self.program("vectors_" + room)
                self.link([self.unit("tests/vectors/%s.c" % room, "vectors_" + room, self.room_flags(room))] + objects, program)
                said = self.start(program, timeout=30)[1]
            except Failure as failure:
                said = str(failure)
            if message not in said:
                findings.append("%s: does not fail with '%s'; take it off targets.py\n%s" % (room, message, said))
        if self.target.run.left:
            self.say("%d rooms do not run, for the reasons in targets.py" % len(self.target.run.left), findings)

    def unit_of_board(self, source):
        if source.endswith(".S"):
            output = os.path.join(self.folder, os.path.basename(source) + ".o")
            code, said = run(self.target.command + ["-c", source, "-o", output])
            if code != 0:
                raise Failure(said)
            return output
        if self.target.kind == "sdcc":
            return self.unit(source, "board", [])
        output = os.path.join(self.folder, "board.o")
        code, said = run(self.target.command + self.target.flags + ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-c", source, "-o", output])
        if code != 0:
            raise Failure(said)
        return output

    def simulation(self, expected):
        """Forty lives; the hash of all that happened in them is the same everywhere."""
        run_, program = self.target.run, self.program("sim")
        sources, flags = sorted(glob.glob("tests/sim/*.c")), run_.flags + ["-I.", "-Itests/sim"]
        objects = []
        try:
            for source in sources + ([] if run_.arguments else [os.path.join(BOARDS, "sim.c")]):
                output = os.path.join(self.folder, "sim_%s.o" % os.path.basename(source)[:-2])
                more = ["-Dmain=sim_main"] if source.endswith("sim/main.c") and not run_.arguments else []
                code, said = run(self.target.command + self.target.flags + (["-std=gnu99"] if "-pedantic" in self.target.warnings else []) + flags
                                 + more + ['-DSIM_LIVES="%s"' % SIM_LIVES, "-c", source, "-o", output])
                if code != 0:                    # its warnings are the business of its own suite
                    raise Failure(said)
                objects.append(output)
            self.link(objects, program)
            code, said = self.start(program, ["--seeds", SIM_LIVES, "--no-table"] if run_.arguments else [], timeout=300)
            trace = re.search(r"trace ([0-9a-f]{16})", said)
            if code != 0 or not trace or not re.search(r"sim: %s passed, 0 failed" % SIM_LIVES, said):
                raise Failure("exit code %d: %s" % (code, said))
            self.trace = trace.group(1)
            if expected not in (None, self.trace):
                raise Failure("another trace: %s, elsewhere %s" % (self.trace, expected))
        except Failure as failure:
            self.say("%s lives of the simulation" % SIM_LIVES, [str(failure)])
            return
        self.ran += "; %s lives" % SIM_LIVES
        self.say("%s lives of the simulation have the trace %s" % (SIM_LIVES, self.trace))

    # ---- all of it ----

    def work(self, checks, trace):
        os.makedirs(self.folder, exist_ok=True)
        for name in ("one.c", "one.cc"):
            with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
                file.write('#define IOTHUB_IMPLEMENTATION\n#include "iothub_client.h"\n')
        if self.target.refuses or self.target.constructs:
            self.refuse()
        if self.target.refuses:
            return self, {}
        self.compile_all()
        if self.target.tools == "avr-":
            self.texts()
        counted = {}
        if self.target.run:
            if self.target.run.note:
                self.notes.append(self.target.run.note)
            if "wine" in " ".join(self.target.run.command):
                self.target.run.environment["WINEPREFIX"] = os.path.abspath(os.path.join(self.folder, "wine"))
            counted = self.vectors(checks)
            if self.target.run.sim:
                self.simulation(trace)
            if "wine" in " ".join(self.target.run.command):
                run(["/usr/lib/wine/wineserver64", "-k"], self.target.run.environment)     # this folder's own server
        return self, counted

    def cells(self):
        compiles = "no" if self.target.refuses else "%d of %d" % (self.compiled, self.asked)
        return [self.target.name, compiles, "-" if self.target.refuses else str(len(self.warnings)), self.ran] + self.sizes + ["; ".join(self.notes)]


# ---- beside other headers ----

def neighbours(folder, chosen):
    """Before and after headers that define much: (what, command) of each."""
    stand_ins = os.path.join(HERE, "vendors")
    compilers = [("AVR", ["avr-gcc", "-mmcu=atmega1284p", "-std=gnu11"], "c"), ("AVR", ["avr-g++", "-mmcu=atmega1284p", "-std=gnu++11"], "cc"),
                 ("gcc 12", ["gcc-12", "-std=gnu99"], "c"), ("gcc 12", ["g++-12", "-std=c++11"], "cc"),
                 ("mingw 64", ["x86_64-w64-mingw32-gcc", "-std=gnu99"], "c"), ("mingw 64", ["x86_64-w64-mingw32-g++", "-std=c++11"], "cc")]
    os.makedirs(folder, exist_ok=True)
    for target, compiler, ending in compilers:
        if not any(name.startswith(target) for name in chosen):
            continue
        for header in ["windows.h"] if "mingw" in compiler[0] else ["Arduino.h", "windows_macros.h"]:
            for when in ("before", "after"):
                for implementation in ("", "#define IOTHUB_IMPLEMENTATION\n"):
                    ours, theirs = implementation + '#include "iothub_client.h"\n', "#include <%s>\n" % header
                    source = os.path.join(folder, "%s_%s.%s" % (header[:-2], when, ending))
                    with open(source, "w", encoding="ascii") as file:
                        file.write(theirs + ours if when == "before" else ours + theirs)
                    command = compiler + ["-Wall", "-Wextra", "-Werror", "-DIOTHUB_WEBSOCKET", "-I.", "-isystem", stand_ins, "-Os", "-c", source, "-o", source + ".o"]
                    code, said = run(command)
                    what = "%s %s iothub_client.h%s by %s" % (header, when, " with the implementation" if implementation else "", compiler[0])
                    yield "ok    " + what if code == 0 else "\n".join(["FAIL  " + what] + ["      " + line for line in said.splitlines()[:12]])


def table(cells):
    head = ["compiler and target", "compiles", "warnings", "runs", "text", "data", "bss", "remarks"]
    cells = [head] + cells
    widths = [max(len(line[column]) for line in cells) for column in range(len(head) - 1)] + [0]
    right = {2, 4, 5, 6}
    return "\n".join("  ".join(cell.rjust(width) if column in right else cell.ljust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in cells)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--ci", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--packages", action="store_true")
    arguments = parser.parse_args()
    texts = arguments.only.split(",")
    share = [target for target in TARGETS if target.ci or not arguments.ci]
    strange = [text for text in texts if not any(text in target.name for target in share)]
    if strange:
        parser.error("no target has '%s' in its name; there are: %s" % (strange[0], "; ".join(target.name for target in share)))
    chosen = [target for target in share if target is NATIVE or any(text in target.name for text in texts)]
    if arguments.packages:
        print("\n".join(sorted({"%s %s" % package for target in chosen for package in target.packages})))
        return
    folder = os.path.join(arguments.build, "toolchains")
    shutil.rmtree(folder, ignore_errors=True)
    rows = {target: Row(target, os.path.join(folder, re.sub(r"\W+", "_", target.name))) for target in chosen}
    _, checks = rows[NATIVE].work({}, None)      # first: all others must count the same, and live the same lives
    print("\n".join(rows[NATIVE].lines), flush=True)
    with ThreadPoolExecutor(2) as pool:
        for row, _ in pool.map(lambda target: rows[target].work(checks, rows[NATIVE].trace), [target for target in chosen if target is not NATIVE]):
            print("\n".join(row.lines), flush=True)
    for line in neighbours(os.path.join(folder, "neighbours"), [target.name for target in chosen]):
        print(line, flush=True)
    text = table([rows[target].cells() for target in chosen] + [[name, "never", "-", "-", "-", "-", "-", why] for name, why in NEVER])
    with open(os.path.join(folder, "table.txt"), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    print("\n" + text + "\n")
    left = [target.name for target in TARGETS if target not in chosen]
    if left:
        print("left out: " + "; ".join(left))
    print("text, data and bss are those of the whole client in one object, every feature and WebSocket, pools included")
    print("done")


if __name__ == "__main__":
    main()
