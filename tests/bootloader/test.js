'use strict';
// The modem of examples/bootloader, and its judge: qemu's micro:bit on one side, the emulator over real TLS on the other.
// usage: node test.js ELF FOLDER   (from the root of the checkout)

const { spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');
const tls = require('tls');

const [elf, folder] = process.argv.slice(2);
const KEY = 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';
const RAM = { start: 0x20000000, size: 2560 };
const children = [];
let failed = 0;

function check(what, good, found) {
  console.log(`${good ? 'ok   ' : 'FAIL '} ${what}`);
  if (!good) { failed = 1; console.log(`      ${found}`); }
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(condition, milliseconds) {
  for (const end = Date.now() + milliseconds; !condition() && Date.now() < end;) await sleep(20);
  return condition();
}

function start(command, ...words) {
  const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

// ---- the hub

class Hub {
  constructor() {
    this.events = [];
    this.process = start('node', 'tools/emulator/main.js', '--json', '--control', '--strict', '--port', '0', '--device', `thermometer-1,key=${KEY}`);
    let text = '';
    this.process.stdout.on('data', (chunk) => {
      const lines = (text + chunk).split('\n');
      text = lines.pop();
      for (const line of lines) if (line.startsWith('{')) this.events.push(JSON.parse(line));
    });
  }

  of(kind) { return this.events.filter(({ event }) => event === kind); }
}

// ---- the modem: Telit's AT#SSLD, then transparent

class Modem {
  constructor(serial, hub, ready) {
    Object.assign(this, { serial, hub, ready, socket: null, command: '', log: [], last: 0, refusing: 0 });
    serial.stdout.on('data', (chunk) => this.heard(chunk));
  }

  say(text) { this.serial.stdin.write(`\r\n${text}\r\n`); }

  heard(chunk) {
    const quiet = Date.now() - this.last;
    this.last = Date.now();
    if (chunk.equals(Buffer.from('+++')) && quiet > 900) { // the guard time of a second, less what qemu's clock may be off
      this.transparent = false;
      this.log.push('+++');
      this.say('OK');
      return;
    }
    if (this.transparent) {
      this.socket.write(chunk);
      return;
    }
    for (const byte of chunk.toString('latin1')) {
      if (byte !== '\r') this.command += byte;
      else if (this.command !== '') this.obey(this.command.replace(/^\++/, ''));
      if (byte === '\r') this.command = '';
    }
  }

  obey(command) {
    this.log.push(command);
    this.serial.stdin.write(`${command}\r`); // echo
    if (command === 'AT#SSLH=1;+CCLK?') {
      this.hangUp();
      const there = new Date(Date.now() + 3600000).toISOString(); // an hour east of Greenwich
      this.say(`+CCLK: "${there.slice(2, 4)}/${there.slice(5, 7)}/${there.slice(8, 10)},${there.slice(11, 19)}+04"`);
      this.say('OK');
      return;
    }
    const dial = command.match(/^AT#SSLD=1,8883,"([^"]+)",0,0$/);
    if (!dial) { this.say('ERROR'); return; }
    if (this.refusing > 0) { this.refusing -= 1; this.say('NO CARRIER'); return; }
    const socket = this.socket = tls.connect({ host: '127.0.0.1', port: this.ready.port, servername: dial[1], ca: fs.readFileSync(this.ready.ca) }, () => {
      this.transparent = true;
      this.say('CONNECT');
      socket.on('data', (bytes) => this.transparent && this.serial.stdin.write(bytes));
    });
    socket.on('error', () => {});
    socket.on('close', () => { if (socket === this.socket) this.lost(); });
  }

  hangUp() {
    const { socket } = this;
    this.socket = null;
    this.transparent = false;
    if (socket) socket.destroy();
  }

  lost() {
    this.socket = null;
    this.transparent = false;
    this.say('NO CARRIER');
  }
}

// ---- the test

// How deep the stack was: qemu's RAM begins as zeros.
async function stackUsed(monitor, bssEnd) {
  const file = path.join(folder, 'ram.bin');
  const socket = net.connect(monitor);
  await sleep(200);
  socket.write('{"execute":"qmp_capabilities"}\n');
  socket.write(`{"execute":"memsave","arguments":{"val":${RAM.start},"size":${RAM.size},"filename":"${path.resolve(file)}"}}\n`);
  await sleep(500);
  socket.destroy();
  const ram = fs.readFileSync(file);
  let at = bssEnd - RAM.start;
  while (at < ram.length && ram[at] === 0) at += 1;
  return ram.length - at;
}

async function main() {
  const hub = new Hub();
  if (!await until(() => hub.of('ready').length !== 0, 20000)) throw new Error('the emulator did not start');
  const monitor = path.join(folder, 'qmp');
  const serial = start('qemu-system-arm', '-M', 'microbit', '-kernel', elf, '-display', 'none', '-monitor', 'none', '-serial', 'stdio',
    '-qmp', `unix:${monitor},server=on,wait=off`);
  const modem = new Modem(serial, hub, hub.of('ready')[0]);

  check('it comes to command mode, asks for the time and dials', await until(() => modem.log.length >= 3, 20000), JSON.stringify(modem.log));
  check('the hub accepts its token', await until(() => hub.of('connack').some(({ code }) => code === 0), 20000), JSON.stringify(hub.events));
  check('readings arrive', await until(() => hub.of('telemetry').length >= 3, 40000), JSON.stringify(hub.events));
  modem.refusing = 1;
  modem.socket.destroy();
  const before = hub.of('telemetry').length;
  check('the line is lost, dialling fails once: it comes back and goes on', await until(() => hub.of('telemetry').length >= before + 2, 90000)
    && modem.refusing === 0 && hub.of('connack').length >= 2, JSON.stringify(modem.log));
  const bodies = hub.of('telemetry').map(({ body }) => Buffer.from(body, 'base64').toString());
  check('every body is a reading', bodies.every((body) => /^\{"t":\d\d\}$/.test(body)), bodies.join(' '));
  check('the hub saw no violation', hub.of('violation').length === 0, JSON.stringify(hub.of('violation')));
  const bssEnd = parseInt(fs.readFileSync(path.join(folder, 'bss_end'), 'utf8'), 16);
  const used = await stackUsed(monitor, bssEnd);
  check(`the stack was at most ${used} bytes of ${RAM.start + RAM.size - bssEnd}`, used > 100 && used < RAM.start + RAM.size - bssEnd, used);
}

main().catch((error) => { failed = 1; console.log(`FAIL  ${error.message}`); }).finally(() => {
  for (const child of children) child.kill('SIGKILL');
  process.exit(failed);
});
