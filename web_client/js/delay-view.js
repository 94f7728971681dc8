/**
 * The measured delay, its parts, and what was lost.
 * @module
 */

import { byId, make, setText } from './dom.js';

/** @type {[keyof Snapshot['delay']['parts_ms'], string, string][]} */
const PARTS = [
  ['microphone', 'Microphone', 'What the browser says that its microphone path takes.'],
  ['capture', 'Capture', 'A block must be full before it can travel.'],
  ['coding', 'Coding', 'Encoding and decoding, both ways: only where the voice goes by a WebRTC track.'],
  ['network', 'Network', 'There and back, with the worker and the audio callbacks; measured.'],
  ['jitter', 'Jitter', 'Frames that wait for lost ones, on both sides: only over WebRTC.'],
  ['server', 'Server', 'From the last sample of a block received to its conversion sent; measured there.'],
  ['algorithm', 'Conversion', 'What the converter must hear ahead.'],
  ['buffer', 'Safety buffer', 'Held back so that a late block does not click.'],
  ['output', 'Output', 'What the browser says that its output and your device take.'],
];

/** @typedef {import('./snapshot.js').Snapshot} Snapshot */

/** Those that a WebSocket has not. */
const MAY_BE_NONE = new Set(['coding', 'jitter']);

/** Shows a snapshot of the session. */
export class DelayView {
  constructor() {
    this.total = byId('delay-total', HTMLElement);
    this.atLeast = byId('delay-at-least', HTMLElement);
    this.bar = byId('delay-bar', HTMLElement);
    this.note = byId('hold-note', HTMLElement);
    const legend = byId('delay-parts', HTMLElement);
    /** @type {Map<string, { segment: HTMLElement, value: HTMLElement, row: HTMLElement }>} */
    this.parts = new Map();
    for (const [name, words, why] of PARTS) {
      const segment = make('span', { className: `part part-${name}` });
      const value = make('dd', { textContent: '–' });
      const row = make('div', { title: why }, [
        make('dt', {}, [make('i', { className: `swatch part-${name}` }), words]),
        value,
      ]);
      this.bar.append(segment);
      legend.append(row);
      this.parts.set(name, { segment, value, row });
    }
    const ids = ['underruns', 'late', 'dropped', 'gaps', 'device', 'clipped', 'reconnections'];
    this.counters = new Map(ids.map((id) => [id, byId(`count-${id}`, HTMLElement)]));
    this.detail = byId('delay-detail', HTMLElement);
  }

  /** @param {Snapshot} snapshot */
  show({ delay, counters, sessions, capacity, audio, converter, state, transport }) {
    const known = state === 'live' && delay.loop_ms > 0;
    setText(this.total, known ? delay.mouth_to_ear_ms.toFixed(0) : '–');
    this.atLeast.hidden = !known || (delay.parts_ms.microphone !== null && delay.parts_ms.output !== null);
    const sum = Object.values(delay.parts_ms).reduce((total, part) => (total ?? 0) + Math.max(0, part ?? 0), 0) || 1;
    for (const [name, { segment, value, row }] of this.parts) {
      const part = delay.parts_ms[/** @type {keyof typeof delay.parts_ms} */ (name)];
      segment.style.flexGrow = known ? (Math.max(0, part ?? 0) / sum).toFixed(4) : '0';
      segment.hidden = row.hidden = MAY_BE_NONE.has(name) && transport === 'websocket';
      const words = part === null ? 'unknown' : `${part.toFixed(1)} ms`.replace('-', '−');
      setText(value, known ? words : '–');
      row.classList.toggle('bad', known && (part ?? 0) < 0);
    }
    this.bar.classList.toggle('empty', !known);
    const words = PARTS.filter(([name]) => !this.parts.get(name)?.row.hidden).map(([name, word]) => {
      const part = delay.parts_ms[name];
      return part === null ? `${word} unknown` : `${word} ${part.toFixed(0)} ms`;
    });
    this.bar.setAttribute('aria-label', known ? words.join(', ') : 'Not running');
    const dropped = Object.values(counters.server_dropped).reduce((total, frames) => total + frames, 0);
    this.count('underruns', counters.underruns);
    this.count('late', counters.late_frames);
    this.count('dropped', dropped + counters.frames_skipped);
    this.count('gaps', counters.server_gap_samples);
    this.count('device', counters.device_underruns);
    this.count('clipped', counters.clipped_samples);
    this.count('reconnections', counters.reconnections);
    const facts = [];
    if (known) {
      facts.push(`loop ${delay.loop_ms.toFixed(1)} ms`, `frames of ${((audio.frame ?? 0) / 48).toFixed(0)} ms`);
      if (delay.round_trip_ms !== null) facts.push(`messages there and back ${delay.round_trip_ms.toFixed(1)} ms`);
      if (delay.server_added_p99_ms !== null) facts.push(`server p99 ${delay.server_added_p99_ms.toFixed(1)} ms`);
      facts.push(converter);
      if (sessions && capacity) facts.push(`${sessions} of ${capacity} places taken`);
    }
    setText(this.detail, facts.join(' · '));
    const short = known && delay.mode === 'constant' && delay.parts_ms.buffer < 0;
    const hint = `Too short: at least ${Math.ceil(delay.shortest_constant_ms)} ms are needed here.`;
    setText(this.note, short ? hint : '');
  }

  /**
   * @param {string} id
   * @param {number | null} value null where the browser does not count
   */
  count(id, value) {
    const element = /** @type {HTMLElement} */ (this.counters.get(id));
    setText(element, value === null ? 'n/a' : String(value));
    element.parentElement?.classList.toggle('bad', (value ?? 0) > 0);
  }
}
