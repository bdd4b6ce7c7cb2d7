'use strict';
// Devices and modules: how they are written on the command line or in a file, and how they log in.

const crypto = require('crypto');
const { decodeBase64 } = require('./auth');
const { Twin } = require('./twin');

// What IoT Hub allows in a device or module id, old and new documents together. No "/": it separates device and module.
const ID = /^[A-Za-z0-9\-.+%_#*?!(),:=@$']{1,128}$/;

class Identity {
  // `auth` is { type: 'sas', keys: [base64] }, { type: 'thumbprint', thumbprints: [hex] } or { type: 'ca' }.
  constructor({ id, auth, enabled = true }) {
    [this.deviceId, this.moduleId = null] = id.split('/');
    this.id = id;
    this.auth = auth;
    this.enabled = enabled;
    this.messages = 0; // telemetry taken so far
    this.session = null; // what MQTT keeps for a client with clean session 0
    this.connection = null; // the one live connection
    this.twin = new Twin();
    this.mailbox = null; // set by the hub, as are `calls`
    this.calls = null;
    this.registry = { generationId: String(Date.now()), etag: newEtag(), statusReason: null, edge: false, statusUpdated: null, connectionUpdated: null, lastActivity: null };
  }

  get resourcePath() {
    return this.moduleId === null ? ['devices', this.deviceId] : ['devices', this.deviceId, 'modules', this.moduleId];
  }

  connectionString(hostName) {
    const module = this.moduleId === null ? '' : `;ModuleId=${this.moduleId}`;
    const secret = this.auth.type === 'sas' ? `SharedAccessKey=${this.auth.keys[0]}` : 'x509=true';
    return `HostName=${hostName};DeviceId=${this.deviceId}${module};${secret}`;
  }
}

const newEtag = () => crypto.randomBytes(6).toString('base64');

const randomKey = () => crypto.randomBytes(32).toString('base64');

function checkId(id, isModule) {
  const parts = id.split('/');
  const wanted = isModule ? 2 : 1;
  if (parts.length !== wanted || !parts.every((part) => ID.test(part))) {
    throw new RangeError(`"${id}" is not a ${isModule ? 'module id (DEVICE/MODULE)' : 'device id'}: 1 to 128 characters of letters, digits and -.+%_#*?!(),:=@$'`);
  }
}

function checkKey(id, key) {
  const bytes = decodeBase64(key);
  if (!bytes || bytes.length === 0) throw new RangeError(`the key of ${id} is not base64`);
}

function checkThumbprint(id, thumbprint) {
  const hex = thumbprint.replace(/:/g, '');
  if (!/^(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/.test(hex)) throw new RangeError(`the thumbprint of ${id} is not the hex of SHA-1 (40 digits) or SHA-256 (64 digits)`);
}

// `description` is { id, key | keys | thumbprint | thumbprints | ca, disabled }, as in a --devices file.
// `keyFor(id)` gives a key where none is written.
function makeIdentity(description, keyFor = randomKey) {
  const { id, disabled = false } = description;
  if (typeof id !== 'string') throw new RangeError('an identity needs an "id"');
  checkId(id, id.includes('/'));
  return new Identity({ id, enabled: !disabled, auth: makeAuth(description, keyFor) });
}

function makeAuth({ id, key, keys, thumbprint, thumbprints, ca }, keyFor) {
  const allThumbprints = thumbprints ?? (thumbprint === undefined ? [] : [thumbprint]);
  const allKeys = keys ?? (key === undefined ? [] : [key]);
  const ways = (allThumbprints.length > 0) + (allKeys.length > 0) + (ca === true);
  if (ways > 1) throw new RangeError(`${id} can have one of key, thumbprint and ca`);
  allThumbprints.forEach((each) => checkThumbprint(id, each));
  allKeys.forEach((each) => checkKey(id, each));
  if (ca === true) return { type: 'ca' };
  if (allThumbprints.length > 0) return { type: 'thumbprint', thumbprints: allThumbprints };
  return { type: 'sas', keys: allKeys.length > 0 ? allKeys : [keyFor(id)] };
}

// The command line's form: "ID", "ID,key=BASE64", "ID,thumbprint=HEX", "ID,ca", each with an optional ",disabled".
// An id with a comma in it needs a --devices file.
function describeFromText(text) {
  const [id, ...settings] = text.split(',');
  const description = { id };
  for (const setting of settings) {
    const equals = setting.indexOf('=');
    const name = equals < 0 ? setting : setting.slice(0, equals);
    const value = equals < 0 ? undefined : setting.slice(equals + 1);
    if (equals < 0 && (name === 'ca' || name === 'disabled')) description[name] = true;
    else if (value && (name === 'key' || name === 'thumbprint')) description[name] = value;
    else throw new RangeError(`"${setting}" after ${id} is none of key=BASE64, thumbprint=HEX, ca, disabled`);
  }
  return description;
}

function describeFromOption(text, isModule) {
  const description = describeFromText(text);
  checkId(description.id, isModule);
  return description;
}

module.exports = { Identity, makeIdentity, describeFromOption, randomKey, newEtag, checkId, checkKey, checkThumbprint };
