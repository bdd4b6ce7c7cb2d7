"""Looks at the Arduino package: library.properties against Arduino's library specification 1.5, keywords.txt, the sketches. Prints what is wrong."""
import os
import re
import sys

CATEGORIES = ["Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage", "Data Processing", "Other",
              "Uncategorized"]
REQUIRED = ["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"]
KNOWN = REQUIRED + ["depends", "dot_a_linkage", "includes", "precompiled", "ldflags"]

findings = []


def check(holds, text):
    if not holds:
        findings.append(text)


lines = [line for line in open("library.properties", encoding="utf-8").read().split("\n") if line and not line.startswith("#")]
check(all("=" in line for line in lines), "a line without =")
fields = dict(line.split("=", 1) for line in lines)
for name in REQUIRED:
    check(name in fields, "%s is missing" % name)
    check(fields.get(name) or name == "url", "%s is empty" % name)           # url: README.md of this folder
check(not set(fields) - set(KNOWN), "unknown: %s" % sorted(set(fields) - set(KNOWN)))
check(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}", fields.get("name", "")), "name")
check(re.fullmatch(r"\d+\.\d+\.\d+", fields.get("version", "")), "version is not x.y.z")
check(fields.get("category") in CATEGORIES, "category")
check(not fields.get("paragraph", "").startswith(fields.get("sentence", "")), "the paragraph repeats the sentence")
for include in fields.get("includes", "").split(","):
    check(os.path.exists(include.strip()), "includes names %s" % include)
header = open("iothub_client.h", encoding="utf-8").read()
check('IOTHUB_CLIENT_VERSION "%s"' % fields.get("version") in header, "version is not the header's")

for number, line in enumerate(open("keywords.txt", encoding="utf-8").read().split("\n"), 1):
    check(not line or line.startswith("#") or re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL1)", line), "keywords.txt, line %d" % number)

# An IDE shows a folder of examples as a sketch when it holds NAME.ino; anything at the root that it would compile must be meant.
sketches = [name for name in sorted(os.listdir("examples")) if name.startswith("arduino_")]
check(len(sketches) >= 3, "where are the sketches?")
for name in sketches:
    files = os.listdir(os.path.join("examples", name))
    check(name + ".ino" in files and "README.md" in files, "examples/%s lacks its .ino or README.md" % name)
    check(sum(file.endswith(".ino") for file in files) == 1, "examples/%s has several .ino" % name)
    check(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", name), "examples/%s is no name for a sketch" % name)
check(not [name for name in os.listdir(".") if name.endswith((".c", ".cpp", ".S"))], "the IDE would compile sources at the root")
check(not os.path.exists("src"), "with a folder src the IDE would not find iothub_client.h at the root")

print("\n".join(findings))
sys.exit(bool(findings))
