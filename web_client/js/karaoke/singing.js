/**
 * One song sung once: the voice goes to the server and back while the song plays, both on the clock of one audio
 * context, so that what was captured has its place in the song to the sample.
 * @module
 */

import { SAMPLE_RATE } from '../protocol.js';
import { midiOf } from '../notes.js';
import { Mix } from './mix.js';

/**
 * @typedef {object} Hooks
 * @property {(seconds: number, step_s: number, midi: number) => void} onVoice what was sung at a place in the song
 * @property {() => void} onOver the song has ended
 */

/** From the first note to the last; `end` before another. */
export class Singing {
  /**
   * @param {import('../session.js').Session} session that is live
   * @param {Mix} mix on its graph
   * @param {() => number} roundTrip samples from the page to the singer and back
   * @param {Hooks} hooks
   */
  constructor(session, mix, roundTrip, hooks) {
    this.session = session;
    this.mix = mix;
    this.roundTrip = roundTrip;
    this.hooks = hooks;
    this.origin = 0; // the context's frame of the worklet's position 0
    this.over = false;
  }

  /**
   * @param {Record<import('./backing.js').TrackName, AudioBuffer>} buffers
   * @param {number} origin
   * @param {number} from_s
   * @param {string} take the name by which it is kept as it is sung
   * @param {number | null} [first] the context's frame of the song's first sample
   */
  begin(buffers, origin, from_s, take, first = null) {
    this.origin = origin;
    this.mix.backing.start(buffers, from_s, first);
    this.session.record(true, this.captureOf(0), take);
  }

  /**
   * @param {number} sample of the song
   * @returns {number} the position, by the worklet's count, at which a singer in time with it is captured
   */
  captureOf(sample) {
    return (this.mix.backing.frame ?? 0) + sample - this.origin + this.roundTrip();
  }

  /** @param {number} from the worklet's count from which on the way to the singer and back is another */
  slipped(from) {
    if (!this.over) this.session.moveTake(from, this.captureOf(0));
  }

  /** @param {import('../protocol.js').ServerPitch} pitch */
  heard({ position, hop, f0_in: sung }) {
    if (this.mix.backing.frame === null) return;
    const start = this.captureOf(0);
    sung.forEach((hz, i) => {
      const seconds = (position + i * hop - start) / SAMPLE_RATE;
      this.hooks.onVoice(seconds, hop / SAMPLE_RATE, hz > 0 ? midiOf(hz) : NaN);
    });
  }

  /** Where in the song the singer is now: what sounds, not what leaves the page. */
  get position() {
    const { backing, graph } = this.mix;
    return backing.frame === null ? 0 : backing.position - (graph.outputLatencyMs ?? 0) / 1000;
  }

  /** To be called now and then. */
  tick() {
    if (this.over || this.mix.backing.position < this.mix.backing.duration + this.roundTrip() / SAMPLE_RATE) return;
    this.hooks.onOver();
  }

  /** The song stops; the take comes by the session's `onTake`. */
  end() {
    if (this.over) return;
    this.over = true;
    this.session.record(false);
    this.mix.backing.stop();
  }
}
