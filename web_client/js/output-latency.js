/**
 * How long a browser's output takes, as far as it can be asked.
 * @module
 */

// Firefox on Linux (seen in 153, with PulseAudio): asked while its output begins, it waits in the page's thread for
// the audio thread, which waits for the page's. The tab stands still for good. Its getOutputTimestamp asks the same.
/** Whether this browser's output can be asked how long it takes. */
export const tellsOutputLatency = !/Linux.*Firefox\//.test(navigator.userAgent);

/**
 * @param {AudioContext} context
 * @returns {number | null} seconds from the context to the ear, as the browser says; null where it cannot be asked
 */
export function outputLatency(context) {
  return tellsOutputLatency ? context.outputLatency || context.baseLatency || 0 : null;
}

/**
 * @param {AudioContext} context that runs
 * @returns {number} the time of its clock that is heard at this moment, s
 */
export function timeHeard(context) {
  const latency = outputLatency(context);
  if (latency === null) return context.currentTime;
  const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
  if (performanceTime > 0) return contextTime + (performance.now() - performanceTime) / 1000;
  return context.currentTime - latency;
}
