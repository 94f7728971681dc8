/**
 * The sliders.
 * @module
 */

import { byId, setText } from './dom.js';
import { DEFAULT_CONTROLS } from './protocol.js';

/** @param {number} value */
const signed = (value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value)}`;

/**
 * @typedef {object} Slider
 * @property {'pitch_semitones' | 'formant_semitones' | 'dry_wet' | 'gate_db'} name
 * @property {string} id
 * @property {(value: number) => string} words
 * @property {number} [per] slider steps per unit
 */

/** @type {Slider[]} */
const SLIDERS = [
  { name: 'pitch_semitones', id: 'pitch', words: (value) => `${signed(value)} st` },
  { name: 'formant_semitones', id: 'formant', words: (value) => `${signed(value)} st` },
  {
    name: 'dry_wet',
    id: 'mix',
    per: 100,
    words: (value) => (value === 1 ? 'only the voice' : value === 0 ? 'only you' : `${Math.round(value * 100)} %`),
  },
  { name: 'gate_db', id: 'gate', words: (value) => (value <= -100 ? 'off' : `${signed(value)} dB`) },
];

/** Binds the sliders to the controls of a session. */
export class ControlsView {
  /**
   * @param {import('./protocol.js').Controls} controls as they are now
   * @param {(change: Partial<import('./protocol.js').Controls>) => void} onChange at most once per frame
   */
  constructor(controls, onChange) {
    this.onChange = onChange;
    /** @type {Partial<import('./protocol.js').Controls>} */
    this.pending = {};
    this.scheduled = false;
    this.auto = byId('auto-pitch', HTMLInputElement);
    for (const slider of SLIDERS) {
      const input = byId(slider.id, HTMLInputElement);
      input.addEventListener('input', () => {
        const value = Number(input.value) / (slider.per ?? 1);
        this.describe(slider, value);
        this.change({ [slider.name]: value });
      });
      // A slider that was moved by accident goes back with a double click.
      input.addEventListener('dblclick', () => this.reset(slider));
    }
    this.auto.addEventListener('change', () => this.change({ auto_pitch: this.auto.checked }));
    byId('reset', HTMLButtonElement).addEventListener('click', () => {
      this.set(DEFAULT_CONTROLS);
      this.change({ ...DEFAULT_CONTROLS });
    });
    this.set(controls);
  }

  /** @param {Slider} slider */
  reset(slider) {
    const value = DEFAULT_CONTROLS[slider.name];
    byId(slider.id, HTMLInputElement).value = String(value * (slider.per ?? 1));
    this.describe(slider, value);
    this.change({ [slider.name]: value });
  }

  /** @param {import('./protocol.js').Controls} controls */
  set(controls) {
    for (const slider of SLIDERS) {
      byId(slider.id, HTMLInputElement).value = String(controls[slider.name] * (slider.per ?? 1));
      this.describe(slider, controls[slider.name]);
    }
    this.auto.checked = controls.auto_pitch;
  }

  /**
   * @param {Slider} slider
   * @param {number} value
   */
  describe(slider, value) {
    const input = byId(slider.id, HTMLInputElement);
    const words = slider.words(value);
    setText(byId(`${slider.id}-value`, HTMLOutputElement), words);
    input.setAttribute('aria-valuetext', words);
    const share = (Number(input.value) - Number(input.min)) / (Number(input.max) - Number(input.min));
    input.style.setProperty('--filled', `${(share * 100).toFixed(1)}%`);
  }

  /** @param {Partial<import('./protocol.js').Controls>} change */
  change(change) {
    Object.assign(this.pending, change);
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      const changes = this.pending;
      this.pending = {};
      this.onChange(changes);
    });
  }
}
