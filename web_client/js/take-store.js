/**
 * Takes in the browser's own database (IndexedDB): while one is sung its seconds are put there as they come, so a
 * tab that dies takes none of them along. Used by the page and by its worker; knows neither.
 * @module
 */

import { PAGE } from './take.js';

const NAME = 'autovoice-takes';
const VERSION = 1;
const BATCH = 32; // pages in one transaction

/**
 * @typedef {'dry' | 'wet'} TrackName
 * @typedef {{ track: TrackName, number: number, samples: Int16Array<ArrayBuffer>, end: number, filled: number }} KeptPage
 *   the `number`th second of a track, see take.js
 */

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 * @throws {DOMException}
 */
const answer = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/**
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>} once all of it is kept
 * @throws {DOMException} none of it is: `QuotaExceededError`, for one
 */
const done = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new DOMException('given up', 'AbortError'));
  });

/** @param {string} id @param {TrackName} [track] the keys of the pages of a take, or of one track of it */
const pagesOf = (id, track) => IDBKeyRange.bound(track ? [id, track] : [id], track ? [id, track, []] : [id, []]);

/** All takes of this browser. Everything here throws DOMException where the browser keeps nothing, or no more. */
export class TakeStore {
  constructor() {
    /** @type {Promise<IDBDatabase> | null} */
    this.opening = null;
  }

  /** @returns {Promise<IDBDatabase>} */
  open() {
    this.opening ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, VERSION);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('takes', { keyPath: 'id' });
        request.result.createObjectStore('pages');
        request.result.createObjectStore('songs');
      };
      request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close(); // a newer page is open elsewhere
        resolve(request.result);
      };
      request.onerror = () => reject(request.error);
    });
    this.opening.catch(() => (this.opening = null));
    return this.opening;
  }

  /**
   * What is known of a take, without its sound.
   * @param {{ id: string }} about
   */
  async put(about) {
    const transaction = (await this.open()).transaction('takes', 'readwrite');
    transaction.objectStore('takes').put(about);
    await done(transaction);
  }

  /** @returns {Promise<any[]>} as they were put */
  async all() {
    return answer((await this.open()).transaction('takes').objectStore('takes').getAll());
  }

  /** @param {string} id */
  async remove(id) {
    const transaction = (await this.open()).transaction(['takes', 'pages'], 'readwrite');
    transaction.objectStore('takes').delete(id);
    transaction.objectStore('pages').delete(pagesOf(id));
    await done(transaction);
  }

  /**
   * @param {string} id of a take
   * @param {KeptPage[]} pages that take the place of what was there
   */
  async putPages(id, pages) {
    for (let from = 0; from < pages.length; from += BATCH) {
      const transaction = (await this.open()).transaction('pages', 'readwrite');
      for (const { track, number, samples, end, filled } of pages.slice(from, from + BATCH)) {
        transaction.objectStore('pages').put({ samples, end, filled }, [id, track, number]);
      }
      await done(transaction);
    }
  }

  /**
   * @param {string} id
   * @param {TrackName} track
   * @returns {Promise<{ pcm: Int16Array<ArrayBuffer>, filled: number }>} silence where nothing came; and how much did
   */
  async read(id, track) {
    const pages = (await this.open()).transaction('pages').objectStore('pages');
    const [keys, found] = await Promise.all([
      answer(pages.getAllKeys(pagesOf(id, track))),
      answer(pages.getAll(pagesOf(id, track))),
    ]);
    const numbers = keys.map((key) => Number(/** @type {IDBValidKey[]} */ (key)[2]));
    const last = found.length - 1;
    const pcm = new Int16Array(found.length ? numbers[last] * PAGE + found[last].end : 0);
    let filled = 0;
    found.forEach((page, i) => {
      const at = numbers[i] * PAGE;
      pcm.set(page.samples.subarray(0, Math.min(PAGE, pcm.length - at)), at);
      filled += page.filled;
    });
    return { pcm, filled };
  }

  /**
   * Keep what a song sounds like, for its takes.
   * @param {string} name
   * @param {ArrayBuffer} file
   */
  async putSong(name, file) {
    const transaction = (await this.open()).transaction('songs', 'readwrite');
    transaction.objectStore('songs').put(file, name);
    await done(transaction);
  }

  /** @param {string} name @returns {Promise<ArrayBuffer | undefined>} */
  async song(name) {
    return answer((await this.open()).transaction('songs').objectStore('songs').get(name));
  }

  /** @param {Set<string>} wanted names of the songs that some take is of; the others go */
  async keepSongs(wanted) {
    const transaction = (await this.open()).transaction('songs', 'readwrite');
    const songs = transaction.objectStore('songs');
    for (const name of await answer(songs.getAllKeys())) if (!wanted.has(String(name))) songs.delete(name);
    await done(transaction);
  }
}

/**
 * Cut a track into pages.
 * @param {TrackName} track
 * @param {Int16Array<ArrayBuffer>} pcm
 * @returns {KeptPage[]}
 */
export function paged(track, pcm) {
  return Array.from({ length: Math.ceil(pcm.length / PAGE) }, (_, number) => {
    const samples = pcm.slice(number * PAGE, (number + 1) * PAGE);
    return { track, number, samples, end: samples.length, filled: samples.length };
  });
}

/** Puts what comes of one take into the store, a change after the other. */
export class Keeper {
  /**
   * @param {TakeStore} store
   * @param {string} id of the take
   * @param {(problem: string) => void} onTrouble the browser keeps no more of it; told once
   */
  constructor(store, id, onTrouble) {
    this.store = store;
    this.id = id;
    this.onTrouble = onTrouble;
    this.busy = false;
    this.broken = false;
  }

  /**
   * Keep what has come, unless what came before is still being kept.
   * @param {import('./take.js').Take} take
   */
  async keep(take) {
    if (this.busy || this.broken) return;
    this.busy = true;
    try {
      await this.store.putPages(this.id, take.takeChanges());
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.broken = true;
      this.onTrouble(error.name);
    } finally {
      this.busy = false;
    }
  }
}
