'use strict';
// Points which Microsoft's documents leave open, or where its SDKs disagree. Each is one named switch;
// the default is what the documents suggest or what was observed. --help and README print this same table.

const { choice, number } = require('./values');

const SWITCHES = {
  'host-port-in-names': { value: choice('accept', 'refuse'), initial: 'accept', help: 'A ":port" after the host in user name and SAS resource (Microsoft\'s Node SDK puts it there).' },
  'api-version-missing': { value: choice('log', 'refuse'), initial: 'log', help: 'A user name without "api-version=".' },
  'refusal-code': { value: number(1, 5), initial: 5, help: 'CONNACK code of every refused login. The hub is said to send 5 only.' },
  'disabled-device-code': { value: number(1, 5), initial: 5, help: 'CONNACK code for a disabled device (the C SDK reads 3 as "device disabled").' },
  'clock-tolerance': { value: number(0, 86400), initial: 0, help: 'Seconds that a SAS token is still accepted after its "se".' },
  'unknown-topic': { value: choice('close', 'ignore'), initial: 'close', help: 'PUBLISH on a topic the hub does not know: close without PUBACK, or acknowledge and forget.' },
  'unknown-filter': { value: choice('refuse', 'close'), initial: 'refuse', help: 'SUBSCRIBE to a filter the hub does not know: SUBACK 0x80, or close.' },
  'sixth-subscription': { value: choice('refuse', 'close'), initial: 'refuse', help: 'More than five subscriptions: SUBACK 0x80, or close.' },
  'keep-alive-counts': { value: choice('packets', 'bytes'), initial: 'packets', help: 'What resets the keep-alive clock: whole packets, or any byte of one.' },
};

class Switches {
  constructor() {
    this.values = new Map(Object.entries(SWITCHES).map(([name, entry]) => [name, entry.initial]));
  }

  // Throws a RangeError whose message is fit for the person who typed it.
  set(name, text) {
    const entry = Object.hasOwn(SWITCHES, name) && SWITCHES[name];
    if (!entry) throw new RangeError(`there is no switch "${name}"; --help lists them`);
    const parsed = entry.value.parse(text);
    if (parsed === undefined) throw new RangeError(`switch ${name}: "${text}" is not ${entry.value.form}`);
    this.values.set(name, parsed);
  }

  get(name) { return this.values.get(name); }
}

module.exports = { SWITCHES, Switches };
