/**
 * Takes: record, listen, download.
 * @module
 */

import { byId, make, setText } from './dom.js';
import { clock } from './time.js';
import { wavFile } from './wav.js';

/** The record button and the takes made with it. */
export class Recorder {
  /** @param {(on: boolean) => void} onRecord */
  constructor(onRecord) {
    this.button = byId('record', HTMLButtonElement);
    this.label = byId('record-label', HTMLElement);
    this.list = byId('takes', HTMLElement);
    this.empty = byId('takes-empty', HTMLElement);
    this.on = false;
    this.made = 0;
    this.button.addEventListener('click', () => {
      this.set(!this.on);
      onRecord(this.on);
    });
  }

  /** @param {boolean} possible */
  enable(possible) {
    this.button.disabled = !possible;
    if (!possible) this.set(false);
  }

  /** @param {boolean} on */
  set(on) {
    this.on = on;
    this.button.setAttribute('aria-pressed', String(on));
    setText(this.label, on ? 'Stop recording 0:00' : 'Record');
  }

  /** @param {number} seconds */
  tick(seconds) {
    if (this.on) setText(this.label, `Stop recording ${clock(seconds)}`);
  }

  /**
   * @param {import('./link.js').FinishedTake} take
   * @param {string} voice its name
   */
  add(take, voice) {
    this.set(false);
    if (!take.dry.length) return;
    this.made++;
    this.empty.hidden = true;
    const title = `Take ${this.made}`;
    const seconds = take.dry.length / take.sampleRate;
    const facts = [voice, clock(seconds)].filter(Boolean).join(' · ');
    const lost = take.missing / take.sampleRate;
    const { row: wet, url: wetUrl } = this.track(title, 'converted', take.wet, take.sampleRate);
    const { row: dry, url: dryUrl } = this.track(title, 'dry', take.dry, take.sampleRate);
    const remove = make('button', { type: 'button', className: 'quiet', textContent: 'Delete' });
    remove.setAttribute('aria-label', `Delete ${title}`);
    const item = make('li', { className: 'take' }, [
      make('div', { className: 'take-head' }, [
        make('strong', { textContent: title }),
        make('span', { textContent: lost > 0.001 ? `${facts} · ${lost.toFixed(2)} s never came back` : facts }),
        remove,
      ]),
      wet,
      dry,
    ]);
    remove.addEventListener('click', () => {
      URL.revokeObjectURL(wetUrl);
      URL.revokeObjectURL(dryUrl);
      item.remove();
      this.empty.hidden = this.list.childElementCount > 0;
    });
    this.list.prepend(item);
  }

  /**
   * @param {string} title
   * @param {'converted' | 'dry'} kind
   * @param {Int16Array<ArrayBuffer>} pcm
   * @param {number} sampleRate
   */
  track(title, kind, pcm, sampleRate) {
    const url = URL.createObjectURL(wavFile(pcm, sampleRate));
    const audio = make('audio', { controls: true, src: url, preload: 'metadata' });
    audio.setAttribute('aria-label', `${title}, ${kind}`);
    const file = `autovoice-${title.toLowerCase().replace(' ', '-')}-${kind}.wav`;
    const link = make('a', { href: url, download: file, textContent: 'WAV', className: 'download' });
    link.setAttribute('aria-label', `Download ${title}, ${kind}, as WAV`);
    const row = make('div', { className: `track track-${kind}` }, [
      make('span', { className: 'track-kind', textContent: kind === 'dry' ? 'You' : 'Voice' }),
      audio,
      link,
    ]);
    return { row, url };
  }
}
