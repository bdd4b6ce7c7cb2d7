'use strict';
// The program as people and scripts start it.

const test = require('node:test');
const assert = require('node:assert');
const fs = require('fs');
const net = require('net');
const path = require('path');
const tls = require('tls');
const { spawn, spawnSync } = require('child_process');
const mqtt = require('mqtt-packet');
const { KEY, state, connectPacket, publishPacket } = require('./client');

const MAIN = path.join(__dirname, '..', 'main.js');

const runToEnd = (...args) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 10000 });

// The running program: `line(pattern)` is the first line that matches, `end()` its exit code after standard input ended.
class Program {
  static started = [];

  constructor(...args) {
    this.text = '';
    Program.started.push(this);
    this.child = spawn(process.execPath, [MAIN, '--port', '0', '--state', state, ...args]);
    this.child.stdout.on('data', (data) => { this.text += data; this.poke?.(); });
    this.exit = new Promise((resolve) => { this.child.on('exit', (code) => { resolve(code); this.poke?.(); }); });
  }

  async line(pattern) {
    const deadline = Date.now() + 5000;
    for (;;) {
      const found = this.text.split('\n').slice(0, -1).find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`no line ${pattern} in ${this.text}`);
      await new Promise((resolve) => { this.poke = resolve; setTimeout(resolve, 100); });
    }
  }

  command(line) { this.child.stdin.write(`${line}\n`); }

  end() {
    this.child.stdin.end();
    return this.exit;
  }
}

// Nothing outlives a test that failed half-way.
test.afterEach(() => Program.started.splice(0).forEach((program) => program.child.kill('SIGKILL')));

function sendTo(port, ca, ...packets) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', ca: fs.readFileSync(ca) }, () => {
      socket.write(Buffer.concat(packets.map((packet) => mqtt.generate(packet))));
    });
    socket.on('error', reject);
    socket.on('close', resolve);
    socket.resume();
  });
}

test('for people: connection strings, the CA, ready, then telemetry', async () => {
  const program = new Program('--control', '--device', `d,key=${KEY}`, '--module', `d/m,key=${KEY}`, '--device', 'x,thumbprint=' + 'ab'.repeat(20));
  const ready = await program.line(/^ready/);
  const port = Number(/:(\d+)/.exec(ready)[1]);
  const lines = program.text.trim().split('\n');
  assert.deepStrictEqual(lines.slice(0, 3).sort(), [
    `HostName=localhost:${port};DeviceId=d;ModuleId=m;SharedAccessKey=${KEY}`,
    `HostName=localhost:${port};DeviceId=d;SharedAccessKey=${KEY}`,
    `HostName=localhost:${port};DeviceId=x;x509=true`,
  ]);
  const [, ca] = /CA certificate: (.*)/.exec(program.text);
  await sendTo(port, ca, connectPacket(), publishPacket(1, { topic: 'devices/d/messages/events/%24.ct=application%2Fjson&room=lab%201', payload: '{"t":1}' }), { cmd: 'disconnect' });
  assert.strictEqual(await program.line(/^telemetry/), 'telemetry d #1 {"t":1}  content-type=application/json app: room=lab 1');
  await program.line(/^disconnect d: the client sent DISCONNECT/);
  assert.strictEqual(await program.end(), 0);
});

test('for programs: JSON lines, the record, packets, exit code 1 with --strict', async () => {
  const record = path.join(state, 'record.jsonl');
  const program = new Program('--json', '--packets', '--strict', '--control', '--record', record, '--device', `d,key=${KEY}`);
  const ready = JSON.parse(await program.line(/"ready"/));
  await sendTo(ready.port, ready.ca, connectPacket(), publishPacket(1), publishPacket(2, { qos: 2 }));
  await program.line(/"disconnect"/);
  assert.strictEqual(await program.end(), 1);
  const events = program.text.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepStrictEqual(events.filter(({ event }) => event !== 'packet').map(({ event }) => event), ['ready', 'tcp', 'connect', 'connack', 'telemetry', 'puback', 'violation', 'disconnect']);
  assert.deepStrictEqual(events.filter(({ event, direction }) => event === 'packet' && direction === 'out').map(({ hex }) => hex), ['20020000', '40020001']);
  assert.strictEqual(JSON.parse(fs.readFileSync(record, 'utf8')).text, 'x');
});

test('commands are answered, one line each', async () => {
  const program = new Program('--json', '--control');
  await program.line(/"ready"/);
  for (const line of ['fault throttle=5/2', 'faults', 'fault throttle=off', 'fault nonsense=1', 'fault puback', 'kick device-1', 'disable device-1', 'enable device-1',
    'set-key device-1 AAAA', 'set-key device-1 *', 'drop-session device-1', 'drop-session nobody', 'dance', 'kick', 'stop']) program.command(line);
  assert.strictEqual(await program.exit, 0);
  const answers = program.text.trim().split('\n').slice(1).map((line) => JSON.parse(line));
  assert.deepStrictEqual(answers.map(({ event }) => event), ['ok', 'ok', 'ok', 'error', 'error', 'error', 'ok', 'ok', 'ok', 'error', 'ok', 'error', 'error', 'error', 'ok']);
  assert.deepStrictEqual(answers[1].faults, { throttle: '5/2' });
});

test('the root and made-up keys stay in --state; --new-ca makes another root', async () => {
  const start = async (...args) => {
    const program = new Program('--json', '--control', ...args);
    const ready = JSON.parse(await program.line(/"ready"/));
    const seen = [fs.readFileSync(ready.ca, 'utf8'), ready.connectionStrings['device-1'].replace(/localhost:\d+/, '')];
    await program.end();
    return seen;
  };
  const [ca, key] = await start();
  assert.deepStrictEqual(await start('--host-name', 'other.example'), [ca, key]);
  const [another, same] = await start('--new-ca');
  assert.notStrictEqual(another, ca);
  assert.strictEqual(same, key);
});

test('the temporary directory is gone after SIGTERM', async () => {
  const child = spawn(process.execPath, [MAIN, '--port', '0', '--json']);
  const ready = JSON.parse(await new Promise((resolve) => { child.stdout.once('data', resolve); }));
  assert.ok(fs.existsSync(ready.ca));
  child.kill('SIGTERM');
  assert.strictEqual(await new Promise((resolve) => { child.on('exit', resolve); }), 0);
  assert.ok(!fs.existsSync(path.dirname(ready.ca)));
});

test('wrong use: one sentence and exit code 2', () => {
  for (const [args, sentence] of [
    [['--nonsense'], 'there is no option "--nonsense"; --help lists them'],
    [['--port'], '--port needs N'],
    [['--port', '70000'], '--port: "70000" is not a port number'],
    [['--server-key', 'dsa'], '--server-key: "dsa" is none of ec, rsa, ec384, rsa384'],
    [['--fault', 'puback=sometimes'], 'fault puback: "sometimes" is not withhold, or off'],
    [['--fault', 'puback'], '"puback" is not NAME=VALUE'],
    [['--switch', 'unknown-topic=maybe'], 'switch unknown-topic: "maybe" is not close or ignore'],
    [['--device', 'a/b'], '"a/b" is not a device id'],
    [['--device', 'a,key=*'], 'the key of a is not base64'],
    [['--device', 'a,thumbprint=12'], 'the thumbprint of a is not'],
    [['--device', 'a,ca'], 'a logs in with a CA-signed certificate, so --client-ca is needed'],
    [['--module', 'a'], '"a" is not a module id'],
    [['--cert', 'x.pem'], '--cert and --key go together'],
    [['--devices', '/nonexistent.json'], '--devices: cannot read'],
    [['--packets'], '--packets needs --json'],
    [['--hub-name', 'hub:8883'], '--hub-name: "hub:8883" is not a host name'],
    [['--record', '/nonexistent/file'], '--record: cannot write'],
    [['--make-cert', state], '--make-cert needs DIR ID'],
  ]) {
    const { status, stderr, stdout } = runToEnd('--port', '0', ...args);
    assert.strictEqual(status, 2, args.join(' '));
    assert.ok(stderr.startsWith(`iothub emulator: ${sentence}`), stderr);
    assert.strictEqual(stderr.trim().split('\n').length, 1);
    assert.strictEqual(stdout, '');
  }
});

// A tool's standard output; it must end with `status`.
function tool(status, ...args) {
  const child = spawn(process.execPath, [MAIN, ...args]);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { text += data; });
  return new Promise((resolve, reject) => { child.on('exit', (code) => (code === status ? resolve(text.trim()) : reject(new Error(`exit code ${code}: ${text}`)))); });
}

test('the tools: what a person does with a hub that runs', async () => {
  const program = new Program('--json', '--control', '--device', `d,key=${KEY}`, '--module', `d/m,key=${KEY}`);
  const { port, ca } = JSON.parse(await program.line(/"ready"/));
  const at = ['--port', String(port)];
  assert.match(await tool(0, 'devices', ...at), new RegExp(`^HostName=localhost:${port};DeviceId=d;Shared.*\nHostName=localhost:${port};DeviceId=d;ModuleId=m;Shared`));
  assert.strictEqual(await tool(0, 'c2d', 'send', ...at, 'd', 'hello', 'a=b=c'), 'queued as message 1');
  assert.strictEqual(await tool(0, 'input', 'send', ...at, 'd/m', 'in', 'hello'), 'queued as message 1');
  assert.strictEqual(await tool(0, 'twin', 'set', ...at, 'd', '{"a":{"b":1}}'), 'desired properties are at version 2');
  assert.deepStrictEqual(JSON.parse(await tool(0, 'twin', 'get', ...at, 'd')).desired, { a: { b: 1 }, $version: 2 });
  assert.match(await tool(0, 'command', ...at, 'c2d-state', 'd'), /"size":5/);
  assert.match(await tool(3, 'method', 'call', ...at, 'd', 'reboot', '{}'), /isn't online/);
  assert.match(await tool(3, 'c2d', 'send', ...at, 'nobody', 'x'), /there is no device/);
  assert.match(await tool(2, 'c2d', 'send', ...at, 'd'), /use: main.js c2d send .* DEVICE BODY/);
  assert.match(await tool(2, 'twin', 'set', ...at, 'd', '{a}'), /is not JSON/);
  assert.match(await tool(2, 'devices', '--port', '1'), /no hub runs on port 1/);
  const follower = spawn(process.execPath, [MAIN, 'telemetry', '--json', ...at, 'd']);
  Program.started.push({ child: follower });
  const first = new Promise((resolve) => { follower.stdout.once('data', (data) => resolve(JSON.parse(data))); });
  await new Promise((resolve) => { setTimeout(resolve, 600); });
  await sendTo(port, ca, connectPacket(), publishPacket(1, { payload: 'seen' }), { cmd: 'disconnect' });
  assert.strictEqual((await first).text, 'seen');
  await program.end();
  assert.match(await tool(2, 'devices', ...at), /no hub runs/);
});

test('a port in use, an unusable certificate: exit code 3', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => { taken.on('listening', resolve); });
  const { status, stderr } = runToEnd('--port', String(taken.address().port), '--state', state);
  taken.close();
  assert.strictEqual(status, 3);
  assert.match(stderr, /port \d+ is in use/);
  const broken = runToEnd('--port', '0', '--cert', MAIN, '--key', MAIN);
  assert.strictEqual(broken.status, 3);
  assert.match(broken.stderr, /cannot be used/);
});

test('--make-cert, and the certificate as --cert', async () => {
  const directory = path.join(state, 'made');
  const { status, stdout } = runToEnd('--json', '--make-cert', directory, 'd/m', '--make-cert-key', 'rsa');
  assert.strictEqual(status, 0);
  const made = JSON.parse(stdout);
  assert.match(made.sha1, /^[0-9A-F]{40}$/);
  const program = new Program('--json', '--control', '--cert', made.certificate, '--key', made.key);
  const ready = JSON.parse(await program.line(/"ready"/));
  assert.strictEqual(ready.ca, made.certificate);
  await assert.rejects(sendTo(ready.port, ready.ca, connectPacket()), /certificate|altnames/);
  await program.end();
});

test('--devices FILE', async () => {
  const file = path.join(state, 'devices.json');
  fs.writeFileSync(file, JSON.stringify([{ id: 'a,b', key: KEY }, { id: 'a/m' }, { id: 'c', keys: [KEY, 'AAAA'], disabled: true }]));
  const program = new Program('--json', '--control', '--devices', file);
  const ready = JSON.parse(await program.line(/"ready"/));
  assert.deepStrictEqual(Object.keys(ready.connectionStrings), ['a,b', 'a/m', 'c']);
  await program.end();
});

test('--help names every option, fault, switch and command', () => {
  const { status, stdout } = runToEnd('--help');
  assert.strictEqual(status, 0);
  const { OPTIONS, COMMANDS } = require('../options');
  const { FAULTS } = require('../faults');
  const { SWITCHES } = require('../switches');
  const { TOOLS } = require('../cli');
  for (const name of [TOOLS, OPTIONS, FAULTS, SWITCHES, COMMANDS].flatMap(Object.keys)) assert.ok(stdout.includes(`  ${name}`), name);
});

test('README.md has the same tables as --help', () => {
  const readme = fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8').replace(/\\\|/g, '|');
  const { OPTIONS, COMMANDS } = require('../options');
  const { FAULTS } = require('../faults');
  const { SWITCHES } = require('../switches');
  const { TOOLS } = require('../cli');
  const rows = [
    ...Object.entries(TOOLS).map(([name, { form, help }]) => [`\`${`${name} ${form}`.trim()}\``, help]),
    ...Object.entries(OPTIONS).map(([name, { value, help }]) => [`\`${value ? `${name} ${value}` : name}\``, help]),
    ...Object.entries(COMMANDS).map(([name, help]) => [`\`${name}\``, help]),
    ...Object.entries(FAULTS).map(([name, { value, help }]) => [`\`${name}\``, value.form, help]),
    ...Object.entries(SWITCHES).map(([name, { value, initial, help }]) => [`\`${name}\``, value.form, String(initial), help]),
  ];
  for (const row of rows) assert.ok(readme.includes(`| ${row.join(' | ')} |`), row.join(' | '));
});
