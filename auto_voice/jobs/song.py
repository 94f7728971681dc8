"""The whole way of a song: decode, separate, pitch, convert, mix; what has been done comes from the cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from auto_voice.jobs.parts import Progress, SongParts, Stems
from auto_voice.jobs.song_request import SongRequest
from auto_voice.settings import Settings
from auto_voice.storage.cache import ContentCache, content_key
from auto_voice.utils.quality_metrics import described
from pipeline import weights
from pipeline.converters.base import Controls
from pipeline.converters.kept import KeptConverters
from pipeline.converters.rvc.voice import RvcVoice
from pipeline.pitch import offline
from pipeline.pitch.trackers import open_tracker
from pipeline.song import mix
from pipeline.song.convert import convert_vocals, whole_octaves
from pipeline.song.pitch import Melody, track_pitch
from pipeline.song.track import Track
from pipeline.speaker import SAMPLE_RATE as SPEAKER_RATE
from pipeline.speaker import SpeakerEncoder
from pipeline.voice import Target, Voice

Float = NDArray[np.float32]
NO_VOICE_DB = -30.0  # vocals so far below the rest are none
EMBEDDED_S = 90.0  # seconds of vocals that the likeness is measured on


class SongConverter:
    """Converts songs in one process; models stay loaded from one song to the next.

    Args:
        settings: presets, limits and folders.
        cache: of stems, pitch and converted vocals.
    """

    def __init__(self, settings: Settings, cache: ContentCache) -> None:
        self._settings = settings
        self.parts = SongParts(settings, cache)
        self._encoder: SpeakerEncoder | None = None
        self.converters = KeptConverters(settings.storage.models_dir)

    def convert(
        self, source: Path, request: SongRequest, voice: Target, folder: Path, progress: Progress
    ) -> dict[str, Any]:
        """Convert one song into files in `folder`.

        Args:
            source: the uploaded file.
            request: what is wanted.
            voice: the target.
            folder: gets converted.FORMAT and, if wanted, vocals.wav and instrumental.wav.
            progress: told how far each stage is; whatever it raises ends the work.

        Returns:
            `files`, `metadata`, `quality_metrics`, `notes`: JSON.

        Raises:
            PipelineError: what is wrong with the song.
        """
        stems = self.parts.stems(source, request.preset, request.use_cache, progress)
        notes = [stems.choice.note] if stems.choice.note else []
        melody = self.parts.melody(stems, request.use_cache, progress, request.pitch_tracker)
        f0 = melody.f0_hz
        if not melody.is_sung or not _audible(stems):
            notes.append("no vocals were found: this is the song as it was")
            return self._unchanged(stems, request, folder, notes, progress)
        shift = 12.0 * whole_octaves(f0, voice.median_f0_hz) + request.pitch_shift_semitones
        vocals = self._converted(stems, melody, voice, shift, request, progress)
        gain = mix.matching_gain(vocals, stems.vocals)
        files = self._write(vocals, stems, gain, request, folder, lambda part: progress("mixing", 0.7 * part))
        own = voice.settings.pitch_semitones if isinstance(voice, RvcVoice) else 0.0
        quality = self._quality(stems.vocals, vocals, f0, voice, shift + own)
        progress("mixing", 1.0)
        metadata = self._metadata(stems, request) | {"transposition_semitones": shift + own}
        return {"files": files, "metadata": metadata, "quality_metrics": quality, "notes": notes}

    def _converted(
        self,
        stems: Stems,
        melody: Melody,
        voice: Target,
        semitones: float,
        request: SongRequest,
        progress: Progress,
    ) -> Track:
        controls = Controls(pitch_semitones=semitones, auto_pitch=False, gate_db=-100.0)
        converter = self.converters.of(voice)

        def build(folder: Path) -> None:
            converter.prepare(voice)
            convert_vocals(
                stems.vocals,
                folder / "vocals.wav",
                converter,
                voice,
                controls,
                lambda part: progress("conversion", part),
                melody,
            )

        key = content_key(stems.key, converter.name, voice.fingerprint, semitones, request.pitch_tracker)
        folder, _ = self.parts.entry(
            "conversion", key, request.use_cache, build, lambda: progress("conversion", 0.0)
        )
        progress("conversion", 1.0)
        return Track(folder / "vocals.wav")

    def _write(
        self,
        vocals: Track,
        stems: Stems,
        gain: float,
        request: SongRequest,
        folder: Path,
        report: Callable[[float], None],
    ) -> dict[str, str]:
        settings = mix.MixSettings(
            request.vocal_volume,
            request.instrumental_volume,
            request.pitch_shift_semitones if request.shift_accompaniment else 0.0,
        )
        files = {"converted": f"converted.{request.output_format}"}
        share = 1 / 3 if request.return_stems else 1.0
        mix.write_mix(
            vocals,
            stems.accompaniment,
            folder / files["converted"],
            gain,
            settings,
            lambda part: report(share * part),
        )
        if request.return_stems:
            files |= {"vocals": "vocals.wav", "instrumental": "instrumental.wav"}
            mix.write_stem(vocals, folder / "vocals.wav", gain, lambda part: report((1 + part) / 3))
            backing = mix.MixSettings(0.0, 1.0, settings.accompaniment_semitones)
            mix.write_mix(
                vocals,
                stems.accompaniment,
                folder / "instrumental.wav",
                0.0,
                backing,
                lambda part: report((2 + part) / 3),
            )
        return files

    def _unchanged(
        self,
        stems: Stems,
        request: SongRequest,
        folder: Path,
        notes: list[str],
        progress: Progress,
    ) -> dict[str, Any]:
        progress("conversion", 1.0)
        files = self._write(stems.vocals, stems, 1.0, request, folder, lambda part: progress("mixing", part))
        quality = described(None, None, None, None, None, 0.0)
        metadata = self._metadata(stems, request) | {"transposition_semitones": 0.0}
        return {"files": files, "metadata": metadata, "quality_metrics": quality, "notes": notes}

    def _metadata(self, stems: Stems, request: SongRequest) -> dict[str, Any]:
        return {
            "original_duration_seconds": round(stems.info["seconds"], 3),
            "original_sample_rate": stems.info["sample_rate"],
            "original_channels": stems.info["channels"],
            "original_format": stems.info["format"],
            "sample_rate": stems.vocals.sample_rate,
            "format": request.output_format,
            "preset": request.preset,
            "separation_model": stems.choice.separator.name,
            "pitch_tracker": request.pitch_tracker,
            "stems_from_cache": stems.cached,
            "target_profile_id": request.voice_id,
        }

    def _quality(
        self, before: Track, after: Track, f0: Float, voice: Target, semitones: float
    ) -> dict[str, Any]:
        models_dir = self._settings.storage.models_dir
        heard = track_pitch(after, open_tracker("swiftf0", models_dir), lambda part: None).f0_hz
        if self._encoder is None:
            self._encoder = SpeakerEncoder(weights.fetch("resemblyzer", models_dir))
        target = voice.embedding if isinstance(voice, Voice) else None
        own, source = (self._encoder.embed(_sung_part(track, f0)) for track in (after, before))
        return described(f0, heard, target, own, source, semitones)


def _audible(stems: Stems) -> bool:
    voice, rest = mix.loudness(stems.vocals), mix.loudness(stems.accompaniment)
    return math.isfinite(voice) and voice > rest + NO_VOICE_DB


def _sung_part(track: Track, f0: Float) -> Float:
    """The EMBEDDED_S of a track with the most singing in them, mono, for the speaker encoder."""
    frames = round(EMBEDDED_S / offline.HOP_S)
    sung = np.concatenate(([0], np.cumsum(f0 > 0)))
    most = int(np.argmax(sung[frames:] - sung[:-frames])) if len(sung) > frames else 0
    start = round(most * offline.HOP_S * track.sample_rate)
    part = track.read(start, min(round(EMBEDDED_S * track.sample_rate), track.frames - start))
    return np.asarray(soxr.resample(part.mean(0), track.sample_rate, SPEAKER_RATE), np.float32)
