'use strict';
// As much of the query language as tests and first steps need: SELECT * FROM devices [WHERE deviceId = 'x'], and
// devices.modules. `AND` joins comparisons with = and !=.

const { badRequest } = require('./errors');

const FORM = /^\s*SELECT\s+\*\s+FROM\s+(devices|devices\.modules)(?:\s+WHERE\s+(.+?))?\s*$/is;
const COMPARISON = /^\s*([A-Za-z_][\w.]*)\s*(=|!=|<>)\s*(?:'([^']*)'|"([^"]*)"|(-?\d+(?:\.\d+)?)|(true|false))\s*$/i;

const at = (twin, path) => path.split('.').reduce((value, name) => (value !== null && typeof value === 'object' && Object.hasOwn(value, name) ? value[name] : undefined), twin);

function comparison(text) {
  const match = COMPARISON.exec(text);
  if (!match) throw badRequest(`the emulator does not know the condition "${text.trim()}"`);
  const [, path, operator, single, double, number, truth] = match;
  const wanted = single ?? double ?? (number === undefined ? truth.toLowerCase() === 'true' : Number(number));
  return (twin) => (at(twin, path) === wanted) === (operator === '=');
}

// `entries` are { isModule, twin }. Answers { rows, type }.
function runQuery(text, entries) {
  const match = typeof text === 'string' ? FORM.exec(text) : null;
  if (!match) throw badRequest('the emulator knows SELECT * FROM devices [WHERE ...] and SELECT * FROM devices.modules [WHERE ...] only');
  const modules = match[1].toLowerCase() === 'devices.modules';
  const conditions = match[2] === undefined ? [] : match[2].split(/\s+AND\s+/i).map(comparison);
  const rows = entries.filter(({ isModule, twin }) => isModule === modules && conditions.every((holds) => holds(twin))).map(({ twin }) => twin);
  return { rows, type: 'twin' };
}

module.exports = { runQuery };
