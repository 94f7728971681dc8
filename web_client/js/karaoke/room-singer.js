/**
 * What a room is told of who sings in it here: who it is, by which live session, whether they are ready, and where in
 * their sound the song begins. Each is told once, and again after a line that was lost.
 * @module
 */

/** Speaks for one page. */
export class RoomSinger {
  /**
   * @param {(work: () => Promise<void>) => Promise<void>} attempt to do what the server may refuse
   * @param {() => void} onAdmitted this browser may sing in the voices of the room's owner
   */
  constructor(attempt, onAdmitted) {
    this.attempt = attempt;
    this.onAdmitted = onAdmitted;
    /** @type {import('./room.js').Room | null} */
    this.room = null;
    this.token = ''; // of the live session by which is sung here
    this.admitted = ''; // by which token of the room
    this.admitting = ''; // by which one that is asked for
    this.bound = ''; // which of them the room knows as whose
    this.sent = ''; // the last anchor
    this.ready = false;
  }

  /** @param {import('./room.js').Room} room that is not as it was */
  follow(room) {
    this.room = room;
    const { me } = room;
    if (!room.up) this.bound = this.sent = ''; // what is said now does not arrive
    if (!me || !room.up) return;
    if (this.admitted !== room.token && this.admitting !== room.token) {
      sessionStorage.setItem(`room ${room.code} ${me.role}`, room.token);
      if (me.role === 'singer') void this.attempt(() => this.admit(room));
      else this.admitted = room.token;
    }
    if (me.role !== 'singer') return;
    if (this.bound !== room.myId + this.token) this.bind();
    if (me.ready !== this.ready) this.tellReady();
  }

  leave() {
    this.room = null;
    this.ready = false;
  }

  /** @param {import('./room.js').Room} room that is to let this browser sing; asked again at the next change where that failed */
  async admit(room) {
    const { token } = room;
    this.admitting = token;
    try {
      await room.becomeSinger();
      this.admitted = token;
    } finally {
      if (this.admitting === token) this.admitting = '';
    }
    this.onAdmitted();
  }

  tellReady() {
    this.room?.send({ type: 'ready', ready: this.ready });
  }

  /** @param {boolean} ready whether the song may begin for who sings here */
  setReady(ready) {
    if (ready === this.ready) return;
    this.ready = ready;
    this.tellReady();
  }

  /** @param {string} token of the live session by which is sung here */
  singsBy(token) {
    this.token = token;
    this.bind();
  }

  bind() {
    if (!this.room?.up || !this.token) return;
    this.bound = this.room.myId + this.token;
    this.sent = '';
    this.room.send({ type: 'sing', session: this.token });
  }

  /**
   * @param {number} run of the song; 0: none
   * @param {number} position the live session's captured sample that belongs to the song's first one
   */
  anchor(run, position) {
    const anchor = { type: 'anchor', run, position };
    if (!run || !this.room?.up || this.sent === JSON.stringify(anchor)) return;
    this.sent = JSON.stringify(anchor);
    this.room.send(anchor);
  }
}
