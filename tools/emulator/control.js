'use strict';
// The commands of --control, one per line.

const { nameAndValue } = require('./options');

const one = (rest) => {
  if (rest.length !== 1 || rest[0] === '') throw new RangeError('this command takes one word');
  return rest[0];
};

const two = (rest) => {
  if (rest.length !== 2) throw new RangeError('this command takes two words');
  return rest;
};

// Each does its work, may answer fields for the "ok" event, or throws a RangeError.
const HANDLERS = {
  fault: (hub, rest) => hub.faults.set(...nameAndValue(one(rest))),
  faults: (hub) => ({ faults: hub.faults.list() }),
  'drop-session': (hub, rest) => hub.dropSession(one(rest)),
  kick: (hub, rest) => hub.kick(one(rest)),
  disable: (hub, rest) => hub.disable(one(rest)),
  enable: (hub, rest) => hub.enable(one(rest)),
  'set-key': (hub, rest) => hub.setKey(...two(rest)),
};

function runCommand(hub, line) {
  const [name, ...rest] = line.trim().split(/\s+/);
  try {
    if (!Object.hasOwn(HANDLERS, name)) throw new RangeError(`there is no command "${name}"; --help lists them`);
    const fields = HANDLERS[name](hub, rest);
    hub.report({ event: 'ok', command: line.trim(), ...fields });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    hub.report({ event: 'error', command: line.trim(), reason: error.message });
  }
}

module.exports = { runCommand };
