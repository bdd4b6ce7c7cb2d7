'use strict';
// The hub itself: identities, who is connected, what telemetry came in, what is sent to devices. It knows no protocol.

const { randomUUID } = require('crypto');
const { verifySas, verifyCertificate, sameHost } = require('./auth');
const { checkKey, newEtag, makeIdentity, describeFromOption } = require('./identities');
const { Mailbox } = require('./mailbox');
const { Calls } = require('./methods');
const { Twin } = require('./twin');
const { Feedback } = require('./feedback');
const { messageSize, textOf } = require('./message');

// IoT Hub: 256 KB, counting body, system property values, application property names and values.
const MESSAGE_SIZE_MAX = 262144;

const INPUT_NAME = /^[A-Za-z0-9_\-.]{1,128}$/;

const nowSeconds = () => Date.now() / 1000;

class Hub {
  // `report` takes every event; see report.js for what they look like.
  constructor({ name, faults, switches, report, policies = new Map() }) {
    Object.assign(this, { name, faults, switches, policies });
    this.listeners = new Set(); // others who take every event
    this.report = (event) => {
      report(event);
      for (const take of this.listeners) take(event);
    };
    this.identities = new Map();
    this.connections = new Set();
    this.connectionCount = 0;
    this.routes = []; // module outputs that are inputs of modules: { from, output, to, input }
    this.callCount = 0;
    this.results = new Map(); // number of a call -> promise of its event
    this.feedback = new Feedback(() => switches.get('feedback-delay'));
    this.expiredSignatures = new Set(); // tokens that the fault expire-tokens=now ended
    faults.on('change', (fault, value) => { if (fault === 'expire-tokens' && value === 'now') this.expireTokens(); });
  }

  add(identity) {
    identity.mailbox = new Mailbox({
      limits: () => ({ queue: this.switches.get('c2d-queue'), deliveries: this.switches.get('c2d-deliveries'), lockS: this.switches.get('c2d-lock') }),
      report: (event, fields) => this.report({ event, identity: identity.id, ...fields }),
      ended: (message, outcome) => this.feedback.messageEnded(identity, message, outcome),
    });
    identity.calls = new Calls();
    this.identities.set(identity.id, identity);
  }

  // What the registry keeps of `identity`, from `written`; a connection whose login is no longer valid goes on until it ends.
  update(identity, written) {
    Object.assign(identity.registry, { statusReason: written.registry.statusReason, edge: written.registry.edge, etag: newEtag() });
    identity.auth = written.auth;
    if (identity.enabled !== written.enabled) identity.registry.statusUpdated = new Date().toISOString();
    if (written.enabled) this.enable(identity.id);
    else this.disable(identity.id);
  }

  // A device takes its modules along.
  remove(id) {
    const { moduleId } = this.need(id);
    const gone = [...this.identities.values()].filter((each) => each.id === id || (moduleId === null && each.deviceId === id));
    for (const identity of gone) {
      identity.connection?.close(`${id} was deleted`);
      this.retire(identity);
      this.identities.delete(identity.id);
    }
  }

  retire({ mailbox, calls }) {
    mailbox.stop();
    calls.stop();
  }

  // A module is usable only while its device is.
  isEnabled(identity) {
    const device = this.identities.get(identity.deviceId);
    return identity.enabled && (device === undefined || device.enabled);
  }

  // Answers { ok: true, identity, expiry, signature } or { ok: false, reason, disabled }.
  authenticate({ id, hostName, token, certificate }) {
    const acceptPort = this.switches.get('host-port-in-names') === 'accept';
    if (!sameHost(hostName, this.name, acceptPort)) return { ok: false, reason: `the user name is for the hub "${hostName}", but this hub is "${this.name}"` };
    const identity = this.identities.get(id);
    if (!identity) return { ok: false, reason: `there is no device or module "${id}"` };
    if (!this.isEnabled(identity)) return { ok: false, reason: `${id} is disabled`, disabled: true };
    const verdict = identity.auth.type === 'sas' ? this.verifyToken(identity, token) : verifyCertificate(certificate, identity);
    return verdict.ok ? { ...verdict, identity } : verdict;
  }

  // The service side: a token of a hub policy, for the whole hub.
  authenticateService(token) {
    const verdict = verifySas(token, { hubName: this.name, acceptPort: true, path: [], keys: [], policies: this.policies, now: nowSeconds(), toleranceS: this.switches.get('clock-tolerance') });
    return verdict.ok || !/names no device/.test(verdict.reason) ? verdict : { ok: false, reason: 'the token is not one of a hub policy (skn)' };
  }

  verifyToken(identity, token) {
    if (token === null) return { ok: false, reason: `${identity.id} logs in with a SAS token, but the client sent none` };
    const verdict = verifySas(token, {
      hubName: this.name,
      acceptPort: this.switches.get('host-port-in-names') === 'accept',
      path: identity.resourcePath,
      keys: identity.auth.keys,
      policies: this.policies,
      now: nowSeconds(),
      toleranceS: this.switches.get('clock-tolerance'),
    });
    return verdict.ok && this.expiredSignatures.has(verdict.signature) ? { ok: false, reason: 'SAS token: expired (by the fault expire-tokens)' } : verdict;
  }

  // IoT Hub keeps one connection per identity; the newest wins.
  attach(identity, connection) {
    if (identity.connection) identity.connection.close(`another connection of ${identity.id} took over (the hub logs 400027)`);
    identity.connection = connection;
    identity.registry.connectionUpdated = new Date().toISOString();
  }

  detach(identity, connection) {
    if (identity.connection !== connection) return;
    identity.connection = null;
    identity.registry.connectionUpdated = new Date().toISOString();
  }

  // `origin` is { connection, qos, dup, packetId }, whatever the protocol knows. Answers false for a message over the limit.
  takeTelemetry(identity, message, origin) {
    if (messageSize(message) > MESSAGE_SIZE_MAX) return false;
    identity.messages += 1;
    identity.registry.lastActivity = new Date().toISOString();
    const text = textOf(message.body);
    this.report({
      event: 'telemetry', identity: identity.id, sequence: identity.messages, body: message.body.toString('base64'),
      ...(text === undefined ? {} : { text }), system: message.system, properties: message.properties, ...origin,
    });
    this.routeOutput(identity, message);
    return true;
  }

  // What an Edge hub does with its routes.
  routeOutput(identity, message) {
    const output = message.system['output-name'];
    for (const route of this.routes.filter((each) => each.from === identity.id && each.output === output)) {
      const { 'output-name': gone, ...system } = message.system;
      const origin = { 'connection-device-id': identity.deviceId, 'connection-module-id': identity.moduleId };
      try {
        this.sendInput(route.to, route.input, { ...message, system: { ...system, ...origin } });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.report({ event: 'notice', identity: route.to, reason: `a routed message is lost: ${error.message}` });
      }
    }
  }

  // ---- What goes to devices and modules; each throws a RangeError for what cannot be done

  sendC2d(id, message) {
    if (this.need(id).moduleId !== null) throw new RangeError(`${id} is a module; cloud-to-device messages go to devices, "input" to modules`);
    return this.need(id).mailbox.put(message);
  }

  sendInput(id, input, message) {
    if (this.need(id).moduleId === null) throw new RangeError(`${id} is a device; inputs are of modules`);
    if (!INPUT_NAME.test(input)) throw new RangeError(`"${input}" is not the name of an input`);
    return this.need(id).mailbox.put({ ...message, input });
  }

  addRoute(from, output, to, input) {
    if (this.need(from).moduleId === null || this.need(to).moduleId === null) throw new RangeError('a route goes from a module to a module (DEVICE/MODULE)');
    if (!INPUT_NAME.test(input)) throw new RangeError(`"${input}" is not the name of an input`);
    const same = (each) => each.from === from && each.output === output && each.to === to && each.input === input;
    if (!this.routes.some(same)) this.routes.push({ from, output, to, input });
  }

  // Calls a method and reports how it ends; answers the number of the call.
  callMethod(id, call) {
    const { calls } = this.need(id);
    this.callCount += 1;
    const number = this.callCount;
    const about = { event: 'method-result', call: number, identity: id, name: call.name };
    const result = calls.call(call).then(
      ({ status, body }) => ({ ...about, status, body: body.toString('base64'), text: textOf(body) }),
      (error) => ({ ...about, error: error.errorCode ?? 500000, reason: error.message }),
    ).then((event) => {
      this.results.delete(number);
      this.report(event);
      return event;
    });
    this.results.set(number, result);
    return number;
  }

  // The event method-result of a call that was made just now.
  resultOf(number) { return this.results.get(number); }

  errorBody(errorCode, message) {
    return { errorCode, message, trackingId: randomUUID().replace(/-/g, '').toUpperCase(), timestampUtc: new Date().toISOString(), info: null };
  }

  expireTokens() {
    for (const connection of [...this.connections]) {
      if (!connection.tokenSignature) continue;
      this.expiredSignatures.add(connection.tokenSignature);
      connection.close('its SAS token expired (fault expire-tokens=now)');
    }
  }

  // Commands of --control. Each throws a RangeError for an id that does not exist.

  need(id) {
    const identity = this.identities.get(id);
    if (!identity) throw new RangeError(`there is no device or module "${id}"`);
    return identity;
  }

  dropSession(id) { this.need(id).session = null; }

  kick(id) {
    const { connection } = this.need(id);
    if (!connection) throw new RangeError(`${id} is not connected`);
    connection.close('kicked');
  }

  // Disabling a device takes its modules with it.
  disable(id) {
    this.need(id).enabled = false;
    for (const identity of this.identities.values()) {
      if (identity.connection && !this.isEnabled(identity)) identity.connection.close(`${id} was disabled`);
    }
  }

  enable(id) { this.need(id).enabled = true; }

  setKey(id, key) {
    const identity = this.need(id);
    checkKey(id, key);
    identity.auth = { type: 'sas', keys: [key] };
  }

  connectionStrings() {
    return Object.fromEntries([...this.identities.values()].map((identity) => [identity.id, identity.connectionString(this.hostName ?? this.name)]));
  }

  // Answers its connection string.
  addDescribed(text) {
    const id = text.split(',')[0];
    const identity = makeIdentity(describeFromOption(text, id.includes('/')));
    if (this.identities.has(id)) throw new RangeError(`${id} exists already`);
    if (identity.moduleId !== null && !this.identities.has(identity.deviceId)) throw new RangeError(`there is no device "${identity.deviceId}"`);
    this.add(identity);
    return identity.connectionString(this.hostName ?? this.name);
  }

  newTwin(id) {
    const identity = this.need(id);
    const { modelId, desiredChanged } = identity.twin;
    identity.twin = Object.assign(new Twin(), { modelId, desiredChanged });
  }

  // Puts filters into the stored MQTT session of a client that is not connected, as if it had subscribed to them.
  setSession(id, filters) {
    const identity = this.need(id);
    if (identity.connection) throw new RangeError(`${id} is connected`);
    identity.session = { filters: new Map(filters.map((filter) => [filter, 1])), nextPacketId: 0, underWay: new Map() };
  }

  // Sends any PUBLISH to a connected client: what the real hub never would.
  publishRaw(id, packet) {
    const { connection } = this.need(id);
    if (!connection?.publishRaw) throw new RangeError(`${id} is not connected`);
    connection.publishRaw(packet);
  }

  closeAll(reason) {
    for (const connection of [...this.connections]) connection.close(reason);
  }

  stop() {
    this.closeAll('the hub stops');
    for (const identity of this.identities.values()) this.retire(identity);
    this.feedback.stop();
  }
}

module.exports = { Hub, MESSAGE_SIZE_MAX };
