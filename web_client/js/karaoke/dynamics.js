/**
 * What evens out a voice: a compressor, and one for sibilants alone. Both look ahead a little.
 * @module
 */

const SPLIT_HZ = 5500; // sibilants lie above
const SMOOTH_S = 0.02;

/** What a compressor of the browser looks ahead. */
export const LOOKAHEAD_S = 0.006;

/**
 * Set a parameter: at once before anything sounds, without a click afterwards.
 * @param {AudioParam} param
 * @param {number} value
 * @param {number} now seconds by the context's clock
 */
export function glide(param, value, now) {
  if (now > 0) param.setTargetAtTime(value, now, SMOOTH_S);
  else param.value = value;
}

/** Loud and quiet singing come nearer to each other. */
export class Compressor {
  /** @param {BaseAudioContext} context */
  constructor(context) {
    this.node = new DynamicsCompressorNode(context, { knee: 12, attack: 0.005, release: 0.15 });
  }

  get input() {
    return this.node;
  }

  get output() {
    return this.node;
  }

  /** @param {number} amount 0..1 @param {number} now */
  set(amount, now) {
    glide(this.node.threshold, -12 - 24 * amount, now);
    glide(this.node.ratio, 2 + 6 * amount, now);
  }
}

/** The band of sibilants is compressed by itself; Linkwitz-Riley filters, so that both bands add up again. */
export class DeEsser {
  /** @param {BaseAudioContext} context */
  constructor(context) {
    this.input = new GainNode(context);
    this.output = new GainNode(context);
    /** @param {BiquadFilterType} type */
    const half = (type) =>
      [0, 1].map(() => new BiquadFilterNode(context, { type, frequency: SPLIT_HZ, Q: 20 * Math.log10(Math.SQRT1_2) }));
    const [low, high] = [half('lowpass'), half('highpass')];
    const wait = new DelayNode(context, { delayTime: LOOKAHEAD_S });
    this.squeeze = new DynamicsCompressorNode(context, { ratio: 10, knee: 6, attack: 0.001, release: 0.05 });
    this.makeup = new GainNode(context); // the browser makes up for what it takes; here nothing may be made louder
    this.input.connect(low[0]).connect(low[1]).connect(wait).connect(this.output);
    this.input.connect(high[0]).connect(high[1]).connect(this.squeeze).connect(this.makeup).connect(this.output);
  }

  /** @param {number} amount 0..1 @param {number} now */
  set(amount, now) {
    const threshold = -20 - 30 * amount;
    glide(this.squeeze.threshold, threshold, now);
    glide(this.makeup.gain, 1 / makeupGain(threshold, 6, 10), now);
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
