'use strict';
// One twin: tags, desired and reported properties, their versions and limits. It knows no protocol.

const { randomBytes } = require('crypto');

const LIMITS = {
  desired: 32768, reported: 32768, tags: 8192, depth: 10, key: 1024, text: 4096, integerLeast: -4503599627370496, integerMost: 4503599627370495,
};

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

class TwinError extends RangeError {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, errorCode: code });
  }
}

const invalid = (message) => new TwinError(400, 400004, message);

// Throws for what IoT Hub does not take. `null` is legal in a patch only, where it deletes.
function check(value, where, depth = 1) {
  if (typeof value === 'string' && Buffer.byteLength(value) > LIMITS.text) throw invalid(`${where}: a text of more than ${LIMITS.text} bytes`);
  if (Number.isInteger(value) && (value < LIMITS.integerLeast || value > LIMITS.integerMost)) throw invalid(`${where}: ${value} is out of range`);
  if (Array.isArray(value)) value.forEach((each, i) => check(each, `${where}[${i}]`, depth + 1));
  if (!isObject(value) && !Array.isArray(value)) return;
  if (depth > LIMITS.depth) throw invalid(`${where}: deeper than ${LIMITS.depth}`);
  if (Array.isArray(value)) return;
  for (const [key, member] of Object.entries(value)) {
    checkKey(key, where);
    check(member, `${where}.${key}`, depth + 1);
  }
}

function checkKey(key, where) {
  if (key === '' || Buffer.byteLength(key) > LIMITS.key) throw invalid(`${where}: a name of ${Buffer.byteLength(key)} bytes`);
  if (/[\x00-\x1f\x7f.$ ]/.test(key)) throw invalid(`${where}: the name "${key}" has a control character, ".", "$" or a space`);
}

// IoT Hub counts names and values: a number 8, a boolean 4.
function sizeOf(value) {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return 8;
  if (typeof value === 'boolean') return 4;
  if (Array.isArray(value)) return value.reduce((sum, each) => sum + sizeOf(each), 0);
  if (isObject(value)) return Object.entries(value).reduce((sum, [key, member]) => sum + Buffer.byteLength(key) + sizeOf(member), 0);
  return 0;
}

const setOwn = (object, key, value) => Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true }); // also "__proto__"

// A merge patch: null deletes, objects merge, everything else replaces. Answers a new object.
function merged(old, patch) {
  const result = {};
  for (const [key, value] of Object.entries(old)) if (!Object.hasOwn(patch, key)) setOwn(result, key, value);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) continue;
    const before = Object.hasOwn(old, key) && isObject(old[key]) ? old[key] : {};
    setOwn(result, key, isObject(value) ? merged(before, value) : value);
  }
  return result;
}

// When each member changed, as IoT Hub shows it; `version` only where it is given (desired).
function stamped(old, patch, now, version) {
  const stamp = () => ({ $lastUpdated: now, ...(version === undefined ? {} : { $lastUpdatedVersion: version }) });
  const result = { ...old, ...stamp() };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else setOwn(result, key, isObject(value) ? stamped(isObject(result[key]) ? result[key] : {}, value, now, version) : stamp());
  }
  return result;
}

const newEtag = () => randomBytes(6).toString('base64');

class Section {
  constructor(name, withVersions) {
    Object.assign(this, { name, withVersions, value: {}, version: 1, metadata: { $lastUpdated: '0001-01-01T00:00:00Z' } });
  }

  // `replace`: the patch is the whole of it.
  change(patch, { replace = false, baseVersion } = {}) {
    if (!isObject(patch)) throw invalid(`${this.name} properties are not a JSON object`);
    if (baseVersion !== undefined && baseVersion !== this.version) throw new TwinError(412, 412001, `the version is ${this.version}, not ${baseVersion}`);
    const plain = Object.fromEntries(Object.entries(patch).filter(([key]) => key !== '$version' && key !== '$metadata'));
    check(plain, this.name);
    const next = merged(replace ? {} : this.value, plain);
    if (sizeOf(next) > LIMITS[this.name]) throw new TwinError(413, 413001, `${this.name} properties of ${sizeOf(next)} bytes, more than ${LIMITS[this.name]}`);
    this.version += 1;
    const now = new Date().toISOString();
    this.metadata = stamped(replace ? {} : this.metadata, plain, now, this.withVersions ? this.version : undefined);
    this.value = next;
  }

  // `$version` comes last, `$metadata` when asked for.
  document({ metadata = false } = {}) {
    return { ...this.value, ...(metadata ? { $metadata: this.metadata } : {}), $version: this.version };
  }
}

class Twin {
  constructor() {
    this.desired = new Section('desired', true);
    this.reported = new Section('reported', false);
    this.tags = {};
    this.modelId = null;
    this.version = 1;
    this.etag = newEtag();
    this.desiredChanged = () => {}; // (patch with $version)
  }

  touch() {
    this.version += 1;
    this.etag = newEtag();
  }

  patchDesired(patch, options) {
    this.desired.change(patch, options);
    this.touch();
    this.desiredChanged({ ...(isObject(patch) ? patch : {}), $version: this.desired.version });
  }

  patchReported(patch, options) {
    this.reported.change(patch, options);
    this.touch();
  }

  changeTags(patch, { replace = false } = {}) {
    if (!isObject(patch)) throw invalid('tags are not a JSON object');
    check(patch, 'tags');
    const next = merged(replace ? {} : this.tags, patch);
    if (sizeOf(next) > LIMITS.tags) throw new TwinError(413, 413001, `tags of ${sizeOf(next)} bytes, more than ${LIMITS.tags}`);
    this.tags = next;
    this.touch();
  }

  // What a device sees: no tags, no "properties" around it.
  forDevice({ metadata }) { return { desired: this.desired.document({ metadata }), reported: this.reported.document({ metadata }) }; }
}

module.exports = { Twin, TwinError, LIMITS, merged, sizeOf };
