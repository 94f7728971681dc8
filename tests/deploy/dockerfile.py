"""Reads a Dockerfile: its stages, their instructions, and what a target is made of."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

INSTRUCTIONS = {
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD"),
    *("RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}


@dataclass(frozen=True)
class Instruction:
    """One instruction, its lines joined."""

    line: int
    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """What it says, as a shell or as JSON splits it; of HEALTHCHECK, the command."""
        text = self.text.split("CMD", 1)[1].strip() if self.name == "HEALTHCHECK" else self.text
        return [str(word) for word in json.loads(text)] if text.startswith("[") else shlex.split(text)


@dataclass
class Stage:
    """A stage: what it starts from, and what is done."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        """The instructions of a name."""
        return [one for one in self.instructions if one.name == name]


def read(path: Path) -> dict[str, Stage]:
    """The stages of a Dockerfile by name.

    Raises:
        ValueError: a line that is no instruction, or one outside a stage.
    """
    stages: dict[str, Stage] = {}
    for one in _instructions(path.read_text()):
        if one.name not in INSTRUCTIONS:
            raise ValueError(f"{path.name}:{one.line}: {one.name} is no instruction")
        if one.name == "FROM":
            found = re.fullmatch(r"(\S+)(?:\s+AS\s+(\S+))?", one.text, re.IGNORECASE)
            if found is None:
                raise ValueError(f"{path.name}:{one.line}: FROM what?")
            stage = Stage(found[2] or str(len(stages)), found[1])
            stages[stage.name] = stage
        elif not stages:
            raise ValueError(f"{path.name}:{one.line}: {one.name} before any FROM")
        else:
            list(stages.values())[-1].instructions.append(one)
    return stages


def ancestry(stages: dict[str, Stage], target: str) -> list[Stage]:
    """A target and the stages that it starts from, the first one first."""
    chain: list[Stage] = []
    while target in stages:
        chain.insert(0, stages[target])
        target = stages[target].base
    return chain


def _instructions(text: str) -> Iterator[Instruction]:
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not (line.strip() or parts):
            continue
        begun = begun if parts else number
        parts.append(line.strip().removesuffix("\\").strip())
        if not line.rstrip().endswith("\\"):
            name, _, rest = " ".join(parts).partition(" ")
            yield Instruction(begun, name.upper(), rest.strip())
            parts = []
