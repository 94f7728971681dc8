/**
 * 16-bit WAV files.
 * @module
 */

/**
 * @param {Int16Array<ArrayBuffer>} pcm
 * @param {number} sampleRate Hz
 * @param {number} [channels] that are interleaved in `pcm`
 * @returns {Blob} a RIFF WAVE file
 */
export function wavFile(pcm, sampleRate, channels = 1) {
  const header = new DataView(new ArrayBuffer(44));
  /** @param {number} at @param {string} text */
  const tag = (at, text) => {
    for (let i = 0; i < text.length; i++) header.setUint8(at + i, text.charCodeAt(i));
  };
  tag(0, 'RIFF');
  header.setUint32(4, 36 + pcm.byteLength, true);
  tag(8, 'WAVEfmt ');
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true); // integer PCM
  header.setUint16(22, channels, true);
  header.setUint32(24, sampleRate, true);
  header.setUint32(28, sampleRate * 2 * channels, true);
  header.setUint16(32, 2 * channels, true);
  header.setUint16(34, 16, true);
  tag(36, 'data');
  header.setUint32(40, pcm.byteLength, true);
  return new Blob([header, pcm], { type: 'audio/wav' });
}
