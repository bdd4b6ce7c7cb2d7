#!/usr/bin/env node
'use strict';
// Drives Microsoft's device client against the local hub. One line per case; exit code 1 when one failed.
// With --record, what the client sent is written to recorded/CASE.jsonl.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync } = require('child_process');
const { LocalHub, EMULATOR } = require('./hub');

for (const [name, folder] of [['azure-iot-device', __dirname], ['mqtt-packet', path.dirname(EMULATOR)]]) {
  if (!fs.existsSync(path.join(folder, 'node_modules', name))) {
    process.stderr.write(`oracle: "${name}" is not installed; run: npm ci --prefix ${path.relative(process.cwd(), folder) || '.'}\n`);
    process.exit(2);
  }
}

const { CASES } = require('./cases');

const RECORDED = path.join(__dirname, 'recorded');
const CASE_TIMEOUT_MS = 20000;
const RECORDED_HEX_MAX = 8192;

// Bytes 00..1F, so that a recorded token can be checked by whoever reads it.
const TEST_KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64');

const PACKET_NAMES = { 1: 'CONNECT', 3: 'PUBLISH', 4: 'PUBACK', 8: 'SUBSCRIBE', 10: 'UNSUBSCRIBE', 12: 'PINGREQ', 14: 'DISCONNECT' };

function makeCertificate(directory, id, ...options) {
  const made = JSON.parse(execFileSync(process.execPath, [EMULATOR, '--json', '--make-cert', directory, id, ...options]));
  return { ...made, login: { cert: fs.readFileSync(made.certificate, 'utf8'), key: fs.readFileSync(made.key, 'utf8') } };
}

async function prepare(directory) {
  const selfSigned = makeCertificate(directory, 'self-signed');
  const caSigned = makeCertificate(directory, 'ca-signed', '--make-cert-ca', '--make-cert-key', 'rsa');
  const hub = new LocalHub([
    '--device', `thermo-01,key=${TEST_KEY}`, '--device', `retired,key=${TEST_KEY},disabled`,
    '--device', `self-signed,thumbprint=${selfSigned.sha256}`, '--device', 'ca-signed,ca', '--client-ca', caSigned.ca,
    '--module', `edge-07/filter,key=${TEST_KEY}`,
  ]);
  const ready = await hub.waitFor({ event: 'ready' });
  return {
    hub,
    ca: fs.readFileSync(ready.ca, 'utf8'),
    connectionStrings: ready.connectionStrings,
    credentials: { 'self-signed': selfSigned.login, 'ca-signed': caSigned.login },
  };
}

const timeout = (ms) => new Promise((resolve, reject) => { setTimeout(() => reject(new Error(`not finished after ${ms / 1000} s`)), ms).unref(); });

async function runCase(context, name) {
  const [sentence, body] = CASES[name];
  try {
    await Promise.race([body(context), timeout(CASE_TIMEOUT_MS)]);
    process.stdout.write(`passed  ${sentence}\n`);
    return true;
  } catch (error) {
    process.stdout.write(`FAILED  ${sentence}: ${error.message}\n`);
    return false;
  }
}

// Connections are counted from 1 in each file. A case with a huge packet proves a limit and is no use as a recording.
function record(name, events) {
  const packets = events.filter((event) => event.event === 'packet' && event.direction === 'in');
  if (packets.length === 0 || packets.some(({ hex }) => hex.length > RECORDED_HEX_MAX)) return;
  const lines = packets.map(({ connection, hex }) => JSON.stringify({ connection: connection - packets[0].connection + 1, packet: PACKET_NAMES[parseInt(hex[0], 16)], hex }));
  fs.writeFileSync(path.join(RECORDED, `${name}.jsonl`), `${lines.join('\n')}\n`);
}

async function main() {
  const recording = process.argv.includes('--record');
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'iothub-oracle-'));
  const context = await prepare(directory);
  if (recording) fs.mkdirSync(RECORDED, { recursive: true });
  const counts = { passed: 0, failed: 0 };
  for (const name of Object.keys(CASES)) {
    const since = context.hub.events.length;
    counts[await runCase(context, name) ? 'passed' : 'failed'] += 1;
    if (recording) record(name, context.hub.events.slice(since));
  }
  await context.hub.stop();
  fs.rmSync(directory, { recursive: true, force: true });
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  process.exit(counts.failed > 0 ? 1 : 0);
}

main().catch((error) => {
  process.stderr.write(`oracle: ${error.message}\n`);
  process.exit(2);
});
