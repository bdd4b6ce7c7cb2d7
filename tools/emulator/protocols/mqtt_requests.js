'use strict';
// Requests and answers over one MQTT connection: the client asks for its twin, the hub calls methods.

const { TwinError } = require('../twin');
const { TWIN_ANSWERS, DESIRED_CHANGES, twinAnswerTopic, desiredTopic, methodTopic, methodFilters } = require('./mqtt_topics');

const JSON_SIZE_MAX = 262144;

function parseJson(payload) {
  if (payload.length > JSON_SIZE_MAX) throw new TwinError(413, 413001, `a body of ${payload.length} bytes`);
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (error) {
    throw new TwinError(400, 400004, `the body is not JSON (${error.message})`);
  }
}

function isJson(payload) {
  try { JSON.parse(payload.toString('utf8')); return true; } catch (error) { return false; }
}

class Requests {
  // `session` is the MqttSession.
  constructor(session) {
    this.session = session;
    this.timers = new Set();
  }

  get twin() { return this.session.identity.twin; }

  get hub() { return this.session.hub; }

  get faults() { return this.session.faults; }

  // ---- Twin

  // `request` is { kind, requestId, version } as parseTopic() answers it.
  twinRequest(request, payload) {
    const { kind, requestId } = request;
    this.session.report('twin-request', { kind: kind === 'twin-get' ? 'get' : 'patch', requestId, size: payload.length });
    if (!this.session.filters.has(TWIN_ANSWERS)) {
      this.unsubscribed(requestId);
      return;
    }
    const disturbed = this.faults.mayDisturbTwin();
    const fault = disturbed ? this.faults.get(kind) : undefined;
    if (fault === 'lose') return;
    const answer = this.judged(request, payload, fault);
    if (fault === 'withhold') return;
    this.after(disturbed ? this.faults.get('twin-delay') ?? 0 : 0, () => this.answerTwin(requestId, answer()));
  }

  unsubscribed(requestId) {
    const reason = `twin request "${requestId}" without a subscription to ${TWIN_ANSWERS}`;
    if (this.hub.switches.get('twin-unsubscribed') === 'close') this.session.violation(reason);
    else this.session.violationReport(reason);
  }

  // Does the work now; answers a function that gives { status, body, more } when the answer is written:
  // a document is as it is then, whatever changed meanwhile.
  judged(request, payload, fault) {
    if (fault?.status) return () => this.refusal(new TwinError(fault.status, fault.status * 1000 + 1, `fault ${request.kind}`), fault.retryAfterS);
    if (request.kind === 'twin-get') return () => ({ status: 200, body: JSON.stringify(this.twin.forDevice({ metadata: this.hub.switches.get('twin-metadata') === 'include' })), more: {} });
    const patched = this.patch(request, payload);
    return () => patched;
  }

  patch({ version }, payload) {
    try {
      const patch = parseJson(payload);
      this.twin.patchReported(patch, { baseVersion: version });
      this.session.report('reported', { patch, version: this.twin.reported.version });
      return { status: 204, body: '', more: { $version: this.twin.reported.version } };
    } catch (error) {
      if (!(error instanceof TwinError)) throw error;
      this.session.report('notice', { reason: `reported properties refused: ${error.message}` });
      return this.refusal(error);
    }
  }

  refusal(error, retryAfterS) {
    const where = this.hub.switches.get('retry-after');
    const inTopic = retryAfterS !== undefined && where !== 'body' ? { 'retry-after': retryAfterS } : {};
    const inBody = retryAfterS !== undefined && where !== 'topic' ? { retryAfter: retryAfterS } : {};
    return { status: error.status, body: JSON.stringify({ ...this.hub.errorBody(error.errorCode, error.message), ...inBody }), more: inTopic };
  }

  answerTwin(requestId, { status, body, more }) {
    const qos = this.session.filters.get(TWIN_ANSWERS);
    if (qos === undefined) return;
    this.session.report('twin-answer', { requestId, status, version: more.$version });
    this.session.deliveries.other(twinAnswerTopic(status, requestId, more), body, qos);
  }

  desiredChanged(patch) {
    const qos = this.session.filters.get(DESIRED_CHANGES);
    const fault = this.faults.get('desired');
    if (qos === undefined || fault === 'lose') return;
    const body = JSON.stringify(patch);
    this.after(this.faults.get('desired-delay') ?? 0, () => {
      this.session.report('desired-sent', { version: patch.$version });
      for (let i = 0; i < (fault === 'twice' ? 2 : 1); i += 1) this.session.deliveries.other(desiredTopic(patch.$version), body, qos);
    });
  }

  // ---- Methods

  call(call) {
    const filter = methodFilters(call.name).find((each) => this.session.filters.has(each));
    const fault = this.faults.get('method');
    if (filter === undefined || fault === 'lose') return; // the caller's time runs out
    const body = call.body ?? Buffer.from(this.hub.switches.get('method-empty-body') === 'null' ? 'null' : '');
    this.session.report('method-request', { name: call.name, requestId: call.requestId, size: body.length });
    for (let i = 0; i < (fault === 'twice' ? 2 : 1); i += 1) this.session.deliveries.other(methodTopic(call), body, this.session.filters.get(filter));
  }

  methodResponse({ requestId, status }, payload) {
    this.session.report('method-answer', { requestId, status, size: payload.length });
    if (payload.length > 0 && !isJson(payload)) this.session.violationReport(`the answer to method request "${requestId}" is not JSON`);
    const late = this.session.identity.calls.respond(requestId, status, payload);
    if (late) this.session.report('notice', { reason: late });
  }

  // ---- Time

  after(ms, action) {
    if (ms <= 0) {
      action();
      return;
    }
    const timer = setTimeout(() => { this.timers.delete(timer); action(); }, ms);
    this.timers.add(timer);
  }

  stop() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }
}

module.exports = { Requests };
