/**
 * The waveform: the original above the line, the converted song below it; the one that is heard is strong.
 * @module
 */

import { matchScreen } from '../canvas.js';
import { clock } from '../time.js';

const BAR = 3; // px, with the gap
const STEP_S = 5; // an arrow key

/** @typedef {{ original: Float32Array | null, converted: Float32Array | null }} Peaks */

/** Draws on a canvas, and lets a place be picked by pointer and keys. */
export class WaveView {
  /**
   * @param {HTMLElement} root a `role=slider` with a canvas in it
   * @param {(seconds: number) => void} onSeek
   * @param {() => void} onToggle play or pause
   */
  constructor(root, onSeek, onToggle) {
    this.root = root;
    this.canvas = /** @type {HTMLCanvasElement} */ (root.querySelector('canvas'));
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d'));
    this.onSeek = onSeek;
    /** @type {Peaks} */
    this.peaks = { original: null, converted: null };
    this.duration = 0;
    this.position = 0;
    this.strong = 'converted';
    this.colours = { original: '', converted: '', line: '', ink: '' };
    this.readColours();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.readColours());
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    root.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      root.setPointerCapture(event.pointerId);
      this.pick(event);
    });
    root.addEventListener('pointermove', (event) => {
      if (root.hasPointerCapture(event.pointerId)) this.pick(event);
    });
    root.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === ' ') onToggle();
      else if (!this.step(event.key)) return;
      event.preventDefault();
    });
  }

  /** @param {string} key @returns {boolean} whether it means a place */
  step(key) {
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: this.position - STEP_S,
      ArrowDown: this.position - STEP_S,
      ArrowRight: this.position + STEP_S,
      ArrowUp: this.position + STEP_S,
      PageDown: this.position - 6 * STEP_S,
      PageUp: this.position + 6 * STEP_S,
      Home: 0,
      End: this.duration,
    };
    if (!(key in places)) return false;
    this.onSeek(Math.min(this.duration, Math.max(0, places[key])));
    return true;
  }

  /** @param {PointerEvent} event */
  pick(event) {
    const box = this.root.getBoundingClientRect();
    this.onSeek(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.duration);
  }

  readColours() {
    const style = getComputedStyle(this.canvas);
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(name).trim();
    const [original, converted, line, ink] = ['--sung', '--heard', '--line', '--ink'].map(colour);
    this.colours = { original, converted, line, ink };
    this.draw();
  }

  resize() {
    matchScreen(this.context);
    this.draw();
  }

  /** @param {Peaks} peaks @param {number} duration seconds */
  show(peaks, duration) {
    this.peaks = peaks;
    this.duration = duration;
    this.root.setAttribute('aria-valuemax', duration.toFixed(1));
    this.draw();
    this.move(0, this.strong);
  }

  /** @param {number} position seconds @param {string} strong which one is heard */
  move(position, strong) {
    this.position = position;
    this.strong = strong;
    this.root.setAttribute('aria-valuenow', position.toFixed(1));
    this.root.setAttribute('aria-valuetext', `${clock(position)} of ${clock(this.duration)}`);
    this.draw();
  }

  draw() {
    const { context, canvas } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    context.clearRect(0, 0, width, height);
    const middle = Math.round(height / 2);
    context.globalAlpha = 1;
    context.fillStyle = this.colours.line;
    context.fillRect(0, middle, width, 1);
    const at = this.duration ? (this.position / this.duration) * width : 0;
    this.bars('original', middle, -1, at);
    this.bars('converted', middle + 1, 1, at);
    context.globalAlpha = 1;
    context.fillStyle = this.colours.ink;
    if (this.duration) context.fillRect(Math.min(width - 2, Math.max(0, at - 1)), 0, 2, height);
  }

  /**
   * @param {'original' | 'converted'} name
   * @param {number} base y of silence
   * @param {-1 | 1} direction up or down
   * @param {number} at x up to which it has been heard
   */
  bars(name, base, direction, at) {
    const peaks = this.peaks[name];
    if (!peaks) return;
    const { context, canvas } = this;
    const room = canvas.clientHeight / 2 - 3;
    const bars = Math.max(1, Math.floor(canvas.clientWidth / BAR));
    context.fillStyle = this.colours[name];
    for (let bar = 0; bar < bars; bar++) {
      const from = Math.floor((bar * peaks.length) / bars);
      const to = Math.max(from + 1, Math.floor(((bar + 1) * peaks.length) / bars));
      let peak = 0;
      for (let i = from; i < to; i++) peak = Math.max(peak, peaks[i]);
      const x = (bar * canvas.clientWidth) / bars;
      const tall = Math.max(1, Math.min(1, peak) * room);
      const faint = name === this.strong ? 0.45 : 0.16;
      context.globalAlpha = x < at ? (name === this.strong ? 1 : 0.35) : faint;
      context.fillRect(x, direction < 0 ? base - tall : base, BAR - 1, tall);
    }
  }
}
