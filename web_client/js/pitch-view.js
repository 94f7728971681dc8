/**
 * A scrolling line of what is sung and what is heard, over named notes.
 * @module
 */

import { matchScreen } from './canvas.js';
import { midiOf, noteName } from './notes.js';
import { SAMPLE_RATE } from './protocol.js';

const SPAN_S = 6; // shown at once
const LEAST_RANGE = 12; // semitones
const EASE = 0.08; // of the vertical range, per frame
const JUMP_SEMITONES = 3; // a larger step between neighbours is a new line, not a glide
const GUTTER = 40; // px for the note names
const SLOW_DRAW_MS = 250; // with reduced motion: the trace is redrawn in place instead of gliding

/** Values of one voice by time, in a ring. */
class Trace {
  constructor() {
    /** @type {{ position: number, midi: number }[]} midi is NaN when unvoiced */
    this.points = [];
  }

  /** @param {number} position @param {number} hz */
  add(position, hz) {
    this.points.push({ position, midi: hz > 0 ? midiOf(hz) : NaN });
  }

  /** @param {number} position */
  forget(position) {
    let old = 0;
    while (old < this.points.length && this.points[old].position < position) old++;
    if (old > 200) this.points.splice(0, old);
  }
}

/** Draws on a canvas. */
export class PitchView {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    this.sung = new Trace();
    this.heard = new Trace();
    this.low = 50;
    this.high = 70;
    this.now = 0; // position at `at`
    this.at = 0;
    this.running = false;
    this.still = matchMedia('(prefers-reduced-motion: reduce)');
    this.drawnAt = 0;
    this.readColours();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.readColours());
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  readColours() {
    const style = getComputedStyle(this.canvas);
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(name).trim();
    this.colours = { sung: colour('--sung'), heard: colour('--heard'), line: colour('--line'), text: colour('--muted') };
    this.font = `11px ${style.fontFamily}`;
    this.draw();
  }

  resize() {
    matchScreen(this.context);
    this.draw();
  }

  start() {
    this.sung = new Trace();
    this.heard = new Trace();
    if (this.running) return;
    this.running = true;
    const step = (/** @type {number} */ time) => {
      if (!this.running) return;
      if (!this.still.matches || time - this.drawnAt > SLOW_DRAW_MS) {
        this.drawnAt = time;
        this.draw();
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  stop() {
    this.running = false;
  }

  /** @param {number} position that is being captured now */
  advance(position) {
    if (position < this.now) {
      // A new audio context counts from 0 again.
      this.sung = new Trace();
      this.heard = new Trace();
    }
    this.now = position;
    this.at = performance.now();
  }

  /** @param {import('./protocol.js').ServerPitch} pitch */
  add({ position, hop, f0_in: sung, f0_out: heard }) {
    sung.forEach((hz, i) => this.sung.add(position + i * hop, hz));
    heard.forEach((hz, i) => this.heard.add(position + i * hop, hz));
    this.sung.forget(position - (SPAN_S + 1) * SAMPLE_RATE);
    this.heard.forget(position - (SPAN_S + 1) * SAMPLE_RATE);
  }

  /** The newest pitches, Hz-free: MIDI numbers or NaN. */
  get latest() {
    return { sung: this.sung.points.at(-1)?.midi ?? NaN, heard: this.heard.points.at(-1)?.midi ?? NaN };
  }

  /** Let the range follow what is shown, calmly. */
  follow() {
    let low = Infinity;
    let high = -Infinity;
    for (const { points } of [this.sung, this.heard]) {
      for (const { midi } of points) {
        if (midi < low) low = midi;
        if (midi > high) high = midi;
      }
    }
    if (low > high) return;
    const spare = Math.max(0, LEAST_RANGE - (high - low)) / 2 + 2;
    const ease = this.still.matches ? 1 : EASE;
    this.low += (low - spare - this.low) * ease;
    this.high += (high + spare - this.high) * ease;
  }

  draw() {
    const { context, canvas, colours } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height || !colours) return;
    this.follow();
    context.clearRect(0, 0, width, height);
    const scale = height / (this.high - this.low);
    /** @param {number} midi */
    const y = (midi) => height - (midi - this.low) * scale;
    this.drawNotes(width, y, scale);
    const elapsed = this.running ? Math.min(200, performance.now() - this.at) : 0;
    const right = this.now + (elapsed * SAMPLE_RATE) / 1000;
    const perSample = (width - GUTTER) / (SPAN_S * SAMPLE_RATE);
    /** @param {number} position */
    const x = (position) => width - (right - position) * perSample;
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, width - GUTTER, height);
    context.clip();
    context.lineJoin = context.lineCap = 'round';
    this.drawTrace(this.heard, colours.heard, 3.5, x, y);
    this.drawTrace(this.sung, colours.sung, 2, x, y); // over it, so that both are seen in unison
    context.restore();
  }

  /**
   * @param {number} width
   * @param {(midi: number) => number} y
   * @param {number} scale px per semitone
   */
  drawNotes(width, y, scale) {
    const { context, colours } = this;
    if (!colours) return;
    context.font = this.font ?? '11px sans-serif';
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    const every = scale >= 15 ? 1 : scale >= 6 ? 0 : 12;
    for (let midi = Math.ceil(this.low); midi <= this.high; midi++) {
      const inC = ((midi % 12) + 12) % 12;
      const natural = [0, 2, 4, 5, 7, 9, 11].includes(inC);
      if (!natural) continue;
      const at = Math.round(y(midi)) + 0.5;
      context.strokeStyle = colours.line;
      context.globalAlpha = inC === 0 ? 1 : 0.5;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(GUTTER, at);
      context.lineTo(width, at);
      context.stroke();
      const named = every === 1 || (every === 0 && [0, 4, 7].includes(inC)) || inC === 0;
      if (named && at > 8 && at < this.canvas.clientHeight - 8) {
        context.globalAlpha = 1;
        context.fillStyle = colours.text;
        context.fillText(noteName(midi), GUTTER - 10, at);
      }
    }
    context.globalAlpha = 1;
  }

  /**
   * @param {Trace} trace
   * @param {string} colour
   * @param {number} thickness
   * @param {(position: number) => number} x
   * @param {(midi: number) => number} y
   */
  drawTrace(trace, colour, thickness, x, y) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    context.beginPath();
    let before = NaN;
    for (const { position, midi } of trace.points) {
      if (Number.isNaN(midi)) before = NaN;
      else {
        if (Math.abs(midi - before) <= JUMP_SEMITONES) context.lineTo(x(position), y(midi));
        else context.moveTo(x(position), y(midi));
        before = midi;
      }
    }
    context.stroke();
  }
}
