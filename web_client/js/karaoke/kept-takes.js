/**
 * The takes of this browser, from the first second on: what was sung is found again after a tab has died.
 * @module
 */

import { paged, TakeStore } from '../take-store.js';

const RATE = 48000;

/**
 * What is known of a take besides its sound.
 * @typedef {object} Kept
 * @property {string} id
 * @property {number} number
 * @property {string} songId
 * @property {string} title of the song
 * @property {number} semitones by which it was sung higher
 * @property {number} tempo percent
 * @property {string} voice id
 * @property {string} voiceName
 * @property {import('./effects.js').Effects} effects
 * @property {number} voiceVolume 0..1
 * @property {number} trackVolume 0..1
 * @property {number} createdAt ms since the epoch
 * @property {'singing' | 'done'} state
 * @property {number} length samples at 48 kHz
 * @property {number} missing samples that never came back
 * @property {boolean} recovered its tab died while it was sung
 * @property {string | null} remote the server's name for it, once it is there
 *
 * @typedef {Pick<Kept, 'songId' | 'title' | 'semitones' | 'tempo' | 'voice' | 'voiceName' | 'effects' | 'voiceVolume' |
 *   'trackVolume'>} About
 * @typedef {{ dry: Int16Array<ArrayBuffer>, wet: Int16Array<ArrayBuffer> }} Sound
 */

/** @param {string} id of a take: whoever sings it holds the lock of this name */
const lockOf = (id) => `autovoice-take-${id}`;

/** @param {Kept | About} take the name of what it was sung to */
export const songOf = ({ songId, semitones, tempo }) => `${songId}/${semitones}/${tempo}`;

/**
 * Do what the browser may refuse: one that keeps nothing can be sung in all the same.
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T | null>}
 */
async function ifItKeeps(work) {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** Begins, finishes, finds and forgets takes. */
export class KeptTakes {
  constructor() {
    this.store = new TakeStore();
    /** @type {Map<string, Sound>} what is not in the store, or not yet */
    this.memory = new Map();
    /** @type {Map<string, () => void>} lets go of the lock of a take that is being sung here */
    this.held = new Map();
    this.count = 0;
  }

  /**
   * A take is about to be sung. The caller has its sound recorded under the id of what is returned.
   * @param {About} about
   * @returns {Kept}
   */
  begin(about) {
    /** @type {Kept} */
    const take = {
      ...about, id: crypto.randomUUID(), number: ++this.count, createdAt: Date.now(), state: 'singing', length: 0, missing: 0,
      recovered: false, remote: null,
    };
    void navigator.locks?.request(lockOf(take.id), () => new Promise((resolve) => this.held.set(take.id, () => resolve(null))));
    void ifItKeeps(this.store.put(take));
    return take;
  }

  /**
   * It has been sung.
   * @param {Kept} take
   * @param {Sound & { missing: number }} sung
   */
  async finish(take, { dry, wet, missing }) {
    Object.assign(take, { state: 'done', length: dry.length, missing });
    this.memory.set(take.id, { dry, wet });
    // the worker may have been ended before it had kept the last seconds
    const kept = await ifItKeeps(
      this.store.putPages(take.id, [...paged('dry', dry), ...paged('wet', wet)]).then(() => this.store.put(take)).then(() => true),
    );
    if (kept) this.memory.delete(take.id);
    void ifItKeeps(navigator.storage?.persist?.() ?? Promise.resolve(false)); // not to go when room gets short
    this.release(take.id);
  }

  /** @param {string} id */
  release(id) {
    this.held.get(id)?.();
    this.held.delete(id);
  }

  /** @param {Kept} take to which something has happened */
  async update(take) {
    await ifItKeeps(this.store.put(take));
  }

  /** @param {Kept} take */
  async remove(take) {
    this.memory.delete(take.id);
    await ifItKeeps(this.store.remove(take.id));
    this.release(take.id);
    const left = (await ifItKeeps(this.store.all())) ?? [];
    await ifItKeeps(this.store.keepSongs(new Set(left.map(songOf))));
  }

  /** @param {Kept} take @returns {Promise<Sound>} @throws {DOMException} */
  async sound(take) {
    const known = this.memory.get(take.id);
    if (known) return known;
    const [dry, wet] = await Promise.all([this.store.read(take.id, 'dry'), this.store.read(take.id, 'wet')]);
    const converted = new Int16Array(dry.pcm.length);
    converted.set(wet.pcm.subarray(0, converted.length));
    return { dry: dry.pcm, wet: converted };
  }

  /** @returns {Promise<Kept[]>} all takes, the oldest first; those that nobody sings any more end where their sound does */
  async found() {
    const takes = /** @type {Kept[]} */ ((await ifItKeeps(this.store.all())) ?? []);
    takes.sort((a, b) => a.createdAt - b.createdAt);
    this.count = takes.reduce((most, take) => Math.max(most, take.number), this.count);
    const whole = await Promise.all(takes.map((take) => (take.state === 'done' ? take : this.recover(take))));
    return whole.filter((take) => take !== null);
  }

  /**
   * @param {Kept} take that was being sung when it was heard of last
   * @returns {Promise<Kept | null>} null: it is still being sung in another tab, or there is nothing of it
   */
  async recover(take) {
    const recovered = async () => {
      const [dry, wet] = await Promise.all([this.store.read(take.id, 'dry'), this.store.read(take.id, 'wet')]);
      const { length } = dry.pcm;
      if (length < RATE / 10) return this.remove(take).then(() => null);
      const missing = Math.max(0, length - wet.filled);
      Object.assign(take, { state: 'done', recovered: true, length, missing });
      await this.store.put(take);
      return take;
    };
    if (!navigator.locks) return ifItKeeps(recovered());
    return navigator.locks.request(lockOf(take.id), { ifAvailable: true }, (lock) => (lock ? ifItKeeps(recovered()) : null));
  }
}
