/**
 * What is to be sung, as the server tells it, in the key and at the tempo in which it is played.
 * @module
 */

/**
 * @typedef {'normal' | 'golden' | 'freestyle' | 'rap' | 'rap_golden'} Kind
 * @typedef {{ start_s: number, end_s: number, pitch: number, kind: Kind }} Note pitch is a MIDI number
 * @typedef {{ start_s: number, end_s: number, text: string }} Word
 * @typedef {{ start_s: number, end_s: number, words: Word[] }} Line
 * @typedef {{ notes: Note[], lines: Line[], tags: Record<string, string> }} Chart
 */

/**
 * @param {Chart} chart of the song as it was uploaded
 * @param {number} semitones by which its tracks are played higher
 * @param {number} tempo at which they are played, in percent
 * @returns {Chart}
 */
export function rendered(chart, semitones, tempo) {
  const scale = 100 / tempo;
  /**
   * @template {{ start_s: number, end_s: number }} T
   * @param {T} span
   * @returns {T}
   */
  const moved = (span) => ({ ...span, start_s: span.start_s * scale, end_s: span.end_s * scale });
  return {
    tags: chart.tags,
    notes: chart.notes.map((note) => ({ ...moved(note), pitch: note.pitch + semitones })),
    lines: chart.lines.map((line) => ({ ...moved(line), words: line.words.map(moved) })),
  };
}

/**
 * The first span that has not ended yet.
 * @template {{ end_s: number }} T
 * @param {T[]} spans in order
 * @param {number} seconds
 * @returns {number} its index; as many as there are when all have ended
 */
export function firstAfter(spans, seconds) {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle].end_s <= seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How far a sung pitch is from a note, whichever octave it is sung in.
 * @param {number} midi sung, with fractions
 * @param {number} pitch of the note
 * @returns {number} semitones, -6 to 6
 */
export function distance(midi, pitch) {
  return ((((midi - pitch + 6) % 12) + 12) % 12) - 6;
}
