/**
 * The peer connections that the worker asks for, their channels handed over. While a session moves there are two.
 * @module
 */

import { PeerLink } from './peer.js';

/** Makes and ends them. */
export class Calls {
  /**
   * @param {import('./link.js').Link} link
   * @param {() => MediaStreamTrack} captureTrack what is sung, for those that carry a track
   */
  constructor(link, captureTrack) {
    this.link = link;
    this.captureTrack = captureTrack;
    /** @type {Map<number, PeerLink>} by call */
    this.peers = new Map();
  }

  /**
   * @param {number} call its number
   * @param {import('./carrier.js').Carrier} carrier
   */
  begin(call, carrier) {
    const peer = new PeerLink(
      (channels) => {
        const transfer = /** @type {Transferable[]} */ (/** @type {unknown} */ (channels));
        this.link.post({ type: 'channels', call, channels }, transfer);
      },
      () => {
        this.peers.delete(call);
        this.link.post({ type: 'uncalled', call });
      },
    );
    if (carrier === 'track') peer.track = { voice: this.captureTrack(), worker: this.link.worker, call };
    this.peers.set(call, peer);
    void peer.open();
  }

  /** @param {number} call */
  end(call) {
    this.peers.get(call)?.close();
    this.peers.delete(call);
  }

  close() {
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
  }
}
