'use strict';
// The line protocol between the runner and a device program: a verb, then NAME=VALUE, everything percent-encoded.

const encode = (text) => encodeURIComponent(String(text)).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const decode = (text) => decodeURIComponent(text);

// Bytes that are not text travel in escapes, too.
const encodeBytes = (bytes) => Array.from(bytes, (byte) => (/[A-Za-z0-9\-_.~]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)).join('');
const decodeBytes = (text) => Buffer.from(text.replace(/%([0-9A-Fa-f]{2})/g, (all, hex) => String.fromCharCode(parseInt(hex, 16))), 'latin1');

// `fields` may hold text, numbers, Buffers, and one `properties` object, whose members become "p.NAME".
function writeLine(verb, fields = {}) {
  const { properties = {}, ...rest } = fields;
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  const pair = (name, value) => `${name}=${Buffer.isBuffer(value) ? encodeBytes(value) : encode(value)}`;
  return [verb, ...given.map(([name, value]) => pair(name, value)), ...Object.entries(properties).map(([name, value]) => pair(`p.${encode(name)}`, value))].join(' ');
}

// Answers { verb, properties, ... }; `body` is a Buffer, everything else text.
function readLine(line) {
  const [verb, ...pairs] = line.trim().split(' ');
  const result = { verb, properties: {} };
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new Error(`"${pair}" is not NAME=VALUE`);
    const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
    if (name.startsWith('p.')) result.properties[decode(name.slice(2))] = decode(value);
    else result[name] = name === 'body' ? decodeBytes(value) : decode(value);
  }
  return result;
}

module.exports = { writeLine, readLine };
