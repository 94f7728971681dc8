/**
 * The sound of one stay: what is sung goes through an audio context to an output, at a delay that may be held.
 * All of these can be changed while it runs; what was opened for nothing is let go at once.
 * @module
 */

import { AudioGraph } from './audio-graph.js';
import { HeldDelay } from './held-delay.js';
import { SAMPLE_RATE } from './protocol.js';
import { Source } from './source.js';

/**
 * @typedef {object} SoundHooks
 * @property {(report: import('./worklet.js').Report, graph: AudioGraph) => void} onReport 20 times a second
 * @property {(notice: string) => void} onNotice
 * @property {() => void} onUnplugged the microphone has gone away
 */

/** What the user set lasts; the rest is there between `open` and `close`. */
export class Sound {
  /** @param {SoundHooks} hooks */
  constructor(hooks) {
    this.hooks = hooks;
    this.outputId = '';
    this.volume = 1;
    this.source = new Source(hooks.onUnplugged);
    this.held = new HeldDelay();
    /** @type {AudioGraph | null} */
    this.graph = null;
    this.turn = 0; // raised by each opening and closing: an older one is stale
    /** Whether what is open stays so between two stays: every opening of a device has a delay of its own. */
    this.keep = false;
  }

  /**
   * Open the context and the source, unless they were kept.
   * @param {import('./audio-graph.js').LatencyHint} hint
   * @throws {Error} see AudioGraph.make and Source.open; words.js has words for all of them
   */
  async open(hint) {
    const turn = ++this.turn;
    if (this.keep && this.graph && this.source.isOpen) return;
    await this.openGraph(hint, turn);
    if (turn === this.turn) await this.source.open();
  }

  /**
   * Change the context; what was open stays open.
   * @param {import('./audio-graph.js').LatencyHint} hint
   */
  async replaceGraph(hint) {
    const turn = ++this.turn;
    const old = this.graph;
    this.graph = null;
    this.source.connect(null);
    await old?.close();
    if (turn === this.turn) await this.openGraph(hint, turn);
  }

  /**
   * @param {import('./audio-graph.js').LatencyHint} hint
   * @param {number} turn
   */
  async openGraph(hint, turn) {
    const graph = await AudioGraph.make(hint);
    if (turn !== this.turn) {
      void graph.close();
      return;
    }
    this.graph = graph;
    graph.setVolume(this.volume);
    graph.onReport = (report) => {
      if (this.graph === graph) this.reported(graph, report);
    };
    graph.onPaused = () => {
      const words = 'The system paused the sound. It goes on when the other program is done.';
      if (this.graph === graph) this.hooks.onNotice(words);
    };
    this.source.connect(graph);
    if (this.outputId) await this.route(graph, 'That output is not there any more: playing on the default one.');
    else this.settle(graph);
  }

  /**
   * Give the worklet its line to the transport worker.
   * @returns {MessagePort} the worker's end
   * @throws {Error} there is no context
   */
  transportPort() {
    if (!this.graph) throw new Error('not running');
    return this.graph.transportPort();
  }

  /**
   * @returns {MediaStreamTrack} what is captured
   * @throws {Error} there is no context
   */
  captureTrack() {
    if (!this.graph) throw new Error('not running');
    return this.graph.captureTrack();
  }

  close() {
    this.turn++;
    if (this.keep && this.source.isOpen) return;
    this.source.close();
    void this.graph?.close();
    this.graph = null;
  }

  /**
   * @param {AudioGraph} graph
   * @param {import('./worklet.js').Report} report
   */
  reported(graph, report) {
    if (this.held.observe(graph.outputLatencyMs)) this.applyHold();
    this.hooks.onReport(report, graph);
  }

  /** @param {number} volume 0..1 */
  setVolume(volume) {
    this.volume = volume;
    this.graph?.setVolume(volume);
  }

  /**
   * @param {string} deviceId empty for the system's default
   * @throws {DOMException} from getUserMedia
   */
  async setMicrophone(deviceId) {
    await this.source.pick(deviceId);
    this.applyHold();
  }

  /** @param {string} deviceId empty for the system's default */
  async setOutput(deviceId) {
    this.outputId = deviceId;
    if (this.graph) await this.route(this.graph, 'That output cannot be used: the sound goes where it went.');
  }

  /**
   * Send the sound to the chosen output.
   * @param {AudioGraph} graph
   * @param {string} otherwise what to say when it will not go there
   */
  async route(graph, otherwise) {
    try {
      await graph.setOutput(this.outputId);
    } catch {
      if (this.graph === graph) this.hooks.onNotice(otherwise);
    }
    if (this.graph === graph) this.settle(graph);
  }

  /** @param {AudioGraph} graph whose output is another one now */
  settle(graph) {
    this.held.begin(graph.outputLatencyMs);
    this.applyHold();
  }

  /**
   * Hold the mouth-to-ear delay at a constant, or let it adapt (null).
   * @param {number | null} ms
   */
  hold(ms) {
    this.held.ask(ms);
    this.applyHold();
  }

  /** Give the loop what the held delay leaves for it. */
  applyHold() {
    const ms = this.held.loop(this.source.latencyMs ?? 0);
    this.graph?.hold(ms === null ? null : (ms * SAMPLE_RATE) / 1000);
  }

  /** What of the mouth-to-ear delay lies outside the loop, as far as the browser says. */
  get outsideMs() {
    return (this.held.outputMs ?? 0) + (this.source.latencyMs ?? 0);
  }

  /**
   * What goes in and what comes out, sample by sample at the same instants, for measurements.
   * @param {number} seconds
   */
  tap(seconds) {
    return this.graph ? this.graph.tap(seconds) : Promise.reject(new Error('not running'));
  }
}
