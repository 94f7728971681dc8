/**
 * The effects as they are chosen: by the name of a preset, or each by its own slider.
 * @module
 */

import { byId, make, setText } from '../dom.js';
import { Slider } from '../song/slider.js';
import { effectsOf, RANGES } from './effects.js';
import { BUILT_IN, LONGEST_NAME, ownPresets, PresetRefused, removePreset, savePreset } from './presets.js';

/** @typedef {import('./presets.js').Mixing} Mixing */

const OWN = 'own:'; // before the names of the singer's presets, in the list's values
const ROOM_WORDS = { none: 'None', room: 'Room', plate: 'Plate', hall: 'Hall', cathedral: 'Cathedral' };

/** @param {number} value */
const decibels = (value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value)} dB`;
/** @param {number} value */
const share = (value) => (value === 0 ? 'off' : `${Math.round(value * 100)} %`);

/** @type {[keyof typeof RANGES, string, number, (value: number) => string][]} parameter, label, step, its value in words */
const CONTROLS = [
  ['lowDb', 'Low', 1, decibels],
  ['midDb', 'Middle', 1, decibels],
  ['highDb', 'High', 1, decibels],
  ['deEss', 'De-esser', 0.05, share],
  ['compress', 'Compressor', 0.05, share],
  ['echo', 'Echo', 0.05, share],
  ['echoMs', 'Echo time', 10, (value) => `${value} ms`],
  ['reverb', 'Reverb', 0.05, share],
];

/** The list of presets and, folded away, what a preset is made of. */
export class EffectsView {
  /**
   * @param {import('./effects.js').Effects} effects as they are to be at first
   * @param {string} name of the preset that they are
   * @param {object} hooks
   * @param {() => void} hooks.changed
   * @param {(mixing: Mixing) => void} hooks.recalled one of the singer's own was chosen: it has volumes, too
   * @param {() => Mixing} hooks.mixing what is to be saved
   */
  constructor(effects, name, hooks) {
    this.effects = effects;
    this.hooks = hooks;
    this.list = byId('effects', HTMLSelectElement);
    this.name = byId('preset-name', HTMLInputElement);
    this.name.maxLength = LONGEST_NAME;
    this.remover = byId('preset-delete', HTMLButtonElement);
    this.note = byId('preset-note', HTMLElement);
    const controls = byId('effects-controls', HTMLElement);
    this.sliders = CONTROLS.map(([parameter, label, step, words]) => {
      const id = `effect-${parameter}`;
      const [min, max] = RANGES[parameter];
      controls.append(
        make('div', { className: 'slider' }, [
          make('label', { htmlFor: id, textContent: label }),
          Object.assign(make('output', { id: `${id}-value` }), { htmlFor: id }),
          make('input', { type: 'range', id, min: String(min), max: String(max), step: String(step), value: String(effects[parameter]) }),
        ]),
      );
      return new Slider(id, words, (value) => this.set({ [parameter]: value }));
    });
    this.room = byId('effect-room', HTMLSelectElement);
    for (const [value, textContent] of Object.entries(ROOM_WORDS)) this.room.append(make('option', { value, textContent }));
    this.room.addEventListener('change', () => this.set({ room: /** @type {import('./effects.js').Room} */ (this.room.value) }));
    this.list.addEventListener('change', () => this.choose(this.list.value));
    byId('preset-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.save();
    });
    this.remover.addEventListener('click', () => this.remove());
    this.showList(name);
    this.show();
  }

  /** @returns {string} the preset that is chosen; empty once something of it was changed */
  get chosen() {
    return this.list.value;
  }

  /** @param {string} value of the list */
  choose(value) {
    setText(this.note, '');
    const own = value.startsWith(OWN) ? ownPresets().find((preset) => preset.name === value.slice(OWN.length)) : undefined;
    this.effects = { ...(own?.effects ?? BUILT_IN[value] ?? this.effects) };
    this.showList(value);
    this.show();
    if (own) this.hooks.recalled(own);
    this.hooks.changed();
  }

  /** What is set is not what one of the singer's own presets says any more. */
  leave() {
    if (this.chosen.startsWith(OWN)) this.showList('');
  }

  /** @param {Partial<import('./effects.js').Effects>} change by hand */
  set(change) {
    this.effects = effectsOf({ ...this.effects, ...change });
    if ('room' in change && change.room !== 'none' && this.effects.reverb === 0) this.effects.reverb = 0.3; // else nothing would be heard
    if (change.reverb && this.effects.room === 'none') this.effects.room = 'room';
    this.showList('');
    this.show();
    this.hooks.changed();
  }

  save() {
    const name = this.name.value.trim();
    try {
      savePreset(name, this.hooks.mixing());
    } catch (error) {
      if (!(error instanceof PresetRefused)) throw error;
      setText(this.note, error.message);
      return;
    }
    this.showList(OWN + name);
    setText(this.note, `Saved as “${name}”, with the volumes of the voice and the song.`);
    this.hooks.changed();
  }

  remove() {
    const name = this.chosen.slice(OWN.length);
    removePreset(name);
    this.showList('');
    setText(this.note, `“${name}” is deleted; what it set is still heard.`);
    this.list.focus();
    this.hooks.changed();
  }

  /** @param {string} value that is to be chosen */
  showList(value) {
    /** @param {string} label @param {[string, string][]} names */
    const group = (label, names) =>
      Object.assign(make('optgroup', {}, names.map(([value, textContent]) => make('option', { value, textContent }))), { label });
    const own = ownPresets();
    this.list.replaceChildren(
      make('option', { value: '', textContent: 'As set below', hidden: true }),
      group('Of this page', Object.keys(BUILT_IN).map((name) => [name, name])),
      ...(own.length ? [group('Yours', own.map(({ name }) => [OWN + name, name]))] : []),
    );
    this.list.value = value;
    if (this.list.selectedIndex < 0) this.list.value = '';
    this.remover.hidden = !this.chosen.startsWith(OWN);
    if (!this.remover.hidden) this.name.value = this.chosen.slice(OWN.length);
  }

  show() {
    CONTROLS.forEach(([parameter], i) => (this.sliders[i].value = this.effects[parameter]));
    this.room.value = this.effects.room;
  }
}
