/**
 * Conversions on the server (REST, `/api/v1/convert/…`), as its status documents describe them.
 * @module
 */

import { ask, upload } from '../api.js';

const BASE = '/api/v1/convert';

/** The stages of a conversion, in the order in which they come. */
export const STAGES = ['separation', 'pitch', 'conversion', 'mixing'];

/**
 * @typedef {object} Result
 * @property {string | null} converted_audio_url
 * @property {{ vocals_url: string, instrumental_url: string } | null} stems
 * @property {Record<string, any> | null} metadata
 * @property {Record<string, any> | null} quality_metrics
 */

/**
 * A status document; a message of the socket is a part of one.
 * @typedef {object} Job
 * @property {string} conversion_id
 * @property {'queued' | 'processing' | 'completed' | 'failed' | 'cancelled' | 'expired'} status
 * @property {number} progress percent
 * @property {string | null} current_stage
 * @property {{ stage: number, total_stages: number, stage_name: string, stage_progress: number } | null} stage_details
 * @property {string | null} song_name
 * @property {Record<string, any>} request
 * @property {string[]} notes
 * @property {string} created_at
 * @property {string} original_audio_url
 * @property {number} [queue_position]
 * @property {number | null} [estimated_time_remaining_seconds]
 * @property {number} [processing_time_seconds]
 * @property {Result} [result]
 * @property {{ code?: string, message?: string, details?: { suggestions?: string[] } } | null} [error]
 */

/**
 * What is wanted of a song.
 * @typedef {object} Wish
 * @property {File} song
 * @property {string} voice id
 * @property {string} preset
 * @property {number} vocalVolume
 * @property {number} instrumentalVolume
 * @property {number} pitchShift semitones
 * @property {boolean} shiftAccompaniment
 * @property {string} format
 */

/** @param {Job['status']} status */
export const finished = (status) => status !== 'queued' && status !== 'processing';

/**
 * @param {string} url of the server, such as a status document names
 * @param {string} userId
 */
export function withUser(url, userId) {
  const full = new URL(url, location.origin);
  full.searchParams.set('user_id', userId);
  return full.href;
}

/**
 * @param {Wish} wish
 * @param {string} userId
 * @param {(share: number) => void} onProgress 0..1 while uploading
 * @param {AbortSignal} signal
 * @returns {Promise<Job>}
 * @throws {import('../api.js').ApiError}
 */
export async function submit(wish, userId, onProgress, signal) {
  const form = new FormData();
  const fields = {
    user_id: userId,
    target_profile_id: wish.voice,
    quality_preset: wish.preset,
    vocal_volume: wish.vocalVolume,
    instrumental_volume: wish.instrumentalVolume,
    pitch_shift_semitones: wish.pitchShift,
    shift_accompaniment: wish.shiftAccompaniment,
    return_stems: true,
    output_format: wish.format,
  };
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  form.set('song', wish.song);
  return upload(`${BASE}/song`, form, onProgress, signal);
}

/** @param {string} id @param {string} userId @returns {Promise<Job>} */
export const statusOf = (id, userId) => ask(withUser(`${BASE}/status/${encodeURIComponent(id)}`, userId));

/** @param {string} id @param {string} userId @returns {Promise<Job>} */
export const cancelJob = (id, userId) =>
  ask(withUser(`${BASE}/cancel/${encodeURIComponent(id)}`, userId), { method: 'POST' });

/**
 * @param {string} userId
 * @param {number} limit
 * @returns {Promise<{ jobs: Job[], total: number }>} the newest first
 */
export async function listJobs(userId, limit) {
  const body = await ask(`${BASE}/jobs?${new URLSearchParams({ user_id: userId, limit: String(limit) })}`);
  const jobs = Array.isArray(body?.conversions) ? body.conversions : [];
  return { jobs, total: Number(body?.pagination?.total ?? jobs.length) };
}

/** @param {string} id @param {string} userId */
export function socketUrl(id, userId) {
  const url = new URL(withUser(`/ws/conversion/${encodeURIComponent(id)}`, userId));
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
