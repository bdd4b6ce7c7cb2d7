'use strict';
// The service side: REST over HTTPS, AMQP, the control of the command line. Microsoft's own client is in tests/oracle.

const test = require('node:test');
const assert = require('node:assert');
const https = require('https');
const rhea = require('rhea');
const { TestHub, KEY, OTHER_KEY, sasToken, sleep } = require('./client');
const { C2D, METHODS, TWIN, DESIRED, listener, acknowledge, nextMessage, request } = require('./helpers');

const POLICY = ['--policy', `iothubowner=${KEY}`];

function hubTest(name, args, body) {
  test(name, async () => {
    const hub = await TestHub.start(...POLICY, ...args);
    try { await body(hub); } finally { hub.stop(); }
  });
}

const serviceToken = (more = {}) => sasToken({ resource: 'localhost', policy: 'iothubowner', ...more });

// Answers { status, body, headers }; the path gets its api-version unless it has a query.
function rest(hub, method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const options = { host: '127.0.0.1', port: hub.port, servername: 'localhost', ca: hub.ca, agent: false, method, path: path.includes('?') ? path : `${path}?api-version=2021-04-12` };
    const sent = https.request({ ...options, headers: { Authorization: serviceToken(), 'Content-Length': Buffer.byteLength(text), ...headers } }, (response) => {
      let answer = '';
      response.on('data', (piece) => { answer += piece; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: answer === '' ? undefined : JSON.parse(answer) }));
    });
    sent.on('error', reject);
    sent.end(text);
  });
}

const statusOf = async (...args) => (await rest(...args)).status;

hubTest('who may: a policy key over the whole hub, nobody else', [], async (hub) => {
  const with_ = (token) => rest(hub, 'GET', '/devices', undefined, { Authorization: token });
  assert.strictEqual((await with_(serviceToken())).status, 200);
  for (const token of ['', 'Bearer x', serviceToken({ key: OTHER_KEY }), serviceToken({ policy: 'other' }), sasToken(), serviceToken({ expiry: 1 }), serviceToken({ resource: 'otherhub' })]) {
    const { status, body } = await with_(token);
    assert.strictEqual(status, 401, token);
    assert.match(body.Message, /^ErrorCode:IotHubUnauthorizedAccess;/);
  }
});

hubTest('devices: create, get, change, list, delete', [], async (hub) => {
  const made = await rest(hub, 'PUT', '/devices/new%3A1', { deviceId: 'new:1', status: 'enabled' });
  assert.strictEqual(made.status, 200);
  const { primaryKey, secondaryKey } = made.body.authentication.symmetricKey;
  assert.ok(primaryKey && secondaryKey && primaryKey !== secondaryKey);
  assert.strictEqual(made.body.authentication.type, 'sas');
  assert.strictEqual(await statusOf(hub, 'PUT', '/devices/new:1', { deviceId: 'new:1' }), 409);
  for (const key of [primaryKey, secondaryKey]) {
    const client = await hub.login({ id: 'new:1', token: sasToken({ resource: 'localhost%2Fdevices%2Fnew%3A1', key }) });
    assert.strictEqual(client.connack.returnCode, 0);
    client.leave();
  }
  const changed = await rest(hub, 'PUT', '/devices/new:1', { deviceId: 'new:1', status: 'disabled', statusReason: 'sold' }, { 'If-Match': '"*"' });
  assert.deepStrictEqual([changed.body.status, changed.body.statusReason, changed.body.authentication.symmetricKey.primaryKey], ['disabled', 'sold', primaryKey]);
  assert.strictEqual(await statusOf(hub, 'PUT', '/devices/new:1', { deviceId: 'new:1' }, { 'If-Match': '"stale"' }), 412);
  const list = await rest(hub, 'GET', '/devices');
  assert.deepStrictEqual(list.body.map(({ deviceId }) => deviceId), ['d', 'new:1']);
  assert.strictEqual((await rest(hub, 'GET', '/devices?api-version=1&top=1')).body.length, 1);
  assert.strictEqual(await statusOf(hub, 'DELETE', '/devices/new:1', undefined, { 'If-Match': '"*"' }), 204);
  const gone = await rest(hub, 'GET', '/devices/new:1');
  assert.deepStrictEqual([gone.status, /^ErrorCode:DeviceNotFound;/.test(gone.body.Message)], [404, true]);
});

hubTest('modules, with their device', [], async (hub) => {
  assert.strictEqual(await statusOf(hub, 'PUT', '/devices/nobody/modules/m', { deviceId: 'nobody', moduleId: 'm' }), 404);
  assert.strictEqual((await rest(hub, 'PUT', '/devices/d/modules/m', { deviceId: 'd', moduleId: 'm' })).body.moduleId, 'm');
  assert.deepStrictEqual((await rest(hub, 'GET', '/devices/d/modules')).body.map(({ moduleId }) => moduleId), ['m']);
  assert.strictEqual((await rest(hub, 'GET', '/devices/d/modules/x')).body.Message.split(';')[0], 'ErrorCode:ModuleNotFound');
  assert.strictEqual(await statusOf(hub, 'DELETE', '/devices/d'), 204);
  assert.strictEqual(await statusOf(hub, 'GET', '/devices/d/modules/m'), 404);
});

hubTest('certificates and bad devices', [], async (hub) => {
  const thumbprint = 'AB'.repeat(20);
  const made = await rest(hub, 'PUT', '/devices/x', { deviceId: 'x', authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: thumbprint } } });
  assert.strictEqual(made.body.authentication.x509Thumbprint.primaryThumbprint, thumbprint);
  assert.strictEqual((await rest(hub, 'PUT', '/devices/ca', { deviceId: 'ca', authentication: { type: 'certificateAuthority' } })).body.authentication.type, 'certificateAuthority');
  for (const body of ['{', 'null', { deviceId: 'z' }, { deviceId: 'y', status: 'odd' }, { deviceId: 'y', authentication: { type: 'none' } }, { deviceId: 'y', authentication: { symmetricKey: { primaryKey: '*' } } },
    { deviceId: 'y', authentication: { type: 'selfSigned' } }, { deviceId: 'y', authentication: { x509Thumbprint: { primaryThumbprint: 'xyz' } } }]) {
    assert.strictEqual(await statusOf(hub, 'PUT', '/devices/y', body), 400, JSON.stringify(body));
  }
  assert.strictEqual(await statusOf(hub, 'PUT', '/devices/a%20b', { deviceId: 'a b' }), 400);
  assert.strictEqual(await statusOf(hub, 'GET', '/devices/%zz'), 400);
});

hubTest('many devices at once', [], async (hub) => {
  const created = await rest(hub, 'POST', '/devices', [{ id: 'a', importMode: 'create' }, { id: 'b', importMode: 'create' }]);
  assert.deepStrictEqual(created.body, { isSuccessful: true, errors: [], warnings: [] });
  const mixed = await rest(hub, 'POST', '/devices', [{ id: 'a', importMode: 'create' }, { id: 'b', importMode: 'delete' }, { id: 'd', importMode: 'updateIfMatchETag', eTag: 'no' }, { id: 'q', importMode: 'odd' }]);
  assert.deepStrictEqual([mixed.status, mixed.body.errors.map(({ deviceId, errorCode }) => [deviceId, errorCode])], [400, [['a', 'DeviceAlreadyExists'], ['d', 'PreconditionFailed'], ['q', 'ArgumentInvalid']]]);
  assert.strictEqual(hub.inner.identities.has('b'), false);
});

hubTest('twins: get, merge, replace, etags, metadata', ['--device', `d,key=${KEY}`, '--module', `d/m,key=${KEY}`], async (hub) => {
  const client = await listener(hub, [TWIN, DESIRED]);
  const patched = await rest(hub, 'PATCH', '/twins/d', { tags: { floor: 3 }, properties: { desired: { a: { b: 1 }, gone: null } } }, { 'If-Match': '"*"' });
  assert.deepStrictEqual([patched.body.tags, patched.body.properties.desired.a, patched.body.connectionState], [{ floor: 3 }, { b: 1 }, 'Connected']);
  assert.strictEqual(patched.body.properties.desired.$metadata.a.b.$lastUpdatedVersion, 2);
  assert.strictEqual((await nextMessage(client)).text, '{"a":{"b":1},"gone":null,"$version":2}');
  const { etag } = patched.body;
  const replaced = await rest(hub, 'PUT', '/twins/d', { tags: { room: 1 }, properties: { desired: { z: 1 } } }, { 'If-Match': `"${etag}"` });
  assert.deepStrictEqual([replaced.body.tags, replaced.body.properties.desired.a, replaced.body.properties.desired.z], [{ room: 1 }, undefined, 1]);
  assert.strictEqual(await statusOf(hub, 'PATCH', '/twins/d', { tags: {} }, { 'If-Match': `"${etag}"` }), 412);
  assert.strictEqual(await statusOf(hub, 'PATCH', '/twins/d', { properties: { desired: { 'a b': 1 } } }), 400);
  assert.strictEqual(await statusOf(hub, 'PATCH', '/twins/d', { properties: { desired: { a: Array(10).fill('x'.repeat(4000)) } } }), 413);
  assert.strictEqual((await rest(hub, 'PATCH', '/twins/d/modules/m', { properties: { desired: { m: 1 } } })).body.moduleId, 'm');
  assert.strictEqual((await rest(hub, 'GET', '/twins/d/modules/m')).body.properties.desired.m, 1);
  assert.strictEqual(await statusOf(hub, 'GET', '/twins/nobody'), 404);
  client.leave();
});

hubTest('queries', ['--device', `a,key=${KEY}`, '--device', `b,key=${KEY}`, '--module', `a/m,key=${KEY}`], async (hub) => {
  await rest(hub, 'PATCH', '/twins/b', { tags: { floor: 3, name: 'x' } });
  const query = (text, headers) => rest(hub, 'POST', '/devices/query', { query: text }, headers);
  const ids = async (text) => (await query(text)).body.map(({ deviceId }) => deviceId);
  assert.deepStrictEqual(await ids('SELECT * FROM devices'), ['a', 'b']);
  assert.deepStrictEqual(await ids("select * from devices where deviceId = 'b'"), ['b']);
  assert.deepStrictEqual(await ids("SELECT * FROM devices WHERE tags.floor = 3 AND tags.name != 'y'"), ['b']);
  assert.deepStrictEqual(await ids('SELECT * FROM devices WHERE capabilities.iotEdge = true'), []);
  assert.deepStrictEqual((await query('SELECT * FROM devices.modules')).body.map(({ moduleId }) => moduleId), ['m']);
  const first = await query('SELECT * FROM devices', { 'x-ms-max-item-count': '1' });
  assert.deepStrictEqual([first.body.length, first.headers['x-ms-item-type']], [1, 'twin']);
  const second = await query('SELECT * FROM devices', { 'x-ms-max-item-count': '1', 'x-ms-continuation': first.headers['x-ms-continuation'] });
  assert.deepStrictEqual([second.body[0].deviceId, second.headers['x-ms-continuation']], ['b', undefined]);
  for (const text of ['SELECT a FROM devices', 'SELECT * FROM devices WHERE x LIKE 1', '']) assert.strictEqual((await query(text)).status, 400, text);
});

hubTest('methods: the answer, and each way to fail', [], async (hub) => {
  const call = (body, path = '/twins/d/methods') => rest(hub, 'POST', path, body);
  const offline = await call({ methodName: 'm' });
  assert.deepStrictEqual([offline.status, offline.body.Message.split(';')[0]], [404, 'ErrorCode:DeviceNotOnline']);
  const client = await listener(hub, [METHODS]);
  const answers = call({ methodName: 'm', payload: { a: 1 }, responseTimeoutInSeconds: 5 });
  const asked = await nextMessage(client);
  assert.strictEqual(asked.text, '{"a":1}');
  const answer = (body) => client.send(request(`$iothub/methods/res/207/?$rid=${/rid=(.*)/.exec(asked.topic)[1]}`, body));
  answer('[1]');
  assert.deepStrictEqual((await answers).body, { status: 207, payload: [1] });
  for (const body of [{}, { methodName: 'a/b' }, { methodName: 'm', responseTimeoutInSeconds: 4 }, { methodName: 'm', connectTimeoutInSeconds: 301 }, '{']) assert.strictEqual((await call(body)).status, 400);
  assert.strictEqual((await call({ methodName: 'm' }, '/twins/d/modules/m/methods')).status, 404);
  const odd = call({ methodName: 'n' });
  const rid = /rid=(.*)/.exec((await nextMessage(client)).topic)[1];
  client.send(request(`$iothub/methods/res/200/?$rid=${rid}`, 'no JSON'));
  assert.strictEqual((await odd).status, 502);
  const cut = call({ methodName: 'o' });
  await nextMessage(client);
  client.leave();
  assert.match((await cut).body.Message, /DeviceConnectionClosedRemotely/);
});

hubTest('what is not there, and requests that are wrong', [], async (hub) => {
  assert.strictEqual(await statusOf(hub, 'GET', '/elsewhere'), 404);
  assert.strictEqual(await statusOf(hub, 'PATCH', '/devices/d'), 405);
  assert.strictEqual(await statusOf(hub, 'GET', '/devices?x=1'), 400);
  assert.strictEqual(await statusOf(hub, 'PATCH', '/twins/d', ' '.repeat(5e6)), 413);
  assert.deepStrictEqual((await rest(hub, 'GET', '/statistics/devices')).body, { totalDeviceCount: 1, enabledDeviceCount: 1, disabledDeviceCount: 0 });
  assert.deepStrictEqual((await rest(hub, 'GET', '/statistics/service')).body, { connectedDeviceCount: 0 });
  hub.command('c2d d');
  assert.strictEqual((await rest(hub, 'DELETE', '/devices/d/commands')).body.totalMessagesPurged, 1);
  assert.strictEqual(hub.of('http').at(-1).path, '/devices/d/commands');
});

hubTest('commands add and remove', [], async (hub) => {
  const { connectionString } = hub.command(`add e,key=${KEY}`);
  assert.strictEqual(connectionString, `HostName=localhost:${hub.port};DeviceId=e;SharedAccessKey=${KEY}`);
  hub.command(`add e/m,key=${KEY}`);
  const client = await hub.login({ id: 'e/m' });
  hub.command('remove e');
  await client.closed();
  for (const [line, reason] of [['add d', /exists already/], ['add x/m', /no device "x"/], ['add a,b', /is none of/], ['remove e', /there is no/], ['add', /one word/]]) assert.match(hub.command(line, 'error').reason, reason, line);
});

// ---- AMQP

// A connection past its token, and `once(emitter, event)`.
const once = (emitter, event) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`no ${event}`)), 4000);
  emitter.once(event, (context) => { clearTimeout(timer); resolve(context); });
});

async function amqp(hub, token) {
  const connection = rhea.create_container().connect({ host: '127.0.0.1', port: hub.port, transport: 'tls', servername: 'localhost', ca: hub.ca, reconnect: false });
  connection.on('disconnected', () => {});
  connection.on('sender_error', () => {});
  connection.on('receiver_error', () => {});
  await once(connection, 'connection_open');
  if (token === undefined) return { connection };
  const replies = connection.open_receiver({ source: '$cbs' });
  const sender = connection.open_sender({ target: '$cbs' });
  const reply = once(replies, 'message');
  await once(sender, 'sendable');
  sender.send({ message_id: 7, application_properties: { operation: 'put-token', type: 'servicebus.windows.net:sastoken', name: 'localhost' }, body: token });
  const { message } = await reply;
  assert.strictEqual(Number(message.correlation_id), 7);
  return { connection, status: message.application_properties['status-code'] };
}

async function outcomeOf(sender, message) {
  sender.send(message);
  const { delivery } = await Promise.race(['accepted', 'rejected', 'released'].map((event) => once(sender, event).catch(() => new Promise(() => {}))));
  return delivery.remote_state.error?.condition ?? 'accepted';
}

hubTest('AMQP: messages in, feedback out', ['--switch', 'feedback-delay=0'], async (hub) => {
  const { connection, status } = await amqp(hub, serviceToken());
  assert.strictEqual(status, 200);
  const sender = connection.open_sender({ target: '/messages/devicebound' });
  await once(sender, 'sendable');
  const feedback = connection.open_receiver({ source: '/messages/serviceBound/feedback' });
  const client = await listener(hub, [C2D]);
  const message = { to: '/devices/d/messages/devicebound', message_id: 'm1', body: rhea.message.data_section(Buffer.from('hi')), application_properties: { 'iothub-ack': 'full', n: 5 } };
  assert.strictEqual(await outcomeOf(sender, message), 'accepted');
  const packet = await nextMessage(client);
  assert.strictEqual(packet.text, 'hi');
  assert.match(packet.topic, /%24\.mid=m1&.*&n=5&iothub-ack=full$/);
  const got = once(feedback, 'message');
  acknowledge(client, packet);
  const [record] = JSON.parse((await got).message.body.content.toString());
  assert.deepStrictEqual([record.originalMessageId, record.statusCode, record.deviceId], ['m1', 'Success', 'd']);
  assert.strictEqual(await outcomeOf(sender, { ...message, to: '/devices/nobody/messages/devicebound' }), 'amqp:not-found');
  assert.strictEqual(await outcomeOf(sender, { ...message, to: 'elsewhere' }), 'com.microsoft:argument-error');
  hub.command('fault c2d=withhold');
  hub.command('switch c2d-queue=1');
  assert.strictEqual(await outcomeOf(sender, message), 'accepted');
  assert.strictEqual(await outcomeOf(sender, message), 'amqp:resource-limit-exceeded');
  client.leave();
  connection.close();
  await once(connection, 'connection_close');
});

hubTest('AMQP: expiry and rejection reach the feedback of who asked for it', ['--switch', 'feedback-delay=0'], async (hub) => {
  const { connection } = await amqp(hub, serviceToken());
  const feedback = connection.open_receiver({ source: 'amqps://localhost/messages/servicebound/feedback' });
  await once(feedback, 'receiver_open');
  await sleep(20);
  hub.command('c2d d {"messageId":"a","ttl":0,"ack":"negative"}');
  assert.strictEqual(JSON.parse((await once(feedback, 'message')).message.body.content)[0].statusCode, 'Expired');
  hub.command('c2d d {"messageId":"b","ack":"positive"}');
  hub.command('c2d d {"messageId":"c","ack":"full"}');
  hub.command('c2d-purge d');
  const records = JSON.parse((await once(feedback, 'message')).message.body.content);
  assert.deepStrictEqual(records.map(({ originalMessageId, statusCode }) => [originalMessageId, statusCode]), [['c', 'Purged']]);
  connection.close();
  await once(connection, 'connection_close');
});

hubTest('AMQP: a bad token, no token, another address', [], async (hub) => {
  const bad = await amqp(hub, serviceToken({ key: OTHER_KEY }));
  assert.strictEqual(bad.status, 401);
  const refused = bad.connection.open_sender({ target: '/messages/devicebound' });
  assert.strictEqual((await once(refused, 'sender_error')).sender.error.condition, 'amqp:unauthorized-access');
  bad.connection.close();
  const good = await amqp(hub, serviceToken());
  const elsewhere = good.connection.open_receiver({ source: '/messages/events' });
  assert.strictEqual((await once(elsewhere, 'receiver_error')).receiver.error.condition, 'amqp:not-found');
  good.connection.close();
  await once(good.connection, 'connection_close');
});

// ---- Control over HTTPS

hubTest('commands and events for the command line', [], async (hub) => {
  const ok = await rest(hub, 'POST', '/emulator/command', 'c2d d {"messageId":"1"}');
  assert.deepStrictEqual([ok.status, ok.body.sequence], [200, 1]);
  assert.deepStrictEqual([(await rest(hub, 'POST', '/emulator/command', 'dance')).status, await statusOf(hub, 'GET', '/emulator/x')], [400, 404]);
  assert.strictEqual((await rest(hub, 'POST', '/emulator/command', 'method d m')).body.error, 404103);
  const lines = [];
  const stream = https.request({ host: '127.0.0.1', port: hub.port, servername: 'localhost', ca: hub.ca, agent: false, path: '/emulator/events', headers: { Authorization: serviceToken() } }, (response) => {
    response.on('data', (data) => lines.push(...data.toString().trim().split('\n')));
    response.on('error', () => {});
  });
  stream.on('error', () => {});
  stream.end();
  for (let i = 0; i < 100 && hub.inner.listeners.size === 0; i += 1) await sleep(10);
  const client = await hub.login();
  await hub.waitFor('connack');
  await sleep(30);
  assert.ok(lines.map((line) => JSON.parse(line).event).includes('connack'));
  client.leave();
  stream.destroy();
  for (let i = 0; i < 100 && hub.inner.listeners.size > 0; i += 1) await sleep(10);
  assert.strictEqual(hub.inner.listeners.size, 0);
});
