"""The public part of iothub_client.h as pycparser and the preprocessor see it: functions, types, macros.
tools/check_api.py compares it with the SDK's declarations."""
import os
import re
import subprocess

from pycparser import c_ast, c_parser
from pycparser.plyparser import ParseError

# What the header includes, cut down to what its declarations use. Their types are taken as they are, by name: size_t is not
# the same as unsigned long, even where it happens to be.
FAKES = {
    "stddef.h": "typedef unsigned long size_t;\n#define NULL ((void *)0)\n",
    "stdint.h": "typedef unsigned char uint8_t;\ntypedef unsigned short uint16_t;\ntypedef unsigned int uint32_t;\n",
    "stdbool.h": "typedef _Bool bool;\n#define true 1\n#define false 0\n",
    "time.h": "typedef long time_t;\n",
    "limits.h": "", "string.h": "",
}
ATOMS = set(re.findall(r"(\w+);", "".join(FAKES.values())))
WHOLE_NAMES = {"unsigned": "unsigned int", "long int": "long", "short int": "short", "signed": "int", "signed int": "int"}


class Failure(Exception):
    """The header, or a table of facts, cannot be read."""


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        raise Failure("\n".join([" ".join(command)] + result.stderr.splitlines()[:5]))
    return result.stdout


def parse(text, what):
    try:
        return c_parser.CParser().parse(text, what).ext
    except ParseError as error:
        raise Failure("pycparser: %s" % error) from None


class Header:
    """functions: name to declaration. types: name of a typedef to what it names. macros: name to (parameters or None, body)."""

    def __init__(self, path, folder):
        """Reads the header at path; folder is for the fakes."""
        for name, text in FAKES.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        command = ["gcc", "-x", "c", "-std=gnu99", "-E", "-nostdinc", "-I" + folder, "-D__attribute__(x)=", "-D__extension__="]
        self.functions, self.types, self.tags = {}, {}, {}
        for node in parse(run(*command, "-P", path), path):
            self.take(node)
        fakes = [part for name in FAKES for part in ("-include", name)]
        before = self.defines(run(*command, "-dM", *fakes, os.devnull))
        self.macros = {name: macro for name, macro in self.defines(run(*command, "-dM", path)).items() if name not in before}

    @staticmethod
    def defines(text):
        found = re.findall(r"^#define (\w+)(?:\(([^)]*)\))?(?: (.*))?$", text, re.M)
        calls = set(re.findall(r"^#define (\w+)\(", text, re.M))
        return {name: (re.split(r",\s*", parameters) if name in calls else None, body.strip()) for name, parameters, body in found}

    def take(self, node):
        """One declaration of the header."""
        if isinstance(node, c_ast.Typedef) and node.name not in ATOMS:
            self.types[node.name] = node.type
        elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            self.functions[node.name] = node.type
        inner = node.type.type if isinstance(node.type, c_ast.TypeDecl) else node.type
        if isinstance(inner, (c_ast.Struct, c_ast.Union, c_ast.Enum)) and inner.name and self.body(inner) is not None:
            self.tags[inner.name] = inner

    @staticmethod
    def body(node):
        return node.values if isinstance(node, c_ast.Enum) else node.decls

    # ---- functions and their second names ----

    def target(self, name):
        """The function that a name stands for, through macros; None when there is none."""
        seen = set()
        while name not in self.functions:
            if name not in self.macros or name in seen:
                return None
            seen.add(name)
            parameters, body = self.macros[name]
            call = re.fullmatch(r"(\w+)\s*\(([^()]*)\)", body)
            if parameters is not None and call and re.split(r",\s*", call.group(2)) == parameters:
                name = call.group(1)             # passes its arguments on as they are
            elif parameters is None:
                name = body
            else:
                return None
        return name

    def second_names(self):
        return sorted(name for name in self.macros if self.target(name))

    def constant(self, name):
        """What an object-like macro stands for in the end, without outer brackets; None when there is no such macro."""
        body = name
        while body in self.macros and self.macros[body][0] is None:
            body = self.macros[body][1]
        body = re.sub(r"\s+", "", body) if '"' not in body else body
        while re.fullmatch(r"\([^()]*\)", body):
            body = body[1:-1]
        return body if name in self.macros else None

    # ---- types ----

    def spell(self, node, resolve=True):
        """A type as text. resolve: typedefs are followed, so that two spellings of one type are the same text."""
        if isinstance(node, (c_ast.Typename, c_ast.Decl)):
            return self.spell(node.type, resolve)
        if isinstance(node, c_ast.TypeDecl):
            return self.qualified(self.spell(node.type, resolve), node.quals)
        if isinstance(node, c_ast.PtrDecl):
            text = self.spell(node.type, resolve)
            if isinstance(node.type, c_ast.FuncDecl):
                return text.replace(" (", " (*)(", 1)
            return self.qualified(text + ("*" if text.endswith("*") else " *"), node.quals)
        if isinstance(node, c_ast.ArrayDecl):
            return "%s[%s]" % (self.spell(node.type, resolve), node.dim.value if isinstance(node.dim, c_ast.Constant) else "")
        if isinstance(node, c_ast.FuncDecl):
            return "%s (%s)" % (self.spell(node.type, resolve), ", ".join(self.parameters(node, resolve)) or "void")
        if isinstance(node, c_ast.IdentifierType):
            return self.named(" ".join(node.names), resolve)
        return self.tagged(node, resolve)

    @staticmethod
    def qualified(text, qualifiers):
        if not qualifiers or text.startswith("const ") and not text.endswith("*"):
            return text
        return text + "const" if text.endswith("*") else "const " + text

    def named(self, name, resolve):
        if resolve and name in self.types:
            return self.spell(self.types[name])
        return WHOLE_NAMES.get(name, name)

    def tagged(self, node, resolve):
        kind = type(node).__name__.lower()
        if node.name:
            return "%s %s" % (kind, node.name)
        if kind == "enum":
            return "enum { %s }" % ", ".join(value.name for value in node.values.enumerators)
        return "%s { %s }" % (kind, " ".join("%s %s;" % (self.spell(member, resolve), member.name) for member in node.decls))

    def parameters(self, function, resolve=True):
        """The types of a function's parameters."""
        nodes = function.args.params if function.args else []
        spelt = ["..." if isinstance(node, c_ast.EllipsisParam) else self.spell(node, resolve) for node in nodes]
        spelt = [re.sub(r"\[\d*\]$", " *", text) for text in spelt]      # an array parameter is a pointer
        return [] if spelt == ["void"] else spelt

    def definition(self, name):
        """The struct or enum with its contents that a typedef names; None when it has none here."""
        node = self.types.get(name)
        while isinstance(node, c_ast.TypeDecl):
            node = node.type
        if isinstance(node, c_ast.IdentifierType):
            return self.definition(node.names[0]) if node.names[0] != name else None
        if not isinstance(node, (c_ast.Struct, c_ast.Enum)):
            return None
        return node if self.body(node) is not None else self.tags.get(node.name)

    def members(self, name):
        """[(member, its declaration)] of a struct; None when there is no such struct."""
        node = self.definition(name)
        return [(member.name, member) for member in node.decls] if isinstance(node, c_ast.Struct) else None

    def values(self, name):
        """{value: number} of an enum; None when there is no such enum."""
        node = self.definition(name)
        if not isinstance(node, c_ast.Enum):
            return None
        numbers, following = {}, 0
        for value in node.values.enumerators:
            number = following if value.value is None else self.number(value.value, numbers)
            numbers[value.name], following = number, number + 1
        return numbers

    def number(self, node, numbers):
        if isinstance(node, c_ast.Constant):
            return int(node.value.rstrip("uUlL"), 0)
        if isinstance(node, c_ast.ID) and node.name in numbers:
            return numbers[node.name]
        if isinstance(node, c_ast.UnaryOp) and node.op == "-":
            return -self.number(node.expr, numbers)
        raise Failure("a number of an enum that this script cannot read, at %s" % node.coord)
