'use strict';
// A small HTTP CONNECT proxy, for clients that must go through one. It connects to any host that it is asked for.

const http = require('http');
const net = require('net');

// `login` is "user:password", or undefined. `report` takes events. Answers the server; listening is the caller's.
function createProxy({ login, report }) {
  const open = new Set();
  const server = http.createServer((request, response) => {
    response.writeHead(405, { Connection: 'close' });
    response.end();
  });
  server.on('connect', (request, client, head) => tunnel(request, client, head, { login, report, open }));
  server.on('connection', (socket) => { open.add(socket); socket.on('close', () => open.delete(socket)); socket.on('error', () => {}); });
  server.stop = () => { server.close(); for (const socket of open) socket.destroy(); };
  return server;
}

function tunnel(request, client, head, { login, report, open }) {
  const say = (result) => report({ event: 'proxy', target: request.url, authorization: request.headers['proxy-authorization'] !== undefined, result });
  const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
  if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted) {
    say(407);
    client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="emulator"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  const match = /^(\[[0-9a-fA-F:]+\]|[^:]+):(\d{1,5})$/.exec(request.url);
  if (!match || Number(match[2]) > 65535) {
    say(400);
    client.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    return;
  }
  const target = net.connect(Number(match[2]), match[1].replace(/^\[|\]$/g, ''));
  open.add(target);
  let connected = false;
  target.on('connect', () => {
    connected = true;
    say(200);
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    target.write(head);
    client.pipe(target);
    target.pipe(client);
  });
  target.on('error', (error) => {
    if (connected) return;
    say(error.code);
    client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
  target.on('close', () => { open.delete(target); client.destroySoon?.(); });
  client.on('close', () => target.destroy());
}

module.exports = { createProxy };
