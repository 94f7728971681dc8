/**
 * The voices on the server: list, make, bring, change, delete (REST, `/api/v1/voice/…`).
 * @module
 */

import { ask, askForFile, sendJson, upload } from './api.js';

const BASE = '/api/v1/voice';

/**
 * @typedef {object} Voice
 * @property {string} id
 * @property {string} name
 * @property {string} description
 * @property {string} range such as `A2–E4`, empty when unknown
 * @property {boolean} own made by this user, so that it can be changed and deleted
 * @property {'recording' | 'rvc'} kind what it was made of: each is sung by a converter of its own
 * @property {string} picture its address, empty when there is none
 * @property {string} needs the command that whoever runs the server has to run before it can sing, or empty
 * @property {Model | null} model of an RVC voice
 * @property {Settings | null} settings of an RVC voice
 *
 * @typedef {{ version: string, sample_rate: number, speakers: number, f0: boolean, info: string,
 *   index_features: number }} Model
 * @typedef {{ speaker: number, index_rate: number, protect: number, rms_mix: number, pitch_semitones: number,
 *   formant_semitones: number, median_f0_hz: number | null }} Settings
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
  const rvc = profile.kind === 'rvc';
  return {
    id: text(profile.profile_id) || text(profile.id),
    name: text(profile.profile_name) || text(profile.name) || 'Unnamed voice',
    description: text(profile.description),
    range: range.min_note && range.max_note ? `${range.min_note}–${range.max_note}` : rvc ? 'RVC' : '',
    own: !builtin, // nobody else's are listed
    kind: rvc ? 'rvc' : 'recording',
    picture: text(profile.picture_url),
    needs: text(profile.needs?.[0]?.command),
    model: profile.model ?? null,
    settings: profile.settings ?? null,
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
  await ask(addressOf(id, userId), { method: 'DELETE' });
}

/** @param {string} id @param {string} userId @param {string} [part] of the voice */
const addressOf = (id, userId, part = '') =>
  `${BASE}/profiles/${encodeURIComponent(id)}${part}?${new URLSearchParams({ user_id: userId })}`;

/**
 * @param {string} id
 * @param {string} userId its owner
 * @param {{ profile_name?: string, settings?: Partial<Settings> }} changes
 * @throws {ApiError}
 */
export async function changeVoice(id, userId, changes) {
  await sendJson('PATCH', addressOf(id, userId), changes);
}

/**
 * @param {string} id
 * @param {string} userId its owner
 * @param {Blob | null} picture null takes it away
 * @throws {ApiError}
 */
export async function changePicture(id, userId, picture) {
  const address = addressOf(id, userId, '/picture');
  if (picture === null) return void (await ask(address, { method: 'DELETE' }));
  const headers = { 'Content-Type': 'application/octet-stream' };
  await ask(address, { method: 'PUT', headers, body: picture });
}

/**
 * What a voice sounds like.
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<Blob>} a sound file
 * @throws {ApiError}
 */
export async function hearVoice(id, signal) {
  return askForFile(`${BASE}/profiles/${encodeURIComponent(id)}/phrase`, { method: 'POST', signal });
}

/**
 * Bring an RVC voice, with the owner's consent.
 * @param {{ model: File, index: File | null, picture: File | null }} files
 * @param {string} name
 * @param {string} userId
 * @param {(share: number) => void} onProgress 0..1 while uploading
 * @param {AbortSignal} signal
 * @returns {Promise<Voice>}
 * @throws {ApiError}
 */
export async function bringVoice(files, name, userId, onProgress, signal) {
  const form = new FormData();
  form.set('user_id', userId);
  if (name) form.set('profile_name', name);
  form.set('consent', CONSENT);
  for (const [field, file] of Object.entries(files)) if (file) form.set(field, file);
  return readVoice((await upload(`${BASE}/import`, form, onProgress, signal)) ?? {});
}

/**
 * Make an RVC voice between two of one's own.
 * @param {string} first id
 * @param {string} second id
 * @param {number} share of the second, 0..1
 * @param {string} name may be empty
 * @param {string} userId
 * @returns {Promise<Voice>}
 * @throws {ApiError}
 */
export async function mergeVoices(first, second, share, name, userId) {
  const wanted = { first, second, share, user_id: userId, ...(name && { profile_name: name }) };
  return readVoice(await sendJson('POST', `${BASE}/merge`, wanted));
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
