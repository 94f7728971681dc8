"""A database of jobs: SQLite always, PostgreSQL where its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_voice.jobs.store import JobStore, migrate


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server of this test run, on a socket in a temporary folder."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL: initdb is not installed")
    folder = tmp_path_factory.mktemp("postgresql")
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = "nobody"
        for place in (folder, *list(folder.parents)[:3]):
            place.chmod(0o711)
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        folder.chmod(0o700)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=user, cwd="/", timeout=60)

    data = folder / "data"
    run(str(programs / "initdb"), "-D", str(data), "-U", "autovoice", "--auth=trust", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    log = folder / "log"
    run(str(programs / "pg_ctl"), "-D", str(data), "-l", str(log), "-w", "-o", options, "start")
    yield f"postgresql+psycopg://autovoice@/postgres?host={folder}"
    run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty, migrated database."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")
    migrate(url)
    return url


@pytest.fixture
def store(database: str, clock: Clock) -> Iterator[JobStore]:
    store = JobStore(database, clock)
    yield store
    from auto_voice.jobs.model import jobs

    with store._engine.begin() as connection:
        connection.execute(jobs.delete())
    store.close()
