/**
 * How long a sound takes from this page through the loudspeaker, the air, the microphone and back: coded bursts are
 * played, and looked for in what is captured.
 * @module
 */

const RATE = 48000; // Hz
const LENGTH = 4800; // samples of a burst
const FROM_HZ = 300;
const TO_HZ = 6000;
const LOUDNESS = 0.5;
const BURSTS = 5;
const APART = 24_000; // samples from one to the next, and the longest way that is looked for
const CLEAR = 8; // times the usual size of the correlation: that is a burst
const AGREE = 48; // samples within which most bursts must agree
const FIRST = 9_600; // samples from now to the first one

/** Most bursts were not heard, or not at one distance. */
export class NotHeard extends Error {}

/** @returns {Float32Array<ArrayBuffer>} a sweep whose pitch rises evenly */
export function makeBurst() {
  return Float32Array.from({ length: LENGTH }, (_, n) => {
    const hz = FROM_HZ + ((TO_HZ - FROM_HZ) * n) / (2 * LENGTH); // on average until here
    const window = Math.min(1, n / 240, (LENGTH - 1 - n) / 240);
    return LOUDNESS * window * Math.sin((2 * Math.PI * hz * n) / RATE);
  });
}

/**
 * Correlate a recording with a burst, by the browser's own convolution.
 * @param {Float32Array<ArrayBuffer>} sound
 * @param {Float32Array<ArrayBuffer>} burst
 * @returns {Promise<Float32Array>} at n: how alike `sound` from n on is
 */
async function correlate(sound, burst) {
  const context = new OfflineAudioContext(1, sound.length + burst.length, RATE);
  const reversed = new AudioBuffer({ length: burst.length, sampleRate: RATE });
  reversed.copyToChannel(burst.slice().reverse(), 0);
  const heard = new AudioBuffer({ length: sound.length, sampleRate: RATE });
  heard.copyToChannel(sound, 0);
  const source = new AudioBufferSourceNode(context, { buffer: heard });
  source.connect(new ConvolverNode(context, { buffer: reversed, disableNormalization: true })).connect(context.destination);
  source.start();
  const result = (await context.startRendering()).getChannelData(0);
  return result.subarray(burst.length - 1);
}

/**
 * Find where each burst arrived.
 * @param {Float32Array<ArrayBuffer>} sound what was captured
 * @param {number[]} played indices in `sound` at which the bursts were played
 * @returns {Promise<number>} samples that the way takes
 * @throws {NotHeard}
 */
export async function findRoundTrip(sound, played) {
  const alike = (await correlate(sound, makeBurst())).map(Math.abs);
  const usual = alike.slice().sort()[alike.length >> 1] + 1e-9;
  const ways = [];
  for (const from of played) {
    let best = Math.max(0, from);
    for (let n = best; n < Math.min(from + APART, alike.length); n++) if (alike[n] > alike[best]) best = n;
    if (alike[best] > CLEAR * usual) ways.push(best - from);
  }
  ways.sort((a, b) => a - b);
  const middle = ways[ways.length >> 1];
  const agreed = ways.filter((way) => Math.abs(way - middle) <= AGREE);
  if (agreed.length <= BURSTS / 2) throw new NotHeard('most bursts were not heard, or not at one distance');
  return Math.round(agreed.reduce((sum, way) => sum + way, 0) / agreed.length);
}

/**
 * Play a sound again and again, and listen to what is captured meanwhile.
 * @param {import('../audio-graph.js').AudioGraph} graph with a microphone on it
 * @param {Float32Array<ArrayBuffer>} sound
 * @param {{ first: number, apart: number, count: number }} when samples from now to the first, from one to the next
 * @returns {Promise<{ input: Float32Array<ArrayBuffer>, played: number[] }>} what was captured, and the indices in it at which the
 *   sound was played
 */
export async function playAndListen(graph, sound, { first, apart, count }) {
  const { context } = graph;
  const buffer = new AudioBuffer({ length: sound.length, sampleRate: RATE });
  buffer.copyToChannel(sound, 0);
  const begin = Math.round(context.currentTime * RATE) + first;
  const frames = Array.from({ length: count }, (_, i) => begin + i * apart);
  for (const frame of frames) {
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    source.start(frame / RATE);
  }
  const { input, frame } = await graph.tap((first + (count + 1) * apart) / RATE);
  return { input, played: frames.map((at) => at - frame) };
}

/**
 * Play bursts, listen, and say how long the way is.
 * @param {import('../audio-graph.js').AudioGraph} graph with a microphone on it
 * @returns {Promise<number>} samples from a sound's place in the context's time to its capture
 * @throws {NotHeard}
 */
export async function measureRoundTrip(graph) {
  const { input, played } = await playAndListen(graph, makeBurst(), { first: FIRST, apart: APART, count: BURSTS });
  return findRoundTrip(input, played);
}
