"""Who may use the server: users, and the keys that they call the API with.

A key is shown once, when it is made; kept is only a hash of its secret. Secrets are 256 random bits, so a plain
hash is enough: there is nothing to guess from (NIST SP 800-63B section 5.1.4).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Column, Float, ForeignKey, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from auto_voice.storage.database import metadata, open_database
from auto_voice.storage.errors import StorageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
KEY = re.compile(r"av_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
USE_NOTED_S = 60.0  # the time of last use is written no more often

users = Table(
    "users",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("user", String(100), ForeignKey("users.name"), nullable=False, index=True),
    Column("label", String(100), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("last_used_at", Float),
)


class Role(StrEnum):
    """What a user may do: an admin reaches what is everybody's."""

    USER = "user"
    ADMIN = "admin"


class UserError(StorageError):
    """A user or a key that cannot be made, or is not there."""

    def __init__(self, message: str, *suggestions: str) -> None:
        super().__init__("invalid_parameter", message, *suggestions)


class KeyRefused(StorageError):
    """A key that is unknown, expired or revoked; which of these is not told."""

    def __init__(self) -> None:
        super().__init__("invalid_api_key", "the API key is not valid", "ask the operator for another one")


@dataclass(frozen=True)
class Principal:
    """Who makes a request."""

    user: str
    role: Role
    key_id: str

    @property
    def is_admin(self) -> bool:
        """Whether everybody's things may be reached."""
        return self.role is Role.ADMIN


@dataclass(frozen=True)
class Key:
    """What is known of a key, but for its secret; times are seconds since the epoch."""

    id: str
    user: str
    label: str
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None


class UserStore:
    """Users and keys.

    Args:
        url: of the database; migrate it first.
        clock: seconds since the epoch.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = open_database(url)
        self._reader = self._engine.execution_options(reading=True)
        self._clock = clock

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def create_user(self, name: str, role: Role = Role.USER) -> None:
        """Add a user.

        Raises:
            UserError: a name that is none, or is taken.
        """
        if not NAME.fullmatch(name):
            raise UserError(
                f"{name!r:.120} cannot be a user's name", "use at most 100 letters, digits, . _ @ -"
            )
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(users).values(name=name, role=role, created_at=self._clock()))
        except IntegrityError as problem:
            raise UserError(f"there is a user {name!r} already") from problem

    def list_users(self) -> list[tuple[str, Role]]:
        """Names and roles, by name."""
        with self._reader.connect() as connection:
            rows = connection.execute(select(users.c.name, users.c.role).order_by(users.c.name))
            return [(name, Role(role)) for name, role in rows]

    def create_key(self, user: str, label: str = "", days: float | None = None) -> tuple[str, Key]:
        """Make a key for a user; returns its text, which nobody can be told again, and what is kept.

        Args:
            user: whose it is.
            label: what it is for.
            days: that it is valid; without, it does not expire.

        Raises:
            UserError: no such user, a label over 100 characters, or no time.
        """
        if days is not None and days <= 0:
            raise UserError("a key must be valid for some time")
        if len(label) > 100:
            raise UserError("a label has at most 100 characters")
        now = self._clock()
        key = Key(
            secrets.token_hex(6), user, label, now, None if days is None else now + 86_400 * days, None, None
        )
        secret = secrets.token_urlsafe(32)
        with self._engine.begin() as connection:
            if connection.execute(select(users.c.name).where(users.c.name == user)).first() is None:
                raise UserError(f"there is no user {user!r:.120}", "create one: autovoice users create NAME")
            connection.execute(insert(api_keys).values(secret_hash=_hash(secret), **vars(key)))
        return f"av_{key.id}_{secret}", key

    def list_keys(self, user: str | None = None) -> list[Key]:
        """All keys, or those of a user; the newest first."""
        columns = [api_keys.c[name] for name in Key.__dataclass_fields__]
        wanted = select(*columns).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        if user is not None:
            wanted = wanted.where(api_keys.c.user == user)
        with self._reader.connect() as connection:
            return [Key(*row) for row in connection.execute(wanted)]

    def revoke(self, key_id: str) -> None:
        """Let a key be valid no more, at once.

        Raises:
            UserError: there is no such key.
        """
        with self._engine.begin() as connection:
            change = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
            if not connection.execute(change.values(revoked_at=self._clock())).rowcount:
                raise UserError(f"there is no valid key {key_id!r:.40}", "see autovoice keys list")

    def verify(self, text: str) -> Principal:
        """Who a key belongs to.

        Raises:
            KeyRefused: it is not valid.
        """
        parts = KEY.fullmatch(text)
        if parts is None:
            raise KeyRefused
        return self._principal(parts[1], parts[2])

    def find(self, key_id: str) -> Principal | None:
        """Who a key belongs to that somebody is known to have, if it is still valid."""
        try:
            return self._principal(key_id, None)
        except KeyRefused:
            return None

    def _principal(self, key_id: str, secret: str | None) -> Principal:
        now = self._clock()
        with self._reader.connect() as connection:
            row = connection.execute(
                select(api_keys, users.c.role)
                .join(users, users.c.name == api_keys.c.user)
                .where(api_keys.c.id == key_id)
            ).first()
        if row is None or not (secret is None or hmac.compare_digest(row.secret_hash, _hash(secret))):
            raise KeyRefused
        if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
            raise KeyRefused
        if row.last_used_at is None or now - row.last_used_at > USE_NOTED_S:
            with self._engine.begin() as connection:
                connection.execute(update(api_keys).where(api_keys.c.id == row.id).values(last_used_at=now))
        return Principal(row.user, Role(row.role), row.id)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
