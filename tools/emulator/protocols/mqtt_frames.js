'use strict';
// Cuts a byte stream into whole MQTT packets, without looking into them: mqtt-packet does that.
// Whole packets can be counted, recorded and held back until CONNACK, which a stream cannot.

const LENGTH_BYTES_MAX = 4;

class MqttFrames {
  // `sizeMax` is the largest remaining length worth collecting.
  constructor(sizeMax) {
    this.sizeMax = sizeMax;
    this.pending = Buffer.alloc(0);
  }

  // Answers { packets, error }; `error` is a sentence when the stream makes no sense, and nothing can follow it.
  push(bytes) {
    this.pending = Buffer.concat([this.pending, bytes]);
    const packets = [];
    for (;;) {
      const { length, error } = this.packetLength();
      if (error || length === undefined || length > this.pending.length) return { packets, error };
      packets.push(this.pending.subarray(0, length));
      this.pending = this.pending.subarray(length);
    }
  }

  // Length of the first packet with its header; neither field when more bytes are needed to know.
  packetLength() {
    let remaining = 0;
    for (let i = 0; i < LENGTH_BYTES_MAX; i += 1) {
      if (this.pending.length < i + 2) return {};
      const byte = this.pending[i + 1];
      remaining += (byte & 0x7f) * 128 ** i;
      if (byte < 0x80) return remaining > this.sizeMax ? { error: `a packet of ${remaining} bytes is over the limit` } : { length: i + 2 + remaining };
    }
    return { error: 'the remaining length has more than four bytes' };
  }
}

module.exports = { MqttFrames };
