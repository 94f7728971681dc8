/**
 * For measurements: what a page knows and hears of its room, as `globalThis.autovoiceRoom` (docs/page.md).
 * @module
 */

import { tapPlaces } from '../song/tap.js';

/** @param {import('./room-desk.js').RoomDesk} desk */
export function openProbe(desk) {
  const heard = () => ({
    voices: desk.listening?.voices ?? desk.partner.voices,
    backing: desk.listening?.backing ?? desk.partner.backing,
  });
  const probe = Object.freeze({
    /** The figures of the room, as the page shows them. */
    snapshot() {
      const { room, run } = desk;
      const { reports = [] } = heard().voices ?? {};
      return { state: room?.state ?? null, me: room?.me ?? null, run, reports, roundTripMs: room?.roundTripMs ?? null };
    },

    /**
     * The voices and the song as they are heard here, before their volumes.
     * @param {number} seconds
     * @returns {Promise<{ voices: Float32Array[], song: Float32Array }>} at the same instants
     */
    async tap(seconds) {
      const { voices, backing } = heard();
      const [accompaniment] = backing?.sources ?? [];
      if (!voices || !accompaniment) throw new Error('nothing is heard');
      const places = /** @type {[AudioNode, number][]} */ ([[voices.node, 0], [voices.node, 1], [accompaniment, 0]]);
      const [one, two, song] = await tapPlaces(voices.node.context, places, seconds);
      return { voices: [one, two], song };
    },
  });
  Object.defineProperty(globalThis, 'autovoiceRoom', { value: probe });
}
