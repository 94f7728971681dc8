import numpy as np
import pytest

from kernels.conceal import OVERLAP
from realtime.decoder import Pcm
from realtime.jitter import JitterBuffer, Piece
from tests.live import Clock
from tests.lossy import FRAME, SOURCE


class Codec:
    """A decoder whose payloads are frame numbers: it has a memory, and each knows the frame before it."""

    def __init__(self, knows: int = FRAME, damaged: frozenset[int] = frozenset(), wrong: int = -1) -> None:
        self.calls: list[tuple[str, int]] = []
        self.knows, self.damaged, self.wrong = knows, damaged, wrong

    def decode(self, payload: int) -> Pcm | None:
        self.calls.append(("decode", payload))
        if payload in self.damaged:
            return None
        sound = SOURCE[payload * FRAME : (payload + 1) * FRAME]
        return sound[1:] if payload == self.wrong else sound

    def recover(self, payload: int, samples: int) -> Pcm | None:
        self.calls.append(("recover", payload))
        known = min(self.knows, samples)
        return SOURCE[payload * FRAME - known : payload * FRAME] if known else None


def through(codec: Codec, order: list[int]) -> tuple[JitterBuffer[int], list[Piece]]:
    clock = Clock()
    buffer = JitterBuffer(codec, clock)
    pieces: list[Piece] = []
    for n in order:
        clock.now += 0.01
        pieces += buffer.poll()
        pieces += buffer.put(n * FRAME, FRAME, n)
    clock.now += 1
    return buffer, pieces + buffer.poll()


def test_payloads_are_decoded_once_and_in_order() -> None:
    codec = Codec(0)
    through(codec, [0, 0, 2, 1, 1, 2, 3, 5, 4, 5, 6])
    assert [n for call, n in codec.calls if call == "decode"] == [0, 2, 3, 4, 5, 6]  # 1 came too late


def test_a_lost_packet_is_recovered_from_the_one_behind_it() -> None:
    codec = Codec()
    buffer, pieces = through(codec, [0, 1, 3, 4])
    assert all(piece.heard for piece in pieces)
    assert np.array_equal(np.concatenate([p.samples for p in pieces]), SOURCE[: 5 * FRAME])
    assert codec.calls == [("decode", 0), ("decode", 1), ("recover", 3), ("decode", 3), ("decode", 4)]
    assert (buffer.counters.recovered, buffer.counters.concealed) == (FRAME, 0)


def test_what_recovery_does_not_reach_is_concealed() -> None:
    buffer, pieces = through(Codec(), [0, 1, 4, 5])
    assert [(p.position // FRAME, len(p.samples) // FRAME, p.heard) for p in pieces] == [
        (0, 1, True),
        (1, 1, True),
        (2, 1, False),
        (3, 2, True),
        (5, 1, True),
    ]
    assert np.array_equal(pieces[3].samples[OVERLAP:], SOURCE[3 * FRAME + OVERLAP : 5 * FRAME])
    assert (buffer.counters.recovered, buffer.counters.concealed) == (FRAME, FRAME)


@pytest.mark.parametrize("codec", [Codec(0, damaged=frozenset({2})), Codec(0, wrong=2)])
def test_a_damaged_packet_is_a_lost_one(codec: Codec) -> None:
    buffer, pieces = through(codec, [0, 1, 2, 3, 4])
    assert [p.heard for p in pieces] == [True, True, False, True, True]
    assert (buffer.counters.damaged, buffer.counters.concealed) == (1, FRAME)


def test_nothing_but_damaged_packets_for_long_starts_anew() -> None:
    codec = Codec(0, damaged=frozenset(range(2, 100)))
    buffer, pieces = through(codec, list(range(103)))
    assert [p.position // FRAME for p in pieces] == [0, 1, 100, 101, 102]
    assert (buffer.counters.damaged, buffer.counters.restarts, buffer.counters.concealed) == (98, 1, 0)
