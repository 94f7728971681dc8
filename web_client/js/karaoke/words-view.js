/**
 * The line that is sung, its words lit as they come, and the next one.
 * @module
 */

import { make, setText } from '../dom.js';
import { firstAfter } from './chart.js';

const EARLY_S = 1.5; // before it begins, a line takes the place of one that is over

/** Two lines of text. */
export class WordsView {
  /**
   * @param {HTMLElement} now
   * @param {HTMLElement} next
   */
  constructor(now, next) {
    this.now = now;
    this.next = next;
    /** @type {import('./chart.js').Line[]} */
    this.lines = [];
    this.shown = -1;
    this.lit = 0;
  }

  /** @param {import('./chart.js').Line[]} lines */
  setLines(lines) {
    this.lines = lines.filter((line) => line.words.length);
    this.shown = -1;
    this.draw(0);
  }

  /** @param {number} seconds into the song */
  draw(seconds) {
    let index = firstAfter(this.lines, seconds);
    const upcoming = this.lines[index];
    if (index > 0 && (!upcoming || upcoming.start_s - seconds > EARLY_S)) index--; // it stays until the next is due
    if (index !== this.shown) this.show(index);
    const line = this.lines[index];
    if (!line) return;
    const words = this.now.children;
    let lit = 0;
    while (lit < line.words.length && line.words[lit].start_s <= seconds) lit++;
    for (let i = Math.min(lit, this.lit); i < Math.max(lit, this.lit); i++) words[i]?.classList.toggle('sung', i < lit);
    this.lit = lit;
  }

  /** @param {number} index */
  show(index) {
    this.shown = index;
    this.lit = 0;
    this.now.replaceChildren(
      ...(this.lines[index]?.words ?? []).map((word) => make('span', { textContent: word.text })),
    );
    setText(this.next, (this.lines[index + 1]?.words ?? []).map((word) => word.text).join(''));
  }
}
