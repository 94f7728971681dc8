/**
 * An audio track both ways, and a data channel for all other messages. The browser encodes what it is given and
 * keeps its packets in order of time; decoding and playout are ours, so that every sample keeps its place, and one
 * that is lost leaves no delay behind as it does in the browser's own jitter buffer.
 * @module
 */

import { Calibration } from './calibration.js';
import { PeerLine } from './lines.js';
import { OpusDecoder } from './opus-decoder.js';
import { Order } from './order.js';

/** Samples that coding takes both ways, as far as is known before it is measured. */
export const USUAL_CODING = 480;
const LOOKAHEAD = 120; // samples that the server's encoder hears ahead
const SMOOTHING = 1 / 64;
const WATCH = 100; // frames in which the shortest way through the encoder is looked for
const DRIFT = 480; // samples by which it may change ...
const LASTING = 5; // ... for so many times in a row: more, and places are not what they were
const FRAME = 480;

/**
 * Samples between two RTP timestamps, which count modulo 2^32.
 * @param {number} from
 * @param {number} to
 */
export const between = (from, to) => (to - from) | 0;

/** How far a track's frames have fallen behind what is captured, watched for lasting changes. */
export class LagWatch {
  constructor() {
    /** @type {number | null} */
    this.usual = null;
    this.shortest = Infinity;
    this.count = 0;
    this.odd = 0;
  }

  /**
   * @param {number} lag samples
   * @returns {boolean} whether it has changed for good: samples were lost, or came twice
   */
  add(lag) {
    this.shortest = Math.min(this.shortest, lag);
    if (++this.count < WATCH) return false;
    this.usual ??= this.shortest;
    this.odd = Math.abs(this.shortest - this.usual) > DRIFT ? this.odd + 1 : 0;
    this.shortest = Infinity;
    this.count = 0;
    return this.odd >= LASTING;
  }
}

/** See above. */
export class TrackLine extends PeerLine {
  /**
   * @param {object} hooks
   * @param {() => void} hooks.hangUp
   * @param {() => void} hooks.playMark have the worklet play one into the track; `markPlayed` is to be told where
   * @param {() => number} hooks.captured samples, by the worklet's count
   * @param {() => number} hooks.place position of the next one, in the session that goes on or begins here
   */
  constructor(hooks) {
    super('track', hooks.hangUp);
    this.hooks = hooks;
    this.carriesTrack = true;
    this.stale = false;
    this.sent = 0;
    /** @type {((frame: import('./protocol.js').ServerAudio) => void) | null} */
    this.onaudio = null;
    /** @type {{ timestamp: number, count: number } | null} of one captured sample */
    this.outgoing = null;
    /** @type {{ timestamp: number, position: number } | null} of the last packet that came */
    this.incoming = null;
    this.lag = new LagWatch();
    this.encodeSamples = 0; // smoothed
    this.decodeMs = 0; // smoothed
    this.decoder = new OpusDecoder((position, sound, tookMs) => this.decoded(position, sound, tookMs));
    /** @type {Order<ArrayBuffer>} */
    this.order = new Order((position, data) => this.decoder.decode(position, data));
    this.calibration = new Calibration({
      play: hooks.playMark,
      found: (timestamp, count) => {
        this.outgoing = { timestamp, count };
        this.opened();
      },
      failed: () => this.lost(),
    });
  }

  get complete() {
    return super.complete && this.outgoing !== null;
  }

  /** @param {number} count of captured samples at which a mark begins */
  markPlayed(count) {
    this.calibration.played(count);
  }

  /**
   * What the page hands over: the frames of one direction.
   * @param {'send' | 'receive'} direction
   * @param {ReadableStream<RTCEncodedAudioFrame>} readable
   * @param {WritableStream<RTCEncodedAudioFrame>} writable
   */
  async transform(direction, readable, writable) {
    const reader = readable.getReader();
    const writer = writable.getWriter();
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done || this.readyState === 3) return;
      const timestamp = frame.getMetadata().rtpTimestamp ?? 0;
      if (direction === 'receive') {
        this.packet(timestamp, frame.data); // goes no further: what is played comes from the worklet
      } else {
        this.encoded(timestamp, frame.data);
        void writer.write(frame);
      }
    }
  }

  /**
   * @param {number} timestamp
   * @param {ArrayBuffer} data
   */
  encoded(timestamp, data) {
    if (!this.outgoing) {
      this.calibration.frame(timestamp, data.slice(0));
      return;
    }
    this.sent++;
    if (this.stale) return;
    const count = this.outgoing.count + between(this.outgoing.timestamp, timestamp);
    this.outgoing = { timestamp, count };
    const lag = this.hooks.captured() - count - FRAME;
    this.encodeSamples += Math.max(SMOOTHING, 1 / this.sent) * (lag - this.encodeSamples);
    if (this.lag.add(lag)) this.lost(); // another line finds its place anew
  }

  startFields() {
    if (!this.outgoing) return {};
    const timestamp = (this.outgoing.timestamp + this.hooks.captured() - this.outgoing.count) >>> 0;
    return { track: { timestamp, position: this.hooks.place() } };
  }

  /** @param {import('./protocol.js').ServerStart} start */
  started({ track }) {
    if (track) this.incoming = { ...track };
    else this.lost(); // a server that does not know what was asked
  }

  /**
   * @param {number} timestamp
   * @param {ArrayBuffer} data
   */
  packet(timestamp, data) {
    if (!this.incoming) return;
    const position = this.incoming.position + between(this.incoming.timestamp, timestamp);
    if (position > this.incoming.position) this.incoming = { timestamp, position };
    this.order.put(position, FRAME, data);
  }

  /**
   * @param {number} position
   * @param {Float32Array} sound
   * @param {number} tookMs
   */
  decoded(position, sound, tookMs) {
    this.decodeMs += SMOOTHING * (tookMs - this.decodeMs);
    const pcm = Int16Array.from(sound, (sample) => Math.max(-32768, Math.min(32767, Math.round(sample * 32768))));
    this.onaudio?.({ type: 'audio', seq: 0, position, pcm: new Uint8Array(pcm.buffer), held_us: 0 });
  }

  /** Samples that coding takes, both ways. */
  get codingSamples() {
    return this.encodeSamples + LOOKAHEAD + 48 * this.decodeMs;
  }

  get waitedMs() {
    return this.order.waitedMs;
  }

  /** There is nothing to send: the voice is in the track. */
  sendAudio() {}

  lost() {
    this.calibration.end();
    this.order.close();
    this.decoder.close();
    super.lost();
  }
}
