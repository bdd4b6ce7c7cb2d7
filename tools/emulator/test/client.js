'use strict';
// A hub in this process and a small MQTT client for it: mqtt-packet over Node's TLS, one packet at a time.

const fs = require('fs');
const os = require('os');
const path = require('path');
const tls = require('tls');
const mqtt = require('mqtt-packet');
const { parseOptions } = require('../options');
const { startEmulator } = require('../emulator');
const { sign } = require('../auth');
const { answerTo } = require('../control');

const PATIENCE_MS = 4000;
const KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64');
const OTHER_KEY = Buffer.from('another key').toString('base64');

const hours = (n) => Math.floor(Date.now() / 1000) + n * 3600;

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// One set of certificates for all hubs of a test file.
const state = fs.mkdtempSync(path.join(os.tmpdir(), 'iothub-emulator-test-'));
process.on('exit', () => fs.rmSync(state, { recursive: true, force: true }));

class TestHub {
  static async start(...args) {
    const hub = new TestHub();
    const identities = args.some((arg) => /^--(device|module)$/.test(arg)) ? [] : ['--device', `d,key=${KEY}`];
    const options = parseOptions(['--port', '0', '--state', state, ...identities, ...args]);
    hub.events = [];
    const { hub: inner, ready, stop } = await startEmulator(options, (event) => hub.events.push(event));
    return Object.assign(hub, { inner, stop, faults: inner.faults, port: ready.port, ready, ca: fs.readFileSync(ready.ca) });
  }

  of(name) { return this.events.filter((event) => event.event === name); }

  async waitFor(name, count = 1) {
    const end = Date.now() + PATIENCE_MS;
    while (this.of(name).length < count) {
      if (Date.now() > end) throw new Error(`no event ${name} (have ${JSON.stringify(this.events.map((event) => event.event))})`);
      await sleep(5);
    }
    return this.of(name)[count - 1];
  }

  // A command as through --control; answers its event, which must be "ok" unless `expected` says otherwise.
  command(line, expected = 'ok') {
    const answer = answerTo(this.inner, line);
    if (answer.event !== expected) throw new Error(`${line}: ${JSON.stringify(answer)}`);
    return answer;
  }

  dial(options = {}) { return Client.open(this, options); }

  // A client that is past CONNACK; `connect` are fields for connectPacket().
  async login(connect = {}, options = {}) {
    const client = await this.dial(options);
    client.send(connectPacket(connect));
    client.connack = await client.next('connack');
    return client;
  }
}

function sasToken({ resource = 'localhost%2Fdevices%2Fd', key = KEY, expiry = hours(1), policy } = {}) {
  const signature = sign(Buffer.from(key, 'base64'), resource, String(expiry)).toString('base64');
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}${policy ? `&skn=${policy}` : ''}`;
}

// A CONNECT as IoT Hub wants it, for device "d" or `id`; `token` null leaves the password out.
function connectPacket({ id = 'd', token, userName, keepalive = 60, clean = false, ...more } = {}) {
  const [device, module] = id.split('/');
  const resource = `localhost%2Fdevices%2F${encodeURIComponent(device)}${module ? `%2Fmodules%2F${module}` : ''}`;
  return {
    cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: id, clean, keepalive,
    username: userName ?? `localhost/${id}/?api-version=2021-04-12`,
    ...(token === null ? {} : { password: token ?? sasToken({ resource }) }),
    ...more,
  };
}

const publishPacket = (messageId, { topic = 'devices/d/messages/events/', payload = 'x', qos = 1, ...more } = {}) => ({
  cmd: 'publish', topic, payload, qos, ...(qos > 0 ? { messageId } : {}), ...more,
});

class Client {
  static open(hub, options) {
    const client = new Client();
    client.packets = [];
    client.bytes = Buffer.alloc(0);
    client.reads = [];
    client.ended = false;
    client.error = null;
    const parser = mqtt.parser();
    parser.on('packet', (packet) => client.packets.push(packet));
    return new Promise((resolve, reject) => {
      client.socket = tls.connect({ host: '127.0.0.1', port: hub.port, servername: 'localhost', ca: hub.ca, ...options }, () => resolve(client));
      client.socket.on('error', (error) => { client.error = error; reject(error); });
      client.socket.on('data', (bytes) => { client.bytes = Buffer.concat([client.bytes, bytes]); client.reads.push(bytes); parser.parse(bytes); });
      client.socket.on('close', () => { client.ended = true; });
    });
  }

  send(...packets) { this.raw(Buffer.concat(packets.map((packet) => mqtt.generate(packet)))); }

  raw(bytes) { this.socket.write(bytes); }

  // The next packet not taken yet; fails when the connection ended or it is another one.
  async next(cmd) {
    const end = Date.now() + PATIENCE_MS;
    while (this.packets.length === 0) {
      if (this.ended) throw new Error(`closed while waiting for ${cmd}`);
      if (Date.now() > end) throw new Error(`no ${cmd}`);
      await sleep(2);
    }
    const packet = this.packets.shift();
    if (packet.cmd !== cmd) throw new Error(`${packet.cmd} instead of ${cmd}`);
    return packet;
  }

  async closed() {
    const end = Date.now() + PATIENCE_MS;
    while (!this.ended) {
      if (Date.now() > end) throw new Error('the hub did not close the connection');
      await sleep(2);
    }
  }

  leave() { this.socket.destroy(); }
}

module.exports = { TestHub, KEY, OTHER_KEY, state, hours, sleep, sasToken, connectPacket, publishPacket };
