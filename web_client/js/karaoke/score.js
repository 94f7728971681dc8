/**
 * The score. Its formula is part of what users are promised (docs/karaoke.md):
 *
 * - Every note weighs its length in seconds, golden ones twice, freestyle ones nothing.
 * - A note's accuracy is the share of its length at which the voice is within ±50 cents of it in any octave; half of
 *   it counts where it is within ±100 cents. For rap, it is the share at which there is a voice at all.
 * - Its timing is 1 where the voice comes in within 100 ms of its start, and falls to 0 at 300 ms.
 * - Holding is 1 where the last hit is within the last fifth of the note, else the share of the note until there.
 * - A note earns 80 % of its weight for accuracy, 10 % for timing, 10 % for holding; without accuracy, nothing.
 * - The score is 10,000 times what was earned over what there was to earn.
 * - The streak counts notes in a row with an accuracy of a half or more.
 * @module
 */

import { distance } from './chart.js';

export const PERFECT = 10_000;
const HIT_SEMITONES = 0.5;
const NEAR_SEMITONES = 1;
const IN_TIME_S = 0.1;
const LATE_S = 0.3;
const HELD = 0.8; // of a note
const STREAK_ACCURACY = 0.5 - 1e-6; // sums of steps come out a little short

/** @typedef {import('./chart.js').Note} Note */

/** @param {Note} note */
const weightOf = (note) =>
  note.kind === 'freestyle' ? 0 : (note.end_s - note.start_s) * (note.kind === 'golden' || note.kind === 'rap_golden' ? 2 : 1);

/** What was sung of one note. */
class Attempt {
  /** @param {Note} note */
  constructor(note) {
    this.note = note;
    this.hit = 0; // seconds
    this.first = NaN; // when the voice came in, from a little before the note on
    this.last = NaN; // until when it was hit
  }

  get accuracy() {
    return Math.min(1, this.hit / (this.note.end_s - this.note.start_s));
  }

  get timing() {
    const off = Math.abs(this.first - this.note.start_s);
    return Number.isNaN(off) ? 0 : Math.min(1, Math.max(0, (LATE_S - off) / (LATE_S - IN_TIME_S)));
  }

  get holding() {
    const share = (this.last - this.note.start_s) / (this.note.end_s - this.note.start_s);
    return Number.isNaN(share) ? 0 : share >= HELD ? 1 : Math.max(0, share);
  }

  /** The share of its weight that it earns. */
  get worth() {
    return this.accuracy > 0 ? 0.8 * this.accuracy + 0.1 * this.timing + 0.1 * this.holding : 0;
  }
}

/** Counts what one singer earns. */
export class Scorer {
  /** @param {Note[]} notes in order */
  constructor(notes) {
    this.attempts = notes.map((note) => new Attempt(note));
    this.total = notes.reduce((sum, note) => sum + weightOf(note), 0);
    this.next = 0; // the first note that may still be sung
    this.earned = 0;
    this.streak = 0;
    this.longest = 0;
  }

  /**
   * The voice between two instants; they come in order.
   * @param {number} from_s
   * @param {number} to_s
   * @param {number} midi NaN where there is none
   */
  hear(from_s, to_s, midi) {
    while (this.next < this.attempts.length && this.attempts[this.next].note.end_s <= from_s) this.close();
    if (Number.isNaN(midi)) return;
    for (let i = this.next; i < this.attempts.length; i++) {
      const attempt = this.attempts[i];
      const { note } = attempt;
      if (note.start_s - LATE_S >= to_s) return;
      const off = Math.abs(distance(midi, note.pitch));
      const rap = note.kind === 'rap' || note.kind === 'rap_golden';
      const worth = rap || off <= HIT_SEMITONES ? 1 : off <= NEAR_SEMITONES ? 0.5 : 0;
      if (!worth) continue;
      if (Number.isNaN(attempt.first)) attempt.first = from_s;
      const shared = Math.min(to_s, note.end_s) - Math.max(from_s, note.start_s);
      if (shared <= 0) continue;
      attempt.hit += worth * shared;
      attempt.last = Math.min(to_s, note.end_s);
    }
  }

  /** The note at hand is over. */
  close() {
    const attempt = this.attempts[this.next++];
    const weight = weightOf(attempt.note);
    if (!weight) return;
    this.earned += weight * attempt.worth;
    this.streak = attempt.accuracy >= STREAK_ACCURACY ? this.streak + 1 : 0;
    this.longest = Math.max(this.longest, this.streak);
  }

  /** Nothing more is sung. */
  finish() {
    while (this.next < this.attempts.length) this.close();
  }

  /** 0 to PERFECT; what has not been sung yet earns nothing. */
  get score() {
    return this.total ? Math.round((PERFECT * this.earned) / this.total) : 0;
  }
}
