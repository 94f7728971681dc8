/**
 * The round trip for who wears headphones: clicks are played, the singer taps on the microphone with each, and
 * where the taps are captured says how long it takes. Hands are less exact than sweeps.
 * @module
 */

import { NotHeard, playAndListen } from './round-trip.js';

const RATE = 48000; // Hz
const LEAD = 4; // clicks to find the beat by
const CLICKS = 12; // that are tapped with
const APART = 28_800; // samples from one to the next
const FIRST = 14_400; // samples from now to the first
const EARLY = 4_800; // samples that a tap may be before its click
const FRAME = 48; // samples of one value of the envelope
const RISE = 30; // frames before the loudest in which a tap begins
const BEGUN = 0.25; // of its loudest: there it has begun
const CLEAR = 8; // times the usual level: that is a tap
const AGREE = 2_400; // samples within which most taps must agree
const BEEP = 720; // samples of a click

/** @returns {Float32Array<ArrayBuffer>} */
function makeClick() {
  return Float32Array.from({ length: BEEP }, (_, n) => 0.5 * Math.exp(-n / 120) * Math.sin((2 * Math.PI * 1500 * n) / RATE));
}

/**
 * Find the taps beside their clicks.
 * @param {Float32Array} sound what was captured
 * @param {number[]} clicks indices in `sound` at which they were played
 * @returns {{ samples: number, spread: number }} from a click to its tap, and how far most taps are from that
 * @throws {NotHeard}
 */
export function findTaps(sound, clicks) {
  const envelope = new Float32Array(Math.floor(sound.length / FRAME));
  for (let i = 0; i < envelope.length * FRAME; i++) {
    const k = Math.floor(i / FRAME);
    envelope[k] = Math.max(envelope[k], Math.abs(sound[i]));
  }
  const usual = envelope.slice().sort()[envelope.length >> 1] + 1e-4;
  const ways = [];
  for (const click of clicks) {
    const from = Math.max(0, Math.floor((click - EARLY) / FRAME));
    const to = Math.min(envelope.length, Math.floor((click + APART - EARLY) / FRAME));
    let loudest = from;
    for (let k = from; k < to; k++) if (envelope[k] > envelope[loudest]) loudest = k;
    if (!(envelope[loudest] > CLEAR * usual)) continue;
    let begun = loudest;
    for (let k = loudest; k > Math.max(from, loudest - RISE); k--) if (envelope[k] > BEGUN * envelope[loudest]) begun = k;
    ways.push(begun * FRAME - click);
  }
  ways.sort((a, b) => a - b);
  const middle = ways[ways.length >> 1];
  const off = ways.map((way) => Math.abs(way - middle)).sort((a, b) => a - b);
  if (off.filter((distance) => distance <= AGREE).length <= clicks.length / 2) {
    throw new NotHeard('most taps were not heard, or not at one distance');
  }
  return { samples: Math.max(0, middle), spread: off[off.length >> 1] };
}

/**
 * Play clicks, listen to the taps.
 * @param {import('../audio-graph.js').AudioGraph} graph with a microphone on it
 * @returns {Promise<{ samples: number, spread: number }>}
 * @throws {NotHeard}
 */
export async function tapRoundTrip(graph) {
  const { input, played } = await playAndListen(graph, makeClick(), { first: FIRST, apart: APART, count: LEAD + CLICKS });
  return findTaps(input, played.slice(LEAD));
}
