from __future__ import annotations

import stat
from pathlib import Path

import pytest

from auto_voice.web.tokens import Signer, server_secret
from tests.live import Clock


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    secret = server_secret(folder)
    assert len(secret) == 32
    assert server_secret(folder) == secret
    assert [path.name for path in folder.iterdir()] == ["secret"]
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600


def test_a_token_holds_for_its_purpose_and_time() -> None:
    clock = Clock()
    signer = Signer(b"x" * 32, clock)
    token = signer.issue("abc", "ticket", 60)
    assert signer.key_of(token, "ticket") == "abc"
    assert signer.key_of(token, "page") is None
    assert Signer(b"y" * 32, clock).key_of(token, "ticket") is None
    clock.now += 61
    assert signer.key_of(token, "ticket") is None


@pytest.mark.parametrize("token", ["", ".", "a.b", "ä.ö", "x" * 5000, "====.====", "W10.W10"])
def test_what_is_no_token_is_nobodys(token: str) -> None:
    assert Signer(b"x" * 32).key_of(token, "ticket") is None


def test_a_token_cannot_be_bent() -> None:
    signer = Signer(b"x" * 32)
    token = signer.issue("abc", "ticket", 60)
    for at in range(len(token)):
        bent = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        found = signer.key_of(bent, "ticket")
        assert found is None or at == len(token) - 1  # the last character has bits that mean nothing
