"""A line is lost, and the singer comes back: parked sessions, with time that the tests own."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.converters import DEFAULT
from pipeline.synthetic import sing, vibrato
from pipeline.voice import Voice
from realtime.conversation import Conversation, Phase
from realtime.engine import Engine
from realtime.inbox import JUMP
from realtime.sessions import Sessions
from tests.live import Clock, Letters, say, until

HELLO = {"type": "hello", "version": 1, "client": "test"}
START = {"type": "start", "voice": "aria", "user_id": "ann", "converter": "classic"}
SONG = (np.clip(sing(vibrato(196, 1.2, 48_000), 48_000, np.random.default_rng(3)), -1, 1) * 32767).astype("<i2")


class Hall:
    """A server without sockets: lines to it are made, sung into and lost."""

    def __init__(self, engine: Engine, voices: dict[str, Voice], clock: Clock, resume_seconds: float) -> None:
        self.engine = engine
        self.clock = clock
        self.voices = voices
        self.sessions = Sessions(engine, resume_seconds, clock)

    async def resolve(self, voice_id: str, user_id: str | None) -> Voice:
        return replace(self.voices[voice_id])

    async def line(self, **start: Any) -> tuple[Conversation, Letters]:
        """Greet and start."""
        letters = Letters()
        conversation = Conversation(self.sessions, self.resolve, letters, "AutoVoice test")
        await say(conversation, HELLO, {**START, **start})
        return conversation, letters

    async def sing(self, line: tuple[Conversation, Letters], first: int, last: int, at: int = 0) -> None:
        """Send frames of the song, each when the one before has come back."""
        conversation, letters = line
        for index in range(first, last):
            pcm = SONG[index * 480 : (index + 1) * 480].tobytes()
            self.clock.now += 0.01
            heard = len(letters.audio)
            await say(conversation, {"type": "audio", "seq": index, "position": at + index * 480, "pcm": pcm})
            await until(lambda heard=heard: len(letters.audio) > heard)

    @property
    def counts(self) -> tuple[int, int]:
        """Sessions, and how many of them are parked."""
        stats = self.engine.snapshot()
        return stats.sessions, stats.parked


@pytest.fixture
async def open_hall(
    make_engine: Callable[..., Engine], clock: Clock, aria: Voice, otto: Voice
) -> Callable[..., Hall]:
    def open_it(resume_seconds: float = 30.0, **options: Any) -> Hall:
        options = {"capacity": 2, "clock": clock, **options}
        return Hall(make_engine(**options), {"aria": aria, "otto": otto}, clock, resume_seconds)

    return open_it


OpenHall = Callable[..., Hall]


@pytest.mark.parametrize("converter", ["classic", DEFAULT])
async def test_the_voice_lives_on_to_the_sample(open_hall: OpenHall, converter: str) -> None:
    hall = open_hall()
    controls = {"pitch_semitones": 3, "auto_pitch": True}
    wanted = {"converter": converter, "controls": controls, "blend": {"voice": "otto", "share": 0.3}}
    whole = await hall.line(**wanted)
    await hall.sing(whole, 0, 100)
    whole[0].close()

    before = await hall.line(**wanted)
    started = before[1].last("start")
    assert started["resumed"] is False
    await hall.sing(before, 0, 50)
    before[0].lose()
    assert before[1].finished
    assert before[0].phase is Phase.ENDED
    assert "stop" not in {m["type"] for m in before[1].messages}
    assert hall.counts == (1, 1)

    hall.clock.now += 29
    after = await hall.line(resume=started["token"], voice="otto", controls={"dry_wet": 0})
    again = after[1].last("start")
    assert again == {**started, "resumed": True}
    assert hall.counts == (1, 0)
    await hall.sing(after, 50, 100)
    assert np.array_equal(np.concatenate([before[1].samples, after[1].samples]), whole[1].samples)
    assert [b.position for b in before[1].audio + after[1].audio] == [b.position for b in whole[1].audio]
    assert before[1].seqs + after[1].seqs == list(range(100))


async def test_controls_changed_before_the_loss_are_in_force_after_it(open_hall: OpenHall) -> None:
    hall = open_hall()
    conversation, letters = await hall.line()
    change = {"voice": "otto", "blend": {"voice": "aria", "share": 0.5}, "gate_db": -50}
    await say(conversation, {"type": "controls", **change})
    conversation.lose()
    _, after = await hall.line(resume=letters.last("start")["token"])
    again = after.last("start")
    assert (again["voice"], again["blend"]) == ("otto", change["blend"])
    assert again["controls"]["gate_db"] == -50


async def test_samples_that_were_lost_are_bridged_and_positions_stay_true(open_hall: OpenHall) -> None:
    hall = open_hall()
    before = await hall.line()
    await hall.sing(before, 0, 20)
    before[0].lose()
    after = await hall.line(resume=before[1].last("start")["token"])
    gap = 2 * JUMP // 480 * 480  # more than the inbox bridges: the stream starts anew where the singer is now
    await hall.sing(after, 20, 60, at=gap)
    delay = after[1].last("start")["delay"]
    assert [b.position for b in after[1].audio] == [gap + n * 480 - delay for n in range(20, 60)]
    assert after[1].seqs == list(range(20, 60))
    await say(after[0], {"type": "stats"})
    assert after[1].last("stats")["frames"] == 60


async def test_who_comes_too_late_begins_anew(open_hall: OpenHall) -> None:
    hall = open_hall()
    conversation, letters = await hall.line()
    conversation.lose()
    hall.clock.now += 30
    _, after = await hall.line(resume=letters.last("start")["token"], voice="otto")
    started = after.last("start")
    assert started["resumed"] is False
    assert started["voice"] == "otto"
    assert started["session"] != letters.last("start")["session"]
    assert started["token"] != letters.last("start")["token"]
    assert hall.counts == (1, 0)


async def test_each_is_freed_when_its_own_time_is_over(open_hall: OpenHall) -> None:
    hall = open_hall()
    for conversation, _ in [await hall.line(), await hall.line()]:
        conversation.lose()
        hall.clock.now += 10
    assert hall.counts == (2, 2)
    hall.clock.now += 10
    hall.sessions.sweep()
    assert hall.counts == (1, 1)
    hall.clock.now += 10
    hall.sessions.sweep()
    assert hall.counts == (0, 0)
    assert hall.sessions._stays == {}
    assert hall.sessions._timer is None


async def test_nobody_has_to_ask_for_it(open_hall: OpenHall) -> None:
    hall = open_hall(resume_seconds=0.05)
    hall.sessions._clock = asyncio.get_running_loop().time
    conversation, _ = await hall.line()
    conversation.lose()
    assert hall.counts == (1, 1)
    await until(lambda: hall.counts == (0, 0))
    assert hall.sessions._timer is None


@pytest.mark.parametrize("other", [{"resume": "guessed"}, {"user_id": "eve"}, {"user_id": None}])
async def test_a_token_is_worth_nothing_in_other_hands(open_hall: OpenHall, other: dict[str, Any]) -> None:
    hall = open_hall()
    conversation, letters = await hall.line()
    first = letters.last("start")
    conversation.lose()
    _, theirs = await hall.line(**{"resume": first["token"], **other})
    assert theirs.last("start")["resumed"] is False
    assert theirs.last("start")["session"] != first["session"]
    _, mine = await hall.line(resume=first["token"])
    assert mine.last("start")["session"] == first["session"]


async def test_a_token_that_is_no_text_is_malformed(open_hall: OpenHall) -> None:
    _, letters = await open_hall().line(resume=5)
    assert letters.last("error")["code"] == "malformed_message"


async def test_another_line_takes_over_while_the_first_seems_to_be_there(open_hall: OpenHall) -> None:
    hall = open_hall()
    old = await hall.line()
    await hall.sing(old, 0, 10)
    new = await hall.line(resume=old[1].last("start")["token"])
    assert new[1].last("start")["resumed"] is True
    assert old[1].finished
    assert old[0].phase is Phase.ENDED
    assert hall.counts == (1, 0)
    frame = {"type": "audio", "seq": 10, "position": 4800, "pcm": bytes(960)}
    told = len(old[1].messages)
    await say(old[0], frame, {"type": "stop", "reason": "late"})  # what was still on its way ends nothing
    old[0].lose()
    assert len(old[1].messages) == told
    assert hall.counts == (1, 0)
    await hall.sing(new, 10, 20)
    assert new[1].seqs == list(range(10, 20))
    assert len(old[1].audio) == 10
    new[0].close()
    assert hall.counts == (0, 0)


async def test_a_client_that_sends_on_both_lines_while_it_moves_loses_nothing(open_hall: OpenHall) -> None:
    hall = open_hall()
    whole, old = await hall.line(), await hall.line()
    await hall.sing(whole, 0, 60)
    await hall.sing(old, 0, 30)
    new = await hall.line(resume=old[1].last("start")["token"])
    again = {"type": "audio", "seq": 29, "position": 29 * 480, "pcm": SONG[29 * 480 : 30 * 480].tobytes()}
    await say(new[0], again)
    await hall.sing(new, 30, 60)
    assert np.array_equal(np.concatenate([old[1].samples, new[1].samples]), whole[1].samples)
    await say(new[0], {"type": "stats"})
    assert new[1].last("stats")["dropped"] == {"repeated": 1}


async def test_voices_still_being_read_for_the_old_line_are_not_set(open_hall: OpenHall) -> None:
    hall = open_hall()
    old, letters = await hall.line()
    ready, resolve = asyncio.Event(), hall.resolve

    async def slow(voice_id: str, user_id: str | None) -> Voice:
        await ready.wait()
        return await resolve(voice_id, user_id)

    old._resolve = slow
    change = asyncio.create_task(say(old, {"type": "controls", "voice": "otto"}))
    await asyncio.sleep(0)
    _, after = await hall.line(resume=letters.last("start")["token"])
    ready.set()
    await change
    assert after.last("start")["voice"] == "aria"
    assert next(iter(hall.engine.sessions)).voice.name == hall.voices["aria"].name


async def test_a_newcomer_takes_the_place_of_who_has_been_away_longest(open_hall: OpenHall) -> None:
    hall = open_hall()
    lines = [await hall.line(), await hall.line()]
    for conversation, _ in reversed(lines):
        hall.clock.now += 1
        conversation.lose()
    tokens = [letters.last("start")["token"] for _, letters in lines]
    _, newcomer = await hall.line(user_id="bob")
    assert newcomer.last("start")["resumed"] is False
    assert hall.counts == (2, 1)
    assert hall.engine.snapshot().refused == 0
    _, first = await hall.line(resume=tokens[0])
    assert first.last("start")["resumed"] is True
    _, second = await hall.line(resume=tokens[1])
    assert second.last("error")["code"] == "server_full"  # nobody is parked any more, and two are there
    assert hall.engine.snapshot().refused == 1


@pytest.mark.parametrize("how", ["stop", "fatal", "failure", "off"])
async def test_an_end_that_is_meant_frees_at_once(open_hall: OpenHall, how: str) -> None:
    hall = open_hall(resume_seconds=0 if how == "off" else 30)
    conversation, letters = await hall.line()
    if how == "stop":
        await say(conversation, {"type": "stop", "reason": "done"})
    elif how == "fatal":
        await say(conversation, {"type": "audio", "seq": 0, "position": 0, "pcm": bytes(960)})
        flood = {"type": "audio", "seq": 0, "position": 0, "pcm": bytes(9600)}
        await say(conversation, *[flood] * 220)
        assert letters.last("error")["fatal"]
    elif how == "failure":
        conversation.on_failure("broken")
    conversation.lose()  # the socket closes after it
    assert hall.counts == (0, 0)
    assert hall.sessions._stays == {}
    _, after = await hall.line(resume=letters.last("start")["token"])
    assert after.last("start")["resumed"] is False


async def test_a_session_that_fails_while_parked_is_gone(open_hall: OpenHall) -> None:
    hall = open_hall()
    conversation, letters = await hall.line()
    session = conversation.session
    conversation.lose()
    hall.engine._fail({session: "broken"})
    assert hall.counts == (0, 0)
    assert hall.sessions._stays == {}
    _, after = await hall.line(resume=letters.last("start")["token"])
    assert after.last("start")["resumed"] is False


async def test_after_the_end_of_the_server_nobody_is_waited_for(open_hall: OpenHall) -> None:
    hall = open_hall()
    first, second = await hall.line(), await hall.line()
    first[0].lose()
    hall.sessions.close()
    assert hall.counts == (1, 0)
    second[0].lose()
    assert hall.counts == (0, 0)
    assert hall.sessions._timer is None


async def test_drops_on_the_line_before_stay_counted(open_hall: OpenHall) -> None:
    hall = open_hall()
    conversation, letters = await hall.line()
    letters.dropped = 3
    conversation.lose()
    again, after = await hall.line(resume=letters.last("start")["token"])
    after.dropped = 2
    await say(again, {"type": "stats"})
    assert after.last("stats")["dropped"] == {"slow_client": 5}


async def test_a_token_is_shown_nowhere(open_hall: OpenHall, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    hall = open_hall()
    conversation, letters = await hall.line()
    token = letters.last("start")["token"]
    assert len(token) >= 43  # 256 bits
    assert token not in repr(conversation._stay)
    conversation.lose()
    await hall.line(resume=token)
    assert token not in caplog.text
