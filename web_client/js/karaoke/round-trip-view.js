/**
 * How long the singer's devices take, there and back: measured, typed in, or as the browser says.
 * @module
 */

import { byId, setText } from '../dom.js';
import { SAMPLE_RATE } from '../protocol.js';
import { recall, remember } from '../store.js';
import { failure } from '../words.js';
import { measureRoundTrip, NotHeard } from './round-trip.js';

/** A field and a button that fills it. */
export class RoundTripView {
  /**
   * @param {import('../session.js').Session} session
   * @param {import('./awake.js').Awake} awake
   * @param {(graph: import('../audio-graph.js').AudioGraph) => Promise<void>} prepare all that will hang on the graph
   *   in a song: what comes to it later moves what was measured
   */
  constructor(session, awake, prepare) {
    this.session = session;
    this.awake = awake;
    this.prepare = prepare;
    this.field = byId('round-trip', HTMLInputElement);
    this.button = byId('measure', HTMLButtonElement);
    this.note = byId('measure-note', HTMLElement);
    const { roundTripMs } = recall();
    if (roundTripMs !== null) this.field.value = String(roundTripMs);
    this.field.addEventListener('change', () => this.keep());
    this.button.addEventListener('click', () => void this.measure());
  }

  /** Samples from the page to the singer and back. */
  get samples() {
    if (this.field.value !== '') return Math.round((Number(this.field.value) / 1000) * SAMPLE_RATE);
    const { source, graph } = this.session.sound;
    return Math.round((((source.latencyMs ?? 0) + (graph?.outputLatencyMs ?? 0)) / 1000) * SAMPLE_RATE);
  }

  keep() {
    remember({ ...recall(), roundTripMs: this.field.value === '' ? null : Number(this.field.value) });
  }

  async measure() {
    this.button.disabled = true;
    setText(this.note, 'Listening…');
    try {
      await this.awake.keep();
      if (!this.session.running) await this.session.sound.open('interactive');
      const { graph } = this.session.sound;
      if (!graph) throw new NotHeard('the sound was closed');
      await this.prepare(graph);
      const samples = await measureRoundTrip(graph);
      this.field.value = ((1000 * samples) / SAMPLE_RATE).toFixed(2);
      this.keep();
      setText(this.note, `${this.field.value} ms. Measure again after a change of headphones or microphone.`);
    } catch (error) {
      if (error instanceof NotHeard) setText(this.note, 'The sweeps were not heard: hold the microphone nearer, turn the volume up, or enter the time yourself.');
      else setText(this.note, error instanceof Error ? failure(error.name).title : 'It did not work.');
    }
    this.button.disabled = false;
  }
}
