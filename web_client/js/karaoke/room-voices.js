/**
 * The page's end of the voices of a room: what comes by the worker's port is heard at its place in the song.
 * @module
 */

const SINGERS = 2;
const FADE_S = 0.02;

/** Hangs on one audio context. */
export class RoomVoices {
  /**
   * @param {AudioWorkletNode} node
   * @param {boolean} inLine
   */
  constructor(node, inLine) {
    this.node = node;
    this.inLine = inLine;
    this.gains = Array.from({ length: SINGERS }, () => new GainNode(node.context));
    this.gains.forEach((gain, i) => {
      node.connect(gain, i);
      gain.connect(node.context.destination);
    });
    /** @type {import('./room-worklet.js').VoiceReport[]} by place */
    this.reports = [];
    node.port.onmessage = (event) => (this.reports = event.data);
  }

  /**
   * @param {BaseAudioContext} context
   * @param {boolean} inLine in line with the song to the sample, as against as soon as can be
   */
  static async make(context, inLine) {
    await context.audioWorklet.addModule(new URL('./room-worklet.js', import.meta.url));
    const node = new AudioWorkletNode(context, 'autovoice-room', {
      numberOfInputs: 0,
      numberOfOutputs: SINGERS,
      outputChannelCount: [1, 1],
      processorOptions: { inLine },
    });
    return new RoomVoices(node, inLine);
  }

  /** @returns {MessagePort} for the worker, which writes the frames that it receives */
  port() {
    const channel = new MessageChannel();
    this.node.port.postMessage({ type: 'line', port: channel.port1 }, [channel.port1]);
    return channel.port2;
  }

  /** @param {number} frame the context's of the song's first sample */
  begin(frame) {
    this.reports = [];
    this.node.port.postMessage({ type: 'begin', frame });
  }

  end() {
    this.node.port.postMessage({ type: 'end' });
  }

  /** @param {number} place @param {number} volume 0..1 */
  setVolume(place, volume) {
    this.gains[place].gain.setTargetAtTime(volume * volume, this.node.context.currentTime, FADE_S);
  }

  close() {
    this.node.port.postMessage({ type: 'close' });
    this.node.disconnect();
  }
}
