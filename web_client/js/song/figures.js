/**
 * What was measured of a conversion, as rows for reading.
 * @module
 */

import { clock } from '../time.js';
import { semitoneWords } from './words.js';

/** @typedef {{ name: string, value: string, why: string, meaning: string }} Figure `why`: it was not measured */

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

/**
 * @param {string} name
 * @param {unknown} value
 * @param {(value: number) => string} words
 * @param {unknown} why
 * @param {string} meaning
 * @returns {Figure}
 */
function figure(name, value, words, why, meaning) {
  if (isNumber(value)) return { name, value: words(value), why: '', meaning };
  return { name, value: 'not measured', why: typeof why === 'string' ? why : '', meaning };
}

/** @param {number} value */
const two = (value) => value.toFixed(2).replace('-', '−');

/** @param {number} cents */
const inCents = (cents) => `${cents < 10 ? cents.toFixed(1) : Math.round(cents)} cents`;

/**
 * @param {Record<string, any> | null | undefined} quality `result.quality_metrics`
 * @returns {Figure[]}
 */
export function qualityFigures(quality) {
  const { pitch_accuracy: pitch, speaker_similarity: speaker, f0_statistics: f0 } = quality ?? {};
  /** @type {Record<string, unknown>} */
  const why = quality?.unmeasured ?? {};
  const likeness = 'cosine of speaker embeddings: strangers reach about 0.5, one person recorded twice 0.8 to 0.9';
  return [
    figure('Score', quality?.overall_quality_score, (v) => `${two(v)} of 1`, why.overall_quality_score,
      'half pitch, half likeness'),
    figure('Likeness to the voice', speaker?.cosine_similarity, two, why.speaker_similarity, likeness),
    figure('The original’s likeness', speaker?.source_similarity, two, why.source_similarity,
      `what the singer had of the voice before; ${likeness}`),
    figure('Pitch error, median', pitch?.median_abs_cents, inCents, why.pitch_accuracy,
      'against the tune that was sung, where both are sung; 100 cents are a semitone'),
    figure('Pitch error, RMS', pitch?.rmse_cents, inCents, why.pitch_accuracy,
      'as before, but a few octave errors weigh heavily'),
    figure('Pitch correlation', pitch?.correlation, two, why.pitch_accuracy, '1: the tune is followed exactly'),
    figure('Median pitch', f0?.median_hz, (v) => `${Math.round(v)} Hz`, why.f0_statistics, 'median pitch of the result'),
    figure('Pitch range', isNumber(f0?.max_hz) ? f0?.min_hz : null,
      (v) => `${Math.round(v)}–${Math.round(f0.max_hz)} Hz`, why.f0_statistics, 'lowest and highest pitch of the result'),
  ];
}

/**
 * @param {import('./jobs.js').Job} job that is completed
 * @returns {Figure[]}
 */
export function factFigures(job) {
  const facts = job.result?.metadata ?? {};
  const khz = (/** @type {unknown} */ rate) => (isNumber(rate) ? `${rate / 1000} kHz` : '');
  const channels = facts.original_channels === 1 ? 'mono' : facts.original_channels === 2 ? 'stereo' : '';
  const file = [facts.original_format, khz(facts.original_sample_rate), channels].filter(Boolean).join(', ');
  /** @type {[string, string, string][]} */
  const rows = [
    ['Lasts', isNumber(facts.original_duration_seconds) ? clock(facts.original_duration_seconds) : '', ''],
    ['Uploaded', file, ''],
    ['Made', [facts.format, khz(facts.sample_rate)].filter(Boolean).join(', '), ''],
    ['Transposed by', isNumber(facts.transposition_semitones) ? semitoneWords(facts.transposition_semitones) : '',
      'whole octaves that bring the tune into the voice’s range, and what was asked for'],
    ['Separated by', `${facts.separation_model ?? ''}${facts.stems_from_cache ? ', earlier' : ''}`,
      facts.stems_from_cache ? 'the stems were kept from an earlier conversion of this song' : ''],
    ['Took', isNumber(job.processing_time_seconds) ? `${job.processing_time_seconds.toFixed(1)} s` : '', ''],
  ];
  return rows.filter(([, value]) => value).map(([name, value, meaning]) => ({ name, value, why: '', meaning }));
}
