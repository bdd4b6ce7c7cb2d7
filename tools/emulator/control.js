'use strict';
// The commands: of --control, one per line, and of the command line's other half (cli.js).
// Those with a JSON argument take the rest of the line as it.

const { nameAndValue } = require('./options');
const { messageFrom, bodyFrom } = require('./message');

const one = (rest) => {
  const found = words(rest, 1);
  return found[0];
};

function words(rest, count) {
  const found = rest === '' ? [] : rest.split(/\s+/);
  if (found.length !== count) throw new RangeError(`this command takes ${count === 1 ? 'one word' : `${count} words`}`);
  return found;
}

// `count` words, then JSON; `initial` when there is none.
function wordsAndJson(rest, count, initial) {
  const match = new RegExp(`^((?:\\S+\\s+){${count - 1}}\\S+)(?:\\s+(.*))?$`, 's').exec(rest);
  if (!match) throw new RangeError(`this command takes ${count === 1 ? 'one word' : `${count} words`} and JSON`);
  return [...match[1].split(/\s+/), parseJson(match[2], initial)];
}

function parseJson(text, initial) {
  if (text === undefined || text === '') {
    if (initial === undefined) throw new RangeError('the JSON is missing');
    return initial;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RangeError(`the JSON does not parse (${error.message})`);
  }
}

const seconds = (value, initial, least, most, what) => {
  if (value === undefined) return initial;
  if (typeof value !== 'number' || !(value >= least && value <= most)) throw new RangeError(`${what} is not a number from ${least} to ${most}`);
  return value;
};

function onlyThese(object, names) {
  if (object === null || typeof object !== 'object' || Array.isArray(object)) throw new RangeError('the JSON is not an object');
  const unknown = Object.keys(object).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new RangeError(`there is no "${unknown}" here; there are ${names.join(', ')}`);
}

const BODY_FIELDS = ['body', 'bodyBase64', 'bodySize', 'json'];
const METHOD_FIELDS = [...BODY_FIELDS, 'responseTimeout', 'connectTimeout'];
const PUBLISH_FIELDS = [...BODY_FIELDS, 'topic', 'qos', 'dup', 'retain', 'packetId'];

function method(hub, rest) {
  const [id, name, written] = wordsAndJson(rest, 2, {});
  onlyThese(written, METHOD_FIELDS);
  const call = hub.callMethod(id, {
    name, body: BODY_FIELDS.some((field) => Object.hasOwn(written, field)) ? bodyFrom(written) : undefined,
    responseTimeoutS: seconds(written.responseTimeout, 30, 1, 300, 'responseTimeout'), connectTimeoutS: seconds(written.connectTimeout, 0, 0, 300, 'connectTimeout'),
  });
  return { call };
}

function publish(hub, rest) {
  const [id, written] = wordsAndJson(rest, 1);
  onlyThese(written, PUBLISH_FIELDS);
  const { topic, qos = 0, dup = false, retain = false, packetId = 1 } = written;
  if (typeof topic !== 'string' || topic === '' || Buffer.byteLength(topic) > 65535) throw new RangeError('topic is a text of 1 to 65535 bytes');
  if (![0, 1, 2].includes(qos) || typeof dup !== 'boolean' || typeof retain !== 'boolean') throw new RangeError('qos is 0, 1 or 2, dup and retain are true or false');
  if (!Number.isInteger(packetId) || packetId < 1 || packetId > 65535) throw new RangeError('packetId is a number from 1 to 65535');
  hub.publishRaw(id, { topic, qos, dup, retain, packetId, payload: bodyFrom(written) });
}

const queued = ({ sequence, system }) => ({ sequence, messageId: system['message-id'] ?? null });

function twinOf(hub, id) {
  const { twin } = hub.need(id);
  return { tags: twin.tags, desired: twin.desired.document(), reported: twin.reported.document(), modelId: twin.modelId };
}

function changeDesired(hub, rest, options) {
  const [id, patch] = wordsAndJson(rest, 1);
  const { twin } = hub.need(id);
  twin.patchDesired(patch, options);
  return { version: twin.desired.version };
}

// Each does its work, may answer fields for the "ok" event, or throws a RangeError.
const HANDLERS = {
  fault: (hub, rest) => hub.faults.set(...nameAndValue(one(rest))),
  faults: (hub) => ({ faults: hub.faults.list() }),
  switch: (hub, rest) => hub.switches.set(...nameAndValue(one(rest))),
  'drop-session': (hub, rest) => hub.dropSession(one(rest)),
  'set-session': (hub, rest) => {
    const [id, filters] = wordsAndJson(rest, 1);
    if (!Array.isArray(filters) || !filters.every((filter) => typeof filter === 'string')) throw new RangeError('the JSON is not a list of filters');
    hub.setSession(id, filters);
  },
  identities: (hub) => ({ connectionStrings: hub.connectionStrings() }),
  add: (hub, rest) => ({ connectionString: hub.addDescribed(one(rest)) }),
  remove: (hub, rest) => hub.remove(one(rest)),
  kick: (hub, rest) => hub.kick(one(rest)),
  disable: (hub, rest) => hub.disable(one(rest)),
  enable: (hub, rest) => hub.enable(one(rest)),
  'set-key': (hub, rest) => hub.setKey(...words(rest, 2)),
  c2d: (hub, rest) => {
    const [id, written] = wordsAndJson(rest, 1, {});
    return queued(hub.sendC2d(id, messageFrom(written)));
  },
  'c2d-state': (hub, rest) => {
    const { mailbox } = hub.need(one(rest));
    return { waiting: mailbox.messages.length, last: mailbox.sequence, messages: mailbox.list() };
  },
  'c2d-purge': (hub, rest) => ({ purged: hub.need(one(rest)).mailbox.purge() }),
  input: (hub, rest) => {
    const [id, name, written] = wordsAndJson(rest, 2, {});
    return queued(hub.sendInput(id, name, messageFrom(written)));
  },
  route: (hub, rest) => hub.addRoute(...words(rest, 4)),
  twin: (hub, rest) => ({ twin: twinOf(hub, one(rest)) }),
  desired: (hub, rest) => changeDesired(hub, rest, {}),
  'desired-replace': (hub, rest) => changeDesired(hub, rest, { replace: true }),
  tags: (hub, rest) => {
    const [id, patch] = wordsAndJson(rest, 1);
    hub.need(id).twin.changeTags(patch);
  },
  'new-twin': (hub, rest) => hub.newTwin(one(rest)),
  method,
  publish,
};

// Answers the event that answers the command.
function answerTo(hub, line) {
  const command = line.trim();
  const [, name, rest] = /^(\S*)\s*(.*)$/s.exec(command);
  try {
    if (!Object.hasOwn(HANDLERS, name)) throw new RangeError(`there is no command "${name}"; --help lists them`);
    return { event: 'ok', command: short(command), ...HANDLERS[name](hub, rest) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { event: 'error', command: short(command), reason: error.message };
  }
}

// A command comes back with its answer, a long one not wholly.
const COMMAND_SHOWN = 200;
const short = (command) => (command.length > COMMAND_SHOWN ? `${command.slice(0, COMMAND_SHOWN)}...` : command);

const runCommand = (hub, line) => hub.report(answerTo(hub, line));

module.exports = { runCommand, answerTo, HANDLERS };
