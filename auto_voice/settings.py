"""All configuration, as one typed object.

Sources, later ones winning: `config/default.yaml`, the file that `--config` or `AUTOVOICE_CONFIG` names, and
environment variables such as `AUTOVOICE_SERVER__PORT=5001`. Nobody else reads the environment.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

DEFAULTS = Path(__file__).resolve().parent.parent / "config" / "default.yaml"
PREFIX = "AUTOVOICE_"
NOT_SETTINGS = {"AUTOVOICE_CONFIG", "AUTOVOICE_TEST_AUDIO"}


class SettingsError(Exception):
    """A configuration that cannot be used."""

    code = "invalid_configuration"

    def __init__(self, message: str, *suggestions: str) -> None:
        super().__init__(message)
        self.message = message
        self.suggestions = list(suggestions)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """Where the server listens."""

    host: str
    port: int = Field(ge=0, le=65_535)


class StorageSettings(_Section):
    """Where files are kept; folders not named lie in `data_dir`."""

    data_dir: Path
    voice_profiles_dir: Path
    models_dir: Path
    temp_dir: Path
    cache_dir: Path
    results_dir: Path
    max_cache_size_gb: float = Field(gt=0)

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not values.get("data_dir"):
            return values  # refused in pydantic's own words
        data = Path(str(values["data_dir"])).expanduser()
        named = {
            "voice_profiles_dir": data / "voice_profiles",
            "models_dir": data / "models",
            "temp_dir": data / "temp",
            "cache_dir": data / "cache",
            "results_dir": data / "results",
        }
        given = {k: Path(str(v)).expanduser() for k, v in values.items() if v and k in named}
        unknown = {k: v for k, v in values.items() if k not in named and k != "data_dir"}
        return {"data_dir": data, **named, **given, **unknown}


class LimitSettings(_Section):
    """What one request may ask for."""

    max_audio_size_mb: int = Field(gt=0)
    min_profile_duration_s: float = Field(gt=0)
    max_profile_duration_s: float = Field(gt=0)
    concurrent_clones: int = Field(gt=0)
    max_song_duration_s: float = Field(gt=0)
    concurrent_conversions: int = Field(ge=0, le=64)
    queue_enabled: bool
    max_queue_size: int = Field(gt=0)


class IceServerSettings(_Section):
    """A STUN or TURN server."""

    urls: list[Annotated[str, Field(pattern=r"^(stun|stuns|turn|turns):\S+$")]] = Field(min_length=1)
    username: str | None = None
    credential: str | None = None


class LiveSettings(_Section):
    """Live sessions."""

    capacity: int = Field(gt=0, le=1024)
    block_ms: Literal[10, 20, 40]
    max_step_fraction: float = Field(gt=0, le=1)
    resume_seconds: float = Field(ge=0, le=600)
    threads: int = Field(ge=0, le=64)
    device: Literal["auto", "cpu", "cuda"]
    ice_servers: list[IceServerSettings]


class PresetSettings(_Section):
    """How much work a song is worth."""

    separation_model: Literal["spleeter", "htdemucs", "htdemucs_ft"]
    separation_shifts: int = Field(ge=0, le=20)


class QualitySettings(_Section):
    """The presets of song conversion."""

    default_preset: str
    presets: dict[str, PresetSettings]

    @model_validator(mode="after")
    def _default_is_one(self) -> QualitySettings:
        if self.default_preset not in self.presets:
            raise ValueError(f"default_preset must be one of {', '.join(self.presets)}")
        return self


class CacheSettings(_Section):
    """How long things are kept."""

    separation_ttl_hours: float = Field(gt=0)
    conversion_ttl_hours: float = Field(gt=0)
    cleanup_interval_hours: float = Field(gt=0)


class DatabaseSettings(_Section):
    """Where jobs are kept."""

    url: str  # empty: jobs.db in storage.data_dir


class LoggingSettings(_Section):
    """What is logged, and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    format: Literal["console", "json"]


class Settings(_Section):
    """The whole configuration."""

    server: ServerSettings
    storage: StorageSettings
    limits: LimitSettings
    live: LiveSettings
    quality: QualitySettings
    cache: CacheSettings
    database: DatabaseSettings
    logging: LoggingSettings

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
        SettingsError: a file that cannot be read, an unknown key, or a value out of range; says which.
    """
    if config_file is None and environ.get("AUTOVOICE_CONFIG"):
        config_file = Path(environ["AUTOVOICE_CONFIG"])
    values = _read(DEFAULTS)
    if config_file is not None:
        _merge(values, _read(config_file))
    for name, value in environ.items():
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            keys = name.removeprefix(PREFIX).lower().split("__")
            nested: dict[str, Any] = {keys[-1]: _scalar(value)}
            for key in reversed(keys[:-1]):
                nested = {key: nested}
            _merge(values, nested)
    storage = values["storage"]
    if isinstance(storage, dict) and not storage.get("data_dir"):
        storage["data_dir"] = _user_data(environ)
    return _validated(values)


def _scalar(text: str) -> str | int | float | list[Any] | None:
    """The value of an environment variable: a number, a list or null where it reads as one, else the text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if value is None or isinstance(value, int | float | list) else text


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text("utf-8")) or {}
    except OSError as problem:
        raise SettingsError(f"cannot read {file}: {problem.strerror}", "check the path given") from problem
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{file} is not YAML: {problem}") from problem
    if not isinstance(values, dict):
        raise SettingsError(f"{file} must hold sections such as 'server:'")
    return values


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


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
