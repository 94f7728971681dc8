/**
 * The list of voices, and the form that makes one.
 * @module
 */

import { ApiError } from './api.js';
import { byId, make } from './dom.js';
import { MergeForm } from './merge-form.js';
import { RvcForm } from './rvc-form.js';
import { VoiceDialog } from './voice-dialog.js';
import { deleteVoice, listVoices, makeVoice } from './voices.js';

const RETRY_MS = 4000;

/** Lets the user pick a voice. */
export class VoicesView {
  /**
   * @param {string} userId
   * @param {string} chosen id of the voice picked last time
   * @param {(id: string) => void} onPick
   * @param {(reached: boolean) => void} onReached whether the list could be loaded
   * @param {boolean} [anywhere] whether RVC files may be dropped anywhere on the page
   */
  constructor(userId, chosen, onPick, onReached, anywhere = false) {
    this.userId = userId;
    this.chosen = chosen;
    this.onPick = onPick;
    this.onReached = onReached;
    /** @type {import('./voices.js').Voice[]} */
    this.voices = [];
    this.list = byId('voices', HTMLElement);
    this.note = byId('voice-note', HTMLElement);
    this.form = byId('make-voice', HTMLFormElement);
    this.progress = byId('make-progress', HTMLProgressElement);
    this.result = byId('make-result', HTMLElement);
    this.dialog = new VoiceDialog(userId, () => this.load());
    const made = (/** @type {import('./voices.js').Voice} */ voice) => {
      this.chosen = voice.id;
      return this.load();
    };
    this.merging = new MergeForm(userId, made);
    this.form.closest('details')?.after(new RvcForm(userId, made, anywhere).details, this.merging.details);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.submit();
    });
    this.list.addEventListener('change', (event) => {
      if (event.target instanceof HTMLInputElement) this.pick(event.target.value);
    });
  }

  /** Load the list, and keep trying until it is there. */
  async load() {
    try {
      this.voices = await listVoices(this.userId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.onReached(false);
      this.note.textContent = `${error.message} Asking again…`;
      setTimeout(() => void this.load(), RETRY_MS);
      return;
    }
    this.onReached(true);
    this.note.textContent = this.voices.length ? '' : 'No voices yet: make one below.';
    if (!this.voices.some((voice) => voice.id === this.chosen) && this.voices.length) {
      this.chosen = this.voices[0].id;
    }
    this.show();
    if (this.voices.length) this.onPick(this.chosen);
  }

  /** @param {string} id */
  pick(id) {
    this.chosen = id;
    this.onPick(id);
  }

  /** The picked voice. */
  get current() {
    return this.voices.find((voice) => voice.id === this.chosen) ?? null;
  }

  show() {
    this.merging.show(this.voices);
    this.list.replaceChildren(...this.voices.map((voice) => this.item(voice)));
  }

  /** @param {import('./voices.js').Voice} voice */
  item(voice) {
    const input = make('input', { type: 'radio', name: 'voice', value: voice.id, id: `voice-${voice.id}` });
    input.checked = voice.id === this.chosen;
    const label = make('label', { htmlFor: input.id, className: 'voice-label' }, [
      make('span', { className: 'voice-name', textContent: voice.name }),
      make('span', { className: 'voice-range', textContent: voice.range }),
      make('span', { className: 'voice-description', textContent: voice.description }),
    ]);
    if (voice.picture) label.prepend(make('img', { className: 'voice-picture', src: voice.picture, alt: '' }));
    if (voice.needs) {
      const command = make('code', { textContent: voice.needs });
      label.append(make('span', { className: 'voice-needs' }, ['Needs ContentVec: ', command]));
    }
    const row = make('div', { className: 'voice' }, [input, label]);
    if (voice.own) {
      const edit = make('button', { type: 'button', className: 'quiet', textContent: 'Edit' });
      edit.setAttribute('aria-label', `Edit the voice ${voice.name}`);
      edit.addEventListener('click', () => this.dialog.open(voice));
      const remove = make('button', { type: 'button', className: 'quiet', textContent: 'Delete' });
      remove.setAttribute('aria-label', `Delete the voice ${voice.name}`);
      remove.addEventListener('click', () => void this.remove(voice, remove));
      row.append(make('div', { className: 'voice-acts' }, [edit, remove]));
    }
    return row;
  }

  /**
   * @param {import('./voices.js').Voice} voice
   * @param {HTMLButtonElement} button asks once more before it acts
   */
  async remove(voice, button) {
    if (button.dataset.sure !== 'yes') {
      button.dataset.sure = 'yes';
      const asked = button.getAttribute('aria-label') ?? '';
      button.textContent = 'Really?';
      button.setAttribute('aria-label', `Really delete the voice ${voice.name}?`);
      setTimeout(() => {
        delete button.dataset.sure;
        button.textContent = 'Delete';
        button.setAttribute('aria-label', asked);
      }, 4000);
      return;
    }
    try {
      await deleteVoice(voice.id, this.userId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.note.textContent = [error.message, ...error.suggestions].join(' ');
      return;
    }
    await this.load();
  }

  async submit() {
    const file = byId('make-audio', HTMLInputElement).files?.[0];
    const name = byId('make-name', HTMLInputElement);
    const button = byId('make-submit', HTMLButtonElement);
    if (!file) return;
    button.disabled = true;
    this.progress.hidden = false;
    this.progress.value = 0;
    this.say('Uploading…', false);
    try {
      const made = await makeVoice(file, name.value.trim(), this.userId, (share) => {
        if (share < 1) this.progress.value = share;
        else {
          this.progress.removeAttribute('value'); // from here on the server works, for as long as it takes
          this.say('Listening to it and measuring the voice…', false);
        }
      });
      this.chosen = made.id;
      this.form.reset();
      await this.load();
      this.say(`“${made.name}” is ready${made.range ? ` (${made.range})` : ''} and picked.`, false);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say([error.message, ...error.suggestions].join(' '), true);
    } finally {
      button.disabled = false;
      this.progress.hidden = true;
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
