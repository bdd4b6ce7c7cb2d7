'use strict';
// The client half of each recording, played to the simulation's model hub (model_replay.c): no complaint, and the answers that
// the recording has, apart from what the service makes of its own. See README.md, "Recordings".
//
//     node tests/oracle/model_replay.js PROGRAM [NAME]

const fs = require('fs');
const path = require('path');
const crypto = require('crypto');
const readline = require('readline');
const { spawn } = require('child_process');
const { readRecording } = require('./replay');
const mqtt = require(path.join(__dirname, '..', '..', 'tools', 'emulator', 'node_modules', 'mqtt-packet'));

const RECORDED = path.join(__dirname, 'recorded');
const HOST = 'hub.example.net';
const API = '?api-version=2021-04-12';
const FIRST_MESSAGE = 1000;
const SMALLEST_REPORT = 20;

// ---- The model hub as a child process: one line out, one line back

class ModelHub {
  constructor(program) {
    this.child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = [];
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift().resolve(line));
    this.child.stdin.on('error', () => {});
    this.ended = new Promise((resolve) => { this.child.on('exit', (code) => { this.code = code ?? 'a signal'; this.drop(); resolve(this.code); }); });
  }

  drop() { for (const { reject } of this.waiting.splice(0)) reject(new Error(`the model hub ended (${this.code})`)); }

  async ask(command) {
    const line = await new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      if (this.code !== undefined) this.drop();
      else this.child.stdin.write(`${command}\n`);
    });
    if (!line.startsWith('ok')) throw new Error(`the model hub complains: ${line.replace('complaint ', '')}`);
    return line.slice(3);
  }

  end() {
    this.child.stdin.end();
    return this.ended;
  }
}

// ---- Packets

function parse(bytes) {
  let found;
  const parser = mqtt.parser({ protocolVersion: 4 });
  parser.on('packet', (packet) => { found = packet; });
  parser.on('error', (error) => { throw error; });
  parser.parse(bytes);
  return found;
}

const hexOf = (bytes) => Buffer.from(bytes).toString('hex') || '-';
const ridOf = (topic) => /\$rid=([^&]*)/.exec(topic)?.[1];

// The lines of a recording, its packets parsed. What is rewritten later loses nothing: generated again, it is the same bytes.
function parsed(recording) {
  const [head, ...lines] = recording;
  return [head, ...lines.map((line) => {
    if (line.hex === undefined) return { ...line };
    const bytes = Buffer.from(line.hex, 'hex');
    const packet = parse(bytes);
    if (line.direction === 'in' && !mqtt.generate(packet).equals(bytes)) throw new Error(`${line.packet}: not the same bytes when generated again`);
    return { ...line, packet };
  })];
}

// ---- What must be the same. The rest (names, ids, bodies and properties that a service makes) is masked here, and nowhere else.

const json = (payload) => JSON.parse(payload.toString());

// A bag of the service's own making: all that must be in it is whom the message is for.
function deviceBound(bag, { device }) {
  const to = /(?:^\??|&)%24\.to=([^&]*)/.exec(bag)?.[1];
  return to === undefined ? 'no $.to' : decodeURIComponent(to).replace(`/${device}/`, '/{d}/');
}

function answerOfTwin(status, topic, payload) {
  if (status === '200') {
    const { desired, reported, ...others } = json(payload);
    return { topic, desired: desired.$version, reported: reported.$version, others };
  }
  if (Number(status) >= 400) return { topic, error: Math.floor(json(payload).errorCode / 1000) };
  return { topic, body: payload.toString() };
}

function publication({ topic, payload }, names, bare) {
  const body = payload.toString('latin1');
  const own = `devices/${names.device}/`;
  if (topic.startsWith(`${own}messages/devicebound/`)) return { to: deviceBound(topic.slice(`${own}messages/devicebound/`.length), names), body };
  const input = new RegExp(`^${own}modules/${names.module}/inputs/[^/]+/`);
  if (names.module && input.test(topic)) return { input: true, body };
  if (/^\$iothub\/methods\/POST\/[^/]+\/\?\$rid=[^&]+$/.test(topic)) return { method: true, body: bare && body === '' ? 'null' : body };
  const [, status] = /^\$iothub\/twin\/res\/(\d+)\//.exec(topic) ?? [];
  if (status !== undefined) return answerOfTwin(status, topic, payload);
  if (topic.startsWith('$iothub/twin/PATCH/properties/desired/')) return { topic, version: json(payload).$version };
  return { topic, body };
}

function essence(packet, names, bare) {
  const { cmd, qos, dup, retain, returnCode, sessionPresent, granted, messageId } = packet;
  if (cmd === 'publish') return JSON.stringify({ cmd, qos, dup, retain, ...publication(packet, names, bare) });
  return JSON.stringify({ cmd, returnCode, sessionPresent, granted, messageId });
}

// ---- One replay

class ModelReplay {
  constructor(hub, [{ setup, login }, ...lines]) {
    Object.assign(this, { hub, setup, login, lines });
    const [device, module] = (setup.at(-1).split(/[ ,]/)[1]).split('/');
    this.recorded = { device, module };
    this.model = { device: 'd1', module: module && 'm1' };
    this.disabled = false;
    this.unmodelled = new Set(); // reasons
    this.remarks = new Set();
    this.arrived = new Map(); // connection -> packets of the model hub
    this.parsers = new Map();
    this.packetIds = new Map(); // recorded -> the model hub's
    this.requestIds = new Map();
    this.bareCalls = false;
    this.open = null;
    this.messages = 0;
    this.refusals = 0;
  }

  async tell(command) {
    for (const part of (await this.hub.ask(command)).split(' ').filter(Boolean)) {
      const [connection, hex] = part.split(':');
      if (!this.parsers.has(connection)) this.listen(connection);
      this.parsers.get(connection).parse(Buffer.from(hex, 'hex'));
    }
  }

  listen(connection) {
    const packets = [];
    const parser = mqtt.parser({ protocolVersion: 4 });
    parser.on('packet', (packet) => packets.push(packet));
    parser.on('error', (error) => { throw error; });
    this.arrived.set(Number(connection), packets);
    this.parsers.set(connection, parser);
  }

  async run() {
    const { packet: connect } = this.lines.find(({ packet }) => packet?.cmd === 'connect') ?? {};
    this.expiry = Number(/&se=(\d+)$/.exec(connect?.password?.toString() ?? '')?.[1] ?? 1800000000);
    if (this.login !== 'key') this.unmodelled.add('the client\'s certificate (the simulation has no TLS)');
    await this.tell(`begin ${this.model.module ? 1 : 0} ${this.login === 'key' ? 0 : 1} ${this.expiry - 3600}`);
    for (const [i, line] of this.lines.entries()) {
      if (line.command !== undefined) await this.command(line.command);
      else if (line.direction === 'in') await this.sent(line, this.lines.slice(i));
      else this.answered(line);
    }
    if (this.open !== null) await this.leave();
    for (const packets of this.arrived.values()) if (packets.length > 0) throw new Error(`${essence(packets[0], this.model)} more than recorded`);
  }

  async leave() {
    await this.tell(`leave ${this.open}`);
    this.open = null;
  }

  // -- the service

  async command(line) {
    const [verb, , ...words] = line.split(' ');
    const rest = words.join(' ');
    if (verb === 'disable') this.disabled = true;
    else if (verb === 'c2d') await this.post(JSON.parse(rest));
    else if (verb === 'input') await this.post(JSON.parse(words.slice(1).join(' ')));
    else if (verb === 'desired') await this.tell(`desired ${rest.length > 1000 ? rest.length : 0}`);
    else if (verb === 'method') await this.invoke(JSON.parse(words.slice(1).join(' ')));
    else if (verb === 'kick') await this.tell('kick');
    else if (verb === 'route') this.unmodelled.add('routes from outputs to inputs (the message of the route is posted by hand)');
    else if (verb === 'fault') await this.fault(line.slice('fault '.length));
    else throw new Error(`no such command here: ${line}`);
  }

  // With system properties (a bag of the model hub's that has some), or without.
  async post({ body, ...properties }) {
    await this.tell(`c2d ${Object.keys(properties).length > 0 ? 1 : 0} ${hexOf(body)}`);
  }

  async invoke(call) {
    this.bareCalls = call.json === undefined;
    if (this.bareCalls) this.remarks.add('no payload: null of the emulator, nothing of the model hub');
    await this.tell(`method ${this.bareCalls ? '-' : hexOf(JSON.stringify(call.json))}`);
  }

  async fault(text) {
    const [name, value] = text.split('=');
    if (name === 'twin-requests') this.refusals = Number(value);
    else if (name === 'twin-get') {
      const [status, after] = value === 'off' ? [0, 0] : value.split('/');
      this.refusals = Infinity;
      await this.tell(`set twin_status ${status}`);
      await this.tell(`set retry_after_s ${after ?? 0}`);
    } else throw new Error(`no such fault here: ${text}`);
  }

  // -- the client

  async sent({ connection, packet }, rest) {
    if (this.open !== null && this.open !== connection) await this.leave();
    this.open = connection;
    const rewritten = await this.rewritten(packet, rest);
    await this.tell(`in ${connection} ${hexOf(mqtt.generate(rewritten))}`);
    if (packet.cmd === 'disconnect') await this.leave();
  }

  // The recorded packet to the model hub's one identity, with what the hub itself chose: ids, signatures, texts of the ledger.
  async rewritten(packet, rest) {
    switch (packet.cmd) {
      case 'connect': return this.connect(packet);
      case 'subscribe': return { ...packet, subscriptions: packet.subscriptions.map((each) => ({ ...each, topic: this.renamed(each.topic) })) };
      case 'unsubscribe': return { ...packet, unsubscriptions: packet.unsubscriptions.map((topic) => this.renamed(topic)) };
      case 'puback': return { ...packet, messageId: this.packetIds.get(packet.messageId) ?? packet.messageId };
      case 'publish': return this.publish(packet, rest);
      default: return packet;
    }
  }

  renamed(topic) {
    const { device, module } = this.recorded;
    return topic.replace(new RegExp(`^devices/${device}/(modules/${module}/)?`), (whole, ofModule) => `devices/d1/${ofModule ? 'modules/m1/' : ''}`);
  }

  async connect(packet) {
    const { device, module } = this.recorded;
    const [id, modelId] = [[device, module], ['d1', module && 'm1']].map((parts) => parts.filter(Boolean).join('/'));
    const [path_, query] = packet.username.split('?');
    const known = packet.clientId === id && path_ === `localhost/${id}/`;
    if (!`?${query}`.startsWith(API)) throw new Error(`the user name ${packet.username}`);
    for (const each of query.split('&')) if (!/^[\w-]+=[^&=]+$/.test(each)) throw new Error(`the user name's ${each}`);
    if (query.includes('model-id=')) this.unmodelled.add('the model id in the user name');
    const reason = !known ? 'no such device' : this.disabled ? 'disabled' : packet.password && !this.isSigned(packet) ? 'wrong key' : null;
    if (reason !== null) {
      this.unmodelled.add(`the registry (${reason}: refused by hand)`);
      await this.tell('set connack_code 5');
    }
    return { ...packet, clientId: modelId, username: `${HOST}/${modelId}/${API}`, ...await this.password(packet) };
  }

  isSigned({ password }) {
    const [, resource, sig, expiry] = /^SharedAccessSignature sr=([^&]*)&sig=([^&]*)&se=(\d+)$/.exec(password.toString()) ?? [];
    const key = Buffer.from(/key=(.*)$/.exec(this.setup.at(-1))[1], 'base64');
    return crypto.createHmac('sha256', key).update(`${resource}\n${expiry}`).digest('base64') === decodeURIComponent(sig ?? '');
  }

  // The same token for the model hub's identity, signed with what stands for HMAC-SHA256 there.
  async password({ password }) {
    if (password === undefined || password === null) return {};
    const text = password.toString();
    const old = /sr=([^&]*)/.exec(text)[1];
    const resource = `${HOST}%2Fdevices%2Fd1${this.model.module ? '%2Fmodules%2Fm1' : ''}`;
    const digest = Buffer.from(await this.hub.ask(`digest ${hexOf(`${resource}\n${this.expiry}`)}`), 'hex');
    return { password: text.replace(old, resource).replace(/sig=[^&]*/, `sig=${encodeURIComponent(digest.toString('base64'))}`) };
  }

  async publish(packet, rest) {
    if (packet.topic.startsWith('$iothub/methods/res/')) return this.methodAnswer(packet);
    if (packet.topic.startsWith('$iothub/twin/')) return this.twinRequest(packet);
    return this.telemetry(packet, rest);
  }

  async methodAnswer(packet) {
    const rid = this.requestIds.get(ridOf(packet.topic)) ?? ridOf(packet.topic);
    const [, status] = /res\/(\d+)\//.exec(packet.topic) ?? [];
    await this.tell(`answer ${rid} ${status} ${hexOf(packet.payload)}`);
    return { ...packet, topic: packet.topic.replace(/\$rid=.*/, `$rid=${rid}`) };
  }

  async twinRequest(packet) {
    if (this.refusals !== Infinity && this.refusals-- <= 0) await this.tell('set twin_status 0');
    if (packet.topic.startsWith('$iothub/twin/GET/')) {
      if (packet.payload.toString() !== ' ') return packet;
      this.remarks.add('the blank in GET is left out, D18');
      return { ...packet, payload: '' };
    }
    if (Object.keys(json(packet.payload)).some((name) => /[\x00-\x1f.$ ]/.test(name))) {
      this.unmodelled.add('rules for reported properties (refused by hand)');
      await this.tell('set twin_status 400');
    }
    return { ...packet, payload: await this.hub.ask(`report ${Math.max(packet.payload.length, SMALLEST_REPORT)}`) };
  }

  // The ledger's body: a number, a blank, then the recorded one. The model hub knows the properties of its own program only.
  async telemetry(packet, rest) {
    const number = FIRST_MESSAGE + 3 * this.messages++;
    const body = Buffer.concat([Buffer.from(`${number} `), packet.payload]);
    const prefix = /^devices\/[^/]*\/(modules\/[^/]*\/)?messages\/events\//.exec(packet.topic)?.[0] ?? `${packet.topic}/`;
    const bag = packet.topic.slice(prefix.length).replace(/\/$/, '');
    for (const each of bag.split(/[&=]/)) decodeURIComponent(each);
    if (bag !== '') this.remarks.add('the properties of telemetry are only checked for their escapes');
    await this.tell(`message ${number} ${packet.qos} ${hexOf(body)}`);
    const routed = rest.find((line) => line.direction === 'out');
    if (bag.includes('%24.on=') && routed?.packet.cmd === 'publish') await this.post({ body: packet.payload });
    return { ...packet, topic: `${this.renamed(prefix)}n=${number}`, payload: body };
  }

  // -- the hub

  answered({ connection, packet: recorded }) {
    const packet = this.arrived.get(connection)?.shift();
    const wanted = essence(recorded, this.recorded, this.bareCalls);
    const found = packet === undefined ? 'nothing' : essence(packet, this.model, this.bareCalls);
    if (found !== wanted) throw new Error(`${found.slice(0, 250)} instead of ${wanted.slice(0, 250)}`);
    if (recorded.cmd === 'publish' && recorded.qos > 0) this.packetIds.set(recorded.messageId, packet.messageId);
    if (recorded.cmd === 'publish' && ridOf(recorded.topic)) this.requestIds.set(ridOf(recorded.topic), ridOf(packet.topic));
  }
}

// ---- Canaries: recordings with one thing changed, which must fail

const plusOne = (text, pattern) => text.replace(pattern, (whole, before, n) => `${before}${Number(n) + 1}`);

// The kinds of change to an answer; one that changes nothing in this packet is left out.
const TOPIC_CHANGES = {
  topic: (topic) => topic.replace(/\/(devicebound|inputs|methods|twin)\//, '/$1x/'),
  status: (topic) => plusOne(topic, /(\/res\/)(\d+)/),
  version: (topic) => plusOne(topic, /(\$version=)(\d+)/),
  'retry-after': (topic) => plusOne(topic, /(retry-after=)(\d+)/),
  'request id': (topic) => topic.replace(/(^\$iothub\/twin\/.*\$rid=)/, '$1x'),
};

const BODY_CHANGES = {
  'version in the body': (text) => plusOne(text, /("\$version":)(\d+)/),
  'error code': (text) => text.replace('"errorCode":4', '"errorCode":5'),
  body: (text) => (text.includes('"$version"') || text.includes('"errorCode"') ? text : text.replace(/^[^]/, (c) => (c === 'x' ? 'y' : 'x'))),
};

function changesOf(packet) {
  switch (packet.cmd) {
    case 'connack': return { code: { ...packet, returnCode: packet.returnCode === 3 ? 4 : 3 }, 'session present': { ...packet, sessionPresent: !packet.sessionPresent } };
    case 'suback': return { code: { ...packet, granted: [128] }, id: { ...packet, messageId: packet.messageId ^ 1 } };
    case 'publish': break;
    default: return { id: { ...packet, messageId: packet.messageId ^ 1 } };
  }
  const text = packet.payload.toString('latin1');
  const changes = { retain: { ...packet, retain: !packet.retain }, ...(packet.qos > 0 && { DUP: { ...packet, dup: !packet.dup } }) };
  for (const [what, change] of Object.entries(TOPIC_CHANGES)) if (change(packet.topic) !== packet.topic) changes[what] = { ...packet, topic: change(packet.topic) };
  for (const [what, change] of Object.entries(BODY_CHANGES)) if (change(text) !== text) changes[what] = { ...packet, payload: Buffer.from(change(text), 'latin1') };
  return changes;
}

// What a client may not do; where CONNECT is refused, nobody listens to the second one.
const isLegalOnce = (packet, rest) => packet?.cmd === 'puback' || (packet?.cmd === 'connect' && rest[0]?.packet?.returnCode === 0);

function canariesOf([head, ...lines]) {
  const canaries = [];
  const add = (what, finding, changed) => canaries.push({ what, finding, recording: [head, ...changed] });
  for (const [i, { direction, packet }] of lines.entries()) {
    const instead = (...others) => [...lines.slice(0, i), ...others, ...lines.slice(i + 1)];
    if (direction === 'out') {
      for (const [what, changed] of Object.entries(changesOf(packet))) add(`line ${i + 2}: ${packet.cmd}: ${what}`, 'instead of', instead({ ...lines[i], packet: changed }));
      add(`line ${i + 2}: ${packet.cmd} left out`, '', instead());
      add(`line ${i + 2}: ${packet.cmd} twice`, 'instead of', instead(lines[i], lines[i]));
    } else if (isLegalOnce(packet, lines.slice(i + 1))) {
      add(`line ${i + 2}: ${packet.cmd} sent twice`, 'complains', instead(lines[i], lines[i]));
    }
  }
  return canaries;
}

// ---- All recordings

async function outcomeOf(hub, recording) {
  const replay = new ModelReplay(hub, recording);
  let error = null;
  try {
    await replay.run();
  } catch (thrown) {
    error = thrown;
  }
  return { error, unmodelled: [...replay.unmodelled], remarks: [...replay.remarks] };
}

// One line each; answers "ok", "FAIL" or "not modelled".
async function report(hub, name, recording) {
  const { error, unmodelled, remarks } = await outcomeOf(hub, recording);
  const behind = remarks.length > 0 ? ` (${remarks.join('; ')})` : '';
  const verdict = error ? 'FAIL' : unmodelled.length > 0 ? 'not modelled' : 'ok';
  if (error) process.stdout.write(`FAIL  ${name}: ${error.message}\n`);
  else if (unmodelled.length > 0) process.stdout.write(`not modelled  ${name}: ${unmodelled.join('; ')}; the rest: the same answers${behind}\n`);
  else process.stdout.write(`ok    ${name}: no complaint, the same answers${behind}\n`);
  return verdict;
}

async function canaries(hub, recordings) {
  let count = 0;
  const missed = [];
  for (const [name, recording] of recordings) {
    for (const canary of canariesOf(recording)) {
      count += 1;
      const { error } = await outcomeOf(hub, canary.recording);
      if (error === null || !error.message.includes(canary.finding)) missed.push(`${name}, ${canary.what}`);
    }
  }
  if (missed.length === 0 && count > 0) process.stdout.write(`ok    canary: ${count} recordings with one thing changed, and each is found\n`);
  else process.stdout.write(`FAIL  canary: ${missed.length} of ${count} changes are not found: ${missed.slice(0, 5).join('; ')}\n`);
  return missed.length === 0 && count > 0 ? 'ok' : 'FAIL';
}

async function main([program, only = '']) {
  const hub = new ModelHub(program);
  const names = fs.readdirSync(RECORDED).filter((file) => file.endsWith('.jsonl') && file.includes(only)).map((file) => file.replace(/\.jsonl$/, '')).sort();
  const recordings = names.map((name) => [name, parsed(readRecording(name))]);
  const verdicts = [];
  for (const [name, recording] of recordings) verdicts.push(await report(hub, name, recording));
  verdicts.push(await canaries(hub, recordings));
  const code = await hub.end();
  if (code !== 0) {
    process.stdout.write(`FAIL  the model hub ended with ${code}\n`);
    verdicts.push('FAIL');
  }
  const count = (verdict) => verdicts.filter((each) => each === verdict).length;
  process.stdout.write(`\n${count('not modelled')} recordings use something that the model hub does not model; they are not counted\n`);
  process.stdout.write(`${count('ok')} passed, ${count('FAIL')} failed\n`);
  process.exitCode = count('FAIL') > 0 || recordings.length === 0 ? 1 : 0;
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`model_replay: ${error.stack}\n`);
  process.exit(2);
});
