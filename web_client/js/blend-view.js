/**
 * A second voice, and the slider between the two.
 * @module
 */

import { byId, make, setText } from './dom.js';

const HALF = 0.5;

/**
 * @typedef {import('./voices.js').Voice} Voice
 * @typedef {import('./protocol.js').Blend} Blend
 */

/** Lets the user blend the picked voice with another one. */
export class BlendView {
  /** @param {(blend: Blend | null) => void} onChange at most once per frame */
  constructor(onChange) {
    this.onChange = onChange;
    this.scheduled = false;
    /** @type {Voice[]} */
    this.voices = [];
    /** @type {Voice | null} */
    this.first = null;
    this.select = byId('blend-voice', HTMLSelectElement);
    this.slider = byId('blend-share', HTMLInputElement);
    this.row = byId('blend-row', HTMLElement);
    this.section = byId('blend', HTMLElement);
    this.select.addEventListener('change', () => this.change());
    this.slider.addEventListener('input', () => this.change());
    // A slider that was moved by accident goes back with a double click.
    this.slider.addEventListener('dblclick', () => {
      this.slider.value = String(100 * HALF);
      this.change();
    });
  }

  /** The second voice. */
  get second() {
    return this.voices.find((voice) => voice.id === this.select.value) ?? null;
  }

  /** @returns {Blend | null} as it is set now */
  get blend() {
    return this.second && { voice: this.second.id, share: Number(this.slider.value) / 100 };
  }

  /** The voices that sound, in words. */
  get name() {
    const share = this.blend?.share ?? 0;
    const sounding = [share < 1 ? this.first : null, share > 0 ? this.second : null];
    return sounding.flatMap((voice) => voice?.name ?? []).join(' + ');
  }

  /**
   * Offer all voices but the picked one; RVC voices are whole networks, which do not blend. A blend with a voice
   * that is not offered any more ends.
   * @param {Voice[]} voices
   * @param {Voice | null} first the picked one
   */
  offer(voices, first) {
    const before = this.select.value;
    this.first = first;
    const blends = first?.kind !== 'rvc';
    this.section.hidden = !blends;
    this.voices = voices.filter((voice) => blends && voice !== first && voice.kind !== 'rvc');
    const options = this.voices.map((voice) => make('option', { value: voice.id, textContent: voice.name }));
    this.select.replaceChildren(make('option', { value: '', textContent: 'No other voice' }), ...options);
    this.select.value = this.voices.some((voice) => voice.id === before) ? before : '';
    if (this.select.value === before) this.describe();
    else this.change();
  }

  describe() {
    const { first, second } = this;
    this.row.hidden = !second;
    if (!first || !second) return;
    const percent = Number(this.slider.value);
    setText(byId('blend-label', HTMLLabelElement), `Share of ${second.name}`);
    const only = percent === 0 ? first : percent === 100 ? second : null;
    setText(byId('blend-value', HTMLOutputElement), only ? `only ${only.name}` : `${percent} %`);
    setText(byId('blend-first', HTMLElement), first.name);
    setText(byId('blend-second', HTMLElement), second.name);
    const mix = `${percent} % ${second.name}, ${100 - percent} % ${first.name}`;
    this.slider.setAttribute('aria-valuetext', only ? `only ${only.name}` : mix);
    this.slider.style.setProperty('--filled', `${percent}%`);
  }

  change() {
    this.describe();
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.onChange(this.blend);
    });
  }
}
