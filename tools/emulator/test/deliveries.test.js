'use strict';
// Cloud-to-device messages and module inputs over MQTT: what is sent, settled, sent again, and what ends otherwise.

const test = require('node:test');
const assert = require('node:assert');
const { TestHub, KEY, sleep, publishPacket } = require('./client');
const { C2D, INPUTS, subscribe, listener, acknowledge, nextMessage, nothingCame } = require('./helpers');

function hubTest(name, args, body) {
  test(name, async () => {
    const hub = await TestHub.start(...args);
    try { await body(hub); } finally { hub.stop(); }
  });
}

const state = (hub, id = 'd') => hub.command(`c2d-state ${id}`).messages;

hubTest('a message with everything: its topic, its body, and PUBACK settles it', [], async (hub) => {
  const client = await listener(hub, [C2D]);
  const sent = hub.command(`c2d d ${JSON.stringify({
    body: 'hello', messageId: 'm 1', correlationId: 'c', contentType: 'text/plain', ack: 'full', properties: { room: 'lab 1&2', empty: '', none: null, 'ü=': '%' },
  })}`);
  assert.deepStrictEqual([sent.sequence, sent.messageId], [1, 'm 1']);
  const packet = await nextMessage(client);
  assert.deepStrictEqual([packet.qos, packet.dup, packet.text], [1, false, 'hello']);
  assert.strictEqual(packet.topic, 'devices/d/messages/devicebound/%24.mid=m%201&%24.cid=c&%24.ct=text%2Fplain&%24.to=%2Fdevices%2Fd%2Fmessages%2FdeviceBound&room=lab%201%262&empty=&none&%C3%BC%3D=%25&iothub-ack=full');
  assert.strictEqual(state(hub)[0].state, 'locked');
  acknowledge(client, packet);
  const settled = await hub.waitFor('settled');
  assert.deepStrictEqual([settled.sequence, settled.outcome, settled.deliveryCount, settled.sightings], [1, 'completed', 0, 1]);
  assert.deepStrictEqual(state(hub), []);
  client.leave();
});

hubTest('bodies: base64, a pattern of any size, JSON; a ready-made bag', [], async (hub) => {
  const client = await listener(hub, [C2D]);
  for (const written of [{ bodyBase64: '/wA=' }, { bodySize: 30 }, { json: { a: 1 } }, { bag: '%24.mid=%zz&=x&&a' }, {}]) hub.command(`c2d d ${JSON.stringify(written)}`);
  const packets = [];
  for (let i = 0; i < 5; i += 1) packets.push(await client.next('publish'));
  assert.deepStrictEqual(packets.map(({ payload }) => payload.toString('latin1')), ['\xff\0', 'abcdefghijklmnopqrstuvwxyzabcd', '{"a":1}', '', '']);
  assert.strictEqual(packets[3].topic, 'devices/d/messages/devicebound/%24.mid=%zz&=x&&a');
  client.leave();
});

hubTest('64 KB with its properties is the most', [], async (hub) => {
  const client = await listener(hub, [C2D]);
  hub.command('c2d d {"bodySize":65531,"properties":{"ab":"cde"}}');
  assert.strictEqual((await nextMessage(client)).text.length, 65531);
  assert.match(hub.command('c2d d {"bodySize":65537}', 'error').reason, /65537 bytes, more than 65536/);
  client.leave();
});

hubTest('without a subscription nothing comes; what waits comes after it, in order', [], async (hub) => {
  for (const body of ['1', '2']) hub.command(`c2d d {"body":"${body}"}`);
  const client = await hub.login();
  await nothingCame(client);
  await subscribe(client, C2D);
  assert.deepStrictEqual([(await nextMessage(client)).text, (await nextMessage(client)).text], ['1', '2']);
  client.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [C2D] });
  await client.next('unsuback');
  hub.command('c2d d {"body":"3"}');
  await nothingCame(client);
  client.leave();
});

hubTest('a subscription with QoS 0: the message counts as settled once it is sent', [], async (hub) => {
  const client = await listener(hub, [C2D], {}, 0);
  hub.command('c2d d {"body":"x"}');
  assert.strictEqual((await nextMessage(client)).qos, 0);
  assert.strictEqual((await hub.waitFor('settled')).outcome, 'completed');
  client.leave();
});

hubTest('unacknowledged messages come back at the next connection, before any SUBSCRIBE, with DUP and their packet ids', [], async (hub) => {
  const first = await listener(hub, [C2D]);
  for (const body of ['1', '2', '3']) hub.command(`c2d d {"body":"${body}"}`);
  const before = [await nextMessage(first), await nextMessage(first), await nextMessage(first)];
  acknowledge(first, before[1]);
  await hub.waitFor('settled');
  first.leave();
  await hub.waitFor('disconnect');
  hub.command('c2d d {"body":"4"}');
  const second = await hub.login();
  const after = [await nextMessage(second), await nextMessage(second), await nextMessage(second)];
  assert.deepStrictEqual(after.map(({ text, dup }) => [text, dup]), [['1', true], ['3', true], ['4', false]]);
  assert.deepStrictEqual([after[0].messageId, after[1].messageId], [before[0].messageId, before[2].messageId]);
  assert.deepStrictEqual(state(hub).map(({ sightings, deliveryCount }) => [sightings, deliveryCount]), [[2, 0], [2, 0], [1, 0]]);
  second.leave();
});

hubTest('clean session 1 forgets packet ids, not messages', [], async (hub) => {
  const first = await listener(hub, [C2D]);
  hub.command('c2d d {"body":"1"}');
  await nextMessage(first);
  first.leave();
  await hub.waitFor('disconnect');
  const second = await hub.login({ clean: true });
  await nothingCame(second);
  await subscribe(second, C2D);
  const again = await nextMessage(second);
  assert.deepStrictEqual([again.text, again.dup], ['1', false]);
  second.leave();
});

hubTest('a lock that ends on an open connection', ['--switch', 'c2d-lock=1'], async (hub) => {
  const client = await listener(hub, [C2D]);
  hub.command('c2d d {"body":"1"}');
  const one = await nextMessage(client);
  const two = await nextMessage(client);
  assert.deepStrictEqual([two.text, two.dup, two.messageId], ['1', true, one.messageId]);
  assert.strictEqual(state(hub)[0].deliveryCount, 0);
  hub.command('switch c2d-lock-end=wait');
  await hub.waitFor('lock-ended', 2);
  acknowledge(client, two);
  assert.match((await hub.waitFor('notice')).reason, /no longer locked/);
  await nothingCame(client);
  assert.strictEqual(state(hub)[0].state, 'enqueued');
  client.leave();
});

hubTest('c2d-packet-id=new, c2d-counts=delivery, c2d-deliveries=2: another id, then the dead letter', ['--switch', 'c2d-packet-id=new', '--switch', 'c2d-counts=delivery', '--switch', 'c2d-deliveries=2'], async (hub) => {
  hub.command('c2d d {"body":"1"}');
  const seen = [];
  for (let i = 0; i < 2; i += 1) {
    const client = await (i === 0 ? listener(hub, [C2D]) : hub.login());
    seen.push(await nextMessage(client));
    client.leave();
    await hub.waitFor('disconnect', i + 1);
  }
  assert.deepStrictEqual(seen.map(({ dup }) => dup), [false, false]);
  assert.notStrictEqual(seen[0].messageId, seen[1].messageId);
  assert.strictEqual(hub.of('settled')[0].outcome, 'dead-lettered');
});

hubTest('c2d-return=lock-end: nothing comes back before the lock has ended', ['--switch', 'c2d-return=lock-end', '--switch', 'c2d-lock=1'], async (hub) => {
  const first = await listener(hub, [C2D]);
  hub.command('c2d d {"body":"1"}');
  await nextMessage(first);
  first.leave();
  await hub.waitFor('disconnect');
  const second = await hub.login();
  await nothingCame(second);
  assert.strictEqual((await nextMessage(second)).text, '1');
  second.leave();
});

hubTest('c2d-in-flight=2: the third waits for a PUBACK', ['--switch', 'c2d-in-flight=2'], async (hub) => {
  const client = await listener(hub, [C2D]);
  for (const body of ['1', '2', '3']) hub.command(`c2d d {"body":"${body}"}`);
  const one = await nextMessage(client);
  await nextMessage(client);
  await nothingCame(client);
  acknowledge(client, one);
  assert.strictEqual((await nextMessage(client)).text, '3');
  client.leave();
});

hubTest('PUBACKs out of order: taken, ignored, or the end', [], async (hub) => {
  const client = await listener(hub, [C2D]);
  for (const body of ['1', '2']) hub.command(`c2d d {"body":"${body}"}`);
  const [one, two] = [await nextMessage(client), await nextMessage(client)];
  hub.command('switch c2d-acks=ignore');
  acknowledge(client, two);
  assert.match((await hub.waitFor('notice')).reason, /MQTT-4.6.0-2.*ignored/);
  hub.command('switch c2d-acks=close');
  acknowledge(client, one);
  await hub.waitFor('settled');
  hub.command('c2d d {"body":"3"}');
  const three = await nextMessage(client);
  acknowledge(client, three);
  await client.closed();
  assert.match(hub.of('violation')[0].reason, /before that for/);
});

hubTest('PUBACK for nothing, and a second one for the same message, are violations', [], async (hub) => {
  for (const twice of [false, true]) {
    const client = await listener(hub, [C2D]);
    hub.command('c2d d {"body":"1"}');
    const packet = await nextMessage(client);
    acknowledge(client, twice ? packet : { messageId: 999 });
    acknowledge(client, packet);
    await client.closed();
    assert.match(hub.of('violation').at(-1).reason, /which is not open/);
    hub.command('c2d-purge d');
  }
});

hubTest('messages expire, waiting or under way; a PUBACK that comes later is no violation', [], async (hub) => {
  hub.command('c2d d {"body":"1","ttl":0}');
  assert.strictEqual((await hub.waitFor('settled')).outcome, 'expired');
  const client = await listener(hub, [C2D]);
  hub.command('c2d d {"body":"2","ttl":0.1}');
  const packet = await nextMessage(client);
  assert.strictEqual((await hub.waitFor('settled', 2)).outcome, 'expired');
  acknowledge(client, packet);
  assert.match((await hub.waitFor('notice')).reason, /expired/);
  assert.strictEqual(hub.of('violation').length, 0);
  client.leave();
});

hubTest('fifty wait at most', [], async (hub) => {
  for (let i = 0; i < 50; i += 1) hub.command('c2d d');
  assert.match(hub.command('c2d d', 'error').reason, /the queue is full: 50/);
  assert.strictEqual(hub.command('c2d-purge d').purged, 50);
});

hubTest('faults c2d=withhold and c2d=twice', ['--fault', 'c2d=withhold'], async (hub) => {
  const client = await listener(hub, [C2D]);
  hub.command('c2d d {"body":"1"}');
  await nothingCame(client);
  hub.command('fault c2d=twice');
  const [one, two] = [await nextMessage(client), await nextMessage(client)];
  assert.deepStrictEqual([one.dup, two.dup, one.messageId], [false, true, two.messageId]);
  acknowledge(client, one);
  await hub.waitFor('settled');
  client.leave();
});

hubTest('set-session: subscriptions that the client never made', [], async (hub) => {
  hub.command(`set-session d ["${C2D}"]`);
  hub.command('c2d d {"body":"1"}');
  const client = await hub.login();
  assert.strictEqual(client.connack.sessionPresent, true);
  assert.strictEqual((await nextMessage(client)).text, '1');
  client.leave();
});

hubTest('a module input: its topic, and no cloud-to-device messages for modules', ['--device', `d,key=${KEY}`, '--module', `d/m,key=${KEY}`], async (hub) => {
  const client = await listener(hub, [INPUTS], { id: 'd/m' });
  hub.command('input d/m in.1 {"body":"x","properties":{"a":"b"},"messageId":"1"}');
  const packet = await nextMessage(client);
  assert.strictEqual(packet.topic, 'devices/d/modules/m/inputs/in.1/%24.mid=1&a=b');
  acknowledge(client, packet);
  await hub.waitFor('settled');
  assert.match(hub.command('c2d d/m', 'error').reason, /is a module/);
  assert.match(hub.command('input d in', 'error').reason, /is a device/);
  assert.match(hub.command('input d/m a/b', 'error').reason, /not the name of an input/);
  client.leave();
});

hubTest('a route: what a module sends to its output arrives at an input, with its origin', ['--module', `d/a,key=${KEY}`, '--module', `d/m,key=${KEY}`], async (hub) => {
  hub.command('route d/a alert d/m in');
  hub.command('route d/a alert d/m in'); // is one
  const receiver = await listener(hub, [INPUTS], { id: 'd/m' });
  const sender = await hub.login({ id: 'd/a' });
  sender.send(publishPacket(1, { topic: 'devices/d/modules/a/messages/events/%24.on=alert&%24.mid=7&k=v', payload: 'hot' }), publishPacket(2, { topic: 'devices/d/modules/a/messages/events/%24.on=other' }));
  await sender.next('puback');
  await sender.next('puback');
  const packet = await nextMessage(receiver);
  assert.strictEqual(packet.topic, 'devices/d/modules/m/inputs/in/%24.mid=7&%24.cdid=d&%24.cmid=a&k=v');
  assert.strictEqual(packet.text, 'hot');
  await nothingCame(receiver);
  sender.leave();
  receiver.leave();
});

hubTest('publish: a packet of any kind, and its PUBACK is taken', [], async (hub) => {
  const client = await hub.login();
  hub.command('publish d {"topic":"strange/topic","qos":1,"packetId":7,"body":"x","retain":true}');
  const packet = await nextMessage(client);
  assert.deepStrictEqual([packet.topic, packet.messageId], ['strange/topic', 7]);
  acknowledge(client, packet);
  await nothingCame(client);
  client.leave();
});

hubTest('what cannot be a message is said so', [], async (hub) => {
  for (const [line, reason] of [
    ['c2d', /takes one word and JSON/], ['c2d nobody', /there is no device/], ['c2d d {', /does not parse/], ['c2d d []', /a JSON object/], ['c2d d {"bodi":1}', /has no "bodi"/],
    ['c2d d {"body":1}', /a body is text/], ['c2d d {"body":"","bodySize":1}', /one of body/], ['c2d d {"bodySize":-1}', /not a number/], ['c2d d {"ack":"all"}', /ack is none/],
    ['c2d d {"properties":{"a":1}}', /"a" is not text/], ['c2d d {"ttl":"x"}', /not a number of seconds/], ['c2d d {"expiry":"soon"}', /not a date/], ['c2d d {"messageId":1}', /messageId is not text/],
    ['c2d d {"bag":1}', /bag is not text/], ['input d/m x', /there is no/], ['publish d {}', /topic is a text/], ['publish d {"topic":"a"}', /not connected/], ['route d a d b', /from a module/],
    ['set-session d {}', /list of filters/], ['switch c2d-lock=0', /not a number/], ['c2d-state nobody', /no device/],
  ]) assert.match(hub.command(line, 'error').reason, reason, line);
});

hubTest('two connections of one device: the messages under way go to the newer one', [], async (hub) => {
  const first = await listener(hub, [C2D]);
  hub.command('c2d d {"body":"1"}');
  await nextMessage(first);
  const second = await hub.login();
  assert.deepStrictEqual([(await nextMessage(second)).dup], [true]);
  await first.closed();
  await sleep(20);
  assert.strictEqual(state(hub)[0].state, 'locked');
  second.leave();
});
