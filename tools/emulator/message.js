'use strict';
// A message, whichever way it travels: { body: Buffer, system, properties, ... }. How commands and the service write one,
// what counts for its size, and how an event shows it.

// System properties that whoever sends a message may set: name in a command -> name inside.
const SETTABLE = {
  messageId: 'message-id', correlationId: 'correlation-id', userId: 'user-id', contentType: 'content-type', contentEncoding: 'content-encoding', to: 'to', creationTime: 'creation-time',
};
const ACKS = ['none', 'positive', 'negative', 'full'];
const COMMAND_FIELDS = [...Object.keys(SETTABLE), 'body', 'bodyBase64', 'bodySize', 'json', 'properties', 'ack', 'expiry', 'ttl', 'bag'];
const BODY_SIZE_MAX = 1048576;

const length = (text) => Buffer.byteLength(text ?? '');

// IoT Hub counts the body, system property values, application property names and values.
function messageSize({ body, system, properties }) {
  const systemSize = Object.values(system).reduce((sum, value) => sum + length(value), 0);
  const propertySize = Object.entries(properties).reduce((sum, [name, value]) => sum + length(name) + length(value), 0);
  return body.length + systemSize + propertySize;
}

// The text of a body when it is text, for events.
function textOf(body) {
  const text = body.toString('utf8');
  return Buffer.from(text, 'utf8').equals(body) ? text : undefined;
}

// "abc...zabc...": a body of any size that both sides can compute.
const patternBody = (size) => Buffer.from(Array.from({ length: size }, (_, i) => 97 + (i % 26)));

function bodyFrom({ body, bodyBase64, bodySize, json }) {
  const given = [body, bodyBase64, bodySize, json].filter((each) => each !== undefined).length;
  if (given > 1) throw new RangeError('give one of body, bodyBase64, bodySize, json');
  if (json !== undefined) return Buffer.from(JSON.stringify(json));
  if (bodySize !== undefined) {
    if (!Number.isInteger(bodySize) || bodySize < 0 || bodySize > BODY_SIZE_MAX) throw new RangeError(`bodySize is not a number from 0 to ${BODY_SIZE_MAX}`);
    return patternBody(bodySize);
  }
  const text = body ?? bodyBase64 ?? '';
  if (typeof text !== 'string') throw new RangeError('a body is text; for JSON write "json"');
  return Buffer.from(text, bodyBase64 === undefined ? 'utf8' : 'base64');
}

function needTexts(object, what, { nullAllowed = false } = {}) {
  if (object === null || typeof object !== 'object' || Array.isArray(object)) throw new RangeError(`${what} is not an object`);
  for (const [name, value] of Object.entries(object)) {
    if (typeof value !== 'string' && !(nullAllowed && value === null)) throw new RangeError(`${what}: "${name}" is not text`);
  }
}

function expiryFrom({ ttl, expiry }) {
  if (ttl !== undefined) {
    if (typeof ttl !== 'number' || !(ttl >= 0)) throw new RangeError('ttl is not a number of seconds');
    return Date.now() + ttl * 1000;
  }
  if (expiry === undefined) return undefined;
  const time = Date.parse(expiry);
  if (Number.isNaN(time)) throw new RangeError('expiry is not a date');
  return time;
}

// From a command's JSON. Throws a RangeError with a sentence for whoever wrote it.
function messageFrom(written) {
  if (written === null || typeof written !== 'object' || Array.isArray(written)) throw new RangeError('a message is a JSON object');
  const unknown = Object.keys(written).find((name) => !COMMAND_FIELDS.includes(name));
  if (unknown !== undefined) throw new RangeError(`a message has no "${unknown}"; it has ${COMMAND_FIELDS.join(', ')}`);
  const { properties = {}, ack, bag } = written;
  needTexts(properties, 'properties', { nullAllowed: true });
  if (ack !== undefined && !ACKS.includes(ack)) throw new RangeError(`ack is none of ${ACKS.join(', ')}`);
  if (bag !== undefined && typeof bag !== 'string') throw new RangeError('bag is not text');
  const system = {};
  for (const [name, inside] of Object.entries(SETTABLE)) {
    if (written[name] === undefined) continue;
    if (typeof written[name] !== 'string') throw new RangeError(`${name} is not text`);
    system[inside] = written[name];
  }
  return { body: bodyFrom(written), system, properties, ack, expiry: expiryFrom(written), bag };
}

module.exports = { messageFrom, messageSize, bodyFrom, textOf, patternBody, ACKS };
