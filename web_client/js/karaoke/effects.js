/**
 * What a voice goes through before it is heard, and again when a take is rendered: three-band equaliser, de-esser,
 * compressor, echo and reverb, in the browser's own audio graph.
 *
 *     input ─► EQ ─► de-esser ─► compressor ─┬──────────────► output
 *                                            ├─► echo ──┐  ▲
 *                                            └─► reverb ┴──┘
 * @module
 */

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

/** @type {Record<string, Effects>} */
export const PRESETS = {
  Dry: DRY,
  Karaoke: { ...DRY, lowDb: -2, highDb: 2, compress: 0.4, echo: 0.25, echoMs: 320, room: 'room', reverb: 0.3 },
  Studio: { ...DRY, lowDb: -3, midDb: 1, highDb: 3, deEss: 0.5, compress: 0.6, room: 'plate', reverb: 0.2 },
  Hall: { ...DRY, lowDb: -3, compress: 0.3, room: 'hall', reverb: 0.45 },
  Cathedral: { ...DRY, lowDb: -4, room: 'cathedral', reverb: 0.6 },
};

/** Decay to -60 dB, silence before the first reflection, and how dull it is. */
const ROOMS = {
  room: { seconds: 0.6, beforeS: 0.005, dampHz: 6000 },
  hall: { seconds: 1.8, beforeS: 0.02, dampHz: 5000 },
  cathedral: { seconds: 4.5, beforeS: 0.04, dampHz: 3500 },
  plate: { seconds: 1.2, beforeS: 0, dampHz: 9000 },
};
const SPLIT_HZ = 5500; // sibilants lie above
const MOST_FEEDBACK = 0.6;
const SMOOTH_S = 0.02;

/** What a compressor of the browser looks ahead. */
export const LOOKAHEAD_S = 0.006;

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
    /** @type {AudioNode[]} */
    this.dynamics = [];
    this.effects = { ...DRY, deEss: NaN }; // so that the first `set` sets all
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
    /** @param {AudioParam} param @param {number} value */
    const glide = (param, value) => (now > 0 ? param.setTargetAtTime(value, now, SMOOTH_S) : (param.value = value));
    glide(this.low.gain, effects.lowDb);
    glide(this.mid.gain, effects.midDb);
    glide(this.high.gain, effects.highDb);
    glide(this.echoIn.gain, effects.echo);
    glide(this.feedback.gain, MOST_FEEDBACK * effects.echo);
    glide(this.delay.delayTime, effects.echoMs / 1000);
    if (effects.room !== before.room) {
      this.reverb.buffer = effects.room === 'none' ? null : impulseResponse(this.context.sampleRate, effects.room);
    }
    glide(this.reverbIn.gain, effects.room === 'none' ? 0 : effects.reverb);
    if (effects.deEss !== before.deEss || effects.compress !== before.compress) this.setDynamics(effects);
  }

  /** @param {Effects} effects */
  setDynamics({ deEss, compress }) {
    this.high.disconnect();
    for (const node of this.dynamics) node.disconnect();
    this.dynamics = [];
    /** @type {AudioNode} */
    let at = this.high;
    if (deEss > 0) at = this.deEsser(at, deEss);
    if (compress > 0) {
      const { context } = this;
      const squeeze = new DynamicsCompressorNode(context, {
        threshold: -12 - 24 * compress, ratio: 2 + 6 * compress, knee: 12, attack: 0.005, release: 0.15,
      });
      this.dynamics.push(squeeze);
      at = at.connect(squeeze);
    }
    at.connect(this.shaped);
  }

  /**
   * The band of sibilants is compressed by itself; Linkwitz-Riley filters, so that both add up again.
   * @param {AudioNode} from
   * @param {number} amount
   * @returns {AudioNode}
   */
  deEsser(from, amount) {
    const { context } = this;
    const sum = new GainNode(context);
    /** @param {BiquadFilterType} type */
    const half = (type) =>
      [0, 1].map(() => new BiquadFilterNode(context, { type, frequency: SPLIT_HZ, Q: 20 * Math.log10(Math.SQRT1_2) }));
    const [low, high] = [half('lowpass'), half('highpass')];
    const wait = new DelayNode(context, { delayTime: LOOKAHEAD_S });
    const squeeze = new DynamicsCompressorNode(context, {
      threshold: -20 - 30 * amount, ratio: 10, knee: 6, attack: 0.001, release: 0.05,
    });
    // the browser makes up for what it takes; here nothing may be made louder
    const makeup = new GainNode(context, { gain: 1 / makeupGain(-20 - 30 * amount, 6, 10) });
    from.connect(low[0]).connect(low[1]).connect(wait).connect(sum);
    from.connect(high[0]).connect(high[1]).connect(squeeze).connect(makeup).connect(sum);
    this.dynamics.push(...low, ...high, wait, squeeze, makeup, sum);
    return sum;
  }
}

/**
 * What DynamicsCompressorNode multiplies with (Web Audio API, "Computing the makeup gain"): the inverse of its curve
 * at full scale, to the power of 0.6.
 * @param {number} threshold dB
 * @param {number} knee dB
 * @param {number} ratio
 */
function makeupGain(threshold, knee, ratio) {
  // above the knee, the curve is a line of slope 1/ratio in dB; within it, about half of the knee is lost
  const full = threshold + knee / 2 + (0 - threshold - knee / 2) / ratio;
  return 10 ** ((-full * 0.6) / 20);
}
