/**
 * Follows one conversion to its end: by socket, and by asking every second when the socket fails.
 * @module
 */

import { ApiError } from '../api.js';
import { finished, socketUrl, statusOf } from './jobs.js';

const ASK_MS = 1000; // without a socket
const FACTS_MS = 2000; // with one: it does not tell the time remaining and the place in the queue
const SILENCE_MS = 5000; // the server speaks once a second

/** Tells of a job until it is finished, lost or no longer wanted. */
export class Watch {
  /**
   * @param {string} id
   * @param {string} userId
   * @param {(job: import('./jobs.js').Job) => void} onJob whenever something is known, in full
   * @param {(trouble: ApiError, final: boolean) => void} onTrouble `final`: it is not asked again
   */
  constructor(id, userId, onJob, onTrouble) {
    this.id = id;
    this.userId = userId;
    this.onJob = onJob;
    this.onTrouble = onTrouble;
    this.stopped = false;
    /** @type {'none' | 'socket' | 'asking'} */
    this.way = 'none';
    /** @type {import('./jobs.js').Job | null} */
    this.job = null;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.timer = 0;
    this.silence = 0;
    void this.start();
  }

  /** No more news. */
  stop() {
    this.stopped = true;
    this.hangUp();
    clearTimeout(this.timer);
  }

  async start() {
    if (await this.learn()) this.listen();
  }

  /**
   * Ask for the status document.
   * @returns {Promise<boolean>} whether the socket may be tried
   */
  async learn() {
    try {
      const job = await statusOf(this.id, this.userId);
      if (this.stopped) return false;
      this.tell(job);
      return !finished(job.status);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.stopped) return false;
      const final = error.status >= 400 && error.status < 500;
      if (final) this.stop();
      this.onTrouble(error, final);
      if (!final) this.askLater();
      return false;
    }
  }

  /** @param {import('./jobs.js').Job} job */
  tell(job) {
    this.job = job;
    if (finished(job.status)) this.stop();
    this.onJob(job);
  }

  listen() {
    this.way = 'socket';
    this.socket = new WebSocket(socketUrl(this.id, this.userId));
    this.socket.onmessage = (event) => this.hear(event.data);
    this.socket.onclose = () => this.fallBack();
    this.expectWords();
    this.timer = setTimeout(() => void this.learnFacts(), FACTS_MS);
  }

  expectWords() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.fallBack(), SILENCE_MS);
  }

  /** @param {unknown} data */
  hear(data) {
    if (this.stopped || !this.job) return;
    this.expectWords();
    /** @type {Partial<import('./jobs.js').Job> & { type?: string }} */
    let message;
    try {
      message = JSON.parse(String(data));
    } catch {
      return this.fallBack(); // no server of ours: the other way is safer
    }
    if (!message.status) return this.fallBack(); // the server refuses; asking tells why in full
    if (finished(message.status)) {
      this.hangUp();
      clearTimeout(this.timer);
      return void this.keepAsking(); // the status document is the last word
    }
    this.tell({ ...this.job, ...message });
  }

  async learnFacts() {
    try {
      const job = await statusOf(this.id, this.userId);
      if (this.stopped || this.way !== 'socket') return;
      this.tell(job);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.stopped || this.way !== 'socket') return;
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.learnFacts(), FACTS_MS);
  }

  hangUp() {
    clearTimeout(this.silence);
    if (!this.socket) return;
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
    this.socket = null;
  }

  fallBack() {
    this.hangUp();
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.way = 'asking';
    void this.keepAsking();
  }

  async keepAsking() {
    if (await this.learn()) this.askLater();
  }

  askLater() {
    this.way = 'asking';
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.keepAsking(), ASK_MS);
  }
}
