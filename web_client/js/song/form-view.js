/**
 * The form: a song, what is wanted of it, and its way to the server.
 * @module
 */

import { ApiError } from '../api.js';
import { byId, setText } from '../dom.js';
import { submit } from './jobs.js';
import { Slider } from './slider.js';
import { PRESETS, failureOf, megabytes, semitoneWords, volumeWords } from './words.js';

/** Takes a song by drop or choice and sends it. */
export class FormView {
  /**
   * @param {string} userId
   * @param {() => string | null} voice id of the picked one
   * @param {(job: import('./jobs.js').Job) => void} onSubmitted
   */
  constructor(userId, voice, onSubmitted) {
    this.userId = userId;
    this.voice = voice;
    this.onSubmitted = onSubmitted;
    this.form = byId('song-form', HTMLFormElement);
    this.file = byId('song-file', HTMLInputElement);
    this.button = byId('convert', HTMLButtonElement);
    this.words = byId('convert-words', HTMLElement);
    this.vocals = new Slider('vocal-volume', volumeWords);
    this.instrumental = new Slider('instrumental-volume', volumeWords);
    this.pitch = new Slider('pitch-shift', semitoneWords);
    /** @type {AbortController | null} the upload that is going on */
    this.upload = null;
    this.reached = true;
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.upload) this.upload.abort();
      else void this.send();
    });
    this.file.addEventListener('change', () => this.chosen());
    this.form.addEventListener('change', () => this.showPreset());
    this.acceptDrops();
    this.showPreset();
    this.chosen();
  }

  /** A song may be dropped anywhere on the page. */
  acceptDrops() {
    const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') ?? false;
    let inside = 0; // elements entered and not left
    addEventListener('dragenter', (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      inside++;
      document.body.classList.add('dropping');
    });
    addEventListener('dragleave', () => {
      inside = Math.max(0, inside - 1);
      if (!inside) document.body.classList.remove('dropping');
    });
    addEventListener('dragover', (event) => {
      if (carriesFiles(event)) event.preventDefault();
    });
    addEventListener('drop', (event) => {
      inside = 0;
      document.body.classList.remove('dropping');
      if (!event.dataTransfer || !carriesFiles(event)) return;
      event.preventDefault();
      if (!this.upload) this.take(event.dataTransfer);
    });
  }

  /** @param {DataTransfer} dropped */
  take(dropped) {
    if (dropped.items[0]?.webkitGetAsEntry?.()?.isDirectory) {
      this.fail({ code: 'folder', title: 'That is a folder', advice: 'Drop the file of one song.' });
      return;
    }
    const one = new DataTransfer();
    if (dropped.files[0]) one.items.add(dropped.files[0]);
    this.file.files = one.files;
    this.chosen();
    byId('drop', HTMLElement).scrollIntoView({ block: 'center' });
    if (dropped.files.length > 1) setText(this.words, 'Only the first of these files was taken.');
  }

  get song() {
    return this.file.files?.[0] ?? null;
  }

  get preset() {
    return this.form.querySelector('input[name=preset]:checked')?.getAttribute('value') ?? 'balanced';
  }

  showPreset() {
    setText(byId('preset-words', HTMLElement), PRESETS[this.preset] ?? '');
  }

  chosen() {
    const { song } = this;
    const words = song ? `${song.name} · ${megabytes(song.size)}` : 'Drop a song here, or choose one';
    setText(byId('song-words', HTMLElement), words);
    byId('drop', HTMLElement).classList.toggle('full', song !== null);
    this.fail(null);
    this.enable();
  }

  /** @param {boolean} [reached] whether the server answers, where that is news */
  enable(reached = this.reached) {
    this.reached = reached;
    const voice = this.voice();
    this.button.disabled = !this.upload && (!this.song || !voice || !reached);
    setText(this.button, this.upload ? 'Cancel upload' : 'Convert');
    let words = '';
    if (this.upload) words = '';
    else if (!reached) words = 'The server does not answer.';
    else if (!voice) words = 'There is no voice yet: make one.';
    else if (!this.song) words = 'Choose a song first.';
    setText(this.words, words);
  }

  async send() {
    const { song } = this;
    const voice = this.voice();
    if (!song || !voice) return;
    this.upload = new AbortController();
    this.fail(null);
    this.showUpload(0);
    document.body.dataset.state = 'opening';
    byId('upload', HTMLElement).hidden = false;
    this.enable();
    const wish = {
      song,
      voice,
      preset: this.preset,
      vocalVolume: this.vocals.value,
      instrumentalVolume: this.instrumental.value,
      pitchShift: this.pitch.value,
      shiftAccompaniment: byId('shift-accompaniment', HTMLInputElement).checked,
      format: byId('output-format', HTMLSelectElement).value,
    };
    try {
      const job = await submit(wish, this.userId, (share) => this.showUpload(share), this.upload.signal);
      this.onSubmitted(job);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 'aborted') setText(byId('upload-words', HTMLElement), '');
      else this.fail(failureOf(error));
    } finally {
      this.upload = null;
      document.body.dataset.state = 'idle';
      byId('upload', HTMLElement).hidden = true;
      this.enable();
    }
  }

  /** @param {number} share 0..1 */
  showUpload(share) {
    const bar = byId('upload-progress', HTMLProgressElement);
    if (share < 1) bar.value = share;
    else bar.removeAttribute('value'); // from here on the server looks at it
    setText(byId('upload-words', HTMLElement), share < 1 ? 'Uploading…' : 'Uploaded; the server looks at it…');
  }

  /** @param {import('./words.js').Failure | null} why */
  fail(why) {
    const box = byId('form-failure', HTMLElement);
    box.hidden = why === null;
    box.dataset.code = why?.code ?? '';
    setText(byId('form-failure-title', HTMLElement), why?.title ?? '');
    setText(byId('form-failure-advice', HTMLElement), why?.advice ?? '');
    if (why) box.scrollIntoView({ block: 'center' });
  }
}
