/**
 * A take: what was sung and what it became, both addressed by capture position, so that they line up
 * whatever the delay was and even where a frame came too late to be heard.
 * @module
 */

export const PAGE = 48000; // samples per page of storage
/** Longest take, in samples at 48 kHz: twenty minutes, about 230 MB for the two voices. */
export const MAX_TAKE = 20 * 60 * 48000;

/**
 * A second of a track; there is silence where nothing was written.
 * @typedef {{ samples: Int16Array<ArrayBuffer>, end: number, filled: number }} Page `end` is behind the last sample that was
 *   written, `filled` how many were
 */

/** A growing recording that is written by position. */
class Track {
  constructor() {
    /** @type {Map<number, Page>} */
    this.pages = new Map();
    /** @type {Set<number>} the pages written to since they were last taken away to be kept */
    this.changed = new Set();
  }

  /**
   * @param {number} position from the start of the take; what lies before it is left out
   * @param {Int16Array} pcm
   */
  write(position, pcm) {
    let from = Math.max(0, -position);
    while (from < pcm.length) {
      const at = position + from;
      const number = Math.floor(at / PAGE);
      let page = this.pages.get(number);
      if (!page) this.pages.set(number, (page = { samples: new Int16Array(PAGE), end: 0, filled: 0 }));
      const count = Math.min(pcm.length - from, (number + 1) * PAGE - at);
      page.samples.set(pcm.subarray(from, from + count), at - number * PAGE);
      page.end = Math.max(page.end, at - number * PAGE + count);
      page.filled += count;
      this.changed.add(number);
      from += count;
    }
  }

  /**
   * @param {number} length samples
   * @returns {Int16Array<ArrayBuffer>} with silence where nothing was written
   */
  read(length) {
    const pcm = new Int16Array(length);
    for (const [number, { samples }] of this.pages) {
      const at = number * PAGE;
      if (at < length) pcm.set(samples.subarray(0, Math.min(PAGE, length - at)), at);
    }
    return pcm;
  }
}

/** The two voices of one recording. */
export class Take {
  /** @param {number} start position of its first sample */
  constructor(start) {
    /** @type {{ from: number, start: number }[]} where the first sample is, for what is captured from there on */
    this.starts = [{ from: -Infinity, start }];
    /** @type {number | null} */
    this.end = null;
    this.captured = 0; // length of what was sung so far
    this.rendered = 0; // length of what came back so far ...
    this.returned = 0; // ... and how much of it did
    this.dry = new Track();
    this.wet = new Track();
  }

  /**
   * What is captured lies elsewhere from now on: the browser has lost some of it, or made it wait.
   * @param {number} from position
   * @param {number} start position that the take's first sample would have had
   */
  move(from, start) {
    this.starts.push({ from, start });
  }

  /** @param {number} position @returns {number} samples from the start of the take */
  placeOf(position) {
    let i = this.starts.length - 1;
    while (position < this.starts[i].from) i--;
    return position - this.starts[i].start;
  }

  /** @param {number} position @param {Int16Array} pcm */
  sung(position, pcm) {
    if (this.end !== null) return;
    const place = this.placeOf(position);
    this.dry.write(place, pcm);
    this.captured = Math.max(this.captured, place + pcm.length);
  }

  /** @param {number} position @param {Int16Array} pcm */
  heard(position, pcm) {
    const place = this.placeOf(position);
    this.wet.write(place, pcm);
    const last = place + pcm.length;
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

  /**
   * What has come since this was asked for the last time.
   * @returns {import('./take-store.js').KeptPage[]}
   */
  takeChanges() {
    return /** @type {const} */ (['dry', 'wet']).flatMap((name) => {
      const track = this[name];
      const found = [...track.changed].map((number) => ({ track: name, number, .../** @type {Page} */ (track.pages.get(number)) }));
      track.changed.clear();
      return found;
    });
  }

  /** @returns {{ dry: Int16Array<ArrayBuffer>, wet: Int16Array<ArrayBuffer> }} of equal length, aligned */
  read() {
    const length = this.end ?? this.captured;
    return { dry: this.dry.read(length), wet: this.wet.read(length) };
  }
}
