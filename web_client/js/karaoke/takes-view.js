/**
 * What was sung: listen to it, and take it away as files that line up.
 * @module
 */

import { byId, make } from '../dom.js';
import { clock } from '../time.js';
import { wavFile } from '../wav.js';
import { renderMix, toPcm } from './render.js';

/**
 * @typedef {object} SungTake
 * @property {string} title
 * @property {Int16Array<ArrayBuffer>} dry aligned with the song
 * @property {Int16Array<ArrayBuffer>} wet
 * @property {number} missing samples that never came back
 * @property {number} sampleRate
 * @property {AudioBuffer} accompaniment
 * @property {import('./effects.js').Effects} effects
 * @property {number} voiceVolume
 * @property {number} trackVolume
 */

/** The list of takes. */
export class TakesView {
  constructor() {
    this.list = byId('takes', HTMLElement);
    this.empty = byId('takes-empty', HTMLElement);
    this.made = 0;
  }

  /** @param {SungTake} take */
  async add(take) {
    const number = ++this.made;
    this.empty.hidden = true;
    const mix = await renderMix({ ...take, voice: take.wet });
    const { sampleRate } = take;
    const length = mix.length;
    const backing = new AudioBuffer({ numberOfChannels: 2, length, sampleRate });
    for (let c = 0; c < 2; c++) {
      const channel = take.accompaniment.getChannelData(Math.min(c, take.accompaniment.numberOfChannels - 1));
      backing.copyToChannel(channel.subarray(0, length), c);
    }
    /** @type {[string, string, Int16Array<ArrayBuffer>, number][]} */
    const files = [
      ['mix', 'Mix', toPcm(mix), 2],
      ['converted', 'Voice', take.wet, 1],
      ['dry', 'You', take.dry, 1],
      ['accompaniment', 'Song', toPcm(backing), 2],
    ];
    const urls = files.map(([, , pcm, channels]) => URL.createObjectURL(wavFile(pcm, sampleRate, channels)));
    const title = `Take ${number}`;
    const lost = take.missing / sampleRate;
    const facts = `${take.title} · ${clock(length / sampleRate)}${lost > 0.001 ? ` · ${lost.toFixed(2)} s never came back` : ''}`;
    const remove = make('button', { type: 'button', className: 'quiet', textContent: 'Delete' });
    remove.setAttribute('aria-label', `Delete ${title}`);
    const rows = files.map(([kind, words], i) => {
      const audio = make('audio', { controls: true, src: urls[i], preload: 'metadata' });
      audio.setAttribute('aria-label', `${title}, ${kind}`);
      const file = `autovoice-take-${number}-${kind}.wav`;
      const link = make('a', { href: urls[i], download: file, textContent: 'WAV', className: 'download' });
      link.setAttribute('aria-label', `Download ${title}, ${kind}, as WAV`);
      return make('div', { className: `track track-${kind}` }, [
        make('span', { className: 'track-kind', textContent: words }), audio, link,
      ]);
    });
    const head = make('div', { className: 'take-head' }, [
      make('strong', { textContent: title }), make('span', { textContent: facts }), remove,
    ]);
    const item = make('li', { className: 'take' }, [head, ...rows]);
    remove.addEventListener('click', () => {
      urls.forEach((url) => URL.revokeObjectURL(url));
      item.remove();
      this.empty.hidden = this.list.childElementCount > 0;
    });
    this.list.prepend(item);
  }
}
