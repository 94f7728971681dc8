/**
 * Frames of a lossy line put in order for a decoder with a memory. Behind one that is missing, later ones wait as
 * long as it has lately taken; the server does the same (realtime/jitter.py, realtime/patience.py).
 * @module
 */

const MOST_MS = 60; // what comes later than that is not worth waiting for
const LEAST = 1 / 192; // ms a sample: a quarter of a frame, where all comes in order
const FADING_MS = 10_000; // in which the memory of lateness shrinks to a third
const MARGIN = 1.25; // so much more than the lateness that was seen ...
const EXTRA_MS = 2;
const HOLES = 16; // that are remembered, to learn from what comes too late
const JUMP = 24_000; // samples; a frame further ahead begins anew
const SMOOTHING = 1 / 64; // of the average wait, per frame

/**
 * @template T
 * @typedef {{ position: number, samples: number, came: number, frame: T }} Waiting
 */

/**
 * @template T a frame
 */
export class Order {
  /**
   * @param {(position: number, frame: T) => void} pass
   * @param {() => number} [now] ms
   */
  constructor(pass, now = () => performance.now()) {
    this.pass = pass;
    this.now = now;
    /** @type {Waiting<T>[]} by position */
    this.waiting = [];
    /** @type {number | null} position of the next frame to go on */
    this.next = null;
    /** @type {{ start: number, end: number, missed: number }[]} given up lately */
    this.holes = [];
    this.peak = 0;
    this.peakAt = 0;
    this.waitedMs = 0; // nowadays, on average
    /** Frames that came after they had been given up, or twice. */
    this.late = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * @param {number} position of its first sample
   * @param {number} samples
   * @param {T} frame
   */
  put(position, samples, frame) {
    const now = this.now();
    if (this.next === null || position > this.next + JUMP || position < this.next - JUMP) this.restart(position);
    const behind = this.waiting.filter((other) => other.position > position);
    if (position < /** @type {number} */ (this.next) || this.waiting.some((other) => other.position === position)) {
      const hole = this.holes.find(({ start, end }) => start <= position && position < end);
      if (hole) this.met(now - hole.missed, now);
      this.late++;
    } else {
      if (behind.length) this.met(now - Math.min(...behind.map(({ came }) => came)), now);
      this.waiting.splice(this.waiting.length - behind.length, 0, { position, samples, came: now, frame });
    }
    this.release();
  }

  /** @param {number} position */
  restart(position) {
    for (const { position: place, frame } of this.waiting) this.pass(place, frame);
    this.waiting = [];
    this.holes = [];
    this.next = position;
  }

  release() {
    clearTimeout(this.timer);
    const now = this.now();
    while (this.waiting.length) {
      const [{ position, samples, came, frame }] = this.waiting;
      const missed = Math.min(...this.waiting.map((other) => other.came));
      const next = /** @type {number} */ (this.next);
      if (position > next) {
        const left = missed + this.patienceMs(now, samples) - now;
        if (left > 0) {
          this.timer = setTimeout(() => this.release(), Math.ceil(left));
          return;
        }
        this.holes = [...this.holes.slice(1 - HOLES), { start: next, end: position, missed }];
      }
      this.waiting.shift();
      this.next = position + samples;
      this.waitedMs += SMOOTHING * (now - came - this.waitedMs);
      this.pass(position, frame);
    }
  }

  /**
   * @param {number} lateMs it came after one behind it
   * @param {number} now
   */
  met(lateMs, now) {
    if (lateMs > MOST_MS) return;
    const enough = lateMs * MARGIN + EXTRA_MS;
    if (enough > this.held(now)) {
      this.peak = enough;
      this.peakAt = now;
    }
  }

  /** @param {number} now */
  held(now) {
    return this.peak * Math.exp((this.peakAt - now) / FADING_MS);
  }

  /**
   * @param {number} now
   * @param {number} samples of a frame
   */
  patienceMs(now, samples) {
    return Math.min(MOST_MS, Math.max(this.held(now), LEAST * samples));
  }

  close() {
    clearTimeout(this.timer);
    this.waiting = [];
  }
}
