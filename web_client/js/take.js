/**
 * A take: what was sung and what it became, both addressed by capture position, so that they line up
 * whatever the delay was and even where a frame came too late to be heard.
 * @module
 */

const PAGE = 48000; // samples per page of storage
/** Longest take, in samples at 48 kHz: twenty minutes, about 230 MB for the two voices. */
export const MAX_TAKE = 20 * 60 * 48000;

/** A growing recording that is written by position. */
class Track {
  constructor() {
    /** @type {Map<number, Int16Array>} */
    this.pages = new Map();
  }

  /**
   * @param {number} position from the start of the take; what lies before it is left out
   * @param {Int16Array} pcm
   */
  write(position, pcm) {
    let from = Math.max(0, -position);
    while (from < pcm.length) {
      const at = position + from;
      const page = Math.floor(at / PAGE);
      let samples = this.pages.get(page);
      if (!samples) this.pages.set(page, (samples = new Int16Array(PAGE)));
      const count = Math.min(pcm.length - from, (page + 1) * PAGE - at);
      samples.set(pcm.subarray(from, from + count), at - page * PAGE);
      from += count;
    }
  }

  /**
   * @param {number} length samples
   * @returns {Int16Array<ArrayBuffer>} with silence where nothing was written
   */
  read(length) {
    const pcm = new Int16Array(length);
    for (const [page, samples] of this.pages) {
      const at = page * PAGE;
      if (at < length) pcm.set(samples.subarray(0, Math.min(PAGE, length - at)), at);
    }
    return pcm;
  }
}

/** The two voices of one recording. */
export class Take {
  /** @param {number} start position of its first sample */
  constructor(start) {
    this.start = start;
    /** @type {number | null} */
    this.end = null;
    this.captured = 0; // length of what was sung so far
    this.rendered = 0; // length of what came back so far ...
    this.returned = 0; // ... and how much of it did
    this.dry = new Track();
    this.wet = new Track();
  }

  /** @param {number} position @param {Int16Array} pcm */
  sung(position, pcm) {
    if (this.end !== null) return;
    this.dry.write(position - this.start, pcm);
    this.captured = Math.max(this.captured, position - this.start + pcm.length);
  }

  /** @param {number} position @param {Int16Array} pcm */
  heard(position, pcm) {
    this.wet.write(position - this.start, pcm);
    const last = position - this.start + pcm.length;
    this.rendered = Math.max(this.rendered, last);
    this.returned += Math.max(0, Math.min(last, this.end ?? Infinity) - Math.max(0, last - pcm.length));
  }

  /** No more is sung; what was sung is still on its way back. */
  close() {
    this.end = this.captured;
  }

  /** Whether all that was sung has come back, or the take is as long as it may be. */
  get complete() {
    return this.end !== null && this.rendered >= this.end;
  }

  /** Samples that never came back: nobody rendered them, or the line was away. */
  get missing() {
    return Math.max(0, (this.end ?? this.captured) - this.returned);
  }

  get full() {
    return this.captured >= MAX_TAKE;
  }

  /** @returns {{ dry: Int16Array<ArrayBuffer>, wet: Int16Array<ArrayBuffer> }} of equal length, aligned */
  read() {
    const length = this.end ?? this.captured;
    return { dry: this.dry.read(length), wet: this.wet.read(length) };
  }
}
