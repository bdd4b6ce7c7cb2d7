'use strict';
// The hub itself: identities, who is connected, what telemetry came in. It knows no protocol.

const { verifySas, verifyCertificate, sameHost } = require('./auth');
const { checkKey } = require('./identities');

// IoT Hub: 256 KB, counting body, system property values, application property names and values.
const MESSAGE_SIZE_MAX = 262144;

const nowSeconds = () => Date.now() / 1000;

function messageSize({ body, system, properties }) {
  const length = (text) => Buffer.byteLength(text ?? '');
  const systemSize = Object.values(system).reduce((sum, value) => sum + length(value), 0);
  const propertySize = Object.entries(properties).reduce((sum, [name, value]) => sum + length(name) + length(value), 0);
  return body.length + systemSize + propertySize;
}

class Hub {
  // `report` takes every event; see report.js for what they look like.
  constructor({ name, faults, switches, report, policies = new Map() }) {
    Object.assign(this, { name, faults, switches, report, policies });
    this.identities = new Map();
    this.connections = new Set();
    this.connectionCount = 0;
    this.expiredSignatures = new Set(); // tokens that the fault expire-tokens=now ended
    faults.on('change', (fault, value) => { if (fault === 'expire-tokens' && value === 'now') this.expireTokens(); });
  }

  add(identity) { this.identities.set(identity.id, identity); }

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
  }

  detach(identity, connection) {
    if (identity.connection === connection) identity.connection = null;
  }

  // `origin` is { connection, qos, dup, packetId }, whatever the protocol knows. Answers false for a message over the limit.
  takeTelemetry(identity, message, origin) {
    if (messageSize(message) > MESSAGE_SIZE_MAX) return false;
    identity.messages += 1;
    const text = message.body.toString('utf8');
    const isText = Buffer.from(text, 'utf8').equals(message.body);
    this.report({
      event: 'telemetry', identity: identity.id, sequence: identity.messages, body: message.body.toString('base64'),
      ...(isText ? { text } : {}), system: message.system, properties: message.properties, ...origin,
    });
    return true;
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

  closeAll(reason) {
    for (const connection of [...this.connections]) connection.close(reason);
  }
}

module.exports = { Hub, MESSAGE_SIZE_MAX };
