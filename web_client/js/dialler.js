/**
 * Makes the lines that a connection asks for. Of a peer connection, the page makes what only it can make.
 * @module
 */

import { ChannelLine, PeerLine, socketLine } from './lines.js';
import { TrackLine } from './track-line.js';

/** @typedef {import('./worker-messages.js').FromWorker} FromWorker */

/** One worker's. */
export class Dialler {
  /**
   * @param {string} url of the WebSocket
   * @param {object} hooks
   * @param {(message: Extract<FromWorker, { call: number }>) => void} hooks.post to the page
   * @param {() => void} hooks.playMark
   * @param {() => number} hooks.captured samples, by the worklet's count
   * @param {() => number} hooks.place position of the next one, in the session that goes on or begins here
   */
  constructor(url, hooks) {
    this.url = url;
    this.hooks = hooks;
    this.calls = 0;
    /** @type {Map<number, PeerLine>} those that are made or in use, by call */
    this.lines = new Map();
  }

  /**
   * @param {import('./carrier.js').Carrier} carrier
   * @returns {import('./lines.js').Line}
   */
  dial(carrier) {
    if (carrier === 'websocket') return socketLine(this.url);
    const { post, ...hooks } = this.hooks;
    const call = ++this.calls;
    const hangUp = () => {
      this.lines.delete(call);
      post({ type: 'hang-up', call });
    };
    const line = carrier === 'track' ? new TrackLine({ hangUp, ...hooks }) : new ChannelLine(hangUp);
    this.lines.set(call, line);
    post({ type: 'call', call, carrier });
    return line;
  }

  /**
   * The page has made a connection's channels.
   * @param {number} call
   * @param {RTCDataChannel[]} channels
   */
  made(call, channels) {
    const line = this.lines.get(call);
    if (line) line.take(channels);
    else for (const channel of channels) channel.close();
  }

  /**
   * The page could not make a connection, or lost it.
   * @param {number} call
   */
  lost(call) {
    this.lines.get(call)?.lost();
  }

  /** @param {import('./worker-messages.js').Transformer} transformer of a track */
  transform({ readable, writable, options: { call, direction } }) {
    const line = this.lines.get(call);
    if (line instanceof TrackLine) void line.transform(direction, readable, writable);
  }

  /** @param {number} count at which the worklet began to play a mark */
  markPlayed(count) {
    for (const line of this.lines.values()) if (line instanceof TrackLine) line.markPlayed(count);
  }
}
