"""The test phrase in a voice, as a file; for a process with limits."""

from __future__ import annotations

import tempfile
from pathlib import Path

from auto_voice.settings import Settings

SUFFIX, CONTENT_TYPE = ".flac", "audio/flac"


def sing_phrase(settings: Settings, voice_id: str) -> bytes:
    """Sing the phrase in a voice, with what its owner has set for it.

    Args:
        settings: of the server.
        voice_id: of the profile.

    Returns:
        A FLAC file.

    Raises:
        StorageError: no such voice. PipelineError: what it needs is not here.
    """
    import torch

    from auto_voice.storage.profiles import ProfileStore
    from pipeline import io
    from pipeline.converters.kept import KeptConverters
    from pipeline.converters.stream import convert_recording
    from pipeline.phrase import sung_phrase

    torch.set_num_threads(1)  # singers come first
    storage = settings.storage
    voice = ProfileStore(storage.voice_profiles_dir, models_dir=storage.models_dir).voice(voice_id)
    converter = KeptConverters(storage.models_dir).prepared(voice)
    sound = convert_recording(converter, sung_phrase(), voice)
    with tempfile.TemporaryDirectory(dir=storage.temp_dir, prefix="phrase-") as folder:
        path = Path(folder) / f"phrase{SUFFIX}"
        io.encode(path, sound, converter.sample_rate)
        return path.read_bytes()
