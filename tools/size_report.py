#!/usr/bin/env python3
"""Prints what the client costs on small machines: flash, RAM and stack, by room and by use, beside other clients.

    tools/size_report.py                  prints the tables
    tools/size_report.py --write          writes them: into README.md, and README.md, sizes.tsv and size.svg of tests/size
    tools/size_report.py --check FOLDER   judges, and builds in FOLDER: a line "ok" or "FAIL" for each check, "done" at the end

tests/size/README.md says what is measured; tests/size/measure.py does it.
"""
import os
import re
import sys
import tempfile
from collections import namedtuple

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "size"))
from measure import (DEVICE, EVERYTHING, HELPERS, HERE, INBOX, LIBRARY, OTHER, OUTBOX, PEERS_JOB, PROGRAMS, ROOT, STATE, TELEMETRY, Failure,
                     figure_of, measure_all, read, short)

TOLERANCE = 1.02                                 # a figure may grow so much before --check fails

Limit = namedtuple("Limit", "target program quantity most")
LIMITS = [                                       # issue 4, "Numbers to reach", for telemetry; issues 5 and 6, "Numbers", for the others
    Limit("Cortex-M0+", TELEMETRY, "flash", 6000),
    Limit("Cortex-M0+", TELEMETRY, "client struct", 400),
    Limit("Cortex-M0+", TELEMETRY, "outbox and inbox", 512),
    Limit("Cortex-M0+", TELEMETRY, "worst stack", 300),
    Limit("Cortex-M0+", DEVICE, "flash", 10000),
    Limit("Cortex-M0+", DEVICE, "client struct", 600),
    Limit("Cortex-M0+", DEVICE, "inbox for every feature", 512),
    Limit("Cortex-M0+", DEVICE, "worst stack", 400),
    Limit("Cortex-M0+", EVERYTHING, "flash", 14000),
    Limit("Cortex-M0+", EVERYTHING, "worst stack", 400),
    Limit("AVR", TELEMETRY, "flash", 11000),
    Limit("AVR", DEVICE, "flash", 18500),
]
SUMMARY = ["flash", "libraries", "client struct", "RAM in all", "worst stack"]


# ---- tables ----

def table(head, rows):
    return "".join("| %s |\n" % " | ".join(row) for row in [head, ["---"] * len(head)] + rows)


def number(value):
    return "{:,}".format(value)


def difference(value):
    return "{:+,}".format(value) if value else "0"


def summary(reports, failures=()):
    rows = []
    for report in reports:
        rows += [[report.build if program is TELEMETRY else "", program.name] + [number(figure_of(report, program, name)) for name in SUMMARY]
                 for program in PROGRAMS]
        rows += [["the same with `%s`" % " ".join(report.target.shorter) if program is TELEMETRY else "", program.name]
                 + [number(figure_of(report, program, name + ", shorter")) for name in SUMMARY[:2]] + [""] * (len(SUMMARY) - 2)
                 for program in PROGRAMS if report.target.shorter]
    missing = [[name, why.splitlines()[-1]] + [""] * len(SUMMARY) for name, why in failures]
    return table(["build", "program"] + SUMMARY, rows + missing)


def limits(reports):
    rows = []
    for report in reports:
        for limit in (limit for limit in LIMITS if limit.target == report.target.name):
            reached = figure_of(report, limit.program, limit.quantity)
            rows.append([limit.target, limit.program.name, limit.quantity, number(limit.most), number(reached),
                         "reached" if reached <= limit.most else "%s over" % number(reached - limit.most)])
    return table(["build", "program", "figure", "limit", "today", ""], rows)


def by_build(reports, head, rows):
    """One row a name, one column a build. rows: (name, the values)."""
    return table([head] + [report.target.name for report in reports], [[name] + values for name, values in rows])


def rooms(reports, program):
    flash = [report.rooms[program.name] for report in reports]
    names = [name for name in flash[0] if any(room[name] for room in flash)]
    names.sort(key=lambda name: name == OTHER)
    rows = [(name, [number(room[name]) for room in flash]) for name in names]
    return by_build(reports, "room", rows + [("all", [number(sum(room.values())) for room in flash])])


def uses(reports, kind, program):
    """What is added to a program, or taken away from it: the figures whose names begin with kind."""
    names = [name for name in reports[0].figures if name.startswith(kind + " ")]
    rows = [(name[len(kind) + 1:], [difference(report.figures[name] - figure_of(report, program, "flash")) for report in reports])
            for name in names]
    return by_build(reports, kind, rows) if rows else "There is no such switch.\n"


def memory(reports):
    names = ["client struct", "WebSocket", "HTTP proxy", "outbox record", "message head"]
    names += ["inbox taken: " + name for name in STATE] + ["inbox taken by features", "inbox for every feature"]
    names += ["static RAM", "static RAM with pools", "static RAM with all uses"]
    names += [name for name in reports[0].figures if name.startswith("client struct, switch ")]
    return by_build(reports, "bytes", [(name, [number(report.figures[name]) for report in reports]) for name in names])


def chains(reports):
    rows = []
    for entry in reports[0].chains:
        for report in reports:
            size, chain = report.chains[entry]
            rows.append([report.target.name, entry, number(size), " > ".join("%s %d" % (short(name), own) for name, own in chain)])
    return table(["build", "function", "stack", "deepest chain, each with its own bytes"], rows)


def peers(build):
    """(client, flash, libraries, RAM, stack) of the lines of peers.tsv for a build."""
    lines = [line.split("\t") for line in read(os.path.join(HERE, "peers.tsv")).splitlines() if not line.startswith("#")]
    return [line[1:] for line in lines if line[0] == build]


def beside(reports):
    rows = []
    for report in (report for report in reports if peers(report.target.name)):
        build = report.target.name
        for program in [PEERS_JOB, TELEMETRY]:
            figures = [number(figure_of(report, program, name)) for name in ("flash", "libraries", "RAM in all", "worst stack")]
            rows.append([build, "**iothub_client.h**: " + program.name] + figures)
        rows += [[build] + [number(int(cell)) if cell.isdigit() else cell for cell in peer] for peer in peers(build)]
    return table(["build", "client", "flash", "libraries", "RAM", "worst stack"], rows)


# ---- the plot ----

def plot(report):
    """Bars of flash on the Cortex-M0+, the libraries' share in a lighter tone."""
    bars = [("ours: " + program.name, figure_of(report, program, "flash"), figure_of(report, program, "libraries"), "#1f6feb", "#a5c8ff")
            for program in [TELEMETRY, PEERS_JOB, DEVICE]]
    bars += [(peer[0], int(peer[1]), int(peer[2]), "#59636e", "#c4cad1") for peer in peers("Cortex-M0+")]
    scale = 560.0 / max(own + libraries for _, own, libraries, _, _ in bars)
    height = 92 + 40 * len(bars)
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 %d" width="960" height="%d" role="img">' % (height, height),
        "<title>Flash of clients for IoT Hub on a Cortex-M0+</title>",
        "<style>text{font:15px system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif;fill:#1f2328}.t{font-size:18px;font-weight:600}</style>",
        '<rect width="960" height="%d" fill="#ffffff"/>' % height,
        '<text class="t" x="20" y="32">Flash on a Cortex-M0+ in bytes: the client, and in a lighter tone what it needs of libraries</text>',
        '<text x="20" y="%d">-Os, gc-sections, no LTO. The others were measured elsewhere; their job is telemetry, C2D, twin.</text>'
        % (height - 16)]
    for row, (name, own, libraries, dark, light) in enumerate(bars):
        top = 56 + 40 * row
        lines += ['<text x="228" y="%d" text-anchor="end">%s</text>' % (top + 19, name),
                  '<rect x="240" y="%d" width="%.1f" height="26" fill="%s"/>' % (top, own * scale, dark),
                  '<rect x="%.1f" y="%d" width="%.1f" height="26" fill="%s"/>' % (240 + own * scale, top, libraries * scale, light),
                  '<text x="%.1f" y="%d">%s + %s</text>' % (250 + (own + libraries) * scale, top + 19, number(own), number(libraries))]
    return "\n".join(lines + ["</svg>", ""])


# ---- what is written ----

CAPTION = """
*Telemetry* is that program; *device* takes cloud-to-device messages, twin, reported states and methods as well, and chooses a retry
policy; *everything* is both that and a module with inputs and outputs, Plug and Play's commands and properties, and WebSocket.
*Libraries* are the parts of C library and compiler that come along, *RAM in all* is the client with its strings, static RAM, and outbox
and inbox (together 512 bytes for telemetry, 512 each for the others; a 64-bit machine wants 768 of inbox), and nothing of the port is
counted. [The same by room, by use and by call chain](tests/size/README.md).

![flash on a Cortex-M0+, beside other clients](tests/size/size.svg)
"""
MARKED = r"<!-- %s -->\n(.*?)<!-- /%s -->"


def filled(path, parts):
    """A page with its marked parts replaced."""
    text = read(os.path.join(ROOT, path))
    for name, part in parts:
        found = re.search(MARKED % (name, name), text, re.S)
        if not found:
            raise Failure("%s has no <!-- %s --> and <!-- /%s -->" % (path, name, name))
        text = text[:found.start(1)] + part + text[found.end(1):]
    return text


def pages(reports, failures=()):
    """The parts of tests/size/README.md."""
    return [("summary", summary(reports, failures)), ("limits", limits(reports)), ("beside", beside(reports))] + [
        ("rooms of " + program.name, rooms(reports, program)) for program in PROGRAMS] + [
        ("with", uses(reports, "with", TELEMETRY)), ("switch", uses(reports, "switch", EVERYTHING)), ("memory", memory(reports)),
        ("chains", chains(reports))]


def outputs(reports):
    """Path and text of all that --write writes."""
    figures = ["%s\t%s\t%d\n" % (report.target.name, name, value) for report in reports for name, value in report.figures.items()]
    plotted = next(report for report in reports if report.target.name == "Cortex-M0+")
    return [("README.md", filled("README.md", [("sizes", summary(reports) + CAPTION)])),
            ("tests/size/README.md", filled("tests/size/README.md", pages(reports))),
            ("tests/size/size.svg", plot(plotted)),
            ("tests/size/sizes.tsv", "# build\tquantity\tbytes; written by tools/size_report.py\n" + "".join(figures))]


def write(reports):
    for path, text in outputs(reports):
        with open(os.path.join(ROOT, path), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)


# ---- judging ----

def say(text, faults):
    print("%s  %s" % ("FAIL" if faults else "ok  ", text))
    for fault in faults:
        print("      " + fault.replace("\n", "\n      "))


def committed():
    lines = [line.split("\t") for line in read(os.path.join(HERE, "sizes.tsv")).splitlines() if not line.startswith("#")]
    return {(build, name): int(value) for build, name, value in lines}


def check_report(report, before):
    build = report.target.name
    say("%s: of libraries the client wants %s" % (build, " ".join(report.wants)),
        ["not allowed: " + name for name in report.wants if name not in LIBRARY and not HELPERS.fullmatch(name)])
    say("%s: no recursion, and every call through a pointer is known" % build, report.faults)
    known = [(name, value, before[build, name]) for name, value in report.figures.items() if (build, name) in before]
    say("%s: none of %d figures is more than 2 %% above tests/size/sizes.tsv" % (build, len(known)),
        ["%s: %d, was %d" % (name, value, was) for name, value, was in known if value > was * TOLERANCE])
    better = ["%s %d, was %d" % (name, value, was) for name, value, was in known if value * TOLERANCE < was]
    if better:
        print("      better, run tools/size_report.py --write: " + "; ".join(better))


def check(reports, failures):
    for name, why in failures:
        say("%s: built and measured" % name, [why])
    before = committed()
    for report in reports:
        check_report(report, before)
    if failures:
        return
    say("a client with %d bytes of outbox and %d of inbox works" % (OUTBOX, INBOX), [])
    try:
        for path, text in outputs(reports):
            stale = read(os.path.join(ROOT, path)) != text
            say("%s has the sizes of today" % path, ["stale: run tools/size_report.py --write"] if stale else [])
    except Failure as failure:
        say("there is a place for each table", [str(failure)])


def main(arguments):
    if arguments[:1] == ["--check"] and len(arguments) == 2:
        check(*measure_all(os.path.join(arguments[1], "size")))
        print("done")
        return 0
    if arguments not in ([], ["--write"]):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        reports, failures = measure_all(folder)
    for name, why in failures:
        print("%s: %s" % (name, why), file=sys.stderr)
    if arguments and not failures:
        write(reports)
    elif reports:
        print("\n".join(part for _, part in pages(reports, failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
