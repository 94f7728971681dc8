/**
 * The karaoke page: binds a song, a singing and a session to what is seen. The open song is named after `#`.
 * @module
 */

import '../access.js';
import { ApiError } from '../api.js';
import { byId, make, setText } from '../dom.js';
import { Session } from '../session.js';
import { Slider } from '../song/slider.js';
import { recall, remember } from '../store.js';
import { VoicesView } from '../voices-view.js';
import { failure } from '../words.js';
import { Awake } from './awake.js';
import { rendered } from './chart.js';
import { PRESETS } from './effects.js';
import { LanesView } from './lanes-view.js';
import { Mix } from './mix.js';
import { drawPlot } from './plot.js';
import { RoomDesk } from './room-desk.js';
import { measureRoundTrip, NotHeard } from './round-trip.js';
import { Scorer } from './score.js';
import { Singing } from './singing.js';
import { Songs } from './songs.js';
import { SongsView } from './songs-view.js';
import { TakesView } from './takes-view.js';
import { WordsView } from './words-view.js';

const RATE = 48000;
const TICK_MS = 100;
const MONITORING = {
  converted: 'For headphones: you hear the voice that you become, as late as the line makes it.',
  dry: 'For headphones and the tightest timing: you hear yourself without the way to the server.',
  both: 'For headphones: both voices; the converted one comes a little later.',
};

const memory = recall();
remember(memory); // whose songs and takes these are
const query = new URLSearchParams(location.search);
const status = byId('status', HTMLElement);
const sing = byId('sing', HTMLButtonElement);
const notice = byId('notice', HTMLElement);
const summary = byId('summary', HTMLElement);
const roundTripField = byId('round-trip', HTMLInputElement);
const measure = byId('measure', HTMLButtonElement);
const effects = byId('effects', HTMLSelectElement);
const lanes = new LanesView(byId('lanes', HTMLCanvasElement));
const words = new WordsView(byId('words', HTMLElement), byId('words-next', HTMLElement));
const songs = new Songs(memory.userId);
const takes = new TakesView(songs, () => voices.current);
const awake = new Awake();

/** @type {import('./songs.js').Song | null} */
let song = null;
/** @type {import('./chart.js').Chart} as it is played */
let chart = { notes: [], lines: [], tags: {} };
/** @type {Record<import('./backing.js').TrackName, AudioBuffer> | null} */
let buffers = null;
let chartPart = 0; // of a duet, as it is shown
let loading = 0; // raised by each choice of a song, key or tempo: an older one is stale
/** @type {Mix | null} */
let mix = null;
/** @type {Singing | null} */
let singing = null;
let scorer = new Scorer([]);
let report = /** @type {import('../worklet.js').Report | null} */ (null);

const session = new Session(
  {
    onState: showState,
    onNotice: (text) => setText(notice, text),
    onRefused: () => {},
    onReport: (latest) => (report = latest),
    onPitch: (pitch) => {
      singing?.heard(pitch);
      if (singing && pitch.origin !== undefined) desk.anchor(singing.captureOf(0) - pitch.origin);
    },
    onStart: ({ token }) => token && desk.singsBy(token),
    onTake: (take) => void takes.finish(take, mixing()),
    onRecording: () => {},
  },
  { userId: memory.userId, converter: query.get('converter'), hint: 'interactive', transport: 'auto' },
);
Object.assign(session.controls, memory.controls);
session.sound.source.microphoneId = memory.microphone;
session.sound.outputId = memory.output;
session.sound.keep = true; // the round trip that was measured is that of the devices as they were opened

const voices = new VoicesView(
  memory.userId,
  memory.voice,
  (id) => {
    if (session.setVoice(id, voices.current?.kind ?? '')) {
      end(); // in the middle of a song it cannot be sung on
      setText(notice, 'This kind of voice is sung in another way. Press Sing to begin again with it.');
    }
    remember({ ...recall(), voice: id });
    enable();
  },
  (reached) => {
    if (!session.running) setText(status, reached ? 'Ready' : 'The server does not answer');
  },
);
const songsView = new SongsView(songs, (id) => (location.hash = id));

/** @param {number} value */
const percent = (value) => `${value} %`;
const guideVolume = new Slider('guide', percent, (value) => {
  mix?.backing.setVolume('guide', value / 100);
  desk.setVolume('guide', value / 100);
});
const trackVolume = new Slider('track', percent, (value) => {
  mix?.backing.setVolume('accompaniment', value / 100);
  desk.setVolume('accompaniment', value / 100);
});
const ownVolume = new Slider('own', percent, (value) => {
  mix?.setVoiceVolume(value / 100);
  desk.setVoices(value / 100);
});
const semitones = new Slider('semitones', (value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value)} st`);
const tempo = new Slider('tempo', percent);
for (const { input } of [semitones, tempo]) input.addEventListener('change', () => void fetchTracks());

for (const name of Object.keys(PRESETS)) effects.append(make('option', { value: name, textContent: name }));
effects.value = 'Karaoke';
effects.addEventListener('change', () => mix?.chain.set(PRESETS[effects.value]));

const monitors = [...document.querySelectorAll('input[name="monitor"]')].filter((x) => x instanceof HTMLInputElement);
const monitoring = () => /** @type {import('./mix.js').Monitoring} */ (monitors.find((x) => x.checked)?.value ?? 'converted');
function showMonitoring() {
  mix?.monitor(monitoring());
  setText(byId('monitor-words', HTMLElement), MONITORING[monitoring()]);
}
for (const input of monitors) input.addEventListener('change', showMonitoring);

/** How the voice stands over the song. */
const mixing = () => ({
  effects: PRESETS[effects.value], voiceVolume: ownVolume.value / 100, trackVolume: trackVolume.value / 100,
});

/** Samples from the page to the singer and back: what was measured or set, else what the browser says. */
function roundTrip() {
  if (roundTripField.value !== '') return Math.round((Number(roundTripField.value) / 1000) * RATE);
  const { source, graph } = session.sound;
  return Math.round((((source.latencyMs ?? 0) + (graph?.outputLatencyMs ?? 0)) / 1000) * RATE);
}

const desk = new RoomDesk({
  userId: memory.userId,
  lanes,
  awake,
  songs,
  stage: () => (song && buffers ? { song_id: song.song_id, semitones: semitones.value, tempo: tempo.value } : null),
  buffers: () => buffers,
  voices: () => Object.fromEntries(voices.voices.map(({ id, name }) => [id, name])),
  loadVoices: () => void voices.load(),
  adopt(theirs, key, percentage) {
    song = theirs;
    semitones.value = key;
    tempo.value = percentage;
    desk.setVolume('guide', guideVolume.value / 100);
    desk.setVolume('accompaniment', trackVolume.value / 100);
    desk.setVoices(ownVolume.value / 100);
    showSong();
    void fetchTracks();
  },
  changed() {
    if (song && desk.inside && chartPart !== desk.part && !singing) applyChart();
    enable();
  },
  drawFirst(seconds) {
    lanes.draw(seconds);
    words.draw(seconds);
  },
  finish: () => { if (singing) finish(); },
  stop: end,
});

/** @param {string} title @param {string} advice */
function showFailure(title, advice) {
  byId('failure', HTMLElement).hidden = title === '';
  setText(byId('failure-title', HTMLElement), title);
  setText(byId('failure-advice', HTMLElement), advice);
}

/** @param {unknown} error what was asked of the server was refused, or it does not answer */
function refused(error) {
  if (!(error instanceof ApiError)) throw error;
  showFailure(error.message, error.suggestions.join('. '));
}

function enable() {
  const ready = session.running || (buffers !== null && voices.current !== null);
  sing.disabled = !ready;
  sing.hidden = desk.listens;
  desk.setReady(session.state === 'live' && buffers !== null && !singing && summary.hidden);
  const waiting = desk.inside ? 'Not yet' : 'Starting…';
  setText(sing, singing ? 'Stop' : session.running ? waiting : desk.inside ? 'I am ready' : 'Sing');
  for (const { input } of [semitones, tempo]) input.disabled = session.running || desk.inside;
}

/** Open the song that the address names. */
async function openAddressed() {
  if (desk.inside) return;
  const id = location.hash.slice(1);
  songsView.chosen = id;
  void songsView.load();
  if (!/^stage-[\w-]{8,64}$/.test(id)) return;
  end();
  song = null;
  try {
    song = await songs.get(id);
  } catch (error) {
    return refused(error);
  }
  showSong();
  await fetchTracks();
}

function showSong() {
  if (!song) return;
  showFailure('', '');
  setText(byId('show-title', HTMLElement), song.title);
  const link = byId('ultrastar', HTMLAnchorElement);
  link.href = songs.ultrastar(song.song_id);
  link.hidden = song.status !== 'completed';
  applyChart();
}

/** The chart in the key and at the tempo that are played. */
function applyChart() {
  chartPart = desk.part;
  chart = rendered(song?.parts?.[chartPart] ?? song?.parts?.[0] ?? { notes: [], lines: [], tags: {} }, semitones.value, tempo.value);
  lanes.setNotes(chart.notes);
  words.setLines(chart.lines);
  lanes.draw(0);
  const facts = [song?.key?.name, song?.tempo ? `${Math.round((song.tempo.bpm * tempo.value) / 100)} bpm` : '', ...(song?.notes ?? [])];
  setText(byId('show-facts', HTMLElement), facts.filter(Boolean).join(' · '));
}

/** Fetch and decode what is played. */
async function fetchTracks() {
  if (song?.status !== 'completed') return;
  const turn = ++loading;
  buffers = null;
  enable();
  applyChart();
  setText(notice, 'The song is fetched…');
  const context = new OfflineAudioContext(2, 1, RATE);
  const wanted = song;
  try {
    const [accompaniment, guide] = await Promise.all(
      (/** @type {const} */ (['accompaniment', 'guide'])).map((name) =>
        songs.track(context, wanted, name, semitones.value, tempo.value),
      ),
    );
    if (turn !== loading) return;
    buffers = { accompaniment, guide };
    setText(notice, '');
  } catch (error) {
    if (turn !== loading) return;
    setText(notice, '');
    if (error instanceof DOMException) return showFailure('This browser cannot decode the song.', 'Try another one.');
    refused(error);
  }
  enable();
}

/** Open the sound and the line. */
async function open() {
  showFailure('', '');
  summary.hidden = true;
  await awake.keep();
  await session.start(query.get('source') === 'phrase' ? 'phrase' : 'microphone');
}

/** The line is there: put the effects on its sound, and begin. */
function hang() {
  const { graph } = session.sound;
  if (!graph) return;
  if (mix?.graph !== graph) mix = new Mix(graph, PRESETS[effects.value]);
  mix.setOpen(true);
  mix.setVoiceVolume(ownVolume.value / 100);
  mix.backing.setVolume('guide', guideVolume.value / 100);
  mix.backing.setVolume('accompaniment', trackVolume.value / 100);
  desk.hang(mix.backing);
  showMonitoring();
}

function begin() {
  if (!mix || !buffers || !report || !song || singing) return;
  const first = desk.inside ? desk.first(mix.graph.context) : null;
  if (desk.inside && first === null) return;
  scorer = new Scorer(chart.notes);
  lanes.clear();
  singing = new Singing(session, mix, roundTrip, {
    onVoice: (seconds, step, midi) => {
      scorer.hear(seconds, seconds + step, midi);
      lanes.hear(seconds, midi);
    },
    onOver: () => finish(),
  });
  const take = {
    songId: song.song_id, title: song.title, semitones: semitones.value, tempo: tempo.value, voice: session.voice,
    voiceName: voices.current?.name ?? '', ...mixing(),
  };
  singing.begin(buffers, report.origin, 0, takes.begin(take, buffers.accompaniment), first);
  enable();
  requestAnimationFrame(draw);
}

function draw() {
  if (!singing) return;
  const seconds = singing.position;
  lanes.draw(seconds);
  words.draw(seconds);
  desk.scored(scorer.score, scorer.streak);
  desk.draw(seconds);
  setText(byId('score', HTMLElement), String(scorer.score));
  setText(byId('streak', HTMLElement), String(scorer.streak));
  requestAnimationFrame(draw);
}

function finish() {
  const sung = singing !== null;
  singing?.end();
  singing = null;
  desk.stopped();
  if (sung) {
    scorer.finish();
    setText(byId('score', HTMLElement), String(scorer.score));
    summary.hidden = false;
    const hit = scorer.attempts.filter((attempt) => attempt.accuracy >= 0.5).length;
    setText(
      byId('summary-words', HTMLElement),
      `${scorer.score} of 10000 points; ${hit} of ${scorer.attempts.length} notes hit, ${scorer.longest} in a row at most.`,
    );
    drawPlot(byId('summary-plot', HTMLCanvasElement), lanes, buffers?.accompaniment.duration ?? 1);
    byId('summary-title', HTMLElement).focus();
  }
  // what was sung last is still on its way back
  setTimeout(() => { if (!singing) end(); }, sung ? 2000 : 0);
  enable();
}

function end() {
  singing?.end();
  singing = null;
  mix?.setOpen(false);
  if (session.running) session.stop();
  enable();
}

/** @param {import('../session.js').SessionState} state @param {import('../words.js').Failure | null} why */
function showState(state, why) {
  document.body.dataset.state = state;
  byId('lamp', HTMLElement).dataset.state = state;
  setText(status, state === 'live' ? 'Live' : session.running ? 'Connecting…' : 'Ready');
  if (why) showFailure(why.title, why.advice);
  const { graph } = session.sound;
  if (graph && desk.inside && session.running) void desk.prepare(graph).then(() => mix && desk.hang(mix.backing));
  if (state === 'live') hang();
  if (!session.running && singing) finish();
  enable();
}

sing.addEventListener('click', () => {
  if (singing) {
    desk.stop();
    finish();
  } else if (session.running) end();
  else void open();
});

measure.addEventListener('click', () => void calibrate());
async function calibrate() {
  const note = byId('measure-note', HTMLElement);
  measure.disabled = true;
  setText(note, 'Listening…');
  try {
    await awake.keep();
    if (!session.running) await session.sound.open('interactive');
    const { graph } = session.sound;
    if (!graph) throw new NotHeard('the sound was closed');
    await desk.prepare(graph);
    const samples = await measureRoundTrip(graph);
    roundTripField.value = ((1000 * samples) / RATE).toFixed(2);
    remember({ ...recall(), roundTripMs: Number(roundTripField.value) });
    setText(note, `${roundTripField.value} ms. Measure again after a change of headphones or microphone.`);
  } catch (error) {
    if (error instanceof NotHeard) setText(note, 'The sweeps were not heard: hold the microphone nearer, turn the volume up, or enter the time yourself.');
    else setText(note, error instanceof Error ? failure(error.name).title : 'It did not work.');
  }
  measure.disabled = false;
}
roundTripField.addEventListener('change', () => {
  remember({ ...recall(), roundTripMs: roundTripField.value === '' ? null : Number(roundTripField.value) });
});
if (memory.roundTripMs !== null) roundTripField.value = String(memory.roundTripMs);

byId('lyrics-file', HTMLInputElement).addEventListener('change', async (event) => {
  const input = /** @type {HTMLInputElement} */ (event.target);
  const file = input.files?.[0];
  if (!file || !song) return;
  try {
    song = await songs.bringLyrics(song.song_id, file);
    showSong();
  } catch (error) {
    refused(error);
  }
  input.value = '';
});

setInterval(() => {
  if (session.state === 'live' && !singing && summary.hidden && report) begin();
  singing?.tick();
}, TICK_MS);
addEventListener('hashchange', () => void openAddressed());
addEventListener('pagehide', () => {
  session.sound.keep = false;
  if (session.running) session.stop();
  else session.sound.close();
});
byId('skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault(); // the address names the open song
  sing.focus();
});
if (!desk.invited) {
  void voices.load();
  void takes.load();
  void openAddressed();
} else {
  setText(status, 'Ready');
}
enable();
showMonitoring();
