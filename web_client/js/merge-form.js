/**
 * The form that makes one RVC voice of two of one's own; there once there are two.
 * @module
 */

import { ApiError } from './api.js';
import { make } from './dom.js';
import { mergeVoices } from './voices.js';

/** @typedef {import('./voices.js').Voice} Voice */

/** Chooses two and has them merged. */
export class MergeForm {
  /**
   * @param {string} userId
   * @param {(voice: Voice) => Promise<void>} onMade
   */
  constructor(userId, onMade) {
    this.userId = userId;
    this.onMade = onMade;
    this.busy = false;
    this.selects = [make('select', { id: 'merge-first' }), make('select', { id: 'merge-second' })];
    this.share = make('input', { type: 'range', id: 'merge-share', min: '0', max: '100', step: '1', value: '50' });
    this.words = make('output');
    this.words.setAttribute('for', this.share.id);
    this.name = make('input', { type: 'text', id: 'merge-name', maxLength: 80, autocomplete: 'off' });
    this.button = make('button', { type: 'submit', className: 'plain', id: 'merge-submit', textContent: 'Merge them' });
    this.result = make('p', { id: 'merge-result', className: 'small' });
    this.result.setAttribute('role', 'status');
    const [first, second] = this.selects;
    this.form = make('form', { id: 'merge-voices' }, [
      make('p', { className: 'small', textContent: 'A voice between two: their networks must be built alike. It has no index, and begins with the settings of the first.' }),
      make('label', { htmlFor: first.id, textContent: 'Voice' }),
      first,
      make('label', { htmlFor: second.id, textContent: 'Other voice' }),
      second,
      make('div', { className: 'slider' }, [make('label', { htmlFor: this.share.id, textContent: 'Share of the other' }), this.words, this.share]),
      make('label', { htmlFor: this.name.id, textContent: 'Name (may be empty)' }),
      this.name,
      this.button,
      this.result,
    ]);
    this.details = make('details', { className: 'make', id: 'merge', hidden: true }, [make('summary', { textContent: 'Merge two RVC voices' }), this.form]);
    this.share.addEventListener('input', () => this.showShare());
    for (const select of this.selects) select.addEventListener('change', () => this.enable());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.send();
    });
    this.showShare();
  }

  /** @param {Voice[]} voices all that there are now */
  show(voices) {
    const mine = voices.filter(({ own, kind }) => own && kind === 'rvc');
    this.details.hidden = mine.length < 2;
    this.selects.forEach((select, place) => {
      const before = select.value;
      select.replaceChildren(...mine.map(({ id, name }) => make('option', { value: id, textContent: name })));
      select.value = mine.some(({ id }) => id === before) ? before : (mine[place]?.id ?? '');
    });
    this.enable();
  }

  showShare() {
    this.words.textContent = `${this.share.value} %`;
    this.share.setAttribute('aria-valuetext', this.words.textContent);
    this.share.style.setProperty('--filled', `${this.share.value}%`);
  }

  enable() {
    const [first, second] = this.selects;
    this.button.disabled = this.busy || first.value === second.value;
  }

  async send() {
    const [first, second] = this.selects;
    this.busy = true;
    this.enable();
    this.say('Merging…', false);
    try {
      const made = await mergeVoices(first.value, second.value, this.share.valueAsNumber / 100, this.name.value.trim(), this.userId);
      this.name.value = '';
      await this.onMade(made);
      this.say(`“${made.name}” is here and picked.`, false);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say([error.message, ...error.suggestions].join(' — '), true);
    } finally {
      this.busy = false;
      this.enable();
    }
  }

  /**
   * @param {string} words
   * @param {boolean} bad
   */
  say(words, bad) {
    this.result.textContent = words;
    this.result.classList.toggle('bad', bad);
  }
}
