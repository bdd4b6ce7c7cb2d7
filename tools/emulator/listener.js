'use strict';
// TCP and TLS: listens, finishes the handshake, and hands a Link with what TLS saw to a protocol.

const net = require('net');
const tls = require('tls');
const crypto = require('crypto');
const { Link } = require('./link');

// What IoT Hub accepts with TLS 1.2 since 31 August 2025, and nothing else.
const TLS12_SUITES = [
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-SHA256', 'ECDHE-RSA-AES128-SHA256',
  'ECDHE-ECDSA-AES256-SHA384', 'ECDHE-RSA-AES256-SHA384',
];
const SESSIONS_MAX = 1000;
const TLS13_SUITES = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

function tlsOptions({ cert, key, clientCa, tls12Only }) {
  return {
    cert,
    key,
    ca: clientCa ?? [],
    // The hub asks every client for a certificate and judges it only when it knows who logs in.
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    maxVersion: tls12Only ? 'TLSv1.2' : 'TLSv1.3',
    ciphers: [...(tls12Only ? [] : TLS13_SUITES), ...TLS12_SUITES].join(':'),
  };
}

function createTlsServer(certificates) {
  try {
    return tls.createServer(tlsOptions(certificates));
  } catch (error) {
    throw new Error(`the certificates or the key cannot be used (${error.reason ?? error.message})`);
  }
}

// TLS 1.2 sessions by their ids: small clients resume them after a sleep, and know no tickets.
function rememberSessions(secure) {
  const sessions = new Map();
  secure.on('newSession', (id, session, done) => {
    sessions.set(id.toString('hex'), session);
    if (sessions.size > SESSIONS_MAX) sessions.delete(sessions.keys().next().value);
    done();
  });
  secure.on('resumeSession', (id, done) => done(null, sessions.get(id.toString('hex')) ?? null));
}

// What the login needs to know of the client's certificate; null when there was none.
function peerCertificate(socket) {
  const peer = socket.getPeerCertificate();
  if (!peer || !peer.raw) return null;
  const { subject } = new crypto.X509Certificate(peer.raw);
  const commonName = /^CN=(.*)$/m.exec(subject ?? '')?.[1] ?? '';
  return { der: peer.raw, commonName, chainTrusted: socket.authorized };
}

// `serve(link, { certificate, tls })` is the protocol. Answers the TCP server; listening is the caller's.
function createListener({ certificates, hub, serve }) {
  const secure = createTlsServer(certificates);
  rememberSessions(secure);
  const numbers = new WeakMap(); // TCP socket -> connection number
  const tcpServer = net.createServer((tcp) => {
    hub.connectionCount += 1;
    numbers.set(tcp, hub.connectionCount);
    hub.report({ event: 'tcp', connection: hub.connectionCount });
    tcp.setNoDelay(true);
    tcp.on('error', () => {}); // the TLS socket above reports it
    if (hub.faults.isOn('refuse-tcp')) tcp.destroy();
    else secure.emit('connection', tcp);
  });
  const tcpOf = (socket) => socket._parent; // Node has no public way from a TLS socket to the TCP socket below it
  secure.on('secureConnection', (socket) => {
    const tcp = tcpOf(socket);
    const link = new Link({ number: numbers.get(tcp), socket, tcp, faults: hub.faults });
    const resumed = socket.isSessionReused() ? ' resumed' : '';
    serve(link, { certificate: peerCertificate(socket), tls: `${socket.getProtocol()} ${socket.getCipher().name}${resumed}` });
  });
  secure.on('tlsClientError', (error, socket) => {
    const tcp = tcpOf(socket);
    hub.report({ event: 'tls-error', connection: tcp && numbers.get(tcp), reason: error.reason ?? error.message });
  });
  return tcpServer;
}

module.exports = { createListener, TLS12_SUITES };
