/**
 * Songs for karaoke on the server (REST, `/api/v1/karaoke/songs`).
 * @module
 */

import { ask, fetchFile, sendJson, upload } from '../api.js';

const BASE = '/api/v1/karaoke/songs';

/**
 * @typedef {object} Song
 * @property {string} song_id
 * @property {string} title
 * @property {'queued' | 'processing' | 'completed' | 'failed' | 'cancelled' | 'expired'} status
 * @property {number} progress percent
 * @property {string[]} notes what is worth knowing of it
 * @property {number} [seconds]
 * @property {{ name: string } | null} [key]
 * @property {{ bpm: number, first_beat_s: number } | null} [tempo]
 * @property {import('./chart.js').Chart[]} [parts]
 * @property {boolean} [has_lyrics]
 * @property {string} [accompaniment_url]
 * @property {string} [guide_url]
 * @property {{ message: string } | null} [error]
 */

/** One user's songs. */
export class Songs {
  /** @param {string} userId */
  constructor(userId) {
    this.query = `?${new URLSearchParams({ user_id: userId })}`;
    this.userId = userId;
    /** @type {{ id: string, url: string } | null} the song of a room, and where who has its code finds its tracks */
    this.shared = null;
  }

  /** @param {string} id */
  path(id) {
    return `${BASE}/${encodeURIComponent(id)}`;
  }

  /** @returns {Promise<Song[]>} the newest first */
  async list() {
    return (await ask(BASE + this.query)).songs;
  }

  /** @param {string} id @returns {Promise<Song>} */
  get(id) {
    return ask(this.path(id) + this.query);
  }

  /**
   * @param {File} file
   * @param {(share: number) => void} onProgress
   * @returns {Promise<Song>}
   */
  make(file, onProgress) {
    const form = new FormData();
    form.set('user_id', this.userId);
    form.set('song', file);
    return upload(BASE, form, onProgress);
  }

  /** @param {string} conversionId @returns {Promise<Song>} */
  makeOf(conversionId) {
    return sendJson('POST', BASE + this.query, { conversion_id: conversionId, user_id: this.userId });
  }

  /** @param {string} id */
  async remove(id) {
    await ask(this.path(id) + this.query, { method: 'DELETE' });
  }

  /** @param {string} id @param {File} file @returns {Promise<Song>} */
  bringLyrics(id, file) {
    return ask(`${this.path(id)}/lyrics${this.query}`, { method: 'PUT', body: file });
  }

  /** @param {string} id where its notes and words can be had as an UltraStar file */
  ultrastar(id) {
    return `${this.path(id)}/ultrastar${this.query}`;
  }

  /**
   * Fetch a track and decode it.
   * @param {BaseAudioContext} context
   * @param {Song} song
   * @param {import('./backing.js').TrackName} name
   * @param {number} semitones
   * @param {number} tempo percent
   * @returns {Promise<AudioBuffer>}
   * @throws {ApiError}
   */
  async track(context, song, name, semitones, tempo) {
    return context.decodeAudioData(await this.file(song.song_id, name, semitones, tempo));
  }

  /**
   * Fetch a track as a file.
   * @param {string} id of the song
   * @param {import('./backing.js').TrackName} name
   * @param {number} semitones
   * @param {number} tempo percent
   * @returns {Promise<ArrayBuffer>}
   * @throws {ApiError}
   */
  async file(id, name, semitones, tempo) {
    if (this.shared?.id === id) return fetchFile(`${this.shared.url}/${name}`);
    const query = new URLSearchParams({ user_id: this.userId, semitones: String(semitones), tempo: String(tempo) });
    return fetchFile(`${this.path(id)}/audio/${name}?${query}`);
  }
}
