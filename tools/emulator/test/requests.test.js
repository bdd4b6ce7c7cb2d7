'use strict';
// Twin and direct methods over MQTT.

const test = require('node:test');
const assert = require('node:assert');
const { TestHub, KEY, sleep } = require('./client');
const { TWIN, DESIRED, METHODS, subscribe, listener, request, getTwin, report, nextMessage, nothingCame } = require('./helpers');

function hubTest(name, args, body) {
  test(name, async () => {
    const hub = await TestHub.start(...args);
    try { await body(hub); } finally { hub.stop(); }
  });
}

const answerTo = async (client, packet) => {
  client.send(packet);
  const { topic, text } = await nextMessage(client);
  return [topic, text === '' ? '' : JSON.parse(text)];
};

hubTest('GET: desired and reported with their versions, nothing else', [], async (hub) => {
  hub.command('desired d {"a":{"b":1}}');
  hub.command('tags d {"floor":1}');
  const client = await listener(hub, [TWIN]);
  client.send(getTwin('abc'));
  const { topic, text, qos } = await nextMessage(client);
  assert.deepStrictEqual([topic, text, qos], ['$iothub/twin/res/200/?$rid=abc', '{"desired":{"a":{"b":1},"$version":2},"reported":{"$version":1}}', 1]);
  client.send(request('$iothub/twin/GET/?$rid=x', ' '));
  assert.strictEqual((await nextMessage(client)).topic, '$iothub/twin/res/200/?$rid=x');
  hub.command('switch twin-metadata=include');
  const [, document] = await answerTo(client, getTwin(1));
  assert.strictEqual(document.desired.$metadata.a.b.$lastUpdatedVersion, 2);
  client.leave();
});

hubTest('PATCH: merges, null deletes, 204 with the new version', [], async (hub) => {
  const client = await listener(hub, [TWIN], {}, 0);
  assert.deepStrictEqual(await answerTo(client, report(1, { a: 1, b: { c: 2, d: [1, null] } })), ['$iothub/twin/res/204/?$rid=1&$version=2', '']);
  assert.deepStrictEqual(await answerTo(client, report(2, { a: null, b: { c: { e: 'f' } }, '__proto__x': true })), ['$iothub/twin/res/204/?$rid=2&$version=3', '']);
  assert.deepStrictEqual(hub.command('twin d').twin.reported, { b: { d: [1, null], c: { e: 'f' } }, '__proto__x': true, $version: 3 });
  assert.deepStrictEqual(hub.of('reported').map(({ identity, version }) => [identity, version]), [['d', 2], ['d', 3]]);
  client.leave();
});

hubTest('PATCH with QoS 1 has its PUBACK, too; a base version must be the version', [], async (hub) => {
  const client = await listener(hub, [TWIN]);
  client.send(request('$iothub/twin/PATCH/properties/reported/?$rid=1&$version=1', '{"a":1}', { qos: 1, messageId: 5 }));
  assert.strictEqual((await client.next('puback')).messageId, 5);
  assert.match((await nextMessage(client)).topic, /res\/204/);
  const [topic, body] = await answerTo(client, request('$iothub/twin/PATCH/properties/reported/?$rid=2&$version=1', '{"a":1}'));
  assert.deepStrictEqual([topic, body.errorCode], ['$iothub/twin/res/412/?$rid=2', 412001]);
  client.leave();
});

hubTest('what IoT Hub does not take as reported properties', [], async (hub) => {
  const client = await listener(hub, [TWIN]);
  const nested = (depth) => (depth === 0 ? 1 : { a: nested(depth - 1) });
  for (const [patch, status] of [
    ['{', 400], ['[]', 400], ['1', 400], ['', 400], [{ 'a.b': 1 }, 400], [{ 'a b': 1 }, 400], [{ a$: 1 }, 400], [{ '': 1 }, 400], [{ ['k'.repeat(1025)]: 1 }, 400],
    [{ a: 'x'.repeat(4097) }, 400], [{ a: 4503599627370496 }, 400], [nested(11), 400], [nested(10), 204], [{ ['k'.repeat(1024)]: 'x'.repeat(4096), n: -4503599627370496 }, 204],
    [Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(4000)])), 413],
  ]) {
    const [topic, body] = await answerTo(client, report('r', patch));
    assert.ok(topic.startsWith(`$iothub/twin/res/${status}/?$rid=r`), `${topic} for ${JSON.stringify(patch).slice(0, 60)}`);
    if (status !== 204) assert.strictEqual(String(body.errorCode).slice(0, 3), String(status));
  }
  client.leave();
});

hubTest('a reported twin of exactly 32 KB is taken', [], async (hub) => {
  const client = await listener(hub, [TWIN]);
  const full = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, 'x'.repeat(4094)])); // 8 x (2 + 4094)
  assert.match((await answerTo(client, report(1, full)))[0], /res\/204/);
  assert.match((await answerTo(client, report(2, { y: false })))[0], /res\/413/);
  client.leave();
});

hubTest('desired changes: the patch with its version, to whoever subscribed, and not after a connection', [], async (hub) => {
  const client = await listener(hub, [DESIRED]);
  assert.strictEqual(hub.command('desired d {"a":1,"b":null}').version, 2);
  const { topic, text } = await nextMessage(client);
  assert.deepStrictEqual([topic, text], ['$iothub/twin/PATCH/properties/desired/?$version=2', '{"a":1,"b":null,"$version":2}']);
  client.leave();
  await hub.waitFor('disconnect');
  hub.command('desired d {"a":2}');
  const again = await hub.login();
  await nothingCame(again);
  hub.command('desired-replace d {"z":1}');
  assert.strictEqual((await nextMessage(again)).text, '{"z":1,"$version":4}');
  assert.deepStrictEqual(hub.command('twin d').twin.desired, { z: 1, $version: 4 });
  hub.command('new-twin d');
  hub.command('desired d {"n":1}');
  assert.strictEqual((await nextMessage(again)).text, '{"n":1,"$version":2}');
  again.leave();
});

hubTest('a twin request without a subscription to its answers has none and is a violation', [], async (hub) => {
  const client = await hub.login();
  client.send(getTwin(1));
  await nothingCame(client);
  assert.match(hub.of('violation')[0].reason, /without a subscription/);
  hub.command('switch twin-unsubscribed=close');
  client.send(getTwin(1));
  await client.closed();
});

hubTest('request topics are checked to the letter', [], async (hub) => {
  for (const topic of [
    '$iothub/twin/GET/', '$iothub/twin/GET/?$rid=', '$iothub/twin/GET/?rid=1', '$iothub/twin/GET?$rid=1', '$iothub/twin/GET/?$rid=1&$version=1', '$iothub/twin/GET/?$rid=1&x=2',
    '$iothub/twin/PATCH/properties/reported/', '$iothub/twin/PATCH/properties/desired/?$rid=1', '$iothub/twin/PATCH/properties/reported/?$rid=1&$version=x',
    '$iothub/methods/res/200/', '$iothub/methods/res/ok/?$rid=1', '$iothub/methods/POST/m/?$rid=1', '$iothub/methods/res/200/?$rid=1&$version=1',
  ]) {
    const client = await listener(hub, [TWIN, METHODS]);
    client.send(request(topic, '{}'));
    await client.closed();
    assert.ok(hub.of('violation').at(-1).reason.includes(`"${topic}"`), topic);
  }
});

hubTest('the twin of a module is its own', ['--device', `d,key=${KEY}`, '--module', `d/m,key=${KEY}`], async (hub) => {
  hub.command('desired d/m {"m":1}');
  const client = await listener(hub, [TWIN], { id: 'd/m' });
  assert.deepStrictEqual((await answerTo(client, getTwin(1)))[1].desired, { m: 1, $version: 2 });
  client.leave();
});

hubTest('the model id of the user name is in the twin, encoded or not', [], async (hub) => {
  for (const [written, found] of [['dtmi%3Acom%3Athermostat%3B1', 'dtmi:com:thermostat;1'], ['dtmi:com:other;2', 'dtmi:com:other;2']]) {
    const client = await hub.login({ userName: `localhost/d/?api-version=2021-04-12&model-id=${written}&DeviceClientType=x` });
    assert.strictEqual(hub.command('twin d').twin.modelId, found);
    client.leave();
  }
});

hubTest('twin faults: errors with retry-after, lost, held, late, and for N requests only', ['--fault', 'twin-get=429/7'], async (hub) => {
  const client = await listener(hub, [TWIN]);
  const [topic, body] = await answerTo(client, getTwin(1));
  assert.deepStrictEqual([topic, body.errorCode, body.retryAfter], ['$iothub/twin/res/429/?$rid=1&retry-after=7', 429001, 7]);
  hub.command('switch retry-after=body');
  assert.strictEqual((await answerTo(client, getTwin(1)))[0], '$iothub/twin/res/429/?$rid=1');
  hub.command('switch retry-after=topic');
  assert.strictEqual((await answerTo(client, getTwin(1)))[1].retryAfter, undefined);
  hub.command('fault twin-requests=1');
  assert.match((await answerTo(client, getTwin(1)))[0], /res\/429/);
  assert.match((await answerTo(client, getTwin(1)))[0], /res\/200/);
  for (const line of ['twin-requests=off', 'twin-get=off', 'twin-patch=withhold']) hub.command(`fault ${line}`);
  client.send(report(1, { a: 1 }));
  await nothingCame(client);
  hub.command('fault twin-patch=lose');
  client.send(report(2, { a: 2 }));
  await nothingCame(client);
  hub.command('fault twin-patch=503');
  assert.match((await answerTo(client, report(3, { a: 3 })))[0], /res\/503/);
  assert.deepStrictEqual(hub.command('twin d').twin.reported, { a: 1, $version: 2 });
  hub.command('fault twin-delay=80');
  client.send(getTwin(4));
  await nothingCame(client);
  hub.command('desired d {"late":1}');
  assert.match((await nextMessage(client)).text, /"late":1/); // the document is that of the moment of its answer
  client.leave();
});

hubTest('faults of desired changes: lost, twice, late', ['--fault', 'desired=lose'], async (hub) => {
  const client = await listener(hub, [DESIRED]);
  hub.command('desired d {"a":1}');
  await nothingCame(client);
  hub.command('fault desired=twice');
  hub.command('desired d {"a":2}');
  assert.strictEqual((await nextMessage(client)).text, (await nextMessage(client)).text);
  hub.command('fault desired=off');
  hub.command('fault desired-delay=60');
  hub.command('desired d {"a":3}');
  await nothingCame(client);
  assert.match((await nextMessage(client)).topic, /\$version=4/);
  client.leave();
});

// ---- Methods

const respond = (rid, status, body) => request(`$iothub/methods/res/${status}/?$rid=${rid}`, body);
const ridOf = ({ topic }) => /\$rid=(.*)$/.exec(topic)[1];

hubTest('a method call: name, body, answer', [], async (hub) => {
  const client = await listener(hub, [METHODS], {}, 0);
  const { call } = hub.command('method d reboot {"json":{"now":true}}');
  const asked = await nextMessage(client);
  assert.match(asked.topic, /^\$iothub\/methods\/POST\/reboot\/\?\$rid=[0-9a-f]+$/);
  assert.deepStrictEqual([asked.text, asked.qos], ['{"now":true}', 0]);
  client.send(respond(ridOf(asked), 201, '{"ok":1}'));
  const result = await hub.waitFor('method-result');
  assert.deepStrictEqual([result.call, result.identity, result.name, result.status, result.text], [call, 'd', 'reboot', 201, '{"ok":1}']);
  client.leave();
});

hubTest('many calls at once, answered in any order; an empty body either way', [], async (hub) => {
  const client = await listener(hub, [METHODS]);
  for (let i = 0; i < 20; i += 1) hub.command(`method d m${i} {"body":"${i}"}`);
  const asked = [];
  for (let i = 0; i < 20; i += 1) asked.push(await nextMessage(client));
  for (const each of asked.reverse()) client.send(respond(ridOf(each), 200, each.text));
  await hub.waitFor('method-result', 20);
  assert.ok(hub.of('method-result').every(({ name, text }) => name === `m${text}`));
  hub.command('method d empty {"body":""}');
  const empty = await nextMessage(client);
  assert.strictEqual(empty.text, '');
  client.send(respond(ridOf(empty), 200, ''));
  assert.deepStrictEqual([(await hub.waitFor('method-result', 21)).body, hub.of('violation').length], ['', 0]);
  hub.command('method d none');
  assert.strictEqual((await nextMessage(client)).text, 'null');
  hub.command('switch method-empty-body=empty');
  hub.command('method d none');
  assert.strictEqual((await nextMessage(client)).text, '');
  client.leave();
});

hubTest('an answer twice, too late, from a later connection, or that is not JSON', [], async (hub) => {
  const client = await listener(hub, [METHODS]);
  hub.command('method d a');
  const asked = await nextMessage(client);
  client.send(respond(ridOf(asked), 200, '{}'), respond(ridOf(asked), 200, '{}'));
  assert.match((await hub.waitFor('notice')).reason, /which is not open/);
  hub.command('method d b {"responseTimeout":1}');
  const slow = await nextMessage(client);
  assert.strictEqual((await hub.waitFor('method-result', 2)).error, 504101);
  client.send(respond(ridOf(slow), 200, '{}'));
  await hub.waitFor('notice', 2);
  hub.command('method d c');
  const cut = await nextMessage(client);
  client.leave();
  assert.strictEqual((await hub.waitFor('method-result', 3)).error, 404104);
  const later = await hub.login();
  later.send(respond(ridOf(cut), 200, 'no JSON'));
  await hub.waitFor('notice', 3);
  assert.match(hub.of('violation')[0].reason, /not JSON/);
  later.leave();
});

hubTest('a device that is not there: an error at once, or a wait', [], async (hub) => {
  hub.command('method d a');
  assert.strictEqual((await hub.waitFor('method-result')).error, 404103);
  hub.command('method d b {"connectTimeout":1}');
  assert.strictEqual((await hub.waitFor('method-result', 2)).error, 404103);
  hub.command('method d c {"connectTimeout":4}');
  const client = await hub.login();
  await nothingCame(client);
  await subscribe(client, METHODS);
  assert.match((await nextMessage(client)).topic, /POST\/c\//);
  client.send({ cmd: 'unsubscribe', messageId: 4, unsubscriptions: [METHODS] });
  await client.next('unsuback');
  hub.command('method d e');
  await sleep(5);
  assert.deepStrictEqual(hub.of('method-result').slice(2).map(({ name, error }) => [name, error]), [['c', 404104], ['e', 404103]]);
  client.leave();
});

hubTest('128 KB each way, and what cannot be called', ['--device', `d,key=${KEY}`, '--module', `d/m,key=${KEY}`], async (hub) => {
  const client = await listener(hub, [METHODS], { id: 'd/m' });
  hub.command('method d/m component*big {"bodySize":131072}');
  const asked = await nextMessage(client);
  assert.deepStrictEqual([asked.text.length, /POST\/component\*big\//.test(asked.topic)], [131072, true]);
  client.send(respond(ridOf(asked), 200, `"${'x'.repeat(131070)}"`));
  assert.strictEqual(Buffer.from((await hub.waitFor('method-result')).body, 'base64').length, 131072);
  hub.command('method d/m big {"bodySize":131073}');
  assert.strictEqual((await hub.waitFor('method-result', 2)).error, 413001);
  hub.command('method d/m a/b');
  assert.strictEqual((await hub.waitFor('method-result', 3)).error, 400004);
  assert.match(hub.command('method d/m', 'error').reason, /takes 2 words/);
  assert.match(hub.command('method d/m a {"responseTimeout":301}', 'error').reason, /responseTimeout/);
  assert.match(hub.command('method d/m a {"payload":1}', 'error').reason, /no "payload"/);
  hub.command('method d/m large');
  client.send(respond(ridOf(await nextMessage(client)), 200, `"${'x'.repeat(131071)}"`));
  assert.strictEqual((await hub.waitFor('method-result', 4)).error, 502000);
  client.leave();
});

hubTest('a subscription to one method gets that method only', [], async (hub) => {
  const client = await listener(hub, ['$iothub/methods/POST/reboot/#']);
  hub.command('method d other {"responseTimeout":1}');
  hub.command('method d reboot');
  assert.match((await nextMessage(client)).topic, /POST\/reboot/);
  assert.strictEqual((await hub.waitFor('method-result')).error, 504101);
  client.leave();
});

hubTest('faults method=twice and method=lose', ['--fault', 'method=twice'], async (hub) => {
  const client = await listener(hub, [METHODS]);
  hub.command('method d a');
  assert.strictEqual((await nextMessage(client)).topic, (await nextMessage(client)).topic);
  hub.command('fault method=lose');
  hub.command('method d b {"responseTimeout":1}');
  await nothingCame(client);
  client.leave();
});

// ---- SUBACK, poison

hubTest('faults suback=refuse, withhold, late, for one filter', ['--fault', 'suback=refuse', '--fault', 'suback-filter=methods'], async (hub) => {
  const client = await hub.login();
  assert.deepStrictEqual((await subscribe(client, METHODS)).granted, [0x80]);
  assert.deepStrictEqual((await subscribe(client, TWIN)).granted, [1]);
  hub.command('fault suback=withhold');
  client.send({ cmd: 'subscribe', messageId: 7, subscriptions: [{ topic: METHODS, qos: 0 }] });
  await nothingCame(client);
  hub.command('fault suback=off');
  hub.command('fault suback-delay=60');
  client.send({ cmd: 'subscribe', messageId: 8, subscriptions: [{ topic: METHODS, qos: 0 }] });
  await nothingCame(client);
  assert.strictEqual((await client.next('suback')).messageId, 8);
  client.leave();
});

hubTest('fault poison: that message ends the connection, another does not', ['--fault', 'poison=bad'], async (hub) => {
  const { publishPacket } = require('./client');
  const client = await hub.login();
  client.send(publishPacket(1, { payload: 'good' }));
  await client.next('puback');
  client.send(publishPacket(2, { payload: 'a bad one' }));
  await client.closed();
  assert.strictEqual((await hub.waitFor('disconnect')).reason, 'fault poison');
});
