'use strict';
// Messages on their way to one device or module: the queue, its locks, delivery counts and expiry.
// Protocols take messages out and settle them; what came of each goes to the sender as feedback.

const { messageSize } = require('./message');

const C2D_SIZE_MAX = 65536; // IoT Hub: 64 KB, counted as telemetry is
const TTL_DEFAULT_S = 3600;
const TTL_MAX_S = 172800;
const TIMER_MAX_MS = 2 ** 31 - 1;

// How a message can end, and what feedback calls it.
const OUTCOMES = {
  completed: 'Success', rejected: 'Rejected', expired: 'Expired', 'dead-lettered': 'DeliveryCountExceeded', purged: 'Purged',
};

class Mailbox {
  // `limits()` gives { queue, deliveries, lockS }; `report(event, fields)` and `ended(message, outcome)` hear of everything.
  constructor({ limits, report, ended = () => {} }) {
    Object.assign(this, { limits, report, ended });
    this.messages = []; // in order of arrival; those that ended are gone
    this.sequence = 0;
    this.deliver = null; // the connection that takes messages, as a function without arguments
    this.timers = new Set();
  }

  // `message` is as message.js makes it. Throws a RangeError when it cannot be queued; answers the entry.
  put(message) {
    if (messageSize(message) > C2D_SIZE_MAX) throw new RangeError(`the message has ${messageSize(message)} bytes, more than ${C2D_SIZE_MAX}`);
    const { queue } = this.limits();
    if (this.messages.length >= queue) throw Object.assign(new RangeError(`the queue is full: ${queue} messages`), { code: 'queue-full' });
    const now = Date.now();
    const lifetimeMs = Math.min(message.expiry === undefined ? TTL_DEFAULT_S * 1000 : message.expiry - now, TTL_MAX_S * 1000);
    this.sequence += 1;
    const entry = {
      ...message, sequence: this.sequence, enqueued: now, expiry: now + lifetimeMs, state: 'enqueued', deliveryCount: 0, sightings: 0, lockedUntil: 0,
    };
    this.messages.push(entry);
    this.after(lifetimeMs, () => this.expire(entry));
    this.deliver?.();
    return entry;
  }

  // The oldest message that waits and that `mayTake` takes, or undefined.
  next(mayTake) {
    const now = Date.now();
    return this.messages.find((entry) => entry.state === 'enqueued' && entry.expiry > now && mayTake(entry));
  }

  locked() { return this.messages.filter(({ state }) => state === 'locked'); }

  // Hands a message to a connection; `lockLost` is called when its lock ends before it is settled.
  lock(entry, lockLost) {
    const { lockS } = this.limits();
    entry.state = 'locked';
    entry.sightings += 1;
    entry.lockedUntil = Date.now() + lockS * 1000;
    const until = entry.lockedUntil;
    this.after(lockS * 1000, () => {
      if (entry.state !== 'locked' || entry.lockedUntil !== until) return;
      entry.state = 'enqueued';
      lockLost(entry);
    });
  }

  complete(entry) { this.end(entry, 'completed'); }

  reject(entry) { this.end(entry, 'rejected'); }

  // Back to the queue. `counts` says whether that raises the delivery count.
  release(entry, { counts }) {
    if (!this.messages.includes(entry)) return;
    entry.state = 'enqueued';
    if (counts) entry.deliveryCount += 1;
    if (entry.deliveryCount >= this.limits().deliveries) this.end(entry, 'dead-lettered');
  }

  expire(entry) { this.end(entry, 'expired'); }

  purge() {
    const { length } = this.messages;
    for (const entry of [...this.messages]) this.end(entry, 'purged');
    return length;
  }

  // Answers false for a message that ended before.
  end(entry, outcome) {
    const at = this.messages.indexOf(entry);
    if (at < 0) return false;
    this.messages.splice(at, 1);
    entry.state = outcome;
    this.report('settled', {
      sequence: entry.sequence, messageId: entry.system['message-id'] ?? null, outcome, deliveryCount: entry.deliveryCount, sightings: entry.sightings,
    });
    this.ended(entry, outcome);
    this.deliver?.(); // a place in flight is free
    return true;
  }

  // What `c2d-state` shows.
  list() {
    return this.messages.map(({ sequence, system, state, deliveryCount, sightings, body }) => ({
      sequence, messageId: system['message-id'] ?? null, state, deliveryCount, sightings, size: body.length,
    }));
  }

  after(ms, action) {
    const timer = setTimeout(() => { this.timers.delete(timer); action(); }, Math.min(Math.max(ms, 0), TIMER_MAX_MS));
    this.timers.add(timer);
    timer.unref();
  }

  stop() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }
}

module.exports = { Mailbox, OUTCOMES, C2D_SIZE_MAX };
