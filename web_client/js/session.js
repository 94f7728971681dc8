/**
 * One stay in front of the microphone, from Start to Stop: audio graph, transport worker, and all that is
 * known about them. Knows no page.
 * @module
 */

import { AudioGraph } from './audio-graph.js';
import { microphoneFacts, openMicrophone } from './devices.js';
import { singPhrase } from './phrase.js';
import { DEFAULT_CONTROLS, SAMPLE_RATE } from './protocol.js';
import { failure, failureOf } from './words.js';

const MS = 1000 / SAMPLE_RATE; // per sample
/** This many underruns within this many seconds at the shortest latency, and the longer one is taken. */
const UNDERRUNS_TO_FALL_BACK = 4;
const FALL_BACK_WINDOW_S = 15;
const NO_COUNTS = { sent: 0, received: 0, skipped: 0, roundTripMs: /** @type {number | null} */ (null), reconnections: 0 };
const NO_LOSSES = { underruns: 0, missing: 0, late: 0 };
const SETTLED_REPORTS = 20; // after which the browser's figure for its output latency can be trusted

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
    this.microphoneId = '';
    this.outputId = '';
    this.volume = 1;
    /** @type {number | null} */
    this.holdMs = null;
    /** @type {AudioGraph | null} */
    this.graph = null;
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {AudioBuffer | null} */
    this.phrase = null;
    /** @type {'microphone' | 'phrase'} */
    this.source = 'microphone';
    this.recording = false;
    /** @type {Report | null} */
    this.report = null;
    this.reports = 0;
    this.holdApplied = false;
    /** @type {import('./protocol.js').ServerHello | null} */
    this.hello = null;
    /** @type {import('./protocol.js').ServerStart | null} */
    this.started = null;
    /** @type {import('./protocol.js').ServerStats | null} */
    this.stats = null;
    /** @type {Partial<Controls>} As the server said last. */
    this.inForce = {};
    this.counts = { ...NO_COUNTS };
    /** @type {import('./devices.js').MicrophoneFacts | null} */
    this.microphone = null;
    this.outputLatencyMs = 0;
    /** @type {{ at: number, count: number }[]} */
    this.underrunLog = [];
    this.before = { ...NO_LOSSES }; // counted by audio contexts that are gone
  }

  /** Forget what was measured. */
  clear() {
    this.report = this.hello = this.started = this.stats = this.microphone = null;
    this.inForce = {};
    this.reports = 0;
    this.holdApplied = false;
    this.counts = { ...NO_COUNTS };
    this.outputLatencyMs = 0;
    this.underrunLog = [];
    this.before = { ...NO_LOSSES };
  }

  get running() {
    return this.state !== 'idle' && this.state !== 'stopped';
  }

  /**
   * Open the audio and connect.
   * @param {'microphone' | 'phrase'} source
   */
  async start(source) {
    if (this.running) return;
    this.clear();
    this.source = source;
    this.setState('opening');
    if (!globalThis.isSecureContext) return this.end(failure('insecure'));
    if (!('AudioWorkletNode' in globalThis)) return this.end(failure('unsupported'));
    try {
      this.graph = await this.makeGraph(this.options.hint);
      await this.openSource();
    } catch (error) {
      return this.end(failureOf(error));
    }
    if (this.state !== 'opening') return; // stopped meanwhile
    this.worker = new Worker(new URL('./transport-worker.js', import.meta.url), { type: 'module' });
    this.worker.onmessage = (event) => this.fromWorker(event.data);
    this.worker.onerror = (event) => this.end(failure(event.message ? 'page_error' : 'unsupported', event.message));
    const port = this.graph.transportPort();
    const url = new URL('/ws/live', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const { voice, controls } = this;
    const { userId, converter } = this.options;
    const start = { voice, user_id: userId, controls, converter };
    this.worker.postMessage({ type: 'open', url: url.href, start, port }, [port]);
  }

  /** @param {import('./audio-graph.js').LatencyHint} hint */
  async makeGraph(hint) {
    const graph = await AudioGraph.make(hint);
    graph.setVolume(this.volume);
    graph.onReport = (report) => this.reported(report);
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

  /** Connect the microphone or the phrase. */
  async openSource() {
    if (this.source === 'phrase') {
      this.phrase ??= await singPhrase();
      this.graph?.useBuffer(this.phrase);
      return;
    }
    const stream = await openMicrophone(this.microphoneId);
    this.closeStream();
    this.stream = stream;
    this.microphone = microphoneFacts(stream);
    stream.getAudioTracks()[0].onended = () => this.end(failure('unplugged'));
    this.graph?.useStream(stream);
  }

  closeStream() {
    for (const track of this.stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.stream = null;
  }

  /** Stop singing. */
  stop() {
    this.end(null);
  }

  /** @param {Failure | null} why */
  end(why) {
    if (this.recording) this.record(false);
    this.closeStream();
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
        break;
      case 'controls': {
        const { type: _, voice: __, ...inForce } = message;
        this.inForce = inForce;
        break;
      }
      case 'stats':
        this.stats = message;
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

  /** @param {Report} report */
  reported(report) {
    const graph = this.graph;
    if (!graph) return;
    this.report = {
      ...report,
      underruns: report.underruns + this.before.underruns,
      missing: report.missing + this.before.missing,
      late: report.late + this.before.late,
    };
    this.reports++;
    const latency = graph.outputLatencyMs;
    this.outputLatencyMs += (latency - this.outputLatencyMs) * (this.reports < SETTLED_REPORTS ? 1 : 0.02);
    if (this.holdMs !== null && !this.holdApplied && this.reports >= SETTLED_REPORTS) this.applyHold();
    const { underruns, late } = this.report;
    this.worker?.postMessage({ type: 'figures', underruns, late, playout_delay: report.delay });
    this.watchUnderruns(underruns);
    this.hooks.onReport(this.report);
  }

  /**
   * The shortest latency is not for every machine: take the longer one when this one keeps running dry.
   * @param {number} underruns so far
   */
  watchUnderruns(underruns) {
    if (this.graph?.hint !== 0 || this.state !== 'live') return;
    const now = this.graph.context.currentTime;
    this.underrunLog.push({ at: now, count: underruns });
    while (this.underrunLog[0].at < now - FALL_BACK_WINDOW_S) this.underrunLog.shift();
    if (underruns - this.underrunLog[0].count >= UNDERRUNS_TO_FALL_BACK) {
      this.options.hint = 'interactive';
      this.hooks.onNotice('This machine drops out at the shortest latency: a slightly longer one is used now.');
      void this.replaceGraph();
    }
  }

  /** Change the audio context without leaving the server. */
  async replaceGraph() {
    const old = this.graph;
    if (!old || !this.worker) return;
    if (this.report) {
      const { underruns, missing, late } = this.report;
      this.before = { underruns, missing, late };
    }
    this.graph = null;
    await old.close();
    try {
      this.graph = await this.makeGraph(this.options.hint);
      if (this.stream) this.graph.useStream(this.stream);
      else await this.openSource();
    } catch (error) {
      this.end(failureOf(error));
      return;
    }
    this.reports = 0;
    this.holdApplied = false;
    const port = this.graph.transportPort();
    this.worker.postMessage({ type: 'attach', port }, [port]);
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
    this.microphoneId = deviceId;
    if (!this.graph || this.source !== 'microphone') return;
    try {
      await this.openSource();
    } catch (error) {
      this.end(failureOf(error));
    }
  }

  /** @param {string} deviceId */
  async setOutput(deviceId) {
    this.outputId = deviceId;
    try {
      await this.graph?.setOutput(deviceId);
    } catch (error) {
      this.hooks.onNotice(`${failureOf(error).title}: the output stays as it was.`);
    }
  }

  /**
   * Hold the mouth-to-ear delay at a constant, or let it adapt (null).
   * @param {number | null} ms
   */
  hold(ms) {
    this.holdMs = ms;
    if (ms === null) this.graph?.hold(null);
    else if (this.reports >= SETTLED_REPORTS) this.applyHold();
  }

  applyHold() {
    if (this.holdMs === null) return;
    this.holdApplied = true;
    const outside = this.outputLatencyMs + (this.microphone?.latencyMs ?? 0);
    this.graph?.hold(Math.max(0, (this.holdMs - outside) / MS));
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
