'use strict';
// WebSocket: the upgrade at "/$iothub/websocket", and the byte stream in its frames as a Duplex that MQTT and AMQP
// take for a link. The faults of frames happen here; `ws` checks what the client sends.

const { Duplex } = require('stream');
const { WebSocketServer } = require('ws');

const PATH = '/$iothub/websocket';
const PROTOCOLS = { mqtt: 'mqtt', amqpwsb10: 'amqp' };
const MESSAGE_SIZE_MAX = 1048576;

class WebSocketLink extends Duplex {
  // `lower` is the Link that carries the frames; counts, cuts and resets are its own.
  constructor(socket, lower, { faults, report }) {
    super({ allowHalfOpen: true });
    Object.assign(this, { socket, lower, faults, report });
    this.number = lower.number;
    this.sentOne = false;
    this.merging = [];
    socket.on('message', (data, isBinary) => this.received(data, isBinary));
    socket.on('pong', (data) => report('pong', { payload: data.toString('utf8') }));
    socket.on('ping', (data) => report('ping-frame', { size: data.length }));
    socket.on('error', (error) => this.failed(error));
    socket.on('close', (code) => this.closed(code));
    this.onFaultChange = (name) => { if (name === 'ws-ping') this.schedulePings(); if (name === 'ws-close') this.closeByFault(); };
    faults.on('change', this.onFaultChange);
    this.schedulePings();
  }

  get bytesIn() { return this.lower.bytesIn; }

  get bytesOut() { return this.lower.bytesOut; }

  get cutReason() { return this.lower.cutReason; }

  get errorText() { return this.lower.errorText; }

  get readingStopped() { return this.lower.readingStopped; }

  reset() { this.lower.reset(); }

  _read() { this.socket.resume(); }

  received(data, isBinary) {
    if (!isBinary) {
      this.report('violation', { reason: 'a text frame; MQTT and AMQP travel in binary ones' });
      this.socket.close(1003);
      return;
    }
    if (!this.push(data)) this.socket.pause();
  }

  // What `ws` says of a frame that breaks the rules; it closes by itself.
  failed(error) {
    if (!this.lower.cutReason && /^WS_ERR/.test(error.code ?? '')) this.report('violation', { reason: `WebSocket: ${error.message}` });
  }

  closed(code) {
    this.report('websocket-closed', { code });
    clearInterval(this.pings);
    if (!this.readableEnded) this.push(null);
    if (this.lower.destroyed) this.destroy();
    else this.lower.once('close', () => this.destroy());
  }

  // ---- Out

  _write(chunk, encoding, done) {
    if (!this.faults.isOn('ws-merge')) {
      this.flushMerged();
      this.sendMessage(chunk, done);
      return;
    }
    if (this.merging.length === 0) this.mergeTimer = setTimeout(() => this.flushMerged(), this.faults.get('ws-merge'));
    this.merging.push(chunk);
    done();
  }

  flushMerged() {
    clearTimeout(this.mergeTimer);
    if (this.merging.length > 0) this.sendMessage(Buffer.concat(this.merging.splice(0)), () => {});
  }

  sendMessage(chunk, done) {
    if (this.socket.readyState !== this.socket.OPEN) {
      done();
      return;
    }
    const size = this.faults.get('ws-split') ?? this.faults.get('ws-fragment') ?? chunk.length;
    const pieces = [];
    for (let at = 0; at < chunk.length; at += size) pieces.push(chunk.subarray(at, at + size));
    this.sendPieces(pieces, done);
  }

  // ws-fragment: frames of one message, a ping behind the first; ws-split: messages of their own.
  sendPieces(pieces, done) {
    const fragmented = this.faults.isOn('ws-fragment');
    pieces.forEach((piece, i) => {
      const last = i === pieces.length - 1;
      this.socket.send(piece, { binary: !this.faults.isOn('ws-text'), fin: !fragmented || last, mask: this.faults.isOn('ws-mask'), compress: false }, last ? () => done() : undefined);
      if (fragmented && !last && i === 0) this.socket.ping('between'); // one only: some clients take many for a flood
    });
    if (pieces.length === 0) done();
    this.sentOne = true;
    this.closeByFault();
  }

  closeByFault() {
    const code = this.faults.get('ws-close');
    if (code !== undefined && this.sentOne) this.socket.close(code, 'fault ws-close');
  }

  schedulePings() {
    clearInterval(this.pings);
    const every = this.faults.get('ws-ping');
    let count = 0;
    if (every !== undefined) this.pings = setInterval(() => { count += 1; this.socket.ping(`ping ${count}`); }, every);
  }

  _final(done) {
    this.flushMerged();
    this.socket.close(1000);
    done();
  }

  _destroy(error, done) {
    clearInterval(this.pings);
    clearTimeout(this.mergeTimer);
    this.faults.off('change', this.onFaultChange);
    this.socket.terminate();
    done(error);
  }
}

const refuse = (socket, status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);

// Which of the client's subprotocols is served; false when none.
const subprotocol = (offered) => [...offered].find((each) => Object.hasOwn(PROTOCOLS, each.toLowerCase())) ?? false;

// Answers the function for an HTTP server's "upgrade". `protocols` is { mqtt, amqp }, each (link, client) => void.
function upgrader(hub, protocols) {
  const server = new WebSocketServer({
    noServer: true, maxPayload: MESSAGE_SIZE_MAX, perMessageDeflate: false, allowSynchronousEvents: true,
    handleProtocols: (offered) => (hub.faults.get('ws-upgrade') === 'no-protocol' ? false : subprotocol(offered)),
  });
  server.on('headers', (headers) => {
    if (hub.faults.get('ws-upgrade') !== 'wrong-accept') return;
    const at = headers.findIndex((line) => /^Sec-WebSocket-Accept/i.test(line));
    headers.splice(at, 1, 'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=');
  });
  return (request, lower, head, client) => {
    const [path, query = ''] = request.url.split('?');
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim()).filter((each) => each !== '');
    const chosen = subprotocol(offered);
    const about = (event, fields) => hub.report({ event, connection: lower.number, ...fields });
    about('upgrade', { path, query, protocols: offered, host: request.headers.host ?? null });
    if (head.length > 0) about('violation', { reason: 'bytes behind the upgrade before it was answered' });
    const wanted = hub.faults.get('ws-upgrade');
    if (typeof wanted === 'number') { refuse(lower, `${wanted} Fault`); return; }
    if (wanted === 'silent') return;
    if (path !== PATH) { about('violation', { reason: `no WebSocket at "${path}"` }); refuse(lower, '404 Not Found'); return; }
    if (!chosen) { about('violation', { reason: `no subprotocol of IoT Hub in "${offered.join(', ')}"` }); refuse(lower, '400 Bad Request'); return; }
    server.handleUpgrade(request, lower, head, (socket) => {
      const protocol = PROTOCOLS[chosen.toLowerCase()];
      protocols[protocol](new WebSocketLink(socket, lower, { faults: hub.faults, report: about }), { ...client, protocol: `${protocol}-ws` });
    });
  };
}

module.exports = { upgrader, WebSocketLink, PATH };
