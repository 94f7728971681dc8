"""A line is lost, and the singer comes back: parked sessions, with time that the tests own."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.converters import DEFAULT
from realtime.conversation import Phase
from realtime.inbox import JUMP
from tests.hall import Hall
from tests.live import say, until

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
