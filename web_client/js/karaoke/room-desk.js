/**
 * What a room changes on the karaoke page: which song is open, when it begins, who else is heard and seen.
 * @module
 */

import { ApiError } from '../api.js';
import { midiOf } from '../notes.js';
import { SAMPLE_RATE } from '../protocol.js';
import { recall, remember } from '../store.js';
import { Duet } from './duet.js';
import { Listening } from './listening.js';
import { PartnerSound } from './partner-sound.js';
import { openRoom, Room } from './room.js';
import { openProbe } from './room-probe.js';
import { RoomSinger } from './room-singer.js';
import { RoomView } from './room-view.js';

const TICK_MS = 250;
const SCORE_EVERY_TICKS = 2;
const LEAST_LEFT_MS = 3000; // of a song that somebody joins

/**
 * @typedef {import('./songs.js').Song} Song
 * @typedef {object} Page what the page lets a room do
 * @property {() => { song_id: string, semitones: number, tempo: number } | null} stage the song that is open, once it can be sung
 * @property {(song: Song, semitones: number, tempo: number) => void} adopt show the song of the room
 * @property {() => void} changed the room is not as it was
 * @property {() => void} finish the song is over for all
 * @property {() => void} stop singing and open nothing
 * @property {() => Record<import('./backing.js').TrackName, AudioBuffer> | null} buffers
 * @property {() => Record<string, string>} voices names by id
 * @property {() => void} loadVoices
 * @property {(seconds: number) => void} drawFirst lane, words and all, for who listens
 * @property {import('./lanes-view.js').LanesView} lanes
 * @property {import('./awake.js').Awake} awake
 * @property {import('./songs.js').Songs} songs
 * @property {string} userId
 */

/** One page's way into rooms and out of them. */
export class RoomDesk {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    /** @type {Room | null} */
    this.room = null;
    /** @type {Listening | null} */
    this.listening = null;
    this.partner = new PartnerSound();
    this.singer = new RoomSinger((work) => this.attempt(work), () => this.page.loadVoices());
    /** @type {Song | null} */
    this.song = null;
    this.run = 0; // of the song that is sung here
    this.coming = false; // into a room
    this.ticks = 0;
    this.points = { score: 0, streak: 0 };
    this.duet = new Duet(page.lanes);
    this.view = new RoomView({
      onOpen: () => void this.enter(() => this.open()),
      onJoin: (role) => void this.enter(() => this.join(this.view.code.value, role, null)),
      onLeave: () => this.leave(''),
      onStart: () => this.room?.send({ type: 'start' }),
      onPart: (part) => this.room?.send({ type: 'part', part }),
      onPartnerVolume: () => this.partner.applyVolume(),
    });
    this.view.name.value = recall().name;
    this.view.name.addEventListener('change', () => remember({ name: this.view.name.value }));
    this.view.code.value = new URLSearchParams(location.search).get('room') ?? '';
    this.invited = this.view.code.value !== ''; // somebody asked this page into a room: it has none of its own
    this.outside();
    openProbe(this);
    this.timer = setInterval(() => this.tick(), TICK_MS);
    addEventListener('pagehide', () => this.room?.worker.terminate()); // the place is kept for who reloads
  }

  outside() {
    document.body.dataset.room = this.invited ? 'invited' : '';
  }

  get inside() {
    return this.room !== null;
  }

  get listens() {
    return this.listening !== null;
  }

  /** The part of the song that is sung or read here. */
  get part() {
    const { room } = this;
    return (room?.me?.role === 'listener' ? room.at(0) : room?.me)?.part ?? 0;
  }

  /** @param {() => Promise<void>} work */
  async attempt(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.view.say([error.message, ...error.suggestions].join('. '));
    }
  }

  /** @param {() => Promise<void>} work that leads into a room; one at a time, however often is clicked */
  async enter(work) {
    if (this.room || this.coming) return;
    this.coming = true;
    try {
      await this.attempt(work);
    } finally {
      this.coming = false;
    }
  }

  async open() {
    const stage = this.page.stage();
    if (!stage) return;
    const made = await openRoom(this.page.userId, stage);
    await this.join(made.code, 'singer', made.token);
  }

  /**
   * @param {string} code
   * @param {import('./room.js').Role} role
   * @param {string | null} token the host's
   */
  async join(code, role, token) {
    this.view.say('');
    const room = new Room(code, {
      onState: () => this.changed(),
      onPitch: (pitch) => this.sung(pitch),
      onTrouble: (words, over) => {
        if (this.room !== room) return;
        if (over) this.leave(words);
        else this.view.say(words);
      },
    });
    try {
      const { song, semitones, tempo, code: shown } = await room.look();
      this.page.stop();
      if (role === 'listener') {
        await this.page.awake.keep();
        this.listening = await Listening.open();
      }
      this.room = room;
      this.song = song;
      this.page.songs.shared = { id: song.song_id, url: `${room.path}/audio` };
      this.name(shown);
      this.page.adopt(song, semitones, tempo);
      const kept = sessionStorage.getItem(`room ${room.code} ${role}`);
      room.join(role, this.view.name.value.trim() || 'Somebody', token ?? kept);
      if (this.listening) room.attach(this.listening.voices.port());
    } catch (error) {
      room.end('');
      throw error;
    }
    this.changed();
  }

  /** @param {string | null} code the address tells which room this is */
  name(code) {
    const url = new URL(location.href);
    if (code) url.searchParams.set('room', code);
    else url.searchParams.delete('room');
    history.replaceState(null, '', url);
  }

  /** @param {string} words why */
  leave(words) {
    const { room } = this;
    if (!room) return;
    this.room = null;
    this.singer.leave();
    room.leave();
    sessionStorage.removeItem(`room ${room.code} ${room.me?.role}`);
    this.page.stop();
    this.listening?.close();
    this.listening = null;
    this.partner.leave();
    this.song = null;
    this.page.songs.shared = null;
    this.run = 0;
    if (!this.invited) this.name(null);
    this.view.show(null, {}, 0);
    this.outside();
    this.view.say(words);
    this.duet.close();
    this.view.count(0);
    this.page.changed();
  }

  /** Something about the room is not as it was. */
  changed() {
    const { room } = this;
    if (!room) return;
    this.singer.follow(room);
    this.duet.show(room, this.song, room.state?.semitones ?? 0, room.state?.tempo ?? 100);
    this.view.show(room, this.page.voices(), this.song?.parts?.length ?? 1);
    if (room.state?.starts_at_ms === null && this.run) {
      this.run = 0;
      this.partner.voices?.end();
      this.page.finish();
    }
    this.page.changed();
    this.tick();
  }

  /** @param {boolean} ready whether the song may begin for who sings here */
  setReady(ready) {
    this.singer.setReady(ready);
  }

  /** @param {string} token of the live session by which is sung here */
  singsBy(token) {
    this.singer.singsBy(token);
  }

  /** @param {import('../audio-graph.js').AudioGraph} graph on which is measured and sung */
  prepare(graph) {
    return this.partner.prepare(graph);
  }

  /** @param {import('./backing.js').Backing} backing the song under who sings here */
  hang(backing) {
    this.partner.hang(backing, this.room);
  }

  /**
   * The song begins here.
   * @param {AudioContext} context
   * @returns {number | null} the context's frame of its first sample; null while it is not on
   */
  first(context) {
    const { room, partner } = this;
    const startsInMs = room?.startsInMs ?? null;
    if (!room?.state || partner.room !== room || !partner.voices || startsInMs === null) return null;
    if (startsInMs + 1000 * room.state.seconds < LEAST_LEFT_MS) return null;
    const frame = room.firstFrame(context, 0);
    if (frame === null) return null;
    this.run = room.state.run;
    this.singer.sent = '';
    partner.voices.begin(frame);
    this.duet.begin();
    return frame;
  }

  /** @param {number} position the live session's captured sample that belongs to the song's first one */
  anchor(position) {
    this.singer.anchor(this.run, position);
  }

  /** Who sings here has stopped. */
  stopped() {
    if (!this.run) return;
    this.partner.voices?.end();
    this.room?.send({ type: 'score', ...this.points });
    this.run = 0;
  }

  /** Who sings here stops the song for all. */
  stop() {
    this.room?.send({ type: 'stop' });
  }

  /** @param {import('./room-worker.js').SungPitch} pitch */
  sung({ singer, position, hop, f0_hz }) {
    f0_hz.forEach((hz, i) => {
      const seconds = (position + i * hop) / SAMPLE_RATE;
      this.duet.hear(singer, seconds, hz > 0 ? midiOf(hz) : NaN);
    });
  }

  /** @param {number} score @param {number} streak of who sings here */
  scored(score, streak) {
    this.points = { score, streak };
  }

  /** @param {number} seconds into the song */
  draw(seconds) {
    if (this.room) this.duet.draw(seconds);
  }

  tick() {
    const { room, listening } = this;
    this.view.enable(this.page.stage() !== null);
    if (!room) return;
    this.view.showDelay(room, (listening?.voices ?? this.partner.voices)?.reports ?? []);
    this.duet.showScores(room, this.points);
    this.view.count(room.startsInMs ?? 0);
    if (this.run && !this.listens && ++this.ticks % SCORE_EVERY_TICKS === 0) this.room?.send({ type: 'score', ...this.points });
    const buffers = this.page.buffers();
    if (listening && buffers && room.state?.starts_at_ms && room.state.run !== listening.run) {
      if (!listening.begin(room, buffers)) return;
      this.run = listening.run;
      this.duet.begin();
      this.listen();
    }
    if (listening && !room.state?.starts_at_ms && listening.playing) {
      listening.end();
      this.run = 0;
    }
  }

  listen() {
    const { listening } = this;
    if (!listening?.playing) return;
    const { position } = listening;
    this.page.drawFirst(position);
    this.duet.draw(position);
    requestAnimationFrame(() => this.listen());
  }

  /** @param {import('./backing.js').TrackName} name @param {number} volume 0..1 */
  setVolume(name, volume) {
    this.listening?.backing.setVolume(name, volume);
  }

  /** @param {number} volume 0..1 of the voices, for who listens */
  setVoices(volume) {
    for (const place of [0, 1]) this.listening?.voices.setVolume(place, volume);
  }
}

