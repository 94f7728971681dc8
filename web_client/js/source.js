/**
 * What is sung: a microphone, held open, or the built-in phrase.
 * @module
 */

import { microphoneFacts, openMicrophone } from './devices.js';
import { singPhrase } from './phrase.js';

/** @param {MediaStream} stream */
function release(stream) {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}

/** Opens one source at a time; what was opened for nothing is let go at once. */
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
    this.turn = 0; // raised by each opening and closing: an older one is stale
  }

  /**
   * Open the microphone or the phrase and connect it.
   * @param {import('./audio-graph.js').AudioGraph} graph
   * @throws {DOMException} from getUserMedia, unless nobody waits for it any more
   */
  async open(graph) {
    const turn = ++this.turn;
    if (this.kind === 'phrase') {
      this.phrase ??= await singPhrase();
      if (turn === this.turn) this.reconnect(graph);
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
    this.reconnect(graph);
  }

  /**
   * Connect what is open to another graph.
   * @param {import('./audio-graph.js').AudioGraph} graph
   */
  reconnect(graph) {
    if (this.kind === 'phrase') {
      if (this.phrase) graph.useBuffer(this.phrase);
    } else if (this.stream) {
      graph.useStream(this.stream);
    }
  }

  close() {
    this.turn++;
    if (this.stream) release(this.stream);
    this.stream = null;
  }
}
