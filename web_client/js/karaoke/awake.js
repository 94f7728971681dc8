/**
 * Keeps a phone's screen on while somebody sings or listens: nobody touches it then, and a locked phone stops the
 * sound.
 *
 * The lock is asked for before the sound is opened, and kept: a browser that takes it may lose a buffer of sound (we
 * saw 8 to 23 ms in Chromium), and the round trip that was measured would not hold any more.
 * @module
 */

/** Asks the browser, where it knows how; it takes the lock away when the page is hidden. */
export class Awake {
  constructor() {
    this.wanted = false;
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    this.touched = matchMedia('(pointer: coarse)'); // other screens stay on for a song
    document.addEventListener('visibilitychange', () => void this.apply());
  }

  /** From now on, until the page is left. */
  async keep() {
    this.wanted = true;
    await this.apply();
  }

  async apply() {
    if (!this.wanted || !this.touched.matches || document.visibilityState !== 'visible') return;
    if (this.lock && !this.lock.released) return;
    try {
      this.lock = await navigator.wakeLock?.request('screen');
    } catch {
      this.lock = null; // the battery is low, or the browser does not want to: the screen goes off as ever
    }
  }
}
