/**
 * The audio thread: captures frames addressed by position, and plays what comes back for them.
 * @module
 */

import { DelayController } from './delay.js';
import { GUARD, makeMark } from './mark.js';
import { Player } from './player.js';
import { SilentRuns } from './silent-runs.js';

const REPORT_EVERY_S = 0.05;
const SILENCE = 0.001; // -60 dBFS
const SMOOTHING = 1 / 32; // of the shown parts of the delay, per frame

/**
 * @typedef {{ type: 'live', block: number, algorithm: number, coding: number, resumed: boolean } | { type: 'rest' }
 *   | { type: 'frame', position: number, pcm: Int16Array,
 *       parts: { server: number, coding: number, jitter: number } } | { type: 'mark' }} FromTransport
 * @typedef {{ type: 'transport', port: MessagePort } | { type: 'hold', samples: number | null }
 *   | { type: 'tap', on: boolean } | { type: 'close' }} ToWorklet
 * @typedef {object} Report
 * @property {'report'} type
 * @property {number} captured samples since the worklet was made
 * @property {number} origin the context's frame at which the first of them was captured
 * @property {number} delay samples from capture to playout
 * @property {number} needed the smallest delay that would have lost less than one frame in a thousand
 * @property {number} floor what no network can undercut: the captured block and the algorithm
 * @property {{ capture: number, coding: number, network: number, jitter: number, server: number, algorithm: number,
 *   buffer: number }} parts of `delay`, samples
 * @property {number} underruns
 * @property {number} missing samples
 * @property {number} late frames
 * @property {number} frames
 * @property {number} clipped captured samples at full scale
 * @property {import('./silent-runs.js').Run[]} silences that the browser may have made, since the last report
 * @property {{ peak: number, rms: number }} input linear
 * @property {{ peak: number, rms: number }} output linear
 * @typedef {{ type: 'tap', position: number, frame: number, input: Float32Array, output: Float32Array }} TapChunk
 *   `frame` is the context's at which the first sample was captured
 */

/** Peak and RMS of what passed since they were last read. */
class Level {
  constructor() {
    this.peak = 0;
    this.energy = 0;
    this.count = 0;
  }

  /** @param {number} sample */
  add(sample) {
    const size = Math.abs(sample);
    if (size > this.peak) this.peak = size;
    this.energy += sample * sample;
    this.count++;
  }

  read() {
    const level = { peak: this.peak, rms: Math.sqrt(this.energy / Math.max(1, this.count)) };
    this.peak = this.energy = this.count = 0;
    return level;
  }
}

class VoiceProcessor extends AudioWorkletProcessor {
  /** @param {{ processorOptions: { frame: number } }} options */
  constructor(options) {
    super();
    this.frame = options.processorOptions.frame;
    this.player = new Player();
    this.delay = new DelayController(sampleRate);
    this.captured = 0; // the position of the next captured sample
    this.origin = 0; // the context's frame of position 0
    this.filling = new Int16Array(this.frame);
    this.filled = 0;
    this.reportEvery = Math.round(REPORT_EVERY_S * sampleRate);
    this.sinceReport = 0;
    this.clipped = 0;
    this.input = new Level();
    this.output = new Level();
    this.framesCaptured = 0;
    this.path = { block: this.frame, algorithm: 0 };
    this.need = 0; // smoothed
    this.known = { server: 0, coding: 0, jitter: 0 }; // of the need, smoothed
    this.frames = 0;
    this.live = false;
    /** @type {MessagePort | null} */
    this.transport = null;
    this.runs = new SilentRuns();
    this.mark = makeMark();
    this.marked = Infinity; // samples since the silence before a mark began
    /** @type {TapChunk | null} */
    this.tap = null;
    this.tapped = 0;
    this.open = true;
    this.port.onmessage = (event) => this.told(event.data);
  }

  /** @param {ToWorklet} message */
  told(message) {
    switch (message.type) {
      case 'transport':
        this.transport = message.port;
        this.transport.onmessage = (event) => this.received(event.data);
        break;
      case 'hold':
        this.delay.hold(message.samples);
        break;
      case 'tap':
        this.tap = message.on ? this.newTap(this.captured) : null;
        break;
      case 'close':
        this.open = false;
        this.transport?.close();
        break;
    }
  }

  /** @param {FromTransport} message */
  received(message) {
    switch (message.type) {
      case 'live':
        this.path = { block: Math.max(this.frame, message.block), algorithm: message.algorithm };
        this.delay.begin(this.path.block + message.coding + message.algorithm, message.resumed);
        if (!message.resumed) this.frames = 0;
        this.live = true;
        this.player.live(this.captured);
        break;
      case 'rest':
        this.live = false;
        this.player.rest();
        break;
      case 'frame': {
        const need = this.captured - message.position;
        const weight = Math.max(SMOOTHING, 1 / ++this.frames);
        this.need += weight * (need - this.need);
        for (const part of /** @type {const} */ (['server', 'coding', 'jitter'])) {
          this.known[part] += weight * (message.parts[part] - this.known[part]);
        }
        this.delay.observe(need);
        this.player.write(message.position, message.pcm);
        break;
      }
      case 'mark':
        this.marked = 0;
        this.transport?.postMessage({ mark: this.captured + GUARD });
        break;
    }
  }

  /**
   * @param {Float32Array[][]} inputs
   * @param {Float32Array[][]} outputs
   */
  process(inputs, outputs) {
    const out = outputs[0][0];
    const heard = inputs[0]?.[0]; // nothing while no source is connected
    this.origin = currentFrame - this.captured;
    this.player.render(out, this.captured, this.delay.delay);
    for (let i = 0; i < out.length; i++) {
      const sample = heard ? heard[i] : 0;
      this.capture(sample);
      this.runs.add(sample, this.captured + i);
      this.input.add(sample);
      this.output.add(out[i]);
    }
    for (let c = 1; c < outputs[0].length; c++) outputs[0][c].set(out);
    this.send(outputs[1]?.[0], heard);
    if (this.tap) this.tapBlock(this.tap, heard, out);
    this.captured += out.length;
    this.sinceReport += out.length;
    if (this.sinceReport >= this.reportEvery) this.report();
    return this.open;
  }

  /**
   * What goes into the audio track, where there is one: the captured sound, or a mark.
   * @param {Float32Array | undefined} track
   * @param {Float32Array | undefined} heard
   */
  send(track, heard) {
    if (!track) return;
    if (heard) track.set(heard);
    const end = this.mark.length + 2 * GUARD;
    for (let i = 0; i < track.length && this.marked < end; i++, this.marked++) {
      track[i] = this.mark[this.marked - GUARD] ?? 0;
    }
  }

  /** @param {number} sample */
  capture(sample) {
    const scaled = Math.round(sample * 32768);
    if (scaled >= 32767 || scaled <= -32768) this.clipped++; // what a 16-bit converter delivers when it clips
    this.filling[this.filled++] = Math.max(-32768, Math.min(32767, scaled));
    if (this.filled === this.frame) {
      const pcm = this.filling;
      this.filling = new Int16Array(this.frame);
      this.filled = 0;
      const position = this.framesCaptured * this.frame;
      this.framesCaptured++;
      this.transport?.postMessage({ position, pcm }, [pcm.buffer]);
    }
  }

  report() {
    const { delay, player, path } = this;
    const output = this.output.read();
    delay.pass(this.sinceReport, output.peak < SILENCE);
    this.sinceReport = 0;
    const known = this.live && this.frames > 0;
    const { server, coding, jitter } = known ? this.known : { server: 0, coding: 0, jitter: 0 };
    const elsewhere = path.block + path.algorithm + server + coding + jitter;
    const network = known ? Math.max(0, this.need - elsewhere) : 0;
    /** @type {Report} */
    const report = {
      type: 'report',
      captured: this.captured,
      origin: this.origin,
      delay: delay.delay,
      needed: delay.needed,
      floor: delay.floor,
      parts: {
        capture: path.block,
        coding,
        network,
        jitter,
        server,
        algorithm: path.algorithm,
        buffer: delay.delay - elsewhere - network,
      },
      underruns: player.underruns,
      missing: player.missing,
      late: delay.late,
      frames: this.frames,
      clipped: this.clipped,
      silences: this.runs.read(),
      input: this.input.read(),
      output,
    };
    this.port.postMessage(report);
  }

  /**
   * @param {number} position of its first sample
   * @returns {TapChunk}
   */
  newTap(position) {
    this.tapped = 0;
    const size = this.reportEvery;
    const frame = position + this.origin;
    return { type: 'tap', position, frame, input: new Float32Array(size), output: new Float32Array(size) };
  }

  /**
   * Copy what goes in and what comes out at the same instants, for measurements.
   * @param {TapChunk} tap
   * @param {Float32Array | undefined} heard
   * @param {Float32Array} out
   */
  tapBlock(tap, heard, out) {
    for (let i = 0; i < out.length; i++) {
      tap.input[this.tapped] = heard ? heard[i] : 0;
      tap.output[this.tapped] = out[i];
      if (++this.tapped === tap.input.length) {
        this.port.postMessage(tap, [tap.input.buffer, tap.output.buffer]);
        tap = this.tap = this.newTap(this.captured + i + 1);
      }
    }
  }
}

registerProcessor('autovoice', VoiceProcessor);
