/**
 * Runs of exact zeros in what is captured. No microphone makes them; a browser does, where its audio thread has run out
 * of captured sound: it goes on with silence, and all that comes later is late by that.
 * @module
 */

const LEAST = 120; // samples: 2.5 ms
const MOST = 9_600; // longer ones are somebody's switch

/** @typedef {{ end: number, length: number }} Run samples; `end` is the position of the first sound after it */

/** Looks at every sample. */
export class SilentRuns {
  constructor() {
    this.zeros = MOST + 1; // before the first sound there is none
    /** @type {Run[]} */
    this.found = [];
  }

  /** @param {number} sample @param {number} position */
  add(sample, position) {
    if (sample === 0) {
      this.zeros++;
      return;
    }
    if (this.zeros >= LEAST && this.zeros <= MOST) this.found.push({ end: position, length: this.zeros });
    this.zeros = 0;
  }

  /** @returns {Run[]} those that ended since this was asked for the last time */
  read() {
    return this.found.splice(0);
  }
}
