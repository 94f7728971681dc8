/**
 * What a mix is made of, wherever it is: in files of this page, or on the server.
 * @module
 */

const RATE = 48000;

/** Bytes of a WAV file before its samples. */
export const HEADER = 44;

/** @param {AudioBuffer} buffer @returns {Int16Array<ArrayBuffer>} its first channel */
export const pcmOf = (buffer) =>
  Int16Array.from(buffer.getChannelData(0), (sample) => Math.round(32767 * Math.max(-1, Math.min(1, sample))));

/**
 * @param {Partial<Record<import('./take-files.js').Part, Blob>>} files WAV files, if they are here
 * @param {import('./remote-takes.js').RemoteTakes} remote
 * @param {string} id by which the server knows the take
 * @returns {Promise<{ voice: Int16Array<ArrayBuffer>, accompaniment: AudioBuffer }>}
 * @throws {import('../api.js').ApiError}
 */
export async function partsOf({ converted, accompaniment }, remote, id) {
  if (converted && accompaniment) {
    const [voice, song] = await Promise.all([converted.slice(HEADER).arrayBuffer(), accompaniment.arrayBuffer()]);
    return { voice: new Int16Array(voice), accompaniment: await new OfflineAudioContext(2, 1, RATE).decodeAudioData(song) };
  }
  const [voice, song] = await Promise.all([remote.sound(id, 'voice', 'live'), remote.sound(id, 'accompaniment', 'live')]);
  return { voice: pcmOf(voice), accompaniment: song };
}
