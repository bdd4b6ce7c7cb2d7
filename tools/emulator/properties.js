'use strict';
// The property bag at the end of an MQTT topic: "%24.ct=application%2Fjson&room=lab%201".

// System properties travel as "$.xx"; the hub's other interfaces know them under these names.
const SYSTEM_NAMES = {
  mid: 'message-id',
  cid: 'correlation-id',
  uid: 'user-id',
  to: 'to',
  ct: 'content-type',
  ce: 'content-encoding',
  exp: 'absolute-expiry-time',
  ctime: 'creation-time',
  on: 'output-name',
  sub: 'dt-subject',
  ifid: 'interface-id',
  diagid: 'diagnostic-id',
  diagctx: 'diagnostic-context',
  tracestate: 'tracestate',
  cdid: 'connection-device-id',
  cmid: 'connection-module-id',
};
const SHORT_NAMES = Object.fromEntries(Object.entries(SYSTEM_NAMES).map(([short, name]) => [name, short]));

// A broken escape, or bytes that are not UTF-8, stay as they are: the hub does not lose a message over them.
function percentDecode(text) {
  const pieces = [];
  for (let at = 0; at < text.length;) {
    const escape = /^%([0-9A-Fa-f]{2})/.exec(text.slice(at, at + 3));
    const char = escape ? Buffer.from(escape[1], 'hex') : Buffer.from(String.fromCodePoint(text.codePointAt(at)), 'utf8');
    pieces.push(char);
    at += escape ? 3 : (text.codePointAt(at) > 0xffff ? 2 : 1);
  }
  const bytes = Buffer.concat(pieces);
  const decoded = bytes.toString('utf8');
  return Buffer.from(decoded, 'utf8').equals(bytes) ? decoded : text;
}

// Some clients put a "?" before the bag or a "/" behind it; neither belongs to it.
function parseBag(text) {
  const bag = text.replace(/^\?/, '').replace(/\/$/, '');
  const system = {};
  const properties = {};
  for (const part of bag.split('&').filter((each) => each !== '')) {
    const equals = part.indexOf('=');
    const name = percentDecode(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? null : percentDecode(part.slice(equals + 1));
    const [into, key] = name.startsWith('$.') ? [system, systemName(name)] : [properties, name];
    Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true }); // also for "__proto__"
  }
  return { system, properties };
}

const systemName = (name) => (Object.hasOwn(SYSTEM_NAMES, name.slice(2)) ? SYSTEM_NAMES[name.slice(2)] : name);

// Half a surrogate pair cannot be encoded; it becomes U+FFFD, as everywhere in UTF-8.
const percentEncode = (text) => encodeURIComponent(Buffer.from(text).toString()).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

// The other way round: system properties first, then those of the application. `null` stands without "=".
function writeBag(system, properties) {
  const pair = (name, value) => (value === null ? name : `${name}=${percentEncode(value)}`);
  return [
    ...Object.entries(system).map(([name, value]) => pair(`%24.${SHORT_NAMES[name] ?? name.replace(/^\$\./, '')}`, value)),
    ...Object.entries(properties).map(([name, value]) => pair(percentEncode(name), value)),
  ].join('&');
}

module.exports = { parseBag, writeBag, percentDecode, SYSTEM_NAMES };
