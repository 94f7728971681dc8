/**
 * One stay in front of the microphone, from Start to Stop. Knows no page.
 *
 * Everything that is waited for may come when the stay is over. `run` is raised by every start and end, and
 * `current()` tells whether it is still the same one.
 * @module
 */

import { Calls } from './calls.js';
import { canUse, carrierForLosses, chooseCarrier } from './carrier.js';
import { Ledger } from './ledger.js';
import { FAREWELL_MS, Link } from './link.js';
import { DEFAULT_CONTROLS } from './protocol.js';
import { Sound } from './sound.js';
import { failure, failureOf, MOVES, Trouble } from './words.js';

/**
 * @typedef {import('./worklet.js').Report} Report
 * @typedef {import('./link.js').FinishedTake} FinishedTake
 * @typedef {import('./link.js').FromWorker} FromWorker
 * @typedef {import('./connection.js').ConnectionState} ConnectionState
 * @typedef {import('./protocol.js').Controls} Controls
 * @typedef {import('./words.js').Failure} Failure
 * @typedef {'idle' | 'opening' | ConnectionState['state']} SessionState
 * @typedef {object} Hooks
 * @property {(state: SessionState, failure: Failure | null, retryMs: number) => void} onState
 * @property {(notice: string) => void} onNotice something worth saying that does not end the session
 * @property {(code: string) => void} onRefused the server did not take a change
 * @property {(report: Report) => void} onReport 20 times a second while the audio runs
 * @property {(pitch: import('./protocol.js').ServerPitch) => void} onPitch positions as the worklet counts
 * @property {(start: import('./protocol.js').ServerStart) => void} [onStart] a session has begun, or goes on
 * @property {(take: FinishedTake) => void} onTake
 * @property {(seconds: number) => void} onRecording
 */

/** Sings through the server. */
export class Session {
  /**
   * @param {Hooks} hooks
   * @param {{ userId: string, converter: string | null, hint: import('./audio-graph.js').LatencyHint,
   *   transport: import('./carrier.js').Wanted }} options
   */
  constructor(hooks, options) {
    this.hooks = hooks;
    this.options = options;
    /** @type {SessionState} */
    this.state = 'idle';
    /** @type {Failure | null} */
    this.failure = null;
    this.voice = '';
    this.kind = ''; // of the voice: each is sung by a converter of its own, unless one is asked for
    /** @type {import('./protocol.js').Blend | null} */
    this.blend = null;
    /** @type {Controls} */
    this.controls = { ...DEFAULT_CONTROLS };
    this.sound = new Sound({
      onReport: (report, graph) => this.reported(report, graph),
      onNotice: hooks.onNotice,
      onUnplugged: () => this.end(failure('unplugged')),
    });
    this.ledger = new Ledger();
    /** @type {Link | null} */
    this.link = null;
    this.recording = false;
    this.refused = false; // the last change, by the server
    /** @type {import('./carrier.js').Carrier} */
    this.carrier = 'websocket';
    /** @type {Calls | null} */
    this.calls = null;
    this.run = 0;
  }

  get running() {
    return this.state !== 'idle' && this.state !== 'stopped';
  }

  /** Whether trying again at once may help. */
  get canRetry() {
    return this.state === 'waiting' || this.failure?.code === 'unreachable';
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
    this.ledger = new Ledger();
    this.sound.source.kind = kind;
    this.setState('opening');
    await this.attempt(async (current) => {
      if (!globalThis.isSecureContext) throw new Trouble('insecure');
      if (!('AudioWorkletNode' in globalThis)) throw new Trouble('unsupported');
      await this.sound.open(this.options.hint);
      const carrier = await chooseCarrier(this.options.transport);
      if (!current()) return;
      this.carrier = carrier;
      this.connect();
    });
  }

  /**
   * Do something that takes time. If it fails, the stay ends and says why, unless it is over anyway.
   * @param {(current: () => boolean) => Promise<void>} work checks `current` after all that it waited for
   */
  async attempt(work) {
    const current = this.current();
    try {
      await work(current);
    } catch (error) {
      if (current()) this.end(failureOf(error));
    }
  }

  /** Change the audio context without leaving the server. */
  async replaceGraph() {
    this.ledger.contextReplaced();
    await this.attempt(async (current) => {
      await this.sound.replaceGraph(this.options.hint);
      if (!current()) return;
      const port = this.sound.transportPort();
      this.link?.post({ type: 'attach', port }, [port]);
    });
  }

  /** Start the worker that talks to the server. */
  connect() {
    this.link = new Link(
      (data) => this.fromWorker(data),
      (trouble) => this.end(failureOf(trouble)),
    );
    const { link } = this;
    this.calls = new Calls(link, () => this.sound.captureTrack());
    const port = this.sound.transportPort();
    const url = new URL('/ws/live', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const { userId, converter } = this.options;
    const { voice, blend, controls } = this;
    const start = { voice, blend, user_id: userId, controls, ...(converter && { converter }) };
    const mayMove = this.options.transport === 'auto' ? carrierForLosses() : null;
    this.link.post({ type: 'open', url: url.href, carrier: this.carrier, mayMove, start, port }, [port]);
  }

  /** Stop singing. */
  stop() {
    this.end(null);
  }

  /** @param {Failure | null} why */
  end(why) {
    if (this.recording) this.record(false);
    this.run++;
    this.sound.close();
    this.link?.close(this.hooks.onTake);
    this.link = null;
    const { calls } = this;
    this.calls = null;
    setTimeout(() => calls?.close(), FAREWELL_MS);
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
        this.ledger.counts = counts;
        break;
      }
      case 'recording':
        this.hooks.onRecording(data.seconds);
        break;
      case 'unkept':
        this.hooks.onNotice('This browser has no room to keep the take as it comes: do not close the page before it is done.');
        break;
      case 'carrier':
        this.carrier = data.carrier;
        this.hooks.onNotice(MOVES[data.why] ?? '');
        break;
      case 'call':
        this.calls?.begin(data.call, data.carrier);
        break;
      case 'hang-up':
        this.calls?.end(data.call);
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
    this.ledger.heard(message);
    if (message.type === 'controls' && this.refused) {
      this.refused = false;
      this.hooks.onNotice('');
    }
    if (message.type === 'start') this.hooks.onStart?.(message);
    if (message.type === 'pitch') this.hooks.onPitch(message);
    if (message.type === 'error' && !message.fatal && this.state === 'live') {
      const words = failure(message.code, message.message, message.suggestions);
      this.hooks.onNotice(`${words.title}. ${words.advice}`);
      this.refused = true;
      this.hooks.onRefused(message.code);
    }
  }

  /**
   * @param {Report} raw what the context that runs counts
   * @param {import('./audio-graph.js').AudioGraph} graph
   */
  reported(raw, graph) {
    const report = this.ledger.reported(raw, graph.deviceUnderruns);
    const { underruns, late, delay } = report;
    this.link?.post({ type: 'figures', underruns, late, playout_delay: delay });
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
    this.link?.post({ type: 'controls', controls: change });
  }

  /**
   * Sing with another voice, now and at the next start.
   * @param {string} profileId
   * @param {string} kind of the voice, as its profile says
   * @returns {boolean} whether the session must begin anew for that: another converter sings it
   */
  setVoice(profileId, kind) {
    const another = this.running && this.options.converter === null && this.kind !== kind;
    this.voice = profileId;
    this.kind = kind;
    if (!another) this.link?.post({ type: 'controls', controls: { voice: profileId } });
    return another;
  }

  /** @param {import('./protocol.js').Blend | null} blend null ends it */
  setBlend(blend) {
    this.blend = blend;
    this.link?.post({ type: 'controls', controls: { blend } });
  }

  /** @param {string} deviceId empty for the system's default */
  async setMicrophone(deviceId) {
    await this.attempt(() => this.sound.setMicrophone(deviceId));
  }

  /** @param {import('./carrier.js').Wanted} transport from now on; `auto` decides at the next start */
  setTransport(transport) {
    this.options.transport = transport;
    if (transport !== 'auto' && canUse(transport)) {
      this.link?.post({ type: 'move', carrier: transport });
    }
  }

  /**
   * @param {boolean} on
   * @param {number | null} [from] worklet count of the take's first sample, which may lie ahead; null is now
   * @param {string | null} [keep] the name by which it is kept in the browser as it comes (take-store.js)
   */
  record(on, from = null, keep = null) {
    if (on && !this.link) return;
    this.recording = on;
    this.link?.post({ type: 'record', on, from, keep });
  }

  /**
   * What is captured from now on lies elsewhere in the take that is recorded.
   * @param {number} from worklet count of its first sample
   * @param {number} start worklet count that the take's first sample would have had
   */
  moveTake(from, start) {
    this.link?.post({ type: 'moveTake', from, start });
  }

  /** Do not wait for the next attempt to connect. */
  retry() {
    this.link?.post({ type: 'retry' });
  }
}
