/**
 * The finished song: listen, compare, balance, download, and what was measured.
 * @module
 */

import { ApiError } from '../api.js';
import { byId, make, setText } from '../dom.js';
import { clock } from '../time.js';
import { factFigures, qualityFigures } from './figures.js';
import { withUser } from './jobs.js';
import { Player } from './player.js';
import { Slider } from './slider.js';
import { Undecodable, fetchSound, openContext, peaksOf } from './sounds.js';
import { WaveView } from './wave-view.js';
import { sentence, volumeWords, withoutSuffix } from './words.js';

const PARTS = 800; // of the waveform

/** Shows the result of one job at a time. */
export class ResultView {
  /**
   * @param {string} userId
   * @param {(id: string) => string} voiceName
   */
  constructor(userId, voiceName) {
    this.userId = userId;
    this.voiceName = voiceName;
    this.box = byId('result', HTMLElement);
    this.playButton = byId('play', HTMLButtonElement);
    this.reset = byId('remix-reset', HTMLButtonElement);
    this.choices = {
      original: byId('hear-original', HTMLInputElement),
      converted: byId('hear-converted', HTMLInputElement),
    };
    this.wave = new WaveView(byId('wave', HTMLElement), (s) => this.player?.seek(s), () => void this.toggle());
    this.sliders = {
      vocals: new Slider('remix-vocals', volumeWords, () => void this.remix()),
      instrumental: new Slider('remix-instrumental', volumeWords, () => void this.remix()),
    };
    /** @type {import('./jobs.js').Job | null} */
    this.job = null;
    /** @type {Player | null} */
    this.player = null;
    this.remixed = false;
    this.following = false;
    /** @type {Promise<boolean> | null} whether the stems are there */
    this.stems = null;
    this.loading = new AbortController();
    this.playButton.addEventListener('click', () => void this.toggle());
    this.reset.addEventListener('click', () => this.asMade());
    for (const choice of Object.values(this.choices)) choice.addEventListener('change', () => this.hear());
  }

  /** Nothing to listen to. */
  hide() {
    this.loading.abort();
    this.player?.close();
    this.player = null;
    this.job = null;
    this.box.hidden = true;
  }

  /** @param {import('./jobs.js').Job} job that is completed */
  show(job) {
    if (this.job?.conversion_id === job.conversion_id) return;
    this.hide();
    this.job = job;
    this.box.hidden = false;
    this.loading = new AbortController();
    this.remixed = false;
    this.stems = null;
    this.choices.converted.checked = true;
    this.choices.original.disabled = false;
    this.playButton.disabled = true;
    setText(byId('remix-state', HTMLElement), '');
    byId('remix', HTMLElement).hidden = !job.result?.stems;
    this.showDownloads();
    this.showFigures(job);
    this.wave.show({ original: null, converted: null }, 0);
    const rate = job.result?.metadata?.sample_rate;
    const player = new Player(openContext(typeof rate === 'number' ? rate : undefined), () => this.changed());
    this.player = player;
    this.asMade();
    void this.load(job, player, this.loading.signal);
  }

  /**
   * @param {import('./jobs.js').Job} job
   * @param {Player} player
   * @param {AbortSignal} signal
   */
  async load(job, player, signal) {
    this.say('Fetching the sound…');
    const url = job.result?.converted_audio_url;
    if (!url) return this.say('There is no file to listen to.', true);
    const [converted, original] = await Promise.all([
      this.fetch(player.context, url, signal),
      this.fetch(player.context, job.original_audio_url, signal),
    ]);
    if (signal.aborted) return;
    if (converted instanceof AudioBuffer) player.add('converted', converted);
    if (original instanceof AudioBuffer) player.add('original', original);
    this.choices.original.disabled = !player.buffers.has('original');
    if (converted instanceof AudioBuffer) {
      this.playButton.disabled = false;
      this.say(original instanceof AudioBuffer ? '' : `The original cannot be compared: ${original}`, true);
    } else this.say(converted, true);
    const { duration } = player;
    const peaks = (/** @type {AudioBuffer | string} */ sound) =>
      sound instanceof AudioBuffer ? peaksOf(sound, PARTS, duration) : null;
    this.wave.show({ original: peaks(original), converted: peaks(converted) }, duration);
    setText(byId('duration', HTMLElement), `of ${clock(duration)}`);
    this.changed();
  }

  /**
   * @param {AudioContext} context
   * @param {string} url
   * @param {AbortSignal} signal
   * @returns {Promise<AudioBuffer | string>} the sound, or why there is none
   */
  async fetch(context, url, signal) {
    try {
      return await fetchSound(context, withUser(url, this.userId), signal);
    } catch (error) {
      if (signal.aborted) return '';
      if (error instanceof Undecodable) return 'this browser cannot decode it.';
      if (error instanceof ApiError) return [error.message, ...error.suggestions].map(sentence).join(' ');
      throw error;
    }
  }

  /** @param {string} words @param {boolean} [bad] */
  say(words, bad = false) {
    const line = byId('sound-state', HTMLElement);
    setText(line, words);
    line.classList.toggle('bad', bad);
  }

  async toggle() {
    const { player } = this;
    if (!player || this.playButton.disabled) return;
    if (player.playing) return player.pause();
    try {
      await player.play();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.say('The browser gives no sound. Is there an output?', true);
    }
  }

  /** Which of the two is heard. */
  hear() {
    const converted = this.choices.converted.checked;
    const ready = this.remixed && this.player?.buffers.has('vocals');
    this.player?.hear(converted ? (ready ? 'remix' : 'converted') : 'original');
    this.changed();
  }

  /** Play the stems at the volumes of the sliders instead of the file. */
  async remix() {
    const { player, job } = this;
    if (!player || !job?.result?.stems) return;
    this.remixed = true;
    this.reset.disabled = false;
    this.choices.converted.checked = true; // what is changed shall be heard
    player.setVolume('vocals', this.sliders.vocals.value);
    player.setVolume('instrumental', this.sliders.instrumental.value);
    this.stems ??= this.loadStems(job.result.stems, player, this.loading.signal);
    if (!(await this.stems) || player !== this.player) return;
    this.hear();
  }

  /**
   * @param {{ vocals_url: string, instrumental_url: string }} urls
   * @param {Player} player
   * @param {AbortSignal} signal
   */
  async loadStems(urls, player, signal) {
    const line = byId('remix-state', HTMLElement);
    line.classList.remove('bad');
    setText(line, 'Fetching the stems…');
    const [vocals, instrumental] = await Promise.all([
      this.fetch(player.context, urls.vocals_url, signal),
      this.fetch(player.context, urls.instrumental_url, signal),
    ]);
    if (signal.aborted) return false;
    if (vocals instanceof AudioBuffer && instrumental instanceof AudioBuffer) {
      player.add('vocals', vocals);
      player.add('instrumental', instrumental);
      setText(line, 'Heard here only; for a file, convert again with these volumes.');
      return true;
    }
    const why = vocals instanceof AudioBuffer ? instrumental : vocals;
    setText(line, `The stems cannot be played: ${why}`);
    line.classList.add('bad');
    this.stems = null; // the next move of a slider tries again
    return false;
  }

  /** Back to the file. */
  asMade() {
    this.remixed = false;
    this.reset.disabled = true;
    const request = this.job?.request ?? {};
    this.sliders.vocals.home = this.sliders.vocals.value = Number(request.vocal_volume ?? 1);
    this.sliders.instrumental.home = this.sliders.instrumental.value = Number(request.instrumental_volume ?? 0.9);
    setText(byId('remix-state', HTMLElement), '');
    this.hear();
  }

  changed() {
    setText(this.playButton, this.player?.playing ? 'Pause' : 'Play');
    this.showPlace();
    if (!this.following) this.follow();
  }

  /** Move the line while it plays. */
  follow() {
    this.following = this.player?.playing ?? false;
    if (!this.following) return;
    requestAnimationFrame(() => {
      this.showPlace();
      this.follow();
    });
  }

  showPlace() {
    const position = this.player?.position ?? 0;
    setText(byId('time', HTMLElement), clock(position));
    this.wave.move(position, this.choices.converted.checked ? 'converted' : 'original');
  }

  /** The links; again when the names of voices are known. */
  showDownloads() {
    const { job } = this;
    if (!job) return;
    const name = withoutSuffix(job.song_name ?? '') || 'song';
    const { converted_audio_url: converted, stems } = job.result ?? {};
    const format = String(job.request.output_format ?? 'wav');
    const voice = this.voiceName(String(job.request.voice_id));
    /** @type {[string | null | undefined, string, string][]} */
    const files = [
      [converted, `The song, ${format.toUpperCase()}`, `${name} – ${voice}.${format}`],
      [stems?.vocals_url, 'Vocals, WAV', `${name} – vocals.wav`],
      [stems?.instrumental_url, 'Accompaniment, WAV', `${name} – accompaniment.wav`],
    ];
    const rows = files.flatMap(([url, words, file]) => {
      if (!url) return [];
      const href = withUser(url, this.userId);
      return [make('li', {}, [make('a', { href, download: file, textContent: words, className: 'download' })])];
    });
    byId('downloads', HTMLElement).replaceChildren(...rows);
  }

  /** @param {import('./jobs.js').Job} job */
  showFigures(job) {
    const figures = [...qualityFigures(job.result?.quality_metrics), ...factFigures(job)];
    const rows = figures.map(({ name, value, why, meaning }) =>
      make('div', { title: meaning, className: value === 'not measured' ? 'unmeasured' : '' }, [
        make('dt', { textContent: name }),
        make('dd', { textContent: value }, why ? [make('small', { textContent: sentence(why) })] : []),
      ]),
    );
    byId('figures', HTMLElement).replaceChildren(...rows);
  }
}
