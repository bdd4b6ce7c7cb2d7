#!/usr/bin/env node
'use strict';
// The command line: starts the hub, prints its events, takes commands, stops in order; or is a tool for a hub that runs.

const fs = require('fs');
const path = require('path');
const readline = require('readline');

const EXIT = { clean: 0, violation: 1, usage: 2, start: 3, internal: 4 };
const GOODBYE_MS = 100; // time for connections to close when the hub stops

function fail(code, sentence) {
  process.stderr.write(`iothub emulator: ${sentence}\n`);
  process.exit(code);
}

function requireDependencies() {
  try {
    for (const name of ['mqtt-packet', 'rhea', 'ws']) require.resolve(name);
  } catch (error) {
    fail(EXIT.start, `its libraries are not installed; run: npm ci --prefix ${path.relative(process.cwd(), __dirname) || '.'}`);
  }
}

requireDependencies();

const { parseOptions, helpText } = require('./options');
const { startEmulator } = require('./emulator');
const { deviceCertificate } = require('./certs');
const { checkId } = require('./identities');
const { makeReport } = require('./report');
const { runCommand } = require('./control');
const { toolOf, runTool } = require('./cli');
const { leaveWord } = require('./running');

function makeDeviceCertificate(options) {
  const id = options.makeCertId;
  checkId(id, id.includes('/'));
  const made = deviceCertificate(options.makeCertDirectory, id, { kind: options.makeCertKey, signedByCa: options.makeCertCa });
  const lines = [`certificate: ${made.certificate}`, `key: ${made.key}`, made.ca && `CA: ${made.ca}`, `SHA-1 thumbprint: ${made.sha1}`, `SHA-256 thumbprint: ${made.sha256}`];
  process.stdout.write(options.json ? `${JSON.stringify(made)}\n` : `${lines.filter(Boolean).join('\n')}\n`);
}

function checkRecordFile(file) {
  try {
    fs.appendFileSync(file, '');
  } catch (error) {
    throw new RangeError(`--record: cannot write "${file}" (${error.code})`);
  }
}

async function run(options) {
  if (options.record) checkRecordFile(options.record);
  const write = makeReport({ json: options.json, packets: options.packets, recordFile: options.record });
  let violations = 0;
  const report = (event) => {
    if (event.event === 'violation') violations += 1;
    write(event);
  };
  const emulator = await startEmulator(options, report);
  const stop = () => {
    const wait = emulator.hub.connections.size > 0 ? GOODBYE_MS : 0;
    emulator.stop();
    setTimeout(() => process.exit(options.strict && violations > 0 ? EXIT.violation : EXIT.clean), wait);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.stdout.on('error', () => process.exit(EXIT.clean)); // whoever read the events is gone
  leaveWord(emulator.ready);
  report(emulator.ready);
  if (options.control) readCommands(emulator.hub, stop);
}

function readCommands(hub, stop) {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('close', stop);
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    if (line.trim() !== 'stop') {
      runCommand(hub, line);
      return;
    }
    hub.report({ event: 'ok', command: 'stop' });
    lines.close();
  });
}

async function main() {
  try {
    const tool = toolOf(process.argv.slice(2));
    if (tool) {
      await runTool(...tool);
      return;
    }
    const options = parseOptions(process.argv.slice(2));
    if (options.help) process.stdout.write(helpText());
    else if (options.makeCertDirectory) makeDeviceCertificate(options);
    else await run(options);
  } catch (error) {
    fail(error instanceof RangeError ? EXIT.usage : EXIT.start, error.message);
  }
}

process.on('uncaughtException', (error) => fail(EXIT.internal, `an error of its own: ${error.stack}`));
main();
