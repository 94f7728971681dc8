/**
 * What is heard, and how loud: the volumes, the effects, which voice is monitored, and the levels of it all.
 * @module
 */

import { byId, setText } from '../dom.js';
import { Meter } from '../meters.js';
import { Slider } from '../song/slider.js';
import { recall, remember } from '../store.js';
import { effectsOf } from './effects.js';
import { EffectsView } from './effects-view.js';
import { BUILT_IN, volumeOf } from './presets.js';

/**
 * @typedef {import('./mix.js').Mix} Mix
 * @typedef {import('./mix.js').Monitoring} Monitoring
 * @typedef {object} Listener whose volumes go along: who listens in a room
 * @property {(name: import('./backing.js').TrackName, volume: number) => void} setVolume
 * @property {(volume: number) => void} setVoices
 */

const FIRST = 'Karaoke'; // the preset of who has chosen none
const WORDS = {
  converted: 'For headphones: you hear the voice that you become, as late as the line makes it.',
  dry: 'For headphones and the tightest timing: you hear yourself without the way to the server.',
  both: 'For headphones: both voices; the converted one comes a little later.',
};

/** @param {number} value */
const percent = (value) => `${value} %`;

/** Sets a mix, whichever is there, and remembers what was set. */
export class MixingView {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {Mix | null} */
    this.mix = null;
    const { mixing } = recall();
    this.guide = new Slider('guide', percent, () => this.apply());
    this.track = new Slider('track', percent, () => this.moved());
    this.own = new Slider('own', percent, () => this.moved());
    if (mixing) this.setVolumes(volumeOf(mixing.voiceVolume), volumeOf(mixing.trackVolume));
    this.effects = new EffectsView(mixing ? effectsOf(mixing.effects) : BUILT_IN[FIRST], mixing?.preset ?? FIRST, {
      changed: () => this.changed(),
      recalled: ({ voiceVolume, trackVolume }) => this.setVolumes(voiceVolume, trackVolume),
      mixing: () => this.setting,
    });
    this.meters = {
      voice: new Meter(byId('meter-voice', HTMLElement)),
      song: new Meter(byId('meter-song', HTMLElement)),
      all: new Meter(byId('meter-all', HTMLElement)),
    };
    this.monitors = [...document.querySelectorAll('input[name="monitor"]')].filter((x) => x instanceof HTMLInputElement);
    for (const input of this.monitors) input.addEventListener('change', () => this.apply());
    this.drawing = false;
    this.apply();
  }

  /** @returns {import('./presets.js').Mixing} how the voice stands over the song */
  get setting() {
    return { effects: this.effects.effects, voiceVolume: this.own.value / 100, trackVolume: this.track.value / 100 };
  }

  /** @returns {Monitoring} */
  get monitoring() {
    return /** @type {Monitoring} */ (this.monitors.find((x) => x.checked)?.value ?? 'converted');
  }

  /** @param {Mix} mix that is heard from now on */
  hang(mix) {
    this.mix = mix;
    this.apply();
    if (!this.drawing) this.draw();
  }

  /** @param {number} voiceVolume 0..1 @param {number} trackVolume 0..1 */
  setVolumes(voiceVolume, trackVolume) {
    this.own.value = Math.round(voiceVolume * 100);
    this.track.value = Math.round(trackVolume * 100);
  }

  /** A volume that a preset has, was moved. */
  moved() {
    this.effects.leave();
    this.changed();
  }

  changed() {
    this.apply();
    remember({ mixing: { ...this.setting, preset: this.effects.chosen } });
  }

  /** Let everybody who plays have what is set. */
  apply() {
    const { mix, listener } = this;
    const { effects, voiceVolume, trackVolume } = this.setting;
    setText(byId('monitor-words', HTMLElement), WORDS[this.monitoring]);
    listener.setVolume('guide', this.guide.value / 100);
    listener.setVolume('accompaniment', trackVolume);
    listener.setVoices(voiceVolume);
    if (!mix) return;
    mix.chain.set(effects);
    mix.setVoiceVolume(voiceVolume);
    mix.backing.setVolume('guide', this.guide.value / 100);
    mix.backing.setVolume('accompaniment', trackVolume);
    mix.monitor(this.monitoring);
  }

  /** Show the levels for as long as anything can be heard. */
  draw() {
    const { mix, meters } = this;
    this.drawing = mix !== null && mix.open;
    if (!mix || !this.drawing) {
      for (const meter of Object.values(meters)) meter.clear();
      return;
    }
    for (const name of /** @type {(keyof typeof meters)[]} */ (Object.keys(meters))) meters[name].show(mix.levels[name].read());
    requestAnimationFrame(() => this.draw());
  }
}
