/**
 * Listening to a room without a microphone: the song and both voices, all in line to the sample.
 * @module
 */

import { outputLatency } from '../output-latency.js';
import { SAMPLE_RATE } from '../protocol.js';
import { Backing } from './backing.js';
import { LISTENER_DELAY_MS } from './room.js';
import { RoomVoices } from './room-voices.js';

/** In an audio context of its own. */
export class Listening {
  /**
   * @param {AudioContext} context
   * @param {RoomVoices} voices
   */
  constructor(context, voices) {
    this.context = context;
    this.voices = voices;
    this.backing = new Backing(context, context.destination);
    this.run = 0; // of the song that plays
  }

  /** @returns {Promise<Listening>} to be asked for by a click */
  static async open() {
    const context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: 'playback' });
    await context.resume();
    return new Listening(context, await RoomVoices.make(context, true));
  }

  get playing() {
    return this.backing.frame !== null;
  }

  /**
   * @param {import('./room.js').Room} room
   * @param {Record<import('./backing.js').TrackName, AudioBuffer>} buffers
   * @returns {boolean} whether it plays now
   */
  begin(room, buffers) {
    const first = room.firstFrame(this.context, LISTENER_DELAY_MS);
    if (first === null || !room.state) return false;
    this.run = room.state.run;
    this.backing.start(buffers, 0, first);
    this.voices.begin(first);
    return true;
  }

  /** Where in the song the listener is: what sounds, not what leaves the page. */
  get position() {
    return this.backing.position - (outputLatency(this.context) ?? 0);
  }

  end() {
    this.backing.stop();
    this.voices.end();
  }

  close() {
    this.end();
    this.voices.close();
    void this.context.close();
  }
}
