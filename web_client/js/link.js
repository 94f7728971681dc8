/**
 * The page's end of the worker that talks to the server.
 * @module
 */

import { Trouble } from './words.js';

export const FAREWELL_MS = 500; // for the goodbye to the server and the take that was being made

/**
 * @typedef {import('./worker-messages.js').FromWorker} FromWorker
 * @typedef {import('./worker-messages.js').ToWorker} ToWorker
 * @typedef {Extract<FromWorker, { type: 'take' }>} FinishedTake
 */

/** One worker, from the first word to the farewell. */
export class Link {
  /**
   * @param {(data: FromWorker) => void} onData
   * @param {(trouble: Trouble) => void} onBroken the worker did not load, or broke
   * @throws {Trouble} this browser has no module workers
   */
  constructor(onData, onBroken) {
    let asked = false;
    const options = {
      /** @returns {'module'} a browser without module workers never asks */
      get type() {
        asked = true;
        return 'module';
      },
    };
    this.worker = new Worker(new URL('./transport-worker.js', import.meta.url), options);
    if (!asked) {
      this.worker.terminate();
      throw new Trouble('unsupported');
    }
    this.worker.onmessage = (event) => onData(event.data);
    // an error with a message comes from the code; without one, the code itself did not come
    this.worker.onerror = ({ message }) => onBroken(new Trouble(message ? 'page_error' : 'unreachable', message));
  }

  /**
   * @param {ToWorker} message
   * @param {Transferable[]} [transfer]
   */
  post(message, transfer = []) {
    this.worker.postMessage(message, transfer);
  }

  /**
   * Hang up. Nothing is heard any more but the take that was being made.
   * @param {(take: FinishedTake) => void} onTake
   */
  close(onTake) {
    const { worker } = this;
    worker.onerror = null;
    worker.onmessage = (/** @type {MessageEvent<FromWorker>} */ { data }) => {
      if (data.type === 'take') onTake(data);
    };
    worker.postMessage({ type: 'close' });
    setTimeout(() => worker.terminate(), FAREWELL_MS);
  }
}
