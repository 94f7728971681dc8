/**
 * A room as one of its members knows it: who is there, when the song begins by this browser's clock, and the line to
 * it. Knows no page.
 * @module
 */

import { ask, sendJson } from '../api.js';
import { timeHeard } from '../output-latency.js';
import { SAMPLE_RATE } from '../protocol.js';

const BASE = '/api/v1/karaoke/rooms';
/** How much later than the singers a listener hears everything, so that all of it is there in time. */
export const LISTENER_DELAY_MS = 1000;

/**
 * @typedef {'singer' | 'listener'} Role
 * @typedef {object} Member
 * @property {string} id
 * @property {string} name
 * @property {Role} role
 * @property {boolean} host
 * @property {boolean} present
 * @property {number} [place] of a singer: 0 or 1
 * @property {number} [part]
 * @property {boolean} [ready]
 * @property {string | null} [voice]
 * @property {number} [score]
 * @property {number} [streak]
 * @typedef {object} RoomState
 * @property {string} code
 * @property {string} song_id
 * @property {string} title
 * @property {number} seconds
 * @property {number} semitones
 * @property {number} tempo
 * @property {number} run how many times the song was begun
 * @property {number | null} starts_at_ms by the server's clock
 * @property {Member[]} members
 * @typedef {object} Hooks
 * @property {() => void} onState it is not as it was
 * @property {(pitch: import('./room-worker.js').SungPitch) => void} onPitch
 * @property {(words: string, over: boolean) => void} onTrouble
 */

/**
 * @param {string} userId
 * @param {{ song_id: string, semitones: number, tempo: number }} stage
 * @returns {Promise<RoomState & { token: string }>}
 * @throws {ApiError}
 */
export function openRoom(userId, stage) {
  return sendJson('POST', `${BASE}?${new URLSearchParams({ user_id: userId })}`, stage);
}

/** From coming in to leaving. */
export class Room {
  /**
   * @param {string} code as somebody wrote it
   * @param {Hooks} hooks
   */
  constructor(code, hooks) {
    this.code = code.toUpperCase().replace(/[^0-9A-Z]/g, '');
    this.hooks = hooks;
    /** @type {RoomState | null} */
    this.state = null;
    this.myId = '';
    this.token = '';
    /** @type {number | null} the server's time less this browser's, ms */
    this.offsetMs = null;
    this.roundTripMs = 0;
    this.dropped = 0; // messages of audio that this page was too slow for, as the server counts
    this.up = false;
    this.over = false;
    this.worker = new Worker(new URL('./room-worker.js', import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }) => this.told(data);
  }

  get path() {
    return `${BASE}/${encodeURIComponent(this.code)}`;
  }

  /** @returns {Promise<RoomState & { song: import('./songs.js').Song }>} the room and its song @throws {ApiError} */
  look() {
    return ask(this.path);
  }

  /**
   * @param {Role} role
   * @param {string} name
   * @param {string | null} token to come back with, or the host's
   */
  join(role, name, token) {
    const url = new URL(`/ws/room/${encodeURIComponent(this.code)}`, location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.worker.postMessage({ type: 'open', url: url.href, join: { role, name, token } });
  }

  /** Let this browser sing in the process that has the room, and without a key of its own. @throws {ApiError} */
  async becomeSinger() {
    await sendJson('POST', `${this.path}/singer`, { token: this.token });
  }

  /** @param {import('./room-worker.js').FromRoomWorker} data */
  told(data) {
    switch (data.type) {
      case 'pitch':
        this.hooks.onPitch(data.pitch);
        break;
      case 'clock':
        this.offsetMs = data.offsetMs;
        this.roundTripMs = data.roundTripMs;
        break;
      case 'line':
        this.up = data.up;
        if (!data.up) void this.lost(data.attempt);
        this.hooks.onState();
        break;
      case 'message':
        this.heard(data.message);
        break;
    }
  }

  /** @param {number} attempt */
  async lost(attempt) {
    this.hooks.onTrouble('The line to the room is lost. Coming back by itself…', false);
    if (attempt === 0) return;
    try {
      await this.look();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'room_not_found') this.end('The room is closed.');
    }
  }

  /** @param {import('./room-worker.js').Message} message */
  heard(message) {
    switch (message.type) {
      case 'joined':
        this.myId = message.you;
        this.token = message.token;
        this.hooks.onTrouble('', false);
        break;
      case 'room':
        this.state = /** @type {RoomState} */ (/** @type {unknown} */ (message));
        this.hooks.onState();
        break;
      case 'score': {
        const singer = this.at(message.singer);
        if (singer) Object.assign(singer, { score: message.score, streak: message.streak });
        break;
      }
      case 'pong':
        this.dropped = message.dropped;
        break;
      case 'error': {
        const words = [message.message, ...message.suggestions].join('. ');
        if (message.fatal) this.end(words);
        else this.hooks.onTrouble(words, false);
        break;
      }
      case 'closed':
        this.end(`The room is closed: ${message.message}.`);
        break;
    }
  }

  /** @param {string} words */
  end(words) {
    if (this.over) return;
    this.over = true;
    this.worker.terminate();
    this.hooks.onTrouble(words, true);
  }

  /** @param {{ type: string } & Record<string, unknown>} message */
  send(message) {
    if (!this.over) this.worker.postMessage({ type: 'send', message });
  }

  /** @param {MessagePort} port that takes the voices */
  attach(port) {
    this.worker.postMessage({ type: 'attach', port }, [port]);
  }

  /** Go for good. */
  leave() {
    if (this.over) return;
    this.over = true;
    this.worker.postMessage({ type: 'close' });
    setTimeout(() => this.worker.terminate(), 500);
  }

  get me() {
    return this.state?.members.find(({ id }) => id === this.myId) ?? null;
  }

  /** Those who sing, by their places. */
  get singers() {
    const singers = this.state?.members.filter(({ role }) => role === 'singer') ?? [];
    return singers.sort((a, b) => (a.place ?? 0) - (b.place ?? 0));
  }

  get partner() {
    const { me } = this;
    return me?.role === 'singer' ? (this.singers.find(({ id }) => id !== me.id) ?? null) : null;
  }

  /** @param {number} place */
  at(place) {
    return this.singers.find((singer) => singer.place === place) ?? null;
  }

  /** Milliseconds from now to the song's first sample; null while it is not on, or the time is not known yet. */
  get startsInMs() {
    const startsAt = this.state?.starts_at_ms ?? null;
    if (startsAt === null || this.offsetMs === null) return null;
    return startsAt - this.offsetMs - (performance.timeOrigin + performance.now());
  }

  /**
   * @param {AudioContext} context that runs
   * @param {number} laterMs than the room's
   * @returns {number | null} its frame at which the song's first sample leaves the page, so as to be heard in time
   */
  firstFrame(context, laterMs) {
    const inMs = this.startsInMs;
    if (inMs === null) return null;
    return Math.round((timeHeard(context) + (inMs + laterMs) / 1000) * SAMPLE_RATE);
  }
}
