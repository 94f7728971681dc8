/**
 * What was counted during one stay, over audio contexts that were replaced and connections that were lost.
 * @module
 */

/**
 * @typedef {import('./worklet.js').Report} Report
 * @typedef {import('./protocol.js').ServerStats} ServerStats
 */

/** This many underruns within this many seconds at the shortest latency, and the longer one is taken. */
const UNDERRUNS_TO_FALL_BACK = 4;
const FALL_BACK_WINDOW_S = 15;
const NOTHING = { underruns: 0, missing: 0, late: 0, clipped: 0 };

/** Adds up what contexts and server sessions count, each from zero. */
export class Ledger {
  constructor() {
    /** @type {Report | null} The newest, with what older contexts have counted. */
    this.report = null;
    /** @type {ServerStats | null} */
    this.stats = null;
    this.before = { ...NOTHING };
    this.deviceBefore = 0;
    /** @type {Record<string, number>} */
    this.droppedBefore = {};
    this.gapsBefore = 0;
    /** @type {{ at: number, count: number }[]} */
    this.underruns = [];
  }

  /**
   * @param {Report} report of the context that runs
   * @returns {Report}
   */
  reported(report) {
    const sums = { ...NOTHING };
    for (const name of /** @type {(keyof typeof NOTHING)[]} */ (Object.keys(NOTHING))) {
      sums[name] = report[name] + this.before[name];
    }
    this.report = { ...report, ...sums };
    return this.report;
  }

  /**
   * Whether the context that runs drops out too often for its latency.
   * @param {number} now seconds
   */
  isStarving(now) {
    const count = this.report?.underruns ?? 0;
    this.underruns.push({ at: now, count });
    while (this.underruns[0].at < now - FALL_BACK_WINDOW_S) this.underruns.shift();
    return count - this.underruns[0].count >= UNDERRUNS_TO_FALL_BACK;
  }

  /**
   * The context goes and another one comes, which counts from zero.
   * @param {number | null} deviceUnderruns of the one that goes
   */
  contextReplaced(deviceUnderruns) {
    if (this.report) {
      const { underruns, missing, late, clipped } = this.report;
      this.before = { underruns, missing, late, clipped };
    }
    this.deviceBefore += deviceUnderruns ?? 0;
    this.underruns = [];
  }

  /** The server has begun another session, which counts from zero. */
  serverStarted() {
    this.droppedBefore = this.dropped();
    this.gapsBefore = this.gaps();
    this.stats = null;
  }

  /** @returns {Record<string, number>} frames that the server dropped, by reason */
  dropped() {
    const sum = { ...this.droppedBefore };
    for (const [reason, count] of Object.entries(this.stats?.dropped ?? {})) sum[reason] = (sum[reason] ?? 0) + count;
    return sum;
  }

  /** Samples that never reached the server. */
  gaps() {
    return this.gapsBefore + (this.stats?.gaps ?? 0);
  }

  /** @param {number | null} now what the context that runs has counted; null where the browser does not */
  deviceUnderruns(now) {
    return now === null ? null : now + this.deviceBefore;
  }
}
