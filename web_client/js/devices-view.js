/**
 * The device pickers and what the browser really does to the microphone.
 * @module
 */

import { canPickOutput, listDevices } from './devices.js';
import { byId, make, setText } from './dom.js';

const NAMES = /** @type {Record<string, string>} */ ({
  echoCancellation: 'echo cancellation',
  noiseSuppression: 'noise suppression',
  autoGainControl: 'automatic gain',
});

/** The two pickers. */
export class DevicesView {
  /**
   * @param {{ microphone: string, output: string }} chosen
   * @param {(id: string) => void} onMicrophone
   * @param {(id: string) => void} onOutput
   */
  constructor(chosen, onMicrophone, onOutput) {
    this.chosen = chosen;
    this.microphone = byId('microphone', HTMLSelectElement);
    this.output = byId('output', HTMLSelectElement);
    this.facts = byId('microphone-facts', HTMLElement);
    byId('output-field', HTMLElement).hidden = !canPickOutput();
    this.microphone.addEventListener('change', () => {
      this.chosen.microphone = this.microphone.value;
      onMicrophone(this.microphone.value);
    });
    this.output.addEventListener('change', () => {
      this.chosen.output = this.output.value;
      onOutput(this.output.value);
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.load());
  }

  /** Fill the pickers; labels are there once the microphone was allowed. */
  async load() {
    const { microphones, outputs } = await listDevices();
    this.fill(this.microphone, microphones, this.chosen.microphone, 'Default microphone');
    this.fill(this.output, outputs, this.chosen.output, 'Default output');
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {MediaDeviceInfo[]} devices
   * @param {string} chosen
   * @param {string} fallback
   */
  fill(select, devices, chosen, fallback) {
    const named = devices.filter((device) => device.label);
    select.replaceChildren(
      make('option', { value: '', textContent: fallback }),
      ...named.map((device) => make('option', { value: device.deviceId, textContent: device.label })),
    );
    select.value = named.some((device) => device.deviceId === chosen) ? chosen : '';
  }

  /** @param {import('./devices.js').MicrophoneFacts | null} facts */
  show(facts) {
    if (!facts) return;
    const processed = facts.processing.map((name) => NAMES[name] ?? name);
    setText(
      this.facts,
      processed.length
        ? `${facts.label}: the browser insists on ${processed.join(' and ')}, which harms singing.`
        : `${facts.label}: untouched (echo cancellation, noise suppression and automatic gain are off).`,
    );
    this.facts.classList.toggle('bad', processed.length > 0);
  }
}
