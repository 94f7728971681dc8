/**
 * How the singer wants to sound, and what of it the server does not know yet.
 * @module
 */

/**
 * @typedef {import('./worker-messages.js').Start} Start
 * @typedef {import('./worker-messages.js').Change} Change
 */

/**
 * @param {Pick<Start, 'voice' | 'blend'> & { controls: Partial<import('./protocol.js').Controls> }} start
 * @returns {Record<string, unknown>} all of it that can change, as a `controls` message has it
 */
const flat = ({ voice, blend, controls }) => ({ voice, blend, ...controls });

/** @param {unknown} a @param {unknown} b both of a `controls` message */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Those of one stay. */
export class Wishes {
  /** @param {Start} start */
  constructor(start) {
    this.wanted = start; // now ...
    this.asked = start; // ... and what the server was asked for when the session began
  }

  /** @returns {Start} the fields of a `start` message */
  ask() {
    this.asked = this.wanted;
    return this.asked;
  }

  /** @param {Change} change now and in the sessions to come */
  change({ voice = this.wanted.voice, blend = this.wanted.blend, ...controls }) {
    this.wanted = { ...this.wanted, voice, blend, controls: { ...this.wanted.controls, ...controls } };
  }

  /**
   * What was wished for while the server was still making the session, or was not reached.
   * @param {Parameters<typeof flat>[0]} [known] to the server
   * @returns {Change | null} null when it knows all
   */
  unknown(known = this.asked) {
    const before = flat(known);
    const changes = Object.entries(flat(this.wanted)).filter(([name, value]) => !same(value, before[name]));
    return changes.length ? Object.fromEntries(changes) : null;
  }
}
