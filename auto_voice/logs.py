"""Logging as the settings ask for it; every line says which request or job it is about."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from auto_voice.log_aside import AsideHandler
from auto_voice.sections import LoggingSettings

FIELDS = "%(asctime)s %(name)s %(levelname)s %(about)s %(message)s"
LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s%(about_last)s"

CHATTY = {"numba": "WARNING", "alembic": "WARNING", "aioice": "WARNING"}
# Unicode's Cc, and what some programs take for the end of a line
ESCAPES = {c: ascii(chr(c))[1:-1] for c in (*range(32), *range(127, 160), 0x2028, 0x2029)}

_levels: dict[str, str] = {}  # of single loggers, as they were set last

# The id of the request or job that this thread or task works at.
ABOUT: ContextVar[str] = ContextVar("about", default="")


def _tell_about(record: logging.LogRecord) -> bool:
    about = ABOUT.get()
    record.__dict__ |= {"about": about, "about_last": f" [{about}]" if about else ""}
    return True


def set_up_logging(settings: LoggingSettings, debug: bool = False, part: str = "") -> None:
    """Log to standard error, as lines for people or as JSON, and to a file that rotates, where one is named.

    Calling it again changes over; nothing is lost in between.

    Args:
        settings: what is logged, and how.
        debug: log everything.
        part: of the program that this process is, if not the server; it has a file of its own beside the
            server's, because two processes cannot rotate one.

    Raises:
        OSError: the file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    handlers[0].setFormatter(_json() if settings.format == "json" else LineFormatter(LINE, "%H:%M:%S"))
    try:
        for named, level in ((settings.file, logging.NOTSET), (settings.error_file, logging.ERROR)):
            if named is not None:
                handlers.append(_file(named.with_stem(f"{named.stem}.{part}") if part else named, settings))
                handlers[-1].setLevel(level)
    except OSError:
        for opened in handlers:
            opened.close()
        raise
    aside = AsideHandler(handlers)
    aside.addFilter(_tell_about)
    logging.basicConfig(level="DEBUG" if debug else settings.level, handlers=[aside], force=True)
    for name in _levels.keys() - settings.levels.keys():
        logging.getLogger(name).setLevel(logging.NOTSET)
    _levels.clear()
    _levels.update({**CHATTY, **settings.levels})
    for name, wanted in _levels.items():
        logging.getLogger(name).setLevel(wanted)


def _file(file: Path, settings: LoggingSettings) -> logging.Handler:
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        file, maxBytes=settings.max_bytes, backupCount=settings.backup_count, encoding="utf-8"
    )
    handler.setFormatter(_json())
    return handler


class LineFormatter(logging.Formatter):
    """Lines for people, in which nothing that was sent to us can pass for another line, or steer a terminal.

    Control characters of a message are escaped; what follows it (a traceback) is indented.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line, before what follows it."""
        record.message = record.message.translate(ESCAPES)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """A traceback, indented."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """A stack, indented."""
        return _indented(stack_info)


def _indented(text: str) -> str:
    return "\n".join(f"    {line.translate(ESCAPES)}" for line in text.split("\n"))


def _json() -> logging.Formatter:
    from pythonjsonlogger.core import RESERVED_ATTRS
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(FIELDS, reserved_attrs=[*RESERVED_ATTRS, "about_last"])
