import json
from pathlib import Path

import pytest

from bench.report import Report


def test_figures_are_printed_and_written_as_documented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report("live")
    report.percentiles("added_delay", range(1, 101), "ms", {"added_delay_p99_ms": "<= 10"})
    report.add("nothing", None, "ms")
    report.finish(tmp_path / "live.json")
    written = json.loads((tmp_path / "live.json").read_text())
    assert written["benchmark"] == "live"
    assert written["machine"]
    assert written["figures"]["added_delay_p50_ms"] == {"value": 50.5, "unit": "ms", "goal": "", "n": 100}
    assert written["figures"]["nothing"]["value"] is None
    printed = capsys.readouterr().out
    assert "added_delay_p95_ms" in printed
    assert "goal <= 10" in printed
    assert "not measured" in printed


def test_no_samples_are_no_figure() -> None:
    report = Report("live")
    report.percentiles("added", [], "ms")
    assert report.figures["added_p50_ms"].value is None
