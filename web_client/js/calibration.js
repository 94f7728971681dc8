/**
 * Where an outgoing audio track is: which RTP timestamp carries which captured sample. The browser does not say, so a
 * mark is played into the track before it carries a voice, and looked for in what comes out of its encoder.
 * @module
 */

import { findMark } from './mark.js';
import { OpusDecoder } from './opus-decoder.js';

const TRIES = 3;
const LISTEN = 24_000; // samples (0.5 s) for each
const EVERY = 4_800; // samples between two looks

/** One track's, which is over when it has called `found` or `failed`. */
export class Calibration {
  /**
   * @param {object} hooks
   * @param {() => void} hooks.play have a mark played; `played` is to be told where
   * @param {(timestamp: number, count: number) => void} hooks.found the RTP timestamp of a captured sample, by the
   *   worklet's count
   * @param {() => void} hooks.failed it cannot be heard
   */
  constructor(hooks) {
    this.hooks = hooks;
    this.decoder = new OpusDecoder((timestamp, sound) => this.heard(timestamp, sound));
    this.over = false;
    this.tries = 0;
    /** @type {number | null} worklet count of the mark */
    this.mark = null;
    this.began = 0; // RTP timestamp of the first sample in `sound`
    this.sound = new Float32Array(LISTEN);
    this.filled = 0;
    this.looked = 0;
  }

  /**
   * An encoded frame.
   * @param {number} timestamp
   * @param {ArrayBuffer} data
   */
  frame(timestamp, data) {
    if (this.over) return;
    if (this.tries === 0) this.again();
    this.decoder.decode(timestamp, data);
  }

  /** @param {number} count at which the mark begins */
  played(count) {
    this.mark = count;
  }

  again() {
    this.tries++;
    this.mark = null;
    this.filled = this.looked = 0;
    this.hooks.play();
  }

  /**
   * @param {number} timestamp
   * @param {Float32Array} sound
   */
  heard(timestamp, sound) {
    if (this.over) return;
    if (this.filled === 0) this.began = timestamp;
    const room = sound.subarray(0, LISTEN - this.filled);
    this.sound.set(room, this.filled);
    this.filled += room.length;
    if (this.mark === null || this.filled < this.looked + EVERY) return;
    this.looked = this.filled;
    const at = findMark(this.sound.subarray(0, this.filled));
    if (at !== null) {
      this.end();
      this.hooks.found((this.began + at) >>> 0, this.mark);
    } else if (this.filled === LISTEN) {
      if (this.tries < TRIES) this.again();
      else {
        this.end();
        this.hooks.failed();
      }
    }
  }

  end() {
    this.over = true;
    this.decoder.close();
  }
}
