#!/usr/bin/env node
'use strict';
// Microsoft's service client, azure-iothub, for the runner: one JSON object per line, { n, call, args } -> { n, result | error };
// feedback comes as { feedback }. AMQP or AMQP over WebSocket, as the second argument says.

const readline = require('readline');
const { Client, Registry } = require('azure-iothub');
const { Message } = require('azure-iot-common');

const [connection, transport] = process.argv.slice(2);
const registry = Registry.fromConnectionString(connection);
const client = Client.fromConnectionString(connection, transport === 'AmqpWs' ? require('azure-iothub').AmqpWs : undefined);

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const body = ({ responseBody }) => responseBody;

const CALLS = {
  async open() { await client.open(); },
  async close() { await client.close(); },

  async send(device, { text, ...fields }) {
    const message = new Message(text);
    const { properties = {}, ...system } = fields;
    Object.assign(message, system);
    for (const [name, value] of Object.entries(properties)) message.properties.add(name, value);
    await client.send(device, message);
  },

  async feedback() {
    const receiver = await new Promise((resolve, reject) => { client.getFeedbackReceiver((error, found) => (error ? reject(error) : resolve(found))); });
    receiver.on('message', ({ data }) => say({ feedback: JSON.parse(data.toString()) }));
  },

  async method(id, params) {
    const [device, module] = id.split('/');
    const { result } = await (module === undefined ? client.invokeDeviceMethod(device, params) : client.invokeDeviceMethod(device, module, params));
    return result;
  },

  async create(device) { return body(await registry.create(device)); },
  async get(id) { return body(await registry.get(id)); },
  async update(device) { return body(await registry.update(device)); },
  async list() { return body(await registry.list()); },
  async delete(id) { await registry.delete(id); },
  async addModule(module) { return body(await registry.addModule(module)); },
  async getModule(device, module) { return body(await registry.getModule(device, module)); },
  async modules(device) { return body(await registry.getModulesOnDevice(device)); },
  async removeModule(device, module) { await registry.removeModule(device, module); },
  async twin(id) {
    const [device, module] = id.split('/');
    const twin = body(await (module === undefined ? registry.getTwin(device) : registry.getModuleTwin(device, module)));
    return plain(twin);
  },
  async updateTwin(id, patch, etag = '*') {
    const [device, module] = id.split('/');
    return plain(body(await (module === undefined ? registry.updateTwin(device, patch, etag) : registry.updateModuleTwin(device, module, patch, etag))));
  },
  async query(text) { return (await registry.createQuery(text, 100).nextAsTwin()).result.map(plain); },
  async statistics() { return body(await registry.getRegistryStatistics()); },
};

// A Twin of the SDK drags its registry along.
const plain = ({ deviceId, moduleId, etag, tags, properties, modelId, version, connectionState }) => ({ deviceId, moduleId, etag, tags, properties, modelId, version, connectionState });

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { n, call, args } = JSON.parse(line);
  try {
    say({ n, result: await CALLS[call](...args) ?? null });
  } catch (error) {
    say({ n, error: { name: error.name, message: error.message } });
  }
}).on('close', () => process.exit(0));
