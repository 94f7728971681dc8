/**
 * The page: binds the session to what is seen.
 * @module
 */

import './access.js';
import { BlendView } from './blend-view.js';
import { ControlsView } from './controls-view.js';
import { DelayView } from './delay-view.js';
import { DevicesView } from './devices-view.js';
import { byId, setText } from './dom.js';
import { Meter } from './meters.js';
import { noteName } from './notes.js';
import { PitchView } from './pitch-view.js';
import { Recorder } from './recorder.js';
import { Session } from './session.js';
import { snapshotOf } from './snapshot.js';
import { recall, remember } from './store.js';
import { VoicesView } from './voices-view.js';
import { failure } from './words.js';

const FIGURES_EVERY_MS = 250;

/** @type {Record<import('./session.js').SessionState, string>} */
const STATES = {
  idle: 'Ready',
  opening: 'Opening the sound…',
  connecting: 'Connecting…',
  greeting: 'Connecting…',
  live: 'Live',
  waiting: 'Reconnecting…',
  stopped: 'Stopped',
};

// For measurements and integrators (docs/page.md): ?converter=passthrough, ?latency=interactive, ?transport=data.
const query = new URLSearchParams(location.search);
const memory = recall();
remember({ userId: memory.userId }); // whose voices these are

/**
 * @param {string} name
 * @returns {import('./carrier.js').Wanted}
 */
function transportOf(name) {
  return name === 'websocket' || name === 'data' || name === 'track' ? name : 'auto';
}

const status = byId('status', HTMLElement);
const startButton = byId('start', HTMLButtonElement);
const phraseButton = byId('phrase', HTMLButtonElement);
const retryButton = byId('retry', HTMLButtonElement);
const failureBox = byId('failure', HTMLElement);
const notice = byId('notice', HTMLElement);
const volume = byId('volume', HTMLInputElement);

const meters = { input: new Meter(byId('meter-in', HTMLElement)), output: new Meter(byId('meter-out', HTMLElement)) };
const pitchView = new PitchView(byId('pitch-line', HTMLCanvasElement));
const delayView = new DelayView();

const session = new Session(
  {
    onState: showState,
    onNotice: (words) => setText(notice, words),
    onRefused: refused,
    onReport: (report) => {
      meters.input.show(report.input);
      meters.output.show(report.output);
      pitchView.advance(report.captured);
    },
    onPitch: (pitch) => {
      pitchView.add(pitch);
      showNotes();
    },
    onTake: (take) => recorder.add(take, blendView.name),
    onRecording: (seconds) => recorder.tick(seconds),
  },
  {
    userId: memory.userId,
    converter: query.get('converter'),
    hint: query.get('latency') === 'interactive' ? 'interactive' : 0,
    transport: transportOf(query.get('transport') ?? memory.transport),
  },
);
Object.assign(session.controls, memory.controls);
session.sound.source.microphoneId = memory.microphone;
session.sound.outputId = memory.output;

const recorder = new Recorder((on) => session.record(on));

new ControlsView(session.controls, (change) => {
  session.setControls(change);
  remember({ controls: { ...session.controls } });
});

const blendView = new BlendView((blend) => {
  session.setBlend(blend);
  showVoices();
});

const voices = new VoicesView(
  memory.userId,
  memory.voice,
  (id) => {
    blendView.offer(voices.voices, voices.current);
    if (session.setVoice(id, voices.current?.kind ?? '')) void beginAnew();
    remember({ voice: id });
    showVoices();
    enable();
  },
  (reached) => {
    if (!reached) showFailure(failure('no_voices'), false);
    else if (session.failure === null && isSecureContext) showFailure(null, false);
    if (!session.running) setText(status, reached ? STATES[session.state] : 'The server does not answer');
  },
  true,
);

const devices = new DevicesView(
  memory,
  (id) => {
    remember({ microphone: id });
    void session.setMicrophone(id).then(() => devices.show(session.sound.source.facts));
  },
  (id) => {
    remember({ output: id });
    void session.sound.setOutput(id);
  },
);

const transport = byId('transport', HTMLSelectElement);
transport.value = session.options.transport;
transport.addEventListener('change', () => {
  session.setTransport(transportOf(transport.value));
  remember({ transport: session.options.transport });
});

startButton.addEventListener('click', () => toggle('microphone'));
phraseButton.addEventListener('click', () => toggle('phrase'));
retryButton.addEventListener('click', () => (session.running ? session.retry() : toggle(session.sound.source.kind)));

volume.addEventListener('input', () => setVolume(Number(volume.value) / 100));

/** @param {number} share 0..1 */
function setVolume(share) {
  session.sound.setVolume(share);
  volume.style.setProperty('--filled', `${share * 100}%`);
  remember({ volume: share });
}

/** @param {'microphone' | 'phrase'} source */
async function toggle(source) {
  if (session.running) {
    session.stop();
    return;
  }
  setText(notice, '');
  await session.start(source);
  devices.show(session.sound.source.facts);
  await devices.load();
}

/** The picked voice is sung by another converter than the one that sings now. */
async function beginAnew() {
  session.stop();
  await session.start(session.sound.source.kind);
  if (session.running) setText(notice, 'This kind of voice is sung in another way: the session began anew.');
}

function showVoices() {
  setText(byId('heard-name', HTMLElement), `You hear ${blendView.name}`);
}

function enable() {
  const possible = voices.current !== null || session.running;
  startButton.disabled = !possible;
  phraseButton.disabled = !possible || session.running;
  recorder.enable(session.running && session.state !== 'opening');
}

/**
 * @param {import('./session.js').SessionState} state
 * @param {import('./words.js').Failure | null} why
 * @param {number} retryMs
 */
function showState(state, why, retryMs) {
  document.body.dataset.state = state;
  const seconds = Math.max(1, Math.round(retryMs / 1000));
  setText(status, state === 'waiting' ? `Trying again in ${seconds} s` : STATES[state]);
  setText(startButton, session.running ? 'Stop' : 'Start');
  showFailure(why, session.canRetry);
  if (why) refused(why.code);
  enable();
  if (state === 'live') pitchView.start();
  if (!session.running) {
    pitchView.stop();
    meters.input.clear();
    meters.output.clear();
    for (const id of ['note-sung', 'note-heard']) setText(byId(id, HTMLElement), '–');
    for (const id of ['cents-sung', 'cents-heard']) setText(byId(id, HTMLElement), '');
  }
  delayView.show(snapshotOf(session));
}

/**
 * @param {import('./words.js').Failure | null} why
 * @param {boolean} canRetry
 */
function showFailure(why, canRetry) {
  const wasHidden = failureBox.hidden;
  failureBox.hidden = why === null;
  retryButton.hidden = !canRetry;
  failureBox.dataset.code = why?.code ?? '';
  setText(byId('failure-title', HTMLElement), why?.title ?? '');
  setText(byId('failure-advice', HTMLElement), why?.advice ?? '');
  if (why !== null && wasHidden) failureBox.scrollIntoView({ block: 'nearest' });
}

/** @param {string} code of an error */
function refused(code) {
  if (code === 'voice_not_found') void voices.load(); // a blend with a voice that is gone ends with that
}

function showNotes() {
  const { sung, heard } = pitchView.latest;
  showNote('sung', sung);
  showNote('heard', heard);
}

/**
 * @param {'sung' | 'heard'} who
 * @param {number} midi NaN when unvoiced
 */
function showNote(who, midi) {
  const voiced = !Number.isNaN(midi);
  const cents = Math.round((midi - Math.round(midi)) * 100);
  setText(byId(`note-${who}`, HTMLElement), voiced ? noteName(midi) : '–');
  setText(byId(`cents-${who}`, HTMLElement), voiced ? `${cents < 0 ? '−' : '+'}${Math.abs(cents)} ct` : '');
}

const holdAdapt = byId('hold-adapt', HTMLInputElement);
const holdConstant = byId('hold-constant', HTMLInputElement);
const holdMs = byId('hold-ms', HTMLInputElement);

function hold() {
  const asked = holdMs.value === '' ? 120 : Number(holdMs.value);
  session.sound.hold(holdConstant.checked ? asked : null);
  const { ms } = session.sound.held;
  if (ms !== null) holdMs.value = String(ms); // what is too much or too little was not taken
  remember({ holdMs: ms });
}
byId('hold-form', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault());
holdAdapt.addEventListener('change', hold);
holdConstant.addEventListener('change', hold);
holdMs.addEventListener('change', () => {
  holdConstant.checked = true;
  hold();
});
if (memory.holdMs !== null) {
  holdMs.value = String(memory.holdMs);
  holdConstant.checked = true;
}
session.sound.hold(memory.holdMs);

volume.value = String(Math.round(memory.volume * 100));
setVolume(memory.volume);
setInterval(() => {
  if (session.running) delayView.show(snapshotOf(session));
}, FIGURES_EVERY_MS);
addEventListener('pagehide', () => session.running && session.stop());

/**
 * What integrators and tests may read.
 * @type {{ snapshot: () => import('./snapshot.js').Snapshot, tap: Session['sound']['tap'] }}
 */
const open = Object.freeze({
  snapshot: () => snapshotOf(session),
  tap: (/** @type {number} */ seconds) => session.sound.tap(seconds),
});
Object.defineProperty(globalThis, 'autovoice', { value: open });

setText(status, isSecureContext ? 'Loading…' : 'Microphone not available here');
if (!isSecureContext) showFailure(failure('insecure'), false);
void voices.load();
void devices.load();
