"""Make the built-in voices: statistics of freely licensed recordings, never the recordings themselves.

Some are heard singing as well: their speech, resynthesised on notes (`training.native.singing`).

python -m training.builtin_voices --audio ../shared/audio --models DIR
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline import weights
from pipeline.profile import make_voice
from pipeline.speaker import SpeakerEncoder
from pipeline.timbre import SAMPLE_RATE
from pipeline.voice_file import save_voice
from training.classic_prior import VOICES, read
from training.native.renditions import RATE
from training.native.singing import Sung, write_score

FOLDER = Path(__file__).resolve().parent.parent / "pipeline" / "builtin_voices"
LIBRISPEECH = ("LibriSpeech", "CC BY 4.0")
LIBRITTS = ("LibriTTS", "CC BY 4.0")
VCTK = ("CSTR VCTK Corpus", "CC BY 4.0")
CAST: dict[str, tuple[str, str, tuple[str, str]]] = {
    "aria": ("ljspeech", "Aria", ("LJ Speech", "public domain")),
    "nora": ("librispeech-1998", "Nora", LIBRISPEECH),
    "bruno": ("librispeech-2414", "Bruno", LIBRISPEECH),
    "ivy": ("libritts-1580", "Ivy", LIBRITTS),
    "otto": ("libritts-260", "Otto", LIBRITTS),
    "clara": ("vctk-p225", "Clara", VCTK),
    "felix": ("vctk-p226", "Felix", VCTK),
    "hugo": ("vctk-p227", "Hugo", VCTK),
    "june": ("vctk-p228", "June", VCTK),
    "stella": ("ljspeech", "Stella", ("LJ Speech", "public domain")),
    "carmen": ("vctk-p225", "Carmen", VCTK),
    "milo": ("libritts-260", "Milo", LIBRITTS),
}
SINGERS = ("stella", "carmen", "milo")
SUNG_SECONDS = 15  # of the recording that are sung, once in each register
REGISTERS = (0.3, 0.9)  # octaves above the middle of the speech


def sing(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the beginning of a recording, (samples,) at SAMPLE_RATE, would be if it were sung."""
    speech = Sung(soxr.resample(audio[: SUNG_SECONDS * SAMPLE_RATE], SAMPLE_RATE, RATE))
    middle = float(np.median(speech.f0_hz[speech.f0_hz > 0]))
    rng = np.random.default_rng(1)
    parts = [speech.sing(write_score(speech.f0_hz > 0, rng), middle * 2**octaves)[0] for octaves in REGISTERS]
    return np.asarray(soxr.resample(np.concatenate(parts), RATE, SAMPLE_RATE), np.float32)


def main() -> None:
    """Measure the cast and write the folder of built-in voices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    args = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    encoder = SpeakerEncoder(weights.fetch("resemblyzer", args.models))
    pitch_model = weights.fetch("swiftf0", args.models)
    catalogue = []
    for voice_id, (source, name, (corpus, licence)) in CAST.items():
        audio = read(sorted((args.audio / VOICES[source]).glob("*.flac")))
        if voice_id in SINGERS:
            audio = np.concatenate((audio, sing(audio)))
        made = make_voice(
            audio, SAMPLE_RATE, encoder=encoder, pitch_model=pitch_model, name=name, voice_id=voice_id
        )
        save_voice(FOLDER / f"{voice_id}.safetensors", replace(made.voice, frames=None))
        vocal_range = made.vocal_range
        kind = "high" if vocal_range["min_pitch_hz"] > 115 else "low"
        catalogue.append(
            {
                "profile_id": voice_id,
                "user_id": None,
                "profile_name": name,
                "description": f"{kind} voice{' that sings' if voice_id in SINGERS else ''}, "
                f"around {vocal_range['median_pitch_hz']:.0f} Hz",
                "created_at": "2026-11-23T00:00:00+00:00",
                "builtin": True,
                "audio_info": made.audio_info,
                "vocal_range": vocal_range,
                "quality_metrics": made.quality_metrics,
                "speaker_embedding": {"dimensions": 256, "model": "resemblyzer"},
                "warnings": made.warnings,
                "source": f"{corpus}, {source.split('-', 1)[-1]}",
                "licence": licence,
            }
        )
        print(f"{name}: {vocal_range} {made.quality_metrics} {made.warnings}")
    (FOLDER / "catalogue.json").write_text(
        json.dumps({"voices": catalogue}, indent=1, ensure_ascii=False) + "\n"
    )


if __name__ == "__main__":
    main()
