"""What a line of the log looks like, and where it goes."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from auto_voice.configuration import Current
from auto_voice.logs import LINE, LineFormatter, set_up_logging
from auto_voice.settings import Settings, load_settings

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture
def root() -> logging.Logger:
    """The root logger."""
    return logging.getLogger()


def settings_for(folder: Path) -> Settings:
    """Those of config/logging.yaml, with files in a folder."""
    environ = {"FILE": str(folder / "app.log"), "ERROR_FILE": str(folder / "error.log")}
    named = {f"AUTOVOICE_LOGGING__{name}": value for name, value in environ.items()}
    return load_settings(CONFIG / "logging.yaml", named)


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_errors_are_in_a_file_of_their_own_too(root: logging.Logger, tmp_path: Path) -> None:
    set_up_logging(settings_for(tmp_path).logging)
    logging.getLogger("a.test").info("well")
    logging.getLogger("a.test").error("not well", extra={"endpoint": "/x"})
    logging.getLogger("aiohttp").info("chatter")
    root.handlers[0].flush()
    assert [line["message"] for line in lines(tmp_path / "app.log")] == ["well", "not well"]
    (error,) = lines(tmp_path / "error.log")
    assert (error["levelname"], error["name"], error["endpoint"]) == ("ERROR", "a.test", "/x")


def test_levels_of_single_loggers_change_and_go(root: logging.Logger) -> None:
    set_up_logging(load_settings(environ={"AUTOVOICE_LOGGING__LEVELS__ATEST": "ERROR"}).logging)
    assert logging.getLogger("atest").level == logging.ERROR
    assert logging.getLogger("numba").level == logging.WARNING
    set_up_logging(load_settings(environ={}).logging)
    assert logging.getLogger("atest").level == logging.NOTSET


def test_nothing_that_was_sent_can_pass_for_a_line() -> None:
    forged = "GET /\r\n12:00:00 ERROR auto_voice: \x1b[2J\x9b2J all is lost\u2028again"
    record = logging.LogRecord("n", logging.INFO, __file__, 1, "asked for %s", (forged,), None)
    record.about_last = ""
    text = LineFormatter(LINE, "%H:%M:%S").format(record)
    assert len(text.splitlines()) == 1
    assert text.isprintable()
    assert r"GET /\r\n12:00:00" in text
    try:
        raise ValueError("a\n12:00:00 ERROR forged \x1b[2J")
    except ValueError as problem:
        record.exc_info = (ValueError, problem, problem.__traceback__)
    first, *rest = LineFormatter(LINE, "%H:%M:%S").format(record).splitlines()
    assert "asked for" in first
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert any("12:00:00 ERROR forged" in line for line in rest)


def test_a_log_that_cannot_be_written_changes_nothing_on_reload(root: logging.Logger, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    good, bad = settings_for(tmp_path), settings_for(tmp_path / "file")
    current = Current(good, lambda: bad)
    current.listeners.append(lambda settings: set_up_logging(settings.logging))
    set_up_logging(good.logging)
    current.on_signal()
    assert current.settings is good
    root.handlers[0].flush()
    assert "not reloaded" in (tmp_path / "error.log").read_text()
