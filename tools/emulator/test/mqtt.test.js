'use strict';
// What the hub takes and what it refuses, over real TLS.

const test = require('node:test');
const assert = require('node:assert');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { deviceCertificate } = require('../certs');
const { TLS12_SUITES } = require('../listener');
const {
  TestHub, KEY, OTHER_KEY, state, hours, sleep, sasToken, connectPacket, publishPacket,
} = require('./client');

// Each test has its own hub, stopped at its end.
function hubTest(name, args, body) {
  test(name, async () => {
    const hub = await TestHub.start(...args);
    try { await body(hub); } finally { hub.stop(); }
  });
}

async function refused(hub, connect, reason, { code = 5, dial = {} } = {}) {
  const client = await hub.login(connect, dial);
  assert.strictEqual(client.connack.returnCode, code);
  await client.closed();
  assert.match(hub.of('refused').at(-1).reason, reason);
}

async function closesOn(hub, packets, violation) {
  const client = await hub.login();
  client.send(...packets);
  await client.closed();
  assert.match(hub.of('violation').at(-1).reason, violation);
}

// ---- Telemetry

hubTest('telemetry of a device: properties, PUBACK, event', [], async (hub) => {
  const client = await hub.login();
  client.send(publishPacket(7, { topic: 'devices/d/messages/events/%24.ct=application%2Fjson&room=lab%201', payload: '{"t":1}' }));
  assert.strictEqual((await client.next('puback')).messageId, 7);
  assert.deepStrictEqual(hub.of('telemetry'), [{
    event: 'telemetry', identity: 'd', sequence: 1, body: 'eyJ0IjoxfQ==', text: '{"t":1}', system: { 'content-type': 'application/json' },
    properties: { room: 'lab 1' }, qos: 1, dup: false, packetId: 7, connection: 1,
  }]);
  client.leave();
});

hubTest('CONNECT, SUBSCRIBE and PUBLISH in one write are answered in order', [], async (hub) => {
  const client = await hub.dial();
  client.send(connectPacket(), { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/methods/POST/#', qos: 0 }] }, publishPacket(2));
  for (const cmd of ['connack', 'suback', 'puback']) await client.next(cmd);
  client.leave();
});

hubTest('telemetry of a module and of its output', ['--module', `d/m,key=${KEY}`], async (hub) => {
  const client = await hub.login({ id: 'd/m' });
  client.send(publishPacket(1, { topic: 'devices/d/modules/m/messages/events/' }), publishPacket(2, { topic: 'devices/d/modules/m/messages/events/%24.on=alert/' }));
  await client.next('puback');
  await client.next('puback');
  assert.deepStrictEqual(hub.of('telemetry').map((event) => [event.identity, event.system]), [['d/m', {}], ['d/m', { 'output-name': 'alert' }]]);
  client.leave();
});

hubTest('RETAIN becomes the property mqtt-retain; QoS 0 has no PUBACK; a body need not be text', [], async (hub) => {
  const client = await hub.login();
  client.send(publishPacket(0, { qos: 0, retain: true, payload: Buffer.from([0xff]) }), { cmd: 'pingreq' });
  await client.next('pingresp');
  const [seen] = hub.of('telemetry');
  assert.deepStrictEqual([seen.properties, seen.text, seen.body, seen.packetId], [{ 'mqtt-retain': 'true' }, undefined, '/w==', null]);
  client.leave();
});

hubTest('a message of 262,144 bytes with its properties is taken, one more closes', [], async (hub) => {
  const topic = 'devices/d/messages/events/%24.ct=abc&room=lab%201'; // 3 + 4 + 5 bytes count
  const client = await hub.login();
  client.send(publishPacket(1, { topic, payload: Buffer.alloc(262144 - 12) }));
  await client.next('puback');
  client.send(publishPacket(2, { topic, payload: Buffer.alloc(262144 - 11) }));
  await client.closed();
  assert.match(hub.of('violation')[0].reason, /more than 262144/);
  assert.strictEqual(hub.of('telemetry').length, 1);
});

hubTest('a packet far over the limit closes before it is read', [], async (hub) => {
  const client = await hub.login();
  client.raw(Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]));
  await client.closed();
  assert.match(hub.of('violation')[0].reason, /over the limit/);
});

// ---- Login

hubTest('SAS logins that are refused', ['--device', `d,key=${KEY}`, '--device', `off,key=${KEY},disabled`, '--module', `off/m,key=${KEY}`], async (hub) => {
  await refused(hub, { token: null }, /sent none/);
  await refused(hub, { token: sasToken({ key: OTHER_KEY }) }, /signature does not match/);
  await refused(hub, { token: sasToken({ expiry: hours(-1) }) }, /expired 36\d\d s ago/);
  await refused(hub, { token: sasToken({ resource: 'localhost%2Fdevices%2Fdd' }) }, /not for "devices\/d"/);
  await refused(hub, { token: sasToken({ resource: 'elsewhere%2Fdevices%2Fd' }) }, /names the hub/);
  await refused(hub, { id: 'nobody' }, /no device or module "nobody"/);
  await refused(hub, { id: 'D' }, /no device or module "D"/);
  await refused(hub, { id: 'off' }, /disabled/);
  await refused(hub, { id: 'off/m' }, /disabled/);
  await refused(hub, { userName: 'localhost/other/?api-version=2021-04-12' }, /does not name the client id/);
  await refused(hub, { userName: 'elsewhere/d/?api-version=2021-04-12' }, /for the hub "elsewhere"/);
  await refused(hub, { token: 'password' }, /not a SAS token/);
});

hubTest('a port in user name and token, a policy token, upper-case host', ['--device', `d,key=${KEY}`, '--policy', `device=${OTHER_KEY}`], async (hub) => {
  for (const connect of [
    { userName: 'localhost:8883/d/?api-version=2021-04-12', token: sasToken({ resource: 'localhost%3A8883%2Fdevices%2Fd' }) },
    { token: sasToken({ resource: 'localhost', key: OTHER_KEY, policy: 'device' }) },
    { userName: 'LocalHost/d/?api-version=2021-04-12' },
  ]) {
    const client = await hub.login(connect);
    assert.strictEqual(client.connack.returnCode, 0);
    client.leave();
  }
});

hubTest('switches of the login', ['--device', `d,key=${KEY}`, '--device', `off,key=${KEY},disabled`, '--switch', 'host-port-in-names=refuse', '--switch', 'api-version-missing=refuse',
  '--switch', 'refusal-code=4', '--switch', 'disabled-device-code=3', '--switch', 'clock-tolerance=7200'], async (hub) => {
  await refused(hub, { userName: 'localhost:1/d/?api-version=1' }, /for the hub/, { code: 4 });
  await refused(hub, { userName: 'localhost/d' }, /no api-version/, { code: 4 });
  await refused(hub, { id: 'off' }, /disabled/, { code: 3 });
  assert.strictEqual((await hub.login({ token: sasToken({ expiry: hours(-1) }) })).connack.returnCode, 0);
});

hubTest('a user name without api-version is noted and taken', [], async (hub) => {
  assert.strictEqual((await hub.login({ userName: 'localhost/d' })).connack.returnCode, 0);
  assert.strictEqual(hub.of('notice').length, 1);
});

test('X.509: thumbprint (SHA-1 and SHA-256) and CA', async () => {
  const directory = path.join(state, 'clients');
  const own = deviceCertificate(directory, 'own', { kind: 'ec' });
  const signed = deviceCertificate(directory, 'signed', { kind: 'rsa', signedByCa: true });
  const module = deviceCertificate(directory, 'signed/m', { kind: 'ec', signedByCa: true });
  const pair = ({ certificate, key }) => ({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
  const hub = await TestHub.start('--device', `own,thumbprint=${own.sha1}`, '--device', `own2,thumbprint=${own.sha256.toLowerCase()}`,
    '--device', 'signed,ca', '--device', 'other,ca', '--module', 'signed/m,ca', '--client-ca', signed.ca, '--device', `d,key=${KEY}`);
  try {
    for (const [id, made] of [['own', own], ['own2', own], ['signed', signed], ['signed/m', module]]) {
      const client = await hub.login({ id, token: null }, pair(made));
      assert.strictEqual(client.connack.returnCode, 0, id);
      client.leave();
    }
    await refused(hub, { id: 'own', token: null }, /sent no certificate/);
    await refused(hub, { id: 'own', token: sasToken({ resource: 'localhost%2Fdevices%2Fown' }) }, /sent no certificate/);
    await refused(hub, { id: 'own', token: null }, /thumbprint/, { dial: pair(signed) });
    await refused(hub, { id: 'signed', token: null }, /does not chain/, { dial: pair(own) });
    await refused(hub, { id: 'other', token: null }, /CN is "signed"/, { dial: pair(signed) });
    await refused(hub, { token: null }, /sent none/, { dial: pair(own) });
  } finally { hub.stop(); }
});

// ---- TLS

hubTest('a TLS 1.2 session is resumed by its id, without tickets', [], async (hub) => {
  const options = { maxVersion: 'TLSv1.2', secureOptions: crypto.constants.SSL_OP_NO_TICKET };
  const first = await hub.login({}, options);
  const session = first.socket.getSession();
  first.leave();
  const second = await hub.login({}, { ...options, session });
  assert.strictEqual(second.socket.isSessionReused(), true);
  assert.deepStrictEqual(hub.of('connect').map((event) => event.tls.endsWith(' resumed')), [false, true]);
  second.leave();
});

hubTest('TLS 1.2 with each suite of its key kind, and no other', [], async (hub) => {
  for (const ciphers of TLS12_SUITES.filter((suite) => suite.includes('ECDSA'))) {
    const client = await hub.login({}, { maxVersion: 'TLSv1.2', ciphers });
    assert.strictEqual(client.socket.getCipher().name, ciphers);
    client.leave();
  }
  await assert.rejects(hub.dial({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-CHACHA20-POLY1305' }));
  assert.match((await hub.waitFor('tls-error')).reason, /no shared cipher|cipher/i);
});

for (const [kind, keyType] of [['rsa', 'RSA'], ['rsa384', 'RSA'], ['ec384', 'ECDSA']]) {
  hubTest(`--server-key ${kind} with TLS 1.2 only`, ['--server-key', kind, '--tls12', '--host-name', 'gateway.example'], async (hub) => {
    for (const ciphers of TLS12_SUITES.filter((suite) => suite.includes(keyType))) {
      const client = await hub.login({}, { servername: 'gateway.example', ciphers });
      assert.deepStrictEqual([client.socket.getProtocol(), client.socket.getCipher().name], ['TLSv1.2', ciphers]);
      client.leave();
    }
  });
}

hubTest('without its root a client does not trust the hub', [], async (hub) => {
  await assert.rejects(hub.dial({ ca: [] }), /certificate/);
});

// ---- Rules of the connection

hubTest('a second connection of the same identity closes the first', [], async (hub) => {
  const first = await hub.login();
  const second = await hub.login();
  assert.strictEqual(second.connack.returnCode, 0);
  await first.closed();
  assert.match((await hub.waitFor('disconnect')).reason, /took over/);
  second.send(publishPacket(1));
  await second.next('puback');
  second.leave();
});

hubTest('violations close the connection', [], async (hub) => {
  await closesOn(hub, [connectPacket()], /second CONNECT/);
  await closesOn(hub, [publishPacket(1, { qos: 2 })], /QoS 2/);
  await closesOn(hub, [publishPacket(1, { topic: 'devices/other/messages/events/' })], /not a topic d may/);
  await closesOn(hub, [publishPacket(1, { topic: 'devices/d/messages/events' })], /not a topic d may/);
  await closesOn(hub, [publishPacket(1, { topic: 'anything' })], /not a topic d may/);
  await closesOn(hub, [{ cmd: 'puback', messageId: 1 }], /is not open/);
  await closesOn(hub, [{ cmd: 'suback', messageId: 1, granted: [0] }], /must not send SUBACK/);
  assert.strictEqual(hub.of('telemetry').length, 0);
});

hubTest('malformed packets close the connection', [], async (hub) => {
  const topic = Buffer.from('devices/d/messages/events/');
  const publish = (first, id) => Buffer.concat([Buffer.from([first, topic.length + 2 + id.length, 0, topic.length]), topic, Buffer.from(id)]);
  for (const [bytes, violation] of [
    [Buffer.from([0xc0, 0xff, 0xff, 0xff, 0xff, 0x01]), /four bytes/],
    [Buffer.from([0x82, 0x02, 0x00, 0x01]), /no topic filter/],
    [Buffer.from([0xa2, 0x02, 0x00, 0x01]), /no topic filter/],
    [Buffer.from([0x82, 0x06, 0, 0, 0, 1, 0x61, 0]), /packet id 0/],
    [Buffer.from([0x82, 0x07, 0, 1, 0, 9, 0x61, 0, 0]), /malformed/],
    [Buffer.from([0x10, 0x02, 0, 0]), /malformed|second CONNECT/],
    [Buffer.from([0x80, 0x06, 0, 1, 0, 1, 0x61, 0]), /malformed/],
    [publish(0x32, [0, 0]), /packet id 0/],
    [publish(0x38, []), /DUP on a QoS 0/],
    [Buffer.from([0x00, 0x00]), /malformed/],
  ]) {
    const client = await hub.login();
    client.raw(bytes);
    await client.closed();
    assert.match(hub.of('violation').at(-1).reason, violation);
  }
});

hubTest('the first packet must be CONNECT, of MQTT level 4', [], async (hub) => {
  const early = await hub.dial();
  early.send(publishPacket(1));
  await early.closed();
  assert.match(hub.of('violation')[0].reason, /first packet/);
  const old = await hub.dial();
  old.send(connectPacket({ protocolId: 'MQIsdp', protocolVersion: 3 }));
  assert.strictEqual((await old.next('connack')).returnCode, 1);
  const five = await hub.dial();
  five.send(connectPacket({ protocolVersion: 5 }));
  assert.strictEqual((await five.next('connack')).returnCode, 1);
  await five.closed();
});

// A packet that comes a byte at a time: bytes count only with their switch.
async function trickle(client) {
  for (const byte of Buffer.from([0x32, 0x05, 0x00, 0x01, 0x61])) {
    client.raw(Buffer.from([byte]));
    await sleep(400);
  }
  return client.ended;
}

hubTest('silence of 1.5 times the keep-alive closes, a ping prevents it', [], async (hub) => {
  const lenient = await TestHub.start('--switch', 'keep-alive-counts=bytes');
  const [strictEnded, lenientEnded] = [hub.login({ keepalive: 1 }).then(trickle), lenient.login({ keepalive: 1 }).then(trickle)];
  assert.strictEqual(await strictEnded, true);
  assert.strictEqual(await lenientEnded, false);
  lenient.stop();
  const client = await hub.login({ keepalive: 1 });
  await sleep(700);
  client.send({ cmd: 'pingreq' });
  await client.next('pingresp');
  const since = Date.now();
  await client.closed();
  assert.ok(Date.now() - since > 1300, 'not earlier');
  assert.match((await hub.waitFor('disconnect', 2)).reason, /1.5 times the keep-alive/);
});

hubTest('subscriptions: QoS 2 granted as 1, unknown filter and the sixth refused', [], async (hub) => {
  const client = await hub.login();
  const subscribe = async (...topics) => {
    client.send({ cmd: 'subscribe', messageId: 9, subscriptions: topics.map((topic) => ({ topic, qos: 2 })) });
    return (await client.next('suback')).granted;
  };
  assert.deepStrictEqual(await subscribe('devices/d/messages/devicebound/#', 'devices/x/messages/devicebound/#', '#'), [1, 0x80, 0x80]);
  assert.deepStrictEqual(await subscribe('devices/+/messages/devicebound/#', '$iothub/twin/res/#', '$iothub/twin/PATCH/properties/desired/#', '$iothub/methods/POST/#'), [1, 1, 1, 1]);
  client.send({ cmd: 'unsubscribe', messageId: 10, unsubscriptions: ['$iothub/twin/res/#'] });
  await client.next('unsuback');
  client.leave();
});

const sixFilters = ['devices/d/modules/m/#', 'devices/d/modules/m/inputs/#', '$iothub/twin/res/#', '$iothub/twin/PATCH/properties/desired/#', '$iothub/methods/POST/#', '$iothub/methods/POST/reboot/#'];

hubTest('a sixth subscription is refused, the same filter again is not', ['--module', `d/m,key=${KEY}`], async (hub) => {
  const client = await hub.login({ id: 'd/m' });
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [...sixFilters, sixFilters[0]].map((topic) => ({ topic, qos: 0 })) });
  assert.deepStrictEqual((await client.next('suback')).granted, [0, 0, 0, 0, 0, 0x80, 0]);
  client.leave();
});

hubTest('a sixth subscription closes, with its switch', ['--module', `d/m,key=${KEY}`, '--switch', 'sixth-subscription=close'], async (hub) => {
  const client = await hub.login({ id: 'd/m' });
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: sixFilters.map((topic) => ({ topic, qos: 0 })) });
  await client.closed();
  assert.match(hub.of('violation')[0].reason, /sixth subscription/);
});

hubTest('clean session 0 keeps subscriptions, clean session 1 forgets them', [], async (hub) => {
  const present = async (clean) => {
    const client = await hub.login({ clean });
    client.leave();
    return client.connack.sessionPresent;
  };
  assert.deepStrictEqual([await present(false), await present(false), await present(true), await present(false)], [false, true, false, false]);
});

hubTest('the token\'s expiry cuts the connection', [], async (hub) => {
  const expiry = Math.ceil(Date.now() / 1000) + 1;
  const client = await hub.login({ token: sasToken({ expiry }) });
  await client.closed();
  assert.ok(Math.abs(Date.now() / 1000 - expiry) < 0.5);
  assert.match((await hub.waitFor('disconnect')).reason, /token expired/);
});

hubTest('the will is telemetry after a drop, and nothing after DISCONNECT', [], async (hub) => {
  const will = { topic: 'devices/d/messages/events/a=b', payload: 'gone', qos: 1, retain: false };
  const polite = await hub.login({ will });
  polite.send({ cmd: 'disconnect' });
  await polite.closed();
  assert.strictEqual((await hub.waitFor('disconnect')).disconnectReceived, true);
  (await hub.login({ will })).leave();
  await hub.waitFor('disconnect', 2);
  assert.deepStrictEqual(hub.of('telemetry').map((event) => [event.text, event.properties]), [['gone', { a: 'b', 'iothub-MessageType': 'Will' }]]);
  await refused(hub, { will: { ...will, topic: 'elsewhere' } }, /will's topic/);
});

hubTest('a packet id used again before its PUBACK is a violation', ['--fault', 'puback=withhold'], async (hub) => {
  await closesOn(hub, [publishPacket(1), publishPacket(2), publishPacket(1)], /packet id 1 used again/);
  await closesOn(hub, [publishPacket(1), { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/twin/res/#', qos: 0 }] }], /packet id 1 used again/);
});

hubTest('switches for topics and filters', ['--switch', 'unknown-topic=ignore', '--switch', 'unknown-filter=close'], async (hub) => {
  const client = await hub.login();
  client.send(publishPacket(1, { topic: 'anything' }));
  await client.next('puback');
  assert.strictEqual(hub.of('telemetry').length, 0);
  client.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: '#', qos: 0 }] });
  await client.closed();
});

hubTest('bytes are counted', [], async (hub) => {
  const client = await hub.login();
  client.send({ cmd: 'disconnect' });
  await client.closed();
  const end = await hub.waitFor('disconnect');
  assert.strictEqual(end.bytesOut, 4);
  assert.ok(end.bytesIn > 150);
});
