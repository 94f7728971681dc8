"""Logging that never waits."""

from __future__ import annotations

import io
import logging
import os
import threading
import time
from collections.abc import Iterator

import pytest

from auto_voice.log_aside import AsideHandler


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.Logger("test")
    yield made
    for handler in made.handlers:
        handler.close()


def test_lines_come_in_order_and_say_what_was_true_when_they_were_logged(logger: logging.Logger) -> None:
    stream = io.StringIO()
    handler = AsideHandler([logging.StreamHandler(stream)])
    logger.addHandler(handler)
    changing = ["first"]
    for number in range(100):
        logger.info("%d %s", number, changing)
    changing[0] = "second"
    handler.flush()
    assert stream.getvalue().splitlines() == [f"{number} ['first']" for number in range(100)]


def test_a_traceback_is_written_too(logger: logging.Logger) -> None:
    stream = io.StringIO()
    logger.addHandler(AsideHandler([logging.StreamHandler(stream)]))
    try:
        raise ValueError("what happened")
    except ValueError:
        logger.exception("it failed")
    logger.handlers[0].close()
    assert "ValueError: what happened" in stream.getvalue()


def test_a_pipe_that_nobody_reads_holds_up_nobody_and_what_is_lost_is_told(logger: logging.Logger) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        logger.addHandler(AsideHandler([logging.StreamHandler(stream)], most_waiting=50))
        logged = threading.Event()

        def log() -> None:
            for _ in range(2000):
                logger.info("x" * 200)
            logged.set()

        threading.Thread(target=log, daemon=True).start()
        assert logged.wait(20)
        with os.fdopen(reading) as reader:
            read: list[str] = []
            collector = threading.Thread(target=lambda: read.extend(reader), daemon=True)
            collector.start()
            deadline, logged_again = time.monotonic() + 20, 0
            while not any("were lost" in line for line in read) and time.monotonic() < deadline:
                logger.info("again")  # which may be lost, too, while nothing is read yet
                logged_again += 1
                time.sleep(0.01)
            logger.handlers[0].close()
            stream.close()
            collector.join(20)
    lost = [int(line.split()[0]) for line in read if "were lost" in line]
    kept = sum(line.startswith(("x", "again")) for line in read)
    assert sum(lost) + kept == 2000 + logged_again
    assert kept >= 50
