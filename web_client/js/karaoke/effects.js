/**
 * What a voice goes through before it is heard, and again when a take is rendered: three-band equaliser, de-esser,
 * compressor, echo and reverb, in the browser's own audio graph.
 *
 *     input ─► EQ ─► de-esser ─► compressor ─┬──────────────► output
 *                                            ├─► echo ──┐  ▲
 *                                            └─► reverb ┴──┘
 * @module
 */

import { Compressor, DeEsser, glide, LOOKAHEAD_S } from './dynamics.js';

/**
 * @typedef {'none' | 'room' | 'hall' | 'cathedral' | 'plate'} Room
 * @typedef {object} Effects
 * @property {number} lowDb shelf below 200 Hz, -12 to 12
 * @property {number} midDb around 1.5 kHz
 * @property {number} highDb shelf above 6 kHz
 * @property {number} deEss 0 (off) to 1
 * @property {number} compress 0 (off) to 1
 * @property {number} echo 0 to 1
 * @property {number} echoMs 50 to 1000
 * @property {Room} room
 * @property {number} reverb 0 to 1
 */

/** @type {Effects} */
export const DRY = {
  lowDb: 0, midDb: 0, highDb: 0, deEss: 0, compress: 0, echo: 0, echoMs: 300, room: 'none', reverb: 0,
};

/** @type {Record<Exclude<keyof Effects, 'room'>, readonly [number, number]>} from where to where each may be set */
export const RANGES = {
  lowDb: [-12, 12], midDb: [-12, 12], highDb: [-12, 12], deEss: [0, 1], compress: [0, 1], echo: [0, 1],
  echoMs: [50, 1000], reverb: [0, 1],
};

/** Decay to -60 dB, silence before the first reflection, and how dull it is. */
const ROOMS = {
  room: { seconds: 0.6, beforeS: 0.005, dampHz: 6000 },
  hall: { seconds: 1.8, beforeS: 0.02, dampHz: 5000 },
  cathedral: { seconds: 4.5, beforeS: 0.04, dampHz: 3500 },
  plate: { seconds: 1.2, beforeS: 0, dampHz: 9000 },
};
const MOST_FEEDBACK = 0.6;

/**
 * @param {unknown} given from a file, a memory or a server
 * @returns {Effects} what of it can be; the rest is as in `DRY`
 */
export function effectsOf(given) {
  const known = /** @type {Record<string, unknown>} */ (given && typeof given === 'object' ? given : {});
  const effects = { ...DRY };
  for (const name of /** @type {(keyof typeof RANGES)[]} */ (Object.keys(RANGES))) {
    const [least, most] = RANGES[name];
    const value = known[name];
    if (typeof value === 'number' && Number.isFinite(value)) effects[name] = Math.min(most, Math.max(least, value));
  }
  if (typeof known.room === 'string' && Object.hasOwn(ROOMS, known.room)) effects.room = /** @type {Room} */ (known.room);
  return effects;
}

/**
 * An impulse response: noise that dies away, duller as it does.
 * @param {number} rate
 * @param {Exclude<Room, 'none'>} room
 */
export function impulseResponse(rate, room) {
  const { seconds, beforeS, dampHz } = ROOMS[room];
  const before = Math.round(beforeS * rate);
  const buffer = new AudioBuffer({ numberOfChannels: 2, length: before + Math.round(seconds * rate), sampleRate: rate });
  for (let channel = 0; channel < 2; channel++) {
    const out = buffer.getChannelData(channel);
    let seed = 1 + channel * 7919;
    let low = 0;
    for (let i = before; i < out.length; i++) {
      seed = (seed * 1664525 + 1013904223) >>> 0;
      const t = (i - before) / rate;
      const share = 1 - Math.exp((-2 * Math.PI * dampHz * 2 ** (-2 * (t / seconds))) / rate);
      low += share * (seed / 2 ** 31 - 1 - low);
      out[i] = low * 10 ** ((-3 * t) / seconds);
    }
  }
  return buffer;
}

/** One chain in one context, live or offline. */
export class Chain {
  /**
   * @param {BaseAudioContext} context
   * @param {Effects} effects
   */
  constructor(context, effects) {
    this.context = context;
    this.input = new GainNode(context);
    this.output = new GainNode(context);
    this.low = new BiquadFilterNode(context, { type: 'lowshelf', frequency: 200 });
    this.mid = new BiquadFilterNode(context, { type: 'peaking', frequency: 1500, Q: 0.8 });
    this.high = new BiquadFilterNode(context, { type: 'highshelf', frequency: 6000 });
    this.input.connect(this.low).connect(this.mid).connect(this.high);
    this.shaped = new GainNode(context); // after the de-esser and the compressor, whichever are on
    this.shaped.connect(this.output);
    this.echoIn = new GainNode(context, { gain: 0 });
    this.delay = new DelayNode(context, { maxDelayTime: 1.1 });
    this.feedback = new GainNode(context);
    this.shaped.connect(this.echoIn).connect(this.delay).connect(this.output);
    this.delay.connect(this.feedback).connect(this.delay);
    this.reverbIn = new GainNode(context, { gain: 0 });
    this.reverb = new ConvolverNode(context);
    this.shaped.connect(this.reverbIn).connect(this.reverb).connect(this.output);
    this.deEsser = new DeEsser(context);
    this.compressor = new Compressor(context);
    this.effects = { ...DRY };
    this.wire(this.effects);
    this.set(effects);
  }

  /** Samples that it holds a voice back: the compressors' lookahead. */
  get delaySamples() {
    const { deEss, compress } = this.effects;
    return Math.round(LOOKAHEAD_S * this.context.sampleRate) * ((deEss > 0 ? 1 : 0) + (compress > 0 ? 1 : 0));
  }

  /** @param {Effects} effects */
  set(effects) {
    const before = this.effects;
    this.effects = { ...effects };
    const now = this.context.currentTime;
    glide(this.low.gain, effects.lowDb, now);
    glide(this.mid.gain, effects.midDb, now);
    glide(this.high.gain, effects.highDb, now);
    glide(this.echoIn.gain, effects.echo, now);
    glide(this.feedback.gain, MOST_FEEDBACK * effects.echo, now);
    glide(this.delay.delayTime, effects.echoMs / 1000, now);
    if (effects.room !== before.room) {
      this.reverb.buffer = effects.room === 'none' ? null : impulseResponse(this.context.sampleRate, effects.room);
    }
    glide(this.reverbIn.gain, effects.room === 'none' ? 0 : effects.reverb, now);
    if (effects.deEss > 0) this.deEsser.set(effects.deEss, now);
    if (effects.compress > 0) this.compressor.set(effects.compress, now);
    const wired = effects.deEss > 0 === before.deEss > 0 && effects.compress > 0 === before.compress > 0;
    if (!wired) this.wire(effects);
  }

  /**
   * Dynamics that are off cost no lookahead: they are not in the way.
   * @param {Effects} effects
   */
  wire({ deEss, compress }) {
    for (const node of [this.high, this.deEsser.output, this.compressor.output]) node.disconnect();
    /** @type {AudioNode} */
    let at = this.high;
    for (const stage of [...(deEss > 0 ? [this.deEsser] : []), ...(compress > 0 ? [this.compressor] : [])]) {
      at.connect(stage.input);
      at = stage.output;
    }
    at.connect(this.shaped);
  }
}
