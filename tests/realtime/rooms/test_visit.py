"""Lines to a room, with live sessions of a real engine: what one sings reaches the others by its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
import pytest

from realtime.conversation import Conversation
from realtime.rooms.relay import GATHERED
from realtime.rooms.room import COUNTDOWN_S, Room, Stage
from realtime.rooms.rooms import Rooms
from realtime.rooms.visit import MOST_AT_ONCE, Visit
from tests.hall import SONG, Hall
from tests.live import Clock, Letters
from tests.realtime.rooms.conftest import BOUNDS, Ear

JOIN = {"type": "join", "version": 1, "role": "singer", "name": "Ann"}
SINGING = {"converter": "passthrough"}


@dataclass
class Guest:
    """One at the door."""

    visit: Visit
    ear: Ear

    async def say(self, kind: str, **fields: Any) -> None:
        await self.visit.receive(msgpack.packb({"type": kind, **fields}))

    @property
    def heard(self) -> np.ndarray:
        return np.concatenate([np.frombuffer(a["pcm"], "<i2") for a in self.ear.audio] or [np.zeros(0, "<i2")])


@dataclass
class House:
    """A room and the engine behind it; `gone` takes its song away."""

    hall: Hall
    rooms: Rooms
    room: Room
    gone: bool = False

    async def enter(self, **fields: Any) -> Guest:
        async def there(song_id: str) -> bool:
            assert song_id == "stage-1"
            return not self.gone

        ear = Ear()
        guest = Guest(Visit(self.rooms, self.room, self.hall.sessions, ear, there), ear)
        await guest.visit.receive(msgpack.packb({**JOIN, **fields}))
        return guest

    async def singer(self, **fields: Any) -> tuple[Guest, tuple[Conversation, Letters]]:
        guest = await self.enter(**fields)
        line = await self.hall.line(**SINGING)
        await guest.say("sing", session=line[1].last("start")["token"])
        await guest.say("ready", ready=True)
        return guest, line


@pytest.fixture
async def house(open_hall: Callable[..., Hall], clock: Clock) -> House:
    rooms = Rooms(BOUNDS, 0, clock)
    return House(open_hall(), rooms, rooms.open(Stage("stage-1", "A tune", 60.0)))


async def test_the_others_hear_a_singer_by_the_place_in_the_song(house: House) -> None:
    ann, ann_line = await house.singer(token=house.room.host_token)
    bo, bo_line = await house.singer(name="Bo")
    cy = await house.enter(role="listener", name="Cy")
    await ann.say("start")
    state = cy.ear.last("room")
    assert state["starts_at_ms"] == 1000 * (house.hall.clock.now + COUNTDOWN_S)
    assert [m["ready"] for m in state["members"] if m["role"] == "singer"] == [True, True]
    await ann.say("anchor", run=state["run"], position=960)
    await bo.say("anchor", run=state["run"], position=-4800)  # begins in the middle
    await house.hall.sing(ann_line, 0, 40)
    assert ann.ear.audio == []
    told = bo.ear.audio
    assert {audio["singer"] for audio in told} == {0}
    assert np.array_equal(np.diff([audio["position"] for audio in told]), [480] * (len(told) - 1))
    first = told[0]["position"]
    assert first + 480 > 0  # what was sung before the song is nobody's business
    start = 960 + first
    assert np.allclose(bo.heard, SONG[start : start + len(bo.heard)], atol=1)
    listened = len(cy.heard)
    assert listened % GATHERED == 0
    assert listened > 0
    assert np.array_equal(cy.heard, bo.heard[:listened])
    assert all(len(audio["f0_hz"]) * audio["hop"] == len(audio["pcm"]) // 2 for audio in cy.ear.audio)
    await house.hall.sing(bo_line, 0, 3)
    assert [audio["singer"] for audio in ann.ear.audio] == [1, 1, 1]
    assert ann.ear.audio[0]["position"] == bo_line[1].audio[0].position + 4800
    await bo.say("score", score=812, streak=3)
    assert ann.ear.last("score") == {"type": "score", "singer": 1, "score": 812, "streak": 3}
    await ann.say("stop")
    before = len(bo.ear.audio)
    await house.hall.sing(ann_line, 40, 44)
    assert len(bo.ear.audio) == before
    assert len(cy.heard) == len(bo.heard) + len(ann.heard)  # the rest of what had been gathered
    await ann.say("anchor", run=state["run"], position=0)  # of a run that is over
    await house.hall.sing(ann_line, 44, 46)
    assert len(bo.ear.audio) == before


async def test_a_session_that_another_singer_brings_is_theirs(house: House) -> None:
    ann, line = await house.singer(token=house.room.host_token)
    bo = await house.enter(name="Bo")
    await bo.say("sing", session=line[1].last("start")["token"])
    await bo.say("ready", ready=True)
    assert [m["ready"] for m in ann.ear.last("room")["members"]] == [False, True]
    await ann.say("leave")
    assert line[0].session is not None
    assert line[0].session.audience is not None  # still Bo's


async def test_who_has_left_is_heard_no_more(house: House) -> None:
    ann, line = await house.singer(token=house.room.host_token)
    await ann.say("start")
    await ann.say("anchor", run=1, position=0)
    cy = await house.enter(role="listener", name="Cy")
    await house.hall.sing(line, 0, 10)
    heard = len(cy.ear.audio)
    assert heard > 0
    await ann.say("leave")
    assert ann.ear.finished
    assert line[0].session is not None
    assert line[0].session.audience is None
    await house.hall.sing(line, 10, 30)
    assert len(cy.ear.audio) <= heard + 1  # what had been gathered


async def test_who_comes_back_goes_on_singing(house: House) -> None:
    ann, line = await house.singer(token=house.room.host_token)
    bo = await house.enter(name="Bo", role="listener")
    await ann.say("start")
    await ann.say("anchor", run=1, position=0)
    ann.visit.lose()
    await house.hall.sing(line, 0, 20)
    assert len(bo.heard) > 0  # the voice has a line of its own
    back = await house.enter(token=ann.ear.last("joined")["token"])
    assert back.ear.last("joined")["you"] == ann.ear.last("joined")["you"]
    assert back.ear.last("room")["starts_at_ms"] is not None
    await ann.say("stop")  # the old line means nothing any more
    assert house.room.starts_at is not None


async def test_what_cannot_be_is_said(house: House) -> None:
    stranger = await house.enter(role="singer", version=2)
    assert (stranger.ear.last("error")["code"], stranger.ear.finished) == ("unsupported_version", True)
    ann = await house.enter(token=house.room.host_token)
    cy = await house.enter(role="listener", name="\x00 \n")
    assert cy.ear.last("room")["members"][-1]["name"] == "Somebody"
    for guest, kind, fields, code in (
        (ann, "join", {"version": 1, "role": "singer"}, "unexpected_message"),
        (ann, "sing", {"session": "nothing"}, "session_not_found"),
        (ann, "start", {}, "not_ready"),
        (ann, "part", {"part": 2}, "malformed_message"),
        (ann, "score", {"score": 10_001, "streak": 0}, "malformed_message"),
        (ann, "anchor", {"run": 1, "position": 2.0**60}, "malformed_message"),
        (ann, "ping", {"t": "now"}, "malformed_message"),
        (ann, "dance", {}, "malformed_message"),
        (cy, "start", {}, "listeners_only_listen"),
        (cy, "ready", {"ready": True}, "listeners_only_listen"),
    ):
        await guest.say(kind, **fields)
        assert guest.ear.last("error")["code"] == code, kind
        assert not guest.ear.finished
    await cy.say("ping", t=7.5)
    assert cy.ear.last("pong") == {
        "type": "pong",
        "t": 7.5,
        "now_ms": 1000 * house.hall.clock.now,
        "dropped": 0,
    }
    bo = await house.enter(name="Bo")
    await bo.say("close")
    assert bo.ear.last("error")["code"] == "not_host"
    await ann.say("close")
    assert {guest.ear.last("closed")["code"] for guest in (ann, bo, cy)} == {"room_closed"}


async def test_what_changes_nothing_is_told_to_nobody(house: House) -> None:
    ann = await house.enter(token=house.room.host_token)
    cy = await house.enter(role="listener", name="Cy")
    await ann.say("part", part=1)
    told = len(cy.ear.messages)
    assert cy.ear.last("room")["members"][0]["part"] == 1
    await ann.say("part", part=1)
    await ann.say("ready", ready=False)
    assert len(cy.ear.messages) == told


async def test_a_song_that_is_gone_is_not_begun(house: House) -> None:
    ann, _ = await house.singer(token=house.room.host_token)
    house.gone = True
    await ann.say("start")
    assert ann.ear.last("closed")["code"] == "song_gone"


async def test_who_says_too_much_is_sent_away(house: House) -> None:
    guest = await house.enter(role="listener")
    for _ in range(int(MOST_AT_ONCE)):
        await guest.say("ping", t=0)
    assert guest.ear.last("error")["code"] == "too_fast"
    assert guest.ear.finished
