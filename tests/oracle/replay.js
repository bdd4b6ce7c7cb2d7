'use strict';
// Recordings: what Microsoft's client sent in each case, what the hub did meanwhile, what it answered. A replay sends the
// client's half again, byte for byte except for the token, and compares the answers apart from ids and times.

const fs = require('fs');
const path = require('path');
const tls = require('tls');
const crypto = require('crypto');
const mqtt = require(path.join(__dirname, '..', '..', 'tools', 'emulator', 'node_modules', 'mqtt-packet'));

const RECORDED = path.join(__dirname, 'recorded');
const RECORDED_HEX_MAX = 140000;
const PATIENCE_MS = 5000;

const PACKET_NAMES = { 1: 'CONNECT', 2: 'CONNACK', 3: 'PUBLISH', 4: 'PUBACK', 8: 'SUBSCRIBE', 9: 'SUBACK', 10: 'UNSUBSCRIBE', 11: 'UNSUBACK', 12: 'PINGREQ', 13: 'PINGRESP', 14: 'DISCONNECT' };

// ---- Recording

// Lines: { setup }, then { command } of the hub and { connection, direction, packet, hex } in the order of the hub.
// Connections are counted from 1. A case with a huge packet proves a limit and is no use as a recording: null.
function recordingOf(trial) {
  const events = trial.hub.events.slice(trial.start).map((event, i) => ({ ...event, at: trial.start + i }));
  const packets = events.filter(({ event }) => event === 'packet');
  if (packets.length === 0 || packets.some(({ hex }) => hex.length > RECORDED_HEX_MAX)) return null;
  const numbers = [...new Set(packets.map(({ connection }) => connection))];
  const lines = [
    ...trial.steps.map(({ at, line }) => ({ at: at - 0.5, command: line })),
    ...packets.map(({ at, connection, direction, hex }) => ({ at, connection: numbers.indexOf(connection) + 1, direction, packet: PACKET_NAMES[parseInt(hex[0], 16)], hex })),
  ].sort((a, b) => a.at - b.at).map(({ at, ...line }) => line);
  const setup = trial.setup.map((line) => line.replace(/thumbprint=.*/, 'thumbprint'));
  return [{ setup, login: trial.test.login ?? 'key' }, ...lines];
}

function writeRecording(name, recording) {
  if (recording === null) return;
  fs.mkdirSync(RECORDED, { recursive: true });
  fs.writeFileSync(path.join(RECORDED, `${name}.jsonl`), `${recording.map((line) => JSON.stringify(line)).join('\n')}\n`);
}

function readRecording(name) {
  return fs.readFileSync(path.join(RECORDED, `${name}.jsonl`), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
}

// ---- Replay

function parse(bytes) {
  let found;
  const parser = mqtt.parser({ protocolVersion: 4 });
  parser.on('packet', (packet) => { found = packet; });
  parser.on('error', (error) => { throw error; });
  parser.parse(bytes);
  return found;
}

const ridOf = (packet) => (packet.cmd === 'publish' ? /\$rid=([^&]*)/.exec(packet.topic)?.[1] : undefined);

// A token like the recorded one that is valid now. A login that the hub refused stays as it was.
function withFreshToken(packet, key, refused) {
  const [, resource] = /sr=([^&]*)/.exec(packet.password?.toString() ?? '') ?? [];
  if (resource === undefined || refused) return packet;
  const expiry = Math.floor(Date.now() / 1000) + 3600;
  const signature = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${resource}\n${expiry}`).digest('base64');
  return { ...packet, password: `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}` };
}

// What of an answer must be the same; ids and times are left out.
function essence(packet) {
  const { cmd, topic, payload, qos, dup, returnCode, sessionPresent, granted } = packet;
  if (cmd !== 'publish') return JSON.stringify({ cmd, returnCode, sessionPresent, granted });
  const text = payload.toString('latin1').replace(/"(trackingId|timestampUtc)":"[^"]*"/g, '"$1":""');
  return JSON.stringify({ cmd, topic: topic.replace(/\$rid=[^&]*/, '$rid='), text, qos, dup });
}

class Replay {
  constructor({ hub, port, ca, certificates, key }, [{ setup, login }, ...lines]) {
    Object.assign(this, { hub, port, ca: fs.readFileSync(ca), certificates, key, setup, login, lines });
    this.clients = new Map();
    this.requestIds = new Map(); // recorded -> replayed, of method calls
    this.packetIds = new Map();
  }

  async run() {
    const since = this.hub.events.length;
    for (const line of this.setup) await this.hub.command(line.replace(/thumbprint$/, `thumbprint=${this.certificates.thumbprint.sha256}`));
    try {
      for (const [i, line] of this.lines.entries()) {
        if (line.command !== undefined) await this.hub.command(line.command);
        else if (line.direction === 'in') await this.sent(line, this.lines.slice(i));
        else await this.answered(line);
      }
    } finally {
      for (const { socket } of this.clients.values()) socket.destroy();
      await this.hub.command(`remove ${this.setup[0].split(/[ ,]/)[1]}`);
    }
    const complaint = this.hub.events.slice(since).find(({ event }) => event === 'violation');
    if (complaint) throw new Error(`the hub complains: ${complaint.reason}`);
  }

  async client(number) {
    if (this.clients.has(number)) return this.clients.get(number);
    const login = this.login === 'key' ? {} : { cert: fs.readFileSync(this.certificates[this.login].certificate), key: fs.readFileSync(this.certificates[this.login].key) };
    const client = { packets: [], ended: false };
    client.socket = tls.connect({ host: '127.0.0.1', port: this.port, servername: 'localhost', ca: this.ca, ...login });
    client.socket.on('error', () => {});
    client.socket.on('close', () => { client.ended = true; });
    const parser = mqtt.parser({ protocolVersion: 4 });
    parser.on('packet', (packet) => client.packets.push(packet));
    client.socket.on('data', (bytes) => parser.parse(bytes));
    await new Promise((resolve, reject) => { client.socket.once('secureConnect', resolve); client.socket.once('close', () => reject(new Error('no TLS connection'))); });
    this.clients.set(number, client);
    return client;
  }

  async sent({ connection, hex }, rest) {
    const client = await this.client(connection);
    const bytes = Buffer.from(hex, 'hex');
    client.socket.write(this.adapted(bytes, parse(bytes), connection, rest));
  }

  // The recorded bytes, except for what the hub itself chose: tokens it must accept, ids that it gave.
  adapted(bytes, packet, connection, rest) {
    if (packet.cmd === 'connect') {
      const answer = rest.find((line) => line.connection === connection && line.packet === 'CONNACK');
      return mqtt.generate(withFreshToken(packet, this.key, answer !== undefined && !answer.hex.endsWith('00')));
    }
    if (packet.cmd === 'puback') return mqtt.generate({ ...packet, messageId: this.packetIds.get(packet.messageId) ?? packet.messageId });
    if (packet.cmd === 'publish' && packet.topic.startsWith('$iothub/methods/res/')) {
      return mqtt.generate({ ...packet, topic: packet.topic.replace(ridOf(packet), this.requestIds.get(ridOf(packet)) ?? ridOf(packet)) });
    }
    return bytes;
  }

  async answered({ connection, hex }) {
    const recorded = parse(Buffer.from(hex, 'hex'));
    const client = await this.client(connection);
    for (const end = Date.now() + PATIENCE_MS; client.packets.length === 0;) {
      if (client.ended || Date.now() > end) throw new Error(`no ${recorded.cmd}`);
      await new Promise((resolve) => { setTimeout(resolve, 2); });
    }
    const packet = client.packets.shift();
    if (essence(packet) !== essence(recorded)) throw new Error(`${essence(packet).slice(0, 300)} instead of ${essence(recorded).slice(0, 300)}`);
    if (recorded.messageId !== undefined) this.packetIds.set(recorded.messageId, packet.messageId);
    if (ridOf(recorded) !== undefined) this.requestIds.set(ridOf(recorded), ridOf(packet));
  }
}

// Every recording into a hub that is new. Answers rows for the table.
async function replayAll({ prepare, names, key }) {
  const files = fs.existsSync(RECORDED) ? fs.readdirSync(RECORDED).filter((file) => file.endsWith('.jsonl') && file.includes(names)).sort() : [];
  if (files.length === 0) return [];
  const context = await prepare();
  const rows = [];
  for (const file of files) {
    const name = file.replace(/\.jsonl$/, '');
    let result = 'passed';
    try {
      await new Replay({ ...context, key }, readRecording(name)).run();
    } catch (error) {
      result = error;
    }
    rows.push([`recorded ${name}: no complaint, the same answers`, [result]]);
  }
  await context.hub.stop();
  return rows;
}

module.exports = { recordingOf, writeRecording, readRecording, replayAll };
