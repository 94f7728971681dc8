/**
 * The karaoke page: binds a song, a singing and a session to what is seen. The open song is named after `#`.
 * @module
 */

import '../access.js';
import { byId, setText } from '../dom.js';
import { Session } from '../session.js';
import { recall, remember } from '../store.js';
import { VoicesView } from '../voices-view.js';
import { Awake } from './awake.js';
import { LanesView } from './lanes-view.js';
import { Mix } from './mix.js';
import { MixingView } from './mixing-view.js';
import { namesSong, OpenSong } from './open-song.js';
import { drawPlot } from './plot.js';
import { RoomDesk } from './room-desk.js';
import { RoundTripView } from './round-trip-view.js';
import { Scorer } from './score.js';
import { Singing } from './singing.js';
import { Songs } from './songs.js';
import { SongsView } from './songs-view.js';
import { TakesView } from './takes-view.js';
import { WordsView } from './words-view.js';

const TICK_MS = 100;
const memory = recall();
remember(memory); // whose songs and takes these are
const query = new URLSearchParams(location.search);
const status = byId('status', HTMLElement);
const sing = byId('sing', HTMLButtonElement);
const notice = byId('notice', HTMLElement);
const summary = byId('summary', HTMLElement);
const lanes = new LanesView(byId('lanes', HTMLCanvasElement));
const words = new WordsView(byId('words', HTMLElement), byId('words-next', HTMLElement));
const songs = new Songs(memory.userId);
const takes = new TakesView(songs, { voice: () => voices.current, mixing: () => mixing.setting });
const awake = new Awake();

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
    onReport: (latest) => {
      report = latest;
      const from = roundTrip.hear(latest);
      if (from !== null) singing?.slipped(from);
    },
    onPitch: (pitch) => {
      singing?.heard(pitch);
      if (singing && pitch.origin !== undefined) desk.anchor(singing.captureOf(0) - pitch.origin);
    },
    onStart: ({ token }) => token && desk.singsBy(token),
    onTake: (take) => void takes.finish(take, mixing.setting),
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
    remember({ voice: id });
    enable();
  },
  (reached) => {
    if (!session.running) setText(status, reached ? 'Ready' : 'The server does not answer');
  },
);
const songsView = new SongsView(songs, (id) => (location.hash = id));

/** @type {OpenSong} */
const opened = new OpenSong(songs, lanes, words, {
  changed: enable,
  part: () => desk.part,
  say: (text) => setText(notice, text),
  failed: showFailure,
});
/** @type {RoomDesk} */
const desk = new RoomDesk({
  userId: memory.userId,
  lanes,
  awake,
  songs,
  stage: () => opened.stage,
  buffers: () => opened.buffers,
  voices: () => Object.fromEntries(voices.voices.map(({ id, name }) => [id, name])),
  loadVoices: () => void voices.load(),
  adopt(song, semitones, tempo) {
    mixing.apply();
    opened.adopt(song, semitones, tempo);
  },
  changed() {
    if (desk.inside && !singing) opened.followPart();
    enable();
  },
  drawFirst(seconds) {
    lanes.draw(seconds);
    words.draw(seconds);
  },
  finish: () => { if (singing) finish(); },
  stop: end,
});

const mixing = new MixingView(desk);
const roundTrip = new RoundTripView(session, awake, (graph) => desk.prepare(graph));

/** @param {string} title @param {string} advice */
function showFailure(title, advice) {
  byId('failure', HTMLElement).hidden = title === '';
  setText(byId('failure-title', HTMLElement), title);
  setText(byId('failure-advice', HTMLElement), advice);
}

function enable() {
  const ready = session.running || (opened.buffers !== null && voices.current !== null);
  sing.disabled = !ready;
  sing.hidden = desk.listens;
  desk.setReady(session.state === 'live' && opened.buffers !== null && !singing && summary.hidden);
  const waiting = desk.inside ? 'Not yet' : 'Starting…';
  setText(sing, singing ? 'Stop' : session.running ? waiting : desk.inside ? 'I am ready' : 'Sing');
  opened.lock(session.running || desk.inside);
}

/** Open the song that the address names. */
function openAddressed() {
  if (desk.inside) return;
  const id = location.hash.slice(1);
  songsView.chosen = id;
  void songsView.load();
  if (!namesSong(id)) return;
  end();
  void opened.open(id);
}

/** Open the sound and the line. */
async function start() {
  showFailure('', '');
  summary.hidden = true;
  await awake.keep();
  await session.start(query.get('source') === 'phrase' ? 'phrase' : 'microphone');
}

/** The line is there: put the effects on its sound, and begin. */
function hang() {
  const { graph } = session.sound;
  if (!graph) return;
  if (mix?.graph !== graph) mix = new Mix(graph, mixing.setting.effects);
  mix.setOpen(true);
  mixing.hang(mix);
  desk.hang(mix.backing);
}

function begin() {
  const { song, stage, buffers, chart } = opened;
  if (!mix || !buffers || !report || !song || !stage || singing) return;
  const first = desk.inside ? desk.first(mix.graph.context) : null;
  if (desk.inside && first === null) return;
  scorer = new Scorer(chart.notes);
  lanes.clear();
  singing = new Singing(session, mix, () => roundTrip.samples, {
    onVoice: (seconds, step, midi) => {
      scorer.hear(seconds, seconds + step, midi);
      lanes.hear(seconds, midi);
    },
    onOver: () => finish(),
  });
  const take = {
    songId: song.song_id, title: song.title, semitones: stage.semitones, tempo: stage.tempo, voice: session.voice,
    voiceName: voices.current?.name ?? '', ...mixing.setting,
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
    drawPlot(byId('summary-plot', HTMLCanvasElement), lanes, opened.buffers?.accompaniment.duration ?? 1);
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
  else if (!session.running) mix?.setOpen(false);
  enable();
}

sing.addEventListener('click', () => {
  if (singing) {
    desk.stop();
    finish();
  } else if (session.running) end();
  else void start();
});

setInterval(() => {
  if (session.state === 'live' && !singing && summary.hidden && report) begin();
  singing?.tick();
}, TICK_MS);
addEventListener('hashchange', openAddressed);
addEventListener('pagehide', () => {
  session.sound.keep = false;
  if (session.running) session.stop();
  else session.sound.close();
});
byId('skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault(); // the address names the open song
  (sing.checkVisibility() ? sing : byId('room-title', HTMLElement)).focus(); // who was invited comes in first
});
void takes.load(!desk.invited); // who was invited may have no key, and needs none
if (!desk.invited) {
  void voices.load();
  openAddressed();
} else {
  setText(status, 'Ready');
}
enable();
