/**
 * The dedicated worker that owns the socket. Audio comes from and goes to the worklet through a port of its
 * own, so that nothing on the main thread can delay it; the page only hears what it shows.
 *
 * Three counts of samples meet here: the worklet's (since it was made), this worker's timeline (which goes on
 * when the audio context is replaced), and the session's (from 0 at its start, over all lines that carry it).
 * @module
 */

import { Connection } from './connection.js';
import { Dialler } from './dialler.js';
import { SAMPLE_RATE } from './protocol.js';
import { Stalls } from './stalls.js';
import { Take } from './take.js';
import { Keeper, TakeStore } from './take-store.js';
import { USUAL_CODING } from './track-line.js';
import { Wishes } from './wishes.js';

const STATS_EVERY_MS = 1000;
const TAKE_TAIL_MS = 1500; // how long a closed take waits for what is still on its way

/**
 * @typedef {import('./protocol.js').ServerMessage} ServerMessage
 * @typedef {import('./connection.js').ConnectionState} ConnectionState
 * @typedef {import('./carrier.js').Carrier} Carrier
 * @typedef {import('./worker-messages.js').Start} Start
 * @typedef {import('./worker-messages.js').Change} Change
 * @typedef {import('./worker-messages.js').ToWorker} ToWorker
 * @typedef {import('./worker-messages.js').FromWorker} FromWorker
 * @typedef {import('./worker-messages.js').FromWorklet} FromWorklet
 * @typedef {import('./worker-messages.js').Transformer} Transformer
 */

const scope = /** @type {{ onmessage: ((event: MessageEvent<ToWorker>) => void) | null,
  onrtctransform: ((event: { transformer: Transformer }) => void) | null,
  postMessage(message: FromWorker, transfer?: Transferable[]): void, close(): void }} */ (
  /** @type {unknown} */ (self)
);

/** Everything of one stay on the page, from Start to Stop. */
class Transport {
  /**
   * @param {string} url of the WebSocket
   * @param {Carrier} carrier
   * @param {Carrier | null} mayMove where to go, should the line stand still too often
   * @param {Start} start
   * @param {MessagePort} port
   */
  constructor(url, carrier, mayMove, start, port) {
    this.mayMove = mayMove;
    this.stalls = new Stalls();
    this.wishes = new Wishes(start);
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
    /** @type {Keeper | null} */
    this.keeper = null;
    /** @type {{ block: number, algorithm: number, coding: number } | null} */
    this.path = null;
    /** @type {import('./protocol.js').ServerStats | null} */
    this.stats = null;
    this.port = port;
    this.dialler = new Dialler(url, {
      post: (message) => scope.postMessage(message),
      playMark: () => this.port.postMessage({ type: 'mark' }),
      captured: () => this.end - this.base,
      place: () => this.end - (this.origin ??= this.end),
    });
    this.connection = new Connection(
      (kind) => this.dialler.dial(kind),
      {
        request: () => this.wishes.ask(),
        onState: (state) => this.stateChanged(state),
        onMessage: (message) => this.incoming(message),
        onCarrier: (kind, why) => {
          this.stalls.clear();
          scope.postMessage({ type: 'carrier', carrier: kind, why });
        },
      },
      carrier,
    );
    this.attach(port);
    this.clock = setInterval(() => this.tick(), STATS_EVERY_MS);
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
    port.onmessage = (/** @type {MessageEvent<FromWorklet>} */ { data }) => {
      if ('mark' in data) this.dialler.markPlayed(data.mark);
      else this.captured(data.position, data.pcm);
    };
    this.connection.trackReplaced();
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
    this.origin ??= position;
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
          this.connection.setCarrier(this.mayMove, 'stalls');
          this.mayMove = null;
        }
        const position = message.position + this.origin;
        const pcm = new Int16Array(message.pcm.slice().buffer);
        this.take?.heard(position, pcm);
        if (this.take?.complete) this.finishTake();
        const parts = this.partsOf(message);
        this.port.postMessage({ type: 'frame', position: position - this.base, pcm, parts }, [pcm.buffer]);
        return;
      }
      case 'pitch':
        if (this.origin === null) return;
        scope.postMessage({
          type: 'message',
          message: { ...message, position: message.position + this.origin - this.base, origin: this.origin - this.base },
        });
        return;
      case 'start': {
        const resumed = message.resumed ?? false;
        if (!resumed) {
          if (!message.track) this.origin = null; // a track's was told with what asked for the session
          this.sequence = 0;
        }
        this.starts++;
        this.send(this.wishes.unknown(resumed ? message : undefined));
        const coding = this.connection.socket?.carriesTrack ? USUAL_CODING : 0;
        this.path = { block: message.block, algorithm: message.delay, coding };
        this.port.postMessage({ type: 'live', resumed, ...this.path });
        break;
      }
      case 'stats':
        this.stats = message;
        if (typeof message.t === 'number') this.roundTripMs = performance.now() - message.t;
        break;
    }
    scope.postMessage({ type: 'message', message });
  }

  /**
   * What of a frame's way is known here.
   * @param {import('./protocol.js').ServerAudio} frame
   * @returns {{ server: number, coding: number, jitter: number }} samples
   */
  partsOf(frame) {
    const { socket: line } = this.connection;
    const waitedMs = (this.stats?.network?.waited_ms ?? 0) + (line?.waitedMs ?? 0);
    // packets of a track have no room for how long their frame was held
    const heldMs = line?.carriesTrack ? (this.stats?.added_p50_ms ?? 0) : frame.held_us / 1000;
    const samples = SAMPLE_RATE / 1000;
    return { server: heldMs * samples, coding: line?.codingSamples ?? 0, jitter: waitedMs * samples };
  }

  /** @param {Change} change of how it sounds, now and in the sessions to come */
  change(change) {
    this.wishes.change(change);
    if (this.connection.live) this.send(change);
  }

  /** @param {Change | null} change */
  send(change) {
    if (change) this.connection.send({ type: 'controls', ...change });
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
    if (!this.take) return;
    scope.postMessage({ type: 'recording', seconds: this.take.captured / SAMPLE_RATE });
    void this.keeper?.keep(this.take);
  }

  /**
   * @param {boolean} on
   * @param {number | null} [from] worklet count of the take's first sample, which may lie ahead; null is now
   * @param {string | null} [keep] the name by which it is kept in the browser as it comes; null: it is not
   */
  record(on, from = null, keep = null) {
    if (on && !this.take) {
      this.take = new Take(from === null ? this.end : from + this.base);
      const lost = (/** @type {string} */ problem) => scope.postMessage({ type: 'unkept', problem });
      this.keeper = keep === null ? null : new Keeper(new TakeStore(), keep, lost);
    } else if (!on && this.take && this.take.end === null) {
      this.take.close();
      if (this.connection.live) this.takeTimer = setTimeout(() => this.finishTake(), TAKE_TAIL_MS);
      else this.finishTake();
    }
  }

  /**
   * @param {number} from worklet count of the first sample that lies elsewhere in the take
   * @param {number} start worklet count that the take's first sample would have had
   */
  moveTake(from, start) {
    this.take?.move(from + this.base, start + this.base);
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
      transport?.record(data.on, data.from, data.keep);
      break;
    case 'moveTake':
      transport?.moveTake(data.from, data.start);
      break;
    case 'move':
      if (!transport) break;
      transport.mayMove = null;
      transport.connection.setCarrier(data.carrier, 'asked');
      break;
    case 'channels':
      transport?.dialler.made(data.call, data.channels);
      break;
    case 'uncalled':
      transport?.dialler.lost(data.call);
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

scope.onrtctransform = (/** @type {{ transformer: Transformer }} */ event) => transport?.dialler.transform(event.transformer);
