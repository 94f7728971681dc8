/**
 * Durations for reading.
 * @module
 */

/**
 * @param {number} seconds
 * @returns {string} such as `3:07`
 */
export const clock = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
