/**
 * Which way a session goes to the server: near by, a WebSocket is as quick as anything and asks for least;
 * further away packets are lost, and data channels do not wait for them.
 * @module
 */

import { ask } from './api.js';
import { canUseChannels, canUseTracks } from './peer.js';

const NEAR_MS = 8; // round trip within a house
const TRIES = 3;

/**
 * @typedef {'websocket' | 'data' | 'track'} Carrier
 * @typedef {'auto' | Carrier} Wanted
 */

/**
 * Whether this browser can go that way.
 * @param {Carrier} carrier
 */
export function canUse(carrier) {
  return carrier === 'websocket' || (carrier === 'data' ? canUseChannels() : canUseTracks());
}

/**
 * Where to go when a line stands still again and again. A track is sent whatever is lost; SCTP, under the data
 * channels, takes losses for congestion and slows down.
 * @returns {Carrier | null}
 */
export function carrierForLosses() {
  if (canUse('track')) return 'track';
  return canUse('data') ? 'data' : null;
}

/**
 * @param {Wanted} wanted
 * @returns {Promise<Carrier>}
 */
export async function chooseCarrier(wanted) {
  if (wanted !== 'auto') return canUse(wanted) ? wanted : 'websocket';
  if (!canUse('data')) return 'websocket';
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
