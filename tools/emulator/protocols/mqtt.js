'use strict';
// One MQTT 3.1.1 connection: packets on one side, the hub on the other.

const mqtt = require('mqtt-packet');
const { MqttFrames } = require('./mqtt_frames');
const { Acks } = require('./mqtt_acks');
const { Deliveries } = require('./mqtt_deliveries');
const { Requests } = require('./mqtt_requests');
const { telemetryProperties, parseTopic, isKnownFilter, messageFilters, takesMethods, parseUserName } = require('./mqtt_topics');
const { MESSAGE_SIZE_MAX } = require('../hub');

const NOT_AUTHORIZED = 5;
const BAD_PROTOCOL_LEVEL = 1;
const SUBSCRIPTION_REFUSED = 0x80;
const SUBSCRIPTIONS_MAX = 5; // IoT Hub, per connection
const KEEP_ALIVE_CAP_S = 1767; // IoT Hub never waits longer than this, so a client may ask for 1177 at most
const PACKET_SIZE_MAX = MESSAGE_SIZE_MAX + 65535 + 4; // the largest message behind the longest topic
const PIPELINE_WAIT_MS = 50; // fault refuse-pipelined: how long to look for bytes after CONNECT
const TIMER_MAX_MS = 2 ** 31 - 1;

// What parseTopic() finds -> method of MqttSession.
const PUBLISH_HANDLERS = { telemetry: 'telemetry', 'twin-get': 'twinRequest', 'twin-patch': 'twinRequest', 'method-response': 'methodResponse' };

const DISCONNECTED_IN_ORDER = 'the client sent DISCONNECT';

// Protocol name and level of a CONNECT, read before mqtt-packet sees it, which would refuse others without telling which.
function connectProtocol(bytes) {
  const start = 1 + (bytes.subarray(1, 5).findIndex((byte) => byte < 0x80) + 1);
  const nameLength = bytes.length >= start + 2 ? bytes.readUInt16BE(start) : 0;
  return { name: bytes.subarray(start + 2, start + 2 + nameLength).toString('utf8'), level: bytes[start + 2 + nameLength] };
}

class MqttSession {
  // `certificate` and `tls` are what the listener saw of the client.
  constructor(link, hub, { certificate, tls, protocol = 'mqtt' }) {
    Object.assign(this, { link, hub, certificate, tls, protocol });
    this.faults = hub.faults;
    this.number = link.number;
    this.stage = 'first'; // first -> deciding -> open -> closed
    this.identity = null;
    this.clientId = undefined;
    this.closeReason = null;
    this.disconnectReceived = false;
    this.waiting = []; // packets that came before CONNACK was sent
    this.filters = new Map();
    this.timers = new Map();
    this.delayed = 0;
    this.frames = new MqttFrames(PACKET_SIZE_MAX);
    this.parser = mqtt.parser({ protocolVersion: 4 });
    this.parser.on('packet', (packet) => { this.parsed = packet; });
    this.parser.on('error', (error) => { this.parseError = error.message; });
    this.acks = new Acks({
      faults: this.faults,
      send: (ids) => this.sendPubacks(ids),
      overrun: () => this.close('throttled: far more messages than the fault throttle lets through (the hub reports 429002)'),
    });
    hub.connections.add(this);
    link.on('data', (bytes) => this.received(bytes));
    link.on('error', () => {});
    link.on('close', () => this.closed());
  }

  // Events carry the connection number, and the identity once it is known.
  report(event, fields) {
    const identity = this.identity ? { identity: this.identity.id } : {};
    const clientId = !this.identity && this.clientId !== undefined ? { clientId: this.clientId } : {};
    this.hub.report({ event, connection: this.number, ...identity, ...clientId, ...fields });
  }

  // ---- Bytes in

  received(bytes) {
    if (this.stage === 'closed') return;
    if (this.hub.switches.get('keep-alive-counts') === 'bytes') this.restartKeepAlive();
    const { packets, error } = this.frames.push(bytes);
    for (const packet of packets) this.packetReceived(packet);
    if (error) this.violation(error);
  }

  packetReceived(bytes) {
    if (this.stage === 'closed') return;
    this.report('packet', { direction: 'in', hex: bytes.toString('hex') });
    if (this.stage === 'deciding') this.waiting.push(bytes);
    else this.handle(bytes);
  }

  handle(bytes) {
    if (this.stage === 'first') {
      this.firstPacket(bytes);
      return;
    }
    this.restartKeepAlive();
    const packet = this.parse(bytes);
    if (packet) this.dispatch(packet);
  }

  // Answers the packet, or closes the connection and answers null.
  parse(bytes) {
    this.parsed = null;
    this.parseError = null;
    this.parser.parse(bytes);
    if (this.parsed && !this.parseError) return this.parsed;
    this.violation(`malformed packet: ${this.parseError ?? 'its length does not fit what is in it'}`);
    return null;
  }

  dispatch(packet) {
    const fault = this.packetIdFault(packet) ?? (packet.cmd.endsWith('subscribe') ? this.filterListFault(packet) : null);
    if (fault) {
      this.violation(fault);
      return;
    }
    switch (packet.cmd) {
      case 'publish': this.publish(packet); break;
      case 'subscribe': this.subscribe(packet); break;
      case 'unsubscribe': this.unsubscribe(packet); break;
      case 'pingreq': this.ping(); break;
      case 'disconnect': this.disconnect(); break;
      case 'puback': this.deliveries.acknowledged(packet.messageId); break;
      case 'connect': this.violation('a second CONNECT'); break;
      default: this.violation(`a client must not send ${packet.cmd.toUpperCase()} here`);
    }
  }

  // A packet that wants an answer needs an id which is not zero and not in use.
  packetIdFault({ cmd, qos, messageId }) {
    const needsId = cmd.endsWith('subscribe') || (cmd === 'publish' && qos > 0);
    if (!needsId) return null;
    if (messageId === 0) return 'packet id 0 [MQTT-2.3.1-1]';
    return this.acks.isOpen(messageId) ? `packet id ${messageId} used again before its PUBACK was sent [MQTT-2.3.1-2]` : null;
  }

  filterListFault({ cmd, subscriptions, unsubscriptions }) {
    return (subscriptions ?? unsubscriptions).length === 0 ? `${cmd.toUpperCase()} with no topic filter [MQTT-3.8.3-3]` : null;
  }

  // ---- CONNECT

  firstPacket(bytes) {
    if (bytes[0] !== 0x10) {
      this.violation('the first packet is not CONNECT');
      return;
    }
    const { name, level } = connectProtocol(bytes);
    if (name !== 'MQTT' || level !== 4) {
      this.violationReport(`protocol "${name}" level ${level} instead of "MQTT" level 4`);
      this.refuse(`protocol "${name}" level ${level}; the hub speaks MQTT 3.1.1 only`, BAD_PROTOCOL_LEVEL);
      return;
    }
    const packet = this.parse(bytes);
    if (packet) this.connect(packet);
  }

  connect(packet) {
    this.stage = 'deciding';
    this.clientId = packet.clientId;
    this.report('connect', {
      protocol: this.protocol, clientId: packet.clientId, userName: packet.username ?? null, keepAlive: packet.keepalive,
      clean: packet.clean, will: packet.will !== undefined, password: packet.password !== undefined,
      clientCertificate: this.certificate !== null, tls: this.tls,
    });
    const connack = this.faults.get('connack');
    if (connack === 'hold') return;
    if (connack === 'close') this.close('fault connack=close');
    else if (this.faults.isOn('refuse-pipelined')) this.setTimer('connack', PIPELINE_WAIT_MS, () => this.decide(packet));
    else this.decide(packet);
  }

  decide(packet) {
    const { reason, code, login } = this.judge(packet);
    const answer = () => {
      if (this.faults.isOn('silent')) return;
      if (login) this.accept(packet, login);
      else this.refuse(reason, code);
    };
    const delay = this.faults.get('connack-delay') ?? 0;
    if (delay > 0) this.setTimer('connack', delay, answer);
    else answer();
  }

  // Answers { login } or { reason, code }.
  judge(packet) {
    const forced = this.faults.get('connack');
    if (typeof forced === 'number') return { reason: `fault connack=${forced}`, code: forced };
    const sentMore = this.waiting.length > 0 || this.frames.pending.length > 0;
    if (this.faults.isOn('refuse-pipelined') && sentMore) return { reason: 'it sent more before it had its CONNACK (fault refuse-pipelined)', code: NOT_AUTHORIZED };
    const login = this.login(packet);
    if (login.ok) return { login };
    return { reason: login.reason, code: this.hub.switches.get(login.disabled ? 'disabled-device-code' : 'refusal-code') };
  }

  login(packet) {
    const user = parseUserName(packet.username ?? '', packet.clientId);
    if (user.error) return { ok: false, reason: user.error };
    if (user.apiVersion === null) {
      if (this.hub.switches.get('api-version-missing') === 'refuse') return { ok: false, reason: 'the user name has no api-version' };
      this.report('notice', { reason: 'the user name has no api-version' });
    }
    const token = packet.password === undefined ? null : packet.password.toString('utf8');
    this.modelId = user.modelId;
    const login = this.hub.authenticate({ id: packet.clientId, hostName: user.hostName, token, certificate: this.certificate });
    if (!login.ok || !packet.will) return login;
    return this.willMessage(login.identity, packet.will) ? login : { ok: false, reason: `the will's topic "${packet.will.topic}" is not ${login.identity.id}'s telemetry topic, or its QoS is 2` };
  }

  refuse(reason, code) {
    const thenReset = this.faults.isOn('connack-how');
    this.report('refused', { reason, code });
    this.send({ cmd: 'connack', returnCode: code, sessionPresent: false }, () => { if (thenReset) this.link.reset(); });
    this.report('connack', { code, sessionPresent: false });
    if (thenReset) this.end(`refused: ${reason}`);
    else this.close(`refused: ${reason}`);
  }

  accept(packet, { identity, expiry, signature }) {
    this.stage = 'open';
    this.identity = identity;
    this.tokenSignature = signature ?? null;
    this.will = packet.will ? this.willMessage(identity, packet.will) : null;
    if (this.modelId) identity.twin.modelId = this.modelId;
    this.hub.attach(identity, this);
    const sessionPresent = this.restoreSession(packet.clean);
    this.requests = new Requests(this);
    this.deliveries = new Deliveries(this, this.kept);
    this.send({ cmd: 'connack', returnCode: 0, sessionPresent });
    this.report('connack', { code: 0, sessionPresent });
    this.keepAliveMs = Math.min(packet.keepalive * 1.5, KEEP_ALIVE_CAP_S) * 1000;
    this.restartKeepAlive();
    if (expiry !== undefined) this.closeAtExpiry(expiry);
    this.connectFeeds();
    for (const bytes of this.waiting.splice(0)) if (this.stage === 'open') this.handle(bytes);
  }

  // With clean session 0 the hub keeps the subscriptions and the packet ids under way. Answers "session present".
  restoreSession(clean) {
    const stored = clean || this.faults.isOn('drop-session') ? null : this.identity.session;
    this.kept = stored ?? { filters: new Map(), nextPacketId: 0, underWay: new Map() };
    this.filters = this.kept.filters;
    this.identity.session = clean ? null : this.kept;
    return stored !== null;
  }

  // What the hub sends of its own accord, as far as the client subscribed to it.
  connectFeeds() {
    const { mailbox, twin, calls } = this.identity;
    mailbox.deliver = () => this.deliveries.pump();
    twin.desiredChanged = (patch) => this.requests.desiredChanged(patch);
    const subscribed = [...this.filters.keys()].some(takesMethods);
    if (subscribed !== (calls.deliver !== null)) calls.attach(subscribed ? (call) => this.requests.call(call) : null);
    this.deliveries.pump();
  }

  disconnectFeeds() {
    const { mailbox, twin, calls } = this.identity;
    mailbox.deliver = null;
    twin.desiredChanged = () => {};
    calls.attach(null);
    this.deliveries.stop();
    this.requests.stop();
  }

  // The QoS of messages to this client; undefined while it has not subscribed to them.
  messageQos() {
    const granted = messageFilters(this.identity).map((filter) => this.filters.get(filter)).filter((qos) => qos !== undefined);
    return granted.length > 0 ? Math.max(...granted) : undefined;
  }

  // The hub cuts the connection when its token expires; MQTT 3.1.1 has no way to send a fresh one.
  closeAtExpiry(expiry) {
    const early = this.faults.get('expire-tokens');
    const end = early === undefined
      ? (expiry + this.hub.switches.get('clock-tolerance')) * 1000
      : Date.now() + early * 1000;
    const wait = () => {
      const left = end - Date.now();
      if (left <= 0) this.close('its SAS token expired');
      else this.setTimer('expiry', Math.min(left, TIMER_MAX_MS), wait);
    };
    wait();
  }

  // ---- The open connection

  publish(packet) {
    const fault = this.publishFault(packet);
    if (fault) {
      this.violation(fault);
      return;
    }
    const request = parseTopic(this.identity, packet.topic);
    if (request) this[PUBLISH_HANDLERS[request.kind]](packet, request);
    else this.unknownTopic(packet);
  }

  telemetry(packet, properties) {
    const origin = { qos: packet.qos, dup: packet.dup, packetId: packet.messageId ?? null, connection: this.number };
    const message = this.message(packet, properties);
    if (!this.hub.takeTelemetry(this.identity, message, origin)) this.violation(`a message of more than ${MESSAGE_SIZE_MAX} bytes`);
    else if (this.faults.isOn('poison') && message.body.includes(this.faults.get('poison'))) this.close('fault poison');
    else this.acks.message(packet.messageId ?? null);
  }

  twinRequest(packet, request) {
    if (packet.qos > 0) this.acks.message(packet.messageId);
    this.requests.twinRequest(request, packet.payload);
  }

  methodResponse(packet, request) {
    if (packet.qos > 0) this.acks.message(packet.messageId);
    this.requests.methodResponse(request, packet.payload);
  }

  // What is wrong with a PUBLISH, whatever its topic.
  publishFault({ qos, dup, topic }) {
    if (qos === 2) return 'PUBLISH with QoS 2';
    if (qos === 0 && dup) return 'DUP on a QoS 0 PUBLISH [MQTT-3.3.1-2]';
    if (topic === '' || /[+#\0]/.test(topic)) return `"${topic}" cannot be a topic name [MQTT-3.3.2-2]`;
    return null;
  }

  // IoT Hub does not retain; it marks the message instead.
  message({ payload, retain }, { system, properties }) {
    return { body: payload, system, properties: retain ? { ...properties, 'mqtt-retain': 'true' } : properties };
  }

  unknownTopic({ topic, messageId }) {
    const reason = `PUBLISH on "${topic}", which is not a topic ${this.identity.id} may publish to`;
    if (this.hub.switches.get('unknown-topic') === 'close') {
      this.violation(reason);
      return;
    }
    this.violationReport(reason);
    this.acks.message(messageId ?? null);
  }

  subscribe({ messageId, subscriptions }) {
    const filters = [];
    for (const { topic: filter, qos } of subscriptions) {
      const { granted, close } = this.grant(filter, qos);
      filters.push({ filter, qos, granted });
      if (close) {
        this.violation(close);
        return;
      }
    }
    this.report('subscribe', { packetId: messageId, filters });
    const disturbed = this.subackDisturbed(filters);
    if (!disturbed || this.faults.get('suback') !== 'withhold') {
      this.after(disturbed ? this.faults.get('suback-delay') ?? 0 : 0, () => this.send({ cmd: 'suback', messageId, granted: filters.map(({ granted }) => granted) }));
    }
    this.connectFeeds(); // a late SUBACK comes behind the first messages, which MQTT allows
  }

  subackDisturbed(filters) {
    const only = this.faults.get('suback-filter');
    return only === undefined || filters.some(({ filter }) => filter.includes(only));
  }

  // IoT Hub: QoS 2 is granted as 1, at most five subscriptions.
  grant(filter, qos) {
    const refusal = (name, text) => (this.hub.switches.get(name) === 'close' ? { close: text } : { granted: SUBSCRIPTION_REFUSED });
    if (!isKnownFilter(this.identity, filter)) return refusal('unknown-filter', `SUBSCRIBE to "${filter}", which the hub does not know`);
    if (!this.filters.has(filter) && this.filters.size >= SUBSCRIPTIONS_MAX) return refusal('sixth-subscription', `a sixth subscription, "${filter}"`);
    if (this.faults.get('suback') === 'refuse' && this.subackDisturbed([{ filter }])) return { granted: SUBSCRIPTION_REFUSED };
    const granted = Math.min(qos, 1);
    this.filters.set(filter, granted);
    return { granted };
  }

  unsubscribe({ messageId, unsubscriptions }) {
    unsubscriptions.forEach((filter) => this.filters.delete(filter));
    this.report('unsubscribe', { packetId: messageId, filters: unsubscriptions });
    this.send({ cmd: 'unsuback', messageId });
    this.connectFeeds();
  }

  ping() {
    this.report('ping', {});
    if (this.faults.isOn('pingresp')) return;
    const answer = () => this.send({ cmd: 'pingresp' });
    const delay = this.faults.get('pingresp-delay') ?? 0;
    if (delay > 0) this.setTimer('pingresp', delay, answer);
    else answer();
  }

  disconnect() {
    this.disconnectReceived = true;
    this.will = null;
    this.close(DISCONNECTED_IN_ORDER);
  }

  // Answers the will as a message, or null when the hub could not deliver it as telemetry.
  willMessage(identity, will) {
    const properties = telemetryProperties(identity, will.topic);
    if (!properties || will.qos === 2) return null;
    const message = this.message(will, properties);
    return { qos: will.qos, message: { ...message, body: Buffer.from(message.body), properties: { ...message.properties, 'iothub-MessageType': 'Will' } } };
  }

  // ---- Keep-alive

  restartKeepAlive() {
    if (this.stage !== 'open' || !this.keepAliveMs) return;
    this.setTimer('keep-alive', this.keepAliveMs, () => {
      if (this.link.readingStopped) this.restartKeepAlive(); // a hub that does not read cannot blame the client
      else this.close(`nothing came for ${this.keepAliveMs / 1000} s, 1.5 times the keep-alive`);
    });
  }

  // Several at a time, unlike those of setTimer().
  after(ms, action) {
    this.delayed += 1;
    if (ms > 0) this.setTimer(`delayed ${this.delayed}`, ms, action);
    else action();
  }

  setTimer(name, ms, action) {
    clearTimeout(this.timers.get(name));
    this.timers.set(name, setTimeout(action, ms));
  }

  // ---- Bytes out

  send(packet, written = () => {}) { this.write(mqtt.generate(packet), written); }

  // Command "publish": as it is written, so the client sees what the hub never sends.
  publishRaw({ topic, payload, qos, dup, retain, packetId }) {
    this.send({ cmd: 'publish', topic, payload, qos, dup, retain, ...(qos > 0 ? { messageId: packetId } : {}) });
    if (qos === 1) this.deliveries.expectAcknowledgement(packetId);
  }

  sendPubacks(ids) {
    this.write(Buffer.concat(ids.map((messageId) => mqtt.generate({ cmd: 'puback', messageId }))));
    ids.forEach((packetId) => this.report('puback', { packetId }));
  }

  write(bytes, written) {
    if (this.faults.isOn('silent') || this.stage === 'closed') return;
    this.report('packet', { direction: 'out', hex: bytes.toString('hex') });
    this.link.write(bytes, written);
  }

  // ---- The end

  violationReport(reason) { this.report('violation', { reason }); }

  violation(reason) {
    this.violationReport(reason);
    this.close(`violation: ${reason}`);
  }

  close(reason) {
    if (this.stage === 'closed') return;
    this.end(reason);
    this.link.end();
  }

  // No packet is looked at any more; the first reason stays.
  end(reason) {
    if (this.stage === 'closed') return;
    this.stage = 'closed';
    this.closeReason = this.closeReason ?? reason;
    this.acks.stop();
    for (const timer of this.timers.values()) clearTimeout(timer);
    if (!this.identity) return;
    this.disconnectFeeds();
    this.hub.detach(this.identity, this);
  }

  closed() {
    this.end(this.link.cutReason ?? (this.link.errorText ? `the connection broke (${this.link.errorText})` : 'the client closed the connection without DISCONNECT'));
    this.hub.connections.delete(this);
    if (this.will) this.deliverWill();
    this.report('disconnect', {
      reason: this.closeReason, disconnectReceived: this.disconnectReceived, bytesIn: this.link.bytesIn, bytesOut: this.link.bytesOut,
    });
  }

  deliverWill() {
    const { qos, message } = this.will;
    this.hub.takeTelemetry(this.identity, message, { qos, dup: false, packetId: null, connection: this.number, will: true });
  }
}

const serveMqtt = (hub) => (link, client) => new MqttSession(link, hub, client);

module.exports = { serveMqtt };
