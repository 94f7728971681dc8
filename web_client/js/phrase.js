/**
 * A short sung phrase made in the page, for those without a microphone: a sawtooth as the vocal folds, moving
 * formants as the mouth, vibrato that sets in late, and a little breath.
 * @module
 */

import { SAMPLE_RATE } from './protocol.js';

/** Formant centres in Hz of a tenor (rounded from Peterson and Barney 1952, Klatt 1980). */
const VOWELS = {
  a: [730, 1090, 2440, 3300],
  e: [530, 1840, 2480, 3400],
  i: [270, 2290, 3010, 3600],
  o: [570, 840, 2410, 3200],
  u: [300, 870, 2240, 3100],
};
const GAINS = [1, 0.55, 0.28, 0.16];
const BANDWIDTHS = [80, 100, 140, 200];

/** @type {[number, number, keyof typeof VOWELS][]} MIDI note, seconds, vowel; note 0 is a rest. */
const MELODY = [
  [57, 0.55, 'a'], [60, 0.4, 'e'], [64, 0.4, 'i'], [62, 0.75, 'o'], [0, 0.2, 'o'],
  [60, 0.4, 'u'], [62, 0.4, 'a'], [65, 0.4, 'e'], [64, 1.05, 'a'], [0, 0.25, 'a'],
  [60, 0.4, 'i'], [59, 0.4, 'o'], [57, 1.5, 'a'], [0, 0.6, 'a'],
];

const GLIDE_S = 0.045;

/** Length of the phrase. */
export const PHRASE_SECONDS = MELODY.reduce((sum, [, seconds]) => sum + seconds, 0);

/** @param {number} midi */
const hz = (midi) => 440 * 2 ** ((midi - 69) / 12);

/**
 * White noise that is the same every time (a linear congruential generator).
 * @param {BaseAudioContext} context
 */
function noise(context) {
  const buffer = context.createBuffer(1, SAMPLE_RATE * 2, SAMPLE_RATE);
  const samples = buffer.getChannelData(0);
  let seed = 1;
  for (let i = 0; i < samples.length; i++) {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    samples[i] = seed / 2 ** 31 - 1;
  }
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.loop = true;
  return source;
}

/**
 * Sing the phrase, faster than real time.
 * @returns {Promise<AudioBuffer>} mono, 48 kHz
 */
export async function singPhrase() {
  const context = new OfflineAudioContext(1, Math.round(PHRASE_SECONDS * SAMPLE_RATE), SAMPLE_RATE);
  const folds = new OscillatorNode(context, { type: 'sawtooth', frequency: hz(MELODY[0][0]) });
  const tilt = new BiquadFilterNode(context, { type: 'lowpass', frequency: 900, Q: -3 });
  const breath = noise(context);
  const breathing = new GainNode(context, { gain: 0.012 });
  const loudness = new GainNode(context, { gain: 0 });
  const vibrato = new OscillatorNode(context, { frequency: 5.4 });
  const vibratoCents = new GainNode(context, { gain: 0 });
  vibrato.connect(vibratoCents).connect(folds.detune);
  const mouth = new GainNode(context);
  folds.connect(tilt).connect(mouth);
  breath.connect(breathing).connect(mouth);
  const formants = GAINS.map((gain, i) => {
    const filter = new BiquadFilterNode(context, { type: 'bandpass', frequency: VOWELS.a[i] });
    filter.Q.value = VOWELS.a[i] / BANDWIDTHS[i];
    mouth.connect(filter).connect(new GainNode(context, { gain })).connect(loudness);
    return filter;
  });
  loudness.connect(context.destination);

  let time = 0;
  for (const [midi, seconds, vowel] of MELODY) {
    if (midi === 0) {
      loudness.gain.setTargetAtTime(0, time, 0.03);
    } else {
      folds.frequency.setTargetAtTime(hz(midi), time, GLIDE_S / 3);
      loudness.gain.setTargetAtTime(1, time, 0.03);
      loudness.gain.setTargetAtTime(0.75, time + seconds * 0.6, 0.1);
      formants.forEach((filter, i) => filter.frequency.setTargetAtTime(VOWELS[vowel][i], time, 0.03));
      vibratoCents.gain.setTargetAtTime(0, time, 0.02);
      if (seconds > 0.5) vibratoCents.gain.setTargetAtTime(45, time + 0.3, 0.15);
    }
    time += seconds;
  }
  for (const source of [folds, breath, vibrato]) source.start();
  const sung = await context.startRendering();
  return levelled(sung);
}

/**
 * Bring the loudest sample to -6 dBFS.
 * @param {AudioBuffer} buffer changed in place
 */
function levelled(buffer) {
  const samples = buffer.getChannelData(0);
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-9);
  for (let i = 0; i < samples.length; i++) samples[i] *= 0.5 / peak;
  return buffer;
}
