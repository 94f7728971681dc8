"""The database of jobs, users and keys: SQLite (in WAL mode) or PostgreSQL, and its schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.pool import NullPool

from auto_voice.settings import SettingsError

BUSY_TIMEOUT_MS = 15_000
MIGRATION_LOCK = 0x6175746F  # any number that nobody else locks

metadata = MetaData()


def open_database(url: str) -> Engine:
    """Connect to `sqlite:///FILE` or `postgresql+psycopg://…`."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:
        connection.isolation_level = None  # transactions begin as said below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # a transaction that will write takes its place in the line at once, so it never fails half-way
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def migrate(url: str) -> None:
    """Bring the database to the newest schema; what is there is kept. Servers that start take turns.

    Raises:
        SettingsError: its schema is that of a newer version.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script.revision import ResolutionError
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    try:
        with _alone(url):
            command.upgrade(config, "head")
    except CommandError as problem:
        if not isinstance(problem.__cause__, ResolutionError):
            raise
        raise SettingsError(
            "the database is that of a newer version of this program",
            "update the program, or restore a backup of the time before: scripts/rollback.sh VERSION ARCHIVE",
        ) from problem


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Hold a lock that every server which migrates this database wants."""
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///"))
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.migrating")):
            yield
        return
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        yield  # the lock ends with the connection
    engine.dispose()
