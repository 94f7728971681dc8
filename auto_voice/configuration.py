"""The settings in force: shown with their sources, and read again while the server runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel

from auto_voice.settings import Settings, SettingsError

log = logging.getLogger(__name__)

# What takes effect without a restart; all else is made once, when the server starts.
RELOADABLE = (
    "cache.*",
    "limits.max_*",
    "limits.min_*",
    "limits.queue_enabled",
    "live.ice_servers",
    "live.resume_seconds",
    "limits.requests_per_hour",
    "logging.*",
    "security.*_per_hour",
    "security.allowed_origins",
    "security.consent_required",
    "security.rate_limiting_enabled",
    "security.ticket_seconds",
    "quality.*",
    "server.drain_seconds",
    "server.timeout",
)
SECRET = "(secret)"
SECRETS = ("database.url", "live.ice_servers", "security.rate_limit_storage")


class Current:
    """The settings that hold now.

    Args:
        settings: those of the start.
        read: reads them again; without it, nothing can be reloaded.

    Attributes:
        listeners: called with the new settings after they have changed.
    """

    def __init__(self, settings: Settings, read: Callable[[], Settings] | None = None) -> None:
        self.settings = settings
        self.listeners: list[Callable[[Settings], None]] = []
        self._read = read

    def reload(self) -> tuple[list[str], list[str]]:
        """Read the configuration again.

        Returns:
            The names of what has changed, and of what has changed but needs a restart.

        Raises:
            SettingsError: it cannot be read, or is wrong; nothing changes.
            OSError: a file of the log cannot be written; nothing changes.
        """
        if self._read is None:
            raise SettingsError("there is no configuration to read again")
        wanted = self._read()
        before, after = dict(flat(self.settings)), dict(flat(wanted))
        different = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        taken = [name for name in different if any(fnmatchcase(name, pattern) for pattern in RELOADABLE)]
        values = self.settings.model_dump()
        for name in {_field(name) for name in taken}:
            section, field = name.split(".", 1)
            values[section][field] = wanted.model_dump()[section][field]
        old, self.settings = self.settings, Settings.model_validate(values)
        try:
            for listener in self.listeners:
                listener(self.settings)
        except OSError:
            self.settings = old
            raise
        return taken, [name for name in different if name not in taken]

    def on_signal(self) -> None:
        """Reload, and log what came of it."""
        try:
            taken, waiting = self.reload()
        except SettingsError as problem:
            log.error("the configuration was not reloaded: %s", problem.message)
            return
        except OSError as problem:
            log.error("the configuration was not reloaded: %s: %s", problem.filename, problem.strerror)
            return
        log.info("configuration reloaded: %s", ", ".join(taken) or "nothing has changed")
        if waiting:
            log.warning("these need a restart: %s", ", ".join(waiting))


def _field(name: str) -> str:
    """`section.field` of a name that may go deeper."""
    return ".".join(name.split(".")[:2])


def flat(settings: BaseModel, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its full name."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from flat(value, f"{place}{name}.")
        elif isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, BaseModel):
                    yield from flat(inner, f"{place}{name}.{key}.")
                else:
                    yield f"{place}{name}.{key}", inner
        else:
            yield f"{place}{name}", value


def shown(settings: Settings, sources: dict[str, str]) -> list[tuple[str, str, str]]:
    """(name, value, where it came from) of every setting; secrets are not told."""
    lines = []
    for name, value in flat(settings):
        hidden = name in SECRETS and value
        lines.append((name, SECRET if hidden else _text(value), sources.get(name) or "follows from data_dir"))
    return lines


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
