'use strict';
// IoT Hub's topic grammar: what a device or module may publish to and subscribe to, and what it is sent.
// Ids stand in topics unescaped.

const { parseBag, writeBag } = require('../properties');

const base = (identity) => (identity.moduleId === null
  ? `devices/${identity.deviceId}`
  : `devices/${identity.deviceId}/modules/${identity.moduleId}`);

// Telemetry: "devices/{d}/messages/events/{bag}". The slash before the bag is part of the topic, also when the bag is empty.
// Answers { system, properties }, or null when the topic is not this identity's telemetry topic.
function telemetryProperties(identity, topic) {
  const prefix = `${base(identity)}/messages/events/`;
  return topic.startsWith(prefix) ? parseBag(topic.slice(prefix.length)) : null;
}

// "?$rid=...&$version=...": unlike the bag of a message, these are not percent-encoded.
// Answers { requestId, version }, or null when it is anything else.
function parseQuery(text) {
  const match = /^\?\$rid=([^&=]{1,1000})(?:&\$version=(\d{1,15}))?$/.exec(text);
  return match ? { requestId: match[1], version: match[2] === undefined ? undefined : Number(match[2]) } : null;
}

const REQUESTS = [
  ['twin-get', /^\$iothub\/twin\/GET\/(\?.*)$/s],
  ['twin-patch', /^\$iothub\/twin\/PATCH\/properties\/reported\/(\?.*)$/s],
  ['method-response', /^\$iothub\/methods\/res\/(?<status>-?\d{1,9})\/(\?.*)$/s],
];

// Answers { kind, ... } for a topic that a client may publish to, else null.
function parseTopic(identity, topic) {
  const bag = telemetryProperties(identity, topic);
  if (bag) return { kind: 'telemetry', ...bag };
  for (const [kind, form] of REQUESTS) {
    const match = form.exec(topic);
    const query = match && parseQuery(match.at(-1));
    if (query && (kind === 'twin-patch' || query.version === undefined)) return { kind, ...query, status: Number(match.groups?.status) };
  }
  return null;
}

const TWIN_ANSWERS = '$iothub/twin/res/#';
const DESIRED_CHANGES = '$iothub/twin/PATCH/properties/desired/#';
const METHODS = '$iothub/methods/POST/#';
const ONE_METHOD = /^\$iothub\/methods\/POST\/([^/+#]+)\/#$/;

// SDKs disagree on the filter for module inputs; both are granted. Modules get no cloud-to-device messages.
function messageFilters(identity) {
  const own = base(identity);
  return identity.moduleId === null
    ? [`${own}/messages/devicebound/#`, 'devices/+/messages/devicebound/#']
    : [`${own}/#`, `${own}/inputs/#`];
}

const isKnownFilter = (identity, filter) => [TWIN_ANSWERS, DESIRED_CHANGES, METHODS, ...messageFilters(identity)].includes(filter) || ONE_METHOD.test(filter);

const methodFilters = (name) => [METHODS, `$iothub/methods/POST/${name}/#`];

const takesMethods = (filter) => filter === METHODS || ONE_METHOD.test(filter);

// Where a message to this identity goes. A message may bring its bag ready made.
function deliveryTopic(identity, message, { withTo }) {
  const to = identity.moduleId === null && withTo ? { to: `/devices/${identity.deviceId}/messages/deviceBound` } : {};
  const bag = message.bag ?? writeBag({ ...message.system, ...to }, { ...message.properties, ...(message.ack === undefined ? {} : { 'iothub-ack': message.ack }) });
  return identity.moduleId === null ? `${base(identity)}/messages/devicebound/${bag}` : `${base(identity)}/inputs/${message.input}/${bag}`;
}

const twinAnswerTopic = (status, requestId, more) => `$iothub/twin/res/${status}/?$rid=${requestId}${Object.entries(more).map(([name, value]) => `&${name}=${value}`).join('')}`;

const desiredTopic = (version) => `$iothub/twin/PATCH/properties/desired/?$version=${version}`;

const methodTopic = ({ name, requestId }) => `$iothub/methods/POST/${name}/?$rid=${requestId}`;

// "{hub}/{d}[/{m}]/?api-version=...", also without the slash before "?" and without any query: SDKs and documents use all three.
// The id in it must be the client id. Ids may contain "?", so the client id says where the id ends.
function parseUserName(userName, clientId) {
  const slash = userName.indexOf('/');
  if (slash < 1) return { error: `the user name "${userName}" is not "{hub}/{device}/?api-version=..."` };
  const hostName = userName.slice(0, slash);
  const rest = userName.slice(slash + 1);
  const tail = rest.startsWith(clientId) ? rest.slice(clientId.length) : null;
  if (tail === null || !/^\/?(\?.*)?$/s.test(tail)) return { error: `the user name "${userName}" does not name the client id "${clientId}"` };
  const query = new URLSearchParams(tail.replace(/^\/?\??/, ''));
  return { hostName, apiVersion: query.get('api-version'), modelId: query.get('model-id') };
}

module.exports = {
  TWIN_ANSWERS, DESIRED_CHANGES, telemetryProperties, parseTopic, isKnownFilter, messageFilters, methodFilters, takesMethods,
  deliveryTopic, twinAnswerTopic, desiredTopic, methodTopic, parseUserName,
};
