from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_voice.storage.database import migrate
from auto_voice.storage.users import KeyRefused, Principal, Role, UserError, UserStore
from tests.live import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[UserStore]:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    migrate(url)
    store = UserStore(url, clock)
    yield store
    store.close()


def test_a_key_is_its_users_until_it_is_revoked(store: UserStore) -> None:
    store.create_user("ada", Role.ADMIN)
    text, key = store.create_key("ada", "laptop")
    assert store.verify(text) == Principal("ada", Role.ADMIN, key.id)
    assert store.find(key.id) == Principal("ada", Role.ADMIN, key.id)
    store.revoke(key.id)
    with pytest.raises(KeyRefused):
        store.verify(text)
    assert store.find(key.id) is None
    with pytest.raises(UserError):
        store.revoke(key.id)


def test_a_key_expires(store: UserStore, clock: Clock) -> None:
    store.create_user("ada")
    text, _ = store.create_key("ada", days=2)
    clock.now += 2 * 86_400 - 1
    store.verify(text)
    clock.now += 2
    with pytest.raises(KeyRefused):
        store.verify(text)


def test_only_a_hash_of_a_key_is_kept(store: UserStore, tmp_path: Path) -> None:
    store.create_user("ada")
    text, _ = store.create_key("ada")
    secret = text.split("_", 2)[2].encode()
    store.close()
    assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_last_use_is_noted_now_and_then(store: UserStore, clock: Clock) -> None:
    store.create_user("ada")
    text, _ = store.create_key("ada")
    assert store.list_keys()[0].last_used_at is None
    store.verify(text)
    first = store.list_keys("ada")[0].last_used_at
    assert first == clock.now
    clock.now += 30
    store.verify(text)
    assert store.list_keys()[0].last_used_at == first
    clock.now += 60
    store.verify(text)
    assert store.list_keys()[0].last_used_at == clock.now


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t[:20], str.upper]
)
def test_what_is_nearly_a_key_is_none(store: UserStore, change: object) -> None:
    store.create_user("ada")
    text, _ = store.create_key("ada")
    with pytest.raises(KeyRefused):
        store.verify(change(text))  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["", "av_", "av_0123456789ab_" + "x" * 43, "'; DROP TABLE users; --", "ä" * 60]
)
def test_what_is_no_key_is_refused(store: UserStore, text: str) -> None:
    with pytest.raises(KeyRefused):
        store.verify(text)


@pytest.mark.parametrize("name", ["", " ada", "a/b", "../x", "a" * 101, "a\nb", "-x"])
def test_names_are_plain(store: UserStore, name: str) -> None:
    with pytest.raises(UserError):
        store.create_user(name)


def test_nobody_is_there_twice_and_keys_are_somebodys(store: UserStore) -> None:
    store.create_user("ada")
    with pytest.raises(UserError, match="already"):
        store.create_user("ada")
    with pytest.raises(UserError, match="no user"):
        store.create_key("bob")
    with pytest.raises(UserError):
        store.create_key("ada", days=0)
    assert store.list_users() == [("ada", Role.USER)]
