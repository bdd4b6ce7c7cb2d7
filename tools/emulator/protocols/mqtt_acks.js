'use strict';
// PUBACKs on their way to one client: at once, or late, held, reversed, merged or paced, as the faults say.

const PACES_BEFORE_CLOSE = 10; // a backlog of this many times the allowed number closes the connection

class Acks {
  // `send(packetIds)` writes these PUBACKs in one write; `overrun()` closes the connection.
  constructor({ faults, send, overrun }) {
    Object.assign(this, { faults, send, overrun });
    this.unacknowledged = new Set(); // ids whose PUBACK was not written yet
    this.held = []; // puback=withhold
    this.collected = []; // puback-reorder, puback-merge
    this.paced = []; // throttle: [dueTime, packetId or null for QoS 0]
    this.paceEnd = 0; // when the message that came last is through the throttle
    this.timers = new Set();
    this.onFaultChange = (name, value) => this.faultChanged(name, value);
    faults.on('change', this.onFaultChange);
  }

  stop() {
    this.faults.off('change', this.onFaultChange);
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  faultChanged(name, value) {
    if (name === 'puback' && value === undefined) this.held.splice(0).forEach((id) => this.late(id));
    if (/^puback-(reorder|merge)$/.test(name) && this.collected.length > 0) this.write(this.collected.splice(0));
  }

  isOpen(packetId) { return this.unacknowledged.has(packetId); }

  // Called for each message taken; `packetId` is null for QoS 0, which counts for the throttle only.
  message(packetId) {
    if (packetId !== null) this.unacknowledged.add(packetId);
    const throttle = this.faults.get('throttle');
    if (!throttle) this.due(packetId);
    else this.pace(packetId, throttle);
  }

  // The hub's traffic shaping: messages go through at an even pace, and too large a backlog ends the connection.
  pace(packetId, { messages, seconds }) {
    const step = (seconds * 1000) / messages;
    const now = Date.now();
    const burstStart = now - (messages - 1) * step; // a quiet connection may send N at once
    this.paceEnd = Math.max(this.paceEnd, burstStart) + step;
    const wait = this.paceEnd - now - step;
    if (wait > PACES_BEFORE_CLOSE * seconds * 1000) this.overrun();
    else this.after(wait, () => this.due(packetId));
  }

  due(packetId) {
    if (packetId === null) return;
    if (this.faults.isOn('puback')) this.held.push(packetId);
    else this.late(packetId);
  }

  late(packetId) { this.after(this.faults.get('puback-delay') ?? 0, () => this.collect(packetId)); }

  collect(packetId) {
    const reorder = this.faults.get('puback-reorder');
    const size = reorder ?? this.faults.get('puback-merge') ?? 1;
    this.collected.push(packetId);
    if (this.collected.length < size) return;
    const ids = this.collected.splice(0);
    if (reorder) ids.reverse().forEach((id) => this.write([id]));
    else this.write(ids);
  }

  write(ids) {
    ids.forEach((id) => this.unacknowledged.delete(id));
    this.send(ids);
  }

  after(ms, action) {
    if (ms <= 0) {
      action();
      return;
    }
    const timer = setTimeout(() => { this.timers.delete(timer); action(); }, ms);
    this.timers.add(timer);
  }
}

module.exports = { Acks };
