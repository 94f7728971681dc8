/**
 * Pitches as notes (twelve-tone equal temperament, A4 = 440 Hz).
 * @module
 */

export const NOTE_NAMES = ['C', 'C♯', 'D', 'D♯', 'E', 'F', 'F♯', 'G', 'G♯', 'A', 'A♯', 'B'];

/**
 * MIDI note number, with fractions.
 * @param {number} hz above 0
 */
export function midiOf(hz) {
  return 69 + 12 * Math.log2(hz / 440);
}

/**
 * @param {number} midi rounded to the nearest note
 * @returns {string} such as `A4`
 */
export function noteName(midi) {
  const note = Math.round(midi);
  return `${NOTE_NAMES[((note % 12) + 12) % 12]}${Math.floor(note / 12) - 1}`;
}

/**
 * The nearest note and the distance to it.
 * @param {number} hz 0 when unvoiced
 * @returns {{ name: string, cents: number } | null}
 */
export function nearestNote(hz) {
  if (!(hz > 0)) return null;
  const midi = midiOf(hz);
  return { name: noteName(midi), cents: Math.round((midi - Math.round(midi)) * 100) };
}
