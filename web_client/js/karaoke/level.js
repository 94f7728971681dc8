/**
 * How loud something is now. It listens beside the way and makes nothing later.
 * @module
 */

const WINDOW = 2048; // samples: more than pass between two frames of the screen

/** The level of one node. */
export class Level {
  /** @param {AudioNode} node */
  constructor(node) {
    this.analyser = new AnalyserNode(node.context, { fftSize: WINDOW });
    node.connect(this.analyser);
    this.samples = new Float32Array(WINDOW);
  }

  /** @returns {{ peak: number, rms: number }} linear, of the last 43 ms; both channels as one */
  read() {
    this.analyser.getFloatTimeDomainData(this.samples);
    let [peak, sum] = [0, 0];
    for (const sample of this.samples) {
      peak = Math.max(peak, Math.abs(sample));
      sum += sample * sample;
    }
    return { peak, rms: Math.sqrt(sum / WINDOW) };
  }
}
