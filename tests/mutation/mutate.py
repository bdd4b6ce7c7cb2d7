#!/usr/bin/env python3
"""Changes the implementation one small edit at a time, and lets the tests judge: a mutant that no test minds shows a test
that is missing, or code that does nothing.

    tests/mutation/mutate.py BUILD_FOLDER [--share N] [--workers W]     the mutants of a fixed share, one in N (1: all)
                                          --all                         all of them
                                          --room NAME                   those of one room (bytes, text, ..., client, api)
                                          --id X                        those whose id starts with X
                                          --again                       those that survived the last run in BUILD_FOLDER
                                          --trust                       what survivors.tsv lists counts as survived, unasked
                                          --judges vectors,unit,sim,checked    only these (checked: under sanitizers)
                                          --thorough                    more of the simulation
                                          --list                        only says which there are

Survivors must stand in tests/mutation/survivors.tsv, each with a judgement. README.md here says what counts.
"""
import argparse
import collections
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SCORE_MINIMUM = 90.0
NOT_MUTATED = ("manual", "config", "names",      # declarations and names
               # new, and left out of these builds for now: their unit tests, lives and fuzz targets judge them
               "topic", "mailbox", "twin", "methods", "receive", "receive_messages", "receive_twin", "receive_methods", "api_features",
               "base64", "head", "proxy", "sha1", "websocket")
# Rooms that were changed since: their survivors count in the score and are listed, but are not all judged one by one.
NOT_JUDGED = ("error", "identity", "outbox", "session", "transport", "hub", "client", "api")

# ---- what may be edited: the tokens of a room's functions ----

TOKEN = re.compile(r"""
      (?P<skip>   /\*.*?\*/ | //[^\n]* | ^[ \t]*\#(?:[^\n]*\\\n)*[^\n]* )
    | (?P<string> "(?:\\.|[^"\\])*" )
    | (?P<char>   '(?:\\.|[^'\\])+' )
    | (?P<number> 0[xX][0-9a-fA-F]+[uUlL]* | [0-9]+[uUlL]* )
    | (?P<name>   [A-Za-z_]\w* )
    | (?P<blank>  \s+ )
    | (?P<mark>   <<= | >>= | -> | \+\+ | -- | << | >> | <= | >= | == | != | && | \|\| | [-+*/%&|^]= | . )
    """, re.VERBOSE | re.DOTALL | re.MULTILINE)

Token = collections.namedtuple("Token", "kind text start end")
Edit = collections.namedtuple("Edit", "operator start end text")
Mutant = collections.namedtuple("Mutant", "id room path function line source edit")

OPENING = {"(": ")", "[": "]", "{": "}"}

SWAPS = {
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
    "&&": ["||"], "||": ["&&"], "++": ["--"], "--": ["++"],
    "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="], "|=": ["&="], "&=": ["|="], "^=": ["|="], "<<=": [">>="], ">>=": ["<<="],
}
# These stand alone between blanks when they have two operands: so the house writes.
BINARY = {"+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"], "&": ["|"], "|": ["&"], "^": ["|"], "<<": [">>"], ">>": ["<<"]}
WORDS = {
    "<": "less", "<=": "not-more", ">": "more", ">=": "not-less", "==": "equal", "!=": "unequal", "&&": "and", "||": "or", "++": "up",
    "--": "down", "+=": "add", "-=": "subtract", "*=": "multiply", "/=": "divide", "|=": "set", "&=": "mask", "^=": "flip", "<<=": "shift-left",
    ">>=": "shift-right", "+": "plus", "-": "minus", "*": "times", "/": "by", "%": "modulo", "&": "and-bits", "|": "or-bits", "^": "xor-bits",
    "<<": "left", ">>": "right",
}

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")

SILENT = {"IOTHUB_LOG", "IOTHUBI_TRACE", "IOTHUBI_CHECK"}    # their statements are left alone


def tokens_of(text):
    found = []
    for match in TOKEN.finditer(text):
        if match.lastgroup not in ("skip", "blank"):
            found.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
    return found


def partner(tokens, at):
    """The index of the bracket that closes the one at this index."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i].kind == "mark":
            depth += tokens[i].text in OPENING
            depth -= tokens[i].text in OPENING.values()
            if depth == 0:
                return i
    raise ValueError("a bracket is not closed")


def functions_of(tokens):
    """(name, first token of the body, its closing brace) of each function."""
    i = 0
    while i < len(tokens):
        if tokens[i].text == "{":
            end = partner(tokens, i)
            if tokens[i - 1].text == ")":
                depth, name = 0, i - 1
                while True:
                    depth += {")": 1, "(": -1}.get(tokens[name].text, 0)
                    if depth == 0:
                        break
                    name -= 1
                yield tokens[name - 1].text, i + 1, end
            i = end
        elif tokens[i].text == "(":
            i = partner(tokens, i)
        i += 1


class Function:
    """Finds the edits of one function's body."""

    def __init__(self, text, tokens, start, end):
        self.text, self.tokens, self.start, self.end = text, tokens, start, end
        self.edits = []

    def add(self, operator, first, last, new):
        self.edits.append(Edit(operator, self.tokens[first].start, self.tokens[last].end, new))

    def between(self, first, last):
        return self.text[self.tokens[first].start:self.tokens[last].end]

    def collect(self):
        self.returned = []
        for i in range(self.start, self.end):
            if self.tokens[i].text == "return" and self.tokens[i + 1].kind == "name" and self.tokens[i + 2].text == ";":
                name = self.tokens[i + 1].text
                if name.isupper() and name not in self.returned:
                    self.returned.append(name)
        self.block(self.start, self.end)
        return sorted(self.edits, key=lambda edit: (edit.start, edit.operator))

    def block(self, at, end):
        while at < end:
            at = self.statement(at)

    def statement(self, at):
        """Looks at the statement that starts here; answers where the next one starts."""
        tokens, word = self.tokens, self.tokens[at].text
        if word == "{":
            close = partner(tokens, at)
            self.block(at + 1, close)
            return close + 1
        if word in ("if", "while", "switch", "for"):
            close = partner(tokens, at + 1)
            if word in ("if", "while") and tokens[close + 1].text != ";" and not self.is_comparison(at + 2, close):
                self.add("negate", at + 2, close - 1, "!(%s)" % self.between(at + 2, close - 1))
            self.expressions(at + 2, close)
            return close + 1
        if word in ("else", "do"):
            return at + 1
        if word in ("case", "default"):
            while tokens[at].text != ":":
                at += 1
            return at + 1
        last = at
        while tokens[last].text != ";":
            last = partner(tokens, last) + 1 if tokens[last].text in OPENING else last + 1
        if word in SILENT:
            return last + 1
        if word in ("break", "continue") or (word == "return" and last == at + 1):
            self.add("delete-" + word, at, last, ";")
        elif word == "return":
            if last == at + 2 and tokens[at + 1].text in self.returned and len(self.returned) > 1:
                other = self.returned[(self.returned.index(tokens[at + 1].text) + 1) % len(self.returned)]
                self.add("return-other", at + 1, at + 1, other)
        elif not self.declares(at) and self.between(at, at + 2) != "(void)" and last > at:
            self.add("delete", at, last, ";")
        self.expressions(at, last)
        return last + 1

    def declares(self, at):
        """Whether a declaration starts here: two names, or a name and a pointer to it."""
        one, two, three = self.tokens[at:at + 3]
        return one.kind == "name" and (two.kind == "name" or two.text == "*" and two.end == three.start and two.start != one.end)

    def is_comparison(self, at, end):
        """Of two values: what negates it is among the operators' edits."""
        marks = [token.text for token in self.tokens[at:end]]
        return sum(mark in COMPARISONS for mark in marks) == 1 and not {"&&", "||", "?"} & set(marks)

    def expressions(self, at, end):
        declared = self.declares(at)
        for i in range(at, end):
            token, before = self.tokens[i], self.tokens[i - 1]
            if token.kind == "number":
                self.number(i, declared)
            elif token.kind == "char":
                if token.text[1] != "\\":
                    self.add("constant", i, i, "'%s'" % chr(ord(token.text[1]) + 1))
            elif token.text == "?":
                self.ternary(i)
            elif token.text == "!":
                alone = before.text == "(" and self.tokens[i - 2].text in ("if", "while") and not any(
                    t.text in ("&&", "||") for t in self.tokens[i:partner(self.tokens, i - 1)])
                if not alone:                    # that is what negating the condition makes
                    self.add("not", i, i, "")
            elif token.kind == "mark" and token.text in SWAPS:
                for new in SWAPS[token.text]:
                    self.add("%s:%s" % (WORDS[token.text], WORDS[new]), i, i, new)
            elif token.kind == "mark" and token.text in BINARY and self.text[token.start - 1].isspace() and self.text[token.end].isspace():
                for new in BINARY[token.text]:
                    self.add("%s:%s" % (WORDS[token.text], WORDS[new]), i, i, new)

    def number(self, i, declared):
        token, before, behind = self.tokens[i], self.tokens[i - 1], self.tokens[i + 1]
        digits = token.text.rstrip("uUlL")
        value, suffix = int(digits, 0), token.text[len(digits):]
        if declared and before.text == "[":      # the size of an array
            return
        ahead = self.tokens[i - 2]
        negative = before.text == "-" and (ahead.text == "return" or ahead.kind == "mark" and ahead.text not in (")", "]"))
        form = "0x%X%s" if digits[:2] in ("0x", "0X") else "%d%s"
        if value in (0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF):
            self.add("constant-less", i, i, form % (value - 1, suffix))
        elif negative or value == 1 and behind.text == ";" and before.text in ("=", "return"):
            self.add("constant-zero", i, i, "0" + suffix)    # 2 is as true as 1
        else:
            self.add("constant", i, i, form % (value + 1, suffix))

    def ternary(self, i):
        tokens, depth, colon = self.tokens, 1, i
        while depth:                             # the colon of this question mark
            colon = partner(tokens, colon) + 1 if tokens[colon].text in OPENING else colon + 1
            depth += {"?": 1, ":": -1}.get(tokens[colon].text, 0)
        end = colon + 1
        while tokens[end].text not in (";", ",", ")", "]", "}"):
            end = partner(tokens, end) + 1 if tokens[end].text in OPENING else end + 1
        start, depth = i, 0
        while depth >= 0 and tokens[start - 1].text not in (";", "{", "}", ",", ":", "?", "=", "return"):
            start -= 1
            depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(tokens[start].text, 0)
        if self.is_comparison(start + (depth < 0), i):
            return
        yes, no = self.between(i + 1, colon - 1), self.between(colon + 1, end - 1)
        self.add("swap", i + 1, end - 1, "(%s) : (%s)" % (no, yes))


def mutants_of(room, path, text):
    tokens = tokens_of(text)
    found = []
    for name, start, end in functions_of(tokens):
        seen = collections.Counter()
        for edit in Function(text, tokens, start, end).collect():
            first = text.rfind("\n", 0, edit.start) + 1
            source = " ".join(text[first:text.index("\n", edit.start)].split())
            seen[edit.operator, source] += 1
            mark = hashlib.sha1(source.encode()).hexdigest()[:6]
            key = "%s.%s.%s.%s.%d" % (room, name, edit.operator, mark, seen[edit.operator, source])
            found.append(Mutant(key, room, path, name, text.count("\n", 0, edit.start) + 1, source, edit))
    return found


def in_share(mutant, share):
    return int(hashlib.sha1(mutant.id.encode()).hexdigest()[:8], 16) % share == 0


# ---- many mutants in one program ----
#
# A judge is compiled once for all mutants: each function that has some stands there once as it is and once a mutant, behind
# a switch over iothubi_mutant, which every run of the program sets.

FUNCTION = re.compile(r"^(IOTHUBI_PRIVATE|IOTHUBI_APART|IOTHUB_DEF)\s", re.MULTILINE)
DECLARED = """
#ifdef __cplusplus
extern "C" int iothubi_mutant;
#else
extern int iothubi_mutant;
#endif
"""
CHOSEN = """
#include <stdlib.h>
#include <sys/resource.h>
int iothubi_mutant;
static void limit(int what, const char *name, unsigned long unit)
{
    const char *text = getenv(name);
    struct rlimit value;
    if (text != NULL) {
        value.rlim_cur = value.rlim_max = (rlim_t)atoi(text) * unit;
        setrlimit(what, &value);
    }
}
__attribute__((constructor)) static void choose(void)
{
    const char *text = getenv("MUTANT");
    iothubi_mutant = text != NULL ? atoi(text) : 0;
    limit(RLIMIT_CPU, "LIMIT_S", 1);
    limit(RLIMIT_AS, "LIMIT_MB", 1ul << 20);
    limit(RLIMIT_CORE, "LIMIT_CORE", 1);
}
"""


def with_mutants(text, mutants, numbers):
    """A room's text with these of its mutants in it."""
    if not mutants:
        return text
    tokens, out, done = tokens_of(text), [], 0
    for name, first, last in functions_of(tokens):
        here = [mutant for mutant in mutants if mutant.function == name]
        if not here:
            continue
        body, end = tokens[first - 1].start, tokens[last].end
        head = [match for match in FUNCTION.finditer(text, 0, body)][-1]
        kind = text[head.end():body].split(name + "(")[0].strip()
        parameters = text[head.end():body].split(name + "(", 1)[1].rsplit(")", 1)[0]
        passed = "" if parameters.strip() == "void" else ", ".join(re.findall(r"\w+", part)[-1] for part in parameters.split(","))

        def copied(number, source):
            return '#line 1 "mutant%d"\nIOTHUBI_APART %s %s_m%d(%s)\n%s\n' % (number, kind, name, number, parameters, source)

        def called(number):
            return "%s%s_m%d(%s);%s" % ("" if kind == "void" else "return ", name, number, passed, " break;" if kind == "void" else "")

        out += [text[done:head.start()], copied(0, text[body:end])]
        for mutant in here:
            edit = mutant.edit
            out.append(copied(numbers[mutant.id], text[body:edit.start] + edit.text + text[edit.end:end]))
        out += ["%s{\n    switch (iothubi_mutant) {\n" % text[head.start():body]]
        out += ["    case %d: %s\n" % (numbers[mutant.id], called(numbers[mutant.id])) for mutant in here]
        out += ["    default: %s\n    }\n}\n" % called(0)]
        done = end
    changed = "".join(out) + text[done:]
    guard = re.search(r"^#if defined\(IOTHUB_IMPLEMENTATION\).*\n#define.*\n", changed, re.MULTILINE)
    return changed[:guard.end()] + DECLARED + changed[guard.end():]


# ---- the judges ----

SIM_ROOMS = sorted(name[:-2] for name in os.listdir(os.path.join(ROOT, "tests", "sim")) if name.endswith(".c") and name != "device.c")
SIM_SLOW_CASES = ("FI-24", "FI-26", "FI-29")     # more than a second each, most cases take a hundredth
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

# What some judges cannot see: they look at these rooms only.
SEES = {
    "vectors bytes": "bytes", "unit bytes": "bytes", "vectors clock": "clock", "unit small_rooms": "clock error",
    "vectors text": "bytes text", "unit text": "bytes text", "vectors outbox": "bytes text outbox", "unit outbox": "bytes text outbox",
    "vectors retry": "retry", "unit retry": "retry", "vectors mqtt_codec": "bytes codec", "unit mqtt_codec": "bytes codec",
    "vectors identity": "bytes text identity", "unit identity": "bytes text identity",
    "vectors message": "bytes text error message", "unit message": "bytes text error message",
    "vectors json": "bytes text json", "unit json": "bytes text json",
    "vectors properties": "bytes text json error message properties", "unit properties": "bytes text json error message properties",
}


def run(command, folder, limit_s=900, settings={}):
    """(exit code, output) of a command."""
    environment = dict(os.environ, LC_ALL="C", **settings)
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              errors="replace", timeout=limit_s)
    except subprocess.TimeoutExpired:
        return -1, "timeout"
    return done.returncode, done.stdout


class Judge:
    """A program that passes with the product as it is, and is asked about mutants."""

    def __init__(self, snapshot, name):
        self.snapshot, self.name, self.limit_s = snapshot, name, 60
        self.kind, self.subject = name.split(",")[0].split(" ", 1)
        self.checked = name.endswith(", checked")    # under AddressSanitizer and UBSan
        self.tree = os.path.join(snapshot.build, re.sub(r"\W+", "_", name))

    def sees(self, mutant):
        return mutant.room in SEES.get(self.name.split(",")[0], mutant.room).split()

    def command(self):
        objects, flags = self.snapshot.objects, ["-I.", "-w"] + (SANITIZERS if self.checked else [])
        if self.kind == "vectors":
            return ["gcc", "-std=c89", "-O0", "-Itests/vectors"] + flags + ["tests/vectors/%s.c" % self.subject, objects["vectors main"], objects["chosen"]]
        if self.kind == "sim":
            return (["gcc", "-std=gnu99", "-O1", "-Itests/sim"] + flags + ["tests/sim/device.c"]
                    + [objects["sim " + room] for room in SIM_ROOMS] + [objects["chosen"]])
        prefix = [] if self.checked else ["-include", objects["prefix"]]
        return ["g++", "-std=c++11", "-O0"] + prefix + flags + ["tests/unit/%s_test.cpp" % self.subject, objects["catch"], objects["chosen"], "-lbearssl"]

    def build(self, mutants):
        """Answers why it cannot judge, or nothing."""
        self.snapshot.write_tree(self.tree, [mutant for mutant in mutants if self.sees(mutant)])
        code, said = run(self.command() + ["-o", "judge"], self.tree)
        if code == 0:
            before = os.times()
            code, said = self.ask(0)
            after = os.times()
            self.limit_s = int(after.children_user - before.children_user) * 3 + 2
        return said if code != 0 else None

    def ask(self, number):
        commands = [["./judge", "-a"]]
        if self.kind == "vectors":
            commands = [["./judge"]]
        elif self.kind == "sim":
            commands = {
                "seeds": [["./judge", "--seeds", "300", "--stop", "--no-table"]],
                "more seeds": [["./judge", "--seeds", "500", "--from", "301", "--stop", "--no-table"]],
                "cases": [["./judge", "--case", name, "--tick", "0"] for name in self.snapshot.cases if name not in SIM_SLOW_CASES],
                "all cases": [["./judge", "--case", name, "--tick", "0xFFFFF000"] for name in self.snapshot.cases],
            }[self.subject]
        settings = {"MUTANT": str(number), "LIMIT_S": str(self.limit_s), "LIMIT_CORE": "0", "ASAN_OPTIONS": "detect_leaks=0:hard_rss_limit_mb=1000"}
        if not self.checked:                     # a mutant may loop for ever, and grow
            settings["LIMIT_MB"] = "1500"
        for command in commands:
            code, said = run(command, self.tree, self.limit_s * 8 + 10, settings)
            if code != 0:
                return code, said
        return 0, ""


class Snapshot:
    """The sources as they are now, and what no mutant changes, compiled once."""

    def __init__(self, build, thorough):
        self.build = os.path.abspath(build)
        shutil.rmtree(self.build, ignore_errors=True)
        os.makedirs(self.build)
        specification = importlib.util.spec_from_file_location("amalgamate", os.path.join(ROOT, "tools", "amalgamate.py"))
        self.amalgamate = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(self.amalgamate)
        self.rooms = collections.OrderedDict()
        for path in self.amalgamate.ORDER:
            with open(os.path.join(ROOT, path), encoding="ascii") as file:
                self.rooms[os.path.basename(path)[:-2]] = path, file.read()
        self.source = os.path.join(self.build, "source")
        for folder in ("core", "transports", "tests/unit", "tests/sim", "tests/vectors"):
            shutil.copytree(os.path.join(ROOT, folder), os.path.join(self.source, folder))
        with open(os.path.join(ROOT, "tests/sim/cases.c")) as file:
            self.cases = re.findall(r'^    { "(FI-\d+)"', file.read(), re.MULTILINE)
        units = sorted(name[:-9] for name in os.listdir(os.path.join(ROOT, "tests/unit")) if name.endswith("_test.cpp"))
        vectors = sorted(name[:-2] for name in os.listdir(os.path.join(ROOT, "tests/vectors")) if name.endswith(".c") and name != "main.c")
        # In each stage the programs hold only the mutants that the stages before let live.
        self.stages = [["vectors " + name for name in vectors], ["unit " + name for name in units], ["sim seeds", "sim cases"]]
        if thorough:
            self.stages.append(["sim more seeds", "sim all cases"])
        self.stages.append(["unit %s, checked" % name for name in units] + ["sim seeds, checked"])
        self.mutants = [mutant for room, (path, text) in self.rooms.items() if room not in NOT_MUTATED for mutant in mutants_of(room, path, text)]
        self.numbers = {mutant.id: number for number, mutant in enumerate(self.mutants, 1)}

    def write_tree(self, tree, mutants):
        """A checkout whose rooms and header hold these mutants."""
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(self.source, tree)
        header = []
        for room, (path, text) in self.rooms.items():
            text = with_mutants(text, [mutant for mutant in mutants if mutant.room == room], self.numbers)
            with open(os.path.join(tree, path), "w") as file:
                file.write(text)
            header += [line for line in text.splitlines(keepends=True) if not self.amalgamate.listed(path, line)]
        with open(os.path.join(tree, "iothub_client.h"), "w") as file:
            file.write("".join(header))
        with open(os.path.join(tree, "whole.c"), "w") as file:
            file.write("void take(void);\nvoid give(void);\n#define IOTHUB_LOCK() take()\n#define IOTHUB_UNLOCK() give()\n"
                       "#define IOTHUB_IMPLEMENTATION\n#include \"iothub_client.h\"\n")

    def build_once(self):
        self.objects, self.tree = {}, os.path.join(self.build, "once")
        self.write_tree(self.tree, [])
        with open(os.path.join(self.tree, "chosen.c"), "w") as file:
            file.write(CHOSEN)
        with open(os.path.join(self.tree, "prefix.h"), "w") as file:
            file.write("".join("#include <%s>\n" % name for name in (
                "catch2/catch.hpp", "bearssl.h", "deque", "functional", "map", "memory", "set", "string", "vector", "string.h", "sys/mman.h", "unistd.h")))
        c = ["gcc", "-std=gnu99", "-O2", "-w", "-I."]
        steps = [("sim " + room, c + ["-Itests/sim", "-c", "tests/sim/%s.c" % room]) for room in SIM_ROOMS] + [
            ("vectors main", c + ["-Itests/vectors", "-c", "tests/vectors/main.c"]),
            ("chosen", c + ["-c", "chosen.c"]),
            ("catch", ["g++", "-std=c++11", "-O0", "-c", "tests/unit/catch_main.cpp"]),
            ("prefix.h.gch", ["g++", "-std=c++11", "-O0", "-x", "c++-header", "prefix.h"])]
        for name, command in steps:
            self.objects[name] = os.path.join(self.tree, name.replace(" ", "_") + ("" if "." in name else ".o"))
            code, said = run(command + ["-o", self.objects[name]], self.tree)
            if code != 0:
                sys.exit("FAIL  mutation: %s does not build\n%s" % (name, said))
        self.objects["prefix"] = os.path.join(self.tree, "prefix.h")

    def equivalent(self, mutants):
        """The ids of those whose function has the same machine code as the original: they are no mutants."""
        tree, codes = os.path.join(self.build, "equivalence"), {}
        self.write_tree(tree, mutants)
        run(["gcc", "-std=gnu99", "-O2", "-g0", "-w", "-I.", "-fno-ipa-icf", "-fno-ipa-cp", "-fno-ipa-sra", "-fno-partial-inlining",
             "-fno-asynchronous-unwind-tables", "-fno-reorder-blocks-and-partition", "-S", "whole.c", "-o", "whole.s"], tree)
        with open(os.path.join(tree, "whole.s")) as file:
            text = file.read()
        for name, number, code in re.findall(r"^(\w+)_m(\d+):\n(.*?)^\t\.size\t\1_m\2\b", text, re.MULTILINE | re.DOTALL):
            labels = {}
            code = re.sub(r"\.L\w*\d+", lambda match: labels.setdefault(match.group(), ".L%d" % len(labels)), code)
            codes[name, int(number)] = re.sub(r"_m\d+\b|\.\d+\b", "", code)
        code, source = run(["gcc", "-E", "-P", "-I.", "whole.c"], tree)
        compiled = set(re.findall(r"_m(\d+)\(", source))
        found = {mutant.id for mutant in mutants if str(self.numbers[mutant.id]) not in compiled}    # in what this build leaves out
        for mutant in mutants:
            code = codes.get((mutant.function, self.numbers[mutant.id]))
            if code is not None and code == codes.get((mutant.function, 0)):
                found.add(mutant.id)
        return found

    def invalid(self, mutants):
        """The ids of those that the compiler refuses, warnings included; as C and as C++."""
        tree, refused = os.path.join(self.build, "validity"), set()
        strict = ["-Wall", "-Wextra", "-Werror", "-Wno-parentheses", "-Wno-implicit-fallthrough"]
        for command in (["gcc", "-std=gnu99"] + strict, ["g++", "-std=c++11", "-w", "-x", "c++"]):
            self.write_tree(tree, [mutant for mutant in mutants if mutant.id not in refused])
            code, said = run(command + ["-fsyntax-only", "-fmax-errors=0", "-I.", "whole.c"], tree)
            numbers = set(re.findall(r"^mutant(\d+):\d+:\d+: (?:fatal )?error", said, re.MULTILINE))
            numbers |= set(re.findall(r"In function .*_m(\d+)\b", said))
            if code != 0 and not numbers - {"0"}:
                sys.exit("FAIL  mutation: the product with its mutants does not compile\n%s" % said[:3000])
            refused |= {mutant.id for mutant in mutants if str(self.numbers[mutant.id]) in numbers}
        return refused


Outcome = collections.namedtuple("Outcome", "mutant result judge")


def judge_all(snapshot, mutants, options, say, keep):
    """Each mutant's outcome, and the judges that do not pass the product as it is: (name, what they said)."""
    outcomes, unfit, trusted = {}, [], read_judgements() if options.trust else {}

    def settle(ids, result):
        outcomes.update((mutant.id, Outcome(mutant, result, "")) for mutant in mutants if mutant.id in ids)
        return [mutant for mutant in mutants if mutant.id not in outcomes]

    start = time.monotonic()
    refused = snapshot.invalid(mutants)
    alive = settle(refused, "invalid")
    same = snapshot.equivalent(alive)
    alive = settle(same, "equivalent")
    alive = settle({mutant.id for mutant in alive if mutant.id in trusted}, "survived")
    say("      %d of %d mutants do not compile, %d change nothing (%.0f s)" % (len(refused), len(mutants), len(same), time.monotonic() - start))
    with ThreadPoolExecutor(max_workers=options.workers) as pool:
        for stage in snapshot.stages:
            start = time.monotonic()
            judges = [judge for judge in (Judge(snapshot, name) for name in stage)
                      if ("checked" if judge.checked else judge.kind) in options.judges.split(",") and any(judge.sees(mutant) for mutant in alive)]
            if not judges:
                continue
            fit = []
            for judge, said in zip(judges, pool.map(lambda judge: judge.build(alive), judges)):
                if said is None:
                    fit.append(judge)
                else:
                    unfit.append((judge.name, said))
            fit.sort(key=lambda judge: len(SEES.get(judge.name.split(",")[0], "").split()) or 99)    # those that know the room best

            def killer(mutant):
                for judge in fit:
                    if judge.sees(mutant) and judge.ask(snapshot.numbers[mutant.id])[0] != 0:
                        return judge.name
                return None

            built, before = time.monotonic(), len(alive)
            for mutant, by in zip(alive, pool.map(killer, alive)):
                if by:
                    outcomes[mutant.id] = Outcome(mutant, "killed", by)
            alive = settle((), "")
            say("      %-40s %4d of %4d killed (%.0f + %.0f s)" % (
                ", ".join(dict.fromkeys(judge.kind for judge in judges)) + (" under sanitizers" if judges[0].checked else ""),
                before - len(alive), before, built - start, time.monotonic() - built))
            keep([outcomes.get(mutant.id, Outcome(mutant, "survived", "")) for mutant in mutants])
            for judge in judges:
                shutil.rmtree(judge.tree, ignore_errors=True)
    settle({mutant.id for mutant in alive}, "survived")
    return [outcomes[mutant.id] for mutant in mutants], unfit


def described(mutant, text):
    old = " ".join(text[mutant.edit.start:mutant.edit.end].split())
    return "%s:%d: %s  --  %s => %s" % (mutant.path, mutant.line, mutant.source, old, " ".join(mutant.edit.text.split()) or "nothing")


# ---- the command line ----

def read_judgements():
    """id -> judgement, from survivors.tsv."""
    judgements = {}
    path = os.path.join(HERE, "survivors.tsv")
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                fields = line.rstrip("\n").split("\t")
                if len(fields) >= 2 and not line.startswith("#"):
                    judgements[fields[0]] = fields[1]
    return judgements


def report(snapshot, outcomes, known, selected):
    """The lines of a run: one a room, one a survivor, the score. Whether all is well."""
    well = True
    judgements = read_judgements()
    total = collections.Counter()
    for room in snapshot.rooms:
        here = [outcome for outcome in outcomes if outcome.mutant.room == room]
        if not here:
            continue
        sums = collections.Counter()
        for outcome in here:
            judgement = judgements.get(outcome.mutant.id, "")
            sums["equivalent" if outcome.result == "survived" and judgement.startswith("equivalent") else outcome.result] += 1
        total.update(sums)
        print("ok    mutants of %-10s %4d of %4d killed, %d survived; %d equivalent, %d do not compile"
              % (room + ":", sums["killed"], sums["killed"] + sums["survived"], sums["survived"], sums["equivalent"], sums["invalid"]))
    for outcome in outcomes:
        if outcome.result == "survived" and outcome.mutant.id not in judgements:
            new = outcome.mutant.room in NOT_JUDGED
            well = well and new
            print("%s mutant survived, and survivors.tsv does not judge it: %s\n      %s"
                  % ("     " if new else "FAIL ", outcome.mutant.id, described(outcome.mutant, snapshot.rooms[outcome.mutant.room][1])))
        if outcome.result in ("killed", "invalid") and outcome.mutant.id in judgements:
            print("      survivors.tsv lists %s: it is %s now" % (outcome.mutant.id, outcome.result))
    for key in judgements:
        if key not in known:
            print("      survivors.tsv lists %s: there is no such mutant any more" % key)
    judged = total["killed"] + total["survived"]
    score = 100.0 * total["killed"] / judged if judged else 0.0
    good = score >= SCORE_MINIMUM
    print("%s  mutation score %.1f %%: %d of %d killed (%s; %d equivalent, %d do not compile)"
          % ("ok  " if good else "FAIL", score, total["killed"], judged, selected, total["equivalent"], total["invalid"]))
    return well and good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--room")
    parser.add_argument("--id")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--judges", default="vectors,unit,sim,checked")
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    results = os.path.join(options.build, "results.tsv")
    survived = set()
    if options.again:
        with open(results) as file:
            survived = {line.split("\t")[0] for line in file if line.split("\t")[1] == "survived"}
    snapshot = Snapshot(os.path.join(options.build, "snapshot"), options.thorough)
    share = 1 if options.all else options.share
    chosen = [mutant for mutant in snapshot.mutants if in_share(mutant, share) and options.room in (None, mutant.room)
              and (options.id is None or mutant.id.startswith(options.id)) and (not options.again or mutant.id in survived)]
    selected = "%d mutants, one in %d" % (len(chosen), share) if share != 1 else "%d mutants" % len(chosen)
    if options.list:
        for mutant in chosen:
            print("%s\t%s" % (mutant.id, described(mutant, snapshot.rooms[mutant.room][1])))
        print(selected)
        return 0
    snapshot.build_once()

    def keep(outcomes):
        with open(results, "w") as file:
            for outcome in outcomes:
                file.write("%s\t%s\t%s\t%s\n" % (outcome.mutant.id, outcome.result, outcome.judge,
                                                described(outcome.mutant, snapshot.rooms[outcome.mutant.room][1])))

    outcomes, unfit = judge_all(snapshot, chosen, options, lambda line: print(line, flush=True), keep)
    for name, said in unfit:
        print("FAIL  judge '%s' does not pass the product as it is\n      %s" % (name, said.strip()[-600:].replace("\n", "\n      ")), flush=True)
    well = report(snapshot, outcomes, snapshot.numbers, selected) and not unfit
    shutil.rmtree(snapshot.build, ignore_errors=True)
    print("done")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
