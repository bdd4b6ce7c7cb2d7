"""What an image must do on an emulated board, judged from both sides: the firmware's own words and the hub's events.

usage: scenario.py BOARD IMAGE FRONT FOLDER     prints ok/FAIL lines, writes FOLDER/BOARD.transcript.txt"""

import base64, json, os, shutil, sys, time, zlib
from lab import Board, Cable, Front, Hub, Transcript, settings_of

HUB = 'firmware-hub.azure-devices.net'
KEY = base64.b64encode(bytes(range(32))).decode()
SETTINGS_AT = {'lm3s6965evb': 0x3F000, 'mps2-an385': 0x3FF000}
LAYER_DNS, LAYER_TRUST, LAYER_NAME = 5, 9, 10
ASLEEP_PER_CENT = 90                              # at least, by its own count, with a message a second, everything else included
BUSY = 0.10                                       # of a host's processor, by the host's count; a loop instead of wfi takes all of one


def says(*parts):
    return lambda text, event: all(part in text for part in parts)


def event(kind, **fields):
    return lambda text, found: found is not None and found['event'] == kind and all(
        value(found.get(name)) if callable(value) else found.get(name) == value for name, value in fields.items())


class Stage:
    """One board on one cable, and checks of what both sides say."""

    def __init__(self, board, image, folder, name=HUB):
        self.name, self.image, self.folder, self.host = board, image, folder, name
        self.transcript = Transcript()
        self.hub = self.front = self.cable = self.board = None
        self.since = 0
        self.good = True

    def start_hub(self, state, port=0, extra=()):
        self.hub = Hub(self.transcript, HUB, os.path.join(self.folder, state), KEY, port, extra)

    def start_board(self, certificate, names):
        self.cable = Cable(self.transcript, names)
        string = 'HostName=%s:%d;DeviceId=firmware-1;SharedAccessKey=%s' % (self.host, (self.front or self.hub).port, KEY)
        self.board = Board(self.transcript, self.name, self.image, SETTINGS_AT[self.name], settings_of(string, certificate), self.cable, self.folder)

    def end(self):
        for part in (self.board, self.front, self.hub):
            if part:
                part.stop()
        if self.cable:
            self.cable.end()

    def begin(self):
        """What is waited for from now on comes behind this point."""
        self.since = len(self.transcript.lines)

    def wait(self, side, match, seconds=15, since=None):
        return self.transcript.wait(side, match, seconds, self.since if since is None else since)

    def at(self, index):
        return self.transcript.lines[index][0]

    def check(self, what, findings):
        print('%s  %s: %s' % ('ok  ' if not findings else 'FAIL', self.name, what), flush=True)
        for line in findings:
            print('      ' + line)
        self.good &= not findings
        return not findings

    def both(self, what, firmware, hub, seconds=15):
        """Waits for one line of each side, in any order. Answers their indices."""
        end = time.monotonic() + seconds
        indices, findings = [], []
        for side, match in (('firmware', firmware), ('hub', hub)):
            indices.append(self.wait(side, match, max(0.05, end - time.monotonic())))
            if indices[-1] is None:
                findings.append('not seen at the %s within %d s' % (side, seconds))
        if findings:
            findings += ['%.3f %s: %s' % line[:3] for line in self.transcript.lines[self.since:][-12:]]
        self.check(what, findings)
        return indices if not findings else (None, None)


def telemetry(stage, since=0):
    """Index, number and DUP of each message that the hub has."""
    return [(i, json.loads(found['text'])['n'], found['dup']) for i, (_, side, _, found) in enumerate(stage.transcript.lines)
            if i >= since and side == 'hub' and found['event'] == 'telemetry']


def starts(stage):
    stage.both('starts, has an address by DHCP, asks DNS for the hub, verifies TLS 1.2 and connects', says('connected, TLS session new'),
               event('connect', clientId='firmware-1', tls=lambda tls: tls.startswith('TLSv1.2 ECDHE-') and not tls.endswith('resumed')), 20)
    findings = [] if stage.transcript.find('cable', says('DNS: %s? 10.0.2.2' % HUB)) is not None else ['no question of DNS crossed the cable']
    for part in ('address 10.0.2.15 by DHCP, router 10.0.2.2, names from 10.0.2.3', '%s is 10.0.2.2' % HUB):
        if stage.transcript.find('firmware', says(part)) is None:
            findings.append('the firmware does not say: ' + part)
    stage.check('has its address from DHCP, and the hub\'s from DNS', findings)
    stage.both('telemetry is at the hub, and confirmed to the firmware', says('confirmed 0: OK'),
               event('telemetry', text=lambda text: json.loads(text)['n'] == 0, system={'content-type': 'application/json'}))


def twin(stage):
    stage.both('reports its state', says('reported: status 204'), event('reported', patch={'period': 2}))
    stage.begin()
    stage.hub.command('desired firmware-1 {"period":1}')
    stage.both('takes a desired change', says('period 1 s'), event('desired-sent'))
    stage.both('reports what it took', says('reported: status 204'), event('reported', patch={'period': 1}))
    reported = stage.hub.command('twin firmware-1')['twin']['reported']
    stage.check('its reported state is in the hub\'s twin', [] if reported['period'] == 1 else [json.dumps(reported)])
    stage.begin()
    busy = stage.board.busy_seconds()
    time.sleep(4.3)
    busy = (stage.board.busy_seconds() - busy) / 4.3
    times = [stage.at(index) for index, _, _ in telemetry(stage, stage.since)]
    mean = (times[-1] - times[0]) / (len(times) - 1) if len(times) >= 3 else 0
    stage.check('sends each second from then on', [] if 0.8 < mean < 1.5 else ['%d messages, %.2f s between two' % (len(times), mean)])


    stage.check('is really asleep in between: QEMU took %.0f %% of a processor' % (100 * busy), [] if busy < BUSY else ['limit: %.0f %%' % (100 * BUSY)])


def messages(stage):
    stage.begin()
    stage.hub.command('c2d firmware-1 {"body":"open the door","messageId":"m1","properties":{"room":"lab 1"}}')
    _, delivered = stage.both('receives a cloud-to-device message with its property', says('with room = lab 1'), event('delivered', messageId='m1'))
    said, acknowledged = stage.both('settles it when its work is done (ASYNC_ACK)', says('accepting message m1'), event('acknowledged'))
    if acknowledged is not None and delivered is not None:
        took = stage.at(acknowledged) - stage.at(delivered)
        stage.check('kept it unacknowledged until then (%.2f s)' % took, [] if said < acknowledged and 0.6 < took < 3 else ['acknowledged after %.2f s' % took])
    stage.both('the hub has it settled', says('message m1: open the door'), event('settled', messageId='m1', outcome='completed'))
    large_message(stage, 20000)


def large_message(stage, size):
    sum32 = zlib.crc32((b'abcdefghijklmnopqrstuvwxyz' * (size // 26 + 1))[:size])
    stage.begin()
    stage.hub.command('c2d firmware-1 {"bodySize":%d,"messageId":"large"}' % size)
    stage.both('receives a message of %d bytes through its inbox of 640, in pieces' % size, says('message in pieces: %d bytes, crc32 %08x' % (size, sum32)),
               event('settled', messageId='large', outcome='completed'))


def call(stage, name, status):
    stage.begin()
    stage.hub.command('method firmware-1 %s {"json":{"from":"test"}}' % name)
    said, result = stage.both('answers the method "%s": %d' % (name, status), says('answered %d' % status), event('method-result', name=name, status=status))
    if result is None:
        return {}
    text = stage.transcript.lines[result][3]['text']
    stage.check('the caller of "%s" has what the firmware said' % name, [] if stage.transcript.lines[said][2].endswith(' '.join((str(status), text)))
                else [stage.transcript.lines[said][2], text])
    return json.loads(text)


def loses_connections(stage):
    stage.begin()
    stage.hub.command('kick firmware-1')
    stage.both('a connection that the hub closes is noticed', says('not connected'), event('disconnect'))
    stage.both('comes back, and resumes its TLS session', says('connected, TLS session resumed'), event('connect', tls=lambda tls: tls.endswith(' resumed')))
    stage.both('its twin is read again, and reported', says('reported: status 204'), event('reported'))

    stage.begin()
    stage.board.set_link(False)
    time.sleep(2.5)
    stage.board.set_link(True)
    number = newest(stage)
    stage.both('a cable that is out for 2.5 s costs nothing: TCP repairs it', says('confirmed %d: OK' % number),
               event('telemetry', text=lambda text: json.loads(text)['n'] == number))
    lost = [text for _, side, text, found in stage.transcript.lines[stage.since:]
            if (side == 'firmware' and 'connected' in text) or (side == 'hub' and found['event'] in ('connect', 'disconnect'))]
    stage.check('and the connection stayed', lost)

    stage.begin()
    stage.board.set_link(False)
    found = stage.wait('firmware', says('not connected: ', 'acknowledge'), 20)
    time.sleep(2)
    stage.board.set_link(True)
    stage.check('a cable that stays out is noticed by the missing acknowledgement', [] if found is not None else ['the firmware did not say so within 20 s'])
    stage.both('comes back by itself, and resumes its TLS session', says('connected, TLS session resumed'),
               event('connect', tls=lambda tls: tls.endswith(' resumed')), 30)
    stage.both('its twin is read again, and reported', says('reported: status 204'), event('reported'))
    number = newest(stage)
    stage.both('what was sent meanwhile is at the hub, and confirmed', says('confirmed %d: OK' % number),
               event('telemetry', text=lambda text: json.loads(text)['n'] == number))


def hub_restarts(stage):
    port = stage.hub.port
    stage.begin()
    stage.hub.stop()
    found = stage.wait('firmware', says('not connected'), 15)
    stage.check('a hub that goes away is noticed', [] if found is not None else ['the firmware did not say so within 15 s'])
    time.sleep(2)
    stage.begin()
    stage.start_hub('hub', port)
    stage.both('finds the hub again after its restart, with a new TLS session', says('connected, TLS session new'),
               event('connect', tls=lambda tls: not tls.endswith(' resumed')), 30)
    stage.both('its twin is read again, and reported', says('reported: status 204'), event('reported'))
    number = newest(stage)
    stage.both('telemetry goes on', says('confirmed %d: OK' % number), event('telemetry', text=lambda text: json.loads(text)['n'] == number))


def newest(stage):
    """The number of the message that was accepted last."""
    sent = [text for _, side, text, _ in stage.transcript.lines if side == 'firmware' and ' sent ' in text and 'messages' not in text]
    return int(sent[-1].split()[-1])


def ends(stage):
    figures = call(stage, 'status', 200)
    if figures:
        share = 100.0 * figures['slept_ms'] / figures['up_ms']
        stage.check('asleep %.1f %% of the time, in %d sleeps' % (share, figures['sleeps']),
                    [] if share >= ASLEEP_PER_CENT else ['wanted: at least %d %%' % ASLEEP_PER_CENT])
    stage.begin()
    stage.hub.command('method firmware-1 halt')
    stage.both('stops in order: answer, DISCONNECT', says('disconnected in order'), event('disconnect', disconnectReceived=True))
    stage.check('the caller of "halt" has its answer', [] if stage.wait('hub', event('method-result', name='halt', status=200), 5) is not None else ['none came'])
    code = stage.board.wait(10)
    stage.board.reader.join(5)
    stage.check('ends with code 0', [] if code == 0 else ['code %s' % code])


def accounts(stage):
    received = telemetry(stage)
    said = [text for _, side, text, _ in stage.transcript.lines if side == 'firmware']
    confirmed = [int(text.split()[2].rstrip(':')) for text in said if ' confirmed ' in text and text.endswith(': OK')]
    count = newest(stage) + 1
    first, findings = set(), []
    for _, number, dup in received:
        if number in first and not dup:
            findings.append('message %d came twice without DUP' % number)
        first.add(number)
    if first != set(range(count)):
        findings.append('the hub has %s of 0 to %d' % (sorted(first), count - 1))
    if sorted(confirmed) != list(range(count)):
        findings.append('confirmed: %s' % confirmed)
    stage.check('all %d messages are at the hub (%d came again, marked DUP), each confirmed once' % (count, len(received) - len(first)), findings)
    broken = [text for _, side, text, found in stage.transcript.lines if side == 'hub' and found['event'] in ('violation', 'refused')]
    stage.check('the hub saw no rule broken', broken)
    stack_of(stage)


def refused(board, image, folder, what, host, names, state, layer, code):
    """The same image where it must not connect: the hub never gets as far as MQTT, and the firmware says why."""
    stage = Stage(board, image, folder, host)
    try:
        stage.start_hub(state)
        stage.start_board(os.path.join(folder, 'root.pem'), names)
        found = [stage.wait('firmware', says('not connected: ', '(layer %d, code %s)' % (layer, code)), 25)]
        found.append(stage.wait('firmware', says('not connected: ', '(layer %d, code %s)' % (layer, code)), 25, (found[0] or 0) + 1))
        findings = [] if None not in found else ['the firmware did not say so twice']
        if layer != LAYER_DNS and stage.wait('hub', event('tls-error'), 2, 0) is None:
            findings.append('the hub saw no refusal')
        if stage.transcript.find('hub', event('connect')) is not None:
            findings.append('the hub saw a CONNECT')
        if findings:
            findings += ['%.3f %s: %s' % line[:3] for line in stage.transcript.lines[-8:]]
        stage.check(what, findings)
    finally:
        stage.end()
    return stage


def full_records(board, image, front, folder):
    """A server that ignores the wish for small TLS records: the largest ones come, and are taken."""
    stage = Stage(board, image, folder)
    try:
        stage.start_hub('hub')
        stage.front = Front(front, os.path.join(folder, 'hub'), stage.hub.port)
        stage.start_board(stage.hub.ca, {HUB: '10.0.2.2'})
        stage.both('connects to a server that does not grant small TLS records', says('connected, TLS session new'), event('connect'), 20)
        if stage.good:
            large_message(stage, 40000)
            large_message(stage, 60000)
            largest = stage.cable.largest_record['from hub']
            stage.check('the largest TLS record on the cable had %d bytes' % largest, [] if largest == 16384 + 24 else ['wanted: 16384, and 24 of AES-GCM'])
    finally:
        stage.end()
    return stage


def other_chain(board, image, folder, kind):
    """The server's certificates have other keys and signatures. They want the most of the stack."""
    stage = Stage(board, image, folder)
    try:
        stage.start_hub(kind, extra=('--server-key', kind))
        stage.start_board(stage.hub.ca, {HUB: '10.0.2.2'})
        stage.both('connects to a server with certificates of kind %s' % kind, says('connected, TLS session new'), event('connect'), 30)
        if stage.good:
            stage.begin()
            stage.hub.command('method firmware-1 halt')
            stage.wait('firmware', says('(ends with code 0)'))
            stack_of(stage)
    finally:
        stage.end()
    return stage


def stack_of(stage):
    words = [text.split() for _, side, text, _ in stage.transcript.lines if side == 'firmware' and ' stack: ' in text]
    used, size = (int(words[-1][i]) for i in (2, 4)) if words else (0, 0)
    stage.check('stack: %d of %d bytes painted over' % (used, size), [] if 0 < used <= size - 512 else ['wanted: at least 512 bytes left'])


def main():
    board, image, front, folder = sys.argv[1:]
    folder = os.path.join(folder, board)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    stage = Stage(board, image, folder)
    stages = [('whole life', stage)]
    try:
        stage.start_hub('hub')
        shutil.copy(stage.hub.ca, os.path.join(folder, 'root.pem'))
        stage.start_board(stage.hub.ca, {HUB: '10.0.2.2'})
        starts(stage)
        if stage.good:
            twin(stage)
            messages(stage)
            call(stage, 'status', 200)
            call(stage, 'dance', 404)
            loses_connections(stage)
            hub_restarts(stage)
            ends(stage)
            accounts(stage)
    finally:
        stage.end()
    stages.append(('full TLS records', full_records(board, image, front, folder)))
    for kind in ('rsa', 'rsa384', 'ec384'):
        stages.append(('certificates of kind ' + kind, other_chain(board, image, folder, kind)))
    for what, host, names, state, layer, code in (
            ('another CA', HUB, {HUB: '10.0.2.2'}, 'other', LAYER_TRUST, 62),
            ('another host name', 'firmware-hub.example.org', {'firmware-hub.example.org': '10.0.2.2'}, 'hub', LAYER_NAME, 56),
            ('a name that DNS does not know', HUB, {}, 'hub', LAYER_DNS, -6)):
        stages.append((what, refused(board, image, folder, 'refused: ' + what, host, names, state, layer, code)))
    with open(folder + '.transcript.txt', 'w') as file:
        for what, each in stages:
            sys.stdout, screen = file, sys.stdout
            print('-- %s: %s' % (board, what))
            each.transcript.print()
            sys.stdout = screen
    return 0


sys.exit(main())
