/**
 * The dedicated worker that owns the line to a room: voices go to the worklet by a port of their own, the rest to
 * the page. It comes back by itself when the line is lost, and keeps the server's time.
 * @module
 */

import { decode, encode } from '../msgpack.js';

const BACKOFF_MS = [300, 1000, 2000, 4000];
const SILENCE_MS = 8000; // the server answers each ping: this long without a word is a lost line
const PINGS_AT_ONCE = 8;
const PING_SOON_MS = 150;
const PING_MS = 2500;
const CLOCK_PINGS = 24; // the quickest of the last ones tells the time
const PITCHES_AT_ONCE = 5;

/**
 * @typedef {{ type: string } & Record<string, any>} Message
 * @typedef {{ type: 'open', url: string, join: Record<string, unknown> } | { type: 'send', message: Message }
 *   | { type: 'attach', port: MessagePort } | { type: 'close' }} ToRoomWorker
 * @typedef {{ singer: number, position: number, hop: number, f0_hz: number[] }} SungPitch position in the song
 * @typedef {{ type: 'message', message: Message } | { type: 'pitch', pitch: SungPitch }
 *   | { type: 'clock', offsetMs: number, roundTripMs: number } | { type: 'line', up: boolean, attempt: number }
 *   } FromRoomWorker `offsetMs` is the server's time less this browser's (`performance.timeOrigin + now()`)
 */

const scope = /** @type {{ onmessage: ((event: MessageEvent<ToRoomWorker>) => void) | null,
  postMessage(message: FromRoomWorker): void }} */ (/** @type {unknown} */ (self));

const now = () => performance.timeOrigin + performance.now();

/** One member's line. */
class Line {
  /** @param {string} url @param {Record<string, unknown>} join */
  constructor(url, join) {
    this.url = url;
    this.join = join;
    this.wanted = true;
    this.attempt = 0;
    this.refused = false;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {MessagePort | null} */
    this.port = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.heardAt = 0;
    /** @type {{ offsetMs: number, roundTripMs: number }[]} */
    this.pings = [];
    this.pinged = 0;
    /** @type {Map<number, SungPitch>} */
    this.pitches = new Map();
    this.connect();
  }

  connect() {
    const socket = new WebSocket(this.url);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    socket.onopen = () => {
      this.heardAt = now();
      this.send({ type: 'join', version: 1, ...this.join });
    };
    socket.onmessage = ({ data }) => {
      if (this.socket === socket && data instanceof ArrayBuffer) this.received(/** @type {Message} */ (decode(data)));
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  lost() {
    clearTimeout(this.timer);
    this.socket = null;
    if (!this.wanted || this.refused) return;
    scope.postMessage({ type: 'line', up: false, attempt: this.attempt });
    this.timer = setTimeout(() => this.connect(), BACKOFF_MS[Math.min(this.attempt++, BACKOFF_MS.length - 1)]);
  }

  /** @param {Message} message */
  received(message) {
    this.heardAt = now();
    switch (message.type) {
      case 'audio':
        this.heard(message);
        return;
      case 'pong':
        this.told(message);
        break;
      case 'joined':
        this.join.token = message.token;
        this.attempt = 0;
        this.pings = [];
        this.pinged = 0;
        scope.postMessage({ type: 'line', up: true, attempt: 0 });
        this.ping();
        break;
      case 'error':
        this.refused ||= Boolean(message.fatal);
        break;
      case 'closed':
        this.refused = true;
        break;
    }
    scope.postMessage({ type: 'message', message });
  }

  /** @param {Message} message */
  heard({ singer, position, pcm, f0_position, hop, f0_hz }) {
    const samples = new Int16Array(pcm.slice().buffer);
    this.port?.postMessage({ singer, position, pcm: samples }, [samples.buffer]);
    let sung = this.pitches.get(singer);
    if (sung && (sung.position + sung.f0_hz.length * sung.hop !== f0_position || sung.hop !== hop)) {
      scope.postMessage({ type: 'pitch', pitch: sung });
      sung = undefined;
    }
    if (sung) sung.f0_hz.push(...f0_hz);
    else sung = { singer, position: f0_position, hop, f0_hz };
    if (sung.f0_hz.length < PITCHES_AT_ONCE) {
      this.pitches.set(singer, sung);
      return;
    }
    this.pitches.delete(singer);
    scope.postMessage({ type: 'pitch', pitch: sung });
  }

  /** Ask for the time, and be seen to be there. */
  ping() {
    clearTimeout(this.timer);
    if (!this.socket) return;
    if (now() - this.heardAt > SILENCE_MS) {
      this.socket.close();
      this.lost(); // a dead line may take long to close
      return;
    }
    this.send({ type: 'ping', t: now() });
    this.timer = setTimeout(() => this.ping(), ++this.pinged < PINGS_AT_ONCE ? PING_SOON_MS : PING_MS);
  }

  /** @param {Message} pong */
  told({ t, now_ms }) {
    const roundTripMs = now() - t;
    this.pings.push({ roundTripMs, offsetMs: now_ms - (t + roundTripMs / 2) });
    if (this.pings.length > CLOCK_PINGS) this.pings.shift();
    const best = this.pings.reduce((a, b) => (b.roundTripMs < a.roundTripMs ? b : a));
    scope.postMessage({ type: 'clock', ...best });
  }

  /** @param {Message} message */
  send(message) {
    if (this.socket?.readyState === 1) this.socket.send(encode(message));
  }

  close() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.send({ type: 'leave' });
    this.socket?.close();
  }
}

/** @type {Line | null} */
let line = null;

scope.onmessage = (/** @type {MessageEvent<ToRoomWorker>} */ { data }) => {
  if (data.type === 'open') line = new Line(data.url, data.join);
  else if (data.type === 'send') line?.send(data.message);
  else if (data.type === 'attach' && line) line.port = data.port;
  else if (data.type === 'close') line?.close();
};
