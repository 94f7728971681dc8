/**
 * Conversions in words: where they are, what went wrong, what was asked for.
 * @module
 */

/** @typedef {{ code: string, title: string, advice: string }} Failure */

/** @type {Record<string, string>} */
export const STATES = {
  queued: 'In the queue',
  processing: 'Being converted',
  completed: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
  expired: 'No longer kept',
};

/** @type {Record<string, string>} */
export const STAGE_NAMES = {
  separation: 'Voice and band apart',
  pitch: 'The tune',
  conversion: 'The other voice',
  mixing: 'Mix and measure',
};

/** @type {Record<string, string>} */
export const PRESETS = {
  fast: 'The quickest way to take the voice out of the song.',
  balanced: 'The usual choice.',
  quality: 'The cleanest separation, and the slowest.',
};

/** Titles for what the server says; its own words follow as advice. @type {Record<string, string>} */
const TITLES = {
  no_answer: 'The server does not answer',
  broken_off: 'The upload broke off',
  file_too_large: 'The song is too large',
  service_unavailable: 'The server takes no songs just now',
  weights_unavailable: 'The server lacks a model that this needs',
  file_expired: 'The result is no longer kept',
  conversion_not_found: 'There is no such conversion',
  unauthorized: 'This conversion belongs to somebody else',
  profile_not_found: 'That voice is no longer there',
  invalid_audio: 'This is not a song that can be read',
  invalid_audio_format: 'There is no sound in this file that can be read',
  invalid_audio_duration: 'The song is too long',
  audio_too_short: 'The song is too short',
  poor_audio_quality: 'There is nothing to convert in this song',
  internal_error: 'Something broke on the server',
};

/** @type {Record<string, string>} */
const ADVICE = {
  no_answer: 'Is it running? It is asked again every second.',
  broken_off: 'The server is gone, or the file is larger than it takes. Try again, or a smaller file.',
  conversion_not_found: 'Old ones are forgotten. Convert the song again.',
  unauthorized: 'It can be opened only in the browser that it was made in.',
};

/**
 * @param {string} words as the server writes them: `the song is silent`
 * @returns {string} `The song is silent.`
 */
export function sentence(words) {
  const text = words.trim();
  if (!text) return '';
  return text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.');
}

/**
 * @param {string} code
 * @param {string} message
 * @param {string[]} suggestions
 * @returns {Failure}
 */
export function failure(code, message, suggestions) {
  const own = ADVICE[code];
  const said = [message, ...suggestions].filter(Boolean).map(sentence);
  if (TITLES[code]) return { code, title: TITLES[code], advice: own ?? said.join(' ') };
  return { code, title: said[0] ?? 'Something went wrong', advice: said.slice(1).join(' ') || `(${code})` };
}

/** What a proxy before the server means, which knows no codes. @type {Record<number, string>} */
const CODES = {
  404: 'conversion_not_found',
  410: 'file_expired',
  413: 'file_too_large',
  502: 'no_answer',
  503: 'service_unavailable',
  504: 'no_answer',
};

/** @param {import('../api.js').ApiError} error */
export const failureOf = ({ code, status, message, suggestions }) =>
  failure(code === 'unknown' ? (CODES[status] ?? code) : code, message, suggestions);

/**
 * @param {import('./jobs.js').Job} job
 * @returns {Failure | null} why a conversion has no result
 */
export function failureOfJob(job) {
  if (job.status === 'expired') {
    return failure('file_expired', 'results are kept for a day only', ['convert the song again']);
  }
  if (job.status !== 'failed') return null;
  const { code = 'unknown', message = 'the conversion failed', details } = job.error ?? {};
  return failure(code, message, details?.suggestions ?? []);
}

/**
 * @param {number} seconds
 * @returns {string} such as `40 s`
 */
export function roughly(seconds) {
  if (seconds < 10) return `${Math.ceil(seconds)} s`;
  if (seconds < 90) return `${Math.round(seconds / 5) * 5} s`;
  return `${Math.round(seconds / 60)} min`;
}

/** @param {number} seconds */
export const timeLeft = (seconds) => (seconds < 3 ? 'almost done' : `about ${roughly(seconds)} left`);

/** @param {number} bytes */
export const megabytes = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** @param {number} volume 0..2 */
export function volumeWords(volume) {
  return volume === 0 ? 'off' : `${Math.round(volume * 100)} %`;
}

/** @param {number} semitones */
export function semitoneWords(semitones) {
  return `${semitones > 0 ? '+' : semitones < 0 ? '−' : ''}${Math.abs(semitones)} st`;
}

/** @param {string} file */
export const withoutSuffix = (file) => file.replace(/\.[a-z0-9]{2,4}$/i, '');
