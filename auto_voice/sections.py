"""The sections of the configuration: what each setting may be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A group of settings; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Section):
    """Where the server listens, and how long it works at an answer."""

    host: str
    port: int = Field(ge=0, le=65_535)
    timeout: float = Field(gt=0)  # seconds
    debug: bool
    proxies: int = Field(ge=0, le=10)
    workers: int = Field(ge=1, le=64)
    drain_seconds: float = Field(ge=0, le=3600)


class GpuSettings(Section):
    """Where networks run, and how."""

    device: Literal["auto", "cpu", "cuda"]
    device_id: int = Field(ge=0, le=63)
    allow_fallback: bool
    mixed_precision: bool
    cuda_graphs: bool
    memory_fraction: float = Field(gt=0, le=1)


class StorageSettings(Section):
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


class LimitSettings(Section):
    """What one request may ask for."""

    max_audio_size_mb: int = Field(gt=0)
    min_profile_duration_s: float = Field(gt=0)
    max_profile_duration_s: float = Field(gt=0)
    concurrent_clones: int = Field(gt=0)
    max_model_mb: int = Field(gt=0, le=1024)
    max_index_mb: int = Field(gt=0, le=2048)
    max_models: int = Field(ge=0)
    upload_seconds: float = Field(gt=0, le=3600)
    upload_memory_mb: int = Field(ge=1024)  # less, and torch itself finds no room
    concurrent_speech: int = Field(ge=0, le=64)
    max_song_duration_s: float = Field(gt=0)
    concurrent_conversions: int = Field(ge=0, le=64)
    queue_enabled: bool
    max_queue_size: int = Field(gt=0)
    requests_per_hour: int = Field(gt=0)
    takes_per_user: int = Field(gt=0)
    take_minutes_per_user: float = Field(gt=0)


class IceServerSettings(Section):
    """A STUN or TURN server."""

    urls: list[Annotated[str, Field(pattern=r"^(stun|stuns|turn|turns):\S+$")]] = Field(min_length=1)
    username: str | None = None
    credential: str | None = None


class RvcSection(Section):
    """How live sessions in RVC voices are cut (docs/rvc.md)."""

    block_ms: int = Field(ge=20, le=1000, multiple_of=20)
    ahead_ms: int = Field(ge=20, le=1000, multiple_of=10)
    context_ms: int = Field(ge=200, le=10_000, multiple_of=20)
    slowest: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _context_holds_all(self) -> RvcSection:
        if self.context_ms < self.block_ms + self.ahead_ms + 20:
            raise ValueError("context_ms must be more than block_ms and ahead_ms together")
        return self


class LiveSettings(Section):
    """Live sessions."""

    capacity: int = Field(gt=0, le=1024)
    block_ms: Literal[10, 20, 40]
    max_step_fraction: float = Field(gt=0, le=1)
    resume_seconds: float = Field(ge=0, le=600)
    sessions_per_client: int = Field(ge=0, le=1024)
    rooms: int = Field(ge=0, le=1024)
    room_listeners: int = Field(ge=0, le=256)
    room_hours: float = Field(gt=0, le=168)
    threads: int = Field(ge=0, le=64)
    rvc: RvcSection
    ice_servers: list[IceServerSettings]


class PresetSettings(Section):
    """How much work a song is worth."""

    separation_model: Literal["spleeter", "htdemucs", "htdemucs_ft"]
    separation_shifts: int = Field(ge=0, le=20)


class QualitySettings(Section):
    """The presets of song conversion."""

    default_preset: str
    allow_fast_preset: bool
    allow_quality_preset: bool
    presets: dict[str, PresetSettings]

    @model_validator(mode="after")
    def _default_is_one(self) -> QualitySettings:
        if self.default_preset not in self.presets:
            raise ValueError(f"default_preset must be one of {', '.join(self.presets)}")
        if self.default_preset not in self.allowed:
            raise ValueError("default_preset is one that is not allowed")
        return self

    @property
    def allowed(self) -> list[str]:
        """The names of the presets that may be asked for."""
        refused = {"fast": not self.allow_fast_preset, "quality": not self.allow_quality_preset}
        return [name for name in self.presets if not refused.get(name)]


class CacheSettings(Section):
    """How long things are kept."""

    separation_ttl_hours: float = Field(gt=0)
    conversion_ttl_hours: float = Field(gt=0)
    stage_ttl_hours: float = Field(gt=0)
    take_ttl_hours: float = Field(gt=0)
    cleanup_interval_hours: float = Field(gt=0)
    cache_intermediate_results: bool

    def kept_s(self, kind: str) -> float:
        """Seconds that the files of a finished job of a kind are kept."""
        hours = {"stage": self.stage_ttl_hours, "take": self.take_ttl_hours}
        return 3600 * hours.get(kind, self.conversion_ttl_hours)


class DatabaseSettings(Section):
    """Where jobs are kept."""

    url: str  # empty: jobs.db in storage.data_dir


Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class LoggingSettings(Section):
    """What is logged, and how."""

    level: Level
    levels: dict[str, Level]
    requests: bool
    format: Literal["console", "json"]
    file: Path | None
    error_file: Path | None
    max_bytes: int = Field(ge=65_536)
    backup_count: int = Field(ge=0, le=1000)


class SecuritySettings(Section):
    """Who may do what."""

    api_key_required: bool
    ticket_seconds: float = Field(gt=0, le=600)
    consent_required: bool
    allowed_origins: list[Annotated[str, Field(pattern=r"^https?://[^/\s]+$")]]
    rate_limiting_enabled: bool
    rate_limit_storage: str
    clones_per_hour: int = Field(gt=0)
    wrong_keys_per_hour: int = Field(gt=0)
    conversions_per_hour: int = Field(gt=0)
    take_pieces_per_hour: int = Field(gt=0)
    reads_per_hour: int = Field(gt=0)


class MonitoringSettings(Section):
    """What is shown to whoever watches."""

    prometheus_enabled: bool
