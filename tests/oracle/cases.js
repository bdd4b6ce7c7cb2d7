'use strict';
// The cases. Each runs with every client over every transport, on a device (and module) of its own; `t` is a Trial of run.js.
// What the service does is done by Microsoft's azure-iothub. A case throws when something is not as it should be.

const assert = require('assert');

const json = (body) => JSON.parse(body.toString());
const pattern = (size) => Buffer.from(Array.from({ length: size }, (_, i) => 97 + (i % 26))).toString();

async function sendsText(t, text, fields = {}) {
  const since = t.now();
  await t.open(fields);
  await t.device.ask('send', { body: text });
  const seen = await t.event({ event: 'telemetry' }, since);
  assert.strictEqual(seen.text, text);
  assert.strictEqual(seen.qos, 1);
  await t.close();
}

const refused = (t, why, fields) => assert.rejects(t.open(fields), { why });

const otherKey = Buffer.from('not the key of this device').toString('base64');

// Answers each method call with what `answer(call)` gives.
async function answerCalls(t, count, answer) {
  for (let i = 0; i < count; i += 1) {
    const call = await t.device.next('method');
    await t.device.ask('answer', { call: call.call, ...answer(call) });
  }
}

// ---- Telemetry and login

const TELEMETRY = {
  'telemetry-sas': { sentence: 'telemetry with a SAS key', work: (t) => sendsText(t, '{"t":21.5}') },
  'telemetry-secondary-key': { sentence: 'telemetry with the secondary key', work: async (t) => {
    const second = Buffer.from('the second key').toString('base64');
    const device = await t.service.call('get', t.id);
    device.authentication.symmetricKey.secondaryKey = second;
    await t.service.call('update', device);
    await sendsText(t, 'by the second', { key: second });
  }, unrecorded: true },
  'telemetry-x509-thumbprint': { sentence: 'telemetry with a self-signed certificate', login: 'thumbprint', work: (t) => sendsText(t, 'by thumbprint') },
  'telemetry-x509-ca': { sentence: 'telemetry with a CA-signed certificate', login: 'ca', work: (t) => sendsText(t, 'by chain') },
  'telemetry-module': { sentence: 'telemetry of a module', module: true, work: (t) => sendsText(t, 'from a module') },

  'telemetry-module-output': { sentence: 'telemetry to a module output', module: true, work: async (t) => {
    await t.open();
    await t.device.ask('send', { output: 'alert', body: 'hot' });
    const seen = await t.event({ event: 'telemetry' });
    assert.deepStrictEqual([seen.text, seen.system], ['hot', { 'output-name': 'alert' }]);
    await t.close();
  } },

  'properties-round-trip': { sentence: 'system and application properties arrive exactly', work: async (t) => {
    const properties = { room: 'lab 1', 'odd & key=': '50 % + "/?#', '*': '~!\'()-._', empty: '' };
    await t.open();
    await t.device.ask('send', { body: '{"t":21.5}', mid: 'm-1', cid: 'c/1', ct: 'application/json', ce: 'utf-8', properties });
    const seen = await t.event({ event: 'telemetry' });
    assert.deepStrictEqual(seen.properties, properties);
    assert.deepStrictEqual(seen.system, { 'message-id': 'm-1', 'correlation-id': 'c/1', 'content-type': 'application/json', 'content-encoding': 'utf-8' });
    await t.close();
  } },

  'binary-body': { sentence: 'a body of all byte values arrives exactly', work: async (t) => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await t.open();
    await t.device.ask('send', { body });
    assert.deepStrictEqual(Buffer.from((await t.event({ event: 'telemetry' })).body, 'base64'), body);
    await t.close();
  } },

  'many-messages': { sentence: 'fifty messages sent at once arrive once each, in order', work: async (t) => {
    const texts = Array.from({ length: 50 }, (_, i) => `message ${i}`);
    await t.open();
    await Promise.all(texts.map((body) => t.device.ask('send', { body })));
    assert.deepStrictEqual(t.events({ event: 'telemetry' }).map(({ text }) => text), texts);
    await t.close();
  } },

  'largest-message': { sentence: 'a body of 262,144 bytes is taken', work: async (t) => {
    await t.open();
    await t.device.ask('send', { body: pattern(262144) });
    assert.strictEqual((await t.event({ event: 'telemetry' })).text, pattern(262144));
    await t.close();
  } },

  'session-present': { sentence: 'a second connection finds its session', work: async (t) => {
    await sendsText(t, 'first');
    const since = t.now();
    await sendsText(t, 'second');
    assert.strictEqual((await t.event({ event: 'connack' }, since)).sessionPresent, true);
  } },

  'port-in-names': { sentence: 'a host name with its port logs in', only: 'mqtt', work: (t) => sendsText(t, 'with a port', { host: `localhost:${t.port}` }), unrecorded: true },
  'wrong-key': { sentence: 'a wrong key is refused', work: (t) => refused(t, 'unauthorized', { key: otherKey }) },
  'unknown-device': { sentence: 'an unknown device is refused', work: (t) => refused(t, 'unauthorized', { id: 'nobody' }) },
  'wrong-certificate': { sentence: 'another device\'s certificate is refused', login: 'thumbprint', work: (t) => refused(t, 'unauthorized', { credentials: t.certificates.ca }), unrecorded: true },

  'disabled-device': { sentence: 'a disabled device is refused', work: async (t) => {
    await t.control(`disable ${t.id}`);
    await refused(t, 'unauthorized');
  } },

  'untrusted-root': { sentence: 'without the CA the TLS handshake fails', work: async (t) => {
    await refused(t, 'tls', { ca: t.otherCa });
    await t.hub.settle();
    assert.deepStrictEqual(t.events({ event: 'connect' }), []);
  }, unrecorded: true },

  'link-lost': { sentence: 'the client comes back after the hub closed the connection', work: async (t) => {
    await t.open({ retry: 1 });
    await t.device.ask('send', { body: 'before' });
    await t.control(`kick ${t.id}`);
    await t.event({ event: 'disconnect' });
    await t.device.ask('send', { body: 'after' });
    await t.event({ event: 'telemetry', text: 'after' });
    await t.close();
  } },

  'model-id': { sentence: 'the model id is in the twin', work: async (t) => {
    await t.open({ model: 'dtmi:com:example:Thermostat;1' });
    assert.strictEqual((await t.service.call('twin', t.id)).modelId, 'dtmi:com:example:Thermostat;1');
    await t.close();
  } },
};

// ---- Cloud-to-device messages

const C2D = {
  'c2d-accept': { sentence: 'a cloud-to-device message arrives, is acknowledged, and its sender has positive feedback', work: async (t) => {
    await t.open();
    await t.device.ask('c2d');
    await t.c2d({ text: 'open the door', messageId: `accept-${t.id}`, ack: 'full' });
    const message = await t.device.next('c2d');
    assert.strictEqual(message.body.toString(), 'open the door');
    await t.settle('accept', message);
    assert.strictEqual((await t.event({ event: 'settled' })).outcome, 'completed');
    assert.strictEqual((await t.service.feedbackFor(`accept-${t.id}`)).statusCode, 'Success');
    await t.close();
  } },

  'c2d-properties': { sentence: 'its properties arrive exactly', work: async (t) => {
    const properties = { room: 'lab 1', 'odd & key=': '50 % + "/?#', empty: '' };
    await t.open();
    await t.device.ask('c2d');
    await t.c2d({ text: '{}', messageId: 'm/1', correlationId: 'c 1', contentType: 'application/json', contentEncoding: 'utf-8', properties });
    const message = await t.device.next('c2d');
    const { 'iothub-ack': ack, ...others } = message.properties;
    assert.deepStrictEqual(others, properties);
    assert.deepStrictEqual([message.mid, message.cid, message.ct, message.ce], ['m/1', 'c 1', 'application/json', 'utf-8']);
    await t.settle('accept', message);
    await t.close();
  } },

  'c2d-offline': { sentence: 'messages sent while the device was away arrive in order once it is there', work: async (t) => {
    for (const text of ['1', '2', '3']) await t.c2d({ text });
    await t.open();
    await t.device.ask('c2d');
    for (const text of ['1', '2', '3']) {
      const message = await t.device.next('c2d');
      assert.strictEqual(message.body.toString(), text);
      await t.settle('accept', message);
    }
    await t.close();
  } },

  'c2d-session': { sentence: 'a message between two connections arrives at the second', work: async (t) => {
    await t.open();
    await t.device.ask('c2d');
    await t.close();
    await t.c2d({ text: 'later' });
    await t.open({ c2d: 1 }); // it comes right behind CONNACK
    const message = await t.device.next('c2d');
    assert.strictEqual(message.body.toString(), 'later');
    await t.settle('accept', message);
    await t.close();
  } },

  'c2d-large': { sentence: 'a message of 60,000 bytes arrives exactly', work: async (t) => {
    await t.open();
    await t.device.ask('c2d');
    await t.c2d({ text: pattern(60000) });
    const message = await t.device.next('c2d');
    assert.strictEqual(message.body.toString(), pattern(60000));
    await t.settle('accept', message);
    await t.close();
  } },

  'c2d-held': { sentence: 'a message that is held is acknowledged when it is accepted, not before', work: async (t) => {
    await t.open();
    await t.device.ask('c2d', { hold: 1 });
    await t.c2d({ text: 'think' });
    const message = await t.device.next('c2d');
    assert.strictEqual((await t.control(`c2d-state ${t.id}`)).messages[0].state, 'locked');
    await t.device.ask('settle', { message: message.message, how: 'accept' });
    assert.strictEqual((await t.event({ event: 'settled' })).outcome, 'completed');
    await t.close();
  } },

  'c2d-reject': { sentence: 'a rejected message is not acknowledged and comes again', work: (t) => comesAgain(t, 'reject') },
  'c2d-abandon': { sentence: 'an abandoned message is not acknowledged and comes again', work: (t) => comesAgain(t, 'abandon') },
};

async function comesAgain(t, how) {
  await t.open();
  await t.device.ask('c2d', { hold: 1 });
  await t.c2d({ text: 'again' });
  const first = await t.device.next('c2d');
  await t.device.ask('settle', { message: first.message, how });
  await t.close();
  assert.deepStrictEqual(t.events({ event: 'settled' }), []);
  await t.open({ c2d: 1, hold: 1 }); // it comes right behind CONNACK
  const second = await t.device.next('c2d');
  assert.strictEqual(second.body.toString(), 'again');
  await t.device.ask('settle', { message: second.message, how: 'accept' });
  await t.event({ event: 'settled', outcome: 'completed' });
  await t.close();
}

// ---- Twins; the same for devices and modules

const twinCases = (kind, module) => ({
  [`twin-${kind}-get`]: { sentence: `the twin of a ${kind}`, module, work: async (t) => {
    await t.desired({ period: 10, nested: { a: [1, 'x', 2.5], b: true } });
    await t.open();
    const twin = json((await t.device.ask('twin')).body);
    assert.deepStrictEqual([twin.desired.period, twin.desired.nested, twin.desired.$version, twin.reported.$version], [10, { a: [1, 'x', 2.5], b: true }, 2, 1]);
    await t.close();
  } },

  [`twin-${kind}-reported`]: { sentence: `a ${kind} reports, changes and deletes properties`, module, work: async (t) => {
    await t.open();
    await t.device.ask('twin');
    await t.device.ask('report', { body: '{"battery":90,"state":{"on":true,"old":1}}' });
    await t.device.ask('report', { body: '{"state":{"old":null}}' });
    const { reported } = (await t.service.call('twin', t.id)).properties;
    assert.deepStrictEqual([reported.battery, reported.state, reported.$version], [90, { on: true }, 3]);
    await t.close();
  } },

  [`twin-${kind}-desired`]: { sentence: `desired changes reach a ${kind}`, module, work: async (t) => {
    await t.open();
    await t.device.ask('twin');
    await t.device.ask('desired');
    await t.subscribed('desired');
    await t.desired({ period: 20 });
    for (;;) { // a client may tell what it knows already
      const patch = json((await t.device.next('desired')).body);
      if (patch.period === 20) break;
    }
    await t.close();
  } },
});

const TWIN = {
  ...twinCases('device', false),
  ...twinCases('module', true),

  'twin-desired-offline': { sentence: 'a desired change while the device was away is in the next twin', work: async (t) => {
    await t.open();
    await t.device.ask('twin');
    await t.close();
    await t.desired({ away: 1 });
    await t.open();
    assert.strictEqual(json((await t.device.ask('twin')).body).desired.away, 1);
    await t.close();
  } },

  'twin-refused': { sentence: 'reported properties that the hub does not take are an error', work: async (t) => {
    await t.open();
    await t.device.ask('twin');
    await assert.rejects(t.device.ask('report', { body: '{"a name":1}' }));
    await t.close();
  } },

  'twin-throttled': { sentence: 'a throttled twin request is an error, not a twin', work: async (t) => {
    await t.control('fault twin-get=429/1');
    await t.control('fault twin-requests=1');
    await t.open();
    await assert.rejects(t.device.ask('twin', {}, 8000));
    await t.control('fault twin-get=off');
    await t.close();
  } },

  'twin-large': { sentence: 'a twin of nearly 32 KB', work: async (t) => {
    const large = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, pattern(4000)]));
    await t.desired(large);
    await t.open();
    assert.strictEqual(json((await t.device.ask('twin')).body).desired.k6, pattern(4000));
    await t.close();
  } },
};

// ---- Methods

const methodCases = (kind, module) => ({
  [`method-${kind}`]: { sentence: `a direct method of a ${kind}: payload, status, answer`, module, work: async (t) => {
    await t.open();
    await t.device.ask('method', { name: 'reboot' });
    await t.subscribed('methods');
    const result = t.method({ methodName: 'reboot', payload: { delay: [1, 2] }, responseTimeoutInSeconds: 10 });
    const call = await t.device.next('method');
    assert.deepStrictEqual([call.name, json(call.body)], ['reboot', { delay: [1, 2] }]);
    await t.device.ask('answer', { call: call.call, status: 201, body: '{"ok":true}' });
    assert.deepStrictEqual(await result, { status: 201, payload: { ok: true } });
    await t.close();
  } },
});

const METHODS = {
  ...methodCases('device', false),
  ...methodCases('module', true),

  'method-many': { sentence: 'ten calls at once, each with its own answer', work: async (t) => {
    await t.open();
    await t.device.ask('method', { name: 'echo' });
    await t.subscribed('methods');
    const results = [];
    for (let i = 0; i < 10; i += 1) {
      const since = t.now();
      results.push(t.method({ methodName: 'echo', payload: i, responseTimeoutInSeconds: 10 }));
      await t.event({ event: 'method-request' }, since); // so that a replay has the same order
    }
    await answerCalls(t, 10, (call) => ({ status: 200, body: call.body }));
    assert.deepStrictEqual((await Promise.all(results)).map(({ payload }) => payload), Array.from({ length: 10 }, (_, i) => i));
    await t.close();
  } },

  'method-no-payload': { sentence: 'a call without payload', work: async (t) => {
    await t.open();
    await t.device.ask('method', { name: 'ping' });
    await t.subscribed('methods');
    const result = t.method({ methodName: 'ping', responseTimeoutInSeconds: 10 });
    await answerCalls(t, 1, () => ({ status: 200, body: '{}' }));
    assert.deepStrictEqual(await result, { status: 200, payload: {} });
    await t.close();
  } },

  'method-large': { sentence: 'a payload and an answer of 100,000 bytes', work: async (t) => {
    await t.open();
    await t.device.ask('method', { name: 'big' });
    await t.subscribed('methods');
    const result = t.method({ methodName: 'big', payload: pattern(100000), responseTimeoutInSeconds: 10 });
    await answerCalls(t, 1, (call) => ({ status: 200, body: call.body }));
    assert.strictEqual((await result).payload, pattern(100000));
    await t.close();
  } },

  'method-offline': { sentence: 'a call of a device that is not there fails', unrecorded: true, work: async (t) => {
    await assert.rejects(t.method({ methodName: 'reboot', responseTimeoutInSeconds: 5 }));
  } },

  'method-unanswered': { sentence: 'a call that the device leaves unanswered ends in time, the next one works', unrecorded: true, work: async (t) => {
    await t.open();
    await t.device.ask('method', { name: 'slow' });
    await t.subscribed('methods');
    await t.control(`method ${t.id} slow {"responseTimeout":1}`);
    await t.device.next('method');
    assert.strictEqual((await t.event({ event: 'method-result' })).error, 504101);
    const result = t.method({ methodName: 'slow', payload: 1, responseTimeoutInSeconds: 10 });
    await answerCalls(t, 1, () => ({ status: 200, body: '1' }));
    assert.strictEqual((await result).payload, 1);
    await t.close();
  } },
};

// ---- Modules

const MODULES = {
  'module-input': { sentence: 'a message to a module input', module: true, work: async (t) => {
    await t.open();
    await t.device.ask('input', { name: 'in1' });
    await t.control(`input ${t.id} in1 {"body":"hot","messageId":"7","properties":{"k":"v w"}}`);
    const message = await t.device.next('input');
    assert.deepStrictEqual([message.name, message.body.toString(), message.properties.k, message.mid], ['in1', 'hot', 'v w', '7']);
    await t.settle('accept', message);
    assert.strictEqual((await t.event({ event: 'settled' })).outcome, 'completed');
    await t.close();
  } },

  'module-route': { sentence: 'what a module sends to an output arrives at an input, by a route', module: true, work: async (t) => {
    await t.control(`route ${t.id} alert ${t.id} in1`);
    await t.open();
    await t.device.ask('input', { name: 'in1' });
    await t.device.ask('send', { output: 'alert', body: 'round', properties: { a: 'b' } });
    const message = await t.device.next('input');
    assert.deepStrictEqual([message.body.toString(), message.properties.a], ['round', 'b']);
    await t.settle('accept', message);
    await t.close();
  } },

  'module-input-held': { sentence: 'an input message that is held is acknowledged when it is accepted', module: true, work: async (t) => {
    await t.open();
    await t.device.ask('input', { name: 'in1', hold: 1 });
    await t.control(`input ${t.id} in1 {"body":"x"}`);
    const message = await t.device.next('input');
    assert.strictEqual((await t.control(`c2d-state ${t.id}`)).messages[0].state, 'locked');
    await t.device.ask('settle', { message: message.message, how: 'accept' });
    assert.strictEqual((await t.event({ event: 'settled' })).outcome, 'completed');
    await t.close();
  } },
};

// ---- WebSocket only

const withFault = (fault, sentence) => ({ sentence, only: 'mqttws', unrecorded: true, work: async (t) => {
  await t.control(`fault ${fault}`);
  try {
    await t.desired({ a: pattern(500) });
    await t.open();
    assert.strictEqual(json((await t.device.ask('twin')).body).desired.a, pattern(500));
    await t.close();
  } finally {
    await t.control(`fault ${fault.split('=')[0]}=off`);
  }
} });

const WEBSOCKET = {
  'ws-fragment': withFault('ws-fragment=7', 'a hub that sends fragments and a ping between'),
  'ws-split': withFault('ws-split=5', 'a hub that splits packets over WebSocket messages'),
  'ws-merge': withFault('ws-merge=30', 'a hub that sends many packets in one WebSocket message'),
  'ws-refused': { sentence: 'an upgrade that is refused', only: 'mqttws', unrecorded: true, work: async (t) => {
    await t.control('fault ws-upgrade=503');
    try {
      await assert.rejects(t.open());
    } finally {
      await t.control('fault ws-upgrade=off');
    }
  } },
};

const CASES = { ...TELEMETRY, ...C2D, ...TWIN, ...METHODS, ...MODULES, ...WEBSOCKET };

// ---- azure-iothub by itself: { service } over one transport

const SERVICE_CASES = {
  'azure-iothub: devices are created, read, changed, listed and deleted': async ({ service, name }) => {
    const made = await service.call('create', { deviceId: name, status: 'enabled' });
    assert.ok(made.authentication.symmetricKey.primaryKey);
    await assert.rejects(service.call('create', { deviceId: name }), { name: 'DeviceAlreadyExistsError' });
    assert.strictEqual((await service.call('update', { ...made, status: 'disabled' })).status, 'disabled');
    assert.strictEqual((await service.call('get', name)).status, 'disabled');
    assert.ok((await service.call('list')).some(({ deviceId }) => deviceId === name));
    assert.ok((await service.call('statistics')).disabledDeviceCount >= 1);
    await service.call('delete', name);
    await assert.rejects(service.call('get', name), { name: 'DeviceNotFoundError' });
  },

  'azure-iothub: modules are created, read, listed and removed': async ({ service, name }) => {
    await service.call('create', { deviceId: name });
    assert.strictEqual((await service.call('addModule', { deviceId: name, moduleId: 'm' })).moduleId, 'm');
    assert.strictEqual((await service.call('getModule', name, 'm')).deviceId, name);
    assert.deepStrictEqual((await service.call('modules', name)).map(({ moduleId }) => moduleId), ['m']);
    await service.call('removeModule', name, 'm');
    assert.deepStrictEqual(await service.call('modules', name), []);
    await service.call('delete', name);
  },

  'azure-iothub: tags and desired properties, with etags; queries': async ({ service, name }) => {
    await service.call('create', { deviceId: name });
    const twin = await service.call('updateTwin', name, { tags: { floor: 3 }, properties: { desired: { a: { b: 1 } } } });
    assert.deepStrictEqual([twin.tags, twin.properties.desired.a], [{ floor: 3 }, { b: 1 }]);
    await service.call('updateTwin', name, { tags: { floor: 4 } }, twin.etag);
    await assert.rejects(service.call('updateTwin', name, { tags: { floor: 5 } }, twin.etag), { name: /Etag|Precondition/ });
    const rows = await service.call('query', `SELECT * FROM devices WHERE deviceId = '${name}'`);
    assert.deepStrictEqual(rows.map(({ tags }) => tags), [{ floor: 4 }]);
    await service.call('delete', name);
  },

  'azure-iothub: a message for an unknown device is an error, and one that expires has negative feedback': async ({ service, name }) => {
    await service.call('create', { deviceId: name });
    await assert.rejects(service.call('send', `${name}-other`, { text: 'x' }), { name: 'DeviceNotFoundError' });
    await service.call('send', name, { text: 'x', messageId: `expires-${name}`, ack: 'full', expiryTimeUtc: Date.now() + 200 });
    assert.strictEqual((await service.feedbackFor(`expires-${name}`)).statusCode, 'Expired');
    await service.call('delete', name);
  },
};

module.exports = { CASES, SERVICE_CASES };
