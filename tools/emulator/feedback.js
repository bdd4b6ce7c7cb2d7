'use strict';
// What became of cloud-to-device messages whose sender asked ("iothub-ack"): records in batches for whoever listens.

const { OUTCOMES } = require('./mailbox');

const BATCH_MAX = 64; // IoT Hub: a batch is sent at 64 records, or after 15 s
const KEPT_MAX = 1000; // records that nobody fetches

class Feedback {
  // `delayS()` gives how long an incomplete batch waits.
  constructor(delayS) {
    this.delayS = delayS;
    this.records = [];
    this.receiver = null; // takes a list of records
    this.timer = null;
  }

  messageEnded(identity, message, outcome) {
    const good = outcome === 'completed';
    const wanted = message.ack === 'full' || message.ack === (good ? 'positive' : 'negative');
    if (!wanted) return;
    this.records.push({
      originalMessageId: message.system['message-id'] ?? '', description: OUTCOMES[outcome], statusCode: OUTCOMES[outcome],
      deviceId: identity.deviceId, deviceGenerationId: identity.registry.generationId, enqueuedTimeUtc: new Date().toISOString(),
    });
    if (this.records.length > KEPT_MAX) this.records.shift();
    this.schedule();
  }

  listen(receiver) {
    this.receiver = receiver;
    this.schedule();
  }

  forget(receiver) { if (this.receiver === receiver) this.receiver = null; }

  schedule() {
    if (!this.receiver || this.records.length === 0) return;
    if (this.records.length >= BATCH_MAX) this.flush();
    else if (!this.timer) this.timer = setTimeout(() => this.flush(), this.delayS() * 1000);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.receiver && this.records.length > 0) this.receiver(this.records.splice(0, BATCH_MAX));
    this.schedule();
  }

  stop() { clearTimeout(this.timer); }
}

module.exports = { Feedback };
