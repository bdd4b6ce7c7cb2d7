'use strict';
// Events on their way out: JSON lines for programs, short lines for people, and the file of --record.

const fs = require('fs');

const list = (object) => Object.entries(object).map(([name, value]) => (value === null ? name : `${name}=${value}`)).join(' ');
const app = (properties) => (Object.keys(properties).length > 0 ? `app: ${list(properties)}` : '');
const words = (...parts) => parts.filter((part) => part !== '' && part !== undefined && part !== null && part !== false).join(' ');
const who = (event) => event.identity ?? event.clientId ?? `connection ${event.connection}`;

// What a client sent must not move the cursor of whoever reads it.
const printable = (line) => line.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);

const TEXT_SHOWN = 200;

function bodyText({ text, body }) {
  if (text === undefined) return `(${Buffer.from(body, 'base64').length} bytes)`;
  return text.length > TEXT_SHOWN ? `${text.slice(0, TEXT_SHOWN)}... (${Buffer.byteLength(text)} bytes)` : text;
}

// How each event reads for a person. An event without an entry is for programs only.
const HUMAN = {
  connect: (e) => words('connect', who(e), `(connection ${e.connection}, ${e.protocol} over ${e.tls}, keep-alive ${e.keepAlive} s, clean session ${e.clean ? 1 : 0})`),
  connack: (e) => words('connack', who(e), `code ${e.code}`, e.code === 0 && `session present ${e.sessionPresent ? 1 : 0}`),
  refused: (e) => words('refused', `${who(e)}:`, e.reason),
  telemetry: (e) => words('telemetry', e.identity, `#${e.sequence}`, bodyText(e), '', list(e.system) && ` ${list(e.system)}`, app(e.properties), e.dup && '(DUP)', e.will && '(will)'),
  subscribe: (e) => words('subscribe', who(e), e.filters.map((f) => `${f.filter} ${f.granted === 0x80 ? 'refused' : `QoS ${f.granted}`}`).join(', ')),
  unsubscribe: (e) => words('unsubscribe', who(e), e.filters.join(', ')),
  disconnect: (e) => words('disconnect', `${who(e)}:`, e.reason, `(${e.bytesIn} bytes in, ${e.bytesOut} out)`),
  violation: (e) => words('violation', `${who(e)}:`, e.reason),
  notice: (e) => words('notice', `${who(e)}:`, e.reason),
  'tls-error': (e) => words('tls-error', `connection ${e.connection}:`, e.reason),
  delivered: (e) => words('delivered', `${who(e)}:`, e.input ? `input ${e.input}` : 'message', `#${e.sequence}`, e.messageId && `(${e.messageId})`, e.dup && '(DUP)'),
  settled: (e) => words(e.outcome, `${who(e)}:`, 'message', `#${e.sequence}`, e.messageId && `(${e.messageId})`),
  'twin-request': (e) => words('twin', `${who(e)}:`, e.kind === 'get' ? 'asks for its twin' : 'reports'),
  reported: (e) => words('reported', `${who(e)}:`, JSON.stringify(e.patch), `(version ${e.version})`),
  'desired-sent': (e) => words('desired', `${who(e)}:`, `version ${e.version} sent`),
  'method-request': (e) => words('method', `${who(e)}:`, e.name),
  'method-result': (e) => words('method', `${e.identity}:`, e.name, e.error === undefined ? `answered ${e.status} ${bodyText(e)}` : `failed: ${e.reason} (${e.error})`),
  upgrade: (e) => words('upgrade', `connection ${e.connection}:`, `${e.path}${e.query && `?${e.query}`}`, `(${e.protocols.join(', ')})`),
  http: (e) => words('http', e.method, e.path, e.status),
  amqp: (e) => words('amqp', `connection ${e.connection}:`, e.what, e.ok === false && `refused: ${e.reason}`),
  proxy: (e) => words('proxy', e.target, e.result),
  ok: (e) => words('ok', e.command, e.faults && `: ${list(e.faults) || 'none'}`),
  error: (e) => words('error', e.reason),
  ready: (e) => [
    ...Object.values(e.connectionStrings),
    `service: ${e.service}`,
    `CA certificate: ${e.ca}`,
    `ready on ${e.address}:${e.port}, hub name ${e.hubName}`,
  ],
};

// `out` takes whole lines. Standard output to a pipe or file is written synchronously by Node on POSIX,
// so a reader sees the events in order and none is lost at exit.
function makeReport({ json, packets, recordFile, out = (line) => process.stdout.write(line) }) {
  return (event) => {
    if (event.event === 'packet' && !packets) return;
    const inJson = JSON.stringify({ ...event, time: Date.now() });
    if (event.event === 'telemetry' && recordFile) fs.appendFileSync(recordFile, `${inJson}\n`);
    const lines = json ? [inJson] : [HUMAN[event.event]?.(event) ?? []].flat().map(printable);
    lines.forEach((line) => out(`${line}\n`));
  };
}

module.exports = { makeReport };
