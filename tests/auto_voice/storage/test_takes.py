"""Rows of takes: whose, how many, until when."""

from __future__ import annotations

from pathlib import Path

import pytest

from auto_voice.storage.database import migrate
from auto_voice.storage.takes import SongTooLong, TakeFinished, TakeNotFound, TakeStore, TooManyTakes


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> TakeStore:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    migrate(url)
    return TakeStore(url, clock)


def make(store: TakeStore, user: str | None = "ann", most: int = 2, frames: int = 99) -> str:
    made = store.make(
        "stage-1",
        {"tempo": 100},
        user_id=user,
        most_frames=frames,
        most_takes=most,
        most_minutes=2.0,
        keep_s=60,
    )
    return made.id


def test_a_user_has_room_for_some(store: TakeStore, clock: Clock) -> None:
    first = make(store)
    clock.now += 1
    second = make(store)
    with pytest.raises(TooManyTakes):
        make(store)
    make(store, "bob")
    make(store, None)
    found, total = store.list("ann")
    assert ([take.id for take in found], total) == ([second, first], 2)
    assert store.list("ann", 1, 1)[0][0].id == first
    store.remove(first)
    make(store)
    with pytest.raises(TakeNotFound):
        store.get(first)


def test_all_of_a_users_takes_together_may_be_so_long(store: TakeStore) -> None:
    minute = 60 * 48_000
    first = make(store, most=9, frames=2 * minute)
    with pytest.raises(TooManyTakes, match="2 of 2 minutes"):
        make(store, most=9, frames=1)
    make(store, "bob", most=9, frames=minute)
    with pytest.raises(SongTooLong):
        make(store, "cid", most=9, frames=2 * minute + 1)
    store.finish(first, minute, 60)  # it was shorter than it might have got
    make(store, most=9, frames=minute)
    with pytest.raises(TooManyTakes):
        make(store, most=9, frames=1)


def test_it_can_be_mixed_otherwise(store: TakeStore) -> None:
    take = make(store)
    assert store.remix(take, {"track_volume": 0.5}).about == {"tempo": 100, "track_volume": 0.5, "mixed": 1}
    assert store.remix(take, {"tempo": 90}).about["mixed"] == 2
    with pytest.raises(TakeNotFound):
        store.remix("take-x", {})


def test_it_is_finished_once(store: TakeStore, clock: Clock) -> None:
    take = make(store)
    clock.now += 50
    done = store.finish(take, 42, 60)
    assert (done.frames, done.finished_at, done.expires_at) == (42, 1050, 1110)
    with pytest.raises(TakeFinished):
        store.finish(take, 43, 60)
    with pytest.raises(TakeNotFound):
        store.finish("take-x", 43, 60)
    assert store.get(take).frames == 42


def test_its_time_ends(store: TakeStore, clock: Clock) -> None:
    old, young = make(store), make(store)
    store.sing_again(old, "render-1")
    store.finish(young, 42, 600)
    clock.now += 61
    with pytest.raises(TakeNotFound):
        store.get(old)
    assert store.list("ann")[1] == 1
    make(store)  # what is over takes no room
    assert store.expire() == {old, "render-1"}
    assert store.expire() == set()
    assert store.get(young).rendition_id is None
