'use strict';
// The REST of the service side, as azure-iothub uses it: registry of devices and modules, twins, queries, direct methods.

const { HttpError, badRequest } = require('./errors');
const { deviceObject, readDevice } = require('./registry');
const { runQuery } = require('./query');

const TOP_DEFAULT = 1000;

function parseBody(body) {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw badRequest(`the body is not JSON (${error.message})`);
  }
}

const notFound = (id) => (id.includes('/')
  ? new HttpError(404, 404010, 'ModuleNotFound', `there is no module ${id}`)
  : new HttpError(404, 404001, 'DeviceNotFound', `there is no device ${id}`));

function find(hub, { device, module }) {
  const id = module === undefined ? device : `${device}/${module}`;
  const identity = hub.identities.get(id);
  if (!identity) throw notFound(id);
  return identity;
}

// "If-Match": a quoted or bare etag, or "*".
function checkEtag(request, etag) {
  const wanted = request.headers['if-match']?.replace(/^"(.*)"$/s, '$1');
  if (wanted !== undefined && wanted !== '*' && wanted !== etag) throw new HttpError(412, 412001, 'PreconditionFailed', `the etag is "${etag}", not "${wanted}"`);
}

// ---- Registry

const getIdentity = (hub, names) => ({ status: 200, body: deviceObject(find(hub, names)) });

// Without If-Match it creates, with it it changes.
function putIdentity(hub, names, { request, body }) {
  const id = names.module === undefined ? names.device : `${names.device}/${names.module}`;
  const known = hub.identities.get(id);
  const description = parseBody(body);
  if (request.headers['if-match'] === undefined) {
    if (known) throw new HttpError(409, 409001, names.module === undefined ? 'DeviceAlreadyExists' : 'ModuleAlreadyExistsOnDevice', `${id} exists already`);
    if (names.module !== undefined) find(hub, { device: names.device });
    hub.add(readDevice(id, description));
  } else {
    if (!known) throw notFound(id);
    checkEtag(request, known.registry.etag);
    hub.update(known, readDevice(id, description, known));
  }
  return getIdentity(hub, names);
}

function deleteIdentity(hub, names, { request }) {
  const identity = find(hub, names);
  checkEtag(request, identity.registry.etag);
  hub.remove(identity.id);
  return { status: 204 };
}

function listDevices(hub, names, { url }) {
  const top = url.searchParams.has('top') ? Number(url.searchParams.get('top')) : TOP_DEFAULT;
  if (!Number.isInteger(top) || top < 1) throw badRequest('top is not a number from 1');
  return { status: 200, body: [...hub.identities.values()].filter(({ moduleId }) => moduleId === null).slice(0, top).map(deviceObject) };
}

function listModules(hub, { device }) {
  find(hub, { device });
  return { status: 200, body: [...hub.identities.values()].filter(({ deviceId, moduleId }) => deviceId === device && moduleId !== null).map(deviceObject) };
}

// Many at once: each by itself, so that some may fail.
const BULK = {
  create: (hub, id, entry, known) => {
    if (known) throw new HttpError(409, 409001, 'DeviceAlreadyExists', `${id} exists already`);
    hub.add(readDevice(id, entry));
  },
  update: (hub, id, entry, known) => hub.update(known ?? find(hub, { device: id }), readDevice(id, entry, known)),
  delete: (hub, id) => { find(hub, { device: id }); hub.remove(id); },
};
BULK.updateIfMatchETag = BULK.update;
BULK.deleteIfMatchETag = BULK.delete;

function bulk(hub, names, { body }) {
  const entries = parseBody(body);
  if (!Array.isArray(entries) || entries.length > 100) throw badRequest('the body is not a list of at most 100 devices');
  const errors = [];
  for (const entry of entries) {
    try {
      const known = hub.identities.get(entry.id);
      if (!Object.hasOwn(BULK, entry.importMode)) throw badRequest(`importMode "${entry.importMode}" is unknown`);
      if (/IfMatch/.test(entry.importMode) && known) checkEtag({ headers: { 'if-match': entry.eTag } }, known.registry.etag);
      BULK[entry.importMode](hub, entry.id, entry, known);
    } catch (error) {
      errors.push({ deviceId: entry.id, errorCode: error.codeName ?? 'ArgumentInvalid', errorStatus: error.message });
    }
  }
  return { status: errors.length === 0 ? 200 : 400, body: { isSuccessful: errors.length === 0, errors, warnings: [] } };
}

// ---- Twins

const twinAnswer = (identity) => ({ status: 200, body: hubTwin(identity) });

function hubTwin(identity) {
  const { twin, deviceId, moduleId, registry } = identity;
  return {
    deviceId, ...(moduleId === null ? {} : { moduleId }), etag: twin.etag, deviceEtag: registry.etag, status: identity.enabled ? 'enabled' : 'disabled',
    statusUpdateTime: registry.statusUpdated, connectionState: identity.connection ? 'Connected' : 'Disconnected', lastActivityTime: registry.lastActivity,
    cloudToDeviceMessageCount: identity.mailbox.messages.length, authenticationType: deviceObject(identity).authentication.type,
    ...(twin.modelId === null ? {} : { modelId: twin.modelId }), version: twin.version, tags: twin.tags,
    properties: { desired: twin.desired.document({ metadata: true }), reported: twin.reported.document({ metadata: true }) }, capabilities: { iotEdge: registry.edge },
  };
}

const getTwin = (hub, names) => twinAnswer(find(hub, names));

// PATCH merges, PUT replaces; what is not there stays as it is.
const changeTwin = (replace) => (hub, names, { request, body }) => {
  const identity = find(hub, names);
  const { twin } = identity;
  checkEtag(request, twin.etag);
  const { tags, properties } = parseBody(body) ?? {};
  if (tags !== undefined && tags !== null) twin.changeTags(tags, { replace });
  if (properties?.desired !== undefined) twin.patchDesired(properties.desired, { replace });
  return twinAnswer(identity);
};

function query(hub, names, { request, body }) {
  const { query: text } = parseBody(body);
  const { rows, type } = runQuery(text, [...hub.identities.values()].map((identity) => ({ isModule: identity.moduleId !== null, twin: hubTwin(identity) })));
  const start = Number(request.headers['x-ms-continuation'] ?? 0);
  const size = Number(request.headers['x-ms-max-item-count'] ?? rows.length);
  if (!(start >= 0) || !(size >= 1 || rows.length === 0)) throw badRequest('x-ms-continuation or x-ms-max-item-count is not a number');
  const more = start + size < rows.length ? { 'x-ms-continuation': String(start + size) } : {};
  return { status: 200, body: rows.slice(start, start + size), headers: { 'x-ms-item-type': type, ...more } };
}

// ---- Methods

async function callMethod(hub, names, { body }) {
  const identity = find(hub, names);
  const { methodName, payload, responseTimeoutInSeconds: responseTimeoutS = 30, connectTimeoutInSeconds: connectTimeoutS = 0 } = parseBody(body);
  if (typeof methodName !== 'string') throw badRequest('methodName is not a text');
  if (!(responseTimeoutS >= 5 && responseTimeoutS <= 300)) throw badRequest('responseTimeoutInSeconds is not from 5 to 300');
  if (!(connectTimeoutS >= 0 && connectTimeoutS <= 300)) throw badRequest('connectTimeoutInSeconds is not from 0 to 300');
  const request = payload === undefined ? undefined : Buffer.from(JSON.stringify(payload));
  const answer = await identity.calls.call({ name: methodName, body: request, responseTimeoutS, connectTimeoutS });
  return { status: 200, body: { status: answer.status, payload: payloadOf(answer.body) } };
}

function payloadOf(body) {
  if (body.length === 0) return null;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new HttpError(502, 502000, 'BadDeviceResponse', 'the device answered something that is not JSON');
  }
}

const statistics = (hub) => {
  const devices = [...hub.identities.values()].filter(({ moduleId }) => moduleId === null);
  const enabledDeviceCount = devices.filter(({ enabled }) => enabled).length;
  return { status: 200, body: { totalDeviceCount: devices.length, enabledDeviceCount, disabledDeviceCount: devices.length - enabledDeviceCount } };
};

const serviceStatistics = (hub) => ({ status: 200, body: { connectedDeviceCount: [...hub.identities.values()].filter(({ connection }) => connection).length } });

// ---- Routes; ":x" is a percent-encoded name.

const ROUTES = [
  ['GET', '/devices', listDevices], ['POST', '/devices', bulk], ['POST', '/devices/query', query],
  ['GET', '/devices/:device', getIdentity], ['PUT', '/devices/:device', putIdentity], ['DELETE', '/devices/:device', deleteIdentity],
  ['DELETE', '/devices/:device/commands', (hub, names) => ({ status: 200, body: { totalMessagesPurged: find(hub, names).mailbox.purge(), deviceId: names.device } })],
  ['GET', '/devices/:device/modules', listModules],
  ...[['GET', getIdentity], ['PUT', putIdentity], ['DELETE', deleteIdentity]].map(([verb, work]) => [verb, '/devices/:device/modules/:module', work]),
  ...['/twins/:device', '/twins/:device/modules/:module'].flatMap((path) => [
    ['GET', path, getTwin], ['PATCH', path, changeTwin(false)], ['PUT', path, changeTwin(true)], ['POST', `${path}/methods`, callMethod],
  ]),
  ['GET', '/statistics/devices', statistics], ['GET', '/statistics/service', serviceStatistics],
].map(([verb, path, work]) => ({ verb, work, form: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`, 'i') }));

function decodeNames(groups = {}) {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]));
  } catch (error) {
    throw badRequest('a broken percent escape in the path');
  }
}

// Answers { status, body, headers }, or throws an HttpError. What else it throws has a `status`, or is the emulator's own.
async function answerRest(hub, request, url, body) {
  const routes = ROUTES.filter(({ form }) => form.test(url.pathname));
  if (routes.length === 0) throw new HttpError(404, 404000, 'NotFound', `nothing is at ${url.pathname}; the README lists what the emulator has`);
  const route = routes.find(({ verb }) => verb === request.method);
  if (!route) throw new HttpError(405, 405000, 'MethodNotAllowed', `${request.method} does not go with ${url.pathname}`);
  if (!url.searchParams.has('api-version')) throw badRequest('api-version is missing');
  return route.work(hub, decodeNames(route.form.exec(url.pathname).groups), { request, url, body });
}

module.exports = { answerRest, hubTwin };
