'use strict';
// Direct methods: a call waits for its device to be there, then for its answer. It knows no protocol.

const PAYLOAD_MAX = 131072; // IoT Hub, each way
const NAME = /^[A-Za-z0-9\-._~%!$&'()*,;=:@]{1,100}$/; // what can stand in a topic level, the separators of topics left out

class MethodError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, errorCode: code });
  }
}

class Calls {
  constructor() {
    this.count = 0;
    this.open = new Map(); // request id -> call
    this.waiting = new Set(); // calls whose device is not there
    this.deliver = null; // the connection that takes methods: (call) => void
  }

  // `body` is a Buffer, or undefined for a call without a payload. Resolves with { status, body }; rejects with a MethodError.
  call({ name, body, responseTimeoutS = 30, connectTimeoutS = 0 }) {
    if (!NAME.test(name)) return Promise.reject(new MethodError(400, 400004, `"${name}" is not a method name`));
    if (body?.length > PAYLOAD_MAX) return Promise.reject(new MethodError(413, 413001, `a payload of ${body.length} bytes, more than ${PAYLOAD_MAX}`));
    this.count += 1;
    const call = { requestId: this.count.toString(16), name, body, responseTimeoutS };
    const answer = new Promise((resolve, reject) => Object.assign(call, { resolve, reject }));
    if (this.deliver) this.start(call);
    else if (connectTimeoutS === 0) call.reject(new MethodError(404, 404103, 'The operation failed because the requested device isn\'t online.'));
    else this.wait(call, connectTimeoutS);
    return answer;
  }

  wait(call, connectTimeoutS) {
    this.waiting.add(call);
    call.timer = setTimeout(() => {
      this.waiting.delete(call);
      call.reject(new MethodError(404, 404103, `Timed out waiting for device to connect (${connectTimeoutS} s).`));
    }, connectTimeoutS * 1000);
  }

  start(call) {
    clearTimeout(call.timer);
    this.open.set(call.requestId, call);
    call.timer = setTimeout(() => this.fail(call, new MethodError(504, 504101, `Timed out waiting for the response from device (${call.responseTimeoutS} s).`)), call.responseTimeoutS * 1000);
    this.deliver(call);
  }

  // A connection that takes methods came (`deliver`) or went (null): open calls end with it, as in the hub.
  attach(deliver) {
    this.deliver = deliver;
    if (deliver) {
      for (const call of [...this.waiting]) { this.waiting.delete(call); this.start(call); }
      return;
    }
    for (const call of [...this.open.values()]) this.fail(call, new MethodError(404, 404104, 'The device closed its connection before it answered.'));
  }

  fail(call, error) {
    clearTimeout(call.timer);
    this.open.delete(call.requestId);
    call.reject(error);
  }

  // Answers null, or a sentence on why nobody waits for this answer.
  respond(requestId, status, body) {
    const call = this.open.get(requestId);
    if (!call) return `an answer to method request "${requestId}", which is not open (answered before, too late, or of another connection)`;
    clearTimeout(call.timer);
    this.open.delete(requestId);
    if (body.length > PAYLOAD_MAX) call.reject(new MethodError(502, 502000, `The device answered ${body.length} bytes, more than ${PAYLOAD_MAX}.`));
    else call.resolve({ status, body });
    return null;
  }

  stop() {
    for (const call of [...this.waiting, ...this.open.values()]) this.fail(call, new MethodError(503, 503000, 'The hub stops.'));
  }
}

module.exports = { Calls, MethodError, PAYLOAD_MAX };
