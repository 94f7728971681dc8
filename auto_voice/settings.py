"""All configuration, as one typed object.

Sources, later ones winning: `config/default.yaml`, the files that `--config` or `AUTOVOICE_CONFIG` names
(several with `:` between, as in PATH), and environment variables such as `AUTOVOICE_SERVER__PORT=5001`. Nobody
else reads the environment.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError

from auto_voice.sections import (
    CacheSettings,
    DatabaseSettings,
    GpuSettings,
    LimitSettings,
    LiveSettings,
    LoggingSettings,
    MonitoringSettings,
    QualitySettings,
    Section,
    SecuritySettings,
    ServerSettings,
    StorageSettings,
)

DEFAULTS = Path(__file__).resolve().parent.parent / "config" / "default.yaml"
PREFIX = "AUTOVOICE_"
NOT_SETTINGS = {"AUTOVOICE_CONFIG", "AUTOVOICE_TEST_AUDIO"}

# What operators of other AutoVoice servers know, and why it is not here.
REFUSED = {
    "live.device": "it is gpu.device",
    "cache.max_cache_size_gb": "it is storage.max_cache_size_gb",
    "cache.prewarm_models": "what live sessions need is always warmed before anybody is served",
    "cache.voice_profile_ttl_days": "voices are people's work: they are deleted by those who own them only",
    "gpu.enable_tensorrt": "a step is one CUDA graph of a small network; no engine is built for it",
    "gpu.max_batch_size": "all live singers are one batch: live.capacity bounds it",
    "gpu.pin_memory": "10 ms of sound are too little for it: graphs copy from their own buffers",
    "limits.worker_threads": "live.threads share the singers, and limits.concurrent_conversions the songs",
    "monitoring.prometheus_port": "/metrics is served where the page is, at server.port",
    "monitoring.health_check_interval": "health is examined when it is asked for: set it where you ask",
    "quality.presets.*.vocoder_quality": "there is one vocoder, and no worse one to save time",
}


class SettingsError(Exception):
    """A configuration that cannot be used."""

    code = "invalid_configuration"

    def __init__(self, message: str, *suggestions: str) -> None:
        super().__init__(message)
        self.message = message
        self.suggestions = list(suggestions)


class Settings(Section):
    """The whole configuration."""

    server: ServerSettings
    gpu: GpuSettings
    storage: StorageSettings
    limits: LimitSettings
    live: LiveSettings
    quality: QualitySettings
    cache: CacheSettings
    database: DatabaseSettings
    logging: LoggingSettings
    monitoring: MonitoringSettings
    security: SecuritySettings

    @property
    def database_url(self) -> str:
        """The database of jobs, as a URL."""
        return self.database.url or f"sqlite:///{self.storage.data_dir / 'jobs.db'}"

    def listening_on(self, host: str | None = None, port: int | None = None) -> Settings:
        """The same settings with another address or port, where given.

        Raises:
            SettingsError: a port out of range.
        """
        changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        return _validated({**self.model_dump(), "server": {**self.server.model_dump(), **changes}})


def _validated(values: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as problem:
        raise _explain(problem) from problem


def _user_data(environ: Mapping[str, str]) -> Path:
    """The folder for this user's data, after the XDG base directory specification."""
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "autovoice"


def load_settings(config_file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the configuration.

    Raises:
        SettingsError: a file that cannot be read, an unknown or refused key, a value out of range; says which.
    """
    return load_with_sources(config_file, environ)[0]


def load_with_sources(
    config_file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, dict[str, str]]:
    """The same, and where each value came from: "server.port" -> a file or the name of a variable.

    Raises:
        SettingsError: as `load_settings`.
    """
    sources: dict[str, str] = {}
    values: dict[str, Any] = {}
    for file in (DEFAULTS, *named_files(config_file, environ)):
        _merge(values, _read(file), file.name if file == DEFAULTS else str(file), sources)
    for name, value in environ.items():
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            keys = name.removeprefix(PREFIX).lower().split("__")
            nested: dict[str, Any] = {keys[-1]: _scalar(value)}
            for key in reversed(keys[:-1]):
                nested = {key: nested}
            _merge(values, nested, name, sources)
    storage = values["storage"]
    if isinstance(storage, dict) and not storage.get("data_dir"):
        storage["data_dir"] = _user_data(environ)
        sources["storage.data_dir"] = "the home folder"
    _refuse(sources)
    return _validated(values), sources


def named_files(config_file: Path | None = None, environ: Mapping[str, str] = os.environ) -> list[Path]:
    """The files of settings that are read beside the defaults."""
    if config_file is None and environ.get("AUTOVOICE_CONFIG"):
        config_file = Path(environ["AUTOVOICE_CONFIG"])
    return [] if config_file is None else [Path(name) for name in str(config_file).split(os.pathsep)]


def _scalar(text: str) -> str | int | float | list[Any] | None:
    """The value of an environment variable: a number, a list or null where it reads as one, else the text."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    return value if value is None or isinstance(value, int | float | list) else text


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text("utf-8")) or {}
    except OSError as problem:
        raise SettingsError(f"cannot read {file}: {problem.strerror}", "check the path given") from problem
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # such as a date that is none
        raise SettingsError(f"{file} is not YAML: {problem}") from problem
    if not isinstance(values, dict):
        raise SettingsError(f"{file} must hold sections such as 'server:'")
    return values


def _merge(
    base: dict[str, Any], changes: dict[str, Any], source: str, sources: dict[str, str], place: str = ""
) -> None:
    for key, value in changes.items():
        name = f"{place}{key}"
        if isinstance(value, dict) and (isinstance(base.get(key), dict) or key not in base):
            _merge(base.setdefault(key, {}), value, source, sources, f"{name}.")
        else:
            base[key] = value
            sources[name] = source


def _refuse(names: Iterable[str]) -> None:
    """Tell of the first setting that is known, and not there on purpose."""
    for name in names:
        for pattern, reason in REFUSED.items():
            if fnmatchcase(name, pattern):
                raise SettingsError(f"{name!r} is not a setting here: {reason}", "leave it out")


def _names_at(place: tuple[int | str, ...]) -> list[str]:
    model: Any = Settings
    for key in place:
        any_name = get_origin(model) in (dict, list)  # and then the fields of its value
        model = get_args(model)[-1] if any_name else model.model_fields[key].annotation
    return list(model.model_fields)


def _explain(problem: ValidationError) -> SettingsError:
    first = problem.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _names_at(first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return SettingsError(f"unknown setting {place!r}", hint)
    if "ice_servers" in place:  # credentials stand there
        return SettingsError(f"{place}: {first['msg']}")
    return SettingsError(f"{place}: {first['msg']} (it is {first['input']!r})")
