/**
 * One take in the list: its parts, to listen to and to take away, and what the server can do for it.
 * @module
 */

import { ApiError } from '../api.js';
import { make, setText } from '../dom.js';
import { clock } from '../time.js';
import { wavFile } from '../wav.js';
import { effectsOf } from './effects.js';
import { renderMix, toPcm } from './render.js';
import { makeFiles } from './take-files.js';
import { HEADER, partsOf, pcmOf } from './take-parts.js';
import { trackRow } from './take-track.js';

const RATE = 48000;
const POLL_MS = 1000;
const SURE_MS = 4000;
const HINTS = {
  send: 'For FLAC and MP3, and to have it sung again offline.',
  again: 'Offline, in the voice that is chosen on this page.',
};

/**
 * @typedef {import('./take-files.js').Part} Part
 * @typedef {import('./remote-takes.js').RemoteTake} RemoteTake
 * @typedef {import('./take-track.js').Format} Format
 * @typedef {object} Means what a row needs of others
 * @property {(() => Promise<import('./kept-takes.js').Sound>) | null} sound null: only the server has it
 * @property {() => Promise<AudioBuffer>} accompaniment
 * @property {() => Promise<void>} changed something of the take is to be remembered
 * @property {() => Promise<void>} remove
 * @property {import('./remote-takes.js').RemoteTakes} remote
 * @property {() => { id: string, name: string } | null} voice the one that is chosen on the page
 * @property {() => import('./presets.js').Mixing} mixing as it is set on the page
 */

/** @type {[Part, string, import('./remote-takes.js').Track][]} part, in words, what the server calls it */
const PARTS = [['mix', 'Mix', 'mix'], ['converted', 'Voice', 'voice'], ['dry', 'You', 'dry'], ['accompaniment', 'Song', 'accompaniment']];

/** A list item and what can be done with it. */
export class TakeRow {
  /**
   * @param {import('./kept-takes.js').Kept} take
   * @param {string} title
   * @param {Means} means
   */
  constructor(take, title, means) {
    this.take = take;
    this.means = means;
    this.title = title;
    /** @type {RemoteTake | null} what the server knows of it, once it has all of it */
    this.far = null;
    /** @type {Partial<Record<Part, Blob>>} WAV files made here */
    this.files = {};
    /** @type {Record<import('./remote-takes.js').Rendition, string[]>} of the files that are shown */
    this.urls = { live: [], quality: [] };
    this.opened = false;
    this.lost = false; // the server has no sound of it any more
    this.remover = this.button('Delete', 'quiet', () => this.remove());
    this.opener = this.button('Open', 'plain', () => void this.open());
    this.sender = this.button('Keep on the server', 'plain', () => void this.send());
    this.singer = this.button('Sing again at quality', 'plain', () => void this.singAgain());
    this.mixer = this.button('Mix again', 'plain', () => void this.mixAgain());
    this.mixer.title = 'With the effects and volumes that are set on this page now';
    this.hint = make('span', { className: 'small' });
    this.progress = make('progress', { max: 1, value: 0, hidden: true });
    this.progress.setAttribute('aria-label', `Progress of ${title}`);
    this.note = make('p', { className: 'small' });
    this.note.setAttribute('role', 'status');
    this.tracks = make('div', { className: 'tracks' });
    this.again = make('div', { className: 'tracks' });
    this.item = make('li', { className: 'take' }, [
      make('div', { className: 'take-head' }, [
        make('strong', { textContent: title }), make('span', { textContent: this.facts() }), this.remover,
      ]),
      this.tracks, this.again,
      make('div', { className: 'take-acts' }, [this.opener, this.mixer, this.sender, this.singer, this.hint]), this.progress, this.note,
    ]);
    this.item.dataset.take = take.id;
    this.show();
  }

  /**
   * @param {string} words
   * @param {string} className
   * @param {() => void} act
   */
  button(words, className, act) {
    const button = make('button', { type: 'button', className, textContent: words });
    button.setAttribute('aria-label', `${words}: ${this.title}`);
    button.addEventListener('click', act);
    return button;
  }

  facts() {
    const { title, length, missing, recovered, voiceName } = this.take;
    const lost = missing / RATE;
    const facts = [title, voiceName, clock(length / RATE), recovered ? 'recovered' : ''];
    if (lost > 0.001) facts.push(`${lost.toFixed(2)} s never came back`);
    return facts.filter(Boolean).join(' · ');
  }

  /** @param {RemoteTake} far the server has it */
  known(far) {
    if (far.status === 'lost') {
      this.lost = true;
      if (!this.means.sound) setText(this.note, 'The server was restored from a backup, which holds no sound: it can only be deleted.');
      return this.show();
    }
    this.far = far;
    // it may have been mixed anew elsewhere
    Object.assign(this.take, { effects: effectsOf(far.effects), voiceVolume: far.voice_volume, trackVolume: far.track_volume });
    void this.means.changed();
    this.show();
    if (far.rendition && !['completed', 'failed', 'cancelled', 'expired'].includes(far.rendition.status)) void this.attempt(() => this.follow(), true);
  }

  /**
   * Do something that takes time, one thing at a time.
   * @param {() => Promise<void>} work
   * @param {boolean} [removable] whether it may be deleted meanwhile
   */
  async attempt(work, removable = false) {
    const buttons = [this.opener, this.mixer, this.sender, this.singer, ...(removable ? [] : [this.remover])];
    for (const button of buttons) button.disabled = true;
    setText(this.note, '');
    try {
      await work();
    } catch (error) {
      if (error instanceof ApiError) setText(this.note, [error.message, ...error.suggestions].join('. '));
      else if (error instanceof Error) setText(this.note, `That did not work: ${error.message}`);
      else throw error;
    }
    this.progress.hidden = true;
    for (const button of buttons) button.disabled = false;
    this.show();
  }

  /**
   * Make its files, or have those of the server.
   * @param {AudioBuffer} [accompaniment] where it is at hand
   */
  async open(accompaniment) {
    await this.attempt(async () => {
      if (this.means.sound) {
        const [sound, song] = await Promise.all([this.means.sound(), accompaniment ?? this.means.accompaniment()]);
        const made = await makeFiles({ ...this.take, ...sound, accompaniment: song });
        for (const [part] of PARTS) this.files[part] = wavFile(made[part].pcm, RATE, made[part].channels);
      }
      this.opened = true;
      this.showTracks();
      const { far } = this;
      const { mix } = this.files;
      if (far && mix && (far.received?.mix ?? 0) !== far.frames) await this.sendMix(far, mix); // it broke off, or never came
      if (this.far?.rendition?.status === 'completed') await this.showAgain(this.far);
    });
  }

  /** What can be done now. */
  show() {
    this.opener.hidden = this.opened || (this.lost && !this.means.sound);
    this.mixer.hidden = !this.opened;
    this.sender.hidden = !this.opened || this.far !== null;
    this.singer.hidden = !this.opened || this.far === null;
    setText(this.hint, this.sender.hidden ? (this.singer.hidden ? '' : HINTS.again) : HINTS.send);
  }

  /** @param {import('./remote-takes.js').Rendition} rendition whose files are not shown any more */
  release(rendition) {
    for (const url of this.urls[rendition].splice(0)) URL.revokeObjectURL(url);
  }

  showTracks() {
    this.release('live');
    this.tracks.replaceChildren(...PARTS.map(([part, words, track]) => this.track(part, words, track, 'live', this.files[part])));
  }

  /**
   * @param {string} part
   * @param {string} words
   * @param {import('./remote-takes.js').Track} track
   * @param {import('./remote-takes.js').Rendition} rendition
   * @param {Blob | undefined} file the WAV that is here
   */
  track(part, words, track, rendition, file) {
    const here = file && URL.createObjectURL(file);
    if (here) this.urls[rendition].push(here);
    const { far, means } = this;
    const there = (/** @type {Format} */ format) => (far ? means.remote.url(far.take_id, track, format, rendition) : null);
    return trackRow(this.title, part, words, here, there);
  }

  /** Have the server keep it: for other formats, other devices, and to be sung again. */
  async send() {
    await this.attempt(async () => {
      const { dry, converted, mix } = this.files;
      if (!dry || !converted || !mix) return;
      this.progress.hidden = false;
      const sounds = { dry: dry.slice(HEADER), voice: converted.slice(HEADER), mix: mix.slice(HEADER) };
      this.far = await this.means.remote.send(this.take, sounds, (share) => (this.progress.value = share), this.means.changed);
      this.showTracks();
    });
  }

  /** Mix it with what is set on the page now, here and on the server. */
  async mixAgain() {
    await this.attempt(async () => {
      const { take, far, means } = this;
      const mixing = means.mixing();
      setText(this.note, 'It is mixed…');
      const parts = await partsOf(this.files, means.remote, far?.take_id ?? '');
      const mix = wavFile(toPcm(await renderMix({ ...parts, ...mixing })), RATE, 2);
      Object.assign(take, mixing);
      this.files.mix = mix;
      await means.changed();
      if (far) await this.sendMix(far, mix);
      this.showTracks();
      if (this.far?.rendition?.status === 'completed') await this.showAgain(this.far);
      setText(this.note, 'Mixed with the effects and volumes that are set now.');
    });
  }

  /**
   * Let the server have the mix of this take as it is set.
   * @param {RemoteTake} far
   * @param {Blob} mix
   */
  async sendMix(far, mix) {
    this.progress.hidden = false;
    const sound = mix.slice(HEADER, HEADER + 4 * (far.frames ?? 0));
    this.far = await this.means.remote.remix(far.take_id, this.take, sound, (share) => (this.progress.value = share));
    this.progress.hidden = true;
  }

  async singAgain() {
    await this.attempt(async () => {
      if (!this.far) return;
      this.far = await this.means.remote.singAgain(this.far.take_id, this.means.voice()?.id ?? this.take.voice);
      await this.follow();
    }, true);
  }

  /** Watch it being sung again. */
  async follow() {
    while (this.far?.rendition && this.item.isConnected) {
      const { status, progress, error } = this.far.rendition;
      if (status === 'completed') return this.opened ? this.showAgain(this.far) : undefined;
      if (status !== 'queued' && status !== 'processing') {
        return setText(this.note, `It could not be sung again: ${error?.message ?? status}`);
      }
      this.progress.hidden = false;
      this.progress.value = progress / 100;
      setText(this.note, status === 'queued' ? 'It waits for its turn…' : 'It is sung again…');
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      this.far = await this.means.remote.get(this.far.take_id);
    }
  }

  /**
   * What was sung again, mixed with the take's own effects, which only a browser has.
   * @param {RemoteTake} far
   */
  async showAgain(far) {
    const { remote } = this.means;
    const { take_id: id, rendition } = far;
    setText(this.note, 'It is mixed…');
    const [voice, accompaniment] = await Promise.all([
      remote.sound(id, 'voice', 'quality'), remote.sound(id, 'accompaniment', 'live'),
    ]);
    const pcm = pcmOf(voice);
    const mix = wavFile(toPcm(await renderMix({ ...this.take, voice: pcm, accompaniment })), RATE, 2);
    const received = rendition?.received.mix ?? 0;
    const sound = mix.slice(HEADER, HEADER + 4 * (far.frames ?? 0));
    await remote.sendTrack(id, 'mix', sound, received, 'quality', () => {}, far.mixed);
    this.release('quality');
    const whose = rendition?.voice === this.take.voice ? '' : ` (${rendition?.voice})`;
    this.again.replaceChildren(
      make('p', { className: 'small', textContent: ['Sung again at quality', ...(rendition?.notes ?? [])].join(': ') + whose }),
      this.track('mix-again', 'Mix', 'mix', 'quality', mix),
      this.track('converted-again', 'Voice', 'voice', 'quality', wavFile(pcm, RATE)),
    );
    setText(this.note, '');
  }

  /** Asks once more before it acts. */
  remove() {
    const button = this.remover;
    if (button.dataset.sure !== 'yes') {
      button.dataset.sure = 'yes';
      button.textContent = 'Really?';
      setTimeout(() => {
        delete button.dataset.sure;
        button.textContent = 'Delete';
      }, SURE_MS);
      return;
    }
    void this.attempt(async () => {
      if (this.take.remote) await this.means.remote.remove(this.take.remote);
      this.release('live');
      this.release('quality');
      this.item.remove();
      await this.means.remove();
    });
  }
}
