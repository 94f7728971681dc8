/**
 * Takes on the server (REST, `/api/v1/karaoke/takes`): sent in pieces, and where that broke off it goes on.
 * @module
 */

import { ApiError, ask, fetchFile, sendJson } from '../api.js';

const BASE = '/api/v1/karaoke/takes';
const PIECE = 1 << 21; // bytes
const AGAIN_MS = [500, 1000, 2000, 4000]; // to wait for a server that does not answer
const BUSY = new Set([0, 429, 502, 503, 504]); // statuses that go by

/**
 * @typedef {'dry' | 'voice' | 'mix'} Sent
 * @typedef {'voice' | 'dry' | 'accompaniment' | 'mix'} Track
 * @typedef {'live' | 'quality'} Rendition as it was sung, or sung again by the server
 * @typedef {object} RemoteTake as the server describes it
 * @property {string} take_id
 * @property {string} song_id
 * @property {string} title
 * @property {'open' | 'finished' | 'lost'} status lost: the server was restored from a backup, which has no sound
 * @property {Partial<Record<Sent, number>>} [received] samples; of a finished take, of its mix
 * @property {number} [frames]
 * @property {number} [mixed] how often it has been mixed anew
 * @property {number} semitones
 * @property {number} tempo
 * @property {string} voice
 * @property {string} voice_name
 * @property {number} voice_volume
 * @property {number} track_volume
 * @property {number} missing
 * @property {import('./effects.js').Effects} effects
 * @property {string} created_at
 * @property {{ job_id: string, status: 'queued' | 'processing' | 'completed' | 'failed' | 'cancelled' | 'expired', progress: number,
 *   voice: string, notes: string[], error: { message?: string } | null, received: { mix: number } }} [rendition]
 */

const FRAME = { dry: 2, voice: 2, mix: 4 }; // bytes

/** One user's takes. */
export class RemoteTakes {
  /** @param {string} userId */
  constructor(userId) {
    this.userId = userId;
  }

  /** @param {string} id @param {string} [more] @param {Record<string, string>} [query] */
  path(id, more = '', query = {}) {
    return `${BASE}/${encodeURIComponent(id)}${more}?${new URLSearchParams({ user_id: this.userId, ...query })}`;
  }

  /** @param {string} id @param {Track} track @param {'wav' | 'flac' | 'mp3'} format @param {Rendition} [rendition] */
  url(id, track, format, rendition = 'live') {
    return this.path(id, `/audio/${track}`, { format, rendition });
  }

  /** @returns {Promise<RemoteTake[]>} the newest first, without those that are still being sent */
  async list() {
    const found = await ask(`${BASE}?${new URLSearchParams({ user_id: this.userId, limit: '200' })}`);
    return found.takes.filter((/** @type {RemoteTake} */ take) => take.status !== 'open');
  }

  /** @param {string} id @returns {Promise<RemoteTake>} */
  get(id) {
    return ask(this.path(id));
  }

  /** @param {string} id */
  async remove(id) {
    try {
      await ask(this.path(id), { method: 'DELETE' });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error; // else it is gone already
    }
  }

  /** @param {string} id @param {string} voice @returns {Promise<RemoteTake>} */
  singAgain(id, voice) {
    return sendJson('POST', this.path(id, '/render'), { voice });
  }

  /** @param {string} id @param {Track} track @param {Rendition} rendition @returns {Promise<AudioBuffer>} */
  async sound(id, track, rendition) {
    const file = await fetchFile(this.url(id, track, 'flac', rendition));
    return new OfflineAudioContext(2, 1, 48000).decodeAudioData(file);
  }

  /**
   * Send a take, or the rest of one.
   * @param {import('./kept-takes.js').Kept} take its `remote` is set as soon as the server knows it
   * @param {Record<Sent, Blob>} sounds raw samples of one length
   * @param {(share: number) => void} onProgress 0..1
   * @param {() => Promise<void>} onKnown `take.remote` has changed
   * @returns {Promise<RemoteTake>}
   * @throws {ApiError}
   */
  async send(take, sounds, onProgress, onKnown) {
    let there = take.remote ? await this.get(take.remote).catch(ifGone) : null;
    if (there?.status === 'lost') {
      await this.remove(there.take_id);
      there = null;
    }
    if (!there) {
      there = await this.begin(take);
      take.remote = there.take_id;
      await onKnown();
    }
    if (there.status === 'finished') return there;
    const all = Object.values(sounds).reduce((sum, sound) => sum + sound.size, 0);
    let before = 0;
    for (const name of /** @type {Sent[]} */ (Object.keys(FRAME))) {
      const from = there.received?.[name] ?? 0;
      await this.sendTrack(there.take_id, name, sounds[name], from, 'live', (bytes) => onProgress((before + bytes) / all));
      before += sounds[name].size;
    }
    return sendJson('POST', this.path(there.take_id, '/finish'), { frames: sounds.dry.size / FRAME.dry });
  }

  /** @param {import('./kept-takes.js').Kept} take @returns {Promise<RemoteTake>} */
  begin(take) {
    return sendJson('POST', `${BASE}?${new URLSearchParams({ user_id: this.userId })}`, {
      song_id: take.songId, semitones: take.semitones, tempo: take.tempo, voice: take.voice, voice_name: take.voiceName,
      voice_volume: take.voiceVolume, track_volume: take.trackVolume, effects: take.effects, missing: take.missing,
    });
  }

  /**
   * Mix a finished take anew: the server forgets the mixes that it has, and gets this one.
   * @param {string} id
   * @param {import('./presets.js').Mixing} mixing
   * @param {Blob} mix raw samples
   * @param {(share: number) => void} onProgress 0..1
   * @returns {Promise<RemoteTake>}
   * @throws {ApiError}
   */
  async remix(id, { effects, voiceVolume, trackVolume }, mix, onProgress) {
    const mixing = { effects, voice_volume: voiceVolume, track_volume: trackVolume };
    /** @type {RemoteTake} */
    const take = await sendJson('PATCH', this.path(id), mixing);
    await this.sendTrack(id, 'mix', mix, 0, 'live', (bytes) => onProgress(bytes / mix.size), take.mixed);
    return this.get(id);
  }

  /**
   * @param {string} id
   * @param {Sent} name
   * @param {Blob} sound
   * @param {number} from the first sample that is not there
   * @param {Rendition} rendition
   * @param {(bytes: number) => void} onSent of the sound
   * @param {number} [mixed] of which mix it is, where the take may have been mixed anew meanwhile
   */
  async sendTrack(id, name, sound, from, rendition, onSent, mixed = 0) {
    for (let at = from * FRAME[name], tries = 0; at < sound.size; ) {
      onSent(at);
      const position = String(at / FRAME[name]);
      const path = this.path(id, `/audio/${name}`, { position, rendition, ...(mixed && { mixed: String(mixed) }) });
      try {
        const { received } = await ask(path, { method: 'PUT', body: sound.slice(at, at + PIECE, 'application/octet-stream') });
        at = received * FRAME[name];
        tries = 0;
      } catch (error) {
        if (!(error instanceof ApiError) || !BUSY.has(error.status) || tries >= AGAIN_MS.length) throw error;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS[tries]));
        tries++;
      }
    }
  }
}

/** @param {unknown} error @returns {null} the server does not have it any more */
function ifGone(error) {
  if (error instanceof ApiError && error.status === 404) return null;
  throw error;
}
