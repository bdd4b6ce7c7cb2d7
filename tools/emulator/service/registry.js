'use strict';
// Devices and modules as the service's JSON writes them.

const { Identity, checkId, checkKey, checkThumbprint, randomKey } = require('../identities');
const { badRequest } = require('./errors');

const NEVER = '0001-01-01T00:00:00Z';
const TYPES = { sas: 'sas', thumbprint: 'selfSigned', ca: 'certificateAuthority' };

function deviceObject(identity) {
  const { auth, registry } = identity;
  const [primaryKey = null, secondaryKey = null] = auth.type === 'sas' ? auth.keys : [];
  const [primaryThumbprint = null, secondaryThumbprint = null] = auth.type === 'thumbprint' ? auth.thumbprints : [];
  return {
    deviceId: identity.deviceId, ...(identity.moduleId === null ? {} : { moduleId: identity.moduleId, managedBy: null }), generationId: registry.generationId, etag: registry.etag,
    connectionState: identity.connection ? 'Connected' : 'Disconnected', status: identity.enabled ? 'enabled' : 'disabled', statusReason: registry.statusReason,
    connectionStateUpdatedTime: registry.connectionUpdated ?? NEVER, statusUpdatedTime: registry.statusUpdated ?? NEVER, lastActivityTime: registry.lastActivity ?? NEVER,
    cloudToDeviceMessageCount: identity.mailbox.messages.length,
    authentication: { symmetricKey: { primaryKey, secondaryKey }, x509Thumbprint: { primaryThumbprint, secondaryThumbprint }, type: TYPES[auth.type] },
    ...(identity.moduleId === null ? { capabilities: { iotEdge: registry.edge } } : {}),
  };
}

// Keys that are not given are those of before, or made up.
function readAuth(id, written = {}, before = undefined) {
  const { symmetricKey, x509Thumbprint } = written;
  const thumbprints = [x509Thumbprint?.primaryThumbprint, x509Thumbprint?.secondaryThumbprint].filter(Boolean);
  const type = written.type ?? (thumbprints.length > 0 ? 'selfSigned' : 'sas');
  if (type === 'certificateAuthority') return { type: 'ca' };
  if (type === 'selfSigned') {
    if (thumbprints.length === 0) throw badRequest('selfSigned needs a thumbprint');
    thumbprints.forEach((each) => checkThumbprint(id, each));
    return { type: 'thumbprint', thumbprints };
  }
  if (type !== 'sas') throw badRequest(`the emulator has no authentication "${type}"`);
  const old = before?.auth.type === 'sas' ? before.auth.keys : [];
  const keys = [symmetricKey?.primaryKey || old[0] || randomKey(), symmetricKey?.secondaryKey || old[1] || randomKey()];
  keys.forEach((key) => checkKey(id, key));
  return { type: 'sas', keys };
}

// From a PUT's body, or an entry of a bulk request. Answers an Identity; `before` fills what is not written.
function readDevice(id, written, before) {
  if (written === null || typeof written !== 'object') throw badRequest('a device is a JSON object');
  const { deviceId, moduleId, status = 'enabled', statusReason = null, authentication, capabilities } = written;
  const writtenId = moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`;
  if (deviceId !== undefined && writtenId !== id) throw badRequest(`the body is for "${writtenId}", the path for "${id}"`);
  if (!['enabled', 'disabled'].includes(status)) throw badRequest(`status "${status}" is neither enabled nor disabled`);
  try {
    checkId(id, id.includes('/'));
    const identity = new Identity({ id, enabled: status === 'enabled', auth: readAuth(id, authentication ?? {}, before) });
    Object.assign(identity.registry, { statusReason, edge: capabilities?.iotEdge === true });
    return identity;
  } catch (error) {
    throw error instanceof RangeError ? badRequest(error.message) : error;
  }
}

module.exports = { deviceObject, readDevice };
