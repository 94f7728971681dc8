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


def test_a_lost_frame_is_faded_over_and_counted_once(modules: Page) -> None:
    frames = stream(30, constant=16000)
    del frames[12]
    out, result = play(modules, frames, 12000)
    assert result["underruns"] == 1
    assert result["missing"] == 480
    gap = out[1000 + 12 * 480 : 1000 + 13 * 480]
    assert abs(gap[200:]).max() < 40
    # No step in the sound is larger than what a 2 ms fade makes of a full-scale half.
    assert abs(np.diff(out[1200:11000])).max() < 16000 * 0.06


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
