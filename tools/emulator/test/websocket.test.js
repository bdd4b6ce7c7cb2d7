'use strict';
// MQTT in WebSocket frames, their faults, and the CONNECT proxy.

const test = require('node:test');
const assert = require('node:assert');
const http = require('http');
const tls = require('tls');
const mqtt = require('mqtt-packet');
const { WebSocket } = require('ws');
const { TestHub, sleep, connectPacket, publishPacket } = require('./client');
const { FAULTS } = require('../faults');
const { protocolOf } = require('../protocols/choose');

const tested = new Set();

function hubTest(name, args, body) {
  args.forEach((arg) => tested.add(arg.split('=')[0]));
  test(name, async () => {
    const hub = await TestHub.start(...args);
    try { await body(hub); } finally { hub.stop(); }
  });
}

// An MQTT client over WebSocket; `messages` are the messages as they came, `packets` what was in them.
class WsClient {
  static open(hub, { path = '/$iothub/websocket', protocols = ['mqtt'], ...options } = {}) {
    const client = new WsClient();
    Object.assign(client, { messages: [], packets: [], pings: [], code: null });
    const parser = mqtt.parser();
    parser.on('packet', (packet) => client.packets.push(packet));
    client.socket = new WebSocket(`wss://localhost:${hub.port}${path}`, protocols, { ca: hub.ca, lookup: (name, o, done) => (o.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)), ...options });
    return new Promise((resolve, reject) => {
      client.socket.on('open', () => resolve(client));
      client.socket.on('error', (error) => { client.error = error; reject(error); });
      client.socket.on('message', (data, isBinary) => { client.messages.push({ data, isBinary }); if (isBinary) parser.parse(data); });
      client.socket.on('ping', (data) => client.pings.push(data.toString()));
      client.socket.on('close', (code) => { client.code = code; });
    });
  }

  send(...packets) { this.socket.send(Buffer.concat(packets.map((packet) => mqtt.generate(packet)))); }

  async until(done) {
    for (const end = Date.now() + 4000; !done(); await sleep(3)) if (Date.now() > end) throw new Error(`not in time; packets ${JSON.stringify(this.packets.map(({ cmd }) => cmd))}`);
  }

  async next(cmd) {
    await this.until(() => this.packets.length > 0);
    const packet = this.packets.shift();
    assert.strictEqual(packet.cmd, cmd);
    return packet;
  }

  async login() {
    this.send(connectPacket());
    return this.next('connack');
  }

  async closed() {
    await this.until(() => this.code !== null);
    return this.code;
  }
}

hubTest('telemetry; the upgrade and the connection are reported', [], async (hub) => {
  const client = await WsClient.open(hub, { path: '/$iothub/websocket?iothub-no-client-cert=true' });
  assert.strictEqual(client.socket.protocol, 'mqtt');
  assert.strictEqual((await client.login()).returnCode, 0);
  client.send(publishPacket(1));
  await client.next('puback');
  const { path, query, protocols } = hub.of('upgrade')[0];
  assert.deepStrictEqual([path, query, protocols], ['/$iothub/websocket', 'iothub-no-client-cert=true', ['mqtt']]);
  assert.strictEqual(hub.of('connect')[0].protocol, 'mqtt-ws');
  assert.strictEqual(hub.of('telemetry')[0].connection, hub.of('upgrade')[0].connection);
  client.send({ cmd: 'disconnect' });
  await client.closed();
  const end = await hub.waitFor('disconnect');
  assert.ok(end.disconnectReceived && end.bytesIn > 300);
});

hubTest('one packet over many frames and messages, many packets in one', [], async (hub) => {
  const client = await WsClient.open(hub);
  const bytes = mqtt.generate(connectPacket());
  for (let at = 0; at < 20; at += 1) client.socket.send(bytes.subarray(at, at + 1));
  client.socket.send(bytes.subarray(20, 50), { fin: false });
  client.socket.ping('in between');
  client.socket.send(bytes.subarray(50), { fin: true });
  await client.next('connack');
  client.send(publishPacket(1), publishPacket(2), publishPacket(3));
  for (const id of [1, 2, 3]) assert.strictEqual((await client.next('puback')).messageId, id);
  assert.strictEqual(hub.of('ping-frame').length, 1);
  client.socket.terminate();
});

hubTest('"MQTT" is the subprotocol, too, and comes back as it was written', [], async (hub) => {
  const client = await WsClient.open(hub, { protocols: ['MQTT'] });
  assert.strictEqual(client.socket.protocol, 'MQTT');
  client.socket.terminate();
});

hubTest('another path or subprotocol is refused', [], async (hub) => {
  await assert.rejects(WsClient.open(hub, { path: '/elsewhere' }), /404/);
  await assert.rejects(WsClient.open(hub, { protocols: ['mqttv3.1'] }), /400/);
  await assert.rejects(WsClient.open(hub, { protocols: [] }), /400/);
  assert.strictEqual(hub.of('violation').length, 3);
});

hubTest('a text frame, or one that is not masked, is a violation', [], async (hub) => {
  const client = await WsClient.open(hub);
  client.socket.send('text');
  assert.strictEqual(await client.closed(), 1003);
  const other = await WsClient.open(hub);
  other.socket.send(mqtt.generate(connectPacket()), { mask: false });
  assert.strictEqual(await other.closed(), 1002);
  assert.match(hub.of('violation')[1].reason, /MASK must be set/);
});

hubTest('ws-upgrade: a status, a wrong accept, no subprotocol, silence', ['--fault', 'ws-upgrade=503'], async (hub) => {
  await assert.rejects(WsClient.open(hub), /503/);
  hub.command('fault ws-upgrade=wrong-accept');
  await assert.rejects(WsClient.open(hub), /Sec-WebSocket-Accept/);
  hub.command('fault ws-upgrade=no-protocol');
  await assert.rejects(WsClient.open(hub), /no subprotocol/);
  hub.command('fault ws-upgrade=silent');
  await assert.rejects(WsClient.open(hub, { handshakeTimeout: 200 }), /timed out/);
});

// The frames as they are on the wire: [opcode, fin, masked, length].
async function frames(hub, count) {
  const socket = tls.connect({ host: '127.0.0.1', port: hub.port, servername: 'localhost', ca: hub.ca });
  socket.write('GET /$iothub/websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n');
  let bytes = Buffer.alloc(0);
  const until = async (done) => { for (const end = Date.now() + 4000; !done(); await sleep(3)) if (Date.now() > end) throw new Error(`not in time: ${bytes.toString('hex')}`); };
  socket.on('data', (data) => { bytes = Buffer.concat([bytes, data]); });
  await until(() => bytes.includes('\r\n\r\n'));
  const head = bytes.toString('latin1');
  assert.match(head, /Sec-WebSocket-Accept: Bz3qJYTGdOe8gUSpLosEdiLKDrk=/);
  bytes = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
  const connect = mqtt.generate(connectPacket());
  socket.write(Buffer.concat([Buffer.from([0x82, 0xfe, connect.length >> 8, connect.length & 255, 0, 0, 0, 0]), connect])); // a mask of zeros
  const found = () => {
    const list = [];
    for (let at = 0; at + 2 <= bytes.length;) {
      const size = bytes[at + 1] & 127;
      const masked = bytes[at + 1] >> 7;
      list.push([bytes[at] & 15, bytes[at] >> 7, masked, size]);
      at += 2 + size + 4 * masked;
    }
    return list;
  };
  await until(() => found().length >= count);
  socket.destroy();
  return found().slice(0, count);
}

hubTest('without a fault CONNACK is one unmasked frame', [], async (hub) => assert.deepStrictEqual(await frames(hub, 1), [[2, 1, 0, 4]]));

hubTest('ws-fragment: continuation frames with pings between', ['--fault', 'ws-fragment=3'], async (hub) => assert.deepStrictEqual(await frames(hub, 3), [[2, 0, 0, 3], [9, 1, 0, 7], [0, 1, 0, 1]]));

hubTest('ws-split: messages of their own', ['--fault', 'ws-split=1'], async (hub) => assert.deepStrictEqual(await frames(hub, 4), Array(4).fill([2, 1, 0, 1])));

hubTest('ws-mask', ['--fault', 'ws-mask=on'], async (hub) => assert.deepStrictEqual(await frames(hub, 1), [[2, 1, 1, 4]]));

hubTest('ws-text', ['--fault', 'ws-text=on'], async (hub) => assert.deepStrictEqual(await frames(hub, 1), [[1, 1, 0, 4]]));

hubTest('ws-merge: several packets in one message', ['--fault', 'ws-merge=60'], async (hub) => {
  const client = await WsClient.open(hub);
  client.send(connectPacket(), publishPacket(1));
  await client.next('connack');
  await client.next('puback');
  assert.strictEqual(client.messages.length, 1);
  client.socket.terminate();
});

hubTest('ws-ping: pings, and the answers are reported', ['--fault', 'ws-ping=20'], async (hub) => {
  const client = await WsClient.open(hub);
  await client.until(() => client.pings.length >= 2);
  assert.deepStrictEqual(client.pings.slice(0, 2), ['ping 1', 'ping 2']);
  assert.strictEqual((await hub.waitFor('pong')).payload, 'ping 1');
  client.socket.terminate();
});

hubTest('ws-close: the hub closes with that code', ['--fault', 'ws-close=1001'], async (hub) => {
  const client = await WsClient.open(hub);
  await client.login();
  assert.strictEqual(await client.closed(), 1001);
  assert.strictEqual((await hub.waitFor('disconnect')).identity, 'd');
});

hubTest('the byte faults hold below the frames', ['--fault', 'cut-after-in=600'], async (hub) => {
  const client = await WsClient.open(hub);
  client.send(connectPacket(), publishPacket(1, { payload: 'x'.repeat(300) }));
  assert.strictEqual(await client.closed(), 1006);
  assert.match((await hub.waitFor('disconnect')).reason, /cut-after-in/);
});

hubTest('kick closes a WebSocket in order', [], async (hub) => {
  const client = await WsClient.open(hub);
  await client.login();
  hub.command('kick d');
  assert.strictEqual(await client.closed(), 1000);
  assert.strictEqual((await hub.waitFor('disconnect')).reason, 'kicked');
});

hubTest('bytes behind the upgrade before its answer are a violation', [], async (hub) => {
  const socket = tls.connect({ host: '127.0.0.1', port: hub.port, servername: 'localhost', ca: hub.ca });
  socket.write('GET /$iothub/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\nmore');
  assert.match((await hub.waitFor('violation')).reason, /before it was answered/);
  socket.destroy();
});

test('the first bytes tell the protocol', () => {
  for (const [text, protocol] of [['AMQP', 'amqp'], ['AM', null], ['', null], ['GET /', 'http'], ['PU', null], ['PUT ', 'http'], ['PUX', 'mqtt'], ['\x10', 'mqtt'], ['P\x02', 'mqtt'], ['DELETE ', 'http']]) {
    assert.strictEqual(protocolOf(Buffer.from(text, 'latin1')), protocol, JSON.stringify(text));
  }
});

hubTest('a connection that ends before it said anything is reported', [], async (hub) => {
  const socket = tls.connect({ host: '127.0.0.1', port: hub.port, servername: 'localhost', ca: hub.ca }, () => socket.end());
  assert.match((await hub.waitFor('disconnect')).reason, /before it said anything/);
});

// ---- The proxy

function connectThrough(port, target, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method: 'CONNECT', path: target, headers });
    request.on('connect', (response, socket) => resolve({ status: response.statusCode, socket, headers: response.headers }));
    request.on('error', reject);
    request.end();
  });
}

hubTest('the proxy tunnels to the hub', ['--proxy', '0'], async (hub) => {
  const { status, socket } = await connectThrough(hub.ready.proxyPort, `localhost:${hub.port}`);
  assert.strictEqual(status, 200);
  const secure = tls.connect({ socket, servername: 'localhost', ca: hub.ca }, () => secure.write(mqtt.generate(connectPacket())));
  const connack = await new Promise((resolve) => { secure.once('data', resolve); });
  assert.strictEqual(connack.toString('hex'), '20020000');
  secure.destroy();
  assert.deepStrictEqual(hub.of('proxy').map(({ result, authorization }) => [result, authorization]), [[200, false]]);
});

hubTest('the proxy asks for its password, refuses nonsense, and says when it cannot connect', ['--proxy', '0,me:secret'], async (hub) => {
  const login = (text) => ({ 'Proxy-Authorization': `Basic ${Buffer.from(text).toString('base64')}` });
  const port = hub.ready.proxyPort;
  const statuses = [];
  for (const [target, headers] of [[`localhost:${hub.port}`, {}], [`localhost:${hub.port}`, login('me:wrong')], [`localhost:${hub.port}`, login('me:secret')], ['nonsense', login('me:secret')], ['127.0.0.1:1', login('me:secret')]]) {
    const { status, socket } = await connectThrough(port, target, headers);
    statuses.push(status);
    socket.destroy();
  }
  assert.deepStrictEqual(statuses, [407, 407, 200, 400, 502]);
});

test('every WebSocket fault has a test here', () => {
  assert.deepStrictEqual(Object.keys(FAULTS).filter((name) => name.startsWith('ws-') && !tested.has(name)), []);
});
