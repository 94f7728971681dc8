/**
 * Level meters: RMS as a bar, the highest peak of the last moments as a line.
 * @module
 */

import { setText } from './dom.js';

const FLOOR_DB = -60;
const PEAK_HOLD_MS = 1200;
const FALL_DB_PER_S = 24;

/** @param {number} linear */
export function decibels(linear) {
  return linear > 0 ? 20 * Math.log10(linear) : -Infinity;
}

/** @param {number} db */
const place = (db) => Math.min(1, Math.max(0, 1 - db / FLOOR_DB));

/** One meter: an element with a `.meter-bar`, a `.meter-peak` and a `.meter-value` in it. */
export class Meter {
  /** @param {HTMLElement} root */
  constructor(root) {
    /** @param {string} name */
    const part = (name) => /** @type {HTMLElement} */ (root.querySelector(name));
    this.root = root;
    this.bar = part('.meter-bar');
    this.peakLine = part('.meter-peak');
    this.value = part('.meter-value');
    this.shown = FLOOR_DB;
    this.peak = FLOOR_DB;
    this.peakAt = 0;
    this.updatedAt = 0;
    this.clear();
  }

  /** @param {{ peak: number, rms: number }} level linear */
  show(level) {
    const now = performance.now();
    const fall = (FALL_DB_PER_S * Math.min(1000, now - this.updatedAt)) / 1000;
    this.updatedAt = now;
    this.shown = Math.max(FLOOR_DB, decibels(level.rms), this.shown - fall);
    const peak = decibels(level.peak);
    if (peak >= this.peak || now - this.peakAt > PEAK_HOLD_MS) {
      this.peak = Math.max(FLOOR_DB, peak);
      this.peakAt = now;
    }
    this.bar.style.transform = `scaleX(${place(this.shown).toFixed(3)})`;
    this.peakLine.style.transform = `translateX(${(place(this.peak) * 100).toFixed(1)}%)`;
    this.root.classList.toggle('hot', this.peak > -1);
    setText(this.value, this.peak <= FLOOR_DB ? '–' : `${Math.round(this.peak)} dB`.replace('-', '−'));
    this.root.setAttribute('aria-valuenow', String(Math.round(this.shown)));
  }

  clear() {
    this.shown = this.peak = FLOOR_DB;
    this.show({ peak: 0, rms: 0 });
  }
}
