"""Notes, WAV files, takes, the phrase, voices as the server may describe them, and words for failures."""

from __future__ import annotations

import base64
import io
import re
import wave
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from bench.bursts import pitch_of

pytestmark = pytest.mark.browser


def test_notes(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { nearestNote, noteName } = await import('/client/js/notes.js');
          return [nearestNote(440), nearestNote(261.6256), nearestNote(0), nearestNote(450), noteName(-1)];
        }"""
    )
    assert found == [
        {"name": "A4", "cents": 0},
        {"name": "C4", "cents": 0},
        None,
        {"name": "A4", "cents": 39},
        "B-2",
    ]


def test_wav_files_are_read_by_others(modules: Page) -> None:
    text = modules.evaluate(
        """async () => {
          const { wavFile } = await import('/client/js/wav.js');
          const file = wavFile(Int16Array.of(0, 1, -1, 32767, -32768), 48000);
          const bytes = new Uint8Array(await file.arrayBuffer());
          return btoa(String.fromCharCode(...bytes));
        }"""
    )
    with wave.open(io.BytesIO(base64.b64decode(text))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 48000)
        assert np.frombuffer(file.readframes(9), np.int16).tolist() == [0, 1, -1, 32767, -32768]


def test_a_take_lines_up_whatever_the_order(modules: Page) -> None:
    result = modules.evaluate(
        """async () => {
          const { Take } = await import('/client/js/take.js');
          const take = new Take(1000);
          const frame = (position, sign) =>
            Int16Array.from({ length: 480 }, (_, i) => sign * ((position + i) % 9973));
          for (let p = 760; p < 100000; p += 480) take.sung(p, frame(p, 1));
          take.close();
          take.sung(200000, frame(200000, 1));                                      // after the end: not in it
          const early = take.complete;
          for (let p = 100120 - 480; p >= 280; p -= 480) take.heard(p, frame(p, -1)); // backwards
          const { dry, wet } = take.read();
          const holey = new Take(0);
          for (let p = 0; p < 4800; p += 480) holey.sung(p, frame(p, 1));
          for (const p of [-240, 240, 1440, 4320]) holey.heard(p, frame(p, 1));
          holey.close();
          holey.heard(4800, frame(4800, 1));
          const missing = [take.missing, holey.missing];
          return { early, missing, complete: take.complete, lengths: [dry.length, wet.length],
            opposite: dry.every((sample, i) => wet[i] === -sample), first: dry[0] };
        }"""
    )
    assert result["early"] is False
    assert result["complete"] is True
    assert result["missing"] == [0, 3120]
    assert result["lengths"][0] == result["lengths"][1] == 99120
    assert result["opposite"] is True
    assert result["first"] == 1000


def test_what_is_captured_after_a_loss_keeps_its_place_in_a_take(modules: Page) -> None:
    """A song counts on while the browser loses 480 samples of the microphone, and later waits for 960."""
    result = modules.evaluate(
        """async () => {
          const { Take } = await import('/client/js/take.js');
          const take = new Take(1000);
          const frames = [];
          let song = 0;
          for (let position = 1000; position < 20200; position += 480) {
            if (position === 5800) { song += 480; take.move(position, position - song); }
            if (position === 10600) { song -= 960; take.move(position, position - song); }
            const pcm = Int16Array.from({ length: 480 }, (_, i) => song + i);
            frames.push([position, pcm]);
            take.sung(position, pcm);
            song += 480;
          }
          for (const [position, pcm] of frames.reverse()) take.heard(position, pcm);
          take.close();
          const { dry, wet } = take.read();
          const wrong = (sound) => sound.reduce((sum, sample, i) => sum + (sample !== i && sample !== 0), 0);
          return [dry.length, wrong(dry), wrong(wet), [...dry.subarray(4800, 5280)].filter(Boolean).length];
        }"""
    )
    assert result == [18_720, 0, 0, 0]


def test_the_phrase_is_sung_in_tune(modules: Page) -> None:
    phrase = modules.evaluate(
        """async () => {
          const { singPhrase } = await import('/client/js/phrase.js');
          return Array.from((await singPhrase()).getChannelData(0).filter((_, i) => i % 3 === 0));
        }"""
    )
    samples = np.array(phrase)
    assert np.isfinite(samples).all()
    assert abs(samples).max() == pytest.approx(0.5, abs=0.03)
    # The fourth note, D4, 1.35 s after the start, before its vibrato sets in.
    note = samples[int(1.45 * 16000) : int(1.65 * 16000)]
    assert 1200 * np.log2(pitch_of(note, 16000) / 293.66) == pytest.approx(0, abs=25)


def test_voices_as_servers_describe_them(modules: Page) -> None:
    voices = modules.evaluate(
        """async () => {
          const { readVoice } = await import('/client/js/voices.js');
          return [
            readVoice({ profile_id: 'a', profile_name: 'Ann', builtin: true, user_id: 'me',
              vocal_range: { min_note: 'A2', max_note: 'E4' } }, 'me'),
            readVoice({ profile_id: 'b', name: 'Bob', user_id: 'me', description: null }),
            readVoice({ profile_id: 'c', user_id: 'other', vocal_range: null }),
          ];
        }"""
    )
    recorded = {"kind": "recording", "model": None, "needs": "", "picture": "", "settings": None}
    assert voices[0] == recorded | {"id": "a", "name": "Ann", "description": "", "range": "A2–E4", "own": False}
    assert voices[1] == recorded | {"id": "b", "name": "Bob", "description": "", "range": "", "own": True}
    assert (voices[2]["name"], voices[2]["own"]) == ("Unnamed voice", True)


def test_every_fatal_error_of_the_protocol_has_words(modules: Page) -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text().split("Error codes:")[1]
    codes = re.findall(r"`(\w+)` \(fatal\)|`(too_fast)`", text)
    names = sorted(
        {a or b for a, b in codes} | {"voice_not_found", "NotAllowedError", "NotFoundError", "insecure"}
    )
    assert "server_full" in names
    titles = modules.evaluate(
        """async (names) => {
          const { failure } = await import('/client/js/words.js');
          return names.map((name) => failure(name, 'no words').title);
        }""",
        names,
    )
    assert "no words" not in titles
    assert len(set(titles)) == len(names)


@pytest.mark.parametrize(
    ("thrown", "code"),
    [
        ("new DOMException('x', 'NotSupportedError')", "sample_rate"),
        ("new DOMException('x', 'NotReadableError')", "NotReadableError"),
        ("new DOMException('x', 'AbortError')", "AbortError"),
        ("new Trouble('asleep')", "asleep"),
        ("new Trouble('unreachable')", "unreachable"),
    ],
)
def test_what_is_thrown_while_audio_opens_has_words(modules: Page, thrown: str, code: str) -> None:
    found = modules.evaluate(
        f"""async () => {{
          const {{ failureOf, Trouble }} = await import('/client/js/words.js');
          return failureOf({thrown});
        }}"""
    )
    assert found["code"] == code
    assert found["title"] != "x"
    assert len(found["advice"]) > 20
