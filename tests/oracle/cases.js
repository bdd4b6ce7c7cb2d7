'use strict';
// What Microsoft's device client must be able to do against the local hub. Each case gets what run.js prepared:
// { hub, ca, connect(id, options), credentials } and throws when something is not as it should be.

const assert = require('assert');
const { Client, ModuleClient, Message } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { Mqtt } = require('azure-iot-device-mqtt');

const withoutRetries = (client) => {
  client.setRetryPolicy(new NoRetry());
  client.on('error', () => {});
  return client;
};

async function open(context, id, options = {}, connectionString = context.connectionStrings[id]) {
  const Kind = id.includes('/') ? ModuleClient : Client;
  const client = withoutRetries(Kind.fromConnectionString(connectionString, Mqtt));
  await client.setOptions({ ca: context.ca, ...options });
  await client.open();
  return client;
}

// Opens, does `work`, closes, and waits until the hub saw the client go.
async function session(context, id, options, work) {
  const since = context.hub.events.length;
  const client = await open(context, id, options);
  await work(client, since);
  await client.close();
  const end = await context.hub.waitFor({ event: 'disconnect', identity: id }, since);
  assert.strictEqual(end.disconnectReceived, true);
}

async function sendsText(context, id, options, text) {
  await session(context, id, options, async (client, since) => {
    await client.sendEvent(new Message(text));
    const seen = await context.hub.waitFor({ event: 'telemetry', identity: id }, since);
    assert.strictEqual(seen.text, text);
    assert.strictEqual(seen.qos, 1);
  });
}

async function opensWith(error, context, id, options, connectionString) {
  await assert.rejects(open(context, id, options, connectionString), error);
}

const otherKey = Buffer.from('not the key of this device').toString('base64');

// Name of the recording -> [sentence, case].
const CASES = {
  'telemetry-sas': ['telemetry with a SAS key', (context) => sendsText(context, 'thermo-01', {}, '{"t":21.5}')],

  'telemetry-x509-thumbprint': ['telemetry with a self-signed certificate', (context) => sendsText(context, 'self-signed', context.credentials['self-signed'], 'by thumbprint')],

  'telemetry-x509-ca': ['telemetry with a CA-signed certificate', (context) => sendsText(context, 'ca-signed', context.credentials['ca-signed'], 'by chain')],

  'telemetry-module': ['telemetry of a module', (context) => sendsText(context, 'edge-07/filter', {}, 'from a module')],

  'telemetry-module-output': ['telemetry to a module output', (context) => session(context, 'edge-07/filter', {}, async (client, since) => {
    await client.sendOutputEvent('alert', new Message('hot'));
    const seen = await context.hub.waitFor({ event: 'telemetry', identity: 'edge-07/filter' }, since);
    assert.strictEqual(seen.text, 'hot');
    assert.deepStrictEqual(seen.system, { 'output-name': 'alert' });
  })],

  'properties-round-trip': ['system and application properties arrive exactly', (context) => session(context, 'thermo-01', {}, async (client, since) => {
    const message = new Message(JSON.stringify({ t: 21.5 }));
    Object.assign(message, {
      messageId: 'm-1', correlationId: 'c/1', userId: 'u&1', to: 'a=b', contentType: 'application/json', contentEncoding: 'utf-8', interfaceId: 'urn:test',
    });
    const properties = { room: 'lab 1', 'odd & key=': '50 % + ü "/?#', '*': '~!\'()-._', empty: '' };
    for (const [name, value] of Object.entries(properties)) message.properties.add(name, value);
    await client.sendEvent(message);
    const seen = await context.hub.waitFor({ event: 'telemetry' }, since);
    assert.deepStrictEqual(seen.properties, properties);
    assert.deepStrictEqual(seen.system, {
      'message-id': 'm-1', 'correlation-id': 'c/1', 'user-id': 'u&1', to: 'a=b', 'content-type': 'application/json', 'content-encoding': 'utf-8', 'interface-id': 'urn:test',
    });
  })],

  'binary-body': ['a body of all byte values arrives exactly', (context) => session(context, 'thermo-01', {}, async (client, since) => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await client.sendEvent(new Message(body));
    const seen = await context.hub.waitFor({ event: 'telemetry' }, since);
    assert.deepStrictEqual(Buffer.from(seen.body, 'base64'), body);
  })],

  'many-messages': ['fifty messages sent at once arrive once each, in order', (context) => session(context, 'thermo-01', {}, async (client, since) => {
    const texts = Array.from({ length: 50 }, (_, i) => `message ${i}`);
    await Promise.all(texts.map((text) => client.sendEvent(new Message(text))));
    const seen = context.hub.events.slice(since).filter((event) => event.event === 'telemetry').map((event) => event.text);
    assert.deepStrictEqual(seen, texts);
  })],

  'largest-message': ['a body of 262,144 bytes is taken', (context) => session(context, 'thermo-01', {}, async (client, since) => {
    await client.sendEvent(new Message(Buffer.alloc(262144, 'x')));
    const seen = await context.hub.waitFor({ event: 'telemetry' }, since);
    assert.strictEqual(Buffer.from(seen.body, 'base64').length, 262144);
  })],

  'session-present': ['a second connection finds its session', async (context) => {
    await sendsText(context, 'thermo-01', {}, 'first');
    const since = context.hub.events.length;
    await sendsText(context, 'thermo-01', {}, 'second');
    const connack = await context.hub.waitFor({ event: 'connack' }, since);
    assert.strictEqual(connack.sessionPresent, true);
  }],

  'wrong-key': ['a wrong key is an UnauthorizedError', (context) => opensWith({ name: 'UnauthorizedError' }, context, 'thermo-01', {}, context.connectionStrings['thermo-01'].replace(/Key=.*/, `Key=${otherKey}`))],

  'unknown-device': ['an unknown device is an UnauthorizedError', (context) => opensWith({ name: 'UnauthorizedError' }, context, 'thermo-01', {}, context.connectionStrings['thermo-01'].replace('thermo-01', 'nobody'))],

  'disabled-device': ['a disabled device is an UnauthorizedError', (context) => opensWith({ name: 'UnauthorizedError' }, context, 'retired')],

  'wrong-certificate': ['another device\'s certificate is an UnauthorizedError', (context) => opensWith({ name: 'UnauthorizedError' }, context, 'self-signed', context.credentials['ca-signed'])],

  'untrusted-root': ['without the CA the TLS handshake fails', async (context) => {
    await context.hub.settle();                    // what the clients of earlier cases did has been reported
    const since = context.hub.events.length;
    await opensWith((error) => /self.signed certificate|unable to/i.test(`${error.message} ${error.innerError && error.innerError.message}`), context, 'thermo-01', { ca: undefined });
    await context.hub.settle();
    assert.strictEqual(context.hub.events.slice(since).some((event) => event.event === 'connect'), false);
  }],

  'link-lost': ['with its retry policy the client comes back after the hub closed the connection', async (context) => {
    const since = context.hub.events.length;
    const client = Client.fromConnectionString(context.connectionStrings['thermo-01'], Mqtt);
    client.on('error', () => {});
    await client.setOptions({ ca: context.ca });
    await client.open();
    await client.sendEvent(new Message('before'));
    context.hub.command('kick thermo-01');
    await context.hub.waitFor({ event: 'disconnect', identity: 'thermo-01' }, since);
    await client.sendEvent(new Message('after'));
    await context.hub.waitFor({ event: 'telemetry', text: 'after' }, since);
    await client.close();
  }],
};

module.exports = { CASES };
