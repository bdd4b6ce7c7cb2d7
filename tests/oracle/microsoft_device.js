#!/usr/bin/env node
'use strict';
// Microsoft's device client behind the line protocol of README.md.

const fs = require('fs');
const readline = require('readline');
const { Client, ModuleClient, Message } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { Mqtt } = require('azure-iot-device-mqtt');
const { MqttWs } = require('azure-iot-device-mqtt');
const { readLine, writeLine } = require('./lines');

const say = (verb, fields) => process.stdout.write(`${writeLine(verb, fields)}\n`);

const SYSTEM = { mid: 'messageId', cid: 'correlationId', uid: 'userId', to: 'to', ct: 'contentType', ce: 'contentEncoding', ifid: 'interfaceId' };

class Unsupported extends Error {}

let client;
let isModule;
let twin;
const messages = []; // as they came; their numbers count from 1
const calls = [];

function messageFrom({ body, properties, ...fields }) {
  const message = new Message(body ?? '');
  for (const [short, name] of Object.entries(SYSTEM)) if (fields[short] !== undefined) message[name] = fields[short];
  for (const [name, value] of Object.entries(properties)) message.properties.add(name, value);
  return message;
}

function tell(event, message, more = {}) {
  messages.push(message);
  const system = Object.fromEntries(Object.entries(SYSTEM).filter(([, name]) => message[name] !== undefined && message[name] !== '').map(([short, name]) => [short, message[name]]));
  const properties = Object.fromEntries(message.properties.propertyList.map(({ key, value }) => [key, value]));
  say(event, { message: messages.length, ...more, body: message.getBytes ? Buffer.from(message.getBytes()) : Buffer.from(message.data), ...system, properties });
}

const takeC2d = () => client.on('message', (message) => { tell('c2d', message); client.complete(message, () => {}); });

const COMMANDS = {
  async open({ connection, port, ca, transport, model, cert, key, retry, c2d }) {
    isModule = /;ModuleId=/.test(connection);
    client = (isModule ? ModuleClient : Client).fromConnectionString(connection, transport === 'mqttws' ? MqttWs : Mqtt);
    twin = undefined;
    process.env.ORACLE_PORT = port; // for remap.js
    if (retry !== '1') client.setRetryPolicy(new NoRetry());
    client.on('error', () => {});
    const read = (file) => fs.readFileSync(file, 'utf8');
    await client.setOptions({ ...(ca ? { ca: read(ca) } : {}), ...(cert ? { cert: read(cert), key: read(key) } : {}), ...(model ? { modelId: model } : {}) });
    if (c2d === '1') takeC2d();
    await client.open();
  },

  async close() { await client.close(); },

  async send({ output, ...fields }) {
    const message = messageFrom(fields);
    if (output === undefined) await client.sendEvent(message);
    else await client.sendOutputEvent(output, message);
  },

  // The MQTT library below the SDK acknowledges each message as it arrives, so it cannot be held.
  async c2d({ hold }) {
    if (hold === '1') throw new Unsupported();
    takeC2d();
  },

  async input({ name, hold }) {
    if (hold === '1') throw new Unsupported();
    client.on('inputMessage', (input, message) => { if (input === name) { tell('input', message, { name: input }); client.complete(message, () => {}); } });
  },

  async settle() { throw new Unsupported(); },

  async twin() {
    twin = await client.getTwin();
    const { reported: { update, ...reported }, desired } = twin.properties;
    return { body: JSON.stringify({ desired, reported }) };
  },

  async desired() {
    twin = twin ?? await client.getTwin();
    twin.on('properties.desired', (patch) => say('desired', { body: JSON.stringify(patch) }));
  },

  async report({ body }) {
    twin = twin ?? await client.getTwin();
    await new Promise((resolve, reject) => { twin.properties.reported.update(JSON.parse(body.toString()), (error) => (error ? reject(error) : resolve())); });
  },

  async method({ name }) {
    const take = (request, response) => {
      calls.push(response);
      say('method', { call: calls.length, name: request.methodName, body: request.payload === undefined ? '' : JSON.stringify(request.payload) });
    };
    if (isModule) client.onMethod(name, take);
    else client.onDeviceMethod(name, take);
  },

  async answer({ call, status, body }) {
    const response = calls[Number(call) - 1];
    const payload = body === undefined || body.length === 0 ? undefined : JSON.parse(body.toString());
    await new Promise((resolve, reject) => { response.send(Number(status), payload, (error) => (error ? reject(error) : resolve())); });
  },
};

// What the runner may know of a failure.
function reasonOf(error) {
  const text = `${error.message} ${error.innerError?.message ?? ''}`;
  if (/self.signed|unable to (get|verify)|certificate/i.test(text)) return 'tls'; // which the SDK calls unauthorized, too
  return error.name === 'UnauthorizedError' ? 'unauthorized' : 'other';
}

async function run(line) {
  const { verb, n, ...fields } = readLine(line);
  try {
    if (!Object.hasOwn(COMMANDS, verb)) throw new Unsupported();
    say('done', { n, ...(await COMMANDS[verb](fields)) });
  } catch (error) {
    if (error instanceof Unsupported) say('unsupported', { n });
    else say('failed', { n, why: reasonOf(error), text: `${error.name}: ${error.message}` });
  }
}

const input = readline.createInterface({ input: process.stdin });
input.on('line', run);
input.on('close', () => process.exit(0));
