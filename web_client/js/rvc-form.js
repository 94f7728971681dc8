/**
 * The form that brings an RVC voice: a `.pth`, and its `.index` and a picture if there are, dropped or chosen.
 * @module
 */

import { ApiError } from './api.js';
import { make } from './dom.js';
import { bringVoice } from './voices.js';

/** Which field a file is for, by the end of its name. */
const FIELDS = { model: /\.pth$/i, index: /\.index$/i, picture: /\.(png|jpe?g|webp)$/i };

/** @typedef {{ model: File | null, index: File | null, picture: File | null }} Files */

/**
 * @param {Iterable<File>} files
 * @returns {{ found: Files, strange: string[] }} the first file for each field, and the names of the others
 */
export function sortFiles(files) {
  /** @type {Files} */
  const found = { model: null, index: null, picture: null };
  const strange = [];
  for (const file of files) {
    const field = /** @type {(keyof Files)[]} */ (Object.keys(FIELDS)).find((name) => FIELDS[name].test(file.name));
    if (field && !found[field]) found[field] = file;
    else strange.push(file.name);
  }
  return { found, strange };
}

/** @param {File} file */
const described = (file) => `${file.name} · ${Math.max(1, Math.round(file.size / 2 ** 20))} MB`;

/** Takes the files and sends them. */
export class RvcForm {
  /**
   * @param {string} userId
   * @param {(voice: import('./voices.js').Voice) => Promise<void>} onMade
   * @param {boolean} anywhere whether files may be dropped anywhere on the page
   */
  constructor(userId, onMade, anywhere) {
    this.userId = userId;
    this.onMade = onMade;
    /** @type {Files} */
    this.files = { model: null, index: null, picture: null };
    /** @type {AbortController | null} the upload that is going on */
    this.upload = null;
    this.words = make('p', { className: 'rvc-words', id: 'rvc-words' });
    this.input = make('input', { type: 'file', id: 'rvc-files', multiple: true, accept: '.pth,.index,.png,.jpg,.jpeg,.webp' });
    this.name = make('input', { type: 'text', id: 'rvc-name', maxLength: 80, autocomplete: 'off' });
    this.consent = make('input', { type: 'checkbox', id: 'rvc-consent', required: true });
    this.button = make('button', { type: 'submit', className: 'plain', id: 'rvc-submit' });
    this.progress = make('progress', { id: 'rvc-progress', max: 1, value: 0, hidden: true });
    this.progress.setAttribute('aria-label', 'Upload of the voice');
    this.result = make('p', { id: 'rvc-result', className: 'small' });
    this.result.setAttribute('role', 'status');
    this.input.setAttribute('aria-describedby', this.words.id);
    this.form = make('form', { id: 'bring-rvc' }, [
      make('p', { className: 'small', textContent: 'A voice that was trained with RVC: its .pth, with its added_….index if you have that, and a picture if you like. Nothing in the files is run.' }),
      make('div', { className: 'rvc-drop' }, [this.words, make('label', { htmlFor: this.input.id, className: 'hidden', textContent: 'Files of the RVC voice' }), this.input]),
      make('label', { htmlFor: this.name.id, textContent: 'Name' }),
      this.name,
      make('label', { htmlFor: this.consent.id, className: 'check' }, [this.consent, ' This is my own voice, or its owner agrees']),
      this.button,
      this.progress,
      this.result,
    ]);
    this.details = make('details', { className: 'make', id: 'bring' }, [make('summary', { textContent: 'Bring an RVC voice' }), this.form]);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.upload) this.upload.abort();
      else void this.send();
    });
    this.input.addEventListener('change', () => this.take(this.input.files ?? []));
    this.acceptDrops(anywhere ? globalThis : this.details);
    this.show();
  }

  /** @param {EventTarget} where */
  acceptDrops(where) {
    let inside = 0; // elements entered and not left
    /** @param {number} change */
    const moved = (change) => {
      inside = Math.max(0, inside + change);
      this.details.classList.toggle('dropping-here', inside > 0);
    };
    /** @param {string} type @param {(event: DragEvent) => void} act */
    const on = (type, act) =>
      where.addEventListener(type, (event) => {
        if (!(event instanceof DragEvent) || !event.dataTransfer?.types.includes('Files')) return;
        event.preventDefault();
        event.stopPropagation();
        act(event);
      });
    on('dragenter', () => {
      this.details.open = true;
      moved(1);
    });
    on('dragleave', () => moved(-1));
    on('dragover', () => {});
    on('drop', (event) => {
      inside = 0;
      moved(0);
      this.details.open = true;
      if (this.upload) return;
      this.take(event.dataTransfer?.files ?? []);
      this.details.scrollIntoView({ block: 'nearest' });
    });
  }

  /** @param {Iterable<File>} files what is added to those that are there */
  take(files) {
    const { found, strange } = sortFiles(files);
    for (const field of /** @type {(keyof Files)[]} */ (Object.keys(found))) this.files[field] = found[field] ?? this.files[field];
    if (found.model) this.name.value = found.model.name.replace(/\.pth$/i, '');
    this.say(strange.length ? `Not taken: ${strange.join(', ')}. A voice is a .pth, its index ends in .index.` : '', true);
    this.show();
  }

  show() {
    const { model, index, picture } = this.files;
    const there = [model && described(model), index && `index ${described(index)}`, picture && `picture ${picture.name}`];
    this.words.textContent = there.filter(Boolean).join(', ') || 'Drop the files here, or choose them';
    this.button.textContent = this.upload ? 'Cancel upload' : 'Bring it';
    this.button.disabled = !this.upload && !model;
  }

  async send() {
    const { model, index, picture } = this.files;
    if (!model) return;
    const upload = new AbortController();
    this.upload = upload;
    this.progress.hidden = false;
    this.progress.value = 0;
    this.say('Uploading…', false);
    this.show();
    try {
      const made = await bringVoice({ model, index, picture }, this.name.value.trim(), this.userId, (share) => {
        if (share < 1) this.progress.value = share;
        else {
          this.progress.removeAttribute('value'); // from here on the server works, for as long as it takes
          this.say('Checking every tensor…', false);
        }
      }, upload.signal);
      this.files = { model: null, index: null, picture: null };
      this.form.reset();
      await this.onMade(made);
      const missing = made.needs ? ` It cannot sing before whoever runs this server has run: ${made.needs}` : '';
      this.say(`“${made.name}” is here and picked.${missing}`, false);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say([error.message, ...error.suggestions].join(' — '), error.code !== 'aborted');
    } finally {
      this.upload = null;
      this.progress.hidden = true;
      this.show();
    }
  }

  /**
   * @param {string} words
   * @param {boolean} bad
   */
  say(words, bad) {
    this.result.textContent = words;
    this.result.classList.toggle('bad', bad);
  }
}
