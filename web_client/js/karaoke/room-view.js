/**
 * The card of a room: open one or come into one; then who is there, and what is heard how late.
 * @module
 */

import { byId, make, setText } from '../dom.js';
import { LISTENER_DELAY_MS } from './room.js';

/**
 * @typedef {object} Doors
 * @property {() => void} onOpen
 * @property {(role: import('./room.js').Role) => void} onJoin
 * @property {() => void} onLeave
 * @property {() => void} onStart
 * @property {(part: number) => void} onPart
 * @property {(volume: number) => void} onPartnerVolume 0..1
 */

/** Binds what is in `#room`. */
export class RoomView {
  /** @param {Doors} doors */
  constructor(doors) {
    this.outside = byId('room-outside', HTMLElement);
    this.inside = byId('room-inside', HTMLElement);
    this.name = byId('room-name', HTMLInputElement);
    this.code = byId('room-code', HTMLInputElement);
    this.open = byId('room-open', HTMLButtonElement);
    this.start = byId('room-start', HTMLButtonElement);
    this.members = byId('room-members', HTMLElement);
    this.note = byId('room-note', HTMLElement);
    this.delay = byId('room-delay', HTMLElement);
    this.link = byId('room-link', HTMLInputElement);
    this.part = byId('room-part', HTMLSelectElement);
    this.partnerRow = byId('room-partner', HTMLElement);
    this.partner = byId('partner', HTMLInputElement);
    this.open.addEventListener('click', () => doors.onOpen());
    for (const role of /** @type {const} */ (['singer', 'listener'])) {
      byId(`room-join-${role}`, HTMLButtonElement).addEventListener('click', () => doors.onJoin(role));
    }
    byId('room-leave', HTMLButtonElement).addEventListener('click', () => doors.onLeave());
    byId('room-copy', HTMLButtonElement).addEventListener('click', () => void this.copy());
    this.start.addEventListener('click', () => {
      doors.onStart();
      byId('sing', HTMLButtonElement).focus(); // which stops it; this one can do nothing more
    });
    this.part.addEventListener('change', () => doors.onPart(Number(this.part.value)));
    this.partner.addEventListener('input', () => this.showVolume(doors));
    byId('partner-mute', HTMLInputElement).addEventListener('change', () => this.showVolume(doors));
    this.showVolume(doors);
  }

  /** @param {Doors} doors */
  showVolume(doors) {
    const muted = byId('partner-mute', HTMLInputElement).checked;
    setText(byId('partner-value', HTMLOutputElement), muted ? 'muted' : `${this.partner.value} %`);
    doors.onPartnerVolume(muted ? 0 : Number(this.partner.value) / 100);
  }

  async copy() {
    this.link.select();
    try {
      await navigator.clipboard.writeText(this.link.value);
      this.say('The link is copied.');
    } catch {
      this.say('Copy the link from its field.'); // it is selected
    }
  }

  /** @param {string} words */
  say(words) {
    setText(this.note, words);
  }

  /** @param {number} startsInMs until the song begins; none: it does not, or has */
  count(startsInMs) {
    const countdown = byId('countdown', HTMLElement);
    if (startsInMs > 0 && countdown.hidden) byId('show-title', HTMLElement).scrollIntoView({ block: 'nearest' });
    countdown.hidden = startsInMs <= 0;
    setText(countdown, startsInMs > 0 ? String(Math.ceil(startsInMs / 1000)) : '');
  }

  /** @param {boolean} songIsReady */
  enable(songIsReady) {
    this.open.disabled = !songIsReady;
  }

  /**
   * @param {import('./room.js').Room | null} room null outside of one
   * @param {Record<string, string>} voices names by id, of those that are known
   * @param {number} parts of the song
   */
  show(room, voices, parts) {
    const gone = room === null ? this.inside : this.outside;
    const had = gone.contains(document.activeElement);
    this.outside.hidden = room !== null;
    this.inside.hidden = room === null;
    if (had) byId('room-title', HTMLElement).focus(); // not lost with what had it
    document.body.dataset.room = room?.me?.role ?? (room ? 'singer' : '');
    const state = room?.state;
    if (!room || !state) return;
    const { me, partner } = room;
    setText(byId('room-shown-code', HTMLElement), state.code);
    const link = new URL(`/karaoke?room=${state.code}`, location.href).href;
    if (this.link.value !== link) this.link.value = link;
    const on = state.starts_at_ms !== null;
    const ready = room.singers.length > 0 && room.singers.every((singer) => singer.ready);
    this.start.hidden = !me?.host;
    this.start.disabled = on || !ready;
    setText(this.start, on ? 'The song is on' : 'Start together');
    const waiting = room.singers.filter((singer) => !singer.ready).map(({ name }) => name);
    setText(
      byId('room-wait', HTMLElement),
      on ? '' : waiting.length ? `Waiting for ${waiting.join(' and ')} to press “I am ready”.`
        : me?.host ? 'Everybody is ready.' : room.singers.length ? 'Everybody is ready; the host starts.' : 'Nobody sings here yet.',
    );
    byId('room-part-field', HTMLElement).hidden = me?.role !== 'singer' || parts < 2;
    this.part.value = String(me?.part ?? 0);
    this.part.disabled = on;
    this.partnerRow.hidden = partner === null;
    this.members.replaceChildren(...state.members.map((member) => this.row(member, member.id === room.myId, voices, on)));
  }

  /**
   * @param {import('./room.js').Member} member
   * @param {boolean} isMe
   * @param {Record<string, string>} voices
   * @param {boolean} on the song is
   */
  row(member, isMe, voices, on) {
    const known = voices[member.voice ?? ''] ?? '';
    const facts = [
      isMe ? 'you' : '', member.host ? 'host' : '', member.role === 'listener' ? 'listens' : '', known,
      !member.present ? 'away' : member.role === 'listener' ? '' : on ? 'sings' : member.ready ? 'ready' : 'not ready',
    ];
    const row = make('li', { className: 'room-member' }, [
      make('i', { className: `swatch ${member.role === 'singer' ? `singer-${member.place}` : ''}` }),
      make('strong', { textContent: member.name }),
      make('span', { className: 'small', textContent: facts.filter(Boolean).join(' · ') }),
    ]);
    row.dataset.id = member.id;
    return row;
  }

  /**
   * What is heard how late, as measured.
   * @param {import('./room.js').Room} room
   * @param {import('./room-worklet.js').VoiceReport[]} reports
   */
  showDelay(room, reports) {
    /** @param {number} samples */
    const ms = (samples) => Math.round(samples / 48);
    const gaps = reports.reduce((sum, { missing }) => sum + missing, 0);
    const lost = gaps > 480 ? ` ${(gaps / 48000).toFixed(2)} s did not come in time.` : '';
    const slow = room.dropped ? ` This line was too slow for ${room.dropped} messages.` : '';
    const { partner } = room;
    if (room.me?.role === 'listener') {
      const spares = reports.map(({ spare }) => spare).filter((spare) => spare !== null);
      const spare = spares.length ? ` The voices come ${ms(Math.min(...spares))} ms before they are needed.` : '';
      setText(this.delay, `You hear all of it ${LISTENER_DELAY_MS / 1000} s after the singers, in line to the sample.${spare}${lost}${slow}`);
    } else if (partner && reports[partner.place ?? 0]?.frames) {
      setText(this.delay, `You hear ${partner.name} ${ms(reports[partner.place ?? 0].delay)} ms late.${lost}${slow}`);
    } else {
      setText(this.delay, '');
    }
  }
}
