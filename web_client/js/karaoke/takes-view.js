/**
 * What was sung: listen to it, and take it away as files that line up.
 * @module
 */

import { byId, setText } from '../dom.js';
import { KeptTakes, songOf } from './kept-takes.js';
import { TakeRow } from './take-row.js';

const RATE = 48000;

/** The list of takes. */
export class TakesView {
  /** @param {import('./songs.js').Songs} songs */
  constructor(songs) {
    this.songs = songs;
    this.kept = new KeptTakes();
    this.list = byId('takes', HTMLElement);
    this.empty = byId('takes-empty', HTMLElement);
    this.note = byId('takes-note', HTMLElement);
    /** @type {{ take: import('./kept-takes.js').Kept, accompaniment: AudioBuffer } | null} what is being sung */
    this.current = null;
  }

  /** Show what was kept before, also of a tab that died. */
  async load() {
    const takes = await this.kept.found();
    const saved = takes.filter((take) => take.recovered && !this.rowOf(take.id));
    for (const take of takes) if (!this.rowOf(take.id)) this.add(take);
    if (saved.some((take) => Date.now() - take.createdAt < 86_400_000)) {
      setText(this.note, 'A take was cut short when its page closed. What was sung until then is here.');
    }
  }

  /** @param {string} id */
  rowOf(id) {
    return [...this.list.children].find((item) => item instanceof HTMLElement && item.dataset.take === id);
  }

  /**
   * A song is about to be sung.
   * @param {import('./kept-takes.js').About} about
   * @param {AudioBuffer} accompaniment as it is played
   * @returns {string} the name under which it is to be recorded
   */
  begin(about, accompaniment) {
    const take = this.kept.begin(about);
    this.current = { take, accompaniment };
    void this.keepSong(take);
    return take.id;
  }

  /** @param {import('./kept-takes.js').Kept} take what it was sung to is kept, too: a mix needs it */
  async keepSong(take) {
    try {
      if (await this.kept.store.song(songOf(take))) return;
      const file = await this.songs.file(take.songId, 'accompaniment', take.semitones, take.tempo);
      await this.kept.store.putSong(songOf(take), file);
    } catch (error) {
      if (!(error instanceof Error)) throw error; // the server will have it, or the browser keeps nothing
    }
  }

  /**
   * It has been sung.
   * @param {import('../link.js').FinishedTake} sung
   * @param {Pick<import('./kept-takes.js').About, 'effects' | 'voiceVolume' | 'trackVolume'>} mixing
   */
  async finish(sung, mixing) {
    const { current } = this;
    this.current = null;
    if (!current) return;
    const { take, accompaniment } = current;
    if (!sung.dry.length) return this.kept.remove(take);
    Object.assign(take, mixing);
    const keeping = this.kept.finish(take, sung);
    await this.add(take).open(accompaniment);
    await keeping;
  }

  /** @param {import('./kept-takes.js').Kept} take @returns {TakeRow} */
  add(take) {
    const row = new TakeRow(take, {
      sound: () => this.kept.sound(take),
      accompaniment: () => this.accompanimentOf(take),
      remove: async () => {
        await this.kept.remove(take);
        this.empty.hidden = this.list.childElementCount > 0;
      },
    });
    this.empty.hidden = true;
    this.list.prepend(row.item);
    return row;
  }

  /**
   * @param {import('./kept-takes.js').Kept} take
   * @returns {Promise<AudioBuffer>}
   * @throws {Error} neither this browser nor the server has it any more
   */
  async accompanimentOf(take) {
    const file =
      (await this.kept.store.song(songOf(take)).catch(() => undefined)) ??
      (await this.songs.file(take.songId, 'accompaniment', take.semitones, take.tempo));
    return new OfflineAudioContext(2, 1, RATE).decodeAudioData(file);
  }
}
