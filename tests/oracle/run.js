#!/usr/bin/env node
'use strict';
// Drives device clients and Microsoft's service client against the local hub, and prints one table.
//
//     node run.js                    Microsoft's device client
//     node run.js --device PROGRAM   and ours, a program that speaks the line protocol of README.md
//     node run.js --record           what Microsoft's client sent, and what it was answered, into recorded/
//     node run.js --only TEXT        cases whose name contains TEXT

const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync } = require('child_process');
const { LocalHub, EMULATOR } = require('./hub');

for (const [name, folder] of [['azure-iothub', __dirname], ['mqtt-packet', path.dirname(EMULATOR)]]) {
  if (!fs.existsSync(path.join(folder, 'node_modules', name))) {
    process.stderr.write(`oracle: "${name}" is not installed; run: npm ci --prefix ${path.relative(process.cwd(), folder) || '.'}\n`);
    process.exit(2);
  }
}

const { CASES, SERVICE_CASES } = require('./cases');
const { microsoftDevice, ourDevice, microsoftService, Unsupported } = require('./programs');
const { recordingOf, writeRecording, replayAll } = require('./replay');

const CASE_TIMEOUT_MS = 20000;
const TRANSPORTS = ['mqtt', 'mqttws'];
const SERVICE_TRANSPORTS = { mqtt: 'Amqp', mqttws: 'AmqpWs' };

// Bytes 00..1F, so that a recorded token can be checked by whoever reads it.
const TEST_KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64');

function parseArguments(words) {
  const options = { record: false, program: process.env.ORACLE_DEVICE || undefined, only: '' };
  while (words.length > 0) {
    const word = words.shift();
    if (word === '--record') options.record = true;
    else if ((word === '--device' || word === '--only') && words.length > 0) options[word === '--device' ? 'program' : 'only'] = words.shift();
    else throw new RangeError(`"${word}" is not --record, --device PROGRAM or --only TEXT`);
  }
  if (options.program !== undefined && !fs.existsSync(options.program)) throw new RangeError(`there is no program "${options.program}"`);
  return options;
}

function makeCertificate(directory, id, ...options) {
  return JSON.parse(execFileSync(process.execPath, [EMULATOR, '--json', '--make-cert', directory, id, ...options]));
}

// The hub, certificates, and what the trials need to know of them.
async function prepare(directory) {
  const thumbprint = makeCertificate(directory, 'telemetry-x509-thumbprint');
  const ca = makeCertificate(directory, 'telemetry-x509-ca', '--make-cert-ca', '--make-cert-key', 'rsa');
  const hub = new LocalHub(['--policy', `iothubowner=${TEST_KEY}`, '--client-ca', ca.ca, '--switch', 'feedback-delay=0', '--state', path.join(directory, 'hub')]);
  const ready = await hub.waitFor({ event: 'ready' });
  return { hub, ca: ready.ca, otherCa: thumbprint.certificate, port: ready.port, service: ready.service, certificates: { thumbprint, ca } };
}

// How the device of a case is written for the command "add".
function describe(name, login, certificates) {
  if (login === 'thumbprint') return `${name},thumbprint=${certificates.thumbprint.sha256}`;
  return login === 'ca' ? `${name},ca` : `${name},key=${TEST_KEY}`;
}

// One case with one client over one transport.
class Trial {
  constructor(context, { name, device, service, transport }) {
    Object.assign(this, { ...context, name, device, service, transport, test: CASES[name], steps: [] });
    this.start = this.hub.events.length;
    this.setup = [`add ${describe(name, this.test.login, this.certificates)}`, ...(this.test.module ? [`add ${name}/m,key=${TEST_KEY}`] : [])];
    this.id = this.test.module ? `${name}/m` : name;
  }

  now() { return this.hub.events.length; }

  // ---- The device

  connection({ id = this.id, key = TEST_KEY, host = 'localhost' }) {
    const [device, module] = id.split('/');
    const secret = this.test.login ? 'x509=true' : `SharedAccessKey=${key}`;
    return `HostName=${host};DeviceId=${device}${module === undefined ? '' : `;ModuleId=${module}`};${secret}`;
  }

  async open({ id, key, host, credentials = this.certificates[this.test.login], ca = this.ca, ...more } = {}) {
    const login = credentials ? { cert: credentials.certificate, key: credentials.key } : {};
    await this.device.ask('open', { connection: this.connection({ id, key, host }), ca, port: this.port, transport: this.transport, ...login, ...more });
  }

  async close() {
    const since = this.now();
    await this.device.ask('close');
    const end = await this.event({ event: 'disconnect' }, since);
    assertEqual(end.disconnectReceived, true, 'DISCONNECT before the end');
  }

  // Microsoft's client acknowledges by itself.
  async settle(how, message) {
    try {
      await this.device.ask('settle', { message: message.message, how });
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
    }
  }

  // ---- The hub and the service; each step is kept for the recording

  // The first event of this identity with these fields.
  async event(fields, since = this.start, matches = () => true) {
    const found = await this.hub.waitFor({ identity: this.id, ...fields }, since);
    return matches(found) ? found : this.event(fields, this.hub.events.indexOf(found) + 1, matches);
  }

  // A client that answers before its SUBACK has come is not ready yet.
  async subscribed(word) { await this.event({ event: 'subscribe' }, this.start, ({ filters }) => filters.some(({ filter }) => filter.includes(word))); }

  events(fields) {
    return this.hub.events.slice(this.start).filter((event) => Object.entries(fields).every(([name, value]) => event[name] === value));
  }

  step(line) { this.steps.push({ at: this.now(), line }); }

  async control(line) {
    this.step(line);
    return this.hub.command(line);
  }

  async c2d({ text, ...fields }) {
    this.step(`c2d ${this.id} ${JSON.stringify({ body: text, ...fields })}`);
    await this.service.call('send', this.id, { text, ...fields });
  }

  async desired(patch) {
    this.step(`desired ${this.id} ${JSON.stringify(patch)}`);
    await this.service.call('updateTwin', this.id, { properties: { desired: patch } });
  }

  method(params) {
    const { methodName, payload } = params;
    this.step(`method ${this.id} ${methodName} ${JSON.stringify(payload === undefined ? {} : { json: payload })}`);
    return this.service.call('method', this.id, params);
  }

  async run() {
    for (const line of this.setup) await this.hub.command(line);
    try {
      await this.test.work(this);
    } finally {
      await this.hub.command(`remove ${this.name}`);
    }
  }
}

function assertEqual(found, wanted, what) {
  if (found !== wanted) throw new Error(`${what}: ${found} instead of ${wanted}`);
}

function timeout(ms) {
  let timer;
  const promise = new Promise((resolve, reject) => { timer = setTimeout(() => reject(new Error(`not finished after ${ms / 1000} s`)), ms); });
  return { promise, stop: () => clearTimeout(timer) };
}

// 'passed', 'documents' (the client cannot do it; only documents say what should happen), or the error.
async function outcomeOf(work) {
  const limit = timeout(CASE_TIMEOUT_MS);
  try {
    await Promise.race([work, limit.promise]);
    return 'passed';
  } catch (error) {
    return error instanceof Unsupported ? 'documents' : error;
  } finally {
    limit.stop();
  }
}

// All cases with one client over one transport; a program whose case failed is started anew.
async function runClient(context, { start, service, transport, only, mayLack, taken = () => {} }) {
  const results = {};
  let device = null;
  for (const [name, test] of Object.entries(CASES)) {
    if ((test.only !== undefined && test.only !== transport) || !name.includes(only)) continue;
    device = device ?? start();
    await context.hub.settle();
    const trial = new Trial(context, { name, device, service, transport });
    const result = await outcomeOf(trial.run());
    results[name] = result === 'documents' && !mayLack ? new Error('the program says that it cannot do this') : result;
    taken(name, trial, results[name]);
    if (results[name] === 'passed') continue;
    await device.end();
    device = null;
  }
  if (device) await device.end();
  return results;
}

async function runService(context, service, transport) {
  const results = {};
  let count = 0;
  for (const [sentence, work] of Object.entries(SERVICE_CASES)) {
    count += 1;
    results[sentence] = await outcomeOf(work({ service, name: `service-${transport}-${count}` }));
  }
  return results;
}

// ---- The table

const WORDS = { passed: 'passed', documents: 'documents' };
const cell = (result) => (result === undefined ? '-' : WORDS[result] ?? 'FAILED');

function printTable(columns, rows) {
  const width = Math.max(...rows.map(([sentence]) => sentence.length), 4);
  const line = (first, cells) => `${first.padEnd(width)} | ${cells.map((text, i) => text.padEnd(columns[i].length)).join(' | ')}\n`;
  process.stdout.write(line('case', columns));
  process.stdout.write(`${'-'.repeat(width)}-|-${columns.map((column) => '-'.repeat(column.length)).join('-|-')}\n`);
  for (const [sentence, results] of rows) process.stdout.write(line(sentence, results.map(cell)));
  for (const [sentence, results] of rows) {
    for (const [i, result] of results.entries()) if (result instanceof Error) process.stdout.write(`FAILED  ${sentence} (${columns[i]}): ${result.message.split('\n').slice(0, 12).join('\n        ')}\n`);
  }
}

function sums(rows) {
  const all = rows.flatMap(([, results]) => results);
  return { passed: all.filter((each) => each === 'passed').length, documents: all.filter((each) => each === 'documents').length, failed: all.filter((each) => each instanceof Error).length };
}

async function main() {
  const options = parseArguments(process.argv.slice(2));
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'iothub-oracle-'));
  process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
  const context = await prepare(directory);
  const recordings = {};
  const clients = [['Microsoft\'s', microsoftDevice], ['ours', options.program && (() => ourDevice(options.program))]];
  const columns = clients.flatMap(([who]) => TRANSPORTS.map((transport) => `${who} ${transport === 'mqtt' ? 'MQTT' : 'WebSocket'}`));
  const results = [];
  const services = [];
  for (const [who, start] of clients) {
    for (const transport of TRANSPORTS) {
      if (!start) { results.push({}); continue; }
      const service = microsoftService({ ...context, connection: context.service, transport: SERVICE_TRANSPORTS[transport] });
      await service.call('open');
      await service.call('feedback');
      const isReference = who !== 'ours' && transport === 'mqtt';
      const taken = (name, trial, result) => { if (isReference && result === 'passed' && !trial.test.unrecorded) recordings[name] = recordingOf(trial); };
      results.push(await runClient(context, { start, service, transport, only: options.only, mayLack: who !== 'ours', taken }));
      if (who !== 'ours') services.push(options.only === '' ? await runService(context, service, transport) : {});
      await service.call('close');
      await service.end();
    }
  }
  await context.hub.stop();
  const rows = Object.entries(CASES).filter(([name]) => name.includes(options.only)).map(([name, { sentence }]) => [sentence, results.map((each) => each[name])]);
  const serviceRows = Object.keys(SERVICE_CASES).map((sentence) => [sentence, services.map((each) => each[sentence])]).filter(([, cells]) => cells.some(Boolean));
  printTable(columns, rows);
  process.stdout.write('\n');
  printTable(['AMQP, HTTPS', 'AMQP over WebSocket'], serviceRows);

  if (options.record) for (const [name, recording] of Object.entries(recordings)) writeRecording(name, recording);
  const hub = () => prepare(directory);
  const replayed = await replayAll({ prepare: hub, names: options.only, key: TEST_KEY });
  process.stdout.write('\n');
  printTable(['replayed'], replayed);

  const counts = sums([...rows, ...serviceRows, ...replayed]);
  process.stdout.write(`\n"documents": this client cannot do it, so only documents say what should happen (${counts.documents}).\n`);
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  process.exit(counts.failed > 0 ? 1 : 0);
}

main().catch((error) => {
  process.stderr.write(`oracle: ${error instanceof RangeError ? error.message : error.stack}\n`);
  process.exit(2);
});
