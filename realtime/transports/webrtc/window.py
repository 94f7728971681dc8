"""A congestion window that a voice fits into.

SCTP (RFC 9260 section 7.2) takes every loss for congestion: it halves its window, down to four packets, and a
window grows again only while it is full. A voice is sent at a constant rate; on a long path, more than four
frames are always under way. So where losses are a matter of the air and not of a queue, frames wait for the
window on the sending side, the longer the more are lost, though the path would carry them.

WebRTC's media have no such window. Here it is kept, with a floor: enough for the voice on any path that can be
sung over, and little enough to be no burden to one that is full - the outbox drops frames when no more are
acknowledged.
"""

from __future__ import annotations

from aiortc import RTCSctpTransport

FLOOR = 32_768  # bytes; frames of 10 ms under way for 0.3 s


class _Roomy(RTCSctpTransport):
    """Its window is never smaller than the floor (aiortc keeps it in a private attribute)."""

    @property
    def _cwnd(self) -> int:
        return max(int(self.__dict__["_cwnd"]), FLOOR)

    @_cwnd.setter
    def _cwnd(self, window: int) -> None:
        self.__dict__["_cwnd"] = window


def widen(transport: RTCSctpTransport) -> None:
    """Give a transport's congestion window its floor."""
    transport.__class__ = _Roomy
