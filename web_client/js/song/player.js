/**
 * Plays versions of one song at the same time, to the sample, and lets one of them be heard.
 *
 *     original ──────────────► gate ─┐
 *     converted ─────────────► gate ─┼─► output
 *     vocals ───────► volume ─┬► gate ┘
 *     instrumental ─► volume ─┘  (soft above −1 dB)
 * @module
 */

import { outputLatency } from '../output-latency.js';

/** @typedef {'original' | 'converted' | 'vocals' | 'instrumental'} TrackName */
/** @typedef {'original' | 'converted' | 'remix'} Version */

const FADE_S = 0.002; // time constant of every change of loudness
const STOP_S = 0.03; // after which what was faded out is silent
const AHEAD_S = 0.03; // so that all sources are ready when they start
const KNEE = 0.89; // −1 dB, the ceiling of the files

/** Straight up to the knee, then bent so that ±4 ends at ±1. */
function softCurve() {
  const curve = new Float32Array(8193);
  for (let i = 0; i < curve.length; i++) {
    const x = (i / (curve.length - 1)) * 8 - 4;
    const over = Math.abs(x) - KNEE;
    curve[i] = over <= 0 ? x : Math.sign(x) * (KNEE + (1 - KNEE) * Math.tanh(over / (1 - KNEE)));
  }
  return curve;
}

/** One song; `close` it before another one is opened. */
export class Player {
  /**
   * @param {AudioContext} context
   * @param {() => void} onChange whether it plays, and where, has changed
   */
  constructor(context, onChange) {
    this.context = context;
    this.onChange = onChange;
    this.output = new GainNode(context);
    this.output.connect(context.destination);
    /** @type {Record<Version, GainNode>} */
    this.gates = {
      original: new GainNode(context, { gain: 0 }),
      converted: new GainNode(context, { gain: 1 }),
      remix: new GainNode(context, { gain: 0 }),
    };
    for (const gate of Object.values(this.gates)) gate.connect(this.output);
    // A shaper reads −1..1 as its whole curve, which reaches from −4 to 4.
    const shaper = new WaveShaperNode(context, { curve: softCurve() });
    shaper.connect(this.gates.remix);
    this.sum = new GainNode(context, { gain: 1 / 4 });
    this.sum.connect(shaper);
    /** @type {Record<TrackName, GainNode>} where each file comes in */
    this.inlets = {
      original: new GainNode(context),
      converted: new GainNode(context),
      vocals: new GainNode(context),
      instrumental: new GainNode(context),
    };
    this.inlets.original.connect(this.gates.original);
    this.inlets.converted.connect(this.gates.converted);
    this.inlets.vocals.connect(this.sum);
    this.inlets.instrumental.connect(this.sum);
    /** @type {Map<TrackName, AudioBuffer>} */
    this.buffers = new Map();
    /** @type {Version} */
    this.heard = 'converted';
    /** @type {{ at: number, from: number, sources: { source: AudioBufferSourceNode, fade: GainNode }[] } | null} */
    this.run = null;
    this.rest = 0; // seconds into the song while nothing plays
    this.timer = setInterval(() => this.endInTime(), 100);
  }

  get playing() {
    return this.run !== null;
  }

  get duration() {
    return Math.max(0, ...[...this.buffers.values()].map((buffer) => buffer.duration));
  }

  /** Seconds into the song that are heard now. */
  get position() {
    if (!this.run) return this.rest;
    const passed = this.context.currentTime - (outputLatency(this.context) ?? 0) - this.run.at;
    return Math.min(this.duration, this.run.from + Math.max(0, passed));
  }

  /**
   * @param {TrackName} name
   * @param {AudioBuffer} buffer joins in at once when the others play
   */
  add(name, buffer) {
    this.buffers.set(name, buffer);
    if (!this.run) return;
    const when = this.soon();
    this.startTrack(name, buffer, when);
    if (this.context.currentTime >= when) this.seek(this.position); // held up until it was too late
  }

  /** A moment shortly ahead, on a sample. */
  soon() {
    const rate = this.context.sampleRate;
    return Math.ceil((this.context.currentTime + AHEAD_S) * rate) / rate;
  }

  /**
   * @param {TrackName} name
   * @param {AudioBuffer} buffer
   * @param {number} when
   */
  startTrack(name, buffer, when) {
    if (!this.run) return;
    const offset = this.run.from + when - this.run.at;
    if (offset >= buffer.duration) return;
    const source = new AudioBufferSourceNode(this.context, { buffer });
    const fade = new GainNode(this.context, { gain: 0 });
    source.connect(fade).connect(this.inlets[name]);
    fade.gain.setTargetAtTime(1, when, FADE_S);
    source.start(when, offset);
    this.run.sources.push({ source, fade });
  }

  /** @throws {DOMException} when the browser gives no sound yet */
  async play() {
    if (this.run) return;
    await this.context.resume();
    if (this.run) return;
    if (this.rest >= this.duration - 0.01) this.rest = 0;
    this.startAll();
    this.onChange();
  }

  startAll() {
    const rate = this.context.sampleRate;
    for (let tries = 3; tries > 0; tries--) {
      if (this.run) this.stopAll();
      this.run = { at: this.soon(), from: Math.round(this.rest * rate) / rate, sources: [] };
      for (const [name, buffer] of this.buffers) this.startTrack(name, buffer, this.run.at);
      // Where the page was held up until that moment had passed, they did not start together: once more.
      if (this.context.currentTime < this.run.at) break;
    }
  }

  stopAll() {
    const now = this.context.currentTime;
    for (const { source, fade } of this.run?.sources ?? []) {
      fade.gain.cancelScheduledValues(now);
      fade.gain.setTargetAtTime(0, now, FADE_S);
      source.stop(now + STOP_S);
      source.onended = () => fade.disconnect();
    }
    this.run = null;
  }

  pause() {
    if (!this.run) return;
    this.rest = this.position;
    this.stopAll();
    this.onChange();
  }

  /** @param {number} seconds into the song */
  seek(seconds) {
    this.rest = Math.min(this.duration, Math.max(0, seconds));
    if (this.run) {
      this.stopAll();
      this.startAll();
    }
    this.onChange();
  }

  endInTime() {
    if (!this.run || this.position < this.duration) return;
    this.stopAll();
    this.rest = 0;
    this.onChange();
  }

  /** @param {Version} version to be heard from now on */
  hear(version) {
    this.heard = version;
    const now = this.context.currentTime;
    for (const [name, gate] of Object.entries(this.gates)) {
      gate.gain.setTargetAtTime(name === version ? 1 : 0, now, FADE_S);
    }
  }

  /** @param {'vocals' | 'instrumental'} stem @param {number} volume 0..2 */
  setVolume(stem, volume) {
    this.inlets[stem].gain.setTargetAtTime(volume, this.context.currentTime, 0.02);
  }

  /** Silence, for good. */
  close() {
    clearInterval(this.timer);
    if (this.run) this.stopAll();
    this.buffers.clear();
    void this.context.close();
  }
}
