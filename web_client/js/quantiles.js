/**
 * Quantiles of the recent past, without allocation: two histograms that take turns.
 * @module
 */

/** Upper edges of counts in fixed bins, over the last one to two `window`s of observations. */
export class RecentQuantiles {
  /**
   * @param {number} binWidth in the unit of the observations
   * @param {number} bins observations beyond the last bin count in it
   * @param {number} window observations after which the older half is forgotten
   */
  constructor(binWidth, bins, window) {
    this.binWidth = binWidth;
    this.window = window;
    this.current = new Uint32Array(bins);
    this.previous = new Uint32Array(bins);
    this.inCurrent = 0;
    this.inPrevious = 0;
  }

  /** How many observations the quantiles rest on. */
  get count() {
    return this.inCurrent + this.inPrevious;
  }

  /** Forget everything. */
  clear() {
    this.current.fill(0);
    this.previous.fill(0);
    this.inCurrent = this.inPrevious = 0;
  }

  /** @param {number} value */
  add(value) {
    if (this.inCurrent >= this.window) {
      [this.current, this.previous] = [this.previous, this.current];
      this.inPrevious = this.inCurrent;
      this.current.fill(0);
      this.inCurrent = 0;
    }
    const bin = Math.min(this.current.length - 1, Math.max(0, Math.ceil(value / this.binWidth) - 1));
    this.current[bin]++;
    this.inCurrent++;
  }

  /**
   * The upper edge of the bin in which the quantile falls; 0 when nothing was observed.
   * @param {number} q 0..1
   */
  quantile(q) {
    let left = Math.ceil(q * this.count);
    if (left === 0) return 0;
    for (let bin = 0; bin < this.current.length; bin++) {
      left -= this.current[bin] + this.previous[bin];
      if (left <= 0) return (bin + 1) * this.binWidth;
    }
    return this.current.length * this.binWidth;
  }
}
