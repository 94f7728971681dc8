/**
 * The audio context and what hangs on it: source -> worklet -> monitor volume -> output.
 * @module
 */

import { outputLatency } from './output-latency.js';
import { SAMPLE_RATE } from './protocol.js';
import { Trouble } from './words.js';

/** Samples per captured frame, by how often the callback comes. */
const FRAME_AT_ZERO_HINT = 240;
const FRAME = 480;
const RESUME_TIMEOUT_MS = 8000;

/**
 * @typedef {0 | 'interactive'} LatencyHint
 * @typedef {AudioContext & { setSinkId?: (id: string) => Promise<void>,
 *   playbackStats?: { underrunEvents?: number } }} ModernAudioContext
 */

/**
 * @param {BaseAudioContext} context
 * @throws {Trouble} it did not come
 */
async function loadWorklet(context) {
  try {
    await context.audioWorklet.addModule(new URL('./worklet.js', import.meta.url));
  } catch (error) {
    throw error instanceof DOMException && error.name === 'AbortError' ? new Trouble('unreachable') : error;
  }
}

/**
 * @param {Promise<void>} resumed may never settle, where the browser waits for another click or for an output
 * @throws {Trouble} it did not within some seconds
 */
async function awake(resumed) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Trouble('asleep')), RESUME_TIMEOUT_MS);
  });
  await Promise.race([resumed, late]).finally(() => clearTimeout(timer));
}

/** One audio context with its worklet; a new one is made when the latency hint changes. */
export class AudioGraph {
  /**
   * @param {ModernAudioContext} context
   * @param {AudioWorkletNode} node
   * @param {LatencyHint} hint
   * @param {number} frame
   */
  constructor(context, node, hint, frame) {
    this.context = context;
    this.node = node;
    this.hint = hint;
    this.frame = frame;
    this.monitor = new GainNode(context);
    node.connect(this.monitor).connect(context.destination);
    /** What is captured, for those who want to hear it as well; it goes nowhere by itself. */
    this.dry = new GainNode(context);
    /** @type {MediaStreamAudioDestinationNode | null} */
    this.track = null;
    /** @type {AudioNode | null} */
    this.source = null;
    /** @type {(report: import('./worklet.js').Report) => void} */
    this.onReport = () => {};
    /** @type {((chunk: import('./worklet.js').TapChunk) => void) | null} */
    this.onTap = null;
    this.onClose = () => {};
    /** The system took the sound away for a while. */
    this.onPaused = () => {};
    context.onstatechange = () => {
      if (/** @type {string} */ (context.state) === 'interrupted') this.onPaused();
    };
    node.port.onmessage = (event) => {
      if (event.data.type === 'report') this.onReport(event.data);
      else if (event.data.type === 'tap') this.onTap?.(event.data);
    };
  }

  /**
   * @param {LatencyHint} hint
   * @returns {Promise<AudioGraph>}
   * @throws {DOMException} NotSupportedError when the rate is refused
   * @throws {Trouble} unreachable: the worklet did not load; asleep: the browser does not start the sound
   */
  static async make(hint) {
    /** @type {ModernAudioContext} */
    const context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: hint });
    try {
      const resumed = context.resume(); // asked for while the click still counts as the user's
      resumed.catch(() => {}); // heard below; on the way out nobody needs to
      await loadWorklet(context);
      await awake(resumed);
      const frame = hint === 0 ? FRAME_AT_ZERO_HINT : FRAME;
      const node = new AudioWorkletNode(context, 'autovoice', {
        numberOfInputs: 1,
        numberOfOutputs: 2, // what is heard, and what goes into an audio track
        outputChannelCount: [1, 1],
        channelCount: 1,
        channelCountMode: 'explicit',
        processorOptions: { frame },
      });
      return new AudioGraph(context, node, hint, frame);
    } catch (error) {
      void context.close();
      throw error;
    }
  }

  /**
   * Give the worklet its line to the transport worker.
   * @returns {MessagePort} the worker's end
   */
  transportPort() {
    const channel = new MessageChannel();
    this.node.port.postMessage({ type: 'transport', port: channel.port1 }, [channel.port1]);
    return channel.port2;
  }

  /** @returns {MediaStreamTrack} what is captured, for a peer connection */
  captureTrack() {
    if (!this.track) {
      this.track = new MediaStreamAudioDestinationNode(this.context, { channelCount: 1 });
      this.node.connect(this.track, 1);
    }
    return this.track.stream.getAudioTracks()[0];
  }

  /** @param {MediaStream} stream */
  useStream(stream) {
    this.use(new MediaStreamAudioSourceNode(this.context, { mediaStream: stream }));
  }

  /** @param {AudioBuffer} buffer played over and over */
  useBuffer(buffer) {
    const source = new AudioBufferSourceNode(this.context, { buffer, loop: true });
    this.use(source);
    source.start();
  }

  /** @param {AudioNode} source */
  use(source) {
    this.source?.disconnect();
    this.source = source;
    source.connect(this.node);
    source.connect(this.dry);
  }

  /** @param {number} volume 0..1 */
  setVolume(volume) {
    // Squared: equal steps of the slider sound about equally large.
    this.monitor.gain.setTargetAtTime(volume * volume, this.context.currentTime, 0.02);
  }

  /** @param {string} deviceId empty for the system's default */
  async setOutput(deviceId) {
    await this.context.setSinkId?.(deviceId);
  }

  /** What the browser says that its output adds, in ms; null where it cannot be asked. */
  get outputLatencyMs() {
    const latency = outputLatency(this.context);
    return latency === null ? null : 1000 * latency;
  }

  /** Times that the sound card ran dry, where the browser counts them. */
  get deviceUnderruns() {
    return this.context.playbackStats?.underrunEvents ?? null;
  }

  /**
   * Hold the delay from capture to playout, or let it adapt (null).
   * @param {number | null} samples
   */
  hold(samples) {
    this.node.port.postMessage({ type: 'hold', samples });
  }

  /**
   * Record what goes in and what comes out, in the worklet, at the same instants.
   * @param {number} seconds
   * @returns {Promise<{ sampleRate: number, frame: number, input: Float32Array<ArrayBuffer>,
   *   output: Float32Array<ArrayBuffer> }>} `frame` is the context's of the first sample
   * @throws {Error} the context was closed meanwhile
   */
  tap(seconds) {
    const length = Math.round(seconds * SAMPLE_RATE);
    const input = new Float32Array(length);
    const output = new Float32Array(length);
    let at = 0;
    let frame = 0;
    return new Promise((resolve, reject) => {
      this.onClose = () => reject(new Error('the audio context was replaced or closed'));
      this.onTap = (chunk) => {
        if (at === 0) frame = chunk.frame;
        const count = Math.min(chunk.input.length, length - at);
        input.set(chunk.input.subarray(0, count), at);
        output.set(chunk.output.subarray(0, count), at);
        at += count;
        if (at < length) return;
        this.node.port.postMessage({ type: 'tap', on: false });
        this.onTap = null;
        resolve({ sampleRate: SAMPLE_RATE, frame, input, output });
      };
      this.node.port.postMessage({ type: 'tap', on: true });
    });
  }

  async close() {
    this.onClose();
    this.node.port.postMessage({ type: 'close' });
    this.source?.disconnect();
    this.node.disconnect();
    await this.context.close();
  }
}
