/**
 * The voices on the server: list, make, delete (REST, `/api/v1/voice/…`).
 * @module
 */

import { ask, upload } from './api.js';

const BASE = '/api/v1/voice';

/**
 * @typedef {object} Voice
 * @property {string} id
 * @property {string} name
 * @property {string} description
 * @property {string} range such as `A2–E4`, empty when unknown
 * @property {boolean} own made by this user, so that it can be deleted
 */

/**
 * @param {unknown} value
 * @returns {string}
 */
const text = (value) => (typeof value === 'string' ? value : '');

/**
 * @param {Record<string, any>} profile as the server describes it
 * @returns {Voice}
 */
export function readVoice(profile) {
  const range = profile.vocal_range ?? {};
  const builtin = profile.builtin === true;
  return {
    id: text(profile.profile_id) || text(profile.id),
    name: text(profile.profile_name) || text(profile.name) || 'Unnamed voice',
    description: text(profile.description),
    range: range.min_note && range.max_note ? `${range.min_note}–${range.max_note}` : '',
    own: !builtin, // nobody else's are listed
  };
}

/**
 * All voices that this user can sing with: built-in ones and their own.
 * @param {string} userId
 * @returns {Promise<Voice[]>}
 * @throws {ApiError}
 */
export async function listVoices(userId) {
  const query = new URLSearchParams({ user_id: userId, per_page: '100' });
  const body = await ask(`${BASE}/profiles?${query}`);
  const profiles = Array.isArray(body) ? body : (body?.profiles ?? []);
  return profiles
    .map((/** @type {Record<string, any>} */ profile) => readVoice(profile))
    .filter((/** @type {Voice} */ voice) => voice.id);
}

/**
 * @param {string} id
 * @param {string} userId its owner
 * @throws {ApiError}
 */
export async function deleteVoice(id, userId) {
  await ask(`${BASE}/profiles/${encodeURIComponent(id)}?${new URLSearchParams({ user_id: userId })}`, {
    method: 'DELETE',
  });
}

/** What the box says that must be ticked. */
const CONSENT = 'This is my own voice, or its owner agrees (ticked on the page)';

/**
 * Make a voice from a recording, with the owner's consent.
 * @param {File} audio
 * @param {string} name
 * @param {string} userId
 * @param {(share: number) => void} onProgress 0..1 while uploading
 * @returns {Promise<Voice>}
 * @throws {ApiError}
 */
export async function makeVoice(audio, name, userId, onProgress) {
  const form = new FormData();
  form.set('audio', audio);
  form.set('user_id', userId);
  form.set('profile_name', name);
  form.set('consent', CONSENT);
  return readVoice((await upload(`${BASE}/clone`, form, onProgress)) ?? {});
}
