'use strict';
// Who may come in: SAS tokens and X.509 certificates. Pure judgement, no protocol and no state.
// Every function answers either { ok: true, ... } or { ok: false, reason } with a reason a person can act on.

const crypto = require('crypto');

const refuse = (reason) => ({ ok: false, reason });

// Host names are case-insensitive. Some SDKs put the port of their connection string into user name and token;
// `acceptPort` says whether "name:8883" counts as "name". The hub answers to its device endpoint
// ("name.device.azure-devices.net") as well as to its classic name.
function sameHost(given, hubName, acceptPort) {
  const plain = (name) => name.toLowerCase().replace('.device.azure-devices.net', '.azure-devices.net');
  const host = acceptPort ? given.replace(/:\d{1,5}$/, '') : given;
  return plain(host) === plain(hubName);
}

// Strict base64: Buffer.from() would silently skip what it does not know.
function decodeBase64(text) {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
  return Buffer.from(text, 'base64');
}

function percentDecode(text) {
  try { return decodeURIComponent(text); } catch (error) { return null; }
}

// "SharedAccessSignature sr=...&sig=...&se=...[&skn=...]"; the fields come in any order.
function parseSasToken(token) {
  const prefix = 'SharedAccessSignature ';
  if (!token.startsWith(prefix)) return refuse('the password is not a SAS token (it does not begin with "SharedAccessSignature ")');
  const fields = new Map();
  for (const field of token.slice(prefix.length).split('&')) {
    const equals = field.indexOf('=');
    if (equals < 0) return refuse(`SAS token: field "${field}" has no "="`);
    const name = field.slice(0, equals);
    if (fields.has(name)) return refuse(`SAS token: field "${name}" appears twice`);
    fields.set(name, field.slice(equals + 1));
  }
  for (const name of ['sr', 'sig', 'se']) if (!fields.get(name)) return refuse(`SAS token: field "${name}" is missing`);
  if (!/^\d{1,15}$/.test(fields.get('se'))) return refuse('SAS token: "se" is not a decimal count of seconds');
  const signature = decodeBase64(percentDecode(fields.get('sig')) ?? '!');
  if (!signature) return refuse('SAS token: "sig" is not percent-encoded base64');
  const policy = fields.has('skn') ? percentDecode(fields.get('skn')) : null;
  return { ok: true, resource: fields.get('sr'), expiry: Number(fields.get('se')), expiryText: fields.get('se'), signature, policy };
}

// IoT Hub signs the text of `sr` as it was received, whatever its escapes, and one LF between it and `se`.
function sign(key, resource, expiryText) {
  return crypto.createHmac('sha256', key).update(`${resource}\n${expiryText}`).digest();
}

// A token for ".../devices/a" covers ".../devices/a/modules/m" but not ".../devices/ab": compare by path segment.
// A hub policy may cover the whole hub (only the host name); a device key must name its device.
function coversResource(resource, { hubName, acceptPort, path, wholeHubAllowed }) {
  const decoded = percentDecode(resource);
  if (decoded === null) return refuse('SAS token: "sr" has a broken percent escape');
  const [host, ...segments] = decoded.split('/');
  if (!sameHost(host, hubName, acceptPort)) return refuse(`SAS token: "sr" names the hub "${host}", but this hub is "${hubName}"`);
  if (segments.length < 2 && !(wholeHubAllowed && segments.length === 0)) return refuse('SAS token: "sr" names no device');
  const covered = segments.length <= path.length && segments.every((segment, i) => segment === path[i]);
  return covered ? { ok: true } : refuse(`SAS token: "sr" is for "${segments.join('/')}", not for "${path.join('/')}"`);
}

// `path` is the resource below the hub, e.g. ['devices', 'd', 'modules', 'm']. `keys` are base64.
// `policies` is a Map of hub policy name -> base64 key, used when the token has `skn`.
function verifySas(token, { hubName, acceptPort, path, keys, policies = new Map(), now, toleranceS }) {
  const parsed = parseSasToken(token);
  if (!parsed.ok) return parsed;
  const byPolicy = parsed.policy !== null && parsed.policy !== '';
  if (byPolicy && !policies.has(parsed.policy)) return refuse(`SAS token: "skn" names the policy "${parsed.policy}", which this hub does not have`);
  const scope = coversResource(parsed.resource, { hubName, acceptPort, path, wholeHubAllowed: byPolicy });
  if (!scope.ok) return scope;
  if (parsed.expiry + toleranceS <= now) {
    return refuse(`SAS token: expired ${Math.round(now - parsed.expiry)} s ago (is the device's clock right?)`);
  }
  const candidates = byPolicy ? [policies.get(parsed.policy)] : keys;
  const signedByOne = candidates.some((key) => sign(Buffer.from(key, 'base64'), parsed.resource, parsed.expiryText).equals(parsed.signature));
  if (!signedByOne) return refuse('SAS token: the signature does not match (wrong key, or not over the literal "sr" text)');
  return { ok: true, expiry: parsed.expiry, signature: parsed.signature.toString('base64') };
}

const normalThumbprint = (text) => text.replace(/:/g, '').toUpperCase();

function thumbprints(der) {
  const hash = (name) => crypto.createHash(name).update(der).digest('hex').toUpperCase();
  return { sha1: hash('sha1'), sha256: hash('sha256') };
}

// `peer` is what TLS saw: { der, commonName, chainTrusted }, or null when the client sent no certificate.
// IoT Hub matches a self-signed certificate by thumbprint; a CA-signed one by its chain and its leaf's CN,
// which is the device id, or "device/module".
function verifyCertificate(peer, identity) {
  if (!peer) return refuse(`${identity.id} logs in with X.509, but the client sent no certificate`);
  if (identity.auth.type === 'thumbprint') {
    const { sha1, sha256 } = thumbprints(peer.der);
    const known = identity.auth.thumbprints.map(normalThumbprint);
    return known.includes(sha1) || known.includes(sha256) ? { ok: true } : refuse(`certificate thumbprint ${sha1} is not one of ${identity.id}'s`);
  }
  if (!peer.chainTrusted) return refuse('the client certificate does not chain up to the CA given by --client-ca');
  return peer.commonName === identity.id ? { ok: true } : refuse(`the certificate's CN is "${peer.commonName}", not "${identity.id}"`);
}

module.exports = { sameHost, decodeBase64, parseSasToken, sign, verifySas, thumbprints, normalThumbprint, verifyCertificate };
