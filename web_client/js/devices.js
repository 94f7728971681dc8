/**
 * Microphones and outputs.
 * @module
 */

/** Everything that would change a voice before it is converted is off. */
const UNTOUCHED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/**
 * Open a microphone with the browser's processing off.
 * @param {string} deviceId empty for the system's default
 * @returns {Promise<MediaStream>}
 * @throws {DOMException} NotAllowedError, NotFoundError, NotReadableError: see words.js
 */
export async function openMicrophone(deviceId) {
  const audio = { ...UNTOUCHED, channelCount: 1, sampleRate: 48000 };
  if (deviceId) {
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: { ...audio, deviceId: { exact: deviceId } } });
    } catch (error) {
      // The chosen one is gone: sing into whatever there is.
      if (!(error instanceof DOMException && error.name === 'OverconstrainedError')) throw error;
    }
  }
  return navigator.mediaDevices.getUserMedia({ audio });
}

/**
 * What the browser really does to the microphone.
 * @typedef {{ label: string, deviceId: string, processing: string[], latencyMs: number | null,
 *   sampleRate: number | null, channels: number | null }} MicrophoneFacts
 */

/**
 * @param {MediaStream} stream
 * @returns {MicrophoneFacts}
 */
export function microphoneFacts(stream) {
  const track = stream.getAudioTracks()[0];
  const settings = /** @type {MediaTrackSettings & { latency?: number }} */ (track.getSettings());
  return {
    label: track.label || 'Microphone',
    deviceId: settings.deviceId ?? '',
    processing: /** @type {(keyof typeof UNTOUCHED)[]} */ (Object.keys(UNTOUCHED)).filter((name) => settings[name]),
    latencyMs: typeof settings.latency === 'number' ? settings.latency * 1000 : null,
    sampleRate: settings.sampleRate ?? null,
    channels: settings.channelCount ?? null,
  };
}

/**
 * What can be picked; names are empty until the microphone was allowed once.
 * @returns {Promise<{ microphones: MediaDeviceInfo[], outputs: MediaDeviceInfo[] }>}
 */
export async function listDevices() {
  if (!navigator.mediaDevices?.enumerateDevices) return { microphones: [], outputs: [] };
  const all = await navigator.mediaDevices.enumerateDevices();
  const named = all.filter((device) => device.deviceId !== '' && device.deviceId !== 'default');
  return {
    microphones: named.filter((device) => device.kind === 'audioinput'),
    outputs: named.filter((device) => device.kind === 'audiooutput'),
  };
}

/** Whether this browser can send the sound elsewhere than the system's default output. */
export function canPickOutput() {
  return 'AudioContext' in globalThis && 'setSinkId' in AudioContext.prototype;
}
