#!/usr/bin/env python3
"""Proves the annotated rooms with Frama-C's WP, on two machines; then seeds bugs, which must not be provable.

    tests/proof/prove.py FOLDER        (from the root of the checkout; run.sh prepares FOLDER)
"""
import collections
import concurrent.futures
import csv
import os
import re
import shutil
import subprocess
import sys

import weave

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = ["core/manual.h", "core/config.h"]     # read as they are
ROOMS = {"core/bytes.h": "bytes.acsl", "core/text.h": "text.acsl", "transports/mqtt/codec.h": "codec.acsl"}

# The second is like an AVR: int and size_t have 16 bits, constants are read apart.
MACHINES = {
    "64 bits": ["-machdep", "gcc_x86_64"],
    "16 bits": ["-machdep", "gcc_x86_16", "-cpp-extra-args=-DCONST_APART"],
}
# Where contracts, axioms or invariants contradict each other everything is proved: there false must not be provable.
SMOKE = {"16 bits": ["-wp-smoke-tests", "-wp-no-smoke-dead-code", "-wp-no-smoke-dead-call", "-wp-smoke-timeout", "1"]}

# Between char, unsigned char and void, which is char for WP: Typed+cast keeps such a pointer's place. No proof uses that what
# was written through the one is read through the other.
HARMLESS_CASTS = {"source: sint8*) (target: uint8*", "source: uint8*) (target: sint8*"}

# Each must make its function unprovable: function, text of it, the bug.
CANARIES = [
    ("iothubi_write", "size > writer->room", "size > writer->room + 1u"),
    ("iothubi_write_decimal", "digits[10]", "digits[9]"),
    ("iothubi_find_name", "i < text->size", "i <= text->size"),
    ("iothubi_split", "i += (size_t)found", "i += 1u"),
    ("iothubi_mqtt_write_header", "bytes[1 + 4]", "bytes[4]"),
    ("iothubi_mqtt_parse_byte", "++parser->count == 4", "++parser->count == 5"),
    ("iothubi_mqtt_parse", "end - *at >= 4", "end - *at >= 3"),
]

Result = collections.namedtuple("Result", "proved open log csv")     # proved, open: names of goals by function


def weave_rooms(folder, canary=None):
    """Writes the woven rooms. Answers the names of all functions, and of those to be proved in cases."""
    names, cases, seeded = [], [], 0
    for path in SOURCES + list(ROOMS):
        with open(path, encoding="ascii") as file:
            source = file.read()
        if path in ROOMS:
            with open(os.path.join(HERE, ROOMS[path]), encoding="ascii") as file:
                annotations = file.read()
            for name, start, end in weave.functions(source):
                if canary and name == canary[0] and source.count(canary[1], start, end) == 1:
                    source = source[:start] + source[start:end].replace(canary[1], canary[2]) + source[end:]
                    seeded += 1
            source, found, in_cases = weave.weave(source, annotations)
            names += found
            cases += in_cases
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="ascii") as file:
            file.write(source)
    if canary and seeded != 1:
        raise ValueError("does not stand once in %s: %s" % canary[:2])
    return names, cases


def owner(goal, names):
    """The function that a goal is about."""
    goal = re.sub(r"^typed_cast_", "", goal)
    if goal.startswith("lemma_"):
        return "lemmas"
    return max((name for name in names if goal.startswith(name + "_")), key=len, default=goal)


def frama_c(folder, machine, names, label, options):
    """One run over the woven rooms in folder, where the preprocessor looks first."""
    log, table = (os.path.join(folder, label.replace(" ", "_") + end) for end in (".log", ".csv"))
    command = ["timeout", "1500", "frama-c", *MACHINES[machine], os.path.join(HERE, "proof.c"),
               "-simplify-cfg", "-warn-invalid-pointer", "-wp", "-wp-rte", "-rte-no-pointer-call", "-wp-model", "Typed+cast",
               "-wp-prover", "cvc4", "-wp-par", "1", *options, "-then", "-report-csv", table]
    with open(log, "w", encoding="utf-8") as file:
        code = subprocess.call(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    with open(log, encoding="utf-8") as file:
        text = file.read()
    proved, missing = collections.defaultdict(list), collections.defaultdict(list)
    for prover, kind, goal, status in re.findall(r"^\[wp\] \[(.*?)\] (Goal|Smoke-test) (\S+)(?: : (\w+))?", text, re.MULTILINE):
        good = status == "Valid" if kind == "Goal" else prover == "Passed"
        (proved if good else missing)[owner(goal, names)].append(goal)
    unseen = set(re.findall(r"annotating function (\w+)", text)) - set(names)
    if unseen:
        raise RuntimeError("functions that the weaver did not see: " + ", ".join(unseen))
    casts = set(re.findall(r"Cast with incompatible pointers types \((.*)\)$", text, re.MULTILINE))
    if casts - HARMLESS_CASTS:
        raise RuntimeError("casts that the memory model may get wrong: " + ", ".join(casts - HARMLESS_CASTS))
    total = re.search(r"Proved goals:\s+(\d+) / (\d+)", text)
    if code != 0 or not total or int(total.group(2)) - int(total.group(1)) != sum(map(len, missing.values())):
        raise RuntimeError("Frama-C did not finish, or was misread:\n" + "\n".join(text.splitlines()[-15:]))
    return Result(proved, missing, log, table)


def findings(result, name):
    """What is not proved of a function: goals, and where they lie in the woven rooms."""
    lines = ["not proved: " + goal for goal in result.open[name]]
    with open(result.csv, encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["function"] == name and row["status"] in ("Unknown", "Invalid") and row["property kind"] != "precondition":
                lines.append("%s line %s, %s: %s" % (row["file"], row["line"], row["property kind"], row["property"]))
    return lines[:20] + ["in " + os.path.dirname(result.log)]


def whole(folder, machine, names, options):
    """A goal is tried as one."""
    return frama_c(folder, machine, names, machine, ["-wp-timeout", "3", *options])


def in_cases(folder, machine, names, functions, options):
    """What is too much as one goal is tried case by case."""
    return frama_c(folder, machine, names, machine + " in cases",
                   ["-wp-split", "-wp-timeout", "10", "-wp-fct", ",".join(functions), *options])


def prove(folder, machine, names, cases):
    """Answers the result of each function, and which of them needed cases."""
    first = whole(folder, machine, names, SMOKE.get(machine, []) + ["-wp-skip-fct", ",".join(cases)])
    results = {name: first for name in {**first.proved, **first.open}}
    results["lemmas"] = frama_c(folder, machine, names, machine + " lemmas", ["-wp-timeout", "3", "-wp-prop", "@lemma"])
    cases = cases + [name for name in names if name in first.open]
    second = in_cases(folder, machine, names, cases, SMOKE.get(machine, []))
    results.update({name: second for name in cases})
    return results, cases


def seed(work, number, names, cases):
    """Answers the goals of the function of a canary that were proved and that were not."""
    canary = CANARIES[number]
    folder = os.path.join(work, "canary%d" % (number + 1))
    weave_rooms(folder, canary)
    if canary[0] in cases:
        result = in_cases(folder, "64 bits", names, [canary[0]], [])
    else:
        result = whole(folder, "64 bits", names, ["-wp-fct", canary[0]])
    return result.proved[canary[0]], result.open[canary[0]]


def report(good, text, lines=()):
    print(("ok    " if good else "FAIL  ") + text, *("      " + line for line in lines), sep="\n", flush=True)


def main(work):
    shutil.rmtree(os.path.join(work, "woven"), ignore_errors=True)
    folder = os.path.join(work, "woven")
    names, cases = weave_rooms(folder)
    report(True, "each function and loop of %s has its annotation: %d functions" % (", ".join(ROOMS), len(names)))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        proofs = {machine: pool.submit(prove, folder, machine, names, cases) for machine in MACHINES}
        hard = proofs["64 bits"].result()[1]
        seeded = [pool.submit(seed, work, number, names, hard) for number in range(len(CANARIES))]
        proofs = {machine: proof.result() for machine, proof in proofs.items()}
        for name in names + ["lemmas"]:
            results = {machine: results[name] for machine, (results, _) in proofs.items() if name in results}
            lines = [line for result in results.values() if name in result.open for line in findings(result, name)]
            report(results and not lines, name + ": " + (", ".join("%d of %d goals on %s" % (
                len(result.proved[name]), len(result.proved[name]) + len(result.open[name]), machine)
                for machine, result in results.items()) or "no goals"), lines)
        for (name, _, bug), goals in zip(CANARIES, seeded):
            proved, missing = goals.result()
            report(proved and missing, "canary: %s with %s has %d of %d goals that are not proved" % (
                name, bug, len(missing), len(proved) + len(missing)))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (ValueError, RuntimeError) as problem:
        report(False, "the proof", str(problem).splitlines())
