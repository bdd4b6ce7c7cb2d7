'use strict';
// AMQP of the service side, as azure-iothub uses it: a token for the connection ($cbs), cloud-to-device messages in,
// feedback out. rhea does the protocol.

const { randomUUID } = require('crypto');
const rhea = require('rhea');

const MESSAGE_SIZE_MAX = 1048576; // what IoT Hub announces on each link
const CREDIT = 100;
const DEVICE_ADDRESS = /^\/?devices\/([^/]+)\/messages\/devicebound\/?$/i;

// Addresses come with or without scheme, host and slashes, in any case.
const plainAddress = (address) => String(address ?? '').replace(/^amqps?:\/\/[^/]+/i, '').replace(/^\/|\/$/g, '').toLowerCase();

const PROPERTY_NAMES = {
  message_id: 'message-id', correlation_id: 'correlation-id', content_type: 'content-type', content_encoding: 'content-encoding',
};

const asText = (value) => (Buffer.isBuffer(value) ? value.toString('utf8') : String(value));

// rhea gives a data section as { content }, a value as itself.
function bodyOf(body) {
  const content = body?.content ?? body;
  if (Array.isArray(content)) return Buffer.concat(content.map(bodyOf));
  if (content === undefined || content === null) return Buffer.alloc(0);
  return Buffer.isBuffer(content) ? content : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
}

// An AMQP message as the mailbox takes it, and the device that it is for; throws a RangeError.
function messageOf(message) {
  const match = DEVICE_ADDRESS.exec(String(message.to ?? '').replace(/^amqps?:\/\/[^/]+/i, ''));
  if (!match) throw new RangeError(`"${message.to}" is not "/devices/{device}/messages/devicebound"`);
  const system = {};
  for (const [name, inside] of Object.entries(PROPERTY_NAMES)) if (message[name] !== undefined && message[name] !== null) system[inside] = asText(message[name]);
  if (message.user_id) system['user-id'] = asText(message.user_id);
  const { 'iothub-ack': ack, ...properties } = message.application_properties ?? {};
  const expiry = message.absolute_expiry_time === undefined || message.absolute_expiry_time === null ? undefined : Number(message.absolute_expiry_time);
  return {
    device: decodeURIComponent(match[1]),
    message: { body: bodyOf(message.body), system, properties: Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, asText(value)])), ack, expiry: expiry > 0 ? expiry : undefined },
  };
}

class ServiceConnection {
  constructor(link, hub) {
    Object.assign(this, { link, hub });
    this.trusted = false;
    this.tokenReplies = null; // our sender on $cbs
    this.feedbackSender = null;
    this.takeFeedback = (records) => this.sendFeedback(records);
    this.connection = rhea.create_container({ id: `emulator-${randomUUID()}` }).create_connection({
      max_frame_size: 65536, idle_time_out: 120000, reconnect: false,
      receiver_options: { autoaccept: false, credit_window: CREDIT, max_message_size: MESSAGE_SIZE_MAX }, sender_options: { max_message_size: MESSAGE_SIZE_MAX },
    });
    for (const [event, take] of [['receiver_open', this.receiverOpen], ['sender_open', this.senderOpen], ['message', this.message], ['sender_close', this.senderClosed]]) {
      this.connection.on(event, (context) => take.call(this, context));
    }
    this.connection.on('disconnected', () => {}); // the link says so, too
    for (const event of ['connection_error', 'session_error', 'receiver_error', 'sender_error', 'protocol_error', 'error']) this.connection.on(event, (context) => this.failed(event, context));
    hub.connections.add(this);
    link.on('error', () => {});
    link.on('close', () => this.ended());
    this.connection.accept(link);
    hub.report({ event: 'amqp', connection: link.number, what: 'open' });
  }

  failed(event, context) { this.hub.report({ event: 'notice', connection: this.link.number, reason: `AMQP ${event}: ${context?.message ?? context?.connection?.error ?? ''}` }); }

  close() { this.link.end(); }

  ended() {
    this.hub.connections.delete(this);
    this.connection.abort_socket(this.link); // else the timers of rhea run on when there was no orderly end
    if (this.feedbackSender) this.hub.feedback.forget(this.takeFeedback);
    this.hub.report({ event: 'amqp', connection: this.link.number, what: 'closed' });
  }

  // ---- Links: what the client sends on, what it listens on

  receiverOpen({ receiver }) {
    receiver.set_target({ address: receiver.target?.address });
    receiver.set_source({ address: receiver.source?.address });
    const address = plainAddress(receiver.target?.address);
    if (address !== '$cbs') this.admit(receiver, address, ['messages/devicebound']);
  }

  senderOpen({ sender }) {
    sender.set_source({ address: sender.source?.address });
    sender.set_target({ address: sender.target?.address });
    const address = plainAddress(sender.source?.address);
    if (address === '$cbs') {
      this.tokenReplies = sender;
      return;
    }
    if (!this.admit(sender, address, ['messages/servicebound/feedback', 'messages/servicebound/filenotifications', 'messages/servicebound/fileuploadnotifications'])) return;
    if (!address.endsWith('feedback')) return; // nothing is uploaded here, so nothing is told
    this.feedbackSender = sender;
    this.hub.feedback.listen(this.takeFeedback);
  }

  senderClosed({ sender }) {
    if (sender !== this.feedbackSender) return;
    this.feedbackSender = null;
    this.hub.feedback.forget(this.takeFeedback);
  }

  admit(link, address, known) {
    if (!this.trusted) link.close({ condition: 'amqp:unauthorized-access', description: 'no token was put for this connection' });
    else if (!known.includes(address)) link.close({ condition: 'amqp:not-found', description: `the emulator has no "${address}" here` });
    return this.trusted && known.includes(address);
  }

  // ---- Messages

  message({ message, delivery, receiver }) {
    const address = plainAddress(receiver.target?.address);
    if (address === '$cbs') this.putToken(message, delivery);
    else this.takeC2d(message, delivery);
  }

  // IoT Hub settles the request before it answers, and the answer's status must be an int.
  putToken(message, delivery) {
    delivery.accept();
    const verdict = this.judgeToken(message);
    if (verdict.ok) this.trusted = true;
    this.hub.report({ event: 'amqp', connection: this.link.number, what: 'token', ok: verdict.ok, reason: verdict.reason });
    this.tokenReplies?.send({
      correlation_id: message.message_id, body: '',
      application_properties: { 'status-code': rhea.types.wrap_int(verdict.ok ? 200 : 401), 'status-description': verdict.ok ? 'OK' : verdict.reason },
    });
  }

  judgeToken({ body, application_properties: properties = {} }) {
    if (properties.operation !== 'put-token') return { ok: false, reason: `the operation "${properties.operation}" is not put-token` };
    return this.hub.authenticateService(typeof body === 'string' ? body : bodyOf(body).toString('utf8'));
  }

  takeC2d(message, delivery) {
    try {
      const { device, message: inside } = messageOf(message);
      if (!this.hub.identities.has(device)) {
        delivery.reject({ condition: 'amqp:not-found', description: `there is no device "${device}"` });
        return;
      }
      this.hub.sendC2d(device, inside);
      delivery.accept();
    } catch (error) {
      if (!(error instanceof RangeError) && !(error instanceof URIError)) throw error;
      const full = error.code === 'queue-full';
      delivery.reject({ condition: full ? 'amqp:resource-limit-exceeded' : 'com.microsoft:argument-error', description: full ? `DeviceMaximumQueueDepthExceeded: ${error.message}` : error.message });
    }
  }

  sendFeedback(records) {
    this.feedbackSender.send({
      message_id: randomUUID(), content_type: 'application/vnd.microsoft.iothub.feedback.json', content_encoding: 'utf-8',
      body: rhea.message.data_section(Buffer.from(JSON.stringify(records))),
    });
  }
}

const serveAmqp = (hub) => (link) => new ServiceConnection(link, hub);

module.exports = { serveAmqp, messageOf, plainAddress };
