/**
 * Keeps a phone's screen on while somebody sings or listens: nobody touches it then, and a locked phone stops the
 * sound.
 * @module
 */

/** Asks the browser, where it knows how; it takes the lock away when the page is hidden. */
export class Awake {
  constructor() {
    this.wanted = false;
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    document.addEventListener('visibilitychange', () => void this.apply());
  }

  /** @param {boolean} on */
  keep(on) {
    this.wanted = on;
    void this.apply();
  }

  async apply() {
    if (!this.wanted) {
      const { lock } = this;
      this.lock = null;
      await lock?.release();
    } else if (document.visibilityState === 'visible' && (!this.lock || this.lock.released)) {
      try {
        this.lock = await navigator.wakeLock?.request('screen');
      } catch {
        return; // the battery is low, or the browser does not want to: the screen goes off as ever
      }
      if (!this.wanted) await this.apply();
    }
  }
}
