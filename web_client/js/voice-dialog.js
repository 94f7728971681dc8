/**
 * What the owner of a voice changes of it: its name, its picture, how it sings unless told otherwise; and hears it.
 * @module
 */

import { ApiError } from './api.js';
import { make } from './dom.js';
import { changePicture, changeVoice, hearVoice } from './voices.js';

/**
 * @typedef {import('./voices.js').Voice} Voice
 * @typedef {import('./voices.js').Settings} Settings
 * @typedef {'pitch_semitones' | 'formant_semitones' | 'index_rate' | 'protect' | 'rms_mix'} Slid
 */

/** @param {number} value */
const semitones = (value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value)} st`;
/** @param {number} value */
const percent = (value) => `${Math.round(100 * value)} %`;

/** @type {Record<Slid, { label: string, help: string, min: number, max: number, step: number, words: (value: number) => string }>} */
const SLIDERS = {
  pitch_semitones: { label: 'Pitch', help: 'added to what a singer sets', min: -24, max: 24, step: 1, words: semitones },
  formant_semitones: { label: 'Formant', help: 'lower is larger', min: -12, max: 12, step: 0.5, words: semitones },
  index_rate: { label: 'Index', help: 'how much is drawn to what the voice itself once sang', min: 0, max: 1, step: 0.01, words: percent },
  protect: { label: 'Protect', help: 'how much of that breath and consonants get; 50 % is all of it', min: 0, max: 0.5, step: 0.01, words: percent },
  rms_mix: { label: 'Loudness', help: '0 % follows the singer, 100 % the model', min: 0, max: 1, step: 0.01, words: percent },
};

/** A dialog about one voice at a time. */
export class VoiceDialog {
  /**
   * @param {string} userId
   * @param {() => Promise<void>} onChanged
   */
  constructor(userId, onChanged) {
    this.userId = userId;
    this.onChanged = onChanged;
    /** @type {Voice | null} */
    this.voice = null;
    /** @type {Map<Slid, HTMLInputElement>} */
    this.sliders = new Map();
    /** @type {HTMLInputElement | null} */
    this.speaker = null;
    /** @type {HTMLInputElement | null} */
    this.median = null;
    this.title = make('h2', { id: 'voice-dialog-title' });
    this.picture = make('img', { className: 'voice-picture', alt: '' });
    this.name = make('input', { type: 'text', id: 'voice-name', required: true, maxLength: 80, autocomplete: 'off' });
    this.file = make('input', { type: 'file', id: 'voice-file', accept: 'image/png,image/jpeg,image/webp' });
    this.unpicture = make('button', { type: 'button', className: 'quiet', textContent: 'Remove picture' });
    this.settings = make('div', { className: 'voice-settings' });
    this.save = make('button', { type: 'submit', className: 'start', id: 'voice-save', textContent: 'Save' });
    this.hear = make('button', { type: 'button', className: 'plain', id: 'voice-hear', textContent: 'Save and hear' });
    this.player = make('audio', { id: 'voice-player', controls: true, hidden: true });
    this.player.setAttribute('aria-label', 'The test phrase in this voice');
    this.result = make('p', { id: 'voice-result', className: 'small' });
    this.result.setAttribute('role', 'status');
    const close = make('button', { type: 'button', className: 'plain', textContent: 'Close' });
    this.form = make('form', { method: 'dialog' }, [
      this.title,
      make('div', { className: 'voice-face' }, [
        this.picture,
        make('div', {}, [make('label', { htmlFor: this.file.id, textContent: 'Picture' }), this.file, this.unpicture]),
      ]),
      make('label', { htmlFor: this.name.id }, ['Name', this.name]),
      this.settings,
      make('div', { className: 'voice-foot' }, [
        make('div', { className: 'voice-buttons' }, [this.save, this.hear, close]),
        this.player,
        this.result,
      ]),
    ]);
    this.dialog = make('dialog', { className: 'card access voice-dialog', id: 'voice-dialog' }, [this.form]);
    this.dialog.setAttribute('aria-labelledby', this.title.id);
    document.body.append(this.dialog);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.attempt(() => this.store());
    });
    this.hear.addEventListener('click', () => void this.attempt(() => this.play()));
    this.unpicture.addEventListener('click', () => void this.attempt(() => this.draw(null)));
    this.file.addEventListener('change', () => {
      const file = this.file.files?.[0];
      if (file) void this.attempt(() => this.draw(file));
    });
    close.addEventListener('click', () => this.dialog.close());
    this.dialog.addEventListener('close', () => this.silence());
  }

  /** @param {Voice} voice */
  open(voice) {
    this.voice = voice;
    this.title.textContent = voice.name;
    this.name.value = voice.name;
    this.file.value = '';
    this.showPicture(voice.picture);
    this.settings.replaceChildren(...this.fields(voice));
    this.silence();
    this.say(voice.needs ? `It cannot sing before whoever runs this server has run: ${voice.needs}` : '', false);
    this.dialog.showModal();
  }

  /** @param {string} address */
  showPicture(address) {
    this.picture.hidden = !address;
    this.unpicture.hidden = !address;
    if (address) this.picture.src = address;
  }

  /**
   * @param {Voice} voice
   * @returns {HTMLElement[]} what can be set for an RVC voice
   */
  fields({ settings, model }) {
    this.sliders.clear();
    this.speaker = this.median = null;
    if (!settings || !model) return [];
    const facts = [
      `RVC ${model.version}, ${model.sample_rate / 1000} kHz`,
      model.info,
      model.index_features ? `index of ${model.index_features} features` : 'no index',
    ];
    /** @type {HTMLElement[]} */
    const shown = [make('p', { className: 'small', textContent: facts.filter(Boolean).join(', ') })];
    for (const name of /** @type {Slid[]} */ (Object.keys(SLIDERS))) {
      if (!model.index_features && (name === 'index_rate' || name === 'protect')) continue;
      shown.push(this.slider(name, settings[name]));
    }
    if (model.speakers > 1) {
      this.speaker = make('input', { type: 'number', id: 'voice-speaker', min: '0', max: String(model.speakers - 1), step: '1', value: String(settings.speaker), required: true });
      shown.push(make('label', { htmlFor: this.speaker.id }, [`Speaker, 0 to ${model.speakers - 1}`, this.speaker]));
    }
    this.median = make('input', { type: 'number', id: 'voice-median', min: '40', max: '1100', step: 'any', value: settings.median_f0_hz === null ? '' : String(settings.median_f0_hz) });
    shown.push(make('label', { htmlFor: this.median.id }, ['Middle of its range in Hz, so that octaves can be met (may be empty)', this.median]));
    return shown;
  }

  /**
   * @param {Slid} name
   * @param {number} value
   */
  slider(name, value) {
    const { label, help, min, max, step, words } = SLIDERS[name];
    const input = make('input', { type: 'range', id: `voice-${name}`, min: String(min), max: String(max), step: String(step), value: String(value), autocomplete: 'off' });
    const output = make('output');
    output.setAttribute('for', input.id);
    const show = () => {
      output.textContent = words(input.valueAsNumber);
      input.setAttribute('aria-valuetext', output.textContent);
      input.style.setProperty('--filled', `${(100 * (input.valueAsNumber - min)) / (max - min)}%`);
    };
    input.addEventListener('input', show);
    show();
    this.sliders.set(name, input);
    const title = make('label', { htmlFor: input.id }, [label, make('small', { textContent: ` ${help}` })]);
    return make('div', { className: 'slider' }, [title, output, input]);
  }

  /** Tell the server what has been set. */
  async store() {
    if (!this.voice || !this.form.reportValidity()) return false;
    const changes = { profile_name: this.name.value.trim(), ...(this.voice.settings && { settings: this.chosen() }) };
    this.say('Saving…', false);
    await changeVoice(this.voice.id, this.userId, changes);
    this.title.textContent = changes.profile_name;
    await this.onChanged();
    this.say('Saved.', false);
    return true;
  }

  /** @returns {Partial<Settings>} */
  chosen() {
    /** @type {Partial<Settings>} */
    const settings = {};
    for (const [name, input] of this.sliders) settings[name] = input.valueAsNumber;
    if (this.speaker) settings.speaker = this.speaker.valueAsNumber;
    if (this.median) settings.median_f0_hz = this.median.value === '' ? null : this.median.valueAsNumber;
    return settings;
  }

  /** Save, and play the test phrase. */
  async play() {
    const { voice } = this;
    if (!voice || !(await this.store())) return;
    this.say('It is singing, which takes some seconds…', false);
    const file = await hearVoice(voice.id);
    if (this.voice !== voice || !this.dialog.open) return;
    this.silence();
    this.player.src = URL.createObjectURL(file);
    this.player.hidden = false;
    this.say('', false);
    await this.player.play().catch(() => {}); // the button beside it is there
  }

  /** @param {File | null} picture */
  async draw(picture) {
    if (!this.voice) return;
    await changePicture(this.voice.id, this.userId, picture);
    const { id } = this.voice;
    await this.onChanged();
    this.showPicture(picture ? `/api/v1/voice/profiles/${encodeURIComponent(id)}/picture?v=${Date.now()}` : '');
    this.file.value = '';
    this.say(picture ? 'The picture is there.' : 'The picture is gone.', false);
  }

  silence() {
    this.player.pause();
    if (this.player.src) URL.revokeObjectURL(this.player.src);
    this.player.removeAttribute('src');
    this.player.hidden = true;
  }

  /**
   * Do something that the server may refuse; meanwhile nothing else can be begun.
   * @param {() => Promise<unknown>} work
   */
  async attempt(work) {
    const buttons = [this.save, this.hear, this.unpicture];
    for (const button of buttons) button.disabled = true;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say([error.message, ...error.suggestions].join(' — '), true);
    } finally {
      for (const button of buttons) button.disabled = false;
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
