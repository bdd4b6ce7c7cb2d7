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
  'c2d-in-flight': { value: number(1, 1000), initial: 50, help: 'How many messages are under way to a client before it must acknowledge one.' },
  'c2d-queue': { value: number(1, 100000), initial: 50, help: 'How many messages wait for a device or module at most.' },
  'c2d-lock': { value: number(1, 86400), initial: 60, help: 'Seconds that a message is locked once it was sent to a client.' },
  'c2d-lock-end': { value: choice('redeliver', 'wait'), initial: 'redeliver', help: 'A lock ends on an open connection: send the message again on it, or at the next connection.' },
  'c2d-return': { value: choice('at-once', 'lock-end'), initial: 'at-once', help: 'When a message that was under way returns to the queue after its connection ended.' },
  'c2d-packet-id': { value: choice('same', 'new'), initial: 'same', help: 'A message sent again in the same session: under its old packet id with DUP, or under another one.' },
  'c2d-acks': { value: choice('any-order', 'ignore', 'close'), initial: 'any-order', help: 'PUBACKs not in the order of the messages: taken, ignored, or the connection closes [MQTT-4.6.0-2].' },
  'c2d-counts': { value: choice('abandon', 'delivery'), initial: 'abandon', help: 'What raises the delivery count: an abandoned message only (MQTT cannot abandon), or each one that came back.' },
  'c2d-deliveries': { value: number(1, 100), initial: 10, help: 'The delivery count at which a message is dead-lettered.' },
  'c2d-to': { value: choice('send', 'leave-out'), initial: 'send', help: '"$.to" in the topic of a cloud-to-device message.' },
  'feedback-delay': { value: number(0, 3600), initial: 15, help: 'Seconds until feedback is sent, when there are fewer than 64 records.' },
  'twin-metadata': { value: choice('leave-out', 'include'), initial: 'leave-out', help: '"$metadata" in the twin that a device gets.' },
  'twin-unsubscribed': { value: choice('ignore', 'close'), initial: 'ignore', help: 'A twin request without a subscription to its answers.' },
  'retry-after': { value: choice('both', 'topic', 'body'), initial: 'both', help: 'Where the seconds of a twin error stand: "&retry-after=S" in the topic, "retryAfter" in the body.' },
  'method-empty-body': { value: choice('empty', 'null'), initial: 'null', help: 'Body of a method request without a payload (an empty one ends Microsoft\'s Node SDK).' },
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
