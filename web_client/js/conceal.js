/**
 * Sound that goes on where some of it is missing: the last periods of the voice are repeated, at full level for
 * 20 ms and faded out by 60 ms, after ITU-T G.711 Appendix I (1999). What has no period is played backwards, so
 * that no buzz is made of noise. The server does the same with what it misses (kernels/conceal.py).
 * @module
 */

const RECENT = 2400; // samples (50 ms) that are remembered
const RING = 4096;
const FULL = 960; // samples (20 ms) at full level ...
const SILENT = 2880; // ... and from here on (60 ms) silence
const SHORTEST = 48; // samples: periods of 1000 ...
const LONGEST = 1200; // ... and 40 Hz
const CYCLE = 240; // samples (5 ms) are repeated at least: one short period alone sounds like a machine
const SEAM = 96; // samples (2 ms) in which the repetition bends away from the last sample that was heard
const COARSE = 4; // the period is first looked for at a quarter of the rate
const WINDOW = 960; // samples that are compared
const PERIODIC = 0.5; // normalised autocorrelation from which sound counts as periodic

/** One stream's concealment. All that is played goes through `heard`; nothing is allocated after the beginning. */
export class Concealment {
  constructor() {
    this.ring = new Float32Array(RING);
    this.written = 0;
    this.recent = new Float32Array(RECENT);
    this.coarse = new Float32Array(RECENT / COARSE);
    this.active = false;
    this.t = 0;
    this.cycle = 0; // samples; 0 where there is no period
    this.edge = 0;
    this.bend = 0;
  }

  /** @param {number} sample that was played */
  heard(sample) {
    this.ring[this.written++ & (RING - 1)] = sample;
  }

  /** A gap begins. */
  begin() {
    for (let i = 0; i < RECENT; i++) this.recent[i] = this.ring[(this.written - RECENT + i) & (RING - 1)];
    const { period, likeness } = this.findPeriod();
    this.cycle = likeness >= PERIODIC ? period * Math.ceil(CYCLE / period) : 0;
    this.edge = period / 4;
    this.bend = this.cycle ? this.recent[RECENT - 1] - between(this.recent, RECENT - 1 - this.cycle) : 0;
    this.t = 0;
    this.active = true;
  }

  /** What is heard next is the voice again. */
  end() {
    this.active = false;
  }

  /** @returns {number} the next sample; 0 while nothing is concealed, and after 60 ms */
  next() {
    const t = this.t++;
    if (!this.active || t >= SILENT) return 0;
    const level = t <= FULL ? 1 : 0.5 + 0.5 * Math.cos((Math.PI * (t - FULL)) / (SILENT - FULL));
    return level * (this.cycle ? this.repeated(t) : this.mirrored(t));
  }

  /** @param {number} t samples into the gap */
  repeated(t) {
    const { recent, cycle, edge } = this;
    const place = t % cycle;
    const start = RECENT - cycle;
    let value = between(recent, start + place);
    const left = cycle - place;
    if (left < edge) value += ((edge - left) / edge) * (between(recent, start - cycle + place) - value);
    if (t < SEAM) value += this.bend * (0.5 + 0.5 * Math.cos((Math.PI * (t + 1)) / SEAM));
    return value;
  }

  /** @param {number} t samples into the gap */
  mirrored(t) {
    const back = t % (2 * RECENT);
    return this.recent[back < RECENT ? RECENT - 1 - back : back - RECENT];
  }

  /** @returns {{ period: number, likeness: number }} in samples; 1 is periodic, 0 is not */
  findPeriod() {
    const { recent, coarse } = this;
    for (let i = 0; i < coarse.length; i++) {
      let total = 0;
      for (let j = 0; j < COARSE; j++) total += recent[COARSE * i + j];
      coarse[i] = total / COARSE;
    }
    let best = 0;
    for (let lag = SHORTEST / COARSE; lag <= LONGEST / COARSE; lag++) {
      best = Math.max(best, likenessAt(coarse, lag, WINDOW / COARSE));
    }
    if (best <= 0) return { period: SHORTEST, likeness: 0 };
    let rough = SHORTEST;
    for (let lag = SHORTEST / COARSE; lag <= LONGEST / COARSE; lag++) {
      const here = likenessAt(coarse, lag, WINDOW / COARSE);
      // the first peak that is nearly the highest: no multiple of the period
      if (here < 0.9 * best || here < likenessAt(coarse, lag + 1, WINDOW / COARSE)) continue;
      rough = COARSE * lag;
      break;
    }
    let period = rough;
    let likeness = -1;
    const last = Math.min(rough + COARSE, LONGEST);
    for (let lag = Math.max(rough - COARSE, SHORTEST); lag <= last; lag++) {
      const here = likenessAt(recent, lag, WINDOW);
      if (here > likeness) [period, likeness] = [lag, here];
    }
    // a fraction of a sample, so that harmonics do not drift
    const left = likenessAt(recent, period - 1, WINDOW);
    const right = likenessAt(recent, period + 1, WINDOW);
    const curve = left - 2 * likeness + right;
    const shift = curve < 0 ? (0.5 * (left - right)) / curve : 0;
    return { period: period + Math.max(-0.5, Math.min(0.5, shift)), likeness };
  }
}

/**
 * @param {Float32Array} x
 * @param {number} place
 * @returns {number} between samples, by cubic Hermite (Catmull-Rom) interpolation
 */
function between(x, place) {
  const i = Math.floor(place);
  const u = place - i;
  const a = x[Math.max(i - 1, 0)];
  const b = x[i];
  const c = x[Math.min(i + 1, x.length - 1)];
  const d = x[Math.min(i + 2, x.length - 1)];
  return b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)));
}

/**
 * @param {Float32Array} x
 * @param {number} lag
 * @param {number} window samples at the end that are compared with those `lag` before
 * @returns {number} normalised autocorrelation; 0 where there is no sound
 */
function likenessAt(x, lag, window) {
  let cross = 0;
  let here = 0;
  let there = 0;
  for (let i = x.length - window; i < x.length; i++) {
    cross += x[i] * x[i - lag];
    here += x[i] * x[i];
    there += x[i - lag] * x[i - lag];
  }
  const scale = Math.sqrt(here * there);
  return scale > 1e-6 ? cross / scale : 0;
}
