import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from auto_voice.jobs.errors import JobFinished, JobNotFound, QueueFull
from auto_voice.jobs.model import Status
from auto_voice.jobs.store import LEASE_S, MOST_ATTEMPTS, JobStore
from auto_voice.settings import SettingsError
from auto_voice.storage.database import migrate
from tests.auto_voice.jobs.conftest import Clock


def submit(store: JobStore, clock: Clock, **options: object) -> str:
    clock.now += 1
    return store.submit("song", {"request": {}}, **options).id  # type: ignore[arg-type]


def test_jobs_are_done_in_the_order_they_came(store: JobStore, clock: Clock) -> None:
    ids = [submit(store, clock) for _ in range(3)]
    assert store.position(store.get(ids[2])) == 2
    taken = []
    while (job := store.claim("w")) is not None:
        taken.append(job.id)
        assert store.complete(job.id, "w", {"files": {}}, 60)
    assert taken == ids
    assert store.counts() == {"completed": 3}


def test_a_job_has_one_holder(store: JobStore, clock: Clock) -> None:
    job_id = submit(store, clock)
    assert store.claim("w1") is not None
    assert store.claim("w2") is None
    assert store.renew(job_id, "w1") is False
    assert store.renew(job_id, "w2") is None
    store.advance(job_id, "w2", "pitch", 50, 30)
    assert store.get(job_id).progress == 0
    assert not store.complete(job_id, "w2", {}, 60)
    assert store.complete(job_id, "w1", {"a": 1}, 60)
    assert not store.complete(job_id, "w1", {"a": 2}, 60)
    assert store.get(job_id).result == {"a": 1}


def test_a_lease_that_runs_out_is_taken_up_and_the_old_holder_refused(store: JobStore, clock: Clock) -> None:
    job_id = submit(store, clock)
    store.claim("dead")
    clock.now += LEASE_S - 1
    assert store.claim("w") is None
    clock.now += 2
    job = store.claim("w")
    assert job is not None
    assert job.attempts == 2
    assert not store.complete(job_id, "dead", {}, 60)
    assert store.complete(job_id, "w", {}, 60)


def test_a_renewed_lease_is_kept(store: JobStore, clock: Clock) -> None:
    job_id = submit(store, clock)
    store.claim("w")
    for _ in range(5):
        clock.now += LEASE_S - 1
        assert store.renew(job_id, "w") is False
        assert store.claim("other") is None


def test_a_job_that_kills_its_workers_fails_in_the_end(store: JobStore, clock: Clock) -> None:
    job_id = submit(store, clock)
    for attempt in range(MOST_ATTEMPTS):
        assert store.claim(f"w{attempt}") is not None
        store.release(f"w{attempt}")
    job = store.get(job_id)
    assert job.status is Status.FAILED
    assert job.error is not None
    assert job.error["code"] == "internal_error"
    assert store.claim("w") is None


def test_transient_failures_are_tried_again_later(store: JobStore, clock: Clock) -> None:
    job_id = submit(store, clock)
    error = {"code": "weights_unavailable"}
    for _ in range(MOST_ATTEMPTS - 1):
        assert store.claim("w") is not None
        assert store.fail(job_id, "w", error, 60, retry_in_s=10)
        assert store.get(job_id).status is Status.QUEUED
        assert store.claim("w") is None
        clock.now += 11
    assert store.claim("w") is not None
    assert store.fail(job_id, "w", error, 60, retry_in_s=10)
    assert store.get(job_id).status is Status.FAILED
    assert store.get(job_id).error == error


def test_waiting_and_running_jobs_can_be_cancelled_finished_ones_not(store: JobStore, clock: Clock) -> None:
    waiting, running, done = (submit(store, clock) for _ in range(3))
    assert store.cancel(waiting).status is Status.CANCELLED
    assert store.claim("w").id == running  # type: ignore[union-attr]
    assert store.cancel(running).status is Status.PROCESSING
    assert store.renew(running, "w") is True
    assert store.cancelled(running, "w")
    assert store.get(running).status is Status.CANCELLED
    assert store.claim("w").id == done  # type: ignore[union-attr]
    store.complete(done, "w", {}, 60)
    with pytest.raises(JobFinished):
        store.cancel(done)
    with pytest.raises(JobNotFound):
        store.cancel("nothing")


def test_a_cancelled_job_of_a_dead_worker_is_not_done_again(store: JobStore, clock: Clock) -> None:
    job_id = submit(store, clock)
    store.claim("w")
    store.cancel(job_id)
    store.release("w")
    assert store.get(job_id).status is Status.CANCELLED


def test_the_queue_has_an_end(store: JobStore, clock: Clock) -> None:
    for _ in range(2):
        submit(store, clock, most_waiting=2)
    with pytest.raises(QueueFull):
        submit(store, clock, most_waiting=2)
    store.claim("w")
    submit(store, clock, most_waiting=2)


def test_results_expire_and_rows_go(store: JobStore, clock: Clock) -> None:
    job_id = submit(store, clock)
    store.claim("w")
    store.complete(job_id, "w", {}, 100)
    assert store.expire(1000) == set()
    clock.now += 101
    assert store.expire(1000) == {job_id}
    assert store.get(job_id).status is Status.EXPIRED
    assert store.expire(1000) == set()
    clock.now += 1000
    assert store.expire(1000) == {job_id}
    with pytest.raises(JobNotFound):
        store.get(job_id)


def test_lists_are_of_one_user_and_newest_first(store: JobStore, clock: Clock) -> None:
    ids = [submit(store, clock, user_id="ann") for _ in range(3)]
    submit(store, clock, user_id="bob")
    found, total = store.list("ann", 0, 2)
    assert [job.id for job in found] == ids[:0:-1]
    assert total == 3
    assert store.list()[1] == 4


def test_many_workers_take_every_job_once(database: str, store: JobStore, clock: Clock) -> None:
    for _ in range(60):
        submit(store, clock)
    taken: Counter[str] = Counter()

    def work(name: str) -> None:
        own = JobStore(database)
        while (job := own.claim(name)) is not None:
            taken[job.id] += 1
            assert own.complete(job.id, name, {}, 60)
        own.close()

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts() == {"completed": 60}
    assert set(taken.values()) == {1}


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sub' / 'jobs.db'}"
    migrate(url)
    store = JobStore(url)
    store.submit("song", {})
    store.close()
    migrate(url)
    store = JobStore(url)
    assert store.list()[1] == 1
    store.close()


def test_a_database_of_a_newer_version_is_told_in_words(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    migrate(url)
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()
    with pytest.raises(SettingsError, match="newer version"):
        migrate(url)
