/**
 * What was sung: listen to it, and take it away as files that line up.
 * @module
 */

import { ApiError } from '../api.js';
import { byId, setText } from '../dom.js';
import { effectsOf } from './effects.js';
import { KeptTakes, songOf } from './kept-takes.js';
import { RemoteTakes } from './remote-takes.js';
import { TakeRow } from './take-row.js';

const RATE = 48000;
const SETTLED_MS = 5000; // from the start of a song: it needs the machine most then

/** The list of takes. */
export class TakesView {
  /**
   * @param {import('./songs.js').Songs} songs
   * @param {Pick<import('./take-row.js').Means, 'voice' | 'mixing'>} chosen what is chosen on the page
   */
  constructor(songs, chosen) {
    this.songs = songs;
    this.chosen = chosen;
    this.remote = new RemoteTakes(songs.userId);
    this.kept = new KeptTakes();
    this.list = byId('takes', HTMLElement);
    this.empty = byId('takes-empty', HTMLElement);
    this.note = byId('takes-note', HTMLElement);
    /** @type {Map<string, TakeRow>} */
    this.rows = new Map();
    /** @type {{ take: import('./kept-takes.js').Kept, accompaniment: AudioBuffer } | null} what is being sung */
    this.current = null;
  }

  /**
   * Show what was kept before, also of a tab that died.
   * @param {boolean} remote show what the server has, too
   */
  async load(remote) {
    const takes = await this.kept.found();
    const saved = takes.filter((take) => take.recovered && !this.rows.has(take.id));
    for (const take of takes) if (!this.rows.has(take.id)) this.add(take);
    if (remote) void this.loadRemote();
    if (saved.some((take) => Date.now() - take.createdAt < 86_400_000)) {
      setText(this.note, 'A take was cut short when its page closed. What was sung until then is here.');
    }
  }

  /** Show what the server has, of other browsers of this user, too. */
  async loadRemote() {
    /** @type {import('./remote-takes.js').RemoteTake[]} */
    let found;
    try {
      found = await this.remote.list();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return; // what is kept here is shown all the same
    }
    for (const far of found) {
      const own = [...this.rows.values()].find((row) => row.take.remote === far.take_id);
      (own ?? this.addRemote(far)).known(far);
    }
  }

  /** @param {import('./remote-takes.js').RemoteTake} far that this browser has nothing of */
  addRemote(far) {
    /** @type {import('./kept-takes.js').Kept} */
    const take = {
      id: far.take_id, number: 0, songId: far.song_id, title: far.title, semitones: far.semitones, tempo: far.tempo,
      voice: far.voice, voiceName: far.voice_name, effects: effectsOf(far.effects), voiceVolume: far.voice_volume,
      trackVolume: far.track_volume, createdAt: Date.parse(far.created_at), state: 'done', length: far.frames ?? 0,
      missing: far.missing, recovered: false, remote: far.take_id,
    };
    return this.add(take, false);
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
    setTimeout(() => void this.keepSong(take), SETTLED_MS);
    return take.id;
  }

  /** @param {import('./kept-takes.js').Kept} take what it was sung to is kept, too: a mix needs it */
  async keepSong(take) {
    if (this.current?.take !== take && !this.rows.has(take.id)) return; // nothing was sung
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
   * @param {import('./presets.js').Mixing} mixing
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

  /**
   * @param {import('./kept-takes.js').Kept} take
   * @param {boolean} [here] whether its sound is in this browser
   * @returns {TakeRow}
   */
  add(take, here = true) {
    const when = new Date(take.createdAt).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
    const row = new TakeRow(take, here ? `Take ${take.number}` : `Take of ${when}`, {
      sound: here ? () => this.kept.sound(take) : null,
      accompaniment: () => this.accompanimentOf(take),
      changed: async () => {
        if (here) await this.kept.update(take);
      },
      remove: async () => {
        this.rows.delete(take.id);
        await this.kept.remove(take);
        this.empty.hidden = this.rows.size > 0;
      },
      remote: this.remote,
      ...this.chosen,
    });
    this.rows.set(take.id, row);
    this.empty.hidden = true;
    // the newest first
    const older = [...this.rows.values()].filter((other) => other !== row && other.take.createdAt <= take.createdAt);
    const next = older.sort((a, b) => b.take.createdAt - a.take.createdAt)[0];
    this.list.insertBefore(row.item, next?.item ?? null);
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
