import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.conceal import OVERLAP, SILENT
from realtime.decoder import PcmDecoder
from realtime.jitter import JUMP, MAX_HOLES, MAX_WAITING, JitterBuffer, Piece
from realtime.patience import LEAST, MOST
from tests.live import Clock
from tests.lossy import FRAME, RATE, SOURCE, Path, check, drive

PATHS = {
    "clean": Path(),
    "loss": Path(loss=0.1),
    "bursts": Path(loss=0.15, burst=4),
    "jitter in order": Path(jitter=0.02, ordered=True, loss=0.03),
    "reordering": Path(jitter=0.02),
    "5 ms, reordering": Path(size=240, hop=240, jitter=0.02, loss=0.05),
    "20 ms, all at once": Path(size=960, hop=960, jitter=0.05, loss=0.1, burst=2, doubled=0.2),
    "duplicates": Path(doubled=0.5, loss=0.05),
    "redundancy": Path(size=960, hop=480, loss=0.15, jitter=0.02),
    "odd sizes": Path(size=701, hop=333, loss=0.2, burst=3, jitter=0.03, doubled=0.1),
    "reordering beyond patience": Path(jitter=0.15),
}


@pytest.mark.parametrize("kind", PATHS)
def test_every_path_gives_one_true_unbroken_stream(kind: str) -> None:
    for seed in range(300):
        check(drive(PATHS[kind], seed), PATHS[kind])


def test_frames_in_order_pass_on_at_once() -> None:
    for path in (Path(), Path(jitter=0.04, ordered=True), Path(doubled=0.4)):
        for seed in range(50):
            run = drive(path, seed)
            assert all(t == run.came[n] for n, t in run.released(path).items())
            assert run.buffer.counters.concealed == 0
            assert run.buffer.counters.longest_stall == 0


@pytest.mark.parametrize("length", [1, 2, 3, 5, 12, 24])
@pytest.mark.parametrize("size", [240, 480, 960])
def test_the_delay_after_a_burst_is_that_before_it(length: int, size: int) -> None:
    """One frame waits for a part of a frame; from the next one on, nothing of the loss is left."""
    path = Path(size=size, hop=size, without=range(20, 20 + length))
    lag = drive(path, 0).lag(path)
    assert lag[20 + length] == pytest.approx(path.delay + LEAST * size / RATE)
    after = [lag[n] for n in range(21 + length, path.frames)]
    assert after == pytest.approx([path.delay] * len(after))


def test_a_burst_leaves_no_delay_on_a_jittery_path_either() -> None:
    """Against the same arrivals without the burst."""
    for seed in range(300):
        plain = Path(jitter=0.02, frames=80)
        burst = Path(jitter=0.02, frames=80, without=range(20, 26))
        with_, without = drive(burst, seed).lag(burst), drive(plain, seed).lag(plain)
        after = [n for n in with_ if n > 30]
        both = [n for n in after if n in without]
        assert np.mean([with_[n] - without[n] for n in both]) < 0.5 * FRAME / RATE
        assert np.mean([with_[n] for n in after]) < np.mean(list(without.values())) + FRAME / RATE


def test_losses_do_not_add_up() -> None:
    path = Path(loss=0.1, burst=2, frames=800)
    lag = drive(path, 1).lag(path)
    late = np.array([lag[n] for n in sorted(lag)])
    assert late.max() <= path.delay + 0.5 * FRAME / RATE + 1e-9
    assert np.median(late[-100:]) == pytest.approx(path.delay)


def test_redundant_frames_make_single_losses_free() -> None:
    path = Path(size=960, hop=480, without=range(20, 21))
    run = drive(path, 0)
    assert run.buffer.counters.concealed == 0
    assert run.buffer.counters.longest_stall == 0


def test_patience_learns_what_reordering_needs() -> None:
    path = Path(jitter=0.025, frames=800)
    for seed in range(5):
        run = drive(path, seed)
        counters = run.buffer.counters
        assert counters.reordered > 100
        assert counters.late <= 8  # while it learns
        assert 0.012 < run.buffer._patience._peak < 0.035


def test_patience_is_forgotten_slowly() -> None:
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)
    for n in (0, 2):
        buffer.put(n * FRAME, FRAME, SOURCE[:FRAME])
    assert buffer.patience == pytest.approx(LEAST * 0.01)
    clock.now += LEAST * 0.01
    assert [p.heard for p in buffer.poll()] == [False, True]
    clock.now += 0.030 - LEAST * 0.01
    assert buffer.put(FRAME, FRAME, SOURCE[:FRAME]) == []
    assert buffer.counters.late == 1
    assert buffer.patience == pytest.approx(0.030 * 1.25 + 0.002)  # at once what would have sufficed
    clock.now += 1
    assert buffer.patience > 0.03
    clock.now += 30
    assert buffer.patience == pytest.approx(LEAST * 0.01)


def test_patience_lasts_while_frames_keep_coming_out_of_order() -> None:
    """Those that come in time remind of what they need, or every few seconds one would come too late."""
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)
    buffer.put(0, FRAME, SOURCE[:FRAME])
    for n in range(1, 120, 2):
        buffer.put((n + 1) * FRAME, FRAME, SOURCE[:FRAME])
        clock.now += 0.02
        buffer.poll()
        buffer.put(n * FRAME, FRAME, SOURCE[:FRAME])
        clock.now += 1
    assert (buffer.counters.late, buffer.counters.reordered) == (1, 59)


def test_the_hopelessly_late_teach_no_patience() -> None:
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)
    buffer.put(0, FRAME, SOURCE[:FRAME])
    buffer.put(2 * FRAME, FRAME, SOURCE[:FRAME])
    clock.now += 0.2
    buffer.poll()
    buffer.put(FRAME, FRAME, SOURCE[:FRAME])
    assert buffer.counters.late == 1
    assert buffer.patience == pytest.approx(LEAST * 0.01)


def test_counters_tell_late_reordered_and_repeated_apart() -> None:
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)

    def put(n: int) -> list[Piece]:
        return buffer.put(n * FRAME, FRAME, SOURCE[n * FRAME : (n + 1) * FRAME])

    put(10)
    put(10)  # heard already
    put(9)  # the stream began without it
    put(12)
    put(12)  # waits already
    clock.now += 0.003
    assert [piece.position for piece in put(11)] == [11 * FRAME, 12 * FRAME]
    put(14)
    clock.now += 1
    buffer.poll()
    put(13)  # concealed already ...
    put(13)  # ... and that is known by now
    c = buffer.counters
    assert (c.duplicates, c.late, c.reordered, c.concealed) == (3, 2, 1, FRAME)
    assert c.longest_stall == pytest.approx(1)  # the timer rang late


def test_nothing_is_invented_when_frames_stop_coming() -> None:
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)
    buffer.put(0, FRAME, SOURCE[:FRAME])
    assert buffer.deadline is None
    clock.now += 3600
    assert buffer.poll() == []
    assert len(buffer.put(FRAME, FRAME, SOURCE[:FRAME])) == 1
    assert buffer.counters.concealed == 0


def test_a_long_gap_ends_in_silence() -> None:
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)
    buffer.put(0, 4800, SOURCE[:4800])
    assert buffer.put(4800 + 19_200, FRAME, SOURCE[:FRAME]) == []
    clock.now += 0.05
    pieces = buffer.poll()
    made = np.concatenate([p.samples for p in pieces if not p.heard])
    assert len(made) == 19_200
    assert max(len(p.samples) for p in pieces) <= 960
    assert made[:960].any()
    assert not made[SILENT:].any()


@pytest.mark.parametrize("jump", [JUMP + 4 * FRAME, -JUMP - 4 * FRAME])
def test_a_jump_starts_the_stream_anew(jump: int) -> None:
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)
    buffer.put(100_000, FRAME, SOURCE[:FRAME])
    buffer.put(100_000 + 2 * FRAME, FRAME, SOURCE[:FRAME])  # waits
    pieces = buffer.put(100_000 + jump, FRAME, SOURCE[:FRAME])
    assert [(p.position - 100_000, p.heard) for p in pieces] == [
        (FRAME, False),
        (2 * FRAME, True),
        (jump, True),
    ]
    assert np.array_equal(pieces[-1].samples, SOURCE[:FRAME])  # nothing fades into another stream
    assert buffer.counters.restarts == 1
    assert buffer.deadline is None


def test_too_many_waiting_frames_end_the_wait() -> None:
    buffer = JitterBuffer(PcmDecoder(), Clock())
    buffer.put(0, 60, SOURCE[:60])
    for n in range(MAX_WAITING):
        assert buffer.put(600 + 60 * n, 60, SOURCE[:60]) == []
    pieces = buffer.put(600 + 60 * MAX_WAITING, 60, SOURCE[:60])
    assert [p.heard for p in pieces] == [False] + [True] * (MAX_WAITING + 1)
    assert buffer.counters.overflows == 1


def test_only_the_newest_losses_are_remembered() -> None:
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)
    for n in range(0, 200, 2):
        buffer.put(n * FRAME, FRAME, SOURCE[:FRAME])
        clock.now += 0.02
        buffer.poll()
    assert [hole.start // FRAME for hole in buffer._holes] == list(range(199 - 2 * MAX_HOLES, 199, 2))


def test_an_empty_frame_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="0 samples"):
        JitterBuffer(PcmDecoder(), Clock()).put(0, 0, SOURCE[:0])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-60, 80), st.integers(1, 1500), st.integers(0, 40), st.booleans()),
        min_size=1,
        max_size=60,
    )
)
def test_whatever_comes_memory_is_bounded_and_time_runs_forward(
    arrivals: list[tuple[int, int, int, bool]],
) -> None:
    """Frames jump to and fro, the timer rings or does not; within a stream all is in order and true."""
    clock = Clock()
    buffer = JitterBuffer(PcmDecoder(), clock)
    place, end, fading = 100_000, 0, 0
    for step, size, wait, rings in arrivals:
        clock.now += wait / 1000
        before = buffer.counters.restarts
        place = max(0, min(place + step * 480, len(SOURCE) - size))
        pieces = buffer.poll() if rings else []
        pieces += buffer.put(place, size, SOURCE[place : place + size])
        for piece in pieces:
            if end and piece.position != end:
                assert buffer.counters.restarts == before + 1
                assert piece.position == place
                fading = 0
            end = piece.position + len(piece.samples)
            if piece.heard:
                assert np.array_equal(piece.samples[fading:], SOURCE[piece.position + fading : end])
                fading = max(fading - len(piece.samples), 0)
            else:
                fading = OVERLAP
        assert len(buffer._waiting) <= MAX_WAITING
        assert len(buffer._holes) <= MAX_HOLES
        assert buffer.deadline is None or buffer.deadline <= clock.now + MOST + 1e-9
        assert (buffer.deadline is None) == (not buffer._waiting)
