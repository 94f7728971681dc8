/**
 * The live protocol, version 1 (docs/protocol.md): what the page sends and what it accepts.
 * @module
 */

import { decode, encode } from './msgpack.js';

export const VERSION = 1;
/** The client's first message. */
export const HELLO = { type: 'hello', version: VERSION, client: 'autovoice web' };
export const SAMPLE_RATE = 48000;

/**
 * What can be set while singing.
 * @typedef {object} Controls
 * @property {number} pitch_semitones -24..24
 * @property {boolean} auto_pitch whole octaves towards the range of the voice
 * @property {number} formant_semitones -12..12
 * @property {number} dry_wet 0..1
 * @property {number} gate_db -100..0
 */

/**
 * A second voice in what is sung.
 * @typedef {object} Blend
 * @property {string} voice its id
 * @property {number} share 0..1 of it in what is heard
 */

/** @type {Readonly<Controls>} */
export const DEFAULT_CONTROLS = Object.freeze({
  pitch_semitones: 0,
  auto_pitch: true,
  formant_semitones: 0,
  dry_wet: 1,
  gate_db: -70,
});

/**
 * @typedef {{ type: 'hello', version: number, server: string, sample_rate: number, block: number,
 *   max_frame: number, sessions: number, capacity: number }} ServerHello
 * @typedef {{ type: 'start', session: string, token?: string, resumed?: boolean, voice: string, blend: Blend | null,
 *   converter: string, delay: number, block: number, sample_rate: number,
 *   controls: Partial<Controls>, track?: { timestamp: number, position: number } }} ServerStart
 * @typedef {{ type: 'audio', seq: number, position: number, pcm: Uint8Array, held_us: number }} ServerAudio
 * @typedef {{ type: 'controls' } & Partial<Controls> & { voice?: string, blend?: Blend | null }} ServerControls
 * @typedef {{ type: 'stats', t?: number, frames: number, dropped: Record<string, number>, gaps: number,
 *   concealed: number, network?: { waited_ms: number } & Record<string, number>,
 *   added_p50_ms: number, added_p99_ms: number, level_in_db: number, level_out_db: number,
 *   sessions: number }} ServerStats
 * @typedef {{ type: 'pitch', position: number, hop: number, f0_in: number[], f0_out: number[],
 *   origin?: number }} ServerPitch as the page is told, `origin` is where the session began, by the same count
 * @typedef {{ type: 'error', code: string, message: string, suggestions: string[],
 *   fatal: boolean }} ServerError
 * @typedef {{ type: 'stop', reason?: string }} Stop
 * @typedef {ServerHello | ServerStart | ServerAudio | ServerControls | ServerStats | ServerPitch | ServerError
 *   | Stop} ServerMessage
 */

/** A message that the protocol does not allow. */
export class ProtocolError extends Error {}

/**
 * The fields that each message must have, as `typeof` names.
 * @type {Record<string, Record<string, string>>}
 */
const REQUIRED = {
  hello: { version: 'number', sample_rate: 'number', block: 'number' },
  start: { session: 'string', delay: 'number', block: 'number' },
  audio: { position: 'number', pcm: 'object', held_us: 'number' },
  controls: {},
  stats: { frames: 'number', dropped: 'object' },
  pitch: { position: 'number', hop: 'number', f0_in: 'object', f0_out: 'object' },
  error: { code: 'string', message: 'string' },
  stop: {},
};

/**
 * Read one message of the server.
 * @param {ArrayBuffer} data
 * @returns {ServerMessage}
 * @throws {ProtocolError} an unknown type or a missing field
 * @throws {import('./msgpack.js').MsgpackError} bytes that are no message at all
 */
export function readMessage(data) {
  const message = /** @type {Record<string, unknown>} */ (decode(data));
  const type = message?.type;
  if (typeof type !== 'string' || !Object.hasOwn(REQUIRED, type)) throw new ProtocolError('unknown message');
  for (const [field, kind] of Object.entries(REQUIRED[type])) {
    if (typeof message[field] !== kind || message[field] === null) {
      throw new ProtocolError(`${type}: ${field} is missing`);
    }
  }
  if (type === 'audio' && !(message.pcm instanceof Uint8Array && message.pcm.length % 2 === 0)) {
    throw new ProtocolError('audio: pcm is not 16-bit');
  }
  return /** @type {ServerMessage} */ (/** @type {unknown} */ (message));
}

/** @param {{ type: string } & Record<string, unknown>} message */
export function writeMessage(message) {
  return encode(message);
}
