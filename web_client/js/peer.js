/**
 * A WebRTC connection to the server, as far as only the page itself can make one. Its data channels go to the
 * worker, so that nothing on the main thread can delay audio.
 * @module
 */

import { ask, sendJson } from './api.js';

const GATHERING_MS = 1000; // for addresses; those that come later are not offered

/** Whether this browser can hand a data channel to a worker. Asked once: it costs a connection that never is. */
export const canUseChannels = (() => {
  /** @type {boolean | undefined} */
  let known;
  return () => {
    known ??= probe();
    return known;
  };
})();

function probe() {
  if (!('RTCPeerConnection' in globalThis)) return false;
  const connection = new RTCPeerConnection();
  const { port1, port2 } = new MessageChannel();
  try {
    const channel = connection.createDataChannel('probe');
    port1.postMessage(channel, [/** @type {Transferable} */ (/** @type {unknown} */ (channel))]);
    return true;
  } catch {
    return false; // DataCloneError: this browser cannot
  } finally {
    port1.close();
    port2.close();
    connection.close();
  }
}

/** Whether this browser lets a worker see the packets of a track, and decode them. */
export const canUseTracks = () =>
  'RTCRtpScriptTransform' in globalThis && 'AudioDecoder' in globalThis && canUseChannels();

/** One connection, from the offer to the end. */
export class PeerLink {
  /**
   * @param {(channels: RTCDataChannel[]) => void} onChannels they are not open yet
   * @param {() => void} onLost it failed, or was lost
   */
  constructor(onChannels, onLost) {
    this.onChannels = onChannels;
    this.onLost = onLost;
    /** @type {RTCPeerConnection | null} */
    this.connection = null;
    this.closed = false;
    /** @type {{ voice: MediaStreamTrack, worker: Worker, call: number } | null} set it before `open` */
    this.track = null;
  }

  /** Call the server; whatever goes wrong is `onLost`. */
  async open() {
    try {
      const { ice_servers: iceServers } = await ask('/api/v1/live/ice-servers');
      if (this.closed) return;
      const connection = new RTCPeerConnection({ iceServers });
      this.connection = connection;
      connection.onconnectionstatechange = () => {
        if (['failed', 'closed'].includes(connection.connectionState)) this.lost();
      };
      const control = connection.createDataChannel('control');
      if (this.track) {
        this.addTrack(connection, this.track);
        this.onChannels([control]);
      } else {
        this.onChannels([control, connection.createDataChannel('audio', { ordered: false, maxRetransmits: 0 })]);
      }
      await connection.setLocalDescription();
      await gathered(connection);
      const offer = connection.localDescription;
      const answer = await sendJson('POST', '/api/v1/live/offer', { type: offer?.type, sdp: offer?.sdp });
      if (!this.closed) await connection.setRemoteDescription(answer);
    } catch {
      this.lost(); // no answer, a refusal, or an answer that this browser does not take: the worker tries again
    }
  }

  /**
   * @param {RTCPeerConnection} connection
   * @param {{ voice: MediaStreamTrack, worker: Worker, call: number }} track
   */
  addTrack(connection, { voice, worker, call }) {
    const { sender, receiver } = connection.addTransceiver(voice, { direction: 'sendrecv' });
    sender.transform = new RTCRtpScriptTransform(worker, { call, direction: 'send' });
    receiver.transform = new RTCRtpScriptTransform(worker, { call, direction: 'receive' });
  }

  lost() {
    if (this.closed) return;
    this.close();
    this.onLost();
  }

  close() {
    this.closed = true;
    this.connection?.close();
    this.connection = null;
  }
}

/**
 * @param {RTCPeerConnection} connection
 * @returns {Promise<void>} once its addresses are known, or have had their time
 */
function gathered(connection) {
  return new Promise((resolve) => {
    const done = () => connection.iceGatheringState === 'complete' && resolve();
    connection.onicegatheringstatechange = done;
    setTimeout(resolve, GATHERING_MS);
    done();
  });
}
