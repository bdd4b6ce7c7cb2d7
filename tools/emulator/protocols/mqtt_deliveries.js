'use strict';
// PUBLISHes from the hub to one client: packet ids, DUP, and what a PUBACK settles.
// What outlives the connection (packet ids of messages under way) is in the MQTT session, `kept`.

const { deliveryTopic } = require('./mqtt_topics');

const TOPIC_SIZE_MAX = 65535;

class Deliveries {
  // `session` is the MqttSession; `kept` is { nextPacketId, underWay: Map of packet id -> mailbox entry }.
  constructor(session, kept) {
    Object.assign(this, { session, kept });
    this.mailbox = session.identity.mailbox;
    this.open = new Map(); // packet id -> mailbox entry, or null for what nobody settles; in order of sending
    this.seen = new Set(); // entries sent on this connection
    this.mayTake = (entry) => !this.seen.has(entry) || this.setting('c2d-lock-end') === 'redeliver';
    this.onFaultChange = (name) => { if (name === 'c2d') this.pump(); };
    session.faults.on('change', this.onFaultChange);
    this.resume();
  }

  setting(name) { return this.session.hub.switches.get(name); }

  // The ids of an earlier connection: those whose messages still wait are taken up again, in their old order.
  resume() {
    const underWay = [...this.kept.underWay];
    this.kept.underWay.clear();
    if (this.setting('c2d-packet-id') !== 'same') return;
    for (const [packetId, entry] of underWay) if (entry.state === 'enqueued') this.kept.underWay.set(packetId, entry);
  }

  newPacketId() {
    do this.kept.nextPacketId = (this.kept.nextPacketId % 65535) + 1; while (this.open.has(this.kept.nextPacketId) || this.kept.underWay.has(this.kept.nextPacketId));
    return this.kept.nextPacketId;
  }

  // The packet id that a message had before, in this MQTT session.
  oldPacketId(entry) {
    if (this.setting('c2d-packet-id') !== 'same') return undefined;
    return [...this.kept.underWay].find(([, each]) => each === entry)?.[0];
  }

  // ---- Messages of the mailbox

  // Sends what waits, as far as may be under way. Without a subscription nothing goes.
  pump() {
    const qos = this.session.messageQos();
    if (qos === undefined || this.session.faults.get('c2d') === 'withhold') return;
    for (;;) {
      const entry = this.mailbox.locked().length < this.setting('c2d-in-flight') ? this.mailbox.next(this.mayTake) : undefined;
      if (!entry || this.session.stage !== 'open') return;
      this.deliver(entry, qos);
    }
  }

  deliver(entry, qos) {
    const { identity } = this.session;
    const topic = deliveryTopic(identity, entry, { withTo: this.setting('c2d-to') === 'send' });
    if (Buffer.byteLength(topic) > TOPIC_SIZE_MAX) {
      this.session.report('notice', { reason: `the properties of message ${entry.sequence} do not fit a topic` });
      this.mailbox.end(entry, 'dead-lettered');
      return;
    }
    const old = this.oldPacketId(entry);
    const packetId = qos === 0 ? undefined : old ?? this.newPacketId();
    this.seen.add(entry);
    this.mailbox.lock(entry, () => this.lockEnded(entry));
    if (qos > 0) this.remember(packetId, entry);
    this.publish({ topic, payload: entry.body, qos, dup: old !== undefined && qos > 0, packetId });
    this.session.report('delivered', {
      sequence: entry.sequence, messageId: entry.system['message-id'] ?? null, input: entry.input, packetId: packetId ?? null, qos, dup: old !== undefined && qos > 0,
      deliveryCount: entry.deliveryCount, sightings: entry.sightings,
    });
    if (qos === 0) this.mailbox.complete(entry);
  }

  remember(packetId, entry) {
    this.open.delete(packetId); // so that it stands last
    this.open.set(packetId, entry);
    this.kept.underWay.delete(packetId);
    this.kept.underWay.set(packetId, entry);
  }

  publish({ topic, payload, qos, dup, packetId }) {
    const packet = { cmd: 'publish', topic, payload, qos, dup, retain: false, ...(qos > 0 ? { messageId: packetId } : {}) };
    this.session.send(packet);
    if (this.session.faults.get('c2d') === 'twice') this.session.send({ ...packet, dup: qos > 0 });
  }

  lockEnded(entry) {
    this.session.report('lock-ended', { sequence: entry.sequence });
    if (this.mailbox.deliver) this.mailbox.deliver();
  }

  // ---- Everything else that is sent with QoS 1 and that nobody settles

  other(topic, payload, qos) {
    const packetId = qos > 0 ? this.newPacketId() : undefined;
    if (qos > 0) this.open.set(packetId, null);
    this.session.send({ cmd: 'publish', topic, payload, qos, dup: false, retain: false, ...(qos > 0 ? { messageId: packetId } : {}) });
  }

  // A PUBACK for this id is no violation.
  expectAcknowledgement(packetId) { if (!this.open.has(packetId)) this.open.set(packetId, null); }

  // ---- PUBACK

  acknowledged(packetId) {
    if (!this.open.has(packetId)) {
      this.session.violation(`PUBACK for packet id ${packetId}, which is not open`);
      return;
    }
    const entry = this.open.get(packetId);
    if (entry && this.isOutOfOrder(packetId)) return;
    this.open.delete(packetId);
    if (!entry) return;
    this.kept.underWay.delete(packetId);
    this.session.report('acknowledged', { sequence: entry.sequence, packetId });
    if (entry.state === 'locked') this.mailbox.complete(entry);
    else this.session.report('notice', { reason: `PUBACK for message ${entry.sequence}, which is ${entry.state === 'enqueued' ? 'no longer locked' : entry.state}` });
  }

  isOutOfOrder(packetId) {
    const how = this.setting('c2d-acks');
    const first = [...this.open].find(([, entry]) => entry !== null)[0];
    if (how === 'any-order' || first === packetId) return false;
    const reason = `PUBACK for packet id ${packetId} before that for ${first} [MQTT-4.6.0-2]`;
    if (how === 'close') this.session.violation(reason);
    else this.session.report('notice', { reason: `${reason}: ignored` });
    return true;
  }

  // ---- The end of the connection

  stop() {
    this.session.faults.off('change', this.onFaultChange);
    if (this.setting('c2d-return') !== 'at-once') return;
    const counts = this.setting('c2d-counts') === 'delivery';
    for (const entry of this.seen) if (entry.state === 'locked') this.mailbox.release(entry, { counts });
  }
}

module.exports = { Deliveries };
