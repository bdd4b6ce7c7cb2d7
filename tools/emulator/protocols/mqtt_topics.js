'use strict';
// IoT Hub's topic grammar: what a device or module may publish to and subscribe to. Ids stand in topics unescaped.

const { parseBag } = require('../properties');

const base = (identity) => (identity.moduleId === null
  ? `devices/${identity.deviceId}`
  : `devices/${identity.deviceId}/modules/${identity.moduleId}`);

// Telemetry: "devices/{d}/messages/events/{bag}". The slash before the bag is part of the topic, also when the bag is empty.
// Answers { system, properties }, or null when the topic is not this identity's telemetry topic.
function telemetryProperties(identity, topic) {
  const prefix = `${base(identity)}/messages/events/`;
  return topic.startsWith(prefix) ? parseBag(topic.slice(prefix.length)) : null;
}

const SHARED_FILTERS = ['$iothub/twin/res/#', '$iothub/twin/PATCH/properties/desired/#', '$iothub/methods/POST/#'];
const ONE_METHOD_FILTER = /^\$iothub\/methods\/POST\/[^/+#]+\/#$/;

function isKnownFilter(identity, filter) {
  if (SHARED_FILTERS.includes(filter) || ONE_METHOD_FILTER.test(filter)) return true;
  const own = base(identity);
  // SDKs disagree on the filter for module inputs; both are granted. Modules get no cloud-to-device messages.
  if (identity.moduleId !== null) return [`${own}/#`, `${own}/inputs/#`].includes(filter);
  return [`${own}/messages/devicebound/#`, 'devices/+/messages/devicebound/#'].includes(filter);
}

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
  return { hostName, apiVersion: query.get('api-version') };
}

module.exports = { telemetryProperties, isKnownFilter, parseUserName };
