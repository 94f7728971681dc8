/**
 * What was counted and said during one stay, over audio contexts that were replaced and connections that were
 * lost.
 * @module
 */

/**
 * @typedef {import('./worklet.js').Report} Report
 * @typedef {import('./protocol.js').ServerMessage} ServerMessage
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
    this.before = { ...NOTHING };
    /** @type {number | null} Times that the sound card ran dry; null where the browser does not count. */
    this.deviceUnderruns = null;
    this.deviceBefore = 0;
    /** @type {{ at: number, count: number }[]} */
    this.underruns = [];
    /** Of the transport worker, which lives as long as the stay. */
    this.counts = { sent: 0, received: 0, skipped: 0, roundTripMs: /** @type {number | null} */ (null), reconnections: 0 };
    /** @type {import('./protocol.js').ServerHello | null} */
    this.hello = null;
    /** @type {import('./protocol.js').ServerStart | null} */
    this.started = null;
    /** @type {Partial<import('./protocol.js').Controls>} As the server said last. */
    this.inForce = {};
    /** @type {import('./protocol.js').Blend | null} As the server said last. */
    this.blendInForce = null;
    /** @type {import('./protocol.js').ServerStats | null} */
    this.stats = null;
    /** @type {Record<string, number>} */
    this.droppedBefore = {};
    this.gapsBefore = 0;
  }

  /**
   * @param {Report} report of the context that runs
   * @param {number | null} deviceUnderruns of that context
   * @returns {Report}
   */
  reported(report, deviceUnderruns) {
    const sums = { ...NOTHING };
    for (const name of /** @type {(keyof typeof NOTHING)[]} */ (Object.keys(NOTHING))) {
      sums[name] = report[name] + this.before[name];
    }
    this.report = { ...report, ...sums };
    if (deviceUnderruns !== null) this.deviceUnderruns = deviceUnderruns + this.deviceBefore;
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

  /** The context goes and another one comes, which counts from zero. */
  contextReplaced() {
    if (this.report) {
      const { underruns, missing, late, clipped } = this.report;
      this.before = { underruns, missing, late, clipped };
    }
    this.deviceBefore = this.deviceUnderruns ?? 0;
    this.underruns = [];
  }

  /**
   * Note what the server says of itself, of the session and of the controls.
   * @param {ServerMessage} message
   */
  heard(message) {
    switch (message.type) {
      case 'hello':
        this.hello = message;
        break;
      case 'start':
        this.started = message;
        this.inForce = { ...message.controls };
        this.blendInForce = message.blend ?? null;
        if (message.resumed) break;
        this.droppedBefore = this.dropped; // another session counts from zero
        this.gapsBefore = this.gaps;
        this.stats = null;
        break;
      case 'controls': {
        const { type: _, voice: __, blend = null, ...inForce } = message;
        this.inForce = inForce;
        this.blendInForce = blend;
        break;
      }
      case 'stats':
        this.stats = message;
        break;
    }
  }

  /** @returns {Record<string, number>} frames that the server dropped, by reason */
  get dropped() {
    const sum = { ...this.droppedBefore };
    for (const [reason, count] of Object.entries(this.stats?.dropped ?? {})) sum[reason] = (sum[reason] ?? 0) + count;
    return sum;
  }

  /** Samples that never reached the server. */
  get gaps() {
    return this.gapsBefore + (this.stats?.gaps ?? 0);
  }
}
