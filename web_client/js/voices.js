/**
 * The voices on the server: list, make, delete (REST, `/api/v1/voice/…`).
 * @module
 */

const BASE = '/api/v1/voice';

/**
 * @typedef {object} Voice
 * @property {string} id
 * @property {string} name
 * @property {string} description
 * @property {string} range such as `A2–E4`, empty when unknown
 * @property {boolean} own made by this user, so that it can be deleted
 */

/** An answer of the server that is not what was asked for, in the documented error shape. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status, 0 when there was no answer
   * @param {unknown} body
   */
  constructor(status, body) {
    const shape = /** @type {{ error?: unknown, message?: unknown, details?: { suggestions?: unknown } }} */ (
      body && typeof body === 'object' ? body : {}
    );
    super(typeof shape.message === 'string' ? shape.message : status ? `The server answered ${status}.` : 'No answer.');
    this.status = status;
    this.code = typeof shape.error === 'string' ? shape.error : 'unknown';
    const suggestions = shape.details?.suggestions;
    /** @type {string[]} */
    this.suggestions = Array.isArray(suggestions) ? suggestions.map(String) : [];
  }
}

/**
 * @param {unknown} value
 * @returns {string}
 */
const text = (value) => (typeof value === 'string' ? value : '');

/**
 * @param {Record<string, any>} profile as the server describes it
 * @param {string} userId
 * @returns {Voice}
 */
export function readVoice(profile, userId) {
  const range = profile.vocal_range ?? {};
  const builtin = profile.builtin === true;
  return {
    id: text(profile.profile_id) || text(profile.id),
    name: text(profile.profile_name) || text(profile.name) || 'Unnamed voice',
    description: text(profile.description),
    range: range.min_note && range.max_note ? `${range.min_note}–${range.max_note}` : '',
    own: !builtin && profile.user_id === userId,
  };
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
async function ask(path, init) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new ApiError(0, { error: 'no_answer', message: 'The server does not answer.' });
  }
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, body);
  return body;
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
    .map((/** @type {Record<string, any>} */ profile) => readVoice(profile, userId))
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

/**
 * Make a voice from a recording.
 * @param {File} audio
 * @param {string} name
 * @param {string} userId
 * @param {(share: number) => void} onProgress 0..1 while uploading
 * @returns {Promise<Voice>}
 * @throws {ApiError}
 */
export function makeVoice(audio, name, userId, onProgress) {
  const form = new FormData();
  form.set('audio', audio);
  form.set('user_id', userId);
  form.set('profile_name', name);
  // XMLHttpRequest, because fetch does not tell how much has been uploaded.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${BASE}/clone`);
    request.responseType = 'json';
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(readVoice(request.response ?? {}, userId));
      else reject(new ApiError(request.status, request.response));
    };
    request.onerror = () =>
      reject(new ApiError(0, { message: 'The upload broke off. Is the server still running?' }));
    request.send(form);
  });
}
