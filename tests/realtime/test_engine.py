import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.converters import available
from pipeline.converters.base import ControlRows, Controls
from pipeline.converters.blend import Blend
from pipeline.converters.passthrough import PassThrough
from pipeline.errors import WeightsCorrupt
from pipeline.synthetic import sing, vibrato
from pipeline.voice import Voice
from realtime.engine import Engine
from realtime.errors import ServerFull
from realtime.session import Session
from tests.live import Clock, Ear, frames, until
from tests.stage import Stage

MakeEngine = Callable[..., Engine]


def song(hz: float, seconds: float = 0.6, seed: int = 1) -> np.ndarray:
    voice = sing(vibrato(hz, seconds, 48_000), 48_000, np.random.default_rng(seed))
    return (np.clip(voice, -1, 1) * 32767).astype(np.int16)[: int(48_000 * seconds) // 480 * 480]


async def feed(engine: Engine, parts: dict[Session, np.ndarray], start: int = 0) -> None:
    """Feed several sessions side by side, waiting for the engine, so that nothing is dropped."""
    clock = engine.clock
    assert isinstance(clock, Clock)
    queues = {session: frames(pcm, start=start) for session, pcm in parts.items()}
    for index in range(max(map(len, queues.values()))):
        for session, queue in queues.items():
            if index < len(queue) and not session.closed:
                session.inbox.put(queue[index])
        clock.now += 0.01
        engine.wake()
        await until(lambda: not any(s.inbox.ready() for s in queues if not s.closed))


async def test_live_sound_is_the_offline_sound_to_the_sample(make_engine: MakeEngine, aria: Voice) -> None:
    engine, ear = make_engine(), Ear()
    controls = Controls(pitch_semitones=3)
    session = engine.open_session("classic", aria, controls, ear)
    pcm = song(150)
    await feed(engine, {session: pcm})
    await until(lambda: len(ear.blocks) == len(pcm) // 480)

    converter = available()["classic"](480)
    state, rows, control_rows = converter.open(1), converter.voice_rows(1), ControlRows(1)
    rows.set(0, aria)
    control_rows.set(0, controls)
    audio = torch.from_numpy(pcm.astype(np.float32) / 32768)[None]
    expected = np.concatenate(
        [
            converter.step(state, audio[:, at : at + 480], rows, control_rows, torch.ones(1, dtype=torch.bool))[
                0
            ]
            .numpy()
            .copy()
            for at in range(0, len(pcm), 480)
        ]
    )
    assert np.abs(ear.samples / 32767 - np.clip(expected, -1, 1)).max() < 1.01 / 32767
    assert [block.position for block in ear.blocks[:2]] == [-converter.delay, 480 - converter.delay]
    assert max(block.f0_in_hz for block in ear.blocks) == pytest.approx(150, rel=0.06)


async def test_two_sessions_never_hear_each_other(make_engine: MakeEngine, aria: Voice) -> None:
    alone, first, second = Ear(), Ear(), Ear()
    engine = make_engine()
    one, other = song(150), song(310, seed=2)
    session = engine.open_session("classic", aria, Controls(), alone)
    await feed(engine, {session: one})
    engine.close_session(session)
    sessions = {
        engine.open_session("classic", aria, Controls(), first): one,
        engine.open_session("classic", None, Controls(pitch_semitones=-7), second): other,
    }
    await feed(engine, sessions)
    await until(lambda: len(first.blocks) == len(alone.blocks) and len(second.blocks) == len(alone.blocks))
    assert np.array_equal(first.samples, alone.samples)
    assert not np.array_equal(second.samples, alone.samples)


async def test_a_session_that_vanishes_mid_block_frees_its_row(make_engine: MakeEngine, aria: Voice) -> None:
    engine, pcm = make_engine(capacity=1), song(200)
    heard = []
    for _ in range(3):
        ear = Ear()
        session = engine.open_session("classic", aria, Controls(), ear)
        with pytest.raises(ServerFull):
            engine.open_session("classic", aria, Controls(), Ear())
        await feed(engine, {session: pcm})
        session.inbox.put(frames(pcm, 1000, start=len(pcm))[0])  # a block and a half, and gone
        engine.wake()
        engine.close_session(session)
        engine.close_session(session)
        await until(lambda: not engine._lanes["classic"].full)
        heard.append(ear.samples)
        assert engine.snapshot().sessions == 0
    assert len(heard[0]) >= len(pcm) - 480
    size = min(map(len, heard))
    assert np.array_equal(heard[0][:size], heard[1][:size])  # the next singer starts with a clean row
    assert engine.snapshot().refused == 3


async def test_a_stream_that_starts_anew_has_a_clean_row(make_engine: MakeEngine, aria: Voice) -> None:
    engine, ear, pcm = make_engine(), Ear(), song(200)
    session = engine.open_session("classic", aria, Controls(), ear)
    await feed(engine, {session: pcm})
    await feed(engine, {session: pcm}, start=10_000_000)
    await until(lambda: len(ear.blocks) == 2 * len(pcm) // 480)
    half = len(ear.samples) // 2
    assert np.array_equal(ear.samples[:half], ear.samples[half:])


class Trap(PassThrough):
    """Raises for rows that hear anything louder than half of full scale."""

    name = "trap"

    def step(self, state: Any, audio: Tensor, voices: Any, controls: ControlRows, active: Tensor) -> Tensor:
        if (audio.abs().amax(1) * active).max() > 0.5:
            raise ValueError("too loud for me")
        return super().step(state, audio, voices, controls, active)


async def test_a_failing_session_is_told_and_the_others_go_on(make_engine: MakeEngine) -> None:
    engine = make_engine(converters={"trap": lambda block: Trap(block=block)})
    good, bad = Ear(), Ear()
    sound = np.full(4800, 1000, np.int16)
    loud = sound.copy()
    loud[2400:] = 30_000
    sessions = {
        engine.open_session("trap", None, Controls(), good): sound,
        engine.open_session("trap", None, Controls(), bad): loud,
    }
    await feed(engine, sessions)
    await until(lambda: len(good.blocks) == 10 and bool(bad.failures))
    assert np.abs(good.samples - sound).max() <= 1
    assert bad.failures == ["ValueError: too loud for me"]
    assert len(bad.blocks) == 5
    assert engine.running
    assert engine.snapshot().sessions == 1


async def test_a_voice_that_cannot_be_set_ends_its_own_session_only(
    make_engine: MakeEngine, aria: Voice
) -> None:
    engine, good, bad = make_engine(), Ear(), Ear()
    broken: Any = replace(aria, timbre=replace(aria.timbre, classes=np.zeros((3, 5), np.float32)))
    singer = engine.open_session("classic", aria, Controls(), good)
    engine.open_session("classic", broken, Controls(), bad)
    await until(lambda: bool(bad.failures))
    await feed(engine, {singer: song(200)})
    await until(lambda: len(good.blocks) > 10)
    assert engine.running
    assert engine.snapshot().sessions == 1


async def test_controls_and_voices_change_while_singing(make_engine: MakeEngine, aria: Voice) -> None:
    engine, ear = make_engine(), Ear()
    session = engine.open_session("classic", aria, Controls(auto_pitch=False), ear)
    pcm = song(200, 2.0)
    await feed(engine, {session: pcm[:48_000]})
    engine.change(session, Controls(auto_pitch=False, pitch_semitones=12), None, None)
    await feed(engine, {session: pcm[48_000:]}, start=48_000)
    await until(lambda: len(ear.blocks) == 200)
    assert np.median([b.f0_out_hz for b in ear.blocks[60:100]]) == pytest.approx(200, rel=0.03)
    assert np.median([b.f0_out_hz for b in ear.blocks[160:200]]) == pytest.approx(400, rel=0.03)


@pytest.mark.parametrize("converter", ["classic", "native"])
async def test_a_blend_starts_moves_and_ends_while_singing(
    make_engine: MakeEngine, aria: Voice, otto: Voice, converter: str
) -> None:
    """To the sample what the converter does by itself, though voices change too."""
    engine, ear = make_engine(), Ear()
    controls = Controls(auto_pitch=False)
    session = engine.open_session(converter, aria, controls, ear, Blend(otto, 0.3))
    pcm = song(200, 2.5)
    stage = Stage(converter)
    stage.set(0, controls, aria, Blend(otto, 0.3))
    expected = []
    for part, (voice, blend) in enumerate(
        [
            (None, Blend(otto, 0.3)),
            (None, Blend(otto, 0.9)),
            (otto, Blend(aria, 0.5)),
            (aria, Blend(aria, 0.5)),
            (None, None),
        ]
    ):
        if part:
            engine.change(session, controls, voice, blend)
            if voice is not None:
                stage.voices.set(0, voice)
            stage.voices.blend(0, blend.voice if blend else None, blend.share if blend else 0.0)
        piece = slice(part * 24_000, (part + 1) * 24_000)
        await feed(engine, {session: pcm[piece]}, start=piece.start)
        expected.append(stage.run(pcm[piece].astype(np.float32) / 32768))
    await until(lambda: len(ear.blocks) == len(pcm) // 480)
    assert ear.failures == []
    assert np.abs(ear.samples / 32767 - np.clip(np.concatenate(expected), -1, 1)).max() < 1.01 / 32767


async def test_the_next_singer_in_a_row_hears_no_blend(
    make_engine: MakeEngine, aria: Voice, otto: Voice
) -> None:
    engine, pcm = make_engine(capacity=1), song(200)
    ears = [Ear(), Ear()]
    for ear, blend in zip(ears, (Blend(otto, 0.8), None), strict=True):
        session = engine.open_session("classic", aria, Controls(), ear, blend)
        await feed(engine, {session: pcm})
        await until(lambda ear=ear: len(ear.blocks) == len(pcm) // 480)
        engine.close_session(session)
        await until(lambda: not engine._lanes["classic"].full)
    stage = Stage("classic")
    stage.set(0, Controls(), aria)
    expected = stage.run(pcm.astype(np.float32) / 32768)
    assert np.abs(ears[1].samples / 32767 - np.clip(expected, -1, 1)).max() < 1.01 / 32767
    assert np.abs(ears[0].samples / 32767 - np.clip(expected, -1, 1)).max() > 0.01


async def test_a_busy_thread_takes_no_more_sessions(make_engine: MakeEngine) -> None:
    now = [0.0]

    class Slow(PassThrough):
        def step(self, *args: Any) -> Tensor:
            now[0] += 0.007  # of a clock that only this moves
            return super().step(*args)

    engine = make_engine(converters={"slow": lambda block: Slow(block=block)}, clock=lambda: now[0], capacity=8)
    session = engine.open_session("slow", None, Controls(), Ear())
    for index in range(100):
        now[0] += 0.003
        session.inbox.put(frames(np.zeros(480, np.int16), start=index * 480)[0])
        engine.wake()
        await until(lambda: not session.inbox.ready())
        await asyncio.sleep(0.002)
    with pytest.raises(ServerFull, match="busy"):
        engine.open_session("slow", None, Controls(), Ear())
    assert engine.snapshot().sessions == 1


async def test_an_unknown_converter_is_a_key_error(make_engine: MakeEngine) -> None:
    with pytest.raises(KeyError):
        make_engine().open_session("none", None, Controls(), Ear())


async def test_the_engine_reports_what_it_did(make_engine: MakeEngine, aria: Voice) -> None:
    engine, ear = make_engine(clock=time.perf_counter), Ear()
    session = engine.open_session("classic", aria, Controls(), ear)
    for index, piece in enumerate(frames(song(200))):
        session.inbox.put(piece)
        engine.wake()
        await until(lambda count=index + 1: len(ear.blocks) == count)
    stats = engine.snapshot()
    assert stats.blocks == 60
    assert stats.step_p50_ms is not None
    assert stats.added_p99_ms is not None
    assert stats.step_p50_ms > 0
    assert stats.queue_depth == 0
    engine.stop()
    assert not engine.running


class Long(PassThrough):
    """Takes 40 ms at a time, as converters with large networks do."""

    name = "long"

    def __init__(self) -> None:
        super().__init__(block=1920)
        self.hop = 1920


async def test_a_lane_takes_blocks_of_its_own_and_says_so(make_engine: MakeEngine) -> None:
    engine, ear = make_engine(converters={"long": lambda block: Long()}), Ear()
    session = engine.open_session("long", None, Controls(), ear)
    assert session.block == 1920
    await feed(engine, {session: song(200)})
    await until(lambda: len(ear.blocks) == 15)
    assert [block.position for block in ear.blocks[:3]] == [0, 1920, 3840]
    assert {len(block.pcm) for block in ear.blocks} == {3840}


async def test_lanes_take_turns(make_engine: MakeEngine) -> None:
    """One that always has a block does not keep the others waiting."""
    turns: list[str] = []

    class Told(PassThrough):
        def __init__(self, name: str) -> None:
            super().__init__(block=480)
            self.name = name

        def step(self, *args: Any, **options: Any) -> Tensor:
            turns.append(self.name)
            return super().step(*args, **options)

    engine = make_engine(converters={name: partial(lambda name, block: Told(name), name) for name in "ab"})
    ears = Ear(), Ear()
    sessions = [engine.open_session(name, None, Controls(), ear) for name, ear in zip("ab", ears, strict=True)]
    await until(lambda: not engine._commands)  # all is set: only blocks are waited for
    turns.clear()
    for frame in frames(song(200, 0.04)):
        for session in sessions:
            session.inbox.put(frame)
    engine.wake()
    await until(lambda: all(len(ear.blocks) == 4 for ear in ears))
    assert turns == ["a", "b"] * 4


async def test_what_a_voice_lacks_ends_its_session_and_no_other(make_engine: MakeEngine) -> None:
    class Lacking(PassThrough):
        name = "lacking"

        def step(self, *args: Any, **options: Any) -> Tensor:
            if live:
                raise WeightsCorrupt("these weights lack something")
            return super().step(*args, **options)

    live: list[bool] = []
    engine = make_engine(
        converters={"lacking": lambda block: Lacking(), "passthrough": lambda block: PassThrough()}
    )
    live.append(True)
    one, other = Ear(), Ear()
    sessions = [
        engine.open_session(n, None, Controls(), e) for n, e in (("lacking", one), ("passthrough", other))
    ]
    for frame in frames(song(200, 0.02)):
        for session in sessions:
            session.inbox.put(frame)
    engine.wake()
    await until(lambda: one.failures and len(other.blocks) == 2)
    assert engine.running
