"""Position-indexed playout, without any audio."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

SCENARIO = """async ({ frames, total, delays, quantum }) => {
  const { Player } = await import('/client/js/player.js');
  const player = new Player();
  const out = new Float32Array(total);
  for (let at = 0; at < total; at += quantum) {
    // What arrives before this moment, in the order given.
    for (const frame of frames.filter((f) => f.arrives > at - quantum && f.arrives <= at)) {
      const pcm = Int16Array.from({ length: frame.length }, (_, i) =>
        frame.constant ?? 1000 + (frame.position + i) % 20000);
      player.write(frame.position, pcm);
    }
    const { delay } = delays.findLast((d) => d.from <= at);
    player.render(out.subarray(at, Math.min(total, at + quantum)), at, delay);
  }
  return { out: Array.from(out), underruns: player.underruns, missing: player.missing };
}"""


def play(
    page: Page,
    frames: list[dict[str, int]],
    total: int,
    delay: int | list[dict[str, int]] = 1000,
    quantum: int = 128,
) -> tuple[np.ndarray, dict[str, Any]]:
    delays = delay if isinstance(delay, list) else [{"from": 0, "delay": delay}]
    result = page.evaluate(SCENARIO, {"frames": frames, "total": total, "delays": delays, "quantum": quantum})
    return np.array(result["out"]) * 32768, result


def stream(count: int, need: int = 600, size: int = 480, **extra: int) -> list[dict[str, int]]:
    return [{"position": i * size, "length": size, "arrives": i * size + need, **extra} for i in range(count)]


def ramp(positions: np.ndarray) -> np.ndarray:
    return 1000 + positions % 20000


def test_sample_n_sounds_at_n_plus_delay(modules: Page) -> None:
    out, result = play(modules, stream(30), 12000)
    at = np.arange(1200, 12000)
    np.testing.assert_allclose(out[at], ramp(at - 1000), atol=0.01)
    assert result["underruns"] == 0


@pytest.mark.parametrize("quantum", [64, 128, 480, 1000])
def test_any_render_quantum_will_do(modules: Page, quantum: int) -> None:
    out, _ = play(modules, stream(30, need=500), 12000, 1500, quantum)
    at = np.arange(1700, 12000)
    np.testing.assert_allclose(out[at], ramp(at - 1500), atol=0.01)


def test_order_and_repetition_do_not_matter(modules: Page) -> None:
    frames = stream(30)
    frames[4], frames[5] = frames[5], frames[4]
    frames[4]["arrives"], frames[5]["arrives"] = frames[5]["arrives"], frames[5]["arrives"] + 1
    frames += [dict(frame, arrives=frame["arrives"] + 200) for frame in frames[::3]]
    out, result = play(modules, frames, 12000, 2000)
    at = np.arange(2200, 12000)
    np.testing.assert_allclose(out[at], ramp(at - 2000), atol=0.01)
    assert result["underruns"] == 0


LOSS = """async ({ pcm, lost }) => {
  const { Player } = await import('/client/js/player.js');
  const player = new Player();
  const sent = Int16Array.from(pcm);
  for (let at = 0; at < sent.length; at += 480) {
    if (!lost.includes(at / 480)) player.write(at, sent.subarray(at, at + 480));
  }
  const out = new Float32Array(sent.length);
  for (let at = 0; at < out.length; at += 128) player.render(out.subarray(at, at + 128), at, 0);
  return { out: Array.from(out), underruns: player.underruns, missing: player.missing };
}"""


def vowel(hz: float, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(int(48_000 * seconds)) / 48_000
    phase = 2 * np.pi * hz * t + 0.1 * np.sin(2 * np.pi * 5.5 * t)
    sound = sum(np.sin(k * phase + k * k) * np.exp(-(((k * hz - 600) / 900) ** 2)) for k in range(1, 20))
    return np.asarray(8000 * sound / np.abs(sound).max())


def lose(page: Page, sound: np.ndarray, lost: list[int]) -> tuple[np.ndarray, dict[str, Any]]:
    result = page.evaluate(LOSS, {"pcm": sound.round().tolist(), "lost": lost})
    return np.array(result["out"]) * 32768, result


@pytest.mark.parametrize("hz", [90, 200, 440, 880])
def test_a_lost_frame_is_sung_on(modules: Page, hz: float) -> None:
    sound = vowel(hz)
    out, result = lose(modules, sound, [40])
    assert (result["underruns"], result["missing"]) == (1, 480)
    gap = slice(40 * 480, 41 * 480)
    error = out[gap] - sound[gap]
    assert np.mean(error**2) < 0.1 * np.mean(sound[gap] ** 2)  # silence would make it 1
    behind = slice(41 * 480 + 240, None)
    np.testing.assert_allclose(out[behind], sound[behind].round(), atol=0.01)
    assert np.abs(np.diff(out[200:])).max() < 1.5 * np.abs(np.diff(sound)).max()  # no click


def test_a_long_gap_is_silent_and_counted_once(modules: Page) -> None:
    sound = vowel(200)
    out, result = lose(modules, sound, list(range(40, 60)))
    assert (result["underruns"], result["missing"]) == (1, 20 * 480)
    assert np.abs(out[40 * 480 + 2880 : 60 * 480]).max() < 1
    assert np.abs(np.diff(out[200:])).max() < 1.5 * np.abs(np.diff(sound)).max()


def test_lost_noise_makes_no_buzz(modules: Page) -> None:
    noise = np.random.default_rng(1).normal(0, 3000, 48_000)
    out, _ = lose(modules, noise, [40, 41])
    made = out[40 * 480 : 42 * 480]
    assert 0.5 < made.std() / noise.std() < 1.5
    spectrum = np.abs(np.fft.rfft(made, 4096)) ** 2
    alike = np.fft.irfft(spectrum)[48:900] / np.sum(made**2)
    assert alike.max() < 0.35


def test_a_backlog_never_becomes_delay(modules: Page) -> None:
    # Nothing arrives for 100 ms, then all of it at once.
    frames = [dict(f, arrives=f["arrives"] + 4800) if 10 <= i < 20 else f for i, f in enumerate(stream(60))]
    out, result = play(modules, frames, 28000)
    at = np.arange(18000, 28000)
    np.testing.assert_allclose(out[at], ramp(at - 1000), atol=0.01)
    assert result["underruns"] >= 1


def test_a_change_of_delay_is_a_crossfade(modules: Page) -> None:
    frames = stream(60, constant=16000)
    out, result = play(modules, frames, 24000, [{"from": 0, "delay": 1000}, {"from": 9600, "delay": 2400}])
    assert result["underruns"] == 0
    np.testing.assert_allclose(out[1200:24000], 16000, atol=1)
    out, _ = play(modules, stream(60), 24000, [{"from": 0, "delay": 1000}, {"from": 9600, "delay": 2400}])
    np.testing.assert_allclose(out[12000:24000], ramp(np.arange(12000, 24000) - 2400), atol=0.01)


def test_silence_after_the_end_is_no_underrun(modules: Page) -> None:
    counts = modules.evaluate(
        """async () => {
          const { Player } = await import('/client/js/player.js');
          const player = new Player();
          const out = new Float32Array(4800);
          player.render(out, 0, 0);                       // before anything came
          player.write(4800, new Int16Array(4800).fill(9000));
          player.render(out, 4800, 0);
          player.rest();
          player.render(out, 9600, 0);                    // after the end
          return [player.underruns, player.missing];
        }"""
    )
    assert counts == [0, 0]


def test_what_is_still_buffered_at_the_end_plays_out_uncounted(modules: Page) -> None:
    counts, heard = modules.evaluate(
        """async () => {
          const { Player } = await import('/client/js/player.js');
          const player = new Player();
          const out = new Float32Array(4800);
          player.write(0, new Int16Array(4800).fill(9000));
          player.render(out.subarray(0, 2400), 0, 0);
          player.rest();
          player.render(out, 2400, 0);
          const counts = [player.underruns, player.missing];
          player.live(9600);
          player.write(9600, new Int16Array(480).fill(9000));
          player.render(out.subarray(0, 960), 9600, 0);
          return [[...counts, player.underruns, player.missing], out[100]];
        }"""
    )
    assert counts == [0, 0, 1, 480]
    assert heard > 0


def test_what_is_left_of_the_stream_before_does_not_count(modules: Page) -> None:
    counts = modules.evaluate(
        """async () => {
          const { Player } = await import('/client/js/player.js');
          const player = new Player();
          const out = new Float32Array(4800);
          player.write(0, new Int16Array(9600).fill(9000));
          player.render(out, 4800, 4800);
          player.rest();
          player.live(9600);
          player.render(out, 9600, 4800);                 // still the stream before
          const left = out[2400];
          player.render(out, 14400, 4800);                // nothing yet of the new one
          const between = [player.underruns, player.missing];
          player.write(14400, new Int16Array(480).fill(9000));
          player.render(out, 19200, 4800);
          return [left > 0.2, ...between, player.underruns, player.missing];
        }"""
    )
    assert counts == [True, 0, 0, 1, 4320]


def test_positions_beyond_32_bits(modules: Page) -> None:
    last = modules.evaluate(
        """async () => {
          const { Player } = await import('/client/js/player.js');
          const player = new Player();
          const far = 2 ** 40 + 77;
          const out = new Float32Array(480);
          player.write(far, new Int16Array(480).fill(8192));
          player.render(out, far + 300, 300);
          return out[479];
        }"""
    )
    assert last == pytest.approx(0.25, abs=1e-4)
