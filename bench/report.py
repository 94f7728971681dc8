"""What every benchmark prints: its machine, its figures against their goals, and `--json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike


def machine() -> str:
    """One line: processor, cores, memory, system and Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


@dataclass
class Figure:
    """One measured figure, its goal as words (`<= 3`), and how many samples it rests on."""

    value: float | None
    unit: str
    goal: str = ""
    n: int = 1


@dataclass
class Report:
    """The figures of one benchmark run."""

    benchmark: str
    machine: str = field(default_factory=machine)
    figures: dict[str, Figure] = field(default_factory=dict)

    def add(self, name: str, value: float | None, unit: str, goal: str = "", n: int = 1) -> None:
        """Record one figure; `None` says that it could not be measured."""
        self.figures[name] = Figure(None if value is None else float(value), unit, goal, n)

    def percentiles(
        self, name: str, samples: ArrayLike, unit: str, goals: dict[str, str] | None = None
    ) -> None:
        """Record p50, p95 and p99 of `samples` as `{name}_p50_{unit}` and so on."""
        values = np.asarray(samples, dtype=float)
        for p in (50, 95, 99):
            key = f"{name}_p{p}_{unit}"
            value = float(np.percentile(values, p)) if values.size else None
            self.add(key, value, unit, (goals or {}).get(key, ""), int(values.size))

    def show(self, goals_only: bool = False) -> str:
        """The report as text, a figure a line; where they are many, only those that have a goal."""
        lines = [f"{self.benchmark} on {self.machine}"]
        for name, f in self.figures.items():
            if goals_only and not f.goal:
                continue
            value = "not measured" if f.value is None else f"{f.value:.4g} {f.unit}"
            lines.append(f"  {name:36s} {value:>18s}  (n={f.n})" + (f"  goal {f.goal}" if f.goal else ""))
        return "\n".join(lines)

    def finish(self, json_file: Path | None, goals_only: bool = False) -> None:
        """Print the report (see `show`) and, when asked, write all of it as JSON."""
        print(self.show(goals_only))
        if json_file is not None:
            json_file.write_text(json.dumps(asdict(self), indent=1) + "\n")


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with the `--json FILE` that all benchmarks share."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    return made
