"""What a singer's converted blocks become on their way to the others: addressed by their place in the song.

A partner gets every block at once. Listeners, who hear everything later in any case, get several in one
message: many small messages to many of them would cost the event loop more than the bytes do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from realtime import protocol
from realtime.reports import HOP
from realtime.session import Block

SAMPLE_BYTES = 2
GATHERED = 3_840  # samples that listeners get at a time: 80 ms


@dataclass
class _Gathered:
    """Blocks that follow one another."""

    position: int
    f0_position: int
    pcm: bytearray = field(default_factory=bytearray)
    f0_hz: list[float] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.position + len(self.pcm) // SAMPLE_BYTES


class Relay:
    """Passes on what one singer sings in one run of the song.

    Args:
        singer: its place.
        anchor: the session's captured sample that belongs to the song's first one.
        samples: of the song; what lies outside of it is not relayed.
        to_partner, to_listeners: take encoded messages.
    """

    def __init__(
        self,
        singer: int,
        anchor: int,
        samples: int,
        to_partner: Callable[[bytes], None],
        to_listeners: Callable[[bytes], None],
    ) -> None:
        self.anchor = anchor
        self._singer, self._samples = singer, samples
        self._to_partner, self._to_listeners = to_partner, to_listeners
        self._gathered: _Gathered | None = None

    def hear(self, block: Block) -> None:
        """Pass a converted block on (event loop)."""
        position = block.position - self.anchor
        count = len(block.pcm) // SAMPLE_BYTES
        if position + count <= 0 or position >= self._samples:
            self.flush()
            return
        f0_position = position + count - HOP + block.session.delay  # of what was captured with its last 10 ms
        f0_hz = round(block.f0_in_hz, 2)
        self._to_partner(self._encode(position, f0_position, count, block.pcm, [f0_hz]))
        gathered = self._gathered
        if gathered is not None and gathered.end != position:
            self.flush()
            gathered = None
        if gathered is None:
            gathered = self._gathered = _Gathered(position, f0_position)
        gathered.pcm += block.pcm
        gathered.f0_hz.append(f0_hz)
        if gathered.end - gathered.position >= GATHERED:
            self.flush()

    def flush(self) -> None:
        """Let listeners have what has been gathered."""
        gathered, self._gathered = self._gathered, None
        if gathered is not None:
            hop = len(gathered.pcm) // SAMPLE_BYTES // len(gathered.f0_hz)
            pcm = bytes(gathered.pcm)
            self._to_listeners(self._encode(gathered.position, gathered.f0_position, hop, pcm, gathered.f0_hz))

    def _encode(self, position: int, f0_position: int, hop: int, pcm: bytes, f0_hz: list[float]) -> bytes:
        return protocol.encode(
            "audio",
            singer=self._singer,
            position=position,
            pcm=pcm,
            f0_position=f0_position,
            hop=hop,
            f0_hz=f0_hz,
        )
