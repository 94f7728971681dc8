/**
 * By how much what is captured has become later, because the browser's audio thread had run out of it: whole buffers
 * of silence (silent-runs.js), as long as those in which the microphone delivers.
 * @module
 */

const RATE = 48000;
const TAPER = 0.15; // of a buffer that a resampler may have made of its neighbours
const MOST_BUFFERS = 4;

/** @param {number} a @param {number} b @returns {number} */
const divisor = (a, b) => (b === 0 ? a : divisor(b, a % b));

/** Watches one microphone. */
export class CaptureSlip {
  /** @param {MediaStreamTrack | null} track null: nothing can slip */
  constructor(track) {
    this.track = track;
    this.frames = 0; // of the track at the last look
    this.buffer = 0; // in which it delivers, as far as has been seen
    this.samples = 0; // by which it has become later
  }

  /** Look how the microphone delivers; the more often, the surer. Browsers that do not tell are left alone. */
  look() {
    const { totalFrames } = /** @type {{ stats?: { totalFrames: number } }} */ (this.track ?? {}).stats ?? { totalFrames: 0 };
    if (totalFrames > this.frames && this.frames > 0) this.buffer = divisor(totalFrames - this.frames, this.buffer);
    this.frames = totalFrames;
  }

  /**
   * @param {import('../silent-runs.js').Run} run that was captured
   * @returns {boolean} whether it was the browser's
   */
  hear({ length }) {
    const rate = this.track?.getSettings().sampleRate ?? RATE;
    const buffer = (this.buffer * RATE) / rate;
    const count = Math.round(length / buffer);
    if (!(count >= 1 && count <= MOST_BUFFERS && length > (count - TAPER) * buffer && length <= Math.ceil(count * buffer))) return false;
    this.samples += Math.round(count * buffer);
    return true;
  }
}
