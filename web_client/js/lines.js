/**
 * What carries the live protocol: a WebSocket, or a pair of WebRTC data channels that looks like one.
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

const OPENING_MS = 5_000; // until both channels are open; where UDP is blocked they never are

/** Two data channels, which come when the page has made them: audio that is lost is not waited for. */
export class ChannelLine {
  /** @param {() => void} hangUp tells the page that its peer connection is not needed any more */
  constructor(hangUp) {
    this.hangUp = hangUp;
    /** @type {import('./carrier.js').Carrier} */
    this.carrier = 'data';
    this.readyState = 0;
    setTimeout(() => this.readyState === 0 && this.lost(), OPENING_MS);
    /** @type {Line['onopen']} */
    this.onopen = null;
    /** @type {Line['onmessage']} */
    this.onmessage = null;
    /** @type {Line['onclose']} */
    this.onclose = null;
    /** @type {RTCDataChannel | null} */
    this.control = null;
    /** @type {RTCDataChannel | null} */
    this.audio = null;
  }

  get bufferedAmount() {
    return this.audio?.bufferedAmount ?? 0;
  }

  /**
   * @param {RTCDataChannel} control
   * @param {RTCDataChannel} audio
   */
  take(control, audio) {
    if (this.readyState !== 0) {
      control.close();
      audio.close();
      return;
    }
    this.control = control;
    this.audio = audio;
    const opened = () => {
      if (this.readyState === 0 && control.readyState === 'open' && audio.readyState === 'open') {
        this.readyState = 1;
        this.onopen?.({});
      }
    };
    for (const channel of [control, audio]) {
      channel.binaryType = 'arraybuffer';
      channel.onopen = opened;
      channel.onmessage = (event) => this.onmessage?.(event);
      channel.onclose = () => this.lost();
    }
    opened();
  }

  /** @param {Uint8Array<ArrayBuffer>} data */
  send(data) {
    if (this.control?.readyState === 'open') this.control.send(data);
  }

  /** @param {Uint8Array<ArrayBuffer>} data */
  sendAudio(data) {
    if (this.audio?.readyState === 'open') this.audio.send(data);
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
      this.control?.close();
      this.audio?.close();
      this.lost();
    });
  }
}
