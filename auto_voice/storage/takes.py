"""Takes as rows: whose they are, of what song, how long, kept until when. Their sound is in files."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Float,
    Integer,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from auto_voice.storage.database import metadata, open_database
from auto_voice.storage.errors import StorageError
from auto_voice.storage.take_files import RATE

# times are seconds since the epoch, frames samples at 48 kHz
takes = Table(
    "takes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(100), index=True),
    Column("song_id", String(64), nullable=False),
    Column("about", JSON, nullable=False),
    Column("most_frames", Integer, nullable=False),
    Column("frames", Integer),
    Column("rendition_id", String(64)),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("expires_at", Float, nullable=False, index=True),
)


class TakeNotFound(StorageError):
    """No such take."""

    def __init__(self, take_id: str) -> None:
        super().__init__(
            "take_not_found", f"there is no take {take_id[:64]!r}", "it may have been kept for its time"
        )


class TooManyTakes(StorageError):
    """A user keeps as many as may be, or as long ones."""

    def __init__(self, kept: str) -> None:
        super().__init__("too_many_takes", f"{kept} are kept already", "delete one that is not needed")


class SongTooLong(StorageError):
    """A take of it would be longer than all takes of a user may be."""

    def __init__(self, most_minutes: float) -> None:
        super().__init__(
            "invalid_audio_duration",
            f"a take of this song may get longer than the {most_minutes:g} minutes that a user may keep",
            "sing a shorter song, or ask the operator to raise limits.take_minutes_per_user",
        )


class TakeFinished(StorageError):
    """It was finished before, and differently."""

    def __init__(self) -> None:
        super().__init__("take_finished", "the take is finished: nothing can be added", "make another take")


class MixedAgain(StorageError):
    """It has been mixed otherwise since a mix was begun to be sent."""

    def __init__(self) -> None:
        super().__init__("chunk_conflict", "the take is mixed otherwise now", "send the whole mix")


@dataclass(frozen=True)
class Take:
    """One take at one moment."""

    id: str
    user_id: str | None
    song_id: str
    about: dict[str, Any]
    most_frames: int
    created_at: float
    expires_at: float
    frames: int | None = None  # once it is finished
    rendition_id: str | None = None  # the job that sings it again
    finished_at: float | None = None


FIELDS = tuple(Take.__dataclass_fields__)


class TakeStore:
    """All takes.

    Args:
        url: of the database; `migrate` it first.
        clock: seconds since the epoch.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = open_database(url)
        self._reader = self._engine.execution_options(reading=True)
        self._clock = clock

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def make(
        self,
        song_id: str,
        about: dict[str, Any],
        *,
        user_id: str | None,
        most_frames: int,
        most_takes: int,
        most_minutes: float,
        keep_s: float,
    ) -> Take:
        """Make a take that nothing has been sung of.

        Args:
            song_id: the stage that is sung to.
            about: what the singer's page says of it; JSON.
            user_id: whose it is.
            most_frames: as long as it may get.
            most_takes: as many as a user may keep.
            most_minutes: as long as all of them may be; one that is not finished counts as long as it may get.
            keep_s: seconds that it is kept.

        Raises:
            TooManyTakes, SongTooLong: as they say.
        """
        now, take_id = self._clock(), f"take-{uuid.uuid4()}"
        with self._engine.begin() as connection:
            length = func.coalesce(takes.c.frames, takes.c.most_frames)
            mine = select(func.count(), func.coalesce(func.sum(length), 0)).select_from(takes)
            kept = connection.execute(mine.where(_owned_by(user_id), takes.c.expires_at > now)).one()
            if kept[0] >= most_takes:
                raise TooManyTakes(f"{most_takes} takes")
            if most_frames > most_minutes * 60 * RATE:
                raise SongTooLong(most_minutes)
            if kept[1] + most_frames > most_minutes * 60 * RATE:
                raise TooManyTakes(f"{kept[1] / RATE / 60:.0f} of {most_minutes:g} minutes of takes")
            row = {"id": take_id, "user_id": user_id, "song_id": song_id, "about": about}
            times = {"created_at": now, "expires_at": now + keep_s}
            connection.execute(insert(takes).values(**row, **times, most_frames=most_frames))
        return self.get(take_id)

    def get(self, take_id: str) -> Take:
        """One take.

        Raises:
            TakeNotFound: none of that id, or not any more.
        """
        known = (takes.c.id == take_id) & (takes.c.expires_at > self._clock())
        with self._reader.connect() as connection:
            row = connection.execute(select(takes).where(known)).mappings().one_or_none()
        if row is None:
            raise TakeNotFound(take_id)
        return _take(row)

    def list(self, user_id: str, offset: int = 0, limit: int = 50) -> tuple[Sequence[Take], int]:
        """A user's takes, the newest first, and how many there are."""
        mine = _owned_by(user_id) & (takes.c.expires_at > self._clock())
        with self._reader.connect() as connection:
            total = connection.execute(select(func.count()).select_from(takes).where(mine)).scalar_one()
            query = select(takes).where(mine).order_by(takes.c.created_at.desc(), takes.c.id)
            rows = connection.execute(query.offset(offset).limit(limit)).mappings()
            return [_take(row) for row in rows], total

    def finish(self, take_id: str, frames: int, keep_s: float) -> Take:
        """Nothing is added any more: it is `frames` long, and kept for `keep_s` seconds from now on.

        Raises:
            TakeNotFound: none of that id. TakeFinished: it was finished before.
        """
        now = self._clock()
        ended = {"frames": frames, "finished_at": now, "expires_at": now + keep_s}
        open_one = (takes.c.id == take_id) & takes.c.finished_at.is_(None)
        with self._engine.begin() as connection:
            changed = connection.execute(update(takes).where(open_one).values(ended)).rowcount
        take = self.get(take_id)
        if not changed:
            raise TakeFinished
        return take

    def remix(self, take_id: str, change: dict[str, Any]) -> Take:
        """Note that it is mixed otherwise from now on.

        Args:
            take_id: of which take.
            change: of what is said about it.

        Raises:
            TakeNotFound: none of that id.
        """
        with self._engine.begin() as connection:
            row = connection.execute(select(takes.c.about).where(takes.c.id == take_id).with_for_update())
            about = row.scalar_one_or_none()
            if about is None:
                raise TakeNotFound(take_id)
            about = {**about, **change, "mixed": about.get("mixed", 0) + 1}
            connection.execute(update(takes).where(takes.c.id == take_id).values(about=about))
        return self.get(take_id)

    def sing_again(self, take_id: str, rendition_id: str) -> None:
        """Note the job that sings it again."""
        with self._engine.begin() as connection:
            connection.execute(update(takes).where(takes.c.id == take_id).values(rendition_id=rendition_id))

    def remove(self, take_id: str) -> None:
        """Forget a take; its files are the caller's affair."""
        with self._engine.begin() as connection:
            connection.execute(delete(takes).where(takes.c.id == take_id))

    def expire(self) -> set[str]:
        """Forget the takes whose time is over; returns ids, of their renditions too, whose files may go."""
        due = takes.c.expires_at <= self._clock()
        with self._engine.begin() as connection:
            found = connection.execute(select(takes.c.id, takes.c.rendition_id).where(due)).all()
            connection.execute(delete(takes).where(due))
        return {str(name) for row in found for name in row if name is not None}


def _owned_by(user_id: str | None) -> ColumnElement[bool]:
    return takes.c.user_id.is_(None) if user_id is None else takes.c.user_id == user_id


def _take(row: Any) -> Take:
    return Take(**{name: row[name] for name in FIELDS})
