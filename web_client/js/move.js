/**
 * A new line that is to take a running session over from another one.
 * @module
 */

import { HELLO, readMessage, writeMessage } from './protocol.js';

const PATIENCE_MS = 10_000; // for hello and start together

/** Greets, asks for the session, and says how it went: once. */
export class Move {
  /**
   * @param {import('./lines.js').Line} line
   * @param {object} hooks
   * @param {() => Record<string, unknown>} hooks.request the fields of a `start` that resumes
   * @param {(data: ArrayBuffer) => void} hooks.onTaken it has the session; `data` is the server's `start`
   * @param {() => void} hooks.onFailed it never will
   */
  constructor(line, hooks) {
    this.line = line;
    this.hooks = hooks;
    this.asked = false; // from then on it may have the session, so what is sung goes both ways
    this.over = false;
    this.timer = setTimeout(() => line.close(), PATIENCE_MS);
    line.onopen = () => line.send(writeMessage(HELLO));
    line.onclose = () => this.end(hooks.onFailed);
    line.onmessage = ({ data }) => this.heard(data);
  }

  /** @param {ArrayBuffer} data */
  heard(data) {
    let type = 'error';
    try {
      ({ type } = readMessage(data));
    } catch {
      // what cannot be read is no start: the line is given up below
    }
    if (type === 'hello') {
      this.line.send(writeMessage({ type: 'start', ...this.hooks.request() }));
      this.asked = true;
    } else if (type === 'start') {
      this.end(() => this.hooks.onTaken(data));
    } else if (type === 'error') {
      this.line.close();
    }
  }

  /** @param {() => void} outcome */
  end(outcome) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    outcome();
  }
}
