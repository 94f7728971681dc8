"""Logging as the settings ask for it; every line says which request or job it is about."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler

from auto_voice.log_aside import AsideHandler
from auto_voice.sections import LoggingSettings

FIELDS = "%(asctime)s %(name)s %(levelname)s %(about)s %(message)s"
LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s%(about_last)s"

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
    if settings.format == "json":
        handlers[0].setFormatter(_json())
    else:
        handlers[0].setFormatter(logging.Formatter(LINE, "%H:%M:%S"))
    if settings.file is not None:
        file = settings.file.with_stem(f"{settings.file.stem}.{part}") if part else settings.file
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            RotatingFileHandler(
                file, maxBytes=settings.max_bytes, backupCount=settings.backup_count, encoding="utf-8"
            )
        )
        handlers[1].setFormatter(_json())
    aside = AsideHandler(handlers)
    aside.addFilter(_tell_about)
    logging.basicConfig(level="DEBUG" if debug else settings.level, handlers=[aside], force=True)
    for chatty in ("numba", "alembic", "aioice"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(FIELDS)
