'use strict';
// What the tests of a client's many subscriptions share, on top of client.js.

const { publishPacket } = require('./client');

const C2D = 'devices/d/messages/devicebound/#';
const INPUTS = 'devices/d/modules/m/#';
const TWIN = '$iothub/twin/res/#';
const DESIRED = '$iothub/twin/PATCH/properties/desired/#';
const METHODS = '$iothub/methods/POST/#';

async function subscribe(client, filter, qos = 1) {
  client.send({ cmd: 'subscribe', messageId: 60000, subscriptions: [{ topic: filter, qos }] });
  return client.next('suback');
}

// A logged-in client with these subscriptions.
async function listener(hub, filters, connect = {}, qos = 1) {
  const client = await hub.login(connect);
  for (const filter of filters) await subscribe(client, filter, qos);
  return client;
}

const acknowledge = (client, packet) => client.send({ cmd: 'puback', messageId: packet.messageId });

const request = (topic, payload = '', more = {}) => publishPacket(0, { topic, payload, qos: 0, ...more });

const getTwin = (requestId) => request(`$iothub/twin/GET/?$rid=${requestId}`);

const report = (requestId, patch) => request(`$iothub/twin/PATCH/properties/reported/?$rid=${requestId}`, typeof patch === 'string' ? patch : JSON.stringify(patch));

// The next PUBLISH as { topic, text, ... }.
async function nextMessage(client) {
  const { topic, payload, qos, dup, messageId } = await client.next('publish');
  return { topic, text: payload.toString('utf8'), qos, dup, messageId };
}

// A PINGRESP and nothing before it: the hub sent nothing else.
async function nothingCame(client) {
  client.send({ cmd: 'pingreq' });
  await client.next('pingresp');
}

module.exports = { C2D, INPUTS, TWIN, DESIRED, METHODS, subscribe, listener, acknowledge, request, getTwin, report, nextMessage, nothingCame };
