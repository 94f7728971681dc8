"""What is counted over contexts and connections, and what a held delay leaves for the loop."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_counts_go_on_over_contexts_and_sessions(modules: Page) -> None:
    sums = modules.evaluate(
        """async () => {
          const { Ledger } = await import('/client/js/ledger.js');
          const ledger = new Ledger();
          const report = (n) => ({ underruns: n, missing: n, late: n, clipped: n });
          const start = { type: 'start', controls: { pitch_semitones: 3 } };
          ledger.heard(start);
          ledger.reported(report(3), 2);
          ledger.heard({ type: 'stats', dropped: { overflow: 22 }, gaps: 480 });
          ledger.contextReplaced();
          const replaced = ledger.deviceUnderruns;
          ledger.reported(report(1), 5);
          ledger.heard(start);
          const between = [ledger.dropped, ledger.gaps];
          ledger.heard({ type: 'stats', dropped: { overflow: 1, late: 4 }, gaps: 20 });
          ledger.heard({ ...start, resumed: true }); // the same session over another line
          const resumed = ledger.gaps;
          ledger.heard({ type: 'stats', dropped: { overflow: 1, late: 4 }, gaps: 20 });
          ledger.contextReplaced();
          ledger.reported(report(0), 0);
          return { between, resumed, dropped: ledger.dropped, gaps: ledger.gaps, report: ledger.report,
            device: [replaced, ledger.deviceUnderruns], inForce: ledger.inForce };
        }"""
    )
    assert sums == {
        "between": [{"overflow": 22}, 480],
        "resumed": 500,
        "dropped": {"overflow": 23, "late": 4},
        "gaps": 500,
        "report": {"underruns": 4, "missing": 4, "late": 4, "clipped": 4},
        "device": [2, 7],
        "inForce": {"pitch_semitones": 3},
    }


def test_sound_cards_that_are_not_counted_stay_unknown(modules: Page) -> None:
    unknown = modules.evaluate(
        """async () => {
          const { Ledger } = await import('/client/js/ledger.js');
          const ledger = new Ledger();
          ledger.reported({ underruns: 0, missing: 0, late: 0, clipped: 0 }, null);
          ledger.contextReplaced();
          return ledger.deviceUnderruns;
        }"""
    )
    assert unknown is None


def test_only_underruns_close_together_are_starving(modules: Page) -> None:
    starving = modules.evaluate(
        """async () => {
          const { Ledger } = await import('/client/js/ledger.js');
          const starves = (times) => {
            const ledger = new Ledger();
            return times.some((at, n) => {
              ledger.reported({ underruns: n, missing: 0, late: 0, clipped: 0 }, null);
              return ledger.isStarving(at);
            });
          };
          return [starves([0, 1, 2, 3, 4]), starves([0, 10, 20, 30, 40, 50])];
        }"""
    )
    assert starving == [True, False]


HELD = """async (steps) => {
  const { Sound } = await import('/client/js/sound.js');
  const sound = new Sound({ onReport() {}, onNotice() {}, onUnplugged() {} });
  let held = null;
  let latency = 0;
  const graph = {
    get outputLatencyMs() { return latency; },
    hold: (samples) => (held = samples),
    setOutput: async () => {},
  };
  sound.graph = graph;
  sound.source.facts = { latencyMs: 10 };
  const log = [];
  for (const { ask, output, reports, microphone, setOutput } of steps) {
    if (output !== undefined) latency = output;
    if (ask !== undefined) sound.hold(ask);
    if (microphone !== undefined) {
      sound.source.facts = { latencyMs: microphone };
      await sound.setMicrophone('');
    }
    if (setOutput) await sound.setOutput('other');
    for (let i = 0; i < (reports ?? 0); i++) sound.reported(graph, {});
    log.push(held === null ? null : held / 48);
  }
  return log;
}"""


def held(page: Page, *steps: dict[str, Any]) -> list[float | None]:
    log: list[float | None] = page.evaluate(HELD, list(steps))
    return log


def test_a_held_delay_allows_for_microphone_and_output(modules: Page) -> None:
    log = held(
        modules,
        {"ask": 200},
        {"output": 40, "reports": 1},  # provisionally, at once
        {"output": 38, "reports": 10},  # not for every little move
        {"reports": 9},  # settled
        {"microphone": 30},
        {"output": 120, "setOutput": True},
        {"output": 125, "reports": 1},
        {"ask": None},
    )
    assert log == pytest.approx([190, 150, 150, 152, 132, 50, 45, None])


def test_a_held_delay_follows_an_output_that_moves_by_itself(modules: Page) -> None:
    log = held(modules, {"ask": 300, "output": 20, "reports": 40}, {"output": 120, "reports": 400})
    assert log[0] == pytest.approx(270)
    assert log[1] == pytest.approx(170, abs=4)


def test_an_output_that_cannot_be_asked_is_left_out_of_a_held_delay(modules: Page) -> None:
    log = held(
        modules, {"ask": 200, "output": None, "reports": 30}, {"output": 40, "reports": 30}, {"output": None}
    )
    assert log[0] == pytest.approx(190)
    assert log[1] == pytest.approx(150)


def test_no_held_delay_is_shorter_than_nothing(modules: Page) -> None:
    assert held(modules, {"ask": 50, "output": 90, "reports": 1}) == [0]
