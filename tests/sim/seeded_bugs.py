#!/usr/bin/env python3
"""Seeds bugs into the client, one at a time, and lets the simulation find them.

Each bug is one edit of iothub_client.h. It must be found within 10,000 seeds, without the named cases' help; the line says
after how many, and by which invariant. An edit that no longer fits the header is a failure too: mend it here.

    tests/sim/seeded_bugs.py BUILD_FOLDER [NAME]
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

SEEDS = 10000
ROOMS = ["main", "tools", "stream", "hub", "hub_session", "hub_messages", "hub_twin", "hub_methods", "program", "program_messages",
         "program_twin", "program_methods", "faults", "life", "cases", "cases_features"]

BUGS = [
    ("no DUP on a repeat",
     "                outbox->bytes[record->at] |= IOTHUBI_MQTT_DUP;\n", ""),
    ("DUP on QoS 0",
     "            if (iothubi_mqtt_is_qos1(outbox, record)) {\n                outbox->bytes", "            {\n                outbox->bytes"),
    ("DUP on messages of which no byte was offered",
     "if (record->state == IOTHUBI_RECORD_OFFERED || record->state == IOTHUBI_RECORD_SENT) {",
     "if (record->state != IOTHUBI_RECORD_DONE) {"),
    ("a packet id is given again while it is live",
     "outbox->first_id = iothubi_outbox_id(outbox, 1);", "outbox->first_id = iothubi_outbox_id(outbox, outbox->count > 1);"),
    ("an acknowledgement of another connection is believed",
     "    if (record->state != IOTHUBI_RECORD_SENT || iothubi_is_reported", "    if (record->state == IOTHUBI_RECORD_DONE || iothubi_is_reported"),
    ("an acknowledgement does not make room in the window",
     "    outbox->in_flight -= 1;\n    if (index == 0) {", "    if (index == 0) {"),
    ("the deadline of acknowledgements is not re-armed",
     "        session->acknowledgement_tick = now;\n    }\n    if (session->window < options->in_flight",
     "    }\n    if (session->window < options->in_flight"),
    ("what arrives does not count as a sign of life",
     "    client->mqtt.received_tick = client->now;\n", ""),
    ("PINGRESP does not end the waiting for it",
     "            client->mqtt.ping = IOTHUBI_MQTT_PING_NONE;\n", ""),
    ("a second ping while the first is unanswered",
     "    if (session->ping == IOTHUBI_MQTT_PING_NONE) {\n        if (session->keep_alive_s != 0) {",
     "    if (session->ping != IOTHUBI_MQTT_PING_WANTED) {\n        if (session->keep_alive_s != 0) {"),
    ("no ping when nothing is received",
     "            iothubi_timer_add_s(timer, IOTHUB_CODE_NONE, session->received_tick, session->keep_alive_s);\n", ""),
    ("CONNECT never goes alone",
     "    session->alone = !session->connected;\n", ""),
    ("nine messages before CONNACK",
     "#define IOTHUBI_MQTT_PIPELINED_BYTES 2048u", "#define IOTHUBI_MQTT_PIPELINED_BYTES 2304u"),
    ("a ping follows DISCONNECT",
     "    } else if (session->leaving == IOTHUBI_MQTT_LEFT) {\n        return IOTHUBI_MQTT_OUT_NOTHING;\n", ""),
    ("a new message joins what was promised and not taken",
     "    session->promised -= left;\n    *size = taken - left;", "    session->promised = 0;\n    *size = taken - left;"),
    ("a short write of a message starts it again",
     "        session->promised -= taken;\n        session->part += taken;\n        *size = 0;", "        session->promised -= taken;\n        *size = 0;"),
    ("the last flight is not pushed",
     "    if (i == IOTHUB_WORK_WRITES) {\n        client->busy = 1;\n    }\n    iothubi_push(client);",
     "    if (i == IOTHUB_WORK_WRITES) {\n        client->busy = 1;\n        return;\n    }\n    iothubi_push(client);"),
    ("a write that takes nothing stops reading",
     "    if (client->state >= IOTHUBI_CONNECTING) {\n        iothubi_receive(client);",
     "    if (client->state >= IOTHUBI_CONNECTING && !client->blocked) {\n        iothubi_receive(client);"),
    ("a dead stream is not closed",
     "    if (client->state >= IOTHUBI_OPENING) {\n        client->io->close",
     "    if (client->state > IOTHUBI_OPENING) {\n        client->io->close"),
    ("a retry is not waited for",
     "    retry->delay_ms = retry->delay(retry, kind, random);", "    retry->delay_ms = 0;"),
    ("the back-off has no cap",
     "    return base < cap ? base : cap;", "    return base;"),
    ("a renewal is not planned",
     "    client->renewing = 1;\n", ""),
    ("a token is signed while the time is unknown",
     "    return time >= (uint32_t)IOTHUB_CLOCK_MINIMUM ? time : 0;", "    return time + 1u;"),
    ("a message times out although it was sent",
     "            if (!record->expiring || record->state != IOTHUBI_RECORD_QUEUED) {",
     "            if (!record->expiring || record->state == IOTHUBI_RECORD_DONE) {"),
    ("after a loss no message's age is looked at",
     "        client->expiring = IOTHUBI_OPTION(client, extras) != 0 && client->outbox.count != 0;\n", "        client->expiring = 0;\n"),
    ("Destroy forgets the newest message",
     "    while (client->outbox.count != 0) {\n        iothubi_record *record = iothubi_outbox_record(&client->outbox, 0);\n        if (iothubi_is_reported",
     "    while (client->outbox.count > 1) {\n        iothubi_record *record = iothubi_outbox_record(&client->outbox, 0);\n        if (iothubi_is_reported"),
    ("a long message of the hub's is read out of step",
     "    parser->remaining |= (uint32_t)(byte & 127u) << (7 * parser->count);", "    parser->remaining |= (uint32_t)(byte & 127u) << (8 * parser->count);"),
    ("a second CONNACK is taken for the first",
     "    if (client->mqtt.connected) {\n        iothubi_break", "    if (0) {\n        iothubi_break"),
    ("the outbox writes over its oldest message",
     "    return tail > head && size <= head ? 0 : outbox->capacity;\n", "    return tail > head && size <= head + 1u ? 0 : outbox->capacity;\n"),
    ("the signature of the last token is sent again",
     "    client->token_expiry = 0;\n    client->renewing", "    client->renewing"),
    ("Stop is not obeyed while waiting",
     "    } else if (client->state != IOTHUBI_STOPPED && client->state < IOTHUBI_READY) {",
     "    } else if (client->state > IOTHUBI_WAITING && client->state < IOTHUBI_READY) {"),
    # messages from the cloud
    ("a rejected message is acknowledged",
     "iothubi_message_settle(client, held, answer == IOTHUBMESSAGE_ACCEPTED);", "iothubi_message_settle(client, held, answer != IOTHUBMESSAGE_ABANDONED);"),
    ("acknowledgements of the last connection go to the next",
     "    mailbox->owed_count = 0;\n    mailbox->writing = 0;", "    mailbox->writing = 0;"),
    ("a message that was kept over a reconnect is acknowledged",
     "        mailbox->held[i].id = 0;\n", ""),
    ("an accepted message does not wait for earlier ones",
     "if (first == 0 || waited_s >= IOTHUBI_OWED_PATIENCE_S) {", "if (first == 0 || waited_s >= 3u) {"),
    ("an accepted message waits for earlier ones for ever",
     "if (first == 0 || waited_s >= IOTHUBI_OWED_PATIENCE_S) {", "if (first == 0) {"),
    ("a settled message may be settled again",
     "    held->used = 0;\n    iothubi_message_look_low(client);", "    iothubi_message_look_low(client);"),
    ("escapes are decoded wrongly",
     "int value = iothubi_hex_value(escape[1]) << 4 |", "int value = iothubi_hex_value(escape[1]) << 3 |"),
    # pieces
    ("no piece is the last",
     "last ? IOTHUB_PIECE_LAST : IOTHUB_PIECE_MORE", "IOTHUB_PIECE_MORE"),
    ("a body in pieces that is cut is not told",
     "        client->piece(client, NULL, 0, IOTHUB_PIECE_CUT);\n", ""),
    ("the second piece of a kept message begins a byte late",
     "*bytes = from != size ? kept.body + (from - size) : kept.body;", "*bytes = kept.body + (from - size) + (from > size);"),
    # twin
    ("a patch is taken although the one before it is missing",
     "    if (!twin->known || version - twin->version != 1u) {", "    if (!twin->known) {"),
    ("a document that is older than a patch is believed",
     "    if (twin->known && twin->version < twin->newest) {", "    if (twin->version < 1u) {"),
    ("no new document after a reconnect",
     "twin->get = iothubi_twin_is_wanted(twin) || twin->waiting != 0 ? IOTHUBI_GET_WANTED : IOTHUBI_GET_NONE;", "twin->get = IOTHUBI_GET_NONE;"),
    ("retry-after is not waited for",
     "        iothubi_twin_hold(client->twin, after_s, client->now);\n", "        iothubi_twin_hold(client->twin, 1, client->now);\n"),
    # methods
    ("a method may be answered twice",
     "    pending->number = 0;\n    iothubi_wake(client);", "    iothubi_wake(client);"),
    ("answers outlive the connection",
     "    methods->answers_used = 0;\n}", "}"),
    ("methods outlive the connection",
     "        methods->pending[i].number = 0;\n    }\n    methods->answers_used", "    }\n    methods->answers_used"),
    # subscriptions and policies
    ("a reconnect does not subscribe again",
     "    IOTHUB_MEMSET(subscriptions, 0, sizeof *subscriptions);\n", ""),
    ("a refused subscription is not asked for again",
     "        client->subscriptions.refused = 0;\n", ""),
    ("the outbox drops what is on its way",
     "policy == IOTHUB_OUTBOX_DROP_OLDEST && (record->state != IOTHUBI_RECORD_QUEUED || ", "policy == IOTHUB_OUTBOX_DROP_OLDEST && ("),
]


def compile_room(build, name, flags, source, output):
    command = ["gcc", "-std=gnu99", "-O2"] + flags + ["-I.", "-Itests/sim", "-c", source, "-o", output]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        print("FAIL  seeded bugs: %s does not build\n%s" % (name, result.stderr[:2000]))
    return result.returncode == 0


def seek(build, header, number, bug):
    name, old, new = bug
    if header.count(old) != 1:
        return name, None, "its edit fits %d times" % header.count(old)
    folder = os.path.join(build, "bug_%02d" % number)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "iothub_client.h"), "w") as file:
        file.write(header.replace(old, new))
    objects = [os.path.join(build, room + ".o") for room in ROOMS]
    device = os.path.join(folder, "device.o")
    if not compile_room(build, name, ["-I" + folder], "tests/sim/device.c", device):
        return name, None, "does not build"
    program = os.path.join(folder, "sim")
    subprocess.run(["gcc"] + objects + [device, "-o", program], check=True)
    try:
        result = subprocess.run(["timeout", "120", program, "--seeds", str(SEEDS), "--stop", "--no-table"], capture_output=True, text=True)
    finally:
        for path in (program, device):
            os.remove(path)
    found = re.search(r"FAIL  seed (\d+) .*?invariant (\d+): (.*)", result.stdout)
    if found:
        return name, int(found.group(1)), "invariant %s: %s" % (found.group(2), found.group(3))
    return name, None, "NOT found in %d seeds (exit code %d)" % (SEEDS, result.returncode)


def main():
    build = os.path.join(sys.argv[1], "seeded_bugs")
    os.makedirs(build, exist_ok=True)
    with open("iothub_client.h") as file:
        header = file.read()
    bugs = [bug for bug in BUGS if len(sys.argv) < 3 or sys.argv[2] in bug[0]]
    for room in ROOMS:
        if not compile_room(build, room, [], "tests/sim/%s.c" % room, os.path.join(build, room + ".o")):
            return 1
    found = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        for name, seed, how in pool.map(lambda pair: seek(build, header, *pair), enumerate(bugs)):
            found += seed is not None
            print("%s  seeded bug: %-58s %s %s" % ("ok  " if seed is not None else "FAIL", name, "seed %5d," % seed if seed else "", how), flush=True)
    print("done: %d of %d seeded bugs found" % (found, len(bugs)))
    return 0 if found == len(bugs) else 1


if __name__ == "__main__":
    sys.exit(main())
