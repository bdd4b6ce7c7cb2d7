'use strict';
// Whatever comes, the hub goes on: nonsense in every protocol, behind a good start or none.

const test = require('node:test');
const assert = require('node:assert');
const tls = require('tls');
const mqtt = require('mqtt-packet');
const { TestHub, KEY, sasToken, connectPacket, publishPacket, sleep } = require('./client');

// A small generator of pseudo-random numbers, so that a failure comes again.
function randomFrom(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const STARTS = {
  mqtt: Buffer.concat([connectPacket(), publishPacket(1)].map((packet) => mqtt.generate(packet))),
  requests: Buffer.concat([connectPacket(), { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/twin/res/#', qos: 1 }] },
    publishPacket(0, { qos: 0, topic: '$iothub/twin/PATCH/properties/reported/?$rid=1', payload: '{"a":{"b":[1,null,"x"]}}' }),
    publishPacket(0, { qos: 0, topic: '$iothub/methods/res/200/?$rid=1', payload: '{}' })].map((packet) => mqtt.generate(packet))),
  amqp: Buffer.from('414d5150000100000000002c02000000005310c01f0140a12431', 'hex'),
  http: Buffer.from(`PATCH /twins/d?api-version=1 HTTP/1.1\r\nHost: x\r\nAuthorization: ${sasToken({ resource: 'localhost', policy: 'iothubowner' })}\r\nContent-Length: 40\r\n\r\n{"properties":{"desired":{"a":{"b":1}}}}`),
  upgrade: Buffer.from('GET /$iothub/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n\x82\x82\0\0\0\0\xc0\0', 'latin1'),
  path: Buffer.from('GET //[ HTTP/1.1\r\nHost: x\r\n\r\n'),
};

// Some bytes changed, some left out, an end cut off.
function mangled(bytes, random) {
  const copy = Buffer.from(bytes);
  for (let i = random(4); i > 0; i -= 1) copy[random(copy.length)] = random(256);
  const at = random(copy.length);
  return random(3) === 0 ? Buffer.concat([copy.subarray(0, at), copy.subarray(at + random(5))]) : copy.subarray(0, random(2) === 0 ? copy.length : at + 1);
}

function throwAt(hub, bytes) {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: hub.port, servername: 'localhost', ca: hub.ca }, () => {
      socket.write(bytes);
      setTimeout(() => socket.destroy(), 15);
    });
    socket.on('error', () => {});
    socket.on('close', resolve);
    socket.resume();
  });
}

for (const [name, start] of Object.entries(STARTS)) {
  test(`two hundred mangled starts: ${name}`, async () => {
    const hub = await TestHub.start('--policy', `iothubowner=${KEY}`);
    const random = randomFrom(name.length + 1);
    try {
      for (let i = 0; i < 200; i += 20) await Promise.all(Array.from({ length: 20 }, () => throwAt(hub, mangled(start, random))));
      await throwAt(hub, start);
      const client = await hub.login();
      client.send(publishPacket(9));
      assert.strictEqual((await client.next('puback')).messageId, 9);
      client.leave();
      for (let i = 0; i < 100 && hub.inner.connections.size > 0; i += 1) await sleep(20);
      assert.strictEqual(hub.inner.connections.size, 0, 'every connection is gone');
    } finally { hub.stop(); }
  });
}
