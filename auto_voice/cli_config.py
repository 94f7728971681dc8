"""`autovoice config`: what the configuration says, and whether it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from auto_voice.settings import load_with_sources

config = typer.Typer(
    help="The configuration: check it, or show where each value comes from.", no_args_is_help=True
)
FileOption = Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")]


@config.command("check")
def check(config: FileOption = None) -> None:
    """Read the configuration; exit code 2 and the reason if it is wrong."""
    _, sources = load_with_sources(config)
    named = sorted({source for source in sources.values() if source != "default.yaml"})
    Console().print(
        f"The configuration is good. Beside the defaults: {', '.join(named) or 'nothing'}.", highlight=False
    )


@config.command("show")
def show(
    config: FileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="leave out what is as by default")] = False,
) -> None:
    """Print every setting in force, and where it comes from."""
    from auto_voice.configuration import shown

    lines = [line for line in shown(*load_with_sources(config)) if not changed or line[2] != "default.yaml"]
    if as_json:
        print(
            json.dumps([dict(zip(("name", "value", "source"), line, strict=True)) for line in lines], indent=1)
        )
        return
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for line in lines:
        table.add_row(*line)
    Console().print(table)
