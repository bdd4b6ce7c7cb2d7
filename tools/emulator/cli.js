'use strict';
// "main.js TOOL ...": what a person does with a hub that runs. Each tool is a command of control.js, or a stream of events.

const fs = require('fs');
const https = require('https');
const { sign } = require('./auth');
const { findHub } = require('./running');
const { makeReport } = require('./report');

// `run(hub, words, print)`; words are what follows the tool's name, `print` shows an answer.
const TOOLS = {
  telemetry: { form: '[ID]', least: 0, most: 1, help: 'show telemetry as it comes; Ctrl-C ends it', run: (hub, [id], show) => follow(hub, show, ({ event, identity }) => event === 'telemetry' && (id === undefined || identity === id)) },
  events: { form: '', least: 0, most: 0, help: 'show everything that happens', run: (hub, words, show) => follow(hub, show, () => true) },
  devices: { form: '', least: 0, most: 0, help: 'list devices and modules with their connection strings', run: (hub, words, show) => command(hub, 'identities', show.identities) },
  'c2d send': { form: 'DEVICE BODY [NAME=VALUE ...]', least: 2, most: Infinity, help: 'send a message to a device, with these application properties', run: (hub, [id, body, ...pairs], show) => command(hub, `c2d ${id} ${JSON.stringify({ body, properties: properties(pairs) })}`, show.answer) },
  'input send': { form: 'MODULE INPUT BODY [NAME=VALUE ...]', least: 3, most: Infinity, help: 'send a message to an input of a module', run: (hub, [id, input, body, ...pairs], show) => command(hub, `input ${id} ${input} ${JSON.stringify({ body, properties: properties(pairs) })}`, show.answer) },
  'method call': { form: 'ID NAME [JSON]', least: 2, most: 3, help: 'call a direct method and show its answer', run: (hub, [id, name, payload], show) => command(hub, `method ${id} ${name} ${payload === undefined ? '' : JSON.stringify({ json: json(payload) })}`, show.answer) },
  'twin get': { form: 'ID', least: 1, most: 1, help: 'show tags, desired and reported properties', run: (hub, [id], show) => command(hub, `twin ${id}`, show.twin) },
  'twin set': { form: 'ID JSON', least: 2, most: 2, help: 'merge JSON into the desired properties; null deletes', run: (hub, [id, patch], show) => command(hub, `desired ${id} ${JSON.stringify(json(patch))}`, show.answer) },
  command: { form: 'COMMAND ...', least: 1, most: Infinity, help: 'any command of --control', run: (hub, words, show) => command(hub, words.join(' '), show.answer) },
};

function json(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RangeError(`"${text}" is not JSON (put it in single quotes)`);
  }
}

function properties(pairs) {
  return Object.fromEntries(pairs.map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new RangeError(`"${pair}" is not NAME=VALUE`);
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  }));
}

// ---- Talking to the hub

const TOKEN_S = 3600;

function token({ service }) {
  const { HostName: host, SharedAccessKeyName: policy, SharedAccessKey: key } = Object.fromEntries(service.split(';').map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]));
  const expiry = Math.floor(Date.now() / 1000) + TOKEN_S;
  const signature = sign(Buffer.from(key, 'base64'), host, String(expiry)).toString('base64');
  return `SharedAccessSignature sr=${host}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${policy}`;
}

function request(hub, method, path, body, take) {
  return new Promise((resolve, reject) => {
    const sent = https.request({
      host: hub.address, port: hub.port, servername: 'localhost', ca: fs.readFileSync(hub.ca), checkServerIdentity: () => undefined, // the CA is this hub's own
      method, path, headers: { Authorization: token(hub), 'Content-Length': Buffer.byteLength(body) },
    }, (response) => {
      response.setEncoding('utf8');
      response.on('data', take);
      response.on('end', () => resolve(response.statusCode));
      response.on('error', reject);
    });
    sent.on('error', (error) => reject(new Error(`the hub on port ${hub.port} cannot be reached (${error.code ?? error.message})`)));
    sent.end(body);
  });
}

async function command(hub, line, show) {
  let text = '';
  await request(hub, 'POST', '/emulator/command', line, (piece) => { text += piece; });
  const answer = JSON.parse(text);
  if (answer.event === 'error' || answer.error !== undefined) throw new Error(answer.reason ?? text);
  show(answer);
}

async function follow(hub, show, wanted) {
  let rest = '';
  await request(hub, 'GET', '/emulator/events', '', (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if (wanted(event)) show.event(event);
    }
  });
}

// ---- For people, or with --json for programs

const print = (text) => process.stdout.write(`${text}\n`);

const FOR_PROGRAMS = { event: (event) => print(JSON.stringify(event)), identities: (event) => print(JSON.stringify(event.connectionStrings)), twin: ({ twin }) => print(JSON.stringify(twin)), answer: (event) => print(JSON.stringify(event)) };

const FOR_PEOPLE = {
  event: makeReport({ json: false }),
  identities: ({ connectionStrings }) => Object.values(connectionStrings).forEach(print),
  twin: ({ twin }) => print(JSON.stringify(twin, null, 2)),
  answer: (answer) => print(sentence(answer)),
};

function sentence({ event, status, text, sequence, version, command: done, time, ...more }) {
  if (event === 'method-result') return `${status} ${text ?? ''}`.trim();
  if (sequence !== undefined) return `queued as message ${sequence}`;
  if (version !== undefined) return `desired properties are at version ${version}`;
  return Object.keys(more).length > 0 ? JSON.stringify(more) : 'ok';
}

// The tool that `words` begin with: [its name, what follows], or null.
function toolOf(words) {
  const count = [2, 1].find((each) => words.length >= each && Object.hasOwn(TOOLS, words.slice(0, each).join(' ')));
  return count === undefined ? null : [words.slice(0, count).join(' '), words.slice(count)];
}

// Throws a RangeError for wrong use, any other error for what failed.
async function runTool(name, words) {
  const { form, least, most, run } = TOOLS[name];
  const rest = [...words];
  let port;
  let show = FOR_PEOPLE;
  while (rest[0] === '--json' || rest[0] === '--port') {
    if (rest.shift() === '--json') show = FOR_PROGRAMS;
    else port = Number(rest.shift());
  }
  if (rest.length < least || rest.length > most) throw new RangeError(`use: main.js ${name} [--port N] [--json] ${form}`);
  await run(findHub(port), rest, show);
}

module.exports = { TOOLS, toolOf, runTool };
