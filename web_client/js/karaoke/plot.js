/**
 * What was sung over a whole song, beside what was to be sung.
 * @module
 */

import { matchScreen } from '../canvas.js';

/**
 * @param {HTMLCanvasElement} canvas that is seen
 * @param {import('./lanes-view.js').LanesView} lanes that watched the song
 * @param {number} seconds its length
 */
export function drawPlot(canvas, lanes, seconds) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  matchScreen(context);
  const { clientWidth: width, clientHeight: height } = canvas;
  const { low, high, colours } = lanes;
  /** @param {number} s */
  const x = (s) => (s / seconds) * width;
  /** @param {number} midi */
  const y = (midi) => height - ((midi - low) / (high - low)) * height;
  context.clearRect(0, 0, width, height);
  for (const note of lanes.notes) {
    context.fillStyle = note.kind === 'golden' || note.kind === 'rap_golden' ? colours.golden : colours.note;
    context.fillRect(x(note.start_s), y(note.pitch) - 2, Math.max(1, x(note.end_s) - x(note.start_s)), 4);
  }
  context.fillStyle = colours.sung;
  for (const sung of lanes.sung) {
    if (!Number.isNaN(sung.midi)) context.fillRect(x(sung.seconds), y(lanes.folded(sung)) - 1, 1.5, 2);
  }
}
