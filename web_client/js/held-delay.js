/**
 * A delay from mouth to ear that is to stay constant: how much of it is left for the loop, when the browser's
 * own part moves.
 * @module
 */

const SETTLED_REPORTS = 20; // of a context or an output, after which the browser's figure can be trusted
const SMOOTHING = 0.02; // of that figure from then on, per report
const WITHIN_MS = 3; // the loop follows the output latency when that moves by more
const SHORTEST_MS = 10;
const LONGEST_MS = 1000;

/** What is asked, and what the browser says that its output takes. */
export class HeldDelay {
  constructor() {
    /** @type {number | null} From mouth to ear; null lets the delay adapt. */
    this.ms = null;
    /** @type {number | null} null where the browser cannot be asked */
    this.outputMs = 0;
    this.allowedMs = 0; // the output latency that the loop was last given for
    this.reports = 0;
  }

  /** @param {number | null} ms */
  ask(ms) {
    this.ms = ms === null ? null : Math.min(LONGEST_MS, Math.max(SHORTEST_MS, ms));
  }

  /**
   * Another context or another output: what it takes can be trusted only after a while.
   * @param {number | null} outputMs what the browser says at first, if it says anything
   */
  begin(outputMs) {
    this.reports = 0;
    this.outputMs = outputMs;
  }

  /**
   * Hear what the browser says, 20 times a second.
   * @param {number | null} outputMs
   * @returns {boolean} whether the loop must be given anew
   */
  observe(outputMs) {
    this.reports++;
    const before = this.outputMs;
    const moves = this.reports < SETTLED_REPORTS || before === null || outputMs === null;
    this.outputMs = moves ? outputMs : before + (outputMs - before) * SMOOTHING;
    if (this.ms === null) return false;
    return this.reports === SETTLED_REPORTS || Math.abs((this.outputMs ?? 0) - this.allowedMs) > WITHIN_MS;
  }

  /**
   * What is left for the loop.
   * @param {number} microphoneMs as far as it is known
   * @returns {number | null} ms; null lets it adapt
   */
  loop(microphoneMs) {
    this.allowedMs = this.outputMs ?? 0;
    return this.ms === null ? null : Math.max(0, this.ms - this.allowedMs - microphoneMs);
  }
}
