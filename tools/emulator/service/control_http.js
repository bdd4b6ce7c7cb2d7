'use strict';
// What cli.js asks of a running emulator: a command as of --control, or events as they come.

const { answerTo } = require('../control');
const { HttpError } = require('./errors');

const UNREAD_MAX = 16 * 1048576;
const CONTROL_PATH = '/emulator/';

// Writes the answer itself; answers the status for the report.
async function answerControl(hub, request, response, url, body) {
  if (url.pathname === `${CONTROL_PATH}command` && request.method === 'POST') return command(hub, response, body.toString('utf8'));
  if (url.pathname === `${CONTROL_PATH}events` && request.method === 'GET') return events(hub, request, response);
  throw new HttpError(404, 404000, 'NotFound', `nothing is at ${url.pathname}`);
}

// One line in, one event out; a method call waits for its result.
async function command(hub, response, line) {
  const answer = answerTo(hub, line);
  const last = answer.call === undefined ? answer : await hub.resultOf(answer.call);
  response.writeHead(answer.event === 'ok' ? 200 : 400, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(last));
  return answer.event === 'ok' ? 200 : 400;
}

function events(hub, request, response) {
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
  response.flushHeaders();
  const take = (event) => {
    if (response.writableLength > UNREAD_MAX) response.destroy(); // whoever does not read is let go
    else response.write(`${JSON.stringify({ ...event, time: Date.now() })}\n`);
  };
  hub.listeners.add(take);
  request.socket.on('close', () => hub.listeners.delete(take));
  return 200;
}

module.exports = { answerControl, CONTROL_PATH };
