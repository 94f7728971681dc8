/**
 * A slider with its value in words beside it.
 * @module
 */

import { byId, setText } from '../dom.js';

/** Binds `<input id=X>` and `<output id=X-value>`. A double click goes back to where it was made. */
export class Slider {
  /**
   * @param {string} id
   * @param {(value: number) => string} words
   * @param {(value: number) => void} [onInput]
   */
  constructor(id, words, onInput = () => {}) {
    this.input = byId(id, HTMLInputElement);
    this.output = byId(`${id}-value`, HTMLOutputElement);
    this.words = words;
    this.home = Number(this.input.value);
    this.input.addEventListener('input', () => {
      this.show();
      onInput(this.value);
    });
    this.input.addEventListener('dblclick', () => {
      this.value = this.home;
      onInput(this.value);
    });
    this.show();
  }

  get value() {
    return Number(this.input.value);
  }

  set value(value) {
    this.input.value = String(value);
    this.show();
  }

  show() {
    const words = this.words(this.value);
    setText(this.output, words);
    this.input.setAttribute('aria-valuetext', words);
    const share = (this.value - Number(this.input.min)) / (Number(this.input.max) - Number(this.input.min));
    this.input.style.setProperty('--filled', `${(share * 100).toFixed(1)}%`);
  }
}
