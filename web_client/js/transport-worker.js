/**
 * The dedicated worker that owns the socket. Audio comes from and goes to the worklet through a port of its
 * own, so that nothing on the main thread can delay it; the page only hears what it shows.
 *
 * Three counts of samples meet here: the worklet's (since it was made), this worker's timeline (which goes on
 * when the audio context is replaced), and the session's (from 0 at its start, over all lines that carry it).
 * @module
 */

import { Connection } from './connection.js';
import { ChannelLine, socketLine } from './lines.js';
import { SAMPLE_RATE } from './protocol.js';
import { Stalls } from './stalls.js';
import { Take } from './take.js';

const STATS_EVERY_MS = 1000;
const TAKE_TAIL_MS = 1500; // how long a closed take waits for what is still on its way

/**
 * @typedef {import('./protocol.js').ServerMessage} ServerMessage
 * @typedef {import('./protocol.js').Controls} Controls
 * @typedef {import('./connection.js').ConnectionState} ConnectionState
 * @typedef {import('./protocol.js').Blend} Blend
 * @typedef {{ voice: string, blend: Blend | null, user_id: string, converter: string, controls: Controls }} Start
 * @typedef {Partial<Controls> & { voice?: string, blend?: Blend | null }} Change
 * @typedef {import('./carrier.js').Carrier} Carrier
 * @typedef {{ type: 'open', url: string, carrier: Carrier, mayMove: boolean, start: Start, port: MessagePort }
 *   | { type: 'move', carrier: Carrier }
 *   | { type: 'channels', call: number, control: RTCDataChannel, audio: RTCDataChannel }
 *   | { type: 'uncalled', call: number }
 *   | { type: 'attach', port: MessagePort }
 *   | { type: 'controls', controls: Change }
 *   | { type: 'figures', underruns: number, late: number, playout_delay: number }
 *   | { type: 'record', on: boolean }
 *   | { type: 'retry' }
 *   | { type: 'close' }} ToWorker
 * @typedef {{ type: 'state', state: ConnectionState }
 *   | { type: 'message', message: ServerMessage }
 *   | { type: 'counts', sent: number, received: number, skipped: number, roundTripMs: number | null,
 *       reconnections: number }
 *   | { type: 'take', dry: Int16Array<ArrayBuffer>, wet: Int16Array<ArrayBuffer>, missing: number,
 *       sampleRate: number }
 *   | { type: 'recording', seconds: number }
 *   | { type: 'carrier', carrier: Carrier, why: string }
 *   | { type: 'call', call: number }
 *   | { type: 'hang-up', call: number }} FromWorker
 */

const scope = /** @type {{ onmessage: ((event: MessageEvent<ToWorker>) => void) | null,
  postMessage(message: FromWorker, transfer?: Transferable[]): void, close(): void }} */ (
  /** @type {unknown} */ (self)
);

/**
 * @param {Pick<Start, 'voice' | 'blend'> & { controls: Partial<Controls> }} start
 * @returns {Record<string, unknown>} all of it that can change, as a `controls` message has it
 */
const flat = ({ voice, blend, controls }) => ({ voice, blend, ...controls });

/** @param {unknown} a @param {unknown} b both of a `controls` message */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Everything of one stay on the page, from Start to Stop. */
class Transport {
  /**
   * @param {string} url of the WebSocket
   * @param {Carrier} carrier
   * @param {boolean} mayMove to data channels, should the WebSocket stand still too often
   * @param {Start} start
   * @param {MessagePort} port
   */
  constructor(url, carrier, mayMove, start, port) {
    this.url = url;
    this.mayMove = mayMove;
    this.stalls = new Stalls();
    /** @type {ChannelLine | null} */
    this.channels = null;
    this.calls = 0;
    this.wanted = start; // now ...
    this.asked = start; // ... and what the server was asked for when the session began
    this.base = 0; // worklet count + base = timeline
    this.end = 0; // timeline of the next captured sample
    /** @type {number | null} Timeline of the session's sample 0. */
    this.origin = null;
    this.sequence = 0;
    this.sent = 0;
    this.received = 0;
    this.starts = 0; // of sessions, and of lines that carry one on
    /** @type {number | null} */
    this.roundTripMs = null;
    this.figures = { underruns: 0, late: 0, playout_delay: 0 };
    /** @type {Take | null} */
    this.take = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.takeTimer = undefined;
    /** @type {{ block: number, algorithm: number } | null} */
    this.path = null;
    this.port = port;
    this.attach(port);
    this.connection = new Connection(
      (kind) => this.dial(kind),
      {
        request: () => (this.asked = this.wanted),
        onState: (state) => this.stateChanged(state),
        onMessage: (message) => this.incoming(message),
        onCarrier: (kind, why) => {
          this.stalls.clear();
          scope.postMessage({ type: 'carrier', carrier: kind, why });
        },
      },
      carrier,
    );
    this.clock = setInterval(() => this.tick(), STATS_EVERY_MS);
  }

  /**
   * @param {Carrier} carrier
   * @returns {import('./lines.js').Line}
   */
  dial(carrier) {
    if (carrier !== 'data') return socketLine(this.url);
    const call = ++this.calls;
    this.channels = new ChannelLine(() => scope.postMessage({ type: 'hang-up', call }));
    scope.postMessage({ type: 'call', call }); // only the page can make a peer connection
    return this.channels;
  }

  /**
   * Take the place of the worklet that was there before; the timeline goes on.
   * @param {MessagePort} port
   */
  attach(port) {
    if (this.port !== port) this.port.close();
    this.port = port;
    this.base = this.end;
    this.stalls.clear(); // a change of context holds everything up
    port.onmessage = (event) => this.captured(event.data.position, event.data.pcm);
    if (this.path) port.postMessage({ type: 'live', resumed: false, ...this.path });
  }

  /**
   * The worklet captured a frame.
   * @param {number} count its first sample, as the worklet counts
   * @param {Int16Array<ArrayBuffer>} pcm
   */
  captured(count, pcm) {
    const position = count + this.base;
    this.end = position + pcm.length;
    this.take?.sung(position, pcm);
    if (this.take?.full) this.record(false);
    if (!this.connection.live) return;
    if (this.origin === null) this.origin = position;
    const bytes = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    const seq = this.sequence;
    if (this.connection.sendAudio({ type: 'audio', seq, position: position - this.origin, pcm: bytes })) {
      this.sequence++;
      this.sent++;
    }
  }

  /** @param {ServerMessage} message */
  incoming(message) {
    switch (message.type) {
      case 'audio': {
        if (this.origin === null) return;
        this.received++;
        if (this.mayMove && this.stalls.heard(performance.now())) {
          this.mayMove = false;
          this.connection.setCarrier('data', 'stalls');
        }
        const position = message.position + this.origin;
        const pcm = new Int16Array(message.pcm.slice().buffer);
        this.take?.heard(position, pcm);
        if (this.take?.complete) this.finishTake();
        const held = (message.held_us * SAMPLE_RATE) / 1e6;
        this.port.postMessage({ type: 'frame', position: position - this.base, pcm, held }, [pcm.buffer]);
        return;
      }
      case 'pitch':
        if (this.origin === null) return;
        scope.postMessage({
          type: 'message',
          message: { ...message, position: message.position + this.origin - this.base },
        });
        return;
      case 'start': {
        const resumed = message.resumed ?? false;
        if (!resumed) {
          this.origin = null;
          this.sequence = 0;
        }
        this.starts++;
        this.sendChanges(resumed ? message : this.asked);
        this.path = { block: message.block, algorithm: message.delay };
        this.port.postMessage({ type: 'live', resumed, ...this.path });
        break;
      }
      case 'stats':
        if (typeof message.t === 'number') this.roundTripMs = performance.now() - message.t;
        break;
    }
    scope.postMessage({ type: 'message', message });
  }

  /** @param {Change} change of how it sounds, now and in the sessions to come */
  change(change) {
    const { voice = this.wanted.voice, blend = this.wanted.blend, ...controls } = change;
    this.wanted = { ...this.wanted, voice, blend, controls: { ...this.wanted.controls, ...controls } };
    if (this.connection.live) this.connection.send({ type: 'controls', ...change });
  }

  /**
   * Catch up on what was set while the server was still making the session, or was not reached.
   * @param {Pick<Start, 'voice' | 'blend'> & { controls: Partial<Controls> }} known to the server
   */
  sendChanges(known) {
    const before = flat(known);
    const changes = Object.entries(flat(this.wanted)).filter(([name, value]) => !same(value, before[name]));
    if (changes.length) this.connection.send({ type: 'controls', ...Object.fromEntries(changes) });
  }

  /** @param {ConnectionState} state */
  stateChanged(state) {
    this.stalls.clear();
    if (state.state !== 'live') {
      this.path = null;
      this.port.postMessage({ type: 'rest' });
    }
    if (state.state === 'stopped' && this.take) this.finishTake();
    scope.postMessage({ type: 'state', state });
  }

  tick() {
    if (this.connection.live) this.connection.send({ type: 'stats', t: performance.now(), ...this.figures });
    const reconnections = Math.max(0, this.starts - 1 - this.connection.moves);
    const { sent, received, roundTripMs } = this;
    const { skipped } = this.connection;
    scope.postMessage({ type: 'counts', sent, received, skipped, roundTripMs, reconnections });
    if (this.take) scope.postMessage({ type: 'recording', seconds: this.take.captured / SAMPLE_RATE });
  }

  /** @param {boolean} on */
  record(on) {
    if (on && !this.take) this.take = new Take(this.end);
    else if (!on && this.take && this.take.end === null) {
      this.take.close();
      if (this.connection.live) this.takeTimer = setTimeout(() => this.finishTake(), TAKE_TAIL_MS);
      else this.finishTake();
    }
  }

  finishTake() {
    clearTimeout(this.takeTimer);
    const take = this.take;
    this.take = null;
    if (!take) return;
    const { dry, wet } = take.read();
    const { missing } = take;
    const message = /** @type {const} */ ({ type: 'take', dry, wet, missing, sampleRate: SAMPLE_RATE });
    scope.postMessage(message, [dry.buffer, wet.buffer]);
  }

  close() {
    clearInterval(this.clock);
    this.connection.close();
    this.port.close();
  }
}

/** @type {Transport | null} */
let transport = null;

scope.onmessage = (/** @type {MessageEvent<ToWorker>} */ { data }) => {
  switch (data.type) {
    case 'open':
      transport?.close();
      transport = new Transport(data.url, data.carrier, data.mayMove, data.start, data.port);
      transport.connection.open();
      break;
    case 'attach':
      transport?.attach(data.port);
      break;
    case 'controls':
      transport?.change(data.controls);
      break;
    case 'figures':
      if (transport) {
        const { underruns, late, playout_delay } = data;
        transport.figures = { underruns, late, playout_delay };
      }
      break;
    case 'record':
      transport?.record(data.on);
      break;
    case 'move':
      if (!transport) break;
      transport.mayMove = false;
      transport.connection.setCarrier(data.carrier, 'asked');
      break;
    case 'channels':
      if (transport?.calls === data.call) transport.channels?.take(data.control, data.audio);
      break;
    case 'uncalled':
      if (transport?.calls === data.call) transport.channels?.lost();
      break;
    case 'retry':
      transport?.connection.retry();
      break;
    case 'close':
      transport?.close();
      transport = null;
      break;
  }
};
