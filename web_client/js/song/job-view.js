/**
 * The open conversion on its way: stages, time left, cancel, and what went wrong.
 * @module
 */

import { ApiError } from '../api.js';
import { byId, make, setText } from '../dom.js';
import { STAGES, cancelJob, finished } from './jobs.js';
import { STAGE_NAMES, STATES, failureOf, failureOfJob, roughly, sentence, timeLeft, withoutSuffix } from './words.js';

/** Shows a job; the result has a view of its own. */
export class JobView {
  /**
   * @param {string} userId
   * @param {(id: string) => string} voiceName
   */
  constructor(userId, voiceName) {
    this.userId = userId;
    this.voiceName = voiceName;
    this.card = byId('job', HTMLElement);
    this.title = byId('job-title', HTMLElement);
    this.button = byId('cancel', HTMLButtonElement);
    /** @type {import('./jobs.js').Job | null} */
    this.job = null;
    this.cancelling = false;
    this.bars = STAGES.map((stage) => {
      const id = `stage-${stage}`;
      const name = make('label', { htmlFor: id, className: 'stage-name', textContent: STAGE_NAMES[stage] });
      const bar = make('progress', { id, max: 100, value: 0 });
      const share = make('span', { className: 'stage-share' });
      const row = make('li', { className: 'stage-row' }, [name, bar, share]);
      byId('stages', HTMLElement).append(row);
      return { row, bar, share };
    });
    this.button.addEventListener('click', () => void this.cancel());
  }

  /** Nothing is open. */
  hide() {
    this.job = null;
    this.card.hidden = true;
  }

  /** Something is to be opened, and nothing is known of it yet. */
  wait() {
    this.job = null;
    this.cancelling = false;
    this.card.hidden = false;
    setText(this.title, 'Song');
    setText(byId('job-facts', HTMLElement), '');
    setText(byId('job-state', HTMLElement), 'Asking the server…');
    byId('progress', HTMLElement).hidden = true;
    this.showNotes([]);
    this.fail(null);
  }

  /** @param {import('./jobs.js').Job} job */
  show(job) {
    this.job = job;
    this.card.hidden = false;
    setText(this.title, withoutSuffix(job.song_name ?? '') || 'Song');
    this.showFacts();
    const ended = finished(job.status);
    byId('progress', HTMLElement).hidden = ended;
    setText(byId('job-state', HTMLElement), this.stateWords(job));
    this.fail(failureOfJob(job));
    this.showNotes(job.notes);
    if (!ended) this.showStages(job);
  }

  /** The names of voices may become known later than the job. */
  showFacts() {
    if (!this.job) return;
    const { request } = this.job;
    const facts = [this.voiceName(String(request.voice_id)), request.preset, request.output_format];
    setText(byId('job-facts', HTMLElement), facts.filter(Boolean).join(' · '));
  }

  /** @param {import('./jobs.js').Job} job */
  stateWords(job) {
    if (this.cancelling && !finished(job.status)) return 'Being cancelled…';
    if (job.status === 'completed' || failureOfJob(job)) return '';
    if (job.status === 'processing') return '';
    if (job.status !== 'queued') return `${STATES[job.status]}.`;
    const before = job.queue_position ?? 0;
    if (job.error?.message) return `${sentence(job.error.message)} It is tried again.`;
    return before ? `In the queue, ${before} before it.` : 'In the queue, next.';
  }

  /** @param {import('./jobs.js').Job} job */
  showStages(job) {
    const current = job.stage_details ? job.stage_details.stage - 1 : -1;
    this.bars.forEach(({ row, bar, share }, i) => {
      const percent = i < current ? 100 : i > current ? 0 : (job.stage_details?.stage_progress ?? 0);
      bar.value = percent;
      row.classList.toggle('now', i === current);
      row.classList.toggle('done', percent >= 100);
      setText(share, i > current ? '' : `${Math.floor(percent)} %`);
    });
    const left = job.estimated_time_remaining_seconds;
    const known = typeof left === 'number';
    const words = job.status === 'queued'
      ? [known ? `It takes about ${roughly(left)} once it begins.` : '']
      : [`${Math.floor(job.progress)} %`, known ? timeLeft(left) : ''];
    setText(byId('remaining', HTMLElement), words.filter(Boolean).join(' · '));
    this.button.disabled = this.cancelling;
  }

  /** @param {string[]} notes */
  showNotes(notes) {
    const list = byId('job-notes', HTMLElement);
    list.hidden = notes.length === 0;
    if (notes.join('\n') === [...list.children].map((item) => item.textContent).join('\n')) return;
    list.replaceChildren(...notes.map((note) => make('li', { textContent: note })));
  }

  /** @param {import('./words.js').Failure | null} why */
  fail(why) {
    const box = byId('job-failure', HTMLElement);
    box.hidden = why === null;
    box.dataset.code = why?.code ?? '';
    setText(byId('job-failure-title', HTMLElement), why?.title ?? '');
    setText(byId('job-failure-advice', HTMLElement), why?.advice ?? '');
  }

  /** @param {ApiError} error @param {boolean} final nothing more will be known */
  trouble(error, final) {
    this.fail(failureOf(error));
    if (!final) return;
    byId('progress', HTMLElement).hidden = true;
    setText(byId('job-state', HTMLElement), '');
  }

  async cancel() {
    if (!this.job) return;
    const id = this.job.conversion_id;
    this.cancelling = true;
    this.button.disabled = true;
    setText(byId('job-state', HTMLElement), 'Being cancelled…');
    try {
      await cancelJob(id, this.userId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.job?.conversion_id !== id || finished(this.job.status)) return;
      this.cancelling = false;
      this.button.disabled = false;
      if (error.code !== 'conversion_finished') this.trouble(error, false);
    }
  }
}
