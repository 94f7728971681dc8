/**
 * One take in the list: its parts, to listen to and to take away.
 * @module
 */

import { make, setText } from '../dom.js';
import { clock } from '../time.js';
import { wavFile } from '../wav.js';
import { makeFiles } from './take-files.js';

const RATE = 48000;
/** @type {Record<import('./take-files.js').Part, string>} */
const WORDS = { mix: 'Mix', converted: 'Voice', dry: 'You', accompaniment: 'Song' };

/**
 * @typedef {object} Means what a row needs of others
 * @property {() => Promise<import('./kept-takes.js').Sound>} sound
 * @property {() => Promise<AudioBuffer>} accompaniment
 * @property {() => Promise<void>} remove
 */

/** A list item and what can be done with it. */
export class TakeRow {
  /**
   * @param {import('./kept-takes.js').Kept} take
   * @param {Means} means
   */
  constructor(take, means) {
    this.take = take;
    this.means = means;
    this.title = `Take ${take.number}`;
    /** @type {string[]} */
    this.urls = [];
    const remove = this.button('Delete', 'quiet', () => void this.remove());
    this.opener = this.button('Open', 'plain', () => void this.open());
    this.note = make('p', { className: 'small' });
    this.note.setAttribute('role', 'status');
    this.tracks = make('div', { className: 'tracks' });
    this.item = make('li', { className: 'take' }, [
      make('div', { className: 'take-head' }, [
        make('strong', { textContent: this.title }), make('span', { textContent: this.facts() }), remove,
      ]),
      this.opener, this.note, this.tracks,
    ]);
    this.item.dataset.take = take.id;
  }

  /**
   * @param {string} words
   * @param {string} className
   * @param {() => void} act
   */
  button(words, className, act) {
    const button = make('button', { type: 'button', className, textContent: words });
    button.setAttribute('aria-label', `${words} ${this.title}`);
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

  /**
   * Make its files.
   * @param {AudioBuffer} [accompaniment] where it is at hand
   */
  async open(accompaniment) {
    this.opener.disabled = true;
    try {
      const [sound, song] = await Promise.all([this.means.sound(), accompaniment ?? this.means.accompaniment()]);
      this.show(await makeFiles({ ...this.take, ...sound, accompaniment: song }));
      this.opener.hidden = true;
      setText(this.note, '');
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      setText(this.note, `Its files cannot be made: ${error.message}`);
    }
    this.opener.disabled = false;
  }

  /** @param {Record<import('./take-files.js').Part, import('./take-files.js').TakeFile>} files */
  show(files) {
    const rows = /** @type {import('./take-files.js').Part[]} */ (Object.keys(WORDS)).map((part) => {
      const url = URL.createObjectURL(wavFile(files[part].pcm, RATE, files[part].channels));
      this.urls.push(url);
      return this.track(part, WORDS[part], url, [['WAV', url, `autovoice-take-${this.take.number}-${part}.wav`]]);
    });
    this.tracks.replaceChildren(...rows);
  }

  /**
   * @param {string} part
   * @param {string} words
   * @param {string} source what is heard
   * @param {[format: string, url: string, name: string][]} links
   */
  track(part, words, source, links) {
    const audio = make('audio', { controls: true, src: source, preload: 'metadata' });
    audio.setAttribute('aria-label', `${this.title}, ${part}`);
    const anchors = links.map(([format, href, download]) => {
      const link = make('a', { href, download, textContent: format, className: 'download' });
      link.setAttribute('aria-label', `Download ${this.title}, ${part}, as ${format}`);
      return link;
    });
    return make('div', { className: `track track-${part}` }, [
      make('span', { className: 'track-kind', textContent: words }), audio, make('span', { className: 'downloads' }, anchors),
    ]);
  }

  async remove() {
    for (const url of this.urls) URL.revokeObjectURL(url);
    this.item.remove();
    await this.means.remove();
  }
}
