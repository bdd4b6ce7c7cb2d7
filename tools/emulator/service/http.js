'use strict';
// HTTPS: one server for all connections that speak it; the REST of the service side, the control of cli.js, and upgrades.

const http = require('http');
const { HttpError, badRequest, CODE_NAMES } = require('./errors');
const { answerRest } = require('./rest');
const { answerControl, CONTROL_PATH } = require('./control_http');

const BODY_SIZE_MAX = 4 * 1048576;

function readBody(request) {
  return new Promise((resolve, reject) => {
    const pieces = [];
    let size = 0;
    request.on('data', (piece) => {
      size += piece.length;
      if (size <= BODY_SIZE_MAX) pieces.push(piece);
      else reject(new HttpError(413, 413001, 'RequestEntityTooLarge', `a body of more than ${BODY_SIZE_MAX} bytes`));
    });
    request.on('end', () => resolve(Buffer.concat(pieces)));
    request.on('error', reject);
  });
}

function parseUrl(text) {
  try {
    return new URL(text, 'https://hub');
  } catch (error) {
    throw badRequest(`"${text}" is not a path`);
  }
}

// The service side is for whoever has the key of a hub policy.
function checkAuthorization(hub, request) {
  const token = request.headers.authorization;
  if (!token) throw new HttpError(401, 401002, 'IotHubUnauthorizedAccess', 'no Authorization header');
  const verdict = hub.authenticateService(token);
  if (!verdict.ok) throw new HttpError(401, 401002, 'IotHubUnauthorizedAccess', verdict.reason);
}

function sendJson(response, status, body, headers = {}) {
  const text = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, { ...(text === '' ? {} : { 'Content-Type': 'application/json; charset=utf-8' }), 'Content-Length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

// azure-iothub reads the code's name between "ErrorCode:" and ";".
function sendError(hub, response, error) {
  const { status = 500, errorCode = 500000 } = error;
  const name = error.codeName ?? CODE_NAMES[errorCode] ?? 'ServerError';
  const body = { Message: `ErrorCode:${name};${error.message}`, ExceptionMessage: `Tracking ID:${hub.errorBody(errorCode, '').trackingId}` };
  sendJson(response, status, body, { 'iothub-errorcode': name });
}

async function answer(hub, request, response) {
  let url = { pathname: request.url };
  let status = 500;
  try {
    url = parseUrl(request.url);
    checkAuthorization(hub, request);
    const body = await readBody(request);
    if (url.pathname.startsWith(CONTROL_PATH)) {
      status = await answerControl(hub, request, response, url, body);
    } else {
      const result = await answerRest(hub, request, url, body);
      status = result.status;
      sendJson(response, status, result.body, result.headers);
    }
  } catch (error) {
    if (error.status === undefined) hub.report({ event: 'notice', reason: `${request.method} ${url.pathname}: ${error.stack}` });
    status = error.status ?? 500;
    if (!response.headersSent) sendError(hub, response, error);
  }
  if (!url.pathname.startsWith(CONTROL_PATH)) hub.report({ event: 'http', connection: request.socket.number, method: request.method, path: url.pathname, status });
}

// Answers (link, client) => void. `upgrade(request, link, head, client)` takes WebSockets.
function serveHttp(hub, upgrade) {
  const clients = new WeakMap();
  const server = http.createServer((request, response) => { answer(hub, request, response); });
  server.on('upgrade', (request, link, head) => upgrade(request, link, head, clients.get(link)));
  server.on('clientError', (error, link) => { if (link.writable) link.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'); });
  return (link, client) => {
    clients.set(link, client);
    const connection = { close: () => link.end() };
    hub.connections.add(connection);
    link.on('close', () => {
      hub.connections.delete(connection);
      if (link.cutReason) hub.report({ event: 'notice', connection: link.number, reason: link.cutReason });
    });
    server.emit('connection', link);
  };
}

module.exports = { serveHttp };
