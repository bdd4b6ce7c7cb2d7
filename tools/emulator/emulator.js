'use strict';
// Puts the hub together from its options: identities, certificates, faults, switches, listener.

const fs = require('fs');
const path = require('path');
const { nameAndValue } = require('./options');
const { Hub } = require('./hub');
const { Faults } = require('./faults');
const { Switches } = require('./switches');
const { makeIdentity, describeFromOption, randomKey, checkKey } = require('./identities');
const { serverChain, temporaryDirectory } = require('./certs');
const { createListener } = require('./listener');
const { createProxy } = require('./proxy');
const { serveAny } = require('./protocols/choose');
const { serveMqtt } = require('./protocols/mqtt');
const { upgrader } = require('./protocols/websocket');
const { serveAmqp } = require('./service/amqp');
const { serveHttp } = require('./service/http');

const OWNER = 'iothubowner'; // the policy with all rights that a real hub has from its creation

function readFile(option, file) {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    throw new RangeError(`${option}: cannot read "${file}" (${error.code})`);
  }
}

function readDevicesFile(file) {
  const text = readFile('--devices', file).toString('utf8');
  let list;
  try { list = JSON.parse(text); } catch (error) { throw new RangeError(`--devices: "${file}" is not JSON (${error.message})`); }
  if (!Array.isArray(list)) throw new RangeError(`--devices: "${file}" is not a JSON list`);
  return list;
}

// Keys that were made up are kept in --state, so that connection strings survive a restart.
function keyKeeper(state) {
  const file = path.join(state, 'keys.json');
  const keys = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
  return (id) => {
    if (!Object.hasOwn(keys, id)) {
      keys[id] = randomKey();
      fs.writeFileSync(file, JSON.stringify(keys, null, 2), { mode: 0o600 });
    }
    return keys[id];
  };
}

function addIdentities(hub, options, keyFor) {
  const descriptions = [
    ...(options.devicesFile ? readDevicesFile(options.devicesFile) : []),
    ...options.devices.map((text) => describeFromOption(text, false)),
    ...options.modules.map((text) => describeFromOption(text, true)),
  ];
  if (descriptions.length === 0) descriptions.push({ id: 'device-1' });
  for (const description of descriptions) {
    const identity = makeIdentity(description, keyFor);
    if (identity.auth.type === 'ca' && !options.clientCa) throw new RangeError(`${identity.id} logs in with a CA-signed certificate, so --client-ca is needed`);
    hub.add(identity);
  }
}

function readPolicies(texts, keyFor) {
  const policies = new Map(texts.length > 0 ? texts.map(nameAndValue) : [[OWNER, keyFor(`policy ${OWNER}`)]]);
  for (const [name, key] of policies) checkKey(`policy ${name}`, key);
  return policies;
}

function withSettings(settings, texts) {
  for (const text of texts) settings.set(...nameAndValue(text));
  return settings;
}

function serverCertificates(options, state) {
  const made = options.cert
    ? { cert: readFile('--cert', options.cert), key: readFile('--key', options.key), caFile: options.cert }
    : serverChain(state, { kind: options.serverKey, hostNames: options.hostNames, newCa: options.newCa });
  const clientCa = options.clientCa ? readFile('--client-ca', options.clientCa) : undefined;
  return { ...made, clientCa, tls12Only: options.tls12 };
}

function readyEvent(hub, addresses, proxy, caFile) {
  hub.hostName = `${hub.name}:${addresses[0].port}`;
  const [policy, key] = [...hub.policies][0];
  return {
    event: 'ready', address: addresses[0].address, port: addresses[0].port, alsoPorts: addresses.slice(1).map(({ port }) => port), proxyPort: proxy?.address().port ?? null, hubName: hub.name,
    ca: path.resolve(caFile), connectionStrings: hub.connectionStrings(), service: `HostName=${hub.name};SharedAccessKeyName=${policy};SharedAccessKey=${key}`,
  };
}

// Every port speaks every protocol; the first bytes tell which.
function protocolsOf(hub) {
  const mqtt = serveMqtt(hub);
  const amqp = serveAmqp(hub);
  return serveAny(hub, { mqtt, amqp, http: serveHttp(hub, upgrader(hub, { mqtt, amqp })) });
}

function makeHub(options, report, keyFor) {
  const hub = new Hub({
    name: options.hubName,
    faults: withSettings(new Faults(), options.faults),
    switches: withSettings(new Switches(), options.switches),
    policies: readPolicies(options.policies, keyFor),
    report,
  });
  addIdentities(hub, options, keyFor);
  return hub;
}

function listen(server, port, address) {
  return new Promise((resolve, reject) => {
    server.on('error', (error) => reject(error.code === 'EADDRINUSE'
      ? new Error(`port ${port} is in use; --port 0 takes any free one`)
      : new Error(`cannot listen on ${address}:${port} (${error.code})`)));
    server.listen(port, address, resolve);
  });
}

// Where certificates and made-up keys live; a temporary place is removed when the process ends.
function stateDirectory(options) {
  if (options.state !== undefined) {
    fs.mkdirSync(options.state, { recursive: true });
    return options.state;
  }
  const directory = temporaryDirectory();
  process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

// `options` as parseOptions() answers them. Resolves when the hub listens, with
// the event "ready", which is the caller's to report once it is ready for signals and commands too.
// A RangeError is wrong use; any other error says why the hub cannot start.
async function startEmulator(options, report) {
  const state = stateDirectory(options);
  const hub = makeHub(options, report, keyKeeper(state));
  const certificates = serverCertificates(options, state);
  const serve = protocolsOf(hub);
  const ports = [options.port, ...options.alsoPorts];
  const servers = ports.map(() => createListener({ certificates, hub, serve }));
  const proxy = options.proxy && createProxy({ login: options.proxy.login, report: hub.report });
  const stop = () => {
    hub.stop();
    servers.forEach((server) => server.close());
    proxy?.stop();
  };
  try {
    for (const [i, server] of servers.entries()) await listen(server, ports[i], options.listen);
    if (proxy) await listen(proxy, options.proxy.port, options.listen);
  } catch (error) {
    stop();
    throw error;
  }
  return { hub, ready: readyEvent(hub, servers.map((server) => server.address()), proxy, certificates.caFile), stop };
}

module.exports = { startEmulator };
