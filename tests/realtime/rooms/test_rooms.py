"""Rooms with a clock of their own: who comes in, who goes, when it is over."""

from __future__ import annotations

import pytest

from realtime.errors import RoomError, RoomFull, RoomNotFound, TooManyRooms
from realtime.rooms.member import Role
from realtime.rooms.room import COUNTDOWN_S, TAIL_S, Room, Stage
from realtime.rooms.rooms import IDLE_S, Rooms
from tests.live import Clock
from tests.realtime.rooms.conftest import BOUNDS, Ear

STAGE = Stage("stage-1", "A tune", 60.0)


def names(room: Room) -> list[str]:
    return [member.name for member in room.members]


async def test_two_singers_and_some_listeners_find_a_place(rooms: Rooms) -> None:
    room = rooms.open(STAGE)
    host = room.join("Ann", Role.SINGER, Ear(), room.host_token)
    partner = room.join("Bo", Role.SINGER, Ear())
    assert (host.place, partner.place, room.host) == (0, 1, host)
    for _ in range(BOUNDS.listeners):
        room.join("Cy", Role.LISTENER, Ear())
    for role in Role:
        with pytest.raises(RoomFull, match=role.value):
            room.join("Di", role, Ear())
    room.leave(partner)
    assert room.join("Di", Role.SINGER, Ear()).place == 1


async def test_the_host_has_a_place_whoever_comes_first(rooms: Rooms, clock: Clock) -> None:
    room = rooms.open(STAGE)
    guest = room.join("Bo", Role.SINGER, Ear())
    assert (guest.place, room.host) == (1, None)
    with pytest.raises(RoomFull):
        room.join("Cy", Role.SINGER, Ear())
    secret = room.host_token
    host = room.join("Ann", Role.SINGER, Ear(), secret)
    assert (host.place, room.host) == (0, host)
    room.leave(host)
    assert room.host is guest  # somebody has to begin the song
    with pytest.raises(RoomError):
        room.start(room.join("Eve", Role.SINGER, Ear(), secret))  # the host's token is good once
    other = rooms.open(STAGE)
    clock.now += BOUNDS.away_s
    assert other.host is None
    assert other.join("Cy", Role.SINGER, Ear()) is other.host  # the one who opened it never came


async def test_a_guest_is_host_where_who_opened_the_room_never_comes(rooms: Rooms, clock: Clock) -> None:
    room = rooms.open(STAGE)
    ear = Ear()
    guest = room.join("Bo", Role.SINGER, ear)
    assert room.host is None
    assert room.due == clock.now + BOUNDS.away_s
    clock.now += BOUNDS.away_s
    rooms.sweep()
    assert room.host is guest
    assert ear.last("room")["members"][0]["host"] is True
    assert room.due > clock.now  # nothing more is to be done


async def test_the_token_of_the_host_is_good_until_it_has_let_somebody_in(rooms: Rooms) -> None:
    room = rooms.open(STAGE)
    for _ in range(BOUNDS.listeners):
        room.join("Cy", Role.LISTENER, Ear())
    guest = room.join("Bo", Role.SINGER, Ear())
    secret = room.host_token
    with pytest.raises(RoomFull):
        room.join("Ann", Role.LISTENER, Ear(), secret)
    host = room.join("Ann", Role.SINGER, Ear(), secret)
    assert room.host is host
    assert room.host_token != secret
    other = rooms.open(STAGE)
    guest = other.join("Bo", Role.SINGER, Ear())
    other.join("Ann", Role.LISTENER, Ear(), other.host_token)
    assert other.host is guest  # who opened it only listens


async def test_who_loses_the_line_comes_back_or_loses_the_place(rooms: Rooms, clock: Clock) -> None:
    room = rooms.open(STAGE)
    lines = [Ear(dropped=3), Ear(), Ear()]
    host = room.join("Ann", Role.SINGER, lines[0], room.host_token)
    guest = room.join("Bo", Role.LISTENER, lines[1])
    room.lose(host, lines[0])
    assert lines[1].last("room")["members"][0]["present"] is False
    clock.now += BOUNDS.away_s - 1
    rooms.sweep()
    assert room.join("-", Role.LISTENER, lines[2], host.token) is host
    assert (host.role, host.name, host.dropped) == (Role.SINGER, "Ann", 3)
    room.lose(host, lines[0])  # an old line tells nothing
    assert host.line is lines[2]
    room.lose(host, lines[2])
    clock.now += BOUNDS.away_s
    rooms.sweep()
    assert names(room) == ["Bo"]
    assert room.host is None
    room.leave(guest)
    assert room.join("Cy", Role.SINGER, Ear()) is room.host


async def test_a_newer_line_takes_the_place_of_an_older_one(rooms: Rooms) -> None:
    room = rooms.open(STAGE)
    old, new = Ear(), Ear()
    member = room.join("Ann", Role.LISTENER, old)
    assert room.join("Ann", Role.LISTENER, new, member.token) is member
    assert old.finished
    error = old.last("error")
    assert (error["code"], error["fatal"]) == ("taken_over", True)  # so its page does not come back
    assert not new.finished
    assert new.messages == []


async def test_rooms_are_closed_in_time(rooms: Rooms, clock: Clock) -> None:
    empty, used = rooms.open(STAGE), rooms.open(STAGE)
    ear = Ear()
    used.join("Ann", Role.LISTENER, ear)
    clock.now += IDLE_S
    with pytest.raises(RoomNotFound):
        rooms.get(empty.code)
    assert rooms.get(used.code.lower()) is used
    clock.now += 3600 * BOUNDS.hours
    with pytest.raises(RoomNotFound):
        rooms.get(used.code)
    assert ear.finished
    assert ear.last("closed")["code"] == "room_expired"
    assert rooms.snapshot().rooms == 0


async def test_an_empty_room_gives_way_and_a_used_one_does_not(rooms: Rooms) -> None:
    first = rooms.open(STAGE)
    first.join("Ann", Role.LISTENER, Ear(dropped=2))
    second = rooms.open(STAGE)
    third = rooms.open(STAGE)
    with pytest.raises(RoomNotFound):
        rooms.get(second.code)
    third.join("Bo", Role.SINGER, Ear())
    with pytest.raises(TooManyRooms):
        rooms.open(STAGE)
    stats = rooms.snapshot()
    assert (stats.rooms, stats.singers, stats.listeners, stats.dropped) == (2, 1, 1, 2)
    rooms.close()
    with pytest.raises(TooManyRooms, match="2"):
        rooms.open(STAGE)
    assert rooms.snapshot().dropped == 2


async def test_a_song_that_is_deleted_ends_its_rooms(rooms: Rooms) -> None:
    room, other = rooms.open(STAGE), rooms.open(Stage("stage-2", "Another", 9.0))
    ear = Ear()
    room.join("Ann", Role.LISTENER, ear)
    rooms.end_song("stage-1")
    assert ear.last("closed")["code"] == "song_gone"
    with pytest.raises(RoomNotFound):
        rooms.get(room.code)
    assert rooms.get(other.code) is other


async def test_a_song_begins_once_everybody_is_ready_and_ends_by_itself(rooms: Rooms, clock: Clock) -> None:
    room = rooms.open(STAGE)
    ear = Ear()
    host = room.join("Ann", Role.SINGER, ear, room.host_token)
    guest = room.join("Bo", Role.SINGER, Ear())
    for asking, code in ((guest, "not_host"), (host, "not_ready")):
        with pytest.raises(RoomError) as refused:
            room.start(asking)
        assert refused.value.code == code
    room.leave(guest)
    room.leave(room.join("Cy", Role.LISTENER, Ear()))
    host.ready = True  # the page says so, but there is no session
    with pytest.raises(RoomError, match="Ann"):
        room.start(host)
    assert room.starts_at is None
    room.run, room.starts_at = 1, clock.now + COUNTDOWN_S
    clock.now += COUNTDOWN_S + STAGE.seconds + TAIL_S
    rooms.sweep()
    assert ear.last("room")["starts_at_ms"] is None
