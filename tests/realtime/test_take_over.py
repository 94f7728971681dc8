"""A session moves to another line while the one it had is there, or seems to be."""

import asyncio
from collections.abc import Callable

import numpy as np

from pipeline.voice import Voice
from realtime.conversation import Phase
from tests.hall import SONG, Hall
from tests.live import say

OpenHall = Callable[..., Hall]


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
