/**
 * One stay in front of the microphone, from Start to Stop: audio graph, transport worker, and all that is
 * known about them. Knows no page.
 *
 * Everything that is waited for may come when the stay is over. `run` is raised by every start and end, and
 * `current()` tells whether it is still the same one.
 * @module
 */

import { AudioGraph } from './audio-graph.js';
import { Ledger } from './ledger.js';
import { DEFAULT_CONTROLS, SAMPLE_RATE } from './protocol.js';
import { Source } from './source.js';
import { failure, failureOf } from './words.js';

const MS = 1000 / SAMPLE_RATE; // per sample
const NO_COUNTS = { sent: 0, received: 0, skipped: 0, roundTripMs: /** @type {number | null} */ (null), reconnections: 0 };
const SETTLED_REPORTS = 20; // after which the browser's figure for its output latency can be trusted
const HELD_WITHIN_MS = 3; // a held delay follows the output latency when that moves by more
export const SHORTEST_HOLD_MS = 10;
export const LONGEST_HOLD_MS = 1000;

/**
 * @typedef {import('./worklet.js').Report} Report
 * @typedef {import('./transport-worker.js').FromWorker} FromWorker
 * @typedef {import('./connection.js').ConnectionState} ConnectionState
 * @typedef {import('./protocol.js').Controls} Controls
 * @typedef {import('./words.js').Failure} Failure
 * @typedef {Extract<FromWorker, { type: 'take' }>} FinishedTake
 * @typedef {'idle' | 'opening' | ConnectionState['state']} SessionState
 * @typedef {object} Hooks
 * @property {(state: SessionState, failure: Failure | null, retryMs: number) => void} onState
 * @property {(notice: string) => void} onNotice something worth saying that does not end the session
 * @property {(report: Report) => void} onReport 20 times a second while the audio runs
 * @property {(pitch: import('./protocol.js').ServerPitch) => void} onPitch positions as the worklet counts
 * @property {(take: FinishedTake) => void} onTake
 * @property {(seconds: number) => void} onRecording
 */

/** Sings through the server. */
export class Session {
  /**
   * @param {Hooks} hooks
   * @param {{ userId: string, converter: string, hint: import('./audio-graph.js').LatencyHint }} options
   */
  constructor(hooks, options) {
    this.hooks = hooks;
    this.options = options;
    /** @type {SessionState} */
    this.state = 'idle';
    /** @type {Failure | null} */
    this.failure = null;
    this.voice = '';
    /** @type {Controls} */
    this.controls = { ...DEFAULT_CONTROLS };
    this.source = new Source(() => this.end(failure('unplugged')));
    this.outputId = '';
    this.volume = 1;
    /** @type {number | null} */
    this.holdMs = null;
    /** @type {AudioGraph | null} */
    this.graph = null;
    /** @type {Worker | null} */
    this.worker = null;
    this.recording = false;
    this.run = 0;
    this.ledger = new Ledger();
    this.reports = 0; // of the audio context that runs
    /** @type {import('./protocol.js').ServerHello | null} */
    this.hello = null;
    /** @type {import('./protocol.js').ServerStart | null} */
    this.started = null;
    /** @type {Partial<Controls>} As the server said last. */
    this.inForce = {};
    this.counts = { ...NO_COUNTS };
    this.outputLatencyMs = 0;
    this.heldAtMs = 0; // the output latency that the held delay allows for
  }

  /** Forget what was measured. */
  clear() {
    this.ledger = new Ledger();
    this.hello = this.started = null;
    this.inForce = {};
    this.counts = { ...NO_COUNTS };
    this.reports = this.outputLatencyMs = this.heldAtMs = 0;
  }

  get running() {
    return this.state !== 'idle' && this.state !== 'stopped';
  }

  /** @returns {() => boolean} whether the stay that runs now still does */
  current() {
    const run = this.run;
    return () => this.run === run;
  }

  /**
   * Open the audio and connect.
   * @param {'microphone' | 'phrase'} kind
   */
  async start(kind) {
    if (this.running) return;
    this.run++;
    const current = this.current();
    this.clear();
    this.source.kind = kind;
    this.setState('opening');
    if (!globalThis.isSecureContext) return this.end(failure('insecure'));
    if (!('AudioWorkletNode' in globalThis)) return this.end(failure('unsupported'));
    try {
      const graph = await this.makeGraph(this.options.hint);
      if (!current()) return void graph.close();
      this.graph = graph;
      await this.source.open(graph);
    } catch (error) {
      if (current()) this.end(failureOf(error));
      return;
    }
    if (current()) this.connect();
  }

  /** Start the worker that talks to the server. */
  connect() {
    if (!this.graph) return;
    const worker = new Worker(new URL('./transport-worker.js', import.meta.url), { type: 'module' });
    this.worker = worker;
    worker.onmessage = (event) => this.fromWorker(event.data);
    // an error with a message comes from its code; without one, the code itself did not come
    worker.onerror = (event) => {
      if (this.worker === worker) this.end(failure(event.message ? 'page_error' : 'unreachable', event.message));
    };
    const port = this.graph.transportPort();
    const url = new URL('/ws/live', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const { voice, controls } = this;
    const { userId, converter } = this.options;
    const start = { voice, user_id: userId, controls, converter };
    worker.postMessage({ type: 'open', url: url.href, start, port }, [port]);
  }

  /** @param {import('./audio-graph.js').LatencyHint} hint */
  async makeGraph(hint) {
    const graph = await AudioGraph.make(hint);
    graph.setVolume(this.volume);
    graph.onReport = (report) => {
      if (this.graph === graph) this.reported(report);
    };
    graph.context.onstatechange = () => {
      if (/** @type {string} */ (graph.context.state) === 'interrupted') {
        this.hooks.onNotice('The system paused the sound. It goes on when the other program is done.');
      }
    };
    if (this.outputId) {
      try {
        await graph.setOutput(this.outputId);
      } catch (error) {
        this.hooks.onNotice('That output is not there any more: playing on the default one.');
        if (!(error instanceof DOMException)) throw error;
      }
    }
    return graph;
  }

  /** Change the audio context without leaving the server. */
  async replaceGraph() {
    const old = this.graph;
    if (!old || !this.worker) return;
    const current = this.current();
    this.ledger.contextReplaced(old.deviceUnderruns);
    this.graph = null;
    await old.close();
    let graph;
    try {
      graph = await this.makeGraph(this.options.hint);
    } catch (error) {
      if (current()) this.end(failureOf(error));
      return;
    }
    if (!current() || !this.worker) return void graph.close();
    this.graph = graph;
    this.source.reconnect(graph);
    this.reports = 0;
    const port = graph.transportPort();
    this.worker.postMessage({ type: 'attach', port }, [port]);
  }

  /** Stop singing. */
  stop() {
    this.end(null);
  }

  /** @param {Failure | null} why */
  end(why) {
    if (this.recording) this.record(false);
    this.run++;
    this.source.close();
    const { worker, graph } = this;
    this.worker = null;
    this.graph = null;
    if (worker) {
      worker.postMessage({ type: 'close' });
      // Let it say goodbye and hand over the take before it goes.
      worker.onmessage = (event) => {
        if (event.data.type === 'take') this.hooks.onTake(event.data);
      };
      setTimeout(() => worker.terminate(), 500);
    }
    void graph?.close();
    this.setState(why ? 'stopped' : 'idle', why);
  }

  /**
   * @param {SessionState} state
   * @param {Failure | null} [why]
   * @param {number} [retryMs]
   */
  setState(state, why = null, retryMs = 0) {
    this.state = state;
    this.failure = why;
    this.hooks.onState(state, why, retryMs);
  }

  /** @param {FromWorker} data */
  fromWorker(data) {
    switch (data.type) {
      case 'state':
        this.connectionChanged(data.state);
        break;
      case 'message':
        this.received(data.message);
        break;
      case 'counts': {
        const { type: _, ...counts } = data;
        this.counts = counts;
        break;
      }
      case 'recording':
        this.hooks.onRecording(data.seconds);
        break;
      case 'take':
        this.recording = false;
        this.hooks.onTake(data);
        break;
    }
  }

  /** @param {ConnectionState} change */
  connectionChanged({ state, error, retryMs = 0, attempt = 0 }) {
    if (state === 'stopped') {
      if (error) this.end(failure(error.code, error.message, error.suggestions));
    } else if (state === 'waiting') {
      const code = error?.code ?? 'connection_lost';
      this.setState('waiting', failure(code, error?.message, error?.suggestions), retryMs);
    } else if (state === 'live' || attempt === 0) {
      this.setState(state);
    } else {
      this.setState(state, this.failure); // still the same trouble until it is live again
    }
  }

  /** @param {import('./protocol.js').ServerMessage} message */
  received(message) {
    switch (message.type) {
      case 'hello':
        this.hello = message;
        break;
      case 'start':
        this.started = message;
        this.inForce = { ...message.controls };
        this.ledger.serverStarted();
        break;
      case 'controls': {
        const { type: _, voice: __, ...inForce } = message;
        this.inForce = inForce;
        break;
      }
      case 'stats':
        this.ledger.stats = message;
        break;
      case 'pitch':
        this.hooks.onPitch(message);
        break;
      case 'error':
        if (!message.fatal && this.state === 'live') {
          const words = failure(message.code, message.message, message.suggestions);
          this.hooks.onNotice(`${words.title}. ${words.advice}`);
        }
        break;
    }
  }

  /** @param {Report} raw */
  reported(raw) {
    const graph = this.graph;
    if (!graph) return;
    const report = this.ledger.reported(raw);
    this.reports++;
    const before = this.outputLatencyMs;
    this.outputLatencyMs += (graph.outputLatencyMs - before) * (this.reports < SETTLED_REPORTS ? 1 : 0.02);
    const moved = Math.abs(this.outputLatencyMs - this.heldAtMs) > HELD_WITHIN_MS;
    if (this.holdMs !== null && (this.reports === SETTLED_REPORTS || moved)) this.applyHold();
    const { underruns, late } = report;
    this.worker?.postMessage({ type: 'figures', underruns, late, playout_delay: report.delay });
    this.hooks.onReport(report);
    if (graph.hint === 0 && this.state === 'live' && this.ledger.isStarving(graph.context.currentTime)) {
      this.options.hint = 'interactive'; // the shortest latency is not for every machine
      this.hooks.onNotice('This machine drops out at the shortest latency: a slightly longer one is used now.');
      void this.replaceGraph();
    }
  }

  /**
   * Change how it sounds, now and for the next start.
   * @param {Partial<Controls>} change
   */
  setControls(change) {
    Object.assign(this.controls, change);
    this.worker?.postMessage({ type: 'controls', controls: change });
  }

  /** @param {string} profileId */
  setVoice(profileId) {
    this.voice = profileId;
    this.worker?.postMessage({ type: 'controls', controls: { voice: profileId } });
  }

  /** @param {number} volume 0..1 */
  setVolume(volume) {
    this.volume = volume;
    this.graph?.setVolume(volume);
  }

  /** @param {string} deviceId */
  async setMicrophone(deviceId) {
    this.source.microphoneId = deviceId;
    if (!this.graph || this.source.kind !== 'microphone') return;
    const current = this.current();
    try {
      await this.source.open(this.graph);
    } catch (error) {
      if (current()) this.end(failureOf(error));
      return;
    }
    if (current()) this.applyHold();
  }

  /** @param {string} deviceId */
  async setOutput(deviceId) {
    this.outputId = deviceId;
    try {
      await this.graph?.setOutput(deviceId);
    } catch (error) {
      this.hooks.onNotice(`${failureOf(error).title}: the output stays as it was.`);
      return;
    }
    this.reports = 0; // its latency is another one
  }

  /**
   * Hold the mouth-to-ear delay at a constant, or let it adapt (null).
   * @param {number | null} ms
   */
  hold(ms) {
    this.holdMs = ms === null ? null : Math.min(LONGEST_HOLD_MS, Math.max(SHORTEST_HOLD_MS, ms));
    if (this.holdMs === null) this.graph?.hold(null);
    else this.applyHold();
  }

  /** What of the mouth-to-ear delay lies outside the loop, as far as the browser knows. */
  get outsideMs() {
    const microphoneMs = this.source.kind === 'phrase' ? 0 : (this.source.facts?.latencyMs ?? 0);
    return this.outputLatencyMs + microphoneMs;
  }

  applyHold() {
    if (this.holdMs === null) return;
    this.heldAtMs = this.outputLatencyMs;
    this.graph?.hold(Math.max(0, (this.holdMs - this.outsideMs) / MS));
  }

  /** @param {boolean} on */
  record(on) {
    if (on && !this.worker) return;
    this.recording = on;
    this.worker?.postMessage({ type: 'record', on });
  }

  /** Do not wait for the next attempt to reconnect. */
  retry() {
    this.worker?.postMessage({ type: 'retry' });
  }

  /**
   * What goes in and what comes out, sample by sample at the same instants, for measurements.
   * @param {number} seconds
   */
  tap(seconds) {
    return this.graph ? this.graph.tap(seconds) : Promise.reject(new Error('not running'));
  }
}
