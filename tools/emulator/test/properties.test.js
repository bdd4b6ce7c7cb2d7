'use strict';

const test = require('node:test');
const assert = require('node:assert');
const { parseBag, percentDecode } = require('../properties');
const { parseUserName } = require('../protocols/mqtt_topics');

test('system and application properties are told apart after decoding', () => {
  assert.deepStrictEqual(parseBag('%24.mid=m-1&$.ct=application%2Fjson&room=lab%201&%24.x=y'), {
    system: { 'message-id': 'm-1', 'content-type': 'application/json', '$.x': 'y' },
    properties: { room: 'lab 1' },
  });
});

test('one leading "?" and one trailing "/" do not belong to the bag', () => {
  assert.deepStrictEqual(parseBag('?a=1/').properties, { a: '1' });
  assert.deepStrictEqual(parseBag('').properties, {});
  assert.deepStrictEqual(parseBag('/').properties, {});
});

test('a value may be missing, empty, or hold "="', () => {
  assert.deepStrictEqual(parseBag('none&empty=&two=a=b').properties, { none: null, empty: '', two: 'a=b' });
});

test('"__proto__" is a name like any other', () => {
  assert.deepStrictEqual(Object.entries(parseBag('__proto__=x').properties), [['__proto__', 'x']]);
});

test('both hex cases decode, "+" stays, broken escapes and broken UTF-8 stay', () => {
  assert.strictEqual(percentDecode('%c3%BC+%2f'), 'ü+/');
  assert.strictEqual(percentDecode('50%'), '50%');
  assert.strictEqual(percentDecode('%zz%41'), '%zzA');
  assert.strictEqual(percentDecode('%ff'), '%ff');
  assert.strictEqual(percentDecode('😀%20'), '😀 ');
});

test('the user name comes in three shapes, and ids may hold "?"', () => {
  assert.deepStrictEqual(parseUserName('h/d/?api-version=1&model-id=dtmi:x;1', 'd'), { hostName: 'h', apiVersion: '1', modelId: 'dtmi:x;1' });
  assert.deepStrictEqual(parseUserName('h/d?api-version=1', 'd'), { hostName: 'h', apiVersion: '1', modelId: null });
  assert.deepStrictEqual(parseUserName('h/d', 'd'), { hostName: 'h', apiVersion: null, modelId: null });
  assert.deepStrictEqual(parseUserName('h/d?x/m/?api-version=2', 'd?x/m'), { hostName: 'h', apiVersion: '2', modelId: null });
  assert.match(parseUserName('h/dd/?api-version=1', 'd').error, /does not name/);
  assert.match(parseUserName('h', 'd').error, /is not/);
});
