#!/usr/bin/env python3
"""Merges what llvm-cov exported of each judge and prints, for each room, the lines, branches and conditions (MC/DC) that were
reached; then one line a check: ok or FAIL.

    tests/coverage/report.py README.md EXPORT.json...

A branch is one outcome, true or false, of one condition of an if, a loop, ?:, && or ||, or one case of a switch. Judges include
rooms in two ways, alone and joined in iothub_client.h: lines of the joined header are lines of their room again. A branch is
known by its place in the source, so that the same one in C and in C++ is one.
"""
import json
import os
import re
import sys
from collections import defaultdict

sys.path.insert(0, "tools")
import amalgamate                                # noqa: E402

REQUIRED = 98.0                                  # per cent of all branches
EXPANSION = 1                                    # kind of a region that stands for a macro


class Rooms:
    """The sources, and where each line of the joined header comes from."""

    def __init__(self):
        self.lines = {}
        for path in amalgamate.ORDER:
            with open(path, encoding="ascii") as file:
                self.lines[path] = file.read().split("\n")
        self.joined = [None, None]               # there is no line 0, and the first line belongs to no room
        for path in amalgamate.ORDER:
            self.joined += [None, None, None]
            self.joined += [(path, number) for number, line in enumerate(self.lines[path][:-1], 1)
                            if not amalgamate.listed(path, line + "\n")]

    def stale(self):
        with open(amalgamate.OUTPUT, encoding="ascii") as file:
            lines = file.read().split("\n")[:-1]
        return len(lines) != len(self.joined) - 1 or any(
            place and self.lines[place[0]][place[1] - 1] != lines[number]
            for number, place in enumerate(self.joined[1:]))

    def place(self, path, line):
        """(room, line) of a line that a judge saw, or None: not the product's."""
        path = os.path.relpath(os.path.normpath(path))
        if path == amalgamate.OUTPUT:
            return self.joined[line]
        return (path, line) if path in self.lines else None

    def text(self, room, start, end):
        """The source between two (line, column), on one line."""
        lines = self.lines[room][start[0] - 1:end[0]]
        if not lines:
            return ""
        lines[-1] = lines[-1][:end[1] - 1]
        lines[0] = lines[0][start[1] - 1:]
        return re.sub(r"\s+", " ", " ".join(lines)).strip()


def function_name(name):
    """Without the file that clang puts before it, and without C++'s mangling."""
    name = name.split(":")[-1]
    mangled = re.match(r"_ZL?(\d+)", name)
    return name[mangled.end():mangled.end() + int(mangled.group(1))] if mangled else name


class Coverage:
    def __init__(self, rooms):
        self.rooms = rooms
        self.branches = defaultdict(lambda: [0, 0])      # (room, chain of places) -> how often true, how often false
        self.branch_facts = {}                           # the same -> function, text
        self.conditions = {}                             # (room, place, end) -> [shown?]
        self.condition_facts = {}
        self.lines = defaultdict(int)                    # (room, line) -> how often
        self.functions = defaultdict(int)                # (room, function) -> how often

    def read(self, export):
        with open(export) as file:
            data = json.load(file)["data"][0]
        running = defaultdict(set)                       # file -> lines of the functions that this judge runs
        for function in data["functions"]:
            self.read_function(function)
            if function["count"] != 0:
                region = function["regions"][0]
                running[function["filenames"][0]].update(range(region[0], region[2] + 1))
        for file in data["files"]:
            self.read_lines(file, running[file["filename"]])

    def read_lines(self, file, running):
        """As llvm-cov counts them: what enters a line, or goes on in it. Of a function that does not run it knows no more than
        the borders, so these are left to other judges; one that runs nowhere is reported by itself."""
        if self.rooms.place(file["filename"], 1) is None and not file["filename"].endswith(amalgamate.OUTPUT):
            return
        by_line = defaultdict(list)
        for segment in file["segments"]:
            by_line[segment[0]].append(segment)
        wrapped = None
        for line in range(1, max(by_line, default=0) + 1):
            here = by_line.get(line, [])
            entries = [s for s in here if s[3] and s[4] and not s[5]]
            mapped = (wrapped is not None and wrapped[3]) or entries
            if here and not here[0][3] and here[0][4]:
                mapped = False
            if mapped and line in running:
                counts = [s[2] for s in entries] + ([wrapped[2]] if wrapped is not None and wrapped[3] else [])
                place = self.rooms.place(file["filename"], line)
                if place:
                    self.lines[place] += max(counts)
            if here:
                wrapped = here[-1]

    def read_function(self, function):
        files = function["filenames"]
        start = self.rooms.place(files[0], function["regions"][0][0])
        if start is None:
            return
        name = function_name(function["name"])
        self.functions[start[0], name] += function["count"]
        sites = {r[6]: r for r in function["regions"] if r[7] == EXPANSION}

        def chain(file_id, region):
            """The places from the outermost macro's use to the region itself."""
            links = [(file_id, region)]
            while file_id in sites:
                region = sites[file_id]
                file_id = region[5]
                links.insert(0, (file_id, region))
            return [(self.rooms.place(files[f], r[0]), (r[0], r[1]), (r[2], r[3]), files[f]) for f, r in links]

        for branch in function["branches"]:
            links = chain(branch[6], branch)
            if links[-1][0] is None:
                continue                         # a macro of the judge's own, such as its IOTHUB_LOCK
            key = (start[0], tuple((place, begin[1]) for place, begin, _, _ in links))
            self.branches[key][0] += branch[4]
            self.branches[key][1] += branch[5]
            self.branch_facts.setdefault(key, (name, " in ".join(self.text(link) for link in reversed(links))))
        for record in function["mcdc_records"]:
            place = self.rooms.place(files[0], record[0])
            key = (place, record[1], record[2] - record[0], record[3])
            shown = self.conditions.setdefault(key, [False] * len(record[6]))
            self.conditions[key] = [a or b for a, b in zip(shown, record[6])]
            text = self.rooms.text(place[0], (place[1], record[1]), (place[1] + record[2] - record[0], record[3]))
            self.condition_facts.setdefault(key, (start[0], name, text))

    def text(self, link):
        place, begin, end, _ = link
        return self.rooms.text(place[0], (place[1], begin[1]), (place[1] + end[0] - begin[0], end[1]))


def excused(readme):
    """Rows of the table in README.md: room, function, condition, never -> why."""
    rows = {}
    with open(readme, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if len(cells) == 5 and cells[0].startswith("`"):
                room, function, condition, never = (cell.strip("`").replace("\\|", "|") for cell in cells[:4])
                rows[room, function, condition, never] = cells[4]
    return rows


def percent(part, whole):
    return "%5d of %5d %6.1f %%" % (part, whole, 100.0 * part / whole if whole else 100.0)


def main(arguments):
    rooms = Rooms()
    if rooms.stale():
        print("FAIL  coverage: iothub_client.h is not what tools/amalgamate.py writes")
        return 1
    coverage = Coverage(rooms)
    for export in arguments[1:]:
        coverage.read(export)

    print("%-26s %24s %24s %24s" % ("room", "lines", "branches", "conditions (MC/DC)"))
    total = [0] * 6
    for room in amalgamate.ORDER:
        lines = [count for place, count in coverage.lines.items() if place[0] == room]
        branches = [side != 0 for key, sides in coverage.branches.items() if key[0] == room for side in sides]
        conditions = [shown for key, all_shown in coverage.conditions.items() if coverage.condition_facts[key][0] == room for shown in all_shown]
        row = [sum(map(bool, lines)), len(lines), sum(branches), len(branches), sum(conditions), len(conditions)]
        total = [a + b for a, b in zip(total, row)]
        if not any(row):
            continue                             # declarations only
        print("%-26s %24s %24s %24s" % (room, percent(*row[0:2]), percent(*row[2:4]), percent(*row[4:6])))
    print("%-26s %24s %24s %24s" % ("together", percent(*total[0:2]), percent(*total[2:4]), percent(*total[4:6])))

    share = 100.0 * total[2] / total[3]
    print("%s coverage: %.2f %% of %d branches, at least %.0f are required" % ("ok   " if share >= REQUIRED else "FAIL ", share, total[3], REQUIRED))
    never = sorted(key for key, count in coverage.functions.items() if count == 0)
    print("%s coverage: every function runs" % ("ok   " if not never else "FAIL "))
    for room, name in never:
        print("      %s: %s never runs" % (room, name))

    reasons, used, bare = excused(arguments[0]), set(), []
    for key, sides in sorted(coverage.branches.items(), key=lambda item: (amalgamate.ORDER.index(item[0][0]), item[0][1])):
        name, text = coverage.branch_facts[key]
        for side, count in zip(("true", "false"), sides):
            row = (key[0], name, text, side)
            if count == 0 and row in reasons:
                used.add(row)
            elif count == 0:
                bare.append((key[1][0][0][1],) + row)
    print("%s coverage: each untaken branch is taken or has its reason in tests/coverage/README.md" % ("ok   " if not bare else "FAIL "))
    for line, room, name, text, side in bare:
        print("      %s:%d | `%s` | `%s` | `%s` | `%s` |" % (room, line, room, name, text.replace("|", "\\|"), side))
    vain = [row for row in reasons if row not in used]
    print("%s coverage: each of the %d reasons excuses something" % ("ok   " if not vain else "FAIL ", len(reasons)))
    for row in vain:
        print("      not needed: %s: %s: %s never %s" % row)
    print("ok    coverage: %d of %d conditions decide by themselves (MC/DC); the others:" % tuple(total[4:6]))
    for key, shown in sorted(coverage.conditions.items(), key=lambda item: item[0][0]):
        if not all(shown):
            numbers = ", ".join(str(i) for i, one in enumerate(shown, 1) if not one)
            print("      %s:%d: %s: number %s of: %s" % (key[0] + (coverage.condition_facts[key][1], numbers, coverage.condition_facts[key][2])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
