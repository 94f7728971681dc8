"""Signed tokens: who somebody is, for a time and a purpose, without a table.

Every server process on the same data folder signs with the same secret, so a token of one holds for all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

SECRET_BYTES = 32
LONGEST = 1024  # characters of a token


def server_secret(folder: Path) -> bytes:
    """The secret of the servers on a data folder, made when there is none.

    Raises:
        OSError: the folder cannot be written to, or the file not be read.
    """
    path = folder / "secret"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        aside = folder / f".secret-{secrets.token_hex(8)}"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        try:
            os.link(aside, path)  # fails where another process was quicker
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return path.read_bytes()


class Signer:
    """Issues tokens, and tells whose they are.

    Args:
        secret: that nobody else knows.
        clock: seconds since the epoch.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock

    def issue(self, key_id: str, purpose: str, seconds: float) -> str:
        """A token that stands in for a key, for one purpose, for some seconds."""
        content = json.dumps([key_id, purpose, self._clock() + seconds]).encode()
        return f"{_text(content)}.{_text(self._sign(content))}"

    def key_of(self, token: str, purpose: str) -> str | None:
        """The id of the key that a token stands in for; None when it does not hold (any more)."""
        content_text, _, signature_text = token[:LONGEST].partition(".")
        try:
            content, signature = _bytes(content_text), _bytes(signature_text)
        except ValueError:
            return None
        if not hmac.compare_digest(signature, self._sign(content)):
            return None
        key_id, meant, until = json.loads(content)  # ours: nobody else can sign
        return str(key_id) if meant == purpose and self._clock() < until else None

    def _sign(self, content: bytes) -> bytes:
        return hmac.new(self._secret, content, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("a token is ASCII")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
