/**
 * A take as the files that belong to it. All of them begin at the song's first sample and are equally long.
 * @module
 */

import { renderMix, toPcm } from './render.js';

const RATE = 48000;

/**
 * @typedef {'mix' | 'converted' | 'dry' | 'accompaniment'} Part
 * @typedef {object} TakeFile
 * @property {Int16Array<ArrayBuffer>} pcm its channels interleaved
 * @property {1 | 2} channels
 */

/**
 * @param {AudioBuffer} buffer
 * @param {number} length samples, at most those of the buffer
 * @returns {AudioBuffer} stereo
 */
function trimmed(buffer, length) {
  const cut = new AudioBuffer({ numberOfChannels: 2, length, sampleRate: RATE });
  for (let c = 0; c < 2; c++) {
    cut.copyToChannel(buffer.getChannelData(Math.min(c, buffer.numberOfChannels - 1)).subarray(0, length), c);
  }
  return cut;
}

/**
 * @param {object} take
 * @param {Int16Array<ArrayBuffer>} take.dry
 * @param {Int16Array<ArrayBuffer>} take.wet as long
 * @param {AudioBuffer} take.accompaniment at 48 kHz
 * @param {import('./effects.js').Effects} take.effects
 * @param {number} take.voiceVolume 0..1
 * @param {number} take.trackVolume 0..1
 * @returns {Promise<Record<Part, TakeFile>>} until the voice or the song ends
 */
export async function makeFiles({ dry, wet, accompaniment, effects, voiceVolume, trackVolume }) {
  const length = Math.min(dry.length, accompaniment.length);
  const song = trimmed(accompaniment, length);
  const voice = wet.slice(0, length);
  const mix = await renderMix({ voice, accompaniment: song, effects, voiceVolume, trackVolume });
  return {
    mix: { pcm: toPcm(mix), channels: 2 },
    converted: { pcm: voice, channels: 1 },
    dry: { pcm: dry.slice(0, length), channels: 1 },
    accompaniment: { pcm: toPcm(song), channels: 2 },
  };
}
