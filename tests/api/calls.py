"""Who calls whom in the implementation, and whether a chain of calls comes back to its beginning.
Direct calls are gcc's own list; whom a call through a pointer reaches is what tests/size/measure.py knows."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "size"))
from measure import NOBODY, PASSED, Sources

from header import run

# Everything that a program can switch on, in one build: a switch guards whole functions, so this build has every call. What a
# later version can switch on comes here, too.
SETTINGS = ["-DIOTHUB_IMPLEMENTATION", "-DIOTHUB_TRANSPORT_MQTT", "-DIOTHUB_WEBSOCKET"]
INDIRECT = "__indirect_call"
NOTHING = "nothing is known to be there"


class Calls:
    def __init__(self, path, folder):
        """Compiles the header at path, in folder."""
        self.sources, self.direct, self.pointers = Sources(path), {}, {}
        unit = os.path.join(folder, "calls")
        # Without optimisation, as each function is written: nothing is inlined, no call is turned into a loop.
        run("gcc", "-x", "c", "-std=gnu99", "-O0", "-w", "-fkeep-static-functions", "-fcallgraph-info", *SETTINGS,
            "-c", path, "-o", unit + ".o")
        with open(unit + ".ci", encoding="utf-8") as file:
            text = file.read()
        edges = re.findall(r'^edge: \{ sourcename: "(?:[^"]*:)?(\w+)" targetname: "(?:[^"]*:)?(\w+)"(?: label: "[^"]*:(\d+):\d+")?', text, re.M)
        for caller, called, line in edges:
            if called == INDIRECT:
                self.pointers.setdefault(caller, set()).add(int(line))
            else:
                self.direct.setdefault(caller, set()).add(called)
        self.functions = sorted(set(self.direct) | set(self.pointers))
        self.known, self.path, self.faults = set(), [], set()

    def count(self):
        """(functions that call something, direct calls, lines with a call through a pointer)"""
        return len(self.functions), sum(map(len, self.direct.values())), sum(map(len, self.pointers.values()))

    def through_pointers(self, function, passed):
        """Whom a function calls through pointers; passed: the functions that its callers gave it to call."""
        reached = set()
        for number in self.pointers.get(function, ()):
            found, line = self.sources.pointers(number), self.sources.lines[number].strip()
            if not found:
                self.faults.add("%s calls through an unknown pointer (see POINTERS in tests/size/measure.py): %s" % (function, line))
            for name, functions in found:
                functions = passed if functions is PASSED else functions
                reached.update(functions)
                if not functions and functions is not NOBODY:
                    self.faults.add("%s calls %s, and %s: %s" % (function, name, NOTHING, line))
        return reached

    def visit(self, function, passed):
        """Goes down all chains below a function. With other functions to call a function does another job, so only the same
        job again is a recursion."""
        passed = frozenset(self.sources.passed_by(function)) or passed
        job = (function, passed)
        if job in self.path:
            chain = [name for name, _ in self.path[self.path.index(job):] + [job]]
            self.faults.add("recursion: " + " > ".join(chain))
            return
        if job in self.known:
            return
        self.path.append(job)
        for called in sorted(self.direct.get(function, set()) | self.through_pointers(function, passed)):
            self.visit(called, passed)
        self.path.pop()
        self.known.add(job)

    def recursion(self):
        """What is wrong: chains that come back, pointers that may lead anywhere."""
        public = [function for function in self.functions if not function.startswith("iothubi_")]
        for function in public:
            self.visit(function, frozenset())
        faults = set(self.faults)
        # What no public function reaches: not used yet, so nobody passes it functions to call.
        for function in sorted(set(self.functions) - {name for name, _ in self.known}):
            self.visit(function, frozenset())
        return sorted(faults | {fault for fault in self.faults if NOTHING not in fault})
