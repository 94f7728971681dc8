/**
 * Which way a session goes to the server: near by, a WebSocket is as quick as anything and asks for least;
 * further away packets are lost, and data channels do not wait for them.
 * @module
 */

import { ask } from './api.js';
import { canUseChannels } from './peer.js';

const NEAR_MS = 8; // round trip within a house
const TRIES = 3;

/**
 * @typedef {'websocket' | 'data'} Carrier
 * @typedef {'auto' | Carrier} Wanted
 */

/**
 * @param {Wanted} wanted
 * @returns {Promise<Carrier>}
 */
export async function chooseCarrier(wanted) {
  if (wanted === 'websocket' || !canUseChannels()) return 'websocket';
  if (wanted === 'data') return 'data';
  return (await roundTripMs()) > NEAR_MS ? 'data' : 'websocket';
}

/** @returns {Promise<number>} the shortest of some, by http; 0 when the server does not answer */
async function roundTripMs() {
  let shortest = Infinity;
  try {
    for (let i = 0; i < TRIES; i++) {
      const began = performance.now();
      await ask('/api/v1/live/ice-servers');
      shortest = Math.min(shortest, performance.now() - began);
    }
  } catch {
    return 0; // whatever it is, connecting will find out, and say so
  }
  return shortest;
}
