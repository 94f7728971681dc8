/**
 * One live connection that keeps itself up: greets, starts, notices when it is lost, and comes back, to the same
 * session if the server still has it.
 * @module
 */

import { readMessage, VERSION, writeMessage } from './protocol.js';

const STEP_TIMEOUT_MS = 10_000; // for each of hello and start, as in the protocol
const SILENCE_TIMEOUT_MS = 5_000; // the server speaks twice a second: this long without a word is a lost line
const BACKOFF_MS = [300, 1000, 2000, 4000, 8000];
const FULL_RETRY_MS = 10_000;
/** Unsent audio beyond this many bytes is not added to: late audio is worth nothing. */
const MAX_UNSENT_BYTES = 8192;
const HELLO = { type: 'hello', version: VERSION, client: 'autovoice web' };
/** Errors after which trying again cannot help. */
const FINAL_ERRORS = new Set(['unsupported_version', 'voice_not_found', 'invalid_parameter', 'malformed_message']);

/**
 * @typedef {import('./protocol.js').ServerMessage} ServerMessage
 * @typedef {import('./protocol.js').ServerError} ServerError
 * @typedef {{ state: 'connecting' | 'greeting' | 'live' | 'waiting' | 'stopped', retryMs?: number,
 *   attempt?: number, error?: { code: string, message: string, suggestions: string[] } }} ConnectionState
 */

/** A connection to the live endpoint. */
export class Connection {
  /**
   * @param {() => import('./lines.js').Line} dial begins a new line to the live endpoint
   * @param {object} hooks
   * @param {() => Record<string, unknown>} hooks.request the fields of `start`, asked for at every attempt
   * @param {(state: ConnectionState) => void} hooks.onState
   * @param {(message: ServerMessage) => void} hooks.onMessage everything but the greeting
   */
  constructor(dial, hooks) {
    this.dial = dial;
    this.hooks = hooks;
    /** @type {import('./lines.js').Line | null} */
    this.socket = null;
    /** @type {import('./lines.js').Line | null} A line that is to take the place of `socket`. */
    this.moving = null;
    /** @type {import('./lines.js').Line | null} The same, once it may have taken the session over. */
    this.both = null;
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
    const socket = this.dial();
    this.adopt(socket);
    this.expect(STEP_TIMEOUT_MS);
    socket.onopen = () => {
      this.send(HELLO);
      this.expect(STEP_TIMEOUT_MS);
    };
  }

  /** @param {import('./lines.js').Line} socket the line from now on */
  adopt(socket) {
    this.socket = socket;
    socket.onmessage = (event) => {
      if (this.socket === socket) this.receive(event.data);
    };
    socket.onclose = () => {
      if (this.socket === socket && !this.both) this.lost(); // the other line may have the session already
    };
  }

  /** Go on over a new line; the one at hand serves until that has the session. If it never has, nothing changes. */
  move() {
    if (!this.live || !this.token || this.moving) return;
    const line = this.dial();
    this.moving = line;
    const over = setTimeout(() => line.close(), STEP_TIMEOUT_MS);
    line.onopen = () => line.send(writeMessage(HELLO));
    line.onclose = () => {
      clearTimeout(over);
      if (this.moving === line) this.moving = this.both = null;
      if (this.live && this.socket?.readyState !== 1) this.lost();
    };
    line.onmessage = ({ data }) => {
      const { type } = readMessage(data);
      if (!this.live || type === 'error') {
        line.close();
      } else if (type === 'hello') {
        line.send(writeMessage({ type: 'start', ...this.hooks.request(), resume: this.token }));
        this.both = line; // so that nothing is lost, whenever it takes the session over
      } else if (type === 'start') {
        const before = this.socket;
        clearTimeout(over);
        this.moving = this.both = null;
        this.moves++;
        this.adopt(line);
        before?.close();
        this.receive(data);
      }
    };
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
        this.send({ type: 'start', ...this.hooks.request(), ...(this.token && { resume: this.token }) });
        this.expect(STEP_TIMEOUT_MS);
        return;
      case 'start':
        this.live = true;
        this.attempt = 0;
        this.token = message.token ?? null;
        this.hooks.onMessage(message);
        this.hooks.onState({ state: 'live' });
        this.expect(SILENCE_TIMEOUT_MS);
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
    const lines = this.live ? [this.socket, this.both].filter((line) => line?.readyState === 1) : [];
    if (!lines.length) return false;
    const data = writeMessage(message);
    const free = lines.filter((line) => line && line.bufferedAmount <= MAX_UNSENT_BYTES);
    for (const line of free) line?.sendAudio(data);
    if (!free.length) this.skipped++;
    return free.length > 0;
  }

  /** The socket is gone: wait a little longer each time, then try again. */
  lost() {
    clearTimeout(this.timer);
    this.socket = null;
    this.live = false;
    const error = /** @type {ServerError | null} */ (this.error) ?? undefined;
    if (!this.wanted || (error && FINAL_ERRORS.has(error.code))) {
      this.wanted = false;
      this.hooks.onState({ state: 'stopped', error });
      return;
    }
    const steps = BACKOFF_MS[Math.min(this.attempt, BACKOFF_MS.length - 1)];
    const retryMs = error?.code === 'server_full' ? FULL_RETRY_MS : Math.round(steps * (0.8 + 0.4 * Math.random()));
    this.attempt++;
    this.hooks.onState({ state: 'waiting', retryMs, attempt: this.attempt, error });
    this.timer = setTimeout(() => this.connect(), retryMs);
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
    this.send({ type: 'stop', reason: 'user' });
    clearTimeout(this.timer);
    const socket = this.socket;
    if (socket) socket.close();
    this.moving?.close();
    this.lost();
  }
}
