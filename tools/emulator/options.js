'use strict';
// The command line: one table, from which both parsing and --help are made.

const { FAULTS } = require('./faults');
const { SWITCHES } = require('./switches');
const { KEY_KINDS } = require('./certs');

// `take(options, text)` puts a value into `options`; a flag has no `value`.
const set = (name) => (options, text) => { options[name] = text; };
const append = (name) => (options, text) => { options[name].push(text); };
const on = (name) => (options) => { options[name] = true; };

const OPTIONS = {
  '--port': { value: 'N', take: (options, text) => { options.port = portNumber(text); }, help: 'TCP port; 0 takes any free one (default 8883)' },
  '--also-port': { value: 'N', take: (options, text) => { options.alsoPorts.push(portNumber(text, '--also-port')); }, help: 'listen there, too: 443 and 5671 for programs whose ports are fixed; every port speaks every protocol; repeatable' },
  '--listen': { value: 'ADDRESS', take: set('listen'), help: 'address to listen on (default 127.0.0.1)' },
  '--hub-name': { value: 'NAME', take: (options, text) => { options.hubName = hostName(text); }, help: 'the name this hub believes to be its own, in user names and SAS tokens (default localhost)' },
  '--device': { value: 'ID[,key=BASE64|,thumbprint=HEX|,ca][,disabled]', take: append('devices'), help: 'a device; without any there is "device-1" with a random key; repeatable' },
  '--module': { value: 'DEVICE/MODULE[,...]', take: append('modules'), help: 'a module, written like a device; repeatable' },
  '--devices': { value: 'FILE', take: set('devicesFile'), help: 'JSON list of {"id", "key" | "keys" | "thumbprint" | "thumbprints" | "ca", "disabled"}' },
  '--policy': { value: 'NAME=BASE64', take: append('policies'), help: 'the key of a hub policy, for the service side and for tokens with "skn"; without any there is "iothubowner"; repeatable' },
  '--proxy': { value: 'PORT[,USER:PASSWORD]', take: (options, text) => { options.proxy = proxyOf(text); }, help: 'also be an HTTP CONNECT proxy, on this port' },
  '--client-ca': { value: 'FILE', take: set('clientCa'), help: 'PEM of the CA that signed the certificates of devices with "ca"' },
  '--state': { value: 'DIR', take: set('state'), help: 'keep certificates and made-up keys here (default: a temporary directory, removed on exit)' },
  '--new-ca': { take: on('newCa'), help: 'make another root even when --state has one' },
  '--server-key': { value: 'KIND', take: (options, text) => { options.serverKey = oneOf('--server-key', text, Object.keys(KEY_KINDS)); }, help: `keys and signatures of the server's chain: ${Object.keys(KEY_KINDS).join(', ')} (default ec)` },
  '--host-name': { value: 'NAME', take: append('hostNames'), help: 'one more name for the server certificate, besides localhost, 127.0.0.1 and *.azure-devices.net; repeatable' },
  '--cert': { value: 'FILE', take: set('cert'), help: 'use this server certificate (PEM, leaf first) instead; needs --key' },
  '--key': { value: 'FILE', take: set('key'), help: 'private key of --cert' },
  '--tls12': { take: on('tls12'), help: 'offer TLS 1.2 only, as the classic host of IoT Hub does' },
  '--fault': { value: 'NAME=VALUE', take: append('faults'), help: 'misbehave; see below; repeatable' },
  '--switch': { value: 'NAME=VALUE', take: append('switches'), help: 'decide an open point; see below; repeatable' },
  '--strict': { take: on('strict'), help: 'exit code 1 when a client broke a rule (an event "violation")' },
  '--json': { take: on('json'), help: 'one JSON object per line instead of text for people' },
  '--packets': { take: on('packets'), help: 'with --json: an event for each MQTT packet, in hex' },
  '--record': { value: 'FILE', take: set('record'), help: 'append telemetry to this file, as JSON lines' },
  '--control': { take: on('control'), help: 'read commands from standard input; its end stops the hub' },
  '--make-cert': { value: 'DIR ID', take: set('makeCertDirectory'), more: set('makeCertId'), help: 'make a device (or DEVICE/MODULE) certificate and key in DIR, print the thumbprint, and exit' },
  '--make-cert-key': { value: 'ec|rsa', take: (options, text) => { options.makeCertKey = oneOf('--make-cert-key', text, ['ec', 'rsa']); }, help: 'kind of its key (default ec)' },
  '--make-cert-ca': { take: on('makeCertCa'), help: 'sign it with a test CA, DIR/client-ca.pem, made when missing (default: self-signed)' },
  '--help': { take: on('help'), help: 'this text' },
};

const COMMANDS = {
  'fault NAME=VALUE': 'set a fault; "off" as value ends it',
  faults: 'list the faults in force',
  'switch NAME=VALUE': 'decide an open point anew; what happened before stays',
  'drop-session ID': 'forget the stored MQTT session of a device or module',
  'set-session ID [FILTER,...]': 'give it a stored session with these subscriptions (a JSON list of texts), while it is not connected',
  identities: 'list devices and modules; answers connectionStrings by id',
  'add ID[,...]': 'add a device or module, written as for --device; answers connectionString',
  'remove ID': 'remove it, a device with its modules, and close its connection',
  'kick ID': 'close its connection',
  'disable ID': 'disable it and close its connection (and those of its modules)',
  'enable ID': 'enable it again',
  'set-key ID BASE64': 'replace its key; an open connection stays',
  'c2d DEVICE MESSAGE': 'send a cloud-to-device message; answers sequence, messageId',
  'c2d-state ID': 'what waits for a device or module; answers waiting, last, messages',
  'c2d-purge ID': 'throw away what waits; answers purged',
  'input MODULE NAME MESSAGE': 'send a message to an input of a module; answers as c2d does',
  'route MODULE OUTPUT MODULE NAME': 'from now on, what the first module sends to this output goes to that input of the second',
  'twin ID': 'answers twin: tags, desired, reported, modelId',
  'desired ID PATCH': 'merge JSON into the desired properties (null deletes); answers version',
  'desired-replace ID JSON': 'the desired properties are this from now on; answers version',
  'tags ID PATCH': 'merge JSON into the tags',
  'new-twin ID': 'an empty twin with versions from 1, as after deleting and creating the device',
  'method ID NAME [CALL]': 'call a direct method; answers call, and an event method-result with that call follows',
  'publish ID PACKET': 'send any PUBLISH to a connected client',
  stop: 'stop the hub',
};

function portNumber(text, option = '--port') {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new RangeError(`${option}: "${text}" is not a port number`);
  return Number(text);
}

function proxyOf(text) {
  const [, port, login] = /^([^,]*)(?:,(.+))?$/s.exec(text);
  if (login !== undefined && !login.includes(':')) throw new RangeError(`--proxy: "${login}" is not USER:PASSWORD`);
  return { port: portNumber(port, '--proxy'), login };
}

function hostName(text) {
  if (!/^[A-Za-z0-9.-]+$/.test(text)) throw new RangeError(`--hub-name: "${text}" is not a host name (write it without a port)`);
  return text;
}

function oneOf(name, text, words) {
  if (!words.includes(text)) throw new RangeError(`${name}: "${text}" is none of ${words.join(', ')}`);
  return text;
}

// "NAME=VALUE" of --fault, --switch and --policy.
function nameAndValue(text) {
  const equals = text.indexOf('=');
  if (equals < 1) throw new RangeError(`"${text}" is not NAME=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

// Throws a RangeError with one sentence for the person who typed it.
function parseOptions(args) {
  const options = {
    port: 8883, listen: '127.0.0.1', hubName: 'localhost', serverKey: 'ec', makeCertKey: 'ec',
    alsoPorts: [], devices: [], modules: [], policies: [], hostNames: [], faults: [], switches: [],
  };
  const words = args.flatMap((arg) => (/^--[a-z0-9-]+=/.test(arg) ? [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)] : [arg]));
  while (words.length > 0) takeOption(options, words);
  if ((options.cert === undefined) !== (options.key === undefined)) throw new RangeError('--cert and --key go together');
  if (options.packets && !options.json) throw new RangeError('--packets needs --json');
  return options;
}

function takeOption(options, words) {
  const name = words.shift();
  if (!Object.hasOwn(OPTIONS, name)) throw new RangeError(`there is no option "${name}"; --help lists them`);
  const option = OPTIONS[name];
  const next = () => {
    if (words.length === 0) throw new RangeError(`${name} needs ${option.value}`);
    return words.shift();
  };
  option.take(options, option.value ? next() : undefined);
  if (option.more) option.more(options, next());
}

function table(rows) {
  return rows.map(([left, right]) => (left.length > 28 ? `  ${left}\n${' '.repeat(32)}${right}` : `  ${left.padEnd(30)}${right}`)).join('\n');
}

function helpText() {
  const { TOOLS } = require('./cli'); // which needs what needs this file
  const toolRows = Object.entries(TOOLS).map(([name, { form, help }]) => [`${name} ${form}`.trim(), help]);
  const optionRows = Object.entries(OPTIONS).map(([name, { value, help }]) => [value ? `${name} ${value}` : name, help]);
  const faultRows = Object.entries(FAULTS).map(([name, { value, help }]) => [name, `${help} [${value.form}]`]);
  const switchRows = Object.entries(SWITCHES).map(([name, { value, initial, help }]) => [name, `${help} [${value.form}; default ${initial}]`]);
  return `A local Azure IoT Hub: devices log in over MQTT, MQTT over WebSocket and TLS as they would in the cloud; their telemetry
is printed, messages, twins and methods work, and so does Microsoft's service SDK (HTTPS and AMQP).

Usage: node main.js [options]                 start a hub
       node main.js TOOL [--port N] [--json] ...    do something with a hub that runs

Tools:

${table(toolRows)}

Options:

${table(optionRows)}

Faults (--fault NAME=VALUE, or "fault NAME=VALUE" through --control; the value "off" ends one):

${table(faultRows)}

Switches (--switch NAME=VALUE), for what Microsoft's documents leave open:

${table(switchRows)}

Commands of --control, one per line on standard input, each answered by one line "ok ..." or "error ...":

${table(Object.entries(COMMANDS))}

Exit codes: 0 stopped in order; 1 a violation with --strict; 2 wrong use; 3 could not start; 4 an error of its own.
`;
}

module.exports = { OPTIONS, COMMANDS, parseOptions, nameAndValue, helpText };
