/**
 * One file of a take: what it is, a player, and where it can be taken away from.
 * @module
 */

import { make } from '../dom.js';

/** @typedef {'wav' | 'flac' | 'mp3'} Format */

const FORMATS = /** @type {const} */ (['wav', 'flac', 'mp3']);

/**
 * @param {string} title of the take
 * @param {string} part of it
 * @param {string} words the same for people
 * @param {string | undefined} here address of the WAV that this page has
 * @param {(format: Format) => string | null} there address of what the server has
 * @returns {HTMLElement}
 */
export function trackRow(title, part, words, here, there) {
  const audio = make('audio', { controls: true, src: here ?? there('flac') ?? '', preload: here ? 'metadata' : 'none' });
  audio.setAttribute('aria-label', `${title}, ${part}`);
  const links = FORMATS.flatMap((format) => {
    const href = (format === 'wav' && here) || there(format);
    if (!href) return [];
    const name = `autovoice-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-${part}.${format}`;
    const link = make('a', { href, download: name, textContent: format.toUpperCase(), className: 'download' });
    link.setAttribute('aria-label', `Download ${title}, ${part}, as ${format.toUpperCase()}`);
    return [link];
  });
  return make('div', { className: `track track-${part}` }, [
    make('span', { className: 'track-kind', textContent: words }), audio, make('span', { className: 'downloads' }, links),
  ]);
}
