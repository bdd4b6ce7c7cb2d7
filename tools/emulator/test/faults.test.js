'use strict';
// Each fault does what its line in the table says.

const test = require('node:test');
const assert = require('node:assert');
const fs = require('fs');
const net = require('net');
const path = require('path');
const mqtt = require('mqtt-packet');
const { FAULTS } = require('../faults');
const { TestHub, KEY, OTHER_KEY, sleep, sasToken, connectPacket, publishPacket } = require('./client');

const tested = new Set();

function faultTest(name, faults, body) {
  faults.forEach((fault) => tested.add(fault.split('=')[0]));
  test(name, async (t) => {
    const hub = await TestHub.start(...faults.flatMap((fault) => ['--fault', fault]));
    try { await body(hub, t); } finally { hub.stop(); }
  });
}

const elapsed = async (promise) => {
  const since = Date.now();
  await promise;
  return Date.now() - since;
};

faultTest('refuse-tcp: no TLS handshake', ['refuse-tcp=on'], async (hub) => {
  await assert.rejects(hub.dial());
  hub.faults.set('refuse-tcp', 'off');
  (await hub.login()).leave();
});

faultTest('cut-after-in: the first N bytes still count', ['cut-after-in=0'], async (hub) => {
  hub.faults.set('cut-after-in', 'off');
  const token = sasToken(); // one for all: the length of another may differ by its escapes
  const whole = await hub.login({ token });
  whole.send(publishPacket(1));
  await whole.next('puback');
  const total = await (async () => { whole.leave(); return (await hub.waitFor('disconnect')).bytesIn; })();

  for (const [cut, messages] of [[0, 1], [total - 1, 1], [total, 2]]) {
    hub.faults.set('cut-after-in', String(cut));
    const client = await hub.dial();
    client.send(connectPacket({ token }), publishPacket(1));
    await client.closed();
    const end = await hub.waitFor('disconnect', hub.of('disconnect').length);
    assert.ok(end.bytesIn <= total, `cut at ${cut}`);
    assert.strictEqual(hub.of('telemetry').length, messages, `cut at ${cut}`);
  }
  await sleep(20);
  assert.match(hub.of('disconnect').at(-1).reason, /fault cut-after-in=/);
});

faultTest('cut-after-in with cut-connections: what comes behind the cut is lost, however much', ['cut-after-in=100000', 'cut-connections=1'], async (hub) => {
  const client = await hub.dial();
  client.send(connectPacket(), publishPacket(1, { payload: 'x'.repeat(262000) }));
  await client.closed();
  assert.strictEqual((await hub.waitFor('disconnect')).bytesIn, 100000);
  assert.deepStrictEqual(hub.of('telemetry'), []);
});

faultTest('cut-after-out: exactly N bytes leave', ['cut-after-out=6'], async (hub) => {
  const client = await hub.dial();
  client.send(connectPacket(), publishPacket(1));
  await client.closed();
  assert.strictEqual(client.bytes.toString('hex'), '200200004002');
  assert.strictEqual((await hub.waitFor('disconnect')).bytesOut, 6);
});

faultTest('cut-connections: only the first K are cut', ['cut-after-out=2', 'cut-connections=2'], async (hub) => {
  for (let i = 0; i < 2; i += 1) {
    const client = await hub.dial();
    client.send(connectPacket());
    await client.closed();
    assert.strictEqual(client.bytes.length, 2);
  }
  const client = await hub.login();
  client.send(publishPacket(1));
  await client.next('puback');
  client.leave();
});

faultTest('cut-how=rst resets, truncate ends without a TLS close', ['cut-after-in=30', 'cut-how=rst'], async (hub) => {
  const client = await hub.dial();
  await sleep(20); // the TLS session tickets are read: nothing comes in the same moment as the reset
  client.send(connectPacket());
  await client.closed();
  assert.strictEqual(client.error.code, 'ECONNRESET');
  hub.faults.set('cut-how', 'truncate');
  const other = await hub.dial();
  other.send(connectPacket());
  await other.closed();
  await hub.waitFor('disconnect', 2);
  assert.deepStrictEqual(hub.of('disconnect').map((event) => event.reason), ['fault cut-after-in=30 (rst)', 'fault cut-after-in=30 (truncate)']);
});

faultTest('rate-in and rate-out slow a connection down', ['rate-in=1000'], async (hub) => {
  const size = mqtt.generate(connectPacket()).length;
  assert.ok(await elapsed(hub.login()) > size * 0.8);
  hub.faults.set('rate-in', 'off');
  hub.faults.set('rate-out', '20');
  const client = await hub.login();
  client.send(...[1, 2, 3, 4].map((id) => publishPacket(id)));
  assert.ok(await elapsed(client.next('puback').then(() => client.next('puback')).then(() => client.next('puback'))) > 300);
  client.leave();
});
tested.add('rate-out');

faultTest('split-out: single bytes', ['split-out=1'], async (hub) => {
  const client = await hub.login();
  assert.deepStrictEqual(client.reads.map((read) => read.length), [1, 1, 1, 1]);
  client.leave();
});

faultTest('merge-out: one write for several packets', ['merge-out=50'], async (hub) => {
  const client = await hub.dial();
  client.send(connectPacket(), publishPacket(1), { cmd: 'pingreq' });
  for (const cmd of ['connack', 'puback', 'pingresp']) await client.next(cmd);
  assert.deepStrictEqual(client.reads.map((read) => read.length), [10]);
  client.leave();
});

faultTest('stop-reading: nothing is taken until it is off', [], async (hub) => {
  const client = await hub.login({ keepalive: 1 });
  hub.faults.set('stop-reading', 'on');
  client.send(publishPacket(1));
  await sleep(1700); // longer than 1.5 times the keep-alive
  assert.strictEqual(hub.of('telemetry').length, 0);
  assert.strictEqual(client.ended, false);
  hub.faults.set('stop-reading', 'off');
  await client.next('puback');
  client.leave();
});
tested.add('stop-reading');

faultTest('silent: takes messages, answers nothing', [], async (hub) => {
  const client = await hub.login();
  hub.faults.set('silent', 'on');
  client.send(publishPacket(1), { cmd: 'pingreq' });
  await hub.waitFor('telemetry');
  await sleep(30);
  assert.strictEqual(client.bytes.length, 4);
  client.leave();
});
tested.add('silent');

faultTest('connack: any code, close, hold', ['connack=3'], async (hub) => {
  const client = await hub.login();
  assert.strictEqual(client.connack.returnCode, 3);
  await client.closed();
  hub.faults.set('connack', 'close');
  const second = await hub.dial();
  second.send(connectPacket());
  await second.closed();
  assert.strictEqual(second.bytes.length, 0);
  hub.faults.set('connack', 'hold');
  const third = await hub.dial();
  third.send(connectPacket(), publishPacket(1));
  await sleep(50);
  assert.deepStrictEqual([third.bytes.length, third.ended, hub.of('telemetry').length], [0, false, 0]);
  third.leave();
});

faultTest('connack-delay: pipelined packets wait for it', ['connack-delay=100'], async (hub) => {
  const client = await hub.dial();
  client.send(connectPacket(), publishPacket(1));
  assert.ok(await elapsed(client.next('connack')) > 80);
  await client.next('puback');
  client.leave();
});

faultTest('connack-how=rst: a reset after the refusal', ['connack=5', 'connack-how=rst'], async (hub, t) => {
  // A client may see data and reset in one moment and take that for an orderly end, so look at this end.
  const reset = t.mock.method(net.Socket.prototype, 'resetAndDestroy');
  const client = await hub.login();
  assert.strictEqual(client.connack.returnCode, 5);
  await client.closed();
  assert.strictEqual(reset.mock.callCount(), 1);
  assert.match((await hub.waitFor('disconnect')).reason, /refused/);
});

faultTest('refuse-pipelined: only a client that waits gets in', ['refuse-pipelined=on'], async (hub) => {
  const eager = await hub.dial();
  eager.send(connectPacket(), publishPacket(1));
  assert.strictEqual((await eager.next('connack')).returnCode, 5);
  await eager.closed();
  assert.strictEqual(hub.of('telemetry').length, 0);
  const patient = await hub.login();
  assert.strictEqual(patient.connack.returnCode, 0);
  patient.leave();
});

faultTest('drop-session: session present is always 0', ['drop-session=on'], async (hub) => {
  for (let i = 0; i < 2; i += 1) {
    const client = await hub.login();
    assert.strictEqual(client.connack.sessionPresent, false);
    client.leave();
  }
});

faultTest('puback=withhold, and off sends those held', ['puback=withhold'], async (hub) => {
  const client = await hub.login();
  client.send(publishPacket(1), publishPacket(2));
  await hub.waitFor('telemetry', 2);
  await sleep(30);
  assert.strictEqual(client.bytes.length, 4);
  hub.faults.set('puback', 'off');
  assert.deepStrictEqual([(await client.next('puback')).messageId, (await client.next('puback')).messageId], [1, 2]);
  client.leave();
});

faultTest('puback-delay', ['puback-delay=100'], async (hub) => {
  const client = await hub.login();
  client.send(publishPacket(1));
  assert.ok(await elapsed(client.next('puback')) > 80);
  client.leave();
});

faultTest('puback-reorder: N, then backwards', ['puback-reorder=3'], async (hub) => {
  const client = await hub.login();
  client.send(publishPacket(1), publishPacket(2), publishPacket(3));
  const ids = [];
  for (let i = 0; i < 3; i += 1) ids.push((await client.next('puback')).messageId);
  assert.deepStrictEqual(ids, [3, 2, 1]);
  client.leave();
});

faultTest('puback-merge: N in one write, and off sends the rest', ['puback-merge=3'], async (hub) => {
  const client = await hub.login();
  for (const id of [1, 2, 3, 4]) client.send(publishPacket(id));
  for (let i = 0; i < 3; i += 1) await client.next('puback');
  assert.deepStrictEqual(client.reads.map((read) => read.length), [4, 12]);
  hub.faults.set('puback-merge', 'off');
  await client.next('puback');
  client.leave();
});

faultTest('pingresp=withhold and pingresp-delay', ['pingresp-delay=100'], async (hub) => {
  const client = await hub.login();
  client.send({ cmd: 'pingreq' });
  assert.ok(await elapsed(client.next('pingresp')) > 80);
  hub.faults.set('pingresp', 'withhold');
  client.send({ cmd: 'pingreq' });
  await hub.waitFor('ping', 2);
  await sleep(130);
  assert.strictEqual(client.packets.length, 0);
  client.leave();
});
tested.add('pingresp');

faultTest('throttle: PUBACKs at its pace, then the connection closes', ['throttle=20'], async (hub) => {
  const client = await hub.login();
  client.send(...Array.from({ length: 25 }, (_, i) => publishPacket(i + 1)));
  const time = await elapsed((async () => { for (let i = 0; i < 25; i += 1) await client.next('puback'); })());
  assert.ok(time > 200 && time < 1000, `${time} ms`);
  client.send(...Array.from({ length: 300 }, (_, i) => publishPacket(i + 100)));
  await client.closed();
  assert.match((await hub.waitFor('disconnect')).reason, /throttled/);
});

faultTest('expire-tokens: after seconds, or now for those in use', ['expire-tokens=1'], async (hub) => {
  const short = await hub.login();
  assert.ok(await elapsed(short.closed()) > 800);
  hub.faults.set('expire-tokens', 'off');
  const token = sasToken({ expiry: Math.floor(Date.now() / 1000) + 5000 });
  const client = await hub.login({ token });
  hub.faults.set('expire-tokens', 'now');
  await client.closed();
  assert.strictEqual((await hub.login({ token })).connack.returnCode, 5);
  const fresh = await hub.login({ token: sasToken({ expiry: Math.floor(Date.now() / 1000) + 5001 }) });
  assert.strictEqual(fresh.connack.returnCode, 0);
  fresh.leave();
});

test('kick, disable, enable, set-key, drop-session', async () => {
  const hub = await TestHub.start();
  try {
    const first = await hub.login();
    hub.inner.kick('d');
    await first.closed();
    assert.throws(() => hub.inner.kick('d'), /not connected/);
    const second = await hub.login();
    hub.inner.disable('d');
    await second.closed();
    assert.strictEqual((await hub.login()).connack.returnCode, 5);
    hub.inner.enable('d');
    hub.inner.setKey('d', OTHER_KEY);
    assert.strictEqual((await hub.login()).connack.returnCode, 5);
    hub.inner.setKey('d', KEY);
    hub.inner.dropSession('d');
    const third = await hub.login();
    assert.deepStrictEqual([third.connack.returnCode, third.connack.sessionPresent], [0, false]);
    assert.throws(() => hub.inner.disable('nobody'), /no device/);
    third.leave();
  } finally { hub.stop(); }
});

test('every fault of the table has a test', () => {
  const elsewhere = ['deliveries', 'requests', 'websocket'].map((name) => fs.readFileSync(path.join(__dirname, `${name}.test.js`), 'utf8')).join();
  assert.deepStrictEqual(Object.keys(FAULTS).filter((name) => !tested.has(name) && !elsewhere.includes(`${name}=`)), []);
});
