/**
 * What went wrong and what to do about it, in words for the person singing.
 * @module
 */

/**
 * @typedef {{ code: string, title: string, advice: string }} Failure
 */

/** @type {Record<string, [string, string]>} */
const WORDS = {
  insecure: [
    'The browser keeps the microphone shut on this address',
    'Browsers give the microphone only to https:// pages and to localhost. Open this page as ' +
      'http://localhost, or start the server with --tls and use https://.',
  ],
  unreachable: [
    'The server does not answer',
    'A part of this page did not load. Is the server running, and the network there?',
  ],
  asleep: [
    'The browser does not start the sound',
    'Click into the page, see that an output is connected and not muted by the system, then press Start again.',
  ],
  unsupported: [
    'This browser cannot do live audio',
    'AutoVoice needs AudioWorklet and module workers: a current Chrome, Edge, Firefox or Safari has them.',
  ],
  page_error: ['Something broke in this page', 'Reload it. If it happens again, the browser’s console says where.'],
  NotAllowedError: [
    'The microphone was not allowed',
    'Allow it for this page (the icon beside the address, or the browser’s site settings), then press Start again. ' +
      'No microphone? Try the phrase.',
  ],
  NotFoundError: [
    'No microphone found',
    'Plug one in or switch it on, then press Start again. Until then, try the phrase.',
  ],
  NotReadableError: [
    'The microphone is busy',
    'Another program holds it, or the system blocks it. Close that program and press Start again.',
  ],
  AbortError: [
    'The microphone would not start',
    'The system gave no reason. Pick another microphone below or plug it in again, then press Start.',
  ],
  unplugged: ['The microphone went away', 'It was unplugged or switched off. Plug it in or pick another, then press Start.'],
  sample_rate: [
    'The sound card would not run at 48 kHz',
    'Set its sample rate to 48 kHz in the system’s sound settings, then press Start again.',
  ],
  no_voices: ['The list of voices did not load', 'Is the server running? It is asked again every few seconds.'],
  server_full: ['The server is full', 'Every place is taken. You are let in as soon as one is free.'],
  too_many_sessions: ['You are singing elsewhere', 'End the session in another tab or on another device. You are let in as soon as it is over.'],
  left_room: ['You are not in the room any more', 'Without a key, singing is for who is in a room: come in again by its code.'],
  connection_lost: ['The connection is lost', 'Reconnecting by itself; your settings stay as they are, and a recording goes on.'],
  voice_not_found: [
    'A voice is no longer there',
    'The list has been loaded again, and a blend with that voice has ended. Pick another voice if need be, and go on.',
  ],
  voice_not_ready: [
    'This voice cannot sing here yet',
    'RVC voices hear with ContentVec, which is not on this server. Whoever runs it fetches it once with: ' +
      'autovoice weights contentvec. Until then, pick another voice.',
  ],
  unsupported_version: ['This page is older than the server', 'Reload the page to get the matching version.'],
  too_fast: ['The server got sound faster than it is sung', 'The sound card’s clock is off. Reconnecting by itself.'],
  shutting_down: ['The server is restarting', 'Reconnecting by itself as soon as it is back.'],
  timeout: ['The server did not answer in time', 'Trying again by itself.'],
  internal_error: ['Something broke on the server', 'Trying again by itself. If it stays, its log says what happened.'],
};

/**
 * Why a session goes another way now, where that is worth saying.
 * @type {Record<string, string>}
 */
export const MOVES = {
  stalls: 'The connection stood still again and again: WebRTC is used now.',
  blocked: 'WebRTC does not get through from here: a WebSocket is used.',
};

/** Something that this page has words for. */
export class Trouble extends Error {
  /**
   * @param {string} code
   * @param {string} [message] what else is known
   */
  constructor(code, message = '') {
    super(message);
    this.code = code;
  }
}

/**
 * @param {string} code a protocol error code, a DOMException name, or one of this page's own
 * @param {string} [message] what is known beyond the code, used where there are no better words
 * @param {string[]} [suggestions]
 * @returns {Failure}
 */
export function failure(code, message = '', suggestions = []) {
  const words = WORDS[code];
  if (words) return { code, title: words[0], advice: words[1] };
  return { code, title: message || 'Something went wrong', advice: suggestions.join(' ') || `(${code})` };
}

/**
 * @param {unknown} error anything thrown while audio is set up
 * @returns {Failure}
 */
export function failureOf(error) {
  if (error instanceof Trouble) return failure(error.code, error.message);
  if (error instanceof DOMException) {
    // An audio context refuses its rate like this, or to hear a microphone of another one.
    return failure(error.name === 'NotSupportedError' ? 'sample_rate' : error.name, error.message);
  }
  return failure('unknown', error instanceof Error ? error.message : String(error));
}
