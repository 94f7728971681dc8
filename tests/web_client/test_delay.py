"""How the playout delay is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

RUN = """async ({ steps, hold }) => {
  const { DelayController } = await import('/client/js/delay.js');
  const control = new DelayController(48000);
  if (hold !== null) control.hold(hold);
  control.begin(1480);
  const log = [control.delay];
  for (const { need, times, silent } of steps) {
    for (let i = 0; i < times; i++) { control.observe(need); control.pass(480, silent ?? false); }
    log.push(control.delay);
  }
  return { log, late: control.late, needed: control.needed };
}"""


def run(page: Page, steps: list[dict[str, Any]], hold: int | None = None) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate(RUN, {"steps": steps, "hold": hold})
    return result


def test_starts_at_block_plus_algorithm_plus_twelve_ms(modules: Page) -> None:
    assert run(modules, [])["log"] == [480 + 1000 + 576]


def test_a_single_stall_is_borne(modules: Page) -> None:
    steps = [{"need": 1600, "times": 2000}, {"need": 5000, "times": 3}, {"need": 1600, "times": 3500}]
    result = run(modules, steps)
    assert result["late"] == 3
    assert result["log"][-1] == result["log"][0]


def test_what_comes_again_makes_it_grow(modules: Page) -> None:
    stall = [{"need": 3000, "times": 4}, {"need": 1600, "times": 400}]
    result = run(modules, [{"need": 1600, "times": 200}, *stall, *stall])
    assert 3000 <= result["log"][-1] < 3000 + 240


def test_a_long_stall_that_comes_again_is_met_step_by_step(modules: Page) -> None:
    stall = [{"need": 20000, "times": 12}, {"need": 1600, "times": 400}]
    result = run(modules, [{"need": 1600, "times": 200}, *stall, *stall])
    assert result["log"][-1] - result["log"][0] == 960


def test_a_longer_way_is_met_at_once(modules: Page) -> None:
    result = run(modules, [{"need": 6000, "times": 60}])
    assert 6000 <= result["log"][-1] < 6000 + 240


def test_shrinks_slowly_and_only_in_silence(modules: Page) -> None:
    calm = {"need": 1600, "times": 9000}
    grown = [{"need": 6000, "times": 60}, calm]
    assert run(modules, grown)["log"][-1] >= 6000
    result = run(modules, [*grown, {"need": 1600, "times": 26, "silent": True}])
    assert result["log"][-2] - result["log"][-1] == 48
    result = run(modules, [*grown, {"need": 1600, "times": 9000, "silent": True}])
    assert 1600 < result["log"][-1] <= 1600 + 240


def test_a_pinned_delay_never_moves(modules: Page) -> None:
    result = run(
        modules, [{"need": 9000, "times": 300}, {"need": 100, "times": 6000, "silent": True}], hold=4321
    )
    assert set(result["log"]) == {4321}
    assert result["late"] == 300


def test_quantiles_agree_with_numpy(modules: Page) -> None:
    values = np.random.default_rng(3).gamma(4, 100, 3000)
    found = modules.evaluate(
        """async (values) => {
          const { RecentQuantiles } = await import('/client/js/quantiles.js');
          const recent = new RecentQuantiles(4, 2000, 5000);
          values.forEach((value) => recent.add(value));
          return [0.5, 0.95, 0.999].map((q) => recent.quantile(q));
        }""",
        values.tolist(),
    )
    expected = np.quantile(values, [0.5, 0.95, 0.999], method="inverted_cdf")
    np.testing.assert_array_less(np.abs(np.array(found) - expected), 4.001)


def test_quantiles_forget(modules: Page) -> None:
    after = modules.evaluate(
        """async () => {
          const { RecentQuantiles } = await import('/client/js/quantiles.js');
          const recent = new RecentQuantiles(1, 100, 50);
          recent.add(90);
          for (let i = 0; i < 101; i++) recent.add(10);
          return recent.quantile(1);
        }"""
    )
    assert after == 10
