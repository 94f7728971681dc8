/**
 * How long the singer's devices take, there and back: measured, tapped, typed in, or as the browser says.
 * @module
 */

import { byId, setText } from '../dom.js';
import { tellsOutputLatency } from '../output-latency.js';
import { SAMPLE_RATE } from '../protocol.js';
import { recall, remember } from '../store.js';
import { failure } from '../words.js';
import { CaptureSlip } from './capture-slip.js';
import { measureRoundTrip, NotHeard } from './round-trip.js';
import { tapRoundTrip } from './tapping.js';

const UNKNOWN = 'This browser does not say how long its output takes: measure it once, or what you sing comes late.';

/** A field and two buttons that fill it. */
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
    const [measure, tap] = ['measure', 'tap-along'].map((id) => byId(id, HTMLButtonElement));
    this.buttons = [measure, tap];
    this.note = byId('measure-note', HTMLElement);
    /** @type {import('../audio-graph.js').AudioGraph | null} that `slip` is about */
    this.graph = null;
    this.slip = new CaptureSlip(null);
    const { roundTripMs } = recall();
    if (roundTripMs !== null) this.field.value = String(roundTripMs);
    else if (!tellsOutputLatency) setText(this.note, `${UNKNOWN} ${this.note.textContent}`);
    this.field.addEventListener('change', () => this.keep());
    measure.addEventListener('click', () => void this.sweep());
    tap.addEventListener('click', () => void this.tapAlong());
  }

  /** Samples from the page to the singer and back, as it is now. */
  get samples() {
    const { source, graph } = this.session.sound;
    const known = this.field.value === '' ? (source.latencyMs ?? 0) + (graph?.outputLatencyMs ?? 0) : Number(this.field.value);
    return Math.round((known / 1000) * SAMPLE_RATE) + this.slip.samples;
  }

  /**
   * @param {import('../worklet.js').Report} report
   * @returns {number | null} the worklet's count from which on all that is captured is later than it was
   */
  hear({ silences }) {
    const { source, graph } = this.session.sound;
    if (this.graph !== graph) {
      this.graph = graph;
      this.slip = new CaptureSlip(source.stream?.getAudioTracks()[0] ?? null);
    }
    this.slip.look();
    const slipped = silences.filter((run) => this.slip.hear(run));
    return slipped.length ? slipped[slipped.length - 1].end : null;
  }

  keep() {
    remember({ roundTripMs: this.field.value === '' ? null : Number(this.field.value) });
  }

  /** By sweeps from a loudspeaker to the microphone. */
  sweep() {
    return this.attempt(
      'Listening…',
      'The sweeps were not heard: hold the microphone nearer, turn the volume up, tap along, or enter the time yourself.',
      async (graph) => ({ samples: await measureRoundTrip(graph), words: 'Measure again after a change of headphones or microphone.' }),
    );
  }

  /** By the singer's hand. */
  tapAlong() {
    return this.attempt(
      'Tap on the microphone with each click, from the fifth on…',
      'Most taps were not heard, or not with the clicks: tap nearer to the microphone, or enter the time yourself.',
      async (graph) => {
        const { samples, spread } = await tapRoundTrip(graph);
        return { samples, words: `Your taps agree to ${Math.round((1000 * spread) / SAMPLE_RATE)} ms; most people are some 20 ms early. Sweeps are more exact.` };
      },
    );
  }

  /**
   * @param {string} meanwhile
   * @param {string} missed
   * @param {(graph: import('../audio-graph.js').AudioGraph) => Promise<{ samples: number, words: string }>} measure
   */
  async attempt(meanwhile, missed, measure) {
    for (const button of this.buttons) button.disabled = true;
    setText(this.note, 'Opening the microphone…');
    try {
      await this.awake.keep();
      if (!this.session.running) await this.session.sound.open('interactive');
      const { graph } = this.session.sound;
      if (!graph) throw new NotHeard('the sound was closed');
      await this.prepare(graph);
      setText(this.note, meanwhile);
      const { samples, words } = await measure(graph);
      this.slip.samples = 0; // it is in what was measured
      this.field.value = ((1000 * samples) / SAMPLE_RATE).toFixed(2);
      this.keep();
      setText(this.note, `${this.field.value} ms. ${words}`);
    } catch (error) {
      if (error instanceof NotHeard) setText(this.note, missed);
      else setText(this.note, error instanceof Error ? failure(error.name).title : 'It did not work.');
    }
    for (const button of this.buttons) button.disabled = false;
  }
}
