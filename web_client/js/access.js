/**
 * A server that wants a key: the page asks for it once, and is then known by a cookie that no script can read.
 * @module
 */

import { ApiError, ask, whenLockedOut } from './api.js';
import { make } from './dom.js';

/** @type {HTMLDialogElement | null} */
let dialog = null;

function askForKey() {
  if (dialog) return;
  const field = make('input', { type: 'password', name: 'key', required: true, autocomplete: 'current-password' });
  const trouble = make('p', { className: 'small bad' });
  trouble.setAttribute('role', 'alert');
  const form = make('form', { method: 'dialog' }, [
    make('h2', { textContent: 'This server asks for a key' }),
    make('p', { className: 'small', textContent: 'Whoever runs it has given you one: av_… It is kept for half a day.' }),
    make('label', {}, ['Key ', field]),
    trouble,
    make('button', { textContent: 'Come in', className: 'start' }),
  ]);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void enter(field.value.trim(), trouble);
  });
  dialog = make('dialog', { className: 'card access' }, [form]);
  dialog.addEventListener('cancel', (event) => event.preventDefault()); // there is nothing behind it
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * @param {string} key
 * @param {HTMLElement} trouble
 */
async function enter(key, trouble) {
  try {
    await ask('/api/v1/login', { method: 'POST', headers: { 'X-API-Key': key } });
    location.reload();
  } catch (error) {
    const known = error instanceof ApiError && error.status === 403;
    trouble.textContent = known ? 'That key is not valid.' : error instanceof Error ? error.message : String(error);
  }
}

whenLockedOut(askForKey);
