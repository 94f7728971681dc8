/**
 * Opus packets to sound, by the browser's own decoder (WebCodecs).
 * @module
 */

import { SAMPLE_RATE } from './protocol.js';

const CONFIG = { codec: 'opus', sampleRate: SAMPLE_RATE, numberOfChannels: 1 };
const PACKET_US = 10_000; // the decoder wants times that rise; places are kept here

/** One stream's decoder. Packets go in in order, and their sound comes out soon after. */
export class OpusDecoder {
  /** @param {(place: number, sound: Float32Array, tookMs: number) => void} onSound */
  constructor(onSound) {
    this.onSound = onSound;
    /** @type {{ place: number, since: number }[]} */
    this.waiting = [];
    this.count = 0;
    this.damaged = 0;
    this.decoder = this.make();
  }

  make() {
    const decoder = new AudioDecoder({
      output: (data) => this.heard(data),
      error: () => {
        this.damaged++; // it has closed itself: the next packet finds a new one
        this.waiting = [];
      },
    });
    decoder.configure(CONFIG);
    return decoder;
  }

  /**
   * @param {number} place comes back with the sound
   * @param {ArrayBuffer} data one packet
   */
  decode(place, data) {
    if (this.decoder.state === 'closed') this.decoder = this.make();
    this.waiting.push({ place, since: performance.now() });
    this.decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp: PACKET_US * this.count++, data }));
  }

  /** @param {AudioData} data */
  heard(data) {
    const packet = this.waiting.shift();
    if (packet) {
      const sound = new Float32Array(data.numberOfFrames);
      data.copyTo(sound, { planeIndex: 0, format: 'f32-planar' });
      this.onSound(packet.place, sound, performance.now() - packet.since);
    }
    data.close();
  }

  close() {
    if (this.decoder.state !== 'closed') this.decoder.close();
  }
}
