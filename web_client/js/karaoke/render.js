/**
 * A take as files: the voice through the very chain that was heard, over the accompaniment, faster than real time.
 * @module
 */

import { Chain } from './effects.js';

const RATE = 48000;

/**
 * @param {object} parts
 * @param {Int16Array} parts.voice aligned with the song
 * @param {AudioBuffer} parts.accompaniment
 * @param {import('./effects.js').Effects} parts.effects
 * @param {number} parts.voiceVolume 0..1
 * @param {number} parts.trackVolume 0..1
 * @returns {Promise<AudioBuffer>} stereo, as long as the longer of both
 */
export async function renderMix({ voice, accompaniment, effects, voiceVolume, trackVolume }) {
  const length = Math.max(voice.length, accompaniment.length);
  const context = new OfflineAudioContext(2, length + RATE, RATE);
  const chain = new Chain(context, effects);
  const buffer = new AudioBuffer({ length: Math.max(1, voice.length), sampleRate: RATE });
  buffer.copyToChannel(Float32Array.from(voice, (sample) => sample / 32768), 0);
  const singer = new AudioBufferSourceNode(context, { buffer });
  const track = new AudioBufferSourceNode(context, { buffer: accompaniment });
  singer.connect(chain.input);
  chain.output.connect(new GainNode(context, { gain: voiceVolume ** 2 })).connect(context.destination);
  track.connect(new GainNode(context, { gain: trackVolume ** 2 })).connect(context.destination);
  const late = chain.delaySamples; // the compressors' lookahead: the track waits for the voice
  singer.start(0);
  track.start(late / RATE);
  const made = await context.startRendering();
  const mix = new AudioBuffer({ numberOfChannels: 2, length, sampleRate: RATE });
  for (let channel = 0; channel < 2; channel++) {
    mix.copyToChannel(made.getChannelData(channel).subarray(late, late + length), channel);
  }
  return mix;
}

/**
 * @param {AudioBuffer} buffer
 * @returns {Int16Array<ArrayBuffer>} interleaved, never beyond full scale: all of it is made quieter where it would be
 */
export function toPcm(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
  let peak = 1;
  for (const samples of channels) for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  const pcm = new Int16Array(buffer.length * channels.length);
  for (let i = 0, at = 0; i < buffer.length; i++) {
    for (const samples of channels) pcm[at++] = Math.round((32767 * samples[i]) / peak);
  }
  return pcm;
}
