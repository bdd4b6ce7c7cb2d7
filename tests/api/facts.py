"""What azure-iot-sdk-c declares (the tables of this folder), held against a header, with the exceptions of tools/api_exceptions.tsv."""
import os
import re
from collections import namedtuple
from fnmatch import fnmatchcase

from pycparser import c_ast

from header import ATOMS, Failure, parse

HERE = os.path.dirname(os.path.abspath(__file__))
EXCEPTIONS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "tools", "api_exceptions.tsv")

# kind: of the rows of types.tsv, "function" or "option". name: of function, type or macro; part: value or member.
# declared: a function's return and parameter types, a member's declaration, the number of a value, the text of a macro.
# rule: why nobody needs to have this ("": it is needed).
Fact = namedtuple("Fact", "kind header name part declared rule")
Exemption = namedtuple("Exemption", "kind pattern fault comes_with reason")
# fault: "missing" or "differs". text: the sentence for it.
Finding = namedtuple("Finding", "fact fault text")

RULES = {"internal": "for the SDK's own sources", "deprecated": "deprecated there", "guard": "macros that only guard a declaration",
         "no macro": "options without a macro: they go to the port by their string"}
KINDS = {"enum": "type", "enum_value": "type", "struct": "type", "member": "type", "typedef": "type", "callback": "type"}
FAULTS = ["missing", "differs"]


def rows(path, columns):
    """The lines of a table, comments left out."""
    with open(path, encoding="utf-8") as file:
        lines = [(number, line.rstrip("\n").split("\t")) for number, line in enumerate(file, 1) if line.strip() and not line.startswith("#")]
    for number, cells in lines:
        if len(cells) != columns:
            raise Failure("%s:%d has %d columns, not %d" % (path, number, len(cells), columns))
    return [cells for _, cells in lines]


def read_facts():
    facts = [Fact("function", header, name, "", (result, parameters), rule)
             for header, name, result, parameters, rule in rows(os.path.join(HERE, "api.tsv"), 5)]
    for kind, header, name, detail, value, rule in rows(os.path.join(HERE, "types.tsv"), 6):
        part = {"enum_value": detail, "member": (re.findall(r"\w+", detail) or [""])[-1]}.get(kind, "")
        facts.append(Fact(kind, header, name, part, value if kind in ("enum_value", "constant") else detail, rule))
    for name, text, rule in rows(os.path.join(HERE, "options.tsv"), 3):
        facts.append(Fact("option", "options", name, "", '"%s"' % text, rule))
    unknown = {fact.rule for fact in facts if fact.rule} - set(RULES)
    if unknown:
        raise Failure("a table of tests/api names a rule that does not exist: %s" % ", ".join(sorted(unknown)))
    return facts


def read_exceptions(path=EXCEPTIONS):
    return [Exemption(*cells) for cells in rows(path, 5)]


def full_name(fact):
    return "%s.%s" % (fact.name, fact.part) if fact.part else fact.name


# ---- the SDK's declarations as types ----

def is_constant_of_types(name):
    return re.fullmatch(r"[A-Z][A-Z0-9_]+|\w+_t|bool", name) is not None


def parsed(facts):
    """{fact: its declaration as pycparser sees it} of all functions, callbacks and members."""
    texts = {}
    for fact in facts:
        if fact.kind == "function":
            texts[fact] = "%s it(%s);" % fact.declared
        elif fact.kind == "callback":
            texts[fact] = fact.declared.replace("(*)", "(*it)", 1) + ";"
        elif fact.kind == "member":
            texts[fact] = "struct { %s; } it;" % fact.declared
        elif fact.kind == "typedef":
            texts[fact] = "%s it;" % fact.declared
    tags = set(re.findall(r"\bstruct (\w+)", " ".join(texts.values())))
    names = {name for text in texts.values() for name in re.findall(r"\w+", text) if is_constant_of_types(name)} - tags
    preamble = ["typedef int %s;" % name for name in sorted(names | ATOMS)]
    nodes = parse("\n".join(preamble + list(texts.values())), "tests/api")[len(preamble):]
    return {fact: node.type.type.decls[0] if fact.kind == "member" else node for fact, node in zip(texts, nodes)}


# ---- comparing ----

class Comparison:
    """findings: what the header lacks or has in another form, and no rule or exception covers."""

    def __init__(self, header, facts, exceptions):
        self.header, self.facts, self.exceptions = header, facts, exceptions
        self.declared = parsed(facts)
        self.typedefs = {fact.name: fact for fact in facts if fact.kind == "typedef"}
        found = {fact: self.judge(fact) for fact in facts if not fact.rule}
        # A rule says that nobody needs it; what is there all the same must be right.
        for fact in (fact for fact in facts if fact.rule in ("internal", "deprecated")):
            finding = self.judge(fact)
            if finding and finding.fault == "differs":
                found[fact] = finding
        self.left_out = [fact for fact in facts if fact.rule and fact not in found]
        self.exempted = {fact: exception for fact in found for exception in exceptions if self.covers(exception, fact, found[fact])}
        self.findings = [finding for fact, finding in found.items() if finding and fact not in self.exempted]
        self.agreed = [fact for fact, finding in found.items() if finding is None]
        self.faults = self.exceptions_at_fault(found) + self.handles()

    # ---- exceptions ----

    @staticmethod
    def matches(exception, fact):
        name = full_name(fact) if "." in exception.pattern else fact.name
        return exception.kind == KINDS.get(fact.kind, fact.kind) and fnmatchcase(name, exception.pattern)

    def covers(self, exception, fact, finding):
        return finding is not None and finding.fault == exception.fault and self.matches(exception, fact)

    def exceptions_at_fault(self, found):
        """Exceptions that do not say what they should, or that nothing needs."""
        faults = []
        for exception in self.exceptions:
            title = "exception %s %s" % (exception.kind, exception.pattern)
            if not exception.reason.strip() or not exception.comes_with.strip():
                faults.append("%s: it must say what brings it, or never, and why" % title)
            if exception.fault not in FAULTS or exception.kind not in {"function", "type", "constant", "option"}:
                faults.append("%s: the kind or the fault is none that exists" % title)
            matched = [fact for fact in found if self.matches(exception, fact)]
            needless = [full_name(fact) for fact in matched if not self.covers(exception, fact, found[fact])]
            if not matched:
                faults.append("%s: no such thing is needed" % title)
            elif needless:
                faults.append("%s: no longer %s: %s" % (title, exception.fault, ", ".join(needless[:4] + ["..."] * (len(needless) > 4))))
        return faults

    # ---- one fact ----

    def judge(self, fact):
        """A finding, or None when the header agrees."""
        finding = getattr(self, "judge_" + fact.kind)(fact)
        return finding and Finding(fact, *finding)

    def judge_function(self, fact):
        target = self.header.target(fact.name)
        if target is None:
            return "missing", "there is no function %s" % fact.name
        ours, theirs = self.header.functions[target], self.declared[fact].type
        faults = self.different(ours, theirs)
        return ("differs", "%s: %s" % (fact.name, "; ".join(faults))) if faults else None

    def different(self, ours, theirs):
        """Sentences about two function types."""
        faults, spell = [], self.header.spell
        if spell(ours.type) != spell(theirs.type):
            faults.append("it returns `%s`, the SDK has `%s`" % (spell(ours.type, False), spell(theirs.type, False)))
        mine, others = self.header.parameters(ours), self.header.parameters(theirs)
        names = list(zip(self.header.parameters(ours, False), self.header.parameters(theirs, False)))
        if len(mine) != len(others):
            return faults + ["it has %d parameters, the SDK %d" % (len(mine), len(others))]
        for at, (one, other) in enumerate(zip(mine, others)):
            if one != other:
                faults.append("parameter %d is `%s`, the SDK has `%s`" % ((at + 1,) + names[at]))
        return faults

    def judge_enum(self, fact):
        return None if self.header.values(fact.name) is not None else ("missing", "there is no enum %s" % fact.name)

    def judge_enum_value(self, fact):
        values = self.header.values(fact.name)
        if values is None:
            return self.judge_enum(fact)
        if fact.part not in values:
            return "missing", "enum %s has no %s" % (fact.name, fact.part)
        number = values[fact.part]
        return None if number == int(fact.declared) else ("differs", "%s is %d, the SDK has %s" % (fact.part, number, fact.declared))

    def members_of(self, name):
        return [fact.part for fact in self.facts if fact.kind == "member" and fact.name == name]

    def judge_struct(self, fact):
        members = self.header.members(fact.name)
        if members is None:
            return "missing", "there is no struct %s" % fact.name
        more = [name for name, _ in members if name not in self.members_of(fact.name)]
        return ("differs", "struct %s has more members than the SDK's: %s" % (fact.name, ", ".join(more))) if more else None

    def judge_member(self, fact):
        members = self.header.members(fact.name)
        if members is None:
            return self.judge_struct(fact)
        names = [name for name, _ in members]
        if fact.part not in names:
            return "missing", "struct %s has no member %s" % (fact.name, fact.part)
        at, place = names.index(fact.part), self.members_of(fact.name).index(fact.part)
        if at != place:
            return "differs", "%s.%s is member %d, the SDK has it as %d" % (fact.name, fact.part, at + 1, place + 1)
        ours, theirs = members[at][1], self.declared[fact]
        if self.header.spell(ours) != self.header.spell(theirs):
            return "differs", "%s.%s is `%s`, the SDK has `%s`" % (fact.name, fact.part, self.header.spell(ours, False), self.header.spell(theirs, False))
        return None

    def judge_callback(self, fact):
        if fact.name not in self.header.types:
            return "missing", "there is no callback type %s" % fact.name
        ours, theirs = self.header.types[fact.name], self.declared[fact].type
        while not isinstance(ours, c_ast.PtrDecl) and isinstance(ours.type, c_ast.IdentifierType) and ours.type.names[0] in self.header.types:
            ours = self.header.types[ours.type.names[0]]      # one callback type may be the second name of another
        if not isinstance(ours, c_ast.PtrDecl) or not isinstance(ours.type, c_ast.FuncDecl):
            return "differs", "%s is no pointer to a function" % fact.name
        faults = self.different(ours.type, theirs.type)
        return ("differs", "%s: %s" % (fact.name, "; ".join(faults))) if faults else None

    def shape(self, name):
        """The SDK's type behind a typedef, without the names of private structs: those are ours to choose."""
        node = self.declared[self.typedefs[name]].type
        text = self.header.spell(node, False)
        return self.shape(text) if text in self.typedefs else re.sub(r"struct \w+", "struct", text)

    def judge_typedef(self, fact):
        if fact.name not in self.header.types:
            return "missing", "there is no type %s" % fact.name
        ours, theirs = self.header.spell(self.header.types[fact.name]), self.shape(fact.name)
        if re.sub(r"struct \w+", "struct", ours) == theirs:
            return None
        return "differs", "%s is `%s`, the SDK has `%s`" % (fact.name, ours, theirs)

    def judge_constant(self, fact):
        name, _, parameters = fact.name.partition("(")
        if name not in self.header.macros:
            return "missing", "there is no macro %s" % name
        if fact.declared == "macro":
            wanted = len(parameters.split(",")) if parameters else 0
            given = len(self.header.macros[name][0] or [])
            return None if wanted == given else ("differs", "%s takes %d arguments, the SDK's %d" % (name, given, wanted))
        return self.judge_text(name, fact.declared)

    def judge_option(self, fact):
        if fact.name not in self.header.macros:
            return "missing", "there is no %s %s" % (fact.name, fact.declared)
        return self.judge_text(fact.name, fact.declared)

    def judge_text(self, name, wanted):
        text = self.header.constant(name)
        return None if text == wanted else ("differs", "%s is %s, the SDK has %s" % (name, text, wanted))

    # ---- handles: design, section 3 ----

    def handles(self):
        """Device and module handles are distinct types, and each is the same type as its _LL_ handle."""
        types = {}
        for name in ("DEVICE_CLIENT", "DEVICE_CLIENT_LL", "MODULE_CLIENT", "MODULE_CLIENT_LL"):
            handle = "IOTHUB_%s_HANDLE" % name
            types[name] = self.header.spell(self.header.types[handle]) if handle in self.header.types else handle
        faults = ["IOTHUB_%s_HANDLE and its _LL_ handle are different types" % name for name in ("DEVICE_CLIENT", "MODULE_CLIENT")
                  if types[name] != types[name + "_LL"]]
        return faults + (["device and module handles are one type"] if types["DEVICE_CLIENT"] == types["MODULE_CLIENT"] else [])
