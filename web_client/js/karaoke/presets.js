/**
 * Mixes with a name: those that come with the page, and the singer's own, which this browser remembers.
 * @module
 */

import { recall, remember } from '../store.js';
import { DRY, effectsOf } from './effects.js';

/**
 * @typedef {import('./effects.js').Effects} Effects
 * @typedef {object} Mixing how a voice stands over its song
 * @property {Effects} effects
 * @property {number} voiceVolume 0..1
 * @property {number} trackVolume 0..1
 * @typedef {Mixing & { name: string }} Preset
 */

/** @type {Record<string, Effects>} they leave the volumes as they are */
export const BUILT_IN = {
  Dry: DRY,
  Karaoke: { ...DRY, lowDb: -2, highDb: 2, compress: 0.4, echo: 0.25, echoMs: 320, room: 'room', reverb: 0.3 },
  Studio: { ...DRY, lowDb: -3, midDb: 1, highDb: 3, deEss: 0.5, compress: 0.6, room: 'plate', reverb: 0.2 },
  Hall: { ...DRY, lowDb: -3, compress: 0.3, room: 'hall', reverb: 0.45 },
  Cathedral: { ...DRY, lowDb: -4, room: 'cathedral', reverb: 0.6 },
};
export const LONGEST_NAME = 40;
const MOST = 50;

/** A preset cannot be kept; the message is for the singer. */
export class PresetRefused extends Error {}

/** @param {unknown} value @returns {number} 0..1 */
export const volumeOf = (value) => (typeof value === 'number' && value >= 0 && value <= 1 ? value : 1);

/** @returns {Preset[]} the singer's own, by name; what a memory has that is none is left out */
export function ownPresets() {
  const kept = /** @type {unknown} */ (recall().presets);
  return (Array.isArray(kept) ? kept : [])
    .filter((one) => typeof one?.name === 'string' && one.name.trim() !== '' && one.name.length <= LONGEST_NAME)
    .slice(0, MOST)
    .map(({ name, effects, voiceVolume, trackVolume }) => ({
      name, effects: effectsOf(effects), voiceVolume: volumeOf(voiceVolume), trackVolume: volumeOf(trackVolume),
    }));
}

/**
 * Keep a mix under a name; one of the singer's own that has it already is replaced.
 * @param {string} name
 * @param {Mixing} mixing
 * @throws {PresetRefused}
 */
export function savePreset(name, { effects, voiceVolume, trackVolume }) {
  if (!name || name.length > LONGEST_NAME) throw new PresetRefused(`Give it a name of at most ${LONGEST_NAME} letters.`);
  if (Object.hasOwn(BUILT_IN, name)) throw new PresetRefused(`“${name}” comes with the page: give yours another name.`);
  const others = ownPresets().filter((preset) => preset.name !== name);
  if (others.length >= MOST) throw new PresetRefused(`${MOST} presets are kept already: delete one first.`);
  const presets = [...others, { name, effects: { ...effects }, voiceVolume, trackVolume }];
  remember({ presets: presets.sort((a, b) => a.name.localeCompare(b.name)) });
  if (!ownPresets().some((preset) => preset.name === name)) throw new PresetRefused('This browser keeps nothing: its storage is blocked or full.');
}

/** @param {string} name */
export function removePreset(name) {
  remember({ presets: ownPresets().filter((preset) => preset.name !== name) });
}
