/**
 * The notes of a song, coming from the right over the place where they are sung, and the voice among them, in the
 * octave of the notes.
 * @module
 */

import { matchScreen } from '../canvas.js';
import { distance, firstAfter } from './chart.js';

const SPAN_S = 6; // seen at once
const NOW = 0.3; // of the width lies behind
const LEAST_RANGE = 14; // semitones
const STILL_PAGE_S = 6; // with reduced motion: pages are turned instead

/** @typedef {{ seconds: number, midi: number }} Sung midi is NaN where there is no voice */

/** Draws on a canvas. */
export class LanesView {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false }));
    /** @type {import('./chart.js').Note[]} */
    this.notes = [];
    /** @type {Sung[]} */
    this.sung = [];
    this.low = 55;
    this.high = 69;
    this.still = matchMedia('(prefers-reduced-motion: reduce)');
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.colours = this.readColours();
      this.draw(this.at);
    });
    new ResizeObserver(() => {
      matchScreen(this.context);
      this.draw(this.at);
    }).observe(canvas);
    this.at = 0;
    this.colours = this.readColours();
  }

  readColours() {
    const style = getComputedStyle(this.canvas);
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(name).trim();
    return {
      paper: colour('--well'), line: colour('--line'), note: colour('--muted'), golden: colour('--golden'),
      sung: colour('--heard'), now: colour('--ink'),
    };
  }

  /** @param {import('./chart.js').Note[]} notes in order */
  setNotes(notes) {
    this.notes = notes;
    const pitches = notes.map((note) => note.pitch);
    const middle = pitches.length ? (Math.min(...pitches) + Math.max(...pitches)) / 2 : 62;
    const range = Math.max(LEAST_RANGE, pitches.length ? Math.max(...pitches) - Math.min(...pitches) + 4 : 0);
    this.low = middle - range / 2;
    this.high = middle + range / 2;
    this.clear();
  }

  /** Forget what was sung. */
  clear() {
    this.sung = [];
    this.draw(this.at);
  }

  /** @param {number} seconds @param {number} midi */
  hear(seconds, midi) {
    this.sung.push({ seconds, midi });
  }

  /**
   * The octave of the note that is sung then, or was before.
   * @param {Sung} sung
   * @returns {number} MIDI number with fractions
   */
  folded({ seconds, midi }) {
    const index = Math.min(firstAfter(this.notes, seconds), this.notes.length - 1);
    if (index < 0) return midi;
    const { pitch } = this.notes[index];
    return pitch + distance(midi, pitch);
  }

  /** @param {number} seconds into the song */
  draw(seconds) {
    this.at = seconds;
    const { context, canvas, colours } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    const from = this.still.matches ? Math.floor(seconds / STILL_PAGE_S) * STILL_PAGE_S : seconds - NOW * SPAN_S;
    /** @param {number} s */
    const x = (s) => ((s - from) / SPAN_S) * width;
    /** @param {number} midi */
    const y = (midi) => height - ((midi - this.low) / (this.high - this.low)) * height;
    const thick = Math.max(6, height / (this.high - this.low));
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, width, height);
    context.fillStyle = colours.line;
    for (let midi = Math.ceil(this.low); midi < this.high; midi++) {
      if (midi % 12 === 0) context.fillRect(0, y(midi), width, 1);
    }
    for (let i = firstAfter(this.notes, from); i < this.notes.length; i++) {
      const note = this.notes[i];
      if (note.start_s > from + SPAN_S) break;
      const golden = note.kind === 'golden' || note.kind === 'rap_golden';
      context.fillStyle = golden ? colours.golden : colours.note;
      context.globalAlpha = note.kind === 'freestyle' ? 0.35 : 0.8;
      const left = x(note.start_s) + 1;
      context.beginPath();
      context.roundRect(left, y(note.pitch) - thick / 2, Math.max(3, x(note.end_s) - left - 1), thick, thick / 2);
      context.fill();
    }
    context.globalAlpha = 1;
    this.drawSung(from, x, y, thick);
    context.fillStyle = colours.now;
    context.fillRect(x(seconds) - 1, 0, 2, height);
  }

  /**
   * @param {number} from
   * @param {(s: number) => number} x
   * @param {(midi: number) => number} y
   * @param {number} thick
   */
  drawSung(from, x, y, thick) {
    const { context, colours } = this;
    let old = 0;
    while (old < this.sung.length && this.sung[old].seconds < from) old++;
    context.strokeStyle = colours.sung;
    context.lineWidth = Math.max(3, thick / 3);
    context.lineJoin = 'round';
    context.beginPath();
    let before = NaN;
    for (let i = old; i < this.sung.length; i++) {
      const midi = Number.isNaN(this.sung[i].midi) ? NaN : this.folded(this.sung[i]);
      if (!Number.isNaN(midi)) {
        const place = /** @type {const} */ ([x(this.sung[i].seconds), y(midi)]);
        if (Math.abs(midi - before) < 3) context.lineTo(...place);
        else context.moveTo(...place);
      }
      before = midi;
    }
    context.stroke();
  }
}
