/**
 * The song under the singer: its tracks play from one instant of the audio context, to the sample.
 * @module
 */

const AHEAD_S = 0.15; // so that all sources are ready when they start
const FADE_S = 0.01;

/** @typedef {'accompaniment' | 'guide'} TrackName */

/** Plays in one context. */
export class Backing {
  /**
   * @param {AudioContext} context
   * @param {AudioNode} output
   */
  constructor(context, output) {
    this.context = context;
    this.gains = {
      accompaniment: new GainNode(context),
      guide: new GainNode(context, { gain: 0 }),
    };
    for (const gain of Object.values(this.gains)) gain.connect(output);
    /** @type {AudioBufferSourceNode[]} */
    this.sources = [];
    /** @type {number | null} the context's frame at which the song's first sample sounds */
    this.frame = null;
    this.duration = 0; // seconds
  }

  /**
   * Begin at a place in the song as soon as can be, or so that its first sample is in place.
   * @param {Record<TrackName, AudioBuffer>} buffers
   * @param {number} from_s
   * @param {number | null} [first] the context's frame of the song's first sample; what lies behind is left out
   */
  start(buffers, from_s, first = null) {
    this.stop();
    const rate = this.context.sampleRate;
    const soon = Math.ceil((this.context.currentTime + AHEAD_S) * rate);
    const frame = first === null ? soon : Math.max(soon, first);
    const offset = first === null ? Math.round(from_s * rate) : frame - first;
    this.duration = buffers.accompaniment.duration;
    for (const name of /** @type {TrackName[]} */ (Object.keys(this.gains))) {
      const source = new AudioBufferSourceNode(this.context, { buffer: buffers[name] });
      source.connect(this.gains[name]);
      source.start(frame / rate, offset / rate);
      this.sources.push(source);
    }
    this.frame = frame - offset;
  }

  /** Seconds of the song that leave the page now; what has been sung to is earlier by the way to the singer and back. */
  get position() {
    if (this.frame === null) return 0;
    return this.context.currentTime - this.frame / this.context.sampleRate;
  }

  get over() {
    return this.frame !== null && this.position > this.duration;
  }

  /** @param {TrackName} name @param {number} volume 0..1 */
  setVolume(name, volume) {
    this.gains[name].gain.setTargetAtTime(volume * volume, this.context.currentTime, FADE_S);
  }

  stop() {
    for (const source of this.sources) {
      source.stop();
      source.disconnect();
    }
    this.sources = [];
    this.frame = null;
  }
}
