'use strict';
// SAS tokens: literal vectors, computed with another implementation, and everything that must be refused.

const test = require('node:test');
const assert = require('node:assert');
const { verifySas, sameHost } = require('../auth');

const KEY = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='; // bytes 00..1F
const HUB = 'contoso-hub.azure-devices.net';
const EXPIRY = 1893456000; // 2030-01-01T00:00:00Z
const judge = (token, more = {}) => verifySas(token, {
  hubName: HUB, acceptPort: true, path: ['devices', 'thermo-01'], keys: [KEY], now: EXPIRY - 3600, toleranceS: 0, ...more,
});

const VECTORS = {
  'V1 encoded resource': ['SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fthermo-01&sig=zq8AlUEuNLhxInFygK%2BBbnXGpmcL2zyNynHkHj26%2FA0%3D&se=1893456000'],
  'V2 raw resource': ['SharedAccessSignature sr=contoso-hub.azure-devices.net/devices/thermo-01&sig=WSLBKbBVOChuDZR0uQPx3ZuGX3yUvob%2BliusodgsLKA%3D&se=1893456000'],
  'V3 lower-case escapes': ['SharedAccessSignature sr=contoso-hub.azure-devices.net%2fdevices%2fthermo-01&sig=OQftkGquRCDZGWv6%2faHxyG1zmLrMtvev1PbgzH5HmbM%3d&se=1893456000'],
  'V4 module': ['SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fedge-07%2Fmodules%2Ffilter&sig=XErGmhigJAgvsSqnRJvdYWTxZgVe5Migt8dQqadYGAE%3D&se=1893456000', ['devices', 'edge-07', 'modules', 'filter']],
  'V5 id with special characters': ['SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fdev%2B1%40x&sig=JHwwqB8CMZZeYm%2FQTFs8glW5c2SzptswcfOPXx2Idcs%3D&se=1893456000', ['devices', 'dev+1@x']],
};
const [V1] = VECTORS['V1 encoded resource'];

for (const [name, [token, path = ['devices', 'thermo-01']]] of Object.entries(VECTORS)) {
  test(`${name} verifies`, () => assert.deepStrictEqual(judge(token, { path }).ok, true));
  test(`${name} with one changed signature character is refused`, () => {
    const at = token.indexOf('sig=') + 4;
    const wrong = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    assert.match(judge(wrong, { path }).reason, /signature does not match/);
  });
}

test('fields may come in any order', () => {
  const [, fields] = V1.split(' ');
  assert.strictEqual(judge(`SharedAccessSignature ${fields.split('&').reverse().join('&')}`).ok, true);
});

test('the secondary key is as good as the primary', () => assert.strictEqual(judge(V1, { keys: ['AAAA', KEY] }).ok, true));

test('a token ends at its second of expiry, tolerance added', () => {
  assert.strictEqual(judge(V1, { now: EXPIRY - 0.5 }).ok, true);
  assert.match(judge(V1, { now: EXPIRY }).reason, /expired/);
  assert.strictEqual(judge(V1, { now: EXPIRY + 59, toleranceS: 60 }).ok, true);
  assert.match(judge(V1, { now: EXPIRY + 60, toleranceS: 60 }).reason, /expired 60 s ago/);
});

test('a token covers its device and what is below, by path segment', () => {
  assert.strictEqual(judge(V1, { path: ['devices', 'thermo-01', 'modules', 'm'] }).ok, true);
  assert.match(judge(V1, { path: ['devices', 'thermo-011'] }).reason, /not for "devices\/thermo-011"/);
  assert.match(judge(V1, { path: ['devices', 'Thermo-01'] }).reason, /not for/);
});

test('another hub is refused; host names ignore case', () => {
  assert.match(judge(V1, { hubName: 'other.azure-devices.net' }).reason, /names the hub/);
  assert.strictEqual(judge(V1, { hubName: HUB.toUpperCase() }).ok, true);
});

test('a token for the hub as a whole needs a policy', () => {
  const crypto = require('crypto');
  const signature = encodeURIComponent(crypto.createHmac('sha256', Buffer.from(KEY, 'base64')).update(`${HUB}\n${EXPIRY}`).digest('base64'));
  const token = `SharedAccessSignature sr=${HUB}&sig=${signature}&se=${EXPIRY}`;
  assert.match(judge(token).reason, /names no device/);
  assert.strictEqual(judge(`${token}&skn=device`, { policies: new Map([['device', KEY]]), keys: [] }).ok, true);
  assert.match(judge(`${token}&skn=device`).reason, /policy "device"/);
});

test('what is no token is refused with the reason', () => {
  assert.match(judge('secret').reason, /not a SAS token/);
  assert.match(judge(V1.replace(/&se=.*/, '')).reason, /"se" is missing/);
  assert.match(judge(V1.replace(/se=\d+/, 'se=soon')).reason, /"se" is not/);
  assert.match(judge(`${V1}&se=1`).reason, /appears twice/);
  assert.match(judge(V1.replace('sig=', 'sig=%')).reason, /"sig" is not/);
  assert.match(judge(V1.replace('%2Fdevices', '%2devices')).reason, /escape|names/);
});

test('a port and the device endpoint of a hub name', () => {
  assert.strictEqual(sameHost('LOCALHOST:8883', 'localhost', true), true);
  assert.strictEqual(sameHost('localhost:8883', 'localhost', false), false);
  assert.strictEqual(sameHost('contoso.device.azure-devices.net', 'contoso.azure-devices.net', true), true);
});
