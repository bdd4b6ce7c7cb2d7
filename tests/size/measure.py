"""What the client costs: builds the programs of this folder, and reads flash, RAM and stack in what the tools say of them.
tools/size_report.py makes tables of it."""
import os
import re
import shutil
import subprocess
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
HEADER = "iothub_client.h"

# call_bytes: what a call pushes; push_bytes: what a pushed register takes. The program is linked, never run: the AVR is
# given more RAM than it has, so that all features fit.
# shorter: flags that make all code shorter and slower, of which the README tells what they bring.
Target = namedtuple("Target", "name prefix flags link call_bytes push_bytes shorter", defaults=[[]])
NEWLIB = ["--specs=nano.specs", "--specs=nosys.specs"]
TARGETS = [
    Target("x86-64", "", [], [], 8, 8),
    Target("Cortex-M0+", "arm-none-eabi-", ["-mcpu=cortex-m0plus", "-mthumb"], NEWLIB, 0, 4),
    Target("Cortex-M4", "arm-none-eabi-", ["-mcpu=cortex-m4", "-mthumb"], NEWLIB, 0, 4),
    Target("AVR", "avr-", ["-mmcu=atmega2560"], ["-Wl,--defsym=__DATA_REGION_LENGTH__=65535"], 3, 1,
           ["-mrelax", "-mcall-prologues"]),
]
FLAGS = ["-Os", "-std=c99", "-gdwarf-4", "-fstack-usage", "-ffunction-sections", "-fdata-sections", "-I" + ROOT]

OUTBOX, INBOX = 384, 128                         # a client must work with 512 bytes of them together
FEATURES_OUTBOX, FEATURES_INBOX = 512, [512, 768] # with all that a device can do; the smaller inbox where their state fits

# Uses of the client, as they are added to tests/size/telemetry.c, and the settings that they need.
Feature = namedtuple("Feature", "name calls flags", defaults=[()])


def together(name, *features):
    return Feature(name, "".join(feature.calls for feature in features), tuple(sorted({flag for feature in features for flag in feature.flags})))


DESTROY = Feature("Destroy", "IoTHubDeviceClient_Destroy(hub);")
RETRY = Feature("SetRetryPolicy", "IoTHubDeviceClient_SetRetryPolicy(hub, IOTHUB_CLIENT_RETRY_INTERVAL, 0);")
MESSAGES = Feature("SetMessageCallback, SendMessageDisposition", "IoTHubDeviceClient_SetMessageCallback(hub, on_message, NULL);"
                   "IoTHubDeviceClient_SendMessageDisposition(hub, message, IOTHUBMESSAGE_ACCEPTED);")
TWIN = Feature("SetDeviceTwinCallback", "IoTHubDeviceClient_SetDeviceTwinCallback(hub, on_twin, NULL);")
GET_TWIN = Feature("GetTwinAsync", "IoTHubDeviceClient_GetTwinAsync(hub, on_twin, NULL);")
REPORTED = Feature("SendReportedState", "IoTHubDeviceClient_SendReportedState(hub, bytes, size, on_reported, NULL);")
METHODS = Feature("SetDeviceMethodCallback", "IoTHubDeviceClient_SetDeviceMethodCallback(hub, on_method, NULL);")
METHODS_LATER = Feature("SetDeviceMethodCallback_Ex, DeviceMethodResponse",
                        "IoTHubDeviceClient_SetDeviceMethodCallback_Ex(hub, on_method_later, NULL);"
                        "IoTHubDeviceClient_DeviceMethodResponse(hub, method, bytes, size, 200);")
COMMANDS = Feature("SubscribeToCommands", "IoTHubDeviceClient_SubscribeToCommands(hub, on_command, NULL);")
MODULE = Feature("a module beside the device", "module = IoTHubModuleClient_CreateInPlace(text, MQTT_Protocol, &platform, &memory);"
                 "IoTHubModuleClient_SendEventAsync(module, message, on_confirmation, NULL); IoTHubModuleClient_DoWork(module);")
OUTPUTS = Feature("a module's SendEventToOutputAsync", "IoTHubModuleClient_SendEventToOutputAsync(module, message, text, on_confirmation, NULL);")
INPUTS = Feature("a module's SetInputMessageCallback", "IoTHubModuleClient_SetInputMessageCallback(module, text, on_message, NULL);"
                 "IoTHubModuleClient_SendMessageDisposition(module, message, IOTHUBMESSAGE_ACCEPTED);")
SERIALIZERS = Feature("properties: the serializers", "PROPERTIES(IoTHubClient_Properties_Serializer_WriteReported(&reported, 1, text, bytes, size, &size);"
                      "IoTHubClient_Properties_Serializer_WriteWritableResponse(&writable, 1, text, bytes, size, &size);)")
DESERIALIZER = Feature("properties: the deserializer", "PROPERTIES(IoTHubClient_Properties_Deserializer_CreateInPlace("
                       "IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL, bytes, size, storage, sizeof storage, &reader);"
                       "IoTHubClient_Properties_Deserializer_GetVersion(reader, &number);"
                       "IoTHubClient_Properties_Deserializer_GetNext(reader, &parsed, &found);)")
WEBSOCKET = Feature("MQTT_WebSocket_Protocol", "hub = IoTHubDeviceClient_CreateInPlace(text, MQTT_WebSocket_Protocol, &platform, &memory);",
                    ("-DIOTHUB_WEBSOCKET",))
POOLS = Feature("the pools and their creators", "IoTHub_SetPlatform(&platform); message = IoTHubMessage_CreateFromString(text);"
                "hub = IoTHubDeviceClient_CreateFromConnectionString(text, MQTT_Protocol);",
                ("-DIOTHUB_POOL_CLIENTS=1", "-DIOTHUB_POOL_MESSAGES=4"))

FEATURES = [
    DESTROY,
    RETRY,
    Feature("SetConnectionStatusCallback", "IoTHubDeviceClient_SetConnectionStatusCallback(hub, on_status, NULL);"),
    Feature("Stop, Start", "IoTHubDeviceClient_Stop(hub); IoTHubDeviceClient_Start(hub);"),
    Feature("SetOption", "IoTHubDeviceClient_SetOption(hub, OPTION_KEEP_ALIVE, &number);"),
    Feature("IoTHubMessage_SetProperty", "IoTHubMessage_SetProperty(message, text, text);"),
    Feature("IoTHubMessage_SetMessageId", "IoTHubMessage_SetMessageId(message, text);"),
    Feature("SendEventKeptAsync", "IoTHubDeviceClient_SendEventKeptAsync(hub, message, on_confirmation, NULL);"),
    Feature("GetStatistics", "IoTHubDeviceClient_GetStatistics(hub, &statistics);"),
    Feature("GetLastError", "IoTHubDeviceClient_GetLastError(hub, &error);"),
    Feature("GetLastError, IoTHub_ErrorText", "IoTHubDeviceClient_GetLastError(hub, &error); text = IoTHub_ErrorText(&error);"),
    Feature("IoTHub_ClientSize", "number = (int)IoTHub_ClientSize(text, MQTT_Protocol, 512, 512);"),
    Feature("CreateInPlaceFromConfig", "hub = IoTHubDeviceClient_CreateInPlaceFromConfig(&config, &platform, &memory);"),
    Feature("SetCredentialCallback", "IoTHubDeviceClient_SetCredentialCallback(hub, on_credential, NULL);"),
    MESSAGES,
    TWIN,
    GET_TWIN,
    REPORTED,
    METHODS,
    METHODS_LATER,
    COMMANDS,
    together("SetMessageCallback, SetPieceCallback", MESSAGES, Feature("", "IoTHubDeviceClient_SetPieceCallback(hub, on_piece, NULL);")),
    SERIALIZERS,
    DESERIALIZER,
    MODULE,
    together("a module, SendEventToOutputAsync", MODULE, OUTPUTS),
    together("a module, SetInputMessageCallback, SendMessageDisposition", MODULE, INPUTS),
    WEBSOCKET,
    Feature("IoTHub_HttpProxyBegin", "platform.io = *IoTHub_HttpProxyBegin(&proxy, &below);"),
    POOLS,
]
ALL = together("all of these", *FEATURES)        # also a program
FEATURES.append(ALL)

# The programs that limits are set for. TELEMETRY is the one that all others add to.
TELEMETRY = Feature("telemetry", "")
PEERS_JOB = together("telemetry, C2D, twin", MESSAGES, GET_TWIN)
DEVICE = together("device", MESSAGES, TWIN, GET_TWIN, REPORTED, METHODS, RETRY)
EVERYTHING = together("everything", DEVICE, MODULE, OUTPUTS, INPUTS, SERIALIZERS, DESERIALIZER, COMMANDS, WEBSOCKET)
PROGRAMS = [TELEMETRY, DEVICE, EVERYTHING]
STATE = ["messages", "twin", "methods", "pending"]         # what features take of the inbox, see client.c
NO_FEATURES = {"IOTHUB_NO_STDINT_H", "IOTHUB_NO_STDBOOL_H", "IOTHUB_NO_TIME_H"}    # these choose headers and leave no code out

# What the client may want from libraries: these of the C library, and of the compiler's own arithmetic, jump tables, start-up.
LIBRARY = {"memcpy", "memmove", "memset", "memcmp", "strlen", "memcpy_P"}
HELPERS = re.compile(r"__aeabi_u?idiv(mod)?|__gnu_thumb1_case_\w+|__u?(mul|div|mod)\w*[hs]i\d|__(ash|lsh)[lr]si3|__bswapsi2"
                     r"|__tablejump2__|__do_(copy_data|clear_bss)")

ENTRIES = ["IoTHubDeviceClient_CreateInPlace", "IoTHubMessage_Wrap", "IoTHubDeviceClient_SendEventAsync",
           "IoTHubDeviceClient_DoWork", "IoTHubDeviceClient_GetNextWork", "IoTHubDeviceClient_Destroy"]

# Calls through a variable, and whom they reach: nobody on our stack (a callback of the program's), the functions that the
# nearest caller passes by name, or the ones named here. Calls through members of structs reach what the sources store there.
NOBODY, PASSED = {}, None
POINTERS = {"callback": NOBODY, "filter": NOBODY, "protocol": {"MQTT_Protocol", "MQTT_WebSocket_Protocol"}, "part": PASSED, "body": PASSED,
            "reader": {"iothubi_read_string", "iothubi_read_config"},
            "way": {"iothubi_method_call", "iothubi_method_call_command", "iothubi_method_hand_over"}}


class Failure(Exception):
    """Something does not build, or is not as this script knows it."""


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        said = result.stderr.splitlines()
        errors = [line for line in said if "error" in line or "undefined" in line] or said or ["exit code %d" % result.returncode]
        raise Failure("\n".join([" ".join(command)] + errors[:5]))
    return result.stdout


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


# ---- the sources ----

OTHER = "made by the compiler"                   # tables, and functions of one jump: they come from no line
PUBLIC = "core/manual.h"
FILTERS = re.compile(r"transports/(http|websocket)/")   # rooms whose calls through structs are those of the stream below


class Sources:
    """Of each line of the header its text, room and function; of each name its room; of each pointer in a struct its functions."""

    def __init__(self, path=os.path.join(ROOT, HEADER)):
        self.lines = [""] + read(path).splitlines()
        self.rooms, self.functions, self.room_of, self.bodies = [OTHER], [None], {}, {}
        room, function = OTHER, None
        for line in self.lines[1:]:
            begins = re.match(r"/\* ==== (\S+) =+ \*/", line)
            if begins:
                room, function = begins.group(1), None
            macro = re.match(r"(?:#define )?(IOTHUBI_\w+)\(", line)
            definition = macro or re.match(r"IOTHUB(?:I_[A-Z]+|_DEF) .*?(\w+)\(", line)
            if definition and room != PUBLIC:
                function = definition.group(1)
                self.room_of[function] = room
            constant = re.search(r"\b(\w+)(?:\[\w*\])* =(?: \{| \"|$)", line)
            if constant:
                self.room_of.setdefault(constant.group(1), room)
            self.rooms.append(room)
            self.functions.append(function)
            if function:
                self.bodies[function] = self.bodies.get(function, "") + re.sub(r"/\*.*?\*/", "", line) + "\n"
            if line == "}" or (function and function.startswith("IOTHUBI_") and not line.endswith("\\")):
                function = None
        self.members = self.stored()

    def stored(self):
        """Member of a struct: the functions that are stored in it, by assignment or in a table. The platform's: those of our
        filters, or nobody."""
        private = "\n".join(line for line, room in zip(self.lines, self.rooms) if room != PUBLIC)
        members = {}
        for name, fields in re.findall(r"^(?:typedef )?struct (\w+?)(?:_TAG|_tag)? \{(.*?)^\}", private, re.S | re.M):
            pointers = re.findall(r"\(\*(\w+)\)\(", fields)
            members.update((pointer, set()) for pointer in pointers)
            for values in re.findall(r"\b%s \w+ = \{(.*?)\};" % name, private, re.S):
                functions = [value for value in re.findall(r"\w+", values) if value in self.bodies or value == "NULL"]
                for pointer, function in zip(pointers, functions):
                    members[pointer].add(function)
        public = "\n".join(line for line, room in zip(self.lines, self.rooms) if room == PUBLIC)
        members.update((pointer, set()) for pointer in re.findall(r"^ .*\(\*(\w+) *\)\(", public, re.M))
        for pointer, value in re.findall(r"(?:->|\.)(\w+) = ([^;]*);", private):
            if pointer in members:
                members[pointer].update(name for name in re.findall(r"\w+", value) if name in self.bodies)
        return {pointer: functions or NOBODY if re.search(r"\(\*%s *\)\(" % pointer, public) else functions
                for pointer, functions in members.items()}

    def passed_by(self, function):
        """The functions that a function names without calling them."""
        return {name for name in re.findall(r"\b(\w+)\b(?!\s*\()", self.bodies.get(function, "")) if name in self.bodies}

    def pointers(self, number):
        """(name, functions) of each call through a pointer in a line. A filter calls the stream below it: the port's."""
        line, members = self.lines[number], {} if FILTERS.match(self.rooms[number]) else self.members
        found = [(name, members.get(name, NOBODY)) for name in re.findall(r"(?:->|\.)(\w+)\(", line) if name in self.members]
        return found + [(name, POINTERS[name]) for name in re.findall(r"(?<![.>\w])(\w+)\(", line) if name in POINTERS]


def switches():
    """The switches that leave code out, by name with their flags: every IOTHUB_NO_... that an #if of the sources asks for."""
    found = set()
    for top in ("core", "transports"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                for line in re.findall(r"^\s*#\s*(?:el)?if.*", read(os.path.join(folder, name)), re.M):
                    found.update(re.findall(r"\bIOTHUB_NO_\w+", line))
    found = sorted(found - NO_FEATURES)
    together = [("all of them", tuple("-D" + name for name in found))] if len(found) > 1 else []
    return [(name, ("-D" + name,)) for name in found] + together


# ---- building ----

Section = namedtuple("Section", "name start size file")


def sections_of(map_path):
    """The sections of object files that are left in a program, from the linker's map."""
    text = read(map_path).split("Linker script and memory map", 1)[1]
    found = re.findall(r"^ ([.\w]\S*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$", text, re.M)
    return [Section(name, int(start, 16), int(size, 16), file) for name, start, size, file in found if int(size, 16) != 0]


def is_flash(section):
    return re.match(r"\.(text|rodata|data|progmem)\b", section.name) is not None


def flash(sections):
    return sum(section.size for section in sections if is_flash(section))


def ram(target, sections):
    """avr-gcc puts constants into RAM, unless they are in .progmem. x86-64's .data.rel.ro are constants."""
    kinds = r"\.(data|bss|rodata)\b" if target.name == "AVR" else r"\.(data(?!\.rel\.ro)|bss)\b"
    return sum(section.size for section in sections if re.match(kinds, section.name) or section.name == "COMMON")


class Builder:
    """Compiles and links for one target. The client is a unit of its own: what is left of that unit is the client's."""

    def __init__(self, target, folder):
        self.target, self.folder, self.units, self.programs, self.wholes = target, os.path.join(folder, target.name), {}, {}, {}
        os.makedirs(self.folder, exist_ok=True)

    def tool(self, name, *arguments):
        return run(self.target.prefix + name, *arguments)

    def compile(self, source, *flags):
        key = (source,) + flags
        if key not in self.units:
            unit = os.path.join(self.folder, "%d_%s.o" % (len(self.units), source[:-2]))
            self.tool("gcc", *self.target.flags, *FLAGS, *flags, "-c", os.path.join(HERE, source), "-o", unit)
            self.units[key] = unit
        return self.units[key]

    def link(self, name, units, *flags):
        """Answers the program's path and its sections."""
        path = os.path.join(self.folder, name)
        self.tool("gcc", *self.target.flags, *self.target.link, *units, *flags, "-Wl,-Map=%s.map" % path, "-o", path)
        return path, sections_of(path + ".map")

    def telemetry(self, flags=(), calls=""):
        """The telemetry program with some settings and calls: its path, its sections of the client, its bytes of libraries."""
        key = (flags, calls)
        if key not in self.programs:
            client = self.compile("client.c", *flags)
            units = [client, self.compile("telemetry.c", *flags, "-DMORE=" + calls)]
            path, sections = self.link("telemetry_%d" % len(self.programs), units, "-Wl,--gc-sections")
            libraries = flash(section for section in sections if ".a(" in section.file)
            self.programs[key] = path, [section for section in sections if section.file == client], libraries
        return self.programs[key]

    def whole(self, flags=()):
        if flags not in self.wholes:
            self.wholes[flags] = Whole(self, flags)
        return self.wholes[flags]

    def empty(self):
        """Bytes of libraries that a program without the client has."""
        _, sections = self.link("empty", [self.compile("empty.c")], "-Wl,--gc-sections")
        return flash(section for section in sections if ".a(" in section.file)

    def struct_sizes(self, flags=()):
        prefix = "size_of_"
        return {name[len(prefix):]: size for _, size, name in self.symbols(self.compile("client.c", *flags)) if name.startswith(prefix)}

    def symbols(self, path):
        """(address, size, name) of those that have a size."""
        found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) \w (\S+)$", self.tool("nm", "-S", path), re.M)
        return [(int(at, 16), int(size, 16), name) for at, size, name in found]


class Whole:
    """The client linked with nothing left out, so that each function has an address: where its code is from, what it calls."""

    def __init__(self, builder, flags):
        self.target, self.client = builder.target, builder.compile("client.c", *flags)
        path, sections = builder.link("whole", [self.client, builder.compile("telemetry.c", *flags, "-DMORE=")])
        self.functions = {section.start: section for section in sections
                          if section.file == self.client and section.name.startswith(".text.")}
        self.addresses = {name: int(at, 16) for at, name in re.findall(r"^([0-9a-f]+) \w (\S+)$", builder.tool("nm", path), re.M)}
        rows = re.findall(r"^%s +(\d+) +0x([0-9a-f]+)" % re.escape(HEADER), builder.tool("objdump", "--dwarf=decodedline", path), re.M)
        self.rows = {int(at, 16): int(line) for line, at in rows}      # of several rows of an address the last one counts
        self.names, self.code = {}, {}
        for block in builder.tool("objdump", "-d", "--no-show-raw-insn", path).split("\n\n"):
            label = re.match(r"\s*([0-9a-f]+) <(.*)>:\n", block)
            if label:
                at = int(label.group(1), 16)
                self.names[at], self.code[at] = label.group(2), block.splitlines()[1:]

    def pieces(self, function):
        """(address, size, line) of each stretch of code of a function of the client; line 0 is none."""
        end = function.start + function.size
        starts = sorted({function.start}.union(at for at in self.rows if function.start < at < end))
        return [(at, after - at, self.rows.get(at, 0)) for at, after in zip(starts, starts[1:] + [end])]


def by_room(sources, builder, program):
    """A program's flash by room: machine code by the line it comes from, also where it was inlined; constants by their names."""
    path, sections, _ = builder.telemetry(program.flags, program.calls)
    whole = builder.whole(program.flags)
    functions = {function.name: function for function in whole.functions.values()}
    symbols = builder.symbols(path)
    rooms = dict.fromkeys(sources.rooms, 0)
    for section in filter(is_flash, sections):
        if section.name in functions:
            for _, size, line in whole.pieces(functions[section.name]):
                rooms[sources.rooms[line]] += size
            continue
        rest = section.size
        for at, size, name in symbols:
            if section.start <= at < section.start + section.size:
                rooms[sources.room_of.get(name.split(".")[0], OTHER)] += size
                rest -= size
        owners = [sources.room_of[part] for part in section.name.split(".") if part in sources.room_of]
        rooms[owners[0] if owners else OTHER] += rest
    return rooms


# ---- stack ----

class Stack:
    """The deepest chain of calls below a function, in a program in which these sections are left: no pointer reaches what is
    not there. Faults: what makes that answer doubtful."""

    def __init__(self, sources, whole, sections):
        self.sources, self.whole = sources, whole
        self.left = {section.name[len(".text."):] for section in sections if section.name.startswith(".text.")}
        self.frames, self.known, self.path, self.faults = {}, {}, [], set()
        for name, size, kind in re.findall(r":([^:\s]+)\t(\d+)\t(\S+)$", read(whole.client[:-2] + ".su"), re.M):
            self.frames[self.plain(name)] = max(int(size), self.frames.get(self.plain(name), 0))
            if kind != "static":
                self.faults.add("the frame of %s has no fixed size" % name)

    @staticmethod
    def plain(name):
        """A name without the numbers of gcc's clones, which its list of frames has in part only."""
        return re.sub(r"(\.\d+)+$", "", name)

    def calls(self, at):
        """Whom a function calls or jumps to, by its instructions."""
        calls = re.findall(r"\t(?:b|call|j|rcall|rjmp)\S*\s.*?(?:0x)?([0-9a-f]+) <[^+>]+>$", "\n".join(self.whole.code[at]), re.M)
        return {int(called, 16) for called in calls} & set(self.whole.code) - {at}

    def pointer_calls(self, at, passed):
        """Whom a function of the client calls through pointers, by the lines that its code is from."""
        pieces = self.whole.pieces(self.whole.functions[at])
        for instruction in self.whole.code[at]:
            if re.search(r"\tblx?\s+r|\tbx\s+(?!lr)|\tmov\s+pc|\t(?:call|jmp)\s+\*|\te?i(?:call|jmp)\b", instruction):
                here = int(instruction.split(":")[0], 16)
                line = next(line for start, size, line in pieces if start <= here < start + size)
                text = self.sources.lines[line].strip()
                if not self.sources.pointers(line) and "switch (" not in text:     # that jumps through a table
                    self.faults.add("%s calls through an unknown pointer: %s" % (self.whole.names[at], text))
        reached = set()
        for line in {line for _, _, line in pieces}:
            for name, functions in self.sources.pointers(line):
                functions = passed if functions is PASSED else functions
                reached.update(functions)
                if not functions and functions is not NOBODY:
                    self.faults.add("%s calls %s, and nothing is known to be there" % (self.whole.names[at], name))
        return {self.whole.addresses[name] for name in reached & self.left}

    def frame(self, at):
        """What one function takes with its return address. For the client gcc says that; library functions push registers."""
        name = self.plain(self.whole.names[at])
        if at not in self.whole.functions:
            code = "\n".join(self.whole.code[at])
            registers = sum(1 + pushed.count(",") for pushed in re.findall(r"\tpush\s+(\{.*\}|%?r\w+)", code))
            stored = sum(map(int, re.findall(r"\tstrd?\s.*\[sp, #-(\d+)\]!", code)))
            return self.whole.target.call_bytes + self.whole.target.push_bytes * registers + stored
        if name not in self.frames:
            self.faults.add("gcc lists no frame of %s" % name)
        return self.frames.get(name, 0)

    def deepest(self, at, passed=frozenset()):
        """(bytes, [(name, bytes), ...]) of the deepest chain from a function on. passed: the functions that its callers
        gave it to call; with others it does another job, so only the same again is a recursion."""
        ours = at in self.whole.functions
        if ours:
            written = {self.sources.functions[line] for _, _, line in self.whole.pieces(self.whole.functions[at])}
            passed = frozenset().union(*map(self.sources.passed_by, written)) or passed
        job = (at, passed)
        if job in self.path:
            if ours:                             # in a library it is a loop between two labels
                self.faults.add("recursion: %s" % " > ".join(self.whole.names[on] for on, _ in self.path[self.path.index(job):] + [job]))
            return 0, []
        if job not in self.known:
            self.path.append(job)
            called = self.calls(at) | (self.pointer_calls(at, passed) if ours else set())
            size, chain = max([(0, [])] + [self.deepest(each, passed) for each in sorted(called)], key=lambda below: below[0])
            self.path.pop()
            self.known[job] = self.frame(at) + size, [(self.whole.names[at], self.frame(at))] + chain
        return self.known[job]


# ---- the measurement ----

# figures: all that sizes.tsv holds. rooms: flash of each, by program. chains: the deepest of each entry. wants: what the whole
# client wants from libraries.
Report = namedtuple("Report", "target build figures rooms chains wants faults")


def short(name):
    """A function's name in tables: without its prefix, and without what gcc adds to the names of its clones."""
    return re.sub(r"^(iothubi|IoTHub[A-Za-z]*)_|\..*", "", name)


def any_in(program):
    """Of the chains that the report shows: the deepest of any function that the program calls."""
    return "any, %s" % program.name


def stack_of(sources, builder, program):
    """A program's stack, Destroy included, and the functions that it calls."""
    _, sections, _ = builder.telemetry(program.flags, program.calls + DESTROY.calls)
    return Stack(sources, builder.whole(program.flags), sections), ENTRIES + re.findall(r"IoTHub\w+(?=\()", program.calls)


def stacks(sources, builder):
    """The deepest chain of each entry of the telemetry program, and of any in the others; faults."""
    stack, entries = stack_of(sources, builder, TELEMETRY)
    chains = {short(entry): stack.deepest(stack.whole.addresses[entry]) for entry in entries}
    faults = set(stack.faults)
    for program in [PEERS_JOB, DEVICE, EVERYTHING, ALL]:
        stack, entries = stack_of(sources, builder, program)
        chains[any_in(program)] = max((stack.deepest(stack.whole.addresses[entry]) for entry in entries), key=lambda chain: chain[0])
        faults |= stack.faults
    return chains, sorted(faults)


def program_figures(builder, program, client_bytes, stack):
    """What a program costs; the names say which, but for the telemetry program's. client_bytes: of the client's block."""
    _, sections, libraries = builder.telemetry(program.flags, program.calls)
    static = ram(builder.target, sections)
    figures = {"flash": flash(sections), "libraries": libraries - builder.empty(), "static RAM": static,
               "RAM in all": static + client_bytes, "worst stack": stack}
    return {name + program_suffix(program): value for name, value in figures.items()}


def shorter_figures(target, program, folder):
    """The same program with the flags that make code shorter."""
    builder = Builder(target._replace(name=target.name + " shorter", flags=target.flags + target.shorter), folder)
    _, sections, libraries = builder.telemetry(program.flags, program.calls)
    return {"flash, shorter" + program_suffix(program): flash(sections), "libraries, shorter" + program_suffix(program): libraries - builder.empty()}


def program_suffix(program):
    return "" if program is TELEMETRY else ", " + program.name


def figure_of(report, program, quantity):
    """A figure of a program, or one that is the same for all of them."""
    return report.figures.get(quantity + program_suffix(program), report.figures.get(quantity))


def measure(target, sources, strings, folder):
    builder = Builder(target, folder)
    structs = builder.struct_sizes(WEBSOCKET.flags)
    chains, faults = stacks(sources, builder)
    taken = {name: structs[name] for name in STATE}
    inbox = 2 * structs["window"] + sum(taken.values())
    block = structs["client"] + strings + FEATURES_OUTBOX + min(size for size in FEATURES_INBOX if size >= inbox)
    figures = program_figures(builder, TELEMETRY, structs["client"] + strings + OUTBOX + INBOX, max(chains[short(entry)][0] for entry in ENTRIES))
    figures.update(program_figures(builder, PEERS_JOB, block, chains[any_in(PEERS_JOB)][0]))
    figures.update(program_figures(builder, DEVICE, block, chains[any_in(DEVICE)][0]))
    figures.update(program_figures(builder, EVERYTHING, block + structs["websocket"], chains[any_in(EVERYTHING)][0]))
    figures.update({
        "client struct": structs["client"],
        "WebSocket": structs["websocket"],
        "HTTP proxy": structs["proxy"],
        "outbox record": structs["record"],
        "message head": structs["message"],
        "static RAM with pools": ram(target, builder.telemetry(POOLS.flags, POOLS.calls)[1]),
        "static RAM with all uses": ram(target, builder.telemetry(ALL.flags, ALL.calls)[1]),
        "outbox and inbox": OUTBOX + INBOX,
        "inbox taken by features": sum(taken.values()),
        "inbox for every feature": inbox,
    })
    for program in PROGRAMS if target.shorter else []:
        figures.update(shorter_figures(target, program, folder))
    figures.update(("inbox taken: " + name, size) for name, size in taken.items())
    figures.update(("stack " + entry, size) for entry, (size, _) in chains.items())
    figures.update(("with " + feature.name, flash(builder.telemetry(feature.flags, feature.calls)[1])) for feature in FEATURES)
    for name, flags in switches():
        flags = EVERYTHING.flags + flags
        figures["switch " + name] = flash(builder.telemetry(flags, EVERYTHING.calls)[1])
        figures["client struct, switch " + name] = builder.struct_sizes(flags)["client"]
    version = re.search(r"(\d+\.\d+\.\d+)(?: \d+)?$", builder.tool("gcc", "--version").splitlines()[0]).group(1)
    build = "%s, `%s` %s" % (target.name, " ".join([target.prefix + "gcc", *target.flags, "-Os"]), version)
    wants = sorted(re.findall(r" U (\S+)", builder.tool("nm", "-u", builder.compile("client.c", *EVERYTHING.flags))))
    rooms = {program.name: by_room(sources, builder, program) for program in PROGRAMS}
    return Report(target, build, figures, rooms, chains, wants, faults)


def smallest(folder):
    """Runs tests/size/smallest.c here: a client with little memory. Answers the bytes of strings that it keeps."""
    program = os.path.join(folder, "smallest")
    run("gcc", "-std=c99", "-I" + ROOT, "-DOUTBOX=%d" % OUTBOX, "-DINBOX=%d" % INBOX, os.path.join(HERE, "smallest.c"), "-o", program)
    return int(run(program))


def measure_all(folder):
    """(reports, failures); failures: (what could not be measured, why)."""
    os.makedirs(folder, exist_ok=True)
    reports, failures = [], []
    try:
        strings, sources = smallest(folder), Sources()
    except (Failure, OSError) as failure:
        return [], [("a client with little memory", str(failure))]
    for target in TARGETS:
        try:
            if shutil.which(target.prefix + "gcc") is None:
                raise Failure("there is no %sgcc" % target.prefix)
            reports.append(measure(target, sources, strings, folder))
        except Failure as failure:
            failures.append((target.name, str(failure)))
    return reports, failures
