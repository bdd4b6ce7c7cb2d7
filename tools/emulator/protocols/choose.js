'use strict';
// One port for everything: the first bytes of a connection tell which protocol it speaks.

const HTTP_STARTS = ['GET ', 'PUT ', 'POST ', 'PATCH ', 'DELETE ', 'HEAD ', 'OPTIONS '];
const AMQP_START = 'AMQP';

// 'http', 'amqp', 'mqtt', or null when more bytes are needed. What is neither of the first two is MQTT's to complain about.
function protocolOf(bytes) {
  const text = bytes.subarray(0, 8).toString('latin1');
  const begins = (start) => start.startsWith(text.slice(0, start.length)) && text !== '';
  if (text === '') return null;
  const candidates = [[AMQP_START, 'amqp'], ...HTTP_STARTS.map((start) => [start, 'http'])].filter(([start]) => begins(start));
  if (candidates.length === 0) return 'mqtt';
  const complete = candidates.find(([start]) => text.length >= start.length);
  return complete ? complete[1] : null;
}

// A connection that has not said anything yet: the hub can close it, and its end is reported.
class Undecided {
  constructor(link, hub, decided) {
    Object.assign(this, { link, hub, decided });
    this.bytes = Buffer.alloc(0);
    this.closeReason = null;
    this.onReadable = () => this.read();
    this.onClose = () => this.closed();
    hub.connections.add(this);
    link.on('readable', this.onReadable);
    link.on('error', () => {});
    link.on('close', this.onClose);
  }

  read() {
    for (let chunk = this.link.read(); chunk !== null; chunk = this.link.read()) this.bytes = Buffer.concat([this.bytes, chunk]);
    const protocol = protocolOf(this.bytes) ?? (this.link.readableEnded ? 'mqtt' : null);
    if (protocol === null) return;
    this.hub.connections.delete(this);
    this.link.off('readable', this.onReadable);
    this.link.off('close', this.onClose);
    this.link.unshift(this.bytes);
    this.decided(protocol);
  }

  close(reason) {
    this.closeReason = this.closeReason ?? reason;
    this.link.end();
  }

  closed() {
    this.hub.connections.delete(this);
    this.hub.report({
      event: 'disconnect', connection: this.link.number, disconnectReceived: false, bytesIn: this.link.bytesIn, bytesOut: this.link.bytesOut,
      reason: this.closeReason ?? this.link.cutReason ?? 'the connection ended before it said anything',
    });
  }
}

// `protocols` is { mqtt, amqp, http }, each (link, client) => void.
const serveAny = (hub, protocols) => (link, client) => {
  const waiting = new Undecided(link, hub, (protocol) => protocols[protocol](link, client));
  waiting.read();
};

module.exports = { serveAny, protocolOf };
