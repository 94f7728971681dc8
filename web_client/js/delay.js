/**
 * How long after its capture a sample is played: constant between rare, deliberate changes.
 *
 * A frame *needs* the delay that has passed between the capture of its first sample and its return.
 * Playing every sample `delay` after its capture is gapless when no frame needs more than that.
 * @module
 */

import { RecentQuantiles } from './quantiles.js';

const START_MARGIN_S = 0.012; // room for the network and the callback batches before anything is known
const GROW_MARGIN_S = 0.002;
const SHRINK_STEP_S = 0.001;
const SHRINK_EVERY_S = 0.25; // of silence
const SHRINK_SLACK_S = 0.003; // keep this much more than was needed, so that growing is rare
const GRACE_FRAMES = 30; // the first frames find cold caches on both sides: no reason for a lasting delay
// One stall now and then is borne (it is faded over). One that comes again is met step by step, because a
// few short gaps are better than a delay as long as the longest of them; a longer way is met at once.
const SAME_EPISODE_FRAMES = 50;
const AGAIN_FRAMES = 3000;
const LASTING_FRAMES = 30;
const AGAIN_STEP_S = 0.02;
const MIN_FRAMES_TO_SHRINK = 500;
const QUANTILE = 0.999;
const MAX_DELAY_S = 1;

/** Chooses the playout delay, in samples. */
export class DelayController {
  /** @param {number} sampleRate */
  constructor(sampleRate) {
    this.sampleRate = sampleRate;
    this.maximum = Math.round(MAX_DELAY_S * sampleRate);
    this.needs = new RecentQuantiles(sampleRate / 2000, 2200, 4000);
    /** The delay in force. */
    this.delay = Math.round(0.05 * sampleRate);
    /** Frames that came back after the time to play their first sample. */
    this.late = 0;
    this.frames = 0;
    this.lastLate = -Infinity;
    this.lateInEpisode = 0;
    this.silence = 0;
    /** @type {number | null} */
    this.held = null;
    this.floor = 0;
  }

  /**
   * A session begins, or goes on over another line: nothing is known yet about the way there and back.
   * @param {number} floor samples that it takes whatever the network does: block, coding, algorithm
   * @param {boolean} [goesOn] what plays now is not made to play earlier
   */
  begin(floor, goesOn = false) {
    this.needs.clear();
    this.frames = 0;
    this.lastLate = -Infinity;
    this.lateInEpisode = 0;
    this.silence = 0;
    this.floor = floor;
    if (this.held !== null) return;
    const start = Math.min(this.maximum, Math.round(floor + START_MARGIN_S * this.sampleRate));
    this.delay = goesOn ? Math.max(this.delay, start) : start;
  }

  /**
   * Hold the delay constant, or (null) let it adapt from where it is.
   * @param {number | null} samples
   */
  hold(samples) {
    this.held = samples === null ? null : Math.round(Math.min(this.maximum, Math.max(0, samples)));
    if (this.held !== null) this.delay = this.held;
  }

  /** The smallest delay that would have lost less than one frame in a thousand lately. */
  get needed() {
    return Math.max(this.floor, this.needs.quantile(QUANTILE));
  }

  /**
   * A frame came back.
   * @param {number} need samples between the capture of its first sample and now
   */
  observe(need) {
    this.frames++;
    if (this.frames > GRACE_FRAMES) this.needs.add(need);
    if (need <= this.delay) return;
    this.late++;
    const since = this.frames - this.lastLate;
    this.lastLate = this.frames;
    this.lateInEpisode = since > SAME_EPISODE_FRAMES ? 1 : this.lateInEpisode + 1;
    const again = since > SAME_EPISODE_FRAMES && since < AGAIN_FRAMES;
    const lasting = this.lateInEpisode >= LASTING_FRAMES;
    if (this.held !== null || !(again || lasting)) return;
    const wanted = Math.round(this.needed + GROW_MARGIN_S * this.sampleRate);
    const most = lasting ? this.maximum : this.delay + Math.round(AGAIN_STEP_S * this.sampleRate);
    this.delay = Math.max(this.delay, Math.min(this.maximum, wanted, most));
  }

  /**
   * Time passes. Only silence lets the delay shrink: there nobody hears it.
   * @param {number} samples
   * @param {boolean} silent
   */
  pass(samples, silent) {
    this.silence = silent ? this.silence + samples : 0;
    if (this.held !== null || this.silence < SHRINK_EVERY_S * this.sampleRate) return;
    this.silence = 0;
    if (this.needs.count < MIN_FRAMES_TO_SHRINK) return;
    const lowest = Math.round(this.needed + SHRINK_SLACK_S * this.sampleRate);
    const next = this.delay - Math.round(SHRINK_STEP_S * this.sampleRate);
    if (next >= lowest) this.delay = next;
  }
}
