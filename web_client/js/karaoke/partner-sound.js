/**
 * The partner's voice on the graph on which somebody sings in a room.
 * @module
 */

import { byId } from '../dom.js';
import { RoomVoices } from './room-voices.js';

/** Hangs on whichever graph is sung on; made anew for another. */
export class PartnerSound {
  constructor() {
    /** @type {RoomVoices | null} */
    this.voices = null;
    /** @type {BaseAudioContext | null} of the graph */
    this.context = null;
    /** @type {Promise<RoomVoices | null>} */
    this.making = Promise.resolve(null);
    /** @type {import('./room.js').Room | null} whose voices come here */
    this.room = null;
    /** @type {import('./backing.js').Backing | null} the song there */
    this.backing = null;
  }

  /**
   * Make ready to hear a partner on a graph, before anything is measured or sung there: a context that gets a new
   * worklet loses buffers, and with them the round trip that was measured.
   * @param {import('../audio-graph.js').AudioGraph} graph
   */
  async prepare({ context }) {
    if (this.context !== context) {
      this.context = context;
      this.voices?.close();
      this.voices = this.room = null;
      this.making = RoomVoices.make(context, false);
    }
    const voices = await this.making;
    if (this.context !== context || this.voices) return;
    this.voices = voices;
    this.applyVolume();
  }

  /**
   * @param {import('./backing.js').Backing} backing the song under who sings here
   * @param {import('./room.js').Room | null} room
   */
  hang(backing, room) {
    this.backing = backing;
    if (!room || !this.voices || this.room === room) return;
    this.room = room;
    room.attach(this.voices.port());
  }

  applyVolume() {
    const muted = byId('partner-mute', HTMLInputElement).checked;
    for (const place of [0, 1]) this.voices?.setVolume(place, muted ? 0 : Number(byId('partner', HTMLInputElement).value) / 100);
  }

  /** The room was left: what it sends is not heard any more. */
  leave() {
    this.voices?.end();
    this.room = null;
  }
}
