#!/usr/bin/env python3
"""Runs the bench's programs, reads callgrind's counts and prints the tables. tools/bench builds the programs and calls this.

    report.py PROGRAMS [--write | --check]

With BENCH_PORT and BENCH_ROOTS in the environment a broker listens on localhost, and the peers are measured too."""
import base64
import collections
import hashlib
import hmac
import os
import re
import subprocess
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "bench.tsv")
README = os.path.join(HERE, "README.md")
PROGRAMS = sys.argv[1] if len(sys.argv) > 1 else ""
N = 1000                                         # counts are differences of runs with N and 2 N messages
WINDOWS = [1, 10, 1000]
SIZES = [16, 128, 1024, 4096]
TOLERANCE = 0.02

HUB = "myhub.azure-devices.net"
KEY = bytes(range(32))
EXPIRY = 1800003600                              # an hour after the model's clock


def token():
    resource = urllib.parse.quote(HUB + "/devices/dev1", safe="")
    digest = hmac.new(KEY, ("%s\n%d" % (resource, EXPIRY)).encode(), hashlib.sha256).digest()
    return "SharedAccessSignature sr=%s&sig=%s&se=%d" % (resource, urllib.parse.quote(base64.b64encode(digest), safe=""), EXPIRY)


# A fixed environment: its size moves the stack. Without these tunables memcpy would be another one on each processor.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LD_BIND_NOW": "1",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-SSSE3",
    "BENCH_PORT": os.environ.get("BENCH_PORT", "8883"),
    "BENCH_ROOTS": os.environ.get("BENCH_ROOTS", ""),
    "BENCH_USER": HUB + "/dev1/?api-version=2021-04-12",
    "BENCH_PASSWORD": token(),
}


def progress(text):
    print("== " + text, file=sys.stderr, flush=True)


# ---- running

def run(command, **more):
    """Runs one of the programs; answers what it printed, as numbers by name."""
    done = subprocess.run(command, env=dict(ENVIRONMENT, **more), timeout=120, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("%s: exit code %d\n%s" % (" ".join(command), done.returncode, done.stderr))
    return figures_of(done.stdout)


def figures_of(text):
    return {name: float(value) for name, value in (line.split() for line in text.splitlines())}


def program(name, *arguments):
    return [os.path.join(PROGRAMS, name)] + [str(argument) for argument in arguments]


def probe(command):
    """What tests/bench/probe.c counts."""
    result = os.path.join(PROGRAMS, "probe.out")
    run(command, LD_PRELOAD=os.path.join(PROGRAMS, "probe.so"), BENCH_PROBE=result)
    with open(result) as file:
        return figures_of(file.read())


def per_message(measure, command):
    """command makes a command line for a number of messages."""
    few, many = measure(command(N)), measure(command(2 * N))
    return {name: (many[name] - few[name]) / N for name in many}


# ---- callgrind

NAME = re.compile(r"\((\d+)\)(?: (.*))?")


def read_callgrind(path):
    """Instructions by function, and those of the calls (with all that they called) from one function to another.
    A function is (object file, name)."""
    names = {"ob": {}, "fn": {}}
    own, calls = collections.Counter(), collections.Counter()
    here, called, is_call = {"ob": "", "fn": ""}, {}, False

    def full_name(kind, text):
        number, name = NAME.match(text).groups()
        if name is not None:
            names[kind][number] = name
        return names[kind][number]

    with open(path) as file:
        for line in file:
            if line[0] in "0123456789+-*":
                cost = int(line.split()[1])
                if is_call:
                    calls[(here["ob"], here["fn"]), (called.get("ob", here["ob"]), called["fn"])] += cost
                    called, is_call = {}, False
                else:
                    own[here["ob"], here["fn"]] += cost
            elif line.startswith(("ob=", "fn=")):
                here[line[:2]] = full_name(line[:2], line[3:].rstrip())
            elif line.startswith(("cob=", "cfn=")):
                called[line[1:3]] = full_name(line[1:3], line[4:].rstrip())
            elif line.startswith("calls="):
                is_call = True
    return own, calls


def part_of(function):
    """Whose work a function is: the TLS library's, the port's, the client's, libc's, or the bench's own loop."""
    file, name = function
    if "libssl" in file or "libcrypto" in file:
        return "tls"
    if "libc.so" in file:
        return "libc"
    if name.startswith("port_"):
        return "port"
    return "client" if name.startswith(("iothubi_", "IoTHub")) else "loop"


def instructions(command):
    """Instructions by part. What the TLS library and the port call in turn is theirs; so is only the rest own."""
    result = os.path.join(PROGRAMS, "callgrind.out")
    subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + result] + command, env=ENVIRONMENT, timeout=300,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    own, calls = read_callgrind(result)
    parts = collections.Counter()
    for function, cost in own.items():
        parts["total"] += cost
        if part_of(function) in ("client", "loop"):
            parts[part_of(function)] += cost
    for (caller, callee), cost in calls.items():
        edge = part_of(caller), part_of(callee)
        if edge[1] == "tls" and edge[0] != "tls":
            parts["tls"] += cost
            if edge[0] == "port":
                parts["port"] -= cost
        elif edge[1] == "port" and edge[0] != "port":
            parts["port"] += cost
    parts["own"] = parts["total"] - parts["tls"] - parts["port"]
    parts["libc"] = parts["own"] - parts["client"] - parts["loop"]
    return parts


# ---- the figures that are the same in every run: our client and the hub in memory

Figure = collections.namedtuple("Figure", "text limit higher_is_better")
FIGURES = {}


def figure(name, text, limit=None, higher_is_better=False):
    FIGURES[name] = Figure(text, limit, higher_is_better)


MATRIX = {(window, size): "instructions_w%d_b%d" % (window, size) for size in SIZES for window in WINDOWS}
for (window, size), name in MATRIX.items():
    figure(name, "own instructions a message, W = {:,}, {:,} bytes".format(window, size),
           500 if size == 128 and window > 1 else None)
figure("client_w10_b128", "of these the client's (W = 10, 128 bytes)")
figure("libc_w10_b128", "of these mem* and strlen")
figure("loop_w10_b128", "of these the program's loop")
figure("instructions_wrap_w10_b128", "own instructions a message, W = 10, 128 bytes, body borrowed (IoTHubMessage_Wrap)", 500)
figure("idle_do_work", "own instructions of an idle DoWork", 120)
figure("idle_next_work", "own instructions of an idle GetNextWork")
figure("clear_out", "bytes of clear text out a message (128 of them body)")
figure("clear_in", "bytes of clear text in a message")
figure("writes_w10", "calls of write with bytes a message, W = 10")
figure("pushes_w10", "pushes a message, W = 10: one TLS record each")
figure("burst", "messages a push in a burst, outbox of 4 KB", 8, True)
figure("connect_out", "connect + 1 message + disconnect: bytes of clear text out", 380)
figure("connect_in", "connect + 1 message + disconnect: bytes of clear text in")
figure("round_trips", "round trips from the open stream to the first acknowledgement", 1)
figure("mallocs", "mallocs a message", 0)
figure("all_round_trips", "everything wanted: round trips from the open stream until all is subscribed, the twin there and the first message acknowledged", 2)
figure("all_connect_out", "everything wanted: connect + 1 message + disconnect: bytes of clear text out")
figure("all_connect_in", "everything wanted: connect + 1 message + disconnect: bytes of clear text in (a twin of 73)")
figure("all_connect_pushes", "everything wanted: connect + 1 message + disconnect: pushes")
figure("all_message", "own instructions of a message received, 128 bytes: read, callback, acknowledgement")
figure("all_patch", "own instructions of a twin patch received, 31 bytes: read, callback")
figure("all_call", "own instructions of a method call received and its answer: read, callback, answer of 11 bytes")
figure("all_idle_do_work", "everything wanted: own instructions of an idle DoWork", 120)
figure("memory", "bytes of memory a message in flight, W = 1,000, 128 bytes: record and stored bytes")


def ours(stream, job, window=10, size=128):
    """A command line of ours, for a number of messages."""
    return lambda count: program("ours", stream, job, count, window, size)


def measure_figures():
    found = {}
    for size in SIZES:
        progress("our client and the hub in memory: %d bytes" % size)
        for window in WINDOWS:
            parts = per_message(instructions, ours("model", "send", window, size))
            found[MATRIX[window, size]] = parts["own"]
            if (window, size) == (10, 128):
                for part in ("client", "libc", "loop"):
                    found["%s_w10_b128" % part] = parts[part]
    progress("our client and the hub in memory: the rest")
    found["instructions_wrap_w10_b128"] = per_message(instructions, ours("model", "wrap"))["own"]
    for job in ("idle", "next"):
        parts = per_message(instructions, ours("model", job))
        found["idle_next_work" if job == "next" else "idle_do_work"] = parts["client"] + parts["libc"]
    one_by_one, windowed = (per_message(run, ours("model", "send", window)) for window in (1, 10))
    found["clear_out"], found["clear_in"] = one_by_one["clear_out"], one_by_one["clear_in"]
    found["writes_w10"], found["pushes_w10"] = windowed["writes"], windowed["pushes"]
    found["burst"] = 1 / per_message(run, ours("model", "burst", 64))["pushes"]
    once = run(ours("model", "send")(1))
    found["connect_out"], found["connect_in"] = once["clear_out"], once["clear_in"]
    found["round_trips"] = run(ours("model", "trips")(1))["round_trips"]
    found["mallocs"] = per_message(probe, ours("model", "send"))["mallocs"]
    progress("our client and the hub in memory: everything wanted")
    found["all_round_trips"] = run(ours("model", "all_trips")(1))["round_trips"]
    once = run(ours("model", "all_idle")(0))
    found["all_connect_out"], found["all_connect_in"], found["all_connect_pushes"] = once["clear_out"], once["clear_in"], once["pushes"]
    for job in ("all_message", "all_patch", "all_call"):
        found[job] = per_message(instructions, ours("model", job))["own"]
    parts = per_message(instructions, ours("model", "all_idle"))
    found["all_idle_do_work"] = parts["client"] + parts["libc"]
    memory = run(ours("model", "memory", 1000)(1))
    found["memory"] = memory["record_bytes"] + memory["stored_bytes"]
    return {name: float("%.5g" % found[name]) for name in FIGURES}


def read_table():
    with open(TABLE) as file:
        rows = (line.rstrip("\n").split("\t") for line in file)
        return {name: float(value) for name, value in rows if name != "name"}


def write_table(figures):
    with open(TABLE, "w") as file:
        file.write("name\tvalue\n")
        file.writelines("%s\t%.5g\n" % (name, value) for name, value in figures.items())


# ---- beside the peers, over a real broker

PEERS = {
    "iothub_client.h": lambda job, window, size: ours("openssl", job, window, size),
    "libmosquitto": lambda job, window, size: lambda count: program("mosquitto", job, count, window, size),
    "Paho C (MQTTAsync)": lambda job, window, size: lambda count: program("paho", job, count, window, size),
}
JOBS = [(window, 128) for window in WINDOWS] + [(10, size) for size in SIZES if size != 128]


def measure_peers():
    found = {}
    for name, command in PEERS.items():
        progress("over the broker: " + name)
        peer = found[name] = {}
        for window, size in JOBS:
            peer[window, size] = per_message(instructions, command("send", window, size))
        peer["message"] = per_message(probe, command("send", 10, 128))
        peer["once"] = probe(command("send", 10, 128)(1))
        crowd = probe(command("send", 1000, 128)(N))["heap_peak"] - probe(command("send", 10, 128)(N))["heap_peak"]
        peer["memory"] = crowd / (1000 - 10)
        if name != "Paho C (MQTTAsync)":         # it works in threads of its own
            peer["idle"] = per_message(instructions, command("idle", 10, 128))
    return found


def measure_bursts():
    """Messages a TLS record in a burst."""
    progress("over the broker: bursts")
    return {stream: 1 / per_message(probe, ours(stream, "burst", 64))["records"] for stream in ("openssl", "bearssl", "bearssl_mono")}


# ---- tables

def number(value, digits=0):
    return "{:,.{}f}".format(value, digits)


def short(value):
    return number(value, 0 if value == round(value) or value >= 100 else 1 if value >= 10 else 2)


def rows(head, body):
    return ["| %s |" % " | ".join(head), "|%s" % (" --- |" * len(head))] + ["| %s |" % " | ".join(row) for row in body] + [""]


def is_reached(name, value):
    limit = FIGURES[name].limit
    return value >= limit if FIGURES[name].higher_is_better else value <= limit


def tables_of_figures(figures):
    """What bench.tsv holds, to be read."""
    lines = rows(["own instructions a message"] + ["%s bytes" % number(size) for size in SIZES],
                 [["W = %s" % number(window)] + [number(figures[MATRIX[window, size]]) for size in SIZES]
                  for window in WINDOWS])
    body = []
    for name, (text, limit, higher) in FIGURES.items():
        if name not in MATRIX.values() or limit is not None:
            bound = "" if limit is None else "at %s %d%s" % ("least" if higher else "most", limit,
                                                           "" if is_reached(name, figures[name]) else ": **not reached**")
            body.append([text, short(figures[name]), bound])
    return lines + rows(["figure", "now", "limit"], body)


def tables_of_peers(found, bursts):
    mosquitto_idle, our_idle = found["libmosquitto"]["idle"], found["iothub_client.h"]["idle"]
    lines = ["Instructions a message, own (in brackets: in TLS):", ""]
    lines += rows(["client"] + ["W = %s, %s bytes" % (number(window), number(size)) for window, size in JOBS],
                  [[name] + ["%s (%s)" % (number(peer[job]["own"]), number(peer[job]["tls"])) for job in JOBS] for name, peer in found.items()])
    port = [found["iothub_client.h"][job]["port"] for job in JOBS]
    lines += ["Our port, `openssl_stream.h`, takes %s to %s more, most of it the copy into its record; the peers' own include theirs." % (number(min(port)), number(max(port))), ""]
    lines += ["A message of 128 bytes, W = 10:", ""]
    body = []
    for name, peer in found.items():
        message = peer["message"]
        body.append([name] + [short(message[key]) for key in ("tls_writes", "records", "clear_out", "clear_in", "wire_out", "wire_in", "mallocs", "mallocs_tls")])
    lines += rows(["client", "SSL_write", "TLS records", "clear text out", "in", "wire out", "in", "mallocs", "in OpenSSL"], body)
    lines += ["Connect, one message of 128 bytes, disconnect:", ""]
    body = []
    for name, peer in found.items():
        once = peer["once"]
        body.append([name] + [short(once[key]) for key in ("clear_out", "clear_in", "wire_out", "wire_in", "round_trips")])
    lines += rows(["client", "clear text out", "in", "wire out", "in", "round trips from TLS to the first PUBACK"], body)
    lines += ["Heap a message in flight (its peak at W = 1,000 less that at W = 10, in 990 parts; Paho's with the queue to its sending thread):",
              ", ".join("%s %s bytes" % (name, number(peer["memory"])) for name, peer in found.items() if name != "iothub_client.h") +
              ". Ours is not heap, see above.", "",
              "A call of the loop with nothing to do, own and in TLS: DoWork %s and %s (it asks SSL_read), mosquitto_loop(0) %s and %s (it asks select)."
              % tuple(number(idle[part]) for idle in (our_idle, mosquitto_idle) for part in ("own", "tls")), "",
              "Messages a TLS record in a burst, outbox of 4 KB: OpenSSL %s, ports/bearssl %s, ports/bearssl with records of 512 bytes %s."
              % tuple(number(bursts[stream], 1) for stream in ("openssl", "bearssl", "bearssl_mono")), ""]
    return lines


ELSEWHERE = """| client | own, W = 10 | own, all in flight | mallocs | SSL_write | wire out | connect + 1 + disconnect, clear text out | idle call, own and in TLS |
| --- | --- | --- | --- | --- | --- | --- | --- |
| azure-iot-sdk-c (c86b2d6a) | 7,300 | 20,000 | 22 | 1 | 186 | 442 | 956 |
| libmosquitto 2.0.11 | 4,900 | 44,000 | 6 | 1 | 187 | 371 to 373 | 523 |
| Paho C 1.3.12 (MQTTAsync) | 86,000 | 122,000 | 64 | 1 | 186 | 373 | |
| coreMQTT 2.3.1 + azure-sdk-for-c | 1,960 | 48,100 | 0 | 4 | 252 | 411 to 415 | 1,220 (126 own) |
| MQTT-C + azure-sdk-for-c | 1,510 | 19,300 | 0 | 1 | 186 | 411 to 415 | 1,594 (500 own) |
"""

HOW = """# Bench

What a message costs. `./tools/bench` prints these tables, `./tools/bench --write` writes them here and into `bench.tsv`, and
`./tools/bench --check` measures the figures of `bench.tsv` again and fails when one is more than 2 % worse, or better, which means
that the table is stale. Debian 12, x86-64, `gcc-12 -O2`: other compilers give other counts.

**The job**: connect with user name and SAS token, send N messages with QoS 1 to `devices/dev1/messages/events/` with at most W
unacknowledged, disconnect. Host name `myhub.azure-devices.net`, device `dev1`, no product info. A figure a message is
(N = 2,000 less N = 1,000) / 1,000, so that connection and set-up drop out.

**Own instructions** are callgrind's count of everything outside TLS and outside the port: making and destroying the message (with a
copy of its body, unless it says borrowed), SendEventAsync, DoWork, the confirmation, mem*, and the program's loop: fill the window, DoWork, and
when nothing was confirmed GetNextWork and wait. So with W = 1 a message takes two rounds of that loop. An idle call counts without
the loop. The peers' own contain malloc. The kernel does not count.

**Everything wanted** is the same client with callbacks for messages, twin and methods, and an inbox of 768 bytes: it subscribes to
four filters and gets the twin. What it receives then comes one at a time, each in a round of the loop or two (a DoWork reads 256
bytes at most); its count has the loop, the callback and the answer in it.

| file | what it is |
| --- | --- |
| `ours.c`, `implementation.c` | our job, and the product |
| `model_hub.h` | the hub in memory: clear text, no sockets, the same counts in every run |
| `openssl_stream.h` | an IOTHUB_IO over OpenSSL, so that ours and the peers use the same TLS |
| `mosquitto.c`, `paho.c`, `job.h` | the same job with the peers |
| `probe.c` | LD_PRELOAD: counts mallocs, bytes, records, round trips |
| `report.py` | runs them, reads callgrind's files, prints the tables |

## Our client and a hub in memory

The figures of `bench.tsv`.
"""

BESIDE = """## Beside libmosquitto and Paho C

The same job in the same run, over Debian's mosquitto on loopback and OpenSSL (TLS 1.3, RSA-2048). The broker's timing decides how many
acknowledgements come at once, so these figures move by some per cent, Paho's threads by more; they are not checked.
"""


def report(figures, found, bursts):
    return "\n".join([HOW] + tables_of_figures(figures) + [BESIDE] + tables_of_peers(found, bursts)
                     + ["## Measured elsewhere (2026-11-20/21)", "",
                        "The same job and machine, 128 bytes, drivers of our own apart from the project. \"All in flight\" is W = N, averaged over N = 1,000 to 2,000.",
                        "", ELSEWHERE])


# ---- check

def check(figures):
    """Lines for tools/test; True when all is well."""
    lines = []
    table = read_table() if os.path.exists(TABLE) else {}
    for name, value in figures.items():
        what, committed = "%s: %s" % (FIGURES[name].text, short(value)), table.get(name)
        if committed is None:
            lines.append("FAIL  %s; bench.tsv does not have it: run tools/bench --write" % what)
        elif abs(value - committed) > TOLERANCE * committed:
            better = (value > committed) == FIGURES[name].higher_is_better
            lines.append("FAIL  %s, committed %s%s" % (what, short(committed), "; better: run tools/bench --write" if better else ""))
        elif FIGURES[name].limit is not None and is_reached(name, committed) and not is_reached(name, value):
            lines.append("FAIL  %s, within 2 %% of the table but beyond the limit of %d" % (what, FIGURES[name].limit))
        else:
            lines.append("ok    %s" % what)
    stale = table.keys() != FIGURES.keys()
    if not stale:
        with open(README) as file:
            stale = "\n".join(tables_of_figures(table)) not in file.read()
    lines.append("%s  tests/bench/README.md shows bench.tsv" % ("FAIL" if stale else "ok  "))
    print("\n".join(lines + ["done"]))
    return not any(line.startswith("FAIL") for line in lines)


def main():
    figures = measure_figures()
    if "--check" in sys.argv:
        sys.exit(not check(figures))
    text = report(figures, measure_peers(), measure_bursts())
    print(text, end="")
    if "--write" in sys.argv:
        write_table(figures)
        with open(README, "w") as file:
            file.write(text)


if __name__ == "__main__":
    main()
