/**
 * The voices of a room, by their places in the song that plays in this context: to a singer the partner as soon as
 * can be, to a listener both in line with the song to the sample.
 * @module
 */

import { DelayController } from '../delay.js';
import { Player } from '../player.js';

const REPORT_EVERY_S = 0.25;
const FIRST_FRAMES = 8; // the least that one of them needs is the way; where they come in a heap, the others waited
const KNOWN_FRAMES = 100; // after which what is needed is known
const FIRST_MARGIN_S = 0.02; // beyond that
const SILENCE = 0.001; // -60 dBFS
const REST_S = 0.5; // of silence of a partner, after which a delay that is not needed any more is left at once
const SLACK_S = 0.01; // kept then
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
    this.least = Infinity; // that a frame needed so far
    this.silence = 0; // samples
  }

  begin() {
    this.player.forget();
    this.player.live(-Infinity);
    this.player.missing = this.player.underruns = 0;
    this.delay.begin(0);
    this.frames = this.late = this.silence = 0;
    this.spare = this.least = Infinity;
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
    if (this.frames++ < FIRST_FRAMES) {
      this.least = Math.min(this.least, need);
      const enough = Math.max(0, this.least) + Math.round(FIRST_MARGIN_S * sampleRate);
      this.delay.delay = Math.min(this.delay.maximum, enough);
    } else {
      this.delay.observe(need);
    }
    const spare = this.behind - need;
    if (spare < 0) this.late++;
    this.spare = Math.min(this.spare, spare);
    this.player.write(position, pcm);
  }

  /** @param {Float32Array} out what sounds now */
  pass(out) {
    let peak = 0;
    for (const sample of out) peak = Math.max(peak, Math.abs(sample));
    this.silence = peak < SILENCE ? this.silence + out.length : 0;
    if (this.silence < REST_S * sampleRate || this.frames < KNOWN_FRAMES) return;
    this.delay.delay = Math.min(this.delay.delay, Math.round(this.delay.needed + SLACK_S * sampleRate));
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
      voice.pass(out);
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
