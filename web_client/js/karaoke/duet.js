/**
 * Two singers on the screen: each has a lane with its own part of the song, a name and points.
 * @module
 */

import { byId, setText } from '../dom.js';
import { rendered } from './chart.js';
import { LanesView } from './lanes-view.js';
import { WordsView } from './words-view.js';

/** @typedef {{ seconds: number, midi: number }} Sung */

/** The other lane: the partner's, or for who listens that of the second singer. */
export class Duet {
  /** @param {LanesView} first the page's own lane: mine, or for who listens that of the first singer */
  constructor(first) {
    this.first = first;
    this.second = new LanesView(byId('lanes-two', HTMLCanvasElement));
    this.words = new WordsView(byId('words-two', HTMLElement), byId('words-two-next', HTMLElement));
    this.names = [byId('lane-one', HTMLElement), byId('lane-two', HTMLElement)];
    /** @type {(number | null)[]} whose lanes these are, by place; null: nobody's, or drawn by the page itself */
    this.places = [null, null];
    /** @type {Sung[][]} by lane: what was sung further on than it is heard here yet */
    this.ahead = [[], []];
    this.shown = '';
  }

  get lanes() {
    return [this.first, this.second];
  }

  /**
   * @param {import('./room.js').Room} room
   * @param {import('./songs.js').Song | null} song
   * @param {number} semitones
   * @param {number} tempo
   */
  show(room, song, semitones, tempo) {
    const { me } = room;
    const singers = [0, 1].map((place) => room.at(place));
    const listens = me?.role === 'listener';
    const second = listens ? singers[1] : room.partner;
    this.places = [listens ? 0 : null, second ? (second.place ?? null) : null];
    for (const id of ['lanes-two', 'lane-two', 'lane-one']) byId(id, HTMLElement).hidden = id !== 'lane-one' && !second;
    const parts = song?.parts ?? [];
    const chart = parts[second?.part ?? 0] ?? parts[0];
    const own = listens ? singers[0]?.part ?? 0 : me?.part ?? 0;
    for (const id of ['words-two', 'words-two-next']) byId(id, HTMLElement).hidden = !second || parts.length < 2 || own === (second.part ?? 0);
    const places = listens ? [0, 1] : [me?.place ?? 0, second?.place ?? 1];
    document.body.dataset.lane = String(places[0]);
    const shown = JSON.stringify([song?.song_id, second?.id, second?.part, song?.has_lyrics, semitones, tempo]);
    if (shown === this.shown || !chart) return;
    this.shown = shown;
    const played = rendered(chart, semitones, tempo);
    this.second.setNotes(played.notes);
    this.words.setLines(played.lines);
  }

  /**
   * @param {import('./room.js').Room} room
   * @param {{ score: number }} mine
   */
  showScores(room, mine) {
    const listens = room.me?.role === 'listener';
    const [one, two] = listens ? [room.at(0), room.at(1)] : [room.me, room.partner];
    setText(this.names[0], one ? `${one.name}${listens ? ` · ${one.score ?? 0} points` : ` · ${mine.score} points`}` : 'Nobody sings here yet');
    setText(this.names[1], two ? `${two.name} · ${two.score ?? 0} points` : '');
  }

  begin() {
    this.ahead = [[], []];
    this.second.clear();
    if (this.places[0] !== null) this.first.clear();
  }

  /** @param {number} singer its place @param {number} seconds @param {number} midi */
  hear(singer, seconds, midi) {
    this.places.forEach((place, lane) => {
      if (place === singer) this.ahead[lane].push({ seconds, midi });
    });
  }

  /** @param {number} seconds into the song */
  draw(seconds) {
    this.ahead.forEach((ahead, lane) => {
      while (ahead.length && ahead[0].seconds <= seconds) {
        const sung = /** @type {Sung} */ (ahead.shift());
        this.lanes[lane].hear(sung.seconds, sung.midi);
      }
    });
    if (this.places[1] !== null) {
      this.second.draw(seconds);
      this.words.draw(seconds);
    }
  }

  close() {
    for (const id of ['lanes-two', 'lane-two', 'lane-one', 'words-two', 'words-two-next']) byId(id, HTMLElement).hidden = true;
    this.places = [null, null];
    this.shown = '';
    delete document.body.dataset.lane;
  }
}
