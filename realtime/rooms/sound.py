"""Who hears whom in a room: sessions are heard by the room, and what they make is relayed to the others."""

from __future__ import annotations

from functools import partial

from realtime.rooms.member import Member
from realtime.rooms.relay import Relay
from realtime.session import Block
from realtime.sessions import Stay


class Sound:
    """What members of a room hear of each other (event loop only).

    Args:
        members: of the room, as it changes them.
    """

    def __init__(self, members: list[Member]) -> None:
        self._members = members
        self._relays: dict[Member, Relay] = {}

    def take(self, member: Member, stay: Stay) -> None:
        """A live session is a singer's from now on."""
        for other in self._members:
            if (other.stay is stay) is not (other is member):  # another one's, or in place of another
                self.release(other)
        member.stay = stay
        stay.session.audience = partial(self._heard, member, stay)

    def release(self, member: Member) -> None:
        """No session is this member's any more."""
        self._end_relay(member)
        member.anchor = None
        stay, member.stay = member.stay, None
        if stay is not None and not stay.session.closed:
            stay.session.audience = None

    def relay(self, member: Member, place: int, anchor: int, samples: int) -> None:
        """Pass on what a singer sings from now on; see `Relay`."""
        self._end_relay(member)
        member.anchor = anchor
        to_partner, to_listeners = (partial(self._send, member, sings) for sings in (True, False))
        self._relays[member] = Relay(place, anchor, samples, to_partner, to_listeners)

    def stop(self) -> None:
        """Let all have what is under way, and pass on no more."""
        for member in list(self._relays):
            self._end_relay(member)

    def _end_relay(self, member: Member) -> None:
        relay = self._relays.pop(member, None)
        if relay is not None:
            relay.flush()

    def _heard(self, member: Member, stay: Stay, block: Block) -> None:
        relay = self._relays.get(member)
        if relay is not None and member.stay is stay:
            relay.hear(block)

    def _send(self, singer: Member, to_partner: bool, message: bytes) -> None:
        for member in self._members:
            if member is not singer and member.sings is to_partner and member.line is not None:
                member.line.send_audio(message)
