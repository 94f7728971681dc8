/**
 * The peer connections that the worker asks for: one at a time, its channels handed over.
 * @module
 */

import { PeerLink } from './peer.js';

/** Makes and ends them. */
export class Calls {
  /** @param {(message: import('./transport-worker.js').ToWorker, transfer?: Transferable[]) => void} post */
  constructor(post) {
    this.post = post;
    /** @type {{ call: number, peer: PeerLink } | null} */
    this.current = null;
  }

  /** @param {number} call its number */
  begin(call) {
    this.current?.peer.close();
    const peer = new PeerLink(
      (control, audio) => {
        const channels = /** @type {Transferable[]} */ (/** @type {unknown} */ ([control, audio]));
        this.post({ type: 'channels', call, control, audio }, channels);
      },
      () => this.post({ type: 'uncalled', call }),
    );
    this.current = { call, peer };
    void peer.open();
  }

  /** @param {number} call */
  end(call) {
    if (this.current?.call === call) this.close();
  }

  close() {
    this.current?.peer.close();
    this.current = null;
  }
}
