#!/usr/bin/env python3
"""Prints what the client costs: flash of a telemetry program (tests/size/telemetry.c) and the sizes of its structs.

    tools/size_report.py

Rows are printed for the compilers that are there. Flash is the sum of the client's own functions and constants that are
left after --gc-sections at -Os; the C library, the platform and the program itself are not in it.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = os.path.join(ROOT, "tests", "size", "telemetry.c")
FLAGS = ["-Os", "-std=c99", "-ffunction-sections", "-fdata-sections", "-I" + ROOT]
BARE = ["--specs=nosys.specs", "--specs=nano.specs"]

BUILDS = [
    ("x86-64", "gcc", [], []),
    ("Cortex-M0+", "arm-none-eabi-gcc", ["-mcpu=cortex-m0plus", "-mthumb"], BARE),
    ("Cortex-M4", "arm-none-eabi-gcc", ["-mcpu=cortex-m4", "-mthumb"], BARE),
]

SYMBOL = re.compile(r"^\S+ (\S+) (\S) (\S+)$")


def symbols(nm, path):
    lines = subprocess.run([nm, "-S", path], check=True, capture_output=True, text=True).stdout.splitlines()
    return [(match.group(3), match.group(2), int(match.group(1), 16)) for match in map(SYMBOL.match, lines) if match]


def measure(compiler, target, link, folder):
    nm = compiler[:-3] + "nm"
    program = os.path.join(folder, "program")
    unit = os.path.join(folder, "unit.o")
    subprocess.run([compiler] + target + FLAGS + link + ["-Wl,--gc-sections", SOURCE, "-o", program], check=True,
                   stderr=subprocess.DEVNULL)
    subprocess.run([compiler] + target + FLAGS + ["-c", SOURCE, "-o", unit], check=True)
    flash = sum(size for name, kind, size in symbols(nm, program)
                if kind in "tTrR" and re.match(r"(iothubi_|IoTHub|MQTT_)", name))
    sizes = {name: size for name, kind, size in symbols(nm, unit)}
    return flash, sizes["size_of_client"], sizes["size_of_record"]


def main():
    print("| build | flash, telemetry program | client struct | record of a message |")
    print("| --- | --- | --- | --- |")
    for name, compiler, target, link in BUILDS:
        if shutil.which(compiler) is None:
            print("| %s | (no %s here) | | |" % (name, compiler), file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            print("| %s, `%s -Os` | {:,} | {} | {} |".format(*measure(compiler, target, link, folder))
                  % (name, " ".join([compiler] + target)))


if __name__ == "__main__":
    main()
