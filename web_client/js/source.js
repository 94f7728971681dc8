/**
 * What is sung: a microphone, held open, or the built-in phrase.
 * @module
 */

import { microphoneFacts, openMicrophone } from './devices.js';
import { singPhrase } from './phrase.js';

/** @typedef {import('./audio-graph.js').AudioGraph} AudioGraph */

/** @param {MediaStream} stream */
function release(stream) {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}

/** Holds one source open; what was opened for nothing is let go at once. */
export class Source {
  /** @param {() => void} onUnplugged the microphone has gone away */
  constructor(onUnplugged) {
    this.onUnplugged = onUnplugged;
    /** @type {'microphone' | 'phrase'} */
    this.kind = 'microphone';
    this.microphoneId = '';
    /** @type {import('./devices.js').MicrophoneFacts | null} */
    this.facts = null;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {AudioBuffer | null} */
    this.phrase = null;
    /** @type {AudioGraph | null} Where it goes, once it is open. */
    this.graph = null;
    this.wanted = false;
    this.turn = 0; // raised by each opening and closing: an older one is stale
  }

  /** What the browser says that the way to the page takes; null where it does not say. */
  get latencyMs() {
    return this.kind === 'phrase' ? 0 : (this.facts?.latencyMs ?? null);
  }

  /** Whether what is wanted is there. */
  get isOpen() {
    return this.wanted && (this.kind === 'phrase' ? this.phrase !== null : this.stream !== null);
  }

  /**
   * Open the microphone or the phrase and connect it.
   * @throws {DOMException} from getUserMedia, unless nobody waits for it any more
   */
  async open() {
    const turn = ++this.turn;
    this.wanted = true;
    if (this.kind === 'phrase') {
      this.facts = null;
      this.phrase ??= await singPhrase();
      if (turn === this.turn) this.connect(this.graph);
      return;
    }
    let stream;
    try {
      stream = await openMicrophone(this.microphoneId);
    } catch (error) {
      if (turn === this.turn) throw error;
      return;
    }
    if (turn !== this.turn) {
      release(stream);
      return;
    }
    if (this.stream) release(this.stream);
    this.stream = stream;
    this.facts = microphoneFacts(stream);
    stream.getAudioTracks()[0].onended = () => this.onUnplugged();
    this.connect(this.graph);
  }

  /**
   * Take another microphone, at once where one is open.
   * @param {string} deviceId empty for the system's default
   * @throws {DOMException} from getUserMedia
   */
  async pick(deviceId) {
    this.microphoneId = deviceId;
    if (this.wanted && this.kind === 'microphone') await this.open();
  }

  /**
   * Connect what is open, and what will be.
   * @param {AudioGraph | null} graph null while there is none
   */
  connect(graph) {
    this.graph = graph;
    if (!graph || !this.wanted) return;
    if (this.kind === 'phrase') {
      if (this.phrase) graph.useBuffer(this.phrase);
    } else if (this.stream) {
      graph.useStream(this.stream);
    }
  }

  close() {
    this.turn++;
    this.wanted = false;
    this.graph = null;
    if (this.stream) release(this.stream);
    this.stream = null;
  }
}
