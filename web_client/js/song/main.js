/**
 * The song page: the open conversion is the one that the address names after `#`.
 * @module
 */

import '../access.js';
import { byId, setText } from '../dom.js';
import { recall, remember } from '../store.js';
import { VoicesView } from '../voices-view.js';
import { FormView } from './form-view.js';
import { HistoryView } from './history-view.js';
import { JobView } from './job-view.js';
import { finished } from './jobs.js';
import { ResultView } from './result-view.js';
import { tapOf } from './tap.js';
import { Watch } from './watch.js';
import { STATES } from './words.js';

const TITLE = document.title;
const { userId, voice: lastVoice } = recall();
remember({ userId });

/** @param {string} id */
const voiceName = (id) => voices.voices.find((voice) => voice.id === id)?.name ?? id;

const lamp = byId('lamp', HTMLElement);
const jobView = new JobView(userId, voiceName);
const resultView = new ResultView(userId, voiceName);
const historyView = new HistoryView(userId, voiceName);
const voices = new VoicesView(
  userId,
  lastVoice,
  (id) => {
    remember({ voice: id });
    form.enable();
  },
  (reached) => {
    form.enable(reached);
    jobView.showFacts(); // names of voices are shown in places that were filled before they were known
    resultView.showDownloads();
    historyView.show();
    showStatus(reached);
  },
);
const form = new FormView(userId, () => voices.current?.id ?? null, (job) => {
  location.hash = job.conversion_id;
  goToAddressed();
  void historyView.load();
});

/** @type {Watch | null} */
let watch = null;

/** @param {boolean} reached whether the server answers */
function showStatus(reached) {
  const status = watch?.job?.status;
  const going = status !== undefined && !finished(status);
  lamp.dataset.state = !reached ? 'stopped' : going ? 'waiting' : 'live';
  setText(byId('status', HTMLElement), !reached ? 'The server does not answer' : going ? STATES[status] : 'Ready');
  document.title = going && status === 'processing' ? `${Math.floor(watch?.job?.progress ?? 0)} % – ${TITLE}` : TITLE;
}

/** Open what the address names. */
function openAddressed() {
  const id = location.hash.slice(1);
  if (watch && watch.id === id) return;
  watch?.stop();
  watch = null;
  resultView.hide();
  const known = /^[\w-]{8,64}$/.test(id);
  historyView.mark(known ? id : '');
  if (!known) {
    jobView.hide();
    return showStatus(form.reached);
  }
  jobView.wait();
  watch = new Watch(
    id,
    userId,
    (job) => {
      jobView.show(job);
      historyView.update(job);
      if (job.status === 'completed') resultView.show(job);
      showStatus(true);
    },
    (trouble, final) => {
      jobView.trouble(trouble, final);
      showStatus(trouble.status !== 0);
    },
  );
}

/** Open it and bring the reader there. */
function goToAddressed() {
  const before = watch;
  openAddressed();
  if (!watch || watch === before) return;
  jobView.card.scrollIntoView({ block: 'start' });
  jobView.title.focus({ preventScroll: true });
}

addEventListener('hashchange', goToAddressed);
byId('skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault(); // the address names the open conversion
  form.file.focus();
});

/** What integrators and tests may read (docs/page.md). */
const open = Object.freeze({
  snapshot: () => ({
    conversion: watch?.id ?? null,
    status: watch?.job?.status ?? null,
    progress: watch?.job?.progress ?? null,
    stage: watch?.job?.current_stage ?? null,
    way: watch?.way ?? 'none',
    playing: resultView.player?.playing ?? false,
    position: resultView.player?.position ?? 0,
    duration: resultView.player?.duration ?? 0,
    heard: resultView.player?.heard ?? null,
    tracks: [...(resultView.player?.buffers.keys() ?? [])],
  }),
  /** @param {number} seconds */
  tap: async (seconds) => {
    if (!resultView.player) throw new Error('nothing is open');
    return tapOf(resultView.player, seconds);
  },
});
Object.defineProperty(globalThis, 'autovoice', { value: open });

setText(byId('status', HTMLElement), 'Loading…');
openAddressed();
void voices.load();
void historyView.load();
