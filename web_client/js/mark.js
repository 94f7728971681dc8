/**
 * A sound by which a place in a stream is found again behind a codec: a short chirp with silence around it.
 * @module
 */

const RATE = 48000; // Hz
const LENGTH = 960; // samples (20 ms)
const FROM_HZ = 400;
const TO_HZ = 4000;
const LOUDNESS = 0.5;
const ALIKE = 0.7; // normalised correlation from which on it is the mark

/** Samples of silence on either side, so that nothing else is taken for it. */
export const GUARD = 480;

/** @returns {Float32Array} the chirp alone */
export function makeMark() {
  return Float32Array.from({ length: LENGTH }, (_, n) => {
    const hz = FROM_HZ + ((TO_HZ - FROM_HZ) * n) / (2 * LENGTH); // on average until here
    const window = Math.sin((Math.PI * (n + 0.5)) / LENGTH) ** 2;
    return LOUDNESS * window * Math.sin((2 * Math.PI * hz * n) / RATE);
  });
}

/**
 * @param {Float32Array} sound
 * @param {Float32Array} [mark]
 * @returns {number | null} where the mark begins in it; null when it is not there
 */
export function findMark(sound, mark = makeMark()) {
  const energy = mark.reduce((sum, sample) => sum + sample * sample, 0);
  let best = ALIKE;
  let at = null;
  for (let start = 0; start + mark.length <= sound.length; start++) {
    let product = 0;
    let heard = 1e-9;
    for (let n = 0; n < mark.length; n++) {
      const sample = sound[start + n];
      product += sample * mark[n];
      heard += sample * sample;
    }
    const alike = product / Math.sqrt(energy * heard);
    if (alike > best) {
      best = alike;
      at = start;
    }
  }
  return at;
}
