'use strict';
// Faults: ways in which this hub can be made to misbehave, at start (--fault) or while it runs (--control).
// This file holds the table and the current values. link.js does the faults of the byte stream, listener.js those
// of TCP, the protocols those of packets. --help and README print this same table.

const { EventEmitter } = require('events');
const { number, choice, either, perSeconds, errorCode, anyText } = require('./values');

const ON = choice('on');
const MS = number(0, 3600000);

const FAULTS = {
  'refuse-tcp': { value: ON, help: 'Accept each TCP connection and close it at once, before TLS.' },
  'cut-after-in': { value: number(0, Infinity), help: 'Cut a connection after N clear-text bytes received on it (the first N bytes still count).' },
  'cut-after-out': { value: number(0, Infinity), help: 'Cut a connection after N clear-text bytes sent on it.' },
  'cut-how': { value: choice('fin', 'rst', 'truncate'), help: 'How the two above cut: TLS close and FIN (default), TCP reset, or FIN without TLS close.' },
  'cut-connections': { value: number(1, Infinity), help: 'Cut only this many connections, then leave the rest alone.' },
  'rate-in': { value: number(1, Infinity), help: 'Read at most this many bytes a second.' },
  'rate-out': { value: number(1, Infinity), help: 'Write at most this many bytes a second.' },
  'split-out': { value: number(1, Infinity), help: 'Write at most N bytes at a time (each its own TLS record).' },
  'merge-out': { value: number(1, 3600000), help: 'Collect what is written for this many milliseconds and send it in one write.' },
  'stop-reading': { value: ON, help: 'Stop reading from all connections (the keep-alive clock stands still meanwhile). Off: go on.' },
  silent: { value: ON, help: 'Take everything, answer nothing: no CONNACK, PUBACK, SUBACK or PINGRESP.' },
  connack: { value: either(number(1, 255), choice('close', 'hold')), help: 'Answer CONNECT with this code and close; close without an answer; or never answer (that connection stays unanswered).' },
  'connack-delay': { value: MS, help: 'Wait this many milliseconds before CONNACK.' },
  'connack-how': { value: choice('rst'), help: 'After a refusing CONNACK reset the TCP connection, instead of closing it in order.' },
  'refuse-pipelined': { value: ON, help: 'Refuse with CONNACK 5 a client that sends more before it has its CONNACK.' },
  'drop-session': { value: ON, help: 'Forget the stored session at each CONNECT (session present is then always 0).' },
  puback: { value: choice('withhold'), help: 'Take messages but hold back their PUBACKs. Off: send those held.' },
  'puback-delay': { value: MS, help: 'Send each PUBACK this many milliseconds late.' },
  'puback-reorder': { value: number(2, 65535), help: 'Collect N PUBACKs, then send them in reverse order.' },
  'puback-merge': { value: number(2, 65535), help: 'Collect N PUBACKs, then send them in one write.' },
  pingresp: { value: choice('withhold'), help: 'Leave PINGREQ unanswered.' },
  'pingresp-delay': { value: MS, help: 'Send each PINGRESP this many milliseconds late.' },
  throttle: { value: perSeconds, help: 'Let through N messages a second (N/S: N in S seconds): PUBACKs come at that pace, and a backlog of ten times N closes the connection, as the hub does.' },
  poison: { value: anyText, help: 'Close the connection after each message whose body contains this text, without PUBACK.' },
  suback: { value: choice('refuse', 'withhold'), help: 'Refuse each filter with 0x80, or leave SUBSCRIBE unanswered (the subscription counts).' },
  'suback-delay': { value: MS, help: 'Send each SUBACK this many milliseconds late.' },
  'suback-filter': { value: anyText, help: 'The two above only for filters that contain this text.' },
  'twin-get': { value: either(errorCode, choice('withhold', 'lose')), help: 'Answer twin GETs with this error; or not at all.' },
  'twin-patch': { value: either(errorCode, choice('withhold', 'lose')), help: 'Answer reported PATCHes with this error; take them without an answer; or lose them.' },
  'twin-delay': { value: MS, help: 'Answer each twin request this many milliseconds late.' },
  'twin-requests': { value: number(1, Infinity), help: 'The three above only for the next N twin requests.' },
  desired: { value: choice('lose', 'twice'), help: 'Lose the notifications of desired changes, or send each twice.' },
  'desired-delay': { value: MS, help: 'Send each notification of a desired change this many milliseconds late.' },
  c2d: { value: choice('withhold', 'twice'), help: 'Keep messages to devices and modules back (off: send them), or send each twice, the second time with DUP.' },
  method: { value: choice('twice', 'lose'), help: 'Send each method request twice, or lose it.' },
  'ws-upgrade': { value: either(number(400, 599), choice('wrong-accept', 'no-protocol', 'silent')), help: 'Answer WebSocket upgrades with this status; with a wrong Sec-WebSocket-Accept; without a subprotocol; or not at all.' },
  'ws-fragment': { value: number(1, Infinity), help: 'Send each WebSocket message in fragments of N bytes, a ping behind the first.' },
  'ws-split': { value: number(1, Infinity), help: 'Send WebSocket messages of N bytes at most, whatever packets are in them.' },
  'ws-merge': { value: number(1, 3600000), help: 'Collect what is written for this many milliseconds and send it in one WebSocket message.' },
  'ws-ping': { value: number(1, 3600000), help: 'Send a WebSocket ping each so many milliseconds (each answer is an event "pong").' },
  'ws-close': { value: number(1000, 4999), help: 'Close each WebSocket with this code once something was sent on it.' },
  'ws-mask': { value: ON, help: 'Mask the frames, which a server must not.' },
  'ws-text': { value: ON, help: 'Send text frames.' },
  'expire-tokens': { value: either(number(1, 31536000), choice('now')), help: 'Seconds after CONNECT at which each SAS token counts as expired; "now" expires and cuts those in use, once.' },
};

class Faults extends EventEmitter {
  constructor() {
    super();
    this.setMaxListeners(0); // every open connection listens
    this.values = new Map();
    this.texts = new Map(); // the same as they were written, for list()
    this.cutsDone = 0;
    this.twinRequestsDone = 0;
  }

  // Throws a RangeError whose message is fit for the person who typed it.
  set(name, text) {
    const entry = Object.hasOwn(FAULTS, name) && FAULTS[name];
    if (!entry) throw new RangeError(`there is no fault "${name}"; --help lists them`);
    const parsed = text === 'off' ? undefined : entry.value.parse(text);
    if (parsed === undefined && text !== 'off') throw new RangeError(`fault ${name}: "${text}" is not ${entry.value.form}, or off`);
    if (name.startsWith('cut-')) this.cutsDone = 0;
    if (name.startsWith('twin-')) this.twinRequestsDone = 0;
    const isAction = name === 'expire-tokens' && parsed === 'now';
    this.values.delete(name);
    this.texts.delete(name);
    if (parsed !== undefined && !isAction) {
      this.values.set(name, parsed);
      this.texts.set(name, text);
    }
    this.emit('change', name, parsed);
  }

  get(name) { return this.values.get(name); }

  isOn(name) { return this.values.has(name); }

  // Asked when a connection reaches its cut; counts the cuts for "cut-connections".
  mayCut() {
    if (this.cutsDone >= (this.get('cut-connections') ?? Infinity)) return false;
    this.cutsDone += 1;
    return true;
  }

  // Asked at each twin request; counts them for "twin-requests".
  mayDisturbTwin() {
    if (this.twinRequestsDone >= (this.get('twin-requests') ?? Infinity)) return false;
    this.twinRequestsDone += 1;
    return true;
  }

  list() { return Object.fromEntries(this.texts); }
}

module.exports = { FAULTS, Faults };
