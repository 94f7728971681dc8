import contextlib
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.errors import ProtocolError
from realtime.inbox import JUMP, Inbox
from realtime.protocol import Audio
from tests.live import Clock, frames

BLOCK = 480
SOURCE = (np.random.default_rng(1).integers(5000, 30_000, 200_000)).astype(np.int16)  # never zero


def drain(inbox: Inbox) -> list[tuple[int, np.ndarray]]:
    out = []
    while inbox.ready():
        block = np.zeros(inbox.block, np.float32)
        out.append((inbox.take(block).position, np.round(block * 32768).astype(np.int16)))
    return out


def frame(at: int, size: int = BLOCK, seq: int = 0) -> Audio:
    return Audio(seq, at, SOURCE[at : at + size].tobytes())


def test_frames_of_any_size_come_out_as_blocks(clock: Clock) -> None:
    for size in (1, 128, 479, 480, 481, 1920):
        inbox = Inbox(BLOCK, 4, clock)
        heard = []
        for piece in frames(SOURCE[:9600], size):
            clock.now += size / 48_000
            inbox.put(piece)
            heard += drain(inbox)
        assert [position for position, _ in heard] == list(range(0, len(heard) * BLOCK, BLOCK))
        assert np.array_equal(np.concatenate([block for _, block in heard]), SOURCE[: len(heard) * BLOCK])
        assert not inbox.dropped


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(-3, 6), st.integers(1, 1500), st.integers(0, 60)), min_size=1, max_size=60),
    st.booleans(),
)
def test_whatever_comes_the_engine_reads_one_forward_stream(
    arrivals: list[tuple[int, int, int]], slow: bool
) -> None:
    """Frames jump back and forth; every sample read is the captured one, part of a fade, or silence."""
    clock = Clock()
    inbox = Inbox(BLOCK, 4, clock)
    place, read, wrong = 20_000, -1, 0
    for seq, (step, size, wait) in enumerate(arrivals):
        clock.now += wait / 1000 + size / 48_000
        place = max(0, min(place + step * 240, len(SOURCE) - size))
        inbox.put(frame(place, size, seq))
        if slow and seq % 7:
            continue
        for position, block in drain(inbox):
            assert position >= read  # never backwards, never twice
            read = position + BLOCK
            same = (block == SOURCE[position : position + BLOCK]) | (block == 0)
            wrong += int((~same).sum())
    fades = 96 * (len(arrivals) + sum(inbox.dropped.values())) * 2
    assert wrong <= fades
    assert inbox.depth() <= 5
    assert inbox.gap_samples >= 0
    assert all(count >= 0 for count in inbox.dropped.values())


def test_a_missing_frame_is_silence_and_time_goes_on(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 8, clock)
    for seq in (0, 1, 3):
        inbox.put(frame(seq * BLOCK, seq=seq))
    heard = drain(inbox)
    assert [position for position, _ in heard] == [0, 480, 960, 1440]
    assert np.abs(heard[2][1][96:]).max() == 0
    assert np.array_equal(heard[3][1][96:], SOURCE[1440 + 96 : 1920])
    assert inbox.gap_samples == BLOCK


def test_a_frame_out_of_order_is_put_where_it_belongs(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 8, clock)
    for seq in (0, 2, 1, 3):
        inbox.put(frame(seq * BLOCK, seq=seq))
    heard = np.concatenate([block for _, block in drain(inbox)])
    assert np.array_equal(heard[480:960], SOURCE[480:960])
    assert inbox.gap_samples == 0
    assert not inbox.dropped


def test_repeated_and_late_frames_are_counted_and_not_heard(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 8, clock)
    inbox.put(frame(0, seq=0))
    inbox.put(frame(0, seq=0))
    inbox.put(frame(960, seq=2))
    assert len(drain(inbox)) == 3
    inbox.put(frame(480, seq=1))
    inbox.put(frame(1440, seq=3))
    assert [position for position, _ in drain(inbox)] == [1440]
    assert inbox.dropped == {"repeated": 2}
    inbox.put(frame(1440 + 4800, seq=20))
    drain(inbox)
    inbox.put(Audio(21, 2400, bytes(960)))
    assert inbox.dropped["late"] == 1


def test_a_backlog_loses_its_oldest_and_says_so(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 4, clock)
    for piece in frames(SOURCE[: 20 * BLOCK]):
        inbox.put(piece)
    heard = drain(inbox)
    assert [position for position, _ in heard] == [n * BLOCK for n in range(16, 20)]
    assert inbox.dropped == {"overflow": 16}
    assert heard[0][1][0] < SOURCE[16 * BLOCK] // 2  # faded in
    assert np.array_equal(heard[1][1], SOURCE[17 * BLOCK : 18 * BLOCK])


def test_a_long_gap_is_no_overflow(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 4, clock)
    inbox.put(frame(0))
    drain(inbox)
    inbox.put(frame(9600))
    assert inbox.dropped == {}
    assert inbox.gap_samples == 9600 - 480
    assert drain(inbox)[-1][0] == 9600


def test_a_far_jump_starts_the_stream_anew(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 4, clock)
    inbox.put(frame(100_000))
    first = inbox.take(np.zeros(BLOCK, np.float32))
    inbox.put(frame(0))
    second = inbox.take(np.zeros(BLOCK, np.float32))
    inbox.put(frame(JUMP + 5000))
    third = inbox.take(np.zeros(BLOCK, np.float32))
    assert [t.position for t in (first, second, third)] == [100_000, 0, JUMP + 5000]
    assert len({t.generation for t in (first, second, third)}) == 3
    assert inbox.gap_samples == 0


def test_the_arrival_is_that_of_a_blocks_last_sample(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 4, clock)
    for at in (0, 240, 480, 720):
        clock.now += 0.005
        inbox.put(frame(at, 240))
    taken = [inbox.take(np.zeros(BLOCK, np.float32)) for _ in range(2)]
    assert [t.arrival for t in taken] == pytest.approx([100.010, 100.020])


def test_taking_from_an_empty_inbox_is_a_mistake(clock: Clock) -> None:
    with pytest.raises(RuntimeError):
        Inbox(BLOCK, 4, clock).take(np.zeros(BLOCK, np.float32))


def test_faster_than_real_time_is_refused_and_at_last_fatal(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 4, clock)
    errors = []
    for seq in range(400):
        try:
            inbox.put(frame((seq * BLOCK) % 100_000, seq=seq))
        except ProtocolError as problem:
            errors.append(problem)
        drain(inbox)
    assert [e.code for e in errors] == ["too_fast"] * len(errors)
    assert not errors[0].fatal
    assert errors[-1].fatal
    assert inbox.frames == 50  # half a second ahead is fine


@pytest.mark.parametrize("pace", [1.0, 1.003])
def test_real_time_and_a_fast_clock_are_never_too_fast(clock: Clock, pace: float) -> None:
    inbox = Inbox(BLOCK, 4, clock)
    for seq in range(5000):
        clock.now += 0.01 / pace
        inbox.put(frame((seq * BLOCK) % 150_000 // BLOCK * BLOCK, seq=seq))
        drain(inbox)
    assert inbox.dropped["too_fast"] == 0


def test_a_pause_earns_no_flood(clock: Clock) -> None:
    inbox = Inbox(BLOCK, 4, clock)
    clock.now += 3600
    for seq in range(300):
        with contextlib.suppress(ProtocolError):
            inbox.put(frame(seq * BLOCK, seq=seq))
        drain(inbox)
    assert inbox.frames <= 150  # a second's credit and the burst


def test_reader_and_writer_may_race() -> None:
    """A thread reads while the other writes, jumps and overflows: blocks stay whole and in order."""
    inbox = Inbox(BLOCK, 4, time.perf_counter)
    stop = threading.Event()
    problems: list[str] = []
    taken = 0

    def read() -> None:
        nonlocal taken
        out = np.zeros(BLOCK, np.float32)
        last = (0, -1)
        while not stop.is_set():
            while inbox.ready():
                try:
                    block = inbox.take(out)
                except RuntimeError:  # the stream has started anew since ready()
                    break
                taken += 1
                here = (block.generation, block.position)
                if here <= last:
                    problems.append(f"{here} after {last}")
                last = here

    reader = threading.Thread(target=read)
    reader.start()
    rng, place = np.random.default_rng(2), 0
    until = time.perf_counter() + 1.5
    while time.perf_counter() < until:
        place = int(rng.integers(0, 150_000)) if rng.random() < 0.02 else (place + BLOCK) % 190_000
        with contextlib.suppress(ProtocolError):
            inbox.put(frame(place))
        inbox._received = 0  # pace is another test
    stop.set()
    reader.join()
    assert not problems
    assert taken > 100


@pytest.mark.parametrize(("size", "block"), [(4800, 480), (4800, 240), (2400, 480)])
def test_the_largest_frames_lose_nothing(clock: Clock, size: int, block: int) -> None:
    inbox = Inbox(block, 4, clock)
    heard = []
    for piece in frames(SOURCE[: 20 * size], size):
        clock.now += size / 48_000
        inbox.put(piece)
        heard += drain(inbox)
    assert not inbox.dropped
    assert np.array_equal(np.concatenate([part for _, part in heard]), SOURCE[: 20 * size])
