"""The server is killed in the middle of a song: after the restart the song is finished, once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from auto_voice.jobs.model import Status
from auto_voice.jobs.song_request import SongRequest
from auto_voice.jobs.store import JobStore
from auto_voice.jobs.supervisor import Supervisor
from auto_voice.settings import Settings, load_settings
from auto_voice.storage.database import migrate
from tests.songs import write_song


@pytest.fixture
def settings(tmp_path: Path, models_dir: Path) -> Settings:
    return load_settings(
        environ={
            "AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path),
            "AUTOVOICE_STORAGE__MODELS_DIR": str(models_dir),
            "AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS": "1",
        }
    )


@pytest.fixture
def store(settings: Settings) -> JobStore:
    migrate(settings.database_url)
    return JobStore(settings.database_url)


def submit(settings: Settings, store: JobStore, seconds: float, **parameters: object) -> str:
    folder = settings.storage.results_dir / "conv-1"
    folder.mkdir(parents=True)
    write_song(folder / "upload.wav", seconds)
    request = SongRequest(voice_id="otto", preset="fast", **parameters)  # type: ignore[arg-type]
    return store.submit("song", {"request": asdict(request), "upload": "upload.wav"}, job_id="conv-1").id


def wait(condition: Callable[[], bool], seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


SERVER = (
    "import sys, time\n"
    "from auto_voice.settings import load_settings\n"
    "from auto_voice.jobs.store import JobStore\n"
    "from auto_voice.jobs.supervisor import Supervisor\n"
    "if __name__ == '__main__':\n"
    "    settings = load_settings()\n"
    "    supervisor = Supervisor(settings, JobStore(settings.database_url))\n"
    "    supervisor.start()\n"
    "    while not supervisor.processes: time.sleep(0.05)\n"
    "    print(*supervisor.processes, flush=True)\n"
    "    time.sleep(600)\n"
)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_server_leaves_no_workers_and_loses_no_song(
    settings: Settings, store: JobStore, tmp_path: Path
) -> None:
    job_id = submit(settings, store, 24.0)
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    environ = {
        **os.environ,
        "AUTOVOICE_STORAGE__DATA_DIR": str(settings.storage.data_dir),
        "AUTOVOICE_STORAGE__MODELS_DIR": str(settings.storage.models_dir),
        "AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    with subprocess.Popen(
        [sys.executable, str(script)], env=environ, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        worker = int(server.stdout.readline().split()[0])
        wait(lambda: store.get(job_id).progress > 5)
        server.send_signal(signal.SIGKILL)
        server.wait()
    wait(lambda: not alive(worker), 20)
    assert store.get(job_id).status is Status.QUEUED

    supervisor = Supervisor(settings, store)
    supervisor.start()
    try:
        wait(lambda: store.get(job_id).status.finished)
    finally:
        supervisor.stop()
    job = store.get(job_id)
    assert job.status is Status.COMPLETED
    assert job.attempts == 2
    assert sorted(p.name for p in (settings.storage.results_dir / job_id).iterdir()) == ["result", "upload.wav"]


def test_a_server_that_ends_puts_its_song_back(settings: Settings, store: JobStore) -> None:
    job_id = submit(settings, store, 24.0)
    supervisor = Supervisor(settings, store)
    supervisor.start()
    wait(lambda: store.get(job_id).progress > 5)
    worker = supervisor.processes[0]
    supervisor.stop()
    assert store.get(job_id).status is Status.QUEUED
    assert not alive(worker)


def test_a_full_disk_fails_that_job_alone(
    settings: Settings, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from auto_voice.jobs import parts, song
    from auto_voice.jobs.worker import Worker

    job_id = submit(settings, store, 1.5)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(song, "convert_vocals", full)
    monkeypatch.setattr(parts, "decode_song", full)
    worker = Worker(settings, "w")
    job = store.claim("w")
    assert job is not None
    worker.do(job)
    job = store.get(job_id)
    assert job.status is Status.FAILED
    assert job.error is not None
    assert job.error["code"] == "insufficient_storage"
    assert [p.name for p in (settings.storage.results_dir / job_id).iterdir()] == ["upload.wav"]


def test_a_beat_that_fails_is_followed_by_others(
    settings: Settings, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    from auto_voice.jobs import worker
    from auto_voice.jobs.worker import Lease, Worker

    job_id = submit(settings, store, 1.5)
    assert store.claim("w") is not None
    renewed, done, beats = JobStore.renew, threading.Event(), []

    def locked_once(self: JobStore, *arguments: str) -> bool | None:
        beats.append(arguments)
        if len(beats) == 1:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        done.set()
        return renewed(self, *arguments)

    monkeypatch.setattr(worker, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(JobStore, "renew", locked_once)
    lease = Lease()
    Worker(settings, "w")._beat(job_id, lease, done)
    assert len(beats) == 2
    assert not lease.lost


def test_a_voice_that_was_deleted_meanwhile_is_told(settings: Settings, store: JobStore) -> None:
    from auto_voice.jobs.worker import Worker

    folder = settings.storage.results_dir / "conv-2"
    folder.mkdir(parents=True)
    write_song(folder / "upload.wav", 1.5)
    request = asdict(SongRequest(voice_id="00000000-0000-0000-0000-000000000000", preset="fast"))
    store.submit("song", {"request": request, "upload": "upload.wav"}, job_id="conv-2")
    job = store.claim("w")
    assert job is not None
    Worker(settings, "w").do(job)
    error = store.get("conv-2").error
    assert error is not None
    assert error["code"] == "profile_not_found"


def test_a_song_that_takes_too_much_memory_fails_and_says_so(
    settings: Settings, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from auto_voice.jobs.worker import Performer, Worker

    for ask in (lambda: torch.empty(2**46), lambda: np.empty(2**46), lambda: bytearray(2**46)):
        monkeypatch.setattr(Performer, "perform", lambda *_, ask=ask: ask())
        store.submit("song", {"request": {}, "upload": "upload"})
        job = store.claim("w")
        assert job is not None
        Worker(settings, "w").do(job)
        error = store.get(job.id).error
        assert error is not None
        assert error["code"] == "out_of_memory"


def test_a_song_that_a_restored_database_knows_and_no_folder_has_is_told(
    settings: Settings, store: JobStore
) -> None:
    from auto_voice.jobs.worker import Worker

    parameters = {
        "request": asdict(SongRequest("otto", "fast")),
        "upload": "upload",
        "song_name": "x",
        "notes": [],
    }
    store.submit("song", parameters)
    job = store.claim("w")
    assert job is not None
    Worker(settings, "w").do(job)
    failed = store.get(job.id)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert failed.error["code"] == "file_expired"


def test_what_is_over_is_cleaned_up(settings: Settings, store: JobStore) -> None:
    job_id = submit(settings, store, 1.5)
    store.claim("w")
    store.complete(job_id, "w", {"files": {}}, keep_s=-1)
    stray = settings.storage.results_dir / "conv-stray"
    stray.mkdir()
    os.utime(stray, (0, 0))
    Supervisor(settings, store).clean()
    assert store.get(job_id).status is Status.EXPIRED
    assert list(settings.storage.results_dir.iterdir()) == []
