'use strict';
// One connection's clear-text byte stream, between TLS and a protocol. A protocol sees an ordinary Duplex;
// the faults of the byte stream (cuts, rates, splitting, merging, not reading) happen here, for every protocol alike.

const { Duplex } = require('stream');

const SLICES_PER_SECOND = 20; // a rate limit moves bytes in this many steps a second
const GRACE_MS = 2000; // how long a peer may take to close its side after we closed ours

const delay = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const sliceFor = (rate) => Math.max(1, Math.floor(rate / SLICES_PER_SECOND));

class Link extends Duplex {
  // `socket` is the TLS stream, `tcp` the plain socket below it (for resets).
  constructor({ number, socket, tcp, faults }) {
    super({ allowHalfOpen: true });
    Object.assign(this, { number, socket, tcp, faults });
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.backlog = Buffer.alloc(0); // received, not yet let through by rate-in or stop-reading
    this.delivering = false;
    this.closing = false; // we closed our side; what still arrives is dropped
    this.peerEnded = false;
    this.socketClosed = false;
    this.merging = [];
    this.sending = Promise.resolve();
    this.cutReason = null;
    this.readToCut = false; // cut-after-in has what it wants
    this.onFaultChange = (name) => { if (name === 'stop-reading' || name === 'rate-in') this.deliver(); };
    faults.on('change', this.onFaultChange);
    socket.on('data', (chunk) => this.received(chunk));
    socket.on('end', () => { this.peerEnded = true; this.deliver(); });
    socket.on('error', (error) => { this.errorText = this.errorText ?? error.code ?? error.message; });
    socket.on('close', () => { this.socketClosed = true; this.deliver(); });
    socket.pause();
  }

  get readingStopped() { return this.faults.isOn('stop-reading'); }

  _read() {
    this.wanted = true;
    this.deliver();
  }

  received(chunk) {
    if (this.closing) return;
    this.backlog = Buffer.concat([this.backlog, chunk]);
    this.socket.pause();
    this.deliver();
  }

  // Hands received bytes on, in slices when rate-in is set, and cuts exactly where cut-after-in says.
  async deliver() {
    if (this.delivering || this.destroyed) return;
    this.delivering = true;
    while (this.backlog.length > 0 && this.wanted && !this.readingStopped && !this.readToCut && !this.cutReason) {
      const rate = this.faults.get('rate-in');
      const left = this.bytesUntilCut('cut-after-in', this.bytesIn);
      const size = Math.min(this.backlog.length, left, rate ? sliceFor(rate) : Infinity);
      const slice = this.backlog.subarray(0, size);
      this.backlog = this.backlog.subarray(size);
      this.bytesIn += size;
      if (size > 0) this.wanted = this.push(slice);
      if (size === left && this.faults.mayCut()) {
        this.readToCut = true;
        setImmediate(() => this.cut('cut-after-in')); // the protocol sees the last bytes first
        break;
      }
      if (rate) await delay((size * 1000) / rate);
    }
    this.delivering = false;
    const stuck = this.readingStopped || this.readToCut || this.cutReason !== null;
    if (this.socketClosed && (stuck || this.backlog.length === 0)) setImmediate(() => this.destroy());
    else if (stuck || this.backlog.length > 0 || this.destroyed) return;
    else if (this.peerEnded) this.push(null);
    else this.socket.resume();
  }

  // Infinity when no cut is due; a connection that is already past the mark is cut at its next byte.
  bytesUntilCut(name, done) {
    const mark = this.faults.get(name);
    const exhausted = this.faults.cutsDone >= (this.faults.get('cut-connections') ?? Infinity);
    return mark === undefined || exhausted ? Infinity : Math.max(0, mark - done);
  }

  _write(chunk, encoding, done) {
    if (!this.faults.isOn('merge-out')) {
      this.flushMerged();
      this.enqueue(chunk).then(() => done(), done);
      return;
    }
    if (this.merging.length === 0) {
      this.mergeTimer = setTimeout(() => this.flushMerged(), this.faults.get('merge-out'));
    }
    this.merging.push(chunk);
    done();
  }

  flushMerged() {
    clearTimeout(this.mergeTimer);
    return this.enqueue(Buffer.concat(this.merging.splice(0)));
  }

  // One after the other, so that a slow or split write is not interleaved with the next.
  enqueue(bytes) {
    this.sending = this.sending.then(() => this.send(bytes));
    return this.sending;
  }

  async send(bytes) {
    let rest = bytes;
    while (rest.length > 0 && !this.destroyed && !this.cutReason) {
      const rate = this.faults.get('rate-out');
      const left = this.bytesUntilCut('cut-after-out', this.bytesOut);
      const size = Math.min(rest.length, left, this.faults.get('split-out') ?? Infinity, rate ? sliceFor(rate) : Infinity);
      if (size > 0) await this.writeToSocket(rest.subarray(0, size));
      rest = rest.subarray(size);
      if (size === left && this.faults.mayCut()) this.cut('cut-after-out');
      if (rate) await delay((size * 1000) / rate);
    }
  }

  writeToSocket(bytes) {
    if (this.socket.destroyed) return Promise.resolve();
    this.bytesOut += bytes.length;
    return new Promise((resolve) => { this.socket.write(bytes, () => resolve()); });
  }

  _final(done) {
    this.flushMerged().then(() => { this.closeInOrder(); done(); }, done);
  }

  closeInOrder() {
    this.closing = true;
    if (this.socket.destroyed) return;
    this.socket.end();
    this.socket.resume(); // what still arrives is read and dropped, so that the kernel does not answer with a reset
    this.graceTimer = setTimeout(() => this.socket.destroy(), GRACE_MS);
    this.graceTimer.unref();
  }

  cut(faultName) {
    if (this.cutReason || this.destroyed) return;
    const how = this.faults.get('cut-how') ?? 'fin';
    this.cutReason = `fault ${faultName}=${this.faults.get(faultName)} (${how})`;
    if (how === 'rst') this.reset();
    else if (how === 'truncate') this.socket.destroy();
    else this.closeInOrder();
  }

  reset() {
    this.tcp.resetAndDestroy();
    this.destroy(); // not every Node version tells the TLS socket that the one below it is gone
  }

  _destroy(error, done) {
    this.faults.off('change', this.onFaultChange);
    clearTimeout(this.mergeTimer);
    clearTimeout(this.graceTimer);
    this.socket.destroy();
    done(error);
  }
}

module.exports = { Link };
