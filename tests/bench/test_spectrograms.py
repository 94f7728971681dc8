"""The page of spectrograms, from singing whose pitch is known."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.spectrograms.image import COLUMNS_PER_S, HEIGHT, LEVELS, place_of, png, spectrogram
from bench.spectrograms.page import Row, Section, build_page
from pipeline.pitch.offline import PitchTrack
from pipeline.synthetic import glide, sing, vibrato

RATE = 48_000
SECONDS = 1.5


def row(name: str, f0_hz: NDArray[np.float32]) -> Row:
    audio = sing(f0_hz, RATE, np.random.default_rng(1))
    every = round(0.016 * RATE)
    f0 = f0_hz[::every]
    return Row(name, audio, PitchTrack(np.arange(len(f0)) * 0.016, f0, np.ones_like(f0)), {"WER": "< 0.1"})


@pytest.fixture(scope="module")
def page() -> str:
    low, high = row("source", vibrato(150, SECONDS, RATE)), row("target", vibrato(300, SECONDS / 2, RATE))
    sections = [
        Section("a & b", "steady", [low, high]),
        Section("c", "rising", [row("glide", glide(100, 800, 1, RATE))]),
    ]
    return build_page("Singing", "How to read it: <look>", sections, "Nobody's", RATE)


def decoded(element: ElementTree.Element) -> bytes:
    return base64.b64decode(str(element.get("src")).partition("base64,")[2])


def pixels(file: bytes) -> NDArray[np.uint8]:
    with av.open(io.BytesIO(file)) as image:
        return next(image.decode(video=0)).to_ndarray(format="rgb24")


def test_it_is_well_formed_and_loads_nothing(page: str) -> None:
    root = ElementTree.fromstring(page)
    for element in root.iter():
        for name in ("src", "href"):
            assert str(element.get(name, "data:")).startswith("data:")
    assert not re.search(r"https?://|url\(|@import", page)
    assert [heading.text for heading in root.iter("h2")] == ["a & b", "c"]


def test_each_row_has_its_own_picture_and_sound(page: str) -> None:
    root = ElementTree.fromstring(page)
    pictures = [pixels(decoded(image)) for image in root.iter("img")]
    assert [picture.shape for picture in pictures] == [(HEIGHT, 150, 3), (HEIGHT, 150, 3), (HEIGHT, 100, 3)]
    assert np.mean(np.any(pictures[0] != pictures[1], 2)) > 0.3
    assert (pictures[1][:, 80:] == pictures[1][0, -1]).all()  # it ends halfway
    seconds = []
    for sound in root.iter("audio"):
        with av.open(io.BytesIO(decoded(sound))) as file:
            seconds.append(sum(frame.samples for frame in file.decode(audio=0)) / RATE)
    assert seconds == pytest.approx([SECONDS, SECONDS / 2, 1], abs=0.03)


def test_pitch_lies_on_the_fundamental(page: str) -> None:
    paths = [path.get("d", "") for path in ElementTree.fromstring(page).iter("path")]
    assert len(paths) == 6  # each is drawn twice, for contrast
    steady = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", paths[0])]
    assert np.mean(steady) == pytest.approx(HEIGHT * (1 - place_of(150)), abs=1)
    rising = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", paths[-1])]
    assert np.all(np.diff(rising) < 0)  # up on the screen


@pytest.mark.parametrize("hz", [150.0, 1000.0, 8000.0])
def test_a_tone_is_brightest_at_its_place_and_time(hz: float) -> None:
    tone = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    tone[: RATE // 2] = 0
    levels = spectrogram(tone, RATE)
    assert levels.shape == (HEIGHT, COLUMNS_PER_S)
    assert levels.max() == LEVELS - 1
    assert levels[:, 75].argmax() + 0.5 == pytest.approx(HEIGHT * (1 - place_of(hz)), abs=1)
    assert not levels[:, :45].any()
    assert (levels[:, 60:95].max(0) >= LEVELS - 2).all()


def test_the_picture_file_holds_the_levels() -> None:
    levels = np.random.default_rng(1).integers(0, LEVELS, (20, 31), np.uint8)
    shown = pixels(png(levels)).astype(int).sum(2)
    assert shown.shape == levels.shape
    brightness = [set(shown[levels == level]) for level in range(LEVELS)]
    assert all(len(values) == 1 for values in brightness)
    assert np.all(np.diff([min(values) for values in brightness]) > 0)


def test_silence_is_dark() -> None:
    assert not spectrogram(np.zeros(RATE, np.float32), RATE).any()
