"""One server process of several on a port (`server.workers`): which it is, and its part of the settings."""

from __future__ import annotations

import ssl
from collections.abc import MutableSequence
from dataclasses import dataclass
from pathlib import Path

from auto_voice.device import cores
from auto_voice.settings import Settings, load_settings
from auto_voice.tls import ssl_context


@dataclass(frozen=True)
class Options:
    """How a server was started.

    Attributes:
        config: the file of settings, if one was named.
        host, port: in place of those of the settings.
        certificate: PEM files of a certificate and its key: https.
    """

    config: Path | None = None
    host: str | None = None
    port: int | None = None
    certificate: tuple[Path, Path] | None = None

    def read(self) -> Settings:
        """The settings as they stand in files and environment now.

        Raises:
            SettingsError: they cannot be used.
        """
        return load_settings(self.config).listening_on(self.host, self.port)

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context to serve with; None: plain http."""
        return None if self.certificate is None else ssl_context(*self.certificate)


@dataclass(frozen=True)
class Share:
    """Which process this is.

    Attributes:
        index: from 0; process 0 alone runs the workers that convert songs.
        count: of processes.
        folder: of the sockets at which they ask each other.
        workers: shared memory: song workers that run, and those that died.
    """

    index: int
    count: int
    folder: Path
    workers: MutableSequence[int]

    def socket(self, index: int) -> Path:
        """Where a process answers the others."""
        return self.folder / f"{index}.sock"

    def part_of(self, settings: Settings) -> Settings:
        """The settings of this process: cores and clones are divided, and each has a log of its own."""
        values = settings.model_dump()
        live, limits, logging = values["live"], values["limits"], values["logging"]
        live["threads"] = live["threads"] or max(1, cores() // self.count)
        limits["concurrent_clones"] = max(1, limits["concurrent_clones"] // self.count)
        for name in ("file", "error_file"):
            if self.index and logging[name] is not None:
                logging[name] = logging[name].with_stem(f"{logging[name].stem}.{self.index}")
        return Settings.model_validate(values)
