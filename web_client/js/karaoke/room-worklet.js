/**
 * The voices of a room, by their places in the song that plays in this context: to a singer the partner as soon as
 * can be, to a listener both in line with the song to the sample.
 * @module
 */

import { DelayController } from '../delay.js';
import { Player } from '../player.js';

const REPORT_EVERY_S = 0.25;
const FIRST_MARGIN_S = 0.02; // beyond what the first frame needed
const SINGERS = 2;

/**
 * @typedef {{ type: 'line', port: MessagePort } | { type: 'begin', frame: number } | { type: 'end' }
 *   | { type: 'close' }} ToRoomWorklet
 * @typedef {{ singer: number, position: number, pcm: Int16Array<ArrayBuffer> }} RoomFrame
 * @typedef {object} VoiceReport
 * @property {number} frames
 * @property {number} late those that came after their time
 * @property {number} missing samples that were not there when their time came
 * @property {number} delay samples that the voice is behind the song
 * @property {number | null} spare the least samples that a frame came before its time lately
 */

class Voice {
  /** @param {boolean} inLine */
  constructor(inLine) {
    this.inLine = inLine;
    this.player = new Player();
    this.delay = new DelayController(sampleRate);
    this.frames = 0;
    this.late = 0;
    this.spare = Infinity;
  }

  begin() {
    this.player.forget();
    this.player.live(-Infinity);
    this.player.missing = this.player.underruns = 0;
    this.delay.begin(0);
    this.frames = this.late = 0;
    this.spare = Infinity;
  }

  /** How far it plays behind the song. */
  get behind() {
    return this.inLine ? 0 : this.delay.delay;
  }

  /**
   * @param {RoomFrame} frame
   * @param {number} now the song's sample that leaves the page next
   */
  write({ position, pcm }, now) {
    const need = now - position;
    if (this.frames++ === 0) this.delay.delay = Math.min(this.delay.maximum, Math.max(0, need) + Math.round(FIRST_MARGIN_S * sampleRate));
    this.delay.observe(need);
    const spare = this.behind - need;
    if (spare < 0) this.late++;
    this.spare = Math.min(this.spare, spare);
    this.player.write(position, pcm);
  }

  /** @returns {VoiceReport} */
  report() {
    const { frames, late, spare } = this;
    this.spare = Infinity;
    return { frames, late, missing: this.player.missing, delay: this.behind, spare: spare === Infinity ? null : spare };
  }
}

class RoomProcessor extends AudioWorkletProcessor {
  /** @param {{ processorOptions: { inLine: boolean } }} options */
  constructor(options) {
    super();
    this.voices = Array.from({ length: SINGERS }, () => new Voice(options.processorOptions.inLine));
    /** @type {number | null} the context's frame of the song's first sample */
    this.first = null;
    this.sinceReport = 0;
    this.open = true;
    this.port.onmessage = (event) => this.told(event.data);
  }

  /** @param {ToRoomWorklet} message */
  told(message) {
    switch (message.type) {
      case 'line':
        message.port.onmessage = (event) => this.received(event.data);
        break;
      case 'begin':
        this.first = message.frame;
        for (const voice of this.voices) voice.begin();
        break;
      case 'end':
        this.first = null;
        for (const voice of this.voices) voice.player.forget();
        break;
      case 'close':
        this.open = false;
        break;
    }
  }

  /** @param {RoomFrame} frame */
  received(frame) {
    if (this.first !== null) this.voices[frame.singer]?.write(frame, currentFrame - this.first);
  }

  /**
   * @param {Float32Array[][]} _
   * @param {Float32Array[][]} outputs
   */
  process(_, outputs) {
    const size = outputs[0][0].length;
    if (this.first === null) return this.open;
    const position = currentFrame - this.first;
    this.voices.forEach((voice, i) => {
      const out = outputs[i][0];
      voice.player.render(out, position, voice.behind);
      let peak = 0;
      for (const sample of out) peak = Math.max(peak, Math.abs(sample));
      voice.delay.pass(size, peak < 0.001);
    });
    this.sinceReport += size;
    if (this.sinceReport >= REPORT_EVERY_S * sampleRate) {
      this.sinceReport = 0;
      this.port.postMessage(this.voices.map((voice) => voice.report()));
    }
    return this.open;
  }
}

registerProcessor('autovoice-room', RoomProcessor);
