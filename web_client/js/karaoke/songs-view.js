/**
 * The songs that can be sung: bring one, watch it being prepared, choose it.
 * @module
 */

import { ApiError } from '../api.js';
import { byId, make, setText } from '../dom.js';
import { clock } from '../time.js';

const POLL_MS = 1500;
const STATES = { queued: 'waits', processing: 'is prepared', failed: 'failed', cancelled: 'was given up', expired: 'is gone' };

/** @typedef {import('./songs.js').Song} Song */

/** The list, and the form above it. */
export class SongsView {
  /**
   * @param {import('./songs.js').Songs} songs
   * @param {(id: string) => void} onChoose
   */
  constructor(songs, onChoose) {
    this.songs = songs;
    this.onChoose = onChoose;
    this.list = byId('songs', HTMLElement);
    this.note = byId('songs-note', HTMLElement);
    this.progress = byId('song-progress', HTMLProgressElement);
    this.file = byId('song-file', HTMLInputElement);
    this.chosen = '';
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.file.addEventListener('change', () => void this.bring());
  }

  async bring() {
    const file = this.file.files?.[0];
    if (!file) return;
    this.progress.hidden = false;
    await this.attempt(async () => {
      await this.songs.make(file, (share) => (this.progress.value = share));
      this.file.value = '';
      setText(this.note, '');
    });
    this.progress.hidden = true;
    await this.load();
  }

  /**
   * @param {() => Promise<void>} work
   * @returns {Promise<boolean>} whether it went well; if not, the note says why
   */
  async attempt(work) {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(this.note, [error.message, ...error.suggestions].join('. '));
      return false;
    }
  }

  /** Show the list, and again while something on it is being prepared. */
  async load() {
    clearTimeout(this.timer);
    await this.attempt(async () => {
      const songs = await this.songs.list();
      this.list.replaceChildren(...songs.map((song) => this.row(song)));
      if (songs.some((song) => song.status === 'queued' || song.status === 'processing')) {
        this.timer = setTimeout(() => void this.load(), POLL_MS);
      }
    });
  }

  /** @param {Song} song */
  row(song) {
    const ready = song.status === 'completed';
    const going = song.status === 'processing' ? ` (${Math.floor(song.progress)} %)` : '';
    const facts = ready
      ? [song.seconds ? clock(song.seconds) : '', song.key?.name, song.tempo ? `${Math.round(song.tempo.bpm)} bpm` : '']
      : [`${STATES[/** @type {keyof STATES} */ (song.status)] ?? song.status}${going}`, song.error?.message];
    const choose = make('button', { type: 'button', className: 'quiet', disabled: !ready }, [
      make('strong', { textContent: song.title }),
      make('span', { className: 'small', textContent: ` ${facts.filter(Boolean).join(' · ')}` }),
    ]);
    if (song.song_id === this.chosen) choose.setAttribute('aria-current', 'true');
    choose.addEventListener('click', () => this.onChoose(song.song_id));
    const remove = make('button', { type: 'button', className: 'quiet', textContent: 'Delete' });
    remove.setAttribute('aria-label', `Delete ${song.title}`);
    remove.addEventListener('click', () => void this.attempt(() => this.songs.remove(song.song_id)).then(() => this.load()));
    return make('li', { className: 'song-row' }, [choose, remove]);
  }
}
