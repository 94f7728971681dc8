/**
 * Playout indexed by capture position: sample n is played at n + delay, whenever it came.
 *
 * A backlog cannot build up, because nothing is queued: a sample that comes after its time is never played.
 * What is missing is concealed, and a change of the delay is a short crossfade.
 * @module
 */

import { Concealment } from './conceal.js';

/** A position-addressed buffer and the reader that plays it. */
export class Player {
  /**
   * @param {number} [capacity] samples, a power of two; a sample is kept until one `capacity` later comes
   * @param {number} [fade] samples over which sound fades where it begins and ends
   * @param {number} [crossfade] samples over which a change of the delay, or the end of a gap, is spread
   */
  constructor(capacity = 1 << 17, fade = 96, crossfade = 240) {
    this.mask = capacity - 1;
    this.samples = new Float32Array(capacity);
    /** The position that each slot holds: what tells a sample from one that never came. */
    this.positions = new Float64Array(capacity).fill(NaN);
    this.fadeStep = 1 / fade;
    this.decay = Math.exp(-5 / fade);
    this.crossfade = crossfade;
    this.delay = 0;
    this.nextDelay = 0;
    this.mixed = 0; // samples of the crossfade done
    this.concealment = new Concealment();
    this.gain = 0; // of what comes after a gap
    this.tail = 0; // what was sounding when the stream ended, dying away
    this.last = 0;
    this.playing = false; // gaps count once something of the stream has been played ...
    this.from = 0; // ... which begins here
    /** Times that playout ran into a gap. */
    this.underruns = 0;
    /** Samples that were not there when their time came. */
    this.missing = 0;
  }

  /** The stream ends: what is still buffered plays out, and the silence after it is not an underrun. */
  rest() {
    this.playing = false;
    this.from = Infinity;
  }

  /**
   * Another stream begins; what is left of the one before counts no more.
   * @param {number} position
   */
  live(position) {
    this.playing = false;
    this.from = position;
  }

  /** What is there belongs to nothing that will be played. */
  forget() {
    this.positions.fill(NaN);
    this.rest();
  }

  /**
   * Take in samples by the position at which they were captured.
   * @param {number} position of the first
   * @param {Int16Array} pcm
   */
  write(position, pcm) {
    for (let i = 0; i < pcm.length; i++) {
      const slot = (position + i) & this.mask;
      this.samples[slot] = pcm[i] / 32768;
      this.positions[slot] = position + i;
    }
  }

  /**
   * Fill `out` with what belongs at `position - delay` onwards.
   * @param {Float32Array} out
   * @param {number} position of the sample captured when `out[0]` sounds
   * @param {number} delay wanted, in samples
   */
  render(out, position, delay) {
    if (!this.playing && this.mixed === 0 && this.gain === 0) this.delay = this.nextDelay = delay;
    for (let i = 0; i < out.length; i++) {
      if (this.mixed === 0 && delay !== this.delay) {
        this.nextDelay = delay;
        this.mixed = 1;
      }
      const at = position + i - this.nextDelay;
      const slot = at & this.mask;
      const there = this.positions[slot] === at;
      let value = there ? this.samples[slot] : 0;
      if (this.mixed > 0) {
        const before = position + i - this.delay;
        const old = before & this.mask;
        const share = this.mixed / this.crossfade;
        value = share * value + (1 - share) * (this.positions[old] === before ? this.samples[old] : 0);
        if (++this.mixed > this.crossfade) {
          this.mixed = 0;
          this.delay = this.nextDelay;
        }
      }
      if (there) {
        this.gain = Math.min(1, this.gain + (this.concealment.active ? 1 / this.crossfade : this.fadeStep));
        if (this.gain === 1) this.concealment.end();
        if (at >= this.from) this.playing = true;
      } else {
        if (this.gain > 0 && this.playing) {
          this.concealment.begin();
          this.underruns++;
        } else if (this.gain > 0) {
          this.tail = this.last;
        }
        this.gain = 0;
        if (this.playing) this.missing++;
      }
      this.tail *= this.decay;
      if (this.tail < 1e-6 && this.tail > -1e-6) this.tail = 0;
      this.last = value * this.gain + (1 - this.gain) * this.concealment.next() + this.tail;
      this.concealment.heard(this.last);
      out[i] = this.last;
    }
  }
}
