"""Logging as the settings ask for it."""

from __future__ import annotations

import logging

from auto_voice.settings import LoggingSettings


def set_up_logging(settings: LoggingSettings) -> None:
    """Log to standard error, as lines for people or as JSON."""
    handler = logging.StreamHandler()
    if settings.format == "json":
        from pythonjsonlogger.json import JsonFormatter

        handler.setFormatter(JsonFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=settings.level, handlers=[handler], force=True)
    for chatty in ("numba", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
