/**
 * One live connection that keeps itself up: greets, starts, notices when it is lost, and comes back, to the same
 * session if the server still has it.
 * @module
 */

import { Move } from './move.js';
import { HELLO, readMessage, writeMessage } from './protocol.js';

const STEP_TIMEOUT_MS = 10_000; // for each of hello and start, as in the protocol
const SILENCE_TIMEOUT_MS = 5_000; // the server speaks twice a second: this long without a word is a lost line
const BACKOFF_MS = [300, 1000, 2000, 4000, 8000];
const FULL = new Set(['server_full', 'too_many_sessions']);
const FULL_RETRY_MS = 10_000;
/** Unsent audio beyond this many bytes is not added to: late audio is worth nothing. */
const MAX_UNSENT_BYTES = 8192;
const STRAGGLERS_MS = 1000; // for what was rendered before a session left a line
/** Errors after which trying again cannot help. */
const FINAL_ERRORS = new Set(['unsupported_version', 'voice_not_found', 'voice_not_ready', 'invalid_parameter', 'malformed_message']);

/**
 * @typedef {import('./protocol.js').ServerMessage} ServerMessage
 * @typedef {import('./lines.js').Line} Line
 * @typedef {import('./carrier.js').Carrier} Carrier
 * @typedef {import('./protocol.js').ServerError} ServerError
 * @typedef {{ state: 'connecting' | 'greeting' | 'live' | 'waiting' | 'stopped', retryMs?: number,
 *   attempt?: number, error?: { code: string, message: string, suggestions: string[] } }} ConnectionState
 */

/** A connection to the live endpoint. */
export class Connection {
  /**
   * @param {(carrier: Carrier) => Line} dial begins a new line to the live endpoint
   * @param {object} hooks
   * @param {() => Record<string, unknown>} hooks.request the fields of `start`, asked for at every attempt
   * @param {(state: ConnectionState) => void} hooks.onState
   * @param {(message: ServerMessage) => void} hooks.onMessage everything but the greeting
   * @param {(carrier: Carrier, why: string) => void} hooks.onCarrier it goes another way now: as `setCarrier`
   *   said, or 'blocked': the one that was wanted does not get through
   * @param {Carrier} [carrier] how to go
   */
  constructor(dial, hooks, carrier = 'websocket') {
    this.dial = dial;
    this.hooks = hooks;
    this.target = carrier; // the kind of line that is wanted ...
    this.why = ''; // ... and why
    /** @type {Line | null} */
    this.socket = null;
    this.opened = false; // whether `socket` was ever open
    /** @type {Move | null} */
    this.moving = null;
    this.moves = 0;
    this.live = false;
    this.wanted = false;
    this.attempt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {ServerError | null} */
    this.error = null;
    /** @type {string | null} What the server knows the session by that is to go on. */
    this.token = null;
    /** Frames that were not sent because the line was congested. */
    this.skipped = 0;
  }

  /** Connect, and stay connected until `close`. */
  open() {
    this.wanted = true;
    this.attempt = 0;
    this.token = null;
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.error = null;
    this.hooks.onState({ state: 'connecting', attempt: this.attempt });
    const socket = this.dial(this.target);
    this.opened = false;
    this.adopt(socket);
    this.expect(STEP_TIMEOUT_MS);
    socket.onopen = () => {
      this.opened = true;
      this.send(HELLO);
      this.expect(STEP_TIMEOUT_MS);
    };
  }

  /** @param {Line} socket the line from now on */
  adopt(socket) {
    this.socket = socket;
    socket.onmessage = (event) => {
      if (this.socket === socket) this.receive(event.data);
    };
    socket.onaudio = (frame) => this.hooks.onMessage(frame);
    socket.onclose = () => {
      if (this.socket === socket && !this.moving?.asked) this.lost(); // the new line may have the session already
    };
  }

  /**
   * Go by another kind of line from now on. While a session runs, it moves there without a break.
   * @param {Carrier} carrier
   * @param {string} why
   */
  setCarrier(carrier, why) {
    this.target = carrier;
    this.why = why;
    this.reconcile();
  }

  /** What is captured goes another way into a track from now on: one that is in use must find its place anew. */
  trackReplaced() {
    for (const line of [this.socket, this.moving?.line]) if (line?.carriesTrack) line.stale = true;
    this.reconcile();
  }

  /** Move the session to the kind of line that is wanted, if it is on another one. */
  reconcile() {
    if (!this.live || !this.token || this.moving) return;
    if (this.socket?.carrier === this.target && !this.socket.stale) return;
    const line = this.dial(this.target);
    this.moving = new Move(line, {
      request: () => ({ ...this.hooks.request(), ...line.startFields?.(), resume: this.token }),
      onTaken: (data) => {
        const before = this.socket;
        this.moving = null;
        this.moves++;
        this.opened = true;
        this.adopt(line);
        if (before) this.leave(before);
        this.receive(data);
        this.hooks.onCarrier(line.carrier, this.why);
        this.reconcile(); // another one may be wanted by now
      },
      onFailed: () => {
        if (this.moving?.line !== line) return;
        this.moving = null;
        if (this.socket?.readyState === 1) {
          this.target = this.socket.carrier;
          this.hooks.onCarrier(this.target, 'blocked');
        } else if (this.live) {
          this.lost();
        }
      },
    });
  }

  /**
   * The server hangs up on a line that the session has left; what it rendered until then still comes.
   * @param {Line} line
   */
  leave(line) {
    line.onclose = null; // `onaudio` goes on as it is
    line.onmessage = ({ data }) => {
      const message = readMessage(data);
      if (message.type === 'audio') this.hooks.onMessage(message);
    };
    setTimeout(() => line.close(), STRAGGLERS_MS);
  }

  /**
   * Unless something is heard within this time, the line is lost.
   * @param {number} ms
   */
  expect(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const socket = this.socket;
      this.lost();
      socket?.close();
    }, ms);
  }

  /** @param {unknown} data */
  receive(data) {
    if (!(data instanceof ArrayBuffer)) return;
    let message;
    try {
      message = readMessage(data);
    } catch (error) {
      this.fail('malformed_message', error instanceof Error ? error.message : String(error));
      return;
    }
    if (this.live) this.expect(SILENCE_TIMEOUT_MS);
    switch (message.type) {
      case 'hello':
        this.hooks.onMessage(message);
        this.hooks.onState({ state: 'greeting', attempt: this.attempt });
        this.send({
          type: 'start',
          ...this.hooks.request(),
          ...this.socket?.startFields?.(),
          ...(this.token && { resume: this.token }),
        });
        this.expect(STEP_TIMEOUT_MS);
        return;
      case 'start':
        this.live = true;
        this.attempt = 0;
        this.token = message.token ?? null;
        this.socket?.started?.(message);
        this.hooks.onMessage(message);
        this.hooks.onState({ state: 'live' });
        this.expect(SILENCE_TIMEOUT_MS);
        this.reconcile();
        return;
      case 'error':
        if (message.fatal || !this.live) {
          this.error = message;
          if (!message.fatal) this.socket?.close();
        }
        this.hooks.onMessage(message);
        return;
      case 'stop':
        this.token = null;
        this.socket?.close();
        return;
      default:
        this.hooks.onMessage(message);
    }
  }

  /**
   * Give up because of something that the server said.
   * @param {string} code
   * @param {string} message
   */
  fail(code, message) {
    this.error = { type: 'error', code, message, suggestions: [], fatal: true };
    this.socket?.close();
  }

  /** @param {{ type: string } & Record<string, unknown>} message */
  send(message) {
    if (this.socket?.readyState === 1) this.socket.send(writeMessage(message));
  }

  /**
   * Send audio, unless the line is congested.
   * @param {{ type: string } & Record<string, unknown>} message
   * @returns {boolean} whether it was sent
   */
  sendAudio(message) {
    const another = this.moving?.asked ? this.moving.line : null;
    const lines = this.live ? [this.socket, another].filter((line) => line?.readyState === 1) : [];
    if (!lines.length) return false;
    if (lines.every((line) => line?.carriesTrack)) return true; // the browser sends it
    const data = writeMessage(message);
    const free = lines.filter((line) => line && line.bufferedAmount <= MAX_UNSENT_BYTES);
    for (const line of free) line?.sendAudio(data);
    if (!free.length) this.skipped++;
    return free.length > 0;
  }

  /** The socket is gone: wait a little longer each time, then try again. */
  lost() {
    clearTimeout(this.timer);
    const blocked = this.wanted && !this.opened && !this.error && this.socket?.carrier !== 'websocket';
    this.socket = null;
    this.live = false;
    const { moving } = this;
    this.moving = null;
    moving?.line.close();
    if (blocked) {
      this.target = 'websocket'; // WebRTC does not get through here
      this.hooks.onCarrier(this.target, 'blocked');
      this.connect();
      return;
    }
    const error = /** @type {ServerError | null} */ (this.error) ?? undefined;
    if (!this.wanted || (error && FINAL_ERRORS.has(error.code))) {
      this.wanted = false;
      this.hooks.onState({ state: 'stopped', error });
      return;
    }
    const steps = BACKOFF_MS[Math.min(this.attempt, BACKOFF_MS.length - 1)];
    const retryMs = FULL.has(error?.code ?? '') ? FULL_RETRY_MS : Math.round(steps * (0.8 + 0.4 * Math.random()));
    this.attempt++;
    this.timer = setTimeout(() => this.connect(), retryMs);
    this.hooks.onState({ state: 'waiting', retryMs, attempt: this.attempt, error });
  }

  /** Try again now rather than when the wait is over. */
  retry() {
    if (this.wanted && this.socket === null) this.connect();
  }

  /** Say goodbye and stay away. */
  close() {
    this.wanted = false;
    this.error = null;
    this.token = null;
    clearTimeout(this.timer);
    for (const line of [this.socket, this.moving?.line]) {
      if (line?.readyState === 1) line.send(writeMessage({ type: 'stop', reason: 'user' })); // whichever has it
      line?.close();
    }
    this.lost();
  }
}
