'use strict';
// Certificates: the hub's own root -> intermediate -> server chain, and device certificates for tests.
// Node makes the keys; the `openssl` program signs, because Node cannot write certificates.

const fs = require('fs');
const os = require('os');
const path = require('path');
const crypto = require('crypto');
const { execFileSync } = require('child_process');
const { thumbprints } = require('./auth');

// What --server-key offers: key pair of every certificate in the chain, and the digest that signs them.
const KEY_KINDS = {
  ec: { type: 'ec', options: { namedCurve: 'P-256' }, digest: 'sha256' },
  rsa: { type: 'rsa', options: { modulusLength: 2048 }, digest: 'sha256' },
  ec384: { type: 'ec', options: { namedCurve: 'P-384' }, digest: 'sha384' },
  rsa384: { type: 'rsa', options: { modulusLength: 2048 }, digest: 'sha384' },
};

const ROOT_DAYS = 3650;
const LEAF_DAYS = 825;

const KEY_IDENTIFIERS = ['subjectKeyIdentifier=hash', 'authorityKeyIdentifier=keyid']; // strict verifiers ask for both
const CA_EXTENSIONS = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign', ...KEY_IDENTIFIERS];
const serverExtensions = (names) => ['basicConstraints=CA:FALSE', 'keyUsage=critical,digitalSignature', 'extendedKeyUsage=serverAuth', ...KEY_IDENTIFIERS, `subjectAltName=${names.map(asAltName).join(',')}`];
const CLIENT_EXTENSIONS = ['basicConstraints=CA:FALSE', 'keyUsage=critical,digitalSignature', 'extendedKeyUsage=clientAuth', ...KEY_IDENTIFIERS];

const asAltName = (name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`);

function openssl(args) {
  try {
    return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error('the program "openssl" is needed to make certificates and was not found');
    throw new Error(`openssl ${args[0]} failed: ${String(error.stderr).trim()}`);
  }
}

function makeKey(kind, file) {
  const { type, options } = KEY_KINDS[kind];
  const { privateKey } = crypto.generateKeyPairSync(type, options);
  fs.writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
}

// Makes `base`.key and `base`.pem. `signer` is the base name of the issuing certificate; without it, self-signed.
function makeCertificate(base, { commonName, kind, extensions, days, signer }) {
  makeKey(kind, `${base}.key`);
  const config = `${base}.cnf`;
  const request = `${base}.csr`;
  const distinguishedName = commonName.replace(/[\\$#"]/g, (c) => `\\${c}`);
  fs.writeFileSync(config, ['[req]', 'prompt=no', 'utf8=yes', 'distinguished_name=dn', '[dn]', `CN=${distinguishedName}`, '[ext]', ...extensions, ''].join('\n'));
  openssl(['req', '-new', '-config', config, '-key', `${base}.key`, '-out', request]);
  const issuer = signer
    ? ['-CA', `${signer}.pem`, '-CAkey', `${signer}.key`]
    : ['-signkey', `${base}.key`];
  openssl(['x509', '-req', '-in', request, ...issuer, '-set_serial', `0x${crypto.randomBytes(8).toString('hex').replace(/^[89a-f]/, '1')}`,
    `-${KEY_KINDS[kind].digest}`, '-days', String(days), '-extfile', config, '-extensions', 'ext', '-out', `${base}.pem`]);
  fs.rmSync(config);
  fs.rmSync(request);
}

function isUsable(base) {
  if (!fs.existsSync(`${base}.pem`) || !fs.existsSync(`${base}.key`)) return false;
  const certificate = new crypto.X509Certificate(fs.readFileSync(`${base}.pem`));
  return Date.parse(certificate.validTo) > Date.now() + 24 * 3600 * 1000;
}

// The chain for the server, made as needed in `directory`. A root that is there is kept, so that clients
// which trust it go on working; the leaf is made anew when the names asked for changed.
function serverChain(directory, { kind, hostNames, newCa }) {
  const at = (name) => path.join(directory, `${name}-${kind}`);
  const [root, intermediate, leaf] = [at('ca'), at('intermediate'), at('server')];
  const names = [...new Set(['localhost', '127.0.0.1', '*.azure-devices.net', ...hostNames])];
  const namesFile = `${leaf}.names`;
  const wantedNames = names.join('\n');
  const rootIsNew = newCa || !isUsable(root);
  if (rootIsNew) makeCertificate(root, { commonName: `IoT Hub emulator root ${crypto.randomBytes(4).toString('hex')}`, kind, extensions: CA_EXTENSIONS, days: ROOT_DAYS });
  const intermediateIsNew = rootIsNew || !isUsable(intermediate);
  if (intermediateIsNew) makeCertificate(intermediate, { commonName: 'IoT Hub emulator intermediate', kind, extensions: CA_EXTENSIONS, days: ROOT_DAYS, signer: root });
  const sameNames = fs.existsSync(namesFile) && fs.readFileSync(namesFile, 'utf8') === wantedNames;
  if (intermediateIsNew || !sameNames || !isUsable(leaf)) {
    makeCertificate(leaf, { commonName: 'localhost', kind, extensions: serverExtensions(names), days: LEAF_DAYS, signer: intermediate });
    fs.writeFileSync(namesFile, wantedNames);
  }
  return {
    caFile: `${root}.pem`,
    cert: Buffer.concat([fs.readFileSync(`${leaf}.pem`), fs.readFileSync(`${intermediate}.pem`)]),
    key: fs.readFileSync(`${leaf}.key`),
  };
}

// A certificate for a device or module ("device/module"): self-signed, or signed by a test CA kept in `directory`.
function deviceCertificate(directory, id, { kind, signedByCa }) {
  fs.mkdirSync(directory, { recursive: true });
  const ca = path.join(directory, 'client-ca');
  if (signedByCa && !isUsable(ca)) makeCertificate(ca, { commonName: 'IoT Hub emulator client CA', kind, extensions: CA_EXTENSIONS, days: ROOT_DAYS });
  const base = path.join(directory, id.replace(/[^A-Za-z0-9._-]/g, '-'));
  makeCertificate(base, { commonName: id, kind, extensions: CLIENT_EXTENSIONS, days: LEAF_DAYS, signer: signedByCa ? ca : undefined });
  const { raw } = new crypto.X509Certificate(fs.readFileSync(`${base}.pem`));
  return { certificate: `${base}.pem`, key: `${base}.key`, ca: signedByCa ? `${ca}.pem` : null, ...thumbprints(raw) };
}

const temporaryDirectory = () => fs.mkdtempSync(path.join(os.tmpdir(), 'iothub-emulator-'));

module.exports = { KEY_KINDS, serverChain, deviceCertificate, temporaryDirectory };
