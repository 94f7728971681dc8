/**
 * Whether a line stands still again and again, as a WebSocket does where packets are lost.
 * @module
 */

const STALL_MS = 150; // between two frames that come 10 ms apart
const WITHIN_MS = 20_000;
const TOO_MANY = 2;

/** Hears when frames come. */
export class Stalls {
  constructor() {
    /** @type {number | null} */
    this.last = null;
    /** @type {number[]} */
    this.times = [];
  }

  /** Forget all: another line, or a rest. */
  clear() {
    this.last = null;
    this.times = [];
  }

  /**
   * A frame has come.
   * @param {number} now ms
   * @returns {boolean} whether there have been too many stalls of late
   */
  heard(now) {
    const stalled = this.last !== null && now - this.last > STALL_MS;
    this.last = now;
    if (stalled) this.times = [...this.times.filter((time) => now - time < WITHIN_MS), now];
    return stalled && this.times.length >= TOO_MANY;
  }
}
