/**
 * What the page remembers between visits: the chosen voice, devices and controls, and who "you" are.
 * @module
 */

const KEY = 'autovoice';

/**
 * @typedef {object} Remembered
 * @property {string} userId owner of the voices made here
 * @property {string} name by which others know you in a room
 * @property {string} voice
 * @property {string} microphone
 * @property {string} output
 * @property {number} volume
 * @property {number | null} holdMs
 * @property {number | null} roundTripMs from the page to the singer's ears and back, for karaoke
 * @property {import('./karaoke/presets.js').Preset[]} presets mixes for karaoke that were saved
 * @property {import('./karaoke/presets.js').Mixing & { preset: string } | null} mixing as it was set last, and what it is of
 * @property {import('./carrier.js').Wanted} transport
 * @property {Partial<import('./protocol.js').Controls>} controls
 */

/** @returns {Remembered} */
function fresh() {
  const random = crypto.getRandomValues(new Uint8Array(8));
  const userId = `web-${Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  return {
    userId, name: '', voice: '', microphone: '', output: '', volume: 1, holdMs: null, roundTripMs: null, presets: [], mixing: null,
    transport: 'auto', controls: {},
  };
}

/** @returns {Remembered} what was remembered, completed with defaults */
export function recall() {
  const defaults = fresh();
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return { ...defaults, ...(kept && typeof kept === 'object' ? kept : {}) };
  } catch {
    return defaults; // storage is blocked or holds something else: start afresh
  }
}

/**
 * Remember something, and leave what other pages have remembered meanwhile.
 * @param {Partial<Remembered>} changes
 */
export function remember(changes) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...recall(), ...changes }));
  } catch {
    // Storage is blocked or full: the page works without a memory.
  }
}
