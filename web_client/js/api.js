/**
 * How the page asks the server: JSON, uploads with progress, and errors in the documented shape.
 * @module
 */

/** Called when the server wants a key; access.js asks for one. */
let onLockedOut = () => {};

/** @param {() => void} listener */
export function whenLockedOut(listener) {
  onLockedOut = listener;
}

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
    if (this.code === 'api_key_required') onLockedOut();
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function ask(path, init) {
  const response = await answered(path, init);
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, body);
  return body;
}

/**
 * Ask with JSON.
 * @param {'POST' | 'PATCH'} method
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export function sendJson(method, path, body) {
  return ask(path, { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Blob>}
 * @throws {ApiError}
 */
export async function askForFile(path, init) {
  const response = await answered(path, init);
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => null));
  return response.blob();
}

/**
 * @param {string} path
 * @returns {Promise<ArrayBuffer>}
 * @throws {ApiError}
 */
export async function fetchFile(path) {
  return (await askForFile(path)).arrayBuffer();
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @throws {ApiError} when there is no answer
 */
async function answered(path, init) {
  try {
    return await fetch(path, init);
  } catch {
    throw new ApiError(0, { error: 'no_answer', message: 'The server does not answer.' });
  }
}

/**
 * Send a form with a file in it.
 * @param {string} path
 * @param {FormData} form
 * @param {(share: number) => void} onProgress 0..1 while uploading
 * @param {AbortSignal} [signal] ends it; the promise is then rejected with code `aborted`
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export function upload(path, form, onProgress, signal) {
  // XMLHttpRequest, because fetch does not tell how much has been uploaded.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.responseType = 'json';
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(request.response);
      else reject(new ApiError(request.status, request.response));
    };
    request.onerror = () =>
      reject(new ApiError(0, { error: 'broken_off', message: 'The upload broke off. Is the server still running?' }));
    request.onabort = () => reject(new ApiError(0, { error: 'aborted', message: 'The upload was cancelled.' }));
    signal?.addEventListener('abort', () => request.abort());
    request.send(form);
  });
}
