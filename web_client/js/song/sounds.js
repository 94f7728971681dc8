/**
 * Files of the server as decoded sound.
 * @module
 */

import { ApiError } from '../api.js';

/** A file that this browser cannot play. */
export class Undecodable extends Error {}

/**
 * @param {AudioContext} context the sound comes at its rate
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<AudioBuffer>}
 * @throws {ApiError | Undecodable | DOMException} the last one when aborted
 */
export async function fetchSound(context, url, signal) {
  /** @type {ArrayBuffer} */
  let bytes;
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => null));
    bytes = await response.arrayBuffer();
  } catch (error) {
    if (error instanceof TypeError) throw new ApiError(0, { error: 'no_answer', message: 'The server does not answer.' });
    throw error;
  }
  try {
    return await context.decodeAudioData(bytes);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Undecodable(url);
  }
}

/**
 * @param {number | undefined} rate Hz that the result has, so that nothing is resampled
 * @returns {AudioContext}
 */
export function openContext(rate) {
  try {
    return new AudioContext({ sampleRate: rate, latencyHint: 'interactive' });
  } catch {
    return new AudioContext(); // a rate that this browser does not do
  }
}

/**
 * The loudest sample of each of so many parts.
 * @param {AudioBuffer} buffer
 * @param {number} parts
 * @param {number} duration seconds that the parts cover together
 * @returns {Float32Array}
 */
export function peaksOf(buffer, parts, duration) {
  const peaks = new Float32Array(parts);
  const perPart = (duration * buffer.sampleRate) / parts;
  for (let channel = 0; channel < Math.min(2, buffer.numberOfChannels); channel++) {
    const samples = buffer.getChannelData(channel);
    for (let part = 0; part < parts; part++) {
      const end = Math.min(samples.length, Math.floor((part + 1) * perPart));
      let peak = peaks[part];
      for (let i = Math.floor(part * perPart); i < end; i++) {
        const level = Math.abs(samples[i]);
        if (level > peak) peak = level;
      }
      peaks[part] = peak;
    }
  }
  return peaks;
}
