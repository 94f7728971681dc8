/**
 * What carries the live protocol: a WebSocket, or a WebRTC connection that looks like one.
 * @module
 */

/**
 * @typedef {object} Line
 * @property {import('./carrier.js').Carrier} carrier what it is
 * @property {number} readyState 1 while it can be used
 * @property {number} bufferedAmount bytes of audio that wait to be sent
 * @property {((event: any) => void) | null} onopen
 * @property {((event: { data: any }) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {(data: Uint8Array<ArrayBuffer>) => void} send what must arrive
 * @property {(data: Uint8Array<ArrayBuffer>) => void} sendAudio what is worth nothing when it is late
 * @property {() => void} close
 * @property {boolean} [carriesTrack] the captured voice goes by an audio track, and needs no `sendAudio`
 * @property {number} [codingSamples] that its codecs take, both ways
 * @property {number} [waitedMs] that frames wait here for lost ones, on average
 * @property {boolean} [stale] it should be replaced by a new one of its kind
 * @property {() => Record<string, unknown>} [startFields] what its `start` needs to say of it
 * @property {(start: import('./protocol.js').ServerStart) => void} [started] what the server answered
 * @property {((frame: import('./protocol.js').ServerAudio) => void) | null} [onaudio] a frame that came otherwise
 *   than as a message
 */

/**
 * A WebSocket: everything arrives, in order, and waits for what was lost.
 * @param {string} url
 * @returns {Line}
 */
export function socketLine(url) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const sendAudio = (/** @type {Uint8Array<ArrayBuffer>} */ data) => socket.send(data);
  return /** @type {Line} */ (/** @type {unknown} */ (Object.assign(socket, { sendAudio, carrier: 'websocket' })));
}

const OPENING_MS = 5_000; // until all of it is open; where UDP is blocked it never is

/** A peer connection, which comes when the page has made it; its `control` channel carries what must arrive. */
export class PeerLine {
  /**
   * @param {import('./carrier.js').Carrier} carrier
   * @param {() => void} hangUp tells the page that its peer connection is not needed any more
   */
  constructor(carrier, hangUp) {
    this.hangUp = hangUp;
    this.carrier = carrier;
    this.readyState = 0;
    setTimeout(() => this.readyState === 0 && this.lost(), OPENING_MS);
    /** @type {Line['onopen']} */
    this.onopen = null;
    /** @type {Line['onmessage']} */
    this.onmessage = null;
    /** @type {Line['onclose']} */
    this.onclose = null;
    /** @type {RTCDataChannel[]} */
    this.channels = [];
  }

  get bufferedAmount() {
    return 0;
  }

  /** Whether all that it needs is there. */
  get complete() {
    return this.channels.length > 0 && this.channels.every(({ readyState }) => readyState === 'open');
  }

  /** @param {RTCDataChannel[]} channels `control`, and what else the page has made */
  take(channels) {
    if (this.readyState !== 0) {
      for (const channel of channels) channel.close();
      return;
    }
    this.channels = channels;
    for (const channel of channels) {
      channel.binaryType = 'arraybuffer';
      channel.onopen = () => this.opened();
      channel.onmessage = (event) => this.onmessage?.(event);
      channel.onclose = () => this.lost();
    }
    this.opened();
  }

  opened() {
    if (this.readyState !== 0 || !this.complete) return;
    this.readyState = 1;
    this.onopen?.({});
  }

  /** @param {Uint8Array<ArrayBuffer>} data */
  send(data) {
    const [control] = this.channels;
    if (control?.readyState === 'open') control.send(data);
  }

  /** The connection is gone, or was never made. */
  lost() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.hangUp();
    this.onclose?.({});
  }

  /** Close as a WebSocket does: what was sent still goes out, and `onclose` comes later. */
  close() {
    if (this.readyState === 3) return;
    setTimeout(() => {
      for (const channel of this.channels) channel.close();
      this.lost();
    });
  }
}

/** Two data channels: audio that is lost is not waited for. */
export class ChannelLine extends PeerLine {
  /** @param {() => void} hangUp */
  constructor(hangUp) {
    super('data', hangUp);
  }

  get bufferedAmount() {
    return this.channels[1]?.bufferedAmount ?? 0;
  }

  /** @param {Uint8Array<ArrayBuffer>} data */
  sendAudio(data) {
    const [, audio] = this.channels;
    if (audio?.readyState === 'open') audio.send(data);
  }
}
