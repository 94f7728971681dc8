/**
 * The song that is open: its tracks and its notes in the key and at the tempo in which they are sung.
 * @module
 */

import { ApiError } from '../api.js';
import { byId, setText } from '../dom.js';
import { Slider } from '../song/slider.js';
import { rendered } from './chart.js';

const RATE = 48000;
/** @typedef {import('./songs.js').Song} Song */

/** @param {string} id after the `#` of an address */
export const namesSong = (id) => /^stage-[\w-]{8,64}$/.test(id);

/** Fetches a song and shows it. */
export class OpenSong {
  /**
   * @param {import('./songs.js').Songs} songs
   * @param {import('./lanes-view.js').LanesView} lanes
   * @param {import('./words-view.js').WordsView} words
   * @param {object} hooks
   * @param {() => void} hooks.changed it can be sung now, or not any more
   * @param {() => number} hooks.part which part of a duet is to be shown
   * @param {(text: string) => void} hooks.say what is being done
   * @param {(title: string, advice: string) => void} hooks.failed empty: nothing has
   */
  constructor(songs, lanes, words, hooks) {
    this.songs = songs;
    this.lanes = lanes;
    this.words = words;
    this.hooks = hooks;
    /** @type {Song | null} */
    this.song = null;
    /** @type {import('./chart.js').Chart} as it is played */
    this.chart = { notes: [], lines: [], tags: {} };
    /** @type {Record<import('./backing.js').TrackName, AudioBuffer> | null} */
    this.buffers = null;
    this.part = 0; // of a duet, as it is shown
    this.turn = 0; // raised by each choice of a song, key or tempo: an older one is stale
    this.semitones = new Slider('semitones', (value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value)} st`);
    this.tempo = new Slider('tempo', (value) => `${value} %`);
    for (const { input } of [this.semitones, this.tempo]) input.addEventListener('change', () => void this.fetch());
    byId('lyrics-file', HTMLInputElement).addEventListener('change', (event) => {
      void this.bringLyrics(/** @type {HTMLInputElement} */ (event.target));
    });
  }

  /** What of which song is sung; null while it cannot be. */
  get stage() {
    const { song, buffers } = this;
    return song && buffers ? { song_id: song.song_id, semitones: this.semitones.value, tempo: this.tempo.value } : null;
  }

  /** @param {boolean} locked whether key and tempo have to stay */
  lock(locked) {
    for (const { input } of [this.semitones, this.tempo]) input.disabled = locked;
  }

  /** @param {string} id */
  async open(id) {
    const turn = ++this.turn;
    this.song = this.buffers = null;
    this.hooks.changed();
    try {
      const song = await this.songs.get(id);
      if (turn !== this.turn) return;
      this.song = song;
    } catch (error) {
      return turn === this.turn ? this.refused(error) : undefined;
    }
    this.show();
    await this.fetch();
  }

  /** @param {Song} song of somebody's room @param {number} semitones @param {number} tempo */
  adopt(song, semitones, tempo) {
    this.song = song;
    this.semitones.value = semitones;
    this.tempo.value = tempo;
    this.show();
    void this.fetch();
  }

  /** @param {unknown} error what was asked of the server was refused, or it does not answer */
  refused(error) {
    if (!(error instanceof ApiError)) throw error;
    this.hooks.failed(error.message, error.suggestions.join('. '));
  }

  show() {
    const { song } = this;
    if (!song) return;
    this.hooks.failed('', '');
    setText(byId('show-title', HTMLElement), song.title);
    const link = byId('ultrastar', HTMLAnchorElement);
    link.href = this.songs.ultrastar(song.song_id);
    link.hidden = song.status !== 'completed';
    this.applyChart();
  }

  /** The chart in the key and at the tempo that are played. */
  applyChart() {
    const { song, tempo } = this;
    this.part = this.hooks.part();
    const chart = song?.parts?.[this.part] ?? song?.parts?.[0] ?? { notes: [], lines: [], tags: {} };
    this.chart = rendered(chart, this.semitones.value, tempo.value);
    this.lanes.setNotes(this.chart.notes);
    this.words.setLines(this.chart.lines);
    this.lanes.draw(0);
    const facts = [song?.key?.name, song?.tempo ? `${Math.round((song.tempo.bpm * tempo.value) / 100)} bpm` : '', ...(song?.notes ?? [])];
    setText(byId('show-facts', HTMLElement), facts.filter(Boolean).join(' · '));
  }

  /** Show the part that is sung now. */
  followPart() {
    if (this.song && this.part !== this.hooks.part()) this.applyChart();
  }

  /** Fetch and decode what is played. */
  async fetch() {
    const { song, hooks } = this;
    if (song?.status !== 'completed') return;
    const turn = ++this.turn;
    this.buffers = null;
    hooks.changed();
    this.applyChart();
    hooks.say('The song is fetched…');
    const context = new OfflineAudioContext(2, 1, RATE);
    try {
      const [accompaniment, guide] = await Promise.all(
        (/** @type {const} */ (['accompaniment', 'guide'])).map((name) =>
          this.songs.track(context, song, name, this.semitones.value, this.tempo.value),
        ),
      );
      if (turn !== this.turn) return;
      this.buffers = { accompaniment, guide };
      hooks.say('');
    } catch (error) {
      if (turn !== this.turn) return;
      hooks.say('');
      if (error instanceof DOMException) return hooks.failed('This browser cannot decode the song.', 'Try another one.');
      this.refused(error);
    }
    hooks.changed();
  }

  /** @param {HTMLInputElement} input */
  async bringLyrics(input) {
    const file = input.files?.[0];
    if (!file || !this.song) return;
    try {
      this.song = await this.songs.bringLyrics(this.song.song_id, file);
      this.show();
    } catch (error) {
      this.refused(error);
    }
    input.value = '';
  }
}
