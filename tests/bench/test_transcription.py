from pathlib import Path

import pytest

from bench.transcription import FILES, Transcript, load_transcriber
from pipeline import io
from pipeline.weights.registry import FILES as REGISTERED


def test_words_are_what_is_said_without_punctuation() -> None:
    assert Transcript(" It's  LATE, he said: “go”.", -0.2, 1.1).words == "it's late he said go"


@pytest.mark.parametrize(
    ("text", "logprob", "compression", "trusted"),
    [
        ("happy birthday to you", -1.0, 2.4, True),
        ("happy birthday to you", -1.01, 1.0, False),
        ("oh oh oh oh oh oh", -0.1, 2.5, False),
        ("oh oh.", -0.1, 1.0, False),
        ("", float("-inf"), 0.0, False),
    ],
)
def test_what_whisper_itself_would_throw_away_is_not_trusted(
    text: str, logprob: float, compression: float, trusted: bool
) -> None:
    assert Transcript(text, logprob, compression).trusted == trusted


def test_speech_is_trusted_and_silence_is_not(recordings: Path, models_dir: Path) -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper comes with the extra `bench`")
    if not all((models_dir / REGISTERED[name].file_name).exists() for name in FILES):
        pytest.skip("the benchmarks' weights are not here")
    transcribe = load_transcriber(models_dir)
    file = recordings / "speech" / "ljspeech" / "LJ001-0002.flac"
    sound = io.decode(file, sample_rate=16_000, max_seconds=60).samples
    assert transcribe(sound).trusted
    assert transcribe(sound).words == transcribe(file).words
    assert not transcribe(0 * sound).trusted
