#!/usr/bin/env python3
"""Holds iothub_client.h against azure-iot-sdk-c's public API, bounds the call graph, and lists what the header has.

    tools/check_api.py                checks; ends with "api: N passed, N failed"
    tools/check_api.py --missing      what the header lacks or has in another form, by the SDK's headers
    tools/check_api.py --write        writes keywords.txt and the table of functions in README.md
    tools/check_api.py --self-test    plants mistakes in copies of the header: each must be found

tests/api/README.md says what is compared, and where the SDK's declarations come from. Needs gcc and Debian's python3-pycparser.
"""
import os
import re
import sys
import tempfile
from collections import Counter, namedtuple

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "api"))
try:
    import pycparser
except ImportError:
    sys.exit("tools/check_api.py needs pycparser: apt-get install python3-pycparser, and run it with /usr/bin/python3")
from calls import Calls
from facts import EXCEPTIONS, RULES, Comparison, full_name, read_exceptions, read_facts
from header import Failure, Header
from size_report import Failure as NoPlace, filled, table

HEADER = os.path.join(ROOT, "iothub_client.h")
STALE = "stale: run tools/check_api.py --write"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


# ---- keywords.txt: what the Arduino editor colours ----

# Settings, not values.
NO_LITERALS = {"IOTHUB_DEF"}


def literals(header):
    """Values of enums, and macros that stand for a value."""
    values = [value for name in header.types for value in header.values(name) or ()]
    macros = [name for name, (parameters, body) in header.macros.items()
              if parameters is None and body and header.target(name) is None and body not in header.types]
    return sorted(set(values + macros) - NO_LITERALS)


def keywords(header):
    called = [name for name, (parameters, _) in header.macros.items() if parameters is not None]
    functions = sorted(set(header.functions) | set(header.second_names()) | set(called))
    lines = ["# Written by tools/check_api.py from iothub_client.h."]
    for group, names in [("KEYWORD1", sorted(header.types)), ("KEYWORD2", functions), ("LITERAL1", literals(header))]:
        lines += ["", "# " + group] + ["%s\t%s" % (name, group) for name in names]
    return "\n".join(lines) + "\n"


# ---- the table of README ----

# Families in the order of the table: title, prefix that the names lose, what the rest must look like.
Family = namedtuple("Family", "title prefix pattern")
CLIENT = "Client_"
FAMILIES = [
    Family("streams", "", r"IoTHub_(HttpProxy|WebSocket)\w*"),
    Family("process", "", r"IoTHub_(?!Client)\w+|IoTHubClient_GetVersionString|IoTHub_ClientSize"),
    Family("transports", "", r"\w+_Protocol\w*"),
    Family("life of a client", CLIENT, r"Create\w*|Destroy|DoWork|GetNextWork|St(art|op)|Size"),
    Family("telemetry", CLIENT, r"Send(Event|Telemetry)\w*"),
    Family("messages from the cloud, module inputs", CLIENT, r"\w*(Message|Piece)Callback|SendMessageDisposition"),
    Family("twin", CLIENT, r"\w*Twin\w*|SendReported\w*"),
    Family("direct methods, commands", CLIENT, r"\w*(Method|Command)\w*"),
    Family("properties", CLIENT, r"\w*Properties\w*"),
    Family("state, options, errors", CLIENT, r"\w*"),
    Family("writing and reading properties", "IoTHubClient_Properties_", r"\w+"),
    Family("messages", "IoTHubMessage_", r"\w+"),
    Family("maps", "Map_", r"\w+"),
    Family("names of values", "MU_", r"\w+_ToString"),
    Family("more of ours", "", r"\w+"),
]
CAPTION = """
Bold: ours, the SDK does not have it. A client's functions begin with `IoTHubDeviceClient_` and with `IoTHubModuleClient_`, those of the
SDK also with `IoTHubDeviceClient_LL_` and `IoTHubModuleClient_LL_`; *d*, *m*: for devices or for modules only. What the SDK has and this
header has not, with the reason: [tools/api_exceptions.tsv](tools/api_exceptions.tsv).
"""


def family_of(name):
    """(family, the name without its prefix) of a function."""
    for family in FAMILIES:
        prefix = r"IoTHub(?:Device|Module)Client_(?!LL_)" if family.prefix is CLIENT else family.prefix
        found = re.fullmatch("%s(%s)" % (prefix, family.pattern), name)
        if found:
            return family, found.group(1)
    raise Failure("no family of FAMILIES takes %s" % name)


def sides(members):
    """[(short names, mark)] of the client's functions: one name for both, or the device's and the module's; "d", "m": one has it only."""
    has = {side: {short for short, full in members if full.startswith("IoTHub%sClient_" % side)} for side in ("Device", "Module")}
    both = has["Device"] & has["Module"]
    found = []
    for short in dict.fromkeys(short for short, _ in members):
        module, device = short.replace("Device", "Module"), short.replace("Module", "Device")
        if short in both:
            found.append(((short,), ""))
        elif short in has["Device"]:
            found.append(((short, module), "") if module in has["Module"] else ((short,), "d"))
        elif device not in has["Device"]:
            found.append(((short,), "m"))
    return found


def pairs(members):
    """Short names of functions; GetX is left out where SetX stands for both."""
    names = [short for short, _ in members]
    return [((name,), "") for name in names if name[:3] != "Get" or "Set" + name[3:] not in names]


def cell(family, members, known):
    """The functions of a family as text. A name that the SDK has with _LL_ only (DoWork) is the SDK's."""
    full = dict(members)

    def text(short):
        entry = "Get/" + short if short[:3] == "Set" and "Get" + short[3:] in full and family.title == "messages" else short
        entry = "`%s`" % re.sub(r"_ToString$", "", entry)
        return entry if {full[short], full[short].replace("Client_", "Client_LL_")} & known else "**%s**" % entry

    if family.prefix is CLIENT:
        entries = sides(members)
    else:
        entries = pairs(members) if family.title == "messages" else [((short,), "") for short, _ in members]
    return ", ".join(", ".join(map(text, names)) + (" *%s*" % mark if mark else "") for names, mark in entries)


def options(header, known):
    """The strings of the options; two macros may name one."""
    strings = {}
    for name in header.macros:
        if re.match(r"(IOTHUB_|SU_)?OPTION_", name) and re.fullmatch(r'".*"', header.constant(name) or ""):
            strings[header.constant(name)[1:-1]] = strings.get(header.constant(name)[1:-1], False) or name in known
    return ", ".join("`%s`" % text if sdk else "**`%s`**" % text for text, sdk in sorted(strings.items(), key=lambda item: item[0].lower()))


def api_table(header, facts):
    known = {fact.name for fact in facts}
    members = {family: [] for family in FAMILIES}
    for name in header.functions:
        family, short = family_of(name)
        members[family].append((short, name))
    shown = [(family, members[family]) for family in FAMILIES if members[family]]
    body = [[family.title + (", `%s...`" % family.prefix if family.prefix not in ("", CLIENT) else ""), cell(family, names, known)]
            for family, names in shown]
    return table(["family", "functions"], body + [["options of `SetOption`", options(header, known)]]) + CAPTION


def outputs(header, facts):
    """Path and text of all that --write writes."""
    return [("keywords.txt", keywords(header)), ("README.md", filled("README.md", [("api", api_table(header, facts))]))]


def write(header, facts):
    for path, text in outputs(header, facts):
        with open(os.path.join(ROOT, path), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)


# ---- the checks ----

class Sum:
    """Lines "ok" and "FAIL", counted."""

    def __init__(self):
        self.passed = self.failed = 0

    def say(self, text, faults):
        print("%s  %s" % ("FAIL" if faults else "ok  ", text))
        for fault in faults:
            print("      " + fault.replace("\n", "\n      "))
        self.passed, self.failed = self.passed + (not faults), self.failed + bool(faults)

    def end(self):
        print("api: %d passed, %d failed" % (self.passed, self.failed))
        return 1 if self.failed else 0


TITLES = {"function": "functions", "enum": "enums", "enum_value": "values of enums", "struct": "structs", "member": "members of structs",
          "typedef": "handles and other types", "callback": "callback types", "constant": "constants", "option": "options"}


def counts(comparison):
    """What was compared, and why the rest was not."""
    agreed = Counter(fact.kind for fact in comparison.agreed)
    print("the same as in azure-iot-sdk-c: " + ", ".join("%d %s" % (agreed[kind], title) for kind, title in TITLES.items()))
    excused = Counter(exception.comes_with for exception in comparison.exempted.values())
    print("%d exceptions: %s" % (sum(excused.values()), ", ".join("%d %s" % (number, brings) for brings, number in excused.most_common())))
    rules = Counter(fact.rule for fact in comparison.left_out)
    print("%d left out by rule: %s" % (sum(rules.values()), "; ".join("%d %s" % (number, RULES[rule]) for rule, number in rules.most_common())))


def check_comparison(total, comparison):
    for kind, title in TITLES.items():
        said = {}                                # of a type that is not there one sentence is enough
        for finding in (finding for finding in comparison.findings if finding.fact.kind == kind):
            said.setdefault(finding.text, "%s (%s)" % (finding.text, finding.fact.header))
        total.say("%s are the SDK's" % title, list(said.values()))
    total.say("each exception has its reason and is needed; handles are as they should be", comparison.faults)


def check_calls(total, folder):
    try:
        calls = Calls(HEADER, folder)
        faults = calls.recursion() or ([] if calls.functions else ["gcc lists no call at all"])
        print("the implementation: %d functions that call, %d calls, %d through pointers" % calls.count())
    except Failure as failure:
        faults = [str(failure)]
    total.say("no recursion, and every call through a pointer is known", faults)


def check_outputs(total, header, facts):
    try:
        for path, text in outputs(header, facts):
            present = os.path.exists(os.path.join(ROOT, path)) and read(os.path.join(ROOT, path))
            total.say("%s lists what the header has" % path, [STALE] if present != text else [])
    except (Failure, NoPlace) as failure:
        total.say("there is a place for the table of functions", [str(failure)])


def check(header, facts, folder):
    total = Sum()
    comparison = Comparison(header, facts, read_exceptions())
    counts(comparison)
    check_comparison(total, comparison)
    check_calls(total, folder)
    check_outputs(total, header, facts)
    return total.end()


def missing(header, facts):
    """What the header lacks or has otherwise, by the SDK's headers."""
    comparison = Comparison(header, facts, read_exceptions())
    counts(comparison)
    for name in sorted({finding.fact.header for finding in comparison.findings}):
        print("\n" + name)
        for text in dict.fromkeys(finding.text for finding in comparison.findings if finding.fact.header == name):
            print("    " + text)
    print("\n" + "\n".join(comparison.faults))
    return 0


# ---- the self test ----

END_OF_DECLARATIONS = "#endif /* IOTHUB_CLIENT_SINGLE_HEADER_H */\n"

# Mistakes in the declarations: what is replaced by what, and words of the finding that must come.
Mistake = namedtuple("Mistake", "name old new finding")
MISTAKES = [
    Mistake("a value with another number", "    IOTHUB_CLIENT_INVALID_ARG,", "    IOTHUB_CLIENT_INVALID_ARG = 7,", "IOTHUB_CLIENT_INVALID_ARG is 7, the SDK has 1"),
    Mistake("a value that is gone", "    MAP_KEYEXISTS,", "", "enum MAP_RESULT has no MAP_KEYEXISTS"),
    Mistake("an enum that is gone", "} IOTHUB_CLIENT_STATUS;", "} IOTHUB_CLIENT_STATE; typedef int IOTHUB_CLIENT_STATUS;", "there is no enum IOTHUB_CLIENT_STATUS"),
    Mistake("a function that is gone", "void IoTHub_Deinit(void);", "void IoTHub_Leave(void);", "there is no function IoTHub_Deinit"),
    Mistake("parameters that changed places", "IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const unsigned char **buffer, size_t *size)",
            "IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, size_t *size, const unsigned char **buffer)",
            "IoTHubMessage_GetByteArray: parameter 2 is `size_t *`, the SDK has `const unsigned char **`"),
    Mistake("a parameter without const", "IoTHubMessage_CreateFromString(const char *source)", "IoTHubMessage_CreateFromString(char *source)",
            "IoTHubMessage_CreateFromString: parameter 1 is `char *`, the SDK has `const char *`"),
    Mistake("a parameter too few", "MAP_RESULT Map_Delete(MAP_HANDLE handle, const char *key)", "MAP_RESULT Map_Delete(MAP_HANDLE handle)",
            "Map_Delete: it has 1 parameters, the SDK 2"),
    Mistake("another result", "int IoTHub_Init(void);", "void IoTHub_Init(void);", "IoTHub_Init: it returns `void`, the SDK has `int`"),
    Mistake("an integer of another type", "IoTHubMessage_CreateFromByteArray(const unsigned char *byteArray, size_t size)",
            "IoTHubMessage_CreateFromByteArray(const unsigned char *byteArray, unsigned long size)", "parameter 2 is `unsigned long`, the SDK has `size_t`"),
    Mistake("a second name that is gone", "#define IoTHubModuleClient_LL_DoWork IoTHubModuleClient_DoWork", "", "there is no function IoTHubModuleClient_LL_DoWork"),
    Mistake("a second name of another function", "_LL_DoWork IoTHubModuleClient_DoWork", "_LL_DoWork IoTHubModuleClient_GetNextWork", "it returns `uint32_t`, the SDK has `void`"),
    Mistake("a device's handle in a module's function", "void IoTHubModuleClient_Destroy(IOTHUB_MODULE_CLIENT_HANDLE", "void IoTHubModuleClient_Destroy(IOTHUB_DEVICE_CLIENT_HANDLE",
            "IoTHubModuleClient_Destroy: parameter 1 is `IOTHUB_DEVICE_CLIENT_HANDLE`"),
    Mistake("one handle for devices and modules", "typedef struct IOTHUB_MODULE_CLIENT_TAG *IOTHUB_MODULE_CLIENT_HANDLE;", "typedef IOTHUB_DEVICE_CLIENT_HANDLE IOTHUB_MODULE_CLIENT_HANDLE;",
            "device and module handles are one type"),
    Mistake("an _LL_ handle of its own", "typedef IOTHUB_DEVICE_CLIENT_HANDLE IOTHUB_DEVICE_CLIENT_LL_HANDLE;", "typedef struct IOTHUB_OTHER_TAG *IOTHUB_DEVICE_CLIENT_LL_HANDLE;",
            "IOTHUB_DEVICE_CLIENT_HANDLE and its _LL_ handle are different types"),
    Mistake("a handle that is a number", "typedef struct MAP_HANDLE_DATA_TAG *MAP_HANDLE;", "typedef int MAP_HANDLE;", "MAP_HANDLE is `int`, the SDK has `struct *`"),
    Mistake("a member that is gone", "    char *diagnosticId; ", "", "struct IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA has no member diagnosticId"),
    Mistake("a member too many", "    char *diagnosticId; ", "    char *diagnosticId; int more; ", "has more members than the SDK's: more"),
    Mistake("a member in another place", "    const char *deviceKey; ", "    const char *iotHubName; const char *deviceKey; ", "IOTHUB_CLIENT_CONFIG.iotHubName is member 3, the SDK has it as 5"),
    Mistake("a member of another type", "    const char *iotHubSuffix; ", "    char *iotHubSuffix; ", "IOTHUB_CLIENT_CONFIG.iotHubSuffix is `char *`, the SDK has `const char *`"),
    Mistake("a callback with another parameter", "(*MAP_FILTER_CALLBACK)(const char *mapProperty, const char *mapValue)", "(*MAP_FILTER_CALLBACK)(const char *mapProperty, size_t mapValue)",
            "MAP_FILTER_CALLBACK: parameter 2 is `size_t`, the SDK has `const char *`"),
    Mistake("a callback that is a number", "(*MAP_FILTER_CALLBACK)(const char *mapProperty, const char *mapValue);", "MAP_FILTER_CALLBACK;",
            "MAP_FILTER_CALLBACK is no pointer to a function"),
    Mistake("an option with another string", '#define OPTION_KEEP_ALIVE "keepalive"', '#define OPTION_KEEP_ALIVE "keep_alive"', 'OPTION_KEEP_ALIVE is "keep_alive", the SDK has "keepalive"'),
    Mistake("an option that is gone", '#define OPTION_LOG_TRACE "logtrace"', "", 'there is no OPTION_LOG_TRACE "logtrace"'),
    Mistake("another version of the SDK", '#define IOTHUB_SDK_VERSION "', '#define IOTHUB_SDK_VERSION "9.', "IOTHUB_SDK_VERSION is"),
    Mistake("a macro with another argument", "#define MU_ENUM_TO_STRING(enumName, value)", "#define MU_ENUM_TO_STRING(enumName, value, more)", "MU_ENUM_TO_STRING takes 3 arguments, the SDK's 2"),
    Mistake("something that an exception says is missing", "int IoTHub_Init(void);", "int IoTHub_Init(void); const TRANSPORT_PROVIDER *HTTP_Protocol(void);",
            "exception function HTTP_Protocol: no longer missing: HTTP_Protocol"),
]

# Lines for the table of exceptions that must be refused.
EXCEPTION_MISTAKES = [
    ("an exception without a reason", "function\tMap_ToJSON\tmissing\tnever\t", "it must say what brings it, or never, and why"),
    ("an exception that nobody needs", "function\tIoTHub_Nothing\tmissing\tnever\tnone", "exception function IoTHub_Nothing: no such thing is needed"),
    ("an exception that is too wide", "function\tMap_*\tmissing\tnever\tnone", "exception function Map_*: no longer missing: Map_Create, Map_Destroy"),
    ("an exception of an unknown kind", "functions\tMap_ToJSON\tmissing\tnever\tnone", "the kind or the fault is none that exists"),
]

# Functions added to the implementation, and the chain that must be found.
CIRCLES = [
    ("a function that calls itself", "IOTHUBI_PRIVATE int iothubi_canary(int n) { return n ? iothubi_canary(n - 1) : 0; }",
     "recursion: iothubi_canary > iothubi_canary"),
    ("two functions that call each other", "IOTHUBI_PRIVATE int iothubi_canary_even(int n);\n"
     "IOTHUBI_PRIVATE int iothubi_canary_odd(int n)\n{\n    return n ? iothubi_canary_even(n - 1) : 0;\n}\n"
     "IOTHUBI_PRIVATE int iothubi_canary_even(int n)\n{\n    return n ? iothubi_canary_odd(n - 1) : 1;\n}",
     "recursion: iothubi_canary_even > iothubi_canary_odd > iothubi_canary_even"),
    ("a circle through a pointer in a table", "struct iothubi_canary {\n    int (*canary_step)(int n);\n};\nIOTHUBI_PRIVATE int iothubi_canary_walk(int n);\n"
     "static const struct iothubi_canary iothubi_canary_table = { iothubi_canary_walk };\n"
     "IOTHUBI_PRIVATE int iothubi_canary_walk(int n)\n{\n    const struct iothubi_canary *table = &iothubi_canary_table;\n    return n ? table->canary_step(n - 1) : 0;\n}",
     "recursion: iothubi_canary_walk > iothubi_canary_walk"),
    ("a circle through a function that is passed on", "IOTHUBI_PRIVATE int iothubi_canary_turn(int n);\nIOTHUBI_PRIVATE int iothubi_canary_call(int (*part)(int n), int n)\n{\n    return part(n);\n}\n"
     "IOTHUBI_PRIVATE int iothubi_canary_turn(int n)\n{\n    return iothubi_canary_call(iothubi_canary_turn, n);\n}", "recursion: "),
    ("a pointer that nobody knows", "IOTHUBI_PRIVATE int iothubi_canary(int (*unheard_of)(int n), int n)\n{\n    return unheard_of(n);\n}",
     "iothubi_canary calls through an unknown pointer"),
]


class Canaries:
    """Copies of the header with a mistake each, in a folder."""

    def __init__(self, folder, facts):
        self.folder, self.facts, self.text, self.total = folder, facts, read(HEADER), Sum()
        self.healthy = set(self.sentences(Header(HEADER, folder), read_exceptions()))

    def sentences(self, header, exceptions):
        comparison = Comparison(header, self.facts, exceptions)
        return [finding.text for finding in comparison.findings] + comparison.faults

    def planted(self, text):
        path = os.path.join(self.folder, "planted.h")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def judge(self, name, said, wanted):
        """The mistake must be what is found, and nothing must have been found before it was made."""
        new = [sentence for sentence in said if wanted in sentence]
        faults = [] if new else ["expected: " + wanted] + ["found: " + sentence for sentence in said[:4]]
        self.total.say(name + " is found", faults)

    def declarations(self):
        public = self.text.partition(END_OF_DECLARATIONS)[0] + END_OF_DECLARATIONS
        for mistake in MISTAKES:
            if public.count(mistake.old) != 1:
                self.total.say(mistake.name + " is found", ["the declarations have not exactly one place for it: " + mistake.old])
                continue
            header = Header(self.planted(public.replace(mistake.old, mistake.new)), self.folder)
            said = [sentence for sentence in self.sentences(header, read_exceptions()) if sentence not in self.healthy]
            self.judge(mistake.name, said, mistake.finding)

    def exceptions(self):
        header, path = Header(HEADER, self.folder), os.path.join(self.folder, "exceptions.tsv")
        for name, line, wanted in EXCEPTION_MISTAKES:
            with open(path, "w", encoding="utf-8") as file:
                file.write(read(EXCEPTIONS) + line + "\n")
            self.judge(name, self.sentences(header, read_exceptions(path)), wanted)

    def lists(self):
        """A new function and a new option must make both lists stale."""
        planted = self.text.replace("int IoTHub_Init(void);", 'int IoTHub_Init(void); int IoTHub_Canary(void);\n#define IOTHUB_OPTION_CANARY "canary"')
        header = Header(self.planted(planted), self.folder)
        for word in ("IoTHub_Canary\tKEYWORD2", "IOTHUB_OPTION_CANARY\tLITERAL1"):
            self.judge("in keywords.txt %s" % word.split("\t")[0], keywords(header).splitlines(), word)
        for word in ("**`IoTHub_Canary`**", "**`canary`**"):
            self.judge("in the table %s" % word.strip("*`"), [api_table(header, self.facts)], word)

    def circles(self):
        healthy = Calls(HEADER, self.folder).recursion()
        for name, code, wanted in CIRCLES:
            # A unit of its own, as the rooms are: what Sources reads as a room begins with this bar.
            planted = self.text + "\n/* ==== canary ==== */\n#ifdef IOTHUB_IMPLEMENTATION\n%s\n#endif\n" % code
            said = [fault for fault in Calls(self.planted(planted), self.folder).recursion() if fault not in healthy]
            self.judge(name, said, wanted)


def self_test(facts, folder):
    canaries = Canaries(folder, facts)
    canaries.declarations()
    canaries.exceptions()
    canaries.lists()
    try:
        canaries.circles()
    except Failure as failure:
        canaries.total.say("the implementation compiles", [str(failure)])
    return canaries.total.end()


def main(arguments):
    if arguments not in ([], ["--missing"], ["--write"], ["--self-test"]):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        try:
            facts = read_facts()
            if arguments == ["--self-test"]:
                return self_test(facts, folder)
            header = Header(HEADER, folder)
            if arguments == ["--write"]:
                return write(header, facts)
            return missing(header, facts) if arguments else check(header, facts, folder)
        except (Failure, NoPlace) as failure:
            print("FAIL  %s\napi: 0 passed, 1 failed" % str(failure).replace("\n", "\n      "))
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
