/**
 * One's conversions, the newest first.
 * @module
 */

import { ApiError } from '../api.js';
import { byId, make, setText } from '../dom.js';
import { finished, listJobs } from './jobs.js';
import { STATES, sentence, withoutSuffix } from './words.js';

const AT_A_TIME = 20;
const MOST = 200;
const AGAIN_MS = 4000; // while something is going on, or the server does not answer

/** A list of links; the open one is marked. */
export class HistoryView {
  /**
   * @param {string} userId
   * @param {(id: string) => string} voiceName
   */
  constructor(userId, voiceName) {
    this.userId = userId;
    this.voiceName = voiceName;
    this.list = byId('songs', HTMLElement);
    this.note = byId('history-note', HTMLElement);
    this.older = byId('older', HTMLButtonElement);
    this.limit = AT_A_TIME;
    /** @type {import('./jobs.js').Job[]} */
    this.jobs = [];
    this.open = '';
    this.timer = 0;
    this.older.addEventListener('click', () => {
      this.limit = Math.min(MOST, this.limit + AT_A_TIME);
      void this.load();
    });
  }

  async load() {
    clearTimeout(this.timer);
    let again = false;
    try {
      const { jobs, total } = await listJobs(this.userId, this.limit);
      this.jobs = jobs;
      this.older.hidden = jobs.length >= total || this.limit >= MOST;
      setText(this.note, jobs.length ? '' : 'None yet. What you convert is kept here for a day.');
      this.show();
      again = jobs.some((job) => !finished(job.status));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(this.note, `${sentence(error.message)} Asking again…`);
      again = true;
    }
    clearTimeout(this.timer);
    if (again) this.timer = setTimeout(() => void this.load(), AGAIN_MS);
  }

  /** @param {string} id that is open now, or none */
  mark(id) {
    this.open = id;
    for (const link of this.list.querySelectorAll('a')) {
      if (link.hash === `#${id}`) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
  }

  /** @param {import('./jobs.js').Job} job news of one */
  update(job) {
    const at = this.jobs.findIndex((one) => one.conversion_id === job.conversion_id);
    if (at < 0) return;
    this.jobs[at] = job;
    const state = this.list.children[at]?.querySelector('.song-state');
    if (state instanceof HTMLElement) setText(state, stateOf(job));
  }

  show() {
    const focused = document.activeElement instanceof HTMLAnchorElement && this.list.contains(document.activeElement)
      ? document.activeElement.hash
      : null;
    this.list.replaceChildren(...this.jobs.map((job) => this.item(job)));
    this.mark(this.open);
    if (focused) [...this.list.querySelectorAll('a')].find((link) => link.hash === focused)?.focus();
  }

  /** @param {import('./jobs.js').Job} job */
  item(job) {
    const made = new Date(job.created_at);
    const when = Number.isNaN(made.getTime())
      ? ''
      : made.toLocaleString(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
    const facts = [this.voiceName(String(job.request.voice_id)), job.request.preset, when].filter(Boolean).join(' · ');
    const link = make('a', { href: `#${job.conversion_id}`, className: 'song-link' }, [
      make('span', { className: 'song-name', textContent: withoutSuffix(job.song_name ?? '') || 'Song' }),
      make('span', { className: 'song-state', textContent: stateOf(job) }),
      make('span', { className: 'song-facts', textContent: facts }),
    ]);
    return make('li', {}, [link]);
  }
}

/** @param {import('./jobs.js').Job} job */
const stateOf = (job) =>
  job.status === 'processing' ? `${Math.floor(job.progress)} %` : (STATES[job.status] ?? job.status);
