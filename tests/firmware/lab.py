"""What stands around the firmware: the local IoT Hub, an emulated board, and the cable between the board and the host.

All of them write into one transcript, so that both sides can be read side by side."""

import base64, json, os, queue, select, socket, struct, subprocess, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Transcript:
    """Lines of all sides in the order in which they came; `print` shows the firmware's at the left and the hub's at the right."""

    def __init__(self):
        self.start = time.monotonic()
        self.lines = []
        self.changed = threading.Condition()

    def add(self, side, text, event=None):
        with self.changed:
            self.lines.append((time.monotonic() - self.start, side, text, event))
            self.changed.notify_all()

    def find(self, side, match, since=0):
        """Index of the first line of this side from `since` on for which match(text, event) is true, or None."""
        for i in range(since, len(self.lines)):
            if self.lines[i][1] == side and match(self.lines[i][2], self.lines[i][3]):
                return i
        return None

    def wait(self, side, match, seconds, since=0):
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                found = self.find(side, match, since)
                left = end - time.monotonic()
                if found is not None or left <= 0:
                    return found
                self.changed.wait(left)

    def print(self, width=78):
        print('%8s  %-*s  %s' % ('seconds', width, 'firmware (its own clock, its words)', 'hub, and [cable]'))
        for when, side, text, _ in self.lines:
            if side == 'firmware':
                print('%8.3f  %s' % (when, text))
            else:
                print('%8.3f  %-*s  %s' % (when, width, '', '[%s]' % text if side == 'cable' else text))


class Hub:
    """tools/emulator as a process. Events of clients go into the transcript."""

    QUIET = ('ready', 'tcp', 'ok', 'puback', 'ping', 'faults')
    HIDDEN = ('event', 'time', 'identity', 'clientId', 'connection', 'userName', 'password', 'body', 'properties', 'system', 'sightings',
              'will', 'clientCertificate', 'protocol', 'qos', 'dup', 'filters')

    def __init__(self, transcript, name, state, key, port=0, extra=()):
        self.transcript = transcript
        self.answers = queue.Queue()
        command = ['node', 'tools/emulator/main.js', '--json', '--control', '--state', state, '--hub-name', name, '--port', str(port),
                   '--device', 'firmware-1,key=' + key, *extra]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        ready = self.answers.get(timeout=30)
        if ready['event'] != 'ready':
            raise RuntimeError('the hub did not start: %s' % ready)
        self.port, self.ca = ready['port'], ready['ca']

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event['event'] in ('ready', 'ok', 'error'):
                self.answers.put(event)
            if event['event'] not in self.QUIET:
                self.transcript.add('hub', self.words(event), event)
        self.answers.put({'event': 'ended'})

    def words(self, event):
        extra = ['DUP'] if event.get('dup') else []
        for name, value in event.items():
            if name not in self.HIDDEN and value not in (None, ''):
                extra.append('%s=%s' % (name, value if isinstance(value, (str, int)) else json.dumps(value)))
        return ' '.join([event['event']] + extra)

    def command(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        answer = self.answers.get(timeout=10)
        if answer['event'] != 'ok':
            raise RuntimeError('%s: %s' % (line, answer))
        return answer

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)


class Front:
    """front.c as a process: TLS records of full size, in front of a hub whose certificates lie in `state`."""

    def __init__(self, program, state, hub_port):
        chain = os.path.join(state, 'chain.pem')
        with open(chain, 'w') as file:
            for part in ('server-ec.pem', 'intermediate-ec.pem'):
                with open(os.path.join(state, part)) as certificate:
                    file.write(certificate.read())
        self.process = subprocess.Popen([program, chain, os.path.join(state, 'server-ec.key'), os.path.join(state, 'ca-ec.pem'), str(hub_port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError('the front did not start')
        self.port = int(line)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Cable:
    """Carries Ethernet frames between the board and QEMU's user network, and answers questions of DNS on the way, because that
    network would ask the host's name server, which does not know our hub. It sees what crosses: questions, TLS records."""

    def __init__(self, transcript, names):
        self.transcript = transcript
        self.names = names
        self.board, self.to_board = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.host, self.to_host = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self.board, self.to_board, self.host, self.to_host):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.streams = {}
        self.largest_record = {'from hub': 0, 'from board': 0}
        self.frames = 0
        self.ending = False
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def carry(self):
        other = {self.to_board: self.to_host, self.to_host: self.to_board}
        while not self.ending:
            for end in select.select(list(other), [], [], 0.2)[0]:
                frame = end.recv(65536)
                self.frames += 1
                answer = self.look(frame, end is self.to_board)
                try:
                    (end if answer else other[end]).send(answer or frame)
                except OSError:
                    return

    def look(self, frame, from_board):
        """The answer to a question of DNS; None: the frame goes on."""
        if len(frame) < 34 or frame[12:14] != b'\x08\x00':
            return None
        ip = frame[14:14 + struct.unpack('!H', frame[16:18])[0]]
        head = (ip[0] & 15) * 4
        body = ip[head:]
        if ip[9] == 17 and from_board and body[2:4] == b'\x00\x35':
            return self.resolve(frame, ip, head, body)
        if ip[9] == 6:
            self.watch(ip, body, from_board)
        return None

    def resolve(self, frame, ip, head, udp):
        question = udp[8:]
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, kind = '.'.join(labels), struct.unpack('!H', question[at + 1:at + 3])[0]
        address = self.names.get(name.lower()) if kind == 1 else None
        self.transcript.add('cable', 'DNS: %s? %s' % (name, address or 'no such name'))
        reply = question[:2] + (b'\x81\x80' if address else b'\x81\x83') + b'\0\1' + (b'\0\1' if address else b'\0\0') + b'\0\0\0\0' + question[12:at + 5]
        if address:
            reply += b'\xc0\x0c\0\1\0\1' + struct.pack('!IH', 10, 4) + socket.inet_aton(address)
        datagram = udp[2:4] + udp[0:2] + struct.pack('!HH', 8 + len(reply), 0) + reply      # checksum 0: none
        packet = bytearray(b'\x45\0' + struct.pack('!H', 20 + len(datagram)) + b'\0\0\0\0\x40\x11\0\0' + ip[16:20] + ip[12:16])
        total = sum(struct.unpack('!10H', packet))
        total = (total & 0xFFFF) + (total >> 16)
        packet[10:12] = struct.pack('!H', ~(total + (total >> 16)) & 0xFFFF)
        return frame[6:12] + frame[0:6] + b'\x08\0' + bytes(packet) + datagram

    def watch(self, ip, tcp, from_board):
        """Follows the TLS records of each direction of a connection by TCP's sequence numbers."""
        source, target, sequence = struct.unpack('!HHI', tcp[:8])
        content = tcp[(tcp[12] >> 4) * 4:]
        key = (source, target, from_board)
        if tcp[13] & 2:
            self.streams[key] = {'next': (sequence + 1) & 0xFFFFFFFF, 'head': b'', 'left': 0}
        stream = self.streams.get(key)
        if stream is None or not content:
            return
        skip = (stream['next'] - sequence) & 0xFFFFFFFF
        if skip >= len(content):
            return                                  # seen already, or ahead of a gap: it comes again
        content = content[skip:]
        stream['next'] = (stream['next'] + len(content)) & 0xFFFFFFFF
        side = 'from board' if from_board else 'from hub'
        while content:
            if stream['left']:
                used = min(stream['left'], len(content))
                stream['left'] -= used
            else:
                used = min(5 - len(stream['head']), len(content))
                stream['head'] += content[:used]
                if len(stream['head']) == 5:
                    stream['left'] = struct.unpack('!H', stream['head'][3:])[0]
                    self.largest_record[side] = max(self.largest_record[side], stream['left'])
                    stream['head'] = b''
            content = content[used:]

    def end(self):
        self.ending = True
        self.thread.join(2)
        for end in (self.board, self.to_board, self.host, self.to_host):
            end.close()


class Board:
    """One run of QEMU: an image with the settings of a device in the last 4 KB of its flash."""

    def __init__(self, transcript, machine, image, settings_at, settings, cable, folder):
        self.transcript = transcript
        with open(os.path.join(folder, 'settings.bin'), 'wb') as file:
            file.write(settings)
        monitor = os.path.join(folder, 'monitor')
        if os.path.exists(monitor):
            os.unlink(monitor)
        command = ['qemu-system-arm', '-M', machine, '-kernel', image, '-display', 'none', '-serial', 'stdio', '-monitor', 'none',
                   '-qmp', 'unix:%s,server=on,wait=off' % monitor, '-semihosting-config', 'enable=on,target=native',
                   '-device', 'loader,file=%s,addr=%#x,force-raw=on' % (file.name, settings_at),
                   '-nic', 'socket,id=cable,fd=%d' % cable.board.fileno(),
                   '-netdev', 'user,id=host', '-netdev', 'socket,id=wall,fd=%d' % cable.host.fileno(),
                   '-netdev', 'hubport,id=hub1,hubid=1,netdev=host', '-netdev', 'hubport,id=hub2,hubid=1,netdev=wall']
        with open(os.path.join(folder, 'qemu.log'), 'wb') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            pass_fds=(cable.board.fileno(), cable.host.fileno()))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.monitor = self.connect(monitor)

    def read(self):
        for line in self.process.stdout:
            self.transcript.add('firmware', line.decode('latin-1').rstrip('\r\n'))
        self.transcript.add('firmware', '(ends with code %d)' % self.process.wait())

    def connect(self, path):
        for _ in range(100):
            try:
                link = socket.socket(socket.AF_UNIX)
                link.connect(path)
                break
            except OSError:
                link.close()
                time.sleep(0.05)
        else:
            raise RuntimeError('QEMU did not start: %s' % [line[2] for line in self.transcript.lines])
        link.settimeout(10)
        self.words = link.makefile('rw')
        self.words.readline()
        self.say('qmp_capabilities')
        return link

    def say(self, command, **arguments):
        self.words.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self.words.flush()
        while True:
            answer = json.loads(self.words.readline())
            if 'return' in answer:
                return answer['return']
            if 'error' in answer:
                raise RuntimeError(answer['error']['desc'])

    def set_link(self, up):
        self.say('set_link', name='cable', up=up)
        self.transcript.add('cable', 'plugged in' if up else 'pulled out')

    def busy_seconds(self):
        """What QEMU took of the host's processors so far."""
        with open('/proc/%d/stat' % self.process.pid) as file:
            fields = file.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            if self.wait(5) is None:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)
        self.monitor.close()


def settings_of(connection_string, certificate_file):
    """The bytes that settings.h describes."""
    with open(certificate_file) as file:
        text = file.read()
    der = b''.join(base64.b64decode(part.split('-----END CERTIFICATE-----')[0]) for part in text.split('-----BEGIN CERTIFICATE-----')[1:])
    string = connection_string.encode() + b'\0'
    return b'IOTHUB01' + struct.pack('<HH', len(string), len(der)) + string + der
